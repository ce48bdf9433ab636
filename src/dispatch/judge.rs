//! What an outcome means for the message and for the gate. Pure.

use jiff::Timestamp;

use super::Settings;
use crate::model::{Cause, DeliveryStatus, EnhancedStatus, FinalState, SendOutcome, StatusOutcome};
use crate::retry::{Answer, later};
use crate::spool::{Question, Step};

/// The step that `outcome` of attempt number `attempt` leads to, and what the gate learns from it.
/// `jitter` is a random number from 0 to 1.
pub(super) fn after_send(
    outcome: SendOutcome,
    attempt: u32,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> (Step, Answer) {
    match outcome {
        SendOutcome::Accepted { parts, unicode } => {
            let ask_at = later(now, settings.ask_delivery_after);
            let note = "accepted by the platform".to_owned();
            (Step::Sent { parts, unicode, ask_at, note }, Answer::Working)
        }
        SendOutcome::Refused(cause) => (Step::Final { state: FinalState::Failed, cause }, Answer::Working),
        SendOutcome::Later { until, cause } => {
            let at = settings.backoff.next(now, attempt, jitter).max(until.unwrap_or(now));
            let answer = match until {
                Some(until) => Answer::Pause(until),
                None => Answer::Failing(cause.clone()),
            };
            (Step::Retry { at, cause }, answer)
        }
        // The message is as good as before: it leaves as soon as the gate opens.
        SendOutcome::GatewayFault(cause) => {
            (Step::Retry { at: now, cause: cause.clone() }, Answer::Fault(cause))
        }
        SendOutcome::Unknown(cause) => {
            let ask_at = later(now, settings.ask_after);
            (Step::Unknown { ask_at, cause: cause.clone() }, Answer::Broken(cause))
        }
    }
}

/// The step that an answer to "do you have it?" leads to, and what the gate learns from it.
pub(super) fn after_question(
    outcome: StatusOutcome,
    question: &Question,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> (Step, Option<Answer>) {
    let undecided = |until: Option<Timestamp>, cause: Cause| {
        if question.expires_at <= now {
            let text = format!(
                "its lifetime ended while the platform could not tell whether it has it: {}",
                cause.text
            );
            return Step::Final {
                state: FinalState::Expired,
                cause: Cause { text, status: EnhancedStatus::EXPIRED, diagnostic: cause.diagnostic },
            };
        }
        if later(question.since, settings.unknown_time) <= now {
            let text = format!("sent again, the platform cannot tell whether it has it: {}", cause.text);
            return Step::Retry { at: now, cause: Cause { text, ..cause } };
        }
        let ask_at =
            settings.backoff.next(now, question.asked.saturating_add(1), jitter).max(until.unwrap_or(now));
        Step::AskAgain { ask_at }
    };
    match outcome {
        StatusOutcome::Known(
            DeliveryStatus::Delivered
            | DeliveryStatus::Sent
            | DeliveryStatus::Undeliverable(_)
            | DeliveryStatus::Expired(_),
        ) => {
            // Taken; tracking asks at once how it went.
            let note = "the platform has it, by its status endpoint".to_owned();
            (Step::Sent { parts: None, unicode: None, ask_at: now, note }, Some(Answer::Working))
        }
        StatusOutcome::Known(DeliveryStatus::NotYetAvailable) => {
            let cause = Cause::new(EnhancedStatus::UNDELIVERABLE, "no status available yet");
            (undecided(None, cause), Some(Answer::Working))
        }
        StatusOutcome::NotKnown => {
            let cause = Cause::new(
                EnhancedStatus::REFUSED_BY_NEXT_SYSTEM,
                "the platform does not know it, by its status endpoint: sent again",
            );
            // At once the first time. A platform that takes the message, gives an answer that can't
            // be read and then denies to know it would send it every few seconds otherwise.
            let at = match question.attempt.checked_sub(1) {
                None | Some(0) => now,
                Some(before) => settings.backoff.next(now, before, jitter),
            };
            // Not a word about the gate: a wrong base address gives the same answer.
            (Step::Retry { at, cause }, None)
        }
        StatusOutcome::CannotTell { until, cause } => {
            let answer = until.map_or_else(|| Answer::Failing(cause.clone()), Answer::Pause);
            (undecided(until, cause), Some(answer))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::SubmissionId;
    use crate::retry::Backoff;

    const NOW: i64 = 1_800_000_000;

    fn at(offset: i64) -> Timestamp {
        Timestamp::from_second(NOW + offset).unwrap()
    }

    fn settings() -> Settings {
        Settings {
            concurrency: 8,
            backoff: Backoff { first: Duration::from_secs(5), most: Duration::from_secs(900) },
            probe: Backoff { first: Duration::from_secs(30), most: Duration::from_secs(900) },
            ask_after: Duration::from_secs(7),
            unknown_time: Duration::from_secs(600),
            ask_delivery_after: Duration::from_secs(30),
        }
    }

    fn cause(text: &str) -> Cause {
        Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, text)
    }

    fn question(since: i64, expires: i64, asked: u32) -> Question {
        Question {
            id: SubmissionId::new(at(0)).message(1),
            attempt: 1,
            asked,
            since: at(since),
            expires_at: at(expires),
        }
    }

    #[test]
    fn every_send_outcome_has_its_step_and_tells_the_gate() {
        let sent = SendOutcome::Accepted { parts: Some(2), unicode: Some(true) };
        let note = "accepted by the platform".to_owned();
        let until = at(120);
        let table = [
            (sent, Step::Sent { parts: Some(2), unicode: Some(true), ask_at: at(30), note }, Answer::Working),
            (
                SendOutcome::Refused(cause("no")),
                Step::Final { state: FinalState::Failed, cause: cause("no") },
                Answer::Working,
            ),
            (
                SendOutcome::Later { until: Some(until), cause: cause("429") },
                Step::Retry { at: until, cause: cause("429") },
                Answer::Pause(until),
            ),
            (
                SendOutcome::Later { until: None, cause: cause("500") },
                Step::Retry { at: at(20), cause: cause("500") },
                Answer::Failing(cause("500")),
            ),
            (
                SendOutcome::GatewayFault(cause("401")),
                Step::Retry { at: at(0), cause: cause("401") },
                Answer::Fault(cause("401")),
            ),
            (
                SendOutcome::Unknown(cause("reset")),
                Step::Unknown { ask_at: at(7), cause: cause("reset") },
                Answer::Broken(cause("reset")),
            ),
        ];
        for (outcome, step, answer) in table {
            assert_eq!(
                after_send(outcome.clone(), 3, at(0), 1.0, &settings()),
                (step, answer),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn a_pause_shorter_than_the_back_off_does_not_shorten_it() {
        let outcome = SendOutcome::Later { until: Some(at(1)), cause: cause("429") };
        let (step, _) = after_send(outcome, 3, at(0), 1.0, &settings());
        assert_eq!(step, Step::Retry { at: at(20), cause: cause("429") });
    }

    #[test]
    fn what_the_platform_knows_is_sent_and_what_it_does_not_know_goes_again() {
        for status in [
            DeliveryStatus::Delivered,
            DeliveryStatus::Sent,
            DeliveryStatus::Undeliverable("x".to_owned()),
            DeliveryStatus::Expired("x".to_owned()),
        ] {
            let (step, _) =
                after_question(StatusOutcome::Known(status), &question(-5, 900, 0), at(0), 1.0, &settings());
            assert!(matches!(step, Step::Sent { ask_at, .. } if ask_at == at(0)), "{step:?}");
        }
        let (step, _) =
            after_question(StatusOutcome::NotKnown, &question(-5, 900, 0), at(0), 1.0, &settings());
        assert!(matches!(step, Step::Retry { at: when, .. } if when == at(0)), "{step:?}");
    }

    #[test]
    fn what_the_platform_denies_again_and_again_goes_ever_more_rarely() {
        let waits: Vec<i64> = (1..=10)
            .map(|attempt| {
                let question = Question { attempt, ..question(-5, 14_400, 1) };
                let step = after_question(StatusOutcome::NotKnown, &question, at(0), 1.0, &settings()).0;
                let Step::Retry { at, .. } = step else { panic!("{step:?}") };
                at.as_second() - NOW
            })
            .collect();
        assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 320, 640, 900]);
    }

    #[test]
    fn an_undecided_message_is_asked_about_then_sent_again_or_expires() {
        let cannot = || StatusOutcome::CannotTell { until: None, cause: cause("http 500") };
        let ask = |question: &Question, outcome| after_question(outcome, question, at(0), 1.0, &settings()).0;
        assert_eq!(ask(&question(-5, 900, 1), cannot()), Step::AskAgain { ask_at: at(10) });
        let not_yet = StatusOutcome::Known(DeliveryStatus::NotYetAvailable);
        assert_eq!(ask(&question(-5, 900, 0), not_yet), Step::AskAgain { ask_at: at(5) });
        let paused = StatusOutcome::CannotTell { until: Some(at(60)), cause: cause("http 429") };
        assert_eq!(ask(&question(-5, 900, 0), paused), Step::AskAgain { ask_at: at(60) });
        assert!(matches!(ask(&question(-599, 900, 9), cannot()), Step::AskAgain { .. }));
        assert!(
            matches!(ask(&question(-600, 900, 9), cannot()), Step::Retry { at: when, .. } if when == at(0))
        );
        assert!(matches!(
            ask(&question(-600, 0, 9), cannot()),
            Step::Final { state: FinalState::Expired, cause } if cause.text.ends_with("http 500")
        ));
    }
}
