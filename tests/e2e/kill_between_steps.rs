//! The process ends between every two steps of the spool's states, and nothing is lost, nothing sent twice.
//!
//! A story is one way of a submission. It is told once for each of its crash points: the relay ends there by
//! itself, what it left on disk is looked at, it is started again, and the story must end as if nothing had
//! happened. Where a mail can go out twice, or a program is told twice, the table says so (`again`), and that is
//! counted too; likewise what the platform takes twice (`taken_again`).
//!
//! Which story ends the process before and after each move of `model/state.rs`; the files
//! `kill_while_waiting.rs` and `kill_at_random.rs` end it from outside, in the states themselves.
//!
//! | move | story |
//! |---|---|
//! | accepted: due | `sending::DELIVERED` |
//! | accepted: held | `waiting::SCHEDULED` |
//! | accepted: cancelled | `sending::DROPPED` |
//! | held -> due | `waiting::ESCALATED_BY_FAILURE`; claimed at once `waiting::SCHEDULED`, `waiting::ESCALATED_BY_TIME` |
//! | held -> held | `waiting::NO_ROOM` |
//! | held -> cancelled | `waiting::CANCELLED_WHILE_HELD`, `waiting::ESCALATION_NOT_NEEDED`, `waiting::ESCALATION_CALLED_OFF` |
//! | held -> expired | `waiting::SCHEDULED_IN_VAIN` |
//! | held -> held, of a summary | `folds::NO_ROOM_FOR_THE_SUMMARY` |
//! | accepted: folded | `folds::SIMILAR`, `folds::OVERFLOW` |
//! | held -> folded | `folds::SCHEDULED`; a summary `folds::SUMMARY_IN_A_SUMMARY` |
//! | folded -> delivered, failed, undelivered, expired | `folds::SIMILAR`, `folds::SUMMARY_REFUSED`, `folds::SUMMARY_UNDELIVERED`, `folds::SUMMARY_EXPIRED` |
//! | folded -> cancelled | `folds::RECOVERED`; and its summary `folds::ALL_RECOVERED` |
//! | what waited for the platform: due -> folded | `folds::FOLDED_WHILE_DUE` |
//! | due -> held | `folds::HELD_WHILE_DUE` |
//! | due -> claimed | `sending::DELIVERED`; for a second attempt `sending::SENT_AGAIN_AFTER_SILENCE`, `sending::SENT_AGAIN_LATER` |
//! | due -> sent | `calling_back::CALLED_BACK_AFTER_A_LIE` |
//! | due -> cancelled | `waiting::CANCELLED_WHILE_DUE` |
//! | due -> expired | `sending::EXPIRED_WHILE_DUE` |
//! | claimed -> sent | `sending::DELIVERED`; by a callback `calling_back::CALLED_BACK_EARLY` |
//! | claimed -> due | `sending::SENT_AGAIN_LATER`; by the next way `ways::RCS_REFUSED` |
//! | claimed -> unknown | `sending::RECONCILED`; at the start after a crash `sending::RECOVERED` |
//! | claimed -> failed | `reporting::REFUSED` |
//! | claimed -> cancelled | `ways::SIMULATED`, `ways::TEMPLATE_SIMULATED` |
//! | several claimed by one call | `ways::BATCH`, `ways::HALF_A_BATCH`, `ways::BATCH_WITHOUT_AN_ANSWER` |
//! | unknown -> unknown | `sending::ASKED_AGAIN_WHETHER_TAKEN` |
//! | unknown -> sent | `sending::RECONCILED`; by a callback `calling_back::CALLED_BACK_WHILE_UNKNOWN` |
//! | unknown -> due | `sending::SENT_AGAIN_AFTER_SILENCE` |
//! | unknown -> expired | `sending::EXPIRED_WHILE_UNKNOWN` |
//! | unknown -> failed | `ways::GIVEN_UP_ON` |
//! | sent -> sent | `sending::ASKED_AGAIN_WHETHER_ARRIVED`; by a callback `calling_back::CALLED_BACK` |
//! | sent -> due | `ways::RCS_UNDELIVERED`, `ways::RCS_SILENT`; by a callback `ways::RCS_CALLED_BACK` |
//! | sent -> delivered | `sending::DELIVERED`; by a callback `calling_back::CALLED_BACK`, `ways::BY_RCS`, about an earlier way `ways::RCS_CAME_THROUGH` |
//! | sent -> undelivered, expired | `sending::UNDELIVERED`, `sending::EXPIRED_ON_THE_WAY`; by a callback `calling_back::UNDELIVERED`, `calling_back::EXPIRED` |
//! | the report: written | `reporting::REFUSED`, `reporting::DELAYED` |
//! | mail due -> claimed | `reporting::REFUSED`; at the start after a crash back to due, `reporting::REPORT_RECOVERED` |
//! | mail claimed -> sent, due, failed | `reporting::REFUSED`, `reporting::REPORT_SENT_LATER`, `reporting::REPORT_REFUSED` |
//! | mail about no submission: filed | `reporting::NOTICES` |
//! | an SMS of the relay's own with its mails and notes: accepted | `dead_men.rs` |
//! | telling due -> claimed -> told | `telling::TOLD` |
//! | telling claimed -> due | `telling::TOLD_LATER`; at the start after a crash `telling::TOLD` |

mod calling_back;
mod folds;
mod reporting;
mod sending;
mod storm;
mod story;
mod telling;
mod waiting;
mod ways;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sms_relay::model::FinalState::{Cancelled, Delivered, Expired, Failed, Undelivered};
use sms_relay::model::State::{self, Claimed, Due, Final, Folded, Held, Sent, Unknown};
use storm::Storm;
use story::{Crash, Story};

fn stories() -> impl Iterator<Item = &'static Story> {
    let all = [
        &sending::STORIES[..],
        &reporting::STORIES,
        &waiting::STORIES,
        &calling_back::STORIES,
        &ways::STORIES,
        &telling::STORIES,
    ];
    all.into_iter().flatten().copied()
}

/// A crash: in which life of its story, at which point, and where each SMS then is.
type End = (String, &'static str, &'static [State]);

/// Those of each story.
fn ends() -> impl Iterator<Item = Vec<End>> {
    let of_story = |story: &'static Story| {
        let life = |crash: &Crash| crash.after.unwrap_or_default().to_owned();
        story.crashes.iter().map(|crash| (life(crash), crash.point, crash.sms)).collect()
    };
    let of_storm = |storm: &'static Storm| {
        storm.crashes.iter().map(|crash| (crash.life.to_string(), crash.point, crash.sms)).collect()
    };
    stories().map(of_story).chain(folds::STORIES.into_iter().map(of_storm))
}

#[test]
fn every_crash_point_of_the_program_is_in_a_story() {
    let name = |point: &str| point.split(':').next().unwrap().to_owned();
    let crashes = stories().flat_map(|story| story.crashes);
    let points = crashes.flat_map(|crash| crash.after.into_iter().chain([crash.point]));
    let points = points.chain(folds::STORIES.iter().flat_map(|storm| storm.crashes).map(|crash| crash.point));
    let told: BTreeSet<String> =
        points.chain(reporting::NOTICES.iter().map(|(point, ..)| *point)).map(name).collect();
    assert_eq!(told, crash_points(Path::new("src")));
}

/// A story ends the process before and after a move when two crashes of it have the same commit.
#[test]
fn every_move_of_the_table_is_in_a_story() {
    let mut told = Vec::new();
    for ends in ends() {
        for (life, point, before) in &ends {
            let Some(commit) = point.strip_prefix("before-") else { continue };
            for (_, _, after) in ends
                .iter()
                .filter(|(other, point, _)| other == life && point.strip_prefix("after-") == Some(commit))
            {
                let pairs = before.iter().zip(*after);
                // Of several SMS some may not be what the commit was about.
                told.extend(pairs.filter(|(from, to)| before.len() == 1 || from != to));
            }
        }
    }
    let states = [Held, Folded, Due, Claimed, Unknown, Sent]
        .into_iter()
        .chain([Delivered, Undelivered, Failed, Expired, Cancelled].map(Final));
    let moves = states.clone().flat_map(|from| states.clone().map(move |to| (from, to)));
    let untold: Vec<(State, State)> =
        moves.filter(|(from, to)| from.may_become(*to) && !told.contains(&(from, to))).collect();
    assert_eq!(untold, []);
}

/// The literals that `crash_point::reach` is called with; where it is called with a name, those of
/// that file's table, which begin with `before-` and `after-`.
fn crash_points(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources(directory) {
        let code = std::fs::read_to_string(&file).unwrap();
        for call in code.split("crash_point::reach(").skip(1) {
            match call.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                Some((literal, _)) => drop(found.insert(literal.to_owned())),
                None => {
                    let literals = code.split('"').skip(1).step_by(2);
                    let is_point = |text: &&str| text.starts_with("before-") || text.starts_with("after-");
                    found.extend(literals.filter(is_point).map(str::to_owned));
                }
            }
        }
    }
    found
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
