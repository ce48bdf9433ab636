//! The HTTP door: `/sms` and `/sms/ID`, `/healthz`, `/readyz`, `/now`, and `/v1`, `/metrics`, the platform's callbacks and the APIs
//! of other gateways where a listener has them.
//!
//! It turns a request into a [`Form`] of a known account and its answer into a status that says
//! the truth: 200 comes after the [`Submitter`] has returned, and a request whose fate it does not
//! know is not answered at all. What a destination or a text means, it leaves to the submitter.
//!
//! `server` owns the sockets and `wire` is one socket as hyper reads it, watched by `framing`; `request_line` encodes what
//! devices leave raw. `admission` counts connections, `forwarded` knows whose request a proxy passes on; `secured` shakes hands where TLS is spoken,
//! and `http2` is a connection of that protocol. `desk` is what every request finds. `profiled` serves `/sms` and the
//! APIs of other gateways, as their profiles say: `body` reads a request, `fields` and `destinations` say what its fields mean,
//! `form` what they ask for and `wishes` which of it is granted; `account`, `login` and `let_in` know whose it is, and `submit` what
//! the log says. `v1` is the relay's own API, whose answers `answer` and `denials` make. `preview` reads a request that nobody sent. `status` tells a client of its forms and
//! cancels them; `view` and `page` are how that looks. `callbacks` takes
//! what the platform says, `guard` knows whether it is the platform. `health`, `now` and `metrics` are for those who
//! watch over the relay, `fuzzing` for the checks of `fuzz/`.

mod account;
mod admission;
mod answer;
mod body;
mod callbacks;
mod denials;
mod desk;
mod destinations;
mod fields;
mod figures;
mod form;
mod forwarded;
mod framing;
pub mod fuzzing;
#[cfg(test)]
mod generic;
mod guard;
mod health;
mod http2;
mod let_in;
mod log_limit;
mod login;
mod metrics;
mod now;
mod page;
mod preview;
mod profiled;
mod request_line;
mod secured;
mod server;
mod status;
mod submit;
mod v1;
mod view;
mod when;
mod wire;
mod wishes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use secrecy::ExposeSecret;

use crate::credential::{ApiKeyHash, PasswordHash};
use crate::intake::{Form, Once, Receipt, Refusal};
use crate::model::{Callback, Client, MessageId, Secret, SubmissionId, same_secret};
use crate::profile::{Answers, Profile};
use crate::spool::{RequestKey, SpoolError, SubmissionView, Taken};
use crate::telling::AllowedHost;
use crate::vigil::View;

pub use figures::Figures;
pub use forwarded::{Forwarding, Proxies};
pub use preview::{Asked, Preview, Refused, preview};
pub use profiled::{Answered, Api};
pub use secured::{Handle, Tls};
pub use server::{BindError, HEAD_OCTETS, Server};
pub use view::fate;
pub use wishes::{WishError, deliver_at, lane};

/// Where forms go.
#[async_trait]
pub trait Submitter: Send + Sync + 'static {
    /// Takes a form. `Ok` means that it is on stable storage; `Err` that nothing of it was kept.
    ///
    /// It is dropped where it stands when [`Limits::request_time`] is over or the connection
    /// breaks; the client then gets no answer.
    async fn submit(&self, client: &Client, form: Form) -> Result<Receipt, Refusal>;

    /// As [`submit`](Self::submit), once where it has a `key`: one that comes again is answered as it was.
    async fn submit_once(
        &self,
        client: &Client,
        form: Form,
        key: Option<RequestKey>,
    ) -> Result<Once, Refusal>;

    /// Why forms cannot be taken at the moment, one sentence a reason, without secrets; empty when
    /// they can. Anybody may cause this call as often as `GET /readyz` is answered.
    async fn ready(&self) -> Vec<String>;

    /// Who is expected to be heard of, and what became of the tests, as known at the last look.
    fn watched(&self) -> Arc<View>;
}

/// Where the fate of forms is known.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// Everything known about a submission, whoever sent it; `None` for an unknown id.
    async fn look(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError>;

    /// The id of the SMS with this number, whoever sent it; `None` for an unknown number.
    async fn message_by_number(&self, number: i64) -> Result<Option<MessageId>, SpoolError>;

    /// Ends an SMS that waits, at the wish of `by`. `false` when it is too late for that.
    async fn cancel(&self, id: MessageId, by: &Client) -> Result<bool, SpoolError>;
}

/// Where the platform's callbacks go.
#[async_trait]
pub trait Callbacks: Send + Sync + 'static {
    /// Takes one in. `Ok` means that what is new of it is on stable storage. It may be dropped where it stands, and
    /// comes again then.
    async fn take(&self, callback: Callback) -> Result<Taken, SpoolError>;
}

/// What stands behind the door.
#[derive(Clone)]
pub struct Behind {
    /// Where forms go.
    pub submitter: Arc<dyn Submitter>,
    /// Where their fate is known.
    pub lookup: Arc<dyn Lookup>,
    /// Where callbacks go.
    pub callbacks: Arc<dyn Callbacks>,
}

/// What the HTTP door is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// What a client may use up.
    pub limits: Limits,
}

/// One listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in logs and rules.
    pub name: String,
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Whether `GET /sms` is served; its credentials and text may end up in other people's logs.
    pub allow_get: bool,
    /// Whether `GET /metrics` is served, to anybody who reaches the listener.
    pub metrics: bool,
    /// Whether the platform's callbacks are taken, as far as there is a [`CallbackDoor`].
    pub callbacks: bool,
    /// `/sms`, by GET where `allow_get` says so.
    pub sms: Arc<Profile>,
    /// APIs of other gateways that are spoken beside ours.
    pub profiles: Vec<Arc<Profile>>,
    /// Whether the relay's own API at `/v1` is served.
    pub api: bool,
    /// Proxies in front of it; without them the client is whoever connects.
    pub proxies: Option<Proxies>,
    /// TLS from the first octet, and HTTP/2 for those who want it; `None` for HTTP/1 in the clear. Reloadable.
    pub tls: Option<Arc<Tls>>,
}

/// Where the platform calls back, and how it is known. Whoever shows one of the three is let in. Reloadable.
#[derive(Clone, Debug)]
pub struct CallbackDoor {
    /// Begins with a slash, does not end with one, and is none of our other paths.
    pub path: String,
    /// Stands behind `path` and a slash in the URL that the platform was given.
    pub secret: Option<Secret>,
    /// Shown by HTTP Basic.
    pub basic: Option<Credential>,
    /// Addresses that the platform calls from.
    pub networks: Vec<IpNet>,
}

/// Bounds on what a client may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of a request body.
    pub body_octets: usize,
    /// Connections at a time of each listener.
    pub connections: usize,
    /// Of these, connections at a time from one client ([`ClientKey`](crate::model::ClientKey)). Requests of HTTP/2, which
    /// come many on one connection, are bounded by the same two numbers.
    pub connections_per_client: usize,
    /// For the request line and all headers to arrive; also how long a connection may idle before
    /// its first and between two requests.
    pub header_time: Duration,
    /// For a whole request from the end of its headers, body and answer included; also how long the
    /// client may leave an answer unread.
    pub request_time: Duration,
    /// Wrong credentials of one client ([`ClientKey`](crate::model::ClientKey)) within `auth_window`, after which it
    /// may show none.
    pub auth_failures: usize,
    /// How long a wrong credential counts, and how long a client with too many may show none.
    pub auth_window: Duration,
}

/// The name of `/sms`, with `/sms/ID`, among profiles.
pub const SMS: &str = "sms";
/// The name of the relay's own API at `/v1` among profiles.
pub const API: &str = "api";

/// Somebody who may post. Reloadable.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name in logs and rules (`Client::account`).
    pub name: String,
    /// Networks that it may come from.
    pub networks: Vec<IpNet>,
    /// What it must show; `None` lets its networks in without.
    pub login: Option<Login>,
    /// The APIs that it may use, by the names of their profiles, [`SMS`] and [`API`]; `None` for all that its listeners
    /// speak.
    pub profiles: Option<Vec<String>>,
    /// Whether it may choose the sender.
    pub may_choose_sender: bool,
    /// Whether it may choose the lane.
    pub may_choose_lane: bool,
    /// Whether it may look at what others handed in, mails too. It may end none of that.
    pub may_see_all: bool,
    /// What `/sms` answers when it has taken a form, in the place of its own answer.
    pub accepted: Answers,
    /// Its program that is told how its SMS ended.
    pub program: Option<Program>,
}

/// A program that is told how the SMS of an account ended.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is told when a form names no other place.
    pub url: Option<String>,
    /// Where else it may be, if a form says so.
    pub hosts: Vec<AllowedHost>,
    /// Signs the calls.
    pub secret: Secret,
}

/// What the client of an account shows: Basic, `X-Api-Key: password`, `Authorization: Bearer password`, or the parameters `username` and
/// `password`, or `api_key`, with their synonyms.
#[derive(Clone, Debug)]
pub struct Login {
    /// User name for Basic and parameters.
    pub username: String,
    /// What its password or key is checked with.
    pub proof: Proof,
}

/// What is known of a password or an API key.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The password, which is shown with the user name or alone as an API key.
    Password(Secret),
    /// The hash of the password, which is shown with the user name.
    Hash(PasswordHash),
    /// The hash of an API key, which is shown alone.
    Key(ApiKeyHash),
    /// Either.
    HashAndKey(PasswordHash, ApiKeyHash),
}

impl Login {
    /// With a password that is known as it is.
    pub fn with_password(username: String, password: Secret) -> Self {
        Self { username, proof: Proof::Password(password) }
    }

    /// Whether whoever knows one knows the other, as far as can be told.
    fn is_the_same(&self, other: &Self) -> bool {
        let is_same_proof = match (&self.proof, &other.proof) {
            (Proof::Password(one), Proof::Password(other)) => same_secret(one, other.expose_secret()),
            (Proof::Hash(one), Proof::Hash(other)) => one.as_str() == other.as_str(),
            (Proof::Key(one), Proof::Key(other)) => one == other,
            (Proof::HashAndKey(one, key), Proof::HashAndKey(other, other_key)) => {
                one.as_str() == other.as_str() && key == other_key
            }
            (Proof::Password(_) | Proof::Hash(_) | Proof::Key(_) | Proof::HashAndKey(..), _) => false,
        };
        self.username == other.username && is_same_proof
    }
}

/// What the platform shows by HTTP Basic.
#[derive(Clone, Debug)]
pub struct Credential {
    /// User name.
    pub username: String,
    /// The secret.
    pub password: Secret,
}
