//! Writes what became of an attempt or a question.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::{Again, SpoolError, Step};
use super::error::Damage;
use super::lane::Effects;
use super::moves::{self, STANDING_BY_ID, Standing, Unreadable, finish, next_way, step_to};
use super::{callbacks, cases, escalation, orders, queue, row};
use crate::model::{MessageId, State};

pub(super) use super::moves::{End, end, lose};

const COUNTED: &str = "UPDATE sms SET platform_parts = coalesce(?2, platform_parts), \
     platform_unicode = coalesce(?3, platform_unicode) WHERE seq = ?1";

/// The first SMS that the platform gave an id keeps it.
const NAMED: &str = "INSERT INTO platform_id (id, sms) VALUES (?2, ?1) ON CONFLICT (id) DO NOTHING";

/// See [`super::super::Spool::settle`]. A row that cannot be read is set aside, which is to be committed: whoever was to
/// settle it has no other word about it, and it would hold back what is behind it.
pub(super) fn settle(
    connection: &Connection,
    effects: &mut Effects,
    id: MessageId,
    attempt: u32,
    step: &Step,
    now: Timestamp,
) -> Result<Result<State, Damage>, SpoolError> {
    let params = params![id.submission.to_string(), id.ordinal];
    let mut from = match moves::standing(connection, STANDING_BY_ID, params)? {
        Some(Ok(from)) if from.attempts == attempt => from,
        Some(Ok(_)) | None => return Err(SpoolError::Stale(id)),
        Some(Err(Unreadable { seq, damage })) => {
            queue::set_aside(connection, effects, seq, damage)?;
            return Ok(Err(damage));
        }
    };
    if let Some(doubt) = doubt(step, &from)
        && callbacks::contradict(connection, effects, &mut from, &doubt, now)?
    {
        return Ok(Ok(from.state));
    }
    let to = target(connection, step, &from)?
        .filter(|to| from.state.may_become(*to))
        .ok_or(SpoolError::Stale(id))?;
    match step {
        Step::Sent { parts, unicode, platform_id, ask_at, note } => {
            step_to(connection, effects, &mut from, to, Some(*ask_at), Some(note), now)?;
            connection.prepare_cached(COUNTED)?.execute(params![from.seq, parts, unicode])?;
            if let Some(theirs) = platform_id {
                let named = connection.prepare_cached(NAMED)?.execute(params![from.seq, theirs])?;
                if named > 0 {
                    callbacks::adopt(connection, effects, &from, theirs, now)?;
                }
            }
            callbacks::follow(connection, effects, &mut from, now)?;
        }
        Step::NextWay { cause } => next_way(connection, effects, &mut from, cause, now)?,
        Step::Retry { at, cause, by } => {
            cases::note_wait(connection, from.seq, cause)?;
            let mut note = row::note(cause);
            if let Again::OthersFirst { .. } = by {
                note.push_str("; from now on by its other gateways first");
            }
            step_to(connection, effects, &mut from, to, Some(*at), Some(&note), now)?;
            match (by, from.gateway) {
                (Again::InOrder, _) | (_, None) => {}
                (Again::Counted, Some(_)) => orders::count_failure(connection, from.seq)?,
                (Again::OthersFirst { known }, Some(gateway)) => {
                    orders::others_first(connection, from.seq, gateway, known)?;
                }
                (Again::Same, Some(gateway)) => orders::pin(connection, from.seq, gateway)?,
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
    Ok(Ok(from.state))
}

/// What a step says against the platform's having the message, in words; `None` where it says nothing of the kind,
/// and where the SMS is nowhere that callbacks could have brought it to.
fn doubt(step: &Step, from: &Standing) -> Option<String> {
    match from.state {
        State::Claimed | State::Unknown | State::Sent => {}
        State::Held | State::Folded | State::Due | State::Final(_) => return None,
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
fn target(connection: &Connection, step: &Step, from: &Standing) -> Result<Option<State>, SpoolError> {
    Ok(match step {
        // What is due again may turn out to be there after all. What was not tried by its way cannot: then the answer
        // is about the way before, which a callback has ended meanwhile.
        Step::Sent { .. } => {
            callbacks::was_tried(connection, from, from.course.channel())?.then_some(State::Sent)
        }
        Step::Retry { .. } => (from.state != State::Sent).then_some(State::Due),
        Step::NextWay { .. } => from.course.has_next().then_some(State::Due),
        Step::Unknown { .. } => Some(State::Unknown),
        Step::Final { state, .. } => Some(State::Final(*state)),
        Step::AskAgain { .. } => match from.state {
            State::Unknown | State::Sent => Some(from.state),
            State::Held | State::Folded | State::Due | State::Claimed | State::Final(_) => None,
        },
    })
}
