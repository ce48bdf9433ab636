//! Schemathesis, which nobody here wrote, reads the API's document from a running relay and sends what follows from it,
//! right and wrong: it finds no fault of the relay, and no answer that the document does not have.

use std::path::{Path, PathBuf};

use crate::support::{World, ask, given, run_within, tool};

/// Reads the document from its standard input.
const VALID: &str = "
import json, sys
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
for error in OPENAPI_31_VALIDATOR.iter_errors(json.load(sys.stdin)):
    print(error)
";

fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/schemathesis")
}

/// Python with it; what it printed.
fn python(seconds: u32, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let path = format!("PYTHONPATH={}:{}", installed().display(), tests.display());
    let environment = [path.as_str(), "SCHEMATHESIS_HOOKS=hooks", "PYTHONDONTWRITEBYTECODE=1", "python3"];
    run_within(seconds, "env", &[&environment[..], arguments].concat(), input)
}

fn is_installed() -> bool {
    tool("python3")
        && given(
            installed().join("schemathesis").is_dir(),
            "schemathesis is not installed; `.ci/run` installs it",
        )
}

#[test]
fn the_document_is_openapi() {
    if !is_installed() {
        return;
    }
    let document = include_str!("../../src/http/v1/openapi.json");
    assert_eq!(python(60, &["-c", VALID], document), (Some(0), String::new()));
    let (code, printed) = python(60, &["-c", VALID], &document.replacen("\"responses\"", "\"answers\"", 1));
    assert_eq!(code, Some(0));
    assert!(printed.contains("answers"), "{printed}");
}

#[test]
fn no_answer_is_outside_the_document() {
    if !is_installed() {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("allow_get = true", "api = true".to_owned()));
    // It shows wrong credentials on purpose.
    world.otherwise.push((
        "may_choose_sender = true",
        "may_choose_sender = true\nmay_choose_lane = true\ncallback_secret = { env = \"TELL_SECRET\" }\n\
         callback_hosts = [\"127.0.0.1:9\"]\n\n[http]\nauth_failures = 1000"
            .to_owned(),
    ));
    let relay = world.start_with(&[("TELL_SECRET", "a secret between two")]);
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/schemathesis.toml");
    // From a file, because it leaves out the operation that it has read a document by.
    let answered = ask(relay.http, "GET", "/v1/openapi.json", &[], "");
    assert_eq!(answered.status, 200, "{}", answered.body);
    let document = world.directory.path().join("openapi.json");
    std::fs::write(&document, &answered.body).unwrap();
    let (url, document) = (format!("http://{}", relay.http), document.display().to_string());
    let configuration = configuration.display().to_string();
    let examples = std::env::var("SMS_RELAY_SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "15".to_owned());
    let mut arguments = vec!["-m", "schemathesis.cli", "--config-file", &configuration, "--no-color", "run"];
    arguments.extend([&document, "--url", &url, "--auth", "pbx:swordfish", "--seed", "1", "--checks", "all"]);
    arguments.extend(["--max-examples", &examples]);
    // What is cancelled is not gone: who cancelled it may ask what became of it.
    arguments.extend(["--exclude-checks", "use_after_free"]);
    let (code, printed) = python(3600, &arguments, "");
    assert_eq!(code, Some(0), "{printed}");
    let paths = answered.json()["paths"].as_object().unwrap().clone();
    let methods = paths.values().flat_map(|path| path.as_object().unwrap().values());
    let operations = methods.filter(|method| method.get("operationId").is_some()).count();
    assert!(printed.contains(&format!("Tested: {operations}\n")), "{printed}");
    let cases =
        printed.split_once(" generated").and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
    assert!(cases.is_some_and(|cases: u32| cases >= 200), "{printed}");
    println!("{printed}");
    assert!(relay.terminate().success());
}
