//! Postfix beside the relay: it relays to us, it is our smarthost, and reports go both ways.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{
    Behaviour, DOORS, IMPLICIT, Letter, Mail, PASSWORD, PLAIN, Postfix, Relay, STARTTLS, USERNAME, World,
    given, run, tool,
};

const MAIL: &str = "From: ups@example.com\nTo: oncall@sms.local\nSubject: Power\n\n";

/// A relay whose smarthost is Postfix, and the Postfix that relays to it.
fn start(world: &mut World, settings: &str) -> (Relay, Postfix) {
    let smarthost = Postfix::address(&world.mailbox).ip();
    world.otherwise.push(("host = \"127.0.0.1\"\n", format!("host = \"{smarthost}\"\n")));
    let relay = world.start();
    let postfix = Postfix::start(relay.smtp, &world.mailbox, settings);
    (relay, postfix)
}

fn refusal() -> FaultRule {
    FaultRule::on_send(Fault::Refuse { reasons: vec!["Destination blocked by the operator".to_owned()] })
}

#[test]
fn it_relays_mail_to_us() {
    if !(Postfix::available() && tool("python3")) {
        return;
    }
    let mut world = World::new();
    let (relay, postfix) = start(&mut world, "");
    postfix.sendmail(&["-t", "-f", "ups@example.com"], &format!("{MAIL}Kühlung aus\n"));
    world.expect_texts(&["Kühlung aus"]);
    let to: (&str, &[&str]) = ("+393471234567@sms.local", &[]);
    let replies = Mail::new("ups@example.com", &to, &format!("{MAIL}by SMTP\n"))
        .replies(Postfix::address(&world.mailbox));
    assert_eq!(replies[..2], ["250 2.1.0 Ok", "250 2.1.5 Ok"], "{replies:?}");
    world.expect_texts(&["Kühlung aus", "by SMTP"]);
    assert!(relay.terminate().success());
}

#[test]
fn its_report_about_whom_we_refuse_repeats_our_words() {
    if !(Postfix::available() && tool("python3")) {
        return;
    }
    let mut world = World::new();
    let (relay, postfix) = start(&mut world, "");
    let to = ["-f", "ups@example.com", "nobody@sms.local", "oncall@sms.local"];
    postfix.sendmail(&to, &format!("{MAIL}one of two\n"));
    let arrived = &world.mailbox.wait_for(1)[0];
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<ups@example.com>"]);
    let letter = Letter::read(arrived);
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; nobody@sms.local"]);
    assert_eq!(letter.status("Status"), ["5.1.1"]);
    let said = "550 5.1.1 `nobody` is not a phone number, and there is no alias of that name";
    let words: Vec<&str> = letter.human().split_whitespace().collect();
    assert!(words.join(" ").contains(said), "{}", letter.human());
    world.expect_texts(&["one of two"]);
    assert!(relay.terminate().success());
}

#[test]
fn our_report_goes_through_it() {
    if !(Postfix::available() && tool("python3")) {
        return;
    }
    let mut world = World::new();
    world.order(refusal());
    let (relay, postfix) = start(&mut world, "");
    postfix.sendmail(&["-t", "-f", "ups@example.com"], &format!("{MAIL}On battery.\n"));
    let arrived = &world.mailbox.wait_for(1)[0];
    assert!(arrived.mail_from.starts_with("MAIL FROM:<>"), "{}", arrived.mail_from);
    assert_eq!(arrived.rcpt_to, ["RCPT TO:<ups@example.com>"]);
    let letter = Letter::read(arrived);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.header("Subject"), "SMS not delivered: Power");
    assert!(letter.headers.iter().any(|(name, value)| name == "Received" && value.contains("postfix.test")));
    assert!(letter.human().contains("Destination blocked by the operator"), "{}", letter.human());
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn its_report_becomes_an_sms_and_no_report_is_made_about_it() {
    if !(Postfix::available() && tool("python3")) {
        return;
    }
    let mut world = World::new();
    let (relay, postfix) = start(&mut world, "");
    world.mailbox.behave(Behaviour::RefuseOnly("gone@example.com"));
    let letter = "From: oncall@sms.local\nTo: gone@example.com\nSubject: Rota\n\nx\n";
    postfix.sendmail(&["-t", "-f", "oncall@sms.local"], letter);
    world.wait_for_platform("the report", |record| record.total() == 1);
    let sms = &world.emulator.accepted()[0];
    assert_eq!(sms.destination, "+393471234567");
    assert!(sms.text.starts_with("This is the mail system at host postfix.test."), "{}", sms.text);

    // The same once more, which the platform refuses: nobody is told. The mail of a person, refused
    // later, gives the only report.
    world.order(refusal());
    let seen = relay.log().len();
    postfix.sendmail(&["-t", "-f", "oncall@sms.local"], letter);
    relay.wait_for_next(seen, "final");
    postfix.sendmail(&["-t", "-f", "ups@example.com"], &format!("{MAIL}On battery.\n"));
    let told = &world.mailbox.wait_for(1)[0];
    assert_eq!(told.rcpt_to, ["RCPT TO:<ups@example.com>"]);
    assert_eq!(Letter::read(told).header("Subject"), "SMS not delivered: Power");
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn it_passes_the_wish_for_a_report_on() {
    if !(Postfix::available() && tool("python3")) {
        return;
    }
    let mut world = World::new();
    let (relay, postfix) = start(&mut world, "");
    postfix
        .sendmail(&["-t", "-f", "ups@example.com", "-N", "success,failure"], &format!("{MAIL}Back again.\n"));
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.header("Subject"), "SMS delivered: Power", "from us, not from Postfix: {letter:#?}");
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; oncall@sms.local"]);

    let to: (&str, &[&str]) =
        ("oncall@sms.local", &["NOTIFY=SUCCESS", "ORCPT=rfc822;night+2Bshift@example.com"]);
    let mail = format!("{MAIL}And again.\n");
    let mail = Mail { options: &["RET=HDRS", "ENVID=A7"], ..Mail::new("ups@example.com", &to, &mail) };
    let replies = mail.replies(Postfix::address(&world.mailbox));
    assert!(replies[2].starts_with("250 2.0.0 Ok: queued as "), "{replies:?}");
    let letter = Letter::read(&world.mailbox.wait_for(2)[1]);
    assert_eq!(letter.header("Subject"), "SMS delivered: Power", "{letter:#?}");
    assert_eq!(letter.status("Original-Envelope-Id"), ["A7"]);
    assert_eq!(letter.status("Original-Recipient"), ["rfc822; night+shift@example.com"]);
    world.expect_texts(&["Back again.", "And again."]);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 2);
}

/// What makes Postfix speak as a door does. It looks for the name `localhost` in the certificate.
fn speaking(door: &str, authority: &str) -> String {
    let trust = format!("smtp_tls_security_level = secure\nsmtp_tls_CAfile = {authority}\n");
    match door {
        STARTTLS => trust,
        IMPLICIT => format!("{trust}smtp_tls_wrappermode = yes\n"),
        _ => "smtp_tls_security_level = none\n".to_owned(),
    }
}

#[test]
fn it_relays_over_tls_with_and_without_trust() {
    if !Postfix::available() {
        return;
    }
    let world = World::with_doors("offered");
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let send = |authority: &str, said: &str| {
            let mut postfix = Postfix::start(relay.door(door), &world.mailbox, &speaking(door, authority));
            postfix.sendmail(&["-t", "-f", "ups@example.com"], &format!("{MAIL}{door}\n"));
            postfix.wait_for_log(said);
        };
        send(&world.authority(), "status=sent (250 2.0.0 queued as ");
        send(&world.stranger(), "status=deferred (Server certificate not ");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

/// Whether the library by which Postfix authenticates has its mechanisms.
fn sasl() -> bool {
    let (code, _) =
        run("sh", &["-c", "ls /usr/lib*/*/sasl2/libcrammd5.so /usr/lib*/sasl2/libcrammd5.so | grep ."]);
    given(code == Some(0), "Postfix cannot authenticate: libsasl2-modules is not installed")
}

#[test]
fn it_relays_with_each_auth() {
    if !(Postfix::available() && sasl()) {
        return;
    }
    let world = World::with_doors("required");
    let relay = world.start();
    let send = |door: &str, mechanism: &str, password: &str, text: &str, said: &str| {
        let address = relay.door(door);
        let settings = format!(
            "{}smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ {{ [localhost]:{} = {USERNAME}:{password} }} }}
smtp_sasl_mechanism_filter = {mechanism}
smtp_sasl_security_options = noanonymous
smtp_sasl_tls_security_options = noanonymous
",
            speaking(door, &world.authority()),
            address.port()
        );
        let mut postfix = Postfix::start(address, &world.mailbox, &settings);
        postfix.sendmail(&["-t", "-f", "ups@example.com"], &format!("{MAIL}{text}\n"));
        postfix.wait_for_log(said);
    };
    let mut texts = Vec::new();
    for (door, mechanism) in DOORS.into_iter().zip(["cram-md5", "plain", "login"]) {
        let text = format!("{door} {mechanism}");
        send(door, mechanism, PASSWORD, &text, "status=sent (250 2.0.0 queued as ");
        texts.push(text);
    }
    world.expect_texts(&texts);
    let refused = "status=deferred (SASL authentication failed; server localhost[127.0.0.1] said: 535 5.7.8 ";
    send(PLAIN, "plain", "guessed", "x", refused);
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
