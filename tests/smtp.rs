//! The SMTP door over real sockets.
//!
//! Walks the dialogues in `tests/smtp/` (`README.md` there tells how they are written), each three times:
//! line by line, all octets at once, and octet by octet. The replies and the mails must be
//! the same each time. What a dialogue cannot say is tested below: time-outs, lost
//! connections, limits on connections, size, shutdown.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sms_relay::intake::{Refusal, RefusalKind};
use sms_relay::model::{Client, Envelope, MailAddress, ReversePath};
use sms_relay::smtp::{Limits, Listener, Receiver, Server, Settings};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// No wait of a test is longer; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

const GREETING: &str = "220 relay.test ESMTP sms-relay\r\n";

/// Keeps the mails as text: `<from> -> to, to: bytes`.
#[derive(Default)]
struct Mails(Mutex<Vec<String>>);

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
struct Relay {
    mails: Arc<Mails>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
    runtime: Runtime,
}

fn limits() -> Limits {
    Limits {
        message_octets: 1000,
        recipients: 100,
        connections: 50,
        connections_per_client: 40,
        errors: 20,
        command_time: PATIENCE,
        message_time: PATIENCE,
    }
}

fn settings(limits: Limits, networks: &[&str]) -> Settings {
    let listener = Listener {
        name: "lan".to_owned(),
        bind: "127.0.0.1:0".parse().unwrap(),
        networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
    };
    Settings { hostname: "relay.test".to_owned(), listeners: vec![listener], limits }
}

impl Relay {
    fn start(limits: Limits) -> Self {
        Self::serving(settings(limits, &["127.0.0.0/8"]))
    }

    fn serving(settings: Settings) -> Self {
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

    fn connect(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).unwrap())
    }

    fn mails(&self) -> Vec<String> {
        std::mem::take(&mut self.mails.0.lock().unwrap())
    }

    /// Waits until `run` has returned.
    fn wait(self) {
        let Self { runtime, served, stop, .. } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, served).await });
        ended.expect("the server did not stop").expect("the server panicked");
        drop(stop);
    }
}

/// A client that knows nothing of SMTP.
struct Peer(TcpStream);

impl Peer {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    /// Reads exactly as many octets as `expected` has (or up to the end) and compares.
    #[track_caller]
    fn expect(&mut self, expected: &str) {
        let mut octets = Vec::new();
        Read::by_ref(&mut self.0).take(expected.len() as u64).read_to_end(&mut octets).unwrap();
        assert_eq!(String::from_utf8_lossy(&octets), expected);
    }

    /// Everything up to the server's end of the connection.
    fn rest(&mut self) -> String {
        let mut octets = Vec::new();
        self.0.read_to_end(&mut octets).unwrap();
        String::from_utf8(octets).unwrap()
    }

    /// Greets and says HELO.
    fn hello(&mut self) {
        self.expect(GREETING);
        self.send(b"HELO client.test\r\n");
        self.expect("250 relay.test\r\n");
    }

    /// Begins a mail up to 354.
    fn data(&mut self) {
        self.hello();
        self.send(b"MAIL FROM:<ups@x.it>\r\nRCPT TO:<oncall@sms.local>\r\nDATA\r\n");
        self.expect("250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n");
        self.expect("354 go ahead; end with CR LF . CR LF\r\n");
    }
}

// ---- the dialogues ----

/// One file of `tests/smtp/`.
struct Dialogue {
    limits: Limits,
    turns: Vec<Turn>,
    /// Whether the server closes; else it goes on until the client is done.
    closed: bool,
    mails: Vec<String>,
}

enum Turn {
    Client(Vec<u8>),
    Server(String),
}

impl Dialogue {
    fn read(text: &str) -> Self {
        let mut dialogue = Self { limits: limits(), turns: Vec::new(), closed: false, mails: Vec::new() };
        assert!(text.starts_with("# ") && text.contains("\n# From: "), "no title or no origin");
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "" | "#" => {}
                "limit" => dialogue.limit(rest),
                "C:" => dialogue.turns.push(Turn::Client([unescape(rest), b"\r\n".to_vec()].concat())),
                "c:" => dialogue.turns.push(Turn::Client(unescape(rest))),
                "S:" => dialogue.turns.push(Turn::Server(format!("{rest}\r\n"))),
                "hello" => dialogue.hello(),
                "closed" => dialogue.closed = true,
                "mail:" => dialogue.mails.push(rest.to_owned()),
                _ => panic!("no such line: {line}"),
            }
        }
        dialogue
    }

    fn limit(&mut self, text: &str) {
        let (name, value) = text.split_once(' ').unwrap();
        let value = value.parse().unwrap();
        match name {
            "message" => self.limits.message_octets = value,
            "recipients" => self.limits.recipients = value,
            "errors" => self.limits.errors = value,
            _ => panic!("no such limit: {name}"),
        }
    }

    fn hello(&mut self) {
        self.turns.push(Turn::Server(GREETING.to_owned()));
        self.turns.push(Turn::Client(b"EHLO client.test\r\n".to_vec()));
        let size = format!("SIZE {}", self.limits.message_octets);
        let lines = ["relay.test", "PIPELINING", &size, "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"];
        self.turns.extend(lines.map(|line| Turn::Server(format!("250-{line}\r\n"))));
        self.turns.push(Turn::Server("250 HELP\r\n".to_owned()));
    }

    fn client_octets(&self) -> Vec<u8> {
        let octets = self.turns.iter().filter_map(|turn| match turn {
            Turn::Client(octets) => Some(octets.as_slice()),
            Turn::Server(_) => None,
        });
        octets.collect::<Vec<_>>().concat()
    }

    fn server_text(&self) -> String {
        let text = self.turns.iter().filter_map(|turn| match turn {
            Turn::Client(_) => None,
            Turn::Server(line) => Some(line.as_str()),
        });
        text.collect()
    }
}

/// `\r \n \0 \\ \xHH`, and `\{x*12}` for twelve times `x`.
fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        octets.extend(plain.bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "r" => octets.push(b'\r'),
            "n" => octets.push(b'\n'),
            "0" => octets.push(0),
            "\\" => octets.push(b'\\'),
            "x" => {
                octets.push(u8::from_str_radix(&after[..2], 16).unwrap());
                rest = &after[2..];
            }
            "{" => {
                let (repeat, after) = after.split_once('}').unwrap();
                let (unit, times) = repeat.rsplit_once('*').unwrap();
                octets.extend(unescape(unit).repeat(times.parse().unwrap()));
                rest = after;
            }
            _ => panic!("no such escape: \\{kind}"),
        }
    }
    octets.extend(rest.bytes());
    octets
}

/// Line by line: each reply is awaited before the client goes on.
fn step_by_step(dialogue: &Dialogue, peer: &mut Peer) -> String {
    let mut heard = String::new();
    for turn in &dialogue.turns {
        match turn {
            Turn::Client(octets) => peer.send(octets),
            Turn::Server(line) => {
                peer.expect(line);
                heard.push_str(line);
            }
        }
    }
    finish(dialogue, peer, heard)
}

/// In pieces of `size` octets, without waiting for anything.
fn in_pieces(dialogue: &Dialogue, peer: &mut Peer, size: usize) -> String {
    for piece in dialogue.client_octets().chunks(size) {
        peer.send(piece);
    }
    finish(dialogue, peer, String::new())
}

fn finish(dialogue: &Dialogue, peer: &mut Peer, mut heard: String) -> String {
    if !dialogue.closed {
        peer.0.shutdown(Shutdown::Write).unwrap();
    }
    heard.push_str(&peer.rest());
    heard
}

fn dialogues() -> Vec<(String, Dialogue)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp");
    let mut found: Vec<(String, Dialogue)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            println!("reading {name}");
            (name, Dialogue::read(&std::fs::read_to_string(&path).unwrap()))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn every_dialogue_goes_as_written_however_its_octets_are_cut() {
    let dialogues = dialogues();
    assert!(dialogues.len() >= 60, "only {} dialogues were found", dialogues.len());
    for (name, dialogue) in dialogues {
        let relay = Relay::start(dialogue.limits);
        let length = dialogue.client_octets().len();
        // A few thousand octets one at a time tell nothing more than hundreds do.
        let smallest = if length > 3000 { length / 1000 } else { 1 };
        for (way, size) in [("line by line", 0), ("all at once", usize::MAX), ("octet by octet", smallest)] {
            println!("{name}, {way}");
            let mut peer = relay.connect();
            let heard = match size {
                0 => step_by_step(&dialogue, &mut peer),
                _ => in_pieces(&dialogue, &mut peer, size),
            };
            assert_eq!(heard, dialogue.server_text(), "{name}, {way}");
            assert_eq!(relay.mails(), dialogue.mails, "{name}, {way}");
        }
    }
}

// ---- time ----

fn short(command: u64, message: u64) -> Limits {
    Limits {
        command_time: Duration::from_millis(command),
        message_time: Duration::from_millis(message),
        ..limits()
    }
}

const TIMED_OUT: &str = "421 4.4.2 relay.test closes: no complete command came in time\r\n";
const MESSAGE_TIMED_OUT: &str =
    "421 4.4.2 relay.test closes: the message did not end in time; nothing was kept\r\n";

#[test]
fn a_silent_client_gets_421_and_is_closed() {
    let relay = Relay::start(short(50, 20_000));
    assert_eq!(relay.connect().rest(), format!("{GREETING}{TIMED_OUT}"));
}

/// Sends `unit` again and again until the server ends the connection.
fn drip(peer: &mut Peer, unit: &[u8]) {
    for _ in 0..2000 {
        if peer.0.write_all(unit).is_err() {
            return;
        }
        let mut one = [0];
        peer.0.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        match peer.0.peek(&mut one) {
            Ok(_) => {
                peer.0.set_read_timeout(Some(PATIENCE)).unwrap();
                return;
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}")
            }
        }
    }
    panic!("octets that trickle in kept the connection open");
}

#[test]
fn a_command_that_trickles_in_has_one_deadline() {
    let relay = Relay::start(short(150, 20_000));
    let mut peer = relay.connect();
    peer.hello();
    drip(&mut peer, b"x");
    assert_eq!(peer.rest(), TIMED_OUT);
}

#[test]
fn a_line_without_end_that_trickles_in_has_one_deadline() {
    let relay = Relay::start(short(150, 20_000));
    let mut peer = relay.connect();
    peer.hello();
    peer.send(&[b'x'; 100_000]);
    drip(&mut peer, b"x\n");
    assert_eq!(peer.rest(), TIMED_OUT);
}

#[test]
fn a_message_that_trickles_in_has_one_deadline_and_is_not_delivered() {
    let relay = Relay::start(short(20_000, 150));
    let mut peer = relay.connect();
    peer.data();
    drip(&mut peer, b"x\r\n");
    assert_eq!(peer.rest(), MESSAGE_TIMED_OUT);
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_message_may_take_longer_than_a_command() {
    let relay = Relay::start(short(100, 20_000));
    let mut peer = relay.connect();
    peer.data();
    // A silent client in another connection shows that the command's time is over.
    assert_eq!(relay.connect().rest(), format!("{GREETING}{TIMED_OUT}"));
    peer.send(b"text\r\n.\r\n");
    peer.expect("250 2.0.0 queued as T1\r\n");
}

#[test]
fn each_command_has_its_own_time() {
    let relay = Relay::start(short(300, 20_000));
    let mut peer = relay.connect();
    peer.hello();
    // Together longer than one command may take; each waits for another client's part of the time.
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(100));
        peer.send(b"NOOP\r\n");
        peer.expect("250 2.0.0 ok\r\n");
    }
}

#[test]
fn a_client_that_reads_no_replies_is_given_up() {
    let relay = Relay::start(Limits { connections: 1, ..short(200, 20_000) });
    let mut deaf = relay.connect();
    deaf.expect(GREETING);
    let commands = b"HELP\r\n".repeat(10_000);
    deaf.0.set_nonblocking(false).unwrap();
    while deaf.0.write_all(&commands).is_ok() {}
    // Its place is free again.
    loop {
        let mut peer = relay.connect();
        let mut first = [0; 3];
        peer.0.read_exact(&mut first).unwrap();
        if &first == b"220" {
            break;
        }
    }
}

// ---- lost connections ----

/// Returns once the server has noticed that all clients are gone: it admits one connection only.
fn wait_for_room(relay: &Relay) {
    for _ in 0..2000 {
        let mut first = [0; 3];
        relay.connect().0.read_exact(&mut first).unwrap();
        if &first == b"220" {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the lost connection still counts");
}

#[test]
fn a_disconnect_before_the_final_dot_delivers_nothing() {
    let relay = Relay::start(Limits { connections: 1, ..limits() });
    for end in ["", "text", "text\r\n", "text\r\n.", "text\r\n.\r", "text\r\n.\n", ".\r"] {
        let mut peer = relay.connect();
        peer.data();
        peer.send(end.as_bytes());
        peer.0.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer.rest(), "", "{end:?}");
        drop(peer);
        wait_for_room(&relay);
    }
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_reset_before_the_final_dot_delivers_nothing() {
    let relay = Relay::start(Limits { connections: 1, ..limits() });
    let mut peer = relay.connect();
    peer.data();
    peer.send(b"text\r\n.\r");
    let socket = socket2::SockRef::from(&peer.0);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    wait_for_room(&relay);
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_client_that_leaves_after_the_final_dot_has_delivered() {
    let relay = Relay::start(limits());
    let mut peer = relay.connect();
    peer.data();
    peer.send(b"text\r\n.\r\n");
    peer.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.rest(), "250 2.0.0 queued as T1\r\n");
    assert_eq!(relay.mails(), ["<ups@x.it> -> oncall@sms.local: text\\r\\n"]);
}

// ---- limits ----

#[test]
fn connections_in_all_are_limited_at_n_and_n_plus_one() {
    let relay = Relay::start(Limits { connections: 2, connections_per_client: 9, ..limits() });
    let (mut first, mut second) = (relay.connect(), relay.connect());
    first.hello();
    second.hello();
    let full = "421 4.7.0 too many connections are open; try again later\r\n";
    assert_eq!(relay.connect().rest(), full);
    first.send(b"QUIT\r\n");
    assert_eq!(first.rest(), "221 2.0.0 relay.test closes, goodbye\r\n");
    drop(first);
    loop {
        let mut third = relay.connect();
        let mut code = [0; 3];
        third.0.read_exact(&mut code).unwrap();
        if &code == b"220" {
            break;
        }
    }
    second.send(b"NOOP\r\n");
    second.expect("250 2.0.0 ok\r\n");
}

#[test]
fn connections_of_one_client_are_limited_and_others_still_get_in() {
    let relay = Relay::start(Limits { connections: 9, connections_per_client: 2, ..limits() });
    let (mut first, mut second) = (relay.connect(), relay.connect());
    first.hello();
    second.hello();
    let full = "421 4.7.0 too many connections are open from 127.0.0.1; try again later\r\n";
    assert_eq!(relay.connect().rest(), full);
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 0);
    other.bind(&own.into()).unwrap();
    other.connect(&relay.address.into()).unwrap();
    Peer::new(other.into()).hello();
}

#[test]
fn a_client_outside_the_networks_gets_554_and_is_closed() {
    let relay = Relay::serving(settings(limits(), &["10.0.0.0/8", "2001:db8::/32"]));
    let refused = "554 5.7.1 127.0.0.1 is in none of the networks that this listener serves\r\n";
    assert_eq!(relay.connect().rest(), refused);
}

#[test]
fn an_ipv4_client_of_an_ipv6_socket_is_known_by_its_ipv4_address() {
    let mut settings = settings(limits(), &["127.0.0.1/32"]);
    settings.listeners[0].bind = "[::]:0".parse().unwrap();
    let relay = Relay::serving(settings);
    let mut peer = Peer::new(TcpStream::connect(("127.0.0.1", relay.address.port())).unwrap());
    peer.data();
    peer.send(b"text\r\n.\r\n");
    peer.expect("250 2.0.0 queued as T1\r\n");
}

#[test]
fn a_line_of_two_megabytes_in_a_message_is_only_a_matter_of_size() {
    let line = [vec![b'x'; 2_000_000], b"\r\n".to_vec()].concat();
    let relay = Relay::start(Limits { message_octets: line.len(), ..limits() });
    let mut peer = relay.connect();
    peer.data();
    peer.send(&line);
    peer.send(b".\r\n");
    peer.expect("250 2.0.0 queued as T1\r\n");
    assert_eq!(relay.mails()[0].len(), "<ups@x.it> -> oncall@sms.local: \\r\\n".len() + 2_000_000);

    peer.send(b"MAIL FROM:<>\r\nRCPT TO:<oncall@sms.local>\r\nDATA\r\nx");
    peer.send(&line);
    peer.send(b".\r\nNOOP\r\n");
    peer.expect("250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n");
    peer.expect("354 go ahead; end with CR LF . CR LF\r\n");
    peer.expect("552 5.3.4 a message has 2000002 octets at most\r\n250 2.0.0 ok\r\n");
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_command_line_of_two_megabytes_is_one_error() {
    let relay = Relay::start(limits());
    let mut peer = relay.connect();
    peer.hello();
    peer.send(&b"MAIL FROM:<a@x>\nQUIT\n\rQUIT\r".repeat(70_000));
    peer.send(b"\r\nNOOP\r\n");
    peer.expect("500 5.5.2 the line is longer than 2048 octets\r\n250 2.0.0 ok\r\n");
}

#[test]
fn ten_thousand_recipients_are_answered_one_by_one_and_the_first_hundred_get_the_mail() {
    let relay = Relay::start(limits());
    let mut peer = relay.connect();
    peer.hello();
    let mut writer = peer.0.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        writer.write_all(b"MAIL FROM:<ups@x.it>\r\n").unwrap();
        for number in 0..10_000 {
            write!(writer, "RCPT TO:<+39347{number:07}@sms.local>\r\n").unwrap();
        }
        writer.write_all(b"DATA\r\ntext\r\n.\r\nQUIT\r\n").unwrap();
    });
    let heard = peer.rest();
    writing.join().unwrap();
    assert_eq!(heard.matches("250 2.1.5 recipient ok\r\n").count(), 100);
    let refused = "452 4.5.3 a mail takes 100 recipients at most; send it again for the others\r\n";
    assert_eq!(heard.matches(refused).count(), 9_900);
    assert!(heard.ends_with(
        "354 go ahead; end with CR LF . CR LF\r\n250 2.0.0 queued as T1\r\n221 2.0.0 relay.test closes, goodbye\r\n"
    ));
    assert_eq!(relay.mails()[0].matches("@sms.local").count(), 100);
}

// ---- start and stop ----

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut settings = settings(limits(), &["127.0.0.0/8"]);
    let mut second = settings.listeners[0].clone();
    second.name = "dmz".to_owned();
    second.bind = address;
    settings.listeners.push(second);
    let runtime = Runtime::new().unwrap();
    let entered = runtime.enter();
    let error = Server::bind(settings, Arc::new(Mails::default())).err().unwrap();
    drop(entered);
    assert_eq!((error.listener.as_str(), error.address), ("dmz", address));
    let expected = format!(
        "SMTP listener `dmz` cannot listen on {address}: Address already in use (os error 98); \
         stop the program that listens there or choose another port"
    );
    assert_eq!(error.to_string(), expected);
}

const STOPPING: &str = "421 4.3.2 relay.test closes: the service is stopping; try again later\r\n";

#[test]
fn on_shutdown_idle_sessions_get_421_and_a_message_may_be_finished() {
    let relay = Relay::start(limits());
    let (mut idle, mut begun, mut sending) = (relay.connect(), relay.connect(), relay.connect());
    idle.expect(GREETING);
    begun.hello();
    begun.send(b"MAIL FROM:<ups@x.it>\r\n");
    begun.expect("250 2.1.0 sender ok\r\n");
    sending.data();
    sending.send(b"te");
    relay.stop.send(true).unwrap();
    assert_eq!(idle.rest(), STOPPING);
    assert_eq!(begun.rest(), STOPPING);
    let refused = loop {
        // The listener closes at its own pace; what it still took is sent away.
        match TcpStream::connect(relay.address) {
            Ok(stream) => drop(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(!relay.served.is_finished());
    sending.send(b"xt\r\n.\r\nMAIL FROM:<ups@x.it>\r\n");
    assert_eq!(sending.rest(), format!("250 2.0.0 queued as T1\r\n{STOPPING}"));
    drop((idle, begun, sending));
    assert_eq!(relay.mails(), ["<ups@x.it> -> oncall@sms.local: text\\r\\n"]);
    relay.wait();
}

#[test]
fn dropping_the_server_ends_its_sessions() {
    let relay = Relay::start(limits());
    let mut sending = relay.connect();
    sending.data();
    relay.served.abort();
    assert_eq!(sending.rest(), "");
}

// ---- descriptors ----

/// Runs [`out_of_descriptors`] in a process of its own, because the limit is the process's.
#[test]
fn running_out_of_descriptors_ends_nothing() {
    let command = "ulimit -n 40; exec \"$0\" --exact out_of_descriptors --ignored --nocapture";
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh").arg("-c").arg(command).arg(test).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "needs a process with few descriptors; running_out_of_descriptors_ends_nothing runs it"]
fn out_of_descriptors() {
    let relay = Relay::start(Limits { connections: 1000, connections_per_client: 1000, ..limits() });
    // Each greeting costs this process two descriptors; the last ones go to the clients.
    let mut greeted = Vec::new();
    let waiting = loop {
        let mut peer = Peer::new(TcpStream::connect(relay.address).unwrap());
        let mut spare = Vec::new();
        if greeted.len() == 8 {
            // Take all that is left but one, so that the server cannot accept.
            while let Ok(file) = std::fs::File::open("/dev/null") {
                spare.push(file);
            }
            let waiting = TcpStream::connect(relay.address).err().map(|error| error.raw_os_error());
            assert_eq!(waiting, Some(Some(24)), "descriptors are not short");
            spare.pop();
            let waiting = TcpStream::connect(relay.address).unwrap();
            break (peer, waiting, spare);
        }
        peer.expect(GREETING);
        greeted.push(peer);
    };
    let (mut before, waiting, spare) = waiting;
    // The server fails to accept `waiting` now, and still serves who is in.
    before.expect(GREETING);
    for peer in &mut greeted {
        peer.send(b"NOOP\r\n");
        peer.expect("250 2.0.0 ok\r\n");
    }
    drop(spare);
    Peer::new(waiting).expect(GREETING);
}
