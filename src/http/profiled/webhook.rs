//! What any JSON becomes, as a profile says.
//!
//! All texts of a request are one form, which is taken whole or not at all: a client that gets no answer, or is to come
//! again, never has half of it sent already. A destination that nothing can be sent to is left out, since the others
//! need to know of the alarm all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::HeaderMap;
use jiff::Zoned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use super::outcomes::Failure;
use crate::http::Account;
use crate::http::body::Format;
use crate::http::destinations::{PlusSigns, split};
use crate::http::fields::clean;
use crate::http::form::tell_url;
use crate::http::when::time;
use crate::http::wishes::lane;
use crate::intake::{Form, FormText, Receipt};
use crate::model::{Masked, SenderId};
use crate::profile::{BodyKind, Outcome, Reading, Rendered, RenderedText, Unusable, Webhook};

/// Octets of a body that are taken from whoever is known by a header: about a thousand alerts.
pub(super) const BODY_OCTETS: usize = 1 << 20;
/// Bodies that are taken apart at a time.
pub(in crate::http) const TURNS: usize = 4;
/// Most destinations that are told of what is left out; a form with more is refused anyway.
const MAX_NOTED: usize = 1_000;

/// What is known of a request before its body is looked at.
pub(super) struct Asked<'a> {
    /// What becomes of the body.
    pub(super) hook: &'a Arc<Webhook>,
    /// How values are written.
    pub(super) reading: &'a Reading,
    /// The name of the profile.
    pub(super) profile: &'a str,
    /// The parameters.
    pub(super) query: BTreeMap<String, String>,
}

/// The form of a body; `None` where its profile wants nothing sent. A body takes a hundred times its octets while it is
/// taken apart, so that few are at a time: those that have one of `turns`.
///
/// # Errors
/// [`Failure`] where nothing can be made of it, or where it is not its turn by `deadline`.
pub(super) async fn form(
    asked: Asked<'_>,
    headers: &HeaderMap,
    octets: Vec<u8>,
    account: &Account,
    turns: &Arc<Semaphore>,
    deadline: Instant,
) -> Result<Option<Form>, Failure> {
    let Asked { hook, reading, profile, query } = asked;
    let format = Format::declared(headers, BodyKind::Json)?;
    let Ok(Ok(turn)) = timeout_at(deadline, Arc::clone(turns).acquire_owned()).await else {
        let reason = "too many webhooks are taken apart; come again later";
        return Err(Failure::new(Outcome::Unavailable, reason));
    };
    let hook = Arc::clone(hook);
    let rendered = tokio::task::spawn_blocking(move || {
        let rendered = format.json(&octets).map(|body| hook.render(body, &query));
        // Ends with the work and not with whoever waits for it.
        drop(turn);
        (rendered, query)
    });
    let (rendered, query) = rendered.await.map_err(|error| {
        Failure::new(Outcome::Unavailable, format!("the templates could not be used: {error}"))
    })?;
    settled(rendered?, profile, Written { reading, query: &query }, account)
}

/// As [`form`], here and now. Not for a thread of the runtime.
///
/// # Errors
/// As there.
pub(super) fn form_now(
    asked: &Asked<'_>,
    headers: &HeaderMap,
    octets: &[u8],
    account: &Account,
) -> Result<Option<Form>, Failure> {
    let body = Format::declared(headers, BodyKind::Json)?.json(octets)?;
    let written = Written { reading: asked.reading, query: &asked.query };
    settled(asked.hook.render(body, &asked.query), asked.profile, written, account)
}

/// How destinations and times are written in what templates print.
#[derive(Clone, Copy)]
struct Written<'a> {
    reading: &'a Reading,
    query: &'a BTreeMap<String, String>,
}

fn settled(
    rendered: Result<Rendered, Unusable>,
    profile: &str,
    written: Written<'_>,
    account: &Account,
) -> Result<Option<Form>, Failure> {
    let rendered = rendered.map_err(|unusable| {
        if let Unusable::Failed(problem) = &unusable {
            error!(profile, problem, "a webhook's body cannot be taken apart; mend the profile");
        }
        Failure::from(unusable)
    })?;
    for problem in &rendered.problems {
        error!(
            profile,
            problem, "a template of a webhook failed; what it would have said is left out or JSON"
        );
    }
    planned(rendered, written, account, &Zoned::now())
}

/// Says in the log whom an alarm does not reach.
pub(super) fn tell_of_left_out(receipt: &Receipt, profile: &str) {
    let refused = || receipt.recipients.iter().filter_map(|recipient| recipient.outcome.as_ref().err());
    if let Some(first) = refused().next() {
        let (id, reason) = (receipt.id, Masked(&first.text));
        warn!(%id, profile, destinations = refused().count(), %reason, "destinations of a webhook left out");
    }
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        let outcome = match unusable {
            Unusable::NoList(_) => Outcome::BadRequest,
            // What is wrong is on our side, and a reload mends it.
            Unusable::Failed(_) => Outcome::Unavailable,
        };
        Self::new(outcome, unusable.to_string())
    }
}

fn planned(
    rendered: Rendered,
    how: Written<'_>,
    account: &Account,
    now: &Zoned,
) -> Result<Option<Form>, Failure> {
    let Rendered { texts, left_out, left_out_to, to_failed, problems: _ } = rendered;
    if texts.is_empty() {
        return Ok(None);
    }
    let number = texts.len();
    let texts = texts.into_iter().map(|text| form_text(text, how, account, now));
    let mut texts: Vec<FormText> = texts.filter(|text| !text.to.is_empty()).collect();
    if texts.len() < number {
        let without = number - texts.len();
        warn!(account = account.name, without, "texts of a webhook have no destination; see its `to`");
    }
    if left_out > 0 {
        texts.extend(note(left_out, &left_out_to, how, &texts));
    }
    let mut texts = texts.into_iter();
    let Some(FormText { to, text, sender, deliver_at, lane }) = texts.next() else {
        let reason = "the template `to` finds no destination; name one in the URL, or mend the template";
        // A template that fails can be mended while the client comes again.
        let outcome = if to_failed { Outcome::Unavailable } else { Outcome::MissingTo };
        return Err(Failure::new(outcome, reason));
    };
    let tell_url = tell_url(None, account)?;
    let others = texts.collect();
    Ok(Some(Form {
        to,
        text,
        sender,
        deliver_at,
        lane,
        tell_url,
        partial: true,
        sender_is_wish: true,
        others,
    }))
}

/// What is wished in vain is not heeded: the alarm is what counts.
fn form_text(text: RenderedText, how: Written<'_>, account: &Account, now: &Zoned) -> FormText {
    let RenderedText { to, text, from, lane: wished_lane, deliver_at } = text;
    let ignored = |key: &str, why: &str| {
        warn!(account = account.name, key, why = %Masked(why), "a wish of a webhook is not heeded");
    };
    let sender = from.filter(|from| {
        let why = match SenderId::new(from) {
            _ if !account.may_choose_sender => "the account has no may_choose_sender".to_owned(),
            Ok(_) => return true,
            Err(error) => error.to_string(),
        };
        ignored("from", &why);
        false
    });
    let lane = wished_lane.and_then(|written| {
        lane(account, &written).map_err(|error| ignored("lane", &error.to_string())).ok()
    });
    let deliver_at = deliver_at.and_then(|written| {
        let found = time(&written, how.reading.times, now);
        if found.is_none() {
            ignored("deliver_at", "it is not a time");
        }
        found
    });
    FormText { to: destinations(&to, how), text: clean(&text), sender, deliver_at, lane }
}

/// What is printed first is from a parameter of the URL, where a plus may have become a space, or it is not: blank space
/// that a template prints before a number is no plus.
fn destinations(printed: &str, how: Written<'_>) -> Vec<String> {
    let printed = clean(printed);
    let digits = printed.strip_prefix(' ').unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let begins_so =
        |parameter: &String| parameter.strip_prefix(' ').is_some_and(|one| one.starts_with(&digits[..end]));
    let plus_signs = match end > 0 && how.query.values().any(begins_so) {
        true => PlusSigns::MayBeSpaces,
        false => PlusSigns::AreKept,
    };
    split(&printed, plus_signs, &how.reading.separators)
}

/// What is said of those that got no text of their own, to whom they were for.
fn note(left_out: usize, printed: &[String], how: Written<'_>, texts: &[FormText]) -> Option<FormText> {
    let mut seen = BTreeSet::new();
    let all = printed.iter().flat_map(|printed| destinations(printed, how));
    let mut to: Vec<String> = all.filter(|one| seen.insert(one.clone())).take(MAX_NOTED).collect();
    if to.is_empty() {
        let all = texts.iter().flat_map(|text| text.to.iter().cloned());
        to = all.filter(|one| seen.insert(one.clone())).take(MAX_NOTED).collect();
    }
    let note = FormText { to, text: format!("+ {left_out} more"), ..FormText::default() };
    (!note.to.is_empty()).then_some(note)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Lane;
    use crate::profile::{Separators, WebhookParts};

    fn account(may_choose: bool) -> Account {
        Account {
            name: "grafana".to_owned(),
            networks: Vec::new(),
            login: None,
            profiles: None,
            accepted: crate::profile::Answers::default(),
            may_choose_sender: may_choose,
            may_choose_lane: may_choose,
            may_see_all: false,
            program: None,
        }
    }

    fn text(to: &str, text: &str) -> RenderedText {
        RenderedText { to: to.to_owned(), text: text.to_owned(), ..RenderedText::default() }
    }

    fn plan(rendered: Rendered, may_choose: bool) -> Result<Option<Form>, Failure> {
        let now: Zoned = "2031-01-31T07:30:00[UTC]".parse().unwrap();
        planned(rendered, with_query(" 393471234567"), &account(may_choose), &now)
    }

    /// What is read as it is by default, beside a parameter `to`.
    fn with_query(to: &str) -> Written<'static> {
        let query = BTreeMap::from([("to".to_owned(), to.to_owned())]);
        Written { reading: Box::leak(Box::default()), query: Box::leak(Box::new(query)) }
    }

    fn of(texts: Vec<RenderedText>) -> Rendered {
        Rendered { texts, ..Rendered::default() }
    }

    fn shown(form: &Form) -> Vec<(String, &str)> {
        let others = form.others.iter().map(|other| (other.to.join("|"), other.text.as_str()));
        std::iter::once((form.to.join("|"), form.text.as_str())).chain(others).collect()
    }

    #[test]
    fn texts_are_one_form_that_is_taken_in_part() {
        let form = plan(of(vec![text(" 393471234567,boss", "a\r\nb\0"), text("oncall", "c")]), false);
        let form = form.unwrap().unwrap();
        assert_eq!(shown(&form), [("+393471234567|boss".to_owned(), "a\nb "), ("oncall".to_owned(), "c")]);
        assert!(form.partial);
        assert_eq!(plan(Rendered::default(), false), Ok(None));
        let reading = Reading { separators: Separators::Only(vec!['|']), ..Reading::default() };
        let how = Written { reading: &reading, ..with_query("") };
        assert_eq!(destinations("a, b|c\n", how), ["a, b", "c"]);
    }

    #[tokio::test]
    async fn few_bodies_are_taken_apart_at_a_time() {
        let parts =
            WebhookParts { to: "boss".to_owned(), text: "x".to_owned(), most: 1, ..WebhookParts::default() };
        let (hook, reading) = (Arc::new(Webhook::new(parts).unwrap()), Reading::default());
        let (turns, headers) = (Arc::new(Semaphore::new(1)), HeaderMap::new());
        let outcome = async || {
            let asked = Asked { hook: &hook, reading: &reading, profile: "own", query: BTreeMap::new() };
            let form = form(asked, &headers, b"{}".to_vec(), &account(false), &turns, Instant::now()).await;
            form.map(|form| form.is_some()).map_err(|failure| failure.outcome)
        };
        assert_eq!(outcome().await, Ok(true));
        assert_eq!(turns.available_permits(), 1, "it is given back");
        let turn = turns.acquire().await.unwrap();
        assert_eq!(outcome().await, Err(Outcome::Unavailable));
        drop(turn);
        assert_eq!(outcome().await, Ok(true));
    }

    #[test]
    fn blank_space_of_a_template_is_no_plus() {
        let printed = |printed: &str, parameter| destinations(printed, with_query(parameter));
        // `{% if body.night %} 3471234567{% endif %}`: with a plus it would be a number in another country.
        assert_eq!(printed(" 3471234567", "oncall"), ["3471234567"]);
        assert_eq!(printed(" 3471234567 ", ""), ["3471234567"]);
        assert_eq!(printed(" 3471234567", "3471234567"), ["3471234567"]);
        assert_eq!(printed(" boss", " boss"), ["boss"]);
        assert_eq!(printed(" 393471234567,boss", " 393471234567;boss"), ["+393471234567", "boss"]);
    }

    #[test]
    fn many_that_are_left_out_for_the_same_cost_little() {
        let one = (0..4_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let left_out_to = vec![one; 250];
        let rendered = Rendered { left_out: 250, left_out_to, ..of(vec![text("boss", "a")]) };
        let form = plan(rendered, false).unwrap().unwrap();
        assert_eq!(form.others[0].to.len(), MAX_NOTED);
    }

    #[test]
    fn wishes_are_heeded_where_they_can_be() {
        let wishing = |lane: &str, at: &str| RenderedText {
            from: Some("NAS".to_owned()),
            lane: Some(lane.to_owned()),
            deliver_at: Some(at.to_owned()),
            ..text("boss", "x")
        };
        let at = "2031-02-01T00:00:00Z";
        let form = plan(of(vec![wishing("Critical", at), wishing("loud", "soon")]), true).unwrap().unwrap();
        assert_eq!((form.sender.as_deref(), form.lane), (Some("NAS"), Some(Lane::Critical)));
        assert_eq!(form.deliver_at, Some(at.parse().unwrap()));
        let other =
            FormText { to: form.to, text: "x".to_owned(), sender: form.sender, ..FormText::default() };
        assert_eq!(form.others, [other]);
        let long = RenderedText { from: Some("TwelveLetter".to_owned()), ..text("boss", "x") };
        assert_eq!(plan(of(vec![long]), true).unwrap().unwrap().sender, None, "the alarm goes without it");
        let form = plan(of(vec![wishing("critical", at)]), false).unwrap().unwrap();
        assert_eq!((form.sender, form.lane, form.deliver_at), (None, None, Some(at.parse().unwrap())));
    }

    #[test]
    fn what_is_left_out_is_told_to_those_it_was_for() {
        let texts = || vec![text("boss", "a"), text("oncall", "b")];
        let left_out_to = ["night, boss", "night"].map(str::to_owned).to_vec();
        let rendered = Rendered { left_out: 37, left_out_to, ..of(texts()) };
        let form = plan(rendered, false).unwrap().unwrap();
        assert_eq!(shown(&form)[2], ("night|boss".to_owned(), "+ 37 more"));
        let form = plan(Rendered { left_out: 1, ..of(texts()) }, false).unwrap().unwrap();
        assert_eq!(shown(&form)[2..], [("boss|oncall".to_owned(), "+ 1 more")]);
    }

    #[test]
    fn what_has_no_destination_is_left_out_or_refused() {
        let form = plan(of(vec![text(" \n", "a"), text("boss", "b")]), false).unwrap().unwrap();
        assert_eq!(shown(&form), [("boss".to_owned(), "b")]);
        let refused =
            |to_failed| plan(Rendered { to_failed, ..of(vec![text("", "a")]) }, false).unwrap_err().outcome;
        assert_eq!(refused(false), Outcome::MissingTo);
        assert_eq!(refused(true), Outcome::Unavailable, "a reload mends it");
    }

    #[test]
    fn a_body_of_another_kind_is_refused_and_an_own_mistake_is_not() {
        let outcome = |unusable: Unusable| Failure::from(unusable).outcome;
        assert_eq!(outcome(Unusable::NoList("body.alerts".to_owned())), Outcome::BadRequest);
        assert_eq!(outcome(Unusable::Failed("`each` fails".to_owned())), Outcome::Unavailable);
    }
}
