//! Two recipients of one mail lead to one phone, which gets the words once. What each of them escalates to goes by
//! whether that SMS arrives, and loses nobody.

use sms_relay::emulator::{Fault, FaultRule, Outcome};
use sms_relay::model::{FinalState, State};

use crate::support::{Relay, Smtp, Talk, World};

const SHARED: &str = "+393470000001";
const FAILED: State = State::Final(FinalState::Failed);
const DELIVERED: State = State::Final(FinalState::Delivered);
const CANCELLED: State = State::Final(FinalState::Cancelled);

/// `two`, who are two phones, and `chief`, who has the first of them; each escalates to somebody else after an hour.
fn world() -> World {
    let mut world = World::calling(|settings| settings.delivery.outcome = Outcome::Never);
    world.otherwise.push(("[aliases]\n", format!("[aliases]\nchief = \"{SHARED}\"\n")));
    for (name, to) in [("two", "+393470000008"), ("chief", "+393470000009")] {
        world.rules.push_str(&format!(
            "[[rule]]\nname = \"{name}\"\nwhen.recipient = \"^{name}$\"\n\
             escalate = {{ after = \"1h\", to = \"{to}\", text = \"Not {name}\" }}\n"
        ));
    }
    world
}

fn send(relay: &Relay, to: [&str; 2]) -> String {
    let mail = b"From: panel@example.com\nSubject: Leak\n\nSensor 4 is wet.\n";
    let to = to.map(|name| format!("{name}@sms.local"));
    let to = [to[0].as_str(), to[1].as_str()];
    Smtp::queued(&Talk::greeted(relay.smtp).mail("panel@example.com", &to, mail))
}

/// What reached which phone, sorted.
fn texts(world: &World) -> Vec<(String, String)> {
    let mut texts: Vec<_> =
        world.emulator.accepted().into_iter().map(|sms| (sms.destination, sms.text)).collect();
    texts.sort();
    texts
}

fn text(phone: &str, text: &str) -> (String, String) {
    (phone.to_owned(), text.to_owned())
}

#[test]
fn who_has_no_other_phone_is_escalated_when_the_shared_one_fails() {
    let world = world();
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["Blocked".to_owned()] }).to(SHARED));
    let relay = world.start_calling();
    let id = send(&relay, ["two", "chief"]);
    world.wait_for_platform("the other phone and the chief's", |record| record.total() == 2);
    assert!(relay.terminate().success());
    // Two and the chief, then the escalations of both.
    assert_eq!(world.states(&id), [FAILED, State::Sent, CANCELLED, State::Held, State::Sent]);
    let expected = [text("+393470000002", "Sensor 4 is wet."), text("+393470000009", "Not chief")];
    assert_eq!(texts(&world), expected);
}

#[test]
fn nobody_is_escalated_when_the_shared_one_gets_it() {
    let world = world();
    let in_time = Fault::Deliver { outcome: Outcome::Delivered, delay_millis: None };
    world.order(FaultRule::on_send(in_time).to(SHARED));
    let relay = world.start_calling();
    let id = send(&relay, ["chief", "two"]);
    world.wait_for_platform("both phones", |record| record.total() == 2);
    relay.wait_for_state(&format!("{id}-1"), "delivered");
    assert!(relay.terminate().success());
    // The chief, then the two, of whom one has it as well, then the escalations of both.
    assert_eq!(world.states(&id), [DELIVERED, CANCELLED, State::Sent, CANCELLED, CANCELLED]);
    let words = "Sensor 4 is wet.";
    assert_eq!(texts(&world), [text(SHARED, words), text("+393470000002", words)]);
    for message in &world.submission(&id).messages[3..] {
        let note = &message.events.last().unwrap().note;
        assert_eq!(*note, format!("not needed: {id}-1 was delivered"));
    }
}
