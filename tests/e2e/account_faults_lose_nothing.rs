//! A fault of the account is not the messages' fault: nothing is sent, refused or reported while it
//! lasts, it is said aloud, and everything goes out once it is mended.

use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::support::{Mail, World, run, tool};

fn readiness(relay: std::net::SocketAddr) -> (String, String) {
    let (code, printed) =
        run("curl", &["--silent", "--write-out", "%{http_code}", &format!("http://{relay}/readyz")]);
    assert_eq!(code, Some(0), "{printed}");
    let (text, status) = printed.split_at(printed.len() - 3);
    (status.to_owned(), text.to_owned())
}

/// A world whose platform wants another key than the relay has in its file.
fn world_with_a_wrong_key() -> World {
    let mut world = World::with_platform(|settings| settings.api_key = Some("the right one".into()));
    world.otherwise.push(("credentials = \"emulator\"", "api_key = { file = \"api.key\" }".to_owned()));
    write_key(&world, "a wrong one\n");
    world
}

fn write_key(world: &World, text: &str) {
    let key = world.directory.path().join("api.key");
    std::fs::write(&key, text).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_wrong_key_stops_everything_until_it_is_right() {
    if !(tool("python3") && tool("curl")) {
        return;
    }
    let world = world_with_a_wrong_key();
    let relay = world.start();
    assert_eq!(readiness(relay.http), ("200".to_owned(), "ready\n".to_owned()));

    let mail = "From: ups@example.com\n\ntext\n";
    let to: [(&str, &[&str]); 3] =
        [("oncall@sms.local", &[]), ("+393470000001@sms.local", &[]), ("+393470000002@sms.local", &[])];
    let id = Mail { from: "ups@example.com", options: &[], to: &to, mail }.send(relay.smtp);
    let line =
        relay.wait_for_message("nothing is sent for now; every message is kept and the gateway is probed");
    let why = "the SMS platform does not accept the gateway's credentials (HTTP 401): authentication: Invalid or missing API key";
    assert_eq!((line["level"].as_str(), line["cause"].as_str()), (Some("ERROR"), Some(why)));
    let (status, text) = readiness(relay.http);
    assert_eq!(status, "503");
    let (before, after) = text.split_once(" since ").unwrap();
    assert_eq!(before, "not ready: gateway platform: nothing is sent");
    assert!(after.ends_with(&format!(": {why}\n")), "{text}");
    // Of the three that went out together each may have met the fault; what follows is probes, and
    // mail is taken all the while.
    Mail::new("ups@example.com", &("+393470000003@sms.local", &[]), mail).send(relay.smtp);
    world.wait_for_platform("probes", |record| record.requests().unauthorized >= 5);
    assert_eq!(world.emulator.accepted(), []);
    assert_eq!(relay.find_log(|line| line["message"] == "given up"), None);

    write_key(&world, "the right one\n");
    relay.signal(Signal::HUP);
    relay.wait_for_message("the gateway works again");
    world.wait_for_platform("all four", |record| record.total() == 4);
    assert_eq!(readiness(relay.http), ("200".to_owned(), "ready\n".to_owned()));
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.record(|record| record.repeated()), [""; 0]);
    assert_eq!(world.mailbox.mails().len(), 0, "nobody was told of a failure");
    assert_eq!(world.submission(&id).mails, []);
}

#[test]
fn a_key_that_was_mended_is_tried_at_once() {
    if !tool("python3") {
        return;
    }
    let mut world = world_with_a_wrong_key();
    world.otherwise.push((
        "probe = { first = \"1s\", most = \"2s\" }",
        "probe = { first = \"1h\", most = \"1h\" }".to_owned(),
    ));
    let relay = world.start();
    let mail = "From: ups@example.com\n\ntext\n";
    Mail::new("ups@example.com", &("oncall@sms.local", &[]), mail).send(relay.smtp);
    relay.wait_for_message("nothing is sent for now; every message is kept and the gateway is probed");
    write_key(&world, "the right one\n");
    relay.signal(Signal::HUP);
    world.wait_for_platform("it", |record| record.total() == 1);
    assert!(relay.terminate().success());
}
