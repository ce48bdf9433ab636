//! APIs of other gateways: those that are built in, and `[[http.profile]]`. Both are written in the same form and
//! read by the same code.

use std::path::Path;

use super::problem::Problems;
use super::reader::{Reader, Section, Value};
use super::values;
use crate::profile::{
    Action, Answer, Answers, Body, BodyKind, Endpoint, Meaning, Methods, Names, Outcome, Profile, Reading,
    Separators, TimeForm,
};

/// The built-in ones: name and file.
const BUILT_IN: &[(&str, &str)] = &[
    ("clickatell", include_str!("profiles/clickatell.toml")),
    ("diafaan", include_str!("profiles/diafaan.toml")),
    ("jasmin", include_str!("profiles/jasmin.toml")),
    ("kannel", include_str!("profiles/kannel.toml")),
    ("nowsms", include_str!("profiles/nowsms.toml")),
    ("ozeki", include_str!("profiles/ozeki.toml")),
    ("playsms", include_str!("profiles/playsms.toml")),
    ("smseagle", include_str!("profiles/smseagle.toml")),
    ("teltonika", include_str!("profiles/teltonika.toml")),
];

/// What `does` may say.
const ACTIONS: &[(&str, Action)] =
    &[("send", Action::Send), ("login", Action::Login), ("status", Action::Status)];
/// What `times` may say.
const TIMES: &[(&str, TimeForm)] =
    &[("iso", TimeForm::Iso), ("compact", TimeForm::Compact), ("minutes", TimeForm::Minutes)];
/// What `body` may say.
const BODIES: &[(&str, BodyKind)] = &[
    ("guessed", BodyKind::Guessed),
    ("json", BodyKind::Json),
    ("form", BodyKind::Form),
    ("text", BodyKind::Text),
];
/// What `methods` may name: whether it is a POST.
const METHODS: &[(&str, bool)] = &[("GET", false), ("POST", true)];
/// Paths of the HTTP door that are taken, or will be.
const OWN_PATHS: [&str; 5] = ["/sms", "/healthz", "/readyz", "/metrics", "/v1"];
/// What an answer is where it says nothing of it.
const PLAIN: &str = "text/plain; charset=utf-8";

/// The names of those that are built in.
pub(super) fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The built-in one of this name, if there is one.
///
/// # Errors
/// [`Problems`] of a file of ours.
pub(super) fn built_in(name: &str) -> Option<Result<Profile, Problems>> {
    let (name, source) = BUILT_IN.iter().find(|(own, _)| *own == name)?;
    let file = format!("{name}.toml");
    let reader = Reader::new(Path::new(&file), source);
    let read = || {
        let document = reader.parse()?;
        let profile = {
            let top = Section::top(&reader, document.get_ref());
            profile(&reader, &top, (*name).to_owned())
        };
        match profile {
            Some(profile) if reader.problems().is_empty() => Ok(profile),
            Some(_) | None => Err(reader.problems()),
        }
    };
    Some(read())
}

/// Reads a profile; `None` when something of it is wrong and told.
pub(super) fn profile(reader: &Reader, section: &Section, name: String) -> Option<Profile> {
    let shared = answers(&section.section("answers"), &[]);
    let written = section.sections("endpoint");
    if written.is_empty() {
        let text = "this profile has no endpoint; write an [[http.profile.endpoint]]";
        reader.error(section.span(), text.to_owned());
        return None;
    }
    // All are read before any is missed, so that every error is noted.
    let read: Vec<Option<Endpoint>> = written.iter().map(|written| endpoint(written, &shared)).collect();
    Some(Profile { name, endpoints: read.into_iter().collect::<Option<_>>()? })
}

fn endpoint(section: &Section, shared: &[(Outcome, Vec<Answer>)]) -> Option<Endpoint> {
    let action = section.or("does", Action::Send, values::word(ACTIONS));
    let methods = section.optional("methods", at_least_one(values::word(METHODS)));
    let methods = methods.unwrap_or_else(|| vec![false, true]);
    let paths = section.required("paths", "\"/sendsms\"", at_least_one(path));
    let with = pairs(section, "with");
    let reading = Reading {
        names: names(&section.section("names")),
        separators: section.optional("separators", separators).unwrap_or_default(),
        times: section.or("times", TimeForm::Iso, values::word(TIMES)),
        body: section.or("body", BodyKind::Guessed, values::word(BODIES)),
        charset: section.optional("charset", charset),
        inside: section.optional("inside", values::text),
        header_prefix: section.optional("header_prefix", header_prefix),
        decode_twice: section.or("decode_twice", false, values::flag),
    };
    let answers = Answers::new(answers(&section.section("answers"), shared));
    let needed = match action {
        Action::Send => [Outcome::Accepted, Outcome::Refused, Outcome::Unavailable],
        Action::Login => [Outcome::LoggedIn, Outcome::Refused, Outcome::Unavailable],
        Action::Status => [Outcome::Known, Outcome::Refused, Outcome::Unavailable],
    };
    for outcome in needed.into_iter().filter(|outcome| !answers.has(*outcome)) {
        let name = outcome.as_str();
        section
            .error(format!("this endpoint has no answer `{name}`{}; write answers.{name}", section.within()));
    }
    let of_send = [Meaning::To, Meaning::Text];
    for meaning in of_send.into_iter().filter(|_| action == Action::Send) {
        if reading.names.of(meaning).is_empty() {
            let name = meaning.as_str();
            section.error(format!(
                "this endpoint has no field for `{name}`{}; write names.{name}",
                section.within()
            ));
        }
    }
    Some(Endpoint {
        action,
        methods: Methods { get: methods.contains(&false), post: methods.contains(&true) },
        paths: paths?,
        with,
        reading,
        answers,
    })
}

fn names(section: &Section) -> Names {
    let written = |meaning: Meaning| {
        let names = section.optional(meaning.as_str(), at_least_one(values::text))?;
        Some((meaning, names))
    };
    Names::new(Meaning::ALL.into_iter().filter_map(written))
}

/// The answers of a section; those of `shared` where it has none of its own.
fn answers(section: &Section, shared: &[(Outcome, Vec<Answer>)]) -> Vec<(Outcome, Vec<Answer>)> {
    let mut all: Vec<(Outcome, Vec<Answer>)> = Vec::new();
    for outcome in Outcome::ALL {
        let (written, _) = section.one_or_more(outcome.as_str());
        let own: Vec<Answer> = written
            .iter()
            .filter(|section| section.is_written())
            .filter_map(|section| answer(section, outcome))
            .collect();
        let inherited = || shared.iter().find(|(of, _)| *of == outcome).map(|(_, answers)| answers.clone());
        match own.is_empty() {
            true => all.extend(inherited().map(|answers| (outcome, answers))),
            false => all.push((outcome, own)),
        }
    }
    all
}

fn answer(section: &Section, outcome: Outcome) -> Option<Answer> {
    let when = pairs(section, "when");
    let status = section.or("status", outcome.status(), status);
    let content_type = section.or("type", PLAIN.to_owned(), content_type);
    let body = section.required("body", "\"OK\"", |value: &Value| {
        let text = value.item.get_ref().as_str();
        let Some(text) = text else { return value.wrong_type("a text") };
        match Body::new(text, &content_type) {
            Ok(body) => Some(body),
            Err(error) => value.fail(format!("`body` cannot be used: {error}")),
        }
    });
    Some(Answer { when, status, content_type, body: body? })
}

/// One, or a list that is not empty.
fn at_least_one<T>(read: impl Fn(&Value) -> Option<T>) -> impl Fn(&Value) -> Option<Vec<T>> {
    move |value| {
        let found = values::one_or_more(&read)(value)?;
        match found.is_empty() {
            true => value.fail(format!("`{}` is empty", value.name)),
            false => Some(found),
        }
    }
}

/// A section of texts with free names, the names in lower case.
fn pairs(section: &Section, key: &'static str) -> Vec<(String, String)> {
    let entries = section.section(key).entries();
    let read =
        |(name, _, value): (String, _, Value)| Some((name.to_ascii_lowercase(), values::text(&value)?));
    entries.into_iter().filter_map(read).collect()
}

fn path(value: &Value) -> Option<String> {
    let path = values::text(value)?;
    let shown = path.escape_debug();
    if !path.starts_with('/') || path.contains(['?', '#']) || path.contains(char::is_whitespace) {
        return value.fail(format!(
            "`{shown}` is not a path; it begins with `/` and has no `?`: write parameters in `with`"
        ));
    }
    if let Some(own) = own_path(&path) {
        return value.fail(format!("`{shown}` cannot be served: `{own}` is a path of the relay's own"));
    }
    Some(path)
}

/// The relay's own path that `path` is, or is below of.
pub(super) fn own_path(path: &str) -> Option<&'static str> {
    OWN_PATHS.into_iter().find(|own| is_below(path, own))
}

/// Whether `path` is `other`, or stands behind it and a slash.
pub(super) fn is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn separators(value: &Value) -> Option<Separators> {
    let Some(written) = value.item.get_ref().as_str() else { return value.wrong_type("a text in quotes") };
    let characters: Vec<char> = written.chars().collect();
    let usable = |c: &char| !c.is_alphanumeric() && !matches!(c, '+' | '-' | '(' | ')' | '.');
    match !characters.is_empty() && characters.iter().all(usable) {
        true => Some(Separators::Only(characters)),
        false => value.fail("`separators` are characters that no number has, such as \",;\"".to_owned()),
    }
}

fn status(value: &Value) -> Option<u16> {
    let number = values::count(200..=599)(value)?;
    u16::try_from(number).ok()
}

fn content_type(value: &Value) -> Option<String> {
    let text = values::text(value)?;
    let is_one = text.contains('/') && text.bytes().all(|octet| (b' '..=b'~').contains(&octet));
    if is_one {
        Some(text)
    } else {
        value.fail("`type` is not a content type, such as \"text/plain\"".to_owned())
    }
}

fn header_prefix(value: &Value) -> Option<String> {
    let prefix = values::text(value)?.to_ascii_lowercase();
    let is_one = prefix.starts_with("x-") && prefix.len() > 2;
    if is_one && prefix.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-') {
        return Some(prefix);
    }
    value.fail(format!(
        "`{}` is not what names of header fields begin with; write one such as \"x-sms-\"",
        prefix.escape_debug()
    ))
}

fn charset(value: &Value) -> Option<String> {
    let label = values::text(value)?;
    let known = encoding_rs::Encoding::for_label(label.as_bytes());
    match known.is_some_and(|encoding| encoding.is_ascii_compatible()) {
        true => Some(label),
        false => {
            let shown = label.escape_debug();
            value.fail(format!(
                "`{shown}` is not a charset that forms can be in; write one such as \"iso-8859-1\""
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_right() {
        assert_eq!(built_in_names().count(), 9);
        for name in built_in_names() {
            let profile = built_in(name).unwrap().unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(profile.name, name);
            assert!(profile.endpoints.iter().any(|endpoint| endpoint.action == Action::Send), "{name}");
        }
        assert!(built_in("generic").is_none());
    }
}
