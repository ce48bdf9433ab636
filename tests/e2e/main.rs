//! The real program against the emulated platform and a mailbox, over real sockets: one behaviour a
//! file.

// What a test prints is for whoever reads why it skipped.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs, unreachable_pub)]

mod support;

mod form_becomes_sms;
mod mail_becomes_sms;
