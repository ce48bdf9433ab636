//! Who is silent is told of by text and mail, and a test SMS is verified by its delivery.

use std::os::unix::process::ExitStatusExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::process::Signal;
use sms_relay::emulator::{Delivery, Outcome};
use sms_relay::spool::Spool;

use crate::support::{Arrived, Relay, Smtp, World, ask};

const SILENT: &str = "sms_relay_expected_silent{kind=\"account\",name=\"pbx\"}";
const FAILED: &str = "sms_relay_heartbeat_failed{name=\"daily\"}";

/// The account `pbx` may be silent for three seconds.
fn expecting() -> World {
    let mut world = World::new();
    world.with_metrics();
    let account = "may_choose_sender = true";
    world.otherwise.push((account, format!("{account}\nexpect = \"3s\"")));
    world.extra.push_str("[expect]\ntell = [\"oncall\"]\n");
    world
}

fn subjects(mails: &[Arrived]) -> Vec<String> {
    let unfolded = |mail: &Arrived| mail.text.replace("\n ", " ");
    let subject = |mail: &Arrived| {
        let text = unfolded(mail);
        text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
    };
    mails.iter().map(subject).collect()
}

fn has_metric(relay: &Relay, series: &str) {
    relay.look_until(|| relay.metric(series).ok_or_else(|| format!("there is no {series}")));
}

#[test]
fn an_account_goes_silent_and_is_heard_again() {
    let world = expecting();
    let relay = world.start_until_listening();
    relay.wait_for_metric(SILENT, 1.0);
    world.wait_for_platform("the text", |record| record.total() == 1);
    let mails = world.mailbox.wait_for(1);
    let words = "Nothing was heard of account pbx for ";
    assert!(
        world.texts()[0].starts_with(words) && world.texts()[0].contains("never before"),
        "{:?}",
        world.texts()
    );
    assert!(subjects(&mails)[0].starts_with(words), "{mails:#?}");
    assert!(mails[0].mail_from.starts_with("MAIL FROM:<>"));
    assert_eq!(mails[0].rcpt_to, ["RCPT TO:<operator@example.com>"]);
    let (status, text) = relay.get("/readyz");
    assert_eq!(status, 503);
    assert!(text.contains("account pbx: nothing was heard for 3 seconds or more"), "{text}");

    // A start later it is told no second time.
    assert!(relay.terminate().success());
    let relay = world.start_until_listening();
    relay.wait_for_metric(SILENT, 1.0);
    relay.post(&[("to", "oncall"), ("text", "Here I am")]);
    world.wait_for_platform("its own and word of it", |record| record.total() == 3);
    let mut texts = world.texts().split_off(1);
    texts.sort_unstable_by_key(|text| text != "Here I am");
    assert_eq!(texts[0], "Here I am");
    assert!(texts[1].starts_with("account pbx was heard again after "), "{texts:?}");
    assert!(subjects(&world.mailbox.wait_for(2))[1].starts_with("account pbx was heard again after "));
    assert!(relay.terminate().success());
}

#[test]
fn who_is_silent_is_on_the_page() {
    let mut world = expecting();
    world.extra.push_str(
        r#"
[[http.account]]
name = "night-shift"
username = "anna"
networks = ["127.0.0.0/8"]
password = { env = "ANNA_PASSWORD" }
may_see_all = true

[[heartbeat]]
name = "weekly"
at = "Mon 09:00"
to = "oncall"
"#,
    );
    let relay = Relay::start_until_listening(
        &world.write(),
        &[("PBX_PASSWORD", "swordfish"), ("ANNA_PASSWORD", "correct horse")],
    );
    relay.wait_for_metric(SILENT, 1.0);
    let anna = format!("Authorization: Basic {}", STANDARD.encode("anna:correct horse"));
    let browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = ask(relay.http, "GET", "/now", &[browser, &anna], "");
    assert_eq!(page.status, 200, "{}", page.body);
    let (before, heard) = page.body.split_once("<h2>Who is heard</h2>").unwrap();
    let silent = before.split_once("<h2>Who is silent</h2>").unwrap().1;
    assert!(
        silent.contains("<h3>account pbx</h3>") && silent.contains("<dd>never, and expected since "),
        "{silent}"
    );
    assert!(
        before.contains("<h1>Not ready</h1>") && before.contains("<li>account pbx: nothing was heard for "),
        "{before}"
    );
    let tests = heard.split_once("<h2>Tests of the whole way</h2>").unwrap().1;
    assert!(
        tests.contains("<h3>weekly</h3>") && tests.contains("<dt>Delivered last</dt><dd>never</dd>"),
        "{tests}"
    );
    let json = ask(relay.http, "GET", "/now", &["Accept: application/json", &anna], "").json();
    assert_eq!((&json["ready"], &json["expected"][0]["name"]), (&false.into(), &"pbx".into()));
    let own = ask(relay.http, "GET", "/now", &["X-Api-Key: swordfish"], "");
    assert_eq!(own.status, 403, "{}", own.body);
    assert!(relay.terminate().success());
}

#[test]
fn what_a_rule_drops_is_heard_and_what_is_refused_is_not() {
    let mut world = World::new();
    world.with_metrics();
    world.rules =
        "[[rule]]\nname = \"heartbeats\"\nwhen.text = \"alive\"\ndrop = \"a heartbeat\"\nexpect = \"1h\"\n\
                   [[rule]]\nname = \"no\"\nwhen.text = \"noise\"\nrefuse = \"noise\"\nexpect = \"1h\"\n"
            .to_owned();
    let heard =
        |rule: &str| format!("sms_relay_expected_heard_timestamp_seconds{{kind=\"rule\",name=\"{rule}\"}}");
    let relay = world.start();
    assert_eq!(relay.metric(&heard("heartbeats")), None);
    relay.mail("oncall@sms.local", "all alive");
    has_metric(&relay, &heard("heartbeats"));
    let mail = "Subject: s\r\nFrom: a@example.com\r\n\r\nnoise";
    let reply = Smtp::connect(relay.smtp).unwrap().mail("a@example.com", "oncall@sms.local", mail);
    assert!(reply.unwrap().starts_with("550"));
    relay.reload();
    assert_eq!(relay.metric(&heard("no")), None);
    assert!(relay.terminate().success());
}

/// A heartbeat that was due a minute ago and is made up for, in a spool that has known it since yesterday.
fn with_a_test(world: &mut World, within: &str) {
    let due = Timestamp::now() - jiff::SignedDuration::from_mins(1);
    let at = due.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
    world.extra.push_str(&format!(
        "[[heartbeat]]\nname = \"daily\"\nat = \"{at}\"\ntimezone = \"UTC\"\nto = \"oncall\"\n\
         text = \"Test {{{{ name }}}}\"\nwithin = \"{within}\"\ntell = \"two\"\n"
    ));
    let yesterday = Timestamp::now() - jiff::SignedDuration::from_hours(12);
    world.with_spool(async |spool| {
        let known = format!("{{\"at\":\"{yesterday}\"}}");
        spool.set_note("heartbeat:daily".to_owned(), known).await.unwrap();
    });
}

#[test]
fn a_test_is_delivered_and_verified() {
    let mut world = World::new();
    world.with_metrics();
    with_a_test(&mut world, "10m");
    let relay = world.start();
    relay.wait_for_metric(FAILED, 0.0);
    relay.wait_for_message("the test SMS was delivered in time");
    assert_eq!(world.texts(), ["Test daily"]);
    assert_eq!(relay.get("/readyz").0, 200);
    assert!(relay.terminate().success());
    // No second one.
    let relay = world.start();
    relay.wait_for_metric(FAILED, 0.0);
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), ["Test daily"]);
    assert!(world.mailbox.mails().is_empty());
}

#[test]
fn a_test_that_never_arrives_is_told_and_the_relay_is_not_ready() {
    let mut world = World::with_platform(|platform| {
        platform.delivery = Delivery { outcome: Outcome::Never, ..platform.delivery };
    });
    world.with_metrics();
    with_a_test(&mut world, "2s");
    let relay = world.start_until_listening();
    relay.wait_for_metric(FAILED, 1.0);
    assert_eq!(subjects(&world.mailbox.wait_for(1)), ["The test SMS daily failed"]);
    // The test itself, and word of it to two others.
    world.wait_for_platform("the texts", |record| record.total() == 3);
    let texts = world.texts();
    let why = "the platform has it, and the handset did not confirm it in time";
    assert_eq!(
        texts[1..],
        [format!("The test SMS daily failed: {why}"), format!("The test SMS daily failed: {why}")]
    );
    let (status, text) = relay.get("/readyz");
    assert_eq!(status, 503);
    assert!(text.contains("heartbeat daily: the test SMS failed at "), "{text}");
    assert!(relay.terminate().success());
}

/// What tells or sends it is written with the note that it was.
const CRASHES: [&str; 2] = ["before-accept-commit", "after-accept-commit"];

#[test]
fn a_crash_at_the_word_of_somebody_silent_tells_it_once() {
    std::thread::scope(|scope| {
        for point in CRASHES {
            scope.spawn(move || {
                let world = expecting();
                let environment = [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", point)];
                let (status, _) = Relay::start_and_end(&world.write(), &environment);
                assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{point}");
                let kept = usize::from(point.starts_with("after"));
                assert_eq!(world.remains().submissions().len(), kept, "{point}");
                assert_eq!(world.remains().mails().len(), kept, "in the same commit");
                let relay = world.start_until_listening();
                relay.wait_for_metric(SILENT, 1.0);
                world.mailbox.wait_for(1);
                world.wait_for_platform("the text", |record| record.total() == 1);
                world.wait_until_finished();
                // Another look would tell it again.
                relay.reload();
                assert!(relay.terminate().success());
                assert_eq!((world.texts().len(), world.mailbox.mails().len()), (1, 1), "{point}");
            });
        }
    });
}

#[test]
fn a_crash_at_a_test_sends_it_once_and_sees_to_it() {
    std::thread::scope(|scope| {
        for point in CRASHES {
            scope.spawn(move || {
                let mut world = World::new();
                world.with_metrics();
                with_a_test(&mut world, "10m");
                let environment = [("PBX_PASSWORD", "swordfish"), ("SMS_RELAY_CRASH_POINT", point)];
                let (status, _) = Relay::start_and_end(&world.write(), &environment);
                assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{point}");
                let relay = world.start();
                relay.wait_for_message("the test SMS was delivered in time");
                assert!(relay.terminate().success());
                assert_eq!(world.texts(), ["Test daily"], "{point}");
            });
        }
    });
}

#[test]
fn the_manual_s_configuration_loads_and_does_what_it_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deadmen.md")).unwrap();
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert_eq!(blocks.len(), 3);
    let mut world = World::new();
    world.with_metrics();
    world.otherwise.push(("[aliases]", "[aliases]\noffice = \"+393470000003\"".to_owned()));
    world.rules = blocks.concat();
    let relay = world.start();
    let heard = "sms_relay_expected_heard_timestamp_seconds{kind=\"rule\",name=\"ups-alive\"}";
    let mail = "Subject: UPS: Self-test passed\r\nFrom: ups@example.com\r\n\r\nok";
    Smtp::connect(relay.smtp).unwrap().mail("ups@example.com", "oncall@sms.local", mail).unwrap();
    has_metric(&relay, heard);
    assert!(!world.texts().iter().any(|text| text.contains("UPS")), "{:?}", world.texts());
    assert!(relay.terminate().success());
}
