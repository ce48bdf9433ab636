//! `--at`: a time, in words of the command line.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The time that is written, where the relay is: a point in time, a local time, or a time of today; now where nothing is.
///
/// # Errors
/// The sentence for whoever wrote it.
pub(super) fn moment(written: Option<&str>) -> Result<Zoned, String> {
    let zone = TimeZone::system();
    let now = Timestamp::now().to_zoned(zone.clone());
    let Some(written) = written.map(str::trim) else { return Ok(now) };
    let local = |time: DateTime| time.to_zoned(zone.clone());
    let read = written
        .parse::<Timestamp>()
        .map(|time| time.to_zoned(zone.clone()))
        // Before a time alone, which would leave the date unread.
        .or_else(|_| written.parse::<DateTime>().and_then(local))
        .or_else(|_| written.parse::<Time>().and_then(|time| local(now.date().to_datetime(time))));
    read.map_err(|_| {
        let shown = written.escape_debug();
        format!(
            "--at: `{shown}` is no time; write it like 2026-11-21T03:00:00Z, or \"2026-11-21 03:00\" or 03:00 in local \
             time"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_local() {
        let read = |text: &str| moment(Some(text)).map(|at| at.timestamp().to_string());
        assert_eq!(read("2026-11-21T03:00:00Z").unwrap(), "2026-11-21T03:00:00Z");
        assert_eq!(read("2026-11-21T03:00:00+01:00").unwrap(), "2026-11-21T02:00:00Z");
        let local = |text: &str| moment(Some(text)).unwrap().datetime().to_string();
        // Two days, of which today can be only one.
        assert_eq!(local("2025-03-04 03:00"), "2025-03-04T03:00:00");
        assert_eq!(local("2031-03-04T03:00"), "2031-03-04T03:00:00");
        assert!(local("03:00").ends_with("T03:00:00"));
        assert!(read("tomorrow").unwrap_err().starts_with("--at: `tomorrow` is no time; write it"));
    }
}
