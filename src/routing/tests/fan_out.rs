//! Rules that go on, and rules that send elsewhere or besides.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::*;
use crate::rota::{Days, Overrides, Plan as RotaPlan, Rota, Shift, Shifts};

fn going_on() -> SendAction {
    SendAction { continues: true, ..SendAction::default() }
}

fn subject(source: &str) -> Conditions {
    Conditions { subject: pattern(source), ..Conditions::default() }
}

fn all_said(routing: &Routing) -> Vec<String> {
    routing.decide(&facts(|_| {}), "oncall", &number(ALARM)).into_iter().map(said).collect()
}

#[test]
fn rules_behind_one_that_goes_on_are_asked_up_to_the_first_that_does_not() {
    let rules = |end: Action| {
        vec![
            rule("one", subject("toner"), Action::Send(going_on())),
            rule("none", subject("paper"), Action::Send(going_on())),
            rule("two", subject("ton"), Action::Send(going_on())),
            rule("end", subject("o"), end),
            rule("never", Conditions::default(), send()),
        ]
    };
    let sent = ["sent by one", "sent by two"].map(str::to_owned);
    let said = |end: Action| all_said(&with_rules(rules(end)));
    assert_eq!(said(send()), [&sent[..], &["sent by end".to_owned()]].concat());
    let drop = Action::Drop { reason: "no".to_owned() };
    assert_eq!(said(drop), [&sent[..], &["dropped by end: no".to_owned()]].concat());
    assert_eq!(said(refuse("no")), [&sent[..], &["refused by end: no".to_owned()]].concat());
}

#[test]
fn the_default_is_for_what_no_rule_took() {
    let going = || rule("on", subject("toner"), Action::Send(going_on()));
    for no_match in [NoMatch::Send, NoMatch::Refuse] {
        let routing = Parts { rules: vec![going()], no_match, ..parts() }.build().unwrap();
        assert_eq!(all_said(&routing), ["sent by on"]);
        let other = routing.decide(&facts(|facts| facts.subject = "x"), "oncall", &number(ALARM));
        assert_eq!(rule_of(only(other)), "default");
    }
    let (tried, decision) = {
        let rules = vec![going(), rule("behind", subject("paper"), send())];
        only(with_rules(rules).try_rules(&facts(|_| {}), "oncall", &number(ALARM)))
    };
    assert_eq!(rule_of(decision), "on");
    let told: Vec<(&str, bool)> = tried.iter().map(|one| (one.rule.as_str(), one.unmet.is_empty())).collect();
    assert_eq!(told, [("on", true), ("behind", false)]);
}

#[test]
fn sixteen_rules_that_go_on_take_a_mail_and_not_one_more() {
    let rules = |count: usize| {
        let going = |n| rule(&format!("r{n}"), subject("toner"), Action::Send(going_on()));
        let mut rules: Vec<Rule> = (0..count).map(going).collect();
        rules.push(rule("end", Conditions::default(), send()));
        with_rules(rules)
    };
    assert_eq!(all_said(&rules(MAX_CONTINUING - 1)).last().unwrap(), "sent by end");
    let said = all_said(&rules(MAX_CONTINUING));
    assert_eq!((said.len(), said.last().unwrap().as_str()), (16, "sent by r15"));
    assert_eq!(all_said(&rules(MAX_CONTINUING + 1)), said);
}

#[test]
fn a_rule_that_goes_on_hides_none_behind_it() {
    let rules = vec![
        rule("on", Conditions::default(), Action::Send(going_on())),
        rule("behind", subject("x"), send()),
        rule("hidden", subject("x"), send()),
    ];
    assert_eq!(
        faults(Parts { rules, ..parts() }),
        ["rule `hidden` can never match: rule `behind` before it takes everything that it asks for"]
    );
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// `night` and `watch`, a rota with `night` on Thursdays and else another.
fn with_watch(action: SendAction) -> Parts {
    let shift = Shift {
        days: Days::of([Weekday::Thursday]),
        from: "00:00".parse().unwrap(),
        to: "00:00".parse().unwrap(),
        who: names(&["night"]),
    };
    let shifts = Shifts { list: vec![shift], otherwise: names(&["+393470000009"]) };
    let rota = Rota { zone: TimeZone::UTC, plan: RotaPlan::Shifts(shifts), overrides: Overrides::default() };
    Parts {
        aliases: vec![alias("night", &[NIGHT, ALARM])],
        rotas: vec![("watch".to_owned(), rota)],
        rules: vec![rule("it", Conditions::default(), Action::Send(action))],
        ..parts()
    }
}

fn phones(action: SendAction, at: &str) -> Vec<String> {
    let routing = with_watch(action).build().unwrap();
    let phones = plan(decide_with(&routing, |facts| facts.now = at.parse().unwrap())).phones;
    phones.iter().map(|phone| phone.as_str().to_owned()).collect()
}

#[test]
fn a_rule_sends_elsewhere_or_besides_to_whoever_is_on_call_then() {
    let to = |all: &[&str]| SendAction { to: Some(names(all)), ..SendAction::default() };
    let also = |all: &[&str]| SendAction { also_to: names(all), ..SendAction::default() };
    let (thursday, friday) = ("2026-11-19T12:00:00Z", "2026-11-20T12:00:00Z");
    assert_eq!(phones(SendAction::default(), thursday), [ALARM]);
    assert_eq!(phones(to(&["watch"]), thursday), [NIGHT, ALARM]);
    assert_eq!(phones(to(&["Watch", "0039 347 0000003"]), friday), ["+393470000009", "+393470000003"]);
    // Nobody twice.
    assert_eq!(phones(also(&["night"]), friday), [ALARM, NIGHT]);
    let both = SendAction { also_to: names(&["watch"]), ..to(&["night"]) };
    assert_eq!(phones(both, friday), [NIGHT, ALARM, "+393470000009"]);
}

#[test]
fn destinations_of_a_rule_are_checked_for_all_times() {
    let told = |to: &[&str], also: &[&str]| {
        let action = SendAction { to: Some(names(to)), also_to: names(also), ..SendAction::default() };
        let mut parts = with_watch(action);
        parts.aliases.push(alias("abroad", &["+4915112345678"]));
        faults(parts)
    };
    let of_alias = "alias `abroad` leads to a number that `allowed` does not cover; add its prefix there";
    assert_eq!(told(&["watch"], &["night"]), [of_alias]);
    assert_eq!(
        told(&[], &[])[1..],
        ["`to` of rule `it` names nobody; write an alias, a rota or a number, or leave it out"]
    );
    assert_eq!(
        told(&["nihgt", "abroad"], &["+4915112345678"])[1..],
        [
            "the rule sends it to nobody: `nihgt` is not a phone number, and there is no alias of that name",
            "`abroad` leads to a number that `allowed` in [routing] does not cover; add its prefix there",
            "`+4915112345678` leads to a number that `allowed` in [routing] does not cover; add its prefix there",
        ]
    );
    // A rota of which somebody at some time is not allowed.
    let mut parts = with_watch(SendAction { to: Some(names(&["watch"])), ..SendAction::default() });
    parts.allowed = vec![Prefix::new(NIGHT).unwrap(), Prefix::new(ALARM).unwrap()];
    let told = faults(parts);
    assert!(told.iter().any(|one| one.starts_with("`watch` leads to a number")), "{told:?}");
}
