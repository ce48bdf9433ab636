//! The configuration: the file as written, and the same checked, every error with its place.
//!
//! [`load`] reads a TOML file once and turns it into the settings of every part. It tells all that
//! is wrong at once, refuses keys that it does not know, and has a safe default for everything
//! that can have one; `relay.example.toml` shows them all. `check` and `run` both call it, and so
//! does a reload: what passes here is what runs.
//!
//! `reader` walks the file and notes problems, `values` reads single values, `secrets` finds
//! passwords, `certificates` finds those, `problem` prints. `doors`, `smtp`, `profiles`, `enabled`, `callbacks`, `gateways`, `sending`,
//! `reports`, `budgets` and `rules` each know some sections; `allowance` knows what accounts of both doors have in common, `delivery`
//! and `wording`
//! what rules and defaults have, `vigil` who is to be heard of, `own` whether anybody gets word of it. `cases` has the tests, which only `check` runs.

mod allowance;
mod apis;
mod budgets;
mod callbacks;
mod cases;
mod certificates;
mod conditions;
mod delivery;
mod doors;
mod enabled;
mod gateways;
mod logins;
mod mentions;
mod overrides;
mod own;
mod prices;
mod problem;
mod profiles;
mod proxies;
mod quiet;
mod reader;
mod reports;
mod rotas;
mod rules;
mod secrets;
mod sending;
mod smtp;
mod storms;
mod values;
mod vigil;
mod wording;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

pub use cases::{At, Difference, Expect, Outcome, Reason, Tests, compare};
pub use gateways::ConfiguredGateway;
pub use overrides::{OverridesFault, Overriding};
pub use problem::{Problem, Problems, Severity, Spot};
pub use profiles::all_built_in as built_in_profiles;
pub use profiles::sms;

use crate::model::MailAddress;
use crate::routing::Routing;
use crate::spool::sqlite;
use crate::{dispatch, gateway, http, intake, mailer, reporting, telling, tracking};
use delivery::Around;
use gateways::Gateways;
use reader::{Kept, Reader, Section, Value};
use rules::Ruled;
use vigil::Heartbeats;

/// Most octets of a configuration file; ten thousand aliases take less.
const MAX_FILE: u64 = 4 << 20;

/// The settings of every part.
#[derive(Clone, Debug)]
pub struct Config {
    /// The SMTP door; without listeners it is not opened.
    pub smtp: crate::smtp::Settings,
    /// The HTTP door; without listeners it is not opened.
    pub http: http::Settings,
    /// Who may post. Reloadable.
    pub accounts: Vec<http::Account>,
    /// Where the platform calls back; `None` where it does not. Reloadable.
    pub callbacks: Option<http::CallbackDoor>,
    /// What intake does with mails and forms.
    pub intake: intake::Settings,
    /// Rules, aliases, allowed destinations. Reloadable.
    pub routing: Routing,
    /// The same with what overrides of rotas say later; `None` where there are no files of such. Reloadable.
    pub overriding: Option<Overriding>,
    /// Where everything waits.
    pub spool: sqlite::Settings,
    /// The platform's accounts, in the order in which they are tried where a rule names none.
    pub gateways: Vec<ConfiguredGateway>,
    /// The hosts that they are at. Reloadable.
    pub platforms: reporting::Platforms,
    /// How messages are sent.
    pub dispatch: dispatch::Settings,
    /// How sent messages are followed.
    pub tracking: tracking::Settings,
    /// How programs are told.
    pub telling: telling::Settings,
    /// How failures are reported.
    pub reporting: reporting::Settings,
    /// Who is to be heard of, and tests. Reloadable, but for who is told by mail.
    pub vigil: crate::vigil::Settings,
    /// The names that are to be heard of. Reloadable.
    pub listened: intake::Listened,
    /// The smarthost; `None` where there is none, and `intake.reports` is off then.
    pub mailer: Option<mailer::Settings>,
    /// What the logs look like.
    pub log: LogSettings,
    /// How long a stop waits for what is under way. Shorter than the supervisor's patience.
    pub drain_time: Duration,
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
    /// Its tests, which are not run yet.
    pub tests: Tests,
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
    loaded(Reader::new(path, &source))
}

/// The same for a relay that starts, or that runs by what `held` says: overrides that are wrong or gone are no error, so
/// that nothing else waits for them. What `held` has of their file holds until they are right, and nothing where it has none.
/// [`Overriding::faults`] tells of them.
///
/// # Errors
/// As [`load`], but for what is wrong with overrides alone.
pub fn load_to_run(path: &Path, held: Option<&Overriding>) -> Result<Loaded, Problems> {
    let source = read_file(path).map_err(|text| Problems::whole_file(path, text))?;
    loaded(Reader::new(path, &source).keeping_overrides(Kept(held)))
}

fn loaded(reader: Reader<'_>) -> Result<Loaded, Problems> {
    let document = reader.parse()?;
    let (config, tests) = read(&reader, Section::top(&reader, document.get_ref()), Timestamp::now());
    let problems = reader.problems();
    match config {
        Some(config) if !problems.has_errors() => {
            Ok(Loaded { config, tests, warnings: problems, keys: reader.keys() })
        }
        Some(_) | None => Err(problems),
    }
}

/// The same for somebody who only looks and may not read the secrets: what files, the environment and credentials hold is
/// left alone, and something else stands in its place. Certificates are left out.
///
/// # Errors
/// As [`load`], but for what is wrong with secrets and certificates.
pub fn load_without_secrets(path: &Path) -> Result<WithoutSecrets, Problems> {
    let source = read_file(path).map_err(|text| Problems::whole_file(path, text))?;
    loaded(Reader::new(path, &source).leaving_secrets()).map(|loaded| WithoutSecrets(loaded.config))
}

/// A configuration that may be looked at and not be run.
#[derive(Debug)]
pub struct WithoutSecrets(Config);

impl WithoutSecrets {
    /// To look at.
    pub fn config(&self) -> &Config {
        &self.0
    }
}

/// Where the configuration at `path` has its spool. Nothing else of it is looked at: it may have secrets that are only there
/// for the daemon.
///
/// # Errors
/// All [`Problems`] of a configuration that does not tell.
pub fn spool_directory(path: &Path) -> Result<PathBuf, Problems> {
    let source = read_file(path).map_err(|text| Problems::whole_file(path, text))?;
    let reader = Reader::new(path, &source);
    let document = reader.parse()?;
    let found = sending::spool(&Section::top(&reader, document.get_ref()));
    match found {
        Some(settings) => Ok(settings.directory),
        None => Err(load(path).err().unwrap_or_else(|| reader.problems())),
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

/// Reads every section, so that all errors are noted. Nothing is run.
fn read(reader: &Reader, top: Section, now: Timestamp) -> (Option<Config>, Tests) {
    let hostname = top.or("hostname", String::new(), host_name);
    let hostname = if hostname.is_empty() { machine_name() } else { hostname };
    let mut doors = doors::read(reader, &top, &hostname, now);
    let heartbeats = Heartbeats::find(reader, &top, &mut doors);
    let gateways = Gateways::find(reader, &top);
    let ruled = rules::read(reader, &top, &doors, Around { gateways: gateways.names(), now });
    let routing = ruled.as_ref().map(|ruled| &ruled.routing);
    if let Some(routing) = routing {
        gateways.warn_of_unused(reader, routing);
    }
    let tests = cases::read(reader, &top, &doors, routing, gateways.names());
    let tested = tests.recipients();
    (settings(reader, top, &hostname, doors, gateways, (ruled, tested, heartbeats, now)), tests)
}

/// Reads what is left before anything is missed.
fn settings(
    reader: &Reader,
    top: Section,
    hostname: &str,
    doors: doors::Doors,
    gateways: Gateways<'_>,
    (ruled, tested, heartbeats, now): (Option<Ruled>, Vec<String>, Heartbeats, Timestamp),
) -> Option<Config> {
    let spool = sending::spool(&top);
    let tracking = sending::tracking(&top);
    let dispatch = sending::dispatch(&top, &tracking);
    let telling = callbacks::telling(&top);
    let usual = gateway::LineSettings {
        concurrency: dispatch.concurrency,
        messages_per_second: None,
        probe: dispatch.probe,
    };
    let gateways = gateways.read(reader, usual);
    let is_for_operator = |account: &http::Account| {
        doors.allowances.get(&account.name).is_none_or(|allowance| allowance.reports_to.is_none())
    };
    let has_forms = !doors.http.listeners.is_empty() && doors.accounts.iter().any(is_for_operator);
    let reports = reports::read(reader, &top, hostname, has_forms);
    let routing = ruled.as_ref().map(|ruled| &ruled.routing);
    reports::named(reader, &top, doors.allowances.values(), reports.as_ref(), routing);
    let vigil = heartbeats.read(reader, &top, &doors, ruled.as_ref(), reports.as_ref(), now);
    if let (Some(ruled), Some((vigil, _))) = (&ruled, &vigil) {
        let told: Vec<String> = vigil.recipients().cloned().collect();
        ruled.unmentioned.warn(reader, &tested, &told);
    }
    let log = log(&top);
    let section = top.section("shutdown");
    let drain_time = section.or("drain_time", Duration::from_secs(10), drain_time);
    drop((section, top));
    let (reports, gateways, (vigil, listened)) = (reports?, gateways?, vigil?);
    let Ruled { routing, overriding, unmentioned: _, edges: _ } = ruled?;
    Some(Config {
        smtp: doors.smtp,
        http: doors.http,
        accounts: doors.accounts,
        callbacks: doors.callbacks,
        intake: reports.intake,
        routing,
        overriding,
        spool: spool?,
        platforms: gateways::hosts(&gateways),
        gateways,
        dispatch,
        tracking,
        telling,
        reporting: reports.reporting,
        vigil,
        listened,
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

/// The machine's own name, or `localhost` where it has none that mail could carry. Asked of the kernel by a call, as
/// the service's unit hides all of `/proc` but processes.
fn machine_name() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().unwrap_or_default();
    if is_host_name(name) { name.to_owned() } else { "localhost".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::gateway::universal::Credentials;
    use crate::intake::Reports;
    use crate::mailer::Tls;
    use crate::model::{Client, Door, PhoneNumber};
    use crate::routing::{Decision, Facts, Origin};

    /// What has no default, or whose default hides a mistaken key: everything set otherwise.
    const OTHERWISE: &str = r#"
        [[smtp.listener]]
        bind = "[::1]:25"

        [[http.listener]]
        bind = "127.0.0.1:80"
        allow_get = true
        metrics = true

        [[http.account]]
        name = "shop"
        networks = ["10.1.2.3/16"]
        username = "till"
        password = { file = "shop.key" }
        may_choose_sender = true

        [routing]
        allowed = ["+39"]
        country_code = "39"
        trunk_prefix = "9"

        [defaults]
        sender = "Relay"

        [[rule]]
        name = "all"
        sender = "Rule"
        campaign_id = "c"
        simulation = true
        skip_rcs_override = true
        enable_notification = false

        [spool]
        directory = "/absolute"

        [gateway]
        url = "https://SMS.example.com:8443/"
        basic = { username = "me", password = { file = "platform.key" } }

        [reporting]
        to = "operator"
        operator = "ops@example.com"

        [smarthost]
        host = "mail.example.com"
        tls = "implicit"
        username = "relay"
        password = { file = "mail.key" }

        [log]
        format = "json"
        level = "debug"
        full_numbers = true
    "#;

    fn directory_with(content: &[u8]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in ["shop", "platform", "mail"] {
            let path = directory.path().join(format!("{name}.key"));
            std::fs::write(&path, format!("secret of {name}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(directory.path().join("relay.toml"), content).unwrap();
        directory
    }

    #[test]
    fn every_key_reaches_its_setting() {
        let directory = directory_with(OTHERWISE.as_bytes());
        let loaded =
            load(&directory.path().join("relay.toml")).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(loaded.warnings.to_string(), "");
        let config = loaded.config;
        assert_eq!(config.smtp.listeners[0].name, "smtp");
        assert_eq!(config.smtp.hostname, config.reporting.hostname);
        assert!(!config.smtp.hostname.is_empty(), "the machine's own name, or localhost");
        assert_eq!(config.http.listeners[0].name, "http");
        assert!(config.http.listeners[0].allow_get);
        assert!(config.http.listeners[0].metrics);
        let account = &config.accounts[0];
        assert_eq!(account.networks, ["10.1.0.0/16".parse().unwrap()]);
        assert!(account.may_choose_sender);
        let login = account.login.as_ref().unwrap();
        let http::Proof::Password(password) = &login.proof else { panic!("{:?}", login.proof) };
        assert_eq!(password.expose_secret(), "secret of shop");
        assert_eq!(login.username, "till");
        assert_eq!(config.spool.directory, Path::new("/absolute"));
        assert_eq!(config.gateways[0].api.base_url, "https://sms.example.com:8443");
        match &config.gateways[0].api.credentials {
            Credentials::Basic { username, password } => {
                assert_eq!((username.as_str(), password.expose_secret()), ("me", "secret of platform"));
            }
            Credentials::ApiKey(_) => panic!("Basic was asked for"),
        }
        assert_eq!(config.intake.reports, Reports::Operator);
        let operator = MailAddress::parse("ops@example.com").unwrap();
        assert_eq!(config.intake.operator, Some(operator.clone()));
        assert_eq!(config.reporting.from, operator);
        let mailer = config.mailer.unwrap();
        assert_eq!((mailer.tls, mailer.port), (Tls::Implicit, 465));
        let (username, password) = mailer.login.unwrap();
        assert_eq!((username.as_str(), password.expose_secret()), ("relay", "secret of mail"));
        assert_eq!(
            config.log,
            LogSettings { format: LogFormat::Json, level: tracing::Level::DEBUG, full_numbers: true }
        );

        let number = PhoneNumber::from_e164("+393471234567").unwrap();
        assert_eq!(
            config.routing.resolve_written("93471234567", Timestamp::UNIX_EPOCH).unwrap(),
            std::slice::from_ref(&number)
        );
        let client = Client {
            door: Door::Smtp,
            listener: "smtp".to_owned(),
            address: "127.0.0.1".parse().unwrap(),
            helo: None,
            account: None,
        };
        let origin = Origin { client: &client, envelope_sender: None };
        let facts = Facts { subject: "S", text: "T", ..Facts::of(origin, Timestamp::UNIX_EPOCH) };
        match config.routing.decide(&facts, "x", &number).remove(0) {
            Decision::Send(plan) => {
                assert_eq!(plan.sender.as_str(), "Rule");
                assert_eq!(plan.options.campaign_id.as_deref(), Some("c"));
                assert!(plan.options.simulation && plan.options.skip_rcs_override);
                assert_eq!(plan.options.enable_notification, Some(false));
            }
            other @ (Decision::Drop { .. } | Decision::Refuse { .. }) => panic!("{other:?}"),
        }
    }

    fn refused(content: &[u8]) -> String {
        let directory = directory_with(content);
        let path = directory.path().join("relay.toml");
        load(&path).unwrap_err().to_string().replace(&path.display().to_string(), "FILE")
    }

    #[test]
    fn a_file_that_is_no_text_or_endless_is_refused() {
        assert_eq!(
            refused(b"# a\n# \xff\n"),
            "FILE: error: the configuration is not UTF-8 text: line 2 has an octet that belongs to no character\n\n\
             1 error in FILE\n"
        );
        let too_long =
            "FILE: error: the configuration is over 4 MiB; is this the right file?\n\n1 error in FILE\n";
        assert_eq!(refused(&vec![b'#'; MAX_FILE as usize + 1]), too_long);
        assert_ne!(refused(&vec![b'#'; MAX_FILE as usize]), too_long);
    }

    #[test]
    fn a_host_name_is_a_domain() {
        for good in ["localhost", "relay.example.com", "a-1.b"] {
            assert!(is_host_name(good), "{good}");
        }
        for wrong in ["", ".", "a..b", "-a", "a-", "a_b", "a b", "è.it", "[127.0.0.1]"] {
            assert!(!is_host_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_name_of_the_machine_is_the_kernel_s() {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let name = name.trim();
        assert_eq!(machine_name(), if is_host_name(name) { name } else { "localhost" });
    }
}
