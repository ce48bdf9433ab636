//! Why something is not taken, in one sentence for the peer and with the codes of each door.

use std::time::Duration;

use crate::model::EnhancedStatus;
use crate::routing::{RecipientRefusal, Refused, SenderRefused};
use crate::spool::SpoolError;

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
    /// More SMS than one mail or form may stand for: 554 5.5.3, 413. Known when the whole mail is there, and
    /// the same at the next try; 452 would bring it back for days (RFC 5321 section 4.5.4.1).
    TooMany,
    /// It is to be sent too far in the future: 550 5.7.1, 400.
    TooFarAhead,
    /// The spool can't take it now: 452 4.3.1, 503.
    StorageUnavailable,
    /// The account sends too many messages a minute: 450 4.7.1, 429.
    TooFast {
        /// When it may send again.
        retry_after: Duration,
    },
    /// The account has not enough of its daily parts left: 452 4.7.1, 429. Temporary, so that a client
    /// with a queue delivers after midnight. Not 4.3.1, which would send people to look at the disk.
    QuotaSpent {
        /// When the next day begins.
        retry_after: Duration,
    },
}

impl RefusalKind {
    /// The SMTP reply code and enhanced status code.
    pub fn smtp(self) -> (u16, EnhancedStatus) {
        match self {
            Self::UnknownRecipient => (550, EnhancedStatus::UNKNOWN_RECIPIENT),
            Self::DomainNotOurs => (550, EnhancedStatus::new(5, 1, 2)),
            Self::NotAllowed | Self::TooFarAhead => (550, EnhancedStatus::POLICY),
            Self::NothingToSend => (554, EnhancedStatus::new(5, 6, 0)),
            Self::Loop => (554, EnhancedStatus::new(5, 4, 6)),
            Self::TooMany => (554, EnhancedStatus::new(5, 5, 3)),
            Self::StorageUnavailable => (452, EnhancedStatus::new(4, 3, 1)),
            Self::TooFast { .. } => (450, EnhancedStatus::new(4, 7, 1)),
            Self::QuotaSpent { .. } => (452, EnhancedStatus::new(4, 7, 1)),
        }
    }

    /// The HTTP status.
    pub fn http(self) -> u16 {
        match self {
            Self::UnknownRecipient
            | Self::DomainNotOurs
            | Self::NothingToSend
            | Self::Loop
            | Self::TooFarAhead => 400,
            Self::NotAllowed => 403,
            Self::TooMany => 413,
            Self::StorageUnavailable => 503,
            Self::TooFast { .. } | Self::QuotaSpent { .. } => 429,
        }
    }

    /// How long the peer is to wait, where that is known.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::TooFast { retry_after } | Self::QuotaSpent { retry_after } => Some(retry_after),
            Self::UnknownRecipient
            | Self::DomainNotOurs
            | Self::NotAllowed
            | Self::NothingToSend
            | Self::Loop
            | Self::TooMany
            | Self::TooFarAhead
            | Self::StorageUnavailable => None,
        }
    }
}

impl Refusal {
    /// Something that may work later.
    pub(super) fn temporary(text: String) -> Self {
        Self { kind: RefusalKind::StorageUnavailable, text }
    }
}

impl From<RecipientRefusal> for Refusal {
    fn from(refusal: RecipientRefusal) -> Self {
        let kind = match refusal {
            RecipientRefusal::DomainNotOurs { .. } => RefusalKind::DomainNotOurs,
            RecipientRefusal::Unknown(_) => RefusalKind::UnknownRecipient,
            RecipientRefusal::NotAllowed { .. } | RecipientRefusal::NotForAccount { .. } => {
                RefusalKind::NotAllowed
            }
        };
        Self { kind, text: refusal.to_string() }
    }
}

impl From<SenderRefused> for Refusal {
    fn from(refused: SenderRefused) -> Self {
        Self { kind: RefusalKind::NotAllowed, text: refused.to_string() }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self { kind: RefusalKind::NotAllowed, text: refused.reason }
    }
}

/// The peer learns that it may try again; what failed is the operator's to know, and is logged.
impl From<SpoolError> for Refusal {
    fn from(error: SpoolError) -> Self {
        tracing::error!(%error, "a message could not be stored");
        Self::temporary("the message cannot be stored now, try again later".to_owned())
    }
}
