//! Where log lines go and how they look.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogFormat, LogSettings};
use crate::model::show_full_numbers;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The journal's socket cannot be reached.
    #[error("the journal cannot be reached: {0}; set log.format to \"human\" or \"json\"")]
    Journal(#[from] std::io::Error),
    /// A log was started before.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Starts the log of this process on standard error or in the journal.
///
/// # Errors
/// [`LogError`] when the journal is wanted and cannot be reached, or a log is running.
pub fn start(settings: &LogSettings) -> Result<(), LogError> {
    show_full_numbers(settings.full_numbers);
    let filter = LevelFilter::from_level(settings.level);
    let registry = tracing_subscriber::registry().with(filter);
    // systemd sets JOURNAL_STREAM when standard error leads to the journal (systemd.exec(5)).
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    match settings.format {
        LogFormat::Json => {
            let lines =
                tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            registry.with(lines).try_init()?;
        }
        LogFormat::Journald => registry.with(tracing_journald::layer()?).try_init()?,
        LogFormat::Auto if under_systemd && !std::io::stderr().is_terminal() => {
            registry.with(tracing_journald::layer()?).try_init()?;
        }
        LogFormat::Auto | LogFormat::Human => {
            let lines = tracing_subscriber::fmt::layer()
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false)
                .with_writer(std::io::stderr);
            registry.with(lines).try_init()?;
        }
    }
    Ok(())
}
