//! What is a word of a text and what is only its layout.

/// Fewest rule characters that make a rule.
const MIN_RULE: usize = 3;

/// Whether a reader sees no more than blanks and rules in it. Reads no further than the first word.
pub(super) fn says_nothing(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c) || is_rule(c))
}

/// Characters that lines across the page are drawn with.
pub(super) fn is_rule(c: char) -> bool {
    matches!(c, '-' | '=' | '_' | '*' | '#' | '~' | '+' | '|' | '\u{2010}'..='\u{2015}' | '\u{2500}'..='\u{257f}')
}

/// Characters that nobody sees and that only mean something between two letters. Newsletters pad their
/// previews with them; one alone makes an SMS UCS-2. (Soft hyphen, grapheme joiner, zero width space and
/// non-joiner, word joiner, byte order mark; not the joiner, which emoji are made with.)
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}' | '\u{200c}' | '\u{2060}' | '\u{feff}')
}

/// Whether a line is a rule across the page, or the border of a table: three or more rule characters and
/// nothing else that a reader sees.
pub(super) fn is_rule_line(line: &str) -> bool {
    says_nothing(line) && line.chars().filter(|c| is_rule(*c)).nth(MIN_RULE - 1).is_some()
}

/// The lines of `text` without their LF, and where each begins.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let here = start;
        start += line.len() + 1;
        (here, line)
    })
}
