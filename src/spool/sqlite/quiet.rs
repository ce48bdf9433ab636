//! Quiet hours, asked whenever an SMS is let go: a phone in them gets nothing that can wait, whatever held it before.

use std::sync::Once;
use std::time::Duration;

use jiff::Timestamp;

use super::passage::{Candidate, Steps};
use crate::model::{Pairing, Passage, QuietSpan};
use crate::retry::later;
use crate::rota::awake_from;

/// What waits for a morning is released before the summary that waits for it, which so tells of that as well.
const BEHIND_ALL: Duration = Duration::from_millis(1);

/// The end of the quiet hours that an SMS would go out in; `None` where it would not. What the platform itself is to
/// hold goes out at that time.
pub(super) fn asleep_until(candidate: &Candidate<'_>, now: Timestamp) -> Option<Timestamp> {
    if candidate.passage.quiet.is_empty() {
        return None;
    }
    let goes_at = candidate.sms.options.scheduled_at.map_or(now, |at| at.max(now));
    Some(awake_from(&candidate.passage.quiet, goes_at, unknown)).filter(|awake| *awake > goes_at)
}

/// As [`asleep_until`] for a summary, which goes behind what waited for the same morning.
pub(super) fn summary_asleep_until(candidate: &Candidate<'_>, now: Timestamp) -> Option<Timestamp> {
    asleep_until(candidate, now).map(|awake| later(awake, BEHIND_ALL))
}

/// What is left to pass in the morning for what has passed the others before: after quiet hours all of it is asked, and nothing
/// is to be folded into a window that it opened itself. `None` where that is all.
pub(super) fn left_to_pass(passage: &Passage, steps: Steps) -> Option<Passage> {
    match steps {
        Steps::All => None,
        Steps::Held => Some(Passage {
            similar: None,
            digest: None,
            limits: passage.phone_limits().into_iter().cloned().collect(),
            pairing: Pairing::default(),
            ..passage.clone()
        }),
    }
}

/// Once: it would be said of every SMS. Nothing is held for it, since an SMS that never goes is worse than one at night.
fn unknown(span: &QuietSpan) {
    static TOLD: Once = Once::new();
    let zone = span.zone.as_deref().unwrap_or_default();
    TOLD.call_once(|| {
        tracing::warn!(
            zone,
            "the time zone of quiet hours is not known any more, so that they hold nothing; install its data, or write \
             another `timezone`"
        );
    });
}
