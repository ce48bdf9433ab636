//! The key by which the spool knows a budget.

use crate::model::{Period, Unit};

/// The key of a budget: the same after a restart, and another one once it counts something else or for another time.
pub fn key(name: &str, period: Period, unit: Unit) -> String {
    let (period, unit) = (period_word(period), unit_word(unit));
    format!("{period}:{unit}:{name}")
}

/// The name of the budget with this key; the whole key where it is none of ours.
pub fn name(key: &str) -> &str {
    key.splitn(3, ':').nth(2).unwrap_or(key)
}

fn period_word(period: Period) -> &'static str {
    match period {
        Period::Day => "day",
        Period::Month => "month",
    }
}

fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Parts => "parts",
        Unit::Money => "money",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_period_unit_and_name() {
        let all = [(Period::Day, Unit::Parts), (Period::Day, Unit::Money), (Period::Month, Unit::Parts)];
        let keys = all.map(|(period, unit)| key("night: all", period, unit));
        assert_eq!(keys, ["day:parts:night: all", "day:money:night: all", "month:parts:night: all"]);
        assert!(keys.iter().all(|key| name(key) == "night: all"));
        assert_eq!(name("other"), "other");
    }
}
