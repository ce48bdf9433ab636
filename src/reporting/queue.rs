//! The queue of outgoing mail: claimed, handed to the smarthost, settled.
//!
//! A mail is tried until the smarthost takes it, refuses it, or its lifetime ends. The last try is at
//! that end or after it, so that a relay that was off for a week gives nothing up untried. Between
//! the smarthost's yes and the commit that records it lies a moment in which a crash sends a mail
//! twice; nothing is lost there.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::{FAULT_PAUSE, LONGEST_WAIT, Reporting, SHORTEST_WAIT, Settings, stopped};
use crate::bounce::{ReturnedMail, Undeliverable};
use crate::crash_point;
use crate::mailer::{MailOutcome, Mailer};
use crate::model::{Cause, MailAddress, MailId, MailKind, OutgoingMail, ReversePath};
use crate::retry::later;
use crate::spool::{ClaimedMail, MailStep, Queue, SpoolError};

/// Mails under way at a time, each on a connection of its own.
const SENDERS: usize = 4;

/// Works until shutdown, and then until the mails under way are settled.
pub(super) async fn run(reporting: &Arc<Reporting>, mut shutdown: watch::Receiver<bool>) {
    if reporting.mailer.is_none() {
        return warn_of_waiting_mail(reporting).await;
    }
    let signals = reporting.spool.signals();
    let mut under_way = JoinSet::new();
    while !*shutdown.borrow() {
        // Listening begins before looking, so that nothing falls between the two.
        let news = signals.mail.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        // All that have ended make room, so that those that wait are claimed in one commit.
        while let Some(ended) = under_way.try_join_next() {
            note_end(ended);
        }
        let (wait, listen) = match claim(reporting, &mut under_way, &shutdown).await {
            Ok(wait) => (wait, under_way.len() < SENDERS),
            Err(fault) => {
                warn!(error = %fault, "the queue of mail cannot be read now; trying again");
                (FAULT_PAUSE, false)
            }
        };
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            Some(ended) = under_way.join_next() => note_end(ended),
            () = news, if listen => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    while let Some(ended) = under_way.join_next().await {
        note_end(ended);
    }
}

fn note_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(fault) = ended {
        error!(error = %fault, "sending a mail broke off; it stays in the spool until the next start");
    }
}

async fn warn_of_waiting_mail(reporting: &Reporting) {
    match reporting.spool.backlog().await {
        Ok(backlog) if backlog.mail > 0 => {
            warn!(mails = backlog.mail, "mail waits in the spool and no smarthost is configured");
        }
        Ok(_) => {}
        Err(fault) => warn!(error = %fault, "whether mail waits in the spool cannot be told"),
    }
}

/// Starts as many mails as there are free senders; returns how long to wait for the next.
async fn claim(
    reporting: &Arc<Reporting>,
    under_way: &mut JoinSet<()>,
    shutdown: &watch::Receiver<bool>,
) -> Result<std::time::Duration, SpoolError> {
    let free = SENDERS.saturating_sub(under_way.len());
    if free == 0 {
        return Ok(LONGEST_WAIT);
    }
    for claimed in reporting.spool.claim_mail(Timestamp::now(), free).await? {
        let (reporting, shutdown) = (Arc::clone(reporting), shutdown.clone());
        under_way.spawn(async move {
            if let Some(mailer) = &reporting.mailer {
                deliver(&reporting, &mailer.load_full(), claimed, shutdown).await;
            }
        });
    }
    if under_way.len() >= SENDERS {
        return Ok(LONGEST_WAIT);
    }
    let next = reporting.spool.next_due(Queue::Mail).await?;
    let wait = next.map_or(LONGEST_WAIT, |at| {
        let span = Timestamp::now().until(at);
        span.map_or(LONGEST_WAIT, |span| span.try_into().unwrap_or_default())
    });
    Ok(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT))
}

/// Sends one mail and settles it.
async fn deliver(
    reporting: &Reporting,
    mailer: &Mailer,
    claimed: ClaimedMail,
    mut shutdown: watch::Receiver<bool>,
) {
    let outcome = mailer.send(&claimed.mail).await;
    crash_point::reach("mail-sent");
    let now = Timestamp::now();
    let step = judge(&claimed, outcome, &reporting.settings, now, fastrand::f64(), MailId::new(now));
    // A mail that is not settled is sent again after the next start, so that settling is worth waiting for.
    while let Err(fault) = reporting.spool.settle_mail(claimed.mail.id, step.clone(), now).await {
        let (about, id) = (claimed.mail.reference(), claimed.mail.id);
        if *shutdown.borrow() || !matches!(fault, SpoolError::Unavailable(_)) {
            error!(id = %about, mail = %id, error = %fault, "what became of a mail is not written; it may be sent again");
            return;
        }
        warn!(id = %about, mail = %id, error = %fault, "what became of a mail cannot be written; trying again");
        tokio::select! {
            () = tokio::time::sleep(FAULT_PAUSE) => {}
            () = stopped(&mut shutdown) => {}
        }
    }
    // The log never knows more than the spool.
    log(&claimed, &step);
}

/// What the outcome of an attempt means for the mail. `jitter` is 0 to 1; `id` is for the mail that
/// tells of it, where there is one.
fn judge(
    claimed: &ClaimedMail,
    outcome: MailOutcome,
    settings: &Settings,
    now: Timestamp,
    jitter: f64,
    id: MailId,
) -> MailStep {
    let mail = &claimed.mail;
    match outcome {
        MailOutcome::Sent => MailStep::Sent,
        MailOutcome::Later(cause) if now < mail.expires_at => {
            // The last attempt is at the end of the lifetime and not up to a whole wait before it.
            let at = settings.backoff.next(now, claimed.attempt, jitter).min(mail.expires_at);
            MailStep::Retry { at, cause }
        }
        MailOutcome::Later(cause) | MailOutcome::Refused(cause) => {
            MailStep::Failed { instead: instead(mail, &cause, settings, now, id), cause }
        }
    }
}

/// Who is told instead: the operator of a lost report to a sender, and the sender of a lost mail to
/// the postmaster. Nothing replaces any other mail, so that every chain ends (RFC 5321 section 6.1).
fn instead(
    mail: &OutgoingMail,
    cause: &Cause,
    settings: &Settings,
    now: Timestamp,
    id: MailId,
) -> Option<OutgoingMail> {
    let (kind, recipient, bytes) = match (mail.kind, &mail.reverse_path) {
        (MailKind::Report, _) => {
            let operator = settings.operator.as_ref()?;
            let letter = settings.letter(operator, id, now);
            (MailKind::OperatorReport, operator, Undeliverable { letter, mail, cause }.to_bytes())
        }
        (MailKind::Postmaster, ReversePath::Path(sender)) => {
            (MailKind::Returned, sender, given_back(mail, sender, cause, settings, now, id)?)
        }
        (MailKind::Postmaster, ReversePath::Null)
        | (MailKind::OperatorReport | MailKind::Notice | MailKind::Returned, _) => {
            return None;
        }
    };
    // What could not be delivered there as a report cannot be delivered there as a complaint.
    if *recipient == mail.recipient {
        return None;
    }
    Some(OutgoingMail {
        id,
        about: mail.about,
        kind,
        reverse_path: ReversePath::Null,
        recipient: recipient.clone(),
        bytes,
        expires_at: later(now, settings.lifetime),
    })
}

/// The report to the sender of a mail for the postmaster; `None` where a machine sent it (RFC 3834
/// section 2).
fn given_back(
    mail: &OutgoingMail,
    sender: &MailAddress,
    cause: &Cause,
    settings: &Settings,
    now: Timestamp,
    id: MailId,
) -> Option<Vec<u8>> {
    let read = crate::mail::read(&mail.bytes);
    if read.automatic.reason().is_some() {
        return None;
    }
    let report = ReturnedMail {
        letter: settings.letter(sender, id, now),
        mail,
        subject: read.subject.as_deref(),
        message_id: read.message_id.as_deref(),
        cause,
    };
    Some(report.to_bytes())
}

fn log(claimed: &ClaimedMail, step: &MailStep) {
    let OutgoingMail { id, kind, recipient, .. } = &claimed.mail;
    let about = claimed.mail.reference();
    let (kind, attempt) = (kind.as_str(), claimed.attempt);
    match step {
        MailStep::Sent => info!(id = %about, mail = %id, kind, to = %recipient, attempt, "mail sent"),
        MailStep::Retry { at, cause } => {
            let (why, said) = (&cause.text, cause.diagnostic.as_deref());
            warn!(id = %about, mail = %id, kind, to = %recipient, attempt, why, said, next = %at, "mail not sent yet");
        }
        MailStep::Failed { cause, instead } => {
            let (why, said) = (&cause.text, cause.diagnostic.as_deref());
            match instead {
                Some(other) => {
                    warn!(id = %about, mail = %id, kind, to = %recipient, attempt, why, said, told = %other.recipient,
                        "mail cannot be delivered; another is told instead");
                }
                None => {
                    error!(id = %about, mail = %id, kind, to = %recipient, attempt, why, said,
                        "mail cannot be delivered; nobody else is told");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
