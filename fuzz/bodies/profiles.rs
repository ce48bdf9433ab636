//! Requests to the APIs of other gateways: which endpoint is meant, what it reads, and how each answer looks.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use sms_relay::config::built_in_profiles;
use sms_relay::http::fuzzing::{Matched, Seen, matched};
use sms_relay::profile::{Endpoint, Outcome, Profile, RecipientWords, Words};

use super::fields::{check_seen, check_sentence};

/// All that are built in, in the order of their names.
static PROFILES: LazyLock<Vec<Arc<Profile>>> = LazyLock::new(|| {
    let built_in = built_in_profiles().unwrap_or_else(|problems| panic!("{problems}"));
    built_in.into_iter().map(Arc::new).collect()
});

/// The input is `METHOD TARGET` on a line, the content type on another, and the body. The endpoint that is found is at
/// the path, takes the method and has its parameters, as many as any other would; the same is found a second time.
/// What it reads is as `fields` has it. Every answer can be written, JSON is JSON, and what a client has sent adds
/// no tag to HTML and XML.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let mut lines = input.splitn(3, |octet| *octet == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let content_type = lines.next().unwrap_or_default();
    let body = lines.next().unwrap_or_default();
    let (method, target) = first.split_once(' ').unwrap_or(("GET", &first));
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let Some(found) = matched(&PROFILES, method, target, content_type, body) else {
        // A target may be a whole URL, and a path be written with percents.
        let is_somewhere = PROFILES.iter().any(|profile| profile.is_at(path));
        // Some of what is printable is no URI.
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/?=&%+,:;._-".contains(&octet);
        let is_request = matches!(method, "GET" | "POST") && target.bytes().all(is_plain);
        assert!(!is_somewhere || !is_request, "{method} {target:?} is nobody's");
        return;
    };
    let again = matched(&PROFILES, method, target, content_type, body);
    let again = again.map(|again| (again.profile.name.clone(), again.seen));
    assert_eq!(again, Some((found.profile.name.clone(), found.seen.clone())), "a second time");
    let Matched { endpoint, seen, .. } = found;
    let takes = match method {
        "GET" => endpoint.methods.get,
        "POST" => endpoint.methods.post,
        _ => false,
    };
    // What is no UTF-8 became a character of three octets above, and counts as these.
    let octets = target.len() + body.len();
    let asked = match &seen {
        Ok(seen) => {
            assert!(takes && is_meant(endpoint, &seen.parameters), "{method} {target:?}");
            check_seen(seen, &endpoint.reading, octets);
            check_others(path, method, seen, endpoint);
            seen.asked.clone()
        }
        Err((outcome, reason)) => {
            check_sentence(reason);
            assert_eq!(*outcome == Outcome::Method, !takes, "{outcome:?} for {method} {target:?}");
            BTreeMap::new()
        }
    };
    check_answers(endpoint, &asked, &String::from_utf8_lossy(input));
}

fn is_meant(endpoint: &Endpoint, parameters: &BTreeMap<String, String>) -> bool {
    endpoint.with.iter().all(|(name, value)| parameters.get(name) == Some(value))
}

/// None that asks for more would have been meant by the same parameters.
fn check_others(path: &str, method: &str, seen: &Seen, endpoint: &Endpoint) {
    let others = PROFILES.iter().flat_map(|profile| &profile.endpoints).filter(|other| {
        let takes = if method == "GET" { other.methods.get } else { other.methods.post };
        // What is read otherwise has other parameters.
        takes && other.is_at(path) && other.reading.body == endpoint.reading.body
    });
    for other in others.filter(|other| other.with.len() > endpoint.with.len()) {
        assert!(!is_meant(other, &seen.parameters), "{:?} is meant", other.with);
    }
}

/// All answers that `endpoint` may give to a request with these parameters, with `hostile` words in them.
fn check_answers(endpoint: &Endpoint, asked: &BTreeMap<String, String>, hostile: &str) {
    for outcome in Outcome::ALL {
        let answer = |word: &str| {
            let one = RecipientWords {
                to: word,
                phone: "+391",
                parts: 2,
                ok: true,
                id: "ID",
                hex: "0a",
                number: 7,
                reason: "",
                state: "sent",
            };
            let other = RecipientWords { to: word, reason: word, ..RecipientWords::default() };
            let recipients = vec![one, other];
            let words = Words {
                id: "ID",
                hex: "0123456789abcdef0123456789abcdef",
                number: 7,
                reason: word,
                state: "sent",
                session: "0a",
                recipients,
                seconds: 1,
                ..Words::of(asked)
            };
            endpoint.answers.reply(outcome, &words).unwrap_or_else(|error| panic!("{outcome:?}: {error}"))
        };
        // Only the outcomes of what it does have an answer.
        let (Some(reply), Some(plain)) = (answer(hostile), answer("x")) else {
            assert!(matches!(outcome, Outcome::Accepted | Outcome::LoggedIn | Outcome::Known), "{outcome:?}");
            continue;
        };
        assert!((200..600).contains(&reply.status));
        assert_eq!((reply.status, &reply.content_type), (plain.status, &plain.content_type));
        let is_of = |kinds: &[&str]| kinds.iter().any(|kind| reply.content_type.starts_with(kind));
        if is_of(&["application/json"]) {
            let value: Result<Value, _> = serde_json::from_str(&reply.body);
            assert!(value.is_ok(), "{outcome:?} is no JSON: {}", reply.body);
        } else if is_of(&["text/html", "text/xml"]) {
            let tags = |body: &str| body.matches(['<', '>']).count();
            assert_eq!(tags(&reply.body), tags(&plain.body), "{outcome:?}: {}", reply.body);
        }
    }
}
