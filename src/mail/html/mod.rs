//! HTML to text: what a reader sees, in lines.
//!
//! One pass that writes as it reads: markup becomes line breaks and spaces, hidden elements are passed over,
//! and where links end is noted, so that their targets can be put in without reading again. The cost is linear
//! however broken the HTML is.
//!
//! - `scan`: tags, comments and the text between them
//! - `entity`: character references
//! - `style`: what is hidden
//! - `cells`: which cells are open, in tables of tables
//! - `quotes`: which words are another mail's

mod cells;
mod entity;
mod quotes;
mod scan;
mod style;

use cells::Cells;
use quotes::Quotes;
use scan::{Markup, Scanner, Tag};
use style::Look;

/// Longest target of a link that is kept, in characters.
const MAX_TARGET: usize = 2_000;

/// What an HTML text says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its words, without blank lines.
    pub(super) text: String,
    /// The same with the target of each link behind its words, where any is worth it.
    pub(super) with_links: Option<String>,
}

/// The text of an HTML part. Where nothing is shown at all, what its images say; where there is nothing of
/// that either, what it hides.
pub(super) fn to_text(html: &str) -> Shown {
    let shown = Reader::read(html, Wanted::Shown);
    if !shown.text.is_empty() {
        return shown;
    }
    let images = Reader::read(html, Wanted::Images);
    if images.text.is_empty() { Reader::read(html, Wanted::Hidden) } else { images }
}

/// Which of an HTML part's texts is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Shown,
    /// With the alternative texts of images.
    Images,
    /// With what is hidden.
    Hidden,
}

/// What an element does to the lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    /// Starts and ends a line.
    Block,
    /// A list item: a line with a mark in front.
    Item,
    /// A list ends, and with it its last item.
    List,
    /// A line by itself that can be a quoted mail.
    Quote,
    /// Starts and ends a line, and ends the quotes that were begun and not ended in it.
    Division,
    /// Rows of cells.
    Table,
    /// A row of cells.
    Row,
    /// Stands beside others on a line.
    Cell,
    Preformatted,
    Link,
    Image,
    /// Has no content: `<br>` and `<hr>`, which end a line.
    Break,
    /// Has no content and does nothing.
    Void,
    /// All of the mail; hiding it is nobody's intention.
    Whole,
    Inline,
}

fn element(name: &str) -> Element {
    let mut lower = [0; 10];
    let Some(place) = lower.get_mut(..name.len()) else { return Element::Inline };
    place.copy_from_slice(name.as_bytes());
    place.make_ascii_lowercase();
    match &*place {
        b"address" | b"article" | b"aside" | b"center" | b"dd" | b"details" | b"dl" | b"dt" | b"fieldset"
        | b"figcaption" | b"figure" | b"footer" | b"form" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6"
        | b"header" | b"main" | b"nav" | b"p" | b"section" | b"summary" | b"option" => Element::Block,
        b"div" => Element::Division,
        b"blockquote" => Element::Quote,
        b"table" => Element::Table,
        b"tr" => Element::Row,
        b"li" => Element::Item,
        b"ul" | b"ol" | b"dir" | b"menu" => Element::List,
        b"td" | b"th" | b"caption" => Element::Cell,
        b"pre" => Element::Preformatted,
        b"a" => Element::Link,
        b"img" => Element::Image,
        b"br" | b"hr" => Element::Break,
        b"area" | b"base" | b"col" | b"embed" | b"input" | b"link" | b"meta" | b"param" | b"source"
        | b"track" | b"wbr" => Element::Void,
        b"html" | b"body" => Element::Whole,
        _ => Element::Inline,
    }
}

/// What is due in front of the next word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    Space,
    Break,
}

struct Reader<'a> {
    wanted: Wanted,
    text: String,
    line_start: usize,
    pending: Pending,
    /// Characters without width that nothing visible has followed yet.
    padding: String,
    /// A list item whose text has not come yet.
    item: bool,
    /// A cell whose text has not come yet: blocks in it start no line.
    fresh_cell: bool,
    preformatted: bool,
    cells: Cells,
    quotes: Quotes,
    /// The link that is open: where its words start, and its target as written.
    link: Option<(usize, &'a str)>,
    /// Where targets are to be put, and which.
    targets: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn read(html: &'a str, wanted: Wanted) -> Shown {
        let mut reader = Self {
            wanted,
            text: String::with_capacity(html.len() / 2),
            line_start: 0,
            pending: Pending::Nothing,
            padding: String::new(),
            item: false,
            fresh_cell: false,
            preformatted: false,
            cells: Cells::default(),
            quotes: Quotes::default(),
            link: None,
            targets: Vec::new(),
        };
        let mut scanner = Scanner::new(html);
        while let Some((text, markup)) = scanner.next() {
            reader.words(text);
            match markup {
                Markup::Text => reader.words("<"),
                Markup::Nothing => {}
                Markup::Tag(tag) => reader.tag(&tag, &mut scanner),
            }
        }
        reader.words(scanner.rest());
        reader.close_link();
        reader.finish()
    }

    fn finish(self) -> Shown {
        let mut with_links = None;
        if !self.targets.is_empty() {
            let length = self.targets.iter().map(|(_, target)| target.len() + 3).sum::<usize>();
            let mut linked = String::with_capacity(self.text.len() + length);
            let mut from = 0;
            for (at, target) in &self.targets {
                linked.push_str(&self.text[from..*at]);
                linked.push_str(" (");
                linked.push_str(target);
                linked.push(')');
                from = *at;
            }
            linked.push_str(&self.text[from..]);
            with_links = Some(linked);
        }
        Shown { text: self.text, with_links }
    }

    fn tag(&mut self, tag: &Tag<'a>, scanner: &mut Scanner<'a>) {
        let element = element(tag.name);
        self.lay_out(element, tag.closing);
        if tag.closing {
            return;
        }
        if element == Element::Quote && self.quotes.open(tag) {
            self.own_line();
        }
        match element {
            Element::Break | Element::Void | Element::Whole => {}
            Element::Image => {
                if self.wanted == Wanted::Images
                    && let Some((_, alt)) =
                        tag.attributes().find(|(name, _)| name.eq_ignore_ascii_case("alt"))
                {
                    self.space();
                    self.words(alt);
                    self.space();
                }
            }
            Element::Block
            | Element::Item
            | Element::List
            | Element::Quote
            | Element::Division
            | Element::Table
            | Element::Row
            | Element::Cell
            | Element::Preformatted
            | Element::Link
            | Element::Inline => {
                let passed = self.wanted != Wanted::Hidden
                    && match style::look(tag) {
                        Look::Shown => false,
                        Look::Hidden => scanner.skip_element(tag.name, |_| false),
                        Look::Tiny => scanner.skip_element(tag.name, style::has_readable_size),
                    };
                if passed {
                    self.lay_out(element, true);
                } else if element == Element::Link {
                    let href = tag.attributes().find(|(name, _)| name.eq_ignore_ascii_case("href"));
                    self.link = href.map(|(_, target)| (self.text.len(), target));
                }
            }
        }
    }

    /// What the tag of an element does to the lines.
    fn lay_out(&mut self, element: Element, closing: bool) {
        match element {
            Element::Block | Element::Break | Element::Whole => self.line(),
            Element::Quote => {
                self.line();
                if closing && self.quotes.close() {
                    self.own_line();
                }
            }
            Element::Division => {
                self.line();
                if self.quotes.division(closing) {
                    self.own_line();
                }
            }
            Element::Table | Element::Row => {
                self.fresh_cell &= !closing;
                self.line();
                match (element, closing) {
                    (Element::Table, false) => self.cells.open_table(),
                    (Element::Table, true) => self.cells.close_table(),
                    _ => self.cells.row(),
                }
            }
            Element::Item => {
                self.fresh_cell = false;
                self.line();
                self.item = !closing;
            }
            Element::List => {
                self.line();
                self.item &= !closing;
            }
            Element::Cell => {
                let open = self.cells.close_cell();
                if (closing || open.is_some()) && !self.fresh_cell {
                    // What ended a line at the end of a cell does not end it between two of them. But words
                    // beside a cell of several lines are not beside its last one.
                    let several = open.is_some_and(|start| self.line_start > start + 1);
                    self.pending = if several { Pending::Break } else { Pending::Space };
                    self.padding.clear();
                } else {
                    self.space();
                }
                self.fresh_cell = !closing;
                if !closing {
                    self.cells.open_cell(self.text.len());
                }
            }
            Element::Preformatted => {
                self.line();
                self.preformatted = !closing;
            }
            Element::Link => self.close_link(),
            Element::Image | Element::Void | Element::Inline => {}
        }
    }

    fn space(&mut self) {
        self.padding.clear();
        if self.pending == Pending::Nothing {
            self.pending = Pending::Space;
        }
    }

    fn line(&mut self) {
        self.padding.clear();
        if !self.fresh_cell {
            self.pending = Pending::Break;
        }
    }

    /// What comes has another mark than what was there, so it starts a line in a cell too.
    fn own_line(&mut self) {
        self.fresh_cell = false;
        self.line();
    }

    /// Text between markup.
    fn words(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            let plain = rest.bytes().position(|b| b <= b' ' || b == b'&' || b >= 0x7F).unwrap_or(rest.len());
            if plain > 0 {
                self.visible(&rest[..plain]);
                rest = &rest[plain..];
            } else if first == b'&' {
                match entity::read(rest, false) {
                    Some((meaning, length)) => {
                        meaning.chars().for_each(|c| self.character(c));
                        rest = &rest[length..];
                    }
                    None => {
                        self.visible("&");
                        rest = &rest[1..];
                    }
                }
            } else {
                let mut characters = rest.chars();
                if let Some(character) = characters.next() {
                    self.character(character);
                }
                rest = characters.as_str();
            }
        }
    }

    fn character(&mut self, character: char) {
        if character == '\n' && self.preformatted {
            self.line();
        } else if character.is_whitespace() {
            // No-break spaces lay tables out in HTML; on a phone they would only cost the GSM alphabet.
            self.space();
        } else if is_padding(character) {
            self.padding.push(character);
        } else if !character.is_control() {
            self.visible(character.encode_utf8(&mut [0; 4]));
        }
    }

    fn visible(&mut self, text: &str) {
        if self.pending == Pending::Break && self.text.len() > self.line_start {
            self.text.push('\n');
            self.line_start = self.text.len();
        }
        if self.text.len() == self.line_start {
            self.text.push_str(self.quotes.mark());
            if self.item {
                self.text.push_str("- ");
            }
        } else if self.pending == Pending::Space {
            self.text.push(' ');
        } else {
            // Between two characters these are part of a word or an emoji.
            self.text.push_str(&self.padding);
        }
        self.padding.clear();
        self.item = false;
        self.fresh_cell = false;
        self.pending = Pending::Nothing;
        self.text.push_str(text);
    }

    fn close_link(&mut self) {
        let Some((start, written)) = self.link.take() else { return };
        let words = self.text[start..].trim();
        if words.is_empty() {
            return;
        }
        if let Some(target) = target(written)
            && bare(words.trim_start_matches(['>', '-', ' '])) != bare(&target)
        {
            self.targets.push((self.text.len(), target));
        }
    }
}

/// Characters without width, with which senders fill the previews of mail programs.
fn is_padding(character: char) -> bool {
    matches!(character, '\u{AD}' | '\u{34F}' | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}

/// The target of a link, if it is one that leads out of the mail.
fn target(written: &str) -> Option<String> {
    let target: String = entity::decoded(written)
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .take(MAX_TARGET)
        .collect();
    let leads = |scheme: &str| target.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    ["http://", "https://", "mailto:"].into_iter().any(leads).then_some(target)
}

/// An address as far as it tells targets apart: without scheme and slash at the end, in lower case.
fn bare(address: &str) -> String {
    let lower = address.to_ascii_lowercase();
    let schemes = ["http://", "https://", "mailto:"];
    let bare = schemes.iter().find_map(|scheme| lower.strip_prefix(scheme)).unwrap_or(&lower);
    bare.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests;
