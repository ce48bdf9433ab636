//! How the fate of a form looks to its client.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::{Channel, Client, State, SubmissionId};
use crate::spool::{MailView, MessageView, SubmissionView};

/// A line for each SMS; the submission's id alone where it has none.
pub(super) fn lines(id: SubmissionId, messages: &[MessageView]) -> String {
    if messages.is_empty() {
        return format!("OK; ID={id}\n");
    }
    messages.iter().fold(String::new(), |mut lines, message| {
        let (id, to) = (message.sms.id, &message.sms.destination);
        let (state, since) = (message.state, since(message));
        // Writing to a String cannot fail.
        let _ = write!(lines, "OK; ID={id}; TO={to}; STATE={state}; PARTS={}", message.sms.text.parts);
        if let Some(since) = since {
            let _ = write!(lines, "; SINCE={since}");
        }
        if let Some(price) = message.price {
            let _ = write!(lines, "; PRICE={price}");
        }
        lines.push('\n');
        lines
    })
}

/// Everything that is known about a submission, as [`json`] tells it of all its SMS.
pub fn fate(id: SubmissionId, view: &SubmissionView) -> Value {
    json(id, view, &view.messages)
}

/// Everything that is known. Times are RFC 3339 in UTC, prices decimals as text, and what is not known is null.
pub(super) fn json(id: SubmissionId, view: &SubmissionView, messages: &[MessageView]) -> Value {
    json!({
        "id": id.to_string(),
        "received_at": view.received_at.to_string(),
        "client": client(&view.client),
        "messages": messages.iter().map(message).collect::<Vec<_>>(),
        "reports": view.mails.iter().map(report).collect::<Vec<_>>(),
    })
}

/// Who handed it in.
fn client(client: &Client) -> Value {
    json!({
        "door": client.door.as_str(),
        "listener": client.listener,
        "address": client.address.to_string(),
        "account": client.account,
    })
}

/// A mail about it. Its words are not told: they may be about SMS that were not asked about.
fn report(mail: &MailView) -> Value {
    json!({
        "id": mail.mail.id.to_string(),
        "kind": mail.mail.kind.as_str(),
        "to": mail.mail.recipient.to_string(),
        "state": mail.state,
        "attempts": mail.attempts,
        "timeline": mail.events.iter().map(|event| json!({
            "at": event.at.to_string(),
            "state": event.state,
            "note": event.note,
        })).collect::<Vec<_>>(),
    })
}

fn message(message: &MessageView) -> Value {
    let sms = &message.sms;
    let since = since(message);
    let is_final = matches!(message.state, State::Final(_));
    json!({
        "id": sms.id.to_string(),
        "to": message.recipient.address,
        "phone": sms.destination.as_str(),
        "sender": sms.sender.as_str(),
        "text": sms.text.body,
        "encoding": sms.text.encoding.as_str(),
        "parts": sms.text.parts,
        "platform_parts": message.platform_parts,
        "rule": message.rule,
        "lane": message.lane.as_str(),
        "state": message.state.as_str(),
        "held_for": message.hold_reason.map(|reason| reason.as_str()),
        "folded_into": message.folded_into.map(|id| id.to_string()),
        "tells_of": message.tells_of.as_ref().map(|of| json!({
            "count": of.count,
            "first": of.first.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
        "since": time(since),
        "ended_at": time(since.filter(|_| is_final)),
        "next_at": time(message.next_at),
        "expires_at": message.expires_at.to_string(),
        "gateway": message.gateway,
        "channel": message.channel.as_str(),
        "price": message.price.map(|price| price.to_string()),
        "cause": message.cause.as_ref().map(|cause| json!({
            "text": cause.text,
            "status": cause.status.to_string(),
            "diagnostic": cause.diagnostic,
        })),
        "attempts": message.tries.iter().map(|one| json!({
            "attempt": one.attempt,
            "gateway": one.gateway,
            "channel": one.channel.as_str(),
            "began_at": one.began_at.to_string(),
            "ended_at": time(one.ended_at),
            "outcome": one.outcome,
        })).collect::<Vec<_>>(),
        "callbacks": message.callbacks.iter().map(|part| json!({
            "channel": Channel::as_str(part.channel),
            "part": part.part,
            "parts": part.parts,
            "code": part.status.code(),
            "description": part.description,
            "price": part.price.map(|price| price.to_string()),
            "at": part.at.to_string(),
        })).collect::<Vec<_>>(),
        "timeline": message.events.iter().map(|event| json!({
            "at": event.at.to_string(),
            "state": event.state.as_str(),
            "note": event.note,
        })).collect::<Vec<_>>(),
    })
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// When it came into the state that it is in: the first of the last lines that tell of this state.
fn since(message: &MessageView) -> Option<Timestamp> {
    let last = message.events.iter().rev().take_while(|event| event.state == message.state);
    last.last().map(|event| event.at)
}
