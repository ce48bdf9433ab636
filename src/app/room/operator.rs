//! Whether the operator was told of each bite of a limit and each level of a budget, once, and of nothing else.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::clock::{HOUR, at};
use super::journal::Entry;
use super::platform::shown;
use super::rows::{Fold, Row, Spool};
use super::setting::Setting;
use super::spending::Spending;

/// Most of one subject that a mail has in full.
const MOST_IN_FULL: usize = 5;
/// Most mails in an hour.
const MOST_MAILS: usize = 6;

/// The bookkeeper's own list, what the spool noted, and what the mails say are the same.
pub(super) fn check(spool: &Spool, journal: &[Entry], spending: &Spending<'_>, setting: &Setting) {
    let mut due: Vec<(i64, &str)> = spending.told.iter().map(|(at, about)| (*at, about.as_str())).collect();
    let bites = bites(spool, setting);
    due.extend(bites.iter().map(|(at, about)| (*at, about.as_str())));
    due.sort_unstable();
    let mut noted: Vec<(i64, &str)> = Vec::new();
    let mut words = Vec::new();
    for entry in journal {
        if let Entry::Notice { at, about, words: said } = entry {
            noted.push((*at, about));
            words.push((*at, about.as_str(), said.as_str()));
        }
    }
    noted.sort_unstable();
    for (due, noted) in due.iter().zip(&noted) {
        assert_eq!(due, noted, "the operator is told of something else at {}", shown(due.0));
    }
    assert_eq!(due.len(), noted.len(), "the operator is told so often");
    check_mails(spool, &words);
}

/// When a limit bites of which the operator is to hear: the first time in its longest while, for each phone and lane, and
/// for each source of them.
fn bites(spool: &Spool, setting: &Setting) -> Vec<(i64, String)> {
    let longest = |steps: &[(u32, i64)]| steps.iter().map(|(_, within)| *within).max().unwrap_or(0);
    let (of_phone, of_source) = (longest(&setting.per_destination), longest(&setting.per_source));
    let mut by_key: BTreeMap<&str, Vec<&Fold>> = BTreeMap::new();
    for fold in spool.folds.values().filter(|fold| fold.kind == "overflow" && fold.summary.is_some()) {
        by_key.entry(&fold.key).or_default().push(fold);
    }
    let mut told = Vec::new();
    for (key, folds) in by_key {
        // A source's has its name behind the phone and the lane.
        let window = if key.contains("client ") || key.contains("account ") { of_source } else { of_phone };
        let mut summaries: Vec<&Row> = folds.iter().map(|fold| spool.row(fold.summary.unwrap())).collect();
        summaries.sort_by_key(|summary| summary.events[0].0);
        // From when on, until when nothing is told: while a summary has gone just now; one that waits again has not. One
        // that nothing was left for was told of when it began, or had no need to be.
        let mut quiet: Vec<(i64, i64)> = Vec::new();
        for summary in &summaries {
            let begun = summary.events[0].0;
            let known = quiet.iter().rev().find(|(at, _)| *at <= begun).map_or(i64::MIN, |(_, until)| *until);
            let mut has_gone = false;
            for (at, state, _) in summary.events.iter().skip(1) {
                match state.as_str() {
                    "due" => {
                        has_gone = true;
                        quiet.push((*at, at + window));
                    }
                    "cancelled" if !has_gone => {
                        quiet.push((*at, if begun < known { known } else { begun + window }));
                    }
                    "held" | "expired" if state == "held" || !has_gone => {
                        has_gone = false;
                        quiet.push((*at, i64::MIN));
                    }
                    _ => {}
                }
            }
            quiet.sort_by_key(|(at, _)| *at);
        }
        for summary in &summaries {
            let begun = summary.events[0].0;
            let until = quiet.iter().rev().find(|(at, _)| *at <= begun).map_or(i64::MIN, |(_, until)| *until);
            told.extend((begun >= until).then(|| (begun, about(key))));
        }
    }
    told
}

/// What the operator reads of the overflow with this key: the phone's number leads it, and the source's name is behind that
/// and the lane.
fn about(key: &str) -> String {
    // What is only simulated has keys of its own, which begin otherwise.
    let (phone, rest) = key.trim_start_matches('=').split_once(' ').unwrap();
    match rest.split_once("client ") {
        Some((_, rest)) => {
            format!("the limit of client {} is reached", rest.split(' ').next().unwrap())
        }
        None => format!(
            "the limit of {}\u{2022}\u{2022}\u{2022}{} is reached",
            &phone[..6],
            &phone[phone.len() - 4..]
        ),
    }
}

/// Each notice is in one mail, and there are few of these.
fn check_mails(spool: &Spool, words: &[(i64, &str, &str)]) {
    let mails: Vec<_> = spool
        .mails
        .iter()
        .filter(|mail| mail.kind == "notice" && mail.subject.starts_with("SMS relay: "))
        .collect();
    let mut left: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for (at_millis, about, said) in words {
        let stamp = at(*at_millis).to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        left.entry((stamp, squeezed(said))).or_default().push(about);
    }
    let mut untold = words.len();
    for mail in &mails {
        assert_eq!(mail.recipient, "ops@example.com");
        let mut blocks = mail.text.split("\n\n");
        let mut in_full = 0;
        for block in blocks.by_ref() {
            if let Some((stamp, said)) = block.split_once('\n').filter(|(stamp, _)| stamp.ends_with(" UTC")) {
                let key = (stamp.to_owned(), squeezed(said));
                let about = left.get_mut(&key).and_then(Vec::pop);
                assert!(about.is_some(), "it tells of what was not, or twice: {block}");
                in_full += 1;
                untold -= 1;
            } else if let Some(more) = block.split_once(" more of these") {
                let more: usize = more.0.parse().unwrap();
                assert!(in_full >= MOST_IN_FULL, "{block}");
                untold -= more;
            }
        }
        assert!(in_full > 0, "a mail about nothing: {}", mail.text);
    }
    assert_eq!(untold, 0, "of so many notices no mail tells");
}

/// Lines are folded by the mail.
fn squeezed(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Most mails in any hour of one life of the process.
pub(super) fn check_pace(filed: &[i64], restarts: &[i64]) {
    for window in filed.windows(MOST_MAILS + 1) {
        let (first, last) = (window[0], window[MOST_MAILS]);
        let has_restarted = restarts.iter().any(|restart| (first..=last).contains(restart));
        assert!(has_restarted || last - first >= HOUR, "{MOST_MAILS} mails an hour: {}", shown(first));
    }
}
