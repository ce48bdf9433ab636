//! Several ways to one phone, one after another.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::{Again, Asked, Room, Spool, SpoolError, Step, Taken};
use super::{
    GATEWAY, LIFETIME, accept_one, at, callback, claim, claim_ids, failure, later, look, refused, retry,
    sent, settle, submission, take, timeline, unknown,
};
use crate::model::{Callback, Channel, FinalState, MessageId, Price, State, Template, Way, Ways};

const DELIVERED: State = State::Final(FinalState::Delivered);
const UNDELIVERED: State = State::Final(FinalState::Undelivered);

fn rcs() -> Way {
    let variables = BTreeMap::from([("text".to_owned(), "on fire".to_owned())]);
    Way::Template(Template { channel: Channel::Rcs, id: "alert_v2".to_owned(), variables })
}

/// By RCS first and then as SMS.
pub(super) fn two_ways() -> Ways {
    Ways::new(vec![rcs(), Way::Sms], Some(Duration::from_secs(60))).unwrap()
}

/// An SMS that goes [by RCS first and then as SMS](two_ways).
pub(super) async fn accept_two_ways(spool: &dyn Spool, phone: u32) -> MessageId {
    let mut given = submission(0, &[phone]);
    given.messages[0].delivery.ways = two_ways();
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    id
}

/// As [`accept_two_ways`], claimed by RCS at `at(1)`.
async fn by_rcs(spool: &dyn Spool, phone: u32) -> MessageId {
    let id = accept_two_ways(spool, phone).await;
    assert!(claim_ids(spool, 1).await.contains(&id));
    id
}

/// As [`by_rcs`], and refused there at `at(2)`, so that it is due as SMS.
async fn due_as_sms(spool: &dyn Spool, phone: u32) -> MessageId {
    let id = by_rcs(spool, phone).await;
    settle(spool, id, next_way(), 2).await;
    id
}

fn next_way() -> Step {
    Step::NextWay { cause: failure() }
}

fn about_rcs(id: MessageId, code: i64) -> Callback {
    Callback { channel: Channel::Rcs, ..callback(id, 1, 1, code) }
}

fn new(id: MessageId, state: State) -> Taken {
    Taken::New { id, state, gateway: Some(GATEWAY.to_owned()) }
}

pub(in crate::spool) async fn the_next_way_follows_at_once(spool: &dyn Spool) {
    let id = accept_two_ways(spool, 1).await;
    assert_eq!(look(spool, id).await.channel, Channel::Rcs, "the first to come");
    let first = spool.claim_due(at(1), super::room(9)).await.unwrap().remove(0);
    assert_eq!((&first.way, first.messages[0].has_next_way), (&rcs(), true));
    assert_eq!(spool.settle(id, 1, next_way(), at(2)).await, Ok(State::Due));
    let shown = look(spool, id).await;
    assert_eq!((shown.next_at, shown.channel), (Some(at(2)), Channel::Rcs));
    let second = spool.claim_due(at(2), super::room(9)).await.unwrap().remove(0);
    assert_eq!((&second.way, second.messages[0].has_next_way), (&Way::Sms, false));
    assert_eq!(spool.settle(id, 2, next_way(), at(3)).await, Err(SpoolError::Stale(id)), "there is no other");
    assert_eq!(look(spool, id).await.state, State::Claimed);
    assert_eq!(spool.settle(id, 2, sent(90), at(3)).await, Ok(State::Sent));
    assert_eq!(
        timeline(spool, id).await[1..],
        [
            "1 claimed: attempt 1 began",
            "2 due: the platform refused it (http 422); next by SMS",
            "2 claimed: attempt 2 began",
            "3 sent: the platform has it"
        ]
    );
    let tries: Vec<_> = look(spool, id)
        .await
        .tries
        .into_iter()
        .map(|one| (one.attempt, one.channel, one.gateway, one.began_at, one.ended_at, one.outcome))
        .collect();
    let gateway = || Some(GATEWAY.to_owned());
    let first = "due: the platform refused it (http 422); next by SMS".to_owned();
    let second = "sent: the platform has it".to_owned();
    assert_eq!(
        tries,
        [
            (1, Channel::Rcs, gateway(), at(1), Some(at(2)), Some(first)),
            (2, Channel::Sms, gateway(), at(2), Some(at(3)), Some(second))
        ]
    );
}

pub(in crate::spool) async fn a_way_follows_what_is_claimed_unknown_or_sent_only(spool: &dyn Spool) {
    let id = accept_two_ways(spool, 1).await;
    let stale = Err(SpoolError::Stale(id));
    assert_eq!(spool.settle(id, 0, next_way(), at(1)).await, stale, "due");
    claim(spool, 1).await;
    settle(spool, id, unknown(9), 2).await;
    assert_eq!(spool.settle(id, 1, next_way(), at(3)).await, Ok(State::Due), "unknown");
    assert_eq!(claim_ids(spool, 3).await, [id]);
    spool.settle(id, 2, refused(), at(4)).await.unwrap();
    assert_eq!(spool.settle(id, 2, next_way(), at(5)).await, stale, "final");
}

pub(in crate::spool) async fn who_comes_back_from_sent_takes_its_place_in_the_order(spool: &dyn Spool) {
    let id = by_rcs(spool, 1).await;
    let [second, third] = [accept_one(spool, 0, 1).await, accept_one(spool, 0, 1).await];
    settle(spool, id, sent(90), 2).await;
    assert_eq!(claim_ids(spool, 3).await, [second], "nobody waits for the handset");
    assert_eq!(spool.settle(id, 1, next_way(), at(4)).await, Ok(State::Due));
    assert_eq!(claim_ids(spool, 5).await, [], "one at a time");
    settle(spool, second, sent(90), 6).await;
    assert_eq!(claim_ids(spool, 7).await, [id], "before who was accepted later");
    spool.settle(id, 2, refused(), at(8)).await.unwrap();
    assert_eq!(claim_ids(spool, 9).await, [third]);

    // Alone, it is claimable at once.
    let alone = by_rcs(spool, 2).await;
    settle(spool, alone, sent(90), 2).await;
    spool.settle(alone, 1, next_way(), at(10)).await.unwrap();
    assert_eq!(claim_ids(spool, 10).await, [alone]);
    let case = spool.cases(at(0), at(10), 9).await.unwrap();
    assert_eq!(case.len(), 1, "what went back is not counted as ended: {case:?}");
}

pub(in crate::spool) async fn what_failed_by_callback_goes_on_by_the_next_way(spool: &dyn Spool) {
    for (n, code) in [(1, 6), (2, 8)] {
        let id = by_rcs(spool, n).await;
        settle(spool, id, sent(90), 2).await;
        assert_eq!(take(spool, &about_rcs(id, code), 3).await, new(id, State::Due), "{code}");
        assert_eq!(claim_ids(spool, 3).await, [id]);
        spool.settle(id, 2, sent(90), at(4)).await.unwrap();
        assert_eq!(take(spool, &callback(id, 1, 1, code), 5).await.clone(), {
            let end = if code == 6 { FinalState::Undelivered } else { FinalState::Expired };
            new(id, State::Final(end))
        });
    }
    // The callback was there before the answer.
    let early = by_rcs(spool, 3).await;
    take(spool, &about_rcs(early, 6), 2).await;
    assert_eq!(spool.settle(early, 1, sent(90), at(3)).await, Ok(State::Due));
    let notes = timeline(spool, early).await;
    assert_eq!(notes[3], "3 sent: the platform has it");
    assert_eq!(notes[4], "3 due: the platform could not deliver it to the handset (status 6); next by SMS");
}

pub(in crate::spool) async fn an_answer_about_a_way_that_has_ended_says_nothing_of_the_next(
    spool: &dyn Spool,
) {
    let id = by_rcs(spool, 1).await;
    settle(spool, id, unknown(10), 2).await;
    let asked = spool.questions(Asked::Unknown, GATEWAY.to_owned(), at(10), at(70), 9).await.unwrap();
    assert_eq!(asked.len(), 1);
    // While the platform is asked, it calls back; then it answers that it has had it.
    assert_eq!(take(spool, &about_rcs(id, 6), 11).await, new(id, State::Due));
    let stale = spool.settle(id, 1, sent(12), at(12)).await;
    assert_eq!(stale, Err(SpoolError::Stale(id)));
    assert_eq!(take(spool, &callback(id, 1, 1, 6), 13).await, new(id, State::Due), "nobody sent it as SMS");
    let call = spool.claim_due(at(14), super::room(9)).await.unwrap().remove(0);
    assert_eq!((call.way, call.messages[0].sms.id, call.messages[0].attempt), (Way::Sms, id, 2));
    assert_eq!(spool.settle(id, 2, sent(20), at(15)).await, Ok(State::Sent));
}

pub(in crate::spool) async fn an_earlier_way_that_came_through_ends_it(spool: &dyn Spool) {
    let due = due_as_sms(spool, 1).await;
    assert_eq!(take(spool, &about_rcs(due, 3), 3).await, new(due, DELIVERED));
    assert_eq!(
        timeline(spool, due).await[3..],
        [
            "3 due: callback: part 1 of 1 delivered (3), by RCS",
            "3 sent: the platform says that it went by RCS after all",
            "3 delivered: the handset has it"
        ]
    );
    assert_eq!(claim(spool, 4).await, []);

    let unknown_one = due_as_sms(spool, 2).await;
    claim(spool, 3).await;
    spool.settle(unknown_one, 2, unknown(90), at(4)).await.unwrap();
    assert_eq!(take(spool, &about_rcs(unknown_one, 3), 5).await, new(unknown_one, DELIVERED));

    // What failed there was known to have failed.
    let failed = due_as_sms(spool, 3).await;
    assert_eq!(take(spool, &about_rcs(failed, 6), 3).await, new(failed, State::Due));
    assert_eq!(claim_ids(spool, 4).await, [failed]);
}

pub(in crate::spool) async fn an_earlier_way_that_came_through_ends_what_the_next_has_begun(
    spool: &dyn Spool,
) {
    // Under way by the next: the answer is waited for, whatever it is.
    for (n, step) in [(1, retry(90)), (2, refused()), (3, unknown(90)), (4, sent(90))] {
        let id = due_as_sms(spool, n).await;
        assert_eq!(claim_ids(spool, 3).await, [id]);
        assert_eq!(take(spool, &about_rcs(id, 3), 4).await, new(id, State::Claimed));
        assert_eq!(spool.settle(id, 2, step.clone(), at(5)).await, Ok(DELIVERED), "{step:?}");
    }
    // With the platform by the next: nobody waits for the end of that.
    for (n, code) in [(5, 3), (6, 6), (7, 8), (8, 1)] {
        let id = due_as_sms(spool, n).await;
        claim(spool, 3).await;
        spool.settle(id, 2, sent(90), at(4)).await.unwrap();
        let paid = |callback: Callback, millionths| Callback {
            price: Some(Price::from_millionths(millionths)),
            ..callback
        };
        let half = Callback { parts: 2, ..about_rcs(id, 3) };
        assert_eq!(take(spool, &paid(half.clone(), 20), 5).await, new(id, State::Sent), "one part of two");
        assert_eq!(take(spool, &paid(Callback { part: 2, ..half }, 20), 5).await, new(id, DELIVERED));
        assert_eq!(
            timeline(spool, id).await[6..],
            [
                "5 sent: callback: part 2 of 2 delivered (3), by RCS",
                "5 sent: the platform says that it went by RCS after all",
                "5 delivered: the handset has it"
            ]
        );
        // Whatever the next one says now, it has to be paid for.
        let late = paid(callback(id, 1, 1, code), 35);
        assert_eq!(take(spool, &late, 6).await, Taken::Late { id, state: FinalState::Delivered });
        let shown = look(spool, id).await;
        assert_eq!((shown.state, shown.price), (DELIVERED, Some(Price::from_millionths(75))));
        let polled = Step::Final { state: FinalState::Undelivered, cause: later() };
        assert_eq!(spool.settle(id, 2, polled, at(7)).await, Err(SpoolError::Stale(id)), "asked before");
    }
    assert_eq!(spool.questions(Asked::Sent, GATEWAY.to_owned(), at(99), at(99), 9).await.unwrap(), []);
    // A failure there says nothing about the next.
    let id = due_as_sms(spool, 9).await;
    claim(spool, 3).await;
    spool.settle(id, 2, sent(90), at(4)).await.unwrap();
    assert_eq!(take(spool, &about_rcs(id, 6), 5).await, new(id, State::Sent));
    let step = Step::Final { state: FinalState::Undelivered, cause: later() };
    assert_eq!(spool.settle(id, 2, step, at(6)).await, Ok(UNDELIVERED));
}

pub(in crate::spool) async fn a_way_that_was_not_tried_has_no_callbacks(spool: &dyn Spool) {
    let id = by_rcs(spool, 1).await;
    settle(spool, id, sent(90), 2).await;
    for (state, now) in [(State::Sent, 3), (State::Due, 5)] {
        assert_eq!(take(spool, &callback(id, 1, 1, 3), now).await, new(id, state), "never sent as SMS");
        if state == State::Sent {
            spool.settle(id, 1, next_way(), at(4)).await.unwrap();
        }
    }
    assert_eq!(look(spool, id).await.callbacks, []);
    assert_eq!(claim_ids(spool, 6).await, [id]);
}

pub(in crate::spool) async fn a_retry_may_be_bound_to_its_gateway(spool: &dyn Spool) {
    let rooms = |names: &[&str]| -> Vec<Room> {
        let open = |name: &&str| Room { gateway: (*name).to_owned(), ..super::room(9).remove(0) };
        names.iter().map(open).collect()
    };
    let claim_by = async |now, names: &[&str]| -> Vec<(String, MessageId)> {
        let calls = spool.claim_due(at(now), rooms(names)).await.unwrap();
        calls.into_iter().map(|call| (call.gateway, call.messages[0].sms.id)).collect()
    };
    let mut ids = Vec::new();
    for (by, expected) in [(Again::Same, "first"), (Again::InOrder, "second")] {
        let id = accept_one(spool, 0, 1).await;
        assert_eq!(claim_by(1, &["first"]).await, [("first".to_owned(), id)]);
        let step = Step::Retry { at: at(5), cause: later(), by };
        settle(spool, id, step, 2).await;
        let again = claim_by(5, &["second", "first"]).await;
        assert_eq!(again, [(expected.to_owned(), id)]);
        spool.settle(id, 2, sent(LIFETIME), at(6)).await.unwrap();
        assert_eq!(look(spool, id).await.gateway.as_deref(), Some(expected));
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}
