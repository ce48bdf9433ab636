//! The wiring itself: what no part of it can promise alone.

use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::config;
use crate::model::{Cause, EnhancedStatus, SubmissionId};
use crate::retry::{Answer, Permission};
use crate::test_log::TestLog;

/// A relay on free ports whose platform nobody reaches.
fn configured(directory: &Path) -> Config {
    // Main does this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let path = directory.join("relay.toml");
    let text = r#"
        hostname = "relay.example"
        smtp.listener = [{ name = "mail", bind = "127.0.0.1:0" }]
        http.listener = [{ name = "forms", bind = "127.0.0.1:0", metrics = true }]
        http.account = [{ name = "local", without_password = true }]
        routing = { domains = ["sms.local"], allowed = ["+39"] }
        defaults.sender = "Relay"
        spool.directory = "spool"
        gateway = { url = "http://127.0.0.1:1", credentials = "emulator" }
        reporting.to = "off"
    "#;
    std::fs::write(&path, text).unwrap();
    config::load(&path).unwrap_or_else(|problems| panic!("{problems}")).config
}

/// One request on a connection of its own; the whole answer.
async fn get(app: &App, path: &str) -> String {
    let (_, address) = app.addresses().iter().find(|(name, _)| name == "forms").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn whoever_asks_whether_it_is_ready_costs_no_sync_each() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::start(configured(directory.path())).await.unwrap();
    let before = probes(directory.path());
    for _ in 0..20 {
        let answer = get(&app, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nready\n"), "{answer}");
    }
    let looks = probes(directory.path()) - before;
    assert!((1..20).contains(&looks), "{looks} looks at the disk");
    app.stop().await;
}

#[tokio::test]
async fn whoever_reaches_the_http_door_cannot_fill_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::start(configured(directory.path())).await.unwrap();
    let log = TestLog::default();
    let guard = tracing::subscriber::set_default(log.subscriber(tracing::Level::INFO));
    for _ in 0..15 {
        assert!(get(&app, "/cgi-bin/luci").await.starts_with("HTTP/1.1 404 "));
        assert!(get(&app, "/sms").await.starts_with("HTTP/1.1 405 "));
    }
    drop(guard);
    app.stop().await;
    let log = log.take();
    let lines = log.lines().filter(|line| line.contains("client=127.0.0.1")).count();
    assert_eq!(lines, 20, "of 30: {log}");
}

fn probes(directory: &Path) -> i64 {
    let spool = rusqlite::Connection::open(directory.join("spool/spool.sqlite")).unwrap();
    spool.query_row("SELECT writes FROM probe", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn what_the_doors_count_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::start(configured(directory.path())).await.unwrap();
    let answer = get(&app, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\nsms_relay_smtp_open_connections 0\n"), "{answer}");
    assert!(answer.ends_with("\n# EOF\n"), "{answer}");
    app.stop().await;
}

#[tokio::test]
async fn a_disk_without_room_shuts_the_doors_and_not_the_relay() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = configured(directory.path());
    config.spool.min_free_octets = u64::MAX;
    let app = App::start(config).await.unwrap();
    let answer = get(&app, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("not ready: spool: "), "{answer}");
    app.stop().await;
}

#[tokio::test]
async fn a_reload_tries_a_gateway_that_was_shut_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::start(configured(directory.path())).await.unwrap();
    let gate = &app.reloadable.lines.all()[0].gate.clone();
    let now = Timestamp::now();
    let fault = Answer::Fault(Cause::new(EnhancedStatus::POLICY, "http 401"));
    gate.answered("platform", SubmissionId::new(now).message(1), fault, now);
    assert!(matches!(gate.with(|gate| gate.permission(now)), Permission::NotBefore(_)));
    app.reload(configured(directory.path())).unwrap();
    let permission = gate.with(|gate| gate.permission(Timestamp::now()));
    assert!(matches!(permission, Permission::Probe | Permission::AwaitProbe), "{permission:?}");
    app.stop().await;
}

#[tokio::test]
async fn a_reload_tells_which_sections_need_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let app = App::start(configured(directory.path())).await.unwrap();
    assert_eq!(app.reload(configured(directory.path())).unwrap(), [""; 0]);
    let mut config = configured(directory.path());
    config.smtp.limits.recipients += 1;
    config.smtp.listeners[0].name = "other".to_owned();
    config.drain_time += Duration::from_secs(1);
    assert_eq!(app.reload(config).unwrap(), ["the names and addresses of [[smtp.listener]]", "[shutdown]"]);
    app.stop().await;
}

#[tokio::test]
async fn the_relay_starts_without_overrides_that_are_gone_and_is_ready_once_they_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    configured(directory.path());
    let rota = "\n[[rota]]\nname = \"duty\"\nturns = [\"+393471234567\"]\nfrom = \"2026-01-05\"\nhandover = \"Mon 09:00\"\n\
                overrides = \"duty.overrides\"\n";
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + rota).unwrap();
    let start = || config::load_to_run(&path, None).unwrap_or_else(|problems| panic!("{problems}")).config;
    let log = TestLog::default();
    let guard = tracing::subscriber::set_default(log.subscriber(tracing::Level::ERROR));
    let app = App::start(start()).await.unwrap();
    let told = log.take();
    assert!(told.contains("duty.overrides") && told.contains("No such file"), "{told}");
    drop(guard);
    let not_ready = get(&app, "/readyz").await;
    assert!(not_ready.starts_with("HTTP/1.1 503 "), "{not_ready}");
    assert!(not_ready.contains("not ready: rotas: a file of overrides is wrong or gone"), "{not_ready}");
    assert!(get(&app, "/metrics").await.contains("\nsms_relay_overrides_faulty 1\n"));
    // A reload has them as little.
    app.reload(config::load_to_run(&path, app.overriding().as_deref()).unwrap().config).unwrap();
    assert!(get(&app, "/readyz").await.starts_with("HTTP/1.1 503 "));
    std::fs::write(directory.path().join("duty.overrides"), "").unwrap();
    // Once to see it, and once more to see that it is whole.
    app.reloadable.overrides.look();
    app.reloadable.overrides.look();
    assert!(get(&app, "/readyz").await.ends_with("\r\n\r\nready\n"));
    assert!(get(&app, "/metrics").await.contains("\nsms_relay_overrides_faulty 0\n"));
    app.stop().await;
}
