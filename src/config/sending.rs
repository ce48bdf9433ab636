//! `[gateway]`, `[dispatch]`, `[tracking]` and `[spool]`: where messages wait and where they go.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use super::reader::{Reader, Section, Value};
use super::{secrets, values};
use crate::gateway::universal::{self, Credentials};
use crate::model::Secret;
use crate::retry::Backoff;
use crate::spool::sqlite;
use crate::{dispatch, tracking};

/// The key that the built-in emulator takes; no secret, and refused for any other machine.
const EMULATOR_KEY: &str = "emulator";

/// Reads `[gateway]`.
pub(super) fn gateway(reader: &Reader, top: &Section) -> Option<universal::Settings> {
    let section = top.section("gateway");
    let name = section.or("name", "platform".to_owned(), values::name);
    let plain_allowed = section.or("allow_plain_http", false, values::flag);
    let url = section.required("url", "\"https://lora-api.agiletelecom.com\"", base_url);
    let loopback = url.as_ref().is_some_and(is_loopback);
    if let Some(url) = &url
        && url.scheme() == "http"
        && !loopback
        && !plain_allowed
    {
        let text = "this sends the key and every text unencrypted; write https://, or set \
                    allow_plain_http = true where the network is trusted";
        reader.error(section.place("url"), text.to_owned());
    }
    let credentials = credentials(&section, url.is_some(), loopback);
    let ca_pem = section.optional("ca_file", values::certificates);
    let connect_time = section.or("connect_time", Duration::from_secs(5), values::time(values::SECOND));
    let total_time = section.or("total_time", Duration::from_secs(30), values::time(values::SECOND));
    if connect_time > total_time {
        let text = "`connect_time` is longer than `total_time`, which bounds the whole call; shorten it";
        reader.error(section.place("connect_time"), text.to_owned());
    }
    Some(universal::Settings {
        name,
        base_url: url?.as_str().trim_end_matches('/').to_owned(),
        credentials: credentials?,
        ca_pem,
        connect_time,
        total_time,
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

/// The host of a checked base URL, for `Remote-MTA` in reports.
pub(super) fn host(base_url: &str) -> Option<String> {
    Url::parse(base_url).ok()?.host_str().map(str::to_owned)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
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

/// Reads `[dispatch]`. The first question whether a message arrived is `tracking`'s to time.
pub(super) fn dispatch(top: &Section, tracking: &tracking::Settings) -> dispatch::Settings {
    let section = top.section("dispatch");
    dispatch::Settings {
        concurrency: section.or("concurrency", 8, values::count(1..=1000)),
        backoff: values::backoff(&section, "backoff", seconds(5, 15 * 60)),
        probe: values::backoff(&section, "probe", seconds(30, 15 * 60)),
        ask_after: section.or("ask_after", Duration::from_secs(5), values::time(values::SECOND)),
        unknown_time: section.or("unknown_time", Duration::from_secs(600), values::time(values::SECOND)),
        ask_delivery_after: tracking.ask.first,
    }
}

/// Reads `[tracking]`.
pub(super) fn tracking(top: &Section) -> tracking::Settings {
    let section = top.section("tracking");
    tracking::Settings {
        ask: values::backoff(&section, "ask", seconds(30, 3600)),
        concurrency: section.or("concurrency", 4, values::count(1..=1000)),
        give_up_after: section.or(
            "give_up_after",
            Duration::from_secs(72 * 3600),
            values::time(Duration::from_secs(60)),
        ),
    }
}

/// Reads `[spool]`.
pub(super) fn spool(top: &Section) -> Option<sqlite::Settings> {
    let section = top.section("spool");
    let directory = section.required("directory", "\"/var/lib/sms-relay\"", values::path);
    let min_free = section.or("min_free", 64 << 20, values::size(1 << 20..=1 << 40));
    Some(sqlite::Settings { directory: directory?, min_free_octets: min_free as u64 })
}

pub(super) fn seconds(first: u64, most: u64) -> Backoff {
    Backoff { first: Duration::from_secs(first), most: Duration::from_secs(most) }
}
