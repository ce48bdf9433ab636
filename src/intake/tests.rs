//! What becomes of a mail or a form, decided without a spool.

mod accounts;
mod addressed;
mod budgets;
mod delivered;
mod explained;
mod fan_out;
mod once;
mod own;
mod received;
mod repeated;
mod storms;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::model::{DialPlan, Door, EnvelopeRecipient, Fate, MailKind, Notify, Protocol, Ret, SenderId};
use crate::pattern::Pattern;
use crate::routing::{
    Action, Allowance, Conditions, Defaults, Delivering, NoMatch, Parts, Prefix, Rule, SendAction,
};
use crate::wording::Wording;

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn rule(name: &str, subject: &str, action: Action) -> Rule {
    let when = Conditions { subject: Some(Pattern::new(subject).unwrap().into()), ..Conditions::default() };
    Rule { name: name.to_owned(), when, action }
}

fn routing() -> Routing {
    parts().build().unwrap()
}

fn parts() -> Parts {
    let reason = |text: &str| text.to_owned();
    let vip = Rule {
        name: "vip".to_owned(),
        when: Conditions {
            recipient: Some(Pattern::new("^\\+39347").unwrap().into()),
            ..Conditions::default()
        },
        action: Action::Refuse { reason: reason("the director sleeps") },
    };
    Parts {
        domains: vec!["sms.local".to_owned()],
        dial_plan: DialPlan::default(),
        allowed: vec![Prefix::new("+39").unwrap()],
        text_recipients: vec!["UPS".to_owned()],
        rotas: Vec::new(),
        quiet: Vec::new(),
        aliases: vec![
            ("ops".to_owned(), vec!["+393280000001".to_owned(), "+393280000002".to_owned()]),
            ("boss".to_owned(), vec!["+393280000001".to_owned()]),
        ],
        rules: vec![
            rule("spam", "^newsletter", Action::Drop { reason: reason("nobody reads it at night") }),
            rule(
                "short",
                "^short",
                Action::Send(SendAction {
                    wording: Some(Arc::new(Wording::in_parts(1))),
                    ..SendAction::default()
                }),
            ),
            vip,
        ],
        no_match: NoMatch::Send,
        defaults: Defaults {
            sender: Some(SenderId::new("Relay").unwrap()),
            wording: Arc::new(Wording::in_parts(3)),
            lifetime: Duration::from_secs(3600),
            delivering: Delivering::default(),
        },
        listeners: Vec::new(),
        accounts: Vec::new(),
    }
}

fn settings(reports: Reports) -> Settings {
    Settings {
        hostname: "relay.example".to_owned(),
        reports,
        operator: Some(MailAddress::parse("ops@example.com").unwrap()),
        max_received: 3,
        full_original_octets: 200,
        delayed_after: None,
        simulate_all: false,
    }
}

pub(super) fn client() -> Client {
    Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: "192.0.2.7".parse().unwrap(),
        helo: Some("ups".to_owned()),
        account: None,
    }
}

/// The routing with an allowance for one account.
pub(super) fn limited(account: &str, allowance: Allowance) -> Routing {
    routing().with_allowances(BTreeMap::from([(account.to_owned(), allowance)]))
}

pub(super) fn intake_with(spool: Arc<dyn Spool>, routing: Routing) -> Intake {
    Intake::new(Arc::new(ArcSwap::from_pointee(routing)), spool, settings(Reports::Sender))
}

/// A form that becomes one SMS of one part.
pub(super) fn form() -> Form {
    Form { to: vec!["boss".to_owned()], text: "hot".to_owned(), ..Form::default() }
}

/// What [`form`] becomes.
pub(super) fn prepared(client: &Client, now: Timestamp) -> Submission {
    form::prepare(&routing(), &settings(Reports::Sender), client, &form(), now, None).unwrap().submission
}

/// What a form becomes.
fn submitted(routing: &Routing, form: &Form) -> Result<Submission, Refusal> {
    let prepared = form::prepare(routing, &settings(Reports::Sender), &client(), form, now(), None)?;
    Ok(prepared.submission)
}

/// What is told of a form whose SMS get the numbers from 11 on.
fn receipt(routing: &Routing, form: &Form) -> Result<Receipt, Refusal> {
    let prepared = form::prepare(routing, &settings(Reports::Sender), &client(), form, now(), None)?;
    let (submission, draft) = prepared.split();
    let numbers: Vec<i64> = (11..).take(submission.messages.len()).collect();
    Ok(draft.receipt(&numbers))
}

fn envelope(from: &str, to: &[&str]) -> Envelope {
    let reverse_path = match from {
        "" => ReversePath::Null,
        address => ReversePath::Path(MailAddress::parse(address).unwrap()),
    };
    let recipients = to
        .iter()
        .map(|to| EnvelopeRecipient {
            address: MailAddress::parse(to).unwrap(),
            notify: Notify::Unspecified,
            orcpt: None,
        })
        .collect();
    Envelope { protocol: Protocol::Esmtp, reverse_path, ret: None, envid: None, smtputf8: false, recipients }
}

fn submit(to: &[&str], mail: &str) -> Result<Submission, Refusal> {
    mail::prepare(
        &routing(),
        &settings(Reports::Sender),
        &client(),
        &envelope("ups@example.com", to),
        mail.as_bytes(),
        now(),
        None,
    )
}

/// Destination, text and fate of each SMS, shortly.
fn fates(submission: &Submission) -> Vec<(String, String, String)> {
    let fate = |fate: &Fate| match fate {
        Fate::Due => "due".to_owned(),
        Fate::Held { until, reason } => format!("held until {until}: {}", reason.as_str()),
        Fate::Refused(cause) => format!("refused {} {}", cause.status, cause.text),
        Fate::Dropped(_) | Fate::SameAs(_) => format!("dropped {}", fate.cause().unwrap().text),
    };
    let messages = submission.messages.iter();
    messages.map(|m| (m.sms.destination.to_string(), m.sms.text.body.clone(), fate(&m.fate))).collect()
}

fn triple(destination: &str, text: &str, fate: &str) -> (String, String, String) {
    (destination.to_owned(), text.to_owned(), fate.to_owned())
}

#[test]
fn every_number_of_an_alias_gets_its_own_sms() {
    let submission = submit(&["ops@sms.local"], "Subject: x\r\n\r\nRack 7 is hot\r\n").unwrap();
    assert_eq!(
        fates(&submission),
        [triple("+393280000001", "Rack 7 is hot", "due"), triple("+393280000002", "Rack 7 is hot", "due")]
    );
    let ids: Vec<String> = submission.messages.iter().map(|m| m.sms.id.to_string()).collect();
    assert_eq!(ids, [format!("{}-1", submission.id), format!("{}-2", submission.id)]);
    assert_eq!(submission.messages[0].delivery.expires_at, Timestamp::from_second(NOW + 3600).unwrap());
    assert_eq!(submission.messages[0].recipient.address, "ops@sms.local");
}

#[test]
fn one_phone_behind_two_recipients_gets_the_text_once_and_both_have_a_fate() {
    let submission = submit(&["boss@sms.local", "ops@sms.local"], "Subject: x\r\n\r\nhot\r\n").unwrap();
    let first = submission.messages[0].sms.id;
    assert_eq!(
        fates(&submission),
        [
            triple("+393280000001", "hot", "due"),
            triple("+393280000001", "hot", &format!("dropped the same text goes to this phone as {first}")),
            triple("+393280000002", "hot", "due"),
        ]
    );
}

#[test]
fn a_dropped_mail_is_taken_recorded_and_not_sent() {
    let submission = submit(&["boss@sms.local"], "Subject: Newsletter 7\r\n\r\nbuy\r\n").unwrap();
    let fate = "dropped dropped by rule spam: nobody reads it at night";
    assert_eq!(fates(&submission), [triple("+393280000001", "buy", fate)]);
}

#[test]
fn all_refused_is_refused_at_once_and_some_refused_is_told_later() {
    let mail = "Subject: x\r\n\r\nhot\r\n";
    let refusal = submit(&["p393470000001@sms.local"], mail).unwrap_err();
    assert_eq!((refusal.kind, refusal.text.as_str()), (RefusalKind::NotAllowed, "the director sleeps"));
    let submission = submit(&["p393470000001@sms.local", "boss@sms.local"], mail).unwrap();
    assert_eq!(
        fates(&submission),
        [
            triple("+393470000001", "hot", "refused 5.7.1 refused by rule vip: the director sleeps"),
            triple("+393280000001", "hot", "due"),
        ]
    );
}

#[test]
fn the_subject_alone_is_sent_and_nothing_at_all_is_refused() {
    let submission = submit(&["boss@sms.local"], "Subject: On battery\r\n\r\n").unwrap();
    assert_eq!(fates(&submission), [triple("+393280000001", "On battery", "due")]);
    let refusal = submit(&["boss@sms.local"], "From: x@example.com\r\n\r\n \r\n").unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NothingToSend);
    assert_eq!(refusal.text, "there is nothing to send: subject and text are empty");
}

#[test]
fn a_long_text_is_cut_to_the_parts_of_its_rule() {
    let mail = format!("Subject: short\r\n\r\n{}\r\n", "word ".repeat(100));
    let submission = submit(&["boss@sms.local"], &mail).unwrap();
    assert_eq!(submission.messages[0].sms.text.parts, 1);
    assert!(submission.messages[0].sms.text.body.ends_with("word..."));
    let mail = mail.replace("Subject: short", "Subject: other");
    assert_eq!(submit(&["boss@sms.local"], &mail).unwrap().messages[0].sms.text.parts, 3);
}

#[test]
fn a_mail_in_circles_is_refused_beyond_the_limit_only() {
    let mail = |n: usize| format!("{}Subject: x\r\n\r\nhot\r\n", "Received: from a by b\r\n".repeat(n));
    assert!(submit(&["boss@sms.local"], &mail(3)).is_ok());
    let refusal = submit(&["boss@sms.local"], &mail(4)).unwrap_err();
    assert_eq!((refusal.kind, refusal.kind.smtp().0), (RefusalKind::Loop, 554));
}

#[test]
fn more_sms_than_one_submission_may_have_are_refused_whole() {
    let to = |n: usize| (0..n).map(|i| format!("p3932800{i:05}@sms.local")).collect::<Vec<_>>();
    let of =
        |n: usize| submit(&to(n).iter().map(String::as_str).collect::<Vec<_>>(), "Subject: x\r\n\r\nhot\r\n");
    assert_eq!(of(1000).unwrap().messages.len(), 1000);
    assert_eq!(of(1001).unwrap_err().kind, RefusalKind::TooMany);
}

#[test]
fn headers_are_kept_and_the_whole_mail_where_the_sender_asked_and_it_is_small() {
    let kept = |ret, mail: &str| {
        let envelope = Envelope { ret, ..envelope("a@example.com", &["boss@sms.local"]) };
        let settings = settings(Reports::Sender);
        mail::prepare(&routing(), &settings, &client(), &envelope, mail.as_bytes(), now(), None)
            .unwrap()
            .original
    };
    let mail = "Subject: x\r\nMessage-ID: <1@example.com>\r\n\r\nhot\r\n";
    let headers = kept(Some(Ret::Headers), mail);
    let content = String::from_utf8(headers.content).unwrap();
    assert!(content.starts_with("Received: from ups ([192.0.2.7])\r\n\tby relay.example with ESMTP id "));
    assert!(content.ends_with("Subject: x\r\nMessage-ID: <1@example.com>\r\n"), "{content}");
    assert!(!headers.is_full);
    assert_eq!(headers.message_id.as_deref(), Some("<1@example.com>"));
    let full = kept(Some(Ret::Full), mail);
    assert!(full.is_full && full.content.ends_with(b"\r\n\r\nhot\r\n"));
    let large = kept(Some(Ret::Full), &format!("{mail}{}", "x".repeat(200)));
    assert!(!large.is_full && large.content.ends_with(b"<1@example.com>\r\n"));
}

#[test]
fn mail_for_the_postmaster_goes_to_the_operator() {
    for to in ["postmaster@sms.local", "PostMaster@relay.example"] {
        let submission = submit(&[to], "Subject: hello\r\n\r\nPlease call\r\n").unwrap();
        assert!(submission.messages.is_empty());
        let forward = &submission.forwards[0];
        assert_eq!(
            (forward.kind, forward.recipient.to_string()),
            (MailKind::Postmaster, "ops@example.com".to_owned())
        );
        assert!(
            forward.bytes.starts_with(b"Received: ") && forward.bytes.ends_with(b"\r\n\r\nPlease call\r\n")
        );
    }
    let settings = settings(Reports::Off);
    let refusal = settings.operator_for(&MailAddress::parse("postmaster@sms.local").unwrap()).unwrap_err();
    assert_eq!(
        refusal.text,
        "<postmaster@sms.local> has nobody behind it: no operator address is configured"
    );
}

#[test]
fn who_is_told_follows_the_rules_against_loops() {
    use crate::mail::Automatic::{AutoSubmitted, Bulk, No, Report};
    let told = |reports, from: &str, automatic| {
        let reverse_path = envelope(from, &[]).reverse_path;
        match report_to::for_mail(&settings(reports), &routing(), &reverse_path, automatic) {
            ReportTo::Sender(address) => format!("sender {address}"),
            ReportTo::Operator(address) => format!("operator {address}"),
            ReportTo::Nobody(reason) => reason,
        }
    };
    let operator = "operator ops@example.com";
    assert_eq!(told(Reports::Sender, "a@example.com", No), "sender a@example.com");
    assert_eq!(told(Reports::Sender, "a@example.com", AutoSubmitted), operator);
    assert_eq!(told(Reports::Sender, "a@example.com", Bulk), operator);
    assert_eq!(told(Reports::Sender, "oncall@sms.local", No), operator);
    assert_eq!(told(Reports::Operator, "a@example.com", No), operator);
    for reports in [Reports::Sender, Reports::Operator] {
        assert_eq!(told(reports, "", No), "the mail has a null reverse path");
        assert_eq!(told(reports, "a@example.com", Report), "the mail is a report itself (multipart/report)");
    }
    assert_eq!(told(Reports::Off, "a@example.com", No), "no smarthost is configured");
}

#[test]
fn a_form_is_reported_to_the_address_of_its_account_or_else_to_the_operator() {
    let own = MailAddress::parse("it@example.com").unwrap();
    let allowance = Allowance { reports_to: Some(own.clone()), ..Allowance::default() };
    let told = |reports, account: &str| {
        let client = Client { account: Some(account.to_owned()), ..client() };
        let routing = limited("nas", allowance.clone());
        let prepared = form::prepare(&routing, &settings(reports), &client, &form(), now(), None);
        prepared.unwrap().submission.report_to
    };
    let operator = ReportTo::Operator(MailAddress::parse("ops@example.com").unwrap());
    for reports in [Reports::Sender, Reports::Operator] {
        assert_eq!(told(reports, "nas"), ReportTo::Sender(own.clone()));
        assert_eq!(told(reports, "pbx"), operator);
    }
    assert_eq!(told(Reports::Off, "nas"), ReportTo::Nobody("no smarthost is configured".to_owned()));
}

#[test]
fn a_form_is_refused_whole_when_one_destination_is_wrong() {
    let form = |to: &[&str], text: &str, sender: Option<&str>| {
        let form = Form {
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            text: text.to_owned(),
            sender: sender.map(str::to_owned),
            ..Form::default()
        };
        submitted(&routing(), &form)
    };
    let submission = form(&["boss", "+39 328 000 0009"], "Door 3", Some("Doors")).unwrap();
    assert_eq!(
        fates(&submission),
        [triple("+393280000001", "Door 3", "due"), triple("+393280000009", "Door 3", "due")]
    );
    assert!(submission.messages.iter().all(|message| message.sms.sender.as_str() == "Doors"));
    assert_eq!(submission.report_to, ReportTo::Operator(MailAddress::parse("ops@example.com").unwrap()));
    let refused = |result: Result<Submission, Refusal>| {
        let refusal = result.unwrap_err();
        (refusal.kind, refusal.text)
    };
    let (kind, text) = refused(form(&["boss", "nobody"], "x", None));
    assert_eq!(kind, RefusalKind::UnknownRecipient);
    assert_eq!(text, "`nobody` is not a phone number, and there is no alias of that name");
    assert_eq!(refused(form(&["boss", "+447911123456"], "x", None)).0, RefusalKind::NotAllowed);
    assert_eq!(refused(form(&["boss"], " \n", None)).1, "the text is empty");
    assert_eq!(refused(form(&[], "x", None)).1, "no destination is given");
    assert_eq!(
        refused(form(&["boss"], "x", Some("TwelveLetter"))).1,
        "sender `TwelveLetter` has 12 characters; an alphanumeric sender has at most 11"
    );
}

#[test]
fn what_is_large_depends_on_the_phones() {
    assert!(!is_large(LARGE, [1].into_iter()) && is_large(LARGE + 1, [1].into_iter()));
    assert!(!is_large(LARGE / 2, [1, 1].into_iter()) && is_large(LARGE / 2, [1, 2].into_iter()));
    assert!(!is_large(LARGE, [0].into_iter()) && is_large(LARGE + 1, [].into_iter()));
    let phones = |to: &str| mail::phones(&routing(), &MailAddress::parse(to).unwrap(), Timestamp::UNIX_EPOCH);
    assert_eq!(["ops@sms.local", "+393280000001@sms.local", "nobody@sms.local"].map(phones), [2, 1, 0]);
    assert_eq!(phones("ups@sms.local"), MAX_MESSAGES);
}

#[test]
fn whom_a_form_wants_told_is_kept_with_it() {
    let to = TellUrl {
        url: "https://shop.example.com/done".to_owned(),
        account: "shop".to_owned(),
        style: crate::model::TellStyle::Signed,
    };
    for tell_url in [Some(to), None] {
        let form = Form { tell_url: tell_url.clone(), ..form() };
        assert_eq!(submitted(&routing(), &form).unwrap().tell_url, tell_url);
    }
}
