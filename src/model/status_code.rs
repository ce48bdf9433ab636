//! Enhanced mail system status codes (RFC 3463).

use std::fmt;

/// `class.subject.detail`, such as `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedStatus {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What it is about: 1 address, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The case.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Bad destination mailbox address.
    pub const UNKNOWN_RECIPIENT: Self = Self::new(5, 1, 1);
    /// Delivery time expired. Of class 4 although it is the end: nothing was wrong with the message, and it may
    /// go when it is sent again (RFC 3463 section 2).
    pub const EXPIRED: Self = Self::new(4, 4, 7);
    /// Other network or delivery failure, used when a handset was not reached.
    pub const UNDELIVERABLE: Self = Self::new(5, 4, 0);
    /// Delivery not authorised, message refused: a rule of ours.
    pub const POLICY: Self = Self::new(5, 7, 1);
    /// Other or undefined mail system status: the next system refused.
    pub const REFUSED_BY_NEXT_SYSTEM: Self = Self::new(5, 3, 0);
    /// Success without more detail.
    pub const SUCCESS: Self = Self::new(2, 0, 0);

    /// A code by its numbers.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Reads `5.1.1`. `None` when it is not three numbers of class 2, 4 or 5.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let class = numbers.next()?.parse().ok().filter(|class| [2, 4, 5].contains(class))?;
        let (subject, detail) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        numbers.next().is_none().then_some(Self { class, subject, detail })
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_and_written_alike() {
        assert_eq!(EnhancedStatus::parse("5.1.1"), Some(EnhancedStatus::UNKNOWN_RECIPIENT));
        assert_eq!(EnhancedStatus::EXPIRED.to_string(), "4.4.7");
        for wrong in ["", "5.1", "5.1.1.1", "3.0.0", "a.b.c"] {
            assert_eq!(EnhancedStatus::parse(wrong), None, "{wrong}");
        }
    }
}
