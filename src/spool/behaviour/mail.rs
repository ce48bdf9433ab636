//! Outgoing mail.

use super::super::{ClaimedMail, MailEvent, MailStep, Queue, Recovered, Spool, SpoolError};
use super::{LIFETIME, at, later, report, submission};
use crate::model::{MailAddress, MailId, MailKind, OutgoingMail, ReversePath, Submission};

/// A submission that causes `count` mails at `at(0)`.
async fn with_mails(spool: &dyn Spool, count: usize) -> Submission {
    let mut given = submission(0, &[]);
    given.forwards = (0..count).map(|_| report(given.id, at(0))).collect();
    spool.accept(given.clone()).await.unwrap();
    given
}

/// State and attempts of every mail about `given`, in the order of filing.
async fn states(spool: &dyn Spool, given: &Submission) -> Vec<(String, u32)> {
    let view = spool.submission(given.id).await.unwrap().unwrap();
    view.mails.into_iter().map(|mail| (mail.state, mail.attempts)).collect()
}

fn state(name: &str, attempts: u32) -> (String, u32) {
    (name.to_owned(), attempts)
}

pub(in crate::spool) async fn mail_is_claimed_settled_and_claimed_again(spool: &dyn Spool) {
    let mut given = submission(0, &[]);
    let mut first = report(given.id, at(0));
    first.kind = MailKind::Postmaster;
    first.reverse_path = ReversePath::Path(MailAddress::new("a \"b\"@c", "x.example").unwrap());
    first.recipient = MailAddress::new("o'neil@home", "[192.0.2.1]").unwrap();
    first.bytes = b"\0\xff\r\n".to_vec();
    given.forwards = vec![first.clone(), report(given.id, at(0)), report(given.id, at(0))];
    spool.accept(given.clone()).await.unwrap();

    assert_eq!(spool.next_due(Queue::Mail).await.unwrap(), Some(at(0)));
    assert_eq!(spool.claim_mail(at(-1), 9).await.unwrap(), []);
    let claimed = spool.claim_mail(at(1), 2).await.unwrap();
    let expected: Vec<_> =
        given.forwards[..2].iter().map(|mail| ClaimedMail { mail: mail.clone(), attempt: 1 }).collect();
    assert_eq!(claimed, expected);
    let rest = spool.claim_mail(at(1), 9).await.unwrap();
    assert_eq!(rest.iter().map(|claimed| &claimed.mail).collect::<Vec<_>>(), [&given.forwards[2]]);
    assert_eq!(spool.next_due(Queue::Mail).await.unwrap(), None);

    spool.settle_mail(first.id, MailStep::Retry { at: at(30), cause: later() }, at(2)).await.unwrap();
    spool.settle_mail(given.forwards[1].id, MailStep::Sent, at(2)).await.unwrap();
    assert_eq!(states(spool, &given).await, [state("due", 1), state("sent", 1), state("claimed", 1)]);
    assert_eq!(spool.next_due(Queue::Mail).await.unwrap(), Some(at(30)));
    assert_eq!(spool.claim_mail(at(29), 9).await.unwrap(), []);
    let again = spool.claim_mail(at(30), 9).await.unwrap();
    assert_eq!(again, [ClaimedMail { mail: first, attempt: 2 }]);
    spool.settle_mail(again[0].mail.id, MailStep::Sent, at(31)).await.unwrap();
    assert_eq!(states(spool, &given).await[0], state("sent", 2));
}

pub(in crate::spool) async fn a_failed_mail_leaves_another_in_its_place(spool: &dyn Spool) {
    let given = with_mails(spool, 2).await;
    // Beyond its time it is still handed out, for its owner to decide.
    assert_eq!(spool.claim_mail(at(LIFETIME + 1), 9).await.unwrap().len(), 2);
    let instead = OutgoingMail { kind: MailKind::OperatorReport, ..report(given.id, at(3)) };
    let failed = |instead| MailStep::Failed { cause: later(), instead };
    spool.settle_mail(given.forwards[0].id, failed(Some(instead.clone())), at(3)).await.unwrap();
    spool.settle_mail(given.forwards[1].id, failed(None), at(3)).await.unwrap();
    assert_eq!(states(spool, &given).await, [state("failed", 1), state("failed", 1), state("due", 0)]);
    let claimed = spool.claim_mail(at(3), 9).await.unwrap();
    assert_eq!(claimed, [ClaimedMail { mail: instead, attempt: 1 }]);
}

pub(in crate::spool) async fn mail_that_is_not_claimed_cannot_be_settled(spool: &dyn Spool) {
    let given = with_mails(spool, 1).await;
    let id = given.forwards[0].id;
    assert_eq!(spool.settle_mail(id, MailStep::Sent, at(1)).await, Err(SpoolError::StaleMail(id)), "due");
    spool.claim_mail(at(1), 9).await.unwrap();
    spool.settle_mail(id, MailStep::Sent, at(2)).await.unwrap();
    let instead = Some(report(given.id, at(3)));
    let failed = MailStep::Failed { cause: later(), instead };
    assert_eq!(spool.settle_mail(id, failed, at(3)).await, Err(SpoolError::StaleMail(id)), "sent");
    assert_eq!(states(spool, &given).await, [state("sent", 1)], "and no other mail");
    let unknown = MailId::new(at(0));
    assert_eq!(
        spool.settle_mail(unknown, MailStep::Sent, at(3)).await,
        Err(SpoolError::StaleMail(unknown)),
        "not ours"
    );
}

pub(in crate::spool) async fn mail_of_a_dead_process_is_due_at_once(spool: &dyn Spool) {
    let given = with_mails(spool, 2).await;
    spool.claim_mail(at(1), 1).await.unwrap();
    assert_eq!(spool.recover(at(5), at(6)).await.unwrap(), Recovered { unknown: 0, mail: 1 });
    let claimed = spool.claim_mail(at(5), 9).await.unwrap();
    let attempts: Vec<_> = claimed.iter().map(|claimed| (claimed.mail.id, claimed.attempt)).collect();
    assert_eq!(attempts, [(given.forwards[1].id, 1), (given.forwards[0].id, 2)]);
}

/// The timeline of a mail as `seconds state: note`.
async fn timeline(spool: &dyn Spool, id: MailId) -> Vec<String> {
    let view = spool.mail(id).await.unwrap().unwrap();
    let about = view.mail.about.unwrap();
    let of_submission = spool.submission(about).await.unwrap().unwrap().mails;
    assert!(of_submission.contains(&view), "both show the same");
    let line = |event: MailEvent| {
        format!("{} {}: {}", event.at.duration_since(at(0)).as_secs(), event.state, event.note)
    };
    view.events.into_iter().map(line).collect()
}

pub(in crate::spool) async fn every_move_of_a_mail_is_a_line_of_its_timeline(spool: &dyn Spool) {
    let given = with_mails(spool, 2).await;
    let [failed, dies] = [0, 1].map(|n| given.forwards[n].id);
    spool.claim_mail(at(1), 1).await.unwrap();
    let cause = later().with_diagnostic("450 busy");
    spool.settle_mail(failed, MailStep::Retry { at: at(10), cause: cause.clone() }, at(2)).await.unwrap();
    spool.claim_mail(at(2), 9).await.unwrap();
    spool.recover(at(3), at(3)).await.unwrap();
    spool.claim_mail(at(4), 9).await.unwrap();
    spool.settle_mail(dies, MailStep::Sent, at(5)).await.unwrap();
    spool.claim_mail(at(10), 9).await.unwrap();
    let instead = report(given.id, at(11));
    let step = MailStep::Failed { cause, instead: Some(instead.clone()) };
    spool.settle_mail(failed, step, at(11)).await.unwrap();
    assert_eq!(
        timeline(spool, failed).await,
        [
            "0 due: filed".to_owned(),
            "1 claimed: attempt 1 began".to_owned(),
            "2 due: the platform did not answer (450 busy)".to_owned(),
            "10 claimed: attempt 2 began".to_owned(),
            "11 failed: the platform did not answer (450 busy)".to_owned(),
            format!("11 failed: replaced by {}", instead.id),
        ]
    );
    assert_eq!(timeline(spool, instead.id).await, [format!("11 due: filed in place of {failed}")]);
    assert_eq!(
        timeline(spool, dies).await,
        [
            "0 due: filed",
            "2 claimed: attempt 1 began",
            "3 due: the relay ended during attempt 1; it is sent again",
            "4 claimed: attempt 2 began",
            "5 sent: the mail server has it",
        ]
    );
}

pub(in crate::spool) async fn a_mail_about_no_submission_is_sent_like_any_other(spool: &dyn Spool) {
    let notice = OutgoingMail {
        about: None,
        kind: MailKind::Notice,
        ..report(crate::model::SubmissionId::new(at(0)), at(0))
    };
    let noted = ("credit:main".to_owned(), "low".to_owned());
    spool.file_mail(notice.clone(), Some(noted.clone()), at(0)).await.unwrap();
    assert_eq!(spool.note(noted.0.clone()).await.unwrap().as_ref(), Some(&noted.1));
    let other = Some((noted.0.clone(), "empty".to_owned()));
    assert!(spool.file_mail(notice.clone(), other, at(0)).await.is_err(), "its id is taken");
    assert_eq!(spool.note(noted.0).await.unwrap(), Some(noted.1), "noted with the mail or not at all");
    assert_eq!(spool.next_due(Queue::Mail).await.unwrap(), Some(at(0)));
    assert_eq!(spool.backlog().await.unwrap().mail, 1);
    assert_eq!(spool.claim_mail(at(1), 9).await.unwrap(), [ClaimedMail { mail: notice.clone(), attempt: 1 }]);
    spool.settle_mail(notice.id, MailStep::Sent, at(2)).await.unwrap();
    let view = spool.mail(notice.id).await.unwrap().unwrap();
    assert_eq!((view.mail, view.state.as_str(), view.attempts), (notice, "sent", 1));
    assert_eq!(view.events.len(), 3);
    assert_eq!(spool.mail(MailId::new(at(0))).await.unwrap(), None, "none of ours");
}

pub(in crate::spool) async fn reports_of_the_last_hour_are_listed_by_their_time(spool: &dyn Spool) {
    let mut given = submission(0, &[]);
    let other = MailAddress::new("o'neil@home", "[192.0.2.1]").unwrap();
    given.forwards = vec![
        OutgoingMail { kind: MailKind::OperatorReport, recipient: other.clone(), ..report(given.id, at(30)) },
        report(given.id, at(10)),
        report(given.id, at(9)),
        OutgoingMail { kind: MailKind::Notice, ..report(given.id, at(20)) },
        OutgoingMail { kind: MailKind::Postmaster, ..report(given.id, at(20)) },
    ];
    let sent = given.forwards[1].id;
    spool.accept(given).await.unwrap();
    spool.claim_mail(at(40), 9).await.unwrap();
    spool.settle_mail(sent, MailStep::Sent, at(41)).await.unwrap();
    let expected = [(super::operator(), at(10)), (other, at(30))];
    assert_eq!(spool.reports_since(at(10)).await.unwrap(), expected, "sent or not");
    assert_eq!(spool.reports_since(at(31)).await.unwrap(), []);
}
