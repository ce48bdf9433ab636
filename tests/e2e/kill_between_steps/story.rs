//! What a story is, and how one is told.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};
use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::Delivered;
use sms_relay::model::Price;
use sms_relay::model::State::{self, Final};
use sms_relay::spool::{Event, MessageView, SubmissionView};

use crate::support::{Behaviour, PATIENCE, Program, Relay, Said, Smtp, World, request};

/// One way of a submission, and where the process ends on it.
pub struct Story {
    /// What the platform does.
    pub faults: fn() -> Vec<FaultRule>,
    /// How a message ends on its handset, as the platform tells who asks.
    pub outcome: Outcome,
    /// What the smarthost does until the crash.
    pub smarthost: Behaviour,
    /// Rules of the configuration.
    pub rules: &'static str,
    /// Words of the configuration that are other than usual.
    pub otherwise: &'static [(&'static str, &'static str)],
    pub submission: Submission,
    /// The answers of the program that is told how a form ended, but for 200s; `None` where there is no program.
    pub program: Option<&'static [u16]>,
    /// What others do meanwhile, one after another.
    pub acts: &'static [Act],
    /// Where each SMS ends.
    pub ends: &'static [State],
    /// How often the platform takes one.
    pub taken: usize,
    /// Of how many SMS somebody is owed a report, all in one mail.
    pub reported: usize,
    pub crashes: &'static [Crash],
}

/// What comes in.
pub enum Submission {
    /// A mail to this recipient with this text.
    Mail(&'static str, &'static str),
    /// A form to one phone, to be sent so many seconds later.
    Form(Option<i64>),
}

/// What somebody else does. Whoever gets no answer does it again when the relay is back.
pub enum Act {
    /// Nothing before the log of the first life says this.
    Logged(&'static str),
    /// Nothing before the platform has taken so many.
    Taken(u64),
    /// Nothing before the first mail has come. For stories whose first life tells the client nothing.
    MailCame,
    /// The platform calls back.
    Says(Said),
    /// The client of a form cancels it.
    Cancels,
}

/// Where the process ends.
pub struct Crash {
    /// A crash that comes before; this one is then at the next start.
    pub after: Option<&'static str>,
    /// What happens before that start.
    pub meanwhile: fn(&World),
    /// As `SMS_RELAY_CRASH_POINT` takes it.
    pub point: &'static str,
    /// Where each SMS then is on disk; empty where nothing was kept.
    pub sms: &'static [State],
    /// Where they may be instead, as what shares a commit is chance.
    pub or: &'static [&'static [State]],
    /// Where its mails then are.
    pub mails: &'static [&'static str],
    /// Whoever is told was told, and that was not yet on disk: it comes again. SMTP cannot be asked whether it was
    /// taken (docs/architecture.md, "A report twice"); a program tells the repetition by its key.
    pub again: bool,
    /// How many more the platform takes for the crash.
    pub taken_again: usize,
}

const NOWHERE: Crash = Crash {
    after: None,
    meanwhile: |_| (),
    point: "",
    sms: &[],
    or: &[],
    mails: &[],
    again: false,
    taken_again: 0,
};

pub const fn at(point: &'static str, sms: &'static [State]) -> Crash {
    Crash { point, sms, ..NOWHERE }
}

pub const fn mailing(point: &'static str, sms: &'static [State], mails: &'static [&'static str]) -> Crash {
    Crash { point, sms, mails, ..NOWHERE }
}

pub const USUAL: Story = Story {
    faults: Vec::new,
    outcome: Outcome::Delivered,
    smarthost: Behaviour::Accept,
    rules: "",
    otherwise: &[],
    submission: Submission::Mail("oncall@sms.local", "load 45"),
    program: None,
    acts: &[],
    ends: &[Final(Delivered)],
    taken: 1,
    reported: 0,
    crashes: &[],
};

pub const SHORT_LIFE: &str = "[[rule]]\nname = \"short\"\nwhen.recipient = \".\"\nlifetime = \"3s\"\n";

/// Nothing is tried a second time by itself while a test lasts.
pub const NO_SECOND_ATTEMPT: (&str, &str) = (
    "backoff = { first = \"1s\", most = \"2s\" }\nprobe",
    "backoff = { first = \"1h\", most = \"1h\" }\nprobe",
);

pub fn failing() -> Fault {
    Fault::Status { code: 500, retry_after: None, body: None, recorded: false }
}

/// Every crash of the story, each in a world of its own, at the same time: they mostly wait.
pub fn tell(story: &Story) {
    std::thread::scope(|scope| {
        for crash in story.crashes {
            let name = [crash.after, Some(crash.point)].into_iter().flatten().collect::<Vec<_>>().join(", ");
            // A panic names its thread.
            let thread = std::thread::Builder::new().name(name);
            thread.spawn_scoped(scope, || Scene::of(story, crash).play()).unwrap();
        }
    });
}

/// One story with one crash.
struct Scene<'a> {
    story: &'a Story,
    crash: &'a Crash,
    world: World,
    program: Option<Program>,
    /// How many of the acts have been done.
    done: usize,
}

impl<'a> Scene<'a> {
    fn of(story: &'a Story, crash: &'a Crash) -> Self {
        let mut world = World::with_platform(|platform| platform.delivery.outcome = story.outcome);
        world.rules = story.rules.to_owned();
        world.otherwise =
            story.otherwise.iter().map(|(usual, other)| (*usual, (*other).to_owned())).collect();
        world.mailbox.behave(story.smarthost);
        for rule in (story.faults)() {
            world.order(rule);
        }
        if story.calls_back() {
            // Only what the story says.
            world.emulator.pause_callbacks();
            world.expect_callbacks();
        }
        let program = story.program.map(Program::listen);
        if let Some(program) = &program {
            world.tell_program(program);
        }
        Self { story, crash, world, program, done: 0 }
    }

    fn play(mut self) {
        let crash = self.crash;
        let relay = self.start(Some(crash.after.unwrap_or(crash.point)));
        let told = self.submit(&relay);
        if let Some(id) = &told {
            self.act(id, &relay, true);
        }
        let ended = relay.wait_for_end();
        assert_eq!(ended.signal(), Some(Signal::ABORT.as_raw()));
        if crash.after.is_some() {
            (crash.meanwhile)(&self.world);
            let environment = [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", crash.point)];
            let (status, _) = Relay::start_and_end(&self.world.write(), &environment);
            assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
        }

        let remains = self.world.remains();
        let kept = remains.submissions();
        let left = kept.first().map(|id| remains.submission(id));
        assert!(told.is_none() || told.as_ref() == kept.first(), "told {told:?}, kept {kept:?}");
        assert_eq!(kept.len(), usize::from(!crash.sms.is_empty()));
        if let Some(left) = &left {
            let states = states(left);
            let known = states == crash.sms || crash.or.contains(&states.as_slice());
            assert!(known, "{states:?} instead of {:?} or {:?}", crash.sms, crash.or);
            assert_eq!(mails(left), crash.mails);
        }

        self.world.mailbox.behave(Behaviour::Accept);
        let relay = self.start(None);
        // Who was told nothing sends again.
        let id = kept.first().cloned().unwrap_or_else(|| self.submit(&relay).unwrap());
        self.act(&id, &relay, false);
        self.world.wait_until_finished();
        assert!(relay.terminate().success());

        assert_eq!(self.world.remains().submissions(), std::slice::from_ref(&id));
        self.check(&self.world.submission(&id));
    }

    fn start(&self, point: Option<&str>) -> Relay {
        let environment: Vec<_> = point.map(|point| ("SMS_RELAY_CRASH_POINT", point)).into_iter().collect();
        let relay = self.world.start_with(&environment);
        if self.story.calls_back() {
            self.world.call_back_to(&relay);
        }
        relay
    }

    /// The id that the answer named, or none when the relay ended before.
    fn submit(&self, relay: &Relay) -> Option<String> {
        match self.story.submission {
            Submission::Mail(to, text) => {
                let mail = format!("Subject: db1 is DOWN\r\nFrom: nagios@example.com\r\n\r\n{text}");
                let reply = Smtp::connect(relay.smtp)?.mail("nagios@example.com", to, &mail)?;
                Some(Smtp::queued(&reply))
            }
            Submission::Form(in_seconds) => {
                let mut form = json!({"to": "+393471234567", "text": "db1 is DOWN"});
                if let Some(seconds) = in_seconds {
                    let at = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
                    form["deliver_at"] = Value::String(at.to_string());
                }
                let (code, answer) = request(relay.http, "POST /sms", Some(&form))?;
                assert_eq!(code, 200, "{answer}");
                Some(answer["id"].as_str().unwrap().to_owned())
            }
        }
    }

    /// Does what is left to do, until the relay ends.
    fn act(&mut self, id: &str, relay: &Relay, is_first_life: bool) {
        for act in &self.story.acts[self.done..] {
            let is_done = match act {
                Act::Logged(words) => !is_first_life || relay.says_before_its_end(words),
                Act::Taken(count) if is_first_life => self.takes_before_its_end(relay, *count),
                Act::Taken(count) => {
                    self.world.wait_for_platform("taken", |record| record.total() >= *count);
                    true
                }
                Act::MailCame => !self.world.mailbox.wait_for(1).is_empty(),
                Act::Says(said) => match self.world.say(*said) {
                    Some(code) => {
                        assert_eq!(code, 200, "{said:?}");
                        true
                    }
                    None => false,
                },
                Act::Cancels => match request(relay.http, &format!("DELETE /sms/{id}"), None) {
                    Some((code, answer)) => {
                        assert_eq!(code, 200, "{answer}");
                        true
                    }
                    None => false,
                },
            };
            if !is_done {
                assert!(is_first_life, "nobody answers in the second life");
                return;
            }
            self.done += 1;
        }
    }

    /// Waits until the platform has taken so many; `false` when the relay ends first.
    fn takes_before_its_end(&self, relay: &Relay, count: u64) -> bool {
        let emulator = &self.world.emulator;
        let deadline = Instant::now() + PATIENCE;
        loop {
            // In this order, so that what is taken last is not missed.
            let has_ended = relay.has_ended();
            let taken = emulator.wait_until(|record| record.total() >= count, Duration::from_millis(25));
            match self.world.runtime.block_on(taken) {
                Ok(()) => return true,
                Err(_) if has_ended => return false,
                Err(_) => assert!(Instant::now() < deadline, "{count} are not taken"),
            }
        }
    }

    fn check(&self, view: &SubmissionView) {
        let Self { story, crash, .. } = self;
        assert_eq!(states(view), story.ends, "{view:#?}");
        view.messages.iter().for_each(check_moves);
        let events = |is: &dyn Fn(&Event) -> bool| -> usize {
            view.messages.iter().map(|message| message.events.iter().filter(|event| is(event)).count()).sum()
        };
        assert_eq!(events(&|event| event.note.contains("report filed as ")), story.reported, "{view:#?}");
        self.check_mails(view);
        self.check_callbacks(view);

        let accepted = self.world.emulator.accepted();
        assert_eq!(accepted.len(), story.taken + crash.taken_again, "{accepted:#?}");
        let ids: Vec<String> = view.messages.iter().map(|message| message.sms.id.to_string()).collect();
        assert!(accepted.iter().all(|sms| ids.contains(&sms.message_id)), "{accepted:#?}");
        let mut ways: Vec<_> = accepted.iter().map(|sms| (&sms.message_id, sms.channel.as_str())).collect();
        ways.sort_unstable();
        ways.dedup();
        assert_eq!(ways.len(), story.taken, "by each way once: {accepted:#?}");

        let Some(program) = &self.program else { return };
        assert_eq!(events(&|event| event.note == "its program was told"), 1, "{view:#?}");
        let told = program.told();
        let calls = 1 + story.program.map_or(0, <[u16]>::len);
        assert_eq!(told.len(), calls + usize::from(crash.again), "{told:#?}");
        for call in &told {
            let body = call.json();
            assert_eq!([call.header("Idempotency-Key"), body["id"].as_str().unwrap()], [&*ids[0]; 2]);
            assert_eq!(body["state"], story.ends[0].as_str());
        }
    }

    fn check_mails(&self, view: &SubmissionView) {
        let Self { story, crash, .. } = self;
        let sent: Vec<&str> = if story.reported > 0 { mails_in_the_end(crash.mails) } else { Vec::new() };
        assert_eq!(mails(view), sent);
        let arrived = self.world.mailbox.mails();
        let once = sent.iter().filter(|state| **state == "sent").count();
        let again = usize::from(crash.again && self.program.is_none());
        assert_eq!(arrived.len(), once + again, "{arrived:#?}");
        assert!(arrived.windows(2).all(|pair| pair[0].text == pair[1].text), "twice the same: {arrived:#?}");
        for mail in &arrived {
            assert!(mail.mail_from.starts_with("MAIL FROM:<>"), "{}", mail.mail_from);
            let is_form = matches!(story.submission, Submission::Form(_));
            let to_operator = is_form || sent.contains(&"failed");
            let to = if to_operator { "operator@example.com" } else { "nagios@example.com" };
            assert_eq!(mail.rcpt_to, [format!("RCPT TO:<{to}>")]);
            assert!(mail.text.contains("db1 is DOWN"), "{}", mail.text);
        }
    }

    /// What the platform said is there once, and paid once.
    fn check_callbacks(&self, view: &SubmissionView) {
        for message in &view.messages {
            let is_about =
                |act: &&Act| matches!(act, Act::Says(said) if said.ordinal == message.sms.id.ordinal);
            let said = self.story.acts.iter().filter(is_about).count();
            assert_eq!(message.callbacks.len(), said, "{:#?}", message.callbacks);
            let price: Option<Price> = message.callbacks.iter().map(|part| part.price).sum();
            assert_eq!(message.price, price.filter(|_| said > 0));
        }
    }
}

impl Story {
    fn calls_back(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Says(_)))
    }
}

impl Relay {
    /// Waits for a line with these words; `false` when the relay ends first.
    fn says_before_its_end(&self, words: &str) -> bool {
        self.wait_for_log_or_end(|line| line["message"].as_str().is_some_and(|said| said.contains(words)))
    }
}

/// It went no way that it may not go, and has ended once.
pub fn check_moves(message: &MessageView) {
    let moves: Vec<State> = message.events.iter().filter(is_move).map(|event| event.state).collect();
    assert!(moves.windows(2).all(|pair| pair[0].may_become(pair[1])), "{moves:?}: {:#?}", message.events);
    let ends = moves.iter().filter(|state| matches!(state, Final(_))).count();
    assert_eq!(ends, 1, "one end: {:#?}", message.events);
}

/// Whether it is a line about where the SMS is, and not about what else happened.
fn is_move(event: &&Event) -> bool {
    let others =
        ["report filed as ", "delay report filed as ", "late: ", "callback: ", "its program was told"];
    !others.iter().any(|words| event.note.starts_with(words))
}

fn states(view: &SubmissionView) -> Vec<State> {
    view.messages.iter().map(|message| message.state).collect()
}

fn mails(view: &SubmissionView) -> Vec<&str> {
    view.mails.iter().map(|mail| mail.state.as_str()).collect()
}

/// What was not refused before the crash is sent; nothing comes to it.
fn mails_in_the_end(left: &[&'static str]) -> Vec<&'static str> {
    if left.is_empty() {
        return vec!["sent"];
    }
    left.iter().map(|state| if *state == "failed" { "failed" } else { "sent" }).collect()
}
