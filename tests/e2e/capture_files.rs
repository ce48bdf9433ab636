//! `capture`: what a device said and heard is in a file that shows it, without what nobody may read in it;
//! and the file is a dialogue that can be held again.

use std::fs::Metadata;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::dialogue::Dialogue;
use crate::support::{Relay, Smtp, Talk, World};

const USERNAME: &str = "bWFsZ2E=";
const PASSWORD: &str = "aHVudGVyMg==";

/// A world whose listener `mail` forgives everything and has these keys, too.
fn world(keys: &str) -> World {
    let mut world = World::new();
    let usual = "name = \"mail\"\nbind = \"127.0.0.1:0\"";
    world.otherwise.push((usual, format!("{usual}\nprofile = \"appliance\"\n{keys}")));
    world
}

/// What a device says up to its mail; its password is `hunter2`.
fn begin(relay: &Relay) -> Talk {
    let mut device = Talk::to(relay.smtp);
    device.hear();
    device.say("EHLO ip_camera");
    assert!(device.say("AUTH LOGIN").starts_with("334 "));
    assert!(device.say(USERNAME).starts_with("334 "));
    assert!(device.say(PASSWORD).starts_with("235 "));
    device
}

fn deliver(device: &mut Talk, text: &str) -> String {
    for line in ["MAIL FROM:camera@lan.example", "RCPT TO:+39-347-123-4567@sms.local", "DATA"] {
        let reply = device.say(line);
        assert!(reply.starts_with(['2', '3']), "{line}: {reply}");
    }
    let id = Smtp::queued(&device.say(&format!("Subject: Gate\r\n\r\n{text}\r\n.")));
    assert!(device.say("QUIT").starts_with("221 "));
    id
}

/// The files of a directory in the order of their names, which is that of their time.
fn files(directory: &Path) -> Vec<(String, Metadata)> {
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| (std::fs::read_to_string(path).unwrap(), path.metadata().unwrap())).collect()
}

/// Without the lines that tell the time.
fn lines(file: &str) -> Vec<&str> {
    file.lines().filter(|line| !line.starts_with("# +")).collect()
}

#[test]
fn a_dialogue_is_shown_with_its_secrets_and_numbers_masked() {
    let world = world("capture = { directory = \"captures\" }");
    let relay = world.start();
    let id = deliver(&mut begin(&relay), "Call +39 02 1234567, code 4711");
    assert!(relay.terminate().success());
    let directory = world.directory.path().join("captures");
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    let files = files(&directory);
    assert_eq!(files.len(), 1);
    let (file, metadata) = &files[0];
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    let shown = lines(file);
    assert_eq!(shown[0], "# A dialogue with 127.0.0.1 at the listener `mail`");
    assert!(shown[1].starts_with("# From: a capture that began 20"), "{file}");
    assert!(shown[1].ends_with("; secrets and numbers are masked"), "{file}");
    let expected = format!(
        "\
S: 220 relay.test ESMTP sms-relay
C: EHLO ip_camera
S: 250-relay.test
S: 250-PIPELINING
S: 250-SIZE 1•••5760
S: 250-8BITMIME
S: 250-SMTPUTF8
S: 250-ENHANCEDSTATUSCODES
S: 250-DSN
S: 250-CHUNKING
S: 250-LIMITS RCPTMAX=100
S: 250 HELP
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: (secret, 8 octets)
S: 334 UGFzc3dvcmQ6
C: (secret, 12 octets)
S: 235 2.7.0 go on; the credentials do not matter here
C: MAIL FROM:camera@lan.example
S: 250 2.1.0 sender ok
C: RCPT TO:+39-347-•••-4567@sms.local
S: 250 2.1.5 recipient ok
C: DATA
S: 354 go ahead; end with CR LF . CR LF
C: Subject: Gate
C:\x20
C: Call +39 02 •••4567, code 4711
C: .
S: 250 2.0.0 queued as {id}
C: QUIT
S: 221 2.0.0 relay.test closes, goodbye"
    );
    assert_eq!(shown[2..].join("\n"), expected, "{file}");
    for secret in [USERNAME, PASSWORD, "hunter2", "1234567", "123-4567"] {
        assert!(!file.contains(secret), "{secret}: {file}");
    }
}

#[test]
fn a_file_and_their_number_are_bounded_and_one_network_can_have_its_own() {
    let mut world = world("capture = { directory = \"all\", file_size = \"4 KiB\", files = 3 }");
    world.extra = "[[smtp.network]]\nname = \"cameras\"\nnetworks = [\"127.0.0.16/28\"]\n\
                   capture = { directory = \"cameras\", mask_numbers = false }\n"
        .to_owned();
    let relay = world.start();
    for number in 0..5 {
        deliver(&mut begin(&relay), &format!("{number}\r\n{}", "long line\r\n".repeat(2000)));
    }
    let mut camera = Talk::from(Ipv4Addr::new(127, 0, 0, 17), relay.smtp);
    camera.hear();
    deliver(&mut camera, "for +393471234567");
    assert!(relay.terminate().success());
    let files_of = |name: &str| files(&world.directory.path().join(name));
    let all = files_of("all");
    assert_eq!(all.len(), 3);
    for ((file, metadata), number) in all.iter().zip(2..) {
        assert!((2048..=4096).contains(&metadata.len()), "{}", metadata.len());
        assert!(file.contains(&format!("\nC: {number}\n")), "the oldest go: {file}");
        assert!(file.contains("# the rest is left out, ") && file.contains(" 4096 octets\n"), "{file}");
        assert!(file.ends_with(" the relay closed the connection\n"), "how it ended is always told: {file}");
    }
    let cameras = files_of("cameras");
    assert_eq!(cameras.len(), 1);
    assert!(cameras[0].0.contains("\nC: for +393471234567\n"), "{}", cameras[0].0);
}

/// Ids of mails are never the same.
fn without_ids(text: &str) -> String {
    let id = regex::Regex::new("queued as [0-9A-Z]{26}").unwrap();
    id.replace_all(text, "queued as ID").into_owned()
}

#[test]
fn a_captured_dialogue_can_be_held_again() {
    let world = world("capture = { directory = \"captures\", mask_numbers = false }");
    let relay = world.start();
    let mut device = Talk::to(relay.smtp);
    device.hear();
    device.say("HELO a_b");
    // What cannot be typed is there, too: octets, bare line ends, a line that is none.
    assert!(device.say("N\u{fc}OP \\ \u{1b}[2J").starts_with("500 "));
    for line in ["MAIL FROM: camera@lan.example", "RCPT TO:<+393471234567@sms.local>", "DATA"] {
        assert!(device.say(line).starts_with(['2', '3']), "{line}");
    }
    device.send(b"Subject: x\n\none\rtwo\\\r\n..\r\n.\r\n");
    Smtp::queued(&device.hear());
    device.say("QUIT");
    assert!(relay.terminate().success());
    let directory = world.directory.path().join("captures");
    let captured = files(&directory).pop().unwrap().0;
    let dialogue = Dialogue::read(&captured);

    let relay = world.start();
    let mut again = Talk::to(relay.smtp);
    again.send(&dialogue.client_octets());
    let mut heard = String::new();
    while let reply = again.hear()
        && !reply.is_empty()
    {
        heard.push_str(&reply.replace('\n', "\r\n"));
        heard.push_str("\r\n");
    }
    assert_eq!(without_ids(&heard), without_ids(&dialogue.server_text()));
    world.expect_texts(&["one\ntwo\\\n.", "one\ntwo\\\n."]);
    assert!(relay.terminate().success());
    // Its own capture is the same once more, but for the times and the id.
    let second = files(&directory).pop().unwrap().0;
    let said = |file: &str| without_ids(&lines(file)[2..].join("\n"));
    assert_eq!(said(&second), said(&captured));
}
