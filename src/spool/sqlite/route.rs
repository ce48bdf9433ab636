//! By which door and how urgently an SMS goes, in columns.

use std::time::Duration;

use rusqlite::Row;

use super::error::Damage;
use super::row;
use crate::model::{Lane, OnUnknown, Way, Ways};

/// The columns that [`read`] reads.
macro_rules! route_columns {
    () => {
        "sms.ways, sms.way, sms.silence_ms"
    };
}
pub(super) use route_columns;

/// Where the ways of an SMS stand.
#[derive(Debug)]
pub(super) struct Route {
    /// The one that is tried.
    pub(super) way: Way,
    /// Its place among them, from 0.
    pub(super) place: usize,
    /// Whether another one follows.
    pub(super) has_next: bool,
    /// How long this one may stay silent; `None` where none follows.
    pub(super) silence: Option<Duration>,
}

/// The ways as they stand in a column: nothing for the usual one.
pub(super) fn ways_column(ways: &Ways) -> Result<Option<String>, Damage> {
    match ways.as_slice() {
        [Way::Sms] => Ok(None),
        several => serde_json::to_string(several).map(Some).map_err(|_| Damage("ways")),
    }
}

/// How long a way may stay silent, in milliseconds, as it stands in a column.
pub(super) fn silence_column(ways: &Ways) -> Option<i64> {
    ways.silence().map(|silence| i64::try_from(silence.as_millis()).unwrap_or(i64::MAX))
}

/// The route of a row of `sms`.
pub(super) fn read(row: &Row<'_>) -> Result<Route, Damage> {
    let (mut ways, place) = ways(row)?;
    let silence = match row::column::<Option<i64>>(row, "silence_ms")? {
        None => None,
        Some(millis) => Some(u64::try_from(millis).map_err(|_| Damage("silence_ms"))?),
    };
    let has_next = place + 1 < ways.len();
    Ok(Route {
        way: ways.swap_remove(place),
        place,
        has_next,
        silence: silence.map(Duration::from_millis).filter(|_| has_next),
    })
}

/// All ways of a row of `sms` in their order, and the place of the one that is tried.
pub(super) fn ways(row: &Row<'_>) -> Result<(Vec<Way>, usize), Damage> {
    let ways: Vec<Way> = match row::column::<Option<String>>(row, "ways")? {
        None => vec![Way::Sms],
        Some(text) => serde_json::from_str(&text).map_err(|_| Damage("ways"))?,
    };
    let place = index(row, "way")?;
    if place < ways.len() { Ok((ways, place)) } else { Err(Damage("way")) }
}

/// The lane as it stands in a column.
pub(super) fn lane_column(lane: Lane) -> i64 {
    row::limit(lane.index())
}

/// The lane of a row of `sms`.
pub(super) fn lane(row: &Row<'_>) -> Result<Lane, Damage> {
    Lane::ALL.get(index(row, "lane")?).copied().ok_or(Damage("lane"))
}

/// What becomes of a row of `sms` that the platform cannot tell about.
pub(super) fn on_unknown(row: &Row<'_>) -> Result<OnUnknown, Damage> {
    row::word(row, "on_unknown", [OnUnknown::Resend, OnUnknown::Fail], OnUnknown::as_str)
}

fn index(row: &Row<'_>, name: &'static str) -> Result<usize, Damage> {
    usize::try_from(row::column::<i64>(row, name)?).map_err(|_| Damage(name))
}
