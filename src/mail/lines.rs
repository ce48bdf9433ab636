//! Plain text to lines: LF line ends, nothing at the ends of lines, and the lines of `format=flowed` joined.

use std::borrow::Cow;

/// LF line ends, no white space at the ends of lines, no blank lines at the ends of the text, no NUL.
pub(super) fn tidy(text: &str) -> String {
    let text = if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) };
    let text = text.trim();
    let mut tidy = String::with_capacity(text.len() + 1);
    for line in text.split('\n') {
        // A CR ends a line wherever it stands.
        let line = line.strip_suffix('\r').unwrap_or(line);
        for line in line.split('\r') {
            tidy.push_str(line.trim_end());
            tidy.push('\n');
        }
    }
    tidy.pop();
    tidy
}

/// Joins the lines of a flowed text (RFC 3676 section 4): a line that ends in a space goes on in the
/// next one of the same quote depth, but for the signature separator.
pub(super) fn unflow(text: &str, delete_space: bool) -> String {
    let mut joined = String::with_capacity(text.len());
    // Quote depth of the line that is to go on.
    let mut open = None;
    for line in text.lines() {
        let content = line.trim_start_matches('>');
        let depth = line.len() - content.len();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let separator = content == "-- ";
        if separator || open != Some(depth) {
            if !joined.is_empty() {
                joined.push('\n');
            }
            joined.push_str(&line[..depth]);
            if depth > 0 {
                joined.push(' ');
            }
        }
        let flows = content.ends_with(' ') && !separator;
        joined.push_str(if flows && delete_space { &content[..content.len() - 1] } else { content });
        open = flows.then_some(depth);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowed_lines_are_joined_and_the_others_are_not() {
        for (written, expected) in [
            ("one \r\ntwo\r\nthree", "one two\nthree"),
            ("> quoted \n> on\nown", "> quoted on\nown"),
            ("> quoted \nown", "> quoted \nown"),
            (" >not a quote\n From here", ">not a quote\nFrom here"),
            ("text \n-- \nme", "text \n-- \nme"),
            ("a\n\nb", "a\n\nb"),
        ] {
            assert_eq!(unflow(written, false), expected, "{written:?}");
        }
        assert_eq!(unflow("Wörter \nbuch", true), "Wörterbuch");
    }

    #[test]
    fn line_ends_are_lf_and_white_space_at_ends_goes() {
        assert_eq!(tidy("\r\n\r\n a \t\r\nb\rc\u{A0}\n\nd \r\n \r\n"), "a\nb\nc\n\nd");
        assert_eq!(tidy(" \r\n\0"), "");
    }
}
