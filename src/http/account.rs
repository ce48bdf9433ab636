//! Whose request it is.
//!
//! A client shows one credential: the `Authorization` header (Basic, or Bearer with an API key), else `X-Api-Key`,
//! else parameters. All accounts are compared with it, each in constant time and without an early exit,
//! so that the time of an answer says nothing about which account or which octet was near (CWE-208).
//!
//! Passwords that are kept as hashes cost more than a comparison, so each request that shows a password is checked
//! against one hash, and only one, where any account has one ([`hashing`]).
//!
//! A credential that is right but comes from a network that is not its account's is answered like a
//! wrong one: whoever guesses from elsewhere must not learn that the guess was good. The log tells
//! the two apart.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::ExposeSecret;
use subtle::{Choice, ConstantTimeEq};

use super::{Account, Credential, Login, Proof};
use crate::credential::PasswordHash;
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
        let pair =
            || basic(authorization.as_bytes()).map(|(username, password)| Shown::Pair(username, password));
        let shown = bearer(authorization.as_bytes()).map(Shown::Key).or_else(pair);
        return shown.filter(|_| authorizations.next().is_none()).unwrap_or(Shown::Unreadable);
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

/// Reads `Bearer KEY` (RFC 6750 section 2.1), as monitoring systems show a key.
fn bearer(authorization: &[u8]) -> Option<Secret> {
    let authorization = text(authorization);
    let (scheme, key) = authorization.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then(|| Secret::from(key))
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

/// Which account's hash a password is checked with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashing<'a> {
    /// The place of the account.
    pub(super) index: usize,
    /// Its hash.
    pub(super) hash: &'a PasswordHash,
    /// What is checked.
    pub(super) password: &'a Secret,
    /// Whether the account has the user name that was shown; another one's hash is checked so that the time is the
    /// same, and whatever comes of it, the password is wrong.
    pub(super) is_own: bool,
    /// Whether the account may come from this address.
    pub(super) is_from_here: bool,
}

/// What has to be checked before [`identify`] can tell; `None` when no hash is concerned. Of several accounts with
/// the user name it is the first that may come from `address`, else the first. A name that no account has is
/// checked against always the same account's hash for a name; `stand_ins` chooses.
pub(super) fn hashing<'a>(
    accounts: &'a [Account],
    address: IpAddr,
    shown: &'a Shown,
    stand_ins: &RandomState,
) -> Option<Hashing<'a>> {
    let Shown::Pair(username, password) = shown else { return None };
    let hashed: Vec<Hashing<'a>> = accounts
        .iter()
        .enumerate()
        .filter_map(|(index, account)| {
            let login = account.login.as_ref()?;
            let hash = login.proof.password_hash()?;
            let (is_own, is_from_here) = (login.is_user(username).into(), account.is_from(address));
            Some(Hashing { index, hash, password, is_own, is_from_here })
        })
        .collect();
    let own = |one: &&Hashing<'_>| one.is_own;
    let first = hashed.iter().filter(own).find(|one| one.is_from_here).or(hashed.iter().find(own));
    let stand_in = || {
        let place = stand_ins.hash_one(username).checked_rem(hashed.len() as u64)?;
        hashed.get(usize::try_from(place).ok()?)
    };
    first.or_else(stand_in).copied()
}

/// The place of the account that `shown` and `address` belong to; the first where several do. `hashed` is the place
/// of the account whose hash the password passed, if it did.
///
/// # Errors
/// [`Denied`], which is for the log; the client learns only whether it showed something.
pub(super) fn identify(
    accounts: &[Account],
    address: IpAddr,
    shown: &Shown,
    hashed: Option<usize>,
) -> Result<usize, Denied> {
    let mut found = None;
    let mut is_right_elsewhere = false;
    for (index, account) in accounts.iter().enumerate() {
        if account.is_shown(shown, hashed == Some(index)) {
            if account.is_from(address) {
                found = found.or(Some(index));
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

/// As [`identify`], with the hash checked here and now. Not for a thread of the runtime.
pub(super) fn identify_now(accounts: &[Account], address: IpAddr, shown: &Shown) -> Result<usize, Denied> {
    let hashed = hashing(accounts, address, shown, &RandomState::new()).and_then(|one| one.check());
    identify(accounts, address, shown, hashed)
}

impl Hashing<'_> {
    /// The place of the account if the password is its. Keeps a processor busy for tens of milliseconds.
    pub(super) fn check(&self) -> Option<usize> {
        let passes = self.hash.verify(self.password.expose_secret());
        (passes && self.is_own).then_some(self.index)
    }
}

impl Account {
    /// Whether it may come from there.
    pub(super) fn is_from(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn is_shown(&self, shown: &Shown, passed_hash: bool) -> bool {
        match (&self.login, shown) {
            (None, Shown::Nothing) => true,
            (None, Shown::Pair(..) | Shown::Key(_) | Shown::Unreadable)
            | (Some(_), Shown::Nothing | Shown::Unreadable) => false,
            (Some(login), Shown::Pair(username, password)) => match &login.proof {
                Proof::Password(own) => (login.is_user(username) & is_same(own, password)).into(),
                Proof::Hash(_) | Proof::Key(_) | Proof::HashAndKey(..) => passed_hash,
            },
            (Some(login), Shown::Key(key)) => match &login.proof {
                Proof::Password(own) => is_same(own, key).into(),
                Proof::Key(hash) | Proof::HashAndKey(_, hash) => hash.verify(key.expose_secret()),
                // Any key would have to be checked with each account's hash.
                Proof::Hash(_) => false,
            },
        }
    }
}

impl Login {
    fn is_user(&self, username: &str) -> Choice {
        self.username.as_bytes().ct_eq(username.as_bytes())
    }
}

impl Proof {
    /// The hash of the password, where that is what is known of it.
    fn password_hash(&self) -> Option<&PasswordHash> {
        match self {
            Self::Hash(hash) | Self::HashAndKey(hash, _) => Some(hash),
            Self::Password(_) | Self::Key(_) => None,
        }
    }
}

fn is_same(own: &Secret, shown: &Secret) -> Choice {
    Choice::from(u8::from(same_secret(own, shown.expose_secret())))
}

impl Credential {
    /// Both halves are compared whatever the first says.
    pub(super) fn is_pair(&self, username: &str, password: &Secret) -> bool {
        let is_user = self.username.as_bytes().ct_eq(username.as_bytes());
        (is_user & is_same(&self.password, password)).into()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::super::login::cheap;
    use super::*;
    use crate::credential::ApiKeyHash;

    fn account(name: &str, network: &str, credential: Option<(&str, &str)>) -> Account {
        Account {
            name: name.to_owned(),
            networks: vec![network.parse().unwrap()],
            login: credential.map(|(username, password)| {
                Login::with_password(username.to_owned(), Secret::from(password))
            }),
            profiles: None,
            may_choose_sender: false,
            may_choose_lane: false,
            may_see_all: false,
            accepted: crate::profile::Answers::default(),
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
        let address = address.parse().unwrap();
        identify_now(&accounts, address, shown).map(|index| accounts[index].name.clone())
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
        assert_eq!(identify_now(&[], address, &Shown::Nothing).unwrap_err(), Denied::Missing);
        assert!(any_from(&[account("a", "127.0.0.0/8", None)], address));
    }

    fn hashed(name: &str, network: &str, username: &str, password: &str) -> Account {
        let proof = Proof::Hash(cheap(password));
        Account {
            login: Some(Login { username: username.to_owned(), proof }),
            ..account(name, network, None)
        }
    }

    fn with_hashes() -> [Account; 6] {
        let key = "0123456789abcdef0123456789abcdef";
        let by_key = |name: &str, network, proof| Account {
            login: Some(Login { username: name.to_owned(), proof }),
            ..account(name, network, None)
        };
        let key_hash = ApiKeyHash::new(&Secret::from(key)).unwrap();
        [
            account("printers", "192.0.2.0/24", Some(("printer", "p1"))),
            hashed("nas", "192.0.2.7/32", "nas", "p2"),
            hashed("nas-backup", "198.51.100.0/24", "nas", "p3"),
            hashed("shop", "192.0.2.0/24", "shop", "p4"),
            by_key("camera", "192.0.2.0/24", Proof::Key(key_hash.clone())),
            by_key("both", "203.0.113.0/24", Proof::HashAndKey(cheap("p6"), key_hash)),
        ]
    }

    fn who_hashed(shown: &Shown, address: &str) -> Result<String, Denied> {
        let accounts = with_hashes();
        let index = identify_now(&accounts, address.parse().unwrap(), shown)?;
        Ok(accounts[index].name.clone())
    }

    #[test]
    fn a_hashed_password_belongs_to_its_user_name_and_network() {
        assert_eq!(who_hashed(&pair("printer", "p1"), "192.0.2.1").unwrap(), "printers");
        assert_eq!(who_hashed(&pair("nas", "p2"), "192.0.2.7").unwrap(), "nas");
        assert_eq!(who_hashed(&pair("nas", "p3"), "198.51.100.1").unwrap(), "nas-backup");
        assert_eq!(who_hashed(&pair("shop", "p4"), "192.0.2.7").unwrap(), "shop");
        for (username, password) in
            [("shop", "p2"), ("nas", "p4"), ("Shop", "p4"), ("", "p4"), ("nobody", "p4"), ("camera", "p4")]
        {
            assert_eq!(who_hashed(&pair(username, password), "192.0.2.7"), Err(Denied::Wrong), "{username}");
        }
        assert_eq!(who_hashed(&pair("shop", "p4"), "203.0.113.1"), Err(Denied::WrongNetwork));
        assert_eq!(who_hashed(&pair("nas", "p2"), "192.0.2.8"), Err(Denied::WrongNetwork));
    }

    #[test]
    fn a_key_passes_its_hash_alone() {
        let right = "0123456789abcdef0123456789abcdef";
        assert_eq!(who_hashed(&key(right), "192.0.2.1").unwrap(), "camera");
        assert_eq!(who_hashed(&key(right), "203.0.113.1").unwrap(), "both");
        assert_eq!(who_hashed(&pair("both", "p6"), "203.0.113.1").unwrap(), "both");
        assert_eq!(who_hashed(&key(right), "2001:db8::1"), Err(Denied::WrongNetwork));
        for wrong in [&key(&right[1..]), &key("p4"), &pair("camera", right), &pair("both", right)] {
            assert_eq!(who_hashed(wrong, "192.0.2.7"), Err(Denied::Wrong), "{wrong:?}");
        }
    }

    #[test]
    fn one_hash_is_checked_whoever_is_named_and_always_the_same() {
        let (accounts, stand_ins) = (with_hashes(), RandomState::new());
        let checked = |username: &str, address: &str| {
            let shown = pair(username, "p4");
            let one = hashing(&accounts, address.parse().unwrap(), &shown, &stand_ins).unwrap();
            (one.index, one.is_own, one.is_from_here)
        };
        assert_eq!(checked("nas", "192.0.2.7"), (1, true, true));
        assert_eq!(checked("nas", "198.51.100.1"), (2, true, true));
        assert_eq!(checked("nas", "203.0.113.1"), (1, true, false));
        assert_eq!(checked("shop", "192.0.2.1"), (3, true, true));
        let mut stand_ins_seen = Vec::new();
        for number in 0..100 {
            let name = format!("nobody{number}");
            let (index, is_own, _) = checked(&name, "192.0.2.1");
            assert!(!is_own);
            assert_eq!(checked(&name, "192.0.2.1").0, index);
            stand_ins_seen.push(index);
        }
        stand_ins_seen.sort_unstable();
        stand_ins_seen.dedup();
        assert_eq!(stand_ins_seen, [1, 2, 3, 5], "unknown names look like all the accounts");
        assert!(!checked("printer", "192.0.2.1").1, "its password is compared, and a hash checked too");
        assert!(hashing(&accounts, IpAddr::from([192, 0, 2, 1]), &key("p4"), &stand_ins).is_none());
        assert!(hashing(&accounts[..1], IpAddr::from([192, 0, 2, 1]), &pair("a", "b"), &stand_ins).is_none());
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
        assert_eq!(in_headers(&[("authorization", b"Bearer k1")]), "key k1");
        assert_eq!(in_headers(&[("authorization", b"bearer  k1 ")]), "key k1");
        assert_eq!(in_headers(&[("x-api-key", b"k1"), ("authorization", b"Bearer k2")]), "key k2");
        assert_eq!(
            in_headers(&[("x-api-key", b"k1"), ("authorization", b"Basic cHJpbnRlcjphOmI=")]),
            "pair printer a:b"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_nothing() {
        assert_eq!(in_headers(&[("authorization", b"Digest abc")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Bearer")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Bearer  ")]), "unreadable");
        let key = ("authorization", &b"Bearer k1"[..]);
        assert_eq!(in_headers(&[key, key]), "unreadable");
        assert_eq!(in_headers(&[key, ("authorization", b"Basic cHJpbnRlcjphOmI=")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Basic")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Basic !!!")]), "unreadable");
        assert_eq!(in_headers(&[("authorization", b"Basic bm9jb2xvbg==")]), "unreadable");
        assert_eq!(in_headers(&[("x-api-key", b"k1"), ("x-api-key", b"k2")]), "unreadable");
        let twice = ("authorization", &b"Basic cHJpbnRlcjphOmI="[..]);
        assert_eq!(in_headers(&[twice, twice]), "unreadable");
    }
}
