//! The platform as it is in truth: what it took, how that ends, what it says of it.

use super::steps::{End, Fate, Reply};
use super::{at, cause};
use crate::model::{About, Callback, Channel, DeliveryStatus, MessageId, PartStatus, Price, StatusOutcome};

/// An SMS that went to the platform with one attempt.
#[derive(Clone, Debug)]
pub(super) struct Handed {
    pub(super) id: MessageId,
    pub(super) attempt: u32,
    pub(super) channel: Channel,
    pub(super) gateway: String,
}

/// One that the platform has.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) handed: Handed,
    pub(super) fate: Fate,
    /// Whether its status tells how it ended.
    is_done: bool,
}

#[derive(Default)]
pub(super) struct Platform {
    pub(super) taken: Vec<Taken>,
    /// What went out, was not answered, and may still be taken.
    pub(super) late: Vec<Handed>,
    /// What it has to say, with whom that is about.
    pub(super) to_say: Vec<(MessageId, Callback)>,
    pub(super) said: Vec<(MessageId, Callback)>,
}

/// What every part costs.
pub(super) fn price(channel: Channel) -> Price {
    Price::from_millionths(match channel {
        Channel::Sms => 35_000,
        Channel::Rcs => 20_000,
        Channel::WhatsApp => 50_000,
    })
}

/// The platform's own id of a template.
pub(super) fn theirs(id: MessageId) -> String {
    format!("template-{id}")
}

impl Platform {
    pub(super) fn take(&mut self, handed: Handed, mut fate: Fate) {
        let before = self
            .taken
            .iter()
            .find(|taken| (taken.handed.id, taken.handed.channel) == (handed.id, handed.channel));
        if let Some(before) = before {
            // The same text has as many parts again.
            fate.parts = before.fate.parts;
        }
        let end = match fate.end {
            End::Delivered => Some(PartStatus::Delivered),
            End::Undeliverable => Some(PartStatus::Undeliverable),
            End::Expired => Some(PartStatus::Expired),
            End::Silent => None,
        };
        if let Some(end) = end {
            let last = fate.parts;
            for part in 1..=last {
                // All parts but the last are delivered in any case.
                let status = if part == last { end } else { PartStatus::Delivered };
                for status in [PartStatus::Other(1), status] {
                    self.to_say.push((handed.id, callback(&handed, fate, part, status)));
                }
            }
        }
        self.taken.push(Taken { handed, fate, is_done: false });
    }

    pub(super) fn has(&self, handed: &Handed) -> bool {
        self.taken.iter().any(|taken| (taken.handed.id, taken.handed.attempt) == (handed.id, handed.attempt))
    }

    pub(super) fn ended(&self, id: MessageId, end: End) -> bool {
        self.taken.iter().any(|taken| taken.handed.id == id && taken.fate.end == end)
    }

    /// What the status endpoint of an account answers.
    pub(super) fn status(
        &mut self,
        gateway: &str,
        id: MessageId,
        channel: Channel,
        reply: Reply,
        now: i64,
    ) -> StatusOutcome {
        let found = self.taken.iter_mut().rev().find(|taken| {
            let Handed { id: its, channel: by, gateway: account, .. } = &taken.handed;
            (*its, *by, account.as_str()) == (id, channel, gateway)
        });
        match (reply, found) {
            (Reply::CannotTell, _) => StatusOutcome::CannotTell { until: None, cause: cause() },
            (Reply::Pause(seconds), _) => {
                StatusOutcome::CannotTell { until: Some(at(now + seconds)), cause: cause() }
            }
            (Reply::Deny, _) | (Reply::Honest(_), None) => StatusOutcome::NotKnown,
            (Reply::NotYet, _) => StatusOutcome::Known(DeliveryStatus::NotYetAvailable),
            (Reply::Honest(is_done), Some(taken)) => {
                taken.is_done |= is_done;
                StatusOutcome::Known(match taken.fate.end {
                    End::Delivered if taken.is_done => DeliveryStatus::Delivered,
                    End::Undeliverable if taken.is_done => DeliveryStatus::Undeliverable("off".to_owned()),
                    End::Expired if taken.is_done => DeliveryStatus::Expired("too old".to_owned()),
                    End::Delivered | End::Undeliverable | End::Expired | End::Silent => DeliveryStatus::Sent,
                })
            }
        }
    }
}

fn callback(handed: &Handed, fate: Fate, part: u32, status: PartStatus) -> Callback {
    let by_theirs = fate.theirs && handed.channel != Channel::Sms;
    Callback {
        about: if by_theirs { About::Theirs(theirs(handed.id)) } else { About::Ours(handed.id) },
        channel: handed.channel,
        part,
        parts: fate.parts,
        status,
        description: String::new(),
        price: status.is_final().then(|| price(handed.channel)),
        at: None,
    }
}
