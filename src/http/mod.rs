//! The HTTP door: `/sms` and `/sms/ID`, `/healthz`, `/readyz`, and `/metrics` and the platform's callbacks where
//! a listener has them.
//!
//! It turns a request into a [`Form`] of a known account and its answer into a status that says
//! the truth: 200 comes after the [`Submitter`] has returned, and a request whose fate it does not
//! know is not answered at all. What a destination or a text means, it leaves to the submitter.
//!
//! `server` owns the sockets and `wire` is one socket as hyper reads it, watched by `framing`;
//! `admission` counts connections. `submit` is `/sms`: `body` reads it, `fields` and `destinations`
//! say what its fields mean, `wishes` which of them are granted, `account` whose it is, `answer` how the reply looks. `preview` reads a request
//! that nobody sent. `status` tells a client of its forms and cancels them; `view` is how that looks. `callbacks` takes
//! what the platform says, `guard` knows whether it is the platform. `health` and `metrics` are for those who
//! watch over the relay.

mod account;
mod admission;
mod answer;
mod body;
mod callbacks;
mod destinations;
mod fields;
mod framing;
mod guard;
mod health;
mod log_limit;
mod metrics;
mod preview;
mod server;
mod status;
mod submit;
mod view;
mod when;
mod wire;
mod wishes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;

use crate::intake::{Form, Receipt, Refusal};
use crate::model::{Callback, Client, MessageId, Secret, SubmissionId};
use crate::spool::{SpoolError, SubmissionView, Taken};
use crate::telling::AllowedHost;

pub use callbacks::CallbackFigures;
pub use preview::{Asked, Preview, Refused, preview};
pub use server::{BindError, Server};
pub use wishes::{WishError, deliver_at, lane};

/// Where forms go.
#[async_trait]
pub trait Submitter: Send + Sync + 'static {
    /// Takes a form. `Ok` means that it is on stable storage; `Err` that nothing of it was kept.
    ///
    /// It is dropped where it stands when [`Limits::request_time`] is over or the connection
    /// breaks; the client then gets no answer.
    async fn submit(&self, client: &Client, form: Form) -> Result<Receipt, Refusal>;

    /// Why forms cannot be taken at the moment, one sentence a reason, without secrets; empty when
    /// they can. Anybody may cause this call as often as `GET /readyz` is answered.
    async fn ready(&self) -> Vec<String>;
}

/// Where the fate of forms is known.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// Everything known about a submission, whoever sent it; `None` for an unknown id.
    async fn look(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError>;

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
    /// Of these, connections at a time from one client ([`ClientKey`](crate::model::ClientKey)).
    pub connections_per_client: usize,
    /// For the request line and all headers to arrive; also how long a connection may idle before
    /// its first and between two requests.
    pub header_time: Duration,
    /// For a whole request from the end of its headers, body and answer included; also how long the
    /// client may leave an answer unread.
    pub request_time: Duration,
}

/// Somebody who may post. Reloadable.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name in logs and rules (`Client::account`).
    pub name: String,
    /// Networks that it may come from.
    pub networks: Vec<IpNet>,
    /// What it must show; `None` lets its networks in without.
    pub credential: Option<Credential>,
    /// Whether it may choose the sender.
    pub may_choose_sender: bool,
    /// Whether it may choose the lane.
    pub may_choose_lane: bool,
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

/// What an HTTP client shows: Basic, `X-Api-Key: password`, or the parameters `username` and
/// `password`, or `api_key`, with their synonyms.
#[derive(Clone, Debug)]
pub struct Credential {
    /// User name for Basic and parameters.
    pub username: String,
    /// The secret.
    pub password: Secret,
}
