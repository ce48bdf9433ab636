//! The configuration of a room: real TOML, read as the daemon reads it.

use std::path::Path;

use super::appliances;
use super::clock::{HOUR, MINUTE, SECOND};
use crate::config::{self, Config};

/// What is configured about storms, limits and budgets; times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Setting {
    /// How long similar ones fold.
    pub(super) similar: Option<i64>,
    /// How often what doors say is told.
    pub(super) digest: Option<i64>,
    /// At most so many SMS to a phone in so long.
    pub(super) per_destination: Vec<(u32, i64)>,
    /// At most so many mails of a source in so long.
    pub(super) per_source: Vec<(u32, i64)>,
    /// Whether a recovery ends its problem.
    pub(super) pair: bool,
    /// Parts of a summary.
    pub(super) parts: u32,
    /// Parts a day that hold, and those that hold what is critical, too.
    pub(super) budget: Option<(u64, u64)>,
    /// Whether what printers say is left alone.
    pub(super) has_exception: bool,
}

impl Setting {
    /// What an operator with 40 appliances writes.
    pub(super) fn usual() -> Self {
        Self {
            similar: Some(10 * MINUTE),
            digest: Some(15 * MINUTE),
            per_destination: vec![(1, MINUTE), (5, 15 * MINUTE), (11, HOUR), (21, 3 * HOUR)],
            per_source: vec![(20, HOUR)],
            pair: true,
            parts: 2,
            // Holds in the night of the storm; of 100,000 mails some 200 are critical or passwords, and go.
            budget: Some((60, 1000)),
            has_exception: false,
        }
    }

    /// The file.
    pub(super) fn toml(&self) -> String {
        format!(
            r#"
hostname = "relay.example"
smtp.listener = [{{ name = "mail", bind = "127.0.0.1:0" }}]
routing = {{ domains = ["sms.local"], allowed = ["+39"] }}
spool = {{ directory = "spool", min_free = "1MiB" }}
gateway = {{ url = "http://127.0.0.1:1", credentials = "emulator" }}
reporting = {{ to = "sender", operator = "ops@example.com" }}
smarthost.host = "mail.example.com"
defaults = {{ sender = "Relay", lifetime = "12h" }}

{storm}
[aliases]
{aliases}
[[rule]]
name = "fire"
when.subject = "^fire alarm"
lane = "critical"

[[rule]]
name = "nightly"
when.subject = "^nightly report"
lane = "bulk"
deliver_at = "08:00"

[[rule]]
name = "newsletters"
when.subject = "^newsletter"
drop = "nobody reads it"

[[rule]]
name = "unwanted"
when.subject = "^unwanted"
refuse = "nobody buys it"

[[rule]]
name = "doors"
when.subject = "^access control"
{digest}

[[rule]]
name = "printers"
when.subject = "^printer"
{exception}

[[rule]]
name = "everything"
"#,
            storm = self.storm(),
            aliases = appliances::aliases(),
            digest =
                self.digest.map_or_else(String::new, |every| format!("storm.digest = \"{}\"", time(every))),
            exception = if self.has_exception { "storm = \"off\"" } else { "" },
        )
    }

    fn storm(&self) -> String {
        let limit = |name: &str, steps: &[(u32, i64)]| {
            let steps: Vec<String> =
                steps.iter().map(|(most, within)| format!("\"{most} in {}\"", time(*within))).collect();
            if steps.is_empty() { String::new() } else { format!("{name} = [{}]\n", steps.join(", ")) }
        };
        let budget = self.budget.map_or_else(String::new, |(hold, ceiling)| {
            format!(
                "[[budget]]\nname = \"all\"\nper = \"day\"\ntimezone = \"UTC\"\n\
                 parts = {{ hold = {hold}, ceiling = {ceiling} }}\n"
            )
        });
        format!(
            "[storm]\nparts = {}\ntimezone = \"UTC\"\npair = {}\n{}{}{}\n{budget}",
            self.parts.max(1),
            self.pair,
            self.similar.map_or_else(String::new, |window| format!("similar = \"{}\"\n", time(window))),
            limit("per_destination", &self.per_destination),
            limit("per_source", &self.per_source),
        )
    }

    /// The same as the daemon would have it.
    pub(super) fn load(&self, directory: &Path) -> Config {
        let path = directory.join("relay.toml");
        std::fs::write(&path, self.toml()).unwrap();
        config::load(&path).unwrap_or_else(|problems| panic!("{problems}\n{}", self.toml())).config
    }
}

fn time(millis: i64) -> String {
    format!("{}s", millis / SECOND)
}
