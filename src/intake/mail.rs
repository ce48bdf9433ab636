//! A mail as a submission.

use std::time::Duration;

use jiff::Timestamp;

use super::decide::Decisions;
use super::refusal::{Refusal, RefusalKind};
use super::{Settings, report_to, trace};
use crate::mail::{self, Mail};
use crate::model::{
    Client, Envelope, EnvelopeRecipient, MailId, MailKind, Original, OutgoingMail, Recipient, Ret,
    ReversePath, Submission, SubmissionId,
};
use crate::retry::later;
use crate::routing::{Facts, Origin, Routing};

/// Octets of a header section that are kept for a report; a longer one is cut at a line.
const MAX_HEADERS: usize = 64 * 1024;
/// How long mail for the postmaster is tried (RFC 5321 section 4.5.4.1: 4 to 5 days).
const FORWARD_LIFETIME: Duration = Duration::from_secs(5 * 24 * 3600);

pub(super) fn prepare(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    envelope: &Envelope,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Submission, Refusal> {
    let origin = Origin { client, envelope_sender: Some(&envelope.reverse_path) };
    // Asked again, as all that follows: the rules may have been reloaded since MAIL and RCPT.
    routing.check_sender(&origin)?;
    let mail = mail::read(bytes);
    if mail.received_count > settings.max_received {
        let text = format!("the mail has {} Received fields: it goes in circles", mail.received_count);
        return Err(Refusal { kind: RefusalKind::Loop, text });
    }
    let id = SubmissionId::new(now);
    let trace = trace::received(client, &settings.hostname, envelope.protocol, envelope.smtputf8, id, now);
    let header_sender = mail.from.as_ref().map(|from| from.address.to_string());
    let facts = Facts {
        origin,
        header_sender: header_sender.as_deref(),
        subject: mail.subject.as_deref().unwrap_or_default(),
        text: &mail.text,
        requested_sender: None,
    };
    let mut decisions = Decisions::new(id, now, routing, facts);
    let mut forwards = Vec::new();
    for recipient in &envelope.recipients {
        if settings.is_postmaster(routing, &recipient.address) {
            forwards.push(forward(settings, envelope, recipient, &trace, bytes, id, now)?);
            continue;
        }
        let destinations = routing.resolve(&recipient.address)?;
        routing.check_reach(&origin, recipient.address.local(), &destinations)?;
        let kept = Recipient {
            address: recipient.address.to_string(),
            notify: recipient.notify,
            orcpt: recipient.orcpt.clone(),
        };
        decisions.add(&kept, recipient.address.local(), &destinations)?;
    }
    Ok(Submission {
        id,
        received_at: now,
        client: client.clone(),
        report_to: report_to::for_mail(settings, routing, &envelope.reverse_path, mail.automatic),
        original: original(settings, envelope, &mail, &trace, bytes),
        messages: decisions.finish()?,
        forwards,
    })
}

fn original(settings: &Settings, envelope: &Envelope, mail: &Mail, trace: &str, bytes: &[u8]) -> Original {
    let is_full = envelope.ret == Some(Ret::Full) && bytes.len() <= settings.full_original_octets;
    let kept = if is_full { bytes } else { whole_lines(&bytes[mail.header_section.clone()], MAX_HEADERS) };
    Original {
        envid: envelope.envid.clone(),
        ret: envelope.ret,
        message_id: mail.message_id.clone(),
        subject: mail.subject.clone(),
        content: [trace.as_bytes(), kept].concat(),
        is_full,
    }
}

/// The beginning of `bytes` up to a line end, at most `limit` octets.
fn whole_lines(bytes: &[u8], limit: usize) -> &[u8] {
    if bytes.len() <= limit {
        return bytes;
    }
    let end = bytes[..limit].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &bytes[..end]
}

fn forward(
    settings: &Settings,
    envelope: &Envelope,
    recipient: &EnvelopeRecipient,
    trace: &str,
    bytes: &[u8],
    id: SubmissionId,
    now: Timestamp,
) -> Result<OutgoingMail, Refusal> {
    // Where no failure is to be reported, the next server must not report one either, and it may
    // know nothing of NOTIFY (RFC 3461 section 5.2.2).
    let reverse_path = match recipient.notify.wants_failure() {
        true => envelope.reverse_path.clone(),
        false => ReversePath::Null,
    };
    Ok(OutgoingMail {
        id: MailId::new(now),
        about: id,
        kind: MailKind::Postmaster,
        reverse_path,
        recipient: settings.operator_for(&recipient.address)?.clone(),
        bytes: [trace.as_bytes(), bytes].concat(),
        expires_at: later(now, FORWARD_LIFETIME),
    })
}
