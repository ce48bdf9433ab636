//! Ends what was folded as its summary has ended, in portions, so that no call waits for a storm.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::SpoolError;
use super::error::Damage;
use super::lane::Effects;
use super::moves::{self, End};
use super::{fold, row};
use crate::model::{Cause, FinalState, MessageId, State};

/// Most SMS that one call ends: few, since what is to be accepted waits for them.
const MOST_ENDED: usize = 100;

pub(super) const CLOSING: &str = "SELECT fold.seq, sms.submission, sms.ordinal, sms.state, sms.cause, sms.cause_status, \
     sms.cause_diagnostic FROM fold CROSS JOIN sms ON sms.seq = fold.summary WHERE fold.state = 'closing' AND fold.opened_at >= 0 \
     ORDER BY fold.opened_at LIMIT 1";

pub(super) const FOLDED: &str =
    "SELECT seq FROM sms WHERE fold = ?1 AND state = 'folded' AND damaged = 0 LIMIT ?2";

/// When the first of those was opened that end.
pub(super) const NEXT: &str = "SELECT min(opened_at) FROM fold WHERE state = 'closing'";

/// How a summary ended.
struct Ended {
    id: MessageId,
    state: FinalState,
    cause: Cause,
}

fn read_ended(row: &Row<'_>) -> Result<Ended, Damage> {
    let State::Final(state) = row::state(row)? else { return Err(Damage("state")) };
    Ok(Ended { id: row::message_id(row)?, state, cause: row::cause(row)? })
}

/// Ends the next portion; returns how much there was to do.
pub(super) fn go_on(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<usize, SpoolError> {
    let mut done = 0;
    while done < MOST_ENDED {
        let found = connection
            .prepare_cached(CLOSING)?
            .query_row([], |row| Ok((row.get::<_, i64>(0)?, read_ended(row))))
            .optional()?;
        let Some((fold, ended)) = found else { return Ok(done) };
        done += 1;
        match ended {
            Ok(ended) => done += end_portion(connection, effects, fold, &ended, MOST_ENDED - done, now)?,
            Err(damage) => {
                effects.damaged.push(format!("the summary of row {fold} of table fold is damaged: {damage}"));
                fold::set_state(connection, fold, "sent")?;
            }
        }
    }
    // Perhaps there are more.
    effects.due = true;
    Ok(done)
}

/// Ends up to `limit` of what was folded into `fold`, and closes it where none is left.
fn end_portion(
    connection: &Connection,
    effects: &mut Effects,
    fold: i64,
    ended: &Ended,
    limit: usize,
    now: Timestamp,
) -> Result<usize, SpoolError> {
    let folded: Vec<i64> = {
        let mut statement = connection.prepare_cached(FOLDED)?;
        let rows = statement.query_map(params![fold, row::limit(limit)], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    let Ended { id, state, cause } = ended;
    let cause = Cause { text: format!("by its summary {id}: {}", cause.text), ..cause.clone() };
    for seq in &folded {
        moves::end(connection, effects, *seq, &End { state: *state, cause: &cause, now })?;
    }
    if folded.len() < limit {
        fold::set_state(connection, fold, "closed")?;
    }
    Ok(folded.len())
}
