//! The platform's delivery notifications.
//!
//! Who calls is known before the body is read. Whoever is not the platform gets what any path gets that is not ours, as
//! slowly as a wrong password, and its path is not logged: it may hold the secret with a slip in it. Whoever was wrong too
//! often gets 429. The platform
//! gets a 2xx once everything in its request is on stable storage, also for messages that we do not know, and 503 when
//! that cannot be: it comes again then, and what was taken already is known.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};

use super::Callbacks;
use super::answer::{Denial, Style, respond};
use super::body::{BodyError, read};
use super::desk::{Desk, Peer};
use super::figures::Call;
use super::guard::Knock;
use super::let_in::{NotLetIn, WRONG_CREDENTIAL_DELAY};
use super::server::nothing_here;
use crate::gateway::notification;
use crate::model::{Callback, Masked};
use crate::spool::SpoolError;

/// Most octets of a body; one notification has about 300.
const BODY_OCTETS: usize = 256 * 1024;

/// Why a call of the platform is not answered with 200.
enum Trouble {
    /// Nobody can read it; the same again would be no better.
    Unreadable(Denial),
    /// It may come again.
    Unavailable(String),
}

impl From<BodyError> for Trouble {
    fn from(error: BodyError) -> Self {
        Self::Unreadable(error.into())
    }
}

/// Serves a request whose path is that of the callbacks and that shows `knock`.
pub(super) async fn callbacks(desk: &Desk, peer: &Peer, knock: Knock, request: Request) -> Response {
    let (client, listener) = (peer.address, &peer.listener.name);
    let let_in = match knock {
        Knock::Right => Ok(()),
        Knock::Pair(is_right) => desk.logins.check_now(client, is_right),
        Knock::WrongSecret => Err(desk.logins.wrong_token(client)),
        Knock::Nothing => Err(None),
    };
    if let Err(wait) = let_in {
        desk.figures.call(Call::Denied);
        if let Some(left_out) = desk.call_lines.next() {
            let is_limited = wait.is_some();
            info!(%client, listener, is_limited, left_out, "callback denied: no secret, credential or network of the platform");
        }
        sleep(WRONG_CREDENTIAL_DELAY).await;
        let style = Style::of(request.headers());
        return match wait {
            Some(wait) => Denial::from(NotLetIn::TooMany(wait)).respond(style),
            None => nothing_here(style),
        };
    }
    let (parts, body) = request.into_parts();
    let style = Style::of(&parts.headers);
    if parts.method != Method::POST {
        return Denial::method("POST").respond(style);
    }
    match take(desk, &parts.headers, body).await {
        Ok((taken, ignored)) => {
            desk.figures.call(Call::Ok);
            debug!(%client, listener, taken, ignored, "callbacks taken");
            let body = match style {
                Style::Plain => "OK\n".to_owned(),
                Style::Json => json!({ "taken": taken }).to_string(),
            };
            respond(StatusCode::OK, style, body)
        }
        Err(Trouble::Unreadable(denial)) => {
            desk.figures.call(Call::Unreadable);
            if let Some(left_out) = desk.call_lines.next() {
                let (status, reason) = (denial.status.as_u16(), Masked(&denial.reason));
                warn!(%client, listener, status, %reason, left_out, "callback cannot be read");
            }
            denial.respond(style)
        }
        Err(Trouble::Unavailable(reason)) => {
            desk.figures.call(Call::Unavailable);
            if let Some(left_out) = desk.call_lines.next() {
                warn!(%client, listener, reason, left_out, "callback cannot be kept now; the platform is asked to repeat it");
            }
            let reason = "this cannot be kept now; send it again";
            Denial::new(StatusCode::SERVICE_UNAVAILABLE, reason).respond(style)
        }
    }
}

/// How many callbacks were taken, and how many notifications were about something else.
async fn take(desk: &Desk, headers: &HeaderMap, body: Body) -> Result<(usize, usize), Trouble> {
    let deadline = Instant::now() + desk.limits.request_time;
    if let Some(coding) = headers.get(header::CONTENT_ENCODING)
        && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let coding = String::from_utf8_lossy(coding.as_bytes()).escape_debug().take(40).collect();
        return Err(BodyError::Encoded(coding).into());
    }
    let octets = timeout_at(deadline, read(body, BODY_OCTETS)).await.map_err(|_| {
        let reason = format!("the body did not arrive within {:?}", desk.limits.request_time);
        Trouble::Unreadable(Denial::closing(StatusCode::REQUEST_TIMEOUT, reason))
    })??;
    // The Content-Type is of no interest: it is JSON or it cannot be read.
    let read = notification::read(&octets)
        .map_err(|error| Trouble::Unreadable(Denial::new(StatusCode::BAD_REQUEST, error.to_string())))?;
    let taken = read.callbacks.len();
    match timeout_at(deadline, take_all(&desk.behind.callbacks, read.callbacks)).await {
        Ok(Ok(())) => Ok((taken, read.ignored)),
        Ok(Err(error)) => Err(Trouble::Unavailable(error.to_string())),
        Err(_) => Err(Trouble::Unavailable(format!("not kept within {:?}", desk.limits.request_time))),
    }
}

/// All at once, so that they share a commit; the first failure is told once all have ended.
async fn take_all(callbacks: &Arc<dyn Callbacks>, mut all: Vec<Callback>) -> Result<(), SpoolError> {
    if all.len() <= 1 {
        return match all.pop() {
            Some(callback) => callbacks.take(callback).await.map(drop),
            None => Ok(()),
        };
    }
    let mut taking = JoinSet::new();
    for callback in all {
        let callbacks = Arc::clone(callbacks);
        taking.spawn(async move { callbacks.take(callback).await.map(drop) });
    }
    let mut first = Ok(());
    while let Some(ended) = taking.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(SpoolError::Unavailable(error.to_string())));
        first = first.and(ended);
    }
    first
}
