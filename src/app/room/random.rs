//! Rooms that nobody thought of: any configuration, any traffic, outages and restarts at any time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::appliances::{self, Storm, Traffic};
use super::clock::{DAY, HOUR, MINUTE, SECOND};
use super::people::{PHONES, Rota};
use super::platform::Outage;
use super::setting::{Budget, OwnStorm, Scope, Setting};
use super::world::Plan;
use super::{number, run};
use crate::model::{Period, Unit};

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
    /// Of which gateway or all, from when, how long.
    outages: Vec<(Option<usize>, i64, i64)>,
    /// From when, how long nothing is heard that tells that somebody is alive, in hours.
    silent: (i64, i64),
    restarts: Vec<i64>,
    /// When it begins: at once, or some hours before the clocks change.
    begins: i64,
}

fn steps() -> impl Strategy<Value = Vec<(u32, i64)>> {
    prop::collection::vec((1..6u32, 10..7200i64).prop_map(|(most, within)| (most, within * SECOND)), 0..3)
}

fn budget(unit: Unit, most: u64) -> impl Strategy<Value = Option<Budget>> {
    let scopes = [Scope::All, Scope::Rule("everything"), Scope::Rule("printers"), Scope::Network];
    let levels = (1..most, 0..most, 0..most, any::<bool>(), 1..8u8, prop::sample::select(scopes.to_vec()));
    let budget = levels.prop_map(move |(warn, hold, ceiling, is_of_a_day, which, scope)| {
        let some = |bit: u8, level| (which & bit > 0).then_some(level);
        let period = if is_of_a_day { Period::Day } else { Period::Month };
        let (hold, ceiling) = (warn + hold, warn + hold + ceiling);
        Budget { unit, period, scope, warn: some(1, warn), hold: some(2, hold), ceiling: some(4, ceiling) }
    });
    prop::option::weighted(0.4, budget)
}

/// What rules say of storms themselves. Without any word of them nothing would be paired, so that one rule never is off.
fn storms() -> impl Strategy<Value = BTreeMap<&'static str, OwnStorm>> {
    let rules = vec!["nightly", "printers", "certificates", "everything"];
    let said = prop_oneof![
        Just(OwnStorm::Off),
        (5..7200i64).prop_map(|seconds| OwnStorm::Digest(seconds * SECOND)),
        (5..7200i64).prop_map(|seconds| OwnStorm::Similar(seconds * SECOND)),
    ];
    prop::collection::btree_map(prop::sample::select(rules), said, 0..3).prop_map(|mut all| {
        all.retain(|rule, said| *rule != "everything" || *said != OwnStorm::Off);
        all
    })
}

/// What storms and budgets are like.
fn bounds() -> impl Strategy<Value = Setting> {
    let time = |longest: i64| prop::option::of((5..longest).prop_map(|seconds| seconds * SECOND));
    let budgets =
        (budget(Unit::Parts, 200), budget(Unit::Money, 10_000_000), prop::option::of(0..100_000u64));
    let pairs = (any::<bool>(), any::<bool>());
    (time(7200), time(7200), steps(), steps(), pairs, 1..4u32, budgets, storms()).prop_map(
        |(similar, digest, per_destination, per_source, pairs, parts, (all, money, price), storms)| {
            let (pair, pairs_by_key) = pairs;
            Setting {
                similar,
                digest,
                per_destination,
                per_source,
                pair,
                parts,
                budgets: all.into_iter().chain(money).collect(),
                price,
                storms,
                pairs_by_key,
                ..Setting::default()
            }
        },
    )
}

/// The same, with people and machines.
fn setting() -> impl Strategy<Value = Setting> {
    let minute = || 0..1440i64;
    let quiet = (prop::sample::select(&PHONES[..]), (minute(), minute()));
    let rota = ((0..7i64, minute()), prop::option::of((0..2880i64, 1..1440i64)));
    let people = (
        prop::collection::btree_map(quiet.0, quiet.1, 0..6),
        any::<[bool; 4]>(),
        prop::option::of(1..7200i64),
        prop::option::of(rota),
        prop::option::of(7..40i64),
        prop::option::of(minute()),
        prop::sample::select(vec![None, Some("Europe/Rome"), Some("Asia/Kolkata")]),
    );
    (bounds(), people).prop_map(|(bounds, (quiet, flags, escalates, rota, expects, heartbeat, zone))| {
        let [doors_wake, fans_out, has_backup, is_silent_about_printers] = flags;
        let cover = |(handover, cover): ((i64, i64), Option<(i64, i64)>)| Rota {
            handover,
            cover: cover.map(|(from, long)| (from, from + long)),
        };
        Setting {
            // Those that begin when they end would never end.
            quiet: quiet.into_iter().filter(|(_, (from, to))| from != to).collect(),
            doors_wake,
            fans_out,
            has_backup,
            is_silent_about_printers,
            escalates: escalates.map(|seconds| seconds * SECOND),
            rota: rota.map(cover),
            expects: expects.map(|hours| hours * HOUR),
            heartbeat,
            zone,
            ..bounds
        }
    })
}

fn choice() -> impl Strategy<Value = Choice> {
    let seconds = DAY / SECOND;
    let storm = (0..seconds, 1..1800i64, 1..120usize);
    let outage = (prop::option::of(0..2usize), 0..seconds, 60..6 * 3600i64);
    (
        setting(),
        any::<u64>(),
        1..30i64,
        10..100u32,
        prop::collection::vec(storm, 0..3),
        prop::collection::vec(outage, 0..3),
        prop::collection::vec(0..seconds * 1000, 0..6),
        (0..30i64, 0..40i64),
        prop::sample::select(vec![0, 5 * DAY + 16 * HOUR]),
    )
        .prop_map(|(setting, seed, hours, usual, storms, outages, restarts, silent, begins)| Choice {
            setting,
            seed,
            hours,
            usual,
            storms,
            outages,
            restarts,
            silent,
            begins,
        })
}

impl Choice {
    fn plan(self) -> Plan {
        let begins = self.begins;
        let storm =
            |(at, time, mails): (i64, i64, usize)| Storm { at: at * SECOND, time: time * SECOND, mails };
        let traffic = Traffic {
            seed: self.seed,
            time: self.hours * HOUR,
            storms: self.storms.into_iter().map(storm).collect(),
            usual: self.usual,
            silent: (self.silent.0 * HOUR, (self.silent.0 + self.silent.1) * HOUR),
        };
        let outage = |(gateway, from, time): (Option<usize>, i64, i64)| Outage {
            gateway,
            from: begins + from * SECOND,
            to: begins + (from + time) * SECOND,
        };
        let mut restarts: Vec<i64> = self.restarts.into_iter().map(|at| begins + at).collect();
        restarts.sort_unstable();
        let arrivals = appliances::arrivals(&traffic);
        Plan {
            setting: self.setting,
            arrivals: arrivals.into_iter().map(|arrival| arrival.later(begins)).collect(),
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
