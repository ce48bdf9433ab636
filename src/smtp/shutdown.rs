//! The wish to stop, as everything that waits sees it.

use std::future::Future;

use tokio::sync::watch;
use tokio::time::Instant;

/// Tells whether the daemon stops, and cuts waits short when it does. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shutdown(watch::Receiver<bool>);

impl From<watch::Receiver<bool>> for Shutdown {
    fn from(stop: watch::Receiver<bool>) -> Self {
        Self(stop)
    }
}

impl Shutdown {
    /// Whether it has begun.
    pub(super) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it begins.
    pub(super) async fn begun(&mut self) {
        // A sender that is gone has stopped, too: its end of the channel went with the daemon.
        drop(self.0.wait_for(|stop| *stop).await);
    }

    /// What comes of `work`, unless the shutdown begins before it is done; `work` is dropped then.
    pub(super) async fn unless_begun<F: Future>(&mut self, work: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.begun() => None,
        }
    }

    /// Sleeps until `time` or until the shutdown begins.
    pub(super) async fn sleep_until(&mut self, time: Instant) {
        drop(tokio::time::timeout_at(time, self.begun()).await);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// What hangs is a failure.
    async fn patiently<F: Future>(work: F) -> F::Output {
        timeout(Duration::from_secs(20), work).await.expect("it hangs")
    }

    #[tokio::test]
    async fn it_cuts_waits_short_and_not_what_is_done() {
        let (stop, stopped) = watch::channel(false);
        let mut shutdown = Shutdown::from(stopped);
        assert!(!shutdown.has_begun());
        assert_eq!(shutdown.unless_begun(ready(1)).await, Some(1));
        let soon = Instant::now() + Duration::from_millis(5);
        shutdown.sleep_until(soon).await;
        assert!(Instant::now() >= soon);

        stop.send_replace(true);
        assert!(shutdown.has_begun());
        let late = Instant::now() + Duration::from_secs(3600);
        patiently(shutdown.sleep_until(late)).await;
        assert!(Instant::now() < late);
        assert_eq!(patiently(shutdown.unless_begun(pending::<()>())).await, None);
        assert_eq!(shutdown.unless_begun(ready(2)).await, Some(2));
    }

    #[tokio::test]
    async fn a_daemon_that_is_gone_has_stopped() {
        let (stop, stopped) = watch::channel(false);
        drop(stop);
        assert_eq!(patiently(Shutdown::from(stopped).unless_begun(pending::<()>())).await, None);
    }
}
