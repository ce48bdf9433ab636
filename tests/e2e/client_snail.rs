//! s-nail, the `mail` of the command line, in every mode that it has.

use crate::support::{DOORS, IMPLICIT, PASSWORD, STARTTLS, USERNAME, World, run_fed, tool};

/// One mail with `text` by the URL `mta` and with further settings. Returns its exit code and what it
/// printed.
fn snail(mta: &str, settings: &[&str], text: &str) -> (Option<i32>, String) {
    let mta = format!("mta={mta}");
    // It saves nothing that it could not send in anybody's home.
    let usual = [
        "v15-compat=yes",
        "sendwait",
        "nosave",
        "hostname=snail.test",
        "from=ups@example.com",
        "verbose",
        &mta,
    ];
    let settings = usual.iter().chain(settings).flat_map(|setting| ["-S", setting]);
    // Without anybody's configuration, and as nobody at a terminal would use it.
    let arguments: Vec<&str> =
        ["-:/"].into_iter().chain(settings).chain(["-s", "Power", "oncall@sms.local"]).collect();
    run_fed("s-nail", &arguments, &format!("{text}\n"))
}

#[test]
fn plain() {
    if !tool("s-nail") {
        return;
    }
    let world = World::new();
    let relay = world.start();
    let mta = format!("smtp://localhost:{}", relay.smtp.port());
    for text in ["plain", "Kühlung aus"] {
        let (code, printed) = snail(&mta, &["smtp-auth=none", "ttycharset=utf-8"], text);
        assert_eq!(code, Some(0), "{printed}");
    }
    world.expect_texts(&["plain", "Kühlung aus"]);

    let (code, printed) =
        snail(&mta, &["smtp-auth=none", "mime-encoding=8bit", "ttycharset=utf-8"], "Lüfter an");
    assert_eq!(code, Some(0), "{printed}");
    world.expect_texts(&["plain", "Kühlung aus", "Lüfter an"]);
    assert!(relay.terminate().success());
}

/// The URL of a door but for its host, and what else makes s-nail speak as it does.
fn speaking(door: &str, authority: &str) -> (&'static str, Vec<String>) {
    let trust =
        || vec![format!("tls-ca-file={authority}"), "tls-ca-no-defaults".into(), "tls-verify=strict".into()];
    match door {
        STARTTLS => ("smtp", [vec!["smtp-use-starttls".to_owned()], trust()].concat()),
        IMPLICIT => ("smtps", trust()),
        _ => ("smtp", Vec::new()),
    }
}

#[test]
fn tls_with_and_without_trust() {
    if !tool("s-nail") {
        return;
    }
    let world = World::with_doors("offered");
    let relay = world.start();
    for door in [STARTTLS, IMPLICIT] {
        let trust = |authority: &str| {
            let (scheme, settings) = speaking(door, authority);
            let mta = format!("{scheme}://localhost:{}", relay.door(door).port());
            let settings: Vec<&str> = settings.iter().map(String::as_str).chain(["smtp-auth=none"]).collect();
            snail(&mta, &settings, door)
        };
        let (code, printed) = trust(&world.authority());
        assert_eq!(code, Some(0), "{door}: {printed}");
        let (code, printed) = trust(&world.stranger());
        assert_ne!(code, Some(0), "{door}: {printed}");
        assert!(printed.contains("certificate"), "{door}: {printed}");
    }
    world.expect_texts(&[STARTTLS, IMPLICIT]);
    assert!(relay.terminate().success());
}

#[test]
fn each_auth_at_each_door() {
    if !tool("s-nail") {
        return;
    }
    let world = World::with_doors("required");
    let relay = world.start();
    let send = |door: &str, mechanism: &str, password: &str, text: &str| {
        let (scheme, mut settings) = speaking(door, &world.authority());
        // It refuses a URL that quotes more than it has to.
        let password = form_urlencoded::byte_serialize(password.as_bytes()).collect::<String>();
        let mta = format!("{scheme}://{USERNAME}:{password}@localhost:{}", relay.door(door).port());
        settings.push(format!("smtp-auth={mechanism}"));
        snail(&mta, &settings.iter().map(String::as_str).collect::<Vec<_>>(), text)
    };
    let mut texts = Vec::new();
    for door in DOORS {
        for mechanism in ["plain", "login", "cram-md5"] {
            let text = format!("{door} {mechanism}");
            let (code, printed) = send(door, mechanism, PASSWORD, &text);
            assert_eq!(code, Some(0), "{text}: {printed}");
            texts.push(text);
        }
    }
    world.expect_texts(&texts);
    let (code, printed) = send(STARTTLS, "plain", "guessed", "x");
    assert_ne!(code, Some(0), "{printed}");
    assert!(printed.contains("535 5.7.8 "), "{printed}");
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), texts);
}
