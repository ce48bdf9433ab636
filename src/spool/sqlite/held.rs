//! SMS that wait on purpose, and what becomes of them when their time comes.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, params};

use super::super::SpoolError;
use super::error::Damage;
use super::lane::Effects;
use super::moves::Standing;
use super::passage::{self, Candidate, Steps, Verdict, Waiting};
use super::settle::{self, End};
use super::{accept, escalation, fold, limits, moves, pieces, queue, quiet, row, summary, timeline};
use crate::model::{Cause, EnhancedStatus, FinalState, HoldReason, MessageId, Reason, State};
use crate::retry::later;

/// Most SMS that one call releases; the rest comes with the next.
const MOST_RELEASED: usize = 500;

pub(super) const RELEASABLE: &str = "SELECT seq, submission, ordinal, recipient, hold_reason, escalation, next_at FROM sms \
     WHERE state = 'held' AND damaged = 0 AND next_at <= ?1 ORDER BY next_at, seq LIMIT ?2";

pub(super) const EXPIRING: &str = "SELECT seq FROM sms WHERE state = 'held' AND damaged = 0 AND expires_at <= ?1 \
     ORDER BY expires_at, seq LIMIT ?2";

pub(super) const NEXT_RELEASE: &str = "SELECT min(next_at) FROM sms WHERE state = 'held' AND damaged = 0";

pub(super) const NEXT_EXPIRY: &str = "SELECT min(expires_at) FROM sms WHERE state = 'held' AND damaged = 0";

const EXPIRED: &str = "its lifetime ended while it was held";

const HOLD_ON: &str = "UPDATE sms SET next_at = ?2, since = ?3, hold_reason = ?4, expires_at = ?5, \
     delayed_at = delayed_at + ?6, passage = coalesce(?7, passage) WHERE seq = ?1 AND state = 'held'";

/// An SMS whose time to be held is over.
struct Ready {
    id: MessageId,
    recipient: String,
    reason: HoldReason,
    is_escalation: bool,
    /// When it was over.
    until: Timestamp,
}

fn read_ready(row: &Row<'_>) -> Result<Ready, Damage> {
    let reasons = HoldReason::ALL;
    Ok(Ready {
        id: row::message_id(row)?,
        recipient: row::column(row, "recipient")?,
        reason: row::word(row, "hold_reason", reasons, HoldReason::as_str)?,
        is_escalation: row::column(row, "escalation")?,
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
    if ready.reason == HoldReason::Summary {
        return summary::release(connection, effects, seq, now);
    }
    // Whatever it waited for last.
    if ready.is_escalation
        && let Some(ordinal) =
            escalation::delivered(connection, &ready.id.submission.to_string(), &ready.recipient)?
    {
        let delivered = ready.id.submission.message(ordinal);
        let text = format!("not needed: {delivered} was delivered");
        let cause = Cause::new(EnhancedStatus::SUCCESS, text);
        return settle::end(
            connection,
            effects,
            seq,
            &End { state: FinalState::Cancelled, cause: &cause, now },
        );
    }
    if ready.is_escalation
        && matches!(ready.reason, HoldReason::Escalation | HoldReason::Quiet)
        && wait_for_summary(connection, effects, seq, ready, now)?
    {
        return Ok(());
    }
    let (steps, note) = match ready.reason {
        HoldReason::Escalation => (Steps::All, "its recipient has no SMS yet that was delivered"),
        HoldReason::Budget => (Steps::Held, "its time has come"),
        HoldReason::Scheduled | HoldReason::Quiet | HoldReason::Summary => (Steps::All, "its time has come"),
    };
    release(connection, effects, seq, (ready.until, note), steps, now)
}

/// Whether an escalation waits on for the summary that brings its recipient the words, and for its delivery.
fn wait_for_summary(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    ready: &Ready,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    let submission = ready.id.submission.to_string();
    let Some(awaited) = escalation::awaited(connection, &submission, &ready.recipient)? else {
        return Ok(false);
    };
    let Some(waiting) = passage::waiting_or_aside(connection, effects, seq)? else { return Ok(true) };
    let until = waiting.passage.escalates_after.map(|after| awaited.until(after));
    let Some(until) = until.filter(|until| *until > now) else { return Ok(false) };
    hold_on(connection, &waiting, (HoldReason::Escalation, until), Steps::All, now)?;
    let reason = HoldReason::Escalation.as_str();
    let note = format!("held until {until}: {reason}, as {} is to tell its recipient", awaited.summary);
    timeline::event(connection, seq, now, State::Held.as_str(), &note)?;
    Ok(true)
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
    // A piece of a text that is held on, all of it.
    if waiting.passage.pieces.is_some() && waiting.until.is_some_and(|until| until > now) {
        return Ok(());
    }
    let mut others = Vec::new();
    let verdict = if waiting.passage.is_empty() {
        Verdict::Due
    } else if waiting.expires_at <= now {
        // What is too old is not told by a summary: its sender is told.
        let cause = Reason::Expired.told(EXPIRED);
        let end = End { state: FinalState::Expired, cause: &cause, now };
        return moves::finish(connection, effects, &mut from, &end);
    } else {
        others = pieces::others(connection, effects, seq, &waiting)?;
        let together = pieces::together(others.iter().chain([&waiting]).map(|one| &one.passage));
        let together = Some(together.as_slice()).filter(|_| !others.is_empty());
        let count = u32::try_from(others.len() + 1).unwrap_or(u32::MAX);
        let candidate = Candidate { count, together, ..waiting.candidate() };
        passage::pass(connection, effects, &candidate, steps, now)?
    };
    let how = (&verdict, since, note, steps);
    obey(connection, effects, &mut from, &waiting, how, now)?;
    for other in others {
        let Some(mut from) = moves::standing_or_aside(connection, effects, other.seq)? else { continue };
        obey(connection, effects, &mut from, &other, how, now)?;
    }
    Ok(())
}

/// Does with a held row what came of its passing.
fn obey(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    waiting: &Waiting,
    (verdict, since, note, steps): (&Verdict, Timestamp, &str, Steps),
    now: Timestamp,
) -> Result<(), SpoolError> {
    match verdict {
        Verdict::Due => {
            moves::step_to(connection, effects, from, State::Due, Some(since), Some(note), now)?;
            if waiting.passage.is_asked_again() { limits::mark(connection, from.seq, now) } else { Ok(()) }
        }
        Verdict::Folded(place) => {
            effects.unused.extend(waiting.candidate().unused(now));
            fold::lay_down(connection, effects, from, place, now)
        }
        Verdict::Held(reason, until) => {
            hold_on(connection, waiting, (*reason, *until), steps, now)?;
            let note = format!("held until {until}: {}", reason.as_str());
            timeline::event(connection, from.seq, now, State::Held.as_str(), &note)
        }
    }
}

/// Holds a row that is held for longer, for `reason`. Quiet hours, and the time that an escalation gives to others, take
/// nothing of its lifetime, and make nothing late.
pub(super) fn hold_on(
    connection: &Connection,
    waiting: &Waiting,
    (reason, until): (HoldReason, Timestamp),
    steps: Steps,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let is_kept = matches!(reason, HoldReason::Quiet | HoldReason::Escalation);
    let expires_at = if is_kept { later(until, waiting.lifetime()) } else { waiting.expires_at };
    let shift = if is_kept { until.duration_since(waiting.counts_from()) } else { SignedDuration::ZERO };
    let left = Some(&waiting.passage).filter(|_| is_kept);
    let left = left.and_then(|passage| quiet::left_to_pass(passage, steps));
    let passage = left.as_ref().map(accept::passage_column).transpose();
    let passage = passage.map_err(|damage| {
        SpoolError::Unavailable(format!("SMS {} cannot be written: {damage}", waiting.sms.id))
    })?;
    connection.prepare_cached(HOLD_ON)?.execute(params![
        waiting.seq,
        row::millis(until),
        row::millis(now),
        reason.as_str(),
        row::millis(expires_at),
        i64::try_from(shift.as_millis()).unwrap_or_default(),
        passage.flatten(),
    ])?;
    Ok(())
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
