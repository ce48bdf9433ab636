//! Whether limits and quiet hours held: by when each SMS was let through, and by when it reached the platform.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::clock::{SECOND, at, millis};
use super::people;
use super::platform::{CALL, Platform, shown};
use super::rows::{Row, Spool};
use super::setting::{OwnStorm, Setting};
use crate::model::LimitScope;

/// How much earlier than a window is over one may reach the platform: what was let through has a second, and a call that
/// dies with the process may have come there at once.
const SLACK: i64 = SECOND + CALL;

/// An SMS that was let through.
struct Passed {
    at: i64,
    is_exempt: bool,
}

/// For each source at most so many mails were let through, and to each phone at most so many SMS went, as configured. What is
/// exempt counts, and goes in any case.
pub(super) fn check_limits(
    spool: &Spool,
    platform: &Platform,
    setting: &Setting,
    is_exempt: impl Fn(&Row) -> bool,
) {
    let mut phones: BTreeMap<&str, Vec<Passed>> = BTreeMap::new();
    let mut sources: BTreeMap<&str, Vec<Passed>> = BTreeMap::new();
    // What counts as one submission counts when the first of it goes.
    let mut counted: BTreeMap<(&str, &str), Passed> = BTreeMap::new();
    for row in &spool.rows {
        let passed = |at| Passed { at, is_exempt: is_exempt(row) };
        let has_limit = setting.storms.get(row.rule.as_str()) != Some(&OwnStorm::Off);
        if let Some(taken) = platform.taken.get(&row.id).filter(|_| has_limit) {
            phones.entry(&row.phone).or_default().push(passed(taken.at));
        }
        let Some(at) = row.passed_at() else { continue };
        for limit in row.passage.limits.iter().filter(|limit| limit.scope == LimitScope::Source) {
            let counts_as = row.passage.counts_as.as_ref().unwrap_or(&row.submission);
            let first = counted.entry((&limit.key, counts_as)).or_insert_with(|| passed(at));
            if at < first.at {
                *first = passed(at);
            }
        }
    }
    for ((whose, _), first) in counted {
        sources.entry(whose).or_default().push(first);
    }
    check(&mut phones, &setting.per_destination, SLACK);
    check(&mut sources, &setting.per_source, 0);
}

fn check(all: &mut BTreeMap<&str, Vec<Passed>>, steps: &[(u32, i64)], slack: i64) {
    for (whose, passed) in all {
        passed.sort_by_key(|one| (one.at, one.is_exempt));
        for (most, within) in steps {
            let most = *most as usize;
            for (first, beyond) in passed.iter().zip(passed.iter().skip(most)) {
                assert!(
                    beyond.is_exempt || beyond.at - first.at + slack >= *within,
                    "{whose}: more than {most} in {within} ms, {} to {}",
                    shown(first.at),
                    shown(beyond.at)
                );
            }
        }
    }
}

/// Nobody is woken by what can wait, whatever let it go. Returns how many waited until somebody woke.
pub(super) fn check_sleep(spool: &Spool, setting: &Setting, may_wake: impl Fn(&Row) -> bool) -> usize {
    let mut waited = 0;
    for row in &spool.rows {
        let waits = row.events.iter().any(|(_, state, note)| state == "held" && is_by_sleep(note));
        waited += usize::from(waits);
        if may_wake(row) {
            assert!(!waits, "it waits for who sleeps, and need not: {row:?}");
            continue;
        }
        let sleeps = |at: i64| people::is_asleep(&row.phone, at, setting);
        // What was let go before may be tried again.
        for (n, (at, ..)) in row.events.iter().enumerate().filter(|(_, (_, state, _))| state == "due") {
            let is_let_go = n == 0 || row.events[n - 1].1 == "held";
            assert!(!is_let_go || !sleeps(*at), "woken at {}: {row:?}", shown(*at));
        }
        for (n, (at, _, note)) in row.events.iter().enumerate() {
            let until = note.strip_prefix("held until ").filter(|_| is_by_sleep(note));
            let Some((until, _)) = until.and_then(|until| until.split_once("Z: ")) else { continue };
            // What is for eight o'clock waits from eight o'clock on; a summary goes behind the others.
            let from = if n == 0 && row.rule == "nightly" { (*at).max(eight(*at)) } else { *at };
            let (awake, until) =
                (people::awake_from(&row.phone, from, setting), millis(format!("{until}Z").parse().unwrap()));
            let is_right = sleeps(from) && (awake..=awake + 1).contains(&until);
            assert!(is_right, "it waits until {}, and not {}: {row:?}", shown(until), shown(awake));
        }
    }
    waited
}

/// Whether this is the word of an SMS that waits until somebody wakes.
fn is_by_sleep(note: &str) -> bool {
    note.ends_with(": quiet") || note.ends_with(": quiet hours")
}

/// The next time that the clock on the wall shows eight.
fn eight(now: i64) -> i64 {
    let now = at(now).to_zoned(TimeZone::system());
    let today = now.date().at(8, 0, 0, 0);
    let found = [today, today.tomorrow().unwrap()].map(|day| day.to_zoned(TimeZone::system()).unwrap());
    let next = found.into_iter().find(|eight| *eight > now).unwrap();
    millis(next.timestamp())
}

/// What is for eight o'clock goes then.
pub(super) fn check_scheduled(spool: &Spool) {
    for row in spool.rows.iter().filter(|row| row.rule == "nightly" && row.listener == "mail") {
        let due = eight(row.events[0].0);
        let passed = row
            .passed_at()
            .or_else(|| row.events.iter().find(|(_, state, _)| state == "folded").map(|(at, ..)| *at));
        assert!(passed.is_none_or(|at| at >= due), "it is for {}: {row:?}", shown(due));
    }
}
