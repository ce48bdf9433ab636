//! Apprise, which dozens of home servers and monitoring systems notify with. The URLs are those of docs/http.md.

use crate::support::{Relay, World, python_clients, run, tool};

const MANUAL: &str = include_str!("../../docs/http.md");

/// A URL of the manual at this relay, with this password.
fn manual(url: &str, relay: &Relay, password: &str) -> String {
    assert!(MANUAL.contains(&format!("`{url}`")), "{url} is not in docs/http.md");
    url.replace("PASSWORD", password).replace("relay.example:8080", &relay.http.to_string())
}

/// One run of it for all these URLs. Whether it says that everybody was notified, and what else it says.
fn apprise(environment: &[String], urls: &[&str], arguments: &[&str]) -> (bool, String) {
    let path = environment[0].strip_prefix("PYTHONPATH=").unwrap();
    let program = format!("{path}/bin/apprise");
    let environment: Vec<&str> = environment.iter().map(String::as_str).collect();
    // It keeps nothing of its own between two runs.
    let usual = ["python3", &program, "--storage-mode", "memory", "-vv"];
    let (code, printed) = run("env", &[&environment[..], &usual, arguments, urls].concat());
    assert!(matches!(code, Some(0 | 1)), "{code:?} {printed}");
    (code == Some(0), printed)
}

#[test]
fn numbers_contacts_and_groups_of_smseagle() {
    let Some(python) = python_clients().filter(|_| tool("python3")) else { return };
    let world = World::speaking(&["smseagle"]);
    let relay = world.start();
    let body = ["--title", "Kühlung", "--body", "è aus"];
    let numbers = "smseagle://PASSWORD@relay.example:8080/+393471234567/+393477654321?batch=yes";

    let (sent, printed) = apprise(&python, &[&manual(numbers, &relay, "guessed")], &body);
    assert!(!sent && printed.contains("Invalid login or password"), "{printed}");
    let unknown = format!("smseagle://swordfish@{}/@nobody", relay.http);
    let (sent, printed) = apprise(&python, &[&unknown], &body);
    assert!(!sent && printed.contains("Wrong parameters"), "{printed}");

    let (sent, printed) = apprise(&python, &[&manual(numbers, &relay, "swordfish")], &body);
    assert!(sent, "{printed}");
    let contact = manual("smseagle://PASSWORD@relay.example:8080/@oncall", &relay, "swordfish");
    let group = manual("smseagle://PASSWORD@relay.example:8080/%23oncall", &relay, "swordfish");
    let group = group.replace("oncall", "two");
    let (sent, printed) = apprise(&python, &[&contact, &group], &["--body", "by name"]);
    assert!(sent, "{printed}");

    world.expect_sms(&[
        ("+393471234567", "Kühlung\nè aus", "Relay"),
        ("+393477654321", "Kühlung\nè aus", "Relay"),
        ("+393471234567", "by name", "Relay"),
        ("+393470000001", "by name", "Relay"),
        ("+393470000002", "by name", "Relay"),
    ]);
    assert!(relay.terminate().success());
}

#[test]
fn json_and_forms() {
    let Some(python) = python_clients().filter(|_| tool("python3")) else { return };
    let world = World::new();
    let relay = world.start();
    let json = "json://USER:PASSWORD@relay.example:8080/sms?:to=%2B393471234567";
    let form = "form://USER:PASSWORD@relay.example:8080/sms?:to=%2B393471234567,%2B393477654321";
    let urls = |password| [json, form].map(|url| manual(url, &relay, password).replace("USER", "pbx"));
    let notify = |urls: [String; 2], arguments: &[&str]| {
        apprise(&python, &urls.each_ref().map(String::as_str), arguments)
    };
    let (sent, printed) = notify(urls("guessed"), &["--body", "x"]);
    assert!(!sent && printed.matches("error=401").count() == 2, "{printed}");
    let titled = ["--body", "Kühlung è aus", "--title", "left out", "--notification-type", "failure"];
    let (sent, printed) = notify(urls("swordfish"), &titled);
    assert!(sent, "{printed}");
    // With an attachment a form is multipart.
    let picture = world.directory.path().join("door.png");
    std::fs::write(&picture, b"\x89PNG\r\n\x1a\n\0").unwrap();
    let attached = ["--body", "Tür mit Bild", "--attach", picture.to_str().unwrap()];
    let (sent, printed) = notify(urls("swordfish"), &attached);
    assert!(sent, "{printed}");

    world.expect_sms(&[
        ("+393471234567", "Kühlung è aus", "Relay"),
        ("+393471234567", "Kühlung è aus", "Relay"),
        ("+393477654321", "Kühlung è aus", "Relay"),
        ("+393471234567", "Tür mit Bild", "Relay"),
        ("+393471234567", "Tür mit Bild", "Relay"),
        ("+393477654321", "Tür mit Bild", "Relay"),
    ]);
    assert!(relay.terminate().success());
}
