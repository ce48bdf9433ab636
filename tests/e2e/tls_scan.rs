//! What somebody who looks for weak TLS finds at the doors: nothing. The looking is testssl.sh's.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::{IMPLICIT, STARTTLS, World, run_within, tool};

/// The name of the listener for forms that speaks TLS.
const HTTPS: &str = "https";

/// What it calls each protocol and each list of ciphers, and what it has to find.
const EXPECTED: [(&str, &str); 11] = [
    ("SSLv2", "not offered"),
    ("SSLv3", "not offered"),
    ("TLS1", "not offered"),
    ("TLS1_1", "not offered"),
    ("TLS1_2", "offered"),
    ("TLS1_3", "offered with final"),
    ("cipherlist_NULL", "not offered"),
    ("cipherlist_aNULL", "not offered"),
    ("cipherlist_EXPORT", "not offered"),
    ("cipherlist_LOW", "not offered"),
    ("cipherlist_3DES_IDEA", "not offered"),
];

/// What later versions call otherwise: strong ciphers in CBC mode, and forward secrecy.
const RENAMED: [([&str; 2], &str); 2] =
    [(["cipherlist_AVERAGE", "cipherlist_OBSOLETED"], "not offered"), (["PFS", "FS"], "offered")];

/// What it looks at. The vulnerabilities that it knows follow from these or are of other libraries; some
/// take it minutes.
const LOOKS_AT: [&str; 3] = ["--protocols", "--standard", "--pfs"];

/// What it says of a server, each with how grave it is.
fn scan(world: &World, arguments: &[&str], port: u16) -> Vec<Value> {
    let file = world.directory.path().join("scan.json");
    let target = format!("localhost:{port}");
    let usual = ["--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", "--ip", "127.0.0.1"];
    let result = ["--jsonfile", file.to_str().unwrap(), &target];
    let arguments = [&usual[..], &LOOKS_AT, arguments, &result].concat();
    let (_, printed) = run_within(180, "testssl", &arguments, "");
    let findings = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {printed}"));
    serde_json::from_str(&findings).unwrap_or_else(|error| panic!("{error}: {findings}"))
}

/// Everything that should be otherwise.
fn complaints(findings: &[Value]) -> Vec<String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let found: HashMap<_, _> =
        findings.iter().map(|finding| (text(finding, "id"), text(finding, "finding"))).collect();
    let mut complaints = Vec::new();
    let mut expect = |ids: &[&str], expected: &str| {
        let finding = ids.iter().find_map(|id| found.get(*id)).map(String::as_str);
        if finding != Some(expected) {
            complaints.push(format!("{ids:?} should be `{expected}` and is {finding:?}"));
        }
    };
    EXPECTED.iter().for_each(|(id, expected)| expect(&[*id], expected));
    RENAMED.iter().for_each(|(ids, expected)| expect(ids, expected));
    for finding in findings {
        let harmless = ["OK", "INFO", "DEBUG"].contains(&finding["severity"].as_str().unwrap());
        // Its own OpenSSL can do less than it would like; it speaks for itself where that matters.
        if !harmless && finding["id"] != "engine_problem" {
            complaints.push(finding.to_string());
        }
    }
    complaints
}

fn nothing_is_found(door: &str, arguments: &[&str]) {
    if !tool("testssl") {
        return;
    }
    let mut world = World::with_doors("offered");
    world.otherwise.push(("allow_get = true", "metrics = true".to_owned()));
    world.extra.push_str(&format!(
        "[[http.listener]]\nname = \"{HTTPS}\"\nbind = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"relay.pem\", key = \"relay.key\" }}\n"
    ));
    let relay = world.start();
    let findings = scan(&world, arguments, relay.door(door).port());
    let complaints = complaints(&findings);
    assert!(complaints.is_empty(), "{complaints:#?} in {findings:#?}");
    // It has tried what is spoken and what is not, at this door.
    let kind = if door == HTTPS { "http" } else { "smtp" };
    for labels in [
        "result=\"ok\",version=\"1.2\"",
        "result=\"ok\",version=\"1.3\"",
        "result=\"failed\",version=\"none\"",
    ] {
        let series = format!("sms_relay_{kind}_tls_handshakes_total{{{labels}}}");
        assert_ne!(relay.counted(&series), 0, "{series}");
    }
    assert!(relay.terminate().success());
}

#[test]
fn starttls_has_no_weak_protocol_or_cipher() {
    nothing_is_found(STARTTLS, &["--starttls", "smtp"]);
}

#[test]
fn implicit_tls_has_no_weak_protocol_or_cipher() {
    nothing_is_found(IMPLICIT, &[]);
}

#[test]
fn https_has_no_weak_protocol_or_cipher() {
    nothing_is_found(HTTPS, &[]);
}
