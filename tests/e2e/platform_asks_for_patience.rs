//! `Retry-After` of the platform holds for everything that goes there, not only for the message that
//! was told.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Mail, Smtp, World, tool};

fn too_many(retry_after: &str) -> FaultRule {
    let retry_after = Some(retry_after.to_owned());
    FaultRule::on_send(Fault::Status { code: 429, retry_after, body: None, recorded: false }).times(1)
}

/// One mail is told to wait; then another one comes for another phone. Nothing is called before
/// `not_before`.
fn everything_waits(retry_after: &str, not_before: Timestamp) {
    let world = World::new();
    world.order(too_many(retry_after));
    let relay = world.start();
    let mail = "From: ups@example.com\n\ntext\n";
    let first = Mail::new("ups@example.com", &("oncall@sms.local", &[]), mail).send(relay.smtp);
    let line = relay.wait_for_message("tried again later");
    assert_eq!(line["id"], format!("{first}-1"));
    assert_eq!(line["cause"], "the SMS platform takes no messages now (HTTP 429): fault: As ordered");
    Mail::new("ups@example.com", &("+393470000009@sms.local", &[]), mail).send(relay.smtp);
    world.wait_for_platform("both", |record| record.total() == 2);
    assert_eq!(world.emulator.requests().send, 3, "429, and then each once");
    for sms in world.emulator.accepted() {
        assert!(sms.accepted_at >= not_before, "{} is before {not_before}", sms.accepted_at);
    }
    assert!(relay.terminate().success());
}

#[test]
fn for_a_number_of_seconds() {
    if !tool("python3") {
        return;
    }
    everything_waits("3", Timestamp::now() + Duration::from_secs(3));
}

#[test]
fn until_a_date() {
    if !tool("python3") {
        return;
    }
    // HTTP dates have whole seconds.
    let date = SystemTime::now() + Duration::from_secs(4);
    let written = httpdate::fmt_http_date(date);
    let not_before = Timestamp::try_from(httpdate::parse_http_date(&written).unwrap()).unwrap();
    everything_waits(&written, not_before);
}

/// Questions obey too: of three messages that were sent, none is asked about in the pause that the
/// first question was answered with.
#[test]
fn whoever_asks_where_a_message_is_waits_too() {
    let mut world = World::new();
    let ask = "ask = { first = \"1s\", most = \"2s\" }";
    world.otherwise.push((ask, format!("{ask}\nconcurrency = 1")));
    let retry_after = Some("3".to_owned());
    let busy = Fault::Status { code: 429, retry_after, body: None, recorded: false };
    world.order(FaultRule::on_status(busy).times(1));
    let relay = world.start();
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    for phone in 1..=3 {
        let to = format!("+39347000000{phone}@sms.local");
        Smtp::queued(&smtp.mail("ups@example.com", &to, "Subject: x\r\n\r\ntext").unwrap());
    }
    let mut ended = Vec::new();
    relay.follow_log("three that arrived", |line| {
        if line["message"] == "final" {
            ended.push(line["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap());
        }
        ended.len() == 3
    });
    let told = relay.wait_for_message("no final status yet")["timestamp"].as_str().unwrap().to_owned();
    let told: Timestamp = told.parse().unwrap();
    // The line is written a little after the answer came, from which the pause counts.
    let pause = Duration::from_millis(2500);
    assert!(ended.iter().all(|end| *end >= told + pause), "told at {told}, ended at {ended:?}");
    assert!(relay.terminate().success());
}
