//! What the fuzz targets do with an input, and what must hold then.
//!
//! One file a target, each with a `check` that panics when something is wrong. An input of the SMTP targets is what
//! a client sends and nothing else, so that a dialogue is a seed as it stands; how it is cut into
//! packets comes from the input's own hash ([`pieces`]). An input of `extraction` is a mail; those of `distilling`
//! and `fitting` begin with a line of [`options`], those of `templates` with the template; one of `notifications` is the body of a callback;
//! one of `framing` is what an HTTP client sends, one of `forwarded` lines of a proxy's header; those of `fields`, `profiles` and
//! `messages` begin with a line or some that say how the body behind them came. `fuzz/fuzz_targets/` runs the checks with
//! libFuzzer, and `tests/fuzz_corpus.rs` runs them over the corpora on a stable toolchain.

pub mod auth;
pub mod commands;
pub mod data;
pub mod distilling;
pub mod extraction;
pub mod fields;
pub mod fitting;
pub mod forwarded;
pub mod framing;
pub mod messages;
pub mod notifications;
pub mod options;
pub mod pieces;
pub mod profiles;
pub mod proxy;
pub mod replies;
pub mod session;
pub mod templates;
