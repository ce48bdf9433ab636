//! What the operator is told of an account's credit.

use std::time::Duration;

use super::level::Level;
use crate::model::Price;

/// Subject and text of the mail about the credit of `gateway`, which is `left` and is asked for every `every`.
pub(super) fn mail(
    gateway: &str,
    level: Level,
    left: Price,
    low: Option<Price>,
    every: Duration,
) -> (String, String) {
    let every = spelled(every);
    let limit = low.map(|low| format!("The limit for this mail is {low}.\n")).unwrap_or_default();
    match level {
        Level::Low => (
            format!("SMS credit is low: {left} left at gateway {gateway}"),
            format!(
                "The account behind the gateway {gateway} has {left} of its credit left.\n{limit}\n\
                 SMS still go out. Once nothing is left the platform takes none, and they wait or\n\
                 go by another gateway where there is one. Top the account up before that.\n\n\
                 The relay asks every {every}. It will write again when nothing is left, and\n\
                 when there is enough.\n"
            ),
        ),
        Level::Empty => (
            format!("SMS credit is used up at gateway {gateway}"),
            format!(
                "The account behind the gateway {gateway} has no credit left. The platform is not\n\
                 expected to take SMS from it. They wait in the relay as long as they may, or go by\n\
                 another gateway where there is one.\n\n\
                 Top the account up. The relay asks every {every} and will write again when\n\
                 there is enough.\n"
            ),
        ),
        Level::Fine => (
            format!("SMS credit is enough again: {left} at gateway {gateway}"),
            format!("The account behind the gateway {gateway} has {left} of credit again.\n{limit}"),
        ),
    }
}

/// `15 minutes`; whole minutes or hours where it is some, and seconds otherwise.
fn spelled(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0 => (1, "second"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if count == 1 { unit.to_owned() } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mail_names_the_gateway_and_says_what_to_do() {
        let (left, low) = (Price::from_millionths(12_500_000), Some(Price::from_millionths(50_000_000)));
        let every = Duration::from_secs(900);
        let (subject, text) = mail("main", Level::Low, left, low, every);
        assert_eq!(subject, "SMS credit is low: 12.5 left at gateway main");
        assert!(
            text.contains("The limit for this mail is 50.\n") && text.contains("every 15 minutes."),
            "{text}"
        );
        let (subject, text) = mail("main", Level::Empty, Price::default(), None, every);
        assert_eq!(subject, "SMS credit is used up at gateway main");
        assert!(text.contains("Top the account up."), "{text}");
        let (subject, text) = mail("main", Level::Fine, left, None, every);
        assert_eq!(subject, "SMS credit is enough again: 12.5 at gateway main");
        assert_eq!(text, "The account behind the gateway main has 12.5 of credit again.\n");
        for level in [Level::Low, Level::Empty, Level::Fine] {
            let (_, text) = mail("main", level, left, low, every);
            assert!(text.lines().all(|line| line.len() <= 84), "{text}");
        }
    }

    #[test]
    fn times_are_spelled_in_their_largest_whole_unit() {
        for (seconds, spelled_out) in [
            (1, "second"),
            (59, "59 seconds"),
            (60, "minute"),
            (900, "15 minutes"),
            (3600, "hour"),
            (7200, "2 hours"),
            (3660, "61 minutes"),
        ] {
            assert_eq!(spelled(Duration::from_secs(seconds)), spelled_out);
        }
    }
}
