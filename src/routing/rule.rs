//! One rule: what it asks for and what it does.

use std::sync::Arc;
use std::time::Duration;

use super::Delivering;
use super::conditions::Conditions;
use crate::model::{Notify, SenderId};
use crate::wording::Wording;

/// A rule: all conditions must hold, and then the action is taken.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name in logs and timelines; unique, and not `default`.
    pub name: String,
    /// What must hold.
    pub when: Conditions,
    /// What is done.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "most rules send, and there are few")]
pub enum Action {
    /// Send it so.
    Send(SendAction),
    /// Take it and send nothing; recorded, not reported.
    Drop {
        /// Why, for the timeline.
        reason: String,
    },
    /// Refuse it.
    Refuse {
        /// Why, for the sender.
        reason: String,
    },
}

/// How a rule sends. `None` takes the default.
#[derive(Clone, Debug, Default)]
pub struct SendAction {
    /// Who gets it in place of the phone that the recipient stands for: aliases, rotas and numbers as written; at least
    /// one. The operator's own word, so that what an account may reach does not bound it.
    pub to: Option<Vec<String>>,
    /// Who gets it besides.
    pub also_to: Vec<String>,
    /// Whether the rules behind it are asked too.
    pub continues: bool,
    /// What its sender is told of.
    pub report: Report,
    /// What the phone shows as sender; wins over the sender that a form asks for.
    pub sender: Option<SenderId>,
    /// How its words are made.
    pub wording: Option<Arc<Wording>>,
    /// The platform's campaign, at most 255 characters.
    pub campaign_id: Option<String>,
    /// How long it is tried.
    pub lifetime: Option<Duration>,
    /// Checked by the platform and not sent.
    pub simulation: bool,
    /// Sent as SMS even where the account prefers RCS.
    pub skip_rcs_override: bool,
    /// Whether the platform calls back.
    pub enable_notification: Option<bool>,
    /// How it is to reach the phone.
    pub delivering: Delivering,
}

/// Of what a sender is told at most: nobody is told more than was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Report {
    /// Of what was asked for: failures and delays, where nothing was.
    #[default]
    All,
    /// Of failures: neither of delays nor of successes.
    Failures,
    /// Of nothing.
    Off,
}

impl Report {
    /// What is left of a wish.
    pub fn narrow(self, notify: Notify) -> Notify {
        match self {
            Self::All => notify,
            Self::Failures if notify.wants_failure() => {
                Notify::On { success: false, failure: true, delay: false }
            }
            Self::Failures | Self::Off => Notify::Never,
        }
    }

    /// The word for it: `all`, `failures` or `off`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Failures => "failures",
            Self::Off => "off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_narrows_what_its_sender_is_told_and_never_widens_it() {
        let on = |success, failure, delay| Notify::On { success, failure, delay };
        for (report, asked, left) in [
            (Report::All, Notify::Unspecified, Notify::Unspecified),
            (Report::All, on(true, false, true), on(true, false, true)),
            (Report::Failures, Notify::Unspecified, on(false, true, false)),
            (Report::Failures, on(true, true, true), on(false, true, false)),
            (Report::Failures, on(true, false, true), Notify::Never),
            (Report::Failures, Notify::Never, Notify::Never),
            (Report::Off, Notify::Unspecified, Notify::Never),
            (Report::Off, on(true, true, true), Notify::Never),
        ] {
            assert_eq!(report.narrow(asked), left, "{report:?} {asked:?}");
        }
    }
}
