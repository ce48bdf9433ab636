//! Each key about delivery, from a mail or form to its rows.

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
            recipient: Some(Pattern::new(&format!("^{to}$")).unwrap()),
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

mod repeated {
    use super::*;

    /// What becomes of a mail to `boss` and then `ops`, who are one phone and another.
    fn both(boss: Delivering, ops: Delivering) -> Vec<(&'static str, &'static str)> {
        both_actions(of(boss), of(ops))
    }

    fn both_actions(boss: SendAction, ops: SendAction) -> Vec<(&'static str, &'static str)> {
        let parts = with_actions(vec![("boss", boss), ("ops", ops)]);
        let messages = mail_to(parts, &["boss@sms.local", "ops@sms.local"]);
        let of_boss = shown(&messages).into_iter().filter(|(_, phone, _)| *phone == BOSS);
        let leaked = |text: &str| &*Box::leak(text.to_owned().into_boxed_str());
        of_boss.map(|(to, _, fate)| (leaked(to.split('@').next().unwrap()), leaked(fate))).collect()
    }

    fn lane(lane: Lane) -> Delivering {
        Delivering { lane: Some(LaneBy::Fixed(lane)), ..Delivering::default() }
    }

    #[test]
    fn of_two_the_more_urgent_goes() {
        let dropped_second = [("boss", "due"), ("ops", "same")];
        let dropped_first = [("boss", "same"), ("ops", "due")];
        assert_eq!(both(lane(Lane::Normal), lane(Lane::Normal)), dropped_second);
        assert_eq!(both(lane(Lane::Critical), lane(Lane::Normal)), dropped_second);
        assert_eq!(both(lane(Lane::Bulk), lane(Lane::Critical)), dropped_first);
    }

    #[test]
    fn what_is_held_and_what_is_due_are_two() {
        let later = |seconds| Delivering { deliver_at: at(seconds), ..Delivering::default() };
        assert_eq!(both(later(60), Delivering::default()), [("boss", "held"), ("ops", "due")]);
        assert_eq!(both(later(60), later(61)), [("boss", "held"), ("ops", "held")]);
        assert_eq!(both(later(60), later(60)), [("boss", "held"), ("ops", "same")]);
        let by_platform = |seconds| Delivering { schedule: Some(Schedule::Platform), ..later(seconds) };
        assert_eq!(both(by_platform(60), by_platform(61)), [("boss", "due"), ("ops", "due")]);
        assert_eq!(both(by_platform(60), Delivering::default()), [("boss", "due"), ("ops", "due")]);
    }

    #[test]
    fn other_ways_are_the_same_where_both_may_end_in_an_sms() {
        let template = || ChannelStep::Template { channel: Channel::Rcs, id: "a".to_owned() };
        let by = |steps: Vec<ChannelStep>| Delivering { channels: Some(steps), ..Delivering::default() };
        assert_eq!(
            both(by(vec![template(), ChannelStep::Sms]), Delivering::default()),
            [("boss", "due"), ("ops", "same")]
        );
        assert_eq!(both(by(vec![template()]), Delivering::default()), [("boss", "due"), ("ops", "due")]);
        assert_eq!(both(by(vec![template()]), by(vec![template()])), [("boss", "due"), ("ops", "same")]);
    }

    fn escalating(to: &str, in_lane: Lane) -> Delivering {
        Delivering { escalation: escalate(to), ..lane(in_lane) }
    }

    #[test]
    fn an_escalation_makes_no_second_sms_of_the_same_words() {
        let (normal, critical, eight) = (Lane::Normal, Lane::Critical, "+393280000008");
        let (first, second) = ([("boss", "due"), ("ops", "same")], [("boss", "same"), ("ops", "due")]);
        assert_eq!(both(escalating("night", normal), lane(normal)), first);
        assert_eq!(both(lane(normal), escalating("night", normal)), first);
        assert_eq!(both(escalating("night", normal), escalating("night", normal)), first);
        assert_eq!(both(escalating("night", normal), escalating(eight, normal)), first);
        assert_eq!(both(lane(critical), escalating("night", normal)), first);
        assert_eq!(both(escalating("night", normal), lane(critical)), second);
    }

    /// The rows of a mail to these by rules that escalate so, by recipient and phone.
    fn rows(to: &[&str], boss: Delivering, ops: Delivering) -> Vec<String> {
        let to: Vec<String> = to.iter().map(|name| format!("{name}@sms.local")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let messages = mail_to(with(vec![("boss", boss), ("ops", ops)]), &to);
        let row = |(to, phone, fate): (&str, &str, &str)| {
            format!(
                "{} {} {fate}",
                to.split_once('@').unwrap().0,
                phone.strip_prefix("+39328000000").unwrap()
            )
        };
        shown(&messages).into_iter().map(row).collect()
    }

    #[test]
    fn whoever_is_left_out_keeps_an_escalation_of_its_own() {
        let (normal, eight) = (Lane::Normal, "+393280000008");
        let none = || lane(normal);
        let to = |to| escalating(to, normal);
        let boss_first = ["boss", "ops"];
        let sent = ["boss 1 due", "ops 1 same", "ops 2 due"];
        let with = |escalations: &[&'static str]| [&sent[..], escalations].concat();
        assert_eq!(rows(&boss_first, none(), to("night")), with(&["ops 9 escalation"]));
        assert_eq!(rows(&boss_first, to("night"), none()), with(&["boss 9 escalation"]));
        assert_eq!(
            rows(&boss_first, to("night"), to(eight)),
            with(&["boss 9 escalation", "ops 8 escalation"])
        );
        let sent = ["ops 1 due", "ops 2 due", "boss 1 same"];
        let with = |escalations: &[&'static str]| [&sent[..], escalations].concat();
        let ops_first = ["ops", "boss"];
        assert_eq!(rows(&ops_first, to("night"), none()), with(&["boss 9 escalation"]));
        assert_eq!(
            rows(&ops_first, to("night"), to(eight)),
            with(&["ops 8 escalation", "boss 9 escalation"])
        );
        // A more urgent one takes the place, and the escalation stays with its recipient.
        assert_eq!(
            rows(&boss_first, to("night"), lane(Lane::Critical)),
            ["boss 1 same", "ops 1 due", "ops 2 due", "boss 9 escalation"]
        );
    }

    #[test]
    fn escalations_that_go_by_the_same_sms_bring_the_same_words_once() {
        let night = || escalating("night", Lane::Normal);
        let mut parts = with(vec![("boss", night()), ("chief", night())]);
        parts.aliases.push(("chief".to_owned(), vec![BOSS.to_owned()]));
        let messages = mail_to(parts, &["boss@sms.local", "chief@sms.local"]);
        assert_eq!(
            shown(&messages),
            [
                ("boss@sms.local", BOSS, "due"),
                ("chief@sms.local", BOSS, "same"),
                ("boss@sms.local", NIGHT, "escalation")
            ]
        );
        // That of ops waits for another phone, too.
        let both = rows(&["boss", "ops"], night(), night());
        assert_eq!(both[3..], ["boss 9 escalation", "ops 9 escalation"]);
        // At another time, it is another one.
        let after = Duration::from_secs(601);
        let later = Some(Some(Escalation { after, to: "night".to_owned(), text: None }));
        let later = Delivering { escalation: later, ..Delivering::default() };
        let mut parts = with(vec![("boss", night()), ("chief", later)]);
        parts.aliases.push(("chief".to_owned(), vec![BOSS.to_owned()]));
        let messages = mail_to(parts, &["boss@sms.local", "chief@sms.local"]);
        assert_eq!(shown(&messages)[2..].iter().filter(|(.., fate)| *fate == "escalation").count(), 2);
    }

    #[test]
    fn of_two_alike_escalations_the_one_goes_whose_failure_is_reported() {
        let escalations = |notify: [Notify; 2]| {
            let night = || escalating("night", Lane::Normal);
            let mut envelope = envelope("ups@example.com", &["boss@sms.local", "chief@sms.local"]);
            for (recipient, notify) in envelope.recipients.iter_mut().zip(notify) {
                recipient.notify = notify;
            }
            let mut parts = with(vec![("boss", night()), ("chief", night())]);
            parts.aliases.push(("chief".to_owned(), vec![BOSS.to_owned()]));
            let messages = mail_with(parts, &envelope, "Subject: x\r\n\r\nhot\r\n").unwrap();
            let left = messages.into_iter().filter(is_escalation).map(|message| message.recipient);
            left.map(|of| (of.address, of.notify.wants_failure())).collect::<Vec<_>>()
        };
        let of = |name: &str, is_reported| vec![(format!("{name}@sms.local"), is_reported)];
        assert_eq!(escalations([Notify::Never, Notify::Unspecified]), of("chief", true));
        assert_eq!(escalations([Notify::Unspecified, Notify::Never]), of("boss", true));
        assert_eq!(escalations([Notify::Never, Notify::Never]), of("boss", false));
    }

    #[test]
    fn who_wants_to_know_of_a_failure_never_stands_behind_one_that_nobody_hears_of() {
        let fates = |lanes: [Lane; 2], notify: [Notify; 2]| {
            let mut envelope = envelope("ups@example.com", &["boss@sms.local", "chief@sms.local"]);
            for (recipient, notify) in envelope.recipients.iter_mut().zip(notify) {
                recipient.notify = notify;
            }
            let mut parts = with(vec![("boss", lane(lanes[0])), ("chief", lane(lanes[1]))]);
            parts.aliases.push(("chief".to_owned(), vec![BOSS.to_owned()]));
            let messages = mail_with(parts, &envelope, "Subject: x\r\n\r\nhot\r\n").unwrap();
            shown(&messages).iter().map(|(.., fate)| (*fate).to_owned()).collect::<Vec<_>>()
        };
        const ALIKE: [Lane; 2] = [Lane::Normal; 2];
        const URGENT_FIRST: [Lane; 2] = [Lane::Critical, Lane::Normal];
        const URGENT_LAST: [Lane; 2] = [Lane::Normal, Lane::Critical];
        let (told, never) = (Notify::Unspecified, Notify::Never);
        let of_success = Notify::On { success: true, failure: false, delay: false };
        for (lanes, notify, expected) in [
            (ALIKE, [told, told], ["due", "same"]),
            (ALIKE, [told, never], ["due", "same"]),
            (ALIKE, [never, never], ["due", "same"]),
            (ALIKE, [never, told], ["same", "due"]),
            (ALIKE, [of_success, told], ["same", "due"]),
            (URGENT_FIRST, [told, never], ["due", "same"]),
            (URGENT_FIRST, [never, told], ["due", "due"]),
            (URGENT_LAST, [never, told], ["same", "due"]),
            (URGENT_LAST, [told, never], ["due", "due"]),
        ] {
            assert_eq!(fates(lanes, notify), expected, "{lanes:?} {notify:?}");
        }
    }

    #[test]
    fn what_is_left_out_twice_is_left_out_for_the_one_that_goes() {
        let mut parts = with(vec![("boss", lane(Lane::Normal)), ("chief", lane(Lane::Normal))]);
        parts.aliases.extend(["chief", "head"].map(|name| (name.to_owned(), vec![BOSS.to_owned()])));
        parts.rules.extend(with(vec![("head", lane(Lane::Critical))]).rules);
        let messages = mail_to(parts, &["boss@sms.local", "chief@sms.local", "head@sms.local"]);
        let last = Fate::SameAs(messages[2].sms.id);
        let fates: Vec<&Fate> = messages.iter().map(|message| &message.fate).collect();
        assert_eq!(fates, [&last, &last, &Fate::Due]);
    }

    #[test]
    fn a_more_urgent_simulation_takes_no_place() {
        let simulated = |in_lane| SendAction { simulation: true, ..of(lane(in_lane)) };
        assert_eq!(
            both_actions(of(lane(Lane::Normal)), simulated(Lane::Critical)),
            [("boss", "due"), ("ops", "due")]
        );
        assert_eq!(
            both_actions(simulated(Lane::Normal), of(lane(Lane::Critical))),
            [("boss", "due"), ("ops", "due")]
        );
    }

    #[test]
    fn what_is_told_before_is_what_is_done() {
        let parts = with(vec![("boss", lane(Lane::Bulk)), ("ops", lane(Lane::Critical))]);
        let routing = parts.build().unwrap();
        let envelope = envelope("a@example.com", &["boss@sms.local", "ops@sms.local"]);
        let incoming = Incoming::Mail { envelope: &envelope, bytes: b"Subject: x\r\n\r\nhot\r\n" };
        let told = explain(&routing, &settings(Reports::Sender), &client(), incoming, now());
        assert_eq!(told.sent().count(), 2, "ops are two phones");
        let first = told.recipients[0].outcome.as_ref().unwrap();
        let ExplainedFate::Sent { sms, delivery, .. } = &first[0].fate else { panic!("{first:?}") };
        assert_eq!(sms[0].same_as.as_deref(), Some("ops@sms.local"));
        assert_eq!(delivery.lane, Lane::Bulk);
    }
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
