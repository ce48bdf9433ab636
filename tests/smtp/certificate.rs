//! Certificates for servers under test.

use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, KeyPair};
use sms_relay::tls::Identity;

/// A self-signed certificate with its key.
pub struct Certificate {
    pub certificate: rcgen::Certificate,
    key: KeyPair,
}

/// The one that servers have unless they need another.
pub fn certificate() -> &'static Certificate {
    static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(Certificate::new);
    &CERTIFICATE
}

impl Certificate {
    /// A new one for `relay.test`.
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["relay.test".to_owned()]).unwrap();
        Self { certificate: certificate.self_signed(&key).unwrap(), key }
    }

    pub fn identity(&self) -> Arc<Identity> {
        let (certificate, key) = (self.certificate.pem(), self.key.serialize_pem());
        Arc::new(Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap())
    }
}
