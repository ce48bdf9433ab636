//! Reports of other things than failures: late, expanded, taken and never confirmed, delivered; each only to
//! who asked, and as few of them as possible.

use std::time::Duration;

use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::{FinalState, State};

use crate::support::{Letter, Mail, World, tool};

const MAIL: &str = "From: ups@example.com\nSubject: Power\n\nOn battery.\n";
const HOUR: Duration = Duration::from_secs(3600);

/// A platform that takes everything, says no more of it, and is hardly asked.
fn silent() -> World {
    let mut world = World::with_platform(|settings| settings.delivery.outcome = Outcome::Never);
    world.otherwise.push((
        "ask = { first = \"1s\", most = \"2s\" }",
        "ask = { first = \"10h\", most = \"10h\" }".to_owned(),
    ));
    world
}

/// Hands the mail in, waits until the platform has `sms` SMS of it, and ends the relay; the id.
fn taken(world: &World, from: &str, to: &[(&str, &[&str])], mail: &str, sms: u64) -> String {
    let relay = world.start();
    let before = world.emulator.accepted().len() as u64;
    let id = Mail { from, options: &[], to, mail }.send(relay.smtp);
    world.wait_for_platform("all", |record| record.total() == before + sms);
    for ordinal in 1..=sms {
        let sms = format!("{id}-{ordinal}");
        relay.wait_for_log("sent", |line| line["id"] == sms && line["message"] == "accepted by the platform");
    }
    assert!(relay.terminate().success());
    id
}

/// Starts the relay on what waits, and ends it once it has told everything up to a failure that it is
/// given now: that one is reported to `last@example.com`. All mails but that one.
fn told(world: &World) -> Vec<Letter> {
    let seen = world.mailbox.mails().len();
    world.emulator.clear_faults();
    world
        .order(FaultRule::on_send(Fault::Refuse { reasons: vec!["last".to_owned()] }).containing("the last"));
    let relay = world.start();
    let last = ("+393470000099@sms.local", &["NOTIFY=FAILURE"][..]);
    Mail::new("last@example.com", &last, "Subject: last\n\nthe last\n").send(relay.smtp);
    let is_last = |mail: &crate::support::Arrived| mail.rcpt_to == ["RCPT TO:<last@example.com>"];
    let mut count = seen + 1;
    while !world.mailbox.wait_for(count)[seen..].iter().any(is_last) {
        count += 1;
    }
    assert!(relay.terminate().success());
    world.mailbox.mails()[seen..].iter().filter(|mail| !is_last(mail)).map(Letter::read).collect()
}

#[test]
fn what_is_late_is_told_to_who_asked_and_to_who_said_nothing() {
    if !tool("python3") {
        return;
    }
    let world = silent();
    let to: [(&str, &[&str]); 5] = [
        ("+393470000001@sms.local", &[]),
        ("+393470000002@sms.local", &["NOTIFY=DELAY"]),
        ("+393470000003@sms.local", &["NOTIFY=NEVER"]),
        ("+393470000004@sms.local", &["NOTIFY=FAILURE"]),
        ("+393470000005@sms.local", &["NOTIFY=SUCCESS,FAILURE,DELAY"]),
    ];
    let id = taken(&world, "ups@example.com", &to, MAIL, 5);
    // `delayed_after` is half an hour, and the window half a minute.
    world.let_time_pass(Duration::from_secs(29 * 60));
    assert!(told(&world).is_empty(), "not late yet");
    world.let_time_pass(Duration::from_secs(2 * 60));
    let letters = told(&world);
    let [letter] = &letters[..] else { panic!("{letters:#?}") };
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.header("Subject"), "SMS delayed: Power");
    assert_eq!(letter.header("To"), "ups@example.com");
    let recipients = [1, 2, 5].map(|n| format!("rfc822; +39347000000{n}@sms.local"));
    assert_eq!(letter.status("Final-Recipient"), recipients);
    assert_eq!(letter.status("Action"), ["delayed"; 3]);
    assert_eq!(letter.status("X-Relay-Message-Id"), [1, 2, 5].map(|n| format!("{id}-{n}")));
    assert!(told(&world).is_empty(), "once");
}

#[test]
fn a_name_for_several_phones_is_told_as_expanded_and_not_phone_by_phone() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let to = ("two@sms.local", &["NOTIFY=SUCCESS,FAILURE"][..]);
    let id = Mail::new("ups@example.com", &to, MAIL).send(relay.smtp);
    for ordinal in [1, 2] {
        relay.wait_for_state(&format!("{id}-{ordinal}"), "delivered");
    }
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!((letter.status("Action"), letter.status("Status")), (vec!["expanded"], vec!["2.0.0"]));
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; two@sms.local"]);
    assert_eq!(letter.status("X-Relay-Message-Id"), [1, 2].map(|n| format!("{id}-{n}")));
    assert!(letter.human().contains(&format!("SMS {id}-1,\n    {id}-2\n")), "{}", letter.human());
    assert!(relay.terminate().success());
    assert!(told(&world).is_empty(), "nothing of either phone");
}

#[test]
fn of_a_name_for_several_phones_the_failure_of_one_is_told() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }).to("+393470000002"));
    let relay = world.start();
    let to = ("two@sms.local", &["NOTIFY=SUCCESS,FAILURE"][..]);
    let id = Mail::new("ups@example.com", &to, MAIL).send(relay.smtp);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("Action"), ["failed", "expanded"], "what asks for something stands first");
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; two@sms.local"; 2]);
    assert_eq!(letter.header("Subject"), "SMS not delivered: Power");
    assert_eq!(letter.status("X-Relay-Message-Id")[0], format!("{id}-2"));
    assert!(!letter.part("message/delivery-status").contains("0000002"), "never the phone behind a name");
    assert!(relay.terminate().success());
}

#[test]
fn what_was_never_confirmed_is_relayed_to_who_asked() {
    if !tool("python3") {
        return;
    }
    let world = silent();
    let to: [(&str, &[&str]); 2] =
        [("+393470000001@sms.local", &[]), ("+393470000002@sms.local", &["NOTIFY=SUCCESS"])];
    let id = taken(&world, "ups@example.com", &to, MAIL, 2);
    world.let_time_pass(73 * HOUR);
    let relay = world.start();
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!((letter.status("Action"), letter.status("Status")), (vec!["relayed"], vec!["2.0.0"]));
    assert_eq!(letter.status("X-Relay-Message-Id"), [format!("{id}-2")]);
    for ordinal in [1, 2] {
        relay.wait_for_state(&format!("{id}-{ordinal}"), "expired");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Expired); 2]);
    assert!(told(&world).is_empty());
}

#[test]
fn the_pieces_of_one_text_are_one_block_with_all_ids() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.rules = "[[rule]]\nname = \"nodes\"\nsplit = \"messages\"\nmax_parts = 4\n".to_owned();
    let relay = world.start();
    let lines: Vec<String> = (1..=40).map(|n| format!("Node {n:02} up")).collect();
    let mail = format!("Subject: Nodes\n\n{}\n", lines.join("\n"));
    let to = ("oncall@sms.local", &["NOTIFY=SUCCESS"][..]);
    let id = Mail::new("ups@example.com", &to, &mail).send(relay.smtp);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("Action"), ["delivered"], "one, once all have arrived");
    let ids = [1, 2, 3].map(|ordinal| format!("{id}-{ordinal}"));
    let told = letter.status("X-Relay-Message-Id").join(" ");
    assert!(ids.iter().all(|id| told.contains(id)), "{told}");
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn several_recipients_of_one_mail_are_one_report() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    world.order(
        FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }).to_prefix("+39347000000"),
    );
    let relay = world.start();
    let names: Vec<String> = (1..=5).map(|n| format!("+39347000000{n}@sms.local")).collect();
    let mut to: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    to.push(("oncall@sms.local", &["NOTIFY=SUCCESS"]));
    let id = Mail { from: "ups@example.com", options: &[], to: &to, mail: MAIL }.send(relay.smtp);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    let mut actions = vec!["failed"; 5];
    actions.push("delivered");
    assert_eq!(letter.status("Action"), actions);
    assert_eq!(letter.status("X-Relay-Queue-Id"), [id]);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn beyond_the_hours_share_there_is_one_summary_and_a_restart_loses_none() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("window = \"30s\"\n", "window = \"30s\"\nreports_per_hour = 2\n".to_owned()));
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }));
    let relay = world.start();
    let to = ("oncall@sms.local", &[][..]);
    let send = || Mail::new("ups@example.com", &to, MAIL).send(relay.smtp);
    let mut reported = vec![send()];
    world.mailbox.wait_for(1);
    reported.push(send());
    world.mailbox.wait_for(2);
    let held = [send(), send(), send()];
    relay.wait_for_message("addresses have had their reports for this hour; theirs wait for a summary");
    for id in &held {
        relay.wait_for_state(&format!("{id}-1"), "failed");
    }
    relay.kill();
    assert!(told(&world).is_empty(), "a restart is no new hour");
    world.let_time_pass(HOUR);
    let subjects: Vec<String> = told(&world)
        .iter()
        .map(|letter| {
            assert_eq!((letter.header("To"), letter.defects.len()), ("ups@example.com", 0));
            letter.header("Subject").to_owned()
        })
        .collect();
    let mut subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    subjects.sort_unstable();
    // The last place of the hour is for all that are left.
    assert_eq!(subjects, ["SMS not delivered: 2 messages", "SMS not delivered: Power"]);
    for id in reported.iter().chain(&held) {
        let telling =
            world.mailbox.mails().into_iter().filter(|mail| mail.text.contains(id.as_str())).count();
        assert_eq!(telling, 1, "{id} is told once");
    }
    assert!(told(&world).is_empty());
}

#[test]
fn nobody_reads_of_a_delay_who_reads_no_reports() {
    if !tool("python3") {
        return;
    }
    let world = silent();
    let mails = [
        ("", "Subject: null\n\nx\n"),
        ("robot@example.com", "Auto-Submitted: auto-generated\nSubject: auto\n\nx\n"),
        ("news@example.com", "Precedence: bulk\nSubject: bulk\n\nx\n"),
        ("someone@sms.local", "Subject: ours\n\nx\n"),
        ("person@example.com", "Subject: person\n\nx\n"),
    ];
    for (from, mail) in mails {
        taken(&world, from, &[("oncall@sms.local", &["NOTIFY=DELAY,FAILURE"])], mail, 1);
    }
    world.let_time_pass(HOUR);
    let mut told: Vec<(String, String)> = told(&world)
        .iter()
        .map(|letter| (letter.header("To").to_owned(), letter.header("Subject").to_owned()))
        .collect();
    told.sort();
    let operator = |subject: &str| ("operator@example.com".to_owned(), format!("SMS delayed: {subject}"));
    let person = ("person@example.com".to_owned(), "SMS delayed: person".to_owned());
    assert_eq!(told, [operator("auto"), operator("bulk"), operator("ours"), person]);
    assert!(world.mailbox.mails().iter().all(|mail| mail.mail_from.split(' ').nth(1) == Some("FROM:<>")));
}

#[test]
fn a_report_waits_a_day_for_its_smarthost_and_has_a_timeline_of_its_own() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    world.mailbox.behave(crate::support::Behaviour::Later);
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }));
    let relay = world.start();
    let id = Mail::new("ups@example.com", &("oncall@sms.local", &[]), MAIL).send(relay.smtp);
    relay.wait_for_message("mail not sent yet");
    relay.kill();
    world.let_time_pass(24 * HOUR);
    let relay = world.start();
    relay.wait_for_message("mail not sent yet");
    world.mailbox.behave(crate::support::Behaviour::Accept);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("X-Relay-Queue-Id"), [id.as_str()]);
    relay.wait_for_message("mail sent");
    assert!(relay.terminate().success());
    let mails = world.submission(&id).mails;
    let [mail] = &mails[..] else { panic!("{mails:#?}") };
    assert_eq!(mail.state, "sent");
    let states: Vec<&str> = mail.events.iter().map(|event| event.state.as_str()).collect();
    assert_eq!((states.first(), states.last()), (Some(&"due"), Some(&"sent")), "{states:?}");
    let waits: Vec<&str> =
        mail.events.iter().map(|event| event.note.as_str()).filter(|note| note.contains("451")).collect();
    assert!(waits.len() >= 2, "why it waited: {:#?}", mail.events);
}
