//! Whether a gateway may be called now: `Retry-After`, the circuit, and faults of the account.
//!
//! Pure: told what came of calls, asked what may be done at a time. One gate stands before one
//! gateway and is shared by everybody who calls it, so that all obey at once.

use std::time::Duration;

use jiff::Timestamp;

use super::{Backoff, later};
use crate::model::{Cause, MessageId};

/// Calls in a row that must fail before the gateway is taken to be down. Fewer would let one bad
/// moment stop everything; more would hammer a platform that is struggling. They must be about two
/// messages at least: one that the platform stumbles over has its own back-off, and is no reason to
/// keep the others back. That nobody answers at all is about no message.
const FAILURES_TO_OPEN: u32 = 5;

/// What may be done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Call as usual.
    Free,
    /// One call, to see whether it works again, by whoever takes it with [`Gate::probe_begins`].
    Probe,
    /// Nothing before this time.
    NotBefore(Timestamp),
    /// Nothing before the probe under way has been answered.
    AwaitProbe,
}

/// What came of a call, as far as the gate cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The platform answered, whatever it said of the message.
    Working,
    /// The platform asked for a pause until then, in answer to a call that sends.
    Pause(Timestamp),
    /// The platform asked for a pause until then, in answer to a question: that it is asked too much says nothing of
    /// what it would take.
    AskLater(Timestamp),
    /// The platform failed.
    Failing(Cause),
    /// The platform could not be reached.
    Unreachable(Cause),
    /// The account or the address is wrong.
    Fault(Cause),
    /// The call broke after it went out; says nothing for certain.
    Broken(Cause),
}

/// A probe under way. Only who has it can give it back; a gate numbers them, so that one of before is not taken for
/// the one of now.
#[derive(Debug, PartialEq, Eq)]
pub struct ProbeTicket(u64);

/// Longest pause that a platform gets for the asking.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Who asks may have looked at the clock before the answer came that set the time.
const SLACK: Duration = Duration::from_secs(60);

/// Whether `until` is still to come, and no further ahead than it can have been set: otherwise the clock was put
/// back since, and waiting for it could take for ever.
fn is_to_come(until: Timestamp, now: Timestamp, most: Duration) -> bool {
    now < until && until <= later(now, most.saturating_add(SLACK))
}

/// The end of a pause, where it is still to come.
fn still(paused_until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    paused_until.filter(|until| is_to_come(*until, now, LONGEST_PAUSE))
}

/// The gate before one gateway.
///
/// It knows two pauses: one that a call that sends was answered with holds for everything, one that a question was
/// answered with for questions only.
#[derive(Clone, Debug)]
pub struct Gate {
    probe: Backoff,
    everything_paused_until: Option<Timestamp>,
    questions_paused_until: Option<Timestamp>,
    failures: Failures,
    shut: Option<Shut>,
    /// Probes that have ever begun.
    probes_begun: u64,
}

/// Failed calls in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    /// What the first of them was about.
    first: Option<MessageId>,
    /// Whether another one was about something else, or one of them about no message at all.
    several: bool,
}

impl Failures {
    fn add(&mut self, about: MessageId) {
        self.count = self.count.saturating_add(1);
        self.several |= *self.first.get_or_insert(about) != about;
    }

    fn open_the_circuit(self) -> bool {
        self.count >= FAILURES_TO_OPEN && self.several
    }
}

#[derive(Clone, Debug)]
struct Shut {
    since: Timestamp,
    cause: Cause,
    probes: u32,
    next_probe_at: Timestamp,
    /// The number of the probe that is under way.
    probing: Option<u64>,
    /// Whether the last call that failed broke.
    broke: bool,
}

impl Gate {
    /// An open gate; `probe` gives the waits between probes once it is shut.
    pub fn new(probe: Backoff) -> Self {
        Self {
            probe,
            everything_paused_until: None,
            questions_paused_until: None,
            failures: Failures::default(),
            shut: None,
            probes_begun: 0,
        }
    }

    /// Until when the platform asked to be left alone by everybody; `None` when it did not, or that is over.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        still(self.everything_paused_until, now)
    }

    /// Until when nobody may ask anything: about a message or about the credit. `None` when one may.
    pub fn questions_paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until(now).max(still(self.questions_paused_until, now))
    }

    /// What may be done at `now` by who has something to send.
    pub fn permission(&self, now: Timestamp) -> Permission {
        if let Some(until) = self.paused_until(now) {
            return Permission::NotBefore(until);
        }
        match &self.shut {
            None => Permission::Free,
            Some(shut) if shut.probing.is_some() => Permission::AwaitProbe,
            Some(shut) if is_to_come(shut.next_probe_at, now, self.probe.most) => {
                Permission::NotBefore(shut.next_probe_at)
            }
            Some(_) => Permission::Probe,
        }
    }

    /// What may be done at `now` by who wants to ask whether the platform has a message.
    pub fn permission_to_ask(&self, now: Timestamp) -> Permission {
        self.questions_paused_until(now).map_or_else(|| self.permission(now), Permission::NotBefore)
    }

    /// Takes the probe that [`Permission::Probe`] allowed: nobody else may call until a call has been answered, or
    /// the probe is given back. `None` while the gate is open or another probe is under way.
    pub fn probe_begins(&mut self) -> Option<ProbeTicket> {
        let shut = self.shut.as_mut().filter(|shut| shut.probing.is_none())?;
        self.probes_begun += 1;
        shut.probing = Some(self.probes_begun);
        Some(ProbeTicket(self.probes_begun))
    }

    /// Gives a probe back that proved nothing: there was nothing to send, or the answer said nothing of the gate.
    /// One that was answered meanwhile has ended by that.
    pub fn probe_unused(&mut self, ProbeTicket(number): ProbeTicket) {
        if let Some(shut) = &mut self.shut {
            shut.probing = shut.probing.filter(|under_way| *under_way != number);
        }
    }

    /// The platform asked for a pause until then, in answer to a question.
    pub fn pause_questions(&mut self, until: Timestamp, now: Timestamp) {
        self.questions_paused_until = still(self.questions_paused_until, now).max(Some(until));
    }

    /// Whether what waits here had better go elsewhere: the gate is shut, or the platform asked for a pause that
    /// lasts longer than `patience` from `now`.
    pub fn is_out(&self, now: Timestamp, patience: Duration) -> bool {
        self.shut.is_some() || self.paused_until(now).is_some_and(|until| later(now, patience) < until)
    }

    /// Whether it is shut and the last call that failed broke: the next may, too, and what it was about would have
    /// to wait until somebody can tell whether the platform has it.
    pub fn may_hang(&self) -> bool {
        self.shut.as_ref().is_some_and(|shut| shut.broke)
    }

    /// Other waits between probes, from the next one on.
    pub fn set_probe(&mut self, probe: Backoff) {
        self.probe = probe;
    }

    /// Something was mended: a gate that is shut is probed at once, and the waits begin anew. A pause
    /// that the platform asked for stays.
    pub fn mended(&mut self, now: Timestamp) {
        if let Some(shut) = &mut self.shut {
            shut.probes = 0;
            shut.next_probe_at = now;
        }
    }

    /// Takes in what came of a call about a message. Returns whether the gate opened or shut by it.
    pub fn answered(
        &mut self,
        about: MessageId,
        answer: Answer,
        now: Timestamp,
        jitter: f64,
    ) -> Option<Turn> {
        let broke = matches!(answer, Answer::Broken(_));
        let turn = match answer {
            Answer::Working => {
                self.failures = Failures::default();
                self.shut.take().map(|shut| Turn::Opened { since: shut.since })
            }
            Answer::Pause(until) => {
                self.everything_paused_until = self.paused_until(now).max(Some(until));
                // It answered: the platform is there and asks for patience.
                self.failures = Failures::default();
                self.shut.take().map(|shut| Turn::Opened { since: shut.since })
            }
            // Neither good nor bad for who sends.
            Answer::AskLater(until) => {
                self.pause_questions(until, now);
                return None;
            }
            Answer::Unreachable(cause) => {
                self.failures.several = true;
                self.failed(about, cause, now, jitter)
            }
            Answer::Failing(cause) | Answer::Broken(cause) => self.failed(about, cause, now, jitter),
            Answer::Fault(cause) => self.shut(cause, now, jitter),
        };
        if let Some(shut) = &mut self.shut {
            shut.broke = broke;
        }
        turn
    }

    fn failed(&mut self, about: MessageId, cause: Cause, now: Timestamp, jitter: f64) -> Option<Turn> {
        self.failures.add(about);
        let shuts = self.shut.is_some() || self.failures.open_the_circuit();
        shuts.then(|| self.shut(cause, now, jitter)).flatten()
    }

    fn shut(&mut self, cause: Cause, now: Timestamp, jitter: f64) -> Option<Turn> {
        match &mut self.shut {
            Some(shut) => {
                // Calls that were under way when the gate shut fail too; only a probe's failure
                // lengthens the wait.
                if shut.probing.take().is_some() {
                    shut.probes = shut.probes.saturating_add(1);
                    shut.next_probe_at = self.probe.next(now, shut.probes, jitter);
                }
                shut.cause = cause;
                None
            }
            None => {
                let next_probe_at = self.probe.next(now, 1, jitter);
                let (since, probes, probing, broke) = (now, 1, None, false);
                self.shut = Some(Shut { since, cause: cause.clone(), probes, next_probe_at, probing, broke });
                Some(Turn::Shut(cause))
            }
        }
    }

    /// Since when and why nothing may be sent; `None` while the gate is open.
    pub fn trouble(&self) -> Option<(Timestamp, &Cause)> {
        self.shut.as_ref().map(|shut| (shut.since, &shut.cause))
    }
}

/// A change that the operator wants to see in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Calls go on; nothing was sent since that time.
    Opened {
        /// When the gate had shut.
        since: Timestamp,
    },
    /// No calls but probes from now on.
    Shut(Cause),
}

#[cfg(test)]
mod tests;
