//! The real program against the emulated platform and a mailbox, over real sockets: one behaviour a
//! file.

// What a test prints is for whoever reads why it skipped; a helper that fails ends its test.
#![allow(clippy::print_stdout, clippy::unwrap_used, unreachable_pub)]

mod support;

mod drain;
mod form_becomes_sms;
mod kill_at_random;
mod kill_between_steps;
mod kill_while_waiting;
mod logs_are_discreet;
mod mail_becomes_sms;
mod readme_commands;
mod reload;
mod service_manager;
mod sync_before_yes;
