//! Rules that go on, send elsewhere, and bound what their sender is told.

use super::*;
use crate::routing::Report;
use crate::spool::SqliteSpool;
use crate::wording::Template;

const MAIL: &str = "Subject: Fire\r\n\r\nhall 3\r\n";

fn going_on(change: impl FnOnce(&mut SendAction)) -> Action {
    let mut send = SendAction { continues: true, ..SendAction::default() };
    change(&mut send);
    Action::Send(send)
}

fn to(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn with(rules: Vec<Rule>) -> Routing {
    Parts { rules, ..parts() }.build().unwrap()
}

fn accepted(routing: &Routing, mail: &str) -> Submission {
    let (envelope, settings) = (envelope("ups@example.com", &["boss@sms.local"]), settings(Reports::Sender));
    mail::prepare(routing, &settings, &client(), &envelope, mail.as_bytes(), now(), None).unwrap()
}

#[test]
fn every_rule_that_goes_on_makes_its_own_rows() {
    let mut wording = Wording::in_parts(1);
    wording.template = Template::Subject;
    let short = going_on(|send| (send.to, send.wording) = (to(&["+393280000009"]), Some(Arc::new(wording))));
    let routing = with(vec![
        rule("elsewhere", "fire", short),
        rule(
            "besides",
            "fire",
            Action::Send(SendAction { also_to: to(&["ops"]).unwrap(), ..SendAction::default() }),
        ),
    ]);
    let all = accepted(&routing, MAIL);
    let told: Vec<(&str, &str, String)> = all
        .messages
        .iter()
        .map(|one| (one.rule.as_str(), one.sms.destination.as_str(), one.sms.text.body.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("elsewhere", "+393280000009", "Fire".to_owned()),
            ("besides", "+393280000001", "hall 3".to_owned()),
            ("besides", "+393280000002", "hall 3".to_owned()),
        ]
    );
    assert!(all.messages.iter().all(|one| one.recipient.address == "boss@sms.local"));
    let ids: Vec<String> = all.messages.iter().map(|one| one.sms.id.to_string()).collect();
    assert_eq!(ids, [1, 2, 3].map(|n| format!("{}-{n}", all.id)));
}

#[test]
fn two_rules_that_say_the_same_to_one_phone_send_it_once() {
    let routing = with(vec![rule("one", "fire", going_on(|_| {})), rule("two", "fire", going_on(|_| {}))]);
    let all = accepted(&routing, MAIL);
    let fates: Vec<&Fate> = all.messages.iter().map(|one| &one.fate).collect();
    assert_eq!(fates, [&Fate::Due, &Fate::SameAs(all.messages[0].sms.id)]);
}

#[test]
fn what_was_sent_before_a_drop_or_a_refusal_is_sent() {
    for (end, is_dropped) in [
        (Action::Drop { reason: "no".to_owned() }, true),
        (Action::Refuse { reason: "no".to_owned() }, false),
    ] {
        let all = accepted(&with(vec![rule("on", "fire", going_on(|_| {})), rule("end", "fire", end)]), MAIL);
        assert_eq!(all.messages.len(), 2);
        assert_eq!(all.messages[0].fate, Fate::Due);
        assert_eq!(matches!(all.messages[1].fate, Fate::Dropped(_)), is_dropped);
        assert_eq!(matches!(all.messages[1].fate, Fate::Refused(_)), !is_dropped);
    }
}

#[test]
fn a_rule_bounds_what_its_sender_is_told() {
    let notify = |report: Report| {
        let action = Action::Send(SendAction { report, ..SendAction::default() });
        accepted(&with(vec![rule("it", "fire", action)]), MAIL).messages.remove(0).recipient.notify
    };
    assert_eq!(notify(Report::All), Notify::Unspecified);
    assert_eq!(notify(Report::Failures), Notify::On { success: false, failure: true, delay: false });
    assert_eq!(notify(Report::Off), Notify::Never);
}

#[test]
fn a_thousand_sms_are_the_most_also_where_rules_make_them() {
    let phones: Vec<String> = (0..MAX_MESSAGES).map(|n| format!("+39328{n:07}")).collect();
    let elsewhere = |count: usize| going_on(|send| send.to = Some(phones[..count].to_vec()));
    let sent = |count: usize| {
        let rules = vec![
            rule("one", "fire", elsewhere(count)),
            rule("two", "fire", Action::Send(SendAction::default())),
        ];
        let (envelope, settings) =
            (envelope("ups@example.com", &["boss@sms.local"]), settings(Reports::Sender));
        mail::prepare(&with(rules), &settings, &client(), &envelope, MAIL.as_bytes(), now(), None)
    };
    assert_eq!(sent(MAX_MESSAGES - 1).unwrap().messages.len(), MAX_MESSAGES);
    assert_eq!(sent(MAX_MESSAGES).unwrap_err().kind, RefusalKind::TooMany);
}

#[tokio::test]
async fn what_a_rule_drops_is_counted_by_the_rule_once_it_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        crate::spool::sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    let intake = intake_with(Arc::new(SqliteSpool::open(settings).unwrap()), routing());
    let mut registry = prometheus_client::registry::Registry::default();
    intake.figures().register(&mut registry);
    let mail = b"Subject: newsletter\r\n\r\nx\r\n".to_vec();
    intake.submit_mail(&client(), envelope("a@example.com", &["ops@sms.local"]), mail).await.unwrap();
    let mut told = String::new();
    prometheus_client::encoding::text::encode(&mut told, &registry).unwrap();
    assert!(told.contains("sms_relay_dropped_total{rule=\"spam\"} 2\n"), "{told}");
}
