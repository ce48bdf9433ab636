//! Python's `smtplib`, in every mode that it has. What it says word by word is in other tests; here
//! it sends as programs use it.

use serde_json::{Value, json};

use crate::support::{DOORS, HASHED, PASSWORD, Relay, USERNAME, World, python, tool};

/// Runs each mode, given as Python, on a fresh connection and returns what came of it.
const SEND: &str = r#"
import json, smtplib, ssl, sys
from email.message import EmailMessage
order = json.load(sys.stdin)
def connect(door, tls):
    trust = ssl.create_default_context(cafile=order.get("trust"))
    port = order["doors"][door]
    if tls == "implicit":
        return smtplib.SMTP_SSL("localhost", port, local_hostname="python.test", timeout=60, context=trust)
    smtp = smtplib.SMTP("localhost", port, local_hostname="python.test", timeout=60)
    if tls == "starttls":
        smtp.starttls(context=trust)
    return smtp
def mail(text):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ups@example.com", "oncall@sms.local", "Power"
    mail.set_content(text)
    return mail
def auth(smtp, mechanism, password):
    smtp.user, smtp.password = order["user"], password
    smtp.ehlo_or_helo_if_needed()
    smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower().replace("-", "_")))
def mode(name, door, tls, steps):
    try:
        with connect(door, tls) as smtp:
            exec(steps)
            return str(smtp.send_message(mail(name)))
    except smtplib.SMTPResponseException as error:
        return f"{type(error).__name__} {error.smtp_code} {error.smtp_error.decode()}"
    except ssl.SSLCertVerificationError as error:
        return type(error).__name__
print(json.dumps([mode(*each) for each in order["modes"]]))
"#;

/// What came of each mode: its text, its door, its TLS and what is done before the mail.
fn smtplib(doors: &Value, trust: Option<&str>, modes: &[(&str, &str, &str, &str)]) -> Vec<String> {
    let order = json!({ "doors": doors, "trust": trust, "modes": modes, "user": USERNAME });
    serde_json::from_str(&python(SEND, &order.to_string())).unwrap()
}

#[test]
fn plain_in_each_protocol() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let modes = [
        ("ESMTP", "plain", "off", ""),
        ("SMTP", "plain", "off", "smtp.helo()"),
        ("after a reset", "plain", "off", "smtp.ehlo(); smtp.mail('x@example.com'); smtp.rset()"),
        ("Überlauf", "plain", "off", "smtp.ehlo(); smtp.noop()"),
    ];
    let doors = json!({ "plain": relay.smtp.port() });
    assert_eq!(smtplib(&doors, None, &modes), ["{}"; 4], "nobody is refused");
    world.expect_texts(&modes.map(|(text, ..)| text));
    assert!(relay.terminate().success());
}

fn doors(relay: &Relay) -> Value {
    DOORS.iter().map(|door| ((*door).to_owned(), json!(relay.door(door).port()))).collect()
}

#[test]
fn tls_with_and_without_trust() {
    if !tool("python3") {
        return;
    }
    let world = World::with_doors("offered");
    let relay = world.start();
    let modes = [("by STARTTLS", "starttls", "starttls", ""), ("by TLS", "implicit", "implicit", "")];
    let doors = doors(&relay);
    assert_eq!(smtplib(&doors, Some(&world.authority()), &modes), ["{}"; 2]);
    assert_eq!(smtplib(&doors, Some(&world.stranger()), &modes), ["SSLCertVerificationError"; 2]);
    world.expect_texts(&modes.map(|(text, ..)| text));
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    if !tool("python3") {
        return;
    }
    let world = World::with_doors("required");
    let relay = world.start();
    let mut modes = Vec::new();
    for door in DOORS {
        let tls = if door == "plain" { "off" } else { door };
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let steps = format!("auth(smtp, '{mechanism}', '{PASSWORD}')");
            modes.push((format!("{door} {mechanism}"), door, tls, steps));
        }
        let steps = format!("smtp.login(order['user'], '{PASSWORD}')");
        modes.push((format!("{door} what smtplib likes best"), door, tls, steps));
    }
    let sent: Vec<_> =
        modes.iter().map(|(text, door, tls, steps)| (text.as_str(), *door, *tls, steps.as_str())).collect();
    let doors = doors(&relay);
    assert_eq!(smtplib(&doors, Some(&world.authority()), &sent), vec!["{}"; sent.len()]);
    let texts: Vec<_> = sent.iter().map(|(text, ..)| *text).collect();
    world.expect_texts(&texts);

    let wrong = [
        ("x", "starttls", "starttls", "auth(smtp, 'PLAIN', 'guessed')"),
        ("x", "plain", "off", "auth(smtp, 'CRAM-MD5', 'guessed')"),
    ];
    for told in smtplib(&doors, Some(&world.authority()), &wrong) {
        assert!(told.starts_with("SMTPAuthenticationError 535 5.7.8 "), "{told}");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}

#[test]
fn it_falls_back_from_cram_md5_for_every_mail_and_is_not_locked_out() {
    if !tool("python3") {
        return;
    }
    let mut world = World::with_doors("required");
    let usual = "certificate = \"relay.pem\"\n";
    world.otherwise.push((usual, format!("auth_failures = 2\nauth_delay = \"0s\"\n{usual}")));
    let relay = world.start();
    let doors = doors(&relay);
    let send = |steps: &str, texts: &[String]| {
        let modes: Vec<_> = texts.iter().map(|text| (text.as_str(), "starttls", "starttls", steps)).collect();
        smtplib(&doors, Some(&world.authority()), &modes)
    };
    // It begins with CRAM-MD5 where that is offered, and goes on to PLAIN when it is refused.
    let login = format!("smtp.login('{HASHED}', '{PASSWORD}')");
    let texts: Vec<String> = (1..=5).map(|number| format!("page {number}")).collect();
    assert_eq!(send(&login, &texts), ["{}"; 5]);
    world.expect_texts(&texts);
    let is_failure = |line: &Value| line["message"] == "authentication failed";
    let mut failed = 0;
    relay.follow_log("five failures", |line| {
        failed += usize::from(is_failure(line));
        failed == 5
    });
    let failed = relay.log().iter().filter(|line| is_failure(line)).count();
    assert_eq!(failed, 5, "by CRAM-MD5, once a mail");

    // A wrong password counts each time: by PLAIN, by LOGIN, and then nothing is tried any more.
    let wrong = format!("smtp.login('{HASHED}', 'guessed')");
    let told = send(&wrong, &["x".to_owned()]);
    assert!(told[0].starts_with("SMTPAuthenticationError 535 5.7.8 "), "{told:?}");
    let told = send(&login, &["x".to_owned()]);
    assert!(told[0].starts_with("SMTPAuthenticationError 454 4.7.0 too many failed "), "{told:?}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
