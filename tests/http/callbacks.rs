//! The platform's callbacks: who is let in, what is answered when, and what the log may not know.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine;
use prometheus_client::registry::Registry;
use sms_relay::http::{CallbackDoor, Credential, Limits};
use sms_relay::model::{About, PartStatus, Secret};

use super::support::{Door, ID, Raw, account, limits, log_lines, undated};

const SECRET: &str = "Wq3-kGm1tY";
/// What is answered at any path that is not ours.
const NOTHING: &str = "there is nothing here; forms go to /sms\n";

fn guard(secret: Option<&str>, basic: bool, network: Option<&str>) -> CallbackDoor {
    CallbackDoor {
        path: "/callbacks".to_owned(),
        secret: secret.map(Secret::from),
        basic: basic
            .then(|| Credential { username: "platform".to_owned(), password: Secret::from("p4ssword") }),
        networks: network.into_iter().map(|network| network.parse().unwrap()).collect(),
    }
}

async fn guarded(guard: CallbackDoor) -> Door {
    let door = Door::with(limits(), Vec::new()).await;
    door.callback_door.store(Arc::new(Some(guard)));
    door
}

async fn by_secret() -> Door {
    guarded(guard(Some(SECRET), false, None)).await
}

fn notification(id: &str, code: i64) -> String {
    format!(
        r#"{{"channel":"SMS","eventType":"DELIVERY","messageId":"{id}","statusCode":{code},"description":"x","price":0.035,"numPart":1,"totalParts":1}}"#
    )
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn post(path: &str, body: &str) -> String {
    request("POST", path, "Content-Type: application/json\r\n", body)
}

fn right(body: &str) -> String {
    post(&format!("/callbacks/{SECRET}"), body)
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn each_guard_lets_in_who_shows_it_and_nobody_else() {
    let basic =
        |pair: &str| format!("Authorization: Basic {}\r\n", base64::prelude::BASE64_STANDARD.encode(pair));
    let (pair, wrong_pair) = (basic("platform:p4ssword"), basic("platform:p4sswore"));
    let secret_path = format!("/callbacks/{SECRET}");
    let long_path = format!("/callbacks/{SECRET}x");
    let cut_path = format!("/callbacks/{}", &SECRET[..9]);
    let here = Some("127.0.0.0/8");
    let far = Some("192.0.2.0/24");
    let all = || guard(Some(SECRET), true, far);
    let tries = [
        (guard(Some(SECRET), false, None), secret_path.as_str(), "", 200),
        (guard(Some(SECRET), false, None), "/callbacks", "", 404),
        (guard(Some(SECRET), false, None), "/callbacks/", "", 404),
        (guard(Some(SECRET), false, None), &long_path, "", 404),
        (guard(Some(SECRET), false, None), &cut_path, "", 404),
        (guard(Some(SECRET), false, None), "/callbacks", &pair, 404),
        (guard(None, true, None), "/callbacks", &pair, 200),
        (guard(None, true, None), "/callbacks", &wrong_pair, 404),
        (guard(None, true, None), "/callbacks", "X-Api-Key: p4ssword\r\n", 404),
        (guard(None, true, None), &secret_path, "", 404),
        (guard(None, false, here), "/callbacks", "", 200),
        (guard(None, false, far), "/callbacks", "", 404),
        // Any of them.
        (all(), &secret_path, &wrong_pair, 200),
        (all(), &long_path, &pair, 200),
        (guard(Some(SECRET), true, here), &long_path, &wrong_pair, 200),
        (all(), &long_path, &wrong_pair, 404),
    ];
    let mut answers = Vec::new();
    for (guard, path, headers, expected) in tries {
        let message = request("POST", path, headers, &notification(&format!("{ID}-1"), 3));
        let told = format!("{path} {headers} {guard:?}");
        answers.push(tokio::spawn(async move {
            let door = guarded(guard).await;
            let answer = door.call(message).await;
            assert_eq!(status(&answer), expected, "{told}");
            assert_eq!(body(&answer), if expected == 200 { "OK\n" } else { NOTHING }, "{told}");
            let taken = door.recorder.callbacks.lock().unwrap().len();
            assert_eq!(taken, usize::from(expected == 200), "{told}");
            door.close().await;
        }));
    }
    for answer in answers {
        answer.await.unwrap();
    }
}

#[tokio::test]
async fn who_is_denied_sees_what_any_other_path_shows_whatever_the_method() {
    let door = by_secret().await;
    let elsewhere = undated(&door.call(post("/nowhere", "{}")).await);
    for denied in [
        post("/callbacks/wrong", "{}"),
        post("/callbacks/wrong", &notification(&format!("{ID}-1"), 3)),
        request("GET", "/callbacks/wrong", "Accept: application/json\r\n", ""),
        request("PUT", "/callbacks", "Content-Type: application/json\r\n", "{}"),
    ] {
        assert_eq!(undated(&door.call(denied).await), elsewhere);
    }
    door.close().await;
}

#[tokio::test]
async fn other_listeners_and_a_relay_without_a_guard_take_no_callbacks() {
    let door = by_secret().await;
    log_lines();
    let call = request("POST", &format!("/callbacks/{SECRET}"), "", &notification(&format!("{ID}-1"), 3));
    let answer = door.exchange(&call).await;
    assert_eq!((status(&answer), body(&answer)), (404, NOTHING));
    let lines = log_lines();
    assert!(lines.iter().any(|line| line.contains("this listener takes no callbacks")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains(SECRET)), "{lines:?}");
    door.callback_door.store(Arc::new(None));
    let answer = door.call(call).await;
    assert_eq!((status(&answer), body(&answer)), (404, NOTHING));
    assert!(door.recorder.callbacks.lock().unwrap().is_empty());
    door.close().await;
}

#[tokio::test]
async fn a_new_secret_counts_from_the_next_request_on() {
    let door = by_secret().await;
    assert_eq!(status(&door.call(right("[]")).await), 200);
    door.callback_door.store(Arc::new(Some(guard(Some("another"), false, None))));
    assert_eq!(status(&door.call(right("[]")).await), 404);
    assert_eq!(status(&door.call(post("/callbacks/another", "[]")).await), 200);
    door.close().await;
}

#[tokio::test]
async fn who_tries_the_url_in_a_browser_learns_the_method() {
    let door = by_secret().await;
    let answer = door.call(request("GET", &format!("/callbacks/{SECRET}"), "", "")).await;
    assert_eq!((status(&answer), body(&answer)), (405, "this method is not taken here; use POST\n"));
    assert!(answer.contains("\r\nallow: POST\r\n"), "{answer}");
    door.close().await;
}

#[tokio::test]
async fn a_guess_waits_for_its_answer_while_others_are_served() {
    let door = by_secret().await;
    let mut guesses = Vec::new();
    for guess in 0..20 {
        let mut raw = Raw(tokio::net::TcpStream::connect(door.addresses[2]).await.unwrap());
        raw.send(post(&format!("/callbacks/guess{guess}"), "{}")).await;
        guesses.push(raw);
    }
    assert_eq!(status(&door.call(right(&notification(&format!("{ID}-1"), 3))).await), 200);
    for guess in &guesses {
        let early = guess.0.try_read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
    }
    let mut told = Vec::new();
    for mut guess in guesses {
        told.push(status(&guess.rest().await));
    }
    told.sort_unstable();
    assert_eq!(told, [[404; 10], [429; 10]].concat(), "all waited, those beyond the limit too");
    door.close().await;
}

#[tokio::test]
async fn a_flood_of_guesses_is_held_to_the_connections_of_its_address() {
    let few = sms_relay::http::Limits { connections_per_client: 3, ..limits() };
    let door = Door::with(few, Vec::new()).await;
    door.callback_door.store(Arc::new(Some(guard(Some(SECRET), false, None))));
    let mut guesses = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw(tokio::net::TcpStream::connect(door.addresses[2]).await.unwrap());
        raw.send(post("/callbacks/guess", "{}")).await;
        guesses.push(raw);
    }
    // The fourth is not even read.
    assert_eq!(status(&door.call(post("/callbacks/guess", "{}")).await), 503);
    let began = Instant::now();
    for mut guess in guesses {
        assert_eq!(status(&guess.rest().await), 404);
    }
    assert!(began.elapsed() > Duration::from_millis(500), "three guesses in {:?}", began.elapsed());
    door.close().await;
}

#[tokio::test]
async fn the_body_of_somebody_who_is_denied_is_not_waited_for() {
    let door = by_secret().await;
    let head =
        "POST /callbacks/wrong HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\nConnection: close\r\n\r\n";
    let answer = door.call(head).await;
    assert_eq!((status(&answer), body(&answer)), (404, NOTHING));
    door.close().await;
}

#[tokio::test]
async fn both_shapes_are_taken_whatever_the_content_type_says() {
    let door = by_secret().await;
    let path = format!("/callbacks/{SECRET}");
    let other = format!(
        r#"{{"channel":"SMS","eventType":"DELIVERY","messageId":"{ID}-2","statusCode":6,"statusDescription":"Undeliverable","price":0.035,"numPart":2,"totalParts":3,"timestamp":"2026-04-09T10:15:03Z"}}"#
    );
    for (headers, body) in [
        ("Content-Type: text/plain\r\n", notification(&format!("{ID}-1"), 3)),
        ("", other),
        ("Content-Type: application/x-www-form-urlencoded\r\n", notification("somebody-elses", 8)),
        ("Content-Type: image/png\r\nContent-Encoding: identity\r\n", notification(&format!("{ID}-1"), 99)),
    ] {
        let answer = door.call(request("POST", &path, headers, &body)).await;
        assert_eq!(status(&answer), 200, "{headers}{answer}");
    }
    let taken = door.recorder.callbacks.lock().unwrap().clone();
    let told: Vec<_> = taken.iter().map(|one| (one.about.clone(), one.part, one.parts, one.status)).collect();
    let ours = |ordinal| About::Ours(ID.parse::<sms_relay::model::SubmissionId>().unwrap().message(ordinal));
    assert_eq!(
        told,
        [
            (ours(1), 1, 1, PartStatus::Delivered),
            (ours(2), 2, 3, PartStatus::Undeliverable),
            (About::Theirs("somebody-elses".to_owned()), 1, 1, PartStatus::Expired),
            (ours(1), 1, 1, PartStatus::Other(99)),
        ]
    );
    door.close().await;
}

#[tokio::test]
async fn the_answer_comes_after_the_callback_is_kept() {
    let door = by_secret().await;
    door.recorder.waits.store(true, Ordering::SeqCst);
    let mut raw = Raw(tokio::net::TcpStream::connect(door.addresses[2]).await.unwrap());
    raw.send(right(&notification(&format!("{ID}-1"), 3))).await;
    door.recorder.arrived.notified().await;
    let early = raw.0.try_read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
    door.recorder.go.notify_one();
    assert_eq!(status(&raw.rest().await), 200);
    door.close().await;
}

#[tokio::test]
async fn a_list_is_taken_as_a_whole_or_asked_for_again() {
    let door = by_secret().await;
    let list: Vec<String> = (1..=300).map(|ordinal| notification(&format!("{ID}-{ordinal}"), 3)).collect();
    let list = format!("[{}]", list.join(","));
    let json = format!("/callbacks/{SECRET}");
    let answer = door.call(request("POST", &json, "Accept: application/json\r\n", &list)).await;
    assert_eq!((status(&answer), body(&answer)), (200, r#"{"taken":300}"#));
    assert_eq!(door.recorder.callbacks.lock().unwrap().len(), 300);
    // One of them fails: all the others are kept, and the platform is asked for all again.
    door.recorder.failing.store(1, Ordering::SeqCst);
    let answer = door.call(right(&list)).await;
    assert_eq!(status(&answer), 503);
    assert!(answer.contains("\r\nretry-after: 10\r\n"), "{answer}");
    assert_eq!(door.recorder.callbacks.lock().unwrap().len(), 599);
    assert_eq!(status(&door.call(right(&list)).await), 200);
    door.close().await;
}

#[tokio::test]
async fn a_spool_that_cannot_keep_it_is_503_and_one_that_hangs_too() {
    let door = by_secret().await;
    door.recorder.failing.store(1, Ordering::SeqCst);
    let answer = door.call(right(&notification(&format!("{ID}-1"), 3))).await;
    let words = r#"{"error":"this cannot be kept now; send it again"}"#;
    assert_eq!((status(&answer), body(&answer)), (503, words));
    assert!(answer.contains("\r\nretry-after: 10\r\n"), "{answer}");
    assert_eq!(status(&door.call(right(&notification(&format!("{ID}-1"), 3))).await), 200);
    door.close().await;

    let short = sms_relay::http::Limits { request_time: Duration::from_millis(300), ..limits() };
    let door = Door::with(short, Vec::new()).await;
    door.callback_door.store(Arc::new(Some(guard(Some(SECRET), false, None))));
    door.recorder.waits.store(true, Ordering::SeqCst);
    let answer = door.call(right(&notification(&format!("{ID}-1"), 3))).await;
    assert_eq!(status(&answer), 503);
    // A body that does not come is not the spool's fault.
    let head = format!("POST /callbacks/{SECRET} HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{{");
    assert_eq!(status(&door.call(head).await), 408);
    door.close().await;
}

#[tokio::test]
async fn garbage_is_400_and_nothing_of_it_is_taken() {
    let door = by_secret().await;
    let path = format!("/callbacks/{SECRET}");
    let one = notification(&format!("{ID}-1"), 3);
    for garbage in ["", "hello", "{", "{}", "null", "7", "\"x\"", "{\"messageId\":7}", &one[1..]] {
        let answer = door.call(right(garbage)).await;
        assert_eq!(status(&answer), 400, "{garbage} {answer}");
        assert!(body(&answer).starts_with("{\"error\":\""), "{answer}");
    }
    let answer = door.call(request("POST", &path, "Content-Encoding: gzip\r\n", &one)).await;
    assert_eq!(status(&answer), 415);
    let chunked = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
    assert_eq!(status(&door.call(chunked).await), 400);
    assert!(door.recorder.callbacks.lock().unwrap().is_empty());
    assert_eq!(status(&door.call(right(&one)).await), 200);
    door.close().await;
}

#[tokio::test]
async fn a_body_of_256_kib_is_taken_and_one_octet_more_is_413() {
    let door = by_secret().await;
    let one = notification(&format!("{ID}-1"), 3);
    let padded = |octets: usize| format!("{one}{}", " ".repeat(octets - one.len()));
    assert_eq!(status(&door.call(right(&padded(256 * 1024))).await), 200);
    let answer = door.call(right(&padded(256 * 1024 + 1))).await;
    assert_eq!(status(&answer), 413);
    // In chunks, too.
    let body = padded(256 * 1024 + 1);
    let head = format!("POST /callbacks/{SECRET} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(status(&door.call(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await), 413);
    assert_eq!(door.recorder.callbacks.lock().unwrap().len(), 1);
    door.close().await;
}

#[tokio::test]
async fn calls_are_counted_by_what_came_of_them() {
    let door = Door::counting(limits(), Vec::new(), Registry::default()).await;
    door.callback_door.store(Arc::new(Some(guard(Some(SECRET), false, None))));
    let one = notification(&format!("{ID}-1"), 3);
    for (message, expected) in [(right(&one), 200), (right(&one), 200), (right("{"), 400)] {
        assert_eq!(status(&door.call(message).await), expected);
    }
    door.recorder.failing.store(1, Ordering::SeqCst);
    assert_eq!(status(&door.call(right(&one)).await), 503);
    let deny = || door.call(post("/callbacks/wrong", &one));
    for answer in <[String; 3]>::from(tokio::join!(deny(), deny(), deny())) {
        assert_eq!(status(&answer), 404);
    }
    let text = reqwest::get(door.get_url("/metrics")).await.unwrap().text().await.unwrap();
    for (result, count) in [("ok", 2), ("unreadable", 1), ("unavailable", 1), ("denied", 3)] {
        let line = format!("sms_relay_callback_requests_total{{result=\"{result}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    door.close().await;
}

#[tokio::test]
async fn neither_a_secret_nor_what_was_tried_as_one_gets_into_the_log() {
    let door = guarded(guard(Some(SECRET), true, None)).await;
    log_lines();
    let one = notification(&format!("{ID}-1"), 3);
    let pair = base64::prelude::BASE64_STANDARD.encode("platform:p4ssword");
    let calls = [
        right(&one),
        right("{"),
        request("GET", &format!("/callbacks/{SECRET}"), "", ""),
        request("POST", "/callbacks", &format!("Authorization: Basic {pair}\r\n"), &one),
        // Slips: of the secret, of the path, of the framing.
        post(&format!("/callbacks/{SECRET}x"), &one),
        post(&format!("/callback/{SECRET}"), &one),
        post(&format!("//callbacks/{SECRET}"), &one),
        format!("POST /callbacks/{SECRET} HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        format!("POST /callbacks/{SECRET} HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
        format!("POST /callbacks/{SECRET} HTTP/9.9\r\nHost: a\r\n\r\n"),
        format!("PO ST /callbacks/{SECRET}\u{1} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    for call in calls {
        door.call(call).await;
    }
    door.recorder.failing.store(1, Ordering::SeqCst);
    door.call(right(&one)).await;
    let lines = log_lines();
    for hidden in [SECRET, "p4ssword", &pair] {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(hidden)).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
    for told in
        ["callback denied", "callback cannot be read", "callback cannot be kept now", "path=/callback/…"]
    {
        assert!(lines.iter().any(|line| line.contains(told)), "{told} {lines:#?}");
    }
    door.close().await;
}

#[tokio::test]
async fn the_log_has_twenty_lines_a_minute_of_it() {
    let door = by_secret().await;
    log_lines();
    for _ in 0..50 {
        assert_eq!(status(&door.call(right("{")).await), 400);
    }
    let lines = log_lines();
    assert_eq!(lines.iter().filter(|line| line.contains("callback cannot be read")).count(), 20);
    door.close().await;
}

/// The answer to a call of `client`, as the proxy in front of the listener says.
async fn of(door: &Door, client: &str, path: &str, headers: &str) -> String {
    let headers = format!("Forwarded: for={client}\r\n{headers}");
    door.call(request("POST", path, &headers, &notification(&format!("{ID}-1"), 3))).await
}

#[tokio::test]
async fn wrong_secrets_are_limited_and_the_right_one_passes_all_the_same() {
    let few = Limits { auth_failures: 2, auth_window: Duration::from_secs(300), ..limits() };
    let door = Door::with(few, vec![account("shop", Some(("shop", "secret1")))]).await;
    door.callback_door.store(Arc::new(Some(guard(Some(SECRET), false, None))));
    let right = format!("/callbacks/{SECRET}");
    for _ in 0..2 {
        let answer = of(&door, "192.0.2.1", "/callbacks/guess", "").await;
        assert_eq!((status(&answer), body(&answer)), (404, NOTHING));
    }
    let began = Instant::now();
    let answer = of(&door, "192.0.2.1", "/callbacks/guess", "").await;
    assert_eq!(status(&answer), 429);
    assert!(began.elapsed() >= Duration::from_secs(1), "it was looked at, so that it waits");
    let line = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((290..=300).contains(&line.parse::<u64>().unwrap()), "{line}");
    // What shows nothing is no guess.
    assert_eq!(status(&of(&door, "192.0.2.1", "/callbacks", "").await), 404);
    // The platform behind the same address, and anybody behind another.
    assert_eq!(status(&of(&door, "192.0.2.1", &right, "").await), 200);
    assert_eq!(status(&of(&door, "192.0.2.2", "/callbacks/guess", "").await), 404);
    door.close().await;
}

#[tokio::test]
async fn a_flood_of_wrong_secrets_costs_no_client_of_the_same_address_its_door() {
    let few = Limits { auth_failures: 1, ..limits() };
    let door = Door::with(few, vec![account("shop", Some(("shop", "secret1")))]).await;
    door.callback_door.store(Arc::new(Some(guard(Some(SECRET), true, None))));
    // This listener has no proxy for `posts`, so that both are 127.0.0.1.
    for expected in [404, 429, 429] {
        let answer = of(&door, "127.0.0.1", "/callbacks/guess", "").await;
        assert_eq!(status(&answer), expected);
    }
    let client = reqwest::Client::new();
    let post = |password| {
        let form = client.post(door.url("/sms")).basic_auth("shop", Some(password));
        form.header("content-type", "application/x-www-form-urlencoded").body("to=391&text=a").send()
    };
    assert_eq!(post("secret1").await.unwrap().status(), 200);
    let basic =
        |pair: &str| format!("Authorization: Basic {}\r\n", base64::prelude::BASE64_STANDARD.encode(pair));
    let right = basic("platform:p4ssword");
    assert_eq!(status(&of(&door, "127.0.0.1", "/callbacks", &right).await), 200);
    // A wrong credential is one wherever it is shown: then the right one is not looked at, but the secret is.
    assert_eq!(status(&of(&door, "127.0.0.1", "/callbacks", &basic("platform:p5ssword")).await), 404);
    assert_eq!(status(&of(&door, "127.0.0.1", "/callbacks", &right).await), 429);
    assert_eq!(post("secret1").await.unwrap().status(), 429);
    let path = format!("/callbacks/{SECRET}");
    assert_eq!(status(&of(&door, "127.0.0.1", &path, &right).await), 200);
    door.close().await;
}
