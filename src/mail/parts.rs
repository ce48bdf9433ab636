//! The tree of a mail's parts (RFC 2046 section 5.1), in one pass over the lines.
//!
//! Parts are slices of the mail; nothing is decoded here. A missing closing delimiter, at the end
//! or of an inner multipart, ends what it left open. Attached messages are never looked into.
//!
//! The line end in front of a delimiter is the delimiter's (section 5.1.1), and the one at the end of the mail
//! is put there by SMTP: neither is of the part, and both would be a character in UTF-16.

use super::decode::TransferEncoding;
use super::headers::{self, Fields};
use super::parameters::Parameterised;

/// Multiparts deeper than this are opaque.
const MAX_DEPTH: usize = 128;

/// Longest boundary that is made out where none or a wrong one is declared, in octets; 70 are allowed (RFC
/// 2046 section 5.1.1).
const MAX_GUESSED: usize = 200;

/// One part.
pub(super) struct Part<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// The octets behind its headers, still encoded; of a multipart all in front of its first part.
    pub(super) body: &'a [u8],
    /// How they are encoded.
    pub(super) encoding: TransferEncoding,
    /// Its `Content-Type:`; blank where there is none.
    pub(super) content_type: Parameterised<'a>,
    /// Its `Content-Disposition:`; blank where there is none.
    pub(super) disposition: Parameterised<'a>,
    /// Whether it is to be saved and not shown.
    pub(super) attachment: bool,
    /// Whether it is a message because it stands in a digest (RFC 2046 section 5.1.5).
    pub(super) in_digest: bool,
}

impl Part<'_> {
    /// The charset that its fields declare.
    pub(super) fn charset(&self) -> Option<String> {
        self.content_type.token("charset")
    }
}

/// What a part is, as far as the text is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `text/plain`, and everything without a readable type.
    Plain(Flow),
    /// `text/html`.
    Html,
    /// Another type of text, which is read only when there is no other text (RFC 2046 section 4.1.4).
    OtherText {
        /// Whether it is written with tags.
        markup: bool,
    },
    /// JSON or XML: made for programs, and read only when there is nothing else.
    Data,
    /// Something else: no text of ours.
    Opaque,
    /// The last that can be read is meant (section 5.1.4).
    Alternative(Vec<usize>),
    /// A multipart of which no delimiter was found: its boundary is missing or wrong, or its parts
    /// were cut off. What it holds is read only when there is no other text.
    Undivided,
    /// The first text is meant and the others come along: `mixed`, `related` and all others.
    Mixed(Vec<usize>),
}

/// How lines of plain text are to be joined (RFC 3676).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// They stand as they are.
    Fixed,
    /// `format=flowed`: a space at the end of a line joins it with the next.
    Flowed {
        /// `delsp=yes`: that space is not part of the text.
        delete_space: bool,
    },
}

/// The parts of a mail; the first is the mail itself, and multiparts name theirs by index.
pub(super) type Parts<'a> = Vec<Part<'a>>;

/// A multipart whose closing delimiter has not come yet.
struct Level {
    part: usize,
    boundary: Vec<u8>,
    digest: bool,
    /// Whether a delimiter has come yet.
    divided: bool,
    children: Vec<usize>,
}

/// Reads the parts of the mail with these fields and this body.
pub(super) fn read<'a>(fields: &Fields<'a>, body: &'a [u8]) -> Parts<'a> {
    let mut walk = Walk { body, parts: Vec::new(), levels: Vec::new(), open: None };
    walk.begin(fields, 0);
    walk.run()
}

/// Reads the body of a multipart whose boundary is missing or wrong by the one that its parts are divided
/// with, where one can be made out: the first delimiter that has a field of a part behind it.
pub(super) fn read_by_guess(body: &[u8]) -> Option<Parts<'_>> {
    let mut at = 0;
    while at < body.len() {
        let (line, next) = headers::line_at(body, at);
        if let Some(boundary) = line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end)
            && (1..=MAX_GUESSED).contains(&boundary.len())
            && headers::starts_part(headers::line_at(body, next).0)
        {
            let level = Level {
                part: 0,
                boundary: boundary.to_vec(),
                digest: false,
                divided: false,
                children: Vec::new(),
            };
            let (mut root, _) = describe(&Fields::default(), false);
            root.kind = Kind::Mixed(Vec::new());
            return Some(Walk { body, parts: vec![root], levels: vec![level], open: Some((0, 0)) }.run());
        }
        at = next;
    }
    None
}

struct Walk<'a> {
    body: &'a [u8],
    parts: Parts<'a>,
    levels: Vec<Level>,
    /// The part that lines now belong to, and where its body starts.
    open: Option<(usize, usize)>,
}

impl<'a> Walk<'a> {
    /// Reads the parts behind the one that is open.
    fn run(mut self) -> Parts<'a> {
        let body = self.body;
        let mut at = 0;
        while at < body.len() && !self.levels.is_empty() {
            let (line, next) = headers::line_at(body, at);
            match self.delimiter(line) {
                None => at = next,
                Some((depth, end)) => {
                    self.close_to(depth + 1, at);
                    self.levels[depth].divided = true;
                    if end {
                        self.close_to(depth, at);
                        at = next;
                    } else {
                        self.finish_open(at);
                        let section = headers::split(&body[next..], |line| self.delimiter(line).is_some());
                        let fields = section.fields();
                        at = next + section.body;
                        self.begin(&fields, at);
                    }
                }
            }
        }
        self.close_to(0, body.len());
        self.finish_open(body.len());
        self.parts
    }

    /// Which level's delimiter `line` is (innermost first), and whether it closes it.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_prefix(b"--")?.trim_ascii_end();
        let close = line.strip_suffix(b"--");
        self.levels.iter().enumerate().rev().find_map(|(depth, level)| {
            if line == level.boundary {
                Some((depth, false))
            } else {
                (close == Some(level.boundary.as_slice())).then_some((depth, true))
            }
        })
    }

    /// A part begins, its body at `start`.
    fn begin(&mut self, fields: &Fields<'a>, start: usize) {
        let index = self.parts.len();
        let digest = self.levels.last().is_some_and(|level| level.digest);
        if let Some(level) = self.levels.last_mut() {
            level.children.push(index);
        }
        let (part, boundary) = describe(fields, digest);
        if let Some((boundary, digest)) = boundary
            && self.levels.len() < MAX_DEPTH
        {
            self.levels.push(Level { part: index, boundary, digest, divided: false, children: Vec::new() });
        }
        self.parts.push(part);
        self.open = Some((index, start));
    }

    /// The open part's body ends in front of the line at `end`.
    fn finish_open(&mut self, end: usize) {
        if let Some((index, start)) = self.open.take() {
            let body = &self.body[start..end.max(start)];
            let body = body.strip_suffix(b"\n").map_or(body, |body| body.strip_suffix(b"\r").unwrap_or(body));
            self.parts[index].body = body;
        }
    }

    /// Closes all levels from `depth` up.
    fn close_to(&mut self, depth: usize, at: usize) {
        if self.levels.len() <= depth {
            return;
        }
        self.finish_open(at);
        for level in self.levels.drain(depth..) {
            let part = &mut self.parts[level.part];
            if !level.divided {
                part.kind = Kind::Undivided;
            }
            match &mut part.kind {
                Kind::Alternative(children) | Kind::Mixed(children) => {
                    *children = level.children;
                }
                Kind::Plain(_)
                | Kind::Html
                | Kind::OtherText { .. }
                | Kind::Data
                | Kind::Opaque
                | Kind::Undivided => {}
            }
        }
    }
}

/// A part by its fields, and the boundary of a multipart with whether it is a digest.
fn describe<'a>(fields: &Fields<'a>, in_digest: bool) -> (Part<'a>, Option<(Vec<u8>, bool)>) {
    let value = |name: &[u8]| fields.first(name).map(Parameterised::new).unwrap_or_default();
    let content_type = value(b"content-type");
    let disposition = value(b"content-disposition");
    let encoding = fields.first(b"content-transfer-encoding").map(headers::first_word).unwrap_or_default();
    let (main, sub) = content_type.media_type();
    let mut boundary = None;
    let is = |word: &[u8], known: &str| word.eq_ignore_ascii_case(known.as_bytes());
    let kind = if main.is_empty() && in_digest {
        Kind::Opaque
    } else if is(main, "multipart") {
        match content_type.exact("boundary") {
            None => Kind::Undivided,
            Some(value) => {
                boundary = Some((value, is(sub, "digest")));
                if is(sub, "alternative") { Kind::Alternative(Vec::new()) } else { Kind::Mixed(Vec::new()) }
            }
        }
    } else if sub.is_empty() || (is(main, "text") && is(sub, "plain")) {
        // A type that can't be read counts as plain text (RFC 2045 section 5.2).
        Kind::Plain(flow(content_type))
    } else if is(main, "text") {
        text_kind(sub)
    } else if is(main, "application") {
        application_kind(sub)
    } else {
        Kind::Opaque
    };
    let part = Part {
        kind,
        body: &[],
        encoding: TransferEncoding::from_name(encoding),
        content_type,
        disposition,
        attachment: is(disposition.word(), "attachment"),
        in_digest: main.is_empty() && in_digest,
    };
    (part, boundary)
}

/// What a subtype of text that is not plain is to us.
fn text_kind(sub: &[u8]) -> Kind {
    /// Made for programs, not for people.
    const NEVER: [&str; 10] = [
        "calendar",
        "css",
        "directory",
        "ecmascript",
        "javascript",
        "rfc822-headers",
        "rfc822",
        "rtf",
        "vcard",
        "x-vcard",
    ];
    const MARKUP: [&str; 5] = ["enriched", "richtext", "watch-html", "x-amp-html", "xhtml"];
    let is = |known: &&str| sub.eq_ignore_ascii_case(known.as_bytes());
    if is(&"html") {
        Kind::Html
    } else if NEVER.iter().any(is) {
        Kind::Opaque
    } else {
        Kind::OtherText { markup: MARKUP.iter().any(is) }
    }
}

/// What a subtype of application is to us; the ends of names by RFC 6839 and RFC 7303.
fn application_kind(sub: &[u8]) -> Kind {
    let is = |known: &str| sub.eq_ignore_ascii_case(known.as_bytes());
    let ends = |with: &str| {
        let end = sub.len().checked_sub(with.len()).and_then(|start| sub.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(with.as_bytes()))
    };
    if is("xhtml+xml") {
        Kind::OtherText { markup: true }
    } else if is("json") || is("xml") || ends("+json") || ends("+xml") {
        Kind::Data
    } else {
        Kind::Opaque
    }
}

fn flow(content_type: Parameterised<'_>) -> Flow {
    let is = |name: &str, word: &str| {
        content_type.token(name).is_some_and(|value| value.eq_ignore_ascii_case(word))
    };
    if is("format", "flowed") { Flow::Flowed { delete_space: is("delsp", "yes") } } else { Flow::Fixed }
}
