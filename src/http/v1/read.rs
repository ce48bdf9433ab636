//! What a body asks for.
//!
//! All that is wrong is told at once, each with its place. What a destination or a text means, and whether the account
//! may have it, is for others: `/sms` asks them the same.

use axum::http::StatusCode;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::super::Account;
use super::super::answer::Denial;
use super::super::fields::shown;
use super::super::form::{may_choose_sender, tell_url};
use super::super::wishes::{self, WishError};
use super::json::Node;
use super::problem::{Fault, Problem};
use crate::intake::Form;
use crate::model::Lane;

/// Most messages of one request.
pub(super) const MOST_MESSAGES: usize = 100;
/// The members of a message.
pub(super) const MEMBERS: [&str; 6] = ["to", "text", "from", "deliver_at", "lane", "callback_url"];
/// The member of a request for several.
pub(super) const SEVERAL: &str = "messages";
/// What a URI fragment cannot hold as it is (RFC 3986 section 3.5).
const NO_FRAGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One message.
    One(Form),
    /// A list of them.
    Several(Vec<Form>),
}

/// Reads a body for a client of `account`.
///
/// # Errors
/// 400 with the faults, or 403 where all of them are about what the account may not do.
pub(super) fn wanted(octets: &[u8], account: &Account) -> Result<Wanted, Problem> {
    let mut reading = Reading { account, faults: Vec::new() };
    let bad = |reason: String| Problem::from(Denial::new(StatusCode::BAD_REQUEST, reason));
    let members = match Node::read(octets).map_err(bad)? {
        Node::Object(members) => members,
        other @ (Node::Null | Node::Bool | Node::Number | Node::Text(_) | Node::List(_)) => {
            return Err(bad(format!("the body is {}; it must be an object", other.kind())));
        }
    };
    let wanted = if members.iter().any(|(name, _)| name == SEVERAL) {
        Wanted::Several(reading.several(members))
    } else {
        Wanted::One(reading.message("#", members))
    };
    reading.end().map(|()| wanted)
}

struct Reading<'a> {
    account: &'a Account,
    faults: Vec<(StatusCode, Fault)>,
}

impl Reading<'_> {
    fn end(self) -> Result<(), Problem> {
        // What must be mended anyhow comes before what must be allowed.
        let status = match self.faults.iter().map(|(status, _)| *status).min() {
            None => return Ok(()),
            Some(status) => status,
        };
        Err(Problem::of_faults(status, self.faults.into_iter().map(|(_, fault)| fault).collect()))
    }

    fn fault(&mut self, pointer: String, detail: impl Into<String>) {
        self.faults.push((StatusCode::BAD_REQUEST, Fault { pointer, detail: detail.into() }));
    }

    /// What a check of `/sms` says, or its fault at this place.
    fn checked<T>(&mut self, pointer: &str, checked: Result<T, impl Into<Denial>>) -> Option<T> {
        checked
            .map_err(|error| {
                let denial: Denial = error.into();
                self.faults
                    .push((denial.status, Fault { pointer: pointer.to_owned(), detail: denial.reason }));
            })
            .ok()
    }

    fn several(&mut self, members: Vec<(String, Node)>) -> Vec<Form> {
        let mut forms = Vec::new();
        for (pointer, name, node) in self.known("#", members, &[SEVERAL]) {
            let items = match node {
                Node::List(items) => items,
                other @ (Node::Null | Node::Bool | Node::Number | Node::Text(_) | Node::Object(_)) => {
                    self.wrong_type(pointer, name, &other, "an array of messages");
                    continue;
                }
            };
            if !(1..=MOST_MESSAGES).contains(&items.len()) {
                let detail = format!("`messages` has {} messages; send 1 to {MOST_MESSAGES}", items.len());
                self.fault(pointer, detail);
                continue;
            }
            for (n, item) in items.into_iter().enumerate() {
                let pointer = format!("{pointer}/{n}");
                match item {
                    Node::Object(members) => forms.push(self.message(&pointer, members)),
                    other @ (Node::Null | Node::Bool | Node::Number | Node::Text(_) | Node::List(_)) => {
                        self.wrong_type(pointer, "a message", &other, "an object")
                    }
                }
            }
        }
        forms
    }

    fn message(&mut self, at: &str, members: Vec<(String, Node)>) -> Form {
        let mut form = Form::default();
        let mut callback_url = None;
        let known = self.known(at, members, &MEMBERS);
        for needed in ["to", "text"] {
            if !known.iter().any(|(_, name, _)| *name == needed) {
                self.fault(at.to_owned(), format!("there is no `{needed}`"));
            }
        }
        for (pointer, name, node) in known {
            match name {
                "to" => form.to = self.destinations(&pointer, node),
                "text" => form.text = self.text(&pointer, node).unwrap_or_default(),
                "from" => {
                    form.sender = self.line(&pointer, name, node);
                    let allowed = may_choose_sender(self.account);
                    self.checked(&pointer, allowed);
                }
                "deliver_at" => {
                    let written = self.string(&pointer, name, node);
                    form.deliver_at = written.and_then(|written| self.time(&pointer, &written));
                }
                "lane" => {
                    let written = self.string(&pointer, name, node);
                    form.lane = written.and_then(|written| self.lane(&pointer, &written));
                }
                _ => {
                    let written = self.url(&pointer, name, node);
                    callback_url = written.map(|written| (pointer, written));
                }
            }
        }
        let (pointer, written) = callback_url.unzip();
        let url = tell_url(written, self.account);
        form.tell_url = self.checked(pointer.as_deref().unwrap_or(at), url).flatten();
        form
    }

    /// Those of `members` that are `known`, each once, with their places.
    fn known(
        &mut self,
        at: &str,
        members: Vec<(String, Node)>,
        known: &[&'static str],
    ) -> Vec<(String, &'static str, Node)> {
        let mut found: Vec<(String, &'static str, Node)> = Vec::new();
        for (written, node) in members {
            let pointer = format!("{at}/{}", token(&written));
            let Some(name) = known.iter().find(|name| **name == written).copied() else {
                let hint = match similar::get_close_matches(written.as_str(), known, 1, 0.6).first() {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                self.fault(pointer, format!("`{}` is not known; {hint}", shown(&written)));
                continue;
            };
            if found.iter().any(|(_, before, _)| *before == name) {
                self.fault(pointer, format!("`{name}` is there twice; give it once"));
            } else {
                found.push((pointer, name, node));
            }
        }
        found
    }

    fn wrong_type(&mut self, pointer: String, name: &str, found: &Node, wanted: &str) {
        self.fault(pointer, format!("`{name}` is {}; it must be {wanted}", found.kind()));
    }

    /// Each string is one destination.
    fn destinations(&mut self, pointer: &str, node: Node) -> Vec<String> {
        match node {
            Node::Text(text) => self.destination(pointer.to_owned(), &text).into_iter().collect(),
            Node::List(items) if items.is_empty() => {
                self.fault(pointer.to_owned(), "`to` is empty");
                Vec::new()
            }
            Node::List(items) => {
                let mut found = Vec::new();
                for (n, item) in items.into_iter().enumerate() {
                    let pointer = format!("{pointer}/{n}");
                    match item {
                        Node::Text(text) => found.extend(self.destination(pointer, &text)),
                        other
                        @ (Node::Null | Node::Bool | Node::Number | Node::List(_) | Node::Object(_)) => {
                            self.wrong_type(pointer, "to", &other, "a string")
                        }
                    }
                }
                found
            }
            other @ (Node::Null | Node::Bool | Node::Number | Node::Object(_)) => {
                self.wrong_type(pointer.to_owned(), "to", &other, "a string or an array of strings");
                Vec::new()
            }
        }
    }

    fn destination(&mut self, pointer: String, written: &str) -> Option<String> {
        self.on_a_line(pointer, "to", written)
    }

    /// On one line, trimmed, and not empty.
    fn line(&mut self, pointer: &str, name: &str, node: Node) -> Option<String> {
        let written = self.string(pointer, name, node)?;
        self.on_a_line(pointer.to_owned(), name, &written)
    }

    /// As it is.
    fn string(&mut self, pointer: &str, name: &str, node: Node) -> Option<String> {
        match node {
            Node::Text(text) => Some(text),
            other @ (Node::Null | Node::Bool | Node::Number | Node::List(_) | Node::Object(_)) => {
                self.wrong_type(pointer.to_owned(), name, &other, "a string");
                None
            }
        }
    }

    /// As it is; what reads URLs would mend it.
    fn url(&mut self, pointer: &str, name: &str, node: Node) -> Option<String> {
        let written = self.string(pointer, name, node)?;
        let is_of = |scheme: &&str| {
            written.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
        };
        let is_url = ["http://", "https://"].iter().any(is_of)
            && !written.contains(|c: char| c.is_control() || c.is_whitespace());
        if !is_url {
            let detail =
                format!("`{name}` is no URL of http or https; write it like https://erp.example/told");
            self.fault(pointer.to_owned(), detail);
        }
        is_url.then_some(written)
    }

    fn on_a_line(&mut self, pointer: String, name: &str, written: &str) -> Option<String> {
        if written.contains(char::is_control) {
            self.fault(pointer, format!("`{name}` contains a control character; leave it out"));
        } else if written.trim().is_empty() {
            self.fault(pointer, format!("`{name}` is empty"));
        } else {
            return Some(written.trim().to_owned());
        }
        None
    }

    /// The text, its line ends as LF.
    fn text(&mut self, pointer: &str, node: Node) -> Option<String> {
        let text = match node {
            Node::Text(text) => text.replace("\r\n", "\n").replace('\r', "\n"),
            other @ (Node::Null | Node::Bool | Node::Number | Node::List(_) | Node::Object(_)) => {
                self.wrong_type(pointer.to_owned(), "text", &other, "a string");
                return None;
            }
        };
        if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
            self.fault(pointer.to_owned(), "`text` contains a control character; leave it out");
        } else if text.trim().is_empty() {
            self.fault(pointer.to_owned(), "`text` is empty");
        } else {
            return Some(text);
        }
        None
    }

    fn time(&mut self, pointer: &str, written: &str) -> Option<Timestamp> {
        if !is_rfc3339(written) {
            let detail =
                format!("`{}` is not a time; write it like 2031-01-31T07:30:00+01:00", shown(written));
            self.fault(pointer.to_owned(), detail);
            return None;
        }
        let time = wishes::deliver_at(written);
        self.checked(pointer, time)
    }

    /// In its one spelling.
    fn lane(&mut self, pointer: &str, written: &str) -> Option<Lane> {
        let lane = wishes::lane(self.account, written);
        let lane = lane.and_then(|lane| match lane.as_str() == written {
            true => Ok(lane),
            false => Err(WishError::NoLane(shown(written))),
        });
        self.checked(pointer, lane)
    }
}

/// Whether it has the form of RFC 3339 section 5.6, with nanoseconds at the most. A time without a zone is another one
/// in winter.
fn is_rfc3339(written: &str) -> bool {
    let is = |pattern: &str, octets: &[u8]| {
        let fits = |(pattern, octet): (u8, u8)| match pattern {
            b'0' => octet.is_ascii_digit(),
            other => octet.eq_ignore_ascii_case(&other),
        };
        pattern.len() == octets.len() && pattern.bytes().zip(octets.iter().copied()).all(fits)
    };
    let Some((time, rest)) = written.as_bytes().split_at_checked(19) else { return false };
    let digits = rest.iter().skip(1).take_while(|octet| octet.is_ascii_digit()).count();
    let zone = match rest.first() {
        Some(b'.') if (1..=9).contains(&digits) => &rest[1 + digits..],
        _ => rest,
    };
    is("0000-00-00T00:00:00", time) && (is("Z", zone) || is("+00:00", zone) || is("-00:00", zone))
}

/// A member's name in a pointer that is a fragment (RFC 6901 sections 3 and 6), cut where it is long.
fn token(name: &str) -> String {
    let name: String = name.chars().take(100).collect();
    utf8_percent_encode(&name.replace('~', "~0").replace('/', "~1"), NO_FRAGMENT).to_string()
}

#[cfg(test)]
mod tests;
