//! The platform's own words, made fit to be shown: short, on one line, without our secrets, and,
//! for people, without phone numbers.

use std::fmt::Write as _;

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::model::Secret;

/// Most characters of the platform's words that are kept.
const MAX_WORDS: usize = 300;
/// A run of this many digits could be somebody's number.
const NUMBER_DIGITS: usize = 7;
/// What stands where something was taken out.
const BLANK: &str = "•••";

/// The fields of an error body that carry words. `data` is the platform's own form; the others are
/// what proxies and frameworks in front of it answer (RFC 9457 among them).
const SPEAKING_FIELDS: [&str; 9] =
    ["data", "reasons", "message", "error", "errors", "title", "detail", "description", "reason"];

/// Secrets that a platform might echo and that nobody may read.
pub(super) struct Blanked(pub(super) Vec<Secret>);

impl Blanked {
    /// `text` without the secrets.
    fn apply(&self, text: String) -> String {
        self.0
            .iter()
            .map(ExposeSecret::expose_secret)
            .filter(|secret| !secret.is_empty())
            .fold(text, |text, secret| text.replace(secret, BLANK))
    }

    /// Several words of the platform as one line.
    pub(super) fn one_line(&self, words: &[String]) -> Option<String> {
        let line = one_line(&self.apply(words.join("; ")));
        (!line.is_empty()).then_some(line)
    }

    /// What an error body says. `None` when it is empty, a web page, or has no words.
    pub(super) fn said(&self, body: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with('<') {
            return None;
        }
        let mut words = Vec::new();
        if let Ok(Value::Object(fields)) = serde_json::from_str(text) {
            for name in SPEAKING_FIELDS {
                if let Some(value) = fields.get(name) {
                    gather(value, &mut words);
                }
            }
        }
        if words.is_empty() {
            words.push(text.to_owned());
        }
        self.one_line(&words)
    }
}

/// Every text below `value`, with the name of its field.
fn gather(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => words.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| gather(value, words)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) => words.push(format!("{name}: {text}")),
                    Value::Array(_) | Value::Object(_) => gather(value, words),
                    Value::Null | Value::Bool(_) | Value::Number(_) => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One line of at most 300 characters: control characters, line separators and characters that
/// turn the writing direction become spaces, and spaces in a row become one.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(|c: char| c.is_whitespace() || unprintable(c)).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
            length += 1;
        }
        for c in word.chars() {
            if length >= MAX_WORDS {
                line.push('…');
                return line;
            }
            line.push(c);
            length += 1;
        }
    }
    line
}

fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` with every run of 7 or more digits taken out, whether or not spaces, dots, dashes,
/// slashes or brackets stand between them.
pub(super) fn without_numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if !c.is_numeric() {
            shown.push(c);
            at += 1;
            continue;
        }
        let (mut digits, mut end, mut ahead) = (0, at, at);
        while let Some(&c) = chars.get(ahead) {
            if c.is_numeric() {
                digits += 1;
                end = ahead + 1;
            } else if !" .-/()\u{a0}".contains(c) {
                break;
            }
            ahead += 1;
        }
        if digits >= NUMBER_DIGITS {
            if shown.ends_with('+') {
                shown.pop();
            }
            shown.push_str(BLANK);
        } else {
            shown.extend(chars.iter().take(end).skip(at));
        }
        at = end;
    }
    shown
}

/// `sentence`, a colon, and `words` without numbers; or the sentence alone.
pub(super) fn sentence(sentence: &str, words: Option<&str>) -> String {
    let mut text = sentence.to_owned();
    if let Some(words) = words {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {}", without_numbers(words));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Option<String> {
        Blanked(vec![Secret::from("hunter2"), Secret::from("")]).said(body.as_bytes())
    }

    #[test]
    fn words_are_found_in_the_platforms_form_and_in_others() {
        for (body, expected) in [
            (
                r#"{"status":"fail","data":{"authentication":"Invalid or missing API key"}}"#,
                "authentication: Invalid or missing API key",
            ),
            (r#"{"message":"invalid destination"}"#, "invalid destination"),
            (r#"{"title":"Bad","detail":"sender","status":400}"#, "Bad; sender"),
            (
                r#"{"errors":[{"field":"body","why":["too long"]},"and more"]}"#,
                "field: body; too long; and more",
            ),
            (r#"{"code":7}"#, r#"{"code":7}"#),
            ("no such\r\nroute\u{0}", "no such route"),
        ] {
            assert_eq!(said(body).as_deref(), Some(expected), "{body}");
        }
        for silent in ["", "  \n", "<html><body>Bad Gateway</body></html>"] {
            assert_eq!(said(silent), None, "{silent}");
        }
    }

    #[test]
    fn an_echoed_secret_is_blanked_before_the_words_are_cut() {
        assert_eq!(said(r#"{"error":"key hunter2 unknown"}"#).as_deref(), Some("key ••• unknown"));
        let long = format!("{}hunter2", "x".repeat(MAX_WORDS - 3));
        assert!(!said(&long).unwrap().contains("hun"));
    }

    #[test]
    fn a_line_has_300_characters_and_no_control_among_them() {
        assert_eq!(one_line(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(one_line(&"é".repeat(301)), format!("{}…", "é".repeat(300)));
        assert_eq!(one_line(" a\r\nSubject: b\t\u{1b}[31mc\u{2028}\u{202e}d "), "a Subject: b [31mc d");
    }

    #[test]
    fn seven_digits_are_a_number_and_six_are_not() {
        for (text, shown) in [
            ("number 123456 is short", "number 123456 is short"),
            ("number 1234567 is wrong", "number ••• is wrong"),
            ("+39 347 123-45.67 is wrong", "••• is wrong"),
            ("(0039) 347/1234567", "(•••"),
            ("22 of 33", "22 of 33"),
            ("٣٩٣٤٧١٢٣", "•••"),
            ("code 7, +393471234567.", "code 7, •••."),
        ] {
            assert_eq!(without_numbers(text), shown);
        }
    }
}
