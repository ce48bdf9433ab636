//! A request with an `Idempotency-Key` that comes again is one SMS, whatever happened to the relay in between.

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Relay, World, run, tool};

const BODY: &str = r#"{"to": "oncall", "text": "Door 3 is open"}"#;

fn world() -> World {
    let mut world = World::new();
    world.otherwise.push(("allow_get = true", "allow_get = true\napi = true".to_owned()));
    world
}

/// Posts by curl: its exit code, and status and body where there was an answer.
fn post(relay: &Relay, key: &str, body: &str) -> (Option<i32>, String, String) {
    let url = format!("http://{}/v1/messages", relay.http);
    let key = format!("Idempotency-Key: {key}");
    let arguments = ["--silent", "--user", "pbx:swordfish", "--json", body, "--header", &key];
    let (code, printed) = run("curl", &[&arguments[..], &["--write-out", "%{http_code}", &url]].concat());
    let (body, status) = printed.trim().split_at(printed.trim().len() - 3);
    (code, status.to_owned(), body.to_owned())
}

#[test]
fn the_same_key_is_one_sms_also_after_a_kill() {
    if !tool("curl") {
        return;
    }
    let world = world();
    let relay = world.start();
    let (code, status, first) = post(&relay, "\"night-1\"", BODY);
    assert_eq!((code, status.as_str()), (Some(0), "202"), "{first}");
    assert_eq!(post(&relay, "night-1", BODY), (Some(0), "202".to_owned(), first.clone()));
    world.expect_texts(&["Door 3 is open"]);
    relay.kill();

    let relay = world.start();
    assert_eq!(post(&relay, "night-1", BODY), (Some(0), "202".to_owned(), first.clone()));
    let (_, status, told) = post(&relay, "night-1", r#"{"to": "oncall", "text": "another"}"#);
    assert_eq!(status, "422", "{told}");
    assert_eq!(post(&relay, "night-2", BODY).1, "202");
    world.expect_texts(&["Door 3 is open", "Door 3 is open"]);

    let id = serde_json::from_str::<Value>(&first).unwrap()["id"].as_str().unwrap().to_owned();
    let told = relay.as_pbx("GET", &format!("/v1/messages/{id}"), "");
    assert_eq!((told.status, &told.json()["messages"][0]["to"]), (200, &Value::from("oncall")));
    world.wait_until_finished();
    assert_eq!(relay.as_pbx("DELETE", &format!("/v1/messages/{id}"), "").status, 409);
    assert!(relay.terminate().success());
}

/// Before the commit nothing is there, and after it all is: either way the client, who got no answer, sends again.
#[test]
fn a_crash_on_either_side_of_the_commit_makes_no_second_sms() {
    if !tool("curl") {
        return;
    }
    for (point, kept) in [("before-accept-commit", 0), ("after-accept-commit", 1)] {
        let world = world();
        let environment = [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", point)];
        let relay = Relay::start(&world.write(), &environment);
        let (code, status, _) = post(&relay, "night-1", BODY);
        assert_ne!(code, Some(0), "{point}: {status}");
        assert_eq!(relay.wait_for_end().signal(), Some(Signal::ABORT.as_raw()));
        let left = world.remains().submissions();
        assert_eq!(left.len(), kept, "{point}");

        let relay = world.start();
        let (_, status, told) = post(&relay, "night-1", BODY);
        assert_eq!(status, "202", "{told}");
        if let Some(id) = left.first() {
            assert!(told.contains(id.as_str()), "{told}");
        }
        world.expect_texts(&["Door 3 is open"]);
        world.wait_until_finished();
        assert!(relay.terminate().success());
        assert_eq!(world.remains().submissions().len(), 1, "{point}");
        assert_eq!(world.texts(), ["Door 3 is open"]);
    }
}
