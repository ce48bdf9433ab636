//! The HTTP door: `/sms`, `/healthz`, `/readyz`, and `/metrics` where a listener has it.
//!
//! It turns a request into a [`Form`] of a known account and its answer into a status that says
//! the truth: 200 comes after the [`Submitter`] has returned, and a request whose fate it does not
//! know is not answered at all. What a destination or a text means, it leaves to the submitter.
//!
//! `server` owns the sockets and `wire` is one socket as hyper reads it, watched by `framing`;
//! `admission` counts connections. `submit` is `/sms`: `body` reads it, `fields` and `destinations`
//! say what its fields mean, `account` whose it is, `answer` how the reply looks. `preview` reads a request
//! that nobody sent. `health` and
//! `metrics` are for those who watch over the relay.

mod account;
mod admission;
mod answer;
mod body;
mod destinations;
mod fields;
mod framing;
mod health;
mod metrics;
mod preview;
mod server;
mod submit;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;

use crate::intake::{Form, Receipt, Refusal};
use crate::model::{Client, Secret};

pub use preview::{Asked, Preview, Refused, preview};
pub use server::{BindError, Server};

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
}

/// Bounds on what a client may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of a request body.
    pub body_octets: usize,
    /// Connections at a time over all listeners.
    pub connections: usize,
    /// Connections at a time from one address.
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
