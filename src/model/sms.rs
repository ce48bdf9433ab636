//! One SMS: everything that the platform is told about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MessageId, PhoneNumber, SenderId};

/// One SMS to one phone.
#[derive(Clone, Debug, PartialEq)]
pub struct Sms {
    /// Ours, stable over every retry; the platform's `messageId`.
    pub id: MessageId,
    /// The phone.
    pub destination: PhoneNumber,
    /// What the phone shows as sender.
    pub sender: SenderId,
    /// The words.
    pub text: SmsText,
    /// What else the platform may be told.
    pub options: SmsOptions,
}

/// The optional fields of a send request (SMS Universal API, "Request fields"). A field without a
/// value is left out of the request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsOptions {
    /// Groups messages in the platform's statistics; at most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// User Data Header, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udh_data: Option<String>,
    /// Validated by the platform but not sent, and not paid for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulation: bool,
    /// Whether the platform calls back on a change of status; its default is yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_notification: Option<bool>,
    /// Values for `{name}` in the text. `None` leaves braces in an alert as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placeholders: Option<BTreeMap<String, String>>,
    /// When the platform is to send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// Sent as SMS even where the account prefers RCS.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_rcs_override: bool,
}

/// How a text travels (3GPP TS 23.038).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GSM 7-bit default alphabet and its extension table: 160 septets, 153 in each of several parts.
    Gsm7,
    /// UCS-2, as UTF-16 units: 70, 67 in each of several parts.
    Ucs2,
}

impl Encoding {
    /// The word used in the spool and the logs: `gsm7` or `ucs2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Ucs2 => "ucs2",
        }
    }
}

/// A text with the encoding and number of parts that we predict for it. Only the `text` module
/// makes new ones; the spool reads back what it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsText {
    /// The words.
    pub body: String,
    /// How they travel.
    pub encoding: Encoding,
    /// How many parts they take; at least 1.
    pub parts: u32,
}
