//! Programs that want to know how an SMS ended.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{SpoolError, TellStep, Telling};
use super::error::Damage;
use super::lane::Effects;
use super::row::{self, sms_columns};
use super::{callbacks, timeline};
use crate::model::{FinalState, KannelMask, MessageId, State, TellStyle, TellUrl};

pub(super) const INSERT: &str = "INSERT INTO telling (sms, state, since, next_at) VALUES (?1, 'due', ?2, ?2) \
     ON CONFLICT (sms) DO NOTHING";

pub(super) const DUE: &str = concat!(
    "SELECT ",
    sms_columns!(),
    ", sms.state, sms.ended_at, sms.cause, sms.cause_status, sms.cause_diagnostic, telling.attempts, \
     submission.tell_url, submission.tell_account, submission.tell_mask FROM telling CROSS JOIN sms ON sms.seq = telling.sms \
     CROSS JOIN submission ON submission.id = sms.submission \
     WHERE telling.state = 'due' AND telling.damaged = 0 AND telling.next_at <= ?1 \
     ORDER BY telling.next_at, telling.sms LIMIT ?2"
);

const CLAIM: &str =
    "UPDATE telling SET state = 'claimed', since = ?2, next_at = NULL, attempts = ?3 WHERE sms = ?1";

const SET_ASIDE: &str = "UPDATE telling SET damaged = 1 WHERE sms = ?1";

/// An attempt that was none is taken back.
pub(super) const SETTLE: &str = "UPDATE telling SET state = ?3, since = ?4, next_at = ?5, cause = coalesce(?6, cause), \
     attempts = attempts - ?7 WHERE sms = (SELECT seq FROM sms WHERE submission = ?1 AND ordinal = ?2) \
     AND state = 'claimed' RETURNING sms";

pub(super) const STATE: &str = "SELECT state FROM sms WHERE seq = ?1";

pub(super) const NEXT: &str = "SELECT min(next_at) FROM telling WHERE state = 'due' AND damaged = 0";

const SECOND_CHANCE: &str = "UPDATE telling SET damaged = 0 WHERE damaged = 1";

const LOST: &str =
    "UPDATE telling SET state = 'due', since = ?1, next_at = ?1 WHERE state = 'claimed' AND damaged = 0";

/// The SMS in row `seq` has ended, and a program wants to know: due at once.
pub(super) fn insert(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    now: Timestamp,
) -> Result<(), SpoolError> {
    connection.prepare_cached(INSERT)?.execute(params![seq, row::millis(now)])?;
    effects.tellings = true;
    Ok(())
}

/// What a dead process was about to tell is due at once, and what was set aside gets another chance. Returns how
/// many were under way.
pub(super) fn recover(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<usize, SpoolError> {
    connection.execute(SECOND_CHANCE, [])?;
    let lost = connection.execute(LOST, params![row::millis(now)])?;
    effects.tellings |= lost > 0;
    Ok(lost)
}

/// See [`super::super::Spool::claim_tellings`].
pub(super) fn claim(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Telling>, SpoolError> {
    let params = params![row::millis(now), row::limit(limit)];
    let found = row::read_all(connection, DUE, params, read_telling)?;
    let mut claimed = Vec::new();
    for (seq, read) in found {
        match read {
            Ok(telling) => {
                let params = params![seq, row::millis(now), telling.attempt];
                connection.prepare_cached(CLAIM)?.execute(params)?;
                claimed.push(Telling { price: callbacks::price(connection, seq)?, ..telling });
            }
            Err(damage) => {
                connection.prepare_cached(SET_ASIDE)?.execute(params![seq])?;
                let what = format!("telling of the SMS in row {seq} of table sms is damaged: {damage}");
                effects.damaged.push(what);
            }
        }
    }
    effects.idle = claimed.is_empty();
    Ok(claimed)
}

/// Without its price.
fn read_telling(row: &Row<'_>) -> Result<Telling, Damage> {
    let before: u32 = row::column(row, "attempts")?;
    Ok(Telling {
        id: row::message_id(row)?,
        to: TellUrl {
            url: row::column(row, "tell_url")?,
            account: row::column(row, "tell_account")?,
            style: style(row)?,
        },
        attempt: before.checked_add(1).ok_or(Damage("attempts"))?,
        ended_at: row::time(row, "ended_at")?,
        recipient: row::column(row, "recipient")?,
        sms: row::sms(row)?,
        state: final_state(row)?,
        cause: row::cause(row)?,
        price: None,
    })
}

fn final_state(row: &Row<'_>) -> Result<FinalState, Damage> {
    match row::state(row)? {
        State::Final(state) => Ok(state),
        State::Held | State::Folded | State::Due | State::Claimed | State::Unknown | State::Sent => {
            Err(Damage("state"))
        }
    }
}

/// How a program is told.
pub(super) fn style(row: &Row<'_>) -> Result<TellStyle, Damage> {
    let bits: Option<u8> = row::column(row, "tell_mask")?;
    bits.map_or(Ok(TellStyle::Signed), |bits| {
        KannelMask::from_bits(bits).map(TellStyle::Kannel).ok_or(Damage("tell_mask"))
    })
}

pub(super) fn mask_column(style: TellStyle) -> Option<u8> {
    match style {
        TellStyle::Signed => None,
        TellStyle::Kannel(mask) => Some(mask.bits()),
    }
}

/// See [`super::super::Spool::settle_telling`].
pub(super) fn settle(
    connection: &Connection,
    effects: &mut Effects,
    id: MessageId,
    step: &TellStep,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let (state, next_at, cause) = match step {
        TellStep::Told => ("told", None, None),
        TellStep::Retry { at, cause } | TellStep::NotCalled { at, cause } => ("due", Some(*at), Some(cause)),
        TellStep::Failed { cause } => ("failed", None, Some(cause)),
    };
    let seq: i64 = connection
        .prepare_cached(SETTLE)?
        .query_row(
            params![
                id.submission.to_string(),
                id.ordinal,
                state,
                row::millis(now),
                next_at.map(row::millis),
                cause.map(row::note),
                matches!(step, TellStep::NotCalled { .. }),
            ],
            |row| row.get(0),
        )
        .optional()?
        .ok_or(SpoolError::Stale(id))?;
    let note = match step {
        TellStep::Told => "its program was told".to_owned(),
        TellStep::Failed { cause } => format!("its program could not be told: {}", row::note(cause)),
        TellStep::Retry { .. } | TellStep::NotCalled { .. } => {
            effects.tellings = true;
            return Ok(());
        }
    };
    let state: String = connection.prepare_cached(STATE)?.query_row(params![seq], |row| row.get(0))?;
    timeline::event(connection, seq, now, &state, &note)
}
