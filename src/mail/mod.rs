//! Mail bytes to subject, text and the headers that matter.
//!
//! [`read`] never fails: any octets give a [`Mail`], perhaps an empty one. Its cost is linear in the
//! octets, and its recursion bounded, whatever they are.
//!
//! Fields, addresses, charsets and entities are `mail-parser`'s work. The walk over the parts and
//! the encoded words are ours: that library's walk is quadratic when boundaries are declared and
//! never used, overflows the stack when thousands of messages are nested (and a panic ends this
//! process), and decodes each encoded word alone, which breaks characters that senders split.
//!
//! - `headers`: octets to header section, fields and body
//! - `parameters`: media types and what stands behind them (RFC 2045, RFC 2231)
//! - `words`: encoded words (RFC 2047)
//! - `parts`: the tree of parts (RFC 2046)
//! - `body`: which parts are the text, and which come along
//! - `attachments`: what comes along, by name
//! - `priority`: how urgent it says that it is
//! - `decode`: transfer encodings
//! - `charset`: octets to text
//! - `lines`: plain text to lines (RFC 3676)
//! - `uuencoded`: files in plain text
//! - `html`: HTML to text

mod attachments;
mod body;
mod charset;
mod decode;
mod headers;
mod html;
mod lines;
mod parameters;
mod parts;
mod priority;
mod uuencoded;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use crate::model::MailAddress;
pub use priority::Priority;

/// What the relay wants to know of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The decoded subject on one line, never blank.
    pub subject: Option<String>,
    /// The text: LF line ends, no white space at the ends of lines. Empty when there is none.
    pub text: String,
    /// The same text with the target of each link behind its words, where that differs.
    pub text_with_links: Option<String>,
    /// What came along with the text and is not in it, in order.
    pub attachments: Vec<Attachment>,
    /// The first mailbox of `From:`.
    pub from: Option<HeaderSender>,
    /// The value of `Message-ID:` with its angle brackets.
    pub message_id: Option<String>,
    /// Whether nobody may be told about its failure, and why (RFC 3834 section 2).
    pub automatic: Automatic,
    /// How urgent it says that it is.
    pub priority: Priority,
    /// How many `Received:` fields it has; many mean that it goes in circles (RFC 5321 section 6.3).
    pub received_count: usize,
    /// Where the header section as received stands in the octets, without the blank line behind it.
    pub header_section: Range<usize>,
    /// Whether a CR alone ends its lines, as some old senders have it.
    pub lone_cr: bool,
}

/// Something that came along with the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its decoded file name, on one line, at most 255 characters; `None` where it has none.
    pub name: Option<String>,
    /// Its media type in lower case, like `application/pdf`.
    pub media_type: String,
}

/// The header fields of a mail, decoded when they are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    section: &'a [u8],
    lone_cr: bool,
}

impl<'a> Headers<'a> {
    /// Those of a header section whose lines end as usual.
    pub fn new(section: &'a [u8]) -> Self {
        Self { section, lone_cr: false }
    }

    /// Those of a mail that was read from `bytes`.
    pub fn of(mail: &Mail, bytes: &'a [u8]) -> Self {
        Self { section: bytes.get(mail.header_section.clone()).unwrap_or_default(), lone_cr: mail.lone_cr }
    }

    /// The header section as received.
    pub fn octets(self) -> &'a [u8] {
        self.section
    }

    /// The decoded value of the first field of this name (in any case), on one line; `None` where there is
    /// none or it is blank. Linear in the section.
    pub fn field(self, name: &str) -> Option<String> {
        let section = match self.lone_cr {
            true => headers::with_lone_cr(self.section),
            false => Cow::Borrowed(self.section),
        };
        let fields = headers::split(&section, |_| false).fields();
        let decoded = |value| headers::one_line(&words::decode(value, None));
        fields.all(name.as_bytes()).find_map(decoded)
    }
}

/// The first mailbox of `From:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderSender {
    /// The address.
    pub address: MailAddress,
    /// The display name or comment, decoded, on one line.
    pub name: Option<String>,
}

/// Whether a mail was sent by a machine that must not be answered. The first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Automatic {
    /// Nothing says so.
    No,
    /// It is a report itself: `multipart/report` (RFC 6522).
    Report,
    /// `Auto-Submitted:` with anything but `no` (RFC 3834 section 5).
    AutoSubmitted,
    /// `Precedence: bulk`, `list` or `junk`, or `List-Id:` (RFC 2919).
    Bulk,
}

impl Automatic {
    /// Why no bounce is sent, for the log and the timeline; `None` when one may be.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Report => Some("the mail is a report itself (multipart/report)"),
            Self::AutoSubmitted => Some("the mail was sent automatically (Auto-Submitted)"),
            Self::Bulk => Some("the mail is bulk or list mail (Precedence or List-Id)"),
        }
    }
}

/// Reads a mail as it came in, dots already unstuffed.
pub fn read(bytes: &[u8]) -> Mail {
    let lone_cr = headers::has_lone_cr(bytes);
    let bytes = if lone_cr { headers::with_lone_cr(bytes) } else { Cow::Borrowed(bytes) };
    let bytes = &*bytes;
    let (section, fields) = headers::split_mail(bytes);
    let content = body::read(&parts::read(&fields, &bytes[section.body..]));
    Mail {
        subject: headers::subject(&fields),
        text: content.text,
        text_with_links: content.text_with_links,
        attachments: content.attachments,
        from: headers::from(&fields),
        message_id: headers::message_id(&fields),
        automatic: headers::automatic(&fields),
        priority: priority::read(&fields),
        received_count: fields.all(b"received").count(),
        header_section: section.start..section.start + section.octets.len(),
        lone_cr,
    }
}

#[cfg(test)]
mod tests;
