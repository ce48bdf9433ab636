//! The fuzz targets' checks on a stable toolchain: over the corpora in `fuzz/corpus/`, over the
//! dialogues of `tests/smtp/`, and over some thousands of changed copies of both, the same ones each time.
//! `docs/fuzzing.md` tells the rest.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic, too")]
#![allow(missing_docs, unreachable_pub, reason = "modules of a test are nobody's API")]

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;
#[allow(dead_code, reason = "the dialogues name it")]
#[path = "smtp/certificate.rs"]
mod certificate;
#[allow(dead_code, reason = "only what the client says is wanted here")]
#[path = "smtp/dialogue.rs"]
mod dialogue;
#[allow(dead_code, reason = "the dialogues name it")]
#[path = "smtp/relay.rs"]
mod relay;

/// Changed copies for each target.
const CHANGED: usize = 3000;
/// Longest input that is changed: what is longer costs time and says nothing new.
const LONGEST: usize = 4096;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// What clients say in the dialogues, by the dialogue's name.
fn dialogues() -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(name, dialogue::Dialogue::read(&text).client_octets());
        }
    }
    found
}

/// Exchanges and headers that no dialogue holds.
const OTHER_SEEDS: [(&str, &str, &[u8]); 28] = [
    ("auth", "plain", b"PLAIN\r\nAHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"),
    ("auth", "plain-initial", b"PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"),
    ("auth", "plain-for-another", b"PLAIN cm9vdAB1cHMAcHc=\r\n"),
    ("auth", "plain-empty", b"PLAIN =\r\n"),
    ("auth", "plain-no-base64", b"PLAIN\r\n?\r\n"),
    ("auth", "plain-cancelled", b"PLAIN\r\n*\r\n"),
    ("auth", "plain-latin1", b"PLAIN AGvkdGhlAHP83w==\r\n"),
    ("auth", "login", b"LOGIN\r\ndXBz\r\ncHc=\r\n"),
    ("auth", "login-initial", b"login dXBz\r\ncHc\r\n"),
    ("auth", "login-long", b"LOGIN\r\ndXBz\r\nMDEyMzQ1Njc4OWFiY2RlZg==\r\n"),
    ("auth", "login-cancelled", b"LOGIN\r\ndXBz\r\n* \r\n"),
    ("auth", "cram-md5", b"CRAM-MD5\r\ndGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"),
    ("auth", "cram-md5-initial", b"CRAM-MD5 dGlt\r\n"),
    ("proxy", "tcp4", b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 25\r\nEHLO c\r\n"),
    ("proxy", "tcp6", b"PROXY TCP6 2001:db8::7 ::1 65535 0\r\n"),
    ("proxy", "tcp6-mapped", b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"),
    ("proxy", "unknown", b"PROXY UNKNOWN\r\n"),
    ("proxy", "unknown-with-text", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"),
    ("proxy", "port-with-zero", b"PROXY TCP4 192.0.2.7 192.0.2.1 056324 25\r\n"),
    ("proxy", "longest", b"PROXY UNKNOWN 56789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456\r\n"),
    ("proxy", "too-long", b"PROXY TCP6 0:0:0:0:0:0:0:1 0:0:0:0:0:0:0:1 1 0000000000000000000000000000000000000000000000000000000000000000000\r\n"),
    ("proxy", "tcp6-too-long", b"PROXY TCP6 0000:0000:0000:0000:0000:ffff:255.255.255.255 0000:0000:0000:0000:0000:ffff:255.255.255.255 65535 65535\r\n"),
    ("proxy", "none", b"EHLO c\r\n"),
    ("proxy", "v2-tcp4", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\0\x19EHLO c\r\n"),
    ("proxy", "v2-tcp6", b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24 \x01\r\xb8ABCDEFGHIJKL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xdc\x04\0\x19"),
    ("proxy", "v2-fields", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\0\x19\x04\0\x01x"),
    ("proxy", "v2-local", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
    ("proxy", "v2-unix", b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\x04abcd"),
];

/// What of the dialogues is an input of `target`, and the rest by hand.
fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    let other = OTHER_SEEDS.iter().filter(|(of, _, _)| *of == target);
    let other = other.map(|(_, name, octets)| (format!("seed-{name}"), octets.to_vec()));
    let whole = dialogues();
    let part = |octets: &[u8]| -> Option<Vec<u8>> {
        match target {
            "commands" | "session" => Some(octets.to_vec()),
            "data" => behind(octets, b"DATA\r\n"),
            "auth" => behind(octets, b"\r\nAUTH "),
            "proxy" if octets.starts_with(b"PROXY ") || octets.starts_with(b"\r\n\r\n\0") => {
                Some(octets.to_vec())
            }
            _ => None,
        }
    };
    let of_dialogues =
        whole.iter().filter_map(|(name, octets)| Some((format!("dialogue-{name}"), part(octets)?)));
    of_dialogues.chain(other).collect()
}

/// What follows `mark` in `octets`.
fn behind(octets: &[u8], mark: &[u8]) -> Option<Vec<u8>> {
    let at = octets.windows(mark.len()).position(|window| window == mark)?;
    Some(octets[at + mark.len()..].to_vec())
}

fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = folder(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// Pieces of the protocol that chance alone seldom finds.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n..\r\n",
    b"\0",
    b"\xff",
    b"EHLO c\r\n",
    b"MAIL FROM:<a@x>\r\n",
    b"RCPT TO:<bcd@y>\r\n",
    b"DATA\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"AUTH PLAIN ",
    b"AUTH LOGIN\r\n",
    b"AHVzZXIAcGFzcw==\r\n",
    b"*\r\n",
    b"STARTTLS\r\n",
    b"BDAT 5 LAST\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b" SIZE=99999999999999999999",
];

/// A copy of one input with a few things changed: octets, pieces taken out, doubled, put in from another.
fn changed(inputs: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut copy = random.choice(inputs).unwrap().clone();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=copy.len());
        let end = random.usize(at..=copy.len().min(at + 20));
        match random.u8(..6) {
            0 if at < copy.len() => copy[at] = random.u8(..),
            0 | 1 => drop(copy.drain(at..end)),
            2 => drop(copy.splice(at..at, copy[at..end].to_vec())),
            3 | 4 => drop(copy.splice(at..at, random.choice(WORDS).unwrap().iter().copied())),
            _ => {
                let other = random.choice(inputs).unwrap();
                let from = random.usize(..=other.len());
                copy.truncate(at);
                copy.extend_from_slice(&other[from..]);
            }
        }
    }
    copy.truncate(LONGEST);
    copy
}

fn run(target: &str, check: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "the corpus of {target} is empty");
    let checked = |name: &str, input: &[u8]| {
        // What failed is told as a line that can be pasted into a test.
        if catch_unwind(|| check(input)).is_err() {
            panic!("{target} fails for {name}: b\"{}\"", input.escape_ascii());
        }
    };
    let seeds = seeds(target);
    for (name, input) in corpus.iter().chain(&seeds) {
        checked(name, input);
    }
    let inputs: Vec<Vec<u8>> =
        corpus.into_values().chain(seeds.into_values()).filter(|input| input.len() <= LONGEST).collect();
    let mut random = fastrand::Rng::with_seed(2026);
    for number in 0..CHANGED {
        checked(&format!("changed copy {number}"), &changed(&inputs, &mut random));
    }
}

#[test]
fn auth() {
    run("auth", bodies::auth::check);
}

#[test]
fn proxy() {
    run("proxy", bodies::proxy::check);
}

#[test]
fn commands() {
    run("commands", bodies::commands::check);
}

#[test]
fn data() {
    run("data", bodies::data::check);
}

#[test]
fn session() {
    run("session", bodies::session::check);
}

#[test]
#[ignore = "writes into fuzz/corpus: cargo test --test fuzz_corpus -- --ignored write_the_seeds"]
fn write_the_seeds() {
    for target in ["auth", "commands", "data", "proxy", "session"] {
        std::fs::create_dir_all(folder(target)).unwrap();
        for (name, input) in seeds(target) {
            std::fs::write(folder(target).join(name), input).unwrap();
        }
    }
}
