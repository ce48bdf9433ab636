//! What all connections of the door count together: rates, failed authentications, lines in the log, metrics.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ProtocolVersion;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::intake::{Refusal, RefusalKind};

use super::accounts::Accounts;
use super::auth::Credentials;
use super::failures::Failures;
use super::log_limit::LogLimit;
use super::metrics::{Authentication, Handshake, Metrics};
use super::rates::{Exceeded, Rates};
use super::session::{About, Login};
use super::settings::Limits;
use crate::model::ClientKey;

/// Passwords checked at a time. Each takes a processor and 19 MiB for a while; more at a time would
/// let a guesser slow everybody down.
const CHECKS: usize = 2;
/// How long an authentication waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shared by all connections.
pub(super) struct Guard {
    rates: Mutex<Rates>,
    failures: Mutex<Failures>,
    lines: Mutex<LogLimit>,
    turns: Arc<Semaphore>,
    metrics: Metrics,
}

impl Guard {
    pub(super) fn new(limits: &Limits, metrics: Metrics) -> Self {
        Self {
            rates: Mutex::new(Rates::new()),
            failures: Mutex::new(Failures::new(limits.auth_failures, limits.auth_window)),
            lines: Mutex::default(),
            turns: Arc::new(Semaphore::new(CHECKS)),
            metrics,
        }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether a client may begin a message now: neither its messages nor its octets of the minute are
    /// used up. Counts the message.
    pub(super) fn message(&self, client: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        let (client, now) = (ClientKey::from(client), Instant::now());
        let mut rates = lock(&self.rates);
        let answer = rates
            .room_for_octets(client, &limits.per_minute, now)
            .and_then(|()| rates.message(client, &limits.per_minute, now));
        answer.map_err(refusal)
    }

    /// Whether a client may name another recipient now.
    pub(super) fn recipient(&self, client: IpAddr, limits: &Limits) -> Result<(), Refusal> {
        let answer = lock(&self.rates).recipient(client.into(), &limits.per_minute, Instant::now());
        answer.map_err(refusal)
    }

    /// So many octets of a message have come.
    pub(super) fn octets(&self, client: IpAddr, octets: u64, limits: &Limits) {
        // No lock where nothing is counted: this is asked with each packet.
        if limits.per_minute.octets.is_some() {
            lock(&self.rates).octets(client.into(), octets, &limits.per_minute, Instant::now());
        }
    }

    /// The limits have changed.
    pub(super) fn reload(&self, limits: &Limits) {
        lock(&self.failures).change(limits.auth_failures, limits.auth_window);
    }

    /// Whether a line about what this client did wrong may be written now: then with how many of all such
    /// lines were left out before it, if any.
    pub(super) fn may_log(&self, client: IpAddr) -> Option<Option<u64>> {
        lock(&self.lines).line(client.into(), Instant::now())
    }

    /// A reply with this code has decided about something.
    pub(super) fn note(&self, about: About, code: u16) {
        match (about, code >= 400) {
            // That it may begin is not counted.
            (About::Sender, false) => {}
            (About::Message, false) => self.metrics.message_accepted(),
            (About::Sender | About::Message, true) => self.metrics.message_refused(code),
            (About::Recipient, false) => self.metrics.recipient_accepted(),
            (About::Recipient, true) => self.metrics.recipient_refused(code),
        }
    }

    /// A handshake has ended, with a version unless it failed.
    pub(super) fn note_handshake(&self, version: Option<ProtocolVersion>) {
        self.metrics.tls_handshake(match version {
            Some(ProtocolVersion::TLSv1_3) => Handshake::Tls13,
            Some(_) => Handshake::Tls12,
            None => Handshake::Failed,
        });
    }

    /// Checks credentials. How long a failure is to take is the caller's matter.
    pub(super) async fn login(
        &self,
        credentials: Credentials,
        client: IpAddr,
        accounts: &Arc<Accounts>,
    ) -> Login {
        let Ok(Ok(turn)) = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await else {
            return self.unavailable();
        };
        // Asked only when it is this client's turn: many at a time come no further than one after the
        // other.
        if !lock(&self.failures).may_try(client.into(), Instant::now()) {
            self.metrics.authentication(Authentication::Limited);
            return Login::TooMany;
        }
        let accounts = Arc::clone(accounts);
        let checked = tokio::task::spawn_blocking(move || {
            let name = accounts.verify(&credentials).map(|account| account.name.clone());
            // Ends with the check and not with its caller: who hangs up makes no room for more of them.
            drop(turn);
            (name, accounts.could_be(&credentials))
        });
        match checked.await {
            Ok((Some(account), _)) => {
                self.metrics.authentication(Authentication::Ok);
                Login::Account(account)
            }
            Ok((None, counts)) => {
                self.metrics.authentication(Authentication::Failed);
                if counts {
                    lock(&self.failures).failed(client.into(), Instant::now());
                }
                Login::Failed
            }
            // The runtime is stopping.
            Err(_) => self.unavailable(),
        }
    }

    fn unavailable(&self) -> Login {
        self.metrics.authentication(Authentication::Unavailable);
        Login::Unavailable
    }

    /// Counts credentials that are nobody's without a look at the accounts.
    pub(super) fn fail_login(&self, client: IpAddr) -> Login {
        let (client, now) = (ClientKey::from(client), Instant::now());
        let mut failures = lock(&self.failures);
        if !failures.may_try(client, now) {
            self.metrics.authentication(Authentication::Limited);
            return Login::TooMany;
        }
        failures.failed(client, now);
        self.metrics.authentication(Authentication::Failed);
        Login::Failed
    }
}

/// Rates are temporary: the client comes again.
fn refusal(exceeded: Exceeded) -> Refusal {
    Refusal { kind: RefusalKind::TooFast { retry_after: exceeded.wait }, text: exceeded.to_string() }
}

/// Nothing panics while one of the locks is held, so that a poisoned one is still consistent.
fn lock<T>(counted: &Mutex<T>) -> MutexGuard<'_, T> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}
