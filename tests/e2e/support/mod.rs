//! The world that the program is run in: a platform, a mailbox, a directory with a configuration, and
//! clients that nobody here wrote.

pub mod asking;
pub mod callbacks;
pub mod calling;
pub mod certificates;
pub mod client;
pub mod clock;
pub mod doors;
pub mod gateways;
pub mod http;
pub mod judges;
pub mod letter;
pub mod mailbox;
pub mod postfix;
pub mod posting;
pub mod program;
pub mod python;
pub mod relay;
pub mod remains;
pub mod request;
pub mod talk;
pub mod unfinished;
pub mod world;

pub use callbacks::Said;
pub use calling::{SECRET, callback};
pub use certificates::Authority;
pub use client::{Smtp, given, run, run_fed, run_within, tool};
pub use doors::{DOORS, HASHED, IMPLICIT, PASSWORD, PLAIN, STARTTLS, USERNAME};
pub use http::{ask, ask_from};
pub use judges::{bounce_parser, bounced};
pub use letter::{Letter, settled};
pub use mailbox::{Arrived, Behaviour, Mailbox};
pub use postfix::Postfix;
pub use posting::{perl_clients, python_clients, script};
pub use program::{Program, Told, manual_blocks};
pub use python::{Mail, python};
pub use relay::Relay;
pub use remains::Remains;
pub use request::request;
pub use talk::Talk;
pub use unfinished::PAUSE;
pub use world::World;

use std::time::Duration;

/// How long anything awaited may take. Long, because the machine may be busy; what is waited for is
/// always an event.
pub const PATIENCE: Duration = Duration::from_secs(60);
