//! What is handed in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::at;
use super::super::steps::Mail;
use crate::model::{
    Channel, Fate, HoldReason, Lane, MailAddress, Message, Notify, OnUnknown, Original, PhoneNumber,
    Recipient, ReportTo, SenderId, Sms, SmsOptions, SmsText, Submission, SubmissionId, Template, Way, Ways,
};

/// The submission that intake would make of `mail` at `now`.
pub(super) fn submission(id: SubmissionId, mail: &Mail, now: i64) -> Submission {
    let operator = MailAddress::parse("ops@example.com").unwrap();
    let sender = MailAddress::parse("nas@example.com").unwrap();
    let mut messages: Vec<Message> = Vec::new();
    for (n, rcpt) in mail.recipients.iter().enumerate() {
        let on = |success, failure, delay| Notify::On { success, failure, delay };
        let notify = [
            Notify::Unspecified,
            Notify::Never,
            on(true, false, false),
            on(false, true, false),
            on(true, true, false),
            on(true, true, true),
            on(false, false, true),
        ][rcpt.notify];
        let rcs = Way::Template(Template {
            channel: Channel::Rcs,
            id: "alert".to_owned(),
            variables: BTreeMap::new(),
        });
        let legacy = Way::Legacy(crate::model::Legacy::default());
        let silence = Some(Duration::from_secs(40));
        let ways = match rcpt.ways {
            0 => Ways::only(Way::Sms),
            1 => Ways::new(vec![rcs, Way::Sms], silence).unwrap(),
            2 => Ways::only(legacy),
            3 => Ways::new(vec![rcs, legacy], None).unwrap(),
            _ => Ways::only(rcs),
        };
        let gateways: &[&str] = [&[][..], &["a"], &["b", "a"], &["a", "b"]][rcpt.order];
        let starts = now + rcpt.held.unwrap_or(0);
        let delivery = crate::model::Delivery {
            lane: Lane::ALL[rcpt.lane],
            gateways: gateways.iter().map(|name| (*name).to_owned()).collect(),
            ways,
            on_unknown: if rcpt.fails_unknown { OnUnknown::Fail } else { OnUnknown::Resend },
            expires_at: at(starts + rcpt.life),
            delayed_at: None,
        };
        let recipient = Recipient { address: format!("r{n}@sms.local"), notify, orcpt: None };
        let mut add = |phone: u32, body: String, recipient: Recipient, delivery, fate: Fate| {
            let ordinal = u32::try_from(messages.len()).unwrap() + 1;
            let parts = 1;
            let text = SmsText { body, encoding: crate::model::Encoding::Gsm7, parts };
            let destination = PhoneNumber::from_e164(&format!("+3934700{phone:05}")).unwrap();
            let says_the_same = |earlier: &&Message| {
                earlier.recipient.address != recipient.address
                    && (&earlier.sms.destination, &earlier.sms.text, &earlier.fate)
                        == (&destination, &text, &fate)
            };
            let same = messages.iter().find(says_the_same).filter(|_| rcpt.repeats && is_first(&fate));
            let fate = same.map_or(fate, |same| Fate::SameAs(same.sms.id));
            messages.push(Message {
                sms: Sms {
                    id: id.message(ordinal),
                    destination,
                    sender: SenderId::new("Alarm").unwrap(),
                    text,
                    options: SmsOptions::default(),
                },
                recipient,
                rule: "default".to_owned(),
                delivery,
                fate,
                passage: Default::default(),
            });
        };
        for phone in &rcpt.phones {
            for piece in 1..=rcpt.pieces {
                let fate = match rcpt.held {
                    None => Fate::Due,
                    Some(held) => Fate::Held { until: at(now + held), reason: HoldReason::Scheduled },
                };
                // Pieces that become late one after another are told of once all the same.
                let mut delivery = delivery.clone();
                delivery.delayed_at =
                    rcpt.delayed.map(|delayed| at(starts + delayed + 40 * i64::from(piece - 1)));
                add(*phone, format!("piece {piece}"), recipient.clone(), delivery, fate);
            }
        }
        // As intake makes them.
        if let Some((after, phone)) = rcpt.escalation {
            let notify = if notify.wants_failure() { on(false, true, false) } else { Notify::Never };
            let until = starts + after;
            let delivery = crate::model::Delivery {
                ways: Ways::default(),
                expires_at: at(until + rcpt.life),
                delayed_at: None,
                ..delivery
            };
            let fate = Fate::Held { until: at(until), reason: HoldReason::Escalation };
            add(phone, "escalated".to_owned(), Recipient { notify, ..recipient }, delivery, fate);
        }
    }
    Submission {
        id,
        received_at: at(now),
        client: crate::model::Client {
            door: crate::model::Door::Smtp,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: None,
            account: None,
        },
        report_to: match mail.to {
            0 => ReportTo::Sender(sender),
            1 => ReportTo::Operator(operator),
            _ => ReportTo::Nobody("null reverse path".to_owned()),
        },
        tell_url: None,
        original: Original::default(),
        messages,
        forwards: Vec::new(),
        remembered: crate::model::Remembered::default(),
    }
}

/// Whether it takes the place of no other.
fn is_first(fate: &Fate) -> bool {
    !matches!(fate, Fate::Held { reason: HoldReason::Escalation, .. })
}
