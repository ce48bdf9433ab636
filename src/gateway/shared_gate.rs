//! The gate before one gateway, in the hands of everybody who calls it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::model::{Cause, MessageId, Reason};
use crate::retry::{Answer, Backoff, Gate, ProbeTicket, Turn};

/// The gate before the gateway, shared by everybody who calls it.
#[derive(Clone, Debug)]
pub struct SharedGate(Arc<Mutex<Gate>>);

impl SharedGate {
    /// An open gate; `probe` gives the waits between probes of a gateway that is shut.
    pub fn new(probe: Backoff) -> Self {
        Self(Arc::new(Mutex::new(Gate::new(probe))))
    }

    /// Does something with the gate; never held across a wait.
    pub fn with<T>(&self, act: impl FnOnce(&mut Gate) -> T) -> T {
        // A gate is whole after every step, so one whose holder panicked is still good.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the probe of a gateway that is shut; `None` while it is open or another one is under way.
    pub fn begin_probe(&self) -> Option<Probe> {
        let ticket = self.with(Gate::probe_begins)?;
        Some(Probe { gate: self.clone(), ticket: Some(ticket) })
    }

    /// Takes in what came of a call about a message and logs a turn.
    pub fn answered(&self, gateway: &str, about: MessageId, answer: Answer, now: Timestamp) {
        match self.with(|gate| gate.answered(about, answer, now, fastrand::f64())) {
            Some(Turn::Shut(cause)) => {
                tracing::error!(
                    gateway, cause = %cause.text, diagnostic = cause.masked_diagnostic().map(display),
                    "nothing is sent for now; every message is kept and the gateway is probed"
                );
            }
            Some(Turn::Opened { since }) => tracing::info!(gateway, %since, "the gateway works again"),
            None => {}
        }
    }

    /// Nobody asks before `until`: the platform asked for it in answer to a question.
    pub fn pause_questions(&self, until: Timestamp, now: Timestamp) {
        self.with(|gate| gate.pause_questions(until, now));
    }

    /// Why nobody may be called.
    pub fn cause(&self) -> Cause {
        let pause = || Reason::NotNow.told("the SMS platform asked for a pause");
        self.with(|gate| gate.trouble().map_or_else(pause, |(_, cause)| cause.clone()))
    }

    /// Until when the platform wants to be asked nothing; `None` when it may be asked.
    pub fn questions_paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.with(|gate| gate.questions_paused_until(now))
    }

    /// Why nothing can be sent, in words; `None` while it can.
    pub fn trouble(&self) -> Option<String> {
        self.with(|gate| {
            gate.trouble().map(|(since, cause)| format!("nothing is sent since {since:.0}: {}", cause.text))
        })
    }
}

/// The one call that a shut gateway gets, in the hands of whoever makes it. Dropped before any call was answered, it
/// goes back, and the next call may be the probe.
#[derive(Debug)]
pub struct Probe {
    gate: SharedGate,
    ticket: Option<ProbeTicket>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.gate.with(|gate| gate.probe_unused(ticket));
        }
    }
}
