//! The third part of a report: what is returned of the original mail (RFC 3461 section 6.2).

use super::{Action, Parts, Report, encode};
use crate::model::Door;

/// Most of a header section that is returned, in octets. A mail may be one long header section.
const MAX_HEADERS: usize = 64 * 1024;

/// What goes back to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned<'a> {
    /// The whole mail.
    Full(&'a [u8]),
    /// Its header section.
    Headers(&'a [u8]),
    /// The beginning of a header section that is too long.
    FirstHeaders(&'a [u8]),
}

/// Decides what is returned; `None` for a form post, which has nothing to return.
///
/// A mail that was kept whole for `RET=FULL` goes back whole only in a report of a failure (RFC
/// 3461 section 4.3) and only if it is 7-bit: `message/rfc822` may not be encoded, and an 8-bit
/// report is lost at a smarthost without 8BITMIME. Otherwise its headers do, and so they do where the
/// words of an SMS are to be left out of reports: the mail has the same words.
pub(super) fn returned<'a>(report: &Report<'a>) -> Option<Returned<'a>> {
    let content: &[u8] = &report.original.content;
    match report.client.door {
        Door::Smtp if !content.is_empty() => {}
        Door::Smtp | Door::Http | Door::Relay => return None,
    }
    let failure = report.recipients.iter().any(|recipient| recipient.action == Action::Failed);
    if failure && report.include_text && report.original.is_full && encode::is_7bit(content) {
        return Some(Returned::Full(content));
    }
    Some(Returned::headers_of(content))
}

impl<'a> Returned<'a> {
    /// The header section of a mail, or its beginning.
    pub(super) fn headers_of(mail: &'a [u8]) -> Self {
        let headers = match mail.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(at) => &mail[..at + 2],
            None => mail,
        };
        if headers.len() <= MAX_HEADERS {
            return Self::Headers(headers);
        }
        let cut = &headers[..MAX_HEADERS];
        let whole_lines = cut.windows(2).rposition(|pair| pair == b"\r\n").map_or(cut.len(), |at| at + 2);
        Self::FirstHeaders(&cut[..whole_lines])
    }

    /// The last words of the human part.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Full(_) => "The mail is attached.",
            Self::Headers(_) => "The headers of the mail are attached.",
            Self::FirstHeaders(_) => {
                "The first headers of the mail are attached; there are too many for all."
            }
        }
    }

    /// Writes the part.
    pub(super) fn write(self, parts: &mut Parts) {
        match self {
            Self::Full(mail) => {
                parts.begin("message/rfc822", None);
                parts.out.extend_from_slice(mail);
            }
            Self::Headers(headers) | Self::FirstHeaders(headers) => write_headers(headers, parts),
        }
    }
}

/// Headers that are not 7-bit are quoted (RFC 6522 section 4 allows it, and nothing else).
pub(super) fn write_headers(headers: &[u8], parts: &mut Parts) {
    if encode::is_7bit(headers) {
        parts.begin("text/rfc822-headers", None);
        parts.out.extend_from_slice(headers);
    } else {
        parts.begin("text/rfc822-headers", Some("quoted-printable"));
        encode::quoted_printable(headers, &mut parts.out);
    }
}
