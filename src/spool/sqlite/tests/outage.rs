//! An outage on disk: what passes again is folded or held in the commit of the claim, or not at all.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;

use super::super::super::behaviour::{GATEWAY, at, claim, claim_up_to, delivered, sent, settle, submission};
use super::super::super::{Asked, RequestKey, Spool};
use super::super::SqliteSpool;
use super::{open, open_in, outsider};
use crate::model::{Limit, LimitScope, LimitStep, Passage, SummaryForm};

/// Names the directory in which [`an_outage_in_another_process`] is told.
const DIRECTORY: &str = "SMS_RELAY_TEST_OUTAGE";

/// At most one SMS a minute.
fn at_most_one() -> Passage {
    let steps = vec![LimitStep { most: 1, within: Duration::from_secs(60) }];
    Passage {
        limits: vec![Limit { key: "phone".to_owned(), scope: LimitScope::Destination, steps }],
        summary: SummaryForm { zone: Some("UTC".to_owned()), ..SummaryForm::default() },
        ..Passage::default()
    }
}

#[test]
fn an_outage_survives_the_end_of_the_process_at_every_commit() {
    let mut ends = 0;
    for commit in ["claim", "settle"] {
        for side in ["before", "after"] {
            for pass in 1.. {
                let directory = tempfile::tempdir().unwrap();
                let status = Command::new(std::env::current_exe().unwrap())
                    .args([
                        "--exact",
                        "spool::sqlite::tests::outage::an_outage_in_another_process",
                        "--ignored",
                    ])
                    .env(DIRECTORY, directory.path())
                    .env("SMS_RELAY_CRASH_POINT", format!("{side}-{commit}-commit:{pass}"))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(outage(&open_in(directory.path())));
                check(&outsider(directory.path()), &format!("{side} {commit} {pass}"));
                if status.success() {
                    break;
                }
                ends += 1;
            }
        }
    }
    assert!(ends > 10, "{ends}");
}

#[tokio::test]
#[ignore = "the other half of a test, which starts it"]
async fn an_outage_in_another_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    outage(&open_in(&PathBuf::from(directory))).await;
}

/// An outage from its first SMS to its last, and what of it is there already. Clients and platform repeat what they got no
/// answer to.
async fn outage(spool: &SqliteSpool) {
    let key =
        |item| RequestKey { account: "ups".to_owned(), key: "outage".to_owned(), item, digest: [7; 32] };
    let take = async |item, received, passage: Passage| {
        let mut given = submission(received, &[1]);
        given.messages[0].sms.text.body = format!("a{item}");
        given.messages[0].passage = passage;
        spool.accept_once(given, key(item), String::new()).await.unwrap();
    };
    spool.recover(at(0), at(0)).await.unwrap();
    // While the platform is away: one that has room, a summary of what has none, and another that has.
    take(0, 0, at_most_one()).await;
    take(1, 1, at_most_one()).await;
    claim_up_to(spool, 60, 0).await;
    take(2, 121, at_most_one()).await;
    // It is back.
    for now in [200, 201, 202, 260, 261, 262, 263] {
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

fn number(outsider: &Connection, what: &str) -> i64 {
    outsider.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
}

/// Each has its end, once; the first went out, and one summary of all the others.
fn check(outsider: &Connection, shown: &str) {
    let count = |what: &str| number(outsider, what);
    assert_eq!(count("sms WHERE state <> 'delivered'"), 0, "{shown}");
    assert_eq!(count("sms"), 4, "{shown}");
    assert_eq!(count("event WHERE state = 'delivered'"), 4, "{shown}");
    assert_eq!(count("attempt"), 2, "{shown}");
    // From due to folded, and from due to held, each once.
    let moved = |to: &str| {
        let before =
            "(SELECT max(n) FROM event AS before WHERE before.sms = event.sms AND before.n < event.n)";
        format!(
            "event WHERE state = '{to}' AND at >= {} AND EXISTS (SELECT 1 FROM event AS due \
             WHERE due.sms = event.sms AND due.state = 'due' AND due.n = {before})",
            at(200).as_millisecond()
        )
    };
    assert_eq!((count(&moved("folded")), count(&moved("held"))), (1, 1), "{shown}");
    assert_eq!(count("submission WHERE pending <> 0"), 0, "{shown}");
    assert_eq!(count("fold WHERE state NOT IN ('closed', 'open')"), 0, "{shown}");
}

/// What has no limits costs nothing more.
#[tokio::test]
async fn only_what_has_limits_is_marked() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    for passage in [Passage::default(), at_most_one()] {
        let mut given = submission(0, &[1]);
        given.messages[0].passage = passage;
        spool.accept(given).await.unwrap();
    }
    assert_eq!(number(&outsider, "sms WHERE passed_at IS NULL"), 1);
    assert_eq!(number(&outsider, "sms WHERE passed_at > 0 AND passage IS NOT NULL"), 1);
}

#[tokio::test]
async fn a_damaged_passage_is_set_aside_when_it_is_asked_for_again() {
    let (spool, directory) = open();
    let outsider = outsider(directory.path());
    let mut ids = Vec::new();
    for received in [0, 60] {
        let mut given = submission(received, &[1]);
        given.messages[0].passage = at_most_one();
        ids.push(given.id.message(1));
        spool.accept(given).await.unwrap();
    }
    outsider.execute("UPDATE sms SET passage = '{' WHERE seq = 1", []).unwrap();
    let claimed = claim(&spool, 100).await;
    assert_eq!(claimed.iter().map(|claimed| claimed.sms.id).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(number(&outsider, "sms WHERE damaged = 1 AND seq = 1"), 1);
}
