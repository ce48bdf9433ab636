//! Who is to be heard of, and when they were.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{Expected, Heard, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::{note, row};
use crate::model::Remembered;

/// Whoever is not expected has no row. A clock that was put back counts as well as one that goes on.
pub(super) const HEAR: &str = "UPDATE heard SET at = ?2, away = 0 \
     WHERE who = ?1 AND (at IS NULL OR abs(?2 - at) >= grain)";

pub(super) const NAMES: &str = "SELECT who FROM heard";

pub(super) const FORGET: &str = "DELETE FROM heard WHERE who = ?1";

/// What the clock has not come to yet was now, and nobody was away for longer than has passed since.
pub(super) const EXPECT: &str = "INSERT INTO heard (who, since, grain) VALUES (?1, ?2, ?3) \
     ON CONFLICT (who) DO UPDATE SET grain = excluded.grain, since = min(since, excluded.since), \
     at = min(at, excluded.since), \
     away = min(away + ?4, max(excluded.since - coalesce(at, since), 0))";

pub(super) const ALL: &str = "SELECT who, since, at, away FROM heard";

/// Writes what is remembered with a submission.
pub(super) fn remember(
    connection: &Connection,
    effects: &mut Effects,
    remembered: &Remembered,
    at: Timestamp,
) -> Result<(), SpoolError> {
    let Remembered { heard, notes } = remembered;
    for source in heard {
        let written = connection.prepare_cached(HEAR)?.execute(params![source.key(), row::millis(at)])?;
        effects.heard |= written > 0;
    }
    for (key, value) in notes {
        note::set(connection, key, value)?;
    }
    Ok(())
}

/// See [`super::super::Spool::expect`].
pub(super) fn expect(
    connection: &Connection,
    expected: &[Expected],
    away: Duration,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let wanted: BTreeSet<String> = expected.iter().map(|one| one.source.key()).collect();
    let known: Vec<String> =
        connection.prepare_cached(NAMES)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for gone in known.iter().filter(|key| !wanted.contains(*key)) {
        connection.prepare_cached(FORGET)?.execute([gone])?;
    }
    for one in expected {
        connection.prepare_cached(EXPECT)?.execute(params![
            one.source.key(),
            row::millis(now),
            millis(one.grain),
            millis(away)
        ])?;
    }
    Ok(())
}

/// See [`super::super::Spool::heard`]. What cannot be read is left out.
pub(super) fn heard(connection: &Connection) -> Result<Vec<Heard>, SpoolError> {
    let mut statement = connection.prepare_cached(ALL)?;
    let rows = statement.query_map([], |row| Ok(read(row).ok()))?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn read(row: &Row<'_>) -> Result<Heard, Damage> {
    let at: Option<i64> = row::column(row, "at")?;
    let at = at.map(Timestamp::from_millisecond).transpose().map_err(|_| Damage("at"))?;
    let away: i64 = row::column(row, "away")?;
    Ok(Heard {
        source: row::parsed(row, "who")?,
        since: row::time(row, "since")?,
        at,
        away: Duration::from_millis(u64::try_from(away).unwrap_or_default()),
    })
}
