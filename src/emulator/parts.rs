//! The platform's own count of parts, written apart from the relay's `text` module so that each
//! checks the other.
//!
//! GSM 7-bit (3GPP TS 23.038 clause 6.2.1) holds 160 septets alone and 153 in each of several
//! parts, UCS-2 70 and 67 units. Neither an escape sequence nor a surrogate pair is split over
//! two parts, so a part may end one unit early. A User Data Header given by the client is not
//! subtracted.

use crate::model::Encoding;

/// How a text travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) encoding: Encoding,
    /// At least 1.
    pub(super) parts: u32,
}

/// Septets of a character in the GSM alphabet; 0 when it is not there.
fn septets(c: char) -> usize {
    match c {
        'A'..='Z' | 'a'..='z' | '0'..='9' => 1,
        ' ' | '!' | '"' | '#' | '$' | '%' | '&' | '\'' | '(' | ')' | '*' | '+' | ',' | '-' | '.' | '/' => 1,
        ':' | ';' | '<' | '=' | '>' | '?' | '@' | '_' | '\n' | '\r' => 1,
        'à' | 'è' | 'é' | 'ì' | 'ò' | 'ù' | 'Ç' | 'É' => 1,
        'Ä' | 'Ö' | 'Ü' | 'ä' | 'ö' | 'ü' | 'ß' | 'Å' | 'å' | 'Æ' | 'æ' | 'Ø' | 'ø' | 'Ñ' | 'ñ' => {
            1
        }
        '£' | '¥' | '¤' | '§' | '¡' | '¿' => 1,
        'Γ' | 'Δ' | 'Θ' | 'Λ' | 'Ξ' | 'Π' | 'Σ' | 'Φ' | 'Ψ' | 'Ω' => 1,
        '^' | '{' | '}' | '[' | ']' | '\\' | '~' | '|' | '€' | '\u{c}' => 2,
        _ => 0,
    }
}

/// Units of a character in `encoding`.
fn units(c: char, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Gsm7 => septets(c),
        Encoding::Ucs2 => c.len_utf16(),
    }
}

/// Room in a single part and in each of several.
fn room(encoding: Encoding) -> (usize, usize) {
    match encoding {
        Encoding::Gsm7 => (160, 153),
        Encoding::Ucs2 => (70, 67),
    }
}

fn encoding_of(text: &str) -> Encoding {
    if text.chars().all(|c| septets(c) > 0) { Encoding::Gsm7 } else { Encoding::Ucs2 }
}

/// Encoding and number of parts of `text`.
pub(super) fn count(text: &str) -> Count {
    let encoding = encoding_of(text);
    let (alone, each) = room(encoding);
    let total: usize = text.chars().map(|c| units(c, encoding)).sum();
    if total <= alone {
        return Count { encoding, parts: 1 };
    }
    let (mut parts, mut used) = (1, 0);
    for c in text.chars() {
        let wanted = units(c, encoding);
        if used + wanted > each {
            parts += 1;
            used = 0;
        }
        used += wanted;
    }
    Count { encoding, parts }
}

/// What fits into one part: the legacy API without `enableConcatenated`.
pub(super) fn first_part(text: &str) -> &str {
    let encoding = encoding_of(text);
    let (alone, _) = room(encoding);
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += units(c, encoding);
        if used > alone {
            return &text[..at];
        }
    }
    text
}

/// Every character outside the GSM alphabet as `?`: the legacy API without `enableUnicode`.
pub(super) fn without_unicode(text: &str) -> String {
    text.chars().map(|c| if septets(c) > 0 { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> (&'static str, u32) {
        let count = count(text);
        (count.encoding.as_str(), count.parts)
    }

    #[test]
    fn the_alphabet_has_127_characters_and_10_in_its_extension() {
        let all = || (0..=0x10ffff).filter_map(char::from_u32);
        assert_eq!(all().filter(|c| septets(*c) == 1).count(), 127);
        assert_eq!(all().filter(|c| septets(*c) == 2).count(), 10);
        for outside in ['ç', '`', '\t', '’', 'Á', '\u{1b}'] {
            assert_eq!(septets(outside), 0, "{outside:?}");
        }
    }

    #[test]
    fn parts_change_at_the_documented_lengths() {
        for (letter, encoding, limits) in [("a", "gsm7", [160, 306, 459]), ("ж", "ucs2", [70, 134, 201])] {
            for (parts, limit) in (1..).zip(limits) {
                assert_eq!(counted(&letter.repeat(limit)), (encoding, parts));
                assert_eq!(counted(&letter.repeat(limit + 1)), (encoding, parts + 1));
            }
        }
        assert_eq!(counted(""), ("gsm7", 1));
    }

    #[test]
    fn pairs_are_never_split_over_two_parts() {
        assert_eq!(counted(&"€".repeat(80)), ("gsm7", 1));
        // 76 pairs a part, for 153 is odd: 153 pairs need a third part.
        assert_eq!(counted(&"€".repeat(152)), ("gsm7", 2));
        assert_eq!(counted(&"€".repeat(153)), ("gsm7", 3));
        assert_eq!(counted(&"🎉".repeat(35)), ("ucs2", 1));
        assert_eq!(counted(&"🎉".repeat(66)), ("ucs2", 2));
        assert_eq!(counted(&"🎉".repeat(67)), ("ucs2", 3));
    }

    #[test]
    fn a_cut_text_is_one_part_and_loses_no_half_character() {
        assert_eq!(first_part("short"), "short");
        assert_eq!(first_part(&"a".repeat(161)), "a".repeat(160));
        assert_eq!(first_part(&format!("{}€", "a".repeat(159))), "a".repeat(159));
        assert_eq!(first_part(&"🎉".repeat(36)), "🎉".repeat(35));
        assert_eq!(without_unicode("è ж 🎉"), "è ? ?");
    }
}
