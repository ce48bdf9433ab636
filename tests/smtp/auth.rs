//! Authentication over sockets: what needs a second connection, a clock or something random.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sms_relay::smtp::{Auth, Limits, Settings};

use crate::relay::{GREETING, PATIENCE, Peer, Relay, limits, settings};

fn open(limits: Limits) -> Settings {
    let mut settings = settings(limits, &["127.0.0.0/8"]);
    (settings.listeners[0].auth, settings.listeners[0].auth_without_tls) = (Auth::Required, true);
    settings
}

/// AUTH PLAIN for `ups`, with its password and with another.
const RIGHT: &str = "AUTH PLAIN AHVwcwBzZWNyZXQ=";
const WRONG: &str = "AUTH PLAIN AHVwcwBzZWNyZXRz";
const WELCOME: &str = "235 2.7.0 authenticated";
const REFUSED: &str = "535 5.7.8 user name or password are wrong";

/// Begins CRAM-MD5; answers with the challenge.
fn challenge(peer: &mut Peer) -> String {
    let answer = peer.ask("AUTH CRAM-MD5").remove(0);
    String::from_utf8(STANDARD.decode(answer.strip_prefix("334 ").unwrap()).unwrap()).unwrap()
}

fn response(username: &str, secret: &str, challenge: &str) -> String {
    let mac = Hmac::<Md5>::new_from_slice(secret.as_bytes()).unwrap().chain_update(challenge);
    let digest: String = mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    STANDARD.encode(format!("{username} {digest}"))
}

fn metric(relay: &Relay, result: &str) -> u64 {
    relay.metric(&format!("authentications_total{{result=\"{result}\"}}"))
}

/// RFC 2195, R17; BMCs speak it.
#[test]
fn cram_md5_signs_a_challenge_that_never_comes_again() {
    let relay = Relay::serving(open(limits()));
    let mut challenges = Vec::new();
    for _ in 0..2 {
        let mut peer = relay.admitted();
        peer.hello();
        let first = challenge(&mut peer);
        // `<random.number@host>`, as RFC 2195 section 2 has it.
        assert!(first.starts_with('<') && first.ends_with("@relay.test>"), "{first}");
        peer.say(&response("ups", "wrong", &first), REFUSED);
        let second = challenge(&mut peer);
        // What was signed once is good for nothing any more.
        peer.say(&response("ups", "secret", &first), REFUSED);
        let third = challenge(&mut peer);
        peer.say("*", "501 5.7.0 authentication cancelled");
        let fourth = challenge(&mut peer);
        peer.say("!", "501 5.5.2 this is not base64");
        let fifth = challenge(&mut peer);
        peer.say(&response("nobody", "secret", &fifth), REFUSED);
        let sixth = challenge(&mut peer);
        peer.say(&response("ups", "secret", &sixth), WELCOME);
        challenges.extend([first, second, third, fourth, fifth, sixth]);
        peer.mail(1);
        assert_eq!(relay.mails(), ["<ups@x.it> as ups -> oncall@sms.local: text\\r\\n"]);
    }
    challenges.sort();
    challenges.dedup();
    assert_eq!(challenges.len(), 12);
    assert_eq!((metric(&relay, "ok"), metric(&relay, "failed")), (2, 6));
}

#[test]
fn failures_count_for_the_client_over_its_connections_and_for_no_other() {
    let relay = Relay::serving(open(Limits { auth_failures: 3, ..limits() }));
    let too_many =
        |client| format!("454 4.7.0 too many failed authentications from {client}; try again later");
    for number in 1..=3 {
        let mut peer = relay.admitted();
        peer.hello();
        // At n - 1 the right password still works, and takes no failure back.
        if number == 3 {
            peer.say(RIGHT, WELCOME);
            peer = relay.admitted();
            peer.hello();
        }
        peer.say(WRONG, REFUSED);
    }
    let mut peer = relay.admitted();
    peer.hello();
    peer.say(RIGHT, &too_many("127.0.0.1"));
    peer.say("MAIL FROM:<ups@x.it>", "530 5.7.0 authenticate first, with AUTH");
    assert_eq!((metric(&relay, "ok"), metric(&relay, "failed"), metric(&relay, "limited")), (1, 3, 1));

    let mut other = relay.connect_from(2);
    other.expect(GREETING);
    other.hello();
    other.say(RIGHT, WELCOME);
}

#[test]
fn an_allowance_of_no_failures_lets_nobody_try() {
    let relay = Relay::serving(open(Limits { auth_failures: 0, ..limits() }));
    let mut peer = relay.admitted();
    peer.hello();
    let too_many = "454 4.7.0 too many failed authentications from 127.0.0.1; try again later";
    peer.say(RIGHT, too_many);
}

#[test]
fn failures_are_forgotten_after_their_time() {
    let window = Duration::from_millis(500);
    let patient = Limits { errors: usize::MAX, errors_undelayed: usize::MAX, ..limits() };
    let relay = Relay::serving(open(Limits { auth_failures: 1, auth_window: window, ..patient }));
    let mut peer = relay.admitted();
    peer.hello();
    let began = Instant::now();
    peer.say(WRONG, REFUSED);
    let mut tries = 0;
    while peer.ask(RIGHT)[0] != WELCOME {
        tries += 1;
        assert!(began.elapsed() < PATIENCE);
    }
    assert!(tries > 0 && began.elapsed() >= window);
}

#[test]
fn a_failure_is_answered_late_and_a_success_at_once() {
    let delay = Duration::from_millis(300);
    let relay = Relay::serving(open(Limits { auth_delay: delay, ..limits() }));
    let mut peer = relay.admitted();
    peer.hello();
    let began = Instant::now();
    peer.say(WRONG, REFUSED);
    assert!(began.elapsed() >= delay);
    // A name that nobody has takes as long.
    let began = Instant::now();
    peer.say("AUTH PLAIN AHVwYwBzZWNyZXQ=", REFUSED);
    assert!(began.elapsed() >= delay);

    // Waiting would outlast the patience of the test.
    let relay = Relay::serving(open(Limits { auth_delay: 2 * PATIENCE, ..limits() }));
    let mut peer = relay.admitted();
    peer.hello();
    peer.say(RIGHT, WELCOME);
}

#[test]
fn a_late_answer_delays_no_other_connection_and_no_other_authentication() {
    let relay = Relay::serving(open(Limits { auth_delay: 2 * PATIENCE, ..limits() }));
    let mut waiting: Vec<Peer> = (0..8).map(|_| relay.admitted()).collect();
    for peer in &mut waiting {
        peer.hello();
        peer.send(format!("{WRONG}\r\nNOOP\r\n").as_bytes());
    }
    let mut other = relay.admitted();
    other.hello();
    other.say(RIGHT, WELCOME);
    other.mail(1);
    for peer in &waiting {
        peer.has_heard_nothing();
    }
}

#[test]
fn what_a_client_pipelines_behind_a_late_answer_waits_too() {
    let delay = Duration::from_millis(200);
    let relay = Relay::serving(open(Limits { auth_delay: delay, ..limits() }));
    let mut peer = relay.admitted();
    peer.hello();
    let began = Instant::now();
    peer.send(format!("NOOP\r\n{}{RIGHT}\r\n", format!("{WRONG}\r\n").repeat(3)).as_bytes());
    // What was answered before is not held back.
    peer.expect("250 2.0.0 ok\r\n");
    peer.expect(&format!("{REFUSED}\r\n"));
    assert!(began.elapsed() >= delay);
    peer.expect(&format!("{REFUSED}\r\n{REFUSED}\r\n{WELCOME}\r\n"));
    assert!(began.elapsed() >= 3 * delay);
}
