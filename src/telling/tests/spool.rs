//! A spool that has nothing but calls to programs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::model::{
    Callback, Cause, MailAddress, MailId, MessageId, OutgoingMail, State, Submission, SubmissionId,
};
use crate::spool::{
    Accepted, Asked, Backlog, Before, Budgets, Call, Case, ClaimedMail, Expected, Heard, MailStep, MailView,
    News, Question, Queue, Recovered, RequestKey, Room, Signals, Spool, SpoolError, Step, SubmissionView,
    Taken, TellStep, Telling, Waits, Word,
};

/// Where a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Due(Timestamp),
    Claimed,
    Told,
    Failed(String),
}

/// One call with its past.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) telling: Telling,
    pub(super) place: Place,
    /// Why it had to wait, each time.
    pub(super) waits: Vec<String>,
}

pub(super) struct Tellings {
    entries: Mutex<BTreeMap<u32, Entry>>,
    changes: watch::Sender<()>,
    signals: Arc<Signals>,
    /// How many settlements fail first.
    pub(super) failing: Mutex<usize>,
}

impl Tellings {
    /// All of them are due, in their order.
    pub(super) fn with(tellings: impl IntoIterator<Item = Telling>) -> Arc<Self> {
        let spool = Self {
            entries: Mutex::default(),
            changes: watch::Sender::new(()),
            signals: Arc::default(),
            failing: Mutex::default(),
        };
        tellings.into_iter().for_each(|telling| spool.add(telling));
        Arc::new(spool)
    }

    pub(super) fn add(&self, telling: Telling) {
        let place = Place::Due(Timestamp::UNIX_EPOCH);
        let entry = Entry { telling: Telling { attempt: 0, ..telling }, place, waits: Vec::new() };
        self.entries.lock().unwrap().insert(entry.telling.id.ordinal, entry);
        self.signals.tellings.notify_one();
    }

    pub(super) fn entry(&self, ordinal: u32) -> Entry {
        self.entries.lock().unwrap()[&ordinal].clone()
    }

    /// How many are where `is_there` says.
    pub(super) fn count(&self, is_there: impl Fn(&Place) -> bool) -> usize {
        self.entries.lock().unwrap().values().filter(|entry| is_there(&entry.place)).count()
    }

    /// Waits until the entry is there.
    pub(super) async fn until(&self, ordinal: u32, is_there: impl Fn(&Entry) -> bool) -> Entry {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let entry = self.entry(ordinal);
            if is_there(&entry) {
                return entry;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Waits until nothing more happens to it.
    pub(super) async fn end(&self, ordinal: u32) -> Entry {
        self.until(ordinal, |entry| matches!(entry.place, Place::Told | Place::Failed(_))).await
    }
}

#[async_trait]
impl Spool for Tellings {
    async fn claim_tellings(&self, now: Timestamp, limit: usize) -> Result<Vec<Telling>, SpoolError> {
        let mut entries = self.entries.lock().unwrap();
        let mut due: Vec<(Timestamp, u32)> = entries
            .iter()
            .filter_map(|(ordinal, entry)| match entry.place {
                Place::Due(at) if at <= now => Some((at, *ordinal)),
                Place::Due(_) | Place::Claimed | Place::Told | Place::Failed(_) => None,
            })
            .collect();
        due.sort_unstable();
        let claimed = due.into_iter().take(limit).map(|(_, ordinal)| {
            let entry = entries.get_mut(&ordinal).unwrap();
            entry.place = Place::Claimed;
            entry.telling.attempt += 1;
            entry.telling.clone()
        });
        Ok(claimed.collect())
    }

    async fn settle_telling(&self, id: MessageId, step: TellStep, _now: Timestamp) -> Result<(), SpoolError> {
        let mut failing = self.failing.lock().unwrap();
        if *failing > 0 {
            *failing -= 1;
            return Err(SpoolError::Unavailable("disk full".to_owned()));
        }
        let mut entries = self.entries.lock().unwrap();
        let entry = entries.get_mut(&id.ordinal).unwrap();
        if entry.place != Place::Claimed {
            return Err(SpoolError::Stale(id));
        }
        entry.place = match step {
            TellStep::Told => Place::Told,
            TellStep::Retry { at, cause } => {
                entry.waits.push(cause.text);
                Place::Due(at)
            }
            TellStep::NotCalled { at, cause } => {
                entry.waits.push(cause.text);
                entry.telling.attempt -= 1;
                Place::Due(at)
            }
            TellStep::Failed { cause } => Place::Failed(cause.text),
        };
        self.changes.send_replace(());
        Ok(())
    }

    async fn reports_since(&self, _: Timestamp) -> Result<Vec<(MailAddress, Timestamp)>, SpoolError> {
        unreachable!()
    }

    async fn mail(&self, _: MailId) -> Result<Option<MailView>, SpoolError> {
        unreachable!()
    }

    async fn note(&self, _: String) -> Result<Option<String>, SpoolError> {
        unreachable!()
    }

    async fn set_note(&self, _: String, _: String) -> Result<(), SpoolError> {
        unreachable!()
    }

    async fn next_due(&self, queue: Queue) -> Result<Option<Timestamp>, SpoolError> {
        assert_eq!(queue, Queue::Tellings);
        let entries = self.entries.lock().unwrap();
        let due = entries.values().filter_map(|entry| match entry.place {
            Place::Due(at) => Some(at),
            Place::Claimed | Place::Told | Place::Failed(_) => None,
        });
        Ok(due.min())
    }

    fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    async fn accept(&self, _: Submission) -> Result<Vec<i64>, SpoolError> {
        unreachable!()
    }
    async fn accept_once(&self, _: Submission, _: RequestKey, _: String) -> Result<Accepted, SpoolError> {
        unreachable!()
    }
    async fn accepted_before(&self, _: RequestKey, _: Timestamp) -> Result<Option<Before>, SpoolError> {
        unreachable!()
    }
    async fn message_by_number(&self, _: i64) -> Result<Option<MessageId>, SpoolError> {
        unreachable!()
    }
    async fn recover(&self, _: Timestamp, _: Timestamp) -> Result<Recovered, SpoolError> {
        unreachable!()
    }
    async fn shorten_waits(&self, _: Timestamp, _: Waits) -> Result<usize, SpoolError> {
        unreachable!()
    }
    async fn set_real_aside(&self) -> Result<usize, SpoolError> {
        unreachable!()
    }
    async fn claim_due(&self, _: Timestamp, _: Vec<Room>) -> Result<Vec<Call>, SpoolError> {
        unreachable!()
    }
    async fn questions(
        &self,
        _: Asked,
        _: String,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<Question>, SpoolError> {
        unreachable!()
    }
    async fn unasked(
        &self,
        _: String,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<Question>, SpoolError> {
        unreachable!()
    }
    async fn notices(&self, _: usize) -> Result<Vec<Word>, SpoolError> {
        unreachable!()
    }
    async fn notices_after(&self, _: Option<i64>, _: usize) -> Result<Vec<Word>, SpoolError> {
        unreachable!()
    }
    async fn close_notices(
        &self,
        _: Vec<i64>,
        _: Option<OutgoingMail>,
        _: Timestamp,
    ) -> Result<(), SpoolError> {
        unreachable!()
    }
    async fn budgets(&self, _: Timestamp) -> Result<Budgets, SpoolError> {
        unreachable!()
    }
    async fn gateways(&self) -> Result<Vec<String>, SpoolError> {
        unreachable!()
    }
    async fn settle(&self, _: MessageId, _: u32, _: Step, _: Timestamp) -> Result<State, SpoolError> {
        unreachable!()
    }
    async fn take_callback(&self, _: Callback, _: Timestamp) -> Result<Taken, SpoolError> {
        unreachable!()
    }
    async fn cancel(&self, _: MessageId, _: Cause, _: Timestamp) -> Result<(), SpoolError> {
        unreachable!()
    }
    async fn cases(&self, _: Timestamp, _: Timestamp, _: usize) -> Result<Vec<Case>, SpoolError> {
        unreachable!()
    }
    async fn close_case(
        &self,
        _: Vec<(MessageId, News)>,
        _: Option<OutgoingMail>,
        _: Timestamp,
    ) -> Result<(), SpoolError> {
        unreachable!()
    }
    async fn claim_mail(&self, _: Timestamp, _: usize) -> Result<Vec<ClaimedMail>, SpoolError> {
        unreachable!()
    }
    async fn settle_mail(&self, _: MailId, _: MailStep, _: Timestamp) -> Result<(), SpoolError> {
        unreachable!()
    }
    async fn file_mail(
        &self,
        _: OutgoingMail,
        _: Option<(String, String)>,
        _: Timestamp,
    ) -> Result<(), SpoolError> {
        unreachable!()
    }
    async fn submission(&self, _: SubmissionId) -> Result<Option<SubmissionView>, SpoolError> {
        unreachable!()
    }
    async fn backlog(&self) -> Result<Backlog, SpoolError> {
        unreachable!()
    }
    async fn parts_of_account_since(&self, _: String, _: Timestamp) -> Result<u64, SpoolError> {
        unreachable!()
    }
    async fn expect(&self, _: Vec<Expected>, _: Duration, _: Timestamp) -> Result<(), SpoolError> {
        unreachable!()
    }
    async fn heard(&self) -> Result<Vec<Heard>, SpoolError> {
        unreachable!()
    }
    async fn probe(&self) -> Result<(), SpoolError> {
        unreachable!()
    }
}
