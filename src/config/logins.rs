//! What the clients of an account show: passwords, API keys and their hashes.

use secrecy::ExposeSecret;
use toml::de::DeValue;

use super::reader::{Reader, Section, Value};
use super::{secrets, values};
use crate::credential::{ApiKeyHash, PasswordHash};
use crate::http::{Account, Login, Proof};
use crate::model::Secret;

/// Hashes in place of those that are not looked up: of no password, as nobody knows what would come to zeros.
const NO_PASSWORD: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NO_KEY: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What an `[[http.account]]` has its clients show, which may be nothing; `None` when that is wrong.
pub(super) fn login(reader: &Reader, written: &Section, name: &str) -> Option<Option<Login>> {
    let username = written.or("username", name.to_owned(), values::text);
    let password = written.optional("password", password);
    let hash = written.optional("password_hash", password_hash);
    let key = written.optional("api_key_hash", api_key_hash);
    let open = written.or("without_password", false, values::flag);
    let given: Vec<&str> =
        ["password", "password_hash", "api_key_hash"].into_iter().filter(|key| written.has(key)).collect();
    if open && !given.is_empty() {
        let place = written.place("without_password");
        let text = format!("this account has `{}`; remove `without_password` or that", given[0]);
        reader.error(place, text);
        return None;
    }
    if open {
        return Some(None);
    }
    if given.is_empty() {
        written.error(format!(
            "account `{name}` has no password; write password = {{ file = \"PATH\" }}, `password_hash` or \
             `api_key_hash`, or without_password = true where its networks are trust enough"
        ));
        return None;
    }
    if given[0] == "password" && given.len() > 1 {
        let text = format!("this account has `{}`, too; remove one of them", given[1]);
        reader.error(written.place("password"), text);
        return None;
    }
    // What is wrong has been told, and no other one stands for it.
    let proof = match (given.len(), password, hash, key) {
        (1, Some(password), _, _) => Proof::Password(password),
        (1, _, Some(hash), _) => Proof::Hash(hash),
        (1, _, _, Some(key)) => Proof::Key(key),
        (_, _, Some(hash), Some(key)) => Proof::HashAndKey(hash, key),
        (_, _, _, _) => return None,
    };
    Some(Some(Login { username, proof }))
}

/// Tells where a password of `account` would never be looked at. One hash is checked for each request: that of the
/// first account with its user name which may come from its address.
pub(super) fn told_apart(reader: &Reader, written: &Section, account: &Account, earlier: &[Account]) {
    let username = |account: &Account| {
        let login = account.login.as_ref()?;
        matches!(login.proof, Proof::Hash(_) | Proof::HashAndKey(..)).then(|| login.username.clone())
    };
    let Some(own) = username(account) else { return };
    let meets = |other: &Account| {
        let both = |one: &ipnet::IpNet| {
            account.networks.iter().any(|own| own.contains(&one.network()) || one.contains(&own.network()))
        };
        username(other).is_some_and(|username| username == own) && other.networks.iter().any(both)
    };
    if let Some(other) = earlier.iter().find(|other| meets(other)) {
        let text = format!(
            "account `{}` has the user name `{}` and a hash as well, and comes from the same addresses; give this one \
             another `username`, or `networks` of its own",
            other.name,
            own.escape_debug()
        );
        reader.error(written.place(if written.has("username") { "username" } else { "name" }), text);
    }
}

/// The password itself. Its hash under this name would be compared as if it were the password.
fn password(value: &Value) -> Option<Secret> {
    let secret = secrets::secret(value)?;
    if secret.expose_secret().starts_with("$argon2") {
        return value.fail(
            "`password` leads to a hash, which would have to be shown itself; name it `password_hash`"
                .to_owned(),
        );
    }
    Some(secret)
}

/// The hash of a password, here or where a secret of the configuration leads to.
fn password_hash(value: &Value) -> Option<PasswordHash> {
    hash_in(value, &here_or_elsewhere(value, NO_PASSWORD)?)
}

/// The hash of a password that a secret of the configuration leads to.
pub(super) fn hash_elsewhere(value: &Value) -> Option<PasswordHash> {
    hash_in(value, &secrets::secret_or(value, NO_PASSWORD)?)
}

fn hash_in(value: &Value, text: &Secret) -> Option<PasswordHash> {
    let text = text.expose_secret();
    if !text.starts_with("$argon2") {
        // Said here without the parser, whose sentence could quote what is a password.
        return value.fail(format!(
            "`{}` leads to something that is no hash, maybe the password itself; make its hash with `sms-relay \
             hash-password` and put that there",
            value.name
        ));
    }
    PasswordHash::parse(text).map_err(|error| value.error(error.to_string())).ok()
}

/// The hash of an API key, here or where a secret of the configuration leads to.
fn api_key_hash(value: &Value) -> Option<ApiKeyHash> {
    let text = here_or_elsewhere(value, NO_KEY)?;
    ApiKeyHash::parse(text.expose_secret()).map_err(|error| value.error(error.to_string())).ok()
}

/// A hash may stand in the file: it is no secret like a password. Whatever else stands there may be one.
fn here_or_elsewhere(value: &Value, stand_in: &str) -> Option<Secret> {
    let DeValue::String(text) = value.item.get_ref() else { return secrets::secret_or(value, stand_in) };
    if text.starts_with("$argon2") || text.starts_with("sha256:") {
        return Some(Secret::from(text.as_ref()));
    }
    value.fail(format!(
        "`{}` is no hash, maybe the secret itself, which does not belong here; `sms-relay hash-password` makes \
         hashes",
        value.name
    ))
}
