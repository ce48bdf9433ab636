//! `sms-relay queue show ID`: everything about a message, under the id that the 250, the log and the reports name.
//!
//! It looks into the spool itself, so that it works while the relay runs and while it does not.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{DEFAULT_CONFIG, Exit};
use crate::config;
use crate::http::fate;
use crate::model::{Door, MessageId, SubmissionId};
use crate::spool::sqlite::Glance;
use crate::spool::{MessageView, SubmissionView, TellsOf};

pub(super) const LONG_ABOUT: &str = "\
Shows what became of a message.

The id is that of the 250 reply, the answer to a form, the log, a report or a call: of a mail or form, or with -1 \
behind it of one SMS. The spool is only read, also while the relay runs. Who may read the spool's files may use it.";
pub(super) const EXAMPLES: &str = "\
Examples:
  sms-relay queue show 01JABCDEFGHJKMNPQRSTVWXYZ0
  sms-relay queue show 01JABCDEFGHJKMNPQRSTVWXYZ0-1 --json
  sms-relay queue show 01JABCDEFGHJKMNPQRSTVWXYZ0 --spool /var/lib/sms-relay";

/// What is done with the queue.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Queue {
    /// Shows what became of a message.
    #[command(long_about = LONG_ABOUT, after_help = EXAMPLES)]
    Show(Show),
}

/// Options of `queue show`.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The id of a mail or form, or of one SMS.
    #[arg(value_name = "ID")]
    id: String,
    /// The configuration, which says where the spool is.
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// The spool's directory, in the place of a configuration.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "config")]
    spool: Option<PathBuf>,
    /// Prints JSON, as `GET /sms/ID` does.
    #[arg(long)]
    json: bool,
}

pub(super) fn queue(queue: &Queue) -> Exit {
    match queue {
        Queue::Show(options) => match show(options) {
            Ok(text) => {
                // A closed pipe is no reason for another exit code.
                let _ = io::stdout().write_all(text.as_bytes());
                Exit::Fine
            }
            Err((exit, reason)) => {
                eprintln!("{}", reason.trim_end());
                exit
            }
        },
    }
}

fn show(options: &Show) -> Result<String, (Exit, String)> {
    let (id, one) = match (options.id.parse::<MessageId>(), options.id.parse::<SubmissionId>()) {
        (Ok(one), _) => (one.submission, Some(one)),
        (Err(_), Ok(all)) => (all, None),
        (Err(_), Err(_)) => {
            let shown = options.id.escape_debug();
            return Err((
                Exit::Usage,
                format!(
                    "`{shown}` is no id; it has 26 letters and digits, and for one SMS a number behind: ...-1"
                ),
            ));
        }
    };
    let directory = match &options.spool {
        Some(directory) => directory.clone(),
        None => config::spool_directory(&options.config)
            .map_err(|problems| (Exit::Config, problems.to_string()))?,
    };
    let unavailable = |error: crate::spool::SpoolError| (Exit::Unavailable, error.to_string());
    let found = Glance::open(&directory).map_err(unavailable)?.submission(id).map_err(unavailable)?;
    let found = found.map(|view| SubmissionView {
        messages: view.messages.into_iter().filter(|sms| one.is_none_or(|one| sms.sms.id == one)).collect(),
        ..view
    });
    let found = found.filter(|view| one.is_none() || !view.messages.is_empty());
    let Some(view) = found else {
        return Err((Exit::Failed, format!("no message has the id {}", options.id)));
    };
    if options.json {
        let json: Value = fate(id, &view);
        return Ok(format!("{json:#}\n"));
    }
    Ok(Told { id, view: &view, zone: TimeZone::system() }.to_string())
}

/// A message as people read it.
struct Told<'a> {
    id: SubmissionId,
    view: &'a SubmissionView,
    zone: TimeZone,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, view, .. } = self;
        let client = &view.client;
        let what = match client.door {
            Door::Smtp => "mail",
            Door::Http => "form",
            Door::Relay => "the relay's own",
        };
        write!(f, "{id}: {what} of {} from {}", self.time(view.received_at), client.address)?;
        if let Some(account) = &client.account {
            write!(f, " (account {})", plain(account))?;
        }
        writeln!(f, " through {}", plain(&client.listener))?;
        if let Some(subject) = &view.subject {
            writeln!(f, "  Subject: {}", plain(subject))?;
        }
        for message in &view.messages {
            self.message(f, message)?;
        }
        for mail in &view.mails {
            let (about, to) = (mail.mail.kind.as_str(), mail.mail.recipient.to_string());
            writeln!(f, "\n{}: mail ({about}) to {}: {}", mail.mail.id, plain(&to), mail.state)?;
            for event in &mail.events {
                writeln!(f, "  {}  {:<10} {}", self.time(event.at), event.state, plain(&event.note))?;
            }
        }
        Ok(())
    }
}

impl Told<'_> {
    fn message(&self, f: &mut fmt::Formatter<'_>, message: &MessageView) -> fmt::Result {
        let sms = &message.sms;
        let (to, phone) = (plain(&message.recipient.address), &sms.destination);
        writeln!(f, "\n{}: SMS to {to} ({phone}): {}", sms.id, message.state)?;
        for line in sms.text.body.lines() {
            writeln!(f, "  | {}", plain(line))?;
        }
        let mut facts = format!(
            "from {}, {} {}, lane {}, rule {}",
            sms.sender,
            sms.text.parts,
            if sms.text.parts == 1 { "part" } else { "parts" },
            message.lane.as_str(),
            plain(&message.rule),
        );
        // Writing to a String cannot fail.
        if let Some(gateway) = &message.gateway {
            let _ = write!(facts, ", gateway {}", plain(gateway));
        }
        if let Some(price) = message.price {
            let _ = write!(facts, ", price {price}");
        }
        if let Some(reason) = message.hold_reason {
            let _ = write!(facts, ", held for {}", reason.as_str());
        }
        writeln!(f, "  {facts}")?;
        if let Some(summary) = message.folded_into {
            writeln!(f, "  told by {summary}")?;
        }
        if let Some(TellsOf { count, first }) = &message.tells_of {
            let named: Vec<String> = first.iter().map(ToString::to_string).collect();
            let more = if u64::try_from(named.len()).is_ok_and(|named| named < *count) { " ..." } else { "" };
            writeln!(f, "  tells of {count} SMS: {}{more}", named.join(" "))?;
        }
        if let Some(next) = message.next_at {
            writeln!(f, "  next at {}, given up at {}", self.time(next), self.time(message.expires_at))?;
        }
        for event in &message.events {
            writeln!(f, "  {}  {:<10} {}", self.time(event.at), event.state.as_str(), plain(&event.note))?;
        }
        if let Some(cause) = &message.cause {
            writeln!(f, "  {} {}", cause.status, plain(&cause.text))?;
        }
        Ok(())
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%F %T%:z").to_string()
    }
}

/// What strangers wrote, so that a terminal takes none of it for an order.
fn plain(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => '\u{FFFD}',
        false => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_stranger_wrote_moves_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\r\u{9b}c ü"), "a\u{FFFD}[2Jb\u{FFFD}\u{FFFD}c ü");
    }
}
