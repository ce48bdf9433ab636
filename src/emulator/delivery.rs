//! Messages reach their handsets, and the client is called back: one callback a part.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::CallbackShape;
use super::callbacks::{Target, Work};
use super::message::Accepted;
use super::platform::{PRICE, Platform};

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

/// Makes callbacks. Never returns.
pub(super) async fn call_back(platform: Arc<Platform>) {
    let mut changes = platform.changes();
    let mut under_way = JoinSet::new();
    let most = platform.settings.callbacks.concurrency.max(1);
    loop {
        changes.mark_unchanged();
        while under_way.len() < most
            && let Some((work, message, target)) = platform.next_callbacks()
        {
            under_way.spawn(call_back_for(Arc::clone(&platform), work, message, target));
        }
        let has_room = under_way.len() < most;
        let ready = platform.next_callback_at().filter(|_| has_room);
        tokio::select! {
            Some(_) = under_way.join_next() => {}
            _ = changes.changed(), if has_room => {}
            () = tokio::time::sleep_until(ready.unwrap_or_else(Instant::now)), if ready.is_some() => {}
        }
    }
}

/// Some parts of one message, in order; each is tried a few times.
async fn call_back_for(platform: Arc<Platform>, work: Work, message: Accepted, target: Target) {
    for part in work.parts {
        let Some(body) = of_message(platform.settings.callback_shape, &message, part) else { return };
        for _ in 0..work.copies {
            let mut taken = false;
            let mut wait = FIRST_WAIT;
            for attempt in 1..=TRIES {
                taken = post(&target, &body).await.is_ok_and(|status| status.is_success());
                if taken || attempt == TRIES {
                    break;
                }
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            platform.count_callback(taken);
        }
    }
}

/// Makes one callback, once, whatever it says.
///
/// # Errors
/// When there is no answer.
pub(super) async fn post(target: &Target, body: &Value) -> Result<StatusCode, reqwest::Error> {
    Ok(target.client.post(target.url.clone()).json(body).send().await?.status())
}

/// What one callback says.
#[derive(Clone, Debug)]
pub(super) struct Said<'a> {
    pub(super) channel: &'a str,
    pub(super) message_id: &'a str,
    /// Only the universal shape has it.
    pub(super) destination: Option<&'a str>,
    pub(super) code: i64,
    pub(super) description: &'a str,
    pub(super) price: f64,
    pub(super) part: u32,
    pub(super) parts: u32,
    pub(super) at: jiff::Timestamp,
}

/// The JSON of one callback; none for a message that has not ended.
fn of_message(shape: CallbackShape, message: &Accepted, part: u32) -> Option<Value> {
    let (code, description) = message.status.callback()?;
    let said = Said {
        channel: message.channel.as_str(),
        message_id: message.told_id(),
        destination: Some(&message.destination),
        code: i64::from(code),
        description,
        price: PRICE as f64 / 1000.0,
        part,
        parts: message.parts,
        at: message.ended_at?,
    };
    Some(body(shape, &said))
}

/// The JSON of one callback.
pub(super) fn body(shape: CallbackShape, said: &Said<'_>) -> Value {
    let at = said.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut body = json!({
        "channel": said.channel,
        "eventType": "DELIVERY",
        "messageId": said.message_id,
        "statusCode": said.code,
        "price": said.price,
        "numPart": said.part,
        "totalParts": said.parts,
    });
    match shape {
        CallbackShape::Universal => {
            if let Some(destination) = said.destination {
                body["destination"] = json!(destination);
            }
            body["description"] = json!(said.description);
            body["eventDate"] = json!(at);
        }
        CallbackShape::UseCase => {
            let mut description = said.description.to_owned();
            if let Some(first) = description.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            body["statusDescription"] = json!(description);
            body["timestamp"] = json!(at);
        }
    }
    body
}
