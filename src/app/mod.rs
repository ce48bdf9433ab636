//! Composition root: bind, wire, notify, reload, stop order.
//!
//! Start: gateway and mailer are built and every door is bound before the spool's workers begin, so that
//! a start that fails has sent nothing. Stop: the doors close and finish the message they are in, the
//! workers finish the calls they are in, and the spool is closed last. What does not finish within
//! the drain time is cut off, and the spool makes that safe; what was accepted meanwhile waits for
//! the next start.

mod doors;
pub mod log;
pub mod service;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::dispatch::{Dispatch, Figures, Pulse};
use crate::gateway::universal::{GatewayError, Universal};
use crate::gateway::{SharedGate, Swappable};
use crate::http;
use crate::intake::Intake;
use crate::mailer::{Mailer, MailerError};
use crate::reporting::Reporting;
use crate::retry::later;
use crate::routing::Routing;
use crate::smtp;
use crate::spool::sqlite::SqliteSpool;
use crate::spool::{Spool, SpoolError};
use crate::tracking::Tracking;
use doors::{FormDoor, MailDoor};

/// How old the work loop's last beat may be while the relay counts as alive; the loop beats at
/// least every 10 s.
const PULSE_LIMIT: Duration = Duration::from_secs(45);

/// Why the relay did not start. Nothing was accepted or sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The spool cannot be opened.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The gateway's settings do not work.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The smarthost's settings do not work.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// A port cannot be had.
    #[error("{message}")]
    Bind {
        /// The whole sentence.
        message: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running relay.
pub struct App {
    doors: JoinSet<()>,
    workers: JoinSet<()>,
    stop: watch::Sender<bool>,
    spool: Arc<SqliteSpool>,
    pulse: Arc<Pulse>,
    drain: Duration,
    addresses: Vec<(String, SocketAddr)>,
    reloadable: Reloadable,
}

/// What a reload swaps.
struct Reloadable {
    routing: Arc<ArcSwap<Routing>>,
    accounts: Arc<ArcSwap<Vec<http::Account>>>,
    gateway: Arc<Swappable>,
    gate: SharedGate,
    mailer: Option<Arc<ArcSwap<Mailer>>>,
    smtp: smtp::Handle,
    /// What was read at the start and cannot be swapped.
    fixed: Fixed,
}

/// Sections of the configuration that need a restart, each with what it came to.
type Fixed = [(&'static str, String); 8];

/// Secrets do not show in these texts, and need none: they are swapped.
fn fixed(config: &Config) -> Fixed {
    [
        ("the names and addresses of [[smtp.listener]]", smtp_sockets(&config.smtp)),
        ("[http]", format!("{:?}", config.http)),
        ("[spool]", format!("{:?}", config.spool)),
        ("[dispatch] and [tracking]", format!("{:?} {:?}", config.dispatch, config.tracking)),
        ("[reporting] and [intake]", format!("{:?} {:?}", config.reporting, config.intake)),
        ("whether there is a [smarthost]", format!("{}", config.mailer.is_some())),
        ("[log]", format!("{:?}", config.log)),
        ("[shutdown]", format!("{:?}", config.drain_time)),
    ]
}

fn smtp_sockets(settings: &smtp::Settings) -> String {
    settings.listeners.iter().map(|listener| format!("{} {}\n", listener.name, listener.bind)).collect()
}

/// Why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The gateway's settings do not work.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The smarthost's settings do not work.
    #[error(transparent)]
    Mailer(#[from] MailerError),
}

impl App {
    /// Opens the spool, binds every door and starts the workers.
    ///
    /// # Errors
    /// [`StartError`]; everything that was begun is undone.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let fixed = fixed(&config);
        let gateway = Arc::new(Swappable::new(Universal::new(config.gateway)?));
        let mailer =
            config.mailer.map(Mailer::new).transpose()?.map(|mailer| Arc::new(ArcSwap::from_pointee(mailer)));
        let spool = Arc::new(SqliteSpool::open(config.spool)?);
        let routing = Arc::new(ArcSwap::from_pointee(config.routing));
        let accounts = Arc::new(ArcSwap::from_pointee(config.accounts));
        let gate = SharedGate::new(config.dispatch.probe);
        let shared: Arc<dyn Spool> = spool.clone();
        let intake = Arc::new(Intake::new(Arc::clone(&routing), Arc::clone(&shared), config.intake));

        let mail_door = Arc::new(MailDoor(Arc::clone(&intake)));
        let metrics = smtp::Metrics::new();
        let smtp = smtp::Server::bind(config.smtp, mail_door, metrics.clone())
            .map_err(|error| StartError::Bind { message: error.to_string(), source: error.source })?;
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let figures = Figures::new();
        figures.register(&mut registry);
        let form_door = Arc::new(FormDoor::new(intake, gate.clone()));
        let http = http::Server::bind(config.http, Arc::clone(&accounts), form_door, Arc::new(registry))
            .await
            .map_err(|error| StartError::Bind { message: error.to_string(), source: error.source })?;
        let mut addresses = smtp.local_addresses();
        addresses.extend(http.local_addresses());

        let now = Timestamp::now();
        let recovered = spool.recover(now, later(now, config.dispatch.ask_after)).await?;
        if recovered != crate::spool::Recovered::default() {
            tracing::warn!(
                unknown = recovered.unknown,
                mail = recovered.mail,
                "the relay had ended in the middle of something; the platform is asked before anything is sent again"
            );
        }
        let (stop, stopped) = watch::channel(false);
        let pulse = Arc::new(Pulse::default());
        let mut workers = JoinSet::new();
        let dispatch = Dispatch {
            spool: Arc::clone(&shared),
            gateway: gateway.clone(),
            gate: gate.clone(),
            pulse: Arc::clone(&pulse),
            figures,
            settings: config.dispatch,
        };
        workers.spawn(dispatch.run(stopped.clone()));
        let tracking = Tracking {
            spool: Arc::clone(&shared),
            gateway: gateway.clone(),
            gate: gate.clone(),
            settings: config.tracking,
        };
        workers.spawn(tracking.run(stopped.clone()));
        let reporting = Reporting::new(shared, mailer.clone(), config.reporting);
        workers.spawn(reporting.run(stopped.clone()));

        let mut doors = JoinSet::new();
        let smtp_handle = smtp.handle();
        doors.spawn(smtp.run(stopped.clone()));
        doors.spawn(http.run(stopped));
        for (listener, address) in &addresses {
            tracing::info!(listener, %address, "listening");
        }
        Ok(Self {
            doors,
            workers,
            stop,
            spool,
            pulse,
            drain: config.drain_time,
            addresses,
            reloadable: Reloadable { routing, accounts, gateway, gate, mailer, smtp: smtp_handle, fixed },
        })
    }

    /// Every listener's name and the address that it got.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Whether the spool can be written now. What is in it is worked on in any case.
    ///
    /// # Errors
    /// The spool's own sentence.
    pub async fn probe(&self) -> Result<(), SpoolError> {
        self.spool.probe().await
    }

    /// Whether the work loop has beaten lately.
    pub fn is_alive(&self) -> bool {
        self.pulse.age() < PULSE_LIMIT
    }

    /// Takes from a new configuration: rules, aliases, the gateway and the smarthost with their
    /// credentials, and everything of the SMTP door but its sockets, certificates among it. Connections
    /// and messages under way keep what they began with. Returns the sections that changed too and need
    /// a restart.
    ///
    /// # Errors
    /// When the new gateway or smarthost does not work; nothing has changed then.
    pub fn reload(&self, config: Config) -> Result<Vec<&'static str>, ReloadError> {
        let now_fixed = fixed(&config);
        let changed = self.reloadable.fixed.iter().zip(&now_fixed).filter(|(then, now)| then != now);
        let needs_restart = changed.map(|(then, _)| then.0).collect();
        let gateway = Universal::new(config.gateway)?;
        let mailer = config.mailer.map(Mailer::new).transpose()?;
        self.reloadable.gateway.swap(gateway);
        if let (Some(held), Some(mailer)) = (&self.reloadable.mailer, mailer) {
            held.store(Arc::new(mailer));
        }
        self.reloadable.routing.store(Arc::new(config.routing));
        self.reloadable.accounts.store(Arc::new(config.accounts));
        self.reloadable.smtp.reload(config.smtp);
        // Whoever mends the key at night does not wait for the next probe, which may be 15 minutes off.
        self.reloadable.gate.with(|gate| gate.mended(Timestamp::now()));
        self.spool.signals().due.notify_one();
        Ok(needs_restart)
    }

    /// Closes the doors, finishes what is under way, within the drain time in all, and closes the spool.
    pub async fn stop(mut self) {
        let deadline = tokio::time::Instant::now() + self.drain;
        self.stop.send_replace(true);
        finish(&mut self.doors, deadline, "connections").await;
        finish(&mut self.workers, deadline, "calls to the platform or the smarthost").await;
        self.spool.close().await;
    }
}

/// Waits for the tasks until the deadline, then cuts them off.
async fn finish(tasks: &mut JoinSet<()>, deadline: tokio::time::Instant, what: &str) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout_at(deadline, all).await.is_err() {
        tracing::warn!("cut off after the drain time: {what}; the spool has what was accepted");
        tasks.shutdown().await;
    }
}
