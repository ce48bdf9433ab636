//! API keys: made by a program, so long that nobody guesses them.
//!
//! What makes guessing at a password slow is no use against 128 random bits, and a key comes with each request:
//! SHA-256 is enough, where a person's password needs argon2id.

use std::fmt;

use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::model::Secret;

/// What a hash begins with.
const SCHEME: &str = "sha256:";
/// Octets of a hash.
const OCTETS: usize = 32;

/// The SHA-256 of an API key, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyHash([u8; OCTETS]);

/// A text is no hash of an API key. The message does not show it: it may be the key in the place of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not the hash of an API key, `sha256:` and 64 hexadecimal digits; make one with: sms-relay hash-password \
     --api-key"
)]
pub struct ApiKeyHashError;

/// Why an API key gets no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// Under [`ApiKeyHash::MIN_KEY`] octets.
    #[error(
        "the API key has {0} octets, which can be guessed from its hash; use at least {min}, such as those of: \
         openssl rand -hex 16",
        min = ApiKeyHash::MIN_KEY
    )]
    Short(usize),
    /// Over [`ApiKeyHash::MAX_KEY`] octets.
    #[error("the API key is over {max} octets", max = ApiKeyHash::MAX_KEY)]
    TooLong,
    /// A blank or control character, which a header would not carry as it is.
    #[error("the API key has blanks or control characters in it")]
    Blank,
}

impl ApiKeyHash {
    /// Fewest octets of a key: 20 letters and digits chosen by chance have over 100 bits.
    pub const MIN_KEY: usize = 20;
    /// Most octets of a key.
    pub const MAX_KEY: usize = 1024;

    /// Reads a hash; the digits may be of either case. Blanks and line ends around it are ignored.
    ///
    /// # Errors
    /// [`ApiKeyHashError`] when it is none.
    pub fn parse(text: &str) -> Result<Self, ApiKeyHashError> {
        let digits = text.trim().strip_prefix(SCHEME).ok_or(ApiKeyHashError)?.as_bytes();
        let mut hash = [0; OCTETS];
        if digits.len() != 2 * OCTETS {
            return Err(ApiKeyHashError);
        }
        for (octet, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (high, low) = (digit(pair[0]), digit(pair[1]));
            *octet = high.zip(low).map(|(high, low)| high << 4 | low).ok_or(ApiKeyHashError)?;
        }
        Ok(Self(hash))
    }

    /// Hashes a key.
    ///
    /// # Errors
    /// [`ApiKeyError`] when it is so short that it could be guessed, over [`MAX_KEY`](Self::MAX_KEY) octets, or has
    /// blanks or control characters.
    pub fn new(key: &Secret) -> Result<Self, ApiKeyError> {
        let key = key.expose_secret();
        if key.len() < Self::MIN_KEY {
            return Err(ApiKeyError::Short(key.len()));
        }
        if key.len() > Self::MAX_KEY {
            return Err(ApiKeyError::TooLong);
        }
        if key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ApiKeyError::Blank);
        }
        Ok(Self(sha256(key)))
    }

    /// Whether `offered` is the key, in a time that depends on its length only (CWE-208).
    pub fn verify(&self, offered: &str) -> bool {
        self.0.ct_eq(&sha256(offered)).into()
    }
}

fn sha256(text: &str) -> [u8; OCTETS] {
    let mut hash = [0; OCTETS];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// As it stands in a configuration.
impl fmt::Display for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `correct-horse-battery-staple`, by coreutils' sha256sum.
    const STAPLE: &str = "sha256:87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590";

    #[test]
    fn a_key_passes_its_hash_and_no_other_does() {
        let hash = ApiKeyHash::parse(STAPLE).unwrap();
        assert!(hash.verify("correct-horse-battery-staple"));
        for wrong in ["", "correct-horse-battery-stapl", "correct-horse-battery-staple ", STAPLE] {
            assert!(!hash.verify(wrong), "{wrong}");
        }
        assert_eq!(hash.to_string(), STAPLE);
        assert_eq!(ApiKeyHash::new(&Secret::from("correct-horse-battery-staple")).unwrap(), hash);
        assert_eq!(format!("{hash:?}"), "ApiKeyHash");
    }

    #[test]
    fn only_the_scheme_and_64_digits_are_a_hash() {
        assert_eq!(ApiKeyHash::parse(&format!(" {STAPLE}\n")), ApiKeyHash::parse(STAPLE));
        let upper = STAPLE.to_uppercase().replace("SHA256", "sha256");
        assert_eq!(ApiKeyHash::parse(&upper), ApiKeyHash::parse(STAPLE));
        let digits = STAPLE.strip_prefix(SCHEME).unwrap();
        for wrong in [
            String::new(),
            digits.to_owned(),
            SCHEME.to_owned(),
            format!("{STAPLE}0"),
            STAPLE[..STAPLE.len() - 1].to_owned(),
            format!("sha256:g{}", &digits[1..]),
            format!("sha256:+{}", &digits[1..]),
            format!("sha256:\u{e9}{}", &digits[2..]),
            format!("sha1:{digits}"),
        ] {
            assert_eq!(ApiKeyHash::parse(&wrong), Err(ApiKeyHashError), "{wrong}");
        }
    }

    #[test]
    fn a_key_has_20_octets_to_1024_and_no_blanks() {
        let new = |key: &str| ApiKeyHash::new(&Secret::from(key)).map(drop);
        assert_eq!(new(&"k".repeat(19)), Err(ApiKeyError::Short(19)));
        assert_eq!(new(&"k".repeat(20)), Ok(()));
        assert_eq!(new(&"k".repeat(1024)), Ok(()));
        assert_eq!(new(&"k".repeat(1025)), Err(ApiKeyError::TooLong));
        for blank in [' ', '\t', '\n', '\u{7f}', '\u{a0}'] {
            assert_eq!(new(&format!("{}{blank}", "k".repeat(20))), Err(ApiKeyError::Blank), "{blank:?}");
        }
    }
}
