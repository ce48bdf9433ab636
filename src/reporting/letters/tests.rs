use super::super::limit::Ledger;
use super::super::plan::{Telling, plan};
use super::super::tests::{at, case, cases, sender, settings};
use super::*;
use crate::model::{MailAddress, ReportTo};
use crate::spool::Case;

/// The one report that the cases come to.
fn one_report(cases: &[Case]) -> (Judged<'_>, Addressee<'_>) {
    let mut plan = plan(cases, &Ledger::new(20));
    match (plan.tellings.pop(), plan.tellings.is_empty()) {
        (Some(Telling::Report(judged, to)), true) => (judged, to),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_report_has_the_null_sender_and_the_kind_that_its_addressee_makes() {
    let operator = MailAddress::parse("ops@example.com").unwrap();
    for (report_to, kind, recipient) in [
        (sender("nas"), MailKind::Report, "nas@example.com"),
        (ReportTo::Operator(operator), MailKind::OperatorReport, "ops@example.com"),
    ] {
        let case = case(0, report_to);
        let id = MailId::new(at(60));
        let cases = [case];
        let (judged, to) = one_report(&cases);
        let (case, mail) = (&cases[0], report(&judged, to, &settings(), &Platforms::new(), id, at(60)));
        assert_eq!((mail.id, mail.about, mail.kind), (id, Some(case.submission), kind));
        assert_eq!(
            (mail.reverse_path, mail.recipient.to_string()),
            (ReversePath::Null, recipient.to_owned())
        );
        assert_eq!(mail.expires_at, at(86_460));
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(text.contains("\r\nFinal-Recipient: rfc822; p393471234561@sms.local\r\n"), "{text}");
        assert!(text.contains("\r\n> Disk full\r\n"), "{text}");
    }
}

#[test]
fn a_summary_names_every_case() {
    let all = cases(3, "a");
    let plan = plan(&all, &Ledger::new(1));
    let [Telling::Summary(judged, to)] = &plan.tellings[..] else { panic!("{plan:?}") };
    let mail = summary(judged, *to, 20, &settings(), MailId::new(at(0)), at(0)).unwrap();
    assert_eq!((mail.kind, mail.reverse_path), (MailKind::Report, ReversePath::Null));
    assert_eq!(mail.about, Some(all[0].submission));
    let text = String::from_utf8(mail.bytes).unwrap();
    assert!(text.contains("\r\nSubject: SMS not delivered: 3 messages\r\n"), "{text}");
    for case in &all {
        assert!(text.contains(&format!("\r\nId:       {}\r\n", case.submission)), "{text}");
    }
    assert_eq!(summary(&[], *to, 20, &settings(), MailId::new(at(0)), at(0)), None);
}

#[test]
fn the_platform_of_a_report_is_that_of_the_gateway() {
    let mut all = cases(1, "a");
    let platforms = Platforms::from([("main".to_owned(), "api.example.net".to_owned())]);
    for (gateway, line) in [(Some("main"), true), (Some("other"), false), (None, false)] {
        all[0].outcomes[0].gateway = gateway.map(str::to_owned);
        all[0].outcomes[0].cause.diagnostic = Some("http 422".to_owned());
        let (judged, to) = one_report(&all);
        let mail = report(&judged, to, &settings(), &platforms, MailId::new(at(0)), at(0));
        let text = String::from_utf8(mail.bytes).unwrap();
        assert_eq!(text.contains("\r\nRemote-MTA: dns; api.example.net\r\n"), line, "{gateway:?}");
    }
}
