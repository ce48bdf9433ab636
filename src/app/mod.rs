//! Composition root: bind, wire, notify, reload, stop order.
//!
//! Start: gateway and mailer are built and every door is bound before the spool's workers begin, so that
//! a start that fails has sent nothing. Stop: the doors close and finish the message they are in, the
//! workers finish the calls they are in, and the spool is closed last. What does not finish within
//! the drain time is cut off, and the spool makes that safe; what was accepted meanwhile waits for
//! the next start.

mod clock;
mod doors;
pub mod log;
mod overrides;
#[cfg(test)]
mod room;
pub mod service;
#[cfg(test)]
mod simulation;
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

use crate::config::{Config, ConfiguredGateway, Overriding};
use crate::credit::{self, Credit};
use crate::dispatch::{Dispatch, Figures, Pulse, Traffic};
use crate::gateway::universal::{GatewayError, Universal};
use crate::gateway::{Flow, Gateway, LineSettings, Lines};
use crate::http;
use crate::intake::Intake;
use crate::mailer::{Mailer, MailerError};
use crate::model::SubmissionId;
use crate::notices::{self, Notices};
use crate::reporting::{Platforms, Reporting};
use crate::retry::later;
use crate::smtp;
use crate::spool::sqlite::SqliteSpool;
use crate::spool::{Spool, SpoolError, SubmissionView};
use crate::telling::Teller;
use crate::tls;
use crate::tracking::{self, Tracking};
use crate::vigil::{self, Vigil};
use doors::{AccountSecrets, CallbackDesk, FateDesk, FormDoor, MailDoor, OwnDoor};
use overrides::Overrides;

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
    /// Which swap the rules.
    overrides: Arc<Overrides>,
    accounts: Arc<ArcSwap<Vec<http::Account>>>,
    callbacks: Arc<ArcSwap<Option<http::CallbackDoor>>>,
    lines: Arc<Lines>,
    credit: Arc<Credit>,
    credit_at_start: credit::Settings,
    intake: Arc<Intake>,
    vigil: Arc<Vigil>,
    vigil_at_start: vigil::Settings,
    mailer: Option<Arc<ArcSwap<Mailer>>>,
    platforms: Arc<ArcSwap<Platforms>>,
    smtp: smtp::Handle,
    http: http::Handle,
    /// What was read at the start and cannot be swapped.
    fixed: Fixed,
}

/// Sections of the configuration that need a restart, each with what it came to.
type Fixed = [(&'static str, String); 9];

/// Secrets do not show in these texts, and need none: they are swapped.
fn fixed(config: &Config) -> Fixed {
    [
        ("the names and addresses of [[smtp.listener]]", smtp_sockets(&config.smtp)),
        ("[http]", without_tls(&config.http)),
        ("[spool]", format!("{:?}", config.spool)),
        ("[dispatch] and [tracking]", format!("{:?} {:?}", config.dispatch, config.tracking)),
        ("[telling]", format!("{:?}", config.telling)),
        ("[reporting] and [intake]", format!("{:?} {:?}", config.reporting, config.intake)),
        ("whether there is a [smarthost]", format!("{}", config.mailer.is_some())),
        ("[log]", format!("{:?}", config.log)),
        ("[shutdown]", format!("{:?}", config.drain_time)),
    ]
}

fn without_tls(settings: &http::Settings) -> String {
    let mut settings = settings.clone();
    for listener in &mut settings.listeners {
        listener.tls = None;
    }
    format!("{settings:?}")
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
        let watched = credit_settings(&config);
        let told = notice_settings(&config);
        let vigil_at_start = vigil_settings(&config);
        let lines = Arc::new(Lines::new(gateways(config.gateways)?));
        let mailer =
            config.mailer.map(Mailer::new).transpose()?.map(|mailer| Arc::new(ArcSwap::from_pointee(mailer)));
        let spool = Arc::new(SqliteSpool::open(config.spool)?);
        let routing = Arc::new(ArcSwap::from_pointee(config.routing));
        let overrides = Arc::new(Overrides::new(Arc::clone(&routing), config.overriding));
        let accounts = Arc::new(ArcSwap::from_pointee(config.accounts));
        let shared: Arc<dyn Spool> = spool.clone();
        let is_dry = config.intake.simulate_all;
        let intake = Arc::new(Intake::new(Arc::clone(&routing), Arc::clone(&shared), config.intake));
        intake.listen(config.listened);

        let mail_door = Arc::new(MailDoor(Arc::clone(&intake)));
        let metrics = smtp::Metrics::new();
        let smtp = smtp::Server::bind(config.smtp, mail_door, metrics.clone())
            .map_err(|error| StartError::Bind { message: error.to_string(), source: error.source })?;
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        overrides.register(&mut registry);
        let figures = Figures::new();
        figures.register(&mut registry);
        let traffic = Traffic::new();
        traffic.register(&mut registry);
        intake.figures().register(&mut registry);
        let flow = Flow::default();
        let credit = Arc::new(Credit::new(Arc::clone(&shared), Arc::clone(&lines), watched.clone()));
        credit.register(&mut registry);
        let rules = Arc::clone(&routing);
        let budgets = Box::new(move || rules.load().budgets().to_vec());
        let notices = Notices::new(Arc::clone(&shared), budgets, told);
        notices.register(&mut registry);
        let own = Arc::new(OwnDoor(Arc::clone(&intake)));
        let vigil = Arc::new(Vigil::new(Arc::clone(&shared), own, vigil_at_start.clone()));
        vigil.register(&mut registry);
        let expiry = tls::Expiry::new();
        expiry.register(registry.sub_registry_with_prefix("sms_relay_http"));
        let http_figures = http::Figures::new();
        http_figures.register(&mut registry);
        let tracked = tracking::Metrics::new();
        tracked.register(&mut registry);
        let taken = tracking::Callbacks::new(Arc::clone(&shared), flow.clone(), tracked);
        let behind = http::Behind {
            submitter: Arc::new(FormDoor::new(
                Arc::clone(&intake),
                Arc::clone(&lines),
                Arc::clone(&credit),
                Arc::clone(&vigil),
                Arc::clone(&overrides),
            )),
            lookup: Arc::new(FateDesk(Arc::clone(&shared))),
            callbacks: Arc::new(CallbackDesk(taken)),
        };
        let callbacks = Arc::new(ArcSwap::from_pointee(config.callbacks));
        let (known, door, registry) = (Arc::clone(&accounts), Arc::clone(&callbacks), Arc::new(registry));
        let http = http::Server::bind(config.http, known, door, behind, http_figures, registry)
            .await
            .map_err(|error| StartError::Bind { message: error.to_string(), source: error.source })?
            .showing(expiry);
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
        let waits = clock::waits(&config.dispatch, &config.tracking, &config.reporting, &config.telling);
        // The process before may have seen another clock.
        clock::shorten(shared.as_ref(), waits, now, None).await?;
        if is_dry {
            let count = spool.set_real_aside().await?;
            if count > 0 {
                tracing::warn!(
                    count,
                    "what was accepted to be sent is left alone in this dry run; a start without --dry-run goes on with it"
                );
            }
        }
        let (stop, stopped) = watch::channel(false);
        let pulse = Arc::new(Pulse::default());
        let mut workers = JoinSet::new();
        workers.spawn(clock::watch(Arc::clone(&shared), waits, stopped.clone()));
        let dispatch = Dispatch {
            spool: Arc::clone(&shared),
            lines: Arc::clone(&lines),
            pulse: Arc::clone(&pulse),
            flow: flow.clone(),
            figures,
            traffic,
            settings: config.dispatch,
        };
        workers.spawn(dispatch.run(stopped.clone()));
        let tracking = Tracking {
            spool: Arc::clone(&shared),
            lines: Arc::clone(&lines),
            flow,
            settings: config.tracking,
        };
        workers.spawn(tracking.run(stopped.clone()));
        let signers = Arc::new(AccountSecrets(Arc::clone(&accounts)));
        let teller = Teller::new(Arc::clone(&shared), signers, config.telling);
        workers.spawn(teller.run(stopped.clone()));
        workers.spawn(Arc::clone(&credit).run(stopped.clone()));
        workers.spawn(notices.run(stopped.clone()));
        workers.spawn(Arc::clone(&vigil).run(stopped.clone()));
        let platforms = Arc::new(ArcSwap::from_pointee(config.platforms));
        let reporting = Reporting::new(shared, mailer.clone(), Arc::clone(&platforms), config.reporting);
        workers.spawn(reporting.run(stopped.clone()));

        workers.spawn(Arc::clone(&overrides).run(stopped.clone()));

        let mut doors = JoinSet::new();
        let (smtp_handle, http_handle) = (smtp.handle(), http.handle());
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
            reloadable: Reloadable {
                overrides,
                accounts,
                callbacks,
                lines,
                credit,
                credit_at_start: watched,
                intake,
                vigil,
                vigil_at_start,
                mailer,
                platforms,
                smtp: smtp_handle,
                http: http_handle,
                fixed,
            },
        })
    }

    /// Every listener's name and the address that it got.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// The overrides that hold, for [`crate::config::load_to_run`].
    pub fn overriding(&self) -> Option<Arc<Overriding>> {
        self.reloadable.overrides.held()
    }

    /// Whether the spool can be written now. What is in it is worked on in any case.
    ///
    /// # Errors
    /// The spool's own sentence.
    pub async fn probe(&self) -> Result<(), SpoolError> {
        self.spool.probe().await
    }

    /// Everything known about one submission; `None` for an unknown id.
    ///
    /// # Errors
    /// The spool's own sentence.
    pub async fn submission(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError> {
        self.spool.submission(id).await
    }

    /// Whether the work loop has beaten lately.
    pub fn is_alive(&self) -> bool {
        self.pulse.age() < PULSE_LIMIT
    }

    /// Takes from a new configuration: rules, aliases, accounts, the guard of callbacks, the gateways and the smarthost with their
    /// addresses and credentials, everything of the SMTP door but its sockets, certificates among it, and the TLS of the
    /// HTTP door. Connections and messages under way keep what they began with. Returns the sections that changed too and need
    /// a restart.
    ///
    /// # Errors
    /// When the new gateway or smarthost does not work; nothing has changed then.
    pub fn reload(&self, config: Config) -> Result<Vec<&'static str>, ReloadError> {
        let now_fixed = fixed(&config);
        let changed = self.reloadable.fixed.iter().zip(&now_fixed).filter(|(then, now)| then != now);
        let needs_restart = changed.map(|(then, _)| then.0).collect();
        let watched = credit_settings(&config);
        // Who is told stands in [reporting], all of which waits for a restart.
        let watched =
            credit::Settings { gateways: watched.gateways, ..self.reloadable.credit_at_start.clone() };
        let expected = vigil_settings(&config);
        let expected = vigil::Settings {
            expected: expected.expected,
            heartbeats: expected.heartbeats,
            silence_is_trouble: expected.silence_is_trouble,
            ..self.reloadable.vigil_at_start.clone()
        };
        let gateways = gateways(config.gateways)?;
        let mailer = config.mailer.map(Mailer::new).transpose()?;
        if let (Some(held), Some(mailer)) = (&self.reloadable.mailer, mailer) {
            held.store(Arc::new(mailer));
        }
        self.reloadable.overrides.replace(config.routing, config.overriding);
        self.reloadable.accounts.store(Arc::new(config.accounts));
        self.reloadable.callbacks.store(Arc::new(config.callbacks));
        self.reloadable.credit.reload(watched);
        self.reloadable.intake.listen(config.listened);
        self.reloadable.vigil.reload(expected);
        // A report about what a gateway had that is gone still names its host.
        let mut platforms = Platforms::clone(&self.reloadable.platforms.load());
        platforms.extend(config.platforms);
        self.reloadable.platforms.store(Arc::new(platforms));
        self.reloadable.smtp.reload(config.smtp);
        self.reloadable.http.reload(&config.http);
        // Whoever mends the key at night does not wait for the next probe, which may be 15 minutes off.
        self.reloadable.lines.swap(gateways, Timestamp::now());
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

/// Whose credit is watched, and who is told. A mail about it needs somebody to read it and a smarthost to take it.
fn credit_settings(config: &Config) -> credit::Settings {
    let watched = |one: &ConfiguredGateway| one.credit.map(|credit| (one.api.name.clone(), credit));
    let reporting = &config.reporting;
    credit::Settings {
        gateways: config.gateways.iter().filter_map(watched).collect(),
        operator: reporting.operator.clone().filter(|_| config.mailer.is_some()),
        from: reporting.from.clone(),
        hostname: reporting.hostname.clone(),
        lifetime: reporting.lifetime,
    }
}

/// Who is told of budgets and limits, as for [`credit_settings`].
fn notice_settings(config: &Config) -> notices::Settings {
    let credit::Settings { gateways: _, operator, from, hostname, lifetime } = credit_settings(config);
    notices::Settings { operator, from, hostname, lifetime }
}

/// Who is to be heard of, and the tests. In a dry run nothing is delivered, so that no test could pass.
fn vigil_settings(config: &Config) -> vigil::Settings {
    let mut settings = config.vigil.clone();
    if config.intake.simulate_all {
        settings.heartbeats.clear();
    }
    settings
}

/// Gateways' clients, each with how much it may be called.
type Clients = Vec<(Arc<dyn Gateway>, LineSettings)>;

/// The gateways' clients.
fn gateways(configured: Vec<ConfiguredGateway>) -> Result<Clients, GatewayError> {
    let client =
        |one: ConfiguredGateway| Ok((Arc::new(Universal::new(one.api)?) as Arc<dyn Gateway>, one.line));
    configured.into_iter().map(client).collect()
}

/// Waits for the tasks until the deadline, then cuts them off.
async fn finish(tasks: &mut JoinSet<()>, deadline: tokio::time::Instant, what: &str) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout_at(deadline, all).await.is_err() {
        tracing::warn!("cut off after the drain time: {what}; the spool has what was accepted");
        tasks.shutdown().await;
    }
}
