//! What only this engine does; what every engine must do is in `behaviour`.

mod accepted;
mod budgets;
mod callbacks;
mod crashes;
mod disk;
mod files;
mod older;
mod outage;
mod records;
mod storms;

use std::path::Path;

use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::behaviour::{self, bounded, passages, sequences};
use super::{FILE, Settings, SqliteSpool};

/// A spool in the directory.
fn open_in(directory: &Path) -> SqliteSpool {
    SqliteSpool::open(settings(directory)).unwrap()
}

fn settings(directory: &Path) -> Settings {
    Settings { directory: directory.to_owned(), min_free_octets: 1 }
}

/// An empty spool, and what removes it in the end.
fn open() -> (SqliteSpool, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (open_in(directory.path()), directory)
}

/// A connection of another program.
fn outsider(directory: &Path) -> Connection {
    Connection::open(directory.join(FILE)).unwrap()
}

behaviour::suite!(open);

#[test]
fn random_calls_never_leave_the_states_or_the_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    runner
        .run(&sequences::calls(), |calls| {
            let (spool, _guard) = open();
            runtime.block_on(sequences::run(&spool, calls));
            Ok(())
        })
        .unwrap();
}

#[test]
fn random_storms_lose_nothing_and_keep_to_their_limits() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(32);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner
        .run(&(passages::rules(), passages::calls()), |(rules, calls)| {
            let directory = tempfile::tempdir().unwrap();
            runtime.block_on(passages::run(rules, calls, || open_in(directory.path())));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_phone_never_gets_more_than_its_limits_let_pass() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    runner
        .run(&bounded::stories(), |story| {
            let (spool, _guard) = open();
            runtime.block_on(bounded::run(&spool, story));
            Ok(())
        })
        .unwrap();
}
