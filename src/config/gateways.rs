//! `[gateway]`, or several `[[gateway]]`: the accounts of the platform.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use super::reader::{Reader, Section, Value};
use super::{secrets, values};
use crate::credit::GatewayCredit;
use crate::gateway::LineSettings;
use crate::gateway::universal::{self, Credentials};
use crate::model::{Price, Secret};
use crate::reporting::Platforms;
use crate::routing::Routing;

/// The key that the built-in emulator takes; no secret, and refused for any other machine.
const EMULATOR_KEY: &str = "emulator";
/// How often the credit is asked for where nothing is written.
const CREDIT_EVERY: Duration = Duration::from_secs(15 * 60);
/// The most messages a second that can be told from no bound.
const MOST_A_SECOND: f64 = 10_000.0;

/// One account of the platform, and how it is used.
#[derive(Clone, Debug)]
pub struct ConfiguredGateway {
    /// Where it is, and who we are there.
    pub api: universal::Settings,
    /// How much it may be called.
    pub line: LineSettings,
    /// Whether its credit is asked for; `None` is never.
    pub credit: Option<GatewayCredit>,
}

/// The gateways as written, and where.
pub(super) struct Gateways<'a> {
    sections: Vec<Section<'a>>,
    /// In order; `None` where one of them is wrong.
    names: Option<Vec<String>>,
}

impl<'a> Gateways<'a> {
    /// Finds the sections and their names, which rules ask for.
    pub(super) fn find(reader: &Reader, top: &Section<'a>) -> Self {
        let (sections, is_list) = top.one_or_more("gateway");
        if sections.is_empty() && top.has("gateway") {
            reader.error(top.place("gateway"), "there is no gateway; write one [[gateway]]".to_owned());
        }
        let mut names: Vec<Option<String>> = Vec::new();
        for section in &sections {
            let name = match is_list {
                true => section.required("name", "\"main\"", values::name),
                false if section.has("name") => section.optional("name", values::name),
                false => {
                    section.value("name");
                    Some("platform".to_owned())
                }
            };
            if let Some(name) = &name
                && names.iter().flatten().any(|earlier| earlier == name)
            {
                let text = format!("there are two gateways with the name `{name}`; rename one");
                reader.error(section.place("name"), text);
            }
            names.push(name);
        }
        let names = names.into_iter().collect::<Option<Vec<String>>>().filter(|names| !names.is_empty());
        Self { sections, names }
    }

    /// The names that rules may use.
    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Reads all of them; `None` where one is wrong. `usual` is what holds for one that says nothing about how
    /// much it may be called.
    pub(super) fn read(self, reader: &Reader, usual: LineSettings) -> Option<Vec<ConfiguredGateway>> {
        let Self { sections, names } = self;
        let read: Vec<_> = sections.iter().map(|section| gateway(reader, section, usual)).collect();
        let all = read.into_iter().collect::<Option<Vec<_>>>()?;
        let named = |(mut one, name): (ConfiguredGateway, String)| {
            one.api.name = name;
            one
        };
        Some(all.into_iter().zip(names?).map(named).collect())
    }

    /// Warns of gateways that nothing is sent by.
    pub(super) fn warn_of_unused(&self, reader: &Reader, routing: &Routing) {
        let used: Vec<&[String]> = routing.gateway_orders().collect();
        if used.is_empty() || used.iter().any(|order| order.is_empty()) {
            return;
        }
        for (section, name) in self.sections.iter().zip(self.names.iter().flatten()) {
            if !used.iter().any(|order| order.contains(name)) {
                let text = format!(
                    "nothing is sent by gateway `{name}`: no rule and no default has it in `gateways`; add it to one, or \
                     remove the gateway"
                );
                reader.warning(section.place("name"), text);
            }
        }
    }
}

fn gateway(reader: &Reader, section: &Section, usual: LineSettings) -> Option<ConfiguredGateway> {
    let plain_allowed = section.or("allow_plain_http", false, values::flag);
    let url = section.required("url", "\"https://lora-api.agiletelecom.com\"", base_url);
    let loopback = url.as_ref().and_then(Url::host_str).is_some_and(is_loopback);
    if let Some(url) = &url
        && url.scheme() == "http"
        && !loopback
        && !plain_allowed
    {
        let text = "this sends the key and every text unencrypted; write https://, or set \
                    allow_plain_http = true where the network is trusted";
        reader.error(section.place("url"), text.to_owned());
    }
    let credentials = credentials(section, url.is_some(), loopback);
    let ca_pem = section.optional("ca_file", values::certificates);
    let connect_time = section.or("connect_time", Duration::from_secs(5), values::time(values::SECOND));
    let total_time = section.or("total_time", Duration::from_secs(30), values::time(values::SECOND));
    if connect_time >= total_time {
        let text = "`connect_time` is no shorter than `total_time`, which bounds the whole call; shorten it";
        reader.error(section.place("connect_time"), text.to_owned());
    }
    let line = LineSettings {
        concurrency: section.or("concurrency", usual.concurrency, values::count(1..=1000)),
        messages_per_second: section.optional("messages_per_second", values::rate(MOST_A_SECOND)),
        ..usual
    };
    let credit = credit(section);
    Some(ConfiguredGateway {
        api: universal::Settings {
            name: String::new(),
            base_url: url?.as_str().trim_end_matches('/').to_owned(),
            credentials: credentials?,
            ca_pem,
            connect_time,
            total_time,
        },
        line,
        credit,
    })
}

/// `{ every = "15m", low = 100 }`, or `{ every = "off" }`.
fn credit(section: &Section) -> Option<GatewayCredit> {
    let written = section.section("credit");
    let every = |value: &Value| match value.item.get_ref().as_str() {
        Some("off") => Some(None),
        _ => values::time(Duration::from_secs(10))(value).map(Some),
    };
    let every = written.or("every", Some(CREDIT_EVERY), every);
    let low = written.optional("low", price);
    match every {
        None if written.has("low") => {
            let text =
                "`low` means nothing where the credit is not asked for; remove it, or write another `every`";
            written.value("low").into_iter().for_each(|value| value.error(text.to_owned()));
            None
        }
        every => every.map(|every| GatewayCredit { every, low }),
    }
}

/// An amount of the account's currency.
fn price(value: &Value) -> Option<Price> {
    let number = values::number(value)?;
    Price::from_number(number).or_else(|| {
        value.fail(format!(
            "`{number}` is not an amount; write 0 to 1000000 in the account's currency, like 100"
        ))
    })
}

/// Scheme, host and port; the paths are the client's business.
fn base_url(value: &Value) -> Option<Url> {
    let written = values::text(value)?;
    let Ok(url) = Url::parse(&written) else {
        value.reader.mask(value.span());
        return value
            .fail("this is not a URL; write it like \"https://lora-api.agiletelecom.com\"".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        value.reader.mask(value.span());
        return value.fail("a URL must not hold a password; use `api_key` or `basic`".to_owned());
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return value.fail(format!("`{}` is not a URL of http or https", written.escape_debug()));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        let base = url.origin().ascii_serialization();
        return value.fail(format!("the path is added by the relay; write only \"{base}\""));
    }
    Some(url)
}

/// The hosts of the gateways by their names, for `Remote-MTA` in reports.
pub(super) fn hosts(gateways: &[ConfiguredGateway]) -> Platforms {
    let host = |one: &ConfiguredGateway| {
        let url = Url::parse(&one.api.base_url).ok()?;
        Some((one.api.name.clone(), url.host_str()?.to_owned()))
    };
    gateways.iter().filter_map(host).collect()
}

/// Whether a host, as it stands in a URL or alone, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Exactly one way to show who we are.
fn credentials(section: &Section, url_known: bool, loopback: bool) -> Option<Credentials> {
    let api_key = section.value("api_key");
    let basic = section.section("basic");
    let emulator = section.value("credentials");
    // Asked for in any case, so that every key is known.
    let username = basic.optional("username", values::text);
    let password = basic.optional("password", secrets::secret);
    match (api_key, basic.is_written(), emulator) {
        (Some(key), false, None) => secrets::secret(&key).map(Credentials::ApiKey),
        (None, true, None) => {
            if !basic.has("username") || !basic.has("password") {
                let text =
                    "`basic` needs both: basic = { username = \"NAME\", password = { file = \"PATH\" } }";
                basic.error(text.to_owned());
            }
            Some(Credentials::Basic { username: username?, password: password? })
        }
        (None, false, Some(value)) => {
            if value.item.get_ref().as_str() != Some(EMULATOR_KEY) {
                return value.fail(
                    "`credentials` can only be \"emulator\"; for the platform use `api_key` or `basic`"
                        .to_owned(),
                );
            }
            if url_known && !loopback {
                return value.fail(
                    "the emulator's key is for a URL on this machine only; use `api_key` or `basic`"
                        .to_owned(),
                );
            }
            Some(Credentials::ApiKey(Secret::from(EMULATOR_KEY)))
        }
        (None, false, None) => {
            section.error("[gateway] has no credentials; write api_key = { file = \"PATH\" }".to_owned());
            None
        }
        (Some(_), _, _) | (None, true, Some(_)) => {
            section.error(
                "[gateway] has several credentials; keep one of `api_key`, `basic` and `credentials`"
                    .to_owned(),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::retry::Backoff;

    const USUAL: LineSettings = LineSettings {
        concurrency: 8,
        messages_per_second: None,
        probe: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(2) },
    };

    /// The gateways of a file, their names, and every problem.
    fn read(written: &str) -> (Option<Vec<ConfiguredGateway>>, Vec<String>, String) {
        let reader = Reader::new(Path::new("FILE"), written);
        let document = reader.parse().unwrap();
        let top = Section::top(&reader, document.get_ref());
        let gateways = Gateways::find(&reader, &top);
        let names = gateways.names().unwrap_or_default().to_vec();
        let read = gateways.read(&reader, USUAL);
        drop(top);
        (read, names, reader.problems().to_string())
    }

    #[test]
    fn one_table_needs_no_name_and_has_the_usual_bounds() {
        let (read, names, problems) = read("[gateway]\nurl = \"http://[::1]:1\"\ncredentials = \"emulator\"");
        assert_eq!((names, problems.as_str()), (vec!["platform".to_owned()], ""));
        let read = read.unwrap();
        assert_eq!((read[0].api.name.as_str(), read[0].line), ("platform", USUAL));
        assert_eq!(read[0].credit, Some(GatewayCredit { every: CREDIT_EVERY, low: None }));
        assert_eq!(hosts(&read), [("platform".to_owned(), "[::1]".to_owned())].into());
    }

    #[test]
    fn several_have_names_bounds_and_credit_of_their_own() {
        let (read, names, problems) = read(
            r#"
            [[gateway]]
            name = "main"
            url = "http://127.0.0.1:1"
            credentials = "emulator"
            concurrency = 1000
            messages_per_second = 0.5
            credit = { every = "1h", low = 12.5 }

            [[gateway]]
            name = "backup"
            url = "http://localhost:2"
            credentials = "emulator"
            messages_per_second = 10_000
            credit = { every = "off" }
            "#,
        );
        assert_eq!((names.join(" "), problems.as_str()), ("main backup".to_owned(), ""));
        let read = read.unwrap();
        let lines: Vec<_> =
            read.iter().map(|one| (one.line.concurrency, one.line.messages_per_second)).collect();
        assert_eq!(lines, [(1000, Some(0.5)), (8, Some(10_000.0))]);
        let low = Some(Price::from_millionths(12_500_000));
        assert_eq!(read[0].credit, Some(GatewayCredit { every: Duration::from_secs(3600), low }));
        assert_eq!((read[1].credit, read[1].api.name.as_str()), (None, "backup"));
        assert_eq!(hosts(&read).into_values().collect::<Vec<_>>(), ["localhost", "127.0.0.1"]);
    }

    #[test]
    fn a_connection_has_less_time_than_the_whole_call_as_the_client_wants_it() {
        let times = |connect: u64, total: u64| {
            let gateway = "[gateway]\nurl = \"http://127.0.0.1:1\"\ncredentials = \"emulator\"\n";
            let (read, _, problems) =
                read(&format!("{gateway}connect_time = \"{connect}s\"\ntotal_time = \"{total}s\""));
            let is_taken = universal::Universal::new(read.unwrap().remove(0).api).is_ok();
            assert_eq!(problems.is_empty(), is_taken, "{connect} of {total}: {problems}");
            is_taken
        };
        assert!(times(4, 5) && !times(5, 5) && !times(6, 5));
    }

    #[test]
    fn rates_are_bounded_at_n_and_not_n_plus_one() {
        let rate = |written: &str| {
            let gateway = "[gateway]\nurl = \"http://127.0.0.1:1\"\ncredentials = \"emulator\"\n";
            read(&format!("{gateway}messages_per_second = {written}")).2
        };
        for good in ["0.001", "1", "10000", "1e3"] {
            assert_eq!(rate(good), "", "{good}");
        }
        for wrong in ["0", "0.0009", "10000.1", "-1", "inf", "nan", "0x10", "\"1\""] {
            assert_ne!(rate(wrong), "", "{wrong}");
        }
    }
}
