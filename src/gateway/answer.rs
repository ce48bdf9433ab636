//! What an answer of the platform means: the one place that reads a status line.
//!
//! | answer | send | status |
//! |---|---|---|
//! | 2xx, readable | accepted or refused, as the body says | the status it names |
//! | 2xx, not readable (204 among them) | unknown | can't tell |
//! | 3xx | gateway fault: no redirect is followed with credentials | can't tell |
//! | 400, 413, 422 | refused: it is this message that is wrong | can't tell |
//! | 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426 | gateway fault: key, credit, access, address or a proxy | 404: not known; else can't tell |
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
//! The status class of a broken body holds: a 503 whose page was cut is still a 503.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;

use super::wire::{self, Verdict};
use super::words::{self, Blanked};
use crate::model::{Cause, EnhancedStatus, SendOutcome, StatusOutcome};

/// A platform that asks for more patience than this is asked again after it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Other mail system problem of the next system, temporary (RFC 3463 section 3.4).
const SYSTEM_FAULT: EnhancedStatus = EnhancedStatus::new(4, 3, 0);
/// System not accepting messages now.
const NOT_NOW: EnhancedStatus = EnhancedStatus::new(4, 3, 2);
/// System incorrectly configured; temporary, because the message waits until somebody mends it.
const MISCONFIGURED: EnhancedStatus = EnhancedStatus::new(4, 3, 5);
/// No answer from host.
const NO_ANSWER: EnhancedStatus = EnhancedStatus::new(4, 4, 1);
/// Bad connection.
const BAD_CONNECTION: EnhancedStatus = EnhancedStatus::new(4, 4, 2);

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

/// Judges what came of a send call.
pub(super) fn send(called: Result<Answer, NoAnswer>, blanked: &Blanked, now: Timestamp) -> SendOutcome {
    let answer = match called {
        Ok(answer) => answer,
        Err(NoAnswer::NotConnected(why)) => {
            return SendOutcome::Later { until: None, cause: not_connected(&why) };
        }
        Err(NoAnswer::Lost(why)) => return SendOutcome::Unknown(lost(&why)),
    };
    match Class::of(answer.status) {
        Class::Readable => match answer.body.whole().and_then(wire::read_send) {
            Ok(Verdict::Accepted { parts, unicode }) => SendOutcome::Accepted { parts, unicode },
            Ok(Verdict::NotAccepted(reasons)) => {
                let reasons = blanked.one_line(&reasons);
                let text = match &reasons {
                    Some(_) => "the SMS platform did not accept the message",
                    None => "the SMS platform did not accept the message and gave no reason",
                };
                let cause = Cause::new(
                    EnhancedStatus::REFUSED_BY_NEXT_SYSTEM,
                    words::sentence(text, reasons.as_deref()),
                );
                SendOutcome::Refused(cause.with_diagnostic(diagnostic(answer.status, reasons.as_deref())))
            }
            Err(why) => SendOutcome::Unknown(unreadable(&answer, &why)),
        },
        Class::Refused => SendOutcome::Refused(cause(&answer, blanked)),
        Class::Fault => SendOutcome::GatewayFault(cause(&answer, blanked)),
        Class::Later => SendOutcome::Later { until: until(&answer, now), cause: cause(&answer, blanked) },
        Class::Unclear => SendOutcome::Unknown(cause(&answer, blanked)),
    }
}

/// Judges what came of a status call.
pub(super) fn status(called: Result<Answer, NoAnswer>, blanked: &Blanked, now: Timestamp) -> StatusOutcome {
    let answer = match called {
        Ok(answer) => answer,
        Err(NoAnswer::NotConnected(why)) => {
            return StatusOutcome::CannotTell { until: None, cause: not_connected(&why) };
        }
        Err(NoAnswer::Lost(why)) => {
            let text = format!("the SMS platform gave no status: {why}");
            return StatusOutcome::CannotTell { until: None, cause: Cause::new(BAD_CONNECTION, text) };
        }
    };
    if answer.status == StatusCode::NOT_FOUND {
        return StatusOutcome::NotKnown;
    }
    match Class::of(answer.status) {
        Class::Readable => match answer.body.whole().and_then(wire::read_status) {
            Ok(status) => StatusOutcome::Known(status.shown_by(blanked)),
            Err(why) => StatusOutcome::CannotTell { until: None, cause: unreadable(&answer, &why) },
        },
        Class::Refused | Class::Fault | Class::Later | Class::Unclear => {
            // A refusal of a question is not a refusal of the message: never permanent.
            let mut cause = cause(&answer, blanked);
            cause.status = SYSTEM_FAULT;
            cause.text = words::sentence(
                &format!("the SMS platform gave no status (HTTP {})", answer.status.as_u16()),
                blanked.said(answer.body.octets()).as_deref(),
            );
            StatusOutcome::CannotTell { until: until(&answer, now), cause }
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
    Cause::new(NO_ANSWER, format!("the SMS platform could not be reached: {why}"))
}

fn lost(why: &str) -> Cause {
    Cause::new(
        BAD_CONNECTION,
        format!("the SMS platform may have taken the message, but its answer was lost: {why}"),
    )
}

fn unreadable(answer: &Answer, why: &str) -> Cause {
    let text = format!(
        "the SMS platform answered HTTP {}, but its answer could not be read: {why}",
        answer.status.as_u16()
    );
    Cause::new(SYSTEM_FAULT, text).with_diagnostic(diagnostic(answer.status, None))
}

/// The sentence, code and platform's words for every answer that is not a readable 2xx.
fn cause(answer: &Answer, blanked: &Blanked) -> Cause {
    let said = blanked.said(answer.body.octets());
    let code = answer.status.as_u16();
    let (status, text) = match Class::of(answer.status) {
        Class::Refused => (
            EnhancedStatus::REFUSED_BY_NEXT_SYSTEM,
            format!("the SMS platform refused the message (HTTP {code})"),
        ),
        Class::Fault => (MISCONFIGURED, fault_text(code)),
        Class::Later if matches!(code, 408 | 423 | 425 | 429 | 503) => {
            (NOT_NOW, format!("the SMS platform takes no messages now (HTTP {code})"))
        }
        Class::Later => (SYSTEM_FAULT, format!("the SMS platform has a fault (HTTP {code})")),
        Class::Readable | Class::Unclear => {
            (SYSTEM_FAULT, format!("the SMS platform's answer is not clear (HTTP {code})"))
        }
    };
    Cause::new(status, words::sentence(&text, said.as_deref()))
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

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date. At most a day ahead.
/// `None` for anything else, and for a time that has already come: then our own waits hold.
fn retry_after(value: &str, now: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    let most = now.checked_add(MAX_RETRY_AFTER).ok()?;
    let until = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // Too many digits for a number are still only a long time.
        let seconds = value.parse().unwrap_or(u64::MAX).min(MAX_RETRY_AFTER.as_secs());
        now.checked_add(Duration::from_secs(seconds)).ok()?
    } else {
        Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?
    };
    (until > now).then_some(until.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeliveryStatus, Secret};

    const ACCEPTED: &str = r#"{"results":{"sms":{"accepted":true,"unicode":false,"parts":1,"reasons":[]}}}"#;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn answer(code: u16, retry_after: Option<&str>, body: &str) -> Result<Answer, NoAnswer> {
        Ok(Answer {
            status: StatusCode::from_u16(code).unwrap(),
            retry_after: retry_after.map(str::to_owned),
            body: Body::Whole(body.as_bytes().to_vec()),
        })
    }

    fn sent(code: u16, retry_after: Option<&str>, body: &str) -> SendOutcome {
        send(answer(code, retry_after, body), &Blanked(vec![Secret::from("hunter2")]), now())
    }

    fn asked(code: u16, retry_after: Option<&str>, body: &str) -> StatusOutcome {
        status(answer(code, retry_after, body), &Blanked(Vec::new()), now())
    }

    fn kind(outcome: &SendOutcome) -> &'static str {
        match outcome {
            SendOutcome::Accepted { .. } => "accepted",
            SendOutcome::Refused(_) => "refused",
            SendOutcome::Later { .. } => "later",
            SendOutcome::GatewayFault(_) => "fault",
            SendOutcome::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn every_status_code_has_the_class_of_the_table() {
        for (expected, codes) in [
            ("accepted", &[200, 201, 202, 203, 206][..]),
            ("fault", &[300, 301, 302, 303, 304, 307, 308]),
            ("fault", &[401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426]),
            ("refused", &[400, 413, 422]),
            ("later", &[408, 423, 425, 429, 412, 414, 418, 451, 499, 500, 501, 502, 503, 504, 520, 599]),
            ("unknown", &[101, 409, 600, 999]),
        ] {
            for code in codes {
                assert_eq!(kind(&sent(*code, None, ACCEPTED)), expected, "{code}");
            }
        }
        assert_eq!(kind(&sent(204, None, "")), "unknown");
        assert_eq!(kind(&sent(200, None, "")), "unknown");
        assert_eq!(kind(&sent(200, None, "<html>")), "unknown");
    }

    #[test]
    fn a_refusal_tells_people_why_and_keeps_the_number_for_the_diagnostic() {
        let body = r#"{"results":{"sms":{"accepted":false,"reasons":["Invalid destination +393471234567","key hunter2"]}}}"#;
        assert_eq!(
            sent(200, None, body),
            SendOutcome::Refused(Cause {
                text: "the SMS platform did not accept the message: Invalid destination •••; key •••"
                    .to_owned(),
                status: EnhancedStatus::new(5, 3, 0),
                diagnostic: Some("http 200 OK: Invalid destination +393471234567; key •••".to_owned()),
            })
        );
        assert_eq!(
            sent(422, None, r#"{"message":"invalid destination"}"#),
            SendOutcome::Refused(Cause {
                text: "the SMS platform refused the message (HTTP 422): invalid destination".to_owned(),
                status: EnhancedStatus::new(5, 3, 0),
                diagnostic: Some("http 422 Unprocessable Entity: invalid destination".to_owned()),
            })
        );
        assert_eq!(
            sent(200, None, r#"{"results":[{"accepted":false}]}"#),
            SendOutcome::Refused(Cause {
                text: "the SMS platform did not accept the message and gave no reason".to_owned(),
                status: EnhancedStatus::new(5, 3, 0),
                diagnostic: Some("http 200 OK".to_owned()),
            })
        );
    }

    #[test]
    fn a_fault_says_what_to_look_at() {
        let SendOutcome::GatewayFault(cause) =
            sent(401, None, r#"{"status":"fail","data":{"authentication":"Invalid or missing API key"}}"#)
        else {
            panic!("a 401 is a fault of the gateway");
        };
        assert_eq!(
            cause.text,
            "the SMS platform does not accept the gateway's credentials (HTTP 401): authentication: Invalid or missing API key"
        );
        assert_eq!(cause.status.to_string(), "4.3.5");
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded_to_a_day() {
        for (value, expected) in [
            ("1", Some("2026-01-02T03:04:06Z")),
            (" 120 ", Some("2026-01-02T03:06:05Z")),
            ("86400", Some("2026-01-03T03:04:05Z")),
            ("86401", Some("2026-01-03T03:04:05Z")),
            ("99999999999999999999999999", Some("2026-01-03T03:04:05Z")),
            ("Fri, 02 Jan 2026 03:05:05 GMT", Some("2026-01-02T03:05:05Z")),
            ("Friday, 02-Jan-26 03:05:05 GMT", Some("2026-01-02T03:05:05Z")),
            ("Fri Jan  2 03:05:05 2026", Some("2026-01-02T03:05:05Z")),
            ("Thu, 01 Jan 2099 00:00:00 GMT", Some("2026-01-03T03:04:05Z")),
            ("Thu, 01 Jan 2026 00:00:00 GMT", None),
            ("Fri, 02 Jan 2026 03:04:05 GMT", None),
            ("0", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("١٢", None),
        ] {
            let expected: Option<Timestamp> = expected.map(|at| at.parse().unwrap());
            assert_eq!(retry_after(value, now()), expected, "{value}");
        }
        assert_eq!(retry_after("5", Timestamp::MAX), None);
    }

    #[test]
    fn retry_after_holds_for_every_answer_that_means_later_and_for_no_other() {
        for code in [408, 429, 500, 503] {
            let SendOutcome::Later { until, .. } = sent(code, Some("60"), "") else { panic!("{code}") };
            assert_eq!(until, Some("2026-01-02T03:05:05Z".parse().unwrap()), "{code}");
        }
        assert_eq!(kind(&sent(401, Some("60"), "")), "fault");
    }

    #[test]
    fn a_broken_body_leaves_a_success_unknown_and_any_other_class_as_it_is() {
        let broken = |code| {
            let answer = Answer {
                status: StatusCode::from_u16(code).unwrap(),
                retry_after: None,
                body: Body::Part(ACCEPTED.as_bytes().to_vec(), "it is too long".to_owned()),
            };
            send(Ok(answer), &Blanked(Vec::new()), now())
        };
        assert_eq!(
            broken(200),
            SendOutcome::Unknown(
                Cause::new(
                    EnhancedStatus::new(4, 3, 0),
                    "the SMS platform answered HTTP 200, but its answer could not be read: it is too long"
                )
                .with_diagnostic("http 200 OK")
            )
        );
        assert_eq!(kind(&broken(422)), "refused");
        assert_eq!(kind(&broken(503)), "later");
        assert_eq!(kind(&broken(401)), "fault");
    }

    #[test]
    fn only_a_request_that_was_never_written_may_be_tried_again_without_asking() {
        let none = Blanked(Vec::new());
        assert_eq!(
            send(Err(NoAnswer::NotConnected("Connection refused".to_owned())), &none, now()),
            SendOutcome::Later {
                until: None,
                cause: Cause::new(
                    EnhancedStatus::new(4, 4, 1),
                    "the SMS platform could not be reached: Connection refused"
                )
            }
        );
        assert_eq!(
            send(Err(NoAnswer::Lost("no answer in time".to_owned())), &none, now()),
            SendOutcome::Unknown(Cause::new(
                EnhancedStatus::new(4, 4, 2),
                "the SMS platform may have taken the message, but its answer was lost: no answer in time"
            ))
        );
    }

    #[test]
    fn a_status_is_known_not_known_or_cannot_be_told() {
        assert_eq!(
            asked(200, None, r#"{"deliveryStatus":"SENT"}"#),
            StatusOutcome::Known(DeliveryStatus::Sent)
        );
        assert_eq!(
            asked(
                200,
                None,
                r#"{"deliveryStatus":"ERROR","deliveryStatusDescription":"no such\nnumber 393471234567"}"#
            ),
            StatusOutcome::Known(DeliveryStatus::Undeliverable("no such number •••".to_owned()))
        );
        assert_eq!(asked(404, None, "<html>"), StatusOutcome::NotKnown);
        for code in [200, 204, 301, 400, 401, 403, 409, 410, 422, 500] {
            let StatusOutcome::CannotTell { until, cause } = asked(code, None, "") else { panic!("{code}") };
            assert_eq!((until, cause.status.class), (None, 4), "{code}");
        }
        let StatusOutcome::CannotTell { until, cause } = asked(429, Some("60"), r#"{"message":"slow down"}"#)
        else {
            panic!("a 429 tells nothing about the message");
        };
        assert_eq!(until, Some("2026-01-02T03:05:05Z".parse().unwrap()));
        assert_eq!(cause.text, "the SMS platform gave no status (HTTP 429): slow down");
        assert_eq!(cause.diagnostic.as_deref(), Some("http 429 Too Many Requests: slow down"));
    }
}
