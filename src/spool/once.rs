//! Requests that may come again and are taken once.

use std::time::Duration;

/// How long a [`RequestKey`] is kept from when its request was accepted.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The name that a client gave to a request, and which of the request's messages it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Whose request. The same name of two accounts is two.
    pub account: String,
    /// The name.
    pub key: String,
    /// Which message of the request, from 0.
    pub item: u32,
    /// SHA-256 of the request, the same for all of its messages.
    pub digest: [u8; 32],
}

/// What became of a submission that may have come before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept now; the numbers of its SMS.
    New(Vec<i64>),
    /// Nothing of it is kept: its key is known.
    Before(Before),
}

/// What a known key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// The same request; what was told then.
    Same(String),
    /// Another request.
    Other,
}

impl Accepted {
    /// The numbers of its SMS; none where it came before.
    pub fn numbers(self) -> Vec<i64> {
        match self {
            Self::New(numbers) => numbers,
            Self::Before(_) => Vec::new(),
        }
    }
}
