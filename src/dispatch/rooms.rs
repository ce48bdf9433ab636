//! How much a gateway may be called now. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::Lane;
use crate::retry::{Permission, TokenBucket, later};

/// How long a message of unknown outcome is left alone while nobody may be asked about it.
const UNASKED_PAUSE: Duration = Duration::from_secs(60);
/// The same while a probe may open the gate at any time: it is asked about this much later then.
const PROBED_PAUSE: Duration = Duration::from_secs(5);

/// Calls at a time that each lane may bring a gateway to, by [`Lane::index`], of `concurrency` in all: an
/// eighth is kept for what is critical, another one for what is normal, so that a flood of less urgent messages
/// never has the last calls.
pub(super) fn shares(concurrency: usize) -> [usize; 3] {
    let without = |kept: usize| concurrency.saturating_sub(kept).max(concurrency.min(1));
    [concurrency, without(concurrency.div_ceil(8)), without(concurrency.div_ceil(4))]
}

/// Questions about unknown outcomes that may begin now: they go before messages, since others wait behind
/// them, but never take more than half of the calls.
pub(crate) fn questions(concurrency: usize, under_way: usize, asking: usize) -> usize {
    let free = concurrency.saturating_sub(under_way);
    free.min(concurrency.div_ceil(2).saturating_sub(asking))
}

/// Calls that may begin now for each lane, by [`Lane::index`]. `allowed` are the messages that the rate lets
/// go.
pub(crate) fn calls(
    permission: Permission,
    concurrency: usize,
    under_way: usize,
    allowed: [usize; 3],
) -> [usize; 3] {
    let free = shares(concurrency).map(|share| share.saturating_sub(under_way));
    let most = match permission {
        Permission::Free => free,
        // Whichever lane: the first that comes shows whether it works again.
        Permission::Probe => [concurrency.saturating_sub(under_way).min(1); 3],
        Permission::AwaitProbe | Permission::NotBefore(_) => [0; 3],
    };
    [most[0].min(allowed[0]), most[1].min(allowed[1]), most[2].min(allowed[2])]
}

/// When a message of unknown outcome is looked at again, where nobody may be asked about it now; `None` where somebody
/// may.
pub(crate) fn looked_at_again(to_ask: Permission, now: Timestamp) -> Option<Timestamp> {
    match to_ask {
        Permission::Free => None,
        Permission::NotBefore(time) => Some(time.min(later(now, UNASKED_PAUSE))),
        // There may be room for the probe, or an answer to it, at any time.
        Permission::Probe | Permission::AwaitProbe => Some(later(now, PROBED_PAUSE)),
    }
}

/// Messages a second of one gateway.
///
/// A call with many messages may take more than there is, and those that come after it wait for that. What is
/// critical does not: then it is measured only against itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    all: TokenBucket,
    critical: TokenBucket,
}

impl Pace {
    pub(super) fn new(per_second: f64, now: Timestamp) -> Self {
        let bucket = TokenBucket::new(per_second, now);
        Self { all: bucket, critical: bucket }
    }

    pub(super) fn set_rate(&mut self, per_second: f64, now: Timestamp) {
        self.all.set_rate(per_second, now);
        self.critical.set_rate(per_second, now);
    }

    /// Messages that may go now, by [`Lane::index`].
    pub(super) fn allowed(&mut self, now: Timestamp) -> [usize; 3] {
        let all = self.all.available(now);
        let critical = if self.all.is_in_debt(now) { self.critical.available(now) } else { all };
        [critical, all, all]
    }

    /// So many messages of `lane` go.
    pub(super) fn take(&mut self, lane: Lane, messages: usize, now: Timestamp) {
        self.all.take(messages, now);
        if lane == Lane::Critical {
            self.critical.take(messages, now);
        }
    }

    /// When another message may go that may not now; `None` when any may.
    pub(super) fn next_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        let all = self.all.next_at(now)?;
        let critical = if self.all.is_in_debt(now) { self.critical.next_at(now) } else { None };
        Some(critical.map_or(all, |critical| critical.min(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    const ANY: [usize; 3] = [usize::MAX; 3];

    #[test]
    fn less_urgent_lanes_never_have_the_last_calls() {
        let table = [
            (0, [0, 0, 0]),
            (1, [1, 1, 1]),
            (2, [2, 1, 1]),
            (3, [3, 2, 2]),
            (4, [4, 3, 3]),
            (5, [5, 4, 3]),
            (8, [8, 7, 6]),
            (9, [9, 7, 6]),
            (16, [16, 14, 12]),
            (17, [17, 14, 12]),
            (1000, [1000, 875, 750]),
        ];
        for (concurrency, expected) in table {
            assert_eq!(shares(concurrency), expected, "{concurrency}");
        }
    }

    #[test]
    fn calls_under_way_take_from_every_lane() {
        let table = [
            (8, 0, [8, 7, 6]),
            (8, 5, [3, 2, 1]),
            (8, 6, [2, 1, 0]),
            (8, 7, [1, 0, 0]),
            (8, 8, [0, 0, 0]),
            // A reload made it narrower.
            (4, 9, [0, 0, 0]),
        ];
        for (concurrency, under_way, expected) in table {
            assert_eq!(calls(Permission::Free, concurrency, under_way, ANY), expected, "{under_way}");
        }
    }

    #[test]
    fn the_gate_and_the_rate_bound_what_begins() {
        let until = Permission::NotBefore(at(1));
        let table = [
            (Permission::Probe, 0, ANY, [1, 1, 1]),
            (Permission::Probe, 7, ANY, [1, 1, 1]),
            (Permission::Probe, 8, ANY, [0, 0, 0]),
            (Permission::Probe, 0, [0; 3], [0, 0, 0]),
            (Permission::AwaitProbe, 1, ANY, [0, 0, 0]),
            (until, 0, ANY, [0, 0, 0]),
            (Permission::Free, 0, [2, 2, 2], [2, 2, 2]),
            (Permission::Free, 5, [2, 2, 2], [2, 2, 1]),
            (Permission::Free, 0, [3, 0, 0], [3, 0, 0]),
        ];
        for (permission, under_way, allowed, expected) in table {
            assert_eq!(calls(permission, 8, under_way, allowed), expected, "{permission:?} {under_way}");
        }
    }

    #[test]
    fn what_nobody_may_be_asked_about_is_looked_at_before_somebody_may() {
        let table = [
            (Permission::Free, None),
            (Permission::NotBefore(at(59_999)), Some(at(59_999))),
            (Permission::NotBefore(at(60_001)), Some(at(60_000))),
            (Permission::Probe, Some(at(5000))),
            (Permission::AwaitProbe, Some(at(5000))),
        ];
        for (permission, expected) in table {
            assert_eq!(looked_at_again(permission, at(0)), expected, "{permission:?}");
        }
    }

    #[test]
    fn questions_have_half_of_the_calls_at_most() {
        let table = [
            // concurrency, under way in all, of these questions
            (8, 0, 0, 4),
            (8, 3, 3, 1),
            (8, 4, 4, 0),
            (8, 6, 0, 2),
            (8, 8, 0, 0),
            (1, 0, 0, 1),
            (1, 1, 0, 0),
            (3, 0, 0, 2),
        ];
        for (concurrency, under_way, asking, expected) in table {
            assert_eq!(questions(concurrency, under_way, asking), expected, "{concurrency} {under_way}");
        }
    }

    #[test]
    fn a_call_with_many_is_waited_for_by_all_but_the_critical() {
        let mut pace = Pace::new(10.0, at(0));
        pace.take(Lane::Bulk, 10, at(0));
        assert_eq!((pace.allowed(at(0)), pace.next_at(at(0))), ([0; 3], Some(at(100))));
        pace.take(Lane::Bulk, 200, at(0));
        assert_eq!((pace.allowed(at(0)), pace.next_at(at(0))), ([10, 0, 0], Some(at(20_100))));
        pace.take(Lane::Critical, 10, at(0));
        assert_eq!((pace.allowed(at(0)), pace.next_at(at(0))), ([0; 3], Some(at(100))));
        assert_eq!(pace.allowed(at(100)), [1, 0, 0]);
        assert_eq!(pace.allowed(at(21_100)), [1, 1, 1]);
        assert_eq!(pace.next_at(at(21_100)), None);
    }

    #[test]
    fn another_rate_is_taken_over() {
        let mut pace = Pace::new(10.0, at(0));
        pace.set_rate(2.0, at(0));
        assert_eq!(pace.allowed(at(0)), [2; 3]);
    }
}
