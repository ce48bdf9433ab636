use super::*;
use crate::model::{
    Cause, Client, Door, Encoding, EnhancedStatus, Notify, Original, PhoneNumber, Recipient, SenderId, Sms,
    SmsOptions, SmsText,
};
use crate::retry::Backoff;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn settings() -> Settings {
    Settings {
        hostname: "relay.example.com".to_owned(),
        from: MailAddress::parse("postmaster@relay.example.com").unwrap(),
        operator: None,
        platform: None,
        window: Duration::from_secs(30),
        reports_per_hour: 20,
        backoff: Backoff { first: Duration::from_secs(60), most: Duration::from_secs(900) },
        lifetime: Duration::from_secs(86_400),
    }
}

fn outcome(submission: SubmissionId, ordinal: u32, notify: &str, state: FinalState, class: u8) -> Outcome {
    Outcome {
        sms: Sms {
            id: submission.message(ordinal),
            destination: PhoneNumber::from_e164("+393471234567").unwrap(),
            sender: SenderId::new("Alarm").unwrap(),
            text: SmsText { body: "Disk full".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions::default(),
        },
        recipient: Recipient {
            address: format!("p39347123456{ordinal}@sms.local"),
            notify: Notify::from_parameter(notify).unwrap(),
            orcpt: None,
        },
        state,
        cause: Cause::new(EnhancedStatus::new(class, 0, 0), "The platform said so."),
        ended_at: at(0),
        last_attempt_at: None,
    }
}

fn case(number: i64, report_to: ReportTo) -> Case {
    let submission = SubmissionId::new(at(number));
    Case {
        submission,
        received_at: at(number),
        client: Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "192.0.2.7".parse().unwrap(),
            helo: None,
            account: None,
        },
        report_to,
        original: Original { subject: Some(format!("Alarm {number}")), ..Original::default() },
        outcomes: vec![outcome(submission, 1, "", FinalState::Failed, 5)],
    }
}

fn sender(name: &str) -> ReportTo {
    ReportTo::Sender(MailAddress::parse(&format!("{name}@example.com")).unwrap())
}

fn cases(count: i64, name: &str) -> Vec<Case> {
    (0..count).map(|number| case(number, sender(name))).collect()
}

/// A plan as words: `report 3 to a@x`, `summary of 2 to a@x`, `nobody 4`; then what is held.
fn words(cases: &[Case], ledger: &Ledger) -> (Vec<String>, usize, Option<Timestamp>) {
    let plan = plan(cases, ledger);
    let number = |case: &Case| case.received_at.as_second() - 1_700_000_000;
    let told = plan.tellings.iter().map(|telling| match telling {
        Telling::Nobody(case) => format!("nobody {}", number(case)),
        Telling::Report(case, to) => format!("report {} to {}", number(case), to.address),
        Telling::Summary(cases, to) => format!("summary of {} to {}", cases.len(), to.address),
    });
    (told.collect(), plan.held, plan.room_at)
}

fn used(address: &str, limit: usize, times: usize) -> Ledger {
    let mut ledger = Ledger::new(limit);
    for second in 0..times {
        ledger.note(&MailAddress::parse(address).unwrap(), at(second as i64));
    }
    ledger
}

#[test]
fn as_many_cases_as_the_hour_has_room_for_get_reports_of_their_own() {
    let ledger = used("a@example.com", 3, 0);
    let (told, held, room_at) = words(&cases(3, "a"), &ledger);
    assert_eq!(told, ["report 0 to a@example.com", "report 1 to a@example.com", "report 2 to a@example.com"]);
    assert_eq!((held, room_at), (0, None));
}

#[test]
fn one_more_makes_the_last_mail_of_the_hour_a_summary() {
    let ledger = used("a@example.com", 3, 0);
    let (told, held, _) = words(&cases(4, "a"), &ledger);
    assert_eq!(
        told,
        ["report 0 to a@example.com", "report 1 to a@example.com", "summary of 2 to a@example.com"]
    );
    assert_eq!(held, 0);
}

#[test]
fn an_address_without_room_waits_and_others_do_not() {
    let ledger = used("a@example.com", 3, 3);
    let mut all = cases(2, "a");
    all.push(case(2, sender("b")));
    let (told, held, room_at) = words(&all, &ledger);
    assert_eq!(told, ["report 2 to b@example.com"]);
    assert_eq!((held, room_at), (2, Some(at(3600))));
}

#[test]
fn when_too_many_wait_the_largest_group_gets_its_summary_at_once() {
    let mut ledger = used("a@example.com", 1, 1);
    ledger.note(&MailAddress::parse("b@example.com").unwrap(), at(5));
    let mut all = cases(MOST_HELD as i64 - 10, "a");
    all.extend(cases(10, "b"));
    assert_eq!(words(&all, &ledger), (vec![], MOST_HELD, Some(at(3600))));
    all.push(case(999, sender("b")));
    let (told, held, room_at) = words(&all, &ledger);
    assert_eq!(told, [format!("summary of {} to a@example.com", MOST_HELD - 10)]);
    assert_eq!((held, room_at), (11, Some(at(3605))));
}

#[test]
fn notify_is_obeyed_for_each_recipient() {
    let mut silent = case(0, sender("a"));
    silent.outcomes[0].recipient.notify = Notify::Never;
    let mut success_only = case(1, sender("a"));
    success_only.outcomes[0].recipient.notify = Notify::from_parameter("SUCCESS,DELAY").unwrap();
    let mut mixed = case(2, sender("a"));
    let id = mixed.submission;
    mixed.outcomes = vec![
        outcome(id, 1, "NEVER", FinalState::Failed, 5),
        outcome(id, 2, "FAILURE", FinalState::Expired, 5),
        outcome(id, 3, "FAILURE", FinalState::Delivered, 2),
        outcome(id, 4, "SUCCESS", FinalState::Delivered, 2),
        outcome(id, 5, "SUCCESS", FinalState::Expired, 2),
        outcome(id, 6, "", FinalState::Delivered, 2),
        outcome(id, 7, "", FinalState::Undelivered, 4),
    ];
    let told: Vec<_> = reported(&mixed).iter().map(|one| (one.id.ordinal, one.action)).collect();
    assert_eq!(
        told,
        [(2, Action::Failed), (4, Action::Delivered), (5, Action::Relayed), (7, Action::Failed)]
    );
    let nobody = case(3, ReportTo::Nobody("null sender".to_owned()));
    let (told, ..) = words(&[silent, success_only, mixed, nobody], &used("a@example.com", 3, 0));
    assert_eq!(told, ["nobody 0", "nobody 1", "nobody 3", "report 2 to a@example.com"]);
}

#[test]
fn every_outcome_of_a_case_is_closed_with_it_wanted_or_not() {
    let mut one = case(0, sender("a"));
    one.outcomes.push(outcome(one.submission, 2, "NEVER", FinalState::Failed, 5));
    let closed: Vec<u32> = messages(&[&one]).iter().map(|id| id.ordinal).collect();
    assert_eq!(closed, [1, 2]);
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
        let mail = report(&case, addressee(&case).unwrap(), &settings(), id, at(60));
        assert_eq!((mail.id, mail.about, mail.kind), (id, case.submission, kind));
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
    let to = addressee(&all[0]).unwrap();
    let borrowed: Vec<&Case> = all.iter().collect();
    let mail = summary(&borrowed, all[0].submission, to, 20, &settings(), MailId::new(at(0)), at(0));
    assert_eq!((mail.kind, mail.reverse_path), (MailKind::Report, ReversePath::Null));
    let text = String::from_utf8(mail.bytes).unwrap();
    assert!(text.contains("\r\nSubject: SMS not delivered: 3 messages\r\n"), "{text}");
    for case in &all {
        assert!(text.contains(&format!("\r\nId:       {}\r\n", case.submission)), "{text}");
    }
}

#[test]
fn the_next_look_is_when_something_may_be_due_and_never_at_once() {
    let plan = |held, room_at| Plan { tellings: Vec::new(), held, room_at };
    let window = Duration::from_secs(30);
    let seconds = |wait: Duration| wait.as_secs_f64();
    assert_eq!(seconds(wait_until(None, &plan(0, None), window, at(0))), 60.0);
    assert_eq!(seconds(wait_until(Some(at(7)), &plan(0, None), window, at(0))), 7.0);
    assert_eq!(seconds(wait_until(Some(at(-7)), &plan(0, None), window, at(0))), 0.25);
    assert_eq!(seconds(wait_until(Some(at(700)), &plan(0, None), window, at(0))), 60.0);
    // A held case is first in the spool for up to an hour.
    assert_eq!(seconds(wait_until(Some(at(-7)), &plan(1, Some(at(9))), window, at(0))), 9.0);
    assert_eq!(seconds(wait_until(Some(at(-7)), &plan(1, Some(at(900))), window, at(0))), 30.0);
    assert_eq!(seconds(wait_until(Some(at(-7)), &plan(1, Some(at(900))), Duration::ZERO, at(0))), 0.25);
}
