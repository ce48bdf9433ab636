//! The words of the field as types: what a phone number, a sender, an address, a message and its
//! fate are.
//!
//! Level 0: no files, sockets, runtime or clock. A raw string is turned into one of these types
//! at the door, by a constructor that may refuse it, and stays one from there on.

mod address;
mod callback;
mod client;
mod client_key;
mod domain;
mod envelope;
mod heard;
mod id;
mod lane;
mod mail_out;
mod outcome;
mod passage;
mod phone;
mod price;
mod reason;
mod secret;
mod sender;
mod sms;
mod state;
mod status_code;
mod submission;
mod telling;
mod way;

pub use address::{AddressError, MailAddress, ReversePath};
pub use callback::{About, Callback, PartStatus};
pub use client::{Client, Door};
pub use client_key::ClientKey;
pub use domain::{address_literal, is_domain, is_international, same_domain};
pub use envelope::{Envelope, EnvelopeRecipient, Notify, Orcpt, Protocol, Ret};
pub use heard::{Remembered, Source, SourceError, SourceKind};
pub use id::{IdError, MailId, MessageId, SubmissionId};
pub use lane::Lane;
pub use mail_out::{MailKind, OutgoingMail};
pub use outcome::{Cause, CreditOutcome, DeliveryStatus, SendOutcome, StatusOutcome};
pub use passage::{
    Charge, Digest, Limit, LimitScope, LimitStep, Pairing, Passage, Period, Pieces, QuietSpan, Similar,
    SummaryForm, Unit,
};
pub use phone::{AlwaysMasked, DialPlan, Masked, PhoneError, PhoneNumber, show_full_numbers};
pub use price::Price;
pub use reason::Reason;
pub use secret::{Secret, same_secret};
pub use sender::{SenderError, SenderId};
pub use sms::{Encoding, Sms, SmsOptions, SmsText};
pub use state::{FinalState, State};
pub use status_code::EnhancedStatus;
pub use submission::{Delivery, Fate, HoldReason, Message, Original, Recipient, ReportTo, Submission};
pub use telling::{KannelEvent, KannelMask, TellStyle, TellUrl};
pub use way::{Channel, Legacy, OnUnknown, Template, Way, Ways, WaysError};
