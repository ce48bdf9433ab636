//! What was let go and has waited for the platform passes quiet hours and the limits of its phone again before it goes, so
//! that they bound what reaches the phone, and not only what was let go.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::super::SpoolError;
use super::fold::{self, Gathered, Kind, Load, Place};
use super::held::hold_on;
use super::lane::Effects;
use super::moves::{self, Standing};
use super::passage::{self, Candidate, Steps, Waiting};
use super::{budget, limits, pieces, queue, quiet, route, row, summary, timeline};
use crate::model::{HoldReason, State};

/// When its lifetime began to count.
pub(super) const FIRST_DUE: &str = "SELECT min(at) FROM event WHERE sms = ?1 AND state = 'due'";

/// It counts for nothing meanwhile, and is asked again.
const PUT_OFF: &str = "UPDATE sms SET next_at = ?2, since = ?3, expires_at = expires_at + ?4, \
     delayed_at = delayed_at + ?4, passed_at = 1 WHERE seq = ?1 AND state = 'due'";

/// While it waits it is nobody's head: whoever is behind it and may go does not wait for it.
const STAND_BY: &str = "UPDATE sms SET passed_at = 0, head = 0 WHERE seq = ?1 AND state = 'due'";

/// Most of those put off that one call makes heads again; the rest comes with the next.
const MOST_BACK: usize = 500;

/// Those put off whose time has come.
pub(super) const BACK: &str = "SELECT seq, destination, lane FROM sms INDEXED BY sms_put_off WHERE state = 'due' \
     AND attempts > 0 AND passed_at = 0 AND damaged = 0 AND next_at <= ?1 ORDER BY next_at LIMIT ?2";

/// When the first of them comes.
pub(super) const NEXT: &str =
    "SELECT min(next_at) FROM sms WHERE state = 'due' AND attempts > 0 AND passed_at = 0 AND damaged = 0";

/// It counts for nothing still, but is asked when its turn comes.
pub(super) const ASK: &str = "UPDATE sms SET passed_at = 1 WHERE seq = ?1";

/// How one that may not go waits.
enum Wait {
    /// It is told by the summary of what found no room.
    Folded(Place),
    /// It is a summary itself, and gathers on.
    Summary(Gathered, Timestamp, &'static str),
    /// It is held for the morning.
    Asleep(Timestamp),
    /// Where it is; and whether that is for the morning.
    Due(Timestamp, bool),
    /// What it tells of cannot be read: it was set aside.
    Aside,
}

/// Whether the due SMS in row `seq` may go now, which was counted some time ago; it counts as of now if so. One that may
/// not has been folded, is held, or is due later.
pub(super) fn pass(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    now: Timestamp,
) -> Result<bool, SpoolError> {
    let due = moves::standing_or_aside(connection, effects, seq)?.filter(|from| from.state == State::Due);
    let Some(mut from) = due else { return Ok(false) };
    let Some(waiting) = passage::waiting_or_aside(connection, effects, seq)? else { return Ok(false) };
    // Its time to be tried may have been put off since.
    let until = connection.prepare_cached(FIRST_DUE)?.query_row(params![seq], |row| {
        Ok(row.get::<_, Option<i64>>(0)?.and_then(|at| Timestamp::from_millisecond(at).ok()))
    })?;
    let waiting = Waiting { until: until.min(waiting.until), ..waiting };
    limits::take_out_waiting(connection, waiting.sms.destination.as_str())?;
    limits::take_back(connection, seq)?;
    // A text that has begun is finished; before, all its pieces go or none.
    let is_begun = pieces::is_begun(&waiting.sms, &waiting.passage);
    let others = if is_begun || from.attempts > 0 {
        Vec::new()
    } else {
        pieces::others_due(connection, effects, seq, &waiting)?
    };
    let count = u32::try_from(others.len() + 1).unwrap_or(u32::MAX);
    let candidate = Candidate { count, ..waiting.candidate() };
    let wait = if is_begun { None } else { wait(connection, effects, &from, &candidate, now)? };
    match wait {
        None => {
            limits::charge(connection, &candidate, &waiting.passage.phone_limits(), now)?;
            for seq in others.iter().map(|other| other.seq).chain([seq]) {
                limits::mark(connection, seq, now)?;
            }
            return Ok(true);
        }
        Some(Wait::Folded(place)) => {
            fold_one(connection, effects, &mut from, &waiting, &place, now)?;
            for other in others {
                let Some(mut from) = moves::standing_or_aside(connection, effects, other.seq)? else {
                    continue;
                };
                fold_one(connection, effects, &mut from, &other, &place, now)?;
            }
        }
        Some(Wait::Summary(of, until, why)) => {
            summary::hold_again(connection, effects, &mut from, &of, (until, why), now)?;
        }
        Some(Wait::Asleep(until)) => {
            hold_one(connection, effects, &mut from, waiting, until, now)?;
            for other in others {
                let Some(mut from) = moves::standing_or_aside(connection, effects, other.seq)? else {
                    continue;
                };
                hold_one(connection, effects, &mut from, other, until, now)?;
            }
        }
        Some(Wait::Due(until, is_asleep)) => {
            let shift = if is_asleep { until.duration_since(now) } else { SignedDuration::ZERO };
            let shift = i64::try_from(shift.as_millis()).unwrap_or_default();
            connection.prepare_cached(PUT_OFF)?.execute(params![
                seq,
                row::millis(until),
                row::millis(now),
                shift
            ])?;
            let why = if is_asleep { "quiet hours" } else { "no room for the phone" };
            timeline::event(connection, seq, now, State::Due.as_str(), &format!("{why} until {until}"))?;
            // But what is behind the first piece of a text may be the next one.
            if waiting.passage.pieces.is_none() {
                connection.prepare_cached(STAND_BY)?.execute(params![seq])?;
                let lane = route::lane_column(waiting.lane);
                queue::elect_head(connection, effects, waiting.sms.destination.as_str(), lane)?;
            }
        }
        Some(Wait::Aside) => {}
    }
    Ok(false)
}

/// What was put off takes its place in the order of acceptance again when its time comes. Returns how many; up to a bound.
pub(super) fn come_back(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<usize, SpoolError> {
    let params = params![row::millis(now), row::limit(MOST_BACK)];
    let found = row::read_all(connection, BACK, params, |row| {
        Ok((row::column::<String>(row, "destination")?, row::column::<i64>(row, "lane")?))
    })?;
    let count = found.len();
    for (seq, place) in found {
        match place {
            Ok((destination, lane)) => {
                connection.prepare_cached(ASK)?.execute(params![seq])?;
                queue::elect_head(connection, effects, &destination, lane)?;
            }
            Err(damage) => queue::set_aside(connection, effects, seq, damage)?,
        }
    }
    // Perhaps there are more.
    effects.due |= count == MOST_BACK;
    Ok(count)
}

/// What it was charged is given back; its summary is charged by itself.
fn fold_one(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    waiting: &Waiting,
    place: &Place,
    now: Timestamp,
) -> Result<(), SpoolError> {
    effects.unused.extend(waiting.candidate().unused(now));
    budget::give_back(connection, from.seq, now)?;
    fold::lay_down(connection, effects, from, place, now)
}

/// What it was charged is given back until the morning, and what is left of its lifetime counts from then on.
fn hold_one(
    connection: &Connection,
    effects: &mut Effects,
    from: &mut Standing,
    waiting: Waiting,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), SpoolError> {
    budget::give_back(connection, from.seq, now)?;
    let note = format!("held until {until}: {}", HoldReason::Quiet.as_str());
    moves::step_to(connection, effects, from, State::Held, Some(until), Some(&note), now)?;
    let waiting = Waiting { until: Some(now), ..waiting };
    hold_on(connection, &waiting, (HoldReason::Quiet, until), Steps::Held, now)
}

/// How it is to wait; `None` where it may go.
fn wait(
    connection: &Connection,
    effects: &mut Effects,
    from: &Standing,
    candidate: &Candidate<'_>,
    now: Timestamp,
) -> Result<Option<Wait>, SpoolError> {
    let asleep_until = quiet::asleep_until(candidate, now);
    let room_at = || limits::free_at(connection, candidate, &candidate.passage.phone_limits(), now);
    // By the platform's word it does not have it, or not by this way. Should that prove wrong, then by a callback about
    // what can still be stopped, with the words that it was given. So it is neither folded nor written anew.
    if from.attempts > 0 {
        return Ok(match asleep_until {
            Some(until) => Some(Wait::Due(until, true)),
            None if candidate.passage.is_exempt => None,
            None => room_at()?.map(|until| Wait::Due(until, false)),
        });
    }
    let gathered = match fold::of_summary(connection, from.seq)? {
        None => None,
        Some(Ok(of)) => Some(of),
        Some(Err(damage)) => {
            queue::set_aside(connection, effects, from.seq, damage)?;
            return Ok(Some(Wait::Aside));
        }
    };
    let load = match (gathered, asleep_until) {
        (None, Some(until)) => return Ok(Some(Wait::Asleep(until))),
        (Some(of), Some(_)) => {
            let until = quiet::summary_asleep_until(candidate, now).unwrap_or(now);
            return Ok(Some(Wait::Summary(of, until, "quiet hours")));
        }
        _ if candidate.passage.is_exempt => return Ok(None),
        (Some(of), None)
            if of.kind == Kind::Overflow && !passage::has_overflow(connection, candidate, now)? =>
        {
            return Ok(room_at()?.map(|until| Wait::Summary(of, until, "no room")));
        }
        (Some(of), None) => fold::load(connection, &of)?,
        (None, None) => Load::of(candidate),
    };
    Ok(passage::overflow_again(connection, effects, candidate, &load, now)?.map(Wait::Folded))
}
