//! What an SMS has taken of a budget of money, as the platform tells the prices of its parts.

/// What the platform has told of the prices of an SMS, which may go by several ways, one after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Of how many parts of the current way it told the price.
    pub parts: u64,
    /// What everything cost of which it told the price, by earlier ways as well, in millionths.
    pub price: u64,
    /// How many parts the current way has by its count; 0 where it told nothing.
    pub of: u64,
}

/// What is booked for an SMS: what its ways cost at the platform's prices, and those parts of the current one of which it
/// told none yet at the price predicted for the whole of it.
pub fn booked(predicted: u64, parts: u64, told: Told) -> u64 {
    let all = if told.of > 0 { told.of } else { parts }.max(1);
    let left = u128::from(predicted) * u128::from(all.saturating_sub(told.parts)) / u128::from(all);
    told.price.saturating_add(u64::try_from(left).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_price_takes_the_place_of_its_part_of_the_prediction() {
        let told = |parts, price, of| Told { parts, price, of };
        assert_eq!(booked(90, 3, Told::default()), 90);
        assert_eq!(booked(90, 3, told(1, 50, 3)), 110);
        assert_eq!(booked(90, 3, told(2, 100, 3)), 130);
        assert_eq!(booked(90, 3, told(3, 150, 3)), 150);
        assert_eq!(booked(90, 3, told(1, 0, 3)), 60, "one that costs nothing");
        assert_eq!(booked(90, 3, told(2, 80, 2)), 80, "the platform counts two");
        assert_eq!(booked(90, 3, told(4, 200, 3)), 200, "one part more than it said");
        assert_eq!(booked(90, 3, told(0, 20, 0)), 110, "an earlier way was paid as well");
        assert_eq!(booked(90, 0, Told::default()), 90);
        assert_eq!(booked(u64::MAX, 255, told(1, u64::MAX, 2)), u64::MAX);
    }

    proptest! {
        #[test]
        fn once_every_part_has_its_price_nothing_of_the_prediction_is_left(
            predicted in any::<u64>(), parts in 0_u64..300, of in 1_u64..300, price in any::<u64>(),
        ) {
            prop_assert_eq!(booked(predicted, parts, Told { parts: of, price, of }), price);
        }
    }
}
