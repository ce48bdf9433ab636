//! What the log says: every line about a message carries its id, numbers are masked unless the
//! operator wants them in full, and texts and passwords are never there.

use serde_json::Value;
use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Behaviour, Mail, Relay, World, run, tool};

const TEXT: &str = "xylophone";
const PASSWORD: &str = "swordfish";

/// Much of what can happen to messages, with the marker in every text.
fn eventful(world: &World) -> (Vec<String>, Relay) {
    let status = |code| Fault::Status { code, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_send(Fault::Reset { recorded: false }).to("+393470000001").times(1));
    world.order(FaultRule::on_send(status(503)).to("+393470000002").times(1));
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["No".to_owned()] }).to("+393470000003"));
    world.order(FaultRule::on_send(status(422)).to("+393470000004"));
    world.mailbox.behave(Behaviour::AcceptOnly("operator@example.com"));
    let relay = world.start();
    let mail = format!("From: ups@example.com\nSubject: {TEXT}\n\nThe {TEXT} is on fire.\n");
    let to: [(&str, &[&str]); 6] = [
        ("oncall@sms.local", &[]),
        ("+393470000001@sms.local", &[]),
        ("+393470000002@sms.local", &[]),
        ("+393470000003@sms.local", &[]),
        ("00447911123456@sms.local", &[]),
        ("+393470000009@example.com", &[]),
    ];
    let mail = Mail { from: "ups@example.com", options: &[], to: &to, mail: &mail };
    let replies = mail.replies(relay.smtp);
    let id = crate::support::Smtp::queued(replies.last().unwrap());
    let url = format!("http://{}/sms", relay.http);
    let text = format!("text={TEXT}");
    for (user, to) in
        [(format!("pbx:{PASSWORD}"), "0039347 000 0004"), (format!("pbx:{PASSWORD}x"), "+393470000005")]
    {
        let to = format!("to={to}");
        run("curl", &["--silent", "--user", &user, "-d", &to, "-d", &text, &url]);
    }
    let key = format!("X-Api-Key: {PASSWORD}");
    run("curl", &["--silent", "-H", &key, "-d", "to=+447911123456", "-d", &text, &url]);
    let query = format!("{url}?user=pbx&password={PASSWORD}&to=%2B393470000006&text={TEXT}");
    run("curl", &["--silent", &query]);
    world.wait_for_platform("the good ones", |record| record.total() == 4);
    // To the operator: of the form, and of the report that the sender's mailbox refuses.
    world.mailbox.wait_for(2);
    relay.wait_for_log("the mail's", |line| line["message"] == "final" && line["id"] == format!("{id}-3"));
    (relay.log().iter().map(ToString::to_string).collect(), relay)
}

/// Words of the lines that are about one message, mail or form.
const ABOUT_A_MESSAGE: [&str; 10] = [
    "mail accepted",
    "form accepted",
    "accepted by the platform",
    "tried again later",
    "outcome unknown; the platform is asked",
    "given up",
    "final",
    "report queued",
    "mail cannot be delivered; another is told instead",
    "mail sent",
];

#[test]
fn every_line_of_a_message_has_its_id_and_nothing_private() {
    if !(tool("python3") && tool("curl")) {
        return;
    }
    let world = World::new();
    let (lines, relay) = eventful(&world);
    for words in ABOUT_A_MESSAGE {
        let found: Vec<Value> = relay.log().into_iter().filter(|line| line["message"] == words).collect();
        assert!(!found.is_empty(), "`{words}` was not said");
        for line in found {
            let id = line["id"].as_str().unwrap_or_else(|| panic!("{line} has no id"));
            assert!(
                id.split('-').next().unwrap().parse::<sms_relay::model::SubmissionId>().is_ok(),
                "{line}"
            );
        }
    }
    let said = |what: &str| lines.iter().filter(|line| line.contains(what)).collect::<Vec<_>>();
    let none: [&String; 0] = [];
    assert_eq!(said(TEXT), none, "a text is in the log");
    assert_eq!(said(PASSWORD), none, "a password is in the log");
    assert_eq!(said("cGJ4Onn"), none, "nor in base64");
    for digits in ["3471234567", "347000000", "347 000", "7911123456"] {
        assert_eq!(said(digits), none, "a number is in the log");
    }
    assert!(!said("+44791•••3456").is_empty(), "{lines:#?}");
    assert!(relay.terminate().success());
}

#[test]
fn numbers_are_in_full_where_the_operator_wants_them() {
    if !(tool("python3") && tool("curl")) {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("level = \"debug\"", "level = \"info\"\nfull_numbers = true".to_owned()));
    let (lines, relay) = eventful(&world);
    let said = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert!(said("+447911123456") > 0, "{lines:#?}");
    assert_eq!((said("•••"), said(TEXT), said(PASSWORD)), (0, 0, 0), "{lines:#?}");
    assert_eq!(said("\"level\":\"DEBUG\""), 0);
    assert!(relay.terminate().success());
}

#[test]
fn the_form_for_people_has_no_colours_in_a_file() {
    let mut world = World::new();
    world.otherwise.push(("format = \"json\"", "format = \"human\"".to_owned()));
    let spool = world.directory.path().join("spool");
    std::fs::write(&spool, "a file").unwrap();
    let (code, log) = world.start_in_vain();
    let line = log[0].as_str().unwrap();
    let (_, words) = line.split_once("Z ").unwrap();
    let expected = format!(
        "ERROR the relay did not start error=the spool cannot be used: `{}` is not a directory",
        spool.display()
    );
    assert_eq!((code, words.trim_start()), (Some(73), expected.as_str()));
}
