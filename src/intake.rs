//! The only way in: a mail or a form post becomes SMS in the spool, or a refusal that says why.

use crate::model::{EnhancedStatus, MailAddress, MessageId, PhoneNumber, SubmissionId};

/// What intake is told by the configuration, beside the routing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name in `Received:`.
    pub hostname: String,
    /// Who is told about failures.
    pub reports: Reports,
    /// Mail for `postmaster` goes here; it is refused where there is none.
    pub operator: Option<MailAddress>,
    /// `Received:` fields after which a mail goes in circles (RFC 5321 section 6.3).
    pub max_received: usize,
    /// The whole mail is kept for a report with `RET=FULL` up to this many octets.
    pub full_original_octets: usize,
}

/// Who is told about failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// The mail's sender; the operator where there is none to tell.
    Sender,
    /// Always the operator.
    Operator,
    /// Nobody: there is no smarthost.
    Off,
}

/// Why something is not taken. The door turns the kind into its own code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What kind of refusal.
    pub kind: RefusalKind,
    /// One sentence for the peer: what is wrong, the value, what to do. No line ends.
    pub text: String,
}

/// Kinds of refusal, each with its SMTP reply and HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// Neither a number nor an alias: 550 5.1.1, 400.
    UnknownRecipient,
    /// The domain is not ours: 550 5.1.2.
    DomainNotOurs,
    /// The destination, the sender or the client is not allowed, or a rule refused: 550 5.7.1, 403.
    NotAllowed,
    /// Nothing that could be sent: 554 5.6.0, 400.
    NothingToSend,
    /// The mail goes in circles: 554 5.4.6.
    Loop,
    /// Too many recipients or destinations: 452 4.5.3, 413.
    TooMany,
    /// The spool can't take it now: 452 4.3.1, 503.
    StorageUnavailable,
}

impl RefusalKind {
    /// The SMTP reply code and enhanced status code.
    pub fn smtp(self) -> (u16, EnhancedStatus) {
        match self {
            Self::UnknownRecipient => (550, EnhancedStatus::UNKNOWN_RECIPIENT),
            Self::DomainNotOurs => (550, EnhancedStatus::new(5, 1, 2)),
            Self::NotAllowed => (550, EnhancedStatus::POLICY),
            Self::NothingToSend => (554, EnhancedStatus::new(5, 6, 0)),
            Self::Loop => (554, EnhancedStatus::new(5, 4, 6)),
            Self::TooMany => (452, EnhancedStatus::new(4, 5, 3)),
            Self::StorageUnavailable => (452, EnhancedStatus::new(4, 3, 1)),
        }
    }

    /// The HTTP status.
    pub fn http(self) -> u16 {
        match self {
            Self::UnknownRecipient | Self::DomainNotOurs | Self::NothingToSend | Self::Loop => 400,
            Self::NotAllowed => 403,
            Self::TooMany => 413,
            Self::StorageUnavailable => 503,
        }
    }
}

/// What an HTTP client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Destinations as written: numbers or aliases, already separated.
    pub to: Vec<String>,
    /// The text.
    pub text: String,
    /// The sender, where the client may choose.
    pub sender: Option<String>,
}

/// What was accepted: on disk when this is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The submission's id.
    pub id: SubmissionId,
    /// Its SMS that will be sent: id, destination and parts.
    pub messages: Vec<(MessageId, PhoneNumber, u32)>,
}
