//! One round of the loop: what may begin now begins.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::desk::Desk;
use super::{Dispatch, judge};
use crate::gateway::{Line, SharedGate, gone};
use crate::model::{Cause, Lane, StatusOutcome};
use crate::retry::{Gate, Permission, later};
use crate::spool::{Asked, Call, QUESTION_LEASE, Queue, SpoolError};

/// Longest sleep of the loop, so that a step of the clock delays nobody for long and the watchdog
/// sees the loop alive.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Shortest sleep of the loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// Sleep of the loop while something is due that a round just now could not have: mostly it waits for a call
/// to end, and that wakes the loop.
const STUCK_WAIT: Duration = Duration::from_secs(1);
/// How long a message of unknown outcome is left alone while nobody may be asked about it.
const UNASKED_PAUSE: Duration = Duration::from_secs(60);
/// Most of them that are looked at in one go.
const UNASKED_BATCH: usize = 50;

/// A probe that was taken from its gate; dropped unused, it goes back.
struct Probe(Option<SharedGate>);

impl Probe {
    fn begin(gate: &SharedGate) -> Self {
        gate.with(Gate::probe_begins);
        Self(Some(gate.clone()))
    }

    /// A call has it now.
    fn used(mut self) {
        self.0 = None;
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(gate) = &self.0 {
            gate.with(Gate::probe_unused);
        }
    }
}

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
        // What is unknown stands before everything to the same destination, so it comes first.
        for (at, line) in lines.iter().enumerate() {
            match line.gate.with(|gate| gate.permission(now)) {
                Permission::Free => next.extend(self.begin_questions(desk, calls, line, at == 0, now).await?),
                Permission::NotBefore(time) => {
                    let cause = line.gate.cause();
                    for name in desk.roll.names(line, at == 0) {
                        self.expire_unasked(name, &cause, now, time).await?;
                    }
                }
                // A probe had better be a send: the status endpoint may work where sending does not.
                Permission::Probe | Permission::AwaitProbe => {}
            }
        }
        self.begin_calls(desk, calls, &lines, now).await?;
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
            match permission {
                Permission::NotBefore(time) => next.push(time),
                // Nothing was there to probe with.
                Permission::Probe => next.extend(self.next_unknown(line.gateway.name()).await?),
                Permission::Free | Permission::AwaitProbe => {}
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
            if permission == Permission::Probe && (room.calls[0] > 0 || desk.questions(line) > 0) {
                probes.push((at, Probe::begin(&line.gate)));
            }
            rooms.push(room);
        }
        for call in self.spool.claim_due(now, rooms).await? {
            let found = lines.iter().find(|line| line.gateway.name() == call.gateway);
            if let Some(place) = probes.iter().position(|(at, _)| lines[*at].gateway.name() == call.gateway) {
                probes.swap_remove(place).1.used();
            }
            match found {
                Some(line) => self.begin_call(desk, calls, line, call, now),
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
        for (at, probe) in probes {
            let line = &lines[at];
            if desk.questions(line) == 0 {
                continue;
            }
            for name in desk.roll.names(line, at == 0) {
                if self.ask_some(desk, calls, line, name, 1, now).await? > 0 {
                    probe.used();
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
        now: Timestamp,
    ) {
        let lane = call.messages.iter().map(|claimed| claimed.lane).min().unwrap_or(Lane::Normal);
        let hold = desk.call_begins(&call.gateway, lane, call.messages.len(), now);
        calls.spawn(Arc::clone(self).send(line.clone(), call, hold));
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
            let limit = desk.questions(line);
            if limit == 0 {
                return Ok(None);
            }
            // Looking first waits for no commit, and mostly there is nothing to ask.
            let mut due = self.next_unknown(name).await?;
            if due.is_some_and(|time| time <= now)
                && self.ask_some(desk, calls, line, name, limit, now).await? > 0
            {
                due = self.next_unknown(name).await?;
            }
            next = [next, due].into_iter().flatten().min();
        }
        Ok(if desk.questions(line) == 0 { None } else { next })
    }

    async fn next_unknown(&self, gateway: &str) -> Result<Option<Timestamp>, SpoolError> {
        self.spool.next_due(Queue::Ask(Asked::Unknown, gateway.to_owned())).await
    }

    async fn ask_some(
        self: &Arc<Self>,
        desk: &mut Desk,
        calls: &mut JoinSet<()>,
        line: &Line,
        name: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<usize, SpoolError> {
        let again_at = later(now, QUESTION_LEASE);
        let questions = self.spool.questions(Asked::Unknown, name.to_owned(), now, again_at, limit).await?;
        let begun = questions.len();
        for question in questions {
            let hold = desk.question_begins(line.gateway.name());
            calls.spawn(Arc::clone(self).ask(line.clone(), question, hold));
        }
        Ok(begun)
    }

    /// Ends what has outlived its time while nobody could be asked whether the platform has it. A
    /// probe asks about one message only, and a gateway may be shut for days.
    async fn expire_unasked(
        &self,
        gateway: &str,
        cause: &Cause,
        now: Timestamp,
        shut_until: Timestamp,
    ) -> Result<(), SpoolError> {
        if self.next_unknown(gateway).await?.is_none_or(|time| time > now) {
            return Ok(());
        }
        let again_at = shut_until.min(later(now, UNASKED_PAUSE));
        let gateway_name = gateway.to_owned();
        for question in
            self.spool.questions(Asked::Unknown, gateway_name, now, again_at, UNASKED_BATCH).await?
        {
            // The others were put off until then by being handed out.
            if let Some(step) = judge::unasked(&question, cause.clone(), now) {
                self.settle_question(&question, gateway, step, now).await;
            }
        }
        Ok(())
    }

    /// Decides about what went by a gateway that is gone: as about what the platform cannot tell. Returns when the
    /// next one is due.
    async fn decide_unasked(&self, gateway: &str, now: Timestamp) -> Result<Option<Timestamp>, SpoolError> {
        let due = self.next_unknown(gateway).await?;
        if due.is_none_or(|time| time > now) {
            return Ok(due);
        }
        let again_at = later(now, QUESTION_LEASE);
        let name = gateway.to_owned();
        for question in self.spool.questions(Asked::Unknown, name, now, again_at, UNASKED_BATCH).await? {
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
