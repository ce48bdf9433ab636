//! A point in time as clients write it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::profile::TimeForm;

/// The farthest that minutes from now may lead: what is farther is refused anyway.
const MAX_MINUTES: i64 = 100 * 366 * 24 * 60;

/// Reads a time in the form of an API. `now` is also where the relay is.
pub(super) fn time(written: &str, form: TimeForm, now: &Zoned) -> Option<Timestamp> {
    match form {
        TimeForm::Iso => point_in_time(written, now.time_zone()),
        TimeForm::Compact => compact(written.trim(), now.time_zone()),
        TimeForm::Minutes => {
            let written = written.trim();
            let is_number = !written.is_empty() && written.bytes().all(|octet| octet.is_ascii_digit());
            let minutes = is_number.then(|| written.parse().ok())?;
            let minutes = minutes.filter(|minutes| *minutes <= MAX_MINUTES)?;
            now.timestamp().checked_add(SignedDuration::from_mins(minutes)).ok()
        }
    }
}

/// How a time is written in this form, for somebody who wrote it otherwise.
pub(super) fn example(form: TimeForm) -> &'static str {
    match form {
        TimeForm::Iso => {
            "write it like 2031-01-31T07:30:00+01:00, or 2031-01-31 07:30 in the time of this relay"
        }
        TimeForm::Compact => "write it like 203101310730, in the time of this relay",
        TimeForm::Minutes => "write the minutes from now, like 90",
    }
}

/// `YYYYmmDDHHMM`.
fn compact(written: &str, here: &TimeZone) -> Option<Timestamp> {
    let digits = |octet: u8| octet.is_ascii_digit();
    if written.len() != 12 || !written.bytes().all(digits) {
        return None;
    }
    let (date, time) = written.split_at(8);
    let civil: DateTime = format!("{date}T{time}").parse().ok()?;
    here.to_timestamp(civil).ok()
}

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

    #[test]
    fn each_form_reads_its_own() {
        let now: Zoned = "2025-10-01T09:00:00+02:00[Europe/Rome]".parse().unwrap();
        let read = |written: &str, form| time(written, form, &now).map(|at| at.to_string());
        for (written, form, at) in [
            ("2025-10-01 09:30", TimeForm::Iso, Some("2025-10-01T07:30:00Z")),
            ("202512010930", TimeForm::Compact, Some("2025-12-01T08:30:00Z")),
            (" 202510010930 ", TimeForm::Compact, Some("2025-10-01T07:30:00Z")),
            ("20251001093", TimeForm::Compact, None),
            ("2025100109300", TimeForm::Compact, None),
            ("202513010930", TimeForm::Compact, None),
            ("202510012530", TimeForm::Compact, None),
            ("+20251001093", TimeForm::Compact, None),
            ("0", TimeForm::Minutes, Some("2025-10-01T07:00:00Z")),
            ("90", TimeForm::Minutes, Some("2025-10-01T08:30:00Z")),
            ("52704000", TimeForm::Minutes, Some("2125-12-16T07:00:00Z")),
            ("52704001", TimeForm::Minutes, None),
            ("-1", TimeForm::Minutes, None),
            ("+1", TimeForm::Minutes, None),
            ("99999999999999999999", TimeForm::Minutes, None),
            ("", TimeForm::Minutes, None),
        ] {
            assert_eq!(read(written, form).as_deref(), at, "{written} {form:?}");
        }
    }
}
