//! Quiet hours: whatever held an SMS before, it waits for the end of those of its phone.

use jiff::civil::time;

use super::super::Spool;
use super::storms::{
    CANCELLED, accept, alarm, at_most, count, digest, problem, recovery, similar, state, texts, told_by,
};
use super::{
    at, claim_ids, delivered, failure, look, message, phone, refused, sent, settle, submission, timeline,
};
use crate::budget::key;
use crate::model::{
    Charge, Fate, HoldReason, Message, MessageId, Passage, Period, QuietSpan, State, Submission, Unit,
};

/// When the quiet hours of these tests begin, from 22:30 in UTC.
const EVENING: i64 = 1_000;
/// The day of `at(0)` ends here.
const MIDNIGHT: i64 = 6_400;
/// When they end, at 06:00.
const MORNING: i64 = 28_000;

fn night() -> Vec<QuietSpan> {
    let (from, to) = (time(22, 30, 0, 0), time(6, 0, 0, 0));
    vec![QuietSpan { days: 0b111_1111, from, to, zone: Some("UTC".to_owned()) }]
}

fn quiet(passage: Passage) -> Passage {
    Passage { quiet: night(), ..passage }
}

async fn stands(spool: &dyn Spool, id: MessageId) -> (State, Option<HoldReason>, Option<i64>) {
    let view = look(spool, id).await;
    (view.state, view.hold_reason, view.next_at.map(|next| next.duration_since(at(0)).as_secs()))
}

const ASLEEP: (State, Option<HoldReason>, Option<i64>) =
    (State::Held, Some(HoldReason::Quiet), Some(MORNING));

/// When it expires, once it is tried.
async fn expires(spool: &dyn Spool, id: MessageId) -> i64 {
    look(spool, id).await.expires_at.duration_since(at(0)).as_secs()
}

/// As many parts a day.
fn budget(hold: u64) -> Vec<Charge> {
    vec![Charge {
        key: key("all", Period::Day, Unit::Parts),
        period: Period::Day,
        unit: Unit::Parts,
        amount: 1,
        warn: None,
        hold: Some(hold),
        ceiling: None,
        zone: Some("UTC".to_owned()),
    }]
}

async fn spent(spool: &dyn Spool, now: i64) -> u64 {
    spool.budgets(at(now)).await.unwrap().spent.iter().map(|spent| spent.amount).sum()
}

pub(in crate::spool) async fn what_would_be_due_in_quiet_hours_waits_for_their_end(spool: &dyn Spool) {
    let storm = quiet(Passage { budgets: budget(9), ..similar("link") });
    let before = alarm(spool, EVENING - 1, "last word", &quiet(Passage::default())).await;
    assert_eq!(state(spool, before).await, State::Due);
    assert_eq!(texts(spool, EVENING - 1).await, ["last word"]);
    let mut ids = Vec::new();
    for words in ["a", "b", "c"] {
        let late = |message: &mut Message| message.delivery.delayed_at = Some(at(EVENING + 600));
        ids.push(accept(spool, EVENING, 1, words, &storm, late).await);
    }
    for id in &ids {
        assert_eq!(stands(spool, *id).await, ASLEEP);
    }
    assert_eq!(timeline(spool, ids[0]).await, [format!("{EVENING} held: held until {}: quiet", at(MORNING))]);
    assert_eq!(expires(spool, ids[0]).await, MORNING + super::LIFETIME - EVENING, "its lifetime begins then");
    assert_eq!(spent(spool, EVENING).await, 0, "nothing is charged before");
    let awake = alarm(spool, EVENING, "fire", &Passage::default()).await;
    assert_eq!(state(spool, awake).await, State::Due, "what need not wait does not");
    assert_eq!(texts(spool, MIDNIGHT).await, ["fire"]);
    assert_eq!(texts(spool, MORNING - 1).await, [""; 0]);
    assert_eq!(spool.cases(at(MORNING - 1), at(MORNING - 1), 9).await.unwrap(), [], "it is not late");
    // A morning brings the first and a summary.
    assert_eq!(texts(spool, MORNING).await, ["a"]);
    assert_eq!(spent(spool, MORNING).await, 1);
    assert_eq!(texts(spool, MORNING + 60).await, ["a +2 similar, 22:30"]);
    let at_the_end = alarm(spool, MORNING, "x", &quiet(Passage::default())).await;
    assert_eq!(state(spool, at_the_end).await, State::Due);
}

pub(in crate::spool) async fn what_a_budget_held_waits_for_the_morning(spool: &dyn Spool) {
    let passage = quiet(Passage { budgets: budget(1), ..Passage::default() });
    let first = alarm(spool, 0, "a", &passage).await;
    let late = |message: &mut Message| message.delivery.delayed_at = Some(at(MIDNIGHT + 700));
    let second = accept(spool, 1, 1, "b", &passage, late).await;
    assert_eq!(stands(spool, second).await, (State::Held, Some(HoldReason::Budget), Some(MIDNIGHT)));
    assert_eq!(claim_ids(spool, 1).await, [first]);
    settle(spool, first, sent(99), 1).await;
    assert_eq!(claim_ids(spool, MIDNIGHT).await, []);
    assert_eq!(stands(spool, second).await, ASLEEP);
    assert_eq!(spent(spool, MIDNIGHT).await, 0, "what goes in the morning is charged then");
    assert_eq!(expires(spool, second).await, MORNING + super::LIFETIME - MIDNIGHT);
    assert_eq!(claim_ids(spool, MORNING - 1).await, []);
    // Nothing is late that waits on purpose, and what was to be told is told as much later.
    assert_eq!(claim_ids(spool, MORNING).await, [second]);
    assert_eq!(spent(spool, MORNING).await, 1);
    assert_eq!(
        timeline(spool, second).await[..3],
        [
            format!("1 held: held until {}: budget", at(MIDNIGHT)),
            format!("{MIDNIGHT} held: held until {}: quiet", at(MORNING)),
            format!("{MORNING} due: its time has come"),
        ]
    );
    assert_eq!(spool.cases(at(MORNING + 699), at(MORNING + 699), 9).await.unwrap(), []);
    let cases = spool.cases(at(MORNING + 700), at(MORNING + 700), 9).await.unwrap();
    assert_eq!(cases.len(), 1, "now it is");
}

pub(in crate::spool) async fn what_passed_before_the_night_is_not_folded_into_what_it_began(
    spool: &dyn Spool,
) {
    let mut passage = quiet(Passage { budgets: budget(1), ..similar("link") });
    passage.similar.as_mut().unwrap().window = std::time::Duration::from_secs(86_400);
    let other = Passage { budgets: budget(1), ..Passage::default() };
    alarm(spool, 0, "other", &other).await;
    let first = alarm(spool, 1, "link down", &passage).await;
    let folded = alarm(spool, 2, "link down", &passage).await;
    assert_eq!(state(spool, folded).await, State::Folded);
    texts(spool, 2).await;
    texts(spool, MIDNIGHT).await;
    assert_eq!(stands(spool, first).await, ASLEEP);
    assert_eq!(texts(spool, MORNING).await, ["link down"]);
}

pub(in crate::spool) async fn a_summary_waits_for_the_morning_and_tells_of_the_night(spool: &dyn Spool) {
    let one = |n: u32| Passage { limits: at_most(1, 60).limits, ..quiet(similar(&format!("link {n}"))) };
    let mut kept = Passage { limits: Vec::new(), ..one(1) };
    alarm(spool, EVENING - 30, "link 1 down", &kept).await;
    let folded = alarm(spool, EVENING - 20, "link 1 down", &kept).await;
    let gathered = quiet(digest(60));
    let told = accept(spool, EVENING - 20, 2, "door open", &gathered, |_| {}).await;
    let full = accept(spool, EVENING - 20, 3, "a", &one(2), |_| {}).await;
    let overflown = accept(spool, EVENING - 10, 3, "b", &one(3), |_| {}).await;
    assert_eq!(state(spool, full).await, State::Due);
    assert_eq!(texts(spool, EVENING - 1).await, ["link 1 down", "a"]);
    let summaries =
        [told_by(spool, folded).await, told_by(spool, told).await, told_by(spool, overflown).await];
    assert_eq!(texts(spool, EVENING + 60).await, [""; 0]);
    for summary in summaries {
        let asleep = (State::Held, Some(HoldReason::Summary), Some(MORNING));
        assert_eq!(stands(spool, summary).await, asleep);
        let last = timeline(spool, summary).await.pop().unwrap();
        assert!(last.ends_with(": quiet hours"), "{last}");
        assert!(expires(spool, summary).await > MORNING + 5_000, "it does not expire before");
    }
    // What comes at night waits by itself, and is told by the same summary.
    kept.pairing.own = Some("p".to_owned());
    let mut ids = vec![alarm(spool, MIDNIGHT, "link 1 down", &kept).await];
    ids.push(accept(spool, MIDNIGHT, 2, "fan stopped", &gathered, |_| {}).await);
    ids.push(accept(spool, MIDNIGHT, 3, "c", &one(4), |_| {}).await);
    for id in &ids {
        assert_eq!(stands(spool, *id).await, ASLEEP);
    }
    assert_eq!(texts(spool, MORNING).await, [""; 0]);
    for (id, summary) in ids.iter().zip(summaries) {
        assert_eq!((told_by(spool, *id).await, count(spool, summary).await), (summary, 2));
    }
    assert_eq!(
        texts(spool, MORNING + 1).await,
        [
            "link 1 down +2 similar, 14 Nov 22:29-15 Nov 00:00",
            "2 alerts 14 Nov 22:29-15 Nov 00:00: door open; fan stopped",
            "2 alerts 14 Nov 22:29-15 Nov 00:00: b; c",
        ]
    );
}

pub(in crate::spool) async fn a_problem_behind_a_recovery_of_the_same_night_is_told(spool: &dyn Spool) {
    let [down, up] = [problem("p"), recovery("p")].map(|passage| quiet(Passage { similar: None, ..passage }));
    let first = alarm(spool, EVENING, "down", &down).await;
    alarm(spool, EVENING + 600, "up", &up).await;
    assert_eq!(state(spool, first).await, CANCELLED);
    let second = alarm(spool, EVENING + 1800, "down again", &down).await;
    assert_eq!(stands(spool, second).await, ASLEEP);
    assert_eq!(texts(spool, MORNING).await, ["up", "down again"]);
}

pub(in crate::spool) async fn what_may_wake_somebody_waits_for_no_summary_that_may_not(spool: &dyn Spool) {
    let (waking, kept) = (at_most(1, 60), quiet(at_most(1, 60)));
    alarm(spool, EVENING - 30, "a", &kept).await;
    assert_eq!(texts(spool, EVENING - 30).await, ["a"]);
    let folded = alarm(spool, EVENING - 20, "b", &kept).await;
    assert_eq!(texts(spool, EVENING + 60).await, [""; 0]);
    assert_eq!(state(spool, told_by(spool, folded).await).await, State::Held);
    alarm(spool, EVENING + 100, "duty", &waking).await;
    assert_eq!(texts(spool, EVENING + 100).await, ["duty"]);
    let again = alarm(spool, EVENING + 110, "duty again", &waking).await;
    assert_eq!(state(spool, again).await, State::Folded);
    assert_ne!(told_by(spool, again).await, told_by(spool, folded).await);
    assert_eq!(texts(spool, EVENING + 110).await, [""; 0]);
    assert_eq!(texts(spool, EVENING + 160).await, ["1 alert 22:31: duty again"]);
    assert_eq!(texts(spool, MORNING + 1).await, ["1 alert 22:29: b"]);
}

/// An SMS to the first phone, and one to the second where nobody has it, by `until` or at once where the first has
/// failed.
fn escalating(received: i64, until: i64, quiet: bool) -> Submission {
    let mut given = submission(received, &[1]);
    let mut escalation = message(given.id.message(2), phone(2));
    escalation.recipient = given.messages[0].recipient.clone();
    escalation.fate = Fate::Held { until: at(until), reason: HoldReason::Escalation };
    escalation.delivery.expires_at = at(until + 500);
    escalation.passage.quiet = if quiet { night() } else { Vec::new() };
    given.messages.push(escalation);
    given
}

pub(in crate::spool) async fn an_escalation_waits_for_the_morning_however_it_is_released(spool: &dyn Spool) {
    // Released early, by its time, and where it need not wait.
    let given =
        [escalating(0, 1_500, true), escalating(EVENING, 1_500, true), escalating(EVENING, 1_500, false)];
    let ids = [given[0].id, given[1].id, given[2].id];
    for given in given {
        spool.accept(given).await.unwrap();
    }
    assert_eq!(claim_ids(spool, EVENING).await, [ids[0].message(1)]);
    settle(spool, ids[0].message(1), refused(), EVENING + 1).await;
    assert_eq!(stands(spool, ids[0].message(2)).await, ASLEEP);
    assert_eq!(expires(spool, ids[0].message(2)).await, MORNING + 500);
    assert_eq!(claim_ids(spool, EVENING + 2).await, [ids[1].message(1)]);
    settle(spool, ids[1].message(1), sent(9_000), EVENING + 2).await;
    assert_eq!(claim_ids(spool, EVENING + 3).await, [ids[2].message(1)]);
    settle(spool, ids[2].message(1), refused(), EVENING + 3).await;
    assert_eq!(claim_ids(spool, EVENING + 3).await, [ids[2].message(2)]);
    settle(spool, ids[2].message(2), sent(9_000), EVENING + 3).await;
    assert_eq!(claim_ids(spool, 1_500).await, []);
    assert_eq!(stands(spool, ids[1].message(2)).await, ASLEEP);
    assert_eq!(expires(spool, ids[1].message(2)).await, MORNING + 500);
    assert_eq!(claim_ids(spool, MORNING).await, [ids[0].message(2)]);
    settle(spool, ids[0].message(2), sent(99_000), MORNING).await;
    assert_eq!(claim_ids(spool, MORNING).await, [ids[1].message(2)]);
    // By day it goes as soon as nobody has the message.
    let day = escalating(MORNING + 10, MORNING + 900, true);
    let id = day.id;
    let (first, second) = (id.message(1), id.message(2));
    let mut day = day;
    day.messages[0].delivery.expires_at = at(MORNING + 900);
    day.messages[1].sms.destination = phone(3);
    spool.accept(day).await.unwrap();
    assert_eq!(claim_ids(spool, MORNING + 10).await, [first]);
    settle(spool, first, refused(), MORNING + 11).await;
    assert_eq!(claim_ids(spool, MORNING + 11).await, [second]);
}

pub(in crate::spool) async fn an_escalation_that_waits_for_the_morning_is_cancelled_by_a_delivery(
    spool: &dyn Spool,
) {
    let given = escalating(EVENING, 1_500, true);
    let id = given.id;
    spool.accept(given).await.unwrap();
    assert_eq!(claim_ids(spool, EVENING).await, [id.message(1)]);
    settle(spool, id.message(1), sent(9_000), EVENING).await;
    assert_eq!(claim_ids(spool, 1_500).await, []);
    assert_eq!(stands(spool, id.message(2)).await, ASLEEP);
    settle(spool, id.message(1), delivered(), 2_000).await;
    assert_eq!(state(spool, id.message(2)).await, CANCELLED);
    // What waits for the morning can be cancelled as any other.
    let other = alarm(spool, EVENING, "a", &quiet(Passage::default())).await;
    spool.cancel(other, failure(), at(2_001)).await.unwrap();
    assert_eq!(claim_ids(spool, MORNING).await, []);
}

pub(in crate::spool) async fn a_recovery_at_night_ends_what_waits_for_the_morning(spool: &dyn Spool) {
    let over = Passage { similar: None, ..problem("p1") };
    let down = alarm(spool, EVENING, "down", &quiet(over.clone())).await;
    let mut charged = Passage { budgets: budget(1), ..over };
    charged.pairing.own = Some("p2".to_owned());
    alarm(spool, 0, "other", &charged).await;
    let by_budget = alarm(spool, 0, "down", &quiet(charged)).await;
    texts(spool, MIDNIGHT).await;
    assert_eq!(stands(spool, by_budget).await, ASLEEP);
    let mut ups = Vec::new();
    for key in ["p1", "p2"] {
        ups.push(alarm(spool, MIDNIGHT, "up", &quiet(recovery(key))).await);
    }
    assert_eq!((state(spool, down).await, state(spool, by_budget).await), (CANCELLED, CANCELLED));
    let cause = look(spool, down).await.cause.unwrap().text;
    assert_eq!(cause, format!("recovered before it was sent, by {}", ups[0]));
    assert_eq!(stands(spool, ups[0]).await, ASLEEP, "it wakes nobody either");
    assert_eq!(texts(spool, MORNING).await, ["up", "up"]);
}

pub(in crate::spool) async fn what_the_platform_is_to_hold_counts_by_its_time(spool: &dyn Spool) {
    let by_platform =
        |until: i64| move |message: &mut Message| message.sms.options.scheduled_at = Some(at(until));
    let plain = quiet(Passage::default());
    let day = accept(spool, MIDNIGHT, 1, "day", &plain, by_platform(MORNING)).await;
    let night = accept(spool, 0, 1, "night", &plain, by_platform(MORNING - 1)).await;
    let past = accept(spool, MIDNIGHT, 1, "past", &plain, by_platform(0)).await;
    assert_eq!(state(spool, day).await, State::Due);
    assert_eq!(stands(spool, night).await, ASLEEP);
    assert_eq!(stands(spool, past).await, ASLEEP);
}

pub(in crate::spool) async fn hours_of_an_unknown_zone_hold_nothing(spool: &dyn Spool) {
    let mut lost = quiet(Passage::default());
    lost.quiet[0].zone = Some("Mars/Olympus".to_owned());
    let goes = alarm(spool, EVENING, "a", &lost).await;
    assert_eq!(state(spool, goes).await, State::Due);
    lost.quiet.extend(night());
    let held = alarm(spool, EVENING, "b", &lost).await;
    assert_eq!(stands(spool, held).await, ASLEEP, "those that are known do");
}
