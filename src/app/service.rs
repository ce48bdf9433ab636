//! Talking to the service manager: `sd_notify(3)`. Without one, every call is nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// Every door is open and the spool's workers work.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Not ready yet, and why; `patience` more before the start counts as failed.
pub fn waiting(status: &str, patience: Duration) {
    let microseconds = u32::try_from(patience.as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::Status(status), NotifyState::ExtendTimeoutUsec(microseconds)]);
}

/// A line for `systemctl status`.
pub fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// The end has begun.
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("finishing what is under way")]);
}

/// The work loop is alive.
pub fn watchdog() {
    notify(&[NotifyState::Watchdog]);
}

/// How often the service manager wants to hear [`watchdog`]; `None` when it does not.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
