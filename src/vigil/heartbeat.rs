//! What is to be done about a test SMS, and what became of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::model::{FinalState, HoldReason, State, SubmissionId};
use crate::retry::later;
use crate::spool::{MessageView, SubmissionView};

/// A test whose time the relay missed by no more is made up for.
const MADE_UP_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A test that is further ahead than any can be was noted by a clock that has been put back since.
const LONGEST_AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// What is known of a test, also after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The last time of its schedule that is settled: sent, made up for, or let go.
    pub(super) at: Timestamp,
    /// Under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) open: Option<Open>,
    /// What became of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Last>,
    /// When it was known last that one was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delivered_at: Option<Timestamp>,
}

/// A test that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    /// What it was accepted as.
    pub(super) id: String,
    /// When.
    pub(super) sent_at: Timestamp,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    /// When that was known.
    pub(super) at: Timestamp,
    /// Why it failed; nothing where it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
}

/// What to do about a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// See what has become of the one under way.
    Look,
    /// Send the one of this time.
    Send(Timestamp),
    /// Let the one of this time go: it is too late for it.
    LetGo(Timestamp),
    /// Nothing before this time.
    Wait(Timestamp),
}

/// What has become of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not known before this time, unless it is delivered sooner.
    Open(Timestamp),
    /// The handset has it.
    Delivered,
    /// Why it counts as failed.
    Failed(String),
}

impl Known {
    /// Configured at `now`: the next time of its schedule is its first.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { at: now, open: None, last: None, delivered_at: None }
    }

    /// Forgets a time that a clock has noted which was put back by days since, so that no test waits until it comes
    /// again.
    pub(super) fn not_far_ahead(&mut self, now: Timestamp) {
        if self.at.duration_since(now) > LONGEST_AHEAD {
            self.at = now;
        }
    }

    /// What to do at `now`.
    pub(super) fn step(&self, schedule: &Schedule, now: Timestamp) -> Step {
        if self.open.is_some() {
            return Step::Look;
        }
        match schedule.last(now).filter(|due| *due > self.at) {
            Some(due) if now.duration_since(due) <= MADE_UP_FOR => Step::Send(due),
            Some(due) => Step::LetGo(due),
            None => Step::Wait(schedule.next(now).unwrap_or(Timestamp::MAX)),
        }
    }
}

impl Open {
    /// What has become of it. It has `within` from its acceptance on, and from `here_since` on, when the relay began to
    /// hear.
    pub(super) fn judge(
        &self,
        view: Option<&SubmissionView>,
        within: Duration,
        here_since: Timestamp,
        now: Timestamp,
    ) -> Verdict {
        let Some(view) = view else { return Verdict::Failed("the spool has nothing of it".to_owned()) };
        let deadline = later(self.sent_at.max(here_since), within);
        // What takes its place where it fails is no part of the test.
        let is_escalation = |sms: &&MessageView| sms.hold_reason == Some(HoldReason::Escalation);
        let all: Vec<&MessageView> = view.messages.iter().filter(|sms| !is_escalation(sms)).collect();
        if all.iter().any(|sms| sms.sms.options.simulation) {
            return Verdict::Failed("it was only simulated, and a simulation cannot be verified".to_owned());
        }
        let failed = all.iter().find(|sms| {
            matches!(
                sms.state,
                State::Final(FinalState::Failed | FinalState::Undelivered | FinalState::Expired)
            )
        });
        if let Some(failed) = failed {
            return Verdict::Failed(told(failed));
        }
        let delivered: Vec<Timestamp> = all.iter().filter_map(|sms| delivered_at(sms)).collect();
        if delivered.iter().any(|at| *at > deadline) {
            return Verdict::Failed("it was delivered too late".to_owned());
        }
        match all.iter().find(|sms| !matches!(sms.state, State::Final(_))) {
            None if delivered.is_empty() => {
                let why = all.first().map_or_else(|| "nothing was sent".to_owned(), |sms| told(sms));
                Verdict::Failed(why)
            }
            None => Verdict::Delivered,
            Some(waiting) if now >= deadline => Verdict::Failed(told(waiting)),
            Some(_) => Verdict::Open(deadline),
        }
    }

    /// When it was accepted, by a clock that may have been put back since.
    pub(super) fn not_after(self, now: Timestamp) -> Self {
        Self { sent_at: self.sent_at.min(now), ..self }
    }
}

/// Whether it is an id that the spool can be asked for.
pub(super) fn id(open: &Open) -> Option<SubmissionId> {
    open.id.parse().ok()
}

fn delivered_at(sms: &MessageView) -> Option<Timestamp> {
    let delivered = State::Final(FinalState::Delivered);
    let event = sms.events.iter().find(|event| event.state == delivered);
    (sms.state == delivered).then(|| event.map_or(Timestamp::MIN, |event| event.at))
}

/// Where an SMS is, in words.
fn told(sms: &MessageView) -> String {
    let cause = sms.cause.as_ref().map(|cause| format!(": {}", cause.text)).unwrap_or_default();
    match sms.state {
        State::Held => {
            let why = sms.hold_reason.map_or("held", HoldReason::as_str);
            format!("it is still held ({why})")
        }
        State::Folded => "it waits for a summary".to_owned(),
        State::Due | State::Claimed => format!("it was not taken by the platform in time{cause}"),
        State::Unknown => format!("whether the platform has it is unknown{cause}"),
        State::Sent => "the platform has it, and the handset did not confirm it in time".to_owned(),
        State::Final(FinalState::Cancelled) => format!("nothing was sent{cause}"),
        State::Final(_) => format!("it is {}{cause}", sms.state.as_str()),
    }
}
