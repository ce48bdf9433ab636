//! A clock that stands still until it is told to go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

pub(super) const SECOND: i64 = 1000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// A Monday, 00:00 UTC; on its Sunday the clocks of Europe go back.
const START: i64 = 1_792_368_000;

/// So many milliseconds after the start.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_second(START).unwrap() + SignedDuration::from_millis(millis)
}

/// Milliseconds since the start.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond() - START * 1000
}

/// All copies tell the same time, in milliseconds since the start.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(super) fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        at(self.now())
    }

    /// Never back.
    pub(super) fn jump_to(&self, millis: i64) {
        self.0.fetch_max(millis, Ordering::Relaxed);
    }

    /// For whoever asks it himself.
    pub(super) fn reading(&self) -> Box<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clone();
        Box::new(move || clock.timestamp())
    }
}
