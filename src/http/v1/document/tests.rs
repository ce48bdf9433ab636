use std::collections::BTreeSet;

use serde_json::Value;

use super::super::problem::{Kind, MOST_FAULTS};
use super::super::questions::MOST_IDS;
use super::super::read::{MEMBERS, MOST_MESSAGES, SEVERAL};
use super::super::{Action, ROUTES, key};
use super::*;
use crate::intake::RefusalKind;

fn document() -> Value {
    serde_json::from_str(&DOCUMENT).unwrap()
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref") {
        Some(reference) => {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            document.pointer(pointer).unwrap_or_else(|| panic!("nothing is at {pointer}"))
        }
        None => value,
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Every value of the document with its place.
fn visit<'a>(at: String, value: &'a Value, see: &mut impl FnMut(&str, &'a Value)) {
    see(&at, value);
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, value)| visit(format!("{at}/{}", name.replace('/', "~1")), value, see));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| visit(format!("{at}/{n}"), value, see));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn its_version_is_that_of_the_relay() {
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document()["openapi"], "3.1.0");
}

#[test]
fn all_references_lead_somewhere_and_every_component_is_used() {
    let document = document();
    let (mut used, mut there) = (BTreeSet::new(), BTreeSet::new());
    visit(String::new(), &document, &mut |_, value| {
        if let Some(reference) = value.get("$ref") {
            resolved(&document, value);
            used.insert(reference.as_str().unwrap().to_owned());
        }
    });
    for kind in ["parameters", "headers", "responses", "schemas"] {
        there.extend(
            keys(&document["components"][kind]).iter().map(|name| format!("#/components/{kind}/{name}")),
        );
    }
    assert_eq!(used, there);
}

#[test]
fn its_operations_are_those_that_are_served() {
    let document = document();
    assert_eq!(keys(&document["paths"]), ROUTES.iter().map(|route| route.path).collect());
    let mut names = BTreeSet::new();
    for route in &ROUTES {
        let path = &document["paths"][route.path];
        let methods: Vec<&str> = route.methods.iter().map(|(method, _)| *method).collect();
        assert_eq!(route.allow, methods.join(", "));
        let mut expected: BTreeSet<String> = methods.iter().map(|method| method.to_lowercase()).collect();
        for method in &expected {
            assert!(names.insert(path[method]["operationId"].as_str().unwrap()), "{method} {}", route.path);
        }
        expected.insert("x-other-methods".to_owned());
        if route.path.contains('{') {
            expected.insert("parameters".to_owned());
        }
        assert_eq!(keys(path), expected.iter().map(String::as_str).collect());
    }
}

#[test]
fn its_refusals_are_those_that_are_answered() {
    let document = document();
    for route in &ROUTES {
        let path = &document["paths"][route.path];
        for (method, action) in route.methods {
            let responses = &path[method.to_lowercase()]["responses"];
            let refused: BTreeSet<&str> =
                keys(responses).into_iter().filter(|status| *status >= "400").collect();
            let mut statuses: Vec<String> =
                action.refusals().iter().map(|kind| kind.status().as_u16().to_string()).collect();
            // Before any path is looked at.
            statuses.push("431".to_owned());
            assert_eq!(refused, statuses.iter().map(String::as_str).collect(), "{method} {}", route.path);
            let good: Vec<&str> = keys(responses).into_iter().filter(|status| *status < "400").collect();
            let expected: &[&str] = match action {
                Action::Send => &["200", "202"],
                Action::Describe => &["200", "304"],
                Action::List | Action::Tell | Action::Cancel => &["200"],
            };
            assert_eq!(good, expected, "{method} {}", route.path);
            for (status, response) in responses.as_object().unwrap() {
                let response = resolved(&document, response);
                assert_eq!(
                    *method == "HEAD" || status == "304" || status == "431",
                    response.get("content").is_none(),
                    "{method} {status}"
                );
            }
        }
        let other = resolved(&document, &path["x-other-methods"]);
        assert_eq!(other, &document["components"]["responses"]["MethodNotAllowed"]);
    }
}

#[test]
fn each_kind_of_refusal_is_described_with_its_type() {
    let document = document();
    let mut types = Vec::new();
    for kind in Kind::ALL {
        let response = &document["components"]["responses"][format!("{kind:?}")];
        let properties = &response["content"]["application/problem+json"]["schema"]["properties"];
        assert_eq!(properties["type"]["const"], kind.uri());
        assert_eq!(properties["title"]["const"], kind.title());
        assert_eq!(properties["status"]["const"], kind.status().as_u16());
        types.push(Value::from(kind.uri()));
    }
    let problem = &document["components"]["schemas"]["Problem"]["properties"];
    assert_eq!(problem["type"]["enum"], Value::from(types));
    assert_eq!(problem["errors"]["maxItems"], MOST_FAULTS);
}

/// What the intake refuses has to be one of the kinds; a new reason has to be looked at.
#[test]
fn what_the_intake_refuses_is_described_for_sending() {
    let retry_after = std::time::Duration::from_secs(1);
    let every = [
        RefusalKind::UnknownRecipient,
        RefusalKind::DomainNotOurs,
        RefusalKind::NothingToSend,
        RefusalKind::Loop,
        RefusalKind::TooFarAhead,
        RefusalKind::NotAllowed,
        RefusalKind::TooMany,
        RefusalKind::StorageUnavailable,
        RefusalKind::TooFast { retry_after },
        RefusalKind::QuotaSpent { retry_after },
    ];
    for kind in every {
        match kind {
            RefusalKind::UnknownRecipient
            | RefusalKind::DomainNotOurs
            | RefusalKind::NothingToSend
            | RefusalKind::Loop
            | RefusalKind::TooFarAhead
            | RefusalKind::NotAllowed
            | RefusalKind::TooMany
            | RefusalKind::StorageUnavailable
            | RefusalKind::TooFast { .. }
            | RefusalKind::QuotaSpent { .. } => {}
        }
        let is_described = Action::Send.refusals().iter().any(|refusal| refusal.status() == kind.http());
        assert!(is_described, "{kind:?}");
    }
}

#[test]
fn what_is_read_of_a_body_is_what_it_says() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    assert_eq!(keys(&schemas["Message"]["properties"]), MEMBERS.into_iter().collect());
    assert_eq!(keys(&schemas["Messages"]["properties"]), BTreeSet::from([SEVERAL]));
    let messages = &schemas["Messages"]["properties"][SEVERAL];
    assert_eq!(
        (&messages["minItems"], &messages["maxItems"]),
        (&Value::from(1), &Value::from(MOST_MESSAGES))
    );
    let lanes = crate::model::Lane::ALL.map(crate::model::Lane::as_str);
    assert_eq!(schemas["Message"]["properties"]["lane"]["enum"], Value::from(lanes.to_vec()));
}

#[test]
fn its_limits_of_parameters_are_those_of_the_code() {
    let document = document();
    let parameters = &document["components"]["parameters"];
    let ids = &parameters["ids"]["schema"];
    assert_eq!((&ids["minItems"], &ids["maxItems"]), (&Value::from(1), &Value::from(MOST_IDS)));
    let pattern = parameters["IdempotencyKey"]["schema"]["pattern"].as_str().unwrap();
    let pattern = regex::Regex::new(pattern).unwrap();
    let long = |count: usize| "k".repeat(count);
    for written in [
        "a".to_owned(),
        "a\"".to_owned(),
        "\"a".to_owned(),
        "\"\"".to_owned(),
        "\"a\"b\"".to_owned(),
        r#""a\"b\\c""#.to_owned(),
        r#""a\b""#.to_owned(),
        "a b".to_owned(),
        "a\tb".to_owned(),
        "~!".to_owned(),
        long(key::MOST),
        long(key::MOST + 1),
        format!("\"{}\"", long(key::MOST)),
        format!("\"{}\"", long(key::MOST + 1)),
    ] {
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static("idempotency-key"),
            HeaderValue::from_str(&written).unwrap(),
        )]);
        assert_eq!(pattern.is_match(&written), key::key_of(&headers).is_ok(), "{written}");
    }
}

#[test]
fn who_has_it_is_known_by_its_tag() {
    let known = |value: &str| {
        is_known(&HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())]))
    };
    assert!(
        known(&ETAG) && known("*") && known(&format!("W/{}", *ETAG)) && known(&format!("\"a\", {}", *ETAG))
    );
    assert!(!known("\"a\"") && !known("") && !is_known(&HeaderMap::new()));
    assert_eq!(ETAG.len(), 34);
}
