//! Which channels an SMS goes by, one after another, and which callbacks are about which of them.

use rusqlite::Row;

use super::error::Damage;
use super::route;
use crate::model::{Channel, Way};

/// The channels of an SMS, and which of them is its current one.
#[derive(Clone, Debug)]
pub(super) struct Course {
    channels: Vec<Channel>,
    at: usize,
}

impl Course {
    /// That of a row of `sms` with its columns `ways` and `way`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, Damage> {
        let (ways, at) = route::ways(row)?;
        let channels: Vec<_> = ways.iter().map(Way::channel).collect();
        Ok(Self { channels, at })
    }

    /// The channel of the current way.
    pub(super) fn channel(&self) -> Channel {
        self.channels[self.at]
    }

    /// The channels of the ways before it.
    pub(super) fn earlier(&self) -> &[Channel] {
        &self.channels[..self.at]
    }

    /// Whether another way follows.
    pub(super) fn has_next(&self) -> bool {
        self.at + 1 < self.channels.len()
    }

    /// Whether there is but one way.
    pub(super) fn is_single(&self) -> bool {
        self.channels.len() == 1
    }

    /// The way that a callback by `channel` is about. By a channel that it does not have, the platform can have
    /// sent its SMS only: where the account prefers RCS, that is what becomes of one (`skipRcsOverride`).
    pub(super) fn channel_of(&self, channel: Channel) -> Channel {
        let of = [channel, Channel::Sms].into_iter().find(|channel| self.channels.contains(channel));
        of.unwrap_or(self.channel())
    }

    /// Goes on to the next way.
    pub(super) fn advance(&mut self) {
        if self.has_next() {
            self.at += 1;
        }
    }
}
