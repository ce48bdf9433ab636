//! Callbacks, received by a server of the test.

use std::sync::Mutex;

use super::*;

/// A server for callbacks: collects them, and answers the first `failures` with 500.
async fn callback_server(failures: usize) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/dlr", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&received);
    let take = move |axum::Json(body): axum::Json<Value>| async move {
        let mut collected = collected.lock().unwrap();
        collected.push(body);
        if collected.len() <= failures {
            axum::http::StatusCode::INTERNAL_SERVER_ERROR
        } else {
            axum::http::StatusCode::OK
        }
    };
    let router = axum::Router::new().route("/dlr", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

#[tokio::test]
async fn every_part_is_called_back_in_the_universal_form() {
    let (url, received) = callback_server(0).await;
    let emulator = started(Settings { callback_url: Some(url), ..at_once() }).await;
    send(&emulator, &with(sms("m"), "body", json!("a".repeat(161)))).await;
    emulator.wait_until(|record| record.callbacks().taken == 2, LIMIT).await.unwrap();
    let ended = emulator.accepted()[0].ended_at.unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let callback = |part| {
        json!({"channel": "SMS", "eventType": "DELIVERY", "messageId": "m", "destination": NUMBER, "statusCode": 3,
            "description": "delivered", "price": 0.035, "numPart": part, "totalParts": 2, "eventDate": ended})
    };
    assert_eq!(*received.lock().unwrap(), [callback(1), callback(2)]);
}

#[tokio::test]
async fn callbacks_have_the_use_cases_form_and_are_repeated_until_taken() {
    let (url, received) = callback_server(2).await;
    let settings = Settings { callback_url: Some(url), callback_shape: CallbackShape::UseCase, ..at_once() };
    let emulator = started(settings).await;
    emulator
        .order(FaultRule::on_send(Fault::Deliver { outcome: Outcome::Expired, delay_millis: None }))
        .unwrap();
    send(&emulator, &with(sms("quiet"), "enableNotification", json!(false))).await;
    send(&emulator, &with(sms("simulated"), "simulation", json!(true))).await;
    send(&emulator, &sms("m")).await;
    emulator.wait_until(|record| record.callbacks().taken == 1, LIMIT).await.unwrap();
    let ended = emulator.accepted()[2].ended_at.unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let callback = json!({"channel": "SMS", "eventType": "DELIVERY", "messageId": "m", "statusCode": 8,
        "statusDescription": "Expired", "price": 0.035, "numPart": 1, "totalParts": 1, "timestamp": ended});
    assert_eq!(*received.lock().unwrap(), [callback.clone(), callback.clone(), callback]);
}

#[tokio::test]
async fn a_callback_that_nobody_takes_is_given_up() {
    let (url, received) = callback_server(usize::MAX).await;
    let emulator = started(Settings { callback_url: Some(url), ..at_once() }).await;
    send(&emulator, &sms("m")).await;
    emulator.wait_until(|record| record.callbacks().given_up == 1, LIMIT).await.unwrap();
    assert_eq!(received.lock().unwrap().len(), 4);
}

/// What was received: (messageId, numPart), in order.
fn named(received: &Mutex<Vec<Value>>) -> Vec<(String, u64)> {
    let received = received.lock().unwrap();
    received
        .iter()
        .map(|body| (body["messageId"].as_str().unwrap().to_owned(), body["numPart"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn callbacks_wait_while_they_are_paused_and_come_several_times_where_wanted() {
    let (url, received) = callback_server(0).await;
    let callbacks = CallbackSettings { copies: 2, concurrency: 1, ..CallbackSettings::default() };
    let emulator = started(Settings { callbacks, ..at_once() }).await;
    send(&emulator, &sms("nobody asked")).await;
    emulator.wait_until(|record| record.with_status(Status::Delivered) == 1, LIMIT).await.unwrap();
    emulator.call_back_to(&url).unwrap();
    emulator.pause_callbacks();
    send(&emulator, &with(sms("a"), "body", json!("a".repeat(161)))).await;
    send(&emulator, &sms("b")).await;
    emulator.wait_until(|record| record.with_status(Status::Delivered) == 3, LIMIT).await.unwrap();
    assert!(named(&received).is_empty(), "one got through the pause");
    emulator.resume_callbacks();
    emulator.wait_until(|record| record.callbacks().taken == 6, LIMIT).await.unwrap();
    let of = |id: &str, part: u64| (id.to_owned(), part);
    let expected = [of("a", 1), of("a", 1), of("a", 2), of("a", 2), of("b", 1), of("b", 1)];
    assert_eq!(named(&received), expected);
}

#[tokio::test]
async fn shuffled_callbacks_are_all_there_and_not_in_order() {
    let (url, received) = callback_server(0).await;
    let callbacks =
        CallbackSettings { copies: 2, copied_percent: 50, shuffled: true, ..CallbackSettings::default() };
    let emulator = started(Settings { callback_url: Some(url), callbacks, ..at_once() }).await;
    emulator.pause_callbacks();
    for number in 0..100 {
        send(&emulator, &sms(&format!("{number:02}"))).await;
    }
    emulator.wait_until(|record| record.with_status(Status::Delivered) == 100, LIMIT).await.unwrap();
    emulator.resume_callbacks();
    emulator.wait_until(|record| record.callbacks().waiting == 0, LIMIT).await.unwrap();
    let mut ids = named(&received);
    ids.sort();
    assert_eq!(emulator.record(|record| record.callbacks().taken), ids.len() as u64);
    ids.dedup();
    assert_eq!(ids.len(), 100);
    let came = named(&received);
    let mut sorted = came.clone();
    sorted.sort();
    assert_ne!(came, sorted);
    assert!(came.len() < 200, "all of them came twice");
}

#[tokio::test]
async fn a_delay_is_waited_for() {
    let (url, received) = callback_server(0).await;
    let callbacks = CallbackSettings { delay: Duration::from_millis(50), ..CallbackSettings::default() };
    let emulator = started(Settings { callback_url: Some(url), callbacks, ..at_once() }).await;
    let before = std::time::Instant::now();
    send(&emulator, &sms("m")).await;
    emulator.wait_until(|record| record.callbacks().taken == 1, LIMIT).await.unwrap();
    // Never early; how much later is the machine's business.
    assert!(before.elapsed() >= Duration::from_millis(50));
    assert_eq!(named(&received), [("m".to_owned(), 1)]);
}

#[tokio::test]
async fn a_name_and_password_in_the_url_are_shown_as_basic() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://platform:s%3Acret@{}/dlr", listener.local_addr().unwrap());
    let take = |headers: axum::http::HeaderMap| async move {
        // platform:s:cret
        match headers.get("authorization").and_then(|value| value.to_str().ok()) {
            Some("Basic cGxhdGZvcm06czpjcmV0") => axum::http::StatusCode::OK,
            Some(_) | None => axum::http::StatusCode::UNAUTHORIZED,
        }
    };
    let router = axum::Router::new().route("/dlr", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let emulator = started(Settings { callback_url: Some(url), ..at_once() }).await;
    assert_eq!(emulator.call_back(&json!({})).await.unwrap(), 200);
}

#[tokio::test]
async fn ids_of_the_platforms_own_are_told_and_called_back() {
    let (url, received) = callback_server(0).await;
    let emulator = started(Settings { callback_url: Some(url), own_ids: true, ..at_once() }).await;
    let (_, answer) = send(&emulator, &sms("ours")).await;
    let told = answer["messageId"].as_str().unwrap().to_owned();
    assert_ne!(told, "ours");
    emulator.wait_until(|record| record.callbacks().taken == 1, LIMIT).await.unwrap();
    assert_eq!(named(&received), [(told.clone(), 1)]);
    let message = emulator.accepted().remove(0);
    assert_eq!((message.message_id.as_str(), message.told_id()), ("ours", told.as_str()));
    assert_eq!(ask(&emulator, "ours").await.0, 200);
    let template = json!({"phoneNumber": NUMBER, "templateId": "t", "customerMessageId": "mine"});
    let (_, answer) = post(&emulator, "/api/message-server/rcs/send", &template).await;
    assert_eq!(answer["customerMessageId"], json!("mine"));
    assert_ne!(answer["messageId"], json!("mine"));
}

#[tokio::test]
async fn other_processes_make_callbacks_and_stop_them() {
    let (url, received) = callback_server(0).await;
    let emulator = started(at_once()).await;
    let path = "/emulator/callbacks";
    let order = json!({"message_id": "m", "code": 42, "part": 2, "parts": 3, "channel": "RCS",
        "description": "odd", "price": 1.5});
    let fail = |what: &str| (400, json!({"status": "fail", "data": {"callback": what}}));
    assert_eq!(post(&emulator, path, &order).await, fail("there is no callback URL"));
    let command = |path: &str, body: Value| {
        let request = client().post(format!("{}{path}", emulator.base_url())).json(&body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(command("/emulator/callbacks/url", json!({"url": "gopher://x"})).await, 400);
    assert_eq!(command("/emulator/callbacks/url", json!({"url": url})).await, 204);
    assert_eq!(post(&emulator, path, &order).await, (200, json!({"status": 200})));
    assert_eq!(post(&emulator, path, &json!({"raw": ["x"]})).await, (200, json!({"status": 200})));
    for wrong in [json!({"message_id": "m"}), json!({"raw": 1, "code": 3}), json!({})] {
        assert_eq!(post(&emulator, path, &wrong).await, fail("must be raw, or message_id and code"));
    }
    let mut seen = received.lock().unwrap().clone();
    seen[0].as_object_mut().unwrap().remove("eventDate").unwrap();
    let made = json!({"channel": "RCS", "eventType": "DELIVERY", "messageId": "m", "statusCode": 42,
        "description": "odd", "price": 1.5, "numPart": 2, "totalParts": 3});
    assert_eq!(seen, [made, json!(["x"])]);
    assert_eq!(command("/emulator/callbacks/pause", json!(null)).await, 204);
    send(&emulator, &sms("m")).await;
    assert_eq!(get(&emulator, "/emulator/wait?delivered=1").await.0, 200);
    assert_eq!(get(&emulator, "/emulator/wait?callbacks=1&seconds=0").await.0, 408);
    assert_eq!(command("/emulator/callbacks/resume", json!(null)).await, 204);
    assert_eq!(get(&emulator, "/emulator/wait?callbacks=1").await.0, 200);
}
