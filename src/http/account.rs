//! Whose request it is.
//!
//! A client shows one credential: the `Authorization` header (Basic), else `X-Api-Key`, else
//! parameters. All accounts are compared with it, each in constant time and without an early exit,
//! so that the time of an answer says nothing about which account or which octet was near (CWE-208).
//!
//! A credential that is right but comes from a network that is not its account's is answered like a
//! wrong one: whoever guesses from elsewhere must not learn that the guess was good. The log tells
//! the two apart.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::ExposeSecret;
use subtle::{Choice, ConstantTimeEq};

use super::{Account, Credential};
use crate::model::{Secret, same_secret};

/// Base64 with or without its padding; small clients forget it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request shows.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// Nothing.
    Nothing,
    /// A user name and a password.
    Pair(String, Secret),
    /// A password alone.
    Key(Secret),
    /// Something that cannot be a credential here, such as another authentication scheme.
    Unreadable,
}

/// Why a request is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// No credential, and no account does without one at this address.
    Missing,
    /// No account has this credential.
    Wrong,
    /// An account has it, but none that may come from this address.
    WrongNetwork,
}

/// The credential in the headers.
pub(super) fn shown_in_headers(headers: &HeaderMap) -> Shown {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(authorization) = authorizations.next() {
        let pair = basic(authorization.as_bytes()).filter(|_| authorizations.next().is_none());
        return pair.map_or(Shown::Unreadable, |(username, password)| Shown::Pair(username, password));
    }
    let mut keys = headers.get_all("x-api-key").iter();
    match (keys.next(), keys.next()) {
        (None, _) => Shown::Nothing,
        (Some(key), None) => Shown::Key(Secret::from(text(key.as_bytes()))),
        (Some(_), Some(_)) => Shown::Unreadable,
    }
}

/// Reads `Basic base64(username:password)` (RFC 7617).
fn basic(authorization: &[u8]) -> Option<(String, Secret)> {
    let authorization = std::str::from_utf8(authorization).ok()?;
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = text(&BASE64.decode(encoded.trim()).ok()?);
    let (username, password) = pair.split_once(':')?;
    Some((username.to_owned(), Secret::from(password)))
}

/// UTF-8, as we ask for in the challenge, or else ISO 8859-1, which old clients send all the same.
fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::mem::decode_latin1(octets).into_owned(),
    }
}

/// Whether any account may come from `address` at all.
pub(super) fn any_from(accounts: &[Account], address: IpAddr) -> bool {
    accounts.iter().any(|account| account.is_from(address))
}

/// The account that `shown` and `address` belong to; the first where several do.
///
/// # Errors
/// [`Denied`], which is for the log; the client learns only whether it showed something.
pub(super) fn identify<'a>(
    accounts: &'a [Account],
    address: IpAddr,
    shown: &Shown,
) -> Result<&'a Account, Denied> {
    let mut found = None;
    let mut is_right_elsewhere = false;
    for account in accounts {
        if account.is_shown(shown) {
            if account.is_from(address) {
                found = found.or(Some(account));
            } else {
                is_right_elsewhere = true;
            }
        }
    }
    found.ok_or(match shown {
        Shown::Nothing => Denied::Missing,
        Shown::Pair(..) | Shown::Key(_) if is_right_elsewhere => Denied::WrongNetwork,
        Shown::Pair(..) | Shown::Key(_) | Shown::Unreadable => Denied::Wrong,
    })
}

impl Account {
    fn is_from(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn is_shown(&self, shown: &Shown) -> bool {
        match (&self.credential, shown) {
            (None, Shown::Nothing) => true,
            (None, Shown::Pair(..) | Shown::Key(_) | Shown::Unreadable)
            | (Some(_), Shown::Nothing | Shown::Unreadable) => false,
            (Some(credential), Shown::Pair(username, password)) => credential.is_pair(username, password),
            (Some(credential), Shown::Key(key)) => same_secret(&credential.password, key.expose_secret()),
        }
    }
}

impl Credential {
    /// Both halves are compared whatever the first says.
    pub(super) fn is_pair(&self, username: &str, password: &Secret) -> bool {
        let is_user = self.username.as_bytes().ct_eq(username.as_bytes());
        let is_password = Choice::from(u8::from(same_secret(&self.password, password.expose_secret())));
        (is_user & is_password).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn account(name: &str, network: &str, credential: Option<(&str, &str)>) -> Account {
        Account {
            name: name.to_owned(),
            networks: vec![network.parse().unwrap()],
            credential: credential.map(|(username, password)| Credential {
                username: username.to_owned(),
                password: Secret::from(password),
            }),
            may_choose_sender: false,
            may_choose_lane: false,
            program: None,
        }
    }

    fn pair(username: &str, password: &str) -> Shown {
        Shown::Pair(username.to_owned(), Secret::from(password))
    }

    fn key(password: &str) -> Shown {
        Shown::Key(Secret::from(password))
    }

    fn who(shown: &Shown, address: &str) -> Result<String, Denied> {
        let accounts = [
            account("printers", "192.0.2.0/24", Some(("printer", "p1"))),
            account("nas", "192.0.2.7/32", Some(("nas", "p2"))),
            account("nas-backup", "198.51.100.0/24", Some(("nas", "p2"))),
            account("lab", "203.0.113.0/24", None),
            account("six", "2001:db8::/32", Some(("six", "p6"))),
        ];
        identify(&accounts, address.parse().unwrap(), shown).map(|account| account.name.clone())
    }

    #[test]
    fn the_account_is_the_one_whose_credential_and_network_fit() {
        assert_eq!(who(&pair("printer", "p1"), "192.0.2.1").unwrap(), "printers");
        assert_eq!(who(&key("p1"), "192.0.2.1").unwrap(), "printers");
        assert_eq!(who(&pair("nas", "p2"), "192.0.2.7").unwrap(), "nas");
        assert_eq!(who(&pair("nas", "p2"), "198.51.100.9").unwrap(), "nas-backup");
        assert_eq!(who(&Shown::Nothing, "203.0.113.1").unwrap(), "lab");
        assert_eq!(who(&key("p6"), "2001:db8::1").unwrap(), "six");
    }

    #[test]
    fn wrong_credentials_are_told_from_missing_ones_and_from_wrong_networks() {
        for wrong in [pair("printer", "p2"), pair("", "p1"), pair("printer", ""), key(""), key("p1 ")] {
            assert_eq!(who(&wrong, "192.0.2.1"), Err(Denied::Wrong), "{wrong:?}");
        }
        assert_eq!(who(&Shown::Unreadable, "192.0.2.1"), Err(Denied::Wrong));
        assert_eq!(who(&Shown::Nothing, "192.0.2.1"), Err(Denied::Missing));
        assert_eq!(who(&pair("nas", "p2"), "192.0.2.8"), Err(Denied::WrongNetwork));
        assert_eq!(who(&key("p6"), "192.0.2.8"), Err(Denied::WrongNetwork));
    }

    #[test]
    fn an_account_without_credential_takes_none() {
        assert_eq!(who(&pair("any", "thing"), "203.0.113.1"), Err(Denied::Wrong));
    }

    #[test]
    fn no_account_means_nobody() {
        let address = IpAddr::from([127, 0, 0, 1]);
        assert!(!any_from(&[], address));
        assert_eq!(identify(&[], address, &Shown::Nothing).unwrap_err(), Denied::Missing);
        assert!(any_from(&[account("a", "127.0.0.0/8", None)], address));
    }

    fn in_headers(headers: &[(&'static str, &'static [u8])]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        match shown_in_headers(&map) {
            Shown::Nothing => "nothing".to_owned(),
            Shown::Pair(username, password) => format!("pair {username} {}", password.expose_secret()),
            Shown::Key(key) => format!("key {}", key.expose_secret()),
            Shown::Unreadable => "unreadable".to_owned(),
        }
    }

    #[test]
    fn headers_show_a_pair_or_a_key() {
        assert_eq!(in_headers(&[]), "nothing");
        // printer:a:b
        assert_eq!(in_headers(&[("authorization", b"Basic cHJpbnRlcjphOmI=")]), "pair printer a:b");
        assert_eq!(in_headers(&[("authorization", b"basic  cHJpbnRlcjphOmI")]), "pair printer a:b");
        // nas:p<e4>ss in ISO 8859-1
        assert_eq!(in_headers(&[("authorization", b"Basic bmFzOnDkc3M=")]), "pair nas p\u{e4}ss");
        assert_eq!(in_headers(&[("x-api-key", b"k1")]), "key k1");
        assert_eq!(
            in_headers(&[("x-api-key", b"k1"), ("authorization", b"Basic cHJpbnRlcjphOmI=")]),
            "pair printer a:b"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_nothing() {
        assert_eq!(in_headers(&[("authorization", b"Bearer abc")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Basic")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Basic !!!")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Basic bm9jb2xvbg==")]), "unreadable");
        assert_eq!(in_headers(&[("x-api-key", b"k1"), ("x-api-key", b"k2")]), "unreadable");
        let twice = ("authorization", &b"Basic cHJpbnRlcjphOmI="[..]);
        assert_eq!(in_headers(&[twice, twice]), "unreadable");
    }
}
