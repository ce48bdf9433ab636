//! `split = "messages"`: a long text is several SMS, marked and in order, each with an id and a fate of its
//! own; a report tells of those that failed.

use sms_relay::emulator::{Fault, FaultRule};
use sms_relay::model::{FinalState, State};

use crate::support::{Letter, Smtp, Talk, World, tool};

/// 40 lines of 10 characters: three SMS with 14, 14 and 12 of them.
fn mail() -> String {
    format!("From: ups@example.com\nSubject: Nodes\n\n{}\n", nodes(1, 40))
}

fn world() -> World {
    let mut world = World::new();
    world.rules = "[[rule]]\nname = \"nodes\"\nsplit = \"messages\"\nmax_parts = 4\n".to_owned();
    world
}

fn nodes(from: u32, to: u32) -> String {
    (from..=to).map(|n| format!("Node {n:02} up")).collect::<Vec<_>>().join("\n")
}

fn pieces() -> [String; 3] {
    [format!("1/3 {}", nodes(1, 14)), format!("2/3 {}", nodes(15, 28)), format!("3/3 {}", nodes(29, 40))]
}

#[test]
fn a_long_text_arrives_as_three_sms_in_order() {
    let world = world();
    let relay = world.start();
    let reply = Talk::greeted(relay.smtp).mail("ups@example.com", &["oncall@sms.local"], mail().as_bytes());
    let id = Smtp::queued(&reply);
    world.expect_texts(&pieces());
    let accepted = world.emulator.accepted();
    let ids: Vec<&str> = accepted.iter().map(|sms| sms.message_id.as_str()).collect();
    assert_eq!(ids, [1, 2, 3].map(|ordinal| format!("{id}-{ordinal}")));
    assert!(accepted.iter().all(|sms| sms.destination == "+393471234567" && sms.parts == 1));
    assert!(relay.terminate().success());
}

#[test]
fn one_that_fails_is_reported_once_and_the_others_arrive() {
    if !tool("python3") {
        return;
    }
    let world = world();
    let refusal = Fault::Refuse { reasons: vec!["Content blocked".to_owned()] };
    world.order(FaultRule::on_send(refusal).containing("2/3"));
    let relay = world.start();
    let reply = Talk::greeted(relay.smtp).mail("ups@example.com", &["oncall@sms.local"], mail().as_bytes());
    let id = Smtp::queued(&reply);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; oncall@sms.local"]);
    assert_eq!(letter.status("X-Relay-Message-Id"), [format!("{id}-2")]);
    let quoted = pieces()[1].replace('\n', "\n> ");
    let told = format!("The text that was not delivered:\n\n> {quoted}\n\n");
    assert!(letter.human().contains(&told), "{}", letter.human());
    for ordinal in [1, 3] {
        let other = format!("{id}-{ordinal}");
        relay.wait_for_log("final", |line| line["message"] == "final" && line["id"] == other);
    }
    let [first, _, last] = pieces();
    world.expect_texts(&[first, last]);
    assert!(relay.terminate().success());
    let (delivered, failed) = (State::Final(FinalState::Delivered), State::Final(FinalState::Failed));
    assert_eq!(world.states(&id), [delivered, failed, delivered]);
    assert_eq!(world.mailbox.mails().len(), 1);
}

#[test]
fn a_text_of_which_nothing_arrives_is_one_report() {
    if !tool("python3") {
        return;
    }
    let world = world();
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["Destination blocked".to_owned()] }));
    let relay = world.start();
    let reply = Talk::greeted(relay.smtp).mail("ups@example.com", &["oncall@sms.local"], mail().as_bytes());
    let id = Smtp::queued(&reply);
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.defects, [""; 0]);
    assert_eq!(letter.status("X-Relay-Message-Id"), [1, 2, 3].map(|ordinal| format!("{id}-{ordinal}")));
    assert_eq!(letter.status("Final-Recipient"), ["rfc822; oncall@sms.local"], "one block with all ids");
    let quoted = pieces().map(|piece| format!("> {}\n", piece.replace('\n', "\n> ")));
    assert!(
        quoted.iter().all(|text| letter.human().matches(text.as_str()).count() == 1),
        "{}",
        letter.human()
    );
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 1);
}
