//! `[[quiet]]`: when phones get nothing that can wait.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::reader::{Section, Value};
use super::{rotas, values};
use crate::rota::{Days, Hours, ZonedHours};
use crate::routing::QuietHours;

/// Quiet hours as written, and where.
pub(super) struct Written {
    pub(super) quiet: QuietHours,
    /// Where each of `who` is.
    places: Vec<Range<usize>>,
}

impl Written {
    pub(super) fn place(&self, who: usize) -> Option<Range<usize>> {
        self.places.get(who).cloned()
    }
}

/// Reads every `[[quiet]]`; what is wrong is told and left out.
pub(super) fn read(top: &Section) -> Vec<Written> {
    top.sections("quiet").iter().filter_map(quiet).collect()
}

fn quiet(section: &Section) -> Option<Written> {
    let who = section.required("who", "\"anna\"", names);
    let from = section.required("from", "\"22:00\"", rotas::time);
    let to = section.required("to", "\"07:00\"", rotas::time);
    let days = section.or("days", Days::ALL, rotas::days);
    let zone = section.optional("timezone", rotas::zone);
    let is_right = zone.is_some() || !section.has("timezone");
    let (who, from, to) = (who?, from?, to?);
    let zone = zone.unwrap_or_else(TimeZone::system);
    let (who, places) = who.into_iter().unzip();
    let hours = ZonedHours { hours: Hours { days, from, to }, zone };
    is_right.then(|| Written { quiet: QuietHours { who, hours }, places })
}

/// Names with their places, at least one.
fn names(value: &Value) -> Option<Vec<(String, Range<usize>)>> {
    let one = |value: &Value| values::text(value).map(|name| (name, value.span()));
    match values::one_or_more(one)(value)? {
        empty if empty.is_empty() => value.fail("`who` names nobody; write an alias or a number".to_owned()),
        names => Some(names),
    }
}
