//! Words in a box on a terminal: what may be shown, how wide it is, where it is broken.

use unicode_segmentation::UnicodeSegmentation;

/// What a terminal must not be sent: control characters of somebody's mail, and those that turn the
/// direction of what follows.
pub(super) fn printable(text: &str) -> String {
    let is_hostile =
        |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if is_hostile(c) { '·' } else { c }).collect()
}

/// Rows of at most `most` columns, broken at blanks where there are some.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    let mut width = 0;
    for word in text.split_word_bounds() {
        let length = width_of(word);
        if width + length > most && width > 0 {
            rows.push(std::mem::take(&mut row));
            width = 0;
            if word.trim().is_empty() {
                continue;
            }
        }
        for cluster in word.graphemes(true) {
            let columns = columns(cluster);
            if width + columns > most {
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

/// Columns of a text on a terminal.
pub(super) fn width_of(text: &str) -> usize {
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

    #[test]
    fn a_word_longer_than_a_row_is_broken() {
        assert_eq!(wrapped(&"x".repeat(47), 46), ["x".repeat(46), "x".to_owned()]);
        assert_eq!(wrapped("", 46), [""]);
    }

    #[test]
    fn a_wide_character_takes_two_columns() {
        assert_eq!(wrapped("🔥🔥🔥", 5), ["🔥🔥", "🔥"]);
        assert_eq!(width_of("a🔥日e\u{301}"), 6);
    }
}
