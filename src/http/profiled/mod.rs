//! `/sms` and the APIs of other gateways, each as its [`Profile`](crate::profile::Profile) describes it.
//!
//! The order of the checks is what a stranger learns: method, network, credentials in the headers, type, size, credentials
//! in the fields; only then what is wrong with the fields themselves. What comes of a request is an [`Outcome`], and
//! the endpoint's answers say how that looks. `find` knows the endpoints of a path, `meant` which of them is meant by which
//! fields, `outcomes` what a failure is for it, `told` what an answer may tell, `ids` how ids look elsewhere, `sessions` who
//! has logged in, `webhook` what any JSON becomes. `preview` reads a request that nobody sent.

mod find;
mod ids;
mod meant;
mod outcomes;
mod preview;
mod sessions;
mod told;
mod voice;
mod webhook;

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
use tracing::{error, info};

use super::account::{Shown, any_from, shown_in_headers};
use super::answer::{Denial, Style, Unanswered, close_after};
use super::body::read_in_time;
use super::desk::{Desk, Peer};
use super::fields::Fields;
use super::form::form;
use super::let_in::{NotLetIn, WRONG_CREDENTIAL_DELAY, identified, may_ask_for, may_use};
use super::server::nothing_here;
use super::status::{Which, look_own};
use super::{Account, Limits, SMS, answer, submit};
use crate::intake::Form;
use crate::model::{Client, Door, SubmissionId};
use crate::profile::{Action, Meaning, Outcome, Reply};
use crate::spool::SpoolError;
use find::Candidate;
use ids::AskedId;
use meant::{is_webhook, readable};
use told::Told;
use voice::Voice;

pub(super) use find::{at, likely};
pub(super) use meant::{Asked, able, at_once, meant, no_method};
pub(super) use outcomes::Failure;
pub(super) use preview::preview;
pub use preview::{Answered, Api};
pub(super) use sessions::Sessions;
pub(super) use told::asked as told_of;
pub(super) use webhook::TURNS;

/// What is known of a request so far: enough to answer it.
struct Heard<'a> {
    candidate: Candidate<'a>,
    voice: Voice,
}

/// Why nothing came of a request.
enum Stop {
    /// It is told so.
    Failed(Failure),
    /// Whether it was kept is not known: it gets no answer.
    Unanswered,
}

impl<T: Into<Failure>> From<T> for Stop {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

/// Serves a request to a path with these endpoints, of which there is at least one.
pub(super) async fn serve(desk: &Desk, peer: &Peer, at: &[Candidate<'_>], request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let style = Style::of(&parts.headers);
    let mut query = Fields::default();
    // What is too much of it is told by the one that it is meant for.
    let _ = query.add_form(parts.uri.query().unwrap_or_default().as_bytes());
    let Some(likely) = find::likely(at, |name| query.parameter(name)) else {
        return nothing_here(style);
    };
    let asked = told::asked(&query, &likely.endpoint.reading.names);
    let json = style == Style::Json;
    let voice = Voice { asked, json, ..Voice::default() };
    let mut heard = Heard { candidate: likely, voice };
    let mut client = Client {
        door: Door::Http,
        listener: peer.listener.name.clone(),
        address: peer.address,
        helo: None,
        account: None,
    };
    let taken = take(desk, at, &mut heard, &mut client, parts, body).await;
    let Candidate { profile, endpoint } = heard.candidate;
    let profile = (!std::ptr::eq(profile, peer.listener.sms.as_ref())).then_some(profile.name.as_str());
    match taken {
        Ok((Outcome::Accepted, told)) => {
            submit::accepted(&client, profile, &told.id, told.messages.len());
            heard.respond(Outcome::Accepted, &told)
        }
        Ok((outcome, told)) => {
            info!(
                id = told.id,
                outcome = outcome.as_str(),
                profile,
                account = client.account.as_deref(),
                client = %client.address,
                listener = client.listener,
                "request of another gateway's API answered"
            );
            heard.respond(outcome, &told)
        }
        Err(Stop::Failed(failure)) => {
            let response = heard.refuse(&failure);
            if let Some(left_out) = desk.line_about(&client) {
                let is_form = endpoint.action == Action::Send;
                submit::refused(&client, profile, is_form, &failure, response.status().as_u16(), left_out);
            }
            response
        }
        Err(Stop::Unanswered) => {
            submit::unanswered(&client, profile);
            Extension(Unanswered).into_response()
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
    let able = able(at, &parts.method);
    let Some(first) = able.first() else { return Err(no_method(heard.candidate).into()) };
    if !able.iter().any(|candidate| std::ptr::eq(candidate.endpoint, heard.candidate.endpoint)) {
        heard.candidate = *first;
    }
    if !any_from(&accounts, client.address) {
        let what = if heard.candidate.endpoint.action == Action::Send { "post" } else { "ask" };
        let reason = format!("nobody may {what} from {}; see the networks of the accounts", client.address);
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
            readable(&able, &parts.headers)?;
            // The storm of a client that is known is not refused for its size; nobody else may keep so much here.
            let limits = match early.is_some() && is_webhook(heard.candidate.endpoint) {
                true => {
                    Limits { body_octets: desk.limits.body_octets.max(webhook::BODY_OCTETS), ..desk.limits }
                }
                false => desk.limits,
            };
            Some(read_in_time(body, &limits, deadline).await?)
        }
    };
    let (query, body) = (parts.uri.query(), octets.as_deref());
    let asked = Asked { headers: &parts.headers, query, octets: body };
    let fields = match meant(&able, heard.candidate, asked).await {
        Ok((candidate, fields)) => {
            heard.candidate = candidate;
            fields
        }
        Err((candidate, failure)) => {
            heard.candidate = candidate;
            return Err(failure.into());
        }
    };
    let reading = &heard.candidate.endpoint.reading;
    heard.voice.asked = told::asked(&fields, &reading.names);
    let account = match early {
        Some(account) => account,
        None => match fields.line(&reading.names, Meaning::Session)? {
            Some(session) => in_session(desk, &accounts, client, &session).await?,
            None => who(desk, &accounts, client, &fields.credential(&reading.names)?).await?,
        },
    };
    // Only now it is known which of several at the path is meant.
    may_use(account, &heard.candidate.profile.name).map_err(not_let_in)?;
    may_ask_for(account, &parts.headers).map_err(not_let_in)?;
    match &heard.candidate.endpoint.action {
        Action::Send => {
            if heard.candidate.profile.name == SMS {
                heard.voice.of_account.clone_from(&account.accepted);
            }
            let partial = heard.voice.tells_each(heard.candidate.endpoint);
            let form = form(&fields, reading, account, &Zoned::now())?;
            let form = Form { partial, ..form };
            match timeout_at(deadline, desk.behind.submitter.submit(client, form)).await {
                Ok(receipt) => Ok((Outcome::Accepted, Told::of_receipt(&receipt?))),
                Err(_) => Err(Stop::Unanswered),
            }
        }
        Action::Webhook(hook) => {
            let asked = webhook::Asked {
                hook,
                reading,
                profile: &heard.candidate.profile.name,
                query: told::query(&fields, &reading.names),
            };
            let octets = octets.unwrap_or_default();
            let form =
                webhook::form(asked, &parts.headers, octets, account, &desk.webhooks, deadline).await?;
            let Some(form) = form else {
                return Ok((Outcome::Accepted, Told::default()));
            };
            match timeout_at(deadline, desk.behind.submitter.submit(client, form)).await {
                Ok(receipt) => {
                    let receipt = receipt?;
                    webhook::tell_of_left_out(&receipt, &heard.candidate.profile.name);
                    Ok((Outcome::Accepted, Told::of_receipt(&receipt)))
                }
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

/// The account that shows `shown`.
async fn who<'a>(
    desk: &Desk,
    accounts: &'a Arc<Vec<Account>>,
    client: &mut Client,
    shown: &Shown,
) -> Result<&'a Account, Failure> {
    identified(desk, accounts, client, shown).await.map_err(not_let_in)
}

fn not_let_in(why: NotLetIn) -> Failure {
    let outcome = outcomes::of_not_let_in(&why);
    let Denial { reason, note, retry_after, .. } = Denial::from(why);
    Failure { note, retry_after, ..Failure::new(outcome, reason) }
}

/// The account of a session. One that is none waits like a wrong password, and counts as one; one that is right is let in
/// however many were wrong before: nobody guesses 128 random bits.
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
            let wait = desk.logins.wrong_token(client.address);
            sleep(WRONG_CREDENTIAL_DELAY).await;
            Err(match wait {
                None => Failure::new(Outcome::NoSession, "this session is over; log in again"),
                Some(_) => {
                    let reason = "there were too many wrong sessions from your address; come again later";
                    Failure { retry_after: wait, ..Failure::new(Outcome::TooFast, reason) }
                }
            })
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
        let words = told.words(&self.voice.asked, self.voice.json, Timestamp::now().as_second());
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
        let reply = match self.voice.reply(self.candidate.endpoint, outcome, &words) {
            Ok(Some(reply)) => reply,
            Ok(None) => failed("the profile has none".to_owned()),
            Err(error) => failed(error.to_string()),
        };
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = answer::respond(status, Style::Plain, reply.body);
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

    fn refuse(&self, failure: &Failure) -> Response {
        let told = Told { reason: failure.reason.clone(), ..Told::default() };
        let mut response = self.respond(failure.outcome, &told);
        answer::complete(&mut response, failure.retry_after);
        if failure.closes {
            close_after(&mut response);
        }
        response
    }
}
