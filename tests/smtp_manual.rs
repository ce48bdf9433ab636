//! `docs/smtp.md` is true: its snippets load, and its tables have what there is.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use rcgen::{CertificateParams, KeyPair};
use sms_relay::config;
use sms_relay::smtp::metrics::{Cause, End};
use sms_relay::smtp::{Metrics, Profile};
use sms_relay::tls::Identity;

const MANUAL: &str = include_str!("../docs/smtp.md");

/// What a snippet needs around it.
const AROUND: &str = r#"
[[http.listener]]
name = "forms"
bind = "127.0.0.1:8025"
[[http.account]]
name = "pbx"
networks = ["127.0.0.0/8"]
without_password = true
[routing]
allowed = ["+39"]
[defaults]
sender = "Relay"
[gateway]
url = "http://127.0.0.1:8026"
credentials = "emulator"
[reporting]
to = "off"
[spool]
directory = "spool"
"#;

/// A directory with the files that snippets name.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["relay.example.com".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap().pem();
    let hash =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$k9ohroejZy1PN5E1SbHNPug6vB8eQAahb5SOAp6iGF4";
    for (name, content) in
        [("relay.pem", certificate.as_str()), ("relay.key", &key.serialize_pem()), ("ups.hash", hash)]
    {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

/// What `sms-relay check` prints about a configuration in `directory`.
fn checked(directory: &Path, content: &str) -> String {
    let path = directory.join("relay.toml");
    std::fs::write(&path, content).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_sms-relay"));
    let output = check
        .args(["check", "--config"])
        .arg(&path)
        .env("CREDENTIALS_DIRECTORY", directory)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().replace(path.to_str().unwrap(), "relay.toml")
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let inside = MANUAL.split("```").skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
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

/// A cell with one word of code.
fn code(cell: &str) -> &str {
    cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).unwrap_or_else(|| panic!("{cell}"))
}

#[test]
fn each_snippet_is_taken_without_a_warning() {
    let directory = directory();
    let snippets = blocks("toml");
    assert_eq!(snippets.len(), 6);
    for snippet in snippets {
        let printed = checked(directory.path(), &format!("{snippet}\n{AROUND}"));
        assert_eq!(printed, "relay.toml: no error\n", "{snippet}");
    }
}

#[test]
fn the_profiles_in_the_text_are_profiles() {
    let directory = directory();
    let listener = "[[smtp.listener]]\nname = \"smtp\"\nbind = \"127.0.0.1:2525\"\n";
    let profiles: Vec<&str> =
        MANUAL.split('`').filter(|piece| piece.starts_with("profile = ") && !piece.contains('\n')).collect();
    assert_eq!(profiles.len(), 3, "{profiles:?}");
    for profile in profiles {
        let printed = checked(directory.path(), &format!("{listener}{profile}\n{AROUND}"));
        assert_eq!(printed, "relay.toml: no error\n", "{profile}");
    }
}

#[test]
fn each_switch_is_told_and_whether_appliance_has_it() {
    let rows = table("| switch ");
    let told: Vec<&str> = rows.iter().map(|row| code(row[0])).collect();
    assert_eq!(told, Profile::SWITCHES);
    for row in rows {
        let has_it = Profile::APPLIANCE.with(code(row[0])) == Some(Profile::APPLIANCE);
        assert_eq!(row[1], if has_it { "yes" } else { "no" }, "{}", row[0]);
    }
}

#[test]
fn each_limit_is_told_with_its_default() {
    let directory = directory();
    let path = directory.path().join("relay.toml");
    let load = |limits: &str| {
        let listener = "[[smtp.listener]]\nname = \"smtp\"\nbind = \"127.0.0.1:2525\"\n";
        std::fs::write(&path, format!("hostname = \"relay.test\"\n[smtp]\n{limits}\n{listener}\n{AROUND}"))
            .unwrap();
        config::load(&path).unwrap_or_else(|problems| panic!("{limits}\n{problems}"))
    };
    let usual = load("");
    let (mut told, mut limits) = (BTreeSet::new(), String::new());
    for row in table("| key | default ") {
        let key = code(row[0]);
        told.insert(format!("smtp.{key}"));
        if row[1] == "none" {
            // Given, it is a bound.
            let bounded =
                load(&format!("{key} = {}", if key.starts_with("size") { "\"20 MiB\"" } else { "7" }));
            assert_ne!(bounded.config.smtp.limits, usual.config.smtp.limits, "{key}");
        } else {
            limits.push_str(&format!("{key} = {}\n", code(row[1])));
        }
    }
    assert_eq!(load(&limits).config.smtp.limits, usual.config.smtp.limits);
    let section = |key: &&String| {
        key.strip_prefix("smtp.").is_some_and(|rest| {
            !rest.contains('.') && !["listener", "network", "account", "certificate", "key"].contains(&rest)
        })
    };
    let known: BTreeSet<String> = usual.keys.iter().filter(section).cloned().collect();
    assert_eq!(told, known);
}

#[test]
fn each_metric_is_told_with_its_labels() {
    let (metrics, mut registry) = (Metrics::new(), Registry::default());
    metrics.register(&mut registry);
    metrics.message_refused(552);
    metrics.recipient_refused(550);
    metrics.connection_refused(Cause::Network);
    metrics.session_ended(End::Quit);
    let (chain, key) = (include_bytes!("certificates/ec.pem"), include_bytes!("certificates/ec.sec1.key"));
    let identity = Identity::from_pem(chain, key).unwrap();
    metrics.expiry().look([("smtp", &identity)].into_iter(), Timestamp::UNIX_EPOCH);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let prefix = "sms_relay_smtp_";
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_prefix(prefix));
    let known: Vec<&str> = types.map(|line| line.split(' ').next().unwrap()).collect();
    let rows = table("| `sms_relay_smtp_...` ");
    assert_eq!(rows.iter().map(|row| code(row[0])).collect::<BTreeSet<_>>(), known.into_iter().collect());
    for sample in text.lines().filter(|line| !line.starts_with('#') && line.contains('{')) {
        let (name, labels) = sample.strip_prefix(prefix).unwrap().split_once('{').unwrap();
        let name = name.trim_end_matches("_total");
        let row = rows.iter().find(|row| code(row[0]) == name).unwrap();
        for label in labels.split('}').next().unwrap().split(',') {
            let (label, value) = label.split_once('=').unwrap();
            assert!(row[1].contains(&format!("`{label}`")), "{sample}: {}", row[1]);
            // Codes, versions and names of listeners are many.
            if matches!(label, "cause" | "how") || name == "authentications" {
                assert!(row[1].contains(&format!("`{}`", value.trim_matches('"'))), "{sample}: {}", row[1]);
            }
        }
    }
}

#[test]
fn the_log_lines_in_it_are_those_of_the_program() {
    let sources =
        [include_str!("../src/smtp/connection.rs"), include_str!("../src/smtp/admission.rs")].concat();
    let lines: Vec<&str> =
        blocks("").into_iter().flat_map(str::lines).filter(|line| line.starts_with("INFO ")).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let message = line["INFO ".len()..].split(" client=").next().unwrap();
        assert!(sources.contains(&format!("\"{message}\"")), "{message}");
    }
}

#[test]
fn what_it_links_to_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for link in MANUAL.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0) {
        if let Some(anchor) = link.strip_prefix('#') {
            let title = format!("\n## {}\n", anchor.replace('-', " "));
            assert!(MANUAL.to_lowercase().contains(&title), "{anchor}");
        } else {
            assert!(folder.join(link).exists(), "{link}");
        }
    }
}
