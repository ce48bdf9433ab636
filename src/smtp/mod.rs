//! The SMTP door.
//!
//! [`command`], [`address`], [`reply`], [`lines`], [`data`], [`chunk`] and [`session`] are pure: octets in, steps
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

pub mod accounts;
pub mod address;
pub mod auth;
pub mod client_key;
pub mod capture;
pub mod chunk;
pub mod command;
mod connection;
pub mod data;
pub mod failures;
mod gate;
pub mod lines;
pub mod metrics;
pub mod patience;
pub mod profile;
pub mod rates;
pub mod proxy;
mod receiver;
pub mod reply;
pub mod room;
mod server;
pub mod session;
mod settings;
pub mod tls;
pub mod used;

pub use metrics::Metrics;
pub use profile::Profile;
pub use receiver::Receiver;
pub use server::{BindError, Server};
pub use settings::{Account, Allotment, Auth, Capture, Limits, Listener, Network, Policy, Settings, Tls};
