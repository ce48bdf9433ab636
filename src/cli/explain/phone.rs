//! One SMS as a phone shows it, drawn with box characters, the borders of its parts marked.

use std::fmt;

use crate::cli::drawing::{printable, width_of, wrapped};

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
            for row in part.split('\n').flat_map(|paragraph| wrapped(&printable(paragraph), WIDTH)) {
                let blank = WIDTH.saturating_sub(width_of(&row));
                writeln!(f, "{indent}│ {row}{} │", " ".repeat(blank))?;
            }
        }
        write!(f, "{indent}└{}┘", "─".repeat(WIDTH + 2))
    }
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
        for row in wrapped(&"警".repeat(40), WIDTH) {
            assert!(width_of(&row) <= WIDTH);
        }
        assert_eq!(wrapped(&"警".repeat(17), WIDTH).len(), 2);
        assert_eq!(wrapped(&"警".repeat(16), WIDTH).len(), 1);
    }

    #[test]
    fn a_word_longer_than_the_screen_is_broken() {
        assert_eq!(wrapped(&"x".repeat(WIDTH + 1), WIDTH), ["x".repeat(WIDTH), "x".to_owned()]);
        assert_eq!(wrapped("", WIDTH), [""]);
    }
}
