//! `/sms/ID` and `/sms/ID-1`: what became of a form, and its end before its time.
//!
//! An account sees what it posted itself, and one that may see all of them everything, mails too. Otherwise another's id is
//! answered like one that nobody has.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tokio::time::{Instant, timeout_at};
use tracing::info;

use super::account::{Shown, any_from, shown_in_headers};
use super::answer::{Denial, Style, respond};
use super::desk::{Desk, Peer};
use super::fields::Fields;
use super::health::is_read;
use super::let_in::authenticate;
use super::page::{self, Page};
use super::{Account, Listener, SMS, view};
use crate::model::{Client, Door, FinalState, Masked, MessageId, State as SmsState, SubmissionId};
use crate::spool::{MessageView, SpoolError, SubmissionView};

/// Our paths, up to the id.
const PATH: &str = "/sms/";

/// Of which SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Every SMS of a submission.
    All(SubmissionId),
    /// One.
    One(MessageId),
}

impl Which {
    /// Reads `ID` or `ID-1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::One).or_else(|_| text.parse().map(Self::All)).ok()
    }

    /// The form that it belongs to.
    pub(super) fn submission(self) -> SubmissionId {
        match self {
            Self::All(id) => id,
            Self::One(id) => id.submission,
        }
    }

    /// Those of `all` that are meant.
    fn of(self, all: Vec<MessageView>) -> Vec<MessageView> {
        match self {
            Self::All(_) => all,
            Self::One(id) => all.into_iter().filter(|message| message.sms.id == id).collect(),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(id) => id.fmt(f),
            Self::One(id) => id.fmt(f),
        }
    }
}

impl From<SpoolError> for Denial {
    fn from(error: SpoolError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

/// Serves `/sms/ID`.
pub(super) async fn status(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let style = Style::of(&parts.headers);
    let mut client = Client {
        door: Door::Http,
        listener: peer.listener.name.clone(),
        address: peer.address,
        helo: None,
        account: None,
    };
    match answer(&desk, &peer.listener, &mut client, &parts, style).await {
        Ok(response) => response,
        Err(denial) => {
            if let Some(left_out) = desk.line_about(&client) {
                info!(
                    status = denial.status.as_u16(),
                    reason = %Masked(&denial.reason),
                    note = denial.note,
                    account = client.account.as_deref(),
                    client = %client.address,
                    listener = client.listener,
                    left_out,
                    "question about a form refused"
                );
            }
            denial.respond(style)
        }
    }
}

async fn answer(
    desk: &Desk,
    listener: &Listener,
    client: &mut Client,
    parts: &Parts,
    style: Style,
) -> Result<Response, Denial> {
    let deadline = Instant::now() + desk.limits.request_time;
    let is_delete = parts.method == Method::DELETE;
    if !is_delete && !is_read(&parts.method) {
        return Err(Denial::method("GET, HEAD, DELETE"));
    }
    let accounts = desk.accounts.load_full();
    may_look(&accounts, client.address)?;
    let shown = shown(listener, parts)?;
    authenticate(desk, &accounts, client, &shown, SMS).await?;
    let written = parts.uri.path().strip_prefix(PATH).unwrap_or_default();
    let Some(which) = Which::parse(written) else { return Err(unknown(written)) };
    let answered = async {
        if is_delete {
            let own = look_to_cancel(desk, client, which).await?;
            cancel(desk, client, which, &own.messages).await?;
        }
        let view = look(desk, client, which).await?;
        let id = which.submission();
        let fate = || view::json(id, &view, &view.messages);
        let page = match style {
            Style::Plain if page::is_for(&parts.headers) => {
                page::respond_page(StatusCode::OK, Page::Message, &fate())
            }
            Style::Plain | Style::Json => None,
        };
        Ok(page.unwrap_or_else(|| {
            let body = match style {
                Style::Plain => view::lines(id, &view.messages),
                Style::Json => fate().to_string(),
            };
            respond(StatusCode::OK, style, body)
        }))
    };
    let late = |_| {
        let reason = format!("no word from the spool within {:?}", desk.limits.request_time);
        Denial::new(StatusCode::SERVICE_UNAVAILABLE, reason)
    };
    timeout_at(deadline, answered).await.map_err(late)?
}

/// Whether anybody may ask from this address.
pub(super) fn may_look(accounts: &[Account], address: IpAddr) -> Result<(), Denial> {
    if any_from(accounts, address) {
        return Ok(());
    }
    let reason = format!("nobody may ask from {address}; see the networks of the accounts");
    Err(Denial::new(StatusCode::FORBIDDEN, reason))
}

/// The credential in the headers, or in the query where the listener has `allow_get`: only there may a
/// password end up in other people's logs.
fn shown(listener: &Listener, parts: &Parts) -> Result<Shown, Denial> {
    let shown = shown_in_headers(&parts.headers);
    let reading = listener.reading().filter(|_| listener.allow_get && matches!(shown, Shown::Nothing));
    let Some(reading) = reading else { return Ok(shown) };
    let mut fields = Fields::default();
    fields.add_form(parts.uri.query().unwrap_or_default().as_bytes())?;
    fields.settle(None, reading)?;
    Ok(fields.credential(&reading.names)?)
}

/// 404.
pub(super) fn unknown(written: &str) -> Denial {
    let shown: String = written.chars().take(40).collect();
    let reason = format!("`{}` is no id of a form of yours", shown.escape_debug());
    Denial::new(StatusCode::NOT_FOUND, reason)
}

/// The submission with the SMS that are meant, for whoever may see it.
pub(super) async fn look(desk: &Desk, client: &Client, which: Which) -> Result<SubmissionView, Denial> {
    let is_seen = |view: &SubmissionView| is_own(view, client) || may_see_all(desk, client);
    find(desk, which, is_seen).await?.ok_or_else(|| unknown(&which.to_string()))
}

/// The same for whoever may end it.
pub(super) async fn look_to_cancel(
    desk: &Desk,
    client: &Client,
    which: Which,
) -> Result<SubmissionView, Denial> {
    let found = look(desk, client, which).await?;
    if is_own(&found, client) {
        return Ok(found);
    }
    let reason = format!("{which} is another's: this account may look at it, and not cancel it");
    Err(Denial::new(StatusCode::FORBIDDEN, reason))
}

fn may_see_all(desk: &Desk, client: &Client) -> bool {
    let accounts = desk.accounts.load();
    accounts.iter().any(|account| account.may_see_all && client.account.as_ref() == Some(&account.name))
}

/// Whether this client's account has posted it.
fn is_own(view: &SubmissionView, client: &Client) -> bool {
    view.client.door == Door::Http && view.client.account.is_some() && view.client.account == client.account
}

/// The submission of this client's account with the SMS that are meant; `None` where there is none, or none of its own.
pub(super) async fn look_own(
    desk: &Desk,
    client: &Client,
    which: Which,
) -> Result<Option<SubmissionView>, SpoolError> {
    find(desk, which, |view| is_own(view, client)).await
}

async fn find(
    desk: &Desk,
    which: Which,
    may_see: impl Fn(&SubmissionView) -> bool,
) -> Result<Option<SubmissionView>, SpoolError> {
    let found = desk.behind.lookup.look(which.submission()).await?.filter(may_see);
    let found = found.map(|view| SubmissionView { messages: which.of(view.messages.clone()), ..view });
    Ok(found.filter(|view| matches!(which, Which::All(_)) || !view.messages.is_empty()))
}

/// Cancels what waits. To cancel what is cancelled is no mistake: the first answer may have been lost.
pub(super) async fn cancel(
    desk: &Desk,
    client: &Client,
    which: Which,
    messages: &[MessageView],
) -> Result<(), Denial> {
    let mut cancelled = 0;
    // Those that would take the place of others go first, so that the end of the others does not release them.
    for state in [SmsState::Held, SmsState::Folded, SmsState::Due] {
        for message in messages {
            if message.state == state && desk.behind.lookup.cancel(message.sms.id, client).await? {
                cancelled += 1;
            }
        }
    }
    let is_left = |message: &MessageView| message.state != SmsState::Final(FinalState::Cancelled);
    if cancelled == 0 && (messages.is_empty() || messages.iter().any(is_left)) {
        return Err(Denial::new(StatusCode::CONFLICT, too_late(which, messages)));
    }
    let account = client.account.as_deref();
    info!(id = %which.submission(), cancelled, account, client = %client.address, "form cancelled by its client");
    Ok(())
}

fn too_late(which: Which, messages: &[MessageView]) -> String {
    match (which, messages) {
        (Which::One(id), [message]) => format!("{id} is {}, and can't be cancelled any more", message.state),
        (_, []) => format!("{} has no SMS that could be cancelled", which.submission()),
        (_, messages) => {
            let mut states: Vec<&str> = messages.iter().map(|message| message.state.as_str()).collect();
            states.sort_unstable();
            states.dedup();
            let id = which.submission();
            format!("nothing of {id} waits any more: its SMS are {}", states.join(", "))
        }
    }
}
