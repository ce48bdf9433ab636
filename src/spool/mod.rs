//! The spool: everything accepted and not yet finished, on stable storage.
//!
//! It promises that what a call returned `Ok` for survives a power cut; that a message is only
//! ever in one state and moves only as [`State::may_become`] allows, every move with its time and
//! cause; and that "attempt n began" is on disk before [`Spool::claim_due`] hands a message out.
//! It decides nothing: when to retry and what to report is told to it.
//!
//! [`SqliteSpool`] keeps it in a directory of one machine. `behaviour` holds what every engine must
//! do, as tests against the trait.

mod entries;
mod heard;
mod once;
mod reports;
pub mod sqlite;
mod verdict;
mod views;

#[cfg(test)]
mod behaviour;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::model::{
    Callback, Cause, MailAddress, MailId, MessageId, OutgoingMail, State, Submission, SubmissionId,
};

pub use entries::{
    Again, Call, Case, Claimed, ClaimedMail, MOST_IN_A_CALL, MailStep, News, Outcome, Question, Room,
    Siblings, Step, Taken, TellStep, Telling, Topic, Waits, Word,
};
pub use heard::{Expected, Heard};
pub use once::{Accepted, Before, KEY_LIFETIME, RequestKey};
pub use sqlite::SqliteSpool;
pub use views::{
    Backlog, Budgets, Event, MOST_FOLDED_SHOWN, MailEvent, MailView, MessageView, PartView, Spent,
    SubmissionView, TellsOf, Try,
};

/// How long a question that was handed out is not handed out again.
pub const QUESTION_LEASE: Duration = Duration::from_secs(60);
/// Most reports that [`Spool::reports_since`] lists.
pub const MOST_REPORTS: usize = 10_000;

/// Why the spool could not do it. Nothing was changed, but that a damaged record may have been set aside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// The disk is full, read-only or locked: the same call may work later.
    #[error("the spool cannot take anything now: {0}")]
    Unavailable(String),
    /// The message has moved on since the caller saw it: its attempt is not the caller's any more.
    #[error("message {0} is not where this attempt left it")]
    Stale(MessageId),
    /// The mail is not claimed any more, or never was.
    #[error("mail {0} is not where this attempt left it")]
    StaleMail(MailId),
    /// Somebody was told of it already.
    #[error("the notice in row {0} was told already")]
    Told(i64),
    /// The spool's files are damaged or of a newer version, or this record is.
    #[error("the spool cannot be used: {0}")]
    Unusable(String),
}

/// The spool, whatever engine keeps it.
///
/// A record that cannot be read back is set aside and logged, once: no queue hands it out before the next
/// start, the others pass it by, and it is never deleted. Times are kept to the millisecond.
///
/// A call that is dropped before it returned may still have happened. What a dropped
/// [`claim_due`](Self::claim_due) or [`claim_mail`](Self::claim_mail) claimed stays claimed until
/// [`recover`](Self::recover); finish these even when shutting down.
#[async_trait]
pub trait Spool: Send + Sync + 'static {
    /// Commits a submission with all its SMS and mail. `Ok` means on stable storage; the reply
    /// to the client comes after. [`SpoolError::Unavailable`] also when too little space is free.
    /// An SMS that is due is due from `received_at` on.
    ///
    /// Each SMS gets a number, above 0 and above those of all SMS that are there; they are returned in the order of
    /// the submission's messages. A number stays its SMS's while that is there, over restarts too. It may be given
    /// again once the SMS with the highest one was deleted; the relay deletes none.
    ///
    /// Where several phones stand behind one recipient that wants to know of success, the recipient is told
    /// that its name was expanded, and of each phone only what fails (RFC 3461 section 5.2.7.4).
    async fn accept(&self, submission: Submission) -> Result<Vec<i64>, SpoolError>;

    /// As [`accept`](Self::accept), once for each `key`: in the same transaction the key is kept with `answer`,
    /// for [`KEY_LIFETIME`] from `received_at` on. Where the key, or another message of its request, is known,
    /// nothing is kept, and it is told what it stands for.
    async fn accept_once(
        &self,
        submission: Submission,
        key: RequestKey,
        answer: String,
    ) -> Result<Accepted, SpoolError>;

    /// What `key` stands for at `now`; `None` where neither it nor another message of another request is known
    /// by this name. It sees what is on stable storage.
    async fn accepted_before(&self, key: RequestKey, now: Timestamp) -> Result<Option<Before>, SpoolError>;

    /// Takes over what a dead process left: claimed SMS become unknown, to be asked about at
    /// `ask_at`; claimed mail becomes due. What would be asked about within a [`QUESTION_LEASE`] is
    /// asked about at `ask_at`, for its question may have died with the process. Records that were
    /// set aside get another chance, for somebody may have repaired them. Called once, before
    /// anything else.
    async fn recover(&self, now: Timestamp, ask_at: Timestamp) -> Result<Recovered, SpoolError>;

    /// Shortens every wait that reaches further ahead than it can have been meant, as the clock was put back after it
    /// was set; returns how many. An SMS, a mail and a call to a program that were put off wait as long from `now` on
    /// as they were to wait, and a question comes within the longest wait between two, where the platform is to send
    /// the SMS later from that time on. News that nobody could have heard yet is news from `now` on.
    ///
    /// What people wished for stays: until when something is held, when it is late, when it is given up. May be
    /// called at any time: what was set by this clock and within `waits` stays as it is, but for a question that the
    /// platform wanted to be put off for longer, which is for who asks to know. It does not keep other calls
    /// waiting. Where it fails, some of it may be done.
    async fn shorten_waits(&self, now: Timestamp, waits: Waits) -> Result<usize, SpoolError>;
    /// Sets aside, until the next [`recover`](Self::recover), every SMS that was accepted to be sent and could still
    /// be given to the platform, and returns how many: no queue hands them out meanwhile, they neither expire nor
    /// become late, and what is only to be simulated does not wait for them. What the platform says of them by
    /// itself is taken in as ever, and told after that `recover`. For a dry run; called once, after
    /// [`recover`](Self::recover) and before anything else.
    async fn set_real_aside(&self) -> Result<usize, SpoolError>;

    /// Claims SMS that are due, as far as gateways have room for them: the most urgent lane first, in a lane the
    /// longest due first; of one destination and lane at most one, and none while an earlier one of both is
    /// due, claimed or unknown. An SMS goes by the first of its gateways that has room, and waits for one
    /// that is open and has none rather than go by a later one; one whose gateways are all unknown here goes by any.
    /// What is critical does not go by one that may hang while another is open. Each gets its next attempt recorded. SMS of one submission that go by the
    /// legacy door with the same words and the same gateway come together in one [`Call`], up to
    /// [`MOST_IN_A_CALL`], and count as one.
    ///
    /// First, a bounded number of SMS is released whose time to be held is over, and what has outlived its time is
    /// expired, and never claimed meanwhile. An escalation is released into [`State::Due`] only where nobody of
    /// its recipient has the message, be it by an SMS of another recipient that goes in place of one of its own.
    async fn claim_due(&self, now: Timestamp, rooms: Vec<Room>) -> Result<Vec<Call>, SpoolError>;

    /// Up to `limit` SMS in `state` that were last given to `gateway` and whose time to be asked about has come, the
    /// longest due first; they are not handed out again before `again_at`. That one has expired is for the
    /// caller to see and to settle. None came into its state after `now`: where the clock was put back, it counts as
    /// having come just now.
    async fn questions(
        &self,
        state: Asked,
        gateway: String,
        now: Timestamp,
        again_at: Timestamp,
        limit: usize,
    ) -> Result<Vec<Question>, SpoolError>;

    /// As [`questions`](Self::questions) about [`Asked::Unknown`], while nobody may ask them: what can be decided
    /// without an answer is decided, and the look counts as no question.
    async fn unasked(
        &self,
        gateway: String,
        now: Timestamp,
        again_at: Timestamp,
        limit: usize,
    ) -> Result<Vec<Question>, SpoolError>;

    /// Names of all gateways that an SMS was ever given to or is to go by.
    async fn gateways(&self) -> Result<Vec<String>, SpoolError>;

    /// Writes what became of an attempt or a question, and returns where the SMS is now: what a callback said
    /// before counts more than what the step says, so that an SMS that the platform itself has spoken of is
    /// never sent again. [`SpoolError::Stale`] when `attempt` is not the latest one, when
    /// [`State::may_become`] does not allow the step, when it is about a way that has ended since, and for an
    /// unknown id.
    async fn settle(
        &self,
        id: MessageId,
        attempt: u32,
        step: Step,
        now: Timestamp,
    ) -> Result<State, SpoolError>;

    /// Takes in what the platform says of its own accord. `Ok` means on stable storage, that nothing of it is new, or
    /// that it is about a record that cannot be read back. A message is delivered once every part of it is, and undelivered or expired once one part is; the
    /// first final word about a part stays. What names an id of the platform's that nobody knows is kept while SMS
    /// are claimed, for the answer to one of them may tell it; then it counts as if it came with the answer.
    async fn take_callback(&self, callback: Callback, now: Timestamp) -> Result<Taken, SpoolError>;

    /// Ends an SMS that waits and was not tried yet or has come back. [`SpoolError::Stale`] when it is neither
    /// held nor due, and for an unknown id.
    async fn cancel(&self, id: MessageId, cause: Cause, now: Timestamp) -> Result<(), SpoolError>;

    /// Submissions with news that somebody is to be told: all its SMS are final, or its first untold news is
    /// from `overdue` or before. The oldest first. They are handed out again until they are closed. What
    /// became late by `now` is news from then on; what has ended is late no more. That a piece of a text
    /// arrived is no news while another piece of it is not final.
    async fn cases(&self, overdue: Timestamp, now: Timestamp, limit: usize) -> Result<Vec<Case>, SpoolError>;

    /// Marks news as told, by `mail` where there is one, in one transaction. [`SpoolError::Stale`], and nothing
    /// is filed, when one of it is told already or is none. Without news nothing happens.
    async fn close_case(
        &self,
        news: Vec<(MessageId, News)>,
        mail: Option<OutgoingMail>,
        now: Timestamp,
    ) -> Result<(), SpoolError>;

    /// Claims up to `limit` outgoing mails that are due, the longest due first. Also those that have
    /// outlived their time: what then happens is for the caller to say.
    async fn claim_mail(&self, now: Timestamp, limit: usize) -> Result<Vec<ClaimedMail>, SpoolError>;

    /// Writes what became of an outgoing mail; [`SpoolError::StaleMail`] when it is not claimed.
    async fn settle_mail(&self, id: MailId, step: MailStep, now: Timestamp) -> Result<(), SpoolError>;

    /// Commits a mail that is about no submission, and with it what is to be remembered of it: a key and its
    /// value, as [`set_note`](Self::set_note) takes them.
    async fn file_mail(
        &self,
        mail: OutgoingMail,
        note: Option<(String, String)>,
        now: Timestamp,
    ) -> Result<(), SpoolError>;

    /// To whom reports were filed at `from` or later (by the time in their ids), and when, the oldest first; of
    /// more than [`MOST_REPORTS`] the latest.
    async fn reports_since(&self, from: Timestamp) -> Result<Vec<(MailAddress, Timestamp)>, SpoolError>;

    /// One outgoing mail with its timeline; `None` for an unknown id and where it is damaged.
    async fn mail(&self, id: MailId) -> Result<Option<MailView>, SpoolError>;

    /// Claims up to `limit` calls to programs that want to know how an SMS ended, the longest due first. Also
    /// those that have outlived their time.
    async fn claim_tellings(&self, now: Timestamp, limit: usize) -> Result<Vec<Telling>, SpoolError>;

    /// Writes what became of such a call; [`SpoolError::Stale`] when it is not claimed.
    async fn settle_telling(&self, id: MessageId, step: TellStep, now: Timestamp) -> Result<(), SpoolError>;

    /// When the next entry of `queue` comes due; `None` when nothing waits. May be in the past. For
    /// [`Queue::Due`] it may be the time at which one expires; for [`Queue::Cases`] see there.
    async fn next_due(&self, queue: Queue) -> Result<Option<Timestamp>, SpoolError>;

    /// The first `limit` things that the operator is to be told, by topic, the oldest first. They are handed out again
    /// until they are closed.
    async fn notices(&self, limit: usize) -> Result<Vec<Word>, SpoolError>;

    /// The first `limit` of those that came after this one, by [`Word::seq`], of all without one; the oldest first.
    async fn notices_after(&self, seq: Option<i64>, limit: usize) -> Result<Vec<Word>, SpoolError>;

    /// Marks these, by [`Word::seq`], as told, by `mail` where there is one, in one transaction.
    /// [`SpoolError::Told`], and nothing is filed, when one of them is told already. Without any nothing happens.
    async fn close_notices(
        &self,
        told: Vec<i64>,
        mail: Option<OutgoingMail>,
        now: Timestamp,
    ) -> Result<(), SpoolError>;

    /// What is spent of the budgets that anything was charged to in the period that holds `now`, and how many SMS
    /// they hold.
    async fn budgets(&self, now: Timestamp) -> Result<Budgets, SpoolError>;

    /// Everything known about one submission, but for what is damaged; `None` for an unknown id.
    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError>;

    /// The id of the SMS that [`accept`](Self::accept) gave this number; `None` where there is none.
    async fn message_by_number(&self, number: i64) -> Result<Option<MessageId>, SpoolError>;

    /// How many SMS are in each state that is not final, and how many mails wait.
    async fn backlog(&self) -> Result<Backlog, SpoolError>;

    /// Parts of all SMS of an account's submissions that were accepted (by the time in their ids) at `from` or
    /// later, as predicted. What a rule dropped or refused does not count, nor what was cancelled before it
    /// was ever tried. It reads all submissions since `from`, and none before.
    async fn parts_of_account_since(&self, account: String, from: Timestamp) -> Result<u64, SpoolError>;

    /// What was last noted under `key`; `None` for an unknown one. For the few small things that a part of the program
    /// has to remember from one start to the next.
    async fn note(&self, key: String) -> Result<Option<String>, SpoolError>;

    /// Notes `value` under `key`, in place of what was there.
    async fn set_note(&self, key: String, value: String) -> Result<(), SpoolError>;

    /// From now on these are expected, and no others: whoever is new is expected from `now` on, of whoever is not
    /// named what was known is forgotten. For those who were expected before, `away` more counts as time in which the
    /// relay could not hear of them. What lies in the future of a clock that was put back counts as now.
    async fn expect(&self, expected: Vec<Expected>, away: Duration, now: Timestamp)
    -> Result<(), SpoolError>;

    /// Who is expected and when they were heard of, in the order of their keys. That is written with what
    /// [`accept`](Self::accept) takes, unless it was within their [`Expected::grain`].
    async fn heard(&self) -> Result<Vec<Heard>, SpoolError>;

    /// Writes and syncs something of no meaning; shows that the spool can take a message. Fails as
    /// [`accept`](Self::accept) would.
    async fn probe(&self) -> Result<(), SpoolError>;

    /// Signals that tell the owners of the queues to look again.
    fn signals(&self) -> Arc<Signals>;
}

/// Raised by the spool after a commit that gave a queue something new or earlier to do. Each queue
/// has one owner: a signal that nobody waits for is kept for the next who waits
/// ([`Notify::notify_one`]), so that look, then wait, misses nothing.
#[derive(Debug, Default)]
pub struct Signals {
    /// Parts of accounts turned out not to be used.
    pub unused: Unused,
    /// SMS became due.
    pub due: Notify,
    /// SMS became unknown.
    pub unknown: Notify,
    /// SMS were sent and will be asked about.
    pub sent: Notify,
    /// Outcomes are to be told.
    pub cases: Notify,
    /// Mail became due.
    pub mail: Notify,
    /// Programs are to be told.
    pub tellings: Notify,
    /// The operator is to be told.
    pub notices: Notify,
    /// Somebody was heard of who is expected.
    pub heard: Notify,
}

/// What accounts have not used after all, kept until somebody takes it.
#[derive(Debug, Default)]
pub struct Unused(Mutex<Vec<UnusedParts>>);

/// An SMS of an account that ended before it was ever tried, and so no longer counts in
/// [`Spool::parts_of_account_since`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedParts {
    /// Whose it was.
    pub account: String,
    /// When its submission was accepted, by the time in its id.
    pub accepted_at: Timestamp,
    /// When it ended: the `now` of the call, which was before the commit.
    pub ended_at: Timestamp,
    /// Its parts, as predicted.
    pub parts: u32,
}

impl Unused {
    /// All since the last call. No more than were waiting to be sent can have gathered.
    pub fn take(&self) -> Vec<UnusedParts> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, parts: Vec<UnusedParts>) {
        if parts.is_empty() {
            return;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(parts);
    }
}

/// A queue in the spool that has an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queue {
    /// SMS to send by one of these gateways, to release or to expire. One whose gateways are all none of
    /// `known` counts, too.
    Due {
        /// Gateways that have room.
        open: Vec<String>,
        /// All gateways that there are.
        known: Vec<String>,
    },
    /// SMS to ask a gateway about.
    Ask(Asked, String),
    /// News to tell; the time is that of the first untold news, whether its case is complete or not. The
    /// owner adds the time that it waits for the others.
    Cases,
    /// The first SMS that becomes late.
    Delays,
    /// Mail to send.
    Mail,
    /// Programs to tell.
    Tellings,
}

/// States whose SMS the platform is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Was it taken at all?
    Unknown,
    /// Has it arrived?
    Sent,
}

/// What a start found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Claimed SMS that became unknown.
    pub unknown: usize,
    /// Claimed mails that became due.
    pub mail: usize,
}
