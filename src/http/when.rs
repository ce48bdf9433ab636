//! A point in time as clients write it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads RFC 3339 and what is near it (a space for the `T`, a zone without its colon, as the platform itself
/// writes), and `YYYY-MM-DD HH:MM[:SS]` in the time of `here`. A plus that a form made a space counts as a plus. A
/// time that the clocks skip is the one after the gap, one that comes twice the first.
pub(super) fn point_in_time(written: &str, here: &TimeZone) -> Option<Timestamp> {
    let written = written.trim();
    // No date alone: midnight would be a guess.
    if !written.contains(':') {
        return None;
    }
    let with_plus = || {
        let (time, zone) = written.rsplit_once(' ').filter(|(time, _)| time.contains(':'))?;
        format!("{time}+{zone}").parse().ok()
    };
    let in_zone = written.parse::<Timestamp>().ok().or_else(with_plus);
    in_zone.or_else(|| {
        let civil: DateTime = written.parse().ok()?;
        // `DateTime` reads past a zone, which has been tried above.
        let time = written.get(10..).unwrap_or_default();
        let is_bare = time.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | ' ' | 'T' | 't'));
        is_bare.then(|| here.to_timestamp(civil).ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str) -> Option<String> {
        let rome = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        point_in_time(written, &rome).map(|at| at.to_string())
    }

    #[test]
    fn a_time_with_a_zone_is_that_time() {
        for written in [
            "2025-10-01T09:00:00Z",
            "2025-10-01T11:00:00+02:00",
            "2025-10-01 11:00:00+02:00",
            "2025-10-01 11:00+02:00",
            "2025-10-01 09:00:00.000+0000",
            "2025-10-01T11:00:00 02:00",
            "2025-10-01 11:00:00 0200",
            " 2025-10-01t09:00:00z ",
        ] {
            assert_eq!(read(written).as_deref(), Some("2025-10-01T09:00:00Z"), "{written}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_local() {
        assert_eq!(read("2025-10-01 09:00").as_deref(), Some("2025-10-01T07:00:00Z"));
        assert_eq!(read("2025-12-01T09:00:30").as_deref(), Some("2025-12-01T08:00:30Z"));
        // Skipped, and twice.
        assert_eq!(read("2025-03-30 02:30").as_deref(), Some("2025-03-30T01:30:00Z"));
        assert_eq!(read("2025-10-26 02:30").as_deref(), Some("2025-10-26T00:30:00Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for wrong in [
            "",
            "now",
            "tomorrow 09:00",
            "2025-10-01",
            "09:00",
            "2025-13-01 09:00",
            "2025-10-01 25:00",
            "2025-10-01 09:00 Rome",
            "2025-10-01 09:00:00[Europe/Rome]",
            "1759309200",
            "2025-10-01 09:00 2025-10-01 09:00",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
