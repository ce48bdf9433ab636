//! Looking without touching: one submission, how much waits, and when the next thing is due.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Asked, Backlog, Event, MailView, MessageView, Queue, SpoolError, SubmissionView};
use super::error::Damage;
use super::row::{self, sms_columns};
use crate::model::{Client, SubmissionId};

pub(super) const SUBMISSION: &str =
    "SELECT received_at, door, listener, client_address, helo, account FROM submission WHERE id = ?1";

pub(super) const MESSAGES: &str = concat!(
    "SELECT ",
    sms_columns!(),
    ", sms.rule, sms.state, sms.attempts, sms.next_at FROM sms WHERE sms.submission = ?1 ORDER BY sms.ordinal"
);

pub(super) const EVENTS: &str = "SELECT at, state, note FROM event WHERE sms = ?1 ORDER BY n";

pub(super) const MAILS: &str = "SELECT seq, id, about, kind, reverse_path, recipient, bytes, expires_at, state, \
     attempts FROM outgoing_mail WHERE about = ?1 ORDER BY seq";

/// Ids begin with their time, so that a day's submissions are one range of the primary key. `CROSS` keeps that
/// range outside. A count that was damaged is bounded, as the sum is about money.
pub(super) const PARTS_OF_ACCOUNT: &str = "SELECT coalesce(sum(max(0, min(sms.parts, 255))), 0) FROM submission CROSS JOIN sms ON sms.submission = \
     submission.id WHERE submission.id >= ?1 AND submission.account = ?2 AND NOT (sms.attempts = 0 AND sms.state \
     IN ('failed', 'cancelled'))";

/// The first of each pair counts what is in order by the queue's own index, the second what was set
/// aside.
pub(super) const COUNTS: [(&str, &str); 5] = [
    (
        "SELECT count(*) FROM sms WHERE state = 'due' AND damaged = 0",
        "SELECT count(*) FROM sms WHERE damaged = 1 AND state = 'due'",
    ),
    (
        "SELECT count(*) FROM sms WHERE state = 'claimed' AND damaged = 0",
        "SELECT count(*) FROM sms WHERE damaged = 1 AND state = 'claimed'",
    ),
    (
        "SELECT count(*) FROM sms WHERE state = 'unknown' AND damaged = 0",
        "SELECT count(*) FROM sms WHERE damaged = 1 AND state = 'unknown'",
    ),
    (
        "SELECT count(*) FROM sms WHERE state = 'sent' AND damaged = 0",
        "SELECT count(*) FROM sms WHERE damaged = 1 AND state = 'sent'",
    ),
    (
        "SELECT (SELECT count(*) FROM outgoing_mail WHERE state = 'due' AND damaged = 0) \
         + (SELECT count(*) FROM outgoing_mail WHERE state = 'claimed' AND damaged = 0)",
        "SELECT count(*) FROM outgoing_mail WHERE damaged = 1 AND state IN ('due', 'claimed')",
    ),
];

/// The head that is due first.
pub(super) const NEXT_ATTEMPT: &str =
    "SELECT min(next_at) FROM sms WHERE state = 'due' AND head = 1 AND damaged = 0";
/// The first to expire, head or not.
pub(super) const NEXT_EXPIRY: &str = "SELECT min(expires_at) FROM sms WHERE state = 'due' AND damaged = 0";
pub(super) const NEXT_UNKNOWN: &str = "SELECT min(next_at) FROM sms WHERE state = 'unknown' AND damaged = 0";
pub(super) const NEXT_SENT: &str = "SELECT min(next_at) FROM sms WHERE state = 'sent' AND damaged = 0";
pub(super) const NEXT_CASE: &str =
    "SELECT min(case_at) FROM submission WHERE case_at IS NOT NULL AND damaged = 0";
pub(super) const NEXT_MAIL: &str =
    "SELECT min(next_at) FROM outgoing_mail WHERE state = 'due' AND damaged = 0";

/// See [`super::super::Spool::next_due`].
pub(super) fn next_due(connection: &Connection, queue: Queue) -> Result<Option<Timestamp>, SpoolError> {
    let first = |sql: &str| -> Result<Option<i64>, SpoolError> {
        Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    };
    let next = match queue {
        Queue::Due => [first(NEXT_ATTEMPT)?, first(NEXT_EXPIRY)?].into_iter().flatten().min(),
        Queue::Ask(Asked::Unknown) => first(NEXT_UNKNOWN)?,
        Queue::Ask(Asked::Sent) => first(NEXT_SENT)?,
        Queue::Cases => first(NEXT_CASE)?,
        Queue::Mail => first(NEXT_MAIL)?,
    };
    // Beyond our times is only what was damaged.
    let beyond = |millis: i64| if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Ok(next.map(|millis| Timestamp::from_millisecond(millis).unwrap_or(beyond(millis))))
}

/// See [`super::super::Spool::backlog`].
pub(super) fn backlog(connection: &Connection) -> Result<Backlog, SpoolError> {
    let mut counts = [0; COUNTS.len()];
    for (count, (in_order, damaged)) in counts.iter_mut().zip(COUNTS) {
        for sql in [in_order, damaged] {
            let found: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            *count += usize::try_from(found).unwrap_or(0);
        }
    }
    let [due, claimed, unknown, sent, mail] = counts;
    Ok(Backlog { due, claimed, unknown, sent, mail })
}

/// See [`super::super::Spool::parts_of_account_since`].
pub(super) fn parts_of_account(
    connection: &Connection,
    account: &str,
    from: Timestamp,
) -> Result<u64, SpoolError> {
    let first = SubmissionId::first_at(from).to_string();
    let parts: i64 =
        connection.prepare_cached(PARTS_OF_ACCOUNT)?.query_row(params![first, account], |row| row.get(0))?;
    Ok(u64::try_from(parts).unwrap_or(0))
}

/// See [`super::super::Spool::submission`].
pub(super) fn submission(
    connection: &Connection,
    id: SubmissionId,
) -> Result<Option<SubmissionView>, SpoolError> {
    let key = id.to_string();
    let Some(found) = connection
        .prepare_cached(SUBMISSION)?
        .query_row(params![key], |row| Ok(read_submission(row)))
        .optional()?
    else {
        return Ok(None);
    };
    let (received_at, client) = found.map_err(|damage| {
        SpoolError::Unusable(format!("submission {id} is damaged: {damage}; repair it with `sqlite3`"))
    })?;
    let mut messages = Vec::new();
    for (seq, message) in row::read_all(connection, MESSAGES, params![key], read_message)? {
        match message {
            Ok(message) => {
                let events = row::read_all(connection, EVENTS, params![seq], read_event)?;
                let events = events.into_iter().filter_map(|(_, event)| event.ok()).collect();
                messages.push(MessageView { events, ..message });
            }
            Err(damage) => {
                tracing::warn!(submission = %id, row = seq, "not shown, as it is damaged: {damage}")
            }
        }
    }
    let mut mails = Vec::new();
    for (seq, mail) in row::read_all(connection, MAILS, params![key], read_mail)? {
        match mail {
            Ok(mail) => mails.push(mail),
            Err(damage) => tracing::warn!(submission = %id, row = seq, "mail not shown: {damage}"),
        }
    }
    Ok(Some(SubmissionView { received_at, client, messages, mails }))
}

fn read_submission(row: &Row<'_>) -> Result<(Timestamp, Client), Damage> {
    Ok((row::time(row, "received_at")?, row::client(row)?))
}

/// Without its events.
fn read_message(row: &Row<'_>) -> Result<MessageView, Damage> {
    Ok(MessageView {
        sms: row::sms(row)?,
        recipient: row::recipient(row)?,
        rule: row::column(row, "rule")?,
        state: row::state(row)?,
        attempts: row::column(row, "attempts")?,
        next_at: row::optional_time(row, "next_at")?,
        events: Vec::new(),
    })
}

fn read_event(row: &Row<'_>) -> Result<Event, Damage> {
    Ok(Event { at: row::time(row, "at")?, state: row::state(row)?, note: row::column(row, "note")? })
}

fn read_mail(row: &Row<'_>) -> Result<MailView, Damage> {
    Ok(MailView {
        mail: row::outgoing_mail(row)?,
        state: row::column(row, "state")?,
        attempts: row::column(row, "attempts")?,
    })
}
