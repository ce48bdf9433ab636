//! A report that a real mail server relays arrives as it left: null reverse path, parts and every octet of them.

use sms_relay::emulator::{Fault, FaultRule};
use sms_relay::model::MailKind;

use crate::support::{Letter, Mail, Postfix, World, bounce_parser, bounced, tool};

const MAIL: &str = "\
From: UPS <ups@example.com>
To: oncall@sms.local
Subject: K=?utf-8?q?=C3=BChlung?= aus
Message-ID: <1@ups.example.com>

.
From here on battery since 12:00.
";

/// What stands behind the fields that Postfix puts before the mail.
fn without_trace(mail: &str) -> &str {
    let at = mail.find("\nFrom: \"SMS relay\"").map(|at| at + 1);
    &mail[at.unwrap_or_else(|| panic!("not a report: {mail}"))..]
}

/// Sends a mail with these parameters through a relay whose smarthost is Postfix, and compares.
fn goes_through(options: &[&str], to: &[(&str, &[&str])], kinds: &[&str], unreached: &str) {
    let mut world = World::new();
    let reasons = vec!["Größe falsch".to_owned()];
    world.order(FaultRule::on_send(Fault::Refuse { reasons }).to("+393471234567"));
    let smarthost = Postfix::address(&world.mailbox).ip();
    world.otherwise.push(("host = \"127.0.0.1\"\n", format!("host = \"{smarthost}\"\n")));
    let relay = world.start();
    // Nothing of it needs an extension that the next server does not have.
    let _postfix =
        Postfix::start(relay.smtp, &world.mailbox, "smtp_discard_ehlo_keywords = 8bitmime, smtputf8, dsn");
    let id = Mail { from: "ups@example.com", options, to, mail: MAIL }.send(relay.smtp);

    let arrived = &world.mailbox.wait_for(1)[0];
    assert_eq!(arrived.mail_from.split(' ').take(2).collect::<Vec<_>>(), ["MAIL", "FROM:<>"]);
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<ups@example.com>"]);
    let letter = Letter::read(arrived);
    assert_eq!(letter.defects, [""; 0], "{}", arrived.text);
    let trace = |name: &str, value: &str| name == "Received" && value.contains("postfix.test");
    assert!(letter.headers.iter().any(|(name, value)| trace(name, value)), "by way of Postfix");
    let found: Vec<&str> = letter.parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(found, kinds);
    assert_eq!(bounced(arrived), (String::new(), unreached.to_owned()));

    assert!(relay.terminate().success());
    let mails = world.submission(&id).mails;
    let [sent] = mails.as_slice() else { panic!("one report: {mails:#?}") };
    assert_eq!((sent.mail.kind, sent.state.as_str()), (MailKind::Report, "sent"));
    let sent = String::from_utf8(sent.mail.bytes.clone()).unwrap().replace("\r\n", "\n");
    assert_eq!(without_trace(&arrived.text), sent);
    assert_eq!(world.mailbox.mails().len(), 1, "and nothing about it");
}

#[test]
fn a_report_of_a_failure_arrives_intact() {
    if !(Postfix::available() && tool("python3") && bounce_parser()) {
        return;
    }
    let human = "text/plain";
    let to: (&str, &[&str]) = ("oncall@sms.local", &["ORCPT=rfc822;night+2Bshift@example.com"]);
    let parts = [human, "message/delivery-status", "text/rfc822-headers"];
    goes_through(&["RET=HDRS", "ENVID=A7"], &[to], &parts, "night+shift@example.com");
    let parts = [human, "message/delivery-status", "message/rfc822"];
    goes_through(&["RET=FULL"], &[("oncall@sms.local", &[])], &parts, "oncall@sms.local");
}

#[test]
fn a_report_of_a_success_arrives_intact_and_bounces_nobody() {
    if !(Postfix::available() && tool("python3") && bounce_parser()) {
        return;
    }
    let to: (&str, &[&str]) = ("+393480000000@sms.local", &["NOTIFY=SUCCESS"]);
    goes_through(&[], &[to], &["text/plain", "message/delivery-status", "text/rfc822-headers"], "");
}
