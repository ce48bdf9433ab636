//! A judge of reports that nobody here wrote: the bounce parser of Mailman.

use std::path::Path;

use super::{Arrived, given, python};

const JUDGE: &str = r#"
import email, sys
sys.path.insert(0, "PATH")
from flufl.bounce import all_failures
for found in all_failures(email.message_from_string(sys.stdin.read())):
    print(",".join(sorted(address.decode() for address in found)))
"#;

/// Whether it is installed.
pub fn bounce_parser() -> bool {
    given(path().join("flufl/bounce").is_dir(), "flufl.bounce is not installed; `.ci/run` installs it")
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/judges")
}

/// Who is not reached for now, and who never is, separated by commas.
pub fn bounced(arrived: &Arrived) -> (String, String) {
    let printed = python(&JUDGE.replace("PATH", path().to_str().unwrap()), &arrived.text);
    let mut lines = printed.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
}
