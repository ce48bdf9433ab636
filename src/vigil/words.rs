//! What people are told of somebody silent and of tests.

use std::time::Duration;

use jiff::Zoned;

use crate::model::Source;

/// Somebody who is silent, or was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) source: Source,
    /// For how long.
    pub(super) silent: Duration,
    /// When they were heard of last before; nothing where they never were.
    pub(super) last: Option<Zoned>,
}

/// Names that a text tells; of more it tells how many.
const MOST_NAMES: usize = 5;

/// The text about those who are silent.
pub(super) fn silent_text(items: &[Item]) -> String {
    match items {
        [one] => format!("Nothing was heard of {} for {}{}", one.source, spelled(one.silent), last(one)),
        many => format!("Nothing was heard for too long of {}", names(many)),
    }
}

/// The text about those who were heard of again.
pub(super) fn again_text(items: &[Item]) -> String {
    match items {
        [one] => format!("{} was heard again after {}", one.source, spelled(one.silent)),
        many => format!("Heard again of {}", names(many)),
    }
}

/// Subject and text of the mail about those who are silent; `untold`: why no text could be sent about them.
pub(super) fn silent_mail(items: &[Item], untold: Option<&str>) -> (String, String) {
    let subject = match items {
        [one] => format!("Nothing was heard of {} for {}", one.source, spelled(one.silent)),
        many => format!("Nothing was heard of {} for too long", count(many.len())),
    };
    let lines: String = items
        .iter()
        .map(|one| format!("  {}: nothing for {}{}\n", one.source, spelled(one.silent), last(one)))
        .collect();
    let text = format!(
        "These were expected to send a mail or a form, and did not:\n\n{lines}\n\
         Their last word may have been lost on its way, or they are dead. See whether they\n\
         still reach the relay. It will write again when they are heard of.\n{}",
        not_told(untold)
    );
    (subject, text)
}

/// Subject and text of the mail about those who were heard of again.
pub(super) fn again_mail(items: &[Item], untold: Option<&str>) -> (String, String) {
    let subject = match items {
        [one] => format!("{} was heard again after {}", one.source, spelled(one.silent)),
        many => format!("Heard again of {}", count(many.len())),
    };
    let lines: String = items
        .iter()
        .map(|one| format!("  {}: heard again after {}\n", one.source, spelled(one.silent)))
        .collect();
    (subject, format!("{lines}{}", not_told(untold)))
}

/// The text of a test that has none of its own.
pub(super) fn test_text(name: &str, now: &Zoned) -> String {
    format!("Test {name} of the SMS relay, {}", moment(now))
}

/// The text about a test that failed.
pub(super) fn failed_text(name: &str, why: &str) -> String {
    format!("The test SMS {name} failed: {why}")
}

/// Subject and text of the mail about a test that failed.
pub(super) fn failed_mail(
    name: &str,
    within: Duration,
    why: &str,
    id: Option<&str>,
    untold: Option<&str>,
) -> (String, String) {
    let look = id
        .map(|id| format!("  sms-relay queue show {id}\n\ntells all that happened to it. "))
        .unwrap_or_default();
    let text = format!(
        "The test SMS {name} was to be delivered within {}, and was not:\n\n  {why}\n\n\
         {look}Until a test passes, SMS may not reach anybody.\n{}",
        spelled(within),
        not_told(untold)
    );
    (format!("The test SMS {name} failed"), text)
}

/// Subject and text of the mail about a test that passes after it had failed.
pub(super) fn passed_mail(name: &str) -> (String, String) {
    (
        format!("The test SMS {name} was delivered again"),
        format!("The test SMS {name}, which had failed before, was delivered in time.\n"),
    )
}

fn not_told(why: Option<&str>) -> String {
    why.map(|why| format!("\nNo text about it could be sent: {why}\n")).unwrap_or_default()
}

fn last(one: &Item) -> String {
    match &one.last {
        Some(at) => format!(", last {}", moment(at)),
        None => ", and never before".to_owned(),
    }
}

fn moment(at: &Zoned) -> String {
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

fn count(many: usize) -> String {
    format!("{many} that were expected")
}

fn names(items: &[Item]) -> String {
    let shown: Vec<String> = items.iter().take(MOST_NAMES).map(|one| one.source.to_string()).collect();
    match items.len().saturating_sub(MOST_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `9 days`: in the largest unit of which there are two or more, rounded down.
pub(super) fn spelled(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [("day", 86_400), ("hour", 3600), ("minute", 60)];
    let fits = units.into_iter().find(|(_, unit)| seconds >= 2 * unit || seconds == *unit);
    let (unit, count) = fits.map_or(("second", seconds), |(name, unit)| (name, seconds / unit));
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::SourceKind;

    fn item(name: &str, last: Option<i64>) -> Item {
        let zoned = |second| Timestamp::from_second(second).unwrap().to_zoned(TimeZone::UTC);
        Item {
            source: Source::new(SourceKind::Account, name),
            silent: Duration::from_secs(9 * 86_400 + 86_399),
            last: last.map(zoned),
        }
    }

    #[test]
    fn one_is_told_in_full_and_many_by_name_and_number() {
        let one = [item("ups", Some(1_800_000_000))];
        assert_eq!(
            silent_text(&one),
            "Nothing was heard of account ups for 9 days, last Fri 2027-01-15 08:00"
        );
        assert_eq!(
            silent_text(&[item("ups", None)]),
            "Nothing was heard of account ups for 9 days, and never before"
        );
        assert_eq!(again_text(&one), "account ups was heard again after 9 days");
        let many: Vec<Item> = (0..7).map(|n| item(&format!("n{n}"), None)).collect();
        let five = "account n0, account n1, account n2, account n3, account n4";
        assert_eq!(silent_text(&many), format!("Nothing was heard for too long of {five} and 2 more"));
        assert_eq!(again_text(&many[..5]), format!("Heard again of {five}"));
        let (subject, text) = silent_mail(&many, Some("no rule takes this message"));
        assert_eq!(subject, "Nothing was heard of 7 that were expected for too long");
        assert!(
            many.iter().all(|one| text.contains(&format!("  {}: nothing for 9 days", one.source))),
            "{text}"
        );
        assert!(text.contains("No text about it could be sent: no rule takes this message"), "{text}");
        let (_, text) = failed_mail("weekly", Duration::from_secs(900), "why", Some("ID"), None);
        assert!(text.contains("within 15 minutes") && text.contains("queue show ID"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 84), "{text}");
    }

    #[test]
    fn times_are_spelled_as_people_say_them() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (3600, "1 hour"),
            (7199, "119 minutes"),
            (86_400, "1 day"),
            (2 * 86_400 - 1, "47 hours"),
            (8 * 86_400, "8 days"),
        ] {
            assert_eq!(spelled(Duration::from_secs(seconds)), words);
        }
    }
}
