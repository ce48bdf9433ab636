//! Each file of `tests/bad_config` has mistakes, and beside it stands in full what `check` prints.
//!
//! `BLESS=1 cargo test --test bad_config` writes what is printed now; read the difference.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its own functions too")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sms_relay::config;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_config");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    cases.sort();
    cases
}

/// What `check` prints for `case`. It is copied to a directory of its own, beside the key files
/// that the cases name, whose modes a checkout would not keep.
fn printed(case: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    for (name, mode) in [("good.key", 0o600), ("world-readable.key", 0o644)] {
        let key = directory.path().join(name);
        std::fs::write(&key, "hunter2\n").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::fs::write(directory.path().join("empty.key"), "\n").unwrap();
    std::fs::set_permissions(directory.path().join("empty.key"), std::fs::Permissions::from_mode(0o600))
        .unwrap();
    let path = directory.path().join("relay.toml");
    std::fs::copy(case, &path).unwrap();
    let problems = match config::load(&path) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.to_string().replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let cases = cases();
    assert!(cases.len() >= 20, "only {} cases found", cases.len());
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
        assert!(!printed.contains("hunter"), "{}:\n{printed}", case.display());
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
