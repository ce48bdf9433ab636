//! Scripts of a few lines in PHP, Python and Perl, as appliances and cron jobs have them.

use crate::support::{World, given, perl_clients, python_clients, run, script, tool};

/// Whether PHP is there, with its curl extension.
pub fn php() -> bool {
    tool("php")
        && given(
            run("php", &["-r", "exit(extension_loaded('curl') ? 0 : 1);"]).0 == Some(0),
            "PHP has no curl extension",
        )
}

#[test]
fn php_posts_in_utf8_and_latin1() {
    if !php() {
        return;
    }
    let world = World::speaking(&["kannel"]);
    let relay = world.start();
    let (form, kannel) = (relay.url("/sms"), relay.url("/cgi-bin/sendsms"));
    let php = |name, arguments: &[&str]| script(&[], "php", name, arguments);

    let (code, printed) = php("form.php", &[&form, "pbx", "guessed", "UTF-8", "+393470000001", "x"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("401 Unauthorized"), "{printed}");
    let (code, printed) = php("kannel_url.php", &[&kannel, "pbx", "guessed", "+393470000001", "x"]);
    assert_eq!((code, printed.as_str()), (Some(1), "not sent\n"));
    let (code, printed) = php("fields.php", &[&form, "pbx", "guessed", "+393470000001", "x"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.starts_with("401 "), "{printed}");

    for charset in ["UTF-8", "ISO-8859-1"] {
        let to = "+393470000001, +393470000002";
        let (code, printed) = php("form.php", &[&form, "pbx", "swordfish", charset, to, "Kühlung è aus"]);
        assert_eq!(code, Some(0), "{charset}: {printed}");
    }
    let (code, printed) =
        php("kannel_url.php", &[&kannel, "pbx", "swordfish", "+393470000003 +393470000004", "Tür auf"]);
    assert_eq!((code, printed.as_str()), (Some(0), "0: Accepted for delivery"));
    let (code, printed) = php("fields.php", &[&form, "pbx", "swordfish", "+393470000005", "Tür zu"]);
    assert_eq!(code, Some(0), "{printed}");

    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393470000002", "Kühlung è aus", "Relay"),
        ("+393470000002", "Kühlung è aus", "Relay"),
        ("+393470000003", "Tür auf", "PHP"),
        ("+393470000004", "Tür auf", "PHP"),
        ("+393470000005", "Tür zu", "Relay"),
    ]);
    assert!(relay.terminate().success());
}

#[test]
fn python_posts_forms_and_chunks() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let form = relay.url("/sms");
    let host = relay.http.to_string();
    let python = |name, arguments: &[&str]| script(&[], "python3", name, arguments);

    let (code, printed) = python("form.py", &[&form, "pbx", "guessed", "utf-8", "+393470000001", "x"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("HTTP Error 401: Unauthorized"), "{printed}");
    let (code, printed) = python("chunks.py", &[&host, "guessed", "+393470000001", "x"]);
    assert_eq!(code, Some(1), "{printed}");

    for charset in ["utf-8", "iso-8859-1"] {
        let (code, printed) = python(
            "form.py",
            &[&form, "pbx", "swordfish", charset, "+393470000001;+393470000002", "Kühlung è aus"],
        );
        assert_eq!(code, Some(0), "{charset}: {printed}");
    }
    let to = "+393470000003 +393470000004";
    let (code, printed) = python("chunks.py", &[&host, "swordfish", to, "Tür auf", "Tür zu"]);
    assert_eq!(code, Some(0), "{printed}");

    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393470000002", "Kühlung è aus", "Relay"),
        ("+393470000002", "Kühlung è aus", "Relay"),
        ("+393470000003", "Tür auf", "Relay"),
        ("+393470000004", "Tür auf", "Relay"),
        ("+393470000003", "Tür zu", "Relay"),
        ("+393470000004", "Tür zu", "Relay"),
    ]);
    assert!(relay.terminate().success());
}

#[test]
fn python_posts_with_the_library_requests() {
    let Some(python) = python_clients().filter(|_| tool("python3")) else { return };
    let world = World::new();
    let relay = world.start();
    let form = relay.url("/sms");
    let to = "+393470000001 +393470000002";
    let post = |password| {
        script(&python, "python3", "by_requests.py", &[&form, "pbx", password, to, "Kühlung è aus"])
    };
    let (code, printed) = post("guessed");
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("401 Client Error"), "{printed}");
    let (code, printed) = post("swordfish");
    assert_eq!(code, Some(0), "{printed}");
    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393470000002", "Kühlung è aus", "Relay"),
        ("+393470000001", "Kühlung è aus (JSON)", "Relay"),
        ("+393470000002", "Kühlung è aus (JSON)", "Relay"),
    ]);
    assert!(relay.terminate().success());
}

#[test]
fn perl_posts_a_form() {
    let Some(perl) = perl_clients().filter(|_| tool("perl")) else { return };
    let world = World::new();
    let relay = world.start();
    let form = relay.url("/sms");
    let post = |password| {
        script(&perl, "perl", "form.pl", &[&form, password, "+393470000001,oncall", "Kühlung è aus"])
    };
    let (code, printed) = post("guessed");
    assert_ne!(code, Some(0), "{printed}");
    assert!(printed.contains("401 Unauthorized"), "{printed}");
    let (code, printed) = post("swordfish");
    assert_eq!(code, Some(0), "{printed}");
    world.expect_sms(&[
        ("+393470000001", "Kühlung è aus", "Relay"),
        ("+393471234567", "Kühlung è aus", "Relay"),
    ]);
    assert!(relay.terminate().success());
}
