//! Who handed a message in.

use std::net::IpAddr;

/// The kind of door that a message came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// An SMTP listener.
    Smtp,
    /// An HTTP listener.
    Http,
    /// The relay itself: a summary, a test, or word of somebody who is silent.
    Relay,
}

impl Door {
    /// The word used in the spool, the logs and rules: `smtp`, `http` or `relay`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Http => "http",
            Self::Relay => "relay",
        }
    }
}

/// The peer of one connection, as routing rules and timelines see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The kind of door.
    pub door: Door,
    /// The listener's name in the configuration.
    pub listener: String,
    /// The peer's address; IPv4 addresses mapped into IPv6 are unmapped.
    pub address: IpAddr,
    /// What the peer called itself in EHLO or HELO, if it did.
    pub helo: Option<String>,
    /// The configured client or account whose credentials it showed.
    pub account: Option<String>,
}
