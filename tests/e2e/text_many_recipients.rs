//! The largest ordinary work for the words: as many recipients as a mail may have, a text as long as is looked
//! at, of all that makes it slow. It is done, and a mail meanwhile is answered.

use crate::support::{Smtp, Talk, World};

const RECIPIENTS: usize = 100;

/// 120 KiB of quotes, links and characters outside GSM, with something to say at both ends.
fn mail() -> String {
    let piece = "On Mon, 3 Mar 2025 at 10:11, Jo <jo@example.com> wrote:\n> it’s “hot” – 41 °C 🔥\n\
        see https://www.google.com/url?q=https%3A%2F%2Fexample.com%2F&utm_source=mail – “жара” 🔥\n";
    let middle = piece.repeat(120 * 1024 / piece.len());
    format!(
        "From: m@example.com\nSubject: Alarm\nContent-Type: text/plain; charset=utf-8\n\n\
        Alarm in hall 3\n{middle}\nhall 3 is closed\n-- \nJo\n"
    )
}

#[test]
fn a_hundred_recipients_of_a_long_text_are_served_and_so_is_a_mail_meanwhile() {
    let mut world = World::new();
    let aliases: String = (0..RECIPIENTS).map(|n| format!("phone{n} = \"+39347{n:07}\"\n")).collect();
    world.otherwise.push(("[aliases]\n", format!("[aliases]\n{aliases}")));
    world.rules = r#"
[[rule]]
name = "end"
when.recipient = "^phone[0-9]*[02468]$"
keep = "end"
split = "messages"
max_parts = 2
transliteration = "always"

[[rule]]
name = "template"
when.recipient = "^phone"
text = "{{ subject }}: {{ text|first_line|shorten(60) }} ... {{ text|match('hall \\d+ is \\w+') }}"
"#
    .to_owned();
    let relay = world.start();
    let to: Vec<String> = (0..RECIPIENTS).map(|n| format!("phone{n}@sms.local")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let mut large = Talk::greeted(relay.smtp);
    let mut small = Talk::greeted(relay.smtp);
    large.hand_in("m@example.com", &to, mail().as_bytes());
    Smtp::queued(&small.mail("m@example.com", &["oncall@sms.local"], b"Subject: small\n\nsmall\n"));
    Smtp::queued(&large.hear());

    let half = RECIPIENTS / 2;
    let all = u64::try_from(1 + half + 2 * half).unwrap();
    world.wait_for_platform("all", |record| record.total() == all);
    let accepted = world.emulator.accepted();
    let texts = |phone: &str| -> Vec<&str> {
        accepted.iter().filter(|sms| sms.destination == phone).map(|sms| sms.text.as_str()).collect()
    };
    assert_eq!(texts("+393471234567"), ["small"]);
    for n in 0..RECIPIENTS {
        let phone = format!("+39347{n:07}");
        match (n % 2, texts(&phone).as_slice()) {
            (0, [first, last]) => {
                assert!(
                    first.starts_with("1/2 ...") && first.contains("https://example.com/ - \"zhara\" (fire)"),
                    "{first}"
                );
                assert!(last.starts_with("2/2 ") && last.ends_with("hall 3 is closed"), "{last}");
            }
            (1, [only]) => assert_eq!(*only, "Alarm: Alarm in hall 3 ... hall 3 is closed"),
            (_, texts) => panic!("{phone}: {texts:#?}"),
        }
    }
    assert!(relay.terminate().success());
}
