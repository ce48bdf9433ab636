//! What came instead of what a test expects.

use std::collections::BTreeSet;

use super::super::problem::Spot;
use super::delivered;
use super::diff::diff;
use super::expect::{Expect, Reason};
use crate::intake::{ExplainedDelivery, ExplainedFate, ExplainedSms, Explanation};
use crate::model::{Encoding, LimitScope, PhoneNumber, SenderId};

/// An expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where the expectation is written.
    pub place: Spot,
    /// What came instead: one sentence.
    pub text: String,
    /// The texts side by side, line by line; empty where it is not about a text.
    pub diff: String,
}

/// The SMS that one phone gets.
struct Sent<'a> {
    destination: &'a PhoneNumber,
    rule: &'a str,
    sender: &'a SenderId,
    template_problem: Option<&'a str>,
    delivery: &'a ExplainedDelivery,
    /// At least one. What is left out because the phone gets the same already is among them: it is words
    /// that the phone gets.
    sms: &'a [ExplainedSms],
}

/// What of `explanation` is not as expected, in the order of the keys. What a test says of SMS holds
/// for each phone that gets any; of several phones that differ in one thing the first is named.
pub fn compare(expect: &Expect, explanation: &Explanation) -> Vec<Difference> {
    let Expect {
        to,
        rule,
        sender,
        text,
        parts,
        encoding,
        lane,
        gateways,
        channels,
        variables,
        silent_after,
        deliver_at,
        held,
        lifetime,
        simulation,
        escalates_to,
        escalates_after,
        escalates_text,
        exempt,
        similar_key,
        folds_for,
        digest,
        limit,
        source_limit,
        pair_key,
        recovery,
        budgets,
        report,
        refused,
        dropped,
    } = expect;
    let sent = sent(explanation);
    let mut found = Differences { all: Vec::new(), told_nothing_is_sent: false };

    if let Some(at) = rule {
        let rules: Vec<(&PhoneNumber, &str)> = phones(explanation).map(|(to, rule, _)| (to, rule)).collect();
        if rules.is_empty() {
            found.add(&at.place, format!("no rule decides: {}", why_nothing(explanation)));
        } else {
            found.first_of(&at.place, &rules, |(destination, found)| {
                let wanted =
                    || at.value.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
                (!at.value.iter().any(|name| name == found))
                    .then(|| format!("rule `{found}` decides for {destination}, not {}", wanted()))
            });
            let decides = |name: &String| rules.iter().any(|(_, found)| found == name);
            if let Some(name) = at.value.iter().find(|name| at.value.len() > 1 && !decides(name)) {
                found.add(&at.place, format!("rule `{name}` decides for nobody"));
            }
        }
    }
    if let Some(at) = to
        && !found.nothing_is_sent(&at.place, &sent, explanation)
    {
        let reached: BTreeSet<&PhoneNumber> = sent.iter().map(|sent| sent.destination).collect();
        let missing: Vec<&PhoneNumber> = at.value.iter().filter(|phone| !reached.contains(phone)).collect();
        let more: Vec<&PhoneNumber> = reached.into_iter().filter(|phone| !at.value.contains(phone)).collect();
        let text = match (missing.is_empty(), more.is_empty()) {
            (true, true) => None,
            (false, true) => Some(format!("nothing goes to {}", listed(&missing))),
            (true, false) => Some(format!("it also goes to {}", listed(&more))),
            (false, false) => Some(format!("it goes to {} and not to {}", listed(&more), listed(&missing))),
        };
        text.into_iter().for_each(|text| found.add(&at.place, text));
    }
    if let Some(at) = sender
        && !found.nothing_is_sent(&at.place, &sent, explanation)
    {
        found.first_of(&at.place, &sent, |sent| {
            let (is, wanted) = (sent.sender.as_str(), at.value.as_str());
            (is != wanted).then(|| format!("the sender for {} is `{is}`, not `{wanted}`", sent.destination))
        });
    }
    if let Some(at) = text
        && !found.nothing_is_sent(&at.place, &sent, explanation)
    {
        found.first_text(&at.place, &at.value, &sent);
    }
    if let Some(at) = parts
        && !found.nothing_is_sent(&at.place, &sent, explanation)
    {
        found.first_of(&at.place, &sent, |sent| {
            let parts: u32 = sent.sms.iter().map(|sms| sms.text.parts).sum();
            let text = || {
                let counted = if parts == 1 { "1 part".to_owned() } else { format!("{parts} parts") };
                let why = if parts > at.value { why_unicode(sent.sms) } else { String::new() };
                format!("{} gets {counted}, not {}{why}", sent.destination, at.value)
            };
            (parts != at.value).then(text)
        });
    }
    if let Some(at) = encoding
        && !found.nothing_is_sent(&at.place, &sent, explanation)
    {
        found.first_of(&at.place, &sent, |sent| {
            let other = sent.sms.iter().find(|sms| sms.text.encoding != at.value)?;
            let (is, wanted) = (word(other.text.encoding), word(at.value));
            let why = why_unicode(std::slice::from_ref(other));
            Some(format!("the SMS to {} is in {is}, not {wanted}{why}", sent.destination))
        });
    }
    let about_delivery = [
        lane.as_ref().map(|at| (&at.place, delivered::lane(at.value))),
        gateways.as_ref().map(|at| (&at.place, delivered::gateways(&at.value))),
        channels.as_ref().map(|at| (&at.place, delivered::channels(&at.value))),
        variables.as_ref().map(|at| (&at.place, delivered::variables(&at.value))),
        silent_after.as_ref().map(|at| (&at.place, delivered::silence(at.value))),
        deliver_at.as_ref().map(|at| (&at.place, delivered::time(at.value))),
        held.as_ref().map(|at| (&at.place, delivered::hold(at.value))),
        lifetime.as_ref().map(|at| (&at.place, delivered::lifetime(at.value))),
        simulation.as_ref().map(|at| (&at.place, delivered::simulation(at.value))),
        escalates_to.as_ref().map(|at| (&at.place, delivered::escalation(&at.value))),
        escalates_after.as_ref().map(|at| (&at.place, delivered::escalation_time(at.value))),
        escalates_text.as_ref().map(|at| (&at.place, delivered::escalation_text(&at.value))),
        exempt.as_ref().map(|at| (&at.place, delivered::exempt(at.value))),
        similar_key.as_ref().map(|at| (&at.place, delivered::similar_key(at.value.as_deref()))),
        folds_for.as_ref().map(|at| (&at.place, delivered::window(at.value))),
        digest.as_ref().map(|at| (&at.place, delivered::digest(at.value))),
        limit.as_ref().map(|at| (&at.place, delivered::limit(LimitScope::Destination, &at.value))),
        source_limit.as_ref().map(|at| (&at.place, delivered::limit(LimitScope::Source, &at.value))),
        pair_key.as_ref().map(|at| (&at.place, delivered::pair_key(at.value.as_deref()))),
        recovery.as_ref().map(|at| (&at.place, delivered::recovery(at.value))),
        budgets.as_ref().map(|at| (&at.place, delivered::budgets(&at.value))),
        report.as_ref().map(|at| (&at.place, delivered::report(at.value))),
    ];
    for (place, wrong) in about_delivery.into_iter().flatten() {
        if !found.nothing_is_sent(place, &sent, explanation) {
            found.first_of(place, &sent, |sent| wrong(sent.destination, sent.delivery));
        }
    }
    if let Some(at) = refused {
        found.ended(&at.place, &at.value, "refused", refusals(explanation), explanation);
    }
    if let Some(at) = dropped {
        found.ended(&at.place, &at.value, "dropped", drops(explanation), explanation);
    }
    found.all
}

struct Differences {
    all: Vec<Difference>,
    /// Once is enough, however many keys are about SMS.
    told_nothing_is_sent: bool,
}

impl Differences {
    fn add(&mut self, place: &Spot, text: String) {
        self.all.push(Difference { place: place.clone(), text, diff: String::new() });
    }

    fn nothing_is_sent(&mut self, place: &Spot, sent: &[Sent<'_>], explanation: &Explanation) -> bool {
        if sent.is_empty() && !self.told_nothing_is_sent {
            self.told_nothing_is_sent = true;
            self.add(place, format!("nothing is sent: {}", why_nothing(explanation)));
        }
        sent.is_empty()
    }

    /// The first of `items` of which `wrong` says something, and how many more there are.
    fn first_of<T>(&mut self, place: &Spot, items: &[T], wrong: impl Fn(&T) -> Option<String>) {
        let mut wrong = items.iter().filter_map(wrong);
        if let Some(text) = wrong.next() {
            let more = others(wrong.count());
            self.add(place, format!("{text}{more}"));
        }
    }

    fn first_text(&mut self, place: &Spot, expected: &[String], sent: &[Sent<'_>]) {
        let words =
            |sent: &Sent<'_>| -> Vec<String> { sent.sms.iter().map(|sms| sms.text.body.clone()).collect() };
        let mut wrong = sent.iter().filter(|sent| words(sent) != expected);
        let Some(first) = wrong.next() else { return };
        let destination = first.destination;
        let words = words(first);
        let what = match (expected.len(), words.len()) {
            (wanted, found) if wanted == found => format!("{destination} gets other words"),
            (wanted, found) => format!("{destination} gets {found} SMS, not {wanted}"),
        };
        let template = first
            .template_problem
            .map(|problem| format!("; the template of rule `{}` could not be used: {problem}", first.rule));
        let text = format!("{what}{}{}", others(wrong.count()), template.unwrap_or_default());
        let diff = diff(&expected.join("\n---\n"), &words.join("\n---\n"));
        self.all.push(Difference { place: place.clone(), text, diff });
    }

    /// `reasons` has a reason for each that ended so, or what became of one that did not.
    fn ended(
        &mut self,
        place: &Spot,
        expected: &Reason,
        end: &str,
        reasons: Result<Vec<&str>, String>,
        explanation: &Explanation,
    ) {
        match reasons {
            Err(instead) => self.add(place, format!("it is not {end}: {instead}")),
            Ok(reasons) if reasons.is_empty() => {
                self.add(place, format!("it is not {end}: {}", why_nothing(explanation)));
            }
            Ok(reasons) => {
                let Reason::With(words) = expected else { return };
                let has = |reason: &&str| reason.to_lowercase().contains(&words.to_lowercase());
                if let Some(reason) = reasons.into_iter().find(|reason| !has(reason)) {
                    self.add(place, format!("it is {end} for another reason: {reason}"));
                }
            }
        }
    }
}

fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " (and so for 1 other phone)".to_owned(),
        more => format!(" (and so for {more} other phones)"),
    }
}

fn listed(phones: &[&PhoneNumber]) -> String {
    phones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Gsm7 => "gsm7",
        Encoding::Ucs2 => "ucs2",
    }
}

/// Which character is outside the GSM alphabet, where one is.
fn why_unicode(sms: &[ExplainedSms]) -> String {
    let first = sms.iter().find_map(|sms| sms.foreign.first());
    first.map_or_else(String::new, |foreign| {
        let (character, line, column) = (foreign.character, foreign.line, foreign.column);
        format!("; `{character}` at line {line}, column {column} needs Unicode")
    })
}

/// Each phone with its rule and its fate.
fn phones(explanation: &Explanation) -> impl Iterator<Item = (&PhoneNumber, &str, &ExplainedFate)> {
    let phones = explanation.recipients.iter().flat_map(|recipient| recipient.outcome.iter().flatten());
    phones.map(|phone| (&phone.destination, phone.rule.as_str(), &phone.fate))
}

/// What really goes out. Nothing does where the whole is refused.
fn sent(explanation: &Explanation) -> Vec<Sent<'_>> {
    if explanation.refusal.is_some() {
        return Vec::new();
    }
    let sent = phones(explanation).filter_map(|(destination, rule, fate)| match fate {
        ExplainedFate::Sent { sender, template_problem, sms, delivery, .. } => {
            let template_problem = template_problem.as_deref();
            (!sms.is_empty()).then_some(Sent { destination, rule, sender, template_problem, delivery, sms })
        }
        ExplainedFate::Dropped { .. } | ExplainedFate::Refused { .. } => None,
    });
    sent.collect()
}

/// The reason of each refusal, or what became of somebody who is not refused.
fn refusals(explanation: &Explanation) -> Result<Vec<&str>, String> {
    if let Some(refusal) = &explanation.refusal {
        return Ok(vec![&refusal.text]);
    }
    let mut reasons = Vec::new();
    for recipient in &explanation.recipients {
        match &recipient.outcome {
            Err(refusal) => reasons.push(refusal.text.as_str()),
            Ok(phones) if phones.is_empty() => return Err(postmaster(&recipient.written)),
            Ok(phones) => {
                for phone in phones {
                    match &phone.fate {
                        ExplainedFate::Refused { reason } => reasons.push(reason),
                        ExplainedFate::Sent { .. } | ExplainedFate::Dropped { .. } => {
                            return Err(became(&phone.destination, &phone.rule, &phone.fate));
                        }
                    }
                }
            }
        }
    }
    Ok(reasons)
}

/// The reason of each phone whose SMS is dropped, or what became of somebody else's.
fn drops(explanation: &Explanation) -> Result<Vec<&str>, String> {
    if let Some(refusal) = &explanation.refusal {
        return Err(format!("it is refused: {}", refusal.text));
    }
    let mut reasons = Vec::new();
    for recipient in &explanation.recipients {
        match &recipient.outcome {
            Err(refusal) => return Err(format!("{} is refused: {}", recipient.written, refusal.text)),
            Ok(phones) if phones.is_empty() => return Err(postmaster(&recipient.written)),
            Ok(phones) => {
                for phone in phones {
                    match &phone.fate {
                        ExplainedFate::Dropped { reason } => reasons.push(reason.as_str()),
                        ExplainedFate::Sent { .. } | ExplainedFate::Refused { .. } => {
                            return Err(became(&phone.destination, &phone.rule, &phone.fate));
                        }
                    }
                }
            }
        }
    }
    Ok(reasons)
}

fn postmaster(written: &str) -> String {
    format!("mail for {written} goes to the operator, by mail")
}

fn became(destination: &PhoneNumber, rule: &str, fate: &ExplainedFate) -> String {
    match fate {
        ExplainedFate::Sent { .. } => format!("rule `{rule}` sends it to {destination}"),
        ExplainedFate::Dropped { reason } => format!("rule `{rule}` drops it for {destination}: {reason}"),
        ExplainedFate::Refused { reason } => format!("rule `{rule}` refuses it for {destination}: {reason}"),
    }
}

/// Why no SMS goes out: what became of the first recipient.
fn why_nothing(explanation: &Explanation) -> String {
    if let Some(refusal) = &explanation.refusal {
        return format!("it is refused: {}", refusal.text);
    }
    match explanation.recipients.first().map(|recipient| (&recipient.written, &recipient.outcome)) {
        None => "there is no recipient".to_owned(),
        Some((written, Err(refusal))) => format!("{written} is refused: {}", refusal.text),
        Some((written, Ok(phones))) => match phones.first() {
            None => postmaster(written),
            Some(phone) => became(&phone.destination, &phone.rule, &phone.fate),
        },
    }
}

#[cfg(test)]
mod tests;
