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
//! `GET /emulator/record`, `GET /emulator/wait?accepted=N&delivered=N&held=N&status_requests=N&seconds=S`
//! (answers when all that is reached), `GET` and `DELETE /emulator/faults`. They answer loopback
//! peers only and ask for no credentials.
//!
//! # Limits
//! 100,000 messages or 64 MiB of texts are kept, 4,096 connections and 16 messages' callbacks
//! served at a time, 1,000 fault rules and request bodies of 256 KiB taken. Nothing is written to
//! disk: an emulator that ends forgets.

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

pub use faults::{Endpoint, Fault, FaultError, FaultRule, Outcome};
pub use message::{Accepted, Channel, Screen, Status};
use platform::Platform;
pub use record::{Callbacks, Record, Requests};

use crate::model::Secret;

/// For one callback.
const CALLBACK_TIME: Duration = Duration::from_secs(10);

/// How the emulator behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The key that `X-Api-Key` must show. With neither this nor `basic`, anyone is let in.
    pub api_key: Option<Secret>,
    /// User name and password that HTTP Basic may show instead.
    pub basic: Option<(String, Secret)>,
    /// Where callbacks go; none are made without it.
    pub callback_url: Option<String>,
    /// Which of the two documented forms callbacks have.
    pub callback_shape: CallbackShape,
    /// Which of the two documented forms answers to a send have.
    pub answer_shape: AnswerShape,
    /// How messages end.
    pub delivery: Delivery,
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
            callback_shape: CallbackShape::Universal,
            answer_shape: AnswerShape::Object,
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
    /// The client for callbacks can't be built.
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
        let callbacks = settings.callback_url.as_deref().map(callback_client).transpose()?;
        let unbound = |source| EmulatorError::Bind { address: settings.bind, source };
        let listener = TcpListener::bind(settings.bind).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(unbound)?;
        let platform = Platform::new(settings);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&platform)));
        tasks.spawn(delivery::deliver(Arc::clone(&platform)));
        if let Some((client, url)) = callbacks {
            tasks.spawn(delivery::call_back(Arc::clone(&platform), client, url));
        }
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

    /// Closes the port and every connection at once.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn callback_client(url: &str) -> Result<(reqwest::Client, reqwest::Url), EmulatorError> {
    let parsed = reqwest::Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| EmulatorError::CallbackUrl { url: url.to_owned() })?;
    // An error says that a provider is installed already, which is all we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(CALLBACK_TIME);
    if parsed.scheme() == "http" {
        // Plain text needs no roots, and a machine without any can still use it.
        builder = builder.tls_certs_only([]);
    }
    Ok((builder.build()?, parsed))
}
