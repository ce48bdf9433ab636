//! News that somebody is to be told becomes mail: reads it, has it planned, and writes the mail into the spool
//! in one commit with "told".

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use super::limit::{HOUR, Ledger};
use super::plan::{Judged, Telling, plan, wait_until};
use super::{FAULT_PAUSE, Reporting, letters, stopped};
use crate::model::{MailId, ReportTo};
use crate::retry::later;
use crate::spool::{Queue, SpoolError};

/// Cases read at a time beyond those that are known to wait for their hour.
const BATCH: usize = 50;

/// Works until shutdown.
pub(super) async fn run(reporting: &Reporting, mut shutdown: watch::Receiver<bool>) {
    let signals = reporting.spool.signals();
    let Some(mut ledger) = recall(reporting, &mut shutdown).await else { return };
    let mut held = 0;
    while !*shutdown.borrow() {
        // Listening begins before looking, so that nothing falls between the two.
        let news = signals.cases.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        let (wait, faulty) = match look(reporting, &mut ledger, &mut held, Timestamp::now()).await {
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

/// The mails of the last hour, so that a relay that ends and starts again and again floods nobody. `None` at
/// shutdown.
async fn recall(reporting: &Reporting, shutdown: &mut watch::Receiver<bool>) -> Option<Ledger> {
    loop {
        let from = Timestamp::now().checked_sub(HOUR).unwrap_or(Timestamp::MIN);
        match reporting.spool.reports_since(from).await {
            Ok(filed) => return Some(Ledger::recall(reporting.settings.reports_per_hour, &filed)),
            Err(fault) => {
                warn!(error = %fault, "which reports were written before cannot be read; trying again");
            }
        }
        tokio::select! {
            () = stopped(shutdown) => return None,
            () = tokio::time::sleep(FAULT_PAUSE) => {}
        }
    }
}

/// Tells what is to be told at `now`; returns how long to wait, or `None` when there is more.
pub(crate) async fn look(
    reporting: &Reporting,
    ledger: &mut Ledger,
    held: &mut usize,
    now: Timestamp,
) -> Result<Option<Duration>, SpoolError> {
    let settings = &reporting.settings;
    ledger.forget(now);
    let limit = BATCH + *held;
    let overdue = now.checked_sub(settings.window).unwrap_or(Timestamp::MIN);
    let cases = reporting.spool.cases(overdue, now, limit).await?;
    let plan = plan(&cases, ledger);
    for telling in &plan.tellings {
        match tell(reporting, telling, ledger, now).await {
            Ok(()) => {}
            // What was late has ended meanwhile: the next look sees what it has become.
            Err(SpoolError::Stale(id)) => debug!(%id, "not told, as something else has become of it"),
            Err(fault) => return Err(fault),
        }
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
    // What became late is told, like all other news, a window later, unless it has ended by then.
    let news = reporting.spool.next_due(Queue::Cases).await?;
    let late = reporting.spool.next_due(Queue::Delays).await?;
    let next = news.into_iter().chain(late).min().map(|first| later(first, settings.window));
    Ok(Some(wait_until(next, &plan, settings.window, now)))
}

/// Writes the mail and closes the cases with it.
async fn tell(
    reporting: &Reporting,
    telling: &Telling<'_>,
    ledger: &mut Ledger,
    now: Timestamp,
) -> Result<(), SpoolError> {
    let settings = &reporting.settings;
    let spool = &reporting.spool;
    let id = MailId::new(now);
    match telling {
        Telling::Nobody(judged) => close_silently(reporting, judged, now).await?,
        Telling::Report(judged, to) => {
            let mail = letters::report(judged, *to, settings, &reporting.platforms.load(), id, now);
            let recipients = judged.verdict.told.len();
            spool.close_case(judged.verdict.told_news(), Some(mail), now).await?;
            ledger.note(to.address, now);
            info!(id = %judged.case.submission, mail = %id, to = %to.address, recipients, "report queued");
            close_silently(reporting, judged, now).await?;
        }
        Telling::Summary(cases, to) => {
            let Some(mail) = letters::summary(cases, *to, ledger.limit(), settings, id, now) else {
                return Ok(());
            };
            let news = cases.iter().flat_map(|judged| judged.verdict.told_news()).collect();
            spool.close_case(news, Some(mail), now).await?;
            ledger.note(to.address, now);
            for judged in cases {
                let id_of_case = judged.case.submission;
                info!(id = %id_of_case, mail = %id, to = %to.address, "report queued in a summary");
                close_silently(reporting, judged, now).await?;
            }
        }
    }
    Ok(())
}

/// Closes what of a case is told to nobody. It comes after the report: a piece that failed beside others must not
/// count as told before one of them is.
async fn close_silently(
    reporting: &Reporting,
    judged: &Judged<'_>,
    now: Timestamp,
) -> Result<(), SpoolError> {
    if judged.verdict.silent.is_empty() {
        return Ok(());
    }
    reporting.spool.close_case(judged.verdict.silent_news(), None, now).await?;
    match &judged.case.report_to {
        // The spool lists no such case; if it does, the log is where it is told.
        ReportTo::Nobody(why) => {
            error!(id = %judged.case.submission, why, "a failure has nobody to be told");
        }
        ReportTo::Sender(_) | ReportTo::Operator(_) => {
            for (id, news, why) in &judged.verdict.silent {
                debug!(%id, ?news, why, "no report");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
