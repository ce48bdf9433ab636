//! The `sms-relay` program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    sms_relay::cli::main()
}
