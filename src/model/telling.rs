//! Programs that are told how an SMS ended, and in whose words.

use super::{Cause, FinalState};

/// An address that is told how each SMS of a form post ended. The secret that signs is not kept in the
/// spool: it is that of the client's account when the call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TellUrl {
    /// What is called.
    pub url: String,
    /// The account whose program it is.
    pub account: String,
    /// How.
    pub style: TellStyle,
}

/// How a program is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TellStyle {
    /// By a signed POST of JSON, of every end.
    Signed,
    /// By a GET of a URL with Kannel's escapes, of the ends that the mask names.
    Kannel(KannelMask),
}

impl TellStyle {
    /// Whether the program is called when an SMS has ended so.
    pub fn wants(self, end: FinalState, cause: &Cause) -> bool {
        match self {
            Self::Signed => true,
            Self::Kannel(mask) => KannelEvent::of(end, cause).is_some_and(|event| mask.has(event)),
        }
    }
}

/// What Kannel tells of an SMS, as far as it happens here (Kannel's user guide, "Delivery reports"): its bits 4, queued at
/// the SMSC, and 8, delivered to the SMSC, are no ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KannelEvent {
    /// Delivered to the phone.
    Delivered,
    /// Not delivered to the phone.
    NotDelivered,
    /// Not delivered to the SMSC: the platform never took it.
    Rejected,
}

impl KannelEvent {
    /// What it is to Kannel's clients that an SMS has ended so. `None` for what nobody knows, as the platform took it and never said
    /// more, and for what was not to be sent: it was cancelled, dropped, or only simulated.
    pub fn of(end: FinalState, cause: &Cause) -> Option<Self> {
        match end {
            FinalState::Delivered => Some(Self::Delivered),
            FinalState::Undelivered => Some(Self::NotDelivered),
            FinalState::Failed => Some(Self::Rejected),
            FinalState::Expired if cause.status.class == 2 => None,
            // Its lifetime ended here, unless the platform has told of it.
            FinalState::Expired if cause.diagnostic.is_none() => Some(Self::Rejected),
            FinalState::Expired => Some(Self::NotDelivered),
            FinalState::Cancelled => None,
        }
    }

    /// Its bit of a mask, and what `%d` becomes.
    pub fn bit(self) -> u8 {
        match self {
            Self::Delivered => 1,
            Self::NotDelivered => 2,
            Self::Rejected => 16,
        }
    }
}

/// Which events a client of Kannel wants: `dlr-mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KannelMask(u8);

impl KannelMask {
    /// Kannel takes six bits, and one of them means nothing here.
    const MOST: u8 = 63;

    /// From the number, 0 to 63.
    pub fn from_bits(bits: u8) -> Option<Self> {
        (bits <= Self::MOST).then_some(Self(bits))
    }

    /// Reads the number, as a client writes it: up to two digits.
    pub fn parse(written: &str) -> Option<Self> {
        let is_number =
            (1..=2).contains(&written.len()) && written.bytes().all(|octet| octet.is_ascii_digit());
        written.parse().ok().filter(|_| is_number).and_then(Self::from_bits)
    }

    /// The number.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether this event is one of them.
    pub fn has(self, event: KannelEvent) -> bool {
        self.0 & event.bit() != 0
    }

    /// Whether there is any event that could come.
    pub fn has_any(self) -> bool {
        [KannelEvent::Delivered, KannelEvent::NotDelivered, KannelEvent::Rejected]
            .into_iter()
            .any(|event| self.has(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    fn mask(bits: u8) -> KannelMask {
        KannelMask::from_bits(bits).unwrap()
    }

    #[test]
    fn a_mask_is_a_number_up_to_63() {
        for (written, bits) in [("0", 0), ("1", 1), ("07", 7), ("19", 19), ("31", 31), ("63", 63)] {
            assert_eq!(KannelMask::parse(written).map(KannelMask::bits), Some(bits), "{written}");
        }
        for wrong in ["", "64", "99", "255", "256", "-1", "+1", "1 ", " 1", "001", "0x1f", "1f", "１", "all"]
        {
            assert_eq!(KannelMask::parse(wrong), None, "{wrong}");
        }
        assert!(KannelMask::from_bits(63).is_some() && KannelMask::from_bits(64).is_none());
        let with_any: Vec<u8> =
            [0, 1, 2, 4, 8, 12, 16, 32, 44, 31].into_iter().filter(|bits| mask(*bits).has_any()).collect();
        assert_eq!(with_any, [1, 2, 16, 31]);
    }

    #[test]
    fn each_end_is_the_event_that_it_is_to_kannel() {
        let told = |reason: Reason| Cause { diagnostic: Some("code 6".to_owned()), ..reason.cause() };
        for (end, cause, bit) in [
            (FinalState::Delivered, Reason::Delivered.cause(), Some(1)),
            (FinalState::Undelivered, told(Reason::Undeliverable), Some(2)),
            (FinalState::Expired, told(Reason::ExpiredAtPlatform), Some(2)),
            (FinalState::Expired, told(Reason::ExpiredUnknown), Some(2)),
            (FinalState::Expired, Reason::ExpiredUnknown.cause(), Some(16)),
            (FinalState::Expired, Reason::Expired.cause(), Some(16)),
            (FinalState::Expired, Reason::Unconfirmed.cause(), None),
            (FinalState::Failed, told(Reason::Refused), Some(16)),
            (FinalState::Failed, Reason::RuleRefused.cause(), Some(16)),
            (FinalState::Cancelled, Reason::RuleDropped.cause(), None),
            (FinalState::Cancelled, Reason::SameAsAnother.cause(), None),
        ] {
            let event = KannelEvent::of(end, &cause);
            assert_eq!(event.map(KannelEvent::bit), bit, "{end:?} {cause:?}");
            for bits in 0..=63 {
                let wants = TellStyle::Kannel(mask(bits)).wants(end, &cause);
                assert_eq!(wants, bit.is_some_and(|bit| bits & bit == bit), "{bits} {end:?} {cause:?}");
            }
            assert!(TellStyle::Signed.wants(end, &cause));
        }
    }
}
