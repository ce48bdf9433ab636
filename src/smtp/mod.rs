//! The SMTP door.
//!
//! Pure, octets in and steps out: [`session`] with [`lines`], [`command`], [`address`], [`reply`], [`auth`],
//! [`data`] and [`chunk`]; [`proxy`]. With sockets, from the outside in: [`Server`], `admission`,
//! `connection`, `link`. Beside them [`accounts`], [`capture`] and [`metrics`]. A [`Receiver`] is
//! asked who may be written to and what becomes of a mail.
//!
//! The way of a mail: `server` accepts, `admission` reads who the client is ([`proxy`]), whether it may come
//! in and what holds for it ([`Policy`]); `connection` moves its octets to the session and does what this
//! says; the session cuts them into lines ([`lines`]) and reads these ([`command`]); a recipient is judged by
//! the receiver at once; after 354 the octets go to [`data`] until CRLF.CRLF; the receiver stores the mail,
//! and only then the client reads 250.
//!
//! What is limited, and where: connections in `gate`, what a client sends in a minute in [`rates`] and in one
//! connection in [`used`], its errors in [`patience`], wrong passwords in [`failures`], its lines in the log in
//! `log_limit`; all that connections share of this is behind `guard`. Who counts as one client is for
//! [`ClientKey`](crate::model::ClientKey) to say. Each wait has an end: a command, a message, a session, and the stop (`shutdown`).
//!
//! A message stands in memory while it arrives. The first 64 KiB of each are bounded by
//! [`Limits::connections`], what is beyond by [`Limits::memory_octets`] for all together ([`room`]); an
//! idle connection holds a task of 3 KB and an input buffer of 1 KiB.

pub mod accounts;
pub mod address;
mod admission;
pub mod auth;
pub mod capture;
pub mod chunk;
pub mod command;
mod connection;
pub mod data;
mod gate;
mod guard;
pub mod lines;
mod link;
mod log_limit;
pub mod metrics;
pub mod patience;
pub mod profile;
pub mod proxy;
pub mod rates;
mod receiver;
pub mod reply;
pub mod room;
mod server;
pub mod session;
mod settings;
mod shutdown;
pub mod used;

pub use metrics::Metrics;
pub use profile::Profile;
pub use receiver::Receiver;
pub use server::{BindError, Handle, Server};
pub use settings::{Account, Allotment, Auth, Capture, Limits, Listener, Network, Policy, Settings, Tls};
