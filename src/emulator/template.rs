//! `POST /api/message-server/rcs/send` and `.../whatsapp/send`: approved templates, filled.
//!
//! Every template counts as approved; the phone shows its id and its variables.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::faults::Endpoint;
use super::fields::{Fields, Reply};
use super::message::Channel;
use super::parts::Count;
use super::platform::{NewMessage, Platform, new_id};
use super::server::{Checked, Connection, Terms, answer};
use super::universal::listed;
use crate::model::{Encoding, PhoneNumber};

/// Sends one RCS message.
pub(super) async fn send_rcs(
    State(platform): State<Arc<Platform>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    send(platform, connection, Channel::Rcs, "rcs", &headers, &body).await
}

/// Sends one WhatsApp message.
pub(super) async fn send_whatsapp(
    State(platform): State<Arc<Platform>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    send(platform, connection, Channel::WhatsApp, "whatsapp", &headers, &body).await
}

async fn send(
    platform: Arc<Platform>,
    connection: Connection,
    channel: Channel,
    word: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let new = match platform.admit(Endpoint::Template, headers).and_then(|()| read(channel, headers, body)) {
        Ok(new) => new,
        Err(reply) => return reply.into_response(),
    };
    let new = NewMessage { platform_id: new.platform_id.or_else(|| platform.own_id()), ..new };
    let (id, told_id) = (new.message_id.clone(), new.platform_id.clone());
    let told_id = told_id.unwrap_or_else(|| id.clone());
    let (destination, body) = (new.destination.clone(), new.body.clone());
    let simulation = new.simulation;
    let reply = |accepted| listed(&told_id, &id, simulation, &destination, word, accepted);
    if PhoneNumber::from_e164(&destination).is_err() {
        return reply(false).into_response();
    }
    let request = Checked {
        endpoint: Endpoint::Template,
        messages: &[(&destination, &body)],
        accept: |terms: Terms| {
            platform.accept(vec![new], terms.delivery);
            reply(true)
        },
        // The array form has no place for reasons.
        refuse: |_| reply(false),
    };
    answer(Arc::clone(&platform), connection, request).await
}

/// The documented fields, and the two names of the client's own id that the answer returns.
fn read(channel: Channel, headers: &HeaderMap, body: &[u8]) -> Result<NewMessage, Reply> {
    let mut fields = Fields::of_request(headers, body)?;
    let destination = fields.required("phoneNumber");
    let template = fields.required("templateId");
    let variables = fields.table("variables");
    let message_id = fields.checked("messageId", |id| !id.is_empty(), "must not be empty");
    let customer_id = fields.checked("customerMessageId", |id| !id.is_empty(), "must not be empty");
    let simulation = fields.flag("simulation", false);
    fields.finish()?;
    let shown: Vec<String> =
        variables.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(NewMessage {
        channel,
        // An id that the client calls its own reference is not the platform's.
        platform_id: (message_id.is_none() && customer_id.is_some()).then(new_id),
        message_id: message_id.or(customer_id).unwrap_or_else(new_id),
        destination,
        sender: String::new(),
        text: [template.clone()].into_iter().chain(shown).collect::<Vec<_>>().join(" "),
        body: template,
        // Neither channel has parts.
        count: Count { encoding: Encoding::Ucs2, parts: 1 },
        simulation,
        campaign_id: None,
        udh_data: None,
        enable_notification: true,
        placeholders: variables,
        scheduled_at: None,
        skip_rcs_override: false,
    })
}
