//! What an answer to "has it arrived?" means. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::Settings;
use crate::model::{DeliveryStatus, FinalState, Reason, StatusOutcome};
use crate::retry::{in_words, later};
use crate::spool::{Question, Step};

/// The step that it leads to. `jitter` is a random number from 0 to 1.
pub(crate) fn after_question(
    outcome: StatusOutcome,
    question: &Question,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> Step {
    let failed = |state, cause| {
        if question.has_next_way { Step::NextWay { cause } } else { Step::Final { state, cause } }
    };
    match outcome {
        StatusOutcome::Known(DeliveryStatus::Delivered) => {
            Step::Final { state: FinalState::Delivered, cause: Reason::Delivered.cause() }
        }
        StatusOutcome::Known(DeliveryStatus::Undeliverable(words)) => {
            failed(FinalState::Undelivered, Reason::Undeliverable.said(words))
        }
        StatusOutcome::Known(DeliveryStatus::Expired(words)) => {
            failed(FinalState::Expired, Reason::ExpiredAtPlatform.said(words))
        }
        // One that was accepted and is not known now counts as silent: it is never sent again for that.
        StatusOutcome::Known(DeliveryStatus::Sent | DeliveryStatus::NotYetAvailable)
        | StatusOutcome::NotKnown => undecided(None, question, now, jitter, settings),
        StatusOutcome::CannotTell { until, .. } => undecided(until, question, now, jitter, settings),
    }
}

fn undecided(
    until: Option<Timestamp>,
    question: &Question,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> Step {
    let silent_at = silent_at(question);
    if silent_at.is_some_and(|at| at <= now) {
        let silence = Duration::try_from(now.duration_since(question.since)).unwrap_or(Duration::ZERO);
        let text = format!("nothing was heard of it by {} for {}", question.channel, in_words(silence));
        // As if the platform had given it up, for this way.
        return Step::NextWay { cause: Reason::ExpiredAtPlatform.told(text) };
    }
    // A lifetime may begin later than the message was handed over: when the platform is to send it later.
    if later(question.since, settings.give_up_after).max(question.expires_at) <= now {
        return Step::Final { state: FinalState::Expired, cause: Reason::Unconfirmed.cause() };
    }
    let ask_at = settings.ask.next(now, question.asked.saturating_add(1), jitter).max(until.unwrap_or(now));
    // Once more at the end of its silence.
    Step::AskAgain { ask_at: silent_at.map_or(ask_at, |silent_at| ask_at.min(silent_at)) }
}

/// When the message's way counts as silent; `None` where no other one follows.
pub(crate) fn silent_at(question: &Question) -> Option<Timestamp> {
    question.silent_at.filter(|_| question.has_next_way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Channel, EnhancedStatus, OnUnknown, SubmissionId};
    use crate::retry::{AskPlan, Backoff};

    fn at(offset: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + offset).unwrap()
    }

    fn question(since: i64, asked: u32) -> Question {
        Question {
            id: SubmissionId::new(at(0)).message(1),
            attempt: 2,
            asked,
            since: at(since),
            expires_at: at(-500),
            channel: Channel::Sms,
            on_unknown: OnUnknown::Resend,
            is_simulation: false,
            has_next_way: false,
            silent_at: None,
        }
    }

    fn judged(outcome: StatusOutcome, question: &Question) -> Step {
        let first = Duration::from_secs(30);
        let settings = Settings {
            ask: Backoff { first, most: Duration::from_secs(3600) },
            plan: AskPlan { first, with_callbacks: first, callbacks_alive: first },
            concurrency: 4,
            questions_per_second: 10.0,
            give_up_after: Duration::from_secs(1000),
        };
        after_question(outcome, question, at(0), 1.0, &settings)
    }

    fn silences() -> [StatusOutcome; 4] {
        let cause = Cause::new(EnhancedStatus::UNDELIVERABLE, "http 500");
        [
            StatusOutcome::Known(DeliveryStatus::Sent),
            StatusOutcome::Known(DeliveryStatus::NotYetAvailable),
            StatusOutcome::NotKnown,
            StatusOutcome::CannotTell { until: None, cause },
        ]
    }

    #[test]
    fn final_words_of_the_platform_end_it() {
        let final_of = |status| {
            let step = judged(StatusOutcome::Known(status), &question(0, 1));
            let Step::Final { state, cause } = step else { panic!("{step:?}") };
            (state, cause.status, cause.diagnostic)
        };
        assert_eq!(
            final_of(DeliveryStatus::Delivered),
            (FinalState::Delivered, EnhancedStatus::SUCCESS, None)
        );
        assert_eq!(
            final_of(DeliveryStatus::Undeliverable("off".to_owned())),
            (FinalState::Undelivered, EnhancedStatus::UNDELIVERABLE, Some("off".to_owned()))
        );
        assert_eq!(
            final_of(DeliveryStatus::Expired("ttl".to_owned())),
            (FinalState::Expired, EnhancedStatus::EXPIRED, Some("ttl".to_owned()))
        );
    }

    #[test]
    fn a_failure_by_one_way_leads_to_the_next_one_and_a_delivery_ends_it() {
        let question = Question { has_next_way: true, ..question(0, 1) };
        for (status, words) in [
            (DeliveryStatus::Undeliverable("off".to_owned()), "off"),
            (DeliveryStatus::Expired("ttl".to_owned()), "ttl"),
        ] {
            let step = judged(StatusOutcome::Known(status), &question);
            let Step::NextWay { cause } = step else { panic!("{step:?}") };
            assert_eq!(cause.diagnostic.as_deref(), Some(words));
        }
        let step = judged(StatusOutcome::Known(DeliveryStatus::Delivered), &question);
        assert!(matches!(step, Step::Final { state: FinalState::Delivered, .. }), "{step:?}");
    }

    #[test]
    fn silence_is_asked_again_ever_more_rarely_and_ends_as_unconfirmed() {
        for silence in silences() {
            assert_eq!(judged(silence.clone(), &question(0, 0)), Step::AskAgain { ask_at: at(30) });
            assert_eq!(judged(silence.clone(), &question(-999, 2)), Step::AskAgain { ask_at: at(120) });
            assert!(matches!(
                judged(silence.clone(), &question(-1000, 3)),
                Step::Final { state: FinalState::Expired, cause } if cause.status.class == 2
            ));
            let alive = Question { expires_at: at(1), ..question(-1000, 2) };
            assert_eq!(judged(silence, &alive), Step::AskAgain { ask_at: at(120) });
        }
        let cause = Cause::new(EnhancedStatus::UNDELIVERABLE, "http 429");
        let paused = StatusOutcome::CannotTell { until: Some(at(77)), cause };
        assert_eq!(judged(paused, &question(0, 0)), Step::AskAgain { ask_at: at(77) });
    }

    #[test]
    fn a_way_that_stays_silent_is_asked_once_more_and_given_up_for_the_next() {
        for silence in silences() {
            let way = |silent_at, asked| Question {
                has_next_way: true,
                silent_at: Some(at(silent_at)),
                channel: Channel::Rcs,
                ..question(silent_at - 300, asked)
            };
            assert_eq!(judged(silence.clone(), &way(29, 0)), Step::AskAgain { ask_at: at(29) });
            assert_eq!(judged(silence.clone(), &way(31, 0)), Step::AskAgain { ask_at: at(30) });
            assert_eq!(judged(silence.clone(), &way(1, 5)), Step::AskAgain { ask_at: at(1) });
            let step = judged(silence.clone(), &way(0, 6));
            let Step::NextWay { cause } = step else { panic!("{step:?}") };
            assert_eq!(cause.text, "nothing was heard of it by RCS for 5 min");
            // Without another way there is nothing to give it up for.
            let last = Question { has_next_way: false, ..way(0, 0) };
            assert_eq!(judged(silence, &last), Step::AskAgain { ask_at: at(30) });
        }
    }
}
