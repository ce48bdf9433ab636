//! Rooms that nobody thought of: any configuration, any traffic, outages and restarts at any time.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::appliances::{self, Storm, Traffic};
use super::clock::{DAY, HOUR, MINUTE, SECOND};
use super::setting::Setting;
use super::world::Plan;
use super::{number, run};

/// Rooms of a usual run.
const CASES: usize = 8;

/// What there is to choose. Smaller is simpler.
#[derive(Clone, Debug)]
struct Choice {
    setting: Setting,
    seed: u64,
    hours: i64,
    usual: u32,
    /// When, how long, how many.
    storms: Vec<(i64, i64, usize)>,
    /// From when, how long.
    outages: Vec<(i64, i64)>,
    restarts: Vec<i64>,
}

fn steps() -> impl Strategy<Value = Vec<(u32, i64)>> {
    prop::collection::vec((1..6u32, 10..7200i64).prop_map(|(most, within)| (most, within * SECOND)), 0..3)
}

fn setting() -> impl Strategy<Value = Setting> {
    let time = |longest: i64| prop::option::of((5..longest).prop_map(|seconds| seconds * SECOND));
    let budget = prop::option::weighted(0.3, (20..200u64, 0..200u64));
    (time(7200), time(7200), steps(), steps(), any::<bool>(), 1..4u32, budget, any::<bool>()).prop_map(
        |(similar, digest, per_destination, per_source, pair, parts, budget, has_exception)| Setting {
            similar,
            digest,
            per_destination,
            per_source,
            pair,
            parts,
            budget: budget.map(|(hold, more)| (hold, hold + more)),
            has_exception,
        },
    )
}

fn choice() -> impl Strategy<Value = Choice> {
    let seconds = DAY / SECOND;
    let storm = (0..seconds, 1..1800i64, 1..120usize);
    let outage = (0..seconds, 60..6 * 3600i64);
    (
        setting(),
        any::<u64>(),
        1..30i64,
        10..100u32,
        prop::collection::vec(storm, 0..3),
        prop::collection::vec(outage, 0..3),
        prop::collection::vec(0..seconds * 1000, 0..6),
    )
        .prop_map(|(setting, seed, hours, usual, storms, outages, restarts)| Choice {
            setting,
            seed,
            hours,
            usual,
            storms,
            outages,
            restarts,
        })
}

impl Choice {
    fn plan(self) -> Plan {
        let storm =
            |(at, time, mails): (i64, i64, usize)| Storm { at: at * SECOND, time: time * SECOND, mails };
        let traffic = Traffic {
            seed: self.seed,
            time: self.hours * HOUR,
            storms: self.storms.into_iter().map(storm).collect(),
            usual: self.usual,
        };
        let outage = |(from, time): (i64, i64)| (from * SECOND, (from + time) * SECOND);
        let mut restarts = self.restarts;
        restarts.sort_unstable();
        Plan {
            setting: self.setting,
            arrivals: appliances::arrivals(&traffic),
            outages: self.outages.into_iter().map(outage).collect(),
            restarts,
            seed: self.seed,
        }
    }
}

#[test]
fn every_mail_of_any_room_is_accounted_for() {
    let cases = u32::try_from(number("PROPTEST_CASES", CASES)).unwrap();
    let (max_shrink_iters, max_shrink_time) = (200, u32::try_from(3 * MINUTE).unwrap());
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters, max_shrink_time, ..Config::default() };
    TestRunner::new(config)
        .run(&choice(), |choice| {
            run(choice.plan());
            Ok(())
        })
        .unwrap();
}
