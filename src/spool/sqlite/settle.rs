//! Writes what became of an attempt or a question, and ends SMS.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{SpoolError, Step, reports};
use super::error::Damage;
use super::lane::Effects;
use super::{queue, row, timeline};
use crate::model::{Cause, FinalState, MessageId, Notify, State};

macro_rules! standing {
    ($where:literal) => {
        concat!(
            "SELECT sms.seq, sms.submission, sms.state, sms.attempts, sms.head, sms.notify, sms.destination, \
             submission.report_to FROM sms CROSS JOIN submission ON submission.id = sms.submission WHERE ",
            $where
        )
    };
}
pub(super) const STANDING_BY_ID: &str = standing!("sms.submission = ?1 AND sms.ordinal = ?2");
pub(super) const STANDING_BY_SEQ: &str = standing!("sms.seq = ?1");

/// `since` and `asked` begin anew with a new state.
const MOVE: &str = "UPDATE sms SET since = CASE WHEN state = ?2 THEN since ELSE ?3 END, \
     asked = CASE WHEN state = ?2 THEN asked ELSE 0 END, state = ?2, next_at = ?4, head = ?5 WHERE seq = ?1";

const COUNTED: &str = "UPDATE sms SET platform_parts = coalesce(?2, platform_parts), \
     platform_unicode = coalesce(?3, platform_unicode) WHERE seq = ?1";

const END: &str = "UPDATE sms SET ended_at = ?2, cause = ?3, cause_status = ?4, cause_diagnostic = ?5, report = ?6 \
     WHERE seq = ?1";

const LEFT: &str = "UPDATE submission SET pending = pending - 1 WHERE id = ?1";

const OWE: &str = "UPDATE submission SET case_at = min(coalesce(case_at, ?2), ?2) WHERE id = ?1";

pub(super) const IS_COMPLETE: &str =
    "SELECT 1 FROM submission WHERE id = ?1 AND pending = 0 AND case_at IS NOT NULL";

/// What a move needs to know of a row.
struct Standing {
    seq: i64,
    submission: String,
    state: State,
    attempts: u32,
    is_head: bool,
    /// A word that cannot be read is no reason to lose an outcome: it counts as not given, and the
    /// row is set aside when it is to be reported.
    notify: Notify,
    destination: String,
    has_somebody: bool,
}

fn read_standing(row: &Row<'_>) -> Result<Standing, Damage> {
    Ok(Standing {
        seq: row::column(row, "seq")?,
        submission: row::column(row, "submission")?,
        state: row::state(row)?,
        attempts: row::column(row, "attempts")?,
        is_head: row::column(row, "head")?,
        notify: row::notify(row).unwrap_or_default(),
        destination: row::column(row, "destination")?,
        has_somebody: row::column::<String>(row, "report_to")? != "nobody",
    })
}

/// See [`super::super::Spool::settle`].
pub(super) fn settle(
    connection: &Connection,
    effects: &mut Effects,
    id: MessageId,
    attempt: u32,
    step: &Step,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let found = connection
        .prepare_cached(STANDING_BY_ID)?
        .query_row(params![id.submission.to_string(), id.ordinal], |row| Ok(read_standing(row)))
        .optional()?
        .ok_or(SpoolError::Stale(id))?;
    let from = found.map_err(|damage| damaged(&format!("SMS {id}"), damage))?;
    let to = target(step, from.state).ok_or(SpoolError::Stale(id))?;
    if from.attempts != attempt || !from.state.may_become(to) {
        return Err(SpoolError::Stale(id));
    }
    match step {
        Step::Sent { parts, unicode, ask_at, note } => {
            step_to(connection, effects, &from, to, Some(*ask_at), Some(note), now)?;
            connection.prepare_cached(COUNTED)?.execute(params![from.seq, parts, unicode])?;
        }
        Step::Retry { at, cause } => {
            step_to(connection, effects, &from, to, Some(*at), Some(&row::note(cause)), now)?;
        }
        Step::Unknown { ask_at, cause } => {
            step_to(connection, effects, &from, to, Some(*ask_at), Some(&row::note(cause)), now)?;
        }
        Step::AskAgain { ask_at } => step_to(connection, effects, &from, to, Some(*ask_at), None, now)?,
        Step::Final { state, cause } => {
            finish(connection, effects, &from, &End { state: *state, cause, now })?;
        }
    }
    Ok(())
}

/// Where a step leads; `None` where it leads nowhere.
fn target(step: &Step, from: State) -> Option<State> {
    match step {
        Step::Sent { .. } => Some(State::Sent),
        Step::Retry { .. } => Some(State::Due),
        Step::Unknown { .. } => Some(State::Unknown),
        Step::Final { state, .. } => Some(State::Final(*state)),
        Step::AskAgain { .. } => match from {
            State::Unknown | State::Sent => Some(from),
            State::Due | State::Claimed | State::Final(_) => None,
        },
    }
}

fn damaged(what: &str, damage: Damage) -> SpoolError {
    SpoolError::Unusable(format!("{what} is damaged: {damage}; repair it with `sqlite3`"))
}

/// How an SMS ends.
pub(super) struct End<'a> {
    pub(super) state: FinalState,
    pub(super) cause: &'a Cause,
    pub(super) now: Timestamp,
}

/// Ends the SMS in row `seq`, wherever it is. A row that cannot be read is set aside.
pub(super) fn end(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    how: &End<'_>,
) -> Result<(), SpoolError> {
    match standing(connection, seq)? {
        Ok(from) => finish(connection, effects, &from, how),
        Err(damage) => queue::set_aside(connection, effects, seq, damage),
    }
}

/// Makes the claimed SMS in row `seq` unknown, to be asked about at `ask_at`; `false` when the row
/// cannot be read and was set aside.
pub(super) fn lose(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    ask_at: Timestamp,
    note: &str,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    match standing(connection, seq)? {
        Ok(from) => {
            step_to(connection, effects, &from, State::Unknown, Some(ask_at), Some(note), now)?;
            Ok(true)
        }
        Err(damage) => {
            queue::set_aside(connection, effects, seq, damage)?;
            Ok(false)
        }
    }
}

fn standing(connection: &Connection, seq: i64) -> Result<Result<Standing, Damage>, SpoolError> {
    let mut statement = connection.prepare_cached(STANDING_BY_SEQ)?;
    Ok(statement.query_row(params![seq], |row| Ok(read_standing(row)))?)
}

fn finish(
    connection: &Connection,
    effects: &mut Effects,
    from: &Standing,
    how: &End<'_>,
) -> Result<(), SpoolError> {
    let End { state, cause, now } = *how;
    let is_owed = from.has_somebody && reports::is_wanted(state, cause.status, from.notify);
    connection.prepare_cached(END)?.execute(params![
        from.seq,
        row::millis(now),
        cause.text,
        cause.status.to_string(),
        cause.diagnostic,
        if is_owed { "owed" } else { "none" },
    ])?;
    if is_owed {
        connection.prepare_cached(OWE)?.execute(params![from.submission, row::millis(now)])?;
        effects.cases = true;
    }
    step_to(connection, effects, from, State::Final(state), None, Some(&row::note(cause)), now)
}

/// Moves the row, with everything that hangs on it. Without a note it stays where it is and leaves
/// no line.
fn step_to(
    connection: &Connection,
    effects: &mut Effects,
    from: &Standing,
    to: State,
    next_at: Option<Timestamp>,
    note: Option<&str>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let stays = waits(to);
    connection.prepare_cached(MOVE)?.execute(params![
        from.seq,
        to.as_str(),
        row::millis(now),
        next_at.map(row::millis),
        from.is_head && stays,
    ])?;
    if let Some(note) = note {
        if from.state == State::Claimed {
            let outcome = format!("{to}: {note}");
            timeline::end_attempt(connection, from.seq, from.attempts, now, &outcome)?;
        }
        timeline::event(connection, from.seq, now, to.as_str(), note)?;
    }
    match to {
        State::Due => effects.due = true,
        State::Unknown => effects.unknown = true,
        State::Sent => effects.sent = true,
        State::Claimed | State::Final(_) => {}
    }
    if waits(from.state) && !stays {
        leave(connection, effects, from)?;
    }
    Ok(())
}

/// Whether later SMS to the same destination wait for one in this state.
fn waits(state: State) -> bool {
    match state {
        State::Due | State::Claimed | State::Unknown => true,
        State::Sent | State::Final(_) => false,
    }
}

/// The row has left the queue: its destination's next one may go, and its submission's case may be
/// complete.
fn leave(connection: &Connection, effects: &mut Effects, from: &Standing) -> Result<(), SpoolError> {
    connection.prepare_cached(LEFT)?.execute(params![from.submission])?;
    if connection.prepare_cached(IS_COMPLETE)?.exists(params![from.submission])? {
        effects.cases = true;
    }
    if from.is_head {
        queue::elect_head(connection, effects, &from.destination)?;
    }
    Ok(())
}
