//! A certificate that has expired or soon will is told of wherever an operator may look: in what `check`
//! prints, in the log and on `/metrics`. One whose key is another's ends the start.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use crate::support::{Authority, Relay, World, run};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Days are counted whole, so a certificate that is to have ten left has half a day more.
const HALF: Duration = Duration::from_secs(12 * 3600);

fn listener(name: &str) -> String {
    format!(
        "[[smtp.listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n"
    )
}

/// What `/metrics` says.
pub fn metrics(relay: &Relay) -> String {
    let mut stream = TcpStream::connect(relay.http).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

#[test]
fn one_that_is_over_or_ends_soon_is_told_of_everywhere() {
    let authority = Authority::new("Authority of the tests");
    let mut world = World::new();
    let here = world.directory.path().to_owned();
    let now = SystemTime::now();
    let over = authority.issue_until(1, now - 3 * DAY - HALF);
    let soon = authority.issue_until(2, now + 10 * DAY + HALF);
    let good = authority.issue(3);
    for (name, issued) in [("over", &over), ("soon", &soon), ("good", &good)] {
        issued.write(&here, name);
        world.extra.push_str(&listener(name));
    }
    world.otherwise.push(("allow_get = true", "allow_get = true\nmetrics = true".to_owned()));
    let config = world.write();
    let place = |name: &str| {
        let written = format!("certificate = \"{name}.pem\"");
        world.configuration().lines().position(|line| line == written).unwrap() + 1
    };
    let of_over = format!(
        "the certificate in `{}` expired 3 days ago; clients that look refuse it, so put a new one there",
        here.join("over.pem").display()
    );
    let of_soon = format!(
        "the certificate in `{}` expires in 10 days; put a new one there before",
        here.join("soon.pem").display()
    );

    // `check` is for people: an old certificate is no reason not to start.
    let command = ["PBX_PASSWORD=x", env!("CARGO_BIN_EXE_sms-relay"), "check", "--config"];
    let (code, printed) = run("env", &[&command[..], &[config.to_str().unwrap()]].concat());
    assert_eq!(code, Some(0), "{printed}");
    for (name, sentence) in [("over", &of_over), ("soon", &of_soon)] {
        let told = format!("{}:{}:15: warning: {sentence}", config.display(), place(name));
        assert!(printed.contains(&told), "{told}\n{printed}");
    }
    assert_eq!(printed.matches("warning:").count(), 2, "{printed}");

    let relay = world.start();
    for (name, sentence) in [("over", &of_over), ("soon", &of_soon)] {
        let line = relay.wait_for_message(sentence);
        assert_eq!((&line["level"], line["line"].as_u64()), (&"WARN".into(), Some(place(name) as u64)));
    }
    // The door itself looks again every day.
    let line =
        relay.wait_for_message("the certificate expired 3 days ago; clients that check it will not deliver");
    assert_eq!((&line["level"], &line["listener"]), (&"ERROR".into(), &"over".into()));
    let line = relay.wait_for_message("the certificate expires in 10 days; renew it and reload");
    assert_eq!((&line["level"], &line["listener"]), (&"WARN".into(), &"soon".into()));
    let of_good =
        |line: &&serde_json::Value| line.to_string().contains("good.pem") || line["listener"] == "good";
    let lines = relay.log();
    assert_eq!(lines.iter().filter(of_good).count(), 1, "it is listening, and nothing more");
    let answer = metrics(&relay);
    for (name, issued) in [("over", &over), ("soon", &soon), ("good", &good)] {
        let sample = format!(
            "sms_relay_smtp_certificate_not_after_seconds{{listener=\"{name}\"}} {}\n",
            issued.not_after
        );
        assert!(answer.contains(&sample), "{sample}{answer}");
    }
    assert!(relay.terminate().success());
}

#[test]
fn a_key_of_another_certificate_is_78() {
    let authority = Authority::new("Authority of the tests");
    let mut world = World::new();
    let here = world.directory.path().to_owned();
    authority.issue(1).write(&here, "a");
    let key = std::fs::read(here.join("a.key")).unwrap();
    authority.issue(2).write(&here, "a");
    std::fs::write(here.join("a.key"), key).unwrap();
    world.extra = listener("a");
    let (code, log) = world.start_in_vain();
    let first = log[0].as_str().unwrap();
    let sentence = format!(
        "error: `{}`: the private key does not belong to the certificate; give the key that the certificate was made for",
        here.join("a.key").display()
    );
    assert_eq!(code, Some(78));
    assert!(first.ends_with(&sentence), "{first}");
}
