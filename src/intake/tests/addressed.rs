//! Mail that names its destinations and its words in its text, as UPS cards write it.

use std::num::NonZeroU32;

use super::*;
use crate::spool::SqliteSpool;
use crate::text::Split;

fn card(to: &str, words: &str) -> String {
    format!("Subject: Event\r\n\r\nto: {to}\r\ntext: {words}\r\n")
}

fn refused(result: Result<Submission, Refusal>) -> (u16, String, String) {
    let refusal = result.unwrap_err();
    let (code, status) = refusal.kind.smtp();
    (code, status.to_string(), refusal.text)
}

#[test]
fn destinations_and_words_are_those_of_its_lines() {
    let submission = submit(&["ups@sms.local"], &card("boss, +39 328 000 0009", "On battery")).unwrap();
    assert_eq!(
        fates(&submission),
        [triple("+393280000001", "On battery", "due"), triple("+393280000009", "On battery", "due")]
    );
    assert!(submission.messages.iter().all(|message| message.recipient.address == "ups@sms.local"));
}

#[test]
fn rules_see_the_words_and_not_the_lines_around_them() {
    let when =
        |text: &str| Conditions { text: Some(Pattern::new(text).unwrap().into()), ..Conditions::default() };
    let drop = |reason: &str| Action::Drop { reason: reason.to_owned() };
    let rules = vec![
        Rule { name: "lines".to_owned(), when: when("to:|text:"), action: drop("saw the lines") },
        Rule { name: "words".to_owned(), when: when("^battery low"), action: drop("saw the words") },
    ];
    let routing = Parts { rules, ..parts() }.build().unwrap();
    let envelope = envelope("ups@example.com", &["ups@sms.local"]);
    let mail = card("boss", "Battery low");
    let settings = settings(Reports::Sender);
    let submission =
        mail::prepare(&routing, &settings, &client(), &envelope, mail.as_bytes(), now(), None).unwrap();
    assert_eq!(submission.messages[0].rule, "words");
}

#[test]
fn a_rule_looks_through_the_words_of_each_recipient() {
    let when = Conditions { text: Some(Pattern::new("to:").unwrap().into()), ..Conditions::default() };
    let lines = Rule { name: "lines".to_owned(), when, action: Action::Drop { reason: "lines".to_owned() } };
    let routing = Parts { rules: vec![lines], ..parts() }.build().unwrap();
    let rules = |to: &[&str]| -> Vec<String> {
        let (envelope, mail) = (envelope("ups@example.com", to), card("+393280000009", "Battery low"));
        let settings = settings(Reports::Sender);
        let submission =
            mail::prepare(&routing, &settings, &client(), &envelope, mail.as_bytes(), now(), None).unwrap();
        submission.messages.into_iter().map(|message| message.rule).collect()
    };
    assert_eq!(rules(&["ups@sms.local", "boss@sms.local", "ups@sms.local"]), ["default", "lines", "default"]);
    assert_eq!(rules(&["boss@sms.local", "ups@sms.local"]), ["lines", "default"]);
}

#[test]
fn one_bad_destination_refuses_the_whole_mail_at_its_end() {
    let end = |to: &str| refused(submit(&["ups@sms.local"], &card(to, "On battery")));
    let unknown = "`nobody` is not a phone number, and there is no alias of that name".to_owned();
    assert_eq!(end("boss, nobody"), (550, "5.1.1".to_owned(), unknown));
    let abroad = "destination `+447911123456` is not allowed here; the operator has to allow its prefix";
    assert_eq!(end("+447911123456, boss"), (550, "5.7.1".to_owned(), abroad.to_owned()));
    let none = "the mail names no destination; it needs a line like `to: +393471234567` in its text";
    let mail = "Subject: Event\r\n\r\nOn battery\r\n";
    assert_eq!(refused(submit(&["ups@sms.local"], mail)), (550, "5.1.1".to_owned(), none.to_owned()));
    // The same when another recipient is fine.
    assert_eq!(refused(submit(&["boss@sms.local", "ups@sms.local"], mail)).2, none);
}

/// For others this is told at RCPT.
#[test]
fn what_a_rule_refuses_whatever_the_words_are_refuses_the_whole_mail_at_its_end() {
    let rules = parts().rules.into_iter().filter(|rule| rule.name == "vip").collect();
    let routing = Parts { rules, ..parts() }.build().unwrap();
    let settings = settings(Reports::Sender);
    let envelope = envelope("ups@example.com", &["ups@sms.local"]);
    let mail = card("boss, +393470000001", "On battery");
    let end = mail::prepare(&routing, &settings, &client(), &envelope, mail.as_bytes(), now(), None);
    assert_eq!(refused(end), (550, "5.7.1".to_owned(), "the director sleeps".to_owned()));
}

#[test]
fn a_thousand_destinations_are_taken_and_one_more_is_not() {
    let to = |n: usize| (0..n).map(|i| format!("+393280{i:06}")).collect::<Vec<_>>().join(",");
    let of = |n: usize| submit(&["ups@sms.local"], &card(&to(n), "On battery"));
    assert_eq!(of(1000).unwrap().messages.len(), 1000);
    let many = "the mail names 1001 destinations in its text; 1000 are the most".to_owned();
    assert_eq!(refused(of(1001)), (554, "5.5.3".to_owned(), many));
    // Both kinds of recipients count together.
    let both = submit(&["ups@sms.local", "boss@sms.local"], &card(&to(1000), "On battery"));
    assert_eq!(both.unwrap_err().kind, RefusalKind::TooMany);
}

#[test]
fn each_sms_of_a_split_text_counts() {
    let mut wording = Wording::in_parts(4);
    wording.fitting.split = Split::Messages;
    let words = "word ".repeat(50);
    let each = crate::text::fit(&words, &wording.fitting).len();
    let defaults = Defaults { wording: Arc::new(wording), ..parts().defaults };
    let routing = Parts { defaults, ..parts() }.build().unwrap();
    let of = |n: usize| {
        let to: Vec<String> = (0..n).map(|i| format!("+393280{i:06}")).collect();
        let form = Form { to, text: words.clone(), ..Form::default() };
        submitted(&routing, &form)
    };
    let most = MAX_MESSAGES / each;
    assert_eq!(of(most).unwrap().messages.len(), most * each);
    assert_eq!(of(most + 1).unwrap_err().kind, RefusalKind::TooMany);
}

#[test]
fn the_other_recipients_get_the_whole_text() {
    let both = |to: &[&str]| fates(&submit(to, &card("+393280000009", "On battery")).unwrap());
    let named = triple("+393280000009", "On battery", "due");
    let (_, whole, _) = both(&["boss@sms.local"]).remove(0);
    assert!(whole.contains("On battery") && whole.contains("to: "), "{whole}");
    let of_boss = triple("+393280000001", &whole, "due");
    assert_eq!(both(&["ups@sms.local", "boss@sms.local"]), [named.clone(), of_boss.clone()]);
    assert_eq!(both(&["boss@sms.local", "ups@sms.local"]), [of_boss, named]);
}

#[tokio::test]
async fn it_is_accepted_at_rcpt_in_any_case_and_its_account_bounds_it_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        crate::spool::sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
    let allowance = Allowance {
        destinations: Some(vec![Prefix::new("+393280000001").unwrap()]),
        parts_per_day: NonZeroU32::new(1),
        ..Allowance::default()
    };
    let intake = intake_with(Arc::new(SqliteSpool::open(settings).unwrap()), limited("ups", allowance));
    let client = Client { account: Some("ups".to_owned()), ..client() };
    let rcpt = async |to: &str| {
        intake.check_recipient(&client, &ReversePath::Null, &MailAddress::parse(to).unwrap()).await
    };
    rcpt("ups@sms.local").await.unwrap();
    rcpt("UPS@SMS.local").await.unwrap();
    assert_eq!(rcpt("ups@example.com").await.unwrap_err().kind, RefusalKind::DomainNotOurs);
    let end = async |to: &str| {
        let mail = card(to, "On battery").into_bytes();
        intake.submit_mail(&client, envelope("ups@example.com", &["Ups@sms.local"]), mail).await
    };
    let refusal = end("+393280000002").await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NotAllowed);
    assert!(refusal.text.starts_with("account `ups` may not send to `+393280000002`; "), "{refusal}");
    end("boss").await.unwrap();
    // The day's one part is used, and that is known at RCPT.
    assert!(matches!(rcpt("ups@sms.local").await.unwrap_err().kind, RefusalKind::QuotaSpent { .. }));
}
