//! Outcomes that are owed to somebody, and that each is told once.

use super::super::{Case, News, Queue, Siblings, Spool, SpoolError, Step};
use super::{
    LIFETIME, accept_one, at, claim, claim_ids, delivered, failure, later, look, operator, phone, refused,
    report, retry, sent, settle, submission, success, timeline, unknown,
};
use crate::model::{
    Cause, EnhancedStatus, Fate, FinalState, HoldReason, MessageId, Notify, Orcpt, Original, Reason,
    ReportTo, Ret, State, Submission, SubmissionId,
};

async fn cases(spool: &dyn Spool, overdue: i64) -> Vec<Case> {
    spool.cases(at(overdue), at(overdue), 100).await.unwrap()
}

fn ids(cases: &[Case]) -> Vec<Vec<MessageId>> {
    cases.iter().map(|case| case.outcomes.iter().map(|outcome| outcome.sms.id).collect()).collect()
}

pub(in crate::spool) async fn a_case_waits_for_all_sms_of_its_submission_or_for_its_time(spool: &dyn Spool) {
    let given = submission(0, &[1, 2, 3]);
    let [a, b, c] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    settle(spool, a, refused(), 10).await;
    assert_eq!(ids(&cases(spool, 9).await), Vec::<Vec<MessageId>>::new(), "two are under way");
    assert_eq!(ids(&cases(spool, 10).await), [vec![a]], "its time is over");
    settle(spool, b, unknown(90), 11).await;
    settle(spool, c, sent(90), 12).await;
    settle(spool, b, sent(90), 13).await;
    assert_eq!(ids(&cases(spool, 9).await), Vec::<Vec<MessageId>>::new(), "what was sent may still fail");
    settle(spool, c, Step::Final { state: FinalState::Undelivered, cause: failure() }, 14).await;
    assert_eq!(ids(&cases(spool, 9).await), Vec::<Vec<MessageId>>::new());
    assert_eq!(ids(&cases(spool, 10).await), [vec![a, c]]);
    spool.close_case(vec![(a, News::Ended), (c, News::Ended)], None, at(15)).await.unwrap();
    settle(spool, b, Step::Final { state: FinalState::Expired, cause: failure() }, 16).await;
    assert_eq!(ids(&cases(spool, 9).await), [vec![b]], "what ends later is a case of its own, and complete");

    let other = accept_one(spool, 20, 9).await;
    claim(spool, 20).await;
    settle(spool, other, refused(), 21).await;
    assert_eq!(ids(&cases(spool, 9).await), [vec![b], vec![other]], "the oldest first");
    assert_eq!(ids(&spool.cases(at(9), at(9), 1).await.unwrap()), [vec![b]]);
}

pub(in crate::spool) async fn every_kind_of_ending_owes_what_was_asked_for(spool: &dyn Spool) {
    let on = |success, failure| Notify::On { success, failure, delay: false };
    let sender = || ReportTo::Sender(operator());
    let nobody = || ReportTo::Nobody("automatic mail".to_owned());
    let undelivered = || Step::Final { state: FinalState::Undelivered, cause: failure() };
    let policy = || Cause::new(EnhancedStatus::POLICY, "not to this country");
    let ending = |fate, step| (fate, step);
    let mut n = 0;
    for (to, notify, (fate, step), owed) in [
        (sender(), Notify::Unspecified, ending(Fate::Due, Some(undelivered())), true),
        (ReportTo::Operator(operator()), Notify::Unspecified, ending(Fate::Due, Some(undelivered())), true),
        (nobody(), Notify::Unspecified, ending(Fate::Due, Some(undelivered())), false),
        (sender(), Notify::Never, ending(Fate::Due, Some(undelivered())), false),
        (sender(), on(true, false), ending(Fate::Due, Some(undelivered())), false),
        (sender(), on(true, false), ending(Fate::Due, Some(delivered())), true),
        (nobody(), on(true, false), ending(Fate::Due, Some(delivered())), false),
        (sender(), Notify::Unspecified, ending(Fate::Due, Some(delivered())), false),
        (sender(), Notify::Unspecified, ending(Fate::Refused(policy()), None), true),
        (sender(), on(true, false), ending(Fate::Refused(policy()), None), false),
        (nobody(), Notify::Unspecified, ending(Fate::Refused(policy()), None), false),
        (sender(), on(true, true), ending(Fate::Dropped(policy()), None), false),
    ] {
        n += 1;
        let mut given = submission(0, &[n]);
        given.report_to = to;
        given.messages[0].recipient.notify = notify;
        given.messages[0].fate = fate;
        let id = given.id.message(1);
        let what = format!("{given:?} {step:?}");
        spool.accept(given).await.unwrap();
        if let Some(step) = step {
            claim(spool, 1).await;
            settle(spool, id, sent(90), 2).await;
            settle(spool, id, step, 3).await;
        }
        let found = ids(&cases(spool, 100).await);
        assert_eq!(found, if owed { vec![vec![id]] } else { vec![] }, "{what}");
        if owed {
            spool.close_case(vec![(id, News::Ended)], None, at(4)).await.unwrap();
        }
    }
    // Cancelled by an operator: nobody's failure.
    let id = accept_one(spool, 0, 90).await;
    let cancel = Step::Final { state: FinalState::Cancelled, cause: policy() };
    spool.settle(id, 0, cancel, at(1)).await.unwrap();
    assert_eq!(ids(&cases(spool, 100).await), Vec::<Vec<MessageId>>::new());
}

pub(in crate::spool) async fn what_was_told_is_not_told_again(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2]);
    given.messages[0].fate = Fate::Refused(failure());
    given.messages[1].fate = Fate::Refused(failure());
    let [a, b] = [1, 2].map(|n| given.id.message(n));
    let id = given.id;
    spool.accept(given).await.unwrap();
    let mail = report(id, at(5));
    let again = report(id, at(6));
    spool.close_case(vec![(a, News::Ended)], Some(mail.clone()), at(5)).await.unwrap();
    assert_eq!(ids(&cases(spool, 9).await), [vec![b]]);
    assert_eq!(
        spool.close_case(vec![(b, News::Ended), (a, News::Ended)], Some(again), at(6)).await,
        Err(SpoolError::Stale(a)),
        "one of them is told already"
    );
    assert_eq!(ids(&cases(spool, 9).await), [vec![b]], "so that nothing was done");
    let mails = spool.submission(id).await.unwrap().unwrap().mails;
    assert_eq!(mails.iter().map(|view| &view.mail).collect::<Vec<_>>(), [&mail]);
    spool.close_case(vec![(b, News::Ended)], None, at(7)).await.unwrap();
    assert_eq!(ids(&cases(spool, 9).await), Vec::<Vec<MessageId>>::new());
    let line = format!("5 failed: report filed as {}", mail.id);
    assert_eq!(timeline(spool, a).await[1..], [line]);
    assert_eq!(timeline(spool, b).await[1..], ["7 failed: closed without a report"]);

    let unknown = SubmissionId::new(at(0)).message(1);
    assert_eq!(
        spool.close_case(vec![(unknown, News::Ended)], None, at(8)).await,
        Err(SpoolError::Stale(unknown))
    );
    let nothing = report(id, at(9));
    spool.close_case(Vec::new(), Some(nothing), at(9)).await.unwrap();
    assert_eq!(spool.submission(id).await.unwrap().unwrap().mails.len(), 1, "nothing told, nothing filed");
}

pub(in crate::spool) async fn a_case_carries_everything_that_a_report_needs(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2]);
    given.original = Original {
        envid: Some("QQ+1".to_owned()),
        ret: Some(Ret::Headers),
        message_id: Some("<1@ups.example>".to_owned()),
        subject: Some("Größe".to_owned()),
        content: b"Received: x\r\nSubject: \xff\r\n".to_vec(),
        is_full: false,
    };
    given.messages[0].recipient.orcpt =
        Some(Orcpt { kind: "rfc822".to_owned(), address: "a@x.example".to_owned() });
    given.messages[1].fate = Fate::Refused(Cause::new(EnhancedStatus::POLICY, "not to this country"));
    spool.accept(given.clone()).await.unwrap();
    claim(spool, 7).await;
    settle(spool, given.id.message(1), refused(), 8).await;
    let found = cases(spool, 0).await;
    assert_eq!(found.len(), 1);
    let Case { submission, received_at, client, report_to, original, outcomes } = &found[0];
    assert_eq!((*submission, *received_at), (given.id, given.received_at));
    assert_eq!((client, report_to, original), (&given.client, &given.report_to, &given.original));
    for (outcome, message) in outcomes.iter().zip(&given.messages) {
        assert_eq!((&outcome.sms, &outcome.recipient), (&message.sms, &message.recipient));
        assert_eq!(outcome.state, State::Final(FinalState::Failed));
    }
    assert_eq!(outcomes[0].cause, failure());
    assert_eq!((outcomes[0].at, outcomes[0].last_attempt_at), (at(8), Some(at(7))));
    assert_eq!(outcomes[1].cause, Cause::new(EnhancedStatus::POLICY, "not to this country"));
    assert_eq!((outcomes[1].at, outcomes[1].last_attempt_at), (at(0), None));
    assert_eq!(cases(spool, 0).await, found, "until it is closed");
}

pub(in crate::spool) async fn the_time_of_the_cases_is_that_of_the_first_untold_outcome(spool: &dyn Spool) {
    let given = submission(0, &[1, 2]);
    let [a, b] = [1, 2].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    let next = async || spool.next_due(Queue::Cases).await.unwrap();
    settle(spool, a, refused(), 10).await;
    assert_eq!(next().await, Some(at(10)), "not complete");
    settle(spool, b, refused(), 12).await;
    assert_eq!(next().await, Some(at(10)), "complete");
    spool.close_case(vec![(a, News::Ended)], None, at(13)).await.unwrap();
    assert_eq!(next().await, Some(at(12)));
    spool.close_case(vec![(b, News::Ended)], None, at(14)).await.unwrap();
    assert_eq!(next().await, None);

    // A success that nobody asked for is no case.
    let third = accept_one(spool, 20, 3).await;
    claim(spool, LIFETIME - 1).await;
    settle(spool, third, sent(90), 21).await;
    settle(spool, third, Step::Final { state: FinalState::Delivered, cause: success() }, 22).await;
    assert_eq!(next().await, None);
    assert_eq!(look(spool, third).await.next_at, None);
}

const ALL: Notify = Notify::On { success: true, failure: true, delay: true };

/// A submission whose SMS are the pieces of one text to one phone.
fn pieces(count: usize, notify: Notify) -> Submission {
    let mut given = submission(0, &vec![1; count]);
    for message in &mut given.messages {
        message.recipient.notify = notify;
    }
    given
}

/// Has the next piece sent, and ended so.
async fn end(spool: &dyn Spool, id: MessageId, step: Step, now: i64) {
    assert_eq!(claim_ids(spool, now).await, [id]);
    settle(spool, id, sent(90), now).await;
    settle(spool, id, step, now).await;
}

fn undelivered() -> Step {
    Step::Final { state: FinalState::Undelivered, cause: failure() }
}

/// The siblings of every outcome of the only case that is overdue at `now`.
async fn siblings(spool: &dyn Spool, now: i64) -> Vec<(u32, Siblings)> {
    let found = cases(spool, now).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].outcomes.iter().map(|outcome| (outcome.sms.id.ordinal, outcome.siblings)).collect()
}

pub(in crate::spool) async fn a_piece_that_arrived_is_news_once_all_of_its_text_has(spool: &dyn Spool) {
    let given = pieces(3, ALL);
    let [a, b, c] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    end(spool, a, delivered(), 10).await;
    end(spool, b, delivered(), 11).await;
    assert_eq!(cases(spool, 100).await, [], "the third may still fail");
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(LIFETIME)), "and nobody looks before");
    assert_eq!(cases(spool, LIFETIME).await, []);
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(LIFETIME + 3600)), "nor all the time");
    end(spool, c, delivered(), 12).await;
    assert_eq!(ids(&cases(spool, 0).await), [vec![a, b, c]]);
    let none = Siblings::default();
    assert_eq!(siblings(spool, 0).await, [(1, none), (2, none), (3, none)]);
    let news = [a, b, c].map(|id| (id, News::Ended)).to_vec();
    spool.close_case(news, None, at(13)).await.unwrap();
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), None);
}

pub(in crate::spool) async fn a_piece_that_failed_is_news_at_once_and_the_others_know_of_it(
    spool: &dyn Spool,
) {
    let given = pieces(3, ALL);
    let [a, b, c] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    end(spool, a, delivered(), 10).await;
    end(spool, b, undelivered(), 11).await;
    let beside =
        |unfinished, failed, failure_told| Siblings { unfinished, failed, failure_told, delay_told: false };
    assert_eq!(siblings(spool, 50).await, [(1, beside(1, 1, 0)), (2, beside(1, 0, 0))]);
    let mail = report(a.submission, at(12));
    spool.close_case(vec![(a, News::Ended), (b, News::Ended)], Some(mail), at(12)).await.unwrap();
    end(spool, c, undelivered(), 13).await;
    assert_eq!(siblings(spool, 0).await, [(3, beside(0, 1, 1))]);
}

pub(in crate::spool) async fn other_recipients_and_other_phones_are_no_pieces(spool: &dyn Spool) {
    let mut given = pieces(5, ALL);
    given.messages[1].sms.destination = phone(2);
    given.messages[2].recipient.address = "boss@sms.local".to_owned();
    given.messages[3].fate = Fate::Dropped(failure());
    // Stands in for the others, and is no part of what they say.
    given.messages[4].fate = Fate::Held { until: at(500), reason: HoldReason::Escalation };
    given.messages[4].recipient.notify = Notify::Unspecified;
    let [a, b, c] = [1, 2, 3].map(|n| given.id.message(n));
    for message in &mut given.messages[..2] {
        // Not told as expanded.
        message.recipient.notify = Notify::Unspecified;
    }
    spool.accept(given).await.unwrap();
    assert_eq!(claim_ids(spool, 1).await, [a, b]);
    settle(spool, a, refused(), 2).await;
    settle(spool, b, refused(), 2).await;
    end(spool, c, delivered(), 3).await;
    let none = Siblings::default();
    assert_eq!(siblings(spool, 100).await, [(1, none), (2, none), (3, none)]);
}

/// A submission to one phone that is late from `at(60)` on.
fn impatient(notify: Notify) -> Submission {
    let mut given = pieces(1, notify);
    given.messages[0].delivery.delayed_at = Some(at(60));
    given
}

pub(in crate::spool) async fn what_is_late_is_told_once(spool: &dyn Spool) {
    let mut given = pieces(2, Notify::Unspecified);
    for (message, delayed_at) in given.messages.iter_mut().zip([60, 70]) {
        message.delivery.delayed_at = Some(at(delayed_at));
    }
    let [a, b] = [1, 2].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    assert_eq!(spool.next_due(Queue::Delays).await.unwrap(), Some(at(60)));
    assert_eq!(spool.cases(at(99), at(59), 9).await.unwrap(), [], "not yet");
    assert_eq!(spool.cases(at(59), at(60), 9).await.unwrap(), [], "it waits like all news");
    assert_eq!(spool.next_due(Queue::Delays).await.unwrap(), Some(at(70)));
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(60)));
    let found = spool.cases(at(60), at(69), 9).await.unwrap();
    let [outcome] = &found[0].outcomes[..] else { panic!("{found:?}") };
    assert_eq!((outcome.sms.id, outcome.news, outcome.state), (a, News::Delayed, State::Due));
    assert_eq!((outcome.at, outcome.expires_at, outcome.last_attempt_at), (at(60), at(LIFETIME), None));
    assert_eq!(outcome.siblings, Siblings { unfinished: 1, ..Siblings::default() });
    assert_eq!(spool.cases(at(60), at(69), 9).await.unwrap(), found, "until it is closed");
    assert_eq!(timeline(spool, a).await[1..], ["60 due: late: its sender is told"]);

    let mail = report(a.submission, at(65));
    spool.close_case(vec![(a, News::Delayed)], Some(mail.clone()), at(65)).await.unwrap();
    let line = format!("65 due: delay report filed as {}", mail.id);
    assert_eq!(timeline(spool, a).await[2..], [line]);
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), None);
    let again = spool.close_case(vec![(a, News::Delayed)], Some(report(a.submission, at(66))), at(66)).await;
    assert_eq!(again, Err(SpoolError::Stale(a)));
    assert_eq!(
        siblings(spool, 80).await,
        [(2, Siblings { unfinished: 1, delay_told: true, ..Siblings::default() })]
    );
    spool.close_case(vec![(b, News::Delayed)], None, at(81)).await.unwrap();
    assert_eq!(timeline(spool, b).await.last().unwrap(), "81 due: delay closed without a report");
    assert_eq!(spool.next_due(Queue::Delays).await.unwrap(), None);

    end(spool, a, undelivered(), 90).await;
    assert_eq!(ids(&cases(spool, 90).await), [vec![a]], "how it ended is told all the same");
}

pub(in crate::spool) async fn a_delay_says_why_as_far_as_that_is_known(spool: &dyn Spool) {
    for (n, (step, cause)) in [
        (None, Reason::Waiting.cause()),
        (Some(retry(5000)), later()),
        (Some(unknown(5000)), later()),
        (Some(sent(5000)), Reason::NoStatusYet.cause()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut given = impatient(Notify::Unspecified);
        given.messages[0].sms.destination = phone(n as u32);
        let id = given.id.message(1);
        spool.accept(given).await.unwrap();
        let attempted = step.is_some().then(|| at(7));
        if let Some(step) = step {
            assert_eq!(claim_ids(spool, 7).await, [id]);
            settle(spool, id, step, 8).await;
        } else {
            // Out of the way of the next claims.
            spool.cases(at(60), at(60), 9).await.unwrap();
        }
        let found = cases(spool, 60).await;
        let outcome = &found[0].outcomes[0];
        assert_eq!((&outcome.cause, outcome.last_attempt_at), (&cause, attempted));
        assert_eq!(cause.status.class, 4);
        spool.close_case(vec![(id, News::Delayed)], None, at(61)).await.unwrap();
        if attempted.is_none() {
            claim(spool, 7).await;
            settle(spool, id, sent(5000), 8).await;
        }
    }
}

pub(in crate::spool) async fn a_delay_of_what_a_dead_process_had_says_so(spool: &dyn Spool) {
    let given = impatient(Notify::Unspecified);
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    claim(spool, 7).await;
    settle(spool, id, retry(9), 8).await;
    assert_eq!(claim_ids(spool, 9).await, [id]);
    spool.recover(at(10), at(5000)).await.unwrap();
    // Not what the attempt before it came to.
    assert_eq!(cases(spool, 60).await[0].outcomes[0].cause, Reason::AnswerLost.cause());
}

pub(in crate::spool) async fn what_has_ended_is_late_no_more(spool: &dyn Spool) {
    for (ends, is_told) in [(delivered(), false), (refused(), true)] {
        // Before anybody looked.
        let given = impatient(Notify::Unspecified);
        let id = given.id.message(1);
        spool.accept(given).await.unwrap();
        claim(spool, 1).await;
        settle(spool, id, sent(90), 2).await;
        settle(spool, id, if is_told { undelivered() } else { ends.clone() }, 55).await;
        assert_eq!(spool.next_due(Queue::Delays).await.unwrap(), None);
        let told = if is_told { vec![(id, News::Ended)] } else { Vec::new() };
        let news = |found: &[Case]| -> Vec<_> {
            found.iter().flat_map(|case| &case.outcomes).map(|one| (one.sms.id, one.news)).collect()
        };
        assert_eq!(news(&cases(spool, 100).await), told);
        spool.close_case(told, None, at(101)).await.unwrap();

        // Between the first look and the report.
        let given = impatient(Notify::Unspecified);
        let id = given.id.message(1);
        spool.accept(given).await.unwrap();
        claim(spool, 1).await;
        settle(spool, id, sent(90), 2).await;
        assert_eq!(news(&cases(spool, 60).await), [(id, News::Delayed)]);
        settle(spool, id, if is_told { undelivered() } else { ends }, 61).await;
        let late = report(id.submission, at(62));
        let close = spool.close_case(vec![(id, News::Delayed)], Some(late), at(62)).await;
        assert_eq!(close, Err(SpoolError::Stale(id)), "it is no news any more");
        assert!(spool.submission(id.submission).await.unwrap().unwrap().mails.is_empty());
        let told = if is_told { vec![(id, News::Ended)] } else { Vec::new() };
        assert_eq!(news(&cases(spool, 100).await), told);
        spool.close_case(told, None, at(101)).await.unwrap();
        assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), None);
    }
}

pub(in crate::spool) async fn a_delay_is_told_to_who_wants_to_know_and_not_of_what_is_held(
    spool: &dyn Spool,
) {
    let mut n = 0;
    for (to, notify, line) in [
        (ReportTo::Sender(operator()), Notify::Unspecified, Some("60 due: late: its sender is told")),
        (ReportTo::Operator(operator()), Notify::Unspecified, Some("60 due: late: the operator is told")),
        (ReportTo::Sender(operator()), ALL, Some("60 due: late: its sender is told")),
        (ReportTo::Sender(operator()), Notify::Never, None),
        (ReportTo::Sender(operator()), Notify::On { success: true, failure: true, delay: false }, None),
        (ReportTo::Nobody("automatic mail".to_owned()), Notify::Unspecified, None),
    ] {
        n += 1;
        let mut given = impatient(notify);
        given.report_to = to;
        given.messages[0].sms.destination = phone(n);
        let id = given.id.message(1);
        spool.accept(given).await.unwrap();
        let found = ids(&cases(spool, 60).await);
        assert_eq!(found, if line.is_some() { vec![vec![id]] } else { vec![] }, "{notify:?}");
        assert_eq!(timeline(spool, id).await[1..], line.into_iter().collect::<Vec<_>>());
        assert_eq!(spool.next_due(Queue::Delays).await.unwrap(), None);
        if line.is_some() {
            spool.close_case(vec![(id, News::Delayed)], None, at(61)).await.unwrap();
        }
    }
    // It has as long as the others once it may go.
    let mut given = impatient(Notify::Unspecified);
    given.messages[0].fate = Fate::Held { until: at(500), reason: HoldReason::Scheduled };
    spool.accept(given).await.unwrap();
    assert_eq!(spool.cases(at(99), at(99), 9).await.unwrap(), []);
    let next = spool.next_due(Queue::Delays).await.unwrap().unwrap();
    assert!(next >= at(159), "{next}");
}

pub(in crate::spool) async fn an_expansion_is_news_from_acceptance_on_and_told_once(spool: &dyn Spool) {
    let mut given = pieces(3, ALL);
    given.messages[1].sms.destination = phone(2);
    given.messages[2].fate = Fate::Dropped(failure());
    let id = given.id;
    spool.accept(given).await.unwrap();
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(0)));
    assert_eq!(cases(spool, -1).await, []);
    let found = cases(spool, 0).await;
    let outcome = &found[0].outcomes[0];
    assert_eq!((outcome.news, outcome.at, outcome.state), (News::Expanded, at(0), State::Due));
    assert_eq!(outcome.cause.status, EnhancedStatus::SUCCESS);
    let news: Vec<_> = found[0].outcomes.iter().map(|outcome| (outcome.sms.id, outcome.news)).collect();
    assert_eq!(news, [1, 2].map(|n| (id.message(n), News::Expanded)), "each SMS that the name came to");
    let mail = report(id, at(1));
    spool.close_case(news.clone(), Some(mail.clone()), at(1)).await.unwrap();
    let line = format!("1 due: expansion report filed as {}", mail.id);
    for (id, _) in &news {
        assert_eq!(timeline(spool, *id).await[1..], [line.as_str()]);
    }
    assert_eq!(spool.close_case(news.clone(), None, at(2)).await, Err(SpoolError::Stale(news[0].0)));
    assert_eq!(cases(spool, 100).await, []);
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), None);
}

pub(in crate::spool) async fn the_time_of_the_case_is_right_after_every_kind_of_news(spool: &dyn Spool) {
    let mut given = pieces(3, ALL);
    given.messages[1].sms.destination = phone(2);
    given.messages[1].delivery.delayed_at = Some(at(60));
    given.messages[2].fate = Fate::Refused(failure());
    given.messages[2].recipient.address = "boss@sms.local".to_owned();
    let [_, b, c] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    let next = async || spool.next_due(Queue::Cases).await.unwrap();
    let found = cases(spool, 70).await;
    let mut news: Vec<_> = found[0].outcomes.iter().map(|one| (one.sms.id, one.news)).collect();
    assert!(news.contains(&(b, News::Delayed)) && news.contains(&(c, News::Ended)), "{news:?}");
    assert_eq!(next().await, Some(at(0)));
    news.retain(|(_, news)| *news == News::Expanded);
    spool.close_case(news, None, at(71)).await.unwrap();
    assert_eq!(next().await, Some(at(0)), "one was refused at once");
    spool.close_case(vec![(c, News::Ended)], None, at(72)).await.unwrap();
    assert_eq!(next().await, Some(at(60)), "one is late");
    spool.close_case(vec![(b, News::Delayed)], None, at(73)).await.unwrap();
    assert_eq!(next().await, None);
}
