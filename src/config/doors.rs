//! The doors: `[http]` (`[smtp]` has a file of its own), and what both share.

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::Timestamp;

use super::allowance::{self, allowance};
use super::apis::Apis;
use super::enabled::{self, Profiles};
use super::reader::{Reader, Section};
use super::vigil::Collected;
use super::{callbacks, certificates, logins, profiles, proxies, values};
use crate::model::{Door, SourceKind};
use crate::routing::{KnownAccount, KnownListener};
use crate::{http, smtp};

const MIB: u64 = 1 << 20;

/// Both doors, and what rules may name of them.
pub(super) struct Doors {
    pub(super) smtp: smtp::Settings,
    pub(super) http: http::Settings,
    pub(super) accounts: Vec<http::Account>,
    pub(super) callbacks: Option<http::CallbackDoor>,
    pub(super) known_listeners: Vec<KnownListener>,
    pub(super) known_accounts: Vec<KnownAccount>,
    /// What accounts may do, by their names.
    pub(super) allowances: BTreeMap<String, allowance::Written>,
    /// Who is to be heard of; rules are added as they are read.
    pub(super) expected: Collected,
}

/// Reads both sections. A listener or account that is wrong is left out of the settings, but rules
/// may still name it: one mistake is told once.
pub(super) fn read(reader: &Reader, top: &Section, hostname: &str, now: Timestamp) -> Doors {
    let mut taken = Taken::default();
    let super::smtp::Read { settings: smtp, mut known_listeners, mut known_accounts, mut allowances } =
        super::smtp::read(reader, top, &mut taken, hostname, now);

    let section = top.section("http");
    let limits = http_limits(&section);
    let mut listeners = Vec::new();
    let written_listeners = section.sections("listener");
    let mut with_callbacks = Vec::new();
    let profiles = Profiles::read(reader, &section);
    let mut spoken = Vec::new();
    let mut has_api = false;
    for written in &written_listeners {
        let name = taken.name(reader, written, "listener", Some("http"));
        let allow_get = written.or("allow_get", false, values::flag);
        let metrics = written.or("metrics", false, values::flag);
        let api = written.or("api", false, values::flag);
        has_api |= api;
        let proxies = proxies::proxies(reader, written);
        // What is wrong was meant to be something.
        let callbacks =
            written.optional("callbacks", values::flag).unwrap_or_else(|| written.has("callbacks"));
        with_callbacks.push((written, callbacks));
        let enabled = profiles.enabled(written);
        let own: Vec<_> = enabled.iter().map(|enabled| Arc::clone(&enabled.profile)).collect();
        spoken.push((enabled, callbacks));
        let bind = written.required("bind", "\"127.0.0.1:8025\"", values::bind);
        let tls = certificates::of_http(written, now);
        known_listeners.push(KnownListener { name: name.clone(), door: Door::Http, networks: Vec::new() });
        if let (Some(bind), Some(sms)) = (bind, profiles::sms_of(reader, allow_get)) {
            taken.bind(reader, written, bind);
            listeners.push(http::Listener {
                name,
                bind,
                allow_get,
                metrics,
                callbacks,
                sms,
                profiles: own,
                api,
                proxies,
                tls,
            });
        }
    }
    let callbacks = callbacks::receiver(reader, top, &with_callbacks);
    for (enabled, takes_callbacks) in &spoken {
        enabled::check(reader, enabled, callbacks.as_ref().filter(|_| *takes_callbacks));
    }
    let apis = Apis::new(&profiles, spoken.iter().flat_map(|(enabled, _)| enabled), has_api);
    let mut accounts = Vec::new();
    let mut everybody: Vec<IpNet> = Vec::new();
    let written_accounts = section.sections("account");
    for written in &written_accounts {
        let own = allowance(written, Door::Http);
        let (account, known) = account(reader, &mut taken, &apis, written, own.may_choose_sender);
        if let Some(account) = &account {
            logins::told_apart(reader, written, account, &accounts);
        }
        allowances.insert(known.name.clone(), own);
        accounts.extend(account);
        everybody.extend(&known.networks);
        known_accounts.push(known);
    }
    for known in known_listeners.iter_mut().filter(|known| known.door == Door::Http) {
        known.networks.clone_from(&everybody);
    }

    if known_listeners.is_empty() {
        reader.error(None, "there is no door: write a [[smtp.listener]] or a [[http.listener]]".to_owned());
    }
    // One for the platform's callbacks may be for nothing else.
    let for_posts = with_callbacks.iter().find(|(_, callbacks)| !callbacks);
    if let (Some((first, _)), true) = (for_posts, written_accounts.is_empty()) {
        let text = "nobody can post here: there is no [[http.account]]";
        reader.warning(first.span(), text.to_owned());
    }
    let http = http::Settings { listeners, limits };
    let expected = taken.expected;
    Doors { smtp, http, accounts, callbacks, known_listeners, known_accounts, allowances, expected }
}

fn http_limits(section: &Section) -> http::Limits {
    http::Limits {
        body_octets: section.or("body_size", 64 << 10, values::size(1024..=64 * MIB)),
        connections: section.or("connections", 1000, values::count(1..=1_000_000)),
        connections_per_client: section.or("connections_per_client", 50, values::count(1..=1_000_000)),
        header_time: section.or("header_time", Duration::from_secs(10), values::time(values::SECOND)),
        request_time: section.or("request_time", Duration::from_secs(30), values::time(values::SECOND)),
        auth_failures: section.or("auth_failures", 10, values::count(1..=10_000)),
        auth_window: section.or("auth_window", Duration::from_secs(600), values::time(values::SECOND)),
    }
}

fn account(
    reader: &Reader,
    taken: &mut Taken,
    apis: &Apis,
    written: &Section,
    may_choose_sender: bool,
) -> (Option<http::Account>, KnownAccount) {
    let name = taken.name(reader, written, "account", None);
    taken.expected.read(written, SourceKind::Account);
    let networks = written.or("networks", private_networks(), values::networks);
    let accepted = profiles::accepted(reader, written);
    let profiles = apis.of_account(reader, written);
    let may_choose_lane = written.or("may_choose_lane", false, values::flag);
    let may_see_all = written.or("may_see_all", false, values::flag);
    let program = callbacks::program(reader, written);
    let known = KnownAccount { name: name.clone(), door: Door::Http, networks: networks.clone() };
    let Some(login) = logins::login(reader, written, &name) else { return (None, known) };
    if may_see_all && login.is_none() {
        let text = "with `may_see_all` and `without_password` anybody in its networks could read everybody's messages; \
                    give this account a password";
        reader.error(written.place("may_see_all"), text.to_owned());
    }
    let account = http::Account {
        name,
        networks,
        login,
        profiles,
        may_choose_sender,
        may_choose_lane,
        may_see_all,
        accepted,
        program,
    };
    (Some(account), known)
}

/// Names and addresses that are taken already.
#[derive(Default)]
pub(super) struct Taken {
    names: HashSet<(&'static str, String)>,
    binds: HashSet<SocketAddr>,
    /// Who is to be heard of.
    pub(super) expected: Collected,
}

impl Taken {
    /// The section's `name`; `default` where it has none. A name that is wrong becomes empty, and
    /// an empty one is never taken.
    pub(super) fn name(
        &mut self,
        reader: &Reader,
        section: &Section,
        kind: &'static str,
        default: Option<&str>,
    ) -> String {
        let name = match default {
            Some(default) if !section.has("name") => {
                section.optional("name", values::name).unwrap_or_else(|| default.to_owned())
            }
            Some(_) | None => section.required("name", "\"lan\"", values::name).unwrap_or_default(),
        };
        if !name.is_empty() && !self.names.insert((kind, name.clone())) {
            let text = format!("there are two {kind}s with the name `{name}`; give this one another `name`");
            reader.error(section.place("name"), text);
        }
        name
    }

    /// Notes `bind` as taken; port 0 never is.
    pub(super) fn bind(&mut self, reader: &Reader, section: &Section, bind: SocketAddr) {
        if bind.port() != 0 && !self.binds.insert(bind) {
            reader.error(
                section.place("bind"),
                format!("two listeners want `{bind}`; give one of them another port"),
            );
        }
    }
}

/// This machine and the private ranges (RFC 1918, RFC 4193, link-local).
pub(super) fn private_networks() -> Vec<IpNet> {
    let v4 = |a, b, length| Ipv4Net::new(Ipv4Addr::new(a, b, 0, 0), length).map(IpNet::V4).ok();
    let v6 = |first, length| {
        let address = std::net::Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0);
        Ipv6Net::new(address, length).map(IpNet::V6).ok()
    };
    let loopback = Ipv6Net::new(std::net::Ipv6Addr::LOCALHOST, 128).map(IpNet::V6).ok();
    let all = [
        v4(127, 0, 8),
        v4(10, 0, 8),
        v4(172, 16, 12),
        v4(192, 168, 16),
        loopback,
        v6(0xfc00, 7),
        v6(0xfe80, 10),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_networks_are_loopback_and_the_private_ranges() {
        let shown: Vec<String> = private_networks().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "127.0.0.0/8",
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "::1/128",
                "fc00::/7",
                "fe80::/10"
            ]
        );
    }
}
