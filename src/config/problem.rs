//! What is wrong with a configuration, shown with file, line, column and the offending text.
//!
//! A line is shown as it stands in the file, except for what may be a secret: that is replaced
//! before anything is kept, so that no later printing can show it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Most characters of a line that are shown.
const MAX_SHOWN: usize = 200;
/// What stands in place of a secret.
const MASK: &str = "•••";

/// Everything that is wrong with one configuration, or suspicious in it, in the order of the
/// file. `Display` is what `check` prints: nothing for no problem, and a line that counts them at
/// the end.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Problems(Vec<Problem>);

/// One thing that is wrong or suspicious.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The configuration file, as it was named.
    pub file: PathBuf,
    /// Where in it; `None` for what is missing, or for the whole file.
    pub place: Option<Spot>,
    /// What is wrong and what to do: one sentence.
    pub text: String,
    /// Lines to be shown below, like the difference between two texts; mostly empty.
    pub more: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and may not do what was meant.
    Warning,
}

/// A place in the file with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line, secrets replaced.
    shown: String,
    /// Blanks (and tabs as in the line) before the underline.
    indent: String,
    /// Length of the underline, at least 1.
    carets: usize,
}

impl Problems {
    /// The problems in order.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|problem| problem.severity == severity).count()
    }

    /// One error about the whole file.
    pub(super) fn whole_file(file: &Path, text: String) -> Self {
        let more = String::new();
        Self(vec![Problem { severity: Severity::Error, file: file.to_owned(), place: None, text, more }])
    }

    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.0.first() else { return Ok(()) };
        for problem in &self.0 {
            writeln!(f, "{problem}\n")?;
        }
        let counted = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            more => Some(format!("{more} {word}s")),
        };
        let counts = [
            counted(self.count(Severity::Error), "error"),
            counted(self.count(Severity::Warning), "warning"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        writeln!(f, "{} in {}", counts.join(" and "), first.file.display())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:", self.file.display())?;
        let Some(spot) = &self.place else { return write!(f, " {severity}: {}", self.text) };
        writeln!(f, "{}:{}: {severity}: {}", spot.line, spot.column, self.text)?;
        let number = spot.line.to_string();
        writeln!(f, "  {number} | {}", spot.shown)?;
        write!(f, "  {:1$} | {2}{3}", "", number.len(), spot.indent, "^".repeat(spot.carets))?;
        self.more.lines().try_for_each(|line| write!(f, "\n  {:1$}   {line}", "", number.len()))
    }
}

impl Spot {
    /// The place of `span` in `source`. No octet within `masks` is kept.
    pub(super) fn new(source: &str, span: &Range<usize>, masks: &[Range<usize>]) -> Self {
        let start = source.floor_char_boundary(span.start);
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let line = source[line_start..line_end].trim_end_matches('\r');
        let column = source[line_start..start].chars().count() + 1;

        let mut shown = String::new();
        let mut indent = String::new();
        let mut carets = 0;
        let mut masked = None;
        let skipped = column.saturating_sub(MAX_SHOWN / 2);
        if skipped > 0 {
            shown.push_str("...");
            indent.push_str("   ");
        }
        for (n, (at, c)) in line.char_indices().enumerate().skip(skipped) {
            if n - skipped == MAX_SHOWN {
                shown.push_str("...");
                break;
            }
            let at = line_start + at;
            let mask = masks.iter().find(|mask| mask.contains(&at));
            let piece = match mask {
                Some(mask) if masked == Some(mask.start) => continue,
                Some(mask) => {
                    masked = Some(mask.start);
                    MASK.to_owned()
                }
                None if c.is_control() && c != '\t' => '\u{fffd}'.to_string(),
                None => c.to_string(),
            };
            let width = piece.chars().count();
            // A masked piece belongs to the underline when any of it does.
            let end = mask.map_or(at + 1, |mask| mask.end);
            if end <= start {
                indent.push_str(&if c == '\t' { "\t".to_owned() } else { " ".repeat(width) });
            } else if at < span.end {
                carets += width;
            }
            shown.push_str(&piece);
        }
        let line_number = source[..start].matches('\n').count() + 1;
        Self { line: line_number, column, shown, indent, carets: carets.max(1) }
    }
}

/// Whether a key of this name may hold a secret. `file`, `env` and `credential` say where one is.
pub(super) fn may_be_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    !matches!(key.as_str(), "file" | "env" | "credential")
        && ["pass", "pwd", "secret", "key", "token", "credential", "cram"]
            .iter()
            .any(|word| key.contains(word))
}

/// What may be a secret in a text that could not be parsed: on each line everything behind a word
/// that names one, and the lines of a long string that begins there.
pub(super) fn masks_of_unparsed(source: &str) -> Vec<Range<usize>> {
    let mut masks = Vec::new();
    let mut inside: Option<&str> = None;
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let end = at + line.trim_end().len();
        let from = match inside {
            Some(quotes) => {
                if line.contains(quotes) {
                    inside = None;
                }
                Some(at)
            }
            None => {
                let word = secret_word(line);
                if let Some(from) = word {
                    inside = ["\"\"\"", "'''"]
                        .into_iter()
                        .find(|quotes| line[from..].matches(quotes).count() == 1);
                }
                word.map(|from| at + from)
            }
        };
        masks.extend(from.filter(|from| *from < end).map(|from| from..end));
        at += line.len();
    }
    masks
}

/// Where the first word of `line` that names a secret ends.
fn secret_word(line: &str) -> Option<usize> {
    let mut start = 0;
    for piece in line.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != '-') {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
        if may_be_secret(word) {
            return Some(start + word.len());
        }
        start += piece.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, span: Range<usize>, masks: &[Range<usize>]) -> String {
        let place = Some(Spot::new(source, &span, masks));
        let text = "wrong".to_owned();
        let more = String::new();
        Problem { severity: Severity::Error, file: "r.toml".into(), place, text, more }.to_string()
    }

    #[test]
    fn a_problem_shows_its_line_and_underlines_it() {
        assert_eq!(
            shown("a = 1\n\tb = \"è\"\r\nc", 11..15, &[]),
            "r.toml:2:6: error: wrong\n  2 | \tb = \"è\"\n    | \t    ^^^"
        );
        assert_eq!(shown("a", 1..1, &[]), "r.toml:1:2: error: wrong\n  1 | a\n    |  ^");
    }

    #[test]
    fn a_secret_is_replaced_and_the_underline_follows() {
        let source = "k = \"hunter2\" # x";
        let secret = 4..13;
        assert_eq!(
            shown(source, 4..13, std::slice::from_ref(&secret)),
            "r.toml:1:5: error: wrong\n  1 | k = ••• # x\n    |     ^^^"
        );
        assert_eq!(
            shown(source, 16..17, &[secret]),
            "r.toml:1:17: error: wrong\n  1 | k = ••• # x\n    |           ^"
        );
    }

    #[test]
    fn an_endless_line_is_cut_around_the_place() {
        let source = format!("{}!{}", "a".repeat(1000), "b".repeat(1000));
        let text = shown(&source, 1000..1001, &[]);
        assert!(text.len() < 600, "{}", text.len());
        assert!(text.contains("a!b"), "{text}");
    }

    #[test]
    fn secrets_are_found_where_nothing_could_be_parsed() {
        let source = "name = \"x\nPassword = \"hunter2\nb = { api_key = \"hunter2\" ]\ncram_md5 = \"hunter2\"\ntoken = \"\"\"\nhunter2\n\"\"\"\nend =";
        let mut left = source.to_owned();
        for mask in masks_of_unparsed(source).into_iter().rev() {
            left.replace_range(mask, "");
        }
        assert_eq!(left, "name = \"x\nPassword\nb = { api_key\ncram_md5\ntoken\n\n\nend =");
    }
}
