//! `/sms`: a form in, ids out.
//!
//! The order of the checks is what a stranger learns: method, network, credentials in the headers,
//! size, type, credentials in the fields; only then what is wrong with the fields themselves.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Clock};

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Zoned;
use prometheus_client::registry::Registry;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::account::{Denied, Shown, any_from, identify_now, shown_in_headers};
use super::answer::{Denial, Style, Unanswered, accepted};
use super::body::{BodyError, Format, read};
use super::fields::{FieldError, Fields};
use super::figures::Figures;
use super::form::{FormError, Unasked, form};
use super::generic::GENERIC;
use super::log_limit::LogLimit;
use super::login::Logins;
use super::profiled::Sessions;
use super::wishes::WishError;
use super::{Account, Behind, CallbackDoor, Limits, Listener};
use crate::attempts::Attempt;
use crate::intake::{Receipt, Refusal};
use crate::model::{Client, Door, Masked};
use crate::profile::BodyKind;

/// How long a wrong credential waits for its 401, checking it included: few guesses a second, whoever makes them. The
/// wait is a timer of its connection, and connections are limited in all and for each address.
pub(super) const WRONG_CREDENTIAL_DELAY: Duration = Duration::from_secs(1);

const WRONG_CREDENTIAL: &str = "the user name, password or API key is wrong";

/// What every request needs.
pub(super) struct Desk {
    /// Who may post.
    pub(super) accounts: Arc<ArcSwap<Vec<Account>>>,
    /// Where things go.
    pub(super) behind: Behind,
    /// Where the platform calls back.
    pub(super) callback_door: Arc<ArcSwap<Option<CallbackDoor>>>,
    /// Who has logged in, where an API of another gateway has that.
    pub(super) sessions: Mutex<Sessions>,
    /// What is counted.
    pub(super) figures: Figures,
    /// Who logs in.
    pub(super) logins: Logins,
    /// The log's lines about its calls.
    pub(super) call_lines: Lines,
    /// The log's lines about whoever is nobody that we know.
    pub(super) stranger_lines: Lines,
    /// What a client may use up.
    pub(super) limits: Limits,
    /// What `/metrics` shows.
    pub(super) registry: Arc<Registry>,
}

/// Lines of the log that are bounded; clones share the bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Mutex<LogLimit>>);

impl Lines {
    /// How many lines were left out before the one that may be written now, if any; `None` when none may be
    /// written.
    pub(super) fn next(&self) -> Option<Option<u64>> {
        let left_out = self.0.lock().unwrap_or_else(PoisonError::into_inner).line(Clock::now())?;
        Some((left_out > 0).then_some(left_out))
    }
}

impl Desk {
    /// As [`Lines::next`] for a line about a request of `client`: what an account of ours does wrong is always told.
    pub(super) fn line_about(&self, client: &Client) -> Option<Option<u64>> {
        match client.account {
            Some(_) => Some(None),
            None => self.stranger_lines.next(),
        }
    }
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// The listener.
    pub(super) listener: Arc<Listener>,
    /// The client's address, unmapped: that of who connected, or what a trusted proxy says.
    pub(super) address: IpAddr,
}

/// Why a request gets no receipt.
enum Stop {
    /// It gets this answer.
    Denied(Denial),
    /// It gets none: whether it was kept is not known.
    Unanswered,
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<FieldError> for Stop {
    fn from(error: FieldError) -> Self {
        Self::Denied(error.into())
    }
}

impl From<BodyError> for Stop {
    fn from(error: BodyError) -> Self {
        Self::Denied(error.into())
    }
}

impl From<FormError> for Stop {
    fn from(error: FormError) -> Self {
        Self::Denied(error.into())
    }
}

impl From<FormError> for Denial {
    fn from(error: FormError) -> Self {
        let reason = error.to_string();
        match error {
            FormError::Field(error) => error.into(),
            FormError::NotAllowed(_) => Self::new(StatusCode::FORBIDDEN, reason),
            FormError::Wrong(_) => Self::new(StatusCode::BAD_REQUEST, reason),
        }
    }
}

impl From<FieldError> for Denial {
    fn from(error: FieldError) -> Self {
        BodyError::from(error).into()
    }
}

impl From<WishError> for Denial {
    fn from(error: WishError) -> Self {
        FormError::from(error).into()
    }
}

impl From<BodyError> for Denial {
    fn from(error: BodyError) -> Self {
        let reason = error.to_string();
        match error {
            BodyError::TooLarge(_) => Self::closing(StatusCode::PAYLOAD_TOO_LARGE, reason),
            BodyError::MediaType(_) | BodyError::Encoded(_) => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
            }
            BodyError::Broken => Self::closing(StatusCode::BAD_REQUEST, reason),
            BodyError::Json(_) | BodyError::Multipart(_) | BodyError::Field(_) => {
                Self::new(StatusCode::BAD_REQUEST, reason)
            }
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Denied(refusal.into())
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.kind.http()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Self { retry_after: refusal.kind.retry_after(), ..Self::new(status, refusal.text) }
    }
}

/// Serves `/sms`.
pub(super) async fn sms(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let style = Style::of(&parts.headers);
    let mut client = Client {
        door: Door::Http,
        listener: peer.listener.name.clone(),
        address: peer.address,
        helo: None,
        account: None,
    };
    match take(&desk, &peer.listener, &mut client, parts, body).await {
        Ok(receipt) => {
            info!(
                id = %receipt.id,
                account = client.account.as_deref(),
                client = %client.address,
                listener = client.listener,
                messages = receipt.messages.len(),
                "form accepted"
            );
            accepted(&receipt, style)
        }
        Err(Stop::Denied(denial)) => {
            if let Some(left_out) = desk.line_about(&client) {
                info!(
                    status = denial.status.as_u16(),
                    reason = %Masked(&denial.reason),
                    note = denial.note,
                    account = client.account.as_deref(),
                    client = %client.address,
                    listener = client.listener,
                    left_out,
                    "form refused"
                );
            }
            denial.respond(style)
        }
        Err(Stop::Unanswered) => {
            warn!(
                account = client.account.as_deref(),
                client = %client.address,
                listener = client.listener,
                "form not stored in time; the connection is closed without an answer, and the client \
                 may send it again"
            );
            Extension(Unanswered).into_response()
        }
    }
}

/// The way of one request. `client` gets its account as soon as it is known.
async fn take(
    desk: &Desk,
    listener: &Listener,
    client: &mut Client,
    parts: Parts,
    body: Body,
) -> Result<Receipt, Stop> {
    let deadline = Instant::now() + desk.limits.request_time;
    let accounts = desk.accounts.load_full();
    let is_get = may_ask(&parts.method, listener, &accounts, client.address)?;
    let shown = shown_in_headers(&parts.headers);
    let early = match shown {
        Shown::Nothing => None,
        Shown::Pair(..) | Shown::Key(_) | Shown::Unreadable => {
            Some(authenticate(desk, &accounts, client, &shown).await?)
        }
    };
    let fields = if is_get {
        let mut fields = Fields::default();
        fields.add_form(parts.uri.query().unwrap_or_default().as_bytes())?;
        fields.settle(None, &GENERIC)?;
        fields
    } else {
        let format = Format::declared(&parts.headers, BodyKind::Guessed)?;
        let octets = read_body(desk, body, deadline).await?;
        format.fields(Fields::default(), parts.uri.query(), octets, &GENERIC).await?
    };
    let account = match early {
        Some(account) => account,
        None => authenticate(desk, &accounts, client, &fields.credential(&GENERIC.names)?).await?,
    };
    let form = form(&fields, &GENERIC, account, Unasked::Refused, &Zoned::now())?;
    match timeout_at(deadline, desk.behind.submitter.submit(client, form)).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Stop::Unanswered),
    }
}

/// The whole body, where it is not too large and comes in time.
pub(super) async fn read_body(desk: &Desk, body: Body, deadline: Instant) -> Result<Vec<u8>, Denial> {
    let octets = timeout_at(deadline, read(body, desk.limits.body_octets)).await.map_err(|_| {
        let reason = format!("the body did not arrive within {:?}", desk.limits.request_time);
        Denial::closing(StatusCode::REQUEST_TIMEOUT, reason)
    })?;
    Ok(octets?)
}

/// The account that shows `shown`; `client` gets it. Somebody who shows what is wrong waits.
pub(super) async fn authenticate<'a>(
    desk: &Desk,
    accounts: &'a Arc<Vec<Account>>,
    client: &mut Client,
    shown: &Shown,
) -> Result<&'a Account, NotLetIn> {
    let answer_at = Instant::now() + WRONG_CREDENTIAL_DELAY;
    match desk.logins.identify(accounts, client.address, shown).await {
        Attempt::Checked(Ok(index)) => {
            client.account = Some(accounts[index].name.clone());
            Ok(&accounts[index])
        }
        Attempt::Checked(Err(denied)) => {
            if denied != Denied::Missing {
                sleep_until(answer_at).await;
            }
            Err(NotLetIn::Denied(denied))
        }
        Attempt::TooMany(wait) => Err(NotLetIn::TooMany(wait)),
        Attempt::Unavailable => Err(NotLetIn::Busy),
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotLetIn {
    /// For what it shows.
    Denied(Denied),
    /// There were too many wrong credentials from its address; how long it is to wait.
    TooMany(Duration),
    /// Too many credentials are being checked.
    Busy,
}

impl From<NotLetIn> for Denial {
    fn from(why: NotLetIn) -> Self {
        match why {
            NotLetIn::Denied(denied) => denied.into(),
            NotLetIn::TooMany(wait) => {
                let reason = "there were too many wrong credentials from your address; come again later";
                Self { retry_after: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, reason) }
            }
            NotLetIn::Busy => {
                let reason = "too many credentials are being checked; come again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
            }
        }
    }
}

impl From<NotLetIn> for Stop {
    fn from(why: NotLetIn) -> Self {
        Self::Denied(why.into())
    }
}

impl From<Denied> for Denial {
    fn from(denied: Denied) -> Self {
        let (reason, note) = match denied {
            Denied::Missing => ("a user name and password are needed, or an API key", None),
            Denied::Wrong => (WRONG_CREDENTIAL, None),
            Denied::WrongNetwork => {
                (WRONG_CREDENTIAL, Some("the credential is right, the network is not its account's"))
            }
        };
        Self { note, ..Self::new(StatusCode::UNAUTHORIZED, reason) }
    }
}

/// Whether a request of this method may come from this address at all; `true` where it is a GET.
pub(super) fn may_ask(
    method: &Method,
    listener: &Listener,
    accounts: &[Account],
    address: IpAddr,
) -> Result<bool, Denial> {
    let is_get = *method == Method::GET;
    // HEAD asks for what GET would answer, and must change nothing: there is no such answer here.
    if !(*method == Method::POST || is_get && listener.allow_get) {
        return Err(Denial::method(if listener.allow_get { "GET, POST" } else { "POST" }));
    }
    if !any_from(accounts, address) {
        let reason = format!("nobody may post from {address}; see the networks of the accounts");
        return Err(Denial::new(StatusCode::FORBIDDEN, reason));
    }
    Ok(is_get)
}

/// The account that `shown` belongs to, found here and now, or the answer to somebody who is nobody.
pub(super) fn account_of<'a>(
    accounts: &'a [Account],
    address: IpAddr,
    shown: &Shown,
) -> Result<&'a Account, Denial> {
    Ok(&accounts[identify_now(accounts, address, shown)?])
}
