//! Which report is due to whom, and the queue of outgoing mail.
//!
//! Two loops that never end on their own: `cases` turns outcomes that somebody is to be told into
//! mail, in one commit with "told"; `queue` hands mail to the smarthost and writes what became of
//! it. Both outlive every fault of the spool and the smarthost, and neither ever spins.
//!
//! What holds: a report goes out with a null sender (RFC 5321 section 6.1); `NOTIFY` is obeyed (RFC
//! 3461 section 4.1); a report to a sender that can't be delivered goes to the operator, mail
//! for the postmaster back to its sender, and nothing is ever sent about any other mail of ours; an address that has had its share of reports
//! for the hour gets the rest in one summary, later, and never nothing.

pub(crate) mod cases;
mod human;
mod letters;
pub(crate) mod limit;
mod pieces;
mod plan;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::mailer::Mailer;
use crate::model::{MailAddress, MailId};
use crate::retry::Backoff;
use crate::spool::Spool;
use crate::wording::ReportTemplate;

/// The wait after a fault of the spool.
const FAULT_PAUSE: Duration = Duration::from_secs(2);
/// The shortest wait between two looks at a queue that has not signalled anything new.
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
/// The longest, in case a signal was lost or the clock was set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What reporting is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `Reporting-MTA`, and the right side of message ids.
    pub hostname: String,
    /// `From:` of reports: an address that a person reads.
    pub from: MailAddress,
    /// Who gets what can't be reported to the sender.
    pub operator: Option<MailAddress>,
    /// Whether the words of the SMS stand in a report.
    pub include_text: bool,
    /// The human part of a report in words of the operator's.
    pub template: Option<ReportTemplate>,
    /// How long a report waits for the other recipients of the same mail.
    pub window: Duration,
    /// Most reports to one address in an hour, 20 by default; what is beyond waits and goes into
    /// one summary. Zero counts as one. After a restart those of the last hour are counted again.
    pub reports_per_hour: usize,
    /// Waits between attempts of one report.
    pub backoff: Backoff,
    /// When a report is given up.
    pub lifetime: Duration,
}

/// The platform's host names for `Remote-MTA`, by the names of the gateways.
pub type Platforms = BTreeMap<String, String>;

/// Turns outcomes into mail, and sends it.
pub struct Reporting {
    spool: Arc<dyn Spool>,
    mailer: Option<Arc<ArcSwap<Mailer>>>,
    platforms: Arc<ArcSwap<Platforms>>,
    settings: Settings,
}

impl Reporting {
    /// Without a `mailer` reports are still written, and wait in the spool for a smarthost. It may be
    /// exchanged at any time; a mail under way ends on the one that it began with. So may the `platforms`; a report
    /// names the host that its gateway has when it is written.
    pub fn new(
        spool: Arc<dyn Spool>,
        mailer: Option<Arc<ArcSwap<Mailer>>>,
        platforms: Arc<ArcSwap<Platforms>>,
        settings: Settings,
    ) -> Self {
        Self { spool, mailer, platforms, settings }
    }

    /// Works until `shutdown` is true or its sender is gone; then finishes the mails under way, each
    /// within the mailer's total time, and returns.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let shared = Arc::new(self);
        tokio::join!(cases::run(&shared, shutdown.clone()), queue::run(&shared, shutdown));
    }
}

impl Settings {
    /// The top of a mail of ours.
    fn letter<'a>(
        &'a self,
        to: &'a MailAddress,
        id: MailId,
        now: jiff::Timestamp,
    ) -> crate::bounce::Letter<'a> {
        crate::bounce::Letter { hostname: &self.hostname, from: &self.from, to, id, now }
    }
}

/// Resolves when the process is to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop us is gone, which is a reason to stop as well.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests;
