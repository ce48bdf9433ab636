//! What of a case is told: one entry for each recipient and phone, whatever the number of SMS that its text
//! took.
//!
//! The worst of the pieces counts. Of one text a failure is told once, at once, and a delay once and not after
//! a failure; that it arrived is told when all of it has. Everything else is closed in silence.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Platforms;
use crate::bounce::{Action, ReportedRecipient};
use crate::model::{Cause, FinalState, MessageId, PhoneNumber, Recipient, State};
use crate::spool::{Case, News, Outcome};

/// What is done about the news of a case. All of it stands in exactly one of the lists, but for what waits.
#[derive(Debug, Default)]
pub(super) struct Verdict<'a> {
    /// What goes into the report, in the order of the SMS.
    pub(super) told: Vec<Told<'a>>,
    /// What is closed and told to nobody, with the reason for the log.
    pub(super) silent: Vec<(MessageId, News, &'static str)>,
}

/// What is told about one recipient and one phone.
#[derive(Debug)]
pub(super) struct Told<'a> {
    recipient: &'a Recipient,
    phone: &'a PhoneNumber,
    ids: Vec<MessageId>,
    texts: Vec<&'a str>,
    pub(super) action: Action,
    cause: &'a Cause,
    last_attempt_at: Option<Timestamp>,
    at: Timestamp,
    retry_until: Option<Timestamp>,
    gateway: Option<&'a str>,
    news: News,
}

const NOT_ASKED: &str = "the sender asked for none (NOTIFY)";
const FAILURE_TOLD: &str = "a failure of the same text was told before";
const DELAY_TOLD: &str = "a delay of the same text was told before";
const FAILED: &str = "another piece of the same text has failed";

/// Decides about every outcome of a case that somebody is to be told.
pub(super) fn judge(case: &Case) -> Verdict<'_> {
    let mut texts: Vec<Vec<&Outcome>> = Vec::new();
    // An expansion is told of the recipient, all else of one of its phones; an escalation is another text.
    let mut known: HashMap<(&str, Option<&PhoneNumber>, bool), usize> = HashMap::new();
    for outcome in &case.outcomes {
        let phone = (outcome.news != News::Expanded).then_some(&outcome.sms.destination);
        let text =
            *known.entry((&outcome.recipient.address, phone, outcome.is_escalation)).or_insert_with(|| {
                texts.push(Vec::new());
                texts.len() - 1
            });
        texts[text].push(outcome);
    }
    let mut verdict = Verdict::default();
    for text in &texts {
        verdict.add(text);
    }
    verdict
}

/// What an outcome is called. For an end the class of its status decides; a success without the handset's
/// word is `relayed` (RFC 3464 section 2.3.3).
fn action(outcome: &Outcome) -> Action {
    match (outcome.news, outcome.cause.status.class, outcome.state) {
        (News::Delayed, ..) => Action::Delayed,
        (News::Expanded, ..) => Action::Expanded,
        (News::Ended, 2, State::Final(FinalState::Delivered)) => Action::Delivered,
        (News::Ended, 2, _) => Action::Relayed,
        (News::Ended, ..) => Action::Failed,
    }
}

/// Whether the sender asked to be told of this (RFC 3461 section 4.1).
fn is_wanted(outcome: &Outcome) -> bool {
    let notify = outcome.recipient.notify;
    match action(outcome) {
        Action::Failed => notify.wants_failure(),
        Action::Delayed => notify.wants_delay(),
        Action::Delivered | Action::Relayed => notify.wants_success(),
        // Decided at acceptance, where the name was exchanged for its phones and `NOTIFY` with it.
        Action::Expanded => true,
    }
}

impl<'a> Verdict<'a> {
    /// Decides about the pieces of one text to one phone, or about the expansion of one recipient.
    fn add(&mut self, pieces: &[&'a Outcome]) {
        let (wanted, unwanted): (Vec<_>, Vec<_>) = pieces.iter().partition(|piece| is_wanted(piece));
        self.close(unwanted, NOT_ASKED);
        let of = |actions: &[Action]| -> Vec<&'a Outcome> {
            wanted.iter().copied().filter(|piece| actions.contains(&action(piece))).collect()
        };
        let failed = of(&[Action::Failed]);
        let any = |is: fn(&Outcome) -> bool| pieces.iter().any(|piece| is(piece));
        let failure_told = any(|piece| piece.siblings.failure_told > 0);
        let has_failed = any(|piece| piece.siblings.failed > 0 || action(piece) == Action::Failed);

        let delayed = of(&[Action::Delayed]);
        if failure_told || !failed.is_empty() {
            self.close(delayed, FAILED);
        } else if any(|piece| piece.siblings.delay_told) {
            self.close(delayed, DELAY_TOLD);
        } else {
            self.tell(&delayed);
        }
        if failure_told {
            self.close(failed, FAILURE_TOLD);
        } else {
            self.tell(&failed);
        }
        let arrived = of(&[Action::Relayed, Action::Delivered]);
        if has_failed {
            self.close(arrived, FAILED);
        } else if !any(|piece| piece.siblings.unfinished > 0) {
            self.tell(&arrived);
        }
        self.tell(&of(&[Action::Expanded]));
    }

    fn close(&mut self, outcomes: Vec<&'a Outcome>, why: &'static str) {
        self.silent.extend(outcomes.into_iter().map(|outcome| (outcome.sms.id, outcome.news, why)));
    }

    /// Tells of `pieces` as of one; nothing where there are none.
    fn tell(&mut self, pieces: &[&'a Outcome]) {
        // Of relayed and delivered, the one that says less is true of both.
        let relayed = pieces.iter().find(|piece| action(piece) == Action::Relayed);
        let Some(lead) = relayed.or_else(|| pieces.first()) else { return };
        let action = action(lead);
        let times = pieces.iter().map(|piece| piece.at);
        let at = match action {
            Action::Delivered | Action::Relayed => times.max(),
            Action::Failed | Action::Delayed | Action::Expanded => times.min(),
        };
        let mut texts = Vec::new();
        for piece in pieces {
            let body = piece.sms.text.body.as_str();
            // Several phones of one recipient get the same words; pieces of one text may be alike, too.
            if action != Action::Expanded || !texts.contains(&body) {
                texts.push(body);
            }
        }
        self.told.push(Told {
            recipient: &lead.recipient,
            phone: &lead.sms.destination,
            ids: pieces.iter().map(|piece| piece.sms.id).collect(),
            texts,
            action,
            cause: &lead.cause,
            last_attempt_at: pieces.iter().filter_map(|piece| piece.last_attempt_at).max(),
            at: at.unwrap_or(lead.at),
            retry_until: match action {
                Action::Delayed => pieces.iter().map(|piece| piece.expires_at).max(),
                Action::Failed | Action::Delivered | Action::Relayed | Action::Expanded => None,
            },
            gateway: lead.gateway.as_deref(),
            news: lead.news,
        });
    }

    /// What the report closes.
    pub(super) fn told_news(&self) -> Vec<(MessageId, News)> {
        self.told.iter().flat_map(|told| told.ids.iter().map(|id| (*id, told.news))).collect()
    }

    /// What is closed without one.
    pub(super) fn silent_news(&self) -> Vec<(MessageId, News)> {
        self.silent.iter().map(|(id, news, _)| (*id, *news)).collect()
    }
}

impl Told<'_> {
    /// As the report takes it.
    pub(super) fn reported<'b>(&'b self, platforms: &'b Platforms) -> ReportedRecipient<'b> {
        ReportedRecipient {
            ids: &self.ids,
            address: &self.recipient.address,
            orcpt: self.recipient.orcpt.as_ref(),
            phone: self.phone,
            texts: &self.texts,
            action: self.action,
            cause: self.cause,
            last_attempt_at: self.last_attempt_at,
            at: self.at,
            retry_until: self.retry_until,
            platform: self.gateway.and_then(|name| platforms.get(name)).map(String::as_str),
        }
    }
}

#[cfg(test)]
mod tests;
