//! Escalations of what is folded: they wait for the summary that tells of it, and fold among themselves.

use super::super::Spool;
use super::storms::{CANCELLED, accept, alarm, at_most, count, plain, similar, state, told_by};
use super::{
    at, claim_ids, delivered, failure, look, message, phone, refused, sent, settle, submission, timeline,
};
use crate::model::{Digest, Fate, HoldReason, MessageId, Passage, State, Submission};

/// What an escalation gives the others, in seconds.
const AFTER: i64 = 30;
/// How long one may be tried once it goes.
const LIFE: i64 = 500;

/// An SMS to the first phone with this to pass, and one to the second where nobody has it; where `beside`, also one to the
/// third phone that passes nothing.
fn escalating(received: i64, passage: &Passage, beside: bool) -> Submission {
    let mut given = submission(received, &[1, 2]);
    given.messages[0].passage = passage.clone();
    let recipient = given.messages[0].recipient.clone();
    let escalation = &mut given.messages[1];
    escalation.recipient = recipient.clone();
    escalation.fate = Fate::Held { until: at(received + AFTER), reason: HoldReason::Escalation };
    escalation.delivery.expires_at = at(received + AFTER + LIFE);
    let after = Some(std::time::Duration::from_secs(AFTER.unsigned_abs()));
    escalation.passage = Passage { escalates_after: after, ..similar("escalations") };
    if beside {
        let mut other = message(given.id.message(3), phone(3));
        other.recipient = recipient;
        given.messages.push(other);
    }
    given
}

/// Accepts one; ids of the SMS to the first phone and to the second.
async fn accept_escalating(spool: &dyn Spool, received: i64, passage: &Passage) -> [MessageId; 2] {
    let given = escalating(received, passage, false);
    let ids = [1, 2].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    ids
}

async fn waits_until(spool: &dyn Spool, id: MessageId, until: i64) {
    let view = look(spool, id).await;
    assert_eq!((view.state, view.hold_reason), (State::Held, Some(HoldReason::Escalation)));
    assert_eq!(view.next_at, Some(at(until)));
    assert_eq!(view.expires_at, at(until + LIFE), "its lifetime begins then");
}

/// Claims what is due, which is to be this alone, and has the platform take it.
async fn goes(spool: &dyn Spool, id: MessageId, now: i64) {
    assert_eq!(claim_ids(spool, now).await, [id]);
    settle(spool, id, sent(9_000), now).await;
}

pub(in crate::spool) async fn an_escalation_of_what_is_folded_waits_with_its_summary(spool: &dyn Spool) {
    let storm = similar("link");
    let first = alarm(spool, 0, "link down", &storm).await;
    goes(spool, first, 0).await;
    let mut all = Vec::new();
    for second in 1..=3 {
        all.push(accept_escalating(spool, second, &storm).await);
    }
    let summary = told_by(spool, all[0][0]).await;
    assert_eq!(claim_ids(spool, 1 + AFTER).await, []);
    waits_until(spool, all[0][1], 60 + AFTER).await;
    assert_eq!(
        timeline(spool, all[0][1]).await.pop().unwrap(),
        format!("31 held: held until {}: escalation, as {summary} is to tell its recipient", at(60 + AFTER))
    );
    goes(spool, summary, 60).await;
    assert_eq!(claim_ids(spool, 60 + AFTER - 1).await, []);
    // Nobody knows whether the summary has arrived: one goes, and one summary of the others.
    goes(spool, all[0][1], 60 + AFTER).await;
    for [_, escalation] in &all[1..] {
        assert_eq!(state(spool, *escalation).await, State::Folded);
    }
    let of_escalations = told_by(spool, all[1][1]).await;
    assert_eq!((of_escalations, count(spool, of_escalations).await), (told_by(spool, all[2][1]).await, 2));
    goes(spool, of_escalations, 60 + AFTER + 60).await;
    assert_eq!(look(spool, of_escalations).await.sms.destination, phone(2));
}

pub(in crate::spool) async fn a_summary_that_arrives_in_time_stops_the_escalations(spool: &dyn Spool) {
    let storm = similar("link");
    let first = alarm(spool, 0, "link down", &storm).await;
    goes(spool, first, 0).await;
    let [folded, escalation] = accept_escalating(spool, 1, &storm).await;
    let summary = told_by(spool, folded).await;
    assert_eq!(claim_ids(spool, 1 + AFTER).await, []);
    goes(spool, summary, 60).await;
    settle(spool, summary, delivered(), 60 + AFTER - 1).await;
    assert_eq!(claim_ids(spool, 60 + AFTER).await, []);
    assert_eq!(state(spool, escalation).await, CANCELLED);
}

pub(in crate::spool) async fn a_summary_that_fails_lets_the_escalations_go(spool: &dyn Spool) {
    let storm = similar("link");
    let first = alarm(spool, 0, "link down", &storm).await;
    goes(spool, first, 0).await;
    let [folded, escalation] = accept_escalating(spool, 1, &storm).await;
    let summary = told_by(spool, folded).await;
    assert_eq!(claim_ids(spool, 1 + AFTER).await, []);
    assert_eq!(claim_ids(spool, 60).await, [summary]);
    settle(spool, summary, refused(), 61).await;
    goes(spool, escalation, 61).await;
}

pub(in crate::spool) async fn an_escalation_goes_by_the_first_that_could_have_been_delivered(
    spool: &dyn Spool,
) {
    let storm = similar("link");
    let first = alarm(spool, 0, "link down", &storm).await;
    goes(spool, first, 0).await;
    // Somebody's other phone was sent the words at once.
    let given = escalating(1, &storm, true);
    let [folded, escalation, beside] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    assert_eq!(state(spool, folded).await, State::Folded);
    goes(spool, beside, 1).await;
    assert_eq!(claim_ids(spool, AFTER).await, []);
    goes(spool, escalation, 1 + AFTER).await;
    // One that was refused there says nothing.
    let given = escalating(40, &storm, true);
    let [escalation, beside] = [2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    assert_eq!(claim_ids(spool, 40).await, [beside]);
    settle(spool, beside, refused(), 40).await;
    goes(spool, told_by(spool, folded).await, 60).await;
    assert_eq!(claim_ids(spool, 40 + AFTER).await, []);
    waits_until(spool, escalation, 60 + AFTER).await;
}

pub(in crate::spool) async fn an_escalation_waits_for_summaries_of_summaries(spool: &dyn Spool) {
    // One SMS each 100 s: the summary of similar ones finds no room and folds into the overflow, until 100.
    let storm = Passage { limits: at_most(1, 100).limits, ..similar("link") };
    let first = alarm(spool, 0, "link down", &storm).await;
    goes(spool, first, 0).await;
    let [folded, escalation] = accept_escalating(spool, 1, &storm).await;
    let summary = told_by(spool, folded).await;
    assert_eq!(claim_ids(spool, 1 + AFTER).await, []);
    assert_eq!(claim_ids(spool, 60).await, []);
    let overflow = told_by(spool, summary).await;
    assert_eq!(claim_ids(spool, 60 + AFTER).await, []);
    waits_until(spool, escalation, 100 + AFTER).await;
    // It is claimed later than it was let go, and is tried again: its time counts from the first.
    assert_eq!(claim_ids(spool, 100).await, [overflow]);
    settle(spool, overflow, super::retry(110), 101).await;
    goes_second(spool, overflow, 110).await;
    assert_eq!(claim_ids(spool, 100 + AFTER - 1).await, []);
    goes(spool, escalation, 100 + AFTER).await;
}

async fn goes_second(spool: &dyn Spool, id: MessageId, now: i64) {
    assert_eq!(claim_ids(spool, now).await, [id]);
    spool.settle(id, 2, sent(9_000), at(now)).await.unwrap();
}

pub(in crate::spool) async fn an_escalation_of_a_digest_counts_from_it(spool: &dyn Spool) {
    let every = std::time::Duration::from_secs(300);
    let digest = Passage { digest: Some(Digest { key: "night".to_owned(), every }), ..plain() };
    let [folded, escalation] = accept_escalating(spool, 0, &digest).await;
    let summary = told_by(spool, folded).await;
    assert_eq!(claim_ids(spool, AFTER).await, []);
    waits_until(spool, escalation, 300 + AFTER).await;
    // Somebody takes it back: nothing is left to be escalated.
    spool.cancel(folded, failure(), at(100)).await.unwrap();
    assert_eq!((state(spool, summary).await, state(spool, escalation).await), (CANCELLED, CANCELLED));
    // Where a version before this one accepted it, it goes at its time.
    let mut old = escalating(400, &digest, false);
    old.messages[1].passage.escalates_after = None;
    let escalation = old.id.message(2);
    spool.accept(old).await.unwrap();
    accept(spool, 400, 4, "other", &plain(), |_| {}).await;
    assert_eq!(claim_ids(spool, 400).await.len(), 1);
    goes(spool, escalation, 400 + AFTER).await;
}
