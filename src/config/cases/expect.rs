//! What a test expects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::super::delivery;
use super::super::problem::Spot;
use super::super::reader::{Reader, Section, Value};
use super::super::{storms, values};
use crate::model::{Encoding, HoldReason, Lane, LimitStep, PhoneNumber, SenderId};
use crate::routing::{ChannelStep, DEFAULT_RULE, Report, Routing};

/// What a test expects. `None` is not compared; there is at least one.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The phones that get something: these and no others.
    pub to: Option<At<BTreeSet<PhoneNumber>>>,
    /// The rules that decide: these and no others, one of them for every phone.
    pub rule: Option<At<Vec<String>>>,
    /// The sender of every SMS.
    pub sender: Option<At<SenderId>>,
    /// The words that each phone gets, in full: an item for each SMS.
    pub text: Option<At<Vec<String>>>,
    /// The parts that each phone gets, those of several SMS together.
    pub parts: Option<At<u32>>,
    /// The encoding of every SMS.
    pub encoding: Option<At<Encoding>>,
    /// The lane of every SMS.
    pub lane: Option<At<Lane>>,
    /// The gateways of every SMS, in order; empty for all there are.
    pub gateways: Option<At<Vec<String>>>,
    /// The channels of every SMS, in order.
    pub channels: Option<At<Vec<ChannelStep>>>,
    /// What fills the variables of its templates; empty for none.
    pub variables: Option<At<BTreeMap<String, String>>>,
    /// After how long a silence the next channel is tried.
    pub silent_after: Option<At<Duration>>,
    /// When every SMS is sent; `None` is at once.
    pub deliver_at: Option<At<Option<Timestamp>>>,
    /// Why every SMS is sent later; `None` is at once.
    pub held: Option<At<Option<HoldReason>>>,
    /// How long every SMS is tried from the time that it is sent.
    pub lifetime: Option<At<Duration>>,
    /// Whether every SMS is only checked by the platform.
    pub simulation: Option<At<bool>>,
    /// The phones that get it when a phone does not: these and no others.
    pub escalates_to: Option<At<BTreeSet<PhoneNumber>>>,
    /// How long after its time they do.
    pub escalates_after: Option<At<Duration>>,
    /// The words that they get.
    pub escalates_text: Option<At<String>>,
    /// Whether every SMS neither folds nor waits for a limit.
    pub exempt: Option<At<bool>>,
    /// What is the same about every SMS that is similar; `None` where none folds.
    pub similar_key: Option<At<Option<String>>>,
    /// How long it folds with them; `None` where it does not.
    pub folds_for: Option<At<Option<Duration>>>,
    /// How often it is told together with others; `None` where it is told alone.
    pub digest: Option<At<Option<Duration>>>,
    /// The limit of the phone that every SMS waits for; empty for none.
    pub limit: Option<At<Vec<LimitStep>>>,
    /// The limit of whoever sends it; empty for none.
    pub source_limit: Option<At<Vec<LimitStep>>>,
    /// What problem and recovery have in common; `None` where a template finds nothing, or there is none.
    pub pair_key: Option<At<Option<String>>>,
    /// Whether every SMS ends what is held of a problem.
    pub recovery: Option<At<bool>>,
    /// The budgets that it is charged to: these and no others.
    pub budgets: Option<At<BTreeSet<String>>>,
    /// Of what the sender of every SMS is told at most.
    pub report: Option<At<Report>>,
    /// Every recipient is refused, each for this reason.
    pub refused: Option<At<Reason>>,
    /// Every phone's SMS is dropped, each for this reason.
    pub dropped: Option<At<Reason>>,
}

/// An expectation, and where it is written.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// What is expected.
    pub value: T,
    /// Where.
    pub place: Spot,
}

/// Why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Whatever the reason.
    Any,
    /// The reason has these words in it, in any case.
    With(String),
}

/// The keys that say something of what is sent.
const OF_SMS: [&str; 27] = [
    "to",
    "sender",
    "text",
    "parts",
    "encoding",
    "lane",
    "gateways",
    "channels",
    "variables",
    "silent_after",
    "deliver_at",
    "held",
    "lifetime",
    "simulation",
    "escalates_to",
    "escalates_after",
    "escalates_text",
    "exempt",
    "similar_key",
    "folds_for",
    "digest",
    "limit",
    "source_limit",
    "pair_key",
    "recovery",
    "budgets",
    "report",
];

/// Reads `expect` of one test; `None` where it says nothing.
pub(super) fn read(
    reader: &Reader,
    test: &Section,
    routing: Option<&Routing>,
    gateways: Option<&[String]>,
) -> Option<Expect> {
    let section = test.section("expect");
    let encodings = values::word(&[("gsm7", Encoding::Gsm7), ("ucs2", Encoding::Ucs2)]);
    let lanes = values::word(&[("critical", Lane::Critical), ("normal", Lane::Normal), ("bulk", Lane::Bulk)]);
    let holds = values::word(&[("quiet", HoldReason::Quiet), ("scheduled", HoldReason::Scheduled)]);
    let reports = values::word(&[("all", Report::All), ("failures", Report::Failures), ("off", Report::Off)]);
    let gateways = values::list(|value: &Value| delivery::known_gateway(value, gateways));
    let time = || values::time(values::SECOND);
    let expect = Expect {
        to: section.optional("to", at(phones)),
        rule: section.optional("rule", at(|value| rules(value, routing))),
        sender: section.optional("sender", at(values::sender)),
        text: section.optional("text", at(texts)),
        parts: section.optional("parts", at(parts)),
        encoding: section.optional("encoding", at(encodings)),
        lane: section.optional("lane", at(lanes)),
        gateways: section.optional("gateways", at(gateways)),
        channels: section.optional("channels", at(values::list(delivery::channel))),
        variables: section.optional("variables", at(variables)),
        silent_after: section.optional("silent_after", at(time())),
        deliver_at: section.optional("deliver_at", at(delivery::or_false(super::time))),
        held: section.optional("held", at(delivery::or_false(holds))),
        lifetime: section.optional("lifetime", at(time())),
        simulation: section.optional("simulation", at(values::flag)),
        escalates_to: section.optional("escalates_to", at(escalates_to)),
        escalates_after: section.optional("escalates_after", at(time())),
        escalates_text: section.optional("escalates_text", at(values::text)),
        exempt: section.optional("exempt", at(values::flag)),
        similar_key: section.optional("similar_key", at(delivery::or_false(values::text))),
        folds_for: section.optional("folds_for", at(delivery::or_false(time()))),
        digest: section.optional("digest", at(delivery::or_false(time()))),
        limit: section.optional("limit", at(storms::limit)),
        source_limit: section.optional("source_limit", at(storms::limit)),
        pair_key: section.optional("pair_key", at(delivery::or_false(values::text))),
        recovery: section.optional("recovery", at(values::flag)),
        budgets: section.optional("budgets", at(|value| budgets(value, routing))),
        report: section.optional("report", at(reports)),
        refused: section.optional("refused", at(reason)),
        dropped: section.optional("dropped", at(reason)),
    };
    let ends: Vec<&str> = ["refused", "dropped"].into_iter().filter(|key| section.has(key)).collect();
    if let Some(end) = ends.first()
        && let Some(idle) = ends.get(1).or_else(|| OF_SMS.iter().find(|key| section.has(key)))
    {
        let text = format!("`{idle}` cannot be beside `{end}`; keep one of them");
        reader.error(section.place(idle), text);
    }
    if section.written_spans().is_empty() {
        let place = section.span().or_else(|| test.place("name"));
        let text = format!(
            "this test expects nothing; write at least one of rule, {}, refused, dropped, like \
             expect.text = \"Fire in hall 3\"",
            OF_SMS.join(", ")
        );
        reader.error(place, text);
        return None;
    }
    Some(expect)
}

fn at<T>(read: impl Fn(&Value) -> Option<T>) -> impl Fn(&Value) -> Option<At<T>> {
    move |value| read(value).map(|read| At { value: read, place: value.spot() })
}

/// Phones, or `false` for nobody.
fn escalates_to(value: &Value) -> Option<BTreeSet<PhoneNumber>> {
    delivery::or_false(phones)(value).map(Option::unwrap_or_default)
}

fn phones(value: &Value) -> Option<BTreeSet<PhoneNumber>> {
    let phone = |value: &Value| {
        let written = values::text(value)?;
        PhoneNumber::from_e164(&written).ok().or_else(|| {
            let shown = written.escape_debug();
            value.fail(format!(
                "`{shown}` is not a phone number in international form; write it like \"+393471234567\""
            ))
        })
    };
    let phones = values::one_or_more(phone)(value)?;
    if phones.is_empty() {
        let instead = match value.name {
            "to" => "for what is not sent write `refused` or `dropped`",
            _ => "for nobody write false",
        };
        return value.fail(format!("`{}` is empty; {instead}", value.name));
    }
    Some(phones.into_iter().collect())
}

/// Names with the values that they are filled with.
fn variables(value: &Value) -> Option<BTreeMap<String, String>> {
    let one = |(name, _, value): (String, _, Value)| {
        let written = value.item.get_ref().as_str().or_else(|| value.wrong_type("a text in quotes"))?;
        Some((name, written.to_owned()))
    };
    let read: Vec<Option<(String, String)>> = value.section()?.entries().into_iter().map(one).collect();
    read.into_iter().collect()
}

/// Names of budgets.
fn budgets(value: &Value, routing: Option<&Routing>) -> Option<BTreeSet<String>> {
    let budget = |value: &Value| {
        let name = values::text(value)?;
        let is_known = |routing: &Routing| routing.budgets().iter().any(|known| known.name == name);
        if routing.is_none_or(is_known) {
            return Some(name);
        }
        let shown = name.escape_debug();
        value.fail(format!("there is no budget `{shown}`; write the name of a [[budget]], or [] for none"))
    };
    values::one_or_more(budget)(value).map(|names| names.into_iter().collect())
}

/// One rule, or several where one goes on.
fn rules(value: &Value, routing: Option<&Routing>) -> Option<Vec<String>> {
    match values::one_or_more(|value| rule(value, routing))(value)? {
        none if none.is_empty() => {
            value.fail(format!("`rule` is empty; write the name of a rule, or \"{DEFAULT_RULE}\" for none"))
        }
        rules => Some(rules),
    }
}

fn rule(value: &Value, routing: Option<&Routing>) -> Option<String> {
    let name = values::text(value)?;
    let known = |routing: &Routing| name == DEFAULT_RULE || routing.rule_names().any(|known| known == name);
    if routing.is_none_or(known) {
        return Some(name);
    }
    let shown = name.escape_debug();
    value
        .fail(format!("there is no rule `{shown}`; write the name of a rule, or \"{DEFAULT_RULE}\" for none"))
}

/// One text, or one for each SMS. White space around a text is not part of it, as in an SMS.
fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = values::one_or_more(values::text)(value)?;
    if texts.is_empty() {
        return value.fail("`text` is empty; for what is not sent write `refused` or `dropped`".to_owned());
    }
    Some(texts.iter().map(|text| text.trim().to_owned()).collect())
}

fn parts(value: &Value) -> Option<u32> {
    values::count(1..=255)(value).and_then(|parts| u32::try_from(parts).ok())
}

/// `true`, or words of the reason.
fn reason(value: &Value) -> Option<Reason> {
    match (value.item.get_ref().as_bool(), value.item.get_ref().as_str()) {
        (Some(true), _) => Some(Reason::Any),
        (Some(false), _) => value.fail(format!(
            "`{} = false` expects nothing; leave it out, or write `to` for the phone that gets it",
            value.name
        )),
        (None, Some(_)) => values::text(value).map(Reason::With),
        (None, None) => value.wrong_type("true, or words of the reason in quotes"),
    }
}
