//! Links that mail filters and social networks wrap around others, with the target in clear.
//!
//! A target is taken only when it is a whole link by itself: `http` or `https`, and no character that
//! would end it. It is always shorter than its wrapper.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;

use super::trackers::{Link, is_below};
use super::tracking_links::link_length;

/// Hosts (and all below them), the path, and the parameter with the target in percent encoding.
const WRAPPERS: &[(&str, &str, &str)] = &[
    // Microsoft Defender.
    ("safelinks.protection.outlook.com", "/", "url"),
    ("safelinks.protection.office365.us", "/", "url"),
    // Google, in the mails of its services.
    ("www.google.com", "/url", "q"),
    ("www.google.com", "/url", "url"),
    ("google.com", "/url", "q"),
    // Facebook.
    ("l.facebook.com", "/l.php", "u"),
    ("lm.facebook.com", "/l.php", "u"),
    ("l.instagram.com", "/", "u"),
    // Barracuda.
    ("linkprotect.cudasvc.com", "/url", "a"),
    // Slack.
    ("slack-redir.net", "/link", "url"),
];

/// The link inside, if this is a wrapper.
pub(super) fn unwrapped(link: &str, &Link { host, path, query }: &Link<'_>) -> Option<String> {
    let target = if is_below(host, "urldefense.proofpoint.com") && path == "/v2/url" {
        proofpoint_2(query)
    } else if (is_below(host, "urldefense.com") || is_below(host, "urldefense.us"))
        && path.starts_with("/v3/__")
    {
        // Its target may have a query and a fragment of its own.
        proofpoint_3(link.split_once("/v3/__")?.1)
    } else if let Some(rest) = path.strip_prefix("/L0/").or_else(|| path.strip_prefix("/CL0/")) {
        // Amazon, at any host: the target's own slashes are encoded.
        decoded(rest.split('/').next()?)
    } else {
        let wraps = |(domain, at, _): &&(&str, &str, &str)| {
            is_below(host, domain) && path.trim_end_matches('/') == at.trim_end_matches('/')
        };
        WRAPPERS.iter().filter(wraps).find_map(|(_, _, name)| decoded(parameter(query, name)?))
    }?;
    let lower_scheme = target.get(..8)?.to_ascii_lowercase();
    let is_link = lower_scheme.starts_with("http://") || lower_scheme == "https://";
    (is_link && target.len() < link.len() && link_length(&target) == target.len()).then_some(target)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
}

fn decoded(encoded: &str) -> Option<String> {
    percent_decode_str(encoded).decode_utf8().ok().map(Cow::into_owned)
}

/// `-` for `%`, `_` for `/`; what was one of them is encoded.
fn proofpoint_2(query: &str) -> Option<String> {
    decoded(&parameter(query, "u")?.replace('-', "%").replace('_', "/"))
}

/// The target, `__;`, in base64 the characters that stand for its asterisks, `!!` and more.
fn proofpoint_3(rest: &str) -> Option<String> {
    let (target, rest) = rest.rsplit_once("__;")?;
    let (encoded, _) = rest.split_once("!!")?;
    // On the way two slashes sometimes become one.
    let target = match target.split_once(":/") {
        Some((scheme, rest)) if !rest.starts_with('/') => Cow::Owned(format!("{scheme}://{rest}")),
        Some(_) | None => Cow::Borrowed(target),
    };
    if encoded.is_empty() || !target.contains('*') {
        return Some(target.into_owned());
    }
    // Two asterisks and a letter stand for a run of characters; such links stay wrapped.
    if target.contains("**") {
        return None;
    }
    let characters = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok()?).ok()?;
    let mut characters = characters.chars();
    target.chars().map(|c| if c == '*' { characters.next() } else { Some(c) }).collect()
}
