//! One round of the loop: what may begin now begins.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::desk::Desk;
use super::{Dispatch, judge, rooms};
use crate::gateway::{Line, Probe, gone};
use crate::model::{Lane, StatusOutcome};
use crate::retry::{Permission, later};
use crate::spool::{Asked, Call, QUESTION_LEASE, Question, Queue, SpoolError};

/// Longest sleep of the loop, so that a step of the clock delays nobody for long and the watchdog
/// sees the loop alive.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Shortest sleep of the loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// Sleep of the loop while something is due that a round just now could not have: mostly it waits for a call
/// to end, and that wakes the loop.
const STUCK_WAIT: Duration = Duration::from_secs(1);
/// Most messages of unknown outcome that are looked at in one go while nobody may be asked about them.
const UNASKED_BATCH: usize = 50;

impl Dispatch {
    /// Begins as many calls as gates, rates and concurrency allow. Returns how long nothing new can come by
    /// time alone; a call that ends and a signal of the spool come besides.
    pub(super) async fn round(
        self: &Arc<Self>,
        desk: &mut Desk,
        calls: &mut JoinSet<()>,
        now: Timestamp,
    ) -> Result<Duration, SpoolError> {
        for gone in desk.look(&self.lines, self.spool.as_ref()).await? {
            self.traffic.forget(&gone);
        }
        let lines = self.lines.all();
        let before = calls.len();
        let mut next: Vec<Timestamp> = Vec::new();
        // What is unknown stands before everything to the same destination, so it comes first. A probe had better be a
        // send, though: the status endpoint may work where sending does not.
        for (at, line) in lines.iter().enumerate() {
            if line.gate.with(|gate| gate.permission_to_ask(now)) == Permission::Free {
                next.extend(self.begin_questions(desk, calls, line, at == 0, now).await?);
            }
        }
        self.begin_calls(desk, calls, &lines, now).await?;
        for (at, line) in lines.iter().enumerate() {
            let permission = line.gate.with(|gate| gate.permission_to_ask(now));
            let Some(again_at) = rooms::looked_at_again(permission, now) else { continue };
            for name in desk.roll.names(line, at == 0) {
                next.extend(self.look_unasked(line, name, now, again_at).await?);
            }
        }
        for name in desk.roll.missing() {
            next.extend(self.decide_unasked(name, now).await?);
        }
        let mut open = Vec::new();
        for line in lines.iter() {
            let (permission, room) = desk.room(line, now);
            self.traffic.set_open(line.gateway.name(), room.is_open);
            if room.calls.iter().any(|calls| *calls > 0) {
                open.push(room.gateway);
            }
            if let Permission::NotBefore(time) = permission {
                next.push(time);
            }
            next.extend(desk.next_by_rate(line, now));
        }
        let known = lines.iter().map(|line| line.gateway.name().to_owned()).collect();
        next.extend(self.spool.next_due(Queue::Due { open, known }).await?);
        Ok(match next.into_iter().min() {
            Some(time) if now < time => until(now, time).clamp(SHORTEST_WAIT, LONGEST_WAIT),
            // Perhaps the spool has more of the same.
            Some(_) if calls.len() != before => SHORTEST_WAIT,
            Some(_) => STUCK_WAIT,
            None => LONGEST_WAIT,
        })
    }

    /// Claims what the gateways have room for and begins the calls. Without room it still lets the spool
    /// release and expire what has to be.
    async fn begin_calls(
        self: &Arc<Self>,
        desk: &mut Desk,
        calls: &mut JoinSet<()>,
        lines: &[Line],
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        let mut rooms = Vec::new();
        let mut probes: Vec<(usize, Probe)> = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let (permission, room) = desk.room(line, now);
            if permission == Permission::Probe && (room.calls[0] > 0 || desk.questions(line, now) > 0) {
                probes.extend(line.gate.begin_probe().map(|probe| (at, probe)));
            }
            rooms.push(room);
        }
        for call in self.spool.claim_due(now, rooms).await? {
            let found = lines.iter().find(|line| line.gateway.name() == call.gateway);
            let place = probes.iter().position(|(at, _)| lines[*at].gateway.name() == call.gateway);
            let probe = place.map(|place| probes.swap_remove(place).1);
            match found {
                Some(line) => self.begin_call(desk, calls, line, call, probe, now),
                // The spool was told of no other; what it claimed all the same is not lost.
                None => {
                    tracing::error!(
                        gateway = call.gateway,
                        "the spool names a gateway that it was not told of"
                    );
                    drop(calls.spawn(Arc::clone(self).give_back(call)));
                }
            }
        }
        // What nobody sent with asks, or goes back.
        for (at, probe) in probes {
            let line = &lines[at];
            if desk.questions(line, now) == 0 {
                continue;
            }
            for name in desk.roll.names(line, at == 0) {
                if let Some(question) = self.to_ask(name, 1, now).await?.pop() {
                    self.begin_question(desk, calls, line, question, Some(probe));
                    break;
                }
            }
        }
        Ok(())
    }

    fn begin_call(
        self: &Arc<Self>,
        desk: &mut Desk,
        calls: &mut JoinSet<()>,
        line: &Line,
        call: Call,
        probe: Option<Probe>,
        now: Timestamp,
    ) {
        let lane = call.messages.iter().map(|claimed| claimed.lane).min().unwrap_or(Lane::Normal);
        let hold = desk.call_begins(&call.gateway, lane, call.messages.len(), now);
        calls.spawn(Arc::clone(self).send(line.clone(), call, hold, probe));
    }

    /// Asks about unknown outcomes as far as there is room. Returns when the next one is due, where there is room
    /// for it.
    async fn begin_questions(
        self: &Arc<Self>,
        desk: &mut Desk,
        calls: &mut JoinSet<()>,
        line: &Line,
        is_first: bool,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SpoolError> {
        let mut next = None;
        for name in desk.roll.names(line, is_first) {
            let limit = desk.questions(line, now);
            if limit == 0 {
                return Ok(None);
            }
            // Looking first waits for no commit, and mostly there is nothing to ask.
            let mut due = self.next_unknown(name).await?;
            if due.is_some_and(|time| time <= now) {
                for question in self.to_ask(name, limit, now).await? {
                    self.begin_question(desk, calls, line, question, None);
                }
                due = self.next_unknown(name).await?;
            }
            next = [next, due].into_iter().flatten().min();
        }
        Ok(if desk.questions(line, now) == 0 { None } else { next })
    }

    async fn next_unknown(&self, gateway: &str) -> Result<Option<Timestamp>, SpoolError> {
        self.spool.next_due(Queue::Ask(Asked::Unknown, gateway.to_owned())).await
    }

    /// Takes up to `limit` messages that it is time to ask about.
    async fn to_ask(&self, gateway: &str, limit: usize, now: Timestamp) -> Result<Vec<Question>, SpoolError> {
        let again_at = later(now, QUESTION_LEASE);
        let found = self.spool.questions(Asked::Unknown, gateway.to_owned(), now, again_at, limit).await?;
        Ok(self.but_simulations(found, gateway, now).await)
    }

    /// Settles those of `found` about which nobody need be asked; the others come back.
    async fn but_simulations(&self, found: Vec<Question>, gateway: &str, now: Timestamp) -> Vec<Question> {
        let mut questions = Vec::with_capacity(found.len());
        for question in found {
            match judge::unasked_simulation(&question, now, fastrand::f64(), &self.settings) {
                Some(step) => self.settle_question(&question, gateway, step, now).await,
                None => questions.push(question),
            }
        }
        questions
    }

    fn begin_question(
        self: &Arc<Self>,
        desk: &mut Desk,
        calls: &mut JoinSet<()>,
        line: &Line,
        question: Question,
        probe: Option<Probe>,
    ) {
        let hold = desk.question_begins(line.gateway.name());
        calls.spawn(Arc::clone(self).ask(line.clone(), question, hold, probe));
    }

    /// Ends what has outlived its time, and what its rule wants to fail, while nobody may be asked whether the platform
    /// has it. A probe asks about one message only, and a gateway may be shut for days. Returns when the next
    /// one is due.
    async fn look_unasked(
        &self,
        line: &Line,
        name: &str,
        now: Timestamp,
        again_at: Timestamp,
    ) -> Result<Option<Timestamp>, SpoolError> {
        let due = self.next_unknown(name).await?;
        if due.is_none_or(|time| time > now) {
            return Ok(due);
        }
        let cause = line.gate.cause();
        let found = self.spool.unasked(name.to_owned(), now, again_at, UNASKED_BATCH).await?;
        for question in self.but_simulations(found, name, now).await {
            // The others were put off by being handed out.
            if let Some(step) = judge::unasked(&question, cause.clone(), now, again_at, &self.settings) {
                self.settle_question(&question, name, step, now).await;
            }
        }
        self.next_unknown(name).await
    }

    /// Decides about what went by a gateway that is gone: as about what the platform cannot tell. Returns when the
    /// next one is due.
    async fn decide_unasked(&self, gateway: &str, now: Timestamp) -> Result<Option<Timestamp>, SpoolError> {
        let due = self.next_unknown(gateway).await?;
        if due.is_none_or(|time| time > now) {
            return Ok(due);
        }
        for question in self.to_ask(gateway, UNASKED_BATCH, now).await? {
            let outcome = StatusOutcome::CannotTell { until: None, cause: gone(gateway) };
            let (step, _) = judge::after_question(outcome, &question, now, fastrand::f64(), &self.settings);
            self.settle_question(&question, gateway, step, now).await;
        }
        self.next_unknown(gateway).await
    }
}

fn until(now: Timestamp, time: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO)
}
