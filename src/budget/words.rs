//! What the operator is told of a budget.

use jiff::tz::TimeZone;

use super::key;
use super::period::Span;
use super::verdict::{Level, Levels};
use crate::model::{Charge, Period, Price, Unit};

/// An amount with its unit: `800 parts`, or the bare sum of money, of whose currency only the account knows.
pub fn amount(amount: u64, unit: Unit) -> String {
    match unit {
        Unit::Parts if amount == 1 => "1 part".to_owned(),
        Unit::Parts => format!("{amount} parts"),
        Unit::Money => Price::from_millionths(i64::try_from(amount).unwrap_or(i64::MAX)).to_string(),
    }
}

/// What it is about, in one line, and the sentences, where a budget has reached a level with `spent` of it spent.
pub fn notice(charge: &Charge, level: Level, spent: u64, span: Span, zone: &TimeZone) -> (String, String) {
    let name = key::name(&charge.key);
    let levels = Levels::of(charge);
    let shown = |number| amount(number, charge.unit);
    let begins = span.begins.to_zoned(zone.clone());
    let of = match charge.period {
        Period::Day => begins.strftime("of %Y-%m-%d").to_string(),
        Period::Month => begins.strftime("of %B %Y").to_string(),
    };
    let until = span.ends.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string();
    let spent = format!("{} of it {} spent", shown(spent), if spent == 1 { "is" } else { "are" });
    let exempt = match levels.ceiling {
        Some(ceiling) => format!("what is critical passes up to {}", shown(ceiling)),
        None => "what is critical passes".to_owned(),
    };
    let limit = shown(levels.get(level).unwrap_or_default());
    match level {
        Level::Warn => {
            let next = match (levels.hold, levels.ceiling) {
                (Some(hold), _) => {
                    format!("What would go beyond {} will be held until {until}; {exempt}.", shown(hold))
                }
                (None, Some(ceiling)) => {
                    format!("What would go beyond {} will be held until {until}.", shown(ceiling))
                }
                (None, None) => "Nothing is held: the budget has no hold level.".to_owned(),
            };
            (
                format!("budget {name} has reached its warn level"),
                format!("The budget {name} {of} has reached its warn level of {limit}: {spent}. {next}"),
            )
        }
        Level::Hold => (
            format!("budget {name} holds SMS"),
            format!(
                "The budget {name} {of} is used up: {spent}. SMS that would go beyond its hold level of {limit} are \
                 held until {until}, and then they are tried again; {exempt}."
            ),
        ),
        Level::Ceiling => (
            format!("budget {name} holds critical SMS, too"),
            format!(
                "The budget {name} {of} has reached its ceiling: {spent}. SMS that would go beyond {limit} are held \
                 until {until}, also critical ones."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{key, span};

    fn charge(unit: Unit, warn: Option<u64>, hold: Option<u64>, ceiling: Option<u64>) -> Charge {
        let period = Period::Day;
        Charge { key: key("all", period, unit), period, unit, amount: 1, warn, hold, ceiling, zone: None }
    }

    fn told(charge: &Charge, level: Level, spent: u64) -> (String, String) {
        let zone = TimeZone::get("Europe/Rome").unwrap();
        let span = span("2026-11-22T12:00:00Z".parse().unwrap(), charge.period, &zone);
        notice(charge, level, spent, span, &zone)
    }

    #[test]
    fn each_level_says_what_happens_until_when() {
        let all = charge(Unit::Parts, Some(8), Some(10), Some(12));
        assert_eq!(
            told(&all, Level::Warn, 8),
            (
                "budget all has reached its warn level".to_owned(),
                "The budget all of 2026-11-22 has reached its warn level of 8 parts: 8 parts of it are spent. What \
                 would go beyond 10 parts will be held until 2026-11-23 00:00 +01:00; what is critical passes up to \
                 12 parts."
                    .to_owned()
            )
        );
        let (about, words) = told(&all, Level::Hold, 10);
        assert_eq!(about, "budget all holds SMS");
        assert!(words.contains("hold level of 10 parts are held until 2026-11-23 00:00 +01:00"), "{words}");
        let (about, words) = told(&all, Level::Ceiling, 12);
        assert_eq!(about, "budget all holds critical SMS, too");
        assert!(
            words.ends_with("beyond 12 parts are held until 2026-11-23 00:00 +01:00, also critical ones.")
        );
    }

    #[test]
    fn a_budget_of_money_shows_money_and_one_that_only_warns_says_so() {
        let only = charge(Unit::Money, Some(80_000_000), None, None);
        let (_, words) = told(&only, Level::Warn, 80_040_000);
        assert!(words.contains("warn level of 80: 80.04 of it are spent. Nothing is held"), "{words}");
        let mut month = charge(Unit::Money, None, Some(1), None);
        month.period = Period::Month;
        let (_, words) = told(&month, Level::Hold, 0);
        assert!(words.contains("of November 2026 is used up"), "{words}");
        assert!(
            words.contains("until 2026-12-01 00:00 +01:00") && words.contains("what is critical passes.")
        );
    }
}
