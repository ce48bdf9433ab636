//! The way to the platform: one trait, and the clients that speak its APIs.
//!
//! A client judges every answer, once, into a [`SendOutcome`] or [`StatusOutcome`]; it never
//! retries by itself and keeps no state of messages.

mod answer;
mod shared_gate;
mod swappable;
pub mod universal;
mod wire;
mod words;

use async_trait::async_trait;

use crate::model::{MessageId, SendOutcome, Sms, StatusOutcome};

pub use shared_gate::SharedGate;
pub use swappable::Swappable;

/// A platform account that takes SMS.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// Hands one SMS over. Bounded in time by the gateway's own time-outs.
    async fn send(&self, sms: &Sms) -> SendOutcome;

    /// Asks where a message is. Bounded in time likewise.
    async fn status(&self, id: &MessageId) -> StatusOutcome;
}
