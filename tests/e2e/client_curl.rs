//! curl, which sends mail too, in every mode that it has.

use std::net::SocketAddr;

use crate::support::{DOORS, IMPLICIT, PASSWORD, STARTTLS, USERNAME, World, run_fed, tool};

const MAIL: &str = "From: ups@example.com\nTo: oncall@sms.local\nSubject: Power\n\n";

/// One mail with `text` to a URL and with further arguments. Returns its exit code and what it printed.
fn curl(url: &str, arguments: &[&str], text: &str) -> (Option<i32>, String) {
    let usual = [
        "--silent",
        "--show-error",
        "--verbose",
        "--mail-from",
        "ups@example.com",
        "--mail-rcpt",
        "oncall@sms.local",
        "--upload-file",
        "-",
        "--crlf",
        url,
    ];
    run_fed("curl", &[&usual, arguments].concat(), &format!("{MAIL}{text}\n"))
}

#[test]
fn plain() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let url = format!("smtp://localhost:{}/curl.test", relay.smtp.port());
    let (code, printed) = curl(&url, &[], "plain");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("> EHLO curl.test") && printed.contains("< 250 2.0.0 queued as "), "{printed}");

    // A second recipient that is refused does not stop the first where curl may go on.
    let second = ["--mail-rcpt", "nobody@sms.local", "--mail-rcpt-allowfails"];
    let (code, printed) = curl(&url, &second, "one of two");
    assert_eq!(code, Some(0), "{printed}");
    let why = "< 550 5.1.1 `nobody` is not a phone number, and there is no alias of that name";
    assert!(printed.contains(why), "{printed}");
    world.expect_texts(&["plain", "one of two"]);
    assert!(relay.terminate().success());
}

#[test]
fn a_mail_that_curl_puts_together() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let url = format!("smtp://localhost:{}/curl.test", relay.smtp.port());
    let arguments = [
        "--silent",
        "--show-error",
        "--mail-from",
        "ups@example.com",
        "--mail-rcpt",
        "oncall@sms.local",
        "--form",
        "=(;type=multipart/alternative",
        "--form",
        "=Kühlung aus;encoder=quoted-printable",
        "--form",
        "=Kühlung <b>aus</b>;type=text/html;encoder=base64",
        "--form",
        "=)",
        "--header",
        "From: ups@example.com",
        "--header",
        "Subject: Power",
        &url,
    ];
    let (code, printed) = run_fed("curl", &arguments, "");
    assert_eq!(code, Some(0), "{printed}");
    world.expect_texts(&["Kühlung aus"]);
    assert!(relay.terminate().success());
}

/// The URL of a door, and what else makes curl speak as it does.
fn speaking(door: &str, relay: SocketAddr) -> (String, &'static [&'static str]) {
    let port = relay.port();
    match door {
        STARTTLS => (format!("smtp://localhost:{port}/curl.test"), &["--ssl-reqd"]),
        IMPLICIT => (format!("smtps://localhost:{port}/curl.test"), &[]),
        _ => (format!("smtp://localhost:{port}/curl.test"), &[]),
    }
}

#[test]
fn tls_with_and_without_trust() {
    if !tool("curl") {
        return;
    }
    let world = World::with_doors("offered");
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let (url, arguments) = speaking(door, relay.door(door));
        let trust = |authority: &str| curl(&url, &[arguments, &["--cacert", authority]].concat(), door);
        let (code, printed) = trust(&world.authority());
        assert_eq!(code, Some(0), "{door}: {printed}");
        let (code, printed) = trust(&world.stranger());
        assert_eq!(code, Some(60), "{door}: {printed}");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    if !tool("curl") {
        return;
    }
    let world = World::with_doors("required");
    let relay = world.start();
    let authority = world.authority();
    let send = |door: &str, arguments: &[&str], password: &str, text: &str| {
        let (url, usual) = speaking(door, relay.door(door));
        let user = format!("{USERNAME}:{password}");
        curl(&url, &[usual, &["--cacert", &authority, "--user", &user], arguments].concat(), text)
    };
    let mut texts = Vec::new();
    for door in DOORS {
        let ways: [(&str, &[&str]); 5] = [
            ("what curl likes best", &[]),
            ("PLAIN", &["--login-options", "AUTH=PLAIN"]),
            ("PLAIN at once", &["--login-options", "AUTH=PLAIN", "--sasl-ir"]),
            ("LOGIN", &["--login-options", "AUTH=LOGIN"]),
            ("CRAM-MD5", &["--login-options", "AUTH=CRAM-MD5"]),
        ];
        for (way, arguments) in ways {
            let text = format!("{door} {way}");
            let (code, printed) = send(door, arguments, PASSWORD, &text);
            assert_eq!(code, Some(0), "{text}: {printed}");
            assert!(printed.contains("< 235 2.7.0 "), "{text}: {printed}");
            texts.push(text);
        }
    }
    world.expect_texts(&texts);
    let (code, printed) = send(STARTTLS, &["--login-options", "AUTH=PLAIN"], "guessed", "x");
    assert_eq!(code, Some(67), "{printed}");
    assert!(printed.contains("< 535 5.7.8 ") && printed.contains("Login denied"), "{printed}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
