//! `[[budget]]`: how much may be sent in a day or a month.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::tz::TimeZone;

use super::prices;
use super::reader::{Reader, Section, Value};
use super::values;
use crate::budget::{Level, Levels};
use crate::model::{Period, Unit};
use crate::routing::{Amount, Budget, BudgetScope, DEFAULT_RULE, Prefix, Prices};

/// Most characters of a name, which stands in mails and metrics.
const MAX_NAME: usize = 64;
/// The most parts of a level.
const MAX_PARTS: u64 = 1_000_000_000;

/// How long a budget may last.
const PERIODS: [(&str, Period); 2] = [("day", Period::Day), ("month", Period::Month)];

/// What the rest of the configuration has.
pub(super) struct Known<'a> {
    /// The names of the rules.
    pub(super) rules: &'a [String],
    /// The names of accounts.
    pub(super) accounts: Vec<&'a str>,
    /// The names of listeners.
    pub(super) listeners: Vec<&'a str>,
    /// The destinations that are allowed.
    pub(super) allowed: &'a [Prefix],
    /// What a part costs.
    pub(super) prices: &'a Prices,
}

/// Reads every `[[budget]]`; `None` where something is wrong, which is told.
pub(super) fn read(reader: &Reader, top: &Section, known: &Known<'_>) -> Option<Vec<Budget>> {
    let mut names = BTreeSet::new();
    let read = |section: &Section| {
        let budget = budget(reader, section, known)?;
        if names.insert(budget.name.clone()) {
            return Some(budget);
        }
        let text = format!("there is a budget `{}` already; give each a name of its own", budget.name);
        reader.error(section.place("name"), text);
        None
    };
    // All are read before any is missed, so that every error is noted.
    let budgets: Vec<Option<Budget>> = top.sections("budget").iter().map(read).collect();
    budgets.into_iter().collect()
}

fn budget(reader: &Reader, section: &Section, known: &Known<'_>) -> Option<Budget> {
    let name = section.required("name", "\"all\"", name);
    let period = section.required("per", "\"day\"", values::word(&PERIODS));
    let zone = section.optional("timezone", zone);
    let zone_is_right = zone.is_some() || !section.has("timezone");
    let of = scope(section, known);
    let (parts, money) = (section.section("parts"), section.section("money"));
    let levels = match (section.has("parts"), section.has("money")) {
        (true, false) => levels(&parts, parts_level).map(|levels| (Unit::Parts, levels)),
        (false, true) => levels(&money, money_level).map(|levels| (Unit::Money, levels)),
        (both, _) => {
            // So that each of its keys is known.
            let _ = (levels(&parts, parts_level), levels(&money, money_level));
            let text = match both {
                true => "a budget counts either `parts` or `money`; write two budgets for both",
                false => {
                    "a budget counts `parts` or `money`; write it like parts = { warn = 800, hold = 1000 }"
                }
            };
            reader.error(section.place("name").or_else(|| section.span()), text.to_owned());
            None
        }
    };
    if levels.is_some_and(|(unit, _)| unit == Unit::Money) {
        warn_of_prices(reader, section.place("money"), known);
    }
    let (name, period, of, (unit, levels)) = (name?, period?, of?, levels?);
    zone_is_right.then_some(Budget { name, period, unit, levels, zone, of })
}

/// A name is kept with what is spent, and stands in the subject of a mail.
fn name(value: &Value) -> Option<String> {
    let written = values::text(value)?;
    if written.chars().count() <= MAX_NAME && !written.chars().any(char::is_control) {
        return Some(written);
    }
    value.fail(format!("a budget's name is one line of up to {MAX_NAME} characters"))
}

fn zone(value: &Value) -> Option<String> {
    let name = values::text(value)?;
    match TimeZone::get(&name) {
        Ok(_) => Some(name),
        Err(_) => value.fail(format!(
            "`{}` is no time zone that is known here; write one like \"Europe/Rome\"",
            name.escape_debug()
        )),
    }
}

fn scope(section: &Section, known: &Known<'_>) -> Option<BudgetScope> {
    let rules: Vec<&str> = known.rules.iter().map(String::as_str).chain([DEFAULT_RULE]).collect();
    let of = BudgetScope {
        rules: section.optional("rule", values::one_or_more(one_of("rule", &rules))),
        accounts: section.optional("account", values::one_or_more(one_of("account", &known.accounts))),
        networks: section.optional("client", values::one_or_more(values::network)),
        listeners: section.optional("listener", values::one_or_more(one_of("listener", &known.listeners))),
    };
    let is_empty = [
        ("rule", of.rules.as_ref().map(Vec::is_empty)),
        ("account", of.accounts.as_ref().map(Vec::is_empty)),
        ("client", of.networks.as_ref().map(Vec::is_empty)),
        ("listener", of.listeners.as_ref().map(Vec::is_empty)),
    ];
    let mut is_right = true;
    for (key, is_empty) in is_empty {
        is_right &= is_empty.is_some() || !section.has(key);
        if is_empty == Some(true) {
            let text = format!("`{key}` is empty, so that the budget is for nothing; leave it out for all");
            section.value(key).and_then(|value| value.fail::<()>(text));
            is_right = false;
        }
    }
    is_right.then_some(of)
}

fn one_of<'a>(what: &'static str, known: &'a [&'a str]) -> impl Fn(&Value) -> Option<String> + 'a {
    move |value| {
        let written = values::text(value)?;
        if known.contains(&written.as_str()) {
            return Some(written);
        }
        let shown = written.escape_debug();
        let there = match known {
            [] => "there is none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        value.fail(format!("there is no {what} `{shown}`; {there}"))
    }
}

fn levels(section: &Section, read: fn(&Value) -> Option<u64>) -> Option<Levels> {
    let levels = Levels {
        warn: section.optional("warn", read),
        hold: section.optional("hold", read),
        ceiling: section.optional("ceiling", read),
    };
    let written = Level::ALL.into_iter().filter(|level| section.has(level.as_str()));
    let written: Vec<Level> = written.collect();
    if section.is_written() && written.is_empty() {
        section.error("a budget needs a level: `warn`, `hold` or `ceiling`, or more of them".to_owned());
        return None;
    }
    let amounts: Vec<(Level, u64)> =
        written.iter().filter_map(|level| Some((*level, levels.get(*level)?))).collect();
    if amounts.len() < written.len() {
        return None;
    }
    for pair in amounts.windows(2) {
        let [(lower, least), (higher, most)] = [pair[0], pair[1]];
        if least > most {
            let (lower, higher) = (lower.as_str(), higher.as_str());
            section.error(format!("`{lower}` is above `{higher}`; write warn <= hold <= ceiling"));
            return None;
        }
    }
    Some(levels)
}

fn parts_level(value: &Value) -> Option<u64> {
    values::count(1..=MAX_PARTS)(value).and_then(|parts| u64::try_from(parts).ok())
}

fn money_level(value: &Value) -> Option<u64> {
    match prices::amount(value)?.millionths() {
        0 => value.fail("a level of no money would hold everything; write an amount like \"80\"".to_owned()),
        amount => Some(amount),
    }
}

/// What has no price takes nothing of a budget of money until the platform tells it.
fn warn_of_prices(reader: &Reader, place: Option<Range<usize>>, known: &Known<'_>) {
    let has_price = |prefix: &&Prefix| {
        known.prices.per_part.iter().any(|(one, _): &(Prefix, Amount)| one.overlaps(prefix))
    };
    let without: Vec<String> =
        known.allowed.iter().filter(|prefix| !has_price(prefix)).map(ToString::to_string).collect();
    if !without.is_empty() {
        let text = format!(
            "{} without a price: SMS there take nothing of this budget until the platform tells in a callback what they \
             cost; add it to per_part in [prices]",
            match without.as_slice() {
                [one] => format!("{one} is allowed"),
                all => format!("{} are allowed", all.join(", ")),
            }
        );
        reader.warning(place, text);
    }
}
