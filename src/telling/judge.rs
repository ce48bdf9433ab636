//! What an answer means for the call.

use std::time::Duration;

use jiff::Timestamp;

use super::Settings;
use crate::model::{Cause, EnhancedStatus};
use crate::retry::{Backoff, later, retry_after};
use crate::spool::{TellStep, Telling};

/// The shortest and the longest wait of a call to a host of which enough wait already.
const BUSY: Backoff = Backoff { first: Duration::from_secs(5), most: Duration::from_secs(300) };

/// What came of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// The program answered.
    Answered {
        /// Its status.
        status: u16,
        /// `Retry-After`, when it was text.
        retry_after: Option<String>,
    },
    /// It did not, and why.
    Silent(String),
}

/// 2xx: told. 410: this program wants no more of it. Everything else may be mended: it is tried again
/// until the lifetime is over, the last time at its end, and not before the time that a 429 or 503 asks for (a
/// day ahead at most). `jitter` is 0 to 1.
pub(super) fn judge(
    telling: &Telling,
    called: &Called,
    settings: &Settings,
    now: Timestamp,
    jitter: f64,
) -> TellStep {
    let (text, asked_for) = match called {
        Called::Answered { status: 200..=299, .. } => return TellStep::Told,
        Called::Answered { status: 410, .. } => {
            return TellStep::Failed { cause: failed("the program answered 410, gone") };
        }
        Called::Answered { status: status @ 300..=399, .. } => {
            (format!("the program answered {status}; redirects are not followed"), None)
        }
        Called::Answered { status: status @ (429 | 503), retry_after: Some(pause) } => {
            (format!("the program answered {status}"), retry_after(pause, now))
        }
        Called::Answered { status, .. } => (format!("the program answered {status}"), None),
        Called::Silent(why) => (format!("the program cannot be reached: {why}"), None),
    };
    let end = later(telling.ended_at, settings.lifetime);
    if now >= end {
        return TellStep::Failed { cause: failed(&text) };
    }
    let own = settings.backoff.next(now, telling.attempt, jitter);
    TellStep::Retry { at: asked_for.map_or(own, |until| until.max(own)).min(end), cause: waits(&text) }
}

/// When a call comes again to a host of which enough wait already. The longer its SMS has ended, the longer
/// it waits, from 5 s to 5 min: long enough to let others pass, short enough to be there when the host has time
/// again, and ever fewer writes. Its attempts cannot tell, as it has had none. `jitter` as in [`Backoff::wait`].
pub(super) fn busy_until(telling: &Telling, now: Timestamp, jitter: f64) -> Timestamp {
    let age = Duration::try_from(now.duration_since(telling.ended_at)).unwrap_or_default();
    let wait = age.clamp(BUSY.first, BUSY.most);
    Backoff { first: wait, most: wait }.next(now, 1, jitter)
}

/// A call that could not be made for good.
pub(super) fn failed(text: &str) -> Cause {
    Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, text)
}

/// A call that has to wait.
pub(super) fn waits(text: &str) -> Cause {
    Cause::new(EnhancedStatus::new(4, 3, 0), text)
}

#[cfg(test)]
mod tests {
    use super::super::turns::tests::telling;
    use super::*;

    const SETTINGS: Settings = Settings {
        backoff: Backoff { first: Duration::from_secs(5), most: Duration::from_secs(3600) },
        lifetime: Duration::from_secs(24 * 3600),
        total_time: Duration::from_secs(10),
        concurrency: 8,
        per_host: 2,
    };

    fn answered(status: u16) -> Called {
        Called::Answered { status, retry_after: None }
    }

    fn busy(status: u16, retry_after: &str) -> Called {
        Called::Answered { status, retry_after: Some(retry_after.to_owned()) }
    }

    fn step(called: Called, attempt: u32, second: i64) -> TellStep {
        let telling = Telling { attempt, ..telling("http://a/", 1) };
        let now = telling.ended_at + jiff::SignedDuration::from_secs(second);
        judge(&telling, &called, &SETTINGS, now, 1.0)
    }

    fn wait(called: Called, attempt: u32, second: i64) -> i64 {
        let began = telling("http://a/", 1).ended_at.as_second();
        match step(called, attempt, second) {
            TellStep::Retry { at, cause } => {
                assert_eq!(cause.status.class, 4);
                at.as_second() - began - second
            }
            other @ (TellStep::Told | TellStep::NotCalled { .. } | TellStep::Failed { .. }) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn any_2xx_is_a_yes_and_410_a_no_for_good() {
        for status in [200, 201, 204, 299] {
            assert_eq!(step(answered(status), 1, 0), TellStep::Told);
        }
        assert!(matches!(step(answered(410), 1, 0), TellStep::Failed { .. }));
    }

    #[test]
    fn all_else_is_tried_again_at_growing_intervals_until_the_lifetime_ends() {
        for status in [199, 300, 302, 400, 401, 404, 409, 411, 429, 500, 503] {
            assert_eq!(wait(answered(status), 1, 0), 5, "{status}");
        }
        let silent = || Called::Silent("connection refused".to_owned());
        for (attempt, waited) in [(1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (40, 3600)] {
            assert_eq!(wait(silent(), attempt, 60), waited, "{attempt}");
        }
        let day = 24 * 3600;
        assert_eq!(wait(silent(), 40, day - 100), 100, "the last time at its end");
        assert_eq!(wait(silent(), 40, day - 1), 1);
        assert!(matches!(step(silent(), 40, day), TellStep::Failed { .. }));
        assert_eq!(step(answered(200), 40, 2 * day), TellStep::Told, "late is better than never");
    }

    #[test]
    fn a_call_to_a_busy_host_waits_the_longer_the_older_it_is() {
        let telling = telling("http://a/", 7);
        let wait = |age: i64, jitter| {
            let now = telling.ended_at + jiff::SignedDuration::from_secs(age);
            busy_until(&telling, now, jitter).duration_since(now).as_millis()
        };
        let waits = [-9, 0, 5, 6, 60, 300, 301, 86_400].map(|age| wait(age, 1.0));
        assert_eq!(waits, [5000, 5000, 5000, 6000, 60_000, 300_000, 300_000, 300_000]);
        assert_eq!((wait(0, 0.0), wait(9999, 0.0)), (2500, 150_000));
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_within_a_day_and_the_lifetime() {
        let day = 24 * 3600;
        for status in [429, 503] {
            assert_eq!(wait(busy(status, "120"), 1, 0), 120, "{status}");
            assert_eq!(wait(busy(status, "3"), 1, 0), 5, "no sooner than without the word");
            // 1_700_000_000 and 600 seconds.
            assert_eq!(wait(busy(status, "Tue, 14 Nov 2023 22:23:20 GMT"), 1, 0), 600, "{status}");
            assert_eq!(wait(busy(status, "soon"), 1, 0), 5, "{status}");
            assert_eq!(wait(busy(status, "7200"), 1, day - 7200), 7200, "{status}");
            assert_eq!(wait(busy(status, "7201"), 1, day - 7200), 7200, "the last time at its end");
        }
        for status in [302, 400, 404, 500, 502] {
            assert_eq!(wait(busy(status, "120"), 1, 0), 5, "{status}");
        }
        assert_eq!(step(busy(200, "120"), 1, 0), TellStep::Told);
        let long = Settings { lifetime: Duration::from_secs(7 * 24 * 3600), ..SETTINGS };
        let telling = telling("http://a/", 1);
        let pause = |asked: &str| match judge(&telling, &busy(429, asked), &long, telling.ended_at, 1.0) {
            TellStep::Retry { at, .. } => at.as_second() - telling.ended_at.as_second(),
            other @ (TellStep::Told | TellStep::NotCalled { .. } | TellStep::Failed { .. }) => {
                panic!("{other:?}")
            }
        };
        assert_eq!((pause("86400"), pause("86401")), (day, day));
    }
}
