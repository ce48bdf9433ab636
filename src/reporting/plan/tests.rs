use super::super::tests::{at, case, cases, sender};
use super::*;
use crate::model::Notify;

/// A plan as words: `report 3 to a@x`, `summary of 2 to a@x`, `nobody 4`; then what is held.
fn words(cases: &[Case], ledger: &Ledger) -> (Vec<String>, usize, Option<Timestamp>) {
    let plan = plan(cases, ledger);
    let number = |case: &Case| case.received_at.as_second() - 1_700_000_000;
    let told = plan.tellings.iter().map(|telling| match telling {
        Telling::Nobody(judged) => format!("nobody {}", number(judged.case)),
        Telling::Report(judged, to) => format!("report {} to {}", number(judged.case), to.address),
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
fn a_case_of_which_nothing_is_wanted_and_one_without_an_addressee_are_closed() {
    let mut silent = case(0, sender("a"));
    silent.outcomes[0].recipient.notify = Notify::Never;
    let nobody = case(1, ReportTo::Nobody("null sender".to_owned()));
    let all = [silent, nobody, case(2, sender("a"))];
    let ledger = used("a@example.com", 3, 0);
    let (told, held, _) = words(&all, &ledger);
    assert_eq!(
        (told, held),
        (vec!["nobody 0".to_owned(), "nobody 1".to_owned(), "report 2 to a@example.com".to_owned()], 0)
    );
    for telling in &plan(&all, &ledger).tellings[..2] {
        let Telling::Nobody(judged) = telling else { panic!("{telling:?}") };
        assert_eq!(judged.verdict.silent_news().len(), 1, "it is closed all the same");
    }
}

#[test]
fn a_case_that_waits_for_other_pieces_is_neither_told_nor_closed() {
    let mut waits = case(0, sender("a"));
    waits.outcomes[0] =
        super::super::tests::outcome(waits.submission, 1, "SUCCESS", crate::model::FinalState::Delivered, 2);
    waits.outcomes[0].siblings.unfinished = 1;
    assert_eq!(words(&[waits], &used("a@example.com", 3, 0)), (vec![], 1, None));
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
