//! One id from the answer to the form to the handset and the report, and everything that can be told under it.

use serde_json::{Value, json};
use sms_relay::emulator::{Fault, FaultRule, Outcome};

use crate::support::World;
use crate::support::gateways::{AS_ONE_OF_SEVERAL, answers, phone};

fn world() -> World {
    let mut world = World::new();
    world.otherwise.push((AS_ONE_OF_SEVERAL.0, AS_ONE_OF_SEVERAL.1.to_owned()));
    world.otherwise.push(("allow_get = true", "callbacks = true".to_owned()));
    world.extra.push_str("[callbacks]\nnetworks = [\"127.0.0.0/8\"]\n");
    world.rules.push_str("[[rule]]\nname = \"alarms\"\nlane = \"critical\"\nsender = \"Alarm\"\n");
    world
}

/// Two parts.
fn long() -> String {
    format!("Fire in hall 3 {}", "x".repeat(200))
}

fn column(lines: &Value, name: &str) -> Vec<String> {
    let word = |line: &Value| line[name].as_str().map_or_else(|| line[name].to_string(), str::to_owned);
    lines.as_array().unwrap().iter().map(word).collect()
}

#[test]
fn a_form_s_client_learns_all_of_its_way_to_the_handset() {
    let world = world();
    world.order(answers(503).times(1));
    let relay = world.start();
    world.emulator.call_back_to(&format!("http://{}/callbacks", relay.http)).unwrap();
    // They may be faster than the answer to the call, and then there is no move to `sent` to be seen.
    world.emulator.pause_callbacks();
    let id = relay.post(&[("to", "oncall"), ("text", &long())]);
    relay.fate_when(&id, "sent");
    world.emulator.resume_callbacks();
    let fate = relay.fate_when(&id, "delivered");
    assert_eq!(fate["id"], id);
    assert_eq!(
        fate["client"],
        json!({"door": "http", "address": "127.0.0.1", "account": "pbx", "listener": "forms"})
    );
    let sms = &fate["messages"][0];
    for (key, value) in [
        ("id", json!(format!("{id}-1"))),
        ("to", json!("oncall")),
        ("phone", json!("+393471234567")),
        ("sender", json!("Alarm")),
        ("text", json!(long())),
        ("encoding", json!("gsm7")),
        ("parts", json!(2)),
        ("platform_parts", json!(2)),
        ("rule", json!("alarms")),
        ("lane", json!("critical")),
        ("gateway", json!("main")),
        ("channel", json!("SMS")),
        ("price", json!("0.07")),
        ("next_at", Value::Null),
    ] {
        assert_eq!(sms[key], value, "{key}: {fate:#}");
    }
    let attempts = &sms["attempts"];
    assert_eq!(column(attempts, "attempt"), ["1", "2"]);
    assert_eq!(column(attempts, "gateway"), ["main", "main"]);
    let outcomes = column(attempts, "outcome");
    assert!(
        outcomes[0].starts_with("due: the SMS platform takes no messages now (HTTP 503)"),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[1], "sent: accepted by the platform");
    let callbacks = &sms["callbacks"];
    assert_eq!(column(callbacks, "part"), ["1", "2"]);
    assert_eq!(column(callbacks, "code"), ["3", "3"]);
    assert_eq!(column(callbacks, "price"), ["0.035", "0.035"]);
    let timeline = &sms["timeline"];
    let states = column(timeline, "state");
    assert_eq!(states[..5], ["due", "claimed", "due", "claimed", "sent"], "{fate:#}");
    assert_eq!(states.last().unwrap(), "delivered");
    let times: Vec<jiff::Timestamp> =
        column(timeline, "at").iter().map(|time| time.parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(fate["reports"], json!([]), "nobody had to be told");

    let message = format!("{id}-1");
    assert_eq!(world.emulator.accepted()[0].message_id, message);
    let about = |line: &&Value| line["id"] == id.as_str() || line["id"] == message.as_str();
    let lines: Vec<String> =
        relay.log().iter().filter(about).map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    for said in ["form accepted", "tried again later", "accepted by the platform"] {
        assert!(lines.iter().any(|line| line == said), "{said}: {lines:?}");
    }
    assert!(relay.terminate().success());
}

#[test]
fn a_failure_is_told_with_the_report_that_was_filed_and_both_have_the_id() {
    let world = world();
    let fault = Fault::Deliver { outcome: Outcome::Error, delay_millis: None };
    world.order(FaultRule::on_send(fault));
    let relay = world.start();
    world.emulator.call_back_to(&format!("http://{}/callbacks", relay.http)).unwrap();
    let id = relay.post(&[("to", &phone(1)), ("text", "x")]);
    let fate = relay.fate_when(&id, "undelivered");
    assert_eq!(fate["messages"][0]["cause"]["status"], "5.4.0", "{fate:#}");
    let report = world.mailbox.wait_for(1).remove(0);
    assert!(report.text.contains(&format!("X-Relay-Message-Id: {id}-1\n")), "{}", report.text);
    assert!(report.text.contains(&format!("X-Relay-Queue-Id: {id}\n")), "{}", report.text);
    let fate = relay.look_until(|| {
        let fate = relay.fate(&id);
        if fate["reports"][0]["state"] == "sent" { Ok(fate) } else { Err(fate) }
    });
    let told = &fate["reports"][0];
    assert_eq!((&told["kind"], &told["to"]), (&"operator-report".into(), &"operator@example.com".into()));
    assert_eq!(column(&told["timeline"], "state"), ["due", "claimed", "sent"], "{fate:#}");
    let message = format!("{id}-1");
    relay.wait_for_log("the end", |line| line["id"] == message.as_str() && line["state"] == "undelivered");
    relay.wait_for_log("the report", |line| line["message"] == "mail sent" && line["id"] == id.as_str());
    assert_eq!(world.emulator.accepted()[0].message_id, message);
    assert!(relay.terminate().success());
}
