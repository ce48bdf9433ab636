//! Whether what takes the place of others goes when nobody has them, and only then.

use std::collections::BTreeMap;

use super::platform::shown;
use super::rows::{Row, Spool};
use super::wanted::Wanted;

/// How they ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Escalated {
    pub(super) sent: usize,
    pub(super) called_off: usize,
}

fn ended_at(row: &Row, states: &[&str]) -> Option<i64> {
    row.events.iter().find(|(_, state, _)| states.contains(&state.as_str())).map(|(at, ..)| *at)
}

/// Every one is sent, or called off by a delivery or as nothing is left whose place it would take; `wanted` is what a
/// submission was to become.
pub(super) fn check<'a>(spool: &Spool, wanted: impl Fn(&Row) -> Option<&'a [Wanted]>) -> Escalated {
    let mut others: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in spool.rows.iter().filter(|row| !row.is_escalation) {
        others.entry((&row.submission, &row.recipient)).or_default().push(row);
    }
    let mut escalated = Escalated::default();
    for row in spool.rows.iter().filter(|row| row.is_escalation) {
        let others = &others[&(row.submission.as_str(), row.recipient.as_str())];
        let is_same = |one: &&Wanted| one.escalates_at.is_some() && one.phone == row.phone;
        let due_at = wanted(row).and_then(|wanted| wanted.iter().find(is_same)?.escalates_at).unwrap();
        let delivered = others.iter().filter_map(|other| ended_at(other, &["delivered"])).min();
        if let Some(passed) = row.passed_at() {
            assert!(delivered.is_none_or(|at| at >= passed), "somebody has it, and it goes on: {row:?}");
            let failed = |other: &&Row| {
                ended_at(other, &["undelivered", "failed", "expired", "cancelled"])
                    .is_some_and(|at| at <= passed)
            };
            let is_hopeless = others.iter().all(failed);
            assert!(passed >= due_at || is_hopeless, "before its time, {}: {row:?}", shown(due_at));
        }
        let went = called_at(spool.root(row));
        if row.state == "cancelled" {
            let cancelled = row.events.last().map_or(0, |(at, ..)| *at);
            let has_ended = |other: &&&Row| ended_at(other, &["cancelled"]).is_some_and(|at| at <= cancelled);
            let is_needless = others.iter().filter(has_ended).count() == others.len();
            let is_delivered = delivered.is_some_and(|at| at <= cancelled);
            assert!(is_needless || is_delivered, "called off, and nobody has it: {row:?}");
            escalated.called_off += 1;
        } else {
            // A delivery in time calls it off, unless the platform may have it by then.
            let is_late = delivered.is_none_or(|at| {
                went.is_some_and(|went| went <= at) || row.passed_at().is_none() && has_failed(row, at)
            });
            assert!(is_late, "delivered at {:?}, and it was not called off: {row:?}", delivered.map(shown));
            escalated.sent += 1;
        }
    }
    escalated
}

/// When the platform was first given it.
fn called_at(row: &Row) -> Option<i64> {
    ended_at(row, &["claimed"])
}

/// It had ended by then.
fn has_failed(row: &Row, at: i64) -> bool {
    ended_at(row, &["failed", "expired", "undelivered"]).is_some_and(|ended| ended <= at)
}
