//! What an answer means for the call.

use jiff::Timestamp;

use super::Settings;
use crate::model::{Cause, EnhancedStatus};
use crate::retry::later;
use crate::spool::{TellStep, Telling};

/// What came of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// The program answered with this status.
    Answered(u16),
    /// It did not, and why.
    Silent(String),
}

/// 2xx: told. 410: this program wants no more of it. Everything else may be mended: it is tried again
/// until the lifetime is over, the last time at its end. `jitter` is 0 to 1.
pub(super) fn judge(
    telling: &Telling,
    called: &Called,
    settings: &Settings,
    now: Timestamp,
    jitter: f64,
) -> TellStep {
    let text = match called {
        Called::Answered(200..=299) => return TellStep::Told,
        Called::Answered(410) => return TellStep::Failed { cause: failed("the program answered 410, gone") },
        Called::Answered(status @ 300..=399) => {
            format!("the program answered {status}; redirects are not followed")
        }
        Called::Answered(status) => format!("the program answered {status}"),
        Called::Silent(why) => format!("the program cannot be reached: {why}"),
    };
    let end = later(telling.ended_at, settings.lifetime);
    if now >= end {
        return TellStep::Failed { cause: failed(&text) };
    }
    TellStep::Retry { at: settings.backoff.next(now, telling.attempt, jitter).min(end), cause: waits(&text) }
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
    use std::time::Duration;

    use super::super::turns::tests::telling;
    use super::*;
    use crate::retry::Backoff;

    const SETTINGS: Settings = Settings {
        backoff: Backoff { first: Duration::from_secs(5), most: Duration::from_secs(3600) },
        lifetime: Duration::from_secs(24 * 3600),
        total_time: Duration::from_secs(10),
        concurrency: 8,
        per_host: 2,
    };

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
            other @ (TellStep::Told | TellStep::Failed { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_2xx_is_a_yes_and_410_a_no_for_good() {
        for status in [200, 201, 204, 299] {
            assert_eq!(step(Called::Answered(status), 1, 0), TellStep::Told);
        }
        assert!(matches!(step(Called::Answered(410), 1, 0), TellStep::Failed { .. }));
    }

    #[test]
    fn all_else_is_tried_again_at_growing_intervals_until_the_lifetime_ends() {
        for status in [199, 300, 302, 400, 401, 404, 409, 411, 429, 500, 503] {
            assert_eq!(wait(Called::Answered(status), 1, 0), 5, "{status}");
        }
        let silent = || Called::Silent("connection refused".to_owned());
        for (attempt, waited) in [(1, 5), (2, 10), (3, 20), (10, 2560), (11, 3600), (40, 3600)] {
            assert_eq!(wait(silent(), attempt, 60), waited, "{attempt}");
        }
        let day = 24 * 3600;
        assert_eq!(wait(silent(), 40, day - 100), 100, "the last time at its end");
        assert_eq!(wait(silent(), 40, day - 1), 1);
        assert!(matches!(step(silent(), 40, day), TellStep::Failed { .. }));
        assert_eq!(step(Called::Answered(200), 40, 2 * day), TellStep::Told, "late is better than never");
    }
}
