//! One thread with one connection: commands come by a bounded queue, and those that wait together
//! share one transaction and so one sync of the disk (group commit).
//!
//! Each command runs in a savepoint of its own, so that one that fails takes nothing with it. No
//! command is answered before the commit; when the commit fails, all of the batch fail and nothing
//! of them is kept. (A log whose sync failed may still be read after a power cut in that very
//! moment: then a refused message is there after all. The next commit writes over it.)

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::super::{Signals, SpoolError, UnusedParts};
use super::directory;
use crate::crash_point;

/// Commands that wait; a caller beyond that waits for a place.
const WAITING: usize = 1024;
/// Commands in one transaction.
pub(super) const BATCH: usize = 256;
/// How long a caller waits for a place in the queue. The answer itself has no limit: to say no to
/// what is committed later would be a lie.
const PLACE_TIME: Duration = Duration::from_secs(10);

/// What a command is, as far as the lane cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Takes a submission; needs free space.
    Accept,
    /// Shows that one could be taken; needs free space.
    Probe,
    /// Claims SMS.
    Claim,
    /// Settles an SMS.
    Settle,
    /// Files a report.
    CloseCase,
    /// Files a mail that is about no submission.
    FileMail,
    /// Claims mail.
    ClaimMail,
    /// Settles a mail.
    SettleMail,
    /// Takes what the platform says of its own accord.
    Callback,
    /// Ends an SMS that somebody no longer wants sent.
    Cancel,
    /// Claims calls to programs.
    ClaimTelling,
    /// Settles such a call.
    SettleTelling,
    /// Takes over what a dead process left.
    Recover,
    /// Everything else.
    Other,
}

/// Their names: before the commit and after it.
type CrashPoints = (&'static str, &'static str);

impl Kind {
    /// The crash points before and after a commit in which such a command did something.
    fn crash_points(self) -> Option<CrashPoints> {
        match self {
            Self::Accept => Some(("before-accept-commit", "after-accept-commit")),
            Self::Claim => Some(("before-claim-commit", "after-claim-commit")),
            Self::Settle => Some(("before-settle-commit", "after-settle-commit")),
            Self::CloseCase => Some(("before-close-case-commit", "after-close-case-commit")),
            Self::FileMail => Some(("before-file-mail-commit", "after-file-mail-commit")),
            Self::ClaimMail => Some(("before-claim-mail-commit", "after-claim-mail-commit")),
            Self::SettleMail => Some(("before-settle-mail-commit", "after-settle-mail-commit")),
            Self::Callback => Some(("before-callback-commit", "after-callback-commit")),
            Self::Cancel => Some(("before-cancel-commit", "after-cancel-commit")),
            Self::ClaimTelling => Some(("before-claim-telling-commit", "after-claim-telling-commit")),
            Self::SettleTelling => Some(("before-settle-telling-commit", "after-settle-telling-commit")),
            Self::Recover => Some(("before-recover-commit", "after-recover-commit")),
            Self::Probe | Self::Other => None,
        }
    }

    fn needs_space(self) -> bool {
        match self {
            Self::Accept | Self::Probe => true,
            Self::Claim
            | Self::Settle
            | Self::CloseCase
            | Self::FileMail
            | Self::ClaimMail
            | Self::SettleMail
            | Self::Callback
            | Self::Cancel
            | Self::ClaimTelling
            | Self::SettleTelling
            | Self::Recover
            | Self::Other => false,
        }
    }
}

/// What is to be done once the commit is on the disk.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// SMS became due.
    pub(super) due: bool,
    /// SMS became unknown.
    pub(super) unknown: bool,
    /// SMS were sent.
    pub(super) sent: bool,
    /// Outcomes are to be told.
    pub(super) cases: bool,
    /// Mail became due.
    pub(super) mail: bool,
    /// Programs are to be told.
    pub(super) tellings: bool,
    /// The operator is to be told.
    pub(super) notices: bool,
    /// Somebody was heard of who is expected.
    pub(super) heard: bool,
    /// What accounts have not used after all.
    pub(super) unused: Vec<UnusedParts>,
    /// Records that were set aside, for the log.
    pub(super) damaged: Vec<String>,
    /// The command found nothing to do. Crash points pass it by: how often a queue is looked at in
    /// vain depends on timing, how often something is done does not.
    pub(super) idle: bool,
}

impl Effects {
    fn add(&mut self, other: Self) {
        self.due |= other.due;
        self.unknown |= other.unknown;
        self.sent |= other.sent;
        self.cases |= other.cases;
        self.mail |= other.mail;
        self.tellings |= other.tellings;
        self.notices |= other.notices;
        self.heard |= other.heard;
        self.unused.extend(other.unused);
        self.damaged.extend(other.damaged);
    }

    fn happen(self, signals: &Signals) {
        let raised = [
            (self.due, &signals.due),
            (self.unknown, &signals.unknown),
            (self.sent, &signals.sent),
            (self.cases, &signals.cases),
            (self.mail, &signals.mail),
            (self.tellings, &signals.tellings),
            (self.notices, &signals.notices),
            (self.heard, &signals.heard),
        ];
        for (_, signal) in raised.into_iter().filter(|(is_raised, _)| *is_raised) {
            signal.notify_one();
        }
        for record in self.damaged {
            tracing::error!(
                "{record}; it was set aside in the spool and nothing is done with it: repair it with `sqlite3` \
                 and restart the relay"
            );
        }
    }
}

/// A command on its way through the lane.
trait Job: Send {
    fn kind(&self) -> Kind;
    /// Nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    fn run(&mut self, connection: &Connection, effects: &mut Effects) -> Result<(), SpoolError>;
    fn refuse(&mut self, error: SpoolError);
    /// Tells the caller what became of it; `failed` is why the batch was not committed.
    fn answer(self: Box<Self>, failed: Option<&SpoolError>);
}

struct Command<T, F> {
    kind: Kind,
    work: Option<F>,
    result: Option<Result<T, SpoolError>>,
    caller: oneshot::Sender<Result<T, SpoolError>>,
}

impl<T, F> Job for Command<T, F>
where
    T: Send,
    F: FnOnce(&Connection, &mut Effects) -> Result<T, SpoolError> + Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn is_abandoned(&self) -> bool {
        self.caller.is_closed()
    }

    fn run(&mut self, connection: &Connection, effects: &mut Effects) -> Result<(), SpoolError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.result = Some(Ok(work(connection, effects)?));
        Ok(())
    }

    fn refuse(&mut self, error: SpoolError) {
        self.result = Some(Err(error));
    }

    fn answer(self: Box<Self>, failed: Option<&SpoolError>) {
        let result = match (self.result, failed) {
            (Some(Ok(_)) | None, Some(error)) => Err(error.clone()),
            (Some(result), _) => result,
            (None, None) => Err(gone()),
        };
        // Who no longer waits needs no answer.
        let _ = self.caller.send(result);
    }
}

enum Order {
    Work(Box<dyn Job>),
    Close,
}

fn gone() -> SpoolError {
    SpoolError::Unavailable("it is closed".to_owned())
}

/// The caller's end of a lane.
pub(super) struct Lane {
    orders: mpsc::Sender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

/// What a lane's thread is given.
pub(super) struct Track {
    /// The connection, for this thread alone.
    pub(super) connection: Connection,
    /// `BEGIN IMMEDIATE` to write, `BEGIN` to read.
    pub(super) begin: &'static str,
    /// Most commands in a transaction.
    pub(super) batch: usize,
    /// Raised after commits.
    pub(super) signals: Arc<Signals>,
    /// The directory, and how many octets of its file system stay free.
    pub(super) space: (PathBuf, u64),
}

impl Lane {
    /// Starts the thread.
    pub(super) fn start(name: &str, track: Track) -> std::io::Result<Self> {
        let (orders, queue) = mpsc::channel(WAITING);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let thread =
            std::thread::Builder::new().name(name.to_owned()).spawn(move || track.drive(queue, &counter))?;
        Ok(Self { orders, thread: Mutex::new(Some(thread)), commits })
    }

    /// Runs `work` in the thread, and returns once it is committed. When the caller goes away before
    /// the command's turn, it is not run.
    pub(super) async fn run<T, F>(&self, kind: Kind, work: F) -> Result<T, SpoolError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Effects) -> Result<T, SpoolError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let command = Command { kind, work: Some(work), result: None, caller };
        let order = Order::Work(Box::new(command));
        match tokio::time::timeout(PLACE_TIME, self.orders.send(order)).await {
            Ok(Ok(())) => answer.await.unwrap_or_else(|_| Err(gone())),
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(SpoolError::Unavailable(format!(
                "{WAITING} commands wait for the disk, and none was done in {} s",
                PLACE_TIME.as_secs()
            ))),
        }
    }

    /// Transactions committed so far.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Ends the thread after everything that waits. Later commands are refused.
    pub(super) async fn close(&self) {
        // An error means that it has ended already.
        let _ = self.orders.send(Order::Close).await;
        if let Some(thread) = self.take_thread() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Waits for the thread, which first finishes what waits. Nothing can be added: a caller borrows
/// the lane.
impl Drop for Lane {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.orders, closed));
        if let Some(thread) = self.take_thread() {
            let _ = thread.join();
        }
    }
}

impl Track {
    fn drive(self, mut queue: mpsc::Receiver<Order>, commits: &AtomicU64) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(order) = next {
                match order {
                    // What waits is still received, what comes later is not.
                    Order::Close => queue.close(),
                    Order::Work(job) => batch.push(job),
                }
                next = if batch.len() < self.batch { queue.try_recv().ok() } else { None };
            }
            batch.retain(|job| !job.is_abandoned());
            if !batch.is_empty() {
                self.serve(batch, commits);
            }
        }
    }

    fn serve(&self, mut batch: Vec<Box<dyn Job>>, commits: &AtomicU64) {
        let committed = self.transact(&mut batch);
        match committed {
            Ok((mut effects, points)) => {
                commits.fetch_add(1, Ordering::Relaxed);
                for (_, after) in points {
                    crash_point::reach(after);
                }
                // First, so that a client that cancels and sends again finds what it has been given back.
                self.signals.unused.add(std::mem::take(&mut effects.unused));
                for job in batch {
                    job.answer(None);
                }
                effects.happen(&self.signals);
            }
            Err(error) => {
                // After a failed statement SQLite may have done this already.
                if !self.connection.is_autocommit()
                    && let Err(error) = self.connection.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "the spool's transaction could not be rolled back");
                }
                for job in batch {
                    job.answer(Some(&error));
                }
            }
        }
    }

    /// One transaction for the whole batch. What it did comes back, and its crash points.
    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Result<(Effects, BTreeSet<CrashPoints>), SpoolError> {
        let (directory, least) = &self.space;
        let space = if batch.iter().any(|job| job.kind().needs_space()) {
            directory::require_free(directory, *least)
        } else {
            Ok(())
        };
        let mut effects = Effects::default();
        let mut points = BTreeSet::new();
        self.execute(self.begin)?;
        for job in batch {
            match &space {
                Err(error) if job.kind().needs_space() => job.refuse(error.clone()),
                Ok(()) | Err(_) => {
                    if let Some(happened) = self.step(job.as_mut())? {
                        points.extend(job.kind().crash_points().filter(|_| !happened.idle));
                        effects.add(happened);
                    }
                }
            }
        }
        for (before, _) in &points {
            crash_point::reach(before);
        }
        self.execute("COMMIT")?;
        Ok((effects, points))
    }

    /// One command in its savepoint; `None` when it failed alone.
    ///
    /// # Errors
    /// Why the whole transaction is lost.
    fn step(&self, job: &mut dyn Job) -> Result<Option<Effects>, SpoolError> {
        let mut effects = Effects::default();
        self.execute("SAVEPOINT command")?;
        match job.run(&self.connection, &mut effects) {
            Ok(()) => {
                self.execute("RELEASE command")?;
                Ok(Some(effects))
            }
            // A full disk may have ended the transaction, and with it what others did in it.
            Err(error) if self.connection.is_autocommit() => Err(error),
            Err(error) => {
                self.execute("ROLLBACK TO command")?;
                self.execute("RELEASE command")?;
                job.refuse(error);
                Ok(None)
            }
        }
    }

    fn execute(&self, sql: &str) -> Result<(), SpoolError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
