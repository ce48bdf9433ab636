//! What the platform says of its own accord.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::gateway::Flow;
use crate::model::{About, Callback};
use crate::retry::TokenBucket;
use crate::spool::{Spool, SpoolError, Taken};

/// Lines a second about ids that nobody knows. Whoever reaches the door can make them up.
const UNKNOWN_LINES: f64 = 0.1;
/// Most characters of such an id that the log gets.
const ID_SHOWN: usize = 64;

/// Counters of callbacks. Clones share them, and are cheap.
#[derive(Clone, Debug)]
pub struct Metrics(Family<Labels, Counter>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

const NEW: Labels = Labels { result: "new" };
const LATE: Labels = Labels { result: "late" };
const REPEATED: Labels = Labels { result: "repeated" };
const EARLY: Labels = Labels { result: "early" };
const DAMAGED: Labels = Labels { result: "damaged" };
const UNKNOWN_ID: Labels = Labels { result: "unknown_id" };

impl Default for Metrics {
    fn default() -> Self {
        let family = Family::default();
        for labels in [NEW, LATE, REPEATED, EARLY, DAMAGED, UNKNOWN_ID] {
            drop(family.get_or_create(&labels));
        }
        Self(family)
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts them into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Callbacks of the platform that were taken, by what was known of them";
        registry.register("sms_relay_callbacks", help, self.0.clone());
    }
}

/// Takes callbacks in: each of them durably, those that say nothing new cheaply.
pub struct Callbacks {
    spool: Arc<dyn Spool>,
    flow: Flow,
    metrics: Metrics,
    unknown: Mutex<Option<Unknown>>,
}

/// How many unknown ids the log was spared.
struct Unknown {
    lines: TokenBucket,
    left_out: u64,
}

impl Callbacks {
    /// Into `spool`; `flow` is told that they come.
    pub fn new(spool: Arc<dyn Spool>, flow: Flow, metrics: Metrics) -> Self {
        Self { spool, flow, metrics, unknown: Mutex::default() }
    }

    /// Takes one in. `Ok` means that it is on stable storage or says nothing new, so that the platform may be told
    /// that we have it; for an unknown id and for one that is damaged, too, since telling it again would help nobody.
    ///
    /// # Errors
    /// Those of [`Spool::take_callback`]: nothing was taken, and the platform is to call again.
    pub async fn take(&self, callback: Callback, now: Timestamp) -> Result<Taken, SpoolError> {
        let about = callback.about.clone();
        let (part, parts, code) = (callback.part, callback.parts, callback.status.code());
        let channel = callback.channel;
        let taken = self.spool.take_callback(callback, now).await?;
        match &taken {
            Taken::New { id, state, gateway } => {
                self.metrics.0.get_or_create(&NEW).inc();
                if let Some(gateway) = gateway {
                    self.flow.came(gateway, now);
                }
                // Not the platform's words: it may put the number into them.
                tracing::info!(%id, %channel, part, parts, code, %state, gateway, "the platform called back");
            }
            Taken::Late { id, state } => {
                self.metrics.0.get_or_create(&LATE).inc();
                tracing::info!(%id, %channel, part, parts, code, ?state, "the platform called back about what had ended");
            }
            Taken::Repeated => {
                self.metrics.0.get_or_create(&REPEATED).inc();
                let id = shown(&about);
                tracing::debug!(id, %channel, part, parts, code, "the platform called back about what was known");
            }
            Taken::Early => {
                self.metrics.0.get_or_create(&EARLY).inc();
                let id = shown(&about);
                tracing::debug!(id, %channel, part, parts, code, "the platform called back before it told its id, or about a message that is not ours");
            }
            // The spool has said so, once.
            Taken::Damaged => {
                self.metrics.0.get_or_create(&DAMAGED).inc();
                let id = shown(&about);
                tracing::debug!(id, %channel, part, parts, code, "the platform called back about a message that is damaged in the spool");
            }
            Taken::UnknownId => {
                self.metrics.0.get_or_create(&UNKNOWN_ID).inc();
                if let Some(left_out) = self.unknown_line(now) {
                    let id = shown(&about);
                    tracing::warn!(id, %channel, part, parts, code, left_out, "the platform called back about a message that is not ours");
                }
            }
        }
        Ok(taken)
    }

    /// Whether the log gets a line about an unknown id now: then with how many were left out since the last one.
    fn unknown_line(&self, now: Timestamp) -> Option<u64> {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = unknown
            .get_or_insert_with(|| Unknown { lines: TokenBucket::new(UNKNOWN_LINES, now), left_out: 0 });
        if unknown.lines.available(now) == 0 {
            unknown.left_out += 1;
            return None;
        }
        unknown.lines.take(1, now);
        Some(std::mem::take(&mut unknown.left_out))
    }
}

/// The id as the log shows it, without signs that do something there.
fn shown(about: &About) -> String {
    match about {
        About::Ours(id) => id.to_string(),
        About::Theirs(id) => id.chars().take(ID_SHOWN).flat_map(char::escape_debug).collect(),
    }
}
