//! Whether somebody is owed a report of how an SMS ended; the same for every engine.

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
        // Class 4 too: what has ended is not tried again, and nobody may be left untold.
        (_, _) => state.is_failure() && notify.wants_failure(),
    }
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
}
