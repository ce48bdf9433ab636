//! What can be known when a recipient is named is refused there, with a reply that says why.

use crate::support::{Mail, World, run, tool};

/// Each recipient's reply.
fn replies(world: &World, from: &str, recipients: &[&str]) -> Vec<String> {
    let relay = world.start();
    let to: Vec<(&str, &[&str])> = recipients.iter().map(|to| (*to, &[][..])).collect();
    let mail = Mail { from, options: &[], to: &to, mail: "Subject: x\n\nx\n" };
    let mut replies = mail.replies(relay.smtp);
    assert!(relay.terminate().success());
    assert_eq!(replies.remove(0), "250 2.1.0 sender ok");
    replies
}

#[test]
fn every_refusal_says_what_is_wrong() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.rules = r#"
[[rule]]
name = "no-newsletters"
when.envelope_sender = "^news@"
refuse = "newsletters are not for phones"
"#
    .to_owned();
    let recipients = [
        "nobody@sms.local",
        "+39347@sms.local",
        "+447911123456@sms.local",
        "+393471234567@example.com",
        "postmaster@elsewhere.example",
    ];
    let expected = [
        "550 5.1.1 `nobody` is not a phone number, and there is no alias of that name",
        "550 5.1.1 `+39347` is too short for a phone number in international form (8 to 15 digits), and there is no alias of that name",
        "550 5.7.1 destination `+447911123456` is not allowed here; the operator has to allow its prefix",
        "550 5.1.2 `+393471234567@example.com` is not served here; write number@sms.local",
        "550 5.1.2 `postmaster@elsewhere.example` is not served here; write number@sms.local",
    ];
    assert_eq!(replies(&world, "ups@example.com", &recipients), expected);
    let refused = ["550 5.7.1 newsletters are not for phones"];
    assert_eq!(replies(&world, "news@example.com", &["oncall@sms.local"]), refused);
    assert_eq!(world.emulator.requests().send, 0);
}

#[test]
fn numbers_are_taken_as_people_write_them() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let recipients = [
        "+393471234567@sms.local",
        "00393471234567@sms.local",
        "393471234567@sms.local",
        "p393471234567@sms.local",
        "3471234567@sms.local",
        "ONCALL@SMS.LOCAL",
    ];
    let replies = replies(&world, "ups@example.com", &recipients);
    let (last, taken) = replies.split_last().unwrap();
    assert_eq!(taken, ["250 2.1.5 recipient ok"; 6]);
    assert!(last.starts_with("250 2.0.0 queued as "), "{last}");
}

#[test]
fn nothing_is_allowed_until_the_operator_allows_it() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("allowed = [\"+39\"]\n", String::new()));
    let refused = |written: &str| {
        format!("550 5.7.1 destination `{written}` is not allowed here; the operator has to allow its prefix")
    };
    let replies = replies(&world, "ups@example.com", &["+393471234567@sms.local", "oncall@sms.local"]);
    assert_eq!(replies, [refused("+393471234567"), refused("oncall")]);
}

#[test]
fn a_client_from_elsewhere_is_refused_at_the_door() {
    if !tool("swaks") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("name = \"mail\"\n", "name = \"mail\"\nnetworks = [\"10.0.0.0/8\"]\n".to_owned()));
    let relay = world.start();
    let (code, printed) =
        run("swaks", &["--server", &relay.smtp.to_string(), "--to", "oncall@sms.local", "--body", "x"]);
    assert_ne!(code, Some(0), "{printed}");
    let reply = "<** 554 5.7.1 127.0.0.1 is in none of the networks that this listener serves";
    assert!(printed.contains(reply), "{printed}");
    assert!(relay.terminate().success());
}

#[test]
fn vrfy_tells_nothing_and_help_tells_the_commands() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let script = "import smtplib, sys\n\
        with smtplib.SMTP('127.0.0.1', int(sys.stdin.read())) as smtp:\n\
        \x20   print(smtp.ehlo()[1].decode())\n\
        \x20   print(smtp.verify('oncall'), smtp.docmd('HELP'), smtp.docmd('TURN'))\n";
    let printed = crate::support::python(script, &relay.smtp.port().to_string());
    let expected = "\
relay.test
PIPELINING
SIZE 10485760
8BITMIME
SMTPUTF8
ENHANCEDSTATUSCODES
DSN
CHUNKING
LIMITS RCPTMAX=100
HELP
(252, b'2.0.0 send a mail and RCPT will tell') (214, b'2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 5321)') (500, b'5.5.1 unknown command; try HELP')
";
    assert_eq!(printed, expected);
    assert!(relay.terminate().success());
}
