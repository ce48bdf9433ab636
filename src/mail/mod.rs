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
//! - `words`: encoded words (RFC 2047)
//! - `parts`: the tree of parts (RFC 2046)
//! - `body`: which parts are the text
//! - `decode`: transfer encodings and charsets
//! - `html`: HTML to text

mod body;
mod decode;
mod headers;
mod html;
mod parts;
mod words;

use std::ops::Range;

use crate::model::MailAddress;

/// What the relay wants to know of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The decoded subject on one line, never blank.
    pub subject: Option<String>,
    /// The text: LF line ends, no white space at the ends of lines. Empty when there is none.
    pub text: String,
    /// The first mailbox of `From:`.
    pub from: Option<HeaderSender>,
    /// The value of `Message-ID:` with its angle brackets.
    pub message_id: Option<String>,
    /// Whether nobody may be told about its failure, and why (RFC 3834 section 2).
    pub automatic: Automatic,
    /// How many `Received:` fields it has; many mean that it goes in circles (RFC 5321 section 6.3).
    pub received_count: usize,
    /// Where the header section as received stands in the octets, without the blank line behind it.
    pub header_section: Range<usize>,
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
    let section = headers::split_mail(bytes);
    let fields = section.fields();
    Mail {
        subject: headers::subject(&fields),
        text: body::text(&parts::read(&fields, &bytes[section.body..])),
        from: headers::from(&fields),
        message_id: headers::message_id(&fields),
        automatic: headers::automatic(&fields),
        received_count: fields.all(b"received").count(),
        header_section: section.start..section.start + section.octets.len(),
    }
}

#[cfg(test)]
mod tests;
