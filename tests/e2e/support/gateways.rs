//! A relay with two gateways, each of a platform of its own.

use std::time::Duration;

use sms_relay::emulator::{self, Delivery, Emulator, Fault, FaultRule, Outcome, Record};

use super::{PATIENCE, World};

/// What makes the usual section one of several, named `main`.
pub const AS_ONE_OF_SEVERAL: (&str, &str) = ("[gateway]\nurl", "[[gateway]]\nname = \"main\"\nurl");

impl World {
    /// A world with the gateways `main`, which is the usual platform, and `backup`, which is the one that
    /// comes back.
    pub fn with_backup() -> (Self, Emulator) {
        let mut world = Self::new();
        let backup = world.another_platform();
        world.otherwise.push((AS_ONE_OF_SEVERAL.0, AS_ONE_OF_SEVERAL.1.to_owned()));
        world.extra.push_str(&gateway("backup", &backup, ""));
        world.with_metrics();
        (world, backup)
    }

    /// Another platform that behaves as usual.
    pub fn another_platform(&self) -> Emulator {
        self.platform_at(emulator::Settings::default().bind)
    }

    /// The same at an address that is known.
    pub fn platform_at(&self, bind: std::net::SocketAddr) -> Emulator {
        let settings = emulator::Settings {
            bind,
            api_key: Some("emulator".into()),
            delivery: Delivery { delay: Duration::ZERO, outcome: Outcome::Delivered },
            ..emulator::Settings::default()
        };
        self.runtime.block_on(Emulator::start(settings)).unwrap()
    }

    /// Opens `/metrics`.
    pub fn with_metrics(&mut self) {
        self.otherwise.push(("allow_get = true", "allow_get = true\nmetrics = true".to_owned()));
    }

    /// Waits until the record of a platform is as wanted.
    pub fn wait_at(&self, platform: &Emulator, what: &str, wanted: impl Fn(&Record) -> bool) {
        let waited = self.runtime.block_on(platform.wait_until(wanted, PATIENCE));
        waited.unwrap_or_else(|error| {
            panic!("{what}: {error}; {:?}; {:#?}", platform.requests(), platform.accepted())
        });
    }
}

/// The section of a gateway, with more keys where wanted.
pub fn gateway(name: &str, platform: &Emulator, more: &str) -> String {
    let url = platform.base_url();
    format!("[[gateway]]\nname = \"{name}\"\nurl = \"{url}\"\ncredentials = \"emulator\"\n{more}\n")
}

/// The platform answers with this code and takes nothing.
pub fn answers(code: u16) -> FaultRule {
    FaultRule::on_send(Fault::Status { code, retry_after: None, body: None, recorded: false })
}

/// The same for questions.
pub fn tells_nothing() -> FaultRule {
    FaultRule::on_status(Fault::Status { code: 503, retry_after: None, body: None, recorded: false })
}

/// Phone number `n` of a row of them.
pub fn phone(n: usize) -> String {
    format!("+3934800{n:05}")
}

/// As the recipient of a mail.
pub fn at(phone: &str) -> String {
    format!("{phone}@sms.local")
}

/// The texts that a platform accepted, in order.
pub fn texts(platform: &Emulator) -> Vec<String> {
    platform.accepted().into_iter().map(|sms| sms.text).collect()
}
