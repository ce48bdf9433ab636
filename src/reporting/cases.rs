//! Outcomes that somebody is to be told become mail.
//!
//! One mail or form post is one report. An address that has had its share for the hour waits: its
//! cases stay untold in the spool until the hour has room again and then go out in one summary, or
//! at once when too many wait. So nobody is buried in mail and nobody is left untold.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use super::limit::{Ledger, key};
use super::{FAULT_PAUSE, LONGEST_WAIT, Reporting, SHORTEST_WAIT, Settings, stopped};
use crate::bounce::{Action, Audience, Report, ReportedRecipient, Summary, SummaryEntry};
use crate::model::{
    FinalState, MailAddress, MailId, MailKind, MessageId, OutgoingMail, ReportTo, ReversePath, SubmissionId,
};
use crate::retry::later;
use crate::spool::{Case, Outcome, Queue, SpoolError};

/// Cases read at a time beyond those that are known to wait for their hour.
const BATCH: usize = 50;
/// Most cases that wait for their hour; the address with most of them gets its summary when
/// there are more. Each holds the original's headers in memory while the spool is looked at.
const MOST_HELD: usize = 200;

/// Works until shutdown.
pub(super) async fn run(reporting: &Reporting, mut shutdown: watch::Receiver<bool>) {
    let signals = reporting.spool.signals();
    let mut ledger = Ledger::new(reporting.settings.reports_per_hour);
    let mut held = 0;
    while !*shutdown.borrow() {
        // Listening begins before looking, so that nothing falls between the two.
        let news = signals.cases.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        let (wait, faulty) = match look(reporting, &mut ledger, &mut held).await {
            Ok(None) => continue,
            Ok(Some(wait)) => (wait, false),
            Err(fault) => {
                warn!(error = %fault, "reports cannot be written now; trying again");
                (FAULT_PAUSE, true)
            }
        };
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            () = news, if !faulty => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Tells what is to be told now; returns how long to wait, or `None` when there is more.
async fn look(
    reporting: &Reporting,
    ledger: &mut Ledger,
    held: &mut usize,
) -> Result<Option<Duration>, SpoolError> {
    let now = Timestamp::now();
    let settings = &reporting.settings;
    ledger.forget(now);
    let limit = BATCH + *held;
    let overdue = now.checked_sub(settings.window).unwrap_or(Timestamp::MIN);
    let cases = reporting.spool.cases(overdue, limit).await?;
    let plan = plan(&cases, ledger);
    for telling in &plan.tellings {
        tell(reporting, telling, ledger, now).await?;
    }
    if plan.held > *held {
        warn!(held = plan.held, "addresses have had their reports for this hour; theirs wait for a summary");
    }
    *held = plan.held;
    // A full answer may have hidden others behind it. That ends: every look either closes cases or
    // holds more of them, up to a bound.
    if cases.len() >= limit {
        return Ok(None);
    }
    let next = reporting.spool.next_due(Queue::Cases).await?;
    Ok(Some(wait_until(next.map(|first| later(first, settings.window)), &plan, settings.window, now)))
}

/// How long to wait when the next case is overdue at `next`.
fn wait_until(next: Option<Timestamp>, plan: &Plan<'_>, window: Duration, now: Timestamp) -> Duration {
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

/// What one look at the spool comes to.
#[derive(Debug)]
struct Plan<'a> {
    tellings: Vec<Telling<'a>>,
    /// Cases that wait for their hour.
    held: usize,
    /// When the first of them may go.
    room_at: Option<Timestamp>,
}

#[derive(Debug)]
enum Telling<'a> {
    /// Nobody wants to know.
    Nobody(&'a Case),
    /// A report of its own.
    Report(&'a Case, Addressee<'a>),
    /// One mail for several.
    Summary(Vec<&'a Case>, Addressee<'a>),
}

/// Who is told.
#[derive(Clone, Copy, Debug)]
struct Addressee<'a> {
    address: &'a MailAddress,
    audience: Audience,
}

/// Decides about every case, in the order given.
fn plan<'a>(cases: &'a [Case], ledger: &Ledger) -> Plan<'a> {
    let mut tellings = Vec::new();
    let mut groups: Vec<(String, Addressee<'a>, Vec<&'a Case>)> = Vec::new();
    for case in cases {
        let Some(addressee) = addressee(case) else {
            tellings.push(Telling::Nobody(case));
            continue;
        };
        let key = key(addressee.address);
        match groups.iter_mut().find(|(known, to, _)| *known == key && to.audience == addressee.audience) {
            Some((.., group)) => group.push(case),
            None => groups.push((key, addressee, vec![case])),
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
        tellings.extend(group.into_iter().map(|case| Telling::Report(case, addressee)));
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
        held: held.iter().map(|(_, group)| group.len()).sum(),
        room_at: held.iter().filter_map(|(to, _)| ledger.room_at(to.address)).min(),
    }
}

/// Who is to be told; `None` where nobody is, or nothing of it is wanted.
fn addressee(case: &Case) -> Option<Addressee<'_>> {
    let (address, audience) = match &case.report_to {
        ReportTo::Sender(address) => (address, Audience::Sender),
        ReportTo::Operator(address) => (address, Audience::Operator),
        ReportTo::Nobody(_) => return None,
    };
    case.outcomes.iter().any(is_wanted).then_some(Addressee { address, audience })
}

/// Whether the sender asked to be told of this (RFC 3461 section 4.1).
fn is_wanted(outcome: &Outcome) -> bool {
    match action(outcome) {
        Action::Failed => outcome.recipient.notify.wants_failure(),
        Action::Delivered | Action::Relayed => outcome.recipient.notify.wants_success(),
    }
}

/// The class of the status decides; a success without the handset's word is `relayed` (RFC 3464
/// section 2.3.3).
fn action(outcome: &Outcome) -> Action {
    if outcome.cause.status.class != 2 {
        return Action::Failed;
    }
    match outcome.state {
        FinalState::Delivered => Action::Delivered,
        FinalState::Undelivered | FinalState::Failed | FinalState::Expired | FinalState::Cancelled => {
            Action::Relayed
        }
    }
}

/// Writes the mail and closes the cases with it.
async fn tell(
    reporting: &Reporting,
    telling: &Telling<'_>,
    ledger: &mut Ledger,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let settings = &reporting.settings;
    let id = MailId::new(now);
    match telling {
        Telling::Nobody(case) => {
            match &case.report_to {
                // The spool lists no such case; if it does, the log is where it is told.
                ReportTo::Nobody(why) => {
                    error!(id = %case.submission, why, "a failure has nobody to be told")
                }
                ReportTo::Sender(_) | ReportTo::Operator(_) => {
                    debug!(id = %case.submission, "no report: the sender asked for none (NOTIFY)");
                }
            }
            reporting.spool.close_case(messages(&[case]), None, now).await?;
        }
        Telling::Report(case, to) => {
            let mail = report(case, *to, settings, id, now);
            let recipients = case.outcomes.len();
            reporting.spool.close_case(messages(&[case]), Some(mail), now).await?;
            ledger.note(to.address, now);
            info!(id = %case.submission, mail = %id, to = %to.address, recipients, "report queued");
        }
        Telling::Summary(cases, to) => {
            let Some(first) = cases.first() else { return Ok(()) };
            let mail = summary(cases, first.submission, *to, ledger.limit(), settings, id, now);
            reporting.spool.close_case(messages(cases), Some(mail), now).await?;
            ledger.note(to.address, now);
            for case in cases {
                info!(id = %case.submission, mail = %id, to = %to.address, "report queued in a summary");
            }
        }
    }
    Ok(())
}

fn messages(cases: &[&Case]) -> Vec<MessageId> {
    cases.iter().flat_map(|case| &case.outcomes).map(|outcome| outcome.sms.id).collect()
}

/// The report of one case.
fn report(case: &Case, to: Addressee<'_>, settings: &Settings, id: MailId, now: Timestamp) -> OutgoingMail {
    let recipients = reported(case);
    let report = Report {
        letter: settings.letter(to.address, id, now),
        audience: to.audience,
        platform: settings.platform.as_deref(),
        submission: case.submission,
        received_at: case.received_at,
        client: &case.client,
        original: &case.original,
        recipients: &recipients,
    };
    outgoing(report.to_bytes(), case.submission, to, settings, id, now)
}

/// The summary of several cases.
fn summary(
    cases: &[&Case],
    about: SubmissionId,
    to: Addressee<'_>,
    limit: usize,
    settings: &Settings,
    id: MailId,
    now: Timestamp,
) -> OutgoingMail {
    let recipients: Vec<Vec<ReportedRecipient<'_>>> = cases.iter().map(|case| reported(case)).collect();
    let entries: Vec<SummaryEntry<'_>> = cases
        .iter()
        .zip(&recipients)
        .map(|(case, recipients)| SummaryEntry {
            submission: case.submission,
            received_at: case.received_at,
            subject: case.original.subject.as_deref(),
            recipients,
        })
        .collect();
    let letter = settings.letter(to.address, id, now);
    let bytes = Summary { letter, audience: to.audience, limit, entries: &entries }.to_bytes();
    outgoing(bytes, about, to, settings, id, now)
}

/// The outcomes of a case that are wanted.
fn reported(case: &Case) -> Vec<ReportedRecipient<'_>> {
    let wanted = case.outcomes.iter().filter(|outcome| is_wanted(outcome));
    wanted
        .map(|outcome| ReportedRecipient {
            id: outcome.sms.id,
            address: &outcome.recipient.address,
            orcpt: outcome.recipient.orcpt.as_ref(),
            phone: &outcome.sms.destination,
            text: &outcome.sms.text.body,
            action: action(outcome),
            cause: &outcome.cause,
            last_attempt_at: outcome.last_attempt_at,
        })
        .collect()
}

fn outgoing(
    bytes: Vec<u8>,
    about: SubmissionId,
    to: Addressee<'_>,
    settings: &Settings,
    id: MailId,
    now: Timestamp,
) -> OutgoingMail {
    let kind = match to.audience {
        Audience::Sender => MailKind::Report,
        Audience::Operator => MailKind::OperatorReport,
    };
    OutgoingMail {
        id,
        about,
        kind,
        reverse_path: ReversePath::Null,
        recipient: to.address.clone(),
        bytes,
        expires_at: later(now, settings.lifetime),
    }
}

#[cfg(test)]
mod tests;
