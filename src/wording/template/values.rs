//! The values of the variables: only those that a template names are made.

use std::sync::Arc;

use minijinja::value::{Object, Serde, Value};

use super::filters::Moment;
use super::known::Variable;
use super::{Groups, MAX_WORDS, Source};

/// Longest JSON in octets that is shown whole by `explain`.
const MAX_SHOWN_JSON: usize = 200;

/// What a template names.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    pub(super) variables: Vec<&'static str>,
    /// The header fields, as written.
    pub(super) headers: Vec<String>,
    /// The named groups.
    pub(super) groups: Vec<String>,
}

/// Values by name; a name that is not there is undefined.
#[derive(Debug)]
pub(super) struct Named<N>(pub(super) Vec<(N, Value)>);

impl<N: AsRef<str> + Send + Sync + std::fmt::Debug + 'static> Object for Named<N> {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.iter().find(|(name, _)| name.as_ref() == key).map(|(_, value)| value.clone())
    }
}

/// As much of `text` as a template sees.
pub(super) fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_WORDS)]
}

/// What a template that names `used` sees.
pub(super) fn context(used: &Used, source: &Source<'_>, text: &str, to: &str, groups: &Groups) -> Value {
    let value = |variable: Variable| match variable {
        Variable::Subject => Some(Value::from(beginning(source.subject.trim()))),
        Variable::Text => Some(Value::from(beginning(text))),
        Variable::From => Some(Value::from(beginning(source.from))),
        Variable::FromName => Some(Value::from(beginning(source.from_name))),
        Variable::To => Some(Value::from(beginning(to))),
        Variable::Client => Some(Value::from(source.client.address.to_string())),
        Variable::Listener => Some(Value::from(&*source.client.listener)),
        Variable::Account => Some(Value::from(source.client.account.as_deref().unwrap_or_default())),
        Variable::Helo => Some(Value::from(beginning(source.client.helo.as_deref().unwrap_or_default()))),
        Variable::Headers => {
            let value = |name: &String| Some((name.clone(), Value::from(beginning(&header(source, name)?))));
            Some(Value::from_object(Named(used.headers.iter().filter_map(value).collect())))
        }
        Variable::Received => Some(Value::from_object(Moment(source.received_at.clone()))),
        Variable::Groups => {
            let value = |name: &String| Some((name.clone(), Value::from(beginning(groups.get(name)?))));
            Some(Value::from_object(Named(used.groups.iter().filter_map(value).collect())))
        }
        Variable::Attachments => Some(Value::from(attachments(source).map(Value::from).collect::<Vec<_>>())),
        Variable::Json => json(source, text).map(|json| Value::from(Serde(json))),
    };
    let named = |name: &&'static str| Some((*name, value(Variable::of(name)?)?));
    Value::from_object(Named(used.variables.iter().filter_map(named).collect()))
}

/// The field of this name, or else of this name with `-` for `_`.
fn header(source: &Source<'_>, name: &str) -> Option<String> {
    let field = source.headers.field(name);
    field.or_else(|| name.contains('_').then(|| source.headers.field(&name.replace('_', "-"))).flatten())
}

/// The names of the attachments, or their media types; all together no longer than a text.
fn attachments<'a>(source: &Source<'a>) -> impl Iterator<Item = &'a str> {
    let names = source.attachments.iter().map(|one| one.name.as_deref().unwrap_or(&one.media_type));
    names.scan(MAX_WORDS, |left, name| {
        *left = left.checked_sub(name.len())?;
        Some(name)
    })
}

/// The object or list that the text is as JSON: what is left of the text, or the whole of it where
/// something was left out.
fn json(source: &Source<'_>, text: &str) -> Option<serde_json::Value> {
    let parsed = |text: &str| {
        let text = text.trim();
        let may_be = text.len() <= MAX_WORDS && text.starts_with(['{', '[']);
        may_be.then(|| serde_json::from_str(text).ok()).flatten()
    };
    parsed(text).or_else(|| parsed(source.text).filter(|_| text.trim() != source.text.trim()))
}

/// Every variable that a template may use with its value as text, in the order of the manual: for
/// `sms-relay explain`. Header fields are counted, groups stand one by one, and JSON is shown where it is
/// short.
pub fn variables(source: &Source<'_>, distilled: &str, to: &str, groups: &Groups) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for variable in Variable::ALL {
        let name = variable.name().to_owned();
        let text = match variable {
            Variable::Headers => {
                let fields = source.headers.octets().split(|&octet| octet == b'\n');
                let starts = |line: &[u8]| !line.starts_with(b" ") && !line.starts_with(b"\t");
                match fields.filter(|line| starts(line) && line.contains(&b':')).count() {
                    1 => "1 field".to_owned(),
                    count => format!("{count} fields"),
                }
            }
            Variable::Groups => {
                shown.extend(groups.iter().map(|(group, found)| (format!("{name}.{group}"), found.clone())));
                continue;
            }
            Variable::Attachments => attachments(source).collect::<Vec<_>>().join(", "),
            Variable::Json => match json(source, distilled.trim()) {
                None => continue,
                Some(json) => match (json.to_string(), &json) {
                    (short, _) if short.len() <= MAX_SHOWN_JSON => short,
                    (_, serde_json::Value::Object(object)) => format!("an object of {} names", object.len()),
                    (long, json) => match json.as_array() {
                        Some(list) => format!("a list of {} values", list.len()),
                        None => long,
                    },
                },
            },
            Variable::Subject
            | Variable::Text
            | Variable::From
            | Variable::FromName
            | Variable::To
            | Variable::Client
            | Variable::Listener
            | Variable::Account
            | Variable::Helo
            | Variable::Received => {
                let used = Used { variables: vec![variable.name()], ..Used::default() };
                let context = context(&used, source, distilled.trim(), to, groups);
                context.get_attr(&name).map(|value| value.to_string()).unwrap_or_default()
            }
        };
        shown.push((name, text));
    }
    shown
}
