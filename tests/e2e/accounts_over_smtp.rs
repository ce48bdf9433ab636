//! Whoever authenticates is known from then on: to rules, to the log, to the trace field; and may do what
//! its account may, no more. Whoever guesses is stopped, and nothing that was typed gets into the log.

use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::certificates::write;
use crate::support::{Authority, Letter, PASSWORD, Smtp, Talk, World, run_fed, tool};

const FROM: &str = "ups@example.com";
const ONCALL: &str = "oncall@sms.local";

/// A world with the account `ups`, whose user name is `rack-7`, and these keys of it. The listener takes
/// passwords in the clear.
fn world(keys: &str) -> World {
    let mut world = World::new();
    let (code, hash) = run_fed(env!("CARGO_BIN_EXE_sms-relay"), &["hash-password"], PASSWORD);
    assert_eq!(code, Some(0), "{hash}");
    write(world.directory.path(), "ups.hash", &hash);
    let usual = "name = \"mail\"\nbind = \"127.0.0.1:0\"";
    world.otherwise.push((usual, format!("{usual}\nauth_without_tls = true")));
    world.extra = format!(
        "[smtp]\nauth_delay = \"0s\"\nauth_failures = 3\n\n[[smtp.account]]\nname = \"ups\"\nusername = \"rack-7\"\n\
         password = {{ file = \"ups.hash\" }}\n{keys}\n"
    );
    world
}

/// A client that is `ups`.
fn authenticated(relay: &crate::support::Relay) -> Talk {
    let mut talk = Talk::greeted(relay.smtp);
    assert_eq!(talk.login("rack-7", PASSWORD), "235 2.7.0 authenticated");
    talk
}

/// One mail, up to the reply that ends it.
fn mail(talk: &mut Talk, from: &str, to: &str, text: &str) -> String {
    for command in [&format!("MAIL FROM:<{from}>"), &format!("RCPT TO:<{to}>"), "DATA"] {
        let reply = talk.say(command);
        if !reply.starts_with(['2', '3']) {
            talk.say("RSET");
            return reply;
        }
    }
    talk.say(&format!("Subject: Power\r\n\r\n{text}\r\n."))
}

#[test]
fn rules_log_spool_and_trace_know_the_account() {
    if !tool("python3") {
        return;
    }
    let authority = Authority::new("Authority of the tests");
    let mut world = world("");
    authority.issue(1).write(world.directory.path(), "relay");
    world.extra =
        world.extra.replace("[smtp]\n", "[smtp]\ncertificate = \"relay.pem\"\nkey = \"relay.key\"\n");
    world.rules = "[[rule]]\nname = \"power\"\nwhen.account = \"ups\"\nsender = \"UPS\"\n".to_owned();
    let relay = world.start();
    let unknown = Smtp::queued(&mail(&mut Talk::greeted(relay.smtp), FROM, ONCALL, "from anybody"));
    let known = Smtp::queued(&mail(&mut authenticated(&relay), FROM, ONCALL, "from the UPS"));
    world.wait_for_platform("both", |record| record.total() == 2);
    let senders: Vec<(String, String)> =
        world.emulator.accepted().into_iter().map(|sms| (sms.sender, sms.text)).collect();
    let expected = [("Relay", "from anybody"), ("UPS", "from the UPS")];
    assert_eq!(senders, expected.map(|(sender, text)| (sender.to_owned(), text.to_owned())));
    let accepted =
        |id: &str| relay.wait_for_log(id, |line| line["message"] == "mail accepted" && line["id"] == id);
    assert_eq!(accepted(&known)["account"], "ups");
    assert_eq!(accepted(&unknown).get("account"), None);

    // What comes back says that it was known, and not who it was.
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }));
    Smtp::queued(&mail(&mut authenticated(&relay), FROM, ONCALL, "refused"));
    let mut talk = Talk::greeted(relay.smtp);
    assert!(talk.say("STARTTLS").starts_with("220 "));
    let mut talk = talk.secure(&authority.pem);
    talk.say("EHLO client.test");
    assert!(talk.login("rack-7", PASSWORD).starts_with("235 "));
    Smtp::queued(&mail(&mut talk, "tls@example.com", ONCALL, "refused"));
    for arrived in world.mailbox.wait_for(2) {
        let protocol = if arrived.rcpt_to[0].contains("tls@") { "ESMTPSA" } else { "ESMTPA" };
        let letter = Letter::read(&arrived);
        let headers = letter.part("text/rfc822-headers");
        assert!(headers.contains(&format!("by relay.test with {protocol} id ")), "{headers}");
        assert!(!arrived.text.contains("rack-7"), "{}", arrived.text);
    }
    assert!(relay.terminate().success());
    assert_eq!(world.submission(&known).client.account.as_deref(), Some("ups"));
    assert_eq!(world.submission(&unknown).client.account, None);
}

#[test]
fn it_sends_as_itself_and_only_where_it_may() {
    let world = world("senders = [\"ups@example.com\", \"@rack.example\"]\nallowed = [\"+393471\"]");
    let relay = world.start();
    let mut talk = authenticated(&relay);
    let as_another = "550 5.7.1 account `ups` may not send as `boss@example.com`; use a sender of its own, or have the \
                      operator add this one";
    assert_eq!(mail(&mut talk, "boss@example.com", ONCALL, "x"), as_another);
    let elsewhere = "550 5.7.1 account `ups` may not send to `two`; the operator has to add its prefix to the \
                     account's `allowed`";
    assert_eq!(mail(&mut talk, FROM, "two@sms.local", "x"), elsewhere);
    Smtp::queued(&mail(&mut talk, "any@rack.example", ONCALL, "its own"));
    // That is about the account: whoever may come without one is not held to it.
    Smtp::queued(&mail(&mut Talk::greeted(relay.smtp), "boss@example.com", ONCALL, "no account"));
    world.expect_texts(&["its own", "no account"]);
    let refused = relay.wait_for_message("sender refused");
    assert_eq!((&refused["account"], &refused["level"]), (&"ups".into(), &"INFO".into()));
    let refused = relay.wait_for_message("recipient refused");
    assert_eq!(refused["account"], "ups");
    assert!(relay.terminate().success());
}

#[test]
fn its_minute_and_its_day_hold_and_the_day_survives_a_restart() {
    // A time zone in which it is about noon, so that no midnight comes while this runs.
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let zone = format!("HERE{}", i64::try_from(seconds % (24 * 3600) / 3600).unwrap() - 12);
    let world = world("messages_per_minute = 2\nparts_per_day = 3");
    let relay = world.start_with(&[("TZ", &zone)]);
    let mut talk = authenticated(&relay);
    for text in ["one", "two"] {
        Smtp::queued(&mail(&mut talk, FROM, ONCALL, text));
    }
    let too_fast = mail(&mut authenticated(&relay), FROM, ONCALL, "x");
    assert!(
        too_fast.starts_with("450 4.7.1 account `ups` may send 2 messages a minute; try again in "),
        "{too_fast}"
    );
    Smtp::queued(&mail(&mut Talk::greeted(relay.smtp), FROM, ONCALL, "no account"));
    world.wait_for_platform("three", |record| record.total() == 3);
    assert!(relay.terminate().success());

    // Its minute is forgotten, its day is not.
    let relay = world.start_with(&[("TZ", &zone)]);
    let mut talk = authenticated(&relay);
    let long = "word ".repeat(40);
    let too_much = mail(&mut talk, FROM, ONCALL, &long);
    let told = "452 4.7.1 the message takes 2 parts, and account `ups` has 1 of its 3 left today; the next day begins ";
    assert!(too_much.starts_with(told), "{too_much}");
    Smtp::queued(&mail(&mut talk, FROM, ONCALL, "three"));
    let spent = mail(&mut talk, FROM, ONCALL, "x");
    assert!(spent.starts_with("452 4.7.1 account `ups` has used its 3 parts of today; "), "{spent}");
    world.wait_for_platform("four", |record| record.total() == 4);
    assert!(relay.terminate().success());
}

#[test]
fn whoever_guesses_is_stopped_by_address_and_nothing_typed_is_logged() {
    let mut world = world("");
    world.otherwise.push(("allow_get = true", "allow_get = true\nmetrics = true".to_owned()));
    let relay = world.start();
    let mut guesser = Talk::greeted(relay.smtp);
    let wrong = "535 5.7.8 user name or password are wrong";
    assert_eq!(guesser.login("rack-7", "Tr0ub4dor"), wrong);
    assert_eq!(guesser.login("correcthorse", "Tr0ub4dor"), wrong, "no word on whether the name exists");
    assert_eq!(Talk::greeted(relay.smtp).login("rack-7", "Tr0ub4dor"), wrong, "all connections count");
    let stopped = "454 4.7.0 too many failed authentications from 127.0.0.1; try again later";
    assert_eq!(guesser.login("rack-7", PASSWORD), stopped);
    assert_eq!(Talk::greeted(relay.smtp).login("rack-7", PASSWORD), stopped);
    let seen = relay.log().len();
    relay.signal(rustix::process::Signal::HUP);
    relay.wait_for_next(seen, "reloaded: rules, aliases and credentials");
    assert_eq!(Talk::greeted(relay.smtp).login("rack-7", PASSWORD), stopped, "a reload frees nobody");
    let mut other = Talk::from(Ipv4Addr::new(127, 0, 0, 2), relay.smtp);
    other.hear();
    other.say("EHLO client.test");
    assert_eq!(other.login("rack-7", PASSWORD), "235 2.7.0 authenticated");

    relay.wait_for_log("who it was", |line| line["message"] == "authenticated" && line["account"] == "ups");
    let lines = relay.log();
    let count = |message: &str| {
        lines.iter().filter(|line| line["message"] == message && line["client"] == "127.0.0.1").count()
    };
    assert_eq!(count("authentication failed"), 3);
    assert_eq!(count("authentication not tried: too many failures"), 3);
    for line in &lines {
        let line = line.to_string();
        for typed in ["rack-7", "correcthorse", "Tr0ub4dor", PASSWORD, "cmFjay03", "AGNvcnJlY3"] {
            assert!(!line.contains(typed), "{line}");
        }
    }
    let metrics = crate::certificate_warnings::metrics(&relay);
    for sample in [r#"{result="failed"} 3"#, r#"{result="limited"} 3"#, r#"{result="ok"} 1"#] {
        let sample = format!("sms_relay_smtp_authentications_total{sample}\n");
        assert!(metrics.contains(&sample), "{sample}{metrics}");
    }
    assert!(relay.terminate().success());
}
