//! Storms: what folds, what its summary says and when it goes, and that what was folded ends with it.

use std::time::Duration;

use super::super::{Spool, SpoolError, Waits};
use super::{
    accept_one, at, claim, claim_ids, claim_up_to, delivered, due_queue, failure, look, message, phone,
    refused, sent, settle, submission, timeline,
};
use crate::model::{
    Digest, Fate, FinalState, HoldReason, Lane, Limit, LimitScope, LimitStep, Message, MessageId, Notify,
    Pairing, Passage, Similar, State, Submission, SummaryForm,
};

pub(super) const DELIVERED: State = State::Final(FinalState::Delivered);
pub(super) const CANCELLED: State = State::Final(FinalState::Cancelled);

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Times in summaries are UTC, whatever zone the tests run in.
pub(super) fn plain() -> Passage {
    Passage {
        summary: SummaryForm { zone: Some("UTC".to_owned()), ..SummaryForm::default() },
        ..Passage::default()
    }
}

/// Those with the same key fold for a minute.
pub(super) fn similar(key: &str) -> Passage {
    Passage { similar: Some(Similar { key: key.to_owned(), window: seconds(60) }), ..plain() }
}

pub(super) fn digest(every: u64) -> Passage {
    Passage { digest: Some(Digest { key: "night".to_owned(), every: seconds(every) }), ..plain() }
}

fn limit(scope: LimitScope, key: &str, most: u32, within: u64) -> Limit {
    Limit { key: key.to_owned(), scope, steps: vec![LimitStep { most, within: seconds(within) }] }
}

/// So many SMS to the phone in so many seconds.
pub(super) fn at_most(most: u32, within: u64) -> Passage {
    Passage { limits: vec![limit(LimitScope::Destination, "to a phone", most, within)], ..plain() }
}

/// Accepts one SMS of these words to `phone`, changed by `change`.
pub(super) async fn accept(
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
    change(message);
    spool.accept(given).await.unwrap();
    id
}

pub(super) async fn alarm(spool: &dyn Spool, received: i64, words: &str, passage: &Passage) -> MessageId {
    accept(spool, received, 1, words, passage, |_| {}).await
}

pub(super) async fn state(spool: &dyn Spool, id: MessageId) -> State {
    look(spool, id).await.state
}

/// The summary that `id` was folded into.
pub(super) async fn told_by(spool: &dyn Spool, id: MessageId) -> MessageId {
    look(spool, id).await.folded_into.unwrap()
}

pub(super) async fn count(spool: &dyn Spool, summary: MessageId) -> u64 {
    look(spool, summary).await.tells_of.unwrap().count
}

/// What goes out at `at(now)`, in words. All of it has arrived at once.
pub(super) async fn texts(spool: &dyn Spool, now: i64) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let claimed = claim(spool, now).await;
        if claimed.is_empty() {
            return texts;
        }
        for claimed in claimed {
            settle(spool, claimed.sms.id, sent(now + 90), now).await;
            settle(spool, claimed.sms.id, delivered(), now).await;
            texts.push(claimed.sms.text.body);
        }
    }
}

pub(in crate::spool) async fn the_first_goes_at_once_and_the_rest_by_one_summary(spool: &dyn Spool) {
    let storm = similar("link");
    let first = alarm(spool, 0, "link 1 down", &storm).await;
    let mut folded = Vec::new();
    for n in 1..=3 {
        folded.push(alarm(spool, n * 10, &format!("link {} down", n + 1), &storm).await);
    }
    let other = alarm(spool, 30, "disk full", &similar("disk")).await;
    assert_eq!(claim_ids(spool, 30).await, [first]);
    settle(spool, first, sent(99), 30).await;
    assert_eq!(claim_ids(spool, 59).await, [other], "another key");
    settle(spool, other, sent(99), 59).await;

    let summary = told_by(spool, folded[0]).await;
    let shown = look(spool, summary).await;
    assert_eq!((shown.state, shown.hold_reason), (State::Held, Some(HoldReason::Summary)));
    assert_eq!((shown.next_at, shown.tells_of.clone().unwrap().count), (Some(at(60)), 3));
    assert_eq!(shown.tells_of.unwrap().first, folded);
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(60)));
    for id in &folded {
        let shown = look(spool, *id).await;
        assert_eq!((shown.state, shown.next_at), (State::Folded, None));
        assert_eq!(shown.folded_into, Some(summary));
        assert_eq!(shown.events[0].note, format!("folded into {summary}: similar"));
    }
    assert_eq!(spool.backlog().await.unwrap().folded, 3);

    let claimed = claim(spool, 60).await;
    assert_eq!(claimed[0].sms.id, summary);
    assert_eq!(claimed[0].sms.text.body, "link 1 down +3 similar, 22:13");
    assert_eq!(claimed[0].sms.destination, phone(1));
    assert_eq!(claimed[0].expires_at, at(60 + super::LIFETIME - 10), "its lifetime begins when it goes");
    settle(spool, summary, sent(99), 60).await;
    assert_eq!(state(spool, folded[2]).await, State::Folded);
    assert_eq!(claim_ids(spool, 61).await, []);
    settle(spool, summary, delivered(), 62).await;
    let next = spool.next_due(due_queue()).await.unwrap();
    assert!(next.is_some_and(|next| next <= at(62)), "there is something to do: {next:?}");
    assert_eq!(claim_ids(spool, 63).await, []);
    for id in &folded {
        let shown = look(spool, *id).await;
        assert_eq!(shown.state, DELIVERED);
        assert_eq!(shown.cause.unwrap().text, format!("by its summary {summary}: the handset has it"));
        assert_eq!(shown.folded_into, Some(summary));
    }
    assert_eq!(spool.backlog().await.unwrap().folded, 0);
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), None);
}

pub(in crate::spool) async fn a_storm_that_goes_on_gives_one_text_a_window(spool: &dyn Spool) {
    let storm = similar("link");
    alarm(spool, 0, "a", &storm).await;
    alarm(spool, 59, "b", &storm).await;
    assert_eq!(texts(spool, 59).await, ["a"]);
    assert_eq!(texts(spool, 60).await, ["a +1 similar, 22:14"]);
    for second in [60, 90, 119] {
        alarm(spool, second, "c", &storm).await;
    }
    assert_eq!(texts(spool, 119).await, Vec::<String>::new(), "the window began anew");
    assert_eq!(texts(spool, 120).await, ["a +3 similar, 22:14-22:15"]);
    assert_eq!(
        texts(spool, 500).await,
        Vec::<String>::new(),
        "a window that nothing fell into needs no word"
    );
    alarm(spool, 500, "d", &storm).await;
    assert_eq!(texts(spool, 500).await, ["d"], "the storm was over");
    alarm(spool, 559, "e", &storm).await;
    assert_eq!(texts(spool, 559).await, Vec::<String>::new());
    assert_eq!(texts(spool, 560).await, ["d +1 similar, 22:22"]);
    // Nothing fell into the window after it.
    alarm(spool, 620, "f", &storm).await;
    assert_eq!(texts(spool, 620).await, ["f"], "a window ends at its end");
    assert_eq!(spool.backlog().await.unwrap().folded, 0);
}

pub(in crate::spool) async fn a_digest_tells_several_at_intervals(spool: &dyn Spool) {
    let night = digest(300);
    let mut ids = Vec::new();
    for (second, words) in [(0, "disk full"), (10, "fan stopped"), (20, "disk full")] {
        ids.push(alarm(spool, second, words, &night).await);
    }
    assert_eq!(texts(spool, 299).await, Vec::<String>::new());
    assert_eq!(
        look(spool, ids[0]).await.events[0].note,
        format!("folded into {}: digest", told_by(spool, ids[0]).await)
    );
    assert_eq!(texts(spool, 300).await, ["3 alerts 22:13: disk full (x2); fan stopped"]);
    assert_eq!(state(spool, ids[2]).await, DELIVERED);
    alarm(spool, 301, "door open", &night).await;
    assert_eq!(texts(spool, 600).await, Vec::<String>::new());
    assert_eq!(texts(spool, 601).await, ["1 alert 22:18: door open"]);
}

pub(in crate::spool) async fn what_finds_no_room_is_told_by_the_next_summary(spool: &dyn Spool) {
    let two = at_most(2, 60);
    let critical = Passage { is_exempt: true, ..two.clone() };
    alarm(spool, 0, "a", &two).await;
    assert_eq!(texts(spool, 0).await, ["a"]);
    alarm(spool, 10, "b", &two).await;
    assert_eq!(texts(spool, 10).await, ["b"]);
    let third = alarm(spool, 20, "c", &two).await;
    let fourth = alarm(spool, 30, "d", &two).await;
    let summary = told_by(spool, third).await;
    assert_eq!(
        look(spool, third).await.events[0].note,
        format!("folded into {summary}: no room for the phone until {}", at(60))
    );
    assert_eq!((told_by(spool, fourth).await, count(spool, summary).await), (summary, 2));
    // Other lanes have overflows of their own, though they share the room; other phones have all of it.
    let bulk = accept(spool, 30, 1, "e", &two, |message| message.delivery.lane = Lane::Bulk).await;
    assert_ne!(told_by(spool, bulk).await, summary);
    let mut elsewhere = two.clone();
    elsewhere.limits[0].key = "to another".to_owned();
    let elsewhere = accept(spool, 30, 2, "f", &elsewhere, |_| {}).await;
    assert_eq!(state(spool, elsewhere).await, State::Due);
    assert_eq!(texts(spool, 31).await, ["f"]);

    // What is exempt goes, and counts.
    let urgent = alarm(spool, 40, "fire", &critical).await;
    assert_eq!(state(spool, urgent).await, State::Due);
    assert_eq!(texts(spool, 40).await, ["fire"]);
    assert_eq!(texts(spool, 60).await, Vec::<String>::new());
    let timeline = timeline(spool, summary).await;
    assert_eq!(timeline.last().unwrap(), &format!("60 held: held until {}: no room", at(70)));
    // At 61 there is no room still; at 70 there is for one, and who came before goes before.
    let late = alarm(spool, 61, "g", &two).await;
    assert_eq!(told_by(spool, late).await, summary);
    assert_eq!(texts(spool, 69).await, Vec::<String>::new());
    let told = texts(spool, 70).await;
    assert_eq!(told, ["3 alerts 22:13-22:14: c; d; g"], "one of the lanes had room");
    assert_eq!(texts(spool, 99).await, Vec::<String>::new());
    assert_eq!(texts(spool, 100).await, ["1 alert 22:13: e"]);
    assert_eq!(state(spool, late).await, DELIVERED);
    // Two in a minute: at 70 and at 100.
    let refused = alarm(spool, 129, "h", &two).await;
    assert_eq!(state(spool, refused).await, State::Folded);
    assert_eq!(texts(spool, 130).await, ["1 alert 22:15: h"]);
    let free = alarm(spool, 160, "i", &two).await;
    assert_eq!(state(spool, free).await, State::Due);
}

pub(in crate::spool) async fn nobody_jumps_the_queue_of_an_overflow(spool: &dyn Spool) {
    let one = at_most(1, 60);
    alarm(spool, 0, "a", &one).await;
    assert_eq!(texts(spool, 0).await, ["a"]);
    let second = alarm(spool, 10, "b", &one).await;
    // There is room again, but nobody has looked yet.
    let third = alarm(spool, 70, "c", &one).await;
    assert_eq!(told_by(spool, third).await, told_by(spool, second).await);
    assert_eq!(texts(spool, 70).await, ["2 alerts 22:13-22:14: b; c"]);
}

pub(in crate::spool) async fn a_summary_without_room_is_told_by_the_overflow(spool: &dyn Spool) {
    let storm = Passage { limits: at_most(1, 100).limits, ..similar("link") };
    alarm(spool, 0, "link down", &storm).await;
    assert_eq!(texts(spool, 0).await, ["link down"]);
    let folded = [alarm(spool, 10, "link down", &storm).await, alarm(spool, 20, "link down", &storm).await];
    let inner = told_by(spool, folded[0]).await;
    assert_eq!(texts(spool, 60).await, Vec::<String>::new());
    let shown = look(spool, inner).await;
    assert_eq!(shown.state, State::Folded);
    let outer = shown.folded_into.unwrap();
    assert_eq!(count(spool, outer).await, 2, "it counts as those that it stands for");
    assert_eq!(shown.sms.text.body, "link down +2 similar, 22:13");
    // The window has begun anew all the same.
    let next = alarm(spool, 70, "link down", &storm).await;
    assert_ne!(told_by(spool, next).await, inner);
    let other = alarm(spool, 80, "disk full", &at_most(1, 100)).await;
    assert_eq!(told_by(spool, other).await, outer);
    assert_eq!(texts(spool, 100).await, ["3 alerts 22:13-22:14: link down (x2); disk full"]);
    for id in [folded[0], folded[1], inner, other] {
        assert_eq!(state(spool, id).await, DELIVERED);
    }
    let cause = look(spool, folded[0]).await.cause.unwrap().text;
    assert_eq!(cause, format!("by its summary {inner}: by its summary {outer}: the handset has it"));
    assert_eq!(state(spool, next).await, State::Folded);
    assert_eq!(texts(spool, 200).await, ["link down +1 similar, 22:14"], "there is room for it");
}

pub(in crate::spool) async fn a_source_counts_each_submission_once(spool: &dyn Spool) {
    let source = |phone: u32| Passage {
        limits: vec![
            limit(LimitScope::Destination, &format!("phone {phone}"), 5, 60),
            limit(LimitScope::Source, "ups", 1, 60),
        ],
        ..plain()
    };
    let given = |received| {
        let mut given = submission(received, &[1, 2, 3]);
        for (message, phone) in given.messages.iter_mut().zip(1..) {
            message.passage = source(phone);
        }
        given
    };
    let [first, second] = [given(0), given(10)];
    let ids = [first.id, second.id];
    spool.accept(first).await.unwrap();
    spool.accept(second).await.unwrap();
    for ordinal in 1..=3 {
        assert_eq!(state(spool, ids[0].message(ordinal)).await, State::Due);
        let shown = look(spool, ids[1].message(ordinal)).await;
        assert_eq!(shown.state, State::Folded);
        assert!(shown.events[0].note.ends_with(&format!("no room for its source until {}", at(60))));
    }
    // A source that makes noise silences nobody else.
    let mut other = source(1);
    other.limits[1].key = "switch".to_owned();
    let other = alarm(spool, 20, "b", &other).await;
    assert_eq!(state(spool, other).await, State::Due);
    assert_eq!(texts(spool, 20).await.len(), 4);
    assert_eq!(texts(spool, 59).await.len(), 0);
    let third = given(30);
    let id = third.id;
    spool.accept(third).await.unwrap();
    for ordinal in 1..=3 {
        let summary = told_by(spool, ids[1].message(ordinal)).await;
        assert_eq!(told_by(spool, id.message(ordinal)).await, summary);
        assert_eq!(look(spool, summary).await.next_at, Some(at(60)));
    }
    assert_eq!(texts(spool, 60).await.len(), 3, "the summaries of one submission count once");
    // And they count.
    let fourth = given(61);
    let id = fourth.id;
    spool.accept(fourth).await.unwrap();
    for ordinal in 1..=3 {
        let shown = look(spool, id.message(ordinal)).await;
        assert_eq!(shown.state, State::Folded);
        assert!(shown.events[0].note.ends_with(&format!("no room for its source until {}", at(120))));
    }
    assert_eq!(texts(spool, 119).await.len(), 0);
    assert_eq!(texts(spool, 120).await.len(), 3);
    let fifth = given(180);
    let id = fifth.id.message(3);
    spool.accept(fifth).await.unwrap();
    assert_eq!(state(spool, id).await, State::Due);
}

pub(in crate::spool) async fn what_is_exempt_neither_folds_nor_opens_a_window(spool: &dyn Spool) {
    let exempt = Passage { is_exempt: true, ..similar("link") };
    for second in [0, 1] {
        let id = alarm(spool, second, "fire", &exempt).await;
        assert_eq!(state(spool, id).await, State::Due);
    }
    let first = alarm(spool, 2, "a", &similar("link")).await;
    assert_eq!(state(spool, first).await, State::Due);
    let exempt = alarm(spool, 3, "fire", &Passage { is_exempt: true, ..digest(60) }).await;
    assert_eq!(state(spool, exempt).await, State::Due);
}

pub(super) fn problem(key: &str) -> Passage {
    Passage { pairing: Pairing { own: Some(key.to_owned()), ends: Vec::new() }, ..similar("link") }
}

pub(super) fn recovery(key: &str) -> Passage {
    Passage { pairing: Pairing { own: None, ends: vec![key.to_owned()] }, ..plain() }
}

pub(in crate::spool) async fn what_is_simulated_never_folds_with_what_is_sent(spool: &dyn Spool) {
    let simulated = |message: &mut Message| message.sms.options.simulation = true;
    let storm = Passage {
        limits: at_most(2, 600).limits,
        pairing: Pairing { own: Some("p".to_owned()), ends: vec!["q".to_owned()] },
        ..similar("link")
    };
    let other = Passage { pairing: Pairing { own: Some("q".to_owned()), ends: Vec::new() }, ..storm.clone() };
    let real = alarm(spool, 0, "a", &other).await;
    let real_folded = alarm(spool, 1, "a", &other).await;
    let first = accept(spool, 2, 1, "a", &storm, simulated).await;
    let folded = accept(spool, 3, 1, "a", &storm, simulated).await;
    let states = [state(spool, real).await, state(spool, real_folded).await];
    assert_eq!(states, [State::Due, State::Folded], "no recovery that is only simulated ends it");
    assert_eq!((state(spool, first).await, state(spool, folded).await), (State::Due, State::Folded));
    let summary = told_by(spool, folded).await;
    assert_ne!(told_by(spool, real_folded).await, summary);
    assert!(look(spool, summary).await.sms.options.simulation);
    assert!(!look(spool, told_by(spool, real_folded).await).await.sms.options.simulation);
    // Each has the room for two.
    assert_eq!(texts(spool, 63).await.len(), 4);
}

pub(in crate::spool) async fn what_is_folded_can_be_cancelled_until_it_is_told(spool: &dyn Spool) {
    let night = digest(300);
    let mut ids = Vec::new();
    for words in ["a", "b", "b"] {
        ids.push(alarm(spool, 0, words, &night).await);
    }
    let summary = told_by(spool, ids[0]).await;
    spool.cancel(ids[1], failure(), at(1)).await.unwrap();
    assert_eq!(spool.cancel(ids[1], failure(), at(1)).await, Err(SpoolError::Stale(ids[1])));
    assert_eq!(count(spool, summary).await, 2);
    let lonely = digest(90);
    let lonely =
        Passage { digest: Some(Digest { key: "other".to_owned(), ..lonely.digest.unwrap() }), ..plain() };
    let only = alarm(spool, 2, "c", &lonely).await;
    let nothing = told_by(spool, only).await;
    spool.cancel(only, failure(), at(3)).await.unwrap();
    assert_eq!(state(spool, nothing).await, CANCELLED, "a summary of nothing");
    assert_eq!(texts(spool, 300).await, ["2 alerts 22:13: a; b"]);
    assert_eq!(state(spool, ids[1]).await, CANCELLED);
}

pub(in crate::spool) async fn a_summary_within_the_overflow_can_still_lose_what_it_tells(spool: &dyn Spool) {
    let storm = Passage { limits: at_most(1, 100).limits, ..similar("link") };
    alarm(spool, 0, "a", &storm).await;
    assert_eq!(texts(spool, 0).await, ["a"]);
    let folded = [alarm(spool, 10, "a", &storm).await, alarm(spool, 20, "a", &storm).await];
    let other = alarm(spool, 30, "b", &at_most(1, 100)).await;
    assert_eq!(texts(spool, 60).await, Vec::<String>::new());
    let (inner, outer) = (told_by(spool, folded[0]).await, told_by(spool, other).await);
    assert_eq!(count(spool, outer).await, 3);
    spool.cancel(folded[0], failure(), at(61)).await.unwrap();
    assert_eq!((count(spool, inner).await, count(spool, outer).await), (1, 2));
    spool.cancel(folded[1], failure(), at(62)).await.unwrap();
    assert_eq!((state(spool, inner).await, count(spool, outer).await), (CANCELLED, 1));
    assert_eq!(texts(spool, 100).await, ["1 alert 22:13: b"]);
    // All at once: the summary itself.
    alarm(spool, 300, "a", &storm).await;
    assert_eq!(texts(spool, 300).await, ["a"]);
    let folded = [alarm(spool, 310, "a", &storm).await, alarm(spool, 320, "a", &storm).await];
    let other = alarm(spool, 330, "b", &at_most(1, 100)).await;
    texts(spool, 360).await;
    let (inner, outer) = (told_by(spool, folded[0]).await, told_by(spool, other).await);
    spool.cancel(inner, failure(), at(361)).await.unwrap();
    assert_eq!(count(spool, outer).await, 1);
    claim_up_to(spool, 361, 0).await;
    assert_eq!((state(spool, folded[0]).await, state(spool, folded[1]).await), (CANCELLED, CANCELLED));
}

pub(in crate::spool) async fn what_is_folded_ends_as_its_summary_and_is_reported(spool: &dyn Spool) {
    let storm = similar("link");
    let wants_success = Notify::On { success: true, failure: true, delay: false };
    alarm(spool, 0, "a", &storm).await;
    let plainly = alarm(spool, 1, "a", &storm).await;
    let wishing = accept(spool, 2, 1, "a", &storm, |message| message.recipient.notify = wants_success).await;
    let summary = told_by(spool, plainly).await;
    texts(spool, 2).await;
    claim_ids(spool, 60).await;
    settle(spool, summary, refused(), 61).await;
    assert_eq!(state(spool, plainly).await, State::Folded, "in portions, by the queue");
    assert_eq!(claim_ids(spool, 62).await, []);
    let cases = spool.cases(at(62), at(62), 9).await.unwrap();
    let told: Vec<_> = cases.iter().flat_map(|case| &case.outcomes).map(|outcome| outcome.sms.id).collect();
    assert_eq!(told, [plainly, wishing], "and nobody is told of the summary itself");
    let cause = &cases[0].outcomes[0].cause;
    assert_eq!(cause.text, format!("by its summary {summary}: {}", failure().text));
    assert_eq!((cause.status, &cause.diagnostic), (failure().status, &failure().diagnostic));

    // And a success, to who wants to know.
    let folded = accept(spool, 70, 1, "a", &storm, |message| message.recipient.notify = wants_success).await;
    texts(spool, 120).await;
    let cases = spool.cases(at(120), at(120), 9).await.unwrap();
    let told: Vec<_> = cases.iter().flat_map(|case| &case.outcomes).map(|outcome| outcome.sms.id).collect();
    assert_eq!(told, [plainly, wishing, folded]);
    // One that an operator cancels.
    let folded = alarm(spool, 130, "a", &storm).await;
    let summary = told_by(spool, folded).await;
    spool.cancel(summary, failure(), at(131)).await.unwrap();
    assert_eq!(claim_ids(spool, 131).await, []);
    assert_eq!(state(spool, folded).await, CANCELLED);
}

pub(in crate::spool) async fn many_folded_ones_end_in_portions(spool: &dyn Spool) {
    const COUNT: u32 = 300;
    let mut given = submission(0, &[1; COUNT as usize]);
    for message in &mut given.messages {
        message.passage = similar("link");
    }
    let id = given.id;
    spool.accept(given).await.unwrap();
    let summary = told_by(spool, id.message(COUNT)).await;
    let shown = look(spool, summary).await.tells_of.unwrap();
    assert_eq!((shown.count, shown.first.len()), (u64::from(COUNT) - 1, 100), "a bounded list");
    assert_eq!(claim_ids(spool, 0).await, [id.message(1)]);
    settle(spool, id.message(1), sent(99), 0).await;
    assert_eq!(claim_ids(spool, 60).await, [summary]);
    settle(spool, summary, sent(99), 60).await;
    settle(spool, summary, delivered(), 61).await;
    let signals = spool.signals();
    let is_raised = || std::pin::pin!(signals.due.notified()).enable();
    let mut left = Vec::new();
    for _ in 0..5 {
        // Raised before the next command is answered.
        let folded = spool.backlog().await.unwrap().folded;
        spool.claim_mail(at(0), 0).await.unwrap();
        left.push((folded, is_raised()));
        claim_up_to(spool, 62, 0).await;
    }
    assert_eq!(left, [(299, true), (200, true), (101, true), (2, true), (0, false)]);
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), None);
}

pub(in crate::spool) async fn what_is_folded_takes_no_parts_of_its_account(spool: &dyn Spool) {
    let used = async || spool.parts_of_account_since("ups".to_owned(), at(0)).await.unwrap();
    let given = |received, parts, fate: Fate| {
        let mut given: Submission = submission(received, &[1]);
        given.client.account = Some("ups".to_owned());
        given.messages[0].sms.text.parts = parts;
        given.messages[0].passage = similar("link");
        given.messages[0].fate = fate;
        given
    };
    spool.accept(given(0, 1, Fate::Due)).await.unwrap();
    let second = given(1, 2, Fate::Due);
    let id = second.id.message(1);
    spool.accept(second).await.unwrap();
    let held = given(2, 4, Fate::Held { until: at(30), reason: HoldReason::Scheduled });
    let held_id = held.id.message(1);
    spool.accept(held).await.unwrap();
    assert_eq!(used().await, 5);
    let given_back = || {
        let unused = spool.signals().unused.take();
        unused.into_iter().map(|unused| (unused.account, unused.parts)).collect::<Vec<_>>()
    };
    assert_eq!(given_back(), [("ups".to_owned(), 2)]);
    texts(spool, 30).await;
    assert_eq!(told_by(spool, held_id).await, told_by(spool, id).await);
    assert_eq!(given_back(), [("ups".to_owned(), 4)]);
    spool.cancel(id, failure(), at(31)).await.unwrap();
    assert_eq!(given_back(), [], "once");
    texts(spool, 60).await;
    assert_eq!((used().await, given_back()), (1, Vec::new()));
}

pub(in crate::spool) async fn what_was_held_passes_when_it_is_released(spool: &dyn Spool) {
    let until = |message: &mut Message, reason| message.fate = Fate::Held { until: at(100), reason };
    let night = |message: &mut Message| until(message, HoldReason::Quiet);
    let storm = similar("link");
    let mut ids = Vec::new();
    for second in 0..3 {
        ids.push(accept(spool, second, 1, "a", &storm, night).await);
    }
    assert_eq!(state(spool, ids[1]).await, State::Held);
    assert_eq!(texts(spool, 100).await, ["a"], "the morning brings the first");
    assert_eq!(
        timeline(spool, ids[2]).await.last().unwrap(),
        &format!("100 folded: folded into {}: similar", told_by(spool, ids[2]).await)
    );
    assert_eq!(texts(spool, 160).await, ["a +2 similar, 22:13"], "and a summary");
    // What is too old is not hidden by a summary.
    let old = accept(spool, 160, 1, "a", &storm, |message| {
        message.fate = Fate::Held { until: at(165), reason: HoldReason::Scheduled };
        message.delivery.expires_at = at(170);
    })
    .await;
    assert_eq!(texts(spool, 170).await, Vec::<String>::new());
    assert_eq!(state(spool, old).await, State::Final(FinalState::Expired));
}

pub(in crate::spool) async fn what_is_folded_is_not_late_and_does_not_expire(spool: &dyn Spool) {
    let storm = similar("link");
    alarm(spool, 0, "a", &storm).await;
    let folded = accept(spool, 1, 1, "a", &storm, |message| {
        message.delivery.delayed_at = Some(at(20));
        message.delivery.expires_at = at(30);
    })
    .await;
    assert_eq!(texts(spool, 40).await, ["a"]);
    assert_eq!(spool.cases(at(40), at(40), 9).await.unwrap(), []);
    assert_eq!(state(spool, folded).await, State::Folded);
    assert_eq!(texts(spool, 60).await, ["a +1 similar, 22:13"]);
}

pub(in crate::spool) async fn an_escalation_goes_by_the_summary(spool: &dyn Spool) {
    let storm = similar("link");
    alarm(spool, 0, "a", &storm).await;
    let given = |received| {
        let mut given = submission(received, &[1]);
        given.messages[0].passage = storm.clone();
        let mut escalation = message(given.id.message(2), phone(2));
        escalation.recipient = given.messages[0].recipient.clone();
        escalation.fate = Fate::Held { until: at(200), reason: HoldReason::Escalation };
        escalation.passage = similar("escalations");
        given.messages.push(escalation);
        given
    };
    let [one, two] = [given(1), given(2)];
    let ids = [one.id, two.id];
    for given in [one, two] {
        spool.accept(given).await.unwrap();
    }
    texts(spool, 2).await;
    let summary = told_by(spool, ids[0].message(1)).await;
    assert_eq!(claim_ids(spool, 60).await, [summary]);
    settle(spool, summary, refused(), 61).await;
    // Nobody has the message: both escalate, and fold as everything does.
    assert_eq!(claim_ids(spool, 61).await, [ids[0].message(2)]);
    assert_eq!(state(spool, ids[1].message(2)).await, State::Folded);

    let three = given(70);
    let id = three.id;
    spool.accept(three).await.unwrap();
    texts(spool, 120).await;
    assert_eq!(state(spool, id.message(1)).await, DELIVERED);
    assert_eq!(state(spool, id.message(2)).await, CANCELLED, "delivered by its summary");
}

pub(in crate::spool) async fn a_clock_that_was_put_back_delays_no_summary(spool: &dyn Spool) {
    let storm = similar("link");
    let ahead = 5000;
    alarm(spool, ahead, "a", &storm).await;
    alarm(spool, ahead + 10, "a", &storm).await;
    texts(spool, ahead + 10).await;
    let waits = Waits {
        due: seconds(900),
        unknown: seconds(900),
        sent: seconds(900),
        mail: seconds(900),
        tellings: seconds(900),
    };
    assert_eq!(spool.shorten_waits(at(100), waits).await.unwrap(), 1);
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(150)), "as long as it was to wait");
    assert_eq!(texts(spool, 150).await.len(), 1);
    // A window that nothing fell into is open for no longer than it was to be.
    let other = similar("disk");
    alarm(spool, ahead, "b", &other).await;
    assert_eq!(texts(spool, ahead).await, ["b"]);
    let folded = alarm(spool, 200, "b", &other).await;
    assert_eq!(state(spool, folded).await, State::Folded);
    assert_eq!(texts(spool, 259).await, [""; 0]);
    assert_eq!(texts(spool, 260).await.len(), 1);
    // A limit that was filled in that future has room.
    let one = at_most(1, 60);
    alarm(spool, ahead, "c", &one).await;
    let now = alarm(spool, 300, "c", &one).await;
    assert_eq!(state(spool, now).await, State::Due);
}

pub(in crate::spool) async fn plain_sms_are_not_touched(spool: &dyn Spool) {
    alarm(spool, 0, "a", &at_most(1, 60)).await;
    alarm(spool, 0, "a", &at_most(1, 60)).await;
    let plain = accept_one(spool, 1, 1).await;
    let shown = look(spool, plain).await;
    assert_eq!((shown.state, shown.folded_into, shown.tells_of), (State::Due, None, None));
}
