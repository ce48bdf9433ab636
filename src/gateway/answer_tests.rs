//! Every answer of the platform, judged.

use super::*;
use crate::model::{DeliveryStatus, EnhancedStatus, Secret};

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
    send(answer(code, retry_after, body), &ours(), &Blanked(vec![Secret::from("hunter2")]), now())
}

fn ours() -> MessageId {
    "01ARZ3NDEKTSV4RRFFQ69G5FAV-1".parse().unwrap()
}

/// By the legacy door, so many at once.
fn sent_many(count: usize, code: u16, retry_after: Option<&str>, body: &str) -> SendOutcome {
    send_many(answer(code, retry_after, body), count, &Blanked(Vec::new()), now())
}

fn sent_template(code: u16, body: &str) -> SendOutcome {
    send_template(answer(code, None, body), &ours(), &Blanked(vec![Secret::from("hunter2")]), now())
}

fn credit_asked(code: u16, retry_after: Option<&str>, body: &str) -> CreditOutcome {
    credit(answer(code, retry_after, body), &Blanked(Vec::new()), now())
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
            text: "the SMS platform did not accept the message: Invalid destination •••; key •••".to_owned(),
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
        send(Ok(answer), &ours(), &Blanked(Vec::new()), now())
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
        send(Err(NoAnswer::NotConnected("Connection refused".to_owned())), &ours(), &none, now()),
        SendOutcome::Later {
            until: None,
            cause: Cause::new(
                EnhancedStatus::new(4, 4, 1),
                "the SMS platform could not be reached: Connection refused"
            )
        }
    );
    assert_eq!(
        send(Err(NoAnswer::Lost("no answer in time".to_owned())), &ours(), &none, now()),
        SendOutcome::Unknown(Cause::new(
            EnhancedStatus::new(4, 4, 2),
            "the SMS platform may have taken the message, but its answer was lost: no answer in time"
        ))
    );
}

#[test]
fn a_status_is_known_not_known_or_cannot_be_told() {
    assert_eq!(asked(200, None, r#"{"deliveryStatus":"SENT"}"#), StatusOutcome::Known(DeliveryStatus::Sent));
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

#[test]
fn an_id_of_the_platforms_own_is_kept_and_ours_is_not() {
    let id = |id: &str| {
        let body = format!(r#"{{"messageId":"{id}","results":{{"sms":{{"accepted":true}}}}}}"#);
        let SendOutcome::Accepted { platform_id, .. } = sent(200, None, &body) else { panic!("{body}") };
        platform_id
    };
    assert_eq!(id("msg_1234567890").as_deref(), Some("msg_1234567890"));
    assert_eq!(id("01ARZ3NDEKTSV4RRFFQ69G5FAV-1"), None);
    assert_eq!(id("01arz3ndektsv4rrffq69g5fav-1"), None);
    assert_eq!(id("01ARZ3NDEKTSV4RRFFQ69G5FAV-2").as_deref(), Some("01ARZ3NDEKTSV4RRFFQ69G5FAV-2"));
    assert_eq!(id(""), None);
}

#[test]
fn a_count_of_all_is_accepted_none_is_refused_and_any_other_is_unknown_for_all() {
    let counted = |count, processed: u64, parts: u32| {
        let body = format!(
            r#"{{"globalId":"g","processedMessages":{processed},"processedSmsParts":{parts},"credit":1.5}}"#
        );
        sent_many(count, 200, None, &body)
    };
    let accepted = |parts| SendOutcome::Accepted { parts, unicode: None, platform_id: None };
    assert_eq!(counted(1, 1, 2), accepted(Some(2)));
    assert_eq!(counted(3, 3, 6), accepted(None));
    assert_eq!(
        counted(3, 0, 0),
        SendOutcome::Refused(
            Cause::new(
                EnhancedStatus::new(5, 3, 0),
                "the SMS platform processed none of 3 and gave no reason"
            )
            .with_diagnostic("http 200 OK")
        )
    );
    for (processed, shown) in [(2, "2 of 3"), (4, "4 of 3"), (u64::MAX, "18446744073709551615 of 3")] {
        assert_eq!(
            counted(3, processed, 2),
            SendOutcome::Unknown(
                Cause::new(
                    EnhancedStatus::new(4, 3, 0),
                    format!("the SMS platform processed {shown} messages; nobody can say which")
                )
                .with_diagnostic("http 200 OK")
            )
        );
    }
    assert_eq!(kind(&sent_many(1, 200, None, ACCEPTED)), "unknown", "the answer of another door");
}

#[test]
fn the_legacy_doors_status_codes_are_judged_as_the_universal_ones() {
    let body = r#"{"processedMessages":1,"processedSmsParts":1,"credit":1}"#;
    for code in (100..=600).chain([999]) {
        let (many, one) = (sent_many(1, code, Some("60"), body), sent(code, Some("60"), ACCEPTED));
        assert_eq!(kind(&many), kind(&one), "{code}");
        if !(200..300).contains(&code) {
            let plain = |outcome: SendOutcome| format!("{outcome:?}").replace(body, "").replace(ACCEPTED, "");
            let silent = (sent_many(1, code, Some("60"), ""), sent(code, Some("60"), ""));
            assert_eq!(plain(silent.0), plain(silent.1), "{code}");
        }
    }
    let SendOutcome::Later { until, .. } = sent_many(2, 429, Some("60"), "") else { panic!("a 429") };
    assert_eq!(until, Some("2026-01-02T03:05:05Z".parse().unwrap()));
}

#[test]
fn a_template_that_the_account_does_not_have_is_refused_and_stops_no_sms() {
    for code in (300..=600).chain([999]) {
        let refused = [403, 404, 405, 410].contains(&code);
        let expected = if refused { "refused" } else { kind(&sent(code, None, "")) };
        assert_eq!(kind(&sent_template(code, "")), expected, "{code}");
    }
    assert_eq!(
        sent_template(404, r#"{"message":"template hunter2 of +393471234567"}"#),
        SendOutcome::Refused(
            Cause::new(
                EnhancedStatus::new(5, 3, 0),
                "the SMS platform does not offer this channel or template to the account (HTTP 404): template ••• of •••"
            )
            .with_diagnostic("http 404 Not Found: template ••• of +393471234567")
        )
    );
    let listed = r#"{"messageId":"msg_1","customerMessageId":"01ARZ3NDEKTSV4RRFFQ69G5FAV-1","results":[{"accepted":true,"channel":"rcs","statusCode":200}]}"#;
    assert_eq!(
        sent_template(200, listed),
        SendOutcome::Accepted { parts: None, unicode: None, platform_id: Some("msg_1".to_owned()) }
    );
}

#[test]
fn credit_is_told_or_cannot_be_told() {
    assert_eq!(
        credit_asked(200, None, r#"{"credit":1247.50}"#),
        CreditOutcome::Left(crate::model::Price::from_millionths(1_247_500_000))
    );
    for code in [200, 204, 301, 400, 401, 403, 404, 409, 422, 500] {
        let CreditOutcome::CannotTell { until, cause } = credit_asked(code, None, "") else {
            panic!("{code}")
        };
        assert_eq!((until, cause.status.class), (None, 4), "{code}");
    }
    let CreditOutcome::CannotTell { until, cause } = credit_asked(503, Some("60"), "") else {
        panic!("a 503 tells no credit");
    };
    assert_eq!(until, Some("2026-01-02T03:05:05Z".parse().unwrap()));
    assert_eq!(cause.text, "the SMS platform gave no credit (HTTP 503)");
    let lost = credit(Err(NoAnswer::Lost("cut".to_owned())), &Blanked(Vec::new()), now());
    let CreditOutcome::CannotTell { until: None, cause } = lost else { panic!("{lost:?}") };
    assert_eq!(cause.text, "the SMS platform gave no credit: cut");
}
