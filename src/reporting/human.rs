//! The human part of a report in words of the operator's.

use jiff::tz::TimeZone;
use tracing::warn;

use super::Settings;
use crate::bounce::{Action, Report, ReportedRecipient};
use crate::wording::{RecipientWords, ReportWords};

/// What the operator's template makes of a report; `None` for the usual words, where there is no template,
/// and where it failed, which the log tells.
pub(super) fn words(settings: &Settings, report: &Report<'_>) -> Option<String> {
    let template = settings.template.as_ref()?;
    let operator = settings.operator.as_ref().unwrap_or(&settings.from).to_string();
    let (id, client) = (report.submission.to_string(), report.client.address.to_string());
    let mut recipients: Vec<&ReportedRecipient<'_>> = report.recipients.iter().collect();
    recipients.sort_by_key(|recipient| recipient.action);
    let words = ReportWords {
        id: &id,
        subject: report.original.subject.as_deref().unwrap_or_default(),
        received: report.received_at.to_zoned(TimeZone::system()),
        client: &client,
        hostname: &settings.hostname,
        operator: &operator,
        recipients: recipients.into_iter().map(|recipient| recipient_words(report, recipient)).collect(),
    };
    match template.render(&words) {
        Ok(text) => Some(text),
        Err(problem) => {
            warn!(%id, problem, "the template of reports failed; the usual words are sent");
            None
        }
    }
}

fn recipient_words(report: &Report<'_>, recipient: &ReportedRecipient<'_>) -> RecipientWords {
    let until = recipient.retry_until.map(|at| at.to_zoned(TimeZone::system()));
    let until = until.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string());
    let ids: Vec<String> = recipient.ids.iter().map(ToString::to_string).collect();
    RecipientWords {
        address: recipient.address.to_owned(),
        phone: recipient.shown_phone(report.audience).unwrap_or_default(),
        action: recipient.action.as_str().to_owned(),
        status: recipient.status().to_string(),
        reason: recipient.cause.text.clone(),
        diagnostic: recipient.cause.diagnostic.clone().unwrap_or_default(),
        text: if report.include_text { recipient.texts.join("\n") } else { String::new() },
        ids: ids.join(", "),
        until: until.filter(|_| recipient.action == Action::Delayed).unwrap_or_default(),
    }
}
