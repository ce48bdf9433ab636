//! Rules, aliases, allowed destinations and allowances: which phone gets which text from which sender.
//!
//! Pure, and immutable once built: the configuration builds a [`Routing`] from [`Parts`] and a
//! reload swaps it whole. A door's recipient goes through it so:
//!
//! 1. [`Routing::resolve`] (a form: [`Routing::resolve_written`]) turns it into numbers, or says
//!    why it is none of ours.
//! 2. [`Routing::could_route`], at `RCPT`, refuses what every rule would refuse whatever the mail
//!    says. It never refuses what [`Routing::decide`] could still take.
//! 3. [`Routing::decide`], once the content is known, gives a [`Decision`] for each number, and several where rules go
//!    on; [`Routing::try_rules`] tells how it came to them.
//!
//! [`Conditions`] are what a rule asks for as it is written; `tree` is what they become to be asked quickly, where each
//! pattern has a number by which what was found of it is kept.

mod allowance;
mod budgets;
mod build;
mod candidates;
mod conditions;
mod decide;
mod delivery;
mod edges;
mod fault;
mod moment;
mod names;
mod price;
mod quiet;
mod reach;
mod recipient;
mod rule;
mod storming;
mod tree;
mod why;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use allowance::{Allowance, SenderPattern, SenderPatternError, SenderRefused};
pub use budgets::{Budget, BudgetScope};
pub use build::{Defaults, KnownAccount, KnownListener, NoMatch, Parts};
pub use conditions::{Conditions, MAX_NESTING, Patterns};
pub use decide::{MAX_CONTINUING, Tried};
pub use delivery::{
    Api, ChannelStep, DeliverAt, Delivering, DeliveryPlan, Escalation, EscalationPlan, LaneBy, SILENT_AFTER,
    Schedule,
};
pub use edges::Edges;
pub use fault::{Fault, FaultKind, Place};
pub use moment::{Dates, Moment, Span, Times};
pub use price::{Amount, AmountError, Prices};
pub use quiet::QuietHours;
pub use recipient::{Prefix, PrefixError, RecipientRefusal};
pub use rule::{Action, Report, Rule, SendAction};
pub use storming::{DigestBy, PairBy, SimilarBy, StormPlan, Storming};
pub use tree::Content;
pub use why::Unmet;

use crate::mail::{Headers, Priority};
use crate::model::{Client, Lane, MailAddress, PhoneNumber, QuietSpan, ReversePath, SenderId, SmsOptions};
use crate::rota::Rota;
use crate::wording::{Groups, Wording};
use candidates::Candidates;
use jiff::Timestamp;
use quiet::Quiet;
use recipient::Recipients;
use tree::{Group, Index};

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
    /// The other fields of a mail's header; `None` for a form post.
    pub headers: Option<Headers<'a>>,
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
            headers: None,
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
    /// Who gets it, none twice: at least one.
    pub phones: Vec<PhoneNumber>,
    /// Of what its sender is told at most.
    pub report: Report,
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
    rules: Vec<Planted>,
    index: Index,
    candidates: Candidates,
    /// What is odd about the rules, and no fault.
    warnings: Vec<Fault>,
    no_match: NoMatch,
    defaults: Defaults,
    quiet: Quiet,
    /// By the names of accounts.
    allowances: BTreeMap<String, Allowance>,
    prices: Prices,
    budgets: Vec<Budget>,
}

/// A rule as it is asked.
#[derive(Clone, Debug)]
struct Planted {
    name: String,
    when: Group,
    action: Action,
}

impl Planted {
    fn continues(&self) -> bool {
        match &self.action {
            Action::Send(send) => send.continues,
            Action::Drop { .. } | Action::Refuse { .. } => false,
        }
    }
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
    /// The same with what is not of [`Parts`] as `before` has it.
    #[must_use]
    pub fn with_rest_of(self, before: &Self) -> Self {
        // Each is named, so that nobody adds one and forgets it here.
        let Self {
            recipients,
            rules,
            index,
            candidates,
            warnings,
            no_match,
            defaults,
            quiet,
            allowances: _,
            prices: _,
            budgets: _,
        } = self;
        let (allowances, prices) = (before.allowances.clone(), before.prices.clone());
        let budgets = before.budgets.clone();
        Self {
            recipients,
            rules,
            index,
            candidates,
            warnings,
            no_match,
            defaults,
            quiet,
            allowances,
            prices,
            budgets,
        }
    }

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

    /// What may not do what was meant, and can be used as it is.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
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

    /// When an SMS to `phone` that would be due at `at` may be, where quiet hours hold it: then, or at their end.
    pub fn awake_from(&self, phone: &PhoneNumber, at: Timestamp) -> Timestamp {
        self.quiet.awake_from(phone, at)
    }

    /// The quiet hours of `phone`, for the spool, which asks again whenever it lets an SMS go.
    pub fn quiet_spans(&self, phone: &PhoneNumber) -> Vec<QuietSpan> {
        self.quiet.spans(phone)
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

    /// The same at any time: every phone that may ever be meant.
    ///
    /// # Errors
    /// As [`Routing::resolve_written`], at no time of which it would go well.
    pub fn resolve_ever(&self, written: &str) -> Result<Vec<PhoneNumber>, RecipientRefusal> {
        self.recipients.resolve_ever(written)
    }
}
