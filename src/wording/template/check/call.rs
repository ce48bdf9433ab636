//! Filters, tests, and the arguments of both.

use std::ops::Range;

use minijinja::machinery::ast::{CallArg, Expr, Filter as Filtered, Spanned};
use minijinja::value::Value;

use super::{Checks, Size, TemplateError, Walk, field, range, wrong};
use crate::pattern::Pattern;
use crate::wording::template::filters::{MULTI_LINE, group_of};
use crate::wording::template::known::{self, FILTERS, Filter, TESTS};

/// Most characters that a time may be printed in.
const MAX_TIME: usize = 64;

impl Walk<'_> {
    /// A filter by its name and what stands in its parentheses.
    pub(super) fn filter(
        &mut self,
        name: &str,
        place: Range<usize>,
        arguments: &[CallArg<'_>],
    ) -> Checks<&'static Filter> {
        let Some(known) = known::filter_of(name) else {
            let names = FILTERS.map(|filter| filter.name);
            let advice = match known::nearest(name, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", names.join(", ")),
            };
            return wrong(place, format!("a template has no filter `{name}`; {advice}"));
        };
        self.arguments(arguments)?;
        let mut positional = Vec::new();
        for argument in arguments {
            match argument {
                CallArg::Pos(value) => positional.push(value),
                CallArg::Kwarg(named, value) if !known.named.contains(named) => {
                    let advice = if known.named.is_empty() {
                        "it takes none by name".to_owned()
                    } else {
                        format!("it takes {}", known.named.join(", "))
                    };
                    let reason = format!("the filter `{name}` has no argument `{named}`; {advice}");
                    return wrong(range(value.span()), reason);
                }
                CallArg::Kwarg(..) | CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {}
            }
        }
        let (least, most) = known.arguments;
        if !(least..=most).contains(&positional.len()) {
            let takes = match (least, most) {
                (0, 0) => "no argument".to_owned(),
                (1, 1) => "1 argument".to_owned(),
                (least, most) if least == most => format!("{least} arguments"),
                (0, most) => format!("at most {most}"),
                (least, most) => format!("{least} to {most} arguments"),
            };
            let reason = format!("the filter `{name}` takes {takes}, not {}", positional.len());
            return wrong(place, reason);
        }
        let named = |wanted: &str| {
            arguments.iter().find_map(|argument| match argument {
                CallArg::Kwarg(name, value) if *name == wanted => Some(value),
                _ => None,
            })
        };
        match (name, positional.first()) {
            ("match", Some(pattern)) => {
                self.pattern(pattern, positional.get(1).copied().or(named("group")))?;
            }
            ("time", Some(format)) => check_time(format)?,
            ("shorten", Some(count)) => check_count(count, "shorten", |count| count >= 1)?,
            ("lines", Some(count)) => check_count(count, "lines", |count| count != 0)?,
            ("mask_digits", keep) => {
                if let Some(keep) = keep.copied().or(named("keep")) {
                    check_count(keep, "mask_digits", |count| count >= 0)?;
                }
            }
            // The first argument is the name of a filter or test.
            ("map", Some(inner)) => {
                let (inner, place) = literal_name(inner, "map", "filter")?;
                self.filter(&inner, place, arguments.get(1..).unwrap_or_default())?;
            }
            ("select" | "reject", Some(test)) => {
                let (test, place) = literal_name(test, name, "test")?;
                self.test(&test, place)?;
            }
            ("selectattr" | "rejectattr", Some(_)) => {
                if let Some(test) = positional.get(1) {
                    let (test, place) = literal_name(test, name, "test")?;
                    self.test(&test, place)?;
                }
            }
            _ => {}
        }
        Ok(known)
    }

    /// Names of fields in the arguments of a filter on records.
    pub(super) fn field_arguments(
        &self,
        filter: &Spanned<Filtered<'_>>,
        fields: Option<&'static [&'static str]>,
    ) -> Checks<()> {
        let Some(fields) = fields else { return Ok(()) };
        let first = matches!(filter.name, "selectattr" | "rejectattr");
        for (at, argument) in filter.args.iter().enumerate() {
            let value = match argument {
                CallArg::Pos(value) if first && at == 0 => value,
                CallArg::Kwarg("attribute", value) => value,
                _ => continue,
            };
            let Some(name) = literal(value) else {
                return wrong(range(value.span()), "this needs the name of a field in quotes");
            };
            let one = Size { fields: Some(fields), ..Size::SHORT };
            field(one, &name, range(value.span()))?;
        }
        Ok(())
    }

    pub(super) fn arguments(&mut self, arguments: &[CallArg<'_>]) -> Checks<()> {
        for argument in arguments {
            match argument {
                CallArg::Pos(value) | CallArg::Kwarg(_, value) => {
                    self.expression(value)?;
                }
                CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                    return wrong(range(value.span()), "arguments are written one by one, without `*`");
                }
            }
        }
        Ok(())
    }

    pub(super) fn test(&self, name: &str, place: Range<usize>) -> Checks<()> {
        if TESTS.contains(&name) {
            return Ok(());
        }
        let advice = match known::nearest(name, &TESTS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", TESTS.join(", ")),
        };
        wrong(place, format!("a template has no test `{name}`; {advice}"))
    }

    /// Functions and methods do not exist here.
    pub(super) fn refused_call<T>(&mut self, called: &Expr<'_>) -> Checks<T> {
        let (name, place) = match called {
            Expr::Var(name) => (name.id, range(name.span())),
            Expr::GetAttr(method) => {
                let end = range(method.span()).end;
                (method.name, end - method.name.len()..end)
            }
            other => return wrong(range(other.span()), "a template has no functions; use filters"),
        };
        let advice = match known::filter_of(name) {
            Some(_) => format!("write it as a filter, behind a value: `|{name}`"),
            None => "use filters and {% for %}".to_owned(),
        };
        wrong(place, format!("a template has no function `{name}`; {advice}"))
    }

    /// The pattern of a `match`, and the group that is asked for.
    fn pattern(&mut self, written: &Expr<'_>, group: Option<&Expr<'_>>) -> Checks<()> {
        let place = range(written.span());
        let Some(source) = literal(written) else {
            return wrong(
                place,
                "the pattern of `match` must stand here in quotes, so that it can be checked",
            );
        };
        // What the engine made of `\b`.
        if source.contains('\u{8}') {
            let reason = "`\\b` in quotes is a backspace; write `\\\\b` for the border of a word";
            return wrong(place, reason);
        }
        let pattern = match Pattern::new(&format!("{MULTI_LINE}{source}")) {
            Ok(pattern) => pattern,
            Err(error) => {
                let within = error.range.clone().and_then(|found| {
                    let start = found.start.checked_sub(MULTI_LINE.len())?;
                    let end = found.end.checked_sub(MULTI_LINE.len())?;
                    place_in_literal(self.source.get(place.clone())?, start..end)
                });
                let place =
                    within.map_or(place.clone(), |found| place.start + found.start..place.start + found.end);
                return Err(TemplateError { reason: error.to_string(), range: Some(place) });
            }
        };
        if let Some(group) = group {
            let place = range(group.span());
            let Some(value) = group.as_const() else {
                return wrong(place, "the group of `match` must stand here as a number or a name in quotes");
            };
            if group_of(&pattern, Some(&value)) >= pattern.group_count() {
                return wrong(place, no_such_group(&pattern, &value));
            }
        }
        self.checked.patterns.insert(source, pattern);
        Ok(())
    }
}

fn no_such_group(pattern: &Pattern, group: &Value) -> String {
    let shown = group.to_string();
    if group.as_str().is_some() {
        return format!("the pattern has no group `{shown}`; write (?P<{shown}>...) in it");
    }
    match pattern.group_count() {
        0 | 1 => format!("the pattern has no group {shown}; put what is wanted in parentheses"),
        count => format!("the pattern has no group {shown}; it has groups 0 to {}", count - 1),
    }
}

fn literal(expression: &Expr<'_>) -> Option<String> {
    match expression {
        Expr::Const(value) => value.value.as_str().map(str::to_owned),
        _ => None,
    }
}

fn literal_name(expression: &Expr<'_>, of: &str, what: &str) -> Checks<(String, Range<usize>)> {
    let place = range(expression.span());
    match literal(expression) {
        Some(name) => Ok((name, place)),
        None => wrong(place, format!("`{of}` needs the name of a {what} in quotes")),
    }
}

/// Where octets of a text stand in the literal that it is written as, quotes included; `None` behind a
/// character that is written as a number.
fn place_in_literal(literal: &str, found: Range<usize>) -> Option<Range<usize>> {
    let inner = literal.get(1..literal.len().checked_sub(1)?)?;
    let mut at = 0;
    let mut start = None;
    let mut characters = inner.char_indices();
    loop {
        let next = characters.next();
        let written = next.map_or(inner.len(), |(written, _)| written) + 1;
        if at == found.start {
            start = start.or(Some(written));
        }
        if at >= found.end {
            return Some(start?..written);
        }
        at += match next? {
            (_, '\\') => match characters.next()?.1 {
                '"' | '\\' | '/' | '\'' | 'b' | 'f' | 'n' | 'r' | 't' => 1,
                'u' | 'x' | '0'..='7' => return None,
                other => 1 + other.len_utf8(),
            },
            (_, other) => other.len_utf8(),
        };
    }
}

/// A number of an argument, where it stands there as one.
fn check_count(written: &Expr<'_>, filter: &str, fits: impl Fn(i64) -> bool) -> Checks<()> {
    let Some(value) = written.as_const() else { return Ok(()) };
    let takes = match filter {
        "shorten" => "a number of characters from 1",
        "lines" => "a number of lines, below 0 for the last ones",
        _ => "a number of digits from 0",
    };
    match value.as_i64() {
        Some(count) if fits(count) => Ok(()),
        _ => wrong(range(written.span()), format!("the filter `{filter}` takes {takes}, not `{value}`")),
    }
}

/// The format of a time: it must be there, be right, and be short.
fn check_time(written: &Expr<'_>) -> Checks<()> {
    let place = range(written.span());
    let Some(format) = literal(written) else {
        return wrong(place, "the format of `time` must stand here in quotes, so that it can be checked");
    };
    let sample = jiff::civil::date(2026, 11, 21).at(15, 26, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    let printed = sample.ok().map(|sample| jiff::fmt::strtime::format(&format, &sample));
    match printed {
        Some(Ok(time)) if time.chars().count() <= MAX_TIME => Ok(()),
        Some(Ok(_)) => wrong(place, format!("a time of more than {MAX_TIME} characters; shorten its format")),
        Some(Err(error)) => wrong(
            place,
            format!(
                "`{}` is not a format of a time: {error}; write it like \"%d.%m. %H:%M\"",
                format.escape_debug()
            ),
        ),
        None => Ok(()),
    }
}
