//! The configuration: the file as written, and the same checked, every error with its place.
//!
//! [`load`] reads a TOML file once and turns it into the settings of every part. It tells all that
//! is wrong at once, refuses keys that it does not know, and has a safe default for everything
//! that can have one; `relay.example.toml` shows them all. `check` and `run` both call it, and so
//! does a reload: what passes here is what runs.
//!
//! `reader` walks the file and notes problems, `values` reads single values, `secrets` finds
//! passwords, `problem` prints. `doors`, `sending`, `reports` and `rules` each know some sections.

mod doors;
mod problem;
mod reader;
mod reports;
mod rules;
mod secrets;
mod sending;
mod values;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use problem::{Problem, Problems, Severity, Spot};

use crate::model::MailAddress;
use crate::routing::Routing;
use crate::{dispatch, gateway, http, intake, mailer, reporting, smtp, tracking};
use reader::{Reader, Section, Value};

/// Most octets of a configuration file; ten thousand aliases take less.
const MAX_FILE: u64 = 4 << 20;
/// Where Linux tells the machine's name.
const KERNEL_HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The settings of every part.
#[derive(Clone, Debug)]
pub struct Config {
    /// The SMTP door; without listeners it is not opened.
    pub smtp: smtp::Settings,
    /// The HTTP door; without listeners it is not opened.
    pub http: http::Settings,
    /// Who may post. Reloadable.
    pub accounts: Vec<http::Account>,
    /// What intake does with mails and forms.
    pub intake: intake::Settings,
    /// Rules, aliases, allowed destinations. Reloadable.
    pub routing: Routing,
    /// Where everything waits.
    pub spool: SpoolSettings,
    /// The platform.
    pub gateway: gateway::universal::Settings,
    /// How messages are sent.
    pub dispatch: dispatch::Settings,
    /// How sent messages are followed.
    pub tracking: tracking::Settings,
    /// How failures are reported.
    pub reporting: reporting::Settings,
    /// The smarthost; `None` where there is none, and `intake.reports` is off then.
    pub mailer: Option<mailer::Settings>,
    /// What the logs look like.
    pub log: LogSettings,
    /// How long a stop waits for what is under way. Shorter than the supervisor's patience.
    pub drain_time: Duration,
}

/// Where the spool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Its directory; made when it does not exist.
    pub directory: PathBuf,
    /// Octets that stay free on its file system: below them nothing more is accepted.
    pub min_free_octets: u64,
}

/// What the logs look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// The least important that is written.
    pub level: tracing::Level,
    /// Whether phone numbers are shown in full.
    pub full_numbers: bool,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Journald where systemd started us, human otherwise.
    Auto,
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
    /// Fields for systemd's journal.
    Journald,
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What is suspicious in it; mostly nothing.
    pub warnings: Problems,
    /// Every key that the file may have, with its sections before it, like `smtp.listener.bind`;
    /// keys of lists (`[[rule]]`) as far as the file has such a list.
    pub keys: BTreeSet<String>,
}

/// Reads the configuration at `path`. Paths in it are relative to its directory.
///
/// # Errors
/// Every error (and warning) there is, each with its place. A file that is not TOML tells its
/// syntax errors only.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let source = read_file(path).map_err(|text| Problems::whole_file(path, text))?;
    let reader = Reader::new(path, &source);
    let document = reader.parse()?;
    let config = read(&reader, Section::top(&reader, document.get_ref()));
    let problems = reader.problems();
    match config {
        Some(config) if !problems.has_errors() => {
            Ok(Loaded { config, warnings: problems, keys: reader.keys() })
        }
        Some(_) | None => Err(problems),
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("the configuration cannot be read: {error}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut content = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > MAX_FILE {
        return Err("the configuration is over 4 MiB; is this the right file?".to_owned());
    }
    String::from_utf8(content).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
        format!("the configuration is not UTF-8 text: line {line} has an octet that belongs to no character")
    })
}

/// Reads every section before anything is missed, so that all errors are noted.
fn read(reader: &Reader, top: Section) -> Option<Config> {
    let hostname = top.or("hostname", String::new(), host_name);
    let hostname = if hostname.is_empty() { machine_name() } else { hostname };
    let doors = doors::read(reader, &top, &hostname);
    let routing = rules::read(reader, &top, &doors);
    let spool = sending::spool(&top);
    let gateway = sending::gateway(reader, &top);
    let tracking = sending::tracking(&top);
    let dispatch = sending::dispatch(&top, &tracking);
    let has_forms = !doors.http.listeners.is_empty() && !doors.accounts.is_empty();
    let reports = reports::read(reader, &top, &hostname, has_forms);
    let log = log(&top);
    let section = top.section("shutdown");
    let drain_time = section.or("drain_time", Duration::from_secs(10), drain_time);
    drop((section, top));
    let reports = reports?;
    Some(Config {
        smtp: doors.smtp,
        http: doors.http,
        accounts: doors.accounts,
        intake: reports.intake,
        routing: routing?,
        spool: spool?,
        gateway: gateway?,
        dispatch,
        tracking,
        reporting: reports.reporting,
        mailer: reports.mailer,
        log,
        drain_time,
    })
}

fn log(top: &Section) -> LogSettings {
    use tracing::Level;
    let section = top.section("log");
    let formats = values::word(&[
        ("auto", LogFormat::Auto),
        ("human", LogFormat::Human),
        ("json", LogFormat::Json),
        ("journald", LogFormat::Journald),
    ]);
    let levels = values::word(&[
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ]);
    LogSettings {
        format: section.or("format", LogFormat::Auto, formats),
        level: section.or("level", Level::INFO, levels),
        full_numbers: section.or("full_numbers", false, values::flag),
    }
}

/// systemd kills after 90 seconds by default; a longer drain would never end by itself.
fn drain_time(value: &Value) -> Option<Duration> {
    let time = values::time(values::SECOND)(value)?;
    if time <= Duration::from_secs(80) {
        return Some(time);
    }
    value.fail(
        "`drain_time` may be 1s to 80s: a supervisor kills a service that takes longer to stop".to_owned(),
    )
}

/// A name for greetings and reports: a domain of ASCII letters, digits, dots and dashes.
fn host_name(value: &Value) -> Option<String> {
    let written = values::text(value)?;
    if is_host_name(&written) {
        return Some(written);
    }
    let shown = written.escape_debug();
    value.fail(format!("`{shown}` is not a host name; write it like \"relay.example.com\""))
}

fn is_host_name(text: &str) -> bool {
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split('.').all(good) && MailAddress::new("postmaster", text).is_ok()
}

/// The machine's own name, or `localhost` where it has none that mail could carry.
fn machine_name() -> String {
    let name = std::fs::read_to_string(KERNEL_HOST_NAME).unwrap_or_default();
    let name = name.trim();
    if is_host_name(name) { name.to_owned() } else { "localhost".to_owned() }
}
