//! Every cell of the contract's "what an answer means", times every fault that the emulator can be ordered to
//! have, times every way: what becomes of the message, when it is tried again, what its sender is told and what
//! the platform saw. The parts are the real ones (spool, dispatch, tracking, reporting, the clients of gateway and
//! smarthost); only waits are short, and the platform is the emulator.
//!
//! - `table`: the rows, for people to read beside the contract
//! - `words`: what a row is written in
//! - `world`: one relay with its platform; `places`: where no platform answers
//! - `check`: what is done with a row, and how it is compared

#![cfg(test)]
#![allow(unreachable_pub)]

mod check;
#[allow(dead_code, reason = "the tests of the program want more of it")]
#[path = "../e2e/support/mailbox.rs"]
mod mailbox;
mod places;
mod table;
mod words;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use check::Problems;
use mailbox::Mailbox;
use places::Places;
use words::{By, Cell, Kind, Row};
use world::Surroundings;

/// Nothing here takes as long unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Relays at a time: more of them would wait for each other.
const AT_A_TIME: usize = 24;

/// Does `look` with every one of `rows`, several at a time, and fails with all that is not as the rows say.
async fn with_each<F>(rows: impl Iterator<Item = Row>, look: impl Fn(Row, Arc<Surroundings>) -> F)
where
    F: Future<Output = Problems> + Send + 'static,
{
    let around = Arc::new(Surroundings { mailbox: Mailbox::open(), places: Places::open().await });
    let permits = Arc::new(Semaphore::new(AT_A_TIME));
    let mut looks = JoinSet::new();
    for row in rows {
        let (name, permits) = (row.to_string(), Arc::clone(&permits));
        let looking = look(row, Arc::clone(&around));
        looks.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            let mut problems = Vec::new();
            for problem in looking.await.0 {
                problems.push(format!("{name}: {problem}"));
            }
            problems
        });
    }
    let mut problems = Vec::new();
    while let Some(ended) = looks.join_next().await {
        // One that waited in vain says so itself, and is no reason to hear nothing of the others.
        problems.extend(ended.unwrap_or_else(|error| {
            let said = error.into_panic();
            vec![said.downcast_ref::<String>().cloned().unwrap_or_else(|| "a row panicked".to_owned())]
        }));
    }
    problems.sort();
    assert!(problems.is_empty(), "{} things are otherwise:\n{}", problems.len(), problems.join("\n"));
}

/// The rows that say where a message is after the first answer.
fn with_first() -> impl Iterator<Item = Row> {
    table::rows().into_iter().filter(|row| row.first.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_means_what_the_contract_says() {
    with_each(with_first(), check::at_first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_comes_to_the_end_that_its_answers_lead_to() {
    with_each(table::rows().into_iter().filter(|row| !row.ends_by_time()), check::in_the_end).await;
}

/// Apart from the others, so that none of them ends before it was begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_tells_of_ends_with_its_time() {
    with_each(table::rows().into_iter().filter(Row::ends_by_time), check::in_the_end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_not_sent_moves_to_another_gateway() {
    with_each(with_first(), check::with_another_gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_circuit_opens_when_several_fail_in_a_row_and_for_nothing_else() {
    with_each(with_first(), check::five_in_a_row).await;
}

/// What stands in none of the table's rows.
fn missing<T: Ord + std::fmt::Debug>(wanted: impl IntoIterator<Item = T>, found: &BTreeSet<T>) -> Vec<T> {
    wanted.into_iter().filter(|one| !found.contains(one)).collect()
}

#[test]
fn every_cell_of_the_contract_and_every_fault_of_the_emulator_stands_in_the_table() {
    let rows = table::rows();
    for by in By::EACH {
        let rows = || rows.iter().filter(|row| row.by == *by);
        let cells: BTreeSet<Cell> = rows().map(|row| row.cell).collect();
        assert_eq!(missing(Cell::all(), &cells), [], "{by:?}");
        let faults: BTreeSet<(Kind, bool)> =
            rows().flat_map(|row| &row.sends).filter_map(|does| does.kind()).collect();
        let partial = |kind: &(Kind, bool)| kind.0 != Kind::Partial || *by == By::Legacy;
        assert_eq!(missing(Kind::all_of_sends().into_iter().filter(partial), &faults), [], "{by:?}");
    }
    // Asking is the same whatever the way, but for the channel.
    let asked: BTreeSet<(Kind, bool)> =
        rows.iter().flat_map(|row| &row.asks).filter_map(|does| does.kind()).collect();
    assert_eq!(missing(Kind::all_of_questions(), &asked), []);
}
