//! The octets of an answer, as a template.
//!
//! A template is written in the language of Jinja2. It comes from whoever wrote the profile; what it prints may come
//! from the request, so that values are escaped as the content type needs: JSON values with their quotes, and
//! characters that mean something in HTML and XML.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

/// Steps of one rendering: a thousand recipients with a dozen steps each.
const FUEL: u64 = 100_000;
/// The engine's name for the one template of an environment.
const NAME: &str = "answer";
/// What a template may name.
const KNOWN: [&str; 12] = [
    "id",
    "hex",
    "number",
    "reason",
    "state",
    "session",
    "recipients",
    "messages",
    "asked",
    "json",
    "seconds",
    "loop",
];

/// The octets of an answer.
#[derive(Clone)]
pub struct Body {
    environment: Arc<Environment<'static>>,
    source: String,
    tells_each: bool,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({:?})", self.source)
    }
}

/// Why a text is no template of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(String);

/// What an answer may tell.
#[derive(Clone, Debug, Serialize)]
pub struct Words<'a> {
    /// The submission's id; empty where there is none.
    pub id: &'a str,
    /// The same in 32 hexadecimal digits, as other gateways write theirs.
    pub hex: &'a str,
    /// The number of its first SMS in the spool; 0 where there is none.
    pub number: i64,
    /// One sentence: what is wrong, the value, what to do.
    pub reason: &'a str,
    /// The state of the SMS that was asked about.
    pub state: &'a str,
    /// The session that has begun.
    pub session: &'a str,
    /// Each destination, in the order in which the client wrote them. An answer to what was accepted that names
    /// them has destinations taken in part.
    pub recipients: Vec<RecipientWords<'a>>,
    /// Each SMS that will be sent, in order.
    pub messages: Vec<MessageWords<'a>>,
    /// Parameters of the request by their names in lower case, credentials left out.
    pub asked: &'a BTreeMap<String, String>,
    /// Whether the client wants JSON: it sent JSON, or accepts it by name.
    pub json: bool,
    /// The time in seconds since 1970.
    pub seconds: i64,
}

/// What an answer may tell of one destination.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RecipientWords<'a> {
    /// The phone, in digits without `+`; as the client wrote it where it is no phone of ours.
    pub to: &'a str,
    /// The same with `+`; empty where it is no phone of ours.
    pub phone: &'a str,
    /// Whether it was taken.
    pub ok: bool,
    /// The id of its first SMS; empty where it was not taken.
    pub id: &'a str,
    /// The id of its first SMS in 32 hexadecimal digits; empty where it was not taken.
    pub hex: &'a str,
    /// The number of its first SMS in the spool; 0 where it was not taken.
    pub number: i64,
    /// In how many parts its first SMS goes; 0 where it was not taken, or where an answer tells of its state.
    pub parts: u32,
    /// Why it was not taken.
    pub reason: &'a str,
    /// The state of its SMS where an answer tells of that; else empty.
    pub state: &'a str,
}

/// What an answer may tell of one SMS.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MessageWords<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its id in 32 hexadecimal digits.
    pub hex: &'a str,
    /// Its number in the spool.
    pub number: i64,
    /// Its phone, in digits without `+`.
    pub to: &'a str,
    /// Its phone with `+`.
    pub phone: &'a str,
    /// In how many parts it goes.
    pub parts: u32,
}

impl<'a> Words<'a> {
    /// What may be told of a request before anything has come of it.
    pub fn of(asked: &'a BTreeMap<String, String>) -> Self {
        Self {
            id: "",
            hex: "",
            number: 0,
            reason: "",
            state: "",
            session: "",
            recipients: Vec::new(),
            messages: Vec::new(),
            asked,
            json: false,
            seconds: 0,
        }
    }
}

impl Body {
    /// Compiles a template for answers of `content_type`.
    ///
    /// # Errors
    /// [`BodyError`] when it cannot be parsed or names what there is not.
    pub fn new(source: &str, content_type: &str) -> Result<Self, BodyError> {
        let escape = escape_for(content_type);
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
        let syntax = syntax.map_err(|error| BodyError(error.to_string()))?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(false);
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| BodyError(format!("it is not a template: {error}")))?;
        let mut body =
            Self { environment: Arc::new(environment), source: source.to_owned(), tells_each: false };
        let named = body.named()?;
        body.tells_each = named.iter().any(|name| name == "recipients");
        body.check(named)?;
        Ok(body)
    }

    /// Whether it tells of each destination apart.
    pub fn tells_each(&self) -> bool {
        self.tells_each
    }

    fn named(&self) -> Result<Vec<String>, BodyError> {
        let template = self.environment.get_template(NAME).map_err(|error| BodyError(error.to_string()))?;
        Ok(template.undeclared_variables(false).into_iter().collect())
    }

    fn check(&self, mut unknown: Vec<String>) -> Result<(), BodyError> {
        unknown.retain(|name| !KNOWN.contains(&name.as_str()) && !self.is_builtin(name));
        unknown.sort();
        match unknown.first() {
            None => Ok(()),
            Some(name) => Err(BodyError(format!(
                "there is nothing called `{name}`; these are there: {}",
                KNOWN[..KNOWN.len() - 1].join(", ")
            ))),
        }
    }

    fn is_builtin(&self, name: &str) -> bool {
        self.environment.globals().any(|(global, _)| global == name)
    }

    /// The octets.
    ///
    /// # Errors
    /// [`BodyError`] when it takes too many steps, or uses a value as what it is not.
    pub fn render(&self, words: &Words<'_>) -> Result<String, BodyError> {
        let rendered = self.environment.get_template(NAME).and_then(|template| template.render(Serde(words)));
        rendered.map_err(|error| BodyError(error.to_string()))
    }
}

fn escape_for(content_type: &str) -> AutoEscape {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" | "text/json" => AutoEscape::Json,
        "text/html" | "text/xml" | "application/xml" | "application/xhtml+xml" => AutoEscape::Html,
        _ => AutoEscape::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, content_type: &str) -> String {
        let asked = BTreeMap::from([("responsetype".to_owned(), "x<&\"".to_owned())]);
        let recipients = vec![
            RecipientWords { to: "391", ok: true, hex: "0a", number: 7, ..RecipientWords::default() },
            RecipientWords { to: "x", reason: "no", ..RecipientWords::default() },
        ];
        let words = Words { id: "A-1", recipients, ..Words::of(&asked) };
        Body::new(source, content_type).unwrap().render(&words).unwrap()
    }

    #[test]
    fn octets_are_as_written_to_the_last_line_end() {
        assert_eq!(rendered("0: Accepted for delivery", "text/html"), "0: Accepted for delivery");
        assert_eq!(rendered("OK {{ id }}\r\n\n", "text/plain"), "OK A-1\r\n\n");
    }

    #[test]
    fn each_recipient_may_have_a_line() {
        let source = "{% for one in recipients %}{% if one.ok %}ID: {{ one.hex }}{% else %}ERR: 105{% endif %} \
                      To: {{ one.to }}\n{% endfor %}";
        assert_eq!(rendered(source, "text/plain"), "ID: 0a To: 391\nERR: 105 To: x\n");
        assert!(Body::new(source, "text/plain").unwrap().tells_each());
        assert!(
            !Body::new("{% set recipients = 1 %}{{ recipients }} {{ id }}", "text/plain")
                .unwrap()
                .tells_each()
        );
    }

    #[test]
    fn values_are_escaped_as_their_type_needs() {
        let source = "{{ asked.responsetype }}";
        assert_eq!(rendered(source, "text/plain; charset=utf-8"), "x<&\"");
        assert_eq!(rendered(source, "text/xml"), "x&lt;&amp;&quot;");
        assert_eq!(rendered("{\"to\":{{ asked.responsetype }}}", "application/json"), "{\"to\":\"x<&\\\"\"}");
    }

    #[test]
    fn what_is_no_template_is_told() {
        let why = |source| Body::new(source, "text/plain").unwrap_err().to_string();
        assert!(why("{{ id ").starts_with("it is not a template: "), "{}", why("{{ id "));
        assert_eq!(
            why("{{ password }}"),
            "there is nothing called `password`; these are there: id, hex, number, reason, state, session, \
             recipients, messages, asked, json, seconds"
        );
    }

    #[test]
    fn a_template_that_never_ends_ends() {
        let body =
            Body::new("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}", "a/b");
        let asked = BTreeMap::new();
        let words = Words::of(&asked);
        assert!(body.unwrap().render(&words).is_err());
    }
}
