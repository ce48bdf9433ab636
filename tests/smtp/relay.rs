//! A running SMTP server that keeps its mails in memory, and a client that knows nothing of SMTP.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use argon2::password_hash::{PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use prometheus_client::registry::Registry;
use sms_relay::credential::PasswordHash;
use sms_relay::intake::{Refusal, RefusalKind};
use sms_relay::model::{Client, Envelope, MailAddress, ReversePath};
use sms_relay::smtp::{Account, Handle, Limits, Listener, Metrics, Receiver, Server, Settings};
use socket2::{Domain, Socket, Type};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// No wait of a test is longer; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const GREETING: &str = "220 relay.test ESMTP sms-relay\r\n";

/// The name that the client of the tests gives itself.
pub const CLIENT: &str = "client.test";

/// Keeps the mails as text: `<from> -> to, to: bytes`.
#[derive(Default)]
pub struct Mails {
    texts: Mutex<Vec<String>>,
    clients: Mutex<Vec<IpAddr>>,
}

fn refusal(kind: RefusalKind, text: &str) -> Refusal {
    Refusal { kind, text: text.to_owned() }
}

#[async_trait]
impl Receiver for Mails {
    async fn sender(&self, _: &Client, reverse_path: &ReversePath) -> Result<(), Refusal> {
        match reverse_path {
            ReversePath::Path(address) if address.local() == "stranger" => {
                Err(refusal(RefusalKind::NotAllowed, "this sender is not allowed"))
            }
            ReversePath::Path(_) | ReversePath::Null => Ok(()),
        }
    }

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
        assert_eq!(client.listener, "lan");
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
        if let Some(account) = &client.account {
            write!(from, " as {account}").unwrap();
        }
        match &client.helo {
            Some(name) if name == CLIENT => {}
            Some(name) => write!(from, " of {name}").unwrap(),
            None => from.push_str(" of nobody"),
        }
        self.clients.lock().unwrap().push(client.address);
        let mut mails = self.texts.lock().unwrap();
        mails.push(format!("{from} -> {}: {text}", to.join(", ")));
        Ok(format!("T{}", mails.len()))
    }
}

impl Mails {
    /// The mails since the last time this was asked.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.texts.lock().unwrap())
    }
}

/// A running server on a free port.
pub struct Relay {
    mails: Arc<Mails>,
    registry: Registry,
    pub handle: Handle,
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
    Settings { accounts: vec![account()], ..Settings::new("relay.test", vec![listener], limits) }
}

/// `ups` with the password `secret`, also for CRAM-MD5. The hash costs next to nothing.
fn account() -> Account {
    static HASH: LazyLock<PasswordHash> = LazyLock::new(|| {
        let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let params = Params::new(8, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        PasswordHash::parse(&argon2.hash_password(b"secret", &salt).unwrap().to_string()).unwrap()
    });
    Account {
        name: "ups".to_owned(),
        username: "ups".to_owned(),
        password: Some(HASH.clone()),
        cram_md5: Some("secret".into()),
    }
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
        let (mut registry, metrics) = (Registry::default(), Metrics::new());
        metrics.register(&mut registry);
        let server = Server::bind(settings, Arc::clone(&mails) as Arc<dyn Receiver>, metrics).unwrap();
        let (address, handle) = (server.local_addresses()[0].1, server.handle());
        let served = tokio::spawn(server.run(shutdown));
        drop(entered);
        Self { mails, registry, handle, address, stop, served, runtime }
    }

    pub fn connect(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).unwrap())
    }

    /// A connection from `127.0.0.last`.
    pub fn connect_from(&self, last: u8) -> Peer {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
        socket.connect(&self.address.into()).unwrap();
        Peer::new(socket.into())
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
        self.mails.take()
    }

    /// The addresses of the clients that the mails came from, since the last time this was asked.
    pub fn clients(&self) -> Vec<String> {
        self.mails.clients.lock().unwrap().drain(..).map(|client| client.to_string()).collect()
    }

    /// The value of the metric whose line begins with this, without its prefix.
    #[track_caller]
    pub fn metric(&self, series: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let begin = format!("sms_relay_smtp_{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        line.unwrap_or_else(|| panic!("no {begin}in {text}")).parse().unwrap()
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
pub struct Peer<S = TcpStream>(pub S);

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Whether nothing has come that was not read.
    #[track_caller]
    pub fn has_heard_nothing(&self) {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        assert_eq!(peeked.err().map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    }
}

impl<S: Read + Write> Peer<S> {
    pub fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
        self.0.flush().unwrap();
    }

    /// Reads exactly as many octets as `expected` has (or up to the end) and compares.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        let mut octets = Vec::new();
        Read::by_ref(&mut self.0).take(expected.len() as u64).read_to_end(&mut octets).unwrap();
        assert_eq!(String::from_utf8_lossy(&octets), expected);
    }

    /// Sends a line and expects the answer.
    #[track_caller]
    pub fn say(&mut self, line: &str, answer: &str) {
        self.send(format!("{line}\r\n").as_bytes());
        self.expect(&format!("{answer}\r\n"));
    }

    /// The next line, without its end.
    pub fn line(&mut self) -> String {
        let mut octets = Vec::new();
        while !octets.ends_with(b"\r\n") {
            let mut octet = [0];
            self.0.read_exact(&mut octet).unwrap();
            octets.push(octet[0]);
        }
        String::from_utf8(octets).unwrap().trim_end().to_owned()
    }

    /// Sends a line and reads the answer, all its lines.
    pub fn ask(&mut self, line: &str) -> Vec<String> {
        self.send(format!("{line}\r\n").as_bytes());
        let mut lines = vec![self.line()];
        while lines[lines.len() - 1].as_bytes()[3] == b'-' {
            lines.push(self.line());
        }
        lines
    }

    /// Everything up to the server's end of the connection.
    pub fn rest(&mut self) -> String {
        let mut octets = Vec::new();
        self.0.read_to_end(&mut octets).unwrap();
        String::from_utf8(octets).unwrap()
    }

    /// Says HELO.
    pub fn hello(&mut self) {
        self.say(&format!("HELO {CLIENT}"), "250 relay.test");
    }

    /// Begins a mail up to 354.
    pub fn data(&mut self) {
        self.hello();
        self.begin();
    }

    /// From MAIL to 354.
    pub fn begin(&mut self) {
        self.send(b"MAIL FROM:<ups@x.it>\r\nRCPT TO:<oncall@sms.local>\r\nDATA\r\n");
        self.expect("250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n");
        self.expect("354 go ahead; end with CR LF . CR LF\r\n");
    }

    /// From MAIL to 250.
    #[track_caller]
    pub fn mail(&mut self, number: usize) {
        self.begin();
        self.say("text\r\n.", &format!("250 2.0.0 queued as T{number}"));
    }
}
