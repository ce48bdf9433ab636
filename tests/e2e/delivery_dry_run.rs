//! Trying out: the platform checks every message and sends none, by the rule's choice or for the whole relay.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sms_relay::emulator::{Channel, Fault, FaultRule};

use crate::support::gateways::{answers, phone, tells_nothing};
use crate::support::{Relay, World, request};

const CHECKED: &str = "checked by the platform as a simulation, not sent";

/// What makes it a dry run.
const DRY: [&str; 4] = ["sh", "-c", "exec \"$@\" --dry-run", "sh"];

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
    let relay = world.start_under(&DRY);
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
    // Of what it only checked the platform can tell nothing: one whose answer is lost is checked again.
    let asked = world.emulator.requests().status;
    world.order(FaultRule::on_send(Fault::Reset { recorded: true }).times(1));
    ends(&relay, &relay.post(&[("to", &phone(4)), ("text", "trial, lost")]), CHECKED);
    assert_eq!(world.emulator.record(|record| record.total()), 4, "both of the last one");
    assert_eq!(world.emulator.requests().status, asked);
    // What was refused would have been refused for real.
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no such number".to_owned()] }));
    let wrong = relay.post(&[("to", &phone(3)), ("text", "trial")]);
    relay.fate_when(&wrong, "failed");
    world.mailbox.wait_for(1);
    assert!(relay.terminate().success());
}

/// In so many seconds, as a form writes it.
fn in_seconds(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string()
}

#[test]
fn what_was_accepted_in_a_dry_run_is_never_sent_for_real() {
    for (point, taken) in [
        ("after-accept-commit", 1),
        ("after-claim-commit", 1),
        ("before-send", 1),
        // The answer got lost, and the platform keeps nothing of what it only checked.
        ("after-send", 2),
    ] {
        let world = World::new();
        let ending = format!("SMS_RELAY_CRASH_POINT={point}");
        let relay = world.start_under(&[&["env", ending.as_str()][..], &DRY].concat());
        request(relay.http, "POST /sms", Some(&json!({ "to": "oncall", "text": "an alarm" })));
        relay.wait_for_end();
        let id = world.remains().submissions().swap_remove(0);
        let relay = world.start();
        ends(&relay, &id, CHECKED);
        assert!(relay.terminate().success());
        let accepted = world.emulator.accepted();
        assert_eq!(accepted.len(), taken, "{point}: {accepted:#?}");
        assert!(accepted.iter().all(|sms| sms.simulation), "{point}: {accepted:#?}");
    }
}

#[test]
fn what_a_dry_run_holds_for_later_is_never_sent_for_real() {
    let mut world = World::new();
    world.rules.push_str(
        "[[rule]]\nname = \"escalated\"\nwhen.text = \"^escalated\"\n\
         escalate = { after = \"3s\", to = \"two\" }\n",
    );
    // What never gets through, so that its escalation goes.
    world.order(answers(500).to(&phone(2)));
    let relay = world.start_under(&DRY);
    let held = relay.post(&[("to", &phone(1)), ("text", "held"), ("deliver_at", &in_seconds(3))]);
    relay.post(&[("to", &phone(2)), ("text", "escalated")]);
    relay.wait_for_message("tried again later");
    assert!(relay.terminate().success());
    let relay = world.start();
    ends(&relay, &held, CHECKED);
    world.wait_for_platform("what was held and two escalations", |record| record.total() == 3);
    assert!(relay.terminate().success());
    let accepted = world.emulator.accepted();
    assert!(accepted.iter().all(|sms| sms.simulation), "{accepted:#?}");
}

#[test]
fn what_was_accepted_for_real_is_still_there_after_a_dry_run() {
    let world = World::new();
    let lost = Fault::Reset { recorded: false };
    world.order(FaultRule::on_send(lost).containing("unknown"));
    world.order(tells_nothing());
    world.order(answers(500));
    let relay = world.start();
    let due = relay.post(&[("to", &phone(1)), ("text", "due")]);
    let unknown = relay.post(&[("to", &phone(2)), ("text", "unknown")]);
    let held = relay.post(&[("to", &phone(3)), ("text", "held"), ("deliver_at", &in_seconds(4))]);
    relay.fate_when(&unknown, "unknown");
    relay.wait_for_message("tried again later");
    relay.kill();
    world.emulator.clear_faults();
    let asked = world.emulator.requests().status;

    let dry = world.start_under(&DRY);
    let alone = dry.wait_for_message(
        "what was accepted to be sent is left alone in this dry run; a start without --dry-run goes on with it",
    );
    assert_eq!((&alone["count"], &alone["level"]), (&json!(3), &json!("WARN")));
    // To the same phone: it does not wait for what waits.
    ends(&dry, &dry.post(&[("to", &phone(1)), ("text", "a trial")]), CHECKED);
    // Long enough for what was held, due and asked about to have come up.
    ends(&dry, &dry.post(&[("to", &phone(4)), ("text", "later"), ("deliver_at", &in_seconds(5))]), CHECKED);
    assert_eq!(dry.fate(&unknown)["messages"][0]["state"], "unknown");
    assert!(dry.terminate().success());
    assert_eq!(world.texts(), ["a trial", "later"]);
    assert_eq!(world.emulator.requests().status, asked, "nobody was asked");

    let relay = world.start();
    for id in [&due, &unknown, &held] {
        relay.fate_when(id, "delivered");
    }
    assert!(relay.terminate().success());
    let accepted = world.emulator.accepted();
    let real: Vec<&str> = accepted.iter().filter(|sms| !sms.simulation).map(|sms| &*sms.text).collect();
    assert_eq!(real.len(), 3, "each once: {accepted:#?}");
    assert!(world.mailbox.mails().is_empty(), "nothing has failed");
}
