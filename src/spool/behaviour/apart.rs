//! Folds that are apart: nobody waits in one summary for what holds back somebody else.

use std::time::Duration;

use super::super::Spool;
use super::storms::{accept, alarm, at_most, digest, plain, similar, state, texts, told_by};
use super::{at, look, timeline};
use crate::budget::key;
use crate::model::{Charge, Digest, Lane, Message, MessageId, OnUnknown, Passage, Period, State, Unit};

/// The day of `at(0)` ends here.
const MIDNIGHT: i64 = 6_400;

/// Paid by a budget of this name, of one part a day.
fn paid_by(name: &str, passage: Passage) -> Passage {
    let charge = Charge {
        key: key(name, Period::Day, Unit::Parts),
        period: Period::Day,
        unit: Unit::Parts,
        amount: 1,
        warn: None,
        hold: Some(1),
        ceiling: None,
        zone: Some("UTC".to_owned()),
    };
    Passage { budgets: vec![charge], ..passage }
}

pub(in crate::spool) async fn nobody_waits_for_the_budget_of_others(spool: &dyn Spool) {
    let (spent, free) = (paid_by("pbx", at_most(1, 60)), at_most(1, 60));
    alarm(spool, 0, "a", &spent).await;
    assert_eq!(texts(spool, 0).await, ["a"]);
    let waits = alarm(spool, 1, "b", &spent).await;
    let free = alarm(spool, 2, "c", &free).await;
    let (of_spent, of_free) = (told_by(spool, waits).await, told_by(spool, free).await);
    assert_ne!(of_spent, of_free);
    assert_eq!(texts(spool, 60).await, ["1 alert 22:13: c"]);
    assert_eq!(look(spool, of_spent).await.next_at, Some(at(MIDNIGHT)));
    let line = timeline(spool, of_spent).await.pop().unwrap();
    assert!(line.ends_with(": a budget is spent"), "{line}");
    // Others go on, whoever waits for money; and what that budget pays goes on to wait.
    alarm(spool, 200, "d", &at_most(1, 60)).await;
    let behind = alarm(spool, 201, "e", &spent).await;
    assert_eq!(texts(spool, 201).await, ["d"]);
    assert_eq!(told_by(spool, behind).await, of_spent);
    assert_eq!(texts(spool, MIDNIGHT).await, ["2 alerts 22:13-22:16: b; e"]);
}

/// Accepts one with these changes twice beside one without, and asks that only those of one kind fold together.
async fn are_apart(
    spool: &dyn Spool,
    start: i64,
    to: u32,
    passage: &Passage,
    other: &Passage,
    change: fn(&mut Message),
) {
    let mut ids: Vec<MessageId> = Vec::new();
    for second in 0..3 {
        ids.push(accept(spool, start + second, to, "usual", passage, |_| {}).await);
        ids.push(accept(spool, start + second, to, "other", other, change).await);
    }
    let [.., usual, other, usual_too, other_too] = ids.as_slice() else { unreachable!() };
    let mut told = Vec::new();
    for id in [usual, other, usual_too, other_too] {
        assert_eq!(state(spool, *id).await, State::Folded);
        told.push(told_by(spool, *id).await);
    }
    assert_eq!((told[0], told[1]), (told[2], told[3]));
    assert_ne!(told[0], told[1]);
    let (usual, other) = (look(spool, told[0]).await, look(spool, told[1]).await);
    assert_eq!((usual.sms.text.body, other.sms.text.body), ("usual".to_owned(), "other".to_owned()));
}

pub(in crate::spool) async fn what_is_paid_or_sent_otherwise_is_told_by_another_summary(spool: &dyn Spool) {
    let changes: [fn(&mut Message); 3] = [
        |message| message.delivery.gateways = vec!["backup".to_owned()],
        |message| message.delivery.on_unknown = OnUnknown::Fail,
        |message| message.delivery.lane = Lane::Bulk,
    ];
    let kinds: [fn(String) -> Passage; 3] = [
        |key| similar(&key),
        |key| {
            let every = Duration::from_secs(60);
            Passage { digest: Some(Digest { key, every }), ..plain() }
        },
        |key| {
            let mut passage = at_most(1, 60);
            passage.limits[0].key = key;
            passage
        },
    ];
    let mut to = 0;
    for of_kind in kinds {
        for change in changes {
            to += 1;
            let passage = of_kind(format!("to {to}"));
            are_apart(spool, i64::from(to) * 10, to, &passage, &passage, change).await;
        }
        to += 1;
        let passage = of_kind(format!("to {to}"));
        let mut plenty = paid_by("plenty", passage.clone());
        plenty.budgets[0].hold = None;
        are_apart(spool, i64::from(to) * 10, to, &passage, &plenty, |_| {}).await;
    }
}

pub(in crate::spool) async fn digests_of_other_intervals_are_other_digests(spool: &dyn Spool) {
    let (soon, late) = (digest(60), digest(900));
    let waits = alarm(spool, 0, "report", &late).await;
    let ups = alarm(spool, 1, "on battery", &soon).await;
    assert_ne!(told_by(spool, waits).await, told_by(spool, ups).await);
    assert_eq!(texts(spool, 60).await, [""; 0]);
    assert_eq!(texts(spool, 61).await, ["1 alert 22:13: on battery"]);
    assert_eq!(texts(spool, 900).await, ["1 alert 22:13: report"]);
    // Of one interval they are one.
    let first = alarm(spool, 1_000, "a", &soon).await;
    let second = alarm(spool, 1_001, "b", &soon).await;
    assert_eq!(told_by(spool, first).await, told_by(spool, second).await);
}
