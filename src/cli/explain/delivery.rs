//! How an SMS is to reach its phone, for people: what differs from the usual.

use jiff::Zoned;

use crate::budget;
use crate::cli::drawing::printable;
use crate::intake::ExplainedDelivery;
use crate::model::{Charge, HoldReason, Lane, OnUnknown, Way, Ways};
use crate::routing::Report;

/// A line for everything that is not as usual: an SMS in the normal lane, at once, by any gateway. `at` is when
/// it comes in.
pub(super) fn lines(delivery: &ExplainedDelivery, at: &Zoned) -> Vec<String> {
    let mut lines = Vec::new();
    if delivery.lane != Lane::Normal {
        lines.push(format!("lane {}", delivery.lane));
    }
    if !delivery.gateways.is_empty() {
        lines.push(format!("by gateway {}", delivery.gateways.join(", or else ")));
    }
    let zoned = |time: jiff::Timestamp| {
        time.to_zoned(at.time_zone().clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    };
    let because = match delivery.held_because {
        Some(HoldReason::Quiet) => ", the end of its quiet hours",
        Some(_) | None => "",
    };
    lines.extend(delivery.held_until.map(|until| format!("held until {}{because}", zoned(until))));
    let scheduled =
        |until| format!("handed over at once, for the platform to send at {}{because}", zoned(until));
    lines.extend(delivery.scheduled_at.map(scheduled));
    if delivery.on_unknown == OnUnknown::Fail {
        lines.push("fails where the platform cannot tell whether it has it".to_owned());
    }
    if delivery.is_simulated {
        lines.push("only checked by the platform: nobody gets it, and it is not paid".to_owned());
    }
    lines.extend(ways(&delivery.ways));
    let charged = |charge: &Charge| {
        let amount = budget::amount(charge.amount, charge.unit);
        format!("charged to the budget {}: {amount}", printable(budget::name(&charge.key)))
    };
    lines.extend(delivery.budgets.iter().map(charged));
    match delivery.report {
        Report::All => {}
        Report::Failures => lines.push("of its fate only failures are reported".to_owned()),
        Report::Off => lines.push("its fate is reported to nobody".to_owned()),
    }
    lines
}

fn ways(ways: &Ways) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, way) in ways.as_slice().iter().enumerate() {
        let name = match way {
            Way::Sms => "SMS".to_owned(),
            Way::Legacy(legacy) => {
                let without = [(legacy.unicode, "Unicode"), (legacy.concatenated, "several parts")];
                let without: Vec<&str> =
                    without.iter().filter(|(on, _)| !on).map(|(_, name)| *name).collect();
                match without.as_slice() {
                    [] => "SMS by the legacy API".to_owned(),
                    without => format!("SMS by the legacy API, without {}", without.join(" and ")),
                }
            }
            Way::Template(template) => {
                let (channel, id) = (template.channel, printable(&template.id));
                let values = template.variables.iter().map(|(name, value)| {
                    format!("{} = \"{}\"", printable(name), super::human::shortened(value))
                });
                let values = values.collect::<Vec<_>>().join(", ");
                match values.is_empty() {
                    true => format!("{channel} template {id}"),
                    false => format!("{channel} template {id} with {values}"),
                }
            }
        };
        match n {
            // An SMS that is all there is needs no words.
            0 if ways.as_slice() == [Way::Sms] => {}
            0 if ways.as_slice().len() == 1 => lines.push(format!("by {name}")),
            0 => lines.push(format!("first {name}")),
            _ => lines.push(format!("or else {name}")),
        }
    }
    if let Some(silence) = ways.silence() {
        lines.push(format!("the next way is tried after {} of silence", humantime::format_duration(silence)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::{Channel, Legacy, Template};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn told(delivery: &ExplainedDelivery) -> Vec<String> {
        lines(delivery, &at(0).to_zoned(TimeZone::UTC))
    }

    #[test]
    fn the_usual_needs_no_words() {
        assert_eq!(told(&ExplainedDelivery::default()), [""; 0]);
    }

    #[test]
    fn all_else_has_its_line() {
        let template = Template {
            channel: Channel::Rcs,
            id: "alert_v2".to_owned(),
            variables: [("text".to_owned(), "hot\x1b".to_owned())].into(),
        };
        let legacy = Legacy { unicode: false, concatenated: false };
        let silence = Some(Duration::from_secs(600));
        let ways = Ways::new(vec![Way::Template(template), Way::Legacy(legacy)], silence).unwrap();
        let delivery = ExplainedDelivery {
            lane: Lane::Critical,
            gateways: vec!["main".to_owned(), "backup".to_owned()],
            ways,
            on_unknown: OnUnknown::Fail,
            held_until: Some(at(60)),
            is_simulated: true,
            ..ExplainedDelivery::default()
        };
        assert_eq!(
            told(&delivery),
            [
                "lane critical",
                "by gateway main, or else backup",
                "held until 2027-01-15 08:01:00 UTC",
                "fails where the platform cannot tell whether it has it",
                "only checked by the platform: nobody gets it, and it is not paid",
                "first RCS template alert_v2 with text = \"hot·\"",
                "or else SMS by the legacy API, without Unicode and several parts",
                "the next way is tried after 10m of silence",
            ]
        );
        let scheduled = ExplainedDelivery { scheduled_at: Some(at(60)), ..ExplainedDelivery::default() };
        assert_eq!(
            told(&scheduled),
            ["handed over at once, for the platform to send at 2027-01-15 08:01:00 UTC"]
        );
        let held_because = Some(HoldReason::Quiet);
        let quiet =
            ExplainedDelivery { held_until: Some(at(60)), held_because, ..ExplainedDelivery::default() };
        assert_eq!(told(&quiet), ["held until 2027-01-15 08:01:00 UTC, the end of its quiet hours"]);
    }
}
