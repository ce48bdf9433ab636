//! Each for a week, one after the other.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Because, OnCall, instant};

/// Days of a turn.
const WEEK: i32 = 7;

/// Turns of a week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    /// The day on which the first of the members takes over; each later one does so on the same weekday. Before
    /// it the turns are the same, counted backwards.
    pub first: Date,
    /// The time of day at which they take over.
    pub handover: Time,
    /// Who takes turns, in order; at least one, and each at least one name.
    pub members: Vec<Vec<String>>,
}

impl Turns {
    /// Who is on call at `at`.
    pub(super) fn on_call(&self, at: Timestamp, zone: &TimeZone) -> OnCall<'_> {
        let today = at.to_zoned(zone.clone()).date();
        let mut week = (today - self.first).get_days().div_euclid(WEEK);
        if self.begin(week, zone).is_some_and(|begin| begin > at) {
            week -= 1;
        }
        // Weeks are counted by days of the calendar: one of 167 hours is a week.
        let count = i32::try_from(self.members.len()).unwrap_or(i32::MAX).max(1);
        let place = usize::try_from(week.rem_euclid(count)).unwrap_or_default();
        let who = self.members.get(place).map_or(&[][..], Vec::as_slice);
        OnCall { who, because: Because::Turn(place), until: self.begin(week + 1, zone) }
    }

    /// When the turn of that week begins.
    fn begin(&self, week: i32, zone: &TimeZone) -> Option<Timestamp> {
        let days = Span::new().try_days(i64::from(week) * i64::from(WEEK)).ok()?;
        instant(self.first.checked_add(days).ok()?, self.handover, zone)
    }
}
