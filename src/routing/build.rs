//! From typed parts to a [`Routing`]: everything that can be wrong between parts that are right
//! by themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::candidates::Candidates;
use super::conditions::MAX_NESTING;
use super::delivery::check::{Checked, nobody};
use super::recipient::{Prefix, Recipients};
use super::rule::{Action, Rule, SendAction};
use super::tree::Index;
use super::{
    DEFAULT_RULE, Delivering, Planted, Prices, QuietHours, RecipientRefusal, Routing, names, quiet, reach,
};
use crate::model::{DialPlan, Door, MailAddress, PhoneError, PhoneNumber, SenderId, is_domain};
use crate::rota::Rota;
use crate::wording::{Template, Variables, Wording};

/// Most characters of a campaign (SMS Universal API, `campaignId`).
const MAX_CAMPAIGN: usize = 255;

/// What a routing is built from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Recipient domains and address literals; at least one.
    pub domains: Vec<String>,
    /// How national numbers are completed.
    pub dial_plan: DialPlan,
    /// Destinations that are allowed; empty allows none.
    pub allowed: Vec<Prefix>,
    /// Local parts of mail that names its destinations in its text.
    pub text_recipients: Vec<String>,
    /// Names, each with the numbers and other names that it stands for, as written.
    pub aliases: Vec<(String, Vec<String>)>,
    /// Names, each with who is on call when; they may stand wherever an alias may.
    pub rotas: Vec<(String, Rota)>,
    /// When phones get nothing that can wait; several of one phone add up.
    pub quiet: Vec<QuietHours>,
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// What happens when no rule matches.
    pub no_match: NoMatch,
    /// What a rule leaves open.
    pub defaults: Defaults,
    /// Every listener, for rules that name one or can be reached through none.
    pub listeners: Vec<KnownListener>,
    /// Every account of either door, likewise.
    pub accounts: Vec<KnownAccount>,
}

/// What a rule leaves open.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// What the phone shows as sender.
    pub sender: Option<SenderId>,
    /// How the words are made.
    pub wording: Arc<Wording>,
    /// How long a message is tried.
    pub lifetime: Duration,
    /// How it is to reach the phone.
    pub delivering: Delivering,
}

/// What happens when no rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMatch {
    /// It is sent with the defaults.
    Send,
    /// It is refused.
    Refuse,
}

/// A listener as rules know it.
#[derive(Clone, Debug)]
pub struct KnownListener {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub door: Door,
    /// Who may come through it; for HTTP the networks of all accounts.
    pub networks: Vec<IpNet>,
}

/// An account as rules know it.
#[derive(Clone, Debug)]
pub struct KnownAccount {
    /// Its name.
    pub name: String,
    /// The kind of listener that it comes through.
    pub door: Door,
    /// Where it may come from; for SMTP it is the listeners that decide, and this is empty.
    pub networks: Vec<IpNet>,
}

/// Something that cannot be; `Display` says what and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// Which part is wrong.
    pub place: Place,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// A part of [`Parts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The list of domains, or one of them.
    Domains(Option<usize>),
    /// An alias, or one of its targets.
    Alias {
        /// Which alias.
        index: usize,
        /// Which of its targets.
        target: Option<usize>,
    },
    /// A rota.
    Rota(usize),
    /// One of those whose quiet hours are told.
    Quiet {
        /// Which of the quiet hours.
        index: usize,
        /// Which of `who`.
        who: usize,
    },
    /// One of the recipients that name their destinations in their text.
    TextRecipient(usize),
    /// A rule, or one of its keys.
    Rule {
        /// Which rule.
        index: usize,
        /// The key as the configuration writes it.
        key: Option<&'static str>,
    },
    /// The template of the defaults.
    DefaultText,
    /// Another key of the defaults.
    Default(&'static str),
    /// What happens when no rule matches.
    NoMatch,
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// No domain at all.
    #[error("no domain is given; write at least one, like \"sms.local\"")]
    NoDomain,
    /// Neither a domain nor an address literal.
    #[error("`{0}` is not a domain; write it like \"sms.local\", \"[192.0.2.1]\" or \"[IPv6:2001:db8::1]\"")]
    Domain(String),
    /// Blank space around, control characters, nothing, or over 64 octets.
    #[error("`{}` cannot be the name of an alias; use up to 64 letters, digits, dots and dashes", .0.escape_debug())]
    AliasName(String),
    /// A number of its own.
    #[error("alias `{0}` is a phone number itself, and mail for that phone would go elsewhere; rename it")]
    AliasIsNumber(String),
    /// Stands for nothing.
    #[error("alias `{0}` is empty; give at least one number")]
    AliasEmpty(String),
    /// Names are compared without regard to case.
    #[error("alias `{0}` is there twice (upper and lower case are the same); remove one")]
    AliasTwice(String),
    /// Leads back to itself.
    #[error("aliases go in a circle: {}; remove one of them", .0.join(" -> "))]
    AliasLoop(Vec<String>),
    /// Nested too deep.
    #[error("alias `{0}` is more than {1} aliases deep; write the numbers directly")]
    AliasTooDeep(String, usize),
    /// Neither number nor alias.
    #[error("{0}, and there is no alias of that name")]
    AliasTarget(PhoneError),
    /// There are times without anybody.
    #[error("at some times nobody is on call by rota `{0}`; write `otherwise`, or shifts for the whole week")]
    NobodyOnCall(String),
    /// Neither number nor alias.
    #[error("quiet hours for nobody: {0}, and there is no alias of that name")]
    QuietTarget(PhoneError),
    /// Whoever is on call.
    #[error(
        "`{0}` is a rota or has one behind it, and quiet hours are a person's, on call or not; name those who have them"
    )]
    QuietRota(String),
    /// No time is left.
    #[error(
        "the quiet hours of `{0}` never end, all that there are for it taken together, and what is not critical would \
         never be sent; leave some time of the week"
    )]
    QuietForever(String),
    /// Leads to a destination that is not allowed.
    #[error("alias `{0}` leads to a number that `allowed` does not cover; add its prefix there")]
    AliasNotAllowed(String),
    /// Not a local part, or one that means something else already.
    #[error(
        "`{}` cannot be a recipient that names its destinations in its text; use a name that is no number, no \
         alias and not postmaster", .0.escape_debug()
    )]
    TextRecipient(String),
    /// The template names a group that none of the rule's patterns has.
    #[error(
        "the template of rule `{rule}` names the group `{group}`, but no pattern of the rule has it; write (?P<{group}>...) in one of them"
    )]
    NoSuchGroup {
        /// The rule.
        rule: String,
        /// The group.
        group: String,
    },
    /// The template of the defaults names a group, and is used without any pattern.
    #[error(
        "the template names the group `{0}`, but what no rule takes is sent by it too, and there no pattern finds one; \
         give the rules that have the group a `text` of their own, or write no_match = \"refuse\" in [routing]"
    )]
    GroupWithoutRule(String),
    /// The name of "no rule".
    #[error("`{DEFAULT_RULE}` stands for \"no rule\" in logs; give the rule another name")]
    RuleName,
    /// Two rules of one name.
    #[error("there are two rules with the name `{0}`; rename one")]
    RuleTwice(String),
    /// Conditions in conditions in conditions.
    #[error(
        "the conditions of rule `{0}` stand more than {MAX_NESTING} deep in each other; write them flatter, or as several rules"
    )]
    TooDeep(String),
    /// Conditions that ask for nothing, within others.
    #[error(
        "rule `{rule}` has an empty condition in `{key}`; write something like {{ subject = \"fire\" }} there"
    )]
    NoCondition {
        /// The rule.
        rule: String,
        /// `any`, `all` or `not`.
        key: &'static str,
    },
    /// An empty list of those who get it.
    #[error("`to` of rule `{0}` names nobody; write an alias, a rota or a number, or leave it out")]
    NoDestination(String),
    /// Neither number nor alias.
    #[error("the rule sends it to nobody: {0}, and there is no alias of that name")]
    Destination(PhoneError),
    /// Leads to a destination that is not allowed.
    #[error("`{0}` leads to a number that `allowed` in [routing] does not cover; add its prefix there")]
    DestinationNotAllowed(String),
    /// A name that does not exist, in one of several conditions.
    #[error("rule `{rule}` asks for the {key} `{name}`, and there is none of that name")]
    NoSuchInner {
        /// The rule.
        rule: String,
        /// `listener` or `account`.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// Conditions that exclude each other.
    #[error("rule `{rule}` can never match: {why}")]
    Contradiction {
        /// The rule.
        rule: String,
        /// What excludes what.
        why: String,
    },
    /// An empty list of alternatives.
    #[error("rule `{rule}` can never match: `{key}` is empty; name at least one, or leave the key out")]
    EmptyCondition {
        /// The rule.
        rule: String,
        /// The key.
        key: &'static str,
    },
    /// A name that does not exist.
    #[error("rule `{rule}` can never match: there is no {key} `{name}`")]
    NoSuch {
        /// The rule.
        rule: String,
        /// `listener` or `account`.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// An earlier rule takes everything.
    #[error("rule `{rule}` can never match: rule `{by}` before it takes everything that it asks for")]
    Shadowed {
        /// The rule.
        rule: String,
        /// The earlier one.
        by: String,
    },
    /// Asks for a network from which nobody is let in.
    #[error("rule `{rule}` can never match: no listener or account that it names lets these networks in")]
    NetworkNotLetIn {
        /// The rule.
        rule: String,
    },
    /// Asks for an account and for something that only a mail has, or an SMTP listener.
    #[error("rule `{rule}` can never match: `{key}` is about mail, and only form posts are left to it")]
    NotInForms {
        /// The rule.
        rule: String,
        /// The key about mail.
        key: &'static str,
    },
    /// Asks for accounts that come through none of the listeners it asks for.
    #[error(
        "rule `{rule}` can never match: `account` names accounts of {} only, and `listener` no listener of that kind",
        .door.as_str().to_ascii_uppercase()
    )]
    AccountElsewhere {
        /// The rule.
        rule: String,
        /// The kind of all the accounts.
        door: Door,
    },
    /// Nothing to send from.
    #[error("rule `{0}` has no sender and there is no default; set `sender` here or in [defaults]")]
    NoSender(String),
    /// Too long for the platform.
    #[error("campaign_id of rule `{0}` has {1} characters; the platform takes {MAX_CAMPAIGN}")]
    CampaignTooLong(String, usize),
    /// An empty list of channels.
    #[error("`channels` is empty, so nothing could be sent; name at least one, like \"sms\"")]
    NoChannel,
    /// An id and a channel name one message at the platform.
    #[error("`channels` has {0} twice; keep one of them")]
    ChannelTwice(String),
    /// Only a template has variables, and only where another way follows does silence matter.
    #[error(
        "`{0}` means nothing without a template in `channels`; write one like channels = [\"rcs:alert_v2\", \"sms\"]"
    )]
    WithoutChannels(&'static str),
    /// The platform takes no time for a template.
    #[error(
        "the platform schedules SMS only, and `channels` has a template; write schedule = \"relay\", or leave the \
         template out"
    )]
    ScheduledTemplate,
    /// Each of several SMS would be sent as the whole template.
    #[error(
        "`split = \"messages\"` would send the template in `channels` once for each piece of a text; write \
         split = \"parts\""
    )]
    SplitTemplate,
    /// Only the legacy API can be told.
    #[error("`{0}` is for the legacy API only; write api = \"legacy\" too, or remove it")]
    WithoutLegacy(&'static str),
    /// Nothing goes by the API that was chosen.
    #[error("`api = \"legacy\"` means nothing where `channels` has no \"sms\"; add it, or remove `api`")]
    LegacyWithoutSms,
    /// The legacy API sends `{name}` as it is.
    #[error("the legacy API fills no placeholders in; write api = \"universal\", or remove `placeholders`")]
    LegacyPlaceholders,
    /// The legacy API knows no campaigns.
    #[error("the legacy API has no `campaign_id`; write api = \"universal\", or remove it")]
    LegacyCampaign,
    /// The platform would cut what the relay counts on.
    #[error(
        "without `legacy_concatenated` the platform cuts after one part, and `max_parts` is {0}; write max_parts = 1, \
         so that the relay cuts at a word"
    )]
    LegacyCut(u32),
    /// Neither number nor alias.
    #[error("the escalation goes nowhere: {0}, and there is no alias of that name")]
    EscalationTarget(PhoneError),
    /// An address where a name is wanted.
    #[error("the escalation goes nowhere: `{0}` is an address; write an alias or a number")]
    EscalationAddress(String),
    /// Leads to a destination that is not allowed.
    #[error("the escalation to `{0}` is not covered by `allowed` in [routing]; add its prefix there")]
    EscalationNotAllowed(String),
    /// Sending by default needs a sender.
    #[error("what no rule takes is to be sent, but there is no sender; set `sender` in [defaults]")]
    NoDefaultSender,
}

impl FaultKind {
    /// Whether it only does nothing: the rules can be used, and may not do what was meant.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Contradiction { .. }
                | Self::Shadowed { .. }
                | Self::NetworkNotLetIn { .. }
                | Self::NotInForms { .. }
                | Self::AccountElsewhere { .. }
        )
    }
}

impl Parts {
    /// Checks the parts against each other.
    ///
    /// What is odd and no fault is [`Routing::warnings`].
    ///
    /// # Errors
    /// Every [`Fault`] there is, not only the first, in the order of the parts, and what is odd behind them.
    pub fn build(self) -> Result<Routing, Vec<Fault>> {
        let mut faults = Vec::new();
        check_domains(&self.domains, &mut faults);
        let names = names::read(&self.aliases, &self.rotas, &self.dial_plan, &mut faults);
        let recipients = Recipients {
            domains: self.domains.clone(),
            dial_plan: self.dial_plan.clone(),
            allowed: self.allowed.clone(),
            text_recipients: self.text_recipients.iter().map(|name| name.to_lowercase()).collect(),
            names,
            rotas: self.rotas.iter().map(|(name, _)| name.clone()).collect(),
        };
        let quiet = quiet::read(&self.quiet, &recipients.names, &self.dial_plan, &mut faults);
        self.check_text_recipients(&recipients, &mut faults);
        // With nothing allowed at all the configuration gives one warning, not one for each alias.
        if !self.allowed.is_empty() {
            let of_alias = |index| Place::Alias { index, target: None };
            let aliases = self.aliases.iter().enumerate().map(|(n, (name, _))| (of_alias(n), name));
            let rotas = self.rotas.iter().enumerate().map(|(n, (name, _))| (Place::Rota(n), name));
            for (place, name) in aliases.chain(rotas) {
                let numbers = recipients.names.all_phones(&name.to_lowercase());
                if !numbers.iter().all(|number| recipients.allows(number)) {
                    faults.push(Fault { place, kind: FaultKind::AliasNotAllowed(name.clone()) });
                }
            }
        }
        self.check_rules(&recipients, &mut faults);
        self.check_defaults(&recipients, &mut faults);
        let (wrong, odd): (Vec<Fault>, Vec<Fault>) =
            reach::unreachable(&self.rules, &self.listeners, &self.accounts)
                .into_iter()
                .partition(|fault| !fault.kind.is_warning());
        faults.extend(wrong);
        if self.no_match == NoMatch::Send && self.defaults.sender.is_none() {
            faults.push(Fault { place: Place::NoMatch, kind: FaultKind::NoDefaultSender });
        }
        if self.no_match == NoMatch::Send
            && let Some(group) = self.defaults.wording.template.groups().first()
        {
            let kind = FaultKind::GroupWithoutRule(group.clone());
            faults.push(Fault { place: Place::DefaultText, kind });
        }
        if faults.is_empty() {
            let Self { rules, no_match, defaults, .. } = self;
            let (rules, index, candidates) = planted(rules);
            Ok(Routing {
                recipients,
                rules,
                index,
                candidates,
                warnings: odd,
                no_match,
                defaults,
                quiet,
                allowances: BTreeMap::new(),
                prices: Prices::default(),
                budgets: Vec::new(),
            })
        } else {
            faults.extend(odd);
            Err(faults)
        }
    }

    fn check_text_recipients(&self, recipients: &Recipients, faults: &mut Vec<Fault>) {
        for (index, name) in self.text_recipients.iter().enumerate() {
            let taken = recipients.names.contains(&name.to_lowercase())
                || name.eq_ignore_ascii_case("postmaster")
                || PhoneNumber::parse(name, &self.dial_plan).is_ok();
            if taken || MailAddress::new(name, "x").is_err() {
                let kind = FaultKind::TextRecipient(name.clone());
                faults.push(Fault { place: Place::TextRecipient(index), kind });
            }
        }
    }

    /// What the defaults say about delivery, by themselves.
    fn check_defaults(&self, recipients: &Recipients, faults: &mut Vec<Fault>) {
        let Defaults { wording, delivering, .. } = &self.defaults;
        let checked = Checked {
            own: delivering,
            defaults: &Delivering::default(),
            wording,
            default_wording: None,
            campaign_id: None,
        };
        let mut found = checked.faults();
        found.extend(self.check_escalation(delivering, recipients));
        if self.no_match == NoMatch::Send
            && let Some((key, group)) = groups_of(delivering, delivering).next()
        {
            found.push((key, FaultKind::GroupWithoutRule(group.to_owned())));
        }
        faults.extend(found.into_iter().map(|(key, kind)| Fault { place: Place::Default(key), kind }));
    }

    /// Whether the escalation that is written in `own` has somebody behind it. With nothing allowed at all there
    /// is a warning already.
    fn check_escalation(
        &self,
        own: &Delivering,
        recipients: &Recipients,
    ) -> Option<(&'static str, FaultKind)> {
        let escalation = own.escalation.as_ref()?.as_ref()?;
        let why = recipients.resolve_ever(&escalation.to).err()?;
        let kind = nobody(&escalation.to, why);
        let is_told = self.allowed.is_empty() && matches!(kind, FaultKind::EscalationNotAllowed(_));
        (!is_told).then_some(("escalate", kind))
    }

    /// Whether each of the destinations of a rule has somebody behind it, at any time.
    fn check_destinations(
        &self,
        rule: &Rule,
        send: &SendAction,
        recipients: &Recipients,
    ) -> Vec<(&'static str, FaultKind)> {
        let mut found = Vec::new();
        if send.to.as_ref().is_some_and(Vec::is_empty) {
            found.push(("to", FaultKind::NoDestination(rule.name.clone())));
        }
        let to = send.to.iter().flatten().map(|name| ("to", name));
        for (key, name) in to.chain(send.also_to.iter().map(|name| ("also_to", name))) {
            let kind = match recipients.resolve_ever(name) {
                Ok(_) => continue,
                Err(RecipientRefusal::Unknown(error)) => FaultKind::Destination(error),
                Err(_) if self.allowed.is_empty() => continue,
                Err(_) => FaultKind::DestinationNotAllowed(name.clone()),
            };
            found.push((key, kind));
        }
        found
    }

    fn check_rules(&self, recipients: &Recipients, faults: &mut Vec<Fault>) {
        for (index, rule) in self.rules.iter().enumerate() {
            let mut fault = |key, kind| faults.push(Fault { place: Place::Rule { index, key }, kind });
            if rule.name == DEFAULT_RULE {
                fault(Some("name"), FaultKind::RuleName);
            }
            if self.rules[..index].iter().any(|earlier| earlier.name == rule.name) {
                fault(Some("name"), FaultKind::RuleTwice(rule.name.clone()));
            }
            if let Some((key, _)) = rule.when.inner().next()
                && rule.when.depth(MAX_NESTING + 1) > MAX_NESTING
            {
                fault(Some(key), FaultKind::TooDeep(rule.name.clone()));
            }
            match &rule.action {
                Action::Send(send) => {
                    for (key, kind) in self.check_destinations(rule, send, recipients) {
                        fault(Some(key), kind);
                    }
                    if send.sender.is_none() && self.defaults.sender.is_none() {
                        fault(None, FaultKind::NoSender(rule.name.clone()));
                    }
                    let wording = send.wording.as_ref().unwrap_or(&self.defaults.wording);
                    let names = rule.when.group_names();
                    let has = |group: &str| names.contains(&group);
                    let unknown = |group: &&String| !has(group);
                    if let Some(group) = wording.template.groups().iter().find(unknown) {
                        let group = group.clone();
                        fault(Some("text"), FaultKind::NoSuchGroup { rule: rule.name.clone(), group });
                    }
                    for (key, group) in groups_of(&send.delivering, &self.defaults.delivering) {
                        if !has(group) {
                            let (rule, group) = (rule.name.clone(), group.to_owned());
                            fault(Some(key), FaultKind::NoSuchGroup { rule, group });
                        }
                    }
                    let checked = Checked {
                        own: &send.delivering,
                        defaults: &self.defaults.delivering,
                        wording,
                        default_wording: Some(&self.defaults.wording),
                        campaign_id: send.campaign_id.as_deref(),
                    };
                    let escalation = self.check_escalation(&send.delivering, recipients);
                    for (key, kind) in checked.faults().into_iter().chain(escalation) {
                        fault(Some(key), kind);
                    }
                    let length = send.campaign_id.as_ref().map_or(0, |campaign| campaign.chars().count());
                    if length > MAX_CAMPAIGN {
                        fault(Some("campaign_id"), FaultKind::CampaignTooLong(rule.name.clone(), length));
                    }
                }
                Action::Drop { .. } | Action::Refuse { .. } => {}
            }
        }
    }
}

/// The rules as they are asked.
pub(super) fn planted(rules: Vec<Rule>) -> (Vec<Planted>, Index, Candidates) {
    let mut index = Index::default();
    let planted = |Rule { name, when, action }| Planted { name, when: index.plant(when), action };
    let rules: Vec<Planted> = rules.into_iter().map(planted).collect();
    let candidates = Candidates::new(rules.iter().map(|rule| &rule.when));
    (rules, index, candidates)
}

/// The groups that the templates for delivery use, each with the key of its template.
fn groups_of<'a>(
    own: &'a Delivering,
    defaults: &'a Delivering,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let variables = own.variables_over(defaults).into_iter().flat_map(Variables::groups);
    let escalation = own.escalation_over(defaults).and_then(|escalation| escalation.text.as_ref());
    let escalation = escalation.into_iter().flat_map(Template::groups).map(String::as_str);
    let storm = own.storming.groups_over(&defaults.storming).map(|group| ("storm", group));
    let own = variables.map(|group| ("variables", group)).chain(escalation.map(|group| ("escalate", group)));
    own.chain(storm)
}

fn check_domains(domains: &[String], faults: &mut Vec<Fault>) {
    if domains.is_empty() {
        faults.push(Fault { place: Place::Domains(None), kind: FaultKind::NoDomain });
    }
    for (n, domain) in domains.iter().enumerate() {
        if !is_domain(domain) || MailAddress::new("x", domain).is_err() {
            let kind = FaultKind::Domain(domain.escape_debug().to_string());
            faults.push(Fault { place: Place::Domains(Some(n)), kind });
        }
    }
}
