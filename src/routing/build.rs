//! From typed parts to a [`Routing`]: everything that can be wrong between parts that are right
//! by themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::candidates::Candidates;
use super::conditions::MAX_NESTING;
use super::delivery::check::{Checked, nobody};
use super::fault::{Fault, FaultKind, MAX_CAMPAIGN, Place};
use super::recipient::{Prefix, Recipients};
use super::rule::{Action, Rule, SendAction};
use super::tree::Index;
use super::{
    DEFAULT_RULE, Delivering, Planted, Prices, QuietHours, RecipientRefusal, Routing, names, quiet, reach,
};
use crate::model::{DialPlan, Door, MailAddress, PhoneNumber, SenderId, is_domain};
use crate::rota::Rota;
use crate::wording::{Template, Variables, Wording};

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
    ) -> Vec<(Option<&'static str>, FaultKind)> {
        let mut found = Vec::new();
        if send.to.as_ref().is_some_and(Vec::is_empty) {
            found.push((Some("to"), FaultKind::NoDestination(rule.name.clone())));
        }
        let to = send.to.iter().flatten().map(|name| ("to", name));
        for (key, name) in to.chain(send.also_to.iter().map(|name| ("also_to", name))) {
            let kind = match recipients.resolve_ever(name) {
                Ok(_) => continue,
                Err(RecipientRefusal::Unknown(error)) => FaultKind::Destination(error),
                Err(_) if self.allowed.is_empty() => continue,
                Err(_) => FaultKind::DestinationNotAllowed(name.clone()),
            };
            found.push((Some(key), kind));
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
            if let Action::Send(send) = &rule.action {
                for (key, kind) in self.check_sending(rule, send, recipients) {
                    fault(key, kind);
                }
            }
        }
    }

    /// What is wrong with how a rule sends.
    fn check_sending(
        &self,
        rule: &Rule,
        send: &SendAction,
        recipients: &Recipients,
    ) -> Vec<(Option<&'static str>, FaultKind)> {
        let name = || rule.name.clone();
        let mut found = self.check_destinations(rule, send, recipients);
        if send.sender.is_none() && self.defaults.sender.is_none() {
            found.push((None, FaultKind::NoSender(name())));
        }
        let wording = send.wording.as_ref().unwrap_or(&self.defaults.wording);
        let names = rule.when.group_names();
        let of_text = wording.template.groups().iter().find(|group| !names.contains(&group.as_str()));
        let of_text = of_text.map(|group| ("text", group.as_str()));
        let of_delivery = groups_of(&send.delivering, &self.defaults.delivering);
        for (key, group) in of_text.into_iter().chain(of_delivery.filter(|(_, group)| !names.contains(group)))
        {
            found.push((Some(key), FaultKind::NoSuchGroup { rule: name(), group: group.to_owned() }));
        }
        let checked = Checked {
            own: &send.delivering,
            defaults: &self.defaults.delivering,
            wording,
            default_wording: Some(&self.defaults.wording),
            campaign_id: send.campaign_id.as_deref(),
        };
        let escalation = self.check_escalation(&send.delivering, recipients);
        found.extend(checked.faults().into_iter().chain(escalation).map(|(key, kind)| (Some(key), kind)));
        let length = send.campaign_id.as_ref().map_or(0, |campaign| campaign.chars().count());
        if length > MAX_CAMPAIGN {
            found.push((Some("campaign_id"), FaultKind::CampaignTooLong(name(), length)));
        }
        found
    }
}

/// The rules as they are asked.
pub(super) fn planted(rules: Vec<Rule>) -> (Vec<Planted>, Index, Candidates) {
    let mut index = Index::default();
    let planted = |Rule { name, when, action }| Planted { name, when: index.plant(&when), action };
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
