//! Conditions as they are asked: a tree whose leaves know by number what of them was found out already.

use std::cell::{Cell, OnceCell};

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::candidates::{Candidates, Left};
use super::conditions::{About, Asked, Conditions, Patterns};
use super::moment::{Dates, Moment, Times};
use super::{Facts, Origin};
use crate::model::{Door, PhoneNumber};
use crate::pattern::Pattern;
use crate::rota::Days;
use crate::wording::Groups;

/// Whether something holds, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    /// The content will tell.
    NotYetKnown,
}

/// All of these must hold.
#[derive(Clone, Debug)]
pub(super) struct Group(pub(super) Vec<Node>);

#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Leaf),
    /// One must hold.
    Any(Vec<Group>),
    /// All must hold.
    All(Vec<Group>),
    /// None may hold.
    Not(Vec<Group>),
}

/// A condition about one field.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    Door(Door),
    Networks(Vec<IpNet>),
    Listeners(Vec<String>),
    Accounts(Vec<String>),
    /// Each by the clock of the zone of this number.
    Times(usize, Times),
    Weekdays(usize, Days),
    Dates(usize, Dates),
    /// One of the patterns is found.
    Words(Field, Wanted),
}

/// Where patterns are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Helo,
    EnvelopeSender,
    HeaderSender,
    /// The header field whose name has this number.
    Header(usize),
    Recipient,
    Subject,
    Text,
}

/// Patterns with their numbers.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    patterns: Patterns,
    /// The number of the first; the others follow.
    first: usize,
}

impl Wanted {
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &Pattern)> {
        (self.first..).zip(self.patterns.as_slice())
    }
}

/// What the leaves of all rules name by numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Names of header fields, none twice but for their case.
    pub(super) headers: Vec<String>,
    /// Time zones, none twice.
    pub(super) zones: Vec<TimeZone>,
    /// How many patterns there are.
    pub(super) patterns: usize,
}

impl Index {
    /// `conditions` as they are asked, with everything that they name put into the index.
    pub(super) fn plant(&mut self, conditions: &Conditions) -> Group {
        let mut nodes = Vec::new();
        for asked in conditions.asked() {
            match asked {
                Asked::Door(door) => nodes.push(Leaf::Door(door)),
                Asked::Networks(nets) => nodes.push(Leaf::Networks(nets.to_vec())),
                Asked::Listeners(names) => nodes.push(Leaf::Listeners(names.to_vec())),
                Asked::Accounts(names) => nodes.push(Leaf::Accounts(names.to_vec())),
                Asked::Moment(moment) => {
                    let Moment { zone, times, weekdays, dates } = moment.clone();
                    let zone = self.zone(zone);
                    nodes.extend(times.map(|times| Leaf::Times(zone, times)));
                    nodes.extend(weekdays.map(|days| Leaf::Weekdays(zone, days)));
                    nodes.extend(dates.map(|dates| Leaf::Dates(zone, dates)));
                }
                Asked::Words(about, patterns) => {
                    let wanted = Wanted { patterns: patterns.clone(), first: self.patterns };
                    self.patterns += patterns.as_slice().len();
                    nodes.push(Leaf::Words(self.field(about), wanted));
                }
            }
        }
        let mut nodes: Vec<Node> = nodes.into_iter().map(Node::Leaf).collect();
        let Conditions { any, all, not, .. } = conditions;
        let mut planted = |list: &Vec<Conditions>| list.iter().map(|one| self.plant(one)).collect();
        nodes.extend(any.as_ref().map(|list| Node::Any(planted(list))));
        nodes.extend(all.as_ref().map(|list| Node::All(planted(list))));
        nodes.extend(not.as_ref().map(|list| Node::Not(planted(list))));
        Group(nodes)
    }

    fn field(&mut self, about: About<'_>) -> Field {
        match about {
            About::Helo => Field::Helo,
            About::EnvelopeSender => Field::EnvelopeSender,
            About::HeaderSender => Field::HeaderSender,
            About::Header(name) => Field::Header(self.header(name)),
            About::Recipient => Field::Recipient,
            About::Subject => Field::Subject,
            About::Text => Field::Text,
        }
    }

    fn zone(&mut self, zone: TimeZone) -> usize {
        let known = self.zones.iter().position(|known| *known == zone);
        known.unwrap_or_else(|| {
            self.zones.push(zone);
            self.zones.len() - 1
        })
    }

    fn header(&mut self, name: &str) -> usize {
        let known = self.headers.iter().position(|known| known.eq_ignore_ascii_case(name));
        known.unwrap_or_else(|| {
            self.headers.push(name.to_owned());
            self.headers.len() - 1
        })
    }
}

/// What the rules found in one mail or form: it is the same for all its phones, and looked for once.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// By the numbers of patterns, whether each was found; those about a recipient are not kept.
    found: Vec<Cell<Option<bool>>>,
    /// By the numbers of header fields, their values.
    headers: Vec<OnceCell<Option<String>>>,
    /// By the numbers of time zones, what the clock shows.
    clocks: Vec<OnceCell<DateTime>>,
    /// `MAIL FROM` in words.
    sender: OnceCell<Option<String>>,
    /// The rules that can match, as far as that is so for all its phones.
    pub(super) left: Left,
}

impl Content {
    /// With room for what `index` numbers.
    pub(super) fn prepare(&mut self, index: &Index, candidates: &Candidates) {
        self.left.prepare(candidates);
        self.found.resize(index.patterns, Cell::default());
        self.headers.resize(index.headers.len(), OnceCell::new());
        self.clocks.resize(index.zones.len(), OnceCell::new());
    }
}

/// What conditions are asked about.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) index: &'a Index,
    pub(super) origin: &'a Origin<'a>,
    pub(super) now: Timestamp,
    pub(super) recipient: &'a str,
    pub(super) destination: &'a PhoneNumber,
    /// `None` when a recipient is named (`RCPT`).
    pub(super) facts: Option<&'a Facts<'a>>,
    /// Prepared for the index.
    pub(super) seen: &'a Content,
}

/// The text of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Known(&'a str),
    /// There is no such field.
    Missing,
    NotYetKnown,
}

impl<'a> Case<'a> {
    /// The text of a field; that of a recipient is what was written.
    pub(super) fn value(&self, field: Field) -> Value<'a> {
        let given = |text: Option<&'a str>| text.map_or(Value::Missing, Value::Known);
        match (field, self.facts) {
            (Field::Helo, _) => given(self.origin.client.helo.as_deref()),
            (Field::EnvelopeSender, _) => {
                given(self.seen.sender.get_or_init(|| self.origin.sender_text()).as_deref())
            }
            (Field::Recipient, _) => Value::Known(self.recipient),
            (_, None) => Value::NotYetKnown,
            (Field::HeaderSender, Some(facts)) => given(facts.header_sender),
            (Field::Header(number), Some(facts)) => {
                let name = || self.index.headers.get(number);
                let read = || facts.headers.zip(name()).and_then(|(headers, name)| headers.field(name));
                given(self.seen.headers.get(number).and_then(|kept| kept.get_or_init(read).as_deref()))
            }
            (Field::Subject, Some(facts)) => Value::Known(facts.subject),
            (Field::Text, Some(facts)) => Value::Known(facts.text),
        }
    }

    /// What the clock of a zone shows.
    pub(super) fn clock(&self, zone: usize) -> DateTime {
        let read = || {
            let zone = self.index.zones.get(zone).cloned().unwrap_or(TimeZone::UTC);
            self.now.to_zoned(zone).datetime()
        };
        self.seen.clocks.get(zone).map_or_else(read, |kept| *kept.get_or_init(read))
    }

    /// Where a pattern of this number is found, where it is.
    pub(super) fn found(&self, field: Field, number: usize, pattern: &Pattern) -> Option<&'a str> {
        let Value::Known(text) = self.value(field) else { return None };
        if field == Field::Recipient {
            return [self.recipient, self.destination.as_str()].into_iter().find(|text| pattern.is_in(text));
        }
        let look = || pattern.is_in(text);
        let is_found = match self.seen.found.get(number) {
            None => look(),
            Some(kept) => {
                let is_found = kept.get().unwrap_or_else(look);
                kept.set(Some(is_found));
                is_found
            }
        };
        is_found.then_some(text)
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Truth {
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::NotYetKnown => Self::NotYetKnown,
        }
    }
}

/// `No` where one is, and `Yes` where all are.
fn all(truths: impl Iterator<Item = Truth>) -> Truth {
    let mut all = Truth::Yes;
    for truth in truths {
        match truth {
            Truth::No => return Truth::No,
            Truth::NotYetKnown => all = Truth::NotYetKnown,
            Truth::Yes => {}
        }
    }
    all
}

/// `Yes` where one is, and `No` where all are.
fn any(truths: impl Iterator<Item = Truth>) -> Truth {
    all(truths.map(Truth::not)).not()
}

impl Group {
    /// Whether all of it holds.
    pub(super) fn truth(&self, case: &Case<'_>) -> Truth {
        all(self.0.iter().map(|node| node.truth(case)))
    }

    /// What the named groups of those patterns found that are why it holds, which it does. Where two have one name, the later
    /// one counts.
    pub(super) fn groups(&self, case: &Case<'_>, groups: &mut Groups) {
        for node in &self.0 {
            match node {
                Node::Leaf(Leaf::Words(field, wanted)) => {
                    let named = |(_, pattern): &(usize, &Pattern)| pattern.group_names().next().is_some();
                    for (number, pattern) in wanted.numbered().filter(named) {
                        if let Some(text) = case.found(*field, number, pattern) {
                            let found = pattern.groups(text).unwrap_or_default();
                            groups.extend(found.into_iter().map(|(name, value)| (name.to_owned(), value)));
                        }
                    }
                }
                Node::Any(list) | Node::All(list) => {
                    let holding = list.iter().filter(|one| one.truth(case) == Truth::Yes);
                    holding.for_each(|one| one.groups(case, groups));
                }
                Node::Leaf(_) | Node::Not(_) => {}
            }
        }
    }
}

impl Node {
    pub(super) fn truth(&self, case: &Case<'_>) -> Truth {
        match self {
            Self::Leaf(leaf) => leaf.truth(case),
            Self::Any(list) => any(list.iter().map(|one| one.truth(case))),
            Self::All(list) => all(list.iter().map(|one| one.truth(case))),
            Self::Not(list) => any(list.iter().map(|one| one.truth(case))).not(),
        }
    }
}

impl Leaf {
    pub(super) fn truth(&self, case: &Case<'_>) -> Truth {
        let client = case.origin.client;
        match self {
            Self::Door(door) => (client.door == *door).into(),
            Self::Networks(nets) => nets.iter().any(|net| net.contains(&client.address)).into(),
            Self::Listeners(names) => names.contains(&client.listener).into(),
            Self::Accounts(names) => client.account.as_ref().is_some_and(|name| names.contains(name)).into(),
            Self::Times(zone, times) => times.contains(case.clock(*zone)).into(),
            Self::Weekdays(zone, days) => days.contains(case.clock(*zone).weekday()).into(),
            Self::Dates(zone, dates) => dates.contains(case.clock(*zone).date()).into(),
            Self::Words(field, wanted) => match case.value(*field) {
                Value::NotYetKnown => Truth::NotYetKnown,
                Value::Missing => Truth::No,
                Value::Known(_) => {
                    let found = |(number, pattern)| case.found(*field, number, pattern).is_some();
                    wanted.numbered().any(found).into()
                }
            },
        }
    }
}
