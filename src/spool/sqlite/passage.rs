//! What an SMS has to pass before it is due: in the transaction that accepts it, or that lets go what was held.
//!
//! What is only simulated and what is to be sent never meet: keys have a mark for it.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{SpoolError, Topic, UnusedParts};
use super::apart::{self, Common};
use super::error::Damage;
use super::fold::{self, Fold, Kind, Load, Open, Place};
use super::lane::Effects;
use super::row::{self, sms_columns};
use super::{budget, limits, notice, pairing, pieces, queue, quiet, route};
use crate::model::{Charge, HoldReason, Lane, Limit, LimitScope, OnUnknown, Passage, Sms};
use crate::retry::{in_words, later};

pub(super) const CANDIDATE: &str = concat!(
    "SELECT ",
    sms_columns!(),
    ", sms.rule, sms.lane, sms.on_unknown, sms.expires_at, sms.next_at, sms.passage, \
     (SELECT names FROM gateway_order WHERE id = coalesce(sms.first_order, sms.gateway_order)) AS names, \
     submission.received_at, submission.account \
     FROM sms CROSS JOIN submission ON submission.id = sms.submission WHERE sms.seq = ?1"
);

/// An SMS that would be due.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) sms: &'a Sms,
    pub(super) passage: &'a Passage,
    pub(super) rule: &'a str,
    pub(super) lane: Lane,
    pub(super) gateways: &'a [String],
    pub(super) on_unknown: OnUnknown,
    /// When it was accepted.
    pub(super) received_at: Timestamp,
    /// How long it may be tried.
    pub(super) lifetime: Duration,
    pub(super) account: Option<&'a str>,
    /// How many SMS pass with it, itself among them: the pieces of its text.
    pub(super) count: u32,
    /// What these take of budgets together, where they are several.
    pub(super) together: Option<&'a [Charge]>,
}

impl Candidate<'_> {
    /// `key` among what is to be sent, or among what is only simulated.
    pub(super) fn key(&self, key: &str) -> String {
        scoped(self.sms.options.simulation, key)
    }

    /// The submission that it counts as in the limit of its source.
    pub(super) fn counts_as(&self) -> String {
        self.passage.counts_as.clone().unwrap_or_else(|| self.sms.id.submission.to_string())
    }

    /// What its account has not used, where it is folded.
    pub(super) fn unused(&self, now: Timestamp) -> Option<UnusedParts> {
        Some(UnusedParts {
            account: self.account?.to_owned(),
            accepted_at: self.sms.id.submission.time(),
            ended_at: now,
            parts: self.sms.text.parts.min(255),
        })
    }

    /// Charges it to its budgets; until when one of them is spent. What is only simulated costs nothing.
    pub(super) fn charge(
        &self,
        connection: &Connection,
        effects: &mut Effects,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SpoolError> {
        let charges = self.together.unwrap_or(&self.passage.budgets);
        if self.sms.options.simulation || charges.is_empty() {
            return Ok(None);
        }
        budget::charge(connection, effects, (charges, self.passage.passes_hold), now)
    }
}

/// See [`Candidate::key`].
pub(super) fn scoped(is_simulated: bool, key: &str) -> String {
    format!("{}{key}", if is_simulated { '~' } else { '=' })
}

/// A row of `sms` that would be due.
pub(super) struct Waiting {
    pub(super) seq: i64,
    pub(super) sms: Sms,
    pub(super) passage: Passage,
    pub(super) rule: String,
    pub(super) lane: Lane,
    pub(super) gateways: Vec<String>,
    pub(super) on_unknown: OnUnknown,
    pub(super) received_at: Timestamp,
    pub(super) expires_at: Timestamp,
    /// Until when it is held.
    pub(super) until: Option<Timestamp>,
    pub(super) account: Option<String>,
}

impl Waiting {
    /// When its lifetime began.
    pub(super) fn counts_from(&self) -> Timestamp {
        self.until.unwrap_or(self.received_at)
    }

    pub(super) fn lifetime(&self) -> Duration {
        Duration::try_from(self.expires_at.duration_since(self.counts_from())).unwrap_or_default()
    }

    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            sms: &self.sms,
            passage: &self.passage,
            rule: &self.rule,
            lane: self.lane,
            gateways: &self.gateways,
            on_unknown: self.on_unknown,
            received_at: self.received_at,
            lifetime: self.lifetime(),
            account: self.account.as_deref(),
            count: 1,
            together: None,
        }
    }
}

/// The SMS in row `seq`; one that cannot be read is set aside.
pub(super) fn waiting_or_aside(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
) -> Result<Option<Waiting>, SpoolError> {
    let found = connection
        .prepare_cached(CANDIDATE)?
        .query_row(params![seq], |row| Ok(read_waiting(row)))
        .optional()?;
    match found {
        None => Ok(None),
        Some(Ok(waiting)) => Ok(Some(waiting)),
        Some(Err(damage)) => {
            queue::set_aside(connection, effects, seq, damage)?;
            Ok(None)
        }
    }
}

fn read_waiting(row: &Row<'_>) -> Result<Waiting, Damage> {
    let passage = match row::column::<Option<String>>(row, "passage")? {
        None => Passage::default(),
        Some(written) => serde_json::from_str(&written).map_err(|_| Damage("passage"))?,
    };
    // An order that cannot be read names nobody.
    let names: Option<String> = row::column(row, "names").unwrap_or_default();
    Ok(Waiting {
        seq: row::column(row, "seq")?,
        sms: row::sms(row)?,
        passage,
        rule: row::column(row, "rule")?,
        lane: route::lane(row)?,
        gateways: names.and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default(),
        on_unknown: route::on_unknown(row)?,
        received_at: row::time(row, "received_at")?,
        expires_at: row::time(row, "expires_at")?,
        until: row::optional_time(row, "next_at")?,
        account: row::column(row, "account")?,
    })
}

/// What of a passage is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steps {
    /// All of it.
    All,
    /// What a budget held has passed the others: only quiet hours and the destination's limits again, since those
    /// that one night held back would all go at once, and the budgets.
    Held,
}

/// What came of it.
#[derive(Clone)]
pub(super) enum Verdict {
    Due,
    Folded(Place),
    /// It waits until then, and why.
    Held(HoldReason, Timestamp),
}

/// Asks whether an SMS may be due, and counts it where it may.
pub(super) fn pass(
    connection: &Connection,
    effects: &mut Effects,
    candidate: &Candidate<'_>,
    steps: Steps,
    now: Timestamp,
) -> Result<Verdict, SpoolError> {
    let passage = candidate.passage;
    if steps == Steps::All {
        // Also by what waits for the morning itself.
        pairing::end_problems(connection, effects, candidate, now)?;
    }
    if let Some(until) = quiet::asleep_until(candidate, now) {
        return Ok(Verdict::Held(HoldReason::Quiet, until));
    }
    let counted: Vec<&Limit> = passage
        .limits
        .iter()
        .filter(|limit| steps == Steps::All || limit.scope == LimitScope::Destination)
        .collect();
    if !passage.is_exempt {
        if steps == Steps::All
            && let Some(place) = gather_alike(connection, effects, candidate, now)?
        {
            return Ok(Verdict::Folded(place));
        }
        if !counted.is_empty()
            && let Some(place) =
                overflow(connection, effects, candidate, &counted, &Load::of(candidate), now)?
        {
            return Ok(Verdict::Folded(place));
        }
    }
    // Last, as a limit counts only what goes.
    if let Some(until) = candidate.charge(connection, effects, now)? {
        return Ok(Verdict::Held(HoldReason::Budget, until));
    }
    limits::charge(connection, candidate, &counted, now)?;
    Ok(Verdict::Due)
}

/// Folds it where it says what others say, or is to be told together with others.
fn gather_alike(
    connection: &Connection,
    effects: &mut Effects,
    candidate: &Candidate<'_>,
    now: Timestamp,
) -> Result<Option<Place>, SpoolError> {
    let Passage { similar, digest, .. } = candidate.passage;
    let fold_in = |effects: &mut Effects, into: Fold, wait: Duration, why: &str| {
        let until = into.ends_at(later(now, wait));
        fold::gather(connection, effects, into, candidate, (until, &Load::of(candidate), why), now)
    };
    let limits = || of_phone(candidate.passage.limits.iter());
    if let Some(similar) = similar {
        let key = apart::key(candidate, Common::Similar(similar));
        let open = fold::find(connection, Kind::Similar, &key, now)?;
        if open.as_ref().is_some_and(|open| !open.is_over) {
            let into = Fold { kind: Kind::Similar, key, window: similar.window, open, limits: limits() };
            return fold_in(effects, into, similar.window, "similar").map(Some);
        }
        let words = pieces::words(candidate.sms, candidate.passage);
        fold::begin(connection, Kind::Similar, &key, similar.window, words, now, now)?;
    }
    if let Some(digest) = digest {
        let key = apart::key(candidate, Common::Digest(digest));
        let open = fold::find(connection, Kind::Digest, &key, now)?;
        let into = Fold { kind: Kind::Digest, key, window: digest.every, open, limits: limits() };
        return fold_in(effects, into, digest.every, "digest").map(Some);
    }
    Ok(None)
}

fn of_phone<'a>(limits: impl Iterator<Item = &'a Limit>) -> Vec<Limit> {
    limits.filter(|limit| limit.scope == LimitScope::Destination).cloned().collect()
}

/// Folds it where one of `limits` has no room, or where others wait for room before it. An overflow is of one
/// destination and lane, and of what is paid and sent alike; that of a source holds back nobody else.
pub(super) fn overflow(
    connection: &Connection,
    effects: &mut Effects,
    candidate: &Candidate<'_>,
    limits: &[&Limit],
    load: &Load,
    now: Timestamp,
) -> Result<Option<Place>, SpoolError> {
    let (phones, sources): (Vec<&Limit>, Vec<&Limit>) =
        limits.iter().copied().partition(|limit| limit.scope == LimitScope::Destination);
    let groups = (!phones.is_empty()).then(|| phones.clone()).into_iter();
    for group in groups.chain(sources.into_iter().map(|limit| vec![limit])) {
        let overflow = Overflow::find(connection, candidate, group, now)?;
        let until = match overflow.until() {
            Some(until) => until,
            None => match limits::free_at(connection, candidate, &overflow.group, now)? {
                Some(until) => until,
                None => continue,
            },
        };
        return overflow.gather(connection, effects, candidate, &phones, (until, load), now).map(Some);
    }
    Ok(None)
}

/// Folds one that had room and has waited for the platform since, where its phone has none now, or where something older
/// waits for room. Others that have waited count no more, so that there may be room sooner than it was thought.
pub(super) fn overflow_again(
    connection: &Connection,
    effects: &mut Effects,
    candidate: &Candidate<'_>,
    load: &Load,
    now: Timestamp,
) -> Result<Option<Place>, SpoolError> {
    let phones = candidate.passage.phone_limits();
    let overflow = Overflow::find(connection, candidate, phones.clone(), now)?;
    let free = limits::free_at(connection, candidate, &phones, now)?;
    let is_behind = overflow.open.as_ref().is_some_and(|open| open.is_before(load.first_at));
    if free.is_none() && !is_behind {
        return Ok(None);
    }
    let room_at = free.unwrap_or(now);
    let until = overflow.until().map_or(room_at, |until| until.min(room_at));
    let place = overflow.gather(connection, effects, candidate, &phones, (until, load), now)?;
    fold::bring_forward(connection, effects, place.fold, until, now)?;
    Ok(Some(place))
}

/// Whether an overflow of its phone and lane gathers.
pub(super) fn has_overflow(
    connection: &Connection,
    candidate: &Candidate<'_>,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    let overflow = Overflow::find(connection, candidate, candidate.passage.phone_limits(), now)?;
    Ok(overflow.until().is_some())
}

/// Where what finds no room in the limits of `group` is told.
struct Overflow<'a> {
    group: Vec<&'a Limit>,
    key: String,
    open: Option<Open>,
}

impl<'a> Overflow<'a> {
    fn find(
        connection: &Connection,
        candidate: &Candidate<'_>,
        group: Vec<&'a Limit>,
        now: Timestamp,
    ) -> Result<Self, SpoolError> {
        let key = apart::key(candidate, Common::Overflow(source(&group)));
        let open = fold::find(connection, Kind::Overflow, &key, now)?;
        Ok(Self { group, key, open })
    }

    /// When its summary goes, where it has one.
    fn until(&self) -> Option<Timestamp> {
        self.open.as_ref().and_then(|open| open.summary_until)
    }

    /// Folds `load` into it; its summary goes at `until`, where it has none yet, and passes the limits `phones`.
    fn gather(
        self,
        connection: &Connection,
        effects: &mut Effects,
        candidate: &Candidate<'_>,
        phones: &[&Limit],
        (until, load): (Timestamp, &Load),
        now: Timestamp,
    ) -> Result<Place, SpoolError> {
        let Self { group, key, open } = self;
        if open.as_ref().is_none_or(|open| open.is_over) && !candidate.sms.options.simulation {
            let told = (&*reached(candidate, source(&group)), &*bite(candidate, &group));
            notice::add(connection, effects, Topic::Limit, told, now)?;
        }
        let steps = group.iter().flat_map(|limit| &limit.steps);
        let window = steps.map(|step| step.within).max().unwrap_or_default();
        let source = source(&group);
        // What a source was not let to send at once is not sent behind its limit's back.
        let limits = of_phone(phones.iter().copied()).into_iter().chain(source.cloned());
        let into = Fold { kind: Kind::Overflow, key, window, open, limits: limits.collect() };
        let whose = if source.is_some() { "its source" } else { "the phone" };
        let why = format!("no room for {whose} until {until}");
        fold::gather(connection, effects, into, candidate, (until, load, &why), now)
    }
}

/// The limit of a source, where these are that.
fn source<'a>(group: &[&'a Limit]) -> Option<&'a Limit> {
    group.first().copied().filter(|limit| limit.scope == LimitScope::Source)
}

/// What the operator is told about: which limit bites, by all that it has in common with others.
fn reached(candidate: &Candidate<'_>, source: Option<&Limit>) -> String {
    match source {
        Some(limit) => format!("the limit of {} is reached", limit.key),
        None => format!("the limit of {} is reached", candidate.sms.destination.masked()),
    }
}

/// Words for the operator: whose limit bites.
fn bite(candidate: &Candidate<'_>, limits: &[&Limit]) -> String {
    let phone = candidate.sms.destination.masked();
    let steps: Vec<String> = limits
        .iter()
        .flat_map(|limit| &limit.steps)
        .map(|step| format!("{} in {}", step.most, in_words(step.within)))
        .collect();
    let (lane, steps) = (candidate.lane.as_str(), steps.join(", "));
    let whose = match limits.first().map(|limit| (limit.scope, &limit.key)) {
        Some((LimitScope::Source, key)) => format!("More comes from {key} for {phone}, lane {lane},"),
        Some((LimitScope::Destination, _)) | None => format!("More SMS come for {phone}, lane {lane},"),
    };
    format!(
        "{whose} than its limit lets pass ({steps}). What finds no room is told to the phone by a summary."
    )
}
