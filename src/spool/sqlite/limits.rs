//! Limits: when the last ones passed, by key.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::SpoolError;
use super::error::Damage;
use super::passage::{self, Candidate};
use super::row;
use crate::model::{Limit, LimitScope, Passage};
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

pub(super) const WRITE: &str = "UPDATE passes SET passed = ?2 WHERE key = ?1";

pub(super) const MARK: &str = "UPDATE sms SET passed_at = ?2 WHERE seq = ?1";

/// Those that wait for one phone, the last to have passed first. What was tried keeps its place among the passes until it is
/// tried again.
pub(super) const WAITING: &str = "SELECT seq, passed_at, passage, options FROM sms INDEXED BY sms_passed \
     WHERE destination = ?1 AND state = 'due' AND attempts = 0 AND passed_at > 0 AND damaged = 0 \
     ORDER BY passed_at DESC LIMIT ?2";

pub(super) const ONE: &str =
    "SELECT seq, passed_at, passage, options FROM sms WHERE seq = ?1 AND passed_at > 0";

/// Most SMS of one phone that one look takes out; limits remember fewer.
const MOST_TAKEN_OUT: usize = 2000;

/// An SMS for which the platform had no time for so long passes the limits of its phone again before it goes.
const FRESH: Duration = Duration::from_secs(1);

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
        let times = if limit.scope == LimitScope::Destination { candidate.count } else { 1 };
        (0..times).for_each(|_| passes.add(&limit.steps, now));
        let longest = limit.steps.iter().map(|step| step.within).max().unwrap_or_default().max(KEPT);
        let until = row::millis(later(now, longest));
        let params = params![candidate.key(&limit.key), passes.write(), until, candidate.counts_as()];
        connection.prepare_cached(KEEP)?.execute(params)?;
    }
    if limits.is_empty() { Ok(()) } else { forget_old(connection, now) }
}

/// What passed it, and whether this one is counted already: a source's limit counts a submission once, with
/// the summaries of what of it found no room. One that cannot be
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
        LimitScope::Source => submission == candidate.counts_as(),
        LimitScope::Destination => false,
    };
    Ok((Passes::read(&passed).unwrap_or_default(), is_counted))
}

/// Whether what was counted at `passed_at`, in milliseconds, has to pass again: it has waited, or the clock was put back.
pub(super) fn is_stale(passed_at: i64, now: Timestamp) -> bool {
    u128::from(row::millis(now).abs_diff(passed_at)) >= FRESH.as_millis()
}

/// Notes in row `seq` when it was counted in the limits of its phone.
pub(super) fn mark(connection: &Connection, seq: i64, at: Timestamp) -> Result<(), SpoolError> {
    connection.prepare_cached(MARK)?.execute(params![seq, row::millis(at)])?;
    Ok(())
}

/// An SMS that is counted.
struct Counted {
    passed_at: Timestamp,
    /// In which limits.
    keys: Vec<String>,
}

fn read_counted(row: &Row<'_>) -> Result<Counted, Damage> {
    let passage: Passage =
        serde_json::from_str(&row::column::<String>(row, "passage")?).map_err(|_| Damage("passage"))?;
    let is_simulated = row::options(&row::column::<String>(row, "options")?)?.simulation;
    Ok(Counted {
        passed_at: row::time(row, "passed_at")?,
        keys: passage.phone_limits().iter().map(|limit| passage::scoped(is_simulated, &limit.key)).collect(),
    })
}

/// What waits for the platform counts no more: each of them will pass again before it goes, so that those that have not gone
/// take no room from who is asked first.
pub(super) fn take_out_waiting(connection: &Connection, destination: &str) -> Result<(), SpoolError> {
    let params = params![destination, row::limit(MOST_TAKEN_OUT)];
    take_out(connection, row::read_all(connection, WAITING, params, read_counted)?)
}

/// The SMS in row `seq` has not gone, or is about to go again.
pub(super) fn take_back(connection: &Connection, seq: i64) -> Result<(), SpoolError> {
    take_out(connection, row::read_all(connection, ONE, params![seq], read_counted)?)
}

fn take_out(connection: &Connection, found: row::Found<Counted>) -> Result<(), SpoolError> {
    let mut times: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for (seq, counted) in found {
        // What cannot be read is set aside when its turn comes.
        let Ok(Counted { passed_at, keys }) = counted else {
            continue;
        };
        connection.prepare_cached(MARK)?.execute(params![seq, 0])?;
        for key in keys {
            times.entry(key).or_default().push(passed_at);
        }
    }
    for (key, times) in times {
        let found: Option<String> =
            connection.prepare_cached(PASSED)?.query_row(params![key], |row| row.get(0)).optional()?;
        let Some(mut passes) = found.and_then(|passed| Passes::read(&passed)) else { continue };
        for at in times {
            passes.remove(at);
        }
        connection.prepare_cached(WRITE)?.execute(params![key, passes.write()])?;
    }
    Ok(())
}

fn forget_old(connection: &Connection, now: Timestamp) -> Result<(), SpoolError> {
    let mut statement = connection.prepare_cached(OLD)?;
    let old = statement.query_map(params![row::millis(now), MOST_FORGOTTEN], |row| row.get(0))?;
    for key in old.collect::<Result<Vec<String>, _>>()? {
        connection.prepare_cached(FORGET)?.execute(params![key])?;
    }
    Ok(())
}
