//! The control path, for tests and operators in other processes: what was accepted, and faults on
//! order. Only peers on loopback are answered.
//!
//! | request | answer |
//! |---|---|
//! | `GET /emulator/accepted?after=N` | the accepted messages with a number above N (0), as JSON |
//! | `GET /emulator/record` | the counts: accepted, requests, callbacks, held, repeated ids |
//! | `GET /emulator/wait?accepted=N&delivered=N&held=N&status_requests=N&callbacks=N&seconds=S` | 200 with the counts once all that is asked for is reached; 408 with them after S (10, at most 60) |
//! | `GET /emulator/faults` | the rules in force |
//! | `POST /emulator/faults` | orders one rule, or an array of them |
//! | `DELETE /emulator/faults` | clears the rules and releases what is held |
//! | `POST /emulator/release` | releases what is held; rules stay |
//! | `POST /emulator/callbacks` | makes one callback now, once, and tells the status of its answer: `{"raw": ANY}`, or `{"message_id": ID, "code": N}` with `part`, `parts`, `channel`, `description`, `price` where wanted |
//! | `POST /emulator/callbacks/url` | `{"url": URL}`: where callbacks go from now on |
//! | `POST /emulator/callbacks/pause`, `.../resume` | keeps callbacks back; lets them go |
//! | `POST /emulator/credit` | `{"credit": N}`: what is left, may be below zero |

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Extension, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::callbacks::Target;
use super::delivery::{self, Said};
use super::faults::FaultRule;
use super::fields::Reply;
use super::message::{Accepted, Channel, Status};
use super::platform::{PRICE, Platform};
use super::record::Record;
use super::server::Connection;

/// Longest wait of one request, in seconds.
const MAX_WAIT: u64 = 60;

/// The control path's endpoints.
pub(super) fn router() -> Router<Arc<Platform>> {
    Router::new()
        .route("/emulator/accepted", get(accepted))
        .route("/emulator/record", get(record))
        .route("/emulator/wait", get(wait))
        .route("/emulator/faults", get(faults).post(order).delete(clear))
        .route("/emulator/release", post(release))
        .route("/emulator/callbacks", post(call_back))
        .route("/emulator/callbacks/url", post(callback_url))
        .route("/emulator/callbacks/pause", post(pause))
        .route("/emulator/callbacks/resume", post(resume))
        .route("/emulator/credit", post(credit))
        .route_layer(axum::middleware::from_fn(local_only))
}

async fn local_only(Extension(connection): Extension<Connection>, request: Request, next: Next) -> Response {
    if connection.peer.ip().to_canonical().is_loopback() {
        return next.run(request).await;
    }
    Reply::fail(StatusCode::FORBIDDEN, "peer", "The control path is for loopback only").into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn accepted(
    State(platform): State<Arc<Platform>>,
    Query(After { after }): Query<After>,
) -> Json<Vec<Accepted>> {
    Json(platform.read(|record| record.accepted_after(after).cloned().collect()))
}

async fn record(State(platform): State<Arc<Platform>>) -> Json<Value> {
    Json(platform.read(counts))
}

fn counts(record: &Record) -> Value {
    json!({
        "accepted": record.total(),
        "delivered": record.with_status(Status::Delivered),
        "held": record.held(),
        "repeated": record.repeated(),
        "requests": record.requests(),
        "callbacks": record.callbacks(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    accepted: u64,
    #[serde(default)]
    delivered: usize,
    #[serde(default)]
    held: usize,
    #[serde(default)]
    status_requests: u64,
    #[serde(default)]
    callbacks: u64,
    #[serde(default = "default_seconds")]
    seconds: u64,
}

fn default_seconds() -> u64 {
    10
}

async fn wait(State(platform): State<Arc<Platform>>, Query(wanted): Query<Wanted>) -> Response {
    let reached = |record: &Record| {
        record.total() >= wanted.accepted
            && record.held() >= wanted.held
            && record.requests().status >= wanted.status_requests
            && record.callbacks().taken >= wanted.callbacks
            && record.with_status(Status::Delivered) >= wanted.delivered
    };
    let limit = Duration::from_secs(wanted.seconds.min(MAX_WAIT));
    let status =
        if platform.wait_until(reached, limit).await { StatusCode::OK } else { StatusCode::REQUEST_TIMEOUT };
    (status, record(State(platform)).await).into_response()
}

async fn faults(State(platform): State<Arc<Platform>>) -> Json<Vec<FaultRule>> {
    Json(platform.rules())
}

async fn order(State(platform): State<Arc<Platform>>, body: Bytes) -> Reply {
    let rules = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Array(rules)) => rules,
        Ok(rule) => vec![rule],
        Err(_) => return Reply::fail(StatusCode::BAD_REQUEST, "body", "is not valid JSON"),
    };
    let rules: Result<Vec<FaultRule>, _> = rules.into_iter().map(serde_json::from_value).collect();
    let ordered = match rules {
        Ok(rules) => platform.order(rules).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match ordered {
        Ok(()) => Reply { status: StatusCode::CREATED, json: json!(platform.rules()) },
        Err(what) => Reply::fail(StatusCode::BAD_REQUEST, "fault", &what),
    }
}

async fn clear(State(platform): State<Arc<Platform>>) -> StatusCode {
    platform.clear_faults();
    StatusCode::NO_CONTENT
}

async fn release(State(platform): State<Arc<Platform>>) -> StatusCode {
    platform.release();
    StatusCode::NO_CONTENT
}

/// One callback on order: `raw` as it is, or one about a message.
#[derive(Deserialize)]
#[serde(untagged)]
enum CallbackOrder {
    Raw(RawCallback),
    About(AboutMessage),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCallback {
    raw: Value,
}

/// The message need not be known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AboutMessage {
    message_id: String,
    code: i64,
    #[serde(default = "one")]
    part: u32,
    #[serde(default = "one")]
    parts: u32,
    #[serde(default = "sms")]
    channel: Channel,
    #[serde(default)]
    description: String,
    price: Option<f64>,
}

fn one() -> u32 {
    1
}

fn sms() -> Channel {
    Channel::Sms
}

async fn call_back(State(platform): State<Arc<Platform>>, body: Bytes) -> Reply {
    let bad = |what: &str| Reply::fail(StatusCode::BAD_REQUEST, "callback", what);
    let json = match serde_json::from_slice(&body) {
        Ok(CallbackOrder::Raw(RawCallback { raw })) => raw,
        Ok(CallbackOrder::About(about)) => {
            let said = Said {
                channel: about.channel.as_str(),
                message_id: &about.message_id,
                destination: None,
                code: about.code,
                description: &about.description,
                price: about.price.unwrap_or(PRICE as f64 / 1000.0),
                part: about.part,
                parts: about.parts,
                at: jiff::Timestamp::now(),
            };
            delivery::body(platform.settings.callback_shape, &said)
        }
        Err(_) => return bad("must be raw, or message_id and code"),
    };
    let Some(target) = platform.target() else { return bad("there is no callback URL") };
    match delivery::post(&target, &json).await {
        Ok(status) => Reply::ok(json!({"status": status.as_u16()})),
        Err(_) => Reply::fail(StatusCode::BAD_GATEWAY, "callback", "had no answer"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallbackUrl {
    url: String,
}

async fn callback_url(State(platform): State<Arc<Platform>>, body: Bytes) -> Result<StatusCode, Reply> {
    let bad = |what: String| Reply::fail(StatusCode::BAD_REQUEST, "url", &what);
    let CallbackUrl { url } = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    platform.set_target(Target::new(&url).map_err(|error| bad(error.to_string()))?);
    Ok(StatusCode::NO_CONTENT)
}

async fn pause(State(platform): State<Arc<Platform>>) -> StatusCode {
    platform.pause_callbacks(true);
    StatusCode::NO_CONTENT
}

async fn resume(State(platform): State<Arc<Platform>>) -> StatusCode {
    platform.pause_callbacks(false);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credit {
    credit: f64,
}

async fn credit(State(platform): State<Arc<Platform>>, body: Bytes) -> Result<StatusCode, Reply> {
    let Credit { credit } = serde_json::from_slice(&body)
        .map_err(|error| Reply::fail(StatusCode::BAD_REQUEST, "credit", &error.to_string()))?;
    // Saturates at what no account has.
    platform.set_credit((credit * 1000.0).round() as i64);
    Ok(StatusCode::NO_CONTENT)
}
