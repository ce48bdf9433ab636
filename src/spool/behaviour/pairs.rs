//! Problem and recovery: what waits is ended by the recovery of it, and by nothing else.

use super::super::{Spool, SpoolError};
use super::storms::{
    CANCELLED, DELIVERED, accept, alarm, at_most, count, problem, recovery, state, texts, told_by,
};
use super::{at, claim_ids, failure, look};
use crate::model::{Fate, HoldReason, Message, Pairing, Passage, State};

pub(in crate::spool) async fn an_overflow_of_nothing_is_no_new_limit_to_the_operator(spool: &dyn Spool) {
    let paired = |own: Option<&str>, ends: &[&str]| {
        let ends = ends.iter().map(|key| (*key).to_owned()).collect();
        Passage { pairing: Pairing { own: own.map(str::to_owned), ends }, ..at_most(1, 60) }
    };
    alarm(spool, 0, "a", &paired(None, &[])).await;
    let down = alarm(spool, 1, "down", &paired(Some("p"), &[])).await;
    let summary = told_by(spool, down).await;
    assert_eq!(spool.notices(9).await.unwrap().len(), 1);
    // It ends all that the summary tells of, and finds no room itself.
    let up = alarm(spool, 2, "up", &paired(None, &["p"])).await;
    assert_eq!([state(spool, down).await, state(spool, summary).await], [CANCELLED; 2]);
    assert_eq!(state(spool, up).await, State::Folded);
    assert_eq!(spool.notices(9).await.unwrap().len(), 1);
}

pub(in crate::spool) async fn a_recovery_ends_what_waits(spool: &dyn Spool) {
    let hold = |reason| move |message: &mut Message| message.fate = Fate::Held { until: at(500), reason };
    let first = alarm(spool, 0, "down", &problem("p1")).await;
    let folded = alarm(spool, 1, "down", &problem("p2")).await;
    let other = alarm(spool, 2, "down", &problem("p3")).await;
    let held = accept(spool, 3, 1, "down", &problem("p2"), hold(HoldReason::Quiet)).await;
    let elsewhere = accept(spool, 4, 2, "down", &problem("p2"), hold(HoldReason::Scheduled)).await;
    let summary = told_by(spool, folded).await;
    let up = alarm(spool, 5, "up", &recovery("p2")).await;
    for id in [folded, held] {
        let shown = look(spool, id).await;
        assert_eq!(shown.state, CANCELLED);
        assert_eq!(shown.cause.unwrap().text, format!("recovered before it was sent, by {up}"));
    }
    let states = [state(spool, first).await, state(spool, elsewhere).await, state(spool, up).await];
    assert_eq!(states, [State::Due, State::Held, State::Due], "sent, for another phone, itself");
    assert_eq!((count(spool, summary).await, state(spool, summary).await), (1, State::Held));
    // The last one.
    alarm(spool, 6, "up", &recovery("p3")).await;
    assert_eq!(state(spool, other).await, CANCELLED);
    let shown = look(spool, summary).await;
    assert_eq!(shown.state, CANCELLED);
    assert_eq!(shown.cause.unwrap().text, "nothing is left that it would tell of");
    // What flaps is no new storm.
    let again = alarm(spool, 7, "down", &problem("p4")).await;
    assert_eq!(state(spool, again).await, State::Folded);
    assert_eq!(texts(spool, 59).await, ["down", "up", "up"]);
    assert_eq!(texts(spool, 60).await, ["down +1 similar, 22:13"]);
    // Now it is told: nothing is to be ended.
    alarm(spool, 61, "up", &recovery("p4")).await;
    assert_eq!(state(spool, again).await, DELIVERED);
    // Who sleeps hears of neither.
    let asleep = accept(spool, 100, 3, "down", &problem("p5"), hold(HoldReason::Quiet)).await;
    let up = accept(spool, 101, 3, "up", &recovery("p5"), hold(HoldReason::Quiet)).await;
    assert_eq!((state(spool, asleep).await, state(spool, up).await), (CANCELLED, State::Held));
}

pub(in crate::spool) async fn a_recovery_ends_nothing_that_came_after_it(spool: &dyn Spool) {
    let until = |second| {
        move |message: &mut Message| {
            message.fate = Fate::Held { until: at(second), reason: HoldReason::Scheduled };
        }
    };
    let before = accept(spool, 0, 1, "down", &problem("p"), until(200)).await;
    let up = accept(spool, 1, 1, "up", &recovery("p"), until(100)).await;
    let held = accept(spool, 2, 1, "down again", &problem("p"), until(101)).await;
    alarm(spool, 99, "down", &problem("other")).await;
    let folded = alarm(spool, 99, "down once more", &problem("p")).await;
    assert_eq!(texts(spool, 100).await, ["up", "down"]);
    assert_eq!((state(spool, before).await, state(spool, up).await), (CANCELLED, DELIVERED));
    assert_eq!((state(spool, held).await, state(spool, folded).await), (State::Held, State::Folded));
    texts(spool, 159).await;
    assert_eq!(state(spool, held).await, DELIVERED, "told by the summary: {:?}", look(spool, held).await);
}

pub(in crate::spool) async fn a_recovery_ends_what_a_summary_on_its_way_tells_no_more(spool: &dyn Spool) {
    alarm(spool, 0, "down", &problem("p1")).await;
    let folded = alarm(spool, 1, "down", &problem("p2")).await;
    let summary = told_by(spool, folded).await;
    texts(spool, 1).await;
    assert_eq!(claim_ids(spool, 60).await, [summary]);
    alarm(spool, 61, "up", &recovery("p2")).await;
    assert_eq!(state(spool, folded).await, State::Folded, "it is being told");
    assert_eq!(spool.cancel(folded, failure(), at(61)).await, Err(SpoolError::Stale(folded)));
}
