//! `docs/delivery.md` is true: what it would have typed into a configuration is taken, its Python tells the relay's calls
//! from others, and its tables have what there is.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use sms_relay::mail::{self, Priority};

use crate::support::program::MANUAL;
use crate::support::{World, certificates, manual_blocks, python, run, tool};

/// What a snippet needs around it, but for gateways.
const AROUND: &str = r#"
[[smtp.listener]]
name = "mail"
bind = "127.0.0.1:2525"
[routing]
allowed = ["+39"]
[aliases]
office = "+393471234567"
[reporting]
to = "off"
[spool]
directory = "spool"
"#;

/// The gateways of the page.
fn gateways() -> &'static str {
    manual_blocks("toml").into_iter().find(|block| block.starts_with("[[gateway]]")).unwrap()
}

/// What `sms-relay check` says of these lines of `[defaults]`, and these sections behind it.
fn checked(defaults: &str, sections: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    for name in ["main.key", "backup.key", "callback.secret"] {
        certificates::write(directory.path(), name, "a long random text");
    }
    let path = directory.path().join("relay.toml");
    let gateways = if sections.contains("[[gateway]]") { "" } else { gateways() };
    let text = format!("{AROUND}\n[defaults]\nsender = \"Relay\"\n{defaults}\n{gateways}\n{sections}\n");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let (_, printed) = run(env!("CARGO_BIN_EXE_sms-relay"), &["check", "--config", path]);
    printed.replace(path, "relay.toml")
}

/// The rows of the table whose head begins so, as their cells.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let rows = MANUAL.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "there is no table {head}");
    rows
}

/// What stands in backticks.
fn codes(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_snippet_is_taken_without_a_warning() {
    let snippets = manual_blocks("toml");
    assert_eq!(snippets.len(), 4);
    for snippet in snippets {
        let is_section = snippet.starts_with('[');
        let printed = if is_section { checked("", snippet) } else { checked(snippet, "") };
        assert_eq!(printed, "relay.toml: no error\n", "{snippet}");
    }
}

#[test]
fn each_key_in_the_text_is_taken_with_its_value() {
    let text: String = MANUAL.split("```").step_by(2).collect();
    // Where a secret is stands in [callbacks].
    let is_key = |code: &&str| code.contains(" = ") && !code.starts_with("secret ");
    let keys: Vec<&str> = codes(&text).into_iter().filter(is_key).collect();
    assert!(keys.len() > 8, "{keys:?}");
    for key in keys {
        // What it cannot be without.
        let beside = match key.split(' ').next().unwrap() {
            "legacy_unicode" => "api = \"legacy\"\n",
            "legacy_concatenated" => "api = \"legacy\"\nmax_parts = 1\n",
            _ => "",
        };
        let rule = format!("[[rule]]\nname = \"manual\"\nwhen.subject = \".\"\n{beside}{key}\n");
        let printed = checked("", &rule);
        assert_eq!(printed, "relay.toml: no error\n", "{key}");
    }
}

#[test]
fn the_lane_of_a_mail_is_that_of_the_table() {
    let lanes = [Priority::High, Priority::Normal, Priority::Low];
    for row in table("| field | critical | normal | bulk |") {
        let field = codes(row[0])[0];
        for (words, lane) in row[1..].iter().zip(lanes) {
            for word in words.split(", ").filter(|word| !word.is_empty()) {
                let read = mail::read(
                    format!("From: ups@example.com\r\n{field}: {word}\r\n\r\nText\r\n").as_bytes(),
                );
                assert_eq!(read.priority, lane, "{field}: {word}");
            }
        }
    }
}

#[test]
fn its_python_takes_calls_of_the_relay_and_no_others() {
    if !tool("python3") {
        return;
    }
    let judge = "
import json, sys
secret, signed_with, age, changed = json.load(sys.stdin)
body = b'{\"state\": \"delivered\"}'
at = str(int(time.time()) - age)
mac = hmac.new(signed_with.encode(), at.encode() + b'.' + body, hashlib.sha256).hexdigest()
print(is_from_relay(secret.encode(), f't={at},v1={mac}', body + changed.encode()))
";
    let [snippet] = manual_blocks("python")[..] else { panic!("there is one snippet") };
    for (signed_with, age, changed, expected) in [
        ("ours", 0, "", "True"),
        ("ours", 290, "", "True"),
        ("ours", 310, "", "False"),
        ("ours", 0, " ", "False"),
        ("theirs", 0, "", "False"),
    ] {
        let order = json!(["ours", signed_with, age, changed]).to_string();
        let said = python(&format!("{snippet}{judge}"), &order);
        assert_eq!(said.trim(), expected, "{signed_with} {age} {changed:?}");
    }
}

#[test]
fn each_metric_is_there_with_its_labels() {
    let world = World::calling(|_| {});
    let relay = world.start_calling();
    let id = relay.send_form("oncall", "On battery");
    relay.wait_for_state(&format!("{id}-1"), "delivered");
    for row in table("| metric | what |") {
        let series = codes(row[0])[0];
        let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap();
        let labels: BTreeSet<&str> = labels.split(',').collect();
        // The credit is asked for beside all that.
        relay.look_until(|| {
            let (_, metrics) = relay.get("/metrics");
            let lines = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
            let found = lines.map(|rest| {
                let (labels, _) = rest.split_once('}').unwrap();
                labels.split(',').map(|label| label.split('=').next().unwrap().to_owned()).collect()
            });
            let found: Vec<BTreeSet<String>> = found.collect();
            let is_told =
                |found: &BTreeSet<String>| found.iter().map(String::as_str).eq(labels.iter().copied());
            let is_there = !found.is_empty() && found.iter().all(is_told);
            is_there.then_some(()).ok_or(format!("{series} is not in {metrics}"))
        });
    }
    assert!(relay.terminate().success());
}

#[test]
fn what_it_links_to_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for link in MANUAL.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let text = match file {
            "" => MANUAL.to_owned(),
            file => {
                std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{link}: {error}"))
            }
        };
        let title = format!("# {}\n", anchor.replace('-', " "));
        assert!(anchor.is_empty() || text.to_lowercase().contains(&title), "{link}");
    }
}
