//! Monitoring systems: the command of docs/http.md for Nagios and Icinga, and what LibreNMS asks and looks at.

use super::http_scripts::php;
use crate::support::{World, run, script, tool};

/// The command line of the manual, with what Nagios puts in the place of its macros.
fn command(host: &str, password: &str) -> String {
    let manual = include_str!("../../docs/http.md");
    let line = manual.lines().find_map(|line| line.trim().strip_prefix("command_line "));
    let line = line.unwrap_or_else(|| panic!("docs/http.md has no command for Nagios")).trim();
    let macros = [
        ("relay.example:8080", host),
        ("PASSWORD", password),
        ("$CONTACTPAGER$", "+393470000001,oncall"),
        ("$NOTIFICATIONTYPE$", "PROBLEM"),
        ("$HOSTNAME$", "kühlraum"),
        ("$SERVICEDESC$", "door & gate"),
        ("$SERVICESTATE$", "CRITICAL"),
        ("$SERVICEOUTPUT$", "open = 100%"),
    ];
    let line = macros.iter().fold(line.to_owned(), |line, (name, value)| {
        assert!(line.contains(name), "{name} is not in {line}");
        line.replace(name, value)
    });
    assert!(!line.contains('$'), "{line}");
    line
}

#[test]
fn the_command_of_nagios() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("name = \"pbx\"", "name = \"nagios\"".to_owned()));
    let relay = world.start();
    let host = relay.http.to_string();
    // Nagios gives its commands to a shell, and takes any code but 0 for a failure.
    let (code, printed) = run("sh", &["-c", &command(&host, "guessed")]);
    assert_eq!(code, Some(22), "{printed}");
    let (code, printed) = run("sh", &["-c", &command(&host, "swordfish")]);
    assert_eq!(code, Some(0), "{printed}");
    let text = "PROBLEM kühlraum door & gate is CRITICAL: open = 100%";
    world.expect_sms(&[("+393470000001", text, "Relay"), ("+393471234567", text, "Relay")]);
    assert!(relay.terminate().success());
}

const MOBILES: &str = "+393470000001\r\n0039347 0000002,393470000003";

#[test]
fn librenms_by_smseagle_and_playsms() {
    if !php() {
        return;
    }
    let world = World::speaking(&["smseagle", "playsms"]);
    let relay = world.start();
    let base = relay.url("");
    let alert = |transport, password, to, title| {
        script(&[], "php", "librenms.php", &[transport, &base, "pbx", password, to, title])
    };
    let (code, printed) = alert("smseagle", "guessed", MOBILES, "x");
    assert_eq!((code, printed.as_str()), (Some(1), "200 Invalid login or password"));
    // It does not look at what playSMS says, and playSMS says it with 200.
    let (code, printed) = alert("playsms", "guessed", MOBILES, "x");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(r#""error":"100""#), "{printed}");

    let (code, printed) = alert("smseagle", "swordfish", MOBILES, "Gerät è weg");
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = alert("playsms", "swordfish", MOBILES, "Gerät è da");
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed.matches(r#""status":"OK""#).count(), 3, "{printed}");
    world.expect_sms(&[
        ("+393470000001", "Gerät è weg", "Relay"),
        ("+393470000002", "Gerät è weg", "Relay"),
        ("+393470000003", "Gerät è weg", "Relay"),
        ("+393470000001", "Gerät è da", "LibreNMS"),
        ("+393470000002", "Gerät è da", "LibreNMS"),
        ("+393470000003", "Gerät è da", "LibreNMS"),
    ]);
    assert!(relay.terminate().success());
}

#[test]
fn librenms_notices_that_nothing_can_be_taken() {
    if !php() {
        return;
    }
    let mut world = World::speaking(&["smseagle", "playsms"]);
    let directory = "directory = \"spool\"";
    world.otherwise.push((directory, format!("{directory}\nmin_free = 1099511627776")));
    let relay = world.start_until_listening();
    for transport in ["smseagle", "playsms"] {
        let (code, printed) = script(
            &[],
            "php",
            "librenms.php",
            &[transport, &relay.url(""), "pbx", "swordfish", MOBILES, "x"],
        );
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.starts_with("503 "), "{printed}");
    }
    assert!(relay.terminate().success());
    assert_eq!(world.emulator.requests().send, 0);
}
