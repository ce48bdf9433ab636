//! Trying out: the platform checks every message and sends none, by the rule's choice or for the whole relay.

use sms_relay::emulator::Channel;

use crate::support::gateways::phone;
use crate::support::{Relay, World};

const CHECKED: &str = "checked by the platform as a simulation, not sent";

const RULES: &str = r#"
[[rule]]
name = "legacy"
when.text = "^legacy"
api = "legacy"

[[rule]]
name = "template"
when.text = "^template"
channels = ["rcs:alert_v2", "sms"]
variables = { text = "{{ text }}" }

[[rule]]
name = "trial"
when.text = "^trial"
simulation = true
"#;

/// It ends as cancelled, for this reason.
fn ends(relay: &Relay, id: &str, reason: &str) {
    let fate = relay.fate_when(id, "cancelled");
    for sms in fate["messages"].as_array().unwrap() {
        assert_eq!((&sms["state"], &sms["cause"]["text"]), (&"cancelled".into(), &reason.into()), "{fate:#}");
        let last = sms["timeline"].as_array().unwrap().last().unwrap();
        assert_eq!((&last["state"], &last["note"]), (&"cancelled".into(), &reason.into()));
    }
}

#[test]
fn a_dry_run_sends_nothing_by_any_door() {
    let mut world = World::new();
    world.rules.push_str(RULES);
    let relay = world.start_under(&["sh", "-c", "exec \"$@\" --dry-run", "sh"]);
    assert_eq!(relay.wait_for_message("ready")["dry_run"], true);
    relay.wait_for_message(
        "this is a dry run: the platform checks every message and sends none, no phone gets anything",
    );
    let post = |n: usize, text: &str| relay.post(&[("to", &phone(n)), ("text", text)]);
    ends(&relay, &post(1, "an alarm"), CHECKED);
    ends(&relay, &post(2, "trial by rule"), CHECKED);
    ends(&relay, &post(3, "legacy"), CHECKED);
    let several = relay.post(&[("to", "two"), ("text", "legacy to two")]);
    ends(&relay, &several, CHECKED);
    ends(&relay, &post(4, "template"), "only tried out, and a template cannot be simulated: not handed over");
    relay.mail("oncall@sms.local", "by mail");
    world.wait_for_platform("all", |record| record.total() == 6);
    let accepted = world.emulator.accepted();
    assert!(accepted.iter().all(|sms| sms.simulation && sms.channel == Channel::Sms), "{accepted:#?}");
    assert_eq!(world.emulator.requests().template, 0);
    assert!(world.emulator.requests().legacy >= 2);
    relay.wait_for_log("the mail", |line| line["message"] == CHECKED && line["gateway"] == "platform");
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 0, "nothing has failed");
}

#[test]
fn a_rule_tries_its_own_messages_out_and_no_other() {
    let mut world = World::new();
    world.rules.push_str(RULES);
    let relay = world.start();
    let trial = relay.post(&[("to", &phone(1)), ("text", "trial")]);
    let real = relay.post(&[("to", &phone(2)), ("text", "real")]);
    ends(&relay, &trial, CHECKED);
    relay.fate_when(&real, "delivered");
    let simulated: Vec<(String, bool)> =
        world.emulator.accepted().into_iter().map(|sms| (sms.destination, sms.simulation)).collect();
    assert!(simulated.contains(&(phone(1), true)) && simulated.contains(&(phone(2), false)), "{simulated:?}");
    // What was refused would have been refused for real.
    world.order(sms_relay::emulator::FaultRule::on_send(sms_relay::emulator::Fault::Refuse {
        reasons: vec!["no such number".to_owned()],
    }));
    let wrong = relay.post(&[("to", &phone(3)), ("text", "trial")]);
    relay.fate_when(&wrong, "failed");
    world.mailbox.wait_for(1);
    assert!(relay.terminate().success());
}
