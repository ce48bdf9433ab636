//! Charges, as they are booked.

use jiff::{SignedDuration, Timestamp};

use super::super::super::behaviour::notices::mail;
use super::super::super::behaviour::{
    at, callback, claim_ids, failure, refused, sent, settle, submission, take,
};
use super::super::super::{Budgets, Spent, Spool, SpoolError};
use super::super::lane::Kind;
use super::super::{SqliteSpool, budget};
use super::{open, open_in, outsider};
use crate::budget::key;
use crate::model::{Charge, MessageId, Passage, Period, Price, Unit};

/// 22:13:20 on 14 November 2023 is where the time of these tests begins: the day ends at `at(6_400)`.
const MIDNIGHT: i64 = 6_400;
const DAY: i64 = 86_400;

fn parts(name: &str, amount: u64, levels: [Option<u64>; 3]) -> Charge {
    charge(name, Unit::Parts, amount, levels)
}

fn money(name: &str, amount: u64, levels: [Option<u64>; 3]) -> Charge {
    charge(name, Unit::Money, amount, levels)
}

fn charge(name: &str, unit: Unit, amount: u64, [warn, hold, ceiling]: [Option<u64>; 3]) -> Charge {
    let (period, zone) = (Period::Day, Some("UTC".to_owned()));
    Charge { key: key(name, period, unit), period, unit, amount, warn, hold, ceiling, zone }
}

fn passage(budgets: &[Charge], passes_hold: bool) -> Passage {
    Passage { passes_hold, budgets: budgets.to_vec(), ..Passage::default() }
}

/// Until when it is held; `None` where it is charged.
async fn charged(spool: &SqliteSpool, passage: &Passage, now: i64) -> Option<Timestamp> {
    let passage = passage.clone();
    spool
        .writer
        .run(Kind::Other, move |connection, effects| {
            budget::charge(connection, effects, (&passage.budgets, passage.passes_hold), at(now))
        })
        .await
        .unwrap()
}

/// What is spent now, by the names of the budgets.
async fn spent(spool: &SqliteSpool, now: i64) -> Vec<(String, u64)> {
    let Budgets { spent, .. } = spool.budgets(at(now)).await.unwrap();
    spent
        .into_iter()
        .map(|Spent { key, amount, .. }| (crate::budget::name(&key).to_owned(), amount))
        .collect()
}

/// What the operator is to be told, and forgets it.
async fn told(spool: &SqliteSpool) -> Vec<String> {
    let words = spool.notices(100).await.unwrap();
    spool.close_notices(words.iter().map(|word| word.seq).collect(), None, at(0)).await.unwrap();
    words.into_iter().map(|word| word.about).collect()
}

/// An SMS that was charged to `budgets` when it was accepted.
async fn accepted(spool: &SqliteSpool, received: i64, phone: u32, budgets: &[Charge]) -> MessageId {
    let mut given = submission(received, &[phone]);
    given.messages[0].passage = passage(budgets, false);
    given.messages[0].sms.text.parts = 3;
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    id
}

const NONE: [Option<u64>; 3] = [None; 3];

#[tokio::test]
async fn a_budget_takes_up_to_its_level_and_holds_what_goes_beyond_until_the_period_ends() {
    let (spool, _guard) = open();
    let of = |amount| passage(&[parts("all", amount, [Some(8), Some(10), Some(12)])], false);
    assert_eq!(charged(&spool, &of(7), 0).await, None);
    assert_eq!(told(&spool).await, Vec::<String>::new());
    assert_eq!(charged(&spool, &of(1), 1).await, None);
    assert_eq!(told(&spool).await, ["budget all has reached its warn level"]);
    assert_eq!(charged(&spool, &of(3), 2).await, Some(at(MIDNIGHT)), "11 of 10");
    assert_eq!(told(&spool).await, ["budget all holds SMS"]);
    assert_eq!(charged(&spool, &of(2), 3).await, None, "10 of 10");
    assert_eq!(charged(&spool, &of(1), MIDNIGHT - 1).await, Some(at(MIDNIGHT)));
    assert_eq!(spent(&spool, MIDNIGHT - 1).await, [("all".to_owned(), 10)]);
    assert_eq!(told(&spool).await, Vec::<String>::new(), "once a period and level");
    assert_eq!(charged(&spool, &of(8), MIDNIGHT).await, None, "another day");
    assert_eq!(spent(&spool, MIDNIGHT).await, [("all".to_owned(), 8)]);
    assert_eq!(told(&spool).await, ["budget all has reached its warn level"]);
}

#[tokio::test]
async fn what_passes_the_hold_level_is_held_by_the_ceiling() {
    let (spool, _guard) = open();
    let of =
        |amount, passes_hold| passage(&[parts("all", amount, [Some(8), Some(10), Some(12)])], passes_hold);
    assert_eq!(charged(&spool, &of(11, true), 0).await, None);
    assert_eq!(told(&spool).await, ["budget all holds SMS"], "of two levels at once the higher one");
    assert_eq!(charged(&spool, &of(1, false), 1).await, Some(at(MIDNIGHT)));
    assert_eq!(charged(&spool, &of(1, true), 2).await, None);
    assert_eq!(told(&spool).await, Vec::<String>::new());
    assert_eq!(charged(&spool, &of(1, true), 3).await, Some(at(MIDNIGHT)));
    assert_eq!(told(&spool).await, ["budget all holds critical SMS, too"]);
    assert_eq!(spent(&spool, 3).await, [("all".to_owned(), 12)]);
}

#[tokio::test]
async fn all_budgets_of_an_sms_are_charged_or_none() {
    let (spool, _guard) = open();
    let all = [
        parts("wide", 4, [None, Some(100), None]),
        parts("narrow", 4, [None, Some(4), None]),
        money("money", 90, NONE),
    ];
    assert_eq!(charged(&spool, &passage(&all, false), 0).await, None);
    assert_eq!(charged(&spool, &passage(&all, false), 1).await, Some(at(MIDNIGHT)));
    let name = |name: &str, amount| (name.to_owned(), amount);
    assert_eq!(spent(&spool, 1).await, [name("money", 90), name("narrow", 4), name("wide", 4)]);
    assert_eq!(told(&spool).await, ["budget narrow holds SMS"]);
    // Of two that are spent the one that is spent for longer counts.
    let mut month = parts("month", 4, [None, Some(3), None]);
    month.period = Period::Month;
    let until = charged(&spool, &passage(&[all[1].clone(), month], false), 2).await;
    assert_eq!(until, Some("2023-12-01T00:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn what_is_spent_is_known_after_a_restart_and_old_periods_are_cleared_away() {
    let (spool, guard) = open();
    let of = |amount| passage(&[parts("all", amount, [Some(1), Some(10), None])], false);
    assert_eq!(charged(&spool, &of(10), 0).await, None);
    drop(spool);
    let spool = open_in(guard.path());
    assert_eq!(charged(&spool, &of(1), 1).await, Some(at(MIDNIGHT)));
    assert_eq!(told(&spool).await.len(), 2);
    let rows = || -> i64 {
        outsider(guard.path()).query_row("SELECT count(*) FROM spent", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(charged(&spool, &of(1), MIDNIGHT + 400 * DAY).await, None);
    assert_eq!(rows(), 2, "its last moment was 400 days ago");
    assert_eq!(charged(&spool, &of(1), MIDNIGHT + 401 * DAY).await, None);
    assert_eq!(rows(), 2);
}

#[tokio::test]
async fn what_ends_before_it_was_tried_is_given_back_once_and_what_was_tried_is_not() {
    let (spool, _guard) = open();
    let budgets = [parts("all", 3, [None, Some(99), None])];
    let all = passage(&budgets, false);
    for phone in [1, 2, 3] {
        accepted(&spool, 0, phone, &budgets).await;
    }
    // Whoever lets them pass when they are accepted has charged them already.
    while spent(&spool, 0).await != [("all".to_owned(), 9)] {
        assert_eq!(charged(&spool, &all, 0).await, None);
    }
    let ids: Vec<MessageId> = claim_ids(&spool, 1).await;
    settle(&spool, ids[0], refused(), 2).await;
    assert_eq!(spent(&spool, 2).await, [("all".to_owned(), 9)], "it was tried");
    let waiting = accepted(&spool, 3, 9, &budgets).await;
    let before = spent(&spool, 3).await[0].1;
    // The next day, to the day that it was charged to.
    let cancelled = || spool.cancel(waiting, failure(), at(MIDNIGHT + 5));
    cancelled().await.unwrap();
    assert_eq!(spent(&spool, 5).await, [("all".to_owned(), before - 3)]);
    assert_eq!(cancelled().await, Err(SpoolError::Stale(waiting)));
    assert_eq!(spent(&spool, 5).await, [("all".to_owned(), before - 3)]);
}

#[tokio::test]
async fn the_platform_s_prices_take_the_place_of_the_prediction() {
    let (spool, _guard) = open();
    let budgets = [money("money", 90, [Some(100), Some(1000), None]), parts("all", 3, NONE)];
    let id = accepted(&spool, 0, 1, &budgets).await;
    let name = |name: &str, amount| (name.to_owned(), amount);
    if spent(&spool, 0).await.is_empty() {
        assert_eq!(charged(&spool, &passage(&budgets, false), 0).await, None);
    }
    assert_eq!(claim_ids(&spool, 1).await, [id]);
    settle(&spool, id, sent(100), 2).await;
    let priced = |part, price| {
        let mut callback = callback(id, part, 3, 3);
        callback.price = Some(Price::from_millionths(price));
        callback
    };
    assert_eq!(told(&spool).await, Vec::<String>::new());
    for (part, price, booked) in
        [(1, 50, 110), (1, 50, 110), (2, 50, 130), (3, 20, 120), (3, 20, 120), (3, 25, 125)]
    {
        take(&spool, &priced(part, price), 3).await;
        assert_eq!(spent(&spool, 3).await, [name("money", booked), name("all", 3)], "{part} {price}");
    }
    assert_eq!(told(&spool).await, ["budget money has reached its warn level"], "by the prices, and once");
    // What it tells the day after counts for the day on which the SMS went, and nobody is told of that any more.
    take(&spool, &priced(3, 2_000_000), MIDNIGHT + 1).await;
    assert_eq!(spent(&spool, 3).await, [name("money", 2_000_100), name("all", 3)]);
    assert_eq!(spent(&spool, MIDNIGHT + 1).await, []);
    assert_eq!(told(&spool).await, Vec::<String>::new());
}

#[tokio::test]
async fn word_for_the_operator_is_kept_until_it_is_told_with_its_mail() {
    let (spool, guard) = open();
    let signals = spool.signals();
    let of = |amount| passage(&[parts("all", amount, [Some(1), Some(2), None])], false);
    assert_eq!(charged(&spool, &of(1), 0).await, None);
    signals.notices.notified().await;
    assert_eq!(charged(&spool, &of(5), 1).await, Some(at(MIDNIGHT)));
    drop(spool);
    let spool = open_in(guard.path());
    let words = spool.notices(1).await.unwrap();
    assert_eq!((words.len(), words[0].at), (1, at(0)), "the oldest first, up to the limit");
    let words = spool.notices(9).await.unwrap();
    let all: Vec<i64> = words.iter().map(|word| word.seq).collect();
    assert_eq!(all.len(), 2);
    // One that is not there leaves all of it.
    let wrong = spool.close_notices(vec![all[0], 99], Some(mail(2)), at(2)).await;
    assert_eq!(wrong, Err(SpoolError::Told(99)));
    assert_eq!((spool.notices(9).await.unwrap().len(), spool.backlog().await.unwrap().mail), (2, 0));
    spool.close_notices(all.clone(), Some(mail(3)), at(3)).await.unwrap();
    assert_eq!((spool.notices(9).await.unwrap(), spool.backlog().await.unwrap().mail), (Vec::new(), 1));
    assert_eq!(spool.close_notices(all, Some(mail(4)), at(4)).await, Err(SpoolError::Told(words[0].seq)));
    assert_eq!(spool.backlog().await.unwrap().mail, 1, "told once");
}

#[tokio::test]
async fn days_of_another_zone_end_with_it() {
    let (spool, _guard) = open();
    let mut rome = parts("rome", 2, [None, Some(1), None]);
    rome.zone = Some("Europe/Rome".to_owned());
    let until = charged(&spool, &passage(&[rome], false), 0).await.unwrap();
    assert_eq!(until, at(MIDNIGHT) - SignedDuration::from_hours(1));
}
