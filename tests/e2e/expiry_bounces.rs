//! What the platform does not take within its lifetime, or gives up later, comes back too.

use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::{FinalState, State};

use crate::support::{Letter, Mail, World, tool};

const MAIL: &str = "From: ups@example.com\nSubject: Power\n\nOut.\n";
const TO: (&str, &[&str]) = ("oncall@sms.local", &[]);

fn unavailable() -> Fault {
    Fault::Status { code: 503, retry_after: None, body: None, recorded: false }
}

#[test]
fn a_message_that_outlives_its_rules_lifetime_bounces_as_expired() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.rules = "[[rule]]\nname = \"short\"\nwhen.subject = \"power\"\nlifetime = \"2s\"\n".to_owned();
    world.order(FaultRule::on_send(unavailable()));
    let relay = world.start();
    let id = Mail::new("ups@example.com", &TO, MAIL).send(relay.smtp);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.status("Action"), ["failed"]);
    assert_eq!(letter.status("Status"), ["4.4.7"]);
    assert_eq!(
        letter.status("Diagnostic-Code"),
        ["x-sms-relay; its lifetime ended before the platform took it"]
    );
    let advice = "  - If it still matters, send it again: its time ran out before it could go.\n";
    assert!(letter.human().contains(advice), "{}", letter.human());
    assert!(letter.human().contains("> Out.\n"), "{}", letter.human());
    assert!(relay.terminate().success());
    assert_eq!(world.states(&id), [State::Final(FinalState::Expired)]);
    assert_eq!(world.emulator.accepted(), []);
}

#[test]
fn a_message_that_the_platform_gives_up_later_bounces() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let end = |outcome| Fault::Deliver { outcome, delay_millis: Some(0) };
    world.order(FaultRule::on_send(end(Outcome::Error)).to("+393471234567"));
    world.order(FaultRule::on_send(end(Outcome::Expired)).to("+393470000009"));
    let relay = world.start();
    let to: [(&str, &[&str]); 2] = [("oncall@sms.local", &[]), ("+393470000009@sms.local", &[])];
    let id = Mail { from: "ups@example.com", options: &[], to: &to, mail: MAIL }.send(relay.smtp);
    // Both in one report where both are known at one look, otherwise in two.
    let mut letters = vec![Letter::read(&world.mailbox.wait_for(1)[0])];
    if letters[0].status("Action").len() < 2 {
        letters.push(Letter::read(&world.mailbox.wait_for(2)[1]));
    }
    let of = |field: &str| -> Vec<String> {
        letters.iter().flat_map(|letter| letter.status(field)).map(str::to_owned).collect()
    };
    assert_eq!(of("Action"), ["failed"; 2]);
    let mut found: Vec<_> = of("Final-Recipient").into_iter().zip(of("Status")).collect();
    found.sort();
    let expected = [("rfc822; +393470000009@sms.local", "4.4.7"), ("rfc822; oncall@sms.local", "5.4.0")];
    assert_eq!(found, expected.map(|(recipient, status)| (recipient.to_owned(), status.to_owned())));
    let mut said = of("Diagnostic-Code");
    said.sort();
    assert_eq!(said, ["x-qlara; Message expired before delivery", "x-qlara; Message undeliverable"]);
    assert!(relay.terminate().success());
    let mut states = world.states(&id);
    states.sort_by_key(|state| format!("{state:?}"));
    assert_eq!(states, [State::Final(FinalState::Expired), State::Final(FinalState::Undelivered)]);
}
