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

/// Octets of subject and of text that rules and templates see, from the beginning: more than 255 parts
/// can carry. Every recipient's rules look through them, so that 10 MB for 1,000 numbers would take
/// hours.
const MAX_WORDS: usize = 128 * 1024;

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
        let beginning = |text: &'a str| &text[..text.floor_char_boundary(MAX_WORDS)];
        let facts = Facts { subject: beginning(facts.subject), text: beginning(facts.text), ..facts };
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Client, DialPlan, Door, Notify};
    use crate::routing::{
        Action, Conditions, Defaults, KnownListener, NoMatch, Origin, Parts, Pattern, Prefix, Rule, Template,
    };

    /// Sends everything in 255 parts, but drops a text that has `needle` in it.
    fn routing() -> Routing {
        let when = Conditions { text: Some(Pattern::new("needle").unwrap()), ..Conditions::default() };
        let parts = Parts {
            domains: vec!["sms.local".to_owned()],
            dial_plan: DialPlan::default(),
            allowed: vec![Prefix::new("+39").unwrap()],
            aliases: Vec::new(),
            rules: vec![Rule {
                name: "needles".to_owned(),
                when,
                action: Action::Drop { reason: "a needle".to_owned() },
            }],
            no_match: NoMatch::Send,
            defaults: Defaults {
                sender: Some(SenderId::new("Relay").unwrap()),
                text: Template::Body,
                max_parts: 255,
                lifetime: Duration::from_secs(3600),
            },
            listeners: vec![KnownListener {
                name: "lan".to_owned(),
                door: Door::Smtp,
                networks: vec!["10.0.0.0/8".parse().unwrap()],
            }],
            accounts: Vec::new(),
        };
        parts.build().unwrap()
    }

    /// The one SMS of a mail with this text.
    fn decided(text: &str) -> Message {
        let client = Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: None,
            account: None,
        };
        let facts = Facts {
            origin: Origin { client: &client, envelope_sender: None },
            header_sender: None,
            subject: "",
            text,
            requested_sender: None,
        };
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let routing = routing();
        let mut decisions = Decisions::new(SubmissionId::new(now), now, &routing, facts);
        let address = "+393471234567".to_owned();
        let recipient = Recipient { address: address.clone(), notify: Notify::Unspecified, orcpt: None };
        decisions.add(&recipient, &address, &[PhoneNumber::from_e164(&address).unwrap()]).unwrap();
        decisions.finish().unwrap().remove(0)
    }

    #[test]
    fn rules_see_the_first_128_kib_and_not_an_octet_more() {
        let ending_at = |octets: usize| format!("{}needle", ".".repeat(octets - "needle".len()));
        assert!(matches!(decided(&ending_at(128 * 1024)).fate, Fate::Dropped(_)));
        assert_eq!(decided(&ending_at(128 * 1024 + 1)).fate, Fate::Due);
    }

    #[test]
    fn what_rules_see_fills_every_part_whatever_the_characters() {
        for character in ["a", "è", "€", "ж", "😀"] {
            let sms = decided(&character.repeat(128 * 1024)).sms;
            assert_eq!(sms.text.parts, 255, "{character}");
        }
    }
}
