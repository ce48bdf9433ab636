//! Folds: SMS that one summary tells of. One that is open and has no summary is a window that nothing has fallen into.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{MOST_FOLDED_SHOWN, SpoolError, TellsOf};
use super::error::Damage;
use super::lane::Effects;
use super::moves::{self, End, Standing};
use super::passage::Candidate;
use super::{pieces, row, summary};
use crate::model::{Cause, EnhancedStatus, FinalState, Limit, MessageId, State};
use crate::retry::later;

/// Most different words that are kept of a fold; one SMS has no room for as many.
const MOST_TOLD: usize = 64;
/// Characters of each that are kept.
const MOST_WORDS: usize = 320;
/// How deep folds in each other are looked into: an overflow tells of summaries, after an outage also of another
/// overflow's.
pub(super) const MOST_NESTED: usize = 8;
/// Most windows that one that begins clears away; more than it brings, so that they never grow in number for long.
const MOST_FORGOTTEN: u32 = 8;

pub(super) const OPEN: &str = "SELECT fold.seq, fold.window_ms, fold.until, fold.summary, fold.first_at, sms.submission, \
     sms.ordinal, sms.next_at, sms.state IS 'held' AND sms.hold_reason IS 'summary' AND sms.damaged IS 0 AS is_sound \
     FROM fold LEFT JOIN sms ON sms.seq = fold.summary \
     WHERE fold.kind = ?1 AND fold.key = ?2 AND fold.state = 'open'";

/// One that something was folded into stays as it is.
pub(super) const BEGIN: &str = "INSERT INTO fold (kind, key, state, opened_at, window_ms, until, words) \
     VALUES (?1, ?2, 'open', ?3, ?4, ?5, ?6) ON CONFLICT (kind, key) WHERE state = 'open' DO UPDATE \
     SET opened_at = excluded.opened_at, window_ms = excluded.window_ms, until = excluded.until, \
     words = excluded.words WHERE fold.summary IS NULL RETURNING seq";

pub(super) const OLD: &str = "SELECT seq FROM fold WHERE state = 'open' AND summary IS NULL AND until <= ?1 \
     ORDER BY until LIMIT ?2";

pub(super) const FORGET: &str = "DELETE FROM fold WHERE seq = ?1";

pub(super) const SUMMARIZE: &str =
    "UPDATE fold SET summary = ?2, lifetime_ms = ?3, most_parts = ?4, zone = ?5 WHERE seq = ?1";

pub(super) const JOIN: &str = "UPDATE fold SET count = count + ?2, first_at = min(coalesce(first_at, ?3), ?3), \
     last_at = max(coalesce(last_at, ?4), ?4) WHERE seq = ?1";

pub(super) const TELL_AGAIN: &str =
    "UPDATE told SET count = max(0, count + ?3) WHERE fold = ?1 AND words = ?2";

pub(super) const TELL: &str = "INSERT INTO told (fold, words, n, count) \
     SELECT ?1, ?2, (SELECT count(*) FROM told WHERE fold = ?1), ?3 \
     WHERE (SELECT count(*) FROM told WHERE fold = ?1) < ?4";

pub(super) const TOLD: &str = "SELECT n, words, count FROM told WHERE fold = ?1";

pub(super) const FORGET_TOLD: &str = "DELETE FROM told WHERE fold = ?1";

pub(super) const BY_SUMMARY: &str = "SELECT seq, kind, key, window_ms, words, count, first_at, last_at, lifetime_ms, \
     most_parts, zone FROM fold WHERE summary = ?1";

pub(super) const SET_STATE: &str = "UPDATE fold SET state = ?2 WHERE seq = ?1";

pub(super) const END: &str =
    "UPDATE fold SET state = 'closing' WHERE summary = ?1 AND state IN ('open', 'sent')";

const LAY_DOWN: &str = "UPDATE sms SET fold = ?2, delayed_at = NULL WHERE seq = ?1";

pub(super) const WHERE_IT_IS: &str = "SELECT fold FROM sms WHERE seq = ?1";

/// The SMS that tells of what was folded there.
pub(super) const TOLD_BY: &str =
    "SELECT submission, ordinal FROM sms WHERE seq = (SELECT summary FROM fold WHERE fold.seq = ?1)";

pub(super) const COUNT: &str = "SELECT seq, count FROM fold WHERE summary = ?1";

pub(super) const MEMBERS: &str =
    "SELECT seq, submission, ordinal FROM sms WHERE fold = ?1 ORDER BY seq LIMIT ?2";

pub(super) const STANDS: &str = "SELECT fold.state, sms.state, sms.fold FROM fold CROSS JOIN sms \
     ON sms.seq = fold.summary WHERE fold.seq = ?1";

pub(super) const BRING_FORWARD: &str = "UPDATE sms SET next_at = ?2, since = ?3 \
     WHERE seq = (SELECT summary FROM fold WHERE fold.seq = ?1) AND state = 'held' AND next_at > ?2";

pub(super) const TAKE_OUT: &str = "UPDATE fold SET count = max(0, count - ?2) WHERE seq = ?1 \
     RETURNING kind, key, state, count, words, summary, opened_at, window_ms";

/// What is the same about what a fold gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// They say nearly the same.
    Similar,
    /// A rule wants them told together.
    Digest,
    /// There was no room for them.
    Overflow,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Similar, Self::Digest, Self::Overflow];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Similar => "similar",
            Self::Digest => "digest",
            Self::Overflow => "overflow",
        }
    }
}

/// Some words, and how many said so.
pub(super) struct Share {
    pub(super) words: String,
    pub(super) count: i64,
}

/// What a fold tells of.
pub(super) struct Load {
    /// How many; more than the shares have together where the words of some are not kept.
    pub(super) count: i64,
    pub(super) shares: Vec<Share>,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
}

impl Load {
    /// That of one SMS.
    pub(super) fn of(candidate: &Candidate<'_>) -> Self {
        let at = candidate.received_at;
        let shares =
            vec![Share { words: pieces::words(candidate.sms, candidate.passage).to_owned(), count: 1 }];
        Self { count: 1, shares, first_at: at, last_at: at }
    }
}

/// A fold that gathers.
pub(super) struct Open {
    seq: i64,
    /// Until when its window is open, while nothing has fallen into it.
    until: Timestamp,
    /// The time of that is over, and nothing is left of it.
    pub(super) is_over: bool,
    summary: Option<MessageId>,
    /// When that is to go.
    pub(super) summary_until: Option<Timestamp>,
    /// When the first of what it tells of was accepted.
    first_at: Option<Timestamp>,
}

impl Open {
    /// Whether it tells of something that came before `at`.
    pub(super) fn is_before(&self, at: Timestamp) -> bool {
        self.summary.is_some() && self.first_at.is_some_and(|first| first < at)
    }
}

/// Where something is to be folded.
pub(super) struct Fold {
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) window: Duration,
    pub(super) open: Option<Open>,
    /// What its summary has to pass.
    pub(super) limits: Vec<Limit>,
}

impl Fold {
    /// When its summary is to go: `otherwise` where nothing says so yet.
    pub(super) fn ends_at(&self, otherwise: Timestamp) -> Timestamp {
        match (&self.open, self.kind) {
            (Some(Open { summary_until: Some(until), .. }), _) => *until,
            (Some(Open { is_over: false, until, .. }), Kind::Similar) => *until,
            _ => otherwise,
        }
    }
}

/// Where something was folded.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) fold: i64,
    /// For the timeline.
    pub(super) note: String,
}

/// A fold by its summary.
pub(super) struct Gathered {
    pub(super) seq: i64,
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) window: Duration,
    pub(super) words: String,
    pub(super) count: i64,
    first_at: Timestamp,
    last_at: Timestamp,
    pub(super) lifetime: Duration,
    pub(super) most_parts: u32,
    pub(super) zone: Option<String>,
}

/// The open fold of this kind and key. One whose summary cannot take anything any more, as somebody has changed it or it is
/// damaged, is left to that summary.
pub(super) fn find(
    connection: &Connection,
    kind: Kind,
    key: &str,
    now: Timestamp,
) -> Result<Option<Open>, SpoolError> {
    let found = connection
        .prepare_cached(OPEN)?
        .query_row(params![kind.as_str(), key], |row| Ok((row.get::<_, i64>(0)?, read_open(row, now))))
        .optional()?;
    match found {
        None => Ok(None),
        Some((_, Ok(open))) => Ok(Some(open)),
        Some((seq, Err(_))) => {
            set_state(connection, seq, "sent")?;
            Ok(None)
        }
    }
}

fn read_open(row: &Row<'_>, now: Timestamp) -> Result<Open, Damage> {
    let window = window(row)?;
    // A clock that was put back must not leave a window open for long.
    let until = row::time(row, "until")?.min(later(now, window));
    let summary = match row::column::<Option<i64>>(row, "summary")? {
        None => None,
        Some(_) if row::column(row, "is_sound")? => Some(row::message_id(row)?),
        Some(_) => return Err(Damage("summary")),
    };
    Ok(Open {
        seq: row::column(row, "seq")?,
        until,
        is_over: summary.is_none() && until <= now,
        summary_until: row::optional_time(row, "next_at")?.filter(|_| summary.is_some()),
        first_at: row::optional_time(row, "first_at")?,
        summary,
    })
}

/// An overflow whose summary has not gone after all gathers on, where none has taken its place.
pub(super) fn reopen(connection: &Connection, of: &Gathered, now: Timestamp) -> Result<(), SpoolError> {
    match find(connection, of.kind, &of.key, now)? {
        Some(Open { summary: Some(_), .. }) => return Ok(()),
        Some(Open { seq, .. }) => {
            connection.prepare_cached(FORGET)?.execute(params![seq])?;
        }
        None => {}
    }
    set_state(connection, of.seq, "open")
}

/// The summary of `fold` goes at `until`, unless it goes before.
pub(super) fn bring_forward(
    connection: &Connection,
    effects: &mut Effects,
    fold: i64,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let params = params![fold, row::millis(until), row::millis(now)];
    effects.due |= connection.prepare_cached(BRING_FORWARD)?.execute(params)? > 0;
    Ok(())
}

fn window(row: &Row<'_>) -> Result<Duration, Damage> {
    let millis = u64::try_from(row::column::<i64>(row, "window_ms")?).map_err(|_| Damage("window_ms"))?;
    Ok(Duration::from_millis(millis))
}

/// Opens a window, or opens it anew. Nothing changes where something has fallen into it.
pub(super) fn begin(
    connection: &Connection,
    kind: Kind,
    key: &str,
    window: Duration,
    words: &str,
    from: Timestamp,
    now: Timestamp,
) -> Result<Option<i64>, SpoolError> {
    let params = params![
        kind.as_str(),
        key,
        row::millis(from),
        i64::try_from(window.as_millis()).unwrap_or(i64::MAX),
        row::millis(later(from, window)),
        words,
    ];
    let seq = connection.prepare_cached(BEGIN)?.query_row(params, |row| row.get(0)).optional()?;
    forget_old(connection, seq, now)?;
    Ok(seq)
}

fn forget_old(connection: &Connection, but: Option<i64>, now: Timestamp) -> Result<(), SpoolError> {
    let mut statement = connection.prepare_cached(OLD)?;
    let old = statement.query_map(params![row::millis(now), MOST_FORGOTTEN], |row| row.get(0))?;
    for seq in old.collect::<Result<Vec<i64>, _>>()? {
        if Some(seq) != but {
            connection.prepare_cached(FORGET)?.execute(params![seq])?;
        }
    }
    Ok(())
}

/// Folds what `load` says into a fold, and makes its summary where it has none: an SMS like `candidate` that goes at
/// `until`.
pub(super) fn gather(
    connection: &Connection,
    effects: &mut Effects,
    into: Fold,
    candidate: &Candidate<'_>,
    (until, load, why): (Timestamp, &Load, &str),
    now: Timestamp,
) -> Result<Place, SpoolError> {
    let (fold, summary) = match into.open {
        Some(Open { seq, summary: Some(summary), .. }) => (seq, summary),
        Some(Open { seq, is_over: false, .. }) => {
            (seq, summarize(connection, effects, seq, into.limits, candidate, until, now)?)
        }
        Some(Open { is_over: true, .. }) | None => {
            let words = pieces::words(candidate.sms, candidate.passage);
            let begun = begin(connection, into.kind, &into.key, into.window, words, now, now)?;
            let seq = begun
                .ok_or_else(|| SpoolError::Unavailable(format!("{} cannot be folded", candidate.sms.id)))?;
            (seq, summarize(connection, effects, seq, into.limits, candidate, until, now)?)
        }
    };
    let params = params![fold, load.count, row::millis(load.first_at), row::millis(load.last_at)];
    connection.prepare_cached(JOIN)?.execute(params)?;
    if into.kind != Kind::Similar {
        tell(connection, fold, &load.shares, 1)?;
    }
    Ok(Place { fold, note: format!("folded into {summary}: {why}") })
}

fn summarize(
    connection: &Connection,
    effects: &mut Effects,
    fold: i64,
    limits: Vec<Limit>,
    candidate: &Candidate<'_>,
    until: Timestamp,
    now: Timestamp,
) -> Result<MessageId, SpoolError> {
    let (seq, id) = summary::make(connection, effects, candidate, limits, until, now)?;
    let form = &candidate.passage.summary;
    let lifetime = i64::try_from(candidate.lifetime.as_millis()).unwrap_or(i64::MAX);
    let params = params![fold, seq, lifetime, form.parts, form.zone];
    connection.prepare_cached(SUMMARIZE)?.execute(params)?;
    Ok(id)
}

/// Adds to what a fold says, or takes from it.
fn tell(connection: &Connection, fold: i64, shares: &[Share], sign: i64) -> Result<(), SpoolError> {
    for share in shares {
        let words: String = share.words.chars().take(MOST_WORDS).collect();
        let params = params![fold, words, sign * share.count];
        if connection.prepare_cached(TELL_AGAIN)?.execute(params)? == 0 && sign > 0 {
            let params = params![fold, words, share.count, row::limit(MOST_TOLD)];
            connection.prepare_cached(TELL)?.execute(params)?;
        }
    }
    Ok(())
}

/// Folds the SMS of `from`, which is a row already: held, or due.
pub(super) fn lay_down(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    place: &Place,
    now: Timestamp,
) -> Result<(), SpoolError> {
    moves::step_to(connection, effects, from, State::Folded, None, Some(&place.note), now)?;
    connection.prepare_cached(LAY_DOWN)?.execute(params![from.seq, place.fold])?;
    Ok(())
}

/// The fold that the SMS in row `summary` tells of.
pub(super) fn of_summary(
    connection: &Connection,
    summary: i64,
) -> Result<Option<Result<Gathered, Damage>>, SpoolError> {
    let mut statement = connection.prepare_cached(BY_SUMMARY)?;
    Ok(statement.query_row(params![summary], |row| Ok(read_gathered(row))).optional()?)
}

fn read_gathered(row: &Row<'_>) -> Result<Gathered, Damage> {
    let lifetime: i64 = row::column(row, "lifetime_ms")?;
    Ok(Gathered {
        seq: row::column(row, "seq")?,
        kind: row::word(row, "kind", Kind::ALL, Kind::as_str)?,
        key: row::column(row, "key")?,
        window: window(row)?,
        words: row::column(row, "words")?,
        count: row::column(row, "count")?,
        first_at: row::time(row, "first_at")?,
        last_at: row::time(row, "last_at")?,
        lifetime: Duration::from_millis(u64::try_from(lifetime).unwrap_or(0)),
        most_parts: row::column(row, "most_parts")?,
        zone: row::column(row, "zone")?,
    })
}

/// What it tells of.
pub(super) fn load(connection: &Connection, of: &Gathered) -> Result<Load, SpoolError> {
    let shares = match of.kind {
        Kind::Similar => vec![Share { words: of.words.clone(), count: of.count }],
        Kind::Digest | Kind::Overflow => told(connection, of.seq)?,
    };
    Ok(Load { count: of.count, shares, first_at: of.first_at, last_at: of.last_at })
}

fn told(connection: &Connection, fold: i64) -> Result<Vec<Share>, SpoolError> {
    let mut statement = connection.prepare_cached(TOLD)?;
    let rows = statement.query_map(params![fold], |row| {
        Ok((row.get::<_, i64>(0)?, Share { words: row.get(1)?, count: row.get(2)? }))
    })?;
    let mut told: Vec<(i64, Share)> = rows.collect::<Result<_, _>>()?;
    told.sort_by_key(|(n, _)| *n);
    Ok(told.into_iter().map(|(_, share)| share).collect())
}

pub(super) fn set_state(connection: &Connection, fold: i64, state: &str) -> Result<(), SpoolError> {
    connection.prepare_cached(SET_STATE)?.execute(params![fold, state])?;
    if state == "closed" {
        connection.prepare_cached(FORGET_TOLD)?.execute(params![fold])?;
    }
    Ok(())
}

/// The SMS that tells of what is folded into `fold`.
pub(super) fn told_by(connection: &Connection, fold: i64) -> Result<Option<MessageId>, SpoolError> {
    let mut statement = connection.prepare_cached(TOLD_BY)?;
    let found = statement.query_row(params![fold], |row| Ok(row::message_id(row).ok())).optional()?;
    Ok(found.flatten())
}

/// What the SMS in row `seq` tells of, where it is a summary.
pub(super) fn tells_of(connection: &Connection, seq: i64) -> Result<Option<TellsOf>, SpoolError> {
    let mut statement = connection.prepare_cached(COUNT)?;
    let found: Option<(i64, i64)> =
        statement.query_row(params![seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((fold, count)) = found else { return Ok(None) };
    let params = params![fold, row::limit(MOST_FOLDED_SHOWN)];
    let members = row::read_all(connection, MEMBERS, params, row::message_id)?;
    let first = members.into_iter().filter_map(|(_, id)| id.ok()).collect();
    Ok(Some(TellsOf { count: u64::try_from(count).unwrap_or(0), first }))
}

/// The SMS in row `seq` has ended: if it is a summary, what was folded into it is to end as well.
pub(super) fn ended(connection: &Connection, effects: &mut Effects, seq: i64) -> Result<(), SpoolError> {
    let closing = connection.prepare_cached(END)?.execute(params![seq])?;
    effects.due |= closing > 0;
    Ok(())
}

/// Ends an SMS that waits: held, due, or folded into what has not gone yet. `false`, and nothing is changed, for any
/// other.
pub(super) fn end_waiting(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    end: &End<'_>,
) -> Result<bool, SpoolError> {
    match from.state {
        State::Held | State::Due => moves::finish(connection, effects, from, end)?,
        State::Folded => {
            let fold: Option<i64> =
                connection.prepare_cached(WHERE_IT_IS)?.query_row(params![from.seq], |row| row.get(0))?;
            let Some(fold) = fold else { return Ok(false) };
            if !waits(connection, fold)? {
                return Ok(false);
            }
            let (count, shares) = match of_summary(connection, from.seq)? {
                Some(Ok(gathered)) => (gathered.count, load(connection, &gathered)?.shares),
                Some(Err(_)) | None => pieces::share(connection, from, fold)?,
            };
            moves::finish(connection, effects, from, end)?;
            take_out(connection, effects, fold, count, &shares, end.now)?;
        }
        State::Claimed | State::Unknown | State::Sent | State::Final(_) => return Ok(false),
    }
    Ok(true)
}

/// Whether the summary of `fold` has not gone yet, nor that which it was folded into itself.
pub(super) fn waits(connection: &Connection, mut fold: i64) -> Result<bool, SpoolError> {
    for _ in 0..MOST_NESTED {
        let found: Option<(String, String, Option<i64>)> = connection
            .prepare_cached(STANDS)?
            .query_row(params![fold], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        match found {
            Some((state, ..)) if state == "open" => return Ok(true),
            Some((_, summary, Some(into))) if summary == State::Folded.as_str() => fold = into,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// What one that was taken out leaves.
struct Left {
    kind: Kind,
    key: String,
    is_open: bool,
    count: i64,
    words: String,
    summary: Option<i64>,
    opened_at: Timestamp,
    window: Duration,
}

fn read_left(row: &Row<'_>) -> Result<Left, Damage> {
    Ok(Left {
        kind: row::word(row, "kind", Kind::ALL, Kind::as_str)?,
        key: row::column(row, "key")?,
        is_open: row::column::<String>(row, "state")? == "open",
        count: row::column(row, "count")?,
        words: row::column(row, "words")?,
        summary: row::column(row, "summary")?,
        opened_at: row::time(row, "opened_at")?,
        window: window(row)?,
    })
}

/// `count` of what `fold` tells of have ended. A summary that tells of nothing any more is not sent.
fn take_out(
    connection: &Connection,
    effects: &mut Effects,
    fold: i64,
    count: i64,
    shares: &[Share],
    now: Timestamp,
) -> Result<(), SpoolError> {
    let left = connection
        .prepare_cached(TAKE_OUT)?
        .query_row(params![fold, count], |row| Ok(read_left(row)))
        .optional()?;
    let Some(Ok(left)) = left else { return Ok(()) };
    if left.kind != Kind::Similar {
        tell(connection, fold, shares, -1)?;
    }
    let Some(summary) = left.summary else { return Ok(()) };
    let Some(mut from) = moves::standing_or_aside(connection, effects, summary)? else { return Ok(()) };
    if from.state == State::Folded {
        let into: Option<i64> =
            connection.prepare_cached(WHERE_IT_IS)?.query_row(params![summary], |row| row.get(0))?;
        if let Some(into) = into {
            let of_similar = [Share { words: left.words.clone(), count }];
            let shares = if left.kind == Kind::Similar { &of_similar } else { shares };
            take_out(connection, effects, into, count, shares, now)?;
        }
    }
    if left.count > 0 || !matches!(from.state, State::Held | State::Folded) {
        return Ok(());
    }
    let cause = Cause::new(EnhancedStatus::SUCCESS, "nothing is left that it would tell of");
    let end = End { state: FinalState::Cancelled, cause: &cause, now };
    moves::finish(connection, effects, &mut from, &end)?;
    // What says the same is still told by a summary, and the operator still knows of the limit.
    if left.is_open && matches!(left.kind, Kind::Similar | Kind::Overflow) {
        begin(connection, left.kind, &left.key, left.window, &left.words, left.opened_at.min(now), now)?;
    }
    Ok(())
}
