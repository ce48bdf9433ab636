//! What is left of an account's credit: told once to the operator when it gets low, when it is used up and when there
//! is enough again.

use sms_relay::emulator::FaultRule;

use crate::support::{Arrived, Relay, World};

fn subjects(mails: &[Arrived]) -> Vec<&str> {
    mails
        .iter()
        .map(|mail| mail.text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap())
        .collect()
}

const LOW: &str = "sms_relay_gateway_credit_low{gateway=\"platform\"}";
const LEFT: &str = "sms_relay_gateway_credit{gateway=\"platform\"}";

/// The account has so much from now on, and the relay hears of it.
fn becomes(world: &World, relay: &Relay, credit: i64) {
    world.emulator.set_credit(credit * 1000);
    let asked = world.emulator.requests().credit;
    relay.reload();
    world.wait_for_platform("the question", |record| record.requests().credit > asked);
    relay.wait_for_metric(LEFT, credit as f64);
}

fn readiness(relay: &Relay) -> (u16, String) {
    relay.get("/readyz")
}

#[test]
fn low_empty_and_enough_are_told_once_each_and_not_again_after_a_restart() {
    let mut world = World::new();
    world.with_metrics();
    let total_time = "total_time = \"10s\"";
    world.otherwise.push((total_time, format!("{total_time}\ncredit = {{ every = \"10m\", low = 100 }}")));
    let relay = world.start();
    relay.wait_for_metric(LEFT, 1000.0);
    assert_eq!(relay.metric(LOW), Some(0.0));
    assert_eq!(readiness(&relay).0, 200);

    becomes(&world, &relay, 99);
    assert_eq!(relay.metric(LOW), Some(1.0));
    assert_eq!(subjects(&world.mailbox.wait_for(1)), ["SMS credit is low: 99 left at gateway platform"]);
    assert_eq!(readiness(&relay).0, 200, "SMS still go out");
    becomes(&world, &relay, 98);
    assert!(relay.terminate().success());

    let relay = world.start();
    relay.wait_for_metric(LEFT, 98.0);
    assert_eq!(relay.metric(LOW), Some(1.0));
    becomes(&world, &relay, 0);
    let low = "SMS credit is low: 99 left at gateway platform";
    let empty = "SMS credit is used up at gateway platform";
    assert_eq!(subjects(&world.mailbox.wait_for(2)), [low, empty], "the first was not repeated");
    let (status, text) = readiness(&relay);
    assert_eq!(status, 503);
    assert!(text.contains("gateway platform: credit is used up"), "{text}");
    assert!(relay.terminate().success());

    let relay = world.start();
    relay.wait_for_metric(LEFT, 0.0);
    assert_eq!(readiness(&relay).0, 503, "after a restart as before");
    // What is a little more than nothing, or just at the limit, is no news; a tenth more is.
    becomes(&world, &relay, 50);
    assert_eq!(readiness(&relay).0, 200);
    becomes(&world, &relay, 109);
    assert_eq!(relay.metric(LOW), Some(1.0));
    becomes(&world, &relay, 110);
    assert_eq!(relay.metric(LOW), Some(0.0));
    let enough = "SMS credit is enough again: 110 at gateway platform";
    let mails = world.mailbox.wait_for(3);
    assert_eq!(subjects(&mails), [low, empty, enough]);
    for mail in &mails {
        assert!(mail.mail_from.starts_with("MAIL FROM:<>"), "{mail:?}");
        assert_eq!(mail.rcpt_to, ["RCPT TO:<operator@example.com>"]);
        assert!(mail.text.contains("\nAuto-Submitted: auto-generated\n"), "{}", mail.text);
    }
    assert!(relay.terminate().success());
}

#[test]
fn a_platform_that_does_not_tell_is_no_news_and_each_account_has_its_own() {
    let (mut world, backup) = World::with_backup();
    let total_time = "total_time = \"10s\"";
    world.otherwise.push((total_time, format!("{total_time}\ncredit = {{ every = \"10m\", low = 100 }}")));
    let fault =
        sms_relay::emulator::Fault::Status { code: 500, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_credit(fault));
    backup.set_credit(0);
    let relay = world.start();
    relay.wait_for_message("the credit is not known now");
    relay.wait_for_metric("sms_relay_gateway_credit{gateway=\"backup\"}", 0.0);
    assert_eq!(relay.metric("sms_relay_gateway_credit{gateway=\"main\"}"), None);
    let (status, text) = readiness(&relay);
    assert_eq!(status, 503);
    assert!(text.contains("gateway backup: credit is used up") && !text.contains("main"), "{text}");
    assert_eq!(subjects(&world.mailbox.wait_for(1)), ["SMS credit is used up at gateway backup"]);
    // Nothing is kept back for that: only the platform knows.
    relay.mail("oncall@sms.local", "text");
    world.wait_for_platform("it", |record| record.total() == 1);
    assert!(relay.terminate().success());
}

#[test]
fn who_is_told_stays_until_a_restart_as_the_reload_says() {
    let mut world = World::new();
    world.with_metrics();
    let total_time = "total_time = \"10s\"";
    world.otherwise.push((total_time, format!("{total_time}\ncredit = {{ every = \"10m\", low = 100 }}")));
    let relay = world.start();
    relay.wait_for_metric(LEFT, 1000.0);
    let operator = "operator = \"operator@example.com\"";
    world.otherwise.push((operator, "operator = \"another@example.com\"".to_owned()));
    world.write();
    becomes(&world, &relay, 99);
    let told = relay.wait_for_message("changed too, and as before until a restart");
    assert_eq!(told["sections"], "[reporting] and [intake]");
    let mail = &world.mailbox.wait_for(1)[0];
    assert!(mail.text.contains("\nTo: <operator@example.com>\n"), "{}", mail.text);
    assert!(relay.terminate().success());
}
