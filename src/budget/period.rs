//! Days and months of a time zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, civil};

use crate::model::Period;

/// A day or a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub begins: Timestamp,
    /// The first moment of the next one.
    pub ends: Timestamp,
}

/// The zone by its IANA name; that of the machine where there is no name, and where none is known by it (any more).
pub fn zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(TimeZone::system)
}

/// The day or month that holds `at`. A day of a change to or from summer time is an hour shorter or longer.
pub fn span(at: Timestamp, period: Period, zone: &TimeZone) -> Span {
    let day = at.to_zoned(zone.clone()).date();
    let (first, next) = match period {
        Period::Day => (day, day.tomorrow()),
        Period::Month => (day.first_of_month(), day.first_of_month().checked_add(1.month())),
    };
    // The ends of all time, where there is nothing beyond.
    let begins = midnight(first, zone).unwrap_or(Timestamp::MIN);
    let ends = next.ok().and_then(|next| midnight(next, zone)).unwrap_or(Timestamp::MAX);
    Span { begins, ends }
}

/// The first moment of a day, which is not 00:00 everywhere.
fn midnight(day: civil::Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(day.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(at: &str, period: Period, name: &str, begins: &str, ends: &str) {
        let span = span(at.parse().unwrap(), period, &TimeZone::get(name).unwrap());
        let found = (span.begins.to_string(), span.ends.to_string());
        assert_eq!(found, (begins.to_owned(), ends.to_owned()), "{at} in {name}");
    }

    #[test]
    fn a_day_goes_from_midnight_to_midnight_of_its_zone() {
        for (at, name, begins, ends) in [
            ("2026-07-01T12:00:00Z", "Europe/Rome", "2026-06-30T22:00:00Z", "2026-07-01T22:00:00Z"),
            ("2026-06-30T22:00:00Z", "Europe/Rome", "2026-06-30T22:00:00Z", "2026-07-01T22:00:00Z"),
            ("2026-06-30T21:59:59.999Z", "Europe/Rome", "2026-06-29T22:00:00Z", "2026-06-30T22:00:00Z"),
            ("2026-07-01T12:00:00Z", "UTC", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"),
        ] {
            is(at, Period::Day, name, begins, ends);
        }
    }

    #[test]
    fn days_on_which_the_clock_changes_are_23_and_25_hours_long() {
        for (at, name, begins, ends) in [
            ("2026-03-29T12:00:00Z", "Europe/Rome", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("2026-10-25T00:30:00Z", "Europe/Rome", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("2026-10-25T01:30:00Z", "Europe/Rome", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            // There the clock goes from 24:00 to 01:00, so that the day begins then.
            ("2026-03-29T12:00:00Z", "Asia/Beirut", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"),
            ("2026-03-28T21:59:59Z", "Asia/Beirut", "2026-03-27T22:00:00Z", "2026-03-28T22:00:00Z"),
            // A day that was left out is nobody's.
            ("2011-12-30T09:59:59Z", "Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
            ("2011-12-30T10:00:00Z", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        ] {
            is(at, Period::Day, name, begins, ends);
        }
    }

    #[test]
    fn a_month_goes_from_the_first_to_the_last_whatever_its_length() {
        for (at, begins, ends) in [
            ("2026-03-15T12:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
            ("2028-02-29T22:59:59Z", "2028-01-31T23:00:00Z", "2028-02-29T23:00:00Z"),
            ("2026-01-31T12:00:00Z", "2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z"),
            ("2026-12-31T22:59:59Z", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
            ("2026-12-31T23:00:00Z", "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
        ] {
            is(at, Period::Month, "Europe/Rome", begins, ends);
        }
    }

    #[test]
    fn an_unknown_zone_is_that_of_the_machine() {
        assert_eq!(zone(None), TimeZone::system());
        assert_eq!(zone(Some("Mars/Olympus")), TimeZone::system());
        assert_eq!(zone(Some("Europe/Rome")), TimeZone::get("Europe/Rome").unwrap());
    }

    proptest! {
        #[test]
        fn every_moment_is_in_one_period_and_the_next_begins_where_it_ends(
            second in -60_000_000_000_i64..200_000_000_000,
            is_day in any::<bool>(),
            name in prop::sample::select(vec!["Europe/Rome", "America/Havana", "Asia/Beirut", "Pacific/Apia", "UTC"]),
        ) {
            let (at, zone) = (Timestamp::from_second(second).unwrap(), TimeZone::get(name).unwrap());
            let period = if is_day { Period::Day } else { Period::Month };
            let here = span(at, period, &zone);
            prop_assert!(here.begins <= at && at < here.ends, "{here:?}");
            prop_assert_eq!(span(here.begins, period, &zone), here);
            prop_assert_eq!(span(here.ends, period, &zone).begins, here.ends);
        }
    }
}
