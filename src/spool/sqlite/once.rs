//! Takes a submission whose request may come again.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Accepted, Before, KEY_LIFETIME, RequestKey, SpoolError};
use super::lane::Effects;
use super::{accept, row};
use crate::model::Submission;

/// Most keys that one submission clears away; more than it brings, so that they never grow in number for long.
const MOST_FORGOTTEN: u32 = 64;

pub(super) const IS_OTHER: &str =
    "SELECT 1 FROM request_key WHERE account = ?1 AND key = ?2 AND digest <> ?3 AND at > ?4 LIMIT 1";

pub(super) const ANSWER: &str =
    "SELECT answer FROM request_key WHERE account = ?1 AND key = ?2 AND item = ?3 AND at > ?4";

/// One whose time is over may still be there.
pub(super) const KEEP: &str = "INSERT OR REPLACE INTO request_key (account, key, item, digest, answer, at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) const OLD: &str = "SELECT account, key, item FROM request_key WHERE at <= ?1 ORDER BY at LIMIT ?2";

pub(super) const FORGET: &str = "DELETE FROM request_key WHERE account = ?1 AND key = ?2 AND item = ?3";

/// See [`super::super::Spool::accept_once`].
pub(super) fn accept(
    connection: &Connection,
    effects: &mut Effects,
    submission: &Submission,
    key: &RequestKey,
    answer: &str,
) -> Result<Accepted, SpoolError> {
    let now = submission.received_at;
    if let Some(before) = before(connection, key, now)? {
        return Ok(Accepted::Before(before));
    }
    forget_old(connection, now)?;
    connection.prepare_cached(KEEP)?.execute(params![
        key.account,
        key.key,
        key.item,
        key.digest,
        answer,
        row::millis(now)
    ])?;
    accept::accept(connection, effects, submission).map(Accepted::New)
}

/// See [`super::super::Spool::accepted_before`].
pub(super) fn before(
    connection: &Connection,
    key: &RequestKey,
    now: Timestamp,
) -> Result<Option<Before>, SpoolError> {
    let over = over(now);
    let other = params![key.account, key.key, key.digest, over];
    if connection.prepare_cached(IS_OTHER)?.exists(other)? {
        return Ok(Some(Before::Other));
    }
    let same = params![key.account, key.key, key.item, over];
    let answer = connection.prepare_cached(ANSWER)?.query_row(same, |row| row.get(0)).optional()?;
    Ok(answer.map(Before::Same))
}

fn forget_old(connection: &Connection, now: Timestamp) -> Result<(), SpoolError> {
    let mut statement = connection.prepare_cached(OLD)?;
    let old = statement.query_map(params![over(now), MOST_FORGOTTEN], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    })?;
    for key in old.collect::<Result<Vec<_>, _>>()? {
        connection.prepare_cached(FORGET)?.execute(params![key.0, key.1, key.2])?;
    }
    Ok(())
}

/// What was kept then or before is over.
fn over(now: Timestamp) -> i64 {
    let lifetime = i64::try_from(KEY_LIFETIME.as_millis()).unwrap_or(i64::MAX);
    row::millis(now).saturating_sub(lifetime)
}
