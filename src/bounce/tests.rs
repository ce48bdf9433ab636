use super::*;
use crate::model::{MailKind, OutgoingMail, Reason, Ret, ReversePath};

mod quoted;

const SUBMISSION: &str = "01HF7YAT00ARZ3NDEKTSV4RRFF";
const MAIL: &str = "01HF7YAT01BXJ0M1S2Q3R4T5V6";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

struct World {
    from: MailAddress,
    to: MailAddress,
    client: Client,
    original: Original,
    phone: PhoneNumber,
    ids: Vec<MessageId>,
    include_text: bool,
    human: Option<String>,
    refused: Cause,
    expired: Cause,
    late: Cause,
    expanded: Cause,
    delivered: Cause,
    relayed: Cause,
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
                envid: Some("QQ314159".to_owned()),
                ret: None,
                message_id: Some("<1@nas.example.com>".to_owned()),
                subject: Some("Disk full".to_owned()),
                content:
                    b"Received: from nas.example.com\r\n\tby relay.example.com\r\nSubject: Disk full\r\n"
                        .to_vec(),
                is_full: false,
            },
            phone: PhoneNumber::from_e164("+393471234567").unwrap(),
            ids: (1..=500).map(|n| SUBMISSION.parse::<SubmissionId>().unwrap().message(n)).collect(),
            include_text: true,
            human: None,
            refused: Cause::new(EnhancedStatus::UNKNOWN_RECIPIENT, "The platform refused the number.")
                .with_diagnostic("http 422 invalid destination"),
            expired: Cause::new(EnhancedStatus::EXPIRED, "The platform could not be reached for 4 hours."),
            late: Reason::NotReached.because("connection refused"),
            expanded: Reason::Expanded.cause(),
            delivered: Reason::Delivered.cause(),
            relayed: Reason::Unconfirmed.cause(),
        }
    }

    fn letter(&self) -> Letter<'_> {
        let (hostname, from, to) = ("relay.example.com", &self.from, &self.to);
        Letter { hostname, from, to, id: MAIL.parse().unwrap(), now: at(60) }
    }

    fn recipient<'a>(&'a self, ordinal: u32, address: &'a str, action: Action) -> ReportedRecipient<'a> {
        let cause = match action {
            Action::Failed => &self.refused,
            Action::Delayed => &self.late,
            Action::Expanded => &self.expanded,
            Action::Delivered => &self.delivered,
            Action::Relayed => &self.relayed,
        };
        ReportedRecipient {
            ids: &self.ids[ordinal as usize - 1..ordinal as usize],
            address,
            orcpt: None,
            phone: &self.phone,
            texts: &["Disk full on nas: 98 %"],
            action,
            cause,
            last_attempt_at: Some(at(30)),
            at: at(45),
            retry_until: Some(at(14_400)),
            platform: Some("api.example.net"),
        }
    }

    fn report<'a>(&'a self, recipients: &'a [ReportedRecipient<'a>]) -> String {
        self.report_to(Audience::Sender, recipients)
    }

    fn report_to<'a>(&'a self, audience: Audience, recipients: &'a [ReportedRecipient<'a>]) -> String {
        let report = Report {
            letter: self.letter(),
            audience,
            submission: SUBMISSION.parse().unwrap(),
            received_at: at(0),
            client: &self.client,
            original: &self.original,
            recipients,
            include_text: self.include_text,
            human: self.human.as_deref(),
        };
        let bytes = report.to_bytes();
        assert!(encode::is_7bit(&bytes), "{}", String::from_utf8_lossy(&bytes));
        String::from_utf8(bytes).unwrap()
    }
}

fn numbered(world: &World, count: u32, action: Action) -> Vec<ReportedRecipient<'_>> {
    (1..=count).map(|ordinal| world.recipient(ordinal, "+393471234567@sms.local", action)).collect()
}

/// The part of `mail` behind its `nth` boundary, from 1.
fn part(mail: &str, nth: usize) -> &str {
    mail.split(&format!("--=_{MAIL}")).nth(nth).unwrap_or("no such part")
}

/// Shown with LF line ends; [`World::report_to`] has seen to it that they were CRLF.
macro_rules! expect {
    ($name:literal, $mail:expr) => {
        insta::assert_snapshot!($name, $mail.replace("\r\n", "\n"))
    };
}

#[test]
fn a_refused_number_is_reported_with_the_recipient_as_first_written() {
    let world = World::new();
    let orcpt = Orcpt { kind: "rfc822".to_owned(), address: "Mario+sms@example.com".to_owned() };
    let mut one = [world.recipient(1, "p393471234567@sms.local", Action::Failed)];
    one[0].orcpt = Some(&orcpt);
    expect!("refused_number", world.report(&one));
}

#[test]
fn recipients_of_one_mail_share_a_report_and_numbers_behind_an_alias_are_masked() {
    let world = World::new();
    let mut four = [
        world.recipient(1, "oncall@sms.local", Action::Failed),
        world.recipient(2, "oncall@sms.local", Action::Delivered),
        world.recipient(3, "+393471234567@sms.local", Action::Relayed),
        world.recipient(4, "00393471234567@sms.local", Action::Failed),
    ];
    four[3].cause = &world.expired;
    four[3].texts = &["Größe 1 = 2\n.\nFrom x"];
    let mail = world.report(&four);
    expect!("several_recipients", mail);
    assert!(!part(&mail, 2).contains("3471234567\r\nAction: delivered"), "the alias stays an alias");
}

#[test]
fn the_operator_sees_who_sent_it_and_the_number_behind_an_alias() {
    let world = World::new();
    let one = [world.recipient(1, "oncall@sms.local", Action::Failed)];
    let mail = world.report_to(Audience::Operator, &one);
    assert!(mail.contains("  oncall@sms.local (phone +393471234567)\r\n"), "{mail}");
    assert!(
        mail.contains("  From:     a client without an account at 192.0.2.7, by listener lan\r\n"),
        "{mail}"
    );
}

#[test]
fn a_form_post_is_reported_in_two_parts() {
    let mut world = World::new();
    world.client.door = Door::Http;
    world.client.helo = None;
    world.client.account = Some("erp".to_owned());
    world.original = Original::default();
    expect!(
        "form_post",
        world.report_to(Audience::Operator, &[world.recipient(1, "oncall", Action::Failed)])
    );
}

#[test]
fn a_success_that_was_asked_for_says_so_and_returns_headers_only() {
    let mut world = World::new();
    world.original.ret = Some(Ret::Full);
    world.original.is_full = true;
    world.original.content = b"Subject: Disk full\r\n\r\nsecret body\r\n".to_vec();
    let mail = world.report(&[world.recipient(1, "p393471234567@sms.local", Action::Delivered)]);
    expect!("success", mail);
}

#[test]
fn a_whole_mail_is_returned_when_it_is_seven_bit_and_its_headers_when_it_is_not() {
    let mut world = World::new();
    world.original.is_full = true;
    world.original.content = b"Subject: Disk full\r\n\r\n.\r\nbody\r\n".to_vec();
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    assert_eq!(
        part(&mail, 3),
        "\r\nContent-Type: message/rfc822\r\n\r\nSubject: Disk full\r\n\r\n.\r\nbody\r\n\r\n"
    );
    assert!(mail.contains("\r\nThe mail is attached.\r\n"));
    world.original.content = b"Subject: Disk full\r\n\r\ncaff\xe8\r\n".to_vec();
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    assert_eq!(part(&mail, 3), "\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: Disk full\r\n\r\n");
    assert!(mail.contains("\r\nThe headers of the mail are attached.\r\n"));
}

#[test]
fn raw_octets_in_the_original_headers_are_quoted() {
    let mut world = World::new();
    world.original.content = b"Subject: caff\xe8\nX: a\rb\0\r\n".to_vec();
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    assert_eq!(
        part(&mail, 3),
        "\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         Subject: caff=E8=0AX: a=0Db=00\r\n\r\n"
    );
}

#[test]
fn headers_of_64_kib_are_returned_whole_and_longer_ones_in_whole_lines() {
    let mut world = World::new();
    let line = format!("X: {}\r\n", "a".repeat(59));
    assert_eq!(line.len() * 1024, 64 * 1024);
    world.original.content = line.repeat(1024).into_bytes();
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    assert_eq!(part(&mail, 3).matches("X: ").count(), 1024);
    assert!(mail.contains("\r\nThe headers of the mail are attached.\r\n"));
    world.original.content.extend_from_slice(b"Y: b\r\n");
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    assert_eq!(part(&mail, 3).matches("X: ").count(), 1024);
    assert!(!mail.contains("Y: b"));
    assert!(mail.contains("\r\nThe first headers of the mail are attached; there are too many for all.\r\n"));
}

#[test]
fn nothing_that_is_quoted_becomes_a_header_a_part_or_a_recipient() {
    let mut world = World::new();
    let evil = "x\r\nBcc: victim@example.com\r\n\r\n--=_boundary\r\nContent-Type: text/html\r\n\r\n<b>\0";
    world.client.helo = Some(evil.to_owned());
    world.client.listener = evil.to_owned();
    world.client.account = Some(evil.to_owned());
    world.original.subject = Some(evil.to_owned());
    world.original.envid = Some(evil.to_owned());
    world.original.message_id = Some(format!("<a@b>\r\n{evil}"));
    world.refused = Cause::new(EnhancedStatus::POLICY, evil).with_diagnostic(evil);
    let orcpt = Orcpt { kind: evil.to_owned(), address: evil.to_owned() };
    let mut one = [world.recipient(1, evil, Action::Failed)];
    one[0].orcpt = Some(&orcpt);
    let texts = [evil, evil];
    one[0].texts = &texts;
    one[0].platform = Some(evil);
    let mail = world.report_to(Audience::Operator, &one);
    expect!("hostile", mail);
    assert!(mail.lines().all(|line| !line.starts_with("Bcc") && !line.starts_with("--=_boundary")), "{mail}");
}

#[test]
fn what_is_late_says_until_when_it_is_tried_and_returns_headers_only() {
    let mut world = World::new();
    world.original.ret = Some(Ret::Full);
    world.original.is_full = true;
    world.original.content = b"Subject: Disk full\r\n\r\nsecret body\r\n".to_vec();
    expect!("delayed", world.report(&[world.recipient(1, "oncall@sms.local", Action::Delayed)]));
}

#[test]
fn a_name_that_stands_for_several_phones_names_none_of_them() {
    let world = World::new();
    let mut one = [world.recipient(1, "team@sms.local", Action::Expanded)];
    one[0].ids = &world.ids[..3];
    let mail = world.report(&one);
    expect!("expanded", mail);
    assert!(!world.report_to(Audience::Operator, &one).contains("347"), "nor to the operator");
}

#[test]
fn what_asks_for_something_to_be_done_comes_first_in_both_parts() {
    let world = World::new();
    let all = [
        world.recipient(1, "a@sms.local", Action::Delivered),
        world.recipient(2, "b@sms.local", Action::Relayed),
        world.recipient(3, "c@sms.local", Action::Expanded),
        world.recipient(4, "d@sms.local", Action::Delayed),
        world.recipient(5, "e@sms.local", Action::Failed),
    ];
    expect!("mixed", world.report(&all));
    for (skipped, subject) in [
        (0, "SMS not delivered: Disk full"),
        (1, "SMS delayed: Disk full"),
        (2, "SMS on its way to several phones: Disk full"),
        (3, "SMS handed to the platform: Disk full"),
        (4, "SMS delivered: Disk full"),
    ] {
        let mail = world.report(&all[..5 - skipped]);
        assert!(mail.contains(&format!("\r\nSubject: {subject}\r\n")), "{mail}");
    }
}

#[test]
fn the_pieces_of_a_text_are_one_recipient() {
    let world = World::new();
    let mut one = [world.recipient(1, "oncall@sms.local", Action::Failed)];
    one[0].ids = &world.ids[..3];
    one[0].texts = &["Disk full (1/3)", "on nas (2/3)\nat 98 %", "(3/3)"];
    one[0].last_attempt_at = None;
    one[0].platform = None;
    expect!("pieces", world.report(&one));
    for action in [Action::Failed, Action::Expanded] {
        one[0].action = action;
        one[0].ids = &world.ids[..20];
        let mail = world.report(&one);
        assert!(!mail.contains(" more") && !mail.contains("X-Relay-Message-Count"), "{mail}");
        assert_eq!(mail.matches("\r\nX-Relay-Message-Id: ").count(), 20, "each has a field of its own");
        one[0].ids = &world.ids[..21];
        let mail = world.report(&one).replace("=\r\n", "");
        assert_eq!(mail.matches(&format!("{SUBMISSION}-20 and 1 more")).count(), 1, "{mail}");
        assert_eq!(mail.matches("\r\nX-Relay-Message-Id: ").count(), 20, "{mail}");
        assert!(mail.contains("-20\r\nX-Relay-Message-Count: 21\r\n"), "{mail}");
    }
}

#[test]
fn words_of_the_operators_take_the_place_of_the_human_part_alone() {
    let mut world = World::new();
    let usual = world.report(&numbered(&world, 1, Action::Failed));
    world.human = Some("Größe!\r\nCall\0\u{85} 112.\n.\nFrom x\r--=_x\nBcc: victim@example.com".to_owned());
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    expect!("template", mail);
    assert_eq!(part(&mail, 2), part(&usual, 2));
    assert_eq!(part(&mail, 3), part(&usual, 3));
}

#[test]
fn without_the_text_neither_it_nor_the_mail_is_returned() {
    let mut world = World::new();
    world.include_text = false;
    world.original.ret = Some(Ret::Full);
    world.original.is_full = true;
    world.original.content = b"Subject: Disk full\r\n\r\nnas: 98 %\r\n".to_vec();
    let one = numbered(&world, 1, Action::Failed);
    let mail = world.report(&one);
    expect!("no_text", mail);
    assert!(!mail.contains("98"), "{mail}");
    let entry = SummaryEntry {
        submission: SUBMISSION.parse().unwrap(),
        received_at: at(0),
        subject: None,
        recipients: &one,
    };
    for (include_text, quoted) in [(true, 1), (false, 0)] {
        let (letter, audience) = (world.letter(), Audience::Sender);
        let bytes = Summary { letter, audience, limit: 20, include_text, entries: &[entry] }.to_bytes();
        assert_eq!(String::from_utf8(bytes).unwrap().matches("> Disk full").count(), quoted);
    }
}

#[test]
fn the_class_of_a_status_is_that_of_the_action() {
    let world = World::new();
    let causes: Vec<Cause> = ["2.0.0", "2.1.5", "4.4.1", "5.1.1"]
        .map(|status| Cause::new(EnhancedStatus::parse(status).unwrap(), "x"))
        .into();
    for (action, expected) in [
        (Action::Failed, ["5.0.0", "5.0.0", "4.4.1", "5.1.1"]),
        (Action::Delayed, ["4.0.0", "4.0.0", "4.4.1", "4.1.1"]),
        (Action::Expanded, ["2.0.0", "2.1.5", "2.0.0", "2.0.0"]),
        (Action::Relayed, ["2.0.0", "2.1.5", "2.0.0", "2.0.0"]),
        (Action::Delivered, ["2.0.0", "2.1.5", "2.0.0", "2.0.0"]),
    ] {
        for (cause, expected) in causes.iter().zip(expected) {
            let one = ReportedRecipient { cause, ..world.recipient(1, "a@sms.local", action) };
            assert_eq!(one.status().to_string(), expected, "{action:?} {}", cause.status);
            assert!(world.report(&[one]).contains(&format!("\r\nStatus: {expected}\r\n")));
        }
    }
}

#[test]
fn only_a_platform_that_told_something_is_the_remote_mta() {
    let world = World::new();
    for (action, told, untold) in [
        (Action::Failed, true, false),
        (Action::Delayed, true, false),
        (Action::Expanded, false, false),
        (Action::Relayed, true, true),
        (Action::Delivered, true, true),
    ] {
        for (cause, expected) in [(&world.refused, told), (&world.expired, untold)] {
            let one = ReportedRecipient { cause, ..world.recipient(1, "a@sms.local", action) };
            let mail = world.report(&[one]);
            assert_eq!(mail.contains("\r\nRemote-MTA: dns; api.example.net\r\n"), expected, "{mail}");
            let never = ReportedRecipient { platform: None, ..one };
            assert!(!world.report(&[never]).contains("\r\nRemote-MTA: "), "{action:?}");
        }
    }
}

#[test]
fn addresses_beyond_ascii_are_written_in_ascii() {
    let mut world = World::new();
    world.to = MailAddress::new("usèr", "exämple.com").unwrap();
    let mail = world.report(&[world.recipient(1, "büro@sms.local", Action::Failed)]);
    assert!(
        mail.contains("\r\nTo: Internationalized Address =?utf-8?B?dXPDqHJAZXjDpG1wbGUuY29t?= Removed:;\r\n")
    );
    assert!(mail.contains("\r\nFinal-Recipient: utf-8; b\\x{FC}ro@sms.local\r\n"), "{mail}");
}

#[test]
fn hundreds_of_recipients_stand_in_one_report_and_their_text_once() {
    let world = World::new();
    let mail = world.report(&numbered(&world, 500, Action::Failed));
    assert_eq!(mail.matches("\r\nFinal-Recipient: ").count(), 500);
    assert_eq!(mail.matches("> Disk full on nas: 98 %").count(), 1);
    assert_eq!(mail.matches("  - Check the number").count(), 1);
}

#[test]
fn texts_that_differ_are_told_apart_by_their_recipients() {
    let world = World::new();
    let mut five = numbered(&world, 5, Action::Failed);
    five[4].texts = &["Other"];
    let mail = world.report(&five);
    let to = "+393471234567@sms.local";
    let heading = format!("The text that was not delivered, for {to}, {to}, {to} and 1 more:");
    assert!(mail.replace("=\r\n", "").contains(&heading), "{mail}");
    assert!(
        mail.contains(&format!("\r\nThe text that was not delivered, for {to}:\r\n\r\n> Other\r\n")),
        "{mail}"
    );
}

#[test]
fn where_the_mail_came_from_is_a_name_or_an_address_literal() {
    let mut world = World::new();
    world.client.helo = None;
    world.client.address = "2001:db8::7".parse().unwrap();
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    assert!(mail.contains("\r\nReceived-From-MTA: dns; [IPv6:2001:db8::7]\r\n"));
    for odd in ["not a name", "(none)", "x; rfc822; a@b", "B?ro", "a)(b", ""] {
        world.client.helo = Some(odd.to_owned());
        let mail = world.report(&numbered(&world, 1, Action::Failed));
        assert!(mail.contains("\r\nReceived-From-MTA: dns; [IPv6:2001:db8::7]\r\n"), "{odd}");
        assert!(odd.is_empty() || !mail.contains(odd), "{odd}");
    }
    world.client.helo = Some("my_printer".to_owned());
    let mail = world.report(&numbered(&world, 1, Action::Failed));
    assert!(mail.contains("\r\nReceived-From-MTA: dns; my_printer ([IPv6:2001:db8::7])\r\n"), "{mail}");
}

#[test]
fn an_undeliverable_report_goes_to_the_operator_as_an_attachment() {
    let world = World::new();
    let bytes = world.report(&numbered(&world, 1, Action::Failed)).into_bytes();
    let operator = MailAddress::parse("ops@example.com").unwrap();
    let mail = OutgoingMail {
        id: MAIL.parse().unwrap(),
        about: Some(SUBMISSION.parse().unwrap()),
        kind: MailKind::Report,
        reverse_path: ReversePath::Null,
        recipient: world.to.clone(),
        bytes,
        expires_at: at(100),
    };
    let cause = Cause::new(EnhancedStatus::UNKNOWN_RECIPIENT, "The mail server refused the mail.")
        .with_diagnostic("550 5.1.1 no such user");
    let id = "01HF7YAT02BXJ0M1S2Q3R4T5V6".parse().unwrap();
    let letter = Letter { to: &operator, id, ..world.letter() };
    let bytes = Undeliverable { letter, mail: &mail, cause: &cause }.to_bytes();
    assert!(encode::is_7bit(&bytes));
    expect!("undeliverable", String::from_utf8(bytes).unwrap());
}

#[test]
fn only_a_reply_of_the_smarthost_is_a_diagnostic_of_smtp() {
    let world = World::new();
    let mail = OutgoingMail {
        id: MAIL.parse().unwrap(),
        about: Some(SUBMISSION.parse().unwrap()),
        kind: MailKind::Postmaster,
        reverse_path: ReversePath::Null,
        recipient: world.to.clone(),
        bytes: b"Subject: x\r\n\r\n".to_vec(),
        expires_at: at(100),
    };
    for (words, line, told) in [
        (
            "550 5.1.1 no such user",
            "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
            "    The mail server said: 550 5.1.1 no such user\r\n",
        ),
        (
            "connection refused",
            "Diagnostic-Code: x-sms-relay; connection refused\r\n",
            "    What happened: connection refused\r\n",
        ),
    ] {
        let cause = Cause::new(EnhancedStatus::POLICY, "It did not go.").with_diagnostic(words);
        let (letter, subject, message_id) = (world.letter(), None, None);
        let bytes = ReturnedMail { letter, mail: &mail, subject, message_id, cause: &cause }.to_bytes();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(line) && text.contains(told), "{text}");
    }
}

#[test]
fn a_summary_tells_of_many_mails_in_one() {
    let world = World::new();
    let recipients = numbered(&world, 1, Action::Failed);
    let other = [world.recipient(1, "oncall@sms.local", Action::Delivered)];
    let entry = |subject, recipients| SummaryEntry {
        submission: SUBMISSION.parse().unwrap(),
        received_at: at(0),
        subject,
        recipients,
    };
    let entries = [entry(Some("Disk\r\nfull"), &recipients[..]), entry(None, &other[..])];
    let (letter, audience) = (world.letter(), Audience::Sender);
    let bytes = Summary { letter, audience, limit: 20, include_text: true, entries: &entries }.to_bytes();
    assert!(encode::is_7bit(&bytes));
    expect!("summary", String::from_utf8(bytes).unwrap());
}
