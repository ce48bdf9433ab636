//! News that somebody is to be told, and that it was told.
//!
//! `submission.case_at` is the time of the first untold news of a submission, and always right when a
//! transaction ends, but for two things that are put right when the case is looked at: a delay of what has
//! ended meanwhile, and a piece that arrived before the others of its text.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Case, News, Outcome, Siblings, SpoolError, reports};
use super::error::Damage;
use super::lane::Effects;
use super::row::{self, sms_columns};
use super::{mail, queue, timeline};
use crate::model::{Cause, EnhancedStatus, MessageId, Notify, OutgoingMail, Reason, State};
use crate::retry::later;

/// Most SMS that one call finds late; the rest comes with the next.
const MOST_LATE: usize = 500;
/// When a case is looked at again in which all news waits for SMS that have outlived their time.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// `CROSS` keeps the index of the delays outside.
pub(super) const LATE: &str = "SELECT sms.seq, sms.submission, sms.state, sms.notify, sms.delayed_at, sms.next_at, \
     submission.received_at, submission.report_to FROM sms CROSS JOIN submission ON submission.id = sms.submission \
     WHERE sms.delayed_at <= ?1 AND sms.damaged = 0 ORDER BY sms.delayed_at, sms.seq LIMIT ?2";

const LATE_AFTER: &str = "UPDATE sms SET delayed_at = ?2 WHERE seq = ?1";

const OWE_DELAY: &str =
    "UPDATE sms SET delay_report = 'owed', late_at = delayed_at, delayed_at = NULL WHERE seq = ?1";

pub(super) const NOTE_WAIT: &str = "UPDATE sms SET wait_cause = ?2, wait_status = ?3, wait_diagnostic = ?4 \
     WHERE seq = ?1 AND (delayed_at IS NOT NULL OR late_at IS NOT NULL)";

const OWE: &str = "UPDATE submission SET case_at = min(coalesce(case_at, ?2), ?2) WHERE id = ?1";

pub(super) const COMPLETE: &str = "SELECT rowid, case_at FROM submission \
     WHERE pending = 0 AND damaged = 0 AND case_at <= ?1 ORDER BY case_at, rowid LIMIT ?2";

pub(super) const OVERDUE: &str = "SELECT rowid, case_at FROM submission WHERE damaged = 0 AND case_at <= ?1 ORDER BY case_at, rowid LIMIT ?2";

pub(super) const SUBMISSION: &str = "SELECT submission.*, original.content, original.is_full FROM submission \
     LEFT JOIN original ON original.submission = submission.id WHERE submission.rowid = ?1";

macro_rules! outcomes {
    ($owed:literal) => {
        concat!(
            "SELECT ",
            sms_columns!(),
            ", sms.state, sms.ended_at, sms.late_at, sms.expires_at, sms.cause, sms.cause_status, \
             sms.cause_diagnostic, sms.wait_cause, sms.wait_status, sms.wait_diagnostic, sms.escalation, gateway.name AS gateway_name, \
             (SELECT max(began_at) FROM attempt WHERE attempt.sms = sms.seq) AS last_attempt_at \
             FROM sms LEFT JOIN gateway ON gateway.id = sms.gateway WHERE sms.submission = ?1 AND sms.",
            $owed,
            " = 'owed' AND sms.damaged = 0"
        )
    };
}
/// The column stands in the text, so that its own index is used.
pub(super) const ENDED: &str = outcomes!("report");
pub(super) const DELAYED: &str = outcomes!("delay_report");
pub(super) const EXPANDED: &str = outcomes!("expand_report");

/// All SMS of a submission, without their words.
pub(super) const PIECES: &str = "SELECT seq, recipient, destination, escalation, state, cause_status, report, \
     delay_report, expires_at FROM sms WHERE submission = ?1";

/// What has ended is late no more.
pub(super) const FORGET_DELAYS: &str = "UPDATE sms SET delay_report = 'none', late_at = NULL WHERE submission = ?1 \
     AND delay_report = 'owed' AND damaged = 0 AND ended_at IS NOT NULL";

const SET_SUBMISSION_ASIDE: &str = "UPDATE submission SET damaged = 1 WHERE rowid = ?1";

pub(super) const TOLD_END: &str = "UPDATE sms SET report = 'told' WHERE submission = ?1 AND ordinal = ?2 \
     AND report = 'owed' RETURNING seq, state";

pub(super) const TOLD_DELAY: &str = "UPDATE sms SET delay_report = 'told', late_at = NULL WHERE submission = ?1 \
     AND ordinal = ?2 AND delay_report = 'owed' AND ended_at IS NULL RETURNING seq, state";

pub(super) const TOLD_EXPANSION: &str = "UPDATE sms SET expand_report = 'told' WHERE submission = ?1 AND ordinal = ?2 \
     AND expand_report = 'owed' RETURNING seq, state";

/// To be run when news was told, set aside or lapsed. The number stands for no time at all.
pub(super) const NEXT_CASE: &str = "UPDATE submission SET case_at = nullif(min(\
     coalesce((SELECT min(ended_at) FROM sms WHERE sms.submission = submission.id AND sms.report = 'owed' \
       AND sms.damaged = 0), 9223372036854775807), \
     coalesce((SELECT min(late_at) FROM sms WHERE sms.submission = submission.id AND sms.delay_report = 'owed' \
       AND sms.damaged = 0), 9223372036854775807), \
     CASE WHEN EXISTS (SELECT 1 FROM sms WHERE sms.submission = submission.id AND sms.expand_report = 'owed' \
       AND sms.damaged = 0) THEN submission.received_at ELSE 9223372036854775807 END), 9223372036854775807) \
     WHERE id = ?1";

const PUT_OFF: &str = "UPDATE submission SET case_at = ?2 WHERE id = ?1";

/// Notes why the SMS in row `seq` is put off, where its being late will be told. To be called with every step
/// that makes it due again or unknown.
pub(super) fn note_wait(connection: &Connection, seq: i64, cause: &Cause) -> Result<(), SpoolError> {
    let params = params![seq, cause.text, cause.status.to_string(), cause.diagnostic];
    connection.prepare_cached(NOTE_WAIT)?.execute(params)?;
    Ok(())
}

/// See [`super::super::Spool::cases`].
pub(super) fn cases(
    connection: &Connection,
    effects: &mut Effects,
    overdue: Timestamp,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Case>, SpoolError> {
    find_late(connection, effects, now)?;
    let mut found = submissions(connection, COMPLETE, i64::MAX, limit)?;
    found.extend(submissions(connection, OVERDUE, row::millis(overdue), limit)?);
    found.sort_unstable_by_key(|(submission, at)| (*at, *submission));
    found.dedup();
    found.truncate(limit);
    let mut cases = Vec::new();
    for (submission, _) in found {
        cases.extend(case(connection, effects, submission, now)?);
    }
    Ok(cases)
}

/// Rows of `submission` with the time of their first untold news.
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

/// An SMS whose time to be on time is over.
struct Late {
    submission: String,
    state: State,
    /// Who is told, where somebody wants to be.
    told: Option<&'static str>,
    delayed_at: Timestamp,
    /// Until when it is held, while it is.
    next_at: Option<Timestamp>,
    received_at: Timestamp,
}

fn read_late(row: &Row<'_>) -> Result<Late, Damage> {
    let whom = match row::column::<String>(row, "report_to")?.as_str() {
        "sender" => Some("its sender"),
        "operator" => Some("the operator"),
        _ => None,
    };
    Ok(Late {
        submission: row::column(row, "submission")?,
        state: row::state(row)?,
        told: whom.filter(|_| row::notify(row).is_ok_and(Notify::wants_delay)),
        delayed_at: row::time(row, "delayed_at")?,
        next_at: row::optional_time(row, "next_at")?,
        received_at: row::time(row, "received_at")?,
    })
}

/// Turns what became late by `now` into news, up to a bound.
fn find_late(connection: &Connection, effects: &mut Effects, now: Timestamp) -> Result<(), SpoolError> {
    let found = row::read_all(connection, LATE, params![row::millis(now), row::limit(MOST_LATE)], read_late)?;
    // Perhaps there are more.
    effects.cases |= found.len() == MOST_LATE;
    for (seq, late) in found {
        match late {
            Ok(late) => note_late(connection, seq, &late, now)?,
            Err(damage) => queue::set_aside(connection, effects, seq, damage)?,
        }
    }
    Ok(())
}

fn note_late(connection: &Connection, seq: i64, late: &Late, now: Timestamp) -> Result<(), SpoolError> {
    let late_after = |at: Option<Timestamp>| {
        connection.prepare_cached(LATE_AFTER)?.execute(params![seq, at.map(row::millis)])
    };
    match (late.state, late.told) {
        // It waits because somebody wants it to: it has as long once it may go.
        (State::Held, Some(_)) => {
            let patience = Duration::try_from(late.delayed_at.duration_since(late.received_at));
            let patience = patience.unwrap_or_default().max(Duration::from_secs(1));
            late_after(Some(later(late.next_at.unwrap_or(now).max(now), patience)))?;
        }
        (State::Folded | State::Due | State::Claimed | State::Unknown | State::Sent, Some(whom)) => {
            connection.prepare_cached(OWE_DELAY)?.execute(params![seq])?;
            connection
                .prepare_cached(OWE)?
                .execute(params![late.submission, row::millis(late.delayed_at)])?;
            timeline::event(connection, seq, now, late.state.as_str(), &format!("late: {whom} is told"))?;
        }
        (State::Final(_), _) | (_, None) => {
            late_after(None)?;
        }
    }
    Ok(())
}

/// The case of the submission in row `submission`; `None` when there is nothing to tell of it now.
fn case(
    connection: &Connection,
    effects: &mut Effects,
    submission: i64,
    now: Timestamp,
) -> Result<Option<Case>, SpoolError> {
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
    let mut is_changed = connection.prepare_cached(FORGET_DELAYS)?.execute(params![id])? > 0;
    let mut outcomes = Vec::new();
    let kinds: [(&str, ReadOutcome); 3] =
        [(ENDED, read_ended), (DELAYED, read_delayed), (EXPANDED, read_expanded)];
    for (sql, read) in kinds {
        for (seq, outcome) in row::read_all(connection, sql, params![id], read)? {
            match outcome {
                Ok(outcome) => outcomes.push((seq, outcome)),
                Err(damage) => {
                    queue::set_aside(connection, effects, seq, damage)?;
                    is_changed = true;
                }
            }
        }
    }
    let pieces = if outcomes.is_empty() { Pieces::default() } else { Pieces::of(connection, &id)? };
    let mut waits_until = None;
    for (seq, mut outcome) in outcomes {
        let (siblings, until) = pieces.beside(seq);
        if outcome.news == News::Ended && reports::waits_for_siblings(outcome.cause.status, siblings) {
            waits_until = waits_until.max(until);
            continue;
        }
        outcome.siblings = siblings;
        if outcome.news == News::Expanded {
            outcome.at = case.received_at;
        }
        case.outcomes.push(outcome);
    }
    case.outcomes.sort_by_key(|outcome| (outcome.sms.id.ordinal, outcome.news));
    match (case.outcomes.is_empty(), waits_until) {
        (true, Some(until)) => {
            let at = until.max(later(now, PATIENCE));
            connection.prepare_cached(PUT_OFF)?.execute(params![id, row::millis(at)])?;
        }
        (is_empty, _) if is_empty || is_changed => {
            connection.prepare_cached(NEXT_CASE)?.execute(params![id])?;
        }
        _ => {}
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

type ReadOutcome = fn(&Row<'_>) -> Result<Outcome, Damage>;

fn read_ended(row: &Row<'_>) -> Result<Outcome, Damage> {
    let state = match row::state(row)? {
        State::Final(state) => state,
        State::Held | State::Folded | State::Due | State::Claimed | State::Unknown | State::Sent => {
            return Err(Damage("state"));
        }
    };
    read_outcome(row, News::Ended, State::Final(state), row::cause(row)?, row::time(row, "ended_at")?)
}

fn read_delayed(row: &Row<'_>) -> Result<Outcome, Damage> {
    let state = row::state(row)?;
    read_outcome(row, News::Delayed, state, delay_cause(row, state)?, row::time(row, "late_at")?)
}

/// At the time of its submission, which is not here.
fn read_expanded(row: &Row<'_>) -> Result<Outcome, Damage> {
    read_outcome(row, News::Expanded, row::state(row)?, Reason::Expanded.cause(), Timestamp::MIN)
}

/// Without its siblings.
fn read_outcome(
    row: &Row<'_>,
    news: News,
    state: State,
    cause: Cause,
    at: Timestamp,
) -> Result<Outcome, Damage> {
    Ok(Outcome {
        news,
        sms: row::sms(row)?,
        recipient: row::recipient(row)?,
        state,
        cause,
        at,
        gateway: row::column::<Option<String>>(row, "gateway_name")?.filter(|name| !name.is_empty()),
        last_attempt_at: row::optional_time(row, "last_attempt_at")?,
        expires_at: row::time(row, "expires_at")?,
        is_escalation: row::column(row, "escalation")?,
        siblings: Siblings::default(),
    })
}

/// Why an SMS is late, with a status of class 4 (RFC 3463 section 3): why it was last put off, or what made it
/// unknown, where it was; and otherwise what its state says.
fn delay_cause(row: &Row<'_>, state: State) -> Result<Cause, Damage> {
    let put_off = row::column::<Option<String>>(row, "wait_status")?;
    match (state, put_off.as_deref().and_then(EnhancedStatus::parse)) {
        (State::Sent, _) => Ok(Reason::NoStatusYet.cause()),
        (_, Some(status)) => Ok(Cause {
            text: row::column(row, "wait_cause")?,
            status: EnhancedStatus { class: 4, ..status },
            diagnostic: row::column(row, "wait_diagnostic")?,
        }),
        // Written by a version that did not note why.
        (State::Unknown, None) => Ok(Reason::AnswerLost.cause()),
        (State::Held | State::Folded | State::Due | State::Claimed | State::Final(_), None) => {
            Ok(Reason::Waiting.cause())
        }
    }
}

/// The SMS of a submission by whom and where they are for: pieces of one text stand together.
#[derive(Default)]
struct Pieces {
    /// Its text, and what it is by itself.
    pieces: HashMap<i64, (usize, Piece)>,
    texts: Vec<Vec<i64>>,
}

#[derive(Clone, Copy)]
struct Piece {
    /// When it ends at the latest; `None` where it has.
    unfinished: Option<Timestamp>,
    has_failed: bool,
    is_told: bool,
    is_delay_told: bool,
}

impl Pieces {
    fn of(connection: &Connection, submission: &str) -> Result<Self, SpoolError> {
        let mut pieces = Self::default();
        let mut texts: HashMap<(String, String, bool), usize> = HashMap::new();
        for (seq, found) in row::read_all(connection, PIECES, params![submission], read_piece)? {
            // Of a row that does not say whom it is for, nothing can be said of the others.
            let Ok((of, piece)) = found else { continue };
            let text = *texts.entry(of).or_insert_with(|| {
                pieces.texts.push(Vec::new());
                pieces.texts.len() - 1
            });
            pieces.texts[text].push(seq);
            pieces.pieces.insert(seq, (text, piece));
        }
        Ok(pieces)
    }

    /// What is known of the other pieces of a text, and when the last of them ends at the latest.
    fn beside(&self, seq: i64) -> (Siblings, Option<Timestamp>) {
        let mut siblings = Siblings::default();
        let mut until = None;
        let text = self.pieces.get(&seq).map_or(&[][..], |(text, _)| &self.texts[*text]);
        let others = text.iter().filter(|other| **other != seq);
        for (_, piece) in others.filter_map(|other| self.pieces.get(other)) {
            siblings.unfinished += u32::from(piece.unfinished.is_some());
            siblings.failed += u32::from(piece.has_failed);
            siblings.failure_told += u32::from(piece.has_failed && piece.is_told);
            siblings.delay_told |= piece.is_delay_told;
            until = until.max(piece.unfinished);
        }
        (siblings, until)
    }
}

/// Whom a row of `sms` is for, by what, and how it is. What cannot be read of the rest counts as not there:
/// the row itself is set aside when its turn comes.
fn read_piece(row: &Row<'_>) -> Result<((String, String, bool), Piece), Damage> {
    let of =
        (row::column(row, "recipient")?, row::column(row, "destination")?, row::column(row, "escalation")?);
    let is_told = |name| row::column::<String>(row, name).is_ok_and(|word| word == "told");
    let state = row::state(row);
    let is_final = matches!(state, Ok(State::Final(_)));
    let expires_at = row::time(row, "expires_at").unwrap_or(Timestamp::MIN);
    let status = row::column::<String>(row, "cause_status").ok();
    let piece = Piece {
        unfinished: (!is_final).then_some(expires_at),
        has_failed: match (state, status.as_deref().and_then(EnhancedStatus::parse)) {
            (Ok(State::Final(state)), Some(status)) => reports::is_failure(state, status),
            (Ok(State::Final(state)), None) => state.is_failure(),
            (Ok(_) | Err(_), _) => false,
        },
        is_told: is_told("report"),
        is_delay_told: is_told("delay_report"),
    };
    Ok((of, piece))
}

/// See [`super::super::Spool::close_case`].
pub(super) fn close_case(
    connection: &Connection,
    effects: &mut Effects,
    news: &[(MessageId, News)],
    filed: Option<&OutgoingMail>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    for (id, news) in news {
        let (told, what) = match news {
            News::Ended => (TOLD_END, ""),
            News::Delayed => (TOLD_DELAY, "delay "),
            News::Expanded => (TOLD_EXPANSION, "expansion "),
        };
        let (seq, state): (i64, String) = connection
            .prepare_cached(told)?
            .query_row(params![id.submission.to_string(), id.ordinal], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .ok_or(SpoolError::Stale(*id))?;
        let note = match filed {
            Some(mail) => format!("{what}report filed as {}", mail.id),
            None => format!("{what}closed without a report"),
        };
        timeline::event(connection, seq, now, &state, &note)?;
    }
    let mut submissions: Vec<_> = news.iter().map(|(id, _)| id.submission).collect();
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
