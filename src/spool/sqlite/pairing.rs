//! Problem and recovery: what was not sent yet need not be, once it is over.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::SpoolError;
use super::lane::Effects;
use super::moves::{self, End};
use super::passage::Candidate;
use super::{fold, row};
use crate::model::{Cause, EnhancedStatus, FinalState};

/// Most SMS that one recovery ends for each of its keys. What of a storm is beyond is told by its summary.
const MOST_ENDED: usize = 500;

pub(super) const PROBLEMS: &str = "SELECT seq FROM sms WHERE destination = ?1 AND pair_key = ?2 \
     AND state IN ('held', 'folded') AND damaged = 0 AND submission <> ?3 ORDER BY seq LIMIT ?4";

/// Ends what is held or folded for the same phone and waits for this one.
pub(super) fn end_problems(
    connection: &Connection,
    effects: &mut Effects,
    candidate: &Candidate<'_>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let id = candidate.sms.id;
    for key in &candidate.passage.pairing.ends {
        let found: Vec<i64> = {
            let mut statement = connection.prepare_cached(PROBLEMS)?;
            let params = params![
                candidate.sms.destination.as_str(),
                candidate.key(key),
                id.submission.to_string(),
                row::limit(MOST_ENDED)
            ];
            let rows = statement.query_map(params, |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        let cause = Cause::new(EnhancedStatus::SUCCESS, format!("recovered before it was sent, by {id}"));
        for seq in found {
            let Some(mut from) = moves::standing_or_aside(connection, effects, seq)? else { continue };
            let end = End { state: FinalState::Cancelled, cause: &cause, now };
            // What a summary on its way tells of is as good as sent.
            fold::end_waiting(connection, effects, &mut from, &end)?;
        }
    }
    Ok(())
}
