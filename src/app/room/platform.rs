//! The platform as it is in truth: what it took and when, how that ends, when it is out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use fastrand::Rng;

use super::clock::{HOUR, MINUTE, SECOND, at};
use crate::model::{
    About, Callback, Cause, Channel, DeliveryStatus, EnhancedStatus, MessageId, PartStatus, Price, Reason,
    SendOutcome, Sms, StatusOutcome,
};

/// How long a call takes.
pub(super) const CALL: i64 = 200;
/// What a part costs, in millionths.
pub(super) const PRICE: i64 = 50_000;

/// An SMS that the platform took.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) at: i64,
    pub(super) phone: String,
    pub(super) text: String,
    /// By which gateways, by their places.
    by: Vec<usize>,
    end: End,
    ends_at: i64,
}

/// When a gateway is out, or all are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) gateway: Option<usize>,
    pub(super) from: i64,
    pub(super) to: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Delivered,
    Undeliverable,
    Expired,
    /// Nobody ever hears of it.
    Silent,
}

#[derive(Debug)]
pub(super) struct Platform {
    seed: u64,
    outages: Vec<Outage>,
    pub(super) taken: BTreeMap<MessageId, Taken>,
    /// What was taken though it had been taken before.
    pub(super) twice: Vec<MessageId>,
    to_say: BinaryHeap<Reverse<(i64, u64)>>,
    said: BTreeMap<u64, (usize, Callback)>,
    count: u64,
}

pub(super) fn cause(reason: Reason) -> Cause {
    reason.cause()
}

impl Platform {
    pub(super) fn new(seed: u64, outages: Vec<Outage>) -> Self {
        Self {
            seed,
            outages,
            taken: BTreeMap::new(),
            twice: Vec::new(),
            to_say: BinaryHeap::new(),
            said: BTreeMap::new(),
            count: 0,
        }
    }

    /// The end of the outage of a gateway that there is at `now`.
    pub(super) fn out_until(&self, gateway: usize, now: i64) -> Option<i64> {
        let is_out = |outage: &&Outage| {
            outage.gateway.is_none_or(|of| of == gateway) && (outage.from..outage.to).contains(&now)
        };
        self.outages.iter().find(is_out).map(|outage| outage.to)
    }

    /// What comes of a call to a gateway that began at `now`: whether it takes the message, and what is heard of that.
    pub(super) fn judge(&self, gateway: usize, sms: &Sms, attempt: u32, now: i64) -> (bool, SendOutcome) {
        let luck = self.luck(sms, attempt).u32(..1000);
        if self.out_until(gateway, now).is_some() {
            return match luck {
                0..700 => (false, SendOutcome::Later { until: None, cause: cause(Reason::NotReached) }),
                700..950 => (false, SendOutcome::Unknown(cause(Reason::AnswerLost))),
                _ => (true, SendOutcome::Unknown(cause(Reason::AnswerLost))),
            };
        }
        match luck {
            0..5 => (true, SendOutcome::Unknown(cause(Reason::AnswerLost))),
            5..8 => (false, SendOutcome::Later { until: None, cause: cause(Reason::PlatformFault) }),
            8..11 => (false, SendOutcome::Refused(Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, "no"))),
            _ => (true, SendOutcome::Accepted { parts: None, unicode: None, platform_id: None }),
        }
    }

    /// The same for the same words to the same phone, whatever else there is.
    fn luck(&self, sms: &Sms, attempt: u32) -> Rng {
        let mut hasher = DefaultHasher::new();
        (self.seed, sms.destination.as_str(), &sms.text.body, attempt).hash(&mut hasher);
        Rng::with_seed(hasher.finish())
    }

    pub(super) fn take(&mut self, gateway: usize, sms: &Sms, now: i64) {
        if let Some(taken) = self.taken.get_mut(&sms.id) {
            // The phone gets the same once more.
            taken.by.push(gateway);
            self.twice.push(sms.id);
            return;
        }
        let mut luck = self.luck(sms, 0);
        let (end, after) = match luck.u32(..100) {
            0..93 => (End::Delivered, luck.i64(2 * SECOND..20 * SECOND)),
            93..96 => (End::Undeliverable, luck.i64(20 * SECOND..MINUTE)),
            96..98 => (End::Expired, luck.i64(HOUR..2 * HOUR)),
            _ => (End::Silent, 0),
        };
        let taken = Taken {
            at: now,
            phone: sms.destination.as_str().to_owned(),
            text: sms.text.body.clone(),
            by: vec![gateway],
            end,
            ends_at: now + after,
        };
        let status = match end {
            End::Delivered => Some(PartStatus::Delivered),
            End::Undeliverable => Some(PartStatus::Undeliverable),
            End::Expired => Some(PartStatus::Expired),
            End::Silent => None,
        };
        // One in twenty calls back never, and can be asked.
        let calls_back = luck.u32(..20) > 0;
        for (part, status) in (1..=sms.text.parts).zip(status.filter(|_| calls_back).into_iter().cycle()) {
            let at = self.out_until(gateway, taken.ends_at).unwrap_or(taken.ends_at) + i64::from(part);
            let price = Some(Price::from_millionths(PRICE));
            let callback = Callback {
                about: About::Ours(sms.id),
                channel: Channel::Sms,
                part,
                parts: sms.text.parts,
                status,
                description: String::new(),
                price,
                at: None,
            };
            self.count += 1;
            self.to_say.push(Reverse((at, self.count)));
            self.said.insert(self.count, (gateway, callback));
        }
        self.taken.insert(sms.id, taken);
    }

    /// When it calls back next.
    pub(super) fn next(&self) -> Option<i64> {
        self.to_say.peek().map(|Reverse((at, _))| *at)
    }

    /// What it says by `now`, and about what of which gateway.
    pub(super) fn says(&mut self, now: i64) -> Option<(usize, Callback)> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((_, n)) = self.to_say.pop()?;
        self.said.remove(&n)
    }

    /// What its status endpoint answers.
    pub(super) fn status(&self, gateway: usize, id: MessageId, now: i64) -> StatusOutcome {
        if self.out_until(gateway, now).is_some() {
            return StatusOutcome::CannotTell { until: None, cause: cause(Reason::NotReached) };
        }
        // An account knows its own only.
        let Some(taken) = self.taken.get(&id).filter(|taken| taken.by.contains(&gateway)) else {
            return StatusOutcome::NotKnown;
        };
        StatusOutcome::Known(match taken.end {
            End::Delivered if taken.ends_at <= now => DeliveryStatus::Delivered,
            End::Undeliverable if taken.ends_at <= now => DeliveryStatus::Undeliverable("off".to_owned()),
            End::Expired if taken.ends_at <= now => DeliveryStatus::Expired("too old".to_owned()),
            End::Delivered | End::Undeliverable | End::Expired | End::Silent => DeliveryStatus::Sent,
        })
    }

    /// Whether the phone has it.
    pub(super) fn has_arrived(&self, id: MessageId) -> bool {
        self.taken.get(&id).is_some_and(|taken| taken.end == End::Delivered)
    }
}

/// When what stands in for a time in a log of this room.
pub(super) fn shown(millis: i64) -> String {
    at(millis).to_string()
}
