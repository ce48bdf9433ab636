//! A refusal as problem details (RFC 9457).

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::super::answer::{Denial, respond_as};

/// Most faults that one answer names.
pub(super) const MOST_FAULTS: usize = 100;

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The same request will be refused again.
    InvalidRequest,
    /// No credential, or a wrong one.
    NotAuthenticated,
    /// Not from here, or not by this account.
    NotAllowed,
    /// There is no such message, or no such path.
    NotFound,
    /// The path has other methods.
    MethodNotAllowed,
    /// The body took too long.
    TooSlow,
    /// Nothing waits any more.
    TooLate,
    /// The body is, or what would come of it.
    TooLarge,
    /// No JSON, or compressed.
    UnsupportedMediaType,
    /// The key is another request's.
    KeyUsedBefore,
    /// To be sent again when there is less.
    TooManyRequests,
    /// To be sent again when the relay can.
    Unavailable,
}

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

    /// What it is about.
    pub(super) fn kind(&self) -> Kind {
        Kind::of(self.denial.status)
    }

    /// Its members.
    pub(super) fn json(&self) -> Value {
        let kind = self.kind();
        let mut members = json!({
            "type": kind.uri(),
            "title": kind.title(),
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

impl Kind {
    /// All of them, in the order of their statuses.
    pub(super) const ALL: [Self; 12] = [
        Self::InvalidRequest,
        Self::NotAuthenticated,
        Self::NotAllowed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::TooLate,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::KeyUsedBefore,
        Self::TooManyRequests,
        Self::Unavailable,
    ];

    /// The kind that has this status.
    fn of(status: StatusCode) -> Self {
        Self::ALL.into_iter().find(|kind| kind.status() == status).unwrap_or(Self::Unavailable)
    }

    /// Its status, which no other has.
    pub(super) fn status(self) -> StatusCode {
        self.parts().0
    }

    /// The heading in `docs/http-api.md` that tells of it.
    pub(super) fn title(self) -> &'static str {
        self.parts().1
    }

    /// `type`: that heading as an anchor.
    pub(super) fn uri(self) -> String {
        format!("http-api.md#{}", self.title().to_lowercase().replace(' ', "-"))
    }

    fn parts(self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "Invalid request"),
            Self::NotAuthenticated => (StatusCode::UNAUTHORIZED, "Not authenticated"),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "Not allowed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "Too slow"),
            Self::TooLate => (StatusCode::CONFLICT, "Too late"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too large"),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
            Self::KeyUsedBefore => (StatusCode::UNPROCESSABLE_ENTITY, "Key used before"),
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Unavailable"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_heading_of_the_manual() {
        let manual = include_str!("../../../docs/http-api.md");
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.status()), kind, "each has a status of its own");
            let heading = format!("\n### {}\n{}", kind.title(), kind.status().as_u16());
            assert!(manual.contains(&heading), "{heading}");
        }
        assert_eq!(Kind::TooLate.uri(), "http-api.md#too-late");
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
