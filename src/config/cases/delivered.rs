//! What differs from what a test expects of the delivery to one phone.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::intake::ExplainedDelivery;
use crate::model::{HoldReason, Lane, PhoneNumber, Way};
use crate::routing::{ChannelStep, Report};

/// Says what is wrong with the delivery to a phone.
pub(super) type Wrong<'a> = Box<dyn Fn(&PhoneNumber, &ExplainedDelivery) -> Option<String> + 'a>;

pub(super) fn of_lane(wanted: Lane) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.lane;
        (is != wanted).then(|| format!("the lane for {phone} is {is}, not {wanted}"))
    })
}

pub(super) fn of_report(wanted: Report) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let (is, wanted) = (delivery.report.as_str(), wanted.as_str());
        (is != wanted).then(|| format!("the report for {phone} is \"{is}\", not \"{wanted}\""))
    })
}

pub(super) fn of_gateways(wanted: &[String]) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let named = |names: &[String]| match names {
            [] => "all there are".to_owned(),
            names => names.join(", "),
        };
        let (is, wanted) = (&delivery.gateways, wanted);
        (is != wanted).then(|| format!("the gateways for {phone} are {}, not {}", named(is), named(wanted)))
    })
}

pub(super) fn of_channels(wanted: &[ChannelStep]) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let is: Vec<ChannelStep> = delivery.ways.as_slice().iter().map(step).collect();
        let named = |steps: &[ChannelStep]| steps.iter().map(word).collect::<Vec<_>>().join(", ");
        let text = || format!("the channels for {phone} are {}, not {}", named(&is), named(wanted));
        (is != wanted).then(text)
    })
}

pub(super) fn of_time(wanted: Option<Timestamp>) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.deliver_at();
        let named = |at: Option<Timestamp>| match at {
            None => "at once".to_owned(),
            Some(at) => format!("at {}", at.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z")),
        };
        (is != wanted).then(|| format!("{phone} gets it {}, not {}", named(is), named(wanted)))
    })
}

pub(super) fn of_hold(wanted: Option<HoldReason>) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.held_because;
        let named = |reason: Option<HoldReason>| reason.map_or("not held", HoldReason::as_str);
        (is != wanted)
            .then(|| format!("the SMS to {phone} is {}, and should be {}", named(is), named(wanted)))
    })
}

pub(super) fn of_escalation(wanted: &BTreeSet<PhoneNumber>) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let phones = delivery.escalation.iter().flat_map(|escalation| &escalation.phones);
        let is: BTreeSet<PhoneNumber> = phones.cloned().collect();
        let named = |phones: &BTreeSet<PhoneNumber>| match phones.is_empty() {
            true => "nobody".to_owned(),
            false => phones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let text = || format!("the SMS to {phone} escalates to {}, not {}", named(&is), named(wanted));
        (is != *wanted).then(text)
    })
}

pub(super) fn of_exempt(wanted: bool) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let text = || match delivery.storm.exempt {
            Some(exempt) => format!("the SMS to {phone} is exempt from storms: {}", exempt.words()),
            None => format!("the SMS to {phone} is not exempt from storms"),
        };
        (delivery.storm.exempt.is_some() != wanted).then(text)
    })
}

pub(super) fn of_similar(wanted: Option<&str>) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let is = delivery.storm.similar_key.as_deref();
        let text = || match is {
            Some(is) => format!("the SMS to {phone} folds with what is similar to `{is}`"),
            None => format!("the SMS to {phone} folds with no similar ones"),
        };
        (is != wanted).then(text)
    })
}

fn step(way: &Way) -> ChannelStep {
    match way {
        Way::Sms | Way::Legacy(_) => ChannelStep::Sms,
        Way::Template(template) => {
            ChannelStep::Template { channel: template.channel, id: template.id.clone() }
        }
    }
}

fn word(step: &ChannelStep) -> String {
    match step {
        ChannelStep::Sms => "sms".to_owned(),
        ChannelStep::Template { channel, id } => format!("{}:{id}", channel.as_str().to_lowercase()),
    }
}
