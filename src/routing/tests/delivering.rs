//! What rules and defaults say about delivery, and what they cannot say.

use super::*;
use crate::mail::Priority;
use crate::model::{Channel, Lane, Legacy, OnUnknown, Way};
use crate::text::Split;
use crate::wording::{Filled, Variables};

fn sending(change: impl FnOnce(&mut SendAction)) -> Vec<Rule> {
    let mut action = SendAction::default();
    change(&mut action);
    vec![rule("it", Conditions::default(), Action::Send(action))]
}

fn rcs() -> ChannelStep {
    ChannelStep::Template { channel: Channel::Rcs, id: "alert".to_owned() }
}

/// The plan of a rule over these defaults.
fn planned(
    defaults: impl FnOnce(&mut Delivering),
    own: impl FnOnce(&mut SendAction),
    facts: Facts<'_>,
) -> DeliveryPlan {
    let mut parts = Parts { rules: sending(own), ..aliased() };
    defaults(&mut parts.defaults.delivering);
    let routing = parts.build().unwrap();
    plan(only(routing.decide(&facts, "oncall", &number(ALARM)))).delivery
}

fn plan(decision: Decision) -> Plan {
    let Decision::Send(plan) = decision else { panic!("{decision:?}") };
    plan
}

/// `second` is two phones.
fn aliased() -> Parts {
    Parts { aliases: vec![("second".to_owned(), vec![NIGHT.to_owned(), ALARM.to_owned()])], ..parts() }
}

fn escalation(to: &str, text: Option<&str>) -> Escalation {
    let text = text.map(|text| Template::new(text).unwrap());
    Escalation { after: Duration::from_secs(600), to: to.to_owned(), text }
}

/// Every fault of a rule over these defaults.
fn faults(
    defaults: impl FnOnce(&mut Defaults),
    own: impl FnOnce(&mut SendAction),
) -> Vec<(Place, FaultKind)> {
    let mut parts = Parts { rules: sending(own), ..aliased() };
    defaults(&mut parts.defaults);
    let faults = parts.build().err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.place, fault.kind)).collect()
}

/// The faults of a rule over usual defaults, with their keys.
fn of_rule(own: impl FnOnce(&mut SendAction)) -> Vec<(&'static str, FaultKind)> {
    let keyed = |(place, kind): (Place, FaultKind)| {
        let Place::Rule { index: 0, key: Some(key) } = place else { panic!("{place:?}: {kind}") };
        (key, kind)
    };
    faults(|_| {}, own).into_iter().map(keyed).collect()
}

#[test]
fn a_rule_wins_over_the_defaults_key_by_key() {
    let nothing = planned(|_| {}, |_| {}, facts(|_| {}));
    assert_eq!((nothing.lane, nothing.on_unknown), (Lane::Normal, OnUnknown::Resend));
    assert!(nothing.gateways.is_empty() && nothing.deliver_at.is_none() && nothing.escalation.is_none());
    assert_eq!(
        (nothing.schedule, nothing.sms_way, nothing.channels),
        (Schedule::Relay, Way::Sms, vec![ChannelStep::Sms])
    );

    let at = DeliverAt::Daily(jiff::civil::time(8, 0, 0, 0));
    let defaults = |of: &mut Delivering| {
        of.lane = Some(LaneBy::Fixed(Lane::Bulk));
        of.gateways = Some(vec!["main".to_owned()]);
        of.on_unknown = Some(OnUnknown::Fail);
        of.deliver_at = Some(Some(at));
        of.schedule = Some(Schedule::Platform);
        of.api = Some(Api::Legacy);
        of.legacy_unicode = Some(false);
        of.silent_after = Some(Duration::from_secs(60));
        of.escalation = Some(Some(escalation("second", None)));
    };
    let inherited = planned(defaults, |_| {}, facts(|_| {}));
    assert_eq!((inherited.lane, inherited.on_unknown), (Lane::Bulk, OnUnknown::Fail));
    assert_eq!((inherited.gateways, inherited.deliver_at), (vec!["main".to_owned()], Some(at)));
    assert_eq!(inherited.sms_way, Way::Legacy(Legacy { unicode: false, concatenated: true }));
    assert_eq!((inherited.schedule, inherited.silent_after.as_secs()), (Schedule::Platform, 60));
    assert_eq!(inherited.escalation.unwrap().phones, [number(NIGHT), number(ALARM)]);

    let own = |action: &mut SendAction| {
        action.delivering = Delivering {
            lane: Some(LaneBy::Fixed(Lane::Critical)),
            gateways: Some(Vec::new()),
            on_unknown: Some(OnUnknown::Resend),
            deliver_at: Some(None),
            schedule: Some(Schedule::Relay),
            api: Some(Api::Universal),
            escalation: Some(None),
            ..Delivering::default()
        };
    };
    let plan = planned(defaults, own, facts(|_| {}));
    assert_eq!((plan.lane, plan.on_unknown), (Lane::Critical, OnUnknown::Resend));
    assert!(plan.gateways.is_empty() && plan.deliver_at.is_none() && plan.escalation.is_none());
    assert_eq!((plan.schedule, plan.sms_way, plan.silent_after.as_secs()), (Schedule::Relay, Way::Sms, 60));
}

#[test]
fn the_lane_is_the_operators_or_else_the_senders() {
    let lane = |fixed: Option<LaneBy>, priority: Priority, requested: Option<Lane>| {
        let facts = facts(|facts| (facts.priority, facts.requested_lane) = (priority, requested));
        planned(|_| {}, |action| action.delivering.lane = fixed, facts).lane
    };
    for (priority, expected) in
        [(Priority::High, Lane::Critical), (Priority::Normal, Lane::Normal), (Priority::Low, Lane::Bulk)]
    {
        assert_eq!(lane(None, priority, None), expected);
        assert_eq!(lane(Some(LaneBy::Priority), priority, None), expected);
        assert_eq!(lane(Some(LaneBy::Fixed(Lane::Normal)), priority, Some(Lane::Bulk)), Lane::Normal);
    }
    for requested in Lane::ALL {
        assert_eq!(lane(None, Priority::Normal, Some(requested)), requested);
    }
}

#[test]
fn a_time_that_is_asked_for_wins_over_the_rules() {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let own = |action: &mut SendAction| {
        action.delivering.deliver_at = Some(Some(DeliverAt::Daily(jiff::civil::time(8, 0, 0, 0))));
    };
    let facts = facts(|facts| facts.requested_time = Some(at));
    assert_eq!(planned(|_| {}, own, facts).deliver_at, Some(DeliverAt::Once(at)));
}

#[test]
fn channels_become_ways_with_their_variables() {
    let both = |action: &mut SendAction| action.delivering.channels = Some(vec![rcs(), ChannelStep::Sms]);
    let plan = planned(|_| {}, both, facts(|_| {}));
    let filled = Filled { values: [("text".to_owned(), "hot".to_owned())].into(), problem: None };
    let ways = plan.ways(&filled).unwrap();
    assert_eq!(ways.silence(), Some(SILENT_AFTER));
    let [Way::Template(template), Way::Sms] = ways.as_slice() else { panic!("{ways:?}") };
    assert_eq!((template.id.as_str(), &template.variables), ("alert", &filled.values));
    let one = planned(|_| {}, |action| action.delivering.channels = Some(vec![rcs()]), facts(|_| {}));
    assert_eq!(one.ways(&filled).unwrap().silence(), None, "nothing comes behind it");
}

#[test]
fn an_escalation_has_words_of_its_own_in_one_sms() {
    let own = |text: Option<&'static str>| {
        move |action: &mut SendAction| {
            let mut wording = Wording::in_parts(2);
            (wording.template, wording.fitting.split) = (Template::Both, Split::Messages);
            action.wording = Some(Arc::new(wording));
            action.delivering.escalation = Some(Some(escalation("second", text)));
        }
    };
    let wording = |text| planned(|_| {}, own(text), facts(|_| {})).escalation.unwrap().wording;
    let same = wording(None);
    assert!(matches!(same.template, Template::Both));
    assert_eq!((same.fitting.split, same.fitting.max_parts), (Split::Parts, 2));
    assert!(matches!(wording(Some("still: {{ text }}")).template, Template::Custom(_)));
}

#[test]
fn an_escalation_needs_somebody_who_may_be_reached() {
    let to = |to: &'static str| {
        of_rule(move |action| action.delivering.escalation = Some(Some(escalation(to, None))))
    };
    assert_eq!(to("second"), []);
    assert_eq!(to("SECOND"), []);
    assert_eq!(to(NIGHT), []);
    assert!(matches!(to("thrid")[..], [("escalate", FaultKind::EscalationTarget(_))]));
    assert_eq!(
        to("+41791234567"),
        [("escalate", FaultKind::EscalationNotAllowed("+41791234567".to_owned()))]
    );
    let in_defaults = faults(|of| of.delivering.escalation = Some(Some(escalation("thrid", None))), |_| {});
    assert!(
        matches!(in_defaults[..], [(Place::Default("escalate"), FaultKind::EscalationTarget(_))]),
        "once, and not for each rule: {in_defaults:?}"
    );
}

#[test]
fn what_cannot_be_together_is_told_at_the_key_that_made_it_so() {
    let channels =
        |steps: Vec<ChannelStep>| move |action: &mut SendAction| action.delivering.channels = Some(steps);
    assert_eq!(of_rule(channels(Vec::new())), [("channels", FaultKind::NoChannel)]);
    assert_eq!(
        of_rule(channels(vec![rcs(), rcs()])),
        [("channels", FaultKind::ChannelTwice("rcs".to_owned()))]
    );
    let scheduled = |action: &mut SendAction| {
        channels(vec![rcs()])(action);
        action.delivering.schedule = Some(Schedule::Platform);
    };
    assert_eq!(of_rule(scheduled), [("schedule", FaultKind::ScheduledTemplate)]);
    let split = |action: &mut SendAction| {
        channels(vec![rcs()])(action);
        let mut wording = Wording::in_parts(2);
        wording.fitting.split = Split::Messages;
        action.wording = Some(Arc::new(wording));
    };
    assert_eq!(of_rule(split), [("split", FaultKind::SplitTemplate)]);
    let idle = |action: &mut SendAction| {
        action.delivering.variables = Some(Variables::default());
        action.delivering.silent_after = Some(SILENT_AFTER);
        action.delivering.legacy_unicode = Some(true);
        action.delivering.legacy_concatenated = Some(true);
    };
    assert_eq!(
        of_rule(idle),
        [
            ("variables", FaultKind::WithoutChannels("variables")),
            ("silent_after", FaultKind::WithoutChannels("silent_after")),
            ("legacy_unicode", FaultKind::WithoutLegacy("legacy_unicode")),
            ("legacy_concatenated", FaultKind::WithoutLegacy("legacy_concatenated")),
        ]
    );

    let legacy = |change: fn(&mut SendAction)| {
        of_rule(move |action| {
            action.delivering.api = Some(Api::Legacy);
            change(action);
        })
    };
    assert_eq!(legacy(|_| {}), []);
    assert_eq!(
        legacy(|a| a.campaign_id = Some("c".to_owned())),
        [("campaign_id", FaultKind::LegacyCampaign)]
    );
    assert_eq!(
        legacy(|a| a.delivering.channels = Some(vec![rcs()])),
        [("channels", FaultKind::LegacyWithoutSms)]
    );
    let by_default = |of: &mut Defaults| of.delivering.api = Some(Api::Legacy);
    assert_eq!(faults(by_default, |a| a.delivering.channels = Some(vec![rcs()])), [], "for other rules");
    let placeholders = |action: &mut SendAction| {
        let mut wording = Wording::in_parts(1);
        wording.fitting.placeholders.insert("a".to_owned(), "b".to_owned());
        action.wording = Some(Arc::new(wording));
    };
    assert_eq!(legacy(placeholders), [("placeholders", FaultKind::LegacyPlaceholders)]);
    let cut = |action: &mut SendAction, parts| {
        action.delivering.legacy_concatenated = Some(false);
        action.wording = Some(Arc::new(Wording::in_parts(parts)));
    };
    assert_eq!(
        of_rule(|action| {
            action.delivering.api = Some(Api::Legacy);
            cut(action, 2);
        }),
        [("legacy_concatenated", FaultKind::LegacyCut(2))]
    );
    assert_eq!(
        of_rule(|action| {
            action.delivering.api = Some(Api::Legacy);
            cut(action, 1);
        }),
        []
    );
}

#[test]
fn what_is_wrong_in_the_defaults_is_told_there_and_once() {
    let wrong = |of: &mut Defaults| {
        of.delivering.channels = Some(vec![rcs()]);
        of.delivering.schedule = Some(Schedule::Platform);
    };
    assert_eq!(faults(wrong, |_| {}), [(Place::Default("schedule"), FaultKind::ScheduledTemplate)]);
    // What a rule could use is no mistake of the defaults.
    let for_rules = |of: &mut Defaults| {
        of.delivering.legacy_unicode = Some(false);
        of.delivering.variables = Some(Variables::default());
        of.delivering.silent_after = Some(SILENT_AFTER);
    };
    assert_eq!(faults(for_rules, |_| {}), []);
    // A rule that makes it wrong is named.
    let scheduled = |of: &mut Defaults| of.delivering.schedule = Some(Schedule::Platform);
    let templated = |action: &mut SendAction| action.delivering.channels = Some(vec![rcs()]);
    let place = Place::Rule { index: 0, key: Some("channels") };
    assert_eq!(faults(scheduled, templated), [(place, FaultKind::ScheduledTemplate)]);
}

#[test]
fn templates_for_delivery_use_groups_that_their_rule_has() {
    let variables = || {
        let template = Template::new("{{ groups.host }}").unwrap();
        Some(Variables::new([("host".to_owned(), template)].into()))
    };
    let own = |action: &mut SendAction| {
        action.delivering.channels = Some(vec![rcs()]);
        action.delivering.variables = variables();
        action.delivering.escalation = Some(Some(escalation("second", Some("{{ groups.host }} burns"))));
    };
    let keys: Vec<&str> = of_rule(own).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["variables", "escalate"]);
    let mut rules = sending(own);
    rules[0].when.subject = pattern("(?P<host>srv[0-9]+)");
    assert!(Parts { rules, ..aliased() }.build().is_ok());
    let mut by_default = Parts { no_match: NoMatch::Send, ..aliased() };
    by_default.defaults.delivering.channels = Some(vec![rcs()]);
    by_default.defaults.delivering.variables = variables();
    let faults = by_default.build().unwrap_err();
    assert_eq!(faults[0].place, Place::Default("variables"));
}

#[test]
fn the_orders_of_gateways_are_those_that_something_is_sent_by() {
    let named = |name: &str| Some(vec![name.to_owned()]);
    let mut parts = Parts { rules: sending(|a| a.delivering.gateways = named("a")), ..aliased() };
    parts.defaults.delivering.gateways = named("b");
    let orders = |parts: &Parts| -> Vec<String> {
        parts.clone().build().unwrap().gateway_orders().map(|names| names.join(",")).collect()
    };
    assert_eq!(orders(&parts), ["a"]);
    parts.rules.push(rule(
        "drop",
        Conditions { subject: pattern("x"), ..Conditions::default() },
        refuse("no"),
    ));
    parts.rules.swap(0, 1);
    parts.no_match = NoMatch::Send;
    parts.rules[1].when.subject = pattern("y");
    assert_eq!(orders(&parts), ["a", "b"]);
}
