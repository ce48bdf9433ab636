//! What of a mail goes into the SMS: the subject, the body, both, or a template of them.
//!
//! A template is written in the language of Jinja2 and sees four variables: `subject`, `text`,
//! `from` and `to`. It comes from the operator, what it prints from anybody: steps and output are
//! bounded, and a template that fails on one message costs its layout, not the message.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, context};

/// Steps of one rendering; a loop over a few thousand lines fits.
const FUEL: u64 = 100_000;
/// Octets that one rendering may print; far more than 255 parts can carry.
const MAX_OUTPUT: usize = 256 * 1024;
/// Octets of one variable that a template sees, from its beginning; more than 255 parts can carry.
const MAX_WORDS: usize = 64 * 1024;
/// The variables that a template may name.
const VARIABLES: [&str; 4] = ["subject", "text", "from", "to"];

/// How the text of an SMS is made.
#[derive(Clone, Debug)]
pub enum Template {
    /// The subject; the body where there is no subject.
    Subject,
    /// The body; the subject where there is no body. The default.
    Body,
    /// The subject, a line end, the body; only one of them where the other is missing.
    Both,
    /// A template of the operator's.
    Custom(Custom),
}

/// A compiled template.
#[derive(Clone)]
pub struct Custom {
    environment: Arc<Environment<'static>>,
    source: String,
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Custom({:?})", self.source)
    }
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be parsed.
    #[error("this is not a valid template: {reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
        /// Octets of the template that it is about.
        range: Option<Range<usize>>,
    },
    /// It names something that does not exist.
    #[error("a template has no variable `{name}`; it has {}", VARIABLES.join(", "))]
    UnknownVariable {
        /// The name.
        name: String,
        /// Octets of the template where the name first stands.
        range: Option<Range<usize>>,
    },
    /// It failed when tried: an unknown filter, mostly.
    #[error("this template cannot be filled in: {reason}")]
    Unusable {
        /// What failed.
        reason: String,
        /// Octets of the template that it is about.
        range: Option<Range<usize>>,
    },
}

impl TemplateError {
    /// Octets of the template that are wrong, where that is known.
    pub fn range(&self) -> Option<Range<usize>> {
        match self {
            Self::Syntax { range, .. }
            | Self::UnknownVariable { range, .. }
            | Self::Unusable { range, .. } => range.clone(),
        }
    }
}

/// What a template sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    pub(super) subject: &'a str,
    pub(super) text: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
}

impl Template {
    /// Reads the words `subject`, `body` and `both`; anything else is a template.
    ///
    /// # Errors
    /// [`TemplateError`] when it cannot be parsed, names an unknown variable, or uses an unknown
    /// filter, test or function.
    pub fn new(written: &str) -> Result<Self, TemplateError> {
        match written {
            "subject" => Ok(Self::Subject),
            "body" => Ok(Self::Body),
            "both" => Ok(Self::Both),
            source => Custom::new(source).map(Self::Custom),
        }
    }

    /// The text, and what went wrong where a template failed: then the text is as of
    /// [`Template::Both`]. Blank space around it is cut off.
    pub(super) fn render(&self, words: &Words) -> (String, Option<String>) {
        let (subject, body) = (words.subject.trim(), words.text.trim());
        let one_of = |first: &str, second: &str| if first.is_empty() { second } else { first }.to_owned();
        let both = || match (subject, body) {
            ("", only) | (only, "") => only.to_owned(),
            (subject, body) => format!("{subject}\n{body}"),
        };
        match self {
            Self::Subject => (one_of(subject, body), None),
            Self::Body => (one_of(body, subject), None),
            Self::Both => (both(), None),
            Self::Custom(custom) => match custom.render(words) {
                Ok(text) if text.trim().is_empty() => {
                    (both(), Some("the template made an empty text".to_owned()))
                }
                Ok(text) => (text.trim().to_owned(), None),
                Err(error) => (both(), Some(format!("the template failed: {}", reason(&error)))),
            },
        }
    }
}

impl Custom {
    fn new(source: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(false);
        environment
            .add_template_owned("text", source.to_owned())
            .map_err(|error| TemplateError::Syntax { reason: reason(&error), range: error.range() })?;
        let custom = Self { environment: Arc::new(environment), source: source.to_owned() };
        custom.check()?;
        Ok(custom)
    }

    fn check(&self) -> Result<(), TemplateError> {
        let failed = |error: minijinja::Error| TemplateError::Unusable {
            reason: reason(&error),
            range: error.range(),
        };
        let template = self.environment.get_template("text").map_err(failed)?;
        let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        unknown.retain(|name| !VARIABLES.contains(&name.as_str()));
        unknown.sort();
        if let Some(name) = unknown.into_iter().next() {
            let range = self.source.find(&name).map(|at| at..at + name.len());
            return Err(TemplateError::UnknownVariable { name, range });
        }
        // A trial finds unknown filters. Whatever else fails may depend on the words.
        use minijinja::ErrorKind::{UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
        let sample = Words { subject: "subject", text: "text", from: "from", to: "to" };
        match self.render(&sample) {
            Err(error)
                if matches!(error.kind(), UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest) =>
            {
                Err(failed(error))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn render(&self, words: &Words) -> Result<String, minijinja::Error> {
        let mut out = Bounded(Vec::new());
        let [subject, text, from, to] = [words.subject, words.text, words.from, words.to].map(beginning);
        self.environment
            .get_template("text")?
            .render_captured_to(context! { subject, text, from, to }, &mut out)?;
        Ok(String::from_utf8_lossy(&out.0).into_owned())
    }
}

/// As much of `text` as a template sees.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_WORDS)]
}

/// One line of an error of the template engine, without its picture of the source.
fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{} ({detail})", error.kind()),
        None => error.kind().to_string(),
    }
}

/// Output with a bound.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.0.len() + octets.len() > MAX_OUTPUT {
            return Err(io::Error::other("the template printed too much"));
        }
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
