//! What an answer may tell.

use std::collections::BTreeMap;

use super::ids;
use crate::http::fields::Fields;
use crate::intake::{AcceptedSms, Receipt, ReceivedRecipient};
use crate::model::PhoneNumber;
use crate::profile::{Meaning, Names, RecipientWords, Words};
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
}

/// What became of one destination.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldRecipient {
    to: String,
    ok: bool,
    id: String,
    hex: String,
    number: i64,
    reason: String,
    state: &'static str,
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
            Ok(sms) => sms.first().map(accepted).unwrap_or_default(),
        };
        let recipients = receipt.recipients.iter().map(recipient).collect();
        let number = receipt.messages.first().map_or(0, |sms| sms.number);
        Self { id, hex, number, recipients, ..Self::default() }
    }

    /// Of what is known about SMS of one submission, the first of them first.
    pub(super) fn of_view(view: &SubmissionView) -> Self {
        let Some(first) = view.messages.first() else { return Self::default() };
        let recipient = |message: &MessageView| ToldRecipient {
            to: digits(&message.sms.destination),
            ok: true,
            id: message.sms.id.to_string(),
            hex: ids::of_message(message.sms.id, message.number),
            number: message.number,
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

    /// The words of an answer to a request with the parameters `asked`.
    pub(super) fn words<'a>(&'a self, asked: &'a BTreeMap<String, String>, seconds: i64) -> Words<'a> {
        let recipient = |one: &'a ToldRecipient| RecipientWords {
            to: &one.to,
            ok: one.ok,
            id: &one.id,
            hex: &one.hex,
            number: one.number,
            reason: &one.reason,
            state: one.state,
        };
        Words {
            id: &self.id,
            hex: &self.hex,
            number: self.number,
            reason: &self.reason,
            state: self.state,
            session: &self.session,
            recipients: self.recipients.iter().map(recipient).collect(),
            asked,
            seconds,
        }
    }
}

fn accepted(sms: &AcceptedSms) -> ToldRecipient {
    ToldRecipient {
        to: digits(&sms.destination),
        ok: true,
        id: sms.id.to_string(),
        hex: ids::of_message(sms.id, sms.number),
        number: sms.number,
        ..ToldRecipient::default()
    }
}

/// A number as other gateways write them.
fn digits(phone: &PhoneNumber) -> String {
    phone.as_str().trim_start_matches('+').to_owned()
}

/// The parameters that conditions and answers may use: neither credentials nor the text.
pub(super) fn asked(fields: &Fields, names: &Names) -> BTreeMap<String, String> {
    let mut asked = fields.parameters();
    asked.retain(|name, _| match names.meaning(name) {
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
            | Meaning::Charset
            | Meaning::Id,
        ) => true,
    });
    asked
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
        let words = told.words(&asked, 9);
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
