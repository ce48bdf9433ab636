//! SMS that wait: which is its destination's head, claiming what is due, expiring what is too old.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Claimed, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::row::{self, sms_columns};
use super::settle::{self, End};
use super::timeline;
use crate::model::{Cause, EnhancedStatus, FinalState, State};

/// Most SMS that one call expires; the rest comes with the next.
const MOST_EXPIRED: usize = 500;

pub(super) const CLAIMABLE: &str = concat!(
    "SELECT ",
    sms_columns!(),
    ", sms.attempts, sms.expires_at, submission.received_at \
     FROM sms CROSS JOIN submission ON submission.id = sms.submission \
     WHERE sms.state = 'due' AND sms.head = 1 AND sms.damaged = 0 AND sms.next_at <= ?1 AND sms.expires_at > ?1 \
     ORDER BY sms.next_at, sms.seq LIMIT ?2"
);

const CLAIM: &str = "UPDATE sms SET state = 'claimed', since = ?2, next_at = NULL, asked = 0, attempts = ?3 \
     WHERE seq = ?1";

pub(super) const EXPIRING: &str = "SELECT seq FROM sms WHERE state = 'due' AND damaged = 0 AND expires_at <= ?1 \
     ORDER BY expires_at, seq LIMIT ?2";

pub(super) const DESTINATION: &str = "SELECT destination FROM sms WHERE seq = ?1";

pub(super) const HAS_HEAD: &str = "SELECT 1 FROM sms WHERE destination = ?1 AND head = 1";

pub(super) const NEXT_HEAD: &str = "SELECT seq, state FROM sms WHERE destination = ?1 \
     AND state IN ('due', 'claimed', 'unknown') AND damaged = 0 ORDER BY seq LIMIT 1";

pub(super) const MAKE_HEAD: &str = "UPDATE sms SET head = 1 WHERE seq = ?1";

/// For when it is not known which destination lost its head.
const MAKE_MISSING_HEADS: &str = "UPDATE sms SET head = 1 WHERE seq IN (SELECT min(seq) FROM sms \
     WHERE state IN ('due', 'claimed', 'unknown') AND damaged = 0 AND NOT EXISTS \
     (SELECT 1 FROM sms AS other WHERE other.destination = sms.destination AND other.head = 1) GROUP BY destination)";

const SET_ASIDE: &str = "UPDATE sms SET damaged = 1, head = 0 WHERE seq = ?1";

/// See [`super::super::Spool::claim_due`].
pub(super) fn claim_due(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Claimed>, SpoolError> {
    let expired = expire(connection, effects, now)?;
    let mut claimed = Vec::new();
    let params = params![row::millis(now), row::limit(limit)];
    for (seq, found) in row::read_all(connection, CLAIMABLE, params, read_claimed)? {
        match found {
            Ok(sms) => {
                let params = params![seq, row::millis(now), sms.attempt];
                connection.prepare_cached(CLAIM)?.execute(params)?;
                timeline::begin_attempt(connection, seq, sms.attempt, now)?;
                let note = format!("attempt {} began", sms.attempt);
                timeline::event(connection, seq, now, State::Claimed.as_str(), &note)?;
                claimed.push(sms);
            }
            Err(damage) => set_aside(connection, effects, seq, damage)?,
        }
    }
    effects.idle = claimed.is_empty() && expired == 0;
    Ok(claimed)
}

fn read_claimed(row: &Row<'_>) -> Result<Claimed, Damage> {
    // A report will need it: better set aside now than found out after sending.
    row::recipient(row)?;
    let before: u32 = row::column(row, "attempts")?;
    Ok(Claimed {
        sms: row::sms(row)?,
        attempt: before.checked_add(1).ok_or(Damage("attempts"))?,
        accepted_at: row::time(row, "received_at")?,
        expires_at: row::time(row, "expires_at")?,
    })
}

/// Expires what has outlived its time, up to a bound, and returns how many.
fn expire(connection: &Connection, effects: &mut Effects, now: Timestamp) -> Result<usize, SpoolError> {
    let expiring: Vec<i64> = {
        let mut statement = connection.prepare_cached(EXPIRING)?;
        let rows =
            statement.query_map(params![row::millis(now), row::limit(MOST_EXPIRED)], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    let cause = Cause::new(EnhancedStatus::EXPIRED, "its lifetime ended before the platform took it");
    for seq in &expiring {
        settle::end(connection, effects, *seq, &End { state: FinalState::Expired, cause: &cause, now })?;
    }
    // Perhaps there are more.
    effects.due |= expiring.len() == MOST_EXPIRED;
    Ok(expiring.len())
}

/// Makes the earliest SMS that waits for `destination` its head, when there is no head. To be
/// called when the head has left, before which its flag is taken.
pub(super) fn elect_head(
    connection: &Connection,
    effects: &mut Effects,
    destination: &str,
) -> Result<(), SpoolError> {
    if connection.prepare_cached(HAS_HEAD)?.exists(params![destination])? {
        return Ok(());
    }
    let next = connection
        .prepare_cached(NEXT_HEAD)?
        .query_row(params![destination], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    if let Some((seq, state)) = next {
        connection.prepare_cached(MAKE_HEAD)?.execute(params![seq])?;
        effects.due |= state == State::Due.as_str();
    }
    Ok(())
}

/// Takes the row out of every queue until the next start, and lets the destination's next one pass.
/// It stays as it is, for whoever repairs it.
pub(super) fn set_aside(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    damage: Damage,
) -> Result<(), SpoolError> {
    connection.prepare_cached(SET_ASIDE)?.execute(params![seq])?;
    effects.damaged.push(format!("SMS in row {seq} of table sms is damaged: {damage}"));
    let destination: Option<String> =
        connection.prepare_cached(DESTINATION)?.query_row(params![seq], |row| Ok(row.get(0).ok()))?;
    match destination {
        Some(destination) if damage != Damage("destination") => elect_head(connection, effects, &destination),
        Some(_) | None => elect_missing_heads(connection, effects),
    }
}

/// Gives a head to every destination that has none; looks at everything that waits.
pub(super) fn elect_missing_heads(connection: &Connection, effects: &mut Effects) -> Result<(), SpoolError> {
    let elected = connection.prepare_cached(MAKE_MISSING_HEADS)?.execute([])?;
    effects.due |= elected > 0;
    Ok(())
}
