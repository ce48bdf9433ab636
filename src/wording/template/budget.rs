//! What one rendering may do beside its steps: octets that filters and tests read, octets that are
//! printed, and the length of one text.

use std::fmt::{self, Write};

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, Output, State};

use super::MAX_OUTPUT;

/// Octets that the filters and tests of one rendering may read: the longest text more than a hundred
/// times. Elements of lists count one more each.
const MAX_READ: usize = 8 * 1024 * 1024;

/// What one rendering has done.
#[derive(Debug, Default)]
struct Spent {
    read: usize,
    printed: usize,
}

fn over(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// Notes that a filter or test reads `value`.
///
/// # Errors
/// When all of them have read too much.
pub(super) fn read(state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let spent = state.get_or_insert_extension_with(Spent::default);
    let left = MAX_READ - spent.read;
    match weigh(value, left) {
        Some(weight) => {
            spent.read += weight;
            Ok(())
        }
        None => Err(over("its filters read too much")),
    }
}

/// The octets of `value`; `None` when there are more than `most`. Its cost is linear in the smaller one:
/// a value that holds another one twice is counted twice, and would be printed twice.
fn weigh(value: &Value, most: usize) -> Option<usize> {
    if let Some(text) = value.as_str() {
        return (text.len() < most).then_some(text.len() + 1);
    }
    let mut weight: usize = 1;
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        let is_map = value.kind() == ValueKind::Map;
        for item in value.try_iter().into_iter().flatten() {
            weight += weigh(&item, most.checked_sub(weight)?)?;
            if is_map && let Ok(under) = value.get_item(&item) {
                weight += weigh(&under, most.checked_sub(weight)?)?;
            }
        }
    }
    (weight <= most).then_some(weight)
}

/// `value`, unless it is a text that is too long.
///
/// # Errors
/// When it is.
pub(super) fn fits(value: Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) if text.len() > MAX_OUTPUT => Err(over("a filter made too long a text")),
        Some(_) | None => Ok(value),
    }
}

/// Prints `value`, into the result or into what a `set` or `filter` block takes up.
///
/// # Errors
/// When all that was printed is too much.
pub(super) fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let spent = state.get_or_insert_extension_with(Spent::default);
    let mut bounded = Bounded { out, left: MAX_OUTPUT - spent.printed };
    let printed = match value.as_str() {
        Some(text) => bounded.write_str(text),
        None => write!(bounded, "{value}"),
    };
    spent.printed = MAX_OUTPUT - bounded.left;
    printed.map_err(|_| over("it printed too much"))
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
