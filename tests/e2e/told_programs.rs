//! A program that posts forms is told how each SMS ended: by one signed call, until it says that it knows.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Program, Relay, Told, World, tool};

const SECRET: &str = "a secret between two";

/// A world whose account calls `url` where a form names no other; `keys` are more of the account's.
fn world(keys: &str) -> World {
    let mut world = World::new();
    let account = format!("may_choose_sender = true\ncallback_secret = {{ env = \"TELL_SECRET\" }}\n{keys}");
    world.otherwise.push(("may_choose_sender = true", account));
    world.extra = "[telling]\nbackoff = { first = \"1s\", most = \"1s\" }\n".to_owned();
    world
}

fn start(world: &World) -> Relay {
    world.start_with(&[("TELL_SECRET", SECRET)])
}

fn told_of<'a>(calls: &'a [Told], sms: &str) -> Vec<&'a Told> {
    calls.iter().filter(|told| told.header("Idempotency-Key") == sms).collect()
}

#[test]
fn one_signed_call_tells_of_each_sms() {
    if !tool("python3") {
        return;
    }
    let program = Program::listen(&[]);
    let world = world(&format!("callback_url = \"{}\"", program.url()));
    world
        .order(FaultRule::on_send(Fault::Refuse { reasons: vec!["Blocked".to_owned()] }).to("+393470000002"));
    let relay = start(&world);
    let id = relay.send_form("two", "On battery");
    let calls = program.wait_for(2);
    for told in &calls {
        assert_eq!(told.line, "POST /done?shop=1 HTTP/1.1");
        assert_eq!(told.header("Content-Type"), "application/json");
        assert!(told.is_signed_with(SECRET), "{told:?}");
        assert!(!told.is_signed_with("a secret between three"));
    }
    let (good, bad) = (format!("{id}-1"), format!("{id}-2"));
    let body = told_of(&calls, &good)[0].json();
    let fate = &relay.fate(&id)["messages"][0];
    assert_eq!(
        body,
        json!({
            "id": good, "to": "two", "state": "delivered", "status": "2.0.0", "reason": fate["cause"]["text"],
            "price": null, "parts": 1, "ended_at": fate["ended_at"], "attempt": 1,
        })
    );
    let body = told_of(&calls, &bad)[0].json();
    assert_eq!((body["state"].as_str(), body["status"].as_str()), (Some("failed"), Some("5.3.0")));
    assert!(body["reason"].as_str().unwrap().contains("Blocked"), "{body}");
    for sms in [&good, &bad] {
        relay.wait_for_log("told", |line| line["message"] == "program told" && line["id"] == sms.as_str());
    }
    assert!(relay.terminate().success());
    assert_eq!(program.wait_for(2).len(), 2, "once each");
}

#[test]
fn a_program_with_a_fault_is_told_again_until_it_knows() {
    if !tool("python3") {
        return;
    }
    let program = Program::listen(&[500, 503, 302]);
    let world = world(&format!("callback_url = \"{}\"", program.url()));
    let relay = start(&world);
    let sms = format!("{}-1", relay.send_form("oncall", "On battery"));
    let calls = program.wait_for(4);
    for (n, told) in calls.iter().enumerate() {
        assert_eq!(told.header("Idempotency-Key"), sms);
        assert_eq!(told.json()["attempt"], n + 1);
        assert!(told.is_signed_with(SECRET));
    }
    relay.wait_for_message("program told");
    assert!(relay.terminate().success());
    assert_eq!(program.wait_for(4).len(), 4);
}

#[test]
fn a_program_that_is_busy_gets_the_pause_that_it_asks_for() {
    if !tool("python3") {
        return;
    }
    // Both are longer than the relay's own wait of a second.
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(10));
    let program = Program::answering([
        "503 Service Unavailable\r\nRetry-After: 3".to_owned(),
        format!("429 Too Many Requests\r\nRetry-After: {date}"),
    ]);
    let date = Instant::now() + Duration::from_secs(9);
    let world = world(&format!("callback_url = \"{}\"", program.url()));
    let relay = start(&world);
    relay.send_form("oncall", "On battery");
    let calls = program.wait_for(3);
    let waited = calls[1].at - calls[0].at;
    assert!(waited >= Duration::from_millis(2900), "{waited:?}");
    // Cut to whole seconds, so that it may be one less than ten.
    assert!(calls[2].at >= date, "{:?} before", date - calls[2].at);
    relay.wait_for_message("program told");
    assert!(relay.terminate().success());
}

#[test]
fn a_form_names_a_program_only_on_a_host_that_is_allowed() {
    if !tool("python3") {
        return;
    }
    let (usual, other) = (Program::listen(&[]), Program::listen(&[]));
    let port = other.address.port();
    let hosts = format!("callback_hosts = [\"127.0.0.1\", \"127.0.0.1:{port}\"]");
    let world = world(&format!("callback_url = \"{}\"\n{hosts}", usual.url()));
    let relay = start(&world);
    let post = |url: &str| {
        let form = json!({ "to": "oncall", "text": "On battery", "callback_url": url });
        relay.as_pbx("POST", "/sms", &form.to_string())
    };
    for refused in [
        // The account's own port is no word about those that forms may name.
        usual.url(),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://127.0.0.1.example.com:{port}/"),
        "http://127.0.0.1@example.com/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let answered = post(&refused);
        assert_eq!(answered.status, 400, "{refused}: {}", answered.body);
        assert!(answered.body.contains("callback_url"), "{}", answered.body);
    }
    assert_eq!(world.emulator.requests().send, 0, "what is refused is not sent");
    let answered = post(&other.url());
    assert_eq!(answered.status, 200, "{}", answered.body);
    let told = other.wait_for(1).swap_remove(0);
    assert!(told.is_signed_with(SECRET));
    relay.wait_for_message("program told");
    assert!(relay.terminate().success());
    assert!(usual.wait_for(0).is_empty(), "the form's word counts in place of the account's");
}

#[test]
fn an_account_without_programs_names_none() {
    let world = World::new();
    let relay = world.start();
    let form = json!({ "to": "oncall", "text": "On battery", "callback_url": "http://127.0.0.1:1/" });
    assert_eq!(relay.as_pbx("POST", "/sms", &form.to_string()).status, 400);
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().send, 0);
}

#[test]
fn what_is_to_be_told_outlives_the_process() {
    if !tool("python3") {
        return;
    }
    let program = Program::listen(&[500]);
    let world = world(&format!("callback_url = \"{}\"", program.url()));
    let relay = start(&world);
    let sms = format!("{}-1", relay.send_form("oncall", "On battery"));
    relay.wait_for_message("program not told yet");
    relay.kill();
    let relay = start(&world);
    let calls = program.wait_for(2);
    assert!(calls.iter().all(|told| told.header("Idempotency-Key") == sms && told.is_signed_with(SECRET)));
    assert_eq!(calls[1].json()["ended_at"], calls[0].json()["ended_at"]);
    relay.wait_for_message("program told");
    assert!(relay.terminate().success());
    let relay = start(&world);
    assert!(relay.terminate().success());
    assert_eq!(program.wait_for(2).len(), 2, "told once is told");
}
