//! What the platform says of its own accord about a part of a message.

use jiff::Timestamp;

use super::{Channel, MessageId, Price};

/// A delivery notification, whichever of its shapes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Which message.
    pub about: About,
    /// By which channel.
    pub channel: Channel,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many; at least `part`.
    pub parts: u32,
    /// What became of the part.
    pub status: PartStatus,
    /// The platform's words; empty when it gave none.
    pub description: String,
    /// What the part cost.
    pub price: Option<Price>,
    /// When, by the platform's clock.
    pub at: Option<Timestamp>,
}

/// How a callback names its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// By the `messageId` that we gave.
    Ours(MessageId),
    /// By an id that the platform gave in its answer to a template, or by one that nobody knows.
    Theirs(String),
}

/// What became of one part (`statusCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartStatus {
    /// 3: the handset has it.
    Delivered,
    /// 6: it cannot be delivered.
    Undeliverable,
    /// 8: the platform gave it up before the handset had it.
    Expired,
    /// Any other number: kept and shown, and not final.
    Other(i64),
}

impl PartStatus {
    /// By its number.
    pub fn of_code(code: i64) -> Self {
        match code {
            3 => Self::Delivered,
            6 => Self::Undeliverable,
            8 => Self::Expired,
            other => Self::Other(other),
        }
    }

    /// Its number.
    pub fn code(self) -> i64 {
        match self {
            Self::Delivered => 3,
            Self::Undeliverable => 6,
            Self::Expired => 8,
            Self::Other(code) => code,
        }
    }

    /// Whether nothing else is to come for the part.
    pub fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Undeliverable | Self::Expired => true,
            Self::Other(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_codes_are_final_and_every_code_is_kept() {
        for code in -1..=300 {
            let status = PartStatus::of_code(code);
            assert_eq!(status.code(), code);
            assert_eq!(status.is_final(), [3, 6, 8].contains(&code), "{code}");
        }
    }
}
