//! The shipped example loads as it stands, and shows every key there is.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

mod covered;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;
use sms_relay::config;
use sms_relay::model::PhoneNumber;

const EXAMPLE: &str = include_str!("../../relay.example.toml");

/// The hash of a password that nobody needs.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$k9ohroejZy1PN5E1SbHNPug6vB8eQAahb5SOAp6iGF4";
/// Lists and tables that the example cannot have, as their files are not there.
const MORE: &str = r#"
    [[smtp.account]]
    name = "more"
    password = { file = "ups.hash" }
    cram_md5 = { file = "ups.secret" }

    [[smtp.listener]]
    name = "more"
    bind = "127.0.0.1:2526"
    auth_without_tls = true
    capture = { directory = "captures" }

    [[budget]]
    name = "more"
    per = "day"
    parts = { hold = 5 }
"#;

fn loaded(content: &str) -> Result<config::Loaded, config::Problems> {
    let directory = tempfile::tempdir().unwrap();
    for (name, secret) in [("ups.hash", HASH), ("ups.secret", "secret")] {
        let path = directory.path().join(name);
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
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
    assert_eq!(config.gateways[0].api.base_url, "http://127.0.0.1:8026");
    assert!(config.spool.directory.ends_with(Path::new("sms-relay-spool")));
    assert!(config.spool.directory.is_absolute(), "beside the file, wherever that is");
    assert_eq!(config.routing.resolve_written("everybody", jiff::Timestamp::UNIX_EPOCH).unwrap().len(), 3);
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
    let known = loaded(&format!("{EXAMPLE}{MORE}")).unwrap_or_else(|problems| panic!("{problems}")).keys;
    for of_more in ["smtp.account.cram_md5", "smtp.listener.capture.mask_numbers"] {
        assert!(known.contains(of_more), "{known:?}");
    }
    assert!(known.contains("smtp.listener.bind") && known.contains("rule.when.subject"), "{known:?}");
    let shown = shown_keys();
    // What a rule has in common with [defaults] is shown there.
    let common = |key: &str| {
        let of_defaults = key.strip_prefix("rule.").map(|key| format!("defaults.{key}"));
        let of_storm = key.strip_prefix("rule.storm.").map(|key| format!("storm.{key}"));
        of_defaults.into_iter().chain(of_storm).any(|key| shown.contains(&key))
    };
    // Conditions stand in others as they stand in a rule.
    let flat = |key: &str| match key.strip_prefix("rule.when.") {
        Some(within) => {
            let steps = within.split('.').filter(|step| !matches!(*step, "any" | "all" | "not"));
            let steps: Vec<&str> = steps.collect();
            if steps.is_empty() { key.to_owned() } else { format!("rule.when.{}", steps.join(".")) }
        }
        None => key.to_owned(),
    };
    // Where a secret is, the example says once for all secrets.
    let source = |key: &str| [".file", ".env", ".credential"].iter().any(|source| key.ends_with(source));
    let missing: Vec<&String> = known
        .iter()
        .filter(|key| {
            !source(key)
                && !common(key)
                && !shown.contains(key)
                && !shown.iter().any(|one| flat(one) == flat(key))
        })
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
        "callback_url",
        "callback_hosts",
        "reports_to",
        "trusted_proxies",
        "forwarded",
        "parts_per_day",
        "senders",
        "auth_mechanisms",
        "text_recipients",
        "placeholders",
        "end_mark",
        "disclaimers",
        "gateways",
        "deliver_at",
        "variables",
        "escalate",
        "messages_per_second",
        "credit",
        "similar",
        "parts",
        "days",
        "per_source",
        "digest",
        "timezone",
        "pair",
        "expect",
    ];
    // Only in a rule; the lane and the words decide where it is not written.
    let of_rule = |key: &str| key == "storm.exempt";
    let unbounded = |key: &str| {
        let counted = ["messages", "recipients", "size"].iter().any(|counted| key.starts_with(counted));
        counted && (key.ends_with("_per_connection") || key.ends_with("_per_minute"))
    };
    // A network's `auth` and everybody's `capture` are "not given", too.
    let as_listener =
        |section: &str, key: &str| key == "capture" || section == "[[smtp.network]]" && key == "auth";
    // An account may use everything and is answered as usual, for which there is no word.
    let of_account =
        |section: &str, key: &str| section == "[[http.account]]" && matches!(key, "profiles" | "accepted");
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
        let is_file = matches!(key, "ca_file" | "certificate" | "key" | "client_certificates")
            || key == "tls" && value.starts_with('{');
        // Files are not here, and a user name needs the password in one.
        let login = key == "username" && value.contains("relay");
        if !is_key || in_comment || value.contains("file = ") || is_file || login {
            continue;
        }
        let section = section.copied().unwrap_or_default();
        // Tests are no settings.
        // The usual words of a report are in no template.
        let template = section == "[reporting]" && key == "template";
        if template
            || others.contains(&key)
            || unbounded(key)
            || of_rule(key)
            || as_listener(section, key)
            || of_account(section, key)
            || section == "[[test]]"
        {
            continue;
        }
        let mut lines = with_smarthost.clone();
        lines[n] = bare;
        assert_eq!(settings(&lines, bare), expected, "line {}: {bare}", n + 1);
        put_in += 1;
    }
    assert!(put_in > 68, "only {put_in} lines were tried");
}

/// The example's tests, with the example's own rules.
#[test]
fn its_tests_pass() {
    let loaded = loaded(EXAMPLE).unwrap();
    let outcome = loaded.tests.run(&loaded.config, Timestamp::UNIX_EPOCH);
    assert_eq!((outcome.failed, outcome.problems.to_string()), (0, String::new()));
    assert!(outcome.passed >= 30, "only {} tests", outcome.passed);
}

#[test]
fn the_commented_template_of_reports_can_be_put_in() {
    let (before, template) = EXAMPLE.split_once("# template = \"\"\"\n").unwrap();
    let (template, after) = template.split_once("# \"\"\"\n").unwrap();
    let template: String = template.lines().map(|line| format!("{}\n", &line[2..])).collect();
    let loaded = loaded(&format!("{before}template = \"\"\"\n{template}\"\"\"\n{after}")).unwrap();
    assert_eq!(loaded.warnings.to_string(), "");
    assert!(loaded.config.reporting.template.is_some());
}

#[test]
fn the_commented_budgets_can_be_put_in() {
    let commented = |header: &str| {
        let begin = EXAMPLE.find(&format!("# {header}\n")).unwrap();
        let (block, _) = EXAMPLE[begin..].split_once("\n\n").unwrap();
        block.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap())).collect::<String>()
    };
    let all = format!("{EXAMPLE}\n{}\n{}", commented("[prices]"), commented("[[budget]]"));
    let loaded = loaded(&all).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.to_string(), "");
    let budgets = loaded.config.routing.budgets();
    let names: Vec<&str> = budgets.iter().map(|budget| budget.name.as_str()).collect();
    assert_eq!(names, ["all", "appliances"]);
    assert_eq!(budgets[1].levels.hold, Some(100_000_000));
    assert_eq!(budgets[1].of.rules.as_deref().map(<[String]>::len), Some(2));
}

#[test]
fn the_commented_prices_can_be_put_in() {
    let (before, prices) = EXAMPLE.split_once("# [prices]\n").unwrap();
    let (prices, after) = prices.split_once("\n\n").unwrap();
    let prices = prices.replace("# ", "");
    let loaded = loaded(&format!("{before}[prices]\n{prices}\n\n{after}")).unwrap();
    let phone = PhoneNumber::from_e164("+393471234567").unwrap();
    let price = loaded.config.routing.prices().of(&phone, 2).unwrap();
    assert_eq!(
        (price.to_string().as_str(), loaded.config.routing.prices().currency.as_str()),
        ("0.09", "EUR")
    );
}

#[test]
fn the_commented_test_can_be_put_in() {
    let (before, test) = EXAMPLE.split_once("# [[test]]\n").unwrap();
    let (test, after) = test.split_once("\n\n").unwrap();
    let test: Vec<&str> = test.lines().map(|line| line.strip_prefix("# ").unwrap()).collect();
    let test = test.join("\n");
    let loaded = loaded(&format!("{before}[[test]]\n{test}\n\n{after}"));
    assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
}

#[test]
fn the_commented_profile_can_be_put_in() {
    let (before, profile) = EXAMPLE.split_once("# [[http.profile]]\n").unwrap();
    let (profile, after) = profile.split_once("\n\n").unwrap();
    let profile: Vec<&str> = profile.lines().map(|line| line.strip_prefix("# ").unwrap()).collect();
    let before = before.replace("# profiles = []", "profiles = [\"kannel\", \"our-old-box\"]");
    let loaded = loaded(&format!("{before}[[http.profile]]\n{}\n\n{after}", profile.join("\n")));
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings.to_string(), "");
    let spoken: Vec<&str> =
        loaded.config.http.listeners[0].profiles.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(spoken, ["kannel", "our-old-box"]);
}

#[test]
fn the_commented_account_can_be_put_in() {
    let (before, account) = EXAMPLE.split_once("# [[smtp.account]]\n").unwrap();
    let (account, after) = account.split_once("\n\n").unwrap();
    let account: Vec<&str> = account.lines().map(|line| line.strip_prefix("# ").unwrap()).collect();
    let account = account.join("\n");
    let loaded = loaded(&format!("{before}[[smtp.account]]\n{account}\n\n{after}")).unwrap();
    assert_eq!(loaded.config.smtp.accounts[0].username, "ups");
    // The example's listener has no certificate.
    assert!(loaded.warnings.to_string().contains("nobody can authenticate"), "{}", loaded.warnings);
}

/// Those with a default are tried elsewhere.
#[test]
fn the_commented_keys_without_a_default_can_be_put_in() {
    let keys = ["gateways", "deliver_at", "variables", "escalate", "messages_per_second", "credit"];
    let mut put_in = 0;
    let uncommented = EXAMPLE.lines().map(|line| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_one = keys.iter().any(|key| bare.starts_with(&format!("{key} = ")));
        put_in += usize::from(is_one && line != bare);
        if is_one { bare } else { line }
    });
    let lines: Vec<&str> = uncommented.collect();
    let loaded = loaded(&lines.join("\n")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((put_in, loaded.warnings.to_string().as_str()), (keys.len(), ""));
    let gateway = &loaded.config.gateways[0];
    assert_eq!((gateway.line.messages_per_second, gateway.api.name.as_str()), (Some(25.0), "platform"));
}
