//! What is known, as metrics.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::view::View;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Expected {
    kind: &'static str,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    name: String,
    result: &'static str,
}

type Times<L> = Family<L, Gauge<f64, AtomicU64>>;

/// Who was never heard of, and a test that never ended, have no time.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    silent: Family<Expected, Gauge>,
    heard: Times<Expected>,
    failed: Family<Named, Gauge>,
    ended: Times<Named>,
    results: Family<Ended, Counter>,
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

impl Figures {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { silent, heard, failed, ended, results } = self.clone();
        let help = "Whether somebody who is expected has been silent for too long (1) or not (0)";
        registry.register("sms_relay_expected_silent", help, silent);
        let help = "When somebody who is expected was heard of last, in seconds since 1970";
        registry.register("sms_relay_expected_heard_timestamp_seconds", help, heard);
        let help = "Whether the last test SMS that has ended failed (1) or was delivered in time (0)";
        registry.register("sms_relay_heartbeat_failed", help, failed);
        let help = "When it was known what became of the last test SMS, in seconds since 1970";
        registry.register("sms_relay_heartbeat_ended_timestamp_seconds", help, ended);
        registry.register("sms_relay_heartbeats", "Test SMS by name and result", results);
    }

    /// Shows `view` in place of what was shown before.
    pub(super) fn show(&self, before: &View, view: &View) {
        let expected = |kind: &'static str, name: &str| Expected { kind, name: name.to_owned() };
        for gone in before.expected.iter().filter(|one| !has_expected(view, one.kind.as_str(), &one.name)) {
            let labels = expected(gone.kind.as_str(), &gone.name);
            self.silent.remove(&labels);
            self.heard.remove(&labels);
        }
        for one in &view.expected {
            let labels = expected(one.kind.as_str(), &one.name);
            self.silent.get_or_create(&labels).set(i64::from(one.is_silent));
            match one.heard_at {
                Some(at) => drop(self.heard.get_or_create(&labels).set(seconds(at))),
                None => drop(self.heard.remove(&labels)),
            }
        }
        let is_there = |name: &str| view.heartbeats.iter().any(|one| one.name == name);
        for gone in before.heartbeats.iter().filter(|one| !is_there(&one.name)) {
            let labels = Named { name: gone.name.clone() };
            self.failed.remove(&labels);
            self.ended.remove(&labels);
        }
        for one in &view.heartbeats {
            let Some(at) = one.ended_at else { continue };
            let labels = Named { name: one.name.clone() };
            self.failed.get_or_create(&labels).set(i64::from(one.failure.is_some()));
            self.ended.get_or_create(&labels).set(seconds(at));
        }
    }

    /// Counts a test that has ended: `delivered`, `failed` or `missed`.
    pub(super) fn count(&self, name: &str, result: &'static str) {
        self.results.get_or_create(&Ended { name: name.to_owned(), result }).inc();
    }
}

fn has_expected(view: &View, kind: &str, name: &str) -> bool {
    view.expected.iter().any(|one| one.kind.as_str() == kind && one.name == name)
}
