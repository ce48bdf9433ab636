//! SMS that take the place of a recipient's others.

use super::super::Spool;
use super::{
    at, callback, claim, claim_ids, claim_up_to, delivered, look, message, phone, refused, retry, sent,
    settle, submission, take, timeline, unknown,
};
use crate::model::{Cause, EnhancedStatus, Fate, FinalState, HoldReason, MessageId, State};

/// SMS to phones 1 and 2 for one recipient, an escalation of it to phone 3 at `at(500)`, and another recipient's
/// SMS to phone 4 with its escalation to phone 5. Ids in this order.
async fn accept(spool: &dyn Spool) -> [MessageId; 5] {
    let mut given = submission(0, &[]);
    let ids = [1, 2, 3, 4, 5].map(|n| given.id.message(n));
    for (id, n) in ids.into_iter().zip(1..) {
        let mut one = message(id, phone(n));
        one.recipient.address = if n < 4 { "night@sms.local" } else { "day@sms.local" }.to_owned();
        if n == 3 || n == 5 {
            one.fate = Fate::Held { until: at(500), reason: HoldReason::Escalation };
        }
        given.messages.push(one);
    }
    spool.accept(given).await.unwrap();
    assert_eq!(claim_ids(spool, 1).await, [ids[0], ids[1], ids[3]]);
    ids
}

pub(in crate::spool) async fn an_escalation_goes_once_all_others_have_failed(spool: &dyn Spool) {
    let [first, second, escalation, _, other] = accept(spool).await;
    settle(spool, first, refused(), 2).await;
    assert_eq!(look(spool, escalation).await.state, State::Held, "the second may still be delivered");
    settle(spool, second, sent(90), 3).await;
    assert_eq!(look(spool, escalation).await.state, State::Held);
    take(spool, &callback(second, 1, 1, 6), 4).await;
    let shown = look(spool, escalation).await;
    assert_eq!((shown.state, shown.next_at, shown.hold_reason), (State::Due, Some(at(4)), None));
    assert_eq!(
        timeline(spool, escalation).await[1],
        "4 due: released: none of the SMS that it takes the place of was delivered"
    );
    let shown = look(spool, other).await;
    assert_eq!((shown.state, shown.hold_reason), (State::Held, Some(HoldReason::Escalation)), "not its own");
    assert_eq!(claim_ids(spool, 5).await, [escalation]);
    settle(spool, escalation, refused(), 6).await;
    assert_eq!(look(spool, escalation).await.state, State::Final(FinalState::Failed), "there is no second");
}

pub(in crate::spool) async fn an_escalation_is_cancelled_by_a_delivery(spool: &dyn Spool) {
    let [first, second, escalation, third, other] = accept(spool).await;
    settle(spool, first, sent(90), 2).await;
    settle(spool, first, delivered(), 3).await;
    let shown = look(spool, escalation).await;
    assert_eq!(shown.state, State::Final(FinalState::Cancelled));
    let cause = Cause::new(EnhancedStatus::SUCCESS, format!("not needed: {first} was delivered"));
    assert_eq!((shown.cause, shown.hold_reason), (Some(cause), None));
    assert_eq!(look(spool, other).await.state, State::Held);
    settle(spool, second, refused(), 4).await;
    assert_eq!(look(spool, escalation).await.state, State::Final(FinalState::Cancelled));
    // All that is left: nothing is pending, so that the case of the failure is complete.
    settle(spool, third, sent(90), 5).await;
    settle(spool, third, delivered(), 6).await;
    let cases = spool.cases(at(0), at(6), 9).await.unwrap();
    assert_eq!(cases[0].outcomes.iter().map(|one| one.sms.id).collect::<Vec<_>>(), [second]);
}

pub(in crate::spool) async fn a_delivery_stops_an_escalation_that_waits_to_be_sent(spool: &dyn Spool) {
    let [first, second, escalation, third, _] = accept(spool).await;
    for id in [first, second, third] {
        settle(spool, id, sent(900), 2).await;
    }
    // Its time has come, and there is no room for it.
    assert_eq!(claim_up_to(spool, 500, 0).await, []);
    assert_eq!(look(spool, escalation).await.state, State::Due);
    take(spool, &callback(second, 1, 1, 3), 501).await;
    assert_eq!(look(spool, escalation).await.state, State::Final(FinalState::Cancelled));
    assert_eq!(
        timeline(spool, escalation).await.last().unwrap(),
        &format!("501 cancelled: not needed: {second} was delivered")
    );

    // One that is under way goes on.
    let [first, _, escalation, ..] = accept(spool).await;
    assert!(claim_ids(spool, 600).await.contains(&escalation));
    settle(spool, first, sent(900), 601).await;
    take(spool, &callback(first, 1, 1, 3), 602).await;
    assert_eq!(look(spool, escalation).await.state, State::Claimed);
    // Until it turns out that nobody has it.
    settle(spool, escalation, unknown(603), 602).await;
    assert_eq!(
        spool.settle(escalation, 1, retry(604), at(603)).await,
        Ok(State::Final(FinalState::Cancelled))
    );
}

pub(in crate::spool) async fn an_escalation_of_what_was_cancelled_is_cancelled(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2]);
    given.messages[1].recipient = given.messages[0].recipient.clone();
    given.messages[1].fate = Fate::Held { until: at(500), reason: HoldReason::Escalation };
    let [first, escalation] = [1, 2].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    spool.cancel(first, Cause::new(EnhancedStatus::POLICY, "cancelled by its client"), at(1)).await.unwrap();
    assert_eq!(look(spool, escalation).await.state, State::Final(FinalState::Cancelled));
    assert_eq!(claim(spool, 600).await, []);
}
