//! Who is to be heard of, and when they were.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::Source;

/// Somebody who is to be heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Who.
    pub source: Source,
    /// That they were heard of is written again once so much time has passed; what comes in between costs no write.
    pub grain: Duration,
}

/// When somebody was heard of who is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub source: Source,
    /// From when on they are expected.
    pub since: Timestamp,
    /// When a mail or form of theirs was accepted last, by the grain.
    pub at: Option<Timestamp>,
    /// How long since then the relay itself was not there to hear.
    pub away: Duration,
}
