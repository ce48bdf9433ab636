//! A mail that the relay itself sends: a report, or a mail for the operator.

use jiff::Timestamp;

use super::{MailAddress, MailId, ReversePath, SubmissionId};

/// A mail ready for the smarthost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMail {
    /// Its id in the spool.
    pub id: MailId,
    /// The submission that it is about, if it is about one.
    pub about: Option<SubmissionId>,
    /// What it is.
    pub kind: MailKind,
    /// `MAIL FROM`: null for every report.
    pub reverse_path: ReversePath,
    /// `RCPT TO`.
    pub recipient: MailAddress,
    /// The whole mail: headers, blank line, body, CRLF line ends.
    pub bytes: Vec<u8>,
    /// When the relay gives it up.
    pub expires_at: Timestamp,
}

impl OutgoingMail {
    /// What it is known by to whoever asks about it: the submission's id, or its own where it is about none.
    pub fn reference(&self) -> String {
        self.about.map_or_else(|| self.id.to_string(), |id| id.to_string())
    }
}

/// What an outgoing mail is, which decides what happens when it can't be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailKind {
    /// A report to whoever sent the mail. Undeliverable: its substance goes to the operator.
    Report,
    /// A report to the operator. Undeliverable: logged, and the end (RFC 5321 section 6.1).
    OperatorReport,
    /// Mail to `postmaster`, passed on to the operator. Undeliverable: given back to its sender.
    Postmaster,
    /// A mail to the operator about the relay itself. Undeliverable: logged, and the end.
    Notice,
    /// A report to the sender of such a mail. Undeliverable: logged, and the end.
    Returned,
}

impl MailKind {
    /// The word used in the spool and the logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::OperatorReport => "operator-report",
            Self::Postmaster => "postmaster",
            Self::Notice => "notice",
            Self::Returned => "returned",
        }
    }
}
