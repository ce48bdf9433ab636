//! What `/sms` would read from a request, without a socket: for people who look before they send.

use std::net::IpAddr;

use axum::http::{Method, StatusCode, Uri};
use jiff::Zoned;

use super::answer::Denial;
use super::fields::Fields;
use super::form::{Unasked, form};
use super::generic::GENERIC;
use super::submit::{account_of, may_ask};
use super::{Account, Listener};
use crate::intake::Form;

/// The one path that takes forms.
const PATH: &str = "/sms";

/// A request as somebody writes it down.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Its target: a path with a query, or a whole URL.
    pub target: &'a str,
    /// Its body, `application/x-www-form-urlencoded`; of a POST only.
    pub body: Option<&'a str>,
    /// The account, where it is not told by a credential among the fields.
    pub account: Option<&'a str>,
}

/// What is read from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Whose it is.
    pub account: String,
    /// What it asks for.
    pub form: Form,
}

/// Why a request would not come to intake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {reason}")]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The sentence that the client would read.
    pub reason: String,
    /// What the client would not be told.
    pub note: Option<&'static str>,
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        Self { status: denial.status.as_u16(), reason: denial.reason, note: denial.note }
    }
}

/// Reads a request that would come through `listener` from `address`, by the door's own checks in
/// their order. An account that is named needs no credential, but must be let in from there.
///
/// # Errors
/// [`Refused`], as the client would be answered.
pub fn preview(
    listener: &Listener,
    accounts: &[Account],
    address: IpAddr,
    asked: &Asked<'_>,
) -> Result<Preview, Refused> {
    let wrong = |reason: String| Denial::new(StatusCode::BAD_REQUEST, reason);
    let target: Uri = asked.target.parse().map_err(|error| {
        let shown = asked.target.escape_debug();
        wrong(format!(
            "`{shown}` is not a target of a request ({error}); a space in it is written as + or %20"
        ))
    })?;
    if target.path() != PATH {
        let shown = target.path().escape_debug();
        let reason = format!("`{shown}` takes no forms; the path is {PATH}");
        return Err(Denial::new(StatusCode::NOT_FOUND, reason).into());
    }
    let method = Method::from_bytes(asked.method.as_bytes())
        .map_err(|_| wrong(format!("`{}` is not a method", asked.method.escape_debug())))?;
    let is_get = may_ask(&method, listener, accounts, address)?;
    let mut fields = Fields::default();
    let add = |fields: &mut Fields| {
        fields.add_form(target.query().unwrap_or_default().as_bytes())?;
        if !is_get {
            fields.add_form(asked.body.unwrap_or_default().as_bytes())?;
        }
        fields.settle(None, &GENERIC)
    };
    add(&mut fields).map_err(Denial::from)?;
    let named = |name: &str| accounts.iter().find(|account| account.name == name);
    let account = match asked.account.and_then(named) {
        Some(account) if account.networks.iter().any(|network| network.contains(&address)) => account,
        Some(account) => {
            let reason = format!("account `{}` may not post from {address}; see its networks", account.name);
            return Err(Denial::new(StatusCode::UNAUTHORIZED, reason).into());
        }
        None => {
            let shown = fields.credential(&GENERIC.names).map_err(Denial::from)?;
            account_of(accounts, address, &shown)?
        }
    };
    let form = form(&fields, &GENERIC, account, Unasked::Refused, &Zoned::now()).map_err(Denial::from)?;
    Ok(Preview { account: account.name.clone(), form })
}

#[cfg(test)]
mod tests {
    use super::super::Login;
    use super::*;
    use crate::model::Secret;

    fn account(name: &str, password: Option<&str>) -> Account {
        let login = |password| Login::with_password(name.to_owned(), Secret::from(password));
        Account {
            name: name.to_owned(),
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            login: password.map(login),
            may_choose_sender: false,
            may_choose_lane: false,
            program: None,
        }
    }

    fn read(method: &str, target: &str, body: Option<&str>, account_name: Option<&str>) -> String {
        let listener = Listener {
            name: "http".to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            allow_get: true,
            metrics: false,
            callbacks: false,
            profiles: Vec::new(),
            api: false,
            proxies: None,
            tls: None,
        };
        let accounts = [account("shop", Some("secret")), account("lab", None)];
        let asked = Asked { method, target, body, account: account_name };
        let address = if target.contains("far") { "192.0.2.1" } else { "127.0.0.1" };
        match preview(&listener, &accounts, address.parse().unwrap(), &asked) {
            Ok(read) => format!("{}: {} <- {}", read.account, read.form.to.join(" "), read.form.text),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn a_request_is_read_as_the_door_reads_it() {
        let get = |target| read("GET", target, None, None);
        assert_eq!(get("/sms?to=%2B39347&text=Door+3"), "lab: +39347 <- Door 3");
        assert_eq!(get("http://127.0.0.1:8025/sms?to=a&text=b"), "lab: a <- b");
        assert_eq!(get("/sms?to=a&text=b&username=shop&password=secret"), "shop: a <- b");
        assert_eq!(read("POST", "/sms", Some("to=a,c&text=b"), Some("shop")), "shop: a c <- b");
        assert_eq!(
            read("POST", "/sms?to=a", Some("to=c&text=b"), None),
            "lab: a c <- b",
            "the query's fields first"
        );
    }

    #[test]
    fn what_the_door_would_not_take_is_refused_with_its_status() {
        for (method, target, said) in [
            ("GET", "/smss?to=a", "404 `/smss` takes no forms; the path is /sms"),
            ("PUT", "/sms?to=a&text=b", "405 this method is not taken here; use GET, POST"),
            ("HEAD", "/sms?to=a&text=b", "405 this method is not taken here; use GET, POST"),
            ("GET", "/sms?to=a&text=b&user=shop&pass=x", "401 the user name, password or API key is wrong"),
            (
                "GET",
                "/sms?to=far&text=b",
                "403 nobody may post from 192.0.2.1; see the networks of the accounts",
            ),
            (
                "GET",
                "/sms?to=a&text=b&from=Me",
                "403 account `lab` may not choose the sender; leave out `from`, or set may_choose_sender = true \
                 for the account",
            ),
            (
                "GET",
                "/sms?to=a&text=Door 3",
                "400 `/sms?to=a&text=Door 3` is not a target of a request (invalid uri character); a space in it is \
                 written as + or %20",
            ),
        ] {
            assert_eq!(read(method, target, None, None), said);
        }
        assert!(read("GET", "/sms?to=a", None, None).starts_with("400 there is no `text`, or it is empty"));
        // The body of a GET is not looked at, by the door neither.
        assert!(read("GET", "/sms?to=a", Some("text=b"), None).starts_with("400 there is no `text`"));
    }
}
