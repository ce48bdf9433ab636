//! Why conditions do not hold, for people.

use super::moment::days_words;
use super::tree::{Case, Field, Group, Leaf, Node, Truth, Value};
use crate::pattern::Pattern;

/// Octets of a value that [`Unmet`] repeats.
const MAX_FOUND: usize = 1000;
/// Most conditions that are told of one rule.
const MAX_TOLD: usize = 32;

/// A condition that kept a rule from matching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Its key in the configuration, like `subject`.
    pub key: &'static str,
    /// The name of the header field, where it is about one.
    pub header: Option<String>,
    /// In which of `any`, `all` and `not` it stands, from the outermost, like `any 2, not 1`; empty for one of the rule
    /// itself. Counted from 1.
    pub branch: String,
    /// Whether it holds, and must not.
    pub holds: bool,
    /// What it asks for, as the configuration writes it.
    pub wanted: String,
    /// What was there, up to 1,000 octets from its beginning; `None` where there was nothing, like a
    /// `From:` field in a form.
    pub found: Option<String>,
}

/// Why `group` does not hold, which it does not: of `any` each branch, and else the first that does not. The content is
/// known.
pub(super) fn why_not(group: &Group, case: &Case<'_>) -> Vec<Unmet> {
    let mut told = Told { case, branch: Vec::new(), all: Vec::new() };
    told.group(group, false);
    told.all
}

struct Told<'a> {
    case: &'a Case<'a>,
    branch: Vec<(&'static str, usize)>,
    all: Vec<Unmet>,
}

impl Told<'_> {
    /// Why a group holds, or does not; one of both is so.
    fn group(&mut self, group: &Group, holds: bool) {
        match holds {
            true => group.0.iter().for_each(|node| self.node(node, true)),
            false => {
                let first = group.0.iter().find(|node| node.truth(self.case) != Truth::Yes);
                first.into_iter().for_each(|node| self.node(node, false));
            }
        }
    }

    fn node(&mut self, node: &Node, holds: bool) {
        if self.all.len() == MAX_TOLD {
            return;
        }
        match (node, holds) {
            (Node::Leaf(leaf), _) => self.leaf(leaf, holds),
            (Node::Any(list), true) => self.first("any", list, true),
            (Node::Any(list), false) => self.each("any", list, false),
            (Node::All(list), true) => self.each("all", list, true),
            (Node::All(list), false) => self.first("all", list, false),
            (Node::Not(list), true) => self.each("not", list, false),
            (Node::Not(list), false) => self.first("not", list, true),
        }
    }

    fn each(&mut self, key: &'static str, list: &[Group], hold: bool) {
        for (n, group) in list.iter().enumerate() {
            self.branch.push((key, n + 1));
            self.group(group, hold);
            self.branch.pop();
        }
    }

    /// The first that holds, or that does not.
    fn first(&mut self, key: &'static str, list: &[Group], holds: bool) {
        let first = list.iter().position(|group| (group.truth(self.case) == Truth::Yes) == holds);
        if let Some(n) = first {
            self.branch.push((key, n + 1));
            self.group(&list[n], holds);
            self.branch.pop();
        }
    }

    fn leaf(&mut self, leaf: &Leaf, holds: bool) {
        let case = self.case;
        let client = case.origin.client;
        let clock = |zone: &usize, form: &str| Some(case.clock(*zone).strftime(form).to_string());
        let (key, wanted, found) = match leaf {
            Leaf::Door(door) => ("door", door.as_str().to_owned(), Some(client.door.as_str().to_owned())),
            Leaf::Networks(nets) => {
                let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
                ("client", nets.join(", "), Some(client.address.to_string()))
            }
            Leaf::Listeners(names) => ("listener", names.join(", "), Some(client.listener.clone())),
            Leaf::Accounts(names) => ("account", names.join(", "), client.account.clone()),
            Leaf::Times(zone, times) => ("time", times.to_string(), clock(zone, "%H:%M")),
            Leaf::Weekdays(zone, days) => ("weekday", days_words(*days), clock(zone, "%a")),
            Leaf::Dates(zone, dates) => ("date", dates.to_string(), clock(zone, "%Y-%m-%d")),
            Leaf::Words(field, wanted) => {
                let written: Vec<&str> = wanted.numbered().map(|(_, one)| Pattern::written(one)).collect();
                (key_of(*field), written.join(", "), self.value(*field))
            }
        };
        let header = if let Leaf::Words(Field::Header(number), _) = leaf {
            case.index.headers.get(*number).cloned()
        } else {
            None
        };
        let branch: Vec<String> = self.branch.iter().map(|(key, n)| format!("{key} {n}")).collect();
        self.all.push(Unmet { key, header, branch: branch.join(", "), holds, wanted, found });
    }

    fn value(&self, field: Field) -> Option<String> {
        // A copy for every rule and phone: a mail's whole text would be too much.
        let beginning = |text: &str| text[..text.floor_char_boundary(MAX_FOUND)].to_owned();
        match (self.case.value(field), field) {
            (Value::Known(text), Field::Recipient) => Some(format!("{text} ({})", self.case.destination)),
            (Value::Known(text), _) => Some(beginning(text)),
            (Value::Missing | Value::NotYetKnown, _) => None,
        }
    }
}

fn key_of(field: Field) -> &'static str {
    match field {
        Field::Helo => "helo",
        Field::EnvelopeSender => "envelope_sender",
        Field::HeaderSender => "header_sender",
        Field::Header(_) => "header",
        Field::Recipient => "recipient",
        Field::Subject => "subject",
        Field::Text => "text",
    }
}
