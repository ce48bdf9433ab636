//! How each decision came about, written down while it is made: for whoever asks before anything is sent.

use super::explain::{ExplainedFate, ExplainedPhone};
use crate::model::PhoneNumber;
use crate::routing::Tried;

/// What was decided for the recipients of one mail or form, in their order.
#[derive(Debug, Default)]
pub(super) struct Notes {
    recipients: Vec<Vec<ExplainedPhone>>,
    /// The rules that were asked for the phone that is being decided.
    tried: Vec<Tried>,
    /// Whether it came to the end.
    all_decided: bool,
}

impl Notes {
    /// Another recipient's turn.
    pub(super) fn begin(&mut self) {
        self.recipients.push(Vec::new());
    }

    /// The rules that were asked for the next phone.
    pub(super) fn tried(&mut self, tried: Vec<Tried>) {
        self.tried = tried;
    }

    /// What that phone gets. `named` is the destination where the mail's text names it.
    pub(super) fn decided(
        &mut self,
        destination: &PhoneNumber,
        named: Option<&str>,
        rule: &str,
        fate: ExplainedFate,
    ) {
        let phone = ExplainedPhone {
            destination: destination.clone(),
            named: named.map(str::to_owned),
            tried: std::mem::take(&mut self.tried),
            rule: rule.to_owned(),
            fate,
        };
        if let Some(phones) = self.recipients.last_mut() {
            phones.push(phone);
        }
    }

    /// Everything is decided.
    pub(super) fn end(&mut self) {
        self.all_decided = true;
    }

    /// The phones of each recipient whose turn it was, and whether everything was decided.
    pub(super) fn into_recipients(self) -> (Vec<Vec<ExplainedPhone>>, bool) {
        (self.recipients, self.all_decided)
    }
}
