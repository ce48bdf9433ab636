//! Bad mail harms nobody: each kind is answered as it deserves, and the next good mail goes through.

use std::net::SocketAddr;

use crate::support::{Mail, Relay, World, python, tool};

const TO: (&str, &[&str]) = ("oncall@sms.local", &[]);
const NOTHING: &str = "554 5.6.0 there is nothing to send: subject and text are empty";

/// The last reply of Python's `smtplib` to a mail of which a script makes the octets, as `mail`.
fn reply_to(relay: SocketAddr, mail: &str) -> String {
    let script = format!(
        "import smtplib, sys\n\
         mail = {mail}\n\
         with smtplib.SMTP('127.0.0.1', int(sys.stdin.read()), timeout=60) as smtp:\n\
         \x20   smtp.ehlo()\n\
         \x20   smtp.mail('ups@example.com')\n\
         \x20   smtp.rcpt('oncall@sms.local')\n\
         \x20   try:\n\
         \x20       code, text = smtp.data(mail)\n\
         \x20   except smtplib.SMTPDataError as error:\n\
         \x20       code, text = error.args\n\
         \x20   print(code, text.decode(), end='')\n"
    );
    python(&script, &relay.port().to_string())
}

/// The relay is well: a good mail goes through it and is the `count`th that reaches the platform.
fn still_well(world: &World, relay: Relay, texts: &[&str]) {
    Mail::new("ups@example.com", &TO, "Subject: x\n\nstill well\n").send(relay.smtp);
    let count = texts.len() as u64 + 1;
    world.wait_for_platform("the good mail", |record| record.total() == count);
    assert_eq!(world.texts(), [texts, &["still well"]].concat());
    assert!(relay.terminate().success());
}

#[test]
fn an_oversized_mail_is_refused_at_mail_and_at_its_end() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world
        .otherwise
        .push(("[[smtp.listener]]", "[smtp]\nmessage_size = \"64 KiB\"\n\n[[smtp.listener]]".to_owned()));
    let relay = world.start();
    let refusal = "552 5.3.4 a message has 65536 octets at most";
    let declared =
        |size: &str| Mail { options: &[size], ..Mail::new("ups@example.com", &TO, "x") }.replies(relay.smtp);
    assert_eq!(declared("SIZE=65537"), [refusal]);
    assert_eq!(declared("SIZE=65536").len(), 3, "it goes on to the end");
    let of =
        |octets: usize| reply_to(relay.smtp, &format!("b'Subject: a\\r\\n\\r\\n' + b'y' * {}", octets - 16));
    assert_eq!(of(65_537), refusal);
    let taken = of(65_536);
    assert!(taken.starts_with("250 2.0.0 queued as "), "{taken}");
    world.wait_for_platform("the two that were taken", |record| record.total() == 2);
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.accepted().len(), 2);
}

#[test]
fn octets_that_mean_nothing_become_a_text_or_a_refusal() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let mails = [
        // Octets of no declared charset are read as windows-1252.
        ("b'Subject: x\\r\\n\\r\\nSt\\xf6rung \\x80 5\\r\\n'", "Störung € 5"),
        // NUL is what is left over of texts in UTF-16.
        ("b'Subject: x\\r\\n\\r\\nbefore\\x00after\\r\\n'", "beforeafter"),
        ("b'Subject: x\\r\\n\\r\\nlone\\rreturn and\\nnewline\\r\\n'", "lone\nreturn and\nnewline"),
        // A multipart that ends in the middle, and one whose boundary is never used.
        (
            "b'Content-Type: multipart/mixed; boundary=b\\r\\n\\r\\n--b\\r\\nContent-Type: text/plain\\r\\n\\r\\ncut off\\r\\n'",
            "cut off",
        ),
        (
            "b'Content-Type: multipart/mixed; boundary=b\\r\\nSubject: no parts\\r\\n\\r\\nwords\\r\\n'",
            "words",
        ),
        ("b'Content-Transfer-Encoding: base64\\r\\nSubject: not base64\\r\\n\\r\\n!!!\\r\\n'", "!!!"),
        ("b'no header at all\\r\\n'", "no header at all"),
        // The subject alone is sent.
        ("b'Subject: =?utf-8?Q?T=C3=BCr?= 3 offen\\r\\n\\r\\n'", "Tür 3 offen"),
    ];
    for (mail, _) in mails {
        let reply = reply_to(relay.smtp, mail);
        assert!(reply.starts_with("250 2.0.0 queued as "), "{mail}: {reply}");
    }
    assert_eq!(reply_to(relay.smtp, "b'From: ups@example.com\\r\\n\\r\\n \\r\\n'"), NOTHING);
    assert_eq!(reply_to(relay.smtp, "b''"), NOTHING);
    still_well(&world, relay, &mails.map(|(_, text)| text));
}

#[test]
fn noise_of_every_octet_does_no_harm() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let noise = "__import__('random').Random(7).randbytes(300_000).replace(b'\\r\\n.\\r\\n', b'')";
    let reply = reply_to(relay.smtp, noise);
    assert!(reply.starts_with("250 2.0.0 queued as ") || reply == NOTHING, "{reply}");
    let reply = reply_to(relay.smtp, "b'Subject: line\\r\\n\\r\\n' + b'long ' * 400_000");
    assert!(reply.starts_with("250 2.0.0 queued as "), "{reply}");
    Mail::new("ups@example.com", &("+393470000009@sms.local", &[]), "Subject: x\n\nwell\n").send(relay.smtp);
    world.wait_for_platform("the line", |record| {
        record.accepted().any(|sms| sms.text.starts_with("long long") && sms.parts == 3)
            && record.accepted().any(|sms| sms.text == "well")
    });
    assert!(relay.terminate().success());
}

#[test]
fn ten_thousand_recipients_are_told_when_it_is_enough() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    // Pipelined, since it would take long otherwise.
    let script = r#"
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.stdin.read()), timeout=60) as smtp:
    smtp.ehlo()
    smtp.mail("ups@example.com")
    replies = {}
    for begin in range(0, 10_000, 200):
        for n in range(begin, begin + 200):
            smtp.send(f"RCPT TO:<+39347{n:07}@sms.local>\r\n")
        for n in range(200):
            code, text = smtp.getreply()
            replies.setdefault(f"{code} {text.decode()}", []).append(begin + n)
    for reply, recipients in replies.items():
        print(len(recipients), recipients[0], reply)
    print(*smtp.data("Subject: x\r\n\r\nmany\r\n"))
"#;
    let printed = python(script, &relay.smtp.port().to_string());
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "100 0 250 2.1.5 recipient ok");
    assert_eq!(
        lines[1],
        "9900 100 452 4.5.3 a mail takes 100 recipients at most; send it again for the others"
    );
    assert!(lines[2].starts_with("250 b'2.0.0 queued as "), "{printed}");
    world.wait_for_platform("the hundred", |record| record.total() == 100);
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.accepted().len(), 100);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_mail_sends_nothing() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    // One closes its connection, one resets it, and one has sent all but the last octet.
    let script = r#"
import socket, struct, sys
port = int(sys.stdin.read())
for reset, mail in [(False, b"Subject: x\r\n\r\nhalf"), (True, b"Subject: x\r\n\r\nhalf"), (False, b"Subject: x\r\n\r\nall\r\n.\r")]:
    peer = socket.create_connection(("127.0.0.1", port))
    lines = peer.makefile("rb")
    lines.readline()
    for command in [b"HELO printer.test", b"MAIL FROM:<ups@example.com>", b"RCPT TO:<oncall@sms.local>", b"DATA"]:
        peer.sendall(command + b"\r\n")
        reply = lines.readline()
    assert reply.startswith(b"354 "), reply
    peer.sendall(mail)
    if reset:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    lines.close()
    peer.close()
"#;
    python(script, &relay.smtp.port().to_string());
    still_well(&world, relay, &[]);
    let script = "import sqlite3, sys\n\
        print(sqlite3.connect(sys.stdin.read()).execute('SELECT count(*) FROM submission').fetchone()[0])";
    assert_eq!(python(script, world.directory.path().join("spool/spool.sqlite").to_str().unwrap()), "1\n");
}

#[test]
fn a_dot_with_bare_line_ends_does_not_end_the_mail() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let smuggled = "Subject: one\r\n\r\nfirst\n.\nMAIL FROM:<x@example.com>\r\n.\rstill the first\r\n";
    let script = r#"
import socket, sys
port, mail = sys.stdin.read().split("|", 1)
peer = socket.create_connection(("127.0.0.1", int(port)))
lines = peer.makefile("rb")
lines.readline()
for command in [b"HELO printer.test", b"MAIL FROM:<ups@example.com>", b"RCPT TO:<oncall@sms.local>", b"DATA", mail.encode() + b"."]:
    peer.sendall(command + b"\r\n")
    reply = lines.readline()
print(reply.decode()[:20])
"#;
    let printed = python(script, &format!("{}|{smuggled}", relay.smtp.port()));
    assert_eq!(printed, "250 2.0.0 queued as \n");
    world.wait_for_platform("one", |record| record.total() == 1);
    assert_eq!(world.texts(), ["first\n.\nMAIL FROM:<x@example.com>\nstill the first"]);
    assert!(relay.terminate().success());
}
