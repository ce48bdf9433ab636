//! The relay's own API, `/v1`: JSON in, JSON out, refusals as problem details (RFC 9457).
//!
//! Accounts, networks, credentials and permissions are those of `/sms`, and so are their checks. `messages` takes,
//! `questions` tells and cancels; `json` and `read` say what a body asks for, `key` how a request is named so that it
//! is taken once, `problem` how a refusal looks.

mod json;
mod key;
mod messages;
mod problem;
mod questions;
mod read;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tracing::{info, warn};

use super::answer::{Denial, Unanswered};
use super::server::elsewhere;
use super::submit::{Desk, Peer};
use crate::model::{Client, Door, Masked};
use problem::Problem;

/// The path of all messages; that of one is behind it and a slash.
const MESSAGES: &str = "/v1/messages";

/// Why a request gets no good answer.
enum Stop {
    /// It gets this one.
    Problem(Problem),
    /// It gets none: whether everything was kept is not known.
    Unanswered,
}

impl<T: Into<Problem>> From<T> for Stop {
    fn from(problem: T) -> Self {
        Self::Problem(problem.into())
    }
}

/// Its paths.
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new().route(MESSAGES, any(serve)).route("/v1/messages/{id}", any(serve))
}

async fn serve(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if !peer.listener.api {
        return elsewhere(State(desk), Extension(peer), request).await;
    }
    let (parts, body) = request.into_parts();
    let mut client = Client {
        door: Door::Http,
        listener: peer.listener.name.clone(),
        address: peer.address,
        helo: None,
        account: None,
    };
    let id = parts.uri.path().strip_prefix(MESSAGES).and_then(|rest| rest.strip_prefix('/'));
    let answered = match (parts.method.as_str(), id) {
        ("POST", None) => messages::take(&desk, &mut client, &parts, body).await,
        ("GET" | "HEAD", None) => questions::list(&desk, &mut client, &parts).await,
        ("GET" | "HEAD", Some(id)) => questions::one(&desk, &mut client, &parts, id).await,
        ("DELETE", Some(id)) => questions::cancelled(&desk, &mut client, &parts, id).await,
        (_, None) => Err(Denial::method("GET, HEAD, POST").into()),
        (_, Some(_)) => Err(Denial::method("GET, HEAD, DELETE").into()),
    };
    match answered {
        Ok(response) => response,
        Err(Stop::Problem(problem)) => {
            if let Some(left_out) = desk.line_about(&client) {
                info!(
                    status = problem.denial.status.as_u16(),
                    reason = %Masked(&problem.denial.reason),
                    note = problem.denial.note,
                    account = client.account.as_deref(),
                    client = %client.address,
                    listener = client.listener,
                    left_out,
                    "API request refused"
                );
            }
            problem.respond()
        }
        Err(Stop::Unanswered) => {
            warn!(
                account = client.account.as_deref(),
                client = %client.address,
                listener = client.listener,
                "API request not stored in time; the connection is closed without an answer, and the client may send it \
                 again"
            );
            Extension(Unanswered).into_response()
        }
    }
}
