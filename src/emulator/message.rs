//! What the platform knows about a message that it accepted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::Encoding;

/// The channel that a message was accepted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Channel {
    /// SMS, from the universal or the legacy API.
    Sms,
    /// RCS.
    Rcs,
    /// WhatsApp.
    WhatsApp,
}

impl Channel {
    /// The word in callbacks and in the status endpoint's query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Rcs => "RCS",
            Self::WhatsApp => "WHATSAPP",
        }
    }
}

/// Where a message is, in the words of the status endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// No status yet: scheduled for later, or only simulated.
    Unknown,
    /// On its way.
    Sent,
    /// On the handset.
    Delivered,
    /// Not deliverable.
    Error,
    /// Given up.
    Expired,
}

impl Status {
    /// The word in the status endpoint's answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Sent => "SENT",
            Self::Delivered => "DELIVERED",
            Self::Error => "ERROR",
            Self::Expired => "EXPIRED",
        }
    }

    /// `deliveryStatusDescription`.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Unknown => "Status not yet available",
            Self::Sent => "Message sent, waiting for confirmation",
            Self::Delivered => "Message delivered to handset",
            Self::Error => "Message undeliverable",
            Self::Expired => "Message expired before delivery",
        }
    }

    /// `statusCode` and description of a callback; none before the end.
    pub(super) fn callback(self) -> Option<(u8, &'static str)> {
        match self {
            Self::Unknown | Self::Sent => None,
            Self::Delivered => Some((3, "delivered")),
            Self::Error => Some((6, "undeliverable")),
            Self::Expired => Some((8, "expired")),
        }
    }
}

/// One message that was accepted, with every field that the request carried. A message that comes
/// twice under one id is accepted twice, as two of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// Which it is of all accepted ones, from 1.
    pub number: u64,
    /// When.
    pub accepted_at: Timestamp,
    /// The channel.
    pub channel: Channel,
    /// The client's id, or one of ours where it gave none.
    pub message_id: String,
    /// The id that the answer and the callbacks name, where it is another one.
    pub platform_id: Option<String>,
    /// The phone, as the request wrote it.
    pub destination: String,
    /// The sender; empty for RCS and WhatsApp, which have the account's.
    pub sender: String,
    /// The text as the request wrote it; the template's id for RCS and WhatsApp.
    pub body: String,
    /// The text that the phone shows, with placeholders replaced.
    pub text: String,
    /// Our own count.
    #[serde(with = "encoding_word")]
    pub encoding: Encoding,
    /// Our own count.
    pub parts: u32,
    /// Validated only: not sent, not paid.
    pub simulation: bool,
    /// `campaignId`; the legacy API's `globalId`.
    pub campaign_id: Option<String>,
    /// `udhData`.
    pub udh_data: Option<String>,
    /// Whether callbacks are wanted.
    pub enable_notification: bool,
    /// `placeholders`; `variables` for RCS and WhatsApp.
    pub placeholders: Option<BTreeMap<String, String>>,
    /// `scheduledDate` as a point in time.
    pub scheduled_at: Option<Timestamp>,
    /// `skipRcsOverride`.
    pub skip_rcs_override: bool,
    /// Where it is now.
    pub status: Status,
    /// When it reached its last status, once it has.
    pub ended_at: Option<Timestamp>,
}

impl Accepted {
    /// The id that the answer and the callbacks name.
    pub fn told_id(&self) -> &str {
        self.platform_id.as_deref().unwrap_or(&self.message_id)
    }

    /// Octets of its texts, for the limit of the record.
    pub(super) fn octets(&self) -> usize {
        let table = |table: &BTreeMap<String, String>| table.iter().map(|(a, b)| a.len() + b.len()).sum();
        self.message_id.len()
            + self.platform_id.as_ref().map_or(0, String::len)
            + self.destination.len()
            + self.sender.len()
            + self.body.len()
            + self.text.len()
            + self.campaign_id.as_ref().map_or(0, String::len)
            + self.udh_data.as_ref().map_or(0, String::len)
            + self.placeholders.as_ref().map_or(0, table)
    }

    /// What the phone shows.
    pub fn screen(&self) -> Screen<'_> {
        Screen {
            destination: &self.destination,
            sender: &self.sender,
            text: &self.text,
            encoding: self.encoding,
            parts: self.parts,
            status: self.status,
        }
    }
}

/// A phone's screen, for the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen<'a> {
    /// Whose phone it is.
    pub destination: &'a str,
    /// The sender.
    pub sender: &'a str,
    /// The text in full.
    pub text: &'a str,
    /// How it travelled.
    pub encoding: Encoding,
    /// In how many parts.
    pub parts: u32,
    /// Where it is.
    pub status: Status,
}

/// `gsm7` or `ucs2`.
mod encoding_word {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Encoding;

    pub(super) fn serialize<S: Serializer>(encoding: &Encoding, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(encoding.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Encoding, D::Error> {
        let word = String::deserialize(from)?;
        [Encoding::Gsm7, Encoding::Ucs2]
            .into_iter()
            .find(|encoding| encoding.as_str() == word)
            .ok_or_else(|| D::Error::custom("an encoding is gsm7 or ucs2"))
    }
}

/// `body` with every `{name}` that `values` has replaced, in one pass: what a value brings along
/// is not looked at again. Other braces stay.
pub(super) fn fill(body: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        filled.push_str(before);
        let value = from.find('}').and_then(|close| Some((values.get(&from[1..close])?, close)));
        match value {
            Some((value, close)) => {
                filled.push_str(value);
                rest = &from[close + 1..];
            }
            None => {
                filled.push('{');
                rest = &from[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once_and_other_braces_stay() {
        let values =
            [("nome", "Mario"), ("b", "{nome}"), ("", "empty")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let values = BTreeMap::from(values);
        for (body, text) in [
            ("Ciao {nome}, {nome}!", "Ciao Mario, Mario!"),
            ("{b}", "{nome}"),
            ("{x} { nome } {nome", "{x} { nome } {nome"),
            ("{{nome}}", "{Mario}"),
            ("{}", "empty"),
            ("{\"a\":{nome}}", "{\"a\":Mario}"),
            ("", ""),
        ] {
            assert_eq!(fill(body, &values), text, "{body}");
        }
    }
}
