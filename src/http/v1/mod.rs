//! The relay's own API, `/v1`: JSON in, JSON out, refusals as problem details (RFC 9457).
//!
//! Accounts, networks, credentials and permissions are those of `/sms`, and so are their checks. `messages` takes,
//! `questions` tells and cancels; `json` and `read` say what a body asks for, `key` how a request is named so that it
//! is taken once, `problem` how a refusal looks. `document` serves what `openapi.json` says of all this.

mod document;
mod json;
mod key;
mod messages;
mod problem;
mod questions;
mod read;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::Value;
use tracing::{info, warn};

use super::Account;
use super::answer::{Denial, Unanswered};
use super::desk::{Desk, Peer};
use super::fields::shown;
use super::server::elsewhere;
use crate::intake::Form;
use crate::model::{Client, Door, Masked};
use problem::{Kind, Problem};
use read::Wanted;

pub(super) use key::key_of;

/// What is served. `openapi.json` has the same, which a test sees to.
const ROUTES: [Route; 3] = [
    Route {
        path: "/v1/messages",
        methods: &[("GET", Action::List), ("HEAD", Action::List), ("POST", Action::Send)],
        allow: "GET, HEAD, POST",
    },
    Route {
        path: "/v1/messages/{id}",
        methods: &[("GET", Action::Tell), ("HEAD", Action::Tell), ("DELETE", Action::Cancel)],
        allow: "GET, HEAD, DELETE",
    },
    Route {
        path: "/v1/openapi.json",
        methods: &[("GET", Action::Describe), ("HEAD", Action::Describe)],
        allow: "GET, HEAD",
    },
];

/// A path.
struct Route {
    /// As the router reads it.
    path: &'static str,
    /// What each of its methods does.
    methods: &'static [(&'static str, Action)],
    /// These methods, for those who come with another one.
    allow: &'static str,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// To send messages.
    Send,
    /// To know of several.
    List,
    /// To know of one.
    Tell,
    /// To end one.
    Cancel,
    /// To know of this API.
    Describe,
}

impl Action {
    /// How it may be refused; no other refusal is answered, and each is in `openapi.json`.
    fn refusals(self) -> &'static [Kind] {
        use Kind::{
            InvalidRequest, KeyUsedBefore, NotAllowed, NotAuthenticated, NotFound, TooLarge, TooLate,
            TooManyRequests, TooSlow, Unavailable, UnsupportedMediaType,
        };
        match self {
            Self::Send => &[
                InvalidRequest,
                NotAuthenticated,
                NotAllowed,
                TooSlow,
                TooLarge,
                UnsupportedMediaType,
                KeyUsedBefore,
                TooManyRequests,
                Unavailable,
            ],
            Self::List => &[InvalidRequest, NotAuthenticated, NotAllowed, TooManyRequests, Unavailable],
            Self::Tell => &[NotAuthenticated, NotAllowed, NotFound, TooManyRequests, Unavailable],
            Self::Cancel => &[NotAuthenticated, NotAllowed, NotFound, TooLate, TooManyRequests, Unavailable],
            Self::Describe => &[NotAllowed],
        }
    }
}

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

/// The messages of a body, however many.
///
/// # Errors
/// The problem details.
pub(super) fn wanted_of(octets: &[u8], account: &Account) -> Result<Vec<Form>, Value> {
    match read::wanted(octets, account) {
        Ok(Wanted::One(form)) => Ok(vec![form]),
        Ok(Wanted::Several(forms)) => Ok(forms),
        Err(problem) => Err(problem.json()),
    }
}

/// Its paths. Below `/v1/` there is nothing but these.
pub(super) fn routes() -> Router<Arc<Desk>> {
    let router =
        Router::new().route("/v1/{*rest}", any(|state, peer, request| serve(None, state, peer, request)));
    ROUTES.iter().fold(router, |router, route| {
        router.route(route.path, any(|state, peer, request| serve(Some(route), state, peer, request)))
    })
}

async fn serve(
    route: Option<&Route>,
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
    let answered = match action(route, &parts) {
        Ok(action) => {
            let answered = act(action, &desk, &mut client, &parts, body).await;
            if let Err(Stop::Problem(problem)) = &answered {
                debug_assert!(action.refusals().contains(&problem.kind()), "{action:?}: {problem:?}");
            }
            answered
        }
        Err(denial) => Err(denial.into()),
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

/// What a request with this head wants.
fn action(route: Option<&Route>, parts: &Parts) -> Result<Action, Denial> {
    let Some(route) = route else {
        let reason =
            format!("there is nothing at `{}`; messages are at /v1/messages", shown(parts.uri.path()));
        return Err(Denial::new(StatusCode::NOT_FOUND, reason));
    };
    let method = route.methods.iter().find(|(name, _)| *name == parts.method.as_str());
    method.map(|(_, action)| *action).ok_or_else(|| Denial::method(route.allow))
}

async fn act(
    action: Action,
    desk: &Desk,
    client: &mut Client,
    parts: &Parts,
    body: Body,
) -> Result<Response, Stop> {
    let id = parts.uri.path().rsplit('/').next().unwrap_or_default();
    match action {
        Action::Send => messages::take(desk, client, parts, body).await,
        Action::List => questions::list(desk, client, parts).await,
        Action::Tell => questions::one(desk, client, parts, id).await,
        Action::Cancel => questions::cancelled(desk, client, parts, id).await,
        Action::Describe => document::describe(desk, client, &parts.headers).map_err(Stop::from),
    }
}
