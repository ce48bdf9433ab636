//! Escalations: SMS that take the place of a recipient's others when none of them is delivered. Their time is
//! the queue's to see; here is what an end of one of the others does to them.
//!
//! A recipient's others are its own SMS, and in place of one that was left out (`same_as`) the one that brings the
//! same words to the same phone for another recipient.
//!
//! Where all of these are told by summaries, it waits for the first of those: of what the phone was not to have yet, nobody
//! else is told.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::SpoolError;
use super::error::Damage;
use super::lane::Effects;
use super::moves::{End, Standing};
use super::passage::Steps;
use super::{fold, held, moves, row};
use crate::model::{Cause, EnhancedStatus, FinalState, MessageId, State};
use crate::retry::later;

/// Those that still wait, until their time or to be sent, of a recipient and of those who have the words by its SMS.
pub(super) const WAITING: &str = "SELECT seq, recipient FROM sms WHERE submission = ?1 AND escalation = 1 \
     AND state IN ('held', 'folded', 'due') AND damaged = 0 AND recipient IN \
     (SELECT ?2 UNION ALL SELECT recipient FROM sms WHERE submission = ?1 AND same_as = ?3)";

macro_rules! others {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM sms AS own CROSS JOIN sms AS sent ON sent.submission = own.submission \
             AND sent.ordinal = coalesce(own.same_as, own.ordinal) \
             WHERE own.submission = ?1 AND own.recipient = ?2 AND own.escalation = 0"
        )
    };
}

/// How many of a recipient's others may still be delivered, are delivered, and failed.
pub(super) const OTHERS: &str = others!(
    "count(*) FILTER (WHERE sent.state IN ('held', 'folded', 'due', 'claimed', 'unknown', 'sent')), \
     count(*) FILTER (WHERE sent.state = 'delivered'), \
     count(*) FILTER (WHERE sent.state IN ('undelivered', 'failed', 'expired'))"
);

/// The first of a recipient's others that was delivered; NULL where none was.
pub(super) const DELIVERED: &str = others!("min(CASE WHEN sent.state = 'delivered' THEN sent.ordinal END)");

/// Those of a recipient's others that may still be delivered, and where they are folded.
pub(super) const OPEN: &str = concat!(
    others!("sent.state, sent.fold"),
    " AND sent.state IN ('held', 'folded', 'due', 'claimed', 'unknown', 'sent')"
);

/// The summary of a fold.
pub(super) const SUMMARY: &str = "SELECT sms.seq, sms.submission, sms.ordinal, sms.state, sms.fold, sms.next_at, sms.ended_at \
     FROM fold CROSS JOIN sms ON sms.seq = fold.summary WHERE fold.seq = ?1";

/// When an SMS was let go last.
pub(super) const LET_GO: &str = "SELECT at FROM event WHERE sms = ?1 AND state = 'due' AND n > coalesce( \
     (SELECT max(n) FROM event WHERE sms = ?1 AND state = 'held'), 0) ORDER BY n LIMIT 1";

/// A summary that a recipient waits for, and when it goes or went.
pub(super) struct Awaited {
    pub(super) summary: MessageId,
    goes_at: Timestamp,
}

impl Awaited {
    /// Until when an escalation waits that gives it so long.
    pub(super) fn until(&self, after: Duration) -> Timestamp {
        later(self.goes_at, after)
    }
}

/// The summary that is the first to bring a recipient the words. `None` where one of its SMS goes by itself, or none may be
/// delivered any more.
pub(super) fn awaited(
    connection: &Connection,
    submission: &str,
    recipient: &str,
) -> Result<Option<Awaited>, SpoolError> {
    let open: Vec<(String, Option<i64>)> = {
        let mut statement = connection.prepare_cached(OPEN)?;
        let rows =
            statement.query_map(params![submission, recipient], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut first: Option<Awaited> = None;
    for (state, fold) in open {
        let fold = fold.filter(|_| state == State::Folded.as_str());
        let told = fold.map(|fold| summary_of(connection, fold)).transpose()?.flatten();
        let Some(told) = told else { return Ok(None) };
        if first.as_ref().is_none_or(|first| told.goes_at < first.goes_at) {
            first = Some(told);
        }
    }
    Ok(first)
}

/// The SMS that tells of what is in `fold`, be it by others. `None` where that cannot be known: it is damaged.
fn summary_of(connection: &Connection, mut fold: i64) -> Result<Option<Awaited>, SpoolError> {
    for _ in 0..fold::MOST_NESTED {
        let found = connection
            .prepare_cached(SUMMARY)?
            .query_row(params![fold], |row| Ok(read_summary(row)))
            .optional()?;
        let Some(Ok(Summary { seq, id, state, into, at })) = found else { return Ok(None) };
        let goes_at = match (state, into) {
            (State::Folded, Some(into)) => {
                fold = into;
                continue;
            }
            (State::Held | State::Final(_), _) => at,
            (State::Folded | State::Due | State::Claimed | State::Unknown | State::Sent, _) => {
                let at = connection.prepare_cached(LET_GO)?.query_row(params![seq], |row| row.get(0));
                at.optional()?.and_then(|at| Timestamp::from_millisecond(at).ok())
            }
        };
        return Ok(goes_at.map(|goes_at| Awaited { summary: id, goes_at }));
    }
    Ok(None)
}

struct Summary {
    seq: i64,
    id: MessageId,
    state: State,
    into: Option<i64>,
    /// When it goes, where it is held; when it has ended.
    at: Option<Timestamp>,
}

fn read_summary(row: &Row<'_>) -> Result<Summary, Damage> {
    let state = row::state(row)?;
    let at = if state == State::Held { "next_at" } else { "ended_at" };
    Ok(Summary {
        seq: row::column(row, "seq")?,
        id: row::message_id(row)?,
        state,
        into: row::column(row, "fold")?,
        at: row::optional_time(row, at)?,
    })
}

/// The SMS by which a recipient has the message.
pub(super) fn delivered(
    connection: &Connection,
    submission: &str,
    recipient: &str,
) -> Result<Option<u32>, SpoolError> {
    let mut statement = connection.prepare_cached(DELIVERED)?;
    Ok(statement.query_row(params![submission, recipient], |row| row.get(0))?)
}

/// `ended`, which is no escalation, has ended as `state`.
pub(super) fn after(
    connection: &Connection,
    effects: &mut Effects,
    ended: &Standing,
    state: FinalState,
    now: Timestamp,
) -> Result<(), SpoolError> {
    for (recipient, waiting) in waiting(connection, ended)? {
        let why = if state == FinalState::Delivered {
            format!("not needed: {}-{} was delivered", ended.submission, ended.ordinal)
        } else {
            let (open, delivered, failed): (i64, i64, i64) = connection
                .prepare_cached(OTHERS)?
                .query_row(params![ended.submission, recipient], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            if open > 0 || delivered > 0 {
                continue;
            }
            if failed > 0 {
                let note = "released: none of the SMS that it takes the place of was delivered";
                for seq in waiting {
                    held::release(connection, effects, seq, (now, note), Steps::All, now)?;
                }
                continue;
            }
            "not needed: what it was to take the place of was cancelled".to_owned()
        };
        let cause = Cause::new(EnhancedStatus::SUCCESS, why);
        for seq in waiting {
            let Some(mut from) = moves::standing_or_aside(connection, effects, seq)? else { continue };
            let end = End { state: FinalState::Cancelled, cause: &cause, now };
            fold::end_waiting(connection, effects, &mut from, &end)?;
        }
    }
    Ok(())
}

/// The escalations that go by the fate of `ended`, by recipient.
fn waiting(connection: &Connection, ended: &Standing) -> Result<BTreeMap<String, Vec<i64>>, SpoolError> {
    let mut waiting: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(WAITING)?;
    let mut rows = statement.query(params![ended.submission, ended.recipient, ended.ordinal])?;
    while let Some(row) = rows.next()? {
        waiting.entry(row.get(1)?).or_default().push(row.get(0)?);
    }
    waiting.values_mut().for_each(|of| of.sort_unstable());
    Ok(waiting)
}

/// Ends an escalation that has come back, where its recipient has been given the message meanwhile. Any other SMS
/// stays as it is.
pub(super) fn recall(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    now: Timestamp,
) -> Result<(), SpoolError> {
    if !from.is_escalation {
        return Ok(());
    }
    let Some(ordinal) = delivered(connection, &from.submission, &from.recipient)? else { return Ok(()) };
    let why = format!("not needed: {}-{ordinal} was delivered", from.submission);
    let cause = Cause::new(EnhancedStatus::SUCCESS, why);
    moves::finish(connection, effects, from, &End { state: FinalState::Cancelled, cause: &cause, now })
}
