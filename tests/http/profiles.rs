//! Recorded exchanges with the APIs of other gateways: `tests/http/profiles/NAME/*.request` is what a client
//! sends, the `.response` beside it what it is answered, octet by octet.
//!
//! The exchanges of a profile are played in the order of their names, against a relay that is configured and
//! wired as in production but for the platform, which cannot be reached. What differs each time is written as `{DATE}`,
//! `{SECONDS}`, `{ID}`, `{HEX}` (32 digits) and `{UUID}`; `{ID}` and `{HEX}` in a request stand for the last one
//! that was answered, `{TOMORROW}` and `{TOMORROW_COMPACT}` for this time of tomorrow. Requests with `unavailable` in their
//! names go to a relay without room on its disk, those with `too_fast` to one that takes one a minute and has just taken
//! the first of the folder (`{WHEN}` is when it takes the next), those with `forbidden` to one whose account is for
//! another address.
//!
//! `BLESS=1 cargo test --test http profiles` writes what is answered now; read the difference.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sms_relay::app::App;
use sms_relay::config;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::support::Raw;

/// All that are built in and send by fields.
pub(super) const ALL: [&str; 12] = [
    "clickatell",
    "diafaan",
    "jasmin",
    "kannel",
    "nowsms",
    "ozeki",
    "playsms",
    "prtg",
    "qnap",
    "smseagle",
    "synology",
    "teltonika",
];

/// A relay that speaks profiles to `box` with the password `secret`.
pub(crate) struct Relay {
    pub(crate) app: App,
    pub(crate) directory: TempDir,
}

impl Relay {
    pub(crate) async fn start(profiles: &[&str], spool: &str) -> Self {
        Self::with(profiles, "networks = [\"127.0.0.1\"]", spool).await
    }

    /// The same, with more about the account and the spool.
    async fn with(profiles: &[&str], account: &str, spool: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let password = directory.path().join("box.password");
        std::fs::write(&password, "secret\n").unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        let path = directory.path().join("relay.toml");
        let written = format!(
            r#"
            [http]
            auth_failures = 100
            connections_per_client = 200
            [[http.listener]]
            bind = "127.0.0.1:0"
            allow_get = true
            profiles = {profiles:?}
            [[http.account]]
            name = "box"
            {account}
            password = {{ file = "box.password" }}
            [routing]
            allowed = ["+39"]
            country_code = "39"
            [aliases]
            oncall = "+393471234567"
            [defaults]
            sender = "Relay"
            [spool]
            directory = "spool"
            {spool}
            [gateway]
            url = "http://127.0.0.1:9"
            credentials = "emulator"
            [reporting]
            to = "off"
            "#
        );
        std::fs::write(&path, written).unwrap();
        let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(loaded.warnings.to_string(), "");
        Self { app: App::start(loaded.config).await.unwrap(), directory }
    }

    pub(crate) async fn exchange(&self, request: &[u8]) -> String {
        let mut raw = Raw(TcpStream::connect(self.app.addresses()[0].1).await.unwrap());
        raw.send(request).await;
        raw.rest().await
    }
}

/// What is answered again and again the same, and what was there.
#[derive(Default)]
pub(super) struct Last {
    id: String,
    hex: String,
}

/// `response` with placeholders.
pub(super) fn placed(response: &str, last: &mut Last) -> String {
    let replaced = |pattern: &str, text: &str, with: &str| {
        let pattern = regex::Regex::new(pattern).unwrap();
        let found = pattern.find(text).map(|found| found.as_str().to_owned());
        (pattern.replace_all(text, with).into_owned(), found)
    };
    let (response, date) = replaced(r"date: [^\r]*", response, "date: {DATE}");
    assert!(date.is_some(), "{response}");
    let (response, _) = replaced(r"\b1[0-9]{9}\b", &response, "{SECONDS}");
    let when = r"(retry-after:|try again in) (60|[345][0-9])\b";
    let (response, _) = replaced(when, &response, "$1 {WHEN}");
    let hex = "[0-9a-f]";
    let uuid = format!(r"\b{hex}{{8}}-{hex}{{4}}-{hex}{{4}}-{hex}{{4}}-{hex}{{12}}\b");
    let (response, _) = replaced(&uuid, &response, "{UUID}");
    let (response, hex) = replaced(r"\b[0-9a-f]{32}\b", &response, "{HEX}");
    let (response, id) = replaced(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", &response, "{ID}");
    last.hex = hex.unwrap_or(std::mem::take(&mut last.hex));
    last.id = id.unwrap_or(std::mem::take(&mut last.id));
    response
}

/// What clients of `profile` send, in the order of the names.
pub(super) fn requests(profile: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/profiles").join(profile);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut requests: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "request")).collect();
    requests.sort();
    requests
}

async fn play(profile: &str) {
    let requests = requests(profile);
    assert!(requests.len() >= 9, "only {} exchanges", requests.len());
    let own = [profile];
    // Nothing enables `/sms`: it is everywhere.
    let profiles = if profile == "sms" { &[][..] } else { &own };
    let relay = Relay::start(profiles, "").await;
    let full = Relay::start(profiles, "min_free = 1099511627776").await;
    let slow = Relay::with(profiles, "networks = [\"127.0.0.1\"]\nmessages_per_minute = 1", "").await;
    let closed = Relay::with(profiles, "networks = [\"192.0.2.1\"]", "").await;
    let tomorrow = jiff::Zoned::now().tomorrow().unwrap();
    let mut last = Last::default();
    let mut wrong = Vec::new();
    for path in &requests {
        let request = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
        let request = request.replace("{HEX}", &last.hex).replace("{ID}", &last.id);
        let request = request.replace("{TOMORROW}", &tomorrow.strftime("%F+%H%%3A%M%%3A00").to_string());
        let request = request.replace("{TOMORROW_COMPACT}", &tomorrow.strftime("%Y%m%d%H%M").to_string());
        let name = path.file_stem().unwrap().to_str().unwrap();
        let to = match name {
            _ if name.contains("unavailable") => &full,
            _ if name.contains("too_fast") => &slow,
            _ if name.contains("forbidden") => &closed,
            _ => &relay,
        };
        if name.contains("too_fast") {
            slow.exchange(&std::fs::read(&requests[0]).unwrap()).await;
        }
        let answered = placed(&to.exchange(request.as_bytes()).await, &mut last);
        let expected_at = path.with_extension("response");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected_at, &answered).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_at).unwrap_or_default();
        if answered != expected {
            wrong.push(format!("{profile}/{name}: answered\n{answered}\nexpected\n{expected}"));
        }
    }
    for relay in [relay, full, slow, closed] {
        relay.app.stop().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! profiles {
    ($($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            play(stringify!($name)).await;
        }
    )*};
}
profiles!(alertmanager clickatell diafaan grafana jasmin kannel nowsms ozeki playsms prtg qnap smseagle sms synology teltonika);
