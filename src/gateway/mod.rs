//! The way to the platform: one trait, and the clients that speak its APIs.
//!
//! A client judges every answer, once, into a [`SendOutcome`] or [`StatusOutcome`]; it never
//! retries by itself and keeps no state of messages.

mod answer;
#[cfg(test)]
pub(crate) mod fake;
mod flow;
mod legacy;
mod lines;
pub mod notification;
mod roll;
mod shared_gate;
mod template;
pub mod universal;
mod wire;
mod words;

use async_trait::async_trait;

use crate::model::{Channel, CreditOutcome, Legacy, MessageId, SendOutcome, Sms, StatusOutcome, Template};

pub use flow::Flow;
pub use lines::{Line, LineSettings, Lines};
pub use roll::{Roll, gone};
pub use shared_gate::{Probe, SharedGate};
pub(crate) use universal::first_cause;

/// A platform account that takes messages. Every call is bounded in time by the gateway's own time-outs.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// Hands one SMS over by the SMS Universal API.
    async fn send(&self, sms: &Sms) -> SendOutcome;

    /// Hands one text to many phones over by the SMS Legacy API, in one call; all of `sms` have one sender,
    /// text and set of options, and there is at least one. The outcome holds for all of them: where the platform
    /// says that it processed fewer than there are, nobody can say which, and it is
    /// [`SendOutcome::Unknown`].
    async fn send_many(&self, sms: &[Sms], legacy: Legacy) -> SendOutcome;

    /// Hands `sms` over as a template of another channel: its phone and its id count, its text does not.
    async fn send_template(&self, sms: &Sms, template: &Template) -> SendOutcome;

    /// Asks where a message is that went by `channel`.
    async fn status(&self, id: &MessageId, channel: Channel) -> StatusOutcome;

    /// Asks what is left of the account's credit (SMS Legacy API, "Check credit").
    async fn credit(&self) -> CreditOutcome;
}
