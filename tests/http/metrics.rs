//! What Prometheus reads.

use std::collections::HashMap;

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use sms_relay::smtp::Metrics;
use sms_relay::smtp::metrics::{Cause, Handshake};
use sms_relay::tls::Identity;

use super::support::{Door, limits};

async fn counting() -> (Door, Metrics) {
    let (metrics, mut registry) = (Metrics::new(), Registry::default());
    metrics.register(&mut registry);
    (Door::counting(limits(), Vec::new(), registry).await, metrics)
}

/// Types by family and values by series of an OpenMetrics text; panics where it is none. Written from the
/// format's own description, section 3 of OpenMetrics 1.0.
fn parsed(text: &str) -> (HashMap<&str, &str>, HashMap<&str, f64>) {
    let lines = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    let (mut types, mut values) = (HashMap::new(), HashMap::new());
    let mut family = "";
    for line in lines.split_terminator('\n') {
        assert!(!line.is_empty() && !line.ends_with(char::is_whitespace), "{line:?}");
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (keyword, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            match keyword {
                "TYPE" => assert_eq!(types.insert(name, rest), None, "{name} has one type"),
                "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                other => assert_eq!(other, "HELP", "{line}"),
            }
            assert!(family == name || !types.contains_key(name) || keyword == "TYPE", "{name} in one piece");
            family = name;
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
        match types.get(family).copied() {
            Some("counter") => assert_eq!(name.strip_suffix("_total"), Some(family), "{line}"),
            Some("gauge") => assert_eq!(name, family, "{line}"),
            other => panic!("{other:?} {line}"),
        }
        if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let inner = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap();
            for label in inner.split(',') {
                let (key, value) = label.split_once("=\"").unwrap();
                assert!(key.chars().all(|c| c.is_ascii_lowercase()) && value.ends_with('"'), "{line}");
            }
        }
        assert_eq!(values.insert(series, value.parse().unwrap()), None, "{series} comes once");
    }
    (types, values)
}

#[tokio::test]
async fn a_listener_shows_them_where_it_is_told_to() {
    let (door, metrics) = counting().await;
    let _open = metrics.connection_accepted();
    metrics.connection_refused(Cause::PerClient);
    metrics.recipient_refused(550);
    metrics.tls_handshake(Handshake::Tls13);
    let (chain, key) =
        (include_bytes!("../certificates/ec.pem"), include_bytes!("../certificates/ec.sec1.key"));
    let identity = Identity::from_pem(chain, key).unwrap();
    metrics.expiry().look([("smtp", &identity)].into_iter(), Timestamp::UNIX_EPOCH);
    let response = reqwest::get(door.get_url("/metrics")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    let text = response.text().await.unwrap();
    let (types, values) = parsed(&text);
    assert_eq!(types["sms_relay_smtp_connections_accepted"], "counter");
    for (series, value) in [
        ("sms_relay_smtp_connections_accepted_total", 1.0),
        ("sms_relay_smtp_connections_refused_total{cause=\"per_client\"}", 1.0),
        ("sms_relay_smtp_connections_refused_total{cause=\"network\"}", 0.0),
        ("sms_relay_smtp_open_connections", 1.0),
        ("sms_relay_smtp_recipients_refused_total{code=\"550\"}", 1.0),
        ("sms_relay_smtp_tls_handshakes_total{result=\"ok\",version=\"1.3\"}", 1.0),
        (
            "sms_relay_smtp_certificate_not_after_seconds{listener=\"smtp\"}",
            identity.not_after().as_second() as f64,
        ),
    ] {
        assert_eq!(values.get(series), Some(&value), "{series}\n{text}");
    }
    door.close().await;
}

#[tokio::test]
async fn other_listeners_do_not_know_the_path() {
    let (door, _) = counting().await;
    let absent = reqwest::get(door.url("/metrics")).await.unwrap();
    let unknown = reqwest::get(door.url("/unknown")).await.unwrap();
    assert_eq!((absent.status().as_u16(), unknown.status().as_u16()), (404, 404));
    assert_eq!(absent.text().await.unwrap(), unknown.text().await.unwrap());
    let post = reqwest::Client::new().post(door.url("/metrics")).send().await.unwrap();
    assert_eq!(post.status(), 404, "the method tells nothing either");
    door.close().await;
}

#[tokio::test]
async fn they_are_read_and_not_written() {
    let (door, _) = counting().await;
    let client = reqwest::Client::new();
    let head = client.head(door.get_url("/metrics")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.bytes().await.unwrap().len()), (200, 0));
    let post = client.post(door.get_url("/metrics")).send().await.unwrap();
    assert_eq!((post.status().as_u16(), post.headers()["allow"].as_bytes()), (405, &b"GET, HEAD"[..]));
    door.close().await;
}
