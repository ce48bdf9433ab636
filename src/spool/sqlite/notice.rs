//! What the operator is to be told by mail: that a limit or a budget bites.

use jiff::Timestamp;
use rusqlite::{Connection, Params, Row, params};

use super::super::{SpoolError, Topic, Word};
use super::error::Damage;
use super::lane::Effects;
use super::{mail, row};
use crate::model::OutgoingMail;

const INSERT: &str = "INSERT INTO notice (rank, at, about, words) VALUES (?1, ?2, ?3, ?4)";

pub(super) const FIRST: &str = "SELECT seq, rank, at, about, words FROM notice ORDER BY rank, seq LIMIT ?1";

pub(super) const AFTER: &str =
    "SELECT seq, rank, at, about, words FROM notice WHERE seq > ?1 ORDER BY seq LIMIT ?2";

pub(super) const CLOSE: &str = "DELETE FROM notice WHERE seq = ?1";

/// Keeps word of something for the operator; `about` is one line, and `words` are sentences.
pub(super) fn add(
    connection: &Connection,
    effects: &mut Effects,
    topic: Topic,
    (about, words): (&str, &str),
    now: Timestamp,
) -> Result<(), SpoolError> {
    connection.prepare_cached(INSERT)?.execute(params![rank(topic), row::millis(now), about, words])?;
    effects.notices = true;
    Ok(())
}

fn rank(topic: Topic) -> i64 {
    match topic {
        Topic::Budget => 0,
        Topic::Limit => 1,
    }
}

/// See [`super::super::Spool::notices`].
pub(super) fn first(connection: &Connection, limit: usize) -> Result<Vec<Word>, SpoolError> {
    words(connection, FIRST, params![row::limit(limit)])
}

/// See [`super::super::Spool::notices_after`].
pub(super) fn after(
    connection: &Connection,
    seq: Option<i64>,
    limit: usize,
) -> Result<Vec<Word>, SpoolError> {
    words(connection, AFTER, params![seq.unwrap_or(i64::MIN), row::limit(limit)])
}

fn words(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<Word>, SpoolError> {
    let found = row::read_all(connection, sql, params, read)?;
    // What is damaged is shown as far as it can be, so that nothing is kept for ever.
    let word = |(seq, word): (i64, Result<Word, Damage>)| {
        word.unwrap_or_else(|damage| Word {
            seq,
            topic: Topic::Budget,
            at: Timestamp::UNIX_EPOCH,
            about: "a notice that is damaged".to_owned(),
            words: format!("A notice in row {seq} of the spool's table notice is damaged: {damage}."),
        })
    };
    Ok(found.into_iter().map(word).collect())
}

fn read(row: &Row<'_>) -> Result<Word, Damage> {
    Ok(Word {
        seq: row::column(row, "seq")?,
        topic: if row::column::<i64>(row, "rank")? == rank(Topic::Budget) {
            Topic::Budget
        } else {
            Topic::Limit
        },
        at: row::time(row, "at")?,
        about: row::column(row, "about")?,
        words: row::column(row, "words")?,
    })
}

/// See [`super::super::Spool::close_notices`].
pub(super) fn close(
    connection: &Connection,
    effects: &mut Effects,
    told: &[i64],
    filed: Option<&OutgoingMail>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    for seq in told {
        if connection.prepare_cached(CLOSE)?.execute(params![seq])? == 0 {
            return Err(SpoolError::Told(*seq));
        }
    }
    match filed {
        Some(mail) if !told.is_empty() => mail::insert(connection, effects, mail, now),
        Some(_) | None => Ok(()),
    }
}
