//! Sessions over a pipe instead of a socket, with the whole door behind them.

use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

use super::*;
use crate::credential::PasswordHash;
use crate::intake::{Refusal, RefusalKind};
use crate::model::{Client, Door, Envelope, MailAddress, ReversePath, Secret};
use crate::smtp::session::{Encryption, Terms};
use crate::smtp::{Account, Allotment, Auth, Listener, Metrics, Receiver, Server, Settings};

/// No wait of a test is longer; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(3600);

/// Refuses the sender `bad@x`, the recipient `no@x` and the mail `no`.
struct Picky;

fn unless(is_refused: bool) -> Result<(), Refusal> {
    let refusal = Refusal { kind: RefusalKind::UnknownRecipient, text: "no".to_owned() };
    if is_refused { Err(refusal) } else { Ok(()) }
}

#[async_trait]
impl Receiver for Picky {
    async fn sender(&self, _: &Client, reverse_path: &ReversePath) -> Result<(), Refusal> {
        unless(reverse_path.to_string() == "<bad@x>")
    }

    async fn recipient(&self, _: &Client, _: &ReversePath, recipient: &MailAddress) -> Result<(), Refusal> {
        unless(recipient.local() == "no")
    }

    async fn mail(&self, _: &Client, _: Envelope, bytes: Vec<u8>) -> Result<String, Refusal> {
        unless(bytes == b"no\r\n").map(|()| "ID".to_owned())
    }
}

struct World {
    settings: Settings,
    server: Server,
    registry: Registry,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
}

impl World {
    /// With the account `ups`, password `pw`.
    fn new(limits: Limits) -> Self {
        let networks = vec!["127.0.0.0/8".parse().unwrap()];
        let listener = Listener::new("lan", "127.0.0.1:0".parse().unwrap(), networks);
        let mut settings = Settings::new("relay.test", vec![listener], limits);
        let password = PasswordHash::new(&Secret::from("pw"), [7; 16]).unwrap();
        let (name, username) = ("ups".to_owned(), "ups".to_owned());
        settings.accounts = vec![Account { name, username, password: Some(password), cram_md5: None }];
        let (metrics, mut registry) = (Metrics::new(), Registry::default());
        metrics.register(&mut registry);
        let server = Server::bind(settings.clone(), Arc::new(Picky), metrics).unwrap();
        let (stop, stopped) = watch::channel(false);
        Self { settings, server, registry, stop, stopped }
    }

    fn service(&self) -> Service<'_> {
        Service {
            shared: self.server.shared(),
            limits: self.settings.limits,
            acceptor: None,
            shutdown: self.stopped.clone().into(),
            until: Instant::now() + LONG,
        }
    }

    /// A session in which `client` talks; how it ended, and everything that was said to it and not read.
    async fn session(&self, client: impl AsyncFnOnce(&mut DuplexStream)) -> (Ended, String) {
        let live = self.server.shared().live.load_full();
        let terms = Terms {
            profile: super::super::Profile::default(),
            auth: Auth::Offered,
            auth_without_tls: true,
            mechanisms: live.mechanisms(None),
            tls: Encryption::Off,
            nonce: 7,
        };
        let address = "127.0.0.1".parse().unwrap();
        let (listener, helo, account) = ("lan".to_owned(), None, None);
        let peer = Client { door: Door::Smtp, listener, address, helo, account };
        let mut session = Session::new(Arc::clone(&live.session), terms, peer);
        let (mut ours, theirs) = duplex(64 * 1024);
        let mut service = self.service();
        let talked = async {
            tokio::join!(serve(theirs, &mut session, &mut service, None), async {
                client(&mut ours).await;
                let mut said = String::new();
                ours.shutdown().await.unwrap();
                ours.read_to_string(&mut said).await.unwrap();
                said
            })
        };
        timeout(PATIENCE, talked).await.expect("the session hangs")
    }

    /// What is said to a client that says all of this at once.
    async fn talk(&self, octets: &[u8]) -> String {
        let (_, said) = self.session(async |client| client.write_all(octets).await.unwrap()).await;
        said.strip_prefix("220 relay.test ESMTP sms-relay\r\n").unwrap().to_owned()
    }

    /// The metrics that are not 0, of those that begin with one of `names`.
    fn counted(&self, names: &[&str]) -> Vec<String> {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("sms_relay_smtp_"));
        let named = |line: &&str| names.iter().any(|name| line.starts_with(name)) && !line.ends_with(" 0");
        let mut found: Vec<String> = lines.filter(named).map(str::to_owned).collect();
        found.sort();
        found
    }
}

/// Reads until what was read ends so.
async fn read_to(client: &mut DuplexStream, end: &str) -> String {
    let mut said = Vec::new();
    while !said.ends_with(end.as_bytes()) {
        said.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(said).unwrap()
}

/// PLAIN with an empty password: wrong without a look at any hash.
const EMPTY_PASSWORD: &str = "AUTH PLAIN AHVwcwA=\r\n";
const WRONG: &str = "535 5.7.8 user name or password are wrong\r\n";

#[tokio::test]
async fn who_failed_too_often_is_refused_counted_and_shown_out() {
    let world =
        World::new(Limits { auth_failures: 1, auth_delay: Duration::ZERO, errors: 3, ..Limits::default() });
    let said = world.talk(format!("HELO c\r\n{}NOOP\r\n", EMPTY_PASSWORD.repeat(4)).as_bytes()).await;
    let limited = "454 4.7.0 too many failed authentications from 127.0.0.1; try again later\r\n";
    let farewell = "421 4.7.0 relay.test closes: too many errors\r\n";
    assert_eq!(said, format!("250 relay.test\r\n{WRONG}{limited}{limited}{farewell}"));
    let counted = world.counted(&["authentications"]);
    assert_eq!(
        counted,
        ["authentications_total{result=\"failed\"} 1", "authentications_total{result=\"limited\"} 2"]
    );
    // The right password is not looked at either.
    let said = world.talk(b"HELO c\r\nAUTH PLAIN AHVwcwBwdw==\r\n").await;
    assert_eq!(said, format!("250 relay.test\r\n{limited}"));
}

#[tokio::test]
async fn the_delay_of_a_wrong_password_ends_with_the_stop() {
    let world = World::new(Limits { auth_delay: LONG, ..Limits::default() });
    let (ended, said) = world
        .session(async |client| {
            client.write_all(format!("HELO c\r\n{EMPTY_PASSWORD}").as_bytes()).await.unwrap();
            while world.counted(&["authentications"]).is_empty() {
                tokio::task::yield_now().await;
            }
            world.stop.send_replace(true);
        })
        .await;
    assert!(matches!(ended, Ended::Closed(End::Shutdown)), "{ended:?}");
    let farewell = "421 4.3.2 relay.test closes: the service is stopping; try again later\r\n";
    assert!(said.ends_with(&format!("{WRONG}{farewell}")), "{said}");
}

#[tokio::test]
async fn a_tls_handshake_ends_with_the_stop() {
    let world = World::new(Limits { command_time: LONG, ..Limits::default() });
    let [chain, key] = [
        &include_bytes!("../../../tests/certificates/ec.pem")[..],
        include_bytes!("../../../tests/certificates/ec.sec1.key"),
    ];
    let identity = crate::tls::Identity::from_pem(chain, key).unwrap();
    let mut service = Service { acceptor: Some(TlsAcceptor::from(identity.config())), ..world.service() };
    let (_silent, theirs) = duplex(64);
    let shaken = timeout(PATIENCE, async {
        let stop = async { world.stop.send_replace(true) };
        tokio::join!(shake_hands(theirs, &mut service), stop).0
    });
    let ended = shaken.await.expect("the handshake hangs").err();
    assert!(matches!(ended, Some(Ended::Closed(End::Shutdown))), "{ended:?}");
}

#[tokio::test]
async fn the_chunks_of_a_message_have_the_time_of_one() {
    let message_time = Duration::from_millis(50);
    let world = World::new(Limits { message_time, command_time: LONG, ..Limits::default() });
    let begun = Instant::now();
    let (ended, said) = world
        .session(async |client| {
            client.write_all(b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@x>\r\n").await.unwrap();
            // The client goes on with it as long as it may.
            while client.write_all(b"BDAT 1\r\nx").await.is_ok() {
                if read_to(client, "\r\n").await.starts_with("421") {
                    break;
                }
            }
        })
        .await;
    assert!(matches!(ended, Ended::Closed(End::TimedOut)) && said.is_empty(), "{ended:?} {said}");
    assert!(begun.elapsed() >= message_time);
}

#[tokio::test]
async fn all_octets_count_whatever_becomes_of_the_message() {
    let begin = "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@x>\r\n";
    let ready = "250 relay.test\r\n250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n";
    let large = "x".repeat(298);
    let sent = [
        format!("{begin}DATA\r\n{large}\r\n.\r\n"),
        format!("{begin}BDAT 300 LAST\r\n{large}yz"),
        // Refused, as there is no mail.
        format!("HELO c\r\nBDAT 300\r\n{large}yz"),
        // Broken off.
        format!("{begin}DATA\r\n{large}\r\n"),
        format!("{begin}BDAT 400\r\n{large}yz"),
    ];
    for text in sent {
        for (granted, more) in [(300, false), (301, true)] {
            let per_minute = Allotment { octets: Some(granted), ..Allotment::default() };
            let world = World::new(Limits { message_octets: 100, per_minute, ..Limits::default() });
            world.talk(text.as_bytes()).await;
            let said = world.talk(begin.as_bytes()).await;
            assert_eq!(said == ready, more, "{granted} {text:.60} {said}");
            assert_eq!(
                said.contains("\r\n450 4.7.1 127.0.0.1 has sent its 300 octets of this minute"),
                !more
            );
        }
    }
}

#[tokio::test]
async fn each_mail_and_each_recipient_is_counted_once() {
    let world = World::new(Limits { message_octets: 10, ..Limits::default() });
    let names = ["messages", "recipients"];
    world.talk(b"HELO c\r\nMAIL FROM:<bad@x>\r\nRCPT TO:<a@x>\r\nDATA\r\nMAIL FROM:<a@x> SIZE=11\r\n").await;
    let bad_senders = ["messages_refused_total{code=\"550\"} 1", "messages_refused_total{code=\"552\"} 1"];
    assert_eq!(world.counted(&names), bad_senders);

    let world = World::new(Limits { message_octets: 10, ..Limits::default() });
    let mail = "MAIL FROM:<a@x>\r\nRCPT TO:<a@x>\r\nRCPT TO:<no@x>\r\nRCPT TO:<@>\r\n";
    let texts =
        ["DATA\r\nyes\r\n.\r\n", "DATA\r\nno\r\n.\r\n", "DATA\r\n1234567890\r\n.\r\n", "BDAT 3 LAST\r\nyes"];
    let all: String = texts.iter().map(|text| format!("{mail}{text}")).collect();
    world
        .talk(format!("HELO c\r\n{all}RSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<no@x>\r\nDATA\r\n").as_bytes())
        .await;
    assert_eq!(
        world.counted(&names),
        [
            "messages_accepted_total 2",
            "messages_refused_total{code=\"550\"} 1",
            "messages_refused_total{code=\"552\"} 1",
            "recipients_accepted_total 4",
            "recipients_refused_total{code=\"550\"} 5",
        ]
    );
}

#[tokio::test]
async fn an_account_that_a_reload_removes_sends_no_more() {
    let world = World::new(Limits::default());
    let (ended, said) = world
        .session(async |client| {
            client
                .write_all(b"HELO c\r\nAUTH PLAIN AHVwcwBwdw==\r\nMAIL FROM:<a@x>\r\nRSET\r\n")
                .await
                .unwrap();
            let said = read_to(client, "forgotten\r\n").await;
            assert!(said.contains("\r\n235 2.7.0 authenticated\r\n250 2.1.0 sender ok\r\n"), "{said}");
            let mut settings = world.settings.clone();
            settings.accounts[0].name = "ups-2".to_owned();
            world.server.handle().reload(settings);
            client.write_all(b"MAIL FROM:<a@x>\r\nNOOP\r\n").await.unwrap();
        })
        .await;
    assert!(matches!(ended, Ended::Closed(End::NoAccount)), "{ended:?}");
    let farewell = "421 4.7.0 relay.test closes: the account of this session was removed or renamed; come again in a \
                    new one\r\n";
    assert_eq!(said, farewell);
}

#[tokio::test]
async fn a_password_counts_as_it_is_now() {
    let world = World::new(Limits { auth_delay: Duration::ZERO, ..Limits::default() });
    let (_, said) = world
        .session(async |client| {
            client.write_all(b"HELO c\r\n").await.unwrap();
            read_to(client, "250 relay.test\r\n").await;
            let mut settings = world.settings.clone();
            settings.accounts[0].password = PasswordHash::new(&Secret::from("new"), [7; 16]).ok();
            world.server.handle().reload(settings);
            client.write_all(b"AUTH PLAIN AHVwcwBwdw==\r\n").await.unwrap();
        })
        .await;
    assert_eq!(said, WRONG);
}
