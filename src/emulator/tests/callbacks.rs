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
