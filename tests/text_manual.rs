//! `docs/text.md` is true: what its tables of fitting show is what the program makes of it, asked by
//! `sms-relay explain` with the keys as they are written there.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

use std::process::Command;

use serde_json::Value;

const MANUAL: &str = include_str!("../docs/text.md");

/// The SMS that a phone gets by these keys of `[defaults]`.
fn explained(keys: &str, text: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("relay.toml");
    let configuration = format!(
        r#"hostname = "relay.example.com"
smtp.listener = [{{ name = "lan", bind = "127.0.0.1:0" }}]
routing.allowed = ["+39"]
aliases.oncall = "+393471234567"
spool.directory = "spool"
gateway = {{ url = "http://127.0.0.1:1", credentials = "emulator" }}
reporting.to = "off"
[defaults]
sender = "Relay"
{keys}
"#
    );
    std::fs::write(&path, configuration).unwrap();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_sms-relay"));
    explain.args(["explain", "--json", "--to", "oncall", "--text", text, "--config"]).arg(&path);
    let output = explain.output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{keys}: {printed}");
    let mut told: Value = serde_json::from_str(&printed).unwrap();
    serde_json::from_value(told["recipients"][0]["phones"][0]["sms"].take()).unwrap()
}

fn texts(sms: &[Value]) -> Vec<&str> {
    sms.iter().map(|sms| sms["text"].as_str().unwrap()).collect()
}

fn number_of_parts(sms: &Value) -> usize {
    sms["parts"].as_array().unwrap().len()
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
fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_character_becomes_what_the_table_shows() {
    let rows = table("| text | `auto` | `always` |");
    assert_eq!(rows.len(), 12);
    // Makes a text that takes two parts in UCS-2 and one in GSM, so that it pays.
    let rest = format!(" {}", "a".repeat(80));
    for row in rows {
        let text = codes(row[0])[0];
        for (mode, expected) in [("off", text), ("auto", row[1]), ("always", row[2])] {
            let expected = match expected {
                "stays" => text,
                cell => codes(cell).first().copied().unwrap_or(cell),
            };
            let sms = explained(&format!("transliteration = \"{mode}\""), &format!("{text}{rest}"));
            assert_eq!(texts(&sms), [format!("{expected}{rest}")], "{mode}");
        }
    }
    let short = "It’s 3 o’clock";
    assert!(MANUAL.contains(&format!("`{short}` is one part either way, and stays")));
    assert_eq!(texts(&explained("transliteration = \"auto\"", short)), [short]);
}

#[test]
fn each_long_text_is_cut_as_the_table_shows() {
    let text = MANUAL.split("Of this text:\n```text\n").nth(1).unwrap().split("\n```").next().unwrap();
    let rows = table("| keys | what the phone gets |");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let keys = codes(row[0]).join("\n");
        assert_eq!(texts(&explained(&keys, text)), codes(row[1]), "{keys}");
    }
    let usual = explained("", text);
    assert_eq!((texts(&usual), number_of_parts(&usual[0])), (vec![text], 2));
}

#[test]
fn a_part_holds_what_the_table_shows() {
    for (row, (letter, encoding)) in table("| an SMS in |").iter().zip([("a", "gsm7"), ("ж", "ucs2")]) {
        let [alone, each] = [row[1], row[2]].map(|cell| cell.parse::<usize>().unwrap());
        for (length, parts) in [(alone, 1), (alone + 1, 2), (2 * each, 2), (2 * each + 1, 3)] {
            let sms = explained("max_parts = 3", &letter.repeat(length));
            let told = (sms[0]["encoding"].as_str(), number_of_parts(&sms[0]));
            assert_eq!(told, (Some(encoding), parts), "{length}");
        }
    }
    let listed =
        MANUAL.split("count twice").next().unwrap().rsplit("\n").find(|line| line.contains('€')).unwrap();
    for character in codes(listed).iter().find(|code| code.contains('€')).unwrap().split(' ') {
        assert_eq!(explained("", character)[0]["units"], 2, "{character}");
    }
    for character in MANUAL.split("the usual signs, `").nth(1).unwrap().split('`').next().unwrap().split(' ')
    {
        assert_eq!(explained("", character)[0]["units"], 1, "{character}");
    }
}

#[test]
fn each_key_of_the_example_is_told() {
    let example = include_str!("../relay.example.toml");
    let (_, defaults) = example.split_once("[defaults]").unwrap();
    let (defaults, _) = defaults.split_once("\n[storm]").unwrap();
    let (sending, distill) = defaults.split_once("[defaults.distill]").unwrap();
    let (sending, delivery) = sending.split_once("# How it reaches the phone").unwrap();
    let keys = |section: &'static str| {
        section
            .lines()
            .filter_map(|line| line.trim_start_matches("# ").split_once(" = "))
            .map(|(key, _)| key)
            .filter(|key| !key.contains(' '))
    };
    let wording = keys(sending).filter(|key| !["sender", "lifetime"].contains(key));
    let all: Vec<&str> = wording.chain(keys(distill)).collect();
    assert_eq!(all.len(), 6 + 8, "{all:?}");
    for key in all {
        let told = [format!("| `{key}` |"), format!("`{key}` in"), format!("`distill.{key} = ")];
        assert!(told.iter().any(|told| MANUAL.contains(told)), "{key}");
    }
    let manual = include_str!("../docs/delivery.md");
    let delivery: Vec<&str> = keys(delivery).collect();
    assert_eq!(delivery.len(), 13, "{delivery:?}");
    for key in delivery {
        let told = [format!("`{key}`"), format!("`{key} = "), format!("\n{key} = ")];
        assert!(told.iter().any(|told| manual.contains(told)), "{key}");
    }
}
