//! Escalations: SMS that take the place of a recipient's others when none of them is delivered. Their time is
//! the queue's to see; here is what an end of one of the others does to them.
//!
//! A recipient's others are its own SMS, and in place of one that was left out (`same_as`) the one that brings the
//! same words to the same phone for another recipient.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::SpoolError;
use super::lane::Effects;
use super::moves::{End, Standing};
use super::passage::Steps;
use super::{fold, held, moves};
use crate::model::{Cause, EnhancedStatus, FinalState};

/// Those that still wait, until their time or to be sent, of a recipient and of those who have the words by its SMS.
pub(super) const WAITING: &str = "SELECT seq, recipient FROM sms WHERE submission = ?1 AND escalation = 1 \
     AND state IN ('held', 'folded', 'due') AND damaged = 0 AND recipient IN \
     (SELECT ?2 UNION ALL SELECT recipient FROM sms WHERE submission = ?1 AND same_as = ?3)";

macro_rules! others {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM sms AS own CROSS JOIN sms AS sent ON sent.submission = own.submission \
             AND sent.ordinal = coalesce(own.same_as, own.ordinal) \
             WHERE own.submission = ?1 AND own.recipient = ?2 AND own.escalation = 0"
        )
    };
}

/// How many of a recipient's others may still be delivered, are delivered, and failed.
pub(super) const OTHERS: &str = others!(
    "count(*) FILTER (WHERE sent.state IN ('held', 'folded', 'due', 'claimed', 'unknown', 'sent')), \
     count(*) FILTER (WHERE sent.state = 'delivered'), \
     count(*) FILTER (WHERE sent.state IN ('undelivered', 'failed', 'expired'))"
);

/// The first of a recipient's others that was delivered; NULL where none was.
pub(super) const DELIVERED: &str = others!("min(CASE WHEN sent.state = 'delivered' THEN sent.ordinal END)");

/// The SMS by which a recipient has the message.
pub(super) fn delivered(
    connection: &Connection,
    submission: &str,
    recipient: &str,
) -> Result<Option<u32>, SpoolError> {
    let mut statement = connection.prepare_cached(DELIVERED)?;
    Ok(statement.query_row(params![submission, recipient], |row| row.get(0))?)
}

/// `ended`, which is no escalation, has ended as `state`.
pub(super) fn after(
    connection: &Connection,
    effects: &mut Effects,
    ended: &Standing,
    state: FinalState,
    now: Timestamp,
) -> Result<(), SpoolError> {
    for (recipient, waiting) in waiting(connection, ended)? {
        let why = if state == FinalState::Delivered {
            format!("not needed: {}-{} was delivered", ended.submission, ended.ordinal)
        } else {
            let (open, delivered, failed): (i64, i64, i64) = connection
                .prepare_cached(OTHERS)?
                .query_row(params![ended.submission, recipient], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            if open > 0 || delivered > 0 {
                continue;
            }
            if failed > 0 {
                let note = "released: none of the SMS that it takes the place of was delivered";
                for seq in waiting {
                    held::release(connection, effects, seq, (now, note), Steps::All, now)?;
                }
                continue;
            }
            "not needed: what it was to take the place of was cancelled".to_owned()
        };
        let cause = Cause::new(EnhancedStatus::SUCCESS, why);
        for seq in waiting {
            let Some(mut from) = moves::standing_or_aside(connection, effects, seq)? else { continue };
            let end = End { state: FinalState::Cancelled, cause: &cause, now };
            fold::end_waiting(connection, effects, &mut from, &end)?;
        }
    }
    Ok(())
}

/// The escalations that go by the fate of `ended`, by recipient.
fn waiting(connection: &Connection, ended: &Standing) -> Result<BTreeMap<String, Vec<i64>>, SpoolError> {
    let mut waiting: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(WAITING)?;
    let mut rows = statement.query(params![ended.submission, ended.recipient, ended.ordinal])?;
    while let Some(row) = rows.next()? {
        waiting.entry(row.get(1)?).or_default().push(row.get(0)?);
    }
    waiting.values_mut().for_each(|of| of.sort_unstable());
    Ok(waiting)
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
    let Some(ordinal) = delivered(connection, &from.submission, &from.recipient)? else { return Ok(()) };
    let why = format!("not needed: {}-{ordinal} was delivered", from.submission);
    let cause = Cause::new(EnhancedStatus::SUCCESS, why);
    moves::finish(connection, effects, from, &End { state: FinalState::Cancelled, cause: &cause, now })
}
