//! What rules do beside setting a sender: the first that matches decides, drops or refuses with its
//! reason, also where only the content tells; and what no rule takes is refused where the operator
//! wants it so.

use sms_relay::model::{FinalState, State};

use crate::support::{Mail, World, tool};

const RULES: &str = r#"
[[rule]]
name = "holidays"
when.subject = "out of office"
drop = "an automatic reply is no alarm"

[[rule]]
name = "adverts"
when.text = "viagra"
refuse = "adverts are not for phones"

[[rule]]
name = "fire"
when.subject = '\bfire\b'
sender = "FireAlarm"
text = "{{ subject | upper }}: {{ text }}"
campaign_id = "fire"

[[rule]]
name = "never-reached-by-fire"
when.header_sender = "alarm@example.com"
sender = "Later"
"#;

fn last_reply(relay: &crate::support::Relay, mail: &str) -> String {
    let to: (&str, &[&str]) = ("oncall@sms.local", &[]);
    Mail::new("alarm@example.com", &to, mail).replies(relay.smtp).pop().unwrap()
}

#[test]
fn the_first_that_matches_sends_drops_or_refuses() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.rules = RULES.to_owned();
    let relay = world.start();
    let dropped = last_reply(&relay, "From: alarm@example.com\nSubject: Out of Office\n\nuntil fire\n");
    let refused = last_reply(&relay, "From: alarm@example.com\nSubject: fire\n\nViagra\n");
    assert_eq!(refused, "550 5.7.1 adverts are not for phones");
    last_reply(&relay, "From: alarm@example.com\nSubject: Fire in rack 7\n\nAt 12:00.\n");
    last_reply(&relay, "From: alarm@example.com\nSubject: Fireworks\n\nAt 12:00.\n");
    world.wait_for_platform("two", |record| record.total() == 2);
    let accepted = world.emulator.accepted();
    let seen: Vec<_> = accepted.iter().map(|sms| (sms.sender.as_str(), sms.text.as_str())).collect();
    assert_eq!(seen, [("FireAlarm", "FIRE IN RACK 7: At 12:00."), ("Later", "At 12:00.")]);
    assert_eq!(accepted[0].campaign_id.as_deref(), Some("fire"));
    assert!(relay.terminate().success());
    // What was dropped is accounted for.
    let view = world.submission(&crate::support::Smtp::queued(&dropped));
    assert_eq!(view.messages[0].state, State::Final(FinalState::Cancelled));
    let notes: Vec<&str> = view.messages[0].events.iter().map(|event| event.note.as_str()).collect();
    assert_eq!(notes, ["dropped by rule holidays: an automatic reply is no alarm"]);
    assert_eq!(world.mailbox.mails().len(), 0);
}

#[test]
fn what_no_rule_takes_is_refused_where_the_operator_wants_it_so() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    world.rules = RULES.to_owned();
    world
        .otherwise
        .push(("country_code = \"39\"\n", "country_code = \"39\"\nno_match = \"refuse\"\n".to_owned()));
    let relay = world.start();
    let refused = last_reply(&relay, "From: ups@example.com\nSubject: x\n\nx\n");
    assert_eq!(refused, "550 5.7.1 no rule takes this message");
    assert!(last_reply(&relay, "From: ups@example.com\nSubject: fire\n\nx\n").starts_with("250 2.0.0 "));
    world.wait_for_platform("one", |record| record.total() == 1);
    assert!(relay.terminate().success());
}
