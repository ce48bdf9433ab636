//! Budgets of something, from a mail to its row.

use super::*;
use crate::budget::Levels;
use crate::model::{HoldReason, Period, State, Unit};
use crate::routing::{Budget, BudgetScope};
use crate::spool::SqliteSpool;

/// One that mails come by, each of one part.
struct World {
    intake: Intake,
    spool: Arc<SqliteSpool>,
    _guard: tempfile::TempDir,
}

impl World {
    /// With a budget of one part for `of`.
    fn new(of: BudgetScope) -> Self {
        let guard = tempfile::tempdir().unwrap();
        let settings =
            crate::spool::sqlite::Settings { directory: guard.path().to_owned(), min_free_octets: 1 };
        let spool = Arc::new(SqliteSpool::open(settings).unwrap());
        let budget = Budget {
            name: "one".to_owned(),
            period: Period::Day,
            unit: Unit::Parts,
            levels: Levels { hold: Some(1), ..Levels::default() },
            zone: Some("UTC".to_owned()),
            of,
        };
        let mut intake = intake_with(spool.clone(), routing().with_budgets(vec![budget]));
        intake.clock = Box::new(now);
        Self { intake, spool, _guard: guard }
    }

    /// The state of the SMS that becomes of a mail.
    async fn mail(&self, client: &Client, subject: &str) -> (State, Option<HoldReason>) {
        let envelope = envelope("ups@example.com", &["boss@sms.local"]);
        let mail = format!("Subject: {subject}\r\n\r\nhot\r\n");
        let id = self.intake.submit_mail(client, envelope, mail.into_bytes()).await.unwrap();
        let view = self.spool.submission(id).await.unwrap().unwrap();
        assert_eq!(view.messages.len(), 1);
        (view.messages[0].state, view.messages[0].hold_reason)
    }
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn a_budget_of_something_holds_only_what_it_is_for() {
    let of_account = |name: &str| Client { account: Some(name.to_owned()), ..client() };
    let from = |address: &str| Client { address: address.parse().unwrap(), ..client() };
    let through = |listener: &str| Client { listener: listener.to_owned(), ..client() };
    let network = Some(vec!["10.0.0.0/29".parse().unwrap()]);
    let all = BudgetScope::default();
    for (of, inside, outside) in [
        (BudgetScope { rules: names(&["short"]), ..all.clone() }, (client(), "short"), (client(), "long")),
        (BudgetScope { rules: names(&["default"]), ..all.clone() }, (client(), "long"), (client(), "short")),
        (
            BudgetScope { accounts: names(&["ups"]), ..all.clone() },
            (of_account("ups"), "x"),
            (of_account("pbx"), "x"),
        ),
        (BudgetScope { accounts: names(&["ups"]), ..all.clone() }, (of_account("ups"), "x"), (client(), "x")),
        (BudgetScope { networks: network, ..all.clone() }, (from("10.0.0.7"), "x"), (from("10.0.0.8"), "x")),
        (BudgetScope { listeners: names(&["lan"]), ..all }, (through("lan"), "x"), (through("wan"), "x")),
    ] {
        let world = World::new(of.clone());
        assert_eq!(world.mail(&inside.0, inside.1).await, (State::Due, None), "{of:?}");
        let held = (State::Held, Some(HoldReason::Budget));
        assert_eq!(world.mail(&inside.0, inside.1).await, held, "{of:?}");
        for _ in 0..2 {
            assert_eq!(world.mail(&outside.0, outside.1).await, (State::Due, None), "{of:?}");
        }
        let budgets = world.spool.budgets(now()).await.unwrap();
        let spent: Vec<u64> = budgets.spent.iter().map(|spent| spent.amount).collect();
        assert_eq!((spent, budgets.held), (vec![1], 1), "{of:?}");
    }
}
