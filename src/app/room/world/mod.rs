//! The relay in its room: does what the loops of the daemon do, whenever the virtual clock comes to where there is
//! something to do.
//!
//! - `sending`: rounds, calls and questions; `telling`: reports, word to the operator, who is silent

mod sending;
mod telling;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use fastrand::Rng;
use jiff::Timestamp;
use tempfile::TempDir;

use self::sending::{Flight, Line};
use super::accounting::Books;
use super::appliances::Arrival;
use super::clock::{Clock, DAY, MINUTE, SECOND};
use super::journal;
use super::platform::{Outage, Platform};
use super::setting::Setting;
use crate::app::clock;
use crate::app::doors::OwnDoor;
use crate::config::Config;
use crate::gateway::Flow;
use crate::intake::Intake;
use crate::model::{Client, Door, Envelope, EnvelopeRecipient, MailAddress, Notify, Protocol, ReversePath};
use crate::notices::{Memory, Notices};
use crate::reporting::Reporting;
use crate::reporting::limit::{HOUR, Ledger};
use crate::retry::later;
use crate::spool::{Spool, SqliteSpool};
use crate::vigil::Vigil;

/// Jitter, which is no part of what is tested.
const JITTER: f64 = 0.5;
/// Shortest time between two rounds that time alone causes, as the daemon's.
const SHORTEST: i64 = 20;
/// The same where a round just now could do nothing.
const STUCK: i64 = SECOND;
/// After the last mail all must have ended within this.
const PATIENCE: i64 = 70 * DAY;
/// How long after the last mail it is still looked who is silent, and tested.
pub(super) const WATCHED: i64 = 2 * DAY;

/// A run of a room.
pub(super) struct Plan {
    pub(super) setting: Setting,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) outages: Vec<Outage>,
    /// When the process dies and starts again.
    pub(super) restarts: Vec<i64>,
    pub(super) seed: u64,
}

impl Plan {
    /// When nobody looks any more who is silent.
    pub(super) fn watched_until(&self) -> i64 {
        self.arrivals.last().map_or(0, |last| last.at) + WATCHED
    }
}

pub(super) struct World {
    directory: TempDir,
    config: Config,
    clock: Clock,
    /// `None` only while the process is dead.
    spool: Option<Arc<SqliteSpool>>,
    intake: Option<Arc<Intake>>,
    reporting: Option<Reporting>,
    notices: Option<Notices>,
    vigil: Option<Vigil>,
    lines: Vec<Line>,
    flow: Flow,
    ledger: Ledger,
    waiting_cases: usize,
    memory: Memory,
    flights: BTreeMap<(i64, u64), Flight>,
    flown: u64,
    platform: Platform,
    rng: Rng,
    books: Books,
    watched_until: i64,
    /// When the loops look again.
    dispatch_at: i64,
    track_at: i64,
    tell_at: i64,
    told_at: i64,
    notice_at: i64,
    watch_at: i64,
    /// The time of the runtime's own clock.
    advanced: i64,
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
            Some(world.notice_at),
            Some(world.watch_at),
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
        if world.watch_at <= now {
            is_new |= world.watch().await;
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
        if world.notice_at <= now || is_new && world.books.has_notices(world.directory.path()) {
            world.notify().await;
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
        Self {
            lines: config.gateways.iter().map(|one| Line::new(one, &config)).collect(),
            ledger: Ledger::recall(config.reporting.reports_per_hour, &[]),
            directory,
            config,
            clock: Clock::default(),
            spool: None,
            intake: None,
            reporting: None,
            notices: None,
            vigil: None,
            flow: Flow::default(),
            waiting_cases: 0,
            memory: Memory::default(),
            flights: BTreeMap::new(),
            flown: 0,
            platform: Platform::new(plan.seed, plan.outages.clone()),
            rng: Rng::with_seed(plan.seed ^ 0xD1CE),
            books: Books::new(plan.setting.clone()),
            watched_until: plan.watched_until(),
            dispatch_at: 0,
            track_at: 0,
            tell_at: 0,
            told_at: -MINUTE,
            notice_at: 0,
            watch_at: 0,
            advanced: 0,
            rounds: 0,
        }
    }

    fn spool(&self) -> Arc<SqliteSpool> {
        Arc::clone(self.spool.as_ref().unwrap())
    }

    /// What [`App::start`](crate::app::App::start) does, as far as there are no doors and no sockets.
    async fn start(&mut self) {
        let is_first = !self.directory.path().join("spool/spool.sqlite").exists();
        let spool = Arc::new(SqliteSpool::open(self.config.spool.clone()).unwrap());
        if is_first {
            journal::take_notes(self.directory.path());
        }
        let shared: Arc<dyn Spool> = spool.clone();
        let routing = Arc::new(ArcSwap::from_pointee(self.config.routing.clone()));
        let reading = self.clock.reading();
        let intake = Intake::with_clock(
            Arc::clone(&routing),
            Arc::clone(&shared),
            self.config.intake.clone(),
            reading,
        );
        intake.listen(self.config.listened.clone());
        let intake = Arc::new(intake);
        self.reporting =
            Some(Reporting::new(Arc::clone(&shared), None, Arc::default(), self.config.reporting.clone()));
        let budgets = Box::new(move || routing.load().budgets().to_vec());
        let told = crate::app::notice_settings(&self.config);
        let reading = self.clock.reading();
        self.notices = Some(Notices::with_clock(Arc::clone(&shared), budgets, told, reading));
        let own = Arc::new(OwnDoor(Arc::clone(&intake)));
        self.vigil = Some(Vigil::new(Arc::clone(&shared), own, self.config.vigil.clone()));
        self.intake = Some(intake);
        let now = self.clock.timestamp();
        spool.recover(now, later(now, self.config.dispatch.ask_after)).await.unwrap();
        let Config { dispatch, tracking, reporting, telling, .. } = &self.config;
        clock::shorten(shared.as_ref(), clock::waits(dispatch, tracking, reporting, telling), now, None)
            .await
            .unwrap();
        self.lines = self.config.gateways.iter().map(|one| Line::new(one, &self.config)).collect();
        self.flow = Flow::default();
        let filed = spool.reports_since(now.checked_sub(HOUR).unwrap()).await.unwrap();
        self.ledger = Ledger::recall(self.config.reporting.reports_per_hour, &filed);
        (self.waiting_cases, self.memory) = (0, Memory::default());
        self.spool = Some(spool);
    }

    /// The process dies in the middle of everything; of some calls under way the platform has the message.
    async fn restart(&mut self) {
        let now = self.clock.now();
        for (_, flight) in std::mem::take(&mut self.flights) {
            if self.platform.out_until(flight.gateway, now).is_none() && self.rng.bool() {
                self.platform.take(flight.gateway, &flight.claimed.sms, now);
            }
        }
        (self.reporting, self.notices, self.vigil) = (None, None, None);
        (self.intake, self.spool) = (None, None);
        self.start().await;
        self.books.check_after_restart(self.directory.path());
        (self.dispatch_at, self.track_at, self.tell_at, self.notice_at) = (now, now, now, now);
        if now < self.watched_until {
            self.watch_at = now;
        }
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
        self.heard();
    }

    fn timestamp(&self) -> Timestamp {
        self.clock.timestamp()
    }

    async fn finish(mut self, plan: &Plan) -> Books {
        let spool = self.spool.take().unwrap();
        spool.close().await;
        self.books.close(self.directory.path(), &self.platform, plan, self.rounds);
        self.books
    }
}
