//! TLS over real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use sms_relay::smtp::{Auth, Limits, Profile, Settings, Tls};

use crate::certificate::{Certificate, certificate};
use crate::relay::{GREETING, Peer, Relay, limits, settings};

impl Certificate {
    /// A client that trusts this certificate and no other.
    fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        ClientConnection::new(Arc::new(config), "relay.test".try_into().unwrap()).unwrap()
    }
}

pub type Secured = Peer<StreamOwned<ClientConnection, TcpStream>>;

/// Shakes hands, trusting `certificate` only.
pub fn handshake(peer: Peer, certificate: &Certificate) -> std::io::Result<Secured> {
    with_version(peer, certificate, &TLS13)
}

fn with_version(
    peer: Peer,
    certificate: &Certificate,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<Secured> {
    let (mut client, mut stream) = (certificate.client(version), peer.0);
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    Ok(Peer(StreamOwned::new(client, stream)))
}

pub const READY: &str = "220 2.0.0 go ahead with the TLS handshake";

/// A greeted connection after STARTTLS and its handshake.
fn started(relay: &Relay) -> Secured {
    let mut peer = relay.admitted();
    peer.say("STARTTLS", READY);
    handshake(peer, certificate()).unwrap()
}

pub fn starttls(limits: Limits) -> Settings {
    let mut settings = settings(limits, &["127.0.0.0/8"]);
    settings.listeners[0].tls = Tls::StartTls(certificate().identity());
    settings
}

fn implicit(limits: Limits) -> Settings {
    let mut settings = settings(limits, &["127.0.0.0/8"]);
    settings.listeners[0].tls = Tls::Implicit(certificate().identity());
    settings
}

const DELIVERED: &str = "<ups@x.it> -> oncall@sms.local: text\\r\\n";
/// AUTH PLAIN for `ups` with its password.
const LOGIN: &str = "AUTH PLAIN AHVwcwBzZWNyZXQ=";

#[test]
fn a_mail_goes_through_starttls_in_both_versions() {
    let relay = Relay::serving(starttls(limits()));
    for (version, label) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let mut peer = relay.admitted();
        peer.say("STARTTLS", READY);
        let mut peer = with_version(peer, certificate(), version).unwrap();
        peer.hello();
        peer.mail(1);
        peer.say("QUIT", "221 2.0.0 relay.test closes, goodbye");
        // Without close_notify this would be an error (RFC 8446 section 6.1).
        assert_eq!(peer.rest(), "");
        assert_eq!(relay.mails(), [DELIVERED]);
        assert_eq!(relay.metric(&format!("tls_handshakes_total{{result=\"ok\",version=\"{label}\"}}")), 1);
    }
}

/// RFC 3207 section 4.2, R16.
#[test]
fn everything_said_before_starttls_is_forgotten() {
    let mut settings = starttls(limits());
    (settings.listeners[0].auth, settings.listeners[0].auth_without_tls) = (Auth::Required, true);
    let relay = Relay::serving(settings);
    let mut peer = relay.admitted();
    let before = peer.ask("EHLO client.test");
    assert_eq!(before[9..], ["250-STARTTLS", "250-AUTH PLAIN LOGIN CRAM-MD5", "250 HELP"]);
    peer.say(LOGIN, "235 2.7.0 authenticated");
    peer.say("MAIL FROM:<ups@x.it>", "250 2.1.0 sender ok");
    peer.say("RCPT TO:<oncall@sms.local>", "250 2.1.5 recipient ok");
    peer.say("STARTTLS", READY);
    let mut peer = handshake(peer, certificate()).unwrap();
    peer.say("DATA", "503 5.5.1 say MAIL and RCPT first");
    peer.say("RCPT TO:<oncall@sms.local>", "503 5.5.1 say MAIL first");
    peer.say("MAIL FROM:<ups@x.it>", "503 5.5.1 say EHLO or HELO first");
    peer.say(LOGIN, "503 5.5.1 say EHLO first");
    let after = peer.ask("EHLO client.test");
    assert_eq!(after[..9], before[..9]);
    assert_eq!(after[9..], ["250-AUTH PLAIN LOGIN CRAM-MD5", "250 HELP"]);
    peer.say("MAIL FROM:<ups@x.it>", "530 5.7.0 authenticate first, with AUTH");
    peer.say(LOGIN, "235 2.7.0 authenticated");
    peer.mail(1);
    peer.say("STARTTLS", "503 5.5.1 TLS is active already");
    assert_eq!(relay.mails(), ["<ups@x.it> as ups -> oncall@sms.local: text\\r\\n"]);
}

#[test]
fn chunks_said_before_starttls_are_forgotten() {
    let relay = Relay::serving(starttls(limits()));
    let mut peer = relay.admitted();
    peer.hello();
    peer.say("MAIL FROM:<ups@x.it>", "250 2.1.0 sender ok");
    peer.say("RCPT TO:<oncall@sms.local>", "250 2.1.5 recipient ok");
    peer.send(b"BDAT 4\r\nevil");
    peer.expect("250 2.0.0 4 octets received\r\n");
    peer.say("STARTTLS", READY);
    let mut peer = handshake(peer, certificate()).unwrap();
    peer.say("BDAT 0 LAST", "503 5.5.1 say MAIL and RCPT first");
    peer.hello();
    peer.mail(1);
    assert_eq!(relay.mails(), [DELIVERED]);
}

#[test]
fn errors_and_messages_before_starttls_still_count() {
    let mut limits = Limits { errors: 2, ..limits() };
    limits.per_connection.messages = Some(1);
    let relay = Relay::serving(starttls(limits));
    let mut peer = relay.admitted();
    peer.hello();
    peer.mail(1);
    peer.say("STARTTLS", READY);
    let mut peer = handshake(peer, certificate()).unwrap();
    peer.hello();
    let spent = "421 4.7.0 relay.test closes: a connection takes 1 message at most; go on in a new one";
    peer.say("MAIL FROM:<ups@x.it>", spent);
    assert_eq!(peer.rest(), "");

    let mut peer = relay.admitted();
    peer.say("X", "500 5.5.1 unknown command; try HELP");
    peer.say("STARTTLS", READY);
    let mut peer = handshake(peer, certificate()).unwrap();
    peer.say("X", "500 5.5.1 unknown command; try HELP");
    assert_eq!(peer.rest(), "421 4.7.0 relay.test closes: too many errors\r\n");
}

/// CVE-2011-0411, R16, R20: whoever sits in the middle may write before the handshake.
#[test]
fn what_is_pipelined_behind_starttls_is_never_obeyed() {
    let relay = Relay::serving(starttls(limits()));
    let injected: [&[u8]; 5] = [
        b"EHLO evil.test\r\nMAIL FROM:<evil@x.it>\r\nRCPT TO:<+393470000000@sms.local>\r\nDATA\r\n",
        b"RSET\r\n",
        b"STARTTLS\r\n",
        b"MAIL FR",
        b"\r",
    ];
    for octets in injected {
        let mut peer = relay.admitted();
        peer.hello();
        peer.send(&[b"STARTTLS\r\n", octets].concat());
        peer.expect(&format!("{READY}\r\n"));
        let mut peer = handshake(peer, certificate()).unwrap();
        // Had anything been kept, an answer to it would come first, or OM would be part of a line.
        peer.say("OM:<ups@x.it>", "500 5.5.1 unknown command; try HELP");
        peer.say("MAIL FROM:<ups@x.it>", "503 5.5.1 say EHLO or HELO first");
        peer.hello();
        peer.mail(1);
        assert_eq!(relay.mails(), [DELIVERED], "{}", octets.escape_ascii());
    }
}

/// More than one read can take: what is left is no handshake.
#[test]
fn much_pipelined_behind_starttls_is_not_obeyed_either() {
    let relay = Relay::serving(starttls(limits()));
    let mut peer = relay.admitted();
    let mail = b"MAIL FROM:<evil@x.it>\r\nRCPT TO:<oncall@sms.local>\r\nDATA\r\nx\r\n.\r\n";
    peer.hello();
    peer.send(&[b"STARTTLS\r\n".as_slice(), &mail.repeat(100)].concat());
    peer.expect(&format!("{READY}\r\n"));
    handshake(peer, certificate()).err().unwrap();
    relay.admitted();
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn hidden_starttls_works_when_asked_for() {
    let mut settings = starttls(limits());
    settings.listeners[0].profile = Profile { hide_starttls: true, ..Profile::default() };
    let relay = Relay::serving(settings);
    let mut peer = relay.admitted();
    assert!(!peer.ask("EHLO client.test").contains(&"250-STARTTLS".to_owned()));
    peer.say("STARTTLS", READY);
    let mut peer = handshake(peer, certificate()).unwrap();
    peer.hello();
    peer.mail(1);
}

#[test]
fn implicit_tls_greets_inside_and_offers_no_starttls() {
    let mut settings = implicit(limits());
    settings.listeners[0].auth = Auth::Required;
    let relay = Relay::serving(settings);
    let mut peer = handshake(relay.connect(), certificate()).unwrap();
    peer.expect(GREETING);
    let extensions = peer.ask("EHLO client.test");
    assert_eq!(extensions[9..], ["250-AUTH PLAIN LOGIN CRAM-MD5", "250 HELP"]);
    peer.say("STARTTLS", "503 5.5.1 TLS is active already");
    peer.say(LOGIN, "235 2.7.0 authenticated");
    peer.mail(1);
    assert_eq!(relay.mails().len(), 1);
}

/// An alert of TLS may come, and then the end.
fn ends_without_words(peer: &mut Peer) {
    let mut octets = Vec::new();
    // A server that leaves input unread may reset the connection.
    drop(peer.0.read_to_end(&mut octets));
    assert!(octets.len() <= 7 && !octets.starts_with(b"2"), "{}", octets.escape_ascii());
}

#[test]
fn garbage_instead_of_a_handshake_closes_and_harms_nobody() {
    let limits = Limits { connections: 2, ..limits() };
    let relay = Relay::serving(starttls(limits));
    let mut other = relay.admitted();
    other.data();
    let garbage: [&[u8]; 4] =
        [b"EHLO client.test\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", &[0; 1000], &[0xff; 20_000]];
    for octets in garbage {
        let mut peer = relay.admitted();
        peer.say("STARTTLS", READY);
        // It may be gone before it has read everything.
        drop(peer.0.write_all(octets));
        ends_without_words(&mut peer);
    }
    // The last one has left its place.
    relay.admitted();
    assert_eq!(relay.metric("tls_handshakes_total{result=\"failed\",version=\"none\"}"), 4);
    assert_eq!(relay.metric("sessions_ended_total{how=\"tls\"}"), 4);
    let door = Relay::serving(implicit(limits));
    let mut peer = door.connect();
    peer.send(b"EHLO client.test\r\n");
    ends_without_words(&mut peer);
    other.say("text\r\n.", "250 2.0.0 queued as T1");
    assert_eq!(relay.mails(), [DELIVERED]);
}

#[test]
fn a_handshake_that_stalls_is_cut_by_the_time_of_a_command() {
    let short = Limits { command_time: Duration::from_millis(400), connections: 1, ..limits() };
    let relay = Relay::serving(starttls(short));
    // The second one begins like a handshake.
    for octets in [b"".as_slice(), b"\x16\x03\x01\x02\x00\x01"] {
        let mut peer = relay.admitted();
        peer.say("STARTTLS", READY);
        peer.send(octets);
        ends_without_words(&mut peer);
    }
    let relay = Relay::serving(implicit(short));
    ends_without_words(&mut relay.connect());
    handshake(relay.connect(), certificate()).unwrap().expect(GREETING);
}

/// What a client says first, with nothing in it that says more of its version than `version`.
fn client_hello(version: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let suites = [0, 6, 0xc0, 0x2b, 0xc0, 0x09, 0x00, 0x2f];
    let body = [&version[..], &[7; 32], &[0], &suites, &[1, 0], extensions].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

#[test]
fn tls_1_1_is_refused_with_an_alert() {
    // Groups and signatures, which clients of TLS 1.1 knew little of.
    let new: &[u8] = &[0, 16, 0, 10, 0, 4, 0, 2, 0, 0x17, 0, 13, 0, 4, 0, 2, 4, 3];
    let first_octets = |hello: &[u8]| {
        let relay = Relay::serving(starttls(limits()));
        let mut peer = relay.admitted();
        peer.say("STARTTLS", READY);
        peer.send(hello);
        let mut octets = [0; 7];
        peer.0.read_exact(&mut octets).unwrap();
        (octets[0], octets[5], octets[6])
    };
    // Fatal alerts (RFC 8446 section 6.2): protocol_version, or handshake_failure before that is looked at.
    assert_eq!(first_octets(&client_hello([3, 2], new)), (21, 2, 70));
    assert_eq!(first_octets(&client_hello([3, 1], new)), (21, 2, 70));
    assert_eq!(first_octets(&client_hello([3, 2], &[])), (21, 2, 40));
    // The same with 1.2 is answered with a ServerHello.
    assert_eq!(first_octets(&client_hello([3, 3], new)), (22, 2, 0));
}

/// R52.
#[test]
fn a_tls_connection_that_ends_before_the_dot_delivers_nothing() {
    let relay = Relay::serving(starttls(Limits { connections: 1, ..limits() }));
    for end in ["", "text\r\n", "text\r\n.", "text\r\n.\r", "text\r\n.\n"] {
        for proper in [false, true] {
            let mut peer = started(&relay);
            peer.data();
            peer.send(end.as_bytes());
            if proper {
                peer.0.conn.send_close_notify();
                peer.0.flush().unwrap();
            }
            peer.0.sock.shutdown(Shutdown::Write).unwrap();
            let mut heard = Vec::new();
            drop(peer.0.read_to_end(&mut heard));
            assert_eq!(heard, b"", "{end:?}, properly: {proper}");
        }
    }
    relay.admitted();
    assert_eq!(relay.mails(), [""; 0]);
}

/// A record that does not arrive whole is no octet at all.
#[test]
fn a_cut_record_delivers_nothing() {
    let relay = Relay::serving(starttls(Limits { connections: 1, ..limits() }));
    let mut peer = started(&relay);
    peer.data();
    let mut record = Vec::new();
    peer.0.conn.writer().write_all(b"text\r\n.\r\n").unwrap();
    peer.0.conn.write_tls(&mut record).unwrap();
    let Peer(StreamOwned { sock: mut socket, .. }) = peer;
    socket.write_all(&record[..record.len() - 1]).unwrap();
    drop(socket);
    relay.admitted();
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_reload_changes_the_certificate_for_new_connections_only() {
    let relay = Relay::serving(starttls(limits()));
    let mut open = started(&relay);
    open.data();
    let mut greeted = relay.admitted();
    greeted.hello();

    let renewed = Certificate::new();
    let mut settings = starttls(limits());
    settings.listeners[0].tls = Tls::StartTls(renewed.identity());
    relay.handle.reload(settings);

    open.say("text\r\n.", "250 2.0.0 queued as T1");
    greeted.say("STARTTLS", READY);
    handshake(greeted, certificate()).unwrap().hello();
    let mut new = relay.admitted();
    new.say("STARTTLS", READY);
    handshake(new, &renewed).unwrap().hello();
    let mut new = relay.admitted();
    new.say("STARTTLS", READY);
    let distrust = handshake(new, certificate()).err().unwrap();
    assert!(distrust.to_string().contains("certificate"), "{distrust}");
}

#[test]
fn on_shutdown_a_session_in_tls_gets_421_in_tls() {
    let relay = Relay::serving(starttls(limits()));
    let mut peer = started(&relay);
    peer.hello();
    relay.stop.send(true).unwrap();
    assert_eq!(peer.rest(), "421 4.3.2 relay.test closes: the service is stopping; try again later\r\n");
    relay.wait();
}
