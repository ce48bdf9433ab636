//! The platform's JSON: the universal send request that we write and the answers that we read. Requests of the
//! other doors stand in `legacy` and `template`.
//!
//! Reading is lenient where the platform may grow (unknown fields are ignored) and strict where we
//! depend on it: a field that we use and that has another type makes the answer unreadable, and
//! what an unreadable answer means is judged elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{DeliveryStatus, Sms};

/// Body of `POST /api/message-server/sms/send`. What has no value, or the platform's own default,
/// is left out; nothing is ever null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendRequest<'a> {
    destination: &'a str,
    sender: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_id: Option<&'a str>,
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    udh_data: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulation: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_notification: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placeholders: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_date: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skip_rcs_override: bool,
}

impl<'a> SendRequest<'a> {
    /// The request for `sms`.
    pub(super) fn of(sms: &'a Sms) -> Self {
        let options = &sms.options;
        Self {
            destination: sms.destination.as_str(),
            sender: sms.sender.as_str(),
            body: &sms.text.body,
            campaign_id: options.campaign_id.as_deref(),
            message_id: sms.id.to_string(),
            udh_data: options.udh_data.as_deref(),
            simulation: options.simulation,
            enable_notification: options.enable_notification,
            placeholders: options.placeholders.as_ref(),
            scheduled_date: options.scheduled_at.map(scheduled_date),
            skip_rcs_override: options.skip_rcs_override,
        }
    }
}

/// `yyyy-MM-dd HH:mm:ss.SSSZ` in UTC, the zone without a colon; what is finer than a millisecond
/// is cut off.
pub(super) fn scheduled_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%3f%z").to_string()
}

/// What a readable answer to a send call says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Accepted for sending; the platform's counts where it gave them.
    Accepted {
        parts: Option<u32>,
        unicode: Option<bool>,
        /// The `messageId` of the answer, whosever it is.
        message_id: Option<String>,
    },
    /// Not accepted, and why, in the platform's words; may be empty.
    NotAccepted(Vec<String>),
}

/// Longest `messageId` of the platform's that is kept, in characters.
const MAX_MESSAGE_ID: usize = 255;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendAnswer {
    results: Results,
    /// Of any type: an acceptance is no less one for an odd id.
    #[serde(default)]
    message_id: serde_json::Value,
}

/// The two shapes of `results`: by channel (SMS Universal) or a list (Quick Start).
#[derive(Deserialize)]
#[serde(untagged)]
enum Results {
    ByChannel(ByChannel),
    List(Vec<ListedResult>),
}

#[derive(Deserialize)]
struct ByChannel {
    sms: Option<ChannelResult>,
    rcs: Option<ChannelResult>,
    whatsapp: Option<ChannelResult>,
}

#[derive(Deserialize)]
struct ChannelResult {
    accepted: bool,
    parts: Option<u32>,
    unicode: Option<bool>,
    reasons: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedResult {
    accepted: bool,
    status_code: Option<u32>,
    reasons: Option<Vec<String>>,
}

/// Reads the answer to a send call in either shape. It counts as accepted when any channel
/// accepted: the account may try several for one message. Results about no channel say nothing.
///
/// # Errors
/// What could not be read, for the log.
pub(super) fn read_send(body: &[u8]) -> Result<Verdict, String> {
    let answer: SendAnswer = read(body)?;
    let message_id = message_id(&answer.message_id);
    match answer.results {
        Results::ByChannel(ByChannel { sms, rcs, whatsapp }) => {
            let channels: Vec<ChannelResult> = [sms, rcs, whatsapp].into_iter().flatten().collect();
            if channels.is_empty() {
                return Err("`results` names no channel".to_owned());
            }
            match channels.iter().find(|channel| channel.accepted) {
                Some(channel) => {
                    Ok(Verdict::Accepted { parts: channel.parts, unicode: channel.unicode, message_id })
                }
                None => Ok(Verdict::NotAccepted(
                    channels.into_iter().filter_map(|channel| channel.reasons).flatten().collect(),
                )),
            }
        }
        Results::List(list) if list.is_empty() => Err("`results` is empty".to_owned()),
        Results::List(list) if list.iter().any(|entry| entry.accepted) => {
            Ok(Verdict::Accepted { parts: None, unicode: None, message_id })
        }
        Results::List(list) => Ok(Verdict::NotAccepted(list.into_iter().flat_map(listed_reasons).collect())),
    }
}

/// An id worth keeping: a text of 1 to 255 characters, none of them a control character, without the blanks around it. `None` for anything
/// else; one that is cut would name nothing.
fn message_id(value: &serde_json::Value) -> Option<String> {
    let id = value.as_str()?.trim();
    let fits = (1..=MAX_MESSAGE_ID).contains(&id.chars().count()) && !id.contains(char::is_control);
    fits.then(|| id.to_owned())
}

/// The list's shape has a status code where the other has reasons.
fn listed_reasons(entry: ListedResult) -> Vec<String> {
    match (entry.reasons, entry.status_code) {
        (Some(reasons), _) if !reasons.is_empty() => reasons,
        (_, Some(code)) => vec![format!("statusCode {code}")],
        (_, None) => Vec::new(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusAnswer {
    delivery_status: String,
    delivery_status_description: Option<String>,
}

/// Reads the answer of the status endpoint. Dates are not read: they may be null, and the spool
/// keeps its own times.
///
/// A word that we don't know counts as "no status yet": the platform evidently has the message, so
/// it must not be sent again, and whatever the word means a later answer or the end of tracking
/// settles it.
///
/// # Errors
/// What could not be read, for the log.
pub(super) fn read_status(body: &[u8]) -> Result<DeliveryStatus, String> {
    let answer: StatusAnswer = read(body)?;
    let word = answer.delivery_status.trim().to_ascii_uppercase();
    let description = answer.delivery_status_description.unwrap_or_default();
    match word.as_str() {
        "" => Err("`deliveryStatus` is empty".to_owned()),
        "DELIVERED" => Ok(DeliveryStatus::Delivered),
        "SENT" => Ok(DeliveryStatus::Sent),
        "ERROR" => Ok(DeliveryStatus::Undeliverable(description)),
        "EXPIRED" => Ok(DeliveryStatus::Expired(description)),
        _ => Ok(DeliveryStatus::NotYetAvailable),
    }
}

/// JSON, where a byte order mark or an octet outside UTF-8 inside some words does no harm.
pub(super) fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, String> {
    let text = String::from_utf8_lossy(body);
    // The parser's own message may quote what it found; its kind and place are enough.
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Io | serde_json::error::Category::Syntax => "it is not JSON",
            serde_json::error::Category::Data => "it is not the JSON of this API",
            serde_json::error::Category::Eof => "it ends too early or is empty",
        };
        format!("{kind} (line {} column {})", error.line(), error.column())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, PhoneNumber, SenderId, SmsOptions, SmsText};

    fn sms(options: SmsOptions) -> Sms {
        Sms {
            id: "01ARZ3NDEKTSV4RRFFQ69G5FAV-2".parse().unwrap(),
            destination: PhoneNumber::from_e164("+393471234567").unwrap(),
            sender: SenderId::new("Alarm").unwrap(),
            text: SmsText { body: "Tür {1} \"auf\"".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options,
        }
    }

    fn written(options: SmsOptions) -> String {
        serde_json::to_string(&SendRequest::of(&sms(options))).unwrap()
    }

    #[test]
    fn what_has_no_value_is_left_out() {
        assert_eq!(
            written(SmsOptions::default()),
            r#"{"destination":"+393471234567","sender":"Alarm","body":"Tür {1} \"auf\"","messageId":"01ARZ3NDEKTSV4RRFFQ69G5FAV-2"}"#
        );
    }

    #[test]
    fn every_field_is_written_under_the_platforms_name() {
        let options = SmsOptions {
            campaign_id: Some("night".to_owned()),
            udh_data: Some("050003CC0201".to_owned()),
            simulation: true,
            enable_notification: Some(false),
            placeholders: Some(BTreeMap::from([("name".to_owned(), "Mario".to_owned())])),
            scheduled_at: Some("2025-10-01T11:00:00.1239+02:00".parse().unwrap()),
            skip_rcs_override: true,
        };
        assert_eq!(
            written(options),
            r#"{"destination":"+393471234567","sender":"Alarm","body":"Tür {1} \"auf\"","campaignId":"night","messageId":"01ARZ3NDEKTSV4RRFFQ69G5FAV-2","udhData":"050003CC0201","simulation":true,"enableNotification":false,"placeholders":{"name":"Mario"},"scheduledDate":"2025-10-01 09:00:00.123+0000","skipRcsOverride":true}"#
        );
    }

    #[test]
    fn a_whole_second_is_written_with_its_milliseconds() {
        assert_eq!(scheduled_date("2025-10-01T09:00:00Z".parse().unwrap()), "2025-10-01 09:00:00.000+0000");
    }

    #[test]
    fn both_shapes_of_an_answer_are_read() {
        let read = |text: &str| read_send(text.as_bytes());
        assert_eq!(
            read(
                r#"{"messageId":"m","simulation":false,"results":{"sms":{"accepted":true,"unicode":false,"parts":2,"reasons":[]},"new":1},"x":null}"#
            ),
            Ok(Verdict::Accepted { parts: Some(2), unicode: Some(false), message_id: Some("m".to_owned()) })
        );
        assert_eq!(
            read(
                r#"{"messageId":"m","customerMessageId":"c","results":[{"phoneNumber":"+39","accepted":true,"channel":"sms","statusCode":200}]}"#
            ),
            Ok(Verdict::Accepted { parts: None, unicode: None, message_id: Some("m".to_owned()) })
        );
        assert_eq!(
            read(r#"{"results":{"sms":{"accepted":false,"reasons":["a","b"]}}}"#),
            Ok(Verdict::NotAccepted(vec!["a".to_owned(), "b".to_owned()]))
        );
        assert_eq!(
            read(r#"{"results":[{"accepted":false,"statusCode":422},{"accepted":false,"reasons":["no"]}]}"#),
            Ok(Verdict::NotAccepted(vec!["statusCode 422".to_owned(), "no".to_owned()]))
        );
        assert_eq!(
            read("\u{feff}{\"results\":{\"sms\":{\"accepted\":true,\"parts\":null}}}"),
            Ok(Verdict::Accepted { parts: None, unicode: None, message_id: None })
        );
        assert_eq!(
            read(
                r#"{"results":{"rcs":{"accepted":false,"reasons":["no"]},"sms":{"accepted":true,"parts":1}}}"#
            ),
            Ok(Verdict::Accepted { parts: Some(1), unicode: None, message_id: None })
        );
        assert_eq!(
            read(r#"{"results":{"whatsapp":{"accepted":false,"reasons":["a"]}}}"#),
            Ok(Verdict::NotAccepted(vec!["a".to_owned()]))
        );
    }

    #[test]
    fn an_odd_id_takes_nothing_from_an_acceptance() {
        let id = |id: serde_json::Value| {
            let answer = serde_json::json!({"messageId": id, "results": {"sms": {"accepted": true}}});
            let Ok(Verdict::Accepted { message_id, .. }) = read_send(answer.to_string().as_bytes()) else {
                panic!("{answer}")
            };
            message_id
        };
        let long = "x".repeat(255);
        assert_eq!(id(format!(" {long}\t").into()), Some(long));
        for odd in [
            "x".repeat(256).into(),
            " ".into(),
            "a\nb".into(),
            7.into(),
            serde_json::Value::Null,
            serde_json::json!(["m"]),
        ] {
            assert_eq!(id(odd), None);
        }
    }

    #[test]
    fn an_answer_with_wrong_types_or_without_a_verdict_is_unreadable() {
        for wrong in [
            "",
            "null",
            "{}",
            "[]",
            r#"{"results":null}"#,
            r#"{"results":{}}"#,
            r#"{"results":[]}"#,
            r#"{"results":{"sms":null}}"#,
            r#"{"results":{"sms":{"accepted":"true"}}}"#,
            r#"{"results":{"sms":{"accepted":1}}}"#,
            r#"{"results":{"sms":{"accepted":true,"parts":"1"}}}"#,
            r#"{"results":{"sms":{"accepted":true,"parts":-1}}}"#,
            r#"{"results":{"sms":{"accepted":false,"reasons":"no"}}}"#,
            r#"{"results":{"sms":{"accepted":true,"accepted":false}}}"#,
            r#"{"results":[{"accepted":true},7]}"#,
            r#"{"results":{"sms":{"accepted":true}}"#,
        ] {
            assert!(read_send(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(read_send(b"{").unwrap_err(), "it ends too early or is empty (line 1 column 1)");
        assert_eq!(read_send(b"<html>").unwrap_err(), "it is not JSON (line 1 column 1)");
    }

    #[test]
    fn every_delivery_status_is_read() {
        let read = |word: &str| {
            read_status(
                format!(
                    r#"{{"deliveryStatus":"{word}","deliveryStatusDescription":"why","deliveryDate":null}}"#
                )
                .as_bytes(),
            )
        };
        assert_eq!(read("DELIVERED"), Ok(DeliveryStatus::Delivered));
        assert_eq!(read("sent"), Ok(DeliveryStatus::Sent));
        assert_eq!(read("ERROR"), Ok(DeliveryStatus::Undeliverable("why".to_owned())));
        assert_eq!(read("EXPIRED"), Ok(DeliveryStatus::Expired("why".to_owned())));
        assert_eq!(read("UNKNOWN"), Ok(DeliveryStatus::NotYetAvailable));
        assert_eq!(read("BUFFERED"), Ok(DeliveryStatus::NotYetAvailable));
        assert!(read(" ").is_err());
        for wrong in [r#"{"deliveryStatus":3}"#, r#"{"deliveryStatus":null}"#, "{}", "[]", ""] {
            assert!(read_status(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
