//! A mail that no person sent gets no bounce, since an answer to it could go in circles (RFC 3834
//! section 2); the operator is told instead, but of a bounce (`<>`) nobody is.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Letter, Mail, World, python, tool};

const TO: (&str, &[&str]) = ("oncall@sms.local", &[]);

fn mails() -> [(&'static str, &'static str, &'static str); 5] {
    [
        ("null", "", "Subject: null\n\nx\n"),
        ("auto", "robot@example.com", "Auto-Submitted: auto-generated\nSubject: auto\n\nx\n"),
        ("bulk", "news@example.com", "Precedence: bulk\nSubject: bulk\n\nx\n"),
        ("ours", "someone@sms.local", "Subject: ours\n\nx\n"),
        ("person", "person@example.com", "Subject: person\n\nx\n"),
    ]
}

/// Sends all of them to one phone, in order, which the platform refuses; `reports` mails come of it.
fn reports(world: &World, reports: usize) -> Vec<(String, String)> {
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["Blocked".to_owned()] }));
    let relay = world.start();
    for (_, from, mail) in mails() {
        Mail::new(from, &TO, mail).send(relay.smtp);
    }
    // The person's is the last, and the others have had their turn before it.
    world.mailbox.wait_for(reports);
    assert!(relay.terminate().success());
    let mut told: Vec<_> = world
        .mailbox
        .mails()
        .iter()
        .map(|arrived| {
            let letter = Letter::read(arrived);
            assert_eq!(arrived.mail_from.split(' ').nth(1), Some("FROM:<>"));
            (arrived.rcpt_to.join(","), letter.header("Subject").to_owned())
        })
        .collect();
    told.sort();
    told
}

#[test]
fn the_operator_is_told_in_place_of_a_machine() {
    if !tool("python3") {
        return;
    }
    let told = reports(&World::new(), 4);
    let expected = [
        ("RCPT TO:<operator@example.com>", "SMS not delivered: auto"),
        ("RCPT TO:<operator@example.com>", "SMS not delivered: bulk"),
        ("RCPT TO:<operator@example.com>", "SMS not delivered: ours"),
        ("RCPT TO:<person@example.com>", "SMS not delivered: person"),
    ];
    assert_eq!(told, expected.map(|(to, subject)| (to.to_owned(), subject.to_owned())));
}

#[test]
fn without_an_operator_nobody_is_told_and_the_spool_says_why() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("operator = \"operator@example.com\"\n", String::new()));
    let told = reports(&world, 1);
    let person = ("RCPT TO:<person@example.com>".to_owned(), "SMS not delivered: person".to_owned());
    assert_eq!(told, [person]);
    let why = "import sqlite3, sys\n\
        for row in sqlite3.connect(sys.stdin.read()).execute('SELECT report_reason FROM submission ORDER BY rowid'):\n\
        \x20   print(row[0])";
    let spool = world.directory.path().join("spool/spool.sqlite");
    let reasons = "\
the mail has a null reverse path
the mail was sent automatically (Auto-Submitted), and no operator address is configured
the mail is bulk or list mail (Precedence or List-Id), and no operator address is configured
the sender's address is one of this relay's, and no operator address is configured
None
";
    assert_eq!(python(why, spool.to_str().unwrap()), reasons);
}
