//! `[dispatch]`, `[tracking]` and `[spool]`: where messages wait and how they go.

use std::time::Duration;

use super::reader::Section;
use super::values;
use crate::retry::{AskPlan, Backoff};
use crate::spool::sqlite;
use crate::{dispatch, tracking};

/// The most questions a second that can be told from no bound.
const MOST_QUESTIONS: f64 = 10_000.0;

/// Reads `[dispatch]`. The first question whether a message arrived is `tracking`'s to time.
pub(super) fn dispatch(top: &Section, tracking: &tracking::Settings) -> dispatch::Settings {
    let section = top.section("dispatch");
    dispatch::Settings {
        concurrency: section.or("concurrency", 8, values::count(1..=1000)),
        backoff: values::backoff(&section, "backoff", seconds(5, 15 * 60)),
        probe: values::backoff(&section, "probe", seconds(30, 15 * 60)),
        ask_after: section.or("ask_after", Duration::from_secs(5), values::time(values::SECOND)),
        unknown_time: section.or("unknown_time", Duration::from_secs(600), values::time(values::SECOND)),
        plan: tracking.plan,
    }
}

/// Reads `[tracking]`.
pub(super) fn tracking(top: &Section) -> tracking::Settings {
    let section = top.section("tracking");
    let ask = values::backoff(&section, "ask", seconds(30, 3600));
    let ten_minutes = Duration::from_secs(600);
    let plan = AskPlan {
        first: ask.first,
        with_callbacks: section.or("ask_with_callbacks", ten_minutes, values::time(values::SECOND)),
        callbacks_alive: section.or("callbacks_alive", ten_minutes, values::time(values::SECOND)),
    };
    tracking::Settings {
        ask,
        plan,
        concurrency: section.or("concurrency", 4, values::count(1..=1000)),
        give_up_after: section.or(
            "give_up_after",
            Duration::from_secs(72 * 3600),
            values::time(Duration::from_secs(60)),
        ),
        questions_per_second: section.or("questions_per_second", 10.0, values::rate(MOST_QUESTIONS)),
    }
}

/// Reads `[spool]`.
pub(super) fn spool(top: &Section) -> Option<sqlite::Settings> {
    let section = top.section("spool");
    let directory = section.required("directory", "\"/var/lib/sms-relay\"", values::path);
    let min_free = section.or("min_free", 64 << 20, values::size(1 << 20..=1 << 40));
    Some(sqlite::Settings { directory: directory?, min_free_octets: min_free as u64 })
}

pub(super) fn seconds(first: u64, most: u64) -> Backoff {
    Backoff { first: Duration::from_secs(first), most: Duration::from_secs(most) }
}
