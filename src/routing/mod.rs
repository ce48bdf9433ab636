//! Rules, aliases, allowed destinations and allowances: which phone gets which text from which sender.
//!
//! Pure, and immutable once built: the configuration builds a [`Routing`] from [`Parts`] and a
//! reload swaps it whole. A door's recipient goes through it so:
//!
//! 1. [`Routing::resolve`] (a form: [`Routing::resolve_written`]) turns it into numbers, or says
//!    why it is none of ours.
//! 2. [`Routing::could_route`], at `RCPT`, refuses what every rule would refuse whatever the mail
//!    says. It never refuses what [`Routing::decide`] could still take.
//! 3. [`Routing::decide`], once the content is known, gives one [`Decision`] for each number;
//!    [`Routing::try_rules`] tells how it came to it.

mod allowance;
mod build;
mod delivery;
mod names;
mod price;
mod reach;
mod recipient;
mod rule;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use allowance::{Allowance, SenderPattern, SenderPatternError, SenderRefused};
pub use build::{Defaults, Fault, FaultKind, KnownAccount, KnownListener, NoMatch, Parts, Place};
pub use delivery::{
    Api, ChannelStep, DeliverAt, Delivering, DeliveryPlan, Escalation, EscalationPlan, LaneBy, SILENT_AFTER,
    Schedule,
};
pub use price::{Amount, AmountError, Prices};
pub use recipient::{Prefix, PrefixError, RecipientRefusal};
pub use rule::{Action, Conditions, Rule, SendAction, Unmet};

use crate::mail::Priority;
use crate::model::{Client, Lane, MailAddress, PhoneNumber, ReversePath, SenderId, SmsOptions};
use crate::rota::Rota;
use crate::text::Split;
use crate::wording::{Groups, Wording};
use jiff::Timestamp;
use recipient::Recipients;

/// The name that stands for "no rule" in a [`Decision`]; no rule may have it.
pub const DEFAULT_RULE: &str = "default";

/// Said when no rule matched and the configuration refuses then.
const NO_RULE: &str = "no rule takes this message";

/// What is known when a recipient is named.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Who hands it in: address, listener and account.
    pub client: &'a Client,
    /// `MAIL FROM`; `None` for a form post.
    pub envelope_sender: Option<&'a ReversePath>,
}

/// What is known when the whole mail or form is there.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What was known before.
    pub origin: Origin<'a>,
    /// The decoded `From:` field; `None` for a form post or where there is none.
    pub header_sender: Option<&'a str>,
    /// The decoded subject; empty for a form post or where there is none.
    pub subject: &'a str,
    /// The text; may be empty.
    pub text: &'a str,
    /// The sender that a form asks for. The caller leaves it out where the account may not choose.
    /// It is used when the rule that matches sets no sender: a rule's word is the operator's, and
    /// stronger.
    pub requested_sender: Option<&'a SenderId>,
    /// How urgent a mail says that it is; [`Priority::Normal`] for a form post.
    pub priority: Priority,
    /// The lane that a form asks for, left out as above. It is used where no rule fixes one.
    pub requested_lane: Option<Lane>,
    /// When a form wants to be sent, left out as above. It wins over the rule's time: whoever asks knows
    /// more of this one message.
    pub requested_time: Option<Timestamp>,
    /// What time it is: whom a rota names depends on it.
    pub now: Timestamp,
}

impl<'a> Facts<'a> {
    /// Nothing is known yet but where it comes from, and when.
    pub fn of(origin: Origin<'a>, now: Timestamp) -> Self {
        Self {
            origin,
            header_sender: None,
            subject: "",
            text: "",
            requested_sender: None,
            priority: Priority::Normal,
            requested_lane: None,
            requested_time: None,
            now,
        }
    }
}

/// What becomes of one SMS.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "mostly it is sent, and a decision does not live for long")]
pub enum Decision {
    /// Send it.
    Send(Plan),
    /// Take it, record it, send nothing, report nothing.
    Drop {
        /// The rule that says so.
        rule: String,
        /// Why.
        reason: String,
    },
    /// Refuse it: now where nothing was promised yet, by a report where others were accepted.
    Refuse {
        /// The rule that says so; [`DEFAULT_RULE`] where none matched.
        rule: String,
        /// Why, for the sender.
        reason: String,
    },
}

/// How one SMS is sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rule that matched; [`DEFAULT_RULE`] without one.
    pub rule: String,
    /// What the phone shows as sender.
    pub sender: SenderId,
    /// How its words are made.
    pub wording: Arc<Wording>,
    /// What the named groups of the rule's patterns found.
    pub groups: Groups,
    /// How long it is tried.
    pub lifetime: Duration,
    /// What else the platform is told.
    pub options: SmsOptions,
    /// How it is to reach the phone.
    pub delivery: DeliveryPlan,
}

/// What the rules found in the content of one mail or form: it is the same for all its phones, and looked
/// through once for each rule.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// By rule, once it was asked, the first condition that does not hold.
    unmet: Vec<Option<Option<&'static str>>>,
}

impl Content {
    fn unmet(&mut self, rule: usize, look: impl FnOnce() -> Option<&'static str>) -> Option<&'static str> {
        if self.unmet.len() <= rule {
            self.unmet.resize(rule + 1, None);
        }
        *self.unmet[rule].get_or_insert_with(look)
    }
}

/// One rule that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The rule.
    pub rule: String,
    /// What kept it from matching; `None` for the one that matched.
    pub unmet: Option<Unmet>,
}

/// A recipient that every rule would refuse. `Display` is the reason, for the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// The rule that says so; [`DEFAULT_RULE`] where none can match.
    pub rule: String,
    /// Why.
    pub reason: String,
}

/// The routing of one configuration.
#[derive(Clone, Debug)]
pub struct Routing {
    recipients: Recipients,
    rules: Vec<Rule>,
    no_match: NoMatch,
    defaults: Defaults,
    /// By the names of accounts.
    allowances: BTreeMap<String, Allowance>,
    prices: Prices,
}

impl Origin<'_> {
    /// `MAIL FROM` as rules see it: `local@domain`, or `<>`; `None` for a form post.
    pub fn sender_text(&self) -> Option<String> {
        self.envelope_sender.map(|sender| match sender {
            ReversePath::Null => "<>".to_owned(),
            ReversePath::Path(address) => address.to_string(),
        })
    }
}

impl Routing {
    /// The same with what each account may do, by the accounts' names.
    #[must_use]
    pub fn with_allowances(self, allowances: BTreeMap<String, Allowance>) -> Self {
        Self { allowances, ..self }
    }

    /// The same with what a part costs.
    #[must_use]
    pub fn with_prices(self, prices: Prices) -> Self {
        Self { prices, ..self }
    }

    /// What a part costs.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The names of the rules, in order.
    pub fn rule_names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }

    /// The orders of gateways that something may be sent by; an empty one stands for all there are.
    pub fn gateway_orders(&self) -> impl Iterator<Item = &[String]> {
        let defaults = &self.defaults.delivering;
        let of_rules = self.rules.iter().filter_map(|rule| match &rule.action {
            Action::Send(send) => Some(send.delivering.gateways_over(defaults)),
            Action::Drop { .. } | Action::Refuse { .. } => None,
        });
        let by_default = (self.no_match == NoMatch::Send).then(|| defaults.gateways_over(defaults));
        of_rules.chain(by_default)
    }

    /// Whether mail for `recipient` names its destinations in its text, by lines `to:`. Such a
    /// recipient has no numbers of its own.
    pub fn names_in_text(&self, recipient: &MailAddress) -> bool {
        self.recipients.names_in_text(recipient)
    }

    /// The numbers behind a mail recipient at a time: its domain is one of ours and its local part an alias or a rota
    /// (without regard to case) or a number. At least one number, none twice, all allowed: an
    /// alias with one number that is not allowed is refused whole.
    ///
    /// # Errors
    /// [`RecipientRefusal`], which says why in a sentence for the peer.
    pub fn resolve(
        &self,
        recipient: &MailAddress,
        at: Timestamp,
    ) -> Result<Vec<PhoneNumber>, RecipientRefusal> {
        self.recipients.resolve(recipient, at)
    }

    /// The rotas, by their names in order.
    pub fn rotas(&self) -> impl Iterator<Item = (&str, &Rota)> {
        self.recipients.rotas.iter().filter_map(|name| Some((name.as_str(), self.recipients.rota(name)?)))
    }

    /// The first of our domains, for people who need one that works.
    pub fn first_domain(&self) -> &str {
        self.recipients.domains.first().map_or("", String::as_str)
    }

    /// Whether mail for `domain` is ours to take.
    pub fn serves(&self, domain: &str) -> bool {
        self.recipients.serves(domain)
    }

    /// The sender of an SMS that is recorded but not sent: the default one where there is one.
    pub fn default_sender(&self) -> Option<&SenderId> {
        self.defaults.sender.as_ref()
    }

    /// The same for a form's destination: a number or an alias, without a domain.
    ///
    /// # Errors
    /// [`RecipientRefusal`], as [`Routing::resolve`]; never [`RecipientRefusal::DomainNotOurs`].
    pub fn resolve_written(
        &self,
        written: &str,
        at: Timestamp,
    ) -> Result<Vec<PhoneNumber>, RecipientRefusal> {
        self.recipients.resolve_written(written, at)
    }

    /// Whether some rule may take a recipient, before the content is known. `recipient` is the
    /// local part (a form's destination) as written, `destinations` what it resolved to. `Ok`
    /// when at least one destination could be sent or dropped; a rule that asks for header,
    /// subject or text counts as one that may match and may not.
    ///
    /// # Errors
    /// [`Refused`] when [`Routing::decide`] would refuse every destination, whatever the content.
    pub fn could_route(
        &self,
        origin: &Origin,
        recipient: &str,
        destinations: &[PhoneNumber],
    ) -> Result<(), Refused> {
        let mut refused = None;
        for destination in destinations {
            match self.certain_refusal(origin, recipient, destination) {
                Some(reason) => refused = refused.or(Some(reason)),
                None => return Ok(()),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn certain_refusal(
        &self,
        origin: &Origin,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Option<Refused> {
        for rule in &self.rules {
            if !rule.when.hold_at_recipient(origin, recipient, destination) {
                continue;
            }
            match &rule.action {
                Action::Send(_) | Action::Drop { .. } => return None,
                Action::Refuse { reason } if !rule.when.need_content() => {
                    return Some(Refused { rule: rule.name.clone(), reason: reason.clone() });
                }
                Action::Refuse { .. } => {}
            }
        }
        match self.no_match {
            NoMatch::Send => None,
            NoMatch::Refuse => Some(Refused { rule: DEFAULT_RULE.to_owned(), reason: NO_RULE.to_owned() }),
        }
    }

    /// What becomes of the SMS to `destination`, one of the numbers that `recipient` (as for
    /// [`Routing::could_route`]) resolved to. The first rule whose conditions all hold decides.
    pub fn decide(&self, facts: &Facts, recipient: &str, destination: &PhoneNumber) -> Decision {
        self.decide_next(&mut Content::default(), facts, recipient, destination)
    }

    /// As [`Routing::decide`] for one phone of several: `content` is empty for the first, and kept for all
    /// that get the same content.
    pub fn decide_next(
        &self,
        content: &mut Content,
        facts: &Facts,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Decision {
        let mut holds = |(index, rule): &(usize, &Rule)| {
            rule.when.hold_at_recipient(&facts.origin, recipient, destination)
                && content.unmet(*index, || rule.when.unmet_in_content(facts)).is_none()
        };
        let rule = self.rules.iter().enumerate().find(|rule| holds(rule));
        self.act(rule.map(|(_, rule)| rule), facts, recipient, destination)
    }

    /// The same as [`Routing::decide`] says, and every rule that was asked up to the one that matched.
    pub fn try_rules(
        &self,
        facts: &Facts,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> (Vec<Tried>, Decision) {
        let mut tried = Vec::new();
        let mut matching = None;
        for rule in &self.rules {
            let unmet = rule.when.unmet(facts, recipient, destination);
            let unmet = unmet.map(|key| rule.when.explain(key, facts, recipient, destination));
            let matched = unmet.is_none();
            tried.push(Tried { rule: rule.name.clone(), unmet });
            if matched {
                matching = Some(rule);
                break;
            }
        }
        (tried, self.act(matching, facts, recipient, destination))
    }

    fn act(
        &self,
        rule: Option<&Rule>,
        facts: &Facts,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Decision {
        let Some(rule) = rule else {
            return match self.no_match {
                NoMatch::Send => self.plan(DEFAULT_RULE, &SendAction::default(), Groups::new(), facts),
                NoMatch::Refuse => {
                    Decision::Refuse { rule: DEFAULT_RULE.to_owned(), reason: NO_RULE.to_owned() }
                }
            };
        };
        let name = rule.name.clone();
        match &rule.action {
            Action::Send(action) => {
                let groups = rule.when.groups(facts, recipient, destination);
                self.plan(&rule.name, action, groups, facts)
            }
            Action::Drop { reason } => Decision::Drop { rule: name, reason: reason.clone() },
            Action::Refuse { reason } => Decision::Refuse { rule: name, reason: reason.clone() },
        }
    }

    fn plan(&self, rule: &str, action: &SendAction, groups: Groups, facts: &Facts) -> Decision {
        let sender = action.sender.as_ref().or(facts.requested_sender).or(self.defaults.sender.as_ref());
        let Some(sender) = sender else {
            // `Parts::build` refuses a routing in which this can be reached.
            return Decision::Refuse { rule: rule.to_owned(), reason: "no sender is configured".to_owned() };
        };
        let wording = action.wording.as_ref().unwrap_or(&self.defaults.wording);
        let placeholders = &wording.fitting.placeholders;
        let escalation = action.delivering.escalation_over(&self.defaults.delivering);
        let escalation =
            escalation.and_then(|escalation| self.escalation_plan(escalation, wording, facts.now));
        Decision::Send(Plan {
            rule: rule.to_owned(),
            sender: sender.clone(),
            wording: Arc::clone(wording),
            groups,
            lifetime: action.lifetime.unwrap_or(self.defaults.lifetime),
            options: SmsOptions {
                campaign_id: action.campaign_id.clone(),
                simulation: action.simulation,
                skip_rcs_override: action.skip_rcs_override,
                enable_notification: action.enable_notification,
                placeholders: (!placeholders.is_empty()).then(|| placeholders.clone()),
                ..SmsOptions::default()
            },
            delivery: action.delivering.plan(&self.defaults.delivering, facts, escalation),
        })
    }

    /// `None` where nobody is behind it, which [`Parts::build`] refuses.
    fn escalation_plan(
        &self,
        escalation: &Escalation,
        wording: &Wording,
        now: Timestamp,
    ) -> Option<EscalationPlan> {
        // Whoever is on call when it comes to that.
        let then = now.checked_add(escalation.after).unwrap_or(now);
        let phones = self.recipients.resolve_written(&escalation.to, then).ok()?;
        let mut wording = wording.clone();
        wording.fitting.split = Split::Parts;
        if let Some(text) = &escalation.text {
            wording.template = text.clone();
        }
        let (after, to) = (escalation.after, escalation.to.clone());
        Some(EscalationPlan { after, to, phones, wording: Arc::new(wording) })
    }
}
