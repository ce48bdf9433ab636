//! The first part of a report: what happened, in plain words.

use super::original::Returned;
use super::{Action, Audience, Report, ReportedRecipient, field};
use crate::model::{Door, EnhancedStatus, Masked, SubmissionId};

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
    text.push_str(&quoted_texts(report.recipients));
    text.push_str(&kept_under(report.submission));
    if let Some(returned) = returned {
        text.push_str(returned.words());
        text.push('\n');
    }
    text
}

/// Where to ask, and with which id.
pub(super) fn kept_under(id: SubmissionId) -> String {
    format!("Whoever runs the relay reads answers to this mail. It was kept under the id\n{id}.\n")
}

/// The recipients under what became of them.
pub(super) fn outcomes(audience: Audience, recipients: &[ReportedRecipient<'_>]) -> String {
    let mut text = String::new();
    for (action, heading) in [
        (Action::Failed, "It could not be delivered to:"),
        (Action::Relayed, "The SMS platform took it, and will not tell whether it arrived, for:"),
        (Action::Delivered, "It was delivered to:"),
    ] {
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
        (Door::Smtp, Audience::Sender) => "You sent a mail that was to become an SMS.",
        (Door::Smtp, Audience::Operator) => "A mail came that was to become an SMS.",
    };
    let host = field::host(report.letter.hostname);
    let mut text = format!("{what}\nThe SMS relay at {host} reports what became of it.\n\n");
    if !subject.is_empty() {
        text.push_str(&format!("  Subject:  {subject}\n"));
    }
    text.push_str(&format!("  Received: {}\n", field::date(report.received_at)));
    if report.audience == Audience::Operator || report.client.door == Door::Http {
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
    let mut text = match shown_phone(audience, recipient) {
        Some(phone) => format!("  {address} (phone {phone})\n"),
        None => format!("  {address}\n"),
    };
    text.push_str(&format!("    {}\n", field::one_line(&recipient.cause.text)));
    if let Some(words) = &recipient.cause.diagnostic {
        text.push_str(&format!("    The platform said: {}\n", field::one_line(words)));
    }
    text.push_str(&format!("    Status {}, SMS {}", recipient.cause.status, recipient.id));
    if let Some(at) = recipient.last_attempt_at {
        text.push_str(&format!(",\n    last tried {}", field::date(at)));
    }
    text.push_str("\n\n");
    text
}

/// The phone beside the address: nothing where the address is the number, the masked number for a
/// sender who wrote an alias.
fn shown_phone(audience: Audience, recipient: &ReportedRecipient<'_>) -> Option<String> {
    let phone = recipient.phone.as_str();
    let local = recipient.address.rsplit_once('@').map_or(recipient.address, |(local, _)| local);
    let digits: String = local.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    if local == phone {
        None
    } else if audience == Audience::Operator || digits.len() >= 6 && phone.ends_with(digits) {
        Some(phone.to_owned())
    } else {
        Some(Masked(phone).to_string())
    }
}

/// One line for each kind of failure there is.
fn advice(recipients: &[ReportedRecipient<'_>]) -> Vec<&'static str> {
    let mut lines = Vec::new();
    for recipient in recipients {
        if recipient.action != Action::Failed {
            continue;
        }
        let line = match recipient.cause.status {
            EnhancedStatus::EXPIRED => {
                "If it still matters, send it again: its time ran out before it could go."
            }
            EnhancedStatus { subject: 1, .. } => "Check the number, and send it again if it was wrong.",
            EnhancedStatus { subject: 4, .. } => {
                "Check that the number is right and the phone is on, then send it again."
            }
            EnhancedStatus { subject: 6, .. } => "Change the text, then send it again.",
            EnhancedStatus { subject: 7, .. } => {
                "Ask whoever runs the relay to allow it; sending it again will not help."
            }
            EnhancedStatus { .. } => {
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
    let mut texts: Vec<(&str, Vec<&str>)> = Vec::new();
    for recipient in recipients {
        if failed && recipient.action != Action::Failed {
            continue;
        }
        match texts.iter_mut().find(|(text, _)| *text == recipient.text) {
            Some((_, addresses)) => addresses.push(recipient.address),
            None => texts.push((recipient.text, vec![recipient.address])),
        }
    }
    let what = if failed { "The text that was not delivered" } else { "The text" };
    let several = texts.len() > 1;
    let mut out = String::new();
    for (text, addresses) in texts {
        if several {
            out.push_str(&format!("{what}, for {}:\n\n", some_of(&addresses)));
        } else {
            out.push_str(&format!("{what}:\n\n"));
        }
        for line in text.replace("\r\n", "\n").split(LINE_ENDS) {
            let visible = |c: char| if c.is_control() { ' ' } else { c };
            out.push_str(format!("> {}", line.chars().map(visible).collect::<String>()).trim_end());
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

fn some_of(addresses: &[&str]) -> String {
    let shown: Vec<String> = addresses.iter().take(3).map(|address| field::one_line(address)).collect();
    match addresses.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
