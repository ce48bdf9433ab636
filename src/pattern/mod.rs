//! Regular expressions and globs of the operator's: bounded in memory, linear in time, errors with their place.
//!
//! - a [`Pattern`]: one of them
//! - a [`Sieve`]: which of many can be in a text, in one pass; `needles` are the words that it looks for and `fold` is what
//!   it makes of upper and lower case
//! - `loose`: patterns without their borders of words, which are slow in a text outside ASCII
//! - [`Bits`]: a set of small numbers

mod bits;
mod fold;
mod glob;
mod loose;
mod needles;
mod sieve;

use std::ops::Range;

pub use bits::Bits;
pub use sieve::Sieve;

use loose::Loose;
use regex::{Captures, Match, Regex, RegexBuilder};

/// Memory that one compiled pattern may take, in octets.
const MAX_COMPILED: usize = 1 << 20;
/// How deep groups may stand in each other.
const MAX_NESTING: u32 = 50;

/// A regular expression, found anywhere in the text unless anchored. It pays no regard to case;
/// `(?-i)` at its beginning changes that. Its cost is linear in the text.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// As written, where it is a glob.
    glob: Option<String>,
    /// `None` where it has no borders of words.
    loose: Option<Loose>,
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid {}: {reason}", .is_glob.then_some("glob").unwrap_or("regular expression"))]
pub struct PatternError {
    /// What is wrong.
    pub reason: String,
    /// Whether it was to be a glob.
    pub is_glob: bool,
    /// Octets of the expression that it is about, where that is known.
    pub range: Option<Range<usize>>,
}

impl Pattern {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`PatternError`] when it is not a regular expression, or too large once compiled.
    pub fn new(source: &str) -> Result<Self, PatternError> {
        // `regex` tells the place of an error only inside its text; its parser tells it as numbers.
        let tree = parser().build().parse(source).map_err(|error| syntax_error(&error))?;
        RegexBuilder::new(source)
            .case_insensitive(true)
            .nest_limit(MAX_NESTING)
            .size_limit(MAX_COMPILED)
            .build()
            .map(|regex| Self { regex, glob: None, loose: Loose::of(&tree) })
            .map_err(|error| {
                let too_big = matches!(error, regex::Error::CompiledTooBig(_));
                let small = || "it is too large; use smaller repetitions".to_owned();
                let reason = if too_big { small() } else { error.to_string() };
                PatternError { reason, is_glob: false, range: None }
            })
    }

    /// Compiles a glob over the whole text: `*` stands for any characters, `?` for one, `[..]` for one of these and `[!..]`
    /// for one that is none of these. It pays no regard to case.
    ///
    /// # Errors
    /// [`PatternError`] when it is not a glob, or too large once compiled.
    pub fn glob(source: &str) -> Result<Self, PatternError> {
        let expression = glob::translate(source)?;
        // Its places are those of the expression, which nobody wrote.
        let compiled = Self::new(&expression);
        let compiled = compiled.map_err(|error| PatternError { is_glob: true, range: None, ..error })?;
        Ok(Self { glob: Some(source.to_owned()), ..compiled })
    }

    /// As it was written: the glob, or the expression.
    pub fn written(&self) -> &str {
        self.glob.as_deref().unwrap_or_else(|| self.source())
    }

    /// Whether it was written as a glob.
    pub fn is_glob(&self) -> bool {
        self.glob.is_some()
    }

    /// Whether it is found in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        self.begin(text).is_some_and(|begin| self.regex.is_match_at(text, begin))
    }

    /// The regular expression, of a glob that which it stands for.
    pub fn source(&self) -> &str {
        self.regex.as_str()
    }

    /// Its named groups.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// The named groups that took part where it is first found in `text`; `None` where it is not in it.
    pub fn groups(&self, text: &str) -> Option<Vec<(&str, String)>> {
        let captures = self.captures(text)?;
        let group = |name| captures.name(name).map(|found| (name, found.as_str().to_owned()));
        Some(self.group_names().filter_map(group).collect())
    }

    /// The octets of `text` where it is first found.
    pub fn find(&self, text: &str) -> Option<Range<usize>> {
        self.first(text).map(|found| found.range())
    }

    /// The octets of every place of `text` where it is found, in order; some may be empty. Each is found in
    /// linear time.
    pub fn find_all(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        self.regex.find_iter(text).map(|found| found.range())
    }

    /// The number of the named group `name`.
    pub fn group_number(&self, name: &str) -> Option<usize> {
        self.regex.capture_names().position(|known| known == Some(name))
    }

    /// How many groups it has; the whole is group 0 and counts.
    pub fn group_count(&self) -> usize {
        self.regex.captures_len()
    }

    /// What the group of this number matched where the pattern is first found in `text`; 0 is the whole.
    pub fn group<'t>(&self, text: &'t str, number: usize) -> Option<&'t str> {
        self.captures(text)?.get(number).map(|found| found.as_str())
    }

    fn first<'t>(&self, text: &'t str) -> Option<Match<'t>> {
        self.regex.find_at(text, self.begin(text)?)
    }

    fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex.captures_at(text, self.begin(text)?)
    }

    /// The octet of `text` from which on it is to be looked for; `None` where it is nowhere.
    fn begin(&self, text: &str) -> Option<usize> {
        match &self.loose {
            Some(loose) if !text.is_ascii() => loose.begin(self.source(), text),
            _ => Some(0),
        }
    }

    /// Whether both find the same, as far as their expressions tell.
    pub fn same_as(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

/// Reads an expression as [`Pattern::new`] does.
fn parser() -> regex_syntax::ParserBuilder {
    let mut parser = regex_syntax::ParserBuilder::new();
    parser.nest_limit(MAX_NESTING).case_insensitive(true);
    parser
}

fn syntax_error(error: &regex_syntax::Error) -> PatternError {
    let (reason, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
        // The enum is open; its other variants have a text only.
        other => (other.to_string(), None),
    };
    PatternError { reason, is_glob: false, range: span.map(|span| span.start.offset..span.end.offset) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_tell_where_they_are_wrong() {
        let error = Pattern::new("alarm (high|low").unwrap_err();
        assert_eq!(error.to_string(), "this is not a valid regular expression: unclosed group");
        assert_eq!(error.range, Some(6..7));
        assert_eq!(Pattern::new("a\\p{Foo}").unwrap_err().range, Some(1..8));
        assert_eq!(
            Pattern::new("(a{1000}){1000}").unwrap_err().to_string(),
            "this is not a valid regular expression: it is too large; use smaller repetitions"
        );
        assert!(Pattern::new(&"(".repeat(60)).is_err());
    }

    #[test]
    fn groups_that_took_part_are_found_by_name() {
        let pattern = Pattern::new("(?P<host>\\w+) is (down|(?P<state>up))").unwrap();
        assert_eq!(pattern.groups("Alarm: SRV1 is down"), Some(vec![("host", "SRV1".to_owned())]));
        assert_eq!(pattern.groups("nothing"), None);
        assert_eq!(pattern.find("Alarm: SRV1 is down"), Some(7..19));
        assert_eq!(pattern.group_names().collect::<Vec<_>>(), ["host", "state"]);
    }
}
