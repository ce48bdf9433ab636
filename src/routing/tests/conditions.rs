//! Conditions in conditions, header fields, HELO, doors, globs and lists, and what is told of them.

use super::*;
use crate::mail::Headers;

const HEADERS: &[u8] = b"X-Severity: =?utf-8?q?H=C3=B6chste?=\r\nX-Severity: low\r\nX-Empty:\r\n";

fn glob(source: &str) -> Option<Patterns> {
    Some(Pattern::glob(source).unwrap().into())
}

fn subject(source: &str) -> Conditions {
    Conditions { subject: pattern(source), ..Conditions::default() }
}

fn text(source: &str) -> Conditions {
    Conditions { text: pattern(source), ..Conditions::default() }
}

fn holds(when: Conditions, change: impl FnOnce(&mut Facts)) -> bool {
    rule_of(decide_with(&with_rules(vec![rule("it", when, send())]), change)) == "it"
}

#[test]
fn the_first_field_of_a_name_counts_decoded_and_never_in_a_form() {
    let with = |facts: &mut Facts| facts.headers = Some(Headers::new(HEADERS));
    let header = |name: &str, source: &str| Conditions {
        headers: vec![(name.to_owned(), pattern(source).unwrap())],
        ..Conditions::default()
    };
    for (name, source, expected) in [
        ("x-severity", "^höchste$", true),
        ("X-SEVERITY", "low", false),
        ("X-Empty", "", false),
        ("X-Other", "", false),
    ] {
        assert_eq!(holds(header(name, source), with), expected, "{name} {source}");
    }
    assert!(!holds(header("X-Severity", ""), |_| {}));
    let both = Conditions {
        headers: ["X-Severity", "X-Empty"].map(|name| (name.to_owned(), pattern("").unwrap())).into(),
        ..Conditions::default()
    };
    assert!(!holds(both, with));
}

#[test]
fn a_door_and_a_greeting_are_asked_for() {
    let helo = || Conditions { helo: glob("ups-*.lan"), ..Conditions::default() };
    let greeted = |name: Option<&str>| {
        let client = Client { helo: name.map(str::to_owned), ..client() };
        holds(helo(), |facts| facts.origin.client = Box::leak(Box::new(client)))
    };
    assert!(greeted(Some("UPS-3.lan")) && !greeted(Some("nas.lan")) && !greeted(None));
    let door = |door| holds(Conditions { door: Some(door), ..Conditions::default() }, |_| {});
    assert!(door(Door::Smtp) && !door(Door::Http));
}

#[test]
fn one_of_several_patterns_is_enough() {
    let both = || Patterns::new(vec![Pattern::new("fire").unwrap(), Pattern::glob("T?ner").unwrap()]);
    assert!(holds(Conditions { subject: both(), ..Conditions::default() }, |_| {}));
    assert!(holds(Conditions { subject: both(), ..Conditions::default() }, |facts| facts.subject = "a FIRE!"));
    assert!(
        !holds(Conditions { subject: both(), ..Conditions::default() }, |facts| facts.subject = "Toner 2")
    );
    let number = || Conditions { recipient: glob("+39347*"), ..Conditions::default() };
    assert!(holds(number(), |_| {}));
    assert!(Patterns::new(Vec::new()).is_none());
}

#[test]
fn any_all_and_not_stand_in_each_other() {
    let some = |list: Vec<Conditions>| Some(list);
    let none = Conditions::default;
    for (when, expected) in [
        (Conditions { any: some(vec![subject("paper"), text("low")]), ..none() }, true),
        (Conditions { any: some(vec![subject("paper"), text("high")]), ..none() }, false),
        (Conditions { any: some(vec![text("low")]), ..subject("paper") }, false),
        (Conditions { all: some(vec![subject("toner"), text("low")]), ..none() }, true),
        (Conditions { all: some(vec![subject("toner"), text("high")]), ..none() }, false),
        (Conditions { not: some(vec![subject("paper"), text("high")]), ..none() }, true),
        (Conditions { not: some(vec![subject("paper"), text("low")]), ..none() }, false),
        // Of one condition of `not` all must hold to exclude.
        (
            Conditions {
                not: some(vec![Conditions { text: pattern("high"), ..subject("toner") }]),
                ..none()
            },
            true,
        ),
        (
            Conditions { not: some(vec![Conditions { not: some(vec![text("low")]), ..none() }]), ..none() },
            true,
        ),
    ] {
        let shown = format!("{when:?}");
        assert_eq!(holds(when, |_| {}), expected, "{shown}");
    }
}

#[test]
fn conditions_nest_sixteen_deep_and_no_deeper() {
    let nested = |levels: usize| {
        let inner = |inner| Conditions { any: Some(vec![inner]), ..Conditions::default() };
        (1..levels).fold(subject("toner"), |one, _| inner(one))
    };
    assert!(holds(nested(MAX_NESTING), |_| {}));
    assert_eq!(
        faults(Parts { rules: vec![rule("it", nested(MAX_NESTING + 1), send())], ..parts() }),
        [
            "the conditions of rule `it` stand more than 16 deep in each other; write them flatter, or as several \
             rules"
        ]
    );
}

#[test]
fn groups_are_those_of_branches_that_hold_and_of_nothing_under_not() {
    let when = Conditions {
        any: Some(vec![
            subject("(?P<a>toner)"),
            Conditions { text: pattern("high"), ..subject("(?P<b>ton)") },
            Conditions { all: Some(vec![text("(?P<c>low)")]), ..Conditions::default() },
        ]),
        not: Some(vec![subject("(?P<d>paper)")]),
        text: Patterns::new(["(?P<e>is)", "(?P<f>was)"].map(|one| Pattern::new(one).unwrap()).into()),
        ..Conditions::default()
    };
    let groups = plan(decide(&with_rules(vec![rule("it", when.clone(), send())]))).groups;
    let expected = [("a", "Toner"), ("c", "low"), ("e", "is")];
    assert_eq!(groups, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let with = |template: &str| {
        let mut wording = Wording::in_parts(1);
        wording.template = Template::new(template).unwrap();
        let send = SendAction { wording: Some(Arc::new(wording)), ..SendAction::default() };
        faults(Parts { rules: vec![rule("it", when.clone(), Action::Send(send))], ..parts() })
    };
    assert_eq!(with("{{ groups.b }}{{ groups.f }}"), Vec::<String>::new());
    assert!(only(with("{{ groups.d }}")).contains("names the group `d`"));
}

/// What is told of the only rule, in a line each.
fn told(when: Conditions) -> Vec<String> {
    let (tried, _) = try_rules(&with_rules(vec![rule("it", when, send())]));
    let line = |one: Unmet| {
        let header = one.header.unwrap_or_default();
        format!(
            "{}|{}{header}|{}|{}|{}",
            one.branch,
            one.key,
            one.holds,
            one.wanted,
            one.found.unwrap_or_default()
        )
    };
    tried.into_iter().flat_map(|one| one.unmet).map(line).collect()
}

#[test]
fn what_kept_a_rule_from_matching_is_told_leaf_by_leaf() {
    let any = |list: Vec<Conditions>| Conditions { any: Some(list), ..Conditions::default() };
    let not = |list: Vec<Conditions>| Conditions { not: Some(list), ..Conditions::default() };
    // Of `any` each branch with the first that is missing, of which there may be several.
    assert_eq!(
        told(any(vec![
            subject("paper"),
            Conditions { text: pattern("high"), ..subject("toner") },
            any(vec![text("a1"), text("a2")]),
        ])),
        [
            "any 1|subject|false|paper|Toner",
            "any 2|text|false|high|Toner is low",
            "any 3, any 1|text|false|a1|Toner is low",
            "any 3, any 2|text|false|a2|Toner is low",
        ]
    );
    // Of `not` all that holds and must not.
    assert_eq!(
        told(not(vec![subject("paper"), Conditions { text: pattern("low"), ..subject("toner") }])),
        ["not 2|subject|true|toner|Toner", "not 2|text|true|low|Toner is low"]
    );
    assert_eq!(
        told(not(vec![any(vec![subject("paper"), text("low")])])),
        ["not 1, any 2|text|true|low|Toner is low"]
    );
    assert_eq!(told(not(vec![not(vec![subject("paper")])])), ["not 1, not 1|subject|false|paper|Toner"]);
    let header = Conditions {
        headers: vec![("X-Severity".to_owned(), glob("high*").unwrap())],
        ..Conditions::default()
    };
    assert_eq!(told(header), ["|headerX-Severity|false|high*|"]);
    // Whoever has a hundred branches is told of the first ones.
    assert_eq!(told(any((0..100).map(|n| subject(&format!("x{n}"))).collect())).len(), 32);
}

#[test]
fn what_a_tree_asks_for_in_vain_is_told() {
    let alone = |when: Conditions| faults(Parts { rules: vec![rule("it", when, send())], ..parts() });
    let none = Conditions::default;
    let some = |list: Vec<Conditions>| Some(list);
    let listener = |name: &str| Conditions { listeners: Some(vec![name.to_owned()]), ..none() };
    let door = |door| Conditions { door: Some(door), ..none() };
    let never = |why: &str| vec![format!("rule `it` can never match: {why}")];
    for (when, expected) in [
        (Conditions { any: some(vec![]), ..none() }, "rule `it` has an empty condition in `any`"),
        (Conditions { not: some(vec![none()]), ..none() }, "rule `it` has an empty condition in `not`"),
        (
            Conditions { not: some(vec![listener("wan")]), ..none() },
            "rule `it` asks for the listener `wan`, and there is none of that name",
        ),
    ] {
        let told = only(alone(when));
        assert!(told.starts_with(expected), "{told}");
    }
    let excluded = "its `not` excludes everything that it asks for";
    assert_eq!(alone(Conditions { not: some(vec![subject("x")]), ..subject("x") }), never(excluded));
    assert_eq!(
        alone(Conditions { not: some(vec![subject("x")]), text: pattern("y"), ..subject("x") }),
        never(excluded)
    );
    assert!(alone(Conditions { not: some(vec![text("y")]), ..subject("x") }).is_empty());
    let narrower = Conditions { text: pattern("y"), ..subject("x") };
    assert!(alone(Conditions { not: some(vec![narrower]), ..subject("x") }).is_empty());
    assert_eq!(
        alone(Conditions { all: some(vec![listener("web")]), ..listener("lan") }),
        never("what it asks for by `listener` excludes each other")
    );
    assert_eq!(
        alone(Conditions { any: some(vec![listener("web"), door(Door::Http)]), ..listener("lan") }),
        never("no branch of its `any` can hold together with the rest")
    );
    assert!(
        alone(Conditions { any: some(vec![listener("web"), subject("x")]), ..listener("lan") }).is_empty()
    );
    assert_eq!(
        alone(Conditions { door: Some(Door::Http), ..listener("lan") }),
        never("`listener` names none of the kind that it asks for by `door`")
    );
    assert_eq!(
        alone(Conditions { helo: pattern("x"), ..door(Door::Http) }),
        never("`helo` is about mail, and only form posts are left to it")
    );
    let without_web = Parts { listeners: vec![parts().listeners.remove(0)], ..parts() };
    assert_eq!(
        faults(Parts { rules: vec![rule("it", door(Door::Http), send())], ..without_web }),
        never("there is no listener of the kind that it asks for by `door`")
    );
}

#[test]
fn a_tree_behind_one_that_takes_more_is_told() {
    let pair = |first: Conditions, second: Conditions| {
        let rules = vec![rule("one", first, send()), rule("two", second, send())];
        !faults(Parts { rules, ..parts() }).is_empty()
    };
    let any = |list: Vec<Conditions>| Conditions { any: Some(list), ..Conditions::default() };
    let not = |one: Conditions| Conditions { not: Some(vec![one]), ..Conditions::default() };
    assert!(pair(any(vec![subject("a"), subject("b")]), subject("b")));
    assert!(pair(any(vec![subject("a"), subject("b")]), any(vec![subject("b"), subject("a")])));
    assert!(!pair(any(vec![subject("a"), subject("b")]), any(vec![subject("b"), subject("c")])));
    assert!(!pair(subject("a"), any(vec![subject("a"), subject("b")])));
    assert!(pair(subject("a"), any(vec![subject("a"), Conditions { text: pattern("t"), ..subject("a") }])));
    let both = Conditions { all: Some(vec![subject("b")]), ..subject("a") };
    assert!(pair(subject("b"), both.clone()) && !pair(both, subject("b")));
    assert!(pair(not(subject("a")), not(any(vec![subject("a"), subject("b")]))));
    assert!(!pair(not(any(vec![subject("a"), subject("b")])), not(subject("a"))));
    let list = Patterns::new(["a", "b"].map(|one| Pattern::new(one).unwrap()).into());
    let list = || Conditions { subject: list.clone(), ..Conditions::default() };
    assert!(pair(list(), subject("a")) && !pair(subject("a"), list()));
    // A glob of the same letters is another pattern.
    assert!(!pair(subject("a"), Conditions { subject: glob("a"), ..Conditions::default() }));
}

#[test]
fn trees_that_would_take_ages_to_compare_are_left_alone() {
    let wide = |sources: [&str; 2]| {
        let leaf = || sources.map(subject).to_vec();
        (0..12).fold(Conditions { any: Some(leaf()), ..Conditions::default() }, |inner, n| Conditions {
            any: Some(vec![inner.clone(), subject(&format!("x{n}")), inner]),
            ..Conditions::default()
        })
    };
    let (one, two) = (wide(["a", "b"]), wide(["c", "d"]));
    assert_eq!(
        faults(Parts { rules: vec![rule("one", one, send()), rule("two", two, send())], ..parts() }),
        [""; 0]
    );
}
