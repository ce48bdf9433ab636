//! The configuration of a room: real TOML, read as the daemon reads it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use super::clock::{DAY, HOUR, MINUTE, SECOND, at};
use super::people::{self, Rota};
use jiff::tz::TimeZone;

use crate::config::{self, Config};
use crate::model::{Passage, Period, Unit};

/// The name of the test of the whole way.
pub(super) const HEARTBEAT: &str = "daily";

/// What is configured; times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
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
    pub(super) budgets: Vec<Budget>,
    /// What a part is thought to cost, in millionths.
    pub(super) price: Option<u64>,
    /// What rules say themselves of storms.
    pub(super) storms: BTreeMap<&'static str, OwnStorm>,
    /// Whether a recovery ends its problem, whose key it has; in place of answers.
    pub(super) pairs_by_key: bool,
    /// Whose clock shows days and quiet hours; `None` is UTC.
    pub(super) zone: Option<&'static str>,
    /// Whether nobody hears what became of what printers say.
    pub(super) is_silent_about_printers: bool,
    /// From which minute of the day to which a phone sleeps.
    pub(super) quiet: BTreeMap<u32, (i64, i64)>,
    /// Whether what doors say wakes people.
    pub(super) doors_wake: bool,
    /// Whether the boss gets a copy of each fire, and the facility of each certificate.
    pub(super) fans_out: bool,
    /// After how long somebody else gets a fire, or a certificate, that nobody has.
    pub(super) escalates: Option<i64>,
    pub(super) rota: Option<Rota>,
    /// Whether there is a second gateway.
    pub(super) has_backup: bool,
    /// How long the machine that tells that it is alive may be silent.
    pub(super) expects: Option<i64>,
    /// At which minute of the day the whole way is tested.
    pub(super) heartbeat: Option<i64>,
}

/// A budget; money in millionths.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Budget {
    pub(super) unit: Unit,
    pub(super) period: Period,
    pub(super) scope: Scope,
    pub(super) warn: Option<u64>,
    pub(super) hold: Option<u64>,
    pub(super) ceiling: Option<u64>,
}

/// What a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Rule(&'static str),
    /// The machines behind the core switch, which have addresses of their own.
    Network,
}

/// What a rule says of storms in place of what is said for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnStorm {
    /// Nothing folds, nothing counts.
    Off,
    Digest(i64),
    Similar(i64),
}

/// The addresses of the machines behind the core switch.
const BEHIND: &str = "10.9.0.0/16";

impl Budget {
    pub(super) fn name(&self) -> &'static str {
        match (self.scope, self.unit) {
            (Scope::All, Unit::Parts) => "all",
            (Scope::All, Unit::Money) => "invoice",
            (Scope::Rule(_), Unit::Parts) => "some",
            (Scope::Rule(_), Unit::Money) => "costs",
            (Scope::Network, Unit::Parts) => "behind",
            (Scope::Network, Unit::Money) => "storms",
        }
    }

    /// Whether what came from there by this rule is charged to it.
    pub(super) fn is_for(&self, rule: &str, source: Ipv4Addr) -> bool {
        match self.scope {
            Scope::All => true,
            Scope::Rule(of) => of == rule,
            Scope::Network => source.octets()[..2] == [10, 9],
        }
    }
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
            budgets: vec![
                // Holds in the night of the storm; of 100,000 mails some 400 are critical or passwords.
                Budget {
                    unit: Unit::Parts,
                    period: Period::Day,
                    scope: Scope::All,
                    warn: Some(50),
                    hold: Some(70),
                    ceiling: Some(5000),
                },
                // The callbacks say more than this is thought to cost.
                Budget {
                    unit: Unit::Money,
                    period: Period::Month,
                    scope: Scope::All,
                    warn: Some(10_000_000),
                    hold: Some(100_000_000),
                    ceiling: None,
                },
            ],
            price: Some(45_000),
            storms: BTreeMap::new(),
            pairs_by_key: false,
            // Its clock changes in the first week.
            zone: Some("Europe/Rome"),
            is_silent_about_printers: true,
            // Who is on call is woken, the others of the team and the helpdesk are not.
            quiet: [
                (2, (22 * 60, 7 * 60)),
                (3, (23 * 60, 6 * 60 + 30)),
                (5, (20 * 60, 8 * 60)),
                (8, (0, 7 * 60)),
            ]
            .into(),
            doors_wake: false,
            fans_out: true,
            escalates: Some(20 * MINUTE),
            // In the middle of the storm of the second Tuesday.
            rota: Some(Rota { handover: (1, 2 * 60 + 5), cover: Some((4 * 24 * 60, 4 * 24 * 60 + 600)) }),
            has_backup: true,
            expects: Some(30 * HOUR),
            heartbeat: Some(9 * 60),
        }
    }

    /// The name of the zone of days and quiet hours.
    fn zone_name(&self) -> &'static str {
        self.zone.unwrap_or("UTC")
    }

    /// The same.
    pub(super) fn zone(&self) -> TimeZone {
        TimeZone::get(self.zone_name()).unwrap()
    }

    /// Whether a recovery ends its problem, by whatever it finds it.
    pub(super) fn pairs(&self) -> bool {
        self.pair || self.pairs_by_key
    }

    /// The places of the budgets that an SMS is charged to.
    pub(super) fn charged_by(&self, passage: &Passage) -> Vec<usize> {
        let key = |budget: &Budget| crate::budget::key(budget.name(), budget.period, budget.unit);
        let is_charged = |budget: &Budget| passage.budgets.iter().any(|charge| charge.key == key(budget));
        (0..self.budgets.len()).filter(|place| is_charged(&self.budgets[*place])).collect()
    }

    /// What a rule says of storms.
    fn own_storm(&self, rule: &str) -> String {
        match self.storms.get(rule) {
            None => String::new(),
            Some(OwnStorm::Off) => "storm = \"off\"".to_owned(),
            Some(OwnStorm::Digest(every)) => format!("storm.digest = \"{}\"", time(*every)),
            Some(OwnStorm::Similar(window)) => format!("storm.similar = \"{}\"", time(*window)),
        }
    }

    /// The file.
    fn toml(&self) -> String {
        let when = |is_so: bool, text: &str| if is_so { text.to_owned() } else { String::new() };
        let escalate = self.escalates.map_or_else(String::new, |after| {
            let after = time(after);
            format!(
                "escalate = {{ after = \"{after}\", to = \"chief\", text = \"Nobody has this yet: {{{{ subject }}}}, {{{{ text }}}}\" }}"
            )
        });
        format!(
            r#"
hostname = "relay.example"
smtp.listener = [{{ name = "mail", bind = "127.0.0.1:0" }}]
routing = {{ domains = ["sms.local"], allowed = ["+39"] }}
spool = {{ directory = "spool", min_free = "1MiB" }}
reporting = {{ to = "sender", operator = "ops@example.com" }}
smarthost.host = "mail.example.com"
defaults = {{ sender = "Relay", lifetime = "12h" }}

[[gateway]]
name = "main"
url = "http://127.0.0.1:1"
credentials = "emulator"
{backup}
{storm}
[aliases]
{aliases}
{people}
{boss}
[[rule]]
name = "fire"
when.subject = "^fire alarm"
lane = "critical"
{escalate}

[[rule]]
name = "nightly"
when.subject = "^nightly report"
lane = "bulk"
deliver_at = "08:00"
{reports}

[[rule]]
name = "alive"
when.subject = "^self-test passed"
drop = "a heartbeat"
{expects}

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
{wakes}

[[rule]]
name = "printers"
when.subject = "^printer"
{printers}
{report}

[[rule]]
name = "certificates"
when.subject = "^certificate"
{also}
{certificates}
{escalate}

[[rule]]
name = "everything"
{everything}
{pairs}
"#,
            backup = when(
                self.has_backup,
                "\n[[gateway]]\nname = \"backup\"\nurl = \"http://127.0.0.1:2\"\ncredentials = \"emulator\"\n"
            ),
            storm = self.storm(),
            aliases = people::aliases(self),
            people = self.people(),
            boss = when(
                self.fans_out,
                "[[rule]]\nname = \"boss\"\nwhen.subject = \"^fire alarm\"\nto = \"boss\"\n\
                 text = \"{{ to }} is called: {{ subject }}, {{ text }}\"\ncontinue = true\n"
            ),
            expects = self.expects.map_or_else(String::new, |within| {
                format!("expect = {{ within = \"{}\", tell = [\"oncall\", \"helpdesk\"] }}", time(within))
            }),
            digest =
                self.digest.map_or_else(String::new, |every| format!("storm.digest = \"{}\"", time(every))),
            wakes = when(self.doors_wake, "quiet = false"),
            reports = self.own_storm("nightly"),
            printers = self.own_storm("printers"),
            certificates = self.own_storm("certificates"),
            everything = self.own_storm("everything"),
            pairs = when(
                self.pairs_by_key,
                "storm.pair = { key = \"{{ text|match('incident ([0-9.]+)', 1) }}\", recovery = '^RECOVERY:' }"
            ),
            report = when(self.is_silent_about_printers, "report = \"off\""),
            also = when(self.fans_out, "also_to = \"facility\""),
        )
    }

    fn people(&self) -> String {
        let mut text = String::new();
        if let Some(Rota { handover: (day, minute), cover }) = self.rota {
            let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][usize::try_from(day).unwrap()];
            let first = date((day - 7) * DAY);
            text.push_str(&format!(
                "[[rota]]\nname = \"duty\"\ntimezone = \"UTC\"\nturns = [\"anna\", \"bruno\"]\nfrom = \"{first}\"\n\
                 handover = \"{weekday} {}\"\n{}\n",
                clock(minute),
                if cover.is_some() { "overrides = \"duty.overrides\"" } else { "" },
            ));
        }
        for (n, (from, to)) in &self.quiet {
            let (phone, from, to, zone) = (people::phone(*n), clock(*from), clock(*to), self.zone_name());
            text.push_str(&format!(
                "[[quiet]]\nwho = \"{phone}\"\nfrom = \"{from}\"\nto = \"{to}\"\ntimezone = \"{zone}\"\n"
            ));
        }
        if let Some(minute) = self.heartbeat {
            text.push_str(&format!(
                "[[heartbeat]]\nname = \"{HEARTBEAT}\"\nat = \"{}\"\ntimezone = \"UTC\"\nto = [\"oncall\"]\n\
                 text = \"Test {{{{ name }}}}, {{{{ now }}}}\"\nwithin = \"15m\"\ntell = [\"helpdesk\"]\n",
                clock(minute)
            ));
        }
        text
    }

    fn storm(&self) -> String {
        let limit = |name: &str, steps: &[(u32, i64)]| {
            let steps: Vec<String> =
                steps.iter().map(|(most, within)| format!("\"{most} in {}\"", time(*within))).collect();
            if steps.is_empty() { String::new() } else { format!("{name} = [{}]\n", steps.join(", ")) }
        };
        let prices = self.price.map_or_else(String::new, |price| {
            format!("[prices]\ncurrency = \"EUR\"\nper_part = {{ \"+39\" = \"{}\" }}\n", money(price))
        });
        let zone = self.zone_name();
        let budgets: String = self.budgets.iter().map(|one| budget(one, zone)).collect();
        format!(
            "[storm]\nparts = {}\ntimezone = \"{zone}\"\npair = {}\n{}{}{}\n{prices}{budgets}",
            self.parts.max(1),
            self.pair,
            self.similar.map_or_else(String::new, |window| format!("similar = \"{}\"\n", time(window))),
            limit("per_destination", &self.per_destination),
            limit("per_source", &self.per_source),
        )
    }

    /// The same as the daemon would have it.
    pub(super) fn load(&self, directory: &Path) -> Config {
        if let Some((from, to)) = self.rota.and_then(|rota| rota.cover) {
            let shown =
                |minutes: i64| format!("{} {}", date(minutes * MINUTE), clock(minutes.rem_euclid(1440)));
            let line = format!("{} .. {} carla\n", shown(from), shown(to));
            std::fs::write(directory.join("duty.overrides"), line).unwrap();
        }
        let path = directory.join("relay.toml");
        std::fs::write(&path, self.toml()).unwrap();
        config::load(&path).unwrap_or_else(|problems| panic!("{problems}\n{}", self.toml())).config
    }
}

fn budget(budget: &Budget, zone: &str) -> String {
    let scope = match budget.scope {
        Scope::All => String::new(),
        Scope::Rule(rule) => format!("rule = \"{rule}\"\n"),
        Scope::Network => format!("client = \"{BEHIND}\"\n"),
    };
    let (unit, per) = match (budget.unit, budget.period) {
        (Unit::Parts, Period::Day) => ("parts", "day"),
        (Unit::Parts, Period::Month) => ("parts", "month"),
        (Unit::Money, Period::Day) => ("money", "day"),
        (Unit::Money, Period::Month) => ("money", "month"),
    };
    let shown = |amount: u64| match budget.unit {
        Unit::Parts => amount.to_string(),
        Unit::Money => format!("\"{}\"", money(amount)),
    };
    let levels = [("warn", budget.warn), ("hold", budget.hold), ("ceiling", budget.ceiling)];
    let levels: Vec<String> =
        levels.into_iter().filter_map(|(name, level)| Some(format!("{name} = {}", shown(level?)))).collect();
    format!(
        "[[budget]]\nname = \"{}\"\nper = \"{per}\"\ntimezone = \"{zone}\"\n{scope}{unit} = {{ {} }}\n",
        budget.name(),
        levels.join(", ")
    )
}

fn time(millis: i64) -> String {
    format!("{}s", millis / SECOND)
}

fn money(millionths: u64) -> String {
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn date(millis: i64) -> String {
    at(millis).strftime("%Y-%m-%d").to_string()
}
