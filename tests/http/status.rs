//! What a client learns of its forms.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use sms_relay::http::Account;
use sms_relay::model::{
    Cause, Channel, Client, Door as Kind, Encoding, EnhancedStatus, FinalState, HoldReason, Lane,
    MailAddress, MailKind, Notify, OutgoingMail, PartStatus, PhoneNumber, Price, Recipient, ReversePath,
    SenderId, Sms, SmsOptions, SmsText, State, SubmissionId,
};
use sms_relay::spool::{Event, MailEvent, MailView, MessageView, PartView, SubmissionView, Try};

use super::support::{Door, ID, LOOPBACK, account, limits, log_lines};

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(crate) fn id() -> SubmissionId {
    ID.parse().unwrap()
}

/// An SMS of this ordinal that is `state`.
pub(crate) fn message(ordinal: u32, state: State) -> MessageView {
    MessageView {
        sms: Sms {
            id: id().message(ordinal),
            destination: PhoneNumber::from_e164("+393471234567").unwrap(),
            sender: SenderId::new("Shop").unwrap(),
            text: SmsText { body: "Ordered".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions::default(),
        },
        number: ordinal.into(),
        recipient: Recipient { address: "347 1234567".to_owned(), notify: Notify::Unspecified, orcpt: None },
        rule: "shop".to_owned(),
        state,
        hold_reason: None,
        folded_into: None,
        tells_of: None,
        lane: Lane::Normal,
        gateway: None,
        channel: Channel::Sms,
        platform_parts: None,
        expires_at: at(14_400),
        attempts: 0,
        tries: Vec::new(),
        next_at: None,
        cause: None,
        callbacks: Vec::new(),
        price: None,
        events: vec![Event { at: at(0), state, note: "accepted".to_owned() }],
    }
}

/// A form of `account` with these SMS.
pub(crate) fn know(door: &Door, account: Option<&str>, kind: Kind, messages: Vec<MessageView>) {
    let client = Client {
        door: kind,
        listener: "posts".to_owned(),
        address: LOOPBACK,
        helo: None,
        account: account.map(str::to_owned),
    };
    let view = SubmissionView { received_at: at(0), client, subject: None, messages, mails: vec![report()] };
    door.recorder.known.lock().unwrap().insert(id(), view);
}

/// A report about it that waits to be sent again.
fn report() -> MailView {
    let event = |second, state: &str| MailEvent {
        at: at(second),
        state: state.to_owned(),
        note: state.to_uppercase(),
    };
    MailView {
        mail: OutgoingMail {
            id: ID.parse().unwrap(),
            about: Some(id()),
            kind: MailKind::OperatorReport,
            reverse_path: ReversePath::Null,
            recipient: MailAddress::parse("ops@example.com").unwrap(),
            bytes: b"Subject: x\r\n\r\nwords that are nobody's business".to_vec(),
            expires_at: at(1000),
        },
        state: "due".to_owned(),
        attempts: 1,
        events: vec![event(70, "due"), event(71, "claimed")],
    }
}

pub(crate) fn two() -> Vec<Account> {
    vec![account("shop", Some(("shop", "secret1"))), account("nas", Some(("nas", "secret2")))]
}

async fn get(door: &Door, path: &str, key: &str, accept: &str) -> (u16, String) {
    let request = reqwest::Client::new().get(door.url(path)).header("X-Api-Key", key);
    let response = request.header("Accept", accept).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn json_of(door: &Door, path: &str) -> Value {
    let (status, body) = get(door, path, "secret1", "application/json").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

fn undelivered() -> MessageView {
    let ended = State::Final(FinalState::Undelivered);
    let event = |second, state, note: &str| Event { at: at(second), state, note: note.to_owned() };
    MessageView {
        lane: Lane::Critical,
        gateway: Some("backup".to_owned()),
        platform_parts: Some(2),
        attempts: 1,
        tries: vec![Try {
            attempt: 1,
            gateway: Some("backup".to_owned()),
            channel: Channel::Sms,
            began_at: at(1),
            ended_at: Some(at(2)),
            outcome: Some("accepted".to_owned()),
        }],
        cause: Some(
            Cause::new(EnhancedStatus::UNDELIVERABLE, "The handset was not reached.")
                .with_diagnostic("code 6"),
        ),
        callbacks: vec![PartView {
            channel: Channel::Sms,
            part: 1,
            parts: 2,
            status: PartStatus::Undeliverable,
            description: "absent".to_owned(),
            price: Some(Price::from_millionths(35_000)),
            at: at(60),
        }],
        price: Some(Price::from_millionths(70_000)),
        events: vec![
            event(0, State::Due, "accepted"),
            event(1, State::Claimed, "attempt 1"),
            event(2, State::Sent, "accepted"),
            event(60, ended, "part 1: undeliverable"),
            event(61, ended, "part 2 came late"),
        ],
        ..message(1, ended)
    }
}

#[tokio::test]
async fn a_client_learns_all_of_its_form() {
    let door = Door::with(limits(), two()).await;
    let held = MessageView {
        hold_reason: Some(HoldReason::Scheduled),
        next_at: Some(at(3600)),
        ..message(2, State::Held)
    };
    know(&door, Some("shop"), Kind::Http, vec![undelivered(), held]);
    let told = json_of(&door, &format!("/sms/{ID}")).await;
    assert_eq!(told["id"], ID);
    assert_eq!(told["received_at"], "2023-11-14T22:13:20Z");
    assert_eq!(
        told["messages"][0],
        json!({
            "id": format!("{ID}-1"),
            "to": "347 1234567",
            "phone": "+393471234567",
            "sender": "Shop",
            "text": "Ordered",
            "encoding": "gsm7",
            "parts": 1,
            "platform_parts": 2,
            "rule": "shop",
            "lane": "critical",
            "state": "undelivered",
            "held_for": null,
            "folded_into": null,
            "tells_of": null,
            "since": "2023-11-14T22:14:20Z",
            "ended_at": "2023-11-14T22:14:20Z",
            "next_at": null,
            "expires_at": "2023-11-15T02:13:20Z",
            "gateway": "backup",
            "channel": "SMS",
            "price": "0.07",
            "cause": { "text": "The handset was not reached.", "status": "5.4.0", "diagnostic": "code 6" },
            "attempts": [{
                "attempt": 1, "gateway": "backup", "channel": "SMS", "began_at": "2023-11-14T22:13:21Z",
                "ended_at": "2023-11-14T22:13:22Z", "outcome": "accepted",
            }],
            "callbacks": [{
                "channel": "SMS", "part": 1, "parts": 2, "code": 6, "description": "absent", "price": "0.035",
                "at": "2023-11-14T22:14:20Z",
            }],
            "timeline": [
                { "at": "2023-11-14T22:13:20Z", "state": "due", "note": "accepted" },
                { "at": "2023-11-14T22:13:21Z", "state": "claimed", "note": "attempt 1" },
                { "at": "2023-11-14T22:13:22Z", "state": "sent", "note": "accepted" },
                { "at": "2023-11-14T22:14:20Z", "state": "undelivered", "note": "part 1: undeliverable" },
                { "at": "2023-11-14T22:14:21Z", "state": "undelivered", "note": "part 2 came late" },
            ],
        })
    );
    assert_eq!(
        told["client"],
        json!({ "door": "http", "listener": "posts", "address": "127.0.0.1", "account": "shop" })
    );
    assert_eq!(
        told["reports"],
        json!([{
            "id": ID, "kind": "operator-report", "to": "ops@example.com", "state": "due", "attempts": 1,
            "timeline": [
                { "at": "2023-11-14T22:14:30Z", "state": "due", "note": "DUE" },
                { "at": "2023-11-14T22:14:31Z", "state": "claimed", "note": "CLAIMED" },
            ],
        }])
    );
    let held = &told["messages"][1];
    assert_eq!((&held["state"], &held["held_for"]), (&json!("held"), &json!("scheduled")));
    assert_eq!((&held["since"], &held["ended_at"]), (&json!("2023-11-14T22:13:20Z"), &json!(null)));
    assert_eq!((&held["next_at"], &held["price"]), (&json!("2023-11-14T23:13:20Z"), &json!(null)));
    door.close().await;
}

#[tokio::test]
async fn lines_tell_the_state_of_each_sms() {
    let door = Door::with(limits(), two()).await;
    know(&door, Some("shop"), Kind::Http, vec![undelivered(), message(2, State::Due)]);
    let first = format!(
        "OK; ID={ID}-1; TO=+393471234567; STATE=undelivered; PARTS=1; SINCE=2023-11-14T22:14:20Z; PRICE=0.07\n"
    );
    let second = format!("OK; ID={ID}-2; TO=+393471234567; STATE=due; PARTS=1; SINCE=2023-11-14T22:13:20Z\n");
    let all = get(&door, &format!("/sms/{ID}"), "secret1", "*/*").await;
    assert_eq!(all, (200, format!("{first}{second}")));
    assert_eq!(get(&door, &format!("/sms/{ID}-2"), "secret1", "*/*").await, (200, second));
    know(&door, Some("shop"), Kind::Http, Vec::new());
    let none = get(&door, &format!("/sms/{ID}"), "secret1", "*/*").await;
    assert_eq!(none, (200, format!("OK; ID={ID}\n")));
    door.close().await;
}

#[tokio::test]
async fn one_sms_is_asked_about_by_its_own_id() {
    let door = Door::with(limits(), two()).await;
    know(&door, Some("shop"), Kind::Http, vec![undelivered(), message(2, State::Due)]);
    let told = json_of(&door, &format!("/sms/{ID}-2")).await;
    assert_eq!(told["id"], ID);
    assert_eq!(told["messages"].as_array().unwrap().len(), 1);
    assert_eq!(told["messages"][0]["id"], format!("{ID}-2"));
    door.close().await;
}

#[tokio::test]
async fn what_is_not_ones_own_is_as_good_as_unknown() {
    let door = Door::with(limits(), two()).await;
    let unknown = |id: &str| (404, format!("`{id}` is no id of a form of yours\n"));
    let path = format!("/sms/{ID}");
    assert_eq!(get(&door, &path, "secret1", "*/*").await, unknown(ID), "nobody's");
    for (account, kind) in [(Some("shop"), Kind::Http), (None, Kind::Http), (Some("nas"), Kind::Smtp)] {
        know(&door, account, kind, vec![message(1, State::Due)]);
        assert_eq!(get(&door, &path, "secret2", "*/*").await, unknown(ID), "{account:?} {kind:?}");
        let one = format!("{ID}-1");
        assert_eq!(get(&door, &format!("/sms/{one}"), "secret2", "*/*").await, unknown(&one));
    }
    know(&door, Some("nas"), Kind::Http, vec![message(1, State::Due)]);
    assert_eq!(get(&door, &path, "secret2", "*/*").await.0, 200);
    for wrong in [format!("{ID}-2"), format!("{ID}-0"), "x".to_owned(), format!("{ID}-"), format!("{ID}1")] {
        assert_eq!(get(&door, &format!("/sms/{wrong}"), "secret2", "*/*").await, unknown(&wrong));
    }
    door.close().await;
}

#[tokio::test]
async fn who_asks_shows_a_credential_as_who_posts() {
    let door = Door::with(limits(), two()).await;
    know(&door, Some("shop"), Kind::Http, vec![message(1, State::Due)]);
    let client = reqwest::Client::new();
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    let path = format!("/sms/{ID}");
    assert_eq!(status(client.get(door.url(&path)).basic_auth("shop", Some("secret1"))).await, 200);
    assert_eq!(status(client.get(door.url(&path)).header("X-Api-Key", "secret")).await, 401);
    assert_eq!(status(client.get(door.url(&path))).await, 401);
    // In the query only where other people's logs are accepted.
    let query = format!("{path}?user=shop&pass=secret1");
    assert_eq!(status(client.get(door.url(&query))).await, 401);
    assert_eq!(status(client.get(door.get_url(&query))).await, 200);
    assert_eq!(status(client.get(door.get_url(&format!("{path}?user=shop&pass=wrong")))).await, 401);
    let mut elsewhere = two();
    elsewhere.iter_mut().for_each(|account| account.networks = vec!["192.0.2.0/24".parse().unwrap()]);
    door.accounts.store(elsewhere.into());
    assert_eq!(status(client.get(door.url(&path)).header("X-Api-Key", "secret1")).await, 403);
    door.close().await;
}

#[tokio::test]
async fn other_methods_are_named_and_head_has_no_body() {
    let door = Door::with(limits(), two()).await;
    know(&door, Some("shop"), Kind::Http, vec![message(1, State::Due)]);
    let client = reqwest::Client::new();
    for method in [reqwest::Method::POST, reqwest::Method::PUT] {
        let response = client.request(method, door.url(&format!("/sms/{ID}"))).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"GET, HEAD, DELETE".parse().unwrap())
        );
    }
    let head = client.head(door.url(&format!("/sms/{ID}"))).header("X-Api-Key", "secret1");
    let response = head.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), "");
    door.close().await;
}

#[tokio::test]
async fn a_spool_that_cannot_be_asked_is_503() {
    let door = Door::with(limits(), two()).await;
    door.recorder.is_down.store(true, Ordering::SeqCst);
    let request = reqwest::Client::new().get(door.url(&format!("/sms/{ID}"))).header("X-Api-Key", "secret1");
    let response = request.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"10".parse().unwrap())
    );
    door.close().await;
}

#[tokio::test]
async fn neither_the_text_nor_a_credential_gets_into_the_log() {
    let door = Door::with(limits(), two()).await;
    know(&door, Some("shop"), Kind::Http, vec![message(1, State::Due)]);
    log_lines();
    for query in ["user=shop&pass=secret1", "user=nas&pass=secret2", "user=shop&pass=secret3"] {
        let request = format!("GET /sms/{ID}?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut raw = door.connect_to_gets().await;
        raw.send(request).await;
        raw.rest().await;
    }
    let lines = log_lines();
    assert!(lines.iter().any(|line| line.contains("question about a form refused status=404")), "{lines:#?}");
    let found: Vec<_> =
        lines.iter().filter(|line| line.contains("secret") || line.contains("Ordered")).collect();
    assert!(found.is_empty(), "{found:#?}");
    door.close().await;
}
