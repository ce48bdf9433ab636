//! The spool: everything accepted and not yet finished, on stable storage.
//!
//! It promises that what a call returned `Ok` for survives a power cut; that a message is only
//! ever in one state and moves only as [`State::may_become`] allows, every move with its time and
//! cause; and that "attempt n began" is on disk before [`Spool::claim_due`] hands a message out.
//! It decides nothing: when to retry and what to report is told to it.
//!
//! [`SqliteSpool`] keeps it in a directory of one machine. `behaviour` holds what every engine must
//! do, as tests against the trait.

mod reports;
pub mod sqlite;

#[cfg(test)]
mod behaviour;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::model::{
    Cause, Client, FinalState, MailId, MessageId, Original, OutgoingMail, Recipient, ReportTo, Sms, State,
    Submission, SubmissionId,
};

pub use sqlite::SqliteSpool;

/// How long a question that was handed out is not handed out again.
pub const QUESTION_LEASE: Duration = Duration::from_secs(60);

/// Why the spool could not do it. Nothing was changed.
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
    /// The spool's files are damaged or of a newer version.
    #[error("the spool cannot be used: {0}")]
    Unusable(String),
}

/// The spool, whatever engine keeps it.
///
/// A record that cannot be read back is set aside and logged: no queue hands it out before the next
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
    async fn accept(&self, submission: Submission) -> Result<(), SpoolError>;

    /// Takes over what a dead process left: claimed SMS become unknown, to be asked about at
    /// `ask_at`; claimed mail becomes due. What would be asked about within a [`QUESTION_LEASE`] is
    /// asked about at `ask_at`, for its question may have died with the process. Records that were
    /// set aside get another chance, for somebody may have repaired them. Called once, before
    /// anything else.
    async fn recover(&self, now: Timestamp, ask_at: Timestamp) -> Result<Recovered, SpoolError>;

    /// Claims up to `limit` SMS that are due, the longest due first, at most one for each
    /// destination and none while an earlier one to the same destination is due, claimed or
    /// unknown. Each gets its next attempt recorded. What has outlived its time is expired instead:
    /// a bounded number in each call, and never claimed meanwhile.
    async fn claim_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Claimed>, SpoolError>;

    /// Up to `limit` SMS in `state` whose time to be asked about has come, the longest due first;
    /// they are not handed out again before `again_at`. That one has expired is for the caller to
    /// see and to settle.
    async fn questions(
        &self,
        state: Asked,
        now: Timestamp,
        again_at: Timestamp,
        limit: usize,
    ) -> Result<Vec<Question>, SpoolError>;

    /// Writes what became of an attempt or a question. [`SpoolError::Stale`] when `attempt` is not
    /// the latest one, when [`State::may_become`] does not allow the step, and for an unknown id.
    async fn settle(&self, id: MessageId, attempt: u32, step: Step, now: Timestamp)
    -> Result<(), SpoolError>;

    /// Submissions with outcomes that somebody is to be told: all its SMS have left (sent or
    /// final), or the first untold outcome is from `overdue` or before. The oldest first. They are
    /// handed out again until they are closed.
    async fn cases(&self, overdue: Timestamp, limit: usize) -> Result<Vec<Case>, SpoolError>;

    /// Marks the outcomes of `messages` as told, by `mail` where there is one, in one transaction.
    /// [`SpoolError::Stale`], and nothing is filed, when one of them is told already or is no untold
    /// outcome. Without messages nothing happens.
    async fn close_case(
        &self,
        messages: Vec<MessageId>,
        mail: Option<OutgoingMail>,
        now: Timestamp,
    ) -> Result<(), SpoolError>;

    /// Claims up to `limit` outgoing mails that are due, the longest due first. Also those that have
    /// outlived their time: what then happens is for the caller to say.
    async fn claim_mail(&self, now: Timestamp, limit: usize) -> Result<Vec<ClaimedMail>, SpoolError>;

    /// Writes what became of an outgoing mail; [`SpoolError::StaleMail`] when it is not claimed.
    async fn settle_mail(&self, id: MailId, step: MailStep, now: Timestamp) -> Result<(), SpoolError>;

    /// When the next entry of `queue` comes due; `None` when nothing waits. May be in the past. For
    /// [`Queue::Due`] it may be the time at which one expires; for [`Queue::Cases`] see there.
    async fn next_due(&self, queue: Queue) -> Result<Option<Timestamp>, SpoolError>;

    /// Everything known about one submission, but for what is damaged; `None` for an unknown id.
    async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError>;

    /// How many SMS are in each state that is not final, and how many mails wait.
    async fn backlog(&self) -> Result<Backlog, SpoolError>;

    /// Parts of all SMS of an account's submissions that were accepted (by the time in their ids) at `from` or
    /// later, as predicted. What a rule dropped or refused does not count, nor what was cancelled before it
    /// was ever tried. It reads all submissions since `from`, and none before.
    async fn parts_of_account_since(&self, account: String, from: Timestamp) -> Result<u64, SpoolError>;

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
}

/// A queue in the spool that has an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// SMS to send.
    Due,
    /// SMS to ask about.
    Ask(Asked),
    /// Outcomes to tell; the time is that of the first untold outcome, whether its case is complete
    /// or not. The owner adds the time that it waits for the others.
    Cases,
    /// Mail to send.
    Mail,
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

/// An SMS that the caller now has to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// What to send.
    pub sms: Sms,
    /// Which attempt this is, from 1; its beginning is on disk.
    pub attempt: u32,
    /// When the submission was accepted.
    pub accepted_at: Timestamp,
    /// When the SMS is given up.
    pub expires_at: Timestamp,
}

/// An SMS that the platform is to be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which SMS.
    pub id: MessageId,
    /// Its latest attempt.
    pub attempt: u32,
    /// How often it has been asked about in this state before; 0 the first time.
    pub asked: u32,
    /// When it came into this state.
    pub since: Timestamp,
    /// When the SMS is given up.
    pub expires_at: Timestamp,
}

/// What became of an attempt or a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The platform has it; ask at `ask_at` whether it arrived.
    Sent {
        /// The platform's count of parts.
        parts: Option<u32>,
        /// Whether the platform took it as UCS-2.
        unicode: Option<bool>,
        /// When to ask first.
        ask_at: Timestamp,
        /// Words for the timeline.
        note: String,
    },
    /// Try again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// Nobody can say whether it was taken; ask at `ask_at`.
    Unknown {
        /// When to ask.
        ask_at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// Asked, and nothing new; ask again at `ask_at`. For an SMS that is unknown or sent. Leaves no
    /// line in the timeline.
    AskAgain {
        /// When.
        ask_at: Timestamp,
    },
    /// The end. The class of the cause's status says which reports are wanted: 2 a success, 5 a failure.
    Final {
        /// Which end.
        state: FinalState,
        /// Why.
        cause: Cause,
    },
}

/// Outcomes of one submission that somebody is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The submission.
    pub submission: SubmissionId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Who handed it in.
    pub client: Client,
    /// Who is told.
    pub report_to: ReportTo,
    /// What is returned of it.
    pub original: Original,
    /// The outcomes, by ordinal; never empty.
    pub outcomes: Vec<Outcome>,
}

/// How one SMS of a case ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The SMS.
    pub sms: Sms,
    /// The recipient that it came from.
    pub recipient: Recipient,
    /// How it ended.
    pub state: FinalState,
    /// Why.
    pub cause: Cause,
    /// When it ended.
    pub ended_at: Timestamp,
    /// When it was last tried, if ever.
    pub last_attempt_at: Option<Timestamp>,
}

/// A mail that the caller now has to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail.
    pub mail: OutgoingMail,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What became of an outgoing mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailStep {
    /// The smarthost took it.
    Sent,
    /// Try again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// It can't be delivered; `instead` is committed with that fact.
    Failed {
        /// Why.
        cause: Cause,
        /// A mail to the operator in its place.
        instead: Option<OutgoingMail>,
    },
}

/// One submission with its timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmissionView {
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Who handed it in.
    pub client: Client,
    /// Its SMS, by ordinal.
    pub messages: Vec<MessageView>,
    /// Its mails.
    pub mails: Vec<MailView>,
}

/// One SMS with its timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageView {
    /// The SMS.
    pub sms: Sms,
    /// The recipient that it came from.
    pub recipient: Recipient,
    /// The rule that decided.
    pub rule: String,
    /// Where it is.
    pub state: State,
    /// Attempts begun.
    pub attempts: u32,
    /// When something is done about it next; `None` in a final state.
    pub next_at: Option<Timestamp>,
    /// Every move: when, into which state, why.
    pub events: Vec<Event>,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Into which state.
    pub state: State,
    /// Why, in words.
    pub note: String,
}

/// One outgoing mail, as a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailView {
    /// The mail.
    pub mail: OutgoingMail,
    /// `due`, `claimed`, `sent` or `failed`.
    pub state: String,
    /// Attempts begun.
    pub attempts: u32,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// SMS to be sent.
    pub due: usize,
    /// SMS under way to the platform.
    pub claimed: usize,
    /// SMS of unknown outcome.
    pub unknown: usize,
    /// SMS that the platform has and the handset has not confirmed.
    pub sent: usize,
    /// Mails not yet sent.
    pub mail: usize,
}
