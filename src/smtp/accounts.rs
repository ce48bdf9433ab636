//! Who may authenticate.
//!
//! The time of an answer must not tell whether a user name exists (CWE-208), and hashes differ in what
//! they cost. So a name that no account has, or whose account does not have what the client shows, is
//! checked against an account's hash all the same, always the same one for a name, and then refused. It
//! takes as long as a wrong password of that account.

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use secrecy::ExposeSecret;

use super::auth::{Credentials, Mechanism};
use super::settings::Account;
use crate::model::Secret;

/// The accounts of the door.
#[derive(Debug)]
pub struct Accounts {
    accounts: Vec<Account>,
    stand_ins: RandomState,
}

impl Accounts {
    /// Accounts in the order of the configuration. Where two have the same user name, the first counts.
    pub fn new(accounts: Vec<Account>) -> Self {
        Self { accounts, stand_ins: RandomState::new() }
    }

    /// Whether there is an account of this name; not its user name.
    pub fn has(&self, name: &str) -> bool {
        self.accounts.iter().any(|account| account.name == name)
    }

    /// What a client can be offered, in the order of `EHLO`: what no account has is left out.
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        let mut mechanisms = Vec::new();
        if self.accounts.iter().any(|account| account.password.is_some()) {
            mechanisms.extend([Mechanism::Plain, Mechanism::Login]);
        }
        if self.accounts.iter().any(|account| account.cram_md5.is_some()) {
            mechanisms.push(Mechanism::CramMd5);
        }
        mechanisms
    }

    /// The account whose credentials these are. User names are compared exactly. Keeps a processor busy
    /// for tens of milliseconds, so that it is no work for the runtime.
    pub fn verify(&self, credentials: &Credentials) -> Option<&Account> {
        match credentials {
            Credentials::Password { username, password } => self.matching(
                username,
                |account| account.password.as_ref(),
                |hash| hash.verify(password.expose_secret()),
            ),
            Credentials::CramMd5 { username, challenge, digest } => self.matching(
                username,
                |account| account.cram_md5.as_ref(),
                |secret| is_signed(secret, challenge, digest),
            ),
        }
    }

    /// Whether these credentials could be anybody's at all. CRAM-MD5 where the name has no secret cannot:
    /// clients that try it first and fall back to PLAIN do so for every mail, and guess nothing.
    pub fn could_be(&self, credentials: &Credentials) -> bool {
        match credentials {
            Credentials::Password { .. } => true,
            Credentials::CramMd5 { username, .. } => self
                .accounts
                .iter()
                .any(|account| account.username == *username && account.cram_md5.is_some()),
        }
    }

    /// The account called `username` whose `shown` passes the `check`. The check is made in any case, on
    /// another account's where this one has nothing to check.
    fn matching<'a, T: 'a>(
        &'a self,
        username: &str,
        shown: impl Fn(&'a Account) -> Option<&'a T>,
        check: impl Fn(&T) -> bool,
    ) -> Option<&'a Account> {
        let account = self.accounts.iter().find(|account| account.username == username);
        if let Some(account) = account
            && let Some(shown) = shown(account)
        {
            return check(shown).then_some(account);
        }
        let all: Vec<&T> = self.accounts.iter().filter_map(shown).collect();
        if !all.is_empty() {
            let stand_in = self.stand_ins.hash_one(username) % all.len() as u64;
            black_box(check(all[usize::try_from(stand_in).unwrap_or(0)]));
        }
        None
    }
}

/// Whether `digest` is the HMAC-MD5 of the challenge (RFC 2195 section 2); compared in constant time.
fn is_signed(secret: &Secret, challenge: &str, digest: &[u8]) -> bool {
    // A key of any length will do.
    let Ok(mac) = Hmac::<Md5>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.chain_update(challenge).verify_slice(digest).is_ok()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use argon2::password_hash::{PasswordHasher, SaltString};
    use argon2::{Algorithm, Argon2, Params, Version};

    use super::*;
    use crate::credential::PasswordHash;

    /// A hash that costs next to nothing.
    fn hash(password: &str) -> PasswordHash {
        let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let params = Params::new(8, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        PasswordHash::parse(&argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string()).unwrap()
    }

    fn account(name: &str, username: &str, password: Option<&str>, cram_md5: Option<&str>) -> Account {
        Account {
            name: name.to_owned(),
            username: username.to_owned(),
            password: password.map(hash),
            cram_md5: cram_md5.map(Secret::from),
        }
    }

    fn accounts() -> Accounts {
        Accounts::new(vec![
            account("ups", "ups", Some("pw-ups"), None),
            account("printer", "Printer", Some("pw-printer"), Some("secret")),
            account("bmc", "tim", None, Some("tanstaaftanstaaf")),
            account("later", "ups", Some("pw-later"), Some("secret-later")),
        ])
    }

    fn password(username: &str, password: &str) -> Credentials {
        Credentials::Password { username: username.to_owned(), password: Secret::from(password) }
    }

    fn signed(username: &str, digest: u128) -> Credentials {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>".to_owned();
        Credentials::CramMd5 { username: username.to_owned(), challenge, digest: digest.to_be_bytes() }
    }

    fn who(credentials: &Credentials) -> Option<String> {
        accounts().verify(credentials).map(|account| account.name.clone())
    }

    #[test]
    fn a_password_belongs_to_the_exact_user_name() {
        assert_eq!(who(&password("ups", "pw-ups")).as_deref(), Some("ups"));
        assert_eq!(who(&password("Printer", "pw-printer")).as_deref(), Some("printer"));
        for (username, wrong) in [
            ("ups", "pw-printer"),
            ("ups", "pw-later"),
            ("ups", ""),
            ("UPS", "pw-ups"),
            ("printer", "pw-printer"),
            ("ups ", "pw-ups"),
            ("nobody", "pw-ups"),
            ("nobody", "pw-printer"),
            ("tim", "tanstaaftanstaaf"),
            ("tim", "pw-ups"),
        ] {
            assert_eq!(who(&password(username, wrong)), None, "{username} {wrong}");
        }
    }

    #[test]
    fn a_challenge_is_signed_with_the_secret() {
        // The example of RFC 2195 section 2; the others by Python's hmac.
        let tim = 0xb913_a602_c7ed_a7a4_95b4_e6e7_334d_3890;
        assert_eq!(who(&signed("tim", tim)).as_deref(), Some("bmc"));
        assert_eq!(who(&signed("tim", tim ^ 1)), None);
        assert_eq!(who(&signed("tim", tim ^ (1 << 127))), None);
        assert_eq!(who(&signed("Tim", tim)), None);
        assert_eq!(who(&signed("nobody", tim)), None);
        assert_eq!(
            who(&signed("Printer", 0x733b_a87e_64ed_7e44_1f06_2c4a_c6db_0103)).as_deref(),
            Some("printer")
        );
        assert_eq!(who(&signed("ups", 0x733b_a87e_64ed_7e44_1f06_2c4a_c6db_0103)), None, "it has no secret");
    }

    #[test]
    fn a_long_secret_signs_too() {
        // Over one block of MD5 the key is hashed first (RFC 2104 section 2).
        let accounts = Accounts::new(vec![account("a", "a", None, Some(&"k".repeat(65)))]);
        assert!(accounts.verify(&signed("a", 0xc26f_650a_bcb4_85a9_07fa_679a_2807_bdac)).is_some());
    }

    #[test]
    fn only_what_an_account_has_is_offered() {
        let of = |accounts: Vec<Account>| {
            Accounts::new(accounts).mechanisms().into_iter().map(Mechanism::name).collect::<Vec<_>>()
        };
        assert_eq!(of(Vec::new()), [""; 0]);
        assert_eq!(of(vec![account("a", "a", Some("pw"), None)]), ["PLAIN", "LOGIN"]);
        assert_eq!(of(vec![account("a", "a", None, Some("s"))]), ["CRAM-MD5"]);
        assert_eq!(
            of(vec![account("a", "a", None, Some("s")), account("b", "b", Some("pw"), None)]),
            ["PLAIN", "LOGIN", "CRAM-MD5"]
        );
        assert!(Accounts::new(Vec::new()).verify(&password("ups", "pw-ups")).is_none());
    }

    #[test]
    fn every_name_is_checked_once_and_an_unknown_one_always_against_the_same_account() {
        let accounts = accounts();
        let checked = |username: &str, passes: bool| {
            let seen = RefCell::new(Vec::new());
            let found = accounts.matching(
                username,
                |account| account.password.as_ref(),
                |hash| {
                    seen.borrow_mut().push(hash.as_str().to_owned());
                    passes
                },
            );
            (found.map(|account| account.name.as_str()), seen.into_inner())
        };
        let ups = hash("pw-ups").as_str().to_owned();
        assert_eq!(checked("ups", false), (None, vec![ups.clone()]));
        assert_eq!(checked("ups", true), (Some("ups"), vec![ups]));
        let mut stand_ins = Vec::new();
        for number in 0..100 {
            let name = format!("nobody{number}");
            let (found, seen) = checked(&name, true);
            assert_eq!((found, seen.len()), (None, 1), "even where the check passes");
            assert_eq!(checked(&name, false).1, seen);
            stand_ins.extend(seen);
        }
        stand_ins.sort();
        stand_ins.dedup();
        assert_eq!(stand_ins.len(), 3, "unknown names look like all the accounts");
        assert_eq!(checked("tim", true).0, None, "it has no password");
        assert_eq!(checked("tim", true).1.len(), 1);
    }
}
