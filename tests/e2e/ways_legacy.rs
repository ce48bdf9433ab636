//! `api = "legacy"`: one text to an alias of many phones is one call, with ids of ours; an answer that only
//! counts is asked about where it counts wrong, and nobody gets the text twice.

use std::collections::BTreeSet;

use sms_relay::emulator::{Fault, FaultRule, Record};
use sms_relay::model::{FinalState, State};

use crate::support::{Relay, Smtp, Talk, World};

const PHONES: usize = 50;
const TEXT: &str = "Gas leak in hall 3. Leave the building.";

/// A world whose alias `everybody` has 50 phones; `rules` are more keys of the rule for it.
fn world(keys: &str) -> World {
    let mut world = World::new();
    let phones: Vec<String> = (0..PHONES).map(|n| format!("\"{}\"", phone(n))).collect();
    // The sections of the usual configuration go on behind the rules.
    world.otherwise.push(("oncall = \"+393471234567\"", format!("everybody = [{}]", phones.join(", "))));
    world.rules = format!(
        "[[rule]]\nname = \"evacuation\"\nwhen.recipient = \"^everybody$\"\napi = \"legacy\"\n{keys}\n"
    );
    world
}

fn phone(n: usize) -> String {
    format!("+3934710000{n:02}")
}

fn send(relay: &Relay, text: &str) -> String {
    let mail = format!("From: panel@example.com\nContent-Type: text/plain; charset=utf-8\n\n{text}\n");
    let reply =
        Talk::greeted(relay.smtp).mail("panel@example.com", &["everybody@sms.local"], mail.as_bytes());
    Smtp::queued(&reply)
}

/// Waits until all phones have it, ends the relay, and expects that each has it once, under the id of its row.
fn all_have_it(world: &World, relay: Relay, id: &str) {
    world.wait_for_platform("all", |record| record.total() >= PHONES as u64);
    for ordinal in 1..=PHONES {
        relay.wait_for_state(&format!("{id}-{ordinal}"), "delivered");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.states(id), [State::Final(FinalState::Delivered); PHONES]);
    assert_eq!(world.emulator.record(Record::repeated), Vec::<String>::new());
    let accepted = world.emulator.accepted();
    let got: BTreeSet<(String, String)> =
        accepted.iter().map(|sms| (sms.message_id.clone(), sms.destination.clone())).collect();
    let expected = (0..PHONES).map(|n| (format!("{id}-{}", n + 1), phone(n))).collect();
    assert_eq!((got, accepted.len()), (expected, PHONES));
    assert_eq!(world.emulator.requests().send, 0, "never by the other door");
}

#[test]
fn one_text_to_fifty_phones_is_one_call() {
    let world = world("");
    let relay = world.start();
    let id = send(&relay, TEXT);
    all_have_it(&world, relay, &id);
    assert_eq!(world.emulator.requests().legacy, 1);
    assert!(world.texts().iter().all(|text| text == TEXT));
}

#[test]
fn a_rule_may_forbid_unicode_and_another_not() {
    let mut world = world("legacy_unicode = false\ntransliteration = \"off\"");
    world.rules.push_str(
        "[[rule]]\nname = \"two\"\nwhen.recipient = \"^two$\"\napi = \"legacy\"\ntransliteration = \"off\"\n",
    );
    let relay = world.start();
    let id = send(&relay, "Zażółć: Größe 3");
    all_have_it(&world, relay, &id);
    let texts: BTreeSet<String> = world.texts().into_iter().collect();
    assert_eq!(texts.len(), 1);
    let text = texts.first().unwrap();
    assert!(text.contains("Größe 3") && !text.contains('ż'), "as the platform cuts it down: {text}");
    let body = &world.emulator.accepted()[0].body;
    assert_eq!(body, "Zażółć: Größe 3", "what it was handed is the whole text");

    let relay = world.start();
    let mail = "From: panel@example.com\nContent-Type: text/plain; charset=utf-8\n\nZażółć\n";
    let reply = Talk::greeted(relay.smtp).mail("panel@example.com", &["two@sms.local"], mail.as_bytes());
    Smtp::queued(&reply);
    world.wait_for_platform("two more", |record| record.total() == PHONES as u64 + 2);
    assert!(relay.terminate().success());
    assert!(world.texts()[PHONES..].iter().all(|text| text == "Zażółć"), "{:?}", &world.texts()[PHONES..]);
    assert_eq!(world.emulator.requests().legacy, 2);
}

#[test]
fn where_it_took_fewer_each_is_asked_about_and_nobody_gets_it_twice() {
    let mut world = world("");
    world
        .otherwise
        .push(("[tracking]\n", "[tracking]\nquestions_per_second = 1000\nconcurrency = 50\n".to_owned()));
    world.order(FaultRule::on_legacy(Fault::Partial { processed: 30 }).times(1));
    let relay = world.start();
    let id = send(&relay, TEXT);
    all_have_it(&world, relay, &id);
    assert!(world.emulator.requests().status >= PHONES as u64, "{:?}", world.emulator.requests());
    let tries: Vec<u32> = world.submission(&id).messages.iter().map(|message| message.attempts).collect();
    assert_eq!(tries.iter().filter(|tries| **tries == 1).count(), 30, "{tries:?}");
    assert_eq!(tries.iter().filter(|tries| **tries == 2).count(), 20, "{tries:?}");
}

#[test]
fn where_it_failed_all_go_again_in_one_call() {
    let world = world("");
    let fault = Fault::Status { code: 503, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_legacy(fault).times(1));
    let relay = world.start();
    let id = send(&relay, TEXT);
    all_have_it(&world, relay, &id);
    assert_eq!(world.emulator.requests().legacy, 2);
}

#[test]
fn where_the_answer_was_lost_nobody_gets_it_twice() {
    let mut world = world("");
    world
        .otherwise
        .push(("[tracking]\n", "[tracking]\nquestions_per_second = 1000\nconcurrency = 50\n".to_owned()));
    world.order(FaultRule::on_legacy(Fault::Reset { recorded: true }).times(1));
    let relay = world.start();
    let id = send(&relay, TEXT);
    all_have_it(&world, relay, &id);
    assert_eq!(world.emulator.requests().legacy, 1);
}

#[test]
fn a_phone_that_waits_for_its_earlier_text_holds_back_no_other() {
    let mut world = world("");
    let backoff = "[dispatch]\nbackoff = { first = \"1s\", most = \"2s\" }";
    // Longer than the test.
    world.otherwise.push((backoff, "[dispatch]\nbackoff = { first = \"10m\", most = \"10m\" }".to_owned()));
    let fault = Fault::Status { code: 500, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_send(fault).to(&phone(7)));
    let relay = world.start();
    let earlier = relay.send_form(&phone(7), "Smell of gas in hall 3");
    relay.wait_for_message("tried again later");
    let id = send(&relay, TEXT);
    world.wait_for_platform("all but one", |record| record.total() == PHONES as u64 - 1);
    let others = (0..PHONES).filter(|n| *n != 7);
    for n in others.clone() {
        relay.wait_for_state(&format!("{id}-{}", n + 1), "delivered");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().legacy, 1);
    let got: BTreeSet<String> = world.emulator.accepted().into_iter().map(|sms| sms.destination).collect();
    assert_eq!(got, others.map(phone).collect());
    assert_eq!(world.states(&earlier), [State::Due]);
    assert_eq!(world.states(&id)[7], State::Due);
}
