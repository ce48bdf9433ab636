//! `certificate` and `key`: from two files to an [`Identity`], and what is doubtful about it. `client_certificates`: whose
//! certificates clients may show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::reader::{Section, Value};
use super::{secrets, values};
use crate::http;
use crate::tls::{Clients, Identity, Validity};

/// What a section says of a certificate.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// Nothing.
    Nothing,
    /// Something that is wrong, and told.
    Wrong,
    /// A certificate that can be used.
    Good(Arc<Identity>),
}

/// The certificate of `section`. Warned of are those that are out of their time or soon will be, and
/// those that clients may refuse.
pub(super) fn read(section: &Section, now: Timestamp) -> Given {
    let (certificate, key) = (section.value("certificate"), section.value("key"));
    let found = match (&certificate, &key) {
        (None, None) => return Given::Nothing,
        (Some(certificate), None) => certificate.fail(
            "`certificate` needs its `key`; write key = \"PATH\", the same path where one file holds both"
                .to_owned(),
        ),
        (None, Some(key)) => {
            key.fail("`key` needs its `certificate`; write certificate = \"PATH\"".to_owned())
        }
        // Where secrets are left alone it is as if it were there.
        (Some(certificate), Some(_)) if certificate.reader.leaves_secrets() => None,
        (Some(certificate), Some(key)) => identity(certificate, key, now),
    };
    found.map_or(Given::Wrong, |identity| Given::Good(Arc::new(identity)))
}

/// `tls` and `client_certificates` of an HTTP listener. What is wrong is told, and is none.
pub(super) fn of_http(listener: &Section, now: Timestamp) -> Option<Arc<http::Tls>> {
    let section = listener.section("tls");
    let given = read(&section, now);
    if section.is_written() && matches!(given, Given::Nothing) {
        section.error(
            "TLS needs a certificate; write tls = { certificate = \"PATH\", key = \"PATH\" }".to_owned(),
        );
    }
    let clients = listener.section("client_certificates");
    let clients = if clients.is_written() {
        if !listener.has("tls") {
            clients.error(
                "clients show certificates over TLS only; write tls = { certificate = \"PATH\", key = \"PATH\" } too"
                    .to_owned(),
            );
        }
        let required = clients.or("required", true, values::flag);
        Some(clients.required("authority", "\"clients-ca.pem\"", |value| authority(value, required))?)
    } else {
        None
    };
    let Given::Good(identity) = given else { return None };
    let tls = http::Tls::new(identity, clients.as_ref());
    tls.map_err(|error| section.error(error.to_string())).ok().map(Arc::new)
}

fn authority(value: &Value, required: bool) -> Option<Clients> {
    let value = not_pasted(value)?;
    let path = values::path(value)?;
    let content = values::certificates(value)?;
    match Clients::from_pem(&content, required) {
        Ok(clients) => Some(clients),
        Err(error) => value.fail(format!("`{}`: {error}", path.display())),
    }
}

fn identity(certificate: &Value, key: &Value, now: Timestamp) -> Option<Identity> {
    // Both are read before one is missed, so that every error is noted.
    let (chain, secret) = (chain(certificate), not_pasted(key).and_then(secrets::private_key));
    let (path, chain) = chain?;
    let (key_path, secret) = secret?;
    let identity = match Identity::from_pem(&chain, &secret) {
        Ok(identity) => identity,
        Err(error) if error.is_about_key() => {
            return key.fail(format!("`{}`: {error}", key_path.display()));
        }
        Err(error) => return certificate.fail(format!("`{}`: {error}", path.display())),
    };
    for doubt in doubts(&identity, &path, now) {
        certificate.reader.warning(Some(certificate.span()), doubt);
    }
    Some(identity)
}

fn chain(certificate: &Value) -> Option<(PathBuf, Vec<u8>)> {
    let certificate = not_pasted(certificate)?;
    let path = values::path(certificate)?;
    let content = values::certificates(certificate)?;
    let marker = b"PRIVATE KEY-----";
    if content.windows(marker.len()).any(|window| window == marker)
        && let Some(text) = secrets::open_key(&path)
    {
        return certificate.fail(text);
    }
    Some((path, content))
}

/// `value`, unless it is what should stand in a file.
fn not_pasted<'v, 'a>(value: &'v Value<'a>) -> Option<&'v Value<'a>> {
    match value.item.get_ref().as_str() {
        Some(text) if text.contains("-----BEGIN") || text.contains('\n') => {
            value.reader.mask(value.span());
            let name = value.name;
            value.fail(format!(
                "`{name}` is the path of a file in PEM form; put this into one and write its path"
            ))
        }
        Some(_) | None => Some(value),
    }
}

fn doubts(identity: &Identity, path: &Path, now: Timestamp) -> Vec<String> {
    let shown = path.display();
    let validity = identity.validity(now);
    let mut doubts = Vec::new();
    match validity {
        Validity::Good => {}
        Validity::NotYet => doubts.push(format!(
            "the certificate in `{shown}` {validity}; clients that look refuse it, or the clock of this machine \
             is wrong"
        )),
        Validity::EndsSoon { .. } => {
            doubts.push(format!("the certificate in `{shown}` {validity}; put a new one there before"));
        }
        Validity::Expired { .. } => doubts.push(format!(
            "the certificate in `{shown}` {validity}; clients that look refuse it, so put a new one there"
        )),
    }
    if identity.names().is_empty() {
        doubts.push(format!(
            "the certificate in `{shown}` names no host (subjectAltName); clients that look will refuse it"
        ));
    }
    if let Some(number) = identity.chain_gap() {
        doubts.push(format!(
            "certificate {number} in `{shown}` is not issued by the one behind it, so some clients will refuse \
             it; put each before its own issuer, and nothing else"
        ));
    }
    doubts
}
