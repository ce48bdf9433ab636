//! From one recipient's numbers to its SMS: asks the routing, fits the text, keeps count.

use jiff::Timestamp;

use super::MAX_MESSAGES;
use super::refusal::{Refusal, RefusalKind};
use crate::model::{
    Cause, Encoding, EnhancedStatus, Fate, Message, MessageId, PhoneNumber, Recipient, SenderId, Sms,
    SmsOptions, SmsText, SubmissionId,
};
use crate::retry::later;
use crate::routing::{Decision, Facts, Plan, Routing};
use crate::text;

/// The SMS of one submission while they are decided.
pub(super) struct Decisions<'a> {
    pub(super) id: SubmissionId,
    pub(super) now: Timestamp,
    pub(super) routing: &'a Routing,
    pub(super) facts: Facts<'a>,
    messages: Vec<Message>,
    refusal: Option<Refusal>,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(id: SubmissionId, now: Timestamp, routing: &'a Routing, facts: Facts<'a>) -> Self {
        Self { id, now, routing, facts, messages: Vec::new(), refusal: None }
    }

    /// Decides the SMS of one recipient; `written` is what rules match, the local part or the form's
    /// destination.
    ///
    /// # Errors
    /// When the submission would have more than [`MAX_MESSAGES`] SMS.
    pub(super) fn add(
        &mut self,
        recipient: &Recipient,
        written: &str,
        destinations: &[PhoneNumber],
    ) -> Result<(), Refusal> {
        for destination in destinations {
            if self.messages.len() >= MAX_MESSAGES {
                let text = format!(
                    "the aliases stand for more than {MAX_MESSAGES} numbers in all; send several mails"
                );
                return Err(Refusal { kind: RefusalKind::TooMany, text });
            }
            let decision = self.routing.decide(&self.facts, written, destination);
            let message = self.message(recipient, destination, decision);
            self.messages.push(message);
        }
        Ok(())
    }

    fn message(&mut self, recipient: &Recipient, destination: &PhoneNumber, decision: Decision) -> Message {
        let number = u32::try_from(self.messages.len() + 1).unwrap_or(u32::MAX);
        let id = self.id.message(number);
        match decision {
            Decision::Send(plan) => {
                if let Some(problem) = &plan.template_problem {
                    tracing::warn!(%id, rule = plan.rule, problem, "the rule's template failed; subject and text are sent");
                }
                let expires_at = later(self.now, plan.lifetime);
                let Plan { rule, sender, text, max_parts, options, .. } = plan;
                let Some(text) = text::fit(&text, max_parts) else {
                    let reason = "there is nothing to send: subject and text are empty";
                    return self.refused(
                        id,
                        recipient,
                        destination,
                        rule,
                        RefusalKind::NothingToSend,
                        reason,
                    );
                };
                let fate = match self.same(destination, &sender, &text) {
                    Some(first) => Fate::Dropped(Cause::new(
                        EnhancedStatus::SUCCESS,
                        format!("the same text goes to this phone as {first}"),
                    )),
                    None => Fate::Due,
                };
                let sms = Sms { id, destination: destination.clone(), sender, text, options };
                Message { sms, recipient: recipient.clone(), rule, expires_at, fate }
            }
            Decision::Refuse { rule, reason } => {
                self.refused(id, recipient, destination, rule, RefusalKind::NotAllowed, &reason)
            }
            Decision::Drop { rule, reason } => {
                let cause = Cause::new(EnhancedStatus::POLICY, format!("dropped by rule {rule}: {reason}"));
                self.unsent(id, recipient, destination, rule, Fate::Dropped(cause))
            }
        }
    }

    /// An earlier SMS of this submission that says the same to the same phone: two recipients of
    /// one mail often lead to one person.
    fn same(&self, destination: &PhoneNumber, sender: &SenderId, text: &SmsText) -> Option<MessageId> {
        let same = |message: &&Message| {
            message.fate == Fate::Due
                && message.sms.destination == *destination
                && message.sms.sender == *sender
                && message.sms.text == *text
        };
        self.messages.iter().find(same).map(|message| message.sms.id)
    }

    fn refused(
        &mut self,
        id: MessageId,
        recipient: &Recipient,
        destination: &PhoneNumber,
        rule: String,
        kind: RefusalKind,
        reason: &str,
    ) -> Message {
        let refusal = Refusal { kind, text: reason.to_owned() };
        let cause = Cause::new(kind.smtp().1, format!("refused by rule {rule}: {reason}"));
        self.refusal.get_or_insert(refusal);
        self.unsent(id, recipient, destination, rule, Fate::Refused(cause))
    }

    /// A row for what is not sent: it still has its one fate, and says so in its timeline.
    fn unsent(
        &self,
        id: MessageId,
        recipient: &Recipient,
        destination: &PhoneNumber,
        rule: String,
        fate: Fate,
    ) -> Message {
        let words = if self.facts.text.trim().is_empty() { self.facts.subject } else { self.facts.text };
        let text = text::fit(words, 1).unwrap_or(SmsText {
            body: String::new(),
            encoding: Encoding::Gsm7,
            parts: 1,
        });
        let sms = Sms {
            id,
            destination: destination.clone(),
            sender: self.routing.default_sender().cloned().unwrap_or_else(SenderId::of_relay),
            text,
            options: SmsOptions::default(),
        };
        Message { sms, recipient: recipient.clone(), rule, expires_at: self.now, fate }
    }

    /// The SMS, in order.
    ///
    /// # Errors
    /// When every one of them was refused: then nothing was promised to anybody, and the peer is
    /// told at once instead of by a report.
    pub(super) fn finish(self) -> Result<Vec<Message>, Refusal> {
        let all_refused = self.messages.iter().all(|message| matches!(message.fate, Fate::Refused(_)));
        match self.refusal {
            Some(refusal) if all_refused => Err(refusal),
            Some(_) | None => Ok(self.messages),
        }
    }
}
