//! The emulator through real sockets: requests, answers, statuses, its life.

mod callbacks;
mod faults;
mod others;

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::model::Encoding;

const LIMIT: Duration = Duration::from_secs(10);
const NUMBER: &str = "+393471234567";

fn at_once() -> Settings {
    Settings {
        delivery: Delivery { delay: Duration::ZERO, outcome: Outcome::Delivered },
        ..Settings::default()
    }
}

async fn started(settings: Settings) -> Emulator {
    // The tests' own client needs a provider too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Emulator::start(settings).await.unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(LIMIT).build().unwrap()
}

async fn post(emulator: &Emulator, path: &str, body: &Value) -> (u16, Value) {
    let answer = client().post(format!("{}{path}", emulator.base_url())).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(emulator: &Emulator, path: &str) -> (u16, Value) {
    let answer = client().get(format!("{}{path}", emulator.base_url())).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn send(emulator: &Emulator, body: &Value) -> (u16, Value) {
    post(emulator, "/api/message-server/sms/send", body).await
}

async fn ask(emulator: &Emulator, id: &str) -> (u16, Value) {
    get(emulator, &format!("/api/partner-gateway/v1/messages/status/{id}?channel=SMS")).await
}

fn sms(id: &str) -> Value {
    json!({"destination": NUMBER, "sender": "Alarm", "body": "water", "messageId": id})
}

/// `base` with `field` set.
fn with(mut base: Value, field: &str, value: Value) -> Value {
    base.as_object_mut().unwrap().insert(field.to_owned(), value);
    base
}

fn ids(emulator: &Emulator) -> Vec<String> {
    emulator.accepted().into_iter().map(|message| message.message_id).collect()
}

#[tokio::test]
async fn a_full_request_is_recorded_field_by_field_and_answered_in_the_object_form() {
    let emulator = started(Settings::default()).await;
    let request = json!({
        "destination": NUMBER, "sender": "MyBrand", "body": "Ciao {nome} 🎉 {x}", "campaignId": "c".repeat(255),
        "messageId": "m-1", "udhData": "050003CC0201", "simulation": false, "enableNotification": false,
        "placeholders": {"nome": "Mario"}, "scheduledDate": "2001-01-01 09:00:00.000+0100", "skipRcsOverride": true,
    });
    let (status, answer) = send(&emulator, &request).await;
    assert_eq!(status, 200);
    assert_eq!(
        answer,
        json!({"messageId": "m-1", "simulation": false,
            "results": {"sms": {"accepted": true, "unicode": true, "parts": 1, "reasons": []}}})
    );
    let accepted = emulator.accepted();
    let [message] = accepted.as_slice() else { panic!("{accepted:?}") };
    let expected = Accepted {
        number: 1,
        accepted_at: message.accepted_at,
        channel: Channel::Sms,
        message_id: "m-1".to_owned(),
        platform_id: None,
        destination: NUMBER.to_owned(),
        sender: "MyBrand".to_owned(),
        body: "Ciao {nome} 🎉 {x}".to_owned(),
        text: "Ciao Mario 🎉 {x}".to_owned(),
        encoding: Encoding::Ucs2,
        parts: 1,
        simulation: false,
        campaign_id: Some("c".repeat(255)),
        udh_data: Some("050003CC0201".to_owned()),
        enable_notification: false,
        placeholders: Some([("nome".to_owned(), "Mario".to_owned())].into()),
        scheduled_at: Some("2001-01-01T08:00:00Z".parse().unwrap()),
        skip_rcs_override: true,
        status: Status::Sent,
        ended_at: None,
    };
    assert_eq!(*message, expected);
    assert_eq!(
        message.screen(),
        Screen {
            destination: NUMBER,
            sender: "MyBrand",
            text: "Ciao Mario 🎉 {x}",
            encoding: Encoding::Ucs2,
            parts: 1,
            status: Status::Sent
        }
    );
}

#[tokio::test]
async fn the_array_form_is_a_matter_of_settings() {
    let emulator = started(Settings { answer_shape: AnswerShape::Array, ..Settings::default() }).await;
    let listed = |accepted: bool, code: u16, number: &str| {
        json!({"messageId": "m", "customerMessageId": "m", "simulation": false,
            "results": [{"phoneNumber": number, "accepted": accepted, "channel": "sms", "statusCode": code}]})
    };
    assert_eq!(send(&emulator, &sms("m")).await, (200, listed(true, 200, NUMBER)));
    let wrong = with(sms("m"), "destination", json!("3471234567"));
    assert_eq!(send(&emulator, &wrong).await, (200, listed(false, 422, "3471234567")));
}

#[tokio::test]
async fn without_an_id_the_platform_makes_a_uuid() {
    let emulator = started(Settings::default()).await;
    let mut request = sms("");
    request.as_object_mut().unwrap().remove("messageId");
    let (_, answer) = send(&emulator, &request).await;
    let id = answer["messageId"].as_str().unwrap();
    let groups: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
    assert_eq!(&id[14..15], "4");
    assert!("89ab".contains(&id[19..20]), "{id}");
}

#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_is_recorded() {
    let emulator = started(Settings::default()).await;
    let fail = |field: &str, what: &str| json!({"status": "fail", "data": {field: what}});
    let null = "must not be null; leave the field out";
    for (field, value, what) in [
        ("destination", json!(393471234567_u64), "must be a string"),
        ("destination", json!(""), "is required"),
        ("sender", json!(null), null),
        ("body", json!(""), "is required"),
        ("campaignId", json!("c".repeat(256)), "must have at most 255 characters"),
        ("campaignId", json!(null), null),
        ("messageId", json!(7), "must be a string"),
        ("messageId", json!(""), "must not be empty"),
        ("udhData", json!("05000"), "must be hexadecimal"),
        ("udhData", json!("xx"), "must be hexadecimal"),
        ("simulation", json!("true"), "must be a boolean"),
        ("simulation", json!(null), null),
        ("enableNotification", json!(1), "must be a boolean"),
        ("placeholders", json!({"a": 1}), "must be an object of strings"),
        ("placeholders", json!(["a"]), "must be an object of strings"),
        ("placeholders", json!(null), null),
        ("scheduledDate", json!("2025-10-01T09:00:00Z"), "must have the form yyyy-MM-dd HH:mm:ss.SSSZ"),
        (
            "scheduledDate",
            json!("2025-10-01 09:00:00.000+00:00"),
            "must have the form yyyy-MM-dd HH:mm:ss.SSSZ",
        ),
        ("skipRcsOverride", json!([]), "must be a boolean"),
        ("phoneNumber", json!(NUMBER), "is not a field of this request"),
    ] {
        let request = with(sms("m"), field, value);
        assert_eq!(send(&emulator, &request).await, (400, fail(field, what)), "{request}");
    }
    assert_eq!(
        send(&emulator, &json!({"destination": 1, "x": 2})).await,
        (
            400,
            json!({"status": "fail", "data": {"destination": "must be a string", "sender": "is required",
                "body": "is required", "x": "is not a field of this request"}})
        )
    );
    for sender in ["TwelveLetter", "Caffè"] {
        assert_eq!(
            send(&emulator, &with(sms("m"), "sender", json!(sender))).await,
            (422, fail("sender", "must be alphanumeric, up to 11 characters, or numeric"))
        );
    }
    for destination in ["3471234567", "+39 3471234567", "+1234567", "+1234567890123456", "+0393471234567"] {
        assert_eq!(
            send(&emulator, &with(sms("m"), "destination", json!(destination))).await,
            (
                200,
                json!({"messageId": "m", "simulation": false, "results": {"sms": {"accepted": false,
                    "unicode": false, "parts": 0, "reasons": ["Invalid destination number format"]}}})
            ),
            "{destination}"
        );
    }
    assert_eq!(ids(&emulator), Vec::<String>::new());
    assert_eq!(emulator.requests().send, 28);
}

#[tokio::test]
async fn content_type_json_and_size_are_checked() {
    let emulator = started(Settings::default()).await;
    let url = format!("{}/api/message-server/sms/send", emulator.base_url());
    let sent = |content_type: &'static str, body: String| {
        let request = client().post(&url).header(CONTENT_TYPE, content_type).body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let good = sms("m").to_string();
    assert_eq!(sent("text/plain", good.clone()).await, 400);
    assert_eq!(sent("application/json-seq", good.clone()).await, 400);
    assert_eq!(sent("application/json", good.replace('}', "")).await, 400);
    assert_eq!(sent("application/json", format!("[{good}]")).await, 400);
    assert_eq!(sent("application/json", " ".repeat(256 * 1024 + 1)).await, 413);
    assert_eq!(
        sent("Application/JSON; charset=utf-8", format!("{good}{}", " ".repeat(256 * 1024 - good.len())))
            .await,
        200
    );
    assert_eq!(get(&emulator, "/api/else").await.0, 404);
    assert_eq!(client().get(&url).send().await.unwrap().status().as_u16(), 405);
}

#[tokio::test]
async fn credentials_are_a_key_or_basic_and_a_wrong_one_is_401() {
    let settings = Settings {
        api_key: Some(Secret::from("k3y")),
        basic: Some(("relay".to_owned(), Secret::from("pa:ss"))),
        ..Settings::default()
    };
    let emulator = started(settings).await;
    let credit = || client().get(format!("{}/api/services/sms/credit", emulator.base_url()));
    let status = |request: reqwest::RequestBuilder| async { request.send().await.unwrap().status().as_u16() };
    assert_eq!(status(credit().header("X-Api-Key", "k3y")).await, 200);
    assert_eq!(status(credit().basic_auth("relay", Some("pa:ss"))).await, 200);
    assert_eq!(status(credit().header("X-Api-Key", "k3")).await, 401);
    assert_eq!(status(credit().basic_auth("relay", Some("pa"))).await, 401);
    assert_eq!(status(credit().basic_auth("other", Some("pa:ss"))).await, 401);
    assert_eq!(status(credit().header("Authorization", "Bearer k3y")).await, 401);
    let unauthorized =
        (401, json!({"status": "fail", "data": {"authentication": "Invalid or missing API key"}}));
    assert_eq!(send(&emulator, &sms("m")).await, unauthorized);
    assert_eq!(ask(&emulator, "m").await, unauthorized);
    assert_eq!(post(&emulator, "/api/services/sms/send", &json!({})).await, unauthorized);
    assert_eq!(post(&emulator, "/api/message-server/rcs/send", &json!({})).await, unauthorized);
    let expected =
        Requests { send: 1, status: 1, legacy: 1, credit: 6, template: 1, unauthorized: 8, faulted: 0 };
    assert_eq!(emulator.requests(), expected);
}

#[tokio::test]
async fn a_message_is_delivered_after_its_time_and_its_status_says_so() {
    let delay = Duration::from_secs(3600);
    let waiting =
        Settings { delivery: Delivery { delay, outcome: Outcome::Delivered }, ..Settings::default() };
    let emulator = started(waiting).await;
    emulator
        .order(
            FaultRule::on_send(Fault::Deliver { outcome: Outcome::Delivered, delay_millis: Some(0) })
                .containing("now"),
        )
        .unwrap();
    send(&emulator, &with(sms("now"), "body", json!("now"))).await;
    send(&emulator, &sms("later")).await;
    send(&emulator, &with(sms("scheduled"), "scheduledDate", json!("2099-01-01 00:00:00.000+0000"))).await;
    emulator.wait_until(|record| record.with_status(Status::Delivered) == 1, LIMIT).await.unwrap();
    let (status, answer) = ask(&emulator, "now").await;
    let message = emulator.record(|record| record.message("now").cloned()).unwrap();
    let date = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    assert_eq!(status, 200);
    assert_eq!(
        answer,
        json!({"customerMessageId": "now", "channel": "SMS", "destination": NUMBER, "deliveryStatus": "DELIVERED",
            "deliveryStatusDescription": "Message delivered to handset", "sendDate": date(message.accepted_at),
            "deliveryDate": date(message.ended_at.unwrap()), "readDate": null})
    );
    let (_, answer) = ask(&emulator, "later").await;
    assert_eq!((&answer["deliveryStatus"], &answer["deliveryDate"]), (&json!("SENT"), &Value::Null));
    let (_, answer) = ask(&emulator, "scheduled").await;
    assert_eq!((&answer["deliveryStatus"], &answer["sendDate"]), (&json!("UNKNOWN"), &Value::Null));
    assert_eq!(
        ask(&emulator, "never-sent").await,
        (404, json!({"status": "fail", "data": {"customerMessageId": "Message not found"}}))
    );
    let base = "/api/partner-gateway/v1/messages/status/now";
    assert_eq!(get(&emulator, &format!("{base}?channel=RCS")).await.0, 404);
    assert_eq!(get(&emulator, &format!("{base}?channel=sms")).await.0, 400);
    assert_eq!(get(&emulator, base).await.0, 400);
}

#[tokio::test]
async fn a_simulation_is_validated_and_neither_sent_nor_paid() {
    let emulator = started(at_once()).await;
    let (_, answer) = send(&emulator, &with(sms("m"), "simulation", json!(true))).await;
    assert_eq!(answer["simulation"], json!(true));
    assert_eq!(answer["results"]["sms"]["accepted"], json!(true));
    send(&emulator, &sms("real")).await;
    emulator.wait_until(|record| record.with_status(Status::Delivered) == 1, LIMIT).await.unwrap();
    assert_eq!(ask(&emulator, "m").await.1["deliveryStatus"], json!("UNKNOWN"));
    assert_eq!(get(&emulator, "/api/services/sms/credit").await, (200, json!({"credit": 999.965})));
}

#[tokio::test]
async fn an_id_that_comes_twice_is_seen() {
    let emulator = started(Settings::default()).await;
    for id in ["a", "b", "a"] {
        assert_eq!(send(&emulator, &sms(id)).await.0, 200);
    }
    assert_eq!(ids(&emulator), ["a", "b", "a"]);
    assert_eq!(emulator.record(Record::repeated), ["a"]);
    assert_eq!(get(&emulator, "/emulator/record").await.1["repeated"], json!(["a"]));
}

#[tokio::test]
async fn a_stopped_emulator_has_closed_its_port_and_its_connections() {
    let emulator = started(Settings::default()).await;
    emulator.order(FaultRule::on_send(Fault::Hold { recorded: true })).unwrap();
    let address = emulator.addr();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = sms("m").to_string();
    let head = "POST /api/message-server/sms/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    emulator.wait_until(|record| record.held() == 1, LIMIT).await.unwrap();
    emulator.stop().await;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
    let again = started(Settings { bind: address, ..Settings::default() }).await;
    assert_eq!(again.addr(), address);
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_named() {
    let first = started(Settings::default()).await;
    let error = |settings| async { Emulator::start(settings).await.err().unwrap().to_string() };
    assert_eq!(
        error(Settings { bind: first.addr(), ..Settings::default() }).await,
        format!("the emulator cannot listen on {}: Address already in use (os error 98)", first.addr())
    );
    for url in ["localhost:80/dlr", "ftp://host/"] {
        assert_eq!(
            error(Settings { callback_url: Some(url.to_owned()), ..Settings::default() }).await,
            format!("the emulator's callback URL `{url}` is not an http or https URL")
        );
    }
    assert_eq!(
        first.wait_until(|_| false, Duration::from_millis(1)).await,
        Err(InVain(Duration::from_millis(1)))
    );
}
