//! Who gets an SMS when it was not delivered: rows that wait, one for each phone, and take the place of
//! the others of their recipient.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::explain::ExplainedSms;
use crate::model::{
    Channel, Delivery, Fate, HoldReason, Message, MessageId, Notify, PhoneNumber, Recipient, SenderId, Sms,
    SmsOptions, SmsText, Ways,
};
use crate::retry::later;
use crate::routing::{EscalationPlan, Plan, Routing};

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
    phones: Vec<PhoneNumber>,
    delivery: Delivery,
    until: Timestamp,
    /// As written.
    to: String,
    after: Duration,
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
    /// The words as the phones show them, with the price for one of them.
    pub sms: ExplainedSms,
}

impl Escalating {
    /// That of `delivery`, which is sent at `start`, with the words `text`.
    pub(super) fn new(
        of: Range<usize>,
        plan: &Plan,
        escalation: &EscalationPlan,
        recipient: &Recipient,
        start: Timestamp,
        delivery: &Delivery,
        text: SmsText,
    ) -> Self {
        let until = later(start, escalation.after);
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
            text,
            phones: escalation.phones.clone(),
            delivery: Delivery {
                // The surest way: a template has no words of its own.
                ways: Ways::only(plan.delivery.sms_way.clone()),
                expires_at: later(until, plan.lifetime),
                delayed_at: None,
                ..delivery.clone()
            },
            until,
            to: escalation.to.clone(),
            after: escalation.after,
        }
    }

    /// Whether it is for the message at this place.
    pub(super) fn is_for(&self, place: usize) -> bool {
        self.of.contains(&place)
    }

    /// Whether one of the messages that it is for is sent.
    pub(super) fn is_needed(&self, messages: &[Message]) -> bool {
        messages[self.of.clone()].iter().any(super::is_live)
    }

    /// Whether the same words would go to the same phones at the same time.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        (&self.phones, self.until, &self.text, &self.sender)
            == (&other.phones, other.until, &other.text, &other.sender)
    }

    /// The phones that no escalation of this recipient with these words reaches yet.
    pub(super) fn phones_left<'a>(
        &'a self,
        messages: &'a [Message],
    ) -> impl Iterator<Item = &'a PhoneNumber> {
        let has_it = |phone: &PhoneNumber| {
            messages.iter().any(|message| {
                super::is_escalation(message)
                    && message.recipient.address == self.recipient.address
                    && message.sms.destination == *phone
                    && message.sms.text == self.text
            })
        };
        self.phones.iter().filter(move |phone| !has_it(phone))
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
        Message {
            sms: self.sms(id, phone),
            recipient: self.recipient.clone(),
            rule: self.rule.clone(),
            delivery: self.delivery.clone(),
            fate: Fate::Held { until: self.until, reason: HoldReason::Escalation },
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
            sms: ExplainedSms::new(routing, &sms, None),
        })
    }
}
