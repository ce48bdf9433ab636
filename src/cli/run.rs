//! `sms-relay run`: the daemon.

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Exit;
use crate::app::{App, StartError, log, service};
use crate::config::{self, Config, Problem, Problems, Severity};
use crate::spool::SpoolError;

/// How often the state is shown to the service manager when it does not ask for more.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// What is run, and how.
#[derive(Clone, Copy, Debug)]
struct Job<'a> {
    /// The configuration's path.
    path: &'a Path,
    /// Whether the platform is only to check every message.
    is_dry: bool,
}

impl Job<'_> {
    /// The configuration as it is run.
    fn of(self, mut config: Config) -> Config {
        config.intake.simulate_all = self.is_dry;
        config
    }

    /// The line for `systemctl status` when all is well.
    fn status(self) -> &'static str {
        if self.is_dry { "serving; a dry run, no phone gets anything" } else { "serving" }
    }
}

pub(super) fn run(path: &Path, is_dry: bool) -> Exit {
    let job = Job { path, is_dry };
    let loaded = match config::load_to_run(path, None) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprint!("{problems}");
            return Exit::Config;
        }
    };
    if let Err(error) = log::start(&loaded.config.log) {
        eprintln!("sms-relay: the log cannot be opened: {error}");
        return Exit::Unavailable;
    }
    log_problems(&loaded.warnings);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the runtime cannot start");
            return Exit::Unavailable;
        }
    };
    if is_dry {
        tracing::warn!(
            "this is a dry run: the platform checks every message and sends none, no phone gets anything"
        );
    }
    runtime.block_on(serve(job, job.of(loaded.config)))
}

async fn serve(job: Job<'_>, config: Config) -> Exit {
    let signals =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(terminate), Ok(interrupt), Ok(hangup)) = signals else {
        tracing::error!("signals cannot be received");
        return Exit::Unavailable;
    };
    let app = match App::start(config).await {
        Ok(app) => app,
        Err(error) => {
            tracing::error!(%error, "the relay did not start");
            return exit_of(&error);
        }
    };
    tokio::select! {
        () = until_ready(&app, job) => {}
        () = until_told_to_stop(&app, job, terminate, interrupt, hangup) => {}
    }
    service::stopping();
    tracing::info!("stopping: doors close, what is under way is finished");
    app.stop().await;
    tracing::info!("stopped");
    Exit::Fine
}

/// Tells the service manager once the spool can be written, and then never ends. A disk that is full
/// is no reason to end: what is in the spool is sent meanwhile, and the doors say "later".
async fn until_ready(app: &App, job: Job<'_>) {
    while let Err(error) = app.probe().await {
        tracing::error!(%error, "not ready: nothing can be accepted, what is in the spool is sent");
        service::waiting(&format!("not ready: {error}"), 2 * STATUS_INTERVAL);
        tokio::time::sleep(STATUS_INTERVAL / 2).await;
    }
    service::ready(job.status());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), dry_run = job.is_dry, "ready");
    std::future::pending::<()>().await;
}

async fn until_told_to_stop(
    app: &App,
    job: Job<'_>,
    mut terminate: Signal,
    mut interrupt: Signal,
    mut hangup: Signal,
) {
    // Twice within the time that the service manager allows (sd_watchdog_enabled(3)).
    let interval = service::watchdog_interval().map_or(STATUS_INTERVAL, |time| time / 2);
    let mut tick = tokio::time::interval(interval);
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => reload(app, job),
            _ = tick.tick() => {
                if app.is_alive() {
                    service::watchdog();
                } else {
                    tracing::error!("the work loop does not answer; the watchdog is not fed");
                }
            }
        }
    }
}

/// A faulty file changes nothing and says why.
fn reload(app: &App, job: Job<'_>) {
    let loaded = match config::load_to_run(job.path, app.overriding().as_deref()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            log_problems(&problems);
            tracing::error!("not reloaded: the old rules stay until the configuration is right");
            service::status("the last reload failed: the old rules stay");
            return;
        }
    };
    log_problems(&loaded.warnings);
    match app.reload(job.of(loaded.config)) {
        Ok(needs_restart) => {
            tracing::info!("reloaded: rules, aliases and credentials");
            if !needs_restart.is_empty() {
                let sections = needs_restart.join(", ");
                tracing::warn!(sections, "changed too, and as before until a restart");
            }
            service::status(job.status());
        }
        Err(error) => tracing::error!(%error, "not reloaded, the old rules stay"),
    }
}

/// A line each; `check` shows them with the offending text.
fn log_problems(problems: &Problems) {
    for Problem { severity, file, place, text, more: _ } in problems.iter() {
        let (line, column) = place.as_ref().map_or((None, None), |at| (Some(at.line), Some(at.column)));
        match severity {
            Severity::Error => tracing::error!(file = %file.display(), line, column, "{text}"),
            Severity::Warning => tracing::warn!(file = %file.display(), line, column, "{text}"),
        }
    }
}

fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Spool(
            SpoolError::Unavailable(_)
            | SpoolError::Stale(_)
            | SpoolError::StaleMail(_)
            | SpoolError::Told(_),
        ) => Exit::Unavailable,
        StartError::Spool(SpoolError::Unusable(_)) => Exit::CannotCreate,
        StartError::Gateway(_) | StartError::Mailer(_) => Exit::Config,
        StartError::Bind { source, .. } => Exit::of(source),
    }
}
