//! Certificates and keys of the listeners.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{InconsistentKeys, ServerConfig};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Version;

use super::Clients;

/// How long before its end a certificate is warned of.
const DAYS_AHEAD: i64 = 30;
const DAY: i64 = 24 * 60 * 60;
/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A certificate chain with its key, ready for handshakes: TLS 1.2 and 1.3 with rustls' own choice of
/// suites, no certificate asked of the client.
///
/// Two are equal when their certificates are. `Debug` shows facts of the certificates and never the key.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    facts: Facts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    names: Vec<String>,
    not_before: Timestamp,
    not_after: Timestamp,
    /// Of each certificate of the chain.
    fingerprints: Vec<Fingerprint>,
    chain_gap: Option<usize>,
}

/// The SHA-256 of a certificate; `Display` is as OpenSSL prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(Vec<u8>);

/// Why PEM octets make no [`Identity`]; `Display` says what to do, in words that fit behind the name of a
/// file and a colon, and never shows what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There is no certificate.
    #[error("there is no certificate in PEM form in it (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The PEM or what is in it is damaged.
    #[error("certificate {number} in it is damaged: {reason}")]
    BrokenCertificate {
        /// Which, from 1.
        number: usize,
        /// What the parser says.
        reason: String,
    },
    /// X.509 version 1, which has no place for names of hosts and which rustls does not take.
    #[error(
        "the certificate is of X.509 version 1, which TLS clients no longer take; have one made of version 3, \
         with a subjectAltName"
    )]
    OldVersion,
    /// The key belongs to a later certificate.
    #[error(
        "the key belongs to certificate {0} in it, which has to stand first; put those of its issuers behind it, \
         each before its own issuer"
    )]
    LeafNotFirst(usize),
    /// There is no key.
    #[error("there is no private key in PEM form in it (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// There is more than one.
    #[error("there are {0} private keys in it; leave only the one of the certificate")]
    ManyKeys(usize),
    /// The key asks for a passphrase.
    #[error(
        "the private key is encrypted, and nobody is there to type its passphrase when the relay starts; decrypt it \
         with: openssl pkey -in ENCRYPTED -out KEY"
    )]
    EncryptedKey,
    /// The PEM or what is in it is damaged.
    #[error("the private key in it is damaged: {0}")]
    BrokenKey(String),
    /// A kind of key that cannot be used.
    #[error(
        "a key of this kind ({0}) cannot be used; make an RSA key of 2048 to 4096 bits, an ECDSA key on P-256 or \
         P-384, or an Ed25519 key"
    )]
    UnsupportedKey(String),
    /// The key is another certificate's.
    #[error(
        "the private key does not belong to the certificate; give the key that the certificate was made for"
    )]
    KeyMismatch,
    /// The library refuses it for another reason.
    #[error("the certificate cannot be used: {0}")]
    Refused(String),
}

impl IdentityError {
    /// Whether the key, or its file, is wrong rather than the certificate.
    pub fn is_about_key(&self) -> bool {
        match self {
            Self::NoKey
            | Self::ManyKeys(_)
            | Self::EncryptedKey
            | Self::BrokenKey(_)
            | Self::UnsupportedKey(_)
            | Self::KeyMismatch => true,
            Self::NoCertificate
            | Self::BrokenCertificate { .. }
            | Self::OldVersion
            | Self::LeafNotFirst(_)
            | Self::Refused(_) => false,
        }
    }
}

/// How a certificate stands at one time. Days are whole ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Its time has not begun.
    NotYet,
    /// It is valid for more than 30 days.
    Good,
    /// It is valid, for 30 days at most.
    EndsSoon {
        /// Days left.
        days: u64,
    },
    /// Its time is over.
    Expired {
        /// Days since.
        days: u64,
    },
}

/// What a sentence about a certificate goes on with: `expired 3 days ago`.
impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |days: u64| match days {
            0 => "less than a day".to_owned(),
            1 => "1 day".to_owned(),
            more => format!("{more} days"),
        };
        match *self {
            Self::NotYet => write!(f, "is not valid yet"),
            Self::Good => write!(f, "is valid"),
            Self::EndsSoon { days } => write!(f, "expires in {}", shown(days)),
            Self::Expired { days } => write!(f, "expired {} ago", shown(days)),
        }
    }
}

impl Identity {
    /// Reads the chain from `chain`, the server's own certificate first, and the one private key (PKCS#8,
    /// PKCS#1 or SEC1) from `key`. Other things in the two are passed over, so both may be the same octets.
    ///
    /// # Errors
    /// [`IdentityError`], the first thing that is wrong. That the chain has a gap is none:
    /// [`chain_gap`](Self::chain_gap).
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain = certificates(chain)?;
        let key = private_key(key)?;
        let parsed = chain.iter().enumerate().map(|(n, one)| parse(n + 1, one));
        let parsed: Vec<X509Certificate> = parsed.collect::<Result<_, _>>()?;
        let Some(leaf) = parsed.first() else { return Err(IdentityError::NoCertificate) };
        if leaf.version() != X509Version::V3 {
            return Err(IdentityError::OldVersion);
        }
        let provider = Arc::new(ring::default_provider());
        let signer = provider.key_provider.load_private_key(key).map_err(|error| {
            unsupported(leaf)
                .map_or(IdentityError::BrokenKey(error.to_string()), IdentityError::UnsupportedKey)
        })?;
        let facts = Facts {
            names: names(leaf),
            not_before: timestamp(leaf.validity().not_before),
            not_after: timestamp(leaf.validity().not_after),
            fingerprints: chain.iter().map(|one| Fingerprint::of(one, &provider)).collect(),
            chain_gap: parsed
                .windows(2)
                .position(|pair| pair[0].issuer().as_raw() != pair[1].subject().as_raw())
                .map(|n| n + 1),
        };
        check_key(&chain, &parsed, &signer)?;
        drop(parsed);
        let certified = CertifiedKey::new(chain, signer);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| IdentityError::Refused(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Ok(Self { config: Arc::new(config), facts })
    }

    /// What handshakes are made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// As [`config`](Self::config), for a door that has the client choose one of `protocols` (ALPN, RFC 7301), the best
    /// first, and that may ask it for a certificate.
    ///
    /// # Errors
    /// [`IdentityError::Refused`]; none is known.
    pub fn config_with(
        &self,
        protocols: &[&[u8]],
        clients: Option<&Clients>,
    ) -> Result<Arc<ServerConfig>, IdentityError> {
        let provider = Arc::clone(self.config.crypto_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| IdentityError::Refused(error.to_string()))?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients.verifier()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&self.config.cert_resolver));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// When it begins to be valid.
    pub fn not_before(&self) -> Timestamp {
        self.facts.not_before
    }

    /// The last second that it is valid in (RFC 5280 section 4.1.2.5).
    pub fn not_after(&self) -> Timestamp {
        self.facts.not_after
    }

    /// The host names and addresses that it is for (subjectAltName). Empty: no client that looks accepts it.
    pub fn names(&self) -> &[String] {
        &self.facts.names
    }

    /// The certificate's own, as of each certificate of the chain.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.facts.fingerprints
    }

    /// The first certificate of the chain, from 1, that the one behind it did not issue. Clients of TLS 1.2
    /// may refuse such a chain (RFC 5246 section 7.4.2).
    pub fn chain_gap(&self) -> Option<usize> {
        self.facts.chain_gap
    }

    /// How it stands at `now`.
    pub fn validity(&self, now: Timestamp) -> Validity {
        if now < self.facts.not_before {
            return Validity::NotYet;
        }
        // The whole last second counts.
        let left = self.facts.not_after.as_second() - now.as_second();
        let days = (left.abs() / DAY).unsigned_abs();
        match left {
            ..0 => Validity::Expired { days },
            _ if left <= DAYS_AHEAD * DAY => Validity::EndsSoon { days },
            _ => Validity::Good,
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.facts == other.facts
    }
}

impl Eq for Identity {}

impl Fingerprint {
    fn of(certificate: &CertificateDer, provider: &CryptoProvider) -> Self {
        let sha256 = provider
            .cipher_suites
            .iter()
            .filter_map(|suite| suite.tls13())
            .map(|suite| suite.common.hash_provider)
            .find(|hash| hash.output_len() == 32);
        Self(sha256.map(|hash| hash.hash(certificate).as_ref().to_vec()).unwrap_or_default())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, octet) in self.0.iter().enumerate() {
            let colon = if n == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All certificates in `pem`, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let mut found = Vec::new();
    for section in sections(pem) {
        match section {
            Ok((SectionKind::Certificate, der)) => found.push(CertificateDer::from(der)),
            Ok(_) => {}
            Err(error) => {
                let number = found.len() + 1;
                return Err(IdentityError::BrokenCertificate { number, reason: reason(&error) });
            }
        }
    }
    if found.is_empty() { Err(IdentityError::NoCertificate) } else { Ok(found) }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    // The one has a label that the parser does not know, the other headers that it takes for base64.
    let says = |words: &[u8]| pem.windows(words.len()).any(|window| window == words);
    if says(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || says(b"Proc-Type: 4,ENCRYPTED") {
        return Err(IdentityError::EncryptedKey);
    }
    let mut found = Vec::new();
    for section in sections(pem) {
        let (kind, der) = section.map_err(|error| IdentityError::BrokenKey(reason(&error)))?;
        found.extend(PrivateKeyDer::from_pem(kind, der));
    }
    let count = found.len();
    match (found.pop(), count) {
        (Some(key), 1) => Ok(key),
        (Some(_), count) => Err(IdentityError::ManyKeys(count)),
        (None, _) => Err(IdentityError::NoKey),
    }
}

fn sections(pem: &[u8]) -> impl Iterator<Item = Result<(SectionKind, Vec<u8>), pem::Error>> {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.strip_prefix(BYTE_ORDER_MARK).unwrap_or(pem))
}

/// What is wrong with the PEM, without a line of it: that may be part of a key.
fn reason(error: &pem::Error) -> String {
    let text = match error {
        pem::Error::MissingSectionEnd { .. } => "its last line (-----END ...-----) is missing",
        pem::Error::IllegalSectionStart { .. } => "its first line (-----BEGIN ...-----) is not complete",
        pem::Error::Base64Decode(_) => "it is not valid base64",
        pem::Error::SectionTooLarge => "it is too large",
        pem::Error::Io(_) | pem::Error::NoItemsFound | _ => "it is not PEM",
    };
    text.to_owned()
}

fn parse<'a>(number: usize, der: &'a CertificateDer) -> Result<X509Certificate<'a>, IdentityError> {
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => {
            Err(IdentityError::BrokenCertificate { number, reason: "something follows its end".to_owned() })
        }
        Err(error) => Err(IdentityError::BrokenCertificate { number, reason: error.to_string() }),
    }
}

/// Whether the key is the first certificate's.
fn check_key(
    chain: &[CertificateDer<'static>],
    parsed: &[X509Certificate],
    signer: &Arc<dyn SigningKey>,
) -> Result<(), IdentityError> {
    let refused = match CertifiedKey::new(chain.to_vec(), Arc::clone(signer)).keys_match() {
        Ok(()) => return Ok(()),
        Err(refused) => refused,
    };
    if refused != rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
        return Err(IdentityError::Refused(refused.to_string()));
    }
    let key = signer.public_key();
    let owner = key.and_then(|key| parsed.iter().position(|one| one.public_key().raw == key.as_ref()));
    Err(owner.map_or(IdentityError::KeyMismatch, |n| IdentityError::LeafNotFirst(n + 1)))
}

/// The kind of the certificate's key, where ring cannot sign with it.
fn unsupported(leaf: &X509Certificate) -> Option<String> {
    /// id-Ed25519 (RFC 8410 section 3).
    const ED25519: &str = "1.3.101.112";
    /// secp256r1 and secp384r1 (RFC 5480 section 2.1.1.1).
    const CURVES: [&str; 2] = ["1.2.840.10045.3.1.7", "1.3.132.0.34"];
    let algorithm = &leaf.public_key().algorithm;
    match leaf.public_key().parsed().ok()? {
        PublicKey::RSA(key) if (2048..=4096).contains(&key.key_size()) => None,
        PublicKey::RSA(key) => Some(format!("RSA of {} bits", key.key_size())),
        PublicKey::EC(_) => {
            let curve = algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let curve = curve.map_or_else(|| "with explicit parameters".to_owned(), |oid| oid.to_id_string());
            (!CURVES.contains(&curve.as_str())).then(|| format!("ECDSA, curve {curve}"))
        }
        PublicKey::DSA(_) => Some("DSA".to_owned()),
        PublicKey::GostR3410(_) | PublicKey::GostR3410_2012(_) | PublicKey::Unknown(_) => {
            let oid = algorithm.algorithm.to_id_string();
            (oid != ED25519).then_some(oid)
        }
    }
}

fn names(leaf: &X509Certificate) -> Vec<String> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    let address = |octets: &[u8]| {
        let v4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
        let v6 = || <[u8; 16]>::try_from(octets).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
        v4.or_else(|_| v6()).ok()
    };
    let shown = names.value.general_names.iter().map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => address(octets).map(|address| address.to_string()),
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    });
    shown.flatten().collect()
}

/// "No end" is written as the last second of 9999 (RFC 5280 section 4.1.2.5), a day after what a
/// [`Timestamp`] can hold.
fn timestamp(time: ASN1Time) -> Timestamp {
    let out_of_range = if time.timestamp() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(time.timestamp()).unwrap_or(out_of_range)
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
