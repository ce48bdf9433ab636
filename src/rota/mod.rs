//! Who is on call when: weekly shifts or turns of a week, with dated overrides.
//!
//! A [`Rota`] is a name for people that depends on the time. Times are those of a wall clock in its time zone; where a
//! shift begins or ends is an instant, so that the night on which an hour comes twice gives nobody's phone back for
//! an hour, and one that is skipped leaves no gap. A time that the clock skips is as much later as is skipped, and
//! one that comes twice is the first of both (RFC 5545 section 3.3.5).
//!
//! What the names stand for, numbers, aliases or other rotas, is not known here; neither is the time it is.

mod hours;
mod overrides;
mod shifts;
mod turns;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

pub use hours::{Hours, ZonedHours, awake_from, first_outside};
pub use overrides::{MAX_OVERRIDES, Override, OverrideError, Overrides, day};
pub use shifts::{Days, Shift, Shifts};
pub use turns::Turns;

/// A rota.
#[derive(Clone, Debug)]
pub struct Rota {
    /// Whose clock its times are.
    pub zone: TimeZone,
    /// Who is on call in an ordinary week.
    pub plan: Plan,
    /// What is otherwise on some days; they go before the plan.
    pub overrides: Overrides,
}

/// An ordinary week.
#[derive(Clone, Debug)]
pub enum Plan {
    /// The same every week.
    Shifts(Shifts),
    /// Each for a week, one after the other.
    Turns(Turns),
}

/// Who is on call at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnCall<'a> {
    /// Names as the operator wrote them; none where nobody is.
    pub who: &'a [String],
    /// Why these.
    pub because: Because,
    /// Until when, as far as the rota is known: when the next may be on call. `None` where nothing ever changes.
    pub until: Option<Timestamp>,
}

/// What in a rota decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// A shift: its place in the list.
    Shift(usize),
    /// No shift was on: who is there otherwise.
    Otherwise,
    /// A turn: its place in the list.
    Turn(usize),
    /// An override: its line, from 1.
    Override(usize),
}

impl Rota {
    /// Who is on call at `at`.
    pub fn on_call(&self, at: Timestamp) -> OnCall<'_> {
        if let Some((found, until)) = self.overrides.at(at, &self.zone) {
            return OnCall { who: &found.who, because: Because::Override(found.line), until: Some(until) };
        }
        let planned = match &self.plan {
            Plan::Shifts(shifts) => shifts.on_call(at, &self.zone),
            Plan::Turns(turns) => turns.on_call(at, &self.zone),
        };
        let next = self.overrides.next_begin(at, &self.zone);
        OnCall { until: [planned.until, next].into_iter().flatten().min(), ..planned }
    }

    /// Whether there are times in an ordinary week at which nobody is on call.
    pub fn may_be_empty(&self) -> bool {
        match &self.plan {
            Plan::Shifts(shifts) => shifts.otherwise.is_empty() && shifts.has_gap(),
            Plan::Turns(turns) => turns.members.iter().any(Vec::is_empty) || turns.members.is_empty(),
        }
    }

    /// Every name that is ever on call, as far as is known, in the order written; some may be there twice.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let (shifts, turns) = match &self.plan {
            Plan::Shifts(shifts) => (Some(shifts), None),
            Plan::Turns(turns) => (None, Some(turns)),
        };
        let of_shifts = shifts.into_iter().flat_map(Shifts::names);
        let of_turns = turns.into_iter().flat_map(|turns| turns.members.iter().flatten());
        of_shifts.chain(of_turns).chain(self.overrides.names())
    }
}

/// The instant at which the clocks of `zone` show `time` on `date`; `None` beyond what can be told (year 9999).
fn instant(date: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_timestamp(DateTime::from_parts(date, time)).ok()
}

#[cfg(test)]
mod tests;
