//! How long a client that keeps being refused waits for its answers, and when it is shown out.
//!
//! The wait costs the server a timer and makes guessing recipients slow; a person who mistypes does not
//! feel it. It holds back this connection only. Closing alone would not do, since the guesser comes again
//! at once; the wait alone would not, since it would stay.

use std::time::Duration;

use super::settings::Limits;

/// How a refusal is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long to wait before the answer is sent.
    pub delay: Duration,
    /// Whether 421 with 4.7.0 follows the answer and the connection is closed.
    pub close: bool,
}

impl Patience {
    /// With a client that was refused for good `refused` times in this connection, the present one
    /// counted: an answer after the first [`Limits::errors_undelayed`] waits, and the one that makes
    /// [`Limits::errors`] is the last.
    pub fn after(refused: usize, limits: &Limits) -> Self {
        Self {
            delay: if refused > limits.errors_undelayed { limits.error_delay } else { Duration::ZERO },
            close: refused >= limits.errors,
        }
    }
}

/// Whether a reply with this code counts as a refusal: those for good do (5yz). Temporary ones do not, as
/// they are no fault of the client: one that sends too many recipients is told so for each and then
/// goes on with the accepted ones (RFC 5321 section 4.5.3.1.10).
pub fn is_counted(code: u16) -> bool {
    code >= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(errors_undelayed: usize, errors: usize) -> Limits {
        Limits { errors_undelayed, errors, error_delay: SECOND, ..Limits::default() }
    }

    /// Delay and close of the first refusals until the last.
    fn course(limits: &Limits) -> Vec<(Duration, bool)> {
        let mut course = Vec::new();
        for refused in 1.. {
            let Patience { delay, close } = Patience::after(refused, limits);
            course.push((delay, close));
            if close {
                break;
            }
        }
        course
    }

    #[test]
    fn the_first_answers_are_undelayed_the_others_wait_and_the_last_closes() {
        let quick = (Duration::ZERO, false);
        let slow = (SECOND, false);
        assert_eq!(course(&limits(2, 5)), [quick, quick, slow, slow, (SECOND, true)]);
        assert_eq!(course(&limits(0, 2)), [slow, (SECOND, true)]);
        assert_eq!(course(&limits(1, 1)), [(Duration::ZERO, true)], "closed before any wait");
        assert_eq!(course(&limits(9, 2)), [quick, (Duration::ZERO, true)]);
    }

    #[test]
    fn who_was_never_refused_waits_for_nothing() {
        let none = Patience { delay: Duration::ZERO, close: false };
        assert_eq!(Patience::after(0, &limits(0, 1)), none);
    }

    #[test]
    fn only_refusals_for_good_count() {
        assert_eq!(
            [250, 354, 421, 452, 499, 500, 550].map(is_counted),
            [false, false, false, false, false, true, true]
        );
    }
}
