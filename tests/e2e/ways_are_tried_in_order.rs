//! A channel order of a rule: an RCS template, a WhatsApp template, an SMS. The next one is tried when one is
//! refused, undelivered or silent, and none once the phone has it.

use std::collections::BTreeMap;
use std::time::Duration;

use sms_relay::emulator::{Accepted, Channel, Fault, FaultRule, Outcome, Record, Settings};
use sms_relay::model::{FinalState, State};

use crate::support::{Letter, Mail, Relay, World, callback, tool};

const MAIL: &str = "From: ups@example.com\nSubject: UPS 3\n\nOn battery.\n";
const ALL: &str = r#"["rcs:alert_v2", "whatsapp:alert_v3", "sms"]"#;
/// The shortest that can be configured is longer than a test may take: time is made to pass.
const SILENCE: Duration = Duration::from_secs(600);

fn world(channels: &str) -> World {
    world_with(channels, |_| {})
}

fn world_with(channels: &str, change: impl FnOnce(&mut Settings)) -> World {
    let mut world = World::calling(change);
    world.rules = format!(
        r#"
[[rule]]
name = "ways"
when.recipient = "^oncall$"
channels = {channels}
variables = {{ text = "{{{{ text }}}}", host = "{{{{ subject|upper }}}}" }}
silent_after = "10m"
"#
    );
    world
}

fn send(relay: &Relay) -> String {
    Mail::new("ups@example.com", &("oncall@sms.local", &[]), MAIL).send(relay.smtp)
}

fn refusal() -> Fault {
    Fault::Refuse { reasons: Vec::new() }
}

fn ending(outcome: Outcome) -> Fault {
    Fault::Deliver { outcome, delay_millis: None }
}

/// What the platform accepted, by channel and words.
fn accepted(world: &World) -> Vec<(Channel, String)> {
    world.emulator.accepted().into_iter().map(|one| (one.channel, one.body)).collect()
}

fn rcs() -> (Channel, String) {
    (Channel::Rcs, "alert_v2".to_owned())
}

fn whatsapp() -> (Channel, String) {
    (Channel::WhatsApp, "alert_v3".to_owned())
}

fn sms() -> (Channel, String) {
    (Channel::Sms, "On battery.".to_owned())
}

/// Ends the relay and expects one SMS that was delivered, and each way once.
fn delivered(world: &World, relay: Relay, id: &str, ways: &[(Channel, String)]) {
    relay.wait_for_state(&format!("{id}-1"), "delivered");
    assert!(relay.terminate().success());
    assert_eq!(world.states(id), [State::Final(FinalState::Delivered)]);
    assert_eq!(accepted(world), ways);
    assert!(world.mailbox.mails().is_empty());
}

#[test]
fn the_first_that_delivers_is_the_only_one_and_has_its_variables_filled() {
    if !tool("python3") {
        return;
    }
    let world = world(ALL);
    let relay = world.start_calling();
    let id = send(&relay);
    delivered(&world, relay, &id, &[rcs()]);
    let template = world.emulator.accepted().swap_remove(0);
    let variables =
        [("text", "On battery."), ("host", "UPS 3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(template.placeholders, Some(BTreeMap::from(variables)));
    assert_eq!(template.destination, "+393471234567");
    assert!(template.platform_id.is_some(), "the platform called back by an id of its own");
    assert_eq!(world.emulator.requests().status, 0);
}

#[test]
fn one_that_is_refused_gives_way_to_the_next() {
    if !tool("python3") {
        return;
    }
    for (times, ways) in [(1, vec![whatsapp()]), (2, vec![sms()])] {
        let world = world(ALL);
        world.order(FaultRule::on_template(refusal()).times(times));
        let relay = world.start_calling();
        let id = send(&relay);
        delivered(&world, relay, &id, &ways);
        assert_eq!(world.emulator.requests().template, u64::from(times.min(1) + 1), "each was tried once");
    }
}

#[test]
fn one_that_the_platform_cannot_deliver_gives_way_to_the_next() {
    if !tool("python3") {
        return;
    }
    let world = world(ALL);
    world.order(FaultRule::on_template(ending(Outcome::Error)).times(1));
    world.order(FaultRule::on_template(ending(Outcome::Expired)).times(1));
    let relay = world.start_calling();
    let id = send(&relay);
    delivered(&world, relay, &id, &[rcs(), whatsapp(), sms()]);
    assert_eq!(world.emulator.requests().status, 0, "callbacks said it all");
    let view = &world.submission(&id).messages[0];
    assert_eq!(view.tries.len(), 3);
    let said: Vec<_> =
        view.callbacks.iter().map(|part| (part.channel.as_str(), part.status.code())).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    for part in [("RCS", 6), ("WHATSAPP", 8), ("SMS", 3)] {
        assert!(said.contains(&part), "{part:?} in {said:?}");
    }
}

#[test]
fn ids_of_the_platforms_own_are_known_over_a_restart() {
    if !tool("python3") {
        return;
    }
    let world = world_with(ALL, |settings| settings.own_ids = true);
    world.order(FaultRule::on_template(ending(Outcome::Error)).times(2));
    world.emulator.pause_callbacks();
    let relay = world.start_calling();
    let id = send(&relay);
    relay.wait_for_message("accepted by the platform for RCS");
    relay.kill();
    let relay = world.start_calling();
    world.emulator.resume_callbacks();
    delivered(&world, relay, &id, &[rcs(), whatsapp(), sms()]);
    let all: Vec<Accepted> = world.emulator.accepted();
    assert!(all.iter().all(|one| one.platform_id.as_ref().is_some_and(|theirs| *theirs != one.message_id)));
    assert_eq!(world.emulator.requests().status, 0);
}

/// Starts with a platform that takes a template and says no more of it, and lets the silence pass.
fn silent(world: &World) -> (Relay, String) {
    world.order(FaultRule::on_template(ending(Outcome::Never)).times(1));
    let relay = world.start_calling();
    let id = send(&relay);
    relay.wait_for_message("accepted by the platform for RCS");
    assert!(relay.terminate().success());
    world.let_time_pass(SILENCE);
    // The next way goes as soon as there is a relay, whose address the platform has to know first.
    world.emulator.pause_callbacks();
    let relay = world.start_calling();
    world.emulator.resume_callbacks();
    (relay, id)
}

#[test]
fn one_that_stays_silent_gives_way_to_the_next() {
    if !tool("python3") {
        return;
    }
    let world = world(ALL);
    let (relay, id) = silent(&world);
    delivered(&world, relay, &id, &[rcs(), whatsapp()]);
    assert_eq!(world.emulator.requests().status, 1, "asked once more at the end of its silence");
    let notes: Vec<String> =
        world.submission(&id).messages[0].events.iter().map(|event| event.note.clone()).collect();
    assert!(
        notes.iter().any(|note| note.contains("nothing was heard of it by RCS for 10 min")),
        "{notes:#?}"
    );
}

#[test]
fn a_late_delivery_by_the_silent_one_stops_the_next() {
    if !tool("python3") {
        return;
    }
    let mut world = world(r#"["rcs:alert_v2", "sms"]"#);
    let backoff = "[dispatch]\nbackoff = { first = \"1s\", most = \"2s\" }";
    // Longer than the test.
    world.otherwise.push((backoff, "[dispatch]\nbackoff = { first = \"10m\", most = \"10m\" }".to_owned()));
    let fault = Fault::Status { code: 503, retry_after: None, body: None, recorded: false };
    world.order(FaultRule::on_send(fault).times(1));
    let (relay, id) = silent(&world);
    relay.wait_for_message("tried again later");
    let theirs = world.emulator.accepted()[0].platform_id.clone().unwrap();
    let mut said = callback(&theirs, 3, (1, 1));
    said["channel"] = "RCS".into();
    assert_eq!(world.call_back(&said), 200);
    delivered(&world, relay, &id, &[rcs()]);
    assert_eq!(world.emulator.requests().send, 1, "the SMS was never tried again");
    assert_eq!(world.emulator.record(Record::repeated), Vec::<String>::new());
}

#[test]
fn without_an_sms_at_the_end_it_fails_and_is_reported() {
    if !tool("python3") {
        return;
    }
    let world = world(r#"["rcs:alert_v2", "whatsapp:alert_v3"]"#);
    world.order(FaultRule::on_template(refusal()).times(1));
    world.order(FaultRule::on_template(ending(Outcome::Error)).times(1));
    let relay = world.start_calling();
    let id = send(&relay);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!((letter.status("Action"), letter.status("Status")), (vec!["failed"], vec!["5.4.0"]));
    assert_eq!(letter.status("X-Relay-Message-Id"), [format!("{id}-1")]);
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Undelivered)]);
    assert_eq!(accepted(&world), [whatsapp()]);
    assert_eq!(world.emulator.requests().send, 0, "no SMS, whatever happens");
}
