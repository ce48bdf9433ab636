//! TLS: versions, what is spoken behind it, renewal, certificates of clients, and clients that speak something else.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use sms_relay::http::{Limits, Listener, Settings, Tls};
use sms_relay::tls::{Clients, Identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{Door, LOOPBACK, PATIENCE, Raw, account, form, limits, log_lines, sms};

const SOON: Duration = Duration::from_millis(300);
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

/// Issues certificates.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, both PEM.
pub(crate) struct Issued {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// For `localhost`, or for a client.
    pub(crate) fn issue(&self, name: &str, use_for: ExtendedKeyUsagePurpose, days: i64) -> Issued {
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, name);
        leaf.extended_key_usages = vec![use_for];
        let end = (Timestamp::now() + SignedDuration::from_hours(days * 24 + 12)).as_second();
        leaf.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(end.unsigned_abs());
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &self.issuer).unwrap().pem();
        Issued { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn server(&self, name: &str) -> Issued {
        self.issue(name, ExtendedKeyUsagePurpose::ServerAuth, 300)
    }

    fn client(&self, name: &str) -> Issued {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth, 300)
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Takes certificates of this authority.
    fn clients(&self, required: bool) -> Clients {
        Clients::from_pem(self.pem.as_bytes(), required).unwrap()
    }

    /// What a client needs that trusts this authority.
    pub(crate) fn config(
        &self,
        version: &'static SupportedProtocolVersion,
        protocols: &[&str],
        shows: Option<&Issued>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = protocols.iter().map(|one| one.as_bytes().to_vec()).collect();
        config
    }
}

impl Issued {
    pub(crate) fn tls(&self, clients: Option<&Clients>) -> Arc<Tls> {
        let identity = Identity::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap();
        Arc::new(Tls::new(Arc::new(identity), clients).unwrap())
    }
}

impl Door {
    /// With a listener that speaks TLS.
    pub(crate) async fn secured(limits: Limits, tls: Arc<Tls>) -> Self {
        Self::serving(limits, vec![account("lab", None)], Registry::default(), Some(tls)).await
    }

    /// A connection to it, before the handshake.
    pub(crate) async fn knock(&self) -> TcpStream {
        TcpStream::connect(self.addresses[3]).await.unwrap()
    }

    pub(crate) async fn shake(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::new(config));
        let shaken = connector.connect("localhost".try_into().unwrap(), self.knock().await);
        timeout(PATIENCE, shaken).await.expect("a handshake")
    }

    fn reload(&self, tls: Arc<Tls>) {
        let listener = Listener {
            name: "secured".to_owned(),
            bind: self.addresses[3],
            allow_get: false,
            metrics: false,
            callbacks: false,
            sms: sms(false),
            profiles: Vec::new(),
            api: false,
            proxies: None,
            tls: Some(tls),
        };
        self.handle.reload(&Settings { listeners: vec![listener], limits: limits() });
    }
}

/// What comes back to `octets`, up to the end of an answer to [`HEALTH`].
async fn say(stream: &mut TlsStream<TcpStream>, octets: &str) -> std::io::Result<String> {
    stream.write_all(octets.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"alive\n") {
        answer.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer")?);
    }
    Ok(String::from_utf8(answer).unwrap())
}

fn names(stream: &TlsStream<TcpStream>) -> String {
    sms_relay::tls::subject(&stream.get_ref().1.peer_certificates().unwrap()[0])
}

#[tokio::test]
async fn both_versions_and_both_protocols_are_spoken() {
    let authority = Authority::new();
    let door = Door::secured(limits(), authority.server("one").tls(None)).await;
    for (version, number) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (protocols, spoken) in [
            (&[][..], None),
            (&["http/1.1"], Some("http/1.1")),
            (&["h2"], Some("h2")),
            (&["http/1.1", "h2"], Some("h2")),
        ] {
            let mut stream = door.shake(authority.config(version, protocols, None)).await.unwrap();
            let session = stream.get_ref().1;
            assert_eq!(session.protocol_version(), Some(number));
            assert_eq!(session.alpn_protocol(), spoken.map(str::as_bytes), "{protocols:?}");
            if spoken != Some("h2") {
                let answer = say(&mut stream, HEALTH).await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            }
        }
        assert!(door.shake(authority.config(version, &["spdy/1"], None)).await.is_err());
    }
    door.close().await;
}

#[tokio::test]
async fn a_form_is_taken_over_tls_and_a_413_arrives_while_the_client_still_sends() {
    let authority = Authority::new();
    let door = Door::secured(limits(), authority.server("one").tls(None)).await;
    let mut stream = door.shake(authority.config(&TLS13, &[], None)).await.unwrap();
    let post = "POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nto=391&text=a";
    stream.write_all(post.as_bytes()).await.unwrap();
    stream.write_all(b"POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n").await.unwrap();
    for _ in 0..3 {
        stream.write_all(&vec![b'x'; 1_000_000]).await.unwrap();
    }
    let mut answers = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answers)).await.expect("the server closes").unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
    assert!(answers.contains("HTTP/1.1 413 Payload Too Large\r\n"), "{answers}");
    assert_eq!(door.forms(), [form(&["391"], "a")]);
    door.close().await;
}

#[tokio::test]
async fn smuggling_is_looked_for_behind_tls_too() {
    let authority = Authority::new();
    let door = Door::secured(limits(), authority.server("one").tls(None)).await;
    let mut stream = door.shake(authority.config(&TLS13, &[], None)).await.unwrap();
    let both =
        "POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    stream.write_all(both.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400 Bad Request\r\n"), "{}", String::from_utf8_lossy(&answer));
    door.close().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_from_a_reload_on_and_open_connections_go_on() {
    let authority = Authority::new();
    let door = Door::secured(limits(), authority.server("one").tls(None)).await;
    let client = || authority.config(&TLS13, &[], None);
    let mut before = door.shake(client()).await.unwrap();
    assert!(say(&mut before, HEALTH).await.is_ok());
    door.reload(authority.server("two").tls(None));
    let after = door.shake(client()).await.unwrap();
    assert_eq!((names(&before).as_str(), names(&after).as_str()), ("CN=one", "CN=two"));
    assert!(say(&mut before, HEALTH).await.is_ok());
    // A listener that the settings do not name any more keeps what it had.
    door.handle.reload(&Settings { listeners: Vec::new(), limits: limits() });
    assert_eq!(names(&door.shake(client()).await.unwrap()), "CN=two");
    door.close().await;
}

#[tokio::test]
async fn a_certificate_that_ends_is_told_of_in_the_log_and_in_the_metrics() {
    let authority = Authority::new();
    log_lines();
    let soon = authority.issue("soon", ExtendedKeyUsagePurpose::ServerAuth, 10);
    let door = Door::secured(limits(), soon.tls(None)).await;
    let metrics = || async { reqwest::get(door.get_url("/metrics")).await.unwrap().text().await.unwrap() };
    let told = metrics().await;
    let sample = "sms_relay_http_certificate_not_after_seconds{listener=\"secured\"} ";
    assert!(told.contains(sample), "{told}");
    let warning = "the certificate expires in 10 days; renew it and reload listener=\"secured\"";
    assert!(log_lines().iter().any(|line| line.contains("WARN") && line.contains(warning)));
    let over = authority.issue("over", ExtendedKeyUsagePurpose::ServerAuth, -4);
    door.reload(over.tls(None));
    let error =
        "the certificate expired 3 days ago; clients that check it will not deliver listener=\"secured\"";
    assert!(log_lines().iter().any(|line| line.contains("ERROR") && line.contains(error)));
    assert_ne!(metrics().await, told);
    door.close().await;
}

#[tokio::test]
async fn handshakes_are_counted_by_what_came_of_them() {
    let authority = Authority::new();
    let door = Door::secured(limits(), authority.server("one").tls(None)).await;
    let counted = async || {
        let metrics = reqwest::get(door.get_url("/metrics")).await.unwrap().text().await.unwrap();
        let of = |labels: &str| {
            let begin = format!("sms_relay_http_tls_handshakes_total{{{labels}}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&begin));
            line.unwrap_or_else(|| panic!("{begin} in {metrics}")).parse::<u64>().unwrap()
        };
        let ok = |version: &str| of(&format!("result=\"ok\",version=\"{version}\""));
        [ok("1.2"), ok("1.3"), of("result=\"failed\",version=\"none\"")]
    };
    assert_eq!(counted().await, [0, 0, 0]);
    let mut shaken = Vec::new();
    for version in [&TLS12, &TLS13, &TLS13] {
        shaken.push(door.shake(authority.config(version, &["h2", "http/1.1"], None)).await.unwrap());
    }
    // Somebody who trusts another authority, and somebody who speaks no TLS.
    assert!(door.shake(Authority::new().config(&TLS13, &[], None)).await.is_err());
    let mut plain = Raw(door.knock().await);
    plain.send(HEALTH).await;
    plain.rest().await;
    // A handshake is counted when the server is through with it, a moment after the client may be.
    let all = async {
        loop {
            let now = counted().await;
            if now.iter().sum::<u64>() >= 5 {
                break now;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, all).await.expect("all are counted"), [1, 2, 2]);
    door.close().await;
}

/// Whether a request gets an answer; a client of TLS 1.3 learns only then that its certificate was refused.
async fn is_served(door: &Door, config: ClientConfig) -> bool {
    match door.shake(config).await {
        Ok(mut stream) => say(&mut stream, HEALTH).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_client_certificate_may_be_needed_and_is_always_checked() {
    let (authority, other) = (Authority::new(), Authority::new());
    let clients = Authority::new();
    let (known, stranger) = (clients.client("printer"), other.client("printer"));
    let of_a_server = clients.server("printer");
    let over = clients.issue("printer", ExtendedKeyUsagePurpose::ClientAuth, -4);
    for required in [true, false] {
        let tls = authority.server("one").tls(Some(&clients.clients(required)));
        let door = Door::secured(limits(), tls).await;
        for version in [&TLS12, &TLS13] {
            let config = |shows| authority.config(version, &[], shows);
            assert_eq!(is_served(&door, config(None)).await, !required);
            log_lines();
            assert!(is_served(&door, config(Some(&known))).await);
            let line = "client certificate client=127.0.0.1 listener=\"secured\" subject=\"CN=printer\"";
            assert!(log_lines().iter().any(|logged| logged.contains(line)));
            for wrong in [&stranger, &of_a_server, &over] {
                assert!(!is_served(&door, config(Some(wrong))).await);
                assert!(log_lines().iter().any(|logged| logged.contains("TLS handshake failed")));
            }
        }
        door.close().await;
    }
}

#[tokio::test]
async fn plain_http_is_told_what_is_spoken_and_anything_else_is_closed() {
    let authority = Authority::new();
    let door = Door::secured(limits(), authority.server("one").tls(None)).await;
    let mut raw = Raw(door.knock().await);
    raw.send("POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nto=391&text=a").await;
    // Our side of it stays open: the answer has to come first.
    let answer = raw.until("\r\n\r\nthis port speaks HTTPS; use https:// in the URL\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    for other in ["ehlo client.test\r\n", "\0", "\x16 and no more of TLS than that"] {
        let mut raw = Raw(door.knock().await);
        raw.send(other).await;
        let answer = timeout(PATIENCE, async { raw.0.read(&mut [0; 100]).await }).await.expect("an end");
        // TLS says why in an alert.
        assert!(answer.is_err() || answer.unwrap() <= 7, "{other:?}");
    }
    assert_eq!(door.forms(), []);
    door.close().await;
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut_counts_meanwhile_and_holds_nobody_up() {
    let authority = Authority::new();
    let limits = Limits { header_time: SOON, connections_per_client: 3, ..limits() };
    let door = Door::secured(limits, authority.server("one").tls(None)).await;
    let silent = door.knock().await;
    let mut half = door.knock().await;
    half.write_all(b"\x16\x03\x01\x00\xf0\x01").await.unwrap();
    let client = || authority.config(&TLS13, &[], None);
    let mut served = door.shake(client()).await.unwrap();
    assert!(say(&mut served, HEALTH).await.is_ok());
    assert!(door.shake(client()).await.is_err(), "a fourth connection of {LOOPBACK}");
    for mut stream in [silent, half] {
        let mut octets = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut octets)).await.expect("the server closes");
        assert_eq!(octets, b"");
    }
    assert!(is_served(&door, client()).await);
    door.close().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_handshake() {
    let authority = Authority::new();
    let limits = Limits { header_time: Duration::from_secs(3600), ..limits() };
    let door = Door::secured(limits, authority.server("one").tls(None)).await;
    let _silent = door.knock().await;
    let mut half = door.knock().await;
    half.write_all(b"\x16\x03\x01\x00\xf0\x01").await.unwrap();
    // The listener has taken the two by the time that it has served a third.
    assert!(is_served(&door, authority.config(&TLS13, &[], None)).await);
    door.close().await;
}
