//! `/v1/messages/ID` and `/v1/messages?ids=`: what became of messages, and their end before their time.
//!
//! What an account sees, and what can be cancelled, is as at `/sms/ID`.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::API;
use super::super::account::shown_in_headers;
use super::super::answer::{Denial, Style, respond};
use super::super::desk::Desk;
use super::super::fields::shown;
use super::super::let_in::authenticate;
use super::super::status::{Which, cancel, look, look_to_cancel, may_look, unknown};
use super::super::view;
use super::Stop;
use crate::model::Client;

/// Most ids of one question.
pub(super) const MOST_IDS: usize = 100;

/// Everything about one.
pub(super) async fn one(desk: &Desk, client: &mut Client, parts: &Parts, id: &str) -> Result<Response, Stop> {
    let which = asked(desk, client, parts, id).await?;
    in_time(desk, view(desk, client, which)).await
}

/// Cancels what waits of one, and tells everything about it.
pub(super) async fn cancelled(
    desk: &Desk,
    client: &mut Client,
    parts: &Parts,
    id: &str,
) -> Result<Response, Stop> {
    let which = asked(desk, client, parts, id).await?;
    let cancelled = async {
        let found = look_to_cancel(desk, client, which).await?;
        cancel(desk, client, which, &found.messages).await?;
        view(desk, client, which).await
    };
    in_time(desk, cancelled).await
}

/// Everything about several, in the order of the question, and which of them are unknown.
pub(super) async fn list(desk: &Desk, client: &mut Client, parts: &Parts) -> Result<Response, Stop> {
    who(desk, client, parts).await?;
    let ids = ids(parts.uri.query().unwrap_or_default())?;
    let told = async {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            let view = match Which::parse(&id) {
                None => Err(unknown(&id)),
                Some(which) => view(desk, client, which).await,
            };
            match view {
                Ok(view) => found.push(view),
                Err(denial) if denial.status == StatusCode::NOT_FOUND => missing.push(id),
                Err(denial) => return Err(denial),
            }
        }
        Ok(json!({ "submissions": found, "unknown": missing }))
    };
    in_time(desk, told).await
}

async fn who(desk: &Desk, client: &mut Client, parts: &Parts) -> Result<(), Denial> {
    let accounts = desk.accounts.load_full();
    may_look(&accounts, client.address)?;
    let shown = shown_in_headers(&parts.headers);
    authenticate(desk, &accounts, client, &shown, API).await?;
    Ok(())
}

async fn asked(desk: &Desk, client: &mut Client, parts: &Parts, id: &str) -> Result<Which, Denial> {
    who(desk, client, parts).await?;
    Which::parse(id).ok_or_else(|| unknown(id))
}

async fn view(desk: &Desk, client: &Client, which: Which) -> Result<Value, Denial> {
    let found = look(desk, client, which).await?;
    Ok(view::json(which.submission(), &found, &found.messages))
}

async fn in_time(desk: &Desk, told: impl Future<Output = Result<Value, Denial>>) -> Result<Response, Stop> {
    let told = timeout(desk.limits.request_time, told).await.map_err(|_| {
        let reason = format!("no word from the spool within {:?}", desk.limits.request_time);
        Denial::new(StatusCode::SERVICE_UNAVAILABLE, reason)
    })?;
    Ok(respond(StatusCode::OK, Style::Json, told?.to_string()))
}

/// The ids that a query asks about.
fn ids(query: &str) -> Result<Vec<String>, Denial> {
    let bad = |reason: String| Denial::new(StatusCode::BAD_REQUEST, reason);
    let mut found = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "ids" {
            return Err(bad(format!("`{}` is no parameter here; known here: ids", shown(&name))));
        }
        found.extend(value.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned));
    }
    if !(1..=MOST_IDS).contains(&found.len()) {
        let reason = format!("the question has {} ids; ask for 1 to {MOST_IDS}, as ids=ID,ID", found.len());
        return Err(bad(reason));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_behind_each_other() {
        assert_eq!(ids("ids=a,b%2Cc,&ids=d").unwrap(), ["a", "b", "c", "d"]);
        for wrong in ["", "ids=", "ids=,", "id=a", "ids=a&page=2"] {
            assert_eq!(ids(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn a_question_has_up_to_100_ids() {
        let query = |count: usize| format!("ids={}", vec!["a"; count].join(","));
        assert_eq!(ids(&query(100)).unwrap().len(), 100);
        assert_eq!(ids(&query(101)).unwrap_err().status, 400);
    }
}
