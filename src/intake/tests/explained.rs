//! What is explained is what would be done.

use std::sync::LazyLock;

use super::*;
use crate::model::Encoding;
use crate::routing::{Amount, Prices, SenderPattern};
use crate::wording::Template;

static RICH: LazyLock<Routing> = LazyLock::new(rich);

/// Rules of every kind, prices, and an account with bounds.
fn rich() -> Routing {
    let wording = |template: &str| {
        let template = Template::new(template).unwrap();
        Some(Arc::new(Wording { template, ..Wording::in_parts(2) }))
    };
    let send = |template: &str| {
        let sender = Some(SenderId::new("Rule").unwrap());
        Action::Send(SendAction { sender, wording: wording(template), ..SendAction::default() })
    };
    let mut rules = vec![
        rule("host", r"(?P<host>srv\d+) is down", send("{{ subject }} ({{ to }}) {{ text }}")),
        rule("empty", "^empty", send("{{ '' }}")),
    ];
    rules.extend(parts().rules);
    let price = |prefix: &str, amount: &str| (Prefix::new(prefix).unwrap(), Amount::new(amount).unwrap());
    let prices = Prices { currency: "EUR".to_owned(), per_part: vec![price("+39328", "0.045")] };
    let allowance = Allowance {
        senders: Some(vec![SenderPattern::new("@example.com").unwrap()]),
        destinations: Some(vec![Prefix::new("+393280000001").unwrap()]),
        ..Allowance::default()
    };
    let allowances = BTreeMap::from([("narrow".to_owned(), allowance)]);
    Parts { rules, ..parts() }.build().unwrap().with_prices(prices).with_allowances(allowances)
}

fn account(name: Option<&str>) -> Client {
    Client { account: name.map(str::to_owned), ..client() }
}

fn explained(client: &Client, envelope: &Envelope, mail: &str) -> Explanation {
    let incoming = Incoming::Mail { envelope, bytes: mail.as_bytes() };
    explain(&RICH, &settings(Reports::Sender), client, incoming, now())
}

fn of_mail(to: &[&str], mail: &str) -> Explanation {
    explained(&client(), &envelope("ups@example.com", to), mail)
}

/// Destination, rule, fate, and where it is sent sender, words and parts.
type Told = (String, String, String);

fn told(explanation: &Explanation) -> Result<Vec<Told>, Refusal> {
    let mut all = Vec::new();
    for phone in explanation.recipients.iter().filter_map(|one| one.outcome.as_ref().ok()).flatten() {
        let mut add = |fate: String| all.push((phone.destination.to_string(), phone.rule.clone(), fate));
        match &phone.fate {
            ExplainedFate::Sent { sender, sms, .. } => {
                for one in sms {
                    let same = one.same_as.is_some();
                    let text = &one.text;
                    add(format!("sent {same} {sender} {} {:?} {}", text.parts, text.encoding, text.body));
                }
            }
            ExplainedFate::Dropped { reason } => add(format!("dropped {reason}")),
            ExplainedFate::Refused { reason } => add(format!("refused {reason}")),
        }
    }
    match &explanation.refusal {
        Some(refusal) => Err(refusal.clone()),
        None => Ok(all),
    }
}

fn done(result: Result<Submission, Refusal>) -> Result<Vec<Told>, Refusal> {
    let reason = |text: &str, rule: &str| text.split_once(&format!("by rule {rule}: ")).unwrap().1.to_owned();
    let told = |message: crate::model::Message| {
        let (sms, rule) = (message.sms, message.rule);
        let text = &sms.text;
        let sent =
            |same| format!("sent {same} {} {} {:?} {}", sms.sender, text.parts, text.encoding, text.body);
        let fate = match &message.fate {
            Fate::Due | Fate::Held { .. } => sent(false),
            Fate::SameAs(_) => sent(true),
            Fate::Dropped(cause) => format!("dropped {}", reason(&cause.text, &rule)),
            Fate::Refused(cause) => format!("refused {}", reason(&cause.text, &rule)),
        };
        (sms.destination.to_string(), rule, fate)
    };
    Ok(result?.messages.into_iter().map(told).collect())
}

/// Whether the recipient, or each of its phones, is refused.
fn gets_nothing(recipient: &ExplainedRecipient) -> bool {
    let is_refused = |phone: &ExplainedPhone| matches!(phone.fate, ExplainedFate::Refused { .. });
    recipient.outcome.as_ref().map_or(true, |phones| phones.iter().all(is_refused))
}

/// Every list of up to three of `all`.
fn lists<'a>(all: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut lists: Vec<Vec<&str>> = vec![Vec::new()];
    let mut last = lists.clone();
    for _ in 0..3 {
        last = last
            .iter()
            .flat_map(|list| all.iter().map(move |one| [list.as_slice(), &[*one]].concat()))
            .collect();
        lists.extend(last.clone());
    }
    lists
}

#[test]
fn mails_become_what_is_explained() {
    let to = [
        "boss@sms.local",
        "ops@sms.local",
        "p393470000001@sms.local",
        "nobody@sms.local",
        "+447911123456@sms.local",
        "boss@example.com",
        "postmaster@sms.local",
        "ups@sms.local",
    ];
    let long = format!("Subject: short\r\n\r\n{}\r\n", "word ".repeat(100));
    let circles = format!("{}Subject: x\r\n\r\nhot\r\n", "Received: from a by b\r\n".repeat(4));
    let mails = [
        "Subject: srv3 is down\r\nFrom: Monitor <m@example.com>\r\n\r\nsince 3 o’clock\r\n",
        "Subject: newsletter\r\n\r\nbuy\r\n",
        "Subject: empty\r\n\r\nwords\r\n",
        "Subject: Event\r\n\r\nto: boss\r\ntext: On battery\r\n",
        "From: x@example.com\r\n\r\n \r\n",
        &long,
        &circles,
    ];
    let (routing, settings) = (&*RICH, settings(Reports::Sender));
    let mut seen = (0, 0);
    for to in lists(&to).iter().filter(|to| !to.is_empty()) {
        for (mail, from, name) in [
            (0, "ups@example.com", None),
            (1, "", None),
            (2, "ups@example.com", Some("narrow")),
            (3, "ups@example.com", Some("other")),
            (3, "ups@example.org", Some("narrow")),
            (4, "ups@example.com", None),
            (5, "ups@example.com", None),
            (6, "ups@example.com", None),
        ] {
            let (mail, client, envelope) = (mails[mail], account(name), envelope(from, to));
            let rcpt = |one: &EnvelopeRecipient| {
                mail::check_recipient(
                    routing,
                    &settings,
                    &client,
                    &envelope.reverse_path,
                    &one.address,
                    now(),
                )
            };
            let accepted: Vec<bool> = envelope.recipients.iter().map(|one| rcpt(one).is_ok()).collect();
            let left = envelope.recipients.iter().zip(&accepted).filter(|(_, accepted)| **accepted);
            let left =
                Envelope { recipients: left.map(|(one, _)| one.clone()).collect(), ..envelope.clone() };
            let real = mail::prepare(routing, &settings, &client, &left, mail.as_bytes(), now(), None);
            let explanation = explained(&client, &envelope, mail);
            let recipients = explanation.recipients.iter();
            let forwards = recipients.clone().filter(|one| one.forwarded_to.is_some()).count();
            assert_eq!(forwards, real.as_ref().map_or(0, |real| real.forwards.len()), "{to:?} {mail}");
            if real.is_ok() {
                let taken: Vec<bool> = recipients.map(|one| one.outcome.is_ok()).collect();
                assert_eq!(taken, accepted, "{to:?} {mail}");
                seen.0 += 1;
            } else {
                assert_eq!(explanation.sent().count(), 0, "{to:?} {mail}");
                seen.1 += 1;
            }
            assert_eq!(told(&explanation), done(real), "{to:?} {mail}");
        }
    }
    assert!(seen.0 > 1000 && seen.1 > 1000, "{seen:?}");
}

#[test]
fn forms_become_what_is_explained() {
    let (routing, settings) = (&*RICH, settings(Reports::Operator));
    let mut seen = (0, 0);
    let second = FormText { to: vec!["ops".to_owned()], text: "Fan 2".to_owned(), ..FormText::default() };
    let all = lists(&["boss", "ops", "+39 328 000 0009", "+393470000001", "nobody", "+447911123456"]);
    for (to, others) in all.iter().flat_map(|to| [(to, Vec::new()), (to, vec![second.clone()])]) {
        for (text, sender, name, partial) in [
            ("Door 3", None, None, false),
            ("Door 3", None, None, true),
            ("Door 3", None, Some("narrow"), true),
            ("Door’s open", Some("Doors"), Some("narrow"), false),
            (" ", None, None, true),
            ("x", Some("TwelveLetter"), None, false),
        ] {
            let form = Form {
                to: to.iter().map(|to| (*to).to_owned()).collect(),
                text: text.to_owned(),
                sender: sender.map(str::to_owned),
                partial,
                others: others.clone(),
                ..Form::default()
            };
            let client = account(name);
            let explanation = explain(routing, &settings, &client, Incoming::Form(&form), now());
            let real = form::prepare(routing, &settings, &client, &form, now(), None);
            if let Ok(prepared) = &real {
                let refused: Vec<bool> = explanation.recipients.iter().map(gets_nothing).collect();
                let told: Vec<bool> = prepared.recipients.iter().map(|(_, one)| one.is_err()).collect();
                assert_eq!(refused, told, "{form:?}");
            }
            let real = real.map(|prepared| prepared.submission);
            if real.is_ok() {
                seen.0 += 1
            } else {
                seen.1 += 1
            }
            // Of what a partial form leaves out no row tells.
            let is_kept = |(_, _, fate): &Told| !form.partial || !fate.starts_with("refused ");
            let told = told(&explanation).map(|told| told.into_iter().filter(is_kept).collect());
            assert_eq!(told, done(real), "{form:?}");
        }
    }
    assert!(seen.0 > 20 && seen.1 > 100, "{seen:?}");
}

fn sent(explanation: &Explanation) -> (&ExplainedPhone, &ExplainedFate) {
    let phone = &explanation.recipients[0].outcome.as_ref().unwrap()[0];
    (phone, &phone.fate)
}

#[test]
fn a_mail_is_told_with_all_that_led_to_its_sms() {
    let mail = "Subject: srv3 is down\r\nFrom: Monitor <m@example.com>\r\n\r\nsince 3 o’clock\r\n";
    let explanation = of_mail(&["boss@sms.local", "ops@sms.local"], mail);
    assert_eq!((explanation.subject.as_str(), explanation.from.as_str()), ("srv3 is down", "m@example.com"));
    assert_eq!(explanation.text, "since 3 o’clock");
    let (phone, fate) = sent(&explanation);
    assert_eq!((phone.rule.as_str(), phone.named.as_deref(), phone.tried.len()), ("host", None, 1));
    let ExplainedFate::Sent { sender, groups, variables, words, sms, template_problem, .. } = fate else {
        panic!("{fate:?}")
    };
    assert_eq!((sender.as_str(), groups["host"].as_str()), ("Rule", "srv3"));
    assert_eq!(words, "srv3 is down (boss) since 3 o’clock");
    assert!(variables.contains(&("from_name".to_owned(), "Monitor".to_owned())), "{variables:?}");
    assert_eq!(template_problem, &None);
    let one = &sms[0];
    assert_eq!((one.text.encoding, one.units, one.parts.len()), (Encoding::Ucs2, 35, 1));
    assert_eq!((one.foreign[0].character, one.foreign[0].line, one.foreign[0].column), ('’', 1, 30));
    assert_eq!(one.price.unwrap().to_string(), "0.045");
    assert_eq!(explanation.sent().count(), 3, "`to` differs, and so do the words");
}

#[test]
fn the_same_text_for_the_same_phone_is_told_with_whom_it_is_sent_for() {
    let explanation = of_mail(&["boss@sms.local", "ops@sms.local"], "Subject: x\r\n\r\nhot\r\n");
    let ops = explanation.recipients[1].outcome.as_ref().unwrap();
    let ExplainedFate::Sent { sms, .. } = &ops[0].fate else { panic!("{ops:?}") };
    assert_eq!((sms[0].same_as.as_deref(), sms[0].price), (Some("boss@sms.local"), None));
    assert_eq!(explanation.sent().count(), 2);
}

#[test]
fn what_is_told_of_placeholders_is_what_the_phone_shows() {
    let mut wording = Wording::in_parts(2);
    let value = format!("{}ж end", "Bologna ".repeat(8));
    wording.fitting.placeholders = BTreeMap::from([("plant".to_owned(), value.clone())]);
    let defaults = Defaults { wording: Arc::new(wording), ..parts().defaults };
    let routing = Parts { defaults, ..parts() }.build().unwrap();
    let form = Form { to: vec!["boss".to_owned()], text: "Fire in {plant}!".to_owned(), ..Form::default() };
    let explanation = explain(&routing, &settings(Reports::Sender), &client(), Incoming::Form(&form), now());
    let ExplainedFate::Sent { sms, .. } = sent(&explanation).1 else { panic!() };
    let one = &sms[0];
    assert_eq!(
        (one.text.body.as_str(), one.text.encoding, one.text.parts),
        (format!("Fire in {value}!").as_str(), Encoding::Ucs2, 2)
    );
    assert_eq!(one.parts.concat(), format!("Fire in {value}!"));
    assert_eq!((one.parts.len(), one.units), (2, 78));
    assert_eq!((one.foreign[0].character, one.parts_without_foreign), ('ж', 1));
}

#[test]
fn a_template_that_failed_is_told() {
    let explanation = of_mail(&["boss@sms.local"], "Subject: empty\r\n\r\nwords\r\n");
    let ExplainedFate::Sent { template_problem, words, .. } = sent(&explanation).1 else { panic!() };
    assert_eq!(template_problem.as_deref(), Some("the template made an empty text"));
    assert_eq!(words, "empty\nwords");
}

#[test]
fn rules_that_did_not_match_say_what_they_found() {
    let explanation = of_mail(&["boss@sms.local"], "Subject: Toner low\r\n\r\nTray 2\r\n");
    let (phone, _) = sent(&explanation);
    let unmet: Vec<_> = phone.tried.iter().map(|tried| tried.unmet[0].clone()).collect();
    assert_eq!(phone.rule, crate::routing::DEFAULT_RULE);
    assert_eq!((unmet[0].key, unmet[0].found.as_deref()), ("subject", Some("Toner low")));
    assert_eq!((unmet[4].key, unmet[4].found.as_deref()), ("recipient", Some("boss (+393280000001)")));
}

#[test]
fn the_postmaster_has_no_phone_and_its_mail_goes_to_the_operator() {
    let explanation = of_mail(&["postmaster@relay.example", "vip@sms.local"], "Subject: x\r\n\r\nhot\r\n");
    let postmaster = &explanation.recipients[0];
    assert_eq!(postmaster.forwarded_to, Some(MailAddress::parse("ops@example.com").unwrap()));
    assert!(postmaster.outcome.as_ref().unwrap().is_empty());
    assert_eq!(explanation.recipients[1].outcome.as_ref().unwrap_err().kind, RefusalKind::UnknownRecipient);
    assert_eq!(explanation.refusal, None);
}

#[test]
fn where_all_is_refused_each_phone_still_tells_its_rule() {
    let explanation = of_mail(&["boss@sms.local"], "From: x@example.com\r\n\r\n \r\n");
    assert_eq!(explanation.refusal.as_ref().unwrap().kind, RefusalKind::NothingToSend);
    let (phone, fate) = sent(&explanation);
    assert!(matches!(fate, ExplainedFate::Refused { .. }) && !phone.tried.is_empty());
}

#[test]
fn a_text_that_names_a_bad_destination_is_refused_for_every_recipient() {
    let mail = "Subject: Event\r\n\r\nto: nobody\r\ntext: On battery\r\n";
    let explanation = of_mail(&["boss@sms.local", "ups@sms.local"], mail);
    let refusal = explanation.refusal.clone().unwrap();
    for recipient in &explanation.recipients {
        assert_eq!(recipient.outcome.as_ref().unwrap_err(), &refusal, "{}", recipient.written);
    }
}

#[test]
fn a_destination_that_the_text_names_is_told_as_written() {
    let mail = "Subject: Event\r\n\r\nto: 0039 328 0000001\r\ntext: On battery\r\n";
    let explanation = of_mail(&["ups@sms.local"], mail);
    let (phone, _) = sent(&explanation);
    assert_eq!(phone.named.as_deref(), Some("0039 328 0000001"));
    assert_eq!(phone.destination.as_str(), "+393280000001");
}
