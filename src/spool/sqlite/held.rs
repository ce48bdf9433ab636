//! SMS that wait on purpose, and what becomes of them when their time comes.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::SpoolError;
use super::error::Damage;
use super::lane::Effects;
use super::passage::{self, Steps, Verdict};
use super::settle::{self, End};
use super::{escalation, fold, moves, queue, row, summary, timeline};
use crate::model::{Cause, EnhancedStatus, FinalState, HoldReason, MessageId, Reason, State};

/// Most SMS that one call releases; the rest comes with the next.
const MOST_RELEASED: usize = 500;

pub(super) const RELEASABLE: &str = "SELECT seq, submission, ordinal, recipient, hold_reason, next_at FROM sms \
     WHERE state = 'held' AND damaged = 0 AND next_at <= ?1 ORDER BY next_at, seq LIMIT ?2";

pub(super) const EXPIRING: &str = "SELECT seq FROM sms WHERE state = 'held' AND damaged = 0 AND expires_at <= ?1 \
     ORDER BY expires_at, seq LIMIT ?2";

pub(super) const NEXT_RELEASE: &str = "SELECT min(next_at) FROM sms WHERE state = 'held' AND damaged = 0";

pub(super) const NEXT_EXPIRY: &str = "SELECT min(expires_at) FROM sms WHERE state = 'held' AND damaged = 0";

const EXPIRED: &str = "its lifetime ended while it was held";

const HOLD_ON: &str =
    "UPDATE sms SET next_at = ?2, since = ?3, hold_reason = ?4 WHERE seq = ?1 AND state = 'held'";

/// An SMS whose time to be held is over.
struct Ready {
    id: MessageId,
    recipient: String,
    reason: HoldReason,
    /// When it was over.
    until: Timestamp,
}

fn read_ready(row: &Row<'_>) -> Result<Ready, Damage> {
    let reasons = HoldReason::ALL;
    Ok(Ready {
        id: row::message_id(row)?,
        recipient: row::column(row, "recipient")?,
        reason: row::word(row, "hold_reason", reasons, HoldReason::as_str)?,
        until: row::time(row, "next_at")?,
    })
}

/// Lets go what was held long enough: into the queue, or into its end where an escalation is not needed. Returns
/// how many; up to a bound.
pub(super) fn release_ready(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<usize, SpoolError> {
    let params = params![row::millis(now), row::limit(MOST_RELEASED)];
    let found = row::read_all(connection, RELEASABLE, params, read_ready)?;
    let count = found.len();
    for (seq, ready) in found {
        match ready {
            Ok(ready) => let_go(connection, effects, seq, &ready, now)?,
            Err(damage) => queue::set_aside(connection, effects, seq, damage)?,
        }
    }
    // Perhaps there are more.
    effects.due |= count == MOST_RELEASED;
    // What outlived its time is expired only once nothing is left to release: an escalation that is not needed
    // has not failed.
    let expired = if count < MOST_RELEASED { expire(connection, effects, now)? } else { 0 };
    Ok(count + expired)
}

fn let_go(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    ready: &Ready,
    now: Timestamp,
) -> Result<(), SpoolError> {
    match ready.reason {
        HoldReason::Scheduled | HoldReason::Quiet => {
            release(connection, effects, seq, (ready.until, "its time has come"), Steps::All, now)
        }
        HoldReason::Budget => {
            release(connection, effects, seq, (ready.until, "its time has come"), Steps::Held, now)
        }
        HoldReason::Summary => summary::release(connection, effects, seq, now),
        HoldReason::Escalation => {
            match escalation::delivered(connection, &ready.id.submission.to_string(), &ready.recipient)? {
                None => {
                    let note = "its recipient has no SMS yet that was delivered";
                    release(connection, effects, seq, (ready.until, note), Steps::All, now)
                }
                Some(ordinal) => {
                    let delivered = ready.id.submission.message(ordinal);
                    let text = format!("not needed: {delivered} was delivered");
                    let cause = Cause::new(EnhancedStatus::SUCCESS, text);
                    settle::end(
                        connection,
                        effects,
                        seq,
                        &End { state: FinalState::Cancelled, cause: &cause, now },
                    )
                }
            }
        }
    }
}

/// Lets the held SMS in row `seq` pass what it has to; due since then, it takes its place in the order of acceptance.
/// A row that is not held stays as it is.
pub(super) fn release(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    (since, note): (Timestamp, &str),
    steps: Steps,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let held = moves::standing_or_aside(connection, effects, seq)?.filter(|from| from.state == State::Held);
    let Some(mut from) = held else { return Ok(()) };
    let Some(waiting) = passage::waiting_or_aside(connection, effects, seq)? else { return Ok(()) };
    let verdict = if waiting.passage.is_empty() {
        Verdict::Due
    } else if waiting.expires_at <= now {
        // What is too old is not told by a summary: its sender is told.
        let cause = Reason::Expired.told(EXPIRED);
        let end = End { state: FinalState::Expired, cause: &cause, now };
        return moves::finish(connection, effects, &mut from, &end);
    } else {
        passage::pass(connection, effects, &waiting.candidate(), steps, now)?
    };
    match verdict {
        Verdict::Due => {
            moves::step_to(connection, effects, &mut from, State::Due, Some(since), Some(note), now)
        }
        Verdict::Folded(place) => {
            effects.unused.extend(waiting.candidate().unused(now));
            fold::lay_down(connection, effects, &mut from, &place, now)
        }
        Verdict::Held(until) => {
            let reason = HoldReason::Budget.as_str();
            let params = params![seq, row::millis(until), row::millis(now), reason];
            connection.prepare_cached(HOLD_ON)?.execute(params)?;
            let note = format!("held until {until}: {reason}");
            timeline::event(connection, seq, now, State::Held.as_str(), &note)
        }
    }
}

/// Expires what has outlived its time while it was held, up to a bound, and returns how many.
fn expire(connection: &Connection, effects: &mut Effects, now: Timestamp) -> Result<usize, SpoolError> {
    let cause = Reason::Expired.told(EXPIRED);
    let expiring = queue::rows(connection, EXPIRING, now, MOST_RELEASED)?;
    for seq in &expiring {
        settle::end(connection, effects, *seq, &End { state: FinalState::Expired, cause: &cause, now })?;
    }
    effects.due |= expiring.len() == MOST_RELEASED;
    Ok(expiring.len())
}
