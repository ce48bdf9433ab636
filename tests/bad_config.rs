//! Each file of `tests/bad_config` has mistakes, and beside it stands in full what `check` prints.
//!
//! `BLESS=1 cargo test --test bad_config` writes what is printed now; read the difference.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, KeyPair};
use sms_relay::config;

const DAY: u64 = 24 * 60 * 60;
/// The hash of a password that nobody needs.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$k9ohroejZy1PN5E1SbHNPug6vB8eQAahb5SOAp6iGF4";

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_config");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    cases.sort();
    cases
}

/// A certificate with its key, both PEM. It ends half a day after `days` from now, so that no test run
/// is near the end of a day of it.
fn certificate(names: &[&str], days: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut made = CertificateParams::new(names.clone()).unwrap();
    made.distinguished_name.push(DnType::CommonName, names.concat());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let end = now.as_secs().checked_add_signed(days * DAY as i64).unwrap() + DAY / 2;
    let at = |second: u64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(second);
    (made.not_before, made.not_after) = (at(end - 1000 * DAY), at(end));
    (made.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The files that cases may name, with their modes.
fn files() -> Vec<(&'static str, String, u32)> {
    let name = "relay.example.com";
    let (relay, relay_key) = certificate(&[name], 300);
    let (expired, expired_key) = certificate(&[name], -4);
    let (soon, soon_key) = certificate(&[name], 10);
    let (future, future_key) = certificate(&[name], 1001);
    let (nameless, nameless_key) = certificate(&[], 300);
    let (other, other_key) = certificate(&["other.example.com"], 300);
    let encrypted = include_str!("certificates/rsa.encrypted-pkcs8.key");
    vec![
        ("good.key", "hunter2\n".to_owned(), 0o600),
        ("world-readable.key", "hunter2\n".to_owned(), 0o644),
        ("empty.key", "\n".to_owned(), 0o600),
        ("ups.hash", format!("{HASH}\n"), 0o600),
        ("both-open.pem", format!("{relay_key}{relay}"), 0o644),
        ("both.pem", format!("{relay_key}{relay}"), 0o640),
        ("encrypted.key", encrypted.to_owned(), 0o600),
        ("gap.pem", format!("{relay}{other}"), 0o644),
        ("damaged.pem", relay.replace("MII", "M!I"), 0o644),
        ("turned.pem", format!("{other}{relay}"), 0o644),
        ("open-relay.key", relay_key.clone(), 0o644),
        ("relay.pem", relay, 0o644),
        ("relay.key", relay_key, 0o600),
        ("other.key", other_key, 0o600),
        ("expired.pem", expired, 0o644),
        ("expired.key", expired_key, 0o600),
        ("soon.pem", soon, 0o644),
        ("soon.key", soon_key, 0o600),
        ("future.pem", future, 0o644),
        ("future.key", future_key, 0o600),
        ("nameless.pem", nameless, 0o644),
        ("nameless.key", nameless_key, 0o600),
    ]
}

/// What `check` prints for `case`. It is copied to a directory of its own, beside the files that the
/// cases name, whose modes a checkout would not keep.
fn printed(case: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, content, mode) in files() {
        let key = directory.path().join(name);
        std::fs::write(&key, content).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = directory.path().join("relay.toml");
    std::fs::copy(case, &path).unwrap();
    let printed = match config::load(&path) {
        Ok(loaded) => {
            let outcome = loaded.tests.run(&loaded.config, Timestamp::UNIX_EPOCH);
            format!("{}{}", loaded.warnings, outcome.problems)
        }
        Err(problems) => problems.to_string(),
    };
    printed.replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let cases = cases();
    assert!(cases.len() >= 45, "only {} cases found", cases.len());
    are_told(cases);
}

fn are_told(cases: Vec<PathBuf>) {
    let mut wrong = Vec::new();
    for case in cases {
        let expected_at = case.with_extension("txt");
        let printed = printed(&case);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected_at, &printed).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_at).unwrap_or_default();
        if printed != expected {
            wrong.push(format!("{}: printed\n{printed}\nexpected\n{expected}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_secret_is_ever_printed() {
    for case in cases() {
        let printed = printed(&case);
        for secret in ["hunter", "MIIsecret", "$argon2id$v"] {
            assert!(!printed.contains(secret), "{}:\n{printed}", case.display());
        }
    }
}

#[test]
fn every_line_of_a_problem_names_the_file() {
    let missing = Path::new("no/such/relay.toml");
    assert_eq!(
        config::load(missing).unwrap_err().to_string(),
        "no/such/relay.toml: error: the configuration cannot be read: No such file or directory (os error 2)\n\n\
         1 error in no/such/relay.toml\n"
    );
}
