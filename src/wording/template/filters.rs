//! The filters that are made for the words of an SMS, and three of the engine's with a bound.
//!
//! All take a text and leave it where they have nothing to do. None fails on a text; what their
//! arguments may be is checked with the template.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Zoned;
use minijinja::value::{Kwargs, Object, ObjectRepr, StringInput, Value};
use minijinja::{Environment, Error, ErrorKind, State, filters as builtin};

use super::{MAX_OUTPUT, budget};
use crate::pattern::Pattern;
use crate::text::{shorten, to_gsm};

/// Most characters that `trim` may be told to cut off.
const MAX_TRIMMED: usize = 64;

/// The patterns of the `match` filters of one template, by how they are written in it.
pub(super) type Patterns = BTreeMap<String, Pattern>;

/// The pattern that `match` looks for: as everywhere else, but `^` and `$` stand for any line.
pub(super) const MULTI_LINE: &str = "(?m)";

/// Registers the filters of our own.
pub(super) fn register(environment: &mut Environment<'_>, patterns: Patterns) {
    environment.add_filter("first_line", |state: &mut State<'_, '_>, text: Value| {
        with_text(state, &text, |text| Value::from(first_line(text)))
    });
    environment.add_filter("lines", |state: &mut State<'_, '_>, text: Value, count: Option<i64>| {
        with_text(state, &text, |text| match count {
            None => text.lines().map(Value::from).collect(),
            Some(count) => Value::from(lines(text, count)),
        })
    });
    let patterns = Arc::new(patterns);
    environment.add_filter(
        "match",
        move |state: &mut State<'_, '_>,
              text: Value,
              pattern: Cow<'_, str>,
              group: Option<Value>,
              named: Kwargs| {
            let group = group.or(named.get("group")?);
            named.assert_all_used()?;
            let pattern = patterns.get(&*pattern).ok_or_else(|| wrong("this pattern was not checked"))?;
            with_text(state, &text, |text| {
                let found = pattern.group(text, group_of(pattern, group.as_ref()));
                found.map_or(Value::UNDEFINED, Value::from)
            })
        },
    );
    environment.add_filter("shorten", |state: &mut State<'_, '_>, text: Value, most: usize| {
        with_text(state, &text, |text| Value::from(shorten(text, most)))
    });
    environment.add_filter("gsm", |state: &mut State<'_, '_>, text: Value| {
        budget::fits(with_text(state, &text, |text| Value::from(to_gsm(text)))?)
    });
    environment.add_filter(
        "mask_digits",
        |state: &mut State<'_, '_>, text: Value, keep: Option<usize>, named: Kwargs| {
            let keep = keep.or(named.get("keep")?).unwrap_or(0);
            named.assert_all_used()?;
            with_text(state, &text, |text| Value::from(mask_digits(text, keep)))
        },
    );
    environment.add_filter("time", |time: Value, format: Cow<'_, str>| {
        let Moment(time) =
            time.downcast_object_ref().ok_or_else(|| wrong("`time` is for `received` only"))?;
        jiff::fmt::strtime::format(&*format, time).map_err(|error| wrong(error.to_string()))
    });
}

fn wrong(reason: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// What `made` makes of a text or of what prints as one. What is undefined stays an error.
fn with_text(
    state: &mut State<'_, '_>,
    value: &Value,
    made: impl FnOnce(&str) -> Value,
) -> Result<Value, Error> {
    budget::read(state, value)?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(match value.as_str() {
        Some(text) => made(text),
        None => made(&value.to_string()),
    })
}

/// The number of a group that is given by number or by name; one that cannot be where there is none.
pub(super) fn group_of(pattern: &Pattern, group: Option<&Value>) -> usize {
    match group {
        None => 0,
        Some(group) => match group.as_str() {
            Some(name) => pattern.group_number(name).unwrap_or(usize::MAX),
            None => group.as_usize().unwrap_or(usize::MAX),
        },
    }
}

/// The first line that is not blank, without the blank space around it.
fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// The first `count` lines that are not blank, or the last ones where it is negative.
fn lines(text: &str, count: i64) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let most = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let mut kept: Vec<&str> =
        if count < 0 { lines.rev().take(most).collect() } else { lines.take(most).collect() };
    if count < 0 {
        kept.reverse();
    }
    kept.join("\n")
}

/// Digits as `*`, but for the last `keep`. Those of other scripts are digits too.
fn mask_digits(text: &str, keep: usize) -> String {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let mut masked = digits.saturating_sub(keep);
    text.chars()
        .map(|c| {
            if masked > 0 && c.is_numeric() {
                masked -= 1;
                '*'
            } else {
                c
            }
        })
        .collect()
}

/// `join` of the engine, unless the result would be too long.
pub(super) fn join(
    state: &mut State<'_, '_>,
    value: &Value,
    joiner: Option<StringInput<'_>>,
    named: Kwargs,
) -> Result<Value, Error> {
    let between = joiner.as_ref().map_or(0, |joiner| joiner.as_str().len());
    let items = value.len().unwrap_or(0);
    if items.saturating_mul(between) > MAX_OUTPUT {
        return Err(wrong("a filter made too long a text"));
    }
    builtin::join(state, value, joiner, None, named)
}

/// `replace` of the engine, unless the result would be too long.
pub(super) fn replace(
    state: &mut State<'_, '_>,
    text: StringInput<'_>,
    from: StringInput<'_>,
    to: StringInput<'_>,
) -> Result<Value, Error> {
    let found = text.as_str().matches(from.as_str()).count();
    if found.saturating_mul(to.as_str().len()) > MAX_OUTPUT {
        return Err(wrong("a filter made too long a text"));
    }
    builtin::replace(state, text, from, to)
}

/// `trim` of the engine with few characters, each of which is compared with each of the text.
pub(super) fn trim(text: StringInput<'_>, cut: Option<Cow<'_, str>>) -> Result<Value, Error> {
    if cut.as_ref().is_some_and(|cut| cut.len() > MAX_TRIMMED) {
        return Err(wrong("`trim` takes up to 64 octets of characters"));
    }
    Ok(builtin::trim(text, cut))
}

/// A time, printed like `2026-11-21 15:26`.
#[derive(Debug)]
pub(super) struct Moment(pub(super) Zoned);

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M"))
    }
}
