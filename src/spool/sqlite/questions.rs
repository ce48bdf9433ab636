//! SMS that the platform is asked about.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{Asked, Question, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::route::{self, route_columns};
use super::{orders, queue, row};
use crate::retry::later;

macro_rules! questions {
    ($state:literal) => {
        concat!(
            "SELECT seq, submission, ordinal, attempts, asked, min(since, ?1) AS since, expires_at, on_unknown, \
             options, ",
            route_columns!(),
            " FROM sms WHERE state = '",
            $state,
            "' AND damaged = 0 AND gateway = ?3 AND next_at <= ?1 ORDER BY next_at, seq LIMIT ?2"
        )
    };
}
/// The state stands in the text, so that the state's own index is used.
pub(super) const UNKNOWN: &str = questions!("unknown");
pub(super) const SENT: &str = questions!("sent");

/// Nothing can have come into its state later than now, unless the clock was put back since.
const ASK: &str = "UPDATE sms SET next_at = ?2, asked = asked + ?4, since = min(since, ?3) WHERE seq = ?1";

macro_rules! next {
    ($state:literal) => {
        concat!(
            "SELECT min(next_at) FROM sms WHERE state = '",
            $state,
            "' AND damaged = 0 AND gateway = (SELECT id FROM gateway WHERE name = ?1)"
        )
    };
}
pub(super) const NEXT_UNKNOWN: &str = next!("unknown");
pub(super) const NEXT_SENT: &str = next!("sent");

/// Why questions are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody asks.
    ToAsk(Asked),
    /// To see whether something can be decided about what is unknown, while nobody may ask.
    ToLook,
}

/// See [`super::super::Spool::questions`] and [`super::super::Spool::unasked`].
pub(super) fn questions(
    connection: &Connection,
    effects: &mut Effects,
    why: Why,
    gateway: &str,
    now: Timestamp,
    again_at: Timestamp,
    limit: usize,
) -> Result<Vec<Question>, SpoolError> {
    let (state, counts) = match why {
        Why::ToAsk(state) => (state, true),
        Why::ToLook => (Asked::Unknown, false),
    };
    let (sql, read): (_, fn(&Row<'_>) -> _) = match state {
        Asked::Unknown => (UNKNOWN, read_unknown),
        Asked::Sent => (SENT, read_question),
    };
    // Nothing was ever given to a gateway without a number.
    let Some(gateway) = orders::gateway_id(connection, gateway)? else { return Ok(Vec::new()) };
    let params = params![row::millis(now), row::limit(limit), gateway];
    let found = row::read_all(connection, sql, params, read)?;
    let mut questions = Vec::new();
    for (seq, question) in found {
        match question {
            Ok(question) => {
                connection.prepare_cached(ASK)?.execute(params![
                    seq,
                    row::millis(again_at),
                    row::millis(now),
                    counts
                ])?;
                questions.push(question);
            }
            Err(damage) => queue::set_aside(connection, effects, seq, damage)?,
        }
    }
    Ok(questions)
}

/// When the first SMS in `state` that was given to `gateway` is to be asked about, in milliseconds.
pub(super) fn next(connection: &Connection, state: Asked, gateway: &str) -> Result<Option<i64>, SpoolError> {
    let sql = match state {
        Asked::Unknown => NEXT_UNKNOWN,
        Asked::Sent => NEXT_SENT,
    };
    Ok(connection.prepare_cached(sql)?.query_row(params![gateway], |row| row.get(0))?)
}

fn read_question(row: &Row<'_>) -> Result<Question, Damage> {
    let route = route::read(row)?;
    let since = row::time(row, "since")?;
    Ok(Question {
        id: row::message_id(row)?,
        attempt: row::column(row, "attempts")?,
        asked: row::column(row, "asked")?,
        since,
        expires_at: row::time(row, "expires_at")?,
        channel: route.way.channel(),
        on_unknown: route::on_unknown(row)?,
        is_simulation: row::options(&row::column::<String>(row, "options")?)?.simulation,
        has_next_way: route.has_next,
        silent_at: route.silence.map(|silence| later(since, silence)),
    })
}

/// Only what the platform has accepted can stay silent.
fn read_unknown(row: &Row<'_>) -> Result<Question, Damage> {
    Ok(Question { silent_at: None, ..read_question(row)? })
}
