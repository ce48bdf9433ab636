//! SMS that the platform is asked about.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{Asked, Question, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::{queue, row};

macro_rules! questions {
    ($state:literal) => {
        concat!(
            "SELECT seq, submission, ordinal, attempts, asked, since, expires_at FROM sms WHERE state = '",
            $state,
            "' AND damaged = 0 AND next_at <= ?1 ORDER BY next_at, seq LIMIT ?2"
        )
    };
}
/// The state stands in the text, so that the state's own index is used.
pub(super) const UNKNOWN: &str = questions!("unknown");
pub(super) const SENT: &str = questions!("sent");

const ASK: &str = "UPDATE sms SET next_at = ?2, asked = asked + 1 WHERE seq = ?1";

/// See [`super::super::Spool::questions`].
pub(super) fn questions(
    connection: &Connection,
    effects: &mut Effects,
    state: Asked,
    now: Timestamp,
    again_at: Timestamp,
    limit: usize,
) -> Result<Vec<Question>, SpoolError> {
    let sql = match state {
        Asked::Unknown => UNKNOWN,
        Asked::Sent => SENT,
    };
    let params = params![row::millis(now), row::limit(limit)];
    let found = row::read_all(connection, sql, params, read_question)?;
    let mut questions = Vec::new();
    for (seq, question) in found {
        match question {
            Ok(question) => {
                connection.prepare_cached(ASK)?.execute(params![seq, row::millis(again_at)])?;
                questions.push(question);
            }
            Err(damage) => queue::set_aside(connection, effects, seq, damage)?,
        }
    }
    Ok(questions)
}

fn read_question(row: &Row<'_>) -> Result<Question, Damage> {
    Ok(Question {
        id: row::message_id(row)?,
        attempt: row::column(row, "attempts")?,
        asked: row::column(row, "asked")?,
        since: row::time(row, "since")?,
        expires_at: row::time(row, "expires_at")?,
    })
}
