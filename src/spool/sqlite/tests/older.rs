//! A spool of an older version goes on where that version left it.

use std::path::Path;

use rusqlite::{Connection, params};

use super::super::super::behaviour::{
    at, claim_ids, delivered, due_queue, look, phone, sent, settle, timeline,
};
use super::super::super::{Asked, Queue, Recovered, Spool};
use super::super::{FILE, schema};
use super::{open_in, outsider};
use crate::model::{FinalState, MailId, MessageId, State, SubmissionId};

/// Number of an SMS, its state, whether it is its destination's head, its attempts, its phone.
type Old = (u32, &'static str, bool, u32, u32);

/// One in each state that version 1 had, with what stood behind it.
const OLD: [Old; 11] = [
    (1, "due", true, 0, 1),
    (2, "due", false, 0, 1),
    (3, "due", true, 2, 2),
    (4, "claimed", true, 1, 3),
    (5, "unknown", true, 1, 4),
    (6, "sent", false, 1, 5),
    (7, "delivered", false, 1, 5),
    (8, "undelivered", false, 1, 5),
    (9, "failed", false, 1, 5),
    (10, "expired", false, 0, 5),
    (11, "cancelled", false, 0, 5),
];

/// A file of version 1 with a submission of all of [`OLD`], and its mail in every state.
fn version_one(directory: &Path) -> SubmissionId {
    let mut connection = Connection::open(directory.join(FILE)).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    schema::migrate(&mut connection, &schema::MIGRATIONS[..1]).unwrap();
    let id = SubmissionId::new(at(0));
    let of = |seconds: i64| at(seconds).as_millisecond();
    // What version 1 counted as pending: due, claimed and unknown.
    connection
        .execute(
            "INSERT INTO submission (id, received_at, pending, case_at, door, listener, client_address, report_to, \
             report_address) VALUES (?1, ?2, 5, ?3, 'smtp', 'lan', '10.0.0.7', 'sender', 'ops@example.com')",
            params![id.to_string(), of(0), of(4)],
        )
        .unwrap();
    for (ordinal, state, is_head, attempts, n) in OLD {
        let is_final = ordinal >= 7;
        let next_at = (!is_final && state != "claimed").then(|| of(i64::from(ordinal)));
        let report = if (8..=10).contains(&ordinal) { "owed" } else { "none" };
        connection
            .execute(
                "INSERT INTO sms (submission, ordinal, state, since, next_at, expires_at, head, attempts, report, \
                 destination, sender, body, encoding, parts, options, recipient, notify, rule, ended_at, cause, \
                 cause_status) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'Alarm', 'x', 'gsm7', 1, '{}', 'a', \
                 '', 'default', ?11, ?12, ?13)",
                params![
                    id.to_string(),
                    ordinal,
                    state,
                    of(1),
                    next_at,
                    of(10_000),
                    is_head,
                    attempts,
                    report,
                    phone(n).as_str(),
                    is_final.then(|| of(4)),
                    is_final.then_some("so it was"),
                    is_final.then_some("5.0.0"),
                ],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO event (sms, n, at, state, note) VALUES (?1, 1, ?2, ?3, 'before')",
                params![ordinal, of(1), state],
            )
            .unwrap();
        for attempt in 1..=attempts {
            connection
                .execute(
                    "INSERT INTO attempt (sms, n, began_at) VALUES (?1, ?2, ?3)",
                    params![ordinal, attempt, of(1)],
                )
                .unwrap();
        }
    }
    for state in ["due", "claimed", "sent", "failed"] {
        let mail = MailId::new(at(0)).to_string();
        connection
            .execute(
                "INSERT INTO outgoing_mail (id, about, kind, state, since, next_at, expires_at, reverse_path, \
                 recipient, bytes) VALUES (?1, ?2, 'report', ?3, ?4, ?5, ?6, '<>', 'ops@example.com', x'61')",
                params![mail, id.to_string(), state, of(4), (state == "due").then(|| of(4)), of(10_000)],
            )
            .unwrap();
    }
    id
}

#[tokio::test]
async fn a_spool_of_version_one_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let id = version_one(directory.path());
    let spool = open_in(directory.path());
    let sms = |ordinal| -> MessageId { id.message(ordinal) };
    let states: Vec<String> = spool
        .submission(id)
        .await
        .unwrap()
        .unwrap()
        .messages
        .iter()
        .map(|message| message.state.to_string())
        .collect();
    assert_eq!(states, OLD.map(|(_, state, ..)| state));
    let backlog = spool.backlog().await.unwrap();
    assert_eq!((backlog.due, backlog.claimed, backlog.unknown, backlog.sent, backlog.mail), (3, 1, 1, 1, 2));

    // The old program ended with one under way. All that it sent went by the gateway without a name.
    assert_eq!(spool.gateways().await.unwrap(), [""]);
    assert_eq!(spool.recover(at(20), at(30)).await.unwrap(), Recovered { unknown: 1, mail: 1 });
    let ask = async |state| {
        let questions = spool.questions(state, String::new(), at(40), at(90), 9).await.unwrap();
        questions.into_iter().map(|question| question.id).collect::<Vec<_>>()
    };
    assert_eq!(ask(Asked::Unknown).await, [sms(5), sms(4)]);
    assert_eq!(ask(Asked::Sent).await, [sms(6)]);
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(1)));

    // Order is kept over the change.
    assert_eq!(claim_ids(&spool, 40).await, [sms(1), sms(3)]);
    settle(&spool, sms(1), sent(90), 41).await;
    assert_eq!(claim_ids(&spool, 41).await, [sms(2)]);
    assert_eq!(timeline(&spool, sms(3)).await, ["1 due: before", "40 claimed: attempt 3 began"]);

    // What was sent is followed to its end, and its case is not complete before.
    settle(&spool, sms(6), delivered(), 42).await;
    assert_eq!(look(&spool, sms(6)).await.state, State::Final(FinalState::Delivered));
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(4)));
    let overdue = spool.cases(at(4), at(42), 9).await.unwrap();
    assert_eq!(overdue[0].outcomes.len(), 3);
    let mails = spool.claim_mail(at(50), 9).await.unwrap();
    assert_eq!(mails.len(), 2, "one was due, one was claimed");
    assert_eq!(spool.submission(id).await.unwrap().unwrap().mails.len(), 4);
}

#[test]
fn what_was_sent_counts_as_pending_from_now_on() {
    let directory = tempfile::tempdir().unwrap();
    version_one(directory.path());
    drop(open_in(directory.path()));
    let outsider = outsider(directory.path());
    let pending: i64 = outsider.query_row("SELECT pending FROM submission", [], |row| row.get(0)).unwrap();
    assert_eq!(pending, 6);
    let violations: i64 =
        outsider.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(violations, 0);
    // The file is what a new one is.
    let fresh = tempfile::tempdir().unwrap();
    drop(open_in(fresh.path()));
    let schema = |connection: &Connection| -> Vec<(String, String)> {
        let mut statement =
            connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(schema(&outsider), schema(&super::outsider(fresh.path())));
}

#[test]
fn a_spool_of_version_one_that_never_sent_has_no_gateway() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(directory.path().join(FILE)).unwrap();
    schema::migrate(&mut connection, &schema::MIGRATIONS[..1]).unwrap();
    drop(connection);
    drop(open_in(directory.path()));
    let gateways: i64 =
        outsider(directory.path()).query_row("SELECT count(*) FROM gateway", [], |row| row.get(0)).unwrap();
    assert_eq!(gateways, 0);
}
