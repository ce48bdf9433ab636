//! What the operator is to be told by mail: that a limit or a budget bites.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{SpoolError, Word};
use super::error::Damage;
use super::lane::Effects;
use super::{mail, row};
use crate::model::OutgoingMail;

const INSERT: &str = "INSERT INTO notice (at, about, words) VALUES (?1, ?2, ?3)";

pub(super) const FIRST: &str = "SELECT seq, at, about, words FROM notice ORDER BY seq LIMIT ?1";

pub(super) const CLOSE: &str = "DELETE FROM notice WHERE seq = ?1";

/// Keeps word of something for the operator; `about` is one line, and `words` are sentences.
pub(super) fn add(
    connection: &Connection,
    effects: &mut Effects,
    about: &str,
    words: &str,
    now: Timestamp,
) -> Result<(), SpoolError> {
    connection.prepare_cached(INSERT)?.execute(params![row::millis(now), about, words])?;
    effects.notices = true;
    Ok(())
}

/// See [`super::super::Spool::notices`].
pub(super) fn first(connection: &Connection, limit: usize) -> Result<Vec<Word>, SpoolError> {
    let found = row::read_all(connection, FIRST, params![row::limit(limit)], read)?;
    // What is damaged is shown as far as it can be, so that nothing is kept for ever.
    let word = |(seq, word): (i64, Result<Word, Damage>)| {
        word.unwrap_or_else(|damage| Word {
            seq,
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
