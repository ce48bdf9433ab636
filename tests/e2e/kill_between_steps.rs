//! The process ends between every two steps of the spool's states, and nothing is lost, nothing sent twice.
//!
//! A story is one way of a message. It is told once for each of its crash points: the relay ends there by
//! itself, what it left on disk is looked at, it is started again, and the story must end as if nothing had
//! happened. Where a mail can go out twice, the table says so (`again`), and that is counted too.
//!
//! Which story ends the process before and after each move of `model/state.rs`; the files
//! `kill_while_waiting.rs` and `kill_at_random.rs` end it from outside, in the states themselves.
//!
//! | move | story |
//! |---|---|
//! | accepted: due | `DELIVERED` |
//! | accepted: cancelled | `DROPPED` |
//! | due -> claimed | `DELIVERED`; for a second attempt `SENT_AGAIN_AFTER_SILENCE`, `SENT_AGAIN_LATER` |
//! | due -> cancelled | none: nothing cancels yet what waits |
//! | due -> expired | `EXPIRED_WHILE_DUE` |
//! | claimed -> sent | `DELIVERED` |
//! | claimed -> due | `SENT_AGAIN_LATER` |
//! | claimed -> unknown | `RECONCILED`; at the start after a crash `RECOVERED` |
//! | claimed -> failed | `REFUSED` |
//! | unknown -> unknown | `ASKED_AGAIN_WHETHER_TAKEN` |
//! | unknown -> sent | `RECONCILED` |
//! | unknown -> due | `SENT_AGAIN_AFTER_SILENCE` |
//! | unknown -> expired | `EXPIRED_WHILE_UNKNOWN` |
//! | sent -> sent | `ASKED_AGAIN_WHETHER_ARRIVED` |
//! | sent -> delivered | `DELIVERED` |
//! | sent -> undelivered, expired | `UNDELIVERED`, `EXPIRED_ON_THE_WAY` |
//! | the report: written | `REFUSED` |
//! | mail due -> claimed | `REFUSED`; at the start after a crash back to due, `REPORT_RECOVERED` |
//! | mail claimed -> sent, due, failed | `REFUSED`, `REPORT_SENT_LATER`, `REPORT_REFUSED` |

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::FinalState::{Cancelled, Delivered, Expired, Failed, Undelivered};
use sms_relay::model::State::{self, Claimed, Due, Final, Sent, Unknown};
use sms_relay::spool::{Event, SubmissionView};

use crate::support::{Behaviour, Relay, Smtp, World};

/// One way of a message, and where the process ends on it.
struct Story {
    /// What the platform does.
    faults: fn() -> Vec<FaultRule>,
    /// What the smarthost does until the crash.
    smarthost: Behaviour,
    /// Rules of the configuration.
    rules: &'static str,
    /// Words of the configuration that are other than usual.
    otherwise: &'static [(&'static str, &'static str)],
    /// Where the SMS ends.
    ends: State,
    /// How often the platform takes it.
    taken: u64,
    /// Whether the sender is owed a report.
    reported: bool,
    crashes: &'static [Crash],
}

/// Where the process ends.
struct Crash {
    /// A crash that comes before; this one is then at the next start.
    after: Option<&'static str>,
    /// As `SMS_RELAY_CRASH_POINT` takes it.
    point: &'static str,
    /// Where the SMS then is on disk; `None` where nothing was kept.
    sms: Option<State>,
    /// Where its mails then are.
    mails: &'static [&'static str],
    /// The smarthost took the report, and that was not yet on disk: it comes again. SMTP cannot be
    /// asked whether it was taken (docs/architecture.md, "A report twice").
    again: bool,
}

const fn at(point: &'static str, sms: State) -> Crash {
    Crash { after: None, point, sms: Some(sms), mails: &[], again: false }
}

const fn mailing(point: &'static str, sms: State, mails: &'static [&'static str]) -> Crash {
    Crash { after: None, point, sms: Some(sms), mails, again: false }
}

const USUAL: Story = Story {
    faults: Vec::new,
    smarthost: Behaviour::Accept,
    rules: "",
    otherwise: &[],
    ends: Final(Delivered),
    taken: 1,
    reported: false,
    crashes: &[],
};

const REFUSAL: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Refuse { reasons: vec!["Invalid destination".to_owned()] })],
    ends: Final(Failed),
    taken: 0,
    reported: true,
    ..USUAL
};

const SHORT_LIFE: &str = "[[rule]]\nname = \"short\"\nwhen.recipient = \".\"\nlifetime = \"1s\"\n";

const DELIVERED: Story = Story {
    crashes: &[
        Crash { after: None, point: "before-accept-commit", sms: None, mails: &[], again: false },
        at("after-accept-commit", Due),
        at("before-claim-commit", Due),
        at("after-claim-commit", Claimed),
        at("before-send", Claimed),
        at("after-send", Claimed),
        at("before-settle-commit:1", Claimed),
        at("after-settle-commit:1", Sent),
        at("before-settle-commit:2", Sent),
        at("after-settle-commit:2", Final(Delivered)),
    ],
    ..USUAL
};

const DROPPED: Story = Story {
    rules: "[[rule]]\nname = \"drop\"\nwhen.recipient = \".\"\ndrop = \"not on call\"\n",
    ends: Final(Cancelled),
    taken: 0,
    crashes: &[
        Crash { after: None, point: "before-accept-commit", sms: None, mails: &[], again: false },
        at("after-accept-commit", Final(Cancelled)),
    ],
    ..USUAL
};

const RECOVERED: Story = Story {
    crashes: &[
        Crash { after: Some("before-send"), ..at("before-recover-commit", Claimed) },
        Crash { after: Some("before-send"), ..at("after-recover-commit", Unknown) },
        Crash { after: Some("after-send"), ..at("before-recover-commit", Claimed) },
        Crash { after: Some("after-send"), ..at("after-recover-commit", Unknown) },
    ],
    ..USUAL
};

/// The platform takes it and the answer is lost.
const RECONCILED: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Reset { recorded: true }).times(1)],
    crashes: &[
        at("before-settle-commit:1", Claimed),
        at("after-settle-commit:1", Unknown),
        at("before-settle-commit:2", Unknown),
        at("after-settle-commit:2", Sent),
    ],
    ..USUAL
};

/// The request is lost.
const SENT_AGAIN_AFTER_SILENCE: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Reset { recorded: false }).times(1)],
    crashes: &[
        at("after-settle-commit:1", Unknown),
        at("before-settle-commit:2", Unknown),
        at("after-settle-commit:2", Due),
        at("before-claim-commit:2", Due),
        at("after-claim-commit:2", Claimed),
        at("before-send:2", Claimed),
        at("after-send:2", Claimed),
    ],
    ..USUAL
};

const ASKED_AGAIN_WHETHER_TAKEN: Story = Story {
    faults: || {
        vec![
            FaultRule::on_send(Fault::Reset { recorded: true }).times(1),
            FaultRule::on_status(failing()).times(1),
        ]
    },
    crashes: &[
        at("before-settle-commit:2", Unknown),
        at("after-settle-commit:2", Unknown),
        at("before-settle-commit:3", Unknown),
        at("after-settle-commit:3", Sent),
    ],
    ..USUAL
};

const ASKED_AGAIN_WHETHER_ARRIVED: Story = Story {
    faults: || vec![FaultRule::on_status(failing()).times(1)],
    crashes: &[
        at("before-settle-commit:2", Sent),
        at("after-settle-commit:2", Sent),
        at("before-settle-commit:3", Sent),
        at("after-settle-commit:3", Final(Delivered)),
    ],
    ..USUAL
};

const SENT_AGAIN_LATER: Story = Story {
    faults: || vec![FaultRule::on_send(failing()).times(1)],
    crashes: &[
        at("before-settle-commit:1", Claimed),
        at("after-settle-commit:1", Due),
        at("before-claim-commit:2", Due),
        at("after-claim-commit:2", Claimed),
        at("before-settle-commit:2", Claimed),
        at("after-settle-commit:2", Sent),
    ],
    ..USUAL
};

const EXPIRED_WHILE_DUE: Story = Story {
    faults: || vec![FaultRule::on_send(failing())],
    rules: SHORT_LIFE,
    // The second attempt would come after the end.
    otherwise: &[(
        "backoff = { first = \"1s\", most = \"2s\" }\nprobe",
        "backoff = { first = \"1h\", most = \"1h\" }\nprobe",
    )],
    ends: Final(Expired),
    taken: 0,
    reported: true,
    crashes: &[at("before-claim-commit:2", Due), at("after-claim-commit:2", Final(Expired))],
    ..USUAL
};

const EXPIRED_WHILE_UNKNOWN: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Reset { recorded: false }), FaultRule::on_status(failing())],
    // It is first asked about when its life is over.
    rules: SHORT_LIFE,
    ends: Final(Expired),
    taken: 0,
    reported: true,
    crashes: &[at("before-settle-commit:2", Unknown), at("after-settle-commit:2", Final(Expired))],
    ..USUAL
};

const UNDELIVERED: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Deliver { outcome: Outcome::Error, delay_millis: Some(0) })],
    ends: Final(Undelivered),
    reported: true,
    crashes: &[at("before-settle-commit:2", Sent), at("after-settle-commit:2", Final(Undelivered))],
    ..USUAL
};

const EXPIRED_ON_THE_WAY: Story = Story {
    faults: || vec![FaultRule::on_send(Fault::Deliver { outcome: Outcome::Expired, delay_millis: Some(0) })],
    ends: Final(Expired),
    reported: true,
    crashes: &[at("before-settle-commit:2", Sent), at("after-settle-commit:2", Final(Expired))],
    ..USUAL
};

const REFUSED: Story = Story {
    crashes: &[
        at("after-send", Claimed),
        at("before-settle-commit", Claimed),
        at("after-settle-commit", Final(Failed)),
        at("before-close-case-commit", Final(Failed)),
        mailing("after-close-case-commit", Final(Failed), &["due"]),
        mailing("before-claim-mail-commit", Final(Failed), &["due"]),
        mailing("after-claim-mail-commit", Final(Failed), &["claimed"]),
        Crash { again: true, ..mailing("mail-sent", Final(Failed), &["claimed"]) },
        Crash { again: true, ..mailing("before-settle-mail-commit", Final(Failed), &["claimed"]) },
        mailing("after-settle-mail-commit", Final(Failed), &["sent"]),
    ],
    ..REFUSAL
};

const REPORT_RECOVERED: Story = Story {
    crashes: &[
        Crash {
            after: Some("after-claim-mail-commit"),
            ..mailing("before-recover-commit", Final(Failed), &["claimed"])
        },
        Crash {
            after: Some("after-claim-mail-commit"),
            ..mailing("after-recover-commit", Final(Failed), &["due"])
        },
    ],
    ..REFUSAL
};

const REPORT_SENT_LATER: Story = Story {
    smarthost: Behaviour::Later,
    crashes: &[
        mailing("before-settle-mail-commit", Final(Failed), &["claimed"]),
        mailing("after-settle-mail-commit", Final(Failed), &["due"]),
        mailing("before-claim-mail-commit:2", Final(Failed), &["due"]),
        mailing("after-claim-mail-commit:2", Final(Failed), &["claimed"]),
    ],
    ..REFUSAL
};

/// The operator is told instead of the sender, in the same commit.
const REPORT_REFUSED: Story = Story {
    smarthost: Behaviour::RefuseRecipient,
    crashes: &[
        mailing("before-settle-mail-commit", Final(Failed), &["claimed"]),
        mailing("after-settle-mail-commit", Final(Failed), &["failed", "due"]),
    ],
    ..REFUSAL
};

const STORIES: [&Story; 16] = [
    &DELIVERED,
    &DROPPED,
    &RECOVERED,
    &RECONCILED,
    &SENT_AGAIN_AFTER_SILENCE,
    &ASKED_AGAIN_WHETHER_TAKEN,
    &ASKED_AGAIN_WHETHER_ARRIVED,
    &SENT_AGAIN_LATER,
    &EXPIRED_WHILE_DUE,
    &EXPIRED_WHILE_UNKNOWN,
    &UNDELIVERED,
    &EXPIRED_ON_THE_WAY,
    &REFUSED,
    &REPORT_RECOVERED,
    &REPORT_SENT_LATER,
    &REPORT_REFUSED,
];

fn failing() -> Fault {
    Fault::Status { code: 500, retry_after: None, body: None, recorded: false }
}

#[test]
fn delivered() {
    tell(&DELIVERED);
}

#[test]
fn dropped_by_a_rule() {
    tell(&DROPPED);
}

#[test]
fn killed_again_while_recovering() {
    tell(&RECOVERED);
}

#[test]
fn taken_without_an_answer() {
    tell(&RECONCILED);
}

#[test]
fn lost_on_the_way_to_the_platform() {
    tell(&SENT_AGAIN_AFTER_SILENCE);
}

#[test]
fn asked_twice_whether_it_was_taken() {
    tell(&ASKED_AGAIN_WHETHER_TAKEN);
}

#[test]
fn asked_twice_whether_it_arrived() {
    tell(&ASKED_AGAIN_WHETHER_ARRIVED);
}

#[test]
fn put_off_by_the_platform() {
    tell(&SENT_AGAIN_LATER);
}

#[test]
fn expired_while_due() {
    tell(&EXPIRED_WHILE_DUE);
}

#[test]
fn expired_while_unknown() {
    tell(&EXPIRED_WHILE_UNKNOWN);
}

#[test]
fn undeliverable() {
    tell(&UNDELIVERED);
}

#[test]
fn expired_on_the_way() {
    tell(&EXPIRED_ON_THE_WAY);
}

#[test]
fn refused_and_reported() {
    tell(&REFUSED);
}

#[test]
fn killed_again_while_recovering_a_report() {
    tell(&REPORT_RECOVERED);
}

#[test]
fn report_put_off_by_the_smarthost() {
    tell(&REPORT_SENT_LATER);
}

#[test]
fn report_refused_by_the_smarthost() {
    tell(&REPORT_REFUSED);
}

/// Every crash of the story, each in a world of its own, at the same time: they mostly wait.
fn tell(story: &Story) {
    std::thread::scope(|scope| {
        for crash in story.crashes {
            let name = [crash.after, Some(crash.point)].into_iter().flatten().collect::<Vec<_>>().join(", ");
            // A panic names its thread.
            let thread = std::thread::Builder::new().name(name);
            thread.spawn_scoped(scope, || crash_and_start_again(story, crash)).unwrap();
        }
    });
}

fn crash_and_start_again(story: &Story, crash: &Crash) {
    let mut world = World::new();
    world.rules = story.rules.to_owned();
    world.otherwise = story.otherwise.iter().map(|(usual, other)| (*usual, (*other).to_owned())).collect();
    world.mailbox.behave(story.smarthost);
    for rule in (story.faults)() {
        world.emulator.order(rule).unwrap();
    }

    let relay = world.start_with(&[("SMS_RELAY_CRASH_POINT", crash.after.unwrap_or(crash.point))]);
    let reply = submit(&relay);
    assert_eq!(relay.wait_for_end().signal(), Some(Signal::ABORT.as_raw()));
    if crash.after.is_some() {
        let environment = [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", crash.point)];
        let (status, _) = Relay::start_and_end(&world.write(), &environment);
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    }

    let remains = world.remains();
    let kept = remains.submissions();
    let left = kept.first().map(|id| remains.submission(id));
    let told = reply.as_deref().map(Smtp::queued);
    assert!(told.is_none() || told.as_ref() == kept.first(), "told {told:?}, kept {kept:?}");
    assert_eq!(kept.len(), usize::from(crash.sms.is_some()));
    if let (Some(left), Some(sms)) = (&left, crash.sms) {
        assert_eq!(left.messages.iter().map(|message| message.state).collect::<Vec<_>>(), [sms]);
        assert_eq!(mails(left), crash.mails);
    }

    world.mailbox.behave(Behaviour::Accept);
    let relay = world.start();
    // Who was told nothing sends again.
    let id = kept.first().cloned().unwrap_or_else(|| Smtp::queued(&submit(&relay).unwrap()));
    wait_for_the_end(story, left.as_ref(), &id, &relay);
    assert!(relay.terminate().success());

    let view = world.submission(&id);
    assert_eq!(world.remains().submissions(), [id]);
    let [message] = view.messages.as_slice() else { panic!("{view:#?}") };
    assert_eq!(message.state, story.ends, "{:#?}", message.events);
    let is_report = |event: &&Event| event.note.starts_with("report filed as ");
    let moves: Vec<State> =
        message.events.iter().filter(|event| !is_report(event)).map(|event| event.state).collect();
    assert!(moves.windows(2).all(|pair| pair[0].may_become(pair[1])), "{moves:?}");
    assert_eq!(message.events.iter().filter(is_report).count(), usize::from(story.reported));
    let sent: Vec<&str> = if story.reported { mails_in_the_end(crash.mails) } else { Vec::new() };
    assert_eq!(mails(&view), sent);
    let arrived = world.mailbox.mails();
    let once = sent.iter().filter(|state| **state == "sent").count();
    assert_eq!(arrived.len(), once + usize::from(crash.again), "{arrived:#?}");
    assert!(arrived.windows(2).all(|pair| pair[0].text == pair[1].text), "twice the same: {arrived:#?}");
    for mail in &arrived {
        assert!(mail.mail_from.starts_with("MAIL FROM:<>"), "{}", mail.mail_from);
        let to_operator = sent.contains(&"failed");
        let to = if to_operator { "operator@example.com" } else { "nagios@example.com" };
        assert_eq!(mail.rcpt_to, [format!("RCPT TO:<{to}>")]);
        assert!(mail.text.contains("db1 is DOWN"), "{}", mail.text);
    }

    let accepted = world.emulator.accepted();
    assert_eq!(accepted.len() as u64, story.taken, "{accepted:#?}");
    assert!(accepted.iter().all(|sms| sms.message_id == message.sms.id.to_string()), "{accepted:#?}");
}

/// The reply to the final dot, or none when the relay ended before.
fn submit(relay: &Relay) -> Option<String> {
    Smtp::connect(relay.smtp)?.mail(
        "nagios@example.com",
        "oncall@sms.local",
        "Subject: db1 is DOWN\r\nFrom: nagios@example.com\r\n\r\nload 45",
    )
}

/// Waits until the log tells of what `left` had still before it.
fn wait_for_the_end(story: &Story, left: Option<&SubmissionView>, id: &str, relay: &Relay) {
    let is_about = |line: &serde_json::Value| line["id"].as_str().is_some_and(|about| about.starts_with(id));
    if story.reported {
        let left = left.map(mails).unwrap_or_default();
        let waits = left.is_empty() || left.iter().any(|state| !matches!(*state, "sent" | "failed"));
        if waits {
            relay.wait_for_log("mail sent", |line| line["message"] == "mail sent" && is_about(line));
        }
    } else if left.is_none_or(|left| left.messages[0].state != story.ends) && story.ends != Final(Cancelled) {
        relay.wait_for_log("final", |line| line["message"] == "final" && is_about(line));
    }
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

#[test]
fn every_crash_point_of_the_program_is_in_a_story() {
    let name = |point: &str| point.split(':').next().unwrap().to_owned();
    let crashes = || STORIES.iter().flat_map(|story| story.crashes);
    let told: BTreeSet<String> =
        crashes().flat_map(|crash| crash.after.into_iter().chain([crash.point])).map(name).collect();
    assert_eq!(told, crash_points(Path::new("src")));
}

/// A story ends the process before and after a move when two crashes of it have the same commit.
#[test]
fn every_move_of_the_table_is_in_a_story() {
    let split = |crash: &Crash| {
        let (side, commit) = crash.point.split_once('-')?;
        Some((side.to_owned(), (crash.after, commit.to_owned())))
    };
    let mut told = Vec::new();
    for story in STORIES {
        for before in story.crashes {
            for after in story.crashes {
                let (Some((side, commit)), Some((other, same))) = (split(before), split(after)) else {
                    continue;
                };
                if let (Some(from), Some(to)) = (before.sms, after.sms)
                    && (side.as_str(), other.as_str()) == ("before", "after")
                    && commit == same
                {
                    told.push((from, to));
                }
            }
        }
    }
    let states = [Due, Claimed, Unknown, Sent]
        .into_iter()
        .chain([Delivered, Undelivered, Failed, Expired, Cancelled].map(Final));
    let moves = states.clone().flat_map(|from| states.clone().map(move |to| (from, to)));
    let untold: Vec<_> =
        moves.filter(|(from, to)| from.may_become(*to)).filter(|step| !told.contains(step)).collect();
    // Nothing cancels yet what waits.
    assert_eq!(untold, [(Due, Final(Cancelled))]);
}

/// The literals that `crash_point::reach` is called with; where it is called with a name, those of
/// that file's table, which begin with `before-` and `after-`.
fn crash_points(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources(directory) {
        let code = std::fs::read_to_string(&file).unwrap();
        for call in code.split("crash_point::reach(").skip(1) {
            match call.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                Some((literal, _)) => drop(found.insert(literal.to_owned())),
                None => {
                    let literals = code.split('"').skip(1).step_by(2);
                    let is_point = |text: &&str| text.starts_with("before-") || text.starts_with("after-");
                    found.extend(literals.filter(is_point).map(str::to_owned));
                }
            }
        }
    }
    found
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
