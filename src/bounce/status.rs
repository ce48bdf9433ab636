//! The second part of a report: `message/delivery-status` (RFC 3464 section 2).

use super::{Action, Report, ReportedRecipient, field};
use crate::model::{Client, Door};

/// Diagnostic type for words of the platform, which does not speak SMTP: the type `smtp` is kept
/// for its reply codes (RFC 3464 section 2.3.6).
const PLATFORM: &str = "x-qlara";
/// Diagnostic type for causes that the relay itself found.
pub(super) const RELAY: &str = "x-sms-relay";
/// Address type of a form's destination, which is no mail address.
const FORM_DESTINATION: &str = "x-sms";

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
    for recipient in report.recipients {
        out.extend_from_slice(b"\r\n");
        write_recipient(report, recipient, out);
    }
}

fn write_recipient(report: &Report<'_>, recipient: &ReportedRecipient<'_>, out: &mut Vec<u8>) {
    if let Some(orcpt) = recipient.orcpt {
        field::write(out, "Original-Recipient", &field::typed_address(&orcpt.kind, &orcpt.address));
    }
    // The envelope address is what the sender knows; the phone behind it is not the sender's to see.
    let kind = match report.client.door {
        Door::Smtp => "rfc822",
        Door::Http => FORM_DESTINATION,
    };
    field::write(out, "Final-Recipient", &field::typed_address(kind, recipient.address));
    field::write(out, "Action", recipient.action.as_str());
    field::write(out, "Status", &recipient.cause.status.to_string());
    match (&recipient.cause.diagnostic, recipient.action) {
        (Some(words), _) => {
            if let Some(platform) = report.platform {
                field::write(out, "Remote-MTA", &format!("dns; {}", field::host(platform)));
            }
            field::write(out, "Diagnostic-Code", &format!("{PLATFORM}; {words}"));
        }
        (None, Action::Failed) => {
            field::write(out, "Diagnostic-Code", &format!("{RELAY}; {}", recipient.cause.text));
        }
        (None, Action::Delivered | Action::Relayed) => {}
    }
    if let Some(at) = recipient.last_attempt_at {
        field::write(out, "Last-Attempt-Date", &field::date(at));
    }
    field::write(out, "X-Relay-Message-Id", &recipient.id.to_string());
}

/// The name that the client gave in EHLO with its address behind it as a comment, or the address
/// literal alone where it gave none (RFC 3464 section 2.2.4). A form comes from no MTA.
fn received_from(client: &Client) -> Option<String> {
    let literal = match client.address {
        std::net::IpAddr::V4(address) => format!("[{address}]"),
        std::net::IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    match (client.door, client.helo.as_deref()) {
        (Door::Http, _) => None,
        (Door::Smtp, Some(helo)) if !helo.is_empty() && field::host(helo) == helo => {
            Some(format!("{helo} ({literal})"))
        }
        (Door::Smtp, _) => Some(literal),
    }
}
