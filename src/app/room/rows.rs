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
    pub(super) listener: String,
    /// Where it stands among those of its submission.
    pub(super) ordinal: u32,
    pub(super) recipient: String,
    /// Whether it takes the place of others.
    pub(super) is_escalation: bool,
    /// Which one of its submission says the same in its place.
    pub(super) same_as: Option<u32>,
    pub(super) report_to: String,
    pub(super) rule: String,
    pub(super) state: String,
    pub(super) phone: String,
    pub(super) lane: i64,
    pub(super) body: String,
    pub(super) cause: Option<String>,
    /// The first digit of the cause's status.
    pub(super) cause_class: Option<char>,
    pub(super) report: String,
    /// What somebody wants to know of it, as in a mail's `NOTIFY`.
    pub(super) notify: String,
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
    pub(super) key: String,
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
    /// In the order in which they were filed.
    pub(super) mails: Vec<Mail>,
    /// By budget and the beginning of its period.
    pub(super) spent: BTreeMap<(String, i64), u64>,
}

/// A mail of the relay's own.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) kind: String,
    /// The submission that it is about.
    pub(super) about: Option<String>,
    pub(super) filed_at: i64,
    pub(super) recipient: String,
    pub(super) subject: String,
    pub(super) text: String,
}

impl Row {
    /// When it was first let through.
    pub(super) fn passed_at(&self) -> Option<i64> {
        self.events.iter().find(|(_, state, _)| state == "due").map(|(at, ..)| *at)
    }
}

impl Row {
    /// Whether it was let go and is not held or folded since.
    pub(super) fn is_let_go(&self) -> bool {
        let last = self
            .events
            .iter()
            .rev()
            .find(|(_, state, _)| ["due", "held", "folded"].contains(&state.as_str()));
        last.is_some_and(|(_, state, _)| state == "due")
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
        Self { rows: rows(connection), folds, by_summary, mails: mails(connection), spent: spent(connection) }
    }
}

pub(super) fn open(directory: &Path) -> Connection {
    let path = directory.join("spool/spool.sqlite");
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The SMS of a submission that somebody may still end: held, or folded into what is held.
pub(super) fn waiting(connection: &Connection, submission: &str) -> Vec<i64> {
    let sql = "WITH RECURSIVE up (seq, state, fold, first) AS ( \
         SELECT seq, state, fold, seq FROM sms WHERE submission = ?1 \
         UNION ALL SELECT told.seq, told.state, told.fold, up.first FROM up JOIN fold ON fold.seq = up.fold \
         JOIN sms AS told ON told.seq = fold.summary WHERE up.state = 'folded') \
         SELECT first FROM up WHERE state = 'held'";
    let mut find = connection.prepare_cached(sql).unwrap();
    let found = find.query_map([submission], |row| row.get(0)).unwrap();
    found.map(Result::unwrap).collect()
}

fn folds(connection: &Connection) -> BTreeMap<i64, Fold> {
    let mut find = connection.prepare("SELECT seq, kind, key, count, summary FROM fold").unwrap();
    let found = find
        .query_map([], |row| {
            let (seq, kind, key) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((seq, Fold { seq, kind, key, count: row.get(3)?, summary: row.get(4)? }))
        })
        .unwrap();
    found.map(Result::unwrap).collect()
}

fn mails(connection: &Connection) -> Vec<Mail> {
    let sql = "SELECT kind, about, recipient, bytes, (SELECT min(at) FROM mail_event WHERE mail = seq) \
         FROM outgoing_mail ORDER BY seq";
    let mut find = connection.prepare(sql).unwrap();
    let found = find
        .query_map([], |row| {
            let bytes: Vec<u8> = row.get(3)?;
            let read = crate::mail::read(&bytes);
            Ok(Mail {
                kind: row.get(0)?,
                about: row.get(1)?,
                recipient: row.get(2)?,
                filed_at: time(row.get(4)?),
                subject: read.subject.unwrap_or_default(),
                text: read.text,
            })
        })
        .unwrap();
    found.map(Result::unwrap).collect()
}

fn spent(connection: &Connection) -> BTreeMap<(String, i64), u64> {
    let mut find = connection.prepare("SELECT budget, begins, amount FROM spent").unwrap();
    let found = find
        .query_map([], |row| {
            let amount: i64 = row.get(2)?;
            Ok(((row.get(0)?, time(row.get(1)?)), amount.try_into().unwrap()))
        })
        .unwrap();
    found.map(Result::unwrap).collect()
}

fn time(written: i64) -> i64 {
    millis(jiff::Timestamp::from_millisecond(written).unwrap())
}

fn rows(connection: &Connection) -> Vec<Row> {
    let mut events: BTreeMap<i64, Vec<(i64, String, String)>> = BTreeMap::new();
    let mut find = connection.prepare("SELECT sms, at, state, note FROM event ORDER BY sms, n").unwrap();
    let found = find.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))).unwrap();
    for found in found {
        let (seq, (at, state, note)): (i64, (i64, String, String)) = found.unwrap();
        events.entry(seq).or_default().push((time(at), state, note));
    }
    let sql = "SELECT seq, submission, ordinal, door, report_to, state, destination, lane, body, parts, cause, \
         cause_status, report, passage, fold, rule, listener, recipient, escalation, same_as, notify FROM sms JOIN submission ON submission.id = sms.submission \
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
                ordinal: row.get(2)?,
                listener: row.get(16)?,
                recipient: row.get(17)?,
                is_escalation: row.get(18)?,
                same_as: row.get(19)?,
                notify: row.get(20)?,
                submission,
                door: row.get(3)?,
                report_to: row.get(4)?,
                state: row.get(5)?,
                phone: row.get(6)?,
                lane: row.get(7)?,
                body: row.get(8)?,
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
