//! The start: what a dead process left half-way, what somebody repaired by hand meanwhile, and what a dry run
//! leaves alone.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::{QUESTION_LEASE, Recovered, SpoolError};
use super::lane::Effects;
use super::{cases, mail, orders, queue, row, settle, tellings};
use crate::retry::later;

const CLAIMED: &str = "SELECT seq, attempts FROM sms WHERE state = 'claimed' AND damaged = 0";

/// A question that died with its process looks like one that waits for its back-off; some of those are
/// asked too early by this, which costs little.
pub(super) const ASKED: [&str; 2] = [
    "UPDATE sms SET next_at = ?1 WHERE state = 'unknown' AND damaged = 0 AND gateway = ?3 AND next_at > ?1 \
     AND next_at <= ?2",
    "UPDATE sms SET next_at = ?1 WHERE state = 'sent' AND damaged = 0 AND gateway = ?3 AND next_at > ?1 \
     AND next_at <= ?2",
];

/// Records that were set aside get another chance; those still damaged are set aside again.
const SECOND_CHANCES: [&str; 3] = [
    "UPDATE sms SET damaged = 0 WHERE damaged = 1",
    "UPDATE submission SET damaged = 0 WHERE damaged = 1",
    "UPDATE outgoing_mail SET damaged = 0 WHERE damaged = 1",
];

/// Whose SMS were set aside, those of a dry run among them.
const SET_ASIDE: &str = "SELECT submission FROM sms INDEXED BY sms_damaged WHERE damaged = 1";

/// What was accepted to be sent, and could still go to the platform. Options that cannot be read are no reason to
/// believe that it may not be sent.
macro_rules! real {
    ($index:literal, $which:literal) => {
        concat!(
            "UPDATE sms INDEXED BY ",
            $index,
            " SET damaged = 1, head = 0 WHERE damaged = 0 AND NOT CASE WHEN json_valid(options) \
             THEN coalesce(json_extract(options, '$.simulation'), 0) ELSE 0 END AND ",
            $which
        )
    };
}
const REAL: [&str; 5] = [
    real!("sms_held", "state = 'held'"),
    real!("sms_folded", "state = 'folded'"),
    real!("sms_expiring", "state = 'due'"),
    real!("sms_unknown", "state = 'unknown'"),
    // By the last way nothing follows but its end.
    real!(
        "sms_sent",
        "state = 'sent' AND CASE WHEN json_valid(ways) THEN json_array_length(ways) > way + 1 ELSE 0 END"
    ),
];

/// What was folded and set aside while its summary ended ends now; likewise what is told by one that somebody has ended by
/// hand.
const REOPEN: [&str; 2] = [
    "UPDATE fold SET state = 'closing' WHERE seq IN \
     (SELECT fold FROM sms INDEXED BY sms_folded WHERE state = 'folded' AND damaged = 0) AND state = 'closed'",
    "UPDATE fold SET state = 'closing' WHERE state IN ('open', 'sent') AND EXISTS \
     (SELECT 1 FROM sms WHERE sms.seq = fold.summary \
      AND sms.state IN ('delivered', 'undelivered', 'failed', 'expired', 'cancelled'))",
];

/// A head whose state was changed by hand would hold its destination for ever.
const DROP_FALSE_HEADS: &str =
    "UPDATE sms SET head = 0 WHERE head = 1 AND state NOT IN ('due', 'claimed', 'unknown')";

/// See [`super::super::Spool::recover`].
pub(super) fn recover(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
    ask_at: Timestamp,
) -> Result<Recovered, SpoolError> {
    let was_aside: BTreeSet<String> = {
        let mut statement = connection.prepare(SET_ASIDE)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for sql in SECOND_CHANCES {
        connection.execute(sql, [])?;
    }
    // What ended while it was set aside is news from now on.
    for submission in was_aside {
        connection.prepare_cached(cases::NEXT_CASE)?.execute(params![submission])?;
    }
    for sql in REOPEN {
        effects.due |= connection.execute(sql, [])? > 0;
    }
    connection.execute(DROP_FALSE_HEADS, [])?;
    queue::elect_missing_heads(connection, effects)?;
    let mut asked = 0;
    let leased_until = row::millis(later(now, QUESTION_LEASE));
    for (gateway, _) in orders::gateways(connection)? {
        for sql in ASKED {
            asked += connection.execute(sql, params![row::millis(ask_at), leased_until, gateway])?;
        }
    }
    let claimed: Vec<(i64, i64)> = {
        let mut statement = connection.prepare(CLAIMED)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut recovered = Recovered::default();
    effects.idle = claimed.is_empty() && asked == 0;
    for (seq, attempt) in claimed {
        let note =
            format!("the relay ended during attempt {attempt}; the platform will be asked whether it has it");
        if settle::lose(connection, effects, seq, ask_at, &note, now)? {
            recovered.unknown += 1;
        }
    }
    recovered.mail = mail::recover(connection, effects, now)?;
    let tellings = tellings::recover(connection, effects, now)?;
    effects.idle &= recovered.mail == 0 && tellings == 0;
    Ok(recovered)
}

/// See [`super::super::Spool::set_real_aside`].
pub(super) fn set_real_aside(connection: &Connection, effects: &mut Effects) -> Result<usize, SpoolError> {
    let mut aside = 0;
    for sql in REAL {
        aside += connection.execute(sql, [])?;
    }
    // What is only to be checked does not wait for what is left alone.
    queue::elect_missing_heads(connection, effects)?;
    Ok(aside)
}
