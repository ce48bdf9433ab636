//! `GET /api/partner-gateway/v1/messages/status/{id}?channel=SMS`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::faults::Endpoint;
use super::fields::Reply;
use super::message::{Accepted, Channel};
use super::platform::Platform;
use super::server::{Checked, Connection, answer};

/// Tells where a message is.
pub(super) async fn status(
    State(platform): State<Arc<Platform>>,
    Extension(connection): Extension<Connection>,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Err(reply) = platform.admit(Endpoint::Status, &headers) {
        return reply.into_response();
    }
    let channel = [Channel::Sms, Channel::Rcs, Channel::WhatsApp]
        .into_iter()
        .find(|channel| query.get("channel").is_some_and(|word| word == channel.as_str()));
    let Some(channel) = channel else {
        let what = "must be SMS, RCS or WHATSAPP";
        return Reply::fail(StatusCode::BAD_REQUEST, "channel", what).into_response();
    };
    let message = platform.read(|record| record.in_channel(&id, channel).cloned());
    let pair = message.as_ref().map(|message| (message.destination.as_str(), message.body.as_str()));
    let pairs: Vec<(&str, &str)> = pair.into_iter().collect();
    // The message may have moved on while a fault kept the question waiting.
    let told = || match platform.read(|record| record.in_channel(&id, channel).map(reply)) {
        Some(reply) => reply,
        None => Reply::fail(StatusCode::NOT_FOUND, "customerMessageId", "Message not found"),
    };
    let request = Checked {
        endpoint: Endpoint::Status,
        messages: &pairs,
        accept: |_| told(),
        // Such a rule can't be ordered for this endpoint.
        refuse: |_| told(),
    };
    answer(Arc::clone(&platform), connection, request).await
}

fn reply(message: &Accepted) -> Reply {
    let date = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let delivered = message.ended_at.filter(|_| message.status == super::Status::Delivered);
    Reply::ok(json!({
        "customerMessageId": message.message_id,
        "channel": message.channel.as_str(),
        "destination": message.destination,
        "deliveryStatus": message.status.as_str(),
        "deliveryStatusDescription": message.status.description(),
        "sendDate": (message.status != super::Status::Unknown).then(|| date(message.accepted_at)),
        "deliveryDate": delivered.map(date),
        "readDate": null,
    }))
}
