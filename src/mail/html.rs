//! HTML to text: what a reader sees, in lines.
//!
//! A pre-pass removes markup and whatever is not shown, and marks where lines break; the library
//! then collapses white space and decodes entities. One pass; what is searched for and is not there
//! is searched for once only, so the cost is linear however broken the HTML is.

use mail_parser::decoders::html::html_to_text;

/// Elements that are not shown, with all that is in them.
const HIDDEN: [&str; 5] = ["script", "style", "template", "title", "xml"];
/// Elements that start and end a line.
const BLOCKS: [&str; 37] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "center",
    "dd",
    "details",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tr",
    "ul",
];
/// Elements next to each other on a line.
const CELLS: [&str; 3] = ["td", "th", "caption"];

/// The text of an HTML part, without blank lines.
pub(super) fn to_text(html: &str) -> String {
    let mut text = String::new();
    for line in html_to_text(&prepare(html)).split('\n') {
        let before = text.len();
        // No-break spaces lay tables out in HTML; on a phone they would only cost the GSM alphabet.
        for word in line.split(|c: char| c.is_whitespace()).filter(|word| !word.is_empty()) {
            if text.len() > before {
                text.push(' ');
            }
            text.push_str(word);
        }
        if text.len() > before {
            text.push('\n');
        }
    }
    text.pop();
    text
}

/// The HTML with `<br>` as its only tag, `<` in text escaped, and line ends inside `pre` as `<br>`.
fn prepare(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut scanner = Scanner {
        rest: html,
        missing: [false; HIDDEN.len()],
        comments_end: true,
        quotes_end: true,
        tags_end: true,
    };
    let mut preformatted = false;
    while let Some(start) = scanner.rest.find('<') {
        push_text(&mut out, &scanner.rest[..start], preformatted);
        scanner.rest = &scanner.rest[start..];
        match scanner.markup() {
            Markup::Text => {
                out.push_str("&lt;");
                scanner.rest = &scanner.rest[1..];
            }
            Markup::Nothing => {}
            Markup::Tag { name, closing } => {
                let is = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(name));
                if is(&BLOCKS) {
                    out.push_str("<br>");
                } else if is(&CELLS) {
                    out.push(' ');
                }
                if is(&["pre"]) {
                    preformatted = !closing;
                }
                if !closing && let Some(hidden) = HIDDEN.iter().position(|h| h.eq_ignore_ascii_case(name)) {
                    scanner.skip_hidden(hidden);
                }
            }
        }
    }
    push_text(&mut out, scanner.rest, preformatted);
    out
}

fn push_text(out: &mut String, text: &str, preformatted: bool) {
    if preformatted {
        for (i, line) in text.split('\n').enumerate() {
            if i > 0 {
                out.push_str("<br>");
            }
            out.push_str(line);
        }
    } else {
        out.push_str(text);
    }
}

/// What stands at a `<`.
enum Markup<'a> {
    /// A `<` that is only a character.
    Text,
    /// A comment or declaration, passed over.
    Nothing,
    /// A tag, passed over.
    Tag { name: &'a str, closing: bool },
}

struct Scanner<'a> {
    rest: &'a str,
    /// Hidden elements whose end was searched for in vain.
    missing: [bool; HIDDEN.len()],
    /// Whether comments are still believed to end in `-->`.
    comments_end: bool,
    /// Whether quotes in tags are still believed to be closed.
    quotes_end: bool,
    /// Whether any `>` is still ahead.
    tags_end: bool,
}

impl<'a> Scanner<'a> {
    /// Reads the markup at the `<` that `rest` starts with, and passes over it unless it is text.
    fn markup(&mut self) -> Markup<'a> {
        let inner = &self.rest[1..];
        if inner.starts_with("!--") && self.comments_end {
            // Searched for from its first hyphen, because `<!-->` is a whole comment.
            match inner[1..].find("-->") {
                Some(end) => {
                    self.rest = &inner[1 + end + 3..];
                    return Markup::Nothing;
                }
                None => self.comments_end = false,
            }
        }
        let (closing, named) = match inner.strip_prefix('/') {
            Some(named) => (true, named),
            None => (false, inner),
        };
        match named.as_bytes().first() {
            Some(b'!' | b'?') => self.declaration(),
            Some(letter) if letter.is_ascii_alphabetic() => self.tag(named, closing),
            Some(_) | None => Markup::Text,
        }
    }

    /// Passes over everything up to the next `>`.
    fn declaration(&mut self) -> Markup<'a> {
        match self.tag_end(self.rest) {
            Some(end) => {
                self.rest = &self.rest[end + 1..];
                Markup::Nothing
            }
            None => Markup::Text,
        }
    }

    fn tag(&mut self, named: &'a str, closing: bool) -> Markup<'a> {
        let length = named.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>' | '<'));
        let name = &named[..length.unwrap_or(named.len())];
        match self.quoted_end(named).or_else(|| self.tag_end(named)) {
            Some(end) => {
                self.rest = &named[end + 1..];
                Markup::Tag { name, closing }
            }
            None => Markup::Text,
        }
    }

    /// The next `>`, wherever it stands.
    fn tag_end(&mut self, tag: &str) -> Option<usize> {
        let end = if self.tags_end { tag.find('>') } else { None };
        self.tags_end = end.is_some();
        end
    }

    /// The `>` that ends a tag, those in quoted attribute values left out.
    fn quoted_end(&mut self, tag: &str) -> Option<usize> {
        if !self.quotes_end {
            return None;
        }
        let mut quote = None;
        let mut last = b' ';
        for (i, byte) in tag.bytes().enumerate() {
            match (quote, byte) {
                (None, b'>') => return Some(i),
                // A quote opens a value only behind `=`; elsewhere it is a stray character.
                (None, b'"' | b'\'') if last == b'=' => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                last = byte;
            }
        }
        self.quotes_end = false;
        None
    }

    /// Passes over the content of the hidden element behind whose start tag `rest` begins. Without an
    /// end tag only the start tag is passed over.
    fn skip_hidden(&mut self, element: usize) {
        if self.missing[element] {
            return;
        }
        let name = HIDDEN[element];
        let mut from = 0;
        while let Some(start) = self.rest[from..].find("</").map(|at| from + at + 2) {
            if self.rest.as_bytes()[start..]
                .get(..name.len())
                .is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
            {
                self.rest = &self.rest[start - 2..];
                return;
            }
            from = start;
        }
        self.missing[element] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_break_lines_as_a_reader_sees_them() {
        for (html, expected) in [
            ("<p>a</p><p>b</p>", "a\nb"),
            ("a<br>b<br/>c<BR clear=\"all\">d", "a\nb\nc\nd"),
            ("<div>a<div>b</div></div>c", "a\nb\nc"),
            ("<ul><li>a<li>b</ul>", "a\nb"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b\nc"),
            ("a <b>b</b><i>c</i>\r\n  d", "a bc d"),
            ("<pre>a\n  b\n</pre>c\nd", "a\nb\nc d"),
            ("<p>\u{A0}</p>a&nbsp;&nbsp;b", "a b"),
            ("&lt;b&gt; &euro; &#232; &#xe8;", "<b> € è è"),
        ] {
            assert_eq!(to_text(html), expected, "{html:?}");
        }
    }

    #[test]
    fn what_is_not_shown_is_left_out() {
        for (html, expected) in [
            ("<head><title>t</title><STYLE>p{}</STYLE ></head>a", "a"),
            ("a<script>if (1 < 2) x('</p>')</script>b", "ab"),
            ("a<!-- <p> -- > -->b<!-->c", "abc"),
            ("<!DOCTYPE html><?xml version=\"1.0\"?><![if !mso]>a<![endif]>", "a"),
            ("<!--[if mso]><p>b</p><![endif]-->a", "a"),
            ("<a title=\"a > b\" href='>'>c</a>", "c"),
        ] {
            assert_eq!(to_text(html), expected, "{html:?}");
        }
    }

    #[test]
    fn broken_html_loses_as_little_as_possible() {
        for (html, expected) in [
            ("1 < 2 and 3 <4", "1 < 2 and 3 <4"),
            ("a <b", "a <b"),
            ("a<!-- never > ends", "a ends"),
            ("a<style>never ends", "anever ends"),
            ("<a title=\"never>ends", "ends"),
            ("<p don't>a</p>", "a"),
            ("</>a<>b", "</>a<>b"),
        ] {
            assert_eq!(to_text(html), expected, "{html:?}");
        }
    }

    /// Each would take minutes if its cost were not linear.
    #[test]
    fn hostile_html_is_read_like_other_html() {
        for piece in [
            "<",
            "<a",
            "<a b=\"",
            "<a b='\">",
            "<!--",
            "<style>",
            "<script></",
            "</",
            "&",
            "&#",
            "<pre>\n",
            "<?",
        ] {
            let html = piece.repeat(1_000_000 / piece.len());
            assert!(to_text(&html).len() <= html.len() * 6, "{piece}");
        }
    }
}
