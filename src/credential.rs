//! Passwords and API keys that the relay can check and cannot tell, and who failed to show one.
//!
//! Passwords: only argon2id (RFC 9106), written as a PHC string: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`. The
//! parameters stand in the hash, so a hash decides what checking it costs; [`PasswordHash::parse`]
//! bounds that. Level 1 draws no random numbers: the salt is an argument.

mod api_key;
mod failures;

use std::fmt;

use argon2::password_hash::{self, PasswordHashString, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::ExposeSecret;

use crate::model::Secret;

pub use api_key::{ApiKeyError, ApiKeyHash, ApiKeyHashError};
pub use failures::Failures;

/// Most memory that checking a hash may take, in KiB: 256 MiB.
const MAX_MEMORY: u32 = 256 << 10;
/// Most passes over that memory.
const MAX_PASSES: u32 = 16;
/// Most lanes.
const MAX_LANES: u32 = 16;
/// Fewest octets of the result. Argon2 makes as few as 4, which every four-billionth password has.
const MIN_OUTPUT: usize = 16;
/// Said wherever a hash is of no use.
const ADVICE: &str = "make one with: sms-relay hash-password";

/// The argon2id hash of a password, read and found fit to be checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(PasswordHashString);

/// Why a text is no hash that we check passwords against. No message shows the text: it may be a
/// password in the place of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Another algorithm, or no PHC string at all.
    #[error("this is not an argon2id hash; {ADVICE}")]
    NotArgon2id,
    /// Argon2 as it was before version 19 (hexadecimal 13), or a hash that does not say.
    #[error("the hash does not say v=19, the version of argon2 that is used here; {ADVICE}")]
    Version,
    /// `m`, `t` or `p` missing or unreadable, or something besides them.
    #[error("the hash does not have the parameters m, t and p and no others; {ADVICE}")]
    Parameters,
    /// `m` out of bounds, in KiB.
    #[error("the hash has m={0}; it must be from 8 for each lane to {MAX_MEMORY} KiB; {ADVICE}")]
    Memory(u32),
    /// `t` out of bounds.
    #[error("the hash has t={0}; it must be from 1 to {MAX_PASSES}; {ADVICE}")]
    Passes(u32),
    /// `p` out of bounds.
    #[error("the hash has p={0}; it must be from 1 to {MAX_LANES}; {ADVICE}")]
    Lanes(u32),
    /// The salt is missing, not base64, or under 8 octets.
    #[error("the salt in the hash is missing or mistyped; {ADVICE}")]
    Salt,
    /// The result is missing or under 16 octets.
    #[error("the hash is cut short; {ADVICE}")]
    CutShort,
}

/// Why a password gets no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing.
    #[error("the password is empty")]
    Empty,
    /// Control characters: PLAIN cannot carry NUL (RFC 4616 section 2), and nobody types the others
    /// on purpose.
    #[error("the password has control characters in it")]
    Control,
    /// Over [`PasswordHash::MAX_PASSWORD`] octets.
    #[error("the password is over {max} octets", max = PasswordHash::MAX_PASSWORD)]
    TooLong,
    /// The library's word for something that it does not do.
    #[error("argon2 cannot hash it: {0}")]
    Argon2(#[from] password_hash::Error),
}

impl PasswordHash {
    /// Most octets of a password that a hash is made of.
    pub const MAX_PASSWORD: usize = 1024;

    /// Reads a PHC string. Blanks and line ends around it are ignored.
    ///
    /// # Errors
    /// [`HashError`] when it is none of argon2id, or when a check would take more than 256 MiB, 16
    /// passes or 16 lanes.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let parsed = PasswordHashString::new(text.trim()).map_err(|_| HashError::NotArgon2id)?;
        if parsed.algorithm() != ARGON2ID_IDENT {
            return Err(HashError::NotArgon2id);
        }
        if parsed.version() != Some(Version::V0x13.into()) {
            return Err(HashError::Version);
        }
        let params = parsed.params();
        let number = |name| params.get_decimal(name).ok_or(HashError::Parameters);
        let (memory, passes, lanes) = (number("m")?, number("t")?, number("p")?);
        if params.iter().count() != 3 {
            return Err(HashError::Parameters);
        }
        if !(1..=MAX_LANES).contains(&lanes) {
            return Err(HashError::Lanes(lanes));
        }
        if !(1..=MAX_PASSES).contains(&passes) {
            return Err(HashError::Passes(passes));
        }
        if !(8 * lanes..=MAX_MEMORY).contains(&memory) {
            return Err(HashError::Memory(memory));
        }
        let mut room = [0; password_hash::Salt::MAX_LENGTH];
        let salt = parsed.salt().ok_or(HashError::Salt)?;
        let salt = salt.decode_b64(&mut room).map_err(|_| HashError::Salt)?;
        if salt.len() < argon2::MIN_SALT_LEN {
            return Err(HashError::Salt);
        }
        if parsed.hash().is_none_or(|output| output.len() < MIN_OUTPUT) {
            return Err(HashError::CutShort);
        }
        Ok(Self(parsed))
    }

    /// Hashes a password with what OWASP recommends for argon2id: 19 MiB, 2 passes, 1 lane. Every
    /// hash needs a salt of its own from a source that nobody can guess.
    ///
    /// # Errors
    /// [`PasswordError`] when it is empty, over [`MAX_PASSWORD`](Self::MAX_PASSWORD) octets or has
    /// control characters.
    pub fn new(password: &Secret, salt: [u8; 16]) -> Result<Self, PasswordError> {
        let password = password.expose_secret();
        if password.is_empty() {
            return Err(PasswordError::Empty);
        }
        if password.len() > Self::MAX_PASSWORD {
            return Err(PasswordError::TooLong);
        }
        if password.chars().any(char::is_control) {
            return Err(PasswordError::Control);
        }
        let salt = SaltString::encode_b64(&salt)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
        Ok(Self(argon2.hash_password(password.as_bytes(), &salt)?.serialize()))
    }

    /// Whether `offered` is the password. Takes as much time and memory as the hash says, whether it is or
    /// not: 19 MiB and tens of milliseconds for one of ours. Never call it on a thread of the runtime.
    pub fn verify(&self, offered: &str) -> bool {
        // The parameters are those of the hash, and the results are compared in constant time.
        Argon2::default().verify_password(offered.as_bytes(), &self.0.password_hash()).is_ok()
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `hunter2`, by the reference implementation (its binding argon2-cffi).
    const CHEAP: &str =
        "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$z7ZzNFNWTiTbITPVfIuYm/j5mJTlyIzyrywGnvz8YxI";
    /// The salt and the result of [`CHEAP`], for hashes that differ in the rest.
    const TAIL: &str = "$MDEyMzQ1Njc4OWFiY2RlZg$z7ZzNFNWTiTbITPVfIuYm/j5mJTlyIzyrywGnvz8YxI";

    fn refused(text: &str) -> HashError {
        PasswordHash::parse(text).unwrap_err()
    }

    #[test]
    fn a_hash_made_elsewhere_is_checked() {
        let hash = PasswordHash::parse(CHEAP).unwrap();
        assert!(hash.verify("hunter2"));
        for wrong in ["", "hunter", "hunter22", "Hunter2", CHEAP] {
            assert!(!hash.verify(wrong), "{wrong}");
        }
        assert_eq!(PasswordHash::parse(&format!(" {CHEAP}\r\n")).unwrap().as_str(), CHEAP);
    }

    #[test]
    fn a_hash_of_ours_costs_what_owasp_recommends_and_is_read_again() {
        let hash = PasswordHash::new(&Secret::from("correct horse"), *b"0123456789abcdef").unwrap();
        let start = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$";
        assert!(hash.as_str().starts_with(start), "{}", hash.as_str());
        let read = PasswordHash::parse(hash.as_str()).unwrap();
        assert!(read.verify("correct horse") && !read.verify("correct horse "));
        let other = PasswordHash::new(&Secret::from("correct horse"), *b"0123456789abcdeg").unwrap();
        assert_ne!(hash, other, "the salt is part of it");
    }

    #[test]
    fn passwords_that_no_client_can_show_get_no_hash() {
        let hash = |text: String| PasswordHash::new(&Secret::from(text), [7; 16]).map(|_| ());
        assert_eq!(hash(String::new()), Err(PasswordError::Empty));
        assert_eq!(hash("a\0b".to_owned()), Err(PasswordError::Control));
        assert_eq!(hash("a\u{85}".to_owned()), Err(PasswordError::Control));
        assert_eq!(hash("a".repeat(PasswordHash::MAX_PASSWORD)), Ok(()));
        assert_eq!(hash("a".repeat(PasswordHash::MAX_PASSWORD + 1)), Err(PasswordError::TooLong));
        assert_eq!(PasswordError::TooLong.to_string(), "the password is over 1024 octets");
    }

    #[test]
    fn what_is_no_argon2id_hash_is_refused_by_name() {
        for other in [
            "",
            "hunter2",
            "$",
            "$$$$",
            "$2y$12$DwXS2Zk0O1XvGqvVZbWqYe8o0Z6m9u8q1Q1u0wqY3m5hEJm1n2o3K",
            "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$tlkvP2ZXzIDVEwIaH0VYcrGbKsAfl0tC2VUwQDgYsps",
            &CHEAP.replace("argon2id", "Argon2id"),
            &CHEAP.replacen('$', "", 1),
            &format!("{CHEAP}$x"),
            &format!("{CHEAP}=="),
        ] {
            assert_eq!(refused(other), HashError::NotArgon2id, "{other}");
        }
        let with = |head: &str| refused(&format!("{head}{TAIL}"));
        assert_eq!(with("$argon2id$v=16$m=64,t=2,p=1"), HashError::Version);
        assert_eq!(with("$argon2id$m=64,t=2,p=1"), HashError::Version);
        for few in ["m=64,t=2", "t=2,p=1", "m=64,p=1", "m=x,t=2,p=1", "m=64,t=2,p=1,keyid=AAAA"] {
            assert_eq!(with(&format!("$argon2id$v=19${few}")), HashError::Parameters, "{few}");
        }
        let head = "$argon2id$v=19$m=64,t=2,p=1";
        assert_eq!(refused(head), HashError::Salt);
        assert_eq!(refused(&format!("{head}$c2FsdHNhbA$AAAAAAAAAAAAAAAAAAAAAA")), HashError::Salt);
        assert_eq!(refused(&format!("{head}$c2FsdHNhbHQ")), HashError::CutShort);
        assert_eq!(refused(&format!("{head}$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAA")), HashError::CutShort);
        assert!(PasswordHash::parse(&format!("{head}$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")).is_ok());
    }

    #[test]
    fn a_hash_cannot_ask_for_more_than_the_bounds() {
        let with = |m: u64, t: u64, p: u64| {
            PasswordHash::parse(&format!("$argon2id$v=19$m={m},t={t},p={p}{TAIL}")).map(|_| ())
        };
        assert_eq!(with(262_144, 1, 1), Ok(()));
        assert_eq!(with(262_145, 1, 1), Err(HashError::Memory(262_145)));
        assert_eq!(with(8, 1, 1), Ok(()));
        assert_eq!(with(7, 1, 1), Err(HashError::Memory(7)));
        assert_eq!(with(31, 1, 4), Err(HashError::Memory(31)));
        assert_eq!(with(64, 16, 1), Ok(()));
        assert_eq!(with(64, 17, 1), Err(HashError::Passes(17)));
        assert_eq!(with(64, 0, 1), Err(HashError::Passes(0)));
        assert_eq!(with(1024, 1, 16), Ok(()));
        assert_eq!(with(1024, 1, 17), Err(HashError::Lanes(17)));
        assert_eq!(with(1024, 1, 0), Err(HashError::Lanes(0)));
        assert_eq!(with(u64::from(u32::MAX), 1, u64::from(u32::MAX)), Err(HashError::Lanes(u32::MAX)));
        assert_eq!(with(1 << 32, 1, 1), Err(HashError::Parameters));
    }

    #[test]
    fn what_is_told_says_what_to_do_and_shows_no_hash() {
        assert_eq!(
            refused("hunter2").to_string(),
            "this is not an argon2id hash; make one with: sms-relay hash-password"
        );
        let dear = refused(&format!("$argon2id$v=19$m=1048576,t=2,p=1{TAIL}"));
        assert_eq!(
            dear.to_string(),
            "the hash has m=1048576; it must be from 8 for each lane to 262144 KiB; make one with: sms-relay \
             hash-password"
        );
        assert_eq!(format!("{:?}", PasswordHash::parse(CHEAP).unwrap()), "PasswordHash");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in any::<String>(),
            cut in 0..200_usize,
            insert in "[$a-zA-Z0-9=,]{0,4}",
        ) {
            let _ = PasswordHash::parse(&text);
            // Near misses get further than noise; what passes has to be fit for a check.
            let mut near = CHEAP.to_owned();
            near.insert_str(cut.min(CHEAP.len()), &insert);
            if let Ok(hash) = PasswordHash::parse(&near) && near.contains("m=64,t=2,p=1$") {
                hash.verify("hunter2");
            }
        }
    }
}
