//! From one recipient's numbers to its SMS: asks the routing, fits the text, keeps count.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::delivering::{ExplainedDelivery, Late, Start};
use super::escalating::{self, Escalating, Reached};
use super::explain::{ExplainedFate, ExplainedSms};
use super::notes::Notes;
use super::passage::{Passing, Thread};
use super::refusal::{Refusal, RefusalKind};
use super::repeated::{self, Beside};
use super::{MAX_MESSAGES, charges};
use crate::model::{
    Cause, Delivery, Encoding, Fate, Lane, Message, MessageId, Passage, PhoneNumber, Pieces, Reason,
    Recipient, SenderId, Sms, SmsOptions, SmsText, SubmissionId,
};
use crate::routing::{Content, Decision, Facts, Plan, Routing};
use crate::storm::one_time;
use crate::text::{self, Fitting};
use crate::wording::{Filled, Removed, Source, template};

/// Octets of subject and of text that rules and templates see, from the beginning: more than 255 parts
/// can carry. Every recipient's rules look through them, so that 10 MB for 1,000 numbers would take
/// hours.
const MAX_WORDS: usize = 128 * 1024;

/// The SMS of one submission while they are decided.
pub(super) struct Decisions<'a> {
    id: SubmissionId,
    routing: &'a Routing,
    /// What was distilled already, by the rule and by whose words they are.
    distilled: HashMap<(Words, String), Kept>,
    /// What the rules found already, by whose words they looked through.
    content: HashMap<Words, Content>,
    messages: Vec<Message>,
    /// What is not sent since another one says the same, and that one; by places among the messages.
    same_as: BTreeMap<usize, usize>,
    /// Where the rows of the recipient begin whose turn it is.
    turn: usize,
    /// Why the first of these was refused.
    refusal_of_turn: Option<Refusal>,
    /// What the mail says about those before it, once somebody asked.
    thread: OnceCell<Thread>,
    /// Who gets what of them is not delivered.
    escalating: Vec<Escalating>,
    late: Late,
    refusal: Option<Refusal>,
    /// How each decision came about, where somebody asks.
    notes: Option<&'a mut Notes>,
}

/// Everything that was decided.
#[derive(Debug)]
pub(super) struct Decided {
    /// The rows, in order; those that take the place of others come last.
    pub(super) messages: Vec<Message>,
    /// What is not sent since another one says the same, and that one; by places among the messages. That one
    /// may stand behind a third in its turn.
    pub(super) same_as: BTreeMap<usize, usize>,
}

/// Whose words a recipient gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Words {
    /// The whole text's, by its place where a form has several.
    Whole(usize),
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
            words: Words::Whole(0),
        }
    }

    /// The same for one of the texts of a form, by its place.
    pub(super) fn of_text(place: usize, facts: Facts<'a>, source: Source<'a>) -> Self {
        Self { words: Words::Whole(place), ..Self::new(facts, source) }
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
        routing: &'a Routing,
        late: Late,
        notes: Option<&'a mut Notes>,
    ) -> Self {
        let (messages, distilled, content) = (Vec::new(), HashMap::new(), HashMap::new());
        Self {
            id,
            routing,
            distilled,
            content,
            messages,
            same_as: BTreeMap::new(),
            turn: 0,
            refusal_of_turn: None,
            thread: OnceCell::new(),
            escalating: Vec::new(),
            late,
            refusal: None,
            notes,
        }
    }

    /// Another recipient's turn.
    pub(super) fn begin(&mut self) {
        (self.turn, self.refusal_of_turn) = (self.messages.len(), None);
        self.note(Notes::begin);
    }

    /// Nothing can be decided for the recipient whose turn it is, and the others go on without it.
    pub(super) fn leave_out(&mut self, refusal: &Refusal) {
        self.note(|notes| notes.left_out(refusal));
    }

    /// Ends the turn of a recipient: the places of its rows. With `partial` no rows are kept of one that gets
    /// nothing, as whoever handed it in is told at once.
    ///
    /// # Errors
    /// Why the first of them was refused, when all of them were.
    pub(super) fn end_turn(&mut self, partial: bool) -> Result<Range<usize>, Refusal> {
        let places = self.turn..self.messages.len();
        let is_taken = |message: &Message| !matches!(message.fate, Fate::Refused(_));
        match self.refusal_of_turn.take() {
            Some(refusal) if !self.messages[places.clone()].iter().any(is_taken) => {
                // No other SMS refers to what was refused.
                if partial {
                    self.messages.truncate(self.turn);
                }
                Err(refusal)
            }
            Some(_) | None => Ok(places),
        }
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
            if self.notes.is_none() {
                let content = self.content.entry(known.words).or_default();
                for decision in self.routing.decide_next(content, &known.facts, written, destination) {
                    self.take(known, recipient, written, destination, decision)?;
                }
                continue;
            }
            for (tried, decision) in self.routing.try_rules(&known.facts, written, destination) {
                self.note(|notes| notes.tried(tried, destination));
                self.take(known, recipient, written, destination, decision)?;
            }
        }
        Ok(())
    }

    /// Makes the rows of one decision about a phone that the recipient stands for.
    fn take(
        &mut self,
        known: &Known<'_>,
        recipient: &Recipient,
        written: &str,
        destination: &PhoneNumber,
        decision: Decision,
    ) -> Result<(), Refusal> {
        match decision {
            Decision::Send(mut plan) => {
                let notify = plan.report.narrow(recipient.notify);
                let recipient = &Recipient { notify, ..recipient.clone() };
                let mut phones = std::mem::take(&mut plan.phones);
                let Some(last) = phones.pop() else { return Ok(()) };
                for phone in phones {
                    let new = self.send(known, recipient, written, &phone, plan.clone());
                    self.keep(new)?;
                }
                let new = self.send(known, recipient, written, &last, plan);
                self.keep(new)
            }
            Decision::Refuse { rule, reason } => {
                let refusal = Refusal { kind: RefusalKind::NotAllowed, text: reason };
                let row = self.refused(known, recipient, written, destination, rule, refusal);
                self.keep(vec![row])
            }
            Decision::Drop { rule, reason } => {
                let fate = ExplainedFate::Dropped { reason: reason.clone() };
                self.note(|notes| notes.decided(destination, known.named(written), &rule, fate));
                let cause =
                    Reason::RuleDropped.told(format!("{} {rule}: {reason}", Reason::RuleDropped.words()));
                let row = self.unsent(known, recipient, destination, rule, Fate::Dropped(cause));
                self.keep(vec![row])
            }
        }
    }

    fn keep(&mut self, new: Vec<Message>) -> Result<(), Refusal> {
        if self.messages.len() + new.len() > MAX_MESSAGES {
            return Err(too_many());
        }
        self.messages.extend(new);
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
        let start = match Start::of(&plan.delivery, source.received_at) {
            Ok(start) => start,
            Err(refusal) => {
                return vec![self.refused(known, recipient, written, destination, plan.rule, refusal)];
            }
        };
        let kept = self.distilled.entry((known.words, plan.rule.clone())).or_insert_with(|| {
            let distilled = plan.wording.distill(source);
            Kept { text: distilled.text.into_owned(), removed: distilled.removed }
        });
        let composed = plan.wording.compose(source, &kept.text, written, &plan.groups);
        let filled = match plan.delivery.has_template() {
            true => plan.delivery.variables.fill(source, &kept.text, written, &plan.groups),
            false => Filled::default(),
        };
        let thread = || self.thread.get_or_init(|| Thread::of(source.headers)).clone();
        let passing = Passing::new(&plan, &known.facts, source, &kept.text, written, thread);
        let escalated = plan
            .delivery
            .escalation
            .as_ref()
            .map(|escalation| escalation.wording.compose(source, &kept.text, written, &plan.groups));
        let of_escalation = escalated.as_ref().and_then(|composed| composed.template_problem.as_ref());
        let problems = [composed.template_problem.as_ref(), filled.problem.as_ref(), of_escalation];
        for problem in problems.into_iter().flatten().filter(|_| self.notes.is_none()) {
            tracing::warn!(%id, rule = plan.rule, problem, "the rule's template failed; subject and text are sent");
        }
        if let Some(problem) = passing.problem.as_ref().filter(|_| self.notes.is_none()) {
            tracing::warn!(%id, rule = plan.rule, problem, "a key for storms failed; the words are compared");
        }
        if composed.texts.is_empty() {
            let text = Reason::NothingToSend.words().to_owned();
            let refusal = Refusal { kind: RefusalKind::NothingToSend, text };
            return vec![self.refused(known, recipient, written, destination, plan.rule, refusal)];
        }
        let is_held = plan.delivery.is_quiet && !is_exempt(plan.delivery.lane, &composed.words);
        let start = match is_held {
            true => start.when_awake(|at| self.routing.awake_from(destination, at)),
            false => start,
        };
        let quiet = if is_held { self.routing.quiet_spans(destination) } else { Vec::new() };
        // The channels of a routing that was built make ways.
        let ways = plan.delivery.ways(&filled).unwrap_or_default();
        let delivery = start.delivery(&plan.delivery, ways, plan.lifetime, self.late, recipient.notify);
        // Pieces of a text pass as one: by its words, and not by their own.
        let (whole, pieces) = match composed.texts.as_slice() {
            [only] => (only.body.as_str(), None),
            several => (composed.words.as_str(), pieces(id.ordinal, several.len())),
        };
        let storm = passing.of(destination, whole, start.is_with_platform());
        let mut explained = self.notes.is_some().then(|| ExplainedFate::Sent {
            sender: plan.sender.clone(),
            removed: kept.removed.clone(),
            variables: template::variables(source, &kept.text, written, &plan.groups),
            groups: plan.groups.clone(),
            template_problem: composed.template_problem.clone(),
            words: composed.words.clone(),
            sms: Vec::new(),
            delivery: Box::new(ExplainedDelivery::new(start, &delivery, &plan, filled.problem.clone())),
        });
        let place = self.messages.len();
        let of = place..place + composed.texts.len();
        let text = escalated.and_then(|composed| composed.texts.into_iter().next());
        let text = text.unwrap_or_else(|| composed.texts[0].clone());
        let escalating = plan.delivery.escalation.as_ref().map(|escalation| {
            let reached = Reached::by(self.routing, escalation, start.time(), is_held);
            Escalating::new(of, &passing, escalation, recipient, reached, &delivery, text)
        });
        let passage = Passage { quiet, pieces, ..storm.passage.clone() };
        let Plan { rule, sender, mut options, .. } = plan;
        start.put_into(&mut options);
        let message = |(n, text): (usize, SmsText)| Message {
            sms: Sms {
                id: self.next_id(n),
                destination: destination.clone(),
                sender: sender.clone(),
                text,
                options: options.clone(),
            },
            recipient: recipient.clone(),
            rule: rule.clone(),
            delivery: delivery.clone(),
            fate: start.fate(),
            passage: passage.clone(),
        };
        let mut all: Vec<Message> = composed.texts.into_iter().enumerate().map(message).collect();
        let mut same_as = vec![None; all.len()];
        match repeated::beside(&self.messages, &all) {
            Beside::Apart => {}
            Beside::Behind(firsts) => {
                let behind = all.iter_mut().zip(&mut same_as).zip(place..).zip(firsts);
                for (((message, same_as), place), first) in behind {
                    self.same_as.insert(place, first);
                    let first = &self.messages[first];
                    message.fate = Fate::SameAs(first.sms.id);
                    *same_as = Some(first.recipient.address.clone());
                }
            }
            Beside::Before(firsts) => {
                for ((message, place), first) in all.iter().zip(place..).zip(firsts) {
                    self.same_as.insert(first, place);
                    self.supersede(first, message.sms.id, &recipient.address);
                }
            }
        }
        if let Some(ExplainedFate::Sent { sms, delivery, .. }) = &mut explained {
            let told = all.iter().zip(same_as);
            *sms = told
                .map(|(message, same_as)| ExplainedSms::new(self.routing, &message.sms, same_as))
                .collect();
            delivery.storm = storm;
            delivery.budgets = charges::of_all(self.routing, known.facts.origin.client, &all);
            delivery.escalation = escalating.as_ref().and_then(|one| one.explained(self.routing, id));
        }
        if let Some(fate) = explained {
            self.note(|notes| {
                notes.decided(destination, known.named(written), &rule, fate);
                notes.placed(place);
            });
        }
        self.escalating.extend(escalating);
        all
    }

    /// The SMS at this place, and what was left out for it, are left out for `other`, which is for `address`.
    fn supersede(&mut self, first: usize, other: MessageId, address: &str) {
        let before = Fate::SameAs(self.messages[first].sms.id);
        for place in 0..self.messages.len() {
            if place == first || self.messages[place].fate == before {
                self.messages[place].fate = Fate::SameAs(other);
                self.note(|notes| notes.superseded(place, address));
            }
        }
    }

    /// The id of the SMS that comes behind those there are and `more`.
    fn next_id(&self, more: usize) -> MessageId {
        self.id.message(u32::try_from(self.messages.len() + more + 1).unwrap_or(u32::MAX))
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
        let cause =
            Cause::new(refusal.kind.smtp().1, format!("{} {rule}: {reason}", Reason::RuleRefused.words()));
        self.refusal_of_turn.get_or_insert_with(|| refusal.clone());
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
        let delivery = Delivery::until(known.source.received_at.timestamp());
        let passage = Passage::default();
        Message { sms, recipient: recipient.clone(), rule, delivery, fate, passage }
    }

    /// Everything is decided.
    ///
    /// # Errors
    /// When every one of them was refused: then nothing was promised to anybody, and the peer is
    /// told at once instead of by a report. When there would be more than [`MAX_MESSAGES`] with those that
    /// take the place of others.
    pub(super) fn finish(mut self) -> Result<Decided, Refusal> {
        let all_refused = self.messages.iter().all(|message| matches!(message.fate, Fate::Refused(_)));
        if let Some(refusal) = self.refusal.take_if(|_| all_refused) {
            self.note(Notes::end);
            return Err(refusal);
        }
        for (place, phones) in escalating::needed(&self.escalating, &self.messages) {
            if self.messages.len() + phones.len() > MAX_MESSAGES {
                return Err(too_many());
            }
            for phone in phones {
                let message = self.escalating[place].message(self.next_id(0), &phone);
                self.messages.push(message);
            }
        }
        self.note(Notes::end);
        Ok(Decided { messages: self.messages, same_as: self.same_as })
    }
}

fn pieces(first: u32, count: usize) -> Option<Pieces> {
    u32::try_from(count).ok().map(|count| Pieces { first, count })
}

/// Whether it is sent at once, whoever sleeps.
fn is_exempt(lane: Lane, words: &str) -> bool {
    lane == Lane::Critical || one_time::is_one_time_password(words)
}

pub(super) fn too_many() -> Refusal {
    let text = format!("the mail stands for more than {MAX_MESSAGES} SMS in all; send several mails");
    Refusal { kind: RefusalKind::TooMany, text }
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
    use crate::routing::{
        Action, Conditions, Defaults, Delivering, KnownListener, NoMatch, Origin, Parts, Prefix, Rule,
    };
    use crate::wording::Wording;

    /// Sends everything in 255 parts, but drops a text that has `needle` in it.
    fn routing() -> Routing {
        let when = Conditions { text: Some(Pattern::new("needle").unwrap().into()), ..Conditions::default() };
        let parts = Parts {
            domains: vec!["sms.local".to_owned()],
            dial_plan: DialPlan::default(),
            allowed: vec![Prefix::new("+39").unwrap()],
            text_recipients: Vec::new(),
            rotas: Vec::new(),
            quiet: Vec::new(),
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
                delivering: Delivering::default(),
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
            text,
            ..Facts::of(Origin { client: &client, envelope_sender: None }, jiff::Timestamp::UNIX_EPOCH)
        };
        let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
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
        let mut decisions = Decisions::new(SubmissionId::new(now), &routing, Late::default(), None);
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
        decisions.finish().unwrap().messages.remove(0)
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
