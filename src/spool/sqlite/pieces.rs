//! Several SMS that are one text: they pass together, and a summary tells of them as of one.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::SpoolError;
use super::fold::Share;
use super::lane::Effects;
use super::moves::Standing;
use super::passage::{self, Waiting};
use super::row;
use crate::model::{Charge, MessageId, Passage, Pieces, Sms};

/// Those that wait for the same time as one of them.
pub(super) const WAITING: &str = "SELECT seq FROM sms WHERE submission = ?1 AND ordinal BETWEEN ?2 AND ?3 \
     AND state = 'held' AND damaged = 0 AND hold_reason <> 'summary' AND next_at = ?4 AND seq <> ?5 ORDER BY ordinal";

/// Those of a text that were let go and not tried.
pub(super) const DUE: &str = "SELECT seq FROM sms WHERE submission = ?1 AND ordinal BETWEEN ?2 AND ?3 \
     AND state = 'due' AND damaged = 0 AND attempts = 0 AND seq <> ?4 ORDER BY ordinal";

pub(super) const OF: &str = "SELECT passage, body FROM sms WHERE seq = ?1";

/// The first that was folded there, whose words are told.
pub(super) const LED: &str = "SELECT ordinal, body FROM sms WHERE submission = ?1 AND ordinal BETWEEN ?2 AND ?3 \
     AND fold = ?4 ORDER BY ordinal LIMIT 1";

pub(super) const LEFT: &str = "SELECT 1 FROM sms WHERE submission = ?1 AND ordinal BETWEEN ?2 AND ?3 \
     AND fold = ?4 AND state = 'folded' AND seq <> ?5 LIMIT 1";

/// The words of the piece `ordinal` without what says which one it is, such as `1/3 `.
fn unmarked(pieces: Pieces, ordinal: u32, body: &str) -> &str {
    let number = ordinal.saturating_sub(pieces.first).saturating_add(1);
    body.strip_prefix(&format!("{number}/{} ", pieces.count)).unwrap_or(body)
}

/// What a summary tells of an SMS: its words, or those that its whole text begins with.
pub(super) fn words<'a>(sms: &'a Sms, passage: &Passage) -> &'a str {
    match passage.pieces {
        Some(pieces) => unmarked(pieces, sms.id.ordinal, &sms.text.body),
        None => &sms.text.body,
    }
}

/// What several take of budgets together.
pub(super) fn together<'a>(all: impl Iterator<Item = &'a Passage>) -> Vec<Charge> {
    let mut together: Vec<Charge> = Vec::new();
    for charge in all.flat_map(|passage| &passage.budgets) {
        match together.iter_mut().find(|one| one.key == charge.key) {
            Some(one) => one.amount = one.amount.saturating_add(charge.amount),
            None => together.push(charge.clone()),
        }
    }
    together
}

/// The other pieces of the held SMS in row `seq`, where it is one, that wait as it does.
pub(super) fn others(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    waiting: &Waiting,
) -> Result<Vec<Waiting>, SpoolError> {
    let Some(pieces) = waiting.passage.pieces else { return Ok(Vec::new()) };
    let MessageId { submission, .. } = waiting.sms.id;
    let found: Vec<i64> = {
        let mut statement = connection.prepare_cached(WAITING)?;
        let until = waiting.until.map(row::millis);
        let params = params![submission.to_string(), pieces.first, pieces.last(), until, seq];
        let rows = statement.query_map(params, |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    read(connection, effects, pieces, &found)
}

/// The other pieces of the due SMS in row `seq`, where it is one, that were let go with it and not tried.
pub(super) fn others_due(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    waiting: &Waiting,
) -> Result<Vec<Waiting>, SpoolError> {
    let Some(pieces) = waiting.passage.pieces else { return Ok(Vec::new()) };
    let found: Vec<i64> = {
        let mut statement = connection.prepare_cached(DUE)?;
        let submission = waiting.sms.id.submission.to_string();
        let rows =
            statement.query_map(params![submission, pieces.first, pieces.last(), seq], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    read(connection, effects, pieces, &found)
}

fn read(
    connection: &Connection,
    effects: &mut Effects,
    pieces: Pieces,
    found: &[i64],
) -> Result<Vec<Waiting>, SpoolError> {
    let mut others = Vec::with_capacity(found.len());
    for seq in found {
        let other = passage::waiting_or_aside(connection, effects, *seq)?;
        others.extend(other.filter(|other| other.passage.pieces == Some(pieces)));
    }
    Ok(others)
}

/// Whether it is a piece of a text of which the first has gone.
pub(super) fn is_begun(sms: &Sms, passage: &Passage) -> bool {
    passage.pieces.is_some_and(|pieces| sms.id.ordinal > pieces.first)
}

/// What `fold` tells no more once the SMS `from`, which was folded there, has ended: nothing where other pieces of its text
/// are still there.
pub(super) fn share(
    connection: &Connection,
    from: &Standing,
    fold: i64,
) -> Result<(i64, Vec<Share>), SpoolError> {
    let (passage, body): (Option<String>, String) =
        connection.prepare_cached(OF)?.query_row(params![from.seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let passage = passage.and_then(|written| serde_json::from_str::<Passage>(&written).ok());
    let Some(pieces) = passage.and_then(|passage| passage.pieces) else {
        return Ok((1, vec![Share { words: body, count: 1 }]));
    };
    let range = params![from.submission, pieces.first, pieces.last(), fold, from.seq];
    if connection.prepare_cached(LEFT)?.exists(range)? {
        return Ok((0, Vec::new()));
    }
    let range = params![from.submission, pieces.first, pieces.last(), fold];
    let led: Option<(u32, String)> =
        connection.prepare_cached(LED)?.query_row(range, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (ordinal, body) = led.unwrap_or((from.ordinal, body));
    Ok((1, vec![Share { words: unmarked(pieces, ordinal, &body).to_owned(), count: 1 }]))
}
