//! The same every week: who is on call on which days between which times.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::{Because, Hours, OnCall, instant};

/// How many days ahead somebody else is looked for: a whole week and what reaches into the next day.
const DAYS_AHEAD: usize = 9;

/// Days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days([bool; 7]);

/// Who is on call between two times on some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The days on which it begins.
    pub days: Days,
    /// When it begins.
    pub from: Time,
    /// When it ends: the next such time, so that one that is the same as `from` makes it a whole day.
    pub to: Time,
    /// Who is on call; at least one name.
    pub who: Vec<String>,
}

/// An ordinary week of shifts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shifts {
    /// Where several are on at a time, the first of them counts.
    pub list: Vec<Shift>,
    /// Who is there where none is on; nobody where it is empty.
    pub otherwise: Vec<String>,
}

impl Days {
    /// Every day.
    pub const ALL: Self = Self([true; 7]);

    /// These days.
    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Self {
        let mut all = Self::default();
        for day in days {
            all.0[place(day)] = true;
        }
        all
    }

    /// From one day to another, both included, over the end of the week where needed.
    pub fn span(from: Weekday, to: Weekday) -> Self {
        let mut days = vec![from];
        while let Some(last) = days.last().copied().filter(|last| *last != to) {
            days.push(last.next());
        }
        Self::of(days)
    }

    /// The days of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut both = self;
        for (mine, others) in both.0.iter_mut().zip(other.0) {
            *mine |= others;
        }
        both
    }

    /// Those whose bits are set: bit 0 stands for Monday, bit 6 for Sunday.
    pub fn of_bits(bits: u8) -> Self {
        Self(std::array::from_fn(|place| bits & (1 << place) != 0))
    }

    /// The bits that [`of_bits`](Self::of_bits) takes.
    pub fn bits(self) -> u8 {
        self.0.iter().rev().fold(0, |bits, &is_in| bits << 1 | u8::from(is_in))
    }

    /// Whether the day is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0[place(day)]
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

fn place(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()
}

impl Shift {
    fn hours(&self) -> Hours {
        Hours { days: self.days, from: self.from, to: self.to }
    }

    /// From when to when it lasts where it begins on `day`.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        self.hours().beginning_on(day, zone)
    }

    /// Whether it is on at `at`.
    fn is_on(&self, at: Timestamp, zone: &TimeZone) -> bool {
        self.hours().end(at, zone).is_some()
    }
}

impl Shifts {
    /// Who is on call at `at`.
    pub(super) fn on_call(&self, at: Timestamp, zone: &TimeZone) -> OnCall<'_> {
        let (who, because) = self.decide(at, zone);
        let until = self.borders(at, zone).into_iter().find(|border| self.decide(*border, zone).0 != who);
        OnCall { who, because, until }
    }

    fn decide(&self, at: Timestamp, zone: &TimeZone) -> (&[String], Because) {
        let on = self.list.iter().enumerate().find(|(_, shift)| shift.is_on(at, zone));
        match on {
            Some((place, shift)) => (&shift.who, Because::Shift(place)),
            None => (&self.otherwise, Because::Otherwise),
        }
    }

    /// The next times after `at` at which a shift begins or ends, in order.
    fn borders(&self, at: Timestamp, zone: &TimeZone) -> Vec<Timestamp> {
        let today = at.to_zoned(zone.clone()).date();
        let yesterday = today.yesterday().unwrap_or(today);
        let mut borders: Vec<Timestamp> = yesterday
            .series(jiff::Span::new().days(1))
            .take(DAYS_AHEAD + 1)
            .flat_map(|day| {
                let begins = self.list.iter().filter(move |shift| shift.days.contains(day.weekday()));
                begins.filter_map(move |shift| shift.on(day, zone))
            })
            .flat_map(|(from, to)| [from, to])
            .filter(|border| *border > at)
            .collect();
        borders.sort_unstable();
        borders.dedup();
        borders
    }

    /// Whether there is a time in an ordinary week at which none is on. Where shifts follow each other by the clock they do so
    /// on every night, so that the week is looked at as the clock shows it.
    pub(super) fn has_gap(&self) -> bool {
        // A week without a change of the clocks in UTC, which has none.
        let monday = jiff::civil::date(2001, 1, 1);
        let Some(begin) = instant(monday, Time::midnight(), &TimeZone::UTC) else { return true };
        let mut times = self.borders(begin, &TimeZone::UTC);
        times.push(begin);
        times.into_iter().any(|time| self.decide(time, &TimeZone::UTC).1 == Because::Otherwise)
    }

    /// Every name, in the order written.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.list.iter().flat_map(|shift| &shift.who).chain(&self.otherwise)
    }
}
