//! The platform replaces `{name}` for the rule that asks for it; to everybody else braces are braces.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Smtp, Talk, World, run};

#[test]
fn only_the_rule_that_asks_has_its_braces_replaced() {
    let mut world = World::new();
    world.rules = r#"
[[rule]]
name = "plants"
when.recipient = "^oncall$"
placeholders = { plant = "Città €1" }
"#
    .to_owned();
    let relay = world.start();
    let mail = "From: scada@example.com\n\nPump 3 in {plant} stopped {since 03:00}\n";
    let to = ["oncall@sms.local", "+393470000009@sms.local"];
    let id = Smtp::queued(&Talk::greeted(relay.smtp).mail("scada@example.com", &to, mail.as_bytes()));
    for ordinal in [1, 2] {
        let sms = format!("{id}-{ordinal}");
        relay.wait_for_log("sent", |line| line["message"] == "accepted by the platform" && line["id"] == sms);
    }
    let mut accepted = world.emulator.accepted();
    accepted.sort_by(|one, other| one.message_id.cmp(&other.message_id));
    let [asks, does_not] = accepted.as_slice() else { panic!("{accepted:#?}") };
    let written = "Pump 3 in {plant} stopped {since 03:00}";
    let values = BTreeMap::from([("plant".to_owned(), "Città €1".to_owned())]);
    assert_eq!((asks.body.as_str(), &asks.placeholders), (written, &Some(values)));
    assert_eq!(asks.text, "Pump 3 in Città €1 stopped {since 03:00}");
    assert_eq!((does_not.body.as_str(), &does_not.placeholders), (written, &None));
    assert_eq!(does_not.text, written);
    let counted_otherwise = relay
        .find_log(|line| line["message"].as_str().is_some_and(|words| words.contains("counts this SMS")));
    assert_eq!(counted_otherwise, None, "the relay counts what the phone shows");
    assert!(relay.terminate().success());
}

#[test]
fn explain_shows_what_the_phone_shows() {
    let mut world = World::new();
    world.rules = format!(
        "[[rule]]\nname = \"plants\"\nplaceholders = {{ plant = \"Łódź\", long = \"{}\" }}\n",
        "x".repeat(100)
    );
    let config = world.write();
    let told = |text: &str| {
        let relay = env!("CARGO_BIN_EXE_sms-relay");
        let config = config.to_str().unwrap();
        let asked = ["--json", "--to", "oncall", "--text", text, "--config", config];
        let arguments = [&["PBX_PASSWORD=swordfish", relay, "explain"][..], &asked].concat();
        let (code, printed) = run("env", &arguments);
        assert_eq!(code, Some(0), "{printed}");
        let told: Value = serde_json::from_str(&printed).unwrap();
        let sms = &told["recipients"][0]["phones"][0]["sms"][0];
        let foreign: Vec<&Value> =
            sms["foreign"].as_array().unwrap().iter().map(|foreign| &foreign["character"]).collect();
        json!([sms["text"], sms["units"], sms["parts"].as_array().unwrap().len(), foreign])
    };
    assert_eq!(told("in {plant} {x}"), json!(["in Łódź {x}", 11, 1, ["Ł", "ó", "ź"]]));
    assert_eq!(told("{long}{long}"), json!(["x".repeat(200), 200, 2, []]));
}
