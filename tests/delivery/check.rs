//! What is done with a row, and how what came of it is compared.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sms_relay::emulator::Fault;
use sms_relay::model::State;
use sms_relay::spool::MessageView;

use crate::words::{Does, First, Gate, Next, Row, Told, after};
use crate::world::{Pace, Surroundings, World, course};

/// The spool keeps milliseconds, and a date has seconds.
const ROUNDED: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(1);

/// What is not as the row says.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<String>);

impl Problems {
    fn same<T: PartialEq + Debug>(&mut self, what: &str, found: T, wanted: T) {
        if found != wanted {
            self.0.push(format!("{what}: {found:?} and not {wanted:?}"));
        }
    }

    /// That a time is from `from` to `to`.
    fn between(&mut self, what: &str, found: Option<Timestamp>, from: Timestamp, to: Timestamp) {
        if !found.is_some_and(|found| from <= found && found <= to) {
            self.0.push(format!("{what}: {found:?} and not from {from} to {to}"));
        }
    }

    fn told(&mut self, found: &[Told], wanted: &[Told]) {
        let fits = |(found, wanted): (&Told, &Told)| {
            found.action == wanted.action
                && found.status == wanted.status
                && found.diagnostic.starts_with(&wanted.diagnostic)
                && found.diagnostic.is_empty() == wanted.diagnostic.is_empty()
        };
        let mut wanted = wanted.to_vec();
        wanted.sort();
        if found.len() != wanted.len() || !found.iter().zip(&wanted).all(fits) {
            self.0.push(format!("its sender is told {found:?} and not {wanted:?}"));
        }
    }
}

fn first_try_ended(view: &MessageView) -> bool {
    view.tries.first().is_some_and(|first| first.ended_at.is_some())
}

fn is_sent(view: &MessageView) -> bool {
    view.state == State::Sent
}

/// How many of so many messages the platform has after one call.
fn taken(does: &Does, messages: usize) -> u64 {
    if let Does::Fault(Fault::Partial { processed }) = does {
        return messages.min(*processed) as u64;
    }
    if does.takes() { messages as u64 } else { 0 }
}

/// Where the message is after the first answer, and what others notice of it.
pub async fn at_first(row: Row, around: Arc<Surroundings>) -> Problems {
    let mut problems = Problems::default();
    let Some(first) = row.first.clone() else { return problems };
    let (does, phones) = (row.first_does(), row.phones());
    let mut world = World::start(&row, Pace::FROZEN, std::slice::from_ref(&does), false, &around).await;
    let ids = world.accept(0..phones, true).await;
    world.let_go(&does, 1).await;
    for view in world.wait_for(&ids, first_try_ended).await {
        problems.same("state", view.state.as_str(), first.state);
        problems.same("attempts", (view.attempts, view.tries.len()), (1, 1));
        check_next(&mut problems, &world, &first, &view);
    }
    problems.same("requests", world.requests(), (u64::from(!matches!(does, Does::Away(_))), 0));
    problems.same("taken", world.emulator.record(|record| record.total()), taken(&does, phones));

    // Another message, to another phone: what is one message's own keeps nobody else back.
    let bystander = world.accept(phones..phones + 1, false).await;
    if first.gate == Gate::Open {
        world.wait_for(&bystander, is_sent).await;
    }
    world.tell_senders();
    problems.told(&world.told(ids[0], phones).await, &vec![first.told.clone(); phones]);
    if first.gate != Gate::Open {
        let view = &world.look(&bystander).await[0];
        problems.same("the bystander", (view.state, view.attempts), (State::Due, 0));
    }
    if first.gate == Gate::Shut {
        let mended_at = world.mend();
        world.wait_for(&ids, is_sent).await;
        let view = &world.wait_for(&bystander, is_sent).await[0];
        let began = Some(view.tries[0].began_at);
        problems.between("the bystander's attempt", began, before(mended_at), Timestamp::MAX);
        problems.same("the gate in the end", world.gate().0, Gate::Open);
    }
    world.stop().await;
    problems
}

fn before(time: Timestamp) -> Timestamp {
    time.checked_sub(TICK).unwrap()
}

/// When something is done next, by the message's own time and by the gate.
fn check_next(problems: &mut Problems, world: &World, first: &First, view: &MessageView) {
    let pace = world.pace;
    let tried = &view.tries[0];
    let since = if world.row.has_date() { world.ordered_at } else { before(tried.began_at) };
    let (began, ended) = (since, after(tried.ended_at.unwrap(), TICK));
    let (gate, until) = world.gate();
    problems.same("gate", gate, first.gate);
    let mut next = |least: Duration, most: Duration| {
        problems.between("next", view.next_at, after(began, least), after(ended, most));
    };
    match first.next {
        Next::Never => problems.same("next", view.next_at, None),
        Next::Gate => next(Duration::ZERO, Duration::ZERO),
        Next::BackOff => next(pace.back_off / 2, pace.back_off),
        Next::Pause => next(pace.pause, pace.pause + ROUNDED),
        Next::Asked | Next::Followed => next(pace.ask, pace.ask),
    }
    match first.gate {
        Gate::Open => {}
        Gate::Paused => {
            let (from, to) = (after(began, pace.pause), after(ended, pace.pause + ROUNDED));
            problems.between("the gate opens", until, from, to);
        }
        Gate::Shut => {
            let (from, to) = (after(began, pace.probe / 2), after(ended, pace.probe));
            problems.between("the gate is probed", until, from, to);
        }
    }
}

/// How it ends.
pub async fn in_the_end(row: Row, around: Arc<Surroundings>) -> Problems {
    let (mut problems, end) = (Problems::default(), row.end.clone());
    let mut world = World::start(&row, Pace::QUICK, &row.sends, false, &around).await;
    world.tell_senders();
    let ids = world.accept(0..row.phones(), false).await;
    world.let_go(&row.first_does(), 1).await;
    let is_final = |view: &MessageView| matches!(view.state, State::Final(_));
    for (view, wanted) in world.wait_for(&ids, is_final).await.iter().zip(&end.courses) {
        let found = course(view);
        problems.same("course", found.as_str(), wanted);
        problems.same("attempts", view.tries.len(), wanted.matches("claimed").count());
        problems.same("next", view.next_at, None);
        if let [one, two, ..] = view.tries.as_slice() {
            let at_least = end.wait.unwrap_or_else(|| least_wait(&row, world.pace));
            let since = if row.has_date() { world.ordered_at } else { before(one.began_at) };
            let from = after(since, at_least);
            problems.between("the second attempt", Some(two.began_at), from, Timestamp::MAX);
        }
    }
    problems.told(&world.told(ids[0], row.phones()).await, &end.told);
    let (sends, asks) = world.requests();
    problems.same("calls that send", sends, end.sends);
    problems.same("questions", Some(asks).filter(|_| end.asks.is_some()), end.asks);
    problems.same("taken", world.emulator.record(|record| record.total()), end.taken as u64);
    problems.same("gate", world.gate().0, Gate::Open);
    world.stop().await;
    problems
}

/// How long the first answer wants the second attempt to wait, at least.
fn least_wait(row: &Row, pace: Pace) -> Duration {
    row.first.as_ref().map_or(Duration::ZERO, |first| match first.next {
        Next::Never | Next::Followed => Duration::ZERO,
        Next::Gate => pace.probe / 2,
        Next::BackOff => pace.back_off / 2,
        Next::Pause => pace.pause,
        Next::Asked => pace.ask,
    })
}

/// Which gateways have it, where there is another one.
pub async fn with_another_gateway(row: Row, around: Arc<Surroundings>) -> Problems {
    let mut problems = Problems::default();
    let Some(first) = row.first.clone() else { return problems };
    let (does, phones) = (row.first_does(), row.phones());
    let world = World::start(&row, Pace::RESTLESS, std::slice::from_ref(&does), true, &around).await;
    let ids = world.accept(0..phones, false).await;
    world.let_go(&does, 1).await;
    let (gateways, state): (&[&str], &str) = match (first.gate, first.next) {
        (Gate::Shut | Gate::Paused, _) => (&["main", "backup"], "sent"),
        (Gate::Open, Next::BackOff) => (&["main", "main"], "sent"),
        // What it may have, and what it has or has refused, is its own.
        (Gate::Open, _) => (&["main"], first.state),
    };
    let arrived = |view: &MessageView| view.tries.len() >= gateways.len() && view.state.as_str() == state;
    world.wait_for(&ids, arrived).await;
    // When another one has gone, this one could have.
    let bystander = world.accept(phones..phones + 1, false).await;
    world.wait_for(&bystander, is_sent).await;
    for view in world.look(&ids).await {
        let found: Vec<&str> = view.tries.iter().filter_map(|one| one.gateway.as_deref()).collect();
        problems.same("gateways", found.as_slice(), gateways);
        problems.same("state", view.state.as_str(), state);
    }
    let (moved, bystanders) = (gateways.contains(&"backup"), usize::from(first.gate != Gate::Open));
    let by_backup = if moved { phones + bystanders } else { 0 };
    problems.same(
        "taken by the other",
        world.backup.as_ref().unwrap().record(|record| record.total()),
        by_backup as u64,
    );
    world.stop().await;
    problems
}

/// What the gate says when five messages meet the same.
pub async fn five_in_a_row(row: Row, around: Arc<Surroundings>) -> Problems {
    let mut problems = Problems::default();
    let Some(first) = row.first.clone().filter(|first| first.gate == Gate::Open) else { return problems };
    if row.phones() > 1 {
        return problems;
    }
    let does = row.first_does();
    let world = World::start(&row, Pace::FROZEN, &vec![does.clone(); 5], false, &around).await;
    let mut ids = Vec::new();
    // One call each, also by the legacy API.
    for phone in 0..5 {
        ids.extend(world.accept(phone..phone + 1, false).await);
    }
    world.let_go(&does, 5).await;
    world.wait_for(&ids, first_try_ended).await;
    let gate = match first.next {
        Next::BackOff | Next::Asked => Gate::Shut,
        Next::Never | Next::Gate | Next::Pause | Next::Followed => Gate::Open,
    };
    problems.same("gate", world.gate().0, gate);
    world.stop().await;
    problems
}
