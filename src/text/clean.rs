//! The characters that phones should not get, and the one way of writing those that have several.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The text as phones should get it, in Unicode's normalization form C (so that `e` and a combining
/// acute accent become the `é` that the GSM alphabet has).
///
/// CR LF and CR become LF, and so do the line and paragraph separators; every other control
/// character, tab and NUL among them, becomes a space; soft hyphens, zero-width spaces, word joiners
/// and byte-order marks, which show nothing and make an SMS UCS-2, go; white space at both ends goes.
/// Linear, and without a copy where nothing is to be done.
pub fn clean(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || shows_nothing(c));
    scrub(trimmed)
}

/// As [`clean`], with the white space at both ends.
pub(super) fn scrub(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n')) {
        return Cow::Borrowed(text);
    }
    let wrong =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}') || shows_nothing(c);
    let text = if text.contains(wrong) { Cow::Owned(without_controls(text)) } else { Cow::Borrowed(text) };
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return text;
    }
    // Sorts each run of combining marks, however long: no worse than n log n.
    Cow::Owned(text.nfc().collect())
}

fn without_controls(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut after_cr = false;
    for character in text.chars() {
        match character {
            c if shows_nothing(c) => continue,
            '\n' if after_cr => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            c if c.is_control() => clean.push(' '),
            c => clean.push(c),
        }
        after_cr = character == '\r';
    }
    clean
}

/// Soft hyphen, zero-width space, word joiner, byte-order mark. The zero-width joiner and non-joiner
/// stay: they shape letters and emoji.
fn shows_nothing(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_lf_and_other_controls_spaces() {
        assert_eq!(clean("a\r\nb\rc\n\nd\r\r\ne"), "a\nb\nc\n\nd\n\ne");
        assert_eq!(clean("a\0b\tc\u{0C}d\u{85}e\u{7F}f\u{1B}g"), "a b c d e f g");
        assert_eq!(clean("a\u{2028}b\u{2029}c"), "a\nb\nc");
        assert_eq!(clean("\r\n a \n b \r\n\0 "), "a \n b");
        assert!(matches!(clean("plain\ntext "), Cow::Borrowed("plain\ntext")));
        assert!(matches!(clean("città ж"), Cow::Borrowed("città ж")));
    }

    #[test]
    fn what_shows_nothing_goes_and_joiners_stay() {
        assert_eq!(clean("Zu\u{AD}sam\u{AD}men\u{200B}hang\u{2060}"), "Zusammenhang");
        assert_eq!(clean("\u{FEFF} a \u{200B} "), "a");
        assert_eq!(clean("a\r\u{FEFF}\nb"), "a\nb");
        assert_eq!(clean("\u{200B}\u{FEFF}"), "");
        for text in ["می\u{200C}خواهم", "👩\u{200D}🔧", "\u{202B}عربي\u{202C}", "a\u{200E}b"] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn letters_and_accents_become_one_character() {
        assert_eq!(clean("perche\u{301} no"), "perché no");
        assert_eq!(clean("e\u{200B}\u{301}"), "é", "what stood between them is gone first");
        assert_eq!(clean("10 \u{2126}, \u{212B}"), "10 Ω, Å");
        assert_eq!(clean("x\u{301}"), "x\u{301}", "there is no such letter");
    }

    #[test]
    fn a_megabyte_of_marks_costs_what_a_megabyte_costs() {
        for marks in ["\u{301}", "\u{316}\u{301}", "\u{301}\u{316}"] {
            let text = format!("e{}", marks.repeat(500_000 / marks.len()));
            assert_eq!(clean(&text).chars().count(), text.chars().count() - 1, "an é and the other marks");
        }
    }
}
