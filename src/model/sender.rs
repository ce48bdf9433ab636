//! The sender that the phone shows.

use std::fmt;

/// Most characters of an alphanumeric sender (3GPP TS 23.040 clause 9.1.2.5: 11 septets).
const MAX_ALPHANUMERIC: usize = 11;
/// Most digits of a numeric sender (E.164).
const MAX_DIGITS: usize = 15;

/// A sender id that the platform takes: numeric (`+` optional, up to 15 digits) or alphanumeric
/// (up to 11 printable ASCII characters of the GSM default alphabet, at least one of them a letter).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SenderId(String);

/// Why a text is not a sender id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// Nothing was given.
    #[error("the sender is empty; give up to 11 letters and digits, or a phone number")]
    Empty,
    /// More than 11 characters and not a number.
    #[error("sender `{0}` has {1} characters; an alphanumeric sender has at most 11")]
    TooLong(String, usize),
    /// More than 15 digits.
    #[error("sender `{0}` has {1} digits; a numeric sender has at most 15")]
    TooManyDigits(String, usize),
    /// A character that phones do not show in a sender.
    #[error(
        "sender `{0}` contains `{1}`; use ASCII letters, digits, space and ! \" # % & ' ( ) * + , - . / : ; < = > ? _ only"
    )]
    Character(String, char),
    /// Neither a letter nor a valid number.
    #[error("sender `{0}` has no letter and is not a number")]
    NoLetter(String),
}

impl SenderId {
    /// Checks `text`.
    ///
    /// # Errors
    /// A [`SenderError`] that names the text and what is wrong with it.
    pub fn new(text: &str) -> Result<Self, SenderError> {
        if text.is_empty() {
            return Err(SenderError::Empty);
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return if digits.len() <= MAX_DIGITS {
                Ok(Self(text.to_owned()))
            } else {
                Err(SenderError::TooManyDigits(text.to_owned(), digits.len()))
            };
        }
        if let Some(wrong) = text.chars().find(|c| !allowed(*c)) {
            return Err(SenderError::Character(text.to_owned(), wrong));
        }
        let length = text.chars().count();
        if length > MAX_ALPHANUMERIC {
            return Err(SenderError::TooLong(text.to_owned(), length));
        }
        if !text.bytes().any(|b| b.is_ascii_alphabetic()) {
            return Err(SenderError::NoLetter(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The relay's own name, shown for an SMS that is recorded but never sent.
    pub fn of_relay() -> Self {
        Self("sms-relay".to_owned())
    }

    /// The sender as it goes to the platform.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// ASCII that the GSM default alphabet holds in one septet.
fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || " !\"#%&'()*+,-./:;<=>?_".contains(c)
}

impl fmt::Display for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eleven_characters_pass_and_twelve_do_not() {
        assert!(SenderId::new("Alarm-Room1").is_ok());
        assert_eq!(SenderId::new("Alarm-Room12"), Err(SenderError::TooLong("Alarm-Room12".to_owned(), 12)));
    }

    #[test]
    fn numbers_have_up_to_fifteen_digits() {
        for good in ["4", "43434", "+393471234567", "123456789012345"] {
            assert!(SenderId::new(good).is_ok(), "{good}");
        }
        assert!(matches!(SenderId::new("1234567890123456"), Err(SenderError::TooManyDigits(_, 16))));
    }

    #[test]
    fn what_a_phone_cannot_show_is_refused() {
        assert_eq!(SenderId::new(""), Err(SenderError::Empty));
        assert!(matches!(SenderId::new("Caffè"), Err(SenderError::Character(_, 'è'))));
        assert!(matches!(SenderId::new("a\nb"), Err(SenderError::Character(_, '\n'))));
        assert!(matches!(SenderId::new("a[b"), Err(SenderError::Character(_, '['))));
        assert!(matches!(SenderId::new("+"), Err(SenderError::NoLetter(_))));
        assert!(matches!(SenderId::new("12-34"), Err(SenderError::NoLetter(_))));
    }
}
