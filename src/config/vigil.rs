//! `expect`, `[expect]` and `[[heartbeat]]`: who is to be heard of, and tests that are sent at times.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::doors::Doors;
use super::own::Own;
use super::reader::{Reader, Section, Value};
use super::reports::Reporting;
use super::rules::Ruled;
use super::{rotas, values};
use crate::intake::{Listened, ListenedNetwork};
use crate::model::{Door, Lane, Source, SourceKind};
use crate::routing::KnownListener;
use crate::vigil::{Expectation, Heartbeat, LISTENER, Schedule, Settings};
use crate::wording::OwnTemplate;

/// The longest that a test may take: two of a day do not meet.
const LONGEST_TEST: Duration = Duration::from_secs(12 * 3600);

/// Destinations as written, and where.
pub(super) type Destinations = Vec<(String, Range<usize>)>;

/// The `expect` of rules, accounts and networks, as they are read.
#[derive(Default)]
pub(super) struct Collected(RefCell<Vec<Written>>);

struct Written {
    source: Source,
    within: Duration,
    tell: Option<Destinations>,
    text: Option<OwnTemplate>,
    place: Range<usize>,
}

impl Collected {
    /// Reads the key of a section that has a `name`; what is wrong is told and left out.
    pub(super) fn read(&self, section: &Section, kind: SourceKind) {
        let Some(value) = section.value("expect") else { return };
        let name = section.value("name").and_then(|name| name.item.get_ref().as_str().map(str::to_owned));
        let (within, tell, text) = match value.item.get_ref().is_table() {
            false => (values::time(values::SECOND)(&value), None, None),
            true => {
                let Some(table) = value.section() else { return };
                let within = table.required("within", "\"8d\"", values::time(values::SECOND));
                (within, table.optional("tell", destinations), table.optional("text", template))
            }
        };
        // Without a name there is another error already.
        let (Some(name), Some(within)) = (name, within) else { return };
        let source = Source::new(kind, &name);
        self.0.borrow_mut().push(Written { source, within, tell, text, place: value.span() });
    }
}

/// The tests as written. Their names are known to rules as listeners.
pub(super) struct Heartbeats(Vec<WrittenTest>);

struct WrittenTest {
    name: String,
    schedule: Schedule,
    to: Destinations,
    text: Option<OwnTemplate>,
    within: Duration,
    tell: Destinations,
    lane: Lane,
    place: Option<Range<usize>>,
}

impl Heartbeats {
    /// Reads every `[[heartbeat]]`, and makes the relay's own listeners known.
    pub(super) fn find(reader: &Reader, top: &Section, doors: &mut Doors) -> Self {
        let mut names: BTreeSet<String> = doors.known_listeners.iter().map(|one| one.name.clone()).collect();
        let own = |name: &str| KnownListener {
            name: name.to_owned(),
            door: Door::Relay,
            networks: vec![IpAddr::V4(Ipv4Addr::LOCALHOST).into()],
        };
        if !names.contains(LISTENER) {
            names.insert(LISTENER.to_owned());
            doors.known_listeners.push(own(LISTENER));
        }
        let mut all = Vec::new();
        for section in &top.sections("heartbeat") {
            let Some(test) = heartbeat(section) else { continue };
            if !names.insert(test.name.clone()) {
                let text = format!(
                    "`{}` is the name of a listener, or of another heartbeat; give this one another `name`",
                    test.name
                );
                reader.error(section.place("name"), text);
                continue;
            }
            doors.known_listeners.push(own(&test.name));
            all.push(test);
        }
        Self(all)
    }

    /// Puts it all together, once rules and reports are known. With a mistake that was told there are no settings.
    pub(super) fn read(
        self,
        reader: &Reader,
        top: &Section,
        doors: &Doors,
        ruled: Option<&Ruled>,
        reports: Option<&Reporting>,
        now: Timestamp,
    ) -> Option<(Settings, Listened)> {
        let section = top.section("expect");
        let usual = section.or("tell", Vec::new(), destinations);
        let silence_is_trouble = section.or("not_ready", true, values::flag);
        let written = doors.expected.0.take();
        if section.is_written() && written.is_empty() {
            let text =
                "nobody is expected: no rule, account or network has `expect`; write one, or remove this";
            reader.warning(section.span(), text.to_owned());
        }
        let operator =
            reports.and_then(|read| read.reporting.operator.clone().filter(|_| read.mailer.is_some()));
        let own = ruled.map(|ruled| Own::new(reader, ruled, now));
        let nobody = |place: Option<Range<usize>>, what: &str| {
            if reports.is_some() && operator.is_none() {
                let text = format!(
                    "nobody would be told {what}; write `tell`, or an `operator` in [reporting] and a [smarthost]"
                );
                reader.warning(place, text);
            }
        };
        own.iter().for_each(|own| own.names(&usual));
        let mut expected = Vec::new();
        for one in written {
            if let (Some(own), Some(tell)) = (&own, &one.tell) {
                own.names(tell);
            }
            let tell = one.tell.as_ref().unwrap_or(&usual);
            if tell.is_empty() {
                nobody(Some(one.place), "of this silence");
            }
            let Written { source, within, text, .. } = one;
            let expectation = Expectation { source, within, tell: names(tell), text };
            own.iter().for_each(|own| own.word_of_silence(&expectation, tell));
            expected.push(expectation);
        }
        let mut heartbeats = Vec::new();
        for one in self.0 {
            if one.tell.is_empty() {
                nobody(one.place, "that this test fails");
            }
            let heartbeat = Heartbeat {
                name: one.name,
                schedule: one.schedule,
                to: names(&one.to),
                text: one.text,
                within: one.within,
                tell: names(&one.tell),
                lane: one.lane,
            };
            if let Some(own) = &own {
                own.names(&one.to);
                own.names(&one.tell);
                own.test(&heartbeat, &one.to, &one.tell);
            }
            heartbeats.push(heartbeat);
        }
        let listened = listened(&expected, doors);
        let reporting = &reports?.reporting;
        let settings = Settings {
            expected,
            heartbeats,
            silence_is_trouble,
            operator,
            from: reporting.from.clone(),
            hostname: reporting.hostname.clone(),
            lifetime: reporting.lifetime,
        };
        Some((settings, listened))
    }
}

fn heartbeat(section: &Section) -> Option<WrittenTest> {
    let name = section.required("name", "\"weekly\"", values::name);
    let at = section.required("at", "\"Mon 09:00\"", at);
    let zone = section.optional("timezone", rotas::zone);
    let to = section.required("to", "\"oncall\"", destinations);
    let text = section.optional("text", template);
    let within = section.or("within", Duration::from_secs(15 * 60), within);
    let tell = section.or("tell", Vec::new(), destinations);
    let lane = section.or("lane", Lane::Critical, lane);
    if (section.has("timezone") && zone.is_none()) || (section.has("text") && text.is_none()) {
        return None;
    }
    let zone = zone.unwrap_or_else(TimeZone::system);
    let ((weekday, time), to) = (at?, to?);
    let schedule = Schedule { weekday, time, zone };
    Some(WrittenTest { name: name?, schedule, to, text, within, tell, lane, place: section.place("name") })
}

/// `"Mon 09:00"`, or `"09:00"` for every day; with seconds where somebody wants them.
fn at(value: &Value) -> Option<(Option<Weekday>, Time)> {
    let written = values::text(value)?;
    let clock = |text: &str| {
        let text = text.trim();
        Time::strptime("%H:%M", text).or_else(|_| Time::strptime("%H:%M:%S", text)).ok()
    };
    let found = match written.split_once(' ') {
        Some((day, time)) => rotas::weekday(day).zip(clock(time)).map(|(day, time)| (Some(day), time)),
        None => clock(&written).map(|time| (None, time)),
    };
    found.or_else(|| {
        let shown = written.escape_debug();
        value.fail(format!(
            "`{shown}` is no time of a test; write it like \"Mon 09:00\", or \"09:00\" for every day"
        ))
    })
}

fn lane(value: &Value) -> Option<Lane> {
    values::word(&[("critical", Lane::Critical), ("normal", Lane::Normal), ("bulk", Lane::Bulk)])(value)
}

fn within(value: &Value) -> Option<Duration> {
    let time = values::time(values::SECOND)(value)?;
    if time <= LONGEST_TEST {
        return Some(time);
    }
    value.fail("a test may take 12h at most; write `within` like \"15m\"".to_owned())
}

/// One, or a list with at least one.
fn destinations(value: &Value) -> Option<Destinations> {
    let one = |value: &Value| Some((values::text(value)?, value.span()));
    match values::one_or_more(one)(value)? {
        empty if empty.is_empty() => {
            value.fail(format!("`{}` names nobody; write an alias, a rota or a number", value.name))
        }
        all => Some(all),
    }
}

fn names(destinations: &Destinations) -> Vec<String> {
    destinations.iter().map(|(name, _)| name.clone()).collect()
}

fn template(value: &Value) -> Option<OwnTemplate> {
    let written = values::text(value)?;
    OwnTemplate::new(&written).map_or_else(|error| value.fail_within(error.range(), error.to_string()), Some)
}

fn listened(expected: &[Expectation], doors: &Doors) -> Listened {
    let of = |kind: SourceKind| {
        let sources = expected.iter().map(|one| &one.source).filter(move |source| source.kind == kind);
        sources.map(|source| source.name.clone()).collect::<BTreeSet<String>>()
    };
    let networks = of(SourceKind::Network);
    let network = |one: &crate::smtp::Network| ListenedNetwork {
        name: one.name.clone(),
        listeners: one.listeners.clone(),
        networks: one.networks.clone(),
        is_expected: networks.contains(&one.name),
    };
    Listened {
        rules: of(SourceKind::Rule),
        accounts: of(SourceKind::Account),
        networks: doors.smtp.networks.iter().map(network).collect(),
    }
}
