//! Whose certificates clients may show.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::identity::{IdentityError, certificates};

/// Most characters of a subject that are shown.
const SUBJECT_LENGTH: usize = 100;

/// The authorities whose certificates are taken from clients (RFC 8446 section 4.3.2). A certificate has to be in its time and made
/// for clients (RFC 5280 section 4.2.1.12); whether it was revoked is not asked.
#[derive(Clone)]
pub struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// Takes certificates that one of the authorities in `pem` has issued. If they are `required`, a client without one
    /// gets no connection; otherwise only one that shows another gets none.
    ///
    /// # Errors
    /// [`IdentityError`] for the first certificate that is none.
    pub fn from_pem(pem: &[u8], required: bool) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        for (n, authority) in certificates(pem)?.into_iter().enumerate() {
            roots.add(authority).map_err(|error| IdentityError::BrokenCertificate {
                number: n + 1,
                reason: error.to_string(),
            })?;
        }
        let provider = Arc::new(ring::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = if required { builder } else { builder.allow_unauthenticated() };
        let verifier = builder.build().map_err(|error| IdentityError::Refused(error.to_string()))?;
        Ok(Self { verifier })
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.verifier)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("required", &self.verifier.client_auth_mandatory())
            .finish_non_exhaustive()
    }
}

/// The subject of a certificate (DER) for the log, on one line and not without end.
pub fn subject(certificate: &[u8]) -> String {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return "a certificate that cannot be read".to_owned();
    };
    parsed.subject().to_string().chars().take(SUBJECT_LENGTH).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn named(name: &str) -> rcgen::Certificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn what_holds_no_certificate_is_no_authority() {
        let error = |pem: &str| Clients::from_pem(pem.as_bytes(), true).unwrap_err();
        assert_eq!(error(""), IdentityError::NoCertificate);
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let pem = named("authority").pem();
        assert!(matches!(error(broken), IdentityError::BrokenCertificate { number: 1, .. }));
        assert!(matches!(
            error(&format!("{pem}{broken}")),
            IdentityError::BrokenCertificate { number: 2, .. }
        ));
        let required = |required| {
            Clients::from_pem(pem.as_bytes(), required).unwrap().verifier().client_auth_mandatory()
        };
        assert!(required(true) && !required(false));
    }

    #[test]
    fn a_subject_stays_on_its_line() {
        assert_eq!(subject(named("printer").der()), "CN=printer");
        assert_eq!(subject(named("a\nb").der()), "CN=a\\nb");
        assert_eq!(subject(named(&"x".repeat(97)).der()).len(), 100);
        assert_eq!(subject(named(&"x".repeat(98)).der()).len(), 100);
        assert_eq!(subject(b"none"), "a certificate that cannot be read");
    }
}
