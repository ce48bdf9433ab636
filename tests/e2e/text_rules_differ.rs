//! One mail for two phones by two rules: each phone gets the words that its rule makes.

use sms_relay::model::Encoding;

use crate::support::{Smtp, Talk, World};

const MAIL: &str = "\
From: Facility <facility@example.com>
Subject: Re: Room 3
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Room 3 – it’s at 41 °C again.

On Mon, 3 Mar 2025 at 10:11, Jo <jo@example.com> wrote:
> Is the “chiller” on?
> Check it…
";

#[test]
fn one_gets_the_quote_in_unicode_and_one_the_answer_in_one_part() {
    let mut world = World::new();
    world.rules = r#"
[[rule]]
name = "whole"
when.recipient = "^oncall$"
transliteration = "off"
distill.quotes = false

[[rule]]
name = "short"
when.recipient = "^two$"
transliteration = "always"
max_parts = 1
"#
    .to_owned();
    let relay = world.start();
    let to = ["oncall@sms.local", "two@sms.local"];
    let id = Smtp::queued(&Talk::greeted(relay.smtp).mail("facility@example.com", &to, MAIL.as_bytes()));
    world.wait_for_platform("three", |record| record.total() == 3);
    let mut sent: Vec<_> = world
        .emulator
        .accepted()
        .into_iter()
        .map(|sms| (sms.message_id, sms.destination, sms.body, sms.encoding.as_str(), sms.parts))
        .collect();
    sent.sort();
    let whole = "Room 3 – it’s at 41 °C again.\n\
        On Mon, 3 Mar 2025 at 10:11, Jo <jo@example.com> wrote:\n> Is the “chiller” on?\n> Check it…";
    let short = "Room 3 - it's at 41 C again.";
    let (ucs2, gsm7) = (Encoding::Ucs2.as_str(), Encoding::Gsm7.as_str());
    let expected = [
        ("1", "+393471234567", whole, ucs2, 2),
        ("2", "+393470000001", short, gsm7, 1),
        ("3", "+393470000002", short, gsm7, 1),
    ]
    .map(|(ordinal, phone, text, encoding, parts)| {
        (format!("{id}-{ordinal}"), phone.to_owned(), text.to_owned(), encoding, parts)
    });
    assert_eq!(sent, expected);
    assert!(relay.terminate().success());
}
