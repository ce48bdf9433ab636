//! APIs as data: `/sms`, those of other gateways that are built in, and `[[http.profile]]`. All are written in the same
//! form and read by the same code.

use std::path::Path;
use std::sync::Arc;

use super::problem::Problems;
use super::reader::{Reader, Section, Value};
use super::values;
use crate::profile::{
    Action, Answer, Answers, Body, BodyKind, CallbackStyle, DEFAULT_MOST, Endpoint, Meaning, Methods, Names,
    Outcome, Profile, Reading, Separators, TimeForm, UnaskedSender, Webhook, WebhookParts,
};

/// The built-in ones: name and file.
const BUILT_IN: &[(&str, &str)] = &[
    ("alertmanager", include_str!("profiles/alertmanager.toml")),
    ("clickatell", include_str!("profiles/clickatell.toml")),
    ("diafaan", include_str!("profiles/diafaan.toml")),
    ("grafana", include_str!("profiles/grafana.toml")),
    ("jasmin", include_str!("profiles/jasmin.toml")),
    ("kannel", include_str!("profiles/kannel.toml")),
    ("nowsms", include_str!("profiles/nowsms.toml")),
    ("ozeki", include_str!("profiles/ozeki.toml")),
    ("playsms", include_str!("profiles/playsms.toml")),
    ("prtg", include_str!("profiles/prtg.toml")),
    ("qnap", include_str!("profiles/qnap.toml")),
    ("smseagle", include_str!("profiles/smseagle.toml")),
    ("synology", include_str!("profiles/synology.toml")),
    ("teltonika", include_str!("profiles/teltonika.toml")),
];

/// The relay's own `/sms`, which every listener serves.
const SMS: (&str, &str) = ("sms", include_str!("profiles/sms.toml"));

/// What `does` may say.
const ACTIONS: &[(&str, Does)] =
    &[("send", Does::Send), ("login", Does::Login), ("status", Does::Status), ("webhook", Does::Webhook)];
/// Most texts that a webhook may make of one request.
const MAX_TEXTS: u64 = 100;
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
/// What `unasked_sender` may say.
const UNASKED: &[(&str, UnaskedSender)] =
    &[("ignored", UnaskedSender::Ignored), ("refused", UnaskedSender::Refused)];
/// What `for` of an answer may say: whether it is for clients that want JSON only.
const STYLES: &[(&str, bool)] = &[("json", true)];
/// What `callbacks` may say.
const CALLBACKS: &[(&str, CallbackStyle)] =
    &[("signed", CallbackStyle::Signed), ("kannel", CallbackStyle::Kannel)];
/// What `methods` may name: whether it is a POST.
const METHODS: &[(&str, bool)] = &[("GET", false), ("POST", true)];
/// Paths of the HTTP door that are taken, or will be.
const OWN_PATHS: [&str; 6] = ["/sms", "/healthz", "/readyz", "/now", "/metrics", "/v1"];
/// What an answer is where it says nothing of it.
const PLAIN: &str = "text/plain; charset=utf-8";

/// What an endpoint does, without what belongs to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Send,
    Login,
    Status,
    Webhook,
}

/// The names of those that are built in.
pub(super) fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// All that are built in, by their names.
///
/// # Errors
/// [`Problems`] of a file of ours.
pub fn all_built_in() -> Result<Vec<Profile>, Problems> {
    built_in_names().filter_map(built_in).collect()
}

/// The built-in one of this name, if there is one.
///
/// # Errors
/// [`Problems`] of a file of ours.
pub(super) fn built_in(name: &str) -> Option<Result<Profile, Problems>> {
    BUILT_IN.iter().find(|(own, _)| *own == name).map(|file| read(*file, &OWN_PATHS))
}

/// The relay's own `/sms`, as a listener serves it: by GET only where it has `allow_get`.
///
/// # Errors
/// [`Problems`] of a file of ours; there are none.
pub fn sms(allow_get: bool) -> Result<Profile, Problems> {
    let mut sms = read(SMS, &[])?;
    for endpoint in &mut sms.endpoints {
        endpoint.methods.get &= allow_get;
    }
    Ok(sms)
}

/// As [`sms`]; what would be wrong with it is told.
pub(super) fn sms_of(reader: &Reader, allow_get: bool) -> Option<Arc<Profile>> {
    let told = |problems| reader.error(None, format!("`/sms` cannot be served: {problems}"));
    sms(allow_get).map(Arc::new).map_err(told).ok()
}

/// Reads a file of ours.
fn read((name, source): (&str, &str), reserved: &[&'static str]) -> Result<Profile, Problems> {
    let file = format!("{name}.toml");
    let reader = Reader::new(Path::new(&file), source);
    let document = reader.parse()?;
    let profile = {
        let top = Section::top(&reader, document.get_ref());
        profile_beside(&reader, &top, name.to_owned(), reserved)
    };
    match profile {
        Some(profile) if reader.problems().is_empty() => Ok(profile),
        Some(_) | None => Err(reader.problems()),
    }
}

/// Reads a profile; `None` when something of it is wrong and told.
pub(super) fn profile(reader: &Reader, section: &Section, name: String) -> Option<Profile> {
    profile_beside(reader, section, name, &OWN_PATHS)
}

/// As [`profile`]; nothing of it may be at one of the `reserved` paths.
fn profile_beside(
    reader: &Reader,
    section: &Section,
    name: String,
    reserved: &[&'static str],
) -> Option<Profile> {
    let shared = answers(&section.section("answers"), &[]);
    let written = section.sections("endpoint");
    if written.is_empty() {
        let text = "this profile has no endpoint; write an [[http.profile.endpoint]]";
        reader.error(section.span(), text.to_owned());
        return None;
    }
    // All are read before any is missed, so that every error is noted.
    let read: Vec<Option<Endpoint>> =
        written.iter().map(|written| endpoint(written, &shared, reserved)).collect();
    Some(Profile { name, endpoints: read.into_iter().collect::<Option<_>>()? })
}

fn endpoint(
    section: &Section,
    shared: &[(Outcome, Vec<Answer>)],
    reserved: &[&'static str],
) -> Option<Endpoint> {
    let does = section.or("does", Does::Send, values::word(ACTIONS));
    let is_webhook = does == Does::Webhook;
    let methods = section.optional("methods", at_least_one(values::word(METHODS)));
    if is_webhook && methods.as_ref().is_some_and(|methods| methods.contains(&false)) {
        section.error("a webhook is only posted; leave out `methods`".to_owned());
    }
    let methods = methods.unwrap_or_else(|| if is_webhook { vec![true] } else { vec![false, true] });
    let written = section.section("webhook");
    let webhook = match (is_webhook, written.is_written()) {
        (true, true) => webhook(&written),
        (true, false) => {
            let text = "a webhook needs a section [http.profile.endpoint.webhook] with `to` and `text`";
            section.error(text.to_owned());
            None
        }
        (false, true) => {
            written.error("this section is for an endpoint with does = \"webhook\"".to_owned());
            // Its keys are of no interest.
            written.entries();
            None
        }
        (false, false) => None,
    };
    let paths = section.required("paths", "\"/sendsms\"", at_least_one(path(reserved)));
    let with = pairs(section, "with");
    let callbacks = section.optional("callbacks", values::word(CALLBACKS));
    let reading = Reading {
        names: names(&section.section("names")),
        separators: section.optional("separators", separators).unwrap_or_default(),
        times: section.or("times", TimeForm::Iso, values::word(TIMES)),
        body: section.or("body", BodyKind::Guessed, values::word(BODIES)),
        charset: section.optional("charset", charset),
        hex_text: section.or("hex_text", false, values::flag),
        inside: section.optional("inside", values::text),
        header_prefix: section.optional("header_prefix", header_prefix),
        decode_twice: section.or("decode_twice", false, values::flag),
        unasked_sender: section.or("unasked_sender", UnaskedSender::Ignored, values::word(UNASKED)),
        raw_request_line: section.or("raw_request_line", false, values::flag),
        callbacks: callbacks.unwrap_or_default(),
    };
    // A wrong word is told already.
    if callbacks.is_some() || !section.has("callbacks") {
        check_callbacks(section, &reading);
    }
    let answers = Answers::new(answers(&section.section("answers"), shared));
    let needed = match does {
        Does::Send | Does::Webhook => [Outcome::Accepted, Outcome::Refused, Outcome::Unavailable],
        Does::Login => [Outcome::LoggedIn, Outcome::Refused, Outcome::Unavailable],
        Does::Status => [Outcome::Known, Outcome::Refused, Outcome::Unavailable],
    };
    for outcome in needed.into_iter().filter(|outcome| !answers.has(*outcome)) {
        let name = outcome.as_str();
        section
            .error(format!("this endpoint has no answer `{name}`{}; write answers.{name}", section.within()));
    }
    let of_send = [Meaning::To, Meaning::Text];
    for meaning in of_send.into_iter().filter(|_| does == Does::Send) {
        if reading.names.of(meaning).is_empty() {
            let name = meaning.as_str();
            section.error(format!(
                "this endpoint has no field for `{name}`{}; write names.{name}",
                section.within()
            ));
        }
    }
    let action = match (does, webhook) {
        (Does::Send, _) => Action::Send,
        (Does::Login, _) => Action::Login,
        (Does::Status, _) => Action::Status,
        (Does::Webhook, webhook) => Action::Webhook(Arc::new(webhook?)),
    };
    Some(Endpoint {
        action,
        methods: Methods { get: methods.contains(&false), post: methods.contains(&true) },
        paths: paths?,
        with,
        reading,
        answers,
    })
}

/// Kannel's calls need both of its fields, and others have no mask.
fn check_callbacks(section: &Section, reading: &Reading) {
    let has = |meaning| !reading.names.of(meaning).is_empty();
    let (url, mask) = (has(Meaning::CallbackUrl), has(Meaning::CallbackMask));
    match reading.callbacks {
        CallbackStyle::Kannel if !(url && mask) => section.error(format!(
            "callbacks as Kannel makes them need two fields{}; write names.callback_url and names.callback_mask",
            section.within()
        )),
        CallbackStyle::Signed if mask => section.error(format!(
            "there is a mask{}, which only Kannel's callbacks have; write callbacks = \"kannel\", or leave \
             names.callback_mask out",
            section.within()
        )),
        CallbackStyle::Kannel | CallbackStyle::Signed => {}
    }
}

fn webhook(section: &Section) -> Option<Webhook> {
    let optional = |key| section.optional(key, values::text);
    // All are read before any is missed, so that every error is noted.
    let to = section.required("to", "\"{{ query.to }}\"", values::text);
    let text = section.required("text", "\"{{ body.title }}\"", values::text);
    let parts = WebhookParts {
        to: String::new(),
        text: String::new(),
        from: optional("from"),
        lane: optional("lane"),
        deliver_at: optional("deliver_at"),
        each: optional("each"),
        when: optional("when"),
        most: section.or("most", DEFAULT_MOST, values::count(1..=MAX_TEXTS)),
    };
    let parts = WebhookParts { to: to?, text: text?, ..parts };
    match Webhook::new(parts) {
        Ok(webhook) => Some(webhook),
        Err(error) => {
            let text = format!("`{}` cannot be used: {error}", error.key);
            match section.value(error.key) {
                Some(value) => value.fail(text),
                None => {
                    section.error(text);
                    None
                }
            }
        }
    }
}

fn names(section: &Section) -> Names {
    let written = |meaning: Meaning| {
        let names = section.optional(meaning.as_str(), at_least_one(values::text))?;
        Some((meaning, names))
    };
    Names::new(Meaning::ALL.into_iter().filter_map(written))
}

/// `accepted` of an account: what it is answered in the place of the answer of `/sms`.
pub(super) fn accepted(reader: &Reader, account: &Section) -> Answers {
    let (written, _) = account.one_or_more(Outcome::Accepted.as_str());
    let read = |section: &Section| {
        let answer = answer(section)?;
        if answer.status.is_none_or(|status| (200..=299).contains(&status)) {
            return Some(answer);
        }
        let text = "`status` of `accepted` is not one of 200 to 299: the client would take it for a refusal, and send again";
        reader.error(section.place("status"), text.to_owned());
        None
    };
    let written = written.iter().filter(|section| section.is_written());
    Answers::new([(Outcome::Accepted, written.filter_map(read).collect())])
}

/// The answers of a section; those of `shared` where it has none of its own.
fn answers(section: &Section, shared: &[(Outcome, Vec<Answer>)]) -> Vec<(Outcome, Vec<Answer>)> {
    let mut all: Vec<(Outcome, Vec<Answer>)> = Vec::new();
    for outcome in Outcome::ALL {
        let (written, _) = section.one_or_more(outcome.as_str());
        let own: Vec<Answer> =
            written.iter().filter(|section| section.is_written()).filter_map(answer).collect();
        let inherited = || shared.iter().find(|(of, _)| *of == outcome).map(|(_, answers)| answers.clone());
        match own.is_empty() {
            true => all.extend(inherited().map(|answers| (outcome, answers))),
            false => all.push((outcome, own)),
        }
    }
    all
}

fn answer(section: &Section) -> Option<Answer> {
    let when = pairs(section, "when");
    let json_only = section.or("for", false, values::word(STYLES));
    let status = section.optional("status", status);
    let content_type = section.or("type", PLAIN.to_owned(), content_type);
    let body = section.required("body", "\"OK\"", |value: &Value| {
        let text = value.item.get_ref().as_str();
        let Some(text) = text else { return value.wrong_type("a text") };
        match Body::new(text, &content_type) {
            Ok(body) => Some(body),
            Err(error) => value.fail(format!("`body` cannot be used: {error}")),
        }
    });
    Some(Answer { when, json_only, status, content_type, body: body? })
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

fn path(reserved: &[&'static str]) -> impl Fn(&Value) -> Option<String> {
    move |value| {
        let path = values::text(value)?;
        let shown = path.escape_debug();
        if !path.starts_with('/') || path.contains(['?', '#']) || path.contains(char::is_whitespace) {
            return value.fail(format!(
                "`{shown}` is not a path; it begins with `/` and has no `?`: write parameters in `with`"
            ));
        }
        if let Some(own) = reserved.iter().find(|own| is_below(&path, own)) {
            return value.fail(format!("`{shown}` cannot be served: `{own}` is a path of the relay's own"));
        }
        Some(path)
    }
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
    use crate::profile::{MessageWords, RecipientWords, Words};

    #[test]
    fn what_is_built_in_is_right() {
        assert_eq!(built_in_names().count(), 14);
        for name in built_in_names() {
            let profile = built_in(name).unwrap().unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(profile.name, name);
            let takes = |endpoint: &Endpoint| matches!(endpoint.action, Action::Send | Action::Webhook(_));
            assert!(profile.endpoints.iter().any(takes), "{name}");
        }
        assert!(built_in("generic").is_none() && built_in("sms").is_none());
    }

    #[test]
    fn answers_have_the_steps_for_as_many_destinations_as_can_be_taken() {
        let asked = std::collections::BTreeMap::new();
        let (phone, reason) =
            ("393471234567", "`nobody` is not a phone number, and there is no alias of that name");
        for ok in [true, false] {
            let recipient = RecipientWords { to: phone, phone, ok, reason, ..RecipientWords::default() };
            let message = MessageWords { to: phone, phone, ..MessageWords::default() };
            let words = Words {
                hex: "0123456789abcdef0123456789abcdef",
                recipients: vec![recipient; 1000],
                messages: vec![message; 1000],
                ..Words::of(&asked)
            };
            for profile in all_built_in().unwrap().into_iter().chain([sms(true).unwrap()]) {
                for endpoint in &profile.endpoints {
                    let reply = endpoint.answers.reply(Outcome::Accepted, &words);
                    assert!(reply.is_ok(), "{} {ok}: {reply:?}", profile.name);
                }
            }
        }
    }

    #[test]
    fn get_is_for_listeners_that_allow_it() {
        for (allow_get, allow) in [(true, "GET, POST"), (false, "POST")] {
            let sms = sms(allow_get).unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(sms.endpoints[0].methods.allow(), allow);
        }
    }
}
