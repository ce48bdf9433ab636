//! What waited for the platform passes the limits of its phone again before it goes.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::time;

use super::super::{Claimed, Spool};
use super::{
    at, claim, claim_ids, claim_up_to, delivered, due_queue, failure, look, refused, retry, room, sent,
    settle, submission, timeline,
};
use crate::model::{
    Channel, Charge, Digest, FinalState, HoldReason, Lane, Legacy, Limit, LimitScope, LimitStep, Message,
    MessageId, Pairing, Passage, Period, Pieces, QuietSpan, Similar, State, SummaryForm, Template, Unit, Way,
    Ways,
};
use crate::storm::limit::PRESET;

const DELIVERED: State = State::Final(FinalState::Delivered);
const HOUR: i64 = 3600;

fn passage(steps: &[LimitStep]) -> Passage {
    let limit = Limit { key: "to a phone".to_owned(), scope: LimitScope::Destination, steps: steps.to_vec() };
    Passage {
        limits: vec![limit],
        summary: SummaryForm { zone: Some("UTC".to_owned()), ..SummaryForm::default() },
        ..Passage::default()
    }
}

/// So many SMS to the phone in so many seconds.
fn at_most(most: u32, within: u64) -> Passage {
    passage(&[LimitStep { most, within: Duration::from_secs(within) }])
}

/// Accepts one SMS of these words to `phone` at `at(received)`, changed by `change`; it lives for a day.
async fn accept(
    spool: &dyn Spool,
    received: i64,
    to: u32,
    words: &str,
    passage: &Passage,
    change: impl FnOnce(&mut Message) + Send,
) -> MessageId {
    let mut given = submission(received, &[to]);
    let id = given.id.message(1);
    let message = &mut given.messages[0];
    message.sms.text.body = words.to_owned();
    message.passage = passage.clone();
    message.delivery.expires_at = at(received + 24 * HOUR);
    change(message);
    spool.accept(given).await.unwrap();
    id
}

async fn alarm(spool: &dyn Spool, received: i64, words: &str, passage: &Passage) -> MessageId {
    accept(spool, received, 1, words, passage, |_| {}).await
}

async fn state(spool: &dyn Spool, id: MessageId) -> State {
    look(spool, id).await.state
}

async fn told_by(spool: &dyn Spool, id: MessageId) -> MessageId {
    look(spool, id).await.folded_into.unwrap()
}

async fn last(spool: &dyn Spool, id: MessageId) -> String {
    timeline(spool, id).await.pop().unwrap()
}

async fn deliver(spool: &dyn Spool, claimed: &Claimed, now: i64) {
    spool.settle(claimed.sms.id, claimed.attempt, sent(now + 90), at(now)).await.unwrap();
    spool.settle(claimed.sms.id, claimed.attempt, delivered(), at(now)).await.unwrap();
}

/// What goes out at `at(now)`, in words. All of it has arrived at once.
async fn texts(spool: &dyn Spool, now: i64) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let claimed = claim(spool, now).await;
        if claimed.is_empty() {
            return texts;
        }
        for claimed in claimed {
            deliver(spool, &claimed, now).await;
            texts.push(claimed.sms.text.body);
        }
    }
}

/// Nothing can go at `at(now)`, but what is held is let go.
async fn nothing_goes(spool: &dyn Spool, now: i64) {
    assert_eq!(claim_up_to(spool, now, 0).await, []);
}

pub(in crate::spool) async fn an_outage_brings_the_first_and_one_summary(spool: &dyn Spool) {
    let usual = passage(&PRESET);
    let mut now = 0;
    let mut ids = Vec::new();
    // So many as are let go in three hours, each as soon as there is room.
    for minute in [0, 1, 2, 3, 4, 15, 16, 17, 18, 19, 30, 60, 61, 62, 63, 64, 75, 76, 77, 78, 79] {
        now = minute * 60;
        ids.push(alarm(spool, now, &format!("alarm {minute}"), &usual).await);
        assert_eq!(state(spool, *ids.last().unwrap()).await, State::Due);
    }
    now += 100;
    assert_eq!(texts(spool, now).await, ["alarm 0"]);
    let summary = told_by(spool, ids[1]).await;
    for id in &ids[1..] {
        assert_eq!((state(spool, *id).await, told_by(spool, *id).await), (State::Folded, summary));
        let words =
            format!("{now} folded: folded into {summary}: no room for the phone until {}", at(now + 60));
        assert_eq!(last(spool, *id).await, words);
    }
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(now + 60)));
    assert_eq!(texts(spool, now + 59).await, [""; 0]);
    let told = texts(spool, now + 60).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("20 alerts 22:14-23:32: alarm 1; 2; "), "{told:?}");
    assert_eq!(texts(spool, now + 24 * HOUR).await, [""; 0]);
    for id in ids {
        assert_eq!(state(spool, id).await, DELIVERED);
    }
}

pub(in crate::spool) async fn summaries_that_waited_become_one(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(alarm(spool, n * 10, &format!("a{n}"), &one).await);
        nothing_goes(spool, n * 10).await;
    }
    // a0, and four summaries of six each that found room; the last five still gather.
    let first = told_by(spool, ids[1]).await;
    let newest = told_by(spool, ids[29]).await;
    assert_eq!((state(spool, first).await, state(spool, newest).await), (State::Due, State::Held));
    assert_eq!(texts(spool, 295).await, ["a0"]);
    assert_eq!((state(spool, first).await, told_by(spool, first).await), (State::Folded, newest));
    assert_eq!(look(spool, newest).await.tells_of.unwrap().count, 29);
    let told = texts(spool, 355).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("29 alerts 22:13-22:18: "), "{told:?}");
    assert_eq!(texts(spool, 9000).await, [""; 0]);
    for id in ids {
        assert_eq!(state(spool, id).await, DELIVERED);
    }
}

pub(in crate::spool) async fn the_summary_of_an_overflow_waits_on_and_gathers(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let first = alarm(spool, 0, "a", &one).await;
    let second = alarm(spool, 10, "b", &one).await;
    let summary = told_by(spool, second).await;
    nothing_goes(spool, 60).await;
    assert_eq!((state(spool, first).await, state(spool, summary).await), (State::Due, State::Due));
    assert_eq!(texts(spool, 100).await, ["a"]);
    let shown = look(spool, summary).await;
    assert_eq!((shown.state, shown.hold_reason), (State::Held, Some(HoldReason::Summary)));
    assert_eq!(shown.next_at, Some(at(160)));
    assert_eq!(last(spool, summary).await, format!("100 held: held until {}: no room", at(160)));
    let third = alarm(spool, 110, "c", &one).await;
    assert_eq!(told_by(spool, third).await, summary, "it gathers on");
    assert_eq!(texts(spool, 159).await, [""; 0]);
    assert_eq!(texts(spool, 160).await, ["2 alerts 22:13-22:15: b; c"]);
    assert_eq!([state(spool, second).await, state(spool, third).await], [DELIVERED; 2]);
    // And the next overflow begins as after any other.
    let fourth = alarm(spool, 170, "d", &one).await;
    assert_ne!(told_by(spool, fourth).await, summary);
}

pub(in crate::spool) async fn a_summary_that_waited_is_told_by_the_overflow(spool: &dyn Spool) {
    let window = Duration::from_secs(60);
    let storm = Passage {
        similar: Some(Similar { key: "link".to_owned(), window }),
        ..passage(&[LimitStep { most: 2, within: Duration::from_secs(100) }])
    };
    let night =
        Passage { digest: Some(Digest { key: "night".to_owned(), every: window }), ..at_most(2, 100) };
    alarm(spool, 0, "link down", &storm).await;
    let folded = [alarm(spool, 1, "link down", &storm).await, alarm(spool, 2, "link down", &storm).await];
    let quiet = alarm(spool, 150, "stock low", &night).await;
    nothing_goes(spool, 60).await;
    nothing_goes(spool, 210).await;
    let summaries = [told_by(spool, folded[0]).await, told_by(spool, quiet).await];
    assert_eq!([state(spool, summaries[0]).await, state(spool, summaries[1]).await], [State::Due; 2]);
    assert_eq!(texts(spool, 250).await, ["link down", "link down +2 similar, 22:13"]);
    assert_eq!(state(spool, summaries[1]).await, State::Folded);
    assert_eq!(texts(spool, 349).await, [""; 0]);
    assert_eq!(texts(spool, 350).await, ["1 alert 22:15: stock low"]);
    assert_eq!(state(spool, quiet).await, DELIVERED);
    // What says the same counts as those that it stands for.
    let storm = Passage { limits: at_most(1, 100).limits, ..storm };
    alarm(spool, 1000, "link down", &storm).await;
    let folded =
        [alarm(spool, 1001, "link down", &storm).await, alarm(spool, 1002, "link down", &storm).await];
    nothing_goes(spool, 1200).await;
    let inner = told_by(spool, folded[0]).await;
    assert_eq!(state(spool, inner).await, State::Due);
    assert_eq!(texts(spool, 1300).await, ["link down"]);
    let outer = told_by(spool, inner).await;
    assert_eq!(look(spool, outer).await.tells_of.unwrap().count, 2);
    assert_eq!(texts(spool, 1400).await, ["2 alerts 22:30: link down (x2)"]);
    assert_eq!([state(spool, folded[0]).await, state(spool, folded[1]).await], [DELIVERED; 2]);
}

pub(in crate::spool) async fn what_is_exempt_goes_after_an_outage_and_counts(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let exempt = Passage { is_exempt: true, ..one.clone() };
    let waiting = alarm(spool, 0, "a", &one).await;
    let critical = |message: &mut Message| message.delivery.lane = Lane::Critical;
    for n in 0..3 {
        accept(spool, n, 1, &format!("fire {n}"), &exempt, critical).await;
    }
    assert_eq!(texts(spool, 1000).await, ["fire 0", "fire 1", "fire 2"]);
    assert_eq!(state(spool, waiting).await, State::Folded);
    assert_eq!(texts(spool, 1059).await, [""; 0]);
    assert_eq!(texts(spool, 1060).await, ["1 alert 22:13: a"]);
}

pub(in crate::spool) async fn what_goes_within_a_second_is_not_asked_again(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let exempt = Passage { is_exempt: true, ..one.clone() };
    let ms = |millis: i64| at(0) + SignedDuration::from_millis(millis);
    for (phone, waited, may_go) in [(1, 999, true), (2, 1000, false)] {
        let mut one = one.clone();
        one.limits[0].key = format!("phone {phone}");
        let mut exempt = exempt.clone();
        exempt.limits[0].key = format!("phone {phone}");
        let first = accept(spool, 0, phone, "a", &one, |_| {}).await;
        let urgent = |message: &mut Message| message.delivery.lane = Lane::Critical;
        accept(spool, 0, phone, "fire", &exempt, urgent).await;
        let calls = spool.claim_due(ms(waited), room(9)).await.unwrap();
        let ids: Vec<_> =
            calls.iter().flat_map(|call| &call.messages).map(|claimed| claimed.sms.id).collect();
        assert_eq!((ids.len(), ids.contains(&first)), (1 + usize::from(may_go), may_go), "{waited}");
    }
}

pub(in crate::spool) async fn what_ended_before_it_was_tried_takes_no_room(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let cancelled = alarm(spool, 0, "a", &one).await;
    spool.cancel(cancelled, failure(), at(1)).await.unwrap();
    let expired = accept(spool, 2, 1, "b", &one, |message| message.delivery.expires_at = at(3)).await;
    assert_eq!(state(spool, expired).await, State::Due);
    nothing_goes(spool, 3).await;
    assert_eq!(state(spool, expired).await, State::Final(FinalState::Expired));
    let third = alarm(spool, 4, "c", &one).await;
    assert_eq!(claim_ids(spool, 4).await, [third]);
    // What was tried may have arrived, whatever became of it.
    settle(spool, third, refused(), 5).await;
    let fourth = alarm(spool, 63, "d", &one).await;
    assert_eq!(state(spool, fourth).await, State::Folded);
}

pub(in crate::spool) async fn who_waits_behind_another_lets_it_go_first(spool: &dyn Spool) {
    let two = at_most(2, 60);
    let first = alarm(spool, 0, "a", &two).await;
    let second = alarm(spool, 1, "b", &two).await;
    let third = alarm(spool, 2, "c", &two).await;
    assert_eq!(state(spool, third).await, State::Folded);
    // The first two came before what overflows, so that they go; and there is no room for a while.
    assert_eq!(texts(spool, 50).await, ["a", "b"]);
    assert_eq!([state(spool, first).await, state(spool, second).await], [DELIVERED; 2]);
    assert_eq!(texts(spool, 109).await, [""; 0]);
    assert_eq!(texts(spool, 110).await, ["1 alert 22:13: c"]);

    // By its own rule the last has room, but another waits before it.
    let one = at_most(1, 60);
    alarm(spool, 1000, "d", &one).await;
    let before = alarm(spool, 1060, "e", &one).await;
    let last = alarm(spool, 1061, "f", &at_most(5, 60)).await;
    assert_eq!(texts(spool, 1100).await, ["d"]);
    assert_eq!(told_by(spool, before).await, told_by(spool, last).await);
    assert_eq!(texts(spool, 1159).await, [""; 0]);
    assert_eq!(texts(spool, 1160).await, ["2 alerts 22:31: e; f"]);
}

pub(in crate::spool) async fn what_was_tried_waits_for_room_and_is_not_folded(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let exempt = Passage { is_exempt: true, ..one.clone() };
    let first = alarm(spool, 0, "a", &one).await;
    assert_eq!(claim_ids(spool, 0).await, [first]);
    // Each of its tries takes the place of the one before.
    for (attempt, now) in [(1, 0), (2, 30), (3, 50), (4, 70)] {
        spool.settle(first, attempt, retry(now + 10), at(now)).await.unwrap();
        let again = claim_ids(spool, now + 20).await;
        assert_eq!(again, [first], "at {now}");
    }
    spool.settle(first, 5, retry(100), at(90)).await.unwrap();
    let urgent = |message: &mut Message| message.delivery.lane = Lane::Critical;
    let fire = accept(spool, 95, 1, "fire", &exempt, urgent).await;
    assert_eq!(claim_ids(spool, 100).await, [fire]);
    let shown = look(spool, first).await;
    assert_eq!((shown.state, shown.next_at), (State::Due, Some(at(160))));
    assert_eq!(last(spool, first).await, format!("100 due: no room for the phone until {}", at(160)));
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(160)));
    assert_eq!(claim_ids(spool, 159).await, []);
    assert_eq!(claim_ids(spool, 160).await, [first]);
    spool.settle(first, 6, sent(900), at(160)).await.unwrap();
    assert_eq!(
        state(spool, alarm(spool, 219, "b", &one).await).await,
        State::Folded,
        "it counts from then on"
    );
}

pub(in crate::spool) async fn what_waits_for_room_holds_up_nobody_behind_it(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let exempt = Passage { is_exempt: true, ..one.clone() };
    let first = alarm(spool, 0, "a", &one).await;
    assert_eq!(claim_ids(spool, 0).await, [first]);
    spool.settle(first, 1, retry(50), at(0)).await.unwrap();
    let urgent = |message: &mut Message| message.delivery.lane = Lane::Critical;
    let fire = accept(spool, 40, 1, "fire", &exempt, urgent).await;
    assert_eq!(claim_ids(spool, 40).await, [fire]);
    settle(spool, fire, sent(900), 40).await;
    let code = alarm(spool, 45, "your code is 4711", &exempt).await;
    assert_eq!(claim_ids(spool, 49).await, []);
    // The code waits for what is to be tried again, but not for room.
    assert_eq!(claim_ids(spool, 50).await, [code]);
    assert_eq!(last(spool, first).await, format!("50 due: no room for the phone until {}", at(100)));
    settle(spool, code, sent(900), 50).await;
    // Nor does one that comes while nobody else is there; not even the end of the process changes that.
    spool.recover(at(60), at(60)).await.unwrap();
    let later = alarm(spool, 60, "your code is 4712", &exempt).await;
    assert_eq!(claim_ids(spool, 60).await, [later]);
    settle(spool, later, sent(900), 60).await;
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(100)));
    assert_eq!(claim_ids(spool, 100).await, []);
    assert_eq!(last(spool, first).await, format!("100 due: no room for the phone until {}", at(120)));
    // Its turn comes before that of whoever came after it.
    let next = alarm(spool, 120, "your code is 4713", &exempt).await;
    assert_eq!(claim_ids(spool, 120).await, [first]);
    spool.settle(first, 2, sent(900), at(120)).await.unwrap();
    assert_eq!(claim_ids(spool, 120).await, [next]);
}

pub(in crate::spool) async fn the_pieces_of_a_text_wait_for_the_first_of_them(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let mut given = submission(0, &[1, 1]);
    for message in &mut given.messages {
        message.passage = Passage { pieces: Some(Pieces { first: 1, count: 2 }), ..one.clone() };
        message.delivery.expires_at = at(24 * HOUR);
    }
    let [first, second] = [given.id.message(1), given.id.message(2)];
    spool.accept(given).await.unwrap();
    assert_eq!(claim_ids(spool, 0).await, [first]);
    spool.settle(first, 1, retry(50), at(0)).await.unwrap();
    let exempt = Passage { is_exempt: true, ..one };
    let urgent = |message: &mut Message| message.delivery.lane = Lane::Critical;
    let fire = accept(spool, 40, 1, "fire", &exempt, urgent).await;
    assert_eq!(claim_ids(spool, 40).await, [fire]);
    settle(spool, fire, sent(900), 40).await;
    assert_eq!(claim_ids(spool, 50).await, []);
    assert_eq!(last(spool, first).await, format!("50 due: no room for the phone until {}", at(100)));
    assert_eq!(claim_ids(spool, 99).await, []);
    assert_eq!(claim_ids(spool, 100).await, [first]);
    spool.settle(first, 2, sent(900), at(100)).await.unwrap();
    assert_eq!(claim_ids(spool, 100).await, [second]);
}

pub(in crate::spool) async fn a_text_that_goes_by_its_next_way_counts_once(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let template = Template { channel: Channel::Rcs, id: "alert".to_owned(), variables: Default::default() };
    let first = accept(spool, 0, 1, "a", &one, |message| {
        message.delivery.ways = Ways::new(vec![Way::Template(template), Way::Sms], None).unwrap();
    })
    .await;
    assert_eq!(claim_ids(spool, 0).await, [first]);
    settle(spool, first, sent(90), 0).await;
    settle(spool, first, super::super::Step::NextWay { cause: failure() }, 20).await;
    assert_eq!(claim_ids(spool, 21).await, [first], "what it takes the place of did not arrive");
    spool.settle(first, 2, sent(900), at(21)).await.unwrap();
    let next = alarm(spool, 80, "b", &one).await;
    assert_eq!(state(spool, next).await, State::Folded, "it counts from then on");
}

/// One part of a budget that has room.
fn parts() -> Charge {
    Charge {
        key: "all".to_owned(),
        period: Period::Day,
        unit: Unit::Parts,
        amount: 1,
        warn: None,
        hold: None,
        ceiling: None,
        zone: Some("UTC".to_owned()),
    }
}

async fn spent(spool: &dyn Spool, now: i64) -> u64 {
    spool.budgets(at(now)).await.unwrap().spent.iter().map(|spent| spent.amount).sum()
}

pub(in crate::spool) async fn what_folds_gives_back_what_it_was_charged(spool: &dyn Spool) {
    let one = Passage { budgets: vec![parts()], ..at_most(1, 60) };
    let used = async || spool.parts_of_account_since("ups".to_owned(), at(0)).await.unwrap();
    let of_account = async |received, words: &str| {
        let mut given = submission(received, &[1]);
        given.client.account = Some("ups".to_owned());
        given.messages[0].sms.text.body = words.to_owned();
        given.messages[0].passage = one.clone();
        let id = given.id.message(1);
        spool.accept(given).await.unwrap();
        id
    };
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(of_account(n * 60, &format!("a{n}")).await);
    }
    let fourth = of_account(130, "a3").await;
    nothing_goes(spool, 180).await;
    let summary = told_by(spool, fourth).await;
    assert_eq!((spent(spool, 180).await, used().await, state(spool, summary).await), (4, 3, State::Due));
    assert_eq!(spool.signals().unused.take().len(), 1);
    assert_eq!(texts(spool, 200).await, ["a0"]);
    assert_eq!([state(spool, ids[1]).await, state(spool, ids[2]).await], [State::Folded; 2]);
    assert_eq!(
        (spent(spool, 200).await, used().await),
        (1, 1),
        "what folds, and what is held again, gives it back"
    );
    assert_eq!(spool.signals().unused.take().len(), 2);
    // Once.
    spool.cancel(ids[1], failure(), at(201)).await.unwrap();
    assert_eq!((spent(spool, 201).await, used().await), (1, 1));
    assert_eq!(texts(spool, 260).await.len(), 1);
    assert_eq!(texts(spool, 9000).await, [""; 0]);
    assert_eq!((spent(spool, 260).await, used().await), (2, 1), "the summary is charged by itself");
    assert_eq!(spool.signals().unused.take().len(), 0);
}

pub(in crate::spool) async fn a_summary_that_is_held_again_is_charged_when_it_goes(spool: &dyn Spool) {
    let one = Passage { budgets: vec![parts()], ..at_most(1, 60) };
    alarm(spool, 0, "a", &one).await;
    let second = alarm(spool, 10, "b", &one).await;
    nothing_goes(spool, 60).await;
    assert_eq!(spent(spool, 60).await, 2);
    assert_eq!(texts(spool, 100).await, ["a"]);
    assert_eq!((spent(spool, 100).await, state(spool, told_by(spool, second).await).await), (1, State::Held));
    assert_eq!(texts(spool, 160).await.len(), 1);
    assert_eq!(spent(spool, 160).await, 2);
}

pub(in crate::spool) async fn lanes_share_the_room_and_not_their_summaries(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let bulk = |message: &mut Message| message.delivery.lane = Lane::Bulk;
    let slow = accept(spool, 0, 1, "s1", &one, bulk).await;
    let first = alarm(spool, 60, "a", &one).await;
    let second = alarm(spool, 120, "b", &one).await;
    assert_eq!(texts(spool, 300).await, ["a"]);
    assert_eq!(state(spool, first).await, DELIVERED);
    assert_ne!(told_by(spool, slow).await, told_by(spool, second).await);
    assert_eq!(texts(spool, 360).await, ["1 alert 22:13: s1"]);
    assert_eq!(texts(spool, 419).await, [""; 0]);
    assert_eq!(texts(spool, 420).await, ["1 alert 22:15: b"]);
}

pub(in crate::spool) async fn what_is_simulated_waits_for_its_own_room(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let simulated = |message: &mut Message| message.sms.options.simulation = true;
    let real = alarm(spool, 0, "a", &one).await;
    let checked = accept(spool, 0, 1, "s", &one, simulated).await;
    let folded = accept(spool, 60, 1, "t", &one, simulated).await;
    assert_eq!(texts(spool, 100).await, ["a", "s"]);
    assert_eq!([state(spool, real).await, state(spool, checked).await], [DELIVERED; 2]);
    assert!(look(spool, told_by(spool, folded).await).await.sms.options.simulation);
}

pub(in crate::spool) async fn those_of_one_call_are_asked_each(spool: &dyn Spool) {
    let limited = |phone: u32| {
        let mut passage = at_most(1, 60);
        passage.limits[0].key = format!("phone {phone}");
        passage
    };
    let give = |received, phones: &[u32]| {
        let mut given = submission(received, phones);
        for (message, phone) in given.messages.iter_mut().zip(phones) {
            message.passage = limited(*phone);
            let legacy = Way::Legacy(Legacy { unicode: false, concatenated: true });
            message.delivery.ways = Ways::new(vec![legacy], None).unwrap();
        }
        given
    };
    let many = give(0, &[1, 2, 3]);
    let id = many.id;
    spool.accept(many).await.unwrap();
    // What is urgent takes the room of two of them.
    for phone in [1, 3] {
        let urgent = |message: &mut Message| message.delivery.lane = Lane::Critical;
        accept(spool, 1, phone, "fire", &Passage { is_exempt: true, ..limited(phone) }, urgent).await;
    }
    let calls = spool.claim_due(at(5), room(9)).await.unwrap();
    let ids: Vec<Vec<_>> =
        calls.iter().map(|call| call.messages.iter().map(|claimed| claimed.sms.id).collect()).collect();
    assert_eq!(ids.len(), 3, "no call for those that fold: {ids:?}");
    assert_eq!(ids[2], [id.message(2)]);
    let states = [state(spool, id.message(1)).await, state(spool, id.message(3)).await];
    assert_eq!(states, [State::Folded; 2]);
}

pub(in crate::spool) async fn a_recovery_ends_what_folded_after_an_outage(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let problem = Passage { pairing: Pairing { own: Some("p".to_owned()), ends: Vec::new() }, ..one.clone() };
    let recovery =
        Passage { pairing: Pairing { own: None, ends: vec!["p".to_owned()] }, ..Passage::default() };
    alarm(spool, 0, "a", &one).await;
    let down = alarm(spool, 60, "down", &problem).await;
    texts(spool, 100).await;
    let summary = told_by(spool, down).await;
    alarm(spool, 101, "up", &recovery).await;
    assert_eq!(state(spool, down).await, State::Final(FinalState::Cancelled));
    assert_eq!(state(spool, summary).await, State::Final(FinalState::Cancelled));
    assert_eq!(texts(spool, 160).await, ["up"]);
}

pub(in crate::spool) async fn what_is_told_by_nested_overflows_can_be_cancelled(spool: &dyn Spool) {
    let one = at_most(1, 60);
    alarm(spool, 0, "a", &one).await;
    let early = alarm(spool, 10, "b", &one).await;
    nothing_goes(spool, 60).await;
    let late = alarm(spool, 70, "c", &one).await;
    assert_eq!(texts(spool, 100).await, ["a"]);
    let (inner, outer) = (told_by(spool, early).await, told_by(spool, late).await);
    assert_eq!(told_by(spool, inner).await, outer);
    assert_eq!(look(spool, outer).await.tells_of.unwrap().count, 2);
    spool.cancel(early, failure(), at(101)).await.unwrap();
    assert_eq!(look(spool, outer).await.tells_of.unwrap().count, 1);
    assert_eq!(state(spool, inner).await, State::Final(FinalState::Cancelled));
    assert_eq!(texts(spool, 160).await, ["1 alert 22:13-22:14: c"]);
}

/// From 22:30 to 06:00 in UTC, so that it begins at `at(1000)` and ends at `at(28_000)`.
fn night(passage: Passage) -> Passage {
    let (from, to) = (time(22, 30, 0, 0), time(6, 0, 0, 0));
    let span = QuietSpan { days: 0b111_1111, from, to, zone: Some("UTC".to_owned()) };
    Passage { quiet: vec![span], ..passage }
}

pub(in crate::spool) async fn a_platform_that_is_back_at_night_wakes_nobody(spool: &dyn Spool) {
    let window = Duration::from_secs(9 * HOUR as u64);
    let similar = Some(Similar { key: "link".to_owned(), window });
    let evening = night(Passage { similar, budgets: vec![parts()], ..at_most(1, 60) });
    let first = accept(spool, 900, 1, "a", &evening, |message| {
        message.delivery.expires_at = at(10_000);
        message.delivery.delayed_at = Some(at(9000));
    })
    .await;
    assert_eq!((state(spool, first).await, spent(spool, 900).await), (State::Due, 1));
    assert_eq!(claim_ids(spool, 8000).await, []);
    let shown = look(spool, first).await;
    assert_eq!(
        (shown.state, shown.hold_reason, shown.next_at),
        (State::Held, Some(HoldReason::Quiet), Some(at(28_000)))
    );
    assert_eq!(shown.expires_at, at(30_000), "the night takes nothing of its lifetime");
    assert_eq!(last(spool, first).await, format!("8000 held: held until {}: quiet", at(28_000)));
    assert_eq!(spent(spool, 1000).await, 0, "it is charged when it goes");
    assert_eq!(spool.cases(at(27_999), at(27_999), 9).await.unwrap(), [], "nor is it late");
    // In the morning it is not folded into the window that it opened itself.
    assert_eq!(texts(spool, 28_000).await, ["a"]);
    assert_eq!(spent(spool, 28_000).await, 1);
}

pub(in crate::spool) async fn what_was_tried_waits_for_the_morning_as_it_is(spool: &dyn Spool) {
    let evening = night(Passage::default());
    let first =
        accept(spool, 900, 1, "a", &evening, |message| message.delivery.expires_at = at(10_000)).await;
    assert_eq!(claim_ids(spool, 900).await, [first]);
    spool.settle(first, 1, retry(990), at(930)).await.unwrap();
    assert_eq!(claim_ids(spool, 999).await, [first]);
    spool.settle(first, 2, retry(1005), at(999)).await.unwrap();
    assert_eq!(claim_ids(spool, 1005).await, []);
    let shown = look(spool, first).await;
    assert_eq!((shown.state, shown.next_at), (State::Due, Some(at(28_000))));
    assert_eq!(shown.expires_at, at(10_000 + 28_000 - 1005));
    assert_eq!(last(spool, first).await, format!("1005 due: quiet hours until {}", at(28_000)));
    assert_eq!(claim_ids(spool, 27_999).await, []);
    assert_eq!(claim_ids(spool, 28_000).await, [first]);
}

pub(in crate::spool) async fn summaries_that_waited_gather_on_until_the_morning(spool: &dyn Spool) {
    let window = Duration::from_secs(60);
    let one = night(at_most(1, 60));
    let storm = night(Passage { similar: Some(Similar { key: "link".to_owned(), window }), ..passage(&[]) });
    let away = |message: &mut Message| message.delivery.lane = Lane::Bulk;
    let mut ids = Vec::new();
    for second in [0, 1] {
        ids.push(alarm(spool, second, &format!("a{second}"), &one).await);
        ids.push(accept(spool, second, 1, "link down", &storm, away).await);
    }
    assert_eq!(texts(spool, 2).await, ["a0", "link down"]);
    nothing_goes(spool, 62).await;
    let summaries = [told_by(spool, ids[2]).await, told_by(spool, ids[3]).await];
    assert_eq!([state(spool, summaries[0]).await, state(spool, summaries[1]).await], [State::Due; 2]);
    assert_eq!(texts(spool, 2000).await, [""; 0]);
    for summary in summaries {
        let shown = look(spool, summary).await;
        assert_eq!((shown.state, shown.hold_reason), (State::Held, Some(HoldReason::Summary)));
        assert_eq!(last(spool, summary).await.split(": ").last(), Some("quiet hours"));
    }
    assert_eq!(texts(spool, 27_999).await, [""; 0]);
    let mut told = texts(spool, 28_001).await;
    told.sort();
    assert_eq!(told, ["1 alert 22:13: a1", "link down +1 similar, 22:13"]);
    assert_eq!([state(spool, ids[2]).await, state(spool, ids[3]).await], [DELIVERED; 2]);
}

pub(in crate::spool) async fn a_text_of_several_pieces_goes_or_folds_as_one(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let text = async |received| {
        let mut given = submission(received, &[1, 1]);
        for (message, body) in given.messages.iter_mut().zip(["1/2 x", "2/2 y"]) {
            message.sms.text.body = body.to_owned();
            message.passage = Passage { pieces: Some(Pieces { first: 1, count: 2 }), ..one.clone() };
        }
        let id = given.id;
        spool.accept(given).await.unwrap();
        [id.message(1), id.message(2)]
    };
    alarm(spool, 0, "a", &one).await;
    let folded = text(60).await;
    assert_eq!([state(spool, folded[0]).await, state(spool, folded[1]).await], [State::Due; 2]);
    assert_eq!(texts(spool, 100).await, ["a"]);
    let summary = told_by(spool, folded[0]).await;
    assert_eq!(told_by(spool, folded[1]).await, summary);
    assert_eq!(look(spool, summary).await.tells_of.unwrap().count, 1);
    assert_eq!(texts(spool, 160).await, ["1 alert 22:14: x"]);
    assert_eq!([state(spool, folded[0]).await, state(spool, folded[1]).await], [DELIVERED; 2]);
    text(1000).await;
    assert_eq!(texts(spool, 1100).await, ["1/2 x", "2/2 y"], "the first finds room for all");
}

pub(in crate::spool) async fn many_that_waited_fold_in_steps(spool: &dyn Spool) {
    const COUNT: u32 = 1200;
    let one = at_most(1, 60);
    alarm(spool, 0, "a", &one).await;
    alarm(spool, 60, "b", &one).await;
    // They have room by a rule of their own, but come after the second.
    let mut given = submission(61, &[1; COUNT as usize]);
    for message in &mut given.messages {
        message.passage = at_most(2 * COUNT, 60);
    }
    spool.accept(given).await.unwrap();
    let [first] = <[_; 1]>::try_from(claim(spool, 100).await).unwrap();
    deliver(spool, &first, 100).await;
    let signals = spool.signals();
    let is_raised = || std::pin::pin!(signals.due.notified()).enable();
    let mut folded = Vec::new();
    for _ in 0..3 {
        is_raised();
        assert_eq!(claim_ids(spool, 100).await, []);
        // Raised before the next command is answered.
        spool.claim_mail(at(0), 0).await.unwrap();
        let is_raised = is_raised();
        folded.push((spool.backlog().await.unwrap().folded, is_raised));
    }
    assert_eq!(folded, [(500, true), (1000, true), (1201, true)]);
    assert_eq!(texts(spool, 160).await.len(), 1);
    for _ in 0..13 {
        nothing_goes(spool, 161).await;
    }
    assert_eq!(spool.backlog().await.unwrap().folded, 0);
}
