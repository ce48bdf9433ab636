//! Which parts of a mail are its text (R24): plain text where there is any, otherwise HTML; no attachments, no
//! attached messages. The others are what comes along.
//!
//! The text is one part. Only a picture between words is no end of them: Apple's programs write the words
//! above it and those below it as two parts. A second text in any other place is a list's footer or a
//! scanner's banner, and comes along.

use std::borrow::Cow;

use super::attachments::{self, MAX_ATTACHMENTS};
use super::decode;
use super::html::{self, Shown};
use super::lines;
use super::parts::{self, Flow, Kind, Part};
use super::uuencoded;
use super::{Attachment, charset};

/// What a mail says and brings.
#[derive(Default)]
pub(super) struct Content {
    /// LF line ends, no white space at the ends of lines or of the text.
    pub(super) text: String,
    /// The same with the targets of links, where that differs.
    pub(super) text_with_links: Option<String>,
    pub(super) attachments: Vec<Attachment>,
}

/// What the parts hold. A multipart whose boundary is missing or wrong is read once more by the boundary that
/// can be seen in it.
pub(super) fn read(parts: &[Part<'_>]) -> Content {
    let content = read_parts(parts);
    let undivided = parts.first().filter(|root| root.kind == Kind::Undivided && !root.attachment);
    match undivided.and_then(|root| parts::read_by_guess(root.body)) {
        Some(parts) => {
            let guessed = read_parts(&parts);
            if guessed.text.is_empty() { content } else { guessed }
        }
        None => content,
    }
}

fn read_parts(parts: &[Part<'_>]) -> Content {
    let mut reader = Reader { parts, states: vec![State::Unread; parts.len()], files: Vec::new() };
    let found = if parts.is_empty() { None } else { reader.find(0) };
    let found = found.or_else(|| reader.last_resort());
    let mut attachments = Vec::new();
    if let Some(found) = &found {
        reader.states[found.part] = State::Shown;
    }
    if !parts.is_empty() {
        reader.list(0, false, &mut attachments);
    }
    let (text, text_with_links) = found.map_or_else(Default::default, |found| (found.text, found.with_links));
    Content { text, text_with_links, attachments }
}

/// A text that was found.
struct Found {
    text: String,
    with_links: Option<String>,
    /// Whether it was written as plain text.
    plain: bool,
    part: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unread,
    /// It has no text.
    Blank,
    /// It is the text.
    Shown,
}

struct Reader<'p, 'a> {
    parts: &'p [Part<'a>],
    states: Vec<State>,
    /// Files in plain text: in which part, and what.
    files: Vec<(usize, Attachment)>,
}

impl Reader<'_, '_> {
    /// The text below a part. Recursion as deep as the parts, which their walk bounds; each part is decoded
    /// at most once.
    fn find(&mut self, index: usize) -> Option<Found> {
        let part = &self.parts[index];
        if part.attachment {
            return None;
        }
        match &part.kind {
            Kind::OtherText { .. } | Kind::Data | Kind::Opaque | Kind::Undivided => None,
            Kind::Plain(flow) => self.plain(index, *flow),
            Kind::Html => {
                let text = html::to_text(&decoded(part));
                self.marked_up(index, text)
            }
            Kind::Alternative(children) => self.best(children),
            Kind::Mixed(children) => {
                let found = |(i, child): (usize, &usize)| Some((i, self.find(*child)?));
                let (i, mut found) = children.iter().enumerate().find_map(found)?;
                if found.part == children[i] {
                    self.go_on(&mut found, &children[i + 1..]);
                }
                Some(found)
            }
        }
    }

    /// Adds the words below pictures that stand directly behind a text, of the same kind as it is.
    fn go_on(&mut self, found: &mut Found, behind: &[usize]) {
        let parts = self.parts;
        let mut picture = false;
        for &index in behind {
            let part = &parts[index];
            if is_shown_picture(part) {
                picture = true;
                continue;
            }
            let same = std::mem::discriminant(&part.kind) == std::mem::discriminant(&parts[found.part].kind);
            if !picture || !same || part.attachment || attachments::name_of(part).is_some() {
                return;
            }
            picture = false;
            let Some(more) = self.find(index) else { continue };
            if more.plain != found.plain {
                return;
            }
            if found.with_links.is_some() || more.with_links.is_some() {
                let linked = found.with_links.get_or_insert_with(|| found.text.clone());
                linked.push('\n');
                linked.push_str(more.with_links.as_deref().unwrap_or(&more.text));
            }
            found.text.push('\n');
            found.text.push_str(&more.text);
            // Where the whole text is not the one that is wanted, it is another version and not listed either.
            self.states[index] = State::Shown;
        }
    }

    /// The last plain text; without one, the last text. HTML alone is converted only when it is needed.
    fn best(&mut self, children: &[usize]) -> Option<Found> {
        let is_html = |parts: &[Part<'_>], child: usize| parts[child].kind == Kind::Html;
        let mut from_html: Option<(usize, Found)> = None;
        for &child in children.iter().rev().filter(|child| !is_html(self.parts, **child)) {
            match self.find(child) {
                Some(found) if found.plain => return Some(found),
                found => from_html = from_html.or(found.map(|found| (child, found))),
            }
        }
        let last = from_html.as_ref().map(|(child, _)| *child);
        let mut later =
            children.iter().rev().filter(|child| Some(**child) > last && is_html(self.parts, **child));
        later.find_map(|&child| self.find(child)).or(from_html.map(|(_, found)| found))
    }

    fn plain(&mut self, index: usize, flow: Flow) -> Option<Found> {
        let text = decoded(&self.parts[index]);
        // Some senders forget to say that it is HTML.
        if is_html(&text) {
            return self.marked_up(index, html::to_text(&text));
        }
        let files = &mut self.files;
        let text = uuencoded::cut(text, |name| {
            if files.len() < MAX_ATTACHMENTS {
                files.push((index, attachments::uuencoded(name)));
            }
        });
        let text = match flow {
            Flow::Fixed => lines::tidy(&text),
            Flow::Flowed { delete_space } => lines::tidy(&lines::unflow(&text, delete_space)),
        };
        self.found(index, Found { text, with_links: None, plain: true, part: index })
    }

    fn marked_up(&mut self, index: usize, shown: Shown) -> Option<Found> {
        let Shown { text, with_links } = shown;
        self.found(index, Found { text, with_links, plain: false, part: index })
    }

    fn found(&mut self, index: usize, found: Found) -> Option<Found> {
        if found.text.is_empty() {
            self.states[index] = State::Blank;
            return None;
        }
        Some(found)
    }

    /// Of a mail without text in its parts, the first that may be text all the same: an unknown type of text,
    /// or a multipart that has no parts. Raw, but what somebody wrote may be in it. Without these, data that is
    /// the whole mail, or a part that is no file: bridges mail what they were sent.
    fn last_resort(&mut self) -> Option<Found> {
        let parts = self.parts;
        let text = (0..parts.len()).find_map(|index| {
            let part = &parts[index];
            if part.attachment {
                return None;
            }
            match part.kind {
                Kind::OtherText { markup: true } => {
                    let shown = html::to_text(&decoded(part));
                    self.marked_up(index, shown)
                }
                Kind::OtherText { markup: false } | Kind::Undivided => self.plain(index, Flow::Fixed),
                Kind::Plain(_)
                | Kind::Html
                | Kind::Data
                | Kind::Opaque
                | Kind::Alternative(_)
                | Kind::Mixed(_) => None,
            }
        });
        text.or_else(|| {
            let is_text = |index: &usize| {
                let part = &parts[*index];
                part.kind == Kind::Data
                    && !part.attachment
                    && (*index == 0 || attachments::name_of(part).is_none())
            };
            (0..parts.len()).filter(is_text).find_map(|index| self.plain(index, Flow::Fixed))
        })
    }

    /// What is below a part and not shown, in order. Other versions of an alternative are not listed.
    fn list(&self, index: usize, alternative: bool, listed: &mut Vec<Attachment>) {
        if listed.len() >= MAX_ATTACHMENTS {
            return;
        }
        let part = &self.parts[index];
        let files = self.files.iter().filter(|(part, _)| *part == index).map(|(_, file)| file.clone());
        listed.extend(files.take(MAX_ATTACHMENTS - listed.len()));
        let is_listed = match &part.kind {
            _ if part.attachment => true,
            Kind::Alternative(children) | Kind::Mixed(children) => {
                let alternative = alternative || matches!(part.kind, Kind::Alternative(_));
                children.iter().for_each(|&child| self.list(child, alternative, listed));
                false
            }
            Kind::Opaque => true,
            Kind::Data => self.states[index] != State::Shown,
            Kind::Plain(_) | Kind::Html | Kind::OtherText { .. } | Kind::Undivided => {
                !alternative && self.states[index] == State::Unread && !part.body.trim_ascii().is_empty()
            }
        };
        if is_listed && listed.len() < MAX_ATTACHMENTS {
            listed.push(attachments::of_part(part));
        }
    }
}

/// Whether a part is a picture that is shown where it stands.
fn is_shown_picture(part: &Part<'_>) -> bool {
    !part.attachment && part.content_type.media_type().0.eq_ignore_ascii_case(b"image")
}

/// The text of a part in its charset; an HTML text may declare that itself.
fn decoded<'a>(part: &Part<'a>) -> Cow<'a, str> {
    let octets = decode::transfer(part.body, part.encoding);
    let declared = part.charset();
    let charset = if part.kind == Kind::Html && declared.is_none() {
        charset::declared_in_html(&octets)
    } else {
        declared.as_deref()
    };
    match &octets {
        Cow::Borrowed(octets) => charset::text(octets, charset),
        Cow::Owned(octets) => Cow::Owned(charset::text(octets, charset).into_owned()),
    }
}

/// Whether a text is an HTML document.
fn is_html(text: &str) -> bool {
    let text = text.trim_start().as_bytes();
    let starts = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    starts(b"<!doctype html") || starts(b"<html")
}
