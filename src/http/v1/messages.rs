//! `POST /v1/messages`: one message or several, each a submission of its own.
//!
//! A body that has anything wrong in it is refused as a whole. What is refused afterwards, by rules, rates or quotas, is
//! refused message by message; then nothing but the refused ones is to be sent again.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::super::API;
use super::super::account::shown_in_headers;
use super::super::answer::{Denial, Style, respond};
use super::super::body::{BodyError, Format, read_in_time};
use super::super::desk::Desk;
use super::super::fields::shown;
use super::super::let_in::authenticate;
use super::super::status::may_look;
use super::Stop;
use super::key::key_of;
use super::problem::{Fault, Problem};
use super::read::{Wanted, wanted};
use crate::intake::{Answer, Form, Once};
use crate::model::Client;
use crate::profile::BodyKind;
use crate::spool::RequestKey;

/// The request's name, and what tells it from another of the same name.
type Named = (String, [u8; 32]);

/// 202 with what was taken. Of several 200 where only some were taken; where none was, the first one's refusal.
pub(super) async fn take(
    desk: &Desk,
    client: &mut Client,
    parts: &Parts,
    body: Body,
) -> Result<Response, Stop> {
    let deadline = Instant::now() + desk.limits.request_time;
    let accounts = desk.accounts.load_full();
    may_look(&accounts, client.address)?;
    let shown = shown_in_headers(&parts.headers);
    let account = authenticate(desk, &accounts, client, &shown, API).await.map_err(Denial::from)?;
    let key = key_of(&parts.headers)?;
    is_json(parts)?;
    let octets = read_in_time(body, &desk.limits, deadline).await?;
    let wanted = wanted(&octets, account)?;
    let mut named: Option<Named> = None;
    if let Some(key) = key {
        let mut sum = [0; 32];
        sum.copy_from_slice(digest(&SHA256, &octets).as_ref());
        named = Some((key, sum));
    }
    match wanted {
        Wanted::One(form) => {
            let answer = submit(desk, client, named.as_ref(), 0, form, deadline).await?;
            Ok(respond(StatusCode::ACCEPTED, Style::Json, told(&answer).to_string()))
        }
        Wanted::Several(forms) => several(desk, client, named.as_ref(), forms, deadline).await,
    }
}

/// In order, one after another: what is for one phone is to arrive in this order.
async fn several(
    desk: &Desk,
    client: &Client,
    named: Option<&Named>,
    forms: Vec<Form>,
    deadline: Instant,
) -> Result<Response, Stop> {
    let mut results = Vec::new();
    let mut refused: Vec<(usize, Problem)> = Vec::new();
    let count = forms.len();
    for (n, form) in forms.into_iter().enumerate() {
        match submit(desk, client, named, n, form, deadline).await {
            Ok(answer) => results.push(told(&answer)),
            // The name is another request's: this is none of its messages.
            Err(Stop::Problem(problem))
                if problem.denial.status == StatusCode::UNPROCESSABLE_ENTITY && n == 0 =>
            {
                return Err(problem.into());
            }
            Err(Stop::Problem(problem)) => {
                results.push(json!({ "problem": problem.json() }));
                refused.push((n, problem));
            }
            Err(Stop::Unanswered) => return Err(Stop::Unanswered),
        }
    }
    if refused.len() == count {
        let fault = |(n, problem): &(usize, Problem)| Fault {
            pointer: format!("#/messages/{n}"),
            detail: problem.denial.reason.clone(),
        };
        let errors = refused.iter().map(fault).collect();
        let longest = refused.iter().filter_map(|(_, problem)| problem.denial.retry_after).max();
        let first = refused.into_iter().next().map(|(_, problem)| problem.denial);
        let denial = first.unwrap_or_else(|| Denial::new(StatusCode::BAD_REQUEST, "there is no message"));
        let denial = Denial { retry_after: denial.retry_after.and(longest), ..denial };
        return Err(Problem { denial, errors }.into());
    }
    let status = if refused.is_empty() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(respond(status, Style::Json, json!({ "results": results }).to_string()))
}

async fn submit(
    desk: &Desk,
    client: &Client,
    named: Option<&Named>,
    n: usize,
    form: Form,
    deadline: Instant,
) -> Result<Answer, Stop> {
    let key = named.map(|(key, digest)| RequestKey {
        account: client.account.clone().unwrap_or_default(),
        key: key.clone(),
        item: u32::try_from(n).unwrap_or(u32::MAX),
        digest: *digest,
    });
    let once = timeout_at(deadline, desk.behind.submitter.submit_once(client, form, key))
        .await
        .map_err(|_| Stop::Unanswered)?
        .map_err(Denial::from)?;
    match once {
        Once::Taken(answer) => {
            info!(
                id = answer.id,
                account = client.account.as_deref(),
                client = %client.address,
                listener = client.listener,
                messages = answer.messages.len(),
                keyed = named.is_some(),
                "message accepted"
            );
            Ok(answer)
        }
        Once::Other => {
            let key = named.map_or("", |(key, _)| key.as_str());
            let reason = format!(
                "the Idempotency-Key `{}` was used for another request within the last day; take a new one",
                shown(key)
            );
            Err(Denial::new(StatusCode::UNPROCESSABLE_ENTITY, reason).into())
        }
    }
}

fn told(answer: &Answer) -> Value {
    let messages = answer.messages.iter().map(|sms| {
        json!({ "id": sms.id, "to": sms.to, "phone": sms.phone, "parts": sms.parts, "state": sms.state })
    });
    json!({ "id": answer.id, "messages": messages.collect::<Vec<_>>() })
}

/// Only what no page of another site can have a browser send unasked.
fn is_json(parts: &Parts) -> Result<(), Denial> {
    let written =
        parts.headers.get(axum::http::header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let is_json = match Format::declared(&parts.headers, BodyKind::Guessed) {
        Ok(format) => format.is_json(),
        Err(BodyError::MediaType(_)) => false,
        Err(error) => return Err(error.into()),
    };
    if is_json {
        return Ok(());
    }
    let written = String::from_utf8_lossy(written);
    let reason = format!("the content type `{}` is not taken; send application/json", shown(&written));
    Err(Denial::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason))
}
