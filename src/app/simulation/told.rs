//! Whether everybody was told exactly what was due.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Known;
use crate::model::{EnhancedStatus, MailAddress, ReportTo, State};
use crate::spool::SubmissionView;

/// How a piece of a text ended, as far as reports care.
enum Piece {
    Failed,
    Succeeded,
    Nothing,
}

fn piece(known: &Known) -> Piece {
    let status: Option<EnhancedStatus> =
        known.view.as_ref().and_then(|view| Some(view.cause.as_ref()?.status));
    match (known.state, status.map(|status| status.class)) {
        (State::Final(crate::model::FinalState::Cancelled), _) => Piece::Nothing,
        (_, Some(2)) => Piece::Succeeded,
        _ => Piece::Failed,
    }
}

/// Compares the mails of one submission with what became of its SMS.
pub(super) fn check(sms: &[&Known], to: &ReportTo, view: &SubmissionView) {
    let address: Option<&MailAddress> = match to {
        ReportTo::Sender(address) | ReportTo::Operator(address) => Some(address),
        ReportTo::Nobody(_) => None,
    };
    for mail in &view.mails {
        assert_eq!(Some(&mail.mail.recipient), address, "told to whom it is due");
    }
    let mut texts: BTreeMap<(&str, &str, bool), Vec<&Known>> = BTreeMap::new();
    let mut recipients: BTreeMap<&str, Vec<&Known>> = BTreeMap::new();
    for one in sms.iter().copied() {
        texts.entry((&one.recipient, one.phone.as_str(), one.is_escalation())).or_default().push(one);
        if !one.is_escalation() && one.same_as.is_none() {
            recipients.entry(&one.recipient).or_default().push(one);
        }
    }
    let phones =
        |of: &[&Known]| of.iter().map(|one| one.phone.as_str().to_owned()).collect::<BTreeSet<_>>().len();
    let is_expanded = |address: &str| {
        recipients
            .get(address)
            .is_some_and(|of| phones(of) > 1 && of.iter().any(|one| one.notify.wants_success()))
    };
    for address in recipients.keys() {
        let mails: Vec<_> = recipients[address].iter().map(|one| one.mails("expansion ")).collect();
        let is_due = is_expanded(address) && !matches!(to, ReportTo::Nobody(_));
        let is_right = mails.iter().all(|told| told.len() == usize::from(is_due) && *told == mails[0]);
        assert!(is_right, "{address}: told of its expansion, with all that it came to: {mails:?}");
    }
    for ((recipient, phone, is_escalation), pieces) in texts {
        let what = format!("{} {recipient} {phone} escalation: {is_escalation}", pieces[0].id);
        let notify = pieces[0].notify;
        let of =
            |is: fn(&Piece) -> bool| pieces.iter().filter(move |one| is(&piece(one))).collect::<Vec<_>>();
        let failed = of(|piece| matches!(piece, Piece::Failed));
        let succeeded = of(|piece| matches!(piece, Piece::Succeeded));
        let mails = |of: &[&&Known]| of.iter().flat_map(|one| one.mails("")).collect::<BTreeSet<_>>();
        let is_due = address.is_some() && notify.wants_failure() && !failed.is_empty();
        let told = mails(&failed);
        assert_eq!(told.len(), usize::from(is_due), "{what}: told of its failure: {told:?}");
        check_mails(view, &told, &failed, &["failed"]);
        let wants = notify.wants_success() && (is_escalation || !is_expanded(recipient));
        let is_due = address.is_some() && wants && failed.is_empty() && !succeeded.is_empty();
        let told = mails(&succeeded);
        assert_eq!(told.len(), usize::from(is_due), "{what}: told of its success: {told:?}");
        check_mails(view, &told, &succeeded, &["delivered", "relayed"]);
        let told: BTreeSet<_> = pieces.iter().flat_map(|one| one.mails("delay ")).collect();
        let may_be = address.is_some() && notify.wants_delay();
        assert!(told.len() <= usize::from(may_be), "{what}: told of its delay: {told:?}");
    }
}

/// Each of these mails has a block about one of these SMS with one of these actions.
fn check_mails(view: &SubmissionView, told: &BTreeSet<String>, of: &[&&Known], actions: &[&str]) {
    for id in told {
        let mail = view.mails.iter().find(|mail| mail.mail.id.to_string() == *id).expect("the mail is there");
        let text = String::from_utf8_lossy(&mail.mail.bytes);
        let is_about = |block: &str| {
            let has = |line: String| block.lines().any(|found| found == line);
            of.iter().any(|one| has(format!("X-Relay-Message-Id: {}", one.id)))
                && actions.iter().any(|action| has(format!("Action: {action}")))
        };
        assert!(text.split("\r\n\r\n").any(is_about), "{id} says nothing of it: {text}");
    }
}
