//! `NOTIFY` (RFC 3461 section 4.1): who asked for no report gets none, and who asked for one about
//! success gets it once the handset has the text.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Letter, Mail, World, tool};

const MAIL: &str = "From: ups@example.com\nSubject: Power\n\nBack again.\n";

#[test]
fn never_means_no_report() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["Blocked".to_owned()] }));
    let relay = world.start();
    let send = |notify: &str| {
        let options = [notify];
        Mail::new("ups@example.com", &("oncall@sms.local", &options), MAIL).send(relay.smtp)
    };
    // The last goes to the same phone, so that it is refused after the others; its report is the only one.
    send("NOTIFY=NEVER");
    send("NOTIFY=SUCCESS");
    send("NOTIFY=DELAY");
    let told = send("NOTIFY=FAILURE");
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("X-Relay-Queue-Id"), [told]);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn a_success_that_was_asked_for_is_reported_once_the_handset_has_it() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let to: [(&str, &[&str]); 2] =
        [("oncall@sms.local", &["NOTIFY=SUCCESS,FAILURE"]), ("+393470000009@sms.local", &[])];
    let mail = Mail { from: "ups@example.com", options: &["RET=FULL", "ENVID=A7"], to: &to, mail: MAIL };
    let id = mail.send(relay.smtp);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.header("Subject"), "SMS delivered: Power");
    assert_eq!(letter.status("Original-Envelope-Id"), ["A7"]);
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; oncall@sms.local"], "the other did not ask");
    assert_eq!(letter.status("Action"), ["delivered"]);
    assert_eq!(letter.status("Status"), ["2.0.0"]);
    assert_eq!(letter.status("X-Relay-Message-Id"), [format!("{id}-1")]);
    assert!(letter.human().contains("It was delivered to:\n\n  oncall@sms.local"), "{}", letter.human());
    // RET is about failures (RFC 3461 section 4.3): of a success only the headers come back.
    assert_eq!(letter.parts[2].0, "text/rfc822-headers");
    assert!(relay.terminate().success());
}
