//! How octets are written: the notation of `tests/smtp/README.md`, with numbers masked where asked.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::model::{AlwaysMasked, SubmissionId};

/// Fewer digits in a row are shown; [`AlwaysMasked`] leaves them alone, too.
const FEWEST_DIGITS: usize = 7;
/// So many separators in a row may stand inside a number, as in `+44 (0) 20`.
const MOST_SEPARATORS: usize = 3;
/// A row of digits and separators that stands at the end of a part is left for the next part, if it has
/// no more octets than this.
pub(super) const LONGEST_ROW: usize = 64;
/// Letters and digits of an id of ours.
const ID: usize = 26;

/// What a backslash is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backslash {
    /// `\\`, as client texts are read back.
    Doubled,
    /// Itself, as server texts are taken as they stand.
    Plain,
}

/// Writes octets behind `text`. In what the server says its ids are no numbers, whatever digits they have: by them the
/// log is searched.
pub(super) fn write(text: &mut String, octets: &[u8], backslash: Backslash, mask_numbers: bool) {
    if !mask_numbers {
        return escape(text, octets, backslash);
    }
    let mut rest = octets;
    while let Some(start) = rest.iter().position(u8::is_ascii_digit) {
        if backslash == Backslash::Plain && is_id(rest, start) {
            escape(text, &rest[..start + ID], backslash);
            rest = &rest[start + ID..];
            continue;
        }
        let row = row(&rest[start..]);
        escape(text, &rest[..start], backslash);
        write_row(text, &rest[start..start + row], backslash);
        rest = &rest[start + row..];
    }
    escape(text, rest, backslash);
}

/// Whether the word that begins there is an id of ours, and not digits only.
fn is_id(octets: &[u8], start: usize) -> bool {
    let is_in_a_word = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
    let Some(word) = octets.get(start..start + ID) else { return false };
    let is_whole = !is_in_a_word(start.checked_sub(1).and_then(|before| octets.get(before)))
        && !is_in_a_word(octets.get(start + ID));
    let is_read = std::str::from_utf8(word).is_ok_and(|word| word.parse::<SubmissionId>().is_ok());
    is_whole && is_read && word.iter().any(u8::is_ascii_uppercase)
}

/// Octets at the end that may be the beginning of a number.
pub(super) fn open_row(octets: &[u8]) -> usize {
    let belongs = |octet: &&u8| octet.is_ascii_digit() || matches!(octet, b' '..=b'/') || !octet.is_ascii();
    let row = octets.iter().rev().take(LONGEST_ROW + 1).take_while(belongs).count();
    if row > LONGEST_ROW { 0 } else { row }
}

/// A row of digits and separators is a number if it has enough digits and is no IPv4 address: rather one
/// date too many than one number too few.
fn write_row(text: &mut String, row: &[u8], backslash: Backslash) {
    let digits = row.iter().filter(|octet| octet.is_ascii_digit()).count();
    match std::str::from_utf8(row) {
        Ok(row) if digits >= FEWEST_DIGITS && row.parse::<Ipv4Addr>().is_err() => {
            // Separators that are not ASCII go, so that the line stays what its reader can type.
            let row: String = row.chars().map(|c| if c.is_ascii() { c } else { ' ' }).collect();
            let _ = write!(text, "{}", AlwaysMasked(&row));
        }
        Ok(_) | Err(_) => escape(text, row, backslash),
    }
}

/// Octets of the row that begins with this digit, up to its last digit.
fn row(octets: &[u8]) -> usize {
    let (mut length, mut at, mut separators) = (0, 0, 0);
    while let Some(octet) = octets.get(at) {
        if octet.is_ascii_digit() {
            at += 1;
            (length, separators) = (at, 0);
        } else if separators < MOST_SEPARATORS
            && let Some(width) = separator(&octets[at..])
        {
            at += width;
            separators += 1;
        } else {
            break;
        }
    }
    length
}

/// Octets of the separator at the start: those that [`crate::model::PhoneNumber::parse`] reads over.
fn separator(octets: &[u8]) -> Option<usize> {
    match octets {
        [b' ' | b'-' | b'.' | b'/' | b'(' | b')', ..] => Some(1),
        // No-break space, narrow no-break space, non-breaking hyphen.
        [0xc2, 0xa0, ..] => Some(2),
        [0xe2, 0x80, 0xaf | 0x91, ..] => Some(3),
        [..] => None,
    }
}

fn escape(text: &mut String, octets: &[u8], backslash: Backslash) {
    for &octet in octets {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\0' => text.push_str("\\0"),
            b'\\' if backslash == Backslash::Doubled => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => {
                let _ = write!(text, "\\x{octet:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(octets: &[u8], mask_numbers: bool) -> String {
        let mut text = String::new();
        write(&mut text, octets, Backslash::Doubled, mask_numbers);
        text
    }

    #[test]
    fn octets_are_written_as_the_dialogues_of_the_tests_are() {
        assert_eq!(written(b"a b~\r\n\0\\{x*3}\t\x7f\xff", false), r"a b~\r\n\0\\{x*3}\x09\x7f\xff");
        assert_eq!(written(&(b' '..=b'Z').collect::<Vec<_>>(), false).len(), 59);
        let mut text = String::new();
        write(&mut text, b"550 a\\b\xc3", Backslash::Plain, false);
        assert_eq!(text, r"550 a\b\xc3");
    }

    #[test]
    fn numbers_are_masked_however_they_are_written() {
        for (number, shown) in [
            ("+393471234567", "+39347•••4567"),
            ("RCPT TO:<00393471234567@sms.local>", "RCPT TO:<00393•••4567@sms.local>"),
            ("p39-347-1234567", "p39-347-•••4567"),
            ("+44 (0) 20 7946 0123.", "+44 (0) 20 ••• 0123."),
            ("1234567", "•••4567"),
            ("123456", "123456"),
            ("+39\u{a0}347\u{202f}1234567", "+39 347 •••4567"),
            ("1234567    7654321", "•••4567    •••4321"),
            ("123   4567", "•••   4567"),
            ("123    4567", "123    4567"),
            ("[192.0.2.70] SIZE=12345", "[192.0.2.70] SIZE=12345"),
            ("192.0.2.700", "1•••..2.700"),
            ("123456\\7", "123456\\\\7"),
        ] {
            assert_eq!(written(number.as_bytes(), true), shown);
        }
        assert_eq!(written(b"+393471234567", false), "+393471234567");
    }

    #[test]
    fn ids_in_what_the_server_says_are_no_numbers() {
        let said = |line: &str| {
            let mut text = String::new();
            write(&mut text, line.as_bytes(), Backslash::Plain, true);
            text
        };
        const ID: &str = "01KAM1234567TSV4RRFFQ69G5F";
        for line in [ID, &format!("250 2.0.0 queued as {ID}"), &format!("({ID}), {ID}-12 <{ID}>")] {
            assert_eq!(said(line), line);
        }
        for (line, shown) in [
            ("01KAM1234567TSV4RRFFQ69G5", "01KAM•••4567TSV4RRFFQ69G5"),
            ("01KAM1234567TSV4RRFFQ69G5FA", "01KAM•••4567TSV4RRFFQ69G5FA"),
            ("x01KAM1234567TSV4RRFFQ69G5F", "x01KAM•••4567TSV4RRFFQ69G5F"),
            ("01KAM1234567TSV4RRFFQ69G5U", "01KAM•••4567TSV4RRFFQ69G5U"),
            ("550 +393471234567", "550 +39347•••4567"),
        ] {
            assert_eq!(said(line), shown);
        }
        assert!(!said(&"01234567".repeat(4)[..26]).contains("1234567"));
        assert!(written(ID.as_bytes(), true).contains("•••"), "what clients say may be anything");
    }

    #[test]
    fn a_row_at_the_end_may_go_on() {
        assert_eq!(open_row(b"call +39 347"), 8);
        assert_eq!(open_row(b"call"), 0);
        assert_eq!(open_row(b""), 0);
        assert_eq!(open_row(&[b"x".as_slice(), &[b'1'; 64]].concat()), 64);
        assert_eq!(open_row(&[b"x".as_slice(), &[b'1'; 65]].concat()), 0);
    }
}
