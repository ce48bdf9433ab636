//! The JSON of the SMS Legacy API: one text to many phones, and the account's credit.

use serde::{Deserialize, Serialize};

use super::wire::{self, scheduled_date};
use crate::model::{Legacy, Price, Sms};

/// Body of `POST /api/services/sms/send`. What has no value, or the platform's own default, is left out.
///
/// There are no placeholders here: braces in the text stay braces. `campaignId` does not exist either; its place
/// as what groups messages is `globalId`'s, and that is the submission's id.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManyRequest<'a> {
    global_id: String,
    #[serde(skip_serializing_if = "is_true")]
    enable_concatenated: bool,
    #[serde(skip_serializing_if = "is_true")]
    enable_unicode: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_delivery: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulation: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skip_rcs_override: bool,
    messages: [ManyMessage<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ManyMessage<'a> {
    destinations: Vec<&'a str>,
    ids: Vec<String>,
    sender: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    udh_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduling: Option<String>,
}

fn is_true(flag: &bool) -> bool {
    *flag
}

impl<'a> ManyRequest<'a> {
    /// The request for `sms`, which have one sender, text and set of options: the first one's count. `None` when
    /// there is none.
    pub(super) fn of(sms: &'a [Sms], legacy: Legacy) -> Option<Self> {
        let first = sms.first()?;
        let options = &first.options;
        Some(Self {
            global_id: first.id.submission.to_string(),
            enable_concatenated: legacy.concatenated,
            enable_unicode: legacy.unicode,
            enable_delivery: options.enable_notification,
            simulation: options.simulation,
            skip_rcs_override: options.skip_rcs_override,
            messages: [ManyMessage {
                destinations: sms.iter().map(|one| one.destination.as_str()).collect(),
                ids: sms.iter().map(|one| one.id.to_string()).collect(),
                sender: first.sender.as_str(),
                body: &first.text.body,
                udh_data: options.udh_data.as_deref(),
                scheduling: options.scheduled_at.map(scheduled_date),
            }],
        })
    }
}

/// What an answer counts. `credit` and `globalId` are not read: the credit has its own question.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Processed {
    /// Messages, one a destination.
    #[serde(rename = "processedMessages")]
    pub(super) messages: u64,
    /// Parts of all of them.
    #[serde(rename = "processedSmsParts", default)]
    pub(super) parts: Option<u32>,
}

/// Reads the answer to a call that sends.
///
/// # Errors
/// What could not be read, for the log.
pub(super) fn read_send(body: &[u8]) -> Result<Processed, String> {
    wire::read(body)
}

/// Most credits that are told; an account with more has enough.
const MOST_CREDIT: f64 = 1e12;

#[derive(Deserialize)]
struct CreditAnswer {
    credit: f64,
}

/// Reads what is left of the account's credit; what is owed counts as nothing left.
///
/// # Errors
/// What could not be read, for the log.
pub(super) fn read_credit(body: &[u8]) -> Result<Price, String> {
    let CreditAnswer { credit } = wire::read(body)?;
    // The bounds keep the cast exact enough; JSON has neither infinity nor NaN.
    Ok(Price::from_millionths((credit.clamp(0.0, MOST_CREDIT) * 1e6).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, PhoneNumber, SenderId, SmsOptions, SmsText};

    fn sms(ordinal: u32, phone: &str, options: SmsOptions) -> Sms {
        let id = format!("01ARZ3NDEKTSV4RRFFQ69G5FAV-{ordinal}");
        Sms {
            id: id.parse().unwrap(),
            destination: PhoneNumber::from_e164(phone).unwrap(),
            sender: SenderId::new("Alarm").unwrap(),
            text: SmsText { body: "Tür {1} auf".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options,
        }
    }

    fn written(sms: &[Sms], legacy: Legacy) -> String {
        serde_json::to_string(&ManyRequest::of(sms, legacy).unwrap()).unwrap()
    }

    #[test]
    fn what_has_no_value_is_left_out() {
        let sms =
            [sms(1, "+393471234567", SmsOptions::default()), sms(3, "+41791234567", SmsOptions::default())];
        assert_eq!(
            written(&sms, Legacy::default()),
            r#"{"globalId":"01ARZ3NDEKTSV4RRFFQ69G5FAV","messages":[{"destinations":["+393471234567","+41791234567"],"ids":["01ARZ3NDEKTSV4RRFFQ69G5FAV-1","01ARZ3NDEKTSV4RRFFQ69G5FAV-3"],"sender":"Alarm","body":"Tür {1} auf"}]}"#
        );
        assert!(ManyRequest::of(&[], Legacy::default()).is_none());
    }

    #[test]
    fn every_field_is_written_under_the_platforms_name() {
        let options = SmsOptions {
            campaign_id: Some("night".to_owned()),
            udh_data: Some("050003CC0201".to_owned()),
            simulation: true,
            enable_notification: Some(false),
            placeholders: Some([("1".to_owned(), "zwei".to_owned())].into()),
            scheduled_at: Some("2025-10-01T11:00:00.1239+02:00".parse().unwrap()),
            skip_rcs_override: true,
        };
        assert_eq!(
            written(&[sms(1, "+393471234567", options)], Legacy { unicode: false, concatenated: false }),
            r#"{"globalId":"01ARZ3NDEKTSV4RRFFQ69G5FAV","enableConcatenated":false,"enableUnicode":false,"enableDelivery":false,"simulation":true,"skipRcsOverride":true,"messages":[{"destinations":["+393471234567"],"ids":["01ARZ3NDEKTSV4RRFFQ69G5FAV-1"],"sender":"Alarm","body":"Tür {1} auf","udhData":"050003CC0201","scheduling":"2025-10-01 09:00:00.123+0000"}]}"#
        );
    }

    #[test]
    fn an_answer_counts_or_is_unreadable() {
        let counts = |messages, parts| Ok(Processed { messages, parts });
        let read = |text: &str| read_send(text.as_bytes());
        assert_eq!(
            read(r#"{"globalId":"g","processedMessages":3,"processedSmsParts":6,"credit":999.79}"#),
            counts(3, Some(6))
        );
        assert_eq!(read(r#"{"processedMessages":0,"processedSmsParts":null}"#), counts(0, None));
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"processedSmsParts":3}"#,
            r#"{"processedMessages":null}"#,
            r#"{"processedMessages":"3"}"#,
            r#"{"processedMessages":-1}"#,
            r#"{"processedMessages":1.5}"#,
            r#"{"processedMessages":1,"processedSmsParts":"2"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credit_is_a_number_and_never_less_than_none() {
        for (credit, shown) in [
            ("1247.50", "1247.5"),
            ("12", "12"),
            ("0", "0"),
            ("-0.0", "0"),
            ("-12.5", "0"),
            ("0.0000004", "0"),
            ("1e12", "1000000000000"),
            ("1e300", "1000000000000"),
        ] {
            let read = read_credit(format!(r#"{{"credit":{credit},"x":1}}"#).as_bytes());
            assert_eq!(read.unwrap().to_string(), shown, "{credit}");
        }
        for wrong in [r#"{"credit":null}"#, r#"{"credit":"12"}"#, "{}", "12", "", r#"{"credit":1e999}"#] {
            assert!(read_credit(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
