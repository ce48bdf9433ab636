//! A machine room as its operator writes it down: rules and aliases, and mails of its appliances.

use std::fmt::Write;

/// What a rule asks for, as written; empty where it does not ask.
#[derive(Default)]
pub(crate) struct When {
    pub(crate) client: String,
    pub(crate) listener: &'static str,
    pub(crate) account: String,
    pub(crate) envelope_sender: String,
    pub(crate) header_sender: String,
    pub(crate) recipient: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl When {
    /// The keys that ask for something.
    fn written(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = [
            ("client", self.client.as_str()),
            ("listener", self.listener),
            ("account", &self.account),
            ("envelope_sender", &self.envelope_sender),
            ("header_sender", &self.header_sender),
            ("recipient", &self.recipient),
            ("subject", &self.subject),
            ("text", &self.text),
        ];
        keys.into_iter().filter(|(_, value)| !value.is_empty())
    }
}

/// Rules, in order. Of a thousand, ten have patterns that no word tells anything about.
pub(crate) fn rules(count: usize) -> Vec<When> {
    (0..count).map(|n| if n + 1 == count { last() } else { rule(n) }).collect()
}

/// The rule that takes the mail for the last one.
fn last() -> When {
    When { subject: r"\bgenerator (?P<n>\d+) (has )?started\b".to_owned(), ..When::default() }
}

fn rule(n: usize) -> When {
    let any = When::default;
    let host = format!("10.{}.{}.{}/32", n / 250 % 4, n % 250, n % 200 + 1);
    match n % 20 {
        0..5 => {
            When { client: host, subject: format!(r"\bsw-core-{n}\b.*\b(down|flapp(ed|ing))\b"), ..any() }
        }
        5..8 => When {
            subject: format!(r"(?P<host>srv{n:04}[a-z]?) is (?P<state>down|unreachable|critical)"),
            ..any()
        },
        8 | 9 => {
            When { text: format!(r"\b(temperature|humidity) (is )?(high|low)\b.*\brack {n}\b"), ..any() }
        }
        10 | 11 => When {
            envelope_sender: format!(r"^ups{n}@"),
            text: r"on battery|battery (?P<charge>\d+) ?%|mains (failed|back)".to_owned(),
            ..any()
        },
        12 | 13 => When { recipient: format!("^team-{n}$"), ..any() },
        14 => When { listener: "plant", header_sender: format!(r"@plc{n}\.example\.com"), ..any() },
        15 => When {
            account: format!("shop{}", n % 40),
            text: format!(r"\border [A-Z]?\d+ of branch {n}\b"),
            ..any()
        },
        16 => When {
            header_sender: format!("backup{n}@"),
            subject: "(failed|warning|errors?)$".to_owned(),
            ..any()
        },
        17 => {
            When { subject: format!(r"^\[zabbix\] (problem|resolved|[0-9]+ events?): .*\bdb-{n}\b"), ..any() }
        }
        18 => When {
            client: format!("10.{}.0.0/16", n % 4),
            text: format!(r"\b[a-f]{{2}}-\d{{4}}: door {n} (forced|left open)"),
            ..any()
        },
        _ if n % 100 == 19 => When { text: format!(r"\b\d{{6}}[A-F]{{{}}}\b", n / 100 + 1), ..any() },
        _ => When {
            client: format!("172.16.{}.0/24", n % 250),
            subject: r"^\W*(alarm|störung|guasto)\b".to_owned(),
            ..any()
        },
    }
}

/// Somebody of 8,000.
pub(crate) fn phone(n: usize) -> String {
    format!("+39347{:07}", n % 8000)
}

/// Names with what they stand for: people, teams of five of them, sites of three teams, and on-call names for rotas.
pub(crate) fn aliases(count: usize) -> Vec<(String, Vec<String>)> {
    let alias = |n: usize| match n % 20 {
        0..16 => (format!("person-{n}"), vec![phone(n)]),
        16..19 => (format!("team-{n}"), (0..5).map(|m| format!("person-{}", n / 20 * 20 + m)).collect()),
        _ => (format!("site-{n}"), (1..4).map(|m| format!("team-{}", n - m)).collect()),
    };
    (0..count).map(alias).collect()
}

/// The configuration with all that.
pub(crate) fn configuration(rules: &[When], aliases: &[(String, Vec<String>)]) -> String {
    let mut out = String::from(
        r#"hostname = "relay.example.com"
smtp.listener = [
    { name = "lan", bind = "127.0.0.1:2525", networks = ["10.0.0.0/8", "172.16.0.0/12"] },
    { name = "plant", bind = "127.0.0.1:2526", networks = ["10.0.0.0/8"] },
]
http.listener = [{ name = "web", bind = "127.0.0.1:8025" }]
spool.directory = "spool"
gateway = { url = "http://127.0.0.1:8026", credentials = "emulator" }
reporting.to = "off"

[routing]
allowed = ["+39", "+41", "+44"]
no_match = "send"

[defaults]
sender = "Relay"

[aliases]
"#,
    );
    let list = |all: &[String]| all.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", ");
    for (name, targets) in aliases {
        writeln!(out, "{name} = [{}]", list(targets)).unwrap();
    }
    for n in 0..100 {
        let who: Vec<String> = (0..4).map(|m| format!("person-{}", n * 20 + m)).collect();
        writeln!(out, "[[rota]]\nname = \"duty-{n}\"\ntimezone = \"Europe/Rome\"\nturns = [{}]", list(&who))
            .unwrap();
        writeln!(out, "from = \"2026-01-05\"\nhandover = \"Mon 09:00\"").unwrap();
    }
    for n in 0..40 {
        writeln!(out, "[[http.account]]\nname = \"shop{n}\"\nwithout_password = true").unwrap();
        writeln!(out, "networks = [\"10.200.{n}.0/24\"]").unwrap();
    }
    for (n, when) in rules.iter().enumerate() {
        writeln!(out, "[[rule]]\nname = \"rule-{n}\"").unwrap();
        for (key, value) in when.written() {
            writeln!(out, "when.{key} = '{value}'").unwrap();
        }
    }
    out
}

/// A mail, as far as routing sees it.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    pub(crate) envelope_sender: &'static str,
    pub(crate) header_sender: &'static str,
    pub(crate) to: &'static str,
    pub(crate) subject: String,
    pub(crate) text: String,
    /// The rule that is to take it.
    pub(crate) rule: String,
}

/// What an appliance says, of about so many octets.
fn words(octets: usize) -> String {
    let line =
        "Problem started at 03:12:44 on 2026.01.01, severity high, host rack7, input 231 V, load 41 %. ";
    let mut text = line.repeat(octets / line.len() + 1);
    text.truncate(octets);
    text
}

/// Mails of 60 characters of subject and 500 of text, and larger ones, by the rule that takes them among so many.
pub(crate) fn samples(rules: usize) -> Vec<Sample> {
    let sample = |name, rule: String, subject: &str, text: String| Sample {
        name,
        address: "10.1.2.3",
        envelope_sender: "monitor@example.com",
        header_sender: "Monitor <monitor@example.com>",
        to: "person-42",
        subject: format!("{subject:<60}"),
        text,
        rule,
    };
    let nothing = "Weekly report of the monitor in room 7, nothing to do";
    let started = "Diesel generator 3 has started after 4 seconds";
    let last = || format!("rule-{}", rules - 1);
    let none = || "default".to_owned();
    // The last that asks for a rack; see `rule`.
    let late = (rules - 10) / 20 * 20 + 8;
    vec![
        sample(
            "an early rule",
            "rule-6".to_owned(),
            "Problem: srv0006 is unreachable since 03:12:44",
            words(500),
        ),
        sample("the last rule", last(), started, words(500)),
        sample("no rule", none(), nothing, words(500)),
        Sample { to: "team-17", ..sample("the last rule, five phones", last(), started, words(500)) },
        Sample { to: "duty-7", ..sample("no rule, a rota", none(), nothing, words(500)) },
        Sample {
            text: format!("Temperatur 31 °C, Störung in Halle 3: {}", words(460)),
            ..sample(
                "no rule, outside ASCII",
                none(),
                "Störung: Kühlung in Halle 3 läuft nicht",
                String::new(),
            )
        },
        Sample {
            to: "team-17",
            ..sample(
                "every rule's words, five phones",
                format!("rule-{late}"),
                &format!("srv{late:04} sw-core-1 is down, failed, alarm"),
                format!(
                    "on battery, 1234567ABC, temperature high, door, order of branch, rack {late} humidity is low, rack {late}. {}",
                    words(400)
                ),
            )
        },
        sample("no rule, 128 KiB", none(), nothing, words(128 * 1024)),
        sample("the last rule, 128 KiB", last(), started, words(128 * 1024)),
    ]
}
