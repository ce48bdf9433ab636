//! Passwords that the relay can check and cannot tell.

/// The argon2id hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// Not a hash that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an argon2id hash; make one with `sms-relay hash-password`")]
pub struct HashError;

impl PasswordHash {
    /// Reads the PHC string of an argon2id hash.
    ///
    /// # Errors
    /// [`HashError`] where it is none.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if text.starts_with("$argon2id$") { Ok(Self(text.to_owned())) } else { Err(HashError) }
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}
