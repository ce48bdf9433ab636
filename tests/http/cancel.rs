//! The end of a form before its time.

use std::sync::atomic::Ordering;

use serde_json::Value;
use sms_relay::model::{Door as Kind, FinalState, State};
use sms_relay::spool::MessageView;

use super::status::{id, know, message, two};
use super::support::{Door, ID, limits};

const CANCELLED: State = State::Final(FinalState::Cancelled);

async fn delete(door: &Door, id: &str, key: &str) -> (u16, Value) {
    let request = reqwest::Client::new().delete(door.url(&format!("/sms/{id}"))).header("X-Api-Key", key);
    let response = request.header("Accept", "application/json").send().await.unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn with(messages: Vec<MessageView>) -> Door {
    let door = Door::with(limits(), two()).await;
    know(&door, Some("shop"), Kind::Http, messages);
    door
}

fn states(told: &Value) -> Vec<&str> {
    told["messages"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect()
}

fn cancelled(door: &Door) -> Vec<u32> {
    door.recorder.cancelled.lock().unwrap().iter().map(|(id, _)| id.ordinal).collect()
}

#[tokio::test]
async fn what_waits_is_cancelled_and_the_new_states_are_told() {
    let door = with(vec![
        message(1, State::Due),
        message(2, State::Sent),
        message(3, State::Held),
        message(4, State::Final(FinalState::Delivered)),
        message(5, State::Claimed),
        message(6, State::Unknown),
    ])
    .await;
    let (status, told) = delete(&door, ID, "secret1").await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(states(&told), ["cancelled", "sent", "cancelled", "delivered", "claimed", "unknown"]);
    // What is held goes first: it may be there to take the place of the others.
    assert_eq!(cancelled(&door), [3, 1]);
    assert!(door.recorder.cancelled.lock().unwrap().iter().all(|(_, by)| by.as_deref() == Some("shop")));
    door.close().await;
}

#[tokio::test]
async fn one_sms_is_cancelled_and_the_others_stay() {
    let door = with(vec![message(1, State::Due), message(2, State::Due)]).await;
    let (status, told) = delete(&door, &format!("{ID}-2"), "secret1").await;
    assert_eq!((status, states(&told)), (200, vec!["cancelled"]));
    assert_eq!(cancelled(&door), [2]);
    let left = door.recorder.known.lock().unwrap()[&id()].messages[0].state;
    assert_eq!(left, State::Due);
    door.close().await;
}

#[tokio::test]
async fn what_is_too_late_is_409_and_says_where_it_is() {
    let door = with(vec![message(1, State::Sent), message(2, State::Final(FinalState::Failed))]).await;
    let (status, told) = delete(&door, ID, "secret1").await;
    let words = format!("nothing of {ID} waits any more: its SMS are failed, sent");
    assert_eq!((status, told["error"].as_str().unwrap()), (409, words.as_str()));
    let (status, told) = delete(&door, &format!("{ID}-1"), "secret1").await;
    let words = format!("{ID}-1 is sent, and can't be cancelled any more");
    assert_eq!((status, told["error"].as_str().unwrap()), (409, words.as_str()));
    assert_eq!(cancelled(&door), [0; 0]);
    door.close().await;
}

#[tokio::test]
async fn an_sms_that_slips_away_meanwhile_is_409() {
    let slippery = MessageView { rule: "slips away".to_owned(), ..message(1, State::Due) };
    let door = with(vec![slippery]).await;
    assert_eq!(delete(&door, ID, "secret1").await.0, 409);
    door.close().await;
}

#[tokio::test]
async fn to_cancel_again_is_no_mistake() {
    let door = with(vec![message(1, State::Due)]).await;
    for _ in 0..2 {
        let (status, told) = delete(&door, ID, "secret1").await;
        assert_eq!((status, states(&told)), (200, vec!["cancelled"]));
    }
    assert_eq!(cancelled(&door), [1]);
    know(&door, Some("shop"), Kind::Http, vec![message(1, CANCELLED), message(2, State::Sent)]);
    assert_eq!(delete(&door, ID, "secret1").await.0, 409);
    door.close().await;
}

#[tokio::test]
async fn what_is_not_ones_own_is_404_and_stays() {
    let door = with(vec![message(1, State::Due)]).await;
    assert_eq!(delete(&door, ID, "secret2").await.0, 404);
    assert_eq!(delete(&door, "nonsense", "secret1").await.0, 404);
    assert_eq!(delete(&door, &format!("{ID}-9"), "secret1").await.0, 404);
    assert_eq!(delete(&door, ID, "wrong").await.0, 401);
    assert_eq!(cancelled(&door), [0; 0]);
    door.recorder.is_down.store(true, Ordering::SeqCst);
    assert_eq!(delete(&door, ID, "secret1").await.0, 503);
    door.close().await;
}
