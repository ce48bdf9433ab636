//! A renewed certificate holds from the reload on, for whoever comes then; nobody is cut off or turned
//! away. A pair that does not fit changes nothing. Everything else of the door's settings comes with it.

use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;

use crate::support::certificates::write;
use crate::support::{Authority, IMPLICIT, PATIENCE, Relay, STARTTLS, Smtp, Talk, World, run_fed};

const RELOADED: &str = "reloaded: rules, aliases and credentials";

fn world(authority: &Authority) -> World {
    let mut world = World::new();
    authority.issue(1).write(world.directory.path(), "relay");
    world.extra = r#"
[smtp]
certificate = "relay.pem"
key = "relay.key"

[[smtp.listener]]
name = "starttls"
bind = "127.0.0.1:0"

[[smtp.listener]]
name = "implicit"
bind = "127.0.0.1:0"
tls = "implicit"
"#
    .to_owned();
    world
}

fn reload(relay: &Relay) {
    let seen = relay.log().len();
    relay.signal(Signal::HUP);
    relay.wait_for_next(seen, RELOADED);
}

/// A client of the door `implicit` that has heard the greeting.
fn implicit(relay: &Relay, authority: &Authority) -> Talk {
    let mut client = Talk::to(relay.door(IMPLICIT)).secure(&authority.pem);
    assert_eq!(client.hear(), "220 relay.test ESMTP sms-relay");
    client
}

/// A client of the door `starttls` that has said EHLO in the clear.
fn greeted(relay: &Relay) -> Talk {
    let mut client = Talk::to(relay.door(STARTTLS));
    assert_eq!(client.hear(), "220 relay.test ESMTP sms-relay");
    assert!(client.say("EHLO client.test").contains("\n250-STARTTLS\n"));
    client
}

fn starttls(mut client: Talk, authority: &Authority) -> Talk {
    assert!(client.say("STARTTLS").starts_with("220 "));
    client.secure(&authority.pem)
}

#[test]
fn those_who_come_see_the_new_one_and_an_open_session_goes_on() {
    let authority = Authority::new("Authority of the tests");
    let world = world(&authority);
    let relay = world.start();
    let mut open = implicit(&relay, &authority);
    let before = greeted(&relay);
    assert_eq!(open.serial(), 1);
    assert!(open.say("EHLO client.test").starts_with("250-relay.test\n"));
    assert_eq!(open.say("MAIL FROM:<ups@example.com>"), "250 2.1.0 sender ok");

    let (stop, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    let wait_for_a_turn = || {
        let begun = turns.load(Ordering::SeqCst);
        // The one under way may have begun before.
        while turns.load(Ordering::SeqCst) < begun + 2 {
            std::thread::yield_now();
        }
    };
    let serials = std::thread::scope(|scope| {
        let knocking = scope.spawn(|| {
            let mut serials = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let mut client = implicit(&relay, &authority);
                serials.push(client.serial());
                assert!(client.say("QUIT").starts_with("221 "));
                turns.fetch_add(1, Ordering::SeqCst);
            }
            serials
        });
        wait_for_a_turn();
        authority.issue(2).write(world.directory.path(), "relay");
        reload(&relay);
        wait_for_a_turn();
        stop.store(true, Ordering::SeqCst);
        knocking.join().unwrap()
    });
    assert_eq!((serials.first(), serials.last()), (Some(&1), Some(&2)));
    assert!(serials.is_sorted(), "{serials:?}");
    assert_eq!(starttls(greeted(&relay), &authority).serial(), 2);
    assert_eq!(starttls(before, &authority).serial(), 1, "a connection keeps what it began with");

    assert_eq!(open.say("RCPT TO:<oncall@sms.local>"), "250 2.1.5 recipient ok");
    assert!(open.say("DATA").starts_with("354 "));
    Smtp::queued(&open.say("Subject: x\r\n\r\nit goes on\r\n."));
    world.expect_texts(&["it goes on"]);
    assert!(relay.terminate().success());
}

#[test]
fn a_pair_that_does_not_fit_is_told_with_its_place_and_the_old_one_stays() {
    let authority = Authority::new("Authority of the tests");
    let world = world(&authority);
    let here = world.directory.path();
    let path = here.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    // The next words that are not the watchdog's.
    let hear = || {
        loop {
            let mut buffer = [0; 4096];
            let octets = manager.recv(&mut buffer).unwrap();
            let words = String::from_utf8(buffer[..octets].to_vec()).unwrap();
            if words != "WATCHDOG=1\n" {
                return words;
            }
        }
    };
    let relay = world.start_with(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    assert_eq!(hear(), "READY=1\nSTATUS=serving\n");

    // A certificate that came without its key, as from a script that ends in between.
    let renewed = authority.issue(2);
    write(here, "relay.pem", &renewed.certificate);
    relay.signal(Signal::HUP);
    relay.wait_for_message("not reloaded: the old rules stay until the configuration is right");
    let sentence = format!(
        "`{}`: the private key does not belong to the certificate; give the key that the certificate was made for",
        here.join("relay.key").display()
    );
    let why = relay.wait_for_message(&sentence);
    let configuration = world.configuration();
    let line = configuration.lines().position(|line| line == "key = \"relay.key\"").unwrap() + 1;
    assert_eq!(why["level"], "ERROR");
    assert_eq!(why["file"], here.join("relay.toml").to_str().unwrap());
    assert_eq!((why["line"].as_u64(), why["column"].as_u64()), (Some(line as u64), Some(7)));
    assert_eq!(hear(), "STATUS=the last reload failed: the old rules stay\n");
    assert_eq!(implicit(&relay, &authority).serial(), 1);
    assert_eq!(starttls(greeted(&relay), &authority).serial(), 1);

    // A key that lies open to everybody is no better.
    renewed.write(here, "relay");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(here.join("relay.key"), open).unwrap();
    relay.signal(Signal::HUP);
    relay.wait_for_log("the mode", |line| {
        line["level"] == "ERROR" && line["message"].as_str().is_some_and(|text| text.contains("(mode 0644)"))
    });
    assert_eq!(hear(), "STATUS=the last reload failed: the old rules stay\n");
    assert_eq!(implicit(&relay, &authority).serial(), 1);

    renewed.write(here, "relay");
    reload(&relay);
    assert_eq!(hear(), "STATUS=serving\n");
    assert_eq!(implicit(&relay, &authority).serial(), 2);
    assert!(relay.terminate().success());
}

#[test]
fn https_is_renewed_likewise_and_a_pair_that_does_not_fit_changes_nothing() {
    let authority = Authority::new("Authority of the tests");
    let mut world = World::new();
    let here = world.directory.path().to_owned();
    authority.issue(1).write(&here, "relay");
    world.extra = "[[http.listener]]\nname = \"https\"\nbind = \"127.0.0.1:0\"\n\
                   tls = { certificate = \"relay.pem\", key = \"relay.key\" }\n"
        .to_owned();
    let relay = world.start();
    let client = || Talk::to(relay.door("https")).secure(&authority.pem);
    let open = client();
    assert_eq!(open.serial(), 1);

    let renewed = authority.issue(2);
    write(&here, "relay.pem", &renewed.certificate);
    relay.signal(Signal::HUP);
    relay.wait_for_message("not reloaded: the old rules stay until the configuration is right");
    assert_eq!(client().serial(), 1);

    renewed.write(&here, "relay");
    reload(&relay);
    assert_eq!((open.serial(), client().serial()), (1, 2));
    assert!(relay.log().iter().all(|line| !line.to_string().contains("as before until a restart")));
    assert!(relay.terminate().success());
}

/// The reply to AUTH PLAIN with this password of the account `ups`.
fn login(relay: &Relay, password: &str) -> String {
    Talk::greeted(relay.smtp).login("ups", password)
}

fn hash(password: &str) -> String {
    let (code, hash) = run_fed(env!("CARGO_BIN_EXE_sms-relay"), &["hash-password"], password);
    assert_eq!(code, Some(0), "{hash}");
    hash
}

/// The reply to MAIL of a client that has forgotten the angle brackets.
fn without_brackets(client: &mut Talk) -> String {
    client.say("EHLO client.test");
    let reply = client.say("MAIL FROM:ups@example.com");
    client.say("RSET");
    reply
}

#[test]
fn accounts_profiles_limits_and_networks_come_with_it() {
    let mut world = World::new();
    let usual = "name = \"mail\"\nbind = \"127.0.0.1:0\"";
    let listener = |keys: &str| (usual, format!("{usual}\nauth_without_tls = true\n{keys}"));
    let account = "[[smtp.account]]\nname = \"ups\"\npassword = { file = \"ups.hash\" }\n";
    write(world.directory.path(), "ups.hash", &hash("before"));
    world.otherwise.push(listener(""));
    world.extra = format!("[smtp]\nauth_delay = \"0s\"\n{account}");
    let relay = world.start();
    let mut open = Talk::to(relay.smtp);
    assert_eq!(open.hear(), "220 relay.test ESMTP sms-relay");
    assert!(login(&relay, "before").starts_with("235 ") && login(&relay, "after").starts_with("535 "));
    assert!(without_brackets(&mut open).starts_with("501 "));
    let second = Ipv4Addr::new(127, 0, 0, 2);

    write(world.directory.path(), "ups.hash", &hash("after"));
    world.otherwise = vec![listener("profile = \"appliance\"\nnetworks = [\"127.0.0.0/31\", \"127.0.0.9\"]")];
    world.extra = format!(
        "[smtp]\nauth_delay = \"0s\"\nmessage_size = \"1 MiB\"\n[[smtp.network]]\nname = \"old\"\nnetworks = [\"127.0.0.9\"]\n\
         profile = \"strict\"\nconnections = 1\n{account}"
    );
    world.write();
    reload(&relay);
    assert!(without_brackets(&mut open).starts_with("501 "), "a connection keeps what it began with");
    // "appliance" takes any credentials only where AUTH is not offered.
    assert!(login(&relay, "before").starts_with("535 "));
    assert_eq!(login(&relay, "after"), "235 2.7.0 authenticated");
    let mut client = Talk::to(relay.smtp);
    client.hear();
    assert!(client.say("EHLO client.test").contains("\n250-SIZE 1048576\n"));
    assert_eq!(without_brackets(&mut client), "250 2.1.0 sender ok");
    let refused = "554 5.7.1 127.0.0.2 is in none of the networks that this listener serves";
    assert_eq!(Talk::from(second, relay.smtp).hear(), refused);
    let mut old = Talk::from(Ipv4Addr::new(127, 0, 0, 9), relay.smtp);
    assert_eq!(old.hear(), "220 relay.test ESMTP sms-relay");
    assert!(without_brackets(&mut old).starts_with("501 "));
    let refused = Talk::from(Ipv4Addr::new(127, 0, 0, 9), relay.smtp).hear();
    assert!(refused.starts_with("421 4.7.0 ") && refused.contains("`old`"), "{refused}");
    assert!(relay.terminate().success());
}
