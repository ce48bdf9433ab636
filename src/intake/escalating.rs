//! Who gets an SMS when it was not delivered: rows that wait, one for each phone, and take the place of
//! the others of their recipient.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::explain::ExplainedSms;
use super::passage::Passing;
use crate::model::{
    Channel, Delivery, Fate, HoldReason, Message, MessageId, Notify, Passage, PhoneNumber, QuietSpan,
    Recipient, SenderId, Sms, SmsOptions, SmsText, Ways,
};
use crate::retry::later;
use crate::routing::{EscalationPlan, Routing};

/// The escalation of one recipient's SMS to one phone, before it is known whether they are sent.
#[derive(Clone, Debug)]
pub(super) struct Escalating {
    /// Which SMS it is for, by their places among the messages.
    of: Range<usize>,
    recipient: Recipient,
    rule: String,
    sender: SenderId,
    options: SmsOptions,
    text: SmsText,
    /// The phones, and what the SMS to each has to pass.
    phones: Vec<PhoneNumber>,
    passages: BTreeMap<PhoneNumber, Passage>,
    delivery: Delivery,
    until: Timestamp,
    /// Those who sleep then, and until when.
    asleep: BTreeMap<PhoneNumber, Timestamp>,
    /// Their quiet hours, since it may be released earlier; none where it need not wait.
    quiet: BTreeMap<PhoneNumber, Vec<QuietSpan>>,
    /// As written.
    to: String,
    after: Duration,
    lifetime: Duration,
}

/// Who gets an escalation, and when.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    /// When it is due.
    pub(super) until: Timestamp,
    /// Whoever is behind its name then.
    pub(super) phones: Vec<PhoneNumber>,
    /// Those of them that it may go to later only, and when.
    pub(super) asleep: BTreeMap<PhoneNumber, Timestamp>,
    /// The quiet hours that count for them, whenever it is sent.
    pub(super) quiet: BTreeMap<PhoneNumber, Vec<QuietSpan>>,
}

impl Reached {
    /// Those of `escalation`, which is for what is sent at `start`. Quiet hours count where `is_held` by them.
    pub(super) fn by(
        routing: &Routing,
        escalation: &EscalationPlan,
        start: Timestamp,
        is_held: bool,
    ) -> Self {
        let until = later(start, escalation.after);
        // The plan has those of a time that begins now.
        let phones = routing.resolve_written(&escalation.to, until);
        let phones = phones.unwrap_or_else(|_| escalation.phones.clone());
        let awake = |phone: &PhoneNumber| (phone.clone(), routing.awake_from(phone, until));
        let asleep = phones.iter().filter(|_| is_held).map(awake).filter(|(_, awake)| *awake > until);
        let quiet = |phone: &PhoneNumber| (phone.clone(), routing.quiet_spans(phone));
        let quiet = phones.iter().filter(|_| is_held).map(quiet).filter(|(_, quiet)| !quiet.is_empty());
        Self { until, asleep: asleep.collect(), quiet: quiet.collect(), phones }
    }
}

/// By recipient, the SMS by which it is to get the words: its own, or others in their stead.
type Watched = BTreeMap<String, BTreeSet<MessageId>>;

fn watched(messages: &[Message]) -> Watched {
    let mut watched = Watched::new();
    for message in messages {
        if let Some(id) = sent_as(message) {
            watched.entry(message.recipient.address.clone()).or_default().insert(id);
        }
    }
    watched
}

/// The places of those that are needed beside `messages`, none of which is an escalation, with the phones of each
/// that no other reaches whenever it would.
pub(super) fn needed(all: &[Escalating], messages: &[Message]) -> Vec<(usize, Vec<PhoneNumber>)> {
    let watched = watched(messages);
    let needed: Vec<usize> = (0..all.len()).filter(|&place| all[place].is_needed(messages)).collect();
    let mut left = Vec::new();
    for &place in &needed {
        let one = &all[place];
        let mut phones = one.phones.clone();
        for other in needed.iter().filter(|&&other| other != place) {
            let covers = all[*other].covers(one, &watched);
            // Of two that stand for each other the first goes.
            if covers && !(place < *other && one.covers(&all[*other], &watched)) {
                let reached = &all[*other].phones;
                phones.retain(|phone| *reached != one.phones && !reached.contains(phone));
            }
            if phones.is_empty() {
                break;
            }
        }
        left.push((place, phones));
    }
    left
}

/// The SMS that brings the words of this one, if any does.
fn sent_as(message: &Message) -> Option<MessageId> {
    match message.fate {
        Fate::Due | Fate::Held { .. } => Some(message.sms.id),
        Fate::SameAs(other) => Some(other),
        Fate::Refused(_) | Fate::Dropped(_) => None,
    }
}

/// What is explained of an escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedEscalation {
    /// How long after its time.
    pub after: Duration,
    /// When that is.
    pub at: Timestamp,
    /// Who gets it then, as the rule writes it.
    pub to: String,
    /// The phones.
    pub phones: Vec<PhoneNumber>,
    /// Those of them that get it later, at the end of their quiet hours.
    pub asleep: BTreeMap<PhoneNumber, Timestamp>,
    /// The words as the phones show them, with the price for one of them.
    pub sms: ExplainedSms,
}

impl Escalating {
    /// That of `delivery`, with the words `text`.
    pub(super) fn new(
        of: Range<usize>,
        passing: &Passing<'_>,
        escalation: &EscalationPlan,
        recipient: &Recipient,
        reached: Reached,
        delivery: &Delivery,
        text: SmsText,
    ) -> Self {
        let plan = passing.whole;
        let Reached { until, phones, asleep, quiet } = reached;
        // Whoever wants to know of no failure wants to know of this one neither (RFC 3461 section 4.1).
        let notify = match recipient.notify.wants_failure() {
            true => Notify::On { success: false, failure: true, delay: false },
            false => Notify::Never,
        };
        Self {
            of,
            recipient: Recipient { notify, ..recipient.clone() },
            rule: plan.rule.clone(),
            sender: plan.sender.clone(),
            options: plan.options.clone(),
            passages: phones
                .iter()
                .map(|phone| (phone.clone(), passing.of_escalation(phone, &text, escalation.after)))
                .collect(),
            text,
            phones,
            delivery: Delivery {
                // The surest way: a template has no words of its own.
                ways: Ways::only(plan.delivery.sms_way.clone()),
                expires_at: later(until, plan.lifetime),
                delayed_at: None,
                ..delivery.clone()
            },
            until,
            asleep,
            quiet,
            to: escalation.to.clone(),
            after: escalation.after,
            lifetime: plan.lifetime,
        }
    }

    /// Whether one of the messages that it is for is sent, or another in its stead.
    fn is_needed(&self, messages: &[Message]) -> bool {
        messages[self.of.clone()].iter().any(|message| sent_as(message).is_some())
    }

    /// Whether it brings the same words whenever `other` would: those of one recipient stand for each other; those of two
    /// where they go by the same SMS.
    fn covers(&self, other: &Self, watched: &Watched) -> bool {
        let [ours, theirs] = [self, other].map(|one| watched.get(&one.recipient.address));
        self.text == other.text
            && (self.recipient.address == other.recipient.address
                || (self.until, &self.asleep, &self.quiet) == (other.until, &other.asleep, &other.quiet)
                    && (&self.sender, &self.options) == (&other.sender, &other.options)
                    && self.recipient.notify.wants_failure() >= other.recipient.notify.wants_failure()
                    && ours == theirs)
    }

    /// When the phone gets it.
    fn until(&self, phone: &PhoneNumber) -> Timestamp {
        self.asleep.get(phone).copied().unwrap_or(self.until)
    }

    fn sms(&self, id: MessageId, phone: &PhoneNumber) -> Sms {
        Sms {
            id,
            destination: phone.clone(),
            sender: self.sender.clone(),
            text: self.text.clone(),
            options: self.options.clone(),
        }
    }

    /// The row for one of the phones.
    pub(super) fn message(&self, id: MessageId, phone: &PhoneNumber) -> Message {
        debug_assert!(self.delivery.ways.as_slice().iter().all(|way| way.channel() == Channel::Sms));
        let until = self.until(phone);
        Message {
            sms: self.sms(id, phone),
            recipient: self.recipient.clone(),
            rule: self.rule.clone(),
            delivery: Delivery { expires_at: later(until, self.lifetime), ..self.delivery.clone() },
            fate: Fate::Held { until, reason: HoldReason::Escalation },
            passage: Passage {
                quiet: self.quiet.get(phone).cloned().unwrap_or_default(),
                ..self.passages.get(phone).cloned().unwrap_or_default()
            },
        }
    }

    /// For people who ask before.
    pub(super) fn explained(&self, routing: &Routing, id: MessageId) -> Option<ExplainedEscalation> {
        let sms = self.sms(id, self.phones.first()?);
        Some(ExplainedEscalation {
            after: self.after,
            at: self.until,
            to: self.to.clone(),
            phones: self.phones.clone(),
            asleep: self.asleep.clone(),
            sms: ExplainedSms::new(routing, &sms, None),
        })
    }
}
