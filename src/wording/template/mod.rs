//! What of a mail goes into the SMS: the subject, the body, both, or a template of them. Templates of a
//! report are made by the same engine.
//!
//! A template is written in the language of Jinja2. It comes from the operator, what it prints from
//! anybody: `check` looks at every part of it when it is built, each rendering is bounded in steps, in
//! what its filters read, and in what it prints, and a template that fails on one message costs its
//! layout, not the message.
//!
//! - `known`: what a template may name
//! - `check`: what is wrong with a template, and how much work one rendering may do
//! - `values`: the values of the variables of an SMS
//! - `report`: templates of a report
//! - `own`: templates of what the relay itself has to say
//! - `filters`: the filters made for this
//! - `budget`: what one rendering may read and print

mod budget;
mod check;
mod filters;
mod known;
mod own;
mod report;
mod values;

use std::ops::Range;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

use super::{Groups, Source};

pub use own::{OwnTemplate, OwnWords};
pub use report::{RecipientWords, ReportTemplate, ReportWords};
pub use values::variables;

/// Octets that one rendering may print; far more than 255 parts can carry.
const MAX_OUTPUT: usize = 256 * 1024;
/// Octets of one variable that a template sees, from its beginning; more than 255 parts can carry.
const MAX_WORDS: usize = 64 * 1024;
/// The engine's name for the one template of an environment.
const NAME: &str = "text";

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
    used: Arc<values::Used>,
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Custom({:?})", self.source)
    }
}

/// Why a text is not a template that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TemplateError {
    /// What is wrong, the value, and what to do.
    pub reason: String,
    /// Octets of the template that it is about, where that is known.
    pub range: Option<Range<usize>>,
}

impl TemplateError {
    /// Octets of the template that are wrong, where that is known.
    pub fn range(&self) -> Option<Range<usize>> {
        self.range.clone()
    }
}

impl Template {
    /// Reads the words `subject`, `body` and `both`; anything else is a template.
    ///
    /// # Errors
    /// [`TemplateError`] when it cannot be parsed, or any part of it names what does not exist, cannot
    /// work, or could take more time or memory than an SMS is worth. The first one, by its place.
    pub fn new(written: &str) -> Result<Self, TemplateError> {
        match written {
            "subject" => Ok(Self::Subject),
            "body" => Ok(Self::Body),
            "both" => Ok(Self::Both),
            source => Custom::new(source, &known::SMS).map(Self::Custom),
        }
    }

    /// The named groups that it uses, each of which must be in a pattern of its rule.
    pub fn groups(&self) -> &[String] {
        match self {
            Self::Subject | Self::Body | Self::Both => &[],
            Self::Custom(custom) => &custom.used.groups,
        }
    }

    /// The text, and what went wrong where a template failed: then the text is as of
    /// [`Template::Both`]. Blank space around it is cut off.
    pub fn render(
        &self,
        source: &Source<'_>,
        text: &str,
        to: &str,
        groups: &Groups,
    ) -> (String, Option<String>) {
        let (subject, body) = (source.subject.trim(), text.trim());
        let one_of = |first: &str, second: &str| if first.is_empty() { second } else { first }.to_owned();
        let both = || match (subject, body) {
            ("", only) | (only, "") => only.to_owned(),
            (subject, body) => format!("{subject}\n{body}"),
        };
        match self {
            Self::Subject => (one_of(subject, body), None),
            Self::Body => (one_of(body, subject), None),
            Self::Both => (both(), None),
            Self::Custom(custom) => match custom.render(source, body, to, groups) {
                Ok(text) if text.trim().is_empty() => {
                    (both(), Some("the template made an empty text".to_owned()))
                }
                Ok(text) if text.len() > MAX_OUTPUT => {
                    (both(), Some("the template failed: it printed too much".to_owned()))
                }
                Ok(text) => (text.trim().to_owned(), None),
                Err(error) => (both(), Some(format!("the template failed: {}", reason(&error)))),
            },
        }
    }
}

impl Custom {
    fn new(source: &str, vocabulary: &'static known::Vocabulary) -> Result<Self, TemplateError> {
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|error| check::syntax_error(source, &error))?;
        let checked = check::check(source, &syntax, vocabulary)?;
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(checked.fuel));
        environment.set_debug(false);
        environment.set_syntax(syntax);
        environment.set_formatter(budget::print);
        known::register(&mut environment);
        filters::register(&mut environment, checked.patterns);
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| check::syntax_error(source, &error))?;
        Ok(Self {
            environment: Arc::new(environment),
            source: source.to_owned(),
            used: Arc::new(checked.used),
        })
    }

    fn render(
        &self,
        source: &Source<'_>,
        text: &str,
        to: &str,
        groups: &Groups,
    ) -> Result<String, minijinja::Error> {
        self.render_with(values::context(&self.used, source, text, to, groups))
    }

    fn render_with(&self, context: minijinja::Value) -> Result<String, minijinja::Error> {
        self.environment.get_template(NAME)?.render(context)
    }
}

/// One line of an error of the template engine, without its picture of the source.
fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) if error.kind() == minijinja::ErrorKind::InvalidOperation => detail.to_owned(),
        Some(detail) => format!("{} ({detail})", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests;
