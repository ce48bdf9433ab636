//! The lines that say where an SMS has been: its events and its attempts.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::SpoolError;
use super::row;
use crate::model::Channel;

pub(super) const INSERT_EVENT: &str = "INSERT INTO event (sms, n, at, state, note) VALUES (?1, \
     coalesce((SELECT max(n) FROM event WHERE sms = ?1), 0) + 1, ?2, ?3, ?4)";

const BEGIN_ATTEMPT: &str =
    "INSERT INTO attempt (sms, n, began_at, gateway, channel) VALUES (?1, ?2, ?3, ?4, ?5)";

const END_ATTEMPT: &str =
    "UPDATE attempt SET ended_at = ?3, outcome = ?4 WHERE sms = ?1 AND n = ?2 AND ended_at IS NULL";

/// Adds a line to the timeline of the SMS in row `seq`.
pub(super) fn event(
    connection: &Connection,
    seq: i64,
    at: Timestamp,
    state: &str,
    note: &str,
) -> Result<(), SpoolError> {
    connection.prepare_cached(INSERT_EVENT)?.execute(params![seq, row::millis(at), state, note])?;
    Ok(())
}

/// Records that attempt `n` begins, by the gateway of that number and by `channel`.
pub(super) fn begin_attempt(
    connection: &Connection,
    seq: i64,
    n: u32,
    at: Timestamp,
    (gateway, channel): (i64, Channel),
) -> Result<(), SpoolError> {
    let params = params![seq, n, row::millis(at), gateway, channel.as_str()];
    connection.prepare_cached(BEGIN_ATTEMPT)?.execute(params)?;
    Ok(())
}

/// Records what came of attempt `n`, unless that is recorded already.
pub(super) fn end_attempt(
    connection: &Connection,
    seq: i64,
    n: u32,
    at: Timestamp,
    outcome: &str,
) -> Result<(), SpoolError> {
    connection.prepare_cached(END_ATTEMPT)?.execute(params![seq, n, row::millis(at), outcome])?;
    Ok(())
}
