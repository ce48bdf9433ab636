//! What the log says of a message. Said once it is written: the log never knows more than the spool.

use crate::model::{FinalState, MessageId, State};
use crate::spool::{Again, Step};

/// Where a step leads when nothing else was known before; `None` where it leads nowhere.
fn target(step: &Step) -> Option<State> {
    match step {
        Step::Sent { .. } => Some(State::Sent),
        Step::Retry { .. } | Step::NextWay { .. } => Some(State::Due),
        Step::Unknown { .. } => Some(State::Unknown),
        Step::Final { state, .. } => Some(State::Final(*state)),
        Step::AskAgain { .. } => None,
    }
}

/// Tells of a step that was written, and of where it led.
pub(super) fn step(id: MessageId, attempt: u32, gateway: &str, step: &Step, state: State) {
    if target(step).is_some_and(|target| target != state) {
        tracing::info!(
            %id, attempt, gateway, %state,
            "the platform had spoken of it before its call ended, and that counts"
        );
        return;
    }
    match step {
        Step::Sent { parts, note, .. } => tracing::info!(%id, attempt, gateway, parts, "{note}"),
        Step::NextWay { cause } => {
            tracing::warn!(%id, attempt, gateway, cause = %cause.text, diagnostic = cause.masked_diagnostic().map(display), "the next way is tried");
        }
        Step::Retry { at, cause, by: Again::OthersFirst { .. } } => {
            tracing::warn!(%id, attempt, gateway, next = %at, cause = %cause.text, diagnostic = cause.masked_diagnostic().map(display), "tried again later, by its other gateways first");
        }
        Step::Retry { at, cause, by: Again::InOrder | Again::Counted | Again::Same } => {
            tracing::warn!(%id, attempt, gateway, next = %at, cause = %cause.text, diagnostic = cause.masked_diagnostic().map(display), "tried again later");
        }
        Step::Unknown { ask_at, cause } => {
            tracing::warn!(%id, attempt, gateway, ask = %ask_at, cause = %cause.text, "outcome unknown; the platform is asked");
        }
        Step::AskAgain { ask_at } => tracing::debug!(%id, attempt, gateway, ask = %ask_at, "still unknown"),
        Step::Final { state: FinalState::Cancelled, cause } => {
            tracing::info!(%id, attempt, gateway, "{}", cause.text);
        }
        Step::Final { state, cause } => {
            tracing::warn!(%id, attempt, gateway, ?state, cause = %cause.text, diagnostic = cause.masked_diagnostic().map(display), "given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Reason, SubmissionId};
    use crate::test_log::TestLog;

    #[test]
    fn a_number_that_the_platform_names_is_masked_whatever_becomes_of_the_message() {
        let id = SubmissionId::new(Timestamp::UNIX_EPOCH).message(1);
        let cause = || Reason::Refused.said("http 422: +393471234567 is no number");
        let steps = [
            Step::Retry { at: Timestamp::UNIX_EPOCH, cause: cause(), by: Again::InOrder },
            Step::Retry {
                at: Timestamp::UNIX_EPOCH,
                cause: cause(),
                by: Again::OthersFirst { known: Vec::new() },
            },
            Step::NextWay { cause: cause() },
            Step::Unknown { ask_at: Timestamp::UNIX_EPOCH, cause: cause() },
            Step::Final { state: FinalState::Failed, cause: cause() },
        ];
        for told in steps {
            let log = TestLog::default();
            let subscriber = log.subscriber(tracing::Level::INFO);
            let state = target(&told).unwrap();
            tracing::subscriber::with_default(subscriber, || step(id, 1, "main", &told, state));
            let line = log.take();
            assert!(line.contains(&id.to_string()), "{line}");
            assert!(!line.contains("3471234567"), "{line}");
        }
    }
}
