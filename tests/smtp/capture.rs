//! Dialogues that are written down as they are spoken, TLS and secrets included.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sms_relay::smtp::{Auth, Capture, Limits, Settings};

use crate::certificate::certificate;
use crate::relay::{PATIENCE, Relay, limits};
use crate::tls::{READY, handshake, starttls};

fn captured(limits: Limits, directory: &Path, mask_numbers: bool) -> Settings {
    let mut settings = starttls(limits);
    let capture = Capture { directory: directory.to_owned(), file_octets: 10_000, files: 10, mask_numbers };
    let listener = &mut settings.listeners[0];
    listener.capture = Some(Arc::new(capture));
    (listener.auth, listener.auth_without_tls) = (Auth::Offered, true);
    settings
}

/// The one file, once all of these stand in it.
fn written(directory: &Path, ends: &[&str]) -> String {
    let began = Instant::now();
    loop {
        let files = std::fs::read_dir(directory).into_iter().flatten();
        let texts: Vec<String> =
            files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        if let [text] = &texts[..]
            && ends.iter().all(|end| text.contains(end))
        {
            return text.clone();
        }
        assert!(began.elapsed() < PATIENCE, "{ends:?} are not in {texts:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_dialogue_with_starttls_and_auth_is_written_without_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("captures");
    let relay = Relay::serving(captured(limits(), &place, true));
    let mut peer = relay.admitted();
    peer.ask("EHLO client.test");
    peer.say("AUTH PLAIN AHVwcwBzZWNyZXQ=", "235 2.7.0 authenticated");
    peer.send(b"STARTTLS\r\nRSET\r\n");
    peer.expect(&format!("{READY}\r\n"));
    let mut peer = handshake(peer, certificate()).unwrap();
    peer.hello();
    peer.say("AUTH LOGIN", "334 VXNlcm5hbWU6");
    peer.say("dXBz", "334 UGFzc3dvcmQ6");
    peer.say("c2VjcmV0", "235 2.7.0 authenticated");
    peer.say("MAIL FROM:<ups@x.it>", "250 2.1.0 sender ok");
    peer.say("RCPT TO:<+393471234567@sms.local>", "250 2.1.5 recipient ok");
    peer.say("DATA", "354 go ahead; end with CR LF . CR LF");
    peer.say("call 0347 7654321\r\n.", "250 2.0.0 queued as T1");
    peer.say("QUIT", "221 2.0.0 relay.test closes, goodbye");
    assert_eq!(peer.rest(), "");

    let text = written(&place, &["closes, goodbye"]);
    for secret in ["AHVw", "dXBz", "c2Vj", "347123", "0347 765"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let expected = [
        "# A dialogue with 127.0.0.1 at the listener `lan`",
        "S: 220 relay.test ESMTP sms-relay",
        "C: EHLO client.test",
        "S: 250-STARTTLS",
        "C: AUTH PLAIN (secret, 16 octets)",
        "S: 235 2.7.0 authenticated",
        "C: STARTTLS",
        "6 octets behind STARTTLS were thrown away",
        "S: 220 2.0.0 go ahead with the TLS handshake",
        "TLS begins",
        "C: HELO client.test",
        "C: AUTH LOGIN",
        "C: (secret, 4 octets)",
        "S: 334 UGFzc3dvcmQ6",
        "C: (secret, 8 octets)",
        "S: 235 2.7.0 authenticated",
        "C: MAIL FROM:<ups@x.it>",
        "C: RCPT TO:<+39347\u{2022}\u{2022}\u{2022}4567@sms.local>",
        "S: 354 go ahead",
        "C: call 0347 \u{2022}\u{2022}\u{2022}4321",
        "C: .",
        "S: 250 2.0.0 queued as T1",
        "C: QUIT",
    ];
    let mut rest = text.as_str();
    for line in expected {
        let at = rest.find(line).unwrap_or_else(|| panic!("{line} is not, or not there, in {text}"));
        rest = &rest[at + line.len()..];
    }
}

#[test]
fn a_connection_that_is_lost_or_cut_is_written_to_its_end() {
    let lost = tempfile::tempdir().unwrap();
    let relay = Relay::serving(captured(limits(), lost.path(), false));
    let mut peer = relay.admitted();
    peer.data();
    peer.send(b"call 0347 7654321\r\nhalf a li");
    peer.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(peer.rest(), "");
    let ends = ["C: call 0347 7654321\n", "c: half a li\n", "the client closed the connection"];
    written(lost.path(), &ends);

    let cut = tempfile::tempdir().unwrap();
    let short = Limits { command_time: Duration::from_millis(500), ..limits() };
    let relay = Relay::serving(captured(short, cut.path(), false));
    let mut peer = relay.admitted();
    peer.send(b"NOO");
    peer.rest();
    drop(peer);
    written(cut.path(), &["c: NOO\n", "no complete command came in time"]);
}

#[test]
fn what_cannot_be_written_harms_no_dialogue() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let relay = Relay::serving(captured(limits(), &file, false));
    let mut peer = relay.admitted();
    peer.hello();
    peer.mail(1);
}
