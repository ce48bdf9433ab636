//! SMS that say the same to the same phone.

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
        format!("{} {} {fate}", to.split_once('@').unwrap().0, phone.strip_prefix("+39328000000").unwrap())
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
    assert_eq!(rows(&boss_first, to("night"), to(eight)), with(&["boss 9 escalation", "ops 8 escalation"]));
    let sent = ["ops 1 due", "ops 2 due", "boss 1 same"];
    let with = |escalations: &[&'static str]| [&sent[..], escalations].concat();
    let ops_first = ["ops", "boss"];
    assert_eq!(rows(&ops_first, to("night"), none()), with(&["boss 9 escalation"]));
    assert_eq!(rows(&ops_first, to("night"), to(eight)), with(&["ops 8 escalation", "boss 9 escalation"]));
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
