//! `[storm]`, and `storm` of a `[[rule]]`: what folds, and how much is too much.

use std::time::Duration;

use super::delivery::{or_false, template};
use super::reader::{Section, Value};
use super::rotas;
use super::values;
use crate::model::LimitStep;
use crate::routing::{DigestBy, PairBy, SimilarBy, Storming};
use crate::storm::limit::PRESET;

/// The longest that anything waits for its summary.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest while that a limit looks at.
const LONGEST_LIMIT: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// Most in such a while: each is a number in a row of the spool.
const MOST: u32 = 1000;
/// Most steps of one limit.
const MAX_STEPS: usize = 16;
/// Most parts of a summary, which nobody reads to its end.
const MAX_PARTS: u64 = 10;

/// What `[storm]` says.
pub(super) fn read(section: &Section) -> Storming {
    // Asked for where nothing is written, too, so that the keys are known.
    for (key, inner) in
        [("similar", ["window", "key"]), ("digest", ["every", "parts"]), ("pair", ["key", "recovery"])]
    {
        if !section.has(key) {
            let unwritten = section.section(key);
            inner.into_iter().for_each(|key| drop(unwritten.value(key)));
        }
    }
    Storming {
        similar: section.optional("similar", or_false(similar)),
        digest: section.optional("digest", or_false(digest)),
        per_destination: section.optional("per_destination", limit),
        per_source: section.optional("per_source", limit),
        parts: section.optional("parts", parts),
        zone: section.optional("timezone", zone),
        pair: pair(section),
        exempt: None,
    }
}

/// What a rule says: `storm = "off"`, or keys of `[storm]` and `exempt`.
pub(super) fn of_rule(rule: &Section) -> Storming {
    if let Some(value) = rule.value("storm")
        && let Some(written) = value.item.get_ref().as_str()
    {
        if written != "off" {
            let shown = written.escape_debug();
            value.error(format!(
                "`{shown}` means nothing here; write storm = \"off\", or keys like storm.similar = \"10m\""
            ));
        }
        return Storming::off();
    }
    let section = rule.section("storm");
    let storming = read(&section);
    Storming { exempt: section.optional("exempt", values::flag), ..storming }
}

/// `"10m"`, or `{ window = "10m", key = "{{ subject }}" }`.
fn similar(value: &Value) -> Option<SimilarBy> {
    if value.item.get_ref().as_str().is_some() {
        return wait(value).map(|window| SimilarBy { window, key: None });
    }
    let section = table(value, "a time like \"10m\", or a section with `window` and `key`")?;
    let window = section.required("window", "\"10m\"", wait);
    let key = section.optional("key", template);
    let is_right = key.is_some() || !section.has("key");
    window.filter(|_| is_right).map(|window| SimilarBy { window, key })
}

/// `"15m"`, or `{ every = "15m", parts = 3 }`.
fn digest(value: &Value) -> Option<DigestBy> {
    if value.item.get_ref().as_str().is_some() {
        return wait(value).map(|every| DigestBy { every, parts: None });
    }
    let section = table(value, "a time like \"15m\", or a section with `every` and `parts`")?;
    let every = section.required("every", "\"15m\"", wait);
    let parts = section.optional("parts", parts);
    Some(DigestBy { every: every?, parts })
}

/// `true`, `false`, or `{ key = "{{ subject }}", recovery = "\\bOK\\b" }`.
fn pair(storm: &Section) -> Option<Option<PairBy>> {
    let value = storm.value("pair")?;
    match value.item.get_ref().as_bool() {
        Some(true) => return Some(Some(PairBy::Replies)),
        Some(false) => return Some(None),
        None => {}
    }
    let section = table(&value, "true, false, or a section with `key` and `recovery`")?;
    let key = section.required("key", "\"{{ subject }}\"", template);
    let recovery = section.required("recovery", "'\\bOK\\b'", values::pattern);
    Some(Some(PairBy::Key { key: key?, recovery: recovery? }))
}

fn table<'a>(value: &Value<'a>, wanted: &str) -> Option<Section<'a>> {
    match value.item.get_ref().as_table() {
        Some(_) => value.section(),
        None => value.wrong_type(wanted),
    }
}

/// How long something waits for its summary.
fn wait(value: &Value) -> Option<Duration> {
    let time = values::time(values::SECOND)(value)?;
    if time <= LONGEST_WAIT {
        return Some(time);
    }
    value.fail(format!("`{}` may be 1s to 24h: what folds waits so long until it is told", value.name))
}

fn parts(value: &Value) -> Option<u32> {
    values::count(1..=MAX_PARTS)(value).and_then(|parts| u32::try_from(parts).ok())
}

fn zone(value: &Value) -> Option<String> {
    rotas::zone(value).and_then(|zone| zone.iana_name().map(str::to_owned))
}

/// `"usual"`, a list of steps like `"5 in 15m"`, or `false`.
pub(super) fn limit(value: &Value) -> Option<Vec<LimitStep>> {
    let item = value.item.get_ref();
    if item.as_bool() == Some(false) {
        return Some(Vec::new());
    }
    if item.as_str() == Some("usual") {
        return Some(PRESET.to_vec());
    }
    if item.as_array().is_none() {
        return value.fail(format!(
            "`{}` must be \"usual\", false, or a list like [\"1 in 1m\", \"5 in 15m\"]",
            value.name
        ));
    }
    let steps = values::list(step)(value)?;
    match steps.len() {
        0 => value.fail(format!("`{}` is empty; write false for no limit", value.name)),
        1..=MAX_STEPS => Some(steps),
        count => value.fail(format!("there are {count} steps; a limit has at most {MAX_STEPS}")),
    }
}

/// `"5 in 15m"`.
fn step(value: &Value) -> Option<LimitStep> {
    let written = values::text(value)?;
    let wrong = |why: &str| {
        let shown = written.escape_debug();
        value.fail(format!("`{shown}` is no limit: {why}; write it like \"5 in 15m\""))
    };
    let Some((most, within)) = written.split_once(" in ") else {
        return wrong("it has no ` in `");
    };
    let Some(most) = most.trim().parse().ok().filter(|most| (1..=MOST).contains(most)) else {
        return wrong(&format!("the number may be 1 to {MOST}"));
    };
    match humantime::parse_duration(within.trim()) {
        Ok(within) if (values::SECOND..=LONGEST_LIMIT).contains(&within) => Some(LimitStep { most, within }),
        Ok(_) => wrong("the time may be 1s to 31d"),
        Err(error) => wrong(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::reader::Reader;
    use super::*;

    /// What a rule with `written` says, and every problem.
    fn said(written: &str) -> (Storming, String) {
        let reader = Reader::new(Path::new("FILE"), written);
        let document = reader.parse().unwrap();
        let section = Section::top(&reader, document.get_ref());
        let read = of_rule(&section);
        drop(section);
        (read, reader.problems().to_string())
    }

    #[test]
    fn each_key_reaches_its_setting() {
        let (said, problems) = said(
            r#"
            [storm]
            similar = { window = "10m", key = "{{ subject }}" }
            digest = { every = "15m", parts = 3 }
            per_destination = "usual"
            per_source = ["1 in 1m", "1000 in 31d"]
            parts = 4
            timezone = "Europe/Rome"
            pair = { key = "{{ subject }}", recovery = '\bOK\b' }
            exempt = false
        "#,
        );
        assert_eq!(problems, "");
        let similar = said.similar.flatten().unwrap();
        assert_eq!((similar.window, similar.key.is_some()), (Duration::from_secs(600), true));
        let digest = DigestBy { every: Duration::from_secs(900), parts: Some(3) };
        assert_eq!(said.digest.flatten(), Some(digest));
        assert_eq!(said.per_destination.unwrap(), PRESET);
        let step = |most, seconds| LimitStep { most, within: Duration::from_secs(seconds) };
        assert_eq!(said.per_source.unwrap(), [step(1, 60), step(1000, 31 * 24 * 3600)]);
        assert_eq!((said.parts, said.zone.as_deref()), (Some(4), Some("Europe/Rome")));
        assert!(matches!(said.pair, Some(Some(PairBy::Key { .. }))));
        assert_eq!(said.exempt, Some(false));
    }

    #[test]
    fn short_forms_are_the_usual_ones() {
        let (said, problems) = said("storm = { similar = \"1s\", digest = \"24h\", pair = true }");
        assert_eq!(problems, "");
        let similar = said.similar.flatten().unwrap();
        assert_eq!((similar.window, similar.key.is_none()), (Duration::from_secs(1), true));
        assert_eq!(said.digest.flatten(), Some(DigestBy { every: LONGEST_WAIT, parts: None }));
        assert!(matches!(said.pair, Some(Some(PairBy::Replies))));
        assert!(said.per_destination.is_none() && said.per_source.is_none() && said.exempt.is_none());
    }

    #[test]
    fn off_and_false_are_none_whatever_the_defaults_say() {
        let each = "storm = { similar = false, digest = false, per_destination = false, per_source = false, pair = false }";
        for written in ["storm = \"off\"", each] {
            let (said, problems) = said(written);
            assert_eq!(problems, "", "{written}");
            assert_eq!(format!("{said:?}"), format!("{:?}", Storming::off()), "{written}");
        }
        assert_eq!(format!("{:?}", said("").0), format!("{:?}", Storming::default()));
    }

    #[test]
    fn limits_hold_at_n_and_not_at_n_plus_one() {
        let one = |step: &str| said(&format!("storm.per_source = [\"{step}\"]")).1;
        for right in ["1 in 1s", "1000 in 31d", "5 in 1h 30m"] {
            assert_eq!(one(right), "", "{right}");
        }
        for wrong in
            ["0 in 1m", "1001 in 1m", "1 in 0s", "1 in 32d", "5 per 15m", "x in 1m", "5 in x", "-1 in 1m"]
        {
            assert!(one(wrong).contains("is no limit"), "{wrong}: {}", one(wrong));
        }
        let steps = |count: usize| said(&format!("storm.per_source = {:?}", vec!["1 in 1m"; count])).1;
        assert_eq!(steps(MAX_STEPS), "");
        assert_ne!(steps(MAX_STEPS + 1), "");
        assert_ne!(steps(0), "");
        let parts = |count: u64| said(&format!("storm.parts = {count}")).1;
        assert_eq!((parts(1).as_str(), parts(10).as_str()), ("", ""));
        assert!(!parts(0).is_empty() && !parts(11).is_empty());
        let window = |window: &str| said(&format!("storm.similar = \"{window}\"")).1;
        assert_eq!(window("24h"), "");
        assert!(!window("24h 1s").is_empty() && !window("999ms").is_empty());
    }
}
