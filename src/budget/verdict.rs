//! Whether a budget has room.

use crate::model::Charge;

/// What a budget has reached. The later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The operator is told, and nothing else happens.
    Warn,
    /// What may not pass it is held.
    Hold,
    /// Everything is held.
    Ceiling,
}

impl Level {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Hold, Self::Ceiling];

    /// The word used in the configuration and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Hold => "hold",
            Self::Ceiling => "ceiling",
        }
    }
}

/// The levels of a budget, in its unit; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// From here on the operator is told.
    pub warn: Option<u64>,
    /// What may not pass it never goes beyond.
    pub hold: Option<u64>,
    /// Nothing goes beyond.
    pub ceiling: Option<u64>,
}

impl Levels {
    /// That of a charge.
    pub fn of(charge: &Charge) -> Self {
        Self { warn: charge.warn, hold: charge.hold, ceiling: charge.ceiling }
    }

    /// The amount of a level.
    pub fn get(self, level: Level) -> Option<u64> {
        match level {
            Level::Warn => self.warn,
            Level::Hold => self.hold,
            Level::Ceiling => self.ceiling,
        }
    }

    /// The highest level that a budget is at of which so much is spent.
    pub fn reached(self, spent: u64) -> Option<Level> {
        let is_beyond = |level: Option<u64>| level.is_some_and(|most| spent > most);
        match self {
            Self { ceiling, .. } if is_beyond(ceiling) => Some(Level::Ceiling),
            Self { hold, .. } if is_beyond(hold) => Some(Level::Hold),
            Self { warn, .. } => warn.is_some_and(|warn| spent >= warn).then_some(Level::Warn),
        }
    }
}

/// What a charge comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It fits; the budget is at this level with it.
    Room(Option<Level>),
    /// It would go beyond this level.
    Held(Level),
}

/// What a charge comes to where `spent` is spent already. What `passes_hold` is held by the ceiling alone.
pub fn verdict(spent: u64, charge: u64, levels: Levels, passes_hold: bool) -> Verdict {
    let after = spent.saturating_add(charge);
    let is_beyond = |level: Option<u64>| level.is_some_and(|most| after > most);
    match (passes_hold, levels) {
        (false, Levels { hold, .. }) if is_beyond(hold) => Verdict::Held(Level::Hold),
        (_, Levels { ceiling, .. }) if is_beyond(ceiling) => Verdict::Held(Level::Ceiling),
        _ => Verdict::Room(levels.reached(after)),
    }
}

/// Whether what is not exempt finds no room even where nothing is spent.
pub fn never_has_room(charge: &Charge) -> bool {
    matches!(verdict(0, charge.amount, Levels::of(charge), false), Verdict::Held(_))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Levels = Levels { warn: Some(8), hold: Some(10), ceiling: Some(12) };

    #[test]
    fn each_level_counts_from_its_own_amount_on() {
        for (spent, charge, passes_hold, expected) in [
            (0, 7, false, Verdict::Room(None)),
            (0, 8, false, Verdict::Room(Some(Level::Warn))),
            (8, 2, false, Verdict::Room(Some(Level::Warn))),
            (8, 3, false, Verdict::Held(Level::Hold)),
            (10, 1, false, Verdict::Held(Level::Hold)),
            (0, 13, false, Verdict::Held(Level::Hold)),
            (10, 0, true, Verdict::Room(Some(Level::Warn))),
            (10, 1, true, Verdict::Room(Some(Level::Hold))),
            (10, 2, true, Verdict::Room(Some(Level::Hold))),
            (10, 3, true, Verdict::Held(Level::Ceiling)),
            (u64::MAX, u64::MAX, true, Verdict::Held(Level::Ceiling)),
        ] {
            assert_eq!(verdict(spent, charge, ALL, passes_hold), expected, "{spent} + {charge}");
        }
    }

    #[test]
    fn a_level_that_is_not_there_holds_nobody() {
        let warn = Levels { warn: Some(8), ..Levels::default() };
        assert_eq!(verdict(u64::MAX, 1, warn, false), Verdict::Room(Some(Level::Warn)));
        let hold = Levels { hold: Some(10), ..Levels::default() };
        assert_eq!(verdict(10, 1, hold, true), Verdict::Room(Some(Level::Hold)));
        assert_eq!(verdict(9, 1, hold, false), Verdict::Room(None));
        let ceiling = Levels { ceiling: Some(12), ..Levels::default() };
        for passes_hold in [true, false] {
            assert_eq!(verdict(12, 0, ceiling, passes_hold), Verdict::Room(None));
            assert_eq!(verdict(12, 1, ceiling, passes_hold), Verdict::Held(Level::Ceiling));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_let_through_goes_beyond_its_level(
            levels in prop::collection::vec(prop::option::of(0_u64..60), 3),
            charges in prop::collection::vec((0_u64..20, any::<bool>()), 0..40),
        ) {
            let levels = Levels { warn: levels[0], hold: levels[1], ceiling: levels[2] };
            let (mut spent, mut worst) = (0, None);
            for (charge, passes_hold) in charges {
                match verdict(spent, charge, levels, passes_hold) {
                    Verdict::Room(level) => {
                        spent += charge;
                        prop_assert!(levels.ceiling.is_none_or(|most| spent <= most));
                        prop_assert!(passes_hold || levels.hold.is_none_or(|most| spent <= most));
                        prop_assert_eq!(level, levels.reached(spent));
                        prop_assert!(level >= worst, "it only rises");
                        worst = level;
                    }
                    Verdict::Held(Level::Hold) => {
                        prop_assert!(!passes_hold && levels.hold.is_some_and(|most| spent + charge > most));
                    }
                    Verdict::Held(level) => {
                        prop_assert_eq!(level, Level::Ceiling);
                        prop_assert!(levels.ceiling.is_some_and(|most| spent + charge > most));
                    }
                }
            }
        }
    }
}
