//! A form post as a submission.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::decide::{Decisions, Known};
use super::delivering::Late;
use super::notes::Notes;
use super::refusal::{Refusal, RefusalKind};
use super::{Form, Receipt, Settings, is_escalation, is_live, mail, report_to};
use crate::mail::Headers;
use crate::model::{Client, Notify, Original, Recipient, SenderId, Submission, SubmissionId};
use crate::routing::{Facts, Origin, Routing};
use crate::wording::Source;

/// What becomes of a form post; with `notes`, how it came about is told there.
pub(super) fn prepare(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    form: &Form,
    now: Timestamp,
    notes: Option<&mut Notes>,
) -> Result<Submission, Refusal> {
    let refuse = |text: &str| Refusal { kind: RefusalKind::NothingToSend, text: text.to_owned() };
    if form.to.is_empty() {
        return Err(refuse("no destination is given"));
    }
    if form.text.trim().is_empty() {
        return Err(refuse("the text is empty"));
    }
    let sender = form
        .sender
        .as_deref()
        .map(SenderId::new)
        .transpose()
        .map_err(|error| Refusal { kind: RefusalKind::NotAllowed, text: error.to_string() })?;
    let id = SubmissionId::new(now);
    let origin = Origin { client, envelope_sender: None };
    let facts = Facts {
        text: &form.text,
        requested_sender: sender.as_ref(),
        requested_lane: form.lane,
        requested_time: form.deliver_at,
        ..Facts::of(origin)
    };
    let received_at = now.to_zoned(TimeZone::system());
    let source = Source {
        subject: "",
        text: &form.text,
        text_with_links: None,
        is_mail: false,
        from: client.account.as_deref().unwrap_or_default(),
        from_name: "",
        client,
        headers: Headers::default(),
        attachments: &[],
        received_at: &received_at,
    };
    let report_to = report_to::for_form(settings);
    let late = Late::of(settings, &report_to);
    let known = Known::new(facts, source);
    let mut decisions = Decisions::new(id, routing, late, notes);
    for written in &form.to {
        decisions.begin();
        let destinations = mail::reached(routing, &origin, written)?;
        let recipient = Recipient { address: written.clone(), notify: Notify::Unspecified, orcpt: None };
        decisions.add(&known, &recipient, written, &destinations)?;
    }
    Ok(Submission {
        id,
        received_at: now,
        client: client.clone(),
        report_to,
        tell_url: form.tell_url.clone(),
        original: Original::default(),
        messages: decisions.finish()?,
        forwards: Vec::new(),
    })
}

/// What the client is told.
pub(super) fn receipt(submission: &Submission) -> Receipt {
    let sent = submission.messages.iter().filter(|message| is_live(message) && !is_escalation(message));
    let messages = sent.map(|m| (m.sms.id, m.sms.destination.clone(), m.sms.text.parts)).collect();
    Receipt { id: submission.id, messages }
}
