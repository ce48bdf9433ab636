//! Ends what somebody no longer wants sent.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::SpoolError;
use super::error::Damage;
use super::lane::Effects;
use super::moves::{self, End, STANDING_BY_ID, Unreadable};
use super::{fold, queue};
use crate::model::{Cause, FinalState, MessageId};

/// See [`super::super::Spool::cancel`]. A row that cannot be read is set aside, which is to be committed; whoever asked
/// is not to believe that it has ended, however often he asks.
pub(super) fn cancel(
    connection: &Connection,
    effects: &mut Effects,
    id: MessageId,
    cause: &Cause,
    now: Timestamp,
) -> Result<Result<(), Damage>, SpoolError> {
    let params = params![id.submission.to_string(), id.ordinal];
    let mut from = match moves::standing(connection, STANDING_BY_ID, params)? {
        Some(Ok(from)) => from,
        None => return Err(SpoolError::Stale(id)),
        Some(Err(Unreadable { seq, damage })) => {
            queue::set_aside(connection, effects, seq, damage)?;
            return Ok(Err(damage));
        }
    };
    let end = End { state: FinalState::Cancelled, cause, now };
    if fold::end_waiting(connection, effects, &mut from, &end)? {
        Ok(Ok(()))
    } else {
        Err(SpoolError::Stale(id))
    }
}
