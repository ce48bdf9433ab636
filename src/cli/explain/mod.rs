//! `sms-relay explain`: what would become of a mail or a form, and why. Nothing is opened, bound, written
//! or sent: the configuration and the mail are read, and the rest is thinking.
//!
//! - `input`: from the arguments to a mail with its envelope, or a form; `request` reads a request in a file
//! - `human`: the explanation for people, with `phone` as the screen of a phone and `delivery` as its way there
//! - `storm`: what it has to pass in a storm
//! - `json`: the same for programs

mod delivery;
mod human;
mod input;
mod json;
mod phone;
mod request;
mod storm;

use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use jiff::Zoned;

use super::{DEFAULT_CONFIG, Exit};
use crate::config;
use crate::http::{Answered, Api};
use crate::intake::{self, Explanation, Refusal};
use crate::model::{Client, Door, Envelope};
use input::Asked;

pub(super) const LONG_ABOUT: &str = "\
Shows what would become of a mail or a form, and why: which rules are asked and what keeps them from
matching, what is left out of the text, what the phone shows, how many parts it takes and what they
cost. Nothing is sent, kept or counted; limits of an account by the minute or by the day are not
looked at.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sms-relay explain alarm.eml --to oncall@sms.local
  sms-relay explain --to oncall --subject 'Toner low' --text 'Tray 2 is empty' --at 03:00
  sms-relay explain --request 'GET /sms?to=oncall&text=Door+3' --client 10.1.2.3 --json
  sms-relay explain --request @kannel.request --listener appliances

Exit codes: 0 something is sent, 1 nothing is, 64 wrong arguments, 65 the mail cannot be read,
78 the configuration is wrong.";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A mail as a file, or `-` for standard input.
    #[arg(value_name = "MAIL", conflicts_with_all = ["subject", "text", "request", "form"])]
    mail: Option<PathBuf>,
    /// The configuration.
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// MAIL FROM, `<>` for none; default: the mail's From: field.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["request", "form"])]
    from: Option<String>,
    /// A recipient, as often as needed; default: those of the To: and Cc: fields that are ours.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["request", "form"])]
    to: Vec<String>,
    /// The subject of a mail without a file.
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true, conflicts_with_all = ["request", "form"])]
    subject: Option<String>,
    /// The text of a mail without a file.
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true, conflicts_with_all = ["request", "form"])]
    text: Option<String>,
    /// An HTTP request line or a URL, instead of a mail; `@FILE` for a whole request in a file, `@-` on standard input.
    #[arg(long, value_name = "LINE")]
    request: Option<String>,
    /// The body of a POST, like `to=oncall&text=Door+3`.
    #[arg(long, value_name = "BODY")]
    form: Option<String>,
    /// The client's address.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    client: IpAddr,
    /// The listener that it comes through; default: the first of its kind.
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The account that the client has shown.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// When it comes in, like 2026-11-21T03:00:00Z, or local `2026-11-21 03:00` or 03:00; default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// An explanation, and what it is about.
struct Told<'a> {
    client: &'a Client,
    at: &'a Zoned,
    /// A mail's envelope; `None` for a form.
    envelope: Option<&'a Envelope>,
    /// Whether the recipients are those of the mail's header.
    is_from_header: bool,
    /// What would become of it, or the reply of the door that would not let it in.
    end: Result<Explanation, String>,
    /// The currency of prices.
    currency: &'a str,
    /// The API of another gateway that is asked, and its answer.
    api: Option<(&'a Api, Answered)>,
}

impl Told<'_> {
    /// A refusal as the door would say it.
    fn reply(&self, refusal: &Refusal) -> String {
        match self.client.door {
            Door::Smtp => {
                let (code, enhanced) = refusal.kind.smtp();
                format!("{code} {enhanced} {}", refusal.text)
            }
            Door::Http | Door::Relay => match self.api {
                Some((api, _)) => input::said(&api.answer(Some(refusal)), &refusal.text),
                None => format!("{} {}", refusal.kind.http(), refusal.text),
            },
        }
    }

    /// Whether somebody gets something: an SMS, or the postmaster's mail.
    fn is_sent(&self) -> bool {
        self.end.as_ref().is_ok_and(|explanation| {
            let is_forwarded = explanation.recipients.iter().any(|one| one.forwarded_to.is_some());
            explanation.sent().next().is_some() || is_forwarded
        })
    }
}

pub(super) fn explain(options: &Options) -> Exit {
    let config = match configured(options) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            return Exit::Config;
        }
    };
    let config = config.as_ref();
    let input = match input::read(options, config) {
        Ok(input) => input,
        Err(wrong) => {
            eprintln!("sms-relay: {wrong}");
            return wrong.exit();
        }
    };
    let incoming = input.asked.as_ref().map_err(Clone::clone).map(Asked::incoming);
    let now = input.at.timestamp();
    let end = incoming
        .map(|incoming| intake::explain(&config.routing, &config.intake, &input.client, incoming, now));
    let api = input.api.as_ref().map(|(api, answered)| {
        let refusal = || end.as_ref().ok().and_then(|explanation| explanation.refusal.as_ref());
        (api, answered.clone().unwrap_or_else(|| api.answer(refusal())))
    });
    let told = Told {
        api,
        client: &input.client,
        at: &input.at,
        envelope: input.asked.as_ref().ok().and_then(Asked::envelope),
        is_from_header: input.is_from_header,
        end,
        currency: &config.routing.prices().currency,
    };
    let printed = match options.json {
        true => format!("{:#}\n", json::object(&told)),
        false => human::words(&told, human::Paint::new(is_coloured())),
    };
    if let Err(error) = std::io::stdout().write_all(printed.as_bytes()) {
        eprintln!("sms-relay: the explanation cannot be written: {error}");
        return Exit::Unavailable;
    }
    if told.is_sent() { Exit::Fine } else { Exit::Failed }
}

/// The configuration, with secrets only where a request shows some.
enum Configured {
    Whole(Box<config::Loaded>),
    WithoutSecrets(Box<config::WithoutSecrets>),
}

impl Configured {
    fn as_ref(&self) -> &config::Config {
        match self {
            Self::Whole(loaded) => &loaded.config,
            Self::WithoutSecrets(looked_at) => looked_at.config(),
        }
    }
}

fn configured(options: &Options) -> Result<Configured, config::Problems> {
    match options.request {
        Some(_) => config::load(&options.config).map(Box::new).map(Configured::Whole),
        None => config::load_without_secrets(&options.config).map(Box::new).map(Configured::WithoutSecrets),
    }
}

/// On a terminal, unless its owner wants none (https://no-color.org).
fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
