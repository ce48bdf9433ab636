//! The second part of a report: `message/delivery-status` (RFC 3464 section 2).

use super::{Action, Report, ReportedRecipient, field};
use crate::model::{Client, Door, MessageId};

/// Diagnostic type for words of the platform, which does not speak SMTP: the type `smtp` is kept
/// for its reply codes (RFC 3464 section 2.3.6).
const PLATFORM: &str = "x-qlara";
/// Diagnostic type for causes that the relay itself found.
pub(super) const RELAY: &str = "x-sms-relay";
/// Address type of a form's destination, which is no mail address.
const FORM_DESTINATION: &str = "x-sms";
/// Most ids that stand in one field, line or block.
const MAX_IDS: usize = 20;

/// Appends the part's body: a block about the mail, and one for each recipient.
pub(super) fn write(report: &Report<'_>, out: &mut Vec<u8>) {
    field::write(out, "Reporting-MTA", &format!("dns; {}", field::host(report.letter.hostname)));
    if let Some(envid) = &report.original.envid {
        field::write(out, "Original-Envelope-Id", envid);
    }
    if let Some(name) = received_from(report.client) {
        field::write(out, "Received-From-MTA", &format!("dns; {name}"));
    }
    field::write(out, "Arrival-Date", &field::date(report.received_at));
    field::write(out, "X-Relay-Queue-Id", &report.submission.to_string());
    // A program that looks at the first recipient only sees what asks for something to be done.
    let mut recipients: Vec<&ReportedRecipient<'_>> = report.recipients.iter().collect();
    recipients.sort_by_key(|recipient| recipient.action);
    for recipient in recipients {
        out.extend_from_slice(b"\r\n");
        write_recipient(report.client.door, recipient, out);
    }
}

fn write_recipient(door: Door, recipient: &ReportedRecipient<'_>, out: &mut Vec<u8>) {
    if let Some(orcpt) = recipient.orcpt {
        field::write(out, "Original-Recipient", &field::typed_address(&orcpt.kind, &orcpt.address));
    }
    // The envelope address is what the sender knows; the phone behind it is not the sender's to see.
    let kind = match door {
        Door::Smtp => "rfc822",
        Door::Http | Door::Relay => FORM_DESTINATION,
    };
    field::write(out, "Final-Recipient", &field::typed_address(kind, recipient.address));
    field::write(out, "Action", recipient.action.as_str());
    field::write(out, "Status", &recipient.status().to_string());
    if let Some(platform) = recipient.platform.filter(|_| platform_told(recipient)) {
        field::write(out, "Remote-MTA", &format!("dns; {}", field::host(platform)));
    }
    match (&recipient.cause.diagnostic, recipient.action) {
        (Some(words), _) => field::write(out, "Diagnostic-Code", &format!("{PLATFORM}; {words}")),
        (None, Action::Failed | Action::Delayed) => {
            field::write(out, "Diagnostic-Code", &format!("{RELAY}; {}", recipient.cause.text));
        }
        (None, Action::Expanded | Action::Relayed | Action::Delivered) => {}
    }
    if let Some(at) = recipient.tried_at() {
        field::write(out, "Last-Attempt-Date", &field::date(at));
        if recipient.platform.is_some() {
            // The platform keeps them under our ids (RFC 3464 section 2.3.8).
            field::write(out, "Final-Log-ID", &some_ids(recipient.ids, " "));
        }
    }
    if let (Action::Delayed, Some(at)) = (recipient.action, recipient.retry_until) {
        field::write(out, "Will-Retry-Until", &field::date(at));
    }
    for id in recipient.ids.iter().take(MAX_IDS) {
        field::write(out, "X-Relay-Message-Id", &id.to_string());
    }
    if recipient.ids.len() > MAX_IDS {
        field::write(out, "X-Relay-Message-Count", &recipient.ids.len().to_string());
    }
}

/// Whether what is told was told to us by the platform: only then it is the remote MTA of the report (RFC
/// 3464 section 2.3.5).
fn platform_told(recipient: &ReportedRecipient<'_>) -> bool {
    match recipient.action {
        Action::Delivered | Action::Relayed => true,
        Action::Failed | Action::Delayed => recipient.cause.diagnostic.is_some(),
        Action::Expanded => false,
    }
}

/// The first few ids; a field and a line have no room for the hundreds that a long text or a name may have.
pub(super) fn some_ids(ids: &[MessageId], between: &str) -> String {
    let shown: Vec<String> = ids.iter().take(MAX_IDS).map(ToString::to_string).collect();
    match ids.len() - shown.len() {
        0 => shown.join(between),
        more => format!("{} and {more} more", shown.join(between)),
    }
}

/// The name that the client gave in EHLO with its address behind it as a comment, or the address
/// literal alone where it gave none (RFC 3464 section 2.2.4). A form comes from no MTA.
fn received_from(client: &Client) -> Option<String> {
    let literal = match client.address {
        std::net::IpAddr::V4(address) => format!("[{address}]"),
        std::net::IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    match (client.door, client.helo.as_deref()) {
        (Door::Http | Door::Relay, _) => None,
        (Door::Smtp, Some(helo)) if !helo.is_empty() && field::host(helo) == helo => {
            Some(format!("{helo} ({literal})"))
        }
        (Door::Smtp, _) => Some(literal),
    }
}
