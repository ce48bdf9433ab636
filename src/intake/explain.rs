//! What would become of a mail or form post, and why: the same steps as for a real one, and nothing is
//! kept or sent.

use jiff::Timestamp;

use super::delivering::ExplainedDelivery;
use super::notes::Notes;
use super::{Form, Refusal, Settings, form, mail};
use crate::model::{
    Client, Envelope, EnvelopeRecipient, MailAddress, PhoneNumber, SenderId, Sms, SmsText, Submission,
};
use crate::routing::{Amount, Origin, Routing, Tried};
use crate::text::{self, Foreign};
use crate::wording::{Groups, Removed};

/// What is explained.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// A mail as it would come in, dots unstuffed.
    Mail {
        /// Its envelope.
        envelope: &'a Envelope,
        /// The whole of it.
        bytes: &'a [u8],
    },
    /// A form post.
    Form(&'a Form),
}

/// What would become of it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decoded subject; empty for a form.
    pub subject: String,
    /// The address in `From:`, or else the reverse path, or else the account.
    pub from: String,
    /// The text that was found, before anything was left out.
    pub text: String,
    /// The mail's attachments: names, or media types where they have none.
    pub attachments: Vec<String>,
    /// Each recipient, in order. Of a form that is refused for one destination those up to it.
    pub recipients: Vec<ExplainedRecipient>,
    /// The refusal of the whole: at `MAIL`, at the final dot, or as the answer to a form. Then nothing is
    /// sent to anybody, and no recipient has a phone that gets an SMS.
    pub refusal: Option<Refusal>,
}

/// What would become of one recipient.
#[derive(Clone, Debug)]
pub struct ExplainedRecipient {
    /// The recipient as named: an address, or a form's destination.
    pub written: String,
    /// Its phones, or why it is refused when it is named (or at the end, together with all others). Mail to
    /// the postmaster has no phone.
    pub outcome: Result<Vec<ExplainedPhone>, Refusal>,
    /// The operator, where the mail is forwarded because the recipient is the postmaster.
    pub forwarded_to: Option<MailAddress>,
}

/// What would become of the SMS to one phone.
#[derive(Clone, Debug)]
pub struct ExplainedPhone {
    /// The phone.
    pub destination: PhoneNumber,
    /// The destination as written, where the mail's text names it.
    pub named: Option<String>,
    /// Whether the rule sends it there, and not the recipient.
    pub is_of_rule: bool,
    /// The rules that were asked, in order, since the decision before for the same phone of the recipient; the one that
    /// matched has no unmet condition, and where it goes on, those that were asked in vain may stand behind it.
    pub tried: Vec<Tried>,
    /// The rule that decided; [`DEFAULT_RULE`](crate::routing::DEFAULT_RULE) without one.
    pub rule: String,
    /// What it gets.
    pub fate: ExplainedFate,
}

/// What one phone gets.
#[derive(Clone, Debug)]
pub enum ExplainedFate {
    /// SMS.
    Sent {
        /// What the phone shows as sender.
        sender: SenderId,
        /// What was left out of the text.
        removed: Vec<Removed>,
        /// The variables that a template of this rule may use, and their values.
        variables: Vec<(String, String)>,
        /// What the named groups of the rule's patterns found.
        groups: Groups,
        /// Why the template could not be used.
        template_problem: Option<String>,
        /// The words before they were fitted.
        words: String,
        /// The SMS in order.
        sms: Vec<ExplainedSms>,
        /// How they are to reach the phone.
        delivery: Box<ExplainedDelivery>,
    },
    /// Taken, recorded, not sent.
    Dropped {
        /// Why.
        reason: String,
    },
    /// Refused.
    Refused {
        /// Why.
        reason: String,
    },
}

/// One SMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedSms {
    /// The words as the phone shows them, placeholders with their values, and encoding and parts.
    pub text: SmsText,
    /// Its septets, or its UTF-16 units.
    pub units: usize,
    /// The words of each part.
    pub parts: Vec<String>,
    /// The characters that make it UCS-2, in order; empty in GSM 7-bit.
    pub foreign: Vec<Foreign>,
    /// How many parts it would have with a character of one septet in place of each.
    pub parts_without_foreign: u32,
    /// What it costs, where a price is configured and it is sent.
    pub price: Option<Amount>,
    /// The recipient for whom the same text goes to this phone already; then this one is not sent.
    pub same_as: Option<String>,
}

impl Explanation {
    /// The SMS that are sent.
    pub fn sent(&self) -> impl Iterator<Item = &ExplainedSms> {
        let phones = self.recipients.iter().flat_map(|recipient| recipient.outcome.iter().flatten());
        let sms = phones.flat_map(|phone| match &phone.fate {
            ExplainedFate::Sent { sms, .. } => sms.as_slice(),
            ExplainedFate::Dropped { .. } | ExplainedFate::Refused { .. } => &[],
        });
        sms.filter(|sms| sms.same_as.is_none())
    }
}

impl ExplainedSms {
    pub(super) fn new(routing: &Routing, sms: &Sms, same_as: Option<String>) -> Self {
        let values = sms.options.placeholders.as_ref();
        let shown = values.map_or_else(|| sms.text.body.clone(), |values| text::fill(&sms.text.body, values));
        let words = &shown;
        let without_foreign = words.replace(|c: char| text::gsm::encode(c).is_none(), "?");
        let price = match same_as {
            None => routing.prices().of(&sms.destination, sms.text.parts),
            Some(_) => None,
        };
        Self {
            units: text::measure(words).units,
            parts: text::parts(words).into_iter().map(str::to_owned).collect(),
            foreign: text::foreign(words),
            parts_without_foreign: text::measure(&without_foreign).parts,
            price,
            same_as,
            text: SmsText { body: shown, ..sms.text },
        }
    }
}

/// Explains what would become of `incoming`: the decisions are those of the real way in, with notes
/// taken. What counts over time, an account's messages a minute and its parts a day, is not looked at.
pub fn explain(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    incoming: Incoming<'_>,
    now: Timestamp,
) -> Explanation {
    match incoming {
        Incoming::Mail { envelope, bytes } => explain_mail(routing, settings, client, envelope, bytes, now),
        Incoming::Form(form) => explain_form(routing, settings, client, form, now),
    }
}

fn explain_mail(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    envelope: &Envelope,
    bytes: &[u8],
    now: Timestamp,
) -> Explanation {
    let origin = Origin { client, envelope_sender: Some(&envelope.reverse_path) };
    let checked = |recipient: &EnvelopeRecipient| {
        mail::check_recipient(routing, settings, client, &envelope.reverse_path, &recipient.address, now)
    };
    // Who is refused at RCPT is no recipient of what follows.
    let named: Vec<Result<(), Refusal>> = envelope.recipients.iter().map(checked).collect();
    let accepted = envelope.recipients.iter().zip(&named).filter(|(_, named)| named.is_ok());
    let envelope_left =
        Envelope { recipients: accepted.map(|(one, _)| one.clone()).collect(), ..envelope.clone() };
    let mut notes = Notes::default();
    let end = mail::prepare(routing, settings, client, &envelope_left, bytes, now, Some(&mut notes));
    let mut noted = outcomes(end.as_ref(), notes).into_iter();
    let recipients = envelope.recipients.iter().zip(named).map(|(recipient, named)| {
        let is_accepted = named.is_ok();
        let outcome = named.and_then(|()| match (noted.next(), &end) {
            (Some(phones), _) => phones,
            (None, Err(refusal)) => Err(refusal.clone()),
            (None, Ok(_)) => Ok(Vec::new()),
        });
        let forwarded = is_accepted && outcome.is_ok() && settings.is_postmaster(routing, &recipient.address);
        ExplainedRecipient {
            written: recipient.address.to_string(),
            outcome,
            forwarded_to: settings.operator.clone().filter(|_| forwarded),
        }
    });
    let recipients = recipients.collect();
    let mail = crate::mail::read(bytes);
    let header_sender = mail.from.map(|from| from.address.to_string());
    let name = |attachment: crate::mail::Attachment| attachment.name.unwrap_or(attachment.media_type);
    Explanation {
        subject: mail.subject.unwrap_or_default(),
        from: header_sender.or_else(|| origin.sender_text()).unwrap_or_default(),
        text: mail.text,
        attachments: mail.attachments.into_iter().map(name).collect(),
        recipients,
        refusal: end.err(),
    }
}

fn explain_form(
    routing: &Routing,
    settings: &Settings,
    client: &Client,
    form: &Form,
    now: Timestamp,
) -> Explanation {
    let mut notes = Notes::default();
    let end = form::prepare(routing, settings, client, form, now, Some(&mut notes));
    let outcomes = outcomes(end.as_ref().map(|prepared| &prepared.submission), notes);
    let written = form.texts().flat_map(|one| one.to);
    let recipients = written.zip(outcomes).map(|(written, outcome)| ExplainedRecipient {
        written: written.clone(),
        outcome,
        forwarded_to: None,
    });
    Explanation {
        subject: String::new(),
        from: client.account.clone().unwrap_or_default(),
        text: form.texts().map(|one| one.text).collect::<Vec<_>>().join("\n\n"),
        attachments: Vec::new(),
        recipients: recipients.collect(),
        refusal: end.err(),
    }
}

/// What each recipient whose turn it was got. Where the whole is refused, none gets anything: those whose
/// phones are refused one by one keep that, unless the refusal came before all was decided.
fn outcomes(end: Result<&Submission, &Refusal>, notes: Notes) -> Vec<Result<Vec<ExplainedPhone>, Refusal>> {
    let (recipients, all_decided) = notes.into_recipients();
    let outcome = |phones: Result<Vec<ExplainedPhone>, Refusal>| match (end, &phones) {
        (Err(refusal), Ok(decided)) if !all_decided || decided.is_empty() => Err(refusal.clone()),
        (Err(_) | Ok(_), _) => phones,
    };
    recipients.into_iter().map(outcome).collect()
}
