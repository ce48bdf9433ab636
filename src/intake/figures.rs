//! What intake counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::model::{Fate, Submission};

/// Counters of what came in. Clones share them, and are cheap.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    dropped: Family<Labels, Counter>,
}

/// A rule's name: there are as many as the configuration has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    rule: String,
}

impl Figures {
    /// Registers them as `sms_relay_dropped_total`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "SMS that a rule dropped, by the rule";
        registry.register("sms_relay_dropped", help, self.dropped.clone());
    }

    /// Counts what of a submission that was accepted a rule dropped.
    pub(super) fn accepted(&self, dropped: Vec<String>) {
        for rule in dropped {
            self.dropped.get_or_create(&Labels { rule }).inc();
        }
    }

    /// The rule of each SMS that a rule dropped.
    pub(super) fn dropped(submission: &Submission) -> Vec<String> {
        let messages = submission.messages.iter().filter(|message| matches!(message.fate, Fate::Dropped(_)));
        messages.map(|message| message.rule.clone()).collect()
    }
}
