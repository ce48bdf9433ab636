//! `POST /api/message-server/sms/send`: one message to one destination.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::AnswerShape;
use super::faults::Endpoint;
use super::fields::{Fields, Reply, SCHEDULED_DATE_FORM, is_hex, scheduled_date};
use super::message::{Channel, fill};
use super::parts;
use super::platform::{NewMessage, Platform, new_id};
use super::server::{Checked, Connection, Terms, answer};
use crate::model::{PhoneNumber, SenderId};

/// Longest `campaignId` in characters.
const MAX_CAMPAIGN_ID: usize = 255;
/// What a destination that is no number in international form is told.
const BAD_DESTINATION: &str = "Invalid destination number format";

/// Sends one SMS.
pub(super) async fn send(
    State(platform): State<Arc<Platform>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let checked = platform.admit(Endpoint::Send, &headers).and_then(|()| read(&headers, &body));
    let new = match checked {
        Ok(new) => new,
        Err(reply) => return reply.into_response(),
    };
    let shape = platform.settings.answer_shape;
    let about = About::of(&new);
    if PhoneNumber::from_e164(&new.destination).is_err() {
        return about.refused(shape, &[BAD_DESTINATION.to_owned()]).into_response();
    }
    let new = NewMessage { platform_id: platform.own_id(), ..new };
    let about = About { told_id: new.platform_id.clone().unwrap_or(about.told_id), ..about };
    let (destination, body) = (new.destination.clone(), new.body.clone());
    let request = Checked {
        endpoint: Endpoint::Send,
        messages: &[(&destination, &body)],
        accept: |terms: Terms| {
            platform.accept(vec![new], terms.delivery);
            about.accepted(shape)
        },
        refuse: |reasons: Vec<String>| about.refused(shape, &reasons),
    };
    answer(Arc::clone(&platform), connection, request).await
}

/// Reads the request strictly.
///
/// # Errors
/// 400 for what breaks the form of a field, 422 for a sender that no phone shows.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<NewMessage, Reply> {
    let mut fields = Fields::of_request(headers, body)?;
    let destination = fields.required("destination");
    let sender = fields.required("sender");
    let body = fields.required("body");
    let campaign_id = fields.checked(
        "campaignId",
        |id| id.chars().count() <= MAX_CAMPAIGN_ID,
        "must have at most 255 characters",
    );
    let message_id = fields.checked("messageId", |id| !id.is_empty(), "must not be empty");
    let udh_data = fields.checked("udhData", is_hex, "must be hexadecimal");
    let simulation = fields.flag("simulation", false);
    let enable_notification = fields.flag("enableNotification", true);
    let placeholders = fields.table("placeholders");
    let date = fields.checked("scheduledDate", |date| scheduled_date(date).is_some(), SCHEDULED_DATE_FORM);
    let skip_rcs_override = fields.flag("skipRcsOverride", false);
    fields.finish()?;
    check_sender(&sender)?;
    let text = placeholders.as_ref().map_or_else(|| body.clone(), |values| fill(&body, values));
    Ok(NewMessage {
        channel: Channel::Sms,
        message_id: message_id.unwrap_or_else(new_id),
        platform_id: None,
        destination,
        sender,
        body,
        count: parts::count(&text),
        text,
        simulation,
        campaign_id,
        udh_data,
        enable_notification,
        placeholders,
        scheduled_at: date.as_deref().and_then(scheduled_date),
        skip_rcs_override,
    })
}

/// Checks a sender id.
///
/// # Errors
/// A 422.
pub(super) fn check_sender(sender: &str) -> Result<(), Reply> {
    let unprocessable = |_| {
        Reply::fail(
            StatusCode::UNPROCESSABLE_ENTITY,
            "sender",
            "must be alphanumeric, up to 11 characters, or numeric",
        )
    };
    SenderId::new(sender).map(drop).map_err(unprocessable)
}

/// What an answer says about its message.
struct About {
    /// `messageId` of the answer.
    told_id: String,
    /// The client's.
    message_id: String,
    destination: String,
    simulation: bool,
    count: parts::Count,
}

impl About {
    fn of(new: &NewMessage) -> Self {
        Self {
            told_id: new.message_id.clone(),
            message_id: new.message_id.clone(),
            destination: new.destination.clone(),
            simulation: new.simulation,
            count: new.count,
        }
    }

    fn accepted(&self, shape: AnswerShape) -> Reply {
        let unicode = self.count.encoding == crate::model::Encoding::Ucs2;
        let sms = json!({"accepted": true, "unicode": unicode, "parts": self.count.parts, "reasons": []});
        self.reply(shape, sms, true)
    }

    fn refused(&self, shape: AnswerShape, reasons: &[String]) -> Reply {
        let sms = json!({"accepted": false, "unicode": false, "parts": 0, "reasons": reasons});
        self.reply(shape, sms, false)
    }

    fn reply(&self, shape: AnswerShape, sms: Value, accepted: bool) -> Reply {
        match shape {
            AnswerShape::Object => Reply::ok(json!({
                "messageId": self.told_id,
                "simulation": self.simulation,
                "results": {"sms": sms},
            })),
            AnswerShape::Array => {
                listed(&self.told_id, &self.message_id, self.simulation, &self.destination, "sms", accepted)
            }
        }
    }
}

/// The answer in the array form.
pub(super) fn listed(
    message_id: &str,
    customer_id: &str,
    simulation: bool,
    destination: &str,
    channel: &str,
    accepted: bool,
) -> Reply {
    Reply::ok(json!({
        "messageId": message_id,
        "customerMessageId": customer_id,
        "simulation": simulation,
        "results": [{
            "phoneNumber": destination,
            "accepted": accepted,
            "channel": channel,
            "statusCode": if accepted { 200 } else { 422 },
        }],
    }))
}
