//! Looking without touching: one submission, how much waits, and when the next thing is due.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Backlog, Event, MessageView, PartView, Queue, SpoolError, SubmissionView, Try};
use super::error::Damage;
use super::mail;
use super::row::{self, sms_columns};
use super::{callbacks, course, fold, questions, queue, route, tellings};
use crate::model::{Client, MessageId, PartStatus, Price, SubmissionId};

pub(super) const SUBMISSION: &str = "SELECT received_at, door, listener, client_address, helo, account, subject FROM submission WHERE id = ?1";

pub(super) const MESSAGES: &str = concat!(
    "SELECT ",
    sms_columns!(),
    ", sms.rule, sms.state, sms.attempts, sms.next_at, sms.hold_reason, sms.fold, sms.lane, gateway.name AS gateway_name, \
     sms.ways, sms.way, sms.platform_parts, sms.expires_at, sms.cause, sms.cause_status, sms.cause_diagnostic \
     FROM sms LEFT JOIN gateway ON gateway.id = sms.gateway WHERE sms.submission = ?1 ORDER BY sms.ordinal"
);

pub(super) const BY_NUMBER: &str = "SELECT submission, ordinal FROM sms WHERE seq = ?1";

pub(super) const TRIES: &str = "SELECT attempt.n, attempt.began_at, attempt.ended_at, attempt.outcome, attempt.channel, \
     gateway.name AS gateway_name FROM attempt LEFT JOIN gateway ON gateway.id = attempt.gateway \
     WHERE attempt.sms = ?1 ORDER BY attempt.n";

pub(super) const CALLBACKS: &str = "SELECT part, channel, parts, code, description, price, at FROM callback \
     WHERE sms = ?1 ORDER BY channel, part";

pub(super) const EVENTS: &str = "SELECT n, at, state, note FROM event WHERE sms = ?1 ORDER BY n";

pub(super) const MAILS: &str = "SELECT seq, id, about, kind, reverse_path, recipient, bytes, expires_at, state, \
     attempts FROM outgoing_mail WHERE about = ?1 ORDER BY seq";

/// Ids begin with their time, so that a day's submissions are one range of the primary key. `CROSS` keeps that
/// range outside. A count that was damaged is bounded, as the sum is about money.
pub(super) const PARTS_OF_ACCOUNT: &str = "SELECT coalesce(sum(max(0, min(sms.parts, 255))), 0) FROM submission CROSS JOIN sms ON sms.submission = \
     submission.id WHERE submission.id >= ?1 AND submission.account = ?2 AND sms.fold IS NULL AND NOT (sms.attempts = 0 AND sms.state \
     IN ('failed', 'cancelled'))";

/// The first of each pair counts what is in order by the queue's own index, the second what was set
/// aside.
pub(super) const COUNTS: [(&str, &str); 8] = [
    (
        "SELECT count(*) FROM sms WHERE state = 'held' AND damaged = 0",
        "SELECT count(*) FROM sms WHERE damaged = 1 AND state = 'held'",
    ),
    (
        "SELECT count(*) FROM sms WHERE state = 'folded' AND damaged = 0",
        "SELECT count(*) FROM sms WHERE damaged = 1 AND state = 'folded'",
    ),
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
    (
        "SELECT (SELECT count(*) FROM telling WHERE state = 'due' AND damaged = 0) \
         + (SELECT count(*) FROM telling WHERE state = 'claimed' AND damaged = 0)",
        "SELECT count(*) FROM telling WHERE damaged = 1 AND state IN ('due', 'claimed')",
    ),
];

pub(super) const NEXT_CASE: &str =
    "SELECT min(case_at) FROM submission WHERE case_at IS NOT NULL AND damaged = 0";
pub(super) const NEXT_DELAY: &str =
    "SELECT min(delayed_at) FROM sms WHERE delayed_at IS NOT NULL AND damaged = 0";
pub(super) const NEXT_MAIL: &str =
    "SELECT min(next_at) FROM outgoing_mail WHERE state = 'due' AND damaged = 0";

/// See [`super::super::Spool::next_due`].
pub(super) fn next_due(connection: &Connection, queue: Queue) -> Result<Option<Timestamp>, SpoolError> {
    let first = |sql: &str| -> Result<Option<i64>, SpoolError> {
        Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    };
    let next = match queue {
        Queue::Due { open, known } => queue::next(connection, &open, &known)?,
        Queue::Ask(state, gateway) => questions::next(connection, state, &gateway)?,
        Queue::Cases => first(NEXT_CASE)?,
        Queue::Mail => first(NEXT_MAIL)?,
        Queue::Tellings => first(tellings::NEXT)?,
        Queue::Delays => first(NEXT_DELAY)?,
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
    let [held, folded, due, claimed, unknown, sent, mail, tellings] = counts;
    Ok(Backlog { held, folded, due, claimed, unknown, sent, mail, tellings })
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
    let (received_at, client, subject) = found.map_err(|damage| {
        SpoolError::Unusable(format!("submission {id} is damaged: {damage}; repair it with `sqlite3`"))
    })?;
    let mut messages = Vec::new();
    for (seq, found) in row::read_all(connection, MESSAGES, params![key], read_message)? {
        match found {
            Ok((fold, mut message)) => {
                if let Some(fold) = fold {
                    message.folded_into = fold::told_by(connection, fold)?;
                }
                messages.push(with_its_rows(connection, seq, message)?)
            }
            Err(damage) => {
                tracing::warn!(submission = %id, row = seq, "not shown, as it is damaged: {damage}")
            }
        }
    }
    let mut mails = Vec::new();
    for (seq, found) in row::read_all(connection, MAILS, params![key], mail::read_view)? {
        match found {
            Ok(found) => mails.push(mail::with_events(connection, seq, found)?),
            Err(damage) => tracing::warn!(submission = %id, row = seq, "mail not shown: {damage}"),
        }
    }
    Ok(Some(SubmissionView { received_at, client, subject, messages, mails }))
}

/// See [`super::super::Spool::message_by_number`].
pub(super) fn message_by_number(
    connection: &Connection,
    number: i64,
) -> Result<Option<MessageId>, SpoolError> {
    let mut statement = connection.prepare_cached(BY_NUMBER)?;
    let found = statement.query_row(params![number], |row| Ok(row::message_id(row))).optional()?;
    found.transpose().map_err(|damage| {
        SpoolError::Unusable(format!("SMS number {number} is damaged: {damage}; repair it with `sqlite3`"))
    })
}

fn read_submission(row: &Row<'_>) -> Result<(Timestamp, Client, Option<String>), Damage> {
    Ok((row::time(row, "received_at")?, row::client(row)?, row::column(row, "subject")?))
}

/// Fills in what stands in other tables.
fn with_its_rows(connection: &Connection, seq: i64, message: MessageView) -> Result<MessageView, SpoolError> {
    let tries = readable(connection, TRIES, seq, read_try)?;
    Ok(MessageView {
        tells_of: fold::tells_of(connection, seq)?,
        channel: tries.last().map_or(message.channel, |last| last.channel),
        tries,
        callbacks: readable(connection, CALLBACKS, seq, read_part)?,
        price: callbacks::price(connection, seq)?,
        events: readable(connection, EVENTS, seq, read_event)?,
        ..message
    })
}

/// The rows of one SMS or mail that can be read back; a line that cannot is left out.
fn readable<T>(
    connection: &Connection,
    sql: &str,
    seq: i64,
    read: fn(&Row<'_>) -> Result<T, Damage>,
) -> Result<Vec<T>, SpoolError> {
    let found = row::read_all(connection, sql, params![seq], read)?;
    Ok(found.into_iter().filter_map(|(_, read)| read.ok()).collect())
}

/// Without what stands in other tables; and where it was folded.
fn read_message(row: &Row<'_>) -> Result<(Option<i64>, MessageView), Damage> {
    let fold = row::column(row, "fold")?;
    let message = MessageView {
        sms: row::sms(row)?,
        number: row::column(row, "seq")?,
        recipient: row::recipient(row)?,
        rule: row::column(row, "rule")?,
        state: row::state(row)?,
        attempts: row::column(row, "attempts")?,
        next_at: row::optional_time(row, "next_at")?,
        hold_reason: row::hold_reason(row)?,
        folded_into: None,
        tells_of: None,
        lane: route::lane(row)?,
        gateway: row::column(row, "gateway_name")?,
        channel: course::Course::read(row)?.channel(),
        platform_parts: row::column(row, "platform_parts")?,
        expires_at: row::time(row, "expires_at")?,
        tries: Vec::new(),
        cause: row::column::<Option<String>>(row, "cause")?.map(|_| row::cause(row)).transpose()?,
        callbacks: Vec::new(),
        price: None,
        events: Vec::new(),
    };
    Ok((fold, message))
}

fn read_event(row: &Row<'_>) -> Result<Event, Damage> {
    Ok(Event { at: row::time(row, "at")?, state: row::state(row)?, note: row::column(row, "note")? })
}

fn read_try(row: &Row<'_>) -> Result<Try, Damage> {
    Ok(Try {
        attempt: row::column(row, "n")?,
        gateway: row::column(row, "gateway_name")?,
        channel: row::channel(row)?,
        began_at: row::time(row, "began_at")?,
        ended_at: row::optional_time(row, "ended_at")?,
        outcome: row::column(row, "outcome")?,
    })
}

fn read_part(row: &Row<'_>) -> Result<PartView, Damage> {
    Ok(PartView {
        channel: row::channel(row)?,
        part: row::column(row, "part")?,
        parts: row::column(row, "parts")?,
        status: PartStatus::of_code(row::column(row, "code")?),
        description: row::column(row, "description")?,
        price: row::column::<Option<i64>>(row, "price")?.map(Price::from_millionths),
        at: row::time(row, "at")?,
    })
}
