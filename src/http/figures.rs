//! What the door counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of the door. Clones share them, and are cheap.
#[derive(Clone, Debug)]
pub struct Figures {
    calls: Family<Labels, Counter>,
    auth_failures: Family<Labels, Counter>,
    handshakes: Family<HandshakeLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// As those of SMTP's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    result: &'static str,
    version: &'static str,
}

/// What came of a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// Done with TLS 1.2.
    Tls12,
    /// Done with TLS 1.3.
    Tls13,
    /// Not done, for whatever reason; then there is no version.
    Failed,
}

/// What came of a call of the platform.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Ok,
    Denied,
    Unreadable,
    Unavailable,
}

/// Why a credential was of no use.
#[derive(Clone, Copy, Debug)]
pub(super) enum AuthFailure {
    /// It is nobody's.
    Failed,
    /// Its client has failed too often, and it was not looked at.
    Limited,
    /// Too many were checked at the time.
    Unavailable,
}

impl Call {
    const ALL: [Self; 4] = [Self::Ok, Self::Denied, Self::Unreadable, Self::Unavailable];

    fn labels(self) -> Labels {
        let result = match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Unreadable => "unreadable",
            Self::Unavailable => "unavailable",
        };
        Labels { result }
    }
}

impl AuthFailure {
    const ALL: [Self; 3] = [Self::Failed, Self::Limited, Self::Unavailable];

    fn labels(self) -> Labels {
        let result = match self {
            Self::Failed => "failed",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
        };
        Labels { result }
    }
}

impl Handshake {
    const ALL: [Self; 3] = [Self::Tls12, Self::Tls13, Self::Failed];

    fn labels(self) -> HandshakeLabels {
        let (result, version) = match self {
            Self::Tls12 => ("ok", "1.2"),
            Self::Tls13 => ("ok", "1.3"),
            Self::Failed => ("failed", "none"),
        };
        HandshakeLabels { result, version }
    }
}

impl Default for Figures {
    fn default() -> Self {
        let (calls, auth_failures, handshakes) = (Family::default(), Family::default(), Family::default());
        for call in Call::ALL {
            drop(calls.get_or_create(&call.labels()));
        }
        for failure in AuthFailure::ALL {
            drop(auth_failures.get_or_create(&failure.labels()));
        }
        for handshake in Handshake::ALL {
            drop(handshakes.get_or_create(&handshake.labels()));
        }
        Self { calls, auth_failures, handshakes }
    }
}

impl Figures {
    /// All at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts them into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        let calls = "Requests to the path of the platform's callbacks, by what came of them";
        registry.register("sms_relay_callback_requests", calls, self.calls.clone());
        let failures = "Credentials shown at the HTTP door that were of no use, by why";
        registry.register("sms_relay_http_auth_failures", failures, self.auth_failures.clone());
        let handshakes = "TLS handshakes at the HTTP door by result and version";
        registry.register("sms_relay_http_tls_handshakes", handshakes, self.handshakes.clone());
    }

    pub(super) fn call(&self, call: Call) {
        self.calls.get_or_create(&call.labels()).inc();
    }

    pub(super) fn auth_failure(&self, failure: AuthFailure) {
        self.auth_failures.get_or_create(&failure.labels()).inc();
    }
    pub(super) fn tls_handshake(&self, handshake: Handshake) {
        self.handshakes.get_or_create(&handshake.labels()).inc();
    }
}
