//! Times that a rule asks for: hours of the day, days of the week, dates, by the clock and calendar of one time zone.
//!
//! What counts is what a clock on the wall shows. In the night in which an hour comes twice, a time within it holds
//! twice; in the one in which an hour is skipped, a time within it does not come. Each of the three is about the moment itself:
//! at three in the morning after a Friday it is Saturday.

use std::fmt;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::rota::Days;

/// Minutes of a day.
const MINUTES: usize = 24 * 60;
/// Words of 64 minutes that hold a day's.
const WORDS: usize = MINUTES.div_ceil(64);

/// The days of a week.
pub(super) const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// When a rule holds: all that are given must.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Whose clock and calendar.
    pub zone: TimeZone,
    /// Times of the day.
    pub times: Option<Times>,
    /// Days of the week; at least one.
    pub weekdays: Option<Days>,
    /// Dates.
    pub dates: Option<Dates>,
}

/// Times of the day, by the minute; at least one of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Times([u64; WORDS]);

impl Times {
    /// From one minute of the day (0 to 1439) to another (1 to 1440), which is no part of it, over midnight where it is the
    /// earlier one. `None` where they are the same, or beyond the day.
    pub fn between(from: usize, to: usize) -> Option<Self> {
        if from >= MINUTES || to > MINUTES || from == to {
            return None;
        }
        let mut times = Self([0; WORDS]);
        let mut minute = from;
        while minute != to % MINUTES || times.0 == [0; WORDS] {
            times.0[minute / 64] |= 1 << (minute % 64);
            minute = (minute + 1) % MINUTES;
        }
        Some(times)
    }

    /// The times of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(mine, others)| *mine |= others);
        self
    }

    /// Whether the clock shows one of them.
    pub fn contains(&self, at: DateTime) -> bool {
        let minute = usize::try_from(at.hour()).unwrap_or_default() * 60
            + usize::try_from(at.minute()).unwrap_or_default();
        self.0[minute / 64] & (1 << (minute % 64)) != 0
    }

    /// The times that are in both; `None` where there is none.
    pub(super) fn common(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        both.0.iter_mut().zip(other.0).for_each(|(mine, others)| *mine &= others);
        (both.0 != [0; WORDS]).then_some(both)
    }

    /// Whether each of them is one of `others`.
    pub(super) fn are_among(&self, others: &Self) -> bool {
        self.0.iter().zip(others.0).all(|(mine, others)| mine & !others == 0)
    }

    /// The minutes of the day with which they begin or have ended.
    pub(super) fn edges(&self) -> impl Iterator<Item = usize> {
        (0..MINUTES).filter(|&minute| self.has(minute) != self.has((minute + MINUTES - 1) % MINUTES))
    }

    fn has(&self, minute: usize) -> bool {
        self.0[minute / 64] & (1 << (minute % 64)) != 0
    }
}

/// As they are written, in order: `07:00-12:30, 22:00-06:00`.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = |minute: usize| self.has((minute + MINUTES - 1) % MINUTES);
        let begins: Vec<usize> = (0..MINUTES).filter(|&minute| self.has(minute) && !before(minute)).collect();
        if begins.is_empty() {
            return f.write_str("00:00-24:00");
        }
        for (n, from) in begins.into_iter().enumerate() {
            let length = (0..MINUTES).take_while(|after| self.has((from + after) % MINUTES)).count();
            let to = match (from + length) % MINUTES {
                0 => MINUTES,
                to => to,
            };
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Dates; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dates(Vec<Span>);

/// Days of the calendar, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Once: from a day to another that is not earlier.
    Once(Once),
    /// Every year: from a day to another, over the end of the year where that is the earlier one.
    Yearly(Yearly),
}

/// From a day to another that is not earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    first: Date,
    last: Date,
}

/// From a day of the year to another: month and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yearly {
    first: (i8, i8),
    last: (i8, i8),
}

impl Span {
    /// From a day to another; `None` where that is the earlier one.
    pub fn once(first: Date, last: Date) -> Option<Self> {
        (first <= last).then_some(Self::Once(Once { first, last }))
    }

    /// From a month and day to another of every year; `None` where there is no such day in any year.
    pub fn yearly(first: (i8, i8), last: (i8, i8)) -> Option<Self> {
        // A leap year, since 29 February is a day of some years.
        let is_day = |(month, day): (i8, i8)| Date::new(2000, month, day).is_ok();
        (is_day(first) && is_day(last)).then_some(Self::Yearly(Yearly { first, last }))
    }

    /// Whether the day is one of them.
    pub fn contains(self, day: Date) -> bool {
        match self {
            Self::Once(Once { first, last }) => first <= day && day <= last,
            Self::Yearly(Yearly { first, last }) => {
                let day = (day.month(), day.day());
                match first <= last {
                    true => first <= day && day <= last,
                    false => first <= day || day <= last,
                }
            }
        }
    }

    /// Whether each of its days is surely one of `other`.
    fn is_in(self, other: Self) -> bool {
        match (self, other) {
            (Self::Once(one), Self::Once(other)) => other.first <= one.first && one.last <= other.last,
            (Self::Once(one), Self::Yearly(_)) => {
                // A longer one has the whole year in it.
                let mut days = one.first.series(jiff::Span::new().days(1)).take_while(|day| *day <= one.last);
                days.by_ref().take(366).all(|day| other.contains(day)) && days.next().is_none()
            }
            (Self::Yearly(one), Self::Yearly(other)) => one == other,
            (Self::Yearly(_), Self::Once(_)) => false,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(Once { first, last }) if first == last => write!(f, "{first}"),
            Self::Once(Once { first, last }) => write!(f, "{first}..{last}"),
            Self::Yearly(Yearly { first, last }) => {
                write!(f, "{:02}-{:02}", first.0, first.1)?;
                if first != last { write!(f, "..{:02}-{:02}", last.0, last.1) } else { Ok(()) }
            }
        }
    }
}

impl Dates {
    /// `None` where there is none.
    pub fn new(all: Vec<Span>) -> Option<Self> {
        (!all.is_empty()).then_some(Self(all))
    }

    /// Whether the day is one of them.
    pub fn contains(&self, day: Date) -> bool {
        self.0.iter().any(|span| span.contains(day))
    }

    /// The days with which they begin or have ended; of those of every year the ones of `year`.
    pub(super) fn edges(&self, year: i16) -> impl Iterator<Item = Date> {
        let of_year = move |(month, day): (i8, i8)| Date::new(year, month, day).ok();
        let ends = self.0.iter().flat_map(move |span| match *span {
            Span::Once(Once { first, last }) => [Some(first), last.tomorrow().ok()],
            Span::Yearly(Yearly { first, last }) => {
                [of_year(first), of_year(last).and_then(|last| last.tomorrow().ok())]
            }
        });
        ends.flatten()
    }

    /// Whether each of them is surely one of `others`.
    pub(super) fn are_among(&self, others: &Self) -> bool {
        self.0.iter().all(|one| others.0.iter().any(|other| one.is_in(*other)))
    }

    /// Whether both surely have no day in common.
    pub(super) fn exclude(&self, others: &Self) -> bool {
        let apart = |one: &Span, other: &Span| match (one, other) {
            (Span::Once(one), Span::Once(other)) => one.last < other.first || other.last < one.first,
            (Span::Yearly(_), Span::Yearly(_)) => {
                // A leap year has every day.
                let mut year = jiff::civil::date(2000, 1, 1).series(jiff::Span::new().days(1)).take(366);
                year.all(|day| !(one.contains(day) && other.contains(day)))
            }
            (Span::Once(_), Span::Yearly(_)) | (Span::Yearly(_), Span::Once(_)) => false,
        };
        self.0.iter().all(|one| others.0.iter().all(|other| apart(one, other)))
    }

    /// Whether surely none of them falls on one of these days of the week.
    pub(super) fn exclude_weekdays(&self, days: Days) -> bool {
        self.0.iter().all(|span| match span {
            // A week has them all.
            Span::Once(Once { first, last }) => {
                let mut series =
                    first.series(jiff::Span::new().days(1)).take_while(|day| day <= last).take(7);
                series.all(|day| !days.contains(day.weekday()))
            }
            Span::Yearly(_) => false,
        })
    }
}

impl fmt::Display for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, span) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{span}")?;
        }
        Ok(())
    }
}

/// Days of the week as they are written: `Mon, Tue`.
pub(super) fn days_words(days: Days) -> String {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let on = names.into_iter().zip(WEEK).filter(|(_, day)| days.contains(*day)).map(|(name, _)| name);
    on.collect::<Vec<_>>().join(", ")
}
