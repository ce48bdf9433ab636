//! What nobody can tell whether the platform has it: the rule chooses, and the timeline says what was done and why.

use serde_json::Value;
use sms_relay::emulator::{Fault, FaultRule, Record};

use crate::support::World;
use crate::support::gateways::{answers, phone, tells_nothing};

/// A world in which the answer to the first call is lost, and the rule chooses so after two seconds.
fn world(choice: &str, was_taken: bool) -> World {
    let mut world = World::new();
    world.rules.push_str(&format!("[[rule]]\nname = \"all\"\nunknown = \"{choice}\"\n"));
    world.otherwise.push(("unknown_time = \"5s\"", "unknown_time = \"2s\"".to_owned()));
    world.order(FaultRule::on_send(Fault::Reset { recorded: was_taken }).times(1));
    world
}

/// The lines of its timeline, as `state: note`.
fn timeline(fate: &Value) -> Vec<String> {
    let lines = fate["messages"][0]["timeline"].as_array().unwrap();
    let line =
        |line: &Value| format!("{}: {}", line["state"].as_str().unwrap(), line["note"].as_str().unwrap());
    lines.iter().map(line).collect()
}

const LOST: &str = "unknown: the SMS platform may have taken the message, but its answer was lost";

#[test]
fn with_fail_it_ends_as_failed_and_is_not_sent_again() {
    let world = world("fail", true);
    world.order(tells_nothing());
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "perhaps")]);
    let fate = relay.fate_when(&id, "failed");
    let lines = timeline(&fate);
    assert!(lines[2].starts_with(LOST), "{lines:#?}");
    let why = "failed: the platform could not tell for 2 s whether it has it; by the rule's choice it is not sent again";
    assert!(lines[3].starts_with(why), "{lines:#?}");
    let asked = world.emulator.requests().status;
    assert!(asked >= 2, "asked {asked} times, at growing intervals");
    assert_eq!(world.emulator.requests().send, 1);
    let report = &world.mailbox.wait_for(1)[0].text;
    assert!(report.contains("Action: failed") && report.contains("Status: 4.4.7"), "{report}");
    assert!(relay.terminate().success());
}

#[test]
fn with_resend_it_goes_again_under_the_same_id_and_the_timeline_says_why() {
    let world = world("resend", true);
    world.order(tells_nothing());
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "perhaps")]);
    world.wait_for_platform("it comes again", |record| record.total() == 2);
    world.emulator.clear_faults();
    let fate = relay.fate_when(&id, "delivered");
    let lines = timeline(&fate);
    assert!(lines[2].starts_with(LOST), "{lines:#?}");
    assert!(
        lines[3].starts_with("due: sent again, the platform cannot tell whether it has it"),
        "{lines:#?}"
    );
    assert_eq!(lines[5], "sent: accepted by the platform");
    assert_eq!(world.emulator.record(Record::repeated), [format!("{id}-1")]);
    let outcomes: Vec<&str> = fate["messages"][0]["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    assert!(outcomes[0].starts_with("unknown: the SMS platform may have taken the message"), "{outcomes:?}");
    assert_eq!(outcomes[1], "sent: accepted by the platform");
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 0);
}

/// Whatever the rule chooses: what the platform can tell decides.
#[test]
fn what_the_platform_can_tell_is_followed_and_not_the_rule() {
    for choice in ["fail", "resend"] {
        let world = world(choice, false);
        let relay = world.start();
        let id = relay.post(&[("to", &phone(1)), ("text", "lost")]);
        let lines = timeline(&relay.fate_when(&id, "delivered"));
        assert!(lines[2].starts_with(LOST), "{lines:#?}");
        assert_eq!(lines[3], "due: the platform does not know it, by its status endpoint: sent again");
        assert_eq!(world.texts(), ["lost"]);
        assert!(relay.terminate().success());
    }
    let world = world("resend", true);
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "there")]);
    let lines = timeline(&relay.fate_when(&id, "delivered"));
    assert_eq!(lines[3], "sent: the platform has it, by its status endpoint");
    assert_eq!(world.emulator.requests().send, 1);
    assert!(relay.terminate().success());
}

/// A gateway may be shut for days, and nobody can be asked meanwhile.
#[test]
fn behind_a_shut_gateway_fail_is_followed_in_time_and_resend_goes_on_waiting() {
    let mut world = World::new();
    world.rules.push_str("[[rule]]\nname = \"fail\"\nwhen.text = \"^fail\"\nunknown = \"fail\"\n");
    world.rules.push_str("[[rule]]\nname = \"all\"\nunknown = \"resend\"\n");
    let probe = "probe = { first = \"1s\", most = \"2s\" }";
    world.otherwise.push((probe, "probe = { first = \"10m\", most = \"10m\" }".to_owned()));
    // Long enough that the gateway is shut before anybody asks.
    world.otherwise.push(("ask_after = \"1s\"", "ask_after = \"4s\"".to_owned()));
    world.order(FaultRule::on_send(Fault::Reset { recorded: true }).times(2));
    let relay = world.start();
    let fail = relay.post(&[("to", &phone(1)), ("text", "fail")]);
    let resend = relay.post(&[("to", &phone(2)), ("text", "resend")]);
    world.wait_for_platform("both", |record| record.total() == 2);
    world.order(answers(401));
    relay.post(&[("to", &phone(3)), ("text", "it shuts the gateway")]);
    relay.wait_for_message("nothing is sent for now; every message is kept and the gateway is probed");
    let lines = timeline(&relay.fate_when(&fail, "failed"));
    assert!(lines[2].starts_with(LOST), "{lines:#?}");
    let why = "failed: the platform could not tell for 5 s whether it has it; by the rule's choice it is not sent again: \
               the SMS platform does not accept the gateway's credentials (HTTP 401)";
    assert!(lines[3].starts_with(why), "{lines:#?}");
    let report = &world.mailbox.wait_for(1)[0].text;
    assert!(report.contains("Action: failed") && report.contains("Status: 4.4.7"), "{report}");
    let waits = relay.fate(&resend);
    assert_eq!(waits["messages"][0]["state"], "unknown", "{:#?}", timeline(&waits));
    let requests = world.emulator.requests();
    assert_eq!((requests.send, requests.status), (3, 0), "nobody was asked");
    assert!(relay.terminate().success());
}
