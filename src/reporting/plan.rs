//! Which mails one look at the spool comes to, and which cases wait.
//!
//! One mail or form post is one report. An address that has had its share for the hour waits: its
//! cases stay untold in the spool until the hour has room again and then go out in one summary, or
//! at once when too many wait. So nobody is buried in mail and nobody is left untold.

use std::time::Duration;

use jiff::Timestamp;

use super::limit::{Ledger, key};
use super::pieces::{self, Verdict};
use super::{LONGEST_WAIT, SHORTEST_WAIT};
use crate::bounce::Audience;
use crate::model::{MailAddress, ReportTo};
use crate::spool::Case;

/// Most cases that wait for their hour; the address with most of them gets its summary when
/// there are more. Each holds the original's headers in memory while the spool is looked at.
const MOST_HELD: usize = 200;

/// What one look at the spool comes to.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) tellings: Vec<Telling<'a>>,
    /// Cases that wait, mostly for their hour.
    pub(super) held: usize,
    /// When the first of them may go.
    pub(super) room_at: Option<Timestamp>,
}

/// A case with what is done about it.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) case: &'a Case,
    pub(super) verdict: Verdict<'a>,
}

#[derive(Debug)]
pub(super) enum Telling<'a> {
    /// Nobody wants to know, or is there to be told.
    Nobody(Judged<'a>),
    /// A report of its own.
    Report(Judged<'a>, Addressee<'a>),
    /// One mail for several.
    Summary(Vec<Judged<'a>>, Addressee<'a>),
}

/// Who is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addressee<'a> {
    pub(super) address: &'a MailAddress,
    pub(super) audience: Audience,
}

/// Decides about every case, in the order given.
pub(super) fn plan<'a>(cases: &'a [Case], ledger: &Ledger) -> Plan<'a> {
    let mut tellings = Vec::new();
    let mut groups: Vec<(String, Addressee<'a>, Vec<Judged<'a>>)> = Vec::new();
    // The spool lists no case in which all waits for other pieces; if it does, it is not looked at for ever.
    let mut waiting = 0;
    for case in cases {
        let mut judged = Judged { case, verdict: pieces::judge(case) };
        let addressee = match &case.report_to {
            ReportTo::Sender(address) => Addressee { address, audience: Audience::Sender },
            ReportTo::Operator(address) => Addressee { address, audience: Audience::Operator },
            ReportTo::Nobody(_) => {
                judged.verdict = nobody(case);
                tellings.push(Telling::Nobody(judged));
                continue;
            }
        };
        match (judged.verdict.told.is_empty(), judged.verdict.silent.is_empty()) {
            (true, true) => waiting += 1,
            (true, false) => tellings.push(Telling::Nobody(judged)),
            (false, _) => {
                let key = key(addressee.address);
                let same = groups
                    .iter_mut()
                    .find(|(known, to, _)| *known == key && to.audience == addressee.audience);
                match same {
                    Some((.., group)) => group.push(judged),
                    None => groups.push((key, addressee, vec![judged])),
                }
            }
        }
    }
    let mut held = Vec::new();
    for (_, addressee, mut group) in groups {
        let room = ledger.room(addressee.address);
        if room == 0 {
            held.push((addressee, group));
            continue;
        }
        // The last place of the hour is for all that are left.
        let rest = if group.len() > room { group.split_off(room - 1) } else { Vec::new() };
        tellings.extend(group.into_iter().map(|judged| Telling::Report(judged, addressee)));
        if !rest.is_empty() {
            tellings.push(Telling::Summary(rest, addressee));
        }
    }
    while held.iter().map(|(_, group)| group.len()).sum::<usize>() > MOST_HELD {
        let Some(largest) = (0..held.len()).max_by_key(|at| held[*at].1.len()) else { break };
        let (addressee, group) = held.swap_remove(largest);
        tellings.push(Telling::Summary(group, addressee));
    }
    Plan {
        tellings,
        held: waiting + held.iter().map(|(_, group)| group.len()).sum::<usize>(),
        room_at: held.iter().filter_map(|(to, _)| ledger.room_at(to.address)).min(),
    }
}

/// All of a case is closed where nobody is there to be told.
fn nobody(case: &Case) -> Verdict<'_> {
    let why = "nobody is there to be told";
    let silent = case.outcomes.iter().map(|outcome| (outcome.sms.id, outcome.news, why)).collect();
    Verdict { told: Vec::new(), silent }
}

/// How long to wait when the next case is overdue, or the next SMS late for as long, at `next`.
pub(super) fn wait_until(
    next: Option<Timestamp>,
    plan: &Plan<'_>,
    window: Duration,
    now: Timestamp,
) -> Duration {
    let until =
        |at: Timestamp| now.until(at).map_or(LONGEST_WAIT, |span| span.try_into().unwrap_or(Duration::ZERO));
    let wait = match (plan.held, next) {
        (0, None) => LONGEST_WAIT,
        (0, Some(at)) => until(at),
        // The first in the spool is a held one then, and says nothing about the others.
        _ => plan.room_at.map_or(LONGEST_WAIT, until).min(window),
    };
    wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)
}

#[cfg(test)]
mod tests;
