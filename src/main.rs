//! The `sms-relay` program.
fn main() {}
