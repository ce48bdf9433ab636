//! The relay in its room: does what the loops of the daemon do, whenever the virtual clock comes to where there is
//! something to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use fastrand::Rng;
use jiff::Timestamp;
use tempfile::TempDir;

use super::accounting::Books;
use super::appliances::Arrival;
use super::clock::{Clock, DAY, MINUTE, SECOND, at, millis};
use super::platform::{CALL, Platform, cause};
use super::setting::Setting;
use crate::app::clock;
use crate::config::Config;
use crate::dispatch::{judge, rooms};
use crate::gateway::Flow;
use crate::intake::Intake;
use crate::model::{
    Client, Door, Envelope, EnvelopeRecipient, MailAddress, Notify, Protocol, Reason, ReversePath,
    SendOutcome, State, Way,
};
use crate::reporting::limit::{HOUR, Ledger};
use crate::reporting::{Reporting, cases};
use crate::retry::{Gate, Permission, later};
use crate::spool::{
    Asked, Claimed, QUESTION_LEASE, Question, Queue, Room, Spool, SpoolError, SqliteSpool, Step,
};
use crate::tracking;

/// Jitter, which is no part of what is tested.
const JITTER: f64 = 0.5;
/// Shortest time between two rounds that time alone causes, as the daemon's.
const SHORTEST: i64 = 20;
/// The same where a round just now could do nothing.
const STUCK: i64 = SECOND;
/// After the last mail all must have ended within this.
const PATIENCE: i64 = 70 * DAY;

/// A run of a room.
pub(super) struct Plan {
    pub(super) setting: Setting,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) outages: Vec<(i64, i64)>,
    /// When the process dies and starts again.
    pub(super) restarts: Vec<i64>,
    pub(super) seed: u64,
}

/// A call under way.
struct Flight {
    way: Way,
    claimed: Claimed,
    takes: bool,
    outcome: SendOutcome,
}

pub(super) struct World {
    directory: TempDir,
    config: Config,
    clock: Clock,
    /// `None` only while the process is dead.
    spool: Option<Arc<SqliteSpool>>,
    intake: Option<Intake>,
    reporting: Option<Reporting>,
    gateway: String,
    gate: Gate,
    flow: Flow,
    ledger: Ledger,
    waiting_cases: usize,
    flights: BTreeMap<(i64, u64), Flight>,
    flown: u64,
    platform: Platform,
    rng: Rng,
    books: Books,
    /// When the loops look again.
    dispatch_at: i64,
    track_at: i64,
    tell_at: i64,
    told_at: i64,
    rounds: u64,
}

/// Lets the room live until everything has ended, and has the books checked.
pub(super) async fn run(plan: Plan) -> Books {
    let mut world = World::new(&plan);
    world.start().await;
    let (mut arrivals, mut restarts) = (plan.arrivals.iter().peekable(), plan.restarts.iter().peekable());
    let end = plan.arrivals.last().map_or(0, |last| last.at) + PATIENCE;
    loop {
        let next = [
            arrivals.peek().map(|arrival| arrival.at),
            restarts.peek().map(|at| **at),
            world.flights.keys().next().map(|(at, _)| *at),
            world.platform.next(),
            Some(world.dispatch_at),
            Some(world.track_at),
            Some(world.tell_at),
        ];
        let Some(next) = next.into_iter().flatten().min().filter(|next| *next < i64::MAX) else { break };
        assert!(next < end, "it does not come to an end: {:?}", world.spool().backlog().await);
        world.clock.jump_to(next);
        let now = world.clock.now();
        let mut is_new = false;
        while restarts.next_if(|at| **at <= now).is_some() {
            world.restart().await;
            is_new = true;
        }
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.at <= now) {
            world.submit(arrival).await;
            is_new = true;
        }
        while let Some(flight) = world.flights.first_entry().filter(|entry| entry.key().0 <= now) {
            let flight = flight.remove();
            world.land(flight).await;
            is_new = true;
        }
        while let Some(callback) = world.platform.says(now) {
            world.call_back(callback).await;
            is_new = true;
        }
        // A round ends what its summary told of, which is news.
        is_new |= world.dispatch_at <= now;
        if is_new {
            world.round().await;
        }
        if world.track_at <= now {
            world.track().await;
        }
        if world.tell_at <= now {
            world.tell().await;
        }
        world.look_ahead(is_new).await;
    }
    world.finish(&plan).await
}

fn client(arrival: &Arrival) -> Client {
    Client {
        door: Door::Smtp,
        listener: "mail".to_owned(),
        address: arrival.source.into(),
        helo: None,
        account: None,
    }
}

fn envelope(arrival: &Arrival) -> Envelope {
    let recipient = EnvelopeRecipient {
        address: MailAddress::parse(&format!("{}@sms.local", arrival.to)).unwrap(),
        notify: Notify::Unspecified,
        orcpt: None,
    };
    Envelope {
        protocol: Protocol::Esmtp,
        reverse_path: ReversePath::Path(MailAddress::parse(&arrival.from).unwrap()),
        ret: None,
        envid: None,
        smtputf8: false,
        recipients: vec![recipient],
    }
}

impl World {
    fn new(plan: &Plan) -> Self {
        // A spool syncs every commit; nothing here depends on that.
        let memory = std::path::Path::new("/dev/shm");
        let directory = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        let config = plan.setting.load(directory.path());
        let gateway = config.gateways[0].api.name.clone();
        Self {
            gate: Gate::new(config.dispatch.probe),
            ledger: Ledger::recall(config.reporting.reports_per_hour, &[]),
            directory,
            config,
            clock: Clock::default(),
            spool: None,
            intake: None,
            reporting: None,
            gateway,
            flow: Flow::default(),
            waiting_cases: 0,
            flights: BTreeMap::new(),
            flown: 0,
            platform: Platform::new(plan.seed, plan.outages.clone()),
            rng: Rng::with_seed(plan.seed ^ 0xD1CE),
            books: Books::default(),
            dispatch_at: 0,
            track_at: 0,
            tell_at: 0,
            told_at: -MINUTE,
            rounds: 0,
        }
    }

    fn spool(&self) -> Arc<SqliteSpool> {
        Arc::clone(self.spool.as_ref().unwrap())
    }

    /// What [`App::start`](crate::app::App::start) does, as far as there are no doors and no sockets.
    async fn start(&mut self) {
        let spool = Arc::new(SqliteSpool::open(self.config.spool.clone()).unwrap());
        let shared: Arc<dyn Spool> = spool.clone();
        let routing = Arc::new(ArcSwap::from_pointee(self.config.routing.clone()));
        let reading = self.clock.reading();
        self.intake =
            Some(Intake::with_clock(routing, Arc::clone(&shared), self.config.intake.clone(), reading));
        self.reporting =
            Some(Reporting::new(Arc::clone(&shared), None, Arc::default(), self.config.reporting.clone()));
        let now = self.clock.timestamp();
        spool.recover(now, later(now, self.config.dispatch.ask_after)).await.unwrap();
        let Config { dispatch, tracking, reporting, telling, .. } = &self.config;
        clock::shorten(shared.as_ref(), clock::waits(dispatch, tracking, reporting, telling), now, None)
            .await
            .unwrap();
        self.gate = Gate::new(self.config.dispatch.probe);
        self.flow = Flow::default();
        let filed = spool.reports_since(now.checked_sub(HOUR).unwrap()).await.unwrap();
        self.ledger = Ledger::recall(self.config.reporting.reports_per_hour, &filed);
        self.waiting_cases = 0;
        self.spool = Some(spool);
    }

    /// The process dies in the middle of everything; of some calls under way the platform has the message.
    async fn restart(&mut self) {
        let now = self.clock.now();
        for (_, flight) in std::mem::take(&mut self.flights) {
            if self.platform.out_until(now).is_none() && self.rng.bool() {
                self.platform.take(&flight.claimed.sms, now);
            }
        }
        (self.intake, self.reporting, self.spool) = (None, None, None);
        self.start().await;
        self.books.check_after_restart(self.directory.path());
        (self.dispatch_at, self.track_at, self.tell_at) = (now, now, now);
    }

    async fn submit(&mut self, arrival: &Arrival) {
        let before = self.books.before(self.directory.path(), arrival);
        let intake = self.intake.as_ref().unwrap();
        let (client, envelope) = (client(arrival), envelope(arrival));
        let recipient = envelope.recipients[0].address.clone();
        let named = intake.check_recipient(&client, &envelope.reverse_path, &recipient).await;
        let taken = match named {
            Ok(()) => intake.submit_mail(&client, envelope, arrival.bytes.clone()).await,
            Err(refusal) => Err(refusal),
        };
        self.books.came(arrival, taken, before);
    }

    /// What `Dispatch::round` does.
    async fn round(&mut self) {
        self.rounds += 1;
        let (now, spool) = (self.clock.now(), self.spool());
        if self.gate.permission_to_ask(at(now)) == Permission::Free {
            self.ask_unknown(usize::MAX).await;
        }
        let permission = self.gate.permission(at(now));
        let concurrency = self.config.gateways[0].line.concurrency;
        let calls = rooms::calls(permission, concurrency, self.flights.len(), [usize::MAX; 3]);
        let probe = match permission {
            Permission::Probe if calls[0] > 0 => self.gate.probe_begins(),
            Permission::Probe | Permission::Free | Permission::NotBefore(_) | Permission::AwaitProbe => None,
        };
        let is_open = !self.gate.is_out(at(now), judge::PATIENCE);
        let room = Room { gateway: self.gateway.clone(), calls, is_open, may_hang: self.gate.may_hang() };
        let found = spool.claim_due(at(now), vec![room]).await.unwrap();
        let has_found = !found.is_empty();
        for call in found {
            for claimed in call.messages {
                self.books.called(claimed.sms.id, claimed.attempt, now);
                let (takes, outcome) = self.platform.judge(&claimed.sms, claimed.attempt, now);
                self.flown += 1;
                let flight = Flight { way: call.way.clone(), claimed, takes, outcome };
                self.flights.insert((now + CALL, self.flown), flight);
            }
        }
        if let Some(probe) = probe.filter(|_| !has_found) {
            self.ask_unknown(1).await;
            self.gate.probe_unused(probe);
        }
        let to_ask = self.gate.permission_to_ask(at(now));
        if let Some(again_at) = rooms::looked_at_again(to_ask, at(now)) {
            let found = spool.unasked(self.gateway.clone(), at(now), again_at, 50).await.unwrap();
            let why = self.gate.trouble().map_or_else(|| cause(Reason::NotReached), |(_, why)| why.clone());
            for question in found {
                let step = judge::unasked(&question, why.clone(), at(now), again_at, &self.config.dispatch);
                if let Some(step) = step {
                    self.settle_question(&question, step).await;
                }
            }
        }
        let queue = self.queue();
        let next = [spool.next_due(queue).await.unwrap(), self.next_question(Asked::Unknown).await];
        let gate = match self.gate.permission(at(now)) {
            Permission::NotBefore(time) => Some(time),
            Permission::Free | Permission::Probe | Permission::AwaitProbe => None,
        };
        let next = next.into_iter().flatten().min();
        // A gate that is shut is waited for only by who has something to send.
        let next =
            next.map(|next| gate.map_or(next, |gate| if next < at(now) { gate } else { next.min(gate) }));
        self.dispatch_at = match next.map(millis) {
            Some(next) if now < next => next.max(now + SHORTEST),
            Some(_) if has_found => now + SHORTEST,
            Some(_) => now + STUCK,
            None => i64::MAX,
        };
    }

    fn queue(&self) -> Queue {
        let now = at(self.clock.now());
        let concurrency = self.config.gateways[0].line.concurrency;
        let has_room =
            rooms::calls(self.gate.permission(now), concurrency, self.flights.len(), [usize::MAX; 3])[0] > 0;
        let known = vec![self.gateway.clone()];
        Queue::Due { open: if has_room { known.clone() } else { Vec::new() }, known }
    }

    async fn next_question(&self, asked: Asked) -> Option<Timestamp> {
        self.spool().next_due(Queue::Ask(asked, self.gateway.clone())).await.unwrap()
    }

    async fn questions(&self, asked: Asked, most: usize) -> Vec<Question> {
        let now = self.clock.timestamp();
        let again_at = later(now, QUESTION_LEASE);
        self.spool().questions(asked, self.gateway.clone(), now, again_at, most).await.unwrap()
    }

    async fn ask_unknown(&mut self, most: usize) {
        let now = self.clock.now();
        for question in self.questions(Asked::Unknown, most.min(50)).await {
            let outcome = self.platform.status(question.id, now);
            let (step, answer) =
                judge::after_question(outcome, &question, at(now), JITTER, &self.config.dispatch);
            if let Some(answer) = answer {
                self.gate.answered(question.id, answer, at(now), JITTER);
            }
            self.settle_question(&question, step).await;
        }
    }

    /// What `Dispatch::send` does once the platform has answered.
    async fn land(&mut self, flight: Flight) {
        let Flight { way, claimed, takes, outcome } = flight;
        let (now, id) = (self.clock.now(), claimed.sms.id);
        if takes {
            self.platform.take(&claimed.sms, now);
        }
        self.gate.answered(id, judge::answer(&outcome), at(now), JITTER);
        let gateways = [self.gateway.clone()];
        let last_callback = self.flow.last(&self.gateway);
        let attempt = judge::Attempt { claimed: &claimed, way: &way, gateways: &gateways, last_callback };
        let step = judge::after_send(outcome, &attempt, at(now), JITTER, &self.config.dispatch);
        self.spool().settle(id, claimed.attempt, step, at(now)).await.unwrap();
    }

    async fn settle_question(&self, question: &Question, step: Step) -> Option<State> {
        match self.spool().settle(question.id, question.attempt, step, self.clock.timestamp()).await {
            Ok(state) => Some(state),
            Err(SpoolError::Stale(_)) => None,
            Err(error) => panic!("{}: {error}", question.id),
        }
    }

    async fn call_back(&mut self, callback: crate::model::Callback) {
        let now = self.clock.timestamp();
        self.spool().take_callback(callback, now).await.unwrap();
        self.flow.came(&self.gateway, now);
    }

    /// What `Tracking::round` does.
    async fn track(&mut self) {
        let now = self.clock.now();
        if self.gate.questions_paused_until(at(now)).is_some() {
            return;
        }
        let settings = self.config.tracking;
        for question in self.questions(Asked::Sent, 50).await {
            let last = self.flow.last(&self.gateway);
            let until = (question.asked == 0)
                .then(|| settings.plan.postponed(question.since, at(now), last))
                .flatten();
            let step = match until.filter(|until| at(now) < *until) {
                Some(ask_at) => Step::AskAgain { ask_at },
                None => {
                    let outcome = self.platform.status(question.id, now);
                    tracking::judge::after_question(outcome, &question, at(now), JITTER, &settings)
                }
            };
            self.settle_question(&question, step).await;
            // The spool's signal: a summary may have ended by it.
            self.dispatch_at = self.dispatch_at.min(now + SHORTEST);
        }
    }

    async fn tell(&mut self) {
        let now = self.clock.timestamp();
        self.told_at = self.clock.now();
        let reporting = self.reporting.as_ref().unwrap();
        while cases::look(reporting, &mut self.ledger, &mut self.waiting_cases, now).await.unwrap().is_none()
        {
        }
    }

    /// When the loops have something to do again.
    async fn look_ahead(&mut self, is_new: bool) {
        let (now, spool) = (self.clock.now(), self.spool());
        let soon = |next: Option<Timestamp>| next.map_or(i64::MAX, |next| millis(next).max(now + SHORTEST));
        if is_new || self.track_at <= now {
            self.track_at = soon(self.next_question(Asked::Sent).await);
            let paused = self.gate.questions_paused_until(at(now)).map_or(0, millis);
            self.track_at = self.track_at.max(paused);
        }
        if is_new || self.tell_at <= now {
            let window = self.config.reporting.window;
            let cases = spool.next_due(Queue::Cases).await.unwrap().map(|due| later(due, window));
            let delays = spool.next_due(Queue::Delays).await.unwrap();
            // What is beyond the hourly most is looked at again and again.
            self.tell_at = soon([cases, delays].into_iter().flatten().min()).max(self.told_at + MINUTE);
            if cases.is_none() && delays.is_none() {
                self.tell_at = i64::MAX;
            }
        }
    }

    async fn finish(mut self, plan: &Plan) -> Books {
        let spool = self.spool.take().unwrap();
        spool.close().await;
        self.books.close(self.directory.path(), &self.platform, plan, self.rounds);
        self.books
    }
}
