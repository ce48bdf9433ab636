//! Order for each destination, and the order of claims.

use super::super::Spool;
use super::{
    LIFETIME, accept_one, at, claim, claim_ids, claim_up_to, look, refused, retry, sent, settle, submission,
    unknown,
};
use crate::model::{FinalState, State};

pub(in crate::spool) async fn one_destination_gets_one_at_a_time_in_the_order_of_acceptance(
    spool: &dyn Spool,
) {
    // The second was received earlier by its clock, and accepted later.
    let first = accept_one(spool, 9, 1).await;
    let second = accept_one(spool, 3, 1).await;
    let many = submission(4, &[1, 2, 1]);
    let ids: Vec<_> = (1..=3).map(|n| many.id.message(n)).collect();
    spool.accept(many).await.unwrap();
    assert_eq!(claim_ids(spool, 10).await, [ids[1], first]);
    assert_eq!(claim_ids(spool, 10).await, []);
    settle(spool, first, sent(90), 11).await;
    assert_eq!(claim_ids(spool, 11).await, [second]);
    settle(spool, second, refused(), 12).await;
    assert_eq!(claim_ids(spool, 12).await, [ids[0]]);
    settle(spool, ids[0], sent(90), 13).await;
    assert_eq!(claim_ids(spool, 13).await, [ids[2]]);
    settle(spool, ids[2], sent(90), 13).await;
    let last = accept_one(spool, 14, 1).await;
    assert_eq!(claim_ids(spool, 14).await, [last], "nothing waits any more");
}

pub(in crate::spool) async fn a_retry_an_unknown_and_a_claim_hold_back_what_is_behind_them(
    spool: &dyn Spool,
) {
    let first = accept_one(spool, 0, 1).await;
    let second = accept_one(spool, 0, 1).await;
    assert_eq!(claim_ids(spool, 1).await, [first]);
    assert_eq!(claim_ids(spool, 1).await, []);
    settle(spool, first, retry(50), 2).await;
    assert_eq!(claim_ids(spool, 49).await, [], "due later, and still before the other");
    assert_eq!(claim_ids(spool, 50).await, [first]);
    spool.settle(first, 2, unknown(99), at(51)).await.unwrap();
    assert_eq!(claim_ids(spool, 60).await, []);
    assert_eq!(spool.recover(at(61), at(62)).await.unwrap().unknown, 0);
    assert_eq!(claim_ids(spool, 63).await, []);
    spool.settle(first, 2, retry(64), at(63)).await.unwrap();
    assert_eq!(claim_ids(spool, 64).await, [first], "asked about, and sent again");
    spool.settle(first, 3, sent(99), at(65)).await.unwrap();
    assert_eq!(claim_ids(spool, 65).await, [second]);
}

pub(in crate::spool) async fn the_longest_due_come_first_up_to_the_limit(spool: &dyn Spool) {
    let mut ids = Vec::new();
    for (received, phone) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
        ids.push(accept_one(spool, received, phone).await);
    }
    let claim_two = async || {
        let claimed = claim_up_to(spool, 40, 2).await;
        claimed.into_iter().map(|claimed| claimed.sms.id).collect::<Vec<_>>()
    };
    assert_eq!(claim_up_to(spool, 40, 0).await, []);
    assert_eq!(claim_two().await, [ids[1], ids[3]]);
    assert_eq!(claim_two().await, [ids[2], ids[0]]);
    assert_eq!(claim_two().await, []);
}

pub(in crate::spool) async fn a_head_that_expires_lets_the_next_pass_in_the_same_call(spool: &dyn Spool) {
    let mut short = submission(0, &[1, 1, 1]);
    short.messages[0].delivery.expires_at = at(10);
    short.messages[2].delivery.expires_at = at(10);
    let id = short.id;
    spool.accept(short).await.unwrap();
    assert_eq!(claim_ids(spool, 10).await, [id.message(2)]);
    assert_eq!(look(spool, id.message(1)).await.state, State::Final(FinalState::Expired));
    assert_eq!(
        look(spool, id.message(3)).await.state,
        State::Final(FinalState::Expired),
        "behind another, and expired in time"
    );
}

/// Not timed: were each claim to pass over those that wait, this would take minutes.
pub(in crate::spool) async fn ten_thousand_for_one_phone_are_no_burden(spool: &dyn Spool) {
    const COUNT: u32 = 10_000;
    for n in 0..10 {
        spool.accept(submission(n, &[7; COUNT as usize / 10])).await.unwrap();
    }
    let mut before = None;
    for _ in 0..COUNT / 10 {
        let claimed = claim(spool, 20).await;
        assert_eq!(claimed.len(), 1);
        let (id, accepted_at) = (claimed[0].sms.id, claimed[0].accepted_at);
        assert!(before < Some((accepted_at, id.ordinal)));
        before = Some((accepted_at, id.ordinal));
        settle(spool, id, sent(90), 21).await;
    }
    // The rest expires, in bounded steps, and none of it is claimed.
    let mut calls = 0;
    while spool.backlog().await.unwrap().due > 0 {
        assert_eq!(claim(spool, LIFETIME).await, []);
        calls += 1;
        assert!(calls <= COUNT, "each call expires some");
    }
    assert!(calls > 1, "no call does all");
}
