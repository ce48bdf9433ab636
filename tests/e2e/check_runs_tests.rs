//! `[[test]]` in the configuration: `check` runs them and shows what differs, line by line; a start and a
//! reload do not, since a test that fails is no reason to be down.

use std::path::Path;

use rustix::process::Signal;

use crate::support::{World, run};

/// A configuration with these rules and tests.
fn written(directory: &Path, rest: &str) -> String {
    let path = directory.join("relay.toml");
    let text = format!(
        r#"hostname = "relay.example.com"
smtp.listener = [{{ name = "lan", bind = "127.0.0.1:0" }}]
routing.allowed = ["+39"]
defaults.sender = "Relay"
aliases.oncall = ["+393471234567", "+393470000001"]
spool.directory = "spool"
gateway = {{ url = "http://127.0.0.1:1", credentials = "emulator" }}
reporting.to = "off"
{rest}"#
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What `check` prints of it.
fn check(rest: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = written(directory.path(), rest);
    std::fs::write(directory.path().join("fire.eml"), "Subject: Fire\r\n\r\nHall 3\r\n").unwrap();
    let (code, printed) = run(env!("CARGO_BIN_EXE_sms-relay"), &["check", "--config", &path]);
    (code, printed.replace(&path, "FILE").replace(directory.path().to_str().unwrap(), "DIR"))
}

const RULE: &str =
    "[[rule]]\nname = \"fire\"\nwhen.subject = \"fire\"\nsender = \"FireAlarm\"\ntext = \"both\"\n";

#[test]
fn a_configuration_without_tests_says_nothing_of_them() {
    assert_eq!(check(RULE), (Some(0), "FILE: no error\n".to_owned()));
}

#[test]

fn tests_that_pass_are_counted() {
    let test = r#"
[[test]]
name = "a fire"
mail = "fire.eml"
to = "oncall@sms.local"
expect.rule = "fire"
expect.to = ["+393470000001", "+393471234567"]
expect.sender = "FireAlarm"
expect.text = "Fire\nHall 3"
"#;
    assert_eq!(check(&format!("{RULE}{test}")), (Some(0), "FILE: no error\n1 test passed\n".to_owned()));
    let other =
        "[[test]]\nname = \"other\"\nfrom = \"<>\"\nto = \"boss@sms.local\"\nexpect.refused = \"no alias\"\n";
    assert_eq!(
        check(&format!("{RULE}{test}{other}")),
        (Some(0), "FILE: no error\n2 tests passed\n".to_owned())
    );
}

#[test]

fn a_test_that_fails_shows_what_differs() {
    let tests = r#"
[[test]]
name = "a fire"
from = "panel@example.com"
to = "oncall@sms.local"
subject = "Fire in hall 3"
text = "Zone north"
[test.expect]
sender = "Alarm"
text = "Fire in hall 4\nZone north"

[[test]]
name = "not ours"
from = "panel@example.com"
to = "oncall@example.com"
expect.to = "+393471234567"

[[test]]
name = "right"
from = "panel@example.com"
to = "oncall@sms.local"
text = "x"
expect.rule = "default"
"#;
    let expected = r#"FILE:22:10: error: test `a fire`: the sender for +393471234567 is `FireAlarm`, not `Alarm` (and so for 1 other phone)
  22 | sender = "Alarm"
     |          ^^^^^^^

FILE:23:8: error: test `a fire`: +393471234567 gets other words (and so for 1 other phone)
  23 | text = "Fire in hall 4\nZone north"
     |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       - Fire in hall 4
                      ^
       + Fire in hall 3
                      ^
         Zone north

FILE:29:13: error: test `not ours`: nothing is sent: oncall@example.com is refused: `oncall@example.com` is not served here; write number@sms.local
  29 | expect.to = "+393471234567"
     |             ^^^^^^^^^^^^^^^

3 errors in FILE
1 test passed, 2 failed
"#;
    assert_eq!(check(&format!("{RULE}{tests}")), (Some(78), expected.to_owned()));
}

#[test]
fn a_mail_that_is_missing_fails_its_test() {
    let test = "[[test]]\nname = \"a fire\"\nmail = \"fires.eml\"\nto = \"oncall@sms.local\"\nexpect.rule = \"fire\"\n";
    let expected = "FILE:16:8: error: test `a fire`: `DIR/fires.eml` cannot be read: No such file or directory (os error 2)
  16 | mail = \"fires.eml\"
     |        ^^^^^^^^^^^

1 error in FILE
0 tests passed, 1 failed
";
    assert_eq!(check(&format!("{RULE}{test}")), (Some(78), expected.to_owned()));
}

#[test]
fn a_test_that_fails_keeps_no_relay_down() {
    let mut world = World::new();
    let failing = "[[test]]\nname = \"x\"\nmail = \"missing.eml\"\nto = \"oncall@sms.local\"\nexpect.rule = \"default\"\n";
    world.rules.push_str(failing);
    let relay = world.start();
    world.rules.push_str(&failing.replace("\"x\"", "\"y\""));
    world.write();
    relay.signal(Signal::HUP);
    relay.wait_for_message("reloaded: rules, aliases and credentials");
    assert!(relay.terminate().success());
}
