//! A template over SMTP: groups of the rule's patterns, a JSON body and header fields; where it fails on a mail,
//! that goes out as subject and text, and the log says which message and which rule.

use crate::support::{Smtp, Talk, World};

const RULE: &str = r#"
[[rule]]
name = "monitoring"
when.subject = '^(?P<state>PROBLEM|OK): (?P<host>\S+)'
text = """
{{ groups.state }} {{ groups.host }} ({{ headers["X-Severity"]|upper }})
{{ json.event.name|shorten(12) }}: {{ json.values[0] }} %
"""
"#;

#[test]
fn groups_json_and_headers_make_the_text() {
    let mut world = World::new();
    world.rules = RULE.to_owned();
    let relay = world.start();
    let mail = r#"From: zabbix@example.com
Subject: =?utf-8?q?PROBLEM:_db=C3=A4?= is low on space
X-Severity: =?utf-8?q?gr=C3=A0ve?=
Content-Type: text/plain; charset=utf-8

{"event": {"name": "Volume /var/lib/postgresql is nearly full"}, "values": [98, 91]}
"#;
    let reply = Talk::greeted(relay.smtp).mail("zabbix@example.com", &["oncall@sms.local"], mail.as_bytes());
    Smtp::queued(&reply);
    world.expect_texts(&["PROBLEM dbä (GRÀVE)\nVolume...: 98 %"]);
    assert_eq!(relay.find_log(|line| line["level"] == "WARN"), None);
    assert!(relay.terminate().success());
}

#[test]
fn a_template_that_fails_costs_the_layout_only() {
    let mut world = World::new();
    world.rules = RULE.to_owned();
    let relay = world.start();
    let mail = "From: zabbix@example.com\nSubject: OK: db1 has room\nX-Severity: low\n\nno JSON today\n";
    let reply = Talk::greeted(relay.smtp).mail("zabbix@example.com", &["oncall@sms.local"], mail.as_bytes());
    let id = Smtp::queued(&reply);
    world.expect_texts(&["OK: db1 has room\nno JSON today"]);
    let warned = relay.wait_for_message("the rule's template failed; subject and text are sent");
    assert_eq!((&warned["level"], &warned["rule"]), (&"WARN".into(), &"monitoring".into()));
    assert_eq!(warned["id"], format!("{id}-1"));
    let problem = warned["problem"].as_str().unwrap();
    assert!(problem.starts_with("the template failed: "), "{problem}");
    assert!(relay.terminate().success());
}
