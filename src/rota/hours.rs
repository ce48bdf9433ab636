//! Hours of some days of the week, and when none of them are.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Days, instant};
use crate::model::QuietSpan;

/// What repeats by the week has ended by then if it ever does.
const FAR: SignedDuration = SignedDuration::from_hours(9 * 24);

/// Between two times on some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The days on which they begin.
    pub days: Days,
    /// When they begin.
    pub from: Time,
    /// When they end: the next such time, so that one that is the same as `from` makes it a whole day.
    pub to: Time,
}

/// The same by the clock of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonedHours {
    /// When.
    pub hours: Hours,
    /// Whose clock shows it.
    pub zone: TimeZone,
}

impl Hours {
    /// From when to when those last that begin on `day`, whatever day of the week it is.
    pub(super) fn beginning_on(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let last = if self.to > self.from { day } else { day.tomorrow().ok()? };
        Some((instant(day, self.from, zone)?, instant(last, self.to, zone)?))
    }

    /// When those end that `at` is in, by the clocks of `zone`; `None` where it is in none. The end itself is not in them,
    /// but may be in the next ones.
    pub fn end(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = at.to_zoned(zone.clone()).date();
        let days = [today.yesterday().ok(), Some(today)];
        let on = days.into_iter().flatten().filter(|day| self.days.contains(day.weekday()));
        let lasts = on.filter_map(|day| self.beginning_on(day, zone));
        lasts.filter(|(from, to)| *from <= at && at < *to).map(|(_, to)| to).max()
    }
}

impl ZonedHours {
    /// The same as data. The zone of the machine is told by its name where it has one.
    pub fn to_span(&self) -> QuietSpan {
        let Self { hours: Hours { days, from, to }, zone } = self;
        QuietSpan { days: days.bits(), from: *from, to: *to, zone: zone.iana_name().map(str::to_owned) }
    }

    /// What was written as data; `None` where no zone is known by its name (any more).
    pub fn of_span(span: &QuietSpan) -> Option<Self> {
        let zone = match &span.zone {
            Some(name) => TimeZone::get(name).ok()?,
            None => TimeZone::system(),
        };
        let hours = Hours { days: Days::of_bits(span.days), from: span.from, to: span.to };
        Some(Self { hours, zone })
    }
}

/// When what would be due at `at` may be: then, or where all of `spans` that hold it have ended. One whose zone is
/// not known is none, and `unknown` is told of it; neither do those count that never end.
pub fn awake_from(spans: &[QuietSpan], at: Timestamp, mut unknown: impl FnMut(&QuietSpan)) -> Timestamp {
    let mut hours = Vec::with_capacity(spans.len());
    for span in spans {
        match ZonedHours::of_span(span) {
            Some(known) => hours.push(known),
            None => unknown(span),
        }
    }
    first_outside(&hours, at).unwrap_or(at)
}

/// The first moment from `at` on that is in none of these hours: `at` itself, or an end of some of them. `None` where there
/// is none within nine days, and so never.
pub fn first_outside(all: &[ZonedHours], at: Timestamp) -> Option<Timestamp> {
    let last = at.checked_add(FAR).ok()?;
    let mut time = at;
    // Each step goes to an end that is later, and there are few in nine days.
    while let Some(end) = all.iter().filter_map(|one| one.hours.end(time, &one.zone)).max() {
        if end > last {
            return None;
        }
        time = end;
    }
    Some(time)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, time};
    use proptest::prelude::*;

    use super::*;

    fn hours(days: Days, from: (i8, i8), to: (i8, i8)) -> ZonedHours {
        zoned("Europe/Rome", days, from, to)
    }

    fn zoned(zone: &str, days: Days, from: (i8, i8), to: (i8, i8)) -> ZonedHours {
        let hours = Hours { days, from: time(from.0, from.1, 0, 0), to: time(to.0, to.1, 0, 0) };
        ZonedHours { hours, zone: TimeZone::get(zone).unwrap() }
    }

    fn night() -> ZonedHours {
        hours(Days::ALL, (22, 0), (7, 0))
    }

    /// When somebody with these hours can be reached, as the clocks of Rome show it.
    fn reached(all: &[ZonedHours], at: &str) -> String {
        let zone = TimeZone::get("Europe/Rome").unwrap();
        let found = first_outside(all, at.parse().unwrap());
        found.map_or("never".to_owned(), |at| at.to_zoned(zone).strftime("%FT%T%:z").to_string())
    }

    #[test]
    fn a_night_holds_from_its_begin_and_not_at_its_end() {
        let all = [night()];
        for (at, expected) in [
            ("2026-11-20T21:59:59.999+01:00", "2026-11-20T21:59:59+01:00"),
            ("2026-11-20T22:00:00+01:00", "2026-11-21T07:00:00+01:00"),
            ("2026-11-21T06:59:59.999+01:00", "2026-11-21T07:00:00+01:00"),
            ("2026-11-21T07:00:00+01:00", "2026-11-21T07:00:00+01:00"),
            ("2026-12-31T23:30:00+01:00", "2027-01-01T07:00:00+01:00"),
        ] {
            assert_eq!(reached(&all, at), expected, "{at}");
        }
        assert_eq!(reached(&[], "2026-11-20T23:00:00+01:00"), "2026-11-20T23:00:00+01:00");
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let all = [hours(Days::of([Weekday::Friday]), (22, 0), (7, 0))];
        // 2026-11-20 is a Friday.
        assert_eq!(reached(&all, "2026-11-21T03:00:00+01:00"), "2026-11-21T07:00:00+01:00");
        assert_eq!(reached(&all, "2026-11-20T03:00:00+01:00"), "2026-11-20T03:00:00+01:00");
        assert_eq!(reached(&all, "2026-11-21T22:30:00+01:00"), "2026-11-21T22:30:00+01:00");
    }

    #[test]
    fn on_both_nights_on_which_the_clocks_change_they_end_by_the_clock() {
        let all = [night()];
        // 8 hours and 10 hours.
        assert_eq!(reached(&all, "2026-03-28T22:00:00+01:00"), "2026-03-29T07:00:00+02:00");
        assert_eq!(reached(&all, "2026-10-24T22:00:00+02:00"), "2026-10-25T07:00:00+01:00");
        // An end that is skipped is so much later, and of one that comes twice the first counts.
        let early = [hours(Days::ALL, (22, 0), (2, 30))];
        assert_eq!(reached(&early, "2026-03-28T23:00:00+01:00"), "2026-03-29T03:30:00+02:00");
        assert_eq!(reached(&early, "2026-10-24T23:00:00+02:00"), "2026-10-25T02:30:00+02:00");
        assert_eq!(reached(&early, "2026-10-25T02:30:00+01:00"), "2026-10-25T02:30:00+01:00");
    }

    #[test]
    fn several_add_up() {
        let weekend = hours(Days::of([Weekday::Saturday, Weekday::Sunday]), (0, 0), (0, 0));
        let meal = hours(Days::ALL, (7, 0), (7, 30));
        let all = [night(), weekend, meal];
        // From Friday night to the end of the meal on Monday.
        assert_eq!(reached(&all, "2026-11-20T22:00:00+01:00"), "2026-11-23T07:30:00+01:00");
        let abroad = [night(), zoned("America/New_York", Days::ALL, (1, 0), (2, 0))];
        assert_eq!(reached(&abroad, "2026-11-20T22:00:00+01:00"), "2026-11-21T08:00:00+01:00");
    }

    #[test]
    fn what_leaves_no_moment_never_ends() {
        let day = hours(Days::ALL, (7, 0), (22, 0));
        assert_eq!(reached(&[night(), day.clone()], "2026-11-20T22:00:00+01:00"), "never");
        assert_eq!(reached(&[hours(Days::ALL, (5, 0), (5, 0))], "2026-11-20T22:00:00+01:00"), "never");
        let minute_free = hours(Days::ALL, (7, 1), (22, 0));
        assert_eq!(
            reached(&[night(), minute_free], "2026-11-20T22:00:00+01:00"),
            "2026-11-21T07:00:00+01:00"
        );
        let but_sunday = Days::span(Weekday::Monday, Weekday::Saturday);
        assert_eq!(
            reached(&[hours(but_sunday, (0, 0), (0, 0))], "2026-11-23T00:00:00+01:00"),
            "2026-11-29T00:00:00+01:00"
        );
    }

    #[test]
    fn hours_are_the_same_as_data() {
        let some = Days::of([Weekday::Monday, Weekday::Thursday, Weekday::Sunday]);
        let days =
            [Days::ALL, Days::default(), some, Days::of([Weekday::Sunday]), Days::of([Weekday::Monday])];
        assert_eq!(days.map(Days::bits), [0b111_1111, 0, 0b100_1001, 0b100_0000, 1]);
        for days in days {
            let written = hours(days, (22, 0), (7, 30));
            let span = written.to_span();
            assert_eq!(ZonedHours::of_span(&span).unwrap(), written);
            let json = serde_json::to_string(&span).unwrap();
            assert_eq!(serde_json::from_str::<QuietSpan>(&json).unwrap(), span);
        }
        let system = ZonedHours { zone: TimeZone::system(), ..night() };
        assert_eq!(ZonedHours::of_span(&system.to_span()).unwrap().hours, night().hours);
        assert_eq!(
            ZonedHours::of_span(&QuietSpan { zone: None, ..night().to_span() }).unwrap().hours,
            night().hours
        );
    }

    #[test]
    fn a_zone_that_is_not_known_any_more_holds_nothing_back() {
        let at = "2026-11-20T23:00:00+01:00".parse().unwrap();
        let morning: Timestamp = "2026-11-21T07:00:00+01:00".parse().unwrap();
        let lost = QuietSpan { zone: Some("Mars/Olympus".to_owned()), ..night().to_span() };
        let awake = |spans: &[QuietSpan]| {
            let mut unknown = 0;
            (awake_from(spans, at, |_| unknown += 1), unknown)
        };
        assert_eq!(awake(&[night().to_span()]), (morning, 0));
        assert_eq!(awake(std::slice::from_ref(&lost)), (at, 1));
        assert_eq!(awake(&[lost, night().to_span()]), (morning, 1));
        let always = hours(Days::ALL, (5, 0), (5, 0)).to_span();
        assert_eq!(awake(&[always]), (at, 0), "what would be held for ever goes");
        assert_eq!(awake(&[]), (at, 0));
    }

    proptest! {
        /// Whoever is reached at a time is in no hours then, and at no moment before it.
        #[test]
        fn whoever_is_reached_is_awake_and_slept_until_then(
            seconds in 1_767_225_600_i64..1_830_000_000,
            from in 0..24_i8,
            to in 0..24_i8,
            part in 0..1000_i64,
        ) {
            let all = [night(), hours(Days::span(Weekday::Friday, Weekday::Sunday), (from, 0), (to, 30))];
            let at = Timestamp::from_second(seconds).unwrap();
            let found = first_outside(&all, at).unwrap();
            let is_quiet = |at| all.iter().any(|one| one.hours.end(at, &one.zone).is_some());
            prop_assert!(!is_quiet(found));
            let wait = found.as_second() - seconds;
            prop_assert!(wait == 0 || is_quiet(Timestamp::from_second(seconds + wait * part / 1000).unwrap()));
        }
    }
}
