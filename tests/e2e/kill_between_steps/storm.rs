//! What the story of a storm is, and how one is told: several submissions, and the summaries that tell of them.
//!
//! It is told in lives of the relay, between which hours go by. It is told once for each of its crashes: in one of the
//! lives the relay ends at a crash point, what it left is looked at, it is started again, and everything must end as if
//! nothing had happened.

use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;
use serde_json::json;
use sms_relay::emulator::FaultRule;
use sms_relay::model::{MessageId, State};
use sms_relay::spool::MessageView;

use super::story::check_moves;
use crate::support::{PATIENCE, PAUSE, Relay, Smtp, World, request};

/// The way of a storm, and where the process ends on it.
pub struct Storm {
    /// What stands below `[storm]`, and behind.
    pub storm: &'static str,
    /// Words of the usual configuration, and what stands in their place.
    pub otherwise: &'static [(&'static str, &'static str)],
    /// What the platform does.
    pub faults: fn() -> Vec<FaultRule>,
    /// Before each but the first so many minutes go by.
    pub lives: &'static [(u32, &'static [Act])],
    /// In the end every SMS, those of the relay itself among them, in the order of acceptance: what it says, and where
    /// it is. `TIME` stands for the times of a summary.
    pub ends: &'static [(&'static str, State)],
    /// What the platform takes, in order.
    pub taken: &'static [&'static str],
    /// Who gets a report.
    pub reported: &'static [&'static str],
    pub crashes: &'static [Crash],
}

/// What somebody does, all for one phone, or what is waited for.
pub enum Act {
    /// Somebody sends a mail: from whom, and its text.
    Mail(&'static str, &'static str),
    /// A form, to be sent so many seconds later.
    Form(&'static str, i64),
    /// Nothing before so many SMS have ended.
    Ended(u32),
    /// Nothing before a line of a timeline says this.
    Noted(&'static str),
}

/// Where the process ends.
pub struct Crash {
    /// In which of the lives, from 1 on.
    pub life: usize,
    /// As `SMS_RELAY_CRASH_POINT` takes it.
    pub point: &'static str,
    /// Where each SMS then is on disk.
    pub sms: &'static [State],
    /// Where they may be instead, as what shares a commit is chance.
    pub or: &'static [&'static [State]],
    /// The last line of the timeline of one of them, from 0 on, ends so.
    pub note: Option<(usize, &'static str)>,
}

pub const fn at(life: usize, point: &'static str, sms: &'static [State]) -> Crash {
    Crash { life, point, sms, or: &[], note: None }
}

pub const USUAL: Storm = Storm {
    storm: "",
    otherwise: &[],
    faults: Vec::new,
    lives: &[],
    ends: &[],
    taken: &[],
    reported: &[],
    crashes: &[],
};

/// Every crash of the story, each in a world of its own, at the same time: they mostly wait.
pub fn tell(storm: &Storm) {
    std::thread::scope(|scope| {
        for crash in storm.crashes {
            // A panic names its thread.
            let thread = std::thread::Builder::new().name(format!("life {}, {}", crash.life, crash.point));
            thread.spawn_scoped(scope, || Scene::of(storm, crash).play()).unwrap();
        }
    });
}

/// One story with one crash.
struct Scene<'a> {
    storm: &'a Storm,
    crash: &'a Crash,
    world: World,
    /// How many of this life's acts have been done.
    done: usize,
    /// The ids that clients were told.
    told: Vec<String>,
}

impl<'a> Scene<'a> {
    fn of(storm: &'a Storm, crash: &'a Crash) -> Self {
        let mut world = World::new();
        world.extra = format!("[storm]\ntimezone = \"UTC\"\n{}", storm.storm);
        // What the operator is told of limits and budgets is no report.
        world.otherwise = vec![("operator = \"operator@example.com\"\n", String::new())];
        world.otherwise.extend(storm.otherwise.iter().map(|(usual, other)| (*usual, (*other).to_owned())));
        for rule in (storm.faults)() {
            world.order(rule);
        }
        Self { storm, crash, world, done: 0, told: Vec::new() }
    }

    fn play(mut self) {
        for (life, (minutes, acts)) in self.storm.lives.iter().enumerate() {
            if life > 0 {
                self.go_by(*minutes);
            }
            self.done = 0;
            if self.crash.life == life + 1 {
                let environment =
                    [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", self.crash.point)];
                let ended = match Relay::start_unless_it_ends(&self.world.write(), &environment) {
                    Ok(relay) => {
                        self.act(&relay, acts, true);
                        relay.wait_for_end()
                    }
                    Err(ended) => ended,
                };
                assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()));
                self.look(acts);
            }
            let relay = self.world.start();
            self.act(&relay, acts, false);
            if life + 1 == self.storm.lives.len() {
                self.world.wait_until_finished();
            }
            assert!(relay.terminate().success());
        }
        self.check();
    }

    /// Does what is left to do, in the life of the crash until the relay ends.
    fn act(&mut self, relay: &Relay, acts: &[Act], ends: bool) {
        for act in &acts[self.done..] {
            let is_done = match act {
                Act::Mail(from, text) => self.mail(relay, from, text),
                Act::Form(text, seconds) => self.form(relay, text, *seconds),
                Act::Ended(count) => self
                    .wait(relay, &format!("SELECT count(*) >= {count} FROM sms WHERE ended_at IS NOT NULL")),
                Act::Noted(words) => {
                    self.wait(relay, &format!("SELECT count(*) > 0 FROM event WHERE note LIKE '%{words}%'"))
                }
            };
            if !is_done {
                assert!(ends, "the relay ended without being told to");
                return;
            }
            self.done += 1;
        }
    }

    fn mail(&mut self, relay: &Relay, from: &str, text: &str) -> bool {
        let mail = format!("From: {from}\r\n\r\n{text}");
        let reply = Smtp::connect(relay.smtp).and_then(|mut smtp| smtp.mail(from, "oncall@sms.local", &mail));
        reply.map(|reply| self.told.push(Smtp::queued(&reply))).is_some()
    }

    fn form(&mut self, relay: &Relay, text: &str, seconds: i64) -> bool {
        let deliver_at = Timestamp::now() + SignedDuration::from_secs(seconds);
        let form = json!({"to": "+393471234567", "text": text, "deliver_at": deliver_at.to_string()});
        let Some((code, answer)) = request(relay.http, "POST /sms", Some(&form)) else { return false };
        assert_eq!(code, 200, "{answer}");
        self.told.push(answer["id"].as_str().unwrap().to_owned());
        true
    }

    /// Waits until the spool says 1 to `sql`; `false` when the relay ends first.
    fn wait(&self, relay: &Relay, sql: &str) -> bool {
        let spool = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let deadline = Instant::now() + PATIENCE;
        loop {
            // In this order, so that what it did last is not missed.
            let has_ended = relay.has_ended();
            if spool.query_row(sql, [], |row| row.get(0)).unwrap() {
                return true;
            }
            if has_ended {
                return false;
            }
            assert!(Instant::now() < deadline, "not yet: {sql}");
            // Nothing tells from outside that a spool has changed.
            std::thread::sleep(PAUSE);
        }
    }

    fn open(&self, flags: OpenFlags) -> Connection {
        let path = self.world.directory.path().join("spool/spool.sqlite");
        let spool = Connection::open_with_flags(path, flags).unwrap();
        spool.busy_timeout(PATIENCE).unwrap();
        spool
    }

    /// So much time goes by while no relay runs: for what is held or due, for windows, and for limits.
    fn go_by(&self, minutes: u32) {
        let millis = i64::from(minutes) * 60_000;
        let spool = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE);
        spool.execute("UPDATE sms SET next_at = next_at - ?1 WHERE state = 'held'", [millis]).unwrap();
        let due = "UPDATE sms SET next_at = next_at - ?1, \
                   passed_at = iif(passed_at > 0, passed_at - ?1, passed_at) WHERE state = 'due'";
        spool.execute(due, [millis]).unwrap();
        spool.execute("UPDATE fold SET opened_at = opened_at - ?1, until = until - ?1", [millis]).unwrap();
        // The first is a time, and the others are how much later each was.
        let earlier = "UPDATE passes SET passed = (CAST(passed AS INTEGER) - ?1) || \
                       ltrim(passed, '0123456789'), until = until - ?1";
        spool.execute(earlier, [millis]).unwrap();
    }

    /// Looks at what the crash left.
    fn look(&mut self, acts: &[Act]) {
        let (storm, crash) = (self.storm, self.crash);
        let remains = self.world.remains();
        let left = remains.messages();
        let states: Vec<State> = left.iter().map(|(_, state)| *state).collect();
        let known = states == crash.sms || crash.or.contains(&states.as_slice());
        assert!(known, "{states:?} instead of {:?} or {:?}", crash.sms, crash.or);
        if let Some((place, words)) = crash.note {
            let (id, _) = left[place];
            let view = remains.submission(&id.submission.to_string());
            let last = view.messages[0].events.last().unwrap();
            assert!(last.note.ends_with(words), "{last:?} instead of {words}");
        }
        let came = remains.came();
        assert!(came.starts_with(&self.told), "told {:?}, kept {came:?}: {}", self.told, storm.storm);
        // Who was told nothing sends again, unless it is there all the same.
        if came.len() > self.told.len() {
            assert_eq!(came.len(), self.told.len() + 1);
            assert!(matches!(acts[self.done], Act::Mail(..) | Act::Form(..)));
            self.told = came;
            self.done += 1;
        }
    }

    fn check(&self) {
        let Self { storm, world, .. } = self;
        let times = Regex::new(r"(\d+ [A-Z]\w\w )?\d\d:\d\d(-(\d+ [A-Z]\w\w )?\d\d:\d\d)?").unwrap();
        let timeless = |text: &str| times.replace(text, "TIME").into_owned();
        let remains = world.remains();
        assert_eq!(remains.came(), self.told);
        let ids: Vec<MessageId> = remains.messages().into_iter().map(|(id, _)| id).collect();
        let views: Vec<_> =
            ids.iter().map(|id| world.submission(&id.submission.to_string()).messages.remove(0)).collect();
        let ends: Vec<(String, State)> =
            views.iter().map(|view| (timeless(&view.sms.text.body), view.state)).collect();
        let expected: Vec<_> = storm.ends.iter().map(|(text, state)| ((*text).to_owned(), *state)).collect();
        assert_eq!(ends, expected);
        views.iter().for_each(check_moves);

        let accepted = world.emulator.accepted();
        let texts: Vec<String> = accepted.iter().map(|sms| timeless(&sms.text)).collect();
        assert_eq!(texts, storm.taken);
        // Each of them is one of these, and none is there twice.
        let mut taken: Vec<&str> = accepted.iter().map(|sms| sms.message_id.as_str()).collect();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), texts.len());
        for sms in &accepted {
            let by = views.iter().find(|view| view.sms.id.to_string() == sms.message_id).unwrap();
            assert_eq!(sms.text, by.sms.text.body);
        }

        // Every one that was folded says by what it was told, and that one how many it tells of.
        for view in &views {
            let Some(tells_of) = &view.tells_of else { continue };
            let members = views.iter().filter(|one| one.folded_into == Some(view.sms.id));
            let members: Vec<MessageId> = members.map(|one| one.sms.id).collect();
            assert_eq!(tells_of.first, members);
            let is_over = |one: &MessageView| {
                one.cause.as_ref().is_some_and(|cause| cause.text.starts_with("recovered"))
            };
            let of_each = |one: &MessageView| match &one.tells_of {
                _ if is_over(one) => 0,
                None => 1,
                Some(tells_of) => tells_of.count,
            };
            let counts = views.iter().filter(|one| members.contains(&one.sms.id)).map(of_each);
            assert_eq!(tells_of.count, counts.sum::<u64>(), "{view:#?}");
        }

        let mut reported: Vec<String> =
            world.mailbox.mails().iter().flat_map(|mail| mail.rcpt_to.clone()).collect();
        reported.sort_unstable();
        let expected: Vec<String> = storm.reported.iter().map(|to| format!("RCPT TO:<{to}>")).collect();
        assert_eq!(reported, expected);
    }
}
