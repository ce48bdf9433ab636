//! A platform that counts parts otherwise than the relay, or takes another alphabet, shows in the log and on
//! `/metrics`; one that agrees shows nowhere.

use serde_json::{Value, json};
use sms_relay::emulator::{Fault, FaultRule};

use crate::certificate_warnings::metrics;
use crate::support::{Relay, Smtp, World};

const WARNING: &str =
    "the platform counts this SMS otherwise than the relay; more of this kind are logged at level debug";
const AGAIN: &str = "the platform counts this SMS otherwise than the relay";

/// An answer of the platform to SMS with these words in them.
fn answer(words: &str, sms: &str) -> FaultRule {
    let body = format!(r#"{{"messageId":"x","simulation":false,"results":{{"sms":{sms}}}}}"#);
    let fault = Fault::Status { code: 200, retry_after: None, body: Some(body), recorded: true };
    FaultRule { body_contains: Some(words.to_owned()), ..FaultRule::on_send(fault) }
}

/// Sends a mail, waits until it counts as sent, and returns the id of its SMS.
fn send(relay: &Relay, text: &str) -> String {
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let mail = format!("Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}");
    let reply = smtp.mail("ups@example.com", "oncall@sms.local", &mail).unwrap();
    let id = format!("{}-1", Smtp::queued(&reply));
    relay.wait_for_log("sent", |line| line["message"] == "accepted by the platform" && line["id"] == id);
    id
}

/// What a line says, in this order: level, id, our parts and encoding, the platform's parts and alphabet.
fn told(line: &Value) -> Value {
    let keys = ["level", "id", "parts", "encoding", "platform_parts", "platform_unicode"];
    keys.iter().map(|key| line[*key].clone()).collect()
}

#[test]
fn a_difference_is_a_warning_once_a_debug_line_then_and_a_metric_always() {
    let mut world = World::new();
    world.otherwise.push(("allow_get = true", "allow_get = true\nmetrics = true".to_owned()));
    world.order(answer("long", r#"{"accepted":true,"unicode":false,"parts":2,"reasons":[]}"#));
    world.order(answer("greek", r#"{"accepted":true,"unicode":true,"parts":1,"reasons":[]}"#));
    world.order(answer("silent", r#"{"accepted":true}"#));
    let relay = world.start();
    let counted = |figure: &str, count: u32| {
        let series = format!("sms_relay_parts_mismatch_total{{figure=\"{figure}\"}} {count}\n");
        let seen = metrics(&relay);
        assert!(seen.contains(&series), "{series}{seen}");
    };

    send(&relay, "short");
    send(&relay, "ж 🔥");
    send(&relay, "silent");
    counted("parts", 0);
    counted("unicode", 0);

    let first = send(&relay, "long");
    let warned = relay.wait_for_message(WARNING);
    assert_eq!(told(&warned), json!(["WARN", first, 1, "gsm7", 2, false]));
    let second = send(&relay, "long again");
    let again = relay.wait_for_message(AGAIN);
    assert_eq!(told(&again), json!(["DEBUG", second, 1, "gsm7", 2, false]));
    counted("parts", 2);
    counted("unicode", 0);

    let seen = relay.log().len();
    let third = send(&relay, "greek");
    let warned = relay.wait_for_next(seen, WARNING);
    assert_eq!(told(&warned), json!(["WARN", third, 1, "gsm7", 1, true]));
    counted("parts", 2);
    counted("unicode", 1);
    let lines = relay.log();
    let count = |message: &str| lines.iter().filter(|line| line["message"] == message).count();
    assert_eq!([count(WARNING), count(AGAIN)], [2, 1]);
    assert!(relay.terminate().success());
}
