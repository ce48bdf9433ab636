//! Credentials on their way to an account: what costs is done elsewhere, few at a time, and a client that was wrong
//! too often is asked to wait.
//!
//! The right answer of a hash is kept, or a client that posts a hundred forms a second would cost a hundred hashes. It
//! is kept as an HMAC under a key that this process alone has, one for each account, and for as long as the accounts
//! are the same: a reload forgets all of them.

use std::collections::HashMap;
use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;
use secrecy::ExposeSecret;

use super::account::{Denied, Shown, hashing, identify};
use super::figures::{AuthFailure, Figures};
use super::{Account, Limits};
use crate::attempts::{Attempt, Attempts, Verdict};
use crate::model::{ClientKey, Secret};

/// Who logs in.
#[derive(Debug)]
pub(super) struct Logins {
    attempts: Attempts,
    /// Sessions and secrets in paths that were none.
    tokens: Attempts,
    right: Arc<Right>,
    stand_ins: RandomState,
    figures: Figures,
}

/// Passwords that passed a hash.
#[derive(Debug)]
struct Right {
    /// Without it nothing is kept: the system had no random numbers.
    key: Option<hmac::Key>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// As long as it is held, no other list of accounts is at its place.
    of: Weak<Vec<Account>>,
    /// By the place of the account: it has one right password.
    tags: HashMap<usize, hmac::Tag>,
}

impl Logins {
    pub(super) fn new(limits: &Limits, figures: Figures) -> Self {
        Self {
            attempts: Attempts::new(limits.auth_failures, limits.auth_window),
            tokens: Attempts::new(limits.auth_failures, limits.auth_window),
            right: Arc::new(Right {
                key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok(),
                kept: Mutex::default(),
            }),
            stand_ins: RandomState::new(),
            figures,
        }
    }

    /// The place of the account that shows `shown`. A request without any credential is no attempt.
    pub(super) async fn identify(
        &self,
        accounts: &Arc<Vec<Account>>,
        address: IpAddr,
        shown: &Shown,
    ) -> Attempt<Result<usize, Denied>> {
        if let Shown::Nothing = shown {
            return Attempt::Checked(identify(accounts, address, shown, None));
        }
        let client = ClientKey::from(address);
        let verdict = |outcome: Result<usize, Denied>| Verdict { is_failure: outcome.is_err(), outcome };
        let one = hashing(accounts, address, shown, &self.stand_ins);
        let is_hashed = one.is_some_and(|one| {
            // From elsewhere it takes as long as a wrong one: it is answered like a wrong one.
            let is_known =
                one.is_own && one.is_from_here && self.right.has(accounts, one.index, one.password);
            !is_known
        });
        let attempt = if is_hashed {
            let (right, stand_ins) = (Arc::clone(&self.right), self.stand_ins.clone());
            let (accounts, shown) = (Arc::clone(accounts), shown.clone());
            let check = move || {
                let hashed = hashing(&accounts, address, &shown, &stand_ins).and_then(|one| {
                    // One of those that came with it may have been right meanwhile.
                    if one.is_own && one.is_from_here && right.has(&accounts, one.index, one.password) {
                        return Some(one.index);
                    }
                    let passed = one.check()?;
                    right.keep(&accounts, passed, one.password);
                    Some(passed)
                });
                verdict(identify(&accounts, address, &shown, hashed))
            };
            self.attempts.check(client, check).await
        } else {
            let hashed = one.map(|one| one.index);
            self.attempts.check_now(client, || verdict(identify(accounts, address, shown, hashed)))
        };
        self.count(&attempt);
        attempt
    }

    /// Whether a credential that is no account's is right: `is_right` says so, and is not heeded where `address` has shown
    /// too many wrong ones.
    ///
    /// # Errors
    /// How long the client has to wait where it is not heeded, `None` where it is wrong.
    pub(super) fn check_now(&self, address: IpAddr, is_right: bool) -> Result<(), Option<Duration>> {
        let outcome = if is_right { Ok(()) } else { Err(()) };
        let verdict = || Verdict { outcome, is_failure: !is_right };
        let attempt = self.attempts.check_now(ClientKey::from(address), verdict);
        self.count(&attempt);
        match attempt {
            Attempt::Checked(Ok(())) => Ok(()),
            Attempt::TooMany(wait) => Err(Some(wait)),
            Attempt::Checked(Err(())) | Attempt::Unavailable => Err(None),
        }
    }

    /// Notes a session or a secret in a path that is none. Says how long its client has to wait, where it has shown too
    /// much that was wrong before, credentials too.
    ///
    /// A right one needs no leave: nobody guesses it, and others behind the address of its client may have been wrong. For
    /// the same reason what is noted here keeps nobody from showing a credential: after a restart every client of an
    /// API with sessions shows one that is over.
    pub(super) fn wrong_token(&self, address: IpAddr) -> Option<Duration> {
        let client = ClientKey::from(address);
        let wrong = || Verdict { outcome: Err::<(), ()>(()), is_failure: true };
        let attempt = match self.attempts.wait(client) {
            Some(wait) => Attempt::TooMany(wait),
            None => self.tokens.check_now(client, wrong),
        };
        self.count(&attempt);
        match attempt {
            Attempt::TooMany(wait) => Some(wait),
            Attempt::Checked(_) | Attempt::Unavailable => None,
        }
    }

    fn count<T, E>(&self, attempt: &Attempt<Result<T, E>>) {
        match attempt {
            Attempt::Checked(Ok(_)) => {}
            Attempt::Checked(Err(_)) => self.figures.auth_failure(AuthFailure::Failed),
            Attempt::TooMany(_) => self.figures.auth_failure(AuthFailure::Limited),
            Attempt::Unavailable => self.figures.auth_failure(AuthFailure::Unavailable),
        }
    }
}

impl Right {
    /// Whether `password` has passed the hash of the account at `index`.
    fn has(&self, accounts: &Arc<Vec<Account>>, index: usize, password: &Secret) -> bool {
        let Some(key) = &self.key else { return false };
        let kept = self.kept();
        if !std::ptr::eq(kept.of.as_ptr(), Arc::as_ptr(accounts)) {
            return false;
        }
        let Some(tag) = kept.tags.get(&index).copied() else { return false };
        drop(kept);
        hmac::verify(key, password.expose_secret().as_bytes(), tag.as_ref()).is_ok()
    }

    fn keep(&self, accounts: &Arc<Vec<Account>>, index: usize, password: &Secret) {
        let Some(key) = &self.key else { return };
        let tag = hmac::sign(key, password.expose_secret().as_bytes());
        let mut kept = self.kept();
        if !std::ptr::eq(kept.of.as_ptr(), Arc::as_ptr(accounts)) {
            *kept = Kept { of: Arc::downgrade(accounts), tags: HashMap::new() };
        }
        kept.tags.insert(index, tag);
    }

    /// Nothing panics while the lock is held, so that a poisoned one is still consistent.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash that costs next to nothing.
#[cfg(test)]
pub(super) fn cheap(password: &str) -> crate::credential::PasswordHash {
    use argon2::password_hash::{PasswordHasher, SaltString};
    use argon2::{Algorithm, Argon2, Params, Version};

    let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash = argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string();
    crate::credential::PasswordHash::parse(&hash).unwrap()
}

#[cfg(test)]
mod tests {
    use super::super::{Login, Proof};
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn accounts(passwords: &[&str]) -> Arc<Vec<Account>> {
        let account = |(number, password): (usize, &&str)| Account {
            name: format!("a{number}"),
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            login: Some(Login { username: format!("a{number}"), proof: Proof::Hash(cheap(password)) }),
            profiles: None,
            may_choose_sender: false,
            may_choose_lane: false,
            may_see_all: false,
            accepted: crate::profile::Answers::default(),
            program: None,
        };
        Arc::new(passwords.iter().enumerate().map(account).collect())
    }

    fn logins(auth_failures: usize) -> Logins {
        let time = Duration::from_secs(600);
        let limits = Limits {
            body_octets: 1,
            connections: 1,
            connections_per_client: 1,
            header_time: time,
            request_time: time,
            auth_failures,
            auth_window: time,
        };
        Logins::new(&limits, Figures::new())
    }

    fn pair(username: &str, password: &str) -> Shown {
        Shown::Pair(username.to_owned(), Secret::from(password))
    }

    #[tokio::test]
    async fn what_was_right_is_kept_until_the_accounts_are_others() {
        let (logins, then) = (logins(10), accounts(&["p0", "p1"]));
        let has =
            |accounts, index, password: &str| logins.right.has(accounts, index, &Secret::from(password));
        assert_eq!(
            logins.identify(&then, HERE, &pair("a1", "p0")).await,
            Attempt::Checked(Err(Denied::Wrong))
        );
        assert!(!has(&then, 1, "p0") && !has(&then, 0, "p0"), "what was wrong is not kept");
        assert_eq!(logins.identify(&then, HERE, &pair("a1", "p1")).await, Attempt::Checked(Ok(1)));
        assert!(has(&then, 1, "p1"));
        assert!(!has(&then, 1, "p0") && !has(&then, 0, "p1"));
        assert_eq!(
            logins.identify(&then, HERE, &pair("a1", "p1")).await,
            Attempt::Checked(Ok(1)),
            "from memory"
        );
        assert_eq!(
            logins.identify(&then, HERE, &pair("a1", "p0")).await,
            Attempt::Checked(Err(Denied::Wrong))
        );
        let now = accounts(&["p0", "other"]);
        assert!(!has(&now, 1, "p1"));
        assert_eq!(
            logins.identify(&now, HERE, &pair("a1", "p1")).await,
            Attempt::Checked(Err(Denied::Wrong))
        );
        assert_eq!(logins.identify(&now, HERE, &pair("a1", "other")).await, Attempt::Checked(Ok(1)));
        assert!(!has(&then, 1, "p1"), "a reload forgets");
    }

    #[tokio::test]
    async fn what_is_kept_lets_nobody_in_from_elsewhere() {
        let (logins, accounts) = (logins(10), accounts(&["p0"]));
        assert_eq!(logins.identify(&accounts, HERE, &pair("a0", "p0")).await, Attempt::Checked(Ok(0)));
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        let denied = Attempt::Checked(Err(Denied::WrongNetwork));
        assert_eq!(logins.identify(&accounts, elsewhere, &pair("a0", "p0")).await, denied);
    }

    #[tokio::test]
    async fn a_client_that_failed_too_often_is_not_looked_at() {
        let (logins, accounts) = (logins(2), accounts(&["p0"]));
        assert_eq!(logins.identify(&accounts, HERE, &pair("a0", "p0")).await, Attempt::Checked(Ok(0)));
        for _ in 0..2 {
            let wrong = logins.identify(&accounts, HERE, &pair("a0", "p1")).await;
            assert_eq!(wrong, Attempt::Checked(Err(Denied::Wrong)));
        }
        for shown in [pair("a0", "p1"), pair("a0", "p0"), Shown::Key(Secret::from("p0"))] {
            assert!(
                matches!(logins.identify(&accounts, HERE, &shown).await, Attempt::TooMany(_)),
                "{shown:?}"
            );
        }
        let nothing = logins.identify(&accounts, HERE, &Shown::Nothing).await;
        assert_eq!(nothing, Attempt::Checked(Err(Denied::Missing)), "that is no attempt");
    }

    #[tokio::test]
    async fn wrong_tokens_are_limited_and_shut_no_door_for_credentials() {
        let (logins, accounts) = (logins(2), accounts(&["p0"]));
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        assert_eq!((logins.wrong_token(HERE), logins.wrong_token(HERE)), (None, None));
        assert!(logins.wrong_token(HERE).is_some_and(|wait| wait <= Duration::from_secs(600)));
        assert_eq!(logins.wrong_token(elsewhere), None, "others are not concerned");
        assert_eq!(logins.identify(&accounts, HERE, &pair("a0", "p0")).await, Attempt::Checked(Ok(0)));
        assert_eq!(logins.check_now(HERE, true), Ok(()));
    }

    #[tokio::test]
    async fn wrong_credentials_of_any_kind_count_together_and_for_tokens_too() {
        let (logins, accounts) = (logins(2), accounts(&["p0"]));
        assert_eq!(logins.check_now(HERE, false), Err(None));
        let wrong = logins.identify(&accounts, HERE, &pair("a0", "p1")).await;
        assert_eq!(wrong, Attempt::Checked(Err(Denied::Wrong)));
        assert!(logins.check_now(HERE, true).is_err_and(|wait| wait.is_some()), "also the right one");
        assert!(logins.wrong_token(HERE).is_some());
        let right = logins.identify(&accounts, HERE, &pair("a0", "p0")).await;
        assert!(matches!(right, Attempt::TooMany(_)));
    }
}
