//! What an outcome means for the message and for the gate. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::Settings;
use crate::model::{
    Cause, DeliveryStatus, EnhancedStatus, FinalState, OnUnknown, Reason, SendOutcome, StatusOutcome, Way,
};
use crate::retry::{Answer, in_words, later};
use crate::spool::{Again, Claimed, Question, Step};

/// A shorter pause of a gateway is waited for; when it lasts longer, messages go by another gateway.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Failures of a gateway with one message in a row, after which the message goes by its other gateways first. One
/// message never opens the circuit, so that this alone lets it leave a gateway that fails with it and works for all
/// others. As many as open the circuit: by then it has waited four times, ever longer, which outlasts a restart of the
/// platform and is little of its lifetime.
const FAILURES_TO_MOVE: u32 = 5;

/// What an outcome is judged by, besides itself.
pub(crate) struct Attempt<'a> {
    pub(crate) claimed: &'a Claimed,
    pub(crate) way: &'a Way,
    /// All gateways that there are.
    pub(crate) gateways: &'a [String],
    /// When the gateway last called back.
    pub(crate) last_callback: Option<Timestamp>,
}

/// What the gate learns from a call.
pub(crate) fn answer(outcome: &SendOutcome) -> Answer {
    match outcome {
        SendOutcome::Accepted { .. } | SendOutcome::Refused(_) => Answer::Working,
        SendOutcome::Later { until: Some(until), .. } => Answer::Pause(*until),
        SendOutcome::Later { until: None, cause } => failing(cause.clone()),
        SendOutcome::GatewayFault(cause) => Answer::Fault(cause.clone()),
        SendOutcome::Unknown(cause) => Answer::Broken(cause.clone()),
    }
}

/// What the gate learns from a call in which the platform did not do what it was asked for.
fn failing(cause: Cause) -> Answer {
    if cause.status == Reason::NotReached.status() {
        Answer::Unreachable(cause)
    } else {
        Answer::Failing(cause)
    }
}

/// The step that `outcome` leads to. `jitter` is a random number from 0 to 1.
pub(crate) fn after_send(
    outcome: SendOutcome,
    attempt: &Attempt<'_>,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> Step {
    let claimed = attempt.claimed;
    match outcome {
        SendOutcome::Accepted { .. } if claimed.sms.options.simulation => {
            simulated("checked by the platform as a simulation, not sent")
        }
        SendOutcome::Accepted { parts, unicode, platform_id } => {
            let (sent_at, note) = match (attempt.way, claimed.sms.options.scheduled_at) {
                (Way::Sms | Way::Legacy(_), Some(at)) if now < at => {
                    (at, format!("accepted by the platform, which is to send it at {at:.0}"))
                }
                (Way::Sms | Way::Legacy(_), _) => (now, "accepted by the platform".to_owned()),
                (Way::Template(template), _) => {
                    (now, format!("accepted by the platform for {}", template.channel))
                }
            };
            let ask_at = settings.plan.first_at(sent_at, attempt.last_callback);
            // One that may stay silent for a while only is asked about at the end of it.
            let ask_at = claimed.silence.map_or(ask_at, |silence| ask_at.min(later(sent_at, silence)));
            Step::Sent { parts, unicode, platform_id, ask_at, note }
        }
        SendOutcome::Refused(cause) if claimed.has_next_way => Step::NextWay { cause },
        SendOutcome::Refused(cause) => Step::Final { state: FinalState::Failed, cause },
        SendOutcome::Later { until, cause } => {
            let at = settings.backoff.next(now, claimed.attempt, jitter);
            // The gate keeps it back for as long as the platform asked. Where it has another gateway, a long
            // pause of this one is not its own.
            let has_others = attempt.gateways.len() > 1;
            let pause = until.filter(|until| !has_others || *until <= later(now, PATIENCE));
            let by = if until.is_none() { after_failure(&cause, attempt) } else { Again::InOrder };
            Step::Retry { at: at.max(pause.unwrap_or(now)), cause, by }
        }
        // The message is as good as before: it leaves as soon as a gate is open.
        SendOutcome::GatewayFault(cause) => Step::Retry { at: now, cause, by: Again::InOrder },
        SendOutcome::Unknown(cause) if claimed.sms.options.simulation => {
            check_again(cause, claimed.attempt, now, jitter, settings)
        }
        SendOutcome::Unknown(cause) => Step::Unknown { ask_at: later(now, settings.ask_after), cause },
    }
}

/// By which gateway a message goes again that one has failed with. Where nobody answers, the gate knows what to do.
fn after_failure(cause: &Cause, attempt: &Attempt<'_>) -> Again {
    let claimed = attempt.claimed;
    if !claimed.has_other_gateway || cause.status == Reason::NotReached.status() {
        Again::InOrder
    } else if claimed.failures.saturating_add(1) < FAILURES_TO_MOVE {
        Again::Counted
    } else {
        Again::OthersFirst { known: attempt.gateways.to_vec() }
    }
}

/// The end of a message that is only to be tried out.
pub(crate) fn simulated(text: &str) -> Step {
    Step::Final { state: FinalState::Cancelled, cause: Cause::new(EnhancedStatus::SUCCESS, text) }
}

/// The step of a message that was to be tried out and of which nobody knows whether that was done. The platform keeps
/// nothing of it that it could tell, and no phone can have got it: it may go again without a question, for as long as
/// it lives.
fn check_again(cause: Cause, attempt: u32, now: Timestamp, jitter: f64, settings: &Settings) -> Step {
    let text = format!("only tried out, so that it is checked again without asking: {}", cause.text);
    let at = settings.backoff.next(now, attempt, jitter);
    Step::Retry { at, cause: Cause { text, ..cause }, by: Again::InOrder }
}

/// The step of a message of unknown outcome about which nobody need be asked, as it was only to be tried out: an
/// earlier process ended during the call. `None` for all others.
pub(crate) fn unasked_simulation(
    question: &Question,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> Option<Step> {
    let cause = || Reason::AnswerLost.told("the relay ended during its call");
    question.is_simulation.then(|| check_again(cause(), question.attempt, now, jitter, settings))
}

/// The step that an answer to "do you have it?" leads to, and what the gate learns from it.
pub(crate) fn after_question(
    outcome: StatusOutcome,
    question: &Question,
    now: Timestamp,
    jitter: f64,
    settings: &Settings,
) -> (Step, Option<Answer>) {
    let undecided = |until: Option<Timestamp>, cause: Cause| {
        if question.expires_at <= now {
            return expired(cause);
        }
        if later(question.since, settings.unknown_time) <= now {
            return undecidable(question.on_unknown, cause, now, settings.unknown_time);
        }
        let ask_at =
            settings.backoff.next(now, question.asked.saturating_add(1), jitter).max(until.unwrap_or(now));
        Step::AskAgain { ask_at: ask_at.min(deadline(question, settings)) }
    };
    match outcome {
        StatusOutcome::Known(
            DeliveryStatus::Delivered
            | DeliveryStatus::Sent
            | DeliveryStatus::Undeliverable(_)
            | DeliveryStatus::Expired(_),
        ) => {
            // Taken; tracking asks at once how it went.
            let note = "the platform has it, by its status endpoint".to_owned();
            (
                Step::Sent { parts: None, unicode: None, platform_id: None, ask_at: now, note },
                Some(Answer::Working),
            )
        }
        StatusOutcome::Known(DeliveryStatus::NotYetAvailable) => {
            let cause = Reason::NoStatusYet.cause();
            (undecided(None, cause), Some(Answer::Working))
        }
        StatusOutcome::NotKnown => {
            let cause = Reason::NotKnown.cause();
            // At once the first time. A platform that takes the message, gives an answer that can't
            // be read and then denies to know it would send it every few seconds otherwise.
            let at = match question.attempt.checked_sub(1) {
                None | Some(0) => now,
                Some(before) => settings.backoff.next(now, before, jitter),
            };
            // Not a word about the gate: a wrong base address gives the same answer.
            (Step::Retry { at, cause, by: Again::InOrder }, None)
        }
        StatusOutcome::CannotTell { until, cause } => {
            let answer = until.map_or_else(|| failing(cause.clone()), Answer::AskLater);
            (undecided(until, cause), Some(answer))
        }
    }
}

/// The step of a message of which the platform could not tell for `asked_for` whether it has it.
fn undecidable(choice: OnUnknown, cause: Cause, now: Timestamp, asked_for: Duration) -> Step {
    match choice {
        OnUnknown::Resend => {
            let text = format!("sent again, the platform cannot tell whether it has it: {}", cause.text);
            Step::Retry { at: now, cause: Cause { text, ..cause }, by: Again::Same }
        }
        OnUnknown::Fail => {
            let text = format!(
                "the platform could not tell for {} whether it has it; by the rule's choice it is not sent \
                 again: {}",
                in_words(asked_for),
                cause.text
            );
            // Nobody says that it was refused.
            let status = Reason::ExpiredUnknown.status();
            Step::Final { state: FinalState::Failed, cause: Cause { text, status, ..cause } }
        }
    }
}

/// When it is decided about a message of unknown outcome, whatever can be told by then: at the end of its lifetime, or
/// as soon as the rule would have it fail. That it is sent again is decided by an answer only, since it has to go by
/// the gateway that was asked.
fn deadline(question: &Question, settings: &Settings) -> Timestamp {
    match question.on_unknown {
        OnUnknown::Fail => question.expires_at.min(later(question.since, settings.unknown_time)),
        OnUnknown::Resend => question.expires_at,
    }
}

/// The step of a message of unknown outcome about which nobody may be asked now, for this reason, and which is
/// looked at again at `again_at`. `None` where it waits until then.
pub(crate) fn unasked(
    question: &Question,
    why: Cause,
    now: Timestamp,
    again_at: Timestamp,
    settings: &Settings,
) -> Option<Step> {
    let deadline = deadline(question, settings);
    if question.expires_at <= now {
        Some(expired(why))
    } else if deadline <= now {
        Some(undecidable(question.on_unknown, why, now, settings.unknown_time))
    } else {
        (deadline < again_at).then_some(Step::AskAgain { ask_at: deadline })
    }
}

fn expired(cause: Cause) -> Step {
    let why = Reason::ExpiredUnknown.because(&cause.text);
    Step::Final { state: FinalState::Expired, cause: Cause { diagnostic: cause.diagnostic, ..why } }
}

#[cfg(test)]
mod tests;
