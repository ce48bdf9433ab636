//! What an account has used up.

use super::{
    accept_one, at, callback, claim, failure, look, message, phone, refused, retry, sent, settle, submission,
    take,
};
use crate::model::{Cause, EnhancedStatus, Fate, FinalState, HoldReason, State, Submission, SubmissionId};
use crate::spool::{Spool, Step, UnusedParts};

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

pub(in crate::spool) async fn what_ends_before_it_was_tried_is_told_once(spool: &dyn Spool) {
    let mut given = of_account("ups", 5, &[1, 2, 4, 8]);
    given.messages[1].fate = Fate::Held { until: at(90), reason: HoldReason::Scheduled };
    given.messages[2].recipient = given.messages[0].recipient.clone();
    given.messages[2].fate = Fate::Held { until: at(90), reason: HoldReason::Escalation };
    given.messages[3].fate = Fate::Refused(failure());
    let [sent_one, held, escalation] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    let nobodys = accept_one(spool, 60, 9).await;
    let signals = spool.signals();
    assert_eq!(signals.unused.take(), [], "what is refused at once never counted");
    let cancel = async |id, now| {
        let cause = Cause::new(EnhancedStatus::POLICY, "unwanted");
        spool.cancel(id, cause, at(now)).await.unwrap();
        signals.unused.take()
    };
    let unused = |parts, now| {
        vec![UnusedParts { account: "ups".to_owned(), accepted_at: at(5), ended_at: at(now), parts }]
    };
    assert_eq!(cancel(held, 7).await, unused(2, 7));
    assert_eq!(cancel(nobodys, 7).await, [], "of no account");
    assert_eq!(used(spool, "ups", 0).await, 5);
    claim(spool, 8).await;
    settle(spool, sent_one, sent(90), 9).await;
    assert_eq!(signals.unused.take(), []);
    take(spool, &callback(sent_one, 1, 1, 3), 10).await;
    // Nobody needs it any more.
    claim(spool, 90).await;
    assert_eq!(look(spool, escalation).await.state, State::Final(FinalState::Cancelled));
    let told = signals.unused.take();
    assert_eq!(told.iter().map(|unused| unused.parts).collect::<Vec<_>>(), [4]);
    assert_eq!(used(spool, "ups", 0).await, 1);

    let tried = of_account("ups", 100, &[1]);
    let id = tried.id.message(1);
    spool.accept(tried).await.unwrap();
    claim(spool, 101).await;
    settle(spool, id, retry(110), 102).await;
    assert_eq!(cancel(id, 103).await, [], "it was tried, and may have been paid for");
}
