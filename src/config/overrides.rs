//! The overrides of rotas, which are read again by themselves: nothing else of the configuration is, as it may be half
//! edited.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::reader::Kept;
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
    /// Why some of them are not as they stand there.
    faults: Vec<OverridesFault>,
    /// Files of which nothing was ever right since the start.
    without: BTreeSet<PathBuf>,
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

impl OverridesFault {
    pub(super) fn of(file: &Path, error: OverrideError) -> Self {
        let OverrideError { line, column, what } = error;
        Self { file: file.to_owned(), line: Some(line), text: format!("column {column}: {what}") }
    }
}

impl Kept<'_> {
    /// What there is of this file.
    pub(super) fn overrides_of(self, file: &Path) -> Overrides {
        let found = self.0.and_then(|held| {
            let (rota, _) = held.files.iter().find(|(_, one)| one == file)?;
            Some(held.parts.rotas.get(*rota)?.1.overrides.clone())
        });
        found.unwrap_or_default()
    }

    /// Whether there is something of it, be it that nobody is named there.
    fn has(self, file: &Path) -> bool {
        self.0
            .is_some_and(|held| !held.without.contains(file) && held.files.iter().any(|(_, one)| one == file))
    }
}

impl Overriding {
    /// What `parts` say; `None` where no rota has a file.
    pub(super) fn new(parts: &Parts, files: Vec<(usize, PathBuf)>) -> Option<Self> {
        (!files.is_empty()).then(|| Self {
            parts: parts.clone(),
            files,
            faults: Vec::new(),
            without: BTreeSet::new(),
        })
    }

    /// The same where some files cannot be taken, which are `faults`: with what is kept of those with which the rules
    /// cannot be built, and of them what is wrong. Where the rules cannot be built by that either, all is as written.
    pub(super) fn keeping(self, kept: Kept<'_>, faults: Vec<OverridesFault>) -> Self {
        let mut found = Self { faults, ..self };
        if found.parts.clone().build().is_err() {
            found.fit(kept);
        }
        let wrong = found.faults.iter().map(|fault| fault.file.clone());
        found.without = wrong.filter(|file| !kept.has(file)).collect();
        found
    }

    fn fit(&mut self, kept: Kept<'_>) {
        let mut fitting = self.clone();
        for (rota, file) in &self.files {
            fitting.parts.rotas[*rota].1.overrides = kept.overrides_of(file);
        }
        if fitting.parts.clone().build().is_err() {
            return;
        }
        for (rota, file) in &self.files {
            let read = &self.parts.rotas[*rota].1.overrides;
            let before = std::mem::replace(&mut fitting.parts.rotas[*rota].1.overrides, read.clone());
            if fitting.parts.clone().build().is_err() {
                fitting.parts.rotas[*rota].1.overrides = before;
                let fault = fitting.culprit(vec![(*rota, file, read.clone())]);
                fitting.faults.push(fault);
            }
        }
        *self = fitting;
    }

    /// The rules with these overrides.
    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What is wrong with files whose overrides could not be taken when the configuration was read; what holds of each is
    /// what was there before.
    pub fn faults(&self) -> &[OverridesFault] {
        &self.faults
    }

    /// Why whoever is on call may not be who was to be: there was nothing before of a file that is wrong. Without its name,
    /// since anybody may ask.
    pub fn trouble(&self) -> Option<String> {
        let files = match self.without.len() {
            0 => return None,
            1 => "a file of overrides is".to_owned(),
            many => format!("{many} files of overrides are"),
        };
        Some(format!(
            "rotas: {files} wrong or gone since the start, and on call is who would be without; the log names file and line"
        ))
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
            let fault = |error| OverridesFault::of(file, error);
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
        if changed.is_empty() && self.without.is_empty() {
            return Ok(None);
        }
        let mut parts = self.parts.clone();
        for (rota, _, overrides) in &changed {
            parts.rotas[*rota].1.overrides = overrides.clone();
        }
        let Ok(routing) = parts.clone().build() else { return Err(vec![self.culprit(changed)]) };
        let after = Self { parts, files: self.files.clone(), faults: Vec::new(), without: BTreeSet::new() };
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

    use super::super::{Config, load, load_to_run};
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
    fn a_relay_starts_without_a_file_that_is_wrong_and_has_it_once_it_is_right() {
        let (directory, _) = given();
        let path = directory.path().join("relay.toml");
        let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).unwrap();
        write("second.overrides", "2026-12-24 .. 2026-12-26 +393470000003\n");
        for (wrong, told) in [
            ("x", ":1: column 1: `x` is not a day; write it like 2026-12-24"),
            (
                "\n2026-12-24 .. 2026-12-26 nana",
                ":2: `nana` is not a phone number, and there is no alias of that name",
            ),
        ] {
            write("duty.overrides", wrong);
            assert!(load(&path).is_err());
            let Config { overriding, routing: rules, .. } =
                load_to_run(&path, None).unwrap_or_else(|problems| panic!("{problems}")).config;
            let overriding = overriding.unwrap();
            let faults: Vec<String> = overriding.faults().iter().map(ToString::to_string).collect();
            assert!(faults.len() == 1 && faults[0].ends_with(&format!("duty.overrides{told}")), "{faults:?}");
            assert!(overriding.trouble().unwrap().contains(" a file of overrides is wrong or gone"));
            assert_eq!(
                (phone(&rules, "duty"), phone(&rules, "second")),
                ("+393470000001".into(), "+393470000003".into())
            );
            // Loaded again it is as little there as before.
            let again = load_to_run(&path, Some(&overriding)).unwrap().config.overriding.unwrap();
            assert!(again.trouble().is_some());
            // Right, though it names nobody.
            write("duty.overrides", "");
            let (after, _) = again.read_again(&rules).unwrap().unwrap();
            assert_eq!((after.trouble(), after.faults().len()), (None, 0));
        }
        std::fs::remove_file(directory.path().join("duty.overrides")).unwrap();
        std::fs::remove_file(directory.path().join("second.overrides")).unwrap();
        let overriding = load_to_run(&path, None).unwrap().config.overriding.unwrap();
        assert!(overriding.trouble().unwrap().contains(" 2 files of overrides are wrong or gone"));
    }

    #[test]
    fn a_reload_keeps_what_it_has_of_a_file_that_is_wrong_and_takes_all_else() {
        let (directory, _) = given();
        let path = directory.path().join("relay.toml");
        let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).unwrap();
        write("duty.overrides", "2026-12-24 .. 2026-12-26 +393470000002\n");
        let held = load(&path).unwrap().config.overriding.unwrap();
        std::fs::write(&path, CONFIGURATION.replace("anna = \"+393470000001\"", "anna = \"+393470000004\""))
            .unwrap();
        for wrong in ["x", "2026-12-24 .. 2026-12-26 nana"] {
            write("duty.overrides", wrong);
            let loaded = load_to_run(&path, Some(&held)).unwrap_or_else(|problems| panic!("{problems}"));
            let overriding = loaded.config.overriding.unwrap();
            assert_eq!((overriding.faults().len(), overriding.trouble()), (1, None));
            let rules = &loaded.config.routing;
            assert_eq!(
                (phone(rules, "duty"), phone(rules, "second")),
                ("+393470000002".into(), "+393470000004".into())
            );
        }
        // What is kept does not fit either: nothing is taken, and both are told.
        write("duty.overrides", "2026-12-24 .. 2026-12-26 anna\n");
        let held = load(&path).unwrap().config.overriding.unwrap();
        write("duty.overrides", "x");
        let renamed = CONFIGURATION.replace("anna", "hanna");
        std::fs::write(&path, renamed).unwrap();
        let told = load_to_run(&path, Some(&held)).unwrap_err().to_string();
        assert!(
            told.contains("`anna` is not a phone number") && told.contains("duty.overrides:1: column 1: `x`"),
            "{told}"
        );
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
