//! SMS that are to be sent: which is the head of its destination and lane, claiming what is due, expiring what is
//! too old.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Call, Claimed, MOST_IN_A_CALL, Room, SpoolError};
use super::error::Damage;
use super::lane::Effects;
use super::orders::{self, Order};
use super::route::{self, route_columns};
use super::row::{self, sms_columns};
use super::settle::{self, End};
use super::{again, closing, held, limits, timeline};
use crate::model::{FinalState, Lane, Reason, State, Way};

/// Most SMS that one call expires; the rest comes with the next.
const MOST_EXPIRED: usize = 500;

/// Most SMS of a lane that one call finds no room for at their phones before it leaves the rest to the next.
const MOST_LEFT: usize = 500;

macro_rules! claimable {
    ($index:literal, $which:literal) => {
        concat!(
            "SELECT ",
            sms_columns!(),
            ", sms.attempts, sms.expires_at, sms.next_at, sms.lane, sms.batch, sms.gateway, sms.failures, sms.passed_at, ",
            route_columns!(),
            ", submission.received_at FROM sms INDEXED BY ",
            $index,
            " CROSS JOIN submission ON submission.id = sms.submission \
             WHERE sms.state = 'due' AND sms.head = 1 AND sms.damaged = 0 ",
            $which,
            "AND sms.lane = ?2 AND sms.gateway_order = ?3 AND sms.next_at <= ?1 AND sms.expires_at > ?1 \
             ORDER BY sms.next_at, sms.seq LIMIT ?4"
        )
    };
}
pub(super) const CLAIMABLE: &str = claimable!("sms_claimable", "");
/// Those that may go in one call with another one.
pub(super) const TOGETHER: &str =
    claimable!("sms_batch", "AND sms.submission = ?5 AND sms.batch = ?6 AND sms.way = ?7 ");

const CLAIM: &str = "UPDATE sms SET state = 'claimed', since = ?2, next_at = NULL, asked = 0, attempts = ?3, \
     gateway = ?4, failures = ?5 WHERE seq = ?1";

pub(super) const EXPIRING: &str = "SELECT seq FROM sms WHERE state = 'due' AND damaged = 0 AND expires_at <= ?1 \
     ORDER BY expires_at, seq LIMIT ?2";

pub(super) const DESTINATION: &str = "SELECT destination, lane FROM sms WHERE seq = ?1";

pub(super) const HEAD: &str = "SELECT seq, state FROM sms WHERE destination = ?1 AND lane = ?2 AND head = 1";

/// What stands by lets others go before it; see [`again`].
pub(super) const NEXT_HEAD: &str = "SELECT seq, state FROM sms WHERE destination = ?1 AND lane = ?2 \
     AND state IN ('due', 'claimed', 'unknown') AND damaged = 0 \
     AND NOT (state = 'due' AND attempts > 0 AND passed_at IS 0) ORDER BY seq LIMIT 1";

pub(super) const SET_HEAD: &str = "UPDATE sms SET head = ?2 WHERE seq = ?1";

/// For when it is not known which destination lost its head.
const MAKE_MISSING_HEADS: &str = "UPDATE sms SET head = 1 WHERE seq IN (SELECT min(seq) FROM sms \
     WHERE state IN ('due', 'claimed', 'unknown') AND damaged = 0 \
     AND NOT (state = 'due' AND attempts > 0 AND passed_at IS 0) AND NOT EXISTS \
     (SELECT 1 FROM sms AS other WHERE other.destination = sms.destination AND other.lane = sms.lane \
     AND other.head = 1) GROUP BY destination, lane)";

const SET_ASIDE: &str = "UPDATE sms SET damaged = 1, head = 0 WHERE seq = ?1 AND damaged = 0";

/// The head of a lane and an order that is due first.
pub(super) const NEXT_ATTEMPT: &str = "SELECT min(next_at) FROM sms WHERE state = 'due' AND head = 1 AND damaged = 0 \
     AND lane = ?1 AND gateway_order = ?2";

/// The first to expire, head or not.
pub(super) const NEXT_EXPIRY: &str = "SELECT min(expires_at) FROM sms WHERE state = 'due' AND damaged = 0";

/// See [`super::super::Spool::claim_due`].
pub(super) fn claim_due(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
    rooms: &[Room],
) -> Result<Vec<Call>, SpoolError> {
    let moved = held::release_ready(connection, effects, now)?
        + expire(connection, effects, now)?
        + closing::go_on(connection, effects, now)?
        + again::come_back(connection, effects, now)?;
    let door = |room: &Room| Door { name: room.gateway.clone(), id: None, room: room.calls };
    let doors = rooms.iter().map(door).collect();
    let mut claim = Claim { connection, effects, now, doors, calls: Vec::new(), left: 0 };
    if claim.doors.iter().any(|door| door.room.iter().any(|calls| *calls > 0)) {
        let known: Vec<&str> = rooms.iter().map(|room| room.gateway.as_str()).collect();
        let orders = orders::all(connection)?;
        for lane in Lane::ALL {
            let lineup = |order: &Order| Lineup {
                order: order.id,
                doors: reachable(order.among(&known), rooms, lane),
                has_choice: order.has_choice(&known),
            };
            let lineups: Vec<Lineup> = orders.iter().map(lineup).collect();
            claim.lane(lane, &lineups)?;
        }
    }
    let Claim { calls, left, .. } = claim;
    effects.idle = calls.is_empty() && moved == 0 && left == 0;
    Ok(calls)
}

/// Those of an order's doors that its messages of `lane` may go by now: up to the first that is open, since what
/// finds that one busy waits for it.
fn reachable(mut doors: Vec<usize>, rooms: &[Room], lane: Lane) -> Vec<usize> {
    if let Some(first) = doors.iter().position(|door| rooms[*door].is_open) {
        doors.truncate(first + 1);
        doors.retain(|door| rooms[*door].is_open || !rooms[*door].may_hang || lane != Lane::Critical);
    }
    doors
}

/// A gateway while its room is given away.
struct Door {
    name: String,
    /// Its number, from the first call on.
    id: Option<i64>,
    room: [usize; 3],
}

/// An order of gateways, as far as the SMS of one lane go by it now.
struct Lineup {
    /// Its number.
    order: i64,
    /// Those that they may go by, in this order.
    doors: Vec<usize>,
    /// Whether one that moves on finds another.
    has_choice: bool,
}

/// One call of [`claim_due`].
struct Claim<'a> {
    connection: &'a Connection,
    effects: &'a mut Effects,
    now: Timestamp,
    doors: Vec<Door>,
    calls: Vec<Call>,
    /// How many were due and found no room at their phones any more.
    left: usize,
}

/// A head that may be claimed.
struct Ready {
    claimed: Claimed,
    next_at: i64,
    /// When it was counted in the limits of its phone, in milliseconds; `None` where it has none.
    passed_at: Option<i64>,
    batch: Option<i64>,
    /// The number of the gateway that the failures of `claimed` are those of.
    gateway: Option<i64>,
    way: Way,
    /// The place of `way` among its ways.
    place: usize,
}

impl Claim<'_> {
    /// Claims what of `lane` there is room for.
    fn lane(&mut self, lane: Lane, lineups: &[Lineup]) -> Result<(), SpoolError> {
        let most = self.left + MOST_LEFT;
        loop {
            let before = self.left;
            let mut is_all = true;
            let mut found = Vec::new();
            for lineup in lineups {
                let limit = self.room(lane, &lineup.doors);
                if limit == 0 {
                    continue;
                }
                let params =
                    params![row::millis(self.now), route::lane_column(lane), lineup.order, row::limit(limit)];
                let rows = row::read_all(self.connection, CLAIMABLE, params, read_ready)?;
                is_all &= rows.len() < limit;
                for (seq, ready) in self.sound(rows)? {
                    found.push((ready.next_at, seq, ready, lineup));
                }
            }
            // Of several orders, too, the longest due first.
            found.sort_unstable_by_key(|(next_at, seq, ..)| (*next_at, *seq));
            let mut taken_along = HashSet::new();
            for (_, seq, ready, lineup) in found {
                let open = lineup.doors.iter().find(|door| self.doors[**door].room[lane.index()] > 0);
                if let Some(door) = open
                    && !taken_along.contains(&seq)
                {
                    self.call(*door, lane, lineup, seq, ready, &mut taken_along)?;
                }
            }
            // Of what was found some may have gone together, so that there is room for more; and behind what found no room at
            // its phone is the next.
            if is_all && self.left == before {
                return Ok(());
            }
            if self.left >= most {
                self.effects.due = true;
                return Ok(());
            }
        }
    }

    /// How many calls of `lane` these doors can take.
    fn room(&self, lane: Lane, doors: &[usize]) -> usize {
        let calls = doors.iter().map(|door| self.doors[*door].room[lane.index()]);
        calls.fold(0, usize::saturating_add)
    }

    /// What of `rows` can be read; the others are set aside.
    fn sound(&mut self, rows: row::Found<Ready>) -> Result<Vec<(i64, Ready)>, SpoolError> {
        let mut sound = Vec::new();
        for (seq, ready) in rows {
            match ready {
                Ok(ready) => sound.push((seq, ready)),
                Err(damage) => set_aside(self.connection, self.effects, seq, damage)?,
            }
        }
        Ok(sound)
    }

    /// Claims one SMS, and by the legacy door those that may go with it.
    fn call(
        &mut self,
        door: usize,
        lane: Lane,
        lineup: &Lineup,
        seq: i64,
        ready: Ready,
        taken_along: &mut HashSet<i64>,
    ) -> Result<(), SpoolError> {
        if !self.may_go(seq, &ready)? {
            return Ok(());
        }
        for room in &mut self.doors[door].room {
            *room = room.saturating_sub(1);
        }
        let (way, batch, place) = (ready.way.clone(), ready.batch, ready.place);
        let first = self.begin(door, lineup, seq, ready)?;
        let submission = first.sms.id.submission.to_string();
        let mut messages = vec![first];
        if let (Way::Legacy(_), Some(batch)) = (&way, batch) {
            let params = params![
                row::millis(self.now),
                route::lane_column(lane),
                lineup.order,
                row::limit(MOST_IN_A_CALL - 1),
                submission,
                batch,
                row::limit(place),
            ];
            let rows = row::read_all(self.connection, TOGETHER, params, read_ready)?;
            for (seq, ready) in self.sound(rows)? {
                taken_along.insert(seq);
                if self.may_go(seq, &ready)? {
                    messages.push(self.begin(door, lineup, seq, ready)?);
                }
            }
        }
        self.calls.push(Call { gateway: self.doors[door].name.clone(), way, messages });
        Ok(())
    }

    /// Whether it may go now: what has waited since it was let go asks again.
    fn may_go(&mut self, seq: i64, ready: &Ready) -> Result<bool, SpoolError> {
        if !ready.passed_at.is_some_and(|at| limits::is_stale(at, self.now)) {
            return Ok(true);
        }
        let may_go = again::pass(self.connection, self.effects, seq, self.now)?;
        self.left += usize::from(!may_go);
        Ok(may_go)
    }

    /// Records that an attempt begins.
    fn begin(&mut self, door: usize, lineup: &Lineup, seq: i64, ready: Ready) -> Result<Claimed, SpoolError> {
        let Self { connection, now, .. } = *self;
        let Ready { mut claimed, way, gateway: before, .. } = ready;
        let door = &mut self.doors[door];
        let gateway = match door.id {
            Some(id) => id,
            None => *door.id.insert(orders::intern_gateway(connection, &door.name)?),
        };
        claimed.has_other_gateway = lineup.has_choice;
        if before != Some(gateway) {
            claimed.failures = 0;
        }
        let params = params![seq, row::millis(now), claimed.attempt, gateway, claimed.failures];
        connection.prepare_cached(CLAIM)?.execute(params)?;
        timeline::begin_attempt(connection, seq, claimed.attempt, now, (gateway, way.channel()))?;
        let note = format!("attempt {} began", claimed.attempt);
        timeline::event(connection, seq, now, State::Claimed.as_str(), &note)?;
        Ok(claimed)
    }
}

fn read_ready(row: &Row<'_>) -> Result<Ready, Damage> {
    // A report will need it: better set aside now than found out after sending.
    row::recipient(row)?;
    let before: u32 = row::column(row, "attempts")?;
    let route = route::read(row)?;
    Ok(Ready {
        claimed: Claimed {
            sms: row::sms(row)?,
            attempt: before.checked_add(1).ok_or(Damage("attempts"))?,
            accepted_at: row::time(row, "received_at")?,
            expires_at: row::time(row, "expires_at")?,
            lane: route::lane(row)?,
            has_next_way: route.has_next,
            silence: route.silence,
            failures: row::column(row, "failures")?,
            // For its order to say.
            has_other_gateway: false,
        },
        next_at: row::column(row, "next_at")?,
        passed_at: row::column(row, "passed_at")?,
        batch: row::column(row, "batch")?,
        gateway: row::column(row, "gateway")?,
        way: route.way,
        place: route.place,
    })
}

/// Expires what has outlived its time, up to a bound, and returns how many.
fn expire(connection: &Connection, effects: &mut Effects, now: Timestamp) -> Result<usize, SpoolError> {
    let expiring = rows(connection, EXPIRING, now, MOST_EXPIRED)?;
    let cause = Reason::Expired.cause();
    for seq in &expiring {
        settle::end(connection, effects, *seq, &End { state: FinalState::Expired, cause: &cause, now })?;
    }
    // Perhaps there are more.
    effects.due |= expiring.len() == MOST_EXPIRED;
    Ok(expiring.len())
}

/// Up to `limit` rows whose time has come by `sql`.
pub(super) fn rows(
    connection: &Connection,
    sql: &str,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<i64>, SpoolError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![row::millis(now), row::limit(limit)], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the first of what `claim_due` does is due, in milliseconds; what goes by a gateway that is not `open` only
/// to be released or expired. See [`super::super::Queue::Due`].
pub(super) fn next(
    connection: &Connection,
    open: &[String],
    known: &[String],
) -> Result<Option<i64>, SpoolError> {
    let first = |sql: &str, params: &[i64]| -> Result<Option<i64>, SpoolError> {
        let params = rusqlite::params_from_iter(params);
        Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
    };
    let mut next = None;
    for sql in [NEXT_EXPIRY, held::NEXT_EXPIRY, held::NEXT_RELEASE, closing::NEXT, again::NEXT] {
        next = next.into_iter().chain(first(sql, &[])?).min();
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    for order in orders::all(connection)? {
        if !order.among(&known).iter().any(|place| open.iter().any(|open| open == known[*place])) {
            continue;
        }
        for lane in Lane::ALL {
            let head = first(NEXT_ATTEMPT, &[route::lane_column(lane), order.id])?;
            next = next.into_iter().chain(head).min();
        }
    }
    Ok(next)
}

/// Makes the earliest SMS that waits for `destination` in `lane` its head, unless the head is under way or unknown.
/// To be called when the head has left, before which its flag is taken, and when one has come back.
pub(super) fn elect_head(
    connection: &Connection,
    effects: &mut Effects,
    destination: &str,
    lane: i64,
) -> Result<(), SpoolError> {
    let find = |sql| -> Result<Option<(i64, String)>, SpoolError> {
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row(params![destination, lane], |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(found.optional()?)
    };
    let head = find(HEAD)?;
    let is = |state: &str, wanted: State| state == wanted.as_str();
    if head.as_ref().is_some_and(|(_, state)| is(state, State::Claimed) || is(state, State::Unknown)) {
        return Ok(());
    }
    let Some((next, state)) = find(NEXT_HEAD)? else { return Ok(()) };
    match head {
        Some((head, _)) if head == next => return Ok(()),
        Some((head, _)) => connection.prepare_cached(SET_HEAD)?.execute(params![head, false])?,
        None => 0,
    };
    connection.prepare_cached(SET_HEAD)?.execute(params![next, true])?;
    effects.due |= is(&state, State::Due);
    Ok(())
}

/// Takes the row out of every queue until the next start, and lets the destination's next one pass.
/// It stays as it is, for whoever repairs it. One that is set aside already is not told of again.
pub(super) fn set_aside(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    damage: Damage,
) -> Result<(), SpoolError> {
    if connection.prepare_cached(SET_ASIDE)?.execute(params![seq])? == 0 {
        return Ok(());
    }
    effects.damaged.push(format!("SMS in row {seq} of table sms is damaged: {damage}"));
    let place: Option<(String, i64)> = connection
        .prepare_cached(DESTINATION)?
        .query_row(params![seq], |row| Ok(row.get(0).ok().zip(row.get(1).ok())))?;
    match place {
        Some((destination, lane)) if damage != Damage("destination") => {
            elect_head(connection, effects, &destination, lane)
        }
        Some(_) | None => elect_missing_heads(connection, effects),
    }
}

/// Gives a head to every destination that has none; looks at everything that waits.
pub(super) fn elect_missing_heads(connection: &Connection, effects: &mut Effects) -> Result<(), SpoolError> {
    let elected = connection.prepare_cached(MAKE_MISSING_HEADS)?.execute([])?;
    effects.due |= elected > 0;
    Ok(())
}
