//! The document of the API, and whether answers are as it says.
//!
//! It is read more strictly than a client should: a member that it does not name is a fault, and so is a keyword that
//! this reader does not know.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../src/http/v1/openapi.json")).unwrap());

/// Headers that an answer has only where the document names them.
const TOLD: [&str; 5] = ["retry-after", "allow", "www-authenticate", "etag", "location"];

/// An answer that is as the document says.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null where it has none.
    pub(crate) body: Value,
}

/// Reads the answer to a request of this method; the document has it.
pub(crate) async fn read(method: &str, response: Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let path = response.url().path().to_owned();
    let octets = response.bytes().await.unwrap();
    let described = described(method, &path, status);
    let at = format!("{method} {path} {status}");
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let value = headers.get(name).unwrap_or_else(|| panic!("{at} has no {name}")).to_str().unwrap();
        let schema = &resolved(header)["schema"];
        let is_number = schema["type"] == "integer";
        let value = if is_number { value.parse::<u64>().unwrap().into() } else { Value::from(value) };
        assert_eq!(faults(schema, &value), [""; 0], "{at}: {name}");
    }
    for name in TOLD.iter().filter(|name| headers.contains_key(**name)) {
        let is_known = |known: &String| known.eq_ignore_ascii_case(name);
        let known = described["headers"].as_object().is_some_and(|known| known.keys().any(is_known));
        assert!(known, "{at} has {name}");
    }
    let Some(content) = described["content"].as_object() else {
        assert!(octets.is_empty(), "{at} has a body");
        return Answer { status, headers, body: Value::Null };
    };
    let (kind, content) = content.iter().next().unwrap();
    assert_eq!(headers[CONTENT_TYPE], kind.as_str(), "{at}");
    let body: Value = serde_json::from_slice(&octets).unwrap();
    assert_eq!(faults(&content["schema"], &body), [""; 0], "{at}: {body:#}");
    Answer { status, headers, body }
}

/// What the document says of such an answer.
fn described(method: &str, path: &str, status: u16) -> &'static Value {
    let is_like = |template: &str| {
        let (mut one, mut other) = (template.split('/'), path.split('/'));
        let is_same = |(one, other): (&str, &str)| one == other || one.starts_with('{') && !other.is_empty();
        one.clone().count() == other.clone().count() && one.by_ref().zip(other.by_ref()).all(is_same)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // A path without parameters goes before one with.
    let mut found: Vec<&String> = paths.keys().filter(|template| is_like(template)).collect();
    found.sort_by_key(|template| template.contains('{'));
    let item = &paths[found.first().unwrap_or_else(|| panic!("{path} is not described")).as_str()];
    match item.get(method.to_lowercase()) {
        Some(operation) => {
            let response = operation["responses"].get(status.to_string());
            resolved(
                response.unwrap_or_else(|| panic!("{method} {path} is not to be answered with {status}")),
            )
        }
        None => {
            assert_eq!(status, 405, "{method} {path}");
            resolved(&item["x-other-methods"])
        }
    }
}

fn resolved(value: &'static Value) -> &'static Value {
    value["$ref"].as_str().map_or(value, |reference| DOCUMENT.pointer(&reference[1..]).unwrap())
}

/// What is wrong with `value`.
fn faults(schema: &'static Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, value, "#", true, &mut faults);
    faults
}

/// `is_whole`: whether `schema` is all that is said of `value`.
fn check(schema: &'static Value, value: &Value, at: &str, is_whole: bool, faults: &mut Vec<String>) {
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            faults.push(format!("{at} is {value}, and not {what}"));
        }
    };
    let (text, number) = (value.as_str(), value.as_i64());
    let length = text.map(|text| text.chars().count());
    let items = value.as_array();
    let mut below: Vec<(&'static Value, &Value, String, bool)> = Vec::new();
    for (keyword, said) in schema.as_object().unwrap() {
        let least = |found: Option<usize>| found.is_none_or(|found| found as u64 >= said.as_u64().unwrap());
        let most = |found: Option<usize>| found.is_none_or(|found| found as u64 <= said.as_u64().unwrap());
        let right = match keyword.as_str() {
            "description" | "examples" | "additionalProperties" => true,
            "$ref" => {
                below.push((resolved(schema), value, at.to_owned(), is_whole));
                true
            }
            "allOf" => {
                let all = said.as_array().unwrap().iter();
                below.extend(all.map(|schema| (schema, value, at.to_owned(), false)));
                true
            }
            "oneOf" => {
                said.as_array()
                    .unwrap()
                    .iter()
                    .filter(|schema| self::faults(schema, value).is_empty())
                    .count()
                    == 1
            }
            "type" => match said.as_array() {
                Some(kinds) => kinds.iter().any(|kind| is_a(kind, value)),
                None => is_a(said, value),
            },
            "enum" => said.as_array().unwrap().contains(value),
            "const" => said == value,
            "pattern" => text.is_none_or(|text| Regex::new(said.as_str().unwrap()).unwrap().is_match(text)),
            "format" => text.is_none_or(|text| match said.as_str().unwrap() {
                "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
                other => panic!("unknown format {other}"),
            }),
            "minimum" => number.is_none_or(|number| number >= said.as_i64().unwrap()),
            "maximum" => number.is_none_or(|number| number <= said.as_i64().unwrap()),
            "minLength" => least(length),
            "maxLength" => most(length),
            "minItems" => least(items.map(Vec::len)),
            "maxItems" => most(items.map(Vec::len)),
            "required" => {
                let names = said.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                value
                    .as_object()
                    .is_none_or(|members| names.into_iter().all(|name| members.contains_key(name)))
            }
            "properties" => {
                for (name, schema) in said.as_object().unwrap() {
                    below.extend(value.get(name).map(|value| (schema, value, format!("{at}/{name}"), true)));
                }
                true
            }
            "items" => {
                for (n, item) in items.into_iter().flatten().enumerate() {
                    below.push((said, item, format!("{at}/{n}"), true));
                }
                true
            }
            other => panic!("unknown keyword {other}"),
        };
        expect(right, &format!("as {keyword}: {said} has it"));
    }
    let known = members(schema);
    if is_whole && !known.is_empty() && schema["additionalProperties"] != true {
        let unknown = value.as_object().into_iter().flatten().map(|(name, _)| name);
        for name in unknown.filter(|name| !known.contains(name.as_str())) {
            expect(false, &format!("without `{name}`"));
        }
    }
    for (schema, value, at, is_whole) in below {
        check(schema, value, &at, is_whole, faults);
    }
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

/// The members that are named, here or in what all of has to hold too.
fn members(schema: &'static Value) -> BTreeSet<&'static str> {
    let mut names: BTreeSet<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let all = schema["allOf"].as_array().into_iter().flatten();
    names.extend(all.flat_map(|schema| members(resolved(schema))));
    names
}

#[test]
fn its_examples_are_as_it_says() {
    fn visit(value: &'static Value, seen: &mut usize) {
        let schema = value.get("schema").unwrap_or(value);
        let named = value["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        let listed = value["examples"].as_array().into_iter().flatten();
        // What is called so within an example or among properties is none.
        for example in value.get("example").into_iter().chain(named).chain(listed) {
            assert_eq!(faults(schema, example), [""; 0], "{example}");
            *seen += 1;
        }
        match value {
            Value::Object(members) => members.values().for_each(|value| visit(value, seen)),
            Value::Array(items) => items.iter().for_each(|value| visit(value, seen)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut seen = 0;
    visit(&DOCUMENT, &mut seen);
    assert_eq!(seen, 14);
}

#[test]
fn what_is_not_as_it_says_is_found() {
    let schema = |name: &str| &DOCUMENT["components"]["schemas"][name];
    let good =
        serde_json::json!({ "type": "http-api.md#not-found", "title": "x", "status": 404, "detail": "x" });
    let not_found =
        &DOCUMENT["components"]["responses"]["NotFound"]["content"]["application/problem+json"]["schema"];
    let with = |name: &str, value: Value| {
        let mut other = good.clone();
        other[name] = value;
        other
    };
    assert_eq!(faults(schema("Problem"), &good), [""; 0]);
    for (wrong, count) in [
        (with("type", "http-api.md#nothing".into()), 1),
        (with("status", "404".into()), 1),
        (with("status", 399.into()), 1),
        (with("status", 600.into()), 1),
        (with("detail", Value::Null), 1),
        (with("more", 1.into()), 1),
        (with("errors", serde_json::json!([])), 1),
        (with("errors", serde_json::json!([{ "pointer": "x" }])), 2),
        (Value::Null, 1),
    ] {
        assert_eq!(faults(schema("Problem"), &wrong).len(), count, "{wrong}");
    }
    assert_eq!(faults(not_found, &with("title", "Not found".into())), [""; 0]);
    assert_eq!(faults(not_found, &good).len(), 1);
    assert_eq!(faults(not_found, &with("more", 1.into())).len(), 2);
    let results = |item: Value| faults(schema("Results"), &serde_json::json!({ "results": [item] })).len();
    assert_eq!(results(serde_json::json!({ "problem": good })), 0);
    assert_eq!(results(serde_json::json!({ "problem": good, "id": "x" })), 1);
}
