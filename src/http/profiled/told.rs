//! What an answer may tell.

use std::collections::BTreeMap;

use super::ids;
use crate::http::fields::Fields;
use crate::intake::{AcceptedSms, Receipt, ReceivedRecipient};
use crate::model::PhoneNumber;
use crate::profile::{Meaning, MessageWords, Names, RecipientWords, Words};
use crate::spool::{MessageView, SubmissionView};

/// What came of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) hex: String,
    pub(super) number: i64,
    pub(super) reason: String,
    pub(super) state: &'static str,
    pub(super) session: String,
    pub(super) recipients: Vec<ToldRecipient>,
    pub(super) messages: Vec<ToldMessage>,
}

/// What became of one destination.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldRecipient {
    to: String,
    phone: String,
    ok: bool,
    id: String,
    hex: String,
    number: i64,
    parts: u32,
    reason: String,
    state: &'static str,
}

/// One SMS that will be sent.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldMessage {
    id: String,
    hex: String,
    number: i64,
    to: String,
    phone: String,
    parts: u32,
}

impl Told {
    /// Of what was taken.
    pub(super) fn of_receipt(receipt: &Receipt) -> Self {
        let (id, hex) = (receipt.id.to_string(), ids::of_submission(receipt.id));
        let recipient = |recipient: &ReceivedRecipient| match &recipient.outcome {
            Err(refusal) => ToldRecipient {
                to: recipient.to.clone(),
                reason: refusal.text.clone(),
                ..ToldRecipient::default()
            },
            // A rule dropped it: that is no failure, and there is no SMS to name.
            Ok(sms) if sms.is_empty() => ToldRecipient {
                to: recipient.to.clone(),
                ok: true,
                id: id.clone(),
                hex: hex.clone(),
                ..ToldRecipient::default()
            },
            Ok(sms) => sms.first().map(|sms| accepted(message(sms))).unwrap_or_default(),
        };
        let recipients = receipt.recipients.iter().map(recipient).collect();
        let number = receipt.messages.first().map_or(0, |sms| sms.number);
        let messages = receipt.messages.iter().map(message).collect();
        Self { id, hex, number, recipients, messages, ..Self::default() }
    }

    /// Of what is known about SMS of one submission, the first of them first.
    pub(super) fn of_view(view: &SubmissionView) -> Self {
        let Some(first) = view.messages.first() else { return Self::default() };
        let recipient = |message: &MessageView| ToldRecipient {
            to: digits(&message.sms.destination),
            phone: message.sms.destination.to_string(),
            ok: true,
            id: message.sms.id.to_string(),
            hex: ids::of_message(message.sms.id, message.number),
            number: message.number,
            parts: 0,
            reason: message.cause.as_ref().map(|cause| cause.text.clone()).unwrap_or_default(),
            state: message.state.as_str(),
        };
        let id = first.sms.id.submission;
        Self {
            id: id.to_string(),
            hex: ids::of_submission(id),
            number: first.number,
            state: first.state.as_str(),
            recipients: view.messages.iter().map(recipient).collect(),
            ..Self::default()
        }
    }

    /// The words of an answer to a request with the parameters `asked`, whose client wants `json` or not.
    pub(super) fn words<'a>(
        &'a self,
        asked: &'a BTreeMap<String, String>,
        json: bool,
        seconds: i64,
    ) -> Words<'a> {
        let recipient = |one: &'a ToldRecipient| RecipientWords {
            to: &one.to,
            phone: &one.phone,
            ok: one.ok,
            id: &one.id,
            hex: &one.hex,
            number: one.number,
            parts: one.parts,
            reason: &one.reason,
            state: one.state,
        };
        let message = |one: &'a ToldMessage| MessageWords {
            id: &one.id,
            hex: &one.hex,
            number: one.number,
            to: &one.to,
            phone: &one.phone,
            parts: one.parts,
        };
        Words {
            id: &self.id,
            hex: &self.hex,
            number: self.number,
            reason: &self.reason,
            state: self.state,
            session: &self.session,
            recipients: self.recipients.iter().map(recipient).collect(),
            messages: self.messages.iter().map(message).collect(),
            asked,
            json,
            seconds,
        }
    }
}

fn message(sms: &AcceptedSms) -> ToldMessage {
    ToldMessage {
        id: sms.id.to_string(),
        hex: ids::of_message(sms.id, sms.number),
        number: sms.number,
        to: digits(&sms.destination),
        phone: sms.destination.to_string(),
        parts: sms.parts,
    }
}

/// Of a destination whose first SMS is this one.
fn accepted(sms: ToldMessage) -> ToldRecipient {
    let ToldMessage { id, hex, number, to, phone, parts } = sms;
    ToldRecipient { to, phone, ok: true, id, hex, number, parts, ..ToldRecipient::default() }
}

/// A number as other gateways write them.
fn digits(phone: &PhoneNumber) -> String {
    phone.as_str().trim_start_matches('+').to_owned()
}

/// The parameters that conditions and answers may use: neither credentials nor the text.
pub(in crate::http) fn asked(fields: &Fields, names: &Names) -> BTreeMap<String, String> {
    without_credentials(fields.parameters(), names)
}

/// The parameters that the templates of a webhook may use: no credentials. One that comes several times has commas
/// between its values.
pub(super) fn query(fields: &Fields, names: &Names) -> BTreeMap<String, String> {
    without_credentials(fields.joined(), names)
}

fn without_credentials(mut parameters: BTreeMap<String, String>, names: &Names) -> BTreeMap<String, String> {
    parameters.retain(|name, _| match names.meaning(name) {
        Some(Meaning::Username | Meaning::Password | Meaning::ApiKey | Meaning::Session | Meaning::Text) => {
            false
        }
        None
        | Some(
            Meaning::To
            | Meaning::From
            | Meaning::DeliverAt
            | Meaning::Lane
            | Meaning::CallbackUrl
            | Meaning::CallbackMask
            | Meaning::Charset
            | Meaning::Id,
        ) => true,
    });
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Refusal, RefusalKind};
    use crate::model::SubmissionId;
    use crate::profile::Reading;

    #[test]
    fn each_destination_is_told_as_it_was_written_or_by_its_phone() {
        let id: SubmissionId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let sms = |ordinal, number, destination| AcceptedSms {
            id: id.message(ordinal),
            number,
            destination: PhoneNumber::from_e164(destination).unwrap(),
            parts: 1,
        };
        let (one, two) = (sms(1, 7, "+393471234567"), sms(2, 8, "+393487654321"));
        let refusal = Refusal { kind: RefusalKind::UnknownRecipient, text: "`x` is nobody".to_owned() };
        let recipient = |to: &str, outcome| ReceivedRecipient { to: to.to_owned(), outcome };
        let receipt = Receipt {
            id,
            messages: vec![one.clone(), two.clone()],
            recipients: vec![
                recipient("team", Ok(vec![one.clone(), two])),
                recipient("x", Err(refusal)),
                recipient("nobody", Ok(Vec::new())),
            ],
        };
        let told = Told::of_receipt(&receipt);
        let asked = BTreeMap::new();
        let words = told.words(&asked, false, 9);
        assert_eq!((words.id, words.number, words.seconds), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", 7, 9));
        assert_eq!(words.hex, "01563e3ab5d3d6764c61efb99302bd5b");
        let shown: Vec<_> = words.recipients.iter().map(|to| (to.to, to.ok, to.number, to.reason)).collect();
        assert_eq!(
            shown,
            [("393471234567", true, 7, ""), ("x", false, 0, "`x` is nobody"), ("nobody", true, 0, "")]
        );
        assert_eq!(words.recipients[0].id, "01ARZ3NDEKTSV4RRFFQ69G5FAV-1");
        assert_eq!(words.recipients[0].hex, "01563e3ab5d300000000000000000007");
        assert_eq!((words.recipients[1].id, words.recipients[1].hex), ("", ""));
        assert_eq!(words.recipients[2].hex, words.hex);
        assert_eq!((words.recipients[0].phone, words.recipients[0].parts), ("+393471234567", 1));
        assert_eq!((words.recipients[1].phone, words.recipients[1].parts), ("", 0));
        let sms: Vec<_> = words.messages.iter().map(|sms| (sms.id, sms.number, sms.to, sms.phone)).collect();
        assert_eq!(
            sms,
            [
                ("01ARZ3NDEKTSV4RRFFQ69G5FAV-1", 7, "393471234567", "+393471234567"),
                ("01ARZ3NDEKTSV4RRFFQ69G5FAV-2", 8, "393487654321", "+393487654321"),
            ]
        );
    }

    #[test]
    fn credentials_and_the_text_are_not_for_answers() {
        let owned = |name: &str| vec![name.to_owned()];
        let reading = Reading {
            names: Names::new([
                (Meaning::Username, owned("u")),
                (Meaning::Password, owned("p")),
                (Meaning::ApiKey, owned("h")),
                (Meaning::Session, owned("session_id")),
                (Meaning::Text, owned("msg")),
                (Meaning::To, owned("to")),
            ]),
            ..Reading::default()
        };
        let mut fields = Fields::default();
        fields
            .add_form(b"U=a&p=b&H=c&session_ID=d&MSG=e&To=391&ResponseType=xml&responsetype=text&x=%FF")
            .unwrap();
        fields.settle(None, &reading).unwrap();
        let asked = asked(&fields, &reading.names);
        let shown: Vec<_> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(shown, [("responsetype", "xml"), ("to", "391")]);
    }
}
