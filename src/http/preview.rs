//! What `/sms`, or the API of another gateway, would read from a request, without a socket: for people who look before they
//! send.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use jiff::Zoned;

use super::answer::Denial;
use super::profiled::{Answered, Api};
use super::request_line::{RawPaths, encoded_target};
use super::{Account, Listener, SMS, profiled};
use crate::intake::Form;

/// Our own path that takes forms.
const PATH: &str = "/sms";

/// A request as somebody writes it down.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Its target: a path with a query, or a whole URL.
    pub target: &'a str,
    /// Its headers: names and values.
    pub headers: &'a [(String, String)],
    /// Its body; that of a GET is not looked at.
    pub body: &'a [u8],
    /// The account, where it is not told by a credential of the request.
    pub account: Option<&'a str>,
}

/// What is read from a request.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Whose it is.
    pub account: String,
    /// What it asks for; `None` where it asks another gateway's API for something else than to send.
    pub form: Option<Form>,
    /// Whose words would answer it, where it is no request to `/sms`.
    pub api: Option<Api>,
}

/// Why a request would not come to intake.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status} {reason}")]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The sentence that the client would read.
    pub reason: String,
    /// What the client would not be told.
    pub note: Option<&'static str>,
    /// Whose words would answer it and what they are, where it is no request to `/sms`.
    pub api: Option<Box<(Api, Answered)>>,
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        Self { status: denial.status.as_u16(), reason: denial.reason, note: denial.note, api: None }
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
    let raw = !asked.target.contains(|character: char| character.is_ascii_control());
    let raw =
        raw.then(|| encoded_target(asked.target.as_bytes(), &RawPaths::of_listener(listener))).flatten();
    let target: Uri = raw.as_deref().unwrap_or(asked.target).parse().map_err(|error| {
        let shown = asked.target.escape_debug();
        wrong(format!(
            "`{shown}` is not a target of a request ({error}); a space in it is written as + or %20"
        ))
    })?;
    let method = Method::from_bytes(asked.method.as_bytes())
        .map_err(|_| wrong(format!("`{}` is not a method", asked.method.escape_debug())))?;
    let headers = headers(asked.headers);
    let named = asked.account.and_then(|name| accounts.iter().find(|account| account.name == name));
    let request = (&method, &target, &headers, asked.body);
    let read = profiled::preview(listener, accounts, address, request, named, &Zoned::now());
    let Some(read) = read else {
        let shown = target.path().escape_debug();
        let reason = format!("`{shown}` takes no forms; the path is {PATH}");
        return Err(Denial::new(StatusCode::NOT_FOUND, reason).into());
    };
    let is_elsewhere = read.api.profile() != SMS;
    match read.end {
        Ok(asks) => {
            let api = is_elsewhere.then_some(read.api);
            Ok(Preview { account: asks.account, form: asks.form, api })
        }
        Err(denied) => Err(Refused {
            status: denied.answered.status,
            reason: denied.reason,
            note: denied.note,
            api: is_elsewhere.then(|| Box::new((read.api, denied.answered))),
        }),
    }
}

/// As HTTP has them; what cannot be a header is left out.
fn headers(written: &[(String, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::super::Login;
    use super::*;
    use crate::model::Secret;
    use crate::profile::{Answer, Answers, Body, Outcome};

    fn account(name: &str, password: Option<&str>) -> Account {
        let login = |password| Login::with_password(name.to_owned(), Secret::from(password));
        Account {
            name: name.to_owned(),
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            login: password.map(login),
            profiles: None,
            may_choose_sender: false,
            may_choose_lane: false,
            may_see_all: false,
            accepted: Answers::default(),
            program: None,
        }
    }

    /// One that has `/sms`, by GET too, and nothing else.
    fn listener() -> Listener {
        Listener {
            name: "http".to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            allow_get: true,
            metrics: false,
            callbacks: false,
            sms: super::super::generic::profile(true),
            profiles: Vec::new(),
            api: false,
            proxies: None,
            tls: None,
        }
    }

    fn read(method: &str, target: &str, body: Option<&str>, account_name: Option<&str>) -> String {
        let kannel = Account { profiles: Some(vec!["kannel".to_owned()]), ..account("pbx", Some("p2")) };
        let accounts = [account("shop", Some("secret")), account("lab", None), kannel];
        let body = body.unwrap_or_default().as_bytes();
        let asked = Asked { method, target, headers: &[], body, account: account_name };
        let address = if target.contains("far") { "192.0.2.1" } else { "127.0.0.1" };
        match preview(&listener(), &accounts, address.parse().unwrap(), &asked) {
            Ok(read) => {
                let form = read.form.unwrap();
                format!("{}: {} <- {}", read.account, form.to.join(" "), form.text)
            }
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn a_request_is_read_as_the_door_reads_it() {
        let get = |target| read("GET", target, None, None);
        assert_eq!(get("/sms?to=%2B39347&text=Door+3"), "lab: +39347 <- Door 3");
        assert_eq!(
            get("/sms?to=+39347&text=Pumpe läuft 50% \"gut\""),
            "lab: +39347 <- Pumpe läuft 50% \"gut\""
        );
        assert_eq!(get("http://127.0.0.1:8025/sms?to=a&text=b"), "lab: a <- b");
        assert_eq!(get("/sms?to=a&text=b&username=shop&password=secret"), "shop: a <- b");
        assert_eq!(read("POST", "/sms", Some("to=a,c&text=b"), Some("shop")), "shop: a c <- b");
        assert_eq!(
            read("POST", "/sms?to=a", Some("to=c&text=b"), None),
            "lab: a c <- b",
            "the query's fields first"
        );
    }

    /// Whether one destination may be left out depends on what the answer tells, and that is the account's own.
    #[test]
    fn an_answer_of_the_account_decides_whether_destinations_are_taken_in_part() {
        let telling = |body: &str| {
            let answer = Answer {
                when: Vec::new(),
                json_only: false,
                status: None,
                content_type: "text/plain".to_owned(),
                body: Body::new(body, "text/plain").unwrap(),
            };
            let accepted = Answers::new([(Outcome::Accepted, vec![answer])]);
            let accounts = [Account { accepted, ..account("cam", None) }];
            let asked =
                Asked { method: "GET", target: "/sms?to=a,b&text=c", headers: &[], body: b"", account: None };
            preview(&listener(), &accounts, "127.0.0.1".parse().unwrap(), &asked)
                .unwrap()
                .form
                .unwrap()
                .partial
        };
        assert!(telling("{{ recipients|length }}"));
        assert!(!telling("{{ messages|length }}"));
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
                "/sms?to=a&text=b&user=pbx&pass=p2",
                "403 account `pbx` may not use `sms`, but only kannel; see its `profiles`",
            ),
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
                "/smss?to=a&text=Door 3",
                "400 `/smss?to=a&text=Door 3` is not a target of a request (invalid uri character); a space in it is \
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
