use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConnection};

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/certificates/", $name))
    };
}

const RSA: &[u8] = fixture!("rsa.pem");
const RSA_KEY: &[u8] = fixture!("rsa.pkcs8.key");
const EC: &[u8] = fixture!("ec.pem");
const EC_KEY: &[u8] = fixture!("ec.sec1.key");

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn refused(chain: &[u8], key: &[u8]) -> IdentityError {
    Identity::from_pem(chain, key).unwrap_err()
}

/// A server certificate of an authority with its key, and the authority's certificate; all PEM.
struct Issued {
    leaf: String,
    key: String,
    authority: String,
}

fn issued(not_before: i64, not_after: i64) -> Issued {
    let time = |second: i64| {
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(second.unsigned_abs())
    };
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec!["relay.example.com".to_owned()]).unwrap();
    (leaf.not_before, leaf.not_after) = (time(not_before), time(not_after));
    let leaf = leaf.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    Issued { leaf: leaf.pem(), key: key.serialize_pem(), authority: authority_pem }
}

fn usual() -> Issued {
    issued(1_000_000_000, 4_000_000_000)
}

#[test]
fn every_form_of_a_key_is_read() {
    for key in [RSA_KEY, fixture!("rsa.pkcs1.key")] {
        Identity::from_pem(RSA, key).unwrap();
    }
    Identity::from_pem(EC, EC_KEY).unwrap();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&ed25519).unwrap();
    Identity::from_pem(certificate.pem().as_bytes(), ed25519.serialize_pem().as_bytes()).unwrap();
}

#[test]
fn one_file_may_hold_both_and_other_things() {
    let both = joined(&[b"\xef\xbb\xbfsubject=relay\r\n", EC_KEY, b"Bag Attributes\n", EC]);
    Identity::from_pem(&both, &both).unwrap();
    Identity::from_pem(&joined(&[RSA_KEY, EC]), EC_KEY).unwrap();
    let begins_at_once = joined(&[b"\xef\xbb\xbf", EC]);
    Identity::from_pem(&begins_at_once, &joined(&[b"\xef\xbb\xbf", RSA_KEY])).unwrap_err();
    Identity::from_pem(&begins_at_once, EC_KEY).unwrap();
    let windows = String::from_utf8(EC.to_vec()).unwrap().replace('\n', "\r\n");
    Identity::from_pem(windows.as_bytes(), EC_KEY).unwrap();
}

#[test]
fn facts_are_those_of_the_certificate() {
    let identity = Identity::from_pem(RSA, RSA_KEY).unwrap();
    assert_eq!(identity.names(), ["relay.example.com", "*.example.net", "192.0.2.1", "2001:db8::1"]);
    assert_eq!(identity.not_before().to_string(), "2026-11-21T12:47:46Z");
    assert_eq!(identity.not_after().to_string(), "2126-10-28T12:47:46Z");
    // As `openssl x509 -fingerprint -sha256` prints it.
    assert_eq!(
        identity.fingerprints()[0].to_string(),
        "D2:43:3D:12:35:8C:67:65:AC:3C:E1:06:26:3A:27:5E:F6:98:A0:54:6F:F7:16:0E:B5:0A:71:12:1C:B8:9F:59"
    );
    assert_eq!(identity.chain_gap(), None);
}

#[test]
fn a_certificate_without_end_has_the_last_time_there_is() {
    let key = KeyPair::generate().unwrap();
    let mut endless = CertificateParams::new(Vec::new()).unwrap();
    endless.not_after = rcgen::date_time_ymd(9999, 12, 31) + std::time::Duration::from_secs(24 * 60 * 60 - 1);
    let pem = endless.self_signed(&key).unwrap().pem();
    let identity = Identity::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    assert_eq!(identity.not_after(), Timestamp::MAX);
    assert!(identity.names().is_empty());
}

#[test]
fn debug_and_equality_go_by_the_certificates() {
    let one = Identity::from_pem(RSA, RSA_KEY).unwrap();
    let same = Identity::from_pem(RSA, fixture!("rsa.pkcs1.key")).unwrap();
    let other = Identity::from_pem(EC, EC_KEY).unwrap();
    let longer = Identity::from_pem(&joined(&[RSA, EC]), RSA_KEY).unwrap();
    assert_eq!(one, same);
    assert_eq!(format!("{one:?}"), format!("{same:?}"));
    for unlike in [other, longer] {
        assert_ne!(one, unlike);
        assert_ne!(format!("{one:?}"), format!("{unlike:?}"));
    }
    let shown = format!("{one:?}");
    assert!(shown.contains("D2:43:3D") && shown.contains("relay.example.com"), "{shown}");
    assert!(!shown.contains("Key"), "{shown}");
}

#[test]
fn a_key_of_another_certificate_is_told_from_a_wrong_order() {
    let (one, two) = (usual(), usual());
    assert_eq!(refused(one.leaf.as_bytes(), two.key.as_bytes()), IdentityError::KeyMismatch);
    assert_eq!(refused(RSA, EC_KEY), IdentityError::KeyMismatch);
    let right = joined(&[one.leaf.as_bytes(), one.authority.as_bytes()]);
    assert_eq!(Identity::from_pem(&right, one.key.as_bytes()).unwrap().fingerprints().len(), 2);
    let turned = joined(&[one.authority.as_bytes(), one.leaf.as_bytes()]);
    assert_eq!(refused(&turned, one.key.as_bytes()), IdentityError::LeafNotFirst(2));
    assert_eq!(refused(&turned, two.key.as_bytes()), IdentityError::KeyMismatch);
}

#[test]
fn a_gap_in_the_chain_is_found_where_it_is() {
    let (one, two) = (usual(), usual());
    let gap = |parts: &[&[u8]]| Identity::from_pem(&joined(parts), one.key.as_bytes()).unwrap().chain_gap();
    let (leaf, authority) = (one.leaf.as_bytes(), one.authority.as_bytes());
    assert_eq!(gap(&[leaf]), None);
    assert_eq!(gap(&[leaf, authority]), None);
    assert_eq!(gap(&[leaf, RSA]), Some(1));
    assert_eq!(gap(&[leaf, authority, two.leaf.as_bytes()]), Some(2));
}

#[test]
fn what_is_wrong_is_said() {
    let garbled = |pem: &[u8]| {
        let text = String::from_utf8(pem.to_vec()).unwrap();
        let at = text.find("\nMII").unwrap() + 40;
        joined(&[&pem[..at], b"!", &pem[at + 1..]])
    };
    let without_end = &EC[..EC.len() - 30];
    let shorter = |label: &str| format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
    let cases: [(Vec<u8>, Vec<u8>, &str, bool); 17] = [
        (b"".to_vec(), EC_KEY.to_vec(), "there is no certificate in PEM form", false),
        (EC_KEY.to_vec(), EC_KEY.to_vec(), "there is no certificate in PEM form", false),
        (b"\x30\x82".to_vec(), EC_KEY.to_vec(), "there is no certificate in PEM form", false),
        (garbled(RSA), RSA_KEY.to_vec(), "certificate 1 in it is damaged: it is not valid base64", false),
        (without_end.to_vec(), EC_KEY.to_vec(), "certificate 1 in it is damaged: its last line", false),
        (
            joined(&[EC, shorter("CERTIFICATE").as_bytes()]),
            EC_KEY.to_vec(),
            "certificate 2 in it is damaged:",
            false,
        ),
        (fixture!("version1.pem").to_vec(), EC_KEY.to_vec(), "X.509 version 1", false),
        (EC.to_vec(), EC.to_vec(), "there is no private key in PEM form", true),
        (EC.to_vec(), joined(&[EC_KEY, EC_KEY]), "there are 2 private keys in it", true),
        (EC.to_vec(), joined(&[EC_KEY, RSA_KEY, EC_KEY]), "there are 3 private keys in it", true),
        (RSA.to_vec(), fixture!("rsa.encrypted-pkcs8.key").to_vec(), "the private key is encrypted", true),
        (RSA.to_vec(), fixture!("rsa.encrypted-pkcs1.key").to_vec(), "the private key is encrypted", true),
        (RSA.to_vec(), garbled(RSA_KEY), "the private key in it is damaged: it is not valid base64", true),
        (EC.to_vec(), shorter("PRIVATE KEY").into_bytes(), "the private key in it is damaged: ", true),
        (
            fixture!("rsa1024.pem").to_vec(),
            fixture!("rsa1024.key").to_vec(),
            "(RSA of 1024 bits) cannot be used",
            true,
        ),
        (
            fixture!("p521.pem").to_vec(),
            fixture!("p521.key").to_vec(),
            "(ECDSA, curve 1.3.132.0.35) cannot be used",
            true,
        ),
        (RSA.to_vec(), EC_KEY.to_vec(), "the private key does not belong to the certificate", true),
    ];
    for (chain, key, said, about_key) in cases {
        let error = refused(&chain, &key);
        assert!(error.to_string().contains(said), "{error}\ninstead of\n{said}");
        assert_eq!(error.is_about_key(), about_key, "{error}");
    }
}

#[test]
fn validity_is_judged_to_the_second() {
    let (begin, end) = (1_700_000_000, 1_800_000_000);
    let made = issued(begin, end);
    let identity = Identity::from_pem(made.leaf.as_bytes(), made.key.as_bytes()).unwrap();
    let at = |second: i64| identity.validity(Timestamp::from_second(second).unwrap());
    assert_eq!(at(begin - 1), Validity::NotYet);
    assert_eq!(at(begin), Validity::Good);
    assert_eq!(at(end - 30 * DAY - 1), Validity::Good);
    assert_eq!(at(end - 30 * DAY), Validity::EndsSoon { days: 30 });
    assert_eq!(at(end - 30 * DAY + 1), Validity::EndsSoon { days: 29 });
    assert_eq!(at(end), Validity::EndsSoon { days: 0 });
    assert_eq!(identity.validity(Timestamp::new(end, 999_999_999).unwrap()), Validity::EndsSoon { days: 0 });
    assert_eq!(at(end + 1), Validity::Expired { days: 0 });
    assert_eq!(at(end + DAY - 1), Validity::Expired { days: 0 });
    assert_eq!(at(end + DAY), Validity::Expired { days: 1 });
    let shown = |validity: Validity| format!("it {validity}");
    assert_eq!(shown(at(begin - 1)), "it is not valid yet");
    assert_eq!(shown(at(end - DAY)), "it expires in 1 day");
    assert_eq!(shown(at(end)), "it expires in less than a day");
    assert_eq!(shown(at(end + 3 * DAY)), "it expired 3 days ago");
}

/// Octets between the two until neither has more to say.
fn shake_hands(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), rustls::Error> {
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

#[test]
fn clients_that_verify_shake_hands_in_both_versions() {
    let made = usual();
    let identity = Identity::from_pem(made.leaf.as_bytes(), made.key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(made.authority.as_bytes()).unwrap()).unwrap();
    for (version, spoken) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let named = |name: &str| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            ClientConnection::new(Arc::new(client.clone()), name).unwrap()
        };
        let mut right = named("relay.example.com");
        shake_hands(&mut right, &mut ServerConnection::new(identity.config()).unwrap()).unwrap();
        assert!(!right.is_handshaking());
        assert_eq!(right.protocol_version(), Some(spoken));
        let mut wrong = named("other.example.com");
        shake_hands(&mut wrong, &mut ServerConnection::new(identity.config()).unwrap()).unwrap_err();
    }
}
