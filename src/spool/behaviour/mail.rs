//! Outgoing mail.

use super::super::{ClaimedMail, MailStep, Queue, Recovered, Spool, SpoolError};
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
