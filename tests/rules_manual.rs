//! `docs/rules.md` is true: each of its configurations loads without a word, and does what its tests say.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

use jiff::Timestamp;
use sms_relay::config;

const MANUAL: &str = include_str!("../docs/rules.md");

const AROUND: &str = r#"hostname = "relay.example.com"
smtp.listener = [{ name = "lan", bind = "127.0.0.1:0" }]
routing.allowed = ["+39"]
defaults.sender = "Relay"
spool.directory = "spool"
gateway = { url = "http://127.0.0.1:1", credentials = "emulator" }
reporting.to = "off"
"#;
const ALIASES: [(&str, &str); 2] =
    [("oncall", "\"+393471234567\""), ("office", "[\"+393470000001\", \"+393470000002\"]")];

#[test]
fn the_manual_s_rules_do_what_their_tests_say() {
    let blocks: Vec<&str> =
        MANUAL.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 4, "only {} blocks found", blocks.len());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    for block in blocks {
        // Only those that it mentions: others are warned of.
        let mentioned =
            ALIASES.iter().filter(|(name, _)| !block.contains("[aliases]") && block.contains(name));
        let aliases: String = mentioned.map(|(name, to)| format!("aliases.{name} = {to}\n")).collect();
        std::fs::write(&path, format!("{AROUND}{aliases}{block}")).unwrap();
        let loaded = config::load(&path).unwrap_or_else(|problems| panic!("{block}\n{problems}"));
        assert_eq!(loaded.warnings.to_string(), "", "{block}");
        let outcome = loaded.tests.run(&loaded.config, Timestamp::UNIX_EPOCH);
        assert_eq!(outcome.problems.to_string(), "", "{block}");
        assert_eq!((outcome.passed, outcome.failed), (block.matches("[[test]]").count(), 0), "{block}");
    }
}
