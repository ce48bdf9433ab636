//! How the relay is, for those who may see all.

use reqwest::Client;
use serde_json::Value;
use sms_relay::http::Account;
use sms_relay::model::SourceKind;
use sms_relay::vigil::{ExpectedView, HeartbeatView, View};

use super::support::{Door, account, limits, log_lines};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn accounts() -> Vec<Account> {
    let anna = Account { may_see_all: true, ..account("night-shift", Some(("anna", "correct horse"))) };
    vec![anna, account("shop", Some(("shop", "secret1")))]
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A door behind which a hostile name is silent and a test failed.
async fn door() -> Door {
    let door = Door::with(limits(), accounts()).await;
    *door.recorder.not_ready.lock().unwrap() = vec!["gateway: +393471234567 <b>is refused</b>".to_owned()];
    let expected = ExpectedView {
        kind: SourceKind::Network,
        name: "<script>alert(1)</script>".to_owned(),
        within_seconds: 86_400,
        since: at(0),
        heard_at: Some(at(1)),
        is_silent: true,
        silent_at: at(86_401),
    };
    let heartbeat = HeartbeatView {
        name: "weekly".to_owned(),
        next_at: Some(at(700_000)),
        open: None,
        ended_at: Some(at(90_000)),
        delivered_at: Some(at(3)),
        failure: Some("+393471234567 had nothing".to_owned()),
    };
    *door.recorder.watched.lock().unwrap() = View { expected: vec![expected], heartbeats: vec![heartbeat] };
    door
}

async fn ask(door: &Door, accept: &str) -> (reqwest::header::HeaderMap, String) {
    let request = Client::new().get(door.url("/now")).header("Accept", accept);
    let response = request.basic_auth("anna", Some("correct horse")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    (response.headers().clone(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_browser_gets_a_page_that_runs_and_loads_nothing() {
    let door = door().await;
    let (headers, page) = ask(&door, BROWSER).await;
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert_eq!(
        (&headers["x-content-type-options"], &headers["referrer-policy"]),
        (&"nosniff".parse().unwrap(), &"no-referrer".parse().unwrap())
    );
    for piece in [
        "<h1>Not ready</h1>",
        "<li>gateway: +39347•••4567 &lt;b&gt;is refused&lt;&#x2f;b&gt;</li>",
        "<h3>network &lt;script&gt;alert(1)&lt;&#x2f;script&gt;</h3>",
        "<h3>weekly: failed</h3>",
        "2027-01-15T08:00:03Z",
        "2027-01-16T08:00:01Z",
    ] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
    for never in ["<script", "<b>", "1234567", "style", "src=", "http"] {
        assert!(!page.replace("http-equiv", "").contains(never), "{never}: {page}");
    }
    door.close().await;
}

#[tokio::test]
async fn a_program_gets_an_object_and_a_terminal_lines() {
    let door = door().await;
    let (headers, body) = ask(&door, "application/json").await;
    assert_eq!(headers["content-type"], "application/json");
    let now: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(now["ready"], false);
    assert_eq!(now["reasons"][0], "gateway: +39347•••4567 <b>is refused</b>");
    let expected = serde_json::json!({
        "kind": "network", "name": "<script>alert(1)</script>", "within_seconds": 86_400, "within": "1day",
        "since": "2027-01-15T08:00:00Z", "heard_at": "2027-01-15T08:00:01Z", "is_silent": true,
        "silent_at": "2027-01-16T08:00:01Z",
    });
    assert_eq!(now["expected"], serde_json::json!([expected]));
    assert_eq!(now["heartbeats"][0]["delivered_at"], "2027-01-15T08:00:03Z");
    assert_eq!(now["heartbeats"][0]["failure"], "+39347•••4567 had nothing");
    let (_, lines) = ask(&door, "*/*").await;
    assert!(lines.starts_with("not ready: gateway: +39347•••4567 "), "{lines}");
    assert!(lines.contains("\nheartbeat weekly: delivered 2027-01-15T08:00:03Z, failed "), "{lines}");
    door.close().await;
}

#[tokio::test]
async fn nobody_else_sees_anything_of_it() {
    let door = door().await;
    let client = Client::new();
    let nobody = client.get(door.url("/now")).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert!(nobody.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    let mut seen = nobody.text().await.unwrap();
    for (name, password, status) in [("anna", "wrong", 401), ("shop", "secret1", 403)] {
        let answer = client.get(door.url("/now")).basic_auth(name, Some(password)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}");
        seen.push_str(&answer.text().await.unwrap());
    }
    // Even where forms may show a password in their URL.
    let in_url = format!("{}?username=anna&password=correct%20horse", door.get_url("/now"));
    let in_url = client.get(in_url).send().await.unwrap();
    assert_eq!(in_url.status(), 401);
    seen.push_str(&in_url.text().await.unwrap());
    assert!(seen.contains("account `shop` sees only its own; see its `may_see_all`"), "{seen}");
    assert!(!seen.contains("weekly") && !seen.contains("refused"), "{seen}");
    let post = client.post(door.url("/now")).basic_auth("anna", Some("correct horse")).send().await.unwrap();
    assert_eq!((post.status().as_u16(), post.headers()["allow"].as_bytes()), (405, &b"GET, HEAD"[..]));
    let head = client.head(door.url("/now")).basic_auth("anna", Some("correct horse")).send().await.unwrap();
    assert_eq!(head.status(), 200);
    let log = log_lines().concat();
    assert!(log.contains("question about the relay refused") && !log.contains("correct horse"), "{log}");
    door.close().await;
}

#[tokio::test]
async fn whoever_guesses_is_not_heard_any_more() {
    let limits = sms_relay::http::Limits { auth_failures: 2, ..limits() };
    let door = Door::with(limits, accounts()).await;
    let ask = async |password: &str| {
        let request = Client::new().get(door.url("/now")).basic_auth("anna", Some(password));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("one").await, ask("two").await), (401, 401));
    assert_eq!(ask("correct horse").await, 429);
    door.close().await;
}
