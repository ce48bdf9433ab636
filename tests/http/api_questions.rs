//! `GET` and `DELETE` below `/v1/messages`.

use std::sync::atomic::Ordering;

use reqwest::Method;
use serde_json::{Value, json};
use sms_relay::model::{Door as Kind, FinalState, State};

use super::contract;
use super::status::{know, message, two};
use super::support::{Door, ID, limits};

async fn ask(door: &Door, method: Method, path: &str, key: &str) -> (u16, Value) {
    let request = reqwest::Client::new().request(method.clone(), door.url(&format!("/v1/messages{path}")));
    let answer =
        contract::read(method.as_str(), request.header("X-Api-Key", key).send().await.unwrap()).await;
    (answer.status, answer.body)
}

async fn with(states: &[State]) -> Door {
    let door = Door::with(limits(), two()).await;
    let messages = states.iter().zip(1..).map(|(state, ordinal)| message(ordinal, *state));
    know(&door, Some("shop"), Kind::Http, messages.collect());
    door
}

#[tokio::test]
async fn the_view_is_that_of_sms() {
    let door = with(&[State::Due, State::Sent]).await;
    for path in [format!("/{ID}"), format!("/{ID}-2")] {
        let (status, told) = ask(&door, Method::GET, &path, "secret1").await;
        assert_eq!(status, 200);
        let request =
            reqwest::Client::new().get(door.url(&format!("/sms{path}"))).header("X-Api-Key", "secret1");
        let sms = request.header("Accept", "application/json").send().await.unwrap().text().await.unwrap();
        assert_eq!(told, serde_json::from_str::<Value>(&sms).unwrap());
    }
    door.close().await;
}

#[tokio::test]
async fn only_its_own_account_sees_or_cancels_it() {
    let door = with(&[State::Due]).await;
    for method in [Method::GET, Method::DELETE] {
        for (path, key, expected) in [
            (format!("/{ID}"), "secret2", 404),
            (format!("/{ID}-2"), "secret1", 404),
            ("/x".to_owned(), "secret1", 404),
            (format!("/{ID}"), "wrong", 401),
        ] {
            let (status, told) = ask(&door, method.clone(), &path, key).await;
            assert_eq!((status, &told["status"]), (expected, &json!(expected)), "{method} {path}");
        }
    }
    assert_eq!(*door.recorder.cancelled.lock().unwrap(), []);
    door.close().await;
}

#[tokio::test]
async fn what_waits_is_cancelled_and_then_it_is_too_late() {
    let door = with(&[State::Due, State::Held]).await;
    for _ in 0..2 {
        let (status, told) = ask(&door, Method::DELETE, &format!("/{ID}"), "secret1").await;
        assert_eq!(status, 200, "{told}");
        assert!(told["messages"].as_array().unwrap().iter().all(|one| one["state"] == "cancelled"), "{told}");
    }
    assert_eq!(door.recorder.cancelled.lock().unwrap().len(), 2);
    door.close().await;
    let door = with(&[State::Sent, State::Final(FinalState::Delivered)]).await;
    let (status, told) = ask(&door, Method::DELETE, &format!("/{ID}"), "secret1").await;
    assert_eq!((status, &told["type"]), (409, &json!("http-api.md#too-late")));
    door.close().await;
}

#[tokio::test]
async fn several_are_told_in_order_beside_what_is_unknown() {
    let door = with(&[State::Due, State::Sent]).await;
    let other = "01ARZ3NDEKTSV4RRFFQ69G5FAW";
    let (status, told) = ask(&door, Method::GET, &format!("?ids={ID}-2,{other},{ID},x"), "secret1").await;
    assert_eq!((status, &told["unknown"]), (200, &json!([other, "x"])));
    let counts: Vec<usize> = told["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["messages"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [1, 2]);
    let (_, told) = ask(&door, Method::GET, &format!("?ids={ID}"), "secret2").await;
    assert_eq!(told, json!({ "submissions": [], "unknown": [ID] }));
    let long = format!("?ids={}", "x".repeat(16 * 1024));
    for (query, expected) in [("", 400), ("?ids=", 400), ("?page=2", 400), (&long, 431)] {
        for (method, expected) in [(Method::GET, expected), (Method::HEAD, expected)] {
            assert_eq!(ask(&door, method, query, "secret1").await.0, expected, "{query}");
        }
    }
    door.close().await;
}

#[tokio::test]
async fn a_spool_that_cannot_be_asked_is_503() {
    let door = with(&[State::Due]).await;
    door.recorder.is_down.store(true, Ordering::SeqCst);
    for path in [format!("/{ID}"), format!("?ids={ID}")] {
        let (status, told) = ask(&door, Method::GET, &path, "secret1").await;
        assert_eq!((status, &told["title"]), (503, &json!("Unavailable")));
    }
    door.close().await;
}
