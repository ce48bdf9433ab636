//! Which parts of a mail are its text (R24): plain text where there is any, otherwise HTML; no
//! attachments, no attached messages.

use super::decode;
use super::html;
use super::parts::{Flow, Kind, Part, Parts};

/// What was found below a part.
enum Found {
    Nothing,
    /// Plain text.
    Plain(String),
    /// Text made from HTML.
    FromHtml(String),
}

/// The text: LF line ends, no white space at the ends of lines or of the text.
pub(super) fn text(parts: &Parts<'_>) -> String {
    match parts.first().map_or(Found::Nothing, |root| find(root, parts)) {
        Found::Nothing => undivided(parts),
        Found::Plain(text) | Found::FromHtml(text) => text,
    }
}

/// Of a mail without text in its parts, the first multipart that has no parts: raw, but what
/// somebody wrote may be in it.
fn undivided(parts: &Parts<'_>) -> String {
    let raw = parts.iter().filter(|part| part.kind == Kind::Undivided && !part.attachment);
    raw.map(|part| tidy(&decoded(part))).find(|text| !text.is_empty()).unwrap_or_default()
}

/// Recursion as deep as the parts, which their walk bounds. Each part is decoded at most once.
fn find(part: &Part<'_>, parts: &Parts<'_>) -> Found {
    if part.attachment {
        return Found::Nothing;
    }
    match &part.kind {
        Kind::Opaque | Kind::Undivided => Found::Nothing,
        Kind::Plain(flow) => {
            let text = match flow {
                Flow::Fixed => tidy(&decoded(part)),
                Flow::Flowed { delete_space } => tidy(&unflow(&decoded(part), *delete_space)),
            };
            if text.is_empty() { Found::Nothing } else { Found::Plain(text) }
        }
        Kind::Html => {
            let text = tidy(&html::to_text(&decoded(part)));
            if text.is_empty() { Found::Nothing } else { Found::FromHtml(text) }
        }
        Kind::Alternative(children) => best(children, parts),
        Kind::Mixed(children) => children
            .iter()
            .map(|&child| find(&parts[child], parts))
            .find(|found| !matches!(found, Found::Nothing))
            .unwrap_or(Found::Nothing),
    }
}

fn decoded(part: &Part<'_>) -> String {
    decode::text(&decode::transfer(part.body, part.encoding), part.charset.as_deref())
}

/// The last plain text; without one, the last text.
fn best(children: &[usize], parts: &Parts<'_>) -> Found {
    let mut from_html = Found::Nothing;
    for &child in children.iter().rev() {
        match find(&parts[child], parts) {
            Found::Nothing => {}
            Found::Plain(text) => return Found::Plain(text),
            Found::FromHtml(text) => {
                if matches!(from_html, Found::Nothing) {
                    from_html = Found::FromHtml(text);
                }
            }
        }
    }
    from_html
}

/// LF line ends, no white space at the ends of lines, no blank lines at the ends of the text.
fn tidy(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let mut tidy = String::with_capacity(text.len());
    for line in text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')) {
        tidy.push_str(line.trim_end());
        tidy.push('\n');
    }
    tidy.pop();
    tidy
}

/// Joins the lines of a flowed text (RFC 3676 section 4): a line that ends in a space goes on in the
/// next one of the same quote depth, but for the signature separator.
fn unflow(text: &str, delete_space: bool) -> String {
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
