//! A report is mail of ours and as safe as an SMS: it is tried until the smarthost takes it, over a
//! restart too, and goes to the operator where the sender's mailbox refuses it.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Behaviour, Letter, Mail, Mailbox, World, tool};

const MAIL: &str = "From: ups@example.com\nSubject: Power\n\nOut.\n";
const TO: (&str, &[&str]) = ("oncall@sms.local", &[]);

fn refusing(world: World) -> World {
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["Blocked".to_owned()] }));
    world
}

#[test]
fn a_report_that_its_addressee_refuses_goes_to_the_operator() {
    if !tool("python3") {
        return;
    }
    let world = refusing(World::new());
    world.mailbox.behave(Behaviour::AcceptOnly("operator@example.com"));
    let relay = world.start();
    let id = Mail::new("ups@example.com", &TO, MAIL).send(relay.smtp);
    let arrived = &world.mailbox.wait_for(1)[0];
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<operator@example.com>"]);
    assert_eq!(arrived.mail_from.split(' ').nth(1), Some("FROM:<>"));
    let letter = Letter::read(arrived);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.header("Subject"), "Could not tell ups@example.com about its SMS");
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    assert!(letter.human().contains("550 5.1.1 nobody of that name"), "{}", letter.human());
    assert!(letter.human().contains(&id), "{}", letter.human());
    assert!(letter.part("message/rfc822").contains("> Out."), "the report is attached");
    assert!(relay.terminate().success());
}

#[test]
fn a_report_that_nobody_takes_ends_there() {
    if !tool("python3") {
        return;
    }
    let world = refusing(World::new());
    world.mailbox.behave(Behaviour::RefuseRecipient);
    let relay = world.start();
    let id = Mail::new("ups@example.com", &TO, MAIL).send(relay.smtp);
    let line = relay.wait_for_message("mail cannot be delivered; nobody else is told");
    assert_eq!((line["id"].as_str(), line["kind"].as_str()), (Some(id.as_str()), Some("operator-report")));
    assert!(relay.terminate().success());
    let mails = world.submission(&id).mails;
    let states: Vec<&str> = mails.iter().map(|mail| mail.state.as_str()).collect();
    assert_eq!(states, ["failed", "failed"], "the report and the word to the operator, and no third");
}

#[test]
fn a_report_waits_for_a_smarthost_that_says_later() {
    if !tool("python3") {
        return;
    }
    let world = refusing(World::new());
    world.mailbox.behave(Behaviour::Later);
    let relay = world.start();
    let id = Mail::new("ups@example.com", &TO, MAIL).send(relay.smtp);
    let line = relay.wait_for_message("mail not sent yet");
    assert_eq!(line["id"], id.as_str());
    assert!(line["said"].as_str().unwrap().contains("451 4.3.0 not now"), "{line}");
    world.mailbox.behave(Behaviour::Accept);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("X-Relay-Queue-Id"), [id]);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn a_report_outlives_a_restart_while_the_smarthost_is_away() {
    if !tool("python3") {
        return;
    }
    let mut world = refusing(World::new());
    let (mailbox, door) = Mailbox::closed();
    world.mailbox = mailbox;
    let relay = world.start();
    let id = Mail::new("ups@example.com", &TO, MAIL).send(relay.smtp);
    relay.wait_for_message("mail not sent yet");
    relay.kill();
    let relay = world.start();
    relay.wait_for_message("mail not sent yet");
    world.mailbox.listen(door);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("X-Relay-Queue-Id"), [id.as_str()]);
    relay.wait_for_message("mail sent");
    assert!(relay.terminate().success());
    assert_eq!(world.submission(&id).mails[0].state, "sent");
}

#[test]
fn mail_for_the_postmaster_that_the_operator_refuses_goes_back_to_its_sender() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    world.mailbox.behave(Behaviour::AcceptOnly("anna@example.com"));
    let relay = world.start();
    let to = ("postmaster@sms.local", &[][..]);
    let id = Mail::new("anna@example.com", &to, "Subject: Badge\n\nPlease call.\n").send(relay.smtp);
    let arrived = &world.mailbox.wait_for(1)[0];
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<anna@example.com>"]);
    assert_eq!(arrived.mail_from.split(' ').nth(1), Some("FROM:<>"));
    let letter = Letter::read(arrived);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.header("Subject"), "Mail not delivered: Badge");
    assert!(letter.human().contains("550 5.1.1 nobody of that name"), "{}", letter.human());
    assert_eq!(letter.status("X-Relay-Queue-Id"), [id.as_str()]);
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; operator@example.com"]);
    assert!(letter.part("text/rfc822-headers").contains("Subject: Badge"), "its headers are returned");
    assert!(relay.terminate().success());
    let kinds: Vec<String> = world.submission(&id).mails.iter().map(|mail| mail.state.clone()).collect();
    assert_eq!(kinds, ["failed", "sent"]);
}

#[test]
fn mail_for_the_postmaster_whose_sender_wants_no_report_ends_in_the_log() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    world.mailbox.behave(Behaviour::RefuseRecipient);
    let relay = world.start();
    let to = ("postmaster@sms.local", &["NOTIFY=NEVER"][..]);
    let id = Mail::new("anna@example.com", &to, "Subject: Badge\n\nPlease call.\n").send(relay.smtp);
    let line = relay.wait_for_message("mail cannot be delivered; nobody else is told");
    assert_eq!((line["id"].as_str(), line["kind"].as_str()), (Some(id.as_str()), Some("postmaster")));
    assert!(relay.terminate().success());
}
