//! So much a second, with a burst of one second's worth.

use std::time::Duration;

use jiff::Timestamp;

use super::later;

/// Sums of fractions come short of a whole by less than this.
const ROUNDING: f64 = 1e-6;

/// A token bucket. It is full at first and holds what one second brings, at least one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenBucket {
    per_second: f64,
    tokens: f64,
    at: Timestamp,
}

impl TokenBucket {
    /// A full one.
    pub fn new(per_second: f64, now: Timestamp) -> Self {
        Self { per_second, tokens: per_second.max(1.0), at: now }
    }

    /// The same with another rate from now on; nothing is given for the change.
    pub fn set_rate(&mut self, per_second: f64, now: Timestamp) {
        self.refill(now);
        self.per_second = per_second;
        self.tokens = self.tokens.min(self.burst());
    }

    /// Whole tokens that can be taken now.
    pub fn available(&mut self, now: Timestamp) -> usize {
        self.refill(now);
        // Never beyond the burst, so the cast does not saturate; below zero it gives zero.
        (self.tokens + ROUNDING) as usize
    }

    /// Takes `count`, also more than there are: what comes next waits until the debt is paid.
    pub fn take(&mut self, count: usize, now: Timestamp) {
        self.refill(now);
        self.tokens -= count as f64;
    }

    /// Whether more was taken than there was.
    pub fn is_in_debt(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        self.tokens < -ROUNDING
    }

    /// When the next whole token is there; `None` while there is one.
    pub fn next_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.available(now) > 0 {
            return None;
        }
        let seconds = (1.0 - self.tokens) / self.per_second;
        Some(later(now, Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
    }

    fn burst(&self) -> f64 {
        self.per_second.max(1.0)
    }

    fn refill(&mut self, now: Timestamp) {
        // A clock that was put back brings nothing and takes nothing.
        let passed = Duration::try_from(now.duration_since(self.at)).unwrap_or(Duration::ZERO);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.burst());
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn a_second_s_worth_goes_at_once_and_then_one_after_the_other() {
        let mut bucket = TokenBucket::new(4.0, at(0));
        assert_eq!(bucket.available(at(0)), 4);
        bucket.take(4, at(0));
        assert_eq!((bucket.next_at(at(0)), bucket.available(at(249))), (Some(at(250)), 0));
        assert_eq!((bucket.available(at(250)), bucket.next_at(at(250))), (1, None));
        assert_eq!(bucket.available(at(60_000)), 4);
    }

    #[test]
    fn less_than_one_a_second_still_lets_one_go_at_a_time() {
        let mut bucket = TokenBucket::new(0.1, at(0));
        assert_eq!(bucket.available(at(0)), 1);
        bucket.take(1, at(0));
        assert_eq!(bucket.next_at(at(0)), Some(at(10_000)));
        assert_eq!((bucket.available(at(9_990)), bucket.available(at(10_000))), (0, 1));
        assert_eq!(bucket.available(at(100_000)), 1);
    }

    #[test]
    fn what_is_taken_beyond_is_waited_for() {
        let mut bucket = TokenBucket::new(10.0, at(0));
        bucket.take(30, at(0));
        assert!(bucket.is_in_debt(at(1999)) && !bucket.is_in_debt(at(2000)));
        assert_eq!(bucket.next_at(at(2000)), Some(at(2100)));
        assert_eq!((bucket.available(at(2099)), bucket.available(at(2100))), (0, 1));
    }

    #[test]
    fn a_clock_that_is_put_back_neither_gives_nor_stops() {
        let mut bucket = TokenBucket::new(1.0, at(0));
        bucket.take(1, at(0));
        assert_eq!(bucket.available(at(-3_600_000)), 0);
        assert_eq!(bucket.available(at(-3_599_000)), 1);
    }

    #[test]
    fn another_rate_holds_from_its_moment_on() {
        let mut bucket = TokenBucket::new(10.0, at(0));
        bucket.set_rate(2.0, at(0));
        assert_eq!(bucket.available(at(0)), 2);
        bucket.take(2, at(0));
        bucket.set_rate(100.0, at(500));
        assert_eq!(bucket.available(at(500)), 1);
    }

    proptest! {
        /// Over any time, no more than the burst and what the time brings; and whoever waits for the time that
        /// he was told gets one.
        #[test]
        fn the_rate_is_kept_and_never_starves(
            per_second in 0.05f64..500.0,
            waits in proptest::collection::vec((0i64..5_000, 1usize..300), 1..60),
        ) {
            let mut bucket = TokenBucket::new(per_second, at(0));
            let (mut now, mut taken) = (0, 0);
            for (wait, wish) in waits {
                now += wait;
                let count = wish.min(bucket.available(at(now)));
                bucket.take(count, at(now));
                taken += count;
                let bound = per_second.max(1.0) + per_second * now as f64 / 1000.0;
                prop_assert!(taken as f64 <= bound + 0.001, "{taken} of {bound}");
            }
            if let Some(next) = bucket.next_at(at(now)) {
                prop_assert!(next > at(now));
                prop_assert!(bucket.available(next) >= 1);
            }
        }
    }
}
