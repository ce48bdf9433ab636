//! Telling of certificates that have expired or soon will.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tracing::{error, warn};

use super::{Identity, Validity};

/// How often a door looks at its certificates.
pub const LOOKS: Duration = Duration::from_secs(24 * 3600);

/// When the certificates of a door expire, as a metric; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Expiry(Family<Labels, Gauge>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    listener: String,
}

impl Expiry {
    /// Knows of none yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `certificate_not_after_seconds` into `registry`, which has the door's prefix; once.
    pub fn register(&self, registry: &mut Registry) {
        // The unit becomes the end of the name.
        registry.register_with_unit(
            "certificate_not_after",
            "When the listener's certificate expires, as Unix time",
            Unit::Seconds,
            self.0.clone(),
        );
    }

    /// Shows these certificates of listeners in the metric and no others, and warns of those that are out of their time at
    /// `now` or soon will be. To be called at the start, after each reload, and every [`LOOKS`].
    pub fn look<'a>(&self, identities: impl Iterator<Item = (&'a str, &'a Identity)>, now: Timestamp) {
        self.0.clear();
        for (listener, identity) in identities {
            self.set(listener, identity.not_after().as_second());
            let validity = identity.validity(now);
            match validity {
                Validity::Good => {}
                Validity::NotYet | Validity::Expired { .. } => {
                    error!(listener, "the certificate {validity}; clients that check it will not deliver");
                }
                Validity::EndsSoon { .. } => {
                    warn!(listener, "the certificate {validity}; renew it and reload");
                }
            }
        }
    }

    /// The certificate of `listener` expires at this Unix time, in seconds.
    fn set(&self, listener: &str, unix_seconds: i64) {
        let labels = Labels { listener: listener.to_owned() };
        self.0.get_or_create(&labels).set(unix_seconds);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn the_metric_shows_the_certificates_of_the_last_look() {
        let (expiry, mut registry) = (Expiry::new(), Registry::default());
        expiry.register(registry.sub_registry_with_prefix("door"));
        let samples = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
        };
        let identity = Identity::from_pem(
            include_bytes!("../../tests/certificates/ec.pem"),
            include_bytes!("../../tests/certificates/ec.sec1.key"),
        )
        .unwrap();
        let end = identity.not_after();
        expiry.look([("a\"b", &identity), ("c", &identity)].into_iter(), end);
        let sample = |label: &str| {
            format!("door_certificate_not_after_seconds{{listener=\"{label}\"}} {}", end.as_second())
        };
        let mut found = samples();
        found.sort();
        assert_eq!(found, [sample("a\\\"b"), sample("c")]);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("# UNIT door_certificate_not_after_seconds seconds\n"), "{text}");
        expiry.look([("c", &identity)].into_iter(), end);
        assert_eq!(samples(), [sample("c")]);
        expiry.look(std::iter::empty(), end);
        assert_eq!(samples(), [""; 0]);
    }
}
