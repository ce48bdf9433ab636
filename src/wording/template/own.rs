//! The words of an SMS that the relay itself sends: a test, or word of somebody who is silent.

use jiff::Zoned;
use minijinja::value::Value;

use super::filters::Moment;
use super::known::{Kind, Vocabulary};
use super::values::{Named, beginning};
use super::{Custom, MAX_OUTPUT, TemplateError, reason};

static OWN: Vocabulary = Vocabulary {
    made: "an SMS of the relay's own",
    names: &[("name", Kind::Text), ("kind", Kind::Text), ("silent", Kind::Text), ("now", Kind::Time)],
    meant: &[
        ("time", "now"),
        ("date", "now"),
        ("received", "now"),
        ("account", "name"),
        ("rule", "name"),
        ("network", "name"),
        ("days", "silent"),
        ("for", "silent"),
    ],
};

/// A template of an SMS of the relay's own. A text without any variable is one, too.
#[derive(Clone, Debug)]
pub struct OwnTemplate(Custom);

/// What such a template sees.
#[derive(Clone, Debug)]
pub struct OwnWords<'a> {
    /// The name of the test, or of who is silent.
    pub name: &'a str,
    /// `heartbeat`, or what is silent: `rule`, `account` or `network`.
    pub kind: &'a str,
    /// For how long, like `8 days`; empty for a test.
    pub silent: &'a str,
    /// What time it is.
    pub now: Zoned,
}

impl OwnTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// As for [`Template::new`](super::Template::new).
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        Custom::new(source, &OWN).map(Self)
    }

    /// The words, never blank.
    ///
    /// # Errors
    /// Why it could not make them, in one line.
    pub fn render(&self, words: &OwnWords<'_>) -> Result<String, String> {
        let text = |text: &str| Value::from(beginning(text));
        let context = Value::from_object(Named(vec![
            ("name", text(words.name)),
            ("kind", text(words.kind)),
            ("silent", text(words.silent)),
            ("now", Value::from_object(Moment(words.now.clone()))),
        ]));
        let text = self.0.render_with(context).map_err(|error| reason(&error))?;
        if text.trim().is_empty() {
            Err("it made an empty text".to_owned())
        } else if text.len() > MAX_OUTPUT {
            Err("it printed too much".to_owned())
        } else {
            Ok(text.trim().to_owned())
        }
    }
}

impl PartialEq for OwnTemplate {
    /// Whether they were written alike.
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    fn render(source: &str) -> Result<String, String> {
        let now = Timestamp::from_second(1_800_000_000).unwrap().to_zoned(TimeZone::UTC);
        let words = OwnWords { name: "ups", kind: "account", silent: "8 days", now };
        OwnTemplate::new(source).map_err(|error| error.to_string())?.render(&words)
    }

    #[test]
    fn it_may_be_plain_or_name_who_and_for_how_long() {
        assert_eq!(render("The test of Monday").unwrap(), "The test of Monday");
        assert_eq!(
            render("{{ kind }} {{ name }}: {{ silent }}, {{ now }}").unwrap(),
            "account ups: 8 days, 2027-01-15 08:00"
        );
        assert_eq!(render("{{ name | upper }} ").unwrap(), "UPS");
    }

    #[test]
    fn what_does_not_exist_is_refused_with_what_was_meant() {
        let error = render("{{ days }}").unwrap_err();
        assert!(error.contains("`silent`"), "{error}");
        assert_eq!(render("{% if false %}x{% endif %}").unwrap_err(), "it made an empty text");
    }
}
