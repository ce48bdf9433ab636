//! A dry run: what is only simulated goes on, and what was accepted to be sent waits for the next start.

use std::time::Duration;

use super::super::{Asked, Queue, Spool, Step, Taken};
use super::{
    GATEWAY, LIFETIME, accept_one, at, callback, claim_ids, due_queue, look, sent, settle, submission,
    success, take, unknown,
};
use crate::model::{
    Callback, Channel, Fate, FinalState, HoldReason, Message, MessageId, State, Template, Way, Ways,
};

/// Accepts one SMS, changed by `change`, at `at(received)`.
async fn accept(
    spool: &dyn Spool,
    received: i64,
    phone: u32,
    change: impl FnOnce(&mut Message) + Send,
) -> MessageId {
    let mut given = submission(received, &[phone]);
    change(&mut given.messages[0]);
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    id
}

fn simulated(message: &mut Message) {
    message.sms.options.simulation = true;
}

/// By RCS, and then as SMS.
fn two_ways(message: &mut Message) {
    let rcs = Template { channel: Channel::Rcs, id: "alert_v2".to_owned(), variables: Default::default() };
    let ways = vec![Way::Template(rcs), Way::Sms];
    message.delivery.ways = Ways::new(ways, Some(Duration::from_secs(60))).unwrap();
}

async fn asked(spool: &dyn Spool, state: Asked, now: i64) -> Vec<MessageId> {
    let questions = spool.questions(state, GATEWAY.to_owned(), at(now), at(now + 1), 9).await.unwrap();
    questions.into_iter().map(|question| question.id).collect()
}

/// SMS with news at `at(now)`.
async fn news(spool: &dyn Spool, now: i64) -> Vec<MessageId> {
    let cases = spool.cases(at(now), at(now), 9).await.unwrap();
    cases.into_iter().flat_map(|case| case.outcomes).map(|outcome| outcome.sms.id).collect()
}

pub(in crate::spool) async fn what_is_real_waits_for_the_next_start(spool: &dyn Spool) {
    let open = accept_one(spool, 0, 1).await;
    let on_its_way = accept_one(spool, 0, 2).await;
    let by_rcs = accept(spool, 0, 3, two_ways).await;
    assert_eq!(claim_ids(spool, 1).await, [open, on_its_way, by_rcs]);
    settle(spool, open, unknown(5), 2).await;
    settle(spool, on_its_way, sent(5), 2).await;
    settle(spool, by_rcs, sent(5), 2).await;
    let due = accept_one(spool, 3, 4).await;
    let held = accept(spool, 3, 5, |message| {
        message.fate = Fate::Held { until: at(50), reason: HoldReason::Scheduled };
    })
    .await;
    let trial = accept(spool, 3, 4, simulated).await;

    spool.recover(at(4), at(5)).await.unwrap();
    assert_eq!(spool.set_real_aside().await.unwrap(), 4);
    assert_eq!(claim_ids(spool, 60).await, [trial], "it does not wait for what is left alone");
    let end = Step::Final { state: FinalState::Cancelled, cause: success() };
    settle(spool, trial, end, 61).await;
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), None);
    assert_eq!(claim_ids(spool, LIFETIME + 60).await, [], "neither sent nor expired");
    assert_eq!(asked(spool, Asked::Unknown, 60).await, []);
    assert_eq!(asked(spool, Asked::Sent, 60).await, [on_its_way], "nothing follows but its end");
    for (id, state) in [
        (open, State::Unknown),
        (on_its_way, State::Sent),
        (by_rcs, State::Sent),
        (due, State::Due),
        (held, State::Held),
    ] {
        assert_eq!(look(spool, id).await.state, state);
    }
    let backlog = spool.backlog().await.unwrap();
    assert_eq!((backlog.held, backlog.due, backlog.unknown, backlog.sent), (1, 1, 1, 2));
    // What comes in for real after the start is none of its business.
    let new = accept_one(spool, 62, 6).await;
    assert_eq!(claim_ids(spool, 62).await, [new]);

    spool.recover(at(70), at(71)).await.unwrap();
    assert_eq!(claim_ids(spool, 72).await, [due, held]);
    assert_eq!(asked(spool, Asked::Unknown, 73).await, [open, new]);
    assert_eq!(asked(spool, Asked::Sent, 73).await, [by_rcs, on_its_way]);
}

pub(in crate::spool) async fn what_is_said_of_the_real_meanwhile_counts(spool: &dyn Spool) {
    let open = accept_one(spool, 0, 1).await;
    let by_rcs = accept(spool, 0, 2, two_ways).await;
    assert_eq!(claim_ids(spool, 1).await, [open, by_rcs]);
    settle(spool, open, unknown(5), 2).await;
    settle(spool, by_rcs, sent(5), 2).await;
    spool.recover(at(3), at(4)).await.unwrap();
    assert_eq!(spool.set_real_aside().await.unwrap(), 2);

    let new = |id, state| Taken::New { id, state, gateway: Some(GATEWAY.to_owned()) };
    let undelivered = State::Final(FinalState::Undelivered);
    assert_eq!(take(spool, &callback(open, 1, 1, 6), 10).await, new(open, undelivered));
    assert_eq!(news(spool, 11).await, []);
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), None);
    let about_rcs = Callback { channel: Channel::Rcs, ..callback(by_rcs, 1, 1, 6) };
    assert_eq!(take(spool, &about_rcs, 12).await, new(by_rcs, State::Due));
    assert_eq!(claim_ids(spool, 13).await, [], "its next way is for the next start, too");

    spool.recover(at(20), at(21)).await.unwrap();
    assert_eq!(news(spool, 22).await, [open]);
    assert_eq!(claim_ids(spool, 22).await, [by_rcs]);
}
