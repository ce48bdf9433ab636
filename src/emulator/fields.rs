//! Strict reading of JSON requests: every field has its type, none is null, none is unknown.
//!
//! All that is wrong is collected and answered at once, in the platform's error form:
//! `{"status":"fail","data":{"FIELD":"what is wrong"}}`.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// A JSON answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) json: Value,
}

impl Reply {
    /// 200.
    pub(super) fn ok(json: Value) -> Self {
        Self { status: StatusCode::OK, json }
    }

    /// An error about one field, or about what else `field` names.
    pub(super) fn fail(status: StatusCode, field: &str, what: &str) -> Self {
        Self { status, json: json!({"status": "fail", "data": {field: what}}) }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        (self.status, Json(self.json)).into_response()
    }
}

/// The fields of one JSON object that are not read yet, and what was wrong with the others.
pub(super) struct Fields {
    left: Map<String, Value>,
    problems: BTreeMap<String, String>,
}

impl Fields {
    /// The object in a request's body.
    ///
    /// # Errors
    /// A 400 when the content type or the JSON is wrong.
    pub(super) fn of_request(headers: &HeaderMap, body: &[u8]) -> Result<Self, Reply> {
        let bad = |field, what| Err(Reply::fail(StatusCode::BAD_REQUEST, field, what));
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return bad("Content-Type", "must be application/json");
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self::of(fields)),
            Ok(_) => bad("body", "must be a JSON object"),
            Err(_) => bad("body", "is not valid JSON"),
        }
    }

    /// The fields of an object inside the body.
    pub(super) fn of(fields: Map<String, Value>) -> Self {
        Self { left: fields, problems: BTreeMap::new() }
    }

    /// Notes what is wrong with a field; the first finding stays.
    pub(super) fn problem(&mut self, field: &str, what: &str) {
        self.problems.entry(field.to_owned()).or_insert_with(|| what.to_owned());
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        let value = self.left.remove(field)?;
        if value.is_null() {
            self.problem(field, "must not be null; leave the field out");
            return None;
        }
        Some(value)
    }

    /// A text.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.problem(field, "must be a string");
                None
            }
        }
    }

    /// A text that must be there and not empty; empty only when that was noted as wrong.
    pub(super) fn required(&mut self, field: &str) -> String {
        let text = self.text(field).unwrap_or_default();
        if text.is_empty() {
            self.problem(field, "is required");
        }
        text
    }

    /// A text that `fits` when it is there.
    pub(super) fn checked(&mut self, field: &str, fits: impl Fn(&str) -> bool, what: &str) -> Option<String> {
        let text = self.text(field)?;
        if !fits(&text) {
            self.problem(field, what);
        }
        Some(text)
    }

    /// True or false.
    pub(super) fn flag(&mut self, field: &str, default: bool) -> bool {
        match self.take(field) {
            None => default,
            Some(Value::Bool(flag)) => flag,
            Some(Value::Null | Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                self.problem(field, "must be a boolean");
                default
            }
        }
    }

    /// A list.
    pub(super) fn list(&mut self, field: &str) -> Option<Vec<Value>> {
        match self.take(field)? {
            Value::Array(values) => Some(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                self.problem(field, "must be an array");
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<String>> {
        let values = self.list(field)?;
        let texts: Option<Vec<String>> =
            values.into_iter().map(|value| value.as_str().map(str::to_owned)).collect();
        if texts.is_none() {
            self.problem(field, "must be an array of strings");
        }
        texts
    }

    /// An object whose values are texts.
    pub(super) fn table(&mut self, field: &str) -> Option<BTreeMap<String, String>> {
        let table = match self.take(field)? {
            Value::Object(entries) => entries
                .into_iter()
                .map(|(name, value)| value.as_str().map(|text| (name, text.to_owned())))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        };
        if table.is_none() {
            self.problem(field, "must be an object of strings");
        }
        table
    }

    /// Ends the reading: whatever is left is unknown.
    ///
    /// # Errors
    /// A 400 that names every field with a problem.
    pub(super) fn finish(mut self) -> Result<(), Reply> {
        for field in std::mem::take(&mut self.left).into_iter().map(|(field, _)| field) {
            self.problem(&field, "is not a field of this request");
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        let json = json!({"status": "fail", "data": self.problems});
        Err(Reply { status: StatusCode::BAD_REQUEST, json })
    }
}

/// Pairs of hexadecimal digits.
pub(super) fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Reads `yyyy-MM-dd HH:mm:ss.SSSZ`, exactly.
pub(super) fn scheduled_date(text: &str) -> Option<jiff::Timestamp> {
    const FORM: &[u8] = b"0000-00-00 00:00:00.000+0000";
    let fits = text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(b, form)| match form {
            b'0' => b.is_ascii_digit(),
            b'+' => matches!(b, b'+' | b'-'),
            _ => b == *form,
        });
    if !fits {
        return None;
    }
    let time = jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S%.f%z", text).ok()?;
    time.to_timestamp().ok()
}

/// What a wrong scheduled date is told.
pub(super) const SCHEDULED_DATE_FORM: &str = "must have the form yyyy-MM-dd HH:mm:ss.SSSZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduled_date_has_one_form() {
        assert_eq!(
            scheduled_date("2026-04-10 08:00:00.123+0200"),
            Some("2026-04-10T06:00:00.123Z".parse().unwrap())
        );
        for wrong in [
            "",
            "2026-04-10 08:00:00.000Z",
            "2026-04-10 08:00:00.000+02:00",
            "2026-04-10T08:00:00.000+0200",
            "2026-04-10 08:00:00+0200",
            "2026-13-10 08:00:00.000+0200",
            "2026-04-10 08:00:00.000+020",
        ] {
            assert_eq!(scheduled_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hexadecimal_comes_in_pairs() {
        assert!(is_hex("050003CC0201") && is_hex("ab"));
        assert!(!is_hex("") && !is_hex("abc") && !is_hex("0x05"));
    }
}
