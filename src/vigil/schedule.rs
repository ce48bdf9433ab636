//! When a test is due: once a day or once a week, by the clock of a time zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

/// Days that are looked through to either side: a week, and what a change of the clocks moves over midnight.
const DAYS: i64 = 8;

/// A time of day, or of one day of the week. A time that the clock skips is as much later as is skipped, and one that
/// comes twice is the first of both (RFC 5545 section 3.3.5).
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The day; every day where there is none.
    pub weekday: Option<Weekday>,
    /// The time.
    pub time: Time,
    /// Whose clock it is.
    pub zone: TimeZone,
}

impl Schedule {
    /// The latest time that is not after `now`.
    pub(super) fn last(&self, now: Timestamp) -> Option<Timestamp> {
        self.around(now).filter(|at| *at <= now).max()
    }

    /// The first time after `now`.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.around(now).filter(|at| *at > now).min()
    }

    fn around(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        let today = now.to_zoned(self.zone.clone()).date();
        let day = move |ahead: i64| today.checked_add(jiff::Span::new().days(ahead)).ok();
        (-DAYS..=DAYS).filter_map(day).filter_map(|day| self.on(day))
    }

    fn on(&self, day: Date) -> Option<Timestamp> {
        let is_due = self.weekday.is_none_or(|weekday| weekday == day.weekday());
        is_due.then(|| self.zone.to_timestamp(DateTime::from_parts(day, self.time)).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rome(weekday: Option<Weekday>, time: &str) -> Schedule {
        let time = Time::strptime("%H:%M", time).unwrap();
        Schedule { weekday, time, zone: TimeZone::get("Europe/Rome").unwrap() }
    }

    fn at(written: &str) -> Timestamp {
        written.parse().unwrap()
    }

    #[test]
    fn a_week_and_a_day_begin_at_their_time_and_not_a_second_before() {
        let monday = rome(Some(Weekday::Monday), "09:00");
        for (now, last, next) in [
            ("2026-11-23T08:59:59+01:00", "2026-11-16T09:00:00+01:00", "2026-11-23T09:00:00+01:00"),
            ("2026-11-23T09:00:00+01:00", "2026-11-23T09:00:00+01:00", "2026-11-30T09:00:00+01:00"),
            ("2026-12-31T12:00:00+01:00", "2026-12-28T09:00:00+01:00", "2027-01-04T09:00:00+01:00"),
        ] {
            let found = (monday.last(at(now)), monday.next(at(now)));
            assert_eq!(found, (Some(at(last)), Some(at(next))), "{now}");
        }
        let daily = rome(None, "00:00");
        assert_eq!(daily.last(at("2026-12-31T22:59:59Z")), Some(at("2026-12-30T23:00:00Z")));
        assert_eq!(daily.next(at("2026-12-31T22:59:59Z")), Some(at("2026-12-31T23:00:00Z")));
    }

    #[test]
    fn in_the_nights_of_the_clocks_change_it_comes_once() {
        let nightly = rome(None, "02:30");
        // Skipped: as much later.
        assert_eq!(nightly.next(at("2026-03-28T12:00:00Z")), Some(at("2026-03-29T03:30:00+02:00")));
        // Twice: the first.
        let first = at("2026-10-25T02:30:00+02:00");
        assert_eq!(nightly.next(at("2026-10-24T12:00:00Z")), Some(first));
        assert_eq!(nightly.next(first), Some(at("2026-10-26T02:30:00+01:00")));
        assert_eq!(nightly.last(at("2026-10-25T02:30:00+01:00")), Some(first));
        // A week has 169 hours then.
        let weekly = rome(Some(Weekday::Monday), "09:00");
        let before = at("2026-10-19T09:00:00+02:00");
        assert_eq!(weekly.next(before).unwrap().duration_since(before).as_hours(), 169);
    }
}
