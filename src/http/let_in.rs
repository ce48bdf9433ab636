//! Whether a client is let in by what it shows, to the API that it asks; and what it costs to show what is wrong.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::{Instant, sleep_until};

use super::Account;
use super::account::{Denied, Shown};
use super::answer::Denial;
use super::desk::Desk;
use crate::attempts::Attempt;
use crate::model::Client;

/// How long a wrong credential waits for its 401, checking it included: few guesses a second, whoever makes them. The
/// wait is a timer of its connection, and connections are limited in all and for each address.
pub(super) const WRONG_CREDENTIAL_DELAY: Duration = Duration::from_secs(1);

const WRONG_CREDENTIAL: &str = "the user name, password or API key is wrong";

/// The account that shows `shown`, if it may use `api`; `client` gets it. Somebody who shows what is wrong waits.
pub(super) async fn authenticate<'a>(
    desk: &Desk,
    accounts: &'a Arc<Vec<Account>>,
    client: &mut Client,
    shown: &Shown,
    api: &str,
) -> Result<&'a Account, NotLetIn> {
    let account = identified(desk, accounts, client, shown).await?;
    may_use(account, api).map(|()| account)
}

/// As [`authenticate`], where it is not known yet which API is asked: [`may_use`] has to follow.
pub(super) async fn identified<'a>(
    desk: &Desk,
    accounts: &'a Arc<Vec<Account>>,
    client: &mut Client,
    shown: &Shown,
) -> Result<&'a Account, NotLetIn> {
    let answer_at = Instant::now() + WRONG_CREDENTIAL_DELAY;
    match desk.logins.identify(accounts, client.address, shown).await {
        Attempt::Checked(Ok(index)) => {
            client.account = Some(accounts[index].name.clone());
            Ok(&accounts[index])
        }
        Attempt::Checked(Err(denied)) => {
            if denied != Denied::Missing {
                sleep_until(answer_at).await;
            }
            Err(NotLetIn::Denied(denied))
        }
        Attempt::TooMany(wait) => Err(NotLetIn::TooMany(wait)),
        Attempt::Unavailable => Err(NotLetIn::Busy),
    }
}

/// Whether an account may use an API, which it learns only by the right credential.
///
/// # Errors
/// [`NotLetIn::OtherApi`].
pub(super) fn may_use(account: &Account, api: &str) -> Result<(), NotLetIn> {
    match &account.profiles {
        Some(profiles) if profiles.iter().all(|own| own != api) => Err(NotLetIn::OtherApi(format!(
            "account `{}` may not use `{api}`, but only {}; see its `profiles`",
            account.name,
            profiles.join(", ")
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Whether whoever asks may do so for an account that is known by its network alone. A browser in that network carries the
/// page of any site there, and says whose page it is (RFC 6454 section 7); with a credential nobody else's page can ask.
///
/// # Errors
/// [`NotLetIn::OtherSite`].
pub(super) fn may_ask_for(account: &Account, headers: &HeaderMap) -> Result<(), NotLetIn> {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_ours = |origin: &HeaderValue| {
        let origin = origin.as_bytes();
        let site = origin.strip_prefix(b"http://").or(origin.strip_prefix(b"https://"));
        site.is_some_and(|site| site.eq_ignore_ascii_case(host))
    };
    match account.login.is_none() && !headers.get_all(header::ORIGIN).iter().all(is_ours) {
        true => Err(NotLetIn::OtherSite),
        false => Ok(()),
    }
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotLetIn {
    /// For what it shows.
    Denied(Denied),
    /// There were too many wrong credentials from its address; how long it is to wait.
    TooMany(Duration),
    /// Too many credentials are being checked.
    Busy,
    /// It may not use this API, in words.
    OtherApi(String),
    /// It is the page of another site in somebody's browser.
    OtherSite,
}

impl From<NotLetIn> for Denial {
    fn from(why: NotLetIn) -> Self {
        match why {
            NotLetIn::Denied(denied) => denied.into(),
            NotLetIn::TooMany(wait) => {
                let reason = "there were too many wrong credentials from your address; come again later";
                Self { retry_after: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, reason) }
            }
            NotLetIn::Busy => {
                let reason = "too many credentials are being checked; come again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
            }
            NotLetIn::OtherApi(reason) => Self::new(StatusCode::FORBIDDEN, reason),
            NotLetIn::OtherSite => {
                let reason =
                    "the page of another site may not ask for an account that has no password; give it one";
                Self::new(StatusCode::FORBIDDEN, reason)
            }
        }
    }
}

impl From<Denied> for Denial {
    fn from(denied: Denied) -> Self {
        let (reason, note) = match denied {
            Denied::Missing => ("a user name and password are needed, or an API key", None),
            Denied::Wrong => (WRONG_CREDENTIAL, None),
            Denied::WrongNetwork => {
                (WRONG_CREDENTIAL, Some("the credential is right, the network is not its account's"))
            }
        };
        Self { note, ..Self::new(StatusCode::UNAUTHORIZED, reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Login;
    use crate::model::Secret;
    use crate::profile::Answers;

    fn account(login: Option<Login>) -> Account {
        Account {
            name: "lab".to_owned(),
            networks: Vec::new(),
            login,
            profiles: None,
            may_choose_sender: false,
            may_choose_lane: false,
            may_see_all: false,
            accepted: Answers::default(),
            program: None,
        }
    }

    #[test]
    fn the_page_of_another_site_needs_a_credential() {
        let asks = |account: &Account, origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("relay.lan:8025"));
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            may_ask_for(account, &headers)
        };
        let open = account(None);
        for own in [&[][..], &["http://relay.lan:8025"], &["https://RELAY.lan:8025"]] {
            assert_eq!(asks(&open, own), Ok(()), "{own:?}");
        }
        let closed = account(Some(Login::with_password("lab".to_owned(), Secret::from("p1"))));
        for other in [
            &["https://example.com"][..],
            &["null"],
            &["http://relay.lan"],
            &["http://relay.lan:8025.example.com"],
            &["http://relay.lan:8025", "https://example.com"],
            &[""],
        ] {
            assert_eq!(asks(&open, other), Err(NotLetIn::OtherSite), "{other:?}");
            assert_eq!(asks(&closed, other), Ok(()), "{other:?}");
        }
    }
}
