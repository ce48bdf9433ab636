//! What parts of the program remember from one start to the next.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::SpoolError;

pub(super) const GET: &str = "SELECT value FROM note WHERE key = ?1";

pub(super) const SET: &str = "INSERT INTO note (key, value) VALUES (?1, ?2) \
     ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/// See [`super::super::Spool::note`].
pub(super) fn get(connection: &Connection, key: &str) -> Result<Option<String>, SpoolError> {
    Ok(connection.prepare_cached(GET)?.query_row([key], |row| row.get(0)).optional()?)
}

/// See [`super::super::Spool::set_note`].
pub(super) fn set(connection: &Connection, key: &str, value: &str) -> Result<(), SpoolError> {
    connection.prepare_cached(SET)?.execute(params![key, value])?;
    Ok(())
}
