//! A room full of machines, for weeks, under a virtual clock: the same mails as on a bad night, through the real intake,
//! routing and spool, to a platform that is out for hours; and a second bookkeeper who counts everything afterwards.
//!
//! A usual run has a small storm; `ROOM_STORM` is how many mails it has otherwise, `ROOM_USUAL` how much there is besides, in
//! percent, and `PROPTEST_CASES` how many random rooms there are. Figures are printed (`--nocapture`).
//!
//! - `appliances`: who says what and when; `people`: whose phones; `platform`: the platform in truth; `clock`
//! - `setting`: the configuration; `world`: the driver
//! - `accounting`: what must hold; `wanted`: what is to become of a mail; `folds`, `bounds`, `spending`, `escalations`,
//!   `operator`, `watched`: of summaries, limits and sleep, budgets, escalations, mails to the operator, dead men
//! - `rows`: the spool's file as another program sees it; `journal`: in which order all that came about
//! - `random`: rooms that nobody thought of

mod accounting;
mod appliances;
mod bounds;
mod clock;
mod escalations;
mod folds;
mod journal;
mod operator;
mod people;
mod platform;
mod random;
mod rows;
mod setting;
mod spending;
mod wanted;
mod watched;
mod world;

use std::time::Instant;

use self::accounting::Figures;
use self::appliances::{Kind, Storm, Traffic};
use self::clock::{DAY, HOUR, MINUTE};
use self::platform::{Outage, shown};
use self::setting::Setting;
use self::world::Plan;

/// Mails of the storm of a usual run.
const STORM: usize = 1500;
/// How much the machines say otherwise, in percent of what they really do.
const USUAL: usize = 30;

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

fn run(plan: Plan) -> Figures {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(world::run(plan)).figures
}

/// Two weeks; in the second Tuesday's night the core switch dies while the phone is handed over, and in the middle of that
/// the platform is out for hours. On other days one of its accounts is.
fn two_weeks(mails: usize, setting: Setting) -> Plan {
    let night = 8 * DAY + 2 * HOUR;
    let storm = Storm { at: night, time: 10 * MINUTE, mails };
    let usual = number("ROOM_USUAL", USUAL).try_into().unwrap();
    let silent = (3 * DAY, 6 * DAY);
    let traffic = Traffic { seed: 7, time: 14 * DAY, storms: vec![storm], usual, silent };
    let arrivals = appliances::arrivals(&traffic);
    let outages = vec![
        Outage { gateway: None, from: night + 4 * MINUTE, to: night + 3 * HOUR },
        Outage { gateway: Some(0), from: 5 * DAY + 9 * HOUR, to: 5 * DAY + 15 * HOUR },
        Outage { gateway: Some(1), from: 11 * DAY, to: 12 * DAY },
    ];
    let restarts = vec![3 * DAY + HOUR, night + 2 * MINUTE + 17, night + 5 * MINUTE + 3, night + 2 * HOUR];
    Plan { setting, arrivals, outages, restarts, seed: 7 }
}

#[test]
fn every_mail_of_two_weeks_with_a_storm_and_an_outage_is_accounted_for() {
    let begin = Instant::now();
    let figures = run(two_weeks(number("ROOM_STORM", STORM), Setting::usual()));
    println!("{:?} {figures:#?}", begin.elapsed());
    assert!(figures.refused > 0 && figures.mails > figures.refused);
}

/// The same room with and without everything that is not critical, while the platform goes out and the process dies.
#[test]
fn what_is_critical_waits_no_longer_in_a_storm_than_without_it() {
    let plan = |only: bool| {
        let mut plan = two_weeks(number("ROOM_STORM", STORM) / 3, Setting::usual());
        // One of the storm's fires finds the platform out.
        let begin = plan.outages[0].from - 4 * MINUTE;
        let fire = plan
            .arrivals
            .iter()
            .find(|arrival| arrival.kind == Kind::Fire && arrival.at >= begin)
            .unwrap()
            .at;
        (plan.outages[0].from, plan.outages[0].to) = (fire - MINUTE, fire + HOUR);
        plan.arrivals.retain(|arrival| !only || arrival.kind == Kind::Fire);
        plan
    };
    let (alone, among) = (run(plan(true)), run(plan(false)));
    assert!(alone.critical.len() > 20 && !alone.delayed.is_empty(), "{alone:?}");
    assert_eq!(among.critical, alone.critical);
    // Who finds the platform out goes at its own next try after that, whatever else waits: an hour apart at most.
    for (whose, taken) in &alone.delayed {
        let among = among.delayed.get(whose).unwrap_or_else(|| panic!("{whose:?} never went"));
        assert!(*among <= taken + HOUR, "{whose:?} went at {}, alone at {}", shown(*among), shown(*taken));
    }
}
