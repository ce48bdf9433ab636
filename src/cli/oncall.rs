//! `sms-relay oncall`: who is on call by each rota, until when and why.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::Zoned;

use super::moment::moment;
use super::{DEFAULT_CONFIG, Exit};
use crate::config;
use crate::model::PhoneNumber;
use crate::rota::{Because, Rota};
use crate::routing::Routing;

pub(super) const EXAMPLES: &str = "\
Examples:
  sms-relay oncall
  sms-relay oncall night --at \"2026-12-24 18:00\"";

/// Options of `oncall`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only this rota.
    #[arg(value_name = "ROTA")]
    rota: Option<String>,
    /// When: a point in time, a local time, or a time of today. Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The configuration.
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

pub(super) fn oncall(options: &Options) -> Exit {
    match told(options) {
        Ok(text) => {
            print!("{text}");
            Exit::Fine
        }
        Err((exit, reason)) => {
            eprintln!("{}", reason.trim_end());
            exit
        }
    }
}

fn told(options: &Options) -> Result<String, (Exit, String)> {
    let at = moment(options.at.as_deref()).map_err(|reason| (Exit::Usage, reason))?;
    let loaded = config::load_without_secrets(&options.config);
    let loaded = loaded.map_err(|problems| (Exit::Config, problems.to_string()))?;
    let routing = &loaded.config().routing;
    let mut text = String::new();
    let wanted = |name: &str| options.rota.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name));
    for (name, rota) in routing.rotas().filter(|(name, _)| wanted(name)) {
        line(&mut text, routing, name, rota, &at);
    }
    match (text.is_empty(), &options.rota) {
        (false, _) => Ok(text),
        (true, None) => Err((Exit::Failed, "the configuration has no [[rota]]".to_owned())),
        (true, Some(name)) => {
            let known: Vec<&str> = routing.rotas().map(|(name, _)| name).collect();
            let shown = name.escape_debug();
            Err((Exit::Usage, format!("`{shown}` is no rota; there are: {}", known.join(", "))))
        }
    }
}

fn line(text: &mut String, routing: &Routing, name: &str, rota: &Rota, at: &Zoned) {
    let found = rota.on_call(at.timestamp());
    let phones = routing.resolve_written(name, at.timestamp()).unwrap_or_default();
    let phones: Vec<&str> = phones.iter().map(PhoneNumber::as_str).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "{name}: {} ({})", found.who.join(", "), phones.join(", "));
    if let Some(until) = found.until {
        let _ = write!(text, " until {}", until.to_zoned(rota.zone.clone()).strftime("%a %F %H:%M%:z"));
    }
    let _ = match found.because {
        Because::Shift(place) => writeln!(text, ", shift {}", place + 1),
        Because::Otherwise => writeln!(text, ", as no shift is on"),
        Because::Turn(place) => writeln!(text, ", turn {}", place + 1),
        Because::Override(line) => writeln!(text, ", line {line} of the overrides"),
    };
}
