//! A refusal as problem details (RFC 9457).

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::super::answer::{Denial, respond_as};

/// Most faults that one answer names.
const MOST_FAULTS: usize = 100;

/// What is wrong with one place of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// A JSON pointer as a URI fragment (RFC 6901 section 6).
    pub(super) pointer: String,
    /// One sentence.
    pub(super) detail: String,
}

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// Status, sentence and headers.
    pub(super) denial: Denial,
    /// Where in the body, as far as it is about that.
    pub(super) errors: Vec<Fault>,
}

impl<T: Into<Denial>> From<T> for Problem {
    fn from(denial: T) -> Self {
        Self { denial: denial.into(), errors: Vec::new() }
    }
}

impl Problem {
    /// A refusal for what stands in these places; there is at least one.
    pub(super) fn of_faults(status: StatusCode, mut errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [one] => one.detail.clone(),
            several => format!("{} members of the body cannot be taken as they are", several.len()),
        };
        errors.truncate(MOST_FAULTS);
        Self { denial: Denial::new(status, detail), errors }
    }

    /// Its members.
    pub(super) fn json(&self) -> Value {
        let (slug, title) = kind(self.denial.status);
        let mut members = json!({
            "type": format!("http-api.md#{slug}"),
            "title": title,
            "status": self.denial.status.as_u16(),
            "detail": self.denial.reason,
        });
        if !self.errors.is_empty() {
            let errors = self.errors.iter();
            members["errors"] =
                errors.map(|fault| json!({ "pointer": fault.pointer, "detail": fault.detail })).collect();
        }
        members
    }

    /// The response.
    pub(super) fn respond(self) -> Response {
        let body = self.json().to_string();
        let mut response = respond_as(self.denial.status, "application/problem+json", body);
        self.denial.dress(&mut response);
        response
    }
}

/// The heading in `docs/http-api.md` that tells of refusals with this status, as an anchor and as it stands there.
fn kind(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => ("invalid-request", "Invalid request"),
        StatusCode::UNAUTHORIZED => ("not-authenticated", "Not authenticated"),
        StatusCode::FORBIDDEN => ("not-allowed", "Not allowed"),
        StatusCode::NOT_FOUND => ("not-found", "Not found"),
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "Method not allowed"),
        StatusCode::REQUEST_TIMEOUT => ("too-slow", "Too slow"),
        StatusCode::CONFLICT => ("too-late", "Too late"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "Too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported-media-type", "Unsupported media type"),
        StatusCode::UNPROCESSABLE_ENTITY => ("key-used-before", "Key used before"),
        StatusCode::TOO_MANY_REQUESTS => ("too-many-requests", "Too many requests"),
        _ => ("unavailable", "Unavailable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_heading_of_the_manual() {
        let manual = include_str!("../../../docs/http-api.md");
        for status in [400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 503] {
            let (slug, title) = kind(StatusCode::from_u16(status).unwrap());
            assert_eq!(slug, title.to_lowercase().replace(' ', "-"));
            assert!(manual.contains(&format!("\n### {title}\n")), "{title}");
        }
    }

    #[test]
    fn one_fault_is_the_detail_and_of_many_a_bounded_number_is_named() {
        let fault = |n: usize| Fault { pointer: format!("#/{n}"), detail: format!("wrong {n}") };
        let one = Problem::of_faults(StatusCode::BAD_REQUEST, vec![fault(7)]);
        assert_eq!(
            one.json(),
            json!({
                "type": "http-api.md#invalid-request", "title": "Invalid request", "status": 400, "detail": "wrong 7",
                "errors": [{ "pointer": "#/7", "detail": "wrong 7" }],
            })
        );
        for (faults, named) in [(100, 100), (101, 100)] {
            let many = Problem::of_faults(StatusCode::FORBIDDEN, (0..faults).map(fault).collect());
            assert_eq!(many.errors.len(), named);
            assert_eq!(
                many.denial.reason,
                format!("{faults} members of the body cannot be taken as they are")
            );
        }
    }
}
