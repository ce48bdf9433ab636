//! An explanation for programs: one object, whose keys stay.

use serde_json::{Map, Value, json};

use super::Told;
use super::human::room_of;
use crate::intake::{ExplainedFate, ExplainedPhone, ExplainedRecipient, ExplainedSms, Refusal};
use crate::model::ReversePath;
use crate::routing::{Amount, Tried};

/// All of it. Amounts are texts, since a float would not keep them exact.
pub(super) fn object(told: &Told) -> Value {
    let client = told.client;
    let mut all = json!({
        "door": client.door.as_str(),
        "listener": client.listener,
        "client": client.address.to_string(),
        "account": client.account,
        "at": told.at.timestamp().to_string(),
        "recipients_from_header": told.is_from_header,
        "is_sent": told.is_sent(),
        "currency": told.currency,
        "envelope_sender": told.envelope.map(|envelope| match &envelope.reverse_path {
            ReversePath::Null => "<>".to_owned(),
            ReversePath::Path(address) => address.to_string(),
        }),
    });
    let found = match &told.end {
        Err(reply) => json!({ "reply": reply, "recipients": [] }),
        Ok(explanation) => {
            let sent: Vec<&ExplainedSms> = explanation.sent().collect();
            let prices: Option<Vec<Amount>> = sent.iter().map(|sms| sms.price).collect();
            let price = prices.map(|prices| prices.into_iter().sum::<Amount>().to_string());
            let recipients = explanation.recipients.iter().map(|one| recipient(told, one));
            json!({
                "subject": explanation.subject,
                "from": explanation.from,
                "text": explanation.text,
                "attachments": explanation.attachments,
                "recipients": recipients.collect::<Vec<_>>(),
                "reply": reply(told, explanation.refusal.as_ref()),
                "sms": sent.len(),
                "parts": sent.iter().map(|sms| sms.text.parts).sum::<u32>(),
                "price": price.filter(|_| !sent.is_empty()),
            })
        }
    };
    if let (Value::Object(all), Value::Object(found)) = (&mut all, found) {
        all.extend(found);
    }
    all
}

/// What the client would be told, where something is refused.
fn reply(told: &Told, refusal: Option<&Refusal>) -> Option<String> {
    refusal.map(|refusal| told.reply(refusal))
}

fn recipient(told: &Told, recipient: &ExplainedRecipient) -> Value {
    let phones = recipient.outcome.iter().flatten().map(phone);
    json!({
        "recipient": recipient.written,
        "reply": reply(told, recipient.outcome.as_ref().err()),
        "forwarded_to": recipient.forwarded_to.as_ref().map(ToString::to_string),
        "phones": phones.collect::<Vec<_>>(),
    })
}

fn phone(phone: &ExplainedPhone) -> Value {
    let tried = |tried: &Tried| {
        let unmet = tried.unmet.as_ref();
        let unmet =
            unmet.map(|unmet| json!({ "key": unmet.key, "wanted": unmet.wanted, "found": unmet.found }));
        json!({ "rule": tried.rule, "unmet": unmet })
    };
    let mut all = json!({
        "destination": phone.destination.as_str(),
        "named": phone.named,
        "rule": phone.rule,
        "tried": phone.tried.iter().map(tried).collect::<Vec<_>>(),
    });
    let fate = match &phone.fate {
        ExplainedFate::Dropped { reason } => json!({ "fate": "dropped", "reason": reason }),
        ExplainedFate::Refused { reason } => json!({ "fate": "refused", "reason": reason }),
        ExplainedFate::Sent { sender, removed, variables, groups, template_problem, words, sms } => {
            let removed = removed.iter().map(|one| json!({ "step": one.step.as_str(), "words": one.words }));
            let variables: Map<String, Value> =
                variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({
                "fate": "sent",
                "sender": sender.as_str(),
                "removed": removed.collect::<Vec<_>>(),
                "variables": variables,
                "groups": groups,
                "template_problem": template_problem,
                "words": words,
                "sms": sms.iter().map(one_sms).collect::<Vec<_>>(),
            })
        }
    };
    if let (Value::Object(all), Value::Object(fate)) = (&mut all, fate) {
        all.extend(fate);
    }
    all
}

fn one_sms(sms: &ExplainedSms) -> Value {
    let foreign = sms.foreign.iter().map(|one| {
        let code_point = format!("U+{:04X}", u32::from(one.character));
        json!({ "character": one.character, "code_point": code_point, "line": one.line, "column": one.column })
    });
    json!({
        "text": sms.text.body,
        "encoding": sms.text.encoding.as_str(),
        "units": sms.units,
        "room": room_of(sms),
        "parts": sms.parts,
        "foreign": foreign.collect::<Vec<_>>(),
        "parts_without_foreign": sms.parts_without_foreign,
        "price": sms.price.map(|price| price.to_string()),
        "same_as": sms.same_as,
    })
}
