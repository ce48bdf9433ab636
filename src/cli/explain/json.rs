//! An explanation for programs: one object, whose keys stay.

use serde_json::{Map, Value, json};

use super::Told;
use super::human::room_of;
use crate::budget;
use crate::intake::{
    ExplainedDelivery, ExplainedFate, ExplainedPhone, ExplainedRecipient, ExplainedSms, Refusal,
};
use crate::model::{Charge, PhoneNumber, ReversePath, Unit, Way};
use crate::routing::{Amount, Tried, Unmet};

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
        "api": told.api.as_ref().map(|(api, answered)| json!({
            "profile": api.profile(),
            "path": api.path(),
            "outcome": answered.outcome.as_str(),
            "status": answered.status,
            "body": Some(&answered.body).filter(|body| !body.is_empty()),
        })),
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
        let unmet = |unmet: &Unmet| {
            json!({
                "key": unmet.key,
                "header": unmet.header,
                "branch": unmet.branch,
                "holds": unmet.holds,
                "wanted": unmet.wanted,
                "found": unmet.found,
            })
        };
        let others = tried.unmet.iter().skip(1).map(unmet);
        json!({
            "rule": tried.rule,
            "unmet": tried.unmet.first().map(unmet),
            "others": others.collect::<Vec<_>>(),
        })
    };
    let mut all = json!({
        "destination": phone.destination.as_str(),
        "named": phone.named,
        "is_of_rule": phone.is_of_rule,
        "rule": phone.rule,
        "tried": phone.tried.iter().map(tried).collect::<Vec<_>>(),
    });
    let fate = match &phone.fate {
        ExplainedFate::Dropped { reason } => json!({ "fate": "dropped", "reason": reason }),
        ExplainedFate::Refused { reason } => json!({ "fate": "refused", "reason": reason }),
        ExplainedFate::Sent {
            sender,
            removed,
            variables,
            groups,
            template_problem,
            words,
            sms,
            delivery,
        } => {
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
                "delivery": how(delivery),
            })
        }
    };
    if let (Value::Object(all), Value::Object(fate)) = (&mut all, fate) {
        all.extend(fate);
    }
    all
}

fn how(delivery: &ExplainedDelivery) -> Value {
    let escalation = delivery.escalation.as_ref().map(|escalation| {
        let asleep = escalation.asleep.iter();
        let asleep = asleep.map(|(phone, until)| (phone.as_str().to_owned(), json!(until.to_string())));
        json!({
            "after_seconds": escalation.after.as_secs(),
            "at": escalation.at.to_string(),
            "to": escalation.to,
            "phones": escalation.phones.iter().map(PhoneNumber::as_str).collect::<Vec<_>>(),
            "asleep_until": asleep.collect::<serde_json::Map<_, _>>(),
            "sms": one_sms(&escalation.sms),
        })
    });
    json!({
        "lane": delivery.lane.as_str(),
        "gateways": delivery.gateways,
        "ways": delivery.ways.as_slice().iter().map(way).collect::<Vec<_>>(),
        "silent_after_seconds": delivery.ways.silence().map(|silence| silence.as_secs()),
        "variable_problem": delivery.variable_problem,
        "unknown": delivery.on_unknown.as_str(),
        "simulation": delivery.is_simulated,
        "held_until": delivery.held_until.map(|until| until.to_string()),
        "scheduled_at": delivery.scheduled_at.map(|until| until.to_string()),
        "held_because": delivery.held_because.map(|reason| reason.as_str()),
        "expires_at": delivery.expires_at.to_string(),
        "storm": super::storm::object(&delivery.storm),
        "report": delivery.report.as_str(),
        "escalation": escalation,
        "budgets": delivery.budgets.iter().map(budget).collect::<Vec<_>>(),
    })
}

/// An amount of money is a decimal as text, as prices are.
fn budget(charge: &Charge) -> Value {
    let amount = match charge.unit {
        Unit::Parts => json!(charge.amount),
        Unit::Money => json!(budget::amount(charge.amount, charge.unit)),
    };
    json!({ "name": budget::name(&charge.key), "amount": amount })
}

fn way(way: &Way) -> Value {
    let channel = way.channel().as_str();
    match way {
        Way::Sms => json!({ "channel": channel, "api": "universal" }),
        Way::Legacy(legacy) => json!({
            "channel": channel,
            "api": "legacy",
            "unicode": legacy.unicode,
            "concatenated": legacy.concatenated,
        }),
        Way::Template(template) => {
            json!({ "channel": channel, "template": template.id, "variables": template.variables })
        }
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::intake::ExplainedEscalation;
    use crate::model::{Channel, HoldReason, Lane, Legacy, OnUnknown, Period, SmsText, Template, Ways};
    use crate::text::{Fitting, fit};

    fn charge((name, unit, amount): (&str, Unit, u64)) -> Charge {
        let period = Period::Day;
        let key = budget::key(name, period, unit);
        Charge { key, period, unit, amount, warn: None, hold: Some(1), ceiling: None, zone: None }
    }

    #[test]
    fn everything_about_delivery_is_told() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let text: SmsText = fit("still hot", &Fitting::in_parts(1)).remove(0);
        let sms = ExplainedSms {
            units: 9,
            parts: vec!["still hot".to_owned()],
            foreign: Vec::new(),
            parts_without_foreign: 1,
            price: None,
            same_as: None,
            text,
        };
        let template = Template {
            channel: Channel::Rcs,
            id: "a".to_owned(),
            variables: [("text".to_owned(), "hot".to_owned())].into(),
        };
        let ways = vec![Way::Template(template), Way::Legacy(Legacy { unicode: false, concatenated: true })];
        let delivery = ExplainedDelivery {
            lane: Lane::Critical,
            gateways: vec!["main".to_owned()],
            ways: Ways::new(ways, Some(Duration::from_secs(90))).unwrap(),
            variable_problem: None,
            on_unknown: OnUnknown::Fail,
            held_until: Some(at(60)),
            scheduled_at: None,
            held_because: Some(HoldReason::Scheduled),
            expires_at: at(3600),
            is_simulated: true,
            budgets: [("all", Unit::Parts, 2), ("money", Unit::Money, 90_000)].map(charge).to_vec(),
            report: crate::routing::Report::Failures,
            escalation: Some(ExplainedEscalation {
                after: Duration::from_secs(600),
                at: at(660),
                to: "second".to_owned(),
                phones: vec![PhoneNumber::from_e164("+393471234567").unwrap()],
                asleep: [(PhoneNumber::from_e164("+393471234567").unwrap(), at(3660))].into(),
                sms: sms.clone(),
            }),
            ..ExplainedDelivery::default()
        };
        assert_eq!(
            how(&delivery),
            json!({
                "lane": "critical",
                "gateways": ["main"],
                "ways": [
                    { "channel": "RCS", "template": "a", "variables": { "text": "hot" } },
                    { "channel": "SMS", "api": "legacy", "unicode": false, "concatenated": true },
                ],
                "silent_after_seconds": 90,
                "variable_problem": null,
                "unknown": "fail",
                "simulation": true,
                "held_until": "2027-01-15T08:01:00Z",
                "scheduled_at": null,
                "held_because": "scheduled",
                "expires_at": "2027-01-15T09:00:00Z",
                "storm": super::super::storm::object(&delivery.storm),
                "report": "failures",
                "escalation": {
                    "after_seconds": 600,
                    "at": "2027-01-15T08:11:00Z",
                    "to": "second",
                    "phones": ["+393471234567"],
                    "asleep_until": { "+393471234567": "2027-01-15T09:01:00Z" },
                    "sms": one_sms(&sms),
                },
                "budgets": [{ "name": "all", "amount": 2 }, { "name": "money", "amount": "0.09" }],
            })
        );
    }
}
