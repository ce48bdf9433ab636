//! Ids of ours as other gateways write theirs: 32 hexadecimal digits, or a decimal number.
//!
//! A submission's 32 digits are its 128 bits. An SMS of it has the same 48 bits of time before its number in the
//! spool, so that each has an id of its own that leads back to it.

use crate::http::status::Which;
use crate::model::{MessageId, SubmissionId};

/// Random bits of a submission's id, behind those of its time.
const RANDOM_BITS: u32 = 80;

/// An id that a client asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskedId {
    /// One as we write it.
    Ours(Which),
    /// The number of an SMS.
    Number(i64),
    /// 32 hexadecimal digits.
    Hex(u128),
}

/// A submission's.
pub(super) fn of_submission(id: SubmissionId) -> String {
    format!("{:032x}", id.bits())
}

/// That of an SMS with this number.
pub(super) fn of_message(id: MessageId, number: i64) -> String {
    let number = u128::try_from(number).unwrap_or(0);
    format!("{:032x}", id.submission.bits() >> RANDOM_BITS << RANDOM_BITS | number)
}

/// Reads `ID`, `ID-1`, a number, or 32 hexadecimal digits, with or without dashes.
pub(super) fn parse(written: &str) -> Option<AskedId> {
    if let Some(ours) = Which::parse(written) {
        return Some(AskedId::Ours(ours));
    }
    if written.bytes().all(|octet| octet.is_ascii_digit())
        && let Ok(number) = written.parse()
    {
        return Some(AskedId::Number(number));
    }
    let digits = written.replace('-', "");
    let is_hex = digits.len() == 32 && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(&digits, 16).ok())?.map(AskedId::Hex)
}

/// The number of the SMS that these bits may be the id of.
pub(super) fn number_in(bits: u128) -> Option<i64> {
    i64::try_from(bits & ((1 << RANDOM_BITS) - 1)).ok()
}

/// Whether these bits are the id of that SMS, whose number is in them.
pub(super) fn is_of(bits: u128, id: MessageId) -> bool {
    bits >> RANDOM_BITS == id.submission.bits() >> RANDOM_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_in_hexadecimal_digits_leads_back() {
        let id: SubmissionId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let hex = of_submission(id);
        assert_eq!(hex, "01563e3ab5d3d6764c61efb99302bd5b");
        assert_eq!(parse(&hex), Some(AskedId::Hex(id.bits())));
        assert_eq!(SubmissionId::from_bits(id.bits()), id);
        let sms = of_message(id.message(2), 297);
        assert_eq!(sms, "01563e3ab5d300000000000000000129");
        let Some(AskedId::Hex(bits)) = parse("01563E3A-B5D3-0000-0000-000000000129") else { panic!() };
        assert_eq!(number_in(bits), Some(297));
        assert!(is_of(bits, id.message(7)));
        assert!(!is_of(bits, SubmissionId::from_bits(id.bits() + (1 << 80)).message(1)));
        assert_eq!(number_in(id.bits()), None);
        assert_eq!(number_in(i64::MAX as u128), Some(i64::MAX));
        assert_eq!(number_in(i64::MAX as u128 + 1), None);
    }

    #[test]
    fn other_ids_are_ours_or_numbers_or_none() {
        let id: SubmissionId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        assert_eq!(parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Some(AskedId::Ours(Which::All(id))));
        assert_eq!(parse("01ARZ3NDEKTSV4RRFFQ69G5FAV-2"), Some(AskedId::Ours(Which::One(id.message(2)))));
        assert_eq!(parse("297"), Some(AskedId::Number(297)));
        assert_eq!(parse("9223372036854775808"), None);
        for wrong in [
            "",
            "-1",
            "+1",
            "x",
            "0x1",
            "01563e3ab5d3d6764c61efb99302bd5",
            "+1563e3ab5d3d6764c61efb99302bd5b",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
