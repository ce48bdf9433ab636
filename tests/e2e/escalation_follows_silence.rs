//! An escalation takes the place of a text that nobody got in time: once to each of its phones, with words of
//! its own; at once where all is lost, and never where one phone had the text.

use std::time::Duration;

use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::{FinalState, State};

use crate::support::gateways::{at, phone};
use crate::support::{Mail, Relay, World, tool};

const MAIL: &str = "From: panel@example.com\nSubject: Leak\n\nSensor 4 is wet.\n";
const WORDS: &str = "Nobody has: Leak";

/// Escalates from `oncall` to `two` after this time.
fn world(after: &str) -> World {
    let mut world = World::calling(|settings| settings.delivery.outcome = Outcome::Never);
    world.rules = format!(
        "[[rule]]\nname = \"leak\"\nwhen.recipient = \"^oncall$\"\n\
         escalate = {{ after = \"{after}\", to = \"two\", text = \"Nobody has: {{{{ subject }}}}\" }}\n"
    );
    world
}

fn send(relay: &Relay) -> String {
    Mail::new("panel@example.com", &("oncall@sms.local", &[]), MAIL).send(relay.smtp)
}

/// What reached which phone, sorted.
fn texts(world: &World) -> Vec<(String, String)> {
    let mut texts: Vec<_> =
        world.emulator.accepted().into_iter().map(|sms| (sms.destination, sms.text)).collect();
    texts.sort();
    texts
}

fn escalated() -> [(String, String); 2] {
    ["+393470000001", "+393470000002"].map(|phone| (phone.to_owned(), WORDS.to_owned()))
}

fn first() -> (String, String) {
    ("+393471234567".to_owned(), "Sensor 4 is wet.".to_owned())
}

/// A mail to number `n` of a row that nothing else is sent to goes to the platform, which then has `total`: a round of
/// dispatch has begun after whatever was due before, so that what has not gone by now was not to go.
fn see_a_round(world: &World, relay: &Relay, n: usize, total: u64) {
    relay.mail(&at(&phone(n)), "a round");
    world.wait_for_platform("a round", |record| record.total() == total);
}

fn notes(world: &World, id: &str, at: usize) -> Vec<String> {
    world.submission(id).messages[at].events.iter().map(|event| event.note.clone()).collect()
}

#[test]
fn what_nobody_got_in_time_goes_to_the_next_once() {
    if !tool("python3") {
        return;
    }
    let world = world("2s");
    let relay = world.start_calling();
    let id = send(&relay);
    world.wait_for_platform("the first and two more", |record| record.total() == 3);
    let [one, two] = escalated();
    assert_eq!(texts(&world), [one, two, first()]);
    let times: Vec<_> = world.emulator.accepted().iter().map(|sms| sms.accepted_at).collect();
    assert!(times[1].duration_since(times[0]).as_millis() > 1500, "it had its time: {times:?}");
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Sent; 3]);
    // Over as many starts as one likes.
    for n in 0..2 {
        let relay = world.start_calling();
        see_a_round(&world, &relay, n, 4 + n as u64);
        assert!(relay.terminate().success());
    }
    let [one, two] = escalated();
    let round = |n| (phone(n), "a round".to_owned());
    assert_eq!(texts(&world), [one, two, first(), round(0), round(1)]);
}

#[test]
fn a_delivery_in_between_stops_it() {
    if !tool("python3") {
        return;
    }
    let world = world("1h");
    let in_time = Fault::Deliver { outcome: Outcome::Delivered, delay_millis: Some(500) };
    world.order(FaultRule::on_send(in_time).times(1));
    let relay = world.start_calling();
    let id = send(&relay);
    relay.wait_for_state(&format!("{id}-1"), "delivered");
    // The same mail again, of which nothing is heard.
    let unreported = ("oncall@sms.local", &["NOTIFY=NEVER"][..]);
    let silent = Mail::new("panel@example.com", &unreported, MAIL).send(relay.smtp);
    world.wait_for_platform("both", |record| record.total() == 2);
    assert!(relay.terminate().success());
    let (delivered, cancelled) = (State::Final(FinalState::Delivered), State::Final(FinalState::Cancelled));
    assert_eq!(world.states(&id), [delivered, cancelled, cancelled]);
    for place in [1, 2] {
        let notes = notes(&world, &id, place);
        assert_eq!(notes.last().unwrap(), &format!("not needed: {id}-1 was delivered"), "{notes:#?}");
    }
    // Its time comes and goes: the other one is escalated.
    world.let_time_pass(Duration::from_secs(2 * 3600));
    let relay = world.start_calling();
    world.wait_for_platform("the other's", |record| record.total() == 4);
    see_a_round(&world, &relay, 0, 5);
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [delivered, cancelled, cancelled]);
    assert_eq!(world.states(&silent), [State::Sent; 3]);
    let [one, two] = escalated();
    assert_eq!(texts(&world), [one, two, first(), first(), (phone(0), "a round".to_owned())]);
    assert!(world.mailbox.mails().is_empty());
}

#[test]
fn what_is_refused_is_escalated_at_once() {
    if !tool("python3") {
        return;
    }
    let world = world("1h");
    let refusal = Fault::Refuse { reasons: vec!["Blocked".to_owned()] };
    world.order(FaultRule::on_send(refusal).to("+393471234567"));
    let relay = world.start_calling();
    let id = send(&relay);
    world.wait_for_platform("two", |record| record.total() == 2);
    assert_eq!(texts(&world), escalated());
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Failed), State::Sent, State::Sent]);
    let notes = notes(&world, &id, 1);
    assert!(notes.iter().any(|note| note.starts_with("released: none of the SMS")), "{notes:#?}");
}

#[test]
fn one_that_is_undelivered_by_callback_is_escalated_at_once() {
    if !tool("python3") {
        return;
    }
    let world = world("1h");
    let lost = Fault::Deliver { outcome: Outcome::Error, delay_millis: None };
    world.order(FaultRule::on_send(lost).to("+393471234567"));
    let relay = world.start_calling();
    let id = send(&relay);
    world.wait_for_platform("three", |record| record.total() == 3);
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Undelivered), State::Sent, State::Sent]);
    assert_eq!(world.emulator.requests().status, 0);
}

#[test]
fn it_waits_over_a_restart_and_goes_once() {
    if !tool("python3") {
        return;
    }
    let mut world = world("1h");
    world.rules.push_str(
        "[[rule]]\nname = \"sooner\"\nwhen.recipient = \"^[+]39348\"\n\
         escalate = { after = \"58m\", to = \"+393470000009\", text = \"Sooner\" }\n",
    );
    let relay = world.start_calling();
    let id = send(&relay);
    relay.mail(&at(&phone(0)), "sooner");
    world.wait_for_platform("both", |record| record.total() == 2);
    relay.kill();
    // A minute before its time nothing goes, but what has its time then.
    world.let_time_pass(Duration::from_secs(59 * 60));
    let relay = world.start_calling();
    world.wait_for_platform("the sooner one", |record| record.total() == 3);
    see_a_round(&world, &relay, 1, 4);
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.accepted()[2].text, "Sooner");
    assert_eq!(world.states(&id), [State::Sent, State::Held, State::Held]);
    world.let_time_pass(Duration::from_secs(60));
    let relay = world.start_calling();
    world.wait_for_platform("two more", |record| record.total() == 6);
    relay.kill();
    let relay = world.start_calling();
    see_a_round(&world, &relay, 2, 7);
    assert!(relay.terminate().success());
    let [one, two] = escalated();
    let leak: Vec<_> =
        texts(&world).into_iter().filter(|(phone, _)| phone.as_str() < "+393470000009").collect();
    assert_eq!(leak, [one, two]);
    assert_eq!(texts(&world).iter().filter(|sms| **sms == first()).count(), 1);
}

#[test]
fn a_delivery_after_it_has_gone_calls_nothing_back_and_is_known() {
    if !tool("python3") {
        return;
    }
    let world = world("1s");
    let late = Fault::Deliver { outcome: Outcome::Delivered, delay_millis: Some(2500) };
    world.order(FaultRule::on_send(late).to("+393471234567"));
    let relay = world.start_calling();
    let id = send(&relay);
    world.wait_for_platform("two more", |record| record.total() == 3);
    relay.wait_for_state(&format!("{id}-1"), "delivered");
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Delivered), State::Sent, State::Sent]);
}
