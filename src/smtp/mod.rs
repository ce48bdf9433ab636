//! The SMTP door.
//!
//! [`command`], [`address`], [`reply`], [`lines`], [`data`] and [`session`] are pure: octets in, steps
//! out. [`Server`] owns the sockets and asks a [`Receiver`] who may be written to and what becomes of
//! a mail.
//!
//! The way of a mail: the server admits the connection (networks, limits), its octets go to the
//! session, which cuts them into lines ([`lines`]) and reads these ([`command`]); a recipient is
//! judged by the receiver at once; after 354 the octets go to [`data`] until CRLF.CRLF; the receiver
//! stores the mail, and only then the client reads 250.
//!
//! A message stands in memory while it arrives. The first 64 KiB of each are bounded by
//! [`Limits::connections`], what is beyond by [`Limits::memory_octets`] for all together ([`room`]); an
//! idle connection holds an input buffer of 2 KiB.

pub mod address;
pub mod command;
mod connection;
pub mod data;
mod gate;
pub mod lines;
mod receiver;
pub mod reply;
pub mod room;
mod server;
pub mod session;

pub use receiver::Receiver;
pub use server::{BindError, Server};

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

/// What the SMTP door is told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name in the greeting and in `Received:`.
    pub hostname: String,
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
    /// Client networks that may speak to it; others get 554 and are closed.
    pub networks: Vec<IpNet>,
}

/// Bounds on what a client may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of a message after dot-unstuffing.
    pub message_octets: usize,
    /// Octets of memory for all messages under way, the first 64 KiB of each not counted; beyond
    /// it a large one gets 452.
    pub memory_octets: usize,
    /// Accepted recipients of one mail; at least 100 (RFC 5321 section 4.5.3.1.8).
    pub recipients: usize,
    /// Connections at a time over all listeners.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_client: usize,
    /// Refused commands of one connection after which it is closed with 421.
    pub errors: usize,
    /// For a whole command line to arrive, however its octets are spread.
    pub command_time: Duration,
    /// For a whole message to arrive after 354.
    pub message_time: Duration,
}
