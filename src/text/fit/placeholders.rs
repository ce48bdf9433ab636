//! What the platform will make of a text with placeholders.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Fitting, Keep};

/// More than 255 parts can ever hold: what lies beyond is not put together, so that many short names
/// of long values stay cheap.
const ENOUGH: usize = 1024 * 1024;

/// The text with the values in place of `{name}`; other braces stay. At most as long as the text or
/// [`ENOUGH`], of the end that is kept. Linear.
pub(super) fn replace(text: &str, fitting: &Fitting) -> String {
    let pieces = pieces(text, &fitting.placeholders);
    let enough = text.len().max(ENOUGH);
    let mut left = enough;
    let mut has_room = |piece: &&str| {
        let had_room = left > 0;
        left = left.saturating_sub(piece.len());
        had_room
    };
    match fitting.keep {
        Keep::Start => pieces.into_iter().take_while(&mut has_room).collect(),
        Keep::End => {
            let mut kept: Vec<&str> = pieces.into_iter().rev().take_while(&mut has_room).collect();
            kept.reverse();
            kept.concat()
        }
    }
}

/// A text that is sent with the values in their places, so that the platform finds no name in it any more:
/// `{name}` becomes `(name)`. A name can come about where a value has braces, or where a character between
/// them went. Never longer as SMS, since a brace takes two septets.
pub(super) fn settle(text: String, values: &BTreeMap<String, String>) -> String {
    let mut settled = text;
    let mut from = 0;
    while let Some(name) = name_behind(&settled, from, values) {
        settled.replace_range(name.end - 1..name.end, ")");
        settled.replace_range(name.start..name.start + 1, "(");
        from = name.end;
    }
    settled
}

/// Where the first `{name}` behind `from` stands that the platform would replace.
fn name_behind(text: &str, from: usize, values: &BTreeMap<String, String>) -> Option<Range<usize>> {
    let mut from = from;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let behind = &text[open + 1..];
        let end = behind.find(['{', '}']).unwrap_or(behind.len());
        if behind[end..].starts_with('}') && values.contains_key(&behind[..end]) {
            return Some(open..open + 1 + end + 1);
        }
        from = open + 1;
    }
    None
}

/// What a phone shows of a text that is sent with these values. Linear in the text and what becomes of it.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    pieces(text, values).concat()
}

fn pieces<'a>(text: &'a str, values: &'a BTreeMap<String, String>) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let behind = &rest[open + 1..];
        let name_end = behind.find(['{', '}']).unwrap_or(behind.len());
        let value = behind[name_end..].starts_with('}').then(|| values.get(&behind[..name_end])).flatten();
        match value {
            Some(value) => {
                pieces.push(&rest[..open]);
                pieces.push(value);
                rest = &behind[name_end + 1..];
            }
            None => {
                pieces.push(&rest[..open + 1 + name_end]);
                rest = &behind[name_end..];
            }
        }
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, values: &[(&str, &str)], keep: Keep) -> String {
        let placeholders = values.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        replace(text, &Fitting { placeholders, keep, ..Fitting::in_parts(1) })
    }

    #[test]
    fn names_that_are_known_are_replaced_once_and_other_braces_stay() {
        let values = [("a", "1"), ("b", "{a}"), ("", "empty"), ("long name", "2")];
        for (text, expected) in [
            ("{a}", "1"),
            ("x{a}y{long name}z", "x1y2z"),
            ("{{a}}", "{1}"),
            ("{b} {}", "{a} empty"),
            ("{c} {a {a} } {", "{c} {a 1 } {"),
            ("{{{", "{{{"),
            ("", ""),
        ] {
            assert_eq!(replaced(text, &values, Keep::Start), expected, "{text}");
            assert_eq!(replaced(text, &values, Keep::End), expected, "{text}");
            let owned = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(fill(text, &BTreeMap::from(owned)), expected, "{text}");
        }
    }

    #[test]
    fn what_has_its_values_is_not_filled_in_again() {
        let values = BTreeMap::from([("a".to_owned(), "{b}".to_owned()), ("b".to_owned(), String::new())]);
        for (text, settled) in [("{a}{b}", "(a)(b)"), ("{c} {{a}}", "{c} {(a)}"), ("{a", "{a"), ("", "")] {
            assert_eq!(settle(text.to_owned(), &values), settled);
        }
    }

    #[test]
    fn a_storm_of_long_values_is_not_put_together() {
        let text = format!("start {} end", "{a}".repeat(100_000));
        let value = "x".repeat(10_000);
        let start = replaced(&text, &[("a", &value)], Keep::Start);
        assert!(start.starts_with("start xxx") && start.len() < ENOUGH + value.len());
        let end = replaced(&text, &[("a", &value)], Keep::End);
        assert!(end.ends_with("xxx end") && end.len() < ENOUGH + value.len());
        assert!(replaced(&"{".repeat(10_000_000), &[("a", "")], Keep::Start).len() == 10_000_000);
    }
}
