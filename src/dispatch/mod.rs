//! The only way out: claims what is due, calls the gateways, writes what came of it.
//!
//! It promises that a call is made only for messages whose attempt is on disk, that an outcome
//! nobody knows is asked about before a resend, and that the gate (`Retry-After`, circuit, faults
//! of the account) and the rate of each gateway hold for every call. When it ends, calls under way are
//! waited for; one that is cut off stays claimed in the spool, and the next start asks the platform about it.
//!
//! One loop works for all gateways: in each round it says how much room each has for each lane, and the spool
//! gives every message to the first of its gateways that has some. So a gateway that is shut moves what was not
//! sent yet to the next one, and one that is only busy does not.
//!
//! - `rooms`, `judge`: how much may begin and what an outcome means (pure)
//! - `desk`: what is under way; `round`: one round; `call`: one call
//! - `figures`, `traffic`: metrics; `log`: what is said of a message

mod call;
mod desk;
mod figures;
pub(crate) mod judge;
mod log;
pub(crate) mod rooms;
mod round;
#[cfg(test)]
mod tests;
mod traffic;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::gateway::{Flow, Lines};
use crate::retry::{AskPlan, Backoff};
use crate::spool::Spool;
use desk::Desk;

pub use figures::Figures;
pub use traffic::Traffic;

/// Pause before a spool that failed is asked again.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

/// What dispatch is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Calls to a gateway at a time, where its own section does not say.
    pub concurrency: usize,
    /// Waits between attempts of one message.
    pub backoff: Backoff,
    /// Waits between probes of a gateway that is shut, where its own section does not say.
    pub probe: Backoff,
    /// How long after a broken call the platform is first asked whether it has the message.
    pub ask_after: Duration,
    /// How long the platform is asked about a message of which it can't tell, before the rule's choice is
    /// followed.
    pub unknown_time: Duration,
    /// When the platform is first asked whether a message has arrived.
    pub plan: AskPlan,
}

/// Shows that a loop is alive: it beats at least every 10 seconds while it works.
#[derive(Debug)]
pub struct Pulse(Mutex<Instant>);

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long ago the last beat was.
    pub fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// The worker that sends.
pub struct Dispatch {
    /// Where messages wait.
    pub spool: Arc<dyn Spool>,
    /// Where they go, and whether they may.
    pub lines: Arc<Lines>,
    /// When each gateway last called back.
    pub flow: Flow,
    /// Shows that the worker is alive.
    pub pulse: Arc<Pulse>,
    /// Whether the platform counts as we do.
    pub figures: Figures,
    /// What the gateways do.
    pub traffic: Traffic,
    /// How.
    pub settings: Settings,
}

impl Dispatch {
    /// Works until `shutdown` turns true, then waits for the calls under way.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let signals = self.spool.signals();
        let worker = Arc::new(self);
        let mut desk = Desk::default();
        let mut calls = JoinSet::new();
        while !*shutdown.borrow_and_update() {
            worker.pulse.beat();
            // All that have ended make room, so that those that wait are claimed in one commit.
            while calls.try_join_next().is_some() {}
            let wait = match worker.round(&mut desk, &mut calls, Timestamp::now()).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "the spool does not answer; trying again");
                    SPOOL_PAUSE
                }
            };
            tokio::select! {
                _ = shutdown.changed() => {}
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
                () = signals.due.notified() => {}
                () = signals.unknown.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        while calls.join_next().await.is_some() {
            worker.pulse.beat();
        }
    }
}
