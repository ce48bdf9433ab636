//! `[routing]`, `[defaults]`, `[aliases]`, `[prices]` and `[[rule]]`: from the file to a [`Routing`].

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::allowance;
use super::budgets;
use super::conditions;
use super::delivery::{self, Around};
use super::doors::Doors;
use super::mentions::Unmentioned;
use super::overrides::Overriding;
use super::prices;
use super::quiet;
use super::reader::{Reader, Section, Value};
use super::rotas;
use super::storms;
use super::values;
use super::wording;
use crate::model::{DialPlan, SourceKind};
use crate::routing::{
    Action, Defaults, Delivering, Edges, Fault, FaultKind, NoMatch, Parts, Place, Report, Routing, Rule,
    SendAction,
};
use crate::wording::Wording;

/// What the sections come to.
pub(super) struct Ruled {
    pub(super) routing: Routing,
    /// Where rotas have overrides.
    pub(super) overriding: Option<Overriding>,
    pub(super) unmentioned: Unmentioned,
    /// When what the rules ask for changes.
    pub(super) edges: Edges,
}

/// Reads the sections and builds the routing.
pub(super) fn read(reader: &Reader, top: &Section, doors: &Doors, around: Around<'_>) -> Option<Ruled> {
    let section = top.section("routing");
    let defaults_section = top.section("defaults");
    let domains = section.or("domains", vec!["sms.local".to_owned()], values::list(values::text));
    let dial_plan = dial_plan(reader, &section);
    let allowed = section.optional("allowed", values::list(values::prefix));
    let mut defaults = defaults(reader, &defaults_section, around);
    let storm_section = top.section("storm");
    defaults.delivering.storming = storms::read(&storm_section);
    let written =
        section.optional("no_match", values::word(&[("send", NoMatch::Send), ("refuse", NoMatch::Refuse)]));
    // Whoever gives a default sender wants it used; without one nothing can be sent by default.
    let usual = if defaults_section.has("sender") { NoMatch::Send } else { NoMatch::Refuse };
    if !section.has("allowed") || allowed.as_ref().is_some_and(Vec::is_empty) {
        let text = "no destination is allowed yet, and every recipient will be refused; list prefixes in [routing] \
                    like allowed = [\"+39\"]";
        reader.warning(section.place("allowed"), text.to_owned());
    }

    let prices = prices::read(&top.section("prices"));
    let aliases = aliases(&top.section("aliases"));
    let rotas = rotas::read(reader, top);
    let quiet = quiet::read(top);
    let sections = top.sections("rule");
    let mut rules = Vec::new();
    let mut places = Vec::new();
    for section in &sections {
        let when = section.section("when");
        doors.expected.read(section, SourceKind::Rule);
        if let Some(rule) = rule(reader, section, &when, &defaults.wording, around) {
            rules.push(rule);
            places.push((section, when));
        }
    }
    let allowances = allowance::narrowed(reader, &doors.allowances, allowed.as_deref().unwrap_or_default());
    let names: Vec<String> = rules.iter().map(|rule: &Rule| rule.name.clone()).collect();
    let known = budgets::Known {
        rules: &names,
        accounts: doors.known_accounts.iter().map(|account| account.name.as_str()).collect(),
        listeners: doors.known_listeners.iter().map(|listener| listener.name.as_str()).collect(),
        allowed: allowed.as_deref().unwrap_or_default(),
        prices: &prices,
    };
    let budgets = budgets::read(reader, top, &known);
    let parts = Parts {
        domains,
        dial_plan: dial_plan.clone().unwrap_or_default(),
        allowed: allowed.unwrap_or_default(),
        text_recipients: section.or("text_recipients", Vec::new(), values::list(values::text)),
        aliases: aliases.iter().map(|alias| (alias.name.clone(), alias.targets.clone())).collect(),
        rotas: rotas.iter().map(|rota| (rota.name.clone(), rota.rota.clone())).collect(),
        quiet: quiet.iter().map(|one| one.quiet.clone()).collect(),
        rules,
        no_match: written.unwrap_or(usual),
        defaults,
        listeners: doors.known_listeners.clone(),
        accounts: doors.known_accounts.clone(),
    };
    let files = rotas.iter().enumerate().filter_map(|(n, rota)| Some((n, rota.file.clone()?)));
    let overriding = Overriding::new(&parts, files.collect());
    let faults = rotas.iter().flat_map(|rota| rota.faults.clone()).collect();
    let overriding = match (reader.kept_overrides(), overriding) {
        (Some(kept), Some(overriding)) => Some(overriding.keeping(kept, faults)),
        (_, overriding) => overriding,
    };
    let parts = overriding.as_ref().map_or(parts, |overriding| overriding.parts().clone());
    let unmentioned = Unmentioned::of(
        &parts,
        aliases.iter().map(|alias| Some(alias.span.clone())),
        rotas.iter().map(|rota| rota.place.clone()),
    );
    let edges = Edges::of(parts.rules.iter().map(|rule| &rule.when));
    let built = parts.build();
    let faults = match &built {
        Ok(routing) => routing.warnings(),
        Err(faults) => faults,
    };
    let aliases_are_right =
        !faults.iter().any(|fault| matches!(fault.place, Place::Alias { .. } | Place::Rota(_)));
    for fault in faults {
        let span = match fault.place {
            Place::Domains(item) => {
                let items = section.value("domains").and_then(|value| value.items()).unwrap_or_default();
                let item = item.and_then(|item| items.get(item)).map(Value::span);
                item.or_else(|| section.place("domains"))
            }
            Place::TextRecipient(item) => {
                let items = section.value("text_recipients").and_then(|value| value.items());
                items.unwrap_or_default().get(item).map(Value::span)
            }
            Place::Alias { index, target } => aliases.get(index).map(|alias| alias.place(target)),
            Place::Rota(index) => rotas.get(index).and_then(|rota| rota.place.clone()),
            Place::Quiet { index, who } => quiet.get(index).and_then(|one| one.place(who)),
            Place::Rule { index, key } => places.get(index).and_then(|(rule, when)| match key {
                Some(key) if when.has(key) => when.place(key),
                Some(key) => rule.place(key),
                None => rule.place("name"),
            }),
            Place::DefaultText => defaults_section.place("text"),
            Place::Default("storm") => storm_section.span(),
            Place::Default(key) => defaults_section.place(key),
            Place::NoMatch => section.place("no_match"),
        };
        // What follows from another mistake is not told: a place that is wrong by itself, a sender
        // that could not be read, and numbers where it is open how to read them.
        let told = span.as_ref().is_some_and(|span| reader.is_wrong(span))
            || lacks_sender(fault) && defaults_section.has("sender")
            || is_about_numbers(fault) && dial_plan.is_none()
            || is_about_others(fault) && !aliases_are_right;
        match (told, fault.kind.is_warning()) {
            (true, _) => {}
            (false, true) => reader.warning(span, fault.to_string()),
            (false, false) => reader.error(span, fault.to_string()),
        }
    }
    if built.is_err() {
        // What is kept may be what is wrong.
        let kept = overriding.iter().flat_map(Overriding::faults);
        kept.for_each(|fault| reader.error(None, fault.to_string()));
    }
    let routing = built.ok()?.with_allowances(allowances).with_prices(prices);
    let routing = dial_plan.zip(budgets).map(|(_, budgets)| routing.with_budgets(budgets));
    routing.map(|routing| Ruled { routing, overriding, unmentioned, edges })
}

fn lacks_sender(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::NoSender(_) | FaultKind::NoDefaultSender)
}

/// What is wrong with an alias is told there.
fn is_about_others(fault: &Fault) -> bool {
    use FaultKind::{
        Destination, DestinationNotAllowed, EscalationNotAllowed, EscalationTarget, QuietRota, QuietTarget,
    };
    matches!(
        fault.kind,
        EscalationTarget(_)
            | EscalationNotAllowed(_)
            | Destination(_)
            | DestinationNotAllowed(_)
            | QuietRota(_)
            | QuietTarget(_)
    )
}

fn is_about_numbers(fault: &Fault) -> bool {
    use FaultKind::{AliasIsNumber, AliasNotAllowed, AliasTarget, QuietTarget};
    matches!(fault.kind, AliasIsNumber(_) | AliasNotAllowed(_) | AliasTarget(_) | QuietTarget(_))
}

fn dial_plan(reader: &Reader, section: &Section) -> Option<DialPlan> {
    let code = section.optional("country_code", values::text);
    let trunk = section.optional("trunk_prefix", |value| {
        let written = value.item.get_ref().as_str();
        written.map(str::to_owned).or_else(|| value.wrong_type("a text in quotes"))
    });
    if section.has("trunk_prefix") && !section.has("country_code") {
        let text = "`trunk_prefix` means nothing without `country_code`; write both";
        reader.error(section.place("trunk_prefix"), text.to_owned());
        return None;
    }
    if !section.has("country_code") {
        return Some(DialPlan::default());
    }
    let code = code?;
    if section.has("trunk_prefix") && trunk.is_none() {
        return None;
    }
    // One at a time, so that the place is known.
    let wrong = |key: &str, text: String| {
        reader.error(section.place(key), text);
        None
    };
    if DialPlan::national(&code, None).is_err() {
        let shown = code.escape_debug();
        return wrong(
            "country_code",
            format!("`{shown}` is not a country code; write 1 to 3 digits, like \"39\""),
        );
    }
    DialPlan::national(&code, trunk.as_deref()).map_or_else(
        |_| wrong("trunk_prefix", "`trunk_prefix` is made of digits, like \"0\", or empty".to_owned()),
        Some,
    )
}

fn defaults(reader: &Reader, section: &Section, around: Around<'_>) -> Defaults {
    let usual = wording::usual();
    Defaults {
        sender: section.optional("sender", values::sender),
        wording: Arc::new(wording::read(reader, section, &usual).unwrap_or(usual)),
        lifetime: section.or("lifetime", Duration::from_secs(4 * 3600), values::time(values::SECOND)),
        delivering: delivery::defaults(section, around),
    }
}

struct Alias {
    name: String,
    span: Range<usize>,
    targets: Vec<String>,
    target_spans: Vec<Range<usize>>,
}

impl Alias {
    fn place(&self, target: Option<usize>) -> Range<usize> {
        target.and_then(|target| self.target_spans.get(target)).unwrap_or(&self.span).clone()
    }
}

fn aliases(section: &Section) -> Vec<Alias> {
    let entries = section.entries();
    entries
        .into_iter()
        .map(|(name, span, value)| {
            let written = value.items().unwrap_or_else(|| vec![value.clone()]);
            let read = |item: &Value| {
                let text = item.item.get_ref().as_str().map(str::to_owned);
                text.or_else(|| item.wrong_type("a number or an alias in quotes"))
                    .map(|text| (text, item.span()))
            };
            let (targets, target_spans) = written.iter().filter_map(read).unzip();
            Alias { name, span, targets, target_spans }
        })
        .collect()
}

/// One rule, or nothing when a part of it is wrong: a rule that lost a condition would take more
/// than it should.
fn rule(
    reader: &Reader,
    section: &Section,
    when: &Section,
    default_wording: &Wording,
    around: Around<'_>,
) -> Option<Rule> {
    let name = section.required("name", "\"fire\"", values::name);
    let conditions = conditions::read(when, &TimeZone::system());
    let reports = values::word(&[("all", Report::All), ("failures", Report::Failures), ("off", Report::Off)]);
    let storming = storms::of_rule(section);
    let send = SendAction {
        to: section.optional("to", values::one_or_more(values::text)),
        also_to: section.or("also_to", Vec::new(), values::one_or_more(values::text)),
        continues: section.or("continue", false, values::flag),
        report: section.or("report", Report::All, reports),
        sender: section.optional("sender", values::sender),
        wording: wording::read(reader, section, default_wording).map(Arc::new),
        campaign_id: section.optional("campaign_id", values::text),
        lifetime: section.optional("lifetime", values::time(values::SECOND)),
        simulation: section.or("simulation", false, values::flag),
        skip_rcs_override: section.or("skip_rcs_override", false, values::flag),
        enable_notification: section.optional("enable_notification", values::flag),
        delivering: Delivering { storming, ..delivery::read(section, around) },
    };
    let drop = section.optional("drop", values::text);
    let refuse = section.optional("refuse", refusal);
    if section.has("drop") && section.has("refuse") {
        reader.error(section.place("refuse"), "a rule drops or refuses, not both; keep one".to_owned());
        return None;
    }
    let ends = ["drop", "refuse"].into_iter().find(|key| section.has(key));
    let sends = [
        "to",
        "also_to",
        "continue",
        "report",
        "sender",
        "campaign_id",
        "lifetime",
        "simulation",
        "skip_rcs_override",
        "enable_notification",
    ];
    if let Some(ends) = ends
        && let Some(idle) =
            sends.into_iter().chain(wording::KEYS).chain(delivery::KEYS).find(|key| section.has(key))
    {
        let text = format!("`{idle}` means nothing in a rule with `{ends}`; remove one of them");
        reader.error(section.place(idle), text);
        return None;
    }
    let action = match ends {
        Some("drop") => Action::Drop { reason: drop? },
        Some(_) => Action::Refuse { reason: refuse? },
        None => Action::Send(send),
    };
    let name = name?;
    // A misspelt condition is an error of its own place, and counts here too.
    when.tell_unknown();
    section.tell_unknown();
    if section.written_spans().iter().chain(&when.written_spans()).any(|span| reader.is_wrong(span)) {
        return None;
    }
    Some(Rule { name, when: conditions, action })
}

/// A reason that goes into a reply: one line of ASCII, since not every client takes more
/// (RFC 5321 section 4.2).
fn refusal(value: &Value) -> Option<String> {
    let text = values::text(value)?;
    if text.len() <= 200 && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Some(text);
    }
    value.fail(
        "a reason to refuse goes into an SMTP reply; write one line of up to 200 ASCII characters".to_owned(),
    )
}
