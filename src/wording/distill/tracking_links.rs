//! Links that only follow the reader.
//!
//! - A link to a [tracker](super::trackers) goes, with the brackets right around it.
//! - Of a link that wraps another in clear, the other stays.
//! - Of the others, parameters go that only say where the reader came from.
//!
//! A link is `http://` or `https://` and what may stand in one (RFC 3986 section 2), all ASCII, without the
//! punctuation at its end.

use super::edit::Edit;
use super::trackers::{Link, is_tracker, is_tracking_parameter};
use super::unwrap::unwrapped;

/// Most wrappers around one link; with more it stays as it is.
const MAX_WRAPPERS: usize = 5;

/// What goes, in order; empty where there is nothing of the kind.
pub(super) fn edits(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut end = 0;
    let bytes = text.as_bytes();
    // Faster than to look for all of `://`, as most alerts have few slashes.
    for (slash, _) in text.match_indices('/') {
        let Some(at) = slash.checked_sub(1) else { continue };
        if at < end || !bytes[at..].starts_with(b"://") {
            // Inside the link before, or none.
            continue;
        }
        let Some(start) = scheme_start(text, at) else { continue };
        end = start + link_length(&text[start..]);
        let link = &text[start..end];
        match clean(link) {
            Cleaned::AsItIs => {}
            Cleaned::Nothing => {
                let before = start.checked_sub(1).map(|before| bytes[before]);
                let bracketed = matches!(
                    (before, bytes.get(end)),
                    (Some(b'<'), Some(b'>')) | (Some(b'('), Some(b')')) | (Some(b'['), Some(b']'))
                );
                let (start, end) = if bracketed { (start - 1, end + 1) } else { (start, end) };
                edits.push(Edit::cut(start..end));
            }
            Cleaned::Cut(cuts) => {
                edits.extend(cuts.into_iter().map(|cut| Edit::cut(start + cut.start..start + cut.end)));
            }
            Cleaned::Instead(instead) => edits.push(Edit { range: start..end, instead }),
        }
    }
    edits
}

/// What becomes of a link.
enum Cleaned {
    AsItIs,
    Nothing,
    Cut(Vec<std::ops::Range<usize>>),
    Instead(String),
}

fn clean(link: &str) -> Cleaned {
    let mut inner: Option<String> = None;
    for _ in 0..=MAX_WRAPPERS {
        let now = inner.as_deref().unwrap_or(link);
        let Some(parts) = Link::read(now) else { return Cleaned::AsItIs };
        if is_tracker(&parts) {
            return Cleaned::Nothing;
        }
        if let Some(next) = unwrapped(now, &parts) {
            inner = Some(next);
            continue;
        }
        let cuts = tracking_parameters(now);
        return match inner {
            None if cuts.is_empty() => Cleaned::AsItIs,
            None => Cleaned::Cut(cuts),
            Some(mut inner) => {
                for cut in cuts.into_iter().rev() {
                    inner.replace_range(cut, "");
                }
                Cleaned::Instead(inner)
            }
        };
    }
    Cleaned::AsItIs
}

/// Where `http` or `https` begins in front of `://`, if no letter or digit stands before it.
fn scheme_start(text: &str, colon: usize) -> Option<usize> {
    let before = &text.as_bytes()[..colon];
    let ends_with = |scheme: &[u8]| {
        before.len().checked_sub(scheme.len()).filter(|start| before[*start..].eq_ignore_ascii_case(scheme))
    };
    let start = ends_with(b"https").or_else(|| ends_with(b"http"))?;
    let joined = start > 0 && (before[start - 1].is_ascii_alphanumeric() || before[start - 1] == b'_');
    (!joined).then_some(start)
}

/// How long the link is that `text` begins with.
pub(super) fn link_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|byte| !may_stand_in_link(*byte)).unwrap_or(bytes.len());
    let mut link = &bytes[..end];
    let mut open = link.iter().filter(|byte| **byte == b'(').count();
    let mut closed = link.iter().filter(|byte| **byte == b')').count();
    while let Some((last, rest)) = link.split_last() {
        match last {
            b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'*' | b']' | b'[' => {}
            b')' if closed > open => closed -= 1,
            b'(' => open -= 1,
            _ => break,
        }
        link = rest;
    }
    link.len()
}

fn may_stand_in_link(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'`' | b'{' | b'}' | b'|' | b'\\' | b'^')
}

/// The octets of the parameters that go, with the `?` or `&` that goes with them.
fn tracking_parameters(link: &str) -> Vec<std::ops::Range<usize>> {
    let mut cuts: Vec<std::ops::Range<usize>> = Vec::new();
    let end = link.find('#').unwrap_or(link.len());
    let Some(question) = link[..end].find('?') else { return cuts };
    let mut start = question + 1;
    // Whether one stays in front: then the `&` before goes, otherwise the one behind.
    let mut kept = false;
    for parameter in link[start..end].split('&') {
        let behind = start + parameter.len();
        if is_tracking_parameter(parameter.split('=').next().unwrap_or_default()) {
            let cut = if kept { start - 1..behind } else { start..(behind + 1).min(end) };
            match cuts.last_mut() {
                Some(last) if last.end >= cut.start => last.end = cut.end,
                Some(_) | None => cuts.push(cut),
            }
        } else {
            kept = true;
        }
        start = behind + 1;
    }
    if !kept && let [only] = cuts.as_mut_slice() {
        // Nothing stays, so neither does the `?`.
        only.start = question;
    }
    cuts
}

#[cfg(test)]
#[path = "tracking_links_tests.rs"]
mod tests;
