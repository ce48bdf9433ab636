//! The world that the program is run in: a platform, a mailbox, a directory with a configuration, and
//! clients that nobody here wrote.

pub mod client;
pub mod mailbox;
pub mod relay;
pub mod remains;
pub mod world;

pub use client::{Smtp, run, tool};
pub use mailbox::{Behaviour, Mailbox};
pub use relay::Relay;
pub use remains::Remains;
pub use world::World;

use std::time::Duration;

/// How long anything awaited may take. Long, because the machine may be busy; what is waited for is
/// always an event.
pub const PATIENCE: Duration = Duration::from_secs(60);
