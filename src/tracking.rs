//! Follows a sent SMS to the handset by asking the platform.

use std::time::Duration;

use crate::retry::Backoff;

/// What tracking is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Waits between questions about one message.
    pub ask: Backoff,
    /// Questions under way at a time.
    pub concurrency: usize,
    /// How long after sending a message that stays silent is given up as unconfirmed.
    pub give_up_after: Duration,
}
