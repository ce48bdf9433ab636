//! Limits over sockets that need several connections, a network or a clock.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use sms_relay::smtp::{Allotment, Limits, Network, Profile, Settings};

use crate::relay::{GREETING, PATIENCE, Peer, Relay, limits, settings};

/// Clients of `127.0.0.8/29` are a network of their own.
fn with_network(limits: Limits, connections: Option<usize>, profile: Option<Profile>) -> Settings {
    let network = Network {
        name: "printers".to_owned(),
        networks: vec!["127.0.0.8/29".parse().unwrap()],
        listeners: vec!["lan".to_owned()],
        profile,
        auth: None,
        auth_mechanisms: None,
        capture: None,
        connections,
    };
    Settings { networks: vec![network], ..settings(limits, &["127.0.0.0/8"]) }
}

fn greeted(relay: &Relay, last: u8) -> Peer {
    let mut peer = relay.connect_from(last);
    peer.expect(GREETING);
    peer
}

#[test]
fn connections_of_a_network_are_limited_at_n_and_n_plus_one() {
    let relay = Relay::serving(with_network(limits(), Some(2), None));
    let (mut first, mut second) = (greeted(&relay, 8), greeted(&relay, 9));
    let full = "421 4.7.0 relay.test closes: too many connections are open from network `printers`; try again later\r\n";
    assert_eq!(relay.connect_from(10).rest(), full);
    assert_eq!(relay.connect_from(8).rest(), full);
    assert_eq!(relay.metric("connections_refused_total{cause=\"per_network\"}"), 2);
    greeted(&relay, 7).hello();
    greeted(&relay, 16).hello();
    first.hello();
    second.say("QUIT", "221 2.0.0 relay.test closes, goodbye");
    assert_eq!(second.rest(), "");
    drop(second);
    let began = Instant::now();
    while relay.connect_from(15).line() != GREETING.trim_end() {
        assert!(began.elapsed() < PATIENCE, "a lost connection still counts");
    }
}

#[test]
fn a_network_forgives_what_its_listener_does_not() {
    let relay = Relay::serving(with_network(limits(), None, Some(Profile::APPLIANCE)));
    let mut printer = greeted(&relay, 8);
    printer.say("MAIL FROM:ups@x.it", "250 2.1.0 sender ok");
    let mut other = greeted(&relay, 7);
    other.say("MAIL FROM:<ups@x.it>", "503 5.5.1 say EHLO or HELO first");
}

fn minute(allotment: Allotment) -> Relay {
    Relay::start(Limits { per_minute: allotment, ..limits() })
}

#[test]
fn messages_of_a_minute_count_over_connections_and_for_one_client() {
    let relay = minute(Allotment { messages: Some(2), ..Allotment::default() });
    for number in 1..=2 {
        let mut peer = relay.admitted();
        peer.hello();
        peer.mail(number);
    }
    let mut peer = relay.admitted();
    peer.hello();
    let refused =
        "450 4.7.1 127.0.0.1 has sent its 2 messages of this minute; try again in 30 seconds".to_owned();
    assert_eq!(peer.ask("MAIL FROM:<ups@x.it>"), [refused]);
    let mut other = greeted(&relay, 2);
    other.hello();
    other.mail(3);
}

#[test]
fn octets_of_a_minute_count_over_connections_also_those_of_a_refused_mail() {
    let relay = minute(Allotment { octets: Some(14), ..Allotment::default() });
    let mut first = relay.admitted();
    first.data();
    first.say("REFUSE-LOOP\r\n.", "554 5.4.6 as the test wishes");
    let mut second = relay.admitted();
    // 13 of 14 are used: this one begins, and ends.
    second.data();
    second.say("text\r\n.", "250 2.0.0 queued as T1");
    first.say("RSET", "250 2.0.0 forgotten");
    let refused = first.ask("MAIL FROM:<ups@x.it>").remove(0);
    assert!(refused.starts_with("450 4.7.1 127.0.0.1 has sent its 14 octets of this minute;"), "{refused}");
}

#[test]
fn a_reload_changes_limits_for_new_connections_only() {
    let relay = Relay::start(limits());
    let mut before = relay.admitted();
    before.hello();
    relay.handle.reload(settings(Limits { message_octets: 5, ..limits() }, &["127.0.0.0/8"]));
    before.mail(1);
    let mut after = relay.admitted();
    after.data();
    after.say("text\r\n.", "552 5.3.4 a message has 5 octets at most");
    relay.handle.reload(settings(limits(), &["10.0.0.0/8"]));
    before.mail(2);
    let refused = "554 5.7.1 127.0.0.1 is in none of the networks that this listener serves\r\n";
    assert_eq!(relay.connect().rest(), refused);
    assert_eq!(relay.metric("connections_refused_total{cause=\"network\"}"), 1);
}

// ---- the whole session ----

const TOO_LONG: &str =
    "421 4.4.2 relay.test closes: the session has lasted long enough; come again in a new one\r\n";

fn session(milliseconds: u64) -> Limits {
    Limits { session_time: Duration::from_millis(milliseconds), ..limits() }
}

#[test]
fn a_session_has_its_time() {
    let relay = Relay::start(session(500));
    let mut peer = relay.admitted();
    peer.data();
    peer.say("text\r\n.", "250 2.0.0 queued as T1");
    assert_eq!(peer.rest(), TOO_LONG);
}

/// Each read brings more commands, so that it never waits for input.
#[test]
fn a_client_that_never_pauses_has_its_time_too() {
    let time = Duration::from_millis(150);
    let relay = Relay::start(session(150));
    let began = Instant::now();
    let mut peer = relay.admitted();
    let mut writer = peer.0.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        let commands = b"NOOP\r\n".repeat(100);
        while writer.write_all(&commands).is_ok() {}
    });
    let mut tail = Vec::new();
    let mut octets = [0; 4096];
    // The end may be a reset, since there is always something that was not read.
    while let Ok(count @ 1..) = peer.0.read(&mut octets) {
        tail.extend_from_slice(&octets[..count]);
        tail.drain(..tail.len().saturating_sub(TOO_LONG.len()));
        assert!(began.elapsed() < PATIENCE, "the session goes on");
    }
    assert!(began.elapsed() >= time);
    assert_eq!(String::from_utf8_lossy(&tail), TOO_LONG);
    drop(peer);
    writing.join().unwrap();
    relay.admitted();
    assert_eq!(relay.metric("sessions_ended_total{how=\"timed_out\"}"), 1);
}

#[test]
fn a_message_that_is_under_way_may_end_after_the_session_has() {
    let relay = Relay::start(session(500));
    let mut sending = relay.admitted();
    sending.data();
    sending.send(b"te");
    // Somebody who came later shows that the time is over.
    assert_eq!(relay.connect().rest(), format!("{GREETING}{TOO_LONG}"));
    sending.send(b"xt\r\n.\r\nNOOP\r\n");
    assert_eq!(sending.rest(), format!("250 2.0.0 queued as T1\r\n{TOO_LONG}"));
}

#[test]
fn a_chunk_that_trickles_in_has_one_deadline() {
    let time = Duration::from_millis(150);
    // A command's would outlast what is dripped.
    let relay = Relay::start(Limits { message_time: time, command_time: 2 * PATIENCE, ..limits() });
    let mut peer = relay.admitted();
    peer.hello();
    peer.say("MAIL FROM:<ups@x.it>", "250 2.1.0 sender ok");
    peer.say("RCPT TO:<oncall@sms.local>", "250 2.1.5 recipient ok");
    peer.send(b"BDAT 1000000 LAST\r\n");
    crate::drip(&mut peer, b"x");
    assert_eq!(peer.rest(), crate::MESSAGE_TIMED_OUT);
    assert_eq!(relay.mails(), [""; 0]);
}

// ---- errors ----

const UNKNOWN: &str = "500 5.5.1 unknown command; try HELP";

#[test]
fn further_errors_are_answered_late() {
    let delay = Duration::from_millis(200);
    let relay = Relay::start(Limits { errors_undelayed: 1, error_delay: delay, ..limits() });
    let mut peer = relay.admitted();
    peer.say("X", UNKNOWN);
    let began = Instant::now();
    peer.send(b"NOOP\r\nX\r\nX\r\nNOOP\r\n");
    peer.expect("250 2.0.0 ok\r\n");
    peer.expect(&format!("{UNKNOWN}\r\n"));
    assert!(began.elapsed() >= delay);
    peer.expect(&format!("{UNKNOWN}\r\n250 2.0.0 ok\r\n"));
    assert!(began.elapsed() >= 2 * delay);
}

/// Waiting would outlast the patience of the test.
#[test]
fn the_first_errors_and_all_that_is_no_error_are_answered_at_once() {
    let relay = Relay::start(Limits { errors_undelayed: 2, error_delay: 2 * PATIENCE, ..limits() });
    let mut peer = relay.admitted();
    peer.say("X", UNKNOWN);
    peer.say("X", UNKNOWN);
    peer.say("NOOP", "250 2.0.0 ok");
    peer.hello();
    peer.say("MAIL FROM:<ups@x.it>", "250 2.1.0 sender ok");
    peer.say("RCPT TO:<busy@sms.local>", "452 4.3.1 try again later");
    peer.send(b"X\r\n");
    relay.admitted().hello();
    peer.has_heard_nothing();
}

#[test]
fn an_error_that_is_answered_late_delays_nobody_else_and_not_the_stop() {
    let relay = Relay::start(Limits { errors_undelayed: 0, error_delay: 2 * PATIENCE, ..limits() });
    let mut guessing: Vec<Peer> = (0..8).map(|_| relay.admitted()).collect();
    for peer in &mut guessing {
        peer.send(b"NOOP\r\nX\r\n");
        peer.expect("250 2.0.0 ok\r\n");
    }
    let mut other = relay.admitted();
    other.hello();
    other.mail(1);
    for peer in &guessing {
        peer.has_heard_nothing();
    }
    relay.stop.send(true).unwrap();
    let stopping = "421 4.3.2 relay.test closes: the service is stopping; try again later\r\n";
    for peer in &mut guessing {
        assert_eq!(peer.rest(), format!("{UNKNOWN}\r\n{stopping}"));
    }
    drop((guessing, other));
    relay.wait();
}

#[test]
fn what_happens_is_counted() {
    let relay = Relay::start(Limits { errors: 2, ..limits() });
    let mut peer = relay.admitted();
    peer.hello();
    assert_eq!(relay.metric("open_connections"), 1);
    peer.say("MAIL FROM:<ups@x.it>", "250 2.1.0 sender ok");
    peer.say("RCPT TO:<busy@sms.local>", "452 4.3.1 try again later");
    peer.say("RCPT TO:<x@sms.local>", "550 5.1.1 `x` is neither number nor alias");
    peer.say("RSET", "250 2.0.0 forgotten");
    peer.mail(1);
    peer.begin();
    peer.say("REFUSE-LATER\r\n.", "452 4.3.1 as the test wishes");
    peer.say("X", UNKNOWN);
    assert_eq!(peer.rest(), "421 4.7.0 relay.test closes: too many errors\r\n");
    for (series, value) in [
        ("connections_accepted_total", 1),
        ("messages_accepted_total", 1),
        ("messages_refused_total{code=\"452\"}", 1),
        ("recipients_accepted_total", 2),
        ("recipients_refused_total{code=\"452\"}", 1),
        ("recipients_refused_total{code=\"550\"}", 1),
    ] {
        assert_eq!(relay.metric(series), value, "{series}");
    }
    drop(peer);
    let mut stranger = relay.admitted();
    stranger.send(b"GET / HTTP/1.1\r\n");
    assert_eq!(stranger.rest(), "421 4.7.0 relay.test closes: this port speaks SMTP, not HTTP\r\n");
    drop(stranger);
    relay.stop.send(true).unwrap();
    // Sessions count as ended when their places are free, not before.
    let began = Instant::now();
    while relay.metric("open_connections") > 0 {
        assert!(began.elapsed() < PATIENCE);
    }
    for (how, value) in [("errors", 1), ("not_smtp", 1), ("quit", 0)] {
        assert_eq!(relay.metric(&format!("sessions_ended_total{{how=\"{how}\"}}")), value, "{how}");
    }
}
