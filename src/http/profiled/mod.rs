//! The APIs of other gateways, each as its [`Profile`](crate::profile::Profile) describes it.
//!
//! The order of the checks is that of `/sms`: method, network, credentials in the headers, size, type, credentials in
//! the fields; only then what is wrong with the fields themselves. What comes of a request is an [`Outcome`], and
//! the endpoint's answers say how that looks. `find` knows which endpoint is meant, `outcomes` what a failure is for it,
//! `told` what an answer may tell, `ids` how ids look elsewhere, `sessions` who has logged in.

mod find;
mod ids;
mod outcomes;
mod sessions;
mod told;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant as Clock;

use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{Timestamp, Zoned};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use super::account::{Shown, any_from, shown_in_headers};
use super::answer::{Denial, Unanswered, close_after};
use super::body::{BodyError, Format, in_headers, read};
use super::fields::Fields;
use super::form::{Unasked, form};
use super::server::nothing_here;
use super::status::{Which, look_own};
use super::submit::{Desk, Peer, WRONG_CREDENTIAL_DELAY, authenticate};
use super::{Account, answer};
use crate::intake::Form;
use crate::model::{Client, Door, Masked, SubmissionId};
use crate::profile::{Action, Meaning, Outcome, Reply};
use crate::spool::SpoolError;
use find::Candidate;
use ids::AskedId;
use outcomes::Failure;
use told::Told;

pub(super) use find::at;
pub(super) use sessions::Sessions;

/// What is known of a request so far: enough to answer it.
struct Heard<'a> {
    candidate: Candidate<'a>,
    asked: BTreeMap<String, String>,
}

/// Why nothing came of a request.
enum Stop {
    /// It is told so.
    Failed(Failure),
    /// Whether it was kept is not known: it gets no answer.
    Unanswered,
    /// Nothing at its path is meant by its parameters.
    Elsewhere,
}

impl<T: Into<Failure>> From<T> for Stop {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

/// Serves a request to a path with these endpoints, of which there is at least one.
pub(super) async fn serve(desk: &Desk, peer: &Peer, at: &[Candidate<'_>], request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut query = Fields::default();
    // What is too much of it is told by the one that it is meant for.
    let _ = query.add_form(parts.uri.query().unwrap_or_default().as_bytes());
    let Some(likely) = find::likely(at, |name| query.parameter(name)) else {
        return nothing_here(&parts.headers);
    };
    let asked = told::asked(&query, &likely.endpoint.reading.names);
    let mut heard = Heard { candidate: likely, asked };
    let mut client = Client {
        door: Door::Http,
        listener: peer.listener.name.clone(),
        address: peer.address,
        helo: None,
        account: None,
    };
    let headers = parts.headers.clone();
    match take(desk, at, &mut heard, &mut client, parts, body).await {
        Ok((outcome, told)) => {
            info!(
                id = told.id,
                outcome = outcome.as_str(),
                profile = heard.candidate.profile.name,
                account = client.account.as_deref(),
                client = %client.address,
                listener = client.listener,
                "request of another gateway's API answered"
            );
            heard.respond(outcome, &told)
        }
        Err(Stop::Failed(failure)) => {
            if let Some(left_out) = desk.line_about(&client) {
                info!(
                    outcome = failure.outcome.as_str(),
                    reason = %Masked(&failure.reason),
                    note = failure.note,
                    profile = heard.candidate.profile.name,
                    account = client.account.as_deref(),
                    client = %client.address,
                    listener = client.listener,
                    left_out,
                    "request of another gateway's API refused"
                );
            }
            heard.refuse(failure)
        }
        Err(Stop::Unanswered) => {
            warn!(
                profile = heard.candidate.profile.name,
                account = client.account.as_deref(),
                client = %client.address,
                listener = client.listener,
                "form not stored in time; the connection is closed without an answer, and the client may send it again"
            );
            Extension(Unanswered).into_response()
        }
        Err(Stop::Elsewhere) => {
            if let Some(left_out) = desk.line_about(&client) {
                info!(
                    profile = heard.candidate.profile.name,
                    account = client.account.as_deref(),
                    client = %client.address,
                    listener = client.listener,
                    left_out,
                    "another gateway's API is asked for what it does not do here"
                );
            }
            nothing_here(&headers)
        }
    }
}

/// The way of one request. `client` gets its account, and `heard` its endpoint, as soon as they are known.
async fn take<'a>(
    desk: &Desk,
    at: &[Candidate<'a>],
    heard: &mut Heard<'a>,
    client: &mut Client,
    parts: Parts,
    body: Body,
) -> Result<(Outcome, Told), Stop> {
    let deadline = Instant::now() + desk.limits.request_time;
    let accounts = desk.accounts.load_full();
    let takes = |candidate: &&Candidate<'a>| match parts.method {
        Method::GET => candidate.endpoint.methods.get,
        Method::POST => candidate.endpoint.methods.post,
        _ => false,
    };
    let able: Vec<Candidate<'a>> = at.iter().filter(takes).copied().collect();
    let Some(first) = able.first() else {
        let allow = heard.candidate.endpoint.methods.allow();
        let reason = format!("this method is not taken here; use {allow}");
        return Err(Failure::new(Outcome::Method, reason).into());
    };
    if !able.iter().any(|candidate| std::ptr::eq(candidate.endpoint, heard.candidate.endpoint)) {
        heard.candidate = *first;
    }
    if !any_from(&accounts, client.address) {
        let reason = format!("nobody may ask from {}; see the networks of the accounts", client.address);
        return Err(Failure::new(Outcome::Forbidden, reason).into());
    }
    let shown = shown_in_headers(&parts.headers);
    let early = match shown {
        Shown::Nothing => None,
        Shown::Pair(..) | Shown::Key(_) | Shown::Unreadable => {
            Some(who(desk, &accounts, client, &shown).await?)
        }
    };
    let octets = match parts.method == Method::GET {
        true => None,
        false => {
            let read = timeout_at(deadline, read(body, desk.limits.body_octets)).await.map_err(|_| {
                let reason = format!("the body did not arrive within {:?}", desk.limits.request_time);
                Failure { closes: true, ..Failure::new(Outcome::Unavailable, reason) }
            })?;
            Some(read?)
        }
    };
    let fields = meant(&able, heard, &parts, octets).await?;
    let reading = &heard.candidate.endpoint.reading;
    heard.asked = told::asked(&fields, &reading.names);
    let account = match early {
        Some(account) => account,
        None => match fields.line(&reading.names, Meaning::Session)? {
            Some(session) => in_session(desk, &accounts, client, &session).await?,
            None => who(desk, &accounts, client, &fields.credential(&reading.names)?).await?,
        },
    };
    match heard.candidate.endpoint.action {
        Action::Send => {
            let partial = heard.candidate.endpoint.answers.tells_each(&heard.asked);
            let form = form(&fields, reading, account, Unasked::Ignored, &Zoned::now())?;
            let form = Form { partial, ..form };
            match timeout_at(deadline, desk.behind.submitter.submit(client, form)).await {
                Ok(receipt) => Ok((Outcome::Accepted, Told::of_receipt(&receipt?))),
                Err(_) => Err(Stop::Unanswered),
            }
        }
        Action::Login => {
            let session = random()?;
            let mut sessions = desk.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.begin(session.clone(), account, client.address, Clock::now());
            Ok((Outcome::LoggedIn, Told { session, ..Told::default() }))
        }
        Action::Status => {
            let asked = fields.line(&reading.names, Meaning::Id)?;
            let asked = asked.ok_or_else(|| fields.missing(&reading.names, Meaning::Id))?;
            let late = |_| {
                let reason = format!("no word from the spool within {:?}", desk.limits.request_time);
                Failure::new(Outcome::Unavailable, reason)
            };
            let told = timeout_at(deadline, status(desk, client, &asked)).await.map_err(late)??;
            Ok((Outcome::Known, told))
        }
    }
}

/// The fields of the request as the endpoint reads them that is meant by them.
async fn meant<'a>(
    able: &[Candidate<'a>],
    heard: &mut Heard<'a>,
    parts: &Parts,
    octets: Option<Vec<u8>>,
) -> Result<Fields, Stop> {
    let mut failed = None;
    for candidate in able {
        match fields(candidate, parts, octets.clone()).await {
            Ok(fields) if candidate.endpoint.is_meant(|name| fields.parameter(name)) => {
                heard.candidate = *candidate;
                return Ok(fields);
            }
            Ok(_) => {}
            Err(error) => failed = failed.or(Some((*candidate, error))),
        }
    }
    let (candidate, error) = failed.ok_or(Stop::Elsewhere)?;
    heard.candidate = candidate;
    Err(error.into())
}

async fn fields(
    candidate: &Candidate<'_>,
    parts: &Parts,
    octets: Option<Vec<u8>>,
) -> Result<Fields, BodyError> {
    let reading = &candidate.endpoint.reading;
    let query = parts.uri.query();
    let mut fields = in_headers(&parts.headers, reading)?;
    match octets {
        Some(octets) => {
            let format = Format::declared(&parts.headers, reading.body)?;
            format.fields(fields, query, octets, reading).await
        }
        None => {
            fields.add_form(query.unwrap_or_default().as_bytes())?;
            fields.settle(None, reading)?;
            Ok(fields)
        }
    }
}

/// The account that shows `shown`.
async fn who<'a>(
    desk: &Desk,
    accounts: &'a Arc<Vec<Account>>,
    client: &mut Client,
    shown: &Shown,
) -> Result<&'a Account, Failure> {
    authenticate(desk, accounts, client, shown).await.map_err(|why| {
        let Denial { reason, note, retry_after, .. } = Denial::from(why);
        Failure { note, retry_after, ..Failure::new(outcomes::of_not_let_in(why), reason) }
    })
}

/// The account of a session. One that is none waits like a wrong password.
async fn in_session<'a>(
    desk: &Desk,
    accounts: &'a [Account],
    client: &mut Client,
    session: &str,
) -> Result<&'a Account, Failure> {
    let account = {
        let mut sessions = desk.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.account(session, accounts, client.address, Clock::now())
    };
    match account {
        Some(account) => {
            client.account = Some(account.name.clone());
            Ok(account)
        }
        None => {
            sleep(WRONG_CREDENTIAL_DELAY).await;
            Err(Failure::new(Outcome::NoSession, "this session is over; log in again"))
        }
    }
}

/// 128 random bits in hexadecimal digits.
fn random() -> Result<String, Failure> {
    let mut octets = [0; 16];
    let no_random = |_| Failure::new(Outcome::Unavailable, "the system has no random numbers; try again");
    SystemRandom::new().fill(&mut octets).map_err(no_random)?;
    Ok(format!("{:032x}", u128::from_be_bytes(octets)))
}

/// What became of an SMS, or of all of a submission, of this client's account.
async fn status(desk: &Desk, client: &Client, written: &str) -> Result<Told, Failure> {
    let which = match ids::parse(written) {
        Some(asked) => which(desk, asked).await?,
        None => None,
    };
    let view = match which {
        Some(which) => look_own(desk, client, which).await?,
        None => None,
    };
    view.filter(|view| !view.messages.is_empty()).map(|view| Told::of_view(&view)).ok_or_else(|| {
        let shown = super::fields::shown(written);
        Failure::new(Outcome::UnknownId, format!("`{shown}` is no id of an SMS of yours"))
    })
}

async fn which(desk: &Desk, asked: AskedId) -> Result<Option<Which>, SpoolError> {
    let lookup = &desk.behind.lookup;
    Ok(match asked {
        AskedId::Ours(which) => Some(which),
        AskedId::Number(number) => lookup.message_by_number(number).await?.map(Which::One),
        AskedId::Hex(bits) => {
            let one = match ids::number_in(bits) {
                Some(number) => lookup.message_by_number(number).await?.filter(|id| ids::is_of(bits, *id)),
                None => None,
            };
            Some(one.map_or(Which::All(SubmissionId::from_bits(bits)), Which::One))
        }
    })
}

impl Heard<'_> {
    /// The answer of the API to what came of the request. It is given also where the template fails: what was taken
    /// must not look refused.
    fn respond(&self, outcome: Outcome, told: &Told) -> Response {
        let words = told.words(&self.asked, Timestamp::now().as_second());
        let failed = |reason: String| {
            let profile = &self.candidate.profile.name;
            error!(
                profile,
                outcome = outcome.as_str(),
                reason,
                "an answer cannot be written; only its status is sent"
            );
            Reply { status: outcome.status(), content_type: "text/plain".to_owned(), body: String::new() }
        };
        let reply = match self.candidate.endpoint.answers.reply(outcome, &words) {
            Ok(Some(reply)) => reply,
            Ok(None) => failed("the profile has none".to_owned()),
            Err(error) => failed(error.to_string()),
        };
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = answer::respond(status, answer::Style::Plain, reply.body);
        let headers = response.headers_mut();
        if let Ok(content_type) = HeaderValue::from_str(&reply.content_type) {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        if outcome == Outcome::Method
            && let Ok(allow) = HeaderValue::from_str(self.candidate.endpoint.methods.allow())
        {
            headers.insert(header::ALLOW, allow);
        }
        response
    }

    fn refuse(&self, failure: Failure) -> Response {
        let Failure { outcome, reason, closes, retry_after, .. } = failure;
        let mut response = self.respond(outcome, &Told { reason, ..Told::default() });
        answer::complete(&mut response, retry_after);
        if closes {
            close_after(&mut response);
        }
        response
    }
}
