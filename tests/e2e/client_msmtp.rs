//! msmtp, the `sendmail` of machines without a mail server, in every mode that it has.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;

use crate::support::{DOORS, IMPLICIT, Letter, PASSWORD, STARTTLS, USERNAME, World, run_fed, tool};

/// One mail with `text`, by the door `relay` and with further lines of its configuration and
/// arguments. Returns its exit code and what it printed.
fn msmtp(
    world: &World,
    relay: SocketAddr,
    settings: &str,
    arguments: &[&str],
    text: &str,
) -> (Option<i32>, String) {
    let path = world.directory.path().join("msmtprc");
    let _ = std::fs::remove_file(&path);
    // It refuses to read a password that others can read.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    let account = format!(
        "account relay\nhost localhost\nport {}\ndomain msmtp.test\nfrom ups@example.com\ntimeout 60\n{settings}\naccount default : relay\n",
        relay.port()
    );
    std::io::Write::write_all(&mut file, account.as_bytes()).unwrap();
    let mail = format!("From: ups@example.com\nTo: oncall@sms.local\nSubject: Power\n\n{text}\n");
    let (code, printed) =
        run_fed("msmtp", &[&["-C", path.to_str().unwrap(), "--debug"], arguments].concat(), &mail);
    (code, printed.replace('\r', ""))
}

#[test]
fn plain_with_recipients_from_either_place() {
    if !tool("msmtp") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let modes: [(&str, &[&str]); 2] = [
        ("recipient from the command line", &["oncall@sms.local"]),
        ("recipient and sender from the mail", &["--read-recipients", "--read-envelope-from"]),
    ];
    for (mode, arguments) in modes {
        let (code, printed) = msmtp(&world, relay.smtp, "", arguments, mode);
        assert_eq!(code, Some(0), "{mode}: {printed}");
        // It sends MAIL, RCPT and DATA at once where the server offers to read them so.
        let pipelined = "--> MAIL FROM:<ups@example.com>\n--> RCPT TO:<oncall@sms.local>\n--> DATA\n<-- 250";
        assert!(printed.contains(pipelined), "{mode}: {printed}");
    }
    world.expect_texts(&modes.map(|(mode, _)| mode));
    assert!(relay.terminate().success());
}

#[test]
fn it_asks_for_a_report_and_gets_it() {
    if !(tool("msmtp") && tool("python3")) {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let asked = "dsn_notify success,failure\ndsn_return headers";
    let (code, printed) = msmtp(&world, relay.smtp, asked, &["oncall@sms.local"], "Back again.");
    assert_eq!(code, Some(0), "{printed}");
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.header("Subject"), "SMS delivered: Power");
    world.expect_texts(&["Back again."]);
    assert!(relay.terminate().success());
}

#[test]
fn it_repeats_why_a_recipient_was_refused() {
    if !tool("msmtp") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let (code, printed) = msmtp(&world, relay.smtp, "", &["nobody@sms.local"], "x");
    assert_eq!(code, Some(65), "EX_DATAERR: {printed}");
    let why =
        "msmtp: server message: 550 5.1.1 `nobody` is not a phone number, and there is no alias of that name";
    assert!(printed.contains(why), "{printed}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), [""; 0]);
}

/// What makes msmtp speak as a door does.
fn speaking(door: &str, authority: &str) -> String {
    match door {
        STARTTLS => format!("tls on\ntls_starttls on\ntls_trust_file {authority}"),
        IMPLICIT => format!("tls on\ntls_starttls off\ntls_trust_file {authority}"),
        _ => "tls off".to_owned(),
    }
}

#[test]
fn tls_with_and_without_trust() {
    if !tool("msmtp") {
        return;
    }
    let world = World::with_doors("offered");
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let trust = |authority: &str| {
            msmtp(&world, relay.door(door), &speaking(door, authority), &["oncall@sms.local"], door)
        };
        let (code, printed) = trust(&world.authority());
        assert_eq!(code, Some(0), "{door}: {printed}");
        let (code, printed) = trust(&world.stranger());
        assert_ne!(code, Some(0), "{door}: {printed}");
        assert!(printed.contains("TLS certificate verification failed"), "{door}: {printed}");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    if !tool("msmtp") {
        return;
    }
    let world = World::with_doors("required");
    let relay = world.start();
    let send = |door: &str, mechanism: &str, password: &str, text: &str| {
        let settings = format!(
            "{}\nauth {mechanism}\nuser {USERNAME}\npassword {password}",
            speaking(door, &world.authority())
        );
        msmtp(&world, relay.door(door), &settings, &["oncall@sms.local"], text)
    };
    let mut texts = Vec::new();
    for door in DOORS {
        for mechanism in ["plain", "login", "cram-md5"] {
            let text = format!("{door} {mechanism}");
            let (code, printed) = send(door, mechanism, PASSWORD, &text);
            assert_eq!(code, Some(0), "{text}: {printed}");
            texts.push(text);
        }
    }
    world.expect_texts(&texts);
    let (code, printed) = send(STARTTLS, "plain", "guessed", "x");
    assert_eq!(code, Some(77), "EX_NOPERM: {printed}");
    assert!(printed.contains("msmtp: authentication failed (method PLAIN)"), "{printed}");
    assert!(printed.contains("msmtp: server message: 535 5.7.8 "), "{printed}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
