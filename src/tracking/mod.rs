//! Follows a sent SMS to the handset: takes what the platform says of its own accord, and asks about what
//! stays silent.
//!
//! It promises that a sent message reaches a final state: what the platform says, or, when the
//! platform stays silent for the configured time, expired as unconfirmed; that each gateway is asked
//! within its own rate and left alone while it asks for a pause; and that a platform that calls back is
//! asked less. Asking is cheap to lose: what is not written is asked again.
//!
//! - [`Tracking`]: the worker that asks; `ask`: one round of it and one question; `judge`: what an answer means (pure)
//! - [`Callbacks`]: what the platform says of its own accord

mod ask;
mod callbacks;
pub(crate) mod judge;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::gateway::{Flow, Lines};
use crate::retry::{AskPlan, Backoff};
use crate::spool::Spool;
use ask::Desk;

pub use callbacks::{Callbacks, Metrics};

/// Pause before a spool that failed is asked again.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

/// What tracking is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Waits between questions about one message.
    pub ask: Backoff,
    /// When a message is first asked about.
    pub plan: AskPlan,
    /// Questions to a gateway that are under way at a time.
    pub concurrency: usize,
    /// Questions to a gateway a second; above 0.
    pub questions_per_second: f64,
    /// How long after sending a message that stays silent is given up as unconfirmed; not before its lifetime
    /// ends.
    pub give_up_after: Duration,
}

/// The worker that asks.
pub struct Tracking {
    /// Where sent messages are.
    pub spool: Arc<dyn Spool>,
    /// Who is asked.
    pub lines: Arc<Lines>,
    /// When each gateway last called back.
    pub flow: Flow,
    /// How.
    pub settings: Settings,
}

impl Tracking {
    /// Works until `shutdown` turns true. Questions under way are dropped then.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let signals = self.spool.signals();
        let worker = Arc::new(self);
        let mut desk = Desk::default();
        let mut questions = JoinSet::new();
        while !*shutdown.borrow_and_update() {
            // All that have ended make room, so that those that wait are claimed in one commit.
            while questions.try_join_next().is_some() {}
            let wait = match worker.round(&mut desk, &mut questions, Timestamp::now()).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(%error, "the spool does not answer; trying again");
                    SPOOL_PAUSE
                }
            };
            tokio::select! {
                _ = shutdown.changed() => {}
                Some(_) = questions.join_next(), if !questions.is_empty() => {}
                () = signals.sent.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
