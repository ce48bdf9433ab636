//! What all connections of the door count together: rates, failed authentications, lines in the log, metrics.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::ProtocolVersion;

use crate::intake::{Refusal, RefusalKind};

use super::accounts::Accounts;
use super::auth::Credentials;
use super::log_limit::LogLimit;
use super::metrics::{Authentication, Handshake, Metrics};
use super::rates::{Exceeded, Rates};
use super::session::{About, Login};
use super::settings::Limits;
use crate::attempts::{Attempt, Attempts, Verdict};
use crate::model::ClientKey;

/// Shared by all connections.
pub(super) struct Guard {
    rates: Mutex<Rates>,
    attempts: Attempts,
    lines: Mutex<LogLimit>,
    metrics: Metrics,
}

impl Guard {
    pub(super) fn new(limits: &Limits, metrics: Metrics) -> Self {
        Self {
            rates: Mutex::new(Rates::new()),
            attempts: Attempts::new(limits.auth_failures, limits.auth_window),
            lines: Mutex::default(),
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
        self.attempts.change(limits.auth_failures, limits.auth_window);
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
        let accounts = Arc::clone(accounts);
        let check = move || {
            let name = accounts.verify(&credentials).map(|account| account.name.clone());
            Verdict { is_failure: name.is_none() && accounts.could_be(&credentials), outcome: name }
        };
        // Apart: every connection would have room for it all its life.
        let attempt = Box::pin(self.attempts.check(client.into(), check)).await;
        self.told(attempt)
    }

    /// Counts credentials that are nobody's without a look at the accounts.
    pub(super) fn fail_login(&self, client: IpAddr) -> Login {
        let nobody = || Verdict { outcome: None, is_failure: true };
        self.told(self.attempts.check_now(client.into(), nobody))
    }

    fn told(&self, attempt: Attempt<Option<String>>) -> Login {
        let (result, login) = match attempt {
            Attempt::Checked(Some(account)) => (Authentication::Ok, Login::Account(account)),
            Attempt::Checked(None) => (Authentication::Failed, Login::Failed),
            Attempt::TooMany(_) => (Authentication::Limited, Login::TooMany),
            Attempt::Unavailable => (Authentication::Unavailable, Login::Unavailable),
        };
        self.metrics.authentication(result);
        login
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
