//! `GET /v1/openapi.json`: what this API is, for programs that make clients of it.
//!
//! It needs no credential, as it tells what the manual tells; but nobody is told anything who may not come from its address.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};

use super::super::answer::{Denial, Style, respond};
use super::super::desk::Desk;
use super::super::status::may_look;
use crate::model::Client;

/// What stands for the version of the relay.
const VERSION: &str = "\"version\": \"VERSION\"";
/// Kept by whoever likes, and asked for again each time: the relay may be another one since.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");

/// OpenAPI 3.1.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    include_str!("openapi.json").replacen(VERSION, &version, 1)
});

/// Its name, which another one does not have.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let sum = digest(&SHA256, DOCUMENT.as_bytes());
    let digits: String = sum.as_ref().iter().take(16).map(|octet| format!("{octet:02x}")).collect();
    format!("\"{digits}\"")
});

/// The document, or 304 where the client has it.
pub(super) fn describe(desk: &Desk, client: &Client, headers: &HeaderMap) -> Result<Response, Denial> {
    may_look(&desk.accounts.load_full(), client.address)?;
    let mut response = if is_known(headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        respond(StatusCode::OK, Style::Json, DOCUMENT.clone())
    };
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE_CONTROL);
    if let Ok(etag) = HeaderValue::from_str(&ETAG) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// Whether `If-None-Match` has it (RFC 9110 section 13.1.2).
fn is_known(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == *ETAG)
}

#[cfg(test)]
mod tests;
