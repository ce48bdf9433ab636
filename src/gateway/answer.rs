//! What an answer of the platform means: the one place that reads a status line.
//!
//! | answer | send | status, credit |
//! |---|---|---|
//! | 2xx, readable | accepted or refused, as the body says | what it names |
//! | 2xx, not readable (204 among them) | unknown | can't tell |
//! | 3xx | gateway fault: no redirect is followed with credentials | can't tell |
//! | 400, 413, 422 | refused: it is this message that is wrong | can't tell |
//! | 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426 | gateway fault: key, credit, access, address or a proxy | 404 to a status: not known; else can't tell |
//! | 408, 423, 425, 429, any other 4xx, 5xx | later, with `Retry-After` | can't tell, with `Retry-After` |
//! | 409, 1xx, 600 and above | unknown: a conflict may be with our own earlier attempt | can't tell |
//!
//! What the table of the API leaves open is judged so that no message is lost and none sent twice:
//! an unclear 4xx is temporary (the message's lifetime ends it), a conflict is reconciled.
//!
//! Two limits are the contract's own. A 5xx counts as not taken, although a proxy may answer 502 or
//! 504 for a platform that did take the message; and any 404 to a status question counts as "not
//! known", even from a server that is not the platform. In both cases the message goes out again
//! under the same `messageId`.
//!
//! All doors that send are judged alike, but for 403, 404, 405 and 410 to a template, which are refusals. The legacy one counts instead of naming: as many processed as were handed over
//! is accepted, none is refused, and any other number is unknown for all of them, since nobody can say which it
//! means.
//!
//! The status class of a broken body holds: a 503 whose page was cut is still a 503.

use jiff::Timestamp;
use reqwest::StatusCode;

use super::legacy::{self, Processed};
use super::wire::{self, Verdict};
use super::words::{self, Blanked};
use crate::model::{Cause, CreditOutcome, MessageId, Reason, SendOutcome, StatusOutcome};
use crate::retry::retry_after;

/// An answer as it came.
pub(super) struct Answer {
    /// The status line's code.
    pub(super) status: StatusCode,
    /// `Retry-After`, when it was text.
    pub(super) retry_after: Option<String>,
    /// The body, or its beginning and why the rest is missing.
    pub(super) body: Body,
}

/// A body that was read up to the limit.
pub(super) enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// What came before it was too long, too slow or cut; and which.
    Part(Vec<u8>, String),
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// The request was not written: no name, no connection, no TLS. Why.
    NotConnected(String),
    /// The request may have been written. Why there is no answer.
    Lost(String),
}

/// The rows of the table above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Readable,
    Refused,
    Fault,
    Later,
    Unclear,
}

impl Class {
    fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Readable,
            300..=399 => Self::Fault,
            400 | 413 | 422 => Self::Refused,
            401..=407 | 410 | 411 | 415 | 421 | 426 => Self::Fault,
            409 => Self::Unclear,
            400..=599 => Self::Later,
            _ => Self::Unclear,
        }
    }
}

impl Body {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Whole(octets) | Self::Part(octets, _) => octets,
        }
    }

    /// All of it, or why not.
    fn whole(&self) -> Result<&[u8], String> {
        match self {
            Self::Whole(octets) => Ok(octets),
            Self::Part(_, why) => Err(why.clone()),
        }
    }
}

/// Judges what came of a call that sends `ours` by the universal API or as a template.
pub(super) fn send(
    called: Result<Answer, NoAnswer>,
    ours: &MessageId,
    blanked: &Blanked,
    now: Timestamp,
) -> SendOutcome {
    of_sending(called, blanked, now, |answer| match answer.body.whole().and_then(wire::read_send) {
        Ok(Verdict::Accepted { parts, unicode, message_id }) => {
            let platform_id = message_id.filter(|id| !id.eq_ignore_ascii_case(&ours.to_string()));
            SendOutcome::Accepted { parts, unicode, platform_id }
        }
        Ok(Verdict::NotAccepted(reasons)) => {
            let reasons = blanked.one_line(&reasons);
            let text = Reason::NotAccepted.words();
            match reasons {
                Some(reasons) => not_accepted(answer, text, Some(&reasons)),
                None => not_accepted(answer, &format!("{text} and gave no reason"), None),
            }
        }
        Err(why) => SendOutcome::Unknown(unreadable(answer, &why)),
    })
}

/// Judges what came of a call that sends `ours` as a template. What the account may not do or the platform does not
/// find here is the channel or the template, and no reason to stop the gateway's SMS: the message goes another way.
pub(super) fn send_template(
    called: Result<Answer, NoAnswer>,
    ours: &MessageId,
    blanked: &Blanked,
    now: Timestamp,
) -> SendOutcome {
    match called {
        Ok(answer) if matches!(answer.status.as_u16(), 403 | 404 | 405 | 410) => {
            let text = format!(
                "the SMS platform does not offer this channel or template to the account (HTTP {})",
                answer.status.as_u16()
            );
            not_accepted(&answer, &text, blanked.said(answer.body.octets()).as_deref())
        }
        called => send(called, ours, blanked, now),
    }
}

/// Judges what came of a call that sends `count` messages by the legacy API.
pub(super) fn send_many(
    called: Result<Answer, NoAnswer>,
    count: usize,
    blanked: &Blanked,
    now: Timestamp,
) -> SendOutcome {
    of_sending(called, blanked, now, |answer| match answer.body.whole().and_then(legacy::read_send) {
        Ok(Processed { messages: 0, .. }) if count > 0 => not_accepted(
            answer,
            &format!("the SMS platform processed none of {count} and gave no reason"),
            None,
        ),
        Ok(Processed { messages, parts }) if messages == count as u64 => {
            // The parts of several are told as one sum, which says nothing of each.
            SendOutcome::Accepted { parts: parts.filter(|_| count == 1), unicode: None, platform_id: None }
        }
        Ok(Processed { messages, .. }) => {
            let text =
                format!("the SMS platform processed {messages} of {count} messages; nobody can say which");
            let cause = Reason::Unclear.told(text);
            SendOutcome::Unknown(cause.with_diagnostic(diagnostic(answer.status, None)))
        }
        Err(why) => SendOutcome::Unknown(unreadable(answer, &why)),
    })
}

/// Judges a call that sends, whatever its door; `read` judges the body of a success.
fn of_sending(
    called: Result<Answer, NoAnswer>,
    blanked: &Blanked,
    now: Timestamp,
    read: impl FnOnce(&Answer) -> SendOutcome,
) -> SendOutcome {
    let answer = match called {
        Ok(answer) => answer,
        Err(NoAnswer::NotConnected(why)) => {
            return SendOutcome::Later { until: None, cause: not_connected(&why) };
        }
        Err(NoAnswer::Lost(why)) => return SendOutcome::Unknown(lost(&why)),
    };
    match Class::of(answer.status) {
        Class::Readable => read(&answer),
        Class::Refused => SendOutcome::Refused(cause(&answer, blanked)),
        Class::Fault => SendOutcome::GatewayFault(cause(&answer, blanked)),
        Class::Later => SendOutcome::Later { until: until(&answer, now), cause: cause(&answer, blanked) },
        Class::Unclear => SendOutcome::Unknown(cause(&answer, blanked)),
    }
}

/// A success that says no; `said` are the platform's words.
fn not_accepted(answer: &Answer, text: &str, said: Option<&str>) -> SendOutcome {
    let cause = Reason::NotAccepted.told(words::sentence(text, said));
    SendOutcome::Refused(cause.with_diagnostic(diagnostic(answer.status, said)))
}

/// Judges what came of a status call.
pub(super) fn status(called: Result<Answer, NoAnswer>, blanked: &Blanked, now: Timestamp) -> StatusOutcome {
    if let Ok(answer) = &called
        && answer.status == StatusCode::NOT_FOUND
    {
        return StatusOutcome::NotKnown;
    }
    match told(called, "status", wire::read_status, blanked, now) {
        Ok(status) => StatusOutcome::Known(status.shown_by(blanked)),
        Err((until, cause)) => StatusOutcome::CannotTell { until, cause },
    }
}

/// Judges what came of a question for the account's credit.
pub(super) fn credit(called: Result<Answer, NoAnswer>, blanked: &Blanked, now: Timestamp) -> CreditOutcome {
    match told(called, "credit", legacy::read_credit, blanked, now) {
        Ok(left) => CreditOutcome::Left(left),
        Err((until, cause)) => CreditOutcome::CannotTell { until, cause },
    }
}

/// What a question was answered, or until when not to ask again and why there is no `what`.
fn told<T>(
    called: Result<Answer, NoAnswer>,
    what: &str,
    read: impl FnOnce(&[u8]) -> Result<T, String>,
    blanked: &Blanked,
    now: Timestamp,
) -> Result<T, (Option<Timestamp>, Cause)> {
    let answer = match called {
        Ok(answer) => answer,
        Err(NoAnswer::NotConnected(why)) => return Err((None, not_connected(&why))),
        Err(NoAnswer::Lost(why)) => {
            return Err((None, Reason::AnswerLost.told(format!("the SMS platform gave no {what}: {why}"))));
        }
    };
    match Class::of(answer.status) {
        Class::Readable => {
            answer.body.whole().and_then(read).map_err(|why| (None, unreadable(&answer, &why)))
        }
        Class::Refused | Class::Fault | Class::Later | Class::Unclear => {
            // A refusal of a question is not a refusal of the message: never permanent.
            let mut cause = cause(&answer, blanked);
            cause.status = Reason::PlatformFault.status();
            cause.text = words::sentence(
                &format!("the SMS platform gave no {what} (HTTP {})", answer.status.as_u16()),
                blanked.said(answer.body.octets()).as_deref(),
            );
            Err((until(&answer, now), cause))
        }
    }
}

/// A status whose description may be shown.
trait Shown {
    fn shown_by(self, blanked: &Blanked) -> Self;
}

impl Shown for crate::model::DeliveryStatus {
    fn shown_by(self, blanked: &Blanked) -> Self {
        let shown = |words: String| words::without_numbers(&blanked.one_line(&[words]).unwrap_or_default());
        match self {
            Self::Undeliverable(words) => Self::Undeliverable(shown(words)),
            Self::Expired(words) => Self::Expired(shown(words)),
            Self::Delivered | Self::Sent | Self::NotYetAvailable => self,
        }
    }
}

fn not_connected(why: &str) -> Cause {
    Reason::NotReached.because(why)
}

fn lost(why: &str) -> Cause {
    Reason::AnswerLost.because(why)
}

fn unreadable(answer: &Answer, why: &str) -> Cause {
    let text = format!(
        "the SMS platform answered HTTP {}, but its answer could not be read: {why}",
        answer.status.as_u16()
    );
    Reason::Unreadable.told(text).with_diagnostic(diagnostic(answer.status, None))
}

/// The sentence, code and platform's words for every answer that is not a readable 2xx.
fn cause(answer: &Answer, blanked: &Blanked) -> Cause {
    let said = blanked.said(answer.body.octets());
    let code = answer.status.as_u16();
    let reason = match Class::of(answer.status) {
        Class::Refused => Reason::Refused,
        Class::Fault => Reason::GatewayFault,
        Class::Later if matches!(code, 408 | 423 | 425 | 429 | 503) => Reason::NotNow,
        Class::Later => Reason::PlatformFault,
        Class::Readable | Class::Unclear => Reason::Unclear,
    };
    let text = if reason == Reason::GatewayFault {
        fault_text(code)
    } else {
        format!("{} (HTTP {code})", reason.words())
    };
    reason
        .told(words::sentence(&text, said.as_deref()))
        .with_diagnostic(diagnostic(answer.status, said.as_deref()))
}

/// Says what whoever runs the relay has to look at.
fn fault_text(code: u16) -> String {
    let what = match code {
        300..=399 => "points to another address, which is not followed; correct the gateway's base_url",
        401 => "does not accept the gateway's credentials",
        402 => "asks for payment; check the account's credit",
        403 => "denies access; check the account and its list of allowed addresses",
        407 => "is behind a proxy that asks for credentials",
        _ => "does not offer its API at the gateway's base_url",
    };
    format!("the SMS platform {what} (HTTP {code})")
}

/// `http 422 Unprocessable Entity: invalid destination`.
fn diagnostic(status: StatusCode, words: Option<&str>) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    format!("http {}{reason}{words}", status.as_u16())
}

fn until(answer: &Answer, now: Timestamp) -> Option<Timestamp> {
    retry_after(answer.retry_after.as_deref()?, now)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
