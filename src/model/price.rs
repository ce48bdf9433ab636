//! What a message cost, in the account's currency.

use std::fmt;
use std::iter::Sum;

/// An amount in millionths of the account's currency; the platform does not name the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

impl Price {
    /// So many millionths.
    pub fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    /// The amount as the platform writes it, a JSON number like 0.035, rounded to millionths. `None` for
    /// what is negative, not a number or beyond a million.
    pub fn from_number(amount: f64) -> Option<Self> {
        // A price is small, so that the cast is exact enough and never saturates.
        (0.0..=1_000_000.0).contains(&amount).then(|| Self((amount * 1_000_000.0).round() as i64))
    }

    /// In millionths.
    pub fn millionths(self) -> i64 {
        self.0
    }
}

impl Sum for Price {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        Self(prices.fold(0, |sum, price| sum.saturating_add(price.0)))
    }
}

/// `0.07`, with as many decimals as it needs.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millionths = self.0.unsigned_abs();
        let decimals = format!("{:06}", millionths % 1_000_000);
        let decimals = decimals.trim_end_matches('0');
        let dot = if decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{}{dot}{decimals}", millionths / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_add_up_without_the_errors_of_binary_fractions() {
        let parts = [0.035, 0.035, 0.07].map(|amount| Price::from_number(amount).unwrap());
        assert_eq!(parts.into_iter().sum::<Price>().to_string(), "0.14");
        assert_eq!(Price::from_number(12.0).unwrap().to_string(), "12");
        assert_eq!(Price::from_millionths(-1_500_000).to_string(), "-1.5");
        assert_eq!(Price::from_number(0.000_000_4).unwrap(), Price::default());
    }

    #[test]
    fn what_is_no_price_is_none() {
        for wrong in [-0.01, f64::NAN, f64::INFINITY, 1_000_000.5] {
            assert_eq!(Price::from_number(wrong), None, "{wrong}");
        }
    }
}
