//! Messages for later: held and cancellable here, or handed over with their time; and lifetimes that end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sms_relay::emulator::{Fault, FaultRule, Record};
use sms_relay::model::{FinalState, State};

use crate::support::World;
use crate::support::gateways::{answers, at, phone};

/// So many seconds from now, in whole ones, as rules and forms write it.
fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn what_is_for_later_is_held_over_a_restart_and_sent_at_its_time() {
    let mut world = World::new();
    let later = in_seconds(6);
    world
        .rules
        .push_str(&format!("[[rule]]\nname = \"later\"\nwhen.text = \"rule\"\ndeliver_at = \"{later}\"\n"));
    let relay = world.start();
    let written = later.to_string();
    let by_rule = relay.post(&[("to", &phone(1)), ("text", "by rule")]);
    let by_form = relay.post(&[("to", &phone(2)), ("text", "by form"), ("deliver_at", &written)]);
    for id in [&by_rule, &by_form] {
        let fate = relay.fate(id);
        let sms = &fate["messages"][0];
        assert_eq!((&sms["state"], &sms["held_for"]), (&"held".into(), &"scheduled".into()), "{fate:#}");
        assert_eq!(time(&sms["next_at"]), later);
    }
    // What is for now does not wait for what is for later, to the same phone.
    relay.mail(&at(&phone(2)), "at once");
    world.wait_for_platform("what is for now", |record| record.total() == 1);
    relay.kill();
    let relay = world.start();
    world.wait_for_platform("all", |record| record.total() == 3);
    for sms in &world.emulator.accepted()[1..] {
        assert!(sms.accepted_at >= later, "{} is before {later}", sms.accepted_at);
        assert_eq!(sms.scheduled_at, None, "the relay waits, and not the platform");
    }
    for id in [by_rule, by_form] {
        let fate = relay.fate_when(&id, "delivered");
        let lines = fate["messages"][0]["timeline"].as_array().unwrap();
        let states: Vec<&str> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["held", "due", "claimed", "sent", "delivered"], "{fate:#}");
    }
    assert!(relay.terminate().success());
}

#[test]
fn what_is_held_can_be_cancelled_and_what_was_sent_cannot() {
    let world = World::new();
    let relay = world.start();
    let tomorrow = in_seconds(24 * 3600).to_string();
    let id = relay.post(&[("to", "two"), ("text", "later"), ("deliver_at", &tomorrow)]);
    let (status, body) = relay.delete(&format!("/sms/{id}-1"));
    assert_eq!(status, 200, "{body}");
    let fate = relay.fate(&id);
    let states = [&fate["messages"][0]["state"], &fate["messages"][1]["state"]];
    assert_eq!(states, ["cancelled", "held"]);
    assert_eq!(fate["messages"][0]["cause"]["text"], "cancelled by account pbx");
    for what in ["the rest", "all once more"] {
        let (status, body) = relay.delete(&format!("/sms/{id}"));
        assert_eq!(status, 200, "{what}: {body}");
    }
    assert_eq!(relay.fate(&id)["messages"][1]["state"], "cancelled");

    let id = relay.post(&[("to", "two"), ("text", "now")]);
    world.wait_for_platform("both", |record| record.total() == 2);
    relay.look_until(|| {
        let fate = relay.fate(&id);
        let is_out =
            |at: usize| ["sent", "delivered"].contains(&fate["messages"][at]["state"].as_str().unwrap());
        if is_out(0) && is_out(1) { Ok(()) } else { Err(fate) }
    });
    let (status, body) = relay.delete(&format!("/sms/{id}"));
    assert_eq!(status, 409, "{body}");
    assert!(body.contains(&format!("nothing of {id} waits any more")), "{body}");
    assert_eq!(world.texts(), ["now", "now"]);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 0, "who cancels need not be told");
}

#[test]
fn the_platform_may_wait_in_the_relay_s_place_and_is_asked_only_afterwards() {
    let mut world = World::new();
    world.otherwise.push(("sender = \"Relay\"", "sender = \"Relay\"\nschedule = \"platform\"".to_owned()));
    let relay = world.start();
    let later = in_seconds(5);
    let id = relay.post(&[("to", &phone(1)), ("text", "later"), ("deliver_at", &later.to_string())]);
    world.wait_for_platform("it", |record| record.total() == 1);
    let sms = world.emulator.accepted().remove(0);
    assert_eq!(sms.scheduled_at, Some(later));
    assert!(sms.accepted_at < later);
    let fate = relay.fate_when(&id, "sent");
    let line = fate["messages"][0]["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(line["note"], format!("accepted by the platform, which is to send it at {later}"));
    let (status, body) = relay.delete(&format!("/sms/{id}"));
    assert_eq!(status, 409, "{body}");
    world.wait_for_platform("the question", |record| record.requests().status == 1);
    assert!(Timestamp::now() > later, "asked before {later}");
    relay.fate_when(&id, "delivered");
    assert!(relay.terminate().success());
}

#[test]
fn a_lifetime_counts_from_the_time_at_which_it_is_to_be_sent() {
    let mut world = World::new();
    world.otherwise.push(("sender = \"Relay\"", "sender = \"Relay\"\nlifetime = \"2s\"".to_owned()));
    world.order(answers(503).containing("later"));
    let relay = world.start();
    let later = in_seconds(4);
    let id = relay.post(&[("to", &phone(1)), ("text", "later"), ("deliver_at", &later.to_string())]);
    let ends = later + Duration::from_secs(2);
    assert_eq!(time(&relay.fate(&id)["messages"][0]["expires_at"]), ends);
    let fate = relay.fate_when(&id, "expired");
    let sms = &fate["messages"][0];
    assert!(time(&sms["ended_at"]) >= ends, "{fate:#}");
    let attempts = sms["attempts"].as_array().unwrap();
    assert!(!attempts.is_empty() && attempts.iter().all(|one| time(&one["began_at"]) < ends), "{fate:#}");
    assert_eq!(world.mailbox.wait_for(1)[0].text.matches("Status: 4.4.7").count(), 1);
    assert!(relay.terminate().success());
}

/// The platform asks for a pause that outlives one message; and a message whose time is over waits behind one that
/// is under way. Neither is tried again.
#[test]
fn what_has_expired_is_tried_no_more() {
    let mut world = World::new();
    world.rules.push_str("[[rule]]\nname = \"short\"\nwhen.text = \"short\"\nlifetime = \"2s\"\n");
    let busy = Fault::Status { code: 429, retry_after: Some("3".to_owned()), body: None, recorded: false };
    world.order(FaultRule::on_send(busy).containing("short").times(1));
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }).containing("keeps").times(1));
    let relay = world.start();
    relay.mail(&at(&phone(1)), "keeps the phone busy");
    world.wait_for_platform("held", |record| record.held() == 1);
    let behind = relay.mail(&at(&phone(1)), "short, behind another");
    let paused = relay.mail(&at(&phone(2)), "short, paused");
    relay.wait_for_message("tried again later");
    let next = relay.post(&[("to", &phone(2)), ("text", "a long one")]);
    world.mailbox.wait_for(2);
    world.emulator.release();
    relay.fate_when(&next, "delivered");
    // To the phone of the one that waited behind another; what is due longer goes first.
    let last = relay.post(&[("to", &phone(1)), ("text", "the last one")]);
    relay.fate_when(&last, "delivered");
    assert_eq!(world.texts(), ["keeps the phone busy", "a long one", "the last one"]);
    assert_eq!(world.emulator.requests().send, 4, "one of them was tried once");
    assert!(relay.terminate().success());
    for id in [behind, paused] {
        assert_eq!(world.states(&id), [State::Final(FinalState::Expired)]);
    }
    assert_eq!(world.emulator.record(Record::repeated), [""; 0]);
}

/// A time of day is the next such time of this machine.
#[test]
fn a_time_of_day_is_the_next_one() {
    let mut world = World::new();
    let zone = jiff::tz::TimeZone::system();
    let soon = (Timestamp::now() + SignedDuration::from_hours(1)).to_zoned(zone.clone());
    let written = soon.strftime("%H:%M");
    world.rules.push_str(&format!("[[rule]]\nname = \"daily\"\ndeliver_at = \"{written}\"\n"));
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "in an hour")]);
    let fate = relay.fate(&id);
    let held = time(&fate["messages"][0]["next_at"]).to_zoned(zone);
    assert_eq!(held.strftime("%F %H:%M:%S").to_string(), soon.strftime("%F %H:%M:00").to_string());
    assert_eq!(relay.delete(&format!("/sms/{id}")).0, 200);
    assert!(relay.terminate().success());
}
