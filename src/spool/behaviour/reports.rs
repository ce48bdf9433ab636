//! Outcomes that are owed to somebody, and that each is told once.

use super::super::{Case, Queue, Spool, SpoolError, Step};
use super::{
    LIFETIME, accept_one, at, claim, delivered, failure, look, operator, refused, report, sent, settle,
    submission, success, timeline, unknown,
};
use crate::model::{
    Cause, EnhancedStatus, Fate, FinalState, MessageId, Notify, Orcpt, Original, ReportTo, Ret, SubmissionId,
};

async fn cases(spool: &dyn Spool, overdue: i64) -> Vec<Case> {
    spool.cases(at(overdue), 100).await.unwrap()
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
    assert_eq!(ids(&cases(spool, 9).await), Vec::<Vec<MessageId>>::new(), "unknown has not left");
    settle(spool, b, sent(90), 13).await;
    assert_eq!(ids(&cases(spool, 9).await), [vec![a]], "all have left");
    settle(spool, c, Step::Final { state: FinalState::Undelivered, cause: failure() }, 14).await;
    assert_eq!(ids(&cases(spool, 9).await), [vec![a, c]]);
    spool.close_case(vec![a, c], None, at(15)).await.unwrap();
    settle(spool, b, Step::Final { state: FinalState::Expired, cause: failure() }, 16).await;
    assert_eq!(ids(&cases(spool, 9).await), [vec![b]], "what ends later is a case of its own");

    let other = accept_one(spool, 20, 9).await;
    claim(spool, 20).await;
    settle(spool, other, refused(), 21).await;
    assert_eq!(ids(&cases(spool, 9).await), [vec![b], vec![other]], "the oldest first");
    assert_eq!(ids(&spool.cases(at(9), 1).await.unwrap()), [vec![b]]);
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
            spool.close_case(vec![id], None, at(4)).await.unwrap();
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
    spool.close_case(vec![a], Some(mail.clone()), at(5)).await.unwrap();
    assert_eq!(ids(&cases(spool, 9).await), [vec![b]]);
    assert_eq!(
        spool.close_case(vec![b, a], Some(again), at(6)).await,
        Err(SpoolError::Stale(a)),
        "one of them is told already"
    );
    assert_eq!(ids(&cases(spool, 9).await), [vec![b]], "so that nothing was done");
    let mails = spool.submission(id).await.unwrap().unwrap().mails;
    assert_eq!(mails.iter().map(|view| &view.mail).collect::<Vec<_>>(), [&mail]);
    spool.close_case(vec![b], None, at(7)).await.unwrap();
    assert_eq!(ids(&cases(spool, 9).await), Vec::<Vec<MessageId>>::new());
    let line = format!("5 failed: report filed as {}", mail.id);
    assert_eq!(timeline(spool, a).await[1..], [line]);
    assert_eq!(timeline(spool, b).await[1..], ["7 failed: closed without a report"]);

    let unknown = SubmissionId::new(at(0)).message(1);
    assert_eq!(spool.close_case(vec![unknown], None, at(8)).await, Err(SpoolError::Stale(unknown)));
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
        assert_eq!(outcome.state, FinalState::Failed);
    }
    assert_eq!(outcomes[0].cause, failure());
    assert_eq!((outcomes[0].ended_at, outcomes[0].last_attempt_at), (at(8), Some(at(7))));
    assert_eq!(outcomes[1].cause, Cause::new(EnhancedStatus::POLICY, "not to this country"));
    assert_eq!((outcomes[1].ended_at, outcomes[1].last_attempt_at), (at(0), None));
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
    spool.close_case(vec![a], None, at(13)).await.unwrap();
    assert_eq!(next().await, Some(at(12)));
    spool.close_case(vec![b], None, at(14)).await.unwrap();
    assert_eq!(next().await, None);

    // A success that nobody asked for is no case.
    let third = accept_one(spool, 20, 3).await;
    claim(spool, LIFETIME - 1).await;
    settle(spool, third, sent(90), 21).await;
    settle(spool, third, Step::Final { state: FinalState::Delivered, cause: success() }, 22).await;
    assert_eq!(next().await, None);
    assert_eq!(look(spool, third).await.next_at, None);
}
