//! Each key about delivery, from a mail or form to its rows.

mod repeated;

use proptest::prelude::*;

use super::*;
use crate::model::{Channel, Delivery, Legacy, OnUnknown, Way};
use crate::routing::{Api, ChannelStep, DeliverAt, Escalation, LaneBy, SILENT_AFTER, Schedule};
use crate::wording::{Template, Variables};

const LIFETIME: Duration = Duration::from_secs(3600);
const BOSS: &str = "+393280000001";
const OTHER: &str = "+393280000002";
const NIGHT: &str = "+393280000009";

/// The parts with `night` beside `boss` and `ops`, a rule for each recipient of those names, and nothing else.
fn with(rules: Vec<(&str, Delivering)>) -> Parts {
    with_actions(rules.into_iter().map(|(to, delivering)| (to, of(delivering))).collect())
}

fn of(delivering: Delivering) -> SendAction {
    SendAction { delivering, ..SendAction::default() }
}

fn with_actions(rules: Vec<(&str, SendAction)>) -> Parts {
    let mut parts = parts();
    parts.aliases.push(("night".to_owned(), vec![NIGHT.to_owned()]));
    let rule = |(to, action): (&str, SendAction)| Rule {
        name: format!("for {to}"),
        when: Conditions {
            recipient: Some(Pattern::new(&format!("^{to}$")).unwrap().into()),
            ..Conditions::default()
        },
        action: Action::Send(action),
    };
    parts.rules = rules.into_iter().map(rule).collect();
    parts
}

fn mail_to(parts: Parts, to: &[&str]) -> Vec<Message> {
    mail_with(parts, &envelope("ups@example.com", to), "Subject: x\r\n\r\nFire in hall 3\r\n").unwrap()
}

fn mail_with(parts: Parts, envelope: &Envelope, mail: &str) -> Result<Vec<Message>, Refusal> {
    let settings = Settings { delayed_after: Some(Duration::from_secs(1800)), ..settings(Reports::Sender) };
    let routing = parts.build().unwrap();
    mail::prepare(&routing, &settings, &client(), envelope, mail.as_bytes(), now(), None)
        .map(|submission| submission.messages)
}

/// The only row of a mail to `boss` by a rule of this.
fn one(delivering: Delivering) -> Message {
    let mut messages = mail_to(with(vec![("boss", delivering)]), &["boss@sms.local"]);
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

fn at(seconds: i64) -> Option<Option<DeliverAt>> {
    Some(Some(DeliverAt::Once(in_seconds(seconds))))
}

fn held(seconds: i64) -> Fate {
    Fate::Held { until: in_seconds(seconds), reason: HoldReason::Scheduled }
}

fn escalate(to: &str) -> Option<Option<Escalation>> {
    let after = Duration::from_secs(600);
    Some(Some(Escalation { after, to: to.to_owned(), text: None }))
}

/// Destination and fate: due, held, escalation or dropped.
fn shown(messages: &[Message]) -> Vec<(&str, &str, &str)> {
    let fate = |fate: &Fate| match fate {
        Fate::Due => "due",
        Fate::Held { reason: HoldReason::Scheduled, .. } => "held",
        Fate::Held { reason: HoldReason::Escalation, .. } => "escalation",
        Fate::Held { reason, .. } => reason.as_str(),
        Fate::Refused(_) => "refused",
        Fate::Dropped(_) => "dropped",
        Fate::SameAs(_) => "same",
    };
    let row = |message: &'_ Message| fate(&message.fate);
    messages.iter().map(|m| (m.recipient.address.as_str(), m.sms.destination.as_str(), row(m))).collect()
}

#[test]
fn nothing_said_is_an_sms_now_in_the_normal_lane_by_any_gateway() {
    let message = one(Delivering::default());
    assert_eq!(message.fate, Fate::Due);
    let usual = Delivery::until(in_seconds(3600));
    assert_eq!(message.delivery, Delivery { delayed_at: Some(in_seconds(1800)), ..usual });
    assert_eq!(message.sms.options.scheduled_at, None);
}

#[test]
fn lane_gateways_and_what_is_unknown_are_the_rules() {
    let delivering = Delivering {
        lane: Some(LaneBy::Fixed(Lane::Bulk)),
        gateways: Some(vec!["backup".to_owned(), "main".to_owned()]),
        on_unknown: Some(OnUnknown::Fail),
        ..Delivering::default()
    };
    let delivery = one(delivering).delivery;
    assert_eq!((delivery.lane, delivery.on_unknown), (Lane::Bulk, OnUnknown::Fail));
    assert_eq!(delivery.gateways, ["backup", "main"]);
}

#[test]
fn the_lane_is_of_the_mails_priority_or_of_what_the_form_asks_for() {
    let lane = |headers: &str| {
        let mail = format!("Subject: x\r\n{headers}\r\nFire\r\n");
        let envelope = envelope("ups@example.com", &["boss@sms.local"]);
        mail_with(with(Vec::new()), &envelope, &mail).unwrap()[0].delivery.lane
    };
    assert_eq!(lane("X-Priority: 1 (Highest)\r\n"), Lane::Critical);
    assert_eq!(lane(""), Lane::Normal);
    assert_eq!(lane("Precedence: bulk\r\n"), Lane::Bulk);
    let of_form = |lane| {
        let form = Form { lane, ..form() };
        submitted(&routing(), &form).unwrap()
    };
    assert_eq!(of_form(None).messages[0].delivery.lane, Lane::Normal);
    assert_eq!(of_form(Some(Lane::Critical)).messages[0].delivery.lane, Lane::Critical);
}

#[test]
fn what_is_sent_later_is_held_and_lives_from_then() {
    let message = one(Delivering { deliver_at: at(7200), ..Delivering::default() });
    assert_eq!(message.fate, held(7200));
    assert_eq!(message.delivery.expires_at, in_seconds(7200 + 3600));
    assert_eq!(message.delivery.delayed_at, Some(in_seconds(7200 + 1800)));
    assert_eq!(message.sms.options.scheduled_at, None);
    for past in [-1, 0] {
        let message = one(Delivering { deliver_at: at(past), ..Delivering::default() });
        assert_eq!((message.fate, message.delivery.expires_at), (Fate::Due, in_seconds(3600)));
    }
}

#[test]
fn the_platform_is_told_the_time_where_it_is_to_wait() {
    let schedule = Some(Schedule::Platform);
    let later = one(Delivering { deliver_at: at(7200), schedule, ..Delivering::default() });
    assert_eq!((later.fate, later.sms.options.scheduled_at), (Fate::Due, Some(in_seconds(7200))));
    assert_eq!(later.delivery.expires_at, in_seconds(7200 + 3600));
    let past = one(Delivering { deliver_at: at(-1), schedule, ..Delivering::default() });
    assert_eq!((past.fate, past.sms.options.scheduled_at), (Fate::Due, None));
}

#[test]
fn a_year_ahead_is_taken_and_a_second_more_refused() {
    let year = 365 * 24 * 3600;
    let delivering = |seconds| Delivering { deliver_at: at(seconds), ..Delivering::default() };
    assert_eq!(one(delivering(year)).fate, held(year));
    let parts = with(vec![("boss", delivering(year + 1))]);
    let envelope = envelope("ups@example.com", &["boss@sms.local"]);
    let refusal = mail_with(parts, &envelope, "Subject: x\r\n\r\nhot\r\n").unwrap_err();
    assert_eq!((refusal.kind, refusal.kind.http()), (RefusalKind::TooFarAhead, 400));
    assert!(refusal.text.contains("is more than a year ahead"), "{}", refusal.text);
}

#[test]
fn a_forms_time_wins_and_its_receipt_names_what_will_be_sent() {
    let delivering =
        Delivering { deliver_at: at(7200), escalation: escalate("night"), ..Delivering::default() };
    let routing = with(vec![("boss", delivering)]).build().unwrap();
    let form = Form { deliver_at: Some(in_seconds(60)), ..form() };
    let submission = submitted(&routing, &form).unwrap();
    assert_eq!(submission.messages[0].fate, held(60));
    assert_eq!(shown(&submission.messages)[1], ("boss", NIGHT, "escalation"));
    let receipt = receipt(&routing, &form).unwrap();
    let phones: Vec<&str> = receipt.messages.iter().map(|sms| sms.destination.as_str()).collect();
    assert_eq!(phones, [BOSS], "what may never be sent is not promised");
    assert_eq!(receipt.recipients[0].outcome.as_ref().unwrap(), &receipt.messages);
}

#[test]
fn a_form_says_where_its_program_is_told() {
    let tell_url = Some(TellUrl {
        url: "https://a.example/".to_owned(),
        account: "shop".to_owned(),
        style: crate::model::TellStyle::Signed,
    });
    let form = Form { tell_url: tell_url.clone(), ..form() };
    assert_eq!(submitted(&routing(), &form).unwrap().tell_url, tell_url);
}

#[test]
fn who_is_told_of_a_delay_is_who_wants_to_know() {
    let delayed = |notify, from: &str| {
        let mut envelope = envelope(from, &["boss@sms.local"]);
        envelope.recipients[0].notify = notify;
        let messages = mail_with(with(Vec::new()), &envelope, "Subject: x\r\n\r\nhot\r\n").unwrap();
        messages[0].delivery.delayed_at.is_some()
    };
    let on = |delay| Notify::On { success: true, failure: true, delay };
    let answers = [Notify::Unspecified, Notify::Never, on(true), on(false)]
        .map(|notify| delayed(notify, "ups@example.com"));
    assert_eq!(answers, [true, false, true, false]);
    assert!(!delayed(Notify::Unspecified, ""), "there is nobody to tell");
}

#[test]
fn channels_are_ways_whose_variables_are_the_recipients() {
    let template = |text: &str| Template::new(text).unwrap();
    let variables = [("text".to_owned(), template("{{ text }} for {{ to }}"))];
    let delivering = Delivering {
        channels: Some(vec![
            ChannelStep::Template { channel: Channel::Rcs, id: "alert_v2".to_owned() },
            ChannelStep::Sms,
        ]),
        variables: Some(Variables::new(variables.into())),
        api: Some(Api::Legacy),
        legacy_unicode: Some(false),
        ..Delivering::default()
    };
    let ways = one(delivering).delivery.ways;
    let [Way::Template(template), sms] = ways.as_slice() else { panic!("{ways:?}") };
    assert_eq!((template.channel, template.id.as_str()), (Channel::Rcs, "alert_v2"));
    assert_eq!(template.variables["text"], "Fire in hall 3 for boss");
    assert_eq!(*sms, Way::Legacy(Legacy { unicode: false, concatenated: true }));
    assert_eq!(ways.silence(), Some(SILENT_AFTER));
}

#[test]
fn an_escalation_waits_once_for_each_phone_of_its_alias() {
    let escalation = Escalation {
        after: Duration::from_secs(600),
        to: "ops".to_owned(),
        text: Some(Template::new("still: {{ text }}").unwrap()),
    };
    let delivering = Delivering {
        lane: Some(LaneBy::Fixed(Lane::Critical)),
        escalation: Some(Some(escalation)),
        deliver_at: at(60),
        ..Delivering::default()
    };
    let messages = mail_to(with(vec![("night", delivering)]), &["night@sms.local"]);
    let address = "night@sms.local";
    assert_eq!(
        shown(&messages),
        [(address, NIGHT, "held"), (address, BOSS, "escalation"), (address, OTHER, "escalation")]
    );
    for (n, message) in messages.iter().enumerate().skip(1) {
        let until = in_seconds(60 + 600);
        assert_eq!(message.fate, Fate::Held { until, reason: HoldReason::Escalation });
        assert_eq!(message.delivery.expires_at, in_seconds(660 + 3600));
        assert_eq!((message.delivery.lane, message.delivery.delayed_at), (Lane::Critical, None));
        assert_eq!(
            (message.rule.as_str(), message.sms.text.body.as_str()),
            ("for night", "still: Fire in hall 3")
        );
        assert_eq!(message.recipient.notify, Notify::On { success: false, failure: true, delay: false });
        assert_eq!(
            message.sms.id.to_string(),
            format!("{}-{}", messages[0].sms.id.to_string().rsplit_once('-').unwrap().0, n + 1)
        );
    }
}

#[test]
fn who_wants_no_failure_reported_has_none_of_the_escalation() {
    let notify = |notify| {
        let mut envelope = envelope("ups@example.com", &["boss@sms.local"]);
        envelope.recipients[0].notify = notify;
        let delivering = Delivering { escalation: escalate("night"), ..Delivering::default() };
        let parts = with(vec![("boss", delivering)]);
        mail_with(parts, &envelope, "Subject: x\r\n\r\nhot\r\n").unwrap()[1].recipient.notify
    };
    let failure_only = Notify::On { success: false, failure: true, delay: false };
    assert_eq!(notify(Notify::Unspecified), failure_only);
    assert_eq!(notify(Notify::On { success: true, failure: true, delay: true }), failure_only);
    assert_eq!(notify(Notify::Never), Notify::Never);
    assert_eq!(notify(Notify::On { success: true, failure: false, delay: true }), Notify::Never);
}

#[test]
fn one_escalation_stands_for_all_phones_of_a_recipient() {
    let delivering = || Delivering { escalation: escalate("night"), ..Delivering::default() };
    let messages = mail_to(with(vec![("ops", delivering())]), &["ops@sms.local"]);
    let address = "ops@sms.local";
    assert_eq!(
        shown(&messages),
        [(address, BOSS, "due"), (address, OTHER, "due"), (address, NIGHT, "escalation")]
    );
    // The phones that a text names are all the recipient's who was written to.
    let mail = "Subject: x\r\n\r\nto: boss\r\nto: ops\r\ntext: hot\r\n";
    let parts = with(vec![("boss", delivering()), ("ops", delivering())]);
    let messages = mail_with(parts, &envelope("ups@example.com", &["ups@sms.local"]), mail).unwrap();
    let escalations = messages.iter().filter(|message| is_escalation(message)).count();
    assert_eq!(escalations, 1, "{:?}", shown(&messages));
}

#[tokio::test]
async fn what_is_held_counts_against_the_parts_of_its_account_at_once() {
    let left_after = async |delivering: Delivering, parts_per_day| {
        let directory = tempfile::tempdir().unwrap();
        let settings =
            crate::spool::sqlite::Settings { directory: directory.path().to_owned(), min_free_octets: 1 };
        let spool = Arc::new(crate::spool::SqliteSpool::open(settings).unwrap());
        let allowance =
            Allowance { parts_per_day: std::num::NonZeroU32::new(parts_per_day), ..Allowance::default() };
        let routing = with(vec![("boss", delivering)]).build().unwrap();
        let routing = routing.with_allowances([("ups".to_owned(), allowance)].into());
        let client = Client { account: Some("ups".to_owned()), ..client() };
        intake_with(spool, routing).submit_form(&client, form()).await.map(|_| ())
    };
    let escalating = || Delivering { escalation: escalate("ops"), ..Delivering::default() };
    left_after(escalating(), 3).await.unwrap();
    let refusal = left_after(escalating(), 2).await.unwrap_err();
    assert!(refusal.text.starts_with("the message takes 3 parts"), "{refusal}");
    let later = Delivering {
        deliver_at: Some(Some(DeliverAt::Daily(jiff::civil::time(8, 0, 0, 0)))),
        ..escalating()
    };
    left_after(later.clone(), 3).await.unwrap();
    let refusal = left_after(later, 2).await.unwrap_err();
    assert_eq!(refusal.text, "the message takes 3 parts, and account `ups` may send 2 a day");
}

#[test]
fn more_escalations_than_a_submission_may_have_are_refused_whole() {
    let to = |n: usize| (0..n).map(|i| format!("p3932800{i:05}@sms.local")).collect::<Vec<_>>();
    let of = |n: usize| {
        let mut parts = with(Vec::new());
        parts.defaults.delivering.escalation = escalate("night");
        let to = to(n);
        let envelope = envelope("a@example.com", &to.iter().map(String::as_str).collect::<Vec<_>>());
        mail_with(parts, &envelope, "Subject: x\r\n\r\nhot\r\n")
    };
    assert_eq!(of(500).unwrap().len(), 1000);
    assert_eq!(of(501).unwrap_err().kind, RefusalKind::TooMany);
}

#[test]
fn an_explanation_tells_time_ways_and_escalation() {
    let delivering = Delivering {
        deliver_at: at(60),
        escalation: escalate("ops"),
        gateways: Some(vec!["main".to_owned()]),
        ..Delivering::default()
    };
    let routing = with(vec![("night", delivering)]).build().unwrap();
    let envelope = envelope("a@example.com", &["night@sms.local"]);
    let incoming = Incoming::Mail { envelope: &envelope, bytes: b"Subject: x\r\n\r\nhot\r\n" };
    let told = explain(&routing, &settings(Reports::Sender), &client(), incoming, now());
    let phones = told.recipients[0].outcome.as_ref().unwrap();
    let ExplainedFate::Sent { delivery, .. } = &phones[0].fate else { panic!("{phones:?}") };
    assert_eq!((delivery.held_until, delivery.scheduled_at), (Some(in_seconds(60)), None));
    assert_eq!(delivery.deliver_at(), Some(in_seconds(60)));
    assert_eq!(delivery.gateways, ["main"]);
    let escalation = delivery.escalation.as_ref().unwrap();
    assert_eq!((escalation.to.as_str(), escalation.phones.len()), ("ops", 2));
    assert_eq!((escalation.at, escalation.sms.text.body.as_str()), (in_seconds(660), "hot"));
}

fn any_delivering() -> impl Strategy<Value = Delivering> {
    let lane = prop_oneof![
        Just(None),
        Just(Some(LaneBy::Priority)),
        proptest::sample::select(&Lane::ALL).prop_map(|lane| Some(LaneBy::Fixed(lane))),
    ];
    let time = prop_oneof![
        Just(None),
        (-10_000i64..10_000).prop_map(at),
        (0..24i8).prop_map(|hour| Some(Some(DeliverAt::Daily(jiff::civil::time(hour, 0, 0, 0))))),
        Just(at(366 * 24 * 3600)),
    ];
    let channels = prop_oneof![
        Just(None),
        Just(Some(vec![
            ChannelStep::Template { channel: Channel::Rcs, id: "a".to_owned() },
            ChannelStep::Sms
        ])),
    ];
    let to = prop_oneof![Just(None), Just(escalate("night")), Just(escalate("ops"))];
    (lane, time, channels, to, any::<bool>()).prop_map(|(lane, deliver_at, channels, escalation, legacy)| {
        let api = legacy.then_some(Api::Legacy);
        Delivering { lane, deliver_at, channels, escalation, api, ..Delivering::default() }
    })
}

proptest! {
    /// Whatever the keys: every accepted recipient has its rows, each of its phones exactly one that is
    /// no escalation, and one phone gets one text at one time once, unless one of the two escalates to others.
    #[test]
    fn every_phone_of_a_recipient_has_one_fate(
        boss in any_delivering(),
        ops in any_delivering(),
        night in any_delivering(),
        recipients in proptest::sample::subsequence(vec!["boss", "ops", "night"], 1..=3).prop_shuffle(),
        has_text in any::<bool>(),
    ) {
        let parts = with(vec![("boss", boss), ("ops", ops), ("night", night)]);
        let routing = parts.clone().build().unwrap();
        let to: Vec<String> = recipients.iter().map(|to| format!("{to}@sms.local")).collect();
        let envelope = envelope("a@example.com", &to.iter().map(String::as_str).collect::<Vec<_>>());
        let mail = if has_text { "Subject: x\r\n\r\nhot\r\n" } else { "From: a@example.com\r\n\r\n" };
        match mail_with(parts, &envelope, mail) {
            Err(refusal) => {
                let known = [RefusalKind::NothingToSend, RefusalKind::TooFarAhead];
                prop_assert!(known.contains(&refusal.kind), "{refusal:?}");
                prop_assert!(!has_text || refusal.kind == RefusalKind::TooFarAhead);
            }
            Ok(messages) => {
                for (recipient, address) in recipients.iter().zip(&to) {
                    let rows = || messages.iter().filter(|message| message.recipient.address == *address);
                    prop_assert!(rows().count() > 0);
                    for phone in routing.resolve_written(recipient, Timestamp::UNIX_EPOCH).unwrap() {
                        let fates = rows().filter(|row| row.sms.destination == phone && !is_escalation(row));
                        prop_assert_eq!(fates.count(), 1);
                        let waiting = rows().filter(|row| row.sms.destination == phone && is_escalation(row));
                        prop_assert!(waiting.count() <= 1);
                    }
                    // What takes the place of others has others, or what goes in their stead.
                    let has_escalation = rows().any(is_escalation);
                    let is_other = |row: &Message| matches!(row.fate, Fate::SameAs(_)) || is_live(row) && !is_escalation(row);
                    prop_assert!(!has_escalation || rows().any(is_other));
                }
                for message in &messages {
                    if let Fate::SameAs(id) = message.fate {
                        let other = messages.iter().find(|other| other.sms.id == id).unwrap();
                        prop_assert!(is_live(other) && !is_escalation(other));
                        prop_assert_eq!(&other.sms.destination, &message.sms.destination);
                        prop_assert_eq!(&other.sms.text, &message.sms.text);
                    }
                    let start = match message.fate {
                        Fate::Held { until, .. } => until,
                        Fate::Due => now(),
                        Fate::Refused(_) | Fate::Dropped(_) | Fate::SameAs(_) => continue,
                    };
                    prop_assert!(start >= now());
                    prop_assert_eq!(message.delivery.expires_at, crate::retry::later(start, LIFETIME));
                }
                let ids: std::collections::BTreeSet<String> =
                    messages.iter().map(|message| message.sms.id.to_string()).collect();
                prop_assert_eq!(ids.len(), messages.len());
            }
        }
    }
}

/// Quiet from 22:00 to 07:00 in UTC for whoever of the aliases.
fn quiet_for(who: &[&str], mut parts: Parts) -> Parts {
    let hours = crate::rota::Hours {
        days: crate::rota::Days::ALL,
        from: jiff::civil::time(22, 0, 0, 0),
        to: jiff::civil::time(7, 0, 0, 0),
    };
    let hours = crate::rota::ZonedHours { hours, zone: jiff::tz::TimeZone::UTC };
    let who = who.iter().map(|one| (*one).to_owned()).collect();
    parts.quiet.push(crate::routing::QuietHours { who, hours });
    parts
}

/// What a mail at this time becomes.
fn mail_at(parts: Parts, at: &str) -> Vec<Message> {
    text_at(parts, at, "Fire in hall 3")
}

fn text_at(parts: Parts, at: &str, text: &str) -> Vec<Message> {
    let (settings, routing) = (settings(Reports::Sender), parts.build().unwrap());
    let settings = Settings { delayed_after: Some(Duration::from_secs(1800)), ..settings };
    let envelope = envelope("ups@example.com", &["boss@sms.local"]);
    let mail = format!("Subject: x\r\n\r\n{text}\r\n");
    let at = at.parse().unwrap();
    let made = mail::prepare(&routing, &settings, &client(), &envelope, mail.as_bytes(), at, None);
    made.unwrap().messages
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn quiet_until(text: &str) -> Fate {
    Fate::Held { until: instant(text), reason: HoldReason::Quiet }
}

#[test]
fn quiet_hours_hold_until_they_end_and_lifetime_begins_then() {
    let at = |time: &str| {
        let parts = quiet_for(&["boss"], with(vec![("boss", Delivering::default())]));
        mail_at(parts, time).remove(0)
    };
    assert_eq!(at("2026-11-20T21:59:59.999Z").fate, Fate::Due);
    let held = at("2026-11-20T22:00:00Z");
    assert_eq!(held.fate, quiet_until("2026-11-21T07:00:00Z"));
    let night = crate::model::QuietSpan {
        days: 0b111_1111,
        from: jiff::civil::time(22, 0, 0, 0),
        to: jiff::civil::time(7, 0, 0, 0),
        zone: Some("UTC".to_owned()),
    };
    assert_eq!(held.passage.quiet, [night], "for whatever holds it then");
    assert_eq!(held.delivery.expires_at, instant("2026-11-21T08:00:00Z"));
    assert_eq!(held.delivery.delayed_at, Some(instant("2026-11-21T07:30:00Z")));
    assert_eq!(at("2026-11-21T06:59:59.999Z").fate, quiet_until("2026-11-21T07:00:00Z"));
    assert_eq!(at("2026-11-21T07:00:00Z").fate, Fate::Due);
}

#[test]
fn what_is_critical_or_of_a_rule_without_them_passes_quiet_hours_and_others_are_not_asked() {
    let at_night = |delivering: Delivering, who: &[&str]| {
        let parts = quiet_for(who, with(vec![("boss", delivering)]));
        mail_at(parts, "2026-11-20T23:00:00Z").remove(0).fate
    };
    let night = quiet_until("2026-11-21T07:00:00Z");
    let lane = |lane| Delivering { lane: Some(LaneBy::Fixed(lane)), ..Delivering::default() };
    assert_eq!(at_night(lane(Lane::Critical), &["boss"]), Fate::Due);
    assert_eq!(at_night(lane(Lane::Bulk), &["boss"]), night);
    assert_eq!(at_night(Delivering { quiet: Some(false), ..Delivering::default() }, &["boss"]), Fate::Due);
    assert_eq!(at_night(Delivering::default(), &["night"]), Fate::Due);
    let with_code = |text: &str| {
        let parts = quiet_for(&["boss"], with(vec![("boss", Delivering::default())]));
        text_at(parts, "2026-11-20T23:00:00Z", text).remove(0).fate
    };
    assert_eq!(with_code("Your one-time password for the login is 493817"), Fate::Due);
    assert_eq!(with_code("Pump 493817 has stopped"), night);
}

#[test]
fn what_can_wait_carries_the_quiet_hours_of_its_phone_at_any_time_and_what_cannot_has_none() {
    let spans = |delivering: Delivering, text: &str| {
        let mut parts = with(vec![("boss", Delivering { escalation: escalate("second"), ..delivering })]);
        parts.aliases.push(("second".to_owned(), vec![OTHER.to_owned(), NIGHT.to_owned()]));
        // By day.
        let made = text_at(quiet_for(&["boss", "night"], parts), "2026-11-20T12:00:00Z", text);
        assert!(
            made[1..].iter().all(|one| matches!(one.fate, Fate::Held { reason: HoldReason::Escalation, .. }))
        );
        let count = |one: &Message| (one.sms.destination.to_string(), one.passage.quiet.len());
        made.iter().map(count).collect::<Vec<_>>()
    };
    let row = |phone: &str, spans: usize| (phone.to_owned(), spans);
    let none = [row(BOSS, 0), row(OTHER, 0), row(NIGHT, 0)];
    let lane = |lane| Delivering { lane: Some(LaneBy::Fixed(lane)), ..Delivering::default() };
    assert_eq!(spans(Delivering::default(), "fire"), [row(BOSS, 1), row(OTHER, 0), row(NIGHT, 1)]);
    assert_eq!(spans(lane(Lane::Critical), "fire"), none);
    assert_eq!(spans(Delivering { quiet: Some(false), ..Delivering::default() }, "fire"), none);
    assert_eq!(spans(Delivering::default(), "Your one-time password for the login is 493817"), none);
}

#[test]
fn a_time_in_quiet_hours_moves_to_their_end_whoever_waits() {
    let made = |time: &str, schedule| {
        let deliver_at = Some(Some(DeliverAt::Once(instant(time))));
        let delivering = Delivering { deliver_at, schedule: Some(schedule), ..Delivering::default() };
        let parts = quiet_for(&["boss"], with(vec![("boss", delivering)]));
        let message = mail_at(parts, "2026-11-20T12:00:00Z").remove(0);
        (message.fate, message.sms.options.scheduled_at, message.delivery.expires_at)
    };
    let (morning, end) = (instant("2026-11-21T07:00:00Z"), instant("2026-11-21T08:00:00Z"));
    let night = "2026-11-21T03:00:00Z";
    assert_eq!(made(night, Schedule::Relay), (quiet_until("2026-11-21T07:00:00Z"), None, end));
    assert_eq!(made(night, Schedule::Platform), (Fate::Due, Some(morning), end));
    let noon = instant("2026-11-21T12:00:00Z");
    let scheduled = Fate::Held { until: noon, reason: HoldReason::Scheduled };
    assert_eq!(made("2026-11-21T12:00:00Z", Schedule::Relay).0, scheduled);
    // What is for now waits here, where it can be seen and cancelled.
    let delivering = Delivering { schedule: Some(Schedule::Platform), ..Delivering::default() };
    let parts = quiet_for(&["boss"], with(vec![("boss", delivering)]));
    let message = mail_at(parts, night).remove(0);
    assert_eq!((message.fate, message.sms.options.scheduled_at), (quiet_until("2026-11-21T07:00:00Z"), None));
}

#[test]
fn an_escalation_waits_for_those_who_sleep_and_counts_from_the_morning_of_what_it_is_for() {
    let made = |at: &str, lane, sleepers: &[&str]| {
        let delivering = Delivering {
            lane: Some(LaneBy::Fixed(lane)),
            escalation: escalate("second"),
            ..Delivering::default()
        };
        let mut parts = with(vec![("boss", delivering)]);
        parts.aliases.push(("second".to_owned(), vec![OTHER.to_owned(), NIGHT.to_owned()]));
        mail_at(quiet_for(sleepers, parts), at)[1..]
            .iter()
            .map(|one| (one.sms.destination.to_string(), one.fate.clone(), one.delivery.expires_at))
            .collect::<Vec<_>>()
    };
    let row = |phone: &str, until: &str, expires: &str| {
        let fate = Fate::Held { until: instant(until), reason: HoldReason::Escalation };
        (phone.to_owned(), fate, instant(expires))
    };
    let (soon, soon_end) = ("2026-11-20T22:05:00Z", "2026-11-20T23:05:00Z");
    let (morning, end) = ("2026-11-21T07:00:00Z", "2026-11-21T08:00:00Z");
    assert_eq!(
        made("2026-11-20T21:55:00Z", Lane::Normal, &["night"]),
        [row(OTHER, soon, soon_end), row(NIGHT, morning, end)]
    );
    assert_eq!(
        made("2026-11-20T21:55:00Z", Lane::Critical, &["night"]),
        [row(OTHER, soon, soon_end), row(NIGHT, soon, soon_end)]
    );
    let (later, later_end) = ("2026-11-21T07:10:00Z", "2026-11-21T08:10:00Z");
    assert_eq!(
        made("2026-11-20T22:00:00Z", Lane::Normal, &["boss"]),
        [row(OTHER, later, later_end), row(NIGHT, later, later_end)]
    );
}

#[test]
fn a_form_for_later_goes_to_whoever_is_on_call_then() {
    use crate::rota::{Overrides, Plan as Week, Rota, Turns};
    let mut parts = parts();
    let turns = Turns {
        first: jiff::civil::date(2027, 1, 11),
        handover: jiff::civil::time(9, 0, 0, 0),
        members: vec![vec![BOSS.to_owned()], vec![OTHER.to_owned()]],
    };
    let (zone, overrides) = (jiff::tz::TimeZone::UTC, Overrides::default());
    parts.rotas.push(("duty".to_owned(), Rota { zone, plan: Week::Turns(turns), overrides }));
    let routing = parts.build().unwrap();
    let to = |deliver_at: Option<&str>| {
        let form = Form { to: vec!["duty".to_owned()], deliver_at: deliver_at.map(instant), ..form() };
        submitted(&routing, &form).unwrap().messages[0].sms.destination.to_string()
    };
    assert_eq!(to(None), BOSS);
    assert_eq!(to(Some("2027-01-18T08:59:59Z")), BOSS);
    assert_eq!(to(Some("2027-01-18T09:00:00Z")), OTHER);
    assert_eq!(to(Some("2027-01-05T09:00:00Z")), BOSS, "what is past is now");
}

#[test]
fn a_form_for_later_is_refused_by_the_rules_of_now_and_by_no_others() {
    use crate::routing::{Moment, Times};
    let refusing = |from: usize, to: usize| {
        let times = Times::between(from * 60, to * 60);
        let moment = Moment { zone: jiff::tz::TimeZone::UTC, times, weekdays: None, dates: None };
        let mut parts = parts();
        parts.rules.push(Rule {
            name: "asleep".to_owned(),
            when: Conditions { moment: Some(Box::new(moment)), ..Conditions::default() },
            action: Action::Refuse { reason: "not at this time".to_owned() },
        });
        parts.build().unwrap()
    };
    let night = Form { deliver_at: Some(instant("2027-01-15T23:00:00Z")), ..form() };
    let submission = submitted(&refusing(22, 7), &night).unwrap();
    assert!(matches!(submission.messages[0].fate, Fate::Held { .. }), "{submission:?}");
    let refusal = submitted(&refusing(7, 22), &night).unwrap_err();
    assert!(refusal.text.contains("not at this time"), "{refusal:?}");
}
