//! A form post as a submission.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::decide::{Decided, Decisions, Known, too_many};
use super::delivering::Late;
use super::notes::Notes;
use super::refusal::{Refusal, RefusalKind};
use super::{
    AcceptedSms, Form, FormText, MAX_MESSAGES, Receipt, ReceivedRecipient, Settings, is_escalation, is_live,
    mail, report_to,
};
use crate::mail::Headers;
use crate::model::{
    Client, Lane, Message, MessageId, Notify, Original, PhoneNumber, Recipient, Remembered, SenderId,
    Submission, SubmissionId,
};
use crate::routing::{Facts, Origin, Routing};
use crate::wording::Source;

/// One text of a form.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneText<'a> {
    pub(super) to: &'a [String],
    pub(super) text: &'a str,
    sender: Option<&'a str>,
    deliver_at: Option<Timestamp>,
    lane: Option<Lane>,
}

impl Form {
    /// Its texts, of which there is one at least.
    pub(super) fn texts(&self) -> impl Iterator<Item = OneText<'_>> {
        let first = OneText {
            to: &self.to,
            text: &self.text,
            sender: self.sender.as_deref(),
            deliver_at: self.deliver_at,
            lane: self.lane,
        };
        std::iter::once(first).chain(self.others.iter().map(OneText::of))
    }
}

impl<'a> OneText<'a> {
    fn of(other: &'a FormText) -> Self {
        Self {
            to: &other.to,
            text: &other.text,
            sender: other.sender.as_deref(),
            deliver_at: other.deliver_at,
            lane: other.lane,
        }
    }
}

/// What becomes of a form post; with `notes`, how it came about is told there.
pub(super) fn prepare(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    form: &Form,
    now: Timestamp,
    notes: Option<&mut Notes>,
) -> Result<Prepared, Refusal> {
    let refuse = |text: &str| Refusal { kind: RefusalKind::NothingToSend, text: text.to_owned() };
    if form.texts().any(|one| one.to.is_empty()) {
        return Err(refuse("no destination is given"));
    }
    if form.texts().any(|one| one.text.trim().is_empty()) {
        return Err(refuse("the text is empty"));
    }
    // Each that is taken is one SMS at least, and an answer could not tell of so many that are not.
    if form.texts().any(|one| one.to.len() > MAX_MESSAGES) {
        return Err(too_many());
    }
    let mut senders: Vec<Option<SenderId>> = form
        .texts()
        .map(|one| one.sender.map(SenderId::new).transpose())
        .collect::<Result<_, _>>()
        .map_err(|error| Refusal { kind: RefusalKind::NotAllowed, text: error.to_string() })?;
    let allowance = routing.allowance(client.account.as_deref());
    for wish in senders.iter_mut().filter(|_| form.sender_is_wish) {
        if let Some(sender) = wish.take_if(|sender| !allowance.may_choose(sender)) {
            tracing::warn!(account = client.account, %sender, "a form's sender is left out: its account may not choose it");
        }
    }
    if let Some(sender) = senders.iter().flatten().find(|sender| !allowance.may_choose(sender)) {
        let text = format!(
            "account `{}` may not send as `{sender}`; use a sender of its own, or have the operator add this one",
            client.account.as_deref().unwrap_or_default()
        );
        return Err(Refusal { kind: RefusalKind::NotAllowed, text });
    }
    let id = SubmissionId::new(now);
    let origin = Origin { client, envelope_sender: None };
    let received_at = now.to_zoned(TimeZone::system());
    let source = Source {
        subject: "",
        text: "",
        text_with_links: None,
        is_mail: false,
        from: client.account.as_deref().unwrap_or_default(),
        from_name: "",
        client,
        headers: Headers::default(),
        attachments: &[],
        received_at: &received_at,
    };
    let report_to = report_to::for_form(settings, allowance.reports_to.as_ref());
    let late = Late::of(settings, &report_to);
    let mut decisions = Decisions::new(id, routing, late, notes);
    let mut recipients = Vec::with_capacity(form.to.len());
    for (place, (one, sender)) in form.texts().zip(&senders).enumerate() {
        let facts = Facts {
            text: one.text,
            requested_sender: sender.as_ref(),
            requested_lane: one.lane,
            requested_time: one.deliver_at,
            ..Facts::of(origin, now)
        };
        let known = Known::of_text(place, facts, Source { text: one.text, ..source });
        // Whoever is on call then gets it.
        let at = one.deliver_at.map_or(now, |wanted| wanted.max(now));
        for written in one.to {
            decisions.begin();
            let outcome = match mail::reached(routing, &origin, written, at, now) {
                Ok(destinations) => {
                    let recipient =
                        Recipient { address: written.clone(), notify: Notify::Unspecified, orcpt: None };
                    decisions.add(&known, &recipient, written, &destinations)?;
                    decisions.end_turn(form.partial)
                }
                Err(refusal) if form.partial => {
                    decisions.leave_out(&refusal);
                    Err(refusal)
                }
                Err(refusal) => return Err(refusal),
            };
            recipients.push((written.clone(), outcome));
        }
    }
    let decided = decisions.finish();
    if form.partial
        && let Some(refusal) = first_if_all_are_refused(&recipients)
    {
        return Err(refusal);
    }
    let Decided { messages, same_as } = decided?;
    let sms_of = |places: Range<usize>| -> BTreeSet<usize> {
        places.map(|place| sent_for(&same_as, place)).filter(|place| is_live(&messages[*place])).collect()
    };
    let recipients =
        recipients.into_iter().map(|(written, outcome)| (written, outcome.map(sms_of))).collect();
    let submission = Submission {
        id,
        received_at: now,
        client: client.clone(),
        report_to,
        tell_url: form.tell_url.clone(),
        original: Original::default(),
        messages,
        forwards: Vec::new(),
        remembered: Remembered::default(),
    };
    Ok(Prepared { submission, recipients })
}

fn first_if_all_are_refused<T>(recipients: &[(String, Result<T, Refusal>)]) -> Option<Refusal> {
    let refusals: Option<Vec<&Refusal>> =
        recipients.iter().map(|(_, outcome)| outcome.as_ref().err()).collect();
    refusals?.first().map(|first| (*first).clone())
}

/// The place of the SMS that says what the one at `place` would have said: mostly itself. What is sent for
/// another one never stands behind that one, so that this comes to an end.
fn sent_for(same_as: &BTreeMap<usize, usize>, mut place: usize) -> usize {
    while let Some(other) = same_as.get(&place) {
        place = *other;
    }
    place
}

/// A form post that is decided.
#[derive(Debug)]
pub(super) struct Prepared {
    /// What is to be kept.
    pub(super) submission: Submission,
    /// The destinations as written, each with the places among the messages of the SMS that are sent for it.
    pub(super) recipients: Vec<(String, Result<BTreeSet<usize>, Refusal>)>,
}

impl Prepared {
    /// What is to be kept, and what the client is told once that is kept.
    pub(super) fn split(self) -> (Submission, Draft) {
        let Self { submission, recipients } = self;
        let sms = |message: &Message| Drafted {
            id: message.sms.id,
            destination: message.sms.destination.clone(),
            parts: message.sms.text.parts,
            is_sent: is_live(message) && !is_escalation(message),
        };
        let draft =
            Draft { id: submission.id, sms: submission.messages.iter().map(sms).collect(), recipients };
        (submission, draft)
    }
}

/// What a client is told, but for the numbers.
#[derive(Debug)]
pub(super) struct Draft {
    id: SubmissionId,
    /// All the submission's messages.
    sms: Vec<Drafted>,
    recipients: Vec<(String, Result<BTreeSet<usize>, Refusal>)>,
}

#[derive(Debug)]
struct Drafted {
    id: MessageId,
    destination: PhoneNumber,
    parts: u32,
    is_sent: bool,
}

impl Draft {
    /// With the numbers that the messages got, in their order.
    pub(super) fn receipt(self, numbers: &[i64]) -> Receipt {
        let accepted = |(sms, number): (Drafted, &i64)| {
            let Drafted { id, destination, parts, is_sent } = sms;
            is_sent.then_some(AcceptedSms { id, number: *number, destination, parts })
        };
        let sms: Vec<Option<AcceptedSms>> = self.sms.into_iter().zip(numbers).map(accepted).collect();
        let at = |places: BTreeSet<usize>| -> Vec<AcceptedSms> {
            places.into_iter().filter_map(|place| sms.get(place)?.clone()).collect()
        };
        let recipients = self.recipients.into_iter();
        let recipients = recipients.map(|(to, outcome)| ReceivedRecipient { to, outcome: outcome.map(at) });
        Receipt {
            id: self.id,
            recipients: recipients.collect(),
            messages: sms.into_iter().flatten().collect(),
        }
    }
}
