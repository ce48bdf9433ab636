//! The first part of a report: what happened, in plain words.

use super::original::Returned;
use super::{Action, Audience, Report, ReportedRecipient, field, status};
use crate::model::{Door, EnhancedStatus};

/// What some reader takes for a line end; a quoted text may not step out of its quotation marks.
const LINE_ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// The text, with LF line ends; what is quoted in it has no control characters.
pub(super) fn text(report: &Report<'_>, returned: Option<Returned<'_>>) -> String {
    let mut text = introduction(report);
    text.push_str(&outcomes(report.audience, report.recipients));
    let advice = advice(report.recipients);
    if !advice.is_empty() {
        text.push_str("What you can do:\n\n");
        advice.iter().for_each(|line| text.push_str(&format!("  - {line}\n")));
        text.push('\n');
    }
    if report.include_text {
        text.push_str(&quoted_texts(report.recipients));
    }
    text.push_str(&kept_under(&report.submission.to_string()));
    if let Some(returned) = returned {
        text.push_str(returned.words());
        text.push('\n');
    }
    text
}

/// Words that were made elsewhere, with LF line ends and no control characters.
pub(super) fn foreign(words: &str) -> String {
    let mut text: String = words.replace("\r\n", "\n").chars().map(visible).collect();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn visible(c: char) -> char {
    if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }
}

/// Where to ask, and with which id.
pub(super) fn kept_under(id: &str) -> String {
    format!("Whoever runs the relay reads answers to this mail. It was kept under the id\n{id}.\n")
}

/// The recipients under what became of them.
pub(super) fn outcomes(audience: Audience, recipients: &[ReportedRecipient<'_>]) -> String {
    let mut text = String::new();
    for action in Action::ALL {
        let heading = match action {
            Action::Failed => "It could not be delivered to:",
            Action::Delayed => "It is late, and the relay has not given it up, for:",
            Action::Expanded => "It is on its way to the several phones that stand behind:",
            Action::Relayed => "The SMS platform took it, and will not tell whether it arrived, for:",
            Action::Delivered => "It was delivered to:",
        };
        let mut some = recipients.iter().filter(|recipient| recipient.action == action).peekable();
        if some.peek().is_some() {
            text.push_str(&format!("{heading}\n\n"));
            some.for_each(|recipient| text.push_str(&describe(audience, recipient)));
        }
    }
    text
}

fn introduction(report: &Report<'_>) -> String {
    let subject = report.original.subject.as_deref().map(field::one_line).unwrap_or_default();
    let what = match (report.client.door, report.audience) {
        (Door::Http, _) => "A form post asked for an SMS.",
        (Door::Relay, _) => "The relay itself had an SMS to send.",
        (Door::Smtp, Audience::Sender) => "You sent a mail that was to become an SMS.",
        (Door::Smtp, Audience::Operator) => "A mail came that was to become an SMS.",
    };
    let host = field::host(report.letter.hostname);
    let mut text = format!("{what}\nThe SMS relay at {host} reports what became of it.\n\n");
    if !subject.is_empty() {
        text.push_str(&format!("  Subject:  {subject}\n"));
    }
    text.push_str(&format!("  Received: {}\n", field::date(report.received_at)));
    if report.audience == Audience::Operator || report.client.door != Door::Smtp {
        text.push_str(&format!("  From:     {}\n", client(report)));
    }
    text.push('\n');
    text
}

/// Who handed it in, for the operator.
fn client(report: &Report<'_>) -> String {
    let client = report.client;
    let who = match &client.account {
        Some(account) => format!("client {}", field::one_line(account)),
        None => "a client without an account".to_owned(),
    };
    format!("{who} at {}, by listener {}", client.address, field::one_line(&client.listener))
}

fn describe(audience: Audience, recipient: &ReportedRecipient<'_>) -> String {
    let address = field::one_line(recipient.address);
    let local = recipient.address.rsplit_once('@').map_or(recipient.address, |(local, _)| local);
    let mut text = match recipient.shown_phone(audience) {
        Some(phone) if local != phone => format!("  {address} (phone {phone})\n"),
        Some(_) | None => format!("  {address}\n"),
    };
    text.push_str(&format!("    {}\n", field::one_line(&recipient.cause.text)));
    if let Some(words) = &recipient.cause.diagnostic {
        text.push_str(&format!("    The platform said: {}\n", field::one_line(words)));
    }
    text.push_str(&format!(
        "    Status {}, SMS {}",
        recipient.status(),
        status::some_ids(recipient.ids, ",\n    ")
    ));
    if let Some(at) = recipient.tried_at() {
        text.push_str(&format!(",\n    last tried {}", field::date(at)));
    }
    let known = match (recipient.action, recipient.tried_at(), recipient.retry_until) {
        (Action::Failed, None, _) => Some(("never tried, ended", recipient.at)),
        (Action::Delayed, _, Some(until)) => Some(("will be tried until", until)),
        (Action::Delivered, _, _) => Some(("confirmed", recipient.at)),
        (Action::Failed | Action::Delayed | Action::Expanded | Action::Relayed, _, _) => None,
    };
    if let Some((what, at)) = known {
        text.push_str(&format!(",\n    {what} {}", field::date(at)));
    }
    text.push_str("\n\n");
    text
}

/// One line for each kind of failure there is, and one for what is late.
fn advice(recipients: &[ReportedRecipient<'_>]) -> Vec<&'static str> {
    let mut lines = Vec::new();
    for recipient in recipients {
        let line = match (recipient.action, recipient.status()) {
            (Action::Delayed, _) => "Do not send again what is late: the relay is still at it.",
            (Action::Expanded | Action::Relayed | Action::Delivered, _) => continue,
            (Action::Failed, EnhancedStatus::EXPIRED) => {
                "If it still matters, send it again: its time ran out before it could go."
            }
            (Action::Failed, EnhancedStatus { subject: 1, .. }) => {
                "Check the number, and send it again if it was wrong."
            }
            (Action::Failed, EnhancedStatus { subject: 4, .. }) => {
                "Check that the number is right and the phone is on, then send it again."
            }
            (Action::Failed, EnhancedStatus { subject: 6, .. }) => "Change the text, then send it again.",
            (Action::Failed, EnhancedStatus { subject: 7, .. }) => {
                "Ask whoever runs the relay to allow it; sending it again will not help."
            }
            (Action::Failed, EnhancedStatus { .. }) => {
                "Reach the person in another way, and ask whoever runs the relay what is wrong."
            }
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// The texts of the failed recipients, each once; of all recipients where none failed.
pub(super) fn quoted_texts(recipients: &[ReportedRecipient<'_>]) -> String {
    let failed = recipients.iter().any(|recipient| recipient.action == Action::Failed);
    let mut texts: Vec<(&[&str], Vec<&str>)> = Vec::new();
    for recipient in recipients {
        if failed && recipient.action != Action::Failed {
            continue;
        }
        match texts.iter_mut().find(|(text, _)| *text == recipient.texts) {
            Some((_, addresses)) => addresses.push(recipient.address),
            None => texts.push((recipient.texts, vec![recipient.address])),
        }
    }
    let what = if failed { "The text that was not delivered" } else { "The text" };
    let several = texts.len() > 1;
    let mut out = String::new();
    for (pieces, addresses) in texts {
        let many = if pieces.len() > 1 { format!(", in {} SMS", pieces.len()) } else { String::new() };
        if several {
            out.push_str(&format!("{what}{many}, for {}:\n\n", some_of(&addresses)));
        } else {
            out.push_str(&format!("{what}{many}:\n\n"));
        }
        for piece in pieces {
            quote(piece, &mut out);
            out.push('\n');
        }
    }
    out
}

fn quote(text: &str, out: &mut String) {
    for line in text.replace("\r\n", "\n").split(LINE_ENDS) {
        let visible = |c: char| if c.is_control() { ' ' } else { c };
        out.push_str(format!("> {}", line.chars().map(visible).collect::<String>()).trim_end());
        out.push('\n');
    }
}

fn some_of(addresses: &[&str]) -> String {
    let shown: Vec<String> = addresses.iter().take(3).map(|address| field::one_line(address)).collect();
    match addresses.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
