//! What is known of those who are expected and of the tests: for readiness, metrics and pages.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::words::spelled;
use crate::model::{AlwaysMasked, SourceKind};

/// Everything at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct View {
    /// Who is expected.
    pub expected: Vec<ExpectedView>,
    /// The tests.
    pub heartbeats: Vec<HeartbeatView>,
}

/// Somebody who is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedView {
    /// What it is.
    pub kind: SourceKind,
    /// Its name.
    pub name: String,
    /// How long they may be silent, in seconds.
    pub within_seconds: u64,
    /// From when on they are expected.
    pub since: Timestamp,
    /// When they were heard of last.
    pub heard_at: Option<Timestamp>,
    /// Whether they have been silent for too long.
    pub is_silent: bool,
    /// When they will be, or became so.
    pub silent_at: Timestamp,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeartbeatView {
    /// Its name.
    pub name: String,
    /// When the next is sent.
    pub next_at: Option<Timestamp>,
    /// The submission of the one that is under way.
    pub open: Option<String>,
    /// When it was known what became of the last one; nothing where none has ended yet.
    pub ended_at: Option<Timestamp>,
    /// When it was known last that one was delivered.
    pub delivered_at: Option<Timestamp>,
    /// Why the last one failed. It may name a number: for who may see it.
    pub failure: Option<String>,
}

impl View {
    /// Why the relay is not ready for it, a sentence each, without full numbers: anybody may ask. Who is silent only where
    /// `with_silent`.
    pub(super) fn trouble(&self, with_silent: bool) -> Vec<String> {
        let silent = self.expected.iter().filter(|one| one.is_silent && with_silent).map(|one| {
            let last = match one.heard_at {
                Some(at) => format!("last at {at:.0}"),
                None => format!("expected since {:.0}", one.since),
            };
            let within = spelled(Duration::from_secs(one.within_seconds));
            format!("{} {}: nothing was heard for {within} or more, {last}", one.kind.as_str(), one.name)
        });
        let failed = self.heartbeats.iter().filter_map(|one| {
            let (at, failure) = (one.ended_at?, one.failure.as_ref()?);
            let failure = AlwaysMasked(failure);
            Some(format!("heartbeat {}: the test SMS failed at {at:.0}: {failure}", one.name))
        });
        silent.chain(failed).collect()
    }
}
