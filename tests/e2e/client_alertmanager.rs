//! Alertmanager, as Debian packages it, with a receiver that posts to the relay.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use crate::full_disk::Writer;
use crate::support::http::ask;
use crate::support::{PATIENCE, Relay, World, python, tool};

const PROGRAM: &str = "prometheus-alertmanager";

/// A running Alertmanager. Killed when dropped.
struct Alertmanager {
    child: Child,
    address: SocketAddr,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Alertmanager {
    /// One that tells the relay of each group by this path, a second after its first alert: by then those that were
    /// posted with it are there.
    fn start(world: &World, relay: &Relay, path: &str) -> Self {
        let directory = world.directory.path().join("alertmanager");
        std::fs::create_dir(&directory).unwrap();
        let configuration = directory.join("alertmanager.yml");
        let written = format!(
            "route:\n  receiver: sms\n  group_by: [alertname]\n  group_wait: 1s\n  group_interval: 1s\n  \
             repeat_interval: 1h\nreceivers:\n  - name: sms\n    webhook_configs:\n      - url: http://{}{path}\n        \
             send_resolved: true\n        http_config:\n          authorization:\n            credentials: swordfish\n",
            relay.http
        );
        std::fs::write(&configuration, written).unwrap();
        let mut child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.path={}", directory.join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address=", "--log.level=debug"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (send, listening) = mpsc::channel();
        // It is read to its end, so that the program never waits for room in the pipe.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let address = line.split("msg=\"Listening on\" address=").nth(1);
                if let Some(address) = address.and_then(|rest| rest.split(' ').next()?.parse().ok()) {
                    let _ = send.send(address);
                }
            }
        });
        let address = listening.recv_timeout(PATIENCE).unwrap();
        Self { child, address }
    }

    /// Alerts by name and instance, which have ended at `ends`.
    fn post(&self, alerts: &[(&str, &str)], ends: Option<&str>) {
        let alert = |(name, instance): &(&str, &str)| {
            let mut alert = serde_json::json!({
                "labels": { "alertname": name, "instance": instance },
                "annotations": { "summary": format!("{instance} is hot") },
            });
            if let Some(ends) = ends {
                alert["startsAt"] = "2020-01-01T00:00:00Z".into();
                alert["endsAt"] = ends.into();
            }
            alert
        };
        let alerts: Vec<_> = alerts.iter().map(alert).collect();
        let body = serde_json::Value::from(alerts).to_string();
        let answered =
            ask(self.address, "POST", "/api/v2/alerts", &["Content-Type: application/json"], &body);
        assert_eq!(answered.status, 200, "{}", answered.body);
    }
}

fn world() -> World {
    let mut world = World::new();
    let profiles = "allow_get = true\nprofiles = [\"alertmanager\"]".to_owned();
    world.otherwise.push(("allow_get = true", profiles));
    world
}

#[test]
fn a_group_that_fires_and_ends_is_an_sms_each_time() {
    if !tool(PROGRAM) {
        return;
    }
    let world = world();
    let relay = world.start();
    let alertmanager = Alertmanager::start(&world, &relay, "/webhook/alertmanager?to=oncall");
    alertmanager.post(&[("Hot", "rack7")], None);
    world.expect_texts(&["FIRING: Hot rack7: rack7 is hot"]);
    alertmanager.post(&[("Hot", "rack7")], Some("2020-01-01T00:00:01Z"));
    world.expect_texts(&["FIRING: Hot rack7: rack7 is hot", "RESOLVED: Hot rack7: rack7 is hot"]);
    let log: Vec<String> = relay.log().iter().map(ToString::to_string).collect();
    for secret in ["swordfish", "rack7", "to=oncall"] {
        assert!(!log.iter().any(|line| line.contains(secret)), "{secret}: {log:#?}");
    }
    drop(alertmanager);
    assert!(relay.terminate().success());
}

#[test]
fn each_alert_of_a_group_is_an_sms() {
    if !tool(PROGRAM) {
        return;
    }
    let world = world();
    let relay = world.start();
    let alertmanager = Alertmanager::start(&world, &relay, "/webhook/alertmanager/alerts?to=oncall,two");
    alertmanager.post(&[("Hot", "rack7"), ("Hot", "rack8")], None);
    world.wait_for_platform("two for each phone", |record| record.total() == 6);
    let mut texts = world.texts();
    texts.sort();
    let (seven, eight) = ("FIRING: Hot rack7: rack7 is hot", "FIRING: Hot rack8: rack8 is hot");
    assert_eq!(texts, [seven, seven, seven, eight, eight, eight]);
    drop(alertmanager);
    assert!(relay.terminate().success());
}

#[test]
fn what_cannot_be_kept_comes_again_until_it_is() {
    if !(tool(PROGRAM) && tool("python3")) {
        return;
    }
    let world = world();
    let relay = world.start();
    let alertmanager = Alertmanager::start(&world, &relay, "/webhook/alertmanager?to=oncall,two");
    let writer = Writer::hold(&world.directory.path().join("spool/spool.sqlite"));
    alertmanager.post(&[("Hot", "rack7"), ("Hot", "rack8")], None);
    let refused = relay.wait_for_message("request of another gateway's API refused");
    assert_eq!((&refused["outcome"], &refused["profile"]), (&"unavailable".into(), &"alertmanager".into()));
    assert_eq!(refused["account"], "pbx");
    assert_eq!(world.emulator.record(|record| record.total()), 0);
    writer.release();
    world.wait_for_platform("all phones", |record| record.total() == 3);
    drop(alertmanager);
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), ["FIRING 2: Hot rack7 (+1): rack7 is hot"; 3]);
    let script = "import sqlite3, sys\n\
        print(sqlite3.connect(sys.stdin.read()).execute('SELECT count(*) FROM submission').fetchone()[0], end='')";
    let spool = world.directory.path().join("spool/spool.sqlite");
    assert_eq!(python(script, spool.to_str().unwrap()), "1", "nothing of what was refused was kept");
}
