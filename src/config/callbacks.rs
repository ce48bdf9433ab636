//! `[callbacks]`, where the platform calls us, and `[telling]` with the keys of accounts for it, where we call programs.

use std::time::Duration;

use ipnet::IpNet;

use super::profiles::own_path;
use super::reader::{Reader, Section, Value};
use super::{gateways, secrets, sending, values};
use crate::{http, telling};

/// Most octets of a path.
const MAX_PATH: usize = 100;

/// Reads `[callbacks]`. `listeners` are those of the HTTP door, each with whether it takes callbacks.
pub(super) fn receiver(
    reader: &Reader,
    top: &Section,
    listeners: &[(&Section, bool)],
) -> Option<http::CallbackDoor> {
    let section = top.section("callbacks");
    let path = section.or("path", "/callbacks".to_owned(), path);
    let secret = section.optional("secret", secrets::secret);
    let basic = basic(&section);
    let networks = section.or("networks", Vec::new(), networks);
    let listener = listeners.iter().find(|(_, takes)| *takes).map(|(listener, _)| listener);
    if !section.is_written() {
        if let Some(listener) = listener {
            let text = "this listener takes callbacks, and nothing says from whom; write [callbacks] with `secret`, \
                        `basic` or `networks`";
            reader.error(listener.place("callbacks"), text.to_owned());
        }
        return None;
    }
    if !["secret", "basic", "networks"].iter().any(|guard| section.has(guard)) {
        let text = "[callbacks] has no guard: anybody could say of any message that it was delivered; write \
                    secret = { file = \"PATH\" }, or `basic`, or `networks`";
        section.error(text.to_owned());
    }
    if listener.is_none() {
        let text = "nobody can call back: no [[http.listener]] has callbacks = true";
        reader.warning(section.span(), text.to_owned());
    }
    Some(http::CallbackDoor { path, secret, basic, networks })
}

fn basic(section: &Section) -> Option<http::Credential> {
    let basic = section.section("basic");
    // Asked for in any case, so that every key is known.
    let username = basic.optional("username", values::text);
    let password = basic.optional("password", secrets::secret);
    if basic.is_written() && (!basic.has("username") || !basic.has("password")) {
        let text = "`basic` needs both: basic = { username = \"NAME\", password = { file = \"PATH\" } }";
        basic.error(text.to_owned());
    }
    Some(http::Credential { username: username?, password: password? })
}

/// Letters, digits and signs that stand for themselves in a URL.
fn path(value: &Value) -> Option<String> {
    let written = values::text(value)?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    let shown = written.escape_debug();
    if !written.starts_with('/')
        || written.ends_with('/')
        || written.contains("//")
        || written.len() > MAX_PATH
        || !written.chars().all(good)
    {
        return value.fail(format!(
            "`{shown}` cannot be the path of callbacks; write it like \"/callbacks\", with letters, digits, dots, \
             dashes and slashes, and none at its end"
        ));
    }
    if let Some(own) = own_path(&written) {
        return value
            .fail(format!("`{own}` is a path of the relay's own; choose another like \"/callbacks\""));
    }
    Some(written)
}

fn networks(value: &Value) -> Option<Vec<IpNet>> {
    let networks = values::list(values::network)(value)?;
    if networks.is_empty() {
        return value.fail("`networks` is empty, so it lets nobody in; leave it out".to_owned());
    }
    if networks.iter().any(|network| network.prefix_len() == 0) {
        let text = "this lets in every address there is, whatever else is shown: anybody can say of any message that it \
                    was delivered";
        value.reader.warning(Some(value.span()), text.to_owned());
    }
    Some(networks)
}

/// Reads `callback_url`, `callback_hosts` and `callback_secret` of an account.
pub(super) fn program(reader: &Reader, account: &Section) -> Option<http::Program> {
    let url = account.optional("callback_url", program_url);
    let hosts = account.optional("callback_hosts", values::list(host));
    let secret = account.optional("callback_secret", secrets::secret);
    let calls = ["callback_url", "callback_hosts"].into_iter().find(|key| account.has(key));
    match (calls, account.has("callback_secret")) {
        (Some(key), false) => {
            let text = format!(
                "`{key}` needs a secret that signs the calls; write callback_secret = {{ file = \"PATH\" }}"
            );
            reader.error(account.place(key), text);
        }
        (None, true) => {
            let text = "`callback_secret` signs nothing without `callback_url` or `callback_hosts`; write one of them";
            reader.warning(account.place("callback_secret"), text.to_owned());
            return None;
        }
        (Some(_), true) | (None, false) => {}
    }
    Some(http::Program { url, hosts: hosts.unwrap_or_default(), secret: secret? })
}

fn program_url(value: &Value) -> Option<String> {
    let written = values::text(value)?;
    let url = match telling::target(&written) {
        Ok(url) => url,
        Err(error) => {
            value.reader.mask(value.span());
            return value.fail(format!(
                "`callback_url` cannot be called: {error}; write it like \"https://shop.example.com/sms-done\""
            ));
        }
    };
    if url.scheme() == "http" && !url.host_str().is_some_and(gateways::is_loopback) {
        let text = "phone numbers go there unencrypted; write https:// where the network is not trusted";
        value.reader.warning(Some(value.span()), text.to_owned());
    }
    Some(url.into())
}

/// A host as it stands in a URL, and a port where it is not the usual one.
fn host(value: &Value) -> Option<telling::AllowedHost> {
    let written = values::text(value)?;
    telling::AllowedHost::parse(&written).or_else(|| {
        value.fail(format!(
            "`{}` is not a host; write it like \"shop.example.com\", \"192.0.2.1\" or \"[2001:db8::1]\" for its usual \
             ports, and like \"shop.example.com:8443\" for another",
            written.escape_debug()
        ))
    })
}

/// Reads `[telling]`.
pub(super) fn telling(top: &Section) -> telling::Settings {
    let section = top.section("telling");
    telling::Settings {
        backoff: values::backoff(&section, "backoff", sending::seconds(5, 3600)),
        lifetime: section.or("lifetime", Duration::from_secs(24 * 3600), values::time(values::SECOND)),
        total_time: section.or("total_time", Duration::from_secs(10), values::time(values::SECOND)),
        concurrency: section.or("concurrency", 8, values::count(1..=200)),
        per_host: section.or("per_host", 2, values::count(1..=200)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::super::{Config, load};

    const REST: &str = r#"
        [routing]
        allowed = ["+39"]
        [defaults]
        sender = "Relay"
        [spool]
        directory = "spool"
        [gateway]
        url = "http://127.0.0.1:8026"
        credentials = "emulator"
        [reporting]
        to = "off"
    "#;

    fn loaded(written: &str) -> Config {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("a.key");
        std::fs::write(&key, "s3cret\n").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let path = directory.path().join("relay.toml");
        std::fs::write(&path, format!("{written}{REST}")).unwrap();
        let loaded = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(loaded.warnings.to_string(), "");
        loaded.config
    }

    #[test]
    fn every_key_reaches_its_setting() {
        let config = loaded(
            r#"
            [[http.listener]]
            bind = "127.0.0.1:8025"
            callbacks = true
            [[http.account]]
            name = "shop"
            without_password = true
            may_choose_lane = true
            callback_url = "https://shop.example.com/done"
            callback_hosts = ["SHOP.example.com", "[2001:DB8::1]:8443", "192.0.2.1"]
            callback_secret = { file = "a.key" }
            [[http.account]]
            name = "lab"
            without_password = true
            [callbacks]
            path = "/from/platform"
            secret = { file = "a.key" }
            basic = { username = "platform", password = { file = "a.key" } }
            networks = ["192.0.2.7/24"]
            [telling]
            backoff = { first = "1s", most = "2s" }
            lifetime = "3s"
            total_time = "4s"
            concurrency = 5
            per_host = 6
            "#,
        );
        assert!(config.http.listeners[0].callbacks);
        let door = config.callbacks.unwrap();
        assert_eq!(door.path, "/from/platform");
        assert_eq!(door.secret.unwrap().expose_secret(), "s3cret");
        let basic = door.basic.unwrap();
        assert_eq!((basic.username.as_str(), basic.password.expose_secret()), ("platform", "s3cret"));
        assert_eq!(door.networks, ["192.0.2.0/24".parse().unwrap()]);
        let [shop, lab] = &config.accounts[..] else { panic!() };
        assert!(shop.may_choose_lane && !lab.may_choose_lane);
        assert!(lab.program.is_none());
        let program = shop.program.as_ref().unwrap();
        assert_eq!(program.url.as_deref(), Some("https://shop.example.com/done"));
        let hosts: Vec<String> = program.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["shop.example.com", "[2001:db8::1]:8443", "192.0.2.1"]);
        assert_eq!(program.secret.expose_secret(), "s3cret");
        let telling = config.telling;
        let second = Duration::from_secs;
        assert_eq!((telling.backoff.first, telling.backoff.most), (second(1), second(2)));
        assert_eq!((telling.lifetime, telling.total_time), (second(3), second(4)));
        assert_eq!((telling.concurrency, telling.per_host), (5, 6));
    }

    #[test]
    fn without_a_word_there_are_no_callbacks() {
        let config = loaded(
            "[[http.listener]]\nbind = \"127.0.0.1:8025\"\n[[http.account]]\nname = \"shop\"\n\
             without_password = true\n",
        );
        assert!(config.callbacks.is_none() && !config.http.listeners[0].callbacks);
        assert_eq!((config.telling.concurrency, config.telling.per_host), (8, 2));
        assert_eq!(config.telling.lifetime, Duration::from_secs(24 * 3600));
    }
}
