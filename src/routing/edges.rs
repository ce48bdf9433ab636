//! The times at which rules begin or cease to hold, so that all there ever is can be looked at, whatever the hour.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::conditions::Conditions;
use super::moment::Dates;

/// Most dates of one clock that are looked at beside those of a week.
const MOST_DATES: usize = 64;
/// Most times that are looked at.
const MOST_TIMES: usize = 5000;

/// The times at which what rules ask for changes.
#[derive(Clone, Debug, Default)]
pub struct Edges(Vec<Clock>);

/// Those by one clock.
#[derive(Clone, Debug)]
struct Clock {
    zone: TimeZone,
    /// Minutes of the day; midnight always.
    minutes: BTreeSet<usize>,
    dates: Vec<Dates>,
}

impl Edges {
    /// Of everything that these ask for.
    pub fn of<'a>(conditions: impl IntoIterator<Item = &'a Conditions>) -> Self {
        let mut clocks: Vec<Clock> = Vec::new();
        let mut open: Vec<&Conditions> = conditions.into_iter().collect();
        while let Some(one) = open.pop() {
            open.extend(one.inner().flat_map(|(_, list)| list));
            let Some(moment) = one.moment.as_deref() else { continue };
            let known = clocks.iter().position(|clock| clock.zone == moment.zone);
            let place = known.unwrap_or_else(|| {
                let zone = moment.zone.clone();
                clocks.push(Clock { zone, minutes: BTreeSet::from([0]), dates: Vec::new() });
                clocks.len() - 1
            });
            clocks[place].minutes.extend(moment.times.iter().flat_map(|times| times.edges()));
            clocks[place].dates.extend(moment.dates.clone());
        }
        Self(clocks)
    }

    /// Those of the week that begins with the day of `now`, Mondays first, and those on dates behind it, with the words for
    /// each, like `Mon at 22:00 (Europe/Rome)`. Nothing where time means nothing.
    pub fn around(&self, now: Timestamp) -> Vec<(Timestamp, String)> {
        let of_clock = self.0.iter().flat_map(|clock| {
            let today = now.to_zoned(clock.zone.clone()).date();
            let mut week: Vec<Date> =
                (0..7).filter_map(|ahead| today.checked_add(Span::new().days(ahead)).ok()).collect();
            week.sort_by_key(|day| day.weekday().to_monday_zero_offset());
            let years = [today.year(), today.year().saturating_add(1)];
            let dates: BTreeSet<Date> = clock
                .dates
                .iter()
                .flat_map(|dates| years.into_iter().flat_map(|year| dates.edges(year)))
                .filter(|day| *day > today)
                .collect();
            let week = week.into_iter().map(|day| (day, "%a at %H:%M"));
            let dates = dates.into_iter().take(MOST_DATES).map(|day| (day, "%a %Y-%m-%d at %H:%M"));
            week.chain(dates).flat_map(move |(day, form)| {
                clock.minutes.iter().filter_map(move |minute| clock.at(day, *minute, form))
            })
        });
        of_clock.take(MOST_TIMES).collect()
    }
}

impl Clock {
    fn at(&self, day: Date, minute: usize, form: &str) -> Option<(Timestamp, String)> {
        let hour_and_minute = i8::try_from(minute / 60).ok().zip(i8::try_from(minute % 60).ok());
        let (hour, minute) = hour_and_minute?;
        let at = day.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
        let zone = self.zone.iana_name().map(|name| format!(" ({name})")).unwrap_or_default();
        Some((self.zone.to_timestamp(at).ok()?, format!("{}{zone}", at.strftime(form))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Moment, Span as Days, Times};
    use super::*;

    fn moment(zone: &str, times: Option<(usize, usize)>, dates: Vec<Days>) -> Conditions {
        let moment = Moment {
            zone: TimeZone::get(zone).unwrap(),
            times: times.map(|(from, to)| Times::between(from * 60, to * 60).unwrap()),
            weekdays: None,
            dates: Dates::new(dates),
        };
        Conditions { moment: Some(Box::new(moment)), ..Conditions::default() }
    }

    #[test]
    fn a_week_is_looked_at_from_monday_on_by_every_clock() {
        let inner = moment("Asia/Tokyo", None, vec![]);
        let rules = [
            Conditions { not: Some(vec![inner]), ..Conditions::default() },
            moment("Europe/Rome", Some((22, 7)), vec![]),
        ];
        // A Sunday.
        let around = Edges::of(&rules).around("2026-11-22T12:00:00Z".parse().unwrap());
        assert_eq!(around.len(), 7 * (1 + 3));
        let said: Vec<&str> = around.iter().map(|(_, said)| said.as_str()).collect();
        assert_eq!(
            said[..4],
            [
                "Mon at 00:00 (Europe/Rome)",
                "Mon at 07:00 (Europe/Rome)",
                "Mon at 22:00 (Europe/Rome)",
                "Tue at 00:00 (Europe/Rome)"
            ]
        );
        assert_eq!(around[2].0, "2026-11-23T22:00:00+01:00".parse().unwrap());
        assert_eq!(said[21], "Mon at 00:00 (Asia/Tokyo)");
        assert_eq!(Edges::of([&Conditions::default()]).around(Timestamp::UNIX_EPOCH), []);
    }

    #[test]
    fn dates_are_looked_at_beside_the_week() {
        let christmas = Days::yearly((12, 24), (1, 6)).unwrap();
        let party = Days::once("2026-12-12".parse().unwrap(), "2026-12-12".parse().unwrap()).unwrap();
        let gone = Days::once("2026-11-01".parse().unwrap(), "2026-11-02".parse().unwrap()).unwrap();
        let rule = moment("Europe/Rome", None, vec![christmas, party, gone]);
        let around = Edges::of([&rule]).around("2026-11-22T12:00:00Z".parse().unwrap());
        let said: Vec<&str> = around[7..].iter().map(|(_, said)| &said[..14]).collect();
        assert_eq!(
            said,
            ["Sat 2026-12-12", "Sun 2026-12-13", "Thu 2026-12-24", "Thu 2027-01-07", "Fri 2027-12-24"]
        );
    }
}
