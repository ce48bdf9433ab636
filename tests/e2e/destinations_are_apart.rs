//! What one phone is sent keeps its order, whatever fails on the way; and a phone that makes trouble
//! delays no other.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Mail, Relay, World, tool};

const BAD: (&str, &[&str]) = ("+393470000001@sms.local", &[]);
const GOOD: (&str, &[&str]) = ("+393470000002@sms.local", &[]);

fn send(relay: &Relay, to: &(&str, &[&str]), text: &str) {
    Mail::new("ups@example.com", to, &format!("From: ups@example.com\n\n{text}\n")).send(relay.smtp);
}

#[test]
fn texts_to_one_phone_stay_in_order_while_the_first_fails() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let fault = Fault::Status { code: 500, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_send(fault).containing("first").times(2));
    let relay = world.start();
    for text in ["first", "second", "third"] {
        send(&relay, &BAD, text);
    }
    world.wait_for_platform("all", |record| record.total() == 3);
    assert_eq!(world.texts(), ["first", "second", "third"]);
    assert_eq!(world.emulator.requests().send, 5, "the others were not tried meanwhile");
    assert!(relay.terminate().success());
}

#[test]
fn a_phone_that_hangs_or_fails_delays_no_other() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    world.order(FaultRule::on_send(Fault::Hold { recorded: false }).to("+393470000001").times(1));
    let fault = Fault::Status { code: 500, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_send(fault).to("+393470000003"));
    let relay = world.start();
    send(&relay, &BAD, "hangs");
    send(&relay, &("+393470000003@sms.local", &[]), "fails");
    world.wait_for_platform("a call that hangs", |record| record.held() == 1);
    relay.wait_for_message("tried again later");
    for text in ["a", "b", "c"] {
        send(&relay, &GOOD, text);
    }
    world.wait_for_platform("the good phone's", |record| record.total() == 3);
    assert_eq!(world.texts(), ["a", "b", "c"]);
    assert_eq!(world.emulator.record(|record| record.held()), 1, "the bad one hangs still");
    world.emulator.clear_faults();
    world.wait_for_platform("everything", |record| record.total() == 5);
    assert!(relay.terminate().success());
}
