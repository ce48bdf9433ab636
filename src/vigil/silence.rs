//! Who is silent, and what is news of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::retry::later;
use crate::spool::Heard;

/// The most and the least between two writes that somebody was heard of.
const GRAIN: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(60));

/// That somebody's silence was told, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// From when on they were expected.
    since: i64,
    /// When they had been heard of last.
    at: Option<i64>,
}

/// What somebody has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// They are silent, for so long.
    Silent(Duration),
    /// They were heard of again, after so long.
    Again(Duration),
}

/// How often it is written that somebody was heard of who may be silent for `within`: each minute, and a hundred times
/// in that time where it is short.
pub(super) fn grain(within: Duration) -> Duration {
    (within / 100).clamp(GRAIN.0, GRAIN.1)
}

/// From when on their silence counts.
pub(super) fn from(heard: &Heard) -> Timestamp {
    later(heard.at.unwrap_or(heard.since), heard.away)
}

/// How long they are silent, without the time that the relay was not there to hear.
pub(super) fn silent_for(heard: &Heard, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(from(heard))).unwrap_or_default()
}

/// When they will have been silent for too long.
pub(super) fn due(heard: &Heard, within: Duration) -> Timestamp {
    later(from(heard), within)
}

/// Whether they have been silent for too long.
pub(super) fn is_silent(heard: &Heard, within: Duration, now: Timestamp) -> bool {
    due(heard, within) <= now
}

/// What is to be told of them; `told` is what was told last.
pub(super) fn news(heard: &Heard, within: Duration, told: Option<Told>, now: Timestamp) -> Option<News> {
    let silent = || is_silent(heard, within, now).then(|| News::Silent(silent_for(heard, now)));
    // Who was taken out of the configuration and put back begins anew.
    let Some(told) = told.filter(|told| heard.since.as_millisecond() <= told.since) else { return silent() };
    let at = heard.at.map(Timestamp::as_millisecond);
    if at == told.at {
        return None;
    }
    silent().or_else(|| {
        let gap = at?.saturating_sub(told.at.unwrap_or(told.since));
        Some(News::Again(Duration::from_millis(u64::try_from(gap).unwrap_or_default())))
    })
}

impl Told {
    /// That this silence was told.
    pub(super) fn of(heard: &Heard) -> Self {
        Self { since: heard.since.as_millisecond(), at: heard.at.map(Timestamp::as_millisecond) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Source, SourceKind};

    const DAY: i64 = 86_400;
    const WITHIN: Duration = Duration::from_secs(8 * 86_400);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn heard(since: i64, last: Option<i64>, away: u64) -> Heard {
        Heard {
            source: Source::new(SourceKind::Account, "ups"),
            since: at(since),
            at: last.map(at),
            away: Duration::from_secs(away),
        }
    }

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    #[test]
    fn eight_days_are_silence_and_a_second_less_is_none() {
        for (heard, begins) in [
            (heard(0, None, 0), 8 * DAY),
            (heard(0, Some(3 * DAY), 0), 11 * DAY),
            (heard(5 * DAY, None, 0), 13 * DAY),
            // The relay was down for an hour of it.
            (heard(0, Some(3 * DAY), 3600), 11 * DAY + 3600),
        ] {
            assert_eq!(news(&heard, WITHIN, None, at(begins - 1)), None, "{heard:?}");
            assert_eq!(news(&heard, WITHIN, None, at(begins)), Some(News::Silent(WITHIN)), "{heard:?}");
            assert_eq!(due(&heard, WITHIN), at(begins));
        }
    }

    #[test]
    fn a_silence_is_news_once_and_so_is_its_end() {
        let silent = heard(0, Some(DAY), 0);
        let told = Some(Told::of(&silent));
        assert_eq!(news(&silent, WITHIN, told, at(9 * DAY)), None);
        assert_eq!(news(&silent, WITHIN, told, at(90 * DAY)), None);
        let again = heard(0, Some(10 * DAY), 0);
        assert_eq!(news(&again, WITHIN, told, at(10 * DAY)), Some(News::Again(days(9))));
        // Heard of once, and silent again before anybody looked.
        assert_eq!(news(&again, WITHIN, told, at(18 * DAY)), Some(News::Silent(days(8))));
        assert_eq!(news(&again, WITHIN, None, at(18 * DAY - 1)), None);
        // Never before: from when they were expected on.
        let told = Some(Told::of(&heard(DAY, None, 0)));
        assert_eq!(
            news(&heard(DAY, Some(10 * DAY), 0), WITHIN, told, at(10 * DAY)),
            Some(News::Again(days(9)))
        );
    }

    #[test]
    fn who_was_put_back_into_the_configuration_begins_anew() {
        let told = Some(Told::of(&heard(0, None, 0)));
        let anew = heard(20 * DAY, None, 0);
        assert_eq!(news(&anew, WITHIN, told, at(28 * DAY - 1)), None);
        assert_eq!(news(&anew, WITHIN, told, at(28 * DAY)), Some(News::Silent(days(8))));
    }

    #[test]
    fn a_clock_that_was_put_back_makes_nobody_silent_and_nothing_overflows() {
        let ahead = heard(100 * DAY, Some(100 * DAY), 0);
        assert_eq!(silent_for(&ahead, at(0)), Duration::ZERO);
        assert_eq!(news(&ahead, WITHIN, None, at(0)), None);
        let endless = Heard { away: Duration::MAX, ..ahead };
        assert_eq!(due(&endless, Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn what_is_written_is_fine_enough() {
        assert_eq!(grain(WITHIN), Duration::from_secs(60));
        assert_eq!(grain(Duration::from_secs(6000)), Duration::from_secs(60));
        assert_eq!(grain(Duration::from_secs(5999)), Duration::from_millis(59_990));
        assert_eq!(grain(Duration::from_secs(1)), Duration::from_millis(10));
    }
}
