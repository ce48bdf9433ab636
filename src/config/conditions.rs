//! `when` of a `[[rule]]`: a tree of conditions.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::reader::{Section, Value};
use super::rotas;
use super::values;
use crate::model::Door;
use crate::pattern::Pattern;
use crate::rota::day;
use crate::routing::{Conditions, Dates, Moment, Patterns, Span, Times};

/// Minutes of a day.
const MINUTES: usize = 24 * 60;

/// Reads the conditions of a section. Times are those of `zone`, unless it names another one. What is wrong is noted, and then
/// what is given here must not be used.
pub(super) fn read(when: &Section, zone: &TimeZone) -> Conditions {
    let own_zone = when.optional("timezone", rotas::zone);
    let zone = own_zone.as_ref().unwrap_or(zone);
    let moment = moment(when, zone);
    let inner = |key: &'static str| {
        // Only what is written is asked for, or there would be no end.
        when.has(key).then(|| match key {
            "not" => when.one_or_more(key).0.iter().map(|one| read(one, zone)).collect::<Vec<_>>(),
            _ => when.sections(key).iter().map(|one| read(one, zone)).collect(),
        })
    };
    let conditions = Conditions {
        door: when.optional("door", values::word(&[("smtp", Door::Smtp), ("http", Door::Http)])),
        networks: when.optional("client", values::one_or_more(values::network)),
        listeners: when.optional("listener", values::one_or_more(values::text)),
        accounts: when.optional("account", values::one_or_more(values::text)),
        helo: when.optional("helo", patterns),
        envelope_sender: when.optional("envelope_sender", patterns),
        header_sender: when.optional("header_sender", patterns),
        headers: headers(when),
        recipient: when.optional("recipient", patterns),
        subject: when.optional("subject", patterns),
        text: when.optional("text", patterns),
        any: inner("any"),
        all: inner("all"),
        not: inner("not"),
        moment: moment.map(Box::new),
    };
    let has_times = conditions.moment.is_some() || ["any", "all", "not"].into_iter().any(|key| when.has(key));
    if when.has("timezone") && !has_times && !["time", "weekday", "date"].into_iter().any(|key| when.has(key))
    {
        let text =
            "`timezone` means nothing without `time`, `weekday` or `date`; remove it, or write one of them";
        when.value("timezone").into_iter().for_each(|value| value.error(text.to_owned()));
    }
    conditions
}

fn moment(when: &Section, zone: &TimeZone) -> Option<Moment> {
    let times = when.optional("time", |value| {
        let all = values::one_or_more(times)(value)?;
        let both = all.into_iter().reduce(|one, other| one.and(&other));
        both.or_else(|| empty(value))
    });
    let weekdays = when.optional("weekday", rotas::days);
    let dates =
        when.optional("date", |value| Dates::new(values::one_or_more(span)(value)?).or_else(|| empty(value)));
    let is_given = times.is_some() || weekdays.is_some() || dates.is_some();
    is_given.then(|| Moment { zone: zone.clone(), times, weekdays, dates })
}

fn empty<T>(value: &Value) -> Option<T> {
    value.fail(format!("`{}` is empty, so that the rule could never match; leave it out", value.name))
}

/// `"22:00-07:00"`.
fn times(value: &Value) -> Option<Times> {
    let written = values::text(value)?;
    let shown = written.escape_debug();
    let minute = |text: &str| match text.trim() {
        "24:00" => Some(MINUTES),
        text => {
            let time = Time::strptime("%H:%M", text).ok()?;
            Some(usize::try_from(time.hour()).ok()? * 60 + usize::try_from(time.minute()).ok()?)
        }
    };
    let Some((from, to)) = written.split_once('-').and_then(|(from, to)| minute(from).zip(minute(to))) else {
        return value.fail(format!("`{shown}` is no time of the day; write it like \"22:00-07:00\""));
    };
    Times::between(from, to).or_else(|| {
        value.fail(format!(
            "`{shown}` is no time at all; write \"00:00-24:00\" for the whole day, or leave it out"
        ))
    })
}

/// `"2026-12-24"`, `"2026-12-24..2027-01-06"`, or the same without a year.
fn span(value: &Value) -> Option<Span> {
    let written = values::text(value)?;
    let shown = written.escape_debug();
    let (first, last) = written.split_once("..").unwrap_or((&written, &written));
    let (first, last) = (first.trim(), last.trim());
    let once = || Some((day(first)?, day(last)?));
    let yearly = || Some((month_and_day(first)?, month_and_day(last)?));
    if let Some((first, last)) = once() {
        return Span::once(first, last)
            .or_else(|| value.fail(format!("`{shown}` ends before it begins; write the earlier day first")));
    }
    let span = yearly().and_then(|(first, last)| Span::yearly(first, last));
    span.or_else(|| {
        value.fail(format!(
            "`{shown}` is no date; write a day like \"2026-12-24\", \"2026-12-24..2027-01-06\", or \"12-25\" for each year"
        ))
    })
}

fn month_and_day(text: &str) -> Option<(i8, i8)> {
    let number = |text: &str| {
        let is_one = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit());
        is_one.then(|| text.parse().ok()).flatten()
    };
    let (month, day) = text.split_once('-')?;
    number(month).zip(number(day))
}

/// A pattern, or a list of them, one of which is to be found.
fn patterns(value: &Value) -> Option<Patterns> {
    let all: Vec<Vec<Pattern>> = values::one_or_more(pattern)(value)?;
    Patterns::new(all.into_iter().flatten().collect()).or_else(|| empty(value))
}

/// A regular expression, or `{ glob = ".." }` with one or a list.
fn pattern(value: &Value) -> Option<Vec<Pattern>> {
    if !value.item.get_ref().is_table() {
        return values::pattern(value).map(|one| vec![one]);
    }
    let section = value.section()?;
    let glob = |value: &Value| {
        let written = values::text(value)?;
        Pattern::glob(&written)
            .map_or_else(|error| value.fail_within(error.range.clone(), error.to_string()), Some)
    };
    section.required("glob", "\"*@example.com\"", values::one_or_more(glob))
}

/// Patterns by the names of header fields.
fn headers(when: &Section) -> Vec<(String, Patterns)> {
    let section = when.section("header");
    let entries = section.entries();
    if section.is_written() && entries.is_empty() {
        let text =
            "`header` names no field; write it like header = { \"X-Severity\" = \"high\" }, or leave it out";
        section.error(text.to_owned());
    }
    let read = |(name, _, value): (String, _, Value)| {
        // RFC 5322 section 2.2.
        if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':') {
            let shown = name.escape_debug();
            value.error(format!(
                "`{shown}` cannot be the name of a header field; write it like \"X-Severity\""
            ));
        }
        Some((name, patterns(&value)?))
    };
    entries.into_iter().filter_map(read).collect()
}
