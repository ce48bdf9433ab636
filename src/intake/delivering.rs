//! When an SMS is sent, and what the spool is told about its delivery.

use std::time::Duration;

use jiff::{Span, Timestamp, Zoned};

use super::Settings;
use super::escalating::ExplainedEscalation;
use super::passage::ExplainedStorm;
use super::refusal::{Refusal, RefusalKind};
use crate::model::{Charge, Delivery, Fate, HoldReason, Lane, Notify, OnUnknown, ReportTo, SmsOptions, Ways};
use crate::retry::later;
use crate::routing::{DeliveryPlan, Plan, Report, Schedule};

/// How late is late, for somebody who can be told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late(Option<Duration>);

impl Late {
    /// What the configuration says, unless nobody is told anything.
    pub(super) fn of(settings: &Settings, report_to: &ReportTo) -> Self {
        match report_to {
            ReportTo::Sender(_) | ReportTo::Operator(_) => Self(settings.delayed_after),
            ReportTo::Nobody(_) => Self(None),
        }
    }

    /// When it is said of an SMS that is sent at `start`. Where the sender did not say, it may be told (RFC
    /// 3461 section 4.1).
    fn at(self, start: Timestamp, notify: Notify) -> Option<Timestamp> {
        let wanted = match notify {
            Notify::Unspecified => true,
            Notify::Never => false,
            Notify::On { delay, .. } => delay,
        };
        self.0.filter(|_| wanted).map(|after| later(start, after))
    }
}

/// When an SMS is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// At once.
    Now(Timestamp),
    /// The relay holds it.
    Held(Later),
    /// The platform gets it at once and holds it.
    Platform(Later),
}

/// Until when something waits, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Later {
    until: Timestamp,
    because: HoldReason,
}

impl Start {
    /// By the plan, for what comes in at `now`. What is past is now.
    ///
    /// # Errors
    /// A [`Refusal`] for a time that is more than a year ahead.
    pub(super) fn of(plan: &DeliveryPlan, now: &Zoned) -> Result<Self, Refusal> {
        let at = plan.deliver_at.map(|wanted| wanted.after(now));
        let Some(at) = at.filter(|at| *at > now.timestamp()) else {
            return Ok(Self::Now(now.timestamp()));
        };
        let last = now.checked_add(Span::new().years(1)).map_or(Timestamp::MAX, |last| last.timestamp());
        if at > last {
            let shown = at.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            let text = format!("{shown} is more than a year ahead; ask for an earlier time");
            return Err(Refusal { kind: RefusalKind::TooFarAhead, text });
        }
        let later = Later { until: at, because: HoldReason::Scheduled };
        Ok(match plan.schedule {
            Schedule::Relay => Self::Held(later),
            Schedule::Platform => Self::Platform(later),
        })
    }

    /// The same, later where whoever gets it sleeps: `awake_from` says until when. What was to be sent at once is held by the
    /// relay, whoever waits for what is scheduled: it can be cancelled, and says why it waits.
    pub(super) fn when_awake(self, awake_from: impl Fn(Timestamp) -> Timestamp) -> Self {
        let (planned, awake) = (self.time(), awake_from(self.time()));
        if awake <= planned {
            return self;
        }
        let later = Later { until: awake, because: HoldReason::Quiet };
        match self {
            Self::Now(_) | Self::Held(_) => Self::Held(later),
            Self::Platform(_) => Self::Platform(later),
        }
    }

    /// The time that it is meant to be sent.
    pub(super) fn time(self) -> Timestamp {
        match self {
            Self::Now(at) | Self::Held(Later { until: at, .. }) | Self::Platform(Later { until: at, .. }) => {
                at
            }
        }
    }

    /// Whether the platform holds it until its time.
    pub(super) fn is_with_platform(self) -> bool {
        matches!(self, Self::Platform(_))
    }

    /// How it starts in the spool.
    pub(super) fn fate(self) -> Fate {
        match self {
            Self::Now(_) | Self::Platform(_) => Fate::Due,
            Self::Held(Later { until, because }) => Fate::Held { until, reason: because },
        }
    }

    /// What the platform is told of it.
    pub(super) fn put_into(self, options: &mut SmsOptions) {
        options.scheduled_at = match self {
            Self::Now(_) | Self::Held(_) => None,
            Self::Platform(later) => Some(later.until),
        };
    }

    /// What the spool is told of it, for a recipient that wants `notify`.
    pub(super) fn delivery(
        self,
        plan: &DeliveryPlan,
        ways: Ways,
        lifetime: Duration,
        late: Late,
        notify: Notify,
    ) -> Delivery {
        Delivery {
            lane: plan.lane,
            gateways: plan.gateways.clone(),
            ways,
            on_unknown: plan.on_unknown,
            expires_at: later(self.time(), lifetime),
            delayed_at: late.at(self.time(), notify),
        }
    }
}

/// What is explained of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainedDelivery {
    /// How urgent.
    pub lane: Lane,
    /// Names of gateways in order; empty stands for all there are.
    pub gateways: Vec<String>,
    /// By which doors of the platform, the variables of templates filled in.
    pub ways: Ways,
    /// Why a variable could not be filled as its template says.
    pub variable_problem: Option<String>,
    /// When the platform cannot tell whether it has it.
    pub on_unknown: OnUnknown,
    /// Until when the relay holds it.
    pub held_until: Option<Timestamp>,
    /// Until when the platform holds it.
    pub scheduled_at: Option<Timestamp>,
    /// Why it waits until then; `None` where it does not.
    pub held_because: Option<HoldReason>,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// How long it is tried from the time that it is sent.
    pub lifetime: Duration,
    /// It is only checked by the platform.
    pub is_simulated: bool,
    /// Of what its sender is told at most.
    pub report: Report,
    /// Who gets it when it is not delivered.
    pub escalation: Option<ExplainedEscalation>,
    /// What becomes of it in a storm.
    pub storm: ExplainedStorm,
    /// What its SMS together are charged to.
    pub budgets: Vec<Charge>,
}

impl ExplainedDelivery {
    /// When it is sent, where that is later.
    pub fn deliver_at(&self) -> Option<Timestamp> {
        self.held_until.or(self.scheduled_at)
    }

    pub(super) fn new(
        start: Start,
        delivery: &Delivery,
        plan: &Plan,
        variable_problem: Option<String>,
    ) -> Self {
        let (held_until, scheduled_at, held_because) = match start {
            Start::Now(_) => (None, None, None),
            Start::Held(later) => (Some(later.until), None, Some(later.because)),
            Start::Platform(later) => (None, Some(later.until), Some(later.because)),
        };
        Self {
            lane: delivery.lane,
            gateways: delivery.gateways.clone(),
            ways: delivery.ways.clone(),
            variable_problem,
            on_unknown: delivery.on_unknown,
            held_until,
            scheduled_at,
            held_because,
            expires_at: delivery.expires_at,
            lifetime: Duration::try_from(delivery.expires_at.duration_since(start.time()))
                .unwrap_or_default(),
            is_simulated: plan.options.simulation,
            report: plan.report,
            escalation: None,
            storm: ExplainedStorm::default(),
            budgets: Vec::new(),
        }
    }
}
