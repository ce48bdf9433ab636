//! swaks, the mail administrator's knife, in every mode that it has.

use std::net::SocketAddr;

use crate::support::{DOORS, IMPLICIT, PASSWORD, PLAIN, STARTTLS, USERNAME, World, given, run, tool};

/// One mail with `text`, by the door `relay` and with further arguments. Returns what swaks printed
/// and its exit code.
fn swaks(relay: SocketAddr, arguments: &[&str], text: &str) -> (Option<i32>, String) {
    let server = format!("localhost:{}", relay.port());
    let usual = [
        "--server",
        &server,
        "--helo",
        "swaks.test",
        "--from",
        "ups@example.com",
        "--to",
        "oncall@sms.local",
        "--header",
        "Subject: Power",
        "--body",
        text,
    ];
    run("swaks", &[&usual, arguments].concat())
}

#[test]
fn plain_in_each_protocol() {
    if !tool("swaks") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let modes: [(&str, &[&str], &str); 4] = [
        ("ESMTP", &[], " -> EHLO swaks.test"),
        ("SMTP", &["--protocol", "SMTP"], " -> HELO swaks.test"),
        (
            "pipelined",
            &["--pipeline"],
            " -> MAIL FROM:<ups@example.com>\n -> RCPT TO:<oncall@sms.local>\n -> DATA\n<-",
        ),
        ("from nobody", &["--from", "<>"], " -> MAIL FROM:<>"),
    ];
    for (mode, arguments, said) in modes {
        let (code, printed) = swaks(relay.smtp, arguments, mode);
        assert_eq!(code, Some(0), "{mode}: {printed}");
        assert!(printed.contains(said) && printed.contains("250 2.0.0 queued as "), "{mode}: {printed}");
    }
    world.expect_texts(&modes.map(|(mode, ..)| mode));
    assert!(relay.terminate().success());
}

/// Whether swaks can speak TLS, for which it needs a library that it does without otherwise.
fn tls() -> bool {
    let (code, _) = run("perl", &["-MNet::SSLeay", "-e", "1"]);
    given(code == Some(0), "swaks cannot speak TLS: Perl's Net::SSLeay is not installed")
}

/// What makes swaks speak as a door does.
fn speaking(door: &str) -> &'static [&'static str] {
    match door {
        STARTTLS => &["--tls", "--tls-verify", "--tls-ca-path"],
        IMPLICIT => &["--tls-on-connect", "--tls-verify", "--tls-ca-path"],
        _ => &[],
    }
}

#[test]
fn tls_with_and_without_trust() {
    if !(tool("swaks") && tls()) {
        return;
    }
    let world = World::with_doors("offered");
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let trust = |authority: &str| swaks(relay.door(door), &[speaking(door), &[authority]].concat(), door);
        let (code, printed) = trust(&world.authority());
        assert_eq!(code, Some(0), "{door}: {printed}");
        assert!(printed.contains("<~  250 2.0.0 queued as "), "{door}: {printed}");
        let (code, printed) = trust(&world.stranger());
        assert_eq!(code, Some(29), "{door}: {printed}");
        assert!(printed.contains("certificate verify failed"), "{door}: {printed}");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    if !(tool("swaks") && tls()) {
        return;
    }
    let world = World::with_doors("required");
    let relay = world.start();
    let authority = world.authority();
    let send = |door: &str, mechanism: &str, password: &str, text: &str| {
        let trust = if door == PLAIN { &[][..] } else { &[authority.as_str()] };
        let auth = ["--auth", mechanism, "--auth-user", USERNAME, "--auth-password", password];
        swaks(relay.door(door), &[speaking(door), trust, &auth].concat(), text)
    };
    let mut texts = Vec::new();
    for door in DOORS {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let text = format!("{door} {mechanism}");
            let (code, printed) = send(door, mechanism, PASSWORD, &text);
            assert_eq!(code, Some(0), "{text}: {printed}");
            assert!(printed.contains(" 235 2.7.0 "), "{text}: {printed}");
            texts.push(text);
        }
    }
    world.expect_texts(&texts);
    for mechanism in ["PLAIN", "CRAM-MD5"] {
        let (code, printed) = send(STARTTLS, mechanism, "guessed", "x");
        assert_eq!(code, Some(28), "{printed}");
        assert!(
            printed.contains("<~* 535 5.7.8 ") && printed.contains("No authentication type succeeded"),
            "{printed}"
        );
    }
    let (code, printed) = swaks(relay.door(PLAIN), &[], "x");
    assert_eq!(code, Some(23), "{printed}");
    assert!(printed.contains("<** 530 5.7.0 "), "{printed}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
