//! What came back from the smarthost: its own words, or a connection that broke.

use super::{field, status};

/// A server's reply begins with its code (RFC 5321 section 4.2); a connection that broke has none.
fn is_reply(words: &str) -> bool {
    words.len() >= 3 && words.bytes().take(3).all(|b| b.is_ascii_digit())
}

/// The diagnostic type: `smtp` is for reply codes (RFC 3464 section 2.3.6).
pub(super) fn diagnostic_type(words: &str) -> &'static str {
    if is_reply(words) { "smtp" } else { status::RELAY }
}

/// A line of the human part.
pub(super) fn said(words: &str) -> String {
    let whose = if is_reply(words) { "The mail server said" } else { "What happened" };
    format!("    {whose}: {}\n", field::one_line(words))
}
