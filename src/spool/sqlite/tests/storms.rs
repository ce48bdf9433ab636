//! Storms on disk: what is left between two steps, what is cleared away, and one damaged record.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;

use super::super::super::behaviour::{
    GATEWAY, at, claim, claim_ids, delivered, failure, look, phone, sent, settle, submission,
};
use super::super::super::{Asked, RequestKey, Spool};
use super::super::SqliteSpool;
use super::super::pairing::MOST_ENDED;
use super::{open, open_in, outsider};
use crate::model::{
    Fate, FinalState, HoldReason, Limit, LimitScope, LimitStep, MessageId, Pairing, Passage, Similar, State,
    SummaryForm,
};

fn storm(key: &str) -> Passage {
    Passage {
        similar: Some(Similar { key: key.to_owned(), window: Duration::from_secs(60) }),
        summary: SummaryForm { zone: Some("UTC".to_owned()), ..SummaryForm::default() },
        ..Passage::default()
    }
}

fn at_most_one(key: &str) -> Vec<Limit> {
    let steps = vec![LimitStep { most: 1, within: Duration::from_secs(100) }];
    vec![Limit { key: key.to_owned(), scope: LimitScope::Destination, steps }]
}

async fn accept(spool: &SqliteSpool, received: i64, words: &str, passage: &Passage) -> MessageId {
    let mut given = submission(received, &[1]);
    let id = given.id.message(1);
    given.messages[0].sms.text.body = words.to_owned();
    given.messages[0].passage = passage.clone();
    spool.accept(given).await.unwrap();
    id
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A storm that overflows, with a recovery, told step by step; the spool is opened anew before those steps that `reopen`
/// names. What comes out is what was sent, and every timeline without its ids.
async fn tell(reopen: impl Fn(usize) -> bool) -> (Vec<String>, Vec<String>, usize) {
    let (spool, directory) = open();
    let mut spool = Some(spool);
    let mut steps = 0;
    let mut texts = Vec::new();
    let mut ids: Vec<MessageId> = Vec::new();
    let problem = Pairing { own: Some("p".to_owned()), ends: Vec::new() };
    let storm = Passage { limits: at_most_one("phone"), ..storm("link") };
    let flapping = Passage { pairing: problem, ..storm.clone() };
    let over = Pairing { own: None, ends: vec!["p".to_owned()] };
    let recovery = Passage { pairing: over, ..Passage::default() };
    let plan = [
        (0, Some(("link down", &storm))),
        (1, Some(("link down", &storm))),
        (2, Some(("link down", &flapping))),
        (3, None),
        (4, None),
        (5, Some(("link up", &recovery))),
        (60, None),
        (70, Some(("link down", &storm))),
        (100, None),
        (101, None),
        (102, None),
        (130, None),
        (200, None),
        (201, None),
        (202, None),
    ];
    for (now, accepted) in plan {
        for half in 0..3 {
            if reopen(steps) {
                drop(spool.take());
                spool = Some(open_in(directory.path()));
                spool.as_ref().unwrap().recover(at(now), at(now)).await.unwrap();
            }
            steps += 1;
            let spool = spool.as_ref().unwrap();
            match (half, accepted) {
                (0, Some((words, passage))) => ids.push(accept(spool, now, words, passage).await),
                (1, _) => {
                    for claimed in claim(spool, now).await {
                        settle(spool, claimed.sms.id, sent(now + 900), now).await;
                        settle(spool, claimed.sms.id, delivered(), now).await;
                        texts.push(claimed.sms.text.body);
                    }
                }
                (2, _) => drop(claim_ids(spool, now).await),
                _ => {}
            }
        }
    }
    let spool = spool.unwrap();
    let mut ends = Vec::new();
    for id in ids {
        let shown = look(&spool, id).await;
        let events: Vec<_> = shown.events.iter().map(|event| (event.at, event.state)).collect();
        ends.push(format!("{} {events:?} {}", shown.sms.text.body, shown.state));
    }
    (texts, ends, steps)
}

#[tokio::test]
async fn a_storm_goes_on_after_the_spool_was_opened_anew_at_any_step() {
    let (texts, ends, steps) = tell(|_| false).await;
    assert_eq!(
        texts,
        ["link down", "link up", "1 alert 22:13: link down", "1 alert 22:14: link down"],
        "{ends:#?}"
    );
    assert!(ends.iter().all(|end| end.ends_with("delivered") || end.ends_with("cancelled")), "{ends:#?}");
    for step in 0..steps {
        assert_eq!(tell(|now| now == step).await, (texts.clone(), ends.clone(), steps), "before step {step}");
    }
    assert_eq!(tell(|_| true).await, (texts, ends, steps));
}

#[tokio::test]
async fn the_operator_is_told_whose_limit_bites() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let mut limits = at_most_one("client 10.1.2.3");
    limits.iter_mut().for_each(|limit| limit.scope = LimitScope::Source);
    let passage = Passage { limits, ..Passage::default() };
    for now in [0, 1] {
        accept(&spool, now, "a", &passage).await;
    }
    let told =
        outsider.query_row("SELECT about, words FROM notice", [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (about, words): (String, String) = told.unwrap();
    assert_eq!(about, "the limit of client 10.1.2.3 is reached");
    assert!(words.starts_with("More comes from client 10.1.2.3 for "), "{words}");
}

#[tokio::test]
async fn the_operator_is_told_once_of_a_limit_that_bites() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let notices = || number(&outsider, "SELECT count(*) FROM notice");
    let passage = Passage { limits: at_most_one("phone"), ..Passage::default() };
    for (now, told) in [(0, 0), (1, 1), (2, 1), (150, 1), (300, 1)] {
        claim_ids(&spool, now).await;
        accept(&spool, now, "a", &passage).await;
        assert_eq!(notices(), told, "at {now}");
    }
    let words: String = outsider.query_row("SELECT words FROM notice", [], |row| row.get(0)).unwrap();
    let masked = phone(1).masked().to_string();
    assert!(masked.contains('•'), "{masked}");
    let about: String = outsider.query_row("SELECT about FROM notice", [], |row| row.get(0)).unwrap();
    assert_eq!(about, format!("the limit of {masked} is reached"));
    assert_eq!(
        words,
        format!(
            "More SMS come for {masked}, lane normal, than its limit lets pass (1 in 100 s). What finds no room is \
             told to the phone by a summary."
        )
    );
    // For as long as the limit looks back nothing more of it is news.
    claim_ids(&spool, 400).await;
    accept(&spool, 500, "a", &passage).await;
    assert_eq!(notices(), 1);
    accept(&spool, 501, "a", &passage).await;
    assert_eq!(notices(), 2);
    // Nobody is told of what is only simulated.
    for _ in 0..2 {
        let mut given = submission(502, &[1]);
        given.messages[0].passage = passage.clone();
        given.messages[0].sms.options.simulation = true;
        spool.accept(given).await.unwrap();
    }
    assert_eq!(notices(), 2);
    // Nor while another waits for room.
    claim_ids(&spool, 600).await;
    accept(&spool, 699, "a", &passage).await;
    claim_ids(&spool, 700).await;
    accept(&spool, 799, "a", &passage).await;
    assert_eq!(notices(), 2);
}

#[tokio::test]
async fn windows_and_passes_that_are_over_are_cleared_away() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    for n in 0..100 {
        let passage = Passage { limits: at_most_one(&format!("phone {n}")), ..storm(&format!("key {n}")) };
        accept(&spool, 0, "a", &passage).await;
    }
    let count = |table: &str| number(&outsider, &format!("SELECT count(*) FROM {table}"));
    assert_eq!((count("fold"), count("passes")), (100, 100));
    for n in 0..20 {
        let passage = Passage { limits: at_most_one(&format!("{n}")), ..storm(&format!("later {n}")) };
        accept(&spool, 86_400, "a", &passage).await;
    }
    assert_eq!((count("fold"), count("passes")), (20, 20), "those that count still");
}

#[tokio::test]
async fn what_a_fold_says_is_forgotten_once_it_is_closed_and_only_so_much_is_kept() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let passage = Passage { limits: at_most_one("phone"), ..Passage::default() };
    for n in 0..=66 {
        accept(&spool, 0, &format!("alarm {n}"), &passage).await;
    }
    assert_eq!(number(&outsider, "SELECT count(*) FROM told"), 64);
    assert_eq!(number(&outsider, "SELECT count FROM fold WHERE kind = 'overflow'"), 66);
    for now in [0, 100] {
        for claimed in claim(&spool, now).await {
            settle(&spool, claimed.sms.id, sent(900), now).await;
            settle(&spool, claimed.sms.id, delivered(), now).await;
        }
    }
    claim_ids(&spool, 101).await;
    assert_eq!(number(&outsider, "SELECT count(*) FROM told"), 0);
    assert_eq!(number(&outsider, "SELECT count(*) FROM sms WHERE state = 'folded'"), 0);
}

#[tokio::test]
async fn nothing_folds_into_a_summary_that_cannot_go() {
    for damage in ["damaged = 1", "state = 'cancelled', ended_at = 0", "submission = 'x'"] {
        let (spool, directory) = open();
        let outsider = outsider(directory.path());
        outsider.pragma_update(None, "foreign_keys", false).unwrap();
        accept(&spool, 0, "a", &storm("link")).await;
        let folded = accept(&spool, 1, "a", &storm("link")).await;
        outsider.execute(&format!("UPDATE sms SET {damage} WHERE hold_reason = 'summary'"), []).unwrap();
        let next = accept(&spool, 2, "a", &storm("link")).await;
        assert_eq!(look(&spool, next).await.state, State::Due, "{damage}");
        let again = accept(&spool, 3, "a", &storm("link")).await;
        assert_ne!(look(&spool, again).await.folded_into, look(&spool, folded).await.folded_into, "{damage}");
    }
}

#[tokio::test]
async fn a_damaged_fold_harms_no_other() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    accept(&spool, 0, "a", &storm("link")).await;
    accept(&spool, 1, "a", &storm("link")).await;
    let passage = "sms SET passage = '{' WHERE hold_reason = 'summary'";
    for (damage, aside) in
        [("fold SET count = 'many'", false), ("fold SET first_at = NULL", true), (passage, true)]
    {
        let done = outsider.execute(&format!("UPDATE {damage}"), []);
        assert_eq!(done.is_ok(), aside, "{damage}: {done:?}");
    }
    claim_ids(&spool, 1).await;
    let other = accept(&spool, 2, "b", &Passage::default()).await;
    settle(&spool, look_first(&outsider, &spool).await, sent(900), 2).await;
    assert_eq!(claim_ids(&spool, 60).await, [other]);
    assert_eq!(number(&outsider, "SELECT damaged FROM sms WHERE hold_reason = 'summary'"), 1);
}

/// The SMS of row 1.
async fn look_first(_: &Connection, spool: &SqliteSpool) -> MessageId {
    spool.message_by_number(1).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_was_set_aside_while_its_summary_ended_ends_at_the_next_start() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let first = accept(&spool, 0, "a", &storm("link")).await;
    let folded = accept(&spool, 1, "a", &storm("link")).await;
    let other = accept(&spool, 2, "a", &storm("link")).await;
    let summary = look(&spool, folded).await.folded_into.unwrap();
    claim_ids(&spool, 2).await;
    settle(&spool, first, sent(900), 2).await;
    claim_ids(&spool, 60).await;
    settle(&spool, summary, sent(900), 60).await;
    outsider
        .execute("UPDATE sms SET damaged = 1 WHERE ordinal = 1 AND state = 'folded' AND seq = 3", [])
        .unwrap();
    settle(&spool, summary, delivered(), 61).await;
    claim_ids(&spool, 62).await;
    assert_eq!(look(&spool, folded).await.state, State::Folded);
    assert_eq!(look(&spool, other).await.state, State::Final(FinalState::Delivered));
    spool.recover(at(70), at(70)).await.unwrap();
    claim_ids(&spool, 70).await;
    assert_eq!(look(&spool, folded).await.state, State::Final(FinalState::Delivered));
    // One that somebody has ended by hand takes what it tells of with it.
    let storm = storm("other");
    accept(&spool, 100, "a", &storm).await;
    let folded = accept(&spool, 101, "a", &storm).await;
    let by_hand = "UPDATE sms SET state = 'cancelled', ended_at = 0, cause = 'by hand', cause_status = '5.7.1' \
                   WHERE hold_reason = 'summary'";
    outsider.execute(by_hand, []).unwrap();
    spool.recover(at(110), at(110)).await.unwrap();
    claim_ids(&spool, 110).await;
    assert_eq!(look(&spool, folded).await.state, State::Final(FinalState::Cancelled));
    assert!(spool.cancel(folded, failure(), at(111)).await.is_err());
}

/// Names the directory in which [`a_storm_in_another_process`] is told.
const DIRECTORY: &str = "SMS_RELAY_TEST_STORM";

/// More than one portion.
const FOLDED: usize = 120;

#[test]
fn a_storm_survives_the_end_of_the_process_at_every_commit() {
    let mut ends = 0;
    for commit in ["accept", "claim", "settle"] {
        for side in ["before", "after"] {
            for pass in 1.. {
                let directory = tempfile::tempdir().unwrap();
                let status = Command::new(std::env::current_exe().unwrap())
                    .args([
                        "--exact",
                        "spool::sqlite::tests::storms::a_storm_in_another_process",
                        "--ignored",
                    ])
                    .env(DIRECTORY, directory.path())
                    .env("SMS_RELAY_CRASH_POINT", format!("{side}-{commit}-commit:{pass}"))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(storm_life(&open_in(directory.path())));
                let shown = format!("{side} {commit} {pass}");
                check_storm(&outsider(directory.path()), &shown);
                if status.success() {
                    break;
                }
                ends += 1;
            }
        }
    }
    assert!(ends > 30, "{ends}");
}

#[tokio::test]
#[ignore = "the other half of a test, which starts it"]
async fn a_storm_in_another_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    storm_life(&open_in(&PathBuf::from(directory))).await;
}

/// A storm from its first SMS to its last, and what of it is there already. The clients and the platform repeat what
/// they got no answer to.
async fn storm_life(spool: &SqliteSpool) {
    let key = |item| RequestKey { account: "ups".to_owned(), key: "storm".to_owned(), item, digest: [7; 32] };
    let take = async |item, received, phones: &[u32], passage: Passage, fate: Fate| {
        let mut given = submission(received, phones);
        for message in &mut given.messages {
            (message.passage, message.fate) = (passage.clone(), fate.clone());
        }
        spool.accept_once(given, key(item), String::new()).await.unwrap();
    };
    spool.recover(at(0), at(0)).await.unwrap();
    take(0, 0, &[1; FOLDED + 1], storm("link"), Fate::Due).await;
    take(1, 1, &[1], Passage { pairing: paired(Some("p"), &[]), ..storm("link") }, Fate::Due).await;
    let later = Fate::Held { until: at(30), reason: HoldReason::Scheduled };
    take(2, 2, &[1], storm("link"), later).await;
    take(3, 3, &[1], Passage { pairing: paired(None, &["p"]), ..Passage::default() }, Fate::Due).await;
    // To another phone: one that finds no room, and one that takes the room of its summary.
    let one = Passage { limits: at_most_one("other phone"), ..Passage::default() };
    take(4, 4, &[2], one.clone(), Fate::Due).await;
    take(5, 5, &[2], one.clone(), Fate::Due).await;
    take(6, 50, &[2], Passage { is_exempt: true, ..one }, Fate::Due).await;
    for now in [50, 51, 60, 61, 62, 63, 64, 104, 150, 151, 152, 153] {
        for claimed in claim(spool, now).await {
            settle(spool, claimed.sms.id, sent(now), now).await;
        }
        for state in [Asked::Unknown, Asked::Sent] {
            let asked = spool.questions(state, GATEWAY.to_owned(), at(now), at(now), 9).await.unwrap();
            for question in asked {
                let step = if state == Asked::Unknown { sent(now) } else { delivered() };
                settle(spool, question.id, step, now).await;
            }
        }
    }
}

/// Each has its end, once; six went out, each once.
fn check_storm(outsider: &Connection, shown: &str) {
    let count = |what: &str| number(outsider, &format!("SELECT count(*) FROM {what}"));
    let delivered = i64::try_from(FOLDED).unwrap() + 8;
    assert_eq!(count("sms WHERE state = 'delivered'"), delivered, "{shown}");
    assert_eq!(count("sms WHERE state = 'cancelled'"), 1, "{shown}");
    assert_eq!(count("sms"), delivered + 1, "{shown}");
    assert_eq!(count("event WHERE state IN ('delivered', 'cancelled')"), delivered + 1, "{shown}");
    assert_eq!(count("attempt"), 6, "{shown}");
    let folds = "SELECT group_concat(kind || ' ' || count, ', ') FROM \
                 (SELECT kind, count FROM fold WHERE state = 'closed' ORDER BY kind)";
    let folds: String = outsider.query_row(folds, [], |row| row.get(0)).unwrap();
    assert_eq!(folds, format!("overflow 1, similar {}", FOLDED + 1), "{shown}");
    assert_eq!(count("event WHERE note LIKE 'held until % no room'"), 1, "{shown}");
    assert_eq!(count("submission WHERE pending <> 0"), 0, "{shown}");
}

fn paired(own: Option<&str>, ends: &[&str]) -> Pairing {
    Pairing { own: own.map(str::to_owned), ends: ends.iter().map(|end| (*end).to_owned()).collect() }
}

/// One recovery may answer many mails, and each of them may be many.
#[tokio::test]
async fn a_recovery_ends_so_many_the_latest_first_whatever_it_answers() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let half = MOST_ENDED / 2;
    for (second, key) in (0..).zip(["p", "q"]) {
        let mut given = submission(second, &vec![1; half + 1]);
        for message in &mut given.messages {
            message.passage.pairing = paired(Some(key), &[]);
            message.fate = Fate::Held { until: at(500), reason: HoldReason::Scheduled };
        }
        spool.accept(given).await.unwrap();
    }
    let over = |ends| Passage { pairing: paired(None, ends), ..Passage::default() };
    accept(&spool, 2, "up", &over(&["p", "q", "none"])).await;
    let left = "SELECT count(*) FROM sms WHERE state = 'held'";
    assert_eq!(number(&outsider, left), 2);
    let first = "SELECT count(*) FROM sms WHERE state = 'held' AND pair_key LIKE '%q' AND seq < \
                 (SELECT min(seq) FROM sms WHERE state = 'cancelled' AND pair_key LIKE '%q')";
    assert_eq!(number(&outsider, first), 2);
    accept(&spool, 3, "up", &over(&["q"])).await;
    assert_eq!(number(&outsider, left), 0);
}

#[tokio::test]
async fn what_a_summary_on_its_way_tells_of_hides_nothing_that_a_recovery_can_end() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let down = Passage { pairing: paired(Some("p"), &[]), ..storm("link") };
    let mut given = submission(0, &vec![1; MOST_ENDED + 2]);
    for message in &mut given.messages {
        message.passage = down.clone();
    }
    spool.accept(given).await.unwrap();
    for claimed in claim(&spool, 0).await {
        settle(&spool, claimed.sms.id, sent(0), 0).await;
    }
    assert_eq!(claim_ids(&spool, 60).await.len(), 1, "the summary");
    let folded = "SELECT count(*) FROM sms WHERE state = 'folded'";
    let many = i64::try_from(MOST_ENDED + 1).unwrap();
    assert_eq!(number(&outsider, folded), many);
    let later = accept(&spool, 61, "link down", &down).await;
    assert_eq!(number(&outsider, folded), many + 1);
    let up = Passage { pairing: paired(None, &["p"]), ..Passage::default() };
    accept(&spool, 62, "up", &up).await;
    assert_eq!(look(&spool, later).await.state, State::Final(FinalState::Cancelled));
    assert_eq!(number(&outsider, folded), many);
}
