//! Character references (HTML standard section 13.2.5.72), with or without their semicolons.

use encoding_rs::WINDOWS_1252;
use mail_parser::decoders::html::add_html_token;

/// Longest name with its `&` and `;`, in octets.
const MAX_LENGTH: usize = 40;
/// Names that are read without a semicolon, whatever follows; the standard has some more, which nobody writes.
const BARE: [&str; 5] = ["amp", "lt", "gt", "quot", "nbsp"];

/// Reads the reference at the `&` that `text` starts with: what it means, and its length. In attributes an
/// `&` starts a parameter of an address more often than anything else, so there a semicolon must follow.
pub(super) fn read(text: &str, attribute: bool) -> Option<(String, usize)> {
    let bytes = text.as_bytes();
    let numeric = bytes.get(1) == Some(&b'#');
    let start = if numeric { 2 } else { 1 };
    let name = bytes[start..].iter().take(MAX_LENGTH).take_while(|b| b.is_ascii_alphanumeric()).count();
    let end = start + name;
    let closed = bytes.get(end) == Some(&b';');
    if name == 0 || (attribute && !closed) {
        return None;
    }
    if numeric {
        let code = &text[start..end];
        let code = match code.strip_prefix(['x', 'X']) {
            Some(code) => u32::from_str_radix(code, 16),
            None => code.parse(),
        };
        return Some((by_number(code.ok()?).to_string(), end + usize::from(closed)));
    }
    if closed {
        let mut meaning = String::new();
        add_html_token(&mut meaning, &bytes[..=end], false);
        return (!meaning.starts_with('&') || &text[..=end] == "&amp;").then_some((meaning, end + 1));
    }
    let bare = BARE.iter().find(|bare| text[1..end].starts_with(**bare))?;
    let mut meaning = String::new();
    add_html_token(&mut meaning, format!("&{bare};").as_bytes(), false);
    Some((meaning, 1 + bare.len()))
}

/// Text with its references read.
pub(super) fn decoded(attribute: &str) -> String {
    let mut decoded = String::with_capacity(attribute.len());
    let mut rest = attribute;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let (meaning, length) = read(rest, true).unwrap_or_else(|| ("&".to_owned(), 1));
        decoded.push_str(&meaning);
        rest = &rest[length..];
    }
    decoded + rest
}

/// By the standard, numbers from 128 to 159 are octets of windows-1252.
fn by_number(code: u32) -> char {
    match u8::try_from(code) {
        Ok(octet @ 0x80..=0x9F) => {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&octet));
            text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read() {
        for (written, expected) in [
            ("&amp;", Some(("&", 5))),
            ("&egrave;x", Some(("è", 8))),
            ("&#232;", Some(("è", 6))),
            ("&#xE8;", Some(("è", 6))),
            ("&#Xe8 x", Some(("è", 5))),
            ("&#146;", Some(("’", 6))),
            ("&#x80;", Some(("€", 6))),
            ("&#x1F600;", Some(("😀", 9))),
            ("&#xD800;", Some(("\u{FFFD}", 8))),
            ("&nbsp x", Some(("\u{A0}", 5))),
            ("&hellip;", Some(("…", 8))),
            ("&nosuchname;", None),
            ("&egrave", None),
            ("&", None),
            ("&;", None),
            ("&#;", None),
            ("&#x;", None),
            ("&#99999999999;", None),
            ("& b", None),
        ] {
            let found = read(written, false);
            assert_eq!(found.as_ref().map(|(m, n)| (m.as_str(), *n)), expected, "{written}");
        }
        assert_eq!(decoded("https://a.example/?b=1&amp;c=2&copy=3&"), "https://a.example/?b=1&c=2&copy=3&");
    }
}
