//! The whole delivery under one clock that a test moves: the spool on disk, and everything that judges, tells
//! and decides, driven by random sequences of what may happen, against a model platform that knows the truth.
//!
//! Single-threaded and without sockets: the driver does what the loops of `dispatch`, `tracking` and the callbacks'
//! door do, one step after another, and every call stays under way until a step answers it. `PROPTEST_CASES` makes
//! it more sequences than a usual run has.
//!
//! - `steps`: what may happen; `platform`: the platform in truth
//! - `world`: the driver (`given`: what is handed in, `answers`: what the platform says); `model`, `told`: what must hold

mod model;
mod platform;
mod steps;
mod told;
mod world;

use jiff::{SignedDuration, Timestamp};
use proptest::test_runner::{Config, TestRunner};

use self::steps::{Answer, End, Fate, Mail, Rcpt, Step};
use crate::model::{Cause, EnhancedStatus};

/// Sequences of a usual run.
const CASES: u32 = 64;
/// Steps of one.
const STEPS: usize = 80;

const START: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START).unwrap() + SignedDuration::from_secs(seconds)
}

/// Whole seconds since the start, rounded up.
fn seconds(at: Timestamp) -> i64 {
    (at.as_millisecond() + 999).div_euclid(1000) - START
}

fn cause() -> Cause {
    Cause::new(EnhancedStatus::new(4, 3, 0), "the platform is not well")
}

#[test]
fn everything_that_may_happen_leaves_each_with_one_fate_sent_once_and_told_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, max_shrink_time: 60_000, ..Config::default() };
    TestRunner::new(config)
        .run(&steps::steps(STEPS), |steps| {
            runtime.block_on(world::run(steps));
            Ok(())
        })
        .unwrap();
}

/// Random steps seldom come this far.
#[test]
fn a_template_that_came_through_after_all_ends_what_its_sms_has_begun() {
    let fate = |end| Fate { end, parts: 1, theirs: false };
    let recipient = Rcpt {
        phones: vec![1],
        pieces: 1,
        notify: 4,
        lane: 1,
        // A template, then an SMS.
        ways: 1,
        order: 0,
        life: 300,
        held: None,
        delayed: Some(60),
        escalation: Some((90, 2)),
        fails_unknown: false,
        repeats: false,
    };
    let steps = vec![
        Step::Submit(Mail { to: 0, recipients: vec![recipient] }),
        Step::Round,
        Step::Answer(0, Answer::Lie, fate(End::Delivered)),
        Step::Wait(10),
        Step::Round,
        Step::Answer(0, Answer::Refused, fate(End::Silent)),
        Step::Round,
        Step::Answer(0, Answer::Accepted, fate(End::Undeliverable)),
        // The second word about the template: it is on the handset.
        Step::CallBack(1),
        Step::Wait(90),
        Step::Round,
        Step::Tell,
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(world::run(steps));
}
