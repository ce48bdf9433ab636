//! Outgoing mail: reports, and mail to the operator. Every move of one is a line of its timeline.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{ClaimedMail, MOST_REPORTS, MailEvent, MailStep, MailView, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::row;
use crate::model::{MailAddress, MailId, OutgoingMail};

const INSERT: &str = "INSERT INTO outgoing_mail (id, about, kind, state, since, next_at, expires_at, reverse_path, \
     recipient, bytes) VALUES (?1, ?2, ?3, 'due', ?4, ?4, ?5, ?6, ?7, ?8)";

pub(super) const DUE: &str = "SELECT seq, id, about, kind, reverse_path, recipient, bytes, expires_at, attempts \
     FROM outgoing_mail WHERE state = 'due' AND damaged = 0 AND next_at <= ?1 ORDER BY next_at, seq LIMIT ?2";

const CLAIM: &str = "UPDATE outgoing_mail SET state = 'claimed', since = ?2, next_at = NULL, attempts = ?3 \
     WHERE seq = ?1";

const SET_ASIDE: &str = "UPDATE outgoing_mail SET damaged = 1 WHERE seq = ?1";

pub(super) const SETTLE: &str = "UPDATE outgoing_mail SET state = ?2, since = ?3, next_at = ?4, \
     cause = coalesce(?5, cause) WHERE id = ?1 AND state = 'claimed' RETURNING seq";

const CLAIMED: &str = "SELECT seq, attempts FROM outgoing_mail WHERE state = 'claimed' AND damaged = 0";

const TAKE_BACK: &str = "UPDATE outgoing_mail SET state = 'due', since = ?2, next_at = ?2 WHERE seq = ?1";

pub(super) const INSERT_EVENT: &str = "INSERT INTO mail_event (mail, n, at, state, note) VALUES (?1, \
     coalesce((SELECT max(n) FROM mail_event WHERE mail = ?1), 0) + 1, ?2, ?3, ?4)";

pub(super) const EVENTS: &str = "SELECT n, at, state, note FROM mail_event WHERE mail = ?1 ORDER BY n";

pub(super) const VIEW: &str = "SELECT seq, id, about, kind, reverse_path, recipient, bytes, expires_at, state, \
     attempts FROM outgoing_mail WHERE id = ?1";

/// Ids begin with their time, so that an hour's mail is one range of their index.
pub(super) const REPORTS_SINCE: &str = "SELECT seq, id, recipient FROM outgoing_mail \
     WHERE id >= ?1 AND kind IN ('report', 'operator-report') ORDER BY id DESC LIMIT ?2";

/// Puts a mail into the queue, due at once.
pub(super) fn insert(
    connection: &Connection,
    effects: &mut Effects,
    mail: &OutgoingMail,
    now: Timestamp,
) -> Result<(), SpoolError> {
    insert_noted(connection, effects, mail, now, "filed")
}

fn insert_noted(
    connection: &Connection,
    effects: &mut Effects,
    mail: &OutgoingMail,
    now: Timestamp,
    note: &str,
) -> Result<(), SpoolError> {
    let seq = connection.prepare_cached(INSERT)?.insert(params![
        mail.id.to_string(),
        mail.about.map(|id| id.to_string()),
        mail.kind.as_str(),
        row::millis(now),
        row::millis(mail.expires_at),
        row::reverse_path_column(&mail.reverse_path),
        row::mailbox_column(&mail.recipient),
        mail.bytes,
    ])?;
    effects.mail = true;
    event(connection, seq, now, "due", note)
}

/// Adds a line to the timeline of the mail in row `seq`.
fn event(
    connection: &Connection,
    seq: i64,
    at: Timestamp,
    state: &str,
    note: &str,
) -> Result<(), SpoolError> {
    connection.prepare_cached(INSERT_EVENT)?.execute(params![seq, row::millis(at), state, note])?;
    Ok(())
}

/// See [`super::super::Spool::claim_mail`].
pub(super) fn claim(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<ClaimedMail>, SpoolError> {
    let params = params![row::millis(now), row::limit(limit)];
    let found = row::read_all(connection, DUE, params, read_claimed)?;
    let mut claimed = Vec::new();
    for (seq, read) in found {
        match read {
            Ok(mail) => {
                connection.prepare_cached(CLAIM)?.execute(params![seq, row::millis(now), mail.attempt])?;
                event(connection, seq, now, "claimed", &format!("attempt {} began", mail.attempt))?;
                claimed.push(mail);
            }
            Err(damage) => {
                connection.prepare_cached(SET_ASIDE)?.execute(params![seq])?;
                effects
                    .damaged
                    .push(format!("mail in row {seq} of table outgoing_mail is damaged: {damage}"));
            }
        }
    }
    effects.idle = claimed.is_empty();
    Ok(claimed)
}

fn read_claimed(row: &Row<'_>) -> Result<ClaimedMail, Damage> {
    let before: u32 = row::column(row, "attempts")?;
    Ok(ClaimedMail {
        mail: row::outgoing_mail(row)?,
        attempt: before.checked_add(1).ok_or(Damage("attempts"))?,
    })
}

/// See [`super::super::Spool::settle_mail`].
pub(super) fn settle(
    connection: &Connection,
    effects: &mut Effects,
    id: MailId,
    step: &MailStep,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let (state, next_at, cause) = match step {
        MailStep::Sent => ("sent", None, None),
        MailStep::Retry { at, cause } => ("due", Some(*at), Some(cause)),
        MailStep::Failed { cause, instead: _ } => ("failed", None, Some(cause)),
    };
    let note = cause.map(row::note);
    let seq: i64 = connection
        .prepare_cached(SETTLE)?
        .query_row(params![id.to_string(), state, row::millis(now), next_at.map(row::millis), note], |row| {
            row.get(0)
        })
        .optional()?
        .ok_or(SpoolError::StaleMail(id))?;
    event(connection, seq, now, state, note.as_deref().unwrap_or("the mail server has it"))?;
    match step {
        MailStep::Sent => {}
        MailStep::Retry { .. } => effects.mail = true,
        MailStep::Failed { instead: None, cause: _ } => {}
        MailStep::Failed { instead: Some(instead), cause: _ } => {
            event(connection, seq, now, state, &format!("replaced by {}", instead.id))?;
            insert_noted(connection, effects, instead, now, &format!("filed in place of {id}"))?;
        }
    }
    Ok(())
}

/// Makes the mail due again that a dead process had claimed, and returns how many there were.
pub(super) fn recover(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<usize, SpoolError> {
    let claimed: Vec<(i64, i64)> = {
        let mut statement = connection.prepare(CLAIMED)?;
        // The number is for the note only.
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1).unwrap_or_default())))?;
        rows.collect::<Result<_, _>>()?
    };
    for (seq, attempt) in &claimed {
        connection.prepare_cached(TAKE_BACK)?.execute(params![seq, row::millis(now)])?;
        let note = format!("the relay ended during attempt {attempt}; it is sent again");
        event(connection, *seq, now, "due", &note)?;
    }
    effects.mail |= !claimed.is_empty();
    Ok(claimed.len())
}

/// See [`super::super::Spool::reports_since`].
pub(super) fn reports_since(
    connection: &Connection,
    from: Timestamp,
) -> Result<Vec<(MailAddress, Timestamp)>, SpoolError> {
    let params = params![MailId::first_at(from).to_string(), row::limit(MOST_REPORTS)];
    let found = row::read_all(connection, REPORTS_SINCE, params, read_filed)?;
    // What is damaged limits nobody.
    Ok(found.into_iter().rev().filter_map(|(_, filed)| filed.ok()).collect())
}

fn read_filed(row: &Row<'_>) -> Result<(MailAddress, Timestamp), Damage> {
    Ok((row::mailbox(row, "recipient")?, row::mail_id(row)?.time()))
}

/// See [`super::super::Spool::mail`].
pub(super) fn view(connection: &Connection, id: MailId) -> Result<Option<MailView>, SpoolError> {
    let found = row::read_all(connection, VIEW, params![id.to_string()], read_view)?;
    match found.into_iter().next() {
        Some((seq, Ok(view))) => with_events(connection, seq, view).map(Some),
        Some((_, Err(_))) | None => Ok(None),
    }
}

/// A row of the columns of [`VIEW`], without its events.
pub(super) fn read_view(row: &Row<'_>) -> Result<MailView, Damage> {
    Ok(MailView {
        mail: row::outgoing_mail(row)?,
        state: row::column(row, "state")?,
        attempts: row::column(row, "attempts")?,
        events: Vec::new(),
    })
}

/// The mail in row `seq` with its events; one that cannot be read is left out.
pub(super) fn with_events(connection: &Connection, seq: i64, view: MailView) -> Result<MailView, SpoolError> {
    let events = row::read_all(connection, EVENTS, params![seq], read_event)?;
    let events = events.into_iter().filter_map(|(_, event)| event.ok()).collect();
    Ok(MailView { events, ..view })
}

fn read_event(row: &Row<'_>) -> Result<MailEvent, Damage> {
    Ok(MailEvent {
        at: row::time(row, "at")?,
        state: row::column(row, "state")?,
        note: row::column(row, "note")?,
    })
}
