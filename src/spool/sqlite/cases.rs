//! Outcomes that somebody is to be told, and that they were told.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Case, Outcome, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::row::{self, sms_columns};
use super::{mail, queue, timeline};
use crate::model::{FinalState, MessageId, OutgoingMail, State};

pub(super) const COMPLETE: &str = "SELECT rowid, case_at FROM submission \
     WHERE pending = 0 AND damaged = 0 AND case_at <= ?1 ORDER BY case_at, rowid LIMIT ?2";

pub(super) const OVERDUE: &str = "SELECT rowid, case_at FROM submission WHERE damaged = 0 AND case_at <= ?1 ORDER BY case_at, rowid LIMIT ?2";

pub(super) const SUBMISSION: &str = "SELECT submission.*, original.content, original.is_full FROM submission \
     LEFT JOIN original ON original.submission = submission.id WHERE submission.rowid = ?1";

pub(super) const OUTCOMES: &str = concat!(
    "SELECT ",
    sms_columns!(),
    ", sms.state, sms.ended_at, sms.cause, sms.cause_status, sms.cause_diagnostic, \
     (SELECT max(began_at) FROM attempt WHERE attempt.sms = sms.seq) AS last_attempt_at FROM sms \
     WHERE sms.submission = ?1 AND sms.report = 'owed' AND sms.damaged = 0 ORDER BY sms.ordinal"
);

const SET_SUBMISSION_ASIDE: &str = "UPDATE submission SET damaged = 1 WHERE rowid = ?1";

pub(super) const TOLD: &str = "UPDATE sms SET report = 'told' WHERE submission = ?1 AND ordinal = ?2 \
     AND report = 'owed' RETURNING seq, state";

/// To be run when outcomes were told or set aside.
pub(super) const NEXT_CASE: &str = "UPDATE submission SET case_at = (SELECT min(ended_at) FROM sms \
     WHERE sms.submission = submission.id AND sms.report = 'owed' AND sms.damaged = 0) WHERE id = ?1";

/// See [`super::super::Spool::cases`].
pub(super) fn cases(
    connection: &Connection,
    effects: &mut Effects,
    overdue: Timestamp,
    limit: usize,
) -> Result<Vec<Case>, SpoolError> {
    let mut found = submissions(connection, COMPLETE, i64::MAX, limit)?;
    found.extend(submissions(connection, OVERDUE, row::millis(overdue), limit)?);
    found.sort_unstable_by_key(|(submission, at)| (*at, *submission));
    found.dedup();
    found.truncate(limit);
    let mut cases = Vec::new();
    for (submission, _) in found {
        cases.extend(case(connection, effects, submission)?);
    }
    Ok(cases)
}

/// Rows of `submission` with the time of their first untold outcome.
fn submissions(
    connection: &Connection,
    sql: &str,
    until: i64,
    limit: usize,
) -> Result<Vec<(i64, i64)>, SpoolError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![until, row::limit(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The case of the submission in row `submission`; `None` when nothing of it can be read back.
fn case(connection: &Connection, effects: &mut Effects, submission: i64) -> Result<Option<Case>, SpoolError> {
    let read =
        connection.prepare_cached(SUBMISSION)?.query_row(params![submission], |row| Ok(read_case(row)))?;
    let mut case = match read {
        Ok(case) => case,
        Err(damage) => {
            connection.prepare_cached(SET_SUBMISSION_ASIDE)?.execute(params![submission])?;
            effects
                .damaged
                .push(format!("submission in row {submission} of table submission is damaged: {damage}"));
            return Ok(None);
        }
    };
    let id = case.submission.to_string();
    let found = row::read_all(connection, OUTCOMES, params![id], read_outcome)?;
    let found_count = found.len();
    for (seq, outcome) in found {
        match outcome {
            Ok(outcome) => case.outcomes.push(outcome),
            Err(damage) => queue::set_aside(connection, effects, seq, damage)?,
        }
    }
    if case.outcomes.is_empty() || case.outcomes.len() < found_count {
        connection.prepare_cached(NEXT_CASE)?.execute(params![id])?;
    }
    Ok((!case.outcomes.is_empty()).then_some(case))
}

/// Without its outcomes.
fn read_case(row: &Row<'_>) -> Result<Case, Damage> {
    Ok(Case {
        submission: row::submission_id(row, "id")?,
        received_at: row::time(row, "received_at")?,
        client: row::client(row)?,
        report_to: row::report_to(row)?,
        original: row::original(row)?,
        outcomes: Vec::new(),
    })
}

fn read_outcome(row: &Row<'_>) -> Result<Outcome, Damage> {
    Ok(Outcome {
        sms: row::sms(row)?,
        recipient: row::recipient(row)?,
        state: final_state(row)?,
        cause: row::cause(row)?,
        ended_at: row::time(row, "ended_at")?,
        last_attempt_at: row::optional_time(row, "last_attempt_at")?,
    })
}

fn final_state(row: &Row<'_>) -> Result<FinalState, Damage> {
    match row::state(row)? {
        State::Final(state) => Ok(state),
        State::Due | State::Claimed | State::Unknown | State::Sent => Err(Damage("state")),
    }
}

/// See [`super::super::Spool::close_case`].
pub(super) fn close_case(
    connection: &Connection,
    effects: &mut Effects,
    messages: &[MessageId],
    filed: Option<&OutgoingMail>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let note = match filed {
        Some(mail) => format!("report filed as {}", mail.id),
        None => "closed without a report".to_owned(),
    };
    for id in messages {
        let (seq, state): (i64, String) = connection
            .prepare_cached(TOLD)?
            .query_row(params![id.submission.to_string(), id.ordinal], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .ok_or(SpoolError::Stale(*id))?;
        timeline::event(connection, seq, now, &state, &note)?;
    }
    let mut submissions: Vec<_> = messages.iter().map(|id| id.submission).collect();
    submissions.sort_unstable();
    submissions.dedup();
    for submission in &submissions {
        connection.prepare_cached(NEXT_CASE)?.execute(params![submission.to_string()])?;
    }
    match filed {
        Some(mail) if !submissions.is_empty() => mail::insert(connection, effects, mail, now),
        Some(_) | None => Ok(()),
    }
}
