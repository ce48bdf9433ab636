//! Reports and summaries as mail for the queue.

use jiff::Timestamp;

use super::plan::{Addressee, Judged};
use super::{Platforms, Settings, human};
use crate::bounce::{Audience, Report, ReportedRecipient, Summary, SummaryEntry};
use crate::model::{MailId, MailKind, OutgoingMail, ReversePath, SubmissionId};
use crate::retry::later;

/// The report of one case.
pub(super) fn report(
    judged: &Judged<'_>,
    to: Addressee<'_>,
    settings: &Settings,
    platforms: &Platforms,
    id: MailId,
    now: Timestamp,
) -> OutgoingMail {
    let case = judged.case;
    let recipients = reported(judged, platforms);
    let report = Report {
        letter: settings.letter(to.address, id, now),
        audience: to.audience,
        submission: case.submission,
        received_at: case.received_at,
        client: &case.client,
        original: &case.original,
        recipients: &recipients,
        include_text: settings.include_text,
        human: None,
    };
    let human = human::words(settings, &report);
    let report = Report { human: human.as_deref(), ..report };
    outgoing(report.to_bytes(), case.submission, to, settings, id, now)
}

/// The summary of several cases, each of which was to get at most `limit` an hour; filed with the first.
/// `None` without any.
pub(super) fn summary(
    cases: &[Judged<'_>],
    to: Addressee<'_>,
    limit: usize,
    settings: &Settings,
    id: MailId,
    now: Timestamp,
) -> Option<OutgoingMail> {
    // It has no block of fields that would name them.
    let platforms = Platforms::new();
    let about = cases.first()?.case.submission;
    let recipients: Vec<Vec<ReportedRecipient<'_>>> =
        cases.iter().map(|judged| reported(judged, &platforms)).collect();
    let entries: Vec<SummaryEntry<'_>> = cases
        .iter()
        .zip(&recipients)
        .map(|(judged, recipients)| SummaryEntry {
            submission: judged.case.submission,
            received_at: judged.case.received_at,
            subject: judged.case.original.subject.as_deref(),
            recipients,
        })
        .collect();
    let letter = settings.letter(to.address, id, now);
    let (audience, include_text) = (to.audience, settings.include_text);
    let bytes = Summary { letter, audience, limit, include_text, entries: &entries }.to_bytes();
    Some(outgoing(bytes, about, to, settings, id, now))
}

fn reported<'a>(judged: &'a Judged<'_>, platforms: &'a Platforms) -> Vec<ReportedRecipient<'a>> {
    judged.verdict.told.iter().map(|told| told.reported(platforms)).collect()
}

fn outgoing(
    bytes: Vec<u8>,
    about: SubmissionId,
    to: Addressee<'_>,
    settings: &Settings,
    id: MailId,
    now: Timestamp,
) -> OutgoingMail {
    let kind = match to.audience {
        Audience::Sender => MailKind::Report,
        Audience::Operator => MailKind::OperatorReport,
    };
    OutgoingMail {
        id,
        about: Some(about),
        kind,
        reverse_path: ReversePath::Null,
        recipient: to.address.clone(),
        bytes,
        expires_at: later(now, settings.lifetime),
    }
}

#[cfg(test)]
mod tests;
