//! What a part costs, by the beginning of its number: for people who look before they send.

use std::fmt;

use super::recipient::Prefix;
use crate::model::PhoneNumber;

/// Digits behind the point.
const DIGITS: u32 = 6;
/// The largest amount in whole units of the currency; far more than a part costs.
const MAX_WHOLE: u64 = 1_000_000;

/// An amount of money in millionths of its currency's unit: exact, since money is not to be rounded
/// while it is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

/// The text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount; write it like \"0.045\", with up to {DIGITS} digits behind the point")]
pub struct AmountError(String);

impl Amount {
    /// Reads `0.045`.
    ///
    /// # Errors
    /// [`AmountError`] unless it is digits, perhaps with a point and 1 to 6 digits behind it, and at most
    /// a million.
    pub fn new(text: &str) -> Result<Self, AmountError> {
        let wrong = || AmountError(text.chars().take(64).flat_map(char::escape_debug).collect());
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(rest) || rest.len() > DIGITS as usize {
            return Err(wrong());
        }
        let unit = 10_u64.pow(DIGITS);
        let whole = whole.parse().ok().filter(|&whole| whole <= MAX_WHOLE).ok_or_else(wrong)?;
        let rest = format!("{rest:0<width$}", width = DIGITS as usize).parse().map_err(|_| wrong())?;
        let millionths = u64::checked_mul(whole, unit).and_then(|m| m.checked_add(rest));
        millionths.map(Self).ok_or_else(wrong)
    }

    /// In millionths.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(u64::from(count)))
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |sum, one| Self(sum.0.saturating_add(one.0)))
    }
}

impl fmt::Display for Amount {
    /// With at least two digits behind the point, like `0.045` and `1.20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(DIGITS);
        let rest = format!("{:0width$}", self.0 % unit, width = DIGITS as usize);
        let shown = rest.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / unit, &rest[..shown])
    }
}

/// What a part costs, by the beginning of its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Its name, like `EUR`; for people only.
    pub currency: String,
    /// Of the prefixes that cover a number the longest counts.
    pub per_part: Vec<(Prefix, Amount)>,
}

impl Prices {
    /// What `parts` to `number` cost; `None` where no price is configured.
    pub fn of(&self, number: &PhoneNumber, parts: u32) -> Option<Amount> {
        let covering = self.per_part.iter().filter(|(prefix, _)| prefix.covers(number));
        covering.max_by_key(|(prefix, _)| prefix.len()).map(|(_, amount)| amount.times(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (written, shown) in [
            ("0.045", "0.045"),
            ("1", "1.00"),
            ("0.1", "0.10"),
            ("12.345678", "12.345678"),
            ("1000000", "1000000.00"),
        ] {
            assert_eq!(Amount::new(written).unwrap().to_string(), shown);
        }
        for wrong in
            ["", ".", "1.", ".5", "-1", "0,05", "0.0000001", "1000001", "1e3", "99999999999999999999999"]
        {
            assert!(Amount::new(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Amount::new("0.0451").unwrap().times(3).to_string(), "0.1353");
        let sum: Amount = ["0.045", "1.1"].into_iter().map(|text| Amount::new(text).unwrap()).sum();
        assert_eq!(sum.to_string(), "1.145");
    }

    #[test]
    fn the_longest_prefix_counts() {
        let price = |prefix: &str, amount: &str| (Prefix::new(prefix).unwrap(), Amount::new(amount).unwrap());
        let prices = Prices {
            currency: "EUR".to_owned(),
            per_part: vec![price("+39", "0.05"), price("+39347", "0.04"), price("+3", "0.09")],
        };
        let of = |number: &str| prices.of(&PhoneNumber::from_e164(number).unwrap(), 2).map(|a| a.to_string());
        assert_eq!(of("+393471234567").as_deref(), Some("0.08"));
        assert_eq!(of("+393331234567").as_deref(), Some("0.10"));
        assert_eq!(of("+33612345678").as_deref(), Some("0.18"));
        assert_eq!(of("+491711234567"), None);
    }
}
