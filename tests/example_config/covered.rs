//! The example's tests notice the loss of each condition and action of its rules, and of what its storms, quiet hours,
//! defaults and aliases say. Each key is taken away by itself, as is each item of a list; at least one `[[test]]` must fail
//! then. Since a rule that lost a condition takes more, there is a mail for each that just misses; since a rule that is gone
//! takes nothing, there is one that it takes.

use std::collections::BTreeSet;

use jiff::Timestamp;
use toml::{Table, Value};

use super::{EXAMPLE, loaded};

/// What is looked at, as far as it says what becomes of a mail.
const SECTIONS: [&str; 5] = ["rule", "defaults", "storm", "quiet", "aliases"];

/// Keys that a rule may have and none of the example's has, and why no test is asked for.
const NOT_IN_A_RULE: &[(&[&str], &str)] = &[
    (
        &[
            "campaign_id",
            "skip_rcs_override",
            "enable_notification",
            "unknown",
            "schedule",
            "api",
            "legacy_unicode",
            "legacy_concatenated",
        ],
        "it is said to the platform alone; tests/gateway.rs and tests/delivery see it there",
    ),
    (
        &[
            "split",
            "transliteration",
            "placeholders",
            "distill.link_targets",
            "distill.addressed_lines",
            "distill.quotes",
            "distill.signature",
            "distill.disclaimers",
            "distill.tracking_links",
            "distill.blank_space",
        ],
        "as in [defaults]; tests/text_manual.rs tries what each makes of a text",
    ),
    (
        &["storm.parts", "storm.timezone", "storm.digest.every", "storm.digest.parts"],
        "as in [storm]; it is about the words of a summary",
    ),
    (&["expect"], "it is about mails that do not come; tests/e2e/dead_men.rs waits for them"),
];

/// A step into a document: a key, or the number of an item.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Item(usize),
}

/// Every place within `value`, those around others before them.
fn places(value: &Value, here: &[Step], all: &mut Vec<Vec<Step>>) {
    let mut inner = |step: Step, value: &Value| {
        let place = [here, &[step]].concat();
        all.push(place.clone());
        places(value, &place, all);
    };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| inner(Step::Key(key.clone()), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, value)| inner(Step::Item(n), value)),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

fn at<'a>(value: &'a mut Value, place: &[Step]) -> &'a mut Value {
    place.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Item(n) => &mut value[*n],
    })
}

/// The document without what stands there.
fn without(document: &Value, place: &[Step]) -> Value {
    let mut document = document.clone();
    let (last, around) = place.split_last().unwrap();
    match (at(&mut document, around), last) {
        (Value::Table(table), Step::Key(key)) => drop(table.remove(key)),
        (Value::Array(items), Step::Item(n)) => drop(items.remove(*n)),
        (around, last) => panic!("{last:?} in {around}"),
    }
    document
}

/// Another value of what cannot be missing, or has a default that may be the same.
fn instead(place: &[Step], value: &Value) -> Option<Value> {
    let keys: Vec<&str> = place
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        })
        .collect();
    let written = value.as_str()?;
    let other = match keys.as_slice() {
        [.., "timezone"] => "Pacific/Kiritimati".to_owned(),
        [.., "after" | "window"] => format!("{written} 1s"),
        [.., "escalate", "to"] | ["quiet", "who"] | ["aliases", _] => "+393999999999".to_owned(),
        // Less of the night.
        ["quiet", "from"] => "23:30".to_owned(),
        ["quiet", "to"] => "05:30".to_owned(),
        [.., "when", "time"] => "00:00-24:00".to_owned(),
        [.., "glob"] => format!("*{written}*"),
        ["defaults", "sender"] => "Other".to_owned(),
        [.., "channels"] if written != "sms" => "rcs:other".to_owned(),
        // A template needs its group.
        [.., "when", "text"] if written.contains("(?P<") => format!("{written}|"),
        [.., "storm", "similar" | "pair", "key"] => "{{ text }}".to_owned(),
        [.., "storm", "pair", "recovery"] => "no such word".to_owned(),
        _ => return None,
    };
    Some(Value::String(other))
}

/// Whether it is all that the list or table has which it stands in.
fn is_alone(document: &Value, place: &[Step]) -> bool {
    let mut document = document.clone();
    match at(&mut document, &place[..place.len() - 1]) {
        Value::Table(table) => table.len() == 1,
        Value::Array(items) => items.len() == 1,
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            false
        }
    }
}

/// How many tests fail, or what `check` says against it.
fn failed(document: &Value) -> Result<usize, String> {
    let loaded = loaded(&toml::to_string(document).unwrap()).map_err(|problems| problems.to_string())?;
    Ok(loaded.tests.run(&loaded.config, Timestamp::UNIX_EPOCH).failed)
}

fn example() -> Value {
    Value::Table(EXAMPLE.parse::<Table>().unwrap())
}

#[test]
fn a_test_fails_for_whatever_is_taken_away() {
    let example = example();
    assert_eq!(failed(&example), Ok(0));
    let mut all = Vec::new();
    for section in SECTIONS {
        let step = [Step::Key(section.to_owned())];
        places(&example[section], &step, &mut all);
    }
    let mut unnoticed = Vec::new();
    let mut noticed: Vec<&[Step]> = Vec::new();
    let mut refused = Vec::new();
    for place in &all {
        let mut copy = example.clone();
        let value = at(&mut copy, place).clone();
        // A name says nothing, and who asks for a rule by its name would miss it.
        let is_name = matches!(place.last(), Some(Step::Key(key)) if key == "name");
        if is_name || value.as_table().is_some_and(Table::is_empty) {
            continue;
        }
        let result = match instead(place, &value) {
            None => failed(&without(&example, place)),
            Some(other) => {
                *at(&mut copy, place) = other;
                failed(&copy)
            }
        };
        match result {
            Ok(0) => unnoticed.push(format!("{place:?}: no test fails")),
            Ok(_) => noticed.push(place),
            Err(problems) => refused.push((place, problems)),
        }
    }
    // What makes no sense without it must be noticed by what is within it, or where it is taken away with all around it.
    for (place, problems) in refused {
        let is_within = noticed.iter().any(|noticed| noticed.starts_with(place));
        let mut around = place.as_slice();
        while is_alone(&example, around) {
            around = &around[..around.len() - 1];
        }
        if !is_within && !noticed.contains(&around) {
            unnoticed.push(format!("{place:?}: `instead` must say what to write: {problems}"));
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
    assert!(noticed.len() > 100, "only {} were taken away", noticed.len());
}

#[test]
fn a_rule_of_the_example_has_each_condition_and_action() {
    let known = super::loaded(&format!("{EXAMPLE}{}", super::MORE)).unwrap().keys;
    let mut places_of_rules = Vec::new();
    places(&example()["rule"], &[], &mut places_of_rules);
    // Conditions stand in others as they stand in a rule; names of fields are free.
    let joined = |steps: &[&str]| {
        let nested = steps.first() == Some(&"when") && steps.len() > 2;
        let steps = steps.iter().filter(|step| !nested || !matches!(**step, "any" | "all" | "not"));
        steps.copied().collect::<Vec<_>>().join(".")
    };
    let shown: BTreeSet<String> = places_of_rules
        .iter()
        .map(|place| {
            let keys = place.iter().filter_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Item(_) => None,
            });
            joined(&keys.collect::<Vec<_>>())
        })
        .collect();
    let spared: BTreeSet<&str> = NOT_IN_A_RULE.iter().flat_map(|(keys, _)| *keys).copied().collect();
    let asked: BTreeSet<String> = known
        .iter()
        .filter_map(|key| key.strip_prefix("rule."))
        .map(|key| joined(&key.split('.').collect::<Vec<_>>()))
        .collect();
    let missing: Vec<&String> =
        asked.iter().filter(|key| !shown.contains(*key) && !spared.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "no rule of the example has {missing:?}");
    let idle: Vec<&&str> =
        spared.iter().filter(|key| shown.contains(**key) || !asked.contains(**key)).collect();
    assert!(idle.is_empty(), "there is no reason to spare {idle:?}");
    assert!(asked.len() > 60 && asked.contains("when.glob") | asked.contains("when.helo.glob"), "{asked:?}");
}
