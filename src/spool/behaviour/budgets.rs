//! Budgets, as SMS meet them.

use std::time::Duration;

use super::super::Spool;
use super::ways::two_ways;
use super::{at, callback, claim_ids, failure, look, refused, sent, settle, submission, take, timeline};
use crate::budget::key;
use crate::model::{
    Callback, Channel, Charge, Digest, Fate, FinalState, HoldReason, MessageId, Passage, Period, Price,
    State, Unit,
};

/// The day of `at(0)` ends here.
const MIDNIGHT: i64 = 6_400;
const DAY: i64 = 86_400;

/// Of a budget of three parts a day, and four for what passes the hold level.
fn passage(passes_hold: bool) -> Passage {
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
    Passage { passes_hold, budgets: vec![charge], ..Passage::default() }
}

/// Accepts one for each of these phones.
async fn accept(spool: &dyn Spool, received: i64, phones: &[u32], passes_hold: bool) -> Vec<MessageId> {
    let mut given = submission(received, phones);
    for message in &mut given.messages {
        message.passage = passage(passes_hold);
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

pub(in crate::spool) async fn what_passes_the_hold_level_goes_up_to_the_ceiling(spool: &dyn Spool) {
    accept(spool, 0, &[1, 2, 3], false).await;
    let ids = accept(spool, 1, &[4, 5], true).await;
    assert_eq!(state(spool, ids[0]).await, (State::Due, None));
    assert_eq!(state(spool, ids[1]).await, HELD);
    assert_eq!(standing(spool, 1).await, (4, 1));
    let about: Vec<String> = spool.notices(9).await.unwrap().into_iter().map(|word| word.about).collect();
    assert_eq!(about, ["budget all holds SMS", "budget all holds critical SMS, too"]);
}

pub(in crate::spool) async fn what_a_limit_lets_pass_waits_for_the_budget(spool: &dyn Spool) {
    accept(spool, 0, &[1, 2, 3], false).await;
    let mut given = submission(1, &[4]);
    given.messages[0].passage = Passage { is_exempt: true, ..passage(false) };
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    assert_eq!(state(spool, id).await, HELD);
}

pub(in crate::spool) async fn what_an_earlier_way_cost_says_nothing_of_the_next(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    let mut passage = passage(false);
    let charge = &mut passage.budgets[0];
    (charge.unit, charge.amount, charge.hold, charge.ceiling) = (Unit::Money, 90, Some(99), None);
    charge.key = key("money", Period::Day, Unit::Money);
    let message = &mut given.messages[0];
    message.passage = passage;
    message.delivery.ways = two_ways();
    message.sms.text.parts = 3;
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    assert_eq!(claim_ids(spool, 1).await, [id]);
    settle(spool, id, sent(90), 2).await;
    let by = |channel, part, parts, code, price: i64| {
        let price = Some(Price::from_millionths(price));
        Callback { channel, price, ..callback(id, part, parts, code) }
    };
    // Nothing of it reached the handset, and it cost nothing; what goes now are three parts.
    take(spool, &by(Channel::Rcs, 1, 1, 6, 0), 3).await;
    assert_eq!(state(spool, id).await, (State::Due, None));
    assert_eq!(standing(spool, 3).await, (90, 0));
    assert_eq!(claim_ids(spool, 3).await, [id]);
    spool.settle(id, 2, sent(90), at(4)).await.unwrap();
    // The platform thinks better of the price of the way before.
    take(spool, &by(Channel::Rcs, 1, 1, 6, 7), 5).await;
    assert_eq!(standing(spool, 5).await, (97, 0));
    for (part, booked) in [(1, 87), (2, 77), (3, 67)] {
        take(spool, &by(Channel::Sms, part, 3, 3, 20), 6).await;
        assert_eq!(standing(spool, 6).await, (booked, 0), "{part}");
    }
    assert_eq!(state(spool, id).await, (State::Final(FinalState::Delivered), None));
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

pub(in crate::spool) async fn a_summary_that_never_has_room_expires_with_what_it_tells_of(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    let mut of_two = passage(false);
    // A summary of one part fits the first budget, and neither goes by the second.
    of_two.budgets.push(Charge { hold: Some(0), ceiling: None, ..of_two.budgets[0].clone() });
    of_two.budgets[1].key = key("none", Period::Day, Unit::Parts);
    of_two.digest = Some(Digest { key: "night".to_owned(), every: Duration::from_secs(60) });
    given.messages[0].passage = of_two;
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    assert_eq!(state(spool, id).await, (State::Folded, None));
    let summary = look(spool, id).await.folded_into.unwrap();
    assert_eq!(claim_ids(spool, 60).await, []);
    assert_eq!(state(spool, summary).await, (State::Final(FinalState::Expired), None));
    claim_ids(spool, 60).await;
    let shown = look(spool, id).await;
    assert_eq!(shown.state, State::Final(FinalState::Expired));
    assert_eq!(shown.cause.unwrap().text, format!("by its summary {summary}: it is larger than its budget"));
    assert_eq!(standing(spool, 60).await.0, 0);
}
