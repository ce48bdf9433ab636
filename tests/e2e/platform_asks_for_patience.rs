//! `Retry-After` of the platform holds for everything that goes there, not only for the message that
//! was told.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Mail, World, tool};

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
