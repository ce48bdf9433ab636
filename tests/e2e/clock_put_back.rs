//! A machine whose clock ran far ahead and is put back: nothing waits until it comes there again.

use std::time::Duration;

use serde_json::Value;
use sms_relay::emulator::{Fault, FaultRule};

use crate::support::gateways::answers;
use crate::support::{Behaviour, Letter, Mail, World, tool};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[test]
fn what_waits_goes_on_after_a_start_with_an_earlier_clock() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let send = |phone: &str, text: &str| {
        let mail = format!("From: ups@example.com\n\n{text}\n");
        Mail::new("ups@example.com", &(&format!("{phone}@sms.local"), &[]), &mail).send(relay.smtp)
    };
    world.mailbox.behave(Behaviour::Later);
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }).times(1));
    let reported = send("+393470000002", "refused");
    relay.wait_for_message("mail not sent yet");
    world.order(answers(503));
    let first = send("+393470000001", "first");
    relay.wait_for_message("tried again later");
    let second = send("+393470000001", "second");
    relay.kill();
    world.put_clock_back(YEAR);
    world.emulator.clear_faults();
    world.mailbox.behave(Behaviour::Accept);

    let is_told = |line: &Value| line["message"].to_string().contains("a clock that was put back");
    let relay = world.start();
    let line = relay.wait_for_log("that the clock was put back", is_told);
    assert!(line["shortened"].as_u64() >= Some(1), "{line}");
    for id in [first, second] {
        relay.wait_for_state(&format!("{id}-1"), "delivered");
    }
    assert_eq!(world.texts(), ["first", "second"]);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("X-Relay-Queue-Id"), [reported.as_str()]);
    relay.wait_for_message("mail sent");
    assert!(relay.terminate().success());

    let relay = world.start();
    assert_eq!(relay.find_log(is_told), None);
    assert!(relay.terminate().success());
}
