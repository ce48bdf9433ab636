//! `[[smtp.network]]` and `[[smtp.account]]`: clients that are treated otherwise, and who may authenticate.

use std::collections::HashSet;

use ipnet::IpNet;
use secrecy::ExposeSecret;

use super::super::doors::Taken;
use super::super::reader::{Reader, Section, Value};
use super::super::{logins, secrets, values};
use super::words::{self, Captures};
use super::{Seen, check_auth};
use crate::model::{Secret, SourceKind};
use crate::smtp::{Account, Auth, Network};

/// Most octets of a user name (RFC 4616 section 2).
const MAX_USERNAME: usize = 255;

/// A network, and whether its clients can authenticate because of it; nothing when a part is wrong.
pub(super) fn network(
    reader: &Reader,
    written: &Section,
    taken: &mut Taken,
    captures: &mut Captures,
    seen: &[Seen],
    earlier: &[&Network],
    has_accounts: bool,
) -> Option<(bool, Network)> {
    let name = taken.name(reader, written, "network", None);
    taken.expected.read(written, SourceKind::Network);
    let networks = written.required("networks", "[\"10.1.0.0/16\"]", not_empty(values::network));
    let listeners = written.optional("listeners", not_empty(|item| listener_name(item, seen)));
    let profile = written.optional("profile", words::network_profile);
    let auth = written.optional("auth", words::auth);
    let auth_mechanisms = written.optional("auth_mechanisms", words::mechanisms);
    let capture = written.optional("capture", |value| captures.read(value));
    let connections = written.optional("connections", values::count(1..=1_000_000));
    if written.has("listeners") && listeners.is_none() {
        return None;
    }
    let listeners = listeners.unwrap_or_default();
    let here: Vec<&Seen> =
        seen.iter().filter(|one| listeners.is_empty() || listeners.contains(&one.name)).collect();
    let can_auth = here.iter().any(|one| one.can_auth);
    if let Some(auth) = auth {
        check_auth(reader, written.place("auth"), auth, can_auth, has_accounts);
    }
    let networks = networks?;
    let network = Network { name, networks, listeners, profile, auth, auth_mechanisms, capture, connections };
    let reached = |net: &IpNet| here.iter().flat_map(|one| &one.networks).any(|open| overlap(net, open));
    // Without any listener there is another error already.
    if !seen.is_empty() && !network.networks.iter().any(reached) {
        let text = "this can never count: none of its listeners lets these networks in; add them to the listener's \
                    `networks`";
        reader.error(written.place("networks"), text.to_owned());
    } else if let Some(by) = earlier.iter().find(|one| covers(one, &network)) {
        let text = format!(
            "this can never count: `{}` before it has all of its clients; put this one first",
            by.name
        );
        reader.error(written.place("networks"), text);
    }
    Some((can_auth && auth.is_some_and(|auth| auth != Auth::Off), network))
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Whether every client of `narrow` is one of `wide`.
fn covers(wide: &Network, narrow: &Network) -> bool {
    let everywhere = wide.listeners.is_empty();
    let within = |name: &String| everywhere || wide.listeners.contains(name);
    (everywhere || !narrow.listeners.is_empty() && narrow.listeners.iter().all(within))
        && narrow.networks.iter().all(|net| wide.networks.iter().any(|outer| outer.contains(net)))
}

fn not_empty<T>(read: impl Fn(&Value) -> Option<T>) -> impl Fn(&Value) -> Option<Vec<T>> {
    move |value| {
        let read = values::list(&read)(value)?;
        if read.is_empty() {
            value.fail(format!("`{}` is empty; name at least one", value.name))
        } else {
            Some(read)
        }
    }
}

fn listener_name(item: &Value, seen: &[Seen]) -> Option<String> {
    let name = values::text(item)?;
    if seen.iter().any(|one| one.name == name) {
        return Some(name);
    }
    let known: Vec<&str> = seen.iter().map(|one| one.name.as_str()).filter(|name| !name.is_empty()).collect();
    let known = if known.is_empty() {
        "there is none".to_owned()
    } else {
        format!("known here: {}", known.join(", "))
    };
    item.fail(format!("there is no SMTP listener `{}`; {known}", name.escape_debug()))
}

/// The accounts with their names; those that are wrong by name only.
pub(super) fn accounts(
    reader: &Reader,
    written: &[Section],
    taken: &mut Taken,
) -> Vec<(String, Option<Account>)> {
    let mut usernames = HashSet::new();
    let mut accounts = Vec::new();
    for written in written {
        let name = taken.name(reader, written, "account", None);
        taken.expected.read(written, SourceKind::Account);
        let given = written.has("username");
        let username = if given { written.optional("username", username) } else { Some(name.clone()) };
        if let Some(username) = username.as_ref().filter(|username| !username.is_empty())
            && !usernames.insert(username.clone())
        {
            let shown = username.escape_debug();
            let text = format!("two accounts have the user name `{shown}`; give this one another `username`");
            reader.error(written.place(if given { "username" } else { "name" }), text);
        }
        let password = written.optional("password", logins::hash_elsewhere);
        let cram_md5 = written.optional("cram_md5", shared_secret);
        if !written.has("password") && !written.has("cram_md5") {
            written.error(format!(
                "account `{name}` has no password; write password = {{ file = \"PATH\" }} with a hash that `sms-relay \
                 hash-password` made"
            ));
        }
        let account = username.map(|username| Account { name: name.clone(), username, password, cram_md5 });
        accounts.push((name, account));
    }
    accounts
}

fn username(value: &Value) -> Option<String> {
    let username = values::text(value)?;
    if username.len() <= MAX_USERNAME && !username.chars().any(char::is_control) {
        return Some(username);
    }
    value.fail(format!(
        "`username` may have {MAX_USERNAME} octets and no control characters; a client could not send this one"
    ))
}

/// The password itself, which CRAM-MD5 needs on both sides (RFC 2195 section 2).
fn shared_secret(value: &Value) -> Option<Secret> {
    let secret = secrets::secret(value)?;
    if secret.expose_secret().starts_with("$argon2") {
        return value.fail(
            "`cram_md5` leads to a hash, with which CRAM-MD5 cannot work; put the password itself there, or use \
             `password`"
                .to_owned(),
        );
    }
    Some(secret)
}
