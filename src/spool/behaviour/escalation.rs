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

/// SMS to phones 1 and 2 for a team; one to phone 1 for somebody of it, which goes as the first; and the escalations of
/// both, to phone 3 at `at(500)` and to phone 4 at `at(600)`. Returns the team's, and then the escalations.
async fn accept_the_same(spool: &dyn Spool) -> [MessageId; 4] {
    let mut given = submission(0, &[]);
    let id = given.id;
    let escalation = |second| Fate::Held { until: at(second), reason: HoldReason::Escalation };
    let rows = [
        ("team@sms.local", 1, Fate::Due),
        ("team@sms.local", 2, Fate::Due),
        ("chief@sms.local", 1, Fate::SameAs(id.message(1))),
        ("team@sms.local", 3, escalation(500)),
        ("chief@sms.local", 4, escalation(600)),
    ];
    for ((address, n, fate), ordinal) in rows.into_iter().zip(1..) {
        let mut one = message(id.message(ordinal), phone(n));
        one.recipient.address = address.to_owned();
        one.fate = fate;
        given.messages.push(one);
    }
    spool.accept(given).await.unwrap();
    let left_out = look(spool, id.message(3)).await;
    assert_eq!(left_out.state, State::Final(FinalState::Cancelled));
    assert_eq!(left_out.cause.unwrap().text, format!("the same text goes to this phone as {id}-1"));
    assert_eq!(claim_ids(spool, 1).await, [id.message(1), id.message(2)]);
    [1, 2, 4, 5].map(|n| id.message(n))
}

pub(in crate::spool) async fn an_escalation_goes_by_the_sms_that_goes_in_place_of_its_own(spool: &dyn Spool) {
    // It fails: the team may still get the other one, and the chief has none.
    let [first, second, of_team, of_chief] = accept_the_same(spool).await;
    settle(spool, first, refused(), 2).await;
    assert_eq!(look(spool, of_team).await.state, State::Held);
    assert_eq!(look(spool, of_chief).await.state, State::Due);
    settle(spool, second, refused(), 3).await;
    assert_eq!(claim_ids(spool, 4).await, [of_chief, of_team]);
    for escalation in [of_chief, of_team] {
        settle(spool, escalation, sent(900), 4).await;
    }

    // It is delivered: both have it.
    let [first, second, of_team, of_chief] = accept_the_same(spool).await;
    settle(spool, first, sent(900), 2).await;
    settle(spool, second, sent(900), 2).await;
    take(spool, &callback(first, 1, 1, 3), 3).await;
    for escalation in [of_team, of_chief] {
        assert_eq!(look(spool, escalation).await.state, State::Final(FinalState::Cancelled));
        assert_eq!(
            timeline(spool, escalation).await.last().unwrap(),
            &format!("3 cancelled: not needed: {first} was delivered")
        );
    }

    // The other one is: only the team has it.
    let [first, second, of_team, of_chief] = accept_the_same(spool).await;
    settle(spool, first, sent(900), 2).await;
    settle(spool, second, sent(900), 2).await;
    take(spool, &callback(second, 1, 1, 3), 3).await;
    assert_eq!(look(spool, of_team).await.state, State::Final(FinalState::Cancelled));
    assert_eq!(look(spool, of_chief).await.state, State::Held);
    assert_eq!(claim_ids(spool, 599).await, []);
    assert_eq!(claim_ids(spool, 600).await, [of_chief]);
}

pub(in crate::spool) async fn what_another_brings_stops_an_escalation_whose_time_has_come(spool: &dyn Spool) {
    let [first, second, of_team, of_chief] = accept_the_same(spool).await;
    settle(spool, first, sent(9000), 2).await;
    settle(spool, second, sent(9000), 2).await;
    assert_eq!(claim_ids(spool, 600).await, [of_team, of_chief]);
    settle(spool, of_chief, unknown(603), 602).await;
    take(spool, &callback(first, 1, 1, 3), 603).await;
    assert_eq!(
        spool.settle(of_chief, 1, retry(605), at(604)).await,
        Ok(State::Final(FinalState::Cancelled)),
        "nobody has it, and nobody needs it any more"
    );
}
