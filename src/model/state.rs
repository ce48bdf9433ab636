//! The states of one recipient's SMS in the spool, and which may follow which.

use std::fmt;
use std::str::FromStr;

/// Where an SMS is. One final state is reached by every accepted recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits on purpose until a time; the reason is kept.
    Held,
    /// Told by a summary: it ends as that one does.
    Folded,
    /// May be tried at its next attempt time.
    Due,
    /// A worker has it: attempt n is recorded and the call may be under way.
    Claimed,
    /// The request went out and no answer came back; the status endpoint is asked before a resend.
    Unknown,
    /// The platform accepted it; the handset has not confirmed yet.
    Sent,
    /// Nothing more will happen.
    Final(FinalState),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinalState {
    /// The handset has it.
    Delivered,
    /// The platform says that the handset will not get it.
    Undelivered,
    /// The platform or a rule refused it.
    Failed,
    /// Its lifetime ended first.
    Expired,
    /// A rule dropped it, or an operator cancelled it.
    Cancelled,
}

impl FinalState {
    /// Whether whoever sent it is owed a failure report.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Undelivered | Self::Failed | Self::Expired => true,
            Self::Delivered | Self::Cancelled => false,
        }
    }
}

impl State {
    const ALL: [Self; 11] = [
        Self::Held,
        Self::Folded,
        Self::Due,
        Self::Claimed,
        Self::Unknown,
        Self::Sent,
        Self::Final(FinalState::Delivered),
        Self::Final(FinalState::Undelivered),
        Self::Final(FinalState::Failed),
        Self::Final(FinalState::Expired),
        Self::Final(FinalState::Cancelled),
    ];

    /// The word used in the spool, the logs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Folded => "folded",
            Self::Due => "due",
            Self::Claimed => "claimed",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Final(FinalState::Delivered) => "delivered",
            Self::Final(FinalState::Undelivered) => "undelivered",
            Self::Final(FinalState::Failed) => "failed",
            Self::Final(FinalState::Expired) => "expired",
            Self::Final(FinalState::Cancelled) => "cancelled",
        }
    }

    /// Whether `next` may follow. The one table of transitions; the spool refuses any other.
    pub fn may_become(self, next: Self) -> bool {
        use FinalState::{Cancelled, Delivered, Expired, Failed, Undelivered};
        match self {
            // Held: its time has come, and a budget holds it on. Folded: other limits do.
            Self::Held => {
                matches!(next, Self::Held | Self::Folded | Self::Due | Self::Final(Cancelled | Expired))
            }
            // As its summary ends; cancelled also by its recovery.
            Self::Folded => matches!(next, Self::Final(_)),
            // Sent: the platform itself says that it has one that we took for not taken. Held, Folded: it has waited for the
            // platform, was never tried, and its phone has no room any more.
            Self::Due => matches!(
                next,
                Self::Claimed | Self::Sent | Self::Held | Self::Folded | Self::Final(Cancelled | Expired)
            ),
            // Cancelled: the platform was asked to check it only.
            Self::Claimed => {
                matches!(next, Self::Sent | Self::Due | Self::Unknown | Self::Final(Failed | Cancelled))
            }
            Self::Unknown => {
                matches!(next, Self::Unknown | Self::Sent | Self::Due | Self::Final(Expired | Failed))
            }
            // Due: by the next of its ways.
            Self::Sent => {
                matches!(next, Self::Sent | Self::Due | Self::Final(Delivered | Undelivered | Expired))
            }
            Self::Final(_) => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{}` is not a state", text.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written_alike() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
        assert!("lost".parse::<State>().is_err());
    }

    #[test]
    fn nothing_follows_a_final_state_and_every_other_reaches_one() {
        for state in State::ALL {
            match state {
                State::Final(_) => assert!(State::ALL.iter().all(|next| !state.may_become(*next))),
                State::Held | State::Folded | State::Due | State::Claimed | State::Unknown | State::Sent => {
                    assert!(
                        State::ALL
                            .iter()
                            .any(|next| matches!(next, State::Final(_)) && state.may_become(*next)),
                        "{state}"
                    )
                }
            }
        }
    }

    #[test]
    fn what_waits_is_called_about_only_once_its_attempt_is_recorded() {
        for waiting in [State::Held, State::Folded, State::Due] {
            assert!(!waiting.may_become(State::Unknown));
        }
        assert!(!State::Held.may_become(State::Claimed));
        assert!(!State::Held.may_become(State::Sent));
    }
}
