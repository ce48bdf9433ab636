//! Blank space that a screen has room for and an SMS has not.
//!
//! - Blanks of any kind (tabs, no-break spaces, wide spaces) in a row become one space; those at either
//!   end of a line go, and so do characters that nobody sees beside them.
//! - Line ends of any kind become one LF; blank lines go.
//! - Rules go: lines of nothing but three or more of `-=_*#~+|`, dashes and box drawing. Those characters
//!   stay in a line with words: a heading in stars, a masked password.
//!
//! A text is words with gaps between them. Words are copied in runs as long as can be, and nothing is copied
//! where no gap changes.

use super::words::{is_invisible, is_rule, is_rule_line};

/// The text without it; `None` where there is none.
pub(super) fn without(text: &str) -> Option<String> {
    let mut kept = String::new();
    // As far as it is copied, or stands between gaps as they should be.
    let mut copied = 0;
    let mut next = Some(Gap::at(text, 0));
    while let Some(gap) = next {
        let instead = gap.instead(text);
        if text[gap.start..gap.end] != *instead {
            if kept.is_empty() {
                kept.reserve(text.len());
            }
            kept.push_str(&text[copied..gap.start]);
            kept.push_str(instead);
            copied = gap.end;
        }
        next = gap_behind(text, gap.end);
    }
    if copied == 0 {
        return None;
    }
    kept.push_str(&text[copied..]);
    Some(kept)
}

/// What stands between two words, or in front of the first or behind the last: blanks, line ends, what nobody
/// sees, and rules.
#[derive(Clone, Copy, Debug)]
struct Gap {
    start: usize,
    end: usize,
    /// Only what nobody sees and that may mean something between two letters.
    is_unseen: bool,
    has_line_end: bool,
}

impl Gap {
    /// The gap that begins here, if any does.
    fn at(text: &str, start: usize) -> Self {
        let mut gap = Self { start, end: start, is_unseen: true, has_line_end: false };
        while let Some(c) = text[gap.end..].chars().next() {
            if c.is_whitespace() {
                gap.is_unseen = false;
                gap.has_line_end |= is_line_end(c);
                gap.end += c.len_utf8();
            } else if is_invisible(c) {
                gap.end += c.len_utf8();
            } else if (gap.has_line_end || start == 0) && is_rule(c) {
                let line = text[gap.end..].split(is_line_end).next().unwrap_or_default();
                if !is_rule_line(line) {
                    break;
                }
                gap.end += line.len();
            } else {
                break;
            }
        }
        gap
    }

    /// What takes its place.
    fn instead(self, text: &str) -> &'static str {
        if self.start == 0 || self.end == text.len() {
            ""
        } else if self.has_line_end {
            "\n"
        } else {
            " "
        }
    }
}

/// The next gap from here on that may not be as it should be.
fn gap_behind(text: &str, mut at: usize) -> Option<Gap> {
    let bytes = text.as_bytes();
    loop {
        at += bytes[at..].iter().position(|byte| BEGINS_GAP[usize::from(*byte)])?;
        let next = bytes.get(at + 1).copied().unwrap_or(b' ');
        let stays = match bytes[at] {
            b' ' => next.is_ascii_graphic(),
            b'\n' => next.is_ascii_graphic() && !is_rule(char::from(next)),
            _ => false,
        };
        if stays {
            at += 2;
            continue;
        }
        let gap = Gap::at(text, at);
        if !gap.is_unseen || gap.end == text.len() {
            return Some(gap);
        }
        // What nobody sees between two letters, or another character after all.
        at = gap.end.max(text.ceil_char_boundary(at + 1));
    }
}

/// Of each octet [`may_begin_gap`]: a look into a table is quicker.
const BEGINS_GAP: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = may_begin_gap(byte as u8);
        byte += 1;
    }
    table
};

/// Whether a character that begins so may be blank or unseen: ASCII but for what is printed, and the first octets
/// of the others.
const fn may_begin_gap(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0xc2 | 0xcd | 0xe1 | 0xe2 | 0xe3 | 0xef)
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_space_shrinks() {
        for (text, kept) in [
            ("a  b", "a b"),
            ("  a\tb \t ", "a b"),
            ("a\n\n\n b\n", "a\nb"),
            ("\r\na\r\n\r\nb\rc", "a\nb\nc"),
            ("Temperatur:\u{a0}31\u{202f}°C", "Temperatur: 31 °C"),
            ("異常\u{3000}\u{3000}発生\u{2028}至急", "異常 発生\n至急"),
            ("Problem\n-----------\nweb1 down\n=====\n", "Problem\nweb1 down"),
            ("a\n* * *\nb\n___\nc\n═══════\nd\n—————\ne", "a\nb\nc\nd\ne"),
            ("+----+----+\n| a  | b  |\n|====|====|\n| 1  | 2  |\n+----+----+", "| a | b |\n| 1 | 2 |"),
            (
                "\u{feff}Offre\u{200c}\u{a0}\u{200c}\u{a0}\u{200c}\nServeur en panne\u{ad}",
                "Offre\nServeur en panne",
            ),
            ("a \u{200b} b\u{34f} c\u{200b}", "a b c"),
        ] {
            assert_eq!(without(text).as_deref(), Some(kept), "{text:?}");
            assert_eq!(without(kept), None, "{kept:?}");
        }
    }

    #[test]
    fn every_blank_is_looked_for() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_whitespace() || is_invisible(*c)) {
            assert!(may_begin_gap(c.to_string().as_bytes()[0]), "{c:?}");
            assert!(without(&format!("a{c} b")).is_some_and(|kept| kept.len() == 3), "{c:?}");
        }
    }

    #[test]
    fn words_stay() {
        for text in [
            "***** Nagios *****\nState: CRITICAL",
            "== Alarm ==",
            "password ****",
            "-----BEGIN CERTIFICATE-----",
            "--\nab\n==",
            "...",
            "- disk full\n- fan off\n+ 3",
            "می‌خواهم",
            "👨‍👩‍👧",
            "ab\u{ad}cd\u{200b}ef",
            "x = y -- z",
            "# 1",
        ] {
            assert_eq!(without(text), None, "{text:?}");
        }
    }
}
