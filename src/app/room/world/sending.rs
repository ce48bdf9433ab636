//! What `dispatch`, `tracking` and the callbacks' door do.

use jiff::Timestamp;

use super::super::clock::{at, millis};
use super::super::platform::{CALL, cause};
use super::{JITTER, SHORTEST, STUCK, World};
use crate::config::{Config, ConfiguredGateway};
use crate::dispatch::{judge, rooms};
use crate::model::{Callback, Reason, SendOutcome, State, Way};
use crate::retry::{Gate, Permission, later};
use crate::spool::{Asked, Claimed, QUESTION_LEASE, Question, Queue, Room, Spool, SpoolError, Step};
use crate::tracking;

/// Most questions at a time.
const QUESTIONS: usize = 50;

/// A gateway.
pub(super) struct Line {
    name: String,
    gate: Gate,
    concurrency: usize,
}

impl Line {
    pub(super) fn new(one: &ConfiguredGateway, config: &Config) -> Self {
        let gate = Gate::new(config.dispatch.probe);
        Self { name: one.api.name.clone(), gate, concurrency: one.line.concurrency }
    }
}

/// A call under way.
pub(super) struct Flight {
    pub(super) gateway: usize,
    way: Way,
    pub(super) claimed: Claimed,
    takes: bool,
    outcome: SendOutcome,
}

impl World {
    /// What `Dispatch::round` does.
    pub(super) async fn round(&mut self) {
        self.rounds += 1;
        let (now, spool) = (self.clock.now(), self.spool());
        let (is_unknown, _) = self.books.are_any_unknown_or_sent(self.directory.path());
        for gateway in 0..self.lines.len() {
            if is_unknown && self.lines[gateway].gate.permission_to_ask(at(now)) == Permission::Free {
                self.ask_unknown(gateway, QUESTIONS).await;
            }
        }
        let (mut rooms, mut probes) = (Vec::new(), Vec::new());
        for gateway in 0..self.lines.len() {
            let calls = self.calls(gateway);
            let line = &mut self.lines[gateway];
            if line.gate.permission(at(now)) == Permission::Probe && calls[0] > 0 {
                probes.extend(line.gate.probe_begins().map(|probe| (gateway, probe)));
            }
            let (is_open, may_hang) = (!line.gate.is_out(at(now), judge::PATIENCE), line.gate.may_hang());
            rooms.push(Room { gateway: line.name.clone(), calls, is_open, may_hang });
        }
        let found = spool.claim_due(at(now), rooms).await.unwrap();
        let has_found = !found.is_empty();
        for call in found {
            let gateway = self.lines.iter().position(|line| line.name == call.gateway).unwrap();
            probes.retain(|(of, _)| *of != gateway);
            for claimed in call.messages {
                self.books.called(self.directory.path(), claimed.sms.id, claimed.attempt, now);
                let (takes, outcome) = self.platform.judge(gateway, &claimed.sms, claimed.attempt, now);
                self.flown += 1;
                let flight = Flight { gateway, way: call.way.clone(), claimed, takes, outcome };
                self.flights.insert((now + CALL, self.flown), flight);
            }
        }
        for (gateway, probe) in probes {
            self.ask_unknown(gateway, 1).await;
            self.lines[gateway].gate.probe_unused(probe);
        }
        let (is_unknown, _) = self.books.are_any_unknown_or_sent(self.directory.path());
        for gateway in (0..self.lines.len()).filter(|_| is_unknown) {
            self.look_unasked(gateway).await;
        }
        let next = self.next_of_round(is_unknown).await;
        self.dispatch_at = match next {
            Some(next) if now < next => next.max(now + SHORTEST),
            Some(_) if has_found => now + SHORTEST,
            Some(_) => now + STUCK,
            None => i64::MAX,
        };
    }

    /// Ends what need not be asked about while nobody may be.
    async fn look_unasked(&mut self, gateway: usize) {
        let (now, spool) = (self.clock.now(), self.spool());
        let line = &self.lines[gateway];
        let to_ask = line.gate.permission_to_ask(at(now));
        let Some(again_at) = rooms::looked_at_again(to_ask, at(now)) else { return };
        let why = line.gate.trouble().map_or_else(|| cause(Reason::NotReached), |(_, why)| why.clone());
        let found = spool.unasked(line.name.clone(), at(now), again_at, QUESTIONS).await.unwrap();
        for question in found {
            let step = judge::unasked(&question, why.clone(), at(now), again_at, &self.config.dispatch);
            if let Some(step) = step {
                self.settle_question(&question, step).await;
            }
        }
    }

    /// When the next round is due by time alone; `is_unknown` where there is an outcome to be asked about.
    async fn next_of_round(&self, is_unknown: bool) -> Option<i64> {
        let (now, spool) = (self.clock.now(), self.spool());
        let known: Vec<String> = self.lines.iter().map(|line| line.name.clone()).collect();
        let has_room = |place: &usize| self.calls(*place)[0] > 0;
        let open: Vec<String> = (0..known.len()).filter(has_room).map(|place| known[place].clone()).collect();
        let mut next = spool.next_due(Queue::Due { open: open.clone(), known: known.clone() }).await.unwrap();
        for gateway in (0..self.lines.len()).filter(|_| is_unknown) {
            next = next.into_iter().chain(self.next_question(Asked::Unknown, gateway).await).min();
        }
        let shut_until = self.lines.iter().filter_map(|line| match line.gate.permission(at(now)) {
            Permission::NotBefore(time) => Some(time),
            Permission::Free | Permission::Probe | Permission::AwaitProbe => None,
        });
        // A gate that is shut is waited for only by who has something to send.
        let Some(gate) = shut_until.min() else { return next.map(millis) };
        let waits = spool.next_due(Queue::Due { open: known.clone(), known }).await.unwrap();
        let next = match next {
            Some(next) if next < at(now) && open.is_empty() => Some(gate),
            Some(next) => Some(next.min(gate)),
            None => waits.map(|_| gate),
        };
        next.map(millis)
    }

    /// How many calls a gateway can take now, by lane.
    fn calls(&self, gateway: usize) -> [usize; 3] {
        let line = &self.lines[gateway];
        let under_way = self.flights.values().filter(|flight| flight.gateway == gateway).count();
        let permission = line.gate.permission(at(self.clock.now()));
        rooms::calls(permission, line.concurrency, under_way, [usize::MAX; 3])
    }

    pub(super) async fn next_question(&self, asked: Asked, gateway: usize) -> Option<Timestamp> {
        self.spool().next_due(Queue::Ask(asked, self.lines[gateway].name.clone())).await.unwrap()
    }

    async fn questions(&self, asked: Asked, gateway: usize, most: usize) -> Vec<Question> {
        let now = self.timestamp();
        let name = self.lines[gateway].name.clone();
        self.spool().questions(asked, name, now, later(now, QUESTION_LEASE), most).await.unwrap()
    }

    async fn ask_unknown(&mut self, gateway: usize, most: usize) {
        let now = self.clock.now();
        for question in self.questions(Asked::Unknown, gateway, most).await {
            let outcome = self.platform.status(gateway, question.id, now);
            let (step, answer) =
                judge::after_question(outcome, &question, at(now), JITTER, &self.config.dispatch);
            if let Some(answer) = answer {
                self.lines[gateway].gate.answered(question.id, answer, at(now), JITTER);
            }
            self.settle_question(&question, step).await;
        }
    }

    /// What `Dispatch::send` does once the platform has answered.
    pub(super) async fn land(&mut self, flight: Flight) {
        let Flight { gateway, way, claimed, takes, outcome } = flight;
        let (now, id) = (self.clock.now(), claimed.sms.id);
        if takes {
            self.platform.take(gateway, &claimed.sms, now);
        }
        let gateways: Vec<String> = self.lines.iter().map(|line| line.name.clone()).collect();
        let line = &mut self.lines[gateway];
        line.gate.answered(id, judge::answer(&outcome), at(now), JITTER);
        let last_callback = self.flow.last(&line.name);
        let attempt = judge::Attempt { claimed: &claimed, way: &way, gateways: &gateways, last_callback };
        let step = judge::after_send(outcome, &attempt, at(now), JITTER, &self.config.dispatch);
        self.spool().settle(id, claimed.attempt, step, at(now)).await.unwrap();
    }

    async fn settle_question(&self, question: &Question, step: Step) -> Option<State> {
        match self.spool().settle(question.id, question.attempt, step, self.timestamp()).await {
            Ok(state) => Some(state),
            Err(SpoolError::Stale(_)) => None,
            Err(error) => panic!("{}: {error}", question.id),
        }
    }

    pub(super) async fn call_back(&mut self, (gateway, callback): (usize, Callback)) {
        let now = self.timestamp();
        self.spool().take_callback(callback, now).await.unwrap();
        self.flow.came(&self.lines[gateway].name, now);
    }

    /// What `Tracking::round` does.
    pub(super) async fn track(&mut self) {
        let now = self.clock.now();
        let settings = self.config.tracking;
        for gateway in 0..self.lines.len() {
            if self.lines[gateway].gate.questions_paused_until(at(now)).is_some() {
                continue;
            }
            for question in self.questions(Asked::Sent, gateway, QUESTIONS).await {
                let last = self.flow.last(&self.lines[gateway].name);
                let until = (question.asked == 0)
                    .then(|| settings.plan.postponed(question.since, at(now), last))
                    .flatten();
                let step = match until.filter(|until| at(now) < *until) {
                    Some(ask_at) => Step::AskAgain { ask_at },
                    None => {
                        let outcome = self.platform.status(gateway, question.id, now);
                        tracking::judge::after_question(outcome, &question, at(now), JITTER, &settings)
                    }
                };
                self.settle_question(&question, step).await;
                // The spool's signal: a summary may have ended by it.
                self.dispatch_at = self.dispatch_at.min(now + SHORTEST);
            }
        }
    }

    /// When the platform may be asked next.
    pub(super) async fn next_track(&self) -> i64 {
        let now = self.clock.now();
        let mut next = i64::MAX;
        for (place, line) in self.lines.iter().enumerate() {
            let paused = line.gate.questions_paused_until(at(now)).map_or(0, millis);
            let due = self.next_question(Asked::Sent, place).await.map_or(i64::MAX, millis);
            next = next.min(due.max(paused).max(now + SHORTEST));
        }
        next
    }
}
