use serde_json::json;

use super::*;

fn parts(to: &str, text: &str) -> WebhookParts {
    WebhookParts { to: to.to_owned(), text: text.to_owned(), most: 3, ..WebhookParts::default() }
}

fn each(text: &str, when: &str) -> WebhookParts {
    let when = (!when.is_empty()).then(|| when.to_owned());
    WebhookParts { each: Some("body.alerts".to_owned()), when, ..parts("{{ item.to or query.to }}", text) }
}

fn rendered(parts: WebhookParts, body: &Json) -> Result<Rendered, Unusable> {
    let query = BTreeMap::from([("to".to_owned(), "oncall".to_owned())]);
    Webhook::new(parts).unwrap().render(body.clone(), &query)
}

/// The one text that has no problem.
fn one(text: &str, body: &Json) -> String {
    let rendered = rendered(parts("x", text), body).unwrap();
    assert_eq!(rendered.problems, BTreeSet::new(), "{text}");
    let [one] = rendered.texts.as_slice() else { panic!("{rendered:?}") };
    one.text.clone()
}

/// Texts, and the problems.
fn texts(rendered: &Rendered) -> (Vec<&str>, Vec<&str>) {
    let texts = rendered.texts.iter().map(|one| one.text.as_str()).collect();
    (texts, rendered.problems.iter().map(String::as_str).collect())
}

#[test]
fn what_is_not_there_prints_nothing_whatever_it_stands_under() {
    let body = json!({ "name": "web1", "none": null, "on": true, "load": 0.5, "list": ["a", "b"] });
    for (template, text) in [
        ("{{ body.name }}: {{ body.labels.host.name }}{{ body.none }}{{ body.none.x }}.", "web1: ."),
        ("{{ body.labels.host or body.name }}", "web1"),
        ("{{ body.missing|upper }}{{ body.missing[1:3] }}!", "!"),
        ("{% for a in body.missing %}x{% endfor %}-{{ body.missing|length }}{{ body.none.x|count }}", "-00"),
        (
            "{{ (body.missing|first).x }}{{ (body.none|last).x }}{{ body.none|upper }}{{ body.missing|join(',') }}.",
            ".",
        ),
        ("{{ body.list|first }}{{ body.list|last }}{{ body.list|length }}{{ body.list|count }}", "ab22"),
        ("{{ body.none is defined }} {{ body.none or 'else' }}", "False else"),
        ("{{ body.on }} {{ body.load }} {{ body.list[1] }} {{ body.list|join('+') }}", "True 0.5 b a+b"),
        (" \n{% if body.name %}\n{{ body.name }}\n{% endif %}\n", "web1"),
        ("<&\">", "<&\">"),
    ] {
        assert_eq!(one(template, &body), text, "{template}");
    }
    assert_eq!(one("{{ body[1].x }}", &json!([1, { "x": "y" }])), "y");
    assert_eq!(one("{{ body }}", &json!("all of it")), "all of it");
}

#[test]
fn wishes_that_print_nothing_are_none() {
    let wishes = WebhookParts {
        from: Some(" {{ body.from }}\n".to_owned()),
        lane: Some("{{ body.lane }}".to_owned()),
        deliver_at: Some("{{ body.at|bogus_method }}".replace("|bogus_method", "()")),
        ..parts("{{ query.to }}", "x")
    };
    let rendered = rendered(wishes, &json!({ "from": "NAS" })).unwrap();
    let text = RenderedText {
        to: "oncall".to_owned(),
        text: "x".to_owned(),
        from: Some("NAS".to_owned()),
        ..RenderedText::default()
    };
    assert_eq!(rendered.texts, [text]);
    let problems: Vec<&String> = rendered.problems.iter().collect();
    assert!(problems.len() == 1 && problems[0].starts_with("`deliver_at` fails: "), "{problems:?}");
}

#[test]
fn each_element_is_a_text_up_to_the_most() {
    let alerts = |number: usize| {
        let alert = |n: usize| json!({ "n": n, "to": format!("phone{n}") });
        json!({ "alerts": (0..number).map(alert).collect::<Vec<_>>() })
    };
    let rendered = |number| rendered(each("{{ item.n }} of {{ body.alerts|length }}", ""), &alerts(number));
    let three = rendered(3).unwrap();
    assert_eq!(texts(&three).0, ["0 of 3", "1 of 3", "2 of 3"]);
    assert_eq!(three.texts[2].to, "phone2");
    assert_eq!((three.left_out, three.left_out_to.len()), (0, 0));
    let four = rendered(4).unwrap();
    assert_eq!(
        (four.texts.len(), four.left_out, four.left_out_to.as_slice()),
        (3, 1, &["phone3".to_owned()][..])
    );
    let storm = rendered(3 + MAX_LEFT_OUT_TO + 1).unwrap();
    assert_eq!((storm.left_out, storm.left_out_to.len()), (MAX_LEFT_OUT_TO + 1, MAX_LEFT_OUT_TO));
    assert_eq!(rendered(0).unwrap(), Rendered::default());
    let same = Webhook::new(WebhookParts { to: "boss".to_owned(), ..each("x", "") }).unwrap();
    let same = same.render(alerts(9), &BTreeMap::new()).unwrap();
    assert_eq!((same.left_out, same.left_out_to), (6, vec!["boss".to_owned()]));
}

#[test]
fn only_what_is_wanted_is_a_text_and_counts() {
    let states = ["firing", "resolved", "firing", "firing", "resolved", "firing"];
    let alerts: Vec<Json> =
        states.iter().zip(0..).map(|(status, n)| json!({ "status": status, "n": n })).collect();
    let rendered =
        rendered(each("{{ item.n }}", "item.status == 'firing'"), &json!({ "alerts": alerts })).unwrap();
    assert_eq!(texts(&rendered), (vec!["0", "2", "3"], vec![]));
    assert_eq!(rendered.left_out, 1);
    let whole = |status: &str| {
        let when = Some("body.status != 'resolved'".to_owned());
        let rendered =
            super::tests::rendered(WebhookParts { when, ..parts("x", "y") }, &json!({ "status": status }));
        rendered.unwrap().texts.len()
    };
    assert_eq!((whole("resolved"), whole("firing")), (0, 1));
}

#[test]
fn a_body_without_the_list_is_not_what_it_is_for() {
    for body in [
        json!({}),
        json!([]),
        json!({ "alerts": null }),
        json!({ "alerts": "x" }),
        json!({ "alerts": { "a": 1 } }),
    ] {
        let no_list = Unusable::NoList("body.alerts".to_owned());
        assert_eq!(rendered(each("x", ""), &body), Err(no_list), "{body}");
    }
    let parts = WebhookParts { each: Some("body.alerts.nothing()".to_owned()), ..parts("x", "y") };
    let Err(Unusable::Failed(why)) = rendered(parts, &json!({ "alerts": [] })) else { panic!() };
    assert!(why.starts_with("`each` fails: "), "{why}");
}

#[test]
fn a_template_that_fails_costs_the_words_and_not_the_alarm() {
    let body = json!({ "alerts": [{ "n": 1 }, { "n": "x", "big": "è".repeat(1000) }, { "n": 3 }] });
    let rendered = rendered(each("{{ 6 // item.n }}", "item.n != 9"), &body).unwrap();
    let (texts, problems) = texts(&rendered);
    assert_eq!((texts[0], texts[2], texts.len()), ("6", "2", 3));
    assert!(texts[1].starts_with("{\"big\":\"èè") || texts[1].starts_with("{\"n\":\"x\""), "{}", texts[1]);
    assert_eq!(texts[1].chars().count(), FALL_BACK_CHARACTERS);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("`text` fails: ") && !problems[0].contains('è'), "{problems:?}");
}

#[test]
fn an_empty_text_is_no_silence() {
    for text in [" {{ body.summary }}\n", "\u{7} \0"] {
        let rendered = rendered(parts("x", text), &json!({ "alert": "hot" })).unwrap();
        assert_eq!(texts(&rendered), (vec!["{\"alert\":\"hot\"}"], vec!["`text` prints nothing"]));
    }
}

#[test]
fn a_condition_that_fails_holds_and_destinations_that_fail_are_none() {
    let parts = WebhookParts { to: "{{ item.to.number() }}".to_owned(), ..each("x", "item.n.is_on()") };
    let rendered = rendered(parts, &json!({ "alerts": [{ "n": 1, "to": "boss" }] })).unwrap();
    assert_eq!((rendered.texts.len(), rendered.texts[0].to.as_str(), rendered.to_failed), (1, "", true));
    let problems: Vec<&String> = rendered.problems.iter().collect();
    assert!(problems[0].starts_with("`to` fails") && problems[1].starts_with("`when` fails"), "{problems:?}");
}

#[test]
fn renderings_are_bounded_in_steps_and_octets() {
    let body = json!({ "list": vec![0; 1000], "big": "x".repeat(MAX_OUTPUT) });
    assert_eq!(one("{{ body.big }}", &body).len(), MAX_OUTPUT);
    for template in [
        "{{ body.big }}.{{ body.name or '' }}{{ body.big[:1] }}",
        "{% for a in body.list %}{% for b in body.list %}{% if a > b %}x{% endif %}{% endfor %}{% endfor %}",
    ] {
        let (rendered, len) = (rendered(parts("x", template), &body).unwrap(), FALL_BACK_CHARACTERS);
        assert_eq!((rendered.texts[0].text.chars().count(), rendered.problems.len()), (len, 1), "{template}");
    }
}

#[test]
fn what_can_never_be_there_is_told_when_it_is_built() {
    let why = |parts: WebhookParts| {
        let error = Webhook::new(parts).unwrap_err();
        (error.key, error.reason)
    };
    let nothing = |key, name: &str, known: &str| {
        (key, format!("there is nothing called `{name}`; these are there: {known}"))
    };
    assert_eq!(why(parts("{{ query.to }}", "{{ status }}")), nothing("text", "status", "body, query"));
    assert_eq!(why(parts("{{ item.to }}", "x")), nothing("to", "item", "body, query"));
    assert_eq!(why(each("{{ alert }}", "")), nothing("text", "alert", "body, query, item"));
    assert_eq!(why(each("x", "status == 'firing'")), nothing("when", "status", "body, query, item"));
    let list = WebhookParts { each: Some("item.alerts".to_owned()), ..parts("x", "y") };
    assert_eq!(why(list), nothing("each", "item", "body, query"));
    assert_eq!(why(parts("x", "{{ body.x|uper }}")).1, "there is no filter called `uper`");
    assert_eq!(why(parts("x", "{% if body.x is fine %}{% endif %}")).1, "there is no test called `fine`");
    assert_eq!(why(each("x", "item.x|uper")), ("when", "there is no filter called `uper`".to_owned()));
    let (key, reason) = why(parts("{{ body.x ", "y"));
    assert!(key == "to" && reason.starts_with("it is not a template: "), "{reason}");
    for wrong in ["item.x ==", "1) }} {{ (2"] {
        let (key, reason) = why(each("x", wrong));
        assert!(key == "when" && reason.starts_with("it is not an expression: "), "{reason}");
    }
    for right in [
        "{% for one in body.list %}{{ loop.index }}{{ one|upper }}{% endfor %}{{ range(3)|join }}",
        "{% set a = body.x|default('y')|replace('a', 'b') %}{{ a if a is string else dict(a=1) }}",
    ] {
        assert!(Webhook::new(parts("x", right)).is_ok(), "{right}");
    }
}
