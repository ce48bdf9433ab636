//! Waits that reach further ahead than they can have been meant, since the clock was put back after they were set.
//!
//! A walk through the queues, a bounded number of rows in each transaction. What was put off knows by `since` for
//! how long; a question does not, as `since` tells when its SMS came into its state.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{QUESTION_LEASE, SpoolError, Waits};
use super::error::Damage;
use super::lane::Effects;
use super::{orders, row};

/// Most rows that one transaction looks at.
const MOST_SEEN: usize = 500;

/// All that is due, as what is behind another waits, too, and no index has its times. What has outlived its time is
/// left to expire. What was released keeps the time until which somebody wished it to be held: that is before its
/// release.
pub(super) const DUE: &str = "SELECT seq, expires_at AS place, since, next_at, NULL AS options FROM sms \
     WHERE state = 'due' AND damaged = 0 AND (expires_at, seq) > (?1, ?2) AND NOT (attempts = 0 AND next_at < since) \
     ORDER BY expires_at, seq LIMIT ?3";

/// What waits until a summary goes or a budget is new; nobody wished for that time.
pub(super) const HELD: &str = "SELECT seq, next_at AS place, since, next_at, NULL AS options FROM sms \
     WHERE state = 'held' AND damaged = 0 AND (next_at, seq) > (?1, ?2) AND hold_reason IN ('summary', 'budget') \
     ORDER BY next_at, seq LIMIT ?3";

macro_rules! asked {
    ($state:literal) => {
        concat!(
            "SELECT seq, next_at AS place, NULL AS since, next_at, options FROM sms WHERE state = '",
            $state,
            "' AND damaged = 0 AND gateway = ?4 AND (next_at, seq) > (?1, ?2) ORDER BY next_at, seq LIMIT ?3"
        )
    };
}
pub(super) const UNKNOWN: &str = asked!("unknown");
pub(super) const SENT: &str = asked!("sent");

pub(super) const MAIL: &str = "SELECT seq, next_at AS place, since, next_at, NULL AS options FROM outgoing_mail \
     WHERE state = 'due' AND damaged = 0 AND (next_at, seq) > (?1, ?2) ORDER BY next_at, seq LIMIT ?3";

pub(super) const TELLINGS: &str = "SELECT sms, next_at AS place, since, next_at, NULL AS options FROM telling \
     WHERE state = 'due' AND damaged = 0 AND (next_at, sms) > (?1, ?2) ORDER BY next_at, sms LIMIT ?3";

/// Of a case that was put off some news is from before: that waits for other pieces of its text, and as long as
/// they may live.
pub(super) const CASES: &str = "UPDATE submission SET case_at = ?1 WHERE rowid IN (SELECT rowid FROM submission \
     WHERE damaged = 0 AND case_at > ?1 \
     AND NOT EXISTS (SELECT 1 FROM sms WHERE sms.submission = submission.id AND sms.report = 'owed' \
       AND sms.damaged = 0 AND sms.ended_at <= ?1) \
     AND NOT EXISTS (SELECT 1 FROM sms WHERE sms.submission = submission.id AND sms.delay_report = 'owed' \
       AND sms.damaged = 0 AND sms.late_at <= ?1) \
     AND NOT EXISTS (SELECT 1 FROM sms WHERE sms.submission = submission.id AND sms.expand_report = 'owed' \
       AND sms.damaged = 0 AND submission.received_at <= ?1) LIMIT ?2)";

pub(super) const SHORTEN: &str = "UPDATE sms SET next_at = ?2, since = min(since, ?3) WHERE seq = ?1";
pub(super) const SHORTEN_MAIL: &str =
    "UPDATE outgoing_mail SET next_at = ?2, since = min(since, ?3) WHERE seq = ?1";
pub(super) const SHORTEN_TELLING: &str =
    "UPDATE telling SET next_at = ?2, since = min(since, ?3) WHERE sms = ?1";

/// A queue; where it has one for each gateway, with the gateway's number.
#[derive(Clone, Copy, Debug)]
enum Queue {
    Due,
    Held,
    Unknown(i64),
    Sent(i64),
    Mail,
    Tellings,
    Cases,
}

/// Where the walk is between two transactions.
pub(super) struct Walk {
    now: i64,
    waits: Waits,
    /// Queues that are still to be walked, the one that it is in last.
    left: Vec<Queue>,
    /// The last row that was seen in that one: its place in the index, and its number.
    place: Option<(i64, i64)>,
}

impl Walk {
    /// At the beginning.
    pub(super) fn new(connection: &Connection, now: Timestamp, waits: Waits) -> Result<Self, SpoolError> {
        let mut left = vec![Queue::Cases, Queue::Tellings, Queue::Mail];
        for (gateway, _) in orders::gateways(connection)? {
            left.extend([Queue::Sent(gateway), Queue::Unknown(gateway)]);
        }
        left.extend([Queue::Held, Queue::Due]);
        Ok(Self { now: row::millis(now), waits, left, place: None })
    }

    /// Goes on by some rows. Returns how many waits were shortened, and where to go on from; `None` at the end.
    pub(super) fn go_on(
        mut self,
        connection: &Connection,
        effects: &mut Effects,
    ) -> Result<(usize, Option<Self>), SpoolError> {
        let Some(queue) = self.left.last().copied() else { return Ok((0, None)) };
        let (count, place) = self.shorten(connection, queue)?;
        if count > 0 {
            match queue {
                Queue::Due | Queue::Held => effects.due = true,
                Queue::Unknown(_) => effects.unknown = true,
                Queue::Sent(_) => effects.sent = true,
                Queue::Mail => effects.mail = true,
                Queue::Tellings => effects.tellings = true,
                Queue::Cases => effects.cases = true,
            }
        }
        self.place = place;
        if place.is_none() {
            self.left.pop();
        }
        Ok((count, Some(self)))
    }

    /// Shortens the waits of the next rows of `queue`. Returns how many, and the last row where there may be more.
    fn shorten(
        &self,
        connection: &Connection,
        queue: Queue,
    ) -> Result<(usize, Option<(i64, i64)>), SpoolError> {
        let asked = |most| i64::saturating_add(self.now, millis(most));
        // `from`: what is before it in the index was not put off, or for no longer than it may be.
        let (find, most, from, gateway, shorten) = match queue {
            Queue::Due => (DUE, self.waits.due, self.now, None, SHORTEN),
            Queue::Held => (HELD, Duration::MAX, self.now, None, SHORTEN),
            Queue::Unknown(gateway) => {
                let most = self.waits.unknown.max(QUESTION_LEASE);
                (UNKNOWN, most, asked(most), Some(gateway), SHORTEN)
            }
            Queue::Sent(gateway) => {
                let most = self.waits.sent.max(QUESTION_LEASE);
                (SENT, most, asked(most), Some(gateway), SHORTEN)
            }
            Queue::Mail => (MAIL, self.waits.mail, self.now, None, SHORTEN_MAIL),
            Queue::Tellings => (TELLINGS, self.waits.tellings, self.now, None, SHORTEN_TELLING),
            Queue::Cases => {
                let params = params![self.now, row::limit(MOST_SEEN)];
                let count = connection.prepare_cached(CASES)?.execute(params)?;
                return Ok((count, (count == MOST_SEEN).then_some((0, 0))));
            }
        };
        let (place, seq) = self.place.unwrap_or((from, i64::MAX));
        let limit = row::limit(MOST_SEEN);
        let found = match gateway {
            None => row::read_all(connection, find, params![place, seq, limit], read)?,
            Some(gateway) => row::read_all(connection, find, params![place, seq, limit, gateway], read)?,
        };
        let is_all = found.len() < MOST_SEEN;
        let (mut count, mut last) = (0, None);
        for (seq, waiting) in found {
            let Ok(waiting) = waiting else { continue };
            last = Some((waiting.place, seq));
            if let Some(until) = waiting.shortened(self.now, millis(most)) {
                connection.prepare_cached(shorten)?.execute(params![seq, until, self.now])?;
                count += 1;
            }
        }
        Ok((count, last.filter(|_| !is_all)))
    }
}

fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

/// A row that waits. Times in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Its place in the index that is walked.
    place: i64,
    /// When it began to wait, where that is known.
    since: Option<i64>,
    /// Until when.
    until: i64,
    /// When it begins to count at all, where somebody wished for a time.
    not_before: Option<i64>,
}

fn read(row: &Row<'_>) -> Result<Waiting, Damage> {
    // What cannot be read is set aside when its turn comes.
    let options = row::column::<Option<String>>(row, "options").unwrap_or_default();
    let scheduled_at = options.and_then(|written| row::options(&written).ok()?.scheduled_at);
    Ok(Waiting {
        place: row::column(row, "place")?,
        since: row::column(row, "since")?,
        until: row::column(row, "next_at")?,
        not_before: scheduled_at.map(row::millis),
    })
}

impl Waiting {
    /// Until when it waits instead; `None` where it may wait as it does. What began in a future that was taken back
    /// begins now, and nothing waits for longer than `most`.
    fn shortened(self, now: i64, most: i64) -> Option<i64> {
        let counts_from = self.not_before.unwrap_or(now).max(now);
        let began = self.since.unwrap_or(counts_from).max(counts_from);
        let left = self.until.saturating_sub(began).clamp(0, most);
        let until = counts_from.saturating_add(left);
        (until < self.until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_shortened_only_where_it_cannot_have_been_meant() {
        // since, until, not before; until when instead, at 1000 and with 100 at most.
        let table = [
            (Some(1000), 1100, None, None),
            (Some(1000), 1101, None, Some(1100)),
            // From a future that was taken back: as long as it was meant.
            (Some(1001), 1006, None, Some(1005)),
            (Some(9000), 9005, None, Some(1005)),
            (Some(9000), 9101, None, Some(1100)),
            (Some(9000), 9000, None, Some(1000)),
            // It came to its state before, and was asked about in that future.
            (None, 1100, None, None),
            (None, 9000, None, Some(1100)),
            // Nobody is asked before the time that somebody wished for.
            (None, 5100, Some(5000), None),
            (None, 5101, Some(5000), Some(5100)),
            (None, 1101, Some(900), Some(1100)),
            // Nonsense is no reason to fail.
            (Some(i64::MIN), i64::MAX, None, Some(1100)),
            (Some(i64::MAX), i64::MIN, Some(i64::MIN), None),
            (Some(i64::MAX), i64::MAX, None, Some(1000)),
            (None, i64::MAX, Some(i64::MAX), None),
        ];
        for (since, until, not_before, expected) in table {
            let waiting = Waiting { place: 0, since, until, not_before };
            assert_eq!(waiting.shortened(1000, 100), expected, "{waiting:?}");
        }
    }
}
