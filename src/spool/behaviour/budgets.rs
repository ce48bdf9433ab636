//! Budgets, as SMS meet them.

use super::super::Spool;
use super::{at, claim_ids, failure, look, refused, settle, submission, timeline};
use crate::budget::key;
use crate::model::{Charge, Fate, FinalState, HoldReason, MessageId, Passage, Period, State, Unit};

/// The day of `at(0)` ends here.
const MIDNIGHT: i64 = 6_400;
const DAY: i64 = 86_400;

/// Of a budget of three parts a day, and four for what is exempt.
fn passage(is_exempt: bool) -> Passage {
    let charge = Charge {
        key: key("all", Period::Day, Unit::Parts),
        period: Period::Day,
        unit: Unit::Parts,
        amount: 1,
        warn: None,
        hold: Some(3),
        ceiling: Some(4),
        zone: Some("UTC".to_owned()),
    };
    Passage { is_exempt, budgets: vec![charge], ..Passage::default() }
}

/// Accepts one for each of these phones.
async fn accept(spool: &dyn Spool, received: i64, phones: &[u32], is_exempt: bool) -> Vec<MessageId> {
    let mut given = submission(received, phones);
    for message in &mut given.messages {
        message.passage = passage(is_exempt);
    }
    let ids = given.messages.iter().map(|message| message.sms.id).collect();
    spool.accept(given).await.unwrap();
    ids
}

/// What is spent, and how many SMS wait.
async fn standing(spool: &dyn Spool, now: i64) -> (u64, u64) {
    let budgets = spool.budgets(at(now)).await.unwrap();
    (budgets.spent.iter().map(|spent| spent.amount).sum(), budgets.held)
}

async fn state(spool: &dyn Spool, id: MessageId) -> (State, Option<HoldReason>) {
    let view = look(spool, id).await;
    (view.state, view.hold_reason)
}

const HELD: (State, Option<HoldReason>) = (State::Held, Some(HoldReason::Budget));

pub(in crate::spool) async fn what_finds_no_room_is_held_until_the_period_ends(spool: &dyn Spool) {
    let ids = accept(spool, 0, &[1, 2, 3, 4, 5], false).await;
    assert_eq!(standing(spool, 0).await, (3, 2));
    assert_eq!(claim_ids(spool, 1).await, ids[..3], "the fourth of three is held");
    for id in &ids[3..] {
        assert_eq!(state(spool, *id).await, HELD);
        assert_eq!(look(spool, *id).await.next_at, Some(at(MIDNIGHT)));
    }
    assert_eq!(claim_ids(spool, MIDNIGHT - 1).await, []);
    assert_eq!(claim_ids(spool, MIDNIGHT).await, ids[3..]);
    assert_eq!(standing(spool, MIDNIGHT).await, (2, 0), "charged to the new day");
    let lines = timeline(spool, ids[3]).await;
    assert_eq!(lines[0], format!("0 held: held until {}: budget", at(MIDNIGHT)));
    assert_eq!(spool.notices(9).await.unwrap().len(), 1);
}

pub(in crate::spool) async fn what_finds_no_room_in_the_next_period_either_waits_on(spool: &dyn Spool) {
    let ids = accept(spool, 0, &[1, 2, 3, 4], false).await;
    assert_eq!(state(spool, ids[3]).await, HELD);
    let others = accept(spool, MIDNIGHT, &[5, 6, 7], false).await;
    let mut claimed = claim_ids(spool, MIDNIGHT).await;
    claimed.sort_unstable();
    let mut expected = [&ids[..3], &others].concat();
    expected.sort_unstable();
    assert_eq!(claimed, expected);
    assert_eq!(state(spool, ids[3]).await, HELD);
    assert_eq!(look(spool, ids[3]).await.next_at, Some(at(MIDNIGHT + DAY)));
    assert_eq!(standing(spool, MIDNIGHT).await, (3, 1));
    // Its lifetime ends first.
    assert_eq!(claim_ids(spool, super::LIFETIME).await, []);
    assert_eq!(state(spool, ids[3]).await, (State::Final(FinalState::Expired), None));
    assert_eq!(standing(spool, super::LIFETIME).await, (3, 0), "what was never charged is not given back");
}

pub(in crate::spool) async fn what_is_exempt_goes_up_to_the_ceiling(spool: &dyn Spool) {
    accept(spool, 0, &[1, 2, 3], false).await;
    let ids = accept(spool, 1, &[4, 5], true).await;
    assert_eq!(state(spool, ids[0]).await, (State::Due, None));
    assert_eq!(state(spool, ids[1]).await, HELD);
    assert_eq!(standing(spool, 1).await, (4, 1));
    let about: Vec<String> = spool.notices(9).await.unwrap().into_iter().map(|word| word.about).collect();
    assert_eq!(about, ["budget all holds SMS", "budget all holds critical SMS, too"]);
}

pub(in crate::spool) async fn what_is_held_for_another_reason_is_charged_when_it_goes(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    given.messages[0].passage = passage(false);
    given.messages[0].fate = Fate::Held { until: at(MIDNIGHT + 5), reason: HoldReason::Scheduled };
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    assert_eq!(standing(spool, 0).await, (0, 0));
    assert_eq!(claim_ids(spool, MIDNIGHT + 5).await, [id]);
    assert_eq!(standing(spool, MIDNIGHT + 5).await, (1, 0), "to the day on which it went");
}

pub(in crate::spool) async fn what_was_never_tried_is_given_back(spool: &dyn Spool) {
    let ids = accept(spool, 0, &[1, 1, 1], false).await;
    assert_eq!(standing(spool, 0).await, (3, 0));
    // Of one phone the first goes first.
    assert_eq!(claim_ids(spool, 1).await, ids[..1]);
    settle(spool, ids[0], refused(), 2).await;
    assert_eq!(standing(spool, 2).await, (3, 0), "it was tried");
    spool.cancel(ids[1], failure(), at(3)).await.unwrap();
    assert_eq!(standing(spool, 3).await, (2, 0));
    let beyond = accept(spool, 4, &[2, 3], false).await;
    assert_eq!(state(spool, beyond[0]).await, (State::Due, None), "there is room for one more");
    assert_eq!(state(spool, beyond[1]).await, HELD);
    spool.cancel(beyond[1], failure(), at(5)).await.unwrap();
    assert_eq!(standing(spool, 5).await, (3, 0), "what was only held takes nothing");
}
