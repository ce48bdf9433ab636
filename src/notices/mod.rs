//! Word to the operator of what the spool notices by itself: that a budget or a limit bites.
//!
//! What there is within some seconds goes into one mail, and there are only so many mails an hour: what comes then
//! waits for the next one, which tells it all, first what is about budgets. Each notice is a line of the log, too, at
//! once, however many wait for a mail. It is in the spool until
//! the commit that files its mail, so that none is lost and none is told twice. The count of the mails of the last hour
//! is that of this process.
//!
//! `figures` are the metrics of the budgets.

mod figures;
mod words;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::bounce::{Letter, Notice};
use crate::model::{MailAddress, MailId, MailKind, OutgoingMail, ReversePath};
use crate::retry::later;
use crate::routing::Budget;
use crate::spool::{Spool, SpoolError, Word};
use figures::Figures;

/// How long what is noticed waits for more of it.
const GATHERED: Duration = Duration::from_secs(5);
/// Most mails in any hour.
const MOST_MAILS: usize = 6;
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Most notices that one mail tells; the rest comes with the next. So many that a storm is told by one or two: of limits
/// a mail has few in full.
const MOST_TOLD: usize = 5000;
/// Most notices that are read for the log at once.
const MOST_LOGGED: usize = 200;
/// How often the figures are read anew.
const FIGURES_EVERY: Duration = Duration::from_secs(10);
/// Before the spool is asked again after it failed.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// What is told by the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Who is told by mail; nobody without one, and where there is no smarthost: then only the log tells.
    pub operator: Option<MailAddress>,
    /// `From:` of the mail.
    pub from: MailAddress,
    /// The right side of message ids.
    pub hostname: String,
    /// When a mail is given up.
    pub lifetime: Duration,
}

/// Tells the operator.
pub struct Notices {
    spool: Arc<dyn Spool>,
    settings: Settings,
    figures: Figures,
    told: Counter,
    clock: Clock,
}

/// The budgets of the current configuration.
pub type Current = Box<dyn Fn() -> Vec<Budget> + Send + Sync>;

type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// What the loop remembers.
#[derive(Default)]
pub(crate) struct Memory {
    /// The last notice that is in the log.
    logged: Option<i64>,
    /// How many that are in the log wait for a mail.
    waiting: usize,
    /// When the first of them happened.
    since: Option<Timestamp>,
    /// When the mails of the last hour were filed.
    mails: VecDeque<Instant>,
}

impl Notices {
    /// Tells nobody yet. `budgets` gives those of the current configuration.
    pub fn new(spool: Arc<dyn Spool>, budgets: Current, settings: Settings) -> Self {
        Self::with_clock(spool, budgets, settings, Box::new(Timestamp::now))
    }

    pub(crate) fn with_clock(
        spool: Arc<dyn Spool>,
        budgets: Current,
        settings: Settings,
        clock: Clock,
    ) -> Self {
        let figures = Figures::new(budgets);
        Self { spool, settings, figures, told: Counter::default(), clock }
    }

    /// Puts the metrics into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        self.figures.register(registry);
        let help =
            "What the operator was told of budgets and limits, by mail or, without a smarthost, by the log";
        registry.register("sms_relay_notices", help, self.told.clone());
    }

    /// Tells until `shutdown` turns true. What is not told then is told after the next start.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let signals = self.spool.signals();
        let mut memory = Memory::default();
        let mut figures_at = Instant::now();
        while !*shutdown.borrow() {
            let wait = self.tell(&mut memory).await;
            if figures_at <= Instant::now() {
                self.read_figures().await;
                figures_at = Instant::now() + FIGURES_EVERY;
            }
            let until_figures = figures_at.saturating_duration_since(Instant::now());
            tokio::select! {
                biased;
                // An error means that whoever could stop us is gone, which is a reason to stop as well.
                _ = shutdown.wait_for(|stop| *stop) => {}
                () = signals.notices.notified() => {}
                () = tokio::time::sleep(wait.map_or(until_figures, |wait| wait.min(until_figures))) => {}
            }
        }
    }

    async fn read_figures(&self) {
        let now = (self.clock)();
        match self.spool.budgets(now).await {
            Ok(budgets) => self.figures.take(&budgets),
            Err(error) => tracing::debug!(%error, "what is spent of the budgets is not known now"),
        }
    }

    /// Tells what is to be told now. How long to wait before the next look; `None` where there is nothing.
    pub(crate) async fn tell(&self, memory: &mut Memory) -> Option<Duration> {
        match self.tell_some(memory).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "what the operator is to be told is not known now");
                Some(AFTER_FAILURE)
            }
        }
    }

    async fn tell_some(&self, memory: &mut Memory) -> Result<Option<Duration>, SpoolError> {
        self.log(memory).await?;
        let Some(since) = memory.since else { return Ok(None) };
        let Some(operator) = &self.settings.operator else {
            let words = self.waiting(memory).await?;
            return Ok(self.close(memory, &words, None).await);
        };
        // It does not wait for a clock that was put back.
        let age = Duration::try_from((self.clock)().duration_since(since));
        let gathering = age.map_or(Duration::ZERO, |age| GATHERED.saturating_sub(age));
        if !gathering.is_zero() && memory.waiting < MOST_TOLD {
            return Ok(Some(gathering));
        }
        let now = Instant::now();
        while memory.mails.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            memory.mails.pop_front();
        }
        if let (Some(oldest), true) = (memory.mails.front(), memory.mails.len() >= MOST_MAILS) {
            return Ok(Some(HOUR.saturating_sub(now.duration_since(*oldest))));
        }
        let words = self.waiting(memory).await?;
        let mail = (!words.is_empty()).then(|| self.mail(&words, operator));
        let is_mailed = mail.is_some();
        let wait = self.close(memory, &words, mail).await;
        if is_mailed && wait == Some(Duration::ZERO) {
            memory.mails.push_back(now);
        }
        Ok(wait)
    }

    /// Writes what is new into the log, whether or not there is a mail for it.
    async fn log(&self, memory: &mut Memory) -> Result<(), SpoolError> {
        loop {
            let words = self.spool.notices_after(memory.logged, MOST_LOGGED).await?;
            for word in &words {
                tracing::warn!(about = word.about, at = %word.at, "{}", word.words);
                memory.since.get_or_insert(word.at);
                memory.logged = Some(word.seq);
            }
            memory.waiting += words.len();
            if words.len() < MOST_LOGGED {
                return Ok(());
            }
        }
    }

    /// What the next mail tells. What came since the log was written is for the one after.
    async fn waiting(&self, memory: &Memory) -> Result<Vec<Word>, SpoolError> {
        let mut words = self.spool.notices(MOST_TOLD).await?;
        words.retain(|word| Some(word.seq) <= memory.logged);
        Ok(words)
    }

    /// At once again where it worked, as there may be more.
    async fn close(
        &self,
        memory: &mut Memory,
        words: &[Word],
        mail: Option<OutgoingMail>,
    ) -> Option<Duration> {
        let told = words.iter().map(|word| word.seq).collect();
        match self.spool.close_notices(told, mail, (self.clock)()).await {
            Ok(()) => {
                self.told.inc_by(words.len() as u64);
                // Somebody may have taken some away.
                memory.waiting =
                    if words.is_empty() { 0 } else { memory.waiting.saturating_sub(words.len()) };
                if memory.waiting == 0 {
                    memory.since = None;
                }
                Some(Duration::ZERO)
            }
            Err(SpoolError::Told(_)) => Some(AFTER_FAILURE),
            Err(error) => {
                tracing::warn!(%error, "the mail to the operator cannot be filed now");
                Some(AFTER_FAILURE)
            }
        }
    }

    fn mail(&self, words: &[Word], operator: &MailAddress) -> OutgoingMail {
        let now = (self.clock)();
        let Settings { hostname, from, lifetime, operator: _ } = &self.settings;
        let id = MailId::new(now);
        let (subject, text) = words::mail(words);
        let letter = Letter { hostname, from, to: operator, id, now };
        OutgoingMail {
            id,
            about: None,
            kind: MailKind::Notice,
            reverse_path: ReversePath::Null,
            recipient: operator.clone(),
            bytes: Notice { letter, subject: &subject, text: &text }.to_bytes(),
            expires_at: later(now, *lifetime),
        }
    }
}

#[cfg(test)]
mod tests;
