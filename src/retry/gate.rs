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
    /// One call, to see whether it works again; [`Gate::probe_begins`] takes it.
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
    /// The platform asked for a pause until then.
    Pause(Timestamp),
    /// The platform failed.
    Failing(Cause),
    /// The platform could not be reached.
    Unreachable(Cause),
    /// The account or the address is wrong.
    Fault(Cause),
    /// The call broke after it went out; says nothing for certain.
    Broken(Cause),
}

/// Longest pause that a platform gets for the asking.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Who asks may have looked at the clock before the answer came that set the time.
const SLACK: Duration = Duration::from_secs(60);

/// Whether `until` is still to come, and no further ahead than it can have been set: otherwise the clock was put
/// back since, and waiting for it could take for ever.
fn is_to_come(until: Timestamp, now: Timestamp, most: Duration) -> bool {
    now < until && until <= later(now, most.saturating_add(SLACK))
}

/// The gate before one gateway.
#[derive(Clone, Debug)]
pub struct Gate {
    probe: Backoff,
    paused_until: Option<Timestamp>,
    failures: Failures,
    shut: Option<Shut>,
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
    probing: bool,
    /// Whether the last call that failed broke.
    broke: bool,
}

impl Gate {
    /// An open gate; `probe` gives the waits between probes once it is shut.
    pub fn new(probe: Backoff) -> Self {
        Self { probe, paused_until: None, failures: Failures::default(), shut: None }
    }

    /// Until when the platform asked to be left alone; `None` when it did not, or that is over.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| is_to_come(*until, now, LONGEST_PAUSE))
    }

    /// What may be done at `now`.
    pub fn permission(&self, now: Timestamp) -> Permission {
        if let Some(until) = self.paused_until(now) {
            return Permission::NotBefore(until);
        }
        match &self.shut {
            None => Permission::Free,
            Some(shut) if shut.probing => Permission::AwaitProbe,
            Some(shut) if is_to_come(shut.next_probe_at, now, self.probe.most) => {
                Permission::NotBefore(shut.next_probe_at)
            }
            Some(_) => Permission::Probe,
        }
    }

    /// Takes the probe that [`Permission::Probe`] allowed: nobody else may call until it is answered
    /// or given back.
    pub fn probe_begins(&mut self) {
        if let Some(shut) = &mut self.shut {
            shut.probing = true;
        }
    }

    /// Gives a probe back that was not used, because nothing was there to send.
    pub fn probe_unused(&mut self) {
        if let Some(shut) = &mut self.shut {
            shut.probing = false;
        }
    }

    /// The platform asked for a pause until then, in answer to a question that was about no message.
    pub fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(Some(until));
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
                self.paused_until = self.paused_until.max(Some(until));
                // It answered: the platform is there and asks for patience.
                self.failures = Failures::default();
                self.shut.take().map(|shut| Turn::Opened { since: shut.since })
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
                if shut.probing {
                    shut.probes = shut.probes.saturating_add(1);
                    shut.next_probe_at = self.probe.next(now, shut.probes, jitter);
                    shut.probing = false;
                }
                shut.cause = cause;
                None
            }
            None => {
                let next_probe_at = self.probe.next(now, 1, jitter);
                let (since, probes, probing, broke) = (now, 1, false, false);
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
mod tests {
    use super::*;
    use crate::model::{EnhancedStatus, SubmissionId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn cause() -> Cause {
        Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, "http 401")
    }

    /// One of the messages of one submission.
    fn sms(ordinal: u32) -> MessageId {
        "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse::<SubmissionId>().unwrap().message(ordinal)
    }

    fn gate() -> Gate {
        Gate::new(Backoff { first: Duration::from_secs(10), most: Duration::from_secs(60) })
    }

    #[test]
    fn retry_after_holds_for_everybody_and_never_shortens() {
        let mut gate = gate();
        gate.answered(sms(1), Answer::Pause(at(30)), at(0), 1.0);
        gate.answered(sms(1), Answer::Pause(at(20)), at(1), 1.0);
        assert_eq!(gate.permission(at(29)), Permission::NotBefore(at(30)));
        assert_eq!(gate.permission(at(30)), Permission::Free);
        assert!(gate.trouble().is_none());
    }

    #[test]
    fn four_failures_in_a_row_leave_it_open_and_five_shut_it() {
        let mut gate = gate();
        for second in 0..4 {
            assert_eq!(gate.answered(sms(second), Answer::Failing(cause()), at(second.into()), 1.0), None);
        }
        gate.answered(sms(1), Answer::Working, at(4), 1.0);
        for second in 5..9 {
            assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None);
        }
        assert_eq!(gate.permission(at(9)), Permission::Free);
        assert_eq!(gate.answered(sms(2), Answer::Broken(cause()), at(9), 1.0), Some(Turn::Shut(cause())));
        assert_eq!(gate.permission(at(9)), Permission::NotBefore(at(19)));
    }

    #[test]
    fn one_message_that_fails_for_ever_shuts_nobody_out() {
        let mut gate = gate();
        for second in 0..100 {
            assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None);
        }
        assert_eq!(gate.permission(at(100)), Permission::Free);
        gate.answered(sms(2), Answer::Working, at(100), 1.0);
        assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(101), 1.0), None);
        // Another one that fails with it makes it the platform's fault.
        for second in 102..105 {
            assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None);
        }
        let turn = gate.answered(sms(3), Answer::Broken(cause()), at(105), 1.0);
        assert_eq!(turn, Some(Turn::Shut(cause())));
    }

    #[test]
    fn one_message_is_enough_where_nobody_answers() {
        let mut gate = gate();
        for second in 0..4 {
            assert_eq!(gate.answered(sms(1), Answer::Unreachable(cause()), at(second), 1.0), None);
        }
        let turn = gate.answered(sms(1), Answer::Unreachable(cause()), at(4), 1.0);
        assert_eq!(turn, Some(Turn::Shut(cause())));
        gate.answered(sms(1), Answer::Working, at(20), 1.0);
        for second in 20..100 {
            assert_eq!(gate.answered(sms(1), Answer::Failing(cause()), at(second), 1.0), None, "begun anew");
        }
    }

    #[test]
    fn a_fault_shuts_at_once_and_probes_come_at_growing_intervals() {
        let mut gate = gate();
        assert_eq!(gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0), Some(Turn::Shut(cause())));
        assert_eq!(gate.permission(at(10)), Permission::Probe);
        gate.probe_begins();
        assert_eq!(gate.permission(at(10)), Permission::AwaitProbe);
        assert_eq!(gate.answered(sms(1), Answer::Fault(cause()), at(11), 1.0), None);
        assert_eq!(gate.permission(at(12)), Permission::NotBefore(at(31)));
        gate.probe_begins();
        gate.probe_unused();
        assert_eq!(gate.permission(at(31)), Permission::Probe);
        gate.probe_begins();
        assert_eq!(gate.answered(sms(1), Answer::Working, at(32), 1.0), Some(Turn::Opened { since: at(0) }));
        assert_eq!(gate.permission(at(32)), Permission::Free);
    }

    #[test]
    fn what_was_mended_is_tried_at_once_and_the_waits_begin_anew() {
        let mut gate = gate();
        gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0);
        gate.probe_begins();
        gate.answered(sms(1), Answer::Fault(cause()), at(10), 1.0);
        gate.answered(sms(1), Answer::Pause(at(12)), at(0), 1.0);
        gate.answered(sms(1), Answer::Fault(cause()), at(10), 1.0);
        assert_eq!(gate.permission(at(13)), Permission::NotBefore(at(20)));
        gate.mended(at(11));
        assert_eq!(gate.permission(at(11)), Permission::NotBefore(at(12)));
        assert_eq!(gate.permission(at(13)), Permission::Probe);
        gate.probe_begins();
        gate.answered(sms(1), Answer::Fault(cause()), at(14), 1.0);
        assert_eq!(gate.permission(at(15)), Permission::NotBefore(at(24)));
    }

    #[test]
    fn a_short_pause_is_waited_for_and_a_long_one_or_a_shut_gate_is_not() {
        let patience = Duration::from_secs(30);
        let mut gate = gate();
        assert!(!gate.is_out(at(0), patience));
        gate.answered(sms(1), Answer::Pause(at(31)), at(0), 1.0);
        assert!(gate.is_out(at(0), patience));
        assert!(!gate.is_out(at(1), patience), "30 s are left");
        gate.answered(sms(1), Answer::Fault(cause()), at(2), 1.0);
        assert!(gate.is_out(at(40), patience));
        gate.probe_begins();
        assert!(gate.is_out(at(40), patience), "until the probe is answered");
        gate.answered(sms(1), Answer::Working, at(41), 1.0);
        assert!(!gate.is_out(at(41), patience));
    }

    #[test]
    fn other_waits_between_probes_hold_from_the_next_one_on() {
        let mut gate = gate();
        gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0);
        gate.set_probe(Backoff { first: Duration::from_secs(1), most: Duration::from_secs(3) });
        assert_eq!(gate.permission(at(9)), Permission::NotBefore(at(10)));
        gate.probe_begins();
        gate.answered(sms(1), Answer::Fault(cause()), at(10), 1.0);
        assert_eq!(gate.permission(at(10)), Permission::NotBefore(at(12)));
    }

    #[test]
    fn a_clock_that_is_put_back_keeps_no_gate_shut() {
        let mut gate = gate();
        gate.answered(sms(1), Answer::Fault(cause()), at(100_000), 1.0);
        // It waits 10 s for a probe, and never more than 60 s.
        assert_eq!(gate.permission(at(100_009)), Permission::NotBefore(at(100_010)));
        assert_eq!(gate.permission(at(99_890)), Permission::NotBefore(at(100_010)));
        assert_eq!(gate.permission(at(99_889)), Permission::Probe);
        assert_eq!(gate.permission(at(0)), Permission::Probe);
        gate.answered(sms(1), Answer::Pause(at(100_030)), at(100_000), 1.0);
        let day = 24 * 60 * 60;
        assert_eq!(gate.permission(at(99_970 - day)), Permission::NotBefore(at(100_030)));
        assert_eq!(gate.permission(at(99_969 - day)), Permission::Free);
    }

    #[test]
    fn a_gate_that_broken_calls_shut_may_hang_until_a_call_says_more() {
        let mut gate = gate();
        for ordinal in 1..=5 {
            assert!(!gate.may_hang());
            gate.answered(sms(ordinal), Answer::Broken(cause()), at(0), 1.0);
        }
        assert!(gate.may_hang());
        gate.probe_begins();
        gate.answered(sms(1), Answer::Failing(cause()), at(10), 1.0);
        assert!(!gate.may_hang(), "it is refused at once now");
        gate.answered(sms(1), Answer::Broken(cause()), at(10), 1.0);
        assert!(gate.may_hang());
        gate.answered(sms(1), Answer::Working, at(10), 1.0);
        assert!(!gate.may_hang());
    }

    #[test]
    fn stragglers_of_before_do_not_lengthen_the_wait() {
        let mut gate = gate();
        gate.answered(sms(1), Answer::Fault(cause()), at(0), 1.0);
        for second in 1..8 {
            gate.answered(sms(1), Answer::Fault(cause()), at(second), 1.0);
        }
        assert_eq!(gate.permission(at(10)), Permission::Probe);
    }
}
