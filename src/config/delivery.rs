//! How an SMS is to reach its phone: the keys that `[defaults]` and a `[[rule]]` have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::reader::{Section, Value};
use super::values;
use crate::model::{Channel, Lane, OnUnknown};
use crate::routing::{
    Api, ChannelStep, DeliverAt, Delivering, Escalation, LaneBy, SILENT_AFTER, Schedule, Storming,
};
use crate::wording::{Template, Variables};

/// Most characters of the id of a template.
const MAX_TEMPLATE_ID: usize = 128;
/// Most variables of a template.
const MAX_VARIABLES: usize = 50;
/// Most characters of the name of a variable.
const MAX_NAME: usize = 64;
/// The keys read here.
pub(super) const KEYS: [&str; 14] = [
    "lane",
    "gateways",
    "unknown",
    "deliver_at",
    "schedule",
    "api",
    "legacy_unicode",
    "legacy_concatenated",
    "channels",
    "variables",
    "silent_after",
    "escalate",
    "storm",
    "quiet",
];

/// What is known when a rule is read.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// The names of the gateways; `None` where they have errors of their own.
    pub(super) gateways: Option<&'a [String]>,
    pub(super) now: Timestamp,
}

/// What a rule says about it.
pub(super) fn read(section: &Section, around: Around<'_>) -> Delivering {
    let unknown = values::word(&[("resend", OnUnknown::Resend), ("fail", OnUnknown::Fail)]);
    let schedule = values::word(&[("relay", Schedule::Relay), ("platform", Schedule::Platform)]);
    let api = values::word(&[("universal", Api::Universal), ("legacy", Api::Legacy)]);
    Delivering {
        lane: section.optional("lane", lane),
        gateways: section.optional("gateways", values::list(|value| known_gateway(value, around.gateways))),
        on_unknown: section.optional("unknown", unknown),
        deliver_at: section.optional("deliver_at", or_false(|value| deliver_at(value, around.now))),
        schedule: section.optional("schedule", schedule),
        api: section.optional("api", api),
        legacy_unicode: section.optional("legacy_unicode", values::flag),
        legacy_concatenated: section.optional("legacy_concatenated", values::flag),
        channels: section.optional("channels", values::list(channel)),
        variables: section.optional("variables", variables),
        silent_after: section.optional("silent_after", values::time(Duration::from_secs(10))),
        escalation: escalation(section),
        // In [storm], or beside these in a rule.
        storming: Storming::default(),
        quiet: section.optional("quiet", values::flag),
    }
}

/// The same in `[defaults]`, with what holds where nothing is written.
pub(super) fn defaults(section: &Section, around: Around<'_>) -> Delivering {
    let Delivering {
        lane,
        gateways,
        on_unknown,
        deliver_at,
        schedule,
        api,
        legacy_unicode,
        legacy_concatenated,
        channels,
        variables,
        silent_after,
        escalation,
        storming,
        quiet,
    } = read(section, around);
    Delivering {
        lane: lane.or(Some(LaneBy::Priority)),
        gateways: gateways.or(Some(Vec::new())),
        on_unknown: on_unknown.or(Some(OnUnknown::Resend)),
        deliver_at,
        schedule: schedule.or(Some(Schedule::Relay)),
        api: api.or(Some(Api::Universal)),
        legacy_unicode: legacy_unicode.or(Some(true)),
        legacy_concatenated: legacy_concatenated.or(Some(true)),
        channels: channels.or_else(|| Some(vec![ChannelStep::Sms])),
        variables,
        silent_after: silent_after.or(Some(SILENT_AFTER)),
        escalation,
        storming,
        quiet: quiet.or(Some(true)),
    }
}

/// A value, or `false` for none, whatever the defaults say.
pub(super) fn or_false<T>(read: impl Fn(&Value) -> Option<T>) -> impl Fn(&Value) -> Option<Option<T>> {
    move |value| match value.item.get_ref().as_bool() {
        Some(false) => Some(None),
        Some(true) | None => read(value).map(Some),
    }
}

fn lane(value: &Value) -> Option<LaneBy> {
    values::word(&[
        ("critical", LaneBy::Fixed(Lane::Critical)),
        ("normal", LaneBy::Fixed(Lane::Normal)),
        ("bulk", LaneBy::Fixed(Lane::Bulk)),
        ("priority", LaneBy::Priority),
    ])(value)
}

/// The name of a gateway that there is.
pub(super) fn known_gateway(value: &Value, known: Option<&[String]>) -> Option<String> {
    let name = values::text(value)?;
    match known {
        Some(known) if !known.contains(&name) => {
            let names: Vec<String> = known.iter().map(|known| format!("\"{known}\"")).collect();
            let (name, names) = (name.escape_debug(), names.join(", "));
            value.fail(format!("there is no gateway `{name}`; write one of {names}"))
        }
        Some(_) | None => Some(name),
    }
}

/// A time of day, or a date with a time.
fn deliver_at(value: &Value, now: Timestamp) -> Option<DeliverAt> {
    let item = value.item.get_ref();
    let written = item.as_str().map(str::to_owned).or_else(|| item.as_datetime().map(ToString::to_string));
    let Some(written) = written else {
        return value.wrong_type("a time of day like \"08:00\", a date with a time, or false for at once");
    };
    if let Some(time) = time_of_day(&written) {
        return Some(DeliverAt::Daily(time));
    }
    let Some(at) = values::moment(&written) else {
        let shown = written.escape_debug();
        return value.fail(format!(
            "`{shown}` is not a time; write a time of day like \"08:00\", or a date with a time like \
             \"2026-12-24T18:00\", without an offset for the time of this machine"
        ));
    };
    let last = now.to_zoned(TimeZone::system()).checked_add(Span::new().years(1));
    if last.is_ok_and(|last| at > last.timestamp()) {
        let shown = written.escape_debug();
        return value.fail(format!(
            "`{shown}` is more than a year ahead, and all that this takes would be refused; write an earlier time"
        ));
    }
    Some(DeliverAt::Once(at))
}

/// `08:00` or `08:00:30`, and nothing else that could be read as one.
fn time_of_day(written: &str) -> Option<jiff::civil::Time> {
    let shape: String = written.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    matches!(shape.as_str(), "00:00" | "00:00:00").then(|| written.parse().ok()).flatten()
}

/// `sms`, or a channel with the id of a template.
pub(super) fn channel(value: &Value) -> Option<ChannelStep> {
    let written = values::text(value)?;
    if written == "sms" {
        return Some(ChannelStep::Sms);
    }
    let shown = written.escape_debug();
    let Some((channel, id)) = written.split_once(':') else {
        return value.fail(format!(
            "`{shown}` is not a channel; write \"sms\", or a channel with the id of its template, like \
             \"rcs:alert_v2\" or \"whatsapp:alert_v2\""
        ));
    };
    let channel = match channel {
        "rcs" => Channel::Rcs,
        "whatsapp" => Channel::WhatsApp,
        "sms" => return value.fail(format!("`{shown}` has a template, and an SMS has none; write \"sms\"")),
        other => {
            let other = other.escape_debug();
            return value
                .fail(format!("`{other}` is not a channel; write \"rcs:{id}\" or \"whatsapp:{id}\""));
        }
    };
    let good =
        (1..=MAX_TEMPLATE_ID).contains(&id.chars().count()) && id.chars().all(|c| c.is_ascii_graphic());
    if !good {
        return value.fail(format!(
            "`{shown}` has no id of a template that could be one; write up to {MAX_TEMPLATE_ID} letters and digits \
             behind the colon, as the platform shows it"
        ));
    }
    Some(ChannelStep::Template { channel, id: id.to_owned() })
}

/// A table of templates; nothing when one of them is wrong.
fn variables(value: &Value) -> Option<Variables> {
    let entries = value.section()?.entries();
    if entries.len() > MAX_VARIABLES {
        let count = entries.len();
        return value.fail(format!("there are {count} variables; a template has at most {MAX_VARIABLES}"));
    }
    let one = |(name, span, value): (String, _, Value)| {
        let good = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if !(1..=MAX_NAME).contains(&name.len()) || !name.chars().all(good) {
            let shown = name.escape_debug();
            let text = format!(
                "`{shown}` cannot be the name of a variable; use up to {MAX_NAME} letters, digits, underscores and dashes"
            );
            value.reader.error(Some(span), text);
            return None;
        }
        template(&value).map(|template| (name, template))
    };
    let read: Vec<Option<(String, Template)>> = entries.into_iter().map(one).collect();
    read.into_iter().collect::<Option<BTreeMap<_, _>>>().map(Variables::new)
}

/// A template, which may also be the same words for every message.
pub(super) fn template(value: &Value) -> Option<Template> {
    let written = values::text(value)?;
    Template::new(&written).map_or_else(|error| value.fail_within(error.range(), error.to_string()), Some)
}

/// `{ after = "10m", to = "oncall2", text = "..." }`, or `false`.
fn escalation(section: &Section) -> Option<Option<Escalation>> {
    if section.value("escalate").is_some_and(|value| value.item.get_ref().as_bool() == Some(false)) {
        return Some(None);
    }
    let written = section.section("escalate");
    if !written.is_written() {
        // Asked for all the same, so that the keys are known.
        ["after", "to", "text"].into_iter().for_each(|key| drop(written.value(key)));
        return None;
    }
    let after = written.required("after", "\"10m\"", values::time(values::SECOND));
    let to = written.required("to", "\"oncall2\"", values::text);
    let text = written.optional("text", template);
    Some(Some(Escalation { after: after?, to: to?, text }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::reader::Reader;
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    /// What a section with `written` says, and every problem.
    fn said(written: &str) -> (Delivering, String) {
        let reader = Reader::new(Path::new("FILE"), written);
        let document = reader.parse().unwrap();
        let section = Section::top(&reader, document.get_ref());
        let gateways = ["main".to_owned(), "backup".to_owned()];
        let read = read(&section, Around { gateways: Some(&gateways), now: now() });
        drop(section);
        (read, reader.problems().to_string())
    }

    #[test]
    fn each_key_reaches_its_setting() {
        let all = r#"
            lane = "bulk"
            gateways = ["backup", "main"]
            unknown = "fail"
            deliver_at = "08:00"
            schedule = "platform"
            api = "legacy"
            legacy_unicode = false
            legacy_concatenated = false
            channels = ["whatsapp:a:b", "rcs:alert_v2", "sms"]
            variables = { text = "{{ text }}", plant = "Bologna" }
            silent_after = "3m"
            escalate = { after = "10m", to = "oncall2", text = "still: {{ subject }}" }
            quiet = false
        "#;
        let (said, problems) = said(all);
        assert_eq!(problems, "");
        assert_eq!(said.lane, Some(LaneBy::Fixed(Lane::Bulk)));
        assert_eq!(said.gateways.unwrap(), ["backup", "main"]);
        assert_eq!((said.on_unknown, said.schedule), (Some(OnUnknown::Fail), Some(Schedule::Platform)));
        assert_eq!(said.deliver_at, Some(Some(DeliverAt::Daily(jiff::civil::time(8, 0, 0, 0)))));
        assert_eq!(said.api, Some(Api::Legacy));
        assert_eq!((said.legacy_unicode, said.legacy_concatenated), (Some(false), Some(false)));
        let template = |channel, id: &str| ChannelStep::Template { channel, id: id.to_owned() };
        let channels =
            [template(Channel::WhatsApp, "a:b"), template(Channel::Rcs, "alert_v2"), ChannelStep::Sms];
        assert_eq!(said.channels.unwrap(), channels);
        assert!(!said.variables.unwrap().is_empty());
        assert_eq!(said.silent_after, Some(Duration::from_secs(180)));
        let escalation = said.escalation.flatten().unwrap();
        assert_eq!((escalation.after, escalation.to.as_str()), (Duration::from_secs(600), "oncall2"));
        assert!(matches!(escalation.text, Some(Template::Custom(_))));
        assert_eq!(said.quiet, Some(false));
    }

    #[test]
    fn nothing_written_says_nothing_and_false_says_none() {
        let (nothing, problems) = said("");
        assert_eq!(problems, "");
        assert_eq!(format!("{nothing:?}"), format!("{:?}", Delivering::default()));
        let (none, problems) = said("deliver_at = false\nescalate = false\ngateways = []");
        assert_eq!(problems, "");
        assert_eq!((none.deliver_at, none.gateways), (Some(None), Some(Vec::new())));
        assert!(matches!(none.escalation, Some(None)));
    }

    #[test]
    fn a_date_may_be_a_year_ahead_and_not_a_second_more() {
        let at = |written: &str| said(&format!("deliver_at = \"{written}\""));
        // 2027-01-15T08:00:00Z and a year.
        let (last, problems) = at("2028-01-15T08:00:00Z");
        assert_eq!((last.deliver_at.flatten().is_some(), problems.as_str()), (true, ""));
        let (_, problems) = at("2028-01-15T08:00:01Z");
        assert!(problems.contains("is more than a year ahead"), "{problems}");
        assert_eq!(at("2020-01-01T00:00").1, "", "what is past is now");
        assert_eq!(said("deliver_at = 2027-06-01T08:00:00\n").1, "");
        assert_eq!(said("deliver_at = 08:00:00\n").1, "");
        for wrong in ["8", "08:00:00.5", "25:00", "tomorrow", "2027-06-01", "T08:00"] {
            assert!(at(wrong).1.contains("is not a time"), "{wrong}: {}", at(wrong).1);
        }
    }

    #[test]
    fn ids_and_variables_are_bounded_at_n_and_not_n_plus_one() {
        let id = |length: usize| said(&format!("channels = [\"rcs:{}\"]", "x".repeat(length))).1;
        assert_eq!((id(128).as_str(), id(1).as_str()), ("", ""));
        assert_ne!(id(129), "");
        assert_ne!(id(0), "");
        let variables = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("v{n} = \"x\"")).collect();
            said(&format!("variables = {{ {} }}", all.join(", "))).1
        };
        assert_eq!(variables(50), "");
        assert!(variables(51).contains("there are 51 variables"));
        let name = |length: usize| said(&format!("variables.{} = \"x\"", "n".repeat(length))).1;
        assert_eq!(name(64), "");
        assert_ne!(name(65), "");
    }
}
