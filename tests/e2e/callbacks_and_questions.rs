//! While the platform calls back it is hardly asked; when it stops, it is.

use sms_relay::emulator::{Fault, FaultRule, Outcome};

use crate::support::{Relay, World};

/// The first question comes a second after sending, and after three while callbacks come.
const QUESTIONS: &str =
    "ask = { first = \"1s\", most = \"2s\" }\nask_with_callbacks = \"3s\"\ncallbacks_alive = \"3s\"";

fn world() -> World {
    let mut world = World::calling(|_| {});
    world.otherwise.last_mut().unwrap().1 = QUESTIONS.to_owned();
    world
}

fn delivered(relay: &Relay, ids: &[String]) {
    ids.iter().for_each(|id| relay.wait_for_state(&format!("{id}-1"), "delivered"));
}

#[test]
fn a_platform_that_calls_back_is_not_asked() {
    let mut world = world();
    let keys = &mut world.otherwise.last_mut().unwrap().1;
    *keys = keys.replace("3s", "60s");
    // On its way for longer than the time of a first question.
    let slow = Fault::Deliver { outcome: Outcome::Delivered, delay_millis: Some(3000) };
    world.order(FaultRule::on_send(slow).containing("slow"));
    let relay = world.start_calling();
    delivered(&relay, &[relay.send_form("oncall", "first")]);
    let ids: Vec<String> = (0..10).map(|n| relay.send_form(&format!("+39347000000{n}"), "slow")).collect();
    delivered(&relay, &ids);
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().status, 0);
}

#[test]
fn one_that_stops_is_asked_again() {
    let world = world();
    let relay = world.start_calling();
    delivered(&relay, &[relay.send_form("oncall", "first")]);
    let called = std::time::Instant::now();
    world.emulator.pause_callbacks();
    let waiting = relay.send_form("+393470000001", "sent while it seemed to call");
    relay.wait_for_log("sent", |line| line["id"] == format!("{waiting}-1") && line["attempt"] == 1);
    delivered(&relay, &[waiting]);
    assert!(
        called.elapsed() >= std::time::Duration::from_secs(3),
        "nobody is asked while callbacks seem to come"
    );
    let after = relay.send_form("+393470000002", "sent when it was known not to");
    delivered(&relay, &[after]);
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().status, 2, "each was asked about once");
    assert_eq!(world.emulator.requests().send, 3);
}
