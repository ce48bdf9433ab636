//! Octets to header section, fields and body (RFC 5322 section 2), and the fields that matter.
//!
//! Lenient as senders are: LF alone ends a line, the blank line behind the headers may be missing,
//! and so may the headers.

use std::borrow::Cow;

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

use super::parameters::Parameterised;
use super::{Automatic, HeaderSender, charset, words};
use crate::model::MailAddress;

/// Longest field in octets that is handed to the library's field parsers, whose cost is not always
/// linear; of a longer one only so much is read.
const MAX_PARSED_FIELD: usize = 4 * 1024;
/// Longest `Message-ID:` that is kept: what a line may hold (RFC 5322 section 2.1.1).
const MAX_MESSAGE_ID: usize = 998;

/// Fields by which a header section is told from a text that only looks like one.
const KNOWN: [&[u8]; 22] = [
    b"auto-submitted",
    b"bcc",
    b"cc",
    b"content-disposition",
    b"content-transfer-encoding",
    b"content-type",
    b"date",
    b"delivered-to",
    b"dkim-signature",
    b"from",
    b"in-reply-to",
    b"list-id",
    b"message-id",
    b"mime-version",
    b"precedence",
    b"received",
    b"references",
    b"reply-to",
    b"return-path",
    b"sender",
    b"subject",
    b"to",
];

/// A header section and where the body behind it starts.
pub(super) struct Section<'a> {
    /// Where the section starts in what was split: 0 but behind leading blank lines.
    pub(super) start: usize,
    /// The section without the blank line that ends it.
    pub(super) octets: &'a [u8],
    /// Where the body starts in what was split.
    pub(super) body: usize,
}

/// One field: its name as written, and its value with folds but without the last line end.
struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

/// The fields of one section, in order.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<Field<'a>>);

impl<'a> Fields<'a> {
    /// The values of all fields called `name` (lower case).
    pub(super) fn all<'s>(&'s self, name: &'s [u8]) -> impl Iterator<Item = &'a [u8]> + 's {
        self.0.iter().filter(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value)
    }

    /// The value of the first field called `name` (lower case).
    pub(super) fn first(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.0.iter().find(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value)
    }
}

/// Whether a CR alone ends the lines of this mail, as some old senders have it. Then all there is of LF is
/// at the very end, where the door puts it.
pub(super) fn has_lone_cr(bytes: &[u8]) -> bool {
    let first = bytes.iter().position(|&b| b == b'\n').unwrap_or(bytes.len());
    let (lines, end) = bytes.split_at(first);
    let lines = lines.strip_suffix(b"\r").unwrap_or(lines);
    end.trim_ascii().is_empty() && lines.contains(&b'\r')
}

/// The same with LF in place of CR. Lengths and places stay as they are.
pub(super) fn with_lone_cr(bytes: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(bytes.iter().map(|&b| if b == b'\r' { b'\n' } else { b }).collect())
}

/// Splits a whole mail into its sections and their fields. A byte order mark and blank lines in front of the
/// headers are passed over. Text that has no well-known field at all is all body: a mail without headers.
pub(super) fn split_mail(bytes: &[u8]) -> (Section<'_>, Fields<'_>) {
    let mut start = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    while start < bytes.len() {
        let (line, next) = line_at(bytes, start);
        if !line.trim_ascii().is_empty() {
            break;
        }
        start = next;
    }
    let section = split(&bytes[start..], |_| false);
    let fields = section.fields();
    if fields.0.iter().any(|field| is_known(field.name)) {
        (Section { start, octets: section.octets, body: start + section.body }, fields)
    } else {
        (Section { start: 0, octets: &[], body: 0 }, Fields(Vec::new()))
    }
}

/// Splits `bytes` where the first blank line is, or the first line that can't belong to a header
/// section, or the first line for which `ends` says so. One odd line in front of a well-known
/// field is a damaged header section and not yet the body.
pub(super) fn split(bytes: &[u8], ends: impl Fn(&[u8]) -> bool) -> Section<'_> {
    let mut at = 0;
    let mut any = false;
    while at < bytes.len() {
        let (line, next) = line_at(bytes, at);
        if line.is_empty() {
            return Section { start: 0, octets: &bytes[..at], body: next };
        }
        let folded = any && matches!(line[0], b' ' | b'\t');
        let mbox = at == 0 && (line.starts_with(b"From ") || line.starts_with(b">From "));
        let in_section = folded || mbox || field_name(line).is_some() || {
            let (after, _) = line_at(bytes, next);
            any && !ends(after) && field_name(after).is_some_and(is_known)
        };
        if !in_section || ends(line) {
            return Section { start: 0, octets: &bytes[..at], body: at };
        }
        any = true;
        at = next;
    }
    Section { start: 0, octets: bytes, body: bytes.len() }
}

impl<'a> Section<'a> {
    /// The fields of the section.
    pub(super) fn fields(&self) -> Fields<'a> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        let mut at = 0;
        // Where the value of the last field starts; none behind an odd line.
        let mut open = None;
        while at < self.octets.len() {
            let (line, next) = line_at(self.octets, at);
            if let (Some(b' ' | b'\t'), Some(start), Some(last)) = (line.first(), open, fields.last_mut()) {
                last.value = &self.octets[start..at + line.len()];
            } else if let Some(name) = field_name(line) {
                let start = at + line.iter().position(|&b| b == b':').unwrap_or(0) + 1;
                fields.push(Field { name, value: &self.octets[start..at + line.len()] });
                open = Some(start);
            } else {
                open = None;
            }
            at = next;
        }
        Fields(fields)
    }
}

/// The line at `at` without its line end, and where the next one starts.
pub(super) fn line_at(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let rest = &bytes[at..];
    let (line, next) = match rest.iter().position(|&b| b == b'\n') {
        Some(end) => (&rest[..end], at + end + 1),
        None => (rest, bytes.len()),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), next)
}

/// The name when `line` starts like a field. White space in front of the colon is let pass (RFC
/// 5322 section 4.5).
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|&b| b == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

/// Whether `line` is a field that says what a part is.
pub(super) fn starts_part(line: &[u8]) -> bool {
    field_name(line)
        .and_then(|name| name.get(..8))
        .is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
}

fn is_known(name: &[u8]) -> bool {
    KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name))
        || name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"x-"))
}

/// The first subject that is not blank, on one line.
pub(super) fn subject(fields: &Fields<'_>) -> Option<String> {
    fields.all(b"subject").find_map(|value| {
        // Who writes raw octets into the subject writes the body in the same charset.
        let declared = if value.is_ascii() { None } else { fields.first(b"content-type") };
        let charset = declared.and_then(|value| Parameterised::new(value).token("charset"));
        one_line(&words::decode(value, charset.as_deref()))
    })
}

/// The first mailbox of `From:` with an address that is one.
pub(super) fn from(fields: &Fields<'_>) -> Option<HeaderSender> {
    let value = fields.first(b"from")?;
    let value = &value[..value.len().min(MAX_PARSED_FIELD)];
    // The library decodes each word alone, and takes what is left unencoded in them for syntax.
    let (hidden, runs) = words::hide(value);
    let mut bytes = charset::text(&hidden, None).into_owned().into_bytes();
    bytes.push(b'\n');
    let parsed = MessageStream::new(&bytes).parse_address();
    let HeaderValue::Address(list) = parsed else { return None };
    list.iter().find_map(|mailbox| {
        let address = MailAddress::parse(mailbox.address.as_deref()?.trim()).ok()?;
        let name = mailbox.name.as_deref().map(|name| words::reveal(name, &runs));
        Some(HeaderSender { address, name: name.as_deref().and_then(one_line) })
    })
}

/// The identifier with its brackets; one without brackets gets them.
pub(super) fn message_id(fields: &Fields<'_>) -> Option<String> {
    let value = String::from_utf8_lossy(fields.first(b"message-id")?);
    let value = match (value.find('<'), value.find('>')) {
        (Some(open), Some(close)) if open < close => &value[open + 1..close],
        _ => value.trim(),
    };
    let fits = !value.is_empty() && value.len() + 2 <= MAX_MESSAGE_ID;
    let clean = !value.contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>'));
    (fits && clean).then(|| format!("<{value}>"))
}

/// What the fields say about who sent it.
pub(super) fn automatic(fields: &Fields<'_>) -> Automatic {
    let report = |value: &[u8]| {
        let (main, sub) = Parameterised::new(value).media_type();
        main.eq_ignore_ascii_case(b"multipart") && sub.eq_ignore_ascii_case(b"report")
    };
    let words_of = |name: &'static [u8]| fields.all(name).map(first_word);
    if fields.first(b"content-type").is_some_and(report) {
        Automatic::Report
    } else if words_of(b"auto-submitted").any(|word| !word.is_empty() && !word.eq_ignore_ascii_case(b"no")) {
        Automatic::AutoSubmitted
    } else if fields.first(b"list-id").is_some()
        || words_of(b"precedence")
            .any(|word| [&b"bulk"[..], b"list", b"junk"].iter().any(|known| word.eq_ignore_ascii_case(known)))
    {
        Automatic::Bulk
    } else {
        Automatic::No
    }
}

/// The first word of a value: what stands in front of parameters and comments, without quotes.
pub(super) fn first_word(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let end = value.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b';' | b'(' | b'"'));
    &value[..end.unwrap_or(value.len())]
}

/// Words joined by single spaces, controls counted as white space; `None` when there is none.
pub(super) fn one_line(text: &str) -> Option<String> {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    (!line.is_empty()).then_some(line)
}
