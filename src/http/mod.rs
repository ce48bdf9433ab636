//! The HTTP door: `/sms`, `/healthz`, `/readyz`.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::Secret;

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
    /// For the request line and all headers to arrive.
    pub header_time: Duration,
    /// For a whole request, body and answer included.
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

/// What an HTTP client shows: Basic, `X-Api-Key: password` or parameters.
#[derive(Clone, Debug)]
pub struct Credential {
    /// User name for Basic and parameters.
    pub username: String,
    /// The secret.
    pub password: Secret,
}
