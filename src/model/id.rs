//! One id from the 250 reply to the handset.
//!
//! A submission's id is a ULID: 48 bits of time in milliseconds and 80 random bits in 26 letters
//! and digits, so that ids sort by arrival and cannot be guessed. A message's id is the
//! submission's with the recipient's number behind it, and is what the platform gets as
//! `messageId`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use ulid::Ulid;

/// A mail or form post that was accepted, as told in `250 2.0.0 queued as ID`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubmissionId(Ulid);

/// One SMS of a submission: `ID-1`, `ID-2` ... The same over every retry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// The submission it belongs to.
    pub submission: SubmissionId,
    /// Which SMS of the submission, from 1.
    pub ordinal: u32,
}

/// An outgoing mail of ours: a report, or a mail passed on to the operator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailId(Ulid);

/// The text is not an id of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id of this relay")]
pub struct IdError(String);

fn new_ulid(now: Timestamp) -> Ulid {
    Ulid::from_datetime(now.into())
}

fn first_ulid(at: Timestamp) -> Ulid {
    Ulid::from_parts(u64::try_from(at.as_millisecond()).unwrap_or(0), 0)
}

fn time_of(id: Ulid) -> Timestamp {
    // 48 bits of milliseconds reach to the year 10889, a Timestamp to 9999.
    i64::try_from(id.timestamp_ms())
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}

impl SubmissionId {
    /// A new id; `now` is its time part.
    pub fn new(now: Timestamp) -> Self {
        Self(new_ulid(now))
    }

    /// The lowest id of this millisecond: every submission from `at` on has this id or a higher one.
    pub fn first_at(at: Timestamp) -> Self {
        Self(first_ulid(at))
    }

    /// Its time part, in milliseconds.
    pub fn time(self) -> Timestamp {
        time_of(self.0)
    }

    /// Its 128 bits: 48 of time in milliseconds, 80 random ones.
    pub fn bits(self) -> u128 {
        self.0.0
    }

    /// The id with these bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(Ulid(bits))
    }

    /// The id of this submission's SMS number `ordinal` (from 1).
    pub fn message(self, ordinal: u32) -> MessageId {
        MessageId { submission: self, ordinal }
    }
}

impl MailId {
    /// A new id; `now` is its time part.
    pub fn new(now: Timestamp) -> Self {
        Self(new_ulid(now))
    }

    /// The lowest id of this millisecond: every mail filed from `at` on has this id or a higher one.
    pub fn first_at(at: Timestamp) -> Self {
        Self(first_ulid(at))
    }

    /// Its time part, in milliseconds.
    pub fn time(self) -> Timestamp {
        time_of(self.0)
    }
}

macro_rules! shown_as_ulid {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Ulid::from_str(text).map(Self).map_err(|_| IdError(text.escape_debug().to_string()))
            }
        }
    )*};
}
shown_as_ulid!(SubmissionId MailId);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.submission, self.ordinal)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MessageId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError(text.escape_debug().to_string());
        let (submission, ordinal) = text.split_once('-').ok_or_else(wrong)?;
        let ordinal: u32 = ordinal.parse().map_err(|_| wrong())?;
        Ok(submission.parse::<SubmissionId>()?.message(ordinal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read_alike_and_sort_by_time() {
        let early = SubmissionId::new(Timestamp::from_millisecond(1_700_000_000_000).unwrap());
        let late = SubmissionId::new(Timestamp::from_millisecond(1_700_000_000_001).unwrap());
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().len(), 26);
        assert_eq!(early.to_string().parse::<SubmissionId>().unwrap(), early);
        let first = SubmissionId::first_at(Timestamp::from_millisecond(1_700_000_000_001).unwrap());
        assert!(early < first && early.to_string() < first.to_string());
        assert!(first <= late && first.to_string() <= late.to_string());
        assert_eq!(SubmissionId::first_at(Timestamp::MIN).to_string(), "0".repeat(26));
        let now = Timestamp::from_millisecond(1_700_000_000_001).unwrap();
        let mail = MailId::new(now);
        assert_eq!((mail.time(), MailId::first_at(now).time()), (now, now));
        assert!(MailId::first_at(now) <= mail);
        assert_eq!("7ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<MailId>().unwrap().time(), Timestamp::MAX);
        assert_eq!(SubmissionId::from_bits(late.bits()), late);
        assert_eq!(late.bits() >> 80, 1_700_000_000_001);
        let message = early.message(12);
        assert_eq!(message.to_string(), format!("{early}-12"));
        assert_eq!(message.to_string().parse::<MessageId>().unwrap(), message);
    }

    #[test]
    fn other_texts_are_refused() {
        for wrong in [
            "",
            "x",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV-",
            "-1",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV-x",
        ] {
            assert!(wrong.parse::<MessageId>().is_err(), "{wrong}");
        }
    }
}
