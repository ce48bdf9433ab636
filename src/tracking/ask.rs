//! One round of the worker that asks, and one question.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{Settings, Tracking, judge};
use crate::gateway::{Line, Roll, gone};
use crate::model::{FinalState, MessageId, State, StatusOutcome};
use crate::retry::{TokenBucket, later};
use crate::spool::{Asked, QUESTION_LEASE, Question, Queue, SpoolError, Step};

/// Longest sleep of the loop, so that a step of the clock delays nobody for long.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Shortest sleep of the loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// Sleep of the loop while something is due that a round just now could not have.
const STUCK_WAIT: Duration = Duration::from_secs(1);
/// Questions a second to a gateway that is shut: its status endpoint may work all the same, and a message that is
/// never asked about would never be given up.
const RATE_WHILE_SHUT: f64 = 0.1;
/// Most messages of a gateway that is gone that are looked at in one go.
const GONE_BATCH: usize = 50;

/// The loop's own notes.
#[derive(Default)]
pub(super) struct Desk {
    usages: HashMap<String, Usage>,
    roll: Roll,
}

/// How much one gateway is asked.
struct Usage {
    /// Each question under way holds a copy.
    hands: Arc<()>,
    rate: TokenBucket,
    rate_while_shut: TokenBucket,
}

impl Usage {
    fn new(settings: &Settings, now: Timestamp) -> Self {
        Self {
            hands: Arc::default(),
            rate: TokenBucket::new(settings.questions_per_second, now),
            rate_while_shut: TokenBucket::new(RATE_WHILE_SHUT, now),
        }
    }

    /// Questions that may begin now.
    fn room(&mut self, concurrency: usize, is_shut: bool, now: Timestamp) -> usize {
        let busy = Arc::strong_count(&self.hands) - 1;
        let free = concurrency.saturating_sub(busy).min(self.rate.available(now));
        if is_shut { free.min(self.rate_while_shut.available(now)) } else { free }
    }

    /// When the rate lets another one begin; `None` when it does now.
    fn next_at(&mut self, is_shut: bool, now: Timestamp) -> Option<Timestamp> {
        let slow = if is_shut { self.rate_while_shut.next_at(now) } else { None };
        self.rate.next_at(now).max(slow)
    }

    fn begins(&mut self, is_shut: bool, now: Timestamp) -> Arc<()> {
        self.rate.take(1, now);
        if is_shut {
            self.rate_while_shut.take(1, now);
        }
        Arc::clone(&self.hands)
    }
}

impl Tracking {
    /// Begins as many questions as there is room for. Returns how long nothing new can come by time alone; an
    /// answer and a signal of the spool come besides.
    pub(super) async fn round(
        self: &Arc<Self>,
        desk: &mut Desk,
        questions: &mut JoinSet<()>,
        now: Timestamp,
    ) -> Result<Duration, SpoolError> {
        if !desk.roll.is_current(&self.lines) {
            for gone in desk.roll.call(&self.lines, self.spool.gateways().await?) {
                desk.usages.remove(&gone);
            }
        }
        let before = questions.len();
        let mut next: Vec<Timestamp> = Vec::new();
        for (at, line) in self.lines.all().iter().enumerate() {
            for name in desk.roll.names(line, at == 0) {
                next.extend(self.ask_line(desk, questions, line, name, now).await?);
            }
        }
        for name in desk.roll.missing() {
            next.extend(self.decide_unasked(name, now).await?);
        }
        Ok(match next.into_iter().min() {
            Some(time) if now < time => {
                let wait = Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO);
                wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)
            }
            // Perhaps the spool has more of the same.
            Some(_) if questions.len() != before => SHORTEST_WAIT,
            Some(_) => STUCK_WAIT,
            None => LONGEST_WAIT,
        })
    }

    /// Asks a gateway about its messages as far as it has room. Returns when to look again; `None` when an
    /// answer has to come first, or when nothing waits.
    async fn ask_line(
        self: &Arc<Self>,
        desk: &mut Desk,
        questions: &mut JoinSet<()>,
        line: &Line,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SpoolError> {
        let (paused, is_shut) =
            line.gate.with(|gate| (gate.questions_paused_until(now), gate.trouble().is_some()));
        if paused.is_some() {
            return Ok(paused);
        }
        let own = line.gateway.name().to_owned();
        let usage = desk.usages.entry(own).or_insert_with(|| Usage::new(&self.settings, now));
        let room = usage.room(self.settings.concurrency, is_shut, now);
        if room == 0 {
            return Ok(usage.next_at(is_shut, now));
        }
        // Looking first waits for no commit.
        let due = self.next_due(name).await?;
        if due.is_none_or(|time| time > now) {
            return Ok(due);
        }
        let again_at = later(now, QUESTION_LEASE);
        for question in self.spool.questions(Asked::Sent, name.to_owned(), now, again_at, room).await? {
            match self.postponed(&question, name, now) {
                Some(ask_at) => {
                    let (worker, hand) = (Arc::clone(self), Arc::clone(&usage.hands));
                    questions.spawn(async move {
                        worker.settle(&question, Step::AskAgain { ask_at }, now).await;
                        drop(hand);
                    });
                }
                None => {
                    let hand = usage.begins(is_shut, now);
                    questions.spawn(Arc::clone(self).ask(line.clone(), question, hand));
                }
            }
        }
        if usage.room(self.settings.concurrency, is_shut, now) == 0 {
            return Ok(usage.next_at(is_shut, now));
        }
        self.next_due(name).await
    }

    /// Until when a question may wait, as the platform now tells by itself.
    fn postponed(&self, question: &Question, gateway: &str, now: Timestamp) -> Option<Timestamp> {
        if question.asked > 0 {
            return None;
        }
        let until = self.settings.plan.postponed(question.since, now, self.flow.last(gateway))?;
        let until = judge::silent_at(question).map_or(until, |silent_at| until.min(silent_at));
        (now < until).then_some(until)
    }

    async fn next_due(&self, gateway: &str) -> Result<Option<Timestamp>, SpoolError> {
        self.spool.next_due(Queue::Ask(Asked::Sent, gateway.to_owned())).await
    }

    /// Decides about what went by a gateway that is gone: as about what the platform cannot tell. Returns when the
    /// next one is due.
    async fn decide_unasked(&self, gateway: &str, now: Timestamp) -> Result<Option<Timestamp>, SpoolError> {
        let due = self.next_due(gateway).await?;
        if due.is_none_or(|time| time > now) {
            return Ok(due);
        }
        let again_at = later(now, QUESTION_LEASE);
        let name = gateway.to_owned();
        for question in self.spool.questions(Asked::Sent, name, now, again_at, GONE_BATCH).await? {
            let outcome = StatusOutcome::CannotTell { until: None, cause: gone(gateway) };
            let step = judge::after_question(outcome, &question, now, fastrand::f64(), &self.settings);
            self.settle(&question, step, now).await;
        }
        self.next_due(gateway).await
    }

    async fn ask(self: Arc<Self>, line: Line, question: Question, hand: Arc<()>) {
        let id = question.id;
        let outcome = line.gateway.status(&id, question.channel).await;
        let now = Timestamp::now();
        if let StatusOutcome::CannotTell { until: Some(until), .. } = &outcome {
            // Whether messages can be sent is not for the status endpoint to say.
            line.gate.pause_questions(*until, now);
        }
        let step = judge::after_question(outcome, &question, now, fastrand::f64(), &self.settings);
        self.settle(&question, step, now).await;
        drop(hand);
    }

    /// Said once it is written: the log never knows more than the spool.
    async fn settle(&self, question: &Question, step: Step, now: Timestamp) {
        let id = question.id;
        match self.spool.settle(id, question.attempt, step.clone(), now).await {
            Ok(state) => log_step(id, &step, state),
            // A callback was faster.
            Err(SpoolError::Stale(_)) => tracing::debug!(%id, "it has moved on since it was asked about"),
            Err(error) => {
                tracing::error!(%id, %error, "the delivery status is not written; it will be asked again");
            }
        }
    }
}

fn log_step(id: MessageId, step: &Step, state: State) {
    match (step, state) {
        (Step::Final { state: said, cause }, State::Final(state)) if *said == state => {
            tracing::info!(%id, ?state, cause = %cause.text, "final");
        }
        (Step::NextWay { cause }, State::Due) => {
            tracing::info!(%id, cause = %cause.text, diagnostic = cause.masked_diagnostic().map(display), "the next way is tried");
        }
        (Step::AskAgain { ask_at }, _) => tracing::debug!(%id, ask = %ask_at, "no final status yet"),
        (_, State::Final(FinalState::Delivered)) => {
            tracing::info!(%id, "delivered by the platform's own word, whatever it answers now");
        }
        (_, state) => tracing::info!(%id, %state, "a callback had settled it before the answer came"),
    }
}
