//! The spool of one machine: a directory with an SQLite database.
//!
//! A commit is on the disk when a call returns (write-ahead log, `synchronous=FULL`); calls that
//! wait together share it. One thread writes, another one reads; neither is one of the runtime's.
//! One process uses the directory at a time. Words, states and numbers can be read with the
//! `sqlite3` shell; its view `timeline` tells an SMS's way.
//!
//! - `directory`: modes, lock, free space; `schema`: opening and migrations; `lane`: group commit
//! - `accept`, `once`, `queue`, `settle`, `callbacks`, `cancel`, `questions`, `recover`, `cases`, `mail`, `note`, `tellings`,
//!   `view`: the trait's calls
//! - `moves`, `escalation`: what hangs on a change of state; `held`: SMS that wait on purpose; `expand`: recipients
//!   that stand for several phones
//! - `passage`: what an SMS has to pass before it is due: `pairing`, `fold`, `limits`, `budget`; `summary`: what tells of
//!   those that were folded; `closing`: their end; `again`: what has waited for the platform passes again; `notice`: what the operator is to be told
//! - `waits`: waits that a clock which was put back made too long
//! - `orders`: gateways by number; `route`, `course`, `row`: our types in columns; `timeline`: events and
//!   attempts; `error`: what SQLite's mean

mod accept;
mod again;
mod apart;
mod budget;
mod callbacks;
mod cancel;
mod cases;
mod closing;
mod course;
mod directory;
mod early;
mod error;
mod escalation;
mod expand;
mod fold;
mod glance;
mod heard;
mod held;
mod lane;
mod limits;
mod mail;
mod moves;
mod note;
mod notice;
mod once;
mod orders;
mod pairing;
mod passage;
mod pieces;
mod questions;
mod queue;
mod quiet;
mod recover;
mod route;
mod row;
mod schema;
mod settle;
mod summary;
mod tellings;
mod timeline;
mod view;
mod waits;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use self::error::Damage;
use self::lane::{BATCH, Effects, Kind, Lane, Track};
use super::{
    Accepted, Asked, Backlog, Before, Budgets, Call, Case, ClaimedMail, Expected, Heard, MailStep, MailView,
    News, Question, Queue, Recovered, RequestKey, Room, Signals, Spool, SpoolError, Step, SubmissionView,
    Taken, TellStep, Telling, Waits, Word,
};
use crate::model::{
    Callback, Cause, MailAddress, MailId, MessageId, OutgoingMail, State, Submission, SubmissionId,
};

pub use glance::Glance;

/// The database in the spool's directory; `-wal` and `-shm` stand beside it.
const FILE: &str = "spool.sqlite";

const PROBE: &str = "UPDATE probe SET writes = writes + 1 WHERE id = 1";

/// What the spool is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is kept; made with mode 0750 where it is missing.
    pub directory: PathBuf,
    /// Nothing is accepted while the file system has fewer octets free.
    pub min_free_octets: u64,
}

/// The spool in a directory. See the module.
pub struct SqliteSpool {
    // Dropped in this order: the writer's connection is the last and folds up the log, and only then
    // may another process come.
    reader: Lane,
    writer: Lane,
    signals: Arc<Signals>,
    _lock: directory::Lock,
}

impl SqliteSpool {
    /// Opens the spool, making what is missing and bringing an older one up to date. It blocks; a
    /// large one is checked for a second or two.
    ///
    /// # Errors
    /// [`SpoolError::Unavailable`] when another process uses it or the disk is full,
    /// [`SpoolError::Unusable`] when it is damaged, newer than this program, not a spool, or in a
    /// directory that everybody may write to. Nothing is deleted.
    pub fn open(settings: Settings) -> Result<Self, SpoolError> {
        let Settings { directory, min_free_octets } = settings;
        directory::prepare(&directory)?;
        let lock = directory::Lock::take(&directory)?;
        let path = directory.join(FILE);
        let writing = schema::open_writer(&path)?;
        let reading = schema::open_reader(&path)?;
        directory::sync(&directory)?;
        let signals = Arc::new(Signals::default());
        let track = |connection, begin, batch| Track {
            connection,
            begin,
            batch,
            signals: Arc::clone(&signals),
            space: (directory.clone(), min_free_octets),
        };
        let no_thread = |error| SpoolError::Unavailable(format!("it gets no thread: {error}"));
        Ok(Self {
            reader: Lane::start("spool-reader", track(reading, "BEGIN", 1)).map_err(no_thread)?,
            writer: Lane::start("spool-writer", track(writing, "BEGIN IMMEDIATE", BATCH))
                .map_err(no_thread)?,
            signals,
            _lock: lock,
        })
    }

    /// Ends it after everything that waits; later calls are [`SpoolError::Unavailable`]. Dropping
    /// does the same, blocking. The directory is free for another process once it is dropped.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Transactions written since it was opened; far fewer than calls when many wait together.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

#[async_trait]
impl Spool for SqliteSpool {
    async fn accept(&self, submission: Submission) -> Result<Vec<i64>, SpoolError> {
        self.writer
            .run(Kind::Accept, move |connection, effects| accept::accept(connection, effects, &submission))
            .await
    }

    async fn accept_once(
        &self,
        submission: Submission,
        key: RequestKey,
        answer: String,
    ) -> Result<Accepted, SpoolError> {
        self.writer
            .run(Kind::Accept, move |connection, effects| {
                once::accept(connection, effects, &submission, &key, &answer)
            })
            .await
    }

    async fn accepted_before(&self, key: RequestKey, now: Timestamp) -> Result<Option<Before>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| once::before(connection, &key, now)).await
    }

    async fn recover(&self, now: Timestamp, ask_at: Timestamp) -> Result<Recovered, SpoolError> {
        self.writer
            .run(Kind::Recover, move |connection, effects| recover::recover(connection, effects, now, ask_at))
            .await
    }

    async fn shorten_waits(&self, now: Timestamp, waits: Waits) -> Result<usize, SpoolError> {
        let begin = move |connection: &Connection, _: &mut Effects| waits::Walk::new(connection, now, waits);
        let mut walk = Some(self.reader.run(Kind::Other, begin).await?);
        let mut shortened = 0;
        while let Some(here) = walk {
            let go_on = |connection: &Connection, effects: &mut Effects| here.go_on(connection, effects);
            let (count, rest) = self.writer.run(Kind::Other, go_on).await?;
            shortened += count;
            walk = rest;
        }
        Ok(shortened)
    }

    async fn set_real_aside(&self) -> Result<usize, SpoolError> {
        self.writer.run(Kind::Other, recover::set_real_aside).await
    }

    async fn claim_due(&self, now: Timestamp, rooms: Vec<Room>) -> Result<Vec<Call>, SpoolError> {
        self.writer
            .run(Kind::Claim, move |connection, effects| queue::claim_due(connection, effects, now, &rooms))
            .await
    }

    async fn questions(
        &self,
        state: Asked,
        gateway: String,
        now: Timestamp,
        again_at: Timestamp,
        limit: usize,
    ) -> Result<Vec<Question>, SpoolError> {
        self.writer
            .run(Kind::Other, move |connection, effects| {
                let why = questions::Why::ToAsk(state);
                questions::questions(connection, effects, why, &gateway, now, again_at, limit)
            })
            .await
    }

    async fn unasked(
        &self,
        gateway: String,
        now: Timestamp,
        again_at: Timestamp,
        limit: usize,
    ) -> Result<Vec<Question>, SpoolError> {
        self.writer
            .run(Kind::Other, move |connection, effects| {
                let why = questions::Why::ToLook;
                questions::questions(connection, effects, why, &gateway, now, again_at, limit)
            })
            .await
    }

    async fn gateways(&self) -> Result<Vec<String>, SpoolError> {
        self.reader
            .run(Kind::Other, |connection, _| {
                Ok(orders::gateways(connection)?.into_iter().map(|(_, name)| name).collect())
            })
            .await
    }

    async fn settle(
        &self,
        id: MessageId,
        attempt: u32,
        step: Step,
        now: Timestamp,
    ) -> Result<State, SpoolError> {
        let settled = self
            .writer
            .run(Kind::Settle, move |connection, effects| {
                settle::settle(connection, effects, id, attempt, &step, now)
            })
            .await?;
        settled.map_err(|damage| damaged(id, damage))
    }

    async fn take_callback(&self, callback: Callback, now: Timestamp) -> Result<Taken, SpoolError> {
        // What is known already keeps away from the writer, so that a flood of repetitions delays no mail. The
        // reader sees only what is on the disk.
        let (callback, known) = self
            .reader
            .run(Kind::Other, move |connection, _| {
                let known = callbacks::known(connection, &callback)?;
                Ok((callback, known))
            })
            .await?;
        if let Some(taken) = known {
            return Ok(taken);
        }
        self.writer
            .run(Kind::Callback, move |connection, effects| {
                callbacks::take(connection, effects, &callback, now)
            })
            .await
    }

    async fn cancel(&self, id: MessageId, cause: Cause, now: Timestamp) -> Result<(), SpoolError> {
        let cancelled = self
            .writer
            .run(Kind::Cancel, move |connection, effects| {
                cancel::cancel(connection, effects, id, &cause, now)
            })
            .await?;
        cancelled.map_err(|damage| damaged(id, damage))
    }

    async fn cases(&self, overdue: Timestamp, now: Timestamp, limit: usize) -> Result<Vec<Case>, SpoolError> {
        // By the writer, as something may have become late, or has to be set aside.
        self.writer
            .run(Kind::Other, move |connection, effects| {
                cases::cases(connection, effects, overdue, now, limit)
            })
            .await
    }

    async fn close_case(
        &self,
        news: Vec<(MessageId, News)>,
        mail: Option<OutgoingMail>,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        self.writer
            .run(Kind::CloseCase, move |connection, effects| {
                cases::close_case(connection, effects, &news, mail.as_ref(), now)
            })
            .await
    }

    async fn claim_mail(&self, now: Timestamp, limit: usize) -> Result<Vec<ClaimedMail>, SpoolError> {
        self.writer
            .run(Kind::ClaimMail, move |connection, effects| mail::claim(connection, effects, now, limit))
            .await
    }

    async fn settle_mail(&self, id: MailId, step: MailStep, now: Timestamp) -> Result<(), SpoolError> {
        self.writer
            .run(Kind::SettleMail, move |connection, effects| {
                mail::settle(connection, effects, id, &step, now)
            })
            .await
    }

    async fn file_mail(
        &self,
        mail: OutgoingMail,
        note: Option<(String, String)>,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        self.writer
            .run(Kind::FileMail, move |connection, effects| {
                if let Some((key, value)) = note {
                    note::set(connection, &key, &value)?;
                }
                mail::insert(connection, effects, &mail, now)
            })
            .await
    }

    async fn reports_since(&self, from: Timestamp) -> Result<Vec<(MailAddress, Timestamp)>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| mail::reports_since(connection, from)).await
    }

    async fn mail(&self, id: MailId) -> Result<Option<MailView>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| mail::view(connection, id)).await
    }

    async fn claim_tellings(&self, now: Timestamp, limit: usize) -> Result<Vec<Telling>, SpoolError> {
        self.writer
            .run(Kind::ClaimTelling, move |connection, effects| {
                tellings::claim(connection, effects, now, limit)
            })
            .await
    }

    async fn settle_telling(&self, id: MessageId, step: TellStep, now: Timestamp) -> Result<(), SpoolError> {
        self.writer
            .run(Kind::SettleTelling, move |connection, effects| {
                tellings::settle(connection, effects, id, &step, now)
            })
            .await
    }

    async fn next_due(&self, queue: Queue) -> Result<Option<Timestamp>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| view::next_due(connection, queue)).await
    }

    async fn notices(&self, limit: usize) -> Result<Vec<Word>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| notice::first(connection, limit)).await
    }

    async fn notices_after(&self, seq: Option<i64>, limit: usize) -> Result<Vec<Word>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| notice::after(connection, seq, limit)).await
    }

    async fn close_notices(
        &self,
        told: Vec<i64>,
        mail: Option<OutgoingMail>,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        let kind = if mail.is_some() { Kind::FileMail } else { Kind::Other };
        self.writer
            .run(kind, move |connection, effects| {
                notice::close(connection, effects, &told, mail.as_ref(), now)
            })
            .await
    }

    async fn budgets(&self, now: Timestamp) -> Result<Budgets, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| budget::current(connection, now)).await
    }

    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| view::submission(connection, id)).await
    }

    async fn message_by_number(&self, number: i64) -> Result<Option<MessageId>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| view::message_by_number(connection, number)).await
    }

    async fn backlog(&self) -> Result<Backlog, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| view::backlog(connection)).await
    }

    async fn parts_of_account_since(&self, account: String, from: Timestamp) -> Result<u64, SpoolError> {
        self.reader
            .run(Kind::Other, move |connection, _| view::parts_of_account(connection, &account, from))
            .await
    }

    async fn note(&self, key: String) -> Result<Option<String>, SpoolError> {
        self.reader.run(Kind::Other, move |connection, _| note::get(connection, &key)).await
    }

    async fn set_note(&self, key: String, value: String) -> Result<(), SpoolError> {
        self.writer.run(Kind::Other, move |connection, _| note::set(connection, &key, &value)).await
    }

    async fn expect(
        &self,
        expected: Vec<Expected>,
        away: Duration,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        self.writer
            .run(Kind::Other, move |connection, _| heard::expect(connection, &expected, away, now))
            .await
    }

    async fn heard(&self) -> Result<Vec<Heard>, SpoolError> {
        self.reader.run(Kind::Other, |connection, _| heard::heard(connection)).await
    }

    async fn probe(&self) -> Result<(), SpoolError> {
        self.writer
            .run(Kind::Probe, move |connection, _| {
                connection.prepare_cached(PROBE)?.execute([])?;
                Ok(())
            })
            .await
    }

    fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }
}

fn damaged(id: MessageId, damage: Damage) -> SpoolError {
    SpoolError::Unusable(format!("SMS {id} is damaged: {damage}; repair it with `sqlite3`"))
}
