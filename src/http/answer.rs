//! How answers look that are the relay's own: plain lines for devices, JSON where the request was JSON or asks for it. A
//! refusal is its sentence, or `{"error":"the sentence"}`.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::body::Format;
use crate::profile::BodyKind;

/// How long a client that was refused for the moment is asked to wait, where nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// RFC 7617, with the charset that we read first.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"sms-relay\", charset=\"UTF-8\"");

/// Plain or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Lines of text.
    Plain,
    /// An object.
    Json,
}

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub(super) struct Denial {
    /// The status.
    pub(super) status: StatusCode,
    /// One sentence: what is wrong, the value, what to do.
    pub(super) reason: String,
    /// What the log says beside it and the client must not learn.
    pub(super) note: Option<&'static str>,
    /// `Allow`, on 405.
    pub(super) allow: Option<&'static str>,
    /// Whether the connection ends with it, because what follows can't be told from this request.
    pub(super) closes: bool,
    /// How long the client is to wait, where it is known.
    pub(super) retry_after: Option<Duration>,
}

/// Marks a response that must not be sent: the request's fate is not known, and any status would
/// claim that it is. The server closes the connection in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unanswered;

impl Style {
    /// What `headers` ask for; errors in them are for others to find.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let names_json =
            |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("application/json"));
        let is_json = Format::declared(headers, BodyKind::Guessed).is_ok_and(|format| format.is_json());
        if is_json || headers.get_all(header::ACCEPT).iter().any(names_json) {
            Self::Json
        } else {
            Self::Plain
        }
    }
}

impl Denial {
    /// A refusal that leaves the connection open.
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), note: None, allow: None, closes: false, retry_after: None }
    }

    /// A refusal that ends the connection.
    pub(super) fn closing(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { closes: true, ..Self::new(status, reason) }
    }

    /// 405.
    pub(super) fn method(allow: &'static str) -> Self {
        let reason = format!("this method is not taken here; use {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, reason) }
    }

    /// The response.
    pub(super) fn respond(self, style: Style) -> Response {
        let body = match style {
            Style::Plain => format!("{}\n", self.reason),
            Style::Json => json!({ "error": self.reason }).to_string(),
        };
        let mut response = respond(self.status, style, body);
        self.dress(&mut response);
        response
    }

    /// Gives `response` the headers that its status needs.
    pub(super) fn dress(&self, response: &mut Response) {
        complete(response, self.retry_after);
        if let Some(allow) = self.allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.closes {
            close_after(response);
        }
    }
}

/// Adds what the status of a refusal needs: the challenge to 401 (RFC 9110 section 15.5.2), and how long the client is
/// to wait, where it is to come again.
pub(super) fn complete(response: &mut Response, retry_after: Option<Duration>) {
    let status = response.status();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        let wait = retry_after.unwrap_or(RETRY_AFTER);
        // Rounded up: whoever comes a moment too early would wait once more.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// A response of ours: never cached, never taken for anything but what it says it is.
pub(super) fn respond(status: StatusCode, style: Style, body: String) -> Response {
    let content_type = match style {
        Style::Plain => "text/plain; charset=utf-8",
        Style::Json => "application/json",
    };
    respond_as(status, content_type, body)
}

/// As [`respond`], of any type.
pub(super) fn respond_as(status: StatusCode, content_type: &'static str, body: String) -> Response {
    const FIXED: [(HeaderName, HeaderValue); 2] = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, FIXED, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// Ends the connection after this response.
pub(super) fn close_after(response: &mut Response) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> String {
        let octets = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        String::from_utf8(octets.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_is_its_sentence_and_what_its_status_needs() {
        let response = Denial::new(StatusCode::UNAUTHORIZED, "no \"name\"").respond(Style::Json);
        assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"sms-relay\", charset=\"UTF-8\"");
        assert_eq!(body(response).await, "{\"error\":\"no \\\"name\\\"\"}");
        let response = Denial::method("GET, POST").respond(Style::Plain);
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, POST");
        assert_eq!(body(response).await, "this method is not taken here; use GET, POST\n");
        let response = Denial::closing(StatusCode::SERVICE_UNAVAILABLE, "later").respond(Style::Plain);
        assert_eq!(response.headers()["retry-after"], "10");
        assert_eq!(response.headers()["connection"], "close");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    }

    #[test]
    fn json_is_answered_where_it_was_sent_or_asked_for() {
        let style = |name: HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            Style::of(&headers)
        };
        assert_eq!(style(header::CONTENT_TYPE, "application/json; charset=utf-8"), Style::Json);
        assert_eq!(style(header::ACCEPT, "text/html, application/json"), Style::Json);
        assert_eq!(style(header::ACCEPT, "*/*"), Style::Plain);
        assert_eq!(style(header::CONTENT_TYPE, "application/x-www-form-urlencoded"), Style::Plain);
    }
}
