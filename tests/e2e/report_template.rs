//! A report in words of the operator's, and one without the words of the SMS.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Arrived, Letter, Mail, World, bounce_parser, bounced, settled, tool};

const MAIL: &str = "From: ups@example.com\nSubject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\n\nOn battery since 12:00.\n";

/// The report of a mail to a phone that the platform refuses, with more keys of `[reporting]`.
fn report(keys: &str) -> (Arrived, String) {
    let mut world = World::new();
    world.otherwise.push(("window = \"30s\"\n", format!("window = \"30s\"\n{keys}\n")));
    world.order(FaultRule::on_send(Fault::Refuse { reasons: vec!["no".to_owned()] }));
    let relay = world.start();
    let to: (&str, &[&str]) = ("oncall@sms.local", &[]);
    let id = Mail { options: &["RET=FULL"], ..Mail::new("ups@example.com", &to, MAIL) }.send(relay.smtp);
    let arrived = world.mailbox.wait_for(1).swap_remove(0);
    assert!(relay.terminate().success());
    (arrived, id)
}

#[test]
fn the_operators_words_are_what_the_sender_reads() {
    if !(tool("python3") && bounce_parser()) {
        return;
    }
    let template = r#"template = """
{{ subject }} from {{ client }}, {{ id }}
{% for one in recipients %}
{{ one.address }} {{ one.phone }} {{ one.action }} {{ one.status }} {{ one.ids }}
{{ one.reason }}: {{ one.text }} [{{ one.until }}]
{% endfor %}
Ask {{ operator }} at {{ hostname }}.
""""#;
    let (arrived, id) = report(template);
    let letter = Letter::read(&arrived);
    assert_eq!(letter.defects, [""; 0]);
    let expected = "\
Größe from 127.0.0.1, ID
oncall@sms.local +39347•••4567 failed 5.3.0 ID-1
the SMS platform did not accept the message: no: On battery since 12:00. []
Ask operator@example.com at relay.test.
";
    assert_eq!(settled(letter.human(), &id), expected);
    assert_eq!(letter.header("Subject"), "SMS not delivered: Größe");
    assert_eq!(bounced(&arrived), (String::new(), "oncall@sms.local".to_owned()));
}

#[test]
fn a_template_that_fails_costs_its_words_and_no_report() {
    if !tool("python3") {
        return;
    }
    let (arrived, _) = report("template = \"{% if recipients|length > 5 %}x{% endif %}\"");
    let letter = Letter::read(&arrived);
    assert!(letter.human().starts_with("You sent a mail that was to become an SMS."), "{}", letter.human());
}

#[test]
fn the_words_of_the_sms_stay_at_home_where_they_are_to() {
    if !tool("python3") {
        return;
    }
    let (arrived, _) = report("include_text = false");
    let letter = Letter::read(&arrived);
    let kinds: Vec<&str> = letter.parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status", "text/rfc822-headers"]);
    assert!(!arrived.text.contains("battery"), "{}", arrived.text);
    let (arrived, _) = report("include_text = true");
    assert_eq!(arrived.text.matches("On battery").count(), 2, "in the words and in the mail");
}
