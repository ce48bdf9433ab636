//! What differs from what a test expects of the delivery to one phone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use humantime::format_duration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::budget;
use crate::intake::ExplainedDelivery;
use crate::model::{HoldReason, Lane, LimitScope, LimitStep, PhoneNumber, Way};
use crate::routing::{ChannelStep, Report};

/// Says what is wrong with the delivery to a phone.
pub(super) type Wrong<'a> = Box<dyn Fn(&PhoneNumber, &ExplainedDelivery) -> Option<String> + 'a>;

pub(super) fn lane(wanted: Lane) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.lane;
        (is != wanted).then(|| format!("the lane for {phone} is {is}, not {wanted}"))
    })
}

pub(super) fn report(wanted: Report) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let (is, wanted) = (delivery.report.as_str(), wanted.as_str());
        (is != wanted).then(|| format!("the report for {phone} is \"{is}\", not \"{wanted}\""))
    })
}

pub(super) fn gateways(wanted: &[String]) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let named = |names: &[String]| match names {
            [] => "all there are".to_owned(),
            names => names.join(", "),
        };
        let (is, wanted) = (&delivery.gateways, wanted);
        (is != wanted).then(|| format!("the gateways for {phone} are {}, not {}", named(is), named(wanted)))
    })
}

pub(super) fn channels(wanted: &[ChannelStep]) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let is: Vec<ChannelStep> = delivery.ways.as_slice().iter().map(step).collect();
        let named = |steps: &[ChannelStep]| steps.iter().map(word).collect::<Vec<_>>().join(", ");
        let text = || format!("the channels for {phone} are {}, not {}", named(&is), named(wanted));
        (is != wanted).then(text)
    })
}

pub(super) fn time(wanted: Option<Timestamp>) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.deliver_at();
        let named = |at: Option<Timestamp>| match at {
            None => "at once".to_owned(),
            Some(at) => format!("at {}", at.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z")),
        };
        (is != wanted).then(|| format!("{phone} gets it {}, not {}", named(is), named(wanted)))
    })
}

pub(super) fn hold(wanted: Option<HoldReason>) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.held_because;
        let named = |reason: Option<HoldReason>| reason.map_or("not held", HoldReason::as_str);
        (is != wanted)
            .then(|| format!("the SMS to {phone} is {}, and should be {}", named(is), named(wanted)))
    })
}

pub(super) fn escalation(wanted: &BTreeSet<PhoneNumber>) -> Wrong<'_> {
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

pub(super) fn exempt(wanted: bool) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let text = || match delivery.storm.exempt {
            Some(exempt) => format!("the SMS to {phone} is exempt from storms: {}", exempt.words()),
            None => format!("the SMS to {phone} is not exempt from storms"),
        };
        (delivery.storm.exempt.is_some() != wanted).then(text)
    })
}

pub(super) fn similar_key(wanted: Option<&str>) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let is = delivery.storm.similar_key.as_deref();
        let text = || match is {
            Some(is) => format!("the SMS to {phone} folds with what is similar to `{is}`"),
            None => format!("the SMS to {phone} folds with no similar ones"),
        };
        (is != wanted).then(text)
    })
}

pub(super) fn variables(wanted: &BTreeMap<String, String>) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let templates = delivery.ways.as_slice().iter().filter_map(|way| match way {
            Way::Template(template) => Some(&template.variables),
            Way::Sms | Way::Legacy(_) => None,
        });
        let is: BTreeMap<String, String> = templates.flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let named = |all: &BTreeMap<String, String>| match all.is_empty() {
            true => "none".to_owned(),
            false => {
                all.iter().map(|(name, value)| format!("{name} = `{value}`")).collect::<Vec<_>>().join(", ")
            }
        };
        let text = || format!("the variables for {phone} are {}, not {}", named(&is), named(wanted));
        (is != *wanted).then(text)
    })
}

pub(super) fn silence(wanted: Duration) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.ways.silence();
        let text = || match is {
            Some(is) => format!("the next channel for {phone} is tried after {}", format_duration(is)),
            None => format!("there is no next channel for {phone}"),
        };
        (is != Some(wanted)).then(text)
    })
}

pub(super) fn lifetime(wanted: Duration) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.lifetime;
        let text = || {
            let (is, wanted) = (format_duration(is), format_duration(wanted));
            format!("the lifetime of the SMS to {phone} is {is}, not {wanted}")
        };
        (is != wanted).then(text)
    })
}

pub(super) fn simulation(wanted: bool) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let text = || match delivery.is_simulated {
            true => format!("the SMS to {phone} is only simulated"),
            false => format!("the SMS to {phone} is really sent"),
        };
        (delivery.is_simulated != wanted).then(text)
    })
}

pub(super) fn escalation_time(wanted: Duration) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.escalation.as_ref().map(|escalation| escalation.after);
        let text = || match is {
            Some(is) => {
                let (is, wanted) = (format_duration(is), format_duration(wanted));
                format!("the SMS to {phone} escalates after {is}, not {wanted}")
            }
            None => format!("the SMS to {phone} escalates to nobody"),
        };
        (is != Some(wanted)).then(text)
    })
}

pub(super) fn escalation_text(wanted: &str) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let is = delivery.escalation.as_ref().map(|escalation| escalation.sms.text.body.as_str());
        let text = || match is {
            Some(is) => format!("the SMS to {phone} escalates with other words: `{}`", is.escape_debug()),
            None => format!("the SMS to {phone} escalates to nobody"),
        };
        (is != Some(wanted.trim())).then(text)
    })
}

pub(super) fn window(wanted: Option<Duration>) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.storm.window();
        let text = || match is {
            Some(is) => format!("the SMS to {phone} folds with similar ones for {}", format_duration(is)),
            None => format!("the SMS to {phone} folds with no similar ones"),
        };
        (is != wanted).then(text)
    })
}

pub(super) fn digest(wanted: Option<Duration>) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = delivery.storm.passage.digest.as_ref().map(|digest| digest.every);
        let text = || match is {
            Some(is) => format!("the SMS to {phone} is told with others every {}", format_duration(is)),
            None => format!("the SMS to {phone} is told alone"),
        };
        (is != wanted).then(text)
    })
}

pub(super) fn limit(scope: LimitScope, wanted: &[LimitStep]) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let limits = &delivery.storm.passage.limits;
        let limit = limits.iter().find(|limit| limit.scope == scope);
        let is = limit.map(|limit| limit.steps.as_slice()).unwrap_or_default();
        let text = || {
            let whose = match scope {
                LimitScope::Destination => "",
                LimitScope::Source => " of the sender",
            };
            format!("the limit{whose} for {phone} is {}, not {}", steps(is), steps(wanted))
        };
        (is != wanted).then(text)
    })
}

fn steps(all: &[LimitStep]) -> String {
    let step = |step: &LimitStep| format!("{} in {}", step.most, format_duration(step.within));
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.iter().map(step).collect::<Vec<_>>().join(", "),
    }
}

pub(super) fn pair_key(wanted: Option<&str>) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let is = delivery.storm.pair_key.as_deref();
        let text = || match is {
            Some(is) => format!("the SMS to {phone} is paired by `{}`", is.escape_debug()),
            None => format!("the SMS to {phone} is paired by no key"),
        };
        (is != wanted).then(text)
    })
}

pub(super) fn recovery(wanted: bool) -> Wrong<'static> {
    Box::new(move |phone, delivery| {
        let is = !delivery.storm.passage.pairing.ends.is_empty();
        let text = || match is {
            true => format!("the SMS to {phone} ends what is held of its problem"),
            false => format!("the SMS to {phone} ends no problem"),
        };
        (is != wanted).then(text)
    })
}

pub(super) fn budgets(wanted: &BTreeSet<String>) -> Wrong<'_> {
    Box::new(move |phone, delivery| {
        let names = delivery.budgets.iter().map(|charge| budget::name(&charge.key).to_owned());
        let is: BTreeSet<String> = names.collect();
        let named = |names: &BTreeSet<String>| match names.is_empty() {
            true => "no budget".to_owned(),
            false => names.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        let text = || format!("the SMS to {phone} is charged to {}, not {}", named(&is), named(wanted));
        (is != *wanted).then(text)
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
