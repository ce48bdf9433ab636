//! Reports as two libraries read them that nobody here wrote: Python's `email` package, and `flufl.bounce`,
//! which finds for Mailman who is not reached.
//!
//! Skipped with a printed line where one of them is not there; in CI, where nothing may be skipped, that is a
//! failure.

// clippy allows these in test functions, but not in what they call.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use sms_relay::bounce::{
    Action, Audience, Letter, Report, ReportedRecipient, ReturnedMail, Summary, SummaryEntry, Undeliverable,
};
use sms_relay::model::{
    Cause, Client, Door, EnhancedStatus, MailAddress, MailKind, MessageId, Orcpt, Original, OutgoingMail,
    PhoneNumber, ReversePath, SubmissionId,
};

/// Reads a mail from standard input and prints what it finds, one fact a line. The policy is the
/// strict one: a defect anywhere in the tree is a fact.
const READER: &str = r#"
import email, email.policy, sys
raw = sys.stdin.buffer.read()
mail = email.message_from_bytes(raw, policy=email.policy.default)
def fact(name, value):
    print(f"{name}={str(value)!a}")
fact("crlf only", raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r"))
fact("ascii", raw.isascii() and b"\0" not in raw)
fact("longest line", max(map(len, raw.split(b"\r\n"))) <= 998)
fact("headers", ",".join(mail.keys()))
fact("type", mail.get_content_type())
fact("report-type", mail.get_param("report-type"))
fact("to", mail["to"])
fact("subject", mail["subject"])
fact("references", mail["references"])
fact("auto-submitted", mail["auto-submitted"])
for name, value in mail.items():
    if getattr(value, "defects", ()):
        fact("defect of " + name, value.defects)
for part in mail.walk():
    if part.defects:
        fact("defect", part.defects)
if mail.is_multipart():
    parts = list(mail.iter_parts())
    fact("parts", ",".join(part.get_content_type() for part in parts))
    fact("encodings", ",".join(str(part["content-transfer-encoding"]) for part in parts))
    for part in parts:
        if part.get_content_type() == "message/delivery-status":
            blocks = part.get_payload()
            fact("blocks", len(blocks))
            for block in blocks[:3]:
                for name, value in block.items():
                    if not name.endswith("-Date") and not name.startswith("X-"):
                        fact(name, " ".join(str(value).split()))
        elif part.get_content_type() == "message/rfc822":
            fact("returned mail", part.get_content().as_bytes())
        elif part.get_content_type() == "text/rfc822-headers":
            fact("returned headers", part.get_payload(decode=True))
human = mail.get_body(("plain",)) or mail
for line in human.get_content().splitlines():
    fact("human", line)
"#;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn submission() -> SubmissionId {
    "01HF7YAT00ARZ3NDEKTSV4RRFF".parse().unwrap()
}

struct World {
    from: MailAddress,
    to: MailAddress,
    client: Client,
    original: Original,
    phone: PhoneNumber,
    ids: Vec<MessageId>,
    cause: Cause,
    human: Option<String>,
}

impl World {
    fn new() -> Self {
        Self {
            from: MailAddress::parse("postmaster@relay.example.com").unwrap(),
            to: MailAddress::parse("nas@example.com").unwrap(),
            client: Client {
                door: Door::Smtp,
                listener: "lan".to_owned(),
                address: "192.0.2.7".parse().unwrap(),
                helo: Some("nas.example.com".to_owned()),
                account: None,
            },
            original: Original {
                envid: Some("QQ+314159".to_owned()),
                ret: None,
                message_id: Some("<1@nas.example.com>".to_owned()),
                subject: Some("Größe überschritten: Platte 日本語 voll".to_owned()),
                content: b"Received: by relay.example.com\r\nSubject: x\r\n".to_vec(),
                is_full: false,
            },
            phone: PhoneNumber::from_e164("+393471234567").unwrap(),
            ids: (1..=300).map(|ordinal| submission().message(ordinal)).collect(),
            human: None,
            cause: Cause::new(EnhancedStatus::UNKNOWN_RECIPIENT, "The platform refused the number.")
                .with_diagnostic("http 422 numero non valido: è corto"),
        }
    }

    fn letter(&self) -> Letter<'_> {
        let id = "01HF7YAT01BXJ0M1S2Q3R4T5V6".parse().unwrap();
        Letter { hostname: "relay.example.com", from: &self.from, to: &self.to, id, now: at(60) }
    }

    fn recipient<'a>(
        &'a self,
        ordinal: u32,
        address: &'a str,
        texts: &'a [&'a str],
    ) -> ReportedRecipient<'a> {
        ReportedRecipient {
            ids: &self.ids[ordinal as usize - 1..ordinal as usize],
            address,
            orcpt: None,
            phone: &self.phone,
            texts,
            action: Action::Failed,
            cause: &self.cause,
            last_attempt_at: Some(at(30)),
            at: at(45),
            retry_until: Some(at(14_400)),
            platform: Some("api.example.net"),
        }
    }

    fn report<'a>(&'a self, recipients: &'a [ReportedRecipient<'a>]) -> Vec<u8> {
        Report {
            letter: self.letter(),
            audience: Audience::Sender,
            submission: submission(),
            received_at: at(0),
            client: &self.client,
            original: &self.original,
            recipients,
            include_text: true,
            human: self.human.as_deref(),
        }
        .to_bytes()
    }
}

/// Prints the addresses that are not reached for now, and those that never are.
const JUDGE: &str = r#"
import email, sys
from flufl.bounce import all_failures
temporary, permanent = all_failures(email.message_from_binary_file(sys.stdin.buffer))
print(",".join(sorted(address.decode() for address in temporary)))
print(",".join(sorted(address.decode() for address in permanent)))
"#;

/// Whether a judge is here; in CI it must be.
fn given(there: bool, otherwise: &str) -> bool {
    assert!(there || std::env::var_os("SMS_RELAY_TESTS_SKIP_NOTHING").is_none(), "{otherwise}");
    if !there {
        println!("skipped: {otherwise}");
    }
    there
}

/// Where the libraries are.
fn judges() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/judges")
}

/// What `flufl.bounce` finds: who is not reached for now, and who never is. `None` without it.
fn bounced(mail: &[u8]) -> Option<(String, String)> {
    let there = judges().join("flufl/bounce").is_dir();
    if !given(there, "flufl.bounce is not installed; `.ci/run` installs it below target/clients") {
        return None;
    }
    let printed = python(JUDGE, mail)?;
    let mut lines = printed.lines();
    Some((lines.next().unwrap().to_owned(), lines.next().unwrap().to_owned()))
}

/// What Python finds in `mail`; `None` without Python.
fn facts(mail: &[u8]) -> Option<Vec<String>> {
    Some(python(READER, mail)?.lines().map(str::to_owned).collect())
}

/// What a script prints about `mail`; `None` without Python.
fn python(script: &str, mail: &[u8]) -> Option<String> {
    let mut python = match Command::new("python3")
        .args(["-c", script])
        .env("PYTHONPATH", judges())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Ok(python) => python,
        Err(error) => {
            given(false, &format!("there is no python3 ({error})"));
            return None;
        }
    };
    python.stdin.take().unwrap().write_all(mail).unwrap();
    let output = python.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{}", String::from_utf8_lossy(mail));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Compares with the facts on file, in full.
macro_rules! expect {
    ($name:literal, $mail:expr) => {
        if let Some(found) = facts(&$mail) {
            assert!(!found.iter().any(|fact| fact.starts_with("defect")), "{found:#?}");
            insta::assert_snapshot!($name, found.join("\n"));
        }
    };
}

#[test]
fn a_report_reads_as_a_delivery_status_notification() {
    let world = World::new();
    let orcpt = Orcpt { kind: "rfc822".to_owned(), address: "Mario@example.com".to_owned() };
    let mut one = [world.recipient(1, "p393471234567@sms.local", &["Größe: 98 %\n.\nFrom the rack"])];
    one[0].orcpt = Some(&orcpt);
    expect!("one_recipient", world.report(&one));
}

#[test]
fn a_whole_mail_comes_back_octet_for_octet() {
    let mut world = World::new();
    world.original.is_full = true;
    world.original.content = b"Subject: x\r\nMIME-Version: 1.0\r\n\r\n.\r\nbody = 1\r\n".to_vec();
    if let Some(found) = facts(&world.report(&[world.recipient(1, "p393471234567@sms.local", &["x"])])) {
        let parts = "parts='text/plain,message/delivery-status,message/rfc822'";
        assert!(found.iter().any(|fact| fact == parts), "{found:#?}");
        let returned = r#"returned mail="b'Subject: x\\nMIME-Version: 1.0\\n\\n.\\nbody = 1\\n'""#;
        assert!(found.iter().any(|fact| fact == returned), "{found:#?}");
        assert!(!found.iter().any(|fact| fact.starts_with("defect")), "{found:#?}");
    }
}

fn hostile(human: Option<&str>) -> Vec<u8> {
    let mut world = World::new();
    let evil = "x\r\nBcc: victim@example.com\r\n\r\n--=_01HF7YAT01\r\nContent-Type: text/html\r\n\r\n<b>\0\u{85}\u{2028}y";
    world.client.helo = Some(evil.to_owned());
    world.original.subject = Some(format!("=?utf-8?Q?a?= {evil}"));
    world.original.envid = Some(evil.to_owned());
    world.original.message_id = Some(format!("<a@b>\r\n{evil}"));
    world.original.content = b"Subject: caff\xe8\nBcc: a\rb\0\r\nX: \xff\r\n".to_vec();
    world.cause = Cause::new(EnhancedStatus::POLICY, evil).with_diagnostic(evil);
    let orcpt = Orcpt { kind: evil.to_owned(), address: evil.to_owned() };
    world.human = human.map(str::to_owned);
    let texts = [evil];
    let mut one = [world.recipient(1, evil, &texts)];
    one[0].orcpt = Some(&orcpt);
    one[0].platform = Some(evil);
    world.report(&one)
}

#[test]
fn hostile_words_stay_words() {
    expect!("hostile", hostile(None));
    // Nor do they get out of a part that the operator's template made of them.
    let words =
        "a\r\nBcc: victim@example.com\r\n\r\n--=_01HF7YAT01BXJ0M1S2Q3R4T5V6--\r\nContent-Type: x/y\0\u{85}";
    expect!("hostile_template", hostile(Some(words)));
}

#[test]
fn a_bounce_parser_finds_who_is_not_reached_and_nobody_else() {
    let world = World::new();
    let all = [
        ("failed@sms.local", Action::Failed),
        ("late@sms.local", Action::Delayed),
        ("team@sms.local", Action::Expanded),
        ("relayed@sms.local", Action::Relayed),
        ("delivered@sms.local", Action::Delivered),
    ];
    let recipients: Vec<_> = (1..)
        .zip(all)
        .map(|(ordinal, (address, action))| ReportedRecipient {
            action,
            ..world.recipient(ordinal, address, &["Disk full"])
        })
        .collect();
    let found = |recipients: &[ReportedRecipient<'_>]| bounced(&world.report(recipients));
    let Some(both) = found(&recipients) else { return };
    assert_eq!(both, ("late@sms.local".to_owned(), "failed@sms.local".to_owned()));
    for (one, (address, action)) in recipients.iter().zip(all) {
        let expected = match action {
            Action::Failed => ("", address),
            Action::Delayed => (address, ""),
            Action::Expanded | Action::Relayed | Action::Delivered => ("", ""),
        };
        let (temporary, permanent) = found(std::slice::from_ref(one)).unwrap();
        assert_eq!((temporary.as_str(), permanent.as_str()), expected, "{action:?}");
    }
    // The address that the sender wrote first is the one that it knows.
    let orcpt = Orcpt { kind: "rfc822".to_owned(), address: "Mario@example.com".to_owned() };
    let first = [ReportedRecipient { orcpt: Some(&orcpt), ..recipients[0] }];
    assert_eq!(found(&first).unwrap().1, "Mario@example.com");
    let many: Vec<String> = (0..300).map(|n| format!("+39347{n:07}@sms.local")).collect();
    let recipients: Vec<_> = (0..300).map(|n| world.recipient(n as u32 + 1, &many[n], &["x"])).collect();
    assert_eq!(found(&recipients).unwrap().1, many.join(","));
}

#[test]
fn reports_of_every_kind_are_read_without_a_defect() {
    let world = World::new();
    let ids = [submission().message(1), submission().message(2)];
    for action in Action::ALL {
        let texts = ["Größe (1/2)", "(2/2)"];
        let base = world.recipient(1, "team@sms.local", &texts);
        let one = ReportedRecipient { action, ids: &ids, ..base };
        let Some(found) = facts(&world.report(&[one])) else { return };
        assert!(!found.iter().any(|fact| fact.starts_with("defect")), "{found:#?}");
        let told = format!("Action='{}'", action.as_str());
        assert!(found.contains(&told) && found.contains(&"blocks='2'".to_owned()), "{found:#?}");
    }
}

#[test]
fn addresses_beyond_ascii_are_read_without_a_defect() {
    let mut world = World::new();
    world.to = MailAddress::new("usèr", "exämple.com").unwrap();
    expect!("beyond_ascii", world.report(&[world.recipient(1, "büro@sms.local", &["x"])]));
}

#[test]
fn three_hundred_recipients_are_three_hundred_blocks() {
    let world = World::new();
    let addresses: Vec<String> = (0..300).map(|n| format!("+39347{n:07}@sms.local")).collect();
    let texts: Vec<String> = (0..300).map(|n| "è ".repeat(n)).collect();
    let texts: Vec<[&str; 1]> = texts.iter().map(|text| [text.as_str()]).collect();
    let recipients: Vec<_> =
        (0..300).map(|n| world.recipient(n as u32 + 1, &addresses[n], &texts[n])).collect();
    if let Some(found) = facts(&world.report(&recipients)) {
        assert!(found.contains(&"blocks='301'".to_owned()), "{found:#?}");
        assert!(!found.iter().any(|fact| fact.starts_with("defect")), "{found:#?}");
    }
}

#[test]
fn the_other_mails_are_read_without_a_defect() {
    let mut world = World::new();
    let one = [world.recipient(1, "oncall@sms.local", &["Größe"])];
    let entry = SummaryEntry {
        submission: submission(),
        received_at: at(0),
        subject: world.original.subject.as_deref(),
        recipients: &one,
    };
    let (letter, audience) = (world.letter(), Audience::Sender);
    expect!(
        "summary",
        Summary { letter, audience, limit: 20, include_text: true, entries: &[entry] }.to_bytes()
    );

    let lost = OutgoingMail {
        id: "01HF7YAT01BXJ0M1S2Q3R4T5V6".parse().unwrap(),
        about: Some(submission()),
        kind: MailKind::Report,
        reverse_path: ReversePath::Null,
        recipient: world.to.clone(),
        bytes: world.report(&one),
        expires_at: at(100),
    };
    let cause =
        Cause::new(EnhancedStatus::POLICY, "The mail server refused it.").with_diagnostic("550 5.7.1 no");
    let letter = Letter { id: "01HF7YAT02BXJ0M1S2Q3R4T5V6".parse().unwrap(), ..world.letter() };
    expect!("undeliverable", Undeliverable { letter, mail: &lost, cause: &cause }.to_bytes());

    let mail = OutgoingMail {
        kind: MailKind::Postmaster,
        recipient: MailAddress::parse("operator@example.com").unwrap(),
        bytes: "Received: by relay.example.com\r\nSubject: Größe\r\n\r\nPlease call.\r\n".into(),
        ..lost
    };
    let letter = Letter { id: "01HF7YAT03BXJ0M1S2Q3R4T5V6".parse().unwrap(), ..world.letter() };
    let (subject, message_id) = (Some("Größe"), Some("<1@nas.example.com>"));
    expect!("returned", ReturnedMail { letter, mail: &mail, subject, message_id, cause: &cause }.to_bytes());

    world.client.door = Door::Http;
    world.original = Original::default();
    expect!("form_post", world.report(&[world.recipient(1, "+39 347 1234567", &["x"])]));
}
