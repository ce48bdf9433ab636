//! Problem and recovery: what was not sent yet need not be, once it is over.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::SpoolError;
use super::lane::Effects;
use super::moves::{self, End};
use super::passage::Candidate;
use super::{fold, row};
use crate::model::{Cause, EnhancedStatus, FinalState};

/// Most SMS that one recovery ends, by all its keys. What of a storm is beyond is told by its summary.
pub(super) const MOST_ENDED: usize = 500;
/// Most rows that one recovery looks at for that: of what is folded some may have gone with their summary.
const MOST_SEEN: usize = 5000;

/// Rows of one state that were accepted before the submission `?3`, the latest first.
macro_rules! problems {
    ($state:literal) => {
        concat!(
            "SELECT seq, fold FROM sms INDEXED BY sms_pair WHERE destination = ?1 AND pair_key = ?2 AND state = '",
            $state,
            "' AND state IN ('held', 'folded') AND damaged = 0 AND seq < coalesce((SELECT min(seq) FROM sms WHERE submission = ?3), \
             9223372036854775807) ORDER BY seq DESC LIMIT ?4"
        )
    };
}
pub(super) const PROBLEMS: [&str; 2] = [problems!("held"), problems!("folded")];

/// Ends what is held or folded for the same phone, waits for this one, and was accepted before it: what came after it
/// is a problem anew, however long this one waited itself.
pub(super) fn end_problems(
    connection: &Connection,
    effects: &mut Effects,
    candidate: &Candidate<'_>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let id = candidate.sms.id;
    let cause = Cause::new(EnhancedStatus::SUCCESS, format!("recovered before it was sent, by {id}"));
    let (mut ended, mut seen) = (0, 0);
    for key in &candidate.passage.pairing.ends {
        for problems in PROBLEMS {
            let found: Vec<(i64, Option<i64>)> = {
                let mut statement = connection.prepare_cached(problems)?;
                let params = params![
                    candidate.sms.destination.as_str(),
                    candidate.key(key),
                    id.submission.to_string(),
                    row::limit(MOST_SEEN - seen)
                ];
                let rows = statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect::<Result<_, _>>()?
            };
            seen += found.len();
            // What a summary on its way tells of is as good as sent.
            let mut is_waiting: HashMap<i64, bool> = HashMap::new();
            for (seq, fold) in found {
                if ended == MOST_ENDED {
                    return Ok(());
                }
                if let Some(fold) = fold {
                    let known = is_waiting.get(&fold).copied();
                    let waits = known.map_or_else(|| fold::waits(connection, fold), Ok)?;
                    is_waiting.insert(fold, waits);
                    if !waits {
                        continue;
                    }
                }
                let Some(mut from) = moves::standing_or_aside(connection, effects, seq)? else { continue };
                let end = End { state: FinalState::Cancelled, cause: &cause, now };
                ended += usize::from(fold::end_waiting(connection, effects, &mut from, &end)?);
            }
        }
    }
    Ok(())
}
