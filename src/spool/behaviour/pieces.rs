//! Several SMS that are one text: they pass together, and count as one where a summary tells of them.

use super::super::Spool;
use super::storms::{CANCELLED, DELIVERED, alarm, at_most, count, digest, similar, state, texts, told_by};
use super::{at, failure, look, submission, timeline};
use crate::budget::key;
use crate::model::{
    Charge, Fate, HoldReason, MessageId, Passage, Period, Pieces, QuietSpan, State, Submission, Unit,
};

/// A text of three pieces to the first phone.
fn text(received: i64, words: &str, passage: &Passage) -> Submission {
    let mut given = submission(received, &[1, 1, 1]);
    for (message, n) in given.messages.iter_mut().zip(1..) {
        message.sms.text.body = format!("{n}/3 {words} {n}");
        message.passage = Passage { pieces: Some(Pieces { first: 1, count: 3 }), ..passage.clone() };
    }
    given
}

async fn accept(spool: &dyn Spool, given: Submission) -> [MessageId; 3] {
    let ids = [1, 2, 3].map(|ordinal| given.id.message(ordinal));
    spool.accept(given).await.unwrap();
    ids
}

async fn states(spool: &dyn Spool, ids: &[MessageId]) -> Vec<State> {
    let mut states = Vec::new();
    for id in ids {
        states.push(state(spool, *id).await);
    }
    states
}

/// A part each, of so many a day.
fn budget(hold: u64) -> Passage {
    let charge = Charge {
        key: key("all", Period::Day, Unit::Parts),
        period: Period::Day,
        unit: Unit::Parts,
        amount: 1,
        warn: None,
        hold: Some(hold),
        ceiling: None,
        zone: Some("UTC".to_owned()),
    };
    Passage { budgets: vec![charge], ..Passage::default() }
}

async fn spent(spool: &dyn Spool, now: i64) -> u64 {
    spool.budgets(at(now)).await.unwrap().spent.iter().map(|spent| spent.amount).sum()
}

/// The day of `at(0)` ends here.
const MIDNIGHT: i64 = 6_400;

pub(in crate::spool) async fn pieces_of_a_text_find_room_together(spool: &dyn Spool) {
    let five = at_most(5, 60);
    // There is room for one more, and then for none: all of them counted.
    for (received, words) in [(0, "disk"), (10, "fan")] {
        let pieces = accept(spool, text(received, words, &five)).await;
        assert_eq!(states(spool, &pieces).await, [State::Due; 3]);
        assert_eq!(texts(spool, received).await.len(), 3);
    }
    let single = alarm(spool, 59, "door", &five).await;
    assert_eq!(state(spool, single).await, State::Folded);
    let third = accept(spool, text(59, "link", &five)).await;
    let summary = told_by(spool, single).await;
    for id in third {
        let shown = look(spool, id).await;
        assert_eq!((shown.state, shown.folded_into), (State::Folded, Some(summary)));
    }
    assert_eq!(count(spool, summary).await, 2, "a text is one alert, however long");
    assert_eq!(texts(spool, 59).await, [""; 0]);
    assert_eq!(texts(spool, 60).await, ["2 alerts 22:14: door; link 1"]);
    assert_eq!(states(spool, &third).await, [DELIVERED; 3]);
    // Three at 10 and one at 60 leave room for one at 69.
    let last = accept(spool, text(69, "last", &five)).await;
    assert_eq!(states(spool, &last).await, [State::Due; 3]);
}

pub(in crate::spool) async fn pieces_of_a_text_say_the_same_together(spool: &dyn Spool) {
    let storm = similar("link");
    let first = accept(spool, text(0, "link down", &storm)).await;
    let second = accept(spool, text(10, "link down again", &storm)).await;
    let third = accept(spool, text(20, "and again", &storm)).await;
    assert_eq!(states(spool, &first).await, [State::Due; 3]);
    assert_eq!(states(spool, &[second, third].concat()).await, [State::Folded; 6]);
    let summary = told_by(spool, second[0]).await;
    assert_eq!(count(spool, summary).await, 2);
    // What is left of a text is still told.
    for id in &second[..2] {
        spool.cancel(*id, failure(), at(30)).await.unwrap();
        assert_eq!(count(spool, summary).await, 2);
    }
    spool.cancel(second[2], failure(), at(30)).await.unwrap();
    assert_eq!(count(spool, summary).await, 1);
    let told = ["1/3 link down 1", "2/3 link down 2", "3/3 link down 3", "link down 1 +1 similar, 22:13"];
    assert_eq!(texts(spool, 60).await, told);

    let gathered = digest(60);
    let one = accept(spool, text(100, "one", &gathered)).await;
    let two = accept(spool, text(100, "two", &gathered)).await;
    let summary = told_by(spool, one[0]).await;
    for id in one {
        spool.cancel(id, failure(), at(101)).await.unwrap();
    }
    assert_eq!(count(spool, summary).await, 1);
    for id in &two[..2] {
        spool.cancel(*id, failure(), at(101)).await.unwrap();
    }
    assert_eq!(texts(spool, 160).await, ["1 alert 22:15: two 1"], "of one that is gone nothing is told");
    let three = accept(spool, text(200, "three", &gathered)).await;
    let summary = told_by(spool, three[0]).await;
    for id in three {
        assert_eq!(state(spool, summary).await, State::Held);
        spool.cancel(id, failure(), at(201)).await.unwrap();
    }
    assert_eq!(state(spool, summary).await, CANCELLED, "nothing is left");
}

pub(in crate::spool) async fn pieces_of_a_text_are_charged_together(spool: &dyn Spool) {
    let exactly = accept(spool, text(0, "a", &budget(3))).await;
    assert_eq!(states(spool, &exactly).await, [State::Due; 3]);
    assert_eq!(spent(spool, 0).await, 3);
    let beyond = accept(spool, text(1, "b", &budget(5))).await;
    assert_eq!(states(spool, &beyond).await, [State::Held; 3], "the third would be one too many");
    assert_eq!(spent(spool, 1).await, 3);
    let single = alarm(spool, 2, "c", &budget(5)).await;
    assert_eq!(state(spool, single).await, State::Due, "there is room for this one");
    texts(spool, 2).await;
    assert_eq!(texts(spool, MIDNIGHT).await, ["1/3 b 1", "2/3 b 2", "3/3 b 3"]);
    assert_eq!(spent(spool, MIDNIGHT).await, 3);
    // Each gives back what it took.
    let last = accept(spool, text(MIDNIGHT, "d", &budget(9))).await;
    assert_eq!(spent(spool, MIDNIGHT).await, 6);
    spool.cancel(last[1], failure(), at(MIDNIGHT)).await.unwrap();
    assert_eq!(spent(spool, MIDNIGHT).await, 5);
}

pub(in crate::spool) async fn what_was_held_in_pieces_passes_together(spool: &dyn Spool) {
    let one = at_most(1, 60);
    let held = |received, words| {
        let mut given = text(received, words, &one);
        for message in &mut given.messages {
            message.fate = Fate::Held { until: at(100), reason: HoldReason::Scheduled };
        }
        given
    };
    let first = accept(spool, held(0, "disk")).await;
    let second = accept(spool, held(1, "fan")).await;
    let third = accept(spool, held(2, "link")).await;
    spool.cancel(third[0], failure(), at(50)).await.unwrap();
    assert_eq!(texts(spool, 100).await, ["1/3 disk 1", "2/3 disk 2", "3/3 disk 3"]);
    assert_eq!(states(spool, &first).await, [DELIVERED; 3]);
    assert_eq!(states(spool, &second).await, [State::Folded; 3]);
    assert_eq!(states(spool, &third).await, [CANCELLED, State::Folded, State::Folded]);
    let summary = told_by(spool, second[0]).await;
    assert_eq!(count(spool, summary).await, 2);
    assert_eq!(texts(spool, 160).await, ["2 alerts 22:13: fan 1; link 2"], "what is left of a text is told");
    assert_eq!(states(spool, &second).await, [DELIVERED; 3]);
}

pub(in crate::spool) async fn pieces_that_are_held_on_are_held_on_once(spool: &dyn Spool) {
    const MORNING: i64 = 28_000;
    let time = |hour| jiff::civil::time(hour, 0, 0, 0);
    let night = QuietSpan { days: 0b111_1111, from: time(23), to: time(6), zone: Some("UTC".to_owned()) };
    let passage = Passage { quiet: vec![night], ..budget(4) };
    let first = accept(spool, text(0, "a", &passage)).await;
    let second = accept(spool, text(1, "b", &passage)).await;
    assert_eq!(texts(spool, 1).await.len(), 3);
    assert_eq!(texts(spool, MIDNIGHT).await, [""; 0]);
    for id in second {
        let lines = timeline(spool, id).await;
        let expected = [
            format!("1 held: held until {}: budget", at(MIDNIGHT)),
            format!("{MIDNIGHT} held: held until {}: quiet", at(MORNING)),
        ];
        assert_eq!(lines, expected);
    }
    assert_eq!(texts(spool, MORNING).await, ["1/3 b 1", "2/3 b 2", "3/3 b 3"]);
    assert_eq!(states(spool, &first).await, [DELIVERED; 3]);
}
