//! A second bookkeeper, who knows only what was handed in and what the platform saw, and compares both with the
//! spool's file once everything is over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;

use super::appliances::{self, Arrival, Kind};
use super::clock::{HOUR, MINUTE};
use super::platform::Platform;
use super::rows::{Row, Spool, open, waiting};
use super::setting::Setting;
use super::world::Plan;
use super::{bounds, folds};
use crate::intake::Refusal;
use crate::model::{MessageId, SubmissionId};

/// After an outage it takes a probe until anything goes again.
const RECOVERY: i64 = 30 * MINUTE;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Books {
    spool: Option<Connection>,
    accepted: BTreeMap<String, Entry>,
    /// Submissions by the `Message-ID` of their mail.
    by_name: BTreeMap<String, SubmissionId>,
    refused: usize,
    /// SMS that waited when their recovery came.
    recovered: BTreeSet<i64>,
    /// When each SMS was called first.
    calls: BTreeMap<MessageId, i64>,
    pub(super) figures: Figures,
}

/// What became of a mail, as its sender was told.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    at: i64,
    name: String,
    phones: Vec<String>,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) mails: usize,
    pub(super) refused: usize,
    /// SMS by how they ended, those that were folded apart.
    pub(super) ends: BTreeMap<String, usize>,
    pub(super) folded: usize,
    pub(super) summaries: usize,
    pub(super) recovered: usize,
    /// SMS that the platform took, by phone.
    pub(super) phones: BTreeMap<String, usize>,
    /// How long what is critical waited for its first call, by mail and phone; without those of an outage.
    pub(super) critical: BTreeMap<(String, String), i64>,
    /// The most SMS that a phone got in an hour, without what is exempt.
    pub(super) busiest_hour: usize,
    pub(super) notices: i64,
    pub(super) rounds: u64,
}

impl Books {
    /// Before a mail comes: what is open that it will end.
    pub(super) fn before(&mut self, directory: &Path, arrival: &Arrival) -> Vec<i64> {
        let Some(problem) = arrival.ends.as_ref().and_then(|name| self.by_name.get(name)) else {
            return Vec::new();
        };
        let spool = self.spool.get_or_insert_with(|| open(directory));
        waiting(spool, &problem.to_string())
    }

    /// A mail came.
    pub(super) fn came(&mut self, arrival: &Arrival, taken: Result<SubmissionId, Refusal>, before: Vec<i64>) {
        self.figures.mails += 1;
        match taken {
            Ok(id) => {
                assert_ne!(arrival.kind, Kind::Unwanted, "taken: {arrival:?}");
                self.by_name.insert(arrival.name.clone(), id);
                let entry = Entry {
                    kind: arrival.kind,
                    at: arrival.at,
                    name: arrival.name.clone(),
                    phones: appliances::phones(&arrival.to),
                };
                self.accepted.insert(id.to_string(), entry);
                self.recovered.extend(before);
            }
            Err(refusal) => {
                assert_eq!(arrival.kind, Kind::Unwanted, "refused: {refusal:?} {arrival:?}");
                self.refused += 1;
            }
        }
    }

    /// Attempt `n` of an SMS begins.
    pub(super) fn called(&mut self, id: MessageId, n: u32, now: i64) {
        if n == 1 {
            assert_eq!(self.calls.insert(id, now), None, "{id} is tried first for a second time");
        }
    }

    /// What was accepted is there, whenever the process dies.
    pub(super) fn check_after_restart(&mut self, directory: &Path) {
        let spool = Spool::read(self.spool.get_or_insert_with(|| open(directory)));
        self.check_all_are_there(&spool);
        folds::check(&spool);
    }

    fn check_all_are_there(&self, spool: &Spool) {
        let mut phones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in &spool.rows {
            assert!(
                row.door == "relay" || self.accepted.contains_key(&row.submission),
                "{row:?} came from nowhere"
            );
            phones.entry(&row.submission).or_default().push(&row.phone);
        }
        for (id, entry) in &self.accepted {
            let mut found = phones.remove(id.as_str()).unwrap_or_default();
            found.sort_unstable();
            assert_eq!(found, entry.phones, "{id} {}: an SMS for each of its phones", entry.name);
        }
    }

    /// The end: everything is looked at.
    pub(super) fn close(&mut self, directory: &Path, platform: &Platform, plan: &Plan, rounds: u64) {
        let connection = self.spool.take().unwrap_or_else(|| open(directory));
        let spool = Spool::read(&connection);
        self.check_all_are_there(&spool);
        folds::check(&spool);
        self.check_platform(&spool, platform, plan);
        for row in &spool.rows {
            self.check_end(row, &spool, platform, &plan.setting);
        }
        bounds::check_limits(&spool, &plan.setting, |row| self.kind(row));
        bounds::check_budget(&spool, &plan.setting, |row| self.kind(row));
        for row in self.recovered.iter().filter(|_| plan.setting.pair).map(|seq| spool.row(*seq)) {
            assert_eq!(row.state, "cancelled", "its recovery came while it waited: {row:?}");
            assert!(!platform.taken.contains_key(&row.id), "it recovered and was sent: {row:?}");
        }
        let figures = &mut self.figures;
        figures.rounds = rounds;
        figures.refused = self.refused;
        figures.recovered = self.recovered.len();
        figures.notices = spool.notices;
        for row in &spool.rows {
            match (row.fold, row.door.as_str()) {
                (Some(_), _) => figures.folded += 1,
                (None, "relay") => figures.summaries += 1,
                (None, _) => *figures.ends.entry(row.state.clone()).or_default() += 1,
            }
            let Some(entry) = self.accepted.get(&row.submission) else { continue };
            let is_out = |(from, to): &(i64, i64)| (*from..to + RECOVERY).contains(&entry.at);
            // A ceiling holds whatever it is, and perhaps for longer than it may live.
            let is_held =
                row.events.iter().any(|(_, state, note)| state == "held" && note.ends_with(": budget"));
            let is_late = is_held || plan.outages.iter().any(is_out);
            if entry.kind == Kind::Fire && !is_late {
                let called = self.calls.get(&row.id).unwrap_or_else(|| panic!("never called: {row:?}"));
                figures.critical.insert((entry.name.clone(), row.phone.clone()), called - entry.at);
            }
        }
        let mut taken: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (id, one) in &platform.taken {
            *figures.phones.entry(one.phone.clone()).or_default() += 1;
            let kind = self.accepted.get(&id.submission.to_string()).map(|entry| entry.kind);
            if !bounds::is_exempt(kind) {
                taken.entry(&one.phone).or_default().push(one.at);
            }
        }
        for times in taken.values_mut() {
            times.sort_unstable();
            let within = |at: &i64| times.iter().filter(|other| (*at..at + HOUR).contains(*other)).count();
            figures.busiest_hour = figures.busiest_hour.max(times.iter().map(within).max().unwrap_or(0));
        }
    }

    fn kind(&self, row: &Row) -> Option<Kind> {
        self.accepted.get(&row.submission).map(|entry| entry.kind)
    }

    fn check_platform(&self, spool: &Spool, platform: &Platform, plan: &Plan) {
        let by_id: BTreeMap<MessageId, &Row> = spool.rows.iter().map(|row| (row.id, row)).collect();
        for (id, taken) in &platform.taken {
            let row = by_id.get(id).unwrap_or_else(|| panic!("the platform has {id}, which nobody knows"));
            assert_eq!((&taken.phone, &taken.text), (&row.phone, &row.body), "{id}");
            assert_eq!(row.fold, None, "{id} was folded, and sent by itself");
        }
        for id in &platform.twice {
            // The one window that remains: the platform could not tell for long, and the rule wants it resent.
            let said =
                |(_, _, note): &&(i64, String, String)| note.contains("sent again, the platform cannot tell");
            let is_excused = !plan.outages.is_empty() && by_id[id].events.iter().any(|event| said(&event));
            assert!(is_excused, "{id} was sent twice: {:?}", by_id[id]);
        }
    }

    /// One of the final states, and a true one.
    fn check_end(&self, row: &Row, spool: &Spool, platform: &Platform, setting: &Setting) {
        let kind = self.kind(row);
        let sent_as = spool.root(row);
        let is_taken = platform.taken.contains_key(&sent_as.id);
        match row.state.as_str() {
            "delivered" => assert!(platform.has_arrived(sent_as.id), "not on the phone: {row:?}"),
            "undelivered" => assert!(is_taken && !platform.has_arrived(sent_as.id), "{row:?}"),
            "failed" | "expired" => {}
            "cancelled" => {
                assert!(!platform.taken.contains_key(&row.id), "cancelled, and sent: {row:?}");
                let has_recovered = setting.pair && self.recovered.contains(&row.seq);
                let is_known = kind == Some(Kind::Newsletter) || has_recovered || row.door == "relay";
                assert!(is_known, "nobody cancelled {row:?}");
            }
            _ => panic!("it has not ended: {row:?}"),
        }
        assert_ne!(row.cause, None, "{row:?}");
        assert_ne!(row.report, "owed", "nobody was told: {row:?}");
        let has_failed = matches!(row.state.as_str(), "undelivered" | "failed" | "expired");
        let is_owed = has_failed && row.cause_class != Some('2') && row.report_to != "nobody";
        assert!(!is_owed || row.report == "told", "nobody was told: {row:?}");
        assert!(!bounds::is_exempt(kind) || row.fold.is_none(), "what is exempt is folded: {row:?}");
        if row.fold.is_some() && !has_failed && row.state != "cancelled" {
            let told = platform.taken.get(&sent_as.id);
            assert_eq!(told.map(|told| &told.phone), Some(&row.phone), "no summary told of {row:?}");
        }
        assert!(row.events.is_sorted_by_key(|(at, ..)| *at), "{row:?}");
    }
}
