//! A mail to one of `text_recipients` names its phones and its words in its text, as UPS management cards
//! write it; one that names none is refused at once, with what to do.

use crate::support::{Smtp, Talk, World};

fn world() -> World {
    let mut world = World::new();
    let key = "country_code = \"39\"";
    world.otherwise.push((key, format!("{key}\ntext_recipients = [\"ups\"]")));
    world
}

#[test]
fn the_phones_that_a_card_names_get_its_words() {
    let world = world();
    let relay = world.start();
    let card = "From: rack7@example.com\nSubject: UPS notification\n\n\
        user: rack7\npassword: Zx81-basic\nto: +39 347 000 0001; oncall\n\
        text: Utility power failure\nRuntime 12 min\n";
    let reply = Talk::greeted(relay.smtp).mail("rack7@example.com", &["ups@sms.local"], card.as_bytes());
    let id = Smtp::queued(&reply);
    world.wait_for_platform("two", |record| record.total() == 2);
    let mut sent: Vec<_> = world
        .emulator
        .accepted()
        .into_iter()
        .map(|sms| (sms.message_id, sms.destination, sms.text, sms.parts))
        .collect();
    sent.sort();
    let expected = [("1", "+393470000001"), ("2", "+393471234567")].map(|(ordinal, phone)| {
        (format!("{id}-{ordinal}"), phone.to_owned(), "Utility power failure\nRuntime 12 min".to_owned(), 1)
    });
    assert_eq!(sent, expected);
    let log = relay.log();
    assert!(relay.terminate().success());
    assert!(!log.iter().any(|line| line.to_string().contains("Zx81")), "{log:#?}");
}

#[test]
fn a_mail_without_a_usable_destination_is_refused_at_the_final_dot() {
    let world = world();
    let relay = world.start();
    let mut client = Talk::greeted(relay.smtp);
    for (text, reply) in [
        (
            "Utility power failure",
            "550 5.1.1 the mail names no destination; it needs a line like `to: +393471234567` in its text",
        ),
        (
            "to: boss\ntext: Utility power failure",
            "550 5.1.1 `boss` is not a phone number, and there is no alias of that name",
        ),
        (
            "to: oncall, +447700900123\ntext: Utility power failure",
            "550 5.7.1 destination `+447700900123` is not allowed here; the operator has to allow its prefix",
        ),
        ("to: oncall\ntext:", "554 5.6.0 there is nothing to send: subject and text are empty"),
    ] {
        let mail = format!("From: rack7@example.com\n\n{text}\n");
        assert_eq!(client.mail("rack7@example.com", &["ups@sms.local"], mail.as_bytes()), reply, "{text}");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().send, 0);
}
