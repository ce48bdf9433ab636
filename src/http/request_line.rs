//! Request lines of devices that paste a text into a URL as it is.
//!
//! `GET /cgi-bin/sendsms?to=391&text=Pump läuft nicht HTTP/1.0` is no request line (RFC 9112 section 3.2), and the parser
//! refuses it. Where an endpoint asks for it, [`Rewriter`] encodes such a line before the parser sees it. It changes
//! nothing but the target of the first line of a head, and only where all of this holds: the line ends with CR LF, it has no
//! other control octet, it begins with a method that endpoints have, it ends with a version, and its path is that of such an
//! endpoint. Everything else goes on octet by octet, to be judged as anywhere else.
//!
//! The version is what stands last, so that a text may contain ` HTTP/1.1`; lines are where the [`Scanner`] has them, which
//! reads what the parser reads, so that the two can't disagree about where a request begins.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use super::Listener;
use super::framing::{Scanner, Verdict};
use super::server::HEAD_OCTETS;
use crate::profile::Profile;

/// Most octets of a line that are held back to look at it; of a longer one nothing is changed.
const HELD_OCTETS: usize = HEAD_OCTETS;
/// How a line has to begin.
const BEGINNINGS: [&[u8]; 2] = [b"GET /", b"POST /"];
/// How it has to end.
const ENDS: [&[u8]; 2] = [b" HTTP/1.0\r\n", b" HTTP/1.1\r\n"];
/// What no target may contain as it is (RFC 3986 section 3.4), but for `%`, which may be an encoding, and for brackets, which
/// the parser takes. A `#` would end it; nobody sends a fragment, and the text would lose all that follows.
const RAW: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The paths of a listener whose request lines may be raw.
#[derive(Clone, Debug, Default)]
pub(super) struct RawPaths(Arc<[String]>);

impl RawPaths {
    /// Those of all endpoints that ask for it.
    pub(super) fn of<'a>(profiles: impl IntoIterator<Item = &'a Arc<Profile>>) -> Self {
        let endpoints = profiles.into_iter().flat_map(|profile| &profile.endpoints);
        let raw = endpoints.filter(|endpoint| endpoint.reading.raw_request_line);
        Self(raw.flat_map(|endpoint| endpoint.paths.iter().cloned()).collect())
    }

    /// Those of what a listener speaks, `/sms` among it where it is asked by GET.
    pub(super) fn of_listener(listener: &Listener) -> Self {
        Self::of(listener.profiles.iter().chain(listener.allow_get.then_some(&listener.sms)))
    }

    fn has(&self, path: &[u8]) -> bool {
        let path: Cow<'_, [u8]> = percent_decode(path).into();
        self.0.iter().any(|own| own.as_bytes() == path.as_ref())
    }
}

/// Stands between a connection and the parser.
#[derive(Debug)]
pub(super) struct Rewriter {
    paths: RawPaths,
    scanner: Scanner,
    /// A line that may be one to be changed, up to where it has come.
    held: Vec<u8>,
}

impl Rewriter {
    /// At the beginning of a connection.
    pub(super) fn new(paths: RawPaths) -> Self {
        Self { paths, scanner: Scanner::new(), held: Vec::new() }
    }

    /// The scanner alone, where no line is ever changed: then what comes need not go through here.
    pub(super) fn idle(&mut self) -> Option<&mut Scanner> {
        self.paths.0.is_empty().then_some(&mut self.scanner)
    }

    /// Takes what has come, appends what the parser is to see of it to `passed`, and the verdicts on the heads that end
    /// in that to `verdicts`. Less than [`HELD_OCTETS`] are held back.
    pub(super) fn pass(&mut self, mut octets: &[u8], passed: &mut Vec<u8>, verdicts: &mut VecDeque<Verdict>) {
        while let Some((&octet, rest)) = octets.split_first() {
            if self.held.is_empty() && !self.scanner.is_between_requests() {
                let (before, next) = octets.split_at(self.scanner.scan_to_head(octets, verdicts));
                passed.extend_from_slice(before);
                octets = next;
                continue;
            }
            octets = rest;
            self.held.push(octet);
            match fate(&self.held) {
                Fate::Open => {}
                Fate::NotOurs => self.release(passed, verdicts),
                Fate::Whole => {
                    if let Some(line) = encoded(&self.held, &self.paths) {
                        self.held = line;
                    }
                    self.release(passed, verdicts);
                }
            }
        }
    }

    /// Lets go what was held back: nothing more will come.
    pub(super) fn release(&mut self, passed: &mut Vec<u8>, verdicts: &mut VecDeque<Verdict>) {
        let held = take(&mut self.held);
        self.scanner.scan(&held, verdicts);
        passed.extend_from_slice(&held);
    }

    /// Whether everything that was begun has come to its end.
    pub(super) fn is_between_requests(&self) -> bool {
        self.held.is_empty() && self.scanner.is_between_requests()
    }
}

/// What may become of a line that has come this far.
enum Fate {
    /// More of it has to come.
    Open,
    /// It goes on as it is.
    NotOurs,
    /// It is complete and may be changed.
    Whole,
}

/// That of a line of which all but the last octet was open.
fn fate(line: &[u8]) -> Fate {
    let begins = BEGINNINGS.iter().any(|one| one.starts_with(line) || line.starts_with(one));
    let is_whole = line.ends_with(b"\r\n");
    let breaks = match line {
        [.., b'\r', last] => *last != b'\n',
        [.., last] => last.is_ascii_control() && *last != b'\r',
        [] => false,
    };
    match (begins, is_whole, breaks) {
        (true, true, _) => Fate::Whole,
        (true, false, false) if line.len() < HELD_OCTETS => Fate::Open,
        _ => Fate::NotOurs,
    }
}

/// A whole line as the parser takes it; `None` where nothing is to be changed.
fn encoded(line: &[u8], paths: &RawPaths) -> Option<Vec<u8>> {
    let method = line.iter().position(|octet| *octet == b' ')? + 1;
    let end = ENDS.iter().find(|end| line.len() >= method + end.len() && line.ends_with(end))?;
    let target = encoded_target(&line[method..line.len() - end.len()], paths)?;
    Some([&line[..method], target.as_bytes(), end].concat())
}

/// A target without control characters as the parser takes it; `None` where nothing is to be changed.
pub(super) fn encoded_target(target: &[u8], paths: &RawPaths) -> Option<String> {
    let path = target.split(|octet| *octet == b'?').next()?;
    if !paths.has(path) {
        return None;
    }
    match percent_encode(target, RAW).into() {
        Cow::Borrowed(_) => None,
        Cow::Owned(target) => Some(target),
    }
}

#[cfg(test)]
#[path = "request_line_tests.rs"]
mod tests;
