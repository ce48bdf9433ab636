//! Ends what somebody no longer wants sent.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::SpoolError;
use super::lane::Effects;
use super::settle::{self, End};
use crate::model::{Cause, FinalState, MessageId};

pub(super) const FIND: &str =
    "SELECT seq FROM sms WHERE submission = ?1 AND ordinal = ?2 AND state IN ('held', 'due')";

/// See [`super::super::Spool::cancel`].
pub(super) fn cancel(
    connection: &Connection,
    effects: &mut Effects,
    id: MessageId,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let seq: i64 = connection
        .prepare_cached(FIND)?
        .query_row(params![id.submission.to_string(), id.ordinal], |row| row.get(0))
        .optional()?
        .ok_or(SpoolError::Stale(id))?;
    settle::end(connection, effects, seq, &End { state: FinalState::Cancelled, cause, now })?;
    // It could not be read and was set aside; whoever asked is not to believe that it has ended.
    match effects.damaged.first() {
        None => Ok(()),
        Some(damage) => Err(SpoolError::Unusable(format!("{damage}; repair it with `sqlite3`"))),
    }
}
