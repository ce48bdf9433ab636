//! What the gateways do, as metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::model::SendOutcome;

/// Counters of the calls that send, and whether each gateway can be called. Clones share them, and are cheap.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    open: Family<OfGateway, Gauge>,
    calls: Family<OfCall, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGateway {
    gateway: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCall {
    gateway: String,
    outcome: &'static str,
}

/// Every word of the label `outcome`.
const OUTCOMES: [&str; 5] = ["accepted", "refused", "later", "fault", "unknown"];

impl Traffic {
    /// Without a gateway.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts them into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Whether messages can go by a gateway: 0 while it is shut or paused for long";
        registry.register("sms_relay_gateway_open", help, self.open.clone());
        registry.register("sms_relay_calls", "Calls that send, by what came of them", self.calls.clone());
    }

    /// Whether `gateway` can be called. Its series are there from the first time on.
    pub(super) fn set_open(&self, gateway: &str, open: bool) {
        let labels = OfGateway { gateway: gateway.to_owned() };
        if self.open.get(&labels).is_none() {
            for outcome in OUTCOMES {
                drop(self.calls.get_or_create(&OfCall { gateway: gateway.to_owned(), outcome }));
            }
        }
        self.open.get_or_create(&labels).set(open.into());
    }

    /// `gateway` is not configured any more. What it did stays counted.
    pub(super) fn forget(&self, gateway: &str) {
        self.open.remove(&OfGateway { gateway: gateway.to_owned() });
    }

    /// What came of a call.
    pub(super) fn count(&self, gateway: &str, outcome: &SendOutcome) {
        let outcome = match outcome {
            SendOutcome::Accepted { .. } => "accepted",
            SendOutcome::Refused(_) => "refused",
            SendOutcome::Later { .. } => "later",
            SendOutcome::GatewayFault(_) => "fault",
            SendOutcome::Unknown(_) => "unknown",
        };
        self.calls.get_or_create(&OfCall { gateway: gateway.to_owned(), outcome }).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::model::{Cause, EnhancedStatus};

    fn written(traffic: &Traffic) -> String {
        let mut registry = Registry::default();
        traffic.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn a_gateway_has_all_its_series_before_its_first_call_and_keeps_its_counts() {
        let traffic = Traffic::new();
        traffic.set_open("main", true);
        let text = written(&traffic);
        assert!(text.contains("sms_relay_gateway_open{gateway=\"main\"} 1\n"), "{text}");
        for outcome in OUTCOMES {
            let series = format!("sms_relay_calls_total{{gateway=\"main\",outcome=\"{outcome}\"}} 0\n");
            assert!(text.contains(&series), "{series} is not in {text}");
        }
        traffic.set_open("main", false);
        assert!(written(&traffic).contains("sms_relay_gateway_open{gateway=\"main\"} 0\n"));
        let cause = || Cause::new(EnhancedStatus::POLICY, "x");
        let accepted = SendOutcome::Accepted { parts: None, unicode: None, platform_id: None };
        let later = SendOutcome::Later { until: None, cause: cause() };
        for (outcome, word) in [
            (accepted, "accepted"),
            (SendOutcome::Refused(cause()), "refused"),
            (later, "later"),
            (SendOutcome::GatewayFault(cause()), "fault"),
            (SendOutcome::Unknown(cause()), "unknown"),
        ] {
            traffic.count("main", &outcome);
            let series = format!("sms_relay_calls_total{{gateway=\"main\",outcome=\"{word}\"}} 1\n");
            assert!(written(&traffic).contains(&series), "{series}");
        }
        traffic.forget("main");
        let text = written(&traffic);
        assert!(!text.contains("sms_relay_gateway_open{"), "{text}");
        assert!(text.contains("sms_relay_calls_total{gateway=\"main\",outcome=\"accepted\"} 1\n"), "{text}");
    }
}
