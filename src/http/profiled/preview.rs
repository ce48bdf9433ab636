//! A request of another gateway's API that nobody sent: which endpoint would serve it, what it asks for, and what its
//! answer would be.

use axum::http::{HeaderMap, Method, Uri};
use jiff::Zoned;

use super::find::{self, Candidate, likely};
use super::meant::{Asked, able, at_once, meant, no_method};
use super::not_let_in;
use super::outcomes::{Failure, of_refusal};
use super::voice::Voice;
use super::{told, webhook};
use crate::http::account::{Shown, any_from, identify_now, shown_in_headers};
use crate::http::answer::Style;
use crate::http::fields::Fields;
use crate::http::form::form;
use crate::http::let_in::{NotLetIn, may_ask_for, may_use};
use crate::http::{Account, Listener, SMS};
use crate::intake::{Form, Refusal};
use crate::profile::{Action, Endpoint, Meaning, Outcome, Words};

/// The endpoint that serves a request.
#[derive(Clone, Debug)]
pub struct Api {
    profile: String,
    path: String,
    endpoint: Endpoint,
    voice: Voice,
}

/// An answer in the words of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What it is called in the configuration.
    pub outcome: Outcome,
    /// Its HTTP status.
    pub status: u16,
    /// Its octets; empty where they depend on what is not known before the request is served, such as ids.
    pub body: String,
}

impl Api {
    fn of(candidate: Candidate<'_>, path: &str, voice: Voice) -> Self {
        let (profile, endpoint) = (candidate.profile.name.clone(), candidate.endpoint.clone());
        Self { profile, path: path.to_owned(), endpoint, voice }
    }

    /// The profile's name.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// The path that was asked.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the endpoint does.
    pub fn action(&self) -> &Action {
        &self.endpoint.action
    }

    /// The parameters that tell it from others at its path.
    pub fn with(&self) -> &[(String, String)] {
        &self.endpoint.with
    }

    /// The answer to a form that intake takes, or refuses.
    pub fn answer(&self, refusal: Option<&Refusal>) -> Answered {
        match refusal {
            None => Answered { body: String::new(), ..self.words(Outcome::Accepted, "") },
            Some(refusal) => self.words(of_refusal(refusal.kind), &refusal.text),
        }
    }

    fn words(&self, outcome: Outcome, reason: &str) -> Answered {
        let words = Words { reason, json: self.voice.json, ..Words::of(&self.voice.asked) };
        match self.voice.reply(&self.endpoint, outcome, &words) {
            Ok(Some(reply)) => Answered { outcome, status: reply.status, body: reply.body },
            // As the door answers then.
            Ok(None) | Err(_) => Answered { outcome, status: outcome.status(), body: String::new() },
        }
    }
}

/// What a request would come to before intake.
#[derive(Clone, Debug)]
pub(in crate::http) struct Previewed {
    pub(in crate::http) api: Api,
    pub(in crate::http) end: Result<Asks, Denied>,
}

/// Whose request it is, and what it asks for; no form where it is no request to send.
#[derive(Clone, Debug)]
pub(in crate::http) struct Asks {
    pub(in crate::http) account: String,
    pub(in crate::http) form: Option<Form>,
}

/// Why it would not come to intake.
#[derive(Clone, Debug)]
pub(in crate::http) struct Denied {
    pub(in crate::http) answered: Answered,
    pub(in crate::http) reason: String,
    pub(in crate::http) note: Option<&'static str>,
}

/// Reads a request as [`serve`](super::serve) does, in the same order; `None` where nothing is at its path. An account
/// that is `named` needs neither a credential nor a session.
pub(in crate::http) fn preview(
    listener: &Listener,
    accounts: &[Account],
    address: std::net::IpAddr,
    request: (&Method, &Uri, &HeaderMap, &[u8]),
    named: Option<&Account>,
    now: &Zoned,
) -> Option<Previewed> {
    let (method, target, headers, body) = request;
    let at = find::at(listener.spoken(), target.path());
    let mut query = Fields::default();
    let _ = query.add_form(target.query().unwrap_or_default().as_bytes());
    let mut candidate = likely(&at, |name| query.parameter(name))?;
    let asked = told::asked(&query, &candidate.endpoint.reading.names);
    let mut voice = Voice { asked, json: Style::of(headers) == Style::Json, ..Voice::default() };
    let mut read = || {
        let able = able(&at, method);
        let first = able.first().ok_or_else(|| no_method(candidate))?;
        if !able.iter().any(|one| std::ptr::eq(one.endpoint, candidate.endpoint)) {
            candidate = *first;
        }
        if !any_from(accounts, address) {
            let what = if candidate.endpoint.action == Action::Send { "post" } else { "ask" };
            let reason = format!("nobody may {what} from {address}; see the networks of the accounts");
            return Err(Failure::new(Outcome::Forbidden, reason));
        }
        let in_headers = shown_in_headers(headers);
        let early = match (named, &in_headers) {
            (Some(_), _) | (None, Shown::Nothing) => None,
            (None, _) => Some(who(accounts, address, &in_headers)?),
        };
        let octets = (*method != Method::GET).then_some(body);
        let request = Asked { headers, query: target.query(), octets };
        let (meant, fields) = at_once(meant(&able, candidate, request)).map_err(|(nearest, failure)| {
            candidate = nearest;
            failure
        })?;
        candidate = meant;
        let reading = &candidate.endpoint.reading;
        voice.asked = told::asked(&fields, &reading.names);
        let account = match (named, early) {
            (Some(named), _) if named.is_from(address) => named,
            (Some(named), _) => {
                let reason =
                    format!("account `{}` may not post from {address}; see its networks", named.name);
                return Err(Failure::new(Outcome::Unauthorized, reason));
            }
            (None, Some(early)) => early,
            (None, None) if fields.line(&reading.names, Meaning::Session)?.is_some() => {
                let reason = "sessions are known to the running relay only; say whose it is by --account";
                return Err(Failure::new(Outcome::NoSession, reason));
            }
            (None, None) => who(accounts, address, &fields.credential(&reading.names)?)?,
        };
        may_use(account, &candidate.profile.name).map_err(not_let_in)?;
        may_ask_for(account, headers).map_err(not_let_in)?;
        let form = match &candidate.endpoint.action {
            Action::Send => {
                if candidate.profile.name == SMS {
                    voice.of_account.clone_from(&account.accepted);
                }
                let partial = voice.tells_each(candidate.endpoint);
                let form = form(&fields, reading, account, now)?;
                Some(Form { partial, ..form })
            }
            Action::Webhook(hook) => {
                let query = told::query(&fields, &reading.names);
                let asked = webhook::Asked { hook, reading, profile: &candidate.profile.name, query };
                webhook::form_now(&asked, headers, body, account)?
            }
            Action::Login | Action::Status => None,
        };
        Ok(Asks { account: account.name.clone(), form })
    };
    let end = read();
    let api = Api::of(candidate, target.path(), voice);
    let end = end.map_err(|failure| {
        let Failure { outcome, reason, note, .. } = failure;
        Denied { answered: api.words(outcome, &reason), reason, note }
    });
    Some(Previewed { api, end })
}

fn who<'a>(
    accounts: &'a [Account],
    address: std::net::IpAddr,
    shown: &Shown,
) -> Result<&'a Account, Failure> {
    let index =
        identify_now(accounts, address, shown).map_err(|denied| not_let_in(NotLetIn::Denied(denied)))?;
    Ok(&accounts[index])
}
