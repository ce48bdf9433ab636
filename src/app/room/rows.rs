//! The spool's file as whoever opens it with another program sees it.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::clock::millis;
use crate::model::{MessageId, Passage, SubmissionId};

/// An SMS on disk.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) id: MessageId,
    pub(super) submission: String,
    pub(super) door: String,
    pub(super) report_to: String,
    pub(super) rule: String,
    pub(super) state: String,
    pub(super) phone: String,
    pub(super) lane: i64,
    pub(super) body: String,
    pub(super) parts: u32,
    pub(super) cause: Option<String>,
    /// The first digit of the cause's status.
    pub(super) cause_class: Option<char>,
    pub(super) report: String,
    pub(super) passage: Passage,
    /// What it was folded into.
    pub(super) fold: Option<i64>,
    /// When, into which state, why.
    pub(super) events: Vec<(i64, String, String)>,
}

/// A fold on disk.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    pub(super) seq: i64,
    pub(super) kind: String,
    pub(super) count: i64,
    /// The row that tells of it.
    pub(super) summary: Option<i64>,
}

/// All of it.
pub(super) struct Spool {
    /// By number.
    pub(super) rows: Vec<Row>,
    pub(super) folds: BTreeMap<i64, Fold>,
    /// Folds by the row that tells of them.
    by_summary: BTreeMap<i64, i64>,
    /// What the operator was told.
    pub(super) notices: i64,
}

impl Row {
    /// When it was first let through.
    pub(super) fn passed_at(&self) -> Option<i64> {
        self.events.iter().find(|(_, state, _)| state == "due").map(|(at, ..)| *at)
    }
}

impl Spool {
    pub(super) fn row(&self, seq: i64) -> &Row {
        let found = self.rows.binary_search_by_key(&seq, |row| row.seq);
        &self.rows[found.unwrap_or_else(|_| panic!("there is no row {seq}"))]
    }

    /// What tells of a fold.
    pub(super) fn summary(&self, fold: i64) -> Option<&Row> {
        Some(self.row(self.folds.get(&fold)?.summary?))
    }

    /// What the SMS in this row tells of, where it is a summary.
    pub(super) fn told_by(&self, seq: i64) -> Option<&Fold> {
        self.folds.get(self.by_summary.get(&seq)?)
    }

    /// What went to the phone in its place, or itself.
    pub(super) fn root<'a>(&'a self, row: &'a Row) -> &'a Row {
        let mut root = row;
        while let Some(fold) = root.fold {
            root = self.summary(fold).unwrap_or_else(|| panic!("no summary: {root:?}"));
        }
        root
    }

    pub(super) fn read(connection: &Connection) -> Self {
        let folds = folds(connection);
        let by_summary = folds.values().filter_map(|fold| Some((fold.summary?, fold.seq))).collect();
        let notices = connection.query_row("SELECT count(*) FROM notice", [], |row| row.get(0)).unwrap();
        Self { rows: rows(connection), folds, by_summary, notices }
    }
}

pub(super) fn open(directory: &Path) -> Connection {
    let path = directory.join("spool/spool.sqlite");
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The SMS of a submission that somebody may still end: held, or folded into what is held.
pub(super) fn waiting(connection: &Connection, submission: &str) -> Vec<i64> {
    let sql = "SELECT sms.seq FROM sms LEFT JOIN fold ON fold.seq = sms.fold LEFT JOIN sms AS one ON one.seq = fold.summary \
         LEFT JOIN fold AS outer_fold ON outer_fold.seq = one.fold \
         LEFT JOIN sms AS two ON two.seq = outer_fold.summary \
         WHERE sms.submission = ?1 AND (sms.state = 'held' OR (sms.state = 'folded' AND \
         (one.state = 'held' OR (one.state = 'folded' AND two.state = 'held'))))";
    let mut find = connection.prepare_cached(sql).unwrap();
    let found = find.query_map([submission], |row| row.get(0)).unwrap();
    found.map(Result::unwrap).collect()
}

fn folds(connection: &Connection) -> BTreeMap<i64, Fold> {
    let mut find = connection.prepare("SELECT seq, kind, count, summary FROM fold").unwrap();
    let found = find
        .query_map([], |row| {
            let seq = row.get(0)?;
            Ok((seq, Fold { seq, kind: row.get(1)?, count: row.get(2)?, summary: row.get(3)? }))
        })
        .unwrap();
    found.map(Result::unwrap).collect()
}

fn rows(connection: &Connection) -> Vec<Row> {
    let mut events: BTreeMap<i64, Vec<(i64, String, String)>> = BTreeMap::new();
    let mut find = connection.prepare("SELECT sms, at, state, note FROM event ORDER BY sms, n").unwrap();
    let found = find.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))).unwrap();
    for found in found {
        let (seq, (at, state, note)): (i64, (i64, String, String)) = found.unwrap();
        let at = millis(jiff::Timestamp::from_millisecond(at).unwrap());
        events.entry(seq).or_default().push((at, state, note));
    }
    let sql = "SELECT seq, submission, ordinal, door, report_to, state, destination, lane, body, parts, cause, \
         cause_status, report, passage, fold, rule FROM sms JOIN submission ON submission.id = sms.submission \
         ORDER BY seq";
    let mut find = connection.prepare(sql).unwrap();
    let found = find
        .query_map([], |row| {
            let submission: String = row.get(1)?;
            let id: SubmissionId = submission.parse().unwrap();
            let passage: Option<String> = row.get(13)?;
            let passage = passage.map(|passage| serde_json::from_str(&passage).unwrap()).unwrap_or_default();
            let seq = row.get(0)?;
            Ok(Row {
                seq,
                id: id.message(row.get(2)?),
                submission,
                door: row.get(3)?,
                report_to: row.get(4)?,
                state: row.get(5)?,
                phone: row.get(6)?,
                lane: row.get(7)?,
                body: row.get(8)?,
                parts: row.get(9)?,
                cause: row.get(10)?,
                cause_class: row.get::<_, Option<String>>(11)?.and_then(|status| status.chars().next()),
                report: row.get(12)?,
                passage,
                fold: row.get(14)?,
                rule: row.get(15)?,
                events: events.remove(&seq).unwrap_or_default(),
            })
        })
        .unwrap();
    found.map(Result::unwrap).collect()
}
