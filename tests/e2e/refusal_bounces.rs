//! What the platform refuses comes back to whoever sent the mail, as a report that a mail program
//! understands (RFC 3464) and a person too.

use sms_relay::emulator::{Fault, FaultRule};
use sms_relay::model::{FinalState, State};

use crate::support::{Letter, Mail, World, settled, tool};

const MAIL: &str = "\
From: UPS <ups@example.com>
To: oncall@sms.local
Subject: Power is out
Message-ID: <1@ups.example.com>
X-Rack: 7

On battery since 12:00.
";

fn refusal() -> Fault {
    Fault::Refuse { reasons: vec!["Destination blocked by the operator".to_owned()] }
}

/// A world whose platform refuses everything to the phone on call.
fn world() -> World {
    let world = World::new();
    world.order(FaultRule::on_send(refusal()).to("+393471234567"));
    world
}

#[test]
fn a_refused_mail_comes_back_as_a_report() {
    if !tool("python3") {
        return;
    }
    let world = world();
    let relay = world.start();
    let recipient: (&str, &[&str]) =
        ("oncall@sms.local", &["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;night+2Bshift@example.com"]);
    let mail =
        Mail { options: &["RET=HDRS", "ENVID=job+3D17"], ..Mail::new("ups@example.com", &recipient, MAIL) };
    let id = mail.send(relay.smtp);

    let arrived = &world.mailbox.wait_for(1)[0];
    assert_eq!(arrived.mail_from.split(' ').take(2).collect::<Vec<_>>(), ["MAIL", "FROM:<>"]);
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<ups@example.com>"]);
    let letter = Letter::read(arrived);
    assert_eq!(letter.defects, [""; 0], "{}", arrived.text);
    assert_eq!(
        (letter.kind.as_str(), letter.report_type.as_deref()),
        ("multipart/report", Some("delivery-status"))
    );
    assert_eq!(letter.header("From"), "SMS relay <operator@example.com>");
    assert_eq!(letter.header("To"), "ups@example.com");
    assert_eq!(letter.header("Subject"), "SMS not delivered: Power is out");
    assert_eq!(letter.header("Auto-Submitted"), "auto-replied");
    assert_eq!(letter.header("References"), "<1@ups.example.com>");
    assert_eq!(letter.header("In-Reply-To"), "<1@ups.example.com>");
    let kinds: Vec<&str> = letter.parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status", "text/rfc822-headers"]);
    let human = "\
You sent a mail that was to become an SMS.
The SMS relay at relay.test reports what became of it.

  Subject:  Power is out
  Received: DATE

It could not be delivered to:

  oncall@sms.local (phone +39347•••4567)
    the SMS platform did not accept the message: Destination blocked by the operator
    The platform said: http 200 OK: Destination blocked by the operator
    Status 5.3.0, SMS ID-1,
    last tried DATE

What you can do:

  - Reach the person in another way, and ask whoever runs the relay what is wrong.

The text that was not delivered:

> On battery since 12:00.

Whoever runs the relay reads answers to this mail. It was kept under the id
ID.
The headers of the mail are attached.
";
    assert_eq!(settled(letter.human(), &id), human);
    let machine = "\
Reporting-MTA: dns; relay.test
Original-Envelope-Id: job=17
Received-From-MTA: dns; printer.test ([127.0.0.1])
Arrival-Date: DATE
X-Relay-Queue-Id: ID

Original-Recipient: rfc822; night+shift@example.com
Final-Recipient: rfc822; oncall@sms.local
Action: failed
Status: 5.3.0
Remote-MTA: dns; 127.0.0.1
Diagnostic-Code: x-qlara; http 200 OK: Destination blocked by the operator
Last-Attempt-Date: DATE
Final-Log-ID: ID-1
X-Relay-Message-Id: ID-1
";
    assert_eq!(settled(letter.part("message/delivery-status"), &id), machine);
    let headers = "\
Received: from printer.test ([127.0.0.1])
	by relay.test with ESMTP id ID;
	DATE
From: UPS <ups@example.com>
To: oncall@sms.local
Subject: Power is out
Message-ID: <1@ups.example.com>
X-Rack: 7
";
    assert_eq!(settled(letter.part("text/rfc822-headers"), &id), headers);
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Failed)]);
}

#[test]
fn the_whole_mail_comes_back_where_the_sender_asks_for_it() {
    if !tool("python3") {
        return;
    }
    let world = world();
    let relay = world.start();
    let to: (&str, &[&str]) = ("oncall@sms.local", &[]);
    let id = Mail { options: &["RET=FULL"], ..Mail::new("ups@example.com", &to, MAIL) }.send(relay.smtp);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.defects, [""; 0]);
    let kinds: Vec<&str> = letter.parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status", "message/rfc822"]);
    assert!(letter.human().ends_with("\nThe mail is attached.\n"), "{}", letter.human());
    let returned = settled(letter.part("message/rfc822"), &id);
    let (received, mail) = returned.split_once("From: UPS").unwrap();
    assert!(received.starts_with("Received: from printer.test"), "{received}");
    assert_eq!(format!("From: UPS{mail}"), MAIL);
    assert_eq!(letter.status("Original-Envelope-Id"), [""; 0], "none was given");
    assert_eq!(letter.status("Original-Recipient"), [""; 0], "none was given");
    assert!(relay.terminate().success());
}

#[test]
fn several_recipients_of_one_mail_are_one_report() {
    if !tool("python3") {
        return;
    }
    let world = world();
    world.order(FaultRule::on_send(refusal()).to_prefix("+39347000000"));
    let relay = world.start();
    // Of five phones one gets it; one report tells of three, and the fifth asked for none.
    let to: [(&str, &[&str]); 4] = [
        ("oncall@sms.local", &[]),
        ("two@sms.local", &[]),
        ("+393470000003@sms.local", &["NOTIFY=NEVER"]),
        ("+393480000000@sms.local", &[]),
    ];
    let id = Mail { from: "ups@example.com", options: &[], to: &to, mail: MAIL }.send(relay.smtp);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.defects, [""; 0]);
    let failed = ["rfc822; oncall@sms.local", "rfc822; two@sms.local", "rfc822; two@sms.local"];
    assert_eq!(letter.status("Final-Recipient"), failed);
    assert_eq!(letter.status("Action"), ["failed"; 3]);
    let ids = [1, 2, 3].map(|ordinal| format!("{id}-{ordinal}"));
    assert_eq!(letter.status("X-Relay-Message-Id"), ids);
    assert_eq!(letter.human().matches("> On battery since 12:00.").count(), 1, "{}", letter.human());
    world.wait_for_platform("the good one", |record| record.total() == 1);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
    let reports = world.submission(&id).mails;
    assert_eq!(reports.len(), 1, "one report about five phones: {reports:#?}");
}

#[test]
fn a_sender_outside_ascii_is_told_too() {
    if !tool("python3") {
        return;
    }
    let world = world();
    let relay = world.start();
    let to: (&str, &[&str]) = ("oncall@sms.local", &[]);
    let mail = Mail { options: &["SMTPUTF8"], ..Mail::new("jörg@example.com", &to, MAIL) };
    let id = mail.send(relay.smtp);
    let arrived = &world.mailbox.wait_for(1)[0];
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<jörg@example.com>"]);
    let letter = Letter::read(arrived);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.status("X-Relay-Queue-Id"), [id]);
    assert!(relay.terminate().success());
}
