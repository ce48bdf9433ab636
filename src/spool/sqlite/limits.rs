//! Limits: when the last ones passed, by key.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::SpoolError;
use super::passage::Candidate;
use super::row;
use crate::model::{Limit, LimitScope};
use crate::retry::later;
use crate::storm::limit::Passes;

/// Most keys that one that passes clears away; more than it brings, so that they never grow in number for long.
const MOST_FORGOTTEN: u32 = 8;

/// How long a key is kept at least: other rules may look further back.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) const PASSED: &str = "SELECT passed, submission FROM passes WHERE key = ?1";

pub(super) const KEEP: &str = "INSERT INTO passes (key, passed, until, submission) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (key) DO UPDATE SET passed = excluded.passed, until = excluded.until, \
     submission = excluded.submission";

pub(super) const OLD: &str = "SELECT key FROM passes WHERE until <= ?1 ORDER BY until LIMIT ?2";

pub(super) const FORGET: &str = "DELETE FROM passes WHERE key = ?1";

/// When all of `limits` have room; `None` where they have it now.
pub(super) fn free_at(
    connection: &Connection,
    candidate: &Candidate<'_>,
    limits: &[&Limit],
    now: Timestamp,
) -> Result<Option<Timestamp>, SpoolError> {
    let mut free = None;
    for limit in limits {
        let (passes, is_counted) = read(connection, candidate, limit)?;
        if !is_counted {
            free = free.max(passes.free_at(&limit.steps, now));
        }
    }
    Ok(free)
}

/// Counts it in all of `limits`, whether they have room or not.
pub(super) fn charge(
    connection: &Connection,
    candidate: &Candidate<'_>,
    limits: &[&Limit],
    now: Timestamp,
) -> Result<(), SpoolError> {
    for limit in limits {
        let (mut passes, is_counted) = read(connection, candidate, limit)?;
        if is_counted {
            continue;
        }
        passes.add(&limit.steps, now);
        let longest = limit.steps.iter().map(|step| step.within).max().unwrap_or_default().max(KEPT);
        let until = row::millis(later(now, longest));
        let submission = candidate.sms.id.submission.to_string();
        let params = params![candidate.key(&limit.key), passes.write(), until, submission];
        connection.prepare_cached(KEEP)?.execute(params)?;
    }
    if limits.is_empty() { Ok(()) } else { forget_old(connection, now) }
}

/// What passed it, and whether this one is counted already: a source's limit counts a submission once. One that cannot be
/// read has let nothing pass: it is no reason to keep anything back.
fn read(
    connection: &Connection,
    candidate: &Candidate<'_>,
    limit: &Limit,
) -> Result<(Passes, bool), SpoolError> {
    let mut statement = connection.prepare_cached(PASSED)?;
    let found: Option<(String, String)> = statement
        .query_row(params![candidate.key(&limit.key)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((passed, submission)) = found else { return Ok((Passes::default(), false)) };
    let is_counted = match limit.scope {
        LimitScope::Source => submission == candidate.sms.id.submission.to_string(),
        LimitScope::Destination => false,
    };
    Ok((Passes::read(&passed).unwrap_or_default(), is_counted))
}

fn forget_old(connection: &Connection, now: Timestamp) -> Result<(), SpoolError> {
    let mut statement = connection.prepare_cached(OLD)?;
    let old = statement.query_map(params![row::millis(now), MOST_FORGOTTEN], |row| row.get(0))?;
    for key in old.collect::<Result<Vec<String>, _>>()? {
        connection.prepare_cached(FORGET)?.execute(params![key])?;
    }
    Ok(())
}
