//! Which budgets SMS are charged to.

use crate::model::{Charge, Client, Fate, Lane, Message, Submission};
use crate::routing::Routing;

/// Writes down what each SMS of a submission is charged to.
pub(super) fn charge(routing: &Routing, submission: &mut Submission) {
    for message in &mut submission.messages {
        message.passage.budgets = of(routing, &submission.client, message);
        let is_critical = message.delivery.lane == Lane::Critical;
        message.passage.is_exempt |= is_critical;
        message.passage.passes_hold |= is_critical;
    }
}

/// What SMS to one phone are charged to together.
pub(super) fn of_all(routing: &Routing, client: &Client, messages: &[Message]) -> Vec<Charge> {
    let mut all: Vec<Charge> = Vec::new();
    for charge in messages.iter().flat_map(|message| of(routing, client, message)) {
        match all.iter_mut().find(|one| one.key == charge.key) {
            Some(one) => one.amount = one.amount.saturating_add(charge.amount),
            None => all.push(charge),
        }
    }
    all
}

/// What is never sent, or only simulated, costs nothing.
fn of(routing: &Routing, client: &Client, message: &Message) -> Vec<Charge> {
    match message.fate {
        Fate::Due | Fate::Held { .. } if !message.sms.options.simulation => {
            routing.charges(client, &message.rule, &message.sms.destination, &message.sms.text)
        }
        Fate::Due | Fate::Held { .. } | Fate::Refused(_) | Fate::Dropped(_) | Fate::SameAs(_) => Vec::new(),
    }
}
