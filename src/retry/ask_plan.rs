//! When the platform is first asked whether a sent message has arrived.

use std::time::Duration;

use jiff::Timestamp;

use super::later;

/// How soon. Whoever tells by himself is asked less: while callbacks come, a question is mostly answered
/// before it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskPlan {
    /// After sending, while no callbacks come.
    pub first: Duration,
    /// After sending, while callbacks come; no less than `first`.
    pub with_callbacks: Duration,
    /// How long after a callback more of them are counted on.
    pub callbacks_alive: Duration,
}

impl AskPlan {
    /// When to ask first about what was sent at `sent_at`. `last_callback` is the time of the gateway's latest
    /// one.
    pub fn first_at(&self, sent_at: Timestamp, last_callback: Option<Timestamp>) -> Timestamp {
        let wait = if self.callbacks_flow(sent_at, last_callback) {
            self.with_callbacks.max(self.first)
        } else {
            self.first
        };
        later(sent_at, wait)
    }

    /// Until when a first question that is due at `now` may wait, since callbacks have begun to come after
    /// it was planned; `None` when it is to be asked now. One that was planned for an earlier time than
    /// [`first`](Self::first) has its reason, and is asked.
    pub fn postponed(
        &self,
        sent_at: Timestamp,
        now: Timestamp,
        last_callback: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let until = later(sent_at, self.with_callbacks);
        let as_planned = later(sent_at, self.first) <= now;
        (as_planned && now < until && self.callbacks_flow(now, last_callback)).then_some(until)
    }

    fn callbacks_flow(&self, now: Timestamp, last_callback: Option<Timestamp>) -> bool {
        // One from a future that lies further ahead came before the clock was put back.
        last_callback.is_some_and(|last| {
            now < later(last, self.callbacks_alive) && last <= later(now, self.callbacks_alive)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: AskPlan = AskPlan {
        first: Duration::from_secs(30),
        with_callbacks: Duration::from_secs(600),
        callbacks_alive: Duration::from_secs(300),
    };

    fn at(offset: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + offset).unwrap()
    }

    #[test]
    fn who_tells_by_himself_is_asked_later() {
        let table = [
            (None, 30),
            (Some(-301), 30),
            (Some(-300), 30),
            (Some(-299), 600),
            (Some(0), 600),
            // A callback that was taken while the answer was under way.
            (Some(1), 600),
            (Some(300), 600),
            // One from before the clock was put back.
            (Some(301), 30),
        ];
        for (last, wait) in table {
            assert_eq!(PLAN.first_at(at(0), last.map(at)), at(wait), "{last:?}");
        }
        let hasty = AskPlan { with_callbacks: Duration::from_secs(5), ..PLAN };
        assert_eq!(hasty.first_at(at(0), Some(at(0))), at(30));
    }

    #[test]
    fn a_first_question_waits_once_callbacks_come() {
        let table = [
            // Planned for at once: somebody knows that there is news.
            (0, 29, Some(29), None),
            (0, 30, Some(29), Some(600)),
            (0, 30, Some(-269), Some(600)),
            (0, 30, Some(-270), None),
            (0, 30, None, None),
            (0, 599, Some(599), Some(600)),
            (0, 600, Some(599), None),
        ];
        for (sent, now, last, until) in table {
            assert_eq!(PLAN.postponed(at(sent), at(now), last.map(at)), until.map(at), "{now} {last:?}");
        }
    }
}
