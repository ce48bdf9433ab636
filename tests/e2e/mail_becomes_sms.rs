//! A mail becomes an SMS on the right phone, from clients that nobody here wrote.

use sms_relay::emulator::Status;
use sms_relay::model::{FinalState, State};

use crate::support::{World, run, tool};

#[test]
fn a_multipart_mail_of_pythons_smtplib() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.rules = r#"
[[rule]]
name = "ups"
when.envelope_sender = "^ups@"
sender = "UPS"
text = "both"
campaign_id = "power"
"#
    .to_owned();
    let relay = world.start();
    let script = format!(
        r#"
import smtplib
from email.message import EmailMessage
mail = EmailMessage()
mail["Subject"] = "Störung: Akku 12%"
mail["From"] = "UPS <ups@example.com>"
mail["To"] = "oncall@sms.local"
mail.set_content("Laufzeit noch 4 Minuten.\nRack 7 – Kühlung aus.\n")
mail.add_alternative("<p>Laufzeit noch 4 Minuten.</p>", subtype="html")
mail.add_attachment(b"log", maintype="application", subtype="octet-stream", filename="ups.log")
with smtplib.SMTP("127.0.0.1", {port}) as smtp:
    smtp.ehlo()
    code, text = smtp.docmd("NOOP")
    assert code == 250, text
    refused = smtp.send_message(mail)
    assert refused == {{}}, refused
"#,
        port = relay.smtp.port()
    );
    let (code, printed) = run("python3", &["-c", &script]);
    assert_eq!(code, Some(0), "{printed}");
    world.wait_for_platform("delivered", |record| record.with_status(Status::Delivered) == 1);
    let accepted = &world.emulator.accepted()[0];
    assert_eq!(accepted.destination, "+393471234567");
    assert_eq!(accepted.sender, "UPS");
    assert_eq!(accepted.campaign_id.as_deref(), Some("power"));
    assert_eq!(accepted.body, "Störung: Akku 12%\nLaufzeit noch 4 Minuten.\nRack 7 – Kühlung aus.");
    let id = accepted.message_id.clone();
    relay.wait_for_log("final", |line| line["message"] == "final" && line["id"] == id.as_str());
    assert!(relay.terminate().success());
    let submission = id.split('-').next().unwrap();
    assert_eq!(world.states(submission), [State::Final(FinalState::Delivered)]);
}

#[test]
fn a_mail_of_swaks_to_several_recipients_is_one_sms_a_phone() {
    if !tool("swaks") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let (code, printed) = run(
        "swaks",
        &[
            "--server",
            &relay.smtp.to_string(),
            "--from",
            "nagios@example.com",
            "--to",
            "two@sms.local,p393470000009@sms.local,347 000 0001@sms.local",
            "--header",
            "Subject: db1 is DOWN",
            "--body",
            "CRITICAL - load 45",
        ],
    );
    // The last recipient is not one for SMTP: a blank needs quotes, which swaks does not write.
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("<-  250 2.0.0 queued as "), "{printed}");
    world.wait_for_platform("three", |record| record.total() == 3);
    let mut destinations: Vec<_> = world.emulator.accepted().into_iter().map(|sms| sms.destination).collect();
    destinations.sort();
    assert_eq!(destinations, ["+393470000001", "+393470000002", "+393470000009"]);
    assert!(
        world.emulator.accepted().iter().all(|sms| sms.text == "CRITICAL - load 45" && sms.sender == "Relay")
    );
    assert!(relay.terminate().success());
}
