//! The world that the program is run in: a platform, a mailbox, a directory with a configuration, and
//! clients that nobody here wrote.

pub mod certificates;
pub mod client;
pub mod doors;
pub mod letter;
pub mod mailbox;
pub mod postfix;
pub mod python;
pub mod relay;
pub mod remains;
pub mod talk;
pub mod world;

pub use certificates::Authority;
pub use client::{Smtp, given, run, run_fed, run_within, tool};
pub use doors::{DOORS, HASHED, IMPLICIT, PASSWORD, PLAIN, STARTTLS, USERNAME};
pub use letter::{Letter, settled};
pub use mailbox::{Arrived, Behaviour, Mailbox};
pub use postfix::Postfix;
pub use python::{Mail, python};
pub use relay::Relay;
pub use remains::Remains;
pub use talk::Talk;
pub use world::World;

use std::time::Duration;

/// How long anything awaited may take. Long, because the machine may be busy; what is waited for is
/// always an event.
pub const PATIENCE: Duration = Duration::from_secs(60);
