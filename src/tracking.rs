//! Follows a sent SMS to the handset by asking the platform.
//!
//! It promises that a sent message reaches a final state: what the platform says, or, when the
//! platform stays silent for the configured time, expired as unconfirmed. Asking is cheap to lose:
//! what is not written is asked again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::gateway::Gateway;
use crate::model::{Cause, DeliveryStatus, EnhancedStatus, FinalState, MessageId, StatusOutcome};
use crate::retry::{Backoff, later};
use crate::spool::{Asked, QUESTION_LEASE, Question, Queue, Spool, SpoolError, Step};

/// Longest sleep of the loop, so that a step of the clock delays nobody for long.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Pause before a spool that failed is asked again.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

/// What tracking is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Waits between questions about one message.
    pub ask: Backoff,
    /// Questions under way at a time.
    pub concurrency: usize,
    /// How long after sending a message that stays silent is given up as unconfirmed.
    pub give_up_after: Duration,
}

/// The worker that asks.
pub struct Tracking {
    /// Where sent messages are.
    pub spool: Arc<dyn Spool>,
    /// Who is asked.
    pub gateway: Arc<dyn Gateway>,
    /// How.
    pub settings: Settings,
}

impl Tracking {
    /// Works until `shutdown` turns true. Questions under way are dropped then.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let signals = self.spool.signals();
        let worker = Arc::new(self);
        let mut questions = JoinSet::new();
        while !*shutdown.borrow_and_update() {
            // All that have ended make room, so that those that wait are claimed in one commit.
            while questions.try_join_next().is_some() {}
            let wait = match worker.start_questions(&mut questions).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "the spool does not answer; trying again");
                    SPOOL_PAUSE
                }
            };
            tokio::select! {
                _ = shutdown.changed() => {}
                Some(_) = questions.join_next(), if !questions.is_empty() => {}
                () = signals.sent.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn start_questions(self: &Arc<Self>, questions: &mut JoinSet<()>) -> Result<Duration, SpoolError> {
        let now = Timestamp::now();
        let free = self.settings.concurrency.saturating_sub(questions.len());
        if free == 0 {
            return Ok(LONGEST_WAIT);
        }
        for question in self.spool.questions(Asked::Sent, now, later(now, QUESTION_LEASE), free).await? {
            questions.spawn(Arc::clone(self).ask(question));
        }
        let next = self.spool.next_due(Queue::Ask(Asked::Sent)).await?;
        let wait = next.map(|time| Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO));
        Ok(match wait {
            // More than there are hands for: the next answer frees one.
            Some(Duration::ZERO) if !questions.is_empty() => LONGEST_WAIT,
            Some(wait) => wait.min(LONGEST_WAIT),
            None => LONGEST_WAIT,
        })
    }

    async fn ask(self: Arc<Self>, question: Question) {
        let id = question.id;
        let outcome = self.gateway.status(&id).await;
        let now = Timestamp::now();
        let step = after_question(outcome, &question, now, fastrand::f64(), &self.settings);
        // Said once it is written: the log never knows more than the spool.
        match self.spool.settle(id, question.attempt, step.clone(), now).await {
            Ok(()) => log_step(id, &step),
            Err(error) => {
                tracing::error!(%id, %error, "the delivery status is not written; it will be asked again");
            }
        }
    }
}

fn log_step(id: MessageId, step: &Step) {
    match step {
        Step::Final { state, cause } => tracing::info!(%id, ?state, cause = %cause.text, "final"),
        Step::AskAgain { ask_at } => tracing::debug!(%id, ask = %ask_at, "no final status yet"),
        Step::Sent { .. } | Step::Retry { .. } | Step::Unknown { .. } => {}
    }
}

/// The step that an answer to "has it arrived?" leads to.
fn after_question(
    outcome: StatusOutcome,
    question: &Question,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> Step {
    let undecided = |until: Option<Timestamp>| {
        if later(question.since, settings.give_up_after) <= now {
            let text = "accepted by the platform, which never said whether it arrived";
            return Step::Final {
                state: FinalState::Expired,
                cause: Cause::new(EnhancedStatus::SUCCESS, text),
            };
        }
        let ask_at =
            settings.ask.next(now, question.asked.saturating_add(1), jitter).max(until.unwrap_or(now));
        Step::AskAgain { ask_at }
    };
    match outcome {
        StatusOutcome::Known(DeliveryStatus::Delivered) => Step::Final {
            state: FinalState::Delivered,
            cause: Cause::new(EnhancedStatus::SUCCESS, "the handset has it"),
        },
        StatusOutcome::Known(DeliveryStatus::Undeliverable(words)) => Step::Final {
            state: FinalState::Undelivered,
            cause: Cause::new(
                EnhancedStatus::UNDELIVERABLE,
                "the platform could not deliver it to the handset",
            )
            .with_diagnostic(words),
        },
        StatusOutcome::Known(DeliveryStatus::Expired(words)) => Step::Final {
            state: FinalState::Expired,
            cause: Cause::new(
                EnhancedStatus::EXPIRED,
                "the platform gave it up before it reached the handset",
            )
            .with_diagnostic(words),
        },
        StatusOutcome::Known(DeliveryStatus::Sent | DeliveryStatus::NotYetAvailable)
        | StatusOutcome::NotKnown => undecided(None),
        StatusOutcome::CannotTell { until, .. } => undecided(until),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SubmissionId;

    fn at(offset: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + offset).unwrap()
    }

    fn judge(outcome: StatusOutcome, since: i64, asked: u32) -> Step {
        let settings = Settings {
            ask: Backoff { first: Duration::from_secs(30), most: Duration::from_secs(3600) },
            concurrency: 4,
            give_up_after: Duration::from_secs(1000),
        };
        let id = SubmissionId::new(at(0)).message(1);
        let question = Question { id, attempt: 2, asked, since: at(since), expires_at: at(-500) };
        after_question(outcome, &question, at(0), 1.0, &settings)
    }

    #[test]
    fn final_words_of_the_platform_end_it() {
        let final_of = |status| {
            let step = judge(StatusOutcome::Known(status), 0, 1);
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
    fn silence_is_asked_again_ever_more_rarely_and_ends_as_unconfirmed() {
        let silences = [
            StatusOutcome::Known(DeliveryStatus::Sent),
            StatusOutcome::Known(DeliveryStatus::NotYetAvailable),
            StatusOutcome::NotKnown,
            StatusOutcome::CannotTell {
                until: None,
                cause: Cause::new(EnhancedStatus::UNDELIVERABLE, "http 500"),
            },
        ];
        for silence in silences {
            assert_eq!(judge(silence.clone(), 0, 0), Step::AskAgain { ask_at: at(30) });
            assert_eq!(judge(silence.clone(), -999, 2), Step::AskAgain { ask_at: at(120) });
            assert!(matches!(
                judge(silence, -1000, 3),
                Step::Final { state: FinalState::Expired, cause } if cause.status.class == 2
            ));
        }
        let paused = StatusOutcome::CannotTell {
            until: Some(at(77)),
            cause: Cause::new(EnhancedStatus::UNDELIVERABLE, "http 429"),
        };
        assert_eq!(judge(paused, 0, 0), Step::AskAgain { ask_at: at(77) });
    }
}
