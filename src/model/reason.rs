//! Why an SMS ended, waits or is late: every reason that a report may have to tell, and the status code
//! (RFC 3463) that it has there. The one table of them; `docs/reports.md` shows it.
//!
//! Class 4 is for what may succeed when it is sent again as it is, also where it was given up (RFC 3463
//! section 2); class 5 for what may not.

use super::{Cause, EnhancedStatus};

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The platform read the message and did not take it.
    NotAccepted,
    /// The platform refused the call as it was.
    Refused,
    /// Key, credit, access or address of the gateway is wrong.
    GatewayFault,
    /// The platform asks for patience.
    NotNow,
    /// The platform has a fault.
    PlatformFault,
    /// The platform's answer means nothing that we know.
    Unclear,
    /// There was no connection.
    NotReached,
    /// The connection broke before the answer.
    AnswerLost,
    /// The answer could not be read.
    Unreadable,
    /// The platform cannot tell yet how it went.
    NoStatusYet,
    /// The platform says that it has never had it.
    NotKnown,
    /// Its time was over before the platform took it.
    Expired,
    /// Its time was over while nobody could tell whether the platform has it.
    ExpiredUnknown,
    /// The platform says that the handset will not get it.
    Undeliverable,
    /// The platform gave it up.
    ExpiredAtPlatform,
    /// It waits for its turn, and nothing is wrong with it that is known.
    Waiting,
    /// A rule refused it.
    RuleRefused,
    /// There was nothing to send.
    NothingToSend,
    /// A rule dropped it.
    RuleDropped,
    /// Another SMS of the same mail says the same to the same phone.
    SameAsAnother,
    /// The handset has it.
    Delivered,
    /// The platform took it and never said more.
    Unconfirmed,
    /// Its recipient stands for several phones.
    Expanded,
}

impl Reason {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; 23] = [
        Self::NotAccepted,
        Self::Refused,
        Self::Undeliverable,
        Self::ExpiredAtPlatform,
        Self::Expired,
        Self::ExpiredUnknown,
        Self::RuleRefused,
        Self::NothingToSend,
        Self::GatewayFault,
        Self::NotNow,
        Self::PlatformFault,
        Self::Unclear,
        Self::Unreadable,
        Self::NotReached,
        Self::AnswerLost,
        Self::NoStatusYet,
        Self::NotKnown,
        Self::Waiting,
        Self::Delivered,
        Self::Unconfirmed,
        Self::Expanded,
        Self::RuleDropped,
        Self::SameAsAnother,
    ];

    /// Its status code.
    pub const fn status(self) -> EnhancedStatus {
        match self {
            // The platform gives words and no code: which of address, words or account it means is not
            // for us to guess.
            Self::NotAccepted | Self::Refused => EnhancedStatus::REFUSED_BY_NEXT_SYSTEM,
            // Temporary, because the message waits until somebody mends it.
            Self::GatewayFault => EnhancedStatus::new(4, 3, 5),
            Self::NotNow => EnhancedStatus::new(4, 3, 2),
            Self::PlatformFault | Self::Unclear | Self::Unreadable | Self::NotKnown => {
                EnhancedStatus::new(4, 3, 0)
            }
            Self::NotReached => EnhancedStatus::new(4, 4, 1),
            Self::AnswerLost => EnhancedStatus::new(4, 4, 2),
            Self::NoStatusYet => EnhancedStatus::new(4, 4, 0),
            Self::Waiting => EnhancedStatus::new(4, 4, 5),
            Self::Expired | Self::ExpiredUnknown | Self::ExpiredAtPlatform => EnhancedStatus::EXPIRED,
            Self::Undeliverable => EnhancedStatus::UNDELIVERABLE,
            Self::RuleRefused | Self::RuleDropped => EnhancedStatus::POLICY,
            Self::NothingToSend => EnhancedStatus::new(5, 6, 0),
            Self::SameAsAnother | Self::Delivered | Self::Unconfirmed | Self::Expanded => {
                EnhancedStatus::SUCCESS
            }
        }
    }

    /// The sentence for people, or how it begins where there is more to tell.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotAccepted => "the SMS platform did not accept the message",
            Self::Refused => "the SMS platform refused the message",
            Self::GatewayFault => "the gateway's key, credit, access or address is wrong",
            Self::NotNow => "the SMS platform takes no messages now",
            Self::PlatformFault => "the SMS platform has a fault",
            Self::Unclear => "the SMS platform's answer is not clear",
            Self::NotReached => "the SMS platform could not be reached",
            Self::AnswerLost => "the SMS platform may have taken the message, but its answer was lost",
            Self::Unreadable => "the SMS platform answered, but its answer could not be read",
            Self::NoStatusYet => "no status available yet",
            Self::NotKnown => "the platform does not know it, by its status endpoint: sent again",
            Self::Expired => "its lifetime ended before the platform took it",
            Self::ExpiredUnknown => "its lifetime ended while the platform could not tell whether it has it",
            Self::Undeliverable => "the platform could not deliver it to the handset",
            Self::ExpiredAtPlatform => "the platform gave it up before it reached the handset",
            Self::Waiting => "it waits for its turn",
            Self::RuleRefused => "refused by rule",
            Self::NothingToSend => "there is nothing to send: subject and text are empty",
            Self::RuleDropped => "dropped by rule",
            Self::SameAsAnother => "the same text goes to this phone as",
            Self::Delivered => "the handset has it",
            Self::Unconfirmed => "accepted by the platform, which never said whether it arrived",
            Self::Expanded => {
                "the name stands for several phones; you hear only of those that it does not reach"
            }
        }
    }

    /// As a cause, in the usual words.
    pub fn cause(self) -> Cause {
        Cause::new(self.status(), self.words())
    }

    /// As a cause, with the platform's own words for a report.
    pub fn said(self, words: impl Into<String>) -> Cause {
        self.cause().with_diagnostic(words)
    }

    /// As a cause, with more behind the usual words.
    pub fn because(self, more: &str) -> Cause {
        Cause::new(self.status(), format!("{}: {more}", self.words()))
    }

    /// As a cause, in words that fit better.
    pub fn told(self, text: impl Into<String>) -> Cause {
        Cause::new(self.status(), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_once_in_the_list() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            assert!(!Reason::ALL[..at].contains(reason), "{reason:?} stands there twice");
            assert!(Reason::ALL[..at].iter().all(|other| other.words() != reason.words()), "{reason:?}");
        }
        assert_eq!(Reason::Expanded as usize + 1, Reason::ALL.len(), "the last one tells how many there are");
    }

    #[test]
    fn causes_have_the_status_and_the_words() {
        let more = Reason::NotReached.because("connection refused");
        assert_eq!(more.text, "the SMS platform could not be reached: connection refused");
        assert_eq!((more.status, more.diagnostic), (EnhancedStatus::new(4, 4, 1), None));
        assert_eq!(Reason::Delivered.cause().text, Reason::Delivered.words());
        assert_eq!(Reason::Refused.told("no").status, EnhancedStatus::new(5, 3, 0));
    }
}
