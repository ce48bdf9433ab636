//! What becomes of the JSON of monitoring systems.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sms_relay::config;
use sms_relay::http::{Account, Limits};
use sms_relay::intake::{Form, Refusal, RefusalKind};
use sms_relay::profile::Profile;

use super::support::{Door, account, limits, log_lines};

/// A webhook of an operator's.
const OWN: &str = r#"
    [[http.profile]]
    name = "own"
    [http.profile.answers]
    accepted = { body = "TAKEN {{ id }}{% for one in recipients if not one.ok %} -{{ one.to }}{% endfor %}" }
    refused = { status = 400, body = "REFUSED {{ reason }}" }
    unavailable = { status = 503, body = "LATER {{ reason }}" }
    [[http.profile.endpoint]]
    does = "webhook"
    paths = "/hook"
    separators = ";"
    names = { api_key = "key" }
    webhook = { to = "{{ query.to }}", text = "{{ 6 // body.n }} {{ query.key }}", when = "body.n != 7" }
    [[http.profile.endpoint]]
    does = "webhook"
    paths = "/broken"
    webhook = { to = "{{ body.to.number() }}", text = "x" }
    [[http.profile.endpoint]]
    does = "webhook"
    paths = "/terse"
    answers = { unavailable = { body = "LATER" } }
    webhook = { to = "{{ query.to }}", text = "x" }
    [[http.profile.endpoint]]
    does = "webhook"
    paths = "/slow"
    answers = { too_fast = { status = 429, body = "SLOW" } }
    webhook = { to = "{{ query.to }}", text = "x" }
"#;

/// Profiles as the configuration has them, those that `described` has among them.
pub(crate) fn profiles(names: &[&str], described: &str) -> Vec<Arc<Profile>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    let written = format!(
        "[[http.listener]]\nbind = \"127.0.0.1:0\"\nprofiles = {names:?}\n[[http.account]]\nname = \"a\"\n\
         without_password = true\n[routing]\nallowed = [\"+39\"]\n[defaults]\nsender = \"Relay\"\n[spool]\n\
         directory = \"spool\"\n[gateway]\nurl = \"http://127.0.0.1:9\"\ncredentials = \"emulator\"\n[reporting]\n\
         to = \"off\"\n{described}"
    );
    std::fs::write(&path, written).unwrap();
    let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.config.http.listeners[0].profiles.clone()
}

fn accounts() -> Vec<Account> {
    vec![account("box", Some(("box", "secret")))]
}

pub(crate) async fn door(profiles: Vec<Arc<Profile>>, accounts: Vec<Account>) -> Door {
    Door::speaking_within(Limits { body_octets: 10_000, ..limits() }, profiles, accounts).await
}

/// The destinations and the words of each text.
pub(crate) fn texts(form: &Form) -> Vec<String> {
    let others = form.others.iter().map(|other| (&other.to, &other.text));
    let texts = std::iter::once((&form.to, &form.text)).chain(others);
    texts.map(|(to, text)| format!("{}: {text}", to.join(", "))).collect()
}

/// Status, head and body.
async fn post(door: &Door, target: &str, headers: &str, body: &str) -> (u16, String, String) {
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let response = door.exchange(request).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {response:?}"));
    (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
}

const KEY: &str = "Authorization: Bearer secret\r\n";

/// The texts that the recorded requests become, by the beginnings of their names.
async fn recorded(profile: &str, expected: &[(&str, &[&str])]) {
    let door = door(profiles(&[profile], ""), accounts()).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/profiles").join(profile);
    for (name, wanted) in expected {
        let request = std::fs::read(folder.join(format!("{name}.request"))).unwrap();
        let response = door.exchange(request).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{name}: {response}");
        let forms = std::mem::take(&mut *door.recorder.forms.lock().unwrap());
        let found: Vec<String> = forms.iter().flat_map(|(_, form)| texts(form)).collect();
        assert_eq!(found, *wanted, "{name}");
        assert!(forms.len() <= 1, "{name}: all of a request is one form");
    }
    door.close().await;
}

#[tokio::test]
async fn what_alertmanager_posts_is_told_in_few_words() {
    let group = "oncall: FIRING 3: DiskFull db1:9100 (+2): disk full in 4 h";
    let each = |n: usize| format!("oncall: FIRING: DiskFull db{n}:9100: disk full in 4 h");
    let each: Vec<String> = (0..20).map(each).collect();
    let each: Vec<&str> = each.iter().map(String::as_str).collect();
    let storm = [&each[..], &["oncall: + 5 more"]].concat();
    let to_its_label = [each[1], "+393487654321, oncall: FIRING: DiskFull db2:9100: disk full in 4 h"];
    recorded(
        "alertmanager",
        &[
            ("01_group", &[group]),
            ("02_one_alert", &["oncall: FIRING: NodeDown web1:9100: web1 does not answer"]),
            ("03_resolved", &["oncall: RESOLVED: DiskFull db1:9100: disk full in 4 h"]),
            ("04_group_truncated", &["oncall: FIRING 37: DiskFull db1:9100 (+36): disk full in 4 h"]),
            ("05_some_resolved", &["oncall: FIRING: DiskFull db2:9100: disk full in 4 h"]),
            ("06_each_alert", &each[1..4]),
            ("07_each_alert_to_its_label", &to_its_label),
            (
                "08_several_recipients",
                &["oncall, 393487654321: FIRING 3: DiskFull db1:9100 (+2): disk full in 4 h"],
            ),
            (
                "09_to_repeated",
                &["oncall, +393487654321: FIRING 3: DiskFull db1:9100 (+2): disk full in 4 h"],
            ),
            ("11_common_label", &["oncall: FIRING: DiskFull db1:9100: disk full in 4 h"]),
            ("12_other_content_type", &[group]),
            ("13_storm_of_25", &storm),
            ("14_no_alerts", &[]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_grafana_posts_is_told_in_few_words() {
    recorded(
        "grafana",
        &[
            ("01_group", &["oncall: FIRING 2: Hot rack7 (+1): rack is too hot"]),
            ("02_resolved", &["oncall: RESOLVED: Hot rack7: rack is too hot"]),
            ("03_values_without_summary", &["oncall: FIRING: Hot Racks B=44.2 C=1"]),
            (
                "04_each_alert",
                &["oncall: FIRING: Hot rack7: rack is too hot", "oncall: RESOLVED: Hot rack9 B=20"],
            ),
            ("07_older_payload", &["oncall: ALERTING: [Alerting] Load: Load is 9"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_a_retry_may_cure_is_503_and_nothing_else_is() {
    let door = door(profiles(&["alertmanager"], ""), accounts()).await;
    let body = r#"{"status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Hot"}}]}"#;
    let retry_after = Duration::from_millis(6001);
    for (kind, status, after) in [
        (RefusalKind::StorageUnavailable, 503, Some("10")),
        (RefusalKind::TooFast { retry_after }, 503, Some("7")),
        (RefusalKind::QuotaSpent { retry_after }, 503, Some("7")),
        (RefusalKind::UnknownRecipient, 400, None),
        (RefusalKind::NotAllowed, 403, None),
        (RefusalKind::TooMany, 413, None),
    ] {
        *door.recorder.refusal.lock().unwrap() = Some(Refusal { kind, text: "why".to_owned() });
        for path in ["/webhook/alertmanager?to=a", "/webhook/alertmanager/alerts?to=a"] {
            let (answered, head, said) = post(&door, path, KEY, body).await;
            assert_eq!((answered, said.as_str()), (status, "why\n"), "{kind:?}");
            let found = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
            assert_eq!(found, after, "{kind:?}");
        }
    }
    door.close().await;
}

#[tokio::test]
async fn too_much_is_503_also_where_the_profile_names_no_status() {
    let door = door(profiles(&["own"], OWN), accounts()).await;
    let kind = RefusalKind::TooFast { retry_after: Duration::from_secs(7) };
    *door.recorder.refusal.lock().unwrap() = Some(Refusal { kind, text: "why".to_owned() });
    let (status, head, said) = post(&door, "/terse?to=a", KEY, "{}").await;
    assert_eq!((status, said.as_str()), (503, "LATER"));
    assert!(head.contains("retry-after: 7"), "{head}");
    let (status, _, said) = post(&door, "/slow?to=a", KEY, "{}").await;
    assert_eq!((status, said.as_str()), (429, "SLOW"), "as it is written");
    door.close().await;
}

#[tokio::test]
async fn a_template_that_fails_costs_the_words_or_time_but_not_the_alarm() {
    let door = door(profiles(&["own"], OWN), accounts()).await;
    log_lines();
    let (status, _, said) = post(&door, "/hook?to=boss", KEY, r#"{"n":"+393471234567"}"#).await;
    assert!(status == 200 && said.starts_with("TAKEN 01"), "{said}");
    assert_eq!(texts(&door.forms()[0]), [r#"boss: {"n":"+393471234567"}"#]);
    let lines = log_lines();
    assert!(lines.iter().any(|line| line.starts_with("ERROR") && line.contains("`text` fails")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("393471234567")), "{lines:?}");

    let (status, head, said) = post(&door, "/broken", KEY, r#"{"to":"boss"}"#).await;
    assert_eq!((status, &said[..24]), (503, "LATER the template `to` "));
    assert!(head.contains("retry-after: "), "{head}");
    assert!(log_lines().iter().any(|line| line.starts_with("ERROR") && line.contains("`to` fails")));
    door.close().await;
}

#[tokio::test]
async fn what_is_not_wanted_is_accepted_and_what_is_left_out_told() {
    let door = door(profiles(&["own"], OWN), accounts()).await;
    assert_eq!(post(&door, "/hook?to=boss", KEY, r#"{"n":7}"#).await.2, "TAKEN ");
    assert!(door.forms().is_empty());
    log_lines();
    let target = "/hook?to=%20393471234567;x&to=%2B39347123456";
    let (status, _, said) = post(&door, target, KEY, r#"{"n":2}"#).await;
    assert!(status == 200 && said.ends_with(" -x,+39347123456"), "{said}");
    assert_eq!(texts(&door.forms()[0]), ["+393471234567, x,+39347123456: 3"]);
    assert!(door.forms()[0].partial);
    let lines = log_lines();
    let left_out =
        |line: &&String| line.contains("WARN") && line.contains("destinations of a webhook left out");
    let line = lines.iter().find(left_out).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line.contains("destinations=1") && line.contains("profile=\"own\""), "{line}");
    assert!(!lines.iter().any(|line| line.contains("39347123456")), "{lines:?}");
    door.close().await;
}

#[tokio::test]
async fn strangers_learn_nothing_of_their_json() {
    let door = door(profiles(&["own"], OWN), accounts()).await;
    for (target, headers, expected) in [
        ("/hook?to=boss", "", 400),
        ("/hook?to=boss&key=wrong", "", 400),
        ("/hook?to=boss", "Authorization: Bearer wrong\r\n", 400),
    ] {
        let (status, _, said) = post(&door, target, headers, "{").await;
        assert!(status == expected && !said.contains("JSON"), "{said}");
    }
    let (_, _, said) = post(&door, "/hook?to=boss", KEY, "{").await;
    assert!(said.contains("the JSON body cannot be read"), "{said}");
    // A key in the URL is a credential, and no template sees it.
    assert_eq!(post(&door, "/hook?to=boss&key=secret", "", r#"{"n":6}"#).await.0, 200);
    assert_eq!(texts(&door.forms()[0]), ["boss: 1"]);
    door.close().await;
}

#[tokio::test]
async fn nesting_and_size_have_bounds() {
    let door = door(profiles(&["own"], OWN), accounts()).await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(post(&door, "/hook?to=boss", KEY, &nested(127)).await.0, 200);
    let (status, _, said) = post(&door, "/hook?to=boss", KEY, &nested(128)).await;
    assert!(status == 400 && said.contains("recursion limit"), "{said}");
    let long = |octets: usize| format!("{{\"n\":3,\"x\":\"{}\"}}", "x".repeat(octets - 14));
    assert_eq!(long(20).len(), 20);
    assert_eq!(post(&door, "/hook?to=boss", KEY, &long(1 << 20)).await.0, 200);
    assert_eq!(post(&door, "/hook?to=boss", KEY, &long((1 << 20) + 1)).await.0, 400);
    // Who may send so much is not known before the body where the URL shows the key.
    assert_eq!(post(&door, "/hook?to=boss&key=secret", "", &long(10_000)).await.0, 200);
    assert_eq!(post(&door, "/hook?to=boss&key=secret", "", &long(10_001)).await.0, 400);
    door.close().await;
}
