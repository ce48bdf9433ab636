//! What was spent, and what the operator is to hear of it: reckoned again from what happened, SMS by SMS.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::clock::{at, millis};
use super::journal::Entry;
use super::platform::shown;
use super::setting::{Budget, Setting};
use crate::model::{Period, Unit};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Warn,
    Hold,
    Ceiling,
}

/// A budget in one of its periods.
#[derive(Debug, Default)]
struct Account {
    spent: u64,
    told: BTreeSet<Level>,
}

/// An SMS that was charged.
#[derive(Debug)]
struct Charged {
    at: i64,
    parts: u64,
    was_tried: bool,
    /// By the places of its budgets.
    of: Vec<usize>,
    /// What the platform said that its parts cost.
    prices: BTreeMap<i64, u64>,
}

/// The books.
pub(super) struct Spending<'a> {
    setting: &'a Setting,
    zone: TimeZone,
    /// By the place of the budget and when its period begins.
    accounts: BTreeMap<(usize, i64), Account>,
    charged: BTreeMap<i64, Charged>,
    /// What the operator is to hear, and when that was known.
    pub(super) told: Vec<(i64, String)>,
}

/// From when to when the period of a budget lasts.
fn span(period: Period, now: i64, zone: &TimeZone) -> (i64, i64) {
    let today = at(now).to_zoned(zone.clone()).date();
    let (first, next) = match period {
        Period::Day => (today, today.tomorrow().unwrap()),
        Period::Month => (today.first_of_month(), today.last_of_month().tomorrow().unwrap()),
    };
    let begin = |day: jiff::civil::Date| millis(day.to_zoned(zone.clone()).unwrap().timestamp());
    (begin(first), begin(next))
}

impl Budget {
    /// Whether a level is there and `spent` is beyond it.
    fn is_beyond(level: Option<u64>, spent: u64) -> bool {
        level.is_some_and(|level| spent > level)
    }

    fn reached(&self, spent: u64) -> Option<Level> {
        if Self::is_beyond(self.ceiling, spent) {
            Some(Level::Ceiling)
        } else if Self::is_beyond(self.hold, spent) {
            Some(Level::Hold)
        } else {
            self.warn.is_some_and(|warn| spent >= warn).then_some(Level::Warn)
        }
    }

    /// What holds one that brings it to `spent`.
    fn holds(&self, spent: u64, is_exempt: bool) -> Option<Level> {
        if !is_exempt && Self::is_beyond(self.hold, spent) {
            return Some(Level::Hold);
        }
        Self::is_beyond(self.ceiling, spent).then_some(Level::Ceiling)
    }

    fn words(&self, level: Level) -> String {
        let name = self.name();
        match level {
            Level::Warn => format!("budget {name} has reached its warn level"),
            Level::Hold => format!("budget {name} holds SMS"),
            Level::Ceiling => format!("budget {name} holds critical SMS, too"),
        }
    }
}

impl<'a> Spending<'a> {
    /// Goes through all that happened; `is_exempt` says of a row whether only a ceiling holds it, and `of` by their places
    /// to which budgets it is charged.
    pub(super) fn reckon(
        setting: &'a Setting,
        journal: &[Entry],
        is_exempt: impl Fn(i64) -> bool,
        of: impl Fn(i64) -> Vec<usize>,
    ) -> Self {
        let mut books = Self {
            setting,
            zone: setting.zone(),
            accounts: BTreeMap::new(),
            charged: BTreeMap::new(),
            told: Vec::new(),
        };
        for entry in journal {
            match entry {
                Entry::Notice { .. } => {}
                Entry::Price { seq, at, part, price } => books.price(*seq, *part, *price, *at),
                Entry::Event { seq, at, state, note, parts } => match state.as_str() {
                    "due" if !books.charged.contains_key(seq) => {
                        books.charge(*seq, *parts, is_exempt(*seq), of(*seq), *at)
                    }
                    "claimed" => {
                        if let Some(charged) = books.charged.get_mut(seq) {
                            charged.was_tried = true;
                        }
                    }
                    "held" | "folded" => {
                        // Whatever was let go and has not gone takes nothing.
                        books.end(*seq);
                        if state == "held" && is_by_budget(note) {
                            books.hold(*seq, *parts, is_exempt(*seq), &of(*seq), *at);
                        }
                    }
                    "delivered" | "undelivered" | "failed" | "expired" | "cancelled" => books.end(*seq),
                    _ => {}
                },
            }
        }
        books
    }

    fn amount(&self, budget: &Budget, parts: u64) -> u64 {
        match budget.unit {
            Unit::Parts => parts,
            Unit::Money => parts * self.setting.price.unwrap_or(0),
        }
    }

    /// What an SMS takes of a budget, as far as is known.
    fn booked(&self, budget: &Budget, charged: &Charged) -> u64 {
        let predicted = self.amount(budget, charged.parts);
        if budget.unit == Unit::Parts || charged.prices.is_empty() {
            return predicted;
        }
        let told: u64 = charged.prices.values().sum();
        let unknown = charged.parts - charged.prices.len() as u64;
        told + predicted * unknown / charged.parts
    }

    fn tell(&mut self, place: usize, begins: i64, level: Level, now: i64) {
        if self.accounts.entry((place, begins)).or_default().told.insert(level) {
            self.told.push((now, self.setting.budgets[place].words(level)));
        }
    }

    /// Of several levels that are reached at once the highest is told.
    fn stand(&mut self, place: usize, begins: i64, now: i64) {
        let spent = self.accounts[&(place, begins)].spent;
        let Some(level) = self.setting.budgets[place].reached(spent) else { return };
        self.tell(place, begins, level, now);
        let told = &mut self.accounts.get_mut(&(place, begins)).unwrap().told;
        told.extend([Level::Warn, Level::Hold].into_iter().filter(|lower| *lower < level));
    }

    /// Those of some places.
    fn budgets(&self, of: &[usize]) -> Vec<(usize, &'a Budget)> {
        let setting = self.setting;
        of.iter().map(|place| (*place, &setting.budgets[*place])).collect()
    }

    fn charge(&mut self, seq: i64, parts: u64, is_exempt: bool, of: Vec<usize>, now: i64) {
        for (place, budget) in self.budgets(&of) {
            let begins = span(budget.period, now, &self.zone).0;
            let after = self.accounts.entry((place, begins)).or_default().spent + self.amount(budget, parts);
            let held = budget.holds(after, is_exempt);
            assert_eq!(held, None, "row {seq} went at {}, {after} spent of {budget:?}", shown(now));
        }
        for (place, budget) in self.budgets(&of) {
            let begins = span(budget.period, now, &self.zone).0;
            self.accounts.get_mut(&(place, begins)).unwrap().spent += self.amount(budget, parts);
            self.stand(place, begins, now);
        }
        self.charged.insert(seq, Charged { at: now, parts, was_tried: false, of, prices: BTreeMap::new() });
    }

    fn hold(&mut self, seq: i64, parts: u64, is_exempt: bool, of: &[usize], now: i64) {
        let mut is_held = false;
        for (place, budget) in self.budgets(of) {
            let begins = span(budget.period, now, &self.zone).0;
            let after = self.accounts.entry((place, begins)).or_default().spent + self.amount(budget, parts);
            if let Some(level) = budget.holds(after, is_exempt) {
                is_held = true;
                self.tell(place, begins, level, now);
            }
        }
        assert!(is_held, "row {seq} was held at {} for a budget, and each had room", shown(now));
    }

    /// What ends before it was tried costs nothing.
    fn end(&mut self, seq: i64) {
        if self.charged.get(&seq).is_none_or(|charged| charged.was_tried) {
            return;
        }
        let Some(charged) = self.charged.remove(&seq) else { return };
        for (place, budget) in self.budgets(&charged.of) {
            let begins = span(budget.period, charged.at, &self.zone).0;
            let booked = self.booked(budget, &charged);
            self.accounts.get_mut(&(place, begins)).unwrap().spent -= booked;
        }
    }

    fn price(&mut self, seq: i64, part: i64, price: u64, now: i64) {
        let mut charged =
            self.charged.remove(&seq).unwrap_or_else(|| panic!("row {seq} was never charged, and costs"));
        let before: Vec<u64> =
            self.budgets(&charged.of).into_iter().map(|(_, budget)| self.booked(budget, &charged)).collect();
        charged.prices.insert(part, price);
        for ((place, budget), before) in self.budgets(&charged.of).into_iter().zip(before) {
            if budget.unit != Unit::Money {
                continue;
            }
            let after = self.booked(budget, &charged);
            let (begins, ends) = span(budget.period, charged.at, &self.zone);
            let account = self.accounts.get_mut(&(place, begins)).unwrap();
            account.spent = account.spent - before + after;
            // Nobody can do anything about a period that is over.
            if now < ends {
                self.stand(place, begins, now);
            }
        }
        self.charged.insert(seq, charged);
    }

    /// What was spent, by the key of the budget and the beginning of its period, as the spool has it.
    pub(super) fn check_spent(&self, found: &BTreeMap<(String, i64), u64>) {
        let mine = self.accounts.iter().map(|((place, begins), account)| {
            let budget = &self.setting.budgets[*place];
            ((crate::budget::key(budget.name(), budget.period, budget.unit), *begins), account.spent)
        });
        let mine: BTreeMap<(String, i64), u64> = mine.collect();
        let zero = |of: &BTreeMap<(String, i64), u64>| {
            let some = of.iter().filter(|(_, amount)| **amount > 0);
            some.map(|(key, amount)| (key.clone(), *amount)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(zero(&mine), zero(found), "what was spent, by the SMS and in the spool");
    }
}

/// Whether this is the word of an SMS for which no budget has room.
pub(super) fn is_by_budget(note: &str) -> bool {
    note.ends_with(": budget") || note.ends_with(": a budget is spent")
}
