//! `Retry-After`: when somebody who has no time now wants to be called again.

use std::time::Duration;

use jiff::Timestamp;

use super::LONGEST_PAUSE;

/// Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date. At most a day ahead.
/// `None` for anything else, and for a time that has already come: then our own waits hold.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    let most = now.checked_add(LONGEST_PAUSE).ok()?;
    let until = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // Too many digits for a number are still only a long time.
        let seconds = value.parse().unwrap_or(u64::MAX).min(LONGEST_PAUSE.as_secs());
        now.checked_add(Duration::from_secs(seconds)).ok()?
    } else {
        Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?
    };
    (until > now).then_some(until.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_in_both_forms_and_bounded_to_a_day() {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        for (value, expected) in [
            ("1", Some("2026-01-02T03:04:06Z")),
            (" 120 ", Some("2026-01-02T03:06:05Z")),
            ("86400", Some("2026-01-03T03:04:05Z")),
            ("86401", Some("2026-01-03T03:04:05Z")),
            ("99999999999999999999999999", Some("2026-01-03T03:04:05Z")),
            ("Fri, 02 Jan 2026 03:05:05 GMT", Some("2026-01-02T03:05:05Z")),
            ("Friday, 02-Jan-26 03:05:05 GMT", Some("2026-01-02T03:05:05Z")),
            ("Fri Jan  2 03:05:05 2026", Some("2026-01-02T03:05:05Z")),
            ("Thu, 01 Jan 2099 00:00:00 GMT", Some("2026-01-03T03:04:05Z")),
            ("Thu, 01 Jan 2026 00:00:00 GMT", None),
            ("Fri, 02 Jan 2026 03:04:05 GMT", None),
            ("0", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("١٢", None),
        ] {
            let expected: Option<Timestamp> = expected.map(|at| at.parse().unwrap());
            assert_eq!(retry_after(value, now), expected, "{value}");
        }
        assert_eq!(retry_after("5", Timestamp::MAX), None);
    }
}
