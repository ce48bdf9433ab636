//! `/metrics`, for Prometheus; on the listeners that have it, without credentials, without secrets.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use prometheus_client::encoding::text::encode;
use tracing::error;

use super::answer::{Denial, Style, respond};
use super::desk::{Desk, Peer};
use super::health::is_read;
use super::server::elsewhere;

/// The format that the encoder writes.
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// 200 with all that is counted; where the listener does not have it, like any path that is not ours.
pub(super) async fn metrics(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    if !peer.listener.metrics {
        return elsewhere(State(desk), Extension(peer), request).await;
    }
    let style = Style::of(request.headers());
    if !is_read(request.method()) {
        return Denial::method("GET, HEAD").respond(style);
    }
    let mut text = String::new();
    if encode(&mut text, &desk.registry).is_err() {
        error!("a metric cannot be written as text");
        let reason = "the metrics cannot be written; please report this";
        return Denial::new(StatusCode::INTERNAL_SERVER_ERROR, reason).respond(style);
    }
    let mut response = respond(StatusCode::OK, Style::Plain, text);
    response.headers_mut().insert(header::CONTENT_TYPE, OPENMETRICS);
    response
}
