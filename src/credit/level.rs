//! Whether what is left of an account's credit is enough, and what of that is news.

use crate::model::Price;

/// How much is left. The later, the worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Enough.
    #[default]
    Fine,
    /// Less than the operator wants.
    Low,
    /// Nothing.
    Empty,
}

impl Level {
    /// The word in the spool.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Low => "low",
            Self::Empty => "empty",
        }
    }

    /// By its word; `None` for any other.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Fine, Self::Low, Self::Empty].into_iter().find(|level| level.as_str() == word)
    }
}

/// The level of what is `left` after `before`. Below `low` it is low; once it was, it is fine again only from a
/// tenth above on, so that an account that goes up and down around the limit is not told of each time.
pub(super) fn judge(left: Price, low: Option<Price>, before: Level) -> Level {
    let (left, low) = (left.millionths(), low.map_or(0, Price::millionths));
    let enough = if before == Level::Fine { low } else { low.saturating_add(low / 10) };
    if left <= 0 {
        Level::Empty
    } else if left < enough {
        Level::Low
    } else {
        Level::Fine
    }
}

/// What is to be told when the level is `now` and `told` was told last; `None` when that is no news. A little more
/// than nothing after nothing is none: it is still low.
pub(super) fn news(told: Level, now: Level) -> Option<Level> {
    (now > told || now == Level::Fine && told > Level::Fine).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(millionths: i64) -> Price {
        Price::from_millionths(millionths)
    }

    #[test]
    fn levels_are_written_and_read_alike_and_grow_worse() {
        for level in [Level::Fine, Level::Low, Level::Empty] {
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
        assert_eq!(Level::parse("Low"), None);
        assert!(Level::Fine < Level::Low && Level::Low < Level::Empty);
    }

    #[test]
    fn low_begins_below_the_limit_and_ends_a_tenth_above_it() {
        let low = Some(price(1000));
        for (left, before, level) in [
            (1000, Level::Fine, Level::Fine),
            (999, Level::Fine, Level::Low),
            (1, Level::Fine, Level::Low),
            (0, Level::Fine, Level::Empty),
            (-1, Level::Fine, Level::Empty),
            (1000, Level::Low, Level::Low),
            (1099, Level::Low, Level::Low),
            (1100, Level::Low, Level::Fine),
            (1099, Level::Empty, Level::Low),
            (1100, Level::Empty, Level::Fine),
        ] {
            assert_eq!(judge(price(left), low, before), level, "{left} after {before:?}");
        }
        // Without a limit there is nothing between.
        for (left, level) in [(0, Level::Empty), (1, Level::Fine)] {
            for before in [Level::Fine, Level::Low, Level::Empty] {
                assert_eq!(judge(price(left), None, before), level);
            }
        }
        assert_eq!(judge(price(i64::MAX), Some(price(i64::MAX)), Level::Low), Level::Fine);
    }

    #[test]
    fn what_grows_worse_is_news_and_the_end_of_it_and_nothing_else() {
        use Level::{Empty, Fine, Low};
        for (told, now, expected) in [
            (Fine, Fine, None),
            (Fine, Low, Some(Low)),
            (Fine, Empty, Some(Empty)),
            (Low, Low, None),
            (Low, Empty, Some(Empty)),
            (Low, Fine, Some(Fine)),
            (Empty, Empty, None),
            (Empty, Low, None),
            (Empty, Fine, Some(Fine)),
        ] {
            assert_eq!(news(told, now), expected, "{told:?} to {now:?}");
        }
    }
}
