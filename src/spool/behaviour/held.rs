//! What waits on purpose, and what somebody no longer wants sent.

use jiff::Timestamp;

use super::super::{Spool, SpoolError};
use super::{
    LIFETIME, accept_one, at, claim_ids, claim_up_to, delivered, due_queue, look, message, phone, refused,
    retry, sent, settle, submission, timeline, unknown,
};
use crate::model::{Cause, EnhancedStatus, Fate, FinalState, HoldReason, MessageId, State, Submission};

fn until(seconds: i64, reason: HoldReason) -> Fate {
    Fate::Held { until: at(seconds), reason }
}

/// Accepts one SMS that is held until `at(release)`.
async fn accept_held(spool: &dyn Spool, received: i64, phone: u32, release: i64) -> MessageId {
    let mut given = submission(received, &[phone]);
    given.messages[0].fate = until(release, HoldReason::Scheduled);
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    id
}

async fn next(spool: &dyn Spool) -> Option<Timestamp> {
    spool.next_due(due_queue()).await.unwrap()
}

pub(in crate::spool) async fn what_is_held_is_due_at_its_time(spool: &dyn Spool) {
    let held = accept_held(spool, 0, 1, 50).await;
    let shown = look(spool, held).await;
    assert_eq!((shown.state, shown.next_at), (State::Held, Some(at(50))));
    assert_eq!(next(spool).await, Some(at(50)));
    let behind = accept_one(spool, 1, 1).await;
    assert_eq!(claim_ids(spool, 49).await, [behind], "who is held holds back nobody");
    settle(spool, behind, sent(99), 49).await;
    assert_eq!(next(spool).await, Some(at(50)));
    // Released although there is no room.
    assert_eq!(claim_up_to(spool, 50, 0).await, []);
    let shown = look(spool, held).await;
    assert_eq!((shown.state, shown.next_at, shown.attempts), (State::Due, Some(at(50)), 0));
    assert_eq!(claim_ids(spool, 51).await, [held]);
    assert_eq!(
        timeline(spool, held).await,
        [
            format!("0 held: held until {}: scheduled", at(50)),
            "50 due: its time has come".to_owned(),
            "51 claimed: attempt 1 began".to_owned()
        ]
    );
}

pub(in crate::spool) async fn what_was_held_takes_its_place_in_the_order_of_acceptance(spool: &dyn Spool) {
    let held = accept_held(spool, 0, 1, 50).await;
    let younger = accept_one(spool, 1, 1).await;
    let youngest = accept_one(spool, 2, 1).await;
    assert_eq!(claim_ids(spool, 10).await, [younger]);
    settle(spool, younger, retry(60), 11).await;
    assert_eq!(claim_ids(spool, 60).await, [held], "accepted before the one that came back");
    settle(spool, held, sent(99), 61).await;
    assert_eq!(claim_ids(spool, 61).await, [younger]);

    // Released while another is under way, it waits for that one.
    let held = accept_held(spool, 62, 2, 70).await;
    let younger = accept_one(spool, 63, 2).await;
    assert_eq!(claim_ids(spool, 64).await, [younger]);
    assert_eq!(claim_ids(spool, 70).await, []);
    assert_eq!(look(spool, held).await.state, State::Due);
    settle(spool, younger, unknown(99), 71).await;
    assert_eq!(claim_ids(spool, 72).await, []);
    settle(spool, younger, sent(99), 73).await;
    assert_eq!(claim_ids(spool, 73).await, [held]);
    settle(spool, held, sent(999), 73).await;

    // And it goes before that one where that one comes back.
    let held = accept_held(spool, 74, 3, 80).await;
    let younger = accept_one(spool, 75, 3).await;
    assert_eq!(claim_ids(spool, 76).await, [younger]);
    assert_eq!(claim_ids(spool, 80).await, []);
    settle(spool, younger, retry(82), 81).await;
    assert_eq!(claim_ids(spool, 82).await, [held]);
    settle(spool, held, sent(999), 83).await;
    assert_eq!(claim_ids(spool, 83).await, [younger]);
    assert_eq!(look(spool, youngest).await.state, State::Due);
}

pub(in crate::spool) async fn a_late_claim_releases_in_bounded_steps(spool: &dyn Spool) {
    const COUNT: usize = 1001;
    // Behind another, so that none of them can go for being released.
    let ahead = accept_one(spool, 0, 7).await;
    assert_eq!(claim_ids(spool, 0).await, [ahead]);
    let mut given = submission(0, &[7; COUNT]);
    for message in &mut given.messages {
        message.fate = until(10, HoldReason::Scheduled);
    }
    spool.accept(given).await.unwrap();
    let signals = spool.signals();
    let is_raised = || std::pin::pin!(signals.due.notified()).enable();
    is_raised();
    let mut steps = Vec::new();
    for _ in 0..3 {
        claim_up_to(spool, 20, 0).await;
        // Raised before the next command is answered.
        let due = spool.backlog().await.unwrap().due;
        spool.claim_mail(at(0), 0).await.unwrap();
        steps.push((due, is_raised()));
    }
    assert_eq!(steps, [(500, true), (1000, true), (COUNT, false)], "raised while more is left");
}

pub(in crate::spool) async fn what_outlives_its_time_while_held_expires(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2, 3]);
    for (message, (release, expires)) in given.messages.iter_mut().zip([(50, 40), (30, 40), (60, 41)]) {
        message.fate = until(release, HoldReason::Scheduled);
        message.delivery.expires_at = at(expires);
    }
    let id = given.id;
    spool.accept(given).await.unwrap();
    assert_eq!(next(spool).await, Some(at(30)));
    assert_eq!(claim_up_to(spool, 30, 0).await, []);
    assert_eq!(next(spool).await, Some(at(30)), "released and due");
    assert_eq!(claim_ids(spool, 40).await, []);
    for (ordinal, state) in
        [(1, State::Final(FinalState::Expired)), (2, State::Final(FinalState::Expired)), (3, State::Held)]
    {
        assert_eq!(look(spool, id.message(ordinal)).await.state, state, "{ordinal}");
    }
    assert_eq!(next(spool).await, Some(at(41)));
    assert_eq!(
        timeline(spool, id.message(1)).await.last().unwrap(),
        "40 expired: its lifetime ended while it was held"
    );
    let case = &spool.cases(at(40), at(40), 9).await.unwrap()[0];
    assert_eq!(case.outcomes.len(), 2, "whoever sent them is told");
    // Both times over at once: released first, and then too old all the same.
    let late = accept_held(spool, 50, 4, LIFETIME - 1).await;
    assert_eq!(claim_ids(spool, LIFETIME).await, []);
    assert_eq!(look(spool, late).await.state, State::Final(FinalState::Expired));
}

/// Phones 1 and 2 for `alias@sms.local`, phone 3 for another; then the escalation of the alias to phone 4 at 100.
fn escalating() -> Submission {
    let mut given = submission(0, &[1, 2, 3]);
    given.messages.push(message(given.id.message(4), phone(4)));
    given.messages[3].fate = until(100, HoldReason::Escalation);
    for n in [0, 1, 3] {
        given.messages[n].recipient.address = "alias@sms.local".to_owned();
    }
    given
}

pub(in crate::spool) async fn an_escalation_is_due_where_nobody_has_the_message(spool: &dyn Spool) {
    let given = escalating();
    let id = given.id;
    spool.accept(given).await.unwrap();
    let [first, second, other, escalation] = [1, 2, 3, 4].map(|n| id.message(n));
    assert_eq!(claim_ids(spool, 1).await, [first, second, other]);
    settle(spool, first, refused(), 2).await;
    settle(spool, second, sent(999), 2).await;
    settle(spool, other, sent(999), 2).await;
    // Somebody has it, but nobody whom the escalation is about.
    settle(spool, other, delivered(), 3).await;
    assert_eq!(claim_ids(spool, 99).await, []);
    assert_eq!(look(spool, escalation).await.state, State::Held);
    assert_eq!(claim_ids(spool, 100).await, [escalation]);
    assert_eq!(
        timeline(spool, escalation).await,
        [
            format!("0 held: held until {}: escalation", at(100)),
            "100 due: its recipient has no SMS yet that was delivered".to_owned(),
            "100 claimed: attempt 1 began".to_owned()
        ]
    );
    // That of another submission counts for nothing.
    let mut twin = escalating();
    twin.messages.truncate(1);
    let twin_id = twin.id.message(1);
    spool.accept(twin).await.unwrap();
    assert_eq!(claim_ids(spool, 101).await, [twin_id]);
    settle(spool, twin_id, sent(999), 102).await;
    settle(spool, twin_id, delivered(), 103).await;
    let given = escalating();
    let id = given.id;
    spool.accept(given).await.unwrap();
    claim_ids(spool, 1).await;
    // Where the fourth phone's earlier one is settled, this one is free to go.
    settle(spool, escalation, sent(999), 104).await;
    assert_eq!(claim_ids(spool, 104).await, [id.message(4)]);
}

pub(in crate::spool) async fn an_escalation_is_cancelled_where_somebody_has_the_message(spool: &dyn Spool) {
    let given = escalating();
    let id = given.id;
    spool.accept(given).await.unwrap();
    let [first, second, other, escalation] = [1, 2, 3, 4].map(|n| id.message(n));
    claim_ids(spool, 1).await;
    for sms in [first, second, other] {
        settle(spool, sms, sent(999), 2).await;
    }
    settle(spool, second, delivered(), 3).await;
    claim_ids(spool, LIFETIME + 1).await;
    let shown = look(spool, escalation).await;
    assert_eq!(shown.state, State::Final(FinalState::Cancelled), "long after its time, and not expired");
    let note = format!("cancelled: not needed: {second} was delivered");
    assert!(timeline(spool, escalation).await.last().unwrap().ends_with(&note));
    assert_eq!(spool.cases(at(99_999), at(LIFETIME), 9).await.unwrap(), [], "nobody is told");
}

fn unwanted() -> Cause {
    Cause::new(EnhancedStatus::POLICY, "an operator cancelled it")
}

pub(in crate::spool) async fn what_waits_can_be_cancelled_and_nothing_else(spool: &dyn Spool) {
    let held = accept_held(spool, 0, 1, 50).await;
    let due = accept_one(spool, 60, 2).await;
    let mut others = Vec::new();
    for n in 3..=7 {
        others.push(accept_one(spool, 0, n).await);
    }
    let [back, claimed, unknown_one, sent_one, ended] = others[..] else { panic!("five") };
    assert_eq!(claim_ids(spool, 1).await, others);
    settle(spool, back, retry(90), 2).await;
    settle(spool, unknown_one, unknown(90), 2).await;
    settle(spool, sent_one, sent(90), 2).await;
    settle(spool, ended, refused(), 2).await;
    for id in [held, due, back] {
        spool.cancel(id, unwanted(), at(3)).await.unwrap();
        let shown = look(spool, id).await;
        assert_eq!((shown.state, shown.next_at), (State::Final(FinalState::Cancelled), None));
        assert_eq!(timeline(spool, id).await.last().unwrap(), "3 cancelled: an operator cancelled it");
    }
    for id in [held, claimed, unknown_one, sent_one, ended, held.submission.message(2)] {
        let before = spool.submission(id.submission).await.unwrap();
        assert_eq!(spool.cancel(id, unwanted(), at(4)).await, Err(SpoolError::Stale(id)));
        assert_eq!(spool.submission(id.submission).await.unwrap(), before);
    }
    assert_eq!(claim_ids(spool, 99).await, [], "none of it is sent");
}

pub(in crate::spool) async fn what_is_cancelled_lets_the_next_pass_and_is_told_to_nobody(spool: &dyn Spool) {
    let given = submission(0, &[1, 1, 1]);
    let id = given.id;
    spool.accept(given).await.unwrap();
    spool.cancel(id.message(2), unwanted(), at(1)).await.unwrap();
    spool.cancel(id.message(1), unwanted(), at(1)).await.unwrap();
    assert_eq!(claim_ids(spool, 2).await, [id.message(3)]);
    settle(spool, id.message(3), refused(), 3).await;
    let case = &spool.cases(at(0), at(3), 9).await.unwrap()[0];
    let told: Vec<_> = case.outcomes.iter().map(|outcome| outcome.sms.id).collect();
    assert_eq!(told, [id.message(3)], "complete, and without what was cancelled");
}

pub(in crate::spool) async fn quiet_hours_hold_until_they_end(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2, 3]);
    for (message, release) in given.messages.iter_mut().zip([50, 50, 70]) {
        message.fate = until(release, HoldReason::Quiet);
    }
    given.messages[2].delivery.expires_at = at(60);
    let id = given.id;
    spool.accept(given).await.unwrap();
    let shown = look(spool, id.message(1)).await;
    assert_eq!((shown.state, shown.hold_reason), (State::Held, Some(HoldReason::Quiet)));
    assert_eq!(claim_ids(spool, 49).await, []);
    // Somebody no longer wants the second one in the morning.
    spool.cancel(id.message(2), unwanted(), at(49)).await.unwrap();
    assert_eq!(claim_ids(spool, 50).await, [id.message(1)]);
    assert_eq!(
        timeline(spool, id.message(1)).await[..2],
        [format!("0 held: held until {}: quiet", at(50)), "50 due: its time has come".to_owned()]
    );
    assert_eq!(look(spool, id.message(2)).await.state, State::Final(FinalState::Cancelled));
    assert_eq!(claim_ids(spool, 60).await, []);
    assert_eq!(look(spool, id.message(3)).await.state, State::Final(FinalState::Expired));
    assert_eq!(look(spool, id.message(1)).await.hold_reason, None, "it is over");
}
