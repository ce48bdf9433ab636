//! SIGHUP takes rules, aliases and credentials from the file, without dropping a connection; a
//! faulty file changes nothing and the log says why.

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Mailbox, Relay, Smtp, World, run, tool};

fn post(relay: &Relay, password: &str) -> String {
    let url = format!("http://{}/sms", relay.http);
    let user = format!("pbx:{password}");
    let form =
        ["--silent", "--user", &user, "-d", "to=oncall", "-d", "text=form", "--write-out", "%{http_code}"];
    let (code, printed) = run("curl", &[&form[..], &[&url]].concat());
    assert_eq!(code, Some(0), "{printed}");
    printed[printed.len() - 3..].to_owned()
}

#[test]
fn new_rules_aliases_and_credentials_hold_at_once() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    world
        .otherwise
        .push(("password = { env = \"PBX_PASSWORD\" }", "password = { file = \"pbx\" }".to_owned()));
    let secret = world.directory.path().join("pbx");
    std::fs::write(&secret, "swordfish\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let relay = world.start();
    let mut client = Smtp::connect(relay.smtp).unwrap();
    assert_eq!(client.command("MAIL FROM:<ups@example.com>").as_deref(), Some("250 2.1.0 sender ok"));
    let unknown = "550 5.1.1 `boss` is not a phone number, and there is no alias of that name";
    assert_eq!(client.command("RCPT TO:<boss@sms.local>").as_deref(), Some(unknown));
    assert_eq!(post(&relay, "swordfish"), "200");
    world.wait_for_platform("the form", |record| record.total() == 1);

    world.otherwise.push(("[aliases]\n", "[aliases]\nboss = \"+393479999999\"\n".to_owned()));
    world.rules = "[[rule]]\nname = \"ups\"\nwhen.envelope_sender = \"^ups@\"\nsender = \"UPS\"\n".to_owned();
    world.write();
    std::fs::write(&secret, "marlin\n").unwrap();
    relay.signal(Signal::HUP);
    relay.wait_for_message("reloaded: rules, aliases and credentials");
    assert_eq!(client.command("RCPT TO:<boss@sms.local>").as_deref(), Some("250 2.1.5 recipient ok"));
    assert!(client.command("DATA").unwrap().starts_with("354 "));
    Smtp::queued(&client.command("Subject: x\r\n\r\nto the boss\r\n.").unwrap());
    assert_eq!((post(&relay, "swordfish").as_str(), post(&relay, "marlin").as_str()), ("401", "200"));
    world.wait_for_platform("all", |record| record.total() == 3);
    let accepted = world.emulator.accepted();
    let mail = accepted.iter().find(|sms| sms.text == "to the boss").unwrap();
    assert_eq!((mail.destination.as_str(), mail.sender.as_str()), ("+393479999999", "UPS"));
    assert!(relay.terminate().success());
}

#[test]
fn a_faulty_file_keeps_the_old_rules_and_says_why() {
    let mut world = World::new();
    let relay = world.start();
    let mut client = Smtp::connect(relay.smtp).unwrap();
    let config = world.write();
    world.otherwise.push(("oncall = ", "oncal = ".to_owned()));
    world.rules = "[[rule]]\nname = \"ups\"\nwhen.subject = \"power (\"\n".to_owned();
    let broken = world.configuration();
    world.write();
    relay.signal(Signal::HUP);
    relay.wait_for_message("not reloaded: the old rules stay until the configuration is right");
    let why = relay.wait_for_message("this is not a valid regular expression: unclosed group");
    let line = broken.lines().position(|line| line.starts_with("when.subject")).unwrap() + 1;
    assert_eq!(why["level"], "ERROR");
    assert_eq!((why["line"].as_u64(), why["column"].as_u64()), (Some(line as u64), Some(23)));
    assert_eq!(why["file"], config.to_str().unwrap());
    let reply = client.mail("ups@example.com", "oncall@sms.local", "Subject: x\r\n\r\nas before");
    Smtp::queued(&reply.unwrap());
    world.wait_for_platform("it", |record| record.total() == 1);

    // A file with doors that are elsewhere is no reason to refuse the rest of it.
    world.rules.clear();
    world.write();
    let seen = relay.log().len();
    relay.signal(Signal::HUP);
    relay.wait_for_next(seen, "reloaded: rules, aliases and credentials");
    let refused = client.mail("ups@example.com", "oncall@sms.local", "x").unwrap();
    assert_eq!(refused, "550 5.1.1 `oncall` is not a phone number, and there is no alias of that name");
    assert!(relay.terminate().success());
}

#[test]
fn another_smarthost_gets_the_next_report_and_other_changes_are_told_to_wait() {
    let mut world = World::new();
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }));
    let relay = world.start();
    let mut client = Smtp::connect(relay.smtp).unwrap();
    let mail = "Subject: x\r\n\r\ntext";
    Smtp::queued(&client.mail("ups@example.com", "oncall@sms.local", mail).unwrap());
    world.mailbox.wait_for(1);

    let other = std::mem::replace(&mut world.mailbox, Mailbox::open());
    world.otherwise.push(("window = \"30s\"", "window = \"31s\"".to_owned()));
    world.write();
    relay.signal(Signal::HUP);
    let told = relay.wait_for_message("changed too, and as before until a restart");
    assert_eq!(told["sections"], "[reporting] and [intake]");
    Smtp::queued(&client.mail("ups@example.com", "oncall@sms.local", mail).unwrap());
    world.mailbox.wait_for(1);
    assert_eq!(other.mails().len(), 1);
    assert!(relay.terminate().success());
}
