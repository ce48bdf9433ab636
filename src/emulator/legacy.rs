//! `POST /api/services/sms/send`: several messages, each to several destinations; and
//! `GET /api/services/sms/credit`.
//!
//! The answer counts and says nothing per message: a destination that is no number in
//! international form is not processed, and only the count shows it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::Endpoint;
use super::fields::{Fields, Reply, SCHEDULED_DATE_FORM, is_hex, scheduled_date};
use super::message::Channel;
use super::parts::{self, Count};
use super::platform::{NewMessage, Platform, new_id};
use super::server::{Checked, Connection, Terms, answer};
use super::universal::check_sender;
use crate::model::{Encoding, PhoneNumber};

/// Octets of binary content in a single part and in each of several (3GPP TS 23.040 clause 9.2.3.24).
const BINARY_ROOM: (usize, usize) = (140, 134);

/// Sends what one call brings.
pub(super) async fn send(
    State(platform): State<Arc<Platform>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let batch = match platform.admit(Endpoint::Legacy, &headers).and_then(|()| read(&headers, &body)) {
        Ok(batch) => batch,
        Err(reply) => return reply.into_response(),
    };
    let pairs: Vec<(String, String)> =
        batch.messages.iter().map(|new| (new.destination.clone(), new.body.clone())).collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let global_id = batch.global_id.clone();
    let request = Checked {
        endpoint: Endpoint::Legacy,
        messages: &pairs,
        accept: |terms: Terms| {
            let mut messages = batch.messages;
            let processed = terms.processed.unwrap_or(messages.len());
            messages.truncate(processed);
            let parts = messages.iter().map(|new| new.count.parts).sum();
            let credit = platform.accept(messages, terms.delivery);
            counts(&global_id, processed, parts, credit)
        },
        refuse: |_| counts(&global_id, 0, 0, platform.credit()),
    };
    answer(Arc::clone(&platform), connection, request).await
}

/// Tells the credit.
pub(super) async fn credit(
    State(platform): State<Arc<Platform>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    if let Err(reply) = platform.admit(Endpoint::Credit, &headers) {
        return reply.into_response();
    }
    let told = || Reply::ok(json!({"credit": as_number(platform.credit())}));
    // A refusal can't be ordered for this endpoint.
    let request =
        Checked { endpoint: Endpoint::Credit, messages: &[], accept: |_| told(), refuse: |_| told() };
    answer(Arc::clone(&platform), connection, request).await
}

fn counts(global_id: &str, messages: usize, parts: u32, credit: i64) -> Reply {
    Reply::ok(json!({
        "globalId": global_id,
        "processedMessages": messages,
        "processedSmsParts": parts,
        "credit": as_number(credit),
    }))
}

/// Credits; exact up to 9 * 10^12.
fn as_number(thousandths: i64) -> f64 {
    thousandths as f64 / 1000.0
}

struct Batch {
    global_id: String,
    messages: Vec<NewMessage>,
}

/// What the call says for all its messages.
struct Global {
    id: String,
    concatenated: bool,
    unicode: bool,
    delivery: bool,
    simulation: bool,
    skip_rcs_override: bool,
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Batch, Reply> {
    let mut fields = Fields::of_request(headers, body)?;
    let id = fields.checked("globalId", |id| !id.is_empty(), "must not be empty");
    let global = Global {
        id: id.unwrap_or_else(new_id),
        concatenated: fields.flag("enableConcatenated", true),
        unicode: fields.flag("enableUnicode", true),
        delivery: fields.flag("enableDelivery", true),
        simulation: fields.flag("simulation", false),
        skip_rcs_override: fields.flag("skipRcsOverride", false),
    };
    let list = fields.list("messages").unwrap_or_default();
    if list.is_empty() {
        fields.problem("messages", "must have at least one message");
    }
    fields.finish()?;
    let mut messages = Vec::new();
    for entry in list {
        let Value::Object(entry) = entry else {
            return Err(Reply::fail(StatusCode::BAD_REQUEST, "messages", "must be an array of objects"));
        };
        read_message(Fields::of(entry), &global, &mut messages)?;
    }
    Ok(Batch { global_id: global.id, messages })
}

/// Reads one element of `messages` into one message a destination.
fn read_message(mut fields: Fields, global: &Global, messages: &mut Vec<NewMessage>) -> Result<(), Reply> {
    let destinations = fields.texts("destinations").unwrap_or_default();
    if destinations.is_empty() {
        fields.problem("destinations", "must have at least one destination");
    }
    let ids = fields.texts("ids");
    if ids.as_ref().is_some_and(|ids| ids.len() != destinations.len()) {
        fields.problem("ids", "must have as many elements as destinations");
    }
    let sender = fields.required("sender");
    let body = fields.text("body");
    let hex_body = fields.checked("hexBody", is_hex, "must be hexadecimal");
    if body.is_some() == hex_body.is_some() {
        fields.problem("body", "either body or hexBody is required");
    }
    let udh_data = fields.checked("udhData", is_hex, "must be hexadecimal");
    let date = fields.checked("scheduling", |date| scheduled_date(date).is_some(), SCHEDULED_DATE_FORM);
    fields.finish()?;
    check_sender(&sender)?;

    let (body, text, count) = match hex_body {
        Some(hex) => (hex.clone(), hex.clone(), binary_count(hex.len() / 2)),
        None => {
            let body = body.unwrap_or_default();
            let text = shown(&body, global);
            let count = parts::count(&text);
            (body, text, count)
        }
    };
    let scheduled_at: Option<Timestamp> = date.as_deref().and_then(scheduled_date);
    for (at, destination) in destinations.into_iter().enumerate() {
        if PhoneNumber::from_e164(&destination).is_err() {
            continue;
        }
        let id = ids.as_ref().and_then(|ids| ids.get(at)).cloned();
        messages.push(NewMessage {
            channel: Channel::Sms,
            message_id: id.unwrap_or_else(new_id),
            platform_id: None,
            destination,
            sender: sender.clone(),
            body: body.clone(),
            text: text.clone(),
            count,
            simulation: global.simulation,
            campaign_id: Some(global.id.clone()),
            udh_data: udh_data.clone(),
            enable_notification: global.delivery,
            placeholders: None,
            scheduled_at,
            skip_rcs_override: global.skip_rcs_override,
        });
    }
    Ok(())
}

/// The text as the phone shows it under the switches that exist only here.
fn shown(body: &str, global: &Global) -> String {
    let text = if global.unicode { body.to_owned() } else { parts::without_unicode(body) };
    if global.concatenated { text } else { parts::first_part(&text).to_owned() }
}

fn binary_count(octets: usize) -> Count {
    let (alone, each) = BINARY_ROOM;
    let parts = if octets <= alone { 1 } else { octets.div_ceil(each) };
    // A request's limit keeps this far below.
    Count { encoding: Encoding::Gsm7, parts: u32::try_from(parts).unwrap_or(u32::MAX) }
}
