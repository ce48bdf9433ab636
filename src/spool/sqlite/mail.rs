//! Outgoing mail: reports, and mail passed on to the operator.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{ClaimedMail, MailStep, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::row;
use crate::model::{MailId, OutgoingMail};

const INSERT: &str = "INSERT INTO outgoing_mail (id, about, kind, state, since, next_at, expires_at, reverse_path, \
     recipient, bytes) VALUES (?1, ?2, ?3, 'due', ?4, ?4, ?5, ?6, ?7, ?8)";

pub(super) const DUE: &str = "SELECT seq, id, about, kind, reverse_path, recipient, bytes, expires_at, attempts \
     FROM outgoing_mail WHERE state = 'due' AND damaged = 0 AND next_at <= ?1 ORDER BY next_at, seq LIMIT ?2";

const CLAIM: &str = "UPDATE outgoing_mail SET state = 'claimed', since = ?2, next_at = NULL, attempts = ?3 \
     WHERE seq = ?1";

const SET_ASIDE: &str = "UPDATE outgoing_mail SET damaged = 1 WHERE seq = ?1";

pub(super) const SETTLE: &str = "UPDATE outgoing_mail SET state = ?2, since = ?3, next_at = ?4, \
     cause = coalesce(?5, cause) WHERE id = ?1 AND state = 'claimed' RETURNING seq";

/// Puts a mail into the queue, due at once.
pub(super) fn insert(
    connection: &Connection,
    effects: &mut Effects,
    mail: &OutgoingMail,
    now: Timestamp,
) -> Result<(), SpoolError> {
    connection.prepare_cached(INSERT)?.execute(params![
        mail.id.to_string(),
        mail.about.to_string(),
        mail.kind.as_str(),
        row::millis(now),
        row::millis(mail.expires_at),
        row::reverse_path_column(&mail.reverse_path),
        row::mailbox_column(&mail.recipient),
        mail.bytes,
    ])?;
    effects.mail = true;
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
    let settled = connection
        .prepare_cached(SETTLE)?
        .query_row(
            params![id.to_string(), state, row::millis(now), next_at.map(row::millis), cause.map(row::note)],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    if settled.is_none() {
        return Err(SpoolError::StaleMail(id));
    }
    match step {
        MailStep::Sent => {}
        MailStep::Retry { .. } => effects.mail = true,
        MailStep::Failed { instead, cause: _ } => {
            if let Some(instead) = instead {
                insert(connection, effects, instead, now)?;
            }
        }
    }
    Ok(())
}
