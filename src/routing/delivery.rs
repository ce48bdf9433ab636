//! How an SMS is to be delivered: what rules and defaults say of lane, gateways, time, ways and
//! escalation, and what it comes to for one phone.

pub(super) mod check;

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::{Timestamp, Zoned};

use super::{Facts, StormPlan, Storming};
use crate::mail::Priority;
use crate::model::{Channel, Lane, Legacy, OnUnknown, PhoneNumber, Template, Way, Ways, WaysError};
use crate::wording::{Filled, Template as Wordy, Variables, Wording};

/// How long a way may stay silent where nothing is configured.
pub const SILENT_AFTER: Duration = Duration::from_secs(10 * 60);

/// What a rule or the defaults say about delivery. `None` leaves it to the defaults, or there to what is
/// usual.
#[derive(Clone, Debug, Default)]
pub struct Delivering {
    /// How urgent.
    pub lane: Option<LaneBy>,
    /// Names of gateways in order; the empty list stands for all there are.
    pub gateways: Option<Vec<String>>,
    /// What becomes of it when the platform cannot tell whether it has it.
    pub on_unknown: Option<OnUnknown>,
    /// When it is sent; `Some(None)` is at once, whatever the defaults say.
    pub deliver_at: Option<Option<DeliverAt>>,
    /// Who waits until then.
    pub schedule: Option<Schedule>,
    /// By which API an SMS goes.
    pub api: Option<Api>,
    /// For [`Api::Legacy`]: `enableUnicode`.
    pub legacy_unicode: Option<bool>,
    /// For [`Api::Legacy`]: `enableConcatenated`.
    pub legacy_concatenated: Option<bool>,
    /// By which channels, in order; none twice, at least one.
    pub channels: Option<Vec<ChannelStep>>,
    /// What fills the variables of the channels' templates.
    pub variables: Option<Variables>,
    /// How long a channel may stay silent before the next is tried.
    pub silent_after: Option<Duration>,
    /// Who gets it when nobody else did; `Some(None)` is nobody, whatever the defaults say.
    pub escalation: Option<Option<Escalation>>,
    /// What becomes of it in a storm.
    pub storming: Storming,
    /// Whether the quiet hours of whoever gets it hold it.
    pub quiet: Option<bool>,
}

/// What decides the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneBy {
    /// The operator's word.
    Fixed(Lane),
    /// A mail's priority header fields, or what a form asks for.
    Priority,
}

/// When something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverAt {
    /// The next time that a clock on the wall shows this.
    Daily(Time),
    /// Then.
    Once(Timestamp),
}

/// Who waits until the time of something that is sent later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// The relay: it can be cancelled until then.
    #[default]
    Relay,
    /// The platform: it is handed over at once.
    Platform,
}

/// The platform's two APIs for SMS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// SMS Universal: one call for each message.
    #[default]
    Universal,
    /// SMS Legacy: one call for many phones.
    Legacy,
}

/// One of the channels of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelStep {
    /// An SMS by the rule's API.
    Sms,
    /// A template that the platform approved.
    Template {
        /// Never [`Channel::Sms`].
        channel: Channel,
        /// Its id.
        id: String,
    },
}

/// Who gets it when it was not delivered.
#[derive(Clone, Debug)]
pub struct Escalation {
    /// How long it may take.
    pub after: Duration,
    /// An alias or a number, as written.
    pub to: String,
    /// Words of its own; the same words otherwise.
    pub text: Option<Wordy>,
}

/// How one SMS is to be delivered.
#[derive(Clone, Debug)]
pub struct DeliveryPlan {
    /// How urgent.
    pub lane: Lane,
    /// Names of gateways in order; empty stands for all there are.
    pub gateways: Vec<String>,
    /// When the platform cannot tell whether it has it.
    pub on_unknown: OnUnknown,
    /// When it is sent; `None` is at once.
    pub deliver_at: Option<DeliverAt>,
    /// Who waits until then.
    pub schedule: Schedule,
    /// How an SMS goes: never a template.
    pub sms_way: Way,
    /// The channels, in order.
    pub channels: Vec<ChannelStep>,
    /// What fills the variables of their templates.
    pub variables: Variables,
    /// How long a channel may stay silent.
    pub silent_after: Duration,
    /// Who gets it when it is not delivered.
    pub escalation: Option<EscalationPlan>,
    /// What becomes of it in a storm.
    pub storm: StormPlan,
    /// Whether the quiet hours of whoever gets it hold it, unless it is too urgent.
    pub is_quiet: bool,
}

/// Who gets it when it is not delivered, with everything that is needed to make it.
#[derive(Clone, Debug)]
pub struct EscalationPlan {
    /// How long after its time.
    pub after: Duration,
    /// As written.
    pub to: String,
    /// The phones.
    pub phones: Vec<PhoneNumber>,
    /// How the words are made: always one SMS.
    pub wording: Arc<Wording>,
}

impl LaneBy {
    /// The lane of one mail or form.
    pub fn lane(self, facts: &Facts<'_>) -> Lane {
        match self {
            Self::Fixed(lane) => lane,
            Self::Priority => facts.requested_lane.unwrap_or(match facts.priority {
                Priority::High => Lane::Critical,
                Priority::Normal => Lane::Normal,
                Priority::Low => Lane::Bulk,
            }),
        }
    }
}

impl DeliverAt {
    /// The time for what comes in at `now`, whose time zone is the clock's on the wall. May be past. Where the
    /// clocks go forward over a time of day, it is so much later.
    pub fn after(self, now: &Zoned) -> Timestamp {
        match self {
            Self::Once(at) => at,
            Self::Daily(time) => {
                let on = |date: jiff::civil::Date| {
                    date.to_datetime(time).to_zoned(now.time_zone().clone()).ok().map(|at| at.timestamp())
                };
                let today = on(now.date()).filter(|at| *at >= now.timestamp());
                let tomorrow = || now.date().tomorrow().ok().and_then(on);
                today.or_else(tomorrow).unwrap_or_else(|| now.timestamp())
            }
        }
    }
}

impl ChannelStep {
    /// The channel.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Sms => Channel::Sms,
            Self::Template { channel, .. } => *channel,
        }
    }
}

impl Delivering {
    /// What `self`, a rule's word, and else `defaults` say.
    fn over<'a, T>(&'a self, defaults: &'a Self, key: impl Fn(&'a Self) -> &'a Option<T>) -> Option<&'a T> {
        key(self).as_ref().or(key(defaults).as_ref())
    }

    /// The names of gateways that hold for a rule with this; empty for all there are.
    pub fn gateways_over<'a>(&'a self, defaults: &'a Self) -> &'a [String] {
        self.over(defaults, |one| &one.gateways).map_or(&[], Vec::as_slice)
    }

    pub(super) fn channels_over<'a>(&'a self, defaults: &'a Self) -> &'a [ChannelStep] {
        self.over(defaults, |one| &one.channels).map_or(&[ChannelStep::Sms], Vec::as_slice)
    }

    pub(super) fn variables_over<'a>(&'a self, defaults: &'a Self) -> Option<&'a Variables> {
        self.over(defaults, |one| &one.variables)
    }

    pub(super) fn schedule_over(&self, defaults: &Self) -> Schedule {
        self.schedule.or(defaults.schedule).unwrap_or_default()
    }

    pub(super) fn escalation_over<'a>(&'a self, defaults: &'a Self) -> Option<&'a Escalation> {
        self.over(defaults, |one| &one.escalation).and_then(Option::as_ref)
    }

    /// How the SMS Legacy API is told to send; `None` for the universal one.
    pub(super) fn legacy_over(&self, defaults: &Self) -> Option<Legacy> {
        match self.api.or(defaults.api).unwrap_or_default() {
            Api::Universal => None,
            Api::Legacy => Some(Legacy {
                unicode: self.legacy_unicode.or(defaults.legacy_unicode).unwrap_or(true),
                concatenated: self.legacy_concatenated.or(defaults.legacy_concatenated).unwrap_or(true),
            }),
        }
    }

    /// What it comes to for one mail or form. `escalation` is made of [`Delivering::escalation_over`].
    pub(super) fn plan(
        &self,
        defaults: &Self,
        facts: &Facts<'_>,
        escalation: Option<EscalationPlan>,
    ) -> DeliveryPlan {
        let lane = self.lane.or(defaults.lane).unwrap_or(LaneBy::Priority);
        let own_time = self.over(defaults, |one| &one.deliver_at).copied().flatten();
        DeliveryPlan {
            lane: lane.lane(facts),
            gateways: self.gateways_over(defaults).to_vec(),
            on_unknown: self.on_unknown.or(defaults.on_unknown).unwrap_or_default(),
            deliver_at: facts.requested_time.map(DeliverAt::Once).or(own_time),
            schedule: self.schedule_over(defaults),
            sms_way: self.legacy_over(defaults).map_or(Way::Sms, Way::Legacy),
            channels: self.channels_over(defaults).to_vec(),
            variables: self.variables_over(defaults).cloned().unwrap_or_default(),
            silent_after: self.silent_after.or(defaults.silent_after).unwrap_or(SILENT_AFTER),
            escalation,
            storm: self.storming.plan(&defaults.storming),
            is_quiet: self.quiet.or(defaults.quiet).unwrap_or(true),
        }
    }
}

impl DeliveryPlan {
    /// Whether a template is among the ways.
    pub fn has_template(&self) -> bool {
        self.channels.iter().any(|step| *step != ChannelStep::Sms)
    }

    /// The ways for one recipient, whose variables have these values.
    ///
    /// # Errors
    /// [`WaysError`] where the channels are none or one of them is there twice, which
    /// [`Parts::build`](super::Parts::build) refuses.
    pub fn ways(&self, filled: &Filled) -> Result<Ways, WaysError> {
        let way = |step: &ChannelStep| match step {
            ChannelStep::Sms => self.sms_way.clone(),
            ChannelStep::Template { channel, id } => Way::Template(Template {
                channel: *channel,
                id: id.clone(),
                variables: filled.values.clone(),
            }),
        };
        let silence = (self.channels.len() > 1).then_some(self.silent_after);
        Ways::new(self.channels.iter().map(way).collect(), silence)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    /// In a zone whose clocks go forward on 2026-03-29 at 02:00 and back on 2026-10-25 at 03:00.
    fn next(time: &str, now: &str) -> String {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now = now.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
        let at = DeliverAt::Daily(time.parse().unwrap()).after(&now);
        at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    #[test]
    fn a_time_of_day_is_the_next_one_on_the_wall() {
        for (now, expected) in [
            ("2026-01-31T07:59:59", "2026-01-31T08:00:00"),
            ("2026-01-31T08:00:00", "2026-01-31T08:00:00"),
            ("2026-01-31T08:00:00.001", "2026-02-01T08:00:00"),
            ("2026-12-31T23:59:59", "2027-01-01T08:00:00"),
        ] {
            assert_eq!(next("08:00", now), expected, "{now}");
        }
        assert_eq!(next("02:30", "2026-03-28T12:00:00"), "2026-03-29T03:30:00");
        assert_eq!(next("08:00", "2026-03-28T12:00:00"), "2026-03-29T08:00:00");
        assert_eq!(next("08:00", "2026-10-24T12:00:00"), "2026-10-25T08:00:00");
    }

    #[test]
    fn a_date_is_that_date_even_when_it_is_past() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap().to_zoned(TimeZone::UTC);
        assert_eq!(DeliverAt::Once(at).after(&now), at);
    }
}
