//! Whether limits and budgets held, by when each SMS was let through.

use std::collections::{BTreeMap, BTreeSet};

use super::appliances::Kind;
use super::clock::DAY;
use super::platform::shown;
use super::rows::{Row, Spool};
use super::setting::Setting;
use crate::model::LimitScope;

/// Whether it neither folds nor waits for limits, by what it is.
pub(super) fn is_exempt(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::Fire | Kind::Password))
}

/// An SMS that was let through.
struct Passed {
    at: i64,
    is_exempt: bool,
}

/// At most so many for each phone and each source, as configured.
pub(super) fn check_limits(spool: &Spool, setting: &Setting, kind: impl Fn(&Row) -> Option<Kind>) {
    let mut phones: BTreeMap<&str, Vec<Passed>> = BTreeMap::new();
    let mut sources: BTreeMap<&str, Vec<Passed>> = BTreeMap::new();
    let mut counted: BTreeSet<(&str, &str)> = BTreeSet::new();
    for row in &spool.rows {
        let Some(at) = row.passed_at() else { continue };
        let passed = || Passed { at, is_exempt: is_exempt(kind(row)) };
        if !(setting.has_exception && row.rule == "printers") {
            phones.entry(&row.phone).or_default().push(passed());
        }
        for limit in row.passage.limits.iter().filter(|limit| limit.scope == LimitScope::Source) {
            if counted.insert((&limit.key, &row.submission)) {
                sources.entry(&limit.key).or_default().push(passed());
            }
        }
    }
    check(&mut phones, &setting.per_destination);
    check(&mut sources, &setting.per_source);
}

fn check(all: &mut BTreeMap<&str, Vec<Passed>>, steps: &[(u32, i64)]) {
    for (whose, passed) in all {
        // What is exempt counts, and goes in any case.
        passed.sort_by_key(|one| (one.at, one.is_exempt));
        for (most, within) in steps {
            let most = *most as usize;
            for (first, beyond) in passed.iter().zip(passed.iter().skip(most)) {
                assert!(
                    beyond.is_exempt || beyond.at - first.at >= *within,
                    "{whose}: more than {most} in {within} ms, {} to {}",
                    shown(first.at),
                    shown(beyond.at)
                );
            }
        }
    }
}

/// Parts of a day never go beyond what holds, and those of what is critical not beyond the ceiling.
pub(super) fn check_budget(spool: &Spool, setting: &Setting, kind: impl Fn(&Row) -> Option<Kind>) {
    let Some((hold, ceiling)) = setting.budget else { return };
    // When, whether it takes, whether it is exempt, how much; what is given back comes first.
    let mut days: BTreeMap<i64, Vec<(i64, bool, bool, u64)>> = BTreeMap::new();
    for row in &spool.rows {
        let Some(at) = row.passed_at() else { continue };
        let moves = days.entry(at.div_euclid(DAY)).or_default();
        moves.push((at, true, is_exempt(kind(row)), u64::from(row.parts)));
        let was_tried = row.events.iter().any(|(_, state, _)| state == "claimed");
        if let Some((end, ..)) = row.events.last().filter(|_| !was_tried) {
            moves.push((*end, false, false, u64::from(row.parts)));
        }
    }
    for (day, moves) in &mut days {
        moves.sort_unstable();
        let mut spent = 0;
        for (at, takes, is_exempt, parts) in moves {
            if *takes {
                spent += *parts;
                let most = if *is_exempt { ceiling } else { hold };
                assert!(spent <= most, "day {day}: {spent} parts spent of {most} at {}", shown(*at));
            } else {
                spent -= *parts;
            }
        }
    }
}
