//! The JSON of the channels with templates (Quick Start, "Send RCS" and "Send WhatsApp"). The answer is the same as
//! that of the universal API, in its array form.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Channel, Sms, Template};

/// Body of `POST /api/message-server/{rcs,whatsapp}/send`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateRequest<'a> {
    phone_number: &'a str,
    template_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variables: &'a BTreeMap<String, String>,
    /// Ours; the answer has one of the platform's own beside it.
    customer_message_id: String,
}

impl<'a> TemplateRequest<'a> {
    /// The request for the phone and the id of `sms`.
    pub(super) fn of(sms: &'a Sms, template: &'a Template) -> Self {
        Self {
            phone_number: sms.destination.as_str(),
            template_id: &template.id,
            variables: &template.variables,
            customer_message_id: sms.id.to_string(),
        }
    }
}

/// The channel's part of the address; `None` for SMS, which has no templates.
pub(super) fn path(channel: Channel) -> Option<&'static str> {
    match channel {
        Channel::Sms => None,
        Channel::Rcs => Some("rcs"),
        Channel::WhatsApp => Some("whatsapp"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, PhoneNumber, SenderId, SmsOptions, SmsText};

    #[test]
    fn a_template_carries_its_variables_and_our_id() {
        let sms = Sms {
            id: "01ARZ3NDEKTSV4RRFFQ69G5FAV-2".parse().unwrap(),
            destination: PhoneNumber::from_e164("+393471234567").unwrap(),
            sender: SenderId::new("Alarm").unwrap(),
            text: SmsText { body: "not sent".to_owned(), encoding: Encoding::Gsm7, parts: 1 },
            options: SmsOptions { simulation: true, ..SmsOptions::default() },
        };
        let written = |variables: BTreeMap<String, String>| {
            let template = Template { channel: Channel::Rcs, id: "alert_v2".to_owned(), variables };
            serde_json::to_string(&TemplateRequest::of(&sms, &template)).unwrap()
        };
        assert_eq!(
            written([("code".to_owned(), "7".to_owned())].into()),
            r#"{"phoneNumber":"+393471234567","templateId":"alert_v2","variables":{"code":"7"},"customerMessageId":"01ARZ3NDEKTSV4RRFFQ69G5FAV-2"}"#
        );
        assert_eq!(
            written(BTreeMap::new()),
            r#"{"phoneNumber":"+393471234567","templateId":"alert_v2","customerMessageId":"01ARZ3NDEKTSV4RRFFQ69G5FAV-2"}"#
        );
    }
}
