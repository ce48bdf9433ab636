//! nodemailer, which the dashboards of many systems send with, in every mode that it has.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    DOORS, IMPLICIT, Letter, PASSWORD, PLAIN, Relay, STARTTLS, USERNAME, World, given, run_fed, tool,
};

/// Sends mails in order, each when the one before is done, and prints what came of each.
const SEND: &str = r#"
const nodemailer = require(process.argv[1]);
const order = JSON.parse(require("fs").readFileSync(0));
(async () => {
    const told = [];
    for (const { transport, mails } of order) {
        const sender = nodemailer.createTransport({ name: "node.test", host: "localhost", ...transport });
        for (const mail of mails) {
            const usual = { from: "UPS <ups@example.com>", to: "oncall@sms.local", subject: "Power" };
            const sent = sender.sendMail({ ...usual, ...mail });
            told.push(await sent.then((info) => info.response, (error) => `${error.code} ${error.response || error.message}`));
        }
        sender.close();
    }
    console.log(JSON.stringify(told));
})();
"#;

/// Where it was installed. Elsewhere the test says so and skips itself; in CI it fails.
fn installed() -> Option<PathBuf> {
    if !tool("node") {
        return None;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/node_modules/nodemailer");
    let there = path.join("package.json").exists();
    given(there, "nodemailer is not installed; `.ci/run` installs it below target/clients").then_some(path)
}

/// What came of each mail: the reply to it, or the error's code and reply.
fn send(nodemailer: &Path, order: &Value) -> Vec<String> {
    let arguments = ["-e", SEND, nodemailer.to_str().unwrap()];
    let (code, printed) = run_fed("node", &arguments, &order.to_string());
    assert_eq!(code, Some(0), "{printed}");
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

#[test]
fn plain_and_several_mails_over_one_connection() {
    let Some(nodemailer) = installed() else { return };
    let world = World::new();
    let relay = world.start();
    let port = relay.smtp.port();
    let order = json!([
        { "transport": { "port": port, "ignoreTLS": true }, "mails": [{ "text": "plain" }] },
        { "transport": { "port": port, "pool": true, "maxConnections": 1 }, "mails": [
            { "text": "Kühlung aus" },
            { "html": "<p>Kühlung <b>an</b></p>" },
            { "text": "with a log", "attachments": [{ "filename": "log", "content": "x".repeat(5000) }] },
        ] },
    ]);
    for told in send(&nodemailer, &order) {
        assert!(told.starts_with("250 2.0.0 queued as "), "{told}");
    }
    world.expect_texts(&["plain", "Kühlung aus", "Kühlung an", "with a log"]);
    assert_eq!(relay.log().iter().filter(|line| line["message"] == "connection opened").count(), 2);
    assert!(relay.terminate().success());
}

#[test]
fn it_asks_for_a_report_and_gets_it() {
    let Some(nodemailer) = installed().filter(|_| tool("python3")) else { return };
    let world = World::new();
    let relay = world.start();
    let dsn = json!({ "id": "A7", "return": "headers", "notify": ["success", "failure"], "recipient": "ups@example.com" });
    let order = json!([{ "transport": { "port": relay.smtp.port() }, "mails": [{ "text": "Back again.", "dsn": dsn }] }]);
    let told = send(&nodemailer, &order);
    assert!(told[0].starts_with("250 2.0.0 queued as "), "{told:?}");
    let letter = Letter::read(&world.mailbox.wait_for(1)[0]);
    assert_eq!(letter.header("Subject"), "SMS delivered: Power");
    assert_eq!(letter.status("Original-Envelope-Id"), ["A7"]);
    world.expect_texts(&["Back again."]);
    assert!(relay.terminate().success());
}

#[test]
fn it_repeats_why_a_recipient_was_refused() {
    let Some(nodemailer) = installed() else { return };
    let world = World::new();
    let relay = world.start();
    let mail = json!({ "to": "nobody@sms.local", "text": "x" });
    let told = send(&nodemailer, &json!([{ "transport": { "port": relay.smtp.port() }, "mails": [mail] }]));
    let why = "EENVELOPE 550 5.1.1 `nobody` is not a phone number, and there is no alias of that name";
    assert_eq!(told, [why]);
    assert!(relay.terminate().success());
}

/// A transport that speaks as a door does.
fn speaking(door: &str, relay: &Relay, authority: &str) -> Value {
    json!({
        "port": relay.door(door).port(),
        "secure": door == IMPLICIT,
        "requireTLS": door == STARTTLS,
        "ignoreTLS": door == PLAIN,
        "tls": { "ca": std::fs::read_to_string(authority).unwrap() },
    })
}

#[test]
fn tls_with_and_without_trust() {
    let Some(nodemailer) = installed() else { return };
    let world = World::with_doors("offered");
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let trust = |authority: &str| {
            let transport = speaking(door, &relay, authority);
            send(&nodemailer, &json!([{ "transport": transport, "mails": [{ "text": door }] }])).remove(0)
        };
        let told = trust(&world.authority());
        assert!(told.starts_with("250 2.0.0 queued as "), "{door}: {told}");
        let told = trust(&world.stranger());
        assert!(told.starts_with("ESOCKET ") || told.starts_with("ETLS "), "{door}: {told}");
        assert!(told.contains("certificate"), "{door}: {told}");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    let Some(nodemailer) = installed() else { return };
    let world = World::with_doors("required");
    let relay = world.start();
    let transport = |door: &str, mechanism: &str, password: &str| {
        let mut transport = speaking(door, &relay, &world.authority());
        transport["authMethod"] = json!(mechanism);
        transport["auth"] = json!({ "user": USERNAME, "pass": password });
        transport
    };
    let mut order = Vec::new();
    let mut texts = Vec::new();
    for door in DOORS {
        for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let text = format!("{door} {mechanism}");
            order.push(
                json!({ "transport": transport(door, mechanism, PASSWORD), "mails": [{ "text": text }] }),
            );
            texts.push(text);
        }
    }
    for (told, text) in send(&nodemailer, &json!(order)).iter().zip(&texts) {
        assert!(told.starts_with("250 2.0.0 queued as "), "{text}: {told}");
    }
    world.expect_texts(&texts);
    let wrong = json!([{ "transport": transport(STARTTLS, "PLAIN", "guessed"), "mails": [{ "text": "x" }] }]);
    let told = send(&nodemailer, &wrong).remove(0);
    assert!(told.starts_with("EAUTH 535 5.7.8 "), "{told}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
