//! `/now`: how the relay is, for an account that may see all: whether it is ready, who is silent, and what became of the
//! tests. Browsers get a page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use humantime::format_duration;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::info;

use super::account::shown_in_headers;
use super::answer::{Denial, Style, respond};
use super::desk::{Desk, Peer};
use super::health::{is_read, reasons};
use super::let_in::authenticate;
use super::page::{self, Page};
use super::status::may_look;
use super::{Account, SMS};
use crate::model::{Client, Door, Masked};
use crate::vigil::{ExpectedView, HeartbeatView, View};

/// Serves `/now`.
pub(super) async fn now(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let style = Style::of(&parts.headers);
    let mut client = Client {
        door: Door::Http,
        listener: peer.listener.name.clone(),
        address: peer.address,
        helo: None,
        account: None,
    };
    match answer(&desk, &mut client, &parts, style).await {
        Ok(response) => response,
        Err(denial) => {
            if let Some(left_out) = desk.line_about(&client) {
                info!(
                    status = denial.status.as_u16(),
                    reason = %Masked(&denial.reason),
                    note = denial.note,
                    account = client.account.as_deref(),
                    client = %client.address,
                    listener = client.listener,
                    left_out,
                    "question about the relay refused"
                );
            }
            denial.respond(style)
        }
    }
}

async fn answer(desk: &Desk, client: &mut Client, parts: &Parts, style: Style) -> Result<Response, Denial> {
    if !is_read(&parts.method) {
        return Err(Denial::method("GET, HEAD"));
    }
    let accounts = desk.accounts.load_full();
    may_look(&accounts, client.address)?;
    let shown = shown_in_headers(&parts.headers);
    let account = authenticate(desk, &accounts, client, &shown, SMS).await?;
    may_see(account)?;
    let told = told(&reasons(desk).await, &desk.behind.submitter.watched(), Timestamp::now());
    let page = match style {
        Style::Plain if page::is_for(&parts.headers) => page::respond_page(StatusCode::OK, Page::Now, &told),
        Style::Plain | Style::Json => None,
    };
    Ok(page.unwrap_or_else(|| {
        let body = match style {
            Style::Plain => lines(&told),
            Style::Json => told.to_string(),
        };
        respond(StatusCode::OK, style, body)
    }))
}

fn may_see(account: &Account) -> Result<(), Denial> {
    match account.may_see_all {
        true => Ok(()),
        false => {
            let reason = format!("account `{}` sees only its own; see its `may_see_all`", account.name);
            Err(Denial::new(StatusCode::FORBIDDEN, reason))
        }
    }
}

/// All that is told, numbers masked; times are in UTC, to the second.
fn told(reasons: &[String], view: &View, now: Timestamp) -> Value {
    let masked = |text: &String| Masked(text).to_string();
    let time = |at: Timestamp| format!("{at:.0}");
    let expected = |one: &ExpectedView| {
        json!({
            "kind": one.kind.as_str(),
            "name": one.name,
            "within_seconds": one.within_seconds,
            "within": format_duration(Duration::from_secs(one.within_seconds)).to_string(),
            "since": time(one.since),
            "heard_at": one.heard_at.map(time),
            "is_silent": one.is_silent,
            "silent_at": time(one.silent_at),
        })
    };
    let heartbeat = |one: &HeartbeatView| {
        json!({
            "name": one.name,
            "next_at": one.next_at.map(time),
            "open": one.open,
            "ended_at": one.ended_at.map(time),
            "delivered_at": one.delivered_at.map(time),
            "failure": one.failure.as_ref().map(masked),
        })
    };
    json!({
        "at": time(now),
        "ready": reasons.is_empty(),
        "reasons": reasons.iter().map(masked).collect::<Vec<_>>(),
        "expected": view.expected.iter().map(expected).collect::<Vec<_>>(),
        "heartbeats": view.heartbeats.iter().map(heartbeat).collect::<Vec<_>>(),
    })
}

/// The same as lines: whether it is ready, and one for each who is expected and each test.
fn lines(told: &Value) -> String {
    let items = |key: &str| told[key].as_array().into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or("never").to_owned();
    let mut lines = match told["ready"].as_bool() {
        Some(true) => "ready\n".to_owned(),
        Some(false) | None => items("reasons").map(|why| format!("not ready: {}\n", word(why))).collect(),
    };
    for one in items("expected") {
        let silent = if one["is_silent"] == true { "silent since" } else { "silent from" };
        let (kind, name, until) = (word(&one["kind"]), word(&one["name"]), word(&one["silent_at"]));
        lines.push_str(&format!("{kind} {name}: heard {}, {silent} {until}\n", word(&one["heard_at"])));
    }
    for one in items("heartbeats") {
        let (name, delivered, next) = (word(&one["name"]), word(&one["delivered_at"]), word(&one["next_at"]));
        let failed = one["failure"].as_str();
        let failed =
            failed.map_or_else(String::new, |why| format!(", failed {}: {why}", word(&one["ended_at"])));
        lines.push_str(&format!("heartbeat {name}: delivered {delivered}{failed}, next {next}\n"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceKind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// One who is silent, one who is heard, a test that passed and one that failed.
    fn view() -> View {
        let expected = |name: &str, heard_at: Option<Timestamp>| ExpectedView {
            kind: SourceKind::Account,
            name: name.to_owned(),
            within_seconds: 691_200,
            since: at(0),
            heard_at,
            is_silent: heard_at.is_none(),
            silent_at: at(100),
        };
        let heartbeat = |name: &str, failure: Option<&str>| HeartbeatView {
            name: name.to_owned(),
            next_at: Some(at(200)),
            open: None,
            ended_at: Some(at(20)),
            delivered_at: Some(at(10)),
            failure: failure.map(str::to_owned),
        };
        View {
            expected: vec![expected("pbx", None), expected("nas", Some(at(5)))],
            heartbeats: vec![
                heartbeat("weekly", None),
                heartbeat("daily", Some("+393471234567 had nothing of it")),
            ],
        }
    }

    #[test]
    fn lines_tell_who_is_silent_and_what_failed() {
        let reasons = ["account pbx: nothing was heard of +393471234567".to_owned()];
        let shown = lines(&told(&reasons, &view(), at(150)));
        assert_eq!(
            shown,
            "not ready: account pbx: nothing was heard of +39347•••4567\n\
             account pbx: heard never, silent since 2027-01-15T08:01:40Z\n\
             account nas: heard 2027-01-15T08:00:05Z, silent from 2027-01-15T08:01:40Z\n\
             heartbeat weekly: delivered 2027-01-15T08:00:10Z, next 2027-01-15T08:03:20Z\n\
             heartbeat daily: delivered 2027-01-15T08:00:10Z, failed 2027-01-15T08:00:20Z: +39347•••4567 had nothing of it, \
             next 2027-01-15T08:03:20Z\n"
        );
        assert_eq!(lines(&told(&[], &View::default(), at(0))), "ready\n");
    }

    #[test]
    fn the_object_has_no_number_in_full() {
        let told = told(&["gateway: +393471234567 is refused".to_owned()], &view(), at(150));
        assert!(!told.to_string().contains("1234567"), "{told}");
        assert_eq!((&told["ready"], &told["expected"][0]["is_silent"]), (&json!(false), &json!(true)));
        assert_eq!(
            (&told["expected"][1]["within"], &told["at"]),
            (&json!("8days"), &json!("2027-01-15T08:02:30Z"))
        );
    }
}
