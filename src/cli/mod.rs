//! The commands, one file each: read the arguments, call the library, print, choose the exit code.

// What a command prints is its result.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod check;
mod demo;
mod drawing;
mod emulator;
mod exit;
mod explain;
mod hash_password;
mod moment;
mod oncall;
mod queue;
mod run;
mod screen;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::Exit;

/// Where packages put the configuration.
const DEFAULT_CONFIG: &str = "/etc/sms-relay/relay.toml";

/// Mail and form posts in, SMS out, failures back by bounce mail.
#[derive(Debug, Parser)]
#[command(name = "sms-relay", version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sms-relay demo                        see the whole job in a few seconds
  sms-relay emulator                    a platform on loopback to try a configuration with
  sms-relay check --config relay.toml   every mistake with file, line and column
  sms-relay explain alarm.eml           what would be sent, and why
  sms-relay run --config relay.toml     the daemon
  sms-relay queue show ID               what became of a message
  sms-relay oncall                      who is on call now
  sms-relay hash-password > ups.hash    what checks a password and does not tell it

Exit codes are those of sysexits(3): 0 fine, 64 wrong arguments, 65 wrong input, 69 a port
is in use, 73 the spool cannot be made, 77 not permitted, 78 the configuration is wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon until SIGTERM; SIGHUP reloads rules, aliases and credentials.
    #[command(after_help = "Example:\n  sms-relay run --config /etc/sms-relay/relay.toml")]
    Run {
        /// The configuration.
        #[arg(long, value_name = "PATH", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
        /// The platform checks every message and sends none, whatever the rules say; nothing is paid.
        #[arg(long)]
        dry_run: bool,
    },
    /// Reads a configuration and explains every mistake in it.
    #[command(after_help = "Example:\n  sms-relay check --config relay.toml && systemctl reload sms-relay")]
    Check {
        /// The configuration.
        #[arg(long, value_name = "PATH", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
    /// Shows what would become of a mail or a form, and why; nothing is sent.
    #[command(long_about = explain::LONG_ABOUT, after_help = explain::EXAMPLES)]
    Explain(Box<explain::Options>),
    /// Shows who is on call by each rota.
    #[command(after_help = oncall::EXAMPLES)]
    Oncall(oncall::Options),
    /// Looks after messages: `queue show ID` tells what became of one.
    #[command(subcommand)]
    Queue(queue::Queue),
    /// Shows the main job with everything embedded: relay, platform, mailbox and phones.
    #[command(
        after_help = "Example:\n  sms-relay demo --once      ends by itself, exit code 0 when all went well"
    )]
    Demo(demo::Options),
    /// Runs the platform's API on loopback, to try a configuration and send nothing.
    #[command(after_help = "Example:\n  sms-relay emulator --bind 127.0.0.1:8026")]
    Emulator(emulator::Options),
    /// Makes the hash of a password or an API key for an account.
    #[command(long_about = hash_password::LONG_ABOUT, after_help = hash_password::EXAMPLE)]
    HashPassword(hash_password::Options),
}

/// Reads the arguments of this process and does what they say.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wrong = error.use_stderr();
            // A closed terminal is no reason for another exit code.
            let _ = error.print();
            return if wrong { Exit::Usage.into() } else { Exit::Fine.into() };
        }
    };
    let exit = match arguments.command {
        Command::Run { config, dry_run } => run::run(&config, dry_run),
        Command::Check { config } => check::check(&config),
        Command::Explain(options) => explain::explain(&options),
        Command::Oncall(options) => oncall::oncall(&options),
        Command::Queue(queue) => queue::queue(&queue),
        Command::Demo(options) => demo::demo(&options),
        Command::Emulator(options) => emulator::emulator(&options),
        Command::HashPassword(options) => hash_password::hash_password(&options),
    };
    exit.into()
}
