//! The shipped example loads as it stands, and shows every key there is.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

use std::path::Path;

use sms_relay::config;

const EXAMPLE: &str = include_str!("../relay.example.toml");

fn loaded(content: &str) -> Result<config::Loaded, config::Problems> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    std::fs::write(&path, content).unwrap();
    config::load(&path)
}

#[test]
fn it_loads_without_an_error_or_a_warning() {
    let loaded = loaded(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.to_string(), "");
    let config = loaded.config;
    assert_eq!(config.smtp.listeners[0].bind.to_string(), "127.0.0.1:2525");
    assert_eq!(config.http.listeners[0].bind.to_string(), "127.0.0.1:8025");
    assert_eq!(config.gateway.base_url, "http://127.0.0.1:8026");
    assert!(config.spool.directory.ends_with(Path::new("sms-relay-spool")));
    assert!(config.spool.directory.is_absolute(), "beside the file, wherever that is");
    assert_eq!(config.routing.resolve_written("everybody").unwrap().len(), 3);
}

/// Section headers and keys of the example, whether commented out or not: `[smtp]` and
/// `# errors = 20` make `smtp.errors`; keys of inline tables follow theirs.
fn shown_keys() -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in EXAMPLE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
            keys.push(section.clone());
        } else if let Some((key, value)) = line.split_once(" = ") {
            let full = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            // What an inline table says stands behind its key; two levels are enough here.
            let mut outer = String::new();
            for inner in value.split(['{', ',']).filter_map(|piece| piece.split_once(" = ")) {
                let inner = inner.0.trim();
                keys.push(format!("{full}{outer}.{inner}"));
                if inner == "password" {
                    outer = ".password".to_owned();
                }
            }
            keys.push(full);
        }
    }
    keys
}

#[test]
fn it_shows_every_key() {
    // Once with everything that lists and tables can hold.
    let smarthost: Vec<&str> = EXAMPLE.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    assert!(smarthost.contains(&"[smarthost]"));
    let known = loaded(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}")).keys;
    assert!(known.contains("smtp.listener.bind") && known.contains("rule.when.subject"), "{known:?}");
    let shown = shown_keys();
    // Where a secret is, the example says once for all secrets.
    let source = |key: &str| [".file", ".env", ".credential"].iter().any(|source| key.ends_with(source));
    let missing: Vec<&String> = known
        .iter()
        .filter(|key| !source(key) && !shown.contains(key))
        .filter(|key| !shown.iter().any(|shown| shown.starts_with(&format!("{key}."))))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for source in ["{ file = ", "{ env = ", "{ credential = "] {
        assert!(EXAMPLE.contains(source), "{source}");
    }
}

/// Each commented line is a key that the reader knows, with the default as its value: putting it
/// in changes nothing.
#[test]
fn what_is_commented_out_is_the_default() {
    // What has no default but "not given", and a value that the example sets otherwise.
    let others = [
        "country_code",
        "trunk_prefix",
        "operator",
        "campaign_id",
        "enable_notification",
        "to",
        "allowed",
        "messages_per_minute",
        "parts_per_day",
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    let settings = |lines: &[&str], what: &str| {
        std::fs::write(&path, lines.join("\n")).unwrap();
        match config::load(&path) {
            Ok(loaded) => format!("{:#?}", loaded.config),
            Err(problems) => panic!("{what}\n{problems}"),
        }
    };
    let as_shipped: Vec<&str> = EXAMPLE.lines().collect();
    let mut put_in = 0;
    // [smarthost] is commented out whole; it gets the same treatment with its header and host.
    let with_smarthost: Vec<&str> = as_shipped
        .iter()
        .map(|line| if *line == "# [smarthost]" || line.starts_with("# host = ") { &line[2..] } else { line })
        .collect();
    assert_eq!(with_smarthost.iter().zip(&as_shipped).filter(|(a, b)| a != b).count(), 2);
    let expected = settings(&with_smarthost, "with [smarthost]");
    for (n, line) in with_smarthost.iter().enumerate() {
        let Some(bare) = line.strip_prefix("# ") else { continue };
        let Some((key, value)) = bare.split_once(" = ") else { continue };
        let is_key = key.chars().all(|c| c.is_ascii_lowercase() || "_.".contains(c));
        let section =
            with_smarthost[..n].iter().rev().find(|line| line.trim_start_matches("# ").starts_with('['));
        let in_comment = section.is_some_and(|section| section.starts_with('#'));
        // Files are not here, and a user name needs the password in one.
        let login = key == "username" && value.contains("relay");
        if !is_key || in_comment || value.contains("file = ") || key == "ca_file" || login {
            continue;
        }
        if others.contains(&key) {
            continue;
        }
        let mut lines = with_smarthost.clone();
        lines[n] = bare;
        assert_eq!(settings(&lines, bare), expected, "line {}: {bare}", n + 1);
        put_in += 1;
    }
    assert!(put_in > 45, "only {put_in} lines were tried");
}

#[test]
fn the_commented_rule_can_be_put_in() {
    let (before, rule) = EXAMPLE.split_once("# [[rule]]\n").unwrap();
    let (rule, after) = rule.split_once("\n\n").unwrap();
    let loaded = loaded(&format!("{before}[[rule]]\n{}\n\n{after}", rule.replace("# ", "")));
    assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
}
