//! Checks of credentials that cost: few at a time, off the threads of the runtime, and none for a client that has
//! failed too often. Each door has its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::credential::Failures;
use crate::model::ClientKey;

/// Passwords checked at a time. Each takes a processor and 19 MiB for a while; more at a time would
/// let a guesser slow everybody down.
const CHECKS: usize = 2;
/// How long a check waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The attempts at one door.
#[derive(Debug)]
pub struct Attempts {
    failures: Mutex<Failures>,
    turns: Arc<Semaphore>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// It was checked; whether it counts as a failure is what the check said.
    Checked(T),
    /// It was not looked at: the client has failed too often, and has to wait so long.
    TooMany(Duration),
    /// It was not looked at: too many are checked, or the runtime is stopping.
    Unavailable,
}

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<T> {
    /// For the caller.
    pub outcome: T,
    /// Whether the client failed.
    pub is_failure: bool,
}

impl Attempts {
    /// After `limit` failures within `window` a client may try no more for another `window`, as [`Failures`] has it.
    pub fn new(limit: usize, window: Duration) -> Self {
        Self { failures: Mutex::new(Failures::new(limit, window)), turns: Arc::new(Semaphore::new(CHECKS)) }
    }

    /// Other limits from now on; see [`Failures::change`].
    pub fn change(&self, limit: usize, window: Duration) {
        self.failures().change(limit, window);
    }

    /// Makes a check that costs, when it is this one's turn, on a thread of its own.
    pub async fn check<T: Send + 'static>(
        &self,
        client: ClientKey,
        check: impl FnOnce() -> Verdict<T> + Send + 'static,
    ) -> Attempt<T> {
        if let Some(wait) = self.wait(client) {
            return Attempt::TooMany(wait);
        }
        let Ok(Ok(turn)) = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await else {
            return Attempt::Unavailable;
        };
        // Asked again when it is this client's turn: many at a time come no further than one after the
        // other.
        if let Some(wait) = self.wait(client) {
            return Attempt::TooMany(wait);
        }
        let checked = tokio::task::spawn_blocking(move || {
            let verdict = check();
            // Ends with the check and not with its caller: who hangs up makes no room for more of them.
            drop(turn);
            verdict
        });
        match checked.await {
            Ok(Verdict { outcome, is_failure }) => {
                if is_failure {
                    self.failures().failed(client, Instant::now());
                }
                Attempt::Checked(outcome)
            }
            // The runtime is stopping.
            Err(_) => Attempt::Unavailable,
        }
    }

    /// Makes a check that costs next to nothing.
    pub fn check_now<T>(&self, client: ClientKey, check: impl FnOnce() -> Verdict<T>) -> Attempt<T> {
        let now = Instant::now();
        if let Some(wait) = self.failures().wait(client, now) {
            return Attempt::TooMany(wait);
        }
        let Verdict { outcome, is_failure } = check();
        if is_failure {
            self.failures().failed(client, now);
        }
        Attempt::Checked(outcome)
    }

    /// How long `client` has to wait before it may try, if it has to.
    pub fn wait(&self, client: ClientKey) -> Option<Duration> {
        self.failures().wait(client, Instant::now())
    }

    /// Nothing panics while the lock is held, so that a poisoned one is still consistent.
    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn client() -> ClientKey {
        IpAddr::from([192, 0, 2, 1]).into()
    }

    fn wrong() -> Verdict<&'static str> {
        Verdict { outcome: "wrong", is_failure: true }
    }

    #[tokio::test]
    async fn a_check_beyond_the_limit_is_not_made() {
        let attempts = Attempts::new(3, WINDOW);
        assert_eq!(attempts.check_now(client(), wrong), Attempt::Checked("wrong"));
        let right = || Verdict { outcome: "right", is_failure: false };
        assert_eq!(attempts.check(client(), right).await, Attempt::Checked("right"));
        assert_eq!(attempts.check(client(), wrong).await, Attempt::Checked("wrong"));
        assert_eq!(attempts.check(client(), wrong).await, Attempt::Checked("wrong"));
        let unwanted = || -> Verdict<()> { panic!("it is checked all the same") };
        let Attempt::TooMany(wait) = attempts.check(client(), unwanted).await else { panic!("it may try") };
        assert!(wait <= WINDOW && wait > WINDOW / 2, "{wait:?}");
        assert!(matches!(attempts.check_now(client(), unwanted), Attempt::TooMany(_)));
        let other = IpAddr::from([192, 0, 2, 2]).into();
        assert_eq!(attempts.check(other, right).await, Attempt::Checked("right"));
    }

    #[tokio::test]
    async fn two_are_checked_at_a_time_and_not_three() {
        let attempts = Arc::new(Attempts::new(3, WINDOW));
        let (said, heard) = std::sync::mpsc::channel();
        let (go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let mut running = Vec::new();
        for _ in 0..3 {
            let (attempts, said, held) = (Arc::clone(&attempts), said.clone(), Arc::clone(&held));
            running.push(tokio::spawn(async move {
                let check = move || {
                    said.send(()).unwrap();
                    held.lock().unwrap().recv().unwrap();
                    Verdict { outcome: (), is_failure: false }
                };
                attempts.check(client(), check).await
            }));
        }
        while attempts.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let heard = tokio::task::spawn_blocking(move || {
            heard.recv().unwrap();
            heard.recv().unwrap();
            heard
        });
        let heard = heard.await.unwrap();
        assert!(heard.try_recv().is_err(), "a third began");
        for _ in 0..3 {
            go.send(()).unwrap();
        }
        for ended in running {
            assert_eq!(ended.await.unwrap(), Attempt::Checked(()));
        }
        assert!(heard.try_recv().is_ok(), "the third came after one of the others");
    }
}
