//! What goes first and by which gateway: lanes, room, orders of gateways, calls that carry several.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::{Asked, Call, MOST_IN_A_CALL, Queue, Room, Spool};
use super::{GATEWAY, accept_one, at, claim, claim_ids, retry, sent, settle, submission, unknown};
use crate::model::{Channel, Lane, Legacy, MessageId, OnUnknown, SenderId, Submission, Template, Way, Ways};

fn room(gateway: &str, calls: [usize; 3]) -> Room {
    Room { gateway: gateway.to_owned(), calls, is_open: calls != [0; 3], may_hang: false }
}

/// Accepts one SMS with this delivery.
async fn accept(spool: &dyn Spool, received: i64, phone: u32, lane: Lane, gateways: &[&str]) -> MessageId {
    let mut given = submission(received, &[phone]);
    let delivery = &mut given.messages[0].delivery;
    delivery.lane = lane;
    delivery.gateways = names(gateways);
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    id
}

fn names(gateways: &[&str]) -> Vec<String> {
    gateways.iter().map(|name| (*name).to_owned()).collect()
}

fn ids(call: &Call) -> Vec<MessageId> {
    call.messages.iter().map(|claimed| claimed.sms.id).collect()
}

/// What is claimed at `at(now)`, one SMS a call, with its gateway.
async fn claimed(spool: &dyn Spool, now: i64, rooms: Vec<Room>) -> Vec<(MessageId, String)> {
    let calls = spool.claim_due(at(now), rooms).await.unwrap();
    calls.into_iter().map(|call| (ids(&call)[0], call.gateway)).collect()
}

pub(in crate::spool) async fn a_more_urgent_lane_overtakes_and_each_keeps_its_order(spool: &dyn Spool) {
    let first_bulk = accept(spool, 0, 1, Lane::Bulk, &[]).await;
    let second_bulk = accept(spool, 1, 1, Lane::Bulk, &[]).await;
    let normal = accept(spool, 2, 1, Lane::Normal, &[]).await;
    let critical = accept(spool, 3, 1, Lane::Critical, &[]).await;
    let last_critical = accept(spool, 4, 1, Lane::Critical, &[]).await;
    let found = claim(spool, 9).await;
    let found: Vec<_> = found.into_iter().map(|claimed| (claimed.sms.id, claimed.lane)).collect();
    assert_eq!(found, [(critical, Lane::Critical), (normal, Lane::Normal), (first_bulk, Lane::Bulk)]);
    assert_eq!(claim_ids(spool, 9).await, []);
    settle(spool, first_bulk, unknown(99), 10).await;
    settle(spool, normal, sent(99), 10).await;
    assert_eq!(claim_ids(spool, 10).await, [], "each behind the one of its own lane");
    settle(spool, critical, retry(20), 10).await;
    assert_eq!(claim_ids(spool, 20).await, [critical]);
    spool.settle(critical, 2, sent(99), at(21)).await.unwrap();
    settle(spool, first_bulk, sent(99), 21).await;
    assert_eq!(claim_ids(spool, 21).await, [last_critical, second_bulk]);
}

pub(in crate::spool) async fn a_storm_in_bulk_holds_nothing_urgent_back(spool: &dyn Spool) {
    let mut storm = submission(0, &(100..400).collect::<Vec<_>>());
    for message in &mut storm.messages {
        message.delivery.lane = Lane::Bulk;
    }
    spool.accept(storm).await.unwrap();
    let rooms = || vec![room("a", [8, 7, 5])];
    assert_eq!(claimed(spool, 1, rooms()).await.len(), 5, "no more than bulk may take");
    let critical = accept(spool, 2, 1, Lane::Critical, &[]).await;
    let normal = accept(spool, 3, 2, Lane::Normal, &[]).await;
    // Bulk has taken its five of eight; three are left, two of them for what is normal.
    let left = || vec![room("a", [3, 2, 0])];
    let found = claimed(spool, 4, left()).await;
    assert_eq!(found, [(critical, "a".to_owned()), (normal, "a".to_owned())]);
    assert_eq!(claimed(spool, 5, left()).await, []);
    assert_eq!(spool.backlog().await.unwrap().due, 295);
}

pub(in crate::spool) async fn each_call_takes_room_of_every_lane(spool: &dyn Spool) {
    for (phone, lane) in [
        (1, Lane::Bulk),
        (2, Lane::Bulk),
        (3, Lane::Normal),
        (4, Lane::Normal),
        (5, Lane::Critical),
        (6, Lane::Bulk),
    ] {
        accept(spool, i64::from(phone), phone, lane, &[]).await;
    }
    let lanes = async |calls| {
        let calls = spool.claim_due(at(10), vec![room("a", calls)]).await.unwrap();
        calls.iter().map(|call| call.messages[0].lane).collect::<Vec<_>>()
    };
    assert_eq!(lanes([0; 3]).await, []);
    assert_eq!(lanes([4, 2, 1]).await, [Lane::Critical, Lane::Normal], "critical took one of normal's two");
    assert_eq!(lanes([0, 0, 1]).await, [Lane::Bulk], "a room that others do not have");
    assert_eq!(lanes([1, 1, 2]).await, [Lane::Normal, Lane::Bulk]);
    assert_eq!(lanes([9, 9, 9]).await, [Lane::Bulk]);
}

pub(in crate::spool) async fn the_first_open_gateway_of_an_order_takes_it_once_it_has_room(
    spool: &dyn Spool,
) {
    let mut ids = Vec::new();
    for phone in 1..=3 {
        ids.push(accept(spool, phone.into(), phone, Lane::Normal, &["b", "a"]).await);
    }
    let by = |n: usize, gateway: &str| (ids[n], gateway.to_owned());
    let busy = |gateway: &str| Room { is_open: true, ..room(gateway, [0; 3]) };
    let rooms = |a, b| vec![room("a", [a; 3]), room("b", [b; 3])];
    assert_eq!(claimed(spool, 9, rooms(0, 0)).await, []);
    assert_eq!(claimed(spool, 9, rooms(9, 1)).await, [by(0, "b")], "the others wait for it");
    assert_eq!(claimed(spool, 9, vec![room("a", [9; 3]), busy("b")]).await, [], "busy is not shut");
    assert_eq!(claimed(spool, 9, rooms(1, 0)).await, [by(1, "a")], "a shut one gives them up");
    // One whose gateway is shut does not hold back who goes by another.
    let only_b = accept(spool, 0, 5, Lane::Normal, &["b"]).await;
    assert_eq!(claimed(spool, 9, rooms(5, 0)).await, [by(2, "a")]);
    assert_eq!(claimed(spool, 9, rooms(5, 1)).await, [(only_b, "b".to_owned())]);
    // Without an order of its own it goes by that of the configuration.
    let any = accept(spool, 9, 6, Lane::Normal, &[]).await;
    assert_eq!(claimed(spool, 9, rooms(1, 1)).await, [(any, "a".to_owned())]);
    let any = accept(spool, 9, 7, Lane::Normal, &[]).await;
    assert_eq!(claimed(spool, 9, rooms(0, 1)).await, [(any, "b".to_owned())]);
    // What comes back may go by another one.
    settle(spool, any, retry(10), 9).await;
    assert_eq!(claimed(spool, 10, rooms(1, 0)).await, [(any, "a".to_owned())]);
}

pub(in crate::spool) async fn of_several_orders_the_longest_due_goes_first(spool: &dyn Spool) {
    let third = accept(spool, 3, 1, Lane::Normal, &["a"]).await;
    let second = accept(spool, 2, 2, Lane::Normal, &[]).await;
    let fourth = accept(spool, 4, 3, Lane::Normal, &[]).await;
    let first = accept(spool, 1, 4, Lane::Normal, &["b", "a"]).await;
    let of = async |now| -> Vec<MessageId> {
        claimed(spool, now, vec![room("a", [2; 3])]).await.into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(of(9).await, [first, second]);
    assert_eq!(of(9).await, [third, fourth]);
}

pub(in crate::spool) async fn an_order_of_unknown_gateways_goes_by_any(spool: &dyn Spool) {
    let gone = accept(spool, 0, 1, Lane::Normal, &["gone", "away"]).await;
    let half = accept(spool, 1, 2, Lane::Normal, &["gone", "b"]).await;
    let rooms = |a, b| vec![room("a", [a; 3]), room("b", [b; 3])];
    assert_eq!(
        claimed(spool, 9, rooms(5, 0)).await,
        [(gone, "a".to_owned())],
        "`b` is known and has no room"
    );
    assert_eq!(claimed(spool, 9, rooms(5, 1)).await, [(half, "b".to_owned())]);
}

pub(in crate::spool) async fn the_next_time_counts_what_can_go(spool: &dyn Spool) {
    let next = async |open: &[&str]| {
        let queue = Queue::Due { open: names(open), known: names(&["a", "b"]) };
        spool.next_due(queue).await.unwrap()
    };
    accept(spool, 30, 1, Lane::Bulk, &["b"]).await;
    assert_eq!(next(&["a"]).await, Some(at(super::LIFETIME)), "it can only expire");
    assert_eq!(next(&["a", "b"]).await, Some(at(30)));
    accept(spool, 40, 2, Lane::Critical, &["gone"]).await;
    assert_eq!(next(&["a"]).await, Some(at(40)), "any takes it");
    accept(spool, 20, 3, Lane::Normal, &[]).await;
    assert_eq!(next(&["b"]).await, Some(at(20)));
    assert_eq!(next(&[]).await, Some(at(super::LIFETIME)));
}

pub(in crate::spool) async fn every_gateway_of_an_order_or_an_attempt_is_named(spool: &dyn Spool) {
    assert_eq!(spool.gateways().await.unwrap(), [""; 0]);
    accept(spool, 0, 1, Lane::Normal, &["b", "a"]).await;
    accept(spool, 0, 2, Lane::Normal, &["a", "c"]).await;
    accept(spool, 0, 3, Lane::Normal, &[]).await;
    let claimed = claimed(spool, 1, vec![room("d", [0; 3]), room("e", [1; 3])]).await;
    assert_eq!(claimed.len(), 1);
    let mut found = spool.gateways().await.unwrap();
    found.sort();
    assert_eq!(found, ["a", "b", "c", "e"]);
}

pub(in crate::spool) async fn questions_are_for_the_gateway_that_was_given_the_sms(spool: &dyn Spool) {
    let by_a = accept(spool, 0, 1, Lane::Normal, &["a"]).await;
    let by_b = accept(spool, 0, 2, Lane::Normal, &["b"]).await;
    let mut given = submission(0, &[3]);
    given.messages[0].delivery.on_unknown = OnUnknown::Fail;
    let unknown_one = given.id.message(1);
    spool.accept(given).await.unwrap();
    let rooms = vec![room("b", [9; 3]), room("a", [9; 3])];
    assert_eq!(spool.claim_due(at(1), rooms).await.unwrap().len(), 3);
    settle(spool, by_a, sent(10), 2).await;
    settle(spool, by_b, sent(20), 2).await;
    settle(spool, unknown_one, unknown(30), 2).await;
    let next =
        async |state, gateway: &str| spool.next_due(Queue::Ask(state, gateway.to_owned())).await.unwrap();
    assert_eq!(next(Asked::Sent, "a").await, Some(at(10)));
    assert_eq!(next(Asked::Sent, "b").await, Some(at(20)));
    assert_eq!(next(Asked::Unknown, "b").await, Some(at(30)));
    assert_eq!((next(Asked::Unknown, "a").await, next(Asked::Sent, "c").await), (None, None));
    let ask = async |state, gateway: &str| {
        spool.questions(state, gateway.to_owned(), at(50), at(90), 9).await.unwrap()
    };
    assert_eq!(ask(Asked::Sent, "c").await, []);
    assert_eq!(ask(Asked::Unknown, "a").await, []);
    let [of_a] = &ask(Asked::Sent, "a").await[..] else { panic!("one question") };
    assert_eq!((of_a.id, of_a.on_unknown), (by_a, OnUnknown::Resend));
    assert_eq!(ask(Asked::Sent, "a").await, [], "not again before its time");
    let [of_b] = &ask(Asked::Unknown, "b").await[..] else { panic!("one question") };
    assert_eq!((of_b.id, of_b.on_unknown), (unknown_one, OnUnknown::Fail));
    // A start asks again what may have been asked in vain, whichever gateway it is for.
    spool.recover(at(51), at(52)).await.unwrap();
    assert_eq!((next(Asked::Sent, "a").await, next(Asked::Unknown, "b").await), (Some(at(52)), Some(at(52))));
}

fn template(channel: Channel) -> Way {
    let variables = BTreeMap::from([("text".to_owned(), "on fire".to_owned())]);
    Way::Template(Template { channel, id: "alert_v2".to_owned(), variables })
}

pub(in crate::spool) async fn a_call_says_its_way_and_whether_another_follows(spool: &dyn Spool) {
    const SILENCE: Duration = Duration::from_millis(90_500);
    let ways = [
        Ways::new(vec![template(Channel::Rcs), Way::Sms], Some(SILENCE)).unwrap(),
        Ways::new(vec![template(Channel::WhatsApp), Way::Sms], None).unwrap(),
        Ways::new(vec![template(Channel::Rcs)], Some(SILENCE)).unwrap(),
        Ways::default(),
    ];
    let mut given = submission(0, &[1, 2, 3, 4]);
    for (message, ways) in given.messages.iter_mut().zip(&ways) {
        message.delivery.ways = ways.clone();
    }
    let id = given.id;
    spool.accept(given).await.unwrap();
    let calls = spool.claim_due(at(1), super::room(9)).await.unwrap();
    let found: Vec<_> = calls
        .iter()
        .map(|call| (call.way.clone(), call.messages[0].has_next_way, call.messages[0].silence))
        .collect();
    let expected = [
        (template(Channel::Rcs), true, Some(SILENCE)),
        (template(Channel::WhatsApp), true, None),
        (template(Channel::Rcs), false, None),
        (Way::Sms, false, None),
    ];
    assert_eq!(found, expected);
    for ordinal in 1..=4 {
        settle(spool, id.message(ordinal), unknown(20), 10).await;
    }
    let ask = async |state| {
        let questions = spool.questions(state, GATEWAY.to_owned(), at(50), at(50), 9).await.unwrap();
        let told =
            |question: super::super::Question| (question.channel, question.has_next_way, question.silent_at);
        questions.into_iter().map(told).collect::<Vec<_>>()
    };
    let of = [(Channel::Rcs, true), (Channel::WhatsApp, true), (Channel::Rcs, false), (Channel::Sms, false)];
    assert_eq!(ask(Asked::Unknown).await, of.map(|(channel, has_next)| (channel, has_next, None)));
    for ordinal in 1..=4 {
        settle(spool, id.message(ordinal), sent(30), 20).await;
    }
    let silent = ask(Asked::Sent).await;
    assert_eq!(silent[0], (Channel::Rcs, true, Some(at(20) + SILENCE)));
    assert_eq!(
        silent[1..],
        of[1..].iter().map(|(channel, next)| (*channel, *next, None)).collect::<Vec<_>>()
    );
}

/// To all phones by the legacy door.
fn by_legacy(received: i64, phones: &[u32]) -> Submission {
    let mut given = submission(received, phones);
    for message in &mut given.messages {
        message.delivery.ways = Ways::only(Way::Legacy(Legacy::default()));
    }
    given
}

pub(in crate::spool) async fn what_is_alike_goes_together_by_the_legacy_door(spool: &dyn Spool) {
    let mut given = by_legacy(0, &(1..=12).collect::<Vec<_>>());
    let messages = &mut given.messages;
    messages[2].sms.text.body = "Battery empty".to_owned();
    messages[3].sms.sender = SenderId::new("Other").unwrap();
    messages[4].sms.options.simulation = true;
    messages[5].rule = "other".to_owned();
    messages[6].delivery.lane = Lane::Bulk;
    messages[7].delivery.gateways = names(&[GATEWAY]);
    let bare = Legacy { unicode: false, concatenated: true };
    messages[8].delivery.ways = Ways::only(Way::Legacy(bare));
    messages[9].delivery.ways = Ways::default();
    let after_rcs = vec![template(Channel::Rcs), Way::Legacy(Legacy::default())];
    messages[10].delivery.ways = Ways::new(after_rcs, None).unwrap();
    let id = given.id;
    spool.accept(given).await.unwrap();
    let other = by_legacy(0, &[21, 22]);
    let other_id = other.id;
    spool.accept(other).await.unwrap();
    let calls = spool.claim_due(at(1), super::room(20)).await.unwrap();
    let found: Vec<Vec<_>> = calls.iter().map(ids).collect();
    let of = |ordinals: &[u32]| ordinals.iter().map(|n| id.message(*n)).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            of(&[1, 2, 12]),
            of(&[3]),
            of(&[4]),
            of(&[5]),
            of(&[6]),
            of(&[8]),
            of(&[9]),
            of(&[10]),
            of(&[11]),
            vec![other_id.message(1), other_id.message(2)],
            of(&[7]),
        ]
    );
    assert_eq!(calls[0].way, Way::Legacy(Legacy::default()));
    assert_eq!(calls[6].way, Way::Legacy(bare));
    assert!(calls[0].messages.iter().all(|claimed| claimed.attempt == 1));
}

pub(in crate::spool) async fn only_what_is_due_and_first_of_its_phone_goes_together(spool: &dyn Spool) {
    let ahead = accept_one(spool, 0, 3).await;
    let mut given = by_legacy(0, &[1, 2, 3, 4, 2, 5]);
    given.messages[5].delivery.expires_at = at(5);
    let id = given.id;
    spool.accept(given).await.unwrap();
    let of = |ordinals: &[u32]| ordinals.iter().map(|n| id.message(*n)).collect::<Vec<_>>();
    let together = async |now, limit| -> Vec<Vec<MessageId>> {
        spool.claim_due(at(now), super::room(limit)).await.unwrap().iter().map(ids).collect()
    };
    assert_eq!(
        together(1, 2).await,
        [vec![ahead], of(&[1, 2, 4, 6])],
        "the third waits, and the second's next"
    );
    for ordinal in [1, 2] {
        settle(spool, id.message(ordinal), retry(20), 2).await;
    }
    settle(spool, id.message(6), retry(3), 2).await;
    settle(spool, id.message(4), retry(9), 2).await;
    settle(spool, ahead, sent(99), 2).await;
    assert_eq!(together(10, 1).await, [of(&[3, 4])], "the others are not due yet, or no more");
    assert_eq!(together(20, 1).await, [of(&[1, 2])]);
    spool.settle(id.message(2), 2, sent(99), at(21)).await.unwrap();
    assert_eq!(together(21, 1).await, [of(&[5])]);
}

pub(in crate::spool) async fn a_call_takes_no_more_than_it_may(spool: &dyn Spool) {
    let most = u32::try_from(MOST_IN_A_CALL).unwrap();
    let sizes = async |now, limit| {
        let calls = spool.claim_due(at(now), super::room(limit)).await.unwrap();
        calls.iter().map(|call| call.messages.len()).collect::<Vec<_>>()
    };
    spool.accept(by_legacy(0, &(0..most).collect::<Vec<_>>())).await.unwrap();
    assert_eq!(sizes(1, 1).await, [MOST_IN_A_CALL]);
    assert_eq!(sizes(1, 1).await, [0; 0]);
    spool.accept(by_legacy(2, &(1000..1001 + most).collect::<Vec<_>>())).await.unwrap();
    assert_eq!(sizes(3, 1).await, [MOST_IN_A_CALL], "a call counts as one");
    assert_eq!(sizes(3, 1).await, [1]);
    // Room is filled in one claim, though what is looked at first goes in one call.
    spool.accept(by_legacy(4, &(2000..2001 + most).collect::<Vec<_>>())).await.unwrap();
    let behind = accept_one(spool, 5, 9999).await;
    let calls = spool.claim_due(at(6), super::room(3)).await.unwrap();
    assert_eq!(calls.iter().map(|call| call.messages.len()).collect::<Vec<_>>(), [MOST_IN_A_CALL, 1, 1]);
    assert_eq!(ids(&calls[2]), [behind]);
}
