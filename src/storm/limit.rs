//! At most so many in any such while.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::LimitStep;

/// What a person bears: one a minute, five in a quarter of an hour, eleven an hour, 21 in three hours.
pub const PRESET: [LimitStep; 4] = [step(1, 60), step(5, 15 * 60), step(11, 60 * 60), step(21, 3 * 60 * 60)];

const fn step(most: u32, seconds: u64) -> LimitStep {
    LimitStep { most, within: Duration::from_secs(seconds) }
}

/// So many and so long are kept at least, since the rules of one phone may have other steps, and all of them look at the
/// same passes.
const KEPT: LimitStep = step(128, 24 * 60 * 60);

/// When the last ones passed, to the millisecond, oldest first: what a limit with sliding windows needs to know.
///
/// A time after `now` was written by a clock that has been put back since. It counts as what it is, so that a step back
/// of a second gives no second share; but one further ahead than a window is long says nothing about that window. So no
/// limit is shut for longer than twice its window, however wrong the clock was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passes(VecDeque<i64>);

impl Passes {
    /// What [`write`](Self::write) wrote; `None` if it is anything else.
    pub fn read(text: &str) -> Option<Self> {
        let mut times = VecDeque::new();
        for word in text.split_ascii_whitespace() {
            let number: i64 = word.parse().ok()?;
            let time = match times.back() {
                None => number,
                Some(_) if number < 0 => return None,
                Some(before) => number.checked_add(*before)?,
            };
            Timestamp::from_millisecond(time).ok()?;
            times.push_back(time);
        }
        Some(Self(times))
    }

    /// The first as milliseconds since 1970, each other one as milliseconds since the one before, with blanks between.
    pub fn write(&self) -> String {
        let mut written = String::new();
        let mut before = 0;
        for time in &self.0 {
            if !written.is_empty() {
                written.push(' ');
            }
            written.push_str(&(time - before).to_string());
            before = *time;
        }
        written
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `None` if one more may pass at `now`; otherwise the first time at which it may, if none passes until then.
    pub fn free_at(&self, steps: &[LimitStep], now: Timestamp) -> Option<Timestamp> {
        let now = now.as_millisecond();
        let free = steps.iter().filter_map(|step| self.step_is_free_at(step, now)).max()?;
        Some(Timestamp::from_millisecond(free).unwrap_or(Timestamp::MAX))
    }

    fn step_is_free_at(&self, step: &LimitStep, now: i64) -> Option<i64> {
        let within = millis(step.within);
        let counts = self.0.iter().rev().filter(|time| time.saturating_sub(now) <= within);
        // What is asked for is the youngest of those that have to leave the window first.
        let last =
            counts.skip(usize::try_from(step.most.max(1) - 1).unwrap_or(usize::MAX)).copied().next()?;
        Some(last.saturating_add(within)).filter(|free| *free > now)
    }

    /// One passed at `now`, whether there was room or not. What no step looks at any more is forgotten once there are 128
    /// or a day has passed, so that no more are kept than these or the largest `most`; what is ahead of `now` counts
    /// as now from here on.
    pub fn add(&mut self, steps: &[LimitStep], now: Timestamp) {
        let now = now.as_millisecond();
        let all = || steps.iter().chain([&KEPT]);
        let longest = all().map(|step| millis(step.within)).max().unwrap_or(0);
        let most = all().map(|step| step.most).max().unwrap_or(0);
        self.0.retain(|time| now.saturating_sub(*time) < longest && time.saturating_sub(now) <= longest);
        for time in &mut self.0 {
            *time = now.min(*time);
        }
        self.0.push_back(now);
        while self.0.len() > usize::try_from(most).unwrap_or(usize::MAX) {
            self.0.pop_front();
        }
    }

    /// What passed at `at` has not gone after all, so that it counts no more; `false` where it does not count anyway, as it
    /// was forgotten, or its time was ahead of another's. Of several in one millisecond one is taken.
    pub fn remove(&mut self, at: Timestamp) -> bool {
        let found = self.0.iter().rposition(|time| *time == at.as_millisecond());
        found.and_then(|place| self.0.remove(place)).is_some()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn limit(most: u32, millis: u64) -> LimitStep {
        LimitStep { most, within: Duration::from_millis(millis) }
    }

    fn passed(steps: &[LimitStep], times: &[i64]) -> Passes {
        let mut passes = Passes::default();
        for time in times {
            passes.add(steps, at(*time));
        }
        passes
    }

    #[test]
    fn the_preset_lets_one_through_a_minute_and_five_in_a_quarter_of_an_hour() {
        let minute = 60_000;
        let mut passes = Passes::default();
        let mut now = 1_000_000_000;
        let mut told = Vec::new();
        for _ in 0..22 {
            if let Some(free) = passes.free_at(&PRESET, at(now)) {
                now = free.as_millisecond();
            }
            told.push((now - 1_000_000_000) / minute);
            passes.add(&PRESET, at(now));
        }
        assert_eq!(
            told,
            [0, 1, 2, 3, 4, 15, 16, 17, 18, 19, 30, 60, 61, 62, 63, 64, 75, 76, 77, 78, 79, 180]
        );
    }

    #[test]
    fn room_comes_when_a_window_has_passed_and_not_a_millisecond_before() {
        let steps = [limit(2, 1000)];
        let passes = passed(&steps, &[100, 400]);
        assert_eq!(passes.free_at(&steps, at(1099)), Some(at(1100)));
        assert_eq!(passes.free_at(&steps, at(1100)), None);
        assert_eq!(Passes::default().free_at(&steps, at(0)), None);
        assert_eq!(passes.free_at(&[], at(400)), None, "no limit");
    }

    #[test]
    fn what_passes_without_room_counts() {
        let steps = [limit(1, 1000)];
        assert_eq!(passed(&steps, &[0, 900]).free_at(&steps, at(1000)), Some(at(1900)));
    }

    #[test]
    fn no_more_are_kept_than_some_step_may_look_at() {
        let day = 24 * 3_600_000;
        let times: Vec<i64> = (0..200).collect();
        let kept = |steps: &[LimitStep]| passed(steps, &times).0;
        assert_eq!(kept(&[limit(1, 1000)]).into_iter().collect::<Vec<_>>(), times[72..]);
        assert_eq!(
            (kept(&[]).len(), kept(&[limit(129, 1000)]).len(), kept(&[limit(300, 1000)]).len()),
            (128, 129, 200)
        );
        let steps = [limit(1, 1000)];
        let mut passes = passed(&steps, &[0, 1]);
        passes.add(&steps, at(day));
        assert_eq!(passes.write(), "1 86399999", "what is a day old is forgotten");
    }

    #[test]
    fn a_rule_with_other_limits_takes_nothing_from_what_the_others_look_at() {
        let strict = [limit(1, 1000)];
        let passes = passed(&strict, &[0, 10_000, 20_000]);
        assert_eq!(passes.free_at(&[limit(3, 60_000)], at(30_000)), Some(at(60_000)));
    }

    #[test]
    fn a_step_back_of_a_second_gives_no_second_share() {
        let steps = [limit(1, 60_000)];
        let passes = passed(&steps, &[100_000]);
        assert_eq!(passes.free_at(&steps, at(99_000)), Some(at(160_000)));
    }

    #[test]
    fn a_clock_that_was_ahead_by_a_year_shuts_nothing() {
        let steps = [limit(1, 60_000), limit(2, 600_000)];
        let year = 365 * 24 * 3_600_000;
        let mut passes = passed(&steps, &[year, year + 60_000]);
        assert_eq!(passes.free_at(&steps, at(5000)), None);
        passes.add(&steps, at(5000));
        assert_eq!(passes.write(), "5000");
        assert_eq!(passes.free_at(&steps, at(65_000)), None);
    }

    #[test]
    fn what_was_ahead_counts_as_now_once_another_passed() {
        let steps = [limit(2, 60_000)];
        let mut passes = passed(&steps, &[50_000]);
        passes.add(&steps, at(10_000));
        assert_eq!(passes.write(), "10000 0");
        assert_eq!(passes.free_at(&steps, at(10_000)), Some(at(70_000)));
    }

    #[test]
    fn what_is_taken_out_leaves_room_and_takes_nobody_else_with_it() {
        let steps = [limit(2, 1000)];
        let mut passes = passed(&steps, &[100, 100, 400]);
        assert!(!passes.remove(at(101)), "nobody passed then");
        assert!(passes.remove(at(100)));
        assert_eq!(passes.write(), "100 300");
        assert_eq!(passes.free_at(&steps, at(500)), Some(at(1100)));
        assert!(passes.remove(at(400)));
        assert_eq!(passes.free_at(&steps, at(500)), None);
        assert!(passes.remove(at(100)) && !passes.remove(at(100)));
        assert!(passes.is_empty());
    }

    #[test]
    fn what_is_damaged_is_not_read() {
        for damaged in
            ["x", "1 -1", "1 x", "99999999999999999999", "9000000000000000000", "1 9000000000000000000"]
        {
            assert_eq!(Passes::read(damaged), None, "{damaged}");
        }
        assert_eq!(Passes::read(""), Some(Passes::default()));
    }

    fn steps() -> impl Strategy<Value = Vec<LimitStep>> {
        proptest::collection::vec((1_u32..6, 1_u64..400).prop_map(|(most, within)| limit(most, within)), 1..4)
    }

    proptest! {
        /// Clients that come whenever they like, as long as time goes forward.
        #[test]
        fn never_more_than_most_in_any_window_and_free_at_is_the_earliest_time(
            steps in steps(),
            waits in proptest::collection::vec(0_i64..120, 1..80),
        ) {
            let mut passes = Passes::default();
            let mut told: Vec<i64> = Vec::new();
            let mut now = 0;
            let has_room = |told: &[i64], now: i64| steps.iter().all(|step| {
                let within = step.within.as_millis() as i64;
                told.iter().filter(|time| **time > now - within).count() < step.most as usize
            });
            for wait in waits {
                now += wait;
                prop_assert_eq!(passes.free_at(&steps, at(now)).is_none(), has_room(&told, now));
                if let Some(free) = passes.free_at(&steps, at(now)) {
                    let free = free.as_millisecond();
                    prop_assert!(has_room(&told, free));
                    prop_assert!((now..free).all(|time| !has_room(&told, time)));
                    continue;
                }
                told.push(now);
                passes.add(&steps, at(now));
                let read = Passes::read(&passes.write());
                prop_assert_eq!(read.as_ref(), Some(&passes));
            }
            for step in &steps {
                let within = step.within.as_millis() as i64;
                for first in &told {
                    let inside = told.iter().filter(|time| (*first..first + within).contains(*time)).count();
                    prop_assert!(inside <= step.most as usize);
                }
            }
        }

        #[test]
        fn a_clock_that_jumps_shuts_no_limit_for_longer_than_twice_its_window(
            steps in steps(),
            times in proptest::collection::vec(-5000_i64..5000, 1..40),
            now in -5000_i64..5000,
        ) {
            let longest = steps.iter().map(|step| step.within.as_millis() as i64).max().unwrap();
            let passes = passed(&steps, &times);
            let free = passes.free_at(&steps, at(now)).map_or(now, |free| free.as_millisecond());
            prop_assert!(free <= now + 2 * longest);
            prop_assert_eq!(Passes::read(&passes.write()), Some(passes));
        }

        #[test]
        fn reading_never_panics(text in "[0-9 -]{0,60}") {
            let _ = Passes::read(&text).map(|passes| passes.free_at(&PRESET, at(0)));
        }
    }
}
