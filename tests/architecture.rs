//! The map of `docs/architecture.md`, enforced: modules import from lower levels only, and the pure
//! ones touch neither files, sockets, runtime nor clock.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each level; one imports only from levels before its own.
const LEVELS: [&[&str]; 8] = [
    &["crash_point", "model", "test_log"],
    &["bounce", "budget", "credential", "mail", "pattern", "profile", "retry", "rota", "storm", "text"],
    &["attempts", "gateway", "mailer", "spool", "tls", "wording"],
    &["routing"],
    &["credit", "dispatch", "intake", "notices", "reporting", "telling", "tracking", "vigil"],
    &["http", "smtp"],
    &["app", "config"],
    &["cli"],
];
/// Stands apart: may import these, and only `cli` (and tests) may import it.
const EMULATOR_IMPORTS: &[&str] = &["model", "text"];
/// Only these know how the configuration is written, though `app` stands on its level.
const CONFIG_READERS: &[&str] = &["app", "cli"];
/// What pure code never says.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "std::process",
    "std::env",
    "tokio::",
    "Timestamp::now",
    "SystemTime::now",
    "Instant::now",
    "Zoned::now",
    "fastrand::",
];
/// Modules of a level above 1 that are pure all the same.
const PURE_MODULES: &[&str] = &["routing", "wording"];
/// Files of other modules that are pure all the same.
const PURE_FILES: &[&str] = &[
    "cli/explain/request.rs",
    "credit/level.rs",
    "credit/words.rs",
    "dispatch/judge.rs",
    "dispatch/rooms.rs",
    "notices/words.rs",
    "reporting/letters.rs",
    "reporting/limit.rs",
    "reporting/pieces.rs",
    "reporting/plan.rs",
    "spool/reports.rs",
    "spool/verdict.rs",
    "http/denials.rs",
    "http/destinations.rs",
    "http/fields.rs",
    "http/form.rs",
    "http/profiled/find.rs",
    "http/profiled/ids.rs",
    "http/profiled/meant.rs",
    "http/profiled/outcomes.rs",
    "http/profiled/preview.rs",
    "http/profiled/sessions.rs",
    "http/profiled/told.rs",
    "http/request_line.rs",
    "telling/kannel.rs",
    "telling/target.rs",
    "http/v1/json.rs",
    "http/v1/key.rs",
    "http/v1/problem.rs",
    "http/v1/read.rs",
    "http/view.rs",
    "http/when.rs",
    "http/log_limit.rs",
    "http/forwarded.rs",
    "gateway/legacy.rs",
    "gateway/notification.rs",
    "gateway/template.rs",
    "intake/charges.rs",
    "intake/decide.rs",
    "intake/delivering.rs",
    "intake/escalating.rs",
    "intake/passage.rs",
    "intake/repeated.rs",
    "smtp/address.rs",
    "smtp/chunk.rs",
    "smtp/auth.rs",
    "smtp/capture/notation.rs",
    "smtp/capture/secrets.rs",
    "smtp/capture/transcript.rs",
    "smtp/command.rs",
    "smtp/command/parameters.rs",
    "smtp/data.rs",
    "smtp/gate.rs",
    "smtp/patience.rs",
    "smtp/lines.rs",
    "smtp/profile.rs",
    "smtp/rates.rs",
    "smtp/proxy.rs",
    "smtp/reply.rs",
    "smtp/room.rs",
    "smtp/log_limit.rs",
    "smtp/session.rs",
    "smtp/session/hello.rs",
    "smtp/session/login.rs",
    "smtp/session/transaction.rs",
    "smtp/settings.rs",
    "smtp/used.rs",
    "telling/allowed.rs",
    "telling/judge.rs",
    "telling/message.rs",
    "telling/turns.rs",
    "tls/clients.rs",
    "tls/expiry.rs",
    "tls/identity.rs",
    "tracking/judge.rs",
    "vigil/heartbeat.rs",
    "vigil/schedule.rs",
    "vigil/silence.rs",
    "vigil/view.rs",
    "vigil/words.rs",
    "intake/heard.rs",
];
/// Pure by level, but for a reason allowed to look at the world.
const IMPURE_BY_DESIGN: &[&str] = &[
    // Reads the environment, in builds for tests only.
    "crash_point.rs",
];

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|modules| modules.contains(&module))
}

/// The module that a file below `src` belongs to.
fn module_of(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Every module named behind `crate::` in code; comments and doc links do not count.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in code.lines().map(|line| line.split("//").next().unwrap_or("")) {
        for rest in line.split("crate::").skip(1) {
            let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            match rest.strip_prefix('{') {
                // The modules of a group stand on one line, as rustfmt leaves them.
                Some(group) => found.extend(group.split(',').map(|item| name(item.trim()))),
                None => found.push(name(rest)),
            }
        }
    }
    found
}

fn violations_of_levels(file: &Path, code: &str) -> Vec<String> {
    let module = module_of(file);
    let allowed = |import: &str| {
        if import == module {
            true
        } else if module == "emulator" {
            EMULATOR_IMPORTS.contains(&import)
        } else if import == "emulator" {
            module == "cli"
        } else if import == "config" {
            CONFIG_READERS.contains(&module.as_str())
        } else {
            matches!((level(import), level(&module)), (Some(below), Some(above)) if below < above)
        }
    };
    imports(code)
        .into_iter()
        .filter(|import| !allowed(import))
        .map(|import| format!("{}: {module} may not import {import}", file.display()))
        .collect()
}

fn violations_of_purity(file: &Path, code: &str) -> Vec<String> {
    let name = file.to_str().unwrap();
    let module = module_of(file);
    let pure = matches!(level(&module), Some(0 | 1))
        || PURE_MODULES.contains(&module.as_str())
        || PURE_FILES.contains(&name);
    if !pure || IMPURE_BY_DESIGN.contains(&name) {
        return Vec::new();
    }
    let code = code.split("#[cfg(test)]").next().unwrap_or("");
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or(""));
    lines
        .flat_map(|line| IMPURE.iter().filter(move |word| line.contains(*word)))
        .map(|word| format!("{name}: pure code may not use {word}"))
        .collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .filter(|(path, _)| !matches!(path.to_str(), Some("lib.rs" | "main.rs")))
        .collect()
}

#[test]
fn imports_point_downwards_only() {
    let sources = sources();
    assert!(sources.len() > 30, "only {} sources were found", sources.len());
    let wrong: Vec<String> =
        sources.iter().flat_map(|(file, code)| violations_of_levels(file, code)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_code_stays_pure() {
    let wrong: Vec<String> =
        sources().iter().flat_map(|(file, code)| violations_of_purity(file, code)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_a_level_and_every_named_file_is_there() {
    let sources = sources();
    for (file, _) in &sources {
        let module = module_of(file);
        assert!(module == "emulator" || level(&module).is_some(), "{} has no level", file.display());
    }
    for named in PURE_FILES.iter().chain(IMPURE_BY_DESIGN) {
        assert!(sources.iter().any(|(path, _)| path.to_str() == Some(*named)), "{named} is gone");
    }
}

#[test]
fn no_file_outgrows_its_subject() {
    for (file, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= 700, "{} has {lines} lines; which second subject moved in?", file.display());
    }
}

#[test]
fn the_checks_see_what_they_are_for() {
    let levels = |file: &str, code: &str| violations_of_levels(Path::new(file), code);
    let none: [&str; 0] = [];
    assert_eq!(levels("mail/mod.rs", "use crate::model::Sms;"), none);
    assert_eq!(levels("mail/mod.rs", "use crate::spool::Spool;"), ["mail/mod.rs: mail may not import spool"]);
    assert_eq!(levels("mail/mod.rs", "use crate::text::fit;"), ["mail/mod.rs: mail may not import text"]);
    assert_eq!(levels("app.rs", "use crate::emulator::Emulator;"), ["app.rs: app may not import emulator"]);
    assert_eq!(
        levels("emulator/mod.rs", "use crate::spool::S;"),
        ["emulator/mod.rs: emulator may not import spool"]
    );
    assert_eq!(
        levels("intake.rs", "let x = crate::config::load();"),
        ["intake.rs: intake may not import config"]
    );
    assert_eq!(levels("mail/mod.rs", "// as in crate::spool::Spool"), none);
    assert_eq!(
        levels("mail/mod.rs", "use crate::{model, spool};"),
        ["mail/mod.rs: mail may not import spool"]
    );
    assert_eq!(
        levels("mail/mod.rs", "use crate::{").len(),
        1,
        "a group over several lines is not looked into"
    );
    let purity = |file: &str, code: &str| violations_of_purity(Path::new(file), code);
    assert_eq!(
        purity("retry/mod.rs", "let now = Timestamp::now();"),
        ["retry/mod.rs: pure code may not use Timestamp::now"]
    );
    assert_eq!(purity("smtp/session.rs", "use tokio::net::TcpStream;").len(), 1);
    assert_eq!(purity("smtp/server.rs", "use tokio::net::TcpStream;"), none);
}
