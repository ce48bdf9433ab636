//! The pages: that of a message, for people who follow its id with a browser, and how the relay is. They need no script, no
//! style and nothing from elsewhere, and their policy forbids all of these.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde_json::Value;

use super::answer::{Style, respond};

/// Which page; each is a template, which has values escaped for HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// What became of a message.
    Message,
    /// How the relay is.
    Now,
}

impl Page {
    const ALL: [Self; 2] = [Self::Message, Self::Now];

    /// Its name and template.
    fn template(self) -> (&'static str, &'static str) {
        match self {
            Self::Message => ("page.html", include_str!("page.html")),
            Self::Now => ("now.html", include_str!("now.html")),
        }
    }
}

/// Whatever strangers wrote, nothing of it is run, loaded or posted.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    // What is compiled in is compiled by a test.
    for (name, template) in Page::ALL.map(Page::template) {
        let _ = pages.add_template(name, template);
    }
    pages
});

/// Whether a browser asks. Every one of them names XHTML; programs that name HTML, as some libraries do unasked, get the
/// lines that they read.
pub(super) fn is_for(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    accepts.filter_map(|value| value.to_str().ok()).any(|value| value.contains("application/xhtml+xml"))
}

/// The page of what is known.
pub(super) fn respond_page(status: axum::http::StatusCode, page: Page, known: &Value) -> Option<Response> {
    let (name, _) = page.template();
    let written = PAGES.get_template(name).and_then(|template| template.render(Serde(known)));
    let page = written.map_err(|error| tracing::error!(%error, name, "a page cannot be written")).ok()?;
    let mut response = respond(status, Style::Plain, page);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    Some(response)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::json;

    use super::*;

    fn page(fate: &Value) -> String {
        written(Page::Message, fate)
    }

    fn written(page: Page, fate: &Value) -> String {
        let template = PAGES.get_template(page.template().0).unwrap();
        let response = respond_page(StatusCode::OK, page, fate).unwrap();
        assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        template.render(Serde(fate)).unwrap()
    }

    #[test]
    fn a_page_shows_what_is_known_and_runs_nothing_of_it() {
        let hostile = "<script>alert(1)</script>\"'&";
        let line = json!({"at": "2026-01-31T03:00:00Z", "state": "sent", "note": hostile});
        let sms = json!({
            "id": "01JABCDEFGHJKMNPQRSTVWXYZ0-1", "to": "oncall", "phone": "+393471234567", "state": "sent",
            "text": hostile, "sender": "Alarm", "parts": 2, "lane": "critical", "rule": hostile, "price": "0.07",
            "timeline": [line],
        });
        let mail = json!({"id": "M", "kind": "failed", "to": hostile, "state": "sent", "timeline": [line]});
        let client = json!({"address": "192.0.2.1", "account": hostile, "listener": "http"});
        let shown = page(&json!({
            "id": "01JABCDEFGHJKMNPQRSTVWXYZ0", "received_at": "2026-01-31T03:00:00Z", "client": client,
            "messages": [sms], "reports": [mail],
        }));
        assert!(!shown.contains("<script"), "{shown}");
        assert_eq!(
            shown.matches("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;&quot;&#x27;&amp;").count(),
            6,
            "{shown}"
        );
        for word in ["01JABCDEFGHJKMNPQRSTVWXYZ0-1: sent", "oncall (+393471234567)", "0.07", "critical"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        assert!(
            page(&json!({"id": "X", "client": {}, "messages": [], "reports": []})).contains("It has no SMS.")
        );
    }

    #[test]
    fn the_page_of_now_tells_everything_and_runs_nothing_of_it() {
        let hostile = "<script>alert(1)</script>\"'&";
        let known = json!({
            "at": "2026-01-31T03:00:00Z", "ready": false, "reasons": [hostile],
            "expected": [
                {"kind": "account", "name": hostile, "within": "8days", "since": "S", "heard_at": null, "is_silent": true,
                 "silent_at": "2026-01-31T02:00:00Z"},
                {"kind": "rule", "name": "nas", "within": "1day", "since": "S", "heard_at": "2026-01-31T01:00:00Z",
                 "is_silent": false, "silent_at": "2026-02-01T01:00:00Z"},
            ],
            "heartbeats": [{
                "name": hostile, "next_at": "2026-02-02T08:00:00Z", "open": "01JABCDEFGHJKMNPQRSTVWXYZ0",
                "ended_at": "2026-01-26T08:15:00Z", "delivered_at": "2026-01-19T08:00:05Z", "failure": hostile,
            }],
        });
        let shown = written(Page::Now, &known);
        assert!(!shown.contains("<script"), "{shown}");
        let escaped = "&lt;script&gt;alert(1)&lt;&#x2f;script&gt;&quot;&#x27;&amp;";
        assert_eq!(shown.matches(escaped).count(), 4, "{shown}");
        let in_order = [
            "<title>Not ready: SMS relay</title>",
            "<h1>Not ready</h1>",
            "<h2>Who is silent</h2>",
            "never, and expected since S",
            "2026-01-31T02:00:00Z",
            "<dd>8days</dd>",
            "<h2>Who is heard</h2>",
            "<h3>rule nas</h3>",
            "2026-01-31T01:00:00Z",
            "<h2>Tests of the whole way</h2>",
            ": failed</h3>",
            "2026-01-26T08:15:00Z",
            "2026-01-19T08:00:05Z",
            "<a href=\"sms/01JABCDEFGHJKMNPQRSTVWXYZ0\">",
            "2026-02-02T08:00:00Z",
        ];
        let places = in_order.map(|piece| shown.find(piece).unwrap_or_else(|| panic!("{piece}: {shown}")));
        assert!(places.is_sorted(), "{shown}");
        let quiet = json!({"at": "A", "ready": true, "reasons": [], "expected": [], "heartbeats": []});
        let shown = written(Page::Now, &quiet);
        assert!(shown.contains("<h1>Ready</h1>") && shown.matches("<p>Nobody.</p>").count() == 2, "{shown}");
        assert!(shown.contains("<p>None.</p>") && !shown.contains("<ul>"), "{shown}");
    }

    #[test]
    fn browsers_get_pages_and_programs_lines() {
        let asks = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            is_for(&headers)
        };
        assert!(asks("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(!asks("*/*") && !asks("application/json"));
        assert!(!asks("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"), "Java's own client");
        assert!(!is_for(&HeaderMap::new()));
    }
}
