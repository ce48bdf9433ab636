//! A running SMTP server that keeps its mails in memory, and a client that knows nothing of SMTP.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sms_relay::intake::{Refusal, RefusalKind};
use sms_relay::model::{Client, Envelope, MailAddress, ReversePath};
use sms_relay::smtp::{Limits, Listener, Receiver, Server, Settings};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// No wait of a test is longer; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const GREETING: &str = "220 relay.test ESMTP sms-relay\r\n";

/// Keeps the mails as text: `<from> -> to, to: bytes`.
#[derive(Default)]
pub struct Mails(Mutex<Vec<String>>);

fn refusal(kind: RefusalKind, text: &str) -> Refusal {
    Refusal { kind, text: text.to_owned() }
}

#[async_trait]
impl Receiver for Mails {
    async fn recipient(&self, _: &Client, _: &ReversePath, recipient: &MailAddress) -> Result<(), Refusal> {
        match (recipient.local(), recipient.domain().to_ascii_lowercase().as_str()) {
            ("postmaster", "relay.test") => Ok(()),
            ("busy", "sms.local") => Err(refusal(RefusalKind::StorageUnavailable, "try again later")),
            (local, "sms.local") if local.starts_with("+1") => {
                Err(refusal(RefusalKind::NotAllowed, "destinations beginning with +1 are not allowed"))
            }
            (local, "sms.local" | "[127.0.0.1]" | "[ipv6:::1]")
                if local.starts_with("+39") || local.eq_ignore_ascii_case("oncall") || local == "münchen" =>
            {
                Ok(())
            }
            (local, "sms.local") => {
                Err(refusal(RefusalKind::UnknownRecipient, &format!("`{local}` is neither number nor alias")))
            }
            (_, domain) => {
                Err(refusal(RefusalKind::DomainNotOurs, &format!("`{domain}` is not served here")))
            }
        }
    }

    async fn mail(&self, client: &Client, envelope: Envelope, bytes: Vec<u8>) -> Result<String, Refusal> {
        assert!(client.helo.is_some() && client.address.is_ipv4() && client.listener == "lan");
        let text = bytes.escape_ascii().to_string();
        if text.contains("REFUSE") {
            let kind = match text.as_str() {
                "REFUSE-EMPTY\\r\\n" => RefusalKind::NothingToSend,
                "REFUSE-LOOP\\r\\n" => RefusalKind::Loop,
                _ => RefusalKind::StorageUnavailable,
            };
            return Err(refusal(kind, "as the test wishes"));
        }
        let to: Vec<String> = envelope
            .recipients
            .iter()
            .map(|one| {
                let mut shown = one.address.to_string();
                let notify = one.notify.to_parameter();
                if !notify.is_empty() {
                    write!(shown, " NOTIFY={notify}").unwrap();
                }
                if let Some(orcpt) = &one.orcpt {
                    write!(shown, " ORCPT={};{}", orcpt.kind, orcpt.address).unwrap();
                }
                shown
            })
            .collect();
        let mut from = envelope.reverse_path.to_string();
        if let Some(ret) = envelope.ret {
            write!(from, " RET={ret:?}").unwrap();
        }
        if let Some(envid) = envelope.envid {
            write!(from, " ENVID={envid}").unwrap();
        }
        let mut mails = self.0.lock().unwrap();
        mails.push(format!("{from} -> {}: {text}", to.join(", ")));
        Ok(format!("T{}", mails.len()))
    }
}

/// A running server on a free port.
pub struct Relay {
    mails: Arc<Mails>,
    pub address: SocketAddr,
    pub stop: watch::Sender<bool>,
    pub served: JoinHandle<()>,
    runtime: Runtime,
}

pub fn limits() -> Limits {
    Limits {
        message_octets: 1000,
        memory_octets: 16 << 20,
        recipients: 100,
        connections: 50,
        connections_per_client: 40,
        errors: 20,
        command_time: PATIENCE,
        message_time: PATIENCE,
        // No test waits for a delay that it does not test.
        error_delay: Duration::ZERO,
        auth_delay: Duration::ZERO,
        ..Limits::default()
    }
}

pub fn settings(limits: Limits, networks: &[&str]) -> Settings {
    let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    let listener = Listener::new("lan", "127.0.0.1:0".parse().unwrap(), networks);
    Settings::new("relay.test", vec![listener], limits)
}

impl Relay {
    pub fn start(limits: Limits) -> Self {
        Self::serving(settings(limits, &["127.0.0.0/8"]))
    }

    pub fn serving(settings: Settings) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mails = Arc::new(Mails::default());
        let (stop, shutdown) = watch::channel(false);
        let entered = runtime.enter();
        let server = Server::bind(settings, Arc::clone(&mails) as Arc<dyn Receiver>).unwrap();
        let address = server.local_addresses()[0].1;
        let served = tokio::spawn(server.run(shutdown));
        drop(entered);
        Self { mails, address, stop, served, runtime }
    }

    pub fn connect(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).unwrap())
    }

    /// A connection that has got its greeting; waits until the server has room for it.
    pub fn admitted(&self) -> Peer {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let mut peer = self.connect();
            let mut code = [0; 3];
            peer.0.read_exact(&mut code).unwrap();
            if &code == b"220" {
                peer.expect(&GREETING[3..]);
                return peer;
            }
        }
        panic!("a lost connection still counts");
    }

    /// The mails since the last time this was asked.
    pub fn mails(&self) -> Vec<String> {
        std::mem::take(&mut self.mails.0.lock().unwrap())
    }

    /// Waits until `run` has returned.
    pub fn wait(self) {
        let Self { runtime, served, stop, .. } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, served).await });
        ended.expect("the server did not stop").expect("the server panicked");
        drop(stop);
    }
}

/// A client that knows nothing of SMTP.
pub struct Peer(pub TcpStream);

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    /// Reads exactly as many octets as `expected` has (or up to the end) and compares.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        let mut octets = Vec::new();
        Read::by_ref(&mut self.0).take(expected.len() as u64).read_to_end(&mut octets).unwrap();
        assert_eq!(String::from_utf8_lossy(&octets), expected);
    }

    /// Everything up to the server's end of the connection.
    pub fn rest(&mut self) -> String {
        let mut octets = Vec::new();
        self.0.read_to_end(&mut octets).unwrap();
        String::from_utf8(octets).unwrap()
    }

    /// Says HELO.
    pub fn hello(&mut self) {
        self.send(b"HELO client.test\r\n");
        self.expect("250 relay.test\r\n");
    }

    /// Begins a mail up to 354.
    pub fn data(&mut self) {
        self.hello();
        self.send(b"MAIL FROM:<ups@x.it>\r\nRCPT TO:<oncall@sms.local>\r\nDATA\r\n");
        self.expect("250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n");
        self.expect("354 go ahead; end with CR LF . CR LF\r\n");
    }
}
