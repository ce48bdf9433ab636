//! Messages reach their handsets, and the client is called back: one callback a part.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::CallbackShape;
use super::message::Accepted;
use super::platform::{PRICE, Platform};

/// Messages whose callbacks are under way at a time.
const CONCURRENCY: usize = 16;
/// Tries of one callback.
const TRIES: u32 = 4;
/// The wait after the first try; doubled after each.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Ends messages when their time comes. Never returns.
pub(super) async fn deliver(platform: Arc<Platform>) {
    let mut changes = platform.changes();
    loop {
        changes.mark_unchanged();
        match platform.end_due() {
            Some(next) => tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                _ = changes.changed() => {}
            },
            // The sender lives as long as the platform, which we hold.
            None => drop(changes.changed().await),
        }
    }
}

/// Makes callbacks to `url`. Never returns.
pub(super) async fn call_back(platform: Arc<Platform>, client: reqwest::Client, url: reqwest::Url) {
    let mut changes = platform.changes();
    let mut under_way = JoinSet::new();
    loop {
        changes.mark_unchanged();
        while under_way.len() < CONCURRENCY
            && let Some(message) = platform.next_callback()
        {
            under_way.spawn(call_back_for(Arc::clone(&platform), client.clone(), url.clone(), message));
        }
        tokio::select! {
            Some(_) = under_way.join_next() => {}
            _ = changes.changed(), if under_way.len() < CONCURRENCY => {}
        }
    }
}

/// Every part of one message, in order; each is tried a few times.
async fn call_back_for(
    platform: Arc<Platform>,
    client: reqwest::Client,
    url: reqwest::Url,
    message: Accepted,
) {
    for part in 1..=message.parts {
        let Some(body) = body(platform.settings.callback_shape, &message, part) else { return };
        let mut taken = false;
        let mut wait = FIRST_WAIT;
        for attempt in 1..=TRIES {
            let answer = client.post(url.clone()).json(&body).send().await;
            taken = answer.is_ok_and(|answer| answer.status().is_success());
            if taken || attempt == TRIES {
                break;
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        platform.count_callback(taken);
    }
}

/// The JSON of one callback; none for a message that has not ended.
fn body(shape: CallbackShape, message: &Accepted, part: u32) -> Option<Value> {
    let (code, description) = message.status.callback()?;
    let at = message.ended_at?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (channel, price) = (message.channel.as_str(), PRICE as f64 / 1000.0);
    Some(match shape {
        CallbackShape::Universal => json!({
            "channel": channel,
            "eventType": "DELIVERY",
            "messageId": message.message_id,
            "destination": message.destination,
            "statusCode": code,
            "description": description,
            "price": price,
            "numPart": part,
            "totalParts": message.parts,
            "eventDate": at,
        }),
        CallbackShape::UseCase => {
            let mut description = description.to_owned();
            if let Some(first) = description.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            json!({
                "channel": channel,
                "eventType": "DELIVERY",
                "messageId": message.message_id,
                "statusCode": code,
                "statusDescription": description,
                "price": price,
                "numPart": part,
                "totalParts": message.parts,
                "timestamp": at,
            })
        }
    })
}
