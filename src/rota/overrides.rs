//! What is otherwise on some days, as people write it into a file of its own.
//!
//! ```text
//! # Christmas: Bruno takes Anna's days
//! 2026-12-24 18:00 .. 2026-12-27 09:00  bruno
//! 2026-12-31 .. 2027-01-01              carla, anna
//! ```
//! One line each; `#` begins a comment. A day without a time is the whole day, also as the end. Where two lines want
//! the same time, the later line counts.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::instant;

/// Most overrides of one rota.
pub const MAX_OVERRIDES: usize = 10_000;
/// Most characters of a word that a message repeats.
const SHOWN_CHARACTERS: usize = 40;

/// What is otherwise between two times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// From when.
    from: (Date, Time),
    /// Until when, itself excluded.
    to: (Date, Time),
    /// Who is on call then; at least one name.
    pub who: Vec<String>,
    /// Its line in the file, from 1.
    pub line: usize,
}

/// All overrides of a rota, in the order written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(Vec<Override>);

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct OverrideError {
    /// Its number, from 1.
    pub line: usize,
    /// Where in it, in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to write.
    pub what: String,
}

impl Overrides {
    /// Reads a file.
    ///
    /// # Errors
    /// Every line that cannot be read.
    pub fn read(text: &str) -> Result<Self, Vec<OverrideError>> {
        let (mut all, mut wrong) = (Vec::new(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let line_number = number + 1;
            let mut line =
                Line { text: line.split('#').next().unwrap_or_default(), at: 0, number: line_number };
            if line.rest().trim().is_empty() {
                continue;
            }
            if all.len() == MAX_OVERRIDES {
                wrong.push(
                    line.fault(0, format!("there are more than {MAX_OVERRIDES} overrides; remove old ones")),
                );
                break;
            }
            match line.read() {
                Ok(one) => all.push(one),
                Err(error) => wrong.push(error),
            }
        }
        if wrong.is_empty() { Ok(Self(all)) } else { Err(wrong) }
    }

    /// The one that holds at `at`, and until when it does.
    pub(super) fn at(&self, at: Timestamp, zone: &TimeZone) -> Option<(&Override, Timestamp)> {
        let place =
            self.0.iter().rposition(|one| one.lasts(zone).is_some_and(|(from, to)| from <= at && at < to))?;
        let found = &self.0[place];
        let (_, end) = found.lasts(zone)?;
        // A later line may begin before it ends.
        let later = self.0[place + 1..].iter().filter_map(|one| one.lasts(zone));
        let next = later.filter(|(from, to)| from < to).map(|(from, _)| from).filter(|from| *from > at).min();
        Some((found, next.map_or(end, |next| next.min(end))))
    }

    /// When the next one begins after `at`.
    pub(super) fn next_begin(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let begins = self.0.iter().filter_map(|one| one.lasts(zone)).filter(|(from, to)| from < to);
        begins.map(|(from, _)| from).filter(|from| *from > at).min()
    }

    /// Every name, in the order written.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter().flat_map(|one| &one.who)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first `count` of them.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        Self(self.0.iter().take(count).cloned().collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.0.iter()
    }
}

impl Override {
    fn lasts(&self, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        Some((instant(self.from.0, self.from.1, zone)?, instant(self.to.0, self.to.1, zone)?))
    }
}

/// A line being read.
struct Line<'a> {
    text: &'a str,
    /// Octets that have been read.
    at: usize,
    number: usize,
}

/// Which end of an override a time is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    From,
    To,
}

impl<'a> Line<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault(&self, at: usize, what: String) -> OverrideError {
        let column = self.text[..at].chars().count() + 1;
        OverrideError { line: self.number, column, what }
    }

    /// The next word and where it begins; nothing of it has been read then.
    fn peek(&self) -> (usize, &'a str) {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        let begin = self.at + (rest.len() - trimmed.len());
        (begin, trimmed.split_whitespace().next().unwrap_or_default())
    }

    fn word(&mut self) -> (usize, &'a str) {
        let (begin, word) = self.peek();
        self.at = begin + word.len();
        (begin, word)
    }

    fn read(&mut self) -> Result<Override, OverrideError> {
        let begin = self.peek().0;
        let from = self.time(End::From)?;
        let (at, dots) = self.word();
        if dots != ".." {
            return Err(
                self.fault(at, format!("`..` and the end are missing, and there is `{}`", shown(dots)))
            );
        }
        let to = self.time(End::To)?;
        if to <= from {
            return Err(
                self.fault(begin, "it ends before it begins; write the earlier time first".to_owned())
            );
        }
        let who: Vec<String> = self
            .rest()
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if who.is_empty() {
            let what = "nobody is named; write an alias, a number or a rota behind the times".to_owned();
            return Err(self.fault(self.text.trim_end().len(), what));
        }
        Ok(Override { from, to, who, line: self.number })
    }

    /// A day with or without a time of day.
    fn time(&mut self, end: End) -> Result<(Date, Time), OverrideError> {
        let (at, written) = self.word();
        let date = day(written).ok_or_else(|| {
            let shown = shown(written);
            // With a time it would become the whole day.
            let what = match written.parse::<Date>() {
                Ok(_) => format!("`{shown}` is no day alone; write the time apart, like 2026-12-24 18:00"),
                Err(_) => format!("`{shown}` is not a day; write it like 2026-12-24"),
            };
            self.fault(at, what)
        })?;
        let (at, written) = self.peek();
        if !written.contains(':') {
            return match end {
                End::From => Ok((date, Time::midnight())),
                End::To => date
                    .tomorrow()
                    .map(|next| (next, Time::midnight()))
                    .map_err(|_| self.fault(at, "the calendar ends before; write an earlier day".to_owned())),
            };
        }
        self.word();
        let time = Time::strptime("%H:%M", written).map_err(|_| {
            self.fault(at, format!("`{}` is not a time of day; write it like 18:00", shown(written)))
        })?;
        Ok((date, time))
    }
}

/// A day as people write it, `2026-12-24`; nothing with a time of day, a zone or whatever else is no day.
pub fn day(written: &str) -> Option<Date> {
    written.parse().ok().filter(|day: &Date| day.to_string() == written)
}

fn shown(word: &str) -> String {
    let mut start: String = word.chars().take(SHOWN_CHARACTERS).collect();
    if start.len() < word.len() {
        start.push('…');
    }
    start.escape_debug().to_string()
}
