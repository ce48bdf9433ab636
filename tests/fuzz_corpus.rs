//! The fuzz targets' checks on a stable toolchain: over the corpora in `fuzz/corpus/`, over the
//! dialogues of `tests/smtp/`, the mails of `tests/mails/` and the requests of `tests/http/profiles/`, and over some thousands of changed copies of all, the
//! same ones each time.
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
#[path = "../fuzz/seeds.rs"]
mod seeds;

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

/// The mails of `tests/mails/`, by their file names.
fn mails() -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mails")) else {
        return BTreeMap::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    let name = |path: &Path| format!("mail-{}", path.file_stem().unwrap().to_string_lossy());
    paths.into_iter().map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

/// What clients of other gateways' APIs send in the exchanges of `tests/http/profiles/`, by their names.
fn requests() -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(folders) = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/profiles"))
    else {
        return found;
    };
    for folder in folders.map(|folder| folder.unwrap().path()) {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "request") {
                let [profile, name] =
                    [folder.file_name(), path.file_stem()].map(|name| name.unwrap().to_string_lossy());
                found.insert(format!("exchange-{profile}-{name}"), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// A request as the target `profiles` reads it: method and target, content type, body.
fn asked(request: &[u8]) -> Option<Vec<u8>> {
    let body = behind(request, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&request[..request.len() - body.len()]);
    let line = head.lines().next()?.rsplit_once(' ')?.0;
    let content_type = head.lines().find_map(|line| line.strip_prefix("Content-Type: ")).unwrap_or_default();
    Some([line.as_bytes(), b"\n", content_type.as_bytes(), b"\n", &body].concat())
}

/// What of the dialogues is an input of `target`, and the rest by hand.
fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    let other = seeds::SEEDS.iter().filter(|(of, _, _)| *of == target);
    let other = other.map(|(_, name, octets)| (format!("seed-{name}"), octets.to_vec()));
    let whole = dialogues();
    let part = |octets: &[u8]| -> Option<Vec<u8>> {
        match target {
            "commands" | "session" => Some(octets.to_vec()),
            "data" | "extraction" => behind(octets, b"DATA\r\n"),
            "auth" => behind(octets, b"\r\nAUTH "),
            "proxy" if octets.starts_with(b"PROXY ") || octets.starts_with(b"\r\n\r\n\0") => {
                Some(octets.to_vec())
            }
            _ => None,
        }
    };
    let of_dialogues =
        whole.iter().filter_map(|(name, octets)| Some((format!("dialogue-{name}"), part(octets)?)));
    let requests = match target {
        "framing" => requests(),
        "profiles" => {
            requests().into_iter().filter_map(|(name, octets)| Some((name, asked(&octets)?))).collect()
        }
        _ => BTreeMap::new(),
    };
    let mails = if target == "extraction" { mails() } else { BTreeMap::new() };
    of_dialogues.chain(other).chain(mails).chain(requests).collect()
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

/// A copy of one input with a few things changed: octets, pieces taken out, doubled, put in from another.
fn changed(inputs: &[Vec<u8>], words: &[&[u8]], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut copy = random.choice(inputs).unwrap().clone();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=copy.len());
        let end = random.usize(at..=copy.len().min(at + 20));
        match random.u8(..6) {
            0 if at < copy.len() => copy[at] = random.u8(..),
            0 | 1 => drop(copy.drain(at..end)),
            2 => drop(copy.splice(at..at, copy[at..end].to_vec())),
            3 | 4 => drop(copy.splice(at..at, random.choice(words).unwrap().iter().copied())),
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
    let words: &[&[u8]] = match target {
        "distilling" | "extraction" | "fitting" | "templates" => &seeds::WORDS,
        "notifications" => &seeds::NOTIFICATIONS,
        "fields" | "forwarded" | "framing" | "messages" | "profiles" => &seeds::HTTP,
        _ => &seeds::SMTP,
    };
    let mut random = fastrand::Rng::with_seed(2026);
    for number in 0..CHANGED {
        checked(&format!("changed copy {number}"), &changed(&inputs, words, &mut random));
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
fn distilling() {
    run("distilling", bodies::distilling::check);
}

#[test]
fn extraction() {
    run("extraction", bodies::extraction::check);
}

#[test]
fn fitting() {
    run("fitting", bodies::fitting::check);
}

#[test]
fn notifications() {
    run("notifications", bodies::notifications::check);
}

#[test]
fn fields() {
    run("fields", bodies::fields::check);
}

#[test]
fn forwarded() {
    run("forwarded", bodies::forwarded::check);
}

#[test]
fn framing() {
    run("framing", bodies::framing::check);
}

#[test]
fn messages() {
    run("messages", bodies::messages::check);
}

#[test]
fn profiles() {
    run("profiles", bodies::profiles::check);
}

#[test]
fn templates() {
    run("templates", bodies::templates::check);
}

#[test]
#[ignore = "writes into fuzz/corpus: cargo test --test fuzz_corpus -- --ignored write_the_seeds"]
fn write_the_seeds() {
    let words = ["distilling", "extraction", "fitting", "templates"];
    let http = ["fields", "forwarded", "framing", "messages", "profiles"];
    let smtp = ["auth", "commands", "data", "notifications", "proxy", "session"];
    for target in smtp.into_iter().chain(words).chain(http) {
        std::fs::create_dir_all(folder(target)).unwrap();
        // Mails, their dialogues and exchanges are in the package already.
        let is_there = matches!(target, "extraction" | "framing" | "profiles");
        let written = |name: &str| !is_there || name.starts_with("seed-");
        for (name, input) in seeds(target).into_iter().filter(|(name, _)| written(name)) {
            std::fs::write(folder(target).join(name), input).unwrap();
        }
    }
}
