//! A second bookkeeper, who knows only what was handed in and what the platform saw, and compares both with the
//! spool's file once everything is over.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;

use rusqlite::Connection;

use super::appliances::{Arrival, Kind};
use super::clock::{HOUR, MINUTE};
use super::journal::{self, Entry};
use super::platform::Platform;
use super::rows::{Row, Spool, open, waiting};
use super::setting::Setting;
use super::spending::{self, Spending};
use super::wanted::{Wanted, is_exempt, wanted};
use super::world::Plan;
use super::{bounds, escalations, folds, operator, watched};
use crate::intake::Refusal;
use crate::model::{MessageId, SubmissionId};

/// After an outage it takes a probe until anything goes again.
const RECOVERY: i64 = 30 * MINUTE;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Books {
    setting: Setting,
    spool: Option<Connection>,
    accepted: BTreeMap<String, Entered>,
    /// Submissions by the `Message-ID` of their mail.
    by_name: BTreeMap<String, SubmissionId>,
    refused: usize,
    /// When the machine was heard of that tells that it is alive.
    heard: Vec<i64>,
    /// SMS that waited when their recovery came.
    recovered: BTreeSet<i64>,
    /// When each SMS was called first.
    calls: BTreeMap<MessageId, i64>,
    pub(super) figures: Figures,
}

/// What became of a mail, as its sender was told.
#[derive(Debug)]
struct Entered {
    kind: Kind,
    at: i64,
    name: String,
    source: Ipv4Addr,
    wanted: Vec<Wanted>,
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
    /// SMS that waited until somebody woke, or for a budget.
    pub(super) slept_over: usize,
    pub(super) held_by_budgets: usize,
    /// Escalations that went, and that were called off.
    pub(super) escalated: (usize, usize),
    /// Tests, those of them that failed, and silences.
    pub(super) watched: (usize, usize, usize),
    /// SMS that the platform took, by phone.
    pub(super) phones: BTreeMap<String, usize>,
    /// When the platform took what is critical and came in an outage or soon after, by mail and phone.
    pub(super) delayed: BTreeMap<(String, String), i64>,
    /// How long what is critical waited for its first call, by mail and phone; without those of an outage.
    pub(super) critical: BTreeMap<(String, String), i64>,
    /// The most SMS that a phone got in an hour, without what is exempt.
    pub(super) busiest_hour: usize,
    /// What the operator was told of limits and budgets, and in how many mails.
    pub(super) notices: (usize, usize),
    pub(super) rounds: u64,
}

impl Books {
    pub(super) fn new(setting: Setting) -> Self {
        Self { setting, ..Self::default() }
    }

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
                let entered = Entered {
                    kind: arrival.kind,
                    at: arrival.at,
                    name: arrival.name.clone(),
                    source: arrival.source,
                    wanted: wanted(arrival, &self.setting),
                };
                self.accepted.insert(id.to_string(), entered);
                self.recovered.extend(before);
                if arrival.kind == Kind::Alive {
                    self.heard.push(arrival.at);
                }
            }
            Err(refusal) => {
                assert_eq!(arrival.kind, Kind::Unwanted, "refused: {refusal:?} {arrival:?}");
                self.refused += 1;
            }
        }
    }

    /// Whether there is something that the operator was not told.
    pub(super) fn has_notices(&mut self, directory: &Path) -> bool {
        let spool = self.spool.get_or_insert_with(|| open(directory));
        let mut find = spool.prepare_cached("SELECT EXISTS (SELECT 1 FROM notice)").unwrap();
        find.query_row([], |row| row.get(0)).unwrap()
    }

    /// Whether an SMS is unknown, and whether one is sent: asking the file is cheaper than asking the spool's thread.
    pub(super) fn are_any_unknown_or_sent(&mut self, directory: &Path) -> (bool, bool) {
        let spool = self.spool.get_or_insert_with(|| open(directory));
        let sql = "SELECT EXISTS (SELECT 1 FROM sms WHERE state = 'unknown' AND damaged = 0), \
             EXISTS (SELECT 1 FROM sms WHERE state = 'sent' AND damaged = 0)";
        spool.prepare_cached(sql).unwrap().query_row([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    /// The last SMS that there is.
    pub(super) fn last(&mut self, directory: &Path) -> Option<i64> {
        let spool = self.spool.get_or_insert_with(|| open(directory));
        spool.prepare_cached("SELECT max(seq) FROM sms").unwrap().query_row([], |row| row.get(0)).unwrap()
    }

    /// Attempt `n` of an SMS begins: none to the same phone and of the same lane that was accepted before waits.
    pub(super) fn called(&mut self, directory: &Path, id: MessageId, n: u32, now: i64) {
        if n == 1 {
            assert_eq!(self.calls.insert(id, now), None, "{id} is tried first for a second time");
        }
        let spool = self.spool.get_or_insert_with(|| open(directory));
        let sql = "SELECT one.seq FROM sms JOIN sms AS one ON one.destination = sms.destination AND one.lane = sms.lane \
             WHERE sms.submission = ?1 AND sms.ordinal = ?2 AND one.seq < sms.seq \
             AND one.state IN ('due', 'claimed', 'unknown') AND one.damaged = 0";
        let mut find = spool.prepare_cached(sql).unwrap();
        let mut before = find.query((id.submission.to_string(), id.ordinal)).unwrap();
        let first: Option<i64> = before.next().unwrap().map(|row| row.get(0).unwrap());
        assert_eq!(first, None, "{id} overtakes another one to its phone");
    }

    /// What was accepted is there, whenever the process dies.
    pub(super) fn check_after_restart(&mut self, directory: &Path) {
        let spool = Spool::read(self.spool.get_or_insert_with(|| open(directory)));
        self.check_all_are_there(&spool);
        folds::check(&spool);
    }

    /// Each mail has the rows that its rules make, and nothing has others. Where two say the same to one phone, one of them
    /// stands for both.
    fn check_all_are_there(&self, spool: &Spool) {
        let mut rows: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &spool.rows {
            let is_known = row.door == "relay" || self.accepted.contains_key(&row.submission);
            assert!(is_known, "{row:?} came from nowhere");
            rows.entry(&row.submission).or_default().push(row);
        }
        for (id, entered) in &self.accepted {
            let all = rows.remove(id.as_str()).unwrap_or_default();
            let (same, sent): (Vec<&Row>, Vec<&Row>) = all.into_iter().partition(|row| row.same_as.is_some());
            let mut found: Vec<_> =
                sent.iter().map(|row| (row.rule.as_str(), row.phone.as_str(), row.is_escalation)).collect();
            found.sort_unstable();
            let mut expected: Vec<_> = entered
                .wanted
                .iter()
                .map(|one| (one.rule, one.phone.as_str(), one.escalates_at.is_some()))
                .collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{id} {}: an SMS for each of its phones", entered.name);
            for row in same {
                let other = sent.iter().find(|other| Some(other.ordinal) == row.same_as);
                let is_same = |other: &&Row| (&other.phone, &other.rule) == (&row.phone, &row.rule);
                assert!(other.is_some_and(is_same), "nothing stands for {row:?}");
            }
        }
    }

    /// The end: everything is looked at.
    pub(super) fn close(&mut self, directory: &Path, platform: &Platform, plan: &Plan, rounds: u64) {
        let connection = self.spool.take().unwrap_or_else(|| open(directory));
        let (spool, journal) = (Spool::read(&connection), journal::read(&connection));
        let setting = &plan.setting;
        self.check_all_are_there(&spool);
        folds::check(&spool);
        self.check_platform(&spool, platform, plan);
        for row in &spool.rows {
            self.check_end(row, &spool, platform);
        }
        bounds::check_limits(&spool, platform, setting, |row| self.is_exempt(row));
        let slept_over = bounds::check_sleep(&spool, setting, |row| {
            self.is_exempt(row) || setting.doors_wake && row.rule == "doors"
        });
        for row in self.recovered.iter().filter(|_| setting.pairs()).map(|seq| spool.row(*seq)) {
            assert_eq!(row.state, "cancelled", "its recovery came while it waited: {row:?}");
            assert!(!platform.taken.contains_key(&row.id), "it recovered and was sent: {row:?}");
        }
        bounds::check_scheduled(&spool);
        let budgets = |seq: i64| setting.charged_by(&spool.row(seq).passage);
        let spending = Spending::reckon(setting, &journal, |seq| self.is_exempt(spool.row(seq)), budgets);
        self.check_charged(&spool);
        spending.check_spent(&spool.spent);
        operator::check(&spool, &journal, &spending, setting);
        let mails: Vec<i64> = spool
            .mails
            .iter()
            .filter(|mail| mail.subject.starts_with("SMS relay: "))
            .map(|mail| mail.filed_at)
            .collect();
        operator::check_pace(&mails, &plan.restarts);
        let wanted = |row: &Row| self.accepted.get(&row.submission).map(|entered| entered.wanted.as_slice());
        let escalated = escalations::check(&spool, wanted);
        let watched = watched::check(&spool, setting, &self.heard, &plan.restarts, plan.watched_until());
        let notices = journal.iter().filter(|entry| matches!(entry, Entry::Notice { .. })).count();
        let figures = &mut self.figures;
        figures.rounds = rounds;
        figures.refused = self.refused;
        figures.recovered = self.recovered.len();
        figures.notices = (notices, mails.len());
        figures.slept_over = slept_over;
        figures.escalated = (escalated.sent, escalated.called_off);
        figures.watched = (watched.tests, watched.failed_tests, watched.silences);
        self.count(&spool, platform, plan);
    }

    /// Everything that went is charged to the budgets that it fits, and a summary to those of what it tells of.
    fn check_charged(&self, spool: &Spool) {
        let charged = |row: &Row| self.setting.charged_by(&row.passage);
        let mut firsts: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for row in &spool.rows {
            let folded = row.events.iter().rev().find(|(_, state, _)| state == "folded");
            if let (Some(fold), Some((at, ..))) = (row.fold, folded) {
                let first = firsts.entry(fold).or_insert((*at, row.seq));
                *first = (*first).min((*at, row.seq));
            }
        }
        for (fold, (_, seq)) in firsts {
            let Some(summary) = spool.summary(fold) else { continue };
            assert_eq!(charged(spool.row(seq)), charged(summary), "row {seq} is told by {summary:?}");
        }
        for row in &spool.rows {
            let Some(entered) = self.accepted.get(&row.submission).filter(|_| row.passed_at().is_some())
            else {
                continue;
            };
            let all = self.setting.budgets.iter().enumerate();
            let fits = all.filter(|(_, budget)| budget.is_for(&row.rule, entered.source));
            let fits: Vec<usize> = fits.map(|(place, _)| place).collect();
            assert_eq!(charged(row), fits, "the budgets of {row:?}");
        }
    }

    fn count(&mut self, spool: &Spool, platform: &Platform, plan: &Plan) {
        let figures = &mut self.figures;
        for row in &spool.rows {
            match (row.fold, row.listener.as_str()) {
                (Some(_), _) => figures.folded += 1,
                (None, "storm") => figures.summaries += 1,
                (None, _) => *figures.ends.entry(row.state.clone()).or_default() += 1,
            }
            // A ceiling holds whatever it is, and perhaps for longer than it may live.
            let is_held =
                row.events.iter().any(|(_, state, note)| state == "held" && spending::is_by_budget(note));
            figures.held_by_budgets += usize::from(is_held);
            let Some(entered) = self.accepted.get(&row.submission) else { continue };
            let is_late =
                is_held || plan.outages.iter().any(|out| (out.from..out.to + RECOVERY).contains(&entered.at));
            let taken = platform.taken.get(&row.id).filter(|_| is_late && !is_held);
            if let Some(taken) = taken.filter(|_| row.rule == "fire" && !row.is_escalation) {
                figures.delayed.insert((entered.name.clone(), row.phone.clone()), taken.at);
            }
            if row.rule == "fire" && !row.is_escalation && !is_late {
                let called = self.calls.get(&row.id).unwrap_or_else(|| panic!("never called: {row:?}"));
                figures.critical.insert((entered.name.clone(), row.phone.clone()), called - entered.at);
            }
        }
        let mut taken: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for row in &spool.rows {
            let Some(one) = platform.taken.get(&row.id) else { continue };
            *self.figures.phones.entry(one.phone.clone()).or_default() += 1;
            if !self.is_exempt(row) {
                taken.entry(&one.phone).or_default().push(one.at);
            }
        }
        for times in taken.values_mut() {
            times.sort_unstable();
            let within = |at: &i64| times.iter().filter(|other| (*at..at + HOUR).contains(*other)).count();
            let busiest = times.iter().map(within).max().unwrap_or(0);
            self.figures.busiest_hour = self.figures.busiest_hour.max(busiest);
        }
    }

    /// Whether it neither folds nor waits for limits, by what it is. What the relay has to say of itself is no less.
    fn is_exempt(&self, row: &Row) -> bool {
        match self.accepted.get(&row.submission) {
            Some(entered) => is_exempt(entered.kind, &row.rule),
            None => row.listener != "storm",
        }
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
    fn check_end(&self, row: &Row, spool: &Spool, platform: &Platform) {
        let kind = self.accepted.get(&row.submission).map(|entered| entered.kind);
        let sent_as = spool.root(row);
        let is_taken = platform.taken.contains_key(&sent_as.id);
        match row.state.as_str() {
            "delivered" => assert!(platform.has_arrived(sent_as.id), "not on the phone: {row:?}"),
            "undelivered" => assert!(is_taken && !platform.has_arrived(sent_as.id), "{row:?}"),
            "failed" | "expired" => {}
            "cancelled" => {
                assert!(!platform.taken.contains_key(&row.id), "cancelled, and sent: {row:?}");
                let has_recovered = self.setting.pairs() && self.recovered.contains(&row.seq);
                let is_dropped = matches!(kind, Some(Kind::Newsletter | Kind::Alive));
                let is_needless = row.is_escalation || row.same_as.is_some() || row.listener == "storm";
                assert!(is_dropped || has_recovered || is_needless, "nobody cancelled {row:?}");
            }
            _ => panic!("it has not ended: {row:?}"),
        }
        assert_ne!(row.cause, None, "{row:?}");
        assert_ne!(row.report, "owed", "nobody was told: {row:?}");
        let has_failed = matches!(row.state.as_str(), "undelivered" | "failed" | "expired");
        let is_owed = has_failed && row.cause_class != Some('2') && row.report_to != "nobody";
        if self.setting.is_silent_about_printers && row.rule == "printers" {
            let is_off = row.report == "none" && (row.notify == "NEVER" || row.listener == "storm");
            assert!(is_off, "nobody wants to know: {row:?}");
            let has_mail = spool.mails.iter().any(|mail| mail.about.as_ref() == Some(&row.submission));
            assert!(!has_mail, "nobody wants to know: {row:?}");
        } else {
            assert!(!is_owed || row.report == "told", "nobody was told: {row:?}");
        }
        assert!(!self.is_exempt(row) || row.fold.is_none(), "what is exempt is folded: {row:?}");
        if row.fold.is_some() && !has_failed && row.state != "cancelled" {
            let told = platform.taken.get(&sent_as.id);
            assert_eq!(told.map(|told| &told.phone), Some(&row.phone), "no summary told of {row:?}");
        }
        assert!(row.events.is_sorted_by_key(|(at, ..)| *at), "{row:?}");
    }
}
