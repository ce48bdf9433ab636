//! The only way out: claims what is due, calls the gateway, writes what came of it.
//!
//! It promises that a call is made only for a message whose attempt is on disk, that an outcome
//! nobody knows is asked about before a resend, and that the gate (`Retry-After`, circuit, faults
//! of the account) holds for every call. When it ends, calls under way are waited for; one that is
//! cut off stays claimed in the spool, and the next start asks the platform about it.

mod figures;
mod judge;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::crash_point;
use crate::gateway::{Gateway, SharedGate};
use crate::model::MessageId;
use crate::retry::{Backoff, Gate, Permission, later};
use crate::spool::{Asked, Claimed, QUESTION_LEASE, Question, Queue, Spool, SpoolError, Step};
pub use figures::Figures;

/// Longest sleep of the loop, so that a step of the clock delays nobody for long and the watchdog
/// sees the loop alive.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Shortest sleep of the loop, so that it never spins on something that is due and cannot be had.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// How long a message of unknown outcome is left alone while nobody may be asked about it.
const UNASKED_PAUSE: Duration = Duration::from_secs(60);
/// Most of them that are looked at in one go.
const UNASKED_BATCH: usize = 50;
/// Pause before a spool that failed is asked again.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

/// What dispatch is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Calls to the gateway at a time.
    pub concurrency: usize,
    /// Waits between attempts of one message.
    pub backoff: Backoff,
    /// Waits between probes of a gateway that is shut; for the [`SharedGate`].
    pub probe: Backoff,
    /// How long after a broken call the platform is first asked whether it has the message.
    pub ask_after: Duration,
    /// How long the platform is asked about a message of which it can't tell, before it is sent again.
    pub unknown_time: Duration,
    /// How long after sending the platform is first asked whether a message has arrived.
    pub ask_delivery_after: Duration,
}

/// Shows that a loop is alive: it beats at least every 10 seconds while it works.
#[derive(Debug)]
pub struct Pulse(Mutex<Instant>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long ago the last beat was.
    pub fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// The worker that sends.
pub struct Dispatch {
    /// Where messages wait.
    pub spool: Arc<dyn Spool>,
    /// Where they go.
    pub gateway: Arc<dyn Gateway>,
    /// Whether they may.
    pub gate: SharedGate,
    /// Shows that the worker is alive.
    pub pulse: Arc<Pulse>,
    /// Whether the platform counts as we do.
    pub figures: Figures,
    /// How.
    pub settings: Settings,
}

impl Dispatch {
    /// Works until `shutdown` turns true, then waits for the calls under way.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let signals = self.spool.signals();
        let worker = Arc::new(self);
        let mut calls = JoinSet::new();
        while !*shutdown.borrow_and_update() {
            worker.pulse.beat();
            // All that have ended make room, so that those that wait are claimed in one commit.
            while calls.try_join_next().is_some() {}
            let wait = match worker.start_calls(&mut calls).await {
                Ok(wait) => wait.clamp(SHORTEST_WAIT, LONGEST_WAIT),
                Err(error) => {
                    tracing::error!(%error, "the spool does not answer; trying again");
                    SPOOL_PAUSE
                }
            };
            tokio::select! {
                _ = shutdown.changed() => {}
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
                () = signals.due.notified() => {}
                () = signals.unknown.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while calls.join_next().await.is_some() {
            worker.pulse.beat();
        }
    }

    /// Starts as many calls as gate and concurrency allow. Returns how long nothing new can come by
    /// time alone; a call that ends and a signal of the spool come besides.
    async fn start_calls(self: &Arc<Self>, calls: &mut JoinSet<()>) -> Result<Duration, SpoolError> {
        let now = Timestamp::now();
        let free = self.settings.concurrency.saturating_sub(calls.len());
        let permission = self.gate.with(|gate| gate.permission(now));
        let (limit, shut_until) = match permission {
            Permission::Free => (free, None),
            Permission::Probe => (free.min(1), None),
            Permission::AwaitProbe => (0, None),
            Permission::NotBefore(time) => (0, Some(time)),
        };
        let probing = permission == Permission::Probe;
        if probing {
            self.gate.with(Gate::probe_begins);
        }
        let begun = self.begin(calls, now, limit, probing).await;
        if probing && !matches!(begun, Ok(1..)) {
            self.gate.with(Gate::probe_unused);
        }
        if let Some(time) = shut_until {
            begun?;
            self.expire_unasked(now, time).await?;
            return Ok(until(now, time));
        }
        if begun? == limit {
            return Ok(LONGEST_WAIT);
        }
        let due = self.spool.next_due(Queue::Due).await?;
        let unknown = self.spool.next_due(Queue::Ask(Asked::Unknown)).await?;
        Ok([due, unknown].into_iter().flatten().min().map_or(LONGEST_WAIT, |time| until(now, time)))
    }

    /// Begins up to `limit` calls and returns how many. With a limit of 0 it still lets the spool
    /// expire what has outlived its time.
    async fn begin(
        self: &Arc<Self>,
        calls: &mut JoinSet<()>,
        now: Timestamp,
        limit: usize,
        probing: bool,
    ) -> Result<usize, SpoolError> {
        let mut begun = 0;
        // What is unknown stands before everything to the same destination, so it comes first. A
        // probe had better be a send: the status endpoint may work where sending does not.
        if !probing {
            begun += self.begin_questions(calls, now, limit).await?;
        }
        for claimed in self.spool.claim_due(now, limit - begun).await? {
            begun += 1;
            calls.spawn(Arc::clone(self).send(claimed));
        }
        if probing && begun == 0 {
            begun += self.begin_questions(calls, now, limit).await?;
        }
        Ok(begun)
    }

    async fn begin_questions(
        self: &Arc<Self>,
        calls: &mut JoinSet<()>,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, SpoolError> {
        if limit == 0 {
            return Ok(0);
        }
        // Looking first waits for no commit, and mostly there is nothing to ask.
        let next = self.spool.next_due(Queue::Ask(Asked::Unknown)).await?;
        if next.is_none_or(|time| time > now) {
            return Ok(0);
        }
        let questions = self.spool.questions(Asked::Unknown, now, later(now, QUESTION_LEASE), limit).await?;
        let begun = questions.len();
        for question in questions {
            calls.spawn(Arc::clone(self).ask(question));
        }
        Ok(begun)
    }

    /// Ends what has outlived its time while nobody could be asked whether the platform has it. A
    /// probe asks about one message only, and a gateway may be shut for days.
    async fn expire_unasked(&self, now: Timestamp, shut_until: Timestamp) -> Result<(), SpoolError> {
        let again_at = shut_until.min(later(now, UNASKED_PAUSE));
        for question in self.spool.questions(Asked::Unknown, now, again_at, UNASKED_BATCH).await? {
            let step = judge::unasked(&question, self.gate.cause(), now, again_at);
            match self.spool.settle(question.id, question.attempt, step.clone(), now).await {
                Ok(()) => log_step(question.id, question.attempt, &step),
                // It is looked at again when its time comes.
                Err(error) => tracing::error!(id = %question.id, %error, "what became of it is not written"),
            }
        }
        Ok(())
    }

    async fn send(self: Arc<Self>, claimed: Claimed) {
        let id = claimed.sms.id;
        crash_point::reach("before-send");
        let outcome = self.gateway.send(&claimed.sms).await;
        crash_point::reach("after-send");
        let now = Timestamp::now();
        let (step, answer) =
            judge::after_send(outcome, claimed.attempt, now, fastrand::f64(), &self.settings);
        self.gate.answered(self.gateway.name(), id, answer, now);
        // The message is claimed until this is written, so it is written however long the spool is
        // unavailable; a process that ends before leaves it to the next start.
        while let Err(error) = self.spool.settle(id, claimed.attempt, step.clone(), Timestamp::now()).await {
            match error {
                SpoolError::Unavailable(_) => {
                    tracing::error!(%id, %error, "the outcome is not written yet; trying again");
                    tokio::time::sleep(SPOOL_PAUSE).await;
                }
                SpoolError::Stale(_) | SpoolError::StaleMail(_) | SpoolError::Unusable(_) => {
                    tracing::error!(%id, %error, "the outcome cannot be written");
                    return;
                }
            }
        }
        // Said once it is written: the log never knows more than the spool.
        log_step(id, claimed.attempt, &step);
        if let Step::Sent { parts, unicode, .. } = step {
            self.figures.compare(id, &claimed.sms.text, parts, unicode);
        }
    }

    async fn ask(self: Arc<Self>, question: Question) {
        let id = question.id;
        let outcome = self.gateway.status(&id).await;
        let now = Timestamp::now();
        let (step, answer) = judge::after_question(outcome, &question, now, fastrand::f64(), &self.settings);
        match answer {
            Some(answer) => self.gate.answered(self.gateway.name(), id, answer, now),
            // If this was a probe it proved nothing, and the next call may be one.
            None => self.gate.with(Gate::probe_unused),
        }
        match self.spool.settle(id, question.attempt, step.clone(), now).await {
            Ok(()) => log_step(id, question.attempt, &step),
            // It is handed out again when its time comes.
            Err(error) => tracing::error!(%id, %error, "what the platform knows is not written"),
        }
    }
}

fn until(now: Timestamp, time: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO)
}

fn log_step(id: MessageId, attempt: u32, step: &Step) {
    match step {
        Step::Sent { parts, note, .. } => tracing::info!(%id, attempt, parts, "{note}"),
        Step::Retry { at, cause } => {
            tracing::warn!(%id, attempt, next = %at, cause = %cause.text, diagnostic = cause.diagnostic, "tried again later");
        }
        Step::Unknown { ask_at, cause } => {
            tracing::warn!(%id, attempt, ask = %ask_at, cause = %cause.text, "outcome unknown; the platform is asked");
        }
        Step::AskAgain { ask_at } => tracing::debug!(%id, attempt, ask = %ask_at, "still unknown"),
        Step::Final { state, cause } => {
            tracing::warn!(%id, attempt, ?state, cause = %cause.text, diagnostic = cause.diagnostic, "given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::model::{
        Cause, Client, Door, Encoding, EnhancedStatus, Fate, FinalState, Message, Notify, Original,
        PhoneNumber, Recipient, ReportTo, SendOutcome, SenderId, Sms, SmsOptions, SmsText, State,
        StatusOutcome, Submission, SubmissionId,
    };
    use crate::retry::Answer;
    use crate::spool::sqlite::{self, SqliteSpool};

    /// A platform that must not be called.
    struct Untouchable;

    #[async_trait]
    impl Gateway for Untouchable {
        fn name(&self) -> &str {
            "platform"
        }

        async fn send(&self, sms: &Sms) -> SendOutcome {
            panic!("{} was sent through a shut gate", sms.id)
        }

        async fn status(&self, id: &MessageId) -> StatusOutcome {
            panic!("{id} was asked about through a shut gate")
        }
    }

    fn submission(number: &str, accepted: Timestamp, lifetime: Duration) -> Submission {
        let id = SubmissionId::new(accepted);
        let sms = Sms {
            id: id.message(1),
            destination: PhoneNumber::from_e164(number).unwrap(),
            sender: SenderId::of_relay(),
            text: SmsText { body: "x".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions::default(),
        };
        let recipient = Recipient { address: number.to_owned(), notify: Notify::Unspecified, orcpt: None };
        let expires_at = later(accepted, lifetime);
        Submission {
            id,
            received_at: accepted,
            client: Client {
                door: Door::Smtp,
                listener: "lan".to_owned(),
                address: "10.0.0.7".parse().unwrap(),
                helo: None,
                account: None,
            },
            report_to: ReportTo::Nobody("a test".to_owned()),
            original: Original::default(),
            messages: vec![Message {
                sms,
                recipient,
                rule: "default".to_owned(),
                expires_at,
                fate: Fate::Due,
            }],
            forwards: Vec::new(),
        }
    }

    #[tokio::test]
    async fn behind_a_shut_gate_the_unknown_expires_and_nothing_else_happens_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let settings = sqlite::Settings { directory: directory.path().join("spool"), min_free_octets: 0 };
        let spool = Arc::new(SqliteSpool::open(settings).unwrap());
        let now = Timestamp::now();
        let accepted = now.checked_sub(Duration::from_secs(3600)).unwrap();
        let old = submission("+393470000001", accepted, Duration::from_secs(60));
        let young = submission("+393470000002", accepted, Duration::from_secs(7200));
        let ids = [old.id, young.id];
        spool.accept(old).await.unwrap();
        spool.accept(young).await.unwrap();
        let broken = Cause::new(EnhancedStatus::new(4, 4, 2), "reset");
        for claimed in spool.claim_due(accepted, 2).await.unwrap() {
            let step = Step::Unknown { ask_at: accepted, cause: broken.clone() };
            spool.settle(claimed.sms.id, claimed.attempt, step, accepted).await.unwrap();
        }
        let wait = Backoff { first: Duration::from_secs(600), most: Duration::from_secs(600) };
        let gate = SharedGate::new(wait);
        let fault = Cause::new(EnhancedStatus::new(4, 3, 5), "http 401");
        gate.answered("platform", ids[0].message(1), Answer::Fault(fault), now);
        let worker = Arc::new(Dispatch {
            spool: spool.clone(),
            gateway: Arc::new(Untouchable),
            gate,
            pulse: Arc::default(),
            figures: Figures::new(),
            settings: Settings {
                concurrency: 8,
                backoff: wait,
                probe: wait,
                ask_after: Duration::ZERO,
                unknown_time: Duration::from_secs(600),
                ask_delivery_after: Duration::ZERO,
            },
        });
        let mut calls = JoinSet::new();
        worker.start_calls(&mut calls).await.unwrap();
        assert!(calls.is_empty());
        let mut states = Vec::new();
        for id in ids {
            let view = spool.submission(id).await.unwrap().unwrap();
            let message = view.messages.into_iter().next().unwrap();
            states.push((message.state, message.events.last().unwrap().note.clone()));
        }
        let expired = "its lifetime ended while the platform could not tell whether it has it: http 401";
        assert_eq!(
            states,
            [(State::Final(FinalState::Expired), expired.to_owned()), (State::Unknown, "reset".to_owned())]
        );
        spool.close().await;
    }
}
