//! Whether somebody is owed a report of an SMS; the same for every engine.

use super::Siblings;
use crate::model::{EnhancedStatus, FinalState, Notify, ReportTo};

/// Class 2 tells of a success and any other of a failure (RFC 3463 section 2); each is owed to who
/// wants it (RFC 3461 section 4.1). What was cancelled is nobody's failure.
pub(super) fn is_owed(state: FinalState, status: EnhancedStatus, notify: Notify, to: &ReportTo) -> bool {
    let somebody = match to {
        ReportTo::Sender(_) | ReportTo::Operator(_) => true,
        ReportTo::Nobody(_) => false,
    };
    somebody && is_wanted(state, status, notify)
}

/// As [`is_owed`] where somebody is there to be told.
pub(super) fn is_wanted(state: FinalState, status: EnhancedStatus, notify: Notify) -> bool {
    match (state, status.class) {
        (FinalState::Cancelled, _) => false,
        (_, 2) => notify.wants_success(),
        (_, _) => is_failure(state, status) && notify.wants_failure(),
    }
}

/// Whether this end is a failure. Class 4 too: what has ended is not tried again, and nobody may be left
/// untold.
pub(super) fn is_failure(state: FinalState, status: EnhancedStatus) -> bool {
    state.is_failure() && status.class != 2
}

/// Whether this end is no news yet: that a piece arrived says nothing before the last one has.
pub(super) fn waits_for_siblings(status: EnhancedStatus, siblings: Siblings) -> bool {
    status.class == 2 && siblings.unfinished > 0 && siblings.failed == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MailAddress;

    #[test]
    fn a_report_is_owed_to_who_wants_it_and_is_there() {
        let somebody = ReportTo::Sender(MailAddress::parse("ops@example.com").unwrap());
        let nobody = ReportTo::Nobody("null reverse path".to_owned());
        let failure = EnhancedStatus::EXPIRED;
        let success = EnhancedStatus::SUCCESS;
        let later = EnhancedStatus::new(4, 4, 7);
        let both = Notify::On { success: true, failure: true, delay: false };
        let only_success = Notify::On { success: true, failure: false, delay: false };
        for (state, status, notify, owed) in [
            (FinalState::Failed, failure, Notify::Unspecified, true),
            (FinalState::Expired, failure, Notify::Unspecified, true),
            (FinalState::Undelivered, failure, both, true),
            (FinalState::Undelivered, failure, only_success, false),
            (FinalState::Failed, failure, Notify::Never, false),
            (FinalState::Failed, later, both, true),
            (FinalState::Delivered, success, both, true),
            (FinalState::Delivered, success, Notify::Unspecified, false),
            (FinalState::Delivered, failure, both, false),
            (FinalState::Expired, success, both, true),
            (FinalState::Cancelled, failure, both, false),
            (FinalState::Cancelled, success, both, false),
        ] {
            assert_eq!(is_owed(state, status, notify, &somebody), owed, "{state:?} {status} {notify:?}");
            assert!(!is_owed(state, status, notify, &nobody), "{state:?} {status} {notify:?}");
        }
    }

    #[test]
    fn a_success_waits_for_the_other_pieces_unless_one_has_failed() {
        let beside = |unfinished, failed| Siblings { unfinished, failed, ..Siblings::default() };
        for (status, siblings, waits) in [
            (EnhancedStatus::SUCCESS, beside(0, 0), false),
            (EnhancedStatus::SUCCESS, beside(1, 0), true),
            (EnhancedStatus::SUCCESS, beside(1, 1), false),
            (EnhancedStatus::EXPIRED, beside(1, 0), false),
        ] {
            assert_eq!(waits_for_siblings(status, siblings), waits, "{status} {siblings:?}");
        }
    }
}
