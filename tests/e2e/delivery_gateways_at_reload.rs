//! A reload adds, removes and renames gateways while messages are under way. A name is all that a message knows of
//! its gateway: one that is gone cannot be asked about what it may have.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::World;
use crate::support::gateways::{AS_ONE_OF_SEVERAL, answers, at, gateway, phone, tells_nothing, texts};

/// With the name of its only gateway, and a place for more.
fn world_with_one(unknown: &str) -> World {
    let mut world = World::new();
    world.otherwise.push((AS_ONE_OF_SEVERAL.0, AS_ONE_OF_SEVERAL.1.to_owned()));
    world.otherwise.push(("sender = \"Relay\"", format!("sender = \"Relay\"\nunknown = \"{unknown}\"")));
    world.otherwise.push(("unknown_time = \"5s\"", "unknown_time = \"2s\"".to_owned()));
    world.with_metrics();
    world
}

fn rename_main(world: &mut World, name: &str) {
    world.otherwise.push(("name = \"main\"", format!("name = \"{name}\"")));
}

#[test]
fn one_that_is_added_takes_over_what_waits_for_the_other() {
    let mut world = world_with_one("resend");
    world.order(answers(401));
    let relay = world.start();
    for n in 0..3 {
        relay.mail(&at(&phone(n)), "waits");
    }
    relay.wait_for_message("nothing is sent for now; every message is kept and the gateway is probed");
    let added = world.another_platform();
    world.extra.push_str(&gateway("added", &added, ""));
    world.write();
    relay.reload();
    world.wait_at(&added, "all", |record| record.total() == 3);
    relay.wait_for_metric("sms_relay_gateway_open{gateway=\"added\"}", 1.0);
    assert!(world.emulator.accepted().is_empty());
    assert!(relay.terminate().success());
}

#[test]
fn what_was_never_sent_leaves_a_gateway_that_is_removed_by_those_that_are_left() {
    let mut world = world_with_one("resend");
    world.rules.push_str("[[rule]]\nname = \"all\"\ngateways = [\"main\"]\n");
    world.order(answers(401));
    let relay = world.start();
    for n in 0..3 {
        relay.mail(&at(&phone(n)), "waits");
    }
    relay.wait_for_message("nothing is sent for now; every message is kept and the gateway is probed");
    let left = world.another_platform();
    world.otherwise.push(("gateways = [\"main\"]", "gateways = [\"left\"]".to_owned()));
    let usual = format!("name = \"main\"\nurl = \"{}\"", world.emulator.base_url());
    let other = format!("name = \"left\"\nurl = \"{}\"", left.base_url());
    world.otherwise.push((usual.leak(), other));
    world.write();
    relay.reload();
    world.wait_at(&left, "all", |record| record.total() == 3);
    relay.wait_for_metric("sms_relay_gateway_open{gateway=\"left\"}", 1.0);
    assert_eq!(relay.metric("sms_relay_gateway_open{gateway=\"main\"}"), None);
    assert_eq!(relay.get("/readyz").0, 200, "the trouble went with it");
    assert!(relay.terminate().success());
}

#[test]
fn a_call_under_way_ends_by_the_gateway_that_it_began_with_and_its_callbacks_still_count() {
    let mut world = world_with_one("resend");
    world.otherwise.push(("allow_get = true\nmetrics = true", "callbacks = true".to_owned()));
    world.extra.push_str("[callbacks]\nnetworks = [\"127.0.0.0/8\"]\n");
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }).times(1));
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "under way")]);
    world.wait_for_platform("under way", |record| record.held() == 1);
    rename_main(&mut world, "other");
    world.write();
    relay.reload();
    world.emulator.release();
    let fate = relay.fate_when(&id, "sent");
    assert_eq!(fate["messages"][0]["gateway"], "main");
    assert_eq!(fate["messages"][0]["attempts"][0]["gateway"], "main");
    world.emulator.call_back_to(&format!("http://{}/callbacks", relay.http)).unwrap();
    let word = serde_json::json!({
        "messageId": format!("{id}-1"), "statusCode": 3, "numPart": 1, "totalParts": 1, "price": 0.035,
        "channel": "SMS", "eventType": "DELIVERY", "description": "delivered",
    });
    assert_eq!(world.runtime.block_on(world.emulator.call_back(&word)).unwrap(), 200);
    let fate = relay.fate(&id);
    assert_eq!(fate["messages"][0]["state"], "delivered");
    assert_eq!(world.emulator.requests().status, 0, "nobody could be asked");
    relay.post(&[("to", &phone(1)), ("text", "by the new name")]);
    world.wait_for_platform("the next", |record| record.total() == 2);
    assert!(relay.terminate().success());
}

/// A message that a gateway may have, and that gateway goes by another name from then on.
fn unknown_at_one_that_is_gone(choice: &str) -> (World, crate::support::Relay, String) {
    let mut world = world_with_one(choice);
    world.order(FaultRule::on_send(Fault::Reset { recorded: true }).times(1));
    world.order(tells_nothing());
    let relay = world.start();
    let id = relay.post(&[("to", &phone(1)), ("text", "perhaps")]);
    relay.wait_for_message("outcome unknown; the platform is asked");
    rename_main(&mut world, "other");
    world.write();
    relay.reload();
    (world, relay, id)
}

const ASKED: &str = "its gateway `main` is not configured any more, so nobody can be asked";

fn notes(fate: &serde_json::Value) -> String {
    let timeline = fate["messages"][0]["timeline"].as_array().unwrap();
    timeline.iter().map(|line| format!("{}\n", line["note"].as_str().unwrap())).collect()
}

#[test]
fn what_a_removed_gateway_may_have_fails_where_the_rule_says_so() {
    let (world, relay, id) = unknown_at_one_that_is_gone("fail");
    let fate = relay.fate_when(&id, "failed");
    let cause = fate["messages"][0]["cause"]["text"].as_str().unwrap();
    assert!(cause.ends_with(ASKED), "{cause}");
    assert_eq!(world.emulator.requests().send, 1);
    let report = &world.mailbox.wait_for(1)[0];
    let known = format!("Final-Log-ID: {id}-1");
    assert!(report.text.lines().any(|line| line == known), "it had a host: {}", report.text);
    assert!(relay.terminate().success());
}

#[test]
fn what_a_removed_gateway_may_have_is_sent_again_by_another_where_the_rule_says_so() {
    let (world, relay, id) = unknown_at_one_that_is_gone("resend");
    world.wait_for_platform("it comes again", |record| record.total() == 2);
    world.emulator.clear_faults();
    let fate = relay.fate_when(&id, "delivered");
    assert!(notes(&fate).contains(ASKED), "{}", notes(&fate));
    let by: Vec<_> = fate["messages"][0]["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["gateway"].clone())
        .collect();
    assert_eq!(by, ["main", "other"]);
    assert_eq!(texts(&world.emulator), ["perhaps", "perhaps"]);
    assert_eq!(world.emulator.record(|record| record.repeated()), [format!("{id}-1")], "under the same id");
    assert!(relay.terminate().success());
}

/// The host that the report with this number, which is the last, says to be the platform's.
fn told_host(world: &World, number: usize) -> String {
    let reports = world.mailbox.wait_for(number);
    let text = &reports[number - 1].text;
    let host = text.lines().find_map(|line| line.strip_prefix("Remote-MTA: dns; "));
    host.unwrap_or_else(|| panic!("no host in {text}")).trim_end().to_owned()
}

#[test]
fn a_report_names_the_host_that_a_reload_brought_and_no_restart_is_asked_for() {
    let mut world = world_with_one("resend");
    let refuses = || FaultRule::on_send(Fault::Refuse { reasons: vec!["Blocked".to_owned()] });
    world.order(answers(401).times(1));
    world.order(refuses());
    let relay = world.start();

    // One is added, by which goes what the first does not take.
    let added = world.platform_at("127.0.0.2:0".parse().unwrap());
    added.order(refuses()).unwrap();
    world.extra.push_str(&gateway("added", &added, ""));
    world.write();
    relay.reload();
    relay.mail(&at(&phone(1)), "by the other");
    assert_eq!(told_host(&world, 1), "127.0.0.2");
    assert_eq!(added.requests().send, 1);

    // The first moves.
    let moved = world.platform_at("127.0.0.3:0".parse().unwrap());
    moved.order(refuses()).unwrap();
    let usual = format!("name = \"main\"\nurl = \"{}\"", world.emulator.base_url());
    world.otherwise.push((usual.leak(), format!("name = \"main\"\nurl = \"{}\"", moved.base_url())));
    world.write();
    relay.reload();
    relay.mail(&at(&phone(2)), "by the first");
    assert_eq!(told_host(&world, 2), "127.0.0.3");
    let asked = relay.find_log(|line| line["message"] == "changed too, and as before until a restart");
    assert_eq!(asked, None);
    assert!(relay.terminate().success());
}
