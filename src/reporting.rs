//! Which report is due to whom, and the queue of outgoing mail.

use std::time::Duration;

use crate::model::MailAddress;
use crate::retry::Backoff;

/// What reporting is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `Reporting-MTA`, and the right side of message ids.
    pub hostname: String,
    /// `From:` of reports: an address that a person reads.
    pub from: MailAddress,
    /// Who gets what can't be reported to the sender.
    pub operator: Option<MailAddress>,
    /// How long a report waits for the other recipients of the same mail.
    pub window: Duration,
    /// Waits between attempts of one report.
    pub backoff: Backoff,
    /// When a report is given up.
    pub lifetime: Duration,
}
