//! Watches the wall clock: where it is put back, what waits until a time would wait until the clock comes there
//! again.
//!
//! A clock that is set forward needs nothing: what waits is due at once, as after a night in which the machine slept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch as signal;

use crate::retry::LONGEST_PAUSE;
use crate::spool::{Spool, SpoolError, Waits};
use crate::{dispatch, reporting, telling, tracking};

/// How often the clocks are compared.
const INTERVAL: Duration = Duration::from_secs(10);
/// How far the clock has to be put back from one look to the next; less is waited for.
const NOTICED: SignedDuration = SignedDuration::from_mins(1);

/// The longest waits that these settings lead to.
pub(super) fn waits(
    dispatch: &dispatch::Settings,
    tracking: &tracking::Settings,
    reporting: &reporting::Settings,
    telling: &telling::Settings,
) -> Waits {
    Waits {
        due: dispatch.backoff.most.max(LONGEST_PAUSE),
        unknown: dispatch.backoff.most.max(dispatch.ask_after),
        sent: tracking.ask.most.max(tracking.plan.first).max(tracking.plan.with_callbacks),
        mail: reporting.backoff.most,
        tellings: telling.longest_wait(),
    }
}

/// Both clocks at one time.
#[derive(Clone, Copy, Debug)]
struct Look {
    wall: Timestamp,
    /// Never goes back, and stands still while the machine sleeps.
    steady: Instant,
}

impl Look {
    fn now() -> Self {
        Self { wall: Timestamp::now(), steady: Instant::now() }
    }

    /// How far the wall clock was put back between `self` and `later`, in whole seconds; `None` where it was not, or
    /// hardly.
    fn put_back(self, later: Self) -> Option<SignedDuration> {
        let passed = later.steady.saturating_duration_since(self.steady);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let back = passed.saturating_sub(later.wall.duration_since(self.wall));
        (back > NOTICED).then(|| SignedDuration::from_secs(back.as_secs()))
    }
}

/// Shortens what waits for too long, and says so where anything did. `back`: how far the clock was put back, where
/// that was seen.
pub(super) async fn shorten(
    spool: &dyn Spool,
    waits: Waits,
    now: Timestamp,
    back: Option<SignedDuration>,
) -> Result<(), SpoolError> {
    let shortened = spool.shorten_waits(now, waits).await?;
    match back {
        Some(back) => tracing::warn!(
            shortened,
            "the clock was put back by {back:#}; what waited for a time that is far ahead again waits only as long as \
             it was to"
        ),
        // Longer waits in the configuration of before look the same.
        None if shortened > 0 => tracing::warn!(
            shortened,
            "messages waited for times further ahead than the configuration lets them, as after a clock that was put \
             back; they wait no longer than they may now"
        ),
        None => {}
    }
    Ok(())
}

/// Looks until `shutdown` turns true.
pub(super) async fn watch(spool: Arc<dyn Spool>, waits: Waits, mut shutdown: signal::Receiver<bool>) {
    let mut watch = Watch { spool, waits, last: Look::now(), back: None };
    while !*shutdown.borrow_and_update() {
        tokio::select! {
            changed = shutdown.changed() => {
                // Whoever could stop us is gone, which is a reason to stop as well.
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(INTERVAL) => watch.look(Look::now()).await,
        }
    }
}

struct Watch {
    spool: Arc<dyn Spool>,
    waits: Waits,
    last: Look,
    /// How far the clock was put back, until the spool has made that good.
    back: Option<SignedDuration>,
}

impl Watch {
    async fn look(&mut self, now: Look) {
        if let Some(back) = self.last.put_back(now) {
            self.back = Some(back.saturating_add(self.back.unwrap_or(SignedDuration::ZERO)));
        }
        self.last = now;
        if self.back.is_none() {
            return;
        }
        match shorten(self.spool.as_ref(), self.waits, now.wall, self.back).await {
            Ok(()) => self.back = None,
            Err(error) => {
                tracing::error!(%error, "the clock was put back, and what waits cannot be put right now")
            }
        }
    }
}

#[cfg(test)]
mod tests;
