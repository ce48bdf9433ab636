//! `/healthz` and `/readyz`, for supervisors and load balancers; without credentials, without
//! secrets.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde_json::json;
use tokio::time::timeout;

use super::answer::{Denial, Style, respond};
use super::desk::Desk;

/// 200 while the process serves requests.
pub(super) async fn healthz(method: Method, headers: HeaderMap) -> Response {
    let style = Style::of(&headers);
    if !is_read(&method) {
        return Denial::method("GET, HEAD").respond(style);
    }
    let body = match style {
        Style::Plain => "alive\n".to_owned(),
        Style::Json => json!({ "alive": true }).to_string(),
    };
    respond(StatusCode::OK, style, body)
}

/// 200 while forms can be taken, otherwise 503 with the reasons, a line each.
pub(super) async fn readyz(State(desk): State<Arc<Desk>>, method: Method, headers: HeaderMap) -> Response {
    let style = Style::of(&headers);
    if !is_read(&method) {
        return Denial::method("GET, HEAD").respond(style);
    }
    let reasons = reasons(&desk).await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = match style {
        Style::Plain if reasons.is_empty() => "ready\n".to_owned(),
        Style::Plain => reasons.iter().map(|reason| format!("not ready: {reason}\n")).collect(),
        Style::Json => json!({ "ready": reasons.is_empty(), "reasons": reasons }).to_string(),
    };
    respond(status, style, body)
}

/// Why forms cannot be taken, a sentence each; empty when they can.
pub(super) async fn reasons(desk: &Desk) -> Vec<String> {
    match timeout(desk.limits.request_time, desk.behind.submitter.ready()).await {
        Ok(reasons) => reasons,
        Err(_) => vec![format!("no word from the relay within {:?}", desk.limits.request_time)],
    }
}

/// Whether the method only reads.
pub(super) fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
