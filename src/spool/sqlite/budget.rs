//! What SMS have taken of the budgets that they are charged to.
//!
//! What an SMS was charged stands nowhere by itself: it follows from its passage, from when it became due, and
//! from the prices that the platform told since. So whatever comes twice changes nothing the second time.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Budgets, Spent, SpoolError, Topic};
use super::error::Damage;
use super::lane::Effects;
use super::{notice, row};
use crate::budget::{self, Level, Levels, Span, Told, Verdict};
use crate::model::{Channel, Charge, Passage, Unit};

/// How long a period that is over is kept, for who looks: 13 months, for a late price and for last year's month.
const KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Most old periods that one new one clears away.
const MOST_CLEARED: usize = 100;

pub(super) const SPENT: &str = "SELECT amount, told FROM spent WHERE budget = ?1 AND begins = ?2";

pub(super) const WRITE: &str = "INSERT INTO spent (budget, begins, ends, amount, told) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (budget, begins) DO UPDATE SET amount = excluded.amount, told = excluded.told";

pub(super) const CLEAR: &str = "DELETE FROM spent WHERE (budget, begins) IN \
     (SELECT budget, begins FROM spent WHERE ends < ?1 ORDER BY ends LIMIT ?2)";

/// It became due when it was charged; what was held or folded since has been given back.
pub(super) const CHARGED: &str = "SELECT passage, parts, options, \
     (SELECT min(event.at) FROM event WHERE event.sms = sms.seq AND event.state = 'due' AND event.n > coalesce( \
     (SELECT max(gone.n) FROM event AS gone WHERE gone.sms = sms.seq AND gone.state IN ('held', 'folded')), 0)) \
     AS charged_at FROM sms WHERE seq = ?1";

/// Of all ways what they cost; of the one by this channel how many parts have their price, and of how many.
pub(super) const TOLD: &str = "SELECT count(*) FILTER (WHERE channel = ?2), coalesce(sum(price), 0), \
     coalesce(max(parts) FILTER (WHERE channel = ?2), 0) FROM callback WHERE sms = ?1 AND price IS NOT NULL";

pub(super) const CURRENT: &str =
    "SELECT 0, budget, begins, ends, amount FROM spent WHERE ends > ?1 ORDER BY ends, budget";

pub(super) const HELD: &str =
    "SELECT count(*) FROM sms INDEXED BY sms_held_by_budget WHERE state = 'held' AND hold_reason = 'budget'";

/// One period of a budget, as it is in its row.
struct Account<'a> {
    charge: &'a Charge,
    span: Span,
    is_new: bool,
    spent: u64,
    /// Bits of the levels that were told.
    told: i64,
}

impl<'a> Account<'a> {
    fn open(connection: &Connection, charge: &'a Charge, at: Timestamp) -> Result<Self, SpoolError> {
        let span = budget::span(at, charge.period, &budget::zone(charge.zone.as_deref()));
        let mut statement = connection.prepare_cached(SPENT)?;
        let found: Option<(i64, i64)> = statement
            .query_row(params![charge.key, row::millis(span.begins)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (amount, told) = found.unwrap_or_default();
        Ok(Self { charge, span, is_new: found.is_none(), spent: u64::try_from(amount).unwrap_or(0), told })
    }

    /// Notes that a level is reached, and tells the operator, once.
    fn reach(
        &mut self,
        connection: &Connection,
        effects: &mut Effects,
        level: Level,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        if self.told & bit(level) != 0 {
            return Ok(());
        }
        self.told |= bit(level);
        let zone = budget::zone(self.charge.zone.as_deref());
        let (about, words) = budget::notice(self.charge, level, self.spent, self.span, &zone);
        notice::add(connection, effects, Topic::Budget, (&about, &words), now)
    }

    /// Tells that so much is spent now; of several levels that are reached at once the highest is told.
    fn stand(
        &mut self,
        connection: &Connection,
        effects: &mut Effects,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        let Some(level) = Levels::of(self.charge).reached(self.spent) else { return Ok(()) };
        self.reach(connection, effects, level, now)?;
        self.told |= Level::ALL.into_iter().filter(|lower| *lower < level).map(bit).sum::<i64>();
        Ok(())
    }

    fn write(&self, connection: &Connection, now: Timestamp) -> Result<(), SpoolError> {
        connection.prepare_cached(WRITE)?.execute(params![
            self.charge.key,
            row::millis(self.span.begins),
            row::millis(self.span.ends),
            i64::try_from(self.spent).unwrap_or(i64::MAX),
            self.told,
        ])?;
        if self.is_new {
            let old = row::millis(now.checked_sub(KEPT).unwrap_or(Timestamp::MIN));
            connection.prepare_cached(CLEAR)?.execute(params![old, row::limit(MOST_CLEARED)])?;
        }
        Ok(())
    }
}

fn bit(level: Level) -> i64 {
    match level {
        Level::Warn => 1,
        Level::Hold => 2,
        Level::Ceiling => 4,
    }
}

/// Charges an SMS that is about to be due to its budgets: the last step before it is, and `now` is when it becomes
/// due. Where one of them has no room nothing is charged, and it is told until when that one is spent; of several the
/// longest.
pub(super) fn charge(
    connection: &Connection,
    effects: &mut Effects,
    (charges, passes_hold): (&[Charge], bool),
    now: Timestamp,
) -> Result<Option<Timestamp>, SpoolError> {
    let (mut fitting, mut until) = (Vec::new(), None);
    for charge in charges {
        let mut account = Account::open(connection, charge, now)?;
        match budget::verdict(account.spent, charge.amount, Levels::of(charge), passes_hold) {
            Verdict::Room(_) => fitting.push(account),
            Verdict::Held(level) => {
                until = until.max(Some(account.span.ends));
                account.reach(connection, effects, level, now)?;
                account.write(connection, now)?;
            }
        }
    }
    if until.is_some() {
        return Ok(until);
    }
    for mut account in fitting {
        account.spent = account.spent.saturating_add(account.charge.amount);
        account.stand(connection, effects, now)?;
        account.write(connection, now)?;
    }
    Ok(None)
}

/// What an SMS was charged for, and when.
struct Charged {
    budgets: Vec<Charge>,
    parts: u64,
    at: Timestamp,
}

/// That of the SMS in row `seq`; `None` where it was never charged, and where its passage cannot be read, so that its
/// charge stays.
fn charged(connection: &Connection, seq: i64) -> Result<Option<Charged>, SpoolError> {
    let mut statement = connection.prepare_cached(CHARGED)?;
    let read = statement.query_row(params![seq], |row| Ok(read_charged(row)))?;
    Ok(read.unwrap_or_default())
}

fn read_charged(row: &Row<'_>) -> Result<Option<Charged>, Damage> {
    let Some(written) = row::column::<Option<String>>(row, "passage")? else { return Ok(None) };
    let Some(at) = row::optional_time(row, "charged_at")? else { return Ok(None) };
    // What is only simulated costs nothing.
    if row::options(&row::column::<String>(row, "options")?)?.simulation {
        return Ok(None);
    }
    let passage: Passage = serde_json::from_str(&written).map_err(|_| Damage("passage"))?;
    let parts: u32 = row::column(row, "parts")?;
    Ok(Some(Charged { budgets: passage.budgets, parts: parts.into(), at }))
}

/// Gives back what the SMS in row `seq` was charged, which ends, folds or is held before it was ever tried: before that is
/// in its timeline.
pub(super) fn give_back(connection: &Connection, seq: i64, now: Timestamp) -> Result<(), SpoolError> {
    let Some(charged) = charged(connection, seq)? else { return Ok(()) };
    for charge in &charged.budgets {
        let mut account = Account::open(connection, charge, charged.at)?;
        account.spent = account.spent.saturating_sub(charge.amount);
        if !account.is_new {
            account.write(connection, now)?;
        }
    }
    Ok(())
}

/// What the platform has told so far of the prices of the SMS in row `seq`, whose current way is that by `channel`: what
/// earlier ways cost says nothing of what this one will.
pub(super) fn told(connection: &Connection, seq: i64, channel: Channel) -> Result<Told, SpoolError> {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let mut statement = connection.prepare_cached(TOLD)?;
    Ok(statement.query_row(params![seq, channel.as_str()], |row| {
        Ok(Told { parts: number(row.get(0)?), price: number(row.get(1)?), of: number(row.get(2)?) })
    })?)
}

/// Puts what the platform tells of the prices of the SMS in row `seq`, whose current way is that by `channel`, in the
/// place of what was booked for it `before`.
pub(super) fn correct(
    connection: &Connection,
    effects: &mut Effects,
    (seq, channel): (i64, Channel),
    before: Told,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let after = told(connection, seq, channel)?;
    if after == before {
        return Ok(());
    }
    let Some(charged) = charged(connection, seq)? else { return Ok(()) };
    for charge in charged.budgets.iter().filter(|charge| charge.unit == Unit::Money) {
        let mut account = Account::open(connection, charge, charged.at)?;
        // What is cleared away stays so.
        if account.is_new {
            continue;
        }
        let booked = |told| budget::booked(charge.amount, charged.parts, told);
        account.spent = account.spent.saturating_sub(booked(before)).saturating_add(booked(after));
        // Nobody can do anything about a period that is over.
        if now < account.span.ends {
            account.stand(connection, effects, now)?;
        }
        account.write(connection, now)?;
    }
    Ok(())
}

/// See [`super::super::Spool::budgets`].
pub(super) fn current(connection: &Connection, now: Timestamp) -> Result<Budgets, SpoolError> {
    let found = row::read_all(connection, CURRENT, params![row::millis(now)], read_spent)?;
    let spent = found.into_iter().filter_map(|(_, spent)| spent.ok());
    let held: i64 = connection.prepare_cached(HELD)?.query_row([], |row| row.get(0))?;
    Ok(Budgets {
        spent: spent.filter(|spent| spent.begins <= now).collect(),
        held: u64::try_from(held).unwrap_or(0),
    })
}

fn read_spent(row: &Row<'_>) -> Result<Spent, Damage> {
    Ok(Spent {
        key: row::column(row, "budget")?,
        begins: row::time(row, "begins")?,
        ends: row::time(row, "ends")?,
        amount: u64::try_from(row::column::<i64>(row, "amount")?).map_err(|_| Damage("amount"))?,
    })
}
