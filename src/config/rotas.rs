//! `[[rota]]`: who is on call when.

use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::overrides::OverridesFault;
use super::reader::{Reader, Section, Value};
use super::{overrides, values};
use crate::rota::{Days, Overrides, Plan, Rota, Shift, Shifts, Turns, day};

/// Days as they are written; any beginning of three letters or more counts.
const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// A rota as written, and where.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) rota: Rota,
    pub(super) place: Option<Range<usize>>,
    /// Where its overrides stand.
    pub(super) file: Option<PathBuf>,
    /// Why they are not those that stand there.
    pub(super) faults: Vec<OverridesFault>,
}

/// Reads every `[[rota]]`; what is wrong is told and left out.
pub(super) fn read(reader: &Reader, top: &Section) -> Vec<Written> {
    top.sections("rota").iter().filter_map(|section| rota(reader, section)).collect()
}

fn rota(reader: &Reader, section: &Section) -> Option<Written> {
    let name = section.required("name", "\"oncall\"", values::text);
    let zone = section.optional("timezone", zone);
    let is_right = zone.is_some() || !section.has("timezone");
    let plan = match (section.has("turns"), section.has("shift")) {
        (true, false) => turns(reader, section).map(Plan::Turns),
        (false, true) => shifts(section).map(Plan::Shifts),
        (both, _) => {
            if both {
                // So that each of its keys is known.
                let _ = (turns(reader, section), shifts(section));
            }
            let text = "a rota has either `turns`, each for a week, or shifts, each a [[rota.shift]]";
            reader.error(section.place("name").or_else(|| section.span()), text.to_owned());
            None
        }
    };
    let file = section.optional("overrides", values::path);
    let overrides = match &file {
        Some(path) => overrides(reader, section.place("overrides"), path),
        None => (!section.has("overrides")).then(Default::default),
    };
    let (name, plan, (overrides, faults)) = (name?, plan?, overrides?);
    let zone = zone.unwrap_or_else(TimeZone::system);
    let rota = Rota { zone, plan, overrides };
    is_right.then(|| Written { name, rota, place: section.place("name"), file, faults })
}

fn turns(reader: &Reader, section: &Section) -> Option<Turns> {
    let members = section.optional("turns", members);
    let first = section.required("from", "\"2026-01-05\"", date);
    let handover = section.required("handover", "\"Mon 09:00\"", handover);
    let (members, first, (weekday, handover)) = (members?, first?, handover?);
    if first.weekday() != weekday {
        let text =
            format!("{first} is no {weekday:?}; write the day on which the first of `turns` takes over");
        reader.error(section.place("from"), text);
        return None;
    }
    Some(Turns { first, handover, members })
}

fn shifts(section: &Section) -> Option<Shifts> {
    let otherwise = section.optional("otherwise", names);
    let is_right = otherwise.is_some() || !section.has("otherwise");
    // All are read before any is missed, so that every error is noted.
    let list: Vec<Option<Shift>> = section.sections("shift").iter().map(shift).collect();
    let list = list.into_iter().collect::<Option<Vec<_>>>()?;
    is_right.then(|| Shifts { list, otherwise: otherwise.unwrap_or_default() })
}

fn shift(section: &Section) -> Option<Shift> {
    let days = section.or("days", Days::ALL, days);
    let from = section.required("from", "\"08:00\"", time);
    let to = section.required("to", "\"18:00\"", time);
    let who = section.required("who", "\"office\"", names);
    Some(Shift { days, from: from?, to: to?, who: who? })
}

/// What the file says. Where that cannot be taken, what is kept of it and why, or else nothing, and errors are noted.
fn overrides(
    reader: &Reader,
    place: Option<Range<usize>>,
    path: &Path,
) -> Option<(Overrides, Vec<OverridesFault>)> {
    let told = |text: String| reader.error(place.clone(), text);
    let wrong = match overrides::content(path).map(|text| Overrides::read(&text)) {
        Ok(Ok(overrides)) => return Some((overrides, Vec::new())),
        Ok(Err(wrong)) => Ok(wrong),
        Err(text) => Err(text),
    };
    let Some(kept) = reader.kept_overrides() else {
        match wrong {
            Ok(wrong) => wrong.iter().for_each(|error| told(format!("{}:{error}", path.display()))),
            Err(text) => told(text),
        }
        return None;
    };
    let faults = match wrong {
        Ok(wrong) => wrong.into_iter().map(|error| OverridesFault::of(path, error)).collect(),
        Err(text) => vec![OverridesFault { file: path.to_owned(), line: None, text }],
    };
    Some((kept.overrides_of(path), faults))
}

/// A name, or a list of names with at least one.
fn names(value: &Value) -> Option<Vec<String>> {
    match values::one_or_more(values::text)(value)? {
        empty if empty.is_empty() => {
            value.fail(format!("`{}` names nobody; write an alias or a number", value.name))
        }
        names => Some(names),
    }
}

/// A list of names, some of which may be lists for several at a time.
fn members(value: &Value) -> Option<Vec<Vec<String>>> {
    match values::list(names)(value)? {
        empty if empty.is_empty() => {
            value.fail("`turns` names nobody; write those who take turns".to_owned())
        }
        members => Some(members),
    }
}

/// A time zone by its name.
pub(super) fn zone(value: &Value) -> Option<TimeZone> {
    let name = values::text(value)?;
    TimeZone::get(&name).ok().or_else(|| {
        value.fail(format!(
            "`{}` is no time zone that is known here; write one like \"Europe/Rome\"",
            name.escape_debug()
        ))
    })
}

fn date(value: &Value) -> Option<Date> {
    let written = values::text(value)?;
    day(&written).or_else(|| {
        value.fail(format!("`{}` is not a day; write it like \"2026-01-05\"", written.escape_debug()))
    })
}

fn clock(text: &str) -> Option<Time> {
    match text {
        "24:00" => Some(Time::midnight()),
        text => Time::strptime("%H:%M", text).ok(),
    }
}

pub(super) fn time(value: &Value) -> Option<Time> {
    let written = values::text(value)?;
    clock(&written).or_else(|| {
        value.fail(format!("`{}` is not a time of day; write it like \"18:00\"", written.escape_debug()))
    })
}

fn handover(value: &Value) -> Option<(Weekday, Time)> {
    let written = values::text(value)?;
    let found = written.split_once(' ').and_then(|(day, time)| Some((weekday(day)?, clock(time.trim())?)));
    found.or_else(|| {
        let shown = written.escape_debug();
        value.fail(format!("`{shown}` is not a weekday and a time; write it like \"Mon 09:00\""))
    })
}

pub(super) fn weekday(text: &str) -> Option<Weekday> {
    let text = text.trim().to_lowercase();
    DAYS.into_iter().find(|(name, _)| text.len() >= 3 && name.starts_with(&text)).map(|(_, day)| day)
}

/// `"Mon-Fri"`, `"Sat"`, or a list of such.
pub(super) fn days(value: &Value) -> Option<Days> {
    let one = |value: &Value| {
        let written = values::text(value)?;
        let found = match written.split_once('-') {
            Some((from, to)) => weekday(from).zip(weekday(to)).map(|(from, to)| Days::span(from, to)),
            None => weekday(&written).map(|day| Days::of([day])),
        };
        found.or_else(|| {
            let shown = written.escape_debug();
            value.fail(format!(
                "`{shown}` is no day of the week; write \"Mon\" or \"Mon-Fri\", or a list of these"
            ))
        })
    };
    let days = values::one_or_more(one)(value)?;
    let all = days.into_iter().fold(Days::default(), Days::and);
    match all.is_empty() {
        true => value.fail(format!("`{}` is empty; leave it out for every day", value.name)),
        false => Some(all),
    }
}
