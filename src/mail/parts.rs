//! The tree of a mail's parts (RFC 2046 section 5.1), in one pass over the lines.
//!
//! Parts are slices of the mail; nothing is decoded here. A missing closing delimiter, at the end
//! or of an inner multipart, ends what it left open. Attached messages are never looked into.

use super::decode::TransferEncoding;
use super::headers::{self, Fields};

/// Multiparts deeper than this are opaque.
const MAX_DEPTH: usize = 128;

/// One part.
pub(super) struct Part<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// The octets behind its headers, still encoded; of a multipart all in front of its first part.
    pub(super) body: &'a [u8],
    /// How they are encoded.
    pub(super) encoding: TransferEncoding,
    /// Declared charset.
    pub(super) charset: Option<String>,
    /// Whether it is to be saved and not shown.
    pub(super) attachment: bool,
}

/// What a part is, as far as the text is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `text/plain`, and everything without a readable type.
    Plain(Flow),
    /// `text/html`.
    Html,
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
pub(super) fn read<'a>(fields: &Fields<'_>, body: &'a [u8]) -> Parts<'a> {
    let mut walk = Walk { body, parts: Vec::new(), levels: Vec::new(), open: None };
    let mut at = 0;
    walk.begin(fields, 0);
    while at < body.len() {
        let (line, next) = headers::line_at(body, at);
        match walk.delimiter(line) {
            None => at = next,
            Some((depth, end)) => {
                walk.close_to(depth + 1, at);
                walk.levels[depth].divided = true;
                if end {
                    walk.close_to(depth, at);
                    at = next;
                } else {
                    walk.finish_open(at);
                    let section = headers::split(&body[next..], |line| walk.delimiter(line).is_some());
                    let fields = section.fields();
                    at = next + section.body;
                    walk.begin(&fields, at);
                }
            }
        }
    }
    walk.close_to(0, body.len());
    walk.finish_open(body.len());
    walk.parts
}

struct Walk<'a> {
    body: &'a [u8],
    parts: Parts<'a>,
    levels: Vec<Level>,
    /// The part that lines now belong to, and where its body starts.
    open: Option<(usize, usize)>,
}

impl Walk<'_> {
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
    fn begin(&mut self, fields: &Fields<'_>, start: usize) {
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
            self.parts[index].body = &self.body[start..end.max(start)];
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
                Kind::Plain(_) | Kind::Html | Kind::Opaque | Kind::Undivided => {}
            }
        }
    }
}

/// A part by its fields, and the boundary of a multipart with whether it is a digest.
fn describe<'a>(fields: &Fields<'_>, in_digest: bool) -> (Part<'a>, Option<(Vec<u8>, bool)>) {
    let declared = fields.first(b"content-type").and_then(headers::content_type);
    let encoding = fields.first(b"content-transfer-encoding").map(headers::first_word);
    let disposition = fields.first(b"content-disposition").map(headers::first_word);
    let mut part = Part {
        kind: if in_digest { Kind::Opaque } else { Kind::Plain(Flow::Fixed) },
        body: &[],
        encoding: encoding.map_or(TransferEncoding::Identity, |name| TransferEncoding::from_name(&name)),
        charset: None,
        attachment: disposition.is_some_and(|word| word == "attachment"),
    };
    let Some(declared) = declared else { return (part, None) };
    let attribute = |name: &str| declared.attribute(name).filter(|value| !value.is_empty());
    part.charset = attribute("charset").map(str::to_owned);
    let lower = |text: Option<&str>| text.unwrap_or_default().to_ascii_lowercase();
    let (main, sub) = (lower(Some(declared.ctype())), lower(declared.subtype()));
    let mut boundary = None;
    part.kind = match (main.as_str(), sub.as_str()) {
        ("text", "html") => Kind::Html,
        // A type that can't be read counts as plain text (RFC 2045 section 5.2).
        ("text", "plain") | (_, "") if main != "multipart" => {
            Kind::Plain(flow(attribute("format"), attribute("delsp")))
        }
        ("multipart", _) => match attribute("boundary") {
            None => Kind::Undivided,
            Some(value) => {
                boundary = Some((value.trim_end().as_bytes().to_vec(), sub == "digest"));
                match sub.as_str() {
                    "alternative" => Kind::Alternative(Vec::new()),
                    _ => Kind::Mixed(Vec::new()),
                }
            }
        },
        _ => Kind::Opaque,
    };
    (part, boundary)
}

fn flow(format: Option<&str>, delsp: Option<&str>) -> Flow {
    let is = |value: Option<&str>, word: &str| value.is_some_and(|v| v.eq_ignore_ascii_case(word));
    if is(format, "flowed") { Flow::Flowed { delete_space: is(delsp, "yes") } } else { Flow::Fixed }
}
