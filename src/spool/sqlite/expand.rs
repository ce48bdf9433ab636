//! Recipients that stand for several phones. A report that a handset has it would tell for each phone what was
//! asked for one name; RFC 3461 section 5.2.7.4 has the name reported as expanded instead.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Fate, HoldReason, Message, Notify, ReportTo, Submission};

/// The recipients of a submission that are told that they were expanded.
pub(super) struct Expanded<'a> {
    addresses: BTreeSet<&'a str>,
}

/// The phones behind one address.
#[derive(Default)]
struct Phones<'a> {
    all: BTreeSet<&'a str>,
    /// Whether somebody wants to know of success.
    is_wanted: bool,
}

/// Which recipients of `submission` stand for several phones and want to know of success.
pub(super) fn expanded(submission: &Submission) -> Expanded<'_> {
    let mut found: BTreeMap<&str, Phones<'_>> = BTreeMap::new();
    if has_somebody(&submission.report_to) {
        for message in submission.messages.iter().filter(|message| is_to_go(&message.fate)) {
            let phones = found.entry(&message.recipient.address).or_default();
            phones.all.insert(message.sms.destination.as_str());
            phones.is_wanted |= message.recipient.notify.wants_success();
        }
    }
    let told = found.into_iter().filter(|(_, phones)| phones.all.len() > 1 && phones.is_wanted);
    Expanded { addresses: told.map(|(address, _)| address).collect() }
}

impl Expanded<'_> {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Whether its recipient is told, and of this SMS among those that the name came to.
    pub(super) fn is_told_with(&self, message: &Message) -> bool {
        self.concerns(message) && is_to_go(&message.fate)
    }

    /// Which reports are still wanted of this SMS.
    pub(super) fn notify(&self, message: &Message) -> Notify {
        let notify = message.recipient.notify;
        match notify {
            Notify::On { success: true, failure, delay } if self.concerns(message) => {
                if failure || delay {
                    Notify::On { success: false, failure, delay }
                } else {
                    Notify::Never
                }
            }
            Notify::On { .. } | Notify::Unspecified | Notify::Never => notify,
        }
    }

    fn concerns(&self, message: &Message) -> bool {
        self.addresses.contains(message.recipient.address.as_str())
    }
}

/// Whether somebody is there to be told.
pub(super) fn has_somebody(to: &ReportTo) -> bool {
    match to {
        ReportTo::Sender(_) | ReportTo::Operator(_) => true,
        ReportTo::Nobody(_) => false,
    }
}

/// Whether it is one of those that the name was meant for. An escalation only stands in for them.
fn is_to_go(fate: &Fate) -> bool {
    match fate {
        Fate::Due
        | Fate::Held {
            until: _,
            reason: HoldReason::Scheduled | HoldReason::Quiet | HoldReason::Summary | HoldReason::Budget,
        } => true,
        Fate::Held { until: _, reason: HoldReason::Escalation }
        | Fate::Refused(_)
        | Fate::Dropped(_)
        | Fate::SameAs(_) => false,
    }
}
