//! A mail as a submission.

use std::cell::OnceCell;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::decide::{Decisions, Known};
use super::delivering::Late;
use super::notes::Notes;
use super::refusal::{Refusal, RefusalKind};
use super::{MAX_MESSAGES, Settings, report_to, trace};
use crate::mail::{self, Headers, Mail};
use crate::model::{
    Client, Envelope, EnvelopeRecipient, MailAddress, MailId, MailKind, Original, OutgoingMail, PhoneNumber,
    Recipient, Remembered, Ret, ReversePath, Submission, SubmissionId,
};
use crate::retry::later;
use crate::routing::{Facts, Origin, Routing};
use crate::wording::Source;
use crate::wording::addressed::{self, Addressed};

/// Octets of a header section that are kept for a report; a longer one is cut at a line.
const MAX_HEADERS: usize = 64 * 1024;
/// How long mail for the postmaster is tried (RFC 5321 section 4.5.4.1: 4 to 5 days).
const FORWARD_LIFETIME: Duration = Duration::from_secs(5 * 24 * 3600);

/// Whether a recipient may be named, as far as one question alone can tell: nothing is counted.
pub(super) fn check_recipient(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    reverse_path: &ReversePath,
    recipient: &MailAddress,
    now: Timestamp,
) -> Result<(), Refusal> {
    if settings.is_postmaster(routing, recipient) {
        return settings.operator_for(recipient).map(|_| ());
    }
    // Who gets a mail that names its destinations in its text is known when the text is.
    if routing.names_in_text(recipient) {
        return Ok(());
    }
    let destinations = routing.resolve(recipient, now)?;
    let origin = Origin { client, envelope_sender: Some(reverse_path) };
    routing.check_reach(&origin, recipient.local(), &destinations)?;
    routing.could_route(&origin, now, recipient.local(), &destinations)?;
    Ok(())
}

/// How many phones a recipient may stand for; for one whose mails name them, as many as there may be.
pub(super) fn phones(routing: &Routing, recipient: &MailAddress, now: Timestamp) -> usize {
    if routing.names_in_text(recipient) {
        return MAX_MESSAGES;
    }
    routing.resolve(recipient, now).map_or(0, |numbers| numbers.len())
}

/// What becomes of a mail; with `notes`, how it came about is told there.
pub(super) fn prepare(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    envelope: &Envelope,
    bytes: &[u8],
    now: Timestamp,
    notes: Option<&mut Notes>,
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
        header_sender: header_sender.as_deref(),
        subject: mail.subject.as_deref().unwrap_or_default(),
        text: &mail.text,
        headers: Some(Headers::of(&mail, bytes)),
        priority: mail.priority,
        ..Facts::of(origin, now)
    };
    let reverse_path = origin.sender_text().unwrap_or_default();
    let received_at = now.to_zoned(TimeZone::system());
    let source = Source {
        subject: facts.subject,
        text: facts.text,
        text_with_links: mail.text_with_links.as_deref(),
        is_mail: true,
        from: header_sender.as_deref().unwrap_or(&reverse_path),
        from_name: mail.from.as_ref().and_then(|from| from.name.as_deref()).unwrap_or_default(),
        client,
        headers: Headers::of(&mail, bytes),
        attachments: &mail.attachments,
        received_at: &received_at,
    };
    let report_to = report_to::for_mail(settings, routing, &envelope.reverse_path, mail.automatic);
    let late = Late::of(settings, &report_to);
    let known = Known::new(facts, source);
    let mut decisions = Decisions::new(id, routing, late, notes);
    let addressed = OnceCell::new();
    let mut forwards = Vec::new();
    for recipient in &envelope.recipients {
        decisions.begin();
        if settings.is_postmaster(routing, &recipient.address) {
            forwards.push(forward(settings, envelope, recipient, &trace, bytes, id, now)?);
            continue;
        }
        let kept = Recipient {
            address: recipient.address.to_string(),
            notify: recipient.notify,
            orcpt: recipient.orcpt.clone(),
        };
        if routing.names_in_text(&recipient.address) {
            let addressed = addressed.get_or_init(|| addressed::read(&mail.text));
            let known = known.with_text(&addressed.text);
            for written in named(addressed)? {
                let destinations = reached(routing, &origin, written, now, now)?;
                decisions.add(&known, &kept, written, &destinations)?;
            }
            continue;
        }
        let destinations = routing.resolve(&recipient.address, now)?;
        routing.check_reach(&origin, recipient.address.local(), &destinations)?;
        decisions.add(&known, &kept, recipient.address.local(), &destinations)?;
    }
    Ok(Submission {
        id,
        received_at: now,
        client: client.clone(),
        report_to,
        tell_url: None,
        original: original(settings, envelope, &mail, &trace, bytes),
        messages: decisions.finish()?.messages,
        forwards,
        remembered: Remembered::default(),
    })
}

/// The destinations that a mail names in its text.
fn named<'a>(addressed: &'a Addressed<'a>) -> Result<&'a [&'a str], Refusal> {
    let refuse = |kind, text: String| Err(Refusal { kind, text });
    match addressed.to.len() {
        0 => refuse(
            RefusalKind::UnknownRecipient,
            "the mail names no destination; it needs a line like `to: +393471234567` in its text".to_owned(),
        ),
        1..=MAX_MESSAGES => Ok(&addressed.to),
        count => refuse(
            RefusalKind::TooMany,
            format!("the mail names {count} destinations in its text; {MAX_MESSAGES} are the most"),
        ),
    }
}

/// The numbers behind a destination that a text or a form names, all of which the client may reach: those of `at`, by the
/// rules of `now`, which are those that decide.
pub(super) fn reached(
    routing: &Routing,
    origin: &Origin<'_>,
    written: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<Vec<PhoneNumber>, Refusal> {
    let destinations = routing.resolve_written(written, at)?;
    routing.check_reach(origin, written, &destinations)?;
    routing.could_route(origin, now, written, &destinations)?;
    Ok(destinations)
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
        about: Some(id),
        kind: MailKind::Postmaster,
        reverse_path,
        recipient: settings.operator_for(&recipient.address)?.clone(),
        bytes: [trace.as_bytes(), bytes].concat(),
        expires_at: later(now, FORWARD_LIFETIME),
    })
}
