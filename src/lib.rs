//! sms-relay: mail and form posts in, SMS out, failures back by bounce mail.
//!
//! The modules stand in levels; one imports only from lower levels, and never from its own.
//! `docs/architecture.md` draws the map and `tests/architecture.rs` enforces it.

// 0: words and types
pub mod crash_point;
pub mod model;
#[cfg(test)]
mod test_log;

// 1: pure logic
pub mod bounce;
pub mod budget;
pub mod credential;
pub mod mail;
pub mod pattern;
pub mod profile;
pub mod retry;
pub mod rota;
pub mod storm;
pub mod text;

// 2: the outside world, and the words of an SMS
pub mod attempts;
pub mod gateway;
pub mod mailer;
pub mod spool;
pub mod tls;
pub mod wording;

// 3: which phone gets what
pub mod routing;

// 4: what the relay does
pub mod credit;
pub mod dispatch;
pub mod intake;
pub mod notices;
pub mod reporting;
pub mod telling;
pub mod tracking;
pub mod vigil;

// 5: doors
pub mod http;
pub mod smtp;

// 6: wiring
pub mod app;
pub mod config;

// 7: commands
pub mod cli;

// Apart: imports model and text; used by cli and tests only.
pub mod emulator;
