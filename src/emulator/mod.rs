//! The platform on loopback, for demo, tests and operators who try a configuration.
//!
//! It speaks every endpoint of the platform's API that the relay knows: the universal SMS send and
//! the status endpoint, the legacy send and the credit, the template sends of RCS and WhatsApp,
//! and the delivery callbacks. It is stricter than the platform is said to be: a field that is
//! unknown, of another type or null is a 400, so that a mistake of ours shows here first. It counts
//! parts by itself, apart from the relay's `text` module.
//!
//! # What it answers to wrong requests
//! | request | answer |
//! |---|---|
//! | credentials wrong or missing | 401 |
//! | content type, JSON, a field's presence, type or form (`udhData`, `scheduledDate`, `campaignId`) | 400, every field named |
//! | a sender that no phone shows | 422 |
//! | a destination that is no number in international form | 200, not accepted, with the reason |
//! | a status of an id that was never accepted | 404 |
//!
//! A message whose id was accepted before is accepted again and recorded as a second one:
//! [`Record::repeated`] shows what would have been sent twice. A simulated message is recorded and
//! neither paid nor delivered; its status stays UNKNOWN.
//!
//! # Faults
//! [`Emulator::order`], or `POST /emulator/faults` from another process, orders what goes wrong: a
//! rule says for which requests (endpoint, destination, body), how often, and which [`Fault`].
//! Requests must be well-formed and authorised to meet a fault. One rule strikes a request, the
//! first that fits. For example, in JSON:
//! ```json
//! {"destination": "+393471234567", "times": 2, "fault": {"kind": "status", "code": 429, "retry_after": "3"}}
//! {"fault": {"kind": "reset", "recorded": true}}
//! {"endpoint": "status", "fault": {"kind": "hold"}}
//! {"body_contains": "lost", "fault": {"kind": "deliver", "outcome": "expired"}}
//! ```
//! `recorded` decides whether the message is accepted before the fault strikes. A hold keeps the
//! request until [`Emulator::release`] (`POST /emulator/release`), a gate for tests that end the
//! client meanwhile. The other control endpoints: `GET /emulator/accepted?after=N`,
//! `GET /emulator/record`, `GET /emulator/wait?accepted=N&delivered=N&held=N&status_requests=N&callbacks=N&seconds=S`
//! (answers when all that is reached), `GET` and `DELETE /emulator/faults`, `POST /emulator/credit`, and
//! `POST /emulator/callbacks` with `/url`, `/pause` and `/resume` below it. They answer loopback
//! peers only and ask for no credentials.
//!
//! # Callbacks
//! They are made when a message ends, one a part, each tried four times. [`CallbackSettings`] says how many at a
//! time, how late, in order or shuffled, and whether some of them come twice. They name the id that the answer
//! told: the client's, or the platform's own where [`Settings::own_ids`] wants that, and for every template that
//! came with a `customerMessageId`.
//!
//! # Limits
//! 100,000 messages or 64 MiB of texts are kept unless [`Settings::keep`] wants more, 4,096 connections
//! served at a time, 1,000 fault rules and request bodies of 256 KiB taken. Nothing is written to
//! disk: an emulator that ends forgets.

mod callbacks;
mod control;
mod delivery;
mod faults;
mod fields;
mod legacy;
mod message;
mod parts;
mod platform;
mod record;
mod server;
mod status;
mod template;
mod universal;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use callbacks::CallbackSettings;
use callbacks::Target;
pub use faults::{Endpoint, Fault, FaultError, FaultRule, Outcome};
pub use message::{Accepted, Channel, Screen, Status};
use platform::Platform;
pub use record::{Callbacks, Record, Requests};

use crate::model::Secret;

/// How the emulator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The key that `X-Api-Key` must show. With neither this nor `basic`, anyone is let in.
    pub api_key: Option<Secret>,
    /// User name and password that HTTP Basic may show instead.
    pub basic: Option<(String, Secret)>,
    /// Where callbacks go; none are made without it. A user name and password in it are shown as HTTP Basic. It
    /// may also be told later, by [`Emulator::call_back_to`].
    pub callback_url: Option<String>,
    /// How they are made.
    pub callbacks: CallbackSettings,
    /// Which of the two documented forms callbacks have.
    pub callback_shape: CallbackShape,
    /// Which of the two documented forms answers to a send have.
    pub answer_shape: AnswerShape,
    /// Whether the platform answers with ids of its own instead of the client's, which its callbacks then name; for
    /// a template with a `customerMessageId` it always does.
    pub own_ids: bool,
    /// How messages end.
    pub delivery: Delivery,
    /// How many messages are kept; older ones are forgotten.
    pub keep: usize,
    /// The credit at the start; each part costs 0.035.
    pub credit: u32,
}

impl Default for Settings {
    /// A free port on loopback, everybody let in, delivery after a second.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: None,
            basic: None,
            callback_url: None,
            callbacks: CallbackSettings::default(),
            callback_shape: CallbackShape::Universal,
            answer_shape: AnswerShape::Object,
            own_ids: false,
            keep: record::MESSAGES,
            delivery: Delivery { delay: Duration::from_secs(1), outcome: Outcome::Delivered },
            credit: 1000,
        }
    }
}

/// How and when a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// After it was accepted, or after its scheduled date.
    pub delay: Duration,
    /// How.
    pub outcome: Outcome,
}

/// The form of an answer to a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerShape {
    /// `results.sms.{accepted,unicode,parts,reasons}` (SMS Universal).
    Object,
    /// `results[].{phoneNumber,accepted,channel,statusCode}` (Quick Start).
    Array,
}

/// The form of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackShape {
    /// With `destination`, `description` and `eventDate` (SMS Universal).
    Universal,
    /// With `statusDescription` and `timestamp`, without a destination (use case UC-001).
    UseCase,
}

/// Why the emulator can't start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The address is taken or not ours.
    #[error("the emulator cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The callback URL is none.
    #[error("the emulator's callback URL `{url}` is not an http or https URL")]
    CallbackUrl {
        /// The URL.
        url: String,
    },
    /// Nobody said where callbacks go.
    #[error("the emulator has no callback URL")]
    NoCallbackUrl,
    /// The client for callbacks can't be built, or a callback had no answer.
    #[error("the emulator cannot make callbacks: {0}")]
    Client(#[from] reqwest::Error),
}

/// What a test waited for did not happen in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the emulator waited {0:?} in vain")]
pub struct InVain(pub Duration);

/// A running emulator. Its tasks end with it.
pub struct Emulator {
    address: SocketAddr,
    platform: Arc<Platform>,
    tasks: JoinSet<()>,
}

impl Emulator {
    /// Starts listening. The port is open when this returns.
    ///
    /// # Errors
    /// An [`EmulatorError`] when it can't listen or the callback URL is wrong.
    pub async fn start(settings: Settings) -> Result<Self, EmulatorError> {
        let target = settings.callback_url.as_deref().map(Target::new).transpose()?;
        let unbound = |source| EmulatorError::Bind { address: settings.bind, source };
        let listener = TcpListener::bind(settings.bind).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
        let platform = Platform::new(settings, target);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&platform)));
        tasks.spawn(delivery::deliver(Arc::clone(&platform)));
        tasks.spawn(delivery::call_back(Arc::clone(&platform)));
        Ok(Self { address, platform, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What a gateway's `base_url` is to be.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks at the record. Keep it short: every request waits meanwhile.
    pub fn record<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        self.platform.read(look)
    }

    /// The accepted messages in order.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.record(|record| record.accepted().cloned().collect())
    }

    /// Requests so far.
    pub fn requests(&self) -> Requests {
        self.record(Record::requests)
    }

    /// Waits until the record is as wanted, at most for `limit`.
    ///
    /// # Errors
    /// [`InVain`] when it was not by then.
    pub async fn wait_until(&self, wanted: impl Fn(&Record) -> bool, limit: Duration) -> Result<(), InVain> {
        if self.platform.wait_until(wanted, limit).await { Ok(()) } else { Err(InVain(limit)) }
    }

    /// Orders a fault. It strikes from the next request on.
    ///
    /// # Errors
    /// A [`FaultError`] for an order that makes no sense, or when there are 1,000 already.
    pub fn order(&self, rule: FaultRule) -> Result<(), FaultError> {
        self.platform.order(vec![rule])
    }

    /// Lets every request go on that is held now. Rules stay.
    pub fn release(&self) {
        self.platform.release();
    }

    /// Forgets every fault rule and releases what is held.
    pub fn clear_faults(&self) {
        self.platform.clear_faults();
    }

    /// Sends callbacks there from now on, those that wait among them. Messages that ended without it have none.
    ///
    /// # Errors
    /// [`EmulatorError::CallbackUrl`] when it is no URL of http or https.
    pub fn call_back_to(&self, url: &str) -> Result<(), EmulatorError> {
        self.platform.set_target(Target::new(url)?);
        Ok(())
    }

    /// Keeps callbacks back until [`resume_callbacks`](Self::resume_callbacks); those under way go on.
    pub fn pause_callbacks(&self) {
        self.platform.pause_callbacks(true);
    }

    /// Lets callbacks go again.
    pub fn resume_callbacks(&self) {
        self.platform.pause_callbacks(false);
    }

    /// Makes one callback now, once, with whatever JSON, and tells the status code of the answer. It is not
    /// counted.
    ///
    /// # Errors
    /// [`EmulatorError::NoCallbackUrl`], or [`EmulatorError::Client`] when there is no answer.
    pub async fn call_back(&self, json: &serde_json::Value) -> Result<u16, EmulatorError> {
        let target = self.platform.target().ok_or(EmulatorError::NoCallbackUrl)?;
        Ok(delivery::post(&target, json).await?.as_u16())
    }

    /// Sets the credit that is left; it may be below zero.
    pub fn set_credit(&self, thousandths: i64) {
        self.platform.set_credit(thousandths);
    }

    /// Closes the port and every connection at once.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
