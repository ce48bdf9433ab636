//! Platform, mailbox and directory of one test.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use sms_relay::emulator::{self, Delivery, Emulator, FaultRule, Outcome, Record};
use sms_relay::model::{State, SubmissionId};
use sms_relay::spool::sqlite::SqliteSpool;
use sms_relay::spool::{Spool, SubmissionView};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Mailbox, PATIENCE, Relay, Remains};

/// One test's world. The emulator and the mailbox live in this process, the relay in its own.
pub struct World {
    pub directory: TempDir,
    pub emulator: Emulator,
    pub mailbox: Mailbox,
    pub runtime: Runtime,
    /// What stands in the configuration before and behind the usual.
    pub rules: String,
    pub extra: String,
    /// Words of the usual configuration, and what stands in their place.
    pub otherwise: Vec<(&'static str, String)>,
}

impl World {
    pub fn new() -> Self {
        Self::with_platform(|_| {})
    }

    /// A world whose platform behaves otherwise than usual.
    pub fn with_platform(change: impl FnOnce(&mut emulator::Settings)) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut settings = emulator::Settings {
            api_key: Some("emulator".into()),
            delivery: Delivery { delay: Duration::ZERO, outcome: Outcome::Delivered },
            ..emulator::Settings::default()
        };
        change(&mut settings);
        let emulator = runtime.block_on(Emulator::start(settings)).unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            emulator,
            mailbox: Mailbox::open(),
            runtime,
            rules: String::new(),
            extra: String::new(),
            otherwise: Vec::new(),
        }
    }

    /// The usual configuration: quick questions and retries, everything on loopback.
    pub fn configuration(&self) -> String {
        let mut text = self.usual_configuration();
        for (usual, other) in &self.otherwise {
            assert_eq!(text.matches(usual).count(), 1, "`{usual}` stands once in:\n{text}");
            text = text.replace(usual, other);
        }
        text
    }

    fn usual_configuration(&self) -> String {
        format!(
            r#"hostname = "relay.test"

[[smtp.listener]]
name = "mail"
bind = "127.0.0.1:0"

[[http.listener]]
name = "forms"
bind = "127.0.0.1:0"
allow_get = true

[[http.account]]
name = "pbx"
networks = ["127.0.0.0/8"]
password = {{ env = "PBX_PASSWORD" }}
may_choose_sender = true

[routing]
allowed = ["+39"]
country_code = "39"

[defaults]
sender = "Relay"

[aliases]
oncall = "+393471234567"
two = ["+393470000001", "+393470000002"]

{rules}

[gateway]
url = "{platform}"
credentials = "emulator"
total_time = "10s"

[dispatch]
backoff = {{ first = "1s", most = "2s" }}
probe = {{ first = "1s", most = "2s" }}
ask_after = "1s"
unknown_time = "5s"

[tracking]
ask = {{ first = "1s", most = "2s" }}

[reporting]
operator = "operator@example.com"
window = "30s"
backoff = {{ first = "1s", most = "2s" }}

[smarthost]
host = "127.0.0.1"
port = {smarthost}
tls = "off"

[spool]
directory = "spool"

[log]
format = "json"
level = "debug"

{extra}
"#,
            rules = self.rules,
            platform = self.emulator.base_url(),
            smarthost = self.mailbox.address.port(),
            extra = self.extra,
        )
    }

    /// Writes the configuration and returns its path.
    pub fn write(&self) -> PathBuf {
        let path = self.directory.path().join("relay.toml");
        std::fs::write(&path, self.configuration()).unwrap();
        path
    }

    pub fn start(&self) -> Relay {
        self.start_with(&[])
    }

    pub fn start_with(&self, environment: &[(&str, &str)]) -> Relay {
        Relay::start(&self.write(), &[&[("PBX_PASSWORD", "swordfish")], environment].concat())
    }

    /// Starts it without waiting until it is ready.
    pub fn start_until_listening(&self) -> Relay {
        Relay::start_until_listening(&self.write(), &[("PBX_PASSWORD", "swordfish")])
    }

    /// Starts it by way of another program, whose arguments end with the relay's own.
    pub fn start_under(&self, wrapper: &[&str]) -> Relay {
        Relay::start_under(wrapper, &self.write(), &[("PBX_PASSWORD", "swordfish")])
    }

    /// Starts a relay that must not start: its exit code, and its log.
    pub fn start_in_vain(&self) -> (Option<i32>, Vec<Value>) {
        let (status, log) = Relay::start_and_end(&self.write(), &[("PBX_PASSWORD", "swordfish")]);
        (status.code(), log)
    }

    /// Orders a fault of the platform.
    pub fn order(&self, rule: FaultRule) {
        self.emulator.order(rule).unwrap();
    }

    /// The texts that the platform accepted, in order.
    pub fn texts(&self) -> Vec<String> {
        self.emulator.accepted().into_iter().map(|sms| sms.text).collect()
    }

    /// Waits until the platform has accepted as many texts as these, and expects just these. Only for
    /// texts to one phone, as their order is kept.
    pub fn expect_texts(&self, expected: &[impl AsRef<str>]) {
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        self.wait_for_platform("all texts", |record| record.total() >= expected.len() as u64);
        assert_eq!(self.texts(), expected);
    }

    /// Waits until the platform's record is as wanted.
    pub fn wait_for_platform(&self, what: &str, wanted: impl Fn(&Record) -> bool) {
        let waited = self.runtime.block_on(self.emulator.wait_until(wanted, PATIENCE));
        waited.unwrap_or_else(|error| panic!("{what}: {error}; accepted: {:#?}", self.emulator.accepted()));
    }

    /// What a relay that has ended left on disk.
    pub fn remains(&self) -> Remains {
        Remains::of(&self.directory.path().join("spool"))
    }

    /// What the spool knows of a submission; only while no relay runs on it.
    pub fn submission(&self, id: &str) -> SubmissionView {
        let id: SubmissionId = id.parse().unwrap();
        self.with_spool(async |spool| spool.submission(id).await.unwrap().unwrap())
    }

    /// The state of each SMS of a submission; only while no relay runs on it.
    pub fn states(&self, id: &str) -> Vec<State> {
        self.submission(id).messages.iter().map(|message| message.state).collect()
    }

    pub fn with_spool<T>(&self, look: impl AsyncFnOnce(&SqliteSpool) -> T) -> T {
        self.runtime.block_on(async {
            let settings = sms_relay::spool::sqlite::Settings {
                directory: self.directory.path().join("spool"),
                min_free_octets: 0,
            };
            let spool = SqliteSpool::open(settings).unwrap();
            let seen = look(&spool).await;
            spool.close().await;
            seen
        })
    }
}
