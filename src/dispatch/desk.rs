//! What is under way by each gateway.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::judge::PATIENCE;
use super::rooms::{self, Pace};
use crate::gateway::{Line, Lines, Roll};
use crate::model::Lane;
use crate::retry::Permission;
use crate::spool::{Room, Spool, SpoolError};

/// The loop's own notes.
#[derive(Default)]
pub(super) struct Desk {
    usages: HashMap<String, Usage>,
    pub(super) roll: Roll,
}

/// How much one gateway is used.
#[derive(Default)]
struct Usage {
    calls: Hands,
    questions: Hands,
    pace: Option<Pace>,
}

/// Counts what is under way: each has a [`Hold`] for as long as it is.
#[derive(Default)]
struct Hands(Arc<()>);

/// One of what is under way.
pub(super) struct Hold(#[expect(dead_code, reason = "its being there is what counts")] Arc<()>);

impl Hands {
    fn hold(&self) -> Hold {
        Hold(Arc::clone(&self.0))
    }

    fn busy(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Usage {
    fn under_way(&self) -> usize {
        self.calls.busy() + self.questions.busy()
    }

    /// `None` is without bound.
    fn pace(&mut self, per_second: Option<f64>, now: Timestamp) -> Option<&mut Pace> {
        match (per_second, &mut self.pace) {
            (None, pace) => *pace = None,
            (Some(rate), Some(pace)) => pace.set_rate(rate, now),
            (Some(rate), pace @ None) => *pace = Some(Pace::new(rate, now)),
        }
        self.pace.as_mut()
    }
}

impl Desk {
    /// Notes which gateways there are. Returns those that are gone since the last time.
    pub(super) async fn look(&mut self, lines: &Lines, spool: &dyn Spool) -> Result<Vec<String>, SpoolError> {
        if self.roll.is_current(lines) {
            return Ok(Vec::new());
        }
        let gone = self.roll.call(lines, spool.gateways().await?);
        // What is still under way there holds nobody else back.
        self.usages.retain(|name, _| !gone.contains(name));
        Ok(gone)
    }

    fn usage(&mut self, name: &str) -> &mut Usage {
        self.usages.entry(name.to_owned()).or_default()
    }

    /// How many calls the gateway can take now.
    pub(super) fn room(&mut self, line: &Line, now: Timestamp) -> (Permission, Room) {
        let name = line.gateway.name();
        let usage = self.usage(name);
        let under_way = usage.under_way();
        let allowed = usage
            .pace(line.settings.messages_per_second, now)
            .map_or([usize::MAX; 3], |pace| pace.allowed(now));
        let (permission, is_out, may_hang) =
            line.gate.with(|gate| (gate.permission(now), gate.is_out(now, PATIENCE), gate.may_hang()));
        let calls = rooms::calls(permission, line.settings.concurrency, under_way, allowed);
        (permission, Room { gateway: name.to_owned(), calls, is_open: !is_out, may_hang })
    }

    /// When the gateway's rate lets more go than it does now; `None` when that is not what it waits for.
    pub(super) fn next_by_rate(&mut self, line: &Line, now: Timestamp) -> Option<Timestamp> {
        self.usage(line.gateway.name()).pace(line.settings.messages_per_second, now)?.next_at(now)
    }

    /// Questions about unknown outcomes that the gateway can take now.
    pub(super) fn questions(&mut self, line: &Line, now: Timestamp) -> usize {
        if line.gate.questions_paused_until(now).is_some() {
            return 0;
        }
        let usage = self.usage(line.gateway.name());
        rooms::questions(line.settings.concurrency, usage.under_way(), usage.questions.busy())
    }

    /// A call with so many messages of `lane` begins.
    pub(super) fn call_begins(&mut self, gateway: &str, lane: Lane, messages: usize, now: Timestamp) -> Hold {
        let usage = self.usage(gateway);
        if let Some(pace) = &mut usage.pace {
            pace.take(lane, messages, now);
        }
        usage.calls.hold()
    }

    /// A question begins.
    pub(super) fn question_begins(&mut self, gateway: &str) -> Hold {
        self.usage(gateway).questions.hold()
    }
}
