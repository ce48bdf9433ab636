//! Markup as it comes: tags, comments and declarations, however broken.
//!
//! What is searched for and is not there is not searched for again behind that place, so the cost of one pass
//! is linear whatever the HTML is. Looking ahead is bounded by a budget of a few times its length.

/// Elements whose content is no markup and is not shown.
const RAW: [&str; 5] = ["script", "style", "template", "title", "xml"];

/// What stands at a `<`.
pub(super) enum Markup<'a> {
    /// A `<` that is only a character.
    Text,
    /// A comment or declaration, passed over.
    Nothing,
    /// A tag, passed over, and with it what is never shown of its element.
    Tag(Tag<'a>),
}

/// A tag.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    /// As written.
    pub(super) name: &'a str,
    pub(super) closing: bool,
    /// What stands behind the name.
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// Names and values as written; the value of one without is blank.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let between = |c: char| c.is_ascii_whitespace() || c == '/';
        let mut rest = self.attributes.trim_start_matches(between);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let mut characters = rest.char_indices().skip(1);
            let end = characters.find(|(_, c)| between(*c) || *c == '=').map_or(rest.len(), |(end, _)| end);
            let name = &rest[..end];
            let behind = rest[end..].trim_ascii_start();
            let Some(written) = behind.strip_prefix('=') else {
                rest = behind.trim_start_matches(between);
                return Some((name, ""));
            };
            let written = written.trim_ascii_start();
            let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (value, after) = match quote {
                Some(quote) => written[1..].split_once(quote).unwrap_or((&written[1..], "")),
                None => {
                    let end = written.find(|c: char| c.is_ascii_whitespace()).unwrap_or(written.len());
                    written.split_at(end)
                }
            };
            rest = after.trim_start_matches(between);
            Some((name, value))
        })
    }
}

/// Reads HTML from its start to its end.
pub(super) struct Scanner<'a> {
    html: &'a str,
    at: usize,
    /// From where on there is no end of a raw element.
    no_raw_end: [usize; RAW.len()],
    /// From where on no comment ends in `-->`.
    no_comment_end: usize,
    /// From where on quotes in tags are not closed.
    no_quote_end: usize,
    /// From where on there is no `>`.
    no_tag_end: usize,
    /// How many octets may still be looked at in vain.
    budget: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        let end = html.len();
        Self {
            html,
            at: 0,
            no_raw_end: [end; RAW.len()],
            no_comment_end: end,
            no_quote_end: end,
            no_tag_end: end,
            budget: end.saturating_mul(2),
        }
    }

    /// The text up to the next `<` or the end, and what stands there.
    pub(super) fn next(&mut self) -> Option<(&'a str, Markup<'a>)> {
        let rest = &self.html[self.at..];
        let start = rest.find('<')?;
        self.at += start;
        let markup = self.markup();
        if matches!(markup, Markup::Text) {
            self.at += 1;
        }
        Some((&rest[..start], markup))
    }

    /// The text behind the last markup.
    pub(super) fn rest(&self) -> &'a str {
        &self.html[self.at..]
    }

    /// Passes over the element whose start tag came last, up to and with its end tag. Without one, or when
    /// `shown` says of a tag inside that it has something to show after all, nothing is passed over.
    pub(super) fn skip_element(&mut self, name: &str, shown: impl Fn(&Tag<'_>) -> bool) -> bool {
        let start = self.at;
        let mut depth = 1_usize;
        while self.at - start < self.budget {
            let before = self.at;
            let Some((text, markup)) = self.next() else { break };
            let Markup::Tag(tag) = markup else { continue };
            // Paragraphs end where the next one starts.
            if !tag.closing && name.eq_ignore_ascii_case("p") && tag.name.eq_ignore_ascii_case("p") {
                self.at = before + text.len();
                return true;
            }
            if !tag.closing && shown(&tag) {
                break;
            }
            if tag.name.eq_ignore_ascii_case(name) {
                depth = if tag.closing { depth - 1 } else { depth + 1 };
                if depth == 0 {
                    return true;
                }
            }
        }
        self.budget = self.budget.saturating_sub((self.at - start).max(1));
        self.at = start;
        false
    }

    /// Reads the markup at the `<` that is next, and passes over it unless it is text.
    fn markup(&mut self) -> Markup<'a> {
        let inner = &self.html[self.at + 1..];
        if inner.starts_with("!--") {
            // Searched for from its first hyphen, because `<!-->` is a whole comment.
            let from = self.at + 2;
            match self.html.get(from..self.no_comment_end).and_then(|ahead| ahead.find("-->")) {
                Some(end) => {
                    self.at = from + end + 3;
                    return Markup::Nothing;
                }
                None => self.no_comment_end = self.no_comment_end.min(from),
            }
        }
        let (closing, named) = match inner.strip_prefix('/') {
            Some(named) => (true, named),
            None => (false, inner),
        };
        match named.as_bytes().first() {
            Some(b'!' | b'?') => match self.tag_end(self.at) {
                Some(end) => {
                    self.at = end + 1;
                    Markup::Nothing
                }
                None => Markup::Text,
            },
            Some(letter) if letter.is_ascii_alphabetic() => self.tag(named, closing),
            Some(_) | None => Markup::Text,
        }
    }

    fn tag(&mut self, named: &'a str, closing: bool) -> Markup<'a> {
        let start = self.html.len() - named.len();
        let length = named.bytes().position(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>' | b'<'));
        let length = length.unwrap_or(named.len());
        let Some(end) = self.quoted_end(start).or_else(|| self.tag_end(start)) else { return Markup::Text };
        self.at = end + 1;
        let name = &named[..length];
        if !closing && let Some(raw) = RAW.iter().position(|raw| raw.eq_ignore_ascii_case(name)) {
            self.skip_raw(raw);
        }
        Markup::Tag(Tag { name, closing, attributes: self.html.get(start + length..end).unwrap_or_default() })
    }

    /// The next `>`, wherever it stands.
    fn tag_end(&mut self, from: usize) -> Option<usize> {
        let ahead = self.html.get(from..self.no_tag_end);
        let end = ahead.and_then(|ahead| ahead.find('>')).map(|end| from + end);
        if end.is_none() {
            self.no_tag_end = self.no_tag_end.min(from);
        }
        end
    }

    /// The `>` that ends a tag, those in quoted attribute values left out.
    fn quoted_end(&mut self, from: usize) -> Option<usize> {
        let mut quote = None;
        let mut last = b' ';
        let ahead = self.html.as_bytes().get(from..self.no_quote_end).unwrap_or_default();
        for (i, &byte) in ahead.iter().enumerate() {
            match (quote, byte) {
                (None, b'>') => return Some(from + i),
                // A quote opens a value only behind `=`; elsewhere it is a stray character.
                (None, b'"' | b'\'') if last == b'=' => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                last = byte;
            }
        }
        self.no_quote_end = self.no_quote_end.min(from);
        None
    }

    /// Passes over the content of the raw element whose start tag came last. Without an end tag only the
    /// start tag is passed over.
    fn skip_raw(&mut self, raw: usize) {
        let name = RAW[raw].as_bytes();
        let ahead = self.html.as_bytes().get(self.at..self.no_raw_end[raw]).unwrap_or_default();
        let mut from = 0;
        while let Some(start) =
            ahead[from..].windows(2).position(|pair| pair == b"</").map(|at| from + at + 2)
        {
            if ahead[start..].get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
                self.at += start - 2;
                return;
            }
            from = start;
        }
        self.no_raw_end[raw] = self.no_raw_end[raw].min(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_however_they_are_written() {
        let all = |html: &'static str| {
            let mut scanner = Scanner::new(html);
            let Some((_, Markup::Tag(tag))) = scanner.next() else { panic!("{html}") };
            tag.attributes().collect::<Vec<_>>()
        };
        assert_eq!(
            all("<a href=x title = 'a > b' hidden data-x=\"\"/>"),
            [("href", "x"), ("title", "a > b"), ("hidden", ""), ("data-x", "")]
        );
        assert_eq!(all("<a/b=c>"), [("b", "c")]);
        assert_eq!(all("<a =x è='y'>").last(), Some(&("è", "y")));
        assert_eq!(all("<a>"), []);
        assert_eq!(all("<a b=\"never>"), [("b", "never")]);
    }
}
