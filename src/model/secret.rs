//! Passwords and keys.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// A secret text: never printed, wiped when dropped.
pub type Secret = SecretString;

/// Whether `offered` is the secret, in a time that depends on the lengths only (CWE-208).
pub fn same_secret(secret: &Secret, offered: &str) -> bool {
    secret.expose_secret().as_bytes().ct_eq(offered.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_passes_and_debug_shows_nothing() {
        let secret = Secret::from("hunter2");
        assert!(same_secret(&secret, "hunter2"));
        for other in ["", "hunter", "hunter22", "Hunter2"] {
            assert!(!same_secret(&secret, other), "{other}");
        }
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
