//! Who is told when something could not be sent (RFC 5321 section 6.1, RFC 3834 section 2).

use super::{Reports, Settings};
use crate::mail::Automatic;
use crate::model::{MailAddress, ReportTo, ReversePath};
use crate::routing::Routing;

/// For a mail. A report goes to the reverse path, and to the operator where the mail came from a
/// machine that reads none; never anywhere for a null reverse path or for a report, since an
/// answer to those could go in circles.
pub(super) fn for_mail(
    settings: &Settings,
    routing: &Routing,
    reverse_path: &ReversePath,
    automatic: Automatic,
) -> ReportTo {
    let ReversePath::Path(sender) = reverse_path else {
        return ReportTo::Nobody("the mail has a null reverse path".to_owned());
    };
    let ours = || routing.serves(sender.domain()).then_some("the sender's address is one of this relay's");
    let reason = automatic.reason().or_else(ours);
    if let (Automatic::Report, Some(reason)) = (automatic, reason) {
        return ReportTo::Nobody(reason.to_owned());
    }
    match (settings.reports, reason) {
        (Reports::Off, _) => no_smarthost(),
        (Reports::Sender, None) => ReportTo::Sender(sender.clone()),
        (Reports::Sender, Some(reason)) => operator(settings, reason),
        (Reports::Operator, _) => operator(settings, "reports go to the operator"),
    }
}

/// For a form post, which has no sender to tell: the address that its account has for that, and the operator where
/// it has none.
pub(super) fn for_form(settings: &Settings, reports_to: Option<&MailAddress>) -> ReportTo {
    match (settings.reports, reports_to) {
        (Reports::Off, _) => no_smarthost(),
        // Written for this account, it counts more than `to = "operator"`, which is written for all.
        (Reports::Sender | Reports::Operator, Some(address)) => ReportTo::Sender(address.clone()),
        (Reports::Sender | Reports::Operator, None) => operator(settings, "a form post has no sender"),
    }
}

fn no_smarthost() -> ReportTo {
    ReportTo::Nobody("no smarthost is configured".to_owned())
}

fn operator(settings: &Settings, reason: &str) -> ReportTo {
    let to: Option<&MailAddress> = settings.operator.as_ref();
    to.cloned().map_or_else(
        || ReportTo::Nobody(format!("{reason}, and no operator address is configured")),
        ReportTo::Operator,
    )
}
