//! An explanation for people.

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;

use super::Told;
use super::phone::Phone;
use crate::cli::drawing::printable;
use crate::intake::{
    ExplainedEscalation, ExplainedFate, ExplainedPhone, ExplainedRecipient, ExplainedSms, Explanation,
    Refusal,
};
use crate::model::{Encoding, PhoneNumber, ReversePath, SenderId};
use crate::routing::{Amount, DEFAULT_RULE, Unmet};

/// Most characters of a found value, a variable or a removed piece that are shown.
const MAX_SHOWN: usize = 60;
/// Most characters named that force Unicode.
const MAX_FOREIGN: usize = 5;

/// Colours, where there is a terminal that shows them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    is_on: bool,
}

impl Paint {
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("31", text)
    }
}

/// The explanation, with a line end at its end.
pub(super) fn words(told: &Told, paint: Paint) -> String {
    let mut page = Page { told, paint, out: String::new() };
    match &told.end {
        Err(reply) => {
            page.circumstances();
            page.line(0, &paint.bad(&format!("Refused: {}", printable(reply))));
        }
        Ok(explanation) => page.explanation(explanation),
    }
    page.out
}

struct Page<'a> {
    told: &'a Told<'a>,
    paint: Paint,
    out: String,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{:indent$}{text}", "");
    }

    fn field(&mut self, name: &str, value: &str) {
        self.line(0, &format!("{name:<12}{value}"));
    }

    fn circumstances(&mut self) {
        let told = self.told;
        let client = told.client;
        let account = client.account.as_ref().map(|name| format!(" as account {name}")).unwrap_or_default();
        let at = told.at.strftime("%Y-%m-%d %H:%M:%S %Z");
        let (listener, address) = (&client.listener, client.address);
        self.field("Came in", &format!("{at} through listener {listener} from {address}{account}"));
        if let Some((api, _)) = &told.api {
            let with: Vec<String> =
                api.with().iter().map(|(name, value)| format!("{name}={value}")).collect();
            let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
            self.field("Asked", &printable(&format!("{} at {}{with}", api.profile(), api.path())));
        }
    }

    fn explanation(&mut self, explanation: &Explanation) {
        let told = self.told;
        self.field("From", &or_none(&shortened(&explanation.from)));
        if let Some(envelope) = told.envelope {
            let sender = match &envelope.reverse_path {
                ReversePath::Null => "<>, so that no failure is reported".to_owned(),
                path @ ReversePath::Path(_) => printable(&path.to_string()),
            };
            self.field("MAIL FROM", &sender);
            self.field("Subject", &or_none(&shortened(&explanation.subject)));
        }
        self.field("Text", &size_of(&explanation.text));
        if !explanation.attachments.is_empty() {
            let names: Vec<String> = explanation.attachments.iter().map(|name| shortened(name)).collect();
            self.field("Attached", &names.join(", "));
        }
        self.circumstances();
        if told.is_from_header {
            self.field("Recipients", "those of the To: and Cc: fields that are ours");
        }
        for recipient in &explanation.recipients {
            self.recipient(recipient, explanation.refusal.as_ref());
        }
        self.line(0, "");
        let end = match &explanation.refusal {
            Some(refusal) => self.paint.bad(&format!("Refused: {}", printable(&told.reply(refusal)))),
            None => self.sum(explanation),
        };
        self.line(0, &end);
        if let (None, Some((_, answered))) = (&explanation.refusal, &told.api) {
            self.line(0, &format!("Answered: {} {}", answered.status, answered.outcome.as_str()));
        }
    }

    fn sum(&self, explanation: &Explanation) -> String {
        let sent: Vec<&ExplainedSms> = explanation.sent().collect();
        let parts: u32 = sent.iter().map(|sms| sms.text.parts).sum();
        let prices: Option<Vec<Amount>> = sent.iter().map(|sms| sms.price).collect();
        if sent.is_empty() {
            let text = if self.told.is_sent() { "No SMS is sent." } else { "Nothing is sent." };
            return self.paint.bad(text);
        }
        let price = prices.map(|prices| format!(", {}", self.money(prices.into_iter().sum())));
        let text = format!("{} SMS, {}{}", sent.len(), parts_of(parts), price.unwrap_or_default());
        self.paint.good(&text)
    }

    fn money(&self, amount: Amount) -> String {
        format!("{amount} {}", self.told.currency).trim_end().to_owned()
    }

    fn recipient(&mut self, recipient: &ExplainedRecipient, whole: Option<&Refusal>) {
        self.line(0, "");
        self.line(0, &self.paint.strong(&printable(&recipient.written)));
        match &recipient.outcome {
            Err(refusal) if Some(refusal) == whole => self.line(2, "refused with the whole, see the end"),
            Err(refusal) => {
                let reply = printable(&self.told.reply(refusal));
                self.line(2, &self.paint.bad(&format!("refused: {reply}")));
            }
            Ok(phones) => {
                if let Some(operator) = &recipient.forwarded_to {
                    self.line(2, &format!("is the postmaster: the mail is forwarded to {operator}"));
                }
                let mut before: Option<(&ExplainedPhone, String)> = None;
                for phone in phones {
                    let number = self.paint.strong(phone.destination.as_str());
                    let named = phone.named.as_deref().map(shortened);
                    let named = named.map(|named| format!(", named in the text as {named}"));
                    let by = phone.is_of_rule.then(|| format!(", by rule {}", phone.rule));
                    let by = by.unwrap_or_default();
                    self.line(2, &format!("{number}{}{by}", named.unwrap_or_default()));
                    let start = self.out.len();
                    self.phone(phone);
                    // Of an alias with twenty phones the first tells it all.
                    match &before {
                        Some((first, told)) if *told == self.out[start..] => {
                            self.out.truncate(start);
                            self.line(4, &format!("the same as {}", first.destination));
                        }
                        Some(_) | None => before = Some((phone, self.out[start..].to_owned())),
                    }
                }
            }
        }
    }

    fn phone(&mut self, phone: &ExplainedPhone) {
        for tried in &phone.tried {
            if tried.unmet.is_empty() {
                self.line(4, &self.paint.good(&format!("{}: matches", tried.rule)));
            }
            let begin = format!("{}: ", tried.rule);
            for (n, unmet) in tried.unmet.iter().enumerate() {
                let begin = if n == 0 { begin.clone() } else { " ".repeat(begin.len()) };
                self.line(4, &self.paint.faint(&format!("{begin}{}", why_not(unmet))));
            }
        }
        if phone.rule == DEFAULT_RULE {
            self.line(4, &self.paint.good(&format!("{DEFAULT_RULE}: no rule matches")));
        }
        match &phone.fate {
            ExplainedFate::Dropped { reason } => {
                self.line(4, &self.paint.bad(&format!("dropped: {}", printable(reason))));
            }
            ExplainedFate::Refused { reason } => {
                self.line(4, &self.paint.bad(&format!("refused: {}", printable(reason))));
            }
            ExplainedFate::Sent {
                sender,
                removed,
                variables,
                groups: _,
                template_problem,
                words: _,
                sms,
                delivery,
            } => {
                for one in removed {
                    let step = one.step.as_str();
                    match one.words.is_empty() {
                        true => self.line(4, &format!("removed by {step}")),
                        false => self.line(4, &format!("removed by {step}: {}", shortened(&one.words))),
                    }
                }
                let values = variables.iter().filter(|(_, value)| !value.is_empty());
                for (name, value) in values {
                    self.line(4, &format!("variable {name} = {}", shortened(value)));
                }
                if let Some(problem) = template_problem {
                    let text = format!("the template was not used: {}", printable(problem));
                    self.line(4, &self.paint.bad(&text));
                }
                for line in super::delivery::lines(delivery, self.told.at) {
                    self.line(4, &line);
                }
                for line in super::storm::lines(&delivery.storm) {
                    self.line(4, &line);
                }
                if let Some(problem) = &delivery.variable_problem {
                    let text = format!("a template was not used: {}", printable(problem));
                    self.line(4, &self.paint.bad(&text));
                }
                for (n, one) in sms.iter().enumerate() {
                    let count =
                        if sms.len() == 1 { String::new() } else { format!(" {} of {}", n + 1, sms.len()) };
                    self.line(4, &format!("SMS{count} from {sender}"));
                    self.sms(one);
                }
                if let Some(escalation) = &delivery.escalation {
                    self.escalation(escalation, sender);
                }
            }
        }
    }

    fn escalation(&mut self, escalation: &ExplainedEscalation, sender: &SenderId) {
        let after = humantime::format_duration(escalation.after);
        let zone = self.told.at.time_zone();
        let phone = |phone: &PhoneNumber| match escalation.asleep.get(phone) {
            None => phone.to_string(),
            Some(until) => {
                let until = until.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
                format!("{phone} from {until} on, the end of its quiet hours")
            }
        };
        let phones: Vec<String> = escalation.phones.iter().map(phone).collect();
        let (to, phones) = (printable(&escalation.to), phones.join(", "));
        self.line(4, &format!("not delivered within {after}: SMS from {sender} to {to} ({phones})"));
        self.sms(&escalation.sms);
    }

    fn sms(&mut self, sms: &ExplainedSms) {
        self.line(0, &Phone { indent: "    ", parts: &sms.parts }.to_string());
        let price = sms.price.map(|price| format!(", {}", self.money(price))).unwrap_or_default();
        let encoding = encoding_of(sms);
        let (units, most) = (sms.units, room_of(sms));
        self.line(4, &format!("{encoding}, {units} of {most}, {}{price}", parts_of(sms.text.parts)));
        for foreign in sms.foreign.iter().take(MAX_FOREIGN) {
            let shown = printable(&foreign.character.to_string());
            let (code, line, column) = (u32::from(foreign.character), foreign.line, foreign.column);
            let place = format!("{shown} (U+{code:04X}) at line {line}, column {column}");
            match sms.foreign.len() {
                1 => {
                    let without = without_foreign(sms, "it");
                    self.line(4, &format!("{place} forces UCS-2{without}"));
                }
                _ => self.line(4, &place),
            }
        }
        if sms.foreign.len() > 1 {
            let more = match sms.foreign.len() - sms.foreign.len().min(MAX_FOREIGN) {
                0 => String::new(),
                more => format!("and {more} more "),
            };
            self.line(4, &format!("{more}force UCS-2{}", without_foreign(sms, "them")));
        }
        if let Some(recipient) = &sms.same_as {
            let text = format!("not sent: the same text goes to this phone for {}", printable(recipient));
            self.line(4, &self.paint.bad(&text));
        }
    }
}

/// Why a rule did not match, with what was there instead.
fn why_not(unmet: &Unmet) -> String {
    let header = unmet.header.as_ref().map(|name| format!(" {}", printable(name))).unwrap_or_default();
    let branch = if unmet.branch.is_empty() { String::new() } else { format!("{}: ", unmet.branch) };
    let (key, wanted) = (format!("{branch}{}{header}", unmet.key), printable(&unmet.wanted));
    let found = match &unmet.found {
        None => "there is none".to_owned(),
        Some(found) if found.trim().is_empty() => "it is empty".to_owned(),
        Some(found) => shortened(found),
    };
    let is_one =
        matches!(unmet.key, "client" | "listener" | "account" | "door" | "time" | "weekday" | "date");
    match (is_one, unmet.holds) {
        (true, false) => format!("{key} is none of {wanted}: {found}"),
        (true, true) => format!("{key} is one of {wanted}, and must not be: {found}"),
        (false, false) => format!("{key} does not match \"{wanted}\": {found}"),
        (false, true) => format!("{key} matches \"{wanted}\", and must not: {found}"),
    }
}

/// One line of at most [`MAX_SHOWN`] characters.
pub(super) fn shortened(text: &str) -> String {
    let mut clusters = text.trim().graphemes(true);
    let mut line: String = clusters.by_ref().take(MAX_SHOWN).collect();
    if clusters.next().is_some() {
        line.push('…');
    }
    let lines: Vec<&str> = line.lines().map(str::trim).collect();
    printable(&lines.join(" ⏎ "))
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn size_of(text: &str) -> String {
    let counted = |count: usize, word: &str| {
        if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
    };
    match text.chars().count() {
        0 => "none".to_owned(),
        count => format!("{} in {}", counted(count, "character"), counted(text.lines().count(), "line")),
    }
}

fn parts_of(count: u32) -> String {
    if count == 1 { "1 part".to_owned() } else { format!("{count} parts") }
}

fn encoding_of(sms: &ExplainedSms) -> &'static str {
    match sms.text.encoding {
        Encoding::Gsm7 => "GSM 7-bit",
        Encoding::Ucs2 => "UCS-2",
    }
}

/// Units that fit into as many parts as it has (3GPP TS 23.040 clause 9.2.3.24.1).
pub(super) fn room_of(sms: &ExplainedSms) -> usize {
    let (alone, each) = match sms.text.encoding {
        Encoding::Gsm7 => (160, 153),
        Encoding::Ucs2 => (70, 67),
    };
    let parts = sms.text.parts as usize;
    if parts <= 1 { alone } else { each * parts }
}

fn without_foreign(sms: &ExplainedSms, word: &str) -> String {
    if sms.parts_without_foreign < sms.text.parts {
        format!(": without {word} {} would do", parts_of(sms.parts_without_foreign))
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::intake::RefusalKind;
    use crate::model::{Client, Door};
    use crate::routing::Tried;
    use crate::text::{self, Fitting};
    use crate::wording::{Removed, Step};

    fn sms(words: &str, price: Option<&str>, same_as: Option<&str>) -> ExplainedSms {
        let text = text::fit(words, &Fitting::in_parts(9)).remove(0);
        ExplainedSms {
            units: text::measure(&text.body).units,
            parts: text::parts(&text.body).into_iter().map(str::to_owned).collect(),
            foreign: text::foreign(&text.body),
            parts_without_foreign: 1,
            price: price.map(|price| Amount::new(price).unwrap()),
            same_as: same_as.map(str::to_owned),
            text,
        }
    }

    /// An alias with two phones, the text split into two SMS, everything that can be told about it.
    fn explanation() -> Explanation {
        let tried = |rule: &str, key, wanted: &str, found: Option<&str>| {
            let (wanted, found) = (wanted.to_owned(), found.map(str::to_owned));
            let (header, branch) = (None, String::new());
            let unmet = Unmet { key, header, branch, holds: false, wanted, found };
            Tried { rule: rule.to_owned(), unmet: vec![unmet] }
        };
        let all = vec![
            tried("nets", "client", "10.0.0.0/8, ::1/128", Some("127.0.0.1")),
            tried("long", "text", "x", Some(&"wide words\r\n\x1b[2J ".repeat(9))),
            tried("form", "header_sender", "m@", None),
        ];
        let phone = |number: &str, sms| ExplainedPhone {
            destination: PhoneNumber::from_e164(number).unwrap(),
            named: Some("on call".to_owned()),
            is_of_rule: false,
            tried: all.clone(),
            rule: DEFAULT_RULE.to_owned(),
            fate: ExplainedFate::Sent {
                sender: SenderId::new("Relay").unwrap(),
                removed: vec![
                    Removed { step: Step::Signature, words: "-- \nJohn\u{202E}".to_owned() },
                    Removed { step: Step::BlankSpace, words: String::new() },
                ],
                variables: vec![
                    ("text".to_owned(), "a\nb".to_owned()),
                    ("account".to_owned(), String::new()),
                ],
                groups: BTreeMap::new(),
                template_problem: Some("the template made an empty text".to_owned()),
                words: String::new(),
                sms,
                delivery: Box::default(),
            },
        };
        let split = || vec![sms("1/2 a", Some("0.045"), None), sms("2/2 b’s", Some("0.045"), Some("x@y"))];
        Explanation {
            subject: String::new(),
            from: "a@example.com".to_owned(),
            text: "a\nb".to_owned(),
            attachments: vec!["scan.pdf".to_owned(), "image/png".to_owned()],
            recipients: vec![ExplainedRecipient {
                written: "ups@sms.local".to_owned(),
                outcome: Ok(vec![phone("+393471234567", split()), phone("+393471234568", split())]),
                forwarded_to: None,
            }],
            refusal: None,
        }
    }

    fn drawn(explanation: Explanation, is_coloured: bool) -> String {
        let client = Client {
            door: Door::Http,
            listener: "forms".to_owned(),
            address: "127.0.0.1".parse().unwrap(),
            helo: None,
            account: Some("shop".to_owned()),
        };
        let at = Timestamp::from_second(1_800_000_000).unwrap().to_zoned(TimeZone::UTC);
        let end = Ok(explanation);
        let told = Told {
            client: &client,
            at: &at,
            envelope: None,
            is_from_header: false,
            end,
            currency: "EUR",
            api: None,
        };
        words(&told, Paint::new(is_coloured))
    }

    #[test]
    fn everything_that_led_to_two_sms_is_told() {
        assert_eq!(
            drawn(explanation(), false),
            "\
From        a@example.com
Text        3 characters in 2 lines
Attached    scan.pdf, image/png
Came in     2027-01-15 08:00:00 UTC through listener forms from 127.0.0.1 as account shop

ups@sms.local
  +393471234567, named in the text as on call
    nets: client is none of 10.0.0.0/8, ::1/128: 127.0.0.1
    long: text does not match \"x\": wide words ⏎ ·[2J wide words ⏎ ·[2J wide words ⏎ ·[2J wide words ⏎ ·…
    form: header_sender does not match \"m@\": there is none
    default: no rule matches
    removed by signature: -- ⏎ John·
    removed by blank_space
    variable text = a ⏎ b
    the template was not used: the template made an empty text
    SMS 1 of 2 from Relay
    ┌──────────────────────────────────┐
    │ 1/2 a                            │
    └──────────────────────────────────┘
    GSM 7-bit, 5 of 160, 1 part, 0.045 EUR
    SMS 2 of 2 from Relay
    ┌──────────────────────────────────┐
    │ 2/2 b’s                          │
    └──────────────────────────────────┘
    UCS-2, 7 of 70, 1 part, 0.045 EUR
    ’ (U+2019) at line 1, column 6 forces UCS-2
    not sent: the same text goes to this phone for x@y
  +393471234568, named in the text as on call
    the same as +393471234567

2 SMS, 2 parts, 0.09 EUR
"
        );
    }

    #[test]
    fn an_escalation_is_told_behind_the_sms_that_it_is_for() {
        let mut explanation = explanation();
        if let Ok(phones) = &mut explanation.recipients[0].outcome {
            phones.truncate(1);
            if let ExplainedFate::Sent { delivery, sms: of_phone, .. } = &mut phones[0].fate {
                of_phone.truncate(1);
                delivery.lane = crate::model::Lane::Critical;
                delivery.variable_problem = Some("variable `host`: the template failed".to_owned());
                delivery.escalation = Some(ExplainedEscalation {
                    after: std::time::Duration::from_secs(600),
                    at: Timestamp::from_second(1_800_000_600).unwrap(),
                    to: "second".to_owned(),
                    phones: ["+393471234569", "+393471234570"]
                        .map(|number| PhoneNumber::from_e164(number).unwrap())
                        .into(),
                    asleep: Default::default(),
                    sms: sms("still on fire", Some("0.045"), None),
                });
            }
        }
        let printed = drawn(explanation, false);
        let (_, told) = printed.split_once("the template made an empty text\n").unwrap();
        assert_eq!(
            told,
            "    lane critical
    a template was not used: variable `host`: the template failed
    SMS from Relay
    ┌──────────────────────────────────┐
    │ 1/2 a                            │
    └──────────────────────────────────┘
    GSM 7-bit, 5 of 160, 1 part, 0.045 EUR
    not delivered within 10m: SMS from Relay to second (+393471234569, +393471234570)
    ┌──────────────────────────────────┐
    │ still on fire                    │
    └──────────────────────────────────┘
    GSM 7-bit, 13 of 160, 1 part, 0.045 EUR

1 SMS, 1 part, 0.045 EUR
"
        );
    }

    #[test]
    fn a_price_that_is_not_known_for_all_is_not_summed_up() {
        let mut explanation = explanation();
        if let Ok(phones) = &mut explanation.recipients[0].outcome
            && let ExplainedFate::Sent { sms, .. } = &mut phones[1].fate
        {
            sms[0].price = None;
        }
        assert!(drawn(explanation, false).ends_with("\n2 SMS, 2 parts\n"));
    }

    #[test]
    fn a_refusal_of_the_whole_is_told_once_and_by_the_status_of_its_door() {
        let refusal = Refusal { kind: RefusalKind::TooMany, text: "too \x1b[31mmany".to_owned() };
        let mut all = Explanation { refusal: Some(refusal.clone()), ..explanation() };
        all.recipients[0].outcome = Err(refusal);
        let printed = drawn(all, true);
        assert!(
            printed.ends_with(
                "\n\x1b[1mups@sms.local\x1b[0m\n  refused with the whole, see the end\n\n\
                 \x1b[31mRefused: 413 too ·[31mmany\x1b[0m\n"
            ),
            "{printed}"
        );
    }
}
