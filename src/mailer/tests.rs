//! The mailer against a scripted server over real sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::model::{MailId, MailKind, SubmissionId};

/// A server that answers with `replies`, the first being its greeting, and records what it is
/// sent. Behind `354` comes one reply more for the data. It hangs up when it has no reply left.
struct Server {
    port: u16,
    thread: JoinHandle<Vec<u8>>,
}

enum ServerTls {
    None,
    AfterStartTls(Arc<ServerConfig>),
    AtOnce(Arc<ServerConfig>),
}

impl Server {
    fn start(replies: &[&'static str], tls: ServerTls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let replies = replies.to_vec();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut heard = Vec::new();
            let mut replies = replies.into_iter();
            match tls {
                ServerTls::None => drop(converse(stream, &mut replies, true, &mut heard)),
                ServerTls::AtOnce(config) => {
                    drop(converse(wrap(stream, config), &mut replies, true, &mut heard));
                }
                ServerTls::AfterStartTls(config) => {
                    if let Some(stream) = converse(stream, &mut replies, true, &mut heard) {
                        heard.extend_from_slice(b"[TLS]\r\n");
                        drop(converse(wrap(stream, config), &mut replies, false, &mut heard));
                    }
                }
            }
            heard
        });
        Self { port, thread }
    }

    fn heard(self) -> String {
        String::from_utf8_lossy(&self.thread.join().unwrap()).into_owned()
    }
}

fn wrap(stream: TcpStream, config: Arc<ServerConfig>) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config).unwrap(), stream)
}

/// Gives the stream back when TLS is to begin.
fn converse<S: Read + Write>(
    mut stream: S,
    replies: &mut impl Iterator<Item = &'static str>,
    greet: bool,
    heard: &mut Vec<u8>,
) -> Option<S> {
    if greet {
        say(&mut stream, replies.next()?)?;
    }
    loop {
        let line = read_until(&mut stream, b"\r\n")?;
        heard.extend_from_slice(&line);
        let reply = replies.next()?;
        say(&mut stream, reply)?;
        if reply.starts_with("354") {
            heard.extend_from_slice(&read_until(&mut stream, b"\r\n.\r\n")?);
            say(&mut stream, replies.next()?)?;
        } else if line == b"STARTTLS\r\n" && reply.starts_with("220") {
            return Some(stream);
        }
    }
}

fn say(stream: &mut impl Write, reply: &str) -> Option<()> {
    stream
        .write_all(reply.as_bytes())
        .and_then(|()| stream.write_all(b"\r\n"))
        .and_then(|()| stream.flush())
        .ok()
}

fn read_until(stream: &mut impl Read, end: &[u8]) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut octet = [0];
    while !line.ends_with(end) {
        match stream.read(&mut octet) {
            Ok(1) => line.push(octet[0]),
            Ok(_) | Err(_) => return None,
        }
    }
    Some(line)
}

/// A certificate authority, and a server certificate of it for `name`.
fn certificates(name: &str) -> (Vec<u8>, Arc<ServerConfig>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    (pem.into_bytes(), Arc::new(config))
}

fn settings(port: u16) -> Settings {
    Settings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::Off,
        login: None,
        ca_pem: None,
        hello_name: "relay.example.com".to_owned(),
        total_time: Duration::from_secs(30),
    }
}

fn mail(bytes: &[u8]) -> OutgoingMail {
    OutgoingMail {
        id: MailId::new(Timestamp::UNIX_EPOCH),
        about: Some(SubmissionId::new(Timestamp::UNIX_EPOCH)),
        kind: MailKind::Report,
        reverse_path: ReversePath::Null,
        recipient: MailAddress::parse("nas@example.com").unwrap(),
        bytes: bytes.to_vec(),
        expires_at: Timestamp::MAX,
    }
}

async fn send_to(server: &Server, mail: &OutgoingMail) -> MailOutcome {
    Mailer::new(settings(server.port)).unwrap().send(mail).await
}

const WILLING: [&str; 7] = [
    "220 hi",
    "250-hi\r\n250-8BITMIME\r\n250 SMTPUTF8",
    "250 ok",
    "250 ok",
    "354 go",
    "250 taken",
    "221 bye",
];

fn refused(status: (u8, u16, u16), server: &str, diagnostic: &str) -> MailOutcome {
    let status = EnhancedStatus::new(status.0, status.1, status.2);
    MailOutcome::Refused(
        Cause::new(status, format!("{server} refused the mail.")).with_diagnostic(diagnostic),
    )
}

fn name(server: &Server) -> String {
    format!("The mail server 127.0.0.1:{}", server.port)
}

#[tokio::test]
async fn a_report_goes_out_from_the_null_sender_octet_for_octet() {
    let server = Server::start(&WILLING, ServerTls::None);
    let outcome = send_to(&server, &mail(b"Subject: x\r\n\r\n.\r\n..a\r\n.b\r\n\r\n")).await;
    assert_eq!(outcome, MailOutcome::Sent);
    assert_eq!(
        server.heard(),
        "EHLO relay.example.com\r\nMAIL FROM:<>\r\nRCPT TO:<nas@example.com>\r\nDATA\r\n\
         Subject: x\r\n\r\n..\r\n...a\r\n..b\r\n\r\n.\r\nQUIT\r\n"
    );
}

#[tokio::test]
async fn eight_bit_mail_a_sender_and_odd_addresses_are_said_as_smtp_wants_them() {
    let server = Server::start(&WILLING, ServerTls::None);
    let mut mail = mail("Subject: caffè\r\n\r\nx".as_bytes());
    mail.reverse_path = ReversePath::Path(MailAddress::new("a b\"c", "[192.0.2.1]").unwrap());
    mail.recipient = MailAddress::new("usèr", "exämple.com").unwrap();
    assert_eq!(send_to(&server, &mail).await, MailOutcome::Sent);
    assert_eq!(
        server.heard(),
        "EHLO relay.example.com\r\nMAIL FROM:<\"a b\\\"c\"@[192.0.2.1]> SMTPUTF8 BODY=8BITMIME\r\n\
         RCPT TO:<usèr@exämple.com>\r\nDATA\r\nSubject: caffè\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
}

#[tokio::test]
async fn a_bare_line_feed_cannot_smuggle_a_second_mail_out() {
    let server = Server::start(&WILLING, ServerTls::None);
    let outcome = send_to(&server, &mail(b"a\n.\nMAIL FROM:<x@y>\r.\r\nb\n.\r\nc\n")).await;
    assert_eq!(outcome, MailOutcome::Sent);
    let heard = server.heard();
    let (_, data) = heard.split_once("DATA\r\n").unwrap();
    assert_eq!(data, "a\r\n..\r\nMAIL FROM:<x@y>\r\n..\r\nb\r\n..\r\nc\r\n.\r\nQUIT\r\n");
}

#[tokio::test]
async fn five_hundred_and_more_at_each_step_of_the_mail_is_a_refusal() {
    for (replies, status, words) in [
        (&["220 hi", "250 hi", "550 5.7.1 go away", "221 bye"][..], (5, 7, 1), "550 5.7.1 go away"),
        (
            &["220 hi", "250 hi", "250 ok", "550-5.1.1 no\r\n550 such user", "221 bye"],
            (5, 1, 1),
            "550 5.1.1 no such user",
        ),
        (&["220 hi", "250 hi", "250 ok", "250 ok", "554 no", "221 bye"], (5, 0, 0), "554 no"),
        (
            &["220 hi", "250 hi", "250 ok", "250 ok", "354 go", "552 4.3.1 big", "221 bye"],
            (5, 0, 0),
            "552 4.3.1 big",
        ),
    ] {
        let server = Server::start(replies, ServerTls::None);
        assert_eq!(send_to(&server, &mail(b"x")).await, refused(status, &name(&server), words));
    }
}

#[tokio::test]
async fn what_is_not_a_refusal_of_the_mail_is_tried_again() {
    for (replies, text, words) in [
        (
            &["220 hi", "250 hi", "450 4.7.1 greylisted", "221 bye"][..],
            "put the mail off",
            "450 4.7.1 greylisted",
        ),
        (&["220 hi", "250 hi", "250 ok", "250 ok", "354 go", "451 disk"], "put the mail off", "451 disk"),
        (&["220 hi", "250 hi", "530 5.7.0 log in", "221 bye"], "put the mail off", "530 5.7.0 log in"),
        (
            &["220 hi", "250 hi", "250 ok", "250 ok", "354 go"],
            "broke the connection",
            "response error: incomplete response",
        ),
        (&["554 5.3.2 closed", "221 bye"], "could not be used", "554 5.3.2 closed"),
        (&["220 hi", "500 what", "221 bye"], "could not be used", "500 what"),
    ] {
        let server = Server::start(replies, ServerTls::None);
        let (name, outcome) = (name(&server), send_to(&server, &mail(b"x")).await);
        let MailOutcome::Later(cause) = &outcome else { panic!("{outcome:?}") };
        assert_eq!(cause.text, format!("{name} {text}."));
        assert_eq!(cause.diagnostic.as_deref(), Some(words));
        assert_eq!(cause.status.class, 4);
    }
}

#[tokio::test]
async fn nobody_listening_and_a_silent_server_are_not_now() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outcome = Mailer::new(settings(free)).unwrap().send(&mail(b"x")).await;
    assert!(matches!(outcome, MailOutcome::Later(_)), "{outcome:?}");

    // The backlog takes the connection; nobody ever says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(silent.local_addr().unwrap().port());
    settings.total_time = Duration::from_millis(50);
    let port = settings.port;
    assert_eq!(
        Mailer::new(settings).unwrap().send(&mail(b"x")).await,
        MailOutcome::Later(Cause::new(
            EnhancedStatus::new(4, 4, 2),
            format!("The mail server 127.0.0.1:{port} did not finish within 50ms.")
        ))
    );
}

#[tokio::test]
async fn a_mail_that_was_taken_is_sent_whatever_becomes_of_the_parting() {
    let server = Server::start(&WILLING[..6], ServerTls::None);
    assert_eq!(send_to(&server, &mail(b"x")).await, MailOutcome::Sent);
}

#[tokio::test]
async fn a_server_without_the_extension_refuses_before_anything_is_said() {
    for (bytes, recipient, status, what) in [
        ("è", "nas@example.com", (5, 6, 3), "an 8-bit mail (8BITMIME)"),
        ("x", "è@example.com", (5, 6, 7), "an address that is not ASCII (SMTPUTF8)"),
    ] {
        let server = Server::start(&["220 hi", "250 hi", "221 bye"], ServerTls::None);
        let mut mail = mail(bytes.as_bytes());
        mail.recipient = MailAddress::parse(recipient).unwrap();
        let status = EnhancedStatus::new(status.0, status.1, status.2);
        assert_eq!(
            send_to(&server, &mail).await,
            MailOutcome::Refused(Cause::new(status, format!("{} cannot take {what}.", name(&server))))
        );
        assert_eq!(server.heard(), "EHLO relay.example.com\r\nQUIT\r\n");
    }
}

#[tokio::test]
async fn a_login_is_shown_under_implicit_tls() {
    let (pem, config) = certificates("127.0.0.1");
    let replies = [
        "220 hi",
        "250-hi\r\n250 AUTH PLAIN LOGIN",
        "235 in",
        "250 ok",
        "250 ok",
        "354 go",
        "250 ok",
        "221 bye",
    ];
    let server = Server::start(&replies, ServerTls::AtOnce(config));
    let mut settings = settings(server.port);
    settings.tls = Tls::Implicit;
    settings.ca_pem = Some(pem);
    settings.login = Some(("relay".to_owned(), Secret::from("secret")));
    assert_eq!(Mailer::new(settings).unwrap().send(&mail(b"x")).await, MailOutcome::Sent);
    assert_eq!(
        server.heard(),
        "EHLO relay.example.com\r\nAUTH PLAIN AHJlbGF5AHNlY3JldA==\r\nMAIL FROM:<>\r\n\
         RCPT TO:<nas@example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    );
}

#[tokio::test]
async fn a_wrong_password_is_not_held_against_the_mail() {
    let replies = ["220 hi", "250-hi\r\n250 AUTH PLAIN", "535 5.7.8 no", "221 bye"];
    let server = Server::start(&replies, ServerTls::None);
    let mut settings = settings(server.port);
    settings.login = Some(("relay".to_owned(), Secret::from("wrong")));
    let outcome = Mailer::new(settings).unwrap().send(&mail(b"x")).await;
    let MailOutcome::Later(cause) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(cause.diagnostic.as_deref(), Some("535 5.7.8 no"));
}

#[tokio::test]
async fn starttls_is_used_before_anything_else_is_said() {
    let (pem, config) = certificates("127.0.0.1");
    let replies = [
        "220 hi",
        "250-hi\r\n250 STARTTLS",
        "220 go",
        "250 hi",
        "250 ok",
        "250 ok",
        "354 go",
        "250 ok",
        "221 bye",
    ];
    let server = Server::start(&replies, ServerTls::AfterStartTls(config));
    let mut settings = settings(server.port);
    settings.tls = Tls::StartTls;
    settings.ca_pem = Some(pem);
    assert_eq!(Mailer::new(settings).unwrap().send(&mail(b"x")).await, MailOutcome::Sent);
    assert_eq!(
        server.heard(),
        "EHLO relay.example.com\r\nSTARTTLS\r\n[TLS]\r\nEHLO relay.example.com\r\nMAIL FROM:<>\r\n\
         RCPT TO:<nas@example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    );
}

#[tokio::test]
async fn without_starttls_nothing_goes_out_in_plain_text() {
    let (pem, _) = certificates("127.0.0.1");
    let server = Server::start(&WILLING, ServerTls::None);
    let mut settings = settings(server.port);
    settings.tls = Tls::StartTls;
    settings.ca_pem = Some(pem);
    settings.login = Some(("relay".to_owned(), Secret::from("secret")));
    let outcome = Mailer::new(settings).unwrap().send(&mail(b"x")).await;
    assert!(matches!(outcome, MailOutcome::Later(_)), "{outcome:?}");
    assert_eq!(server.heard(), "EHLO relay.example.com\r\n");
}

#[tokio::test]
async fn another_authority_or_another_name_gets_no_mail() {
    let (pem, config) = certificates("127.0.0.1");
    let (other_pem, _) = certificates("127.0.0.1");
    let (named_pem, named) = certificates("other.example");
    for (ca_pem, config) in [(Some(other_pem), config.clone()), (Some(named_pem), named), (None, config)] {
        let server = Server::start(&WILLING, ServerTls::AtOnce(config));
        let mut settings = settings(server.port);
        settings.tls = Tls::Implicit;
        settings.ca_pem = ca_pem;
        let outcome = Mailer::new(settings).unwrap().send(&mail(b"x")).await;
        assert!(matches!(outcome, MailOutcome::Later(_)), "{outcome:?}");
        assert_eq!(server.heard(), "");
    }
    assert!(!pem.is_empty());
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    let error = |change: fn(&mut Settings)| {
        let mut settings = settings(25);
        settings.tls = Tls::StartTls;
        change(&mut settings);
        Mailer::new(settings).err().map(|error| error.to_string())
    };
    assert_eq!(
        error(|settings| settings.ca_pem = Some(b"nothing".to_vec())).as_deref(),
        Some(
            "the smarthost's certificate authority is not a PEM file with a certificate: it has no certificate"
        )
    );
    let damaged = |settings: &mut Settings| {
        settings.ca_pem = Some(b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n".to_vec());
    };
    assert_eq!(
        error(damaged).as_deref(),
        Some(
            "the smarthost's certificate authority is not a PEM file with a certificate: \
             tls error: invalid certificates"
        )
    );
    assert_eq!(
        error(|settings| settings.hello_name = "a\r\nb".to_owned()).as_deref(),
        Some("`a\\r\\nb` cannot be said in EHLO; it should be a host name like relay.example.com")
    );
    assert_eq!(hello_name("192.0.2.1").unwrap().to_string(), "[192.0.2.1]");
    assert_eq!(hello_name("2001:db8::1").unwrap().to_string(), "[IPv6:2001:db8::1]");
}
