//! When to try again: pure arithmetic over time, no clock of its own.

mod ask_plan;
mod bucket;
mod gate;
mod retry_after;

use std::time::Duration;

use jiff::Timestamp;

pub use ask_plan::AskPlan;
pub use bucket::TokenBucket;
pub use gate::{Answer, Gate, LONGEST_PAUSE, Permission, ProbeTicket, Turn};
pub use retry_after::retry_after;

/// Exponential back-off with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
}

impl Backoff {
    /// The wait after failure number `failures` (from 1): doubled each time up to `most`, then
    /// spread by `jitter` (0 to 1) over its upper half, so that messages that failed together do
    /// not come back together.
    pub fn wait(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(1u32 << failures.saturating_sub(1).min(31));
        let full = doubled.min(self.most);
        full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }

    /// The time of the next try; `jitter` as in [`Backoff::wait`].
    pub fn next(&self, now: Timestamp, failures: u32, jitter: f64) -> Timestamp {
        later(now, self.wait(failures, jitter))
    }
}

/// `now` and `wait` after it; the end of time where that overflows.
pub fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// A time in whole minutes where it is some, as people say it.
pub fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 120 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_the_first_to_the_most() {
        let backoff = Backoff { first: Duration::from_secs(5), most: Duration::from_secs(900) };
        let waits: Vec<u64> = (1..=10).map(|n| backoff.wait(n, 1.0).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(backoff.wait(1, 0.0), Duration::from_millis(2500));
        assert_eq!(backoff.wait(u32::MAX, 1.0), Duration::from_secs(900));
        assert_eq!(later(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn times_are_told_in_minutes_where_it_is_some() {
        let told = [0, 119, 120, 3599].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(told, ["0 s", "119 s", "2 min", "59 min"]);
    }
}
