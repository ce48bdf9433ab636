//! What every request finds: who may post, where things go, what is counted and logged, and where it came from itself.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant as Clock;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use super::figures::Figures;
use super::log_limit::LogLimit;
use super::login::Logins;
use super::profiled::Sessions;
use super::{Account, Behind, CallbackDoor, Limits, Listener};
use crate::model::Client;

/// What every request needs.
pub(super) struct Desk {
    /// Who may post.
    pub(super) accounts: Arc<ArcSwap<Vec<Account>>>,
    /// Where things go.
    pub(super) behind: Behind,
    /// Where the platform calls back.
    pub(super) callback_door: Arc<ArcSwap<Option<CallbackDoor>>>,
    /// Who has logged in, where an API of another gateway has that.
    pub(super) sessions: Mutex<Sessions>,
    /// Turns for bodies of webhooks.
    pub(super) webhooks: Arc<Semaphore>,
    /// What is counted.
    pub(super) figures: Figures,
    /// Who logs in.
    pub(super) logins: Logins,
    /// The log's lines about its calls.
    pub(super) call_lines: Lines,
    /// The log's lines about whoever is nobody that we know.
    pub(super) stranger_lines: Lines,
    /// What a client may use up.
    pub(super) limits: Limits,
    /// What `/metrics` shows.
    pub(super) registry: Arc<Registry>,
}

/// Lines of the log that are bounded; clones share the bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Mutex<LogLimit>>);

impl Lines {
    /// How many lines were left out before the one that may be written now, if any; `None` when none may be
    /// written.
    pub(super) fn next(&self) -> Option<Option<u64>> {
        let left_out = self.0.lock().unwrap_or_else(PoisonError::into_inner).line(Clock::now())?;
        Some((left_out > 0).then_some(left_out))
    }
}

impl Desk {
    /// As [`Lines::next`] for a line about a request of `client`: what an account of ours does wrong is always told.
    pub(super) fn line_about(&self, client: &Client) -> Option<Option<u64>> {
        match client.account {
            Some(_) => Some(None),
            None => self.stranger_lines.next(),
        }
    }
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// The listener.
    pub(super) listener: Arc<Listener>,
    /// The client's address, unmapped: that of who connected, or what a trusted proxy says.
    pub(super) address: IpAddr,
}
