//! A webhook: any JSON as texts for phones, by the templates of whoever described it.
//!
//! What a template finds comes from a monitoring system, and what is not there is nothing: an annotation that an alert
//! does not have prints nothing, whatever it stands under. A template that names what can never be there is told when
//! it is built. One that fails on a body costs the words and not the alarm: the JSON itself is the text then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::sync::Arc;

use minijinja::machinery::{Instruction, get_compiled_template};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{
    AutoEscape, Environment, ErrorKind, Expression, Output, State, UndefinedBehavior, Value, context, filters,
};
use serde::Serialize;
use serde_json::Value as Json;

/// Steps of one rendering.
const FUEL: u64 = 50_000;
/// Octets that one rendering may print; far more than an SMS of the most parts can carry.
const MAX_OUTPUT: usize = 64 * 1024;
/// Characters of JSON that take the place of a text: about three parts.
const FALL_BACK_CHARACTERS: usize = 450;
/// Elements without a text of their own whose destinations are looked for.
const MAX_LEFT_OUT_TO: usize = 1_000;
/// Texts of one request where the configuration says nothing of it.
pub const DEFAULT_MOST: usize = 20;

/// How a webhook is written in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookParts {
    /// A template of the destinations.
    pub to: String,
    /// A template of the text.
    pub text: String,
    /// A template of the sender.
    pub from: Option<String>,
    /// A template of the lane.
    pub lane: Option<String>,
    /// A template of the time.
    pub deliver_at: Option<String>,
    /// An expression for a list, each of whose elements becomes a text; without it the body becomes one.
    pub each: Option<String>,
    /// An expression for whether there is to be a text.
    pub when: Option<String>,
    /// Most texts of one request, 1 at least; what is more is told of in one further text.
    pub most: usize,
}

/// How JSON becomes texts for phones.
#[derive(Clone)]
pub struct Webhook {
    environment: Arc<Environment<'static>>,
    parts: WebhookParts,
}

/// Why something written cannot be a webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct WebhookError {
    /// The key that it is about.
    pub key: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// Why a body becomes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It has no list where one is expected: it is not what this webhook is for.
    #[error("there is no list at `{0}` in this body; send what this webhook is for")]
    NoList(String),
    /// The expression for the list fails.
    #[error("{0}")]
    Failed(String),
}

/// What a body becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The texts in order.
    pub texts: Vec<RenderedText>,
    /// How many more there would be.
    pub left_out: usize,
    /// The destinations of the first thousand of these, as printed, each once.
    pub left_out_to: Vec<String>,
    /// Whether the template of the destinations failed on some of it.
    pub to_failed: bool,
    /// What failed: keys, kinds of errors and lines, never a value. Each once.
    pub problems: BTreeSet<String>,
}

/// One text and its wishes, as printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedText {
    /// The destinations; empty where none was found.
    pub to: String,
    /// The text, with something in it.
    pub text: String,
    /// The sender.
    pub from: Option<String>,
    /// The lane.
    pub lane: Option<String>,
    /// The time.
    pub deliver_at: Option<String>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.fmt(f)
    }
}

impl PartialEq for Webhook {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Webhook {}

impl WebhookParts {
    fn templates(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("to", Some(&self.to)),
            ("text", Some(&self.text)),
            ("from", self.from.as_ref()),
            ("lane", self.lane.as_ref()),
            ("deliver_at", self.deliver_at.as_ref()),
        ]
        .into_iter()
        .filter_map(|(key, source)| Some((key, source?)))
    }

    fn expressions(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let both = [("each", self.each.as_ref()), ("when", self.when.as_ref())];
        both.into_iter().filter_map(|(key, source)| Some((key, source?)))
    }

    /// What may be named under `key`.
    fn known(&self, key: &str) -> &'static [&'static str] {
        match self.each.is_some() && key != "each" {
            true => &["body", "query", "item", "loop"],
            false => &["body", "query", "loop"],
        }
    }
}

impl Webhook {
    /// Compiles everything that is written.
    ///
    /// # Errors
    /// [`WebhookError`] for the first that cannot be parsed, or names a value, a filter or a test that there is not.
    pub fn new(parts: WebhookParts) -> Result<Self, WebhookError> {
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|error| WebhookError { key: "text", reason: error.to_string() })?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(false);
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(print);
        environment.add_filter("length", length);
        environment.add_filter("count", length);
        environment.add_filter("first", first);
        environment.add_filter("last", last);
        for (key, source) in parts.templates() {
            let wrong =
                |what| move |error| WebhookError { key, reason: format!("it is not {what}: {error}") };
            environment.add_template_owned(key, source.clone()).map_err(wrong("a template"))?;
        }
        for (key, source) in parts.expressions() {
            let wrong = |error| WebhookError { key, reason: format!("it is not an expression: {error}") };
            environment.compile_expression_owned(source.clone()).map_err(wrong)?;
            // What it names is looked for in a template that prints it.
            environment.add_template_owned(key, format!("{{{{ ({source}) }}}}")).map_err(wrong)?;
        }
        let keys = parts.templates().chain(parts.expressions()).map(|(key, _)| key);
        for key in keys {
            unknown_in(&environment, key, parts.known(key)).map_err(|reason| WebhookError { key, reason })?;
        }
        Ok(Self { environment: Arc::new(environment), parts })
    }

    /// What `body` becomes, asked for with the parameters `query`. Its cost grows with the elements of the list; not for
    /// a thread of the runtime.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn render(&self, mut body: Json, query: &BTreeMap<String, String>) -> Result<Rendered, Unusable> {
        without_nulls(&mut body);
        let (body, query) = (Value::from(Serde(body)), Value::from(Serde(query)));
        let all = context! { body => body.clone(), query => query.clone() };
        let elements: Box<dyn Iterator<Item = (Value, Value)>> = match &self.parts.each {
            None => Box::new(std::iter::once((all, body))),
            Some(each) => {
                let list = evaluated("each", &self.compiled("each", each)?, all).map_err(Unusable::Failed)?;
                let no_list = || Unusable::NoList(each.clone());
                if !matches!(list.kind(), ValueKind::Seq | ValueKind::Iterable) {
                    return Err(no_list());
                }
                let items = list.try_iter().map_err(|_| no_list())?;
                Box::new(items.map(move |item| {
                    let known =
                        context! { body => body.clone(), query => query.clone(), item => item.clone() };
                    (known, item)
                }))
            }
        };
        let when = self.parts.when.as_ref().map(|when| self.compiled("when", when)).transpose()?;
        let mut rendered = Rendered::default();
        let mut left_out_to = BTreeSet::new();
        for (known, element) in elements {
            let wanted = match &when {
                None => true,
                // Where that cannot be told: rather an SMS too many than an alarm that nobody hears.
                Some(when) => evaluated("when", when, known.clone()).map_or_else(
                    |problem| {
                        rendered.problems.insert(problem);
                        true
                    },
                    |value| value.is_true(),
                ),
            };
            if !wanted {
                continue;
            }
            if rendered.texts.len() < self.parts.most {
                let text = self.text(&known, &element, &mut rendered);
                rendered.texts.push(text);
            } else {
                rendered.left_out += 1;
                if rendered.left_out <= MAX_LEFT_OUT_TO {
                    let to = self.to(&known, &mut rendered);
                    // Mostly all of them are for the same.
                    if left_out_to.insert(to.clone()) {
                        rendered.left_out_to.push(to);
                    }
                }
            }
        }
        Ok(rendered)
    }

    fn text(&self, known: &Value, element: &Value, rendered: &mut Rendered) -> RenderedText {
        let to = self.to(known, rendered);
        let printed = self.printed("text", known).and_then(|text| match text.trim_matches(is_blank) {
            "" => Err("`text` prints nothing".to_owned()),
            text => Ok(text.to_owned()),
        });
        let text = printed.unwrap_or_else(|problem| {
            rendered.problems.insert(problem);
            json(element)
        });
        let mut wish = |key: &'static str, source: &Option<String>| {
            let printed = source.as_ref().map(|_| self.printed(key, known)).transpose();
            let printed = printed.unwrap_or_else(|problem| {
                rendered.problems.insert(problem);
                None
            });
            printed.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
        };
        RenderedText {
            from: wish("from", &self.parts.from),
            lane: wish("lane", &self.parts.lane),
            deliver_at: wish("deliver_at", &self.parts.deliver_at),
            to,
            text,
        }
    }

    /// The destinations; nothing where their template fails.
    fn to(&self, known: &Value, rendered: &mut Rendered) -> String {
        self.printed("to", known).unwrap_or_else(|problem| {
            rendered.problems.insert(problem);
            rendered.to_failed = true;
            String::new()
        })
    }

    fn printed(&self, key: &'static str, known: &Value) -> Result<String, String> {
        let template = self.environment.get_template(key).map_err(|error| problem(key, &error))?;
        template.render(known.clone()).map_err(|error| problem(key, &error))
    }

    fn compiled(&self, key: &'static str, source: &str) -> Result<Expression<'_, 'static>, Unusable> {
        let compiled = self.environment.compile_expression_owned(source.to_owned());
        compiled.map_err(|error| Unusable::Failed(problem(key, &error)))
    }
}

/// What shows nothing at the ends of a text: a text of nothing else would have all of its request refused.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn evaluated(key: &str, expression: &Expression<'_, '_>, known: Value) -> Result<Value, String> {
    expression.eval(known).map_err(|error| problem(key, &error))
}

/// What failed, without any value.
fn problem(key: &str, error: &minijinja::Error) -> String {
    let line = error.line().filter(|line| *line > 1).map(|line| format!(" in its line {line}"));
    format!("`{key}` fails{}: {}", line.unwrap_or_default(), error.kind())
}

/// The value itself as a text, from its beginning.
fn json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    let end = json.char_indices().nth(FALL_BACK_CHARACTERS).map_or(json.len(), |(end, _)| end);
    match json.get(..end) {
        Some("") | None => "an alarm without words".to_owned(),
        Some(beginning) => beginning.to_owned(),
    }
}

/// # Errors
/// When the template `key` names what there is not: the sentence.
fn unknown_in(environment: &Environment<'_>, key: &str, known: &[&str]) -> Result<(), String> {
    let template = environment.get_template(key).map_err(|error| error.to_string())?;
    let is_builtin = |name: &str| environment.globals().any(|(global, _)| global == name);
    let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    names.retain(|name| !known.contains(&name.as_str()) && !is_builtin(name));
    names.sort();
    if let Some(name) = names.first() {
        let known = known[..known.len() - 1].join(", ");
        return Err(format!("there is nothing called `{name}`; these are there: {known}"));
    }
    let fails_as =
        |tried: String, kind| environment.render_str(&tried, ()).is_err_and(|error| error.kind() == kind);
    let instructions = &get_compiled_template(&template).instructions;
    for instruction in (0..).map_while(|place| instructions.get(place)) {
        let unknown = if let Instruction::ApplyFilter(name, ..) = instruction {
            fails_as(format!("{{{{ 0|{name} }}}}"), ErrorKind::UnknownFilter).then_some(("filter", name))
        } else if let Instruction::PerformTest(name, ..) = instruction {
            fails_as(format!("{{{{ 0 is {name} }}}}"), ErrorKind::UnknownTest).then_some(("test", name))
        } else {
            None
        };
        if let Some((kind, name)) = unknown {
            return Err(format!("there is no {kind} called `{name}`"));
        }
    }
    Ok(())
}

/// What one rendering has printed.
#[derive(Debug, Default)]
struct Printed(usize);

/// How much there is of what is not there: nothing.
fn length(value: &Value) -> Result<usize, minijinja::Error> {
    if value.is_undefined() { Ok(0) } else { filters::length(value) }
}

fn first(value: &Value) -> Result<Value, minijinja::Error> {
    if value.is_undefined() { Ok(Value::UNDEFINED) } else { filters::first(value) }
}

fn last(value: Value) -> Result<Value, minijinja::Error> {
    if value.is_undefined() { Ok(Value::UNDEFINED) } else { filters::last(value) }
}

/// Leaves out members that are null, which are as good as absent.
fn without_nulls(json: &mut Json) {
    match json {
        Json::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(without_nulls),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Prints `value` as long as all of it is not too much; what is absent or null prints nothing, and so does an empty
/// list, which is what a part of something absent is.
fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    let is_empty_list = value.kind() == ValueKind::Seq && value.len() == Some(0);
    if value.is_undefined() || value.is_none() || is_empty_list {
        return Ok(());
    }
    let printed = state.get_or_insert_extension_with(Printed::default);
    let mut bounded = Bounded { out, left: MAX_OUTPUT - printed.0 };
    let written = match value.as_str() {
        Some(text) => bounded.write_str(text),
        None => write!(bounded, "{value}"),
    };
    printed.0 = MAX_OUTPUT - bounded.left;
    written.map_err(|_| minijinja::Error::new(ErrorKind::InvalidOperation, "it printed too much"))
}

/// Output with a bound.
struct Bounded<'o, 'w> {
    out: &'o mut Output<'w>,
    left: usize,
}

impl Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        self.out.write_str(text)
    }
}

#[cfg(test)]
mod tests;
