//! Escalations: SMS that take the place of a recipient's others when none of them is delivered. Their time is
//! the queue's to see; here is what an end of one of the others does to them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::SpoolError;
use super::lane::Effects;
use super::moves::{End, Standing};
use super::{held, moves};
use crate::model::{Cause, EnhancedStatus, FinalState};

/// Those of a recipient that still wait: until their time, or to be sent.
pub(super) const WAITING: &str = "SELECT seq FROM sms WHERE submission = ?1 AND recipient = ?2 AND escalation = 1 \
     AND state IN ('held', 'due') AND damaged = 0 ORDER BY seq";

/// How many of a recipient's other SMS may still be delivered, are delivered, and failed.
pub(super) const OTHERS: &str = "SELECT count(*) FILTER (WHERE state IN ('held', 'due', 'claimed', 'unknown', 'sent')), \
     count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state IN ('undelivered', 'failed', 'expired')) \
     FROM sms WHERE submission = ?1 AND recipient = ?2 AND escalation = 0";

/// `ended`, which is no escalation, has ended as `state`.
pub(super) fn after(
    connection: &Connection,
    effects: &mut Effects,
    ended: &Standing,
    state: FinalState,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let key = params![ended.submission, ended.recipient];
    let waiting: Vec<i64> = {
        let mut statement = connection.prepare_cached(WAITING)?;
        let rows = statement.query_map(key, |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    if waiting.is_empty() {
        return Ok(());
    }
    let why = if state == FinalState::Delivered {
        format!("not needed: {}-{} was delivered", ended.submission, ended.ordinal)
    } else {
        let (open, delivered, failed): (i64, i64, i64) = connection
            .prepare_cached(OTHERS)?
            .query_row(key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if open > 0 || delivered > 0 {
            return Ok(());
        }
        if failed > 0 {
            let note = "released: none of the SMS that it takes the place of was delivered";
            for seq in waiting {
                held::release(connection, effects, seq, now, note, now)?;
            }
            return Ok(());
        }
        "not needed: what it was to take the place of was cancelled".to_owned()
    };
    let cause = Cause::new(EnhancedStatus::SUCCESS, why);
    for seq in waiting {
        moves::end(connection, effects, seq, &End { state: FinalState::Cancelled, cause: &cause, now })?;
    }
    Ok(())
}

/// Ends an escalation that has come back, where its recipient has been given the message meanwhile. Any other SMS
/// stays as it is.
pub(super) fn recall(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    now: Timestamp,
) -> Result<(), SpoolError> {
    if !from.is_escalation {
        return Ok(());
    }
    let delivered: Option<u32> = connection
        .prepare_cached(held::DELIVERED)?
        .query_row(params![from.submission, from.recipient], |row| row.get(0))
        .optional()?;
    let Some(ordinal) = delivered else { return Ok(()) };
    let why = format!("not needed: {}-{ordinal} was delivered", from.submission);
    let cause = Cause::new(EnhancedStatus::SUCCESS, why);
    moves::finish(connection, effects, from, &End { state: FinalState::Cancelled, cause: &cause, now })
}
