//! The overrides of rotas, which are read again by themselves: nothing else of the configuration is, as it may be half
//! edited.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::rota::{OverrideError, Overrides};
use crate::routing::{Fault, Parts, Routing};

/// Most octets of a file of overrides.
const MAX_FILE: u64 = 1 << 20;

/// The rules of a configuration, and the files of its rotas' overrides.
#[derive(Clone, Debug)]
pub struct Overriding {
    parts: Parts,
    /// Rotas by their places among the parts, each with its file; at least one.
    files: Vec<(usize, PathBuf)>,
}

/// Why overrides cannot be taken. `Display` begins with the file, and the line where it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverridesFault {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` where it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub text: String,
}

impl fmt::Display for OverridesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.line {
            Some(line) => write!(f, "{file}:{line}: {}", self.text),
            None => write!(f, "{file}: {}", self.text),
        }
    }
}

impl Overriding {
    /// What `parts` say; `None` where no rota has a file.
    pub(super) fn new(parts: &Parts, files: Vec<(usize, PathBuf)>) -> Option<Self> {
        (!files.is_empty()).then(|| Self { parts: parts.clone(), files })
    }

    /// The files, none twice.
    pub fn files(&self) -> Vec<&Path> {
        let mut files: Vec<&Path> = self.files.iter().map(|(_, file)| file.as_path()).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// Reads the files again: `rules`, which hold, with what they say now; `None` where that is what they said before.
    ///
    /// # Errors
    /// What is wrong with them, once for each line.
    pub fn read_again(&self, rules: &Routing) -> Result<Option<(Self, Routing)>, Vec<OverridesFault>> {
        let (mut read, mut wrong) = (BTreeMap::new(), Vec::new());
        for file in self.files() {
            match content(file) {
                Ok(text) => {
                    read.insert(file.to_owned(), text);
                }
                Err(text) => wrong.push(OverridesFault { file: file.to_owned(), line: None, text }),
            }
        }
        if wrong.is_empty() { self.with(&read, rules) } else { Err(wrong) }
    }

    /// The same for these contents of the files.
    fn with(
        &self,
        read: &BTreeMap<PathBuf, String>,
        rules: &Routing,
    ) -> Result<Option<(Self, Routing)>, Vec<OverridesFault>> {
        let (mut changed, mut wrong) = (Vec::new(), Vec::new());
        for (rota, file) in &self.files {
            let fault = |OverrideError { line, column, what }| OverridesFault {
                file: file.clone(),
                line: Some(line),
                text: format!("column {column}: {what}"),
            };
            match Overrides::read(read.get(file).map_or("", String::as_str)) {
                Ok(overrides) if self.parts.rotas[*rota].1.overrides == overrides => {}
                Ok(overrides) => changed.push((*rota, file, overrides)),
                Err(errors) => wrong.extend(errors.into_iter().map(fault)),
            }
        }
        if !wrong.is_empty() {
            // Two rotas may have one file.
            wrong.dedup();
            return Err(wrong);
        }
        if changed.is_empty() {
            return Ok(None);
        }
        let mut parts = self.parts.clone();
        for (rota, _, overrides) in &changed {
            parts.rotas[*rota].1.overrides = overrides.clone();
        }
        let Ok(routing) = parts.clone().build() else { return Err(vec![self.culprit(changed)]) };
        let after = Self { parts, files: self.files.clone() };
        Ok(Some((after, routing.with_rest_of(rules))))
    }

    /// The first line with which the rules cannot be built: its names are unknown, go in a circle or lead to where nothing
    /// may be sent.
    fn culprit(&self, changed: Vec<(usize, &PathBuf, Overrides)>) -> OverridesFault {
        let mut parts = self.parts.clone();
        for (rota, file, overrides) in changed {
            let mut built = |count| {
                parts.rotas[rota].1.overrides = overrides.first(count);
                parts.clone().build().err()
            };
            if built(overrides.len()).is_none() {
                continue;
            }
            // More lines only add faults: so many go well, and so many do not.
            let (mut good, mut bad) = (0, overrides.len());
            while bad - good > 1 {
                let middle = good.midpoint(bad);
                if built(middle).is_none() { good = middle } else { bad = middle }
            }
            let faults = built(bad).unwrap_or_default();
            let text = faults.first().map(Fault::to_string).unwrap_or_default();
            let line = overrides.iter().nth(bad - 1).map(|one| one.line);
            return OverridesFault { file: file.clone(), line, text };
        }
        let file = self.files.first().map(|(_, file)| file.clone()).unwrap_or_default();
        OverridesFault { file, line: None, text: "the overrides do not fit the rules".to_owned() }
    }
}

/// What a file of overrides says.
///
/// # Errors
/// A sentence where it cannot be read or is too large.
pub(super) fn content(file: &Path) -> Result<String, String> {
    match std::fs::metadata(file) {
        Ok(found) if found.len() > MAX_FILE => {
            return Err(format!("`{}` is over 1 MiB; is this the right file?", file.display()));
        }
        Ok(_) | Err(_) => {}
    }
    let failed = |error| format!("the overrides in `{}` cannot be read: {error}", file.display());
    std::fs::read_to_string(file).map_err(failed)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::load;
    use super::*;

    const CONFIGURATION: &str = r#"
        hostname = "relay.example.com"
        smtp.listener = [{ bind = "127.0.0.1:2525" }]
        routing.allowed = ["+39"]
        defaults.sender = "Relay"
        spool.directory = "spool"
        gateway = { url = "http://127.0.0.1:8026", credentials = "emulator" }
        reporting.to = "off"
        prices = { currency = "EUR", per_part = { "+39" = "0.045" } }
        aliases = { anna = "+393470000001", round = "duty" }

        [[budget]]
        name = "all"
        per = "day"
        parts = { hold = 1000 }

        [[rota]]
        name = "duty"
        timezone = "Europe/Rome"
        turns = ["anna"]
        from = "2026-01-05"
        handover = "Mon 09:00"
        overrides = "duty.overrides"

        [[rota]]
        name = "second"
        timezone = "Europe/Rome"
        turns = ["anna"]
        from = "2026-01-05"
        handover = "Mon 09:00"
        overrides = "second.overrides"
    "#;

    /// What is configured, where the files say nothing yet.
    struct Given {
        overriding: Overriding,
        rules: Routing,
    }

    impl Given {
        fn read_again(&self) -> Result<Option<(Overriding, Routing)>, Vec<OverridesFault>> {
            self.overriding.read_again(&self.rules)
        }
    }

    fn given() -> (tempfile::TempDir, Given) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("relay.toml");
        std::fs::write(&path, CONFIGURATION).unwrap();
        for file in ["duty.overrides", "second.overrides"] {
            std::fs::write(directory.path().join(file), "").unwrap();
        }
        let loaded = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        (directory, Given { overriding: loaded.config.overriding.unwrap(), rules: loaded.config.routing })
    }

    fn phone(routing: &Routing, rota: &str) -> String {
        let at: Timestamp = "2026-12-25T12:00:00Z".parse().unwrap();
        routing.resolve_written(rota, at).unwrap()[0].to_string()
    }

    /// The file's fault without its directory.
    fn fault(directory: &tempfile::TempDir, given: &Given) -> Vec<String> {
        let faults = given.read_again().unwrap_err();
        let here = format!("{}/", directory.path().display());
        faults.iter().map(|fault| fault.to_string().replace(&here, "")).collect()
    }

    #[test]
    fn what_files_say_now_is_in_the_rules_and_nothing_else_is() {
        let (directory, given) = given();
        let duty = directory.path().join("duty.overrides");
        assert_eq!(given.overriding.files(), [duty.as_path(), &directory.path().join("second.overrides")]);
        assert!(given.read_again().unwrap().is_none(), "as before");
        std::fs::write(&duty, "2026-12-24 .. 2026-12-26 +393470000002\n").unwrap();
        // Half edited, and not looked at.
        std::fs::write(directory.path().join("relay.toml"), "[").unwrap();
        let (after, routing) = given.read_again().unwrap().unwrap();
        assert_eq!(
            (phone(&routing, "duty"), phone(&routing, "second")),
            ("+393470000002".into(), "+393470000001".into())
        );
        assert!(after.read_again(&routing).unwrap().is_none());
        assert!(given.read_again().unwrap().is_some());
        std::fs::write(&duty, "").unwrap();
        assert_eq!(routing.budgets().len(), 1, "what stands beside the rules stays");
        assert_eq!(routing.prices().currency, "EUR");
        let (_, routing) = after.read_again(&routing).unwrap().unwrap();
        assert_eq!(phone(&routing, "duty"), "+393470000001");
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        let (directory, given) = given();
        let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).unwrap();
        write("duty.overrides", "2026-12-24 .. 2026-12-26 anna\n2026-12-24 ..\n\nx\n");
        assert_eq!(
            fault(&directory, &given),
            [
                "duty.overrides:2: column 14: `` is not a day; write it like 2026-12-24",
                "duty.overrides:4: column 1: `x` is not a day; write it like 2026-12-24",
            ]
        );
        let lines = |wrong: &str| {
            let mut lines = ["2026-12-24 .. 2026-12-26 anna"; 9];
            lines[6] = wrong;
            format!("# of a year\n{}\n", lines.join("\n"))
        };
        write("duty.overrides", "");
        for (wrong, told) in [
            (
                "2026-12-24 .. 2026-12-24 nana",
                "`nana` is not a phone number, and there is no alias of that name",
            ),
            (
                "2026-12-24 .. 2026-12-24 +4915112345678",
                "alias `second` leads to a number that `allowed` does not cover; add its prefix there",
            ),
        ] {
            write("second.overrides", &lines(wrong));
            assert_eq!(fault(&directory, &given), [format!("second.overrides:8: {told}")]);
        }
        write("second.overrides", "");
        write("duty.overrides", &lines("2026-12-24 .. 2026-12-24 round"));
        let told = fault(&directory, &given).remove(0);
        assert!(told.starts_with("duty.overrides:8: aliases go in a circle"), "{told}");
        std::fs::remove_file(directory.path().join("duty.overrides")).unwrap();
        let told = fault(&directory, &given).remove(0);
        assert!(told.contains("cannot be read: No such file"), "{told}");
    }

    #[test]
    fn a_file_has_up_to_a_mebibyte() {
        let (directory, given) = given();
        let file = directory.path().join("duty.overrides");
        std::fs::write(&file, "#".repeat(1 << 20)).unwrap();
        assert!(given.read_again().unwrap().is_none());
        std::fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(fault(&directory, &given)[0].contains("is over 1 MiB"));
    }
}
