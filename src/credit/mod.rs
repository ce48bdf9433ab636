//! Watches what is left of the accounts' credit.
//!
//! Each gateway is asked at the start and then at its interval, but not while the platform wants to be left alone, or
//! not to be asked. That it does not want to be asked keeps nobody from sending.
//! What it says is a metric; that it is low, used up or enough again goes to the log and, once each, by mail to
//! the operator; an account with nothing left is a reason not to be ready. What was told is kept in the spool with
//! the mail that told it, so that no restart tells it twice.
//!
//! Nothing here stops anything from being sent: only the platform knows whether it still takes a message.

mod level;
mod words;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::bounce::{Letter, Notice};
use crate::gateway::{Line, Lines};
use crate::model::{CreditOutcome, MailAddress, MailId, MailKind, OutgoingMail, Price, ReversePath};
use crate::retry::later;
use crate::spool::{Spool, SpoolError};
use level::Level;

/// How often an account is asked unless the configuration says otherwise.
pub const USUAL_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// Longest sleep of the loop.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// Shortest time between two questions about one account, whatever was configured.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// What the watcher is told by the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Gateways whose accounts are asked, by name. One that is paid afterwards has no place here.
    pub gateways: Vec<(String, GatewayCredit)>,
    /// Who is told by mail; nobody without one, and where there is no smarthost.
    pub operator: Option<MailAddress>,
    /// `From:` of the mail.
    pub from: MailAddress,
    /// The right side of message ids.
    pub hostname: String,
    /// When a mail is given up.
    pub lifetime: Duration,
}

/// How one account is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayCredit {
    /// How often it is asked, [`USUAL_INTERVAL`] by default.
    pub every: Duration,
    /// What is less than this is low.
    pub low: Option<Price>,
}

/// The watcher.
pub struct Credit {
    spool: Arc<dyn Spool>,
    lines: Arc<Lines>,
    settings: ArcSwap<Settings>,
    known: Mutex<BTreeMap<String, Known>>,
    metrics: Metrics,
    reloaded: Notify,
    clock: Clock,
}

type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// What is known of an account.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// When to ask next; at once where nothing is said.
    ask_at: Option<Instant>,
    /// What was left last.
    left: Option<Price>,
    /// Whether that is enough.
    level: Level,
    /// What the operator was told last; unknown before the spool was asked.
    told: Option<Level>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    gateway: String,
}

type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// A gateway that never told its credit has no series.
#[derive(Clone, Debug, Default)]
struct Metrics {
    left: Gauges,
    told_at: Gauges,
    low: Family<Labels, Gauge>,
}

impl Metrics {
    fn forget(&self, gateway: &str) {
        let labels = Labels { gateway: gateway.to_owned() };
        self.left.remove(&labels);
        self.told_at.remove(&labels);
        self.low.remove(&labels);
    }
}

impl Credit {
    /// Asks nobody yet.
    pub fn new(spool: Arc<dyn Spool>, lines: Arc<Lines>, settings: Settings) -> Self {
        Self::with_clock(spool, lines, settings, Box::new(Timestamp::now))
    }

    fn with_clock(spool: Arc<dyn Spool>, lines: Arc<Lines>, settings: Settings, clock: Clock) -> Self {
        Self {
            spool,
            lines,
            settings: ArcSwap::from_pointee(settings),
            known: Mutex::default(),
            metrics: Metrics::default(),
            reloaded: Notify::new(),
            clock,
        }
    }

    /// Puts the metrics into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        let Metrics { left, told_at, low } = self.metrics.clone();
        registry.register(
            "sms_relay_gateway_credit",
            "What is left of the account's credit, in its currency",
            left,
        );
        registry.register(
            "sms_relay_gateway_credit_timestamp_seconds",
            "When the platform last told the account's credit, in seconds since 1970",
            told_at,
        );
        let help = "Whether the account's credit is below its limit or used up (1) or not (0)";
        registry.register("sms_relay_gateway_credit_low", help, low);
    }

    /// Takes new settings. Everybody is asked at once, for somebody may have topped an account up.
    pub fn reload(&self, settings: Settings) {
        let is_watched = |name: &String| settings.gateways.iter().any(|(watched, _)| watched == name);
        self.known().retain(|name, known| {
            known.ask_at = None;
            if !is_watched(name) {
                self.metrics.forget(name);
            }
            is_watched(name)
        });
        self.settings.store(Arc::new(settings));
        self.reloaded.notify_one();
    }

    /// The accounts with nothing left, a sentence each; what was heard last counts, however long ago.
    pub fn trouble(&self) -> Vec<String> {
        let (settings, known) = (self.settings.load(), self.known());
        let is_empty = |name: &String| known.get(name).is_some_and(|known| known.level == Level::Empty);
        let names = settings.gateways.iter().map(|(name, _)| name).filter(|name| is_empty(name));
        names.map(|name| format!("gateway {name}: credit is used up")).collect()
    }

    /// What was left of an account's credit when the platform last told it.
    pub fn left(&self, gateway: &str) -> Option<Price> {
        self.known().get(gateway)?.left
    }

    /// Asks until `shutdown` turns true. A question under way is dropped then.
    pub async fn run(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        while !*shutdown.borrow() {
            let wait = self.ask_who_is_due(&shutdown).await;
            tokio::select! {
                () = stopped(&mut shutdown) => {}
                () = self.reloaded.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What is known of the accounts; it is whole after every step, so that a poisoned lock is still good.
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to wait until the next is due.
    async fn ask_who_is_due(&self, shutdown: &watch::Receiver<bool>) -> Duration {
        let settings = self.settings.load_full();
        let mut wait = LONGEST_WAIT;
        for (name, watched) in &settings.gateways {
            // The empty name stands for any gateway, which is no account.
            let Some(line) = self.lines.named(name).filter(|_| !name.is_empty()) else { continue };
            let known = self.known().get(name).copied().unwrap_or_default();
            let due_in = known.ask_at.map(|at| at.saturating_duration_since(Instant::now()));
            let due_in = match due_in.filter(|due_in| !due_in.is_zero()) {
                Some(due_in) => due_in,
                None => match self.pause(&line) {
                    Some(pause) => pause,
                    None => self.ask(&line, *watched, &settings, shutdown.clone()).await,
                },
            };
            wait = wait.min(due_in);
        }
        wait
    }

    /// For how long the platform wants to be left alone.
    fn pause(&self, line: &Line) -> Option<Duration> {
        let now = (self.clock)();
        let until = line.gate.questions_paused_until(now)?;
        // A clock that is set does not make it wait for ever.
        Some(Duration::try_from(until.duration_since(now)).unwrap_or_default().max(SHORTEST_INTERVAL))
    }

    /// Asks one; until the next time.
    async fn ask(
        &self,
        line: &Line,
        watched: GatewayCredit,
        settings: &Settings,
        mut shutdown: watch::Receiver<bool>,
    ) -> Duration {
        let name = line.gateway.name();
        // Only the question may be dropped, and nothing that is being written.
        let outcome = tokio::select! {
            biased;
            () = stopped(&mut shutdown) => return SHORTEST_INTERVAL,
            outcome = line.gateway.credit() => outcome,
        };
        match outcome {
            CreditOutcome::Left(left) => self.take(name, left, watched, settings).await,
            CreditOutcome::CannotTell { until, cause } => {
                tracing::warn!(gateway = name, cause = %cause.text, "the credit is not known now");
                if let Some(until) = until {
                    line.gate.pause_questions(until, (self.clock)());
                }
            }
        }
        let wait = watched.every.max(SHORTEST_INTERVAL);
        self.known().entry(name.to_owned()).or_default().ask_at = Instant::now().checked_add(wait);
        wait
    }

    /// Takes in what is left, and tells whoever has to know.
    async fn take(&self, name: &str, left: Price, watched: GatewayCredit, settings: &Settings) {
        let now = (self.clock)();
        let known = self.known().get(name).copied().unwrap_or_default();
        let told = match known.told {
            Some(told) => told,
            None => match self.spool.note(note_key(name)).await {
                Ok(word) => word.as_deref().and_then(Level::parse).unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(gateway = name, %error, "what was told of the credit is not known now");
                    self.learn(name, left, level::judge(left, watched.low, known.level), None, now);
                    return;
                }
            },
        };
        // Before the first answer, what was told last is what it was.
        let before = if known.left.is_some() { known.level } else { told };
        let level = level::judge(left, watched.low, before);
        log(name, known, level, left);
        self.learn(name, left, level, Some(told), now);
        let (Some(news), Some(operator)) = (level::news(told, level), &settings.operator) else { return };
        match self.tell(name, news, left, watched, settings, operator, now).await {
            Ok(()) => self.learn(name, left, level, Some(news), now),
            // The next answer tells it.
            Err(error) => {
                tracing::warn!(gateway = name, %error, "the mail about the credit cannot be filed now")
            }
        }
    }

    fn learn(&self, name: &str, left: Price, level: Level, told: Option<Level>, now: Timestamp) {
        let mut known = self.known();
        let known = known.entry(name.to_owned()).or_default();
        (known.left, known.level, known.told) = (Some(left), level, told);
        let labels = Labels { gateway: name.to_owned() };
        self.metrics.left.get_or_create(&labels).set(left.millionths() as f64 / 1e6);
        self.metrics.told_at.get_or_create(&labels).set(now.as_millisecond() as f64 / 1e3);
        self.metrics.low.get_or_create(&labels).set(i64::from(level > Level::Fine));
    }

    /// Files the mail and notes that it was told.
    #[allow(clippy::too_many_arguments, reason = "all of it goes into one mail")]
    async fn tell(
        &self,
        name: &str,
        news: Level,
        left: Price,
        watched: GatewayCredit,
        settings: &Settings,
        operator: &MailAddress,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        let (subject, text) = words::mail(name, news, left, watched.low, watched.every);
        let id = MailId::new(now);
        let letter = Letter { hostname: &settings.hostname, from: &settings.from, to: operator, id, now };
        let mail = OutgoingMail {
            id,
            about: None,
            kind: MailKind::Notice,
            reverse_path: ReversePath::Null,
            recipient: operator.clone(),
            bytes: Notice { letter, subject: &subject, text: &text }.to_bytes(),
            expires_at: later(now, settings.lifetime),
        };
        // In one commit, so that no crash comes between the two and has it told twice.
        self.spool.file_mail(mail, Some((note_key(name), news.as_str().to_owned())), now).await
    }
}

/// Resolves when the process is to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop us is gone, which is a reason to stop as well.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn note_key(gateway: &str) -> String {
    format!("credit:{gateway}")
}

/// Each change of the level once, and what a start finds unless it is fine.
fn log(gateway: &str, known: Known, level: Level, left: Price) {
    if level == known.level {
        return tracing::debug!(gateway, %left, "the account's credit");
    }
    match level {
        Level::Fine => tracing::info!(gateway, %left, "the account's credit is enough again"),
        Level::Low => tracing::warn!(gateway, %left, "the account's credit is low"),
        Level::Empty => tracing::error!(gateway, %left, "the account's credit is used up"),
    }
}

#[cfg(test)]
mod tests;
