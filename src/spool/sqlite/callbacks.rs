//! What the platform says of its own accord about the parts of an SMS.
//!
//! A row for each part keeps the first final word about it. What the rows say counts more than what we made of
//! an answer, or of none.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::verdict::{self, Part};
use super::super::{SpoolError, Taken};
use super::course::Course;
use super::error::Damage;
use super::lane::Effects;
use super::moves::{
    self, End, STANDING_BY_ID, STANDING_BY_THEIRS, Standing, Unreadable, finish, next_way, step_to,
};
use super::{budget, early, orders, queue, row, timeline};
use crate::model::{About, Callback, Channel, FinalState, PartStatus, Price, Reason, State};
use crate::retry::later;

/// When the platform is asked about an SMS of which it has spoken: the other parts are to have their say
/// first.
const ASK_AFTER: Duration = Duration::from_secs(30);

/// Lines of a timeline beyond which callbacks add none, and beyond which only final words are taken.
const MOST_EVENTS: u32 = 600;

const HAS_IT: &str = "the platform itself says that it has it";

pub(super) const FIND: &str = "SELECT seq, ways, way FROM sms WHERE submission = ?1 AND ordinal = ?2";

pub(super) const PART: &str =
    "SELECT code, price FROM callback WHERE sms = ?1 AND channel = ?2 AND part = ?3";

pub(super) const PARTS: &str =
    "SELECT part, parts, code, description FROM callback WHERE sms = ?1 AND channel = ?2 ORDER BY part";

pub(super) const PRICES: &str = "SELECT price FROM callback WHERE sms = ?1 AND price IS NOT NULL";

pub(super) const WAS_TRIED: &str = "SELECT 1 FROM attempt WHERE sms = ?1 AND channel = ?2";

pub(super) const EVENT_COUNT: &str = "SELECT coalesce(max(n), 0) FROM event WHERE sms = ?1";

pub(super) const WRITE: &str = "INSERT INTO callback (sms, channel, part, parts, code, description, price, said_at, at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (sms, channel, part) DO UPDATE SET \
     parts = excluded.parts, code = excluded.code, description = excluded.description, \
     price = coalesce(excluded.price, price), said_at = excluded.said_at, at = excluded.at";

pub(super) const WRITE_PRICE: &str =
    "UPDATE callback SET price = ?4 WHERE sms = ?1 AND channel = ?2 AND part = ?3";

/// What is new in a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// What became of the part.
    Status,
    /// What it costs.
    Price(Price),
    /// It is about an SMS that never went that way: somebody guessed its id, or the platform confuses two. It
    /// leaves a line and nothing else, so that it can keep no SMS from being sent.
    Untried,
}

/// What is known of `callback` without writing anything; `None` when something of it may be new.
pub(super) fn known(connection: &Connection, callback: &Callback) -> Result<Option<Taken>, SpoolError> {
    if let About::Ours(id) = callback.about {
        // Most callbacks are the first about their part. That is soon seen, and the rest is for who writes.
        let params = params![id.submission.to_string(), id.ordinal];
        let mut statement = connection.prepare_cached(FIND)?;
        let place = statement
            .query_row(params, |row| Ok((row.get::<_, i64>("seq")?, Course::read(row))))
            .optional()?;
        match place {
            None => return Ok(Some(Taken::UnknownId)),
            Some((seq, Ok(course))) => {
                let key = (seq, course.channel_of(callback.channel));
                let is_possible = verdict::is_possible(callback);
                if is_possible && part_before(connection, key, callback.part)?.is_none() {
                    return Ok(None);
                }
            }
            Some((_, Err(_))) => {}
        }
    }
    // Looked at first: an answer that is written between the two is found by the second.
    let may_be_ours = early::may_be_ours(connection, &callback.about)?;
    match find(connection, &callback.about)? {
        None => Ok((!may_be_ours).then_some(Taken::UnknownId)),
        Some(Ok(from)) => Ok(change(connection, &from, callback)?.is_none().then_some(Taken::Repeated)),
        // Who writes sets it aside.
        Some(Err(_)) => Ok(None),
    }
}

/// See [`super::super::Spool::take_callback`].
pub(super) fn take(
    connection: &Connection,
    effects: &mut Effects,
    callback: &Callback,
    now: Timestamp,
) -> Result<Taken, SpoolError> {
    effects.idle = true;
    let mut from = match find(connection, &callback.about)? {
        None => return stranger(connection, effects, callback, now),
        Some(Ok(from)) => from,
        Some(Err(Unreadable { seq, damage })) => {
            queue::set_aside(connection, effects, seq, damage)?;
            return Ok(Taken::Damaged);
        }
    };
    let Some(change) = change(connection, &from, callback)? else { return Ok(Taken::Repeated) };
    effects.idle = false;
    let channel = from.course.channel_of(callback.channel);
    write(connection, effects, &from, callback, change, now)?;
    let id = from.id;
    if let State::Final(state) = from.state {
        return Ok(Taken::Late { id, state });
    }
    if change == Change::Status {
        take_effect(connection, effects, &mut from, channel, now)?;
    }
    let gateway = match from.gateway {
        Some(gateway) => orders::gateway_name(connection, gateway)?,
        None => None,
    };
    Ok(Taken::New { id, state: from.state, gateway })
}

/// Takes one about an SMS that nobody knows yet, or ever will.
fn stranger(
    connection: &Connection,
    effects: &mut Effects,
    callback: &Callback,
    now: Timestamp,
) -> Result<Taken, SpoolError> {
    match &callback.about {
        About::Theirs(theirs)
            if verdict::is_possible(callback) && early::may_be_ours(connection, &callback.about)? =>
        {
            effects.idle = false;
            early::keep(connection, theirs, callback, now)?;
            Ok(Taken::Early)
        }
        About::Theirs(_) | About::Ours(_) => Ok(Taken::UnknownId),
    }
}

/// Writes what the platform said of the SMS by `theirs`, the id that it has just told, before it told it.
pub(super) fn adopt(
    connection: &Connection,
    effects: &mut Effects,
    from: &Standing,
    theirs: &str,
    now: Timestamp,
) -> Result<(), SpoolError> {
    for callback in early::take(connection, theirs)? {
        if let Some(change) = change(connection, from, &callback)? {
            write(connection, effects, from, &callback, change, now)?;
        }
    }
    Ok(())
}

fn find(connection: &Connection, about: &About) -> Result<Option<Result<Standing, Unreadable>>, SpoolError> {
    match about {
        About::Ours(id) => {
            let params = params![id.submission.to_string(), id.ordinal];
            moves::standing(connection, STANDING_BY_ID, params)
        }
        About::Theirs(theirs) => moves::standing(connection, STANDING_BY_THEIRS, params![theirs]),
    }
}

/// What is new in `callback`; `None` when nothing is.
fn change(
    connection: &Connection,
    from: &Standing,
    callback: &Callback,
) -> Result<Option<Change>, SpoolError> {
    if !verdict::is_possible(callback) {
        return Ok(None);
    }
    let channel = from.course.channel_of(callback.channel);
    let change = match part_before(connection, (from.seq, channel), callback.part)? {
        None if !was_tried(connection, from, channel)? => Change::Untried,
        None => Change::Status,
        Some((code, price)) => {
            let before = PartStatus::of_code(code);
            match callback.price {
                _ if !before.is_final() && before != callback.status => Change::Status,
                Some(new) if price != Some(new.millionths()) => Change::Price(new),
                Some(_) | None => return Ok(None),
            }
        }
    };
    let is_bounded = change == Change::Status && callback.status.is_final();
    Ok((is_bounded || has_room(connection, from.seq)?).then_some(change))
}

/// The code and the price that are kept of a part.
fn part_before(
    connection: &Connection,
    (seq, channel): (i64, Channel),
    part: u32,
) -> Result<Option<(i64, Option<i64>)>, SpoolError> {
    let mut statement = connection.prepare_cached(PART)?;
    let params = params![seq, channel.as_str(), part];
    Ok(statement.query_row(params, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Whether the SMS was ever given to the platform by the way of this channel.
pub(super) fn was_tried(
    connection: &Connection,
    from: &Standing,
    channel: Channel,
) -> Result<bool, SpoolError> {
    // Nothing gets there but by its current way.
    if let State::Claimed | State::Unknown | State::Sent = from.state
        && channel == from.course.channel()
    {
        return Ok(true);
    }
    Ok(from.attempts > 0
        && connection.prepare_cached(WAS_TRIED)?.exists(params![from.seq, channel.as_str()])?)
}

fn has_room(connection: &Connection, seq: i64) -> Result<bool, SpoolError> {
    let lines: i64 = connection.prepare_cached(EVENT_COUNT)?.query_row(params![seq], |row| row.get(0))?;
    Ok(lines < i64::from(MOST_EVENTS))
}

fn write(
    connection: &Connection,
    effects: &mut Effects,
    from: &Standing,
    callback: &Callback,
    change: Change,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let channel = from.course.channel_of(callback.channel);
    let told = budget::told(connection, from.seq, from.course.channel())?;
    let key = (from.seq, channel.as_str(), callback.part);
    let mut note = match change {
        Change::Status => {
            connection.prepare_cached(WRITE)?.execute(params![
                key.0,
                key.1,
                key.2,
                callback.parts.max(callback.part),
                callback.status.code(),
                verdict::words(&callback.description),
                callback.price.map(Price::millionths),
                callback.at.map(row::millis),
                row::millis(now),
            ])?;
            verdict::note(callback)
        }
        Change::Price(price) => {
            connection.prepare_cached(WRITE_PRICE)?.execute(params![
                key.0,
                key.1,
                key.2,
                price.millionths()
            ])?;
            format!("callback: part {} of {} costs {price}", callback.part, callback.parts)
        }
        Change::Untried => {
            format!("{}, though it never went that way: not believed", verdict::note(callback))
        }
    };
    budget::correct(connection, effects, (from.seq, from.course.channel()), told, now)?;
    if !from.course.is_single() || callback.channel != from.course.channel() {
        note = format!("{note}, by {}", callback.channel);
    }
    if let State::Final(_) = from.state {
        note.push_str(", after the end");
    }
    if has_room(connection, from.seq)? {
        timeline::event(connection, from.seq, now, from.state.as_str(), &note)?;
    }
    Ok(())
}

/// Moves the SMS to where a new word about its way by `channel` says that it is. One that a worker has is left
/// to the worker, whose answer is judged by the same words.
fn take_effect(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    channel: Channel,
    now: Timestamp,
) -> Result<(), SpoolError> {
    if channel == from.course.channel() {
        if let State::Due | State::Unknown = from.state {
            let ask_at = later(now, ASK_AFTER);
            step_to(connection, effects, from, State::Sent, Some(ask_at), Some(HAS_IT), now)?;
        }
        return follow(connection, effects, from, now);
    }
    // An earlier way came through after all. What the next one has sent meanwhile can only repeat it.
    match from.state {
        State::Due | State::Unknown | State::Sent if is_delivered_before(connection, from)? => {
            let note = format!("the platform says that it went by {channel} after all");
            step_to(connection, effects, from, State::Sent, Some(now), Some(&note), now)?;
            follow(connection, effects, from, now)
        }
        State::Held
        | State::Folded
        | State::Due
        | State::Claimed
        | State::Unknown
        | State::Sent
        | State::Final(_) => Ok(()),
    }
}

/// Goes on with an SMS that is sent to what the callbacks say of it: those of its way, and before them that an earlier
/// one has brought it to the handset.
pub(super) fn follow(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    now: Timestamp,
) -> Result<(), SpoolError> {
    if from.state != State::Sent {
        return Ok(());
    }
    if is_delivered_before(connection, from)? {
        let cause = Reason::Delivered.cause();
        return finish(connection, effects, from, &End { state: FinalState::Delivered, cause: &cause, now });
    }
    let parts = parts(connection, from.seq, from.course.channel())?;
    match verdict::verdict(&parts) {
        None => Ok(()),
        Some((state, cause)) if state.is_failure() && from.course.has_next() => {
            next_way(connection, effects, from, &cause, now)
        }
        Some((state, cause)) => finish(connection, effects, from, &End { state, cause: &cause, now }),
    }
}

/// Where the platform itself has spoken of the SMS by its current way, or has delivered it by an earlier one, that
/// counts more than `doubt`: moves the SMS by it and returns `true`.
pub(super) fn contradict(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    doubt: &str,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    let is_spoken_of = !parts(connection, from.seq, from.course.channel())?.is_empty();
    match from.state {
        State::Claimed | State::Unknown if is_spoken_of || is_delivered_before(connection, from)? => {
            let note = format!("the platform itself has said that it has it (against: {doubt})");
            step_to(connection, effects, from, State::Sent, Some(now), Some(&note), now)?;
            follow(connection, effects, from, now)?;
            Ok(true)
        }
        // The doubt is older than the callback that brought it here: nobody has asked since.
        State::Sent => Ok(is_spoken_of && from.asked == 0),
        State::Held | State::Folded | State::Due | State::Claimed | State::Unknown | State::Final(_) => {
            Ok(false)
        }
    }
}

/// Whether an earlier way has brought it to the handset.
fn is_delivered_before(connection: &Connection, from: &Standing) -> Result<bool, SpoolError> {
    for channel in from.course.earlier() {
        let verdict = verdict::verdict(&parts(connection, from.seq, *channel)?);
        if verdict.is_some_and(|(state, _)| state == FinalState::Delivered) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is known of the parts of one way. A row that cannot be read back says nothing: the platform will be
/// asked.
fn parts(connection: &Connection, seq: i64, channel: Channel) -> Result<Vec<Part>, SpoolError> {
    let found = row::read_all(connection, PARTS, params![seq, channel.as_str()], read_part)?;
    Ok(found.into_iter().filter_map(|(_, part)| part.ok()).collect())
}

fn read_part(row: &Row<'_>) -> Result<Part, Damage> {
    Ok(Part {
        parts: row::column(row, "parts")?,
        status: PartStatus::of_code(row::column(row, "code")?),
        description: row::column(row, "description")?,
    })
}

/// What the parts of the SMS in row `seq` cost, by all its ways; `None` where the platform never said.
pub(super) fn price(connection: &Connection, seq: i64) -> Result<Option<Price>, SpoolError> {
    let mut statement = connection.prepare_cached(PRICES)?;
    let rows = statement.query_map(params![seq], |row| row.get(0))?;
    let prices: Vec<i64> = rows.collect::<Result<_, _>>()?;
    let prices = prices.into_iter().map(Price::from_millionths);
    Ok((prices.len() > 0).then(|| prices.sum()))
}
