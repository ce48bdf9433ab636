//! Tells the programs that posted forms how each SMS ended, by signed HTTP calls or by those that Kannel would make.
//!
//! It promises that a program is called until it says that it knows, refuses for good, or the lifetime
//! of the call ends; and that a program which does not answer delays those of other hosts by no more than
//! the writing of a line. A call whose answer was lost is made again: programs tell repeated calls by
//! their `Idempotency-Key`, the id of the SMS; clients of Kannel by what they have put into their URL.
//!
//! The host that is called is one that the operator wrote: the doors see to that, and `allowed` says which they are. `target` checks the URL,
//! `message` says what is sent and how it is signed, `kannel` what Kannel sends, `client` sends it, `judge` says what the answer means,
//! `turns` whose call is next, `worker` drives all of them.

mod allowed;
mod client;
mod judge;
mod kannel;
mod message;
mod target;
mod turns;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Secret, TellUrl};
use crate::retry::{Backoff, LONGEST_PAUSE};
use crate::spool::Spool;

pub use allowed::AllowedHost;
pub use target::{TargetError, target};

/// What telling is told by the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Waits between the calls about one SMS.
    pub backoff: Backoff,
    /// How long after the end of the SMS its program is still called.
    pub lifetime: Duration,
    /// For one whole call, answer included.
    pub total_time: Duration,
    /// Calls under way at a time.
    pub concurrency: usize,
    /// Of these, calls to one host.
    pub per_host: usize,
}

impl Settings {
    /// The longest wait between two calls about one SMS: ours, or that which a program asked for.
    pub fn longest_wait(&self) -> Duration {
        self.backoff.most.max(LONGEST_PAUSE)
    }
}

/// Who signs.
pub trait Signers: Send + Sync + 'static {
    /// The secret of the account whose program it is; `None` where there is no such account any more, or
    /// it has none.
    fn secret(&self, to: &TellUrl) -> Option<Secret>;
}

/// The worker that calls.
pub struct Teller {
    spool: Arc<dyn Spool>,
    signers: Arc<dyn Signers>,
    client: client::Client,
    settings: Settings,
}

impl Teller {
    /// A worker that is not running yet. Opens no connection.
    pub fn new(spool: Arc<dyn Spool>, signers: Arc<dyn Signers>, settings: Settings) -> Self {
        Self { spool, signers, client: client::Client::new(settings.total_time), settings }
    }
}
