//! What an account has used up.

use super::{accept_one, at, claim, failure, message, phone, refused, retry, settle, submission};
use crate::model::{Cause, EnhancedStatus, Fate, FinalState, Submission, SubmissionId};
use crate::spool::{Spool, Step};

/// A submission of `account`, with an SMS of so many parts for each of `parts`.
fn of_account(account: &str, received: i64, parts: &[u32]) -> Submission {
    let mut given = submission(received, &[]);
    given.client.account = Some(account.to_owned());
    for (parts, ordinal) in parts.iter().zip(1..) {
        let mut one = message(given.id.message(ordinal), phone(ordinal));
        one.sms.text.parts = *parts;
        given.messages.push(one);
    }
    given
}

async fn used(spool: &dyn Spool, account: &str, from: i64) -> u64 {
    spool.parts_of_account_since(account.to_owned(), at(from)).await.unwrap()
}

pub(in crate::spool) async fn parts_are_counted_for_their_account_and_from_their_time_on(spool: &dyn Spool) {
    assert_eq!(used(spool, "ups", 0).await, 0);
    accept_one(spool, 5, 9).await;
    spool.accept(of_account("ups", 5, &[1, 3])).await.unwrap();
    spool.accept(of_account("ups", 9, &[2])).await.unwrap();
    spool.accept(of_account("pbx", 9, &[7])).await.unwrap();
    assert_eq!(used(spool, "ups", 5).await, 6);
    assert_eq!(used(spool, "ups", 6).await, 2);
    assert_eq!(used(spool, "ups", 9).await, 2);
    assert_eq!(used(spool, "ups", 10).await, 0);
    assert_eq!(used(spool, "pbx", 0).await, 7);
    assert_eq!(used(spool, "UPS", 0).await, 0, "names are compared exactly");
    // The very first and the very last id of a millisecond.
    let mut lowest = of_account("edge", 20, &[1]);
    lowest.id = SubmissionId::first_at(at(20));
    lowest.messages[0].sms.id = lowest.id.message(1);
    spool.accept(lowest).await.unwrap();
    assert_eq!(used(spool, "edge", 20).await, 1);
    let after = at(20) + jiff::SignedDuration::from_millis(1);
    assert_eq!(spool.parts_of_account_since("edge".to_owned(), after).await.unwrap(), 0);
}

pub(in crate::spool) async fn what_is_not_sent_does_not_count_and_what_failed_later_does(spool: &dyn Spool) {
    let policy = || Cause::new(EnhancedStatus::POLICY, "by rule");
    let mut given = of_account("ups", 0, &[1, 10, 100, 200]);
    given.messages[1].fate = Fate::Dropped(policy());
    given.messages[2].fate = Fate::Refused(policy());
    spool.accept(given.clone()).await.unwrap();
    assert_eq!(used(spool, "ups", 0).await, 201);
    assert_eq!(claim(spool, 1).await.len(), 2);
    settle(spool, given.id.message(1), refused(), 2).await;
    settle(spool, given.id.message(4), retry(5), 2).await;
    let cancelled = || Step::Final { state: FinalState::Cancelled, cause: failure() };
    settle(spool, given.id.message(4), cancelled(), 3).await;
    assert_eq!(used(spool, "ups", 0).await, 201, "they were tried, and may have been paid for");
    let untried = of_account("ups", 0, &[50]);
    spool.accept(untried.clone()).await.unwrap();
    assert_eq!(used(spool, "ups", 0).await, 251);
    spool.settle(untried.id.message(1), 0, cancelled(), at(3)).await.unwrap();
    assert_eq!(used(spool, "ups", 0).await, 201);
}
