//! Budgets: which of them an SMS is charged to, and how much.

use ipnet::IpNet;

use super::Routing;
use crate::budget::{self, Levels};
use crate::model::{Charge, Client, Period, PhoneNumber, SmsText, Unit};

/// A budget as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// How long it lasts.
    pub period: Period,
    /// What it counts.
    pub unit: Unit,
    /// What happens from where on.
    pub levels: Levels,
    /// The IANA name of the time zone of its days; `None` is that of the machine.
    pub zone: Option<String>,
    /// What it is for.
    pub of: BudgetScope,
}

/// What a budget is for: what fits all of these. `None` fits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetScope {
    /// SMS by one of these rules; [`DEFAULT_RULE`](super::DEFAULT_RULE) stands for none.
    pub rules: Option<Vec<String>>,
    /// Those of one of these accounts.
    pub accounts: Option<Vec<String>>,
    /// Those of clients in one of these networks.
    pub networks: Option<Vec<IpNet>>,
    /// Those that came through one of these listeners.
    pub listeners: Option<Vec<String>>,
}

impl BudgetScope {
    /// Whether it holds SMS of a client by a rule.
    pub fn covers(&self, client: &Client, rule: &str) -> bool {
        let Self { rules, accounts, networks, listeners } = self;
        let is_one = |names: &Option<Vec<String>>, name: Option<&str>| {
            names.as_ref().is_none_or(|names| names.iter().any(|one| Some(one.as_str()) == name))
        };
        is_one(rules, Some(rule))
            && is_one(accounts, client.account.as_deref())
            && is_one(listeners, Some(&client.listener))
            && networks.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&client.address)))
    }
}

impl Routing {
    /// The same with budgets, whose names differ.
    #[must_use]
    pub fn with_budgets(self, budgets: Vec<Budget>) -> Self {
        Self { budgets, ..self }
    }

    /// The budgets, in order.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// What an SMS is charged to. A destination without a price takes nothing of a budget of money until the platform
    /// tells its price.
    pub fn charges(
        &self,
        client: &Client,
        rule: &str,
        destination: &PhoneNumber,
        text: &SmsText,
    ) -> Vec<Charge> {
        let charged = self.budgets.iter().filter(|budget| budget.of.covers(client, rule));
        let charge = |budget: &Budget| {
            let Levels { warn, hold, ceiling } = budget.levels;
            Charge {
                key: budget::key(&budget.name, budget.period, budget.unit),
                period: budget.period,
                unit: budget.unit,
                amount: match budget.unit {
                    Unit::Parts => text.parts.into(),
                    Unit::Money => {
                        self.prices().of(destination, text.parts).map_or(0, |amount| amount.millionths())
                    }
                },
                warn,
                hold,
                ceiling,
                zone: budget.zone.clone(),
            }
        };
        charged.map(charge).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Door;

    fn client() -> Client {
        Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: None,
            account: Some("ups".to_owned()),
        }
    }

    #[test]
    fn a_budget_holds_what_fits_all_that_it_names() {
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let all = BudgetScope::default();
        let nobody = Client { account: None, ..client() };
        assert!(all.covers(&client(), "default") && all.covers(&nobody, "any"));
        let rules = BudgetScope { rules: names(&["night", "default"]), ..all.clone() };
        assert!(rules.covers(&client(), "night") && rules.covers(&client(), "default"));
        assert!(!rules.covers(&client(), "day"));
        let accounts = BudgetScope { accounts: names(&["shop", "ups"]), ..all.clone() };
        assert!(accounts.covers(&client(), "any") && !accounts.covers(&nobody, "any"));
        let networks = BudgetScope { networks: Some(vec!["10.0.0.0/29".parse().unwrap()]), ..all.clone() };
        let beyond = Client { address: "10.0.0.8".parse().unwrap(), ..client() };
        assert!(networks.covers(&client(), "any") && !networks.covers(&beyond, "any"));
        let both = BudgetScope { listeners: names(&["lan"]), rules: names(&["night"]), ..all };
        assert!(both.covers(&client(), "night") && !both.covers(&client(), "day"));
        assert!(!both.covers(&Client { listener: "wan".to_owned(), ..client() }, "night"));
    }
}
