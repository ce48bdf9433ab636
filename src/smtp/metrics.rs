//! What the SMTP door counts, for Prometheus.
//!
//! Every name begins with `sms_relay_smtp_`. Labels have few values and never one that a client chooses:
//! no address, no name, no text. Series whose labels are known beforehand exist from the start with 0, so
//! that the first of its kind is a rise that an alert can see.

use std::fmt::{self, Write as _};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::gate::Full;
use crate::tls::Expiry;

/// The door's counters. Clones share them, and are cheap.
#[derive(Clone, Debug)]
pub struct Metrics {
    accepted: Counter,
    refused: Family<RefusedLabels, Counter>,
    open: Gauge,
    ended: Family<EndedLabels, Counter>,
    messages_accepted: Counter,
    messages_refused: Family<CodeLabels, Counter>,
    recipients_accepted: Counter,
    recipients_refused: Family<CodeLabels, Counter>,
    authentications: Family<AuthenticationLabels, Counter>,
    handshakes: Family<HandshakeLabels, Counter>,
    expiry: Expiry,
}

/// Makes an enum whose variants are label values; its `ALL` is what exists from the start.
macro_rules! label_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                encoder.write_str(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}

label_values! {
    /// Why a connection was refused.
    Cause {
        /// The client is in none of the listener's networks.
        Network = "network",
        /// All connections were taken.
        InAll = "in_all",
        /// The client had as many as it may.
        PerClient = "per_client",
        /// Its configured network had as many as it may.
        PerNetwork = "per_network",
        /// No good PROXY header came from a load balancer.
        ProxyHeader = "proxy_header",
    }
}

label_values! {
    /// How a session ended.
    End {
        /// QUIT.
        Quit = "quit",
        /// The client closed or reset the connection.
        Left = "left",
        /// A command or a message did not come in time, or the session took too long.
        TimedOut = "timed_out",
        /// Too many refused commands.
        Errors = "errors",
        /// The connection's allotment was used up.
        Spent = "spent",
        /// Its account was removed by a reload.
        NoAccount = "no_account",
        /// TLS could not be agreed on.
        Tls = "tls",
        /// The daemon stops.
        Shutdown = "shutdown",
        /// It spoke HTTP or something else that is not SMTP.
        NotSmtp = "not_smtp",
    }
}

label_values! {
    /// What became of an authentication.
    Authentication {
        /// 235.
        Ok = "ok",
        /// 535.
        Failed = "failed",
        /// 454: not tried, since the client had failed too often.
        Limited = "limited",
        /// 454: not tried, since too many others were.
        Unavailable = "unavailable",
    }
}

label_values! {
    /// What became of a TLS handshake.
    Handshake {
        /// Done with TLS 1.2.
        Tls12 = "1.2",
        /// Done with TLS 1.3.
        Tls13 = "1.3",
        /// Not done; then there is no version.
        Failed = "none",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndedLabels {
    how: End,
}

/// Codes come from this program and from intake, so there are a dozen or two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthenticationLabels {
    result: Authentication,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    result: &'static str,
    version: Handshake,
}

/// A connection that counts as open until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            accepted: Counter::default(),
            refused: Family::default(),
            open: Gauge::default(),
            ended: Family::default(),
            messages_accepted: Counter::default(),
            messages_refused: Family::default(),
            recipients_accepted: Counter::default(),
            recipients_refused: Family::default(),
            authentications: Family::default(),
            handshakes: Family::default(),
            expiry: Expiry::new(),
        };
        for &cause in Cause::ALL {
            drop(metrics.refused.get_or_create(&RefusedLabels { cause }));
        }
        for &how in End::ALL {
            drop(metrics.ended.get_or_create(&EndedLabels { how }));
        }
        for &result in Authentication::ALL {
            drop(metrics.authentications.get_or_create(&AuthenticationLabels { result }));
        }
        for &outcome in Handshake::ALL {
            drop(metrics.handshakes.get_or_create(&HandshakeLabels::from(outcome)));
        }
        metrics
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts them into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("sms_relay_smtp");
        let accepted = "SMTP connections that were let in";
        registry.register("connections_accepted", accepted, self.accepted.clone());
        let refused = "SMTP connections that were closed before the greeting, by cause";
        registry.register("connections_refused", refused, self.refused.clone());
        let open = "SMTP connections that are open now, without those that were refused";
        registry.register("open_connections", open, self.open.clone());
        registry.register("sessions_ended", "SMTP sessions that have ended, by how", self.ended.clone());
        let accepted = "Mails that were stored and answered 250";
        registry.register("messages_accepted", accepted, self.messages_accepted.clone());
        let refused = "Mails refused at MAIL or at the end of their text, by reply code; not those whose recipients all were";
        registry.register("messages_refused", refused, self.messages_refused.clone());
        let accepted = "Recipients that were answered 250";
        registry.register("recipients_accepted", accepted, self.recipients_accepted.clone());
        let refused = "Recipients refused at RCPT, by reply code; not those that could not be read";
        registry.register("recipients_refused", refused, self.recipients_refused.clone());
        let authentications = "Credentials that were shown, by result; not those that nobody looked at";
        registry.register("authentications", authentications, self.authentications.clone());
        let handshakes = "TLS handshakes by result and version";
        registry.register("tls_handshakes", handshakes, self.handshakes.clone());
        self.expiry.register(registry);
    }

    /// A connection was let in: its client is known and no limit was reached.
    #[must_use = "the connection counts as open until this is dropped"]
    pub fn connection_accepted(&self) -> OpenConnection {
        self.accepted.inc();
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// A connection was refused.
    pub fn connection_refused(&self, cause: Cause) {
        self.refused.get_or_create(&RefusedLabels { cause }).inc();
    }

    /// A session of an accepted connection has ended.
    pub fn session_ended(&self, how: End) {
        self.ended.get_or_create(&EndedLabels { how }).inc();
    }

    /// A mail was stored and answered 250.
    pub fn message_accepted(&self) {
        self.messages_accepted.inc();
    }

    /// A mail was refused with this reply code.
    pub fn message_refused(&self, code: u16) {
        self.messages_refused.get_or_create(&CodeLabels { code }).inc();
    }

    /// A recipient was answered 250.
    pub fn recipient_accepted(&self) {
        self.recipients_accepted.inc();
    }

    /// A recipient was refused with this reply code.
    pub fn recipient_refused(&self, code: u16) {
        self.recipients_refused.get_or_create(&CodeLabels { code }).inc();
    }

    /// An AUTH command has its result.
    pub fn authentication(&self, result: Authentication) {
        self.authentications.get_or_create(&AuthenticationLabels { result }).inc();
    }

    /// A TLS handshake has its result.
    pub fn tls_handshake(&self, outcome: Handshake) {
        self.handshakes.get_or_create(&HandshakeLabels::from(outcome)).inc();
    }

    /// When the certificates expire.
    pub fn expiry(&self) -> &Expiry {
        &self.expiry
    }
}

impl From<&Full> for Cause {
    fn from(full: &Full) -> Self {
        match full {
            Full::InAll => Self::InAll,
            Full::Client(_) => Self::PerClient,
            Full::Network(_) => Self::PerNetwork,
        }
    }
}

impl From<Handshake> for HandshakeLabels {
    fn from(version: Handshake) -> Self {
        let result = match version {
            Handshake::Tls12 | Handshake::Tls13 => "ok",
            Handshake::Failed => "failed",
        };
        Self { result, version }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::model::ClientKey;

    /// Samples in order of their text, without HELP, TYPE and UNIT.
    fn samples(registry: &Registry) -> Vec<String> {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        let prefix = "sms_relay_smtp_";
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut samples: Vec<String> =
            lines.map(|line| line.strip_prefix(prefix).unwrap().to_owned()).collect();
        samples.sort();
        samples
    }

    fn registered() -> (Metrics, Registry) {
        let (metrics, mut registry) = (Metrics::new(), Registry::default());
        metrics.register(&mut registry);
        (metrics, registry)
    }

    #[test]
    fn what_is_known_beforehand_is_there_at_zero() {
        assert_eq!(
            samples(&registered().1),
            [
                "authentications_total{result=\"failed\"} 0",
                "authentications_total{result=\"limited\"} 0",
                "authentications_total{result=\"ok\"} 0",
                "authentications_total{result=\"unavailable\"} 0",
                "connections_accepted_total 0",
                "connections_refused_total{cause=\"in_all\"} 0",
                "connections_refused_total{cause=\"network\"} 0",
                "connections_refused_total{cause=\"per_client\"} 0",
                "connections_refused_total{cause=\"per_network\"} 0",
                "connections_refused_total{cause=\"proxy_header\"} 0",
                "messages_accepted_total 0",
                "open_connections 0",
                "recipients_accepted_total 0",
                "sessions_ended_total{how=\"errors\"} 0",
                "sessions_ended_total{how=\"left\"} 0",
                "sessions_ended_total{how=\"no_account\"} 0",
                "sessions_ended_total{how=\"not_smtp\"} 0",
                "sessions_ended_total{how=\"quit\"} 0",
                "sessions_ended_total{how=\"shutdown\"} 0",
                "sessions_ended_total{how=\"spent\"} 0",
                "sessions_ended_total{how=\"timed_out\"} 0",
                "sessions_ended_total{how=\"tls\"} 0",
                "tls_handshakes_total{result=\"failed\",version=\"none\"} 0",
                "tls_handshakes_total{result=\"ok\",version=\"1.2\"} 0",
                "tls_handshakes_total{result=\"ok\",version=\"1.3\"} 0",
            ]
        );
    }

    #[test]
    fn each_event_is_counted_once_and_where_it_belongs() {
        let (metrics, registry) = registered();
        let before = samples(&registry);
        let shared = metrics.clone();
        let open = [metrics.connection_accepted(), shared.connection_accepted()];
        shared.connection_refused(Cause::Network);
        shared.session_ended(End::Quit);
        shared.message_accepted();
        shared.message_refused(552);
        shared.recipient_accepted();
        shared.recipient_refused(550);
        shared.recipient_refused(550);
        shared.recipient_refused(452);
        shared.authentication(Authentication::Failed);
        shared.tls_handshake(Handshake::Tls13);
        shared.tls_handshake(Handshake::Failed);
        let changed = || {
            let after = samples(&registry);
            after.into_iter().filter(|line| !before.contains(line)).collect::<Vec<_>>()
        };
        assert_eq!(
            changed(),
            [
                "authentications_total{result=\"failed\"} 1",
                "connections_accepted_total 2",
                "connections_refused_total{cause=\"network\"} 1",
                "messages_accepted_total 1",
                "messages_refused_total{code=\"552\"} 1",
                "open_connections 2",
                "recipients_accepted_total 1",
                "recipients_refused_total{code=\"452\"} 1",
                "recipients_refused_total{code=\"550\"} 2",
                "sessions_ended_total{how=\"quit\"} 1",
                "tls_handshakes_total{result=\"failed\",version=\"none\"} 1",
                "tls_handshakes_total{result=\"ok\",version=\"1.3\"} 1",
            ]
        );
        drop(open);
        assert!(!changed().iter().any(|line| line.starts_with("open_connections")), "back at 0");
    }

    #[test]
    fn each_limit_of_the_gate_has_its_cause() {
        let client = ClientKey::from(std::net::IpAddr::from([192, 0, 2, 1]));
        let causes =
            [Full::InAll, Full::Client(client), Full::Network("lan".into())].map(|full| Cause::from(&full));
        assert_eq!(causes, [Cause::InAll, Cause::PerClient, Cause::PerNetwork]);
    }

    #[test]
    fn units_and_types_are_told() {
        let (_metrics, registry) = registered();
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "# TYPE sms_relay_smtp_connections_accepted counter\n",
            "# TYPE sms_relay_smtp_open_connections gauge\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
