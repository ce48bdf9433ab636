//! Mail addresses as they stand in an SMTP envelope (RFC 5321 section 4.1.2, RFC 6531).

use std::fmt;

/// Longest local part in octets (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Longest domain in octets (RFC 5321 section 4.5.3.1.2).
const MAX_DOMAIN: usize = 255;

/// A mailbox: local part and domain. The local part is kept as written but without its quotes;
/// the domain is kept as written and compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailAddress {
    local: String,
    domain: String,
}

/// Why something is not a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing on one side of it.
    #[error("`{0}` is not a mail address; it should look like name@domain")]
    Incomplete(String),
    /// Local part over 64 octets or domain over 255.
    #[error("a mail address may have 64 octets before the @ and 255 behind it")]
    TooLong,
    /// Control characters, spaces or brackets.
    #[error("`{0}` contains a character that a mail address cannot have")]
    Character(String),
}

impl MailAddress {
    /// Puts a mailbox together from its (unquoted) local part and its domain or address literal
    /// (`[192.0.2.1]`).
    ///
    /// # Errors
    /// [`AddressError`] when a part is empty, too long, or has control characters, or when the
    /// domain has a character that no domain or address literal has.
    pub fn new(local: &str, domain: &str) -> Result<Self, AddressError> {
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Incomplete(format!("{local}@{domain}").escape_debug().to_string()));
        }
        if local.len() > MAX_LOCAL || domain.len() > MAX_DOMAIN {
            return Err(AddressError::TooLong);
        }
        let domain_ok =
            |c: char| c.is_alphanumeric() || !c.is_ascii() && !c.is_control() || "-._:[]".contains(c);
        if local.chars().any(char::is_control) || !domain.chars().all(domain_ok) {
            return Err(AddressError::Character(format!("{local}@{domain}").escape_debug().to_string()));
        }
        Ok(Self { local: local.to_owned(), domain: domain.to_owned() })
    }

    /// Reads `local@domain` as a configuration writes it: no quotes, no brackets.
    ///
    /// # Errors
    /// See [`MailAddress::new`]; also for spaces and quotes in the local part.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) =
            text.rsplit_once('@').ok_or_else(|| AddressError::Incomplete(text.escape_debug().to_string()))?;
        if local.chars().any(|c| c.is_whitespace() || "<>()[]\\,;:\"@".contains(c)) {
            return Err(AddressError::Character(text.escape_debug().to_string()));
        }
        Self::new(local, domain)
    }

    /// The local part without quotes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain, or the address literal with its brackets.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether every character is ASCII; if not, it needs SMTPUTF8 (RFC 6531) on its way.
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.domain.is_ascii()
    }
}

/// The address as SMTP writes it, the local part quoted where it must be.
impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let atext = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let dot_string = self.local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext));
        if dot_string {
            write!(f, "{}@{}", self.local, self.domain)
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                fmt::Write::write_char(f, c)?;
            }
            write!(f, "\"@{}", self.domain)
        }
    }
}

/// Where failures of a mail are reported: `MAIL FROM` (RFC 5321 section 4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nobody is to be told (a bounce, mostly).
    Null,
    /// Somebody.
    Path(MailAddress),
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Path(address) => write!(f, "<{address}>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_written_only_where_needed() {
        assert_eq!(MailAddress::new("a.b+c", "x.it").unwrap().to_string(), "a.b+c@x.it");
        assert_eq!(MailAddress::new("a b", "x.it").unwrap().to_string(), "\"a b\"@x.it");
        assert_eq!(MailAddress::new("a\"\\", "x.it").unwrap().to_string(), "\"a\\\"\\\\\"@x.it");
        assert_eq!(MailAddress::new("a..b", "x.it").unwrap().to_string(), "\"a..b\"@x.it");
    }

    #[test]
    fn lengths_are_bounded_at_n_and_not_n_plus_one() {
        assert!(MailAddress::new(&"a".repeat(64), &"b".repeat(255)).is_ok());
        assert_eq!(MailAddress::new(&"a".repeat(65), "b"), Err(AddressError::TooLong));
        assert_eq!(MailAddress::new("a", &"b".repeat(256)), Err(AddressError::TooLong));
    }

    #[test]
    fn nothing_that_breaks_a_header_or_a_command_gets_in() {
        for (local, domain) in
            [("a\r\nb", "x"), ("a", "x y"), ("a", "x>"), ("a\0", "x"), ("", "x"), ("a", "")]
        {
            assert!(MailAddress::new(local, domain).is_err(), "{local:?}@{domain:?}");
        }
        for text in ["a", "@x", "a@", "a b@x", "<a@x>", "a@b@x"] {
            assert!(MailAddress::parse(text).is_err(), "{text}");
        }
        assert_eq!(MailAddress::parse("ops@example.com").unwrap().domain(), "example.com");
    }
}
