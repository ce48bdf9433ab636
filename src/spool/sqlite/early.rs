//! Callbacks that name an SMS by an id of the platform's before the answer to the call has told it.
//!
//! Such an id may be that of any SMS that a worker has; so what comes meanwhile is kept until the answer is
//! written. Most of it is about no SMS of ours and stays: no more than a bound, and the oldest goes first.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{SpoolError, verdict};
use super::error::Damage;
use super::row;
use crate::model::{About, Callback, PartStatus, Price};

/// Most parts that are kept.
const MOST_KEPT: u32 = 1000;

pub(super) const IS_ANY_CLAIMED: &str =
    "SELECT 1 FROM sms WHERE state = 'claimed' AND damaged = 0 AND since > 0 LIMIT 1";

/// The first final word about a part stays here, too.
pub(super) const KEEP: &str = "INSERT INTO early_callback (id, channel, part, parts, code, description, price, \
     said_at, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id, channel, part) DO UPDATE SET \
     parts = excluded.parts, code = excluded.code, description = excluded.description, \
     price = coalesce(excluded.price, price), said_at = excluded.said_at, at = excluded.at \
     WHERE code NOT IN (3, 6, 8)";

/// Counts through the table, which this bounds.
const FORGET_OLD: &str = "DELETE FROM early_callback WHERE at < (SELECT at FROM early_callback ORDER BY at DESC LIMIT 1 OFFSET ?1)";

pub(super) const KEPT: &str = "SELECT part, id, channel, parts, code, description, price, said_at \
     FROM early_callback WHERE id = ?1 ORDER BY channel, part";

pub(super) const FORGET: &str = "DELETE FROM early_callback WHERE id = ?1";

/// Whether `about`, which is no SMS that is known, may turn out to be one.
pub(super) fn may_be_ours(connection: &Connection, about: &About) -> Result<bool, SpoolError> {
    match about {
        About::Ours(_) => Ok(false),
        About::Theirs(_) => Ok(connection.prepare_cached(IS_ANY_CLAIMED)?.exists([])?),
    }
}

/// Keeps it.
pub(super) fn keep(
    connection: &Connection,
    theirs: &str,
    callback: &Callback,
    now: Timestamp,
) -> Result<(), SpoolError> {
    connection.prepare_cached(KEEP)?.execute(params![
        theirs,
        callback.channel.as_str(),
        callback.part,
        callback.parts.max(callback.part),
        callback.status.code(),
        verdict::words(&callback.description),
        callback.price.map(Price::millionths),
        callback.at.map(row::millis),
        row::millis(now),
    ])?;
    connection.prepare_cached(FORGET_OLD)?.execute(params![MOST_KEPT - 1])?;
    Ok(())
}

/// What was kept of `theirs`, which is kept no longer. What cannot be read back says nothing: the platform will be
/// asked.
pub(super) fn take(connection: &Connection, theirs: &str) -> Result<Vec<Callback>, SpoolError> {
    let found = row::read_all(connection, KEPT, params![theirs], read)?;
    if !found.is_empty() {
        connection.prepare_cached(FORGET)?.execute(params![theirs])?;
    }
    Ok(found.into_iter().filter_map(|(_, callback)| callback.ok()).collect())
}

fn read(row: &Row<'_>) -> Result<Callback, Damage> {
    Ok(Callback {
        about: About::Theirs(row::column(row, "id")?),
        channel: row::parsed(row, "channel")?,
        part: row::column(row, "part")?,
        parts: row::column(row, "parts")?,
        status: PartStatus::of_code(row::column(row, "code")?),
        description: row::column(row, "description")?,
        price: row::column::<Option<i64>>(row, "price")?.map(Price::from_millionths),
        at: row::optional_time(row, "said_at")?,
    })
}
