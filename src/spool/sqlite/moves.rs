//! Moves an SMS from one state to the next, with everything that hangs on it: its timeline, its
//! destination's head, its submission's case, its recipient's escalations, who is to be told.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::super::{SpoolError, UnusedParts, reports};
use super::course::Course;
use super::error::Damage;
use super::lane::Effects;
use super::{budget, callbacks, cases, escalation, fold, limits, queue, row, tellings, timeline};
use crate::model::{Cause, FinalState, MessageId, Notify, Reason, State, TellStyle};

macro_rules! standing {
    ($where:literal) => {
        concat!(
            "SELECT sms.seq, sms.submission, sms.ordinal, sms.state, sms.attempts, sms.asked, sms.head, sms.notify, \
             sms.destination, sms.lane, sms.recipient, sms.escalation, sms.gateway, sms.ways, sms.way, \
             sms.parts, submission.report_to, submission.tell_url IS NOT NULL AS tells, submission.tell_mask, \
             submission.account FROM sms CROSS JOIN submission ON submission.id = sms.submission WHERE ",
            $where
        )
    };
}
pub(super) const STANDING_BY_ID: &str = standing!("sms.submission = ?1 AND sms.ordinal = ?2");
pub(super) const STANDING_BY_SEQ: &str = standing!("sms.seq = ?1");
/// By an id of the platform's.
pub(super) const STANDING_BY_THEIRS: &str =
    standing!("sms.seq = (SELECT platform_id.sms FROM platform_id WHERE platform_id.id = ?1)");

/// `since` and `asked` begin anew with a new state. Nothing is held again.
const MOVE: &str = "UPDATE sms SET since = CASE WHEN state = ?2 THEN since ELSE ?3 END, \
     asked = CASE WHEN state = ?2 THEN asked ELSE 0 END, state = ?2, next_at = ?4, head = ?5, hold_reason = NULL \
     WHERE seq = ?1";

/// Nothing of the next way is at a gateway yet, and none has failed it. It waits for room no more, but is asked again.
pub(super) const ADVANCE: &str = "UPDATE sms SET way = way + 1, failures = 0, passed_at = max(passed_at, 1), \
     gateway_order = coalesce(first_order, gateway_order) WHERE seq = ?1";

/// What has ended cannot be late any more.
const END: &str = "UPDATE sms SET state = ?2, since = ?3, asked = 0, next_at = NULL, head = 0, hold_reason = NULL, \
     delayed_at = NULL, ended_at = ?3, cause = ?4, cause_status = ?5, cause_diagnostic = ?6, report = ?7 WHERE seq = ?1";

/// Tells whether that completes a case.
pub(super) const LEFT: &str = "UPDATE submission SET pending = pending - 1 WHERE id = ?1 \
     RETURNING pending = 0 AND case_at IS NOT NULL";

const OWE: &str = "UPDATE submission SET case_at = min(coalesce(case_at, ?2), ?2) WHERE id = ?1";

/// What a move needs to know of a row.
pub(super) struct Standing {
    pub(super) seq: i64,
    pub(super) id: MessageId,
    pub(super) submission: String,
    pub(super) ordinal: u32,
    pub(super) state: State,
    pub(super) attempts: u32,
    pub(super) asked: u32,
    is_head: bool,
    /// A word that cannot be read is no reason to lose an outcome: it counts as not given, and the
    /// row is set aside when it is to be reported.
    notify: Notify,
    destination: String,
    lane: i64,
    pub(super) recipient: String,
    pub(super) is_escalation: bool,
    /// The number of the gateway of the last attempt.
    pub(super) gateway: Option<i64>,
    pub(super) course: Course,
    has_somebody: bool,
    tells: Option<TellStyle>,
    parts: u32,
    account: Option<String>,
}

fn read_standing(row: &Row<'_>) -> Result<Standing, Damage> {
    Ok(Standing {
        seq: row::column(row, "seq")?,
        id: row::message_id(row)?,
        submission: row::column(row, "submission")?,
        ordinal: row::column(row, "ordinal")?,
        state: row::state(row)?,
        attempts: row::column(row, "attempts")?,
        asked: row::column(row, "asked")?,
        is_head: row::column(row, "head")?,
        notify: row::notify(row).unwrap_or_default(),
        destination: row::column(row, "destination")?,
        lane: row::column(row, "lane")?,
        recipient: row::column(row, "recipient")?,
        is_escalation: row::column(row, "escalation")?,
        gateway: row::column(row, "gateway")?,
        course: Course::read(row)?,
        has_somebody: row::column::<String>(row, "report_to")? != "nobody",
        // One that cannot be read is told of all, and set aside when it is to be told.
        tells: row::column::<bool>(row, "tells")?.then(|| tellings::style(row).unwrap_or(TellStyle::Signed)),
        // Only counted: what cannot be read is no reason to lose an outcome.
        parts: row::column(row, "parts").unwrap_or_default(),
        account: row::column(row, "account").unwrap_or_default(),
    })
}

/// A row that cannot be read. Whoever may write sets it aside; see [`queue::set_aside`].
pub(super) struct Unreadable {
    pub(super) seq: i64,
    pub(super) damage: Damage,
}

/// The SMS that one of the statements finds.
pub(super) fn standing(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<Result<Standing, Unreadable>>, SpoolError> {
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params, |row| {
        let seq = row.get("seq")?;
        Ok(read_standing(row).map_err(|damage| Unreadable { seq, damage }))
    });
    Ok(found.optional()?)
}

/// As [`standing`] for a row that is there, which is set aside where it cannot be read.
pub(super) fn standing_or_aside(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
) -> Result<Option<Standing>, SpoolError> {
    let found =
        connection.prepare_cached(STANDING_BY_SEQ)?.query_row(params![seq], |row| Ok(read_standing(row)))?;
    match found {
        Ok(standing) => Ok(Some(standing)),
        Err(damage) => {
            queue::set_aside(connection, effects, seq, damage)?;
            Ok(None)
        }
    }
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
    match standing_or_aside(connection, effects, seq)? {
        Some(mut from) => finish(connection, effects, &mut from, how),
        None => Ok(()),
    }
}

/// Makes the claimed SMS in row `seq` unknown, to be asked about at `ask_at`; `false` when it did not become that,
/// as the platform itself has spoken of it, or as the row cannot be read and was set aside.
pub(super) fn lose(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    ask_at: Timestamp,
    note: &str,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    let Some(mut from) = standing_or_aside(connection, effects, seq)? else { return Ok(false) };
    if callbacks::contradict(connection, effects, &mut from, note, now)? {
        return Ok(false);
    }
    cases::note_wait(connection, from.seq, &Reason::AnswerLost.cause())?;
    step_to(connection, effects, &mut from, State::Unknown, Some(ask_at), Some(note), now)?;
    Ok(true)
}

/// The end of it.
pub(super) fn finish(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    how: &End<'_>,
) -> Result<(), SpoolError> {
    let End { state: end, cause, now } = *how;
    let state = State::Final(end);
    let is_owed = from.has_somebody && reports::is_wanted(end, cause.status, from.notify);
    connection.prepare_cached(END)?.execute(params![
        from.seq,
        state.as_str(),
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
    if from.state == State::Due && from.attempts == 0 {
        limits::take_back(connection, from.seq)?;
    }
    let unused = unused(from, end, now);
    moved(connection, effects, from, state, Some(&row::note(cause)), now)?;
    effects.unused.extend(unused);
    if from.attempts == 0 {
        budget::give_back(connection, from.seq, now)?;
    }
    fold::ended(connection, effects, from.seq)?;
    if from.tells.is_some_and(|style| style.wants(end, cause)) {
        tellings::insert(connection, effects, from.seq, now)?;
    }
    if from.is_escalation { Ok(()) } else { escalation::after(connection, effects, from, end, now) }
}

/// What its account has not used by it, as `view::PARTS_OF_ACCOUNT` counts it.
fn unused(from: &Standing, end: FinalState, now: Timestamp) -> Option<UnusedParts> {
    // What was folded was given back then.
    let is_unused = from.state != State::Folded
        && from.attempts == 0
        && matches!(end, FinalState::Cancelled | FinalState::Failed);
    let account = from.account.clone().filter(|_| is_unused)?;
    Some(UnusedParts {
        account,
        accepted_at: from.id.submission.time(),
        ended_at: now,
        parts: from.parts.min(255),
    })
}

/// The next way, at once. There must be one.
pub(super) fn next_way(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    cause: &Cause,
    now: Timestamp,
) -> Result<(), SpoolError> {
    cases::note_wait(connection, from.seq, cause)?;
    let told = budget::told(connection, from.seq, from.course.channel())?;
    connection.prepare_cached(ADVANCE)?.execute(params![from.seq])?;
    from.course.advance();
    // It costs as much as was predicted, whatever the way before has cost.
    budget::correct(connection, effects, (from.seq, from.course.channel()), told, now)?;
    let note = format!("{}; next by {}", row::note(cause), from.course.channel());
    step_to(connection, effects, from, State::Due, Some(now), Some(&note), now)
}

/// Moves the row to a state that is not its end, with everything that hangs on it. Without a note it stays where it is and leaves
/// no line.
pub(super) fn step_to(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    to: State,
    next_at: Option<Timestamp>,
    note: Option<&str>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    connection.prepare_cached(MOVE)?.execute(params![
        from.seq,
        to.as_str(),
        row::millis(now),
        next_at.map(row::millis),
        from.is_head && waits(to),
    ])?;
    moved(connection, effects, from, to, note, now)
}

/// What hangs on a move of the row, which is written already.
fn moved(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    to: State,
    note: Option<&str>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let (before, was_head) = (from.state, from.is_head);
    let is_head = was_head && waits(to);
    (from.state, from.is_head) = (to, is_head);
    if let Some(note) = note {
        if before == State::Claimed {
            let outcome = format!("{to}: {note}");
            timeline::end_attempt(connection, from.seq, from.attempts, now, &outcome)?;
        }
        timeline::event(connection, from.seq, now, to.as_str(), note)?;
    }
    match to {
        // What is behind another has nothing to do yet.
        State::Due => effects.due |= is_head,
        State::Unknown => effects.unknown = true,
        State::Sent => effects.sent = true,
        State::Final(_) => leave(connection, effects, from)?,
        State::Held | State::Folded | State::Claimed => {}
    }
    // The head has left, or somebody has come back: he may be the only one, or may have been under way while an
    // earlier one was released.
    if (was_head && !is_head) || to == State::Due {
        queue::elect_head(connection, effects, &from.destination, from.lane)?;
    }
    Ok(())
}

/// Whether later SMS to the same destination wait for one in this state.
fn waits(state: State) -> bool {
    match state {
        State::Due | State::Claimed | State::Unknown => true,
        State::Held | State::Folded | State::Sent | State::Final(_) => false,
    }
}

/// Nothing more may happen to the row: its submission's case may be complete.
fn leave(connection: &Connection, effects: &mut Effects, from: &Standing) -> Result<(), SpoolError> {
    let mut statement = connection.prepare_cached(LEFT)?;
    let is_complete: bool = statement.query_row(params![from.submission], |row| row.get(0))?;
    effects.cases |= is_complete;
    Ok(())
}
