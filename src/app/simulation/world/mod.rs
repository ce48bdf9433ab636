//! The driver: does what the loops do, one step at a time.

mod answers;
mod given;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::model::{Attempt, Known, check_escalation, check_order};
use super::platform::{Handed, Platform};
use super::steps::{Answer, End, Fate, Mail, Reply, Step};
use super::{at, cause, seconds, told};
use crate::app::clock;
use crate::dispatch::{judge, rooms};
use crate::gateway::{Flow, gone};
use crate::model::Callback;
use crate::model::{
    Cause, EnhancedStatus, MailAddress, MessageId, ReportTo, State, StatusOutcome, SubmissionId, Way,
};
use crate::reporting::cases;
use crate::reporting::limit::{HOUR, Ledger};
use crate::reporting::{Reporting, Settings as ReportingSettings};
use crate::retry::{AskPlan, Backoff, Gate, Permission, ProbeTicket, later};
use crate::spool::sqlite::Settings as SpoolSettings;
use crate::spool::{
    Asked, Call, Claimed, QUESTION_LEASE, Question, Queue, Room, Spool, SpoolError, SqliteSpool,
    Step as Settled, Waits,
};
use crate::{dispatch, telling, tracking};

const CONCURRENCY: usize = 4;
/// Jitter, which is no part of what is tested.
const JITTER: f64 = 0.5;
const WINDOW: i64 = 15;
const HOURLY: usize = 1000;
/// The longest wait of any of these settings, and of any pause that the platform asks for.
const LONGEST_WAIT: i64 = 90;
/// Turns within which all must have ended once the platform is well.
const MOST_TURNS: usize = 3000;
/// Configurations of gateways, in the order of the file.
const LINEUPS: [&[&str]; 5] = [&["a", "b"], &["b", "a"], &["a"], &["b"], &["a", "b", "c"]];

fn dispatch_settings() -> dispatch::Settings {
    dispatch::Settings {
        concurrency: CONCURRENCY,
        backoff: Backoff { first: Duration::from_secs(5), most: Duration::from_secs(60) },
        probe: Backoff { first: Duration::from_secs(10), most: Duration::from_secs(60) },
        ask_after: Duration::from_secs(5),
        unknown_time: Duration::from_secs(60),
        plan: PLAN,
    }
}

const PLAN: AskPlan = AskPlan {
    first: Duration::from_secs(10),
    with_callbacks: Duration::from_secs(30),
    callbacks_alive: Duration::from_secs(60),
};

fn tracking_settings() -> tracking::Settings {
    tracking::Settings {
        ask: Backoff { first: Duration::from_secs(10), most: Duration::from_secs(60) },
        plan: PLAN,
        concurrency: CONCURRENCY,
        questions_per_second: 10.0,
        give_up_after: Duration::from_secs(200),
    }
}

fn reporting_settings() -> ReportingSettings {
    ReportingSettings {
        hostname: "relay.example".to_owned(),
        from: MailAddress::parse("relay@relay.example").unwrap(),
        operator: None,
        include_text: true,
        template: None,
        window: Duration::from_secs(WINDOW.unsigned_abs()),
        reports_per_hour: HOURLY,
        backoff: Backoff { first: Duration::from_secs(60), most: Duration::from_secs(60) },
        lifetime: Duration::from_secs(1_000_000),
    }
}

fn waits() -> Waits {
    let telling = telling::Settings {
        backoff: Backoff { first: Duration::from_secs(60), most: Duration::from_secs(60) },
        lifetime: Duration::from_secs(1_000_000),
        total_time: Duration::from_secs(10),
        concurrency: CONCURRENCY,
        per_host: CONCURRENCY,
    };
    clock::waits(&dispatch_settings(), &tracking_settings(), &reporting_settings(), &telling)
}

/// A gateway of the configuration. Its gate outlives a reload, and so do calls that began before it.
#[derive(Clone)]
struct Line {
    name: &'static str,
    gate: Rc<RefCell<Gate>>,
}

impl Line {
    fn new(name: &'static str) -> Self {
        Self { name, gate: Rc::new(RefCell::new(Gate::new(dispatch_settings().probe))) }
    }

    fn permission(&self, now: i64) -> Permission {
        self.gate.borrow().permission(at(now))
    }

    fn permission_to_ask(&self, now: i64) -> Permission {
        self.gate.borrow().permission_to_ask(at(now))
    }

    fn is_paused_for_questions(&self, now: i64) -> bool {
        self.gate.borrow().questions_paused_until(at(now)).is_some()
    }

    fn cause(&self) -> Cause {
        self.gate.borrow().trouble().map_or_else(cause, |(_, cause)| cause.clone())
    }
}

/// A call under way.
struct Flight {
    line: Line,
    way: Way,
    messages: Vec<Claimed>,
    is_taken: bool,
    was_refused: bool,
}

impl Flight {
    fn handed(&self) -> impl Iterator<Item = Handed> {
        self.messages.iter().map(|claimed| Handed {
            id: claimed.sms.id,
            attempt: claimed.attempt,
            channel: self.way.channel(),
            gateway: self.line.name.to_owned(),
        })
    }
}

/// A question under way.
struct Asking {
    line: Line,
    asked: Asked,
    question: Question,
    /// Of the one that shows whether a gateway works again.
    probe: Option<ProbeTicket>,
}

struct World {
    directory: TempDir,
    /// `None` only while the process is dead.
    spool: Option<Arc<dyn Spool>>,
    now: i64,
    lines: Vec<Line>,
    calls: Vec<Flight>,
    questions: Vec<Asking>,
    flow: Flow,
    ledger: Ledger,
    waiting_cases: usize,
    platform: Platform,
    sms: BTreeMap<MessageId, Known>,
    /// Of each submission whether all of it was seen to have ended, and who is told.
    submissions: BTreeMap<SubmissionId, (bool, ReportTo)>,
    /// Callbacks that named an id which no answer had told yet.
    early: Vec<(MessageId, Callback)>,
    accepted: u64,
}

/// Runs `steps`, lets everything come to its end, and checks that all is as it must be.
pub(super) async fn run(steps: Vec<Step>) {
    let mut world = World::new();
    for step in steps {
        world.step(step).await;
        world.compare(&[]).await;
    }
    world.drain().await;
    world.check_ends().await;
}

fn open(directory: &TempDir) -> Arc<dyn Spool> {
    let settings = SpoolSettings { directory: directory.path().to_owned(), min_free_octets: 1 };
    Arc::new(SqliteSpool::open(settings).unwrap())
}

impl World {
    fn new() -> Self {
        // A spool syncs every commit; nothing here depends on that.
        let memory = std::path::Path::new("/dev/shm");
        let directory = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        Self {
            spool: Some(open(&directory)),
            directory,
            now: 0,
            lines: LINEUPS[0].iter().map(|name| Line::new(name)).collect(),
            calls: Vec::new(),
            questions: Vec::new(),
            flow: Flow::default(),
            ledger: Ledger::recall(HOURLY, &[]),
            waiting_cases: 0,
            platform: Platform::default(),
            sms: BTreeMap::new(),
            submissions: BTreeMap::new(),
            early: Vec::new(),
            accepted: 0,
        }
    }

    fn spool(&self) -> Arc<dyn Spool> {
        Arc::clone(self.spool.as_ref().unwrap())
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Submit(mail) => self.submit(mail).await,
            Step::Round => self.round().await,
            Step::Track => self.track().await,
            Step::Tell => self.tell().await,
            Step::Take(n, fate) => {
                if let Some(n) = place(n, self.calls.len()) {
                    self.take(n, fate);
                }
            }
            Step::Answer(n, answer, fate) => {
                if let Some(n) = place(n, self.calls.len()) {
                    self.answer(n, answer, fate).await;
                }
            }
            Step::TakeLate(n, fate) => {
                if let Some(n) = place(n, self.platform.late.len()) {
                    let handed = self.platform.late.remove(n);
                    self.platform.take(handed, fate);
                }
            }
            Step::Reply(n, reply) => {
                if let Some(n) = place(n, self.questions.len()) {
                    self.reply(n, reply).await;
                }
            }
            Step::CallBack(n) => {
                if let Some(n) = place(n, self.platform.to_say.len()) {
                    let said = self.platform.to_say.remove(n);
                    self.call_back(&said).await;
                    self.platform.said.push(said);
                }
            }
            Step::Repeat(n) => {
                if let Some(n) = place(n, self.platform.said.len()) {
                    let said = self.platform.said[n].clone();
                    self.call_back(&said).await;
                }
            }
            Step::Guess(n, code) => self.guess(n, code).await,
            Step::Cancel(n) => self.cancel(n).await,
            Step::Reload(n) => self.reload(n),
            Step::Kill(mask) => self.kill(mask).await,
            Step::Wait(seconds) => self.pass(seconds).await,
        }
    }

    async fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        // What `clock::watch` does.
        if seconds < -60 {
            self.shorten_waits().await;
        }
    }

    /// Nothing waits until the clock comes again to where it was.
    async fn shorten_waits(&mut self) {
        let now = at(self.now);
        self.spool().shorten_waits(now, waits()).await.unwrap();
        assert_eq!(self.spool().shorten_waits(now, waits()).await, Ok(0), "once is enough");
        self.compare(&[]).await;
        for sms in self.sms.values().filter(|sms| !sms.is_final()) {
            let most = match sms.state {
                // Its time may come again.
                State::Due if sms.attempts.is_empty() && sms.hold.is_some() => continue,
                State::Due | State::Unknown | State::Sent => LONGEST_WAIT,
                State::Held | State::Folded | State::Claimed | State::Final(_) => continue,
            };
            let next_at = sms.view.as_ref().and_then(|view| view.next_at).map(seconds);
            assert!(next_at.is_some_and(|next_at| next_at <= self.now + most), "{sms:#?} at {}", self.now);
        }
    }

    async fn submit(&mut self, mail: Mail) {
        self.accepted += 1;
        let id: SubmissionId = format!("01HF7YAT00{:016}", self.accepted).parse().unwrap();
        let submission = given::submission(id, &mail, self.now);
        self.submissions.insert(id, (false, submission.report_to.clone()));
        for message in &submission.messages {
            let known = Known::new(message, self.sms.len());
            self.sms.insert(known.id, known);
        }
        self.spool().accept(submission).await.unwrap();
    }

    /// What `Dispatch::round` does.
    async fn round(&mut self) {
        let now = self.now;
        for line in self.lines.clone() {
            if line.permission_to_ask(now) == Permission::Free {
                self.ask_unknown(&line, usize::MAX).await;
            }
        }
        let (mut rooms, mut probes) = (Vec::new(), Vec::new());
        for line in self.lines.clone() {
            let permission = line.permission(now);
            let calls = rooms::calls(permission, CONCURRENCY, self.under_way(line.name), [usize::MAX; 3]);
            let (is_out, may_hang) = {
                let gate = line.gate.borrow();
                (gate.is_out(at(now), judge::PATIENCE), gate.may_hang())
            };
            if permission == Permission::Probe && (calls[0] > 0 || self.may_ask(&line) > 0) {
                let probe = line.gate.borrow_mut().probe_begins().expect("it was allowed");
                probes.push((line.clone(), probe));
            }
            rooms.push(Room { gateway: line.name.to_owned(), calls, is_open: !is_out, may_hang });
        }
        let calls = self.spool().claim_due(at(now), rooms).await.unwrap();
        let mut claimed = Vec::new();
        for call in calls {
            probes.retain(|(line, _)| line.name != call.gateway);
            claimed.extend(self.begin(call));
        }
        self.compare(&claimed).await;
        check_order(&self.sms, &claimed);
        for sms in self.sms.values() {
            let is_over = |until: i64| until <= now;
            let is_held = sms.state == State::Held && sms.hold.is_some_and(|(_, until)| is_over(until));
            assert!(!is_held, "{} is held beyond its time", sms.id);
            let is_old = matches!(sms.state, State::Held | State::Due) && is_over(sms.expires_at);
            assert!(!is_old, "{} has outlived its time", sms.id);
        }
        for (line, probe) in probes {
            if self.ask_unknown(&line, 1).await == 0 {
                line.gate.borrow_mut().probe_unused(probe);
            } else {
                self.questions.last_mut().unwrap().probe = Some(probe);
            }
        }
        for line in self.lines.clone() {
            let to_ask = line.permission_to_ask(now);
            let Some(again_at) = rooms::looked_at_again(to_ask, at(now)) else { continue };
            let found = self.spool().unasked(line.name.to_owned(), at(now), again_at, 50).await.unwrap();
            for question in found {
                let settings = dispatch_settings();
                if let Some(step) = judge::unasked(&question, line.cause(), at(now), again_at, &settings) {
                    self.settle_question(&question, step).await;
                }
            }
        }
        for name in self.missing().await {
            for question in self.found(Asked::Unknown, &name, later(at(now), QUESTION_LEASE), 50).await {
                let outcome = StatusOutcome::CannotTell { until: None, cause: gone(&name) };
                self.decide_unknown(&question, &name, outcome).await;
            }
        }
    }

    fn begin(&mut self, call: Call) -> Vec<MessageId> {
        let Call { gateway, way, messages } = call;
        let line =
            self.lines.iter().find(|line| line.name == gateway).expect("a gateway that there is").clone();
        let configured: Vec<&str> = self.lines.iter().map(|line| line.name).collect();
        for claimed in &messages {
            let attempt = Attempt {
                channel: way.channel(),
                gateway: gateway.clone(),
                is_unknown: false,
                is_lied_about: false,
                is_denied: false,
                is_undecided: false,
            };
            let known = self.sms.get_mut(&claimed.sms.id).unwrap();
            known.claimed(claimed, attempt, &configured, &self.platform, self.now);
        }
        let ids = messages.iter().map(|claimed| claimed.sms.id).collect();
        self.calls.push(Flight { line, way, messages, is_taken: false, was_refused: false });
        ids
    }

    fn under_way(&self, name: &str) -> usize {
        self.calls.iter().filter(|flight| flight.line.name == name).count()
            + self.asking(Asked::Unknown, name)
    }

    fn asking(&self, asked: Asked, name: &str) -> usize {
        self.questions.iter().filter(|asking| asking.asked == asked && asking.line.name == name).count()
    }

    fn may_ask(&self, line: &Line) -> usize {
        if line.is_paused_for_questions(self.now) {
            return 0;
        }
        rooms::questions(CONCURRENCY, self.under_way(line.name), self.asking(Asked::Unknown, line.name))
    }

    async fn found(
        &self,
        asked: Asked,
        name: &str,
        again_at: jiff::Timestamp,
        limit: usize,
    ) -> Vec<Question> {
        self.spool().questions(asked, name.to_owned(), at(self.now), again_at, limit).await.unwrap()
    }

    async fn ask_unknown(&mut self, line: &Line, most: usize) -> usize {
        let limit = self.may_ask(line).min(most);
        let again_at = later(at(self.now), QUESTION_LEASE);
        let found = self.found(Asked::Unknown, line.name, again_at, limit).await;
        let count = found.len();
        let asking = |question| Asking { line: line.clone(), asked: Asked::Unknown, question, probe: None };
        self.questions.extend(found.into_iter().map(asking));
        count
    }

    /// Gateways that have messages and are not configured any more.
    async fn missing(&self) -> Vec<String> {
        let names = self.spool().gateways().await.unwrap();
        names.into_iter().filter(|name| self.lines.iter().all(|line| line.name != name)).collect()
    }

    /// What `Tracking::round` does.
    async fn track(&mut self) {
        let now = self.now;
        let again_at = later(at(now), QUESTION_LEASE);
        for line in self.lines.clone() {
            let room = CONCURRENCY.saturating_sub(self.asking(Asked::Sent, line.name));
            if line.is_paused_for_questions(now) || room == 0 {
                continue;
            }
            for question in self.found(Asked::Sent, line.name, again_at, room).await {
                let last = self.flow.last(line.name);
                let until =
                    (question.asked == 0).then(|| PLAN.postponed(question.since, at(now), last)).flatten();
                let until = until.map(|until| {
                    tracking::judge::silent_at(&question).map_or(until, |silent_at| until.min(silent_at))
                });
                match until.filter(|until| at(now) < *until) {
                    Some(ask_at) => drop(self.settle_question(&question, Settled::AskAgain { ask_at }).await),
                    None => {
                        let (line, asked, probe) = (line.clone(), Asked::Sent, None);
                        self.questions.push(Asking { line, asked, question, probe });
                    }
                }
            }
        }
        for name in self.missing().await {
            for question in self.found(Asked::Sent, &name, again_at, 50).await {
                let outcome = StatusOutcome::CannotTell { until: None, cause: gone(&name) };
                let step = tracking::judge::after_question(
                    outcome,
                    &question,
                    at(now),
                    JITTER,
                    &tracking_settings(),
                );
                self.settle_question(&question, step).await;
            }
        }
    }

    async fn tell(&mut self) {
        let reporting = Reporting::new(self.spool(), None, Arc::default(), reporting_settings());
        cases::look(&reporting, &mut self.ledger, &mut self.waiting_cases, at(self.now)).await.unwrap();
    }

    async fn cancel(&mut self, n: usize) {
        let Some(n) = place(n, self.sms.len()) else { return };
        let known = self.sms.values_mut().nth(n).unwrap();
        let id = known.id;
        let waits = matches!(known.state, State::Held | State::Due);
        known.is_cancelled |= waits;
        let cause = Cause::new(EnhancedStatus::POLICY, "an operator cancelled it");
        let result = self.spool().cancel(id, cause, at(self.now)).await;
        assert_eq!(result, if waits { Ok(()) } else { Err(SpoolError::Stale(id)) });
    }

    /// What `Lines::swap` does.
    fn reload(&mut self, n: usize) {
        let line = |name: &&'static str| {
            let known = self.lines.iter().find(|line| line.name == *name).cloned();
            let line = known.unwrap_or_else(|| Line::new(name));
            line.gate.borrow_mut().mended(at(self.now));
            line
        };
        self.lines = LINEUPS[n % LINEUPS.len()].iter().map(line).collect();
    }

    async fn kill(&mut self, mask: u8) {
        for (n, flight) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            let bit = |n: usize| mask & (1 << n) != 0;
            let fate = Fate {
                end: if bit(n % 3) { End::Delivered } else { End::Silent },
                parts: 1 + u32::from(bit(7)),
                theirs: bit(6),
            };
            for handed in flight.handed() {
                self.sms.get_mut(&handed.id).unwrap().attempt(handed.attempt).is_unknown = true;
                match (flight.is_taken, bit(n % 4), bit(4 + n % 4)) {
                    (true, ..) => assert!(self.platform.has(&handed)),
                    (false, true, _) => self.platform.take(handed, fate),
                    (false, false, true) => self.platform.late.push(handed),
                    (false, false, false) => {}
                }
            }
        }
        self.questions.clear();
        self.spool = None;
        self.spool = Some(open(&self.directory));
        let now = at(self.now);
        self.spool().recover(now, later(now, dispatch_settings().ask_after)).await.unwrap();
        self.shorten_waits().await;
        self.lines = self.lines.iter().map(|line| Line::new(line.name)).collect();
        self.flow = Flow::default();
        let filed = self.spool().reports_since(now.checked_sub(HOUR).unwrap()).await.unwrap();
        self.ledger = Ledger::recall(HOURLY, &filed);
        self.waiting_cases = 0;
    }

    /// Compares what the spool shows with what may have become of it. `claimed` has just been claimed.
    async fn compare(&mut self, claimed: &[MessageId]) {
        let spool = self.spool();
        let open: Vec<_> =
            self.submissions.iter().filter(|(_, (is_over, _))| !is_over).map(|(id, _)| *id).collect();
        let mut moved = Vec::new();
        for id in open {
            let view = spool.submission(id).await.unwrap().unwrap();
            let mut is_over = true;
            for message in &view.messages {
                let known = self.sms.get_mut(&message.sms.id).unwrap();
                let moves = known.look(message);
                is_over &= known.is_final();
                moved.push((known.id, moves));
            }
            if is_over {
                self.submissions.get_mut(&id).unwrap().0 = true;
            }
        }
        for (id, moves) in moved {
            check_escalation(&self.sms, &self.sms[&id], &moves, self.now);
        }
        for id in claimed {
            assert_eq!(self.sms[id].state, State::Claimed);
        }
    }

    /// From now on the platform is well and says all that it has to say.
    async fn drain(&mut self) {
        let ends = [End::Delivered, End::Undeliverable, End::Silent, End::Expired];
        let mut patience = 0;
        for turn in 0..MOST_TURNS {
            let fate = Fate { end: ends[turn % ends.len()], parts: 1, theirs: turn % 2 == 0 };
            while let Some(handed) = self.platform.late.pop() {
                self.platform.take(handed, fate);
            }
            while !self.calls.is_empty() {
                self.answer(0, Answer::Accepted, fate).await;
            }
            while !self.questions.is_empty() {
                self.reply(0, Reply::Honest(true)).await;
            }
            while let Some(said) = self.platform.to_say.pop() {
                self.call_back(&said).await;
            }
            self.round().await;
            self.track().await;
            self.tell().await;
            self.compare(&[]).await;
            if !self.calls.is_empty() || !self.questions.is_empty() {
                patience = 0;
                continue;
            }
            match self.next().await {
                None if self.sms.values().all(Known::is_final) => return,
                Some(next) if self.now < next => (self.now, patience) = (next, 0),
                Some(_) | None => {
                    self.now += 1 << patience;
                    patience = (patience + 1).min(4);
                }
            }
        }
        let left: Vec<_> = self.sms.values().filter(|sms| !sms.is_final()).collect();
        panic!("it does not come to an end: {left:#?}");
    }

    /// When something is due next.
    async fn next(&self) -> Option<i64> {
        let spool = self.spool();
        let known: Vec<String> = self.lines.iter().map(|line| line.name.to_owned()).collect();
        let is_open =
            |line: &&Line| matches!(line.permission(self.now), Permission::Free | Permission::Probe);
        let open = self.lines.iter().filter(is_open).map(|line| line.name.to_owned()).collect();
        let mut next = vec![spool.next_due(Queue::Due { open, known }).await.unwrap()];
        for name in spool.gateways().await.unwrap() {
            for asked in [Asked::Unknown, Asked::Sent] {
                next.push(spool.next_due(Queue::Ask(asked, name.clone())).await.unwrap());
            }
        }
        for queue in [Queue::Cases, Queue::Delays] {
            let due = spool.next_due(queue).await.unwrap();
            next.push(due.map(|due| later(due, reporting_settings().window)));
        }
        if next.iter().any(Option::is_some) || self.sms.values().any(|sms| !sms.is_final()) {
            for line in &self.lines {
                if let Permission::NotBefore(time) = line.permission(self.now) {
                    next.push(Some(time));
                }
            }
        }
        next.into_iter().flatten().min().map(seconds)
    }

    async fn check_ends(&mut self) {
        let spool = self.spool();
        let end = at(self.now + 1_000_000);
        assert_eq!(spool.cases(end, end, 100).await.unwrap(), [], "nothing is left untold");
        for (id, (_, to)) in &self.submissions {
            let view = spool.submission(*id).await.unwrap().unwrap();
            for message in &view.messages {
                self.sms.get_mut(&message.sms.id).unwrap().look(message);
            }
            let sms: Vec<&Known> = self.sms.values().filter(|sms| sms.id.submission == *id).collect();
            sms.iter().for_each(|sms| sms.check_end(&self.platform));
            told::check(&sms, to, &view);
        }
    }
}

/// A number as a place among `count`; `None` where there is none.
fn place(n: usize, count: usize) -> Option<usize> {
    n.checked_rem(count)
}
