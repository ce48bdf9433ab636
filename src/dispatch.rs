//! The only way out: claims what is due, calls the gateway, writes what came of it.

use std::time::Duration;

use crate::retry::Backoff;

/// What dispatch is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Calls to the gateway at a time.
    pub concurrency: usize,
    /// Waits between attempts of one message.
    pub backoff: Backoff,
    /// Waits between probes of a gateway whose account or address is wrong, or which is down.
    pub probe: Backoff,
    /// How long after a broken call the platform is first asked whether it has the message.
    pub ask_after: Duration,
    /// How long the platform is asked about a message of which it can't tell, before it is sent again.
    pub unknown_time: Duration,
}
