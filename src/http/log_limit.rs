//! How many lines the log gets about what strangers do wrong: each costs them a few octets, and anybody could fill
//! the disk. What is left out is counted here and told by the next line; the metrics count all of it.

use std::time::{Duration, Instant};

/// Lines in a [`WINDOW`].
const LINES: u32 = 20;
/// How long the lines are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Lets lines in, or counts them.
#[derive(Debug, Default)]
pub(super) struct LogLimit {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl LogLimit {
    /// Whether a line may be written now: then how many were left out since the last one.
    pub(super) fn line(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines == LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_lines_a_minute_are_let_in_and_the_others_counted() {
        let (mut limit, start) = (LogLimit::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for line in 0..20 {
            assert_eq!(limit.line(at(line)), Some(0), "{line}");
        }
        for line in 20..23 {
            assert_eq!(limit.line(at(line)), None, "{line}");
        }
        assert_eq!(limit.line(at(59)), None);
        assert_eq!(limit.line(at(60)), Some(4));
        assert_eq!(limit.line(at(61)), Some(0));
    }
}
