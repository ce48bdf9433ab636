//! sms-relay: mail and form posts in, SMS out, failures back by bounce mail.
//!
//! The modules stand in levels; one imports only from lower levels, and never from its own.
//! `docs/architecture.md` draws the map and `tests/architecture.rs` enforces it.

// 0: words and types
pub mod crash_point;
pub mod model;

// 1: pure logic
pub mod bounce;
pub mod credential;
pub mod mail;
pub mod retry;
pub mod routing;
pub mod text;

// 2: the outside world
pub mod gateway;
pub mod mailer;
pub mod spool;

// 3: what the relay does
pub mod dispatch;
pub mod intake;
pub mod reporting;
pub mod tracking;

// 4: doors
pub mod http;
pub mod smtp;

// 5: wiring
pub mod app;
pub mod config;

// 6: commands
pub mod cli;

// Apart: imports model and text; used by cli and tests only.
pub mod emulator;
