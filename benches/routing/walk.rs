//! The peer: all rules one by one, the first that takes a mail decides.

use ipnet::IpNet;
use sms_relay::model::PhoneNumber;
use sms_relay::pattern::Pattern;
use sms_relay::routing::Facts;

use crate::room::When;

/// A rule as it is asked.
pub(crate) struct Asked {
    network: Option<IpNet>,
    listener: Option<&'static str>,
    account: Option<String>,
    envelope_sender: Option<Pattern>,
    header_sender: Option<Pattern>,
    recipient: Option<Pattern>,
    subject: Option<Pattern>,
    text: Option<Pattern>,
}

impl Asked {
    pub(crate) fn new(when: &When) -> Self {
        let pattern = |source: &String| (!source.is_empty()).then(|| Pattern::new(source).unwrap());
        Self {
            network: when.client.parse().ok(),
            listener: (!when.listener.is_empty()).then_some(when.listener),
            account: (!when.account.is_empty()).then(|| when.account.clone()),
            envelope_sender: pattern(&when.envelope_sender),
            header_sender: pattern(&when.header_sender),
            recipient: pattern(&when.recipient),
            subject: pattern(&when.subject),
            text: pattern(&when.text),
        }
    }

    /// Whether all holds that is known when a recipient is named.
    fn could(&self, facts: &Facts<'_>, sender: &str, recipient: &str, phone: &PhoneNumber) -> bool {
        let client = facts.origin.client;
        self.network.is_none_or(|net| net.contains(&client.address))
            && self.listener.is_none_or(|name| name == client.listener)
            && self.account.as_ref().is_none_or(|name| client.account.as_ref() == Some(name))
            && self.envelope_sender.as_ref().is_none_or(|one| one.is_in(sender))
            && self.recipient.as_ref().is_none_or(|one| one.is_in(recipient) || one.is_in(phone.as_str()))
    }

    fn does(&self, facts: &Facts<'_>) -> bool {
        let found = |one: &Option<Pattern>, text: &str| one.as_ref().is_none_or(|one| one.is_in(text));
        found(&self.header_sender, facts.header_sender.unwrap_or_default())
            && found(&self.subject, facts.subject)
            && found(&self.text, facts.text)
    }
}

/// For each phone the number of the first rule that takes it. What the content says of a rule is looked for once.
pub(crate) fn walk(
    rules: &[Asked],
    facts: &Facts<'_>,
    recipient: &str,
    phones: &[PhoneNumber],
) -> Vec<Option<usize>> {
    let sender = facts.origin.sender_text().unwrap_or_default();
    let mut known = vec![None; rules.len()];
    let first = |phone: &PhoneNumber| {
        rules.iter().enumerate().position(|(n, rule)| {
            rule.could(facts, &sender, recipient, phone) && *known[n].get_or_insert_with(|| rule.does(facts))
        })
    };
    phones.iter().map(first).collect()
}
