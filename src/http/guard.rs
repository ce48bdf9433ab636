//! Whether it is the platform that calls.
//!
//! Whoever shows one of what is configured is let in: the secret behind the path, the credential, an address of the
//! platform's. All are compared, in constant time and without an early exit, so that the time of an answer says nothing
//! about which was near (CWE-208).
//!
//! The secret and the addresses let in whatever else was wrong before from the same address. A user name and a password
//! are a credential like others: limited where too many were wrong.

use std::net::IpAddr;

use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;
use subtle::{Choice, ConstantTimeEq};

use super::CallbackDoor;
use super::account::{Shown, shown_in_headers};

/// What a call shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knock {
    /// The secret, or it comes from an address of the platform's.
    Right,
    /// A user name and a password, and whether they are right.
    Pair(bool),
    /// Something in the place of the secret that is not it.
    WrongSecret,
    /// Nothing that could be right or wrong.
    Nothing,
}

impl CallbackDoor {
    /// What stands behind our path in `path`, without the slash between; `None` where `path` is another.
    pub(super) fn behind<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.path.as_str())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// What a request from `address` with these headers, and `behind` our path, shows.
    pub(super) fn knock(&self, address: IpAddr, headers: &HeaderMap, behind: &str) -> Knock {
        let offered: Vec<u8> = percent_decode_str(behind).collect();
        let by_secret = self
            .secret
            .as_ref()
            .map_or(Choice::from(0), |secret| secret.expose_secret().as_bytes().ct_eq(offered.as_slice()));
        let by_basic = match (&self.basic, shown_in_headers(headers)) {
            (Some(credential), Shown::Pair(username, password)) => {
                Some(credential.is_pair(&username, &password))
            }
            (Some(_), Shown::Nothing | Shown::Key(_) | Shown::Unreadable) | (None, _) => None,
        };
        let by_network = self.networks.iter().any(|network| network.contains(&address));
        match by_basic {
            _ if bool::from(by_secret) | by_network => Knock::Right,
            Some(is_right) => Knock::Pair(is_right),
            None if self.secret.is_some() && !behind.is_empty() => Knock::WrongSecret,
            None => Knock::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};
    use base64::Engine;

    use super::super::Credential;
    use super::*;
    use crate::model::Secret;

    fn door(secret: Option<&str>, basic: bool, network: Option<&str>) -> CallbackDoor {
        CallbackDoor {
            path: "/callbacks".to_owned(),
            secret: secret.map(Secret::from),
            basic: basic
                .then(|| Credential { username: "platform".to_owned(), password: Secret::from("p1") }),
            networks: network.into_iter().map(|network| network.parse().unwrap()).collect(),
        }
    }

    fn lets_in(door: &CallbackDoor, path: &str, pair: Option<&str>, address: &str) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(pair) = pair {
            let value = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair));
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        }
        let behind = door.behind(path).unwrap();
        matches!(door.knock(address.parse().unwrap(), &headers, behind), Knock::Right | Knock::Pair(true))
    }

    #[test]
    fn what_is_wrong_is_told_from_what_is_not_there() {
        let (secret, basic) = (door(Some("s3cret"), false, None), door(None, true, Some("192.0.2.0/24")));
        let knock = |door: &CallbackDoor, behind: &str, password: Option<&str>, address: &str| {
            let mut headers = HeaderMap::new();
            if let Some(password) = password {
                let pair = base64::prelude::BASE64_STANDARD.encode(format!("platform:{password}"));
                headers.insert(header::AUTHORIZATION, format!("Basic {pair}").parse().unwrap());
            }
            door.knock(address.parse().unwrap(), &headers, behind)
        };
        let far = "198.51.100.1";
        assert_eq!(knock(&secret, "s3cret", None, far), Knock::Right);
        assert_eq!(knock(&secret, "s3cre", None, far), Knock::WrongSecret);
        assert_eq!(knock(&secret, "", None, far), Knock::Nothing);
        assert_eq!(knock(&secret, "", Some("p1"), far), Knock::Nothing, "no credential is asked for");
        assert_eq!(knock(&basic, "s3cret", None, far), Knock::Nothing, "no secret is asked for");
        assert_eq!(knock(&basic, "", Some("p1"), far), Knock::Pair(true));
        assert_eq!(knock(&basic, "", Some("p2"), far), Knock::Pair(false));
        assert_eq!(knock(&basic, "", Some("p2"), "192.0.2.1"), Knock::Right, "it is from the platform");
    }

    #[test]
    fn a_path_is_ours_with_and_without_something_behind_it() {
        let door = door(Some("s"), false, None);
        for (path, behind) in [
            ("/callbacks", Some("")),
            ("/callbacks/", Some("")),
            ("/callbacks/s", Some("s")),
            ("/callbacks/s/t", Some("s/t")),
            ("/callback", None),
            ("/callbackss", None),
            ("/Callbacks/s", None),
            ("//callbacks/s", None),
        ] {
            assert_eq!(door.behind(path), behind, "{path}");
        }
    }

    #[test]
    fn the_secret_is_the_whole_rest_of_the_path() {
        let door = door(Some("s3cret/ü"), false, None);
        for right in ["/callbacks/s3cret/%C3%BC", "/callbacks/%733cret%2F%c3%bc"] {
            assert!(lets_in(&door, right, None, "192.0.2.1"), "{right}");
        }
        for wrong in ["/callbacks", "/callbacks/", "/callbacks/s3cret", "/callbacks/s3cret/%C3%BC/"] {
            assert!(!lets_in(&door, wrong, Some("platform:p1"), "192.0.2.1"), "{wrong}");
        }
    }

    #[test]
    fn one_of_the_guards_is_enough_and_none_is_not() {
        let all = door(Some("s3cret"), true, Some("192.0.2.0/24"));
        let (right, wrong) = (Some("platform:p1"), Some("platform:p2"));
        for (path, pair, address, is_in) in [
            ("/callbacks/s3cret", None, "198.51.100.1", true),
            ("/callbacks", right, "198.51.100.1", true),
            ("/callbacks", None, "192.0.2.255", true),
            ("/callbacks/wrong", wrong, "192.0.2.1", true),
            ("/callbacks/wrong", right, "198.51.100.1", true),
            ("/callbacks/s3cret", wrong, "198.51.100.1", true),
            ("/callbacks/wrong", wrong, "192.0.3.0", false),
            ("/callbacks", Some("platform:"), "2001:db8::1", false),
            ("/callbacks", None, "198.51.100.1", false),
        ] {
            assert_eq!(lets_in(&all, path, pair, address), is_in, "{path} {pair:?} {address}");
        }
    }

    #[test]
    fn a_guard_that_is_not_there_lets_nobody_in() {
        let none = door(None, false, None);
        assert!(!lets_in(&none, "/callbacks", None, "127.0.0.1"));
        assert!(!lets_in(&none, "/callbacks/", Some(":"), "127.0.0.1"));
        assert!(!lets_in(&door(None, true, None), "/callbacks/p1", None, "127.0.0.1"));
    }
}
