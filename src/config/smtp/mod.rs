//! `[smtp]`: the listeners with their TLS, what they forgive and whether clients authenticate.
//!
//! `limits` has what a client may use up, `clients` the networks and accounts, `words` the values that only
//! this section has.

mod clients;
mod limits;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use super::allowance::{Written, allowance};
use super::certificates::{self, Given};
use super::doors::{Taken, private_networks};
use super::reader::{Reader, Section};
use super::values;
use crate::model::Door;
use crate::routing::{KnownAccount, KnownListener};
use crate::smtp::{Auth, Listener, Profile, Settings, Tls};
use words::Captures;

/// The door, and what rules may name of it.
pub(super) struct Read {
    pub(super) settings: Settings,
    pub(super) known_listeners: Vec<KnownListener>,
    pub(super) known_accounts: Vec<KnownAccount>,
    pub(super) allowances: BTreeMap<String, Written>,
}

/// What is known of a listener, even where it cannot be opened.
struct Seen {
    name: String,
    networks: Vec<IpNet>,
    /// Whether it lets clients authenticate, as far as it goes by the listener.
    auth: Auth,
    /// Whether a client can do so: it speaks TLS, or needs none.
    can_auth: bool,
    /// Whether it speaks TLS with the certificate of `[smtp]`.
    uses_general: bool,
}

/// What holds where a listener says nothing.
struct Usual {
    certificate: Given,
    auth: Auth,
    has_accounts: bool,
}

/// Reads the section. A listener or account that is wrong is left out of the settings and is known all
/// the same.
pub(super) fn read(
    reader: &Reader,
    top: &Section,
    taken: &mut Taken,
    hostname: &str,
    now: Timestamp,
) -> Read {
    let section = top.section("smtp");
    let limits = limits::read(reader, &section);
    let certificate = certificates::read(&section, now);
    let written_accounts = section.sections("account");
    let mut allowances = BTreeMap::new();
    let has_accounts = !written_accounts.is_empty();
    let auth = if has_accounts { Auth::Offered } else { Auth::Off };
    let usual = Usual { certificate, auth, has_accounts };

    let mut captures = Captures::default();
    let mut listeners = Vec::new();
    let mut seen = Vec::new();
    for written in section.sections("listener") {
        let (one, listener) = listener(reader, &written, taken, &mut captures, &usual, now);
        seen.push(one);
        listeners.extend(listener);
    }
    let used = seen.iter().any(|one| one.uses_general);
    if let (Given::Good(_), false) = (&usual.certificate, used) {
        let text =
            "no listener uses this certificate: each has its own, or speaks no TLS; remove it, or theirs";
        reader.warning(section.place("certificate"), text.to_owned());
    }

    let mut networks: Vec<(bool, crate::smtp::Network)> = Vec::new();
    for written in section.sections("network") {
        let earlier: Vec<&crate::smtp::Network> = networks.iter().map(|(_, network)| network).collect();
        let network = clients::network(reader, &written, taken, &mut captures, &seen, &earlier, has_accounts);
        networks.extend(network);
    }
    let anywhere = seen.iter().any(|one| one.auth != Auth::Off && one.can_auth)
        || networks.iter().any(|(can_auth, _)| *can_auth);
    let accounts = clients::accounts(reader, &written_accounts, taken);
    if let (Some(first), false) = (written_accounts.first(), anywhere) {
        let text = match seen.iter().any(|one| one.auth != Auth::Off) {
            _ if seen.is_empty() => "there is no [[smtp.listener]], so no account here is of use",
            true => {
                "nobody can authenticate: no listener that offers it speaks TLS; give it a certificate, or write \
                 auth_without_tls = true there where the network is trust enough for passwords"
            }
            false => "nobody can authenticate: `auth` is \"off\" everywhere",
        };
        reader.warning(first.span(), text.to_owned());
    }

    let known = |name: String| KnownAccount { name, door: Door::Smtp, networks: Vec::new() };
    let mut settings = Settings::new(hostname, listeners, limits);
    settings.networks = networks.into_iter().map(|(_, network)| network).collect();
    for ((name, _), written) in accounts.iter().zip(&written_accounts) {
        allowances.insert(name.clone(), allowance(written, Door::Smtp));
    }
    let known_accounts = accounts.iter().map(|(name, _)| known(name.clone())).collect();
    settings.accounts = accounts.into_iter().filter_map(|(_, account)| account).collect();
    let known = |one: Seen| KnownListener { name: one.name, door: Door::Smtp, networks: one.networks };
    Read { settings, known_listeners: seen.into_iter().map(known).collect(), known_accounts, allowances }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Off,
    StartTls,
    Implicit,
}

fn listener(
    reader: &Reader,
    written: &Section,
    taken: &mut Taken,
    captures: &mut Captures,
    usual: &Usual,
    now: Timestamp,
) -> (Seen, Option<Listener>) {
    let name = taken.name(reader, written, "listener", Some("smtp"));
    let networks = written.or("networks", private_networks(), values::networks);
    let bind = written.required("bind", "\"0.0.0.0:25\"", values::bind);
    if let Some(bind) = bind {
        taken.bind(reader, written, bind);
    }
    let proxies = written.or("proxies", Vec::new(), words::proxies);
    let own = certificates::read(written, now);
    let has_own = !matches!(own, Given::Nothing);
    let (tls, speaks_tls) = tls(reader, written, own, &usual.certificate);
    let profile = written.or("profile", Profile::default(), words::profile);
    let auth_without_tls = written.or("auth_without_tls", false, values::flag);
    let auth = written.or("auth", usual.auth, words::auth);
    let can_auth = speaks_tls || auth_without_tls;
    if written.has("auth") {
        check_auth(reader, written.place("auth"), auth, can_auth, usual.has_accounts);
    }
    let auth_mechanisms = written.optional("auth_mechanisms", words::mechanisms);
    let capture = written.optional("capture", |value| captures.read(value));
    let uses_general = speaks_tls && !has_own;
    let seen = Seen { name, networks, auth, can_auth, uses_general };
    let listener = bind.map(|bind| Listener {
        proxies,
        tls,
        profile,
        auth,
        auth_without_tls,
        auth_mechanisms,
        capture,
        ..Listener::new(&seen.name, bind, seen.networks.clone())
    });
    (seen, listener)
}

/// The listener's TLS, and whether it is meant to have it: what is wrong with a certificate is told once.
fn tls(reader: &Reader, written: &Section, own: Given, general: &Given) -> (Tls, bool) {
    let asked = written.optional(
        "tls",
        values::word(&[("off", Wanted::Off), ("starttls", Wanted::StartTls), ("implicit", Wanted::Implicit)]),
    );
    let given = if let Given::Nothing = own { general } else { &own };
    let wanted = match (asked, given) {
        (Some(asked), _) => asked,
        (None, Given::Nothing) => Wanted::Off,
        (None, Given::Wrong | Given::Good(_)) => Wanted::StartTls,
    };
    match (wanted, given) {
        (Wanted::Off, _) => {
            if let Given::Good(_) = own {
                let text = "this listener speaks no TLS, so its certificate is not used; remove it, or `tls = \"off\"`";
                reader.warning(written.place("certificate"), text.to_owned());
            }
            (Tls::Off, false)
        }
        (Wanted::StartTls | Wanted::Implicit, Given::Nothing) => {
            let text = "TLS needs a certificate; write `certificate` and `key` here or in [smtp]";
            reader.error(written.place("tls"), text.to_owned());
            (Tls::Off, true)
        }
        (Wanted::StartTls | Wanted::Implicit, Given::Wrong) => (Tls::Off, true),
        (Wanted::StartTls, Given::Good(identity)) => (Tls::StartTls(Arc::clone(identity)), true),
        (Wanted::Implicit, Given::Good(identity)) => (Tls::Implicit(Arc::clone(identity)), true),
    }
}

/// What is wrong with `auth` where it was written.
fn check_auth(reader: &Reader, at: Option<Range<usize>>, auth: Auth, can_auth: bool, has_accounts: bool) {
    let nobody = "there is no [[smtp.account]], so nobody can authenticate";
    match auth {
        Auth::Off => {}
        Auth::Required if !has_accounts => {
            reader.error(
                at,
                format!("{nobody} and no mail would get in; write an account, or leave `auth` out"),
            );
        }
        Auth::Offered if !has_accounts => {
            reader.warning(at, format!("{nobody}; write one, or leave `auth` out"))
        }
        Auth::Offered | Auth::Required if !can_auth => {
            let text = "nobody can authenticate here, since passwords are not taken in the clear; give a certificate, \
                        or write auth_without_tls = true where the network is trust enough for them";
            reader.warning(at, text.to_owned());
        }
        Auth::Offered | Auth::Required => {}
    }
}
