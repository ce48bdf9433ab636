//! From one recipient's numbers to its SMS: asks the routing, fits the text, keeps count.

use std::collections::HashMap;

use jiff::Timestamp;

use super::MAX_MESSAGES;
use super::explain::{ExplainedFate, ExplainedSms};
use super::notes::Notes;
use super::refusal::{Refusal, RefusalKind};
use crate::model::{
    Cause, Encoding, EnhancedStatus, Fate, Message, MessageId, PhoneNumber, Recipient, SenderId, Sms,
    SmsOptions, SmsText, SubmissionId,
};
use crate::retry::later;
use crate::routing::{Content, Decision, Facts, Plan, Routing};
use crate::text::{self, Fitting};
use crate::wording::{Removed, Source, template};

/// Octets of subject and of text that rules and templates see, from the beginning: more than 255 parts
/// can carry. Every recipient's rules look through them, so that 10 MB for 1,000 numbers would take
/// hours.
const MAX_WORDS: usize = 128 * 1024;

/// The SMS of one submission while they are decided.
pub(super) struct Decisions<'a> {
    id: SubmissionId,
    now: Timestamp,
    routing: &'a Routing,
    /// What was distilled already, by the rule and by whose words they are.
    distilled: HashMap<(Words, String), Kept>,
    /// What the rules found already, by whose words they looked through.
    content: HashMap<Words, Content>,
    messages: Vec<Message>,
    refusal: Option<Refusal>,
    /// How each decision came about, where somebody asks.
    notes: Option<&'a mut Notes>,
}

/// Whose words a recipient gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Words {
    /// The whole text's.
    Whole,
    /// Those that are left when a text names its destinations.
    Addressed,
}

/// What distilling left and took.
struct Kept {
    text: String,
    removed: Vec<Removed>,
}

/// What is known of the submission, as rules and as templates see it.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    facts: Facts<'a>,
    source: Source<'a>,
    words: Words,
}

impl<'a> Known<'a> {
    /// Subject and text are cut to [`MAX_WORDS`].
    pub(super) fn new(facts: Facts<'a>, source: Source<'a>) -> Self {
        let beginning = |text: &'a str| &text[..text.floor_char_boundary(MAX_WORDS)];
        Self {
            facts: Facts { subject: beginning(facts.subject), text: beginning(facts.text), ..facts },
            source: Source {
                subject: beginning(source.subject),
                text: beginning(source.text),
                text_with_links: source.text_with_links.map(beginning),
                ..source
            },
            words: Words::Whole,
        }
    }

    /// The same with other words, those that a mail has for the destinations that its text names.
    pub(super) fn with_text(self, text: &'a str) -> Self {
        let facts = Facts { text, ..self.facts };
        let known = Self::new(facts, Source { text, text_with_links: None, ..self.source });
        Self { words: Words::Addressed, ..known }
    }

    /// The destination where the text names it.
    fn named<'w>(&self, written: &'w str) -> Option<&'w str> {
        (self.words == Words::Addressed).then_some(written)
    }
}

impl<'a> Decisions<'a> {
    /// With `notes`, it is told there how each decision came about, and the log is left alone: nothing
    /// is sent then.
    pub(super) fn new(
        id: SubmissionId,
        now: Timestamp,
        routing: &'a Routing,
        notes: Option<&'a mut Notes>,
    ) -> Self {
        let (messages, distilled, content) = (Vec::new(), HashMap::new(), HashMap::new());
        Self { id, now, routing, distilled, content, messages, refusal: None, notes }
    }

    /// Another recipient's turn.
    pub(super) fn begin(&mut self) {
        self.note(Notes::begin);
    }

    /// Decides the SMS of the recipient whose turn it is; `written` is what rules match, the local part or the form's
    /// destination.
    ///
    /// # Errors
    /// When the submission would have more than [`MAX_MESSAGES`] SMS.
    pub(super) fn add(
        &mut self,
        known: &Known<'_>,
        recipient: &Recipient,
        written: &str,
        destinations: &[PhoneNumber],
    ) -> Result<(), Refusal> {
        for destination in destinations {
            let decision = match self.notes {
                None => {
                    let content = self.content.entry(known.words).or_default();
                    self.routing.decide_next(content, &known.facts, written, destination)
                }
                Some(_) => {
                    let (tried, decision) = self.routing.try_rules(&known.facts, written, destination);
                    self.note(|notes| notes.tried(tried));
                    decision
                }
            };
            let new = match decision {
                Decision::Send(plan) => self.send(known, recipient, written, destination, plan),
                Decision::Refuse { rule, reason } => {
                    let refusal = Refusal { kind: RefusalKind::NotAllowed, text: reason };
                    vec![self.refused(known, recipient, written, destination, rule, refusal)]
                }
                Decision::Drop { rule, reason } => {
                    let fate = ExplainedFate::Dropped { reason: reason.clone() };
                    self.note(|notes| notes.decided(destination, known.named(written), &rule, fate));
                    let text = format!("dropped by rule {rule}: {reason}");
                    let cause = Cause::new(EnhancedStatus::POLICY, text);
                    vec![self.unsent(known, recipient, destination, rule, Fate::Dropped(cause))]
                }
            };
            if self.messages.len() + new.len() > MAX_MESSAGES {
                let text =
                    format!("the mail stands for more than {MAX_MESSAGES} SMS in all; send several mails");
                return Err(Refusal { kind: RefusalKind::TooMany, text });
            }
            self.messages.extend(new);
        }
        Ok(())
    }

    fn note(&mut self, note: impl FnOnce(&mut Notes)) {
        if let Some(notes) = &mut self.notes {
            note(notes);
        }
    }

    /// The SMS of a plan, one or more, or a row that says why there is none.
    fn send(
        &mut self,
        known: &Known<'_>,
        recipient: &Recipient,
        written: &str,
        destination: &PhoneNumber,
        plan: Plan,
    ) -> Vec<Message> {
        let id = self.next_id(0);
        let source = &known.source;
        let kept = self.distilled.entry((known.words, plan.rule.clone())).or_insert_with(|| {
            let distilled = plan.wording.distill(source);
            Kept { text: distilled.text.into_owned(), removed: distilled.removed }
        });
        let composed = plan.wording.compose(source, &kept.text, written, &plan.groups);
        if let Some(problem) = &composed.template_problem
            && self.notes.is_none()
        {
            tracing::warn!(%id, rule = plan.rule, problem, "the rule's template failed; subject and text are sent");
        }
        let explained = self.notes.is_some().then(|| ExplainedFate::Sent {
            sender: plan.sender.clone(),
            removed: kept.removed.clone(),
            variables: template::variables(source, &kept.text, written, &plan.groups),
            groups: plan.groups.clone(),
            template_problem: composed.template_problem.clone(),
            words: composed.words.clone(),
            sms: Vec::new(),
        });
        let Plan { rule, sender, options, lifetime, .. } = plan;
        if composed.texts.is_empty() {
            let text = "there is nothing to send: subject and text are empty".to_owned();
            let refusal = Refusal { kind: RefusalKind::NothingToSend, text };
            return vec![self.refused(known, recipient, written, destination, rule, refusal)];
        }
        let expires_at = later(self.now, lifetime);
        let sms = |(n, text): (usize, SmsText)| Sms {
            id: self.next_id(n),
            destination: destination.clone(),
            sender: sender.clone(),
            text,
            options: options.clone(),
        };
        let all: Vec<Sms> = composed.texts.into_iter().enumerate().map(sms).collect();
        // All of a text in several SMS or none: the pieces of two texts would not be told apart.
        let same = |sms: &Sms| self.same(sms).map(|first| (first.sms.id, first.recipient.address.clone()));
        let firsts = match all.iter().map(same).collect::<Option<Vec<_>>>() {
            Some(firsts) => firsts.into_iter().map(Some).collect(),
            None => vec![None; all.len()],
        };
        if let Some(mut fate) = explained {
            if let ExplainedFate::Sent { sms, .. } = &mut fate {
                let same_as = |first: &Option<(MessageId, String)>| first.as_ref().map(|(_, to)| to.clone());
                let explained = all.iter().zip(&firsts);
                *sms = explained
                    .map(|(sms, first)| ExplainedSms::new(self.routing, sms, same_as(first)))
                    .collect();
            }
            self.note(|notes| notes.decided(destination, known.named(written), &rule, fate));
        }
        let message = |(sms, first): (Sms, Option<(MessageId, String)>)| {
            let fate = match first {
                Some((first, _)) => Fate::Dropped(Cause::new(
                    EnhancedStatus::SUCCESS,
                    format!("the same text goes to this phone as {first}"),
                )),
                None => Fate::Due,
            };
            Message { sms, recipient: recipient.clone(), rule: rule.clone(), expires_at, fate }
        };
        all.into_iter().zip(firsts).map(message).collect()
    }

    /// The id of the SMS that comes behind those there are and `more`.
    fn next_id(&self, more: usize) -> MessageId {
        self.id.message(u32::try_from(self.messages.len() + more + 1).unwrap_or(u32::MAX))
    }

    /// An earlier SMS of this submission that says the same to the same phone: two recipients of
    /// one mail often lead to one person. One that is only simulated says nothing to it.
    fn same(&self, sms: &Sms) -> Option<&Message> {
        let same = |message: &&Message| {
            let earlier = &message.sms;
            message.fate == Fate::Due
                && earlier.destination == sms.destination
                && earlier.sender == sms.sender
                && earlier.text == sms.text
                && earlier.options.placeholders == sms.options.placeholders
                && (!earlier.options.simulation || sms.options.simulation)
        };
        self.messages.iter().find(same)
    }

    fn refused(
        &mut self,
        known: &Known<'_>,
        recipient: &Recipient,
        written: &str,
        destination: &PhoneNumber,
        rule: String,
        refusal: Refusal,
    ) -> Message {
        let reason = &refusal.text;
        let fate = ExplainedFate::Refused { reason: reason.clone() };
        self.note(|notes| notes.decided(destination, known.named(written), &rule, fate));
        let cause = Cause::new(refusal.kind.smtp().1, format!("refused by rule {rule}: {reason}"));
        self.refusal.get_or_insert(refusal);
        self.unsent(known, recipient, destination, rule, Fate::Refused(cause))
    }

    /// A row for what is not sent: it still has its one fate, and says so in its timeline.
    fn unsent(
        &self,
        known: &Known<'_>,
        recipient: &Recipient,
        destination: &PhoneNumber,
        rule: String,
        fate: Fate,
    ) -> Message {
        let facts = &known.facts;
        let words = if facts.text.trim().is_empty() { facts.subject } else { facts.text };
        let nothing = SmsText { body: String::new(), encoding: Encoding::Gsm7, parts: 1 };
        let text = text::fit(words, &Fitting::in_parts(1)).pop().unwrap_or(nothing);
        let sms = Sms {
            id: self.next_id(0),
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
    pub(super) fn finish(mut self) -> Result<Vec<Message>, Refusal> {
        self.note(Notes::end);
        let all_refused = self.messages.iter().all(|message| matches!(message.fate, Fate::Refused(_)));
        match self.refusal {
            Some(refusal) if all_refused => Err(refusal),
            Some(_) | None => Ok(self.messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::mail::Headers;
    use crate::model::{Client, DialPlan, Door, Notify};
    use crate::pattern::Pattern;
    use crate::routing::{Action, Conditions, Defaults, KnownListener, NoMatch, Origin, Parts, Prefix, Rule};
    use crate::wording::Wording;

    /// Sends everything in 255 parts, but drops a text that has `needle` in it.
    fn routing() -> Routing {
        let when = Conditions { text: Some(Pattern::new("needle").unwrap()), ..Conditions::default() };
        let parts = Parts {
            domains: vec!["sms.local".to_owned()],
            dial_plan: DialPlan::default(),
            allowed: vec![Prefix::new("+39").unwrap()],
            text_recipients: Vec::new(),
            aliases: Vec::new(),
            rules: vec![Rule {
                name: "needles".to_owned(),
                when,
                action: Action::Drop { reason: "a needle".to_owned() },
            }],
            no_match: NoMatch::Send,
            defaults: Defaults {
                sender: Some(SenderId::new("Relay").unwrap()),
                wording: Arc::new(Wording::in_parts(255)),
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
        let source = Source {
            subject: "",
            text,
            text_with_links: None,
            is_mail: true,
            from: "",
            from_name: "",
            client: &client,
            headers: Headers::default(),
            attachments: &[],
            received_at: &now.to_zoned(TimeZone::UTC),
        };
        let mut decisions = Decisions::new(SubmissionId::new(now), now, &routing, None);
        let address = "+393471234567".to_owned();
        let recipient = Recipient { address: address.clone(), notify: Notify::Unspecified, orcpt: None };
        decisions
            .add(
                &Known::new(facts, source),
                &recipient,
                &address,
                &[PhoneNumber::from_e164(&address).unwrap()],
            )
            .unwrap();
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
