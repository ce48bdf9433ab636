//! What came of a call to the platform. Judged once, by the gateway; nobody else reads a status
//! line or an error text.

use jiff::Timestamp;

use super::{EnhancedStatus, Masked, Price};

/// What an answer to "send this" means.
#[derive(Clone, Debug, PartialEq)]
pub enum SendOutcome {
    /// The platform has it. Parts and encoding are the platform's count where it gave one.
    Accepted {
        /// Parts that the platform counted.
        parts: Option<u32>,
        /// Whether the platform took it as UCS-2.
        unicode: Option<bool>,
        /// The platform's own id, where it gave another one than ours; callbacks may name it.
        platform_id: Option<String>,
    },
    /// Permanent for this message.
    Refused(Cause),
    /// Not now; nothing was taken. `until` holds for the whole gateway where the platform named a time.
    Later {
        /// The platform's `Retry-After`, as a point in time.
        until: Option<Timestamp>,
        /// Why.
        cause: Cause,
    },
    /// The account or the address of the gateway is wrong, not the message.
    GatewayFault(Cause),
    /// The request went out, and nobody can say whether it was taken.
    Unknown(Cause),
}

/// What an answer to "how is it" means.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusOutcome {
    /// The platform knows the message.
    Known(DeliveryStatus),
    /// The platform does not know the message.
    NotKnown,
    /// The platform can't tell now; `until` as in [`SendOutcome::Later`].
    CannotTell {
        /// The platform's `Retry-After`, as a point in time.
        until: Option<Timestamp>,
        /// Why.
        cause: Cause,
    },
}

/// What came of asking for the account's credit.
#[derive(Clone, Debug, PartialEq)]
pub enum CreditOutcome {
    /// What is left.
    Left(Price),
    /// The platform did not say; `until` as in [`SendOutcome::Later`].
    CannotTell {
        /// The platform's `Retry-After`, as a point in time.
        until: Option<Timestamp>,
        /// Why.
        cause: Cause,
    },
}

/// `deliveryStatus` of the status endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// On the handset.
    Delivered,
    /// On its way.
    Sent,
    /// It will not arrive; the platform's description.
    Undeliverable(String),
    /// The platform gave up after its own time; its description.
    Expired(String),
    /// The platform has no status yet.
    NotYetAvailable,
}

/// Why something happened: one sentence for people, and what a report's machine part needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// One sentence, without a secret and without a phone number.
    pub text: String,
    /// The status code for a report.
    pub status: EnhancedStatus,
    /// What the platform itself said, such as `http 422 invalid destination`; becomes the
    /// report's `Diagnostic-Code` (RFC 3464 section 2.3.6).
    pub diagnostic: Option<String>,
}

impl Cause {
    /// A cause without words of the platform.
    pub fn new(status: EnhancedStatus, text: impl Into<String>) -> Self {
        Self { text: text.into(), status, diagnostic: None }
    }

    /// What the platform said, as logs show it: it may name the phone.
    pub fn masked_diagnostic(&self) -> Option<Masked<'_>> {
        self.diagnostic.as_deref().map(Masked)
    }

    /// The same with the platform's words.
    #[must_use]
    pub fn with_diagnostic(mut self, diagnostic: impl Into<String>) -> Self {
        self.diagnostic = Some(diagnostic.into());
        self
    }
}
