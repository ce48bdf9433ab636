//! By which of the platform's doors a message goes, and what is tried when one of them fails.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A channel of the platform, as its status endpoint and its callbacks name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// Text messages.
    #[default]
    #[serde(rename = "SMS")]
    Sms,
    /// Rich Communication Services.
    #[serde(rename = "RCS")]
    Rcs,
    /// WhatsApp.
    #[serde(rename = "WHATSAPP")]
    WhatsApp,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sms, Self::Rcs, Self::WhatsApp];

    /// The platform's word: `SMS`, `RCS` or `WHATSAPP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Rcs => "RCS",
            Self::WhatsApp => "WHATSAPP",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Channel {
    type Err = String;
    /// Upper and lower case are one.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|channel| channel.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("`{}` is not a channel", text.escape_debug()))
    }
}

/// One way to the phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Way {
    /// The SMS Universal API: one message, one call.
    #[default]
    Sms,
    /// The SMS Legacy API: one text to many phones in one call.
    Legacy(Legacy),
    /// An approved template of another channel.
    Template(Template),
}

/// What only the SMS Legacy API can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legacy {
    /// `enableUnicode`: without it the platform takes out or replaces what is not GSM 7-bit.
    pub unicode: bool,
    /// `enableConcatenated`: without it the platform cuts at one part.
    pub concatenated: bool,
}

impl Default for Legacy {
    fn default() -> Self {
        Self { unicode: true, concatenated: true }
    }
}

/// A template that the platform approved beforehand, filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The channel; never [`Channel::Sms`].
    pub channel: Channel,
    /// `templateId`.
    pub id: String,
    /// `variables`.
    pub variables: BTreeMap<String, String>,
}

impl Way {
    /// The channel that the platform knows it by.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Sms | Self::Legacy(_) => Channel::Sms,
            Self::Template(template) => template.channel,
        }
    }
}

/// The ways to one phone, in the order in which they are tried. Never empty; the usual is one SMS.
/// Each channel stands there once, so that an id and a channel name one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    ways: Vec<Way>,
    silence: Option<Duration>,
}

impl Default for Ways {
    fn default() -> Self {
        Self::only(Way::Sms)
    }
}

/// Ways that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaysError {
    /// There is none.
    #[error("there is no channel")]
    None,
    /// A channel stands there twice.
    #[error("{0} stands there twice")]
    Twice(Channel),
}

impl Ways {
    /// One way and no other.
    pub fn only(way: Way) -> Self {
        Self { ways: vec![way], silence: None }
    }

    /// Several; a way that stays silent for `silence` after the platform accepted it is given up for the
    /// next one.
    ///
    /// # Errors
    /// [`WaysError`].
    pub fn new(ways: Vec<Way>, silence: Option<Duration>) -> Result<Self, WaysError> {
        if ways.is_empty() {
            return Err(WaysError::None);
        }
        for (at, way) in ways.iter().enumerate() {
            if ways[..at].iter().any(|earlier| earlier.channel() == way.channel()) {
                return Err(WaysError::Twice(way.channel()));
            }
        }
        Ok(Self { ways, silence })
    }

    /// In the order in which they are tried.
    pub fn as_slice(&self) -> &[Way] {
        &self.ways
    }

    /// How long a way may stay silent before the next one is tried.
    pub fn silence(&self) -> Option<Duration> {
        self.silence
    }
}

/// What becomes of a message when the platform could not tell for a long time whether it has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnknown {
    /// It is sent again: the phone may get it twice.
    #[default]
    Resend,
    /// It counts as failed: the phone may have it all the same.
    Fail,
}

impl OnUnknown {
    /// The word used in the configuration and the spool.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Fail => "fail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read_and_written_alike() {
        for channel in Channel::ALL {
            assert_eq!(channel.as_str().to_lowercase().parse::<Channel>().unwrap(), channel);
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.as_str());
        }
        assert!("PAGER".parse::<Channel>().is_err());
    }

    #[test]
    fn an_order_of_ways_has_each_channel_once() {
        let rcs = || {
            Way::Template(Template { channel: Channel::Rcs, id: "a".to_owned(), variables: BTreeMap::new() })
        };
        assert_eq!(Ways::new(Vec::new(), None), Err(WaysError::None));
        assert_eq!(
            Ways::new(vec![Way::Sms, rcs(), Way::Legacy(Legacy::default())], None),
            Err(WaysError::Twice(Channel::Sms))
        );
        let both = Ways::new(vec![rcs(), Way::Sms], None).unwrap();
        assert_eq!(both.as_slice(), [rcs(), Way::Sms]);
    }

    #[test]
    fn a_way_is_written_and_read_alike() {
        let ways = [
            Way::Sms,
            Way::Legacy(Legacy { unicode: false, concatenated: true }),
            Way::Template(Template {
                channel: Channel::WhatsApp,
                id: "alert_v2".to_owned(),
                variables: BTreeMap::from([("text".to_owned(), "on fire".to_owned())]),
            }),
        ];
        for way in ways {
            let written = serde_json::to_string(&way).unwrap();
            assert_eq!(serde_json::from_str::<Way>(&written).unwrap(), way, "{written}");
        }
    }
}
