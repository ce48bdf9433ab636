//! An answer that got lost says nothing: the platform is asked whether it has the message before
//! anything is sent again, so that no phone gets a text twice.

use sms_relay::emulator::{Fault, FaultRule};
use sms_relay::model::{FinalState, State};

use crate::support::{Mail, Relay, World, tool};

const MAIL: &str = "From: ups@example.com\n\ntext\n";

fn send(relay: &Relay) -> String {
    Mail::new("ups@example.com", &("oncall@sms.local", &[]), MAIL).send(relay.smtp)
}

/// Meets one fault, in which the platform took the message, and is not sent again.
fn taken_and_unknown(world: &World, fault: Fault, cause: &str) {
    world.order(FaultRule::on_send(fault).times(1));
    let relay = world.start();
    let id = send(&relay);
    let line = relay.wait_for_message("outcome unknown; the platform is asked");
    assert_eq!(line["id"], format!("{id}-1"));
    let said = line["cause"].as_str().unwrap();
    assert!(said.starts_with(cause), "{said}");
    relay.wait_for_message("the platform has it, by its status endpoint");
    relay.wait_for_message("final");
    assert_eq!(world.emulator.requests().send, 1);
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Delivered)]);
    assert_eq!(world.texts(), ["text"]);
}

/// Meets one fault, in which the platform did not take the message. It goes again only after the
/// platform has answered the question.
fn lost_and_unknown(world: &World, fault: Fault, cause: &str) {
    world.order(FaultRule::on_send(fault).times(1));
    world.order(FaultRule::on_status(Fault::Hold { recorded: false }).times(1));
    let relay = world.start();
    let id = send(&relay);
    let line = relay.wait_for_message("outcome unknown; the platform is asked");
    let said = line["cause"].as_str().unwrap();
    assert!(said.starts_with(cause), "{said}");
    world.wait_for_platform("the question", |record| record.held() == 1 && record.requests().status == 1);
    assert_eq!(
        (world.emulator.requests().send, world.texts().len()),
        (1, 0),
        "nothing goes before the answer"
    );
    world.emulator.release();
    world.wait_for_platform("it", |record| record.total() == 1);
    relay.wait_for_message("final");
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Delivered)]);
    assert_eq!(world.texts(), ["text"]);
    assert_eq!(world.emulator.requests().send, 2);
}

const UNREADABLE: &str = "the SMS platform answered HTTP 200, but its answer could not be read: ";
const LOST: &str = "the SMS platform may have taken the message, but its answer was lost: ";

#[test]
fn a_garbled_yes_is_not_sent_twice() {
    if tool("python3") {
        taken_and_unknown(&World::new(), Fault::Garbage { recorded: true }, UNREADABLE);
    }
}

#[test]
fn a_garbled_answer_to_a_message_that_was_not_taken_is_sent_again() {
    if tool("python3") {
        lost_and_unknown(&World::new(), Fault::Garbage { recorded: false }, UNREADABLE);
    }
}

#[test]
fn an_answer_cut_in_the_middle_is_not_sent_twice() {
    if tool("python3") {
        taken_and_unknown(&World::new(), Fault::Truncated { recorded: true }, UNREADABLE);
    }
}

#[test]
fn a_reset_after_acceptance_is_not_sent_twice() {
    if tool("python3") {
        taken_and_unknown(&World::new(), Fault::Reset { recorded: true }, LOST);
    }
}

#[test]
fn a_reset_before_acceptance_is_sent_once() {
    if tool("python3") {
        lost_and_unknown(&World::new(), Fault::Reset { recorded: false }, LOST);
    }
}

#[test]
fn an_answer_later_than_the_total_time_is_not_sent_twice() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("total_time = \"10s\"", "connect_time = \"1s\"\ntotal_time = \"2s\"".to_owned()));
    let cause = format!("{LOST}no complete answer within the total time");
    taken_and_unknown(&world, Fault::Slow { millis: 600_000, recorded: true }, &cause);
}
