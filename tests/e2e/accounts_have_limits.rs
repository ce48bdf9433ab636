//! An account reaches only its destinations, and only so often and so much a day; what it used survives a
//! restart, and a reload changes what it may.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Relay, World, run, tool};

const DAY: u64 = 24 * 3600;

/// What the account `pbx` may do, written behind its other keys.
fn allow(world: &mut World, keys: &str) {
    world.otherwise.retain(|(usual, _)| *usual != "may_choose_sender = true");
    world.otherwise.push(("may_choose_sender = true", format!("may_choose_sender = true\n{keys}")));
    world.write();
}

fn reload(world: &mut World, relay: &Relay, keys: &str) {
    allow(world, keys);
    let seen = relay.log().len();
    relay.signal(Signal::HUP);
    relay.wait_for_next(seen, "reloaded: rules, aliases and credentials");
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: String,
}

fn post(relay: &Relay, to: &str, text: &str) -> Answer {
    let url = format!("http://{}/sms", relay.http);
    let (to, text) = (format!("to={to}"), format!("text={text}"));
    let form = ["--silent", "--include", "--user", "pbx:swordfish", "-d", &to, "-d", &text, &url];
    let (code, printed) = run("curl", &form);
    assert_eq!(code, Some(0), "{printed}");
    let (head, body) = printed.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let retry_after =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("retry-after: ")?.parse().ok());
    Answer { status, retry_after, body: body.trim_end().to_owned() }
}

#[test]
fn an_account_reaches_only_its_own_destinations() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    allow(&mut world, "allowed = [\"+393470000001\"]");
    let relay = world.start();
    let refused = post(&relay, "two", "x");
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (
            403,
            "account `pbx` may not send to `two`; the operator has to add its prefix to the account's `allowed`"
        )
    );
    assert_eq!(post(&relay, "%2B393470000001", "one").status, 200);
    reload(&mut world, &relay, "allowed = [\"+39347\"]");
    assert_eq!(post(&relay, "two", "two").status, 200);
    world.wait_for_platform("one and two", |record| record.total() == 3);
    assert!(relay.terminate().success());
}

#[test]
fn an_account_that_posts_too_often_is_told_when_to_come_again() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    allow(&mut world, "messages_per_minute = 2");
    let relay = world.start();
    for _ in 0..2 {
        // A refused form is none.
        assert_eq!(post(&relay, "nobody", "x").status, 400);
        assert_eq!(post(&relay, "oncall", "x").status, 200);
    }
    let refused = post(&relay, "oncall", "x");
    let wait = refused.retry_after.unwrap();
    assert_eq!(refused.status, 429);
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.body, format!("account `pbx` may send 2 messages a minute; try again in {wait} s"));
    reload(&mut world, &relay, "messages_per_minute = 3");
    assert_eq!(post(&relay, "oncall", "x").status, 200);
    assert_eq!(post(&relay, "oncall", "x").status, 429);
    world.wait_for_platform("three", |record| record.total() == 3);
    assert!(relay.terminate().success());
}

/// A time zone in which it is about noon, so that no midnight comes while a test runs.
fn noon() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let ahead = i64::try_from(seconds % DAY / 3600).unwrap() - 12;
    format!("HERE{ahead}")
}

#[test]
fn what_is_cancelled_while_it_is_held_can_be_sent_again_today() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    allow(&mut world, "parts_per_day = 1");
    let relay = world.start_with(&[("TZ", &noon())]);
    let tomorrow = SystemTime::now() + Duration::from_secs(DAY);
    let tomorrow = jiff::Timestamp::try_from(tomorrow).unwrap().to_string();
    let held = serde_json::json!({ "to": "oncall", "text": "held", "deliver_at": tomorrow });
    let accepted = relay.as_pbx("POST", "/sms", &held.to_string());
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    let answer: Value = serde_json::from_str(&accepted.body).unwrap();
    let id = answer["id"].as_str().unwrap();
    assert_eq!(post(&relay, "oncall", "x").status, 429);
    assert_eq!(relay.as_pbx("DELETE", &format!("/sms/{id}"), "").status, 200);
    assert_eq!(post(&relay, "oncall", "in its place").status, 200);
    assert_eq!(post(&relay, "oncall", "x").status, 429);
    world.wait_for_platform("one", |record| record.total() == 1);
    assert!(relay.terminate().success());
}

#[test]
fn the_parts_of_a_day_are_used_once_also_over_a_restart() {
    if !tool("curl") {
        return;
    }
    let zone = noon();
    let mut world = World::new();
    allow(&mut world, "parts_per_day = 4");
    let relay = world.start_with(&[("TZ", &zone)]);
    let three_parts = "word ".repeat(80);
    assert!(post(&relay, "oncall", &three_parts).body.ends_with("PARTS=3"));
    let refused = post(&relay, "two", "x");
    assert_eq!(refused.status, 429);
    let told = "the message takes 2 parts, and account `pbx` has 1 of its 4 left today; the next day begins ";
    assert!(refused.body.starts_with(told) && refused.body.contains(" 00:00 "), "{}", refused.body);
    assert_eq!(post(&relay, "oncall", "the last").status, 200);
    for _ in 0..2 {
        let refused = post(&relay, "oncall", "x");
        assert_eq!(refused.status, 429);
        assert!(
            refused.body.starts_with("account `pbx` has used its 4 parts of today; it may send again from ")
        );
        // About noon: from eleven to thirteen hours until midnight.
        let wait = Duration::from_secs(refused.retry_after.unwrap());
        assert!(
            wait > Duration::from_secs(11 * 3600 - 60) && wait < Duration::from_secs(13 * 3600),
            "{wait:?}"
        );
    }
    world.wait_for_platform("both", |record| record.total() == 2);
    let is_warning = |line: &Value| line["level"] == "WARN" && line["account"] == "pbx";
    relay.wait_for_log("a warning about the account", is_warning);
    assert_eq!(relay.log().iter().filter(|line| is_warning(line)).count(), 1, "{:#?}", relay.log());
    assert!(relay.terminate().success());

    let relay = world.start_with(&[("TZ", &zone)]);
    assert_eq!(post(&relay, "oncall", "x").status, 429);
    reload(&mut world, &relay, "parts_per_day = 5");
    assert_eq!(post(&relay, "oncall", "one more").status, 200);
    assert_eq!(post(&relay, "oncall", "x").status, 429);
    let never = post(&relay, "two", &three_parts);
    assert_eq!(
        (never.status, never.body.as_str()),
        (403, "the message takes 6 parts, and account `pbx` may send 5 a day")
    );
    reload(&mut world, &relay, "");
    assert_eq!(post(&relay, "oncall", "no limit").status, 200);
    world.wait_for_platform("all", |record| record.total() == 4);
    assert!(relay.terminate().success());
}
