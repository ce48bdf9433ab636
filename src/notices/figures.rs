//! The metrics of the budgets.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Current;
use crate::budget::{self, Level};
use crate::model::Unit;
use crate::routing::Budget;
use crate::spool::Budgets;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    budget: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LevelLabels {
    budget: String,
    level: &'static str,
}

type Amounts<L> = Family<L, Gauge<f64, AtomicU64>>;

/// Of the budgets that the configuration has now.
pub(super) struct Figures {
    budgets: Current,
    spent: Amounts<Labels>,
    levels: Amounts<LevelLabels>,
    held: Gauge,
    shown: Mutex<Shown>,
}

/// The series that there are.
type Shown = (Vec<Labels>, Vec<LevelLabels>);

impl Figures {
    pub(super) fn new(budgets: Current) -> Self {
        Self {
            budgets,
            spent: Family::default(),
            levels: Family::default(),
            held: Gauge::default(),
            shown: Mutex::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help =
            "What is spent of a budget in its current period: parts, or money in the account's currency";
        registry.register("sms_relay_budget_spent", help, self.spent.clone());
        let help = "The levels of a budget, in what it counts";
        registry.register("sms_relay_budget_level", help, self.levels.clone());
        let help = "SMS that are held since a budget has no room for them";
        registry.register("sms_relay_held_by_budgets", help, self.held.clone());
    }

    /// Takes in how the budgets stand. One that was taken out of the configuration has no series any more.
    pub(super) fn take(&self, budgets: &Budgets) {
        self.held.set(i64::try_from(budgets.held).unwrap_or(i64::MAX));
        let before = std::mem::take(&mut *self.shown());
        for budget in &(self.budgets)() {
            let key = budget::key(&budget.name, budget.period, budget.unit);
            let spent = budgets.spent.iter().find(|spent| spent.key == key).map_or(0, |spent| spent.amount);
            let labels = Labels { budget: budget.name.clone() };
            self.spent.get_or_create(&labels).set(shown(budget, spent));
            self.shown().0.push(labels);
            for level in Level::ALL {
                if let Some(amount) = budget.levels.get(level) {
                    let labels = LevelLabels { budget: budget.name.clone(), level: level.as_str() };
                    self.levels.get_or_create(&labels).set(shown(budget, amount));
                    self.shown().1.push(labels);
                }
            }
        }
        let now = self.shown();
        for gone in before.0.iter().filter(|labels| !now.0.contains(labels)) {
            self.spent.remove(gone);
        }
        for gone in before.1.iter().filter(|labels| !now.1.contains(labels)) {
            self.levels.remove(gone);
        }
    }

    /// It is whole after every step, so that a poisoned lock is still good.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(budget: &Budget, amount: u64) -> f64 {
    match budget.unit {
        Unit::Parts => amount as f64,
        Unit::Money => amount as f64 / 1e6,
    }
}
