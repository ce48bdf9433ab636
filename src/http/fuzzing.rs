//! What strangers send, read without a socket: what the checks of `fuzz/` call, and nothing else does.
//!
//! Each function is one that the door calls, with its octets as arguments and its errors as words.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use serde_json::Value;

use super::account::Shown;
use super::body::Format;
use super::fields::Fields;
use super::framing::Scanner;
use super::profiled::{self, at_once};
use super::{Account, Proxies, v1};
use crate::intake::Form;
use crate::profile::{Endpoint, Meaning, Names, Outcome, Profile, Reading};

/// Meanings whose fields stand on one line.
const LINES: [Meaning; 6] =
    [Meaning::From, Meaning::DeliverAt, Meaning::Lane, Meaning::CallbackUrl, Meaning::Session, Meaning::Id];

/// What the fields of a request mean, or the sentences that refuse them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Destinations, as written.
    pub to: Result<Vec<String>, String>,
    /// The text.
    pub text: Result<String, String>,
    /// The other fields.
    pub lines: BTreeMap<Meaning, Result<Option<String>, String>>,
    /// How many credentials are shown: a pair is two.
    pub credentials: Result<usize, String>,
    /// What conditions look at: every name in lower case with its first value.
    pub parameters: BTreeMap<String, String>,
    /// What of it answers may tell.
    pub asked: BTreeMap<String, String>,
}

/// Which endpoint a request is for.
#[derive(Debug)]
pub struct Matched<'a> {
    /// Whose words answer it.
    pub profile: &'a Profile,
    /// That one's endpoint.
    pub endpoint: &'a Endpoint,
    /// Its fields, or what they come to, and why.
    pub seen: Result<Seen, (Outcome, String)>,
}

fn headers(content_type: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers
}

fn seen(fields: &Fields, reading: &Reading) -> Seen {
    let names = &reading.names;
    let line = |meaning| (meaning, fields.line(names, meaning).map_err(|error| error.to_string()));
    Seen {
        to: fields.destinations(reading).map_err(|error| error.to_string()),
        text: fields.text(names).map_err(|error| error.to_string()),
        lines: LINES.into_iter().map(line).collect(),
        credentials: match fields.credential(names) {
            Ok(Shown::Nothing) => Ok(0),
            Ok(Shown::Key(_)) => Ok(1),
            Ok(Shown::Pair(..) | Shown::Unreadable) => Ok(2),
            Err(error) => Err(error.to_string()),
        },
        parameters: fields.parameters(),
        asked: profiled::told_of(fields, names),
    }
}

/// The fields of a query and a body, of which a `content_type` with nothing in it says nothing.
///
/// # Errors
/// Why there are none to be had.
pub fn fields(reading: &Reading, content_type: &[u8], query: &str, body: &[u8]) -> Result<Seen, String> {
    let read = Format::declared(&headers(content_type), reading.body)
        .and_then(|format| at_once(format.fields(Fields::default(), Some(query), body.to_vec(), reading)));
    read.map(|fields| seen(&fields, reading)).map_err(|error| error.to_string())
}

/// Which of `profiles` a request is for; `None` where nothing is at its path, or there is no such path or method.
pub fn matched<'a>(
    profiles: &'a [Arc<Profile>],
    method: &str,
    target: &str,
    content_type: &[u8],
    body: &[u8],
) -> Option<Matched<'a>> {
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    let target: Uri = target.parse().ok()?;
    let at = profiled::at(profiles, target.path());
    let mut query = Fields::default();
    let _ = query.add_form(target.query().unwrap_or_default().as_bytes());
    let likely = profiled::likely(&at, |name| query.parameter(name))?;
    let able = profiled::able(&at, &method);
    let octets = (method != Method::GET).then_some(body);
    let headers = headers(content_type);
    let asked = profiled::Asked { headers: &headers, query: target.query(), octets };
    let (candidate, seen) = if able.is_empty() {
        let failure = profiled::no_method(likely);
        (likely, Err((failure.outcome, failure.reason)))
    } else {
        match at_once(profiled::meant(&able, likely, asked)) {
            Ok((candidate, fields)) => (candidate, Ok(seen(&fields, &candidate.endpoint.reading))),
            Err((candidate, failure)) => (candidate, Err((failure.outcome, failure.reason))),
        }
    };
    Some(Matched { profile: candidate.profile, endpoint: candidate.endpoint, seen })
}

/// Whether a field of this name is never to be told.
pub fn is_private(names: &Names, name: &str) -> bool {
    let private = [Meaning::Username, Meaning::Password, Meaning::ApiKey, Meaning::Session, Meaning::Text];
    names.meaning(name).is_some_and(|meaning| private.contains(&meaning))
}

/// The verdict on each head of a connection that comes in these pieces, and whether it ends between requests.
pub fn heads<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Result<(), String>>, bool) {
    let (mut scanner, mut verdicts) = (Scanner::new(), VecDeque::new());
    for piece in pieces {
        scanner.scan(piece, &mut verdicts);
    }
    let told = verdicts.into_iter().map(|verdict| verdict.map_err(|error| error.to_string()));
    (told.collect(), scanner.is_between_requests())
}

/// Whose a request from `peer` with these lines of the proxies' header is.
///
/// # Errors
/// Why nobody can tell.
pub fn client(proxies: &Proxies, peer: IpAddr, lines: &[&[u8]]) -> Result<IpAddr, String> {
    proxies.client(peer, lines).map_err(|error| error.to_string())
}

/// The messages that a body of `/v1` asks for.
///
/// # Errors
/// The problem details.
pub fn messages(body: &[u8], account: &Account) -> Result<Vec<Form>, Value> {
    v1::wanted_of(body, account)
}

/// The key of a request to `/v1` with these lines of its header; values that no header can have are left out.
///
/// # Errors
/// The sentence that refuses them.
pub fn idempotency_key(values: &[&[u8]]) -> Result<Option<String>, String> {
    let mut headers = HeaderMap::new();
    for value in values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok()) {
        headers.append(HeaderName::from_static("idempotency-key"), value);
    }
    v1::key_of(&headers).map_err(|denial| denial.reason)
}
