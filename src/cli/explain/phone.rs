//! One SMS as a phone shows it, drawn with box characters, the borders of its parts marked.

use std::fmt;

use unicode_segmentation::UnicodeSegmentation;

/// Columns of text on the drawn screen.
const WIDTH: usize = 32;

/// Draws a phone's screen with the words of each part, every line behind `indent`.
pub(super) struct Phone<'a> {
    pub(super) indent: &'a str,
    pub(super) parts: &'a [String],
}

impl fmt::Display for Phone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { indent, parts } = self;
        writeln!(f, "{indent}┌{}┐", "─".repeat(WIDTH + 2))?;
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                let label = format!("╌ part {} of {} ", n + 1, parts.len());
                let rest = (WIDTH + 2).saturating_sub(label.chars().count());
                writeln!(f, "{indent}├{label}{}┤", "╌".repeat(rest))?;
            }
            // A line end at the border is the border itself.
            let part = part.strip_suffix('\n').filter(|_| n + 1 < parts.len()).unwrap_or(part);
            for row in part.split('\n').flat_map(|paragraph| wrapped(&printable(paragraph))) {
                let blank = WIDTH.saturating_sub(width_of(&row));
                writeln!(f, "{indent}│ {row}{} │", " ".repeat(blank))?;
            }
        }
        write!(f, "{indent}└{}┘", "─".repeat(WIDTH + 2))
    }
}

/// What a terminal must not be sent: control characters of somebody's mail, and those that turn the
/// direction of what follows.
pub(super) fn printable(text: &str) -> String {
    let is_hostile =
        |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if is_hostile(c) { '·' } else { c }).collect()
}

/// Rows of at most [`WIDTH`] columns, broken at blanks where there are some.
fn wrapped(text: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    let mut width = 0;
    for word in text.split_word_bounds() {
        let length = width_of(word);
        if width + length > WIDTH && width > 0 {
            rows.push(std::mem::take(&mut row));
            width = 0;
            if word.trim().is_empty() {
                continue;
            }
        }
        for cluster in word.graphemes(true) {
            let columns = columns(cluster);
            if width + columns > WIDTH {
                rows.push(std::mem::take(&mut row));
                width = 0;
            }
            row.push_str(cluster);
            width += columns;
        }
    }
    rows.push(row);
    rows
}

fn width_of(text: &str) -> usize {
    text.graphemes(true).map(columns).sum()
}

/// Columns of one grapheme cluster on a terminal: a wide character in it makes it wide, and so does the
/// mark that asks for a picture. A simple rule after Unicode Standard Annex 11; terminals differ.
fn columns(cluster: &str) -> usize {
    let wide = |c: char| {
        matches!(c,
            '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{303E}' | '\u{3041}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}'
            | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}'
            | '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F300}'..='\u{1F64F}' | '\u{1F680}'..='\u{1F6FF}'
            | '\u{1F900}'..='\u{1F9FF}' | '\u{20000}'..='\u{3FFFD}' | '\u{FE0F}')
    };
    let is_invisible = |c: char| {
        matches!(c, '\u{AD}' | '\u{300}'..='\u{36F}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{20D0}'..='\u{20FF}'
            | '\u{FE00}'..='\u{FE0E}' | '\u{FEFF}')
    };
    if cluster.contains(wide) { 2 } else { usize::from(!cluster.chars().all(is_invisible)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(parts: &[&str]) -> String {
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        Phone { indent: "", parts: &parts }.to_string()
    }

    #[test]
    fn words_are_wrapped_and_the_borders_of_parts_are_marked() {
        assert_eq!(
            drawn(&["Paper jam in tray 2 of the big printer on the thi", "rd floor\n\u{1b}[2J\u{202E}x"]),
            "\
┌──────────────────────────────────┐
│ Paper jam in tray 2 of the big   │
│ printer on the thi               │
├╌ part 2 of 2 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
│ rd floor                         │
│ ·[2J·x                           │
└──────────────────────────────────┘"
        );
    }

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        assert_eq!(width_of("警報"), 4);
        assert_eq!(width_of("👨‍👩‍👧‍👦🇮🇹❤️"), 6);
        assert_eq!(width_of("e\u{301}\u{200B}x"), 2);
        for row in wrapped(&"警".repeat(40)) {
            assert!(width_of(&row) <= WIDTH);
        }
        assert_eq!(wrapped(&"警".repeat(17)).len(), 2);
        assert_eq!(wrapped(&"警".repeat(16)).len(), 1);
    }

    #[test]
    fn a_word_longer_than_the_screen_is_broken() {
        assert_eq!(wrapped(&"x".repeat(WIDTH + 1)), ["x".repeat(WIDTH), "x".to_owned()]);
        assert_eq!(wrapped(""), [""]);
    }
}
