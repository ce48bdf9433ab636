//! Writes what became of an attempt or a question.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::{SpoolError, Step};
use super::lane::Effects;
use super::moves::{self, STANDING_BY_ID, Standing, finish, next_way, step_to};
use super::{callbacks, cases, escalation, orders, row};
use crate::model::{MessageId, State};

pub(super) use super::moves::{End, end, lose};

const COUNTED: &str = "UPDATE sms SET platform_parts = coalesce(?2, platform_parts), \
     platform_unicode = coalesce(?3, platform_unicode) WHERE seq = ?1";

/// The first SMS that the platform gave an id keeps it.
const NAMED: &str = "INSERT INTO platform_id (id, sms) VALUES (?2, ?1) ON CONFLICT (id) DO NOTHING";

/// See [`super::super::Spool::settle`].
pub(super) fn settle(
    connection: &Connection,
    effects: &mut Effects,
    id: MessageId,
    attempt: u32,
    step: &Step,
    now: Timestamp,
) -> Result<State, SpoolError> {
    let params = params![id.submission.to_string(), id.ordinal];
    let found = moves::standing(connection, STANDING_BY_ID, params, &id)?;
    let mut from = found.filter(|from| from.attempts == attempt).ok_or(SpoolError::Stale(id))?;
    if let Some(doubt) = doubt(step, &from)
        && callbacks::contradict(connection, effects, &mut from, &doubt, now)?
    {
        return Ok(from.state);
    }
    let to = target(step, &from).filter(|to| from.state.may_become(*to)).ok_or(SpoolError::Stale(id))?;
    match step {
        Step::Sent { parts, unicode, platform_id, ask_at, note } => {
            step_to(connection, effects, &mut from, to, Some(*ask_at), Some(note), now)?;
            connection.prepare_cached(COUNTED)?.execute(params![from.seq, parts, unicode])?;
            if let Some(theirs) = platform_id {
                let named = connection.prepare_cached(NAMED)?.execute(params![from.seq, theirs])?;
                if named > 0 {
                    callbacks::adopt(connection, &from, theirs, now)?;
                }
            }
            callbacks::follow(connection, effects, &mut from, now)?;
        }
        Step::NextWay { cause } => next_way(connection, effects, &mut from, cause, now)?,
        Step::Retry { at, cause, same_gateway } => {
            cases::note_wait(connection, from.seq, cause)?;
            step_to(connection, effects, &mut from, to, Some(*at), Some(&row::note(cause)), now)?;
            if let Some(gateway) = from.gateway.filter(|_| *same_gateway) {
                orders::pin(connection, from.seq, gateway)?;
            }
            escalation::recall(connection, effects, &mut from, now)?;
        }
        Step::Unknown { ask_at, cause } => {
            cases::note_wait(connection, from.seq, cause)?;
            step_to(connection, effects, &mut from, to, Some(*ask_at), Some(&row::note(cause)), now)?;
        }
        Step::AskAgain { ask_at } => {
            step_to(connection, effects, &mut from, to, Some(*ask_at), None, now)?;
        }
        Step::Final { state, cause } => {
            finish(connection, effects, &mut from, &End { state: *state, cause, now })?;
        }
    }
    Ok(from.state)
}

/// What a step says against the platform's having the message, in words; `None` where it says nothing of the kind,
/// and where the SMS is nowhere that callbacks could have brought it to.
fn doubt(step: &Step, from: &Standing) -> Option<String> {
    match from.state {
        State::Claimed | State::Unknown | State::Sent => {}
        State::Held | State::Due | State::Final(_) => return None,
    }
    match step {
        Step::Retry { cause, .. } | Step::NextWay { cause } | Step::Unknown { cause, .. } => {
            Some(row::note(cause))
        }
        Step::Final { state, cause } => state.is_failure().then(|| row::note(cause)),
        Step::Sent { .. } | Step::AskAgain { .. } => None,
    }
}

/// Where a step leads; `None` where it leads nowhere. What the platform has is tried again by another way
/// only.
fn target(step: &Step, from: &Standing) -> Option<State> {
    match step {
        // What is due again may turn out to be there after all; what was never tried cannot.
        Step::Sent { .. } => (from.attempts > 0).then_some(State::Sent),
        Step::Retry { .. } => (from.state != State::Sent).then_some(State::Due),
        Step::NextWay { .. } => from.course.has_next().then_some(State::Due),
        Step::Unknown { .. } => Some(State::Unknown),
        Step::Final { state, .. } => Some(State::Final(*state)),
        Step::AskAgain { .. } => match from.state {
            State::Unknown | State::Sent => Some(from.state),
            State::Held | State::Due | State::Claimed | State::Final(_) => None,
        },
    }
}
