//! `POST /v1/messages`.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Response;
use serde_json::{Value, json};
use sms_relay::http::Account;
use sms_relay::intake::{Refusal, RefusalKind};
use sms_relay::model::Lane;

use super::contract;
use super::status::two;
use super::support::{Door, ID, form, limits, log_lines};

const PHONE: &str = "+393471234567";

pub(crate) fn small() -> Value {
    json!({ "to": PHONE, "text": "Door 3" })
}

async fn post(door: &Door, headers: &[(&str, &str)], body: impl ToString) -> Response {
    let mut request = reqwest::Client::new().post(door.url("/v1/messages")).body(body.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// As the account shop.
async fn send(door: &Door, key: Option<&str>, body: impl ToString) -> (u16, Value) {
    let mut headers = vec![("X-Api-Key", "secret1"), ("Content-Type", "application/json")];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    let response = post(door, &headers, body).await;
    (response.status().as_u16(), read(response).await)
}

/// Of an answer to POST.
async fn read(response: Response) -> Value {
    let answer = contract::read("post", response).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    if answer.status >= 300 {
        assert_eq!(answer.body["status"], answer.status);
    }
    answer.body
}

async fn open() -> Door {
    Door::with(limits(), two()).await
}

#[tokio::test]
async fn one_message_is_taken_and_its_sms_are_told() {
    let accounts: Vec<Account> = two()
        .into_iter()
        .map(|account| Account { may_choose_sender: true, may_choose_lane: true, ..account })
        .collect();
    let door = Door::with(limits(), accounts).await;
    let body = json!({
        "to": [PHONE, "+393487654321"], "text": "Door 3", "from": "PBX", "lane": "bulk",
        "deliver_at": "2031-01-31T07:30:00Z",
    });
    let (status, told) = send(&door, None, body).await;
    assert_eq!(status, 202, "{told}");
    let sms = |n: u32, phone: &str| json!({ "id": format!("{ID}-{n}"), "to": phone, "phone": phone, "parts": 1, "state": "due" });
    assert_eq!(told, json!({ "id": ID, "messages": [sms(1, PHONE), sms(2, "+393487654321")] }));
    let mut expected = form(&[PHONE, "+393487654321"], "Door 3");
    expected.sender = Some("PBX".to_owned());
    expected.lane = Some(Lane::Bulk);
    expected.deliver_at = Some("2031-01-31T07:30:00Z".parse().unwrap());
    assert_eq!(door.forms(), [expected]);
    let clients = door.recorder.forms.lock().unwrap().clone();
    assert_eq!(clients[0].0.account.as_deref(), Some("shop"));
    door.close().await;
}

#[tokio::test]
async fn a_listener_without_the_api_has_nothing_there() {
    let door = open().await;
    for path in ["/v1/messages", "/v1/messages/ID"] {
        let request = reqwest::Client::new().get(door.get_url(path)).header("X-Api-Key", "secret1");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(response.text().await.unwrap(), "there is nothing here; forms go to /sms\n");
    }
    door.close().await;
}

#[tokio::test]
async fn strangers_and_wrong_credentials_are_refused_before_the_body_is_read() {
    let door = open().await;
    let json = ("Content-Type", "application/json");
    let response = post(&door, &[json], "{").await;
    assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"sms-relay\", charset=\"UTF-8\"");
    let told = read(response).await;
    assert_eq!(
        (&told["type"], &told["title"]),
        (&json!("http-api.md#not-authenticated"), &json!("Not authenticated"))
    );
    assert_eq!(read(post(&door, &[json, ("X-Api-Key", "wrong")], "{").await).await["status"], 401);
    // A credential in the body or the query is none.
    let body = json!({ "to": PHONE, "text": "x", "api_key": "secret1" });
    assert_eq!(read(post(&door, &[json], body).await).await["status"], 401);
    door.accounts.store(Vec::new().into());
    assert_eq!(read(post(&door, &[json], "{").await).await["status"], 403);
    assert_eq!(door.forms(), []);
    door.close().await;
}

/// As the document, the manual and the door have them: the three say the same.
#[tokio::test]
async fn each_credential_of_the_document_is_taken() {
    let door = open().await;
    let document: Value = serde_json::from_str(include_str!("../../src/http/v1/openapi.json")).unwrap();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let usable =
        document["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys());
    assert_eq!(usable.collect::<BTreeSet<_>>(), schemes.keys().collect());
    let mut shown = BTreeSet::new();
    for scheme in schemes.values() {
        let secret = |secret: &str| match scheme["scheme"].as_str() {
            Some("basic") => {
                ("Authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("shop:{secret}"))))
            }
            Some("bearer") => ("Authorization", format!("Bearer {secret}")),
            _ => (scheme["name"].as_str().unwrap(), secret.to_owned()),
        };
        let (name, right) = secret("secret1");
        let json = ("Content-Type", "application/json");
        assert_eq!(post(&door, &[json, (name, &right)], small()).await.status(), 202, "{scheme}");
        let wrong = secret("secret").1;
        assert_eq!(post(&door, &[json, (name, &wrong)], small()).await.status(), 401, "{scheme}");
        shown.insert(match right.split_once(' ') {
            Some((scheme, _)) => format!("{name}: {scheme}"),
            None => name.to_owned(),
        });
    }
    let expected = ["Authorization: Basic", "Authorization: Bearer", "X-Api-Key"];
    assert_eq!(shown, expected.map(str::to_owned).into());
    for header in expected {
        assert!(include_str!("../../docs/http-api.md").contains(&format!("`{header}`")), "{header}");
    }
    door.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_with_its_place() {
    let door = open().await;
    let (status, told) = send(&door, None, json!({ "to": PHONE, "txet": "x" })).await;
    assert_eq!(status, 400);
    assert_eq!(told["type"], "http-api.md#invalid-request");
    assert_eq!(
        told["errors"],
        json!([
            { "pointer": "#/txet", "detail": "`txet` is not known; did you mean `text`?" },
            { "pointer": "#", "detail": "there is no `text`" },
        ])
    );
    let (status, told) = send(&door, None, json!({ "to": PHONE, "text": "x", "from": "PBX" })).await;
    assert_eq!((status, &told["errors"][0]["pointer"]), (403, &json!("#/from")));
    let (status, told) = send(&door, None, "{").await;
    assert_eq!((status, told.get("errors")), (400, None));
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let headers = [("X-Api-Key", "secret1"), ("Content-Type", wrong)];
        let told = read(post(&door, &headers, small()).await).await;
        assert_eq!(told["detail"], format!("the content type `{wrong}` is not taken; send application/json"));
        assert_eq!(told["status"], 415);
    }
    let headers =
        [("X-Api-Key", "secret1"), ("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert_eq!(read(post(&door, &headers, small()).await).await["status"], 415);
    assert_eq!(read(post(&door, &headers[..1], small()).await).await["status"], 415, "no type at all");
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit() {
    let door = open().await;
    let body = |octets: usize| {
        let empty = json!({ "to": PHONE, "text": "" }).to_string();
        json!({ "to": PHONE, "text": "x".repeat(octets - empty.len()) }).to_string()
    };
    assert_eq!(send(&door, None, body(1000)).await.0, 202);
    let (status, told) = send(&door, None, body(1001)).await;
    assert_eq!((status, &told["title"]), (413, &json!("Too large")));
    door.close().await;
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    let door = open().await;
    for (path, allow) in [("/v1/messages", "GET, HEAD, POST"), ("/v1/messages/x", "GET, HEAD, DELETE")] {
        let response = reqwest::Client::new().put(door.url(path)).send().await.unwrap();
        let answer = contract::read("put", response).await;
        assert_eq!((answer.status, answer.headers["allow"].to_str().unwrap()), (405, allow));
    }
    door.close().await;
}

#[tokio::test]
async fn of_several_each_has_its_own_result() {
    let door = open().await;
    let of = |texts: &[&str]| {
        let messages: Vec<Value> = texts.iter().map(|text| json!({ "to": PHONE, "text": text })).collect();
        json!({ "messages": messages })
    };
    let (status, told) = send(&door, None, of(&["a", "b"])).await;
    assert_eq!((status, told["results"].as_array().unwrap().len()), (202, 2), "{told}");
    assert_eq!(told["results"][1]["messages"][0]["to"], PHONE);

    let (status, told) = send(&door, None, of(&["c", "too fast", "d"])).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["results"][1]["problem"]["status"], 429);
    assert_eq!((&told["results"][0]["id"], &told["results"][2]["id"]), (&json!(ID), &json!(ID)));
    let texts: Vec<String> = door.forms().into_iter().map(|form| form.text).collect();
    assert_eq!(texts, ["a", "b", "c", "d"], "in their order");

    // Where none was taken it is no success.
    let (status, told) = send(&door, None, of(&["refused", "too fast"])).await;
    assert_eq!(status, 403, "{told}");
    let places: Vec<&Value> = told["errors"].as_array().unwrap().iter().map(|one| &one["pointer"]).collect();
    assert_eq!(places, ["#/messages/0", "#/messages/1"]);
    // A body with anything wrong in it is refused as a whole.
    let (status, _) = send(&door, None, json!({ "messages": [small(), { "to": PHONE }] })).await;
    assert_eq!((status, door.forms().len()), (400, 4));
    door.close().await;
}

#[tokio::test]
async fn who_is_to_wait_is_told_how_long() {
    let door = open().await;
    let headers = [("X-Api-Key", "secret1"), ("Content-Type", "application/json")];
    let too_fast = json!({ "to": PHONE, "text": "too fast" });
    for body in [too_fast.clone(), json!({ "messages": [too_fast] })] {
        let response = post(&door, &headers, body).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (429, &"7".parse().unwrap())
        );
        read(response).await;
    }
    let refusal = Refusal { kind: RefusalKind::StorageUnavailable, text: "the disk is full".to_owned() };
    *door.recorder.refusal.lock().unwrap() = Some(refusal);
    let response = post(&door, &headers, small()).await;
    assert_eq!(response.headers()["retry-after"], "10");
    let told = read(response).await;
    assert_eq!((&told["status"], &told["detail"]), (&json!(503), &json!("the disk is full")));
    door.close().await;
}

#[tokio::test]
async fn the_same_key_is_one_message_and_another_body_a_mistake() {
    let door = open().await;
    let first = send(&door, Some("\"k1\""), small()).await;
    assert_eq!(first.0, 202);
    assert_eq!(send(&door, Some("k1"), small()).await, first, "with quotes and without");
    let (status, told) = send(&door, Some("k1"), json!({ "to": PHONE, "text": "Door 4" })).await;
    assert_eq!((status, &told["type"]), (422, &json!("http-api.md#key-used-before")));
    assert!(told["detail"].as_str().unwrap().contains("`k1`"), "{told}");
    let (status, _) = send(&door, Some("k1"), json!({ "messages": [small()] })).await;
    assert_eq!(status, 422);
    assert_eq!(door.forms().len(), 1);
    assert_eq!(send(&door, Some("k2"), small()).await.0, 202);
    assert_eq!(send(&door, Some("no key"), small()).await.0, 400);
    assert_eq!(door.forms().len(), 2);
    door.close().await;
}

#[tokio::test]
async fn of_several_the_same_key_sends_only_what_was_refused() {
    let door = open().await;
    let body = json!({ "messages": [small(), { "to": PHONE, "text": "too fast" }] });
    let first = send(&door, Some("k1"), &body).await;
    assert_eq!(first.0, 200);
    assert_eq!(send(&door, Some("k1"), &body).await, first);
    assert_eq!(door.forms().len(), 1);
    let keyed: Vec<u32> = door.recorder.keyed.lock().unwrap().iter().map(|(key, _)| key.item).collect();
    assert_eq!(keyed, [0]);
    door.close().await;
}

#[tokio::test]
async fn what_is_not_stored_in_time_is_not_answered() {
    let limits = sms_relay::http::Limits { request_time: std::time::Duration::from_millis(300), ..limits() };
    let door = Door::with(limits, two()).await;
    door.recorder.waits.store(true, Ordering::SeqCst);
    let body = small().to_string();
    let answer = door
        .exchange(format!(
            "POST /v1/messages HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert_eq!(answer, "");
    door.close().await;
}

#[tokio::test]
async fn the_log_has_no_number_and_no_text() {
    let door = open().await;
    log_lines();
    send(&door, Some("k1"), small()).await;
    send(&door, Some("k1"), json!({ "to": PHONE, "text": "refused", "deliver_at": PHONE })).await;
    let lines = log_lines();
    let ours: Vec<&String> = lines.iter().filter(|line| line.contains("sms_relay::http")).collect();
    assert!(ours.iter().any(|line| line.contains("message accepted")), "{lines:#?}");
    assert!(ours.iter().any(|line| line.contains("API request refused")), "{lines:#?}");
    assert!(!ours.iter().any(|line| line.contains("3471234567") || line.contains("Door 3")), "{ours:#?}");
    door.close().await;
}
