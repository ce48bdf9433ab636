//! The gateways that there are, each with its gate and its limits.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::{Gateway, SharedGate};
use crate::retry::Backoff;

/// One gateway with what stands before it.
#[derive(Clone)]
pub struct Line {
    /// The gateway.
    pub gateway: Arc<dyn Gateway>,
    /// Whether it may be called; the same over every reload for as long as its name stays.
    pub gate: SharedGate,
    /// How much it may be called.
    pub settings: LineSettings,
}

/// How much a gateway may be called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineSettings {
    /// Calls that send, at a time.
    pub concurrency: usize,
    /// Messages a second; `None` is without bound.
    pub messages_per_second: Option<f64>,
    /// Waits between probes while it is shut.
    pub probe: Backoff,
}

/// All gateways, in the order of the configuration. A reload exchanges them.
pub struct Lines(ArcSwap<Vec<Line>>);

impl Lines {
    /// These gateways, each behind an open gate.
    pub fn new(gateways: Vec<(Arc<dyn Gateway>, LineSettings)>) -> Self {
        let line = |(gateway, settings): (Arc<dyn Gateway>, LineSettings)| Line {
            gateway,
            gate: SharedGate::new(settings.probe),
            settings,
        };
        Self(ArcSwap::from_pointee(gateways.into_iter().map(line).collect()))
    }

    /// These gateways from now on. One whose name was there before keeps its gate, which is probed at once
    /// where it is shut; calls under way end on the gateway that they began with, and their answers count for
    /// the gate that it keeps.
    pub fn swap(&self, gateways: Vec<(Arc<dyn Gateway>, LineSettings)>, now: Timestamp) {
        let before = self.0.load_full();
        let line = |(gateway, settings): (Arc<dyn Gateway>, LineSettings)| {
            let known = before.iter().find(|line| line.gateway.name() == gateway.name());
            let gate = known.map_or_else(|| SharedGate::new(settings.probe), |line| line.gate.clone());
            gate.with(|gate| {
                gate.set_probe(settings.probe);
                gate.mended(now);
            });
            Line { gateway, gate, settings }
        };
        self.0.store(Arc::new(gateways.into_iter().map(line).collect()));
    }

    /// All of them as they are now.
    pub fn all(&self) -> Arc<Vec<Line>> {
        self.0.load_full()
    }

    /// The gateway of that name. The empty name, which stands for the only gateway of an older version's spool,
    /// is the first one's.
    pub fn named(&self, name: &str) -> Option<Line> {
        let lines = self.0.load();
        let found = lines.iter().find(|line| line.gateway.name() == name);
        found.or_else(|| lines.first().filter(|_| name.is_empty())).cloned()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::fake::Fake;
    use crate::model::{Cause, EnhancedStatus, SubmissionId};
    use crate::retry::{Answer, Permission};

    pub(in crate::gateway) fn named(name: &str) -> Arc<dyn Gateway> {
        Arc::new(Fake::new(name))
    }

    pub(in crate::gateway) fn line_settings() -> LineSettings {
        let probe = Backoff { first: Duration::from_secs(100), most: Duration::from_secs(100) };
        LineSettings { concurrency: 8, messages_per_second: None, probe }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn shut(gate: &SharedGate, second: i64) {
        let fault = Answer::Fault(Cause::new(EnhancedStatus::POLICY, "http 401"));
        gate.answered("x", SubmissionId::new(at(0)).message(1), fault, at(second));
    }

    #[test]
    fn a_reload_keeps_each_gate_by_its_name_and_probes_it_at_once() {
        let lines = Lines::new(vec![(named("a"), line_settings()), (named("b"), line_settings())]);
        let (a, b) = (lines.named("a").unwrap().gate, lines.named("b").unwrap().gate);
        shut(&a, 0);
        let narrow = LineSettings { concurrency: 1, ..line_settings() };
        // The other way round, so that no place is taken for a name.
        lines.swap(
            vec![(named("b"), line_settings()), (named("c"), line_settings()), (named("a"), narrow)],
            at(5),
        );
        let all = lines.all();
        let states: Vec<Permission> =
            all.iter().map(|line| line.gate.with(|gate| gate.permission(at(5)))).collect();
        assert_eq!(states, [Permission::Free, Permission::Free, Permission::Probe]);
        assert_eq!(all[2].settings.concurrency, 1);
        // An answer to a call of before the reload reaches the gate of after it.
        shut(&b, 6);
        assert!(all[0].gate.trouble().is_some() && all[1].gate.trouble().is_none());
    }

    #[test]
    fn a_reload_brings_other_waits_between_probes() {
        let lines = Lines::new(vec![(named("a"), line_settings())]);
        let probe = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(1) };
        lines.swap(vec![(named("a"), LineSettings { probe, ..line_settings() })], at(0));
        let gate = lines.named("a").unwrap().gate;
        shut(&gate, 0);
        assert_eq!(gate.with(|gate| gate.permission(at(1))), Permission::Probe);
    }

    #[test]
    fn no_name_is_the_first_one_s() {
        let lines = Lines::new(vec![(named("a"), line_settings()), (named("b"), line_settings())]);
        let name = |of: &str| lines.named(of).map(|line| line.gateway.name().to_owned());
        assert_eq!(["", "b", "c"].map(name), [Some("a".to_owned()), Some("b".to_owned()), None]);
    }
}
