//! Programs that post to the HTTP door, and what came of it at the platform.

use std::path::{Path, PathBuf};

use super::{Relay, World, given, run};

impl World {
    /// A world whose listener speaks the APIs of these gateways.
    pub fn speaking(profiles: &[&str]) -> Self {
        let mut world = Self::new();
        world.otherwise.push(("allow_get = true", format!("allow_get = true\nprofiles = {profiles:?}")));
        world
    }

    /// Waits until the platform has accepted as many SMS as these, and expects just these, in any order: phone, text
    /// and sender. What was to be refused goes before what was not, so that it cannot hide behind it.
    pub fn expect_sms(&self, expected: &[(&str, &str, &str)]) {
        self.wait_for_platform("all SMS", |record| record.total() >= expected.len() as u64);
        let accepted = self.emulator.accepted();
        let mut found: Vec<(&str, &str, &str)> = accepted
            .iter()
            .map(|sms| (sms.destination.as_str(), sms.text.as_str(), sms.sender.as_str()))
            .collect();
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

impl Relay {
    /// A URL of the HTTP door.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }
}

/// A script of `tests/e2e/scripts`, run by `interpreter` with these variables in its environment.
pub fn script(
    environment: &[String],
    interpreter: &str,
    name: &str,
    arguments: &[&str],
) -> (Option<i32>, String) {
    let path = format!("{}/tests/e2e/scripts/{name}", env!("CARGO_MANIFEST_DIR"));
    let environment: Vec<&str> = environment.iter().map(String::as_str).collect();
    run("env", &[&environment[..], &[interpreter, &path], arguments].concat())
}

/// Where `.ci/run` puts this for the tests. Elsewhere the test says so and skips itself; in CI it fails.
fn installed(name: &str, file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients").join(name);
    let there = path.join(file).exists();
    given(there, &format!("{file} of {name} is not installed; `.ci/run` installs it")).then_some(path)
}

/// The environment in which Python finds Apprise, requests and the client of Clickatell.
pub fn python_clients() -> Option<Vec<String>> {
    let path = installed("python", "clickatell/http/__init__.py")?;
    Some(vec![format!("PYTHONPATH={}", path.display()), "PYTHONDONTWRITEBYTECODE=1".to_owned()])
}

/// The environment in which Perl finds LWP and the client of Kannel.
pub fn perl_clients() -> Option<Vec<String>> {
    let path = installed("perl", "usr/share/perl5/NetSDS/Kannel.pm")?;
    let here = path.join("usr/share/perl5");
    let compiled = installed("perl", "compiled")?.join("compiled");
    Some(vec![format!("PERL5LIB={}:{}", here.display(), compiled.display())])
}
