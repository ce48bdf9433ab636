//! The SMTP door over real sockets.
//!
//! Holds the dialogues in `tests/smtp/` (`README.md` there tells how they are written) line by line, all
//! octets at once, octet by octet, and in other pieces. The replies and the mails must be the same each
//! time. What a dialogue cannot say is tested below and in the modules: time-outs, lost connections, limits
//! on connections, size, shutdown, TLS, authentication, load balancers, captures.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a helper of tests may panic and print, too")]
#![allow(missing_docs, unreachable_pub, reason = "modules of a test are nobody's API")]

use std::io::{ErrorKind, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sms_relay::smtp::{Limits, Metrics, Server};
use tokio::runtime::Runtime;

use dialogue::{Dialogue, in_pieces, step_by_step};
use pure::{Desk, can_hold};
use relay::{GREETING, Mails, PATIENCE, Peer, Relay, limits, settings};

#[path = "smtp/auth.rs"]
mod auth;
#[path = "smtp/capture.rs"]
mod capture;
#[path = "smtp/certificate.rs"]
mod certificate;
#[path = "smtp/cuts.rs"]
mod cuts;
#[path = "smtp/dialogue.rs"]
mod dialogue;
#[path = "smtp/patience.rs"]
mod patience;
#[path = "smtp/proxy.rs"]
mod proxy;
#[path = "smtp/pure.rs"]
mod pure;
#[path = "smtp/relay.rs"]
mod relay;
#[path = "smtp/tls.rs"]
mod tls;

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
    assert!(dialogues.len() > 120, "only {} dialogues were found", dialogues.len());
    for (name, dialogue) in dialogues {
        let octets = dialogue.client_octets();
        let check = |way: &str, hold: &dyn Fn(&mut Peer) -> String| {
            println!("{name}, {way}");
            // Some limits are counted over connections, so that each way has a server of its own.
            let relay = Relay::serving(dialogue.settings());
            let heard = hold(&mut relay.connect());
            assert_eq!(heard, dialogue.server_text(), "{name}, {way}");
            assert_eq!(relay.mails(), dialogue.mails, "{name}, {way}");
        };
        check("line by line", &|peer| step_by_step(&dialogue, peer));
        for (way, pieces) in cuts::ways(&octets) {
            check(way, &|peer| in_pieces(&dialogue, peer, pieces.iter().copied()));
        }
    }
}

/// Each place where a segment may end, one after the other, and the ways above once more: here nothing
/// joins the pieces again.
#[test]
fn a_cut_at_any_place_makes_no_difference_to_a_dialogue() {
    let desk = Desk::new();
    let mut wrong = Vec::new();
    for (name, dialogue) in dialogues().into_iter().filter(|(_, dialogue)| can_hold(dialogue)) {
        println!("{name}");
        let octets = dialogue.client_octets();
        let expected = (dialogue.server_text(), dialogue.mails.clone(), dialogue.closed);
        let mut check = |way: &str, pieces: &[&[u8]]| {
            let held = desk.hold(&dialogue, pieces);
            if held != expected {
                wrong.push(format!("{name}, {way}:\n     is {held:?}\n is not {expected:?}"));
            }
        };
        for (way, pieces) in cuts::ways(&octets) {
            check(way, &pieces);
        }
        for at in (1..octets.len()).take_while(|_| octets.len() < 1500) {
            let (head, tail) = octets.split_at(at);
            check(&format!("cut at {at}"), &[head, tail]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
    let mut peer = relay.admitted();
    peer.hello();
    drip(&mut peer, b"x");
    assert_eq!(peer.rest(), TIMED_OUT);
}

#[test]
fn a_line_without_end_that_trickles_in_has_one_deadline() {
    let relay = Relay::start(short(150, 20_000));
    let mut peer = relay.admitted();
    peer.hello();
    peer.send(&[b'x'; 100_000]);
    drip(&mut peer, b"x\n");
    assert_eq!(peer.rest(), TIMED_OUT);
}

#[test]
fn a_message_that_trickles_in_has_one_deadline_and_is_not_delivered() {
    let relay = Relay::start(short(20_000, 150));
    let mut peer = relay.admitted();
    peer.data();
    drip(&mut peer, b"x\r\n");
    assert_eq!(peer.rest(), MESSAGE_TIMED_OUT);
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_message_may_take_longer_than_a_command() {
    let relay = Relay::start(short(100, 20_000));
    let mut peer = relay.admitted();
    peer.data();
    // A silent client in another connection shows that the command's time is over.
    assert_eq!(relay.connect().rest(), format!("{GREETING}{TIMED_OUT}"));
    peer.send(b"text\r\n.\r\n");
    peer.expect("250 2.0.0 queued as T1\r\n");
}

#[test]
fn each_command_has_its_own_time() {
    let relay = Relay::start(short(1000, 20_000));
    let mut peer = relay.admitted();
    peer.hello();
    // Together longer than one command may take.
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(300));
        peer.send(b"NOOP\r\n");
        peer.expect("250 2.0.0 ok\r\n");
    }
}

#[test]
fn a_client_that_reads_no_replies_is_given_up() {
    let relay = Relay::start(Limits { connections: 1, ..short(200, 20_000) });
    let mut deaf = relay.admitted();
    let commands = b"HELP\r\n".repeat(10_000);
    while deaf.0.write_all(&commands).is_ok() {}
    // Its place is free again.
    relay.admitted();
}

// ---- lost connections ----

#[test]
fn a_disconnect_before_the_final_dot_delivers_nothing() {
    let relay = Relay::start(Limits { connections: 1, ..limits() });
    for end in ["", "text", "text\r\n", "text\r\n.", "text\r\n.\r", "text\r\n.\n", ".\r"] {
        let mut peer = relay.admitted();
        peer.data();
        peer.send(end.as_bytes());
        peer.0.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer.rest(), "", "{end:?}");
    }
    relay.admitted();
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_reset_before_the_final_dot_delivers_nothing() {
    let relay = Relay::start(Limits { connections: 1, ..limits() });
    let mut peer = relay.admitted();
    peer.data();
    peer.send(b"text\r\n.\r");
    let socket = socket2::SockRef::from(&peer.0);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    relay.admitted();
    assert_eq!(relay.mails(), [""; 0]);
}

#[test]
fn a_client_that_leaves_after_the_final_dot_has_delivered() {
    let relay = Relay::start(limits());
    let mut peer = relay.admitted();
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
    let (mut first, mut second) = (relay.admitted(), relay.admitted());
    first.hello();
    second.hello();
    let full = "421 4.7.0 relay.test closes: too many connections are open; try again later\r\n";
    assert_eq!(relay.connect().rest(), full);
    first.send(b"QUIT\r\n");
    assert_eq!(first.rest(), "221 2.0.0 relay.test closes, goodbye\r\n");
    drop(first);
    relay.admitted();
    second.send(b"NOOP\r\n");
    second.expect("250 2.0.0 ok\r\n");
}

#[test]
fn connections_of_one_client_are_limited_and_others_still_get_in() {
    let relay = Relay::start(Limits { connections: 9, connections_per_client: 2, ..limits() });
    let (mut first, mut second) = (relay.admitted(), relay.admitted());
    first.hello();
    second.hello();
    let full =
        "421 4.7.0 relay.test closes: too many connections are open from 127.0.0.1; try again later\r\n";
    assert_eq!(relay.connect().rest(), full);
    let mut other = relay.connect_from(2);
    other.expect(GREETING);
    other.hello();
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
    peer.expect(GREETING);
    peer.data();
    peer.send(b"text\r\n.\r\n");
    peer.expect("250 2.0.0 queued as T1\r\n");
}

#[test]
fn a_line_of_two_megabytes_in_a_message_is_only_a_matter_of_size() {
    let line = [vec![b'x'; 2_000_000], b"\r\n".to_vec()].concat();
    let relay = Relay::start(Limits { message_octets: line.len(), ..limits() });
    let mut peer = relay.admitted();
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
fn a_large_mail_without_room_is_told_to_come_later_and_gives_its_place_back() {
    let counted = 64 * 1024;
    let relay = Relay::start(Limits { message_octets: 1 << 20, memory_octets: counted, ..limits() });
    let mut peer = relay.admitted();
    // The first 64 KiB of each are free.
    let mail = |octets: usize| [vec![b'x'; octets - 2], b"\r\n.\r\n".to_vec()].concat();
    peer.data();
    peer.send(&mail(64 * 1024 + counted + 1));
    peer.expect("452 4.3.1 too many large mails at a time, try again later\r\n");
    for id in ["T1", "T2"] {
        peer.send(b"MAIL FROM:<ups@x.it>\r\nRCPT TO:<oncall@sms.local>\r\nDATA\r\n");
        peer.expect(
            "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n354 go ahead; end with CR LF . CR LF\r\n",
        );
        peer.send(&mail(64 * 1024 + counted));
        peer.expect(&format!("250 2.0.0 queued as {id}\r\n"));
    }
}

#[test]
fn a_command_line_of_two_megabytes_is_one_error() {
    let relay = Relay::start(limits());
    let mut peer = relay.admitted();
    peer.hello();
    peer.send(&b"MAIL FROM:<a@x>\nQUIT\n\rQUIT\r".repeat(70_000));
    peer.send(b"\r\nNOOP\r\n");
    peer.expect("500 5.5.2 the line is longer than 12288 octets\r\n250 2.0.0 ok\r\n");
}

#[test]
fn ten_thousand_recipients_are_answered_one_by_one_and_the_first_hundred_get_the_mail() {
    let relay = Relay::start(limits());
    let mut peer = relay.admitted();
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
    let error = Server::bind(settings, Arc::new(Mails::default()), Metrics::new()).err().unwrap();
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
    let (mut idle, mut begun, mut sending) = (relay.admitted(), relay.admitted(), relay.admitted());
    begun.hello();
    begun.send(b"MAIL FROM:<ups@x.it>\r\n");
    begun.expect("250 2.1.0 sender ok\r\n");
    sending.data();
    sending.send(b"te");
    relay.stop.send(true).unwrap();
    assert_eq!(idle.rest(), STOPPING);
    assert_eq!(begun.rest(), STOPPING);
    let refused = loop {
        // The listener closes at its own pace; what it still took is sent away, at times before it knows.
        match TcpStream::connect(relay.address) {
            Ok(stream) => drop(stream),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
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
    let mut sending = relay.admitted();
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
    let relay = Relay::start(limits());
    let mut inside = relay.admitted();
    inside.hello();
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    // The last descriptor goes to the client, and there is none for the server's side of it.
    taken.pop();
    let mut waiting = Peer::new(TcpStream::connect(relay.address).unwrap());
    for _ in 0..100 {
        inside.send(b"NOOP\r\n");
        inside.expect("250 2.0.0 ok\r\n");
    }
    assert_eq!(std::fs::File::open("/dev/null").err().unwrap().raw_os_error(), Some(24));
    drop(taken);
    waiting.expect(GREETING);
}
